/* What `check` and `status` tell, as JSON. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/linalg.h"
#include "core/memory.h"
#include "planner/cells_internal.h"

static json_t *contexts_json(const sow_campaign *c)
{
    json_t *rows = json_array();
    const sow_screen *s = c->screen;
    for (sow_index k = 0; k < sow_names_count(s->contexts); k++) {
        sow_index n = 0;
        for (sow_index r = 0; r < s->n_rows; r++)
            n += s->context[r] == k;
        json_array_append_new(rows, json_pack("{s:s,s:s,s:I}", "context", sow_names_get(s->contexts, k), "role",
                                              sow_i_site_of_context(c, k) >= 0 ? "target" : "reference", "perturbations", (json_int_t)n));
    }
    return rows;
}

static json_t *cells_json(const sow_campaign *c)
{
    const sow_cells *t = &c->cells->table;
    sow_index controls = 0, values = 0;
    for (sow_index s = 0; s < c->n_sites; s++)
        controls += t->n ? sow_cells_of(NULL, t, SOW_CONTROL, c->site[s].target) : 0;
    for (sow_index m = 0; m < t->n_matrices; m++)
        values += t->matrix[m].start[t->matrix[m].n_cells];
    return json_pack("{s:I,s:I,s:I,s:I,s:I}", "cells", (json_int_t)t->n, "controls", (json_int_t)controls, "genes", (json_int_t)sow_names_count(t->genes),
                     "technical_batches", (json_int_t)sow_names_count(t->batches), "values", (json_int_t)values);
}

static json_t *planned_bill_json(const sow_campaign *c)
{
    double cents = 0, weeks = 0;
    const sow_index overlap = sow_rounds_overlapping(&c->config->costs);
    json_t *rounds = json_array(), *rows = json_array();
    for (sow_index r = 0; r < c->n_rounds && sow_i_batch_size(c, r) > 0; r++) {
        const sow_index size = sow_i_batch_size(c, r);
        sow_bill bill;
        sow_i_bill_evenly(c, r, size, &bill);
        sow_i_bill_add(rows, &bill);
        cents += round(100 * bill.total);
        weeks = sow_i_weeks_by(c, r);
        json_t *row = sow_i_bill_json(&bill);
        json_object_update_new(row, json_pack("{s:I,s:I,s:s,s:f,s:f}", "round", (json_int_t)r, "size", (json_int_t)size, "strategy", r <= overlap ? c->initial_strategy->name : c->strategy->name, "cost", bill.total, "results_after_weeks",
                                              weeks));
        json_array_append_new(rounds, row);
    }
    json_t *j = json_pack("{s:s,s:o,s:o,s:f,s:f,s:I}", "currency", c->config->costs.currency, "rows", rows, "rounds", rounds, "total", cents / 100, "weeks", weeks, "rounds_overlapping", (json_int_t)overlap);
    json_t *budget = sow_i_budget_json(c);
    if (budget) json_object_set_new(j, "budget", budget);
    return j;
}

/* Cells: responses of every group (their values, the model's, the predictions), controls and held-out cells as rows; the matrices are page cache. Reading a
 * cell costs some 10 ns a value, and a campaign reads each some four times a round. */
static void add_effort_of_cells(double *seconds, double *memory, const sow_campaign *c)
{
    double genes = (double)sow_names_count(c->cells->table.genes), held = 0;
    if (c->config->features.n_highly_variable) genes = fmin(genes, (double)(c->config->features.n_highly_variable * sow_names_count(c->screen->contexts)));
    for (sow_index r = 0; r < c->screen->n_rows; r++) {
        const sow_index site = sow_i_site_of_context(c, c->screen->context[r]);
        if (site >= 0 && c->site[site].held_out[c->screen->perturbation[r]] && isfinite(c->screen->cells[r])) held += c->screen->cells[r];
    }
    *memory += 8 * 4 * genes * (double)(c->screen->n_rows + c->n) + 4 * genes * (held + 4096);
    for (sow_index m = 0; m < c->cells->table.n_matrices; m++)
        *seconds += 4e-8 * (double)c->n_rounds * (double)c->cells->table.matrix[m].start[c->cells->table.matrix[m].n_cells];
}

