/* Herding: picks whose features are spread as the candidates' are (kernel herding, Chen, Welling & Smola 2010). The next pick i is the one of largest
 *
 *   mean over candidates k of K(x_i, x_k)  -  sum over picks and labelled s of K(x_i, x_s) / (1 + how many there are),
 *
 * which greedily lowers the maximum mean discrepancy between what is picked and all candidates: the typical come first, then what they do not stand for. K(x, y) = exp(-|x - y|^2 / w), w = 0.3 of the
 * median squared distance between two candidates (of at most 512, evenly through their names). Where k-means spends a pick on every far cluster, and core-set on every extreme, herding measures as
 * random does, with less luck in it. Candidates without features come last, at random. Cost n^2 dim once, n dim a pick. */
#include <math.h>
#include <stdlib.h>

#include "acquisition/strategy_internal.h"
#include "core/memory.h"
#include "core/stats.h"
#include "core/threads.h"

enum { TILE = 64, FOR_WIDTH = 512 };
static const double WIDTH = 0.3;

typedef struct {
    const sow_pool_view *view;
    double width;  /* w */
    sow_index n;   /* candidates with features */
    double *mean;  /* [view->n] mean kernel with these */
    double *taken; /* [view->n] sum of kernels with what is picked or labelled */
    double *score; /* [view->n] NaN without features */
} herd;

static int has_row(const unsigned char *has, sow_index i)
{
    return !has || has[i];
}

static double distance2(const double *a, const double *b, sow_index dim)
{
    double sum = 0;
    for (sow_index j = 0; j < dim; j++) sum += (a[j] - b[j]) * (a[j] - b[j]);
    return sum;
}

static double kernel(const herd *h, const double *a, const double *b)
{
    return exp(-distance2(a, b, h->view->dim) / h->width);
}

static sow_status find_width(herd *h, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_pool_view *v = h->view;
    const sow_index step = h->n > FOR_WIDTH ? h->n / FOR_WIDTH : 1;
    sow_index *row = NULL, rows = 0, pairs = 0, seen = 0;
    double *d2 = NULL;
    SOW_NEW(row, FOR_WIDTH);
    SOW_NEW(d2, FOR_WIDTH * (FOR_WIDTH - 1) / 2);
    for (sow_index i = 0; i < v->n && rows < FOR_WIDTH; i++)
        if (has_row(v->has, i) && seen++ % step == 0) row[rows++] = i;
    for (sow_index i = 0; i < rows; i++)
        for (sow_index k = 0; k < i; k++) d2[pairs++] = distance2(v->features + row[i] * v->dim, v->features + row[k] * v->dim, v->dim);
    SOW_TRY(sow_quantile(&h->width, d2, pairs, 0.5, err));
    h->width *= WIDTH;
    if (!(h->width > 0)) h->width = 1; /* all alike, or one alone: any width does */
done:
    free(row);
    free(d2);
    return st;
}

static sow_status mean_kernels(void *user, sow_index tile, sow_error *err)
{
    herd *h = user;
    const sow_pool_view *v = h->view;
    const sow_index first = tile * TILE, last = v->n - first < TILE ? v->n : first + TILE;
    (void)err;
    for (sow_index i = first; i < last; i++) {
        if (!has_row(v->has, i)) continue;
        for (sow_index k = 0; k < v->n; k++)
            if (has_row(v->has, k)) h->mean[i] += kernel(h, v->features + i * v->dim, v->features + k * v->dim);
        h->mean[i] /= (double)h->n;
    }
    return SOW_OK;
}

static void take_in(herd *h, const double *features)
{
    const sow_pool_view *v = h->view;
    for (sow_index i = 0; i < v->n; i++)
        if (has_row(v->has, i)) h->taken[i] += kernel(h, v->features + i * v->dim, features);
}

/* *n_before: what was measured before, which counts as picked. */
static sow_status start(herd *h, sow_index *n_before, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_pool_view *v = h->view;
    SOW_NEW(h->mean, v->n);
    SOW_NEW(h->taken, v->n);
    SOW_NEW(h->score, v->n);
    *n_before = 0;
    for (sow_index i = 0; i < v->n; i++) h->n += has_row(v->has, i);
    SOW_TRY(find_width(h, err));
    SOW_TRY(sow_parallel_for(sow_env_threads(env), (v->n + TILE - 1) / TILE, mean_kernels, h, err));
    for (sow_index l = 0; l < v->n_labelled && v->labelled_features; l++) {
        if (!has_row(v->labelled_has, l)) continue;
        take_in(h, v->labelled_features + l * v->dim);
        (*n_before)++;
    }
done:
    return st;
}

static sow_status pick_herding(sow_pick *picks, sow_index batch, const sow_pool_view *view, const sow_strategy_options *options, const sow_env *env, sow_error *err)
{
    (void)options;
    sow_status st = SOW_OK;
    herd h = {.view = view};
    sow_index picked = 0, before = 0;
    SOW_TRY(start(&h, &before, env, err));
    while (picked < batch) {
        for (sow_index i = 0; i < view->n; i++) h.score[i] = has_row(view->has, i) ? h.mean[i] - h.taken[i] / (double)(1 + before + picked) : NAN;
        const sow_index i = sow_i_best(view, h.score);
        if (i < 0) break;
        const double stands_for = h.mean[i] * (double)h.n;
        if (before + picked == 0) sow_i_take(&picks[picked], view, i, h.score[i], "stands for %.2g of the %lld candidates, more than any other", stands_for, (long long)h.n);
        else
            sow_i_take(&picks[picked], view, i, h.score[i], "stands for %.2g of the %lld candidates, and is stood for by %.2g of the %lld taken before it", stands_for, (long long)h.n, h.taken[i],
                       (long long)(before + picked));
        picked++;
        take_in(&h, view->features + i * view->dim);
    }
    SOW_TRY(sow_i_take_rest(picks, &picked, batch, view, err));
done:
    free(h.mean);
    free(h.taken);
    free(h.score);
    return st;
}

const sow_strategy sow_i_strategy_herding = {
    .name = "herding",
    .aliases = "",
    .summary = "the candidate that most evens out how what is picked and all candidates lie in prior space: the typical first, then what they do not stand for",
    .needs = SOW_NEED_PRIOR,
    .pick = pick_herding,
};
