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
    sow_bill_row *row = &bill->row[bill->n++];
    snprintf(row->item, sizeof row->item, "%s", item);
    snprintf(row->unit, sizeof row->unit, "%s", unit);
    row->quantity = quantity;
    row->price = price;
    row->cost = cents / 100;
    return cents;
}

static double add_explained(sow_bill *bill, const char *item, double quantity, const char *unit, double price, const char *note)
{
    const sow_index n = bill->n;
    const double cents = add_row(bill, item, quantity, unit, price);
    if (bill->n > n) snprintf(bill->row[n].note, sizeof bill->row[n].note, "%s", note);
    return cents;
}

/* A relative 1e-12 keeps 1000 / (1 - 0.5) from becoming 2001. */
static double whole(double cells)
{
    return ceil(cells - 1e-12 * cells);
}

/* Usable cells so that `targets` of them are not controls. */
static double cells_with_controls(double targets, double control_share)
{
    double share = control_share >= 0 && control_share < 1 ? control_share : 0;
    return whole(targets / (1 - share));
}

static double carrying_one(const sow_design *d)
{
    if (d->capture == SOW_CAPTURE_INFECTED) return d->moi / expm1(d->moi);
    return d->capture == SOW_CAPTURE_ALL ? d->moi * exp(-d->moi) : 1;
}

double sow_usable_share(const sow_design *d)
{
    return d->quality_share * (1 - d->doublet_share) * carrying_one(d);
}

