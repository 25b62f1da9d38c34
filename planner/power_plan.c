/* Ahead of a round: for every number of cells and every level of expression, power, the smallest change that is found, and what the wanted one takes. */
#include <math.h>
#include <stdlib.h>

#include "core/memory.h"
#include "planner/power_internal.h"

static const double CELLS_MOST = 1e6;

typedef struct {
    sow_index cells;
    double controls, cost, round_cost; /* NaN without prices */
} design_row;

typedef struct {
    double mean, power, decrease, increase; /* smallest folds; NaN = none */
    double reads_needed;                    /* INFINITY = no depth is enough; NaN = UMIs do not follow from reads */
} cell_row;

typedef struct {
    const sow_i_power *p;
    design_row *design; /* [n_cells] */
    cell_row *row;      /* [n_cells, n_levels] */
    double *needed;     /* [n_levels] cells; INFINITY */
} table;

/* ---- prices ---- */

static double cost_of(const sow_i_power *p, double cells, double *round_cost)
{
    *round_cost = NAN;
    if (!p->config || !(cells < 1e9)) return NAN;
    sow_costs costs = p->config->costs;
    sow_design design = p->config->design;
    sow_bill bill;
    for (sow_index i = 0; p->c && i < p->config->n_prices; i++) {
        const sow_config_price *own = &p->config->prices[i];
        if (sow_names_find(p->c->screen->contexts, own->context) != p->context) continue;
        if (isfinite(own->per_cell)) costs.per_cell = own->per_cell;
        if (isfinite(own->per_context)) costs.per_context = own->per_context;
    }
    design.cells_per_perturbation = (sow_index)cells;
    design.guides_per_target = p->guides;
    design.reads_per_cell = p->reads;
    sow_bill_round(&bill, &costs, &design, p->config->rounds.initial_size, p->config->constraints.n_controls);
    *round_cost = bill.total;
    return sow_cost_per_perturbation(&costs, &design);
}

/* ---- numbers ---- */

static sow_status fill_needed(void *user, sow_index k, sow_error *err)
{
    const table *t = user;
    const sow_power_design d = sow_i_power_design(t->p, k, 1, t->p->controls_per_cell > 0 ? 1 : t->p->controls);
    return sow_power_cells_needed(&t->needed[k], &d, t->p->controls_per_cell, t->p->fold, t->p->power, CELLS_MOST, err);
}

static sow_status fill_row(void *user, sow_index i, sow_error *err)
{
    sow_status st = SOW_OK;
    const table *t = user;
    const sow_i_power *p = t->p;
    const sow_index level = i % p->n_levels;
    const design_row *at = &t->design[i / p->n_levels];
    const sow_power_design d = sow_i_power_design(p, level, (double)at->cells, at->controls);
    sow_power_test *test = NULL;
    cell_row *r = &t->row[i];
    double mean = NAN;
    SOW_TRY(sow_power_test_create(&test, &d, err));
    *r = (cell_row){d.mean, sow_power_at(test, p->fold), sow_power_smallest_fold(test, p->power, 0), sow_power_smallest_fold(test, p->power, 1), NAN};
    if (!p->has_curve) goto done;
    SOW_TRY(sow_power_mean_needed(&mean, &d, p->fold, p->power, p->group[level].share * p->curve.saturation, err));
    r->reads_needed = isinf(mean) ? INFINITY : sow_reads_of_umis(&p->curve, mean / p->group[level].share);
done:
    sow_power_test_destroy(test);
    return st;
}

static sow_status fill(table *t, const sow_i_power *p, sow_error *err)
{
    sow_status st = SOW_OK;
    t->p = p;
    SOW_NEW(t->design, p->n_cells);
    SOW_NEW(t->row, p->n_cells * p->n_levels);
    SOW_NEW(t->needed, p->n_levels);
    for (sow_index i = 0; i < p->n_cells; i++) {
        design_row *d = &t->design[i];
        d->cells = p->cells[i];
        d->controls = sow_i_power_controls(p, (double)d->cells);
        d->cost = cost_of(p, (double)d->cells, &d->round_cost);
    }
    SOW_TRY(sow_progress(p->env, "power", 0, err));
    SOW_TRY(sow_parallel_for(sow_env_threads(p->env), p->n_levels, fill_needed, t, err));
    for (sow_index i = 0; i < p->n_cells * p->n_levels; i += p->n_levels) { /* by designs, so that it can be interrupted */
        table here = *t;
        here.design += i / p->n_levels;
        here.row += i;
        SOW_TRY(sow_progress(p->env, "power", (double)i / (double)(p->n_cells * p->n_levels), err));
        SOW_TRY(sow_parallel_for(sow_env_threads(p->env), p->n_levels, fill_row, &here, err));
    }
    SOW_TRY(sow_progress(p->env, "power", 1, err));
done:
    return st;
}

