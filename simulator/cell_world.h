/* A simulated single-cell screen: counts of every perturbation and of controls, made from a seed. `oracle: {kind: generative}` with `readout: {kind: cells}` replays it.
 *
 * Perturbations fall into modules, modules move gene programs, programs move genes; a count is negative-binomial around a cell's depth x the gene's share x exp(the perturbation's change).
 * Baseline shares and dispersions follow K562 (quantiles of Gasperini 2019), effect sizes and cells per perturbation the quantiles of Replogle 2022 as MORPH reports them.
 * docs/decisions/morph-synthetic.md has every setting and where it is from.
 *
 * With several contexts each has an activity of every program of its own: a program may do more or less there, the opposite, or nothing. What a perturbation does by programs follows the
 * activities; what it does by genes of its own is the same everywhere. On top comes a change that all perturbed cells of a context share, and controls differ by their baseline. All contexts
 * are drawn alike around a common world that none of them is. docs/decisions/contexts-synthetic.md has the settings.
 *
 * Combinations of two perturbations do what both do, changed by an interaction of one of seven kinds. docs/decisions/combinations.md has what each does, and why. */
#ifndef SOWER_SIMULATOR_CELL_WORLD_H
#define SOWER_SIMULATOR_CELL_WORLD_H

#include "core/calibration.h"
#include "core/cells.h"
#include "core/prior.h"
#include "core/screen.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What becomes of log fold changes a and b together. */
typedef enum {
    SOW_ADDITIVE,     /* a + b */
    SOW_SYNERGY,      /* s (a + b), s > 1 */
    SOW_SUPPRESSION,  /* s (a + b), s < 1 */
    SOW_EPISTASIS,    /* one of them, as if the other were not there */
    SOW_REDUNDANCY,   /* of each gene the larger in absolute value */
    SOW_POTENTIATION, /* s times the one, s > 1, and the other, a weak one, as it is */
    SOW_NEOMORPHISM,  /* a + b and a program that nothing else moves */
    SOW_INTERACTIONS,
    SOW_NO_INTERACTION = -1 /* one alone */
} sow_interaction;
/** "additive", ...; NULL for what is none. */
const char *sow_interaction_name(int interaction);
/** Doubles of Norman et al. 2019 that have a label. */
#define SOW_INTERACTIONS_NORMAN {16, 24, 12, 9, 8, 6, 13}

/** Counts of the world that was made last, for the next one with the same options, which need not draw them again: campaigns on one simulated screen. Zeroed = none. Those of a world with
 *  `measured` are not kept. Of one thread. Clearing it takes nothing from the cells that use them. */
typedef struct sow_cell_counts {
    struct sow_i_kept_counts *last;
} sow_cell_counts;
void sow_cell_counts_clear(sow_cell_counts *counts);

typedef struct {
    uint64_t seed;
    sow_index n_perturbations; /* one alone, 2..200000 [1200] */
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
    /* What a lab has; with the defaults nothing of it. docs/simulate-screens.md */
    const sow_calibration *measured; /* [NULL] genes, libraries and, where known, effects and cells of a measured screen; borrowed. n_genes at most as many as it has: the most expressed */
    double depth;              /* median UMIs of a cell over the whole transcriptome, 0..1e9 [0: the measured one, or 12,000] */
    sow_index guides;          /* of a perturbation, 0..1000 [0: cells carry no guide] */
    double efficiency;         /* 0..1 [1]: mean part of a perturbation's log fold changes that a working guide brings about */
    double efficiency_sd;      /* and its standard deviation between guides [0]; beta-distributed, so below sqrt(efficiency (1 - efficiency)) */
    double failed_guides;      /* 0..1 [0]: probability that a guide does nothing */
    double escapers;           /* 0..1 [0]: probability that a cell with a guide is as a control */
    sow_index batches;         /* technical batches, 1..10000 [1]; a cell is in any of them alike */
    double batch_effect;       /* 0..3 [0]: log-sd of a gene's share between them */
    double batch_depth;        /* 0..3 [0]: log-sd of their depths */
    double doublets;           /* 0 to below 1 [0]: probability that a barcode is of two cells; it is labelled as one of them */
    double dropout;            /* 0..10 [0]: a perturbation with growth effect x (0 in about half, else to about 3) keeps exp(-dropout x) of its cells */
    sow_index n_combinations;  /* of two perturbations [0]; at most as many as the stronger half of them has pairs, and with them at most 200000. They follow the perturbations, as P0001+P0002 */
    double interactions[SOW_INTERACTIONS]; /* weights of the kinds, >= 0; with combinations their sum is above 0 [those of Norman et al.] */
    sow_cell_counts *counts;   /* [NULL] borrowed; not of sow_cell_stream */
} sow_cell_world_options;
#define SOW_CELL_WORLD_OPTIONS_INIT {1, 1200, 500, 40, 30, 4000, 96, 0.7, 64, 1, 0.5, 0.15, 0.2, 1, 0.5, 1, 1, NULL, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, SOW_INTERACTIONS_NORMAN, NULL}
/** Combinations that so many perturbations have room for. */
sow_index sow_most_combinations(sow_index n_perturbations);

