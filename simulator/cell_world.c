/* The simulated single-cell screen: options, the screen's table, and the parts put together. */
#include "simulator/cell_world.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "simulator/cell_world_internal.h"

enum { MOST_GENES = 16384 }; /* cell_world_cells.c packs a gene in 14 bits */

static sow_status check_count(const char *what, sow_index n, sow_index least, sow_index most, sow_error *err)
{
    if (n >= least && n <= most) return SOW_OK;
    return SOW_ERROR(err, SOW_E_ARG, "a simulated screen with %s = %lld: %lld to %lld are allowed", what, (long long)n, (long long)least, (long long)most);
}

static sow_status check_number(const char *what, double x, double most, sow_error *err)
{
    if (x >= 0 && x <= most) return SOW_OK;
    return SOW_ERROR(err, SOW_E_ARG, "a simulated screen with %s = %g: 0 to %g is allowed", what, x, most);
}

static sow_status check_lab(const sow_cell_world_options *o, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_TRY(check_number("depth", o->depth, 1e9, err));
    SOW_TRY(check_count("guides", o->guides, 0, 1000, err));
    SOW_TRY(check_number("efficiency", o->efficiency, 1, err));
    SOW_TRY(check_number("efficiency_sd", o->efficiency_sd, 1, err));
    SOW_TRY(check_number("failed_guides", o->failed_guides, 1, err));
    SOW_TRY(check_number("escapers", o->escapers, 1, err));
    SOW_TRY(check_count("batches", o->batches, 1, 10000, err));
    SOW_TRY(check_number("batch_effect", o->batch_effect, 3, err));
    SOW_TRY(check_number("batch_depth", o->batch_depth, 3, err));
    SOW_TRY(check_number("doublets", o->doublets, 1, err));
    SOW_TRY(check_number("dropout", o->dropout, 10, err));
    if (o->efficiency_sd > 0 && !(o->efficiency_sd * o->efficiency_sd < o->efficiency * (1 - o->efficiency)))
        SOW_FAIL(err, SOW_E_ARG, "a simulated screen with efficiency_sd = %g: with efficiency = %g it is below %.3g", o->efficiency_sd, o->efficiency, sqrt(o->efficiency * (1 - o->efficiency)));
    if (o->measured && (o->measured->genes.n < 2))
        SOW_FAIL(err, SOW_E_ARG, "a simulated screen of a measured baseline of %lld genes: at least 2 are needed", (long long)o->measured->genes.n);
done:
    return st;
}

static sow_status check_combinations(const sow_cell_world_options *o, sow_error *err)
{
    sow_status st = SOW_OK;
    double sum = 0;
    SOW_TRY(check_count("n_combinations", o->n_combinations, 0, sow_most_combinations(o->n_perturbations), err));
    for (int k = 0; k < SOW_INTERACTIONS; k++) {
        SOW_TRY(check_number(sow_interaction_name(k), o->interactions[k], 1e9, err));
        sum += o->interactions[k];
    }
    if (o->n_combinations > 0 && !(sum > 0)) SOW_FAIL(err, SOW_E_ARG, "a simulated screen with interactions that are all 0: one of them is above 0");
done:
    return st;
}

static sow_status check_options(const sow_cell_world_options *o, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_TRY(check_count("n_perturbations", o->n_perturbations, 2, 200000, err));
    SOW_TRY(check_count("n_genes", o->n_genes, 2, MOST_GENES, err));
    SOW_TRY(check_count("n_modules", o->n_modules, 1, o->n_perturbations, err));
    SOW_TRY(check_count("n_programs", o->n_programs, 1, 10000, err));
    SOW_TRY(check_count("n_controls", o->n_controls, 2, 10000000, err));
    SOW_TRY(check_count("prior_dims", o->prior_dims, 1, 4096, err));
    SOW_TRY(check_count("n_contexts", o->n_contexts, 1, 1000, err));
    SOW_TRY(check_count("n_targets", o->n_targets, 1, o->n_contexts, err));
    SOW_TRY(check_number("context_scale", o->context_scale, 3, err));
    SOW_TRY(check_number("context_flip", o->context_flip, 1, err));
    SOW_TRY(check_number("context_lose", o->context_lose, 1, err));
    SOW_TRY(check_number("context_shift", o->context_shift, 100, err));
    SOW_TRY(check_number("context_baseline", o->context_baseline, 3, err));
    SOW_TRY(check_number("prior_informativeness", o->prior_informativeness, 1, err));
    if (!(o->context_flip + o->context_lose <= 1))
        SOW_FAIL(err, SOW_E_ARG, "a simulated screen with context_flip = %g and context_lose = %g: together 0 to 1 is allowed", o->context_flip, o->context_lose);
    if (!(o->context_coverage > 0 && o->context_coverage <= 1))
        SOW_FAIL(err, SOW_E_ARG, "a simulated screen with context_coverage = %g: above 0, to 1 is allowed", o->context_coverage);
    if (!(o->cells_median >= 1 && o->cells_median <= 100000))
        SOW_FAIL(err, SOW_E_ARG, "a simulated screen with cells_median = %g: 1 to 100000 is allowed", o->cells_median);
    SOW_TRY(check_lab(o, err));
    SOW_TRY(check_combinations(o, err));
done:
    return st;
}