/* ---- what is said ---- */

/* Power averaged over the tested genes: the share of changed genes that will be found. */
static double found(const table *t, sow_index design)
{
    double sum = 0, genes = 0;
    for (sow_index k = 0; k < t->p->n_levels; k++) {
        sum += (double)t->p->group[k].n * t->row[design * t->p->n_levels + k].power;
        genes += (double)t->p->group[k].n;
    }
    return sum / genes;
}

/* A number; "none" where there is none to be had: JSON has no infinity. */
static json_t *number_or_none(double x)
{
    return isinf(x) ? json_string("none") : sow_i_real_or_null(x);
}

static json_t *level_json(const table *t, sow_index design, sow_index k)
{
    const sow_i_power *p = t->p;
    const sow_power_level *g = &p->group[k];
    const cell_row *r = &t->row[design * p->n_levels + k];
    double unused;
    json_t *j = json_pack("{s:s,s:I,s:f,s:f,s:f,s:f,s:f,s:f}", "level", p->name[k], "genes", (json_int_t)g->n, "relative_expression", g->share, "lowest", g->low, "highest", g->high, "size", g->size,
                          "mean_umis", r->mean, "power", r->power);
    json_object_set_new(j, "smallest_decrease", sow_i_real_or_null(r->decrease));
    json_object_set_new(j, "smallest_increase", sow_i_real_or_null(r->increase));
    json_object_set_new(j, "cells_needed", isinf(t->needed[k]) ? json_string("none") : json_integer((json_int_t)t->needed[k]));
    json_object_set_new(j, "cost_of_cells_needed", sow_i_real_or_null(cost_of(p, t->needed[k], &unused)));
    json_object_set_new(j, "reads_needed", number_or_none(r->reads_needed));
    return j;
}

static json_t *design_json(const table *t, sow_index i)
{
    const design_row *d = &t->design[i];
    json_t *levels = json_array(), *j = json_pack("{s:I,s:I,s:f}", "cells", (json_int_t)d->cells, "controls", (json_int_t)d->controls, "found", found(t, i));
    for (sow_index k = 0; k < t->p->n_levels; k++) json_array_append_new(levels, level_json(t, i, k));
    json_object_set_new(j, "cost", sow_i_real_or_null(d->cost));
    json_object_set_new(j, "round_cost", sow_i_real_or_null(d->round_cost));
    json_object_set_new(j, "levels", levels);
    return j;
}

static void put_number(sow_text *csv, double x)
{
    sow_text_append(csv, ",");
    if (isinf(x)) sow_text_append(csv, "none");
    else sow_text_number(csv, x);
}

static void put_money(sow_text *csv, double x)
{
    if (isfinite(x)) sow_text_printf(csv, ",%.2f", x);
    else sow_text_append(csv, ",");
}

static void put_csv(sow_text *csv, const table *t)
{
    const sow_i_power *p = t->p;
    double unused;
    sow_text_append(csv, "cells,controls,reads_per_cell,umis_per_cell,level,genes,relative_expression,size,mean_umis,fold,power,smallest_decrease,smallest_increase,cells_needed,reads_needed,cost,round_cost,"
                         "cost_of_cells_needed\n");
    for (sow_index i = 0; i < p->n_cells; i++)
        for (sow_index k = 0; k < p->n_levels; k++) {
            const cell_row *r = &t->row[i * p->n_levels + k];
            sow_text_printf(csv, "%lld,%.0f", (long long)t->design[i].cells, t->design[i].controls);
            put_number(csv, p->reads > 0 ? p->reads : (double)NAN);
            put_number(csv, sow_i_power_umis(p));
            sow_text_append(csv, ",");
            sow_text_csv(csv, p->name[k]);
            sow_text_printf(csv, ",%lld", (long long)p->group[k].n);
            const double numbers[] = {p->group[k].share, p->group[k].size, r->mean, p->fold, r->power, r->decrease, r->increase, t->needed[k], r->reads_needed};
            for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++) put_number(csv, numbers[n]);
            put_money(csv, t->design[i].cost);
            put_money(csv, t->design[i].round_cost);
            put_money(csv, cost_of(p, t->needed[k], &unused));
            sow_text_append(csv, "\n");
        }
}

sow_status sow_i_power_plan(json_t *out, sow_text *csv, const sow_i_power *p, sow_error *err)
{
    sow_status st = SOW_OK;
    table t = {0};
    SOW_TRY(fill(&t, p, err));
    json_t *designs = json_array();
    for (sow_index i = 0; i < p->n_cells; i++) json_array_append_new(designs, design_json(&t, i));
    json_object_set_new(out, "designs", designs);
    json_object_set_new(out, "cells_per_perturbation", json_integer(p->planned));
    put_csv(csv, &t);
done:
    free(t.design);
    free(t.row);
    free(t.needed);
    return st;
}
