/* The shape of a map: magnitude, specificity, classes, clusters, picture. docs/predict.md says what each is.
 *
 * Symbols: m_pcg change of gene g by perturbation p in context c; z_pcg = (m_pcg - mean_p) / sd_p, of every context and gene alone; v the first principal direction of all rows z_pc; t_pc = z_pc v;
 * over contexts, T_p = sum_c |z_pc - mean_c z_pc|^2 and R_p = sum_c (t_pc - mean_c t_pc)^2; specificity 1 - R_p / T_p. T is kept as a running sum, and t comes from a sketch of each context, since v is not
 * known before the last row is. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/linalg.h"
#include "core/memory.h"
#include "models/neighbours.h"
#include "planner/map.h"

enum { STRIP = 256 /* genes */, ROWS = 64, COMPONENTS = 50, NEIGHBOURS = 15, LEAST_NODES = 3 };
enum { LEAST_DIRECTIONS = 24, MOST_DIRECTIONS = 256, ALL_DIRECTIONS = 2048, ALL_SCORES = 1 << 24 };
static const double RESOLUTION = 0.8, SMALLEST_SD = 1e-6 /* of the largest in the context */, SMALLEST_SPREAD = 1e-10 /* a gene and context */;

/* Of the sketch of a context: as many as memory (n numbers for each, in every context) and the time for their common directions allow. */
static sow_index directions_of(sow_index n, sow_index d, sow_index contexts)
{
    const sow_index limits[] = {MOST_DIRECTIONS, ALL_DIRECTIONS / contexts, ALL_SCORES / (n * contexts)}, least = n < d ? n : d;
    sow_index k = limits[0];
    for (int i = 1; i < 3; i++) k = k < limits[i] ? k : limits[i];
    k = k > LEAST_DIRECTIONS ? k : LEAST_DIRECTIONS;
    return k < least ? k : least;
}

sow_status sow_i_map_shape_make(sow_i_map_shape *s, sow_index n, sow_index d, sow_index most_contexts, const unsigned char *measured, sow_error *err)
{
    sow_status st = SOW_OK;
    *s = (sow_i_map_shape){.n = n, .d = d, .directions = directions_of(n, d, most_contexts), .measured = measured};
    SOW_NEW(s->size, n);
    SOW_NEW(s->mean, n * d);
    SOW_NEW(s->spread, n);
    SOW_NEW(s->sketch, most_contexts);
    SOW_NEW(s->alike, n);
    SOW_NEW(s->magnitude, n);
    SOW_NEW(s->specificity, n);
    SOW_NEW(s->cluster, n);
    SOW_NEW(s->xy, 2 * n);
    for (sow_index i = 0; i < n; i++) s->alike[i] = !measured[i];
done:
    if (st != SOW_OK) sow_i_map_shape_clear(s);
    return st;
}

void sow_i_map_shape_clear(sow_i_map_shape *s)
{
    for (sow_index k = 0; k < s->contexts; k++) {
        free(s->sketch[k].scores);
        free(s->sketch[k].directions);
    }
    free(s->sketch);
    free(s->size);
    free(s->mean);
    free(s->spread);
    free(s->alike);
    free(s->magnitude);
    free(s->specificity);
    free(s->cluster);
    free(s->xy);
    *s = (sow_i_map_shape){0};
}

/* ---- a context ---- */

typedef struct {
    sow_i_map_shape *s;
    float *rows;
    double *centre, *sd; /* [d] */
} standardising;

static sow_status strip_moments(void *user, sow_index strip, sow_error *err)
{
    const standardising *w = user;
    const sow_index n = w->s->n, d = w->s->d, from = strip * STRIP, to = from + STRIP < d ? from + STRIP : d;
    (void)err;
    for (sow_index i = 0; i < n; i++)
        for (sow_index j = from; j < to; j++) w->centre[j] += (double)w->rows[i * d + j];
    for (sow_index j = from; j < to; j++) w->centre[j] /= (double)n;
    for (sow_index i = 0; i < n; i++)
        for (sow_index j = from; j < to; j++) w->sd[j] += ((double)w->rows[i * d + j] - w->centre[j]) * ((double)w->rows[i * d + j] - w->centre[j]);
    for (sow_index j = from; j < to; j++) w->sd[j] = sqrt(w->sd[j] / (double)n);
    return SOW_OK;
}

