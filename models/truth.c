/* What the evaluation of cells needs of the measured side, made once for all models. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/linalg.h"
#include "core/memory.h"
#include "models/evaluate_cells_internal.h"

void sow_i_cell_mean(double *mean, const float *x, sow_index n, sow_index d)
{
    for (sow_index j = 0; j < d; j++) mean[j] = 0;
    for (sow_index i = 0; i < n; i++)
        for (sow_index j = 0; j < d; j++) mean[j] += (double)x[i * d + j];
    for (sow_index j = 0; j < d; j++) mean[j] /= (double)n;
}

void sow_i_cell_variance(double *variance, const float *x, sow_index n, sow_index d, const double *mean)
{
    for (sow_index j = 0; j < d; j++) variance[j] = 0;
    for (sow_index i = 0; i < n; i++)
        for (sow_index j = 0; j < d; j++) {
            double e = (double)x[i * d + j] - mean[j];
            variance[j] += e * e;
        }
    for (sow_index j = 0; j < d; j++) variance[j] = n > 1 ? variance[j] / (double)(n - 1) : 0;
}

sow_rng sow_i_metric_rng(const sow_evaluate_cells_options *o, sow_index item, int which)
{
    return sow_rng_make(o->seed, SOW_RNG_METRIC, (uint32_t)o->round, UINT32_C(0x80000000) | ((uint32_t)item * SOW_I_N_DRAWS + (uint32_t)which));
}

sow_status sow_i_draw_rows(sow_index **rows, sow_index *n_rows, sow_index n, const sow_evaluate_cells_options *o, sow_index item, int which, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_rng rng = sow_i_metric_rng(o, item, which);
    sow_index *out = NULL, needed = SOW_I_MOST_CELLS;
    *rows = NULL;
    *n_rows = n < SOW_I_MOST_CELLS ? n : SOW_I_MOST_CELLS;
    if (n <= SOW_I_MOST_CELLS) return SOW_OK;
    SOW_NEW(out, SOW_I_MOST_CELLS);
    for (sow_index i = 0, at = 0; needed > 0; i++) /* each with the chance that leaves every subset equally likely */
        if (sow_rng_below(&rng, n - i) < needed) {
            out[at++] = i;
            needed--;
        }
    *rows = out;
done:
    return st;
}

void sow_truth_destroy(sow_truth *t)
{
    if (!t) return;
    for (sow_index i = 0; t->item && i < t->n; i++) {
        sow_i_truth_item *item = &t->item[i];
        free(item->own);
        free(item->mean);
        free(item->change);
        free(item->kept);
        free(item->de);
        free(item->row);
        free(item->across);
    }
    free(t->item);
    free(t->control_mean);
    free(t->control_variance);
    free(t->near_row);
    free(t->near);
    free(t->near_gram);
    free(t);
}

const sow_index *sow_truth_de(const sow_truth *t, sow_index item)
{
    return t->item[item].de;
}

sow_index sow_truth_controls(const sow_index **row, const sow_truth *t)
{
    *row = t->near_row;
    return t->n_near;
}

/* ---- means ---- */

static sow_status check_mean(const double *mean, sow_index d, const char *what, sow_index which, sow_error *err)
{
    for (sow_index j = 0; j < d; j++) /* a sum of finite floats is finite */
        if (!isfinite(mean[j]))
            return SOW_ERROR(err, SOW_E_NONFINITE, "evaluation of cells: %s %lld has a value in gene %lld (from 0) that is not finite", what, (long long)which, (long long)j);
    return SOW_OK;
}

typedef struct {
    sow_truth *t;
    const sow_cells_item *items;
    const double *welch, *wilcoxon; /* [n, d] */
} making;

static int is_own(const sow_i_truth_item *item, sow_index gene)
{
    for (sow_index k = 0; k < item->n_own; k++)
        if (item->own[k] == gene) return 1;
    return 0;
}

/* Own genes, each once. */
static sow_status take_own(sow_i_truth_item *item, const sow_cells_item *from, sow_index which, sow_index d, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(item->own, from->n_own);
    for (sow_index k = 0; k < from->n_own; k++) {
        if (from->own[k] < 0 || from->own[k] >= d)
            SOW_FAIL(err, SOW_E_ARG, "evaluation of cells: item %lld says that gene %lld is its own; there are %lld", (long long)which, (long long)from->own[k], (long long)d);
        if (!is_own(item, from->own[k])) item->own[item->n_own++] = from->own[k];
    }
    SOW_NEW(item->kept, d);
    for (sow_index j = 0; j < d; j++)
        if (!is_own(item, j)) item->kept[item->n_kept++] = j;
done:
    return st;
}

