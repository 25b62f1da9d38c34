#include "core/cost.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Sums are kept in whole cents, so that the total is the sum of the printed rows and nothing else. */
static double cents_of(double price, double quantity)
{
    return floor(price * quantity * 100 + 0.5);
}

static double add_row(sow_bill *bill, const char *item, double quantity, const char *unit, double price)
{
    if (!(price > 0)) return 0;
    double cents = cents_of(price, quantity);
    sow_index i = bill->n++;
    snprintf(bill->row[i].item, sizeof bill->row[i].item, "%s", item);
    snprintf(bill->row[i].unit, sizeof bill->row[i].unit, "%s", unit);
    bill->row[i].quantity = quantity;
    bill->row[i].price = price;
    bill->row[i].cost = cents / 100;
    return cents;
}

/* Cells to make so that `targets` of them are not controls; a relative 1e-12 keeps 1000 / (1 - 0.5) from becoming 2001. */
static double cells_with_controls(double targets, double control_share)
{
    double share = control_share >= 0 && control_share < 1 ? control_share : 0;
    double cells = targets / (1 - share);
    return ceil(cells - 1e-12 * cells);
}

/* What is counted by context: rows for those with a price of their own, and one for all others together. */
typedef struct {
    const char *item, *unit, *alone;
    double price; /* of those without one of their own */
    double (*own)(const sow_bill_part *part);
} counted;

static double own_context(const sow_bill_part *part)
{
    return part->per_context;
}

static double own_cell(const sow_bill_part *part)
{
    return part->per_cell;
}

static double add_counted(sow_bill *bill, const counted *c, const sow_bill_part *part, const double *quantity, sow_index n)
{
    double cents = 0, rest = 0;
    for (sow_index k = 0; k < n; k++) {
        char item[80];
        const double price = c->own(&part[k]);
        if (!(price >= 0)) {
            rest += quantity[k];
            continue;
        }
        snprintf(item, sizeof item, "%s, %.60s", c->alone, part[k].context);
        if (quantity[k] > 0) cents += add_row(bill, item, quantity[k], c->unit, price);
    }
    if (rest > 0 || n == 0) cents += add_row(bill, c->item, rest, c->unit, c->price);
    return cents;
}

enum { PARTS_MOST = 256 };

void sow_bill_contexts(sow_bill *out, const sow_costs *costs, const sow_design *design, const sow_bill_part *part, sow_index n_parts, sow_index n_controls)
{
    static const counted contexts = {"contexts", "contexts", "context", 0, own_context}, cells = {"cells", "cells", "cells", 0, own_cell};
    counted by_context = contexts, by_cell = cells;
    double there[PARTS_MOST] = {0}, made_cells[PARTS_MOST] = {0}, made = 0, all_cells = 0;
    memset(out, 0, sizeof *out);
    by_context.price = costs->per_context;
    by_cell.price = costs->per_cell;
    if (n_parts > PARTS_MOST) n_parts = PARTS_MOST;
    for (sow_index k = 0; k < n_parts; k++) {
        if (part[k].n == 0 && n_parts > 1) continue;
        const double here = (double)(part[k].n + n_controls);
        there[k] = 1;
        made += here;
        made_cells[k] = cells_with_controls(here * (double)design->cells_per_perturbation, design->control_share);
        all_cells += made_cells[k];
    }
    double cents = add_row(out, "round", 1, "round", costs->per_round);
    cents += add_counted(out, &by_context, part, there, n_parts);
    cents += add_row(out, "perturbations", made, "perturbations", costs->per_perturbation);
    cents += add_row(out, "guides", made * (double)design->guides_per_target, "guides", costs->per_guide);
    cents += add_counted(out, &by_cell, part, made_cells, n_parts);
    cents += add_row(out, "sequencing", all_cells * design->reads_per_cell / 1e6, "million reads", costs->per_million_reads);
    out->total = cents / 100;
    out->weeks = costs->weeks_per_round;
}

void sow_bill_round(sow_bill *out, const sow_costs *costs, const sow_design *design, sow_index n, sow_index n_controls)
{
    const sow_bill_part all = {"", n, NAN, NAN};
    sow_bill_contexts(out, costs, design, &all, 1, n_controls);
}

double sow_cells_to_transduce(const sow_design *design, sow_index n, sow_index n_controls)
{
    double cells = cells_with_controls((double)(n + n_controls) * (double)design->cells_per_perturbation, design->control_share);
    return ceil(cells / (design->moi * exp(-design->moi)));
}

double sow_cost_per_perturbation(const sow_costs *costs, const sow_design *design)
{
    double share = design->control_share >= 0 && design->control_share < 1 ? design->control_share : 0;
    double cells = (double)design->cells_per_perturbation / (1 - share);
    double price = costs->per_perturbation + costs->per_guide * (double)design->guides_per_target + costs->per_cell * cells +
                   costs->per_million_reads * cells * design->reads_per_cell / 1e6;
    return cents_of(price, 1) / 100;
}
