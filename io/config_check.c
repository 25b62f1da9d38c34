/* What no single row of the table can check: rules between keys. Each problem points at the key that has to change. */
#include "io/config_internal.h"

#include "core/memory.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

static int is_generative(const sow_config *c)
{
    return same(c->oracle.kind, "generative");
}

/* Is the key in the file or in a --set? */
static int given(const sow_i_node *root, const char *group, const char *key)
{
    return !sow_i_node_is_null(sow_i_node_child(sow_i_node_child(root, group), key));
}

static int among(const char *const *names, sow_index n, const char *name)
{
    for (sow_index i = 0; i < n; i++)
        if (same(names[i], name)) return 1;
    return 0;
}

/* The file's name without folder and .yaml, with what a folder's name should not have turned into '-'. */
static void name_from_file(sow_i_reader *r, sow_config *c)
{
    const char *slash = strrchr(c->path, '/'), *base = slash ? slash + 1 : c->path;
    const char *dot = strrchr(base, '.');
    size_t n = dot && dot != base ? (size_t)(dot - base) : strlen(base);
    char *name = sow_i_arena_text(r->arena, base, n);
    if (!name) {
        r->failed = 1;
        return;
    }
    for (char *p = name; *p; p++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.", *p) || (p == name && *p == '.')) *p = '-';
    c->name = name;
}

static void check_name(sow_i_reader *r, sow_config *c, const sow_i_node *root)
{
    if (!c->name) {
        name_from_file(r, c);
        return;
    }
    size_t ok = strspn(c->name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.");
    if (c->name[ok] || c->name[0] == '.')
        sow_i_problem_at_path(r, root, "name", "name '%s' becomes a folder: letters, digits, - _ and dots only, no dot first",
                              c->name);
}

static void check_source(sow_i_reader *r, const sow_config *c, const sow_i_node *root, sow_index i)
{
    const sow_source *s = &c->sources[i];
    char at[80];
    snprintf(at, sizeof at, "data.sources[%lld].context", (long long)i);
    if (s->context && s->context_column) sow_i_problem_at_path(r, root, at, "%s has a name and a column; keep one", at);
    const sow_i_node *entry = sow_i_node_item(sow_i_node_child(sow_i_node_child(root, "data"), "sources"), i);
    if (!s->context && !s->context_column && !sow_i_node_is_null(sow_i_node_child(entry, "context")))
        sow_i_problem_at_path(r, root, at, "%s needs a name, or {column: COLUMN}", at);
    snprintf(at, sizeof at, "data.sources[%lld].contexts", (long long)i);
    if (s->n_keep_contexts && !s->context_column)
        sow_i_problem_at_path(r, root, at, "%s chooses among the values of context.column, which is not given", at);
}

static void check_sources(sow_i_reader *r, const sow_config *c, const sow_i_node *root)
{
    sow_index targets = 0;
    for (sow_index i = 0; i < c->n_sources; i++) {
        targets += c->sources[i].role == SOW_ROLE_TARGET;
        check_source(r, c, root, i);
    }
    if (is_generative(c)) {
        if (c->n_sources)
            sow_i_problem_at_path(r, root, "data",
                                  "the generative oracle makes its own data; remove `data`, or choose oracle.kind replay or lab");
    } else if (c->oracle.kind && sow_i_node_is_null(sow_i_node_child(root, "data"))) {
        sow_i_problem_at_path(r, root, "oracle.kind",
                              "oracle.kind '%s' needs `data.sources` with at least one source of role target", c->oracle.kind);
    } else if (c->n_sources && targets == 0) {
        sow_i_problem_at_path(r, root, "data.sources", "no source has role target; the campaign has nothing to plan for");
    }
}

/* Keys of one source that only cells know. */
static void refuse_cell_keys(sow_i_reader *r, const sow_source *s, const sow_i_node *root, sow_index i)
{
    const struct {
        const char *key;
        int given;
    } only[] = {{"perturbation.guide", s->guide_column != NULL}, {"technical_batch", s->batch_column != NULL}, {"layer", s->layer != NULL},
                {"gene_names", s->gene_column != NULL}, {"labels", s->labels != NULL}, {"values", s->values != SOW_VALUES_RESPONSE}};
    for (size_t k = 0; k < sizeof only / sizeof *only; k++) {
        char at[90];
        snprintf(at, sizeof at, "data.sources[%lld].%s", (long long)i, only[k].key);
        if (only[k].given) sow_i_problem_at_path(r, root, at, "%s is for single cells; set readout.kind: cells, or remove it", at);
    }
}

static void check_cell_source(sow_i_reader *r, sow_source *s, const sow_i_node *root, sow_index i)
{
    char at[90];
    const sow_i_node *entry = sow_i_node_item(sow_i_node_child(sow_i_node_child(root, "data"), "sources"), i);
    snprintf(at, sizeof at, "data.sources[%lld].values", (long long)i);
    if (sow_i_node_is_null(sow_i_node_child(entry, "values"))) s->values = SOW_VALUES_COUNTS;
    else if (s->values == SOW_VALUES_RESPONSE)
        sow_i_problem_at_path(r, root, at, "the readout cells needs values: counts or log1p, not finished responses");
    snprintf(at, sizeof at, "data.sources[%lld].cells", (long long)i);
    if (s->cells_column) sow_i_problem_at_path(r, root, at, "%s is for tables of perturbations; single cells are counted", at);
    snprintf(at, sizeof at, "data.sources[%lld].variance", (long long)i);
    if (s->variance_column) sow_i_problem_at_path(r, root, at, "%s is for tables of perturbations", at);
}

/* Is anything given in the group beside `key`? */
static int has_other_than(const sow_i_node *group, const char *key)
{
    if (sow_i_node_is_null(group)) return 0;
    if (group->kind != SOW_NODE_MAPPING) return 1;
    for (const sow_i_node *n = group->first; n; n = n->next)
        if (!n->key || strcmp(n->key, key) != 0) return 1;
    return 0;
}

static void check_cells(sow_i_reader *r, sow_config *c, const sow_i_node *root)
{
    if (c->evaluation.measured && same(c->oracle.kind, "lab"))
        sow_i_problem_at_path(r, root, "evaluation.measured", "with a lab nobody knows the truth; remove evaluation.measured, or use oracle.kind: replay or generative");
    c->features.seed = c->seed;
    if (c->readout.kind != SOW_READOUT_CELLS) {
        static const char *const groups[] = {"features", "evaluation"};
        for (size_t k = 0; k < sizeof groups / sizeof *groups; k++)
            if (has_other_than(sow_i_node_child(root, groups[k]), "measured"))
                sow_i_problem_at_path(r, root, groups[k], "%s is for single cells; set readout.kind: cells, or remove it", groups[k]);
        for (sow_index i = 0; i < c->n_sources; i++)
            refuse_cell_keys(r, &c->sources[i], root, i);
        return;
    }
    for (sow_index i = 0; i < c->n_sources; i++) {
        char at[90];
        check_cell_source(r, &c->sources[i], root, i);
        snprintf(at, sizeof at, "data.sources[%lld].perturbation", (long long)i);
        if (c->sources[i].perturbation_column && !c->sources[i].control)
            sow_i_problem_at_path(r, root, at, "single cells are compared with controls: %s.control names their label", at);
    }
    for (sow_index i = 0; i < c->n_sources; i++)
        if (c->features.n_highly_variable > 0 && c->features.flavour == SOW_HVG_SEURAT_V3 && c->sources[i].values == SOW_VALUES_LOG1P) {
            sow_i_problem_at_path(r, root, "features.flavour", "highly variable genes of flavour seurat_v3 need counts, and data.sources[%lld] has values: log1p; use flavour seurat", (long long)i);
            break;
        }
    if (c->features.max_cells_per_perturbation && same(c->oracle.kind, "lab"))
        sow_i_problem_at_path(r, root, "features.max_cells_per_perturbation", "what a lab has measured is not thinned; remove features.max_cells_per_perturbation");
    if (c->readout.column) sow_i_problem_at_path(r, root, "readout.column", "the readout cells is the whole matrix; remove readout.column");
    if (c->readout.n_adjust) sow_i_problem_at_path(r, root, "readout.adjust_for", "adjust_for is for scalars and profiles");
    if (c->readout.transform && !same(c->readout.transform, "none"))
        sow_i_problem_at_path(r, root, "readout.transform", "the readout cells is prepared by `features`; remove readout.transform");
}

static void check_readout(sow_i_reader *r, sow_config *c, const sow_i_node *root)
{
    sow_readout_spec *s = &c->readout;
    if (!given(root, "readout", "kind")) s->kind = s->column || is_generative(c) ? SOW_READOUT_SCALAR : SOW_READOUT_PROFILE;
    if (is_generative(c)) {
        if (s->kind == SOW_READOUT_PROFILE)
            sow_i_problem_at_path(r, root, "readout.kind", "the generative oracle has a scalar readout, or cells");
        if (s->column)
            sow_i_problem_at_path(r, root, "readout.column", "the generative oracle has no columns; remove readout.column");
        return;
    }
    const sow_i_node *kind = sow_i_node_child(sow_i_node_child(root, "readout"), "kind");
    if (kind && (kind->kind != SOW_NODE_SCALAR || sow_i_word_position("scalar,profile,cells", kind->text) < 0))
        return; /* already reported */
    if (s->kind == SOW_READOUT_SCALAR && !s->column)
        sow_i_problem_at_path(r, root, "readout", "a scalar readout needs readout.column, the column with the number");
    if (s->kind == SOW_READOUT_PROFILE && s->column)
        sow_i_problem_at_path(r, root, "readout.column",
                              "a profile readout is the whole row; remove readout.column, or choose kind scalar");
    if (s->kind == SOW_READOUT_SCALAR && same(s->transform, "rank")) /* its value would tell of what is not measured yet */
        sow_i_problem_at_path(r, root, "readout.transform",
                              "rank is for profiles: the rank of a scalar would depend on perturbations that are not measured yet; allowed here are "
                              "none, log1p, log, log2, log10, sqrt, abs");
    for (sow_index i = 0; i < s->n_adjust; i++) {
        if (!same(s->adjust_for[i], "cells") && !same(s->adjust_for[i], "log(cells)")) continue;
        for (sow_index j = 0; j < c->n_sources; j++)
            if (!c->sources[j].cells_column)
                sow_i_problem_at_path(r, root, "readout.adjust_for",
                                      "adjusting for %s needs data.sources[%lld].cells, the column with cell numbers",
                                      s->adjust_for[i], (long long)j);
    }
}

static void check_objective(sow_i_reader *r, sow_config *c, const sow_i_node *root)
{
    int bounds = !isnan(c->objective.below) + !isnan(c->objective.above), top = given(root, "objective", "top");
    if (c->objective.column) {
        if (bounds == 0)
            sow_i_problem_at_path(r, root, "objective.column",
                                  "objective.column needs a bound: objective.below or objective.above");
        if (top)
            sow_i_problem_at_path(r, root, "objective.top",
                                  "hits are either the top share or a column's values; remove objective.top or objective.column");
        if (is_generative(c))
            sow_i_problem_at_path(r, root, "objective.column", "the generative oracle has no columns; use objective.top");
    } else if (bounds) {
        sow_i_problem_at_path(r, root, isnan(c->objective.below) ? "objective.above" : "objective.below",
                              "a bound needs objective.column, the column it is for");
    } else if (!top) {
        c->objective.top = 0.1;
    }
    if (c->objective.or_column && (!c->objective.column || bounds != 1))
        sow_i_problem_at_path(r, root, "objective.or_column", "objective.or_column goes with objective.column and one bound, below or above");
    if (c->objective.below <= c->objective.above && bounds == 2)
        sow_i_problem_at_path(r, root, "objective.below", "no value is above %g and below %g", c->objective.above,
                              c->objective.below);
    if (same(c->objective.kind, "hits") && c->readout.kind != SOW_READOUT_SCALAR && !c->objective.column)
        sow_i_problem_at_path(r, root, "objective.kind",
                              "the objective 'hits' by top share needs a scalar readout (readout.column)");
    c->readout.hit_column = c->objective.column;
    c->readout.or_hit_column = c->objective.or_column;
    c->readout.hit_is_above = !isnan(c->objective.above);
}

static void check_strategy(sow_i_reader *r, const sow_config *c, const sow_i_node *root, const char *path, const char *strategy)
{
    if (!strategy) return;
    int references = is_generative(c) && c->oracle.contexts > c->oracle.targets;
    for (sow_index i = 0; i < c->n_sources; i++)
        references += c->sources[i].role == SOW_ROLE_REFERENCE;
    if (sow_i_spelling_position(sow_i_hit_strategies, strategy) >= 0) {
        if (!same(c->objective.kind, "hits"))
            sow_i_problem_at_path(r, root, path, "strategy '%s' looks for hits and needs objective: {kind: hits}", strategy);
        if (c->readout.kind != SOW_READOUT_SCALAR)
            sow_i_problem_at_path(r, root, path, "strategy '%s' needs a scalar readout (readout.column)", strategy);
    }
    if (sow_i_spelling_position(sow_i_prior_strategies, strategy) >= 0 && c->n_priors == 0 && !is_generative(c) && !same(c->acquisition.representation, "reference"))
        sow_i_problem_at_path(r, root, path, "strategy '%s' measures distances between priors and needs `priors:`", strategy);
    if (sow_i_spelling_position("reference,by-reference", strategy) >= 0 && !references)
        sow_i_problem_at_path(r, root, path, "strategy 'reference' needs a source with role reference");
}

#define OF_CONTEXTS "targets", "context_scale", "context_flip", "context_lose", "context_shift", "context_baseline", "context_coverage"
#define OF_COMBINATIONS "combinations", "interactions"
#define OF_LAB "baseline", "saturation", "guides", "efficiency", "efficiency_sd", "failed_guides", "escapers", "technical_batches", "batch_effect", "batch_depth", "doublets", "dropout", "samples", "lost_samples"

/* In what several simulated contexts differ. */
static void check_contexts(sow_i_reader *r, const sow_config *c, const sow_i_node *root)
{
    static const char *const keys[] = {OF_CONTEXTS};
    for (size_t i = 0; i < sizeof keys / sizeof *keys && c->oracle.contexts == 1; i++) {
        char path[60];
        snprintf(path, sizeof path, "oracle.%s", keys[i]);
        if (given(root, "oracle", keys[i])) sow_i_problem_at_path(r, root, path, "%s is of several contexts, and there is one; set oracle.contexts, or remove it", path);
    }
    if (c->oracle.contexts > 1 && c->oracle.targets > c->oracle.contexts)
        sow_i_problem_at_path(r, root, "oracle.targets", "oracle.targets (%lld) must not exceed oracle.contexts (%lld)", (long long)c->oracle.targets, (long long)c->oracle.contexts);
    if (c->oracle.contexts > 1 && c->oracle.context_flip + c->oracle.context_lose > 1)
        sow_i_problem_at_path(r, root, given(root, "oracle", "context_flip") ? "oracle.context_flip" : "oracle.context_lose",
                              "a program cannot be flipped with probability %g and lost with probability %g: together at most 1", c->oracle.context_flip, c->oracle.context_lose);
}

static void check_needs_key(sow_i_reader *r, const sow_i_node *root, const char *const *keys, const char *what)
{
    for (size_t i = 0; keys[i]; i++) {
        char path[60];
        snprintf(path, sizeof path, "oracle.%s", keys[i]);
        if (given(root, "oracle", keys[i])) sow_i_problem_at_path(r, root, path, "%s does nothing without %s; set it, or remove %s", path, what, path);
    }
}

/* What a simulated lab has. */
static void check_lab(sow_i_reader *r, const sow_config *c, const sow_i_node *root)
{
    static const char *const of_guides[] = {"efficiency", "efficiency_sd", "failed_guides", NULL}, *const of_batches[] = {"batch_effect", "batch_depth", NULL};
    static const char *const of_loss[] = {"samples", NULL};
    const double e = c->oracle.efficiency, most = sqrt(e * (1 - e));
    if (c->oracle.guides == 0) check_needs_key(r, root, of_guides, "oracle.guides");
    if (c->oracle.technical_batches == 1) check_needs_key(r, root, of_batches, "several oracle.technical_batches");
    if (!(c->oracle.lost_samples > 0)) check_needs_key(r, root, of_loss, "oracle.lost_samples");
    if (c->oracle.guides > 0 && c->oracle.efficiency_sd > 0 && !(c->oracle.efficiency_sd < most))
        sow_i_problem_at_path(r, root, "oracle.efficiency_sd", "oracle.efficiency_sd is %g; efficiencies between 0 and 1 with a mean of %g have a standard deviation below %.3g: lower it, or set oracle.efficiency",
                              c->oracle.efficiency_sd, e, most);
    if (!isnan(c->oracle.saturation) && c->design.reads_per_cell <= 0)
        sow_i_problem_at_path(r, root, "oracle.saturation", "oracle.saturation says how many UMIs follow from design.reads_per_cell, which is not above 0; set it");
}

/* How many there may be depends on how many perturbations are strong, which the simulator knows. A weight that could not be read is 0 here, and has been said to be wrong. */
static void check_combinations(sow_i_reader *r, const sow_config *c, const sow_i_node *root)
{
    static const char *const of_combinations[] = {"interactions", NULL};
    int some = r->n_problems > 0, known = 0;
    if (c->oracle.combinations == 0) check_needs_key(r, root, of_combinations, "oracle.combinations");
    for (size_t k = 0; k < sizeof c->oracle.interactions / sizeof *c->oracle.interactions; k++) {
        known += !isnan(c->oracle.interactions[k]);
        some += c->oracle.interactions[k] > 0;
    }
    if (known > 0 && !some) sow_i_problem_at_path(r, root, "oracle.interactions", "oracle.interactions gives every kind it names a weight of 0, and the others have none; give one of them a weight above 0");
}

/* Keys of the generative oracle that only one of its two readouts knows. */
static void check_generative(sow_i_reader *r, const sow_config *c, const sow_i_node *root)
{
    static const char *const of_cells[] = {"genes", "programs", "controls", "contexts", OF_CONTEXTS, OF_LAB, OF_COMBINATIONS, NULL}, *const of_scalar[] = {"failure_rate", "noise_per_cell", NULL};
    const int cells = c->readout.kind == SOW_READOUT_CELLS;
    const char *const *wrong = cells ? of_scalar : of_cells;
    for (size_t i = 0; wrong[i]; i++) {
        char path[60];
        snprintf(path, sizeof path, "oracle.%s", wrong[i]);
        if (given(root, "oracle", wrong[i]))
            sow_i_problem_at_path(r, root, path, "%s is for a simulated screen with %s", path, cells ? "a scalar readout" : "`readout: {kind: cells}`");
    }
    if (cells) check_contexts(r, c, root);
    if (cells) check_lab(r, c, root);
    if (cells) check_combinations(r, c, root);
    if (c->oracle.modules > c->oracle.perturbations)
        sow_i_problem_at_path(r, root, "oracle.modules", "oracle.modules (%lld) must not exceed oracle.perturbations (%lld)", (long long)c->oracle.modules,
                              (long long)c->oracle.perturbations);
}

static void check_held_out(sow_i_reader *r, const sow_config *c, const sow_i_node *root)
{
    int n = !isnan(c->oracle.held_fraction) + (c->oracle.held_count >= 0) + (c->oracle.held_list != NULL);
    if (n > 1) sow_i_problem_at_path(r, root, "oracle.held_out", "oracle.held_out takes one of fraction, count and list");
    if (is_generative(c)) {
        check_generative(r, c, root);
        return;
    }
    static const char *const only[] = {"failure_rate", "perturbations",   "modules",       "prior_dims", "genes", "programs", "controls",
                                       "cells",        "informativeness", "noise_per_cell", "contexts",   OF_CONTEXTS, OF_LAB, OF_COMBINATIONS};
    for (size_t i = 0; i < sizeof only / sizeof *only && c->oracle.kind; i++) {
        char path[60];
        snprintf(path, sizeof path, "oracle.%s", only[i]);
        if (given(root, "oracle", only[i]))
            sow_i_problem_at_path(r, root, path, "%s is for the generative oracle; this one is '%s'", path, c->oracle.kind);
    }
}

static void check_prior(sow_i_reader *r, const sow_config *c, const sow_i_node *root, sow_index i)
{
    const sow_prior_spec *p = &c->priors[i];
    char at[60];
    const sow_i_node *entry = sow_i_node_item(sow_i_node_child(root, "priors"), i);
    if (!entry || entry->kind != SOW_NODE_MAPPING) return; /* already reported */
    snprintf(at, sizeof at, "priors[%lld]", (long long)i);
    for (sow_index j = 0; j < i; j++)
        if (same(p->name, c->priors[j].name)) {
            char name[70];
            snprintf(name, sizeof name, "%s.name", at);
            sow_i_problem_at_path(r, root, name, "two priors are named '%s'; names must differ", p->name);
        }
    if (!p->file == !p->context) sow_i_problem_at_path(r, root, at, "%s needs either a file or a context", at);
    if (p->context && c->readout.kind == SOW_READOUT_CELLS)
        sow_i_problem_at_path(r, root, at, "%s.context: with `readout: {kind: cells}` what a context measured is no prior, since responses of cells have no genes of their own before round 0; models learn from reference contexts without it, strategies see them with `acquisition.representation: reference`: take this prior out, or give it a file",
                              at);
    size_t n = p->file ? strlen(p->file) : 0;
    int npy = n > 4 && strcmp(p->file + n - 4, ".npy") == 0;
    if (npy && !p->names)
        sow_i_problem_at_path(r, root, at, "%s is an .npy file and needs `names`, a file with the name of each row", at);
    if (!npy && p->names) sow_i_problem_at_path(r, root, at, "%s: `names` is for .npy files", at);
    if (p->max_set_size && p->max_set_size < p->min_set_size)
        sow_i_problem_at_path(r, root, at, "%s: max_set_size %lld is below min_set_size %lld", at, (long long)p->max_set_size,
                              (long long)p->min_set_size);
}

/* A prior's name used elsewhere; the generative oracle brings one of its own. */
static void check_prior_name(sow_i_reader *r, const sow_config *c, const sow_i_node *root, const char *path, const char *name)
{
    const char *names[65] = {NULL};
    sow_index n = 0;
    for (sow_index i = 0; i < c->n_priors && n < 64; i++)
        if (c->priors[i].name) names[n++] = c->priors[i].name;
    if (is_generative(c)) names[n++] = "simulated";
    if (!name || among(names, n, name)) return;
    const char *near = sow_nearest_of(names, n, name);
    sow_i_problem_at_path(r, root, path, "no prior is named '%s'%s%s%s", name,
                          near ? "; did you mean '"
                          : n  ? ""
                               : " (there are none)",
                          near ? near : "", near ? "'?" : "");
}

static void say_not_published(sow_i_reader *r, const sow_i_node *root, const char *key)
{
    char path[60];
    snprintf(path, sizeof path, "model.%s", key);
    sow_i_problem_at_path(r, root, path, "%s is not as published; remove it, or model.mode: reference", path);
}

/* Numbers that the published code fixes; a 0 that stands for "chosen" is one that leaves it to them. */
static void check_published_numbers(sow_i_reader *r, const sow_config *c, const sow_i_node *root)
{
    const struct {
        const char *key;
        double value, published, chosen;
    } fixed[] = {{"batch", (double)c->model.batch, 32, 32},   {"segments", (double)c->model.segments, 1, 0}, {"kernels", (double)c->model.kernels, 10, 10},
                 {"learning_rate", c->model.learning_rate, 1e-4, 0}, {"clamp", c->model.clamp, 0.5, 0.5},    {"gamma1", c->model.gamma1, 1, 1},
                 {"gamma2", c->model.gamma2, 0, 0},                  {"sigma", c->model.sigma, 1500, 0}};
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (given(root, "model", fixed[i].key) && fixed[i].value != fixed[i].published && fixed[i].value != fixed[i].chosen)
            say_not_published(r, root, fixed[i].key);
}

/* As published is all of it: what it fixes cannot be given beside it. */
static void check_reference_mode(sow_i_reader *r, sow_config *c, const sow_i_node *root)
{
    const struct {
        const char *key;
        int *value;
    } fixed[] = {{"unbiased", &c->model.unbiased},       {"fresh_controls", &c->model.fresh_controls}, {"weighted_criterion", &c->model.weighted_criterion},
                 {"mean_latent", &c->model.mean_latent}, {"small_groups", &c->model.small_groups},     {"paired_change", &c->model.paired_change},
                 {"scaled_prior", &c->model.scaled_prior}, {"last_weights", &c->model.last_weights}, {"stack", &c->model.stack}};
    const struct {
        const char *key;
        double *value;
    } none[] = {{"prior_noise", &c->model.prior_noise}, {"mean_epochs", &c->model.mean_epochs}};
    if (!same(c->model.mode, "reference")) return;
    check_published_numbers(r, c, root);
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        if (given(root, "model", none[i].key) && *none[i].value != 0) say_not_published(r, root, none[i].key);
        *none[i].value = 0;
    }
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        if (given(root, "model", fixed[i].key) && *fixed[i].value) say_not_published(r, root, fixed[i].key);
        *fixed[i].value = 0;
    }
}