sow_status sow_i_cell_world_options(sow_cell_world_options *out, const sow_cell_world_options *options, sow_error *err)
{
    const sow_cell_world_options defaults = SOW_CELL_WORLD_OPTIONS_INIT;
    *out = options ? *options : defaults;
    const sow_status st = check_options(out, err);
    if (st == SOW_OK && out->measured && out->n_genes > out->measured->genes.n) out->n_genes = out->measured->genes.n;
    return st;
}

static void name_single(char *name, size_t size, const sow_i_cell_world *w, sow_index i)
{
    const sow_index n = w->o->n_perturbations;
    snprintf(name, size, "P%0*d", n > 99999 ? 6 : n > 9999 ? 5 : 4, (int)(i + 1));
}

void sow_i_world_name(char *name, size_t size, const sow_i_cell_world *w, sow_index i)
{
    const sow_combination *both = sow_i_combination_at(w, i);
    name_single(name, size, w, both ? both->first : i);
    if (!both) return;
    const size_t used = strlen(name);
    snprintf(name + used, size - used, "+");
    name_single(name + used + 1, size - used - 1, w, both->second);
}

static sow_status add_agent(sow_perturbation *p, const sow_i_cell_world *w, sow_index i, sow_error *err)
{
    char name[32];
    name_single(name, sizeof name, w, i);
    p->dose[p->n_agents] = NAN;
    p->agent[p->n_agents] = sow_strdup(name);
    if (!p->agent[p->n_agents]) return SOW_ERROR(err, SOW_E_NOMEM, "out of memory for the names of the simulated screen");
    p->n_agents++;
    return SOW_OK;
}

static sow_status name_perturbations(sow_screen *s, const sow_i_cell_world *w, sow_error *err)
{
    sow_status st = SOW_OK;
    char name[40];
    SOW_NEW(s->detail, w->n);
    for (sow_index i = 0; i < w->n; i++) {
        sow_perturbation *p = &s->detail[i];
        const sow_combination *both = sow_i_combination_at(w, i);
        sow_i_world_name(name, sizeof name, w, i);
        SOW_TRY(sow_names_add(s->perturbations, name, NULL, err));
        SOW_NEW(p->agent, both ? 2 : 1);
        SOW_NEW(p->dose, both ? 2 : 1);
        SOW_TRY(add_agent(p, w, both ? both->first : i, err));
        if (both) SOW_TRY(add_agent(p, w, both->second, err));
    }
done:
    return st;
}

/* The first are those to plan in. */
static sow_status name_contexts(sow_screen *s, sow_index n, sow_index n_targets, sow_error *err)
{
    sow_status st = SOW_OK;
    char name[32];
    SOW_NEW(s->context_role, n);
    for (sow_index k = 0; k < n; k++) {
        snprintf(name, sizeof name, "C%d", (int)(k + 1));
        SOW_TRY(sow_names_add(s->contexts, n == 1 ? "simulated" : name, NULL, err));
        s->context_role[k] = k < n_targets ? SOW_ROLE_TARGET : SOW_ROLE_REFERENCE;
    }
done:
    return st;
}

static sow_status screen_of(sow_screen **out, const sow_i_cell_world *w, const sow_cells *cells, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_screen *s = NULL;
    double *unknown = NULL;
    const sow_index n = w->n, genes = w->o->n_genes, contexts = w->o->n_contexts;
    SOW_TRY(sow_screen_create(&s, SOW_READOUT_CELLS, err));
    SOW_TRY(name_perturbations(s, w, err));
    SOW_TRY(name_contexts(s, contexts, w->o->n_targets, err));
    SOW_NEW(unknown, genes);
    for (sow_index g = 0; g < genes; g++) {
        SOW_TRY(sow_names_add(s->features, sow_names_get(cells->genes, g), NULL, err));
        unknown[g] = NAN;
    }
    for (sow_index i = 0; i < n; i++)
        for (sow_index k = 0; k < contexts; k++) {
            const double measured = (double)w->cells[k * n + i];
            if (measured > 0) SOW_TRY(sow_screen_add_row(s, i, k, measured, measured, unknown, NULL, NAN, err));
        }
    SOW_TRY(sow_screen_merge(s, err));
    *out = s;
    s = NULL;
done:
    free(unknown);
    sow_screen_destroy(s);
    return st;
}

