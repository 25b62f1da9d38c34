/* Squared MMD of segments and its gradient (Gretton et al. 2012), with z the rows of a segment's x and y together, moved to their common mean:
 *
 *     value = sum over i, j of c_ij k(|z_i - z_j|^2),  c = 1 / n^2 within x, 1 / m^2 within y, -1 / (n m) across (unbiased: n (n - 1) for n^2 and no i = j)
 *     dz = M z,  M_ij = -A_ij for i != j, M_ii = sum over j of A_ij,  A_ij = 4 c_ij k'(|z_i - z_j|^2)
 *
 * so what is kept for the way back is z and M, and never n x n x d. Distances are sums over blocks of columns, each block centred while it is in the cache:
 *   float   from a Gram matrix of the block, blocks added in double: what cancels is of the size of the distances, not of the level of expression
 *   double  from plain differences, which are exact for equal rows
 * Kernels and their sums are double in both: bandwidths double, so one exp and squarings give them all, as in core/mmd.c. */
#include "core/backend/cpu_mmd.h"

#include "core/clones.h"
#include "core/linalg.h"
#include "core/mmd_internal.h"

#include <math.h>
#include <string.h>

enum {
    BLOCK = 512,  /* columns */
    CHUNKS = 16,  /* runs of blocks that are shared out; each has n^2 sums of its own, */
    MANY = 256,   /* so that of more rows than these there are only 2 */
    ROWS = 16,    /* of a tile of kernels */
    LANES = 8,
    RENEW = 10    /* exp is taken anew after so many squarings, each of which doubles the relative error */
};

typedef struct {
    sow_index n, m, total;
    sow_index x, y, z;      /* first rows */
    sow_index square;       /* where the pairs of this segment start */
    sow_index chunk, chunks, partial; /* first task of its distances, how many, and where their sums start */
    sow_index tile;         /* first task of its kernels */
    double widest;          /* kernel */
} piece;

typedef struct {
    sow_dtype dtype;
    sow_index d, k;
    const void *x, *y;
    const sow_mmd_options *options;
    void *z, *weights;      /* kept */
    piece *pieces;          /* work: [k + 1], */
    double *pairs;          /* squared distances, then kernels, */
    double *partial;        /* distances of each chunk of columns, */
    float *gram;            /* and Gram matrices of its blocks */
    void *out;
} mmd_job;

static sow_index smaller(sow_index a, sow_index b)
{
    return a < b ? a : b;
}