/* Three experts, a prior each; the generative oracle brings one. */
static void check_experts(sow_i_reader *r, const sow_config *c, const sow_i_node *root)
{
    const sow_index n = c->model.n_use ? c->model.n_use : c->n_priors + is_generative(c);
    if (same(c->model.variant, "moe") && n != 3)
        sow_i_problem_at_path(r, root, "model.variant", "variant moe has three experts, one a prior: three priors are needed, there %s %lld%s", n == 1 ? "is" : "are", (long long)n,
                              n > 3 ? "; choose three by model.prior" : "");
}

static void check_morph(sow_i_reader *r, sow_config *c, const sow_i_node *root)
{
    check_reference_mode(r, c, root);
    if (!same(c->model.kind, "morph")) {
        const int learned = same(c->acquisition.representation, "learned");
        if (learned) sow_i_problem_at_path(r, root, "acquisition.representation", "the learned representation is the latent of `model: {kind: morph}`; this model is '%s'", c->model.kind ? c->model.kind : "");
        return;
    }
    if (c->readout.kind != SOW_READOUT_CELLS)
        sow_i_problem_at_path(r, root, "model.kind", "model 'morph' learns from single cells and needs readout: {kind: cells}");
    check_experts(r, c, root);
}

/* Programs have no use for the network's settings. */
static void check_programs(sow_i_reader *r, const sow_i_node *root, const sow_i_node *group)
{
    static const char *const of_network[] = {"embedding",   "rows",       "fusion",     "method",    "split",   "balanced", "fresh_controls", "steps",  "tasks",   "batch",    "inner_batches", "inner_steps",
                                             "adapt_steps", "inner_rate", "adapt_rate", "meta_rate", "dropout", "clip",     "latent",         "hidden", "members", "validate", "patience",      "cell_encoder",
                                             "hypernetwork"};
    for (size_t i = 0; i < sizeof of_network / sizeof *of_network; i++) {
        char path[60];
        if (sow_i_node_is_null(sow_i_node_child(group, of_network[i]))) continue;
        snprintf(path, sizeof path, "model.hypermap.%s", of_network[i]);
        sow_i_problem_at_path(r, root, path, "%s is about the network; set model.hypermap.form: network, or remove it", path);
    }
}

