/* Differential expression of groups of cells against one set of controls, gene by gene. */
#ifndef SOWER_CORE_DE_H
#define SOWER_CORE_DE_H

#include "core/env.h"
#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    SOW_DE_WELCH,         /* t, variances with n - 1; NaN (0/0) becomes 0 */
    SOW_DE_WILCOXON,      /* rank sum z without tie correction, as scanpy's default */
    SOW_DE_WILCOXON_TIES  /* with tie correction */
} sow_de_method;

/** Groups of cells x [n, d] row-major, group g = rows start[g] .. start[g+1]-1, against control [m, d]. Scores [n_groups, d]: t or z, positive = higher in the
 *  group; p [n_groups, d] two-sided, or NULL. A gene whose value is the same in all cells scores 0, p 1; two sides without variance that differ have an infinite t.
 *  Groups or controls of fewer than 2 cells give score 0 and p 1. SOW_E_ARG for n < 0 and such, SOW_E_NONFINITE (names cell and gene) for a value that is not
 *  finite. Same bits for any number of threads. Cost (n + m) d: a radix sort of the non-zero values of all groups and the controls together, gene by gene.
 *  Memory about 130 (n + m) bytes a thread, at most about 32 MB (more only beyond 4 million cells). Welch 1947; Wilcoxon 1945. */
SOW_MUST_CHECK sow_status sow_de(double *score, double *p, sow_de_method method, const float *x, const sow_index *start, sow_index n_groups,
                                 const float *control, sow_index m, sow_index d, const sow_env *env, sow_error *err);

typedef enum {
    SOW_DE_RANK,          /* |score| of a gene that is constant in one side is capped by what it would be if that side varied as the other does */
    SOW_DE_RANK_REFERENCE /* the published way: any |score|, so that with Welch genes all zero in a small group come first */
} sow_de_rank_mode;
/** The `k` genes of largest |score| of one group, ties to the lowest position, the genes `own` [n_own] (a combination has several) left out; top [k] is filled with
 *  -1 where there are fewer. x [n, d] are the group's cells and control [m, d], to see which genes are constant; not read in reference mode. A NaN score counts as
 *  0; an infinite one (no variance on either side) comes last unless in reference mode. SOW_E_ARG for a negative size. See docs/math/cells.md for why. Cost
 *  d log d, and (n + m) for each gene that is looked at: those with the largest |score|, in steps of 256. */
SOW_MUST_CHECK sow_status sow_de_top(sow_index *top, sow_index k, sow_de_rank_mode mode, const double *score, const float *x, sow_index n,
                                     const float *control, sow_index m, sow_index d, const sow_index *own, sow_index n_own, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