/** A combination. */
typedef struct {
    sow_index first, second; /* perturbations, first < second */
    sow_index lead;          /* SOW_EPISTASIS: the one that is left; SOW_POTENTIATION: the one that does more; else -1 */
    sow_interaction kind;
    double strength;         /* s; of SOW_NEOMORPHISM the length of the new program, in lengths of a + b in the first context; NaN where there is none */
} sow_combination;

/** What nobody but a test or an oracle may look at. Caller clears. */
typedef struct {
    sow_index n, genes, n_contexts; /* n with combinations, which come last */
    double *change;     /* [n_contexts, n, genes] log fold change of the mean, measured or not */
    sow_index *module;  /* [n] -1: a combination */
    sow_index n_combinations;
    sow_combination *combination; /* [n_combinations]; NULL without any */
    double *deviation;  /* [n_contexts, n_combinations] root of the summed squares, over genes, of the change less a + b */
    sow_index programs, guides;
    double *loading;    /* [programs, genes] log fold change of a program at weight 1 */
    double *growth;     /* [n] growth effect, >= 0 */
    double *efficiency; /* [n - n_combinations, guides] 0 where the guide failed; guide j of a combination is guide j of both */
} sow_cell_truth;
void sow_cell_truth_clear(sow_cell_truth *t);

/** The screen piece by piece, so that its counts need not fit in memory; the same counts as sow_cell_world_create makes. */
typedef struct sow_cell_stream sow_cell_stream;
/** SOW_E_ARG names an option out of range. Caller owns; destroy(NULL) is fine. */
SOW_MUST_CHECK sow_status sow_cell_stream_create(sow_cell_stream **out, const sow_cell_world_options *options, const sow_env *env, sow_error *err);
void sow_cell_stream_destroy(sow_cell_stream *s);
/** Labels of all cells in order, with genes and names but no matrix; borrowed. The screen's catalogue and contexts are in *screen. */
const sow_cells *sow_cell_stream_cells(const sow_screen **screen, const sow_cell_stream *s);
/** The next cells, *n = 0 at the end: start [n + 1] from 0, gene, value; borrowed until the next call. A block is some 4,096 cells. */
SOW_MUST_CHECK sow_status sow_cell_stream_next(sow_index *n, const int64_t **start, const int32_t **gene, const float **value, sow_cell_stream *s, const sow_env *env, sow_error *err);
/** Hands over the truth; nothing can be drawn any more. */
SOW_MUST_CHECK sow_status sow_cell_stream_truth(sow_cell_truth *truth, sow_cell_stream *s, sow_error *err);

/** The table (context after context, in each controls first, then P0001.. in name order; one matrix of counts, one technical batch), a screen with a row per perturbation and context that
 *  measured it (values NaN; cells and weight its number of cells) and the prior "simulated", unscaled. One context is named "simulated"; several C1, C2, ..., the first n_targets targets and the
 *  others references. Caller clears and destroys. `prior` and `truth` may be NULL; options NULL are the defaults.
 *  Streams by (seed, context, perturbation, cell): neither the number of perturbations made nor that of contexts (from two on) changes a cell or a prior row that is there anyway (the digits
 *  in names are four to 9,999 perturbations, five to 99,999), and informativeness changes nothing but the prior. Combinations change nothing of the perturbations they are made of; which there
 *  are depends on how many perturbations there are to choose from. Their prior rows are the means of both. The same bits for any number of threads.
 *  SOW_E_ARG names an option out of range; on failure nothing is handed over. Cost: about 50 ns a cell and gene, memory half as much again as the counts at most. */
SOW_MUST_CHECK sow_status sow_cell_world_create(sow_cells *cells, sow_screen **screen, sow_prior *prior, sow_cell_truth *truth, const sow_cell_world_options *options,
                                                const sow_env *env, sow_error *err);

/** How cells are looked at: core/prepare.h's normalisation. */
typedef struct {
    sow_index genes;              /* of the screen */
    const unsigned char *counted; /* [genes] enters a cell's total; NULL = all do */
    double target_sum;
    int log1p;
} sow_cell_view;
/** Mean changes against controls that perturbations show in a context, without the noise of any cell: change [n, genes]. kind [n] (may be NULL): a sow_interaction, or SOW_NO_INTERACTION. Guides,
 *  failed ones too, and escapers count as they are; technical batches and doublets do not. Caller's storage. SOW_E_ARG names an option out of range, or a context or number of genes that the
 *  screen has not. The same bits for any number of threads. Cost: the truth of the world once, and about 5 (20 + 10 x UMIs) products a perturbation (and guide). */
SOW_MUST_CHECK sow_status sow_cell_world_expect(double *change, int *kind, const sow_cell_world_options *options, sow_index context, const sow_index *perturbation, sow_index n,
                                                const sow_cell_view *view, const sow_env *env, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
