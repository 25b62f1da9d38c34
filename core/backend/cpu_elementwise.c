/* Element-wise kernels and sums of the CPU. A sum takes what each entry brings (a slope of a zip, or the entry itself) panel by panel, and adds in double in an order that depends on the shape only. */
#include "core/backend/cpu_internal.h"

#include "core/rng.h"

#include <math.h>
#include <string.h>

enum { PANEL = 512, CHUNKS = 64 };

typedef struct {
    sow_map f;
    double p;
    sow_tensor x, y, dy;
    sow_grad dx;
} map_job;

typedef struct {
    sow_zip f;
    sow_tensor a, b, y;
} zip_job;

typedef struct {
    sow_zip f;
    int which;
    double scale;
    sow_tensor a, b, g;
    sow_grad to;
    sow_index chunk; /* rows that one partial sum takes */
    double *partial; /* [CHUNKS] */
} sum_job;

typedef struct {
    double scale;
    sow_tensor x;
    sow_grad y;
} spread_job;

typedef struct {
    const sow_mask *mask;
    sow_tensor x;
    sow_grad y;
} dropout_job;

/* Draws 4 b .. 4 b + 3 of a mask. */
static void draw_four(const sow_mask *mask, sow_index b, uint32_t draw[4])
{
    const uint32_t key[2] = {(uint32_t)mask->seed, (uint32_t)(mask->seed >> 32)};
    const uint32_t counter[4] = {(uint32_t)b, SOW_RNG_DROPOUT, mask->stream, mask->call};
    sow_rng_philox(draw, counter, key);
}

#define EACH_MAP(X)                                                                                                                                                                        \
    X(SOW_MAP_SCALE) X(SOW_MAP_SHIFT) X(SOW_MAP_EXP) X(SOW_MAP_LOG) X(SOW_MAP_SQUARE) X(SOW_MAP_SQRT) X(SOW_MAP_RELU) X(SOW_MAP_LEAKY_RELU) X(SOW_MAP_SIGMOID) X(SOW_MAP_STEP)
#define EACH_ZIP(X) X(SOW_ZIP_ADD) X(SOW_ZIP_SUB) X(SOW_ZIP_MUL) X(SOW_ZIP_DIV)

#define REAL float
#define FN(x) x##f
#define NAME(x) x##_f32
#include "core/backend/cpu_elementwise.inc"
#undef REAL
#undef FN
#undef NAME
#define REAL double
#define FN(x) x
#define NAME(x) x##_f64
#include "core/backend/cpu_elementwise.inc"

static int same_shape(sow_tensor a, sow_tensor b)
{
    return a.rows == b.rows && a.cols == b.cols;
}

static sow_index size_of(sow_tensor x)
{
    return x.rows * x.cols;
}

/* ---- the slots ---- */

typedef struct {
    sow_tensor to;
    const float *from;
} widen_job;

static void widen_part(const void *job, sow_index first, sow_index n)
{
    const widen_job *w = job;
    if (w->to.dtype == SOW_F32)
        memcpy((float *)w->to.data + first, w->from + first, (size_t)n * sizeof(float));
    else
        for (sow_index i = first; i < first + n; i++) ((double *)w->to.data)[i] = (double)w->from[i];
}

sow_status sow_i_cpu_widen(sow_threads *threads, sow_tensor to, const float *from, sow_error *err)
{
    widen_job w = {to, from};
    return sow_i_cpu_pieces(threads, size_of(to), 1, widen_part, &w, err);
}

sow_status sow_i_cpu_fill(sow_threads *threads, sow_tensor to, double x, sow_error *err)
{
    map_job w = {.y = to, .p = x};
    return sow_i_cpu_pieces(threads, size_of(to), 1, to.dtype == SOW_F32 ? fill_f32 : fill_f64, &w, err);
}

sow_status sow_i_cpu_map(sow_threads *threads, sow_map f, double p, sow_tensor x, sow_tensor y, sow_error *err)
{
    map_job w = {.f = f, .p = p, .x = x, .y = y};
    return sow_i_cpu_pieces(threads, size_of(y), 1, y.dtype == SOW_F32 ? map_f32 : map_f64, &w, err);
}

