/* What core/mmd.c, core/mmd_many.c and core/energy.c share. */
#ifndef SOWER_CORE_MMD_INTERNAL_H
#define SOWER_CORE_MMD_INTERNAL_H

#include "core/mmd.h"

/** SOW_E_ARG when the options or sizes are none to work with. */
SOW_MUST_CHECK sow_status sow_i_mmd_check(sow_index n, sow_index m, sow_index d, const sow_mmd_options *options, sow_error *err);
/** The widest kernel's bandwidth from sigma (or from the data). */
double sow_i_mmd_widest(double sigma, int kernels);
/** sum over i < kernels of exp(-2^i squared / widest). */
double sow_i_mmd_kernels(double squared, double widest, int kernels);
/** The same summed over squared [n] >= 0, for many at once: within 1e-13 relative of the sum of the above. */
double sow_i_mmd_kernel_sum(const double *squared, sow_index n, double widest, int kernels);
/** From sums over all ordered pairs, the n (m) diagonal pairs included, each of which counts `kernels`. */
double sow_i_mmd_of_sums(double xx, double yy, double xy, sow_index n, sow_index m, int kernels, int unbiased);
int sow_i_mmd_from_data(const sow_mmd_options *options);

#endif
