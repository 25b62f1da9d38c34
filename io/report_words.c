/* What metrics mean, in a sentence each, and the questions several sections ask of the document. */
#include "io/report_internal.h"

#include <math.h>
#include <string.h>

static const sow_i_metric_words METRICS[] = {
    {"spearman", "Spearman correlation",
     "Rank agreement between predicted and measured values of held-out perturbations: 1 is the right order, 0 no better than a "
     "guess.",
     1, NAN, 0, 0},
    {"pearson", "Pearson correlation", "Agreement between predicted and measured values over perturbations: 1 is on a line, 0 no better than a guess.", 1, NAN, 0, 0},
    {"rmse", "Root mean squared error",
     "Typical size of the difference between predicted and measured value, in the units of the readout.", -1, NAN, 0, 0},
    {"nll", "Negative log likelihood",
     "How surprised the model is by the held-out values given its own uncertainty: being wrong and sure costs most.", -1, NAN, 0, 0},
    {"coverage90", "Coverage of 90% intervals",
     "Share of held-out values inside the model's 90% predictive interval: below 0.9 the model is too sure, above 0.9 too "
     "cautious.",
     0, 0.9, 0, 0},
    {"error", "Absolute error", "Size of the difference between predicted and measured value, in the units of the readout.", -1, NAN, 0, 0},
    {"hits_recall", "Recall of hits", "Hits found so far as a share of all hits in the pool.", 1, NAN, 1, 0},
    {"hits_found", "Hits found", "Hits among what has been measured.", 1, NAN, 1, 0},
    {"chance", "Chance", "Recall expected when the same number of perturbations is drawn at random.", 1, NAN, 1, 0},
    {"pool_size", "Pool size", "Perturbations that could be chosen when the campaign began.", 0, NAN, 1, 0},
    {"rmse_measured", "Error of what was measured", "Typical size of the difference between the values measured so far and the truth.", -1, NAN, 0, 0},
    {"rmse_estimated", "Error of estimates of what was measured", "Typical size of the difference between what the model makes of the perturbations measured so far and the truth.", -1, NAN, 0, 0},
    {"calls_right", "Calls that are right", "Share of the perturbations measured so far that their value puts on the right side of where hits begin.", 1, NAN, 1, 0},
    {"calls_lost", "Lost by wrong calls", "Distance of the true value from where hits begin, summed over those that their value puts on the wrong side, a perturbation measured.", -1, NAN, 1, 0},
    {"calls_right_estimated", "Calls by estimates that are right", "The same share, by what the model makes of them.", 1, NAN, 0, 0},
    {"calls_lost_estimated", "Lost by wrong calls by estimates", "The same distance, by what the model makes of them.", -1, NAN, 0, 0},
    {"cost", "Cost", "Spent so far.", -1, NAN, 1, 0},
    {"weeks", "Weeks", "Time the rounds so far take.", -1, NAN, 1, 0},
    {"pearson_delta_all", "Pearson correlation of responses",
     "Agreement in shape between predicted and measured change against control over all genes. Predicting the average response for "
     "everything "
     "already scores well, so read it beside the centred one.",
     1, NAN, 0, 0},
    {"pearson_delta_centred", "Centred Pearson correlation",
     "Agreement in shape after subtracting the context's average response from both sides: what is left is specific to the "
     "perturbation. Predicting the average for everything scores about 0; where most perturbations do little, predicting no change "
     "scores high.",
     1, NAN, 0, 3},
    {"pearson_delta_de", "Pearson correlation on changed genes",
     "Agreement in shape between predicted and measured change over the genes that each perturbation changes most clearly.", 1, NAN, 0, 2},
    {"rmse_all", "Root mean squared error on all genes",
     "Typical size of the difference between predicted and measured change over all genes.", -1, NAN, 0, 0},
    {"rmse_de", "Root mean squared error on changed genes",
     "Typical size of the difference between predicted and measured change over the genes that each perturbation changes most clearly.", -1, NAN, 0, 4},
    {"direction_all", "Direction of change",
     "Share of genes whose predicted change has the sign of the measured one; 0.5 is a guess.", 1, 0.5, 0, 0},
    {"direction_de", "Direction of change on changed genes",
     "Share of the most clearly changed genes whose predicted change has the right sign; 0.5 is a guess.", 1, 0.5, 0, 0},
    {"pearson_top20_abs", "Pearson correlation, 20 strongest genes",
     "Agreement over the 20 genes with the largest measured change of each perturbation, up or down.", 1, NAN, 0, 0},
    {"pearson_centred_context", "Pearson correlation, centred on the context’s mean",
     "Agreement in shape after subtracting the mean of everything that the new context measured from both sides: what is left is specific to the perturbation. No model sees that mean; it is the same for any "
     "number of seeds, where the mean of few seeds is noise that both sides would share.",
     1, NAN, 0, 0},
    {"pearson_top20_centred", "Centred Pearson correlation, 20 strongest genes",
     "Agreement over the 20 genes that differ most from the context's average response, which is subtracted from both sides.", 1, NAN, 0, 0},
    {"recall_top20_centred", "Recall of the 20 genes farthest from the average",
     "Share of the 20 genes that differ most from the context's average response that the prediction also puts among its 20.", 1, NAN, 0, 0},
    {"mse_top20_wilcoxon", "Mean squared error, top 20 by Wilcoxon", "Squared difference over the 20 genes that a rank-sum test puts first for each perturbation.", -1, NAN, 0, 0},
    {"mae_top20_wilcoxon", "Mean absolute error, top 20 by Wilcoxon", "Absolute difference over the 20 genes that a rank-sum test puts first for each perturbation.", -1, NAN, 0, 0},
    {"pearson_top20_wilcoxon", "Pearson correlation, top 20 by Wilcoxon",
     "Agreement over the 20 genes that a rank-sum test puts first for each perturbation.", 1, NAN, 0, 0},
    {"recall_top20", "Recall of the 20 strongest genes",
     "Share of the 20 most changed genes that the prediction also puts among its 20.", 1, NAN, 0, 0},
    {"mse_top20", "Mean squared error, top 20 genes", "Squared difference over the 20 most changed genes.", -1, NAN, 0, 0},
    {"mae_top20", "Mean absolute error, top 20 genes", "Absolute difference over the 20 most changed genes.", -1, NAN, 0, 0},
    {"r2_all", "R squared on all genes",
     "Share of the variance over genes that the prediction explains; below 0 it is worse than a constant.", 1, NAN, 0, 0},
    {"r2_de", "R squared on changed genes", "Share of the variance that the prediction explains over the genes changed most clearly.", 1, NAN, 0, 0},
    {"mmd_all", "Maximum mean discrepancy on all genes",
     "Distance between predicted and measured cells as whole populations, over all genes; about 0 when they cannot be told apart.", -1, NAN, 0, 0},
    {"mmd_de", "Maximum mean discrepancy on changed genes",
     "Distance between predicted and measured cells as whole populations, over the genes that each perturbation changes most clearly; about 0 "
     "when they cannot be told apart.",
     -1, NAN, 0, 1},
    {"truth_rmse", "Root mean squared error against the truth",
     "Typical size of the error of a perturbation’s predicted mean changes against those that the simulated screen really has, without the noise of any measured cell.", -1, NAN, 0, 0},
    {"truth_explained", "Share of the true change that is predicted",
     "1 less the squared error against the changes that the simulated screen really has, over their squared size: 0 is predicting no change, 1 is the truth.", 1, NAN, 0, 0},
    {"truth_explained_alone", "Share of the true change that is predicted: perturbations alone", "As over all, for perturbations alone only.", 1, NAN, 0, 0},
    {"truth_explained_additive", "Share of the true change that is predicted: additive combinations", "As over all, for additive combinations only.", 1, NAN, 0, 0},
    {"truth_explained_synergy", "Share of the true change that is predicted: synergistic combinations", "As over all, for synergistic combinations only.", 1, NAN, 0, 0},
    {"truth_explained_suppression", "Share of the true change that is predicted: combinations that suppress", "As over all, for combinations that suppress only.", 1, NAN, 0, 0},
    {"truth_explained_epistasis", "Share of the true change that is predicted: epistatic combinations", "As over all, for epistatic combinations only.", 1, NAN, 0, 0},
    {"truth_explained_redundancy", "Share of the true change that is predicted: redundant combinations", "As over all, for redundant combinations only.", 1, NAN, 0, 0},
    {"truth_explained_potentiation", "Share of the true change that is predicted: combinations that potentiate", "As over all, for combinations that potentiate only.", 1, NAN, 0, 0},
    {"truth_explained_neomorphism", "Share of the true change that is predicted: neomorphic combinations", "As over all, for neomorphic combinations only.", 1, NAN, 0, 0},
    {"precision_at_25", "Precision at 25", "Share of the 25 perturbations predicted to change cells most that are among the 25 that do.", 1, NAN, 0, 0},
    {"precision_at_35", "Precision at 35", "Share of the 35 perturbations predicted to change cells most that are among the 35 that do.", 1, NAN, 0, 0},
};