sow_status sow_i_cpu_map_back(sow_threads *threads, sow_map f, double p, sow_tensor x, sow_tensor y, sow_tensor dy, sow_grad dx, sow_error *err)
{
    if (!dx.at.data) return SOW_OK;
    map_job w = {.f = f, .p = p, .x = x, .y = y, .dy = dy, .dx = dx};
    return sow_i_cpu_pieces(threads, size_of(y), 1, y.dtype == SOW_F32 ? map_back_f32 : map_back_f64, &w, err);
}

sow_status sow_i_cpu_zip(sow_threads *threads, sow_zip f, sow_tensor a, sow_tensor b, sow_tensor y, sow_error *err)
{
    zip_job w = {f, a, b, y};
    const int single = y.dtype == SOW_F32;
    if (size_of(y) == 0) return SOW_OK;
    if (same_shape(a, y) && same_shape(b, y)) return sow_i_cpu_pieces(threads, size_of(y), 1, single ? zip_flat_f32 : zip_flat_f64, &w, err);
    return sow_i_cpu_pieces(threads, y.rows, y.cols, single ? zip_rows_f32 : zip_rows_f64, &w, err);
}

static sow_status sum_all(sow_threads *threads, sum_job *w, sow_error *err)
{
    double partial[CHUNKS] = {0}, sum = 0;
    const int single = w->g.dtype == SOW_F32;
    const sow_index chunks = size_of(w->g) > SOW_I_TILE ? sow_i_smaller(CHUNKS, w->g.rows) : 1;
    w->partial = partial;
    w->chunk = (w->g.rows + chunks - 1) / chunks;
    sow_status st = sow_i_cpu_pieces(threads, chunks, w->chunk * w->g.cols, single ? sum_chunks_f32 : sum_chunks_f64, w, err);
    for (sow_index c = 0; c < chunks; c++) sum += partial[c];
    if (single)
        put_f32(w, 0, sum);
    else
        put_f64(w, 0, sum);
    return st;
}

static sow_status sum_down(sow_threads *threads, sum_job *w, sow_error *err)
{
    const int single = w->g.dtype == SOW_F32;
    sow_tensor to = w->to.at;
    if (!to.data) return SOW_OK;
    if (size_of(w->g) == 0) return w->to.add ? SOW_OK : sow_i_cpu_fill(threads, to, 0, err);
    if (same_shape(to, w->g)) return sow_i_cpu_pieces(threads, to.rows, to.cols, single ? sum_none_f32 : sum_none_f64, w, err);
    if (to.rows == w->g.rows) return sow_i_cpu_pieces(threads, to.rows, w->g.cols, single ? sum_columns_f32 : sum_columns_f64, w, err);
    if (to.cols == w->g.cols) return sow_i_cpu_pieces(threads, (to.cols + PANEL - 1) / PANEL, PANEL * w->g.rows, single ? sum_rows_f32 : sum_rows_f64, w, err);
    return sum_all(threads, w, err);
}

sow_status sow_i_cpu_zip_back(sow_threads *threads, sow_zip f, sow_tensor a, sow_tensor b, sow_tensor dy, sow_grad da, sow_grad db, sow_error *err)
{
    sum_job w = {.f = f, .scale = 1, .a = a, .b = b, .g = dy, .to = da};
    sow_status st = sum_down(threads, &w, err);
    if (st != SOW_OK) return st;
    w.which = 1;
    w.to = db;
    return sum_down(threads, &w, err);
}

sow_status sow_i_cpu_sum(sow_threads *threads, double scale, sow_tensor x, sow_grad y, sow_error *err)
{
    sum_job w = {.f = SOW_ZIP_ADD, .scale = scale, .a = x, .b = x, .g = x, .to = y};
    return sum_down(threads, &w, err);
}

sow_status sow_i_cpu_spread(sow_threads *threads, double scale, sow_tensor x, sow_grad y, sow_error *err)
{
    if (!y.at.data || size_of(y.at) == 0) return SOW_OK;
    spread_job w = {.scale = scale, .x = x, .y = y};
    return sow_i_cpu_pieces(threads, y.at.rows, y.at.cols, x.dtype == SOW_F32 ? spread_f32 : spread_f64, &w, err);
}

sow_status sow_i_cpu_dropout(sow_threads *threads, const sow_mask *mask, sow_tensor x, sow_grad y, sow_error *err)
{
    if (!y.at.data) return SOW_OK;
    dropout_job w = {mask, x, y};
    return sow_i_cpu_pieces(threads, size_of(x), 4, x.dtype == SOW_F32 ? dropout_f32 : dropout_f64, &w, err);
}