/* Of training MORPH on n perturbations, forward and back: encoder, two decoder passes and the two Gram matrices of the MMD for every cell and epoch, at 25 GFLOP/s (one core makes 30 to 100). */
static double seconds_of_morph(const sow_campaign *c, double n)
{
    const sow_config *k = c->config;
    double genes = (double)sow_names_count(c->cells->table.genes), cells = 0, rows = 0;
    if (k->features.n_highly_variable) genes = fmin(genes, (double)k->features.n_highly_variable);
    for (sow_index r = 0; r < c->screen->n_rows; r++)
        if (c->screen->context[r] == c->here->target && isfinite(c->screen->cells[r])) {
            cells += fmin(c->screen->cells[r], (double)k->design.cells_per_perturbation);
            rows++;
        }
    const double each = rows > 0 ? cells / rows : (double)k->design.cells_per_perturbation, latent = (double)(k->model.latent_cell + k->model.latent_perturbation);
    const double per_cell = genes * ((double)k->model.encoder + 2 * latent + 4 * (double)k->model.batch) + (double)(k->model.encoder * k->model.hidden) + 16 * latent * latent;
    return 6 * per_cell * n * each * (double)(k->model.epochs * k->model.members) / 25e9;
}

/* What the training keeps: prepared cells where they fit (at most 1 GiB), and weights, moments, gradients and the best of every member. */
static double bytes_of_morph(const sow_campaign *c, double n)
{
    const sow_config *k = c->config;
    const double genes = (double)sow_names_count(c->cells->table.genes), latent = (double)(k->model.latent_cell + k->model.latent_perturbation);
    const double cells = n * (double)k->design.cells_per_perturbation, weights = genes * ((double)k->model.encoder + latent) + (double)(k->model.encoder * k->model.hidden) + 60000;
    return fmin(4 * genes * cells, 1073741824.0) + 4 * weights * (6 + (double)k->model.members);
}

/* Networks of HyperMap learn from the references once, at 25 GFLOP/s where rows are cells (a core makes 80 to 170 of large products) and a fifth of that where they are means and products small. */
static void add_effort_of_hypermap(double *seconds, double *memory, const sow_campaign *c)
{
    const sow_hypermap_options o = sow_i_model_options(c).hypermap;
    const int cells = o.reference || o.cells;
    const double genes = c->cells ? (double)sow_names_count(c->cells->table.genes) : (double)c->d, most = (double)c->config->features.n_highly_variable;
    const sow_index told = c->model_priors.fused_dim > 0 ? c->model_priors.fused_dim : c->n, components = c->config->model.components;
    double operations = 0, bytes = 0;
    if (!o.reference && !o.network) return;
    sow_hypermap_effort(&operations, &bytes, &o, cells ? (sow_index)(most > 0 ? fmin(genes, most) : genes) : components, cells ? told : told + components + 2);
    *seconds += operations / (cells ? 25e9 : 5e9);
    *memory += bytes;
}