/* Rows of a block: their size as they are, then z-scored and counted into mean and spread (Welford). */
static sow_status take_rows(void *user, sow_index block, sow_error *err)
{
    const standardising *w = user;
    sow_i_map_shape *s = w->s;
    const sow_index d = s->d, from = block * ROWS, to = from + ROWS < s->n ? from + ROWS : s->n;
    const double contexts = (double)(s->contexts + 1);
    (void)err;
    for (sow_index i = from; i < to; i++) {
        double size = 0, spread = 0;
        for (sow_index j = 0; j < d; j++) {
            float *at = &w->rows[i * d + j], *mean = &s->mean[i * d + j];
            size += fabs((double)*at);
            const double z = w->sd[j] > 0 ? ((double)*at - w->centre[j]) / w->sd[j] : 0, before = z - (double)*mean;
            *at = (float)z;
            *mean = (float)((double)*mean + before / contexts);
            spread += before * before * (contexts - 1) / contexts;
        }
        s->size[i] += size;
        s->spread[i] += spread;
    }
    return SOW_OK;
}

/* Who was measured nowhere and is predicted the same as the first such is. */
static void compare_alike(sow_i_map_shape *s, const float *rows)
{
    sow_index first = 0;
    while (first < s->n && s->measured[first]) first++;
    for (sow_index i = first + 1; i < s->n; i++)
        s->alike[i] = s->alike[i] && memcmp(&rows[i * s->d], &rows[first * s->d], (size_t)s->d * sizeof *rows) == 0;
}

static sow_status standardise(standardising *w, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_map_shape *s = w->s;
    double largest = 0;
    SOW_TRY(sow_parallel_for(sow_env_threads(env), (s->d + STRIP - 1) / STRIP, strip_moments, w, err));
    for (sow_index j = 0; j < s->d; j++) largest = fmax(largest, w->sd[j]);
    for (sow_index j = 0; j < s->d; j++)
        if (!(w->sd[j] > SMALLEST_SD * largest)) w->sd[j] = 0; /* a gene that nothing moves says nothing */
    SOW_TRY(sow_parallel_for(sow_env_threads(env), (s->n + ROWS - 1) / ROWS, take_rows, w, err));
done:
    return st;
}

sow_status sow_i_map_shape_add(sow_i_map_shape *s, float *rows, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    standardising w = {.s = s, .rows = rows};
    sow_i_map_sketch sketch = {0};
    double *squares = NULL;
    SOW_NEW(squares, s->directions);
    SOW_NEW(w.centre, s->d);
    SOW_NEW(w.sd, s->d);
    SOW_NEW(sketch.scores, s->n * s->directions);
    SOW_NEW(sketch.directions, s->directions * s->d);
    compare_alike(s, rows);
    SOW_TRY(standardise(&w, env, err));
    SOW_TRY(sow_sketch(sketch.scores, sketch.directions, squares, &sketch.k, rows, s->n, s->d, s->directions, (uint64_t)s->contexts, env, err));
    s->sketch[s->contexts++] = sketch;
    sketch = (sow_i_map_sketch){0};
done:
    free(squares);
    free(w.centre);
    free(w.sd);
    free(sketch.scores);
    free(sketch.directions);
    return st;
}

/* ---- the first direction of all rows ---- */

/* Covariances of all sketches' scores with one another: what a sketch leaves out of its context is orthogonal to its own directions. */
static sow_status first_direction(double *v, sow_i_map_shape *s, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index d = s->d;
    sow_index all = 0, at = 0;
    double *stack = NULL, *gram = NULL, *values = NULL, *vectors = NULL, norm = 0, total = 0;
    for (sow_index c = 0; c < s->contexts; c++) all += s->sketch[c].k;
    SOW_NEW(stack, all * d);
    SOW_NEW(gram, all * all);
    SOW_NEW(values, all);
    SOW_NEW(vectors, all * all);
    for (sow_index c = 0; c < s->contexts; c++)
        for (sow_index k = 0; k < s->sketch[c].k; k++, at++) {
            double square = 0;
            for (sow_index i = 0; i < s->n; i++) square += (double)s->sketch[c].scores[i * s->sketch[c].k + k] * (double)s->sketch[c].scores[i * s->sketch[c].k + k];
            for (sow_index j = 0; j < d; j++) stack[at * d + j] = sqrt(square) * s->sketch[c].directions[k * d + j];
        }
    if (all == 0) goto done; /* nothing varies */
    SOW_TRY(sow_gemm(sow_env_threads(env), 0, 1, all, all, d, 1, stack, d, stack, d, 0, gram, all, err));
    SOW_TRY(sow_eigh(all, gram, all, values, vectors, all, err));
    sow_gemv(1, all, d, 1, stack, d, &vectors[(all - 1) * all], 0, v);
    for (sow_index j = 0; j < d; j++) norm += v[j] * v[j];
    for (sow_index j = 0; j < d && norm > 0; j++) v[j] /= sqrt(norm);
    for (sow_index i = 0; i < s->n; i++) /* all variance, with what sketches leave out */
        for (sow_index j = 0; j <= d; j++) total += j < d ? (double)s->contexts * (double)s->mean[i * d + j] * (double)s->mean[i * d + j] : s->spread[i];
    s->first_share = total > 0 ? values[all - 1] / total : 0;
done:
    free(stack);
    free(gram);
    free(values);
    free(vectors);
    return st;
}