static sow_status take_means(void *user, sow_index i, sow_error *err)
{
    sow_status st = SOW_OK;
    making *w = user;
    const sow_cells_item *from = &w->items[i];
    sow_i_truth_item *item = &w->t->item[i];
    sow_index d = w->t->d;
    if (from->n < 1 || !from->truth) SOW_FAIL(err, SOW_E_ARG, "evaluation of cells: item %lld has no measured cells", (long long)i);
    item->truth = from->truth;
    item->n = from->n;
    SOW_TRY(take_own(item, from, i, d, err));
    SOW_NEW(item->mean, d);
    SOW_NEW(item->change, d);
    sow_i_cell_mean(item->mean, from->truth, from->n, d);
    SOW_TRY(check_mean(item->mean, d, "item", i, err));
    for (sow_index j = 0; j < d; j++) item->change[j] = item->mean[j] - w->t->control_mean[j];
    item->n_most = sow_i_most_changed(item->most, item->change, (sow_i_genes){item->kept, item->n_kept});
done:
    return st;
}

static sow_status take_controls(sow_truth *t, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(t->control_mean, t->d);
    sow_i_cell_mean(t->control_mean, t->control, t->n_control, t->d);
    SOW_TRY(check_mean(t->control_mean, t->d, "the sample of controls, item", 0, err));
    SOW_NEW(t->control_variance, t->d);
    sow_i_cell_variance(t->control_variance, t->control, t->n_control, t->d, t->control_mean);
done:
    return st;
}

/* ---- differential expression ---- */

enum { MOST_COPIED = 1 << 26 }; /* values copied at a time where the items do not lie one behind the other */

/* Items first .. as many as lie one behind the other. */
static sow_index contiguous(const sow_truth *t, sow_index first)
{
    sow_index i = first + 1;
    while (i < t->n && t->item[i].truth == t->item[i - 1].truth + t->item[i - 1].n * t->d) i++;
    return i;
}

/* Items first .. as many as may be copied together: at least one. */
static sow_index copied(const sow_truth *t, sow_index first)
{
    sow_index i = first, values = 0;
    while (i < t->n && (i == first || values + t->item[i].n * t->d <= MOST_COPIED)) values += t->item[i++].n * t->d;
    return i;
}

static sow_status score_run(double *score, sow_de_method method, const sow_truth *t, const float *x, sow_index first, sow_index last, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *start = NULL;
    SOW_NEW(start, last - first + 1);
    for (sow_index i = first; i < last; i++) start[i - first + 1] = start[i - first] + t->item[i].n;
    SOW_TRY(sow_de(score + first * t->d, NULL, method, x, start, last - first, t->control, t->n_control, t->d, env, err));
done:
    free(start);
    return st;
}

static sow_status scores(double **out, sow_de_method method, const sow_truth *t, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    float *x = NULL;
    SOW_NEW(*out, t->n * t->d);
    if (t->n > 0 && contiguous(t, 0) == t->n) {
        SOW_TRY(score_run(*out, method, t, t->item[0].truth, 0, t->n, env, err));
        goto done;
    }
    for (sow_index first = 0, last; first < t->n; first = last) {
        sow_index rows = 0;
        last = copied(t, first);
        for (sow_index i = first; i < last; i++) rows += t->item[i].n;
        free(x);
        SOW_NEW(x, rows * t->d);
        for (sow_index i = first, at = 0; i < last; at += t->item[i++].n)
            memcpy(x + at * t->d, t->item[i].truth, (size_t)(t->item[i].n * t->d) * sizeof *x);
        SOW_TRY(score_run(*out, method, t, x, first, last, env, err));
    }
done:
    free(x);
    return st;
}

/* The best `k` genes by score into top [k]; how many. Less than two cells on a side tell nothing, and by default neither does a score of 0. */
static sow_index best(sow_index *top, sow_index k, const sow_truth *t, const sow_i_truth_item *item, const double *score, sow_status *st, sow_error *err)
{
    sow_index n = 0;
    int reference = t->options.mode == SOW_EVALUATE_REFERENCE;
    *st = sow_de_top(top, k, reference ? SOW_DE_RANK_REFERENCE : SOW_DE_RANK, score, item->truth, item->n, t->control, t->n_control, t->d, item->own, item->n_own, err);
    if (*st != SOW_OK) return 0;
    if (item->n >= 2 && t->n_control >= 2)
        while (n < k && top[n] >= 0 && (reference || score[top[n]] != 0)) n++;
    for (sow_index i = n; i < k; i++) top[i] = -1;
    return n;
}

