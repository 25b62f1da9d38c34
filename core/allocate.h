/* Cells of a batch, shared out among its perturbations so that what is left unknown is least.
 *
 * Perturbation i is known up to a variance v_i, one cell adds noise of variance s_i, and its uncertainty counts w_i. After n_i cells there remain
 *
 *     L(n) = sum_i w_i v_i x_i / (x_i + n_i),   x_i = s_i / v_i   (cells that are worth as much as what is known already)
 *
 * and with a fixed total the minimum is a water level: n_i = sqrt(w_i s_i) mu - x_i within the bounds, more for who is uncertain, fewer for who needs few. */
#ifndef SOWER_CORE_ALLOCATE_H
#define SOWER_CORE_ALLOCATE_H

#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Whole cells [n] that minimise L, sum to `total` and lie in [least, most], all of them caller's storage; weight, var and noise [n] finite and >= 0. Exact: L falls ever more slowly in each n_i,
 *  so that handing out cell by cell where it helps most is optimal (Fox 1966). Who gains alike (within 1e-6) gets alike, as far as whole numbers go; the odd cells go to the first. Without gain
 *  (no weight, variance or noise) a perturbation gets `least`, and what is left over when the others have `most`. n == 0 writes nothing. SOW_E_ARG: bounds or a total that cannot be met;
 *  SOW_E_NONFINITE. Cost O(n log most) times some 100. */
SOW_MUST_CHECK sow_status sow_allocate_cells(sow_index *cells, const double *weight, const double *var, const double *noise, sow_index n, sow_index total, sow_index least, sow_index most,
                                             sow_error *err);
/** L of cells [n]. */
double sow_allocation_left(const sow_index *cells, const double *weight, const double *var, const double *noise, sow_index n);

#ifdef __cplusplus
}
#endif
#endif
