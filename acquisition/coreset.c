/* Core-set: the candidate farthest from everything measured or picked, again and again (k-center greedy, Sener & Savarese 2018).
 * With nothing measured the first is the one of largest norm. Candidates without a prior row come last, at random. */
#include <math.h>
#include <stdlib.h>

#include "acquisition/strategy_internal.h"
#include "core/linalg.h"
#include "core/memory.h"

enum { TILE = 256, LABELLED_CHUNK = 256 };

typedef struct {
    const sow_pool_view *view;
    double *norm2, *near2;  /* [n] squared norm; squared distance to the nearest centre */
    double *labelled_norm2; /* [n_labelled] */
    sow_index fresh;        /* the pick just made, a new centre */
} centres;

static int has_row(const unsigned char *has, sow_index i)
{
    return !has || has[i];
}

/* Distances of one tile of candidates to all labelled, |x|^2 + |l|^2 - 2 x.l by products. */
static sow_status near_labelled(void *user, sow_index tile, sow_error *err)
{
    sow_status st = SOW_OK;
    centres *c = user;
    const sow_pool_view *v = c->view;
    const sow_index first = tile * TILE, rows = v->n - first < TILE ? v->n - first : TILE;
    double *product = NULL;
    SOW_NEW(product, rows * LABELLED_CHUNK);
    for (sow_index from = 0; from < v->n_labelled; from += LABELLED_CHUNK) {
        const sow_index count = v->n_labelled - from < LABELLED_CHUNK ? v->n_labelled - from : LABELLED_CHUNK;
        SOW_TRY(sow_gemm(NULL, 0, 1, rows, count, v->dim, 1.0, v->features + first * v->dim, v->dim,
                         v->labelled_features + from * v->dim, v->dim, 0.0, product, count, err));
        for (sow_index r = 0; r < rows; r++)
            for (sow_index l = 0; l < count; l++) {
                if (!has_row(v->labelled_has, from + l)) continue;
                const double d2 = c->norm2[first + r] + c->labelled_norm2[from + l] - 2 * product[r * count + l];
                if (d2 < c->near2[first + r]) c->near2[first + r] = d2 > 0 ? d2 : 0;
            }
    }
done:
    free(product);
    return st;
}

static sow_status near_fresh(void *user, sow_index tile, sow_error *err)
{
    (void)err;
    centres *c = user;
    const sow_pool_view *v = c->view;
    const sow_index first = tile * TILE, last = v->n - first < TILE ? v->n : first + TILE;
    const double *centre = v->features + c->fresh * v->dim;
    for (sow_index i = first; i < last; i++) {
        const double d2 = c->norm2[i] + c->norm2[c->fresh] - 2 * sow_dot(v->dim, v->features + i * v->dim, centre);
        if (d2 < c->near2[i]) c->near2[i] = d2 > 0 ? d2 : 0;
    }
    return SOW_OK;
}

/* near2 against what is labelled; INFINITY where nothing is, NaN (never the best) without a prior row. Returns how many centres
 * there are. */
static sow_status start_centres(centres *c, sow_index *n_centres, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_pool_view *v = c->view;
    *n_centres = 0;
    SOW_NEW(c->norm2, v->n);
    SOW_NEW(c->near2, v->n);
    SOW_NEW(c->labelled_norm2, v->n_labelled);
    for (sow_index i = 0; i < v->n; i++) {
        c->norm2[i] = sow_dot(v->dim, v->features + i * v->dim, v->features + i * v->dim);
        c->near2[i] = has_row(v->has, i) ? INFINITY : NAN;
    }
    for (sow_index l = 0; l < v->n_labelled && v->labelled_features; l++) {
        c->labelled_norm2[l] = sow_dot(v->dim, v->labelled_features + l * v->dim, v->labelled_features + l * v->dim);
        *n_centres += has_row(v->labelled_has, l);
    }
    if (*n_centres > 0) SOW_TRY(sow_parallel_for(sow_env_threads(env), (v->n + TILE - 1) / TILE, near_labelled, c, err));
done:
    return st;
}

/* The first centre of all: largest norm among those with a prior row. */
static sow_index first_centre(const centres *c, double *norm)
{
    const sow_pool_view *v = c->view;
    for (sow_index i = 0; i < v->n; i++)
        norm[i] = isnan(c->near2[i]) ? NAN : c->norm2[i];
    return sow_i_best(v, norm);
}

static sow_status pick_farthest(sow_pick *picks, sow_index *picked, sow_index batch, centres *c, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_pool_view *v = c->view;
    sow_index n_centres = 0;
    double *norm = NULL;
    SOW_TRY(start_centres(c, &n_centres, env, err));
    SOW_NEW(norm, v->n);
    while (*picked < batch) {
        const int alone = n_centres == 0;
        const sow_index i = alone ? first_centre(c, norm) : sow_i_best(v, c->near2);
        if (i < 0) break;
        if (alone)
            sow_i_take(&picks[(*picked)++], v, i, c->norm2[i], "nothing measured yet: the farthest from the origin, at %.3g",
                       sqrt(c->norm2[i]));
        else
            sow_i_take(&picks[(*picked)++], v, i, c->near2[i],
                       "distance %.3g to the nearest of %lld measured or picked, the largest left", sqrt(c->near2[i]),
                       (long long)n_centres);
        n_centres++;
        c->fresh = i;
        SOW_TRY(sow_parallel_for(sow_env_threads(env), (v->n + TILE - 1) / TILE, near_fresh, c, err));
    }
done:
    free(norm);
    return st;
}

static sow_status pick_core_set(sow_pick *picks, sow_index batch, const sow_pool_view *view, const sow_strategy_options *options,
                                const sow_env *env, sow_error *err)
{
    (void)options;
    sow_status st = SOW_OK;
    centres c = {.view = view};
    sow_index picked = 0;
    SOW_TRY(pick_farthest(picks, &picked, batch, &c, env, err));
    SOW_TRY(sow_i_take_rest(picks, &picked, batch, view, err));
done:
    free(c.norm2);
    free(c.near2);
    free(c.labelled_norm2);
    return st;
}

const sow_strategy sow_i_strategy_core_set = {
    .name = "core-set",
    .aliases = "coreset,k-center,kcenter,max-dist",
    .summary = "the candidate farthest in prior space from everything measured or picked, again and again",
    .needs = SOW_NEED_PRIOR,
    .pick = pick_core_set,
};
