/* The bill: what a batch costs and how long it takes. The total is the sum of the rows, to the cent. */
#ifndef SOWER_CORE_COST_H
#define SOWER_CORE_COST_H

#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    char currency[8]; /* "USD" */
    double per_round, per_context, per_perturbation, per_guide, per_cell, per_million_reads; /* >= 0; per_context: each context that a round measures in */
    double weeks_per_round;
} sow_costs;
#define SOW_COSTS_INIT {"USD", 0, 0, 0, 0, 0, 0, 0}

typedef struct {
    sow_index guides_per_target;      /* >= 1 */
    sow_index cells_per_perturbation; /* >= 1 */
    double control_share;             /* of all cells, [0, 1) */
    double moi;                       /* multiplicity of infection, > 0: see sow_cells_to_transduce */
    double reads_per_cell;            /* raw reads */
} sow_design;
#define SOW_DESIGN_INIT {1, 100, 0.0, 0.3, 0.0}

#define SOW_CONTEXTS_PRICED_MAX 24 /* contexts of a campaign with prices of their own */
#define SOW_BILL_MAX (8 + 2 * SOW_CONTEXTS_PRICED_MAX)
typedef struct {
    sow_index n;
    struct {
        char item[80];      /* "guides" */
        double quantity;    /* 400 */
        char unit[24];      /* "guides" */
        double price, cost; /* cost is rounded to cents; price * quantity before rounding */
    } row[SOW_BILL_MAX];
    double total; /* the sum of row[].cost */
    double weeks;
} sow_bill;

/** Bill of one round of `n` target perturbations and `n_controls` positive controls, which cost the same. Rows, in this order: round,
 *  perturbations, guides, cells (control_share of them non-targeting, rounded up to whole cells), sequencing; those with a zero price are left out. */
void sow_bill_round(sow_bill *out, const sow_costs *costs, const sow_design *design, sow_index n, sow_index n_controls);
/** What a round measures in one context, and its own prices; NaN = those of `costs`. */
typedef struct {
    const char *context; /* borrowed */
    sow_index n;         /* target perturbations; 0 = the round is not there, and costs nothing there */
    double per_context, per_cell;
} sow_bill_part;
/** The same of a round in several contexts, each with its own positive and non-targeting controls. A price that all of them share is one row, else each context with a price of its own has one
 *  ("cells, HEK293T"); of those at most SOW_CONTEXTS_PRICED_MAX. Between round and perturbations: contexts. */
void sow_bill_contexts(sow_bill *out, const sow_costs *costs, const sow_design *design, const sow_bill_part *part, sow_index n_parts, sow_index n_controls);
/** Cells to transduce in one round so that as many as are billed carry exactly one integration: integrations are Poisson, so a share
 *  moi exp(-moi) of all cells does. Whole cells. */
double sow_cells_to_transduce(const sow_design *design, sow_index n, sow_index n_controls);
/** Marginal cost of one more perturbation in a batch (no per_round share), rounded to cents. */
double sow_cost_per_perturbation(const sow_costs *costs, const sow_design *design);

#ifdef __cplusplus
}
#endif
#endif
