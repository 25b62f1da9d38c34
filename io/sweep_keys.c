/* The table of keys of the sweep file, and the metrics that arms may be compared by. */
#include "io/config_internal.h"
#include "io/sweep_keys.h"

#include <math.h>
#include <string.h>

#define AT(member)                       .offset = offsetof(sow_sweep_config, member)
#define LIST_AT(member, n_member)        .offset = offsetof(sow_sweep_config, member), .offset_n = offsetof(sow_sweep_config, n_member)
#define IN(type_, member)                .offset = offsetof(type_, member)
#define LIST_IN(type_, member, n_member) .offset = offsetof(type_, member), .offset_n = offsetof(type_, n_member)
#define FROM(lowest)                     .min = (lowest), .max = INFINITY

/* clang-format off */
static const sow_i_key keys[] = {
    {"sower", SOW_KEY_INT, SOW_KEY_REQUIRED, AT(version), .min = 1, .max = 1, .sentence = "Version of this file format."},
    {"sweep", SOW_KEY_TEXT, AT(name), .standard_is = "the file's name without .yaml", .sentence = "Name of the sweep and of its folder NAME.sweep: letters, digits, - _ and dots."},
    {"campaign", SOW_KEY_FILE, SOW_KEY_REQUIRED, AT(campaign), .sentence = "The campaign that every arm is a variation of, with oracle replay or generative."},
    {"seeds", SOW_KEY_INTS, SOW_KEY_REQUIRED | SOW_KEY_SOME, LIST_AT(seeds, n_seeds), FROM(0), .sentence = "How many seeds (N is 1 to N), or a list of them. A seed is the same world, held-out split and initial set in every arm."},
    {"set", SOW_KEY_SETTINGS, LIST_AT(set, n_set), .sentence = "Settings of every arm over the campaign's."},
    {"strategies", SOW_KEY_TEXTS, SOW_KEY_SOME, LIST_AT(strategies, n_strategies), .sentence = "Axis: acquisition.strategy."},
    {"models", SOW_KEY_TEXTS, SOW_KEY_SOME, LIST_AT(models, n_models), .sentence = "Axis: model.kind."},
    {"allocations", SOW_KEY_NAMED, LIST_AT(allocations, n_allocations), .size = sizeof(sow_sweep_allocation), .sentence = "Axis: how much is measured, and in which steps; NAME: {initial: ..., batches: ...}."},
    {"allocations[].initial", SOW_KEY_INT, SOW_KEY_REQUIRED, IN(sow_sweep_allocation, initial), FROM(1), .unit = "perturbations", .sentence = "rounds.initial.size."},
    {"allocations[].batches", SOW_KEY_INTS, LIST_IN(sow_sweep_allocation, batches, n_batches), FROM(1), .unit = "perturbations", .standard_is = "none: all at once", .sentence = "rounds.batches."},
    {"allocations[].cells_per_perturbation", SOW_KEY_INT, IN(sow_sweep_allocation, cells), .min = 1, .max = 1e9, .none = -1, .unit = "cells", .standard_is = "the campaign's", .sentence = "design.cells_per_perturbation."},
    {"allocations[].reads", SOW_KEY_NUMBER, IN(sow_sweep_allocation, reads), FROM(0), .unit = "raw reads a cell", .standard_is = "the campaign's", .sentence = "design.reads_per_cell."},
    {"allocations[].contexts", SOW_KEY_TEXTS, LIST_IN(sow_sweep_allocation, contexts, n_contexts), .standard_is = "the campaign's", .sentence = "The contexts that are measured: `contexts` of the target source."},
    {"oracles", SOW_KEY_NAMED, LIST_AT(oracles, n_oracles), .size = sizeof(sow_named_settings), .sentence = "Axis: who answers; NAME: {oracle.noise_per_cell: 8, ...}, any keys of the campaign file."},
    {"oracles[]", SOW_KEY_SETTINGS, LIST_IN(sow_named_settings, setting, n), .sentence = "Settings over the campaign's."},
    {"arms", SOW_KEY_NAMED, LIST_AT(arms_given, n_arms_given), .size = sizeof(sow_named_settings), .sentence = "Axis: anything else; NAME: {key.path: value, ...}. An empty one is the campaign as it is."},
    {"arms[]", SOW_KEY_SETTINGS, LIST_IN(sow_named_settings, setting, n), .sentence = "Settings over the campaign's."},
    {"baseline", SOW_KEY_TEXT, AT(baseline_name), .standard_is = "the first arm with strategy random, else the first", .sentence = "The arm that the others are compared with."},
    {"metrics", SOW_KEY_TEXTS, SOW_KEY_SOME, LIST_AT(metrics, n_metrics), .standard_is = "by the readout and the objective", .sentence = "Names of metrics.csv that arms are compared by; the first one leads."},
    {"stop", SOW_KEY_MAPPING, .sentence = "Arms without hope get no more seeds; without it every arm gets every seed."},
    {"stop.after", SOW_KEY_INT, SOW_KEY_REQUIRED, AT(stop.after), FROM(3), .unit = "seeds", .sentence = "Every arm gets these."},
    {"stop.every", SOW_KEY_INT, AT(stop.every), FROM(1), .none = 0, .unit = "seeds", .standard_is = "stop.after", .sentence = "Seeds from one decision to the next."},
    {"stop.margin", SOW_KEY_NUMBER, AT(stop.margin), FROM(0), .unit = "of the first metric", .standard = "0", .sentence = "An arm stops when the upper bound of its paired difference to the best, in the first metric's end point, lies below minus this."},
    {"stop.level", SOW_KEY_NUMBER, SOW_KEY_OPEN_MIN | SOW_KEY_OPEN_MAX, AT(stop.level), .min = 0.5, .max = 1, .standard = "0.95", .sentence = "Level of that interval."},
    {"budget", SOW_KEY_MAPPING, .sentence = "What an allocation is recommended for; without it the best of all is."},
    {"budget.money", SOW_KEY_NUMBER, SOW_KEY_OPEN_MIN, AT(budget.money), FROM(0), .unit = "costs.currency", .standard_is = "no limit", .sentence = "An allocation may cost this, all rounds together."},
    {"budget.weeks", SOW_KEY_NUMBER, SOW_KEY_OPEN_MIN, AT(budget.weeks), FROM(0), .unit = "weeks", .standard_is = "no limit", .sentence = "It may take this long."},
    {"budget.margin", SOW_KEY_NUMBER, AT(budget.margin), FROM(0), .unit = "of the first metric", .standard_is = "a tenth of what the best gains over the least", .sentence = "A cheaper allocation is recommended in place of the best when it is not shown to be worse and may lose no more than this (lower end of the paired 95 % interval)."},
    {"budget.worth", SOW_KEY_NUMBER, SOW_KEY_OPEN_MIN, AT(budget.worth), FROM(0), .unit = "costs.currency", .standard_is = "not asked", .sentence = "What one unit of the first metric is worth: rounds that cost more than what they are expected to add are advised against."},
    {"budget.next_money", SOW_KEY_NUMBER, SOW_KEY_OPEN_MIN, AT(budget.next_money), FROM(0), .unit = "costs.currency", .standard = "1000", .sentence = "How much more money the report asks about."},
    {"budget.next_weeks", SOW_KEY_NUMBER, SOW_KEY_OPEN_MIN, AT(budget.next_weeks), FROM(0), .unit = "weeks", .standard = "4", .sentence = "How many more weeks it asks about."},
};
/* clang-format on */

