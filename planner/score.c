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
    h->context[h->n] = c->here->target;
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
    SOW_TRY(sow_i_truth(truth, c, &c->here->training.adjust, err));
    for (sow_index q = 0; q < c->n; q++) {
        sow_index row = sow_screen_find(c->screen, q, c->here->target);
        if (c->here->held_out[q] && row >= 0) held_add(h, c, q, c->screen->cells[row], &truth[q * c->d]);
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
        if (c->here->held_out[q]) requests[n++] = (sow_request){q, c->here->target, c->config->design.cells_per_perturbation, 0};
    SOW_TRY(sow_oracle_measure(&m, c->oracle, requests, n, c->n_rounds, err));
    for (sow_index i = 0; i < m.n; i++) {
        if (m.item[i].outcome == SOW_FAILED) continue;
        sow_i_prepare(c, &c->here->training.adjust, m.item[i].values, m.item[i].covariate);
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
        if (!c->here->held_out[q] || !c->here->item[q].values) continue;
        memcpy(y, c->here->item[q].values, (size_t)c->d * sizeof *y);
        sow_i_prepare(c, &c->here->training.adjust, y, c->here->item[q].covariate);
        held_add(h, c, q, c->here->item[q].cells, y);
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

void sow_i_add_metric(json_t *rows, sow_index round, sow_index measured, const char *model, const char *context, const char *metric, double value,
                    double low, double high)
{
    json_array_append_new(rows, json_pack("{s:I,s:I,s:s,s:s,s:s,s:o,s:o,s:o}", "round", (json_int_t)round, "measured", (json_int_t)measured, "model",
                                          model, "context", context, "metric", metric, "value", sow_i_real_or_null(value), "low", sow_i_real_or_null(low),
                                          "high", sow_i_real_or_null(high)));
}

/* The context's mean response over what was measured there: what a centred metric subtracts. */
static void mean_response(double *out, const sow_campaign *c)
{
    const sow_i_training *t = &c->here->training;
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
    sow_rng *draws = c->lean ? NULL : &rng;
    if (c->d == 1) SOW_TRY(sow_evaluate_scalar(metrics, &n, h->truth, mean, has_var ? var : NULL, has_var ? noise : NULL, h->n, draws, err));
    else SOW_TRY(sow_evaluate_profile(metrics, &n, h->truth, mean, centre, h->own, h->n, c->d, draws, err));
    sow_index measured = sow_i_count_measured(c);
    for (sow_index i = 0; i < n; i++)
        sow_i_add_metric(rows, round, measured, name, sow_i_target_name(c), metrics[i].metric, metrics[i].value, metrics[i].low, metrics[i].high);
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
        if (c->here->held_out[q] && c->screen->detail[q].n_agents > 1) return 1;
    return 0;
}

static int baseline_applies(const sow_campaign *c, const sow_model_class *m)
{
    if (m == c->model_class || strcmp(m->name, "gp") == 0 || (m->caps & (SOW_CAP_NEEDS_CELLS | SOW_CAP_META))) return 0;
    if (!(m->caps & (c->d == 1 ? SOW_CAP_SCALAR : SOW_CAP_PROFILE))) return 0;
    if (strcmp(m->name, "two-way") == 0 || strcmp(m->name, "source-shift") == 0) return c->here->training.view.n > c->here->training.n_target;
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
    SOW_TRY(score_model(rows, c, c->here->model, c->model_class->name, &h, round, env, err));
    sow_model_options options = sow_i_model_options(c);
    for (sow_index i = 0; i < n; i++) {
        if (c->lean || !baseline_applies(c, table[i])) continue;
        SOW_TRY(sow_model_fit(&baseline, table[i], &c->here->training.view, &options, env, err));
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
    sow_index in_pool = 0, found = 0, measured = sow_i_count_measured(c);
    int hits = strcmp(c->config->objective.kind, "hits") == 0;
    int by_column = hits && c->config->objective.column != NULL;
    for (sow_index i = 0; i < c->n_sites * c->n; i++) {
        in_pool += sow_i_site_of_pair(c, i)->in_pool[i % c->n] && sow_i_item_of_pair(c, i)->values;
        found += hits && sow_i_is_found_hit(c, i);
    }
    if (hits && (c->here->true_hit || by_column)) sow_i_add_metric(rows, round, measured, "", "all", "hits_found", (double)found, NAN, NAN);
    if (hits && c->here->true_hit) sow_i_add_metric(rows, round, measured, "", "all", "hits_recall", (double)found / (double)c->n_hits, NAN, NAN);
    sow_i_add_metric(rows, round, measured, "", "all", "pool_size", (double)c->pool_size, NAN, NAN);
    sow_i_add_metric(rows, round, measured, "", "all", "chance", (double)in_pool / (double)c->pool_size, NAN, NAN);
    sow_i_add_metric(rows, round, measured, "", "all", "cost", sow_i_spent(c), NAN, NAN);
    sow_i_add_metric(rows, round, measured, "", "all", "weeks", sow_i_weeks_by(c, round), NAN, NAN);
}

/* Where there are several target contexts, the mean over those that were judged: what curves and comparisons are made of. No interval: that of each context stands in its own row. */
static void add_means(json_t *rows, const sow_campaign *c, sow_index round)
{
    const size_t n = json_array_size(rows);
    for (size_t i = 0; c->n_sites > 1 && i < n; i++) {
        const json_t *row = json_array_get(rows, i);
        double sum = 0;
        sow_index count = 0;
        int first = 1;
        for (size_t k = 0; k < n; k++) {
            const json_t *other = json_array_get(rows, k), *value = json_object_get(other, "value");
            if (!json_equal(json_object_get(row, "model"), json_object_get(other, "model")) || !json_equal(json_object_get(row, "metric"), json_object_get(other, "metric"))) continue;
            first = first && k >= i;
            if (!json_is_number(value)) continue;
            sum += json_number_value(value);
            count++;
        }
        if (!first) continue;
        sow_i_add_metric(rows, round, sow_i_count_measured(c), json_string_value(json_object_get(row, "model")), "all", json_string_value(json_object_get(row, "metric")), count ? sum / (double)count : (double)NAN, NAN, NAN);
    }
}

/* What the other contexts are worth is among what was learned. */
static sow_status add_transfer_line(json_t *lines, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    json_t *contexts = NULL;
    if (!c->cells || c->lean) return SOW_OK;
    SOW_TRY(sow_i_contexts_json(&contexts, c, err));
    if (contexts) json_array_append(lines, json_object_get(contexts, "finding"));
done:
    json_decref(contexts);
    return st;
}

static void add_learned(json_t *lines, const sow_campaign *c)
{
    char *text = c->here->model ? sow_model_describe(c->here->model) : NULL;
    for (char *line = text; line && *line;) {
        char *end = strchr(line, '\n');
        if (end) *end = '\0';
        char *said = *line && c->n_sites > 1 ? sow_format("%s: %s", sow_i_target_name(c), line) : NULL;
        if (*line) json_array_append_new(lines, json_string(said ? said : line));
        free(said);
        line = end ? end + 1 : NULL;
    }
    free(text);
}

/* For the report's figure: four digits are more than it shows. */
static json_t *short_number(double x)
{
    char text[32];
    snprintf(text, sizeof text, "%.4g", x);
    return isfinite(x) ? json_real(strtod(text, NULL)) : json_null();
}

/* How the networks' training went, behind what is there: [{best, trained [..], held [..]}, ..], epochs from 1; NULL where there are none. */
static sow_status add_training(json_t **out, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_history h = {0};
    SOW_TRY(sow_model_history(c->here->model, &h, err));
    if (h.members > 0 && !*out) *out = json_array();
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
    json_t *rows = json_array(), *campaign = json_array(), *learned = json_array(), *training = NULL;
    SOW_TRY(sow_progress(env, "evaluating", 0, err));
    for (sow_index s = 0; s < c->n_sites; s++) {
        sow_i_go(c, s);
        if (!sow_i_any_measured(c)) continue; /* every result failed, and there is no model to judge */
        SOW_TRY(sow_i_fit(c, env, err));
        SOW_TRY(score_models(rows, c, round, env, err));
        add_learned(learned, c);
        SOW_TRY(add_training(&training, c, err));
    }
    sow_i_go(c, 0);
    SOW_TRY(sow_i_score_measured(rows, campaign, c, round, env, err));
    add_means(rows, c, round);
    json_array_extend(rows, campaign);
    add_campaign_rows(rows, c, round);
    SOW_TRY(add_transfer_line(learned, c, err));
    json_t *payload = json_pack("{s:O,s:O}", "metrics", rows, "learned", learned);
    if (training) json_object_set(payload, "training", training);
    SOW_TRY(sow_i_commit(c, "evaluated", round, payload, err));
    SOW_TRY(sow_i_write_round(c, round, NULL, NULL, err));
    SOW_TRY(sow_i_write_metrics(c, err));
    SOW_TRY(sow_progress(env, "evaluating", 1, err));
done:
    sow_i_go(c, 0);
    json_decref(rows);
    json_decref(campaign);
    json_decref(learned);
    json_decref(training);
    return st;
}
