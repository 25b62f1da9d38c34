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
 *  group; p [n_groups, d] two-sided, or NULL. Groups or controls of fewer than 2 cells give score 0 and p 1. SOW_E_ARG for n < 0 and such, SOW_E_NONFINITE for
 *  a value that is not finite. Same bits for any number of threads. Cost: the controls are sorted once a gene, groups are merged into them. */
SOW_MUST_CHECK sow_status sow_de(double *score, double *p, sow_de_method method, const float *x, const sow_index *start, sow_index n_groups,
                                 const float *control, sow_index m, sow_index d, const sow_env *env, sow_error *err);

typedef enum {
    SOW_DE_RANK,          /* genes that are constant in the group or in the controls are ranked by what the other side allows: behind all others */
    SOW_DE_RANK_REFERENCE /* the published way: any |score|, so that genes all zero in a small group come first */
} sow_de_rank_mode;
/** The `k` genes of largest |score| of one group, ties to the lowest position, the genes `own` [n_own] (a combination has several) left out; top [k] is filled with -1 where there are
 *  fewer. x [n, d] are the group's cells and control [m, d], to see which genes are constant. See docs/math/cells.md for why. */
SOW_MUST_CHECK sow_status sow_de_top(sow_index *top, sow_index k, sow_de_rank_mode mode, const double *score, const float *x, sow_index n,
                                     const float *control, sow_index m, sow_index d, const sow_index *own, sow_index n_own, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
