/* Kernels of the CPU that work row by row (softmax, layer norm, cross entropy, a matrix for each row) or that only move numbers. */
#include "core/backend/cpu_internal.h"

#include <math.h>
#include <string.h>

enum { PANEL = 256, SQUARE = 16 };

typedef struct {
    sow_tensor x, y, gain, bias, moments, dy, p;
    sow_grad dx, dgain, dbias;
    double eps;
    const sow_index *class_;
} row_job;

typedef struct {
    sow_tensor w, a, x;
    sow_grad to;
    sow_index r, c;
} each_job;

typedef struct {
    sow_tensor x;
    sow_grad y;
    const sow_index *index;
    sow_index row, col, cols, to_row, to_col;
} move_job;

#define REAL float
#define FN(x) x##f
#define NAME(x) x##_f32
#include "core/backend/cpu_rows.inc"
#undef REAL
#undef FN
#undef NAME
#define REAL double
#define FN(x) x
#define NAME(x) x##_f64
#include "core/backend/cpu_rows.inc"

#define EITHER(x, name) ((x).dtype == SOW_F32 ? name##_f32 : name##_f64)

static sow_index panels_of(sow_index columns, sow_index panel)
{
    return (columns + panel - 1) / panel;
}

sow_status sow_i_cpu_softmax(sow_threads *threads, sow_tensor x, sow_tensor y, sow_error *err)
{
    row_job w = {.x = x, .y = y};
    return sow_i_cpu_pieces(threads, x.rows, 8 * x.cols, EITHER(x, softmax), &w, err);
}

sow_status sow_i_cpu_softmax_back(sow_threads *threads, sow_tensor y, sow_tensor dy, sow_grad dx, sow_error *err)
{
    row_job w = {.y = y, .dy = dy, .dx = dx};
    if (!dx.at.data) return SOW_OK;
    return sow_i_cpu_pieces(threads, y.rows, y.cols, EITHER(y, softmax_back), &w, err);
}

sow_status sow_i_cpu_layer_norm(sow_threads *threads, sow_tensor x, sow_tensor gain, sow_tensor bias, double eps, sow_tensor y, sow_tensor moments, sow_error *err)
{
    row_job w = {.x = x, .gain = gain, .bias = bias, .eps = eps, .y = y, .moments = moments};
    return sow_i_cpu_pieces(threads, x.rows, 2 * x.cols, EITHER(x, layer_norm), &w, err);
}

sow_status sow_i_cpu_layer_norm_back(sow_threads *threads, sow_tensor x, sow_tensor gain, sow_tensor moments, sow_tensor dy, sow_grad dx, sow_grad dgain, sow_grad dbias, sow_error *err)
{
    row_job w = {.x = x, .gain = gain, .moments = moments, .dy = dy, .dx = dx, .dgain = dgain, .dbias = dbias};
    sow_status st = SOW_OK;
    if (dx.at.data) SOW_TRY(sow_i_cpu_pieces(threads, x.rows, 2 * x.cols, EITHER(x, layer_norm_back), &w, err));
    if (!dgain.at.data && !dbias.at.data) goto done;
    SOW_TRY(sow_i_cpu_pieces(threads, panels_of(x.cols, PANEL), PANEL * x.rows, EITHER(x, layer_norm_gain_back), &w, err));
done:
    return st;
}

sow_status sow_i_cpu_cross_entropy(sow_threads *threads, sow_tensor x, const sow_index *class_, sow_tensor p, sow_tensor y, sow_error *err)
{
    (void)threads; /* a few classes */
    (void)err;
    row_job w = {.x = x, .class_ = class_, .p = p, .y = y};
    if (x.dtype == SOW_F32)
        cross_entropy_f32(&w);
    else
        cross_entropy_f64(&w);
    return SOW_OK;
}

sow_status sow_i_cpu_cross_entropy_back(sow_threads *threads, sow_tensor p, const sow_index *class_, sow_tensor dy, sow_grad dx, sow_error *err)
{
    row_job w = {.p = p, .class_ = class_, .dy = dy, .dx = dx};
    if (!dx.at.data) return SOW_OK;
    return sow_i_cpu_pieces(threads, p.rows, p.cols, EITHER(p, cross_entropy_back), &w, err);
}

sow_status sow_i_cpu_matvec_each(sow_threads *threads, int trans, sow_tensor w, sow_tensor x, sow_grad y, sow_error *err)
{
    each_job job = {.w = w, .x = x, .to = y, .r = trans ? x.cols : y.at.cols, .c = trans ? y.at.cols : x.cols};
    if (!y.at.data) return SOW_OK;
    return sow_i_cpu_pieces(threads, x.rows, job.r * job.c, trans ? EITHER(x, matvec_transposed) : EITHER(x, matvec), &job, err);
}

sow_status sow_i_cpu_outer_each(sow_threads *threads, sow_tensor a, sow_tensor x, sow_grad w, sow_error *err)
{
    each_job job = {.a = a, .x = x, .to = w, .r = a.cols, .c = x.cols};
    if (!w.at.data) return SOW_OK;
    return sow_i_cpu_pieces(threads, x.rows, job.r * job.c, EITHER(x, outer), &job, err);
}

sow_status sow_i_cpu_gather(sow_threads *threads, sow_tensor x, const sow_index *index, sow_grad y, sow_error *err)
{
    move_job w = {.x = x, .index = index, .y = y};
    if (!y.at.data) return SOW_OK;
    return sow_i_cpu_pieces(threads, y.at.rows, x.cols, EITHER(x, gather), &w, err);
}

sow_status sow_i_cpu_scatter_add(sow_threads *threads, sow_tensor x, const sow_index *index, sow_grad y, sow_error *err)
{
    move_job w = {.x = x, .index = index, .y = y};
    if (!y.at.data) return SOW_OK;
    return sow_i_cpu_pieces(threads, panels_of(y.at.cols, PANEL), PANEL * (x.rows + y.at.rows), EITHER(x, scatter), &w, err);
}

sow_status sow_i_cpu_block(sow_threads *threads, sow_tensor x, sow_index row, sow_index col, sow_index rows, sow_index cols, sow_grad y, sow_index to_row, sow_index to_col, int clear,
                           sow_error *err)
{
    sow_status st = SOW_OK;
    move_job w = {.x = x, .y = y, .row = row, .col = col, .cols = cols, .to_row = to_row, .to_col = to_col};
    if (!y.at.data) return SOW_OK;
    if (clear && !y.add && (rows < y.at.rows || cols < y.at.cols)) SOW_TRY(sow_i_cpu_fill(threads, y.at, 0, err));
    SOW_TRY(sow_i_cpu_pieces(threads, rows, cols, EITHER(x, block), &w, err));
done:
    return st;
}

sow_status sow_i_cpu_transpose(sow_threads *threads, sow_tensor x, sow_grad y, sow_error *err)
{
    move_job w = {.x = x, .y = y};
    if (!y.at.data) return SOW_OK;
    return sow_i_cpu_pieces(threads, panels_of(x.cols, SQUARE), SQUARE * x.rows, EITHER(x, transpose), &w, err);
}
