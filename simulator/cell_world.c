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
done:
    return st;
}

static sow_status name_perturbations(sow_screen *s, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    char name[32];
    const int width = n > 99999 ? 6 : n > 9999 ? 5 : 4; /* zero-padded, so that name order is number order */
    SOW_NEW(s->detail, n);
    for (sow_index i = 0; i < n; i++) {
        sow_perturbation *p = &s->detail[i];
        snprintf(name, sizeof name, "P%0*d", width, (int)(i + 1));
        SOW_TRY(sow_names_add(s->perturbations, name, NULL, err));
        SOW_NEW(p->agent, 1);
        p->n_agents = 1;
        SOW_NEW(p->dose, 1);
        p->dose[0] = NAN;
        p->agent[0] = sow_strdup(name);
        if (!p->agent[0]) SOW_FAIL(err, SOW_E_NOMEM, "out of memory for the names of the simulated screen");
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
    const sow_index n = w->o->n_perturbations, genes = w->o->n_genes, contexts = w->o->n_contexts;
    SOW_TRY(sow_screen_create(&s, SOW_READOUT_CELLS, err));
    SOW_TRY(name_perturbations(s, n, err));
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
    SOW_NEW(out->module, w->o->n_perturbations);
    out->n = w->o->n_perturbations;
    out->genes = w->o->n_genes;
    out->n_contexts = w->o->n_contexts;
    for (sow_index i = 0; i < out->n; i++)
        out->module[i] = w->module[2 * i];
    out->change = w->change;
    w->change = NULL;
done:
    return st;
}

void sow_cell_truth_clear(sow_cell_truth *t)
{
    free(t->change);
    free(t->module);
    memset(t, 0, sizeof *t);
}

sow_status sow_cell_world_create(sow_cells *cells, sow_screen **screen, sow_prior *prior, sow_cell_truth *truth, const sow_cell_world_options *options,
                                 const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_cell_world_options defaults = SOW_CELL_WORLD_OPTIONS_INIT;
    sow_i_cell_world w = {0};
    sow_cells made = {0};
    sow_screen *table = NULL;
    sow_prior known = {0};
    memset(cells, 0, sizeof *cells);
    *screen = NULL;
    if (prior) memset(prior, 0, sizeof *prior);
    if (truth) memset(truth, 0, sizeof *truth);
    if (!options) options = &defaults;
    SOW_TRY(check_options(options, err));
    SOW_TRY(sow_i_cell_world_draw(&w, options, env, err));
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
