/* A screen: what was measured, as one table that every readout fits.
 *
 * The catalogue is the list of perturbations, in name order; everything else names a perturbation by its position there. A row is one
 * measurement of one perturbation in one context. After sow_screen_merge there is one row per (perturbation, context).
 * Scalar readout: n_features = 1. Profile: one response vector a row. Cells: a row is a group of cells of core/cells.h; its values are the group's
 * mean response once the response space is frozen, NaN before. */
#ifndef SOWER_CORE_SCREEN_H
#define SOWER_CORE_SCREEN_H

#include "core/names.h"
#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { SOW_READOUT_SCALAR, SOW_READOUT_PROFILE, SOW_READOUT_CELLS } sow_readout_kind;
typedef enum { SOW_ROLE_TARGET, SOW_ROLE_REFERENCE } sow_source_role;

/** A perturbation is a set of agents with doses; its printed name joins agents with the separator. */
typedef struct {
    sow_index n_agents;
    char **agent; /* [n_agents], name order */
    double *dose; /* [n_agents], NaN = not given */
} sow_perturbation;

typedef struct {
    sow_readout_kind kind;
    sow_names *perturbations;       /* the catalogue, sorted by name; controls are not in it */
    sow_perturbation *detail;       /* [n_perturbations] */
    sow_names *contexts;
    sow_source_role *context_role;  /* [n_contexts] */
    sow_names *features;            /* genes, or the one scalar's name */
    sow_names *covariates;          /* of adjust_for, e.g. "log(cells)"; may be empty */

    sow_index n_rows, capacity;
    sow_index *perturbation; /* [n_rows] */
    sow_index *context;      /* [n_rows] */
    sow_index *replicates;   /* [n_rows] rows merged into this one */
    double *cells;           /* [n_rows] number of cells; NaN unknown */
    double *weight;          /* [n_rows] merging weight: cells, or 1/variance, or 1 */
    double *values;          /* [n_rows, n_features], transformed (log1p, ...), not adjusted */
    double *covariate;       /* [n_rows, n_covariates] */
    double *hit;             /* [n_rows] the objective's own column (an FDR); NaN when absent */
} sow_screen;

sow_index sow_screen_n_features(const sow_screen *s);
sow_index sow_screen_n_covariates(const sow_screen *s);
sow_index sow_screen_n_perturbations(const sow_screen *s);

/** Create empty (names sets empty, no rows); destroy(NULL) is fine. */
SOW_MUST_CHECK sow_status sow_screen_create(sow_screen **out, sow_readout_kind kind, sow_error *err);
void sow_screen_destroy(sow_screen *s);
/** Append a row; features and covariates must be complete before the first row. `values` [n_features] and `covariate` are copied.
 *  SOW_E_ARG for an unknown perturbation or context, SOW_E_DATA for a weight or number of cells below 0 (cells may be NaN). */
SOW_MUST_CHECK sow_status sow_screen_add_row(sow_screen *s, sow_index perturbation, sow_index context, double cells, double weight,
                                             const double *values, const double *covariate, double hit, sow_error *err);
/** Value of a covariate of merged rows: of the summed cells for those named "cells" and "log(cells)" (when the sum is known), else `mean`. */
double sow_screen_merged_covariate(const sow_screen *s, sow_index covariate, double cells, double mean);
/** Merge rows of the same (perturbation, context): weighted mean of values, covariates by sow_screen_merged_covariate, cells and replicates
 *  summed, hit = minimum.
 *  NaN values are skipped; weights that are all 0 count as equal; cells are NaN when unknown in any row.
 *  Rows end up ordered by (perturbation, context). On failure nothing has changed. */
SOW_MUST_CHECK sow_status sow_screen_merge(sow_screen *s, sow_error *err);
/** Row of (perturbation, context) in a merged screen, or -1. Binary search. */
sow_index sow_screen_find(const sow_screen *s, sow_index perturbation, sow_index context);

#ifdef __cplusplus
}
#endif
#endif
