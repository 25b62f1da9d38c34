/* BLAS and LAPACK behind fixed tiles.
 *
 * OpenBLAS with 1 and with 2 threads of its own differs in the last bits, so it runs with one, and the work is cut here: the tiles depend on
 * the shapes only and each tile is one BLAS call, whoever makes it. Row-major storage costs no transposes: the row-major lower triangle is the
 * column-major upper one, and LAPACK is always called column-major. */
#include "core/linalg.h"
#include "core/memory.h"

#include <cblas.h>
#include <lapacke.h>

#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void one_blas_thread(void)
{
    openblas_set_num_threads(1);
}

static void prepare_blas(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, one_blas_thread);
}

const char *sow_linalg_kernels(void)
{
    return openblas_get_corename();
}

const char *sow_linalg_advice_for(const char *kernels, int has_512_bits)
{
    static const char *const wide[] = {"SkylakeX", "Cooperlake", "Sapphirerapids", "Zen4", "Zen5"}; /* of OpenBLAS; all others are of 256 bits or less */
    for (size_t i = 0; i < sizeof wide / sizeof *wide; i++)
        if (strcasecmp(kernels, wide[i]) == 0) return NULL;
    return has_512_bits ? "OpenBLAS does not know this processor and leaves half of its vector width unused: with OPENBLAS_CORETYPE=SkylakeX in the environment networks train in a quarter to a third less time, with other last digits"
                        : NULL;
}

const char *sow_linalg_advice(void)
{
    int has_512_bits = 0;
#if defined(__x86_64__)
    has_512_bits = __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"); /* what SkylakeX's kernels use */
#endif
    return sow_linalg_advice_for(sow_linalg_kernels(), has_512_bits);
}

/* The one place where dimensions are checked before they are narrowed to BLAS's int. */
static sow_status check_dimensions(const char *what, const sow_index *dimension, int n, sow_error *err)
{
    for (int i = 0; i < n; i++)
        if (dimension[i] < 0 || dimension[i] > INT_MAX)
            return SOW_ERROR(err, SOW_E_SHAPE, "%s: a dimension of %lld; allowed are 0 to %d", what, (long long)dimension[i], INT_MAX);
    return SOW_OK;
}

static sow_status check_leading(const char *what, sow_index ld, sow_index columns, sow_error *err)
{
    if (ld >= columns) return SOW_OK;
    return SOW_ERROR(err, SOW_E_SHAPE, "%s: rows of %lld numbers do not fit a leading dimension of %lld", what, (long long)columns,
                     (long long)ld);
}

/* The one place where LAPACK's answers become ours. */
static sow_status lapack_status(const char *routine, lapack_int info, sow_error *err)
{
    if (info == 0) return SOW_OK;
    if (info == LAPACK_WORK_MEMORY_ERROR || info == LAPACK_TRANSPOSE_MEMORY_ERROR)
        return SOW_ERROR(err, SOW_E_NOMEM, "%s: out of memory", routine);
    if (info < 0) return SOW_ERROR(err, SOW_E_ARG, "%s: argument %d is wrong", routine, -(int)info);
    return SOW_ERROR(err, SOW_E_NO_CONVERGE, "%s did not converge (info %d)", routine, (int)info);
}

static sow_index smaller(sow_index a, sow_index b)
{
    return a < b ? a : b;
}

static sow_index tiles_of(sow_index n, sow_index tile)
{
    return (n + tile - 1) / tile;
}

/* Tile t of a lower triangle counted row by row: (0,0) (1,0) (1,1) (2,0) ... */
static void lower_tile(sow_index t, sow_index *row, sow_index *column)
{
    sow_index i = 0;
    while (t > i) t -= ++i;
    *row = i;
    *column = t;
}

/* ---- products ---- */

/* 256 x 256 keeps OpenBLAS near its peak; a small product is cut finer so that a few threads have something to share. */
static sow_index product_tile(sow_index m, sow_index n)
{
    return m * n <= 512 * 512 ? 128 : 256;
}

