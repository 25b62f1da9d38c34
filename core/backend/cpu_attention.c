/* Attention over a few programs: alpha = softmax(q k^T / sqrt(l)), out = alpha v (Vaswani et al. 2017, one head).
 *
 * The score matrix becomes alpha in place, and on the way back d alpha becomes d score in place, so that nothing but [m, g] is kept. Without a
 * gradient of `out` (its data NULL) only what came to alpha flows back, and v is not read. */
#include "core/backend/cpu_attention.h"

#include "core/linalg.h"

#include <math.h>
#include <string.h>

#define REAL float
#define EXP expf
#define NAME(x) x##_f32
#include "core/backend/cpu_attention.inc"
#undef REAL
#undef EXP
#undef NAME
#define REAL double
#define EXP exp
#define NAME(x) x##_f64
#include "core/backend/cpu_attention.inc"

/* c = alpha op(a) op(b) + (add ? c : 0); nothing when c is not wanted. */
static sow_status product(sow_threads *threads, double alpha, int trans_a, sow_tensor a, int trans_b, sow_tensor b, sow_grad c, sow_error *err)
{
    if (!c.at.data) return SOW_OK;
    return sow_product(threads, a.dtype, trans_a, trans_b, c.at.rows, c.at.cols, trans_a ? a.rows : a.cols, alpha, a.data, a.cols, b.data, b.cols, c.add ? 1 : 0, c.at.data,
                       c.at.cols, err);
}

sow_status sow_i_cpu_attend(sow_threads *threads, sow_tensor q, sow_tensor k, sow_tensor v, sow_tensor alpha, sow_tensor out, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_TRY(product(threads, 1 / sqrt((double)q.cols), 0, q, 1, k, (sow_grad){alpha, 0}, err));
    for (sow_index i = 0; i < alpha.rows; i++)
        if (alpha.dtype == SOW_F32)
            softmax_row_f32((float *)alpha.data + i * alpha.cols, alpha.cols);
        else
            softmax_row_f64((double *)alpha.data + i * alpha.cols, alpha.cols);
    SOW_TRY(product(threads, 1, 0, alpha, 0, v, (sow_grad){out, 0}, err));
done:
    return st;
}

sow_status sow_i_cpu_attend_back(sow_threads *threads, sow_tensor q, sow_tensor k, sow_tensor v, sow_tensor alpha, sow_tensor dout, sow_tensor dalpha_extra, sow_tensor score, sow_grad dq,
                                 sow_grad dk, sow_grad dv, sow_error *err)
{
    const double scale = 1 / sqrt((double)q.cols);
    sow_status st = SOW_OK;
    if (dalpha_extra.data) memcpy(score.data, dalpha_extra.data, (size_t)(score.rows * score.cols) * sow_dtype_size(score.dtype));
    if (dout.data) SOW_TRY(product(threads, 1, 0, dout, 1, v, (sow_grad){score, dalpha_extra.data != NULL}, err));
    for (sow_index i = 0; i < score.rows; i++)
        if (score.dtype == SOW_F32)
            softmax_row_back_f32((float *)score.data + i * score.cols, (const float *)alpha.data + i * score.cols, score.cols, (float)scale);
        else
            softmax_row_back_f64((double *)score.data + i * score.cols, (const double *)alpha.data + i * score.cols, score.cols, scale);
    SOW_TRY(product(threads, 1, 0, score, 0, k, dq, err));
    SOW_TRY(product(threads, 1, 1, score, 0, q, dk, err));
    if (dout.data) SOW_TRY(product(threads, 1, 1, alpha, 0, dout, dv, err));
done:
    return st;
}
