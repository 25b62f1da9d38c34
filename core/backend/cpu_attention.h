/* Attention of the CPU's backend; what each does is said in core/backend/backend.h. */
#ifndef SOWER_CORE_BACKEND_CPU_ATTENTION_H
#define SOWER_CORE_BACKEND_CPU_ATTENTION_H

#include "core/backend/backend.h"

SOW_MUST_CHECK sow_status sow_i_cpu_attend(sow_threads *threads, sow_tensor q, sow_tensor k, sow_tensor v, sow_tensor alpha, sow_tensor out, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_cpu_attend_back(sow_threads *threads, sow_tensor q, sow_tensor k, sow_tensor v, sow_tensor alpha, sow_tensor dout, sow_tensor dalpha_extra, sow_tensor score,
                                                sow_grad dq, sow_grad dk, sow_grad dv, sow_error *err);

#endif
