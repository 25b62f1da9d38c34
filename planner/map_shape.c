/* The shape of a map: magnitude, specificity, classes, clusters, picture. docs/predict.md says what each is.
 *
 * Symbols: m_pcg change of gene g by perturbation p in context c; z_pcg = (m_pcg - mean_p) / sd_p, of every context and gene alone; v the first principal direction of all rows z_pc; t_pc = z_pc v;
 * over contexts, T_p = sum_c |z_pc - mean_c z_pc|^2 and R_p = sum_c (t_pc - mean_c t_pc)^2; specificity 1 - R_p / T_p. T is kept as a running sum. v is not
 * known before the last row is: a basis that comes near it is made while contexts go by, and all rows are looked at once more for their scores on that basis, within which v and t follow without error. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/linalg.h"
#include "core/memory.h"
#include "models/neighbours.h"
#include "planner/map.h"

enum { STRIP = 256 /* genes */, ROWS = 64, COMPONENTS = 50, NEIGHBOURS = 15, LEAST_NODES = 3 };
enum { LEAST_DIRECTIONS = 32, MOST_DIRECTIONS = 512, ALL_SCORES = 1 << 24 };
static const double RESOLUTION = 0.8, SMALLEST_SD = 1e-6 /* of the largest in the context */, SMALLEST_SPREAD = 1e-10 /* a gene and context */;

/* Of the basis: as many as memory allows, a number for each and every row. */
static sow_index directions_of(sow_index n, sow_index contexts)
{
    const sow_index k = ALL_SCORES / (n * contexts);
    return k < LEAST_DIRECTIONS ? LEAST_DIRECTIONS : k > MOST_DIRECTIONS ? MOST_DIRECTIONS : k;
}

