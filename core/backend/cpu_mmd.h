/* Squared MMD of segments for the CPU's backend; what each does is said in core/backend/backend.h. */
#ifndef SOWER_CORE_BACKEND_CPU_MMD_H
#define SOWER_CORE_BACKEND_CPU_MMD_H

#include "core/backend/backend.h"

void sow_i_cpu_mmd_memory(sow_dtype dtype, const sow_index *x_start, const sow_index *y_start, sow_index k, sow_index d, size_t *kept, size_t *work);
SOW_MUST_CHECK sow_status sow_i_cpu_mmd(sow_threads *threads, sow_tensor x, const sow_index *x_start, sow_tensor y, const sow_index *y_start, sow_index k, const sow_mmd_options *options,
                                        sow_tensor out, void *kept, void *work, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_cpu_mmd_back(sow_threads *threads, sow_tensor x, const sow_index *x_start, sow_tensor y, const sow_index *y_start, sow_index k,
                                             const sow_mmd_options *options, sow_tensor dout, const void *kept, void *work, sow_grad dx, sow_grad dy, sow_error *err);

#endif
