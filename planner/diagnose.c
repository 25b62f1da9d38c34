/* How good a choice by predicted loss could have been: what the strategy expected of every candidate beside what the finished screen says. For plan.json, when `evaluation.losses` asks; nothing of it
 * enters a choice. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/stats.h"
#include "planner/cells_internal.h"
#include "planner/choice_internal.h"

/* The strategy's score of every candidate: it is asked for all of them, without rules. */
static sow_status score_everyone(double *score, const sow_i_choice *x, const sow_campaign *c, const sow_strategy *strategy, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_pick *picks = NULL;
    sow_pool_view view = x->view;
    const sow_strategy_options options = sow_i_strategy_options(c);
    view.feasible = NULL;
    view.take = NULL;
    view.rules = NULL;
    SOW_NEW(picks, x->n);
    SOW_TRY(sow_strategy_pick(picks, x->n, strategy, &view, &options, env, err));
    for (sow_index i = 0; i < x->n; i++)
        score[picks[i].candidate] = picks[i].score;
done:
    free(picks);
    return st;
}

static int descending(const void *a, const void *b)
{
    const double x = **(const double *const *)a, y = **(const double *const *)b;
    return (x < y) - (x > y);
}

/* marks [n] the `k` largest of value. */
static sow_status mark_top(unsigned char *marks, const double *value, sow_index n, sow_index k, sow_error *err)
{
    sow_status st = SOW_OK;
    const double **order = NULL;
    SOW_NEW(order, n);
    for (sow_index i = 0; i < n; i++)
        order[i] = &value[i];
    qsort(order, (size_t)n, sizeof *order, descending);
    memset(marks, 0, (size_t)n);
    for (sow_index i = 0; i < k && i < n; i++)
        marks[order[i] - value] = 1;
done:
    free(order);
    return st;
}

/* Among the k of highest true loss: the share that the strategy would take, and the share with fewer cells than the median candidate. */
static sow_status compare_tops(json_t *out, const double *score, const double *truth, const double *cells, sow_index n, sow_index k, sow_error *err)
{
    sow_status st = SOW_OK;
    unsigned char *chosen = NULL, *highest = NULL;
    double median = NAN;
    sow_index both = 0, few = 0;
    SOW_NEW(chosen, n);
    SOW_NEW(highest, n);
    SOW_TRY(mark_top(chosen, score, n, k, err));
    SOW_TRY(mark_top(highest, truth, n, k, err));
    SOW_TRY(sow_quantile(&median, cells, n, 0.5, err));
    for (sow_index i = 0; i < n; i++) {
        both += chosen[i] && highest[i];
        few += highest[i] && cells[i] < median;
    }
    json_object_set_new(out, "top_found", json_real((double)both / (double)k));
    json_object_set_new(out, "top_with_few_cells", json_real((double)few / (double)k));
done:
    free(chosen);
    free(highest);
    return st;
}

static sow_status put_correlation(json_t *out, const char *key, const double *x, const double *y, sow_index n, sow_error *err)
{
    double r = NAN;
    const sow_status st = sow_spearman(&r, x, y, n, err);
    if (st == SOW_OK) json_object_set_new(out, key, sow_i_real_or_null(r));
    return st;
}

sow_status sow_i_diagnose_losses(json_t **out, sow_i_choice *x, sow_campaign *c, const sow_strategy *strategy, sow_index batch, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    double *score = NULL, *truth = NULL, *cells = NULL;
    sow_index n = 0;
    *out = NULL;
    if (!c->config->evaluation.losses || !c->has_truth || !c->here->model || !(c->model_class->caps & SOW_CAP_LATENT) || !(strategy->needs & (SOW_NEED_LOSSES | SOW_NEED_TRUTH))) return SOW_OK;
    SOW_NEW(score, x->n);
    SOW_NEW(truth, x->n);
    SOW_NEW(cells, x->n);
    SOW_TRY(score_everyone(score, x, c, strategy, env, err));
    if (!x->true_loss) SOW_TRY(sow_i_view_true_loss(x, c, env, err));
    for (sow_index i = 0; i < x->n; i++) {
        if (!isfinite(score[i]) || !isfinite(x->true_loss[i])) continue;
        score[n] = score[i];
        truth[n] = x->true_loss[i];
        cells[n++] = (double)sow_cells_of(NULL, &c->cells->table, x->candidate[i] % c->n, sow_i_site_of_pair(c, x->candidate[i])->target);
    }
    if (n < 2) goto done;
    *out = json_object();
    json_object_set_new(*out, "candidates", json_integer((json_int_t)n));
    SOW_TRY(put_correlation(*out, "predicted_and_true", score, truth, n, err));
    SOW_TRY(put_correlation(*out, "true_and_cells", truth, cells, n, err));
    SOW_TRY(put_correlation(*out, "predicted_and_cells", score, cells, n, err));
    SOW_TRY(compare_tops(*out, score, truth, cells, n, batch < n ? batch : n, err));
done:
    if (st != SOW_OK) {
        json_decref(*out);
        *out = NULL;
    }
    free(score);
    free(truth);
    free(cells);
    return st;
}