const sow_i_schema *sow_i_sweep_schema(void)
{
    static const sow_i_schema schema = {keys, (sow_index)(sizeof keys / sizeof *keys), "the sweep file", "a sweep file", "campaign", "docs/simulate.md shows one, campaigns/sweep-quickstart.yaml runs"};
    return &schema;
}

enum { SCALAR = 1 << SOW_READOUT_SCALAR, PROFILE = 1 << SOW_READOUT_PROFILE, CELLS = 1 << SOW_READOUT_CELLS, ANY = SCALAR | PROFILE | CELLS };

const sow_sweep_metric *sow_sweep_metrics(sow_index *n)
{
    static const sow_sweep_metric metrics[] = {
        {"hits_recall", 0, ANY, 1, 1, 0, 0, 0, 1},
        {"hits_found", 0, ANY, 1, 1, 0, 0, 0, INFINITY},
        {"spearman", 0, SCALAR, 0, 0, 0, 0, -1, 1},
        {"rmse", 1, SCALAR, 0, 0, 0, 0, 0, INFINITY},
        {"nll", 1, SCALAR, 0, 0, 1, 0, -INFINITY, INFINITY},
        {"mmd_de", 1, CELLS, 0, 0, 0, 0, -INFINITY, INFINITY},
        {"mmd_all", 1, CELLS, 0, 0, 0, 0, -INFINITY, INFINITY},
        {"rmse_de", 1, CELLS, 0, 0, 0, 0, 0, INFINITY},
        {"rmse_all", 1, PROFILE | CELLS, 0, 0, 0, 0, 0, INFINITY},
        {"pearson_delta_de", 0, CELLS, 0, 0, 0, 0, -1, 1},
        {"pearson_delta_all", 0, PROFILE | CELLS, 0, 0, 0, 0, -1, 1},
        {"pearson_delta_centred", 0, PROFILE | CELLS, 0, 0, 0, 0, -1, 1},
        {"pearson_top20_abs", 0, PROFILE | CELLS, 0, 0, 0, 0, -1, 1},
        {"pearson_top20_wilcoxon", 0, CELLS, 0, 0, 0, 0, -1, 1},
        {"direction_all", 0, PROFILE, 0, 0, 0, 0, 0, 1},
        {"direction_de", 0, CELLS, 0, 0, 0, 0, 0, 1},
        {"r2_de", 0, CELLS, 0, 0, 0, 0, -INFINITY, 1},
        {"r2_all", 0, CELLS, 0, 0, 0, 0, -INFINITY, 1},
        {"recall_top20", 0, CELLS, 0, 0, 0, 0, 0, 1},
        {"mse_top20", 1, CELLS, 0, 0, 0, 0, 0, INFINITY},
        {"mae_top20", 1, CELLS, 0, 0, 0, 0, 0, INFINITY},
        {"precision_at_25", 0, CELLS, 0, 0, 0, 0, 0, 1},
        {"precision_at_35", 0, CELLS, 0, 0, 0, 0, 0, 1},
        {"truth_rmse", 1, CELLS, 0, 0, 0, 0, 0, INFINITY},
        {"truth_explained", 0, CELLS, 0, 0, 0, 0, -INFINITY, 1},
        {"rmse_measured", 1, ANY, 1, 0, 0, 1, 0, INFINITY},
        {"rmse_estimated", 1, ANY, 0, 0, 0, 1, 0, INFINITY},
        {"calls_right", 0, SCALAR, 1, 1, 0, 1, 0, 1},
        {"calls_lost", 1, SCALAR, 1, 1, 0, 1, 0, INFINITY},
        {"calls_right_estimated", 0, SCALAR, 0, 1, 0, 1, 0, 1},
        {"calls_lost_estimated", 1, SCALAR, 0, 1, 0, 1, 0, INFINITY},
    };
    *n = (sow_index)(sizeof metrics / sizeof *metrics);
    return metrics;
}

const sow_sweep_metric *sow_sweep_metric_find(const char *name)
{
    sow_index n = 0;
    const sow_sweep_metric *m = sow_sweep_metrics(&n);
    for (sow_index i = 0; i < n; i++)
        if (strcmp(m[i].name, name) == 0) return &m[i];
    return NULL;
}