/* An upper guess from the flops of the exact GP: fits of n^3 with about 40 evaluations of 2 n^3 each at 10 GFLOP/s, and kernel memory. */
static json_t *effort_json(const sow_campaign *c)
{
    double seconds = 1, memory = 50e6, trained = 0, n = 0, references = 0;
    for (sow_index r = 0; r < c->screen->n_rows; r++)
        references += c->screen->context[r] != c->here->target;
    for (sow_index r = 0; r < c->n_rounds; r++) {
        n += (double)sow_i_batch_size(c, r);
        double m = fmin(n + references, 2500);
        if (strcmp(c->model_class->name, "gp") == 0) seconds += 40 * 2 * m * m * m / 10e9 + 1e-7 * m * (double)c->n;
        if (strcmp(c->model_class->name, "morph") == 0) {
            seconds += seconds_of_morph(c, n);
            trained = bytes_of_morph(c, n);
        }
        memory = fmax(memory, 50e6 + 8 * 12 * m * m + 8 * m * (double)c->n);
    }
    memory += trained;
    if (strcmp(c->model_class->name, "hypermap") == 0) add_effort_of_hypermap(&seconds, &memory, c);
    seconds *= (double)c->n_sites; /* each target context has a model of its own */
    if (c->cells) add_effort_of_cells(&seconds, &memory, c);
    const char *advice = seconds >= 60 ? sow_linalg_advice() : NULL; /* nobody sets a variable to save seconds */
    return json_pack("{s:f,s:f,s:s*}", "seconds_at_most", ceil(seconds), "memory_mb", ceil(memory / 1e6), "advice", advice);
}

sow_status sow_campaign_check_json(char **out, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    json_t *j = json_pack("{s:s,s:s,s:s,s:s,s:s,s:I,s:I,s:I}", "name", c->config->name, "folder", c->dir, "readout", sow_i_readout_word(c),
                          "model", c->model_class->name, "oracle", c->config->oracle.kind, "perturbations", (json_int_t)c->n, "pool_size",
                          (json_int_t)c->pool_size, "held_out", (json_int_t)c->n_held_out);
    *out = NULL;
    if (!j) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    json_object_set_new(j, "features", json_integer((json_int_t)c->d));
    if (c->cells) json_object_set_new(j, "cells", cells_json(c));
    json_object_set_new(j, "contexts", contexts_json(c));
    json_object_set_new(j, "priors", sow_i_priors_json(c));
    json_object_set_new(j, "dropped", sow_i_dropped_json(c));
    json_object_set_new(j, "bill", planned_bill_json(c));
    json_object_set_new(j, "effort", effort_json(c));
    if (c->here->true_hit) json_object_set_new(j, "true_hits_in_pool", json_integer((json_int_t)c->n_hits));
    *out = sow_i_json_text(j, 1);
    if (!*out) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
done:
    json_decref(j);
    return st;
}

sow_status sow_campaign_status_json(char **out, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index count[5] = {0}, round = sow_i_current_round(c);
    for (sow_index i = 0; i < c->n_sites * c->n; i++)
        if (sow_i_site_of_pair(c, i)->in_pool[i % c->n]) count[sow_i_item_of_pair(c, i)->status]++;
    json_t *j = json_pack("{s:s,s:s,s:s,s:I,s:I,s:I}", "name", c->config->name, "folder", c->dir, "state", sow_i_state_word(c), "rounds",
                          (json_int_t)c->n_rounds, "round", (json_int_t)round, "pool_size", (json_int_t)c->pool_size);
    *out = NULL;
    if (!j) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    json_object_set_new(j, "status", json_pack("{s:I,s:I,s:I,s:I,s:I}", "free", (json_int_t)count[SOW_FREE], "planned", (json_int_t)count[SOW_PLANNED],
                                               "measured", (json_int_t)count[SOW_DONE], "partial", (json_int_t)count[SOW_DONE_PARTIAL], "failed",
                                               (json_int_t)count[SOW_LOST]));
    json_object_set_new(j, "rounds_done", sow_i_rounds_json(c));
    json_object_set_new(j, "metrics", round > 0 && round <= c->n_rounds && c->round[round - 1].metrics
                                          ? json_incref(c->round[round - 1].metrics)
                                          : json_array());
    json_object_set_new(j, "bill", sow_i_spent_json(c));
    sow_i_put_next(j, c);
    *out = sow_i_json_text(j, 1);
    if (!*out) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
done:
    json_decref(j);
    return st;
}