static size_t aligned(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

static sow_index blocks_of(sow_index d)
{
    return d < BLOCK ? 1 : (d + BLOCK - 1) / BLOCK;
}

/* The piece after p, p being the one before segment s (all 0 for the first). */
static piece piece_after(const piece *p, const sow_index *x_start, const sow_index *y_start, sow_index s, sow_index k, sow_index d)
{
    piece q = {.n = s < k ? x_start[s + 1] - x_start[s] : 0, .m = s < k ? y_start[s + 1] - y_start[s] : 0, .x = x_start[s], .y = y_start[s]};
    q.total = q.n + q.m;
    q.z = p->z + p->total;
    q.square = p->square + p->total * p->total;
    q.chunk = p->chunk + p->chunks;
    q.chunks = s < k ? smaller(blocks_of(d), q.total > MANY ? 2 : CHUNKS) : 0;
    q.partial = p->partial + p->chunks * p->total * p->total;
    q.tile = p->tile + (p->total + ROWS - 1) / ROWS;
    return q;
}

void sow_i_cpu_mmd_memory(sow_dtype dtype, const sow_index *x_start, const sow_index *y_start, sow_index k, sow_index d, size_t *kept, size_t *work)
{
    piece p = {0};
    for (sow_index s = 0; s <= k; s++) p = piece_after(&p, x_start, y_start, s, k, d);
    const size_t size = sow_dtype_size(dtype), squares = (size_t)p.square, partials = (size_t)p.partial;
    *kept = aligned((size_t)(p.z * d) * size) + aligned(squares * size);
    *work = aligned((size_t)(k + 1) * sizeof(piece)) + aligned(squares * sizeof(double)) + aligned(partials * sizeof(double)) + (dtype == SOW_F32 ? partials * sizeof(float) : 0);
}

static void lay_out(mmd_job *w, const sow_index *x_start, const sow_index *y_start, const void *kept, void *work)
{
    const piece none = {0};
    const size_t size = sow_dtype_size(w->dtype);
    char *at = work;
    w->pieces = work;
    for (sow_index s = 0; s <= w->k; s++) w->pieces[s] = piece_after(s ? &w->pieces[s - 1] : &none, x_start, y_start, s, w->k, w->d);
    const piece *end = &w->pieces[w->k];
    at += aligned((size_t)(w->k + 1) * sizeof(piece));
    w->pairs = (void *)at;
    at += aligned((size_t)end->square * sizeof(double));
    w->partial = (void *)at;
    at += aligned((size_t)end->partial * sizeof(double));
    w->gram = (void *)at;
    w->z = (void *)(uintptr_t)kept;
    w->weights = (char *)w->z + aligned((size_t)(end->z * w->d) * size);
}

/* ---- kernels ---- */

/* sum over i < kernels of exp(-2^i squared / widest), and its derivative by `squared`. */
static double kernels_and_slope(double *slope, double squared, double widest, int kernels)
{
    const double exponent = -squared / widest;
    double sum = 0, steep = 0, e = 1, twice = 1;
    for (int i = 0; i < kernels; i++) {
        e = i % RENEW ? e * e : exp(exponent * twice);
        sum += e;
        steep += twice * e;
        twice *= 2;
    }
    *slope = -steep / widest;
    return sum;
}

#define REAL float
#define NAME(x) x##_f32
#include "core/backend/cpu_mmd.inc"
#undef REAL
#undef NAME
#define REAL double
#define NAME(x) x##_f64
#include "core/backend/cpu_mmd.inc"

/* ---- distances: chunks of columns ---- */

/* |a - b|^2 in lanes that a compiler makes vectors of. */
static inline double squared_distance(const double *a, const double *b, sow_index n)
{
    double lane[LANES] = {0}, sum = 0;
    sow_index j = 0;
    for (; j + LANES <= n; j += LANES)
        for (int l = 0; l < LANES; l++) lane[l] += (a[j + l] - b[j + l]) * (a[j + l] - b[j + l]);
    for (; j < n; j++) sum += (a[j] - b[j]) * (a[j] - b[j]);
    for (int l = 0; l < LANES; l++) sum += lane[l];
    return sum;
}

/* Squared distances within `width` columns, added to the lower triangle of sums. */
SOW_CLONES static void add_distances_f64(double *sums, const double *z, sow_index ld, sow_index total, sow_index width)
{
    for (sow_index i = 1; i < total; i++)
        for (sow_index j = 0; j < i; j++) sums[i * total + j] += squared_distance(z + i * ld, z + j * ld, width);
}

static sow_status add_distances_f32(double *sums, float *gram, const float *z, sow_index ld, sow_index total, sow_index width, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_TRY(sow_gram_f32(NULL, total, width, z, ld, 0, gram, total, err));
    for (sow_index i = 1; i < total; i++)
        for (sow_index j = 0; j < i; j++) sums[i * total + j] += (double)gram[i * total + i] + (double)gram[j * total + j] - 2 * (double)gram[i * total + j];
done:
    return st;
}

static const piece *piece_of(const mmd_job *w, sow_index task, int tiles)
{
    const piece *p = w->pieces;
    while (task >= (tiles ? p[1].tile : p[1].chunk)) p++;
    return p;
}

static sow_status chunk_task(void *user, sow_index task, sow_error *err)
{
    const mmd_job *w = user;
    const piece *p = piece_of(w, task, 0);
    const sow_index c = task - p->chunk, blocks = blocks_of(w->d), pairs = p->total * p->total, at = p->partial + c * pairs;
    sow_status st = SOW_OK;
    memset(w->partial + at, 0, (size_t)pairs * sizeof(double));
    for (sow_index b = blocks * c / p->chunks; b < blocks * (c + 1) / p->chunks; b++) {
        const sow_index first = b * BLOCK, width = smaller(BLOCK, w->d - first), from = p->z * w->d + first;
        if (w->dtype == SOW_F32) {
            centre_f32(w, p, first, width);
            SOW_TRY(add_distances_f32(w->partial + at, w->gram + at, (const float *)w->z + from, w->d, p->total, width, err));
        } else {
            centre_f64(w, p, first, width);
            add_distances_f64(w->partial + at, (const double *)w->z + from, w->d, p->total, width);
        }
    }
done:
    return st;
}

/* ---- kernels: tiles of rows ---- */

/* Chunks in their order; rounding may leave a distance of equal rows a little below 0. */
static void sum_chunks(const mmd_job *w, const piece *p)
{
    const sow_index pairs = p->total * p->total;
    double *to = w->pairs + p->square;
    for (sow_index i = 1; i < p->total; i++)
        for (sow_index j = 0; j < i; j++) {
            double sum = 0;
            for (sow_index c = 0; c < p->chunks; c++) sum += w->partial[p->partial + c * pairs + i * p->total + j];
            to[i * p->total + j] = sum > 0 || isnan(sum) ? sum : 0;
        }
}

static double bandwidth_of(const mmd_job *w, const piece *p)
{
    double sum = 0;
    for (sow_index i = 1; i < p->total; i++)
        for (sow_index j = 0; j < i; j++) sum += w->pairs[p->square + i * p->total + j];
    return 2 * sum / ((double)p->total * (double)(p->total - 1));
}

static double widest_of(const mmd_job *w, const piece *p)
{
    return sow_i_mmd_widest(sow_i_mmd_from_data(w->options) ? bandwidth_of(w, p) : w->options->sigma, w->options->kernels);
}

/* All rows are the same and the bandwidth comes from them: a value of 0 that nothing changes. */
static void no_distance(const mmd_job *w, const piece *p)
{
    const size_t pairs = (size_t)(p->total * p->total), size = sow_dtype_size(w->dtype);
    memset((char *)w->weights + (size_t)p->square * size, 0, pairs * size);
    for (size_t i = 0; i < pairs; i++) w->pairs[p->square + (sow_index)i] = w->options->kernels;
}

static sow_status tile_task(void *user, sow_index task, sow_error *err)
{
    (void)err;
    const mmd_job *w = user;
    const piece *p = piece_of(w, task, 1);
    const sow_index first = (task - p->tile) * ROWS;
    for (sow_index i = first; p->widest != 0 && i < first + ROWS && i < p->total; i++)
        if (w->dtype == SOW_F32)
            kernel_row_f32(w, p, i);
        else
            kernel_row_f64(w, p, i);
    return SOW_OK;
}

/* Whole rows, so that equal samples have equal sums and a value of exactly 0. */
static double value_of(const mmd_job *w, const piece *p)
{
    const double *pairs = w->pairs + p->square;
    double xx = 0, yy = 0, xy = 0;
    for (sow_index i = 0; i < p->total; i++) {
        double over_x = 0, over_y = 0;
        for (sow_index j = 0; j < p->n; j++) over_x += i == j ? w->options->kernels : pairs[i * p->total + j];
        for (sow_index j = p->n; j < p->total; j++) over_y += i == j ? w->options->kernels : pairs[i * p->total + j];
        if (i < p->n) {
            xx += over_x;
            xy += over_y;
        } else {
            yy += over_y;
        }
    }
    return sow_i_mmd_of_sums(xx, yy, xy, p->n, p->m, w->options->kernels, w->options->unbiased);
}

static void finish(const mmd_job *w, sow_index s)
{
    const piece *p = &w->pieces[s];
    const int flat = p->widest == 0;
    if (flat) no_distance(w, p);
    if (w->dtype == SOW_F32) {
        if (!flat) diagonal_f32(w, p);
        ((float *)w->out)[s] = (float)value_of(w, p);
    } else {
        if (!flat) diagonal_f64(w, p);
        ((double *)w->out)[s] = value_of(w, p);
    }
}

sow_status sow_i_cpu_mmd(sow_threads *threads, sow_tensor x, const sow_index *x_start, sow_tensor y, const sow_index *y_start, sow_index k, const sow_mmd_options *options, sow_tensor out,
                         void *kept, void *work, sow_error *err)
{
    const sow_index worth = 1000000, worth_kernels = 8192; /* numbers and pairs that are worth the waking of threads */
    mmd_job w = {.dtype = x.dtype, .d = x.cols, .k = k, .x = x.data, .y = y.data, .options = options, .out = out.data};
    sow_status st = SOW_OK;
    lay_out(&w, x_start, y_start, kept, work);
    const piece *end = &w.pieces[k];
    SOW_TRY(sow_parallel_for(end->square * w.d > worth ? threads : NULL, end->chunk, chunk_task, &w, err));
    for (sow_index s = 0; s < k; s++) {
        sum_chunks(&w, &w.pieces[s]);
        w.pieces[s].widest = widest_of(&w, &w.pieces[s]);
    }
    SOW_TRY(sow_parallel_for(end->square > worth_kernels ? threads : NULL, end->tile, tile_task, &w, err));
    for (sow_index s = 0; s < k; s++) finish(&w, s);
done:
    return st;
}

/* ---- the way back ---- */

/* Rows of one sample: dz = dout M z. `first` says where the sample starts in z, `rows` where in its own tensor. */
static sow_status sample_back(sow_threads *threads, const mmd_job *w, const piece *p, sow_index first, sow_index n, sow_index row, double dout, sow_grad to, sow_error *err)
{
    const size_t size = sow_dtype_size(w->dtype);
    const char *weights = (const char *)w->weights + (size_t)(p->square + first * p->total) * size, *z = (const char *)w->z + (size_t)(p->z * w->d) * size;
    return sow_product(threads, w->dtype, 0, 0, n, w->d, p->total, dout, weights, p->total, z, w->d, to.add ? 1 : 0, (char *)to.at.data + (size_t)(row * w->d) * size, w->d, err);
}

static void clear_rows(sow_grad to, sow_index first, sow_index end)
{
    const size_t row = (size_t)to.at.cols * sow_dtype_size(to.at.dtype);
    if (to.at.data && !to.add && end > first) memset((char *)to.at.data + (size_t)first * row, 0, (size_t)(end - first) * row);
}

sow_status sow_i_cpu_mmd_back(sow_threads *threads, sow_tensor x, const sow_index *x_start, sow_tensor y, const sow_index *y_start, sow_index k, const sow_mmd_options *options,
                              sow_tensor dout, const void *kept, void *work, sow_grad dx, sow_grad dy, sow_error *err)
{
    mmd_job w = {.dtype = x.dtype, .d = x.cols, .k = k, .x = x.data, .y = y.data, .options = options};
    sow_status st = SOW_OK;
    lay_out(&w, x_start, y_start, kept, work);
    for (int second = 0; second < 2; second++) {
        const sow_grad to = second ? dy : dx;
        const sow_index *start = second ? y_start : x_start;
        if (!to.at.data) continue;
        clear_rows(to, 0, start[0]);
        clear_rows(to, start[k], to.at.rows);
        for (sow_index s = 0; s < k; s++) {
            const piece *p = &w.pieces[s];
            const double by = w.dtype == SOW_F32 ? (double)((const float *)dout.data)[s] : ((const double *)dout.data)[s];
            SOW_TRY(sample_back(threads, &w, p, second ? p->n : 0, second ? p->m : p->n, start[s], by, to, err));
        }
    }
done:
    return st;
}