/* Takes the change from the world. */
static sow_status truth_of(sow_cell_truth *out, sow_i_cell_world *w, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(out->module, w->n);
    out->n = w->n;
    out->n_combinations = w->o->n_combinations;
    out->genes = w->o->n_genes;
    out->n_contexts = w->o->n_contexts;
    for (sow_index i = 0; i < out->n; i++)
        out->module[i] = sow_i_combination_at(w, i) ? -1 : w->module[2 * i];
    out->change = w->change;
    out->loading = w->loading;
    out->growth = w->growth;
    out->efficiency = w->efficiency;
    out->combination = w->combination;
    out->deviation = w->deviation;
    out->programs = w->o->n_programs;
    out->guides = w->o->guides;
    w->change = w->loading = w->growth = w->efficiency = w->deviation = NULL;
    w->combination = NULL;
done:
    return st;
}

void sow_cell_truth_clear(sow_cell_truth *t)
{
    free(t->change);
    free(t->module);
    free(t->loading);
    free(t->growth);
    free(t->efficiency);
    free(t->combination);
    free(t->deviation);
    memset(t, 0, sizeof *t);
}

sow_status sow_cell_world_create(sow_cells *cells, sow_screen **screen, sow_prior *prior, sow_cell_truth *truth, const sow_cell_world_options *options,
                                 const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_cell_world_options used;
    sow_i_cell_world w = {0};
    sow_cells made = {0};
    sow_screen *table = NULL;
    sow_prior known = {0};
    memset(cells, 0, sizeof *cells);
    *screen = NULL;
    if (prior) memset(prior, 0, sizeof *prior);
    if (truth) memset(truth, 0, sizeof *truth);
    SOW_TRY(sow_i_cell_world_options(&used, options, err));
    SOW_TRY(sow_i_cell_world_draw(&w, &used, env, err));
    SOW_TRY(sow_i_cell_world_cells(&made, &w, env, err));
    SOW_TRY(screen_of(&table, &w, &made, err));
    if (prior) SOW_TRY(sow_i_cell_world_prior(&known, &w, err));
    if (truth) SOW_TRY(truth_of(truth, &w, err));
    *cells = made;
    made = (sow_cells){0};
    *screen = table;
    table = NULL;
    if (prior) *prior = known;
    known = (sow_prior){0};
done:
    sow_prior_clear(&known);
    sow_screen_destroy(table);
    sow_cells_clear(&made);
    sow_i_cell_world_clear(&w);
    return st;
}

/* ---- piece by piece ---- */

enum { BLOCK = 4096 }; /* cells */

struct sow_cell_stream {
    sow_cell_world_options o;
    sow_i_cell_world w;
    sow_cells cells;
    sow_screen *screen;
    sow_index *first, at;
    sow_cell_arrays block;
};

static void clear_block(sow_cell_stream *s)
{
    free(s->block.start);
    free(s->block.gene);
    free(s->block.value);
    s->block = (sow_cell_arrays){0};
}

void sow_cell_stream_destroy(sow_cell_stream *s)
{
    if (!s) return;
    clear_block(s);
    sow_cells_clear(&s->cells);
    sow_screen_destroy(s->screen);
    sow_i_cell_world_clear(&s->w);
    free(s->first);
    free(s);
}

sow_status sow_cell_stream_create(sow_cell_stream **out, const sow_cell_world_options *options, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_cell_stream *s = NULL;
    *out = NULL;
    SOW_NEW(s, 1);
    SOW_TRY(sow_i_cell_world_options(&s->o, options, err));
    SOW_TRY(sow_i_cell_world_draw(&s->w, &s->o, env, err));
    SOW_TRY(sow_i_cell_world_labels(&s->cells, &s->first, &s->w, err));
    SOW_TRY(screen_of(&s->screen, &s->w, &s->cells, err));
    *out = s;
    s = NULL;
done:
    sow_cell_stream_destroy(s);
    return st;
}

const sow_cells *sow_cell_stream_cells(const sow_screen **screen, const sow_cell_stream *s)
{
    if (screen) *screen = s->screen;
    return &s->cells;
}

sow_status sow_cell_stream_next(sow_index *n, const int64_t **start, const int32_t **gene, const float **value, sow_cell_stream *s, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index to = s->at + BLOCK < s->cells.n ? s->at + BLOCK : s->cells.n;
    *n = 0;
    clear_block(s);
    if (s->at == to) return SOW_OK;
    SOW_TRY(sow_i_cell_world_counts(&s->block, &s->w, &s->cells, s->first, s->at, to, env, err));
    *n = to - s->at;
    *start = s->block.start;
    *gene = s->block.gene;
    *value = s->block.value;
    s->at = to;
done:
    return st;
}

sow_status sow_cell_stream_truth(sow_cell_truth *truth, sow_cell_stream *s, sow_error *err)
{
    *truth = (sow_cell_truth){0};
    s->at = s->cells.n;
    const sow_status st = truth_of(truth, &s->w, err);
    if (st != SOW_OK) sow_cell_truth_clear(truth);
    return st;
}
