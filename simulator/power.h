/* Power: what a number of cells and reads can find, from a negative-binomial model of counts. docs/math/power.md derives it and says how it was checked.
 *
 * A cell's UMIs follow from its reads by a saturation curve; a gene's count is negative-binomial with mean = its share x UMIs and a size of its own; a perturbation multiplies the mean by a fold
 * change that differs from guide to guide. The test compares the sum over perturbed cells with the sum over control cells, given both together (the conditional test that is exact whatever the
 * mean is; Robinson & Smyth 2008): it keeps its level at any number of counts, where tests that go by the normal distribution of a log fold change do not.
 * All functions are pure; a test may be asked from several threads. */
#ifndef SOWER_SIMULATOR_POWER_H
#define SOWER_SIMULATOR_POWER_H

#include "core/baseline.h"
#include "core/cells.h"
#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- reads and UMIs ---- */

/** UMIs of a cell sequenced to saturation (> 0), how unequally molecules are amplified (0..1), and the share of raw reads that count (0 excluded, to 1). */
typedef struct {
    double saturation, variation, mapping;
} sow_umi_curve;
#define SOW_UMI_CURVE_K562 {59163, 0.397, 0.711} /* Gasperini 2019, as PerturbPlan fits it */

/** UMIs seen: U (1 - e^-x (1 + v x^2 / 2)), x = mapped reads / U. PerturbPlan's curve. 0 for 0 reads; rises to U. */
double sow_umis_of_reads(const sow_umi_curve *curve, double reads_per_cell_raw);
/** The inverse; INFINITY when it is U or more. */
double sow_reads_of_umis(const sow_umi_curve *curve, double umis);

/* ---- many genes ---- */

typedef enum { SOW_POWER_BH, SOW_POWER_BONFERRONI, SOW_POWER_UNCORRECTED } sow_power_correction;
/** Nominal two-sided level of one gene's test. Bonferroni: level / tested. BH: where a share `changed` of the genes really changes and `power` of them are found, the p value that
 *  Benjamini-Hochberg at false-discovery rate `level` cuts at: level x changed x power / (1 - level (1 - changed)) (Jung 2005). Uncorrected: level. */
double sow_power_alpha(sow_power_correction correction, double level, sow_index tested, double changed, double power);

/** Genes of like expression: a gene's own entry, or a group by its median share and size. */
typedef struct {
    sow_index n;       /* genes in it */
    double share, size;
    double low, high;  /* least and largest share */
} sow_power_level;
/** The `tested` most expressed genes (0 or more than there are = all) in `n` groups of as equal size as can be, most expressed first, into level [n]; returns how many, fewer than n with fewer genes. */
SOW_MUST_CHECK sow_status sow_power_levels(sow_power_level *level, sow_index *n_levels, const sow_baseline *b, sow_index tested, sow_index n, sow_error *err);

/* ---- one gene ---- */

typedef struct {
    double n_trt, n_ctl;  /* cells, >= 1 */
    double mean;          /* UMIs of the gene in a control cell, > 0 */
    double size;          /* negative-binomial size, > 0 */
    double library_cv;    /* coefficient of variation of UMIs between cells, >= 0; lognormal */
    sow_index guides;     /* guides of a target, >= 1; they share its cells evenly */
    double guide_sd;      /* standard deviation of a guide's log fold change, in parts of the target's, >= 0 */
    double alpha;         /* nominal two-sided level, in (0, 1) */
} sow_power_design;

typedef struct sow_power_test sow_power_test;
/** Works out which counts are called different. SOW_E_ARG names what is out of range. Caller owns; destroy(NULL) is fine. Cost: 1 to 20 ms. */
SOW_MUST_CHECK sow_status sow_power_test_create(sow_power_test **out, const sow_power_design *design, sow_error *err);
void sow_power_test_destroy(sow_power_test *test);
/** Probability that a target of this mean fold change (> 0) is called; fold 1 gives the true level, at most alpha. About 1 ms. */
double sow_power_at(const sow_power_test *test, double fold);
/** The fold change nearest 1 that is called with this probability: above 1 (up != 0) or below. NaN when even a 1000-fold change is not. */
double sow_power_smallest_fold(const sow_power_test *test, double power, int up);
/** Two-sided p value of sums t over perturbed and c over control cells: twice the smaller tail, at most 1. */
double sow_power_p_value(const sow_power_design *design, double t, double c);
/** What the normal approximation of the log fold change (Wald) would say. For comparison, and to begin searches from. */
double sow_power_wald(const sow_power_design *design, double fold);

/** Fewest perturbed cells (to about 1 %) with this power; INFINITY when `most` are not enough. Controls are the design's, or with controls_per_cell > 0 so many for each perturbed cell. design->n_trt is not used. */
SOW_MUST_CHECK sow_status sow_power_cells_needed(double *cells, const sow_power_design *design, double controls_per_cell, double fold, double power, double most, sow_error *err);
/** Least mean count (to about 1 %) with this power; INFINITY when `most` is not enough. design->mean is not used. */
SOW_MUST_CHECK sow_status sow_power_mean_needed(double *mean, const sow_power_design *design, double fold, double power, double most, sow_error *err);

/* ---- whole profiles ---- */

/** Correlation between replicates of m cells where it is r (< 1) between replicates of n: Spearman-Brown. Of r <= 0: 0. */
double sow_reliability_at(double r, double n, double m);
/** Cells of a replicate for the correlation `wanted` in (0, 1); INFINITY when r <= 0. */
double sow_cells_for_reliability(double r, double n, double wanted);

/* ---- a baseline from cells ---- */

enum { SOW_BASELINE_FEWEST_CELLS = 20 };
/** Share and size of every gene with a count in these cells [n], positions in the table: shares of all counts; sizes by likelihood given each cell's total, each a posterior median under what
 *  genes of like expression are like (docs/math/power.md). SOW_E_DATA: fewer than SOW_BASELINE_FEWEST_CELLS cells, values that are no counts, no counts at all. Caller clears. Cost: two passes over the cells, then some
 *  0.1 ms and 2.5 KB a gene. */
SOW_MUST_CHECK sow_status sow_baseline_estimate(sow_baseline *out, const sow_cells *cells, const sow_index *cell, sow_index n, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