typedef struct {
    int single; /* float, else double */
    CBLAS_TRANSPOSE trans_a, trans_b;
    sow_index m, n, k, tile_rows, tile_columns, column_tiles;
    double alpha, beta;
    const void *a, *b;
    void *c;
    sow_index lda, ldb, ldc;
} product_job;

static sow_status product_tile_task(void *user, sow_index t, sow_error *err)
{
    (void)err;
    const product_job *p = user;
    sow_index i = t / p->column_tiles * p->tile_rows, j = t % p->column_tiles * p->tile_columns;
    sow_index a_at = p->trans_a == CblasNoTrans ? i * p->lda : i, b_at = p->trans_b == CblasNoTrans ? j : j * p->ldb;
    sow_index c_at = i * p->ldc + j;
    int m = (int)smaller(p->tile_rows, p->m - i), n = (int)smaller(p->tile_columns, p->n - j), k = (int)p->k;
    int lda = (int)p->lda, ldb = (int)p->ldb, ldc = (int)p->ldc;
    if (p->single)
        cblas_sgemm(CblasRowMajor, p->trans_a, p->trans_b, m, n, k, (float)p->alpha, (const float *)p->a + a_at, lda,
                    (const float *)p->b + b_at, ldb, (float)p->beta, (float *)p->c + c_at, ldc);
    else
        cblas_dgemm(CblasRowMajor, p->trans_a, p->trans_b, m, n, k, p->alpha, (const double *)p->a + a_at, lda,
                    (const double *)p->b + b_at, ldb, p->beta, (double *)p->c + c_at, ldc);
    return SOW_OK;
}

/* beta C alone, which is all that is left when k or alpha is 0. */
static void scale_rows(const product_job *p)
{
    for (sow_index i = 0; i < p->m; i++)
        for (sow_index j = 0; j < p->n; j++) {
            sow_index at = i * p->ldc + j;
            if (p->single)
                ((float *)p->c)[at] = p->beta == 0 ? 0 : (float)p->beta * ((float *)p->c)[at];
            else
                ((double *)p->c)[at] = p->beta == 0 ? 0 : p->beta * ((double *)p->c)[at];
        }
}

static sow_status multiply(sow_threads *threads, product_job *p, sow_error *err)
{
    sow_index dimensions[] = {p->m, p->n, p->k, p->lda, p->ldb, p->ldc};
    sow_status st = SOW_OK;
    SOW_TRY(check_dimensions("gemm", dimensions, 6, err));
    SOW_TRY(check_leading("gemm A", p->lda, p->trans_a == CblasNoTrans ? p->k : p->m, err));
    SOW_TRY(check_leading("gemm B", p->ldb, p->trans_b == CblasNoTrans ? p->n : p->k, err));
    SOW_TRY(check_leading("gemm C", p->ldc, p->n, err));
    if (p->m == 0 || p->n == 0) return SOW_OK;
    if (p->k == 0 || p->alpha == 0) {
        scale_rows(p);
        return SOW_OK;
    }
    prepare_blas();
    p->column_tiles = tiles_of(p->n, p->tile_columns);
    SOW_TRY(sow_parallel_for(threads, tiles_of(p->m, p->tile_rows) * p->column_tiles, product_tile_task, p, err));
done:
    return st;
}

static sow_status multiply_squares(sow_threads *threads, product_job *p, sow_error *err)
{
    p->tile_rows = p->tile_columns = product_tile(p->m, p->n);
    return multiply(threads, p, err);
}

static CBLAS_TRANSPOSE transpose_if(int trans)
{
    return trans ? CblasTrans : CblasNoTrans;
}

sow_status sow_gemm(sow_threads *threads, int trans_a, int trans_b, sow_index m, sow_index n, sow_index k, double alpha, const double *a,
                    sow_index lda, const double *b, sow_index ldb, double beta, double *c, sow_index ldc, sow_error *err)
{
    product_job p = {.trans_a = transpose_if(trans_a), .trans_b = transpose_if(trans_b), .m = m, .n = n, .k = k,
                     .alpha = alpha, .beta = beta, .a = a, .b = b, .c = c, .lda = lda, .ldb = ldb, .ldc = ldc};
    return multiply_squares(threads, &p, err);
}

