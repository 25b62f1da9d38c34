/* Evaluating a round: the campaign's model and the baselines on the held-out perturbations, hits and spend. One event, then the files. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "models/evaluate.h"
#include "planner/cells_internal.h"

/* The held-out items with a truth. */
typedef struct {
    sow_index n;
    sow_index *perturbation, *context, *own;
    double *cells, *truth;
} held_items;

static void held_clear(held_items *h)
{
    free(h->perturbation);
    free(h->context);
    free(h->own);
    free(h->cells);
    free(h->truth);
}

static int finite_row(const double *x, sow_index n)
{
    for (sow_index i = 0; i < n; i++)
        if (!isfinite(x[i])) return 0;
    return 1;
}

static void held_add(held_items *h, const sow_campaign *c, sow_index q, double cells, const double *truth)
{
    if (!finite_row(truth, c->d)) return;
    h->perturbation[h->n] = q;
    h->context[h->n] = c->target;
    h->own[h->n] = c->d > 1 && !c->cells ? sow_names_find(c->screen->features, sow_i_name(c, q)) : -1;
    h->cells[h->n] = cells;
    memcpy(&h->truth[h->n * c->d], truth, (size_t)c->d * sizeof *truth);
    h->n++;
}

/* A replayed screen: the finished values, adjusted with slopes from all rows. */
static sow_status held_from_screen(held_items *h, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    double *truth = NULL;
    SOW_NEW(truth, c->n * c->d);
    SOW_TRY(sow_i_truth(truth, c, &c->training.adjust, err));
    for (sow_index q = 0; q < c->n; q++) {
        sow_index row = sow_screen_find(c->screen, q, c->target);
        if (c->held_out[q] && row >= 0) held_add(h, c, q, c->screen->cells[row], &truth[q * c->d]);
    }
done:
    free(truth);
    return st;
}

/* A simulated one: held-out perturbations are measured by the simulator, once, with its noise: an interval for a measurement is judged by
 * measurements. */
static sow_status held_from_simulator(held_items *h, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_request *requests = NULL;
    sow_measurements m = {0};
    sow_index n = 0;
    SOW_NEW(requests, c->n);
    for (sow_index q = 0; q < c->n; q++)
        if (c->held_out[q]) requests[n++] = (sow_request){q, c->target, c->config->design.cells_per_perturbation, 0};
    SOW_TRY(sow_oracle_measure(&m, c->oracle, requests, n, c->n_rounds, err));
    for (sow_index i = 0; i < m.n; i++) {
        if (m.item[i].outcome == SOW_FAILED) continue;
        sow_i_prepare(c, &c->training.adjust, m.item[i].values, m.item[i].covariate);
        held_add(h, c, m.item[i].perturbation, m.item[i].cells, m.item[i].values);
    }
done:
    free(requests);
    sow_measurements_clear(&m);
    return st;
}

/* A lab: held-out perturbations count once somebody has recorded them. */
static sow_status held_from_records(held_items *h, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    double *y = NULL;
    SOW_NEW(y, c->d);
    for (sow_index q = 0; q < c->n; q++) {
        if (!c->held_out[q] || !c->item[q].values) continue;
        memcpy(y, c->item[q].values, (size_t)c->d * sizeof *y);
        sow_i_prepare(c, &c->training.adjust, y, c->item[q].covariate);
        held_add(h, c, q, c->item[q].cells, y);
    }
done:
    free(y);
    return st;
}

static sow_status held_build(held_items *h, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(h->perturbation, c->n_held_out);
    SOW_NEW(h->context, c->n_held_out);
    SOW_NEW(h->own, c->n_held_out);
    SOW_NEW(h->cells, c->n_held_out);
    SOW_NEW(h->truth, c->n_held_out * c->d);
    if (c->n_held_out == 0) goto done;
    if (!c->has_truth) SOW_TRY(held_from_records(h, c, err));
    else if (strcmp(c->oracle->class_->name, "generative") == 0) SOW_TRY(held_from_simulator(h, c, err));
    else SOW_TRY(held_from_screen(h, c, err));
done:
    return st;
}

static void add_row(json_t *rows, sow_index round, sow_index measured, const char *model, const char *context, const char *metric, double value,
                    double low, double high)
{
    json_array_append_new(rows, json_pack("{s:I,s:I,s:s,s:s,s:s,s:o,s:o,s:o}", "round", (json_int_t)round, "measured", (json_int_t)measured, "model",
                                          model, "context", context, "metric", metric, "value", sow_i_real_or_null(value), "low", sow_i_real_or_null(low),
                                          "high", sow_i_real_or_null(high)));
}

