/* Nearest neighbours by comparing all pairs, and the graph they make. */
#include "models/neighbours.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"

enum { SCALE_NEIGHBOUR = 7, STRIP = 1024 /* nodes compared at a time: their distances stay in the cache */ };

typedef struct {
    double square;
    sow_index node;
} neighbour;

typedef struct {
    const double *z; /* [n, k] */
    double *turned;  /* [k, n]: one coordinate of all nodes after the other, so that a strip of distances is straight arithmetic */
    sow_index n, k, m;
    neighbour *near; /* [n, m] ascending; the node itself is not among them */
} search;

/* Into an ascending list of at most m, by insertion; later nodes come behind equal ones. */
static sow_index keep(neighbour *near, sow_index kept, sow_index m, double square, sow_index node)
{
    sow_index at = kept < m ? kept : m - 1;
    for (; at > 0 && near[at - 1].square > square; at--) near[at] = near[at - 1];
    near[at] = (neighbour){square, node};
    return kept < m ? kept + 1 : m;
}

static sow_status find_nearest(void *user, sow_index i, sow_error *err)
{
    const search *s = user;
    neighbour *near = &s->near[i * s->m];
    double square[STRIP];
    sow_index kept = 0;
    (void)err;
    for (sow_index from = 0; from < s->n; from += STRIP) {
        const sow_index width = s->n - from < STRIP ? s->n - from : STRIP;
        memset(square, 0, sizeof square);
        for (sow_index c = 0; c < s->k; c++) {
            const double own = s->z[i * s->k + c], *other = &s->turned[c * s->n + from];
            for (sow_index j = 0; j < width; j++) square[j] += (own - other[j]) * (own - other[j]);
        }
        for (sow_index j = 0; j < width; j++)
            if (from + j != i && (kept < s->m || square[j] < near[s->m - 1].square)) kept = keep(near, kept, s->m, square[j], from + j);
    }
    return SOW_OK;
}

static int is_near(const search *s, sow_index i, sow_index j)
{
    for (sow_index k = 0; k < s->m; k++)
        if (s->near[i * s->m + k].node == j) return 1;
    return 0;
}

/* Squared distance over the product of both nodes' scales; at scale 0 (copies of one another) every distance there is 0 too. */
static double weight_of(const search *s, sow_index i, const neighbour *near)
{
    sow_index at = (s->m < SCALE_NEIGHBOUR ? s->m : SCALE_NEIGHBOUR) - 1;
    double scale = sqrt(s->near[i * s->m + at].square) * sqrt(s->near[near->node * s->m + at].square);
    double weight = scale > 0 ? exp(-near->square / scale) : near->square > 0 ? 0.0 : 1.0;
    return weight > 1e-12 ? weight : 1e-12;
}

/* Joined are nodes of which one is among the other's nearest. */
static sow_status join_nearest(sow_graph *g, const search *s, sow_error *err)
{
    sow_status st = SOW_OK;
    g->n = s->n;
    SOW_NEW(g->end, 2 * s->n * s->m);
    SOW_NEW(g->weight, s->n * s->m);
    for (sow_index i = 0; i < s->n; i++)
        for (sow_index k = 0; k < s->m; k++) {
            const neighbour *near = &s->near[i * s->m + k];
            if (near->node < i && is_near(s, near->node, i)) continue; /* joined from the other side */
            g->end[2 * g->n_edges] = i;
            g->end[2 * g->n_edges + 1] = near->node;
            g->weight[g->n_edges++] = weight_of(s, i, near);
        }
done:
    return st;
}

void sow_graph_clear(sow_graph *g)
{
    free(g->end);
    free(g->weight);
    *g = (sow_graph){0};
}

sow_status sow_graph_of_neighbours(sow_graph *g, const double *z, sow_index n, sow_index k, sow_index neighbours, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    search s = {.z = z, .n = n, .k = k, .m = neighbours < n - 1 ? neighbours : n - 1};
    *g = (sow_graph){0};
    SOW_NEW(s.turned, n * k);
    SOW_NEW(s.near, n * s.m);
    for (sow_index i = 0; i < n; i++)
        for (sow_index c = 0; c < k; c++) s.turned[c * n + i] = z[i * k + c];
    SOW_TRY(sow_parallel_for(sow_env_threads(env), n, find_nearest, &s, err));
    SOW_TRY(join_nearest(g, &s, err));
done:
    if (st != SOW_OK) sow_graph_clear(g);
    free(s.turned);
    free(s.near);
    return st;
}