sow_status sow_gemm_f32(sow_threads *threads, int trans_a, int trans_b, sow_index m, sow_index n, sow_index k, float alpha,
                        const float *a, sow_index lda, const float *b, sow_index ldb, float beta, float *c, sow_index ldc, sow_error *err)
{
    product_job p = {.single = 1, .trans_a = transpose_if(trans_a), .trans_b = transpose_if(trans_b), .m = m, .n = n, .k = k,
                     .alpha = (double)alpha, .beta = (double)beta, .a = a, .b = b, .c = c, .lda = lda, .ldb = ldb, .ldc = ldc};
    return multiply_squares(threads, &p, err);
}

static sow_index long_side(sow_index n)
{
    return n > 1024 ? 512 : n > 256 ? 128 : n;
}

/* A batch of cells against all genes is a product with one short side, which a square tile would cut into slivers that OpenBLAS packs again and again. What is short on both
 * sides is cut only when a tile is worth the waking of a thread (about 20 microseconds). */
static void thin_tiles(product_job *p)
{
    const sow_index worth = 2000000;
    p->tile_rows = long_side(p->m);
    p->tile_columns = long_side(p->n);
    if (p->tile_rows < p->m || p->tile_columns < p->n || p->m * p->n * p->k < worth) return;
    p->tile_rows = smaller(p->m, 32);
    p->tile_columns = smaller(p->n, 64);
}

sow_status sow_product(sow_threads *threads, sow_dtype dtype, int trans_a, int trans_b, sow_index m, sow_index n, sow_index k, double alpha, const void *a, sow_index lda,
                       const void *b, sow_index ldb, double beta, void *c, sow_index ldc, sow_error *err)
{
    product_job p = {.single = dtype == SOW_F32, .trans_a = transpose_if(trans_a), .trans_b = transpose_if(trans_b), .m = m, .n = n, .k = k,
                     .alpha = alpha, .beta = beta, .a = a, .b = b, .c = c, .lda = lda, .ldb = ldb, .ldc = ldc};
    thin_tiles(&p);
    return multiply(threads, &p, err);
}

/* The tiles of the lower triangle; those on the diagonal are whole squares, so that each is one product. */
typedef struct {
    sow_index n, k, lda, ldc, tile;
    const float *a;
    float beta, *c;
} gram_job;

/* Small tiles leave more of the upper triangle out, large ones come nearer to the peak: 128 rows in three tiles of 64 take 15 % less time than in one. */
static sow_index gram_tile(sow_index n)
{
    return n <= 256 ? 64 : 128;
}

static sow_status gram_tile_task(void *user, sow_index t, sow_error *err)
{
    (void)err;
    const gram_job *g = user;
    sow_index ti, tj;
    lower_tile(t, &ti, &tj);
    sow_index i = ti * g->tile, j = tj * g->tile;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)smaller(g->tile, g->n - i), (int)smaller(g->tile, g->n - j), (int)g->k, 1,
                g->a + i * g->lda, (int)g->lda, g->a + j * g->lda, (int)g->lda, g->beta, g->c + i * g->ldc + j, (int)g->ldc);
    return SOW_OK;
}

sow_status sow_gram_f32(sow_threads *threads, sow_index n, sow_index k, const float *a, sow_index lda, float beta, float *c, sow_index ldc, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index dimensions[] = {n, k, lda, ldc}, tiles = tiles_of(n, gram_tile(n));
    SOW_TRY(check_dimensions("gram", dimensions, 4, err));
    SOW_TRY(check_leading("gram A", lda, k, err));
    SOW_TRY(check_leading("gram C", ldc, n, err));
    gram_job g = {.n = n, .k = k, .lda = lda, .ldc = ldc, .tile = gram_tile(n), .a = a, .beta = beta, .c = c};
    prepare_blas();
    SOW_TRY(sow_parallel_for(threads, tiles * (tiles + 1) / 2, gram_tile_task, &g, err));
done:
    return st;
}