/* The context's mean response over what was measured there: what a centred metric subtracts. */
static void mean_response(double *out, const sow_campaign *c)
{
    const sow_i_training *t = &c->training;
    memset(out, 0, (size_t)c->d * sizeof *out);
    for (sow_index i = 0; i < t->n_target; i++)
        for (sow_index j = 0; j < c->d; j++)
            out[j] += t->y[i * c->d + j] / (double)t->n_target;
}

static sow_status score_model(json_t *rows, const sow_campaign *c, const sow_model *model, const char *name, const held_items *h, sow_index round,
                              const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    double *mean = NULL, *var = NULL, *noise = NULL, *centre = NULL;
    sow_metric metrics[SOW_METRICS_MAX];
    sow_index n = 0;
    SOW_NEW(mean, h->n * c->d);
    SOW_NEW(var, h->n * c->d);
    SOW_NEW(noise, h->n * c->d);
    SOW_NEW(centre, c->d);
    sow_query query = {.n = h->n, .perturbation = h->perturbation, .context = h->context, .cells = h->cells};
    SOW_TRY(sow_model_predict(model, &query, mean, var, noise, env, err));
    sow_rng rng = sow_rng_make(c->config->seed, SOW_RNG_BOOTSTRAP, (uint32_t)round, 0);
    int has_var = (model->class_->caps & SOW_CAP_VARIANCE) != 0;
    mean_response(centre, c);
    if (c->cells) {
        st = sow_i_score_cells(rows, c, model, mean, name, round, err);
        goto done;
    }
    if (c->d == 1) SOW_TRY(sow_evaluate_scalar(metrics, &n, h->truth, mean, has_var ? var : NULL, has_var ? noise : NULL, h->n, &rng, err));
    else SOW_TRY(sow_evaluate_profile(metrics, &n, h->truth, mean, centre, h->own, h->n, c->d, &rng, err));
    sow_index measured = c->training.n_target;
    for (sow_index i = 0; i < n; i++)
        add_row(rows, round, measured, name, sow_i_target_name(c), metrics[i].metric, metrics[i].value, metrics[i].low, metrics[i].high);
done:
    free(mean);
    free(var);
    free(noise);
    free(centre);
    return st;
}

static int has_combinations(const sow_campaign *c)
{
    for (sow_index q = 0; q < c->n; q++)
        if (c->held_out[q] && c->screen->detail[q].n_agents > 1) return 1;
    return 0;
}

static int baseline_applies(const sow_campaign *c, const sow_model_class *m)
{
    if (m == c->model_class || strcmp(m->name, "gp") == 0 || (m->caps & (SOW_CAP_NEEDS_CELLS | SOW_CAP_META))) return 0;
    if (!(m->caps & (c->d == 1 ? SOW_CAP_SCALAR : SOW_CAP_PROFILE))) return 0;
    if (strcmp(m->name, "two-way") == 0 || strcmp(m->name, "source-shift") == 0) return c->training.view.n > c->training.n_target;
    if (strcmp(m->name, "additive") == 0) return has_combinations(c);
    if (strcmp(m->name, "control") == 0) return c->cells != NULL; /* a scalar's zero and a profile's are no prediction anybody would make */
    if (strcmp(m->name, "train-mean") == 0) return 1;
    return c->model_priors.fused_dim > 0;
}

static sow_status held_cells_build(const held_items *h, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    double *centre = NULL;
    SOW_NEW(centre, c->d);
    mean_response(centre, c);
    SOW_TRY(sow_i_held_cells_ready(c, h->perturbation, h->n, centre, err));
done:
    free(centre);
    return st;
}

static sow_status score_models(json_t *rows, sow_campaign *c, sow_index round, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    held_items h = {0};
    sow_model *baseline = NULL;
    sow_index n = 0;
    const sow_model_class *const *table = sow_model_classes(&n);
    SOW_TRY(held_build(&h, c, err));
    if (h.n < 2) goto done;
    if (c->cells) SOW_TRY(held_cells_build(&h, c, err));
    SOW_TRY(score_model(rows, c, c->model, c->model_class->name, &h, round, env, err));
    sow_model_options options = sow_i_model_options(c);
    for (sow_index i = 0; i < n; i++) {
        if (!baseline_applies(c, table[i])) continue;
        SOW_TRY(sow_model_fit(&baseline, table[i], &c->training.view, &options, env, err));
        SOW_TRY(score_model(rows, c, baseline, table[i]->name, &h, round, env, err));
        sow_model_destroy(baseline);
        baseline = NULL;
    }
done:
    sow_model_destroy(baseline);
    held_clear(&h);
    return st;
}

