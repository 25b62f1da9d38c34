/* Dense layers: y = act(x w^T + bias), and the way back to z = x w^T + bias.
 *
 * The products are core/linalg's tiles; bias and activation follow in one pass over y, and the way back needs y alone: the sign of y tells the slope of (leaky) ReLU. */
#include "core/backend/cpu_linear.h"

#include "core/clones.h"
#include "core/linalg.h"

#include <math.h>
#include <string.h>

enum { COLUMNS = 512, PANEL = 32, SMALL = 32768 /* numbers that one thread goes through sooner than it wakes another */ };

typedef struct {
    sow_index rows, columns;
    sow_dtype dtype;
    sow_activation act;
    const void *y, *dy;
    void *dz;
    sow_grad dbias;
} back_job;

#define REAL float
#define EXP expf
#define NAME(x) x##_f32
#include "core/backend/cpu_linear.inc"
#undef REAL
#undef EXP
#undef NAME
#define REAL double
#define EXP exp
#define NAME(x) x##_f64
#include "core/backend/cpu_linear.inc"

static sow_index smaller(sow_index a, sow_index b)
{
    return a < b ? a : b;
}

static sow_threads *threads_for(sow_threads *threads, sow_index numbers)
{
    return numbers > SMALL ? threads : NULL;
}

sow_status sow_i_cpu_gemm(sow_threads *threads, int trans_a, sow_tensor a, int trans_b, sow_tensor b, sow_grad c, sow_error *err)
{
    const sow_index k = trans_a ? a.rows : a.cols;
    return sow_product(threads, a.dtype, trans_a, trans_b, c.at.rows, c.at.cols, k, 1, a.data, a.cols, b.data, b.cols, c.add ? 1 : 0, c.at.data, c.at.cols, err);
}

typedef struct {
    sow_tensor y;
    const void *bias;
    sow_activation act;
} finish_job;

static sow_status finish_task(void *user, sow_index i, sow_error *err)
{
    (void)err;
    const finish_job *w = user;
    if (w->y.dtype == SOW_F32)
        finish_f32((float *)w->y.data + i * w->y.cols, w->bias, w->y.cols, w->act);
    else
        finish_f64((double *)w->y.data + i * w->y.cols, w->bias, w->y.cols, w->act);
    return SOW_OK;
}

sow_status sow_i_cpu_linear(sow_threads *threads, sow_tensor x, sow_tensor w, sow_tensor bias, sow_activation act, sow_tensor y, sow_error *err)
{
    finish_job finish = {y, bias.data, act};
    sow_status st = SOW_OK;
    SOW_TRY(sow_product(threads, x.dtype, 0, 1, y.rows, y.cols, x.cols, 1, x.data, x.cols, w.data, w.cols, 0, y.data, y.cols, err));
    SOW_TRY(sow_parallel_for(threads_for(threads, y.rows * y.cols), y.rows, finish_task, &finish, err));
done:
    return st;
}

static sow_status back_task(void *user, sow_index i, sow_error *err)
{
    (void)err;
    const back_job *w = user;
    const sow_index first = i * COLUMNS, n = smaller(COLUMNS, w->columns - first);
    if (w->dtype == SOW_F32)
        slope_columns_f32(w, first, n);
    else
        slope_columns_f64(w, first, n);
    return SOW_OK;
}

sow_status sow_i_cpu_linear_back(sow_threads *threads, sow_activation act, sow_tensor y, sow_tensor dy, sow_tensor dz, sow_grad dbias, sow_error *err)
{
    back_job w = {y.rows, y.cols, y.dtype, act, y.data, dy.data, dz.data, dbias};
    return sow_parallel_for(threads_for(threads, y.rows * y.cols), (y.cols + COLUMNS - 1) / COLUMNS, back_task, &w, err);
}
