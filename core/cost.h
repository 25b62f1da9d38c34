/* The bill: what a batch costs and how long it takes. The total is the sum of the rows, to the cent. */
#ifndef SOWER_CORE_COST_H
#define SOWER_CORE_COST_H

#include <math.h>

#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    char currency[8]; /* "USD" */
    double per_round, per_context, per_perturbation, per_guide, per_cell, per_million_reads; /* >= 0; per_context: each context that a round measures in; per_cell: each cell captured */
    double weeks_per_round;
    double per_control;           /* each positive control in each context; NaN = as a perturbation */
    double per_lane;              /* each whole lane that cells are captured in */
    double per_million_transduced;
    double weeks_between_rounds;  /* > 0: a round begins so long after the one before; NaN = when that one's results are in */
} sow_costs;
#define SOW_COSTS_INIT {"USD", 0, 0, 0, 0, 0, 0, 0, NAN, 0, 0, NAN}

/** Which cells are captured: those with one guide, sorted out beforehand; all that carry any (drug selection); or all. */
typedef enum { SOW_CAPTURE_SINGLE, SOW_CAPTURE_INFECTED, SOW_CAPTURE_ALL } sow_capture;

typedef struct {
    sow_index guides_per_target;      /* >= 1 */
    sow_index cells_per_perturbation; /* >= 1; usable ones: see sow_usable_share */
    double control_share;             /* of all usable cells, [0, 1) */
    double moi;                       /* multiplicity of infection, > 0 */
    double reads_per_cell;            /* raw reads of a captured cell */
    sow_index control_guides;         /* non-targeting guides, ordered once: who bills a later round says 0 */
    sow_index cells_per_lane;         /* captured; 0 = lanes are not counted */
    int capture;                      /* sow_capture */
    double quality_share;             /* of captured cells: pass quality control with their guide called, (0, 1] */
    double doublet_share;             /* of captured cells: two or more in one droplet, [0, 1) */
    double survival;                  /* of transduced cells: alive at capture, (0, 1] */
} sow_design;
#define SOW_DESIGN_INIT {1, 100, 0.0, 0.3, 0.0, 0, 0, SOW_CAPTURE_SINGLE, 1.0, 0.0, 1.0}

#define SOW_CONTEXTS_PRICED_MAX 24 /* contexts of a campaign with prices of their own */
#define SOW_BILL_MAX (12 + 2 * SOW_CONTEXTS_PRICED_MAX)
typedef struct {
    char item[80];      /* "guides" */
    double quantity;    /* 400 */
    char unit[24];      /* "guides" */
    double price, cost; /* cost is rounded to cents; price * quantity before rounding */
    char note[120];     /* how the quantity came about, where that is more than a count; else "" */
} sow_bill_row;
typedef struct {
    sow_index n;
    sow_bill_row row[SOW_BILL_MAX];
    double total; /* the sum of row[].cost */
    double weeks; /* from the beginning of this round to its results */
    double usable, captured, transduced, lanes; /* cells of all contexts, controls among them, in whole cells; lanes 0 = not counted */
} sow_bill;

/** Of the cells captured, those that count: quality_share (1 - doublet_share) p, with p the share that carries one guide. Integrations are Poisson with mean moi, so p = 1 where only such cells are captured,
 *  moi / (exp(moi) - 1) of the infected, moi exp(-moi) of all. */
double sow_usable_share(const sow_design *design);
/** Bill of one round of `n` target perturbations and `n_controls` positive controls. Rows, in this order: round, contexts, perturbations, controls (where they have a price of their own), guides, control guides,
 *  transduction, lanes, cells (control_share of the usable ones non-targeting), sequencing; those with a zero price are left out. Cells, lanes and guides are whole. */
void sow_bill_round(sow_bill *out, const sow_costs *costs, const sow_design *design, sow_index n, sow_index n_controls);
/** What a round measures in one context, and its own prices; NaN = those of `costs`. */
typedef struct {
    const char *context; /* borrowed */
    sow_index n;         /* target perturbations; 0 = the round is not there, and costs nothing there */
    double per_context, per_cell;
    double cells; /* usable cells that its n target perturbations get together; 0 = cells_per_perturbation each */
} sow_bill_part;
/** The same of a round in several contexts, each with its own positive controls, non-targeting cells and lanes. A price that all of them share is one row, else each context with a price of its own has one
 *  ("cells, HEK293T"); of those at most SOW_CONTEXTS_PRICED_MAX. */
void sow_bill_contexts(sow_bill *out, const sow_costs *costs, const sow_design *design, const sow_bill_part *part, sow_index n_parts, sow_index n_controls);
/** Cells to transduce in one round so that as many as are captured can be: a share survival moi exp(-moi) of all lives and carries exactly one integration. Whole cells. */
double sow_cells_to_transduce(const sow_design *design, sow_index n, sow_index n_controls);
/** Marginal cost of one more perturbation in a batch (no per_round share; of lanes its share), rounded to cents. */
double sow_cost_per_perturbation(const sow_costs *costs, const sow_design *design);
/** Rounds that are still without results when the next one begins: 0, or with weeks_between_rounds below weeks_per_round as many as that takes. */
sow_index sow_rounds_overlapping(const sow_costs *costs);

#ifdef __cplusplus
}
#endif
#endif
