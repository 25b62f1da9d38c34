/* How well a round knows what it measured (`evaluation.measured`), beside what the finished screen or the simulator says: measured values, what the model makes of them, and calls of hits. Held-out
 * perturbations judge what is learned for others; this judges what cells buy where they are spent. Cells: the truth is the mean response of all of a perturbation's cells against all controls, which
 * hold those that were measured. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "planner/cells_internal.h"

typedef struct {
    double squares, count;     /* of differences from the truth, over items and features */
    double right, lost, calls; /* of hits */
} tally;

static sow_status truth_of_cells(double *truth, const sow_campaign *c, const sow_i_training *t, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index *control = c->cells->judge, *list = NULL;
    const sow_index n_control = control ? c->cells->n_judges : sow_cells_of(&control, &c->cells->table, SOW_CONTROL, c->here->target);
    for (sow_index i = 0; i < t->n_target; i++) {
        const sow_index n = sow_cells_of(&list, &c->cells->table, t->perturbation[i], c->here->target);
        SOW_TRY(sow_i_response(&truth[t->perturbation[i] * c->d], c, list, n, control, n_control, err));
    }
done:
    return st;
}

static double squared_distance(const double *a, const double *b, sow_index d)
{
    double sum = 0;
    for (sow_index j = 0; j < d; j++)
        sum += (a[j] - b[j]) * (a[j] - b[j]);
    return sum;
}

/* Where the true hits of the pool begin: between the weakest of them and the strongest other. NaN where hits are no matter of this value. */
static double true_threshold(const sow_campaign *c, const double *truth)
{
    double hit = INFINITY, other = -INFINITY;
    if (c->d != 1 || !c->here->true_hit || c->config->objective.column) return NAN;
    for (sow_index q = 0; q < c->n; q++) {
        const double value = sow_i_orientation(c) * truth[q];
        if (!c->here->in_pool[q] || !isfinite(value)) continue;
        if (c->here->true_hit[q]) hit = fmin(hit, value);
        else other = fmax(other, value);
    }
    return 0.5 * (hit + other);
}

/* Values y [n_target, d] of what was measured, beside the truth. */
static void add_values(tally *out, const sow_campaign *c, const double *y, const double *truth)
{
    const sow_i_training *t = &c->here->training;
    const double threshold = true_threshold(c, truth), sign = sow_i_orientation(c);
    for (sow_index i = 0; i < t->n_target; i++) {
        const sow_index q = t->perturbation[i];
        const double off = squared_distance(&y[i * c->d], &truth[q * c->d], c->d), is = sign * truth[q] - threshold;
        if (!isfinite(off)) continue;
        out->squares += off;
        out->count += (double)c->d;
        if (!c->here->in_pool[q] || !isfinite(is)) continue;
        const int right = (sign * y[i] >= threshold) == (is >= 0);
        out->calls++;
        out->right += right;
        out->lost += right ? 0 : fabs(is);
    }
}

/* Names of metrics: of measured values, which are the campaign's, and of estimates, which are a model's. */
static const char *const names[2][3] = {{"rmse_measured", "calls_right", "calls_lost"}, {"rmse_estimated", "calls_right_estimated", "calls_lost_estimated"}};

static void add_rows(json_t *rows, const tally *x, const sow_campaign *c, sow_index round, int estimated)
{
    const char *model = estimated ? c->model_class->name : "", *context = estimated ? sow_i_target_name(c) : "all";
    const double value[3] = {sqrt(x->squares / x->count), x->right / x->calls, x->lost / x->calls};
    for (int k = 0; k < 3; k++)
        if ((k == 0 ? x->count : x->calls) > 0) sow_i_add_metric(rows, round, sow_i_count_measured(c), model, context, names[estimated][k], value[k], NAN, NAN);
}

static sow_status score_site(json_t *rows, tally *all, sow_campaign *c, sow_index round, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_training *t = &c->here->training;
    double *truth = NULL, *estimate = NULL;
    tally own = {0};
    SOW_NEW(truth, c->n * c->d);
    SOW_NEW(estimate, t->n_target * c->d);
    if (c->cells) SOW_TRY(truth_of_cells(truth, c, t, err));
    else SOW_TRY(sow_i_truth(truth, c, &t->adjust, err));
    const sow_query query = {.n = t->n_target, .perturbation = t->perturbation, .context = t->context, .cells = t->cells};
    SOW_TRY(sow_model_predict(c->here->model, &query, estimate, NULL, NULL, env, err));
    add_values(all, c, t->y, truth);
    add_values(&own, c, estimate, truth);
    add_rows(rows, &own, c, round, 1);
done:
    free(truth);
    free(estimate);
    return st;
}

sow_status sow_i_score_measured(json_t *rows, json_t *campaign_rows, sow_campaign *c, sow_index round, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    tally all = {0};
    if (!c->config->evaluation.measured || !c->has_truth) return SOW_OK;
    for (sow_index s = 0; s < c->n_sites; s++) {
        sow_i_go(c, s);
        if (!sow_i_any_measured(c)) continue;
        SOW_TRY(sow_i_fit(c, env, err));
        SOW_TRY(score_site(rows, &all, c, round, env, err));
    }
    add_rows(campaign_rows, &all, c, round, 0);
done:
    sow_i_go(c, 0);
    return st;
}
