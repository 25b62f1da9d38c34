/* Optimisers' passes over flat buffers on the CPU; what each does is said in core/backend/backend.h. */
#ifndef SOWER_CORE_BACKEND_CPU_ADAM_H
#define SOWER_CORE_BACKEND_CPU_ADAM_H

#include "core/backend/backend.h"

SOW_MUST_CHECK sow_status sow_i_cpu_adam(sow_threads *threads, sow_dtype dtype, sow_index n, void *value, const void *grad, void *m, void *v, const sow_adam_numbers *numbers, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_cpu_sgd(sow_threads *threads, sow_dtype dtype, sow_index n, void *value, const void *grad, double rate, double clamp, double scale, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_cpu_sum_of_squares(sow_threads *threads, sow_dtype dtype, sow_index n, const void *x, double *out, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_cpu_finite(sow_threads *threads, sow_dtype dtype, sow_index n, const void *x, int *all, sow_error *err);

#endif
