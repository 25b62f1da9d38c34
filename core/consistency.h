/* How well parts of a measurement agree: replicates, guides, halves. */
#ifndef SOWER_CORE_CONSISTENCY_H
#define SOWER_CORE_CONSISTENCY_H

#include "core/prepare.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    sow_index parts;      /* parts with at least `min_cells` cells of the perturbation and controls to compare with */
    double correlation;   /* mean Pearson correlation of the responses over pairs of parts (those where it is defined); NaN with fewer than 2 parts */
} sow_consistency;

/** The response of each part is the mean of its cells minus the mean of the controls that carry the same part label (replicates), or of all controls when
 *  `part_of_control` is NULL (guides). `part` [n] and `part_of_control` [m] are labels of the cells at `cell` and `control`, -1 = none. Genes `own` [n_own] (a combination has several) are left out.
 *  SOW_E_ARG for a negative size. Cost: each cell is prepared once, the controls too unless parts share them. */
SOW_MUST_CHECK sow_status sow_consistency_of(sow_consistency *out, const sow_preparation *p, const sow_cells *cells, const sow_index *cell,
                                             const int32_t *part, sow_index n, const sow_index *control, const int32_t *part_of_control, sow_index m,
                                             const sow_index *own, sow_index n_own, sow_index min_cells, const sow_env *env, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