/* Lower tiles of the double product, of the size sow_gemm would cut, so that they have its bits; then mirrored. */
static sow_status gram_mirror_task(void *user, sow_index t, sow_error *err)
{
    sow_status st = SOW_OK;
    product_job *p = user;
    sow_index ti, tj;
    lower_tile(t, &ti, &tj);
    SOW_TRY(product_tile_task(p, ti * p->column_tiles + tj, err));
    double *c = p->c;
    const sow_index i = ti * p->tile_rows, j = tj * p->tile_rows;
    for (sow_index r = i; r < smaller(i + p->tile_rows, p->n); r++)
        for (sow_index s = j; s < smaller(j + p->tile_rows, p->n) && s < r; s++) c[s * p->ldc + r] = c[r * p->ldc + s];
done:
    return st;
}

sow_status sow_gram(sow_threads *threads, int trans, sow_index n, sow_index k, const double *a, sow_index lda, double beta, double *c, sow_index ldc, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index dimensions[] = {n, k, lda, ldc};
    SOW_TRY(check_dimensions("gram", dimensions, 4, err));
    SOW_TRY(check_leading("gram A", lda, trans ? n : k, err));
    SOW_TRY(check_leading("gram C", ldc, n, err));
    product_job p = {.trans_a = transpose_if(trans), .trans_b = transpose_if(!trans), .m = n, .n = n, .k = k, .alpha = 1, .beta = beta, .a = a, .b = a, .c = c, .lda = lda, .ldb = lda, .ldc = ldc};
    if (n == 0) return SOW_OK;
    if (k == 0) {
        scale_rows(&p);
        return SOW_OK;
    }
    prepare_blas();
    p.tile_rows = p.tile_columns = product_tile(n, n);
    p.column_tiles = tiles_of(n, p.tile_columns);
    SOW_TRY(sow_parallel_for(threads, p.column_tiles * (p.column_tiles + 1) / 2, gram_mirror_task, &p, err));
done:
    return st;
}

void sow_gemv(int trans, sow_index rows, sow_index cols, double alpha, const double *a, sow_index lda, const double *x, double beta,
              double *y)
{
    sow_index m = trans ? cols : rows, k = trans ? rows : cols;
    if (m == 0) return;
    if (k == 0) {
        for (sow_index i = 0; i < m; i++) y[i] = beta == 0 ? 0 : beta * y[i];
        return;
    }
    prepare_blas();
    cblas_dgemv(CblasRowMajor, transpose_if(trans), (int)rows, (int)cols, alpha, a, (int)lda, x, 1, beta, y, 1);
}

double sow_dot(sow_index n, const double *x, const double *y)
{
    prepare_blas();
    return n > 0 ? cblas_ddot((int)n, x, 1, y, 1) : 0;
}

void sow_axpy(sow_index n, double alpha, const double *x, double *y)
{
    prepare_blas();
    if (n > 0) cblas_daxpy((int)n, alpha, x, 1, y, 1);
}

/* ---- triangular ---- */

enum { PANEL = 128, UPDATE_TILE = 256, COLUMN_TILE = 64 };

/* Right-looking: factor the diagonal block, solve the panel below it, subtract the panel's outer product from what is left. */
typedef struct {
    double *a;
    sow_index n, lda;
    sow_index at, width; /* the panel's first column and width */
    sow_index rest;      /* first row below the panel */
} cholesky_job;

static sow_status panel_rows_task(void *user, sow_index t, sow_error *err)
{
    (void)err;
    const cholesky_job *c = user;
    sow_index row = c->rest + t * PANEL;
    cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, (int)smaller(PANEL, c->n - row), (int)c->width, 1,
                c->a + c->at * c->lda + c->at, (int)c->lda, c->a + row * c->lda + c->at, (int)c->lda);
    return SOW_OK;
}