/* t [contexts, n] */
static void along(double *t, const sow_i_map_shape *s, const double *v)
{
    for (sow_index c = 0; c < s->contexts; c++)
        for (sow_index k = 0; k < s->sketch[c].k; k++) {
            const double slope = sow_dot(s->d, &s->sketch[c].directions[k * s->d], v);
            for (sow_index i = 0; i < s->n; i++) t[c * s->n + i] += slope * (double)s->sketch[c].scores[i * s->sketch[c].k + k];
        }
}

static sow_status specificities(sow_i_map_shape *s, const double *v, sow_error *err)
{
    sow_status st = SOW_OK;
    double *t = NULL;
    SOW_NEW(t, s->contexts * s->n);
    along(t, s, v);
    for (sow_index i = 0; i < s->n; i++) {
        double mean = 0, spread = 0;
        for (sow_index c = 0; c < s->contexts; c++) mean += t[c * s->n + i] / (double)s->contexts;
        for (sow_index c = 0; c < s->contexts; c++) spread += (t[c * s->n + i] - mean) * (t[c * s->n + i] - mean);
        const int defined = s->contexts > 1 && s->spread[i] > SMALLEST_SPREAD * (double)(s->contexts * s->d);
        s->specificity[i] = defined ? fmax(0, 1 - spread / s->spread[i]) : (double)NAN;
        s->magnitude[i] = s->size[i] / (double)(s->contexts * s->d);
    }
done:
    free(t);
    return st;
}

/* ---- classes ---- */

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Over those that are not alike and have a value. */
static sow_status median(double *out, const sow_i_map_shape *s, const double *value, sow_error *err)
{
    sow_status st = SOW_OK;
    double *list = NULL;
    sow_index n = 0;
    *out = NAN;
    SOW_NEW(list, s->n);
    for (sow_index i = 0; i < s->n; i++)
        if (!s->alike[i] && !isnan(value[i])) list[n++] = value[i];
    qsort(list, (size_t)n, sizeof *list, ascending);
    if (n > 0) *out = (list[(n - 1) / 2] + list[n / 2]) / 2;
done:
    free(list);
    return st;
}

const char *sow_i_map_class(const sow_i_map_shape *s, sow_index i)
{
    const int strong = s->magnitude[i] > s->median_magnitude, variable = s->specificity[i] > s->median_specificity;
    if (s->alike[i]) return "";
    if (isnan(s->specificity[i])) return strong ? "strong" : "weak";
    return strong ? (variable ? "strong variable" : "strong consistent") : variable ? "weak variable" : "weak consistent";
}

/* ---- clusters and picture ---- */

/* Mean profiles without their part along v, of those that are to be placed: node [nodes] names them, and rows move up in place. */
static sow_index profiles(sow_i_map_shape *s, sow_index *node, const double *v)
{
    sow_index nodes = 0;
    for (sow_index i = 0; i < s->n; i++) {
        double part = 0;
        if (s->alike[i]) continue;
        for (sow_index j = 0; j < s->d; j++) part += (double)s->mean[i * s->d + j] * v[j];
        for (sow_index j = 0; j < s->d; j++) s->mean[nodes * s->d + j] = (float)((double)s->mean[i * s->d + j] - part * v[j]);
        node[nodes++] = i;
    }
    return nodes;
}

typedef struct {
    sow_index cluster, size;
} counted;