const sow_i_metric_words *sow_i_metric(const char *key)
{
    for (size_t i = 0; key && i < sizeof METRICS / sizeof *METRICS; i++)
        if (strcmp(METRICS[i].key, key) == 0) return &METRICS[i];
    return NULL;
}

/* As the models' own tables say it, for somebody who knows none of them. */
static const struct {
    const char *name, *sentence;
} BASELINES[] = {
    {"control", "Predicts no change: perturbed cells are like the controls."},
    {"train-mean", "Predicts the mean response of what was measured in the context, the same for every perturbation."},
    {"source-shift", "Puts the response that the perturbation had in other contexts on this one’s controls."},
    {"two-way", "The perturbation’s mean response over other contexts, plus what sets this context apart."},
    {"seed-mean", "Predicts the mean response of the context’s first perturbations."},
    {"additive", "A combination is the sum of its parts; a single perturbation gets the mean response."},
    {"linear", "Ridge regression on the priors."},
    {"knn", "Mean response of the nearest measured perturbations in prior space, the nearest counting most."},
    {"gp", "Gaussian process over the priors."},
};

const char *sow_i_baseline(const char *name)
{
    for (size_t i = 0; name && i < sizeof BASELINES / sizeof *BASELINES; i++)
        if (strcmp(BASELINES[i].name, name) == 0) return BASELINES[i].sentence;
    return NULL;
}