static sow_status update_task(void *user, sow_index t, sow_error *err)
{
    (void)err;
    const cholesky_job *c = user;
    sow_index ti, tj;
    lower_tile(t, &ti, &tj);
    sow_index i = c->rest + ti * UPDATE_TILE, j = c->rest + tj * UPDATE_TILE;
    int m = (int)smaller(UPDATE_TILE, c->n - i), n = (int)smaller(UPDATE_TILE, c->n - j), k = (int)c->width, ld = (int)c->lda;
    const double *pi = c->a + i * c->lda + c->at, *pj = c->a + j * c->lda + c->at;
    double *to = c->a + i * c->lda + j;
    if (i == j)
        cblas_dsyrk(CblasRowMajor, CblasLower, CblasNoTrans, m, k, -1, pi, ld, 1, to, ld);
    else
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, -1, pi, ld, pj, ld, 1, to, ld);
    return SOW_OK;
}

static sow_status factor_panel(sow_threads *threads, cholesky_job *c, sow_error *err)
{
    sow_status st = SOW_OK;
    lapack_int info = LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'U', (lapack_int)c->width, c->a + c->at * c->lda + c->at, (lapack_int)c->lda);
    if (info > 0)
        SOW_FAIL(err, SOW_E_NOT_POSDEF, "the matrix of %lld rows is not positive definite: pivot %lld fails", (long long)c->n,
                 (long long)(c->at + info));
    SOW_TRY(lapack_status("dpotrf", info, err));
    sow_index below = c->n - c->rest, tiles = tiles_of(below, UPDATE_TILE);
    SOW_TRY(sow_parallel_for(threads, tiles_of(below, PANEL), panel_rows_task, c, err));
    SOW_TRY(sow_parallel_for(threads, tiles * (tiles + 1) / 2, update_task, c, err));
done:
    return st;
}

static sow_status check_lower_finite(sow_index n, const double *a, sow_index lda, sow_error *err)
{
    for (sow_index i = 0; i < n; i++)
        for (sow_index j = 0; j <= i; j++)
            if (!isfinite(a[i * lda + j]))
                return SOW_ERROR(err, SOW_E_NONFINITE, "entry (%lld, %lld) of the matrix to factor is %g", (long long)i + 1,
                                 (long long)j + 1, a[i * lda + j]);
    return SOW_OK;
}

sow_status sow_cholesky(sow_threads *threads, sow_index n, double *a, sow_index lda, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index dimensions[] = {n, lda};
    SOW_TRY(check_dimensions("cholesky", dimensions, 2, err));
    SOW_TRY(check_leading("cholesky", lda, n, err));
    SOW_TRY(check_lower_finite(n, a, lda, err));
    prepare_blas();
    cholesky_job c = {.a = a, .n = n, .lda = lda};
    for (c.at = 0; c.at < n; c.at = c.rest) {
        c.width = smaller(PANEL, n - c.at);
        c.rest = c.at + c.width;
        SOW_TRY(factor_panel(threads, &c, err));
    }
    for (sow_index i = 0; i < n; i++) memset(a + i * lda + i + 1, 0, (size_t)(n - i - 1) * sizeof *a);
done:
    return st;
}

typedef struct {
    int trans;
    sow_index n, m, ldl, ldb;
    const double *l;
    double *b;
} solve_job;

static sow_status solve_columns_task(void *user, sow_index t, sow_error *err)
{
    (void)err;
    const solve_job *s = user;
    sow_index j = t * COLUMN_TILE;
    cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, transpose_if(s->trans), CblasNonUnit, (int)s->n,
                (int)smaller(COLUMN_TILE, s->m - j), 1, s->l, (int)s->ldl, s->b + j, (int)s->ldb);
    return SOW_OK;
}

sow_status sow_trsm_lower(sow_threads *threads, int trans, sow_index n, sow_index m, const double *l, sow_index ldl, double *b,
                          sow_index ldb, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index dimensions[] = {n, m, ldl, ldb};
    SOW_TRY(check_dimensions("trsm", dimensions, 4, err));
    SOW_TRY(check_leading("trsm L", ldl, n, err));
    SOW_TRY(check_leading("trsm B", ldb, m, err));
    if (n == 0 || m == 0) return SOW_OK;
    prepare_blas();
    solve_job s = {.trans = trans, .n = n, .m = m, .ldl = ldl, .ldb = ldb, .l = l, .b = b};
    SOW_TRY(sow_parallel_for(threads, tiles_of(m, COLUMN_TILE), solve_columns_task, &s, err));
done:
    return st;
}