sow_status sow_i_map_shape_make(sow_i_map_shape *s, sow_index n, sow_index d, sow_index most_contexts, const unsigned char *measured, sow_error *err)
{
    sow_status st = SOW_OK;
    *s = (sow_i_map_shape){.n = n, .d = d, .measured = measured};
    SOW_NEW(s->size, n);
    SOW_NEW(s->mean, n * d);
    SOW_NEW(s->spread, n);
    SOW_NEW(s->centre, most_contexts * d);
    SOW_NEW(s->sd, most_contexts * d);
    SOW_TRY(sow_running_sketch_init(&s->sketch, directions_of(n, most_contexts), d, 1, err));
    SOW_NEW(s->scores, most_contexts * n * s->sketch.l);
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
    sow_running_sketch_clear(&s->sketch);
    free(s->centre);
    free(s->sd);
    free(s->scores);
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

static double z_of(const standardising *w, float x, sow_index j)
{
    return w->sd[j] > 0 ? ((double)x - w->centre[j]) / w->sd[j] : 0;
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
            const double z = z_of(w, *at, j), before = z - (double)*mean;
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
    standardising w = {.s = s, .rows = rows, .centre = &s->centre[s->contexts * s->d], .sd = &s->sd[s->contexts * s->d]};
    compare_alike(s, rows);
    SOW_TRY(standardise(&w, env, err));
    SOW_TRY(sow_running_sketch_add(&s->sketch, rows, s->n, env, err));
    s->contexts++;
done:
    return st;
}

static sow_status take_again(void *user, sow_index block, sow_error *err)
{
    const standardising *w = user;
    const sow_index d = w->s->d, from = block * ROWS, to = from + ROWS < w->s->n ? from + ROWS : w->s->n;
    (void)err;
    for (sow_index i = from; i < to; i++)
        for (sow_index j = 0; j < d; j++) w->rows[i * d + j] = (float)z_of(w, w->rows[i * d + j], j);
    return SOW_OK;
}

sow_status sow_i_map_shape_again(sow_i_map_shape *s, sow_index context, float *rows, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    standardising w = {.s = s, .rows = rows, .centre = &s->centre[context * s->d], .sd = &s->sd[context * s->d]};
    SOW_TRY(sow_parallel_for(sow_env_threads(env), (s->n + ROWS - 1) / ROWS, take_again, &w, err));
    SOW_TRY(sow_running_sketch_scores(&s->scores[context * s->n * s->sketch.l], &s->sketch, rows, s->n, env, err));
    s->seen++;
done:
    return st;
}

/* ---- the first direction of all rows ---- */

enum { GRAM_ROWS = 4096 };

/* scores^T scores [l, l] over all rows; the scores are cut into blocks, which are summed up in double precision. */
static sow_status gram_of_scores(double *gram, const sow_i_map_shape *s, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index l = s->sketch.l, rows = s->seen * s->n;
    double *block = NULL;
    SOW_NEW(block, (rows < GRAM_ROWS ? rows : GRAM_ROWS) * l);
    for (sow_index first = 0; first < rows; first += GRAM_ROWS) {
        const sow_index n = rows - first < GRAM_ROWS ? rows - first : GRAM_ROWS;
        for (sow_index k = 0; k < n * l; k++) block[k] = (double)s->scores[first * l + k];
        SOW_TRY(sow_gemm(sow_env_threads(env), 1, 0, l, l, n, 1, block, l, block, l, 1, gram, l, err));
    }
done:
    free(block);
    return st;
}

/* The basis' directions turned to where the scores vary most: v [d], and its coefficients [l] in the basis. */
static sow_status first_direction(double *v, double *coefficient, sow_i_map_shape *s, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index l = s->sketch.l;
    double *gram = NULL, *values = NULL, *vectors = NULL, total = 0;
    SOW_NEW(gram, l * l);
    SOW_NEW(values, l);
    SOW_NEW(vectors, l * l);
    SOW_TRY(gram_of_scores(gram, s, env, err));
    SOW_TRY(sow_eigh(l, gram, l, values, vectors, l, err));
    memcpy(coefficient, &vectors[(l - 1) * l], (size_t)l * sizeof *coefficient);
    sow_gemv(1, l, s->d, 1, s->sketch.basis, s->d, coefficient, 0, v);
    for (sow_index i = 0; i < s->n; i++) total += s->spread[i];
    for (sow_index k = 0; k < s->n * s->d; k++) total += (double)s->contexts * (double)s->mean[k] * (double)s->mean[k];
    s->first_share = total > 0 ? values[l - 1] / total : 0;
done:
    free(gram);
    free(values);
    free(vectors);
    return st;
}

static double score_of(const sow_i_map_shape *s, const double *coefficient, sow_index context, sow_index i)
{
    const float *scores = &s->scores[(context * s->n + i) * s->sketch.l];
    double t = 0;
    for (sow_index k = 0; k < s->sketch.l; k++) t += coefficient[k] * (double)scores[k];
    return t;
}

static sow_status specificities(sow_i_map_shape *s, const double *coefficient, sow_error *err)
{
    sow_status st = SOW_OK;
    double *t = NULL;
    SOW_NEW(t, s->contexts);
    for (sow_index i = 0; i < s->n; i++) {
        double mean = 0, spread = 0;
        for (sow_index c = 0; c < s->contexts; c++) mean += (t[c] = score_of(s, coefficient, c, i)) / (double)s->contexts;
        for (sow_index c = 0; c < s->contexts; c++) spread += (t[c] - mean) * (t[c] - mean);
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
    double *v = NULL, *coefficient = NULL;
    SOW_NEW(v, s->d);
    SOW_NEW(coefficient, s->sketch.l);
    for (sow_index i = 0; i < s->n; i++) s->n_alike += s->alike[i];
    for (sow_index i = 0; i < s->n && s->n_alike == 1; i++) s->alike[i] = 0; /* nobody is alike alone */
    s->n_alike = s->n_alike > 1 ? s->n_alike : 0;
    SOW_TRY(first_direction(v, coefficient, s, env, err));
    SOW_TRY(specificities(s, coefficient, err));
    SOW_TRY(median(&s->median_magnitude, s, s->magnitude, err));
    SOW_TRY(median(&s->median_specificity, s, s->specificity, err));
    SOW_TRY(place(s, v, seed, env, err));
done:
    free(v);
    free(coefficient);
    return st;
}