/* What mode reference fixes cannot be given as something else. */
static void check_hypermap(sow_i_reader *r, const sow_config *c, const sow_i_node *root)
{
    const struct {
        const char *key;
        int published;
    } fixed[] = {{"form", same(c->model.hypermap.form, "network")},
                 {"rows", same(c->model.hypermap.rows, "cells")},
                 {"fusion", same(c->model.hypermap.fusion, "rows")},
                 {"split", same(c->model.hypermap.split, "cells")},
                 {"embedding", !same(c->model.hypermap.embedding, "response")},
                 {"balanced", !c->model.hypermap.balanced},
                 {"fresh_controls", !c->model.hypermap.fresh_controls},
                 {"validate", !c->model.hypermap.validate}};
    const sow_i_node *group = sow_i_node_child(sow_i_node_child(root, "model"), "hypermap");
    if (!same(c->model.kind, "hypermap")) return;
    if (c->readout.kind == SOW_READOUT_SCALAR) sow_i_problem_at_path(r, root, "model.kind", "model 'hypermap' carries responses of many genes into a new context: readout profile or cells; for one number use gp");
    if (!same(c->model.mode, "reference")) {
        if (same(c->model.hypermap.form, "programs")) check_programs(r, root, group);
        return;
    }
    if (c->readout.kind == SOW_READOUT_PROFILE) sow_i_problem_at_path(r, root, "model.mode", "model 'hypermap' as published learns from single cells; this readout is profiles: use model.mode: default");
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        char key[48];
        snprintf(key, sizeof key, "hypermap.%s", fixed[i].key);
        if (!sow_i_node_is_null(sow_i_node_child(group, fixed[i].key)) && !fixed[i].published) say_not_published(r, root, key);
    }
}

