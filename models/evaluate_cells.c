/* Metrics of predicted cells over items, with intervals. */
#include "models/evaluate_cells.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/names.h"
#include "models/evaluate_cells_internal.h"
#include "models/evaluate_internal.h"

typedef struct {
    const sow_truth *t;
    const sow_cells_item *items;
    int distributions; /* MMD is asked for */
    double *value;     /* [n, SOW_I_N_CELL_METRICS] */
} scoring;

static sow_status check_item(const sow_truth *t, const sow_cells_item *p, sow_index i, sow_error *err)
{
    if (p->truth != t->item[i].truth || p->n != t->item[i].n)
        return SOW_ERROR(err, SOW_E_ARG, "evaluation of cells: item %lld is not the one whose truth was taken", (long long)i);
    if ((!p->predicted && !p->shift) || (p->predicted && p->m < 1))
        return SOW_ERROR(err, SOW_E_ARG, "evaluation of cells: item %lld has no predicted cells", (long long)i);
    return SOW_OK;
}

static sow_status check_predicted(const sow_truth *t, const sow_cells_item *p, sow_index i, sow_error *err)
{
    for (sow_index k = 0; p->predicted && p->source && k < p->m; k++)
        if (p->source[k] < 0 || p->source[k] >= t->n_control)
            return SOW_ERROR(err, SOW_E_ARG, "evaluation of cells: cell %lld of item %lld is said to be made from control %lld; there are %lld", (long long)k, (long long)i, (long long)p->source[k],
                             (long long)t->n_control);
    for (sow_index k = 0; k < (p->predicted ? p->m * t->d : t->d); k++)
        if (!(p->predicted ? isfinite(p->predicted[k]) : isfinite(p->shift[k])))
            return SOW_ERROR(err, SOW_E_NONFINITE, "evaluation of cells: the prediction of item %lld has a value in gene %lld (from 0) that is not finite", (long long)i,
                             (long long)(k % t->d));
    return SOW_OK;
}

static sow_status check_count(const sow_truth *t, sow_index n, sow_error *err)
{
    return n == t->n ? SOW_OK : SOW_ERROR(err, SOW_E_SHAPE, "evaluation of cells: %lld items, but the truth of %lld", (long long)n, (long long)t->n);
}

/* Mean of predicted cells less that of the controls they were made from. */
static void mean_change(double *change, const sow_truth *t, const sow_cells_item *p)
{
    memset(change, 0, (size_t)t->d * sizeof *change);
    for (sow_index i = 0; i < p->m; i++)
        for (sow_index j = 0; j < t->d; j++) change[j] += (double)p->predicted[i * t->d + j] - (double)t->control[p->source[i] * t->d + j];
    for (sow_index j = 0; j < t->d; j++) change[j] /= (double)p->m;
}

/* Mean [d] and change [d] of what is predicted. */
static void predicted_mean(double *mean, double *change, const sow_truth *t, const sow_cells_item *p)
{
    const int moved = !p->predicted || (p->source && t->options.mode == SOW_EVALUATE_DEFAULT);
    if (!p->predicted) memcpy(change, p->shift, (size_t)t->d * sizeof *change);
    else if (moved) mean_change(change, t, p);
    else sow_i_cell_mean(mean, p->predicted, p->m, t->d);
    for (sow_index j = 0; j < t->d; j++) {
        if (moved) mean[j] = t->control_mean[j] + change[j];
        else change[j] = mean[j] - t->control_mean[j];
    }
}

static sow_status score_item(void *user, sow_index i, sow_error *err)
{
    sow_status st = SOW_OK;
    const scoring *s = user;
    const sow_truth *t = s->t;
    double *mean = NULL, *change = NULL, *value = s->value + i * SOW_I_N_CELL_METRICS;
    SOW_TRY(check_item(t, &s->items[i], i, err));
    SOW_TRY(check_predicted(t, &s->items[i], i, err));
    SOW_NEW(mean, t->d);
    SOW_NEW(change, t->d);
    predicted_mean(mean, change, t, &s->items[i]);
    value[SOW_I_MMD_DE] = value[SOW_I_MMD_ALL] = NAN;
    sow_i_mean_metrics(value, t, &t->item[i], mean, change);
    if (s->distributions) SOW_TRY(sow_i_item_mmd(value, t, i, &s->items[i], err));
done:
    free(mean);
    free(change);
    return st;
}

static sow_status score_items(scoring *s, sow_index n, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_TRY(check_count(s->t, n, err));
    SOW_NEW(s->value, n * SOW_I_N_CELL_METRICS);
    SOW_TRY(sow_parallel_for(sow_env_threads(env), n, score_item, s, err));
done:
    return st;
}

