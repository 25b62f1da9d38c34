/* Squared MMD of many pairs of float samples: |a - b|^2 = |a|^2 + |b|^2 - 2 a.b with the products of all cells of a pair from one single-precision Gram
 * matrix (core/linalg.h), kernels and sums in double (core/mmd.c).
 *
 * Single precision is enough because both samples are first moved to their common mean: distances do not change, and what cancels is then of the size of
 * the distances themselves, not of the expression level. Genes are worked in blocks, centred into a buffer that stays in the cache. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/linalg.h"
#include "core/memory.h"
#include "core/mmd_internal.h"

enum { BLOCK = 512 };

typedef struct {
    double *out;
    const sow_mmd_pair *pairs;
    sow_index d;
    const sow_mmd_options *options;
    sow_threads *threads;
} batch;

static const float *row_of(const sow_mmd_pair *p, sow_index i, sow_index d)
{
    return i < p->n ? p->x + i * d : p->y + (i - p->n) * d;
}

/* `width` genes from `first` of both samples, less their mean, into centred [n + m, width]. By way of differences from the first cell, which are exactly 0
 * where all cells are the same. */
static void centre_block(float *centred, const sow_mmd_pair *p, sow_index d, sow_index first, sow_index width)
{
    const sow_index total = p->n + p->m;
    const float *origin = p->x + first;
    float mean[BLOCK] = {0};
    for (sow_index i = 0; i < total; i++) {
        const float *row = row_of(p, i, d) + first;
        float *to = centred + i * width;
        for (sow_index j = 0; j < width; j++) {
            to[j] = row[j] - origin[j];
            mean[j] += to[j];
        }
    }
    for (sow_index j = 0; j < width; j++) mean[j] /= (float)total;
    for (sow_index i = 0; i < total; i++)
        for (sow_index j = 0; j < width; j++) centred[i * width + j] -= mean[j];
}

static sow_status gram_of(float *gram, float *centred, const batch *w, const sow_mmd_pair *p, sow_error *err)
{
    const sow_index total = p->n + p->m;
    sow_status st = SOW_OK;
    for (sow_index first = 0; first < w->d; first += BLOCK) {
        const sow_index width = w->d - first < BLOCK ? w->d - first : BLOCK;
        centre_block(centred, p, w->d, first, width);
        SOW_TRY(sow_gram_f32(w->threads, total, width, centred, width, first ? 1 : 0, gram, total, err));
    }
done:
    return st;
}

/* Rounding may leave a distance of equal cells a little below 0. Only the lower triangle is read. */
static double squared_distance(const float *gram, sow_index total, sow_index i, sow_index j)
{
    const double d2 = (double)gram[i * total + i] + (double)gram[j * total + j] - 2 * (double)gram[i * total + j];
    return d2 > 0 || isnan(d2) ? d2 : 0;
}

static double bandwidth_of(const float *gram, sow_index total)
{
    double sum = 0;
    for (sow_index i = 1; i < total; i++)
        for (sow_index j = 0; j < i; j++) sum += squared_distance(gram, total, i, j);
    return 2 * sum / ((double)total * (double)(total - 1));
}

/* row [n + m]: room for the distances of one cell. */
static double mmd_of_gram(const float *gram, sow_index n, sow_index m, double *row, const sow_mmd_options *o)
{
    const sow_index total = n + m;
    const double sigma = sow_i_mmd_from_data(o) ? bandwidth_of(gram, total) : o->sigma, widest = sow_i_mmd_widest(sigma, o->kernels);
    double xx = 0, yy = 0, xy = 0;
    if (sigma == 0) return 0;
    for (sow_index i = 0; i < total; i++) {
        const sow_index first = i < n ? 0 : n; /* of its own sample; the rows before it are the other's */
        for (sow_index j = 0; j < i; j++) row[j] = squared_distance(gram, total, i, j);
        *(i < n ? &xx : &yy) += 2 * sow_i_mmd_kernel_sum(row + first, i - first, widest, o->kernels) + o->kernels;
        xy += sow_i_mmd_kernel_sum(row, first, widest, o->kernels);
    }
    return sow_i_mmd_of_sums(xx, yy, xy, n, m, o->kernels, o->unbiased);
}

static sow_status pair_task(void *user, sow_index at, sow_error *err)
{
    const batch *w = user;
    const sow_mmd_pair *p = &w->pairs[at];
    float *gram = NULL, *centred = NULL;
    double *row = NULL;
    const sow_index total = p->n + p->m;
    sow_status st = SOW_OK;
    SOW_NEW(gram, total * total);
    SOW_NEW(row, total);
    SOW_NEW(centred, total * (w->d < BLOCK ? w->d : BLOCK));
    SOW_TRY(gram_of(gram, centred, w, p, err));
    const double value = mmd_of_gram(gram, p->n, p->m, row, w->options);
    if (!isfinite(value))
        SOW_FAIL(err, SOW_E_NONFINITE, "MMD of pair %lld: a value is not a finite number, or too large for single precision", (long long)at);
    w->out[at] = value;
done:
    free(gram);
    free(centred);
    free(row);
    return st;
}

sow_status sow_mmd_many(double *out, const sow_mmd_pair *pairs, sow_index n_pairs, sow_index d, const sow_mmd_options *options, const sow_env *env,
                        sow_error *err)
{
    const sow_mmd_options defaults = SOW_MMD_INIT;
    batch w = {out, pairs, d, options ? options : &defaults, sow_env_threads(env)};
    sow_status st = SOW_OK;
    if (n_pairs < 0) SOW_FAIL(err, SOW_E_ARG, "MMD of %lld pairs", (long long)n_pairs);
    for (sow_index i = 0; i < n_pairs; i++) {
        out[i] = NAN;
        SOW_TRY(sow_i_mmd_check(pairs[i].n, pairs[i].m, d, w.options, err));
    }
    SOW_TRY(sow_parallel_for(w.threads, n_pairs, pair_task, &w, err));
done:
    return st;
}
