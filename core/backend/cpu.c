/* The CPU's backend: the complete table, which defines "correct". Kernels are type-generic bodies (*.inc) compiled once for float and once for double. */
#include "core/backend/cpu_adam.h"
#include "core/backend/cpu_attention.h"
#include "core/backend/cpu_internal.h"
#include "core/backend/cpu_linear.h"
#include "core/backend/cpu_mmd.h"
#include "core/memory.h"

#include <stdlib.h>
#include <string.h>

static void *allocate(size_t bytes)
{
    return bytes > INT64_MAX ? NULL : sow_calloc((sow_index)bytes, 1);
}

static sow_status copy_bytes(void *to, const void *from, size_t bytes, sow_error *err)
{
    (void)err;
    memcpy(to, from, bytes);
    return SOW_OK;
}

typedef struct {
    void (*task)(const void *job, sow_index first, sow_index n);
    const void *job;
    sow_index count, piece;
} pieces_job;

static sow_status piece_task(void *user, sow_index i, sow_error *err)
{
    (void)err;
    const pieces_job *p = user;
    sow_index first = i * p->piece;
    p->task(p->job, first, sow_i_smaller(p->piece, p->count - first));
    return SOW_OK;
}

sow_status sow_i_cpu_pieces(sow_threads *threads, sow_index count, sow_index cost, void (*task)(const void *job, sow_index first, sow_index n), const void *job, sow_error *err)
{
    pieces_job p = {.task = task, .job = job, .count = count, .piece = SOW_I_TILE / (cost > 0 ? cost : 1)};
    if (p.piece < 1) p.piece = 1;
    return sow_parallel_for(threads, (count + p.piece - 1) / p.piece, piece_task, &p, err);
}

static const sow_backend cpu = {
    .name = "cpu",
    .place = SOW_HOST,
    .allocate = allocate,
    .release = free,
    .upload = copy_bytes,
    .download = copy_bytes,
    .widen = sow_i_cpu_widen,
    .fill = sow_i_cpu_fill,
    .gemm = sow_i_cpu_gemm,
    .linear = sow_i_cpu_linear,
    .linear_back = sow_i_cpu_linear_back,
    .matvec_each = sow_i_cpu_matvec_each,
    .outer_each = sow_i_cpu_outer_each,
    .map = sow_i_cpu_map,
    .map_back = sow_i_cpu_map_back,
    .zip = sow_i_cpu_zip,
    .zip_back = sow_i_cpu_zip_back,
    .dropout = sow_i_cpu_dropout,
    .sum = sow_i_cpu_sum,
    .spread = sow_i_cpu_spread,
    .softmax = sow_i_cpu_softmax,
    .softmax_back = sow_i_cpu_softmax_back,
    .layer_norm = sow_i_cpu_layer_norm,
    .layer_norm_back = sow_i_cpu_layer_norm_back,
    .cross_entropy = sow_i_cpu_cross_entropy,
    .cross_entropy_back = sow_i_cpu_cross_entropy_back,
    .gather = sow_i_cpu_gather,
    .scatter_add = sow_i_cpu_scatter_add,
    .block = sow_i_cpu_block,
    .transpose = sow_i_cpu_transpose,
    .attend = sow_i_cpu_attend,
    .attend_back = sow_i_cpu_attend_back,
    .mmd_memory = sow_i_cpu_mmd_memory,
    .mmd = sow_i_cpu_mmd,
    .mmd_back = sow_i_cpu_mmd_back,
    .adam = sow_i_cpu_adam,
    .sgd = sow_i_cpu_sgd,
    .sum_of_squares = sow_i_cpu_sum_of_squares,
    .finite = sow_i_cpu_finite,
};

const sow_backend *sow_backend_cpu(void)
{
    return &cpu;
}