sow_status sow_evaluate_cells(sow_metric *out, sow_index *n_out, const sow_truth *truth, const sow_cells_item *items, sow_index n, sow_rng *rng, const sow_env *env,
                              sow_error *err)
{
    sow_status st = SOW_OK;
    scoring s = {.t = truth, .items = items, .distributions = 1};
    double *one = NULL;
    *n_out = 0;
    SOW_TRY(score_items(&s, n, env, err));
    SOW_NEW(one, n);
    for (int k = 0; k < SOW_I_N_CELL_METRICS; k++) {
        sow_interval v;
        for (sow_index i = 0; i < n; i++) one[i] = s.value[i * SOW_I_N_CELL_METRICS + k];
        SOW_TRY(sow_i_mean_of_defined(&v, one, n, rng, err));
        out[(*n_out)++] = (sow_metric){sow_i_cell_metric[k], v.value, v.low, v.high};
    }
done:
    free(s.value);
    free(one);
    return st;
}

sow_status sow_evaluate_cells_each(double *value, const char *metric, const sow_truth *truth, const sow_cells_item *items, sow_index n, const sow_env *env,
                                   sow_error *err)
{
    sow_status st = SOW_OK;
    scoring s = {.t = truth, .items = items};
    int k = 0;
    while (k < SOW_I_N_CELL_METRICS && strcmp(sow_i_cell_metric[k], metric) != 0) k++;
    if (k == SOW_I_N_CELL_METRICS) {
        const char *near = sow_nearest_of(sow_i_cell_metric, SOW_I_N_CELL_METRICS, metric);
        SOW_FAIL(err, SOW_E_ARG, "there is no metric '%s' of cells; did you mean '%s'?", metric, near ? near : sow_i_cell_metric[0]);
    }
    s.distributions = k == SOW_I_MMD_DE || k == SOW_I_MMD_ALL;
    SOW_TRY(score_items(&s, n, env, err));
    for (sow_index i = 0; i < n; i++) value[i] = s.value[i * SOW_I_N_CELL_METRICS + k];
done:
    free(s.value);
    return st;
}

const char *const *sow_cell_metrics(sow_index *n)
{
    *n = SOW_I_N_CELL_METRICS;
    return sow_i_cell_metric;
}

sow_status sow_evaluate_cells_items(double *value, const sow_truth *truth, const sow_cells_item *items, sow_index n, const sow_env *env, sow_error *err)
{
    scoring s = {.t = truth, .items = items, .distributions = 1};
    sow_status st = score_items(&s, n, env, err);
    if (st == SOW_OK && n > 0) memcpy(value, s.value, (size_t)(n * SOW_I_N_CELL_METRICS) * sizeof *value);
    free(s.value);
    return st;
}

typedef struct {
    const sow_truth *t;
    const sow_cells_item *items; /* NULL: the measured cells */
    double *distance;
} measuring;

static sow_status distance_of_item(void *user, sow_index i, sow_error *err)
{
    const measuring *m = user;
    sow_status st = m->items ? check_predicted(m->t, &m->items[i], i, err) : SOW_OK;
    if (st != SOW_OK) return st;
    return sow_i_item_distance(&m->distance[i], m->t, i, m->items ? &m->items[i] : NULL, err);
}

sow_status sow_cells_distance(double *distance, const sow_truth *truth, const sow_cells_item *items, sow_index n, int predicted, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    measuring m = {truth, predicted ? items : NULL, distance};
    SOW_TRY(check_count(truth, n, err));
    for (sow_index i = 0; predicted && i < n; i++) SOW_TRY(check_item(truth, &items[i], i, err));
    SOW_TRY(sow_parallel_for(sow_env_threads(env), n, distance_of_item, &m, err));
done:
    return st;
}

sow_status sow_precision_at(double *out, const double *truth, const double *predicted, sow_index n, sow_index k, sow_error *err)
{
    sow_status st = SOW_OK;
    double *a = NULL, *b = NULL;
    sow_index *top_a = NULL, *top_b = NULL, used = 0, both = 0;
    *out = NAN;
    if (k < 1) SOW_FAIL(err, SOW_E_ARG, "precision at %lld; at least at 1", (long long)k);
    SOW_NEW(a, n);
    SOW_NEW(b, n);
    SOW_NEW(top_a, n);
    SOW_NEW(top_b, n);
    for (sow_index i = 0; i < n; i++) {
        if (isnan(truth[i]) || isnan(predicted[i])) continue;
        a[used] = truth[i];
        b[used++] = predicted[i];
    }
    if (used < 2 * k) goto done;
    SOW_TRY(sow_order_descending(top_a, a, NULL, used, err));
    SOW_TRY(sow_order_descending(top_b, b, NULL, used, err));
    for (sow_index i = 0; i < k; i++)
        for (sow_index j = 0; j < k; j++) both += top_a[i] == top_b[j];
    *out = (double)both / (double)k;
done:
    free(a);
    free(b);
    free(top_a);
    free(top_b);
    return st;
}
