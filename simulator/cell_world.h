/* A simulated single-cell screen: counts of every perturbation and of controls, made from a seed. `oracle: {kind: generative}` with `readout: {kind: cells}` replays it.
 *
 * Perturbations fall into modules, modules move gene programs, programs move genes; a count is negative-binomial around a cell's depth x the gene's share x exp(the perturbation's change).
 * Baseline shares and dispersions follow K562 (quantiles of Gasperini 2019), effect sizes and cells per perturbation the quantiles of Replogle 2022 as MORPH reports them.
 * docs/decisions/morph-synthetic.md has every setting and where it is from. */
#ifndef SOWER_SIMULATOR_CELL_WORLD_H
#define SOWER_SIMULATOR_CELL_WORLD_H

#include "core/cells.h"
#include "core/prior.h"
#include "core/screen.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    uint64_t seed;
    sow_index n_perturbations; /* [1200] */
    sow_index n_genes;         /* [500] */
    sow_index n_modules;       /* perturbation modules [40] */
    sow_index n_programs;      /* gene programs [30] */
    sow_index n_controls;      /* control cells [4000] */
    double cells_median;       /* of a perturbation [96]; scales the published quantiles (5 % 32, median 96, 95 % 320, most 1984) */
    double prior_informativeness; /* 0: noise; 1: the module's and the perturbation's own effects seen without noise [0.7] */
    sow_index prior_dims;      /* [64] */
} sow_cell_world_options;
#define SOW_CELL_WORLD_OPTIONS_INIT {1, 1200, 500, 40, 30, 4000, 96, 0.7, 64}

/** What nobody but a test or an oracle may look at. Caller clears. */
typedef struct {
    sow_index n, genes;
    double *change;     /* [n, genes] log fold change of the mean */
    sow_index *module;  /* [n] */
} sow_cell_truth;
void sow_cell_truth_clear(sow_cell_truth *t);

/** The table (one matrix of counts, one context "simulated", perturbations named P0001.. in name order), a screen with a row per perturbation (values NaN; cells and weight its number of cells) and the
 *  prior "simulated". `prior` and `truth` may be NULL. Streams by (seed, perturbation, cell): the number of perturbations made does not change a cell. The same bits for any number of threads. */
SOW_MUST_CHECK sow_status sow_cell_world_create(sow_cells *cells, sow_screen **screen, sow_prior *prior, sow_cell_truth *truth, const sow_cell_world_options *options,
                                                const sow_env *env, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