/* A^-1 = X^T X with X = L^-1, both lower triangles worked tile by tile: n^3/3 each way instead of two full solves. */
typedef struct {
    sow_index n, ldl, ldo;
    const double *l;
    double *x; /* [n, n], zero above the diagonal */
    double *out;
} inverse_job;

static sow_status invert_columns_task(void *user, sow_index t, sow_error *err)
{
    (void)err;
    const inverse_job *v = user;
    sow_index j = t * PANEL, width = smaller(PANEL, v->n - j);
    double *x = v->x + j * v->n + j;
    for (sow_index i = 0; i < width; i++) x[i * v->n + i] = 1;
    cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit, (int)(v->n - j), (int)width, 1,
                v->l + j * v->ldl + j, (int)v->ldl, x, (int)v->n);
    return SOW_OK;
}

static sow_status inverse_tile_task(void *user, sow_index t, sow_error *err)
{
    (void)err;
    const inverse_job *v = user;
    sow_index ti, tj;
    lower_tile(t, &ti, &tj);
    sow_index i = ti * UPDATE_TILE, j = tj * UPDATE_TILE, m = smaller(UPDATE_TILE, v->n - i), n = smaller(UPDATE_TILE, v->n - j);
    double *to = v->out + i * v->ldo + j;
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)m, (int)n, (int)(v->n - i), 1, v->x + i * v->n + i, (int)v->n,
                v->x + i * v->n + j, (int)v->n, 0, to, (int)v->ldo);
    for (sow_index r = 0; r < m; r++) /* mirrored at once; a diagonal tile from its own lower half, so that it is symmetric to the bit */
        for (sow_index c = 0; c < (i == j ? r : n); c++) v->out[(j + c) * v->ldo + i + r] = to[r * v->ldo + c];
    return SOW_OK;
}

sow_status sow_cholesky_inverse(sow_threads *threads, sow_index n, const double *l, sow_index ldl, double *out, sow_index ldo,
                                sow_error *err)
{
    sow_status st = SOW_OK;
    double *x = NULL;
    sow_index dimensions[] = {n, ldl, ldo};
    SOW_TRY(check_dimensions("inverse", dimensions, 3, err));
    SOW_TRY(check_leading("inverse L", ldl, n, err));
    SOW_TRY(check_leading("inverse", ldo, n, err));
    SOW_NEW(x, n * n);
    prepare_blas();
    inverse_job v = {.n = n, .ldl = ldl, .ldo = ldo, .l = l, .x = x, .out = out};
    sow_index tiles = tiles_of(n, UPDATE_TILE);
    SOW_TRY(sow_parallel_for(threads, tiles_of(n, PANEL), invert_columns_task, &v, err));
    SOW_TRY(sow_parallel_for(threads, tiles * (tiles + 1) / 2, inverse_tile_task, &v, err));
done:
    free(x);
    return st;
}

double sow_cholesky_logdet(sow_index n, const double *l, sow_index ldl)
{
    double sum = 0;
    for (sow_index i = 0; i < n; i++) sum += log(l[i * ldl + i]);
    return 2 * sum;
}

/* ---- decompositions ---- */

/* 1, or -1 when the vector's largest entry is negative. The first of those within 1e-8 of the largest decides, so that two entries that differ
 * by rounding only cannot turn the sign. */
static double sign_of(const double *v, sow_index n)
{
    double largest = 0;
    for (sow_index i = 0; i < n; i++) largest = fmax(largest, fabs(v[i]));
    for (sow_index i = 0; i < n; i++)
        if (fabs(v[i]) >= largest * (1 - 1e-8)) return v[i] < 0 ? -1 : 1;
    return 1;
}

