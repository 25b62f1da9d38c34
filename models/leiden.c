/* Leiden clustering by igraph: the one file that sees it.
 *
 * Modularity with resolution g is sum over pairs of (w_ij - g k_i k_j / 2m), k the summed weights of a node and 2m of all nodes: igraph's Leiden takes k as node weights and
 * g / 2m as its resolution. Its random numbers come from igraph's generator, which is seeded here. */
#include <igraph.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "models/neighbours.h"

static const double RANDOMNESS = 0.01; /* beta of the paper's refinement, as its authors use it */

/* igraph's own "until nothing changes" does not end on some graphs with ties. */
enum { ITERATIONS = 2, MOST_ROUNDS = 100 };

int sow_graph_has_clusters(void)
{
    return 1;
}

/* igraph's own answer to an error is to end the program. */
static sow_status translate(igraph_error_t code, sow_error *err)
{
    if (code == IGRAPH_SUCCESS) return SOW_OK;
    return SOW_ERROR(err, code == IGRAPH_ENOMEM ? SOW_E_NOMEM : SOW_E_STATE, "Leiden clustering: igraph: %s", igraph_strerror(code));
}

typedef struct {
    igraph_t graph;
    igraph_vector_t weight, strength;
    igraph_vector_int_t edge, membership;
    int has_graph;
} objects;

static igraph_error_t build(objects *o, const sow_graph *g)
{
    igraph_error_t code = igraph_vector_int_resize(&o->edge, 2 * g->n_edges);
    if (code == IGRAPH_SUCCESS) code = igraph_vector_resize(&o->weight, g->n_edges);
    if (code == IGRAPH_SUCCESS) code = igraph_vector_resize(&o->strength, g->n);
    if (code != IGRAPH_SUCCESS) return code;
    igraph_vector_null(&o->strength);
    for (sow_index e = 0; e < g->n_edges; e++) {
        VECTOR(o->weight)[e] = g->weight[e];
        for (int side = 0; side < 2; side++) {
            VECTOR(o->edge)[2 * e + side] = g->end[2 * e + side];
            VECTOR(o->strength)[g->end[2 * e + side]] += g->weight[e];
        }
    }
    code = igraph_create(&o->graph, &o->edge, g->n, IGRAPH_UNDIRECTED);
    o->has_graph = code == IGRAPH_SUCCESS;
    return code;
}

static igraph_error_t run(objects *o, const sow_graph *g, double resolution, uint64_t seed)
{
    double both_ends = 0, before = 0;
    igraph_error_t code = build(o, g);
    if (code != IGRAPH_SUCCESS) return code;
    for (sow_index e = 0; e < g->n_edges; e++)
        both_ends += 2 * g->weight[e];
    code = igraph_rng_seed(igraph_rng_default(), (igraph_uint_t)seed);
    for (int round = 0; round < MOST_ROUNDS && code == IGRAPH_SUCCESS; round++) {
        igraph_real_t quality = before; /* not written on failure */
        code = igraph_community_leiden(&o->graph, &o->weight, &o->strength, resolution / both_ends, RANDOMNESS, /* go on from membership */ round > 0, ITERATIONS,
                                       &o->membership, NULL, &quality);
        if (round > 0 && !(quality > before)) break;
        before = quality;
    }
    return code;
}

/* By first node, so that a number means the same to everybody. */
static sow_status number_clusters(sow_index *cluster, const igraph_vector_int_t *membership, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *number = NULL, next = 0;
    SOW_NEW(number, n);
    for (sow_index i = 0; i < n; i++) {
        sow_index *of = &number[VECTOR(*membership)[i]];
        if (*of == 0) *of = ++next;
        cluster[i] = *of - 1;
    }
done:
    free(number);
    return st;
}

sow_status sow_graph_clusters(sow_index *cluster, const sow_graph *graph, double resolution, uint64_t seed, sow_error *err)
{
    sow_status st = SOW_OK;
    objects o;
    igraph_error_t code;
    memset(&o, 0, sizeof o);
    igraph_error_handler_t *before = igraph_set_error_handler(igraph_error_handler_ignore);
    code = igraph_vector_init(&o.weight, 0);
    if (code == IGRAPH_SUCCESS) code = igraph_vector_init(&o.strength, 0);
    if (code == IGRAPH_SUCCESS) code = igraph_vector_int_init(&o.edge, 0);
    if (code == IGRAPH_SUCCESS) code = igraph_vector_int_init(&o.membership, 0);
    if (code == IGRAPH_SUCCESS) code = run(&o, graph, resolution, seed);
    SOW_TRY(translate(code, err));
    SOW_TRY(number_clusters(cluster, &o.membership, graph->n, err));
done: /* a vector that was never made is all zeros, which igraph's destroy takes */
    if (o.has_graph) igraph_destroy(&o.graph);
    if (o.membership.stor_begin) igraph_vector_int_destroy(&o.membership);
    if (o.edge.stor_begin) igraph_vector_int_destroy(&o.edge);
    if (o.strength.stor_begin) igraph_vector_destroy(&o.strength);
    if (o.weight.stor_begin) igraph_vector_destroy(&o.weight);
    igraph_set_error_handler(before);
    return st;
}