static int larger_first(const void *a, const void *b)
{
    const counted *x = a, *y = b;
    if (x->size != y->size) return x->size > y->size ? -1 : 1;
    return (x->cluster > y->cluster) - (x->cluster < y->cluster);
}

/* 1 is the largest. */
static sow_status number_by_size(sow_i_map_shape *s, const sow_index *found, const sow_index *node, sow_index nodes, sow_error *err)
{
    sow_status st = SOW_OK;
    counted *list = NULL;
    sow_index *number = NULL;
    SOW_NEW(list, nodes);
    SOW_NEW(number, nodes);
    for (sow_index i = 0; i < nodes; i++) {
        list[i].cluster = i;
        list[found[i]].size++;
    }
    qsort(list, (size_t)nodes, sizeof *list, larger_first);
    for (sow_index k = 0; k < nodes && list[k].size > 0; k++) number[list[k].cluster] = ++s->n_clusters;
    for (sow_index i = 0; i < nodes; i++) s->cluster[node[i]] = number[found[i]];
done:
    free(list);
    free(number);
    return st;
}

static sow_status cluster(sow_i_map_shape *s, const sow_graph *g, const sow_index *node, uint64_t seed, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *found = NULL;
    if (!sow_graph_has_clusters()) return SOW_OK;
    SOW_NEW(found, g->n);
    SOW_TRY(sow_graph_clusters(found, g, RESOLUTION, seed, err));
    SOW_TRY(number_by_size(s, found, node, g->n, err));
done:
    free(found);
    return st;
}

static sow_status lay_out(sow_i_map_shape *s, const sow_graph *g, const sow_index *node, const double *z, sow_index k, uint64_t seed, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    double *xy = NULL;
    SOW_NEW(xy, 2 * g->n);
    for (sow_index i = 0; i < g->n; i++) {
        xy[2 * i] = z[i * k];
        xy[2 * i + 1] = k > 1 ? z[i * k + 1] : 0;
    }
    SOW_TRY(sow_graph_layout(xy, g, seed, env, err));
    for (sow_index i = 0; i < g->n; i++) memcpy(&s->xy[2 * node[i]], &xy[2 * i], 2 * sizeof *xy);
    s->has_layout = 1;
done:
    free(xy);
    return st;
}

static sow_status place(sow_i_map_shape *s, const double *v, uint64_t seed, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *node = NULL, k = 0;
    float *scores = NULL;
    double *z = NULL, *directions = NULL, squares[COMPONENTS];
    sow_graph graph = {0};
    SOW_NEW(node, s->n);
    for (sow_index i = 0; i < 2 * s->n; i++) s->xy[i] = NAN;
    const sow_index nodes = profiles(s, node, v);
    if (nodes < LEAST_NODES) goto done;
    SOW_NEW(scores, nodes * COMPONENTS);
    SOW_NEW(directions, COMPONENTS * s->d);
    SOW_TRY(sow_sketch(scores, directions, squares, &k, s->mean, nodes, s->d, COMPONENTS, seed, env, err));
    if (k == 0) goto done; /* all are in one place */
    SOW_NEW(z, nodes * k);
    for (sow_index i = 0; i < nodes * k; i++) z[i] = (double)scores[i];
    SOW_TRY(sow_graph_of_neighbours(&graph, z, nodes, k, NEIGHBOURS, env, err));
    SOW_TRY(cluster(s, &graph, node, seed, err));
    SOW_TRY(lay_out(s, &graph, node, z, k, seed, env, err));
done:
    free(node);
    free(scores);
    free(z);
    free(directions);
    sow_graph_clear(&graph);
    return st;
}

sow_status sow_i_map_shape_finish(sow_i_map_shape *s, uint64_t seed, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    double *v = NULL;
    SOW_NEW(v, s->d);
    for (sow_index i = 0; i < s->n; i++) s->n_alike += s->alike[i];
    for (sow_index i = 0; i < s->n && s->n_alike == 1; i++) s->alike[i] = 0; /* nobody is alike alone */
    s->n_alike = s->n_alike > 1 ? s->n_alike : 0;
    SOW_TRY(first_direction(v, s, env, err));
    SOW_TRY(specificities(s, v, err));
    SOW_TRY(median(&s->median_magnitude, s, s->magnitude, err));
    SOW_TRY(median(&s->median_specificity, s, s->specificity, err));
    SOW_TRY(place(s, v, seed, env, err));
done:
    free(v);
    return st;
}