static sow_status take_genes_and_distances(void *user, sow_index i, sow_error *err)
{
    sow_status st = SOW_OK;
    making *w = user;
    sow_truth *t = w->t;
    sow_i_truth_item *item = &t->item[i];
    SOW_NEW(item->de, t->options.n_de);
    item->n_de = best(item->de, t->options.n_de, t, item, (w->welch ? w->welch : w->wilcoxon) + i * t->d, &st, err);
    SOW_TRY(st);
    item->n_wilcoxon = best(item->wilcoxon, SOW_I_TOP, t, item, w->wilcoxon + i * t->d, &st, err);
    SOW_TRY(st);
    if (t->options.mode == SOW_EVALUATE_REFERENCE) goto done;
    SOW_TRY(sow_i_draw_rows(&item->row, &item->n_row, item->n, &t->options, i, SOW_I_DRAW_TRUE, err));
    SOW_TRY(sow_i_prepare_mmd(item, t, err));
done:
    return st;
}

/* A sample of the controls, moved to their mean, and its products. */
static sow_status take_near(sow_truth *t, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_TRY(sow_i_draw_rows(&t->near_row, &t->n_near, t->n_control, &t->options, 0, SOW_I_DRAW_CONTROL, err));
    sow_i_sample sample = {t->control, t->d, t->near_row, t->n_near, NULL};
    SOW_NEW(t->near, t->n_near * t->d);
    sow_i_gather(t->near, &sample, NULL, NULL, t->control_mean);
    SOW_NEW(t->near_gram, t->n_near * t->n_near);
    SOW_TRY(sow_gram_f32(sow_env_threads(env), t->n_near, t->d, t->near, t->d, 0, t->near_gram, t->n_near, err));
done:
    return st;
}

static sow_status check_options(const sow_evaluate_cells_options *o, sow_index n, sow_index d, sow_index n_control, const float *control, sow_error *err)
{
    if (n < 0 || n >= (1 << 28) || d < 1) return SOW_ERROR(err, SOW_E_ARG, "evaluation of cells: %lld items of %lld genes", (long long)n, (long long)d);
    if (n_control < 1 || !control) return SOW_ERROR(err, SOW_E_ARG, "evaluation of cells: there are no control cells");
    if (o->n_de < 1) return SOW_ERROR(err, SOW_E_ARG, "evaluation of cells: %lld differentially expressed genes; at least 1", (long long)o->n_de);
    if (o->mode != SOW_EVALUATE_DEFAULT && o->mode != SOW_EVALUATE_REFERENCE)
        return SOW_ERROR(err, SOW_E_ARG, "evaluation of cells: there is no mode %d", (int)o->mode);
    return SOW_OK;
}

sow_status sow_truth_create(sow_truth **out, const sow_cells_item *items, sow_index n, sow_index d, const float *control, sow_index n_control, const double *centre,
                            const sow_evaluate_cells_options *options, const sow_env *env, sow_error *err)
{
    static const sow_evaluate_cells_options defaults = {SOW_EVALUATE_DEFAULT, 50, 1, 0};
    sow_status st = SOW_OK;
    sow_truth *t = NULL;
    double *welch = NULL, *wilcoxon = NULL;
    *out = NULL;
    if (!options) options = &defaults;
    SOW_TRY(check_options(options, n, d, n_control, control, err));
    int reference = options->mode == SOW_EVALUATE_REFERENCE;
    SOW_NEW(t, 1);
    *t = (sow_truth){.options = *options, .n = n, .d = d, .n_control = n_control, .control = control, .centre = centre};
    SOW_NEW(t->item, n);
    making w = {.t = t, .items = items};
    SOW_TRY(take_controls(t, err));
    SOW_TRY(sow_parallel_for(sow_env_threads(env), n, take_means, &w, err));
    SOW_TRY(scores(&wilcoxon, reference ? SOW_DE_WILCOXON : SOW_DE_WILCOXON_TIES, t, env, err));
    if (reference) SOW_TRY(scores(&welch, SOW_DE_WELCH, t, env, err));
    else SOW_TRY(take_near(t, env, err));
    w.welch = welch;
    w.wilcoxon = wilcoxon;
    SOW_TRY(sow_parallel_for(sow_env_threads(env), n, take_genes_and_distances, &w, err));
    *out = t;
    t = NULL;
done:
    free(welch);
    free(wilcoxon);
    sow_truth_destroy(t);
    return st;
}
