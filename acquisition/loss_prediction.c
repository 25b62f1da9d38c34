/* Loss-prediction: the candidates that the model is expected to predict worst, by a small network that learns its losses on what is
 * measured from the same features (loss_network.h). Candidates without features come last, at random; so does everything while the
 * losses known do not differ. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acquisition/loss_network.h"
#include "acquisition/strategy_internal.h"
#include "core/memory.h"

typedef struct {
    sow_i_loss_form form;
    int equal_cells; /* losses were brought to the same number of cells */
    sow_i_loss_targets targets;
    double *rows;      /* [targets.n_rows, dim] their features */
    double *predicted; /* [n] loss, score or bin; NaN without features */
    double *key;       /* [n] what is ranked: predicted, with the ties of bins shuffled */
    float edges[SOW_I_LOSS_BINS + 1];
} prediction;

static void clear_prediction(prediction *p)
{
    sow_i_loss_targets_clear(&p->targets);
    free(p->rows);
    free(p->predicted);
    free(p->key);
}

static sow_status fit_and_predict(prediction *p, const sow_pool_view *view, const sow_strategy_options *options, uint64_t seed,
                                  const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_loss_targets *t = &p->targets;
    const sow_i_loss_settings settings = {
        .form = p->form, .members = options->loss_members > 0 ? options->loss_members : 1, .seed = seed};
    SOW_NEW(p->rows, t->n_rows * view->dim);
    for (sow_index r = 0; r < t->n_rows; r++)
        memcpy(p->rows + r * view->dim, view->labelled_features + t->labelled[r] * view->dim, (size_t)view->dim * sizeof *p->rows);
    const sow_i_loss_examples examples = {
        .dim = view->dim, .n_rows = t->n_rows, .n = t->n, .x = p->rows, .row = t->row, .y = t->y};
    SOW_TRY(sow_i_loss_fit_predict(p->predicted, &examples, view->features, view->n, &settings, env, err));
done:
    return st;
}

static void rank_candidates(prediction *p, const sow_pool_view *view, sow_rng *rng)
{
    double lowest = INFINITY, highest = -INFINITY;
    for (sow_index i = 0; i < p->targets.n; i++) {
        if (p->targets.y[i] < lowest) lowest = p->targets.y[i];
        if (p->targets.y[i] > highest) highest = p->targets.y[i];
    }
    sow_i_loss_edges(p->edges, lowest, highest);
    for (sow_index i = 0; i < view->n; i++) {
        const double u = sow_rng_uniform(rng);
        if (view->has && !view->has[i]) p->predicted[i] = NAN;
        p->key[i] = p->form == SOW_I_LOSS_BINNED ? p->predicted[i] + 0.999 * u : p->predicted[i];
    }
}

/* ---- reasons ---- */

/* "; nearest measured GATA1 (loss 0.62)": the row nearest to the candidate, and the loss on it. */
static void describe_nearest(char *text, size_t size, const prediction *p, const sow_pool_view *view, sow_index i)
{
    const sow_index dim = view->dim;
    sow_index nearest = 0;
    double least = INFINITY;
    for (sow_index r = 0; r < p->targets.n_rows; r++) {
        double d2 = 0;
        for (sow_index j = 0; j < dim; j++) {
            const double d = view->features[i * dim + j] - p->rows[r * dim + j];
            d2 += d * d;
        }
        if (d2 < least) {
            least = d2;
            nearest = r;
        }
    }
    const sow_index l = p->targets.labelled[nearest];
    snprintf(text, size, "; nearest measured%s%.40s (loss %.3g)", view->labelled_name ? " " : "",
             view->labelled_name ? view->labelled_name[l] : "", p->targets.row_loss[nearest]);
}

static void take(sow_pick *pick, const prediction *p, const sow_pool_view *view, sow_index i)
{
    const double above = sow_i_percent_below(p->predicted, view->n, i);
    const char *equal = p->equal_cells ? " at equal cells" : "";
    char nearest[96];
    describe_nearest(nearest, sizeof nearest, p, view, i);
    if (p->form == SOW_I_LOSS_BINNED) {
        const double from = (double)p->edges[(int)p->predicted[i]], to = (double)p->edges[(int)p->predicted[i] + 1];
        sow_i_take(pick, view, i, 0.5 * (from + to), "predicted loss%s %.3g to %.3g, above %.0f %% of the candidates%s", equal, from, to,
                   above, nearest);
    } else if (p->form == SOW_I_LOSS_RANKING) {
        sow_i_take(pick, view, i, p->predicted[i], "predicted worse%s than %.0f %% of the candidates%s", equal, above, nearest);
    } else {
        sow_i_take(pick, view, i, p->predicted[i], "predicted loss%s %.3g, above %.0f %% of the candidates%s", equal, p->predicted[i], above,
                   nearest);
    }
}

/* ---- picking ---- */

static sow_status pick_by_rank(sow_pick *picks, sow_index *picked, sow_index batch, prediction *p, const sow_pool_view *view,
                               const sow_strategy_options *options, sow_rng *rng, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const uint64_t high = sow_rng_u32(rng), seed = high << 32 | sow_rng_u32(rng);
    SOW_TRY(fit_and_predict(p, view, options, seed, env, err));
    rank_candidates(p, view, rng);
    while (*picked < batch) {
        const sow_index i = sow_i_best(view, p->key);
        if (i < 0) break;
        take(&picks[(*picked)++], p, view, i);
    }
    SOW_TRY(sow_i_take_unknown(picks, picked, batch, view, p->predicted, "no features to predict its loss from: drawn at random", err));
done:
    return st;
}

static sow_status pick_loss_prediction(sow_pick *picks, sow_index batch, const sow_pool_view *view, const sow_strategy_options *options,
                                       const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    prediction p = {.equal_cells = options->loss_cells};
    sow_rng rng = view->rng;
    sow_index picked = 0;
    if (!view->labelled_features) SOW_FAIL(err, SOW_E_CONFIG, "strategy 'loss-prediction' needs the features of what is measured");
    SOW_TRY(sow_i_loss_form_find(&p.form, options->loss_form, err));
    SOW_TRY(sow_i_loss_targets_make(&p.targets, view, options->loss_target, options->loss_cells, p.form == SOW_I_LOSS_PUBLISHED, err));
    if (options->loss_target && strcmp(options->loss_target, "held") == 0 && !p.targets.held_only)
        sow_log(env, SOW_LOG_INFO, "fewer than half of the %lld measured have a loss out of sample: loss-prediction learns from all",
                (long long)p.targets.n_rows);
    SOW_NEW(p.predicted, view->n);
    SOW_NEW(p.key, view->n);
    if (p.targets.differ) {
        SOW_TRY(pick_by_rank(picks, &picked, batch, &p, view, options, &rng, env, err));
        goto done;
    }
    char reason[sizeof picks->reason];
    snprintf(reason, sizeof reason, "the losses known do not differ (%.3g, of %lld measured): drawn at random", p.targets.y[0],
             (long long)p.targets.n_rows);
    SOW_TRY(sow_i_take_at_random(picks, &picked, batch, view, view->has, &rng, reason, err));
    SOW_TRY(sow_i_take_rest(picks, &picked, batch, view, err));
done:
    clear_prediction(&p);
    return st;
}

const sow_strategy sow_i_strategy_loss_prediction = {
    .name = "loss-prediction",
    .aliases = "learn-loss,learning-loss",
    .summary = "the candidates that the model is expected to predict worst, learned from its losses on what is measured",
    .needs = SOW_NEED_PRIOR | SOW_NEED_LOSSES,
    .pick = pick_loss_prediction,
};
