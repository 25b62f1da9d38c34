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

void sow_bill_round(sow_bill *out, const sow_costs *costs, const sow_design *design, sow_index n, sow_index n_controls)
{
    memset(out, 0, sizeof *out);
    double made = (double)(n + n_controls), guides = made * (double)design->guides_per_target;
    double cells = cells_with_controls(made * (double)design->cells_per_perturbation, design->control_share);
    double million_reads = cells * design->reads_per_cell / 1e6;
    double cents = add_row(out, "round", 1, "round", costs->per_round);
    cents += add_row(out, "perturbations", made, "perturbations", costs->per_perturbation);
    cents += add_row(out, "guides", guides, "guides", costs->per_guide);
    cents += add_row(out, "cells", cells, "cells", costs->per_cell);
    cents += add_row(out, "sequencing", million_reads, "million reads", costs->per_million_reads);
    out->total = cents / 100;
    out->weeks = costs->weeks_per_round;
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