/* Of transduced cells, those that are captured. */
static double captured_share(const sow_design *d)
{
    const double offered = d->capture == SOW_CAPTURE_SINGLE ? d->moi * exp(-d->moi) : d->capture == SOW_CAPTURE_INFECTED ? -expm1(-d->moi) : 1;
    return offered * d->survival;
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

/* What a round comes to before prices. */
typedef struct {
    double there[PARTS_MOST], captured[PARTS_MOST]; /* by context */
    double targets, controls, all_captured, usable, transduced, lanes;
} count;

static void count_up(count *x, const sow_design *d, const sow_bill_part *part, sow_index n_parts, sow_index n_controls)
{
    memset(x, 0, sizeof *x);
    for (sow_index k = 0; k < n_parts; k++) {
        if (part[k].n == 0 && n_parts > 1) continue;
        const double each = (double)d->cells_per_perturbation, targets = part[k].cells > 0 ? part[k].cells : (double)part[k].n * each;
        const double usable = cells_with_controls(targets + (double)n_controls * each, d->control_share), captured = whole(usable / sow_usable_share(d));
        x->there[k] = 1;
        x->captured[k] = captured;
        x->targets += (double)part[k].n;
        x->controls += (double)n_controls;
        x->usable += usable;
        x->all_captured += captured;
        x->transduced += ceil(captured / captured_share(d));
        if (d->cells_per_lane > 0) x->lanes += ceil(captured / (double)d->cells_per_lane);
    }
}

/* Why more cells are captured than are wanted. */
static void explain_cells(sow_bill *bill, sow_index from, const sow_design *d)
{
    char note[sizeof bill->row->note] = "";
    if (!(sow_usable_share(d) < 1)) return;
    snprintf(note, sizeof note, "captured for %.0f that count: %.4g pass, %.4g are no doublets, %.4g carry one guide", bill->usable, d->quality_share, 1 - d->doublet_share, carrying_one(d));
    if (from < bill->n) memcpy(bill->row[from].note, note, sizeof note);
}

/* Perturbations, and with them the controls where they have no price of their own. */
static double add_perturbations(sow_bill *out, const sow_costs *costs, const count *x)
{
    const int own = costs->per_control >= 0;
    double cents = add_row(out, "perturbations", own ? x->targets : x->targets + x->controls, "perturbations", costs->per_perturbation);
    if (own && x->controls > 0) cents += add_row(out, "controls", x->controls, "positive controls", costs->per_control);
    return cents;
}

static double add_transduction(sow_bill *out, const sow_costs *costs, const sow_design *d, const count *x)
{
    char note[sizeof out->row->note];
    snprintf(note, sizeof note, "MOI %.4g: %.4g carry one guide; %.4g survive", d->moi, d->moi * exp(-d->moi), d->survival);
    return add_explained(out, "transduction", x->transduced / 1e6, "million cells", costs->per_million_transduced, note);
}

static double add_lanes(sow_bill *out, const sow_costs *costs, const sow_design *d, const count *x)
{
    char note[sizeof out->row->note];
    snprintf(note, sizeof note, "whole lanes of %lld captured cells, each of one context", (long long)d->cells_per_lane);
    return x->lanes > 0 ? add_explained(out, "lanes", x->lanes, "lanes", costs->per_lane, note) : 0;
}

void sow_bill_contexts(sow_bill *out, const sow_costs *costs, const sow_design *design, const sow_bill_part *part, sow_index n_parts, sow_index n_controls)
{
    counted by_context = {"contexts", "contexts", "context", costs->per_context, own_context}, by_cell = {"cells", "cells", "cells", costs->per_cell, own_cell};
    count x;
    memset(out, 0, sizeof *out);
    if (n_parts > PARTS_MOST) n_parts = PARTS_MOST;
    count_up(&x, design, part, n_parts, n_controls);
    out->usable = x.usable;
    out->captured = x.all_captured;
    out->transduced = x.transduced;
    out->lanes = x.lanes;
    out->weeks = costs->weeks_per_round;
    double cents = add_row(out, "round", 1, "round", costs->per_round);
    cents += add_counted(out, &by_context, part, x.there, n_parts);
    cents += add_perturbations(out, costs, &x);
    cents += add_row(out, "guides", (x.targets + x.controls) * (double)design->guides_per_target, "guides", costs->per_guide);
    if (design->control_guides > 0) cents += add_explained(out, "control guides", (double)design->control_guides, "guides", costs->per_guide, "non-targeting, ordered once");
    cents += add_transduction(out, costs, design, &x);
    cents += add_lanes(out, costs, design, &x);
    const sow_index cells = out->n;
    cents += add_counted(out, &by_cell, part, x.captured, n_parts);
    explain_cells(out, cells, design);
    cents += add_row(out, "sequencing", x.all_captured * design->reads_per_cell / 1e6, "million reads", costs->per_million_reads);
    out->total = cents / 100;
}

void sow_bill_round(sow_bill *out, const sow_costs *costs, const sow_design *design, sow_index n, sow_index n_controls)
{
    const sow_bill_part all = {"", n, NAN, NAN, 0};
    sow_bill_contexts(out, costs, design, &all, 1, n_controls);
}

double sow_cells_to_transduce(const sow_design *design, sow_index n, sow_index n_controls)
{
    const sow_bill_part all = {"", n, NAN, NAN, 0};
    count x;
    count_up(&x, design, &all, 1, n_controls);
    return x.transduced;
}

double sow_cost_per_perturbation(const sow_costs *costs, const sow_design *design)
{
    double share = design->control_share >= 0 && design->control_share < 1 ? design->control_share : 0;
    double cells = (double)design->cells_per_perturbation / (1 - share) / sow_usable_share(design);
    double price = costs->per_perturbation + costs->per_guide * (double)design->guides_per_target + costs->per_cell * cells +
                   costs->per_million_reads * cells * design->reads_per_cell / 1e6;
    if (design->cells_per_lane > 0) price += costs->per_lane * cells / (double)design->cells_per_lane;
    price += costs->per_million_transduced * cells / captured_share(design) / 1e6;
    return cents_of(price, 1) / 100;
}

sow_index sow_rounds_overlapping(const sow_costs *costs)
{
    if (!(costs->weeks_between_rounds > 0) || !(costs->weeks_per_round > costs->weeks_between_rounds)) return 0;
    const double rounds = costs->weeks_per_round / costs->weeks_between_rounds;
    return (sow_index)ceil(rounds - 1e-9 * rounds) - 1;
}