static void add_campaign_rows(json_t *rows, const sow_campaign *c, sow_index round)
{
    sow_index in_pool = 0, found = 0, measured = c->training.n_target;
    double cost = 0, weeks = 0;
    int hits = strcmp(c->config->objective.kind, "hits") == 0;
    int by_column = hits && c->config->objective.column != NULL;
    for (sow_index q = 0; q < c->n; q++) {
        if (!c->in_pool[q] || !c->item[q].values) continue;
        in_pool++;
        if (c->true_hit) found += c->true_hit[q];
        else if (by_column) found += sow_i_is_hit_value(c, c->item[q].hit);
    }
    for (sow_index r = 0; r <= round; r++) {
        sow_bill bill;
        sow_i_bill(c, &c->round[r], &bill);
        cost += bill.total;
        weeks += bill.weeks;
    }
    if (hits && (c->true_hit || by_column)) add_row(rows, round, measured, "", "all", "hits_found", (double)found, NAN, NAN);
    if (hits && c->true_hit) add_row(rows, round, measured, "", "all", "hits_recall", (double)found / (double)c->n_hits, NAN, NAN);
    add_row(rows, round, measured, "", "all", "pool_size", (double)c->pool_size, NAN, NAN);
    add_row(rows, round, measured, "", "all", "chance", (double)in_pool / (double)c->pool_size, NAN, NAN);
    add_row(rows, round, measured, "", "all", "cost", cost, NAN, NAN);
    add_row(rows, round, measured, "", "all", "weeks", weeks, NAN, NAN);
}

/* What the other contexts are worth is among what was learned. */
static sow_status add_transfer_line(json_t *lines, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    json_t *contexts = NULL;
    if (!c->cells) return SOW_OK;
    SOW_TRY(sow_i_contexts_json(&contexts, c, err));
    if (contexts) json_array_append(lines, json_object_get(contexts, "finding"));
done:
    json_decref(contexts);
    return st;
}

static json_t *learned_lines(const sow_campaign *c)
{
    json_t *lines = json_array();
    char *text = c->model ? sow_model_describe(c->model) : NULL;
    for (char *line = text; line && *line;) {
        char *end = strchr(line, '\n');
        if (end) *end = '\0';
        if (*line) json_array_append_new(lines, json_string(line));
        line = end ? end + 1 : NULL;
    }
    free(text);
    return lines;
}

/* For the report's figure: four digits are more than it shows. */
static json_t *short_number(double x)
{
    char text[32];
    snprintf(text, sizeof text, "%.4g", x);
    return isfinite(x) ? json_real(strtod(text, NULL)) : json_null();
}

/* How the networks' training went: [{best, trained [..], held [..]}, ..], epochs from 1; NULL where there are none. */
static sow_status training_json(json_t **out, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_history h = {0};
    *out = NULL;
    if (!c->model) return SOW_OK;
    SOW_TRY(sow_model_history(c->model, &h, err));
    if (h.members > 0) *out = json_array();
    for (sow_index b = 0; b < h.members; b++) {
        json_t *trained = json_array(), *held = json_array();
        for (sow_index e = b * h.epochs; e < (b + 1) * h.epochs; e++) {
            json_array_append_new(trained, short_number(h.trained[e]));
            json_array_append_new(held, short_number(h.held[e]));
        }
        json_array_append_new(*out, json_pack("{s:I,s:o,s:o}", "best", (json_int_t)h.best[b] + 1, "trained", trained, "held", held));
    }
done:
    sow_history_clear(&h);
    return st;
}

sow_status sow_i_evaluate_round(sow_campaign *c, sow_index round, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    json_t *rows = json_array(), *learned = NULL, *training = NULL;
    SOW_TRY(sow_progress(env, "evaluating", 0, err));
    if (sow_i_any_measured(c)) { /* else every result failed, and there is no model to judge */
        SOW_TRY(sow_i_fit(c, env, err));
        SOW_TRY(score_models(rows, c, round, env, err));
    }
    add_campaign_rows(rows, c, round);
    learned = learned_lines(c);
    SOW_TRY(add_transfer_line(learned, c, err));
    SOW_TRY(training_json(&training, c, err));
    json_t *payload = json_pack("{s:O,s:O}", "metrics", rows, "learned", learned);
    if (training) json_object_set(payload, "training", training);
    SOW_TRY(sow_i_commit(c, "evaluated", round, payload, err));
    SOW_TRY(sow_i_write_round(c, round, NULL, NULL, err));
    SOW_TRY(sow_i_write_metrics(c, err));
    SOW_TRY(sow_progress(env, "evaluating", 1, err));
done:
    json_decref(rows);
    json_decref(learned);
    json_decref(training);
    return st;
}
