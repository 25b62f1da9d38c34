/* One pass over flat buffers: Adam, gradient descent, a norm, a check.
 *
 *     g = clamp(scale gradient);  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
 *     value -= rate / correct1 * m / (sqrt(v / correct2) + eps)                                  Kingma & Ba 2015, Algorithm 1
 *
 * Bound by memory: in f32 it reads 16 and writes 12 bytes a number. A moment below the smallest normal number is set to 0, since those of units that died would stay among the
 * denormal numbers, which cost many times as much. */
#include "core/backend/cpu_adam.h"

#include "core/clones.h"

#include <float.h>
#include <math.h>

enum { TILE = 16384, SHARDS = 64, LANES = 16 };

typedef struct {
    sow_dtype dtype;
    sow_index n;
    void *value, *m, *v;
    const void *x; /* gradient, or what is summed */
    const sow_adam_numbers *adam;
    double rate, clamp, scale;
    double part[SHARDS];
} flat_job;

#define REAL float
#define ROOT sqrtf
#define TINY FLT_MIN
#define NAME(x) x##_f32
#include "core/backend/cpu_adam.inc"
#undef REAL
#undef ROOT
#undef TINY
#undef NAME
#define REAL double
#define ROOT sqrt
#define TINY DBL_MIN
#define NAME(x) x##_f64
#include "core/backend/cpu_adam.inc"

static sow_index smaller(sow_index a, sow_index b)
{
    return a < b ? a : b;
}

static sow_status adam_task(void *user, sow_index i, sow_error *err)
{
    (void)err;
    const flat_job *w = user;
    const sow_index first = i * TILE, end = smaller(first + TILE, w->n);
    if (w->dtype == SOW_F32)
        adam_f32(w, first, end);
    else
        adam_f64(w, first, end);
    return SOW_OK;
}

static sow_status sgd_task(void *user, sow_index i, sow_error *err)
{
    (void)err;
    const flat_job *w = user;
    const sow_index first = i * TILE, end = smaller(first + TILE, w->n);
    if (w->dtype == SOW_F32)
        sgd_f32(w, first, end);
    else
        sgd_f64(w, first, end);
    return SOW_OK;
}

static sow_index tiles_of(sow_index n)
{
    return (n + TILE - 1) / TILE;
}

sow_status sow_i_cpu_adam(sow_threads *threads, sow_dtype dtype, sow_index n, void *value, const void *grad, void *m, void *v, const sow_adam_numbers *numbers, sow_error *err)
{
    flat_job w = {.dtype = dtype, .n = n, .value = value, .m = m, .v = v, .x = grad, .adam = numbers};
    return sow_parallel_for(threads, tiles_of(n), adam_task, &w, err);
}

sow_status sow_i_cpu_sgd(sow_threads *threads, sow_dtype dtype, sow_index n, void *value, const void *grad, double rate, double clamp, double scale, sow_error *err)
{
    flat_job w = {.dtype = dtype, .n = n, .value = value, .x = grad, .rate = rate, .clamp = clamp, .scale = scale};
    return sow_parallel_for(threads, tiles_of(n), sgd_task, &w, err);
}

/* ---- sums: as many shards for any number of threads, added in their order ---- */

static sow_index shard_start(const flat_job *w, sow_index i)
{
    return w->n / SHARDS * i + smaller(w->n % SHARDS, i);
}

static sow_status squares_task(void *user, sow_index i, sow_error *err)
{
    (void)err;
    flat_job *w = user;
    const sow_index first = shard_start(w, i), n = shard_start(w, i + 1) - first;
    w->part[i] = w->dtype == SOW_F32 ? squares_f32((const float *)w->x + first, n) : squares_f64((const double *)w->x + first, n);
    return SOW_OK;
}

static sow_status finite_task(void *user, sow_index i, sow_error *err)
{
    (void)err;
    flat_job *w = user;
    const sow_index first = shard_start(w, i), n = shard_start(w, i + 1) - first;
    w->part[i] = w->dtype == SOW_F32 ? zero_if_finite_f32((const float *)w->x + first, n) : zero_if_finite_f64((const double *)w->x + first, n);
    return SOW_OK;
}

static sow_status sum_of_shards(sow_threads *threads, flat_job *w, sow_status (*task)(void *user, sow_index i, sow_error *err), double *out, sow_error *err)
{
    sow_status st = SOW_OK;
    *out = NAN;
    SOW_TRY(sow_parallel_for(w->n > TILE ? threads : NULL, SHARDS, task, w, err));
    *out = 0;
    for (int i = 0; i < SHARDS; i++) *out += w->part[i];
done:
    return st;
}

sow_status sow_i_cpu_sum_of_squares(sow_threads *threads, sow_dtype dtype, sow_index n, const void *x, double *out, sow_error *err)
{
    flat_job w = {.dtype = dtype, .n = n, .x = x};
    return sum_of_shards(threads, &w, squares_task, out, err);
}

sow_status sow_i_cpu_finite(sow_threads *threads, sow_dtype dtype, sow_index n, const void *x, int *all, sow_error *err)
{
    flat_job w = {.dtype = dtype, .n = n, .x = x};
    double sum = NAN;
    sow_status st = sum_of_shards(threads, &w, finite_task, &sum, err);
    *all = sum == 0;
    return st;
}