int sow_i_is_cells(const json_t *doc)
{
    const char *readout = sow_i_string(doc, "readout");
    return readout && strcmp(readout, "cells") == 0;
}

const char *sow_i_campaign_model(const json_t *doc)
{
    const json_t *metrics = sow_i_array(doc, "metrics");
    const char *model = sow_i_string(doc, "model");
    for (size_t i = 0; !model && i < json_array_size(metrics); i++)
        model = sow_i_string(json_array_get(metrics, i), "model");
    return metrics ? model : NULL;
}

double sow_i_measured(const json_t *doc)
{
    const json_t *found = sow_i_array(json_object_get(doc, "hits"), "found"), *rounds = sow_i_array(doc, "rounds");
    double n, sum = 0;
    if (!rounds && found && sow_i_number(json_array_get(found, json_array_size(found) - 1), "measured", &n)) return n;
    for (size_t i = 0; i < json_array_size(rounds); i++) {
        (void)sow_i_number(json_array_get(rounds, i), "measured", &n);
        sum += n;
    }
    return sum;
}

double sow_i_pool_size(const json_t *doc)
{
    double n;
    if (sow_i_number(json_object_get(doc, "hits"), "pool_size", &n)) return n;
    (void)sow_i_number(json_array_get(sow_i_array(doc, "priors"), 0), "pool_size", &n);
    return n;
}