static void check_model(sow_i_reader *r, sow_config *c, const sow_i_node *root)
{
    check_morph(r, c, root);
    check_hypermap(r, c, root);
    for (sow_index i = 0; i < c->model.n_use; i++) {
        char at[60];
        snprintf(at, sizeof at, "model.prior[%lld]", (long long)i);
        check_prior_name(r, c, root, at, c->model.use[i]);
    }
    if (c->model.kind && sow_i_word_position(sow_i_prior_models, c->model.kind) >= 0 && c->n_priors == 0 && !is_generative(c))
        sow_i_problem_at_path(r, root, "model.kind", "model '%s' learns from priors and needs `priors:`", c->model.kind);
}

static void check_quota(sow_i_reader *r, const sow_config *c, const sow_i_node *root, sow_index i)
{
    const sow_config_quota *q = &c->constraints.quota[i];
    char at[60], prior[70];
    snprintf(at, sizeof at, "constraints.quota[%lld]", (long long)i);
    snprintf(prior, sizeof prior, "%s.prior", at);
    if ((q->prior || q->set) && q->n_names)
        sow_i_problem_at_path(r, root, at, "%s takes prior and set, or names, not both", at);
    else if (!q->n_names && !(q->prior && q->set) && (q->prior || q->set || !q->context))
        sow_i_problem_at_path(r, root, at, "%s needs prior and set, or names, or context", at);
    if (q->at_most < 0 && q->at_least == 0) sow_i_problem_at_path(r, root, at, "%s needs at_most or at_least", at);
    if (q->at_most >= 0 && q->at_least > q->at_most)
        sow_i_problem_at_path(r, root, at, "%s: at_least %lld is above at_most %lld", at, (long long)q->at_least,
                              (long long)q->at_most);
    check_prior_name(r, c, root, prior, q->prior);
}