static sow_status eigh_work(sow_index n, double *a, sow_index lda, double *values, sow_error *err)
{
    sow_status st = SOW_OK;
    double best = 0, *work = NULL;
    lapack_int best_int = 0, *iwork = NULL, ni = (lapack_int)n, ld = (lapack_int)lda;
    SOW_TRY(lapack_status("dsyevd", LAPACKE_dsyevd_work(LAPACK_COL_MAJOR, 'V', 'U', ni, a, ld, values, &best, -1, &best_int, -1), err));
    lapack_int size = (lapack_int)best;
    SOW_NEW(work, size);
    SOW_NEW(iwork, best_int);
    SOW_TRY(lapack_status("dsyevd", LAPACKE_dsyevd_work(LAPACK_COL_MAJOR, 'V', 'U', ni, a, ld, values, work, size, iwork, best_int), err));
done:
    free(iwork);
    free(work);
    return st;
}

sow_status sow_eigh(sow_index n, double *a, sow_index lda, double *values, double *vectors, sow_index ldv, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index dimensions[] = {n, lda, ldv};
    SOW_TRY(check_dimensions("eigh", dimensions, 3, err));
    SOW_TRY(check_leading("eigh", lda, n, err));
    SOW_TRY(check_leading("eigh vectors", ldv, n, err));
    SOW_TRY(check_lower_finite(n, a, lda, err));
    if (n == 0) return SOW_OK;
    prepare_blas();
    SOW_TRY(eigh_work(n, a, lda, values, err));
    for (sow_index i = 0; i < n; i++) {
        double sign = sign_of(a + i * lda, n);
        for (sow_index j = 0; j < n; j++) vectors[i * ldv + j] = sign * a[i * lda + j];
    }
done:
    return st;
}

/* Row-major A [m,n] is column-major A^T [n,m] = V S U^T: LAPACK's left vectors are our rows of vt, its right ones our u, both in place. */
static sow_status svd_work(sow_index m, sow_index n, double *a, sow_index lda, double *u, double *s, double *vt, sow_error *err)
{
    sow_status st = SOW_OK;
    double best = 0, *work = NULL;
    lapack_int *iwork = NULL, rows = (lapack_int)n, columns = (lapack_int)m, ld = (lapack_int)lda, r = (lapack_int)smaller(m, n);
    SOW_TRY(lapack_status("dgesdd", LAPACKE_dgesdd_work(LAPACK_COL_MAJOR, 'S', rows, columns, a, ld, s, vt, rows, u, r, &best, -1, NULL),
                          err));
    lapack_int size = (lapack_int)best;
    SOW_NEW(work, size);
    SOW_NEW(iwork, 8 * (sow_index)r);
    SOW_TRY(lapack_status("dgesdd", LAPACKE_dgesdd_work(LAPACK_COL_MAJOR, 'S', rows, columns, a, ld, s, vt, rows, u, r, work, size, iwork),
                          err));
done:
    free(iwork);
    free(work);
    return st;
}

sow_status sow_svd(sow_index m, sow_index n, double *a, sow_index lda, double *u, double *s, double *vt, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index dimensions[] = {m, n, lda}, r = smaller(m, n);
    SOW_TRY(check_dimensions("svd", dimensions, 3, err));
    SOW_TRY(check_leading("svd", lda, n, err));
    if (r == 0) return SOW_OK;
    for (sow_index i = 0; i < m; i++)
        for (sow_index j = 0; j < n; j++)
            if (!isfinite(a[i * lda + j]))
                SOW_FAIL(err, SOW_E_NONFINITE, "entry (%lld, %lld) of the matrix to decompose is %g", (long long)i + 1, (long long)j + 1,
                         a[i * lda + j]);
    prepare_blas();
    SOW_TRY(svd_work(m, n, a, lda, u, s, vt, err));
    for (sow_index k = 0; k < r; k++) {
        if (sign_of(vt + k * n, n) > 0) continue;
        for (sow_index j = 0; j < n; j++) vt[k * n + j] = -vt[k * n + j];
        for (sow_index i = 0; i < m; i++) u[i * r + k] = -u[i * r + k];
    }
done:
    return st;
}
