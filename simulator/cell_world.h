/* A simulated single-cell screen: counts of every perturbation and of controls, made from a seed. `oracle: {kind: generative}` with `readout: {kind: cells}` replays it.
 *
 * Perturbations fall into modules, modules move gene programs, programs move genes; a count is negative-binomial around a cell's depth x the gene's share x exp(the perturbation's change).
 * Baseline shares and dispersions follow K562 (quantiles of Gasperini 2019), effect sizes and cells per perturbation the quantiles of Replogle 2022 as MORPH reports them.
 * docs/decisions/morph-synthetic.md has every setting and where it is from.
 *
 * With several contexts each has an activity of every program of its own: a program may do more or less there, the opposite, or nothing. What a perturbation does by programs follows the
 * activities; what it does by genes of its own is the same everywhere. On top comes a change that all perturbed cells of a context share, and controls differ by their baseline. All contexts
 * are drawn alike around a common world that none of them is. docs/decisions/contexts-synthetic.md has the settings. */
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
    sow_index n_perturbations; /* 2..200000 [1200] */
    sow_index n_genes;         /* 2..16384 [500] */
    sow_index n_modules;       /* perturbation modules, 1..n_perturbations [40] */
    sow_index n_programs;      /* gene programs, 1..10000 [30] */
    sow_index n_controls;      /* control cells, 2..10000000 [4000] */
    double cells_median;       /* of a perturbation, 1..100000 [96]; scales the published quantiles (cut to multiples of 32: 5 % 32, median 96, 95 % 320, most 1984) */
    double prior_informativeness; /* 0..1 [0.7]: the share of a prior row's variance that is about the response; the rest misleads, and is a little noise */
    sow_index prior_dims;      /* 1..4096 [64] */
    sow_index n_contexts;      /* 1..1000 [1]; n_controls in each. What follows counts where there are several */
    double context_scale;      /* 0..3 [0.5]: log-sd of the activity of a program in a context; its median is 1 */
    double context_flip;       /* 0..1 [0.15]: probability that a program does the opposite there */
    double context_lose;       /* 0..1 [0.2]: and that it does nothing; both together at most 1 */
    double context_shift;      /* 0..100 [1]: length of the change common to all perturbed cells of a context, in lengths of the median perturbation */
    double context_baseline;   /* 0..3 [0.5]: log-sd of a gene's share of UMIs between contexts */
    double context_coverage;   /* above 0, to 1 [1]: probability that a reference context has measured a perturbation; the targets have all */
    sow_index n_targets;       /* 1..n_contexts [1]: the first so many are targets */
} sow_cell_world_options;
#define SOW_CELL_WORLD_OPTIONS_INIT {1, 1200, 500, 40, 30, 4000, 96, 0.7, 64, 1, 0.5, 0.15, 0.2, 1, 0.5, 1, 1}

/** What nobody but a test or an oracle may look at. Caller clears. */
typedef struct {
    sow_index n, genes, n_contexts;
    double *change;     /* [n_contexts, n, genes] log fold change of the mean, measured or not */
    sow_index *module;  /* [n] */
} sow_cell_truth;
void sow_cell_truth_clear(sow_cell_truth *t);

/** The table (context after context, in each controls first, then P0001.. in name order; one matrix of counts, one technical batch), a screen with a row per perturbation and context that
 *  measured it (values NaN; cells and weight its number of cells) and the prior "simulated", unscaled. One context is named "simulated"; several C1, C2, ..., the first n_targets targets and the
 *  others references. Caller clears and destroys. `prior` and `truth` may be NULL; options NULL are the defaults.
 *  Streams by (seed, context, perturbation, cell): neither the number of perturbations made nor that of contexts (from two on) changes a cell or a prior row that is there anyway (the digits
 *  in names are four to 9,999 perturbations, five to 99,999), and informativeness changes nothing but the prior. The same bits for any number of threads.
 *  SOW_E_ARG names an option out of range; on failure nothing is handed over. Cost: about 50 ns a cell and gene, memory half as much again as the counts at most. */
SOW_MUST_CHECK sow_status sow_cell_world_create(sow_cells *cells, sow_screen **screen, sow_prior *prior, sow_cell_truth *truth, const sow_cell_world_options *options,
                                                const sow_env *env, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