static void check_constraints(sow_i_reader *r, const sow_config *c, const sow_i_node *root)
{
    for (sow_index i = 0; i < c->constraints.n_exclude; i++) {
        const sow_config_exclude *e = &c->constraints.exclude[i];
        char at[70];
        snprintf(at, sizeof at, "constraints.exclude[%lld]", (long long)i);
        if (!e->n_names == !e->file) sow_i_problem_at_path(r, root, at, "constraints.exclude needs names or a file, one of them");
        for (sow_index j = 0; j < e->n_names; j++)
            if (among(c->constraints.include, c->constraints.n_include, e->names[j]))
                sow_i_problem_at_path(
                    r, root, at, "'%s' is both in constraints.include and in constraints.exclude; take it out of one", e->names[j]);
    }
    for (sow_index j = 0; j < c->constraints.n_controls; j++)
        if (among(c->constraints.include, c->constraints.n_include, c->constraints.controls[j]))
            sow_i_problem_at_path(r, root, "constraints.controls",
                                  "'%s' is both in constraints.include and in constraints.controls, which are never candidates",
                                  c->constraints.controls[j]);
    for (sow_index i = 0; i < c->constraints.n_quota; i++)
        check_quota(r, c, root, i);
}

void sow_i_config_check(sow_i_reader *r, sow_config *c, const sow_i_node *root)
{
    check_name(r, c, root);
    check_sources(r, c, root);
    check_readout(r, c, root);
    check_cells(r, c, root);
    for (sow_index i = 0; i < c->n_priors; i++)
        check_prior(r, c, root, i);
    check_model(r, c, root);
    check_objective(r, c, root);
    check_strategy(r, c, root, "acquisition.strategy", c->rounds.n_batches ? c->acquisition.strategy : NULL);
    check_strategy(r, c, root, "rounds.initial.strategy", c->rounds.initial_strategy);
    check_held_out(r, c, root);
    check_constraints(r, c, root);
    sow_i_config_check_costs(r, c, root);
    if (c->guides.file && c->guides.n_id != c->guides.n_sequence)
        sow_i_problem_at_path(r, root, "design.guides.sequence",
                              "design.guides has %lld id columns and %lld sequence columns; they go in pairs",
                              (long long)c->guides.n_id, (long long)c->guides.n_sequence);
}
