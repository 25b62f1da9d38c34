/* What the files of the CPU's backend share: how work is cut, and the element-wise and row kernels. What each kernel does is said in core/backend/backend.h. */
#ifndef SOWER_CORE_BACKEND_CPU_INTERNAL_H
#define SOWER_CORE_BACKEND_CPU_INTERNAL_H

#include "core/backend/backend.h"

/** Numbers of one tile: a tile is worth handing to another thread, and its inputs stay in a core's cache. */
enum { SOW_I_TILE = 16384 };

static inline sow_index sow_i_smaller(sow_index a, sow_index b)
{
    return a < b ? a : b;
}

/** Calls task(user, first, n) for pieces of 0..count-1, each costing about `cost` numbers an item. The pieces depend on count and cost only. */
SOW_MUST_CHECK sow_status sow_i_cpu_pieces(sow_threads *threads, sow_index count, sow_index cost, void (*task)(const void *job, sow_index first, sow_index n), const void *job,
                                           sow_error *err);

SOW_MUST_CHECK sow_status sow_i_cpu_widen(sow_threads *threads, sow_tensor to, const float *from, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_cpu_fill(sow_threads *threads, sow_tensor to, double x, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_cpu_map(sow_threads *threads, sow_map f, double p, sow_tensor x, sow_tensor y, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_cpu_map_back(sow_threads *threads, sow_map f, double p, sow_tensor x, sow_tensor y, sow_tensor dy, sow_grad dx, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_cpu_zip(sow_threads *threads, sow_zip f, sow_tensor a, sow_tensor b, sow_tensor y, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_cpu_zip_back(sow_threads *threads, sow_zip f, sow_tensor a, sow_tensor b, sow_tensor dy, sow_grad da, sow_grad db, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_cpu_dropout(sow_threads *threads, const sow_mask *mask, sow_tensor x, sow_grad y, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_cpu_sum(sow_threads *threads, double scale, sow_tensor x, sow_grad y, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_cpu_spread(sow_threads *threads, double scale, sow_tensor x, sow_grad y, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_cpu_softmax(sow_threads *threads, sow_tensor x, sow_tensor y, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_cpu_softmax_back(sow_threads *threads, sow_tensor y, sow_tensor dy, sow_grad dx, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_cpu_layer_norm(sow_threads *threads, sow_tensor x, sow_tensor gain, sow_tensor bias, double eps, sow_tensor y, sow_tensor moments, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_cpu_layer_norm_back(sow_threads *threads, sow_tensor x, sow_tensor gain, sow_tensor moments, sow_tensor dy, sow_grad dx, sow_grad dgain, sow_grad dbias,
                                                    sow_error *err);
SOW_MUST_CHECK sow_status sow_i_cpu_cross_entropy(sow_threads *threads, sow_tensor x, const sow_index *class_, sow_tensor p, sow_tensor y, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_cpu_cross_entropy_back(sow_threads *threads, sow_tensor p, const sow_index *class_, sow_tensor dy, sow_grad dx, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_cpu_matvec_each(sow_threads *threads, int trans, sow_tensor w, sow_tensor x, sow_grad y, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_cpu_outer_each(sow_threads *threads, sow_tensor a, sow_tensor x, sow_grad w, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_cpu_gather(sow_threads *threads, sow_tensor x, const sow_index *index, sow_grad y, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_cpu_scatter_add(sow_threads *threads, sow_tensor x, const sow_index *index, sow_grad y, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_cpu_block(sow_threads *threads, sow_tensor x, sow_index row, sow_index col, sow_index rows, sow_index cols, sow_grad y, sow_index to_row, sow_index to_col,
                                          int clear, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_cpu_transpose(sow_threads *threads, sow_tensor x, sow_grad y, sow_error *err);

#endif
