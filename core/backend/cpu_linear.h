/* Products and dense layers of the CPU's backend; what each does is said in core/backend/backend.h. */
#ifndef SOWER_CORE_BACKEND_CPU_LINEAR_H
#define SOWER_CORE_BACKEND_CPU_LINEAR_H

#include "core/backend/backend.h"

SOW_MUST_CHECK sow_status sow_i_cpu_gemm(sow_threads *threads, int trans_a, sow_tensor a, int trans_b, sow_tensor b, sow_grad c, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_cpu_linear(sow_threads *threads, sow_tensor x, sow_tensor w, sow_tensor bias, sow_activation act, sow_tensor y, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_cpu_linear_back(sow_threads *threads, sow_activation act, sow_tensor y, sow_tensor dy, sow_tensor dz, sow_grad dbias, sow_error *err);

#endif