const char *sow_i_currency(const json_t *doc)
{
    const char *currency = sow_i_string(json_object_get(doc, "bill"), "currency");
    return currency ? currency : "";
}

static int same(const json_t *a, const json_t *b, const char *key)
{
    return json_equal(json_object_get(a, key), json_object_get(b, key));
}

/* The campaign model's row of `metric` in the last round; the campaign's own context first, then whichever comes first. */
static const json_t *last_row(const json_t *doc, const char *metric, const char *own)
{
    const json_t *metrics = sow_i_array(doc, "metrics"), *best = NULL;
    const char *home = sow_i_string(doc, "context");
    double best_round = -1, round, value;
    int best_home = 0;
    for (size_t i = 0; i < json_array_size(metrics); i++) {
        const json_t *row = json_array_get(metrics, i);
        const char *model = sow_i_string(row, "model"), *key = sow_i_string(row, "metric"), *context = sow_i_string(row, "context");
        if (!model || !key || strcmp(model, own) != 0 || strcmp(key, metric) != 0 || !sow_i_number(row, "value", &value)) continue;
        (void)sow_i_number(row, "round", &round);
        int is_home = context && home && strcmp(context, home) == 0;
        if (round < best_round || (round == best_round && is_home <= best_home)) continue;
        best = row;
        best_round = round;
        best_home = is_home;
    }
    return best;
}

static const json_t *best_of_the_others(const json_t *doc, const json_t *own, int better)
{
    const json_t *metrics = sow_i_array(doc, "metrics"), *best = NULL;
    double best_value = 0, value;
    for (size_t i = 0; i < json_array_size(metrics); i++) {
        const json_t *row = json_array_get(metrics, i);
        if (!sow_i_string(row, "model") || same(row, own, "model") || !same(row, own, "metric") || !same(row, own, "context") ||
            !same(row, own, "round") || !sow_i_number(row, "value", &value))
            continue;
        if (best && better * value <= better * best_value) continue;
        best = row;
        best_value = value;
    }
    return best;
}

/* Cells are led by the distance between populations: the one measure of them for which predicting no change is a fair opponent. */
int sow_i_leading_metric(const json_t *doc, const json_t **own, const json_t **best_baseline)
{
    static const char *const of_values[] = {"spearman", "pearson_delta_centred", "pearson_delta_all", "rmse", "rmse_all", NULL};
    static const char *const of_cells[] = {"mmd_de", "mmd_all", "pearson_delta_de", "pearson_delta_centred", "rmse_all", NULL};
    const char *model = sow_i_campaign_model(doc), *const *order = sow_i_is_cells(doc) ? of_cells : of_values;
    *own = *best_baseline = NULL;
    for (; model && !*own && *order; order++)
        *own = last_row(doc, *order, model);
    if (!*own) return 0;
    *best_baseline = best_of_the_others(doc, *own, sow_i_metric(sow_i_string(*own, "metric"))->better);
    return 1;
}

int sow_i_against_control(const json_t *doc, const char *metric, const json_t **own, const json_t **control)
{
    const json_t *metrics = sow_i_array(doc, "metrics");
    const char *model = sow_i_campaign_model(doc);
    double value;
    *control = NULL;
    *own = model ? last_row(doc, metric, model) : NULL;
    for (size_t i = 0; *own && i < json_array_size(metrics); i++) {
        const json_t *row = json_array_get(metrics, i);
        const char *name = sow_i_string(row, "model");
        if (name && strcmp(name, SOW_I_BEAT) == 0 && same(row, *own, "metric") && same(row, *own, "context") && same(row, *own, "round") &&
            sow_i_number(row, "value", &value))
            *control = row;
    }
    return *own != NULL;
}
