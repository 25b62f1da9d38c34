#include "core/linalg.h"
#include "core/memory.h"
#include "core/rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double *random_matrix(sow_index rows, sow_index ld, uint32_t item)
{
    double *a = sow_calloc(rows * ld, sizeof *a);
    sow_rng rng = sow_rng_make(1, SOW_RNG_TEST, 0, item);
    for (sow_index i = 0; i < rows * ld; i++) a[i] = sow_rng_normal(&rng);
    return a;
}

/* B B^T / n + I, symmetric; ld >= n, the margin filled with a mark. */
static double *posdef_matrix(sow_index n, sow_index ld, uint32_t item)
{
    double *b = random_matrix(n, n, item), *a = sow_calloc(n * ld, sizeof *a);
    for (sow_index i = 0; i < n * ld; i++) a[i] = -77;
    cr_assert_eq(sow_gemm(NULL, 0, 1, n, n, n, 1.0 / (double)n, b, n, b, n, 0, a, ld, NULL), SOW_OK);
    for (sow_index i = 0; i < n; i++) a[i * ld + i] += 1;
    free(b);
    return a;
}

static double *copy_of(const double *a, sow_index n)
{
    double *b = sow_calloc(n, sizeof *b);
    memcpy(b, a, (size_t)n * sizeof *b);
    return b;
}

static double entry(const double *a, sow_index ld, int trans, sow_index i, sow_index j)
{
    return trans ? a[j * ld + i] : a[i * ld + j];
}

static void product_is_right(int trans_a, int trans_b, sow_index m, sow_index n, sow_index k)
{
    sow_index lda = (trans_a ? m : k) + 3, ldb = (trans_b ? k : n) + 1, ldc = n + 2;
    double *a = random_matrix(trans_a ? k : m, lda, 1), *b = random_matrix(trans_b ? n : k, ldb, 2), *c = random_matrix(m, ldc, 3);
    double *before = copy_of(c, m * ldc);
    cr_assert_eq(sow_gemm(NULL, trans_a, trans_b, m, n, k, 0.5, a, lda, b, ldb, 2, c, ldc, NULL), SOW_OK);
    for (sow_index i = 0; i < m; i++) {
        for (sow_index j = 0; j < n; j++) {
            double sum = 0;
            for (sow_index l = 0; l < k; l++) sum += entry(a, lda, trans_a, i, l) * entry(b, ldb, trans_b, l, j);
            cr_assert(fabs(c[i * ldc + j] - (0.5 * sum + 2 * before[i * ldc + j])) <= 1e-12 * (double)(k + 1));
        }
        for (sow_index j = n; j < ldc; j++) cr_assert_eq(c[i * ldc + j], before[i * ldc + j]);
    }
    free(a);
    free(b);
    free(c);
    free(before);
}

Test(linalg, gemm_agrees_with_three_loops)
{
    for (int t = 0; t < 4; t++) {
        product_is_right(t & 1, t >> 1, 1, 1, 1);
        product_is_right(t & 1, t >> 1, 7, 5, 3);
        product_is_right(t & 1, t >> 1, 130, 257, 40);
        product_is_right(t & 1, t >> 1, 5, 1, 300);
    }
}

Test(linalg, gemm_f32_agrees_with_gemm)
{
    enum { M = 150, N = 140, K = 30 };
    double *a = random_matrix(M, K, 1), *b = random_matrix(N, K, 2), *c = sow_calloc(M * N, sizeof *c);
    float *fa = sow_calloc(M * K, sizeof *fa), *fb = sow_calloc(N * K, sizeof *fb), *fc = sow_calloc(M * N, sizeof *fc);
    for (int i = 0; i < M * K; i++) a[i] = fa[i] = (float)a[i];
    for (int i = 0; i < N * K; i++) b[i] = fb[i] = (float)b[i];
    cr_assert_eq(sow_gemm(NULL, 0, 1, M, N, K, 1, a, K, b, K, 0, c, N, NULL), SOW_OK);
    cr_assert_eq(sow_gemm_f32(NULL, 0, 1, M, N, K, 1, fa, K, fb, K, 0, fc, N, NULL), SOW_OK);
    for (int i = 0; i < M * N; i++) cr_assert(fabs(c[i] - (double)fc[i]) <= 1e-5 * K);
    cr_assert_eq(sow_gemm_f32(NULL, 0, 1, M, N, 0, 1, fa, K, fb, K, 0.5f, fc, N, NULL), SOW_OK);
    for (int i = 0; i < M * N; i++) cr_assert(fabs(c[i] / 2 - (double)fc[i]) <= 1e-5 * K);
    free(a), free(b), free(c), free(fa), free(fb), free(fc);
}

Test(linalg, gram_f32_adds_the_lower_triangle_of_rows_times_rows)
{
    const sow_index rows[] = {1, 63, 64, 65, 130, 256, 257, 300};
    enum { K = 37, LD = 40 };
    for (int t = 0; t < 8; t++) {
        const sow_index n = rows[t], ldc = n + 3;
        double *a = random_matrix(n, LD, 77);
        float *fa = sow_calloc(n * LD, sizeof *fa), *c = sow_calloc(n * ldc, sizeof *c);
        for (sow_index i = 0; i < n * LD; i++) fa[i] = (float)a[i];
        for (int twice = 0; twice < 2; twice++) cr_assert_eq(sow_gram_f32(NULL, n, K, fa, LD, twice ? 1 : 0, c, ldc, NULL), SOW_OK);
        for (sow_index i = 0; i < n; i++)
            for (sow_index j = 0; j <= i; j++)
                cr_assert(fabs((double)c[i * ldc + j] - 2 * sow_dot(K, a + i * LD, a + j * LD)) <= 1e-4, "%lld rows, entry %lld %lld", (long long)n, (long long)i,
                          (long long)j);
        cr_assert_eq(c[n], 0, "beyond the columns");
        free(a);
        free(fa);
        free(c);
    }
    float one = 1;
    cr_assert_eq(sow_gram_f32(NULL, 2, 3, &one, 2, 0, &one, 2, NULL), SOW_E_SHAPE);
    cr_assert_eq(sow_gram_f32(NULL, 2, 1, &one, 1, 0, &one, 1, NULL), SOW_E_SHAPE);
    cr_assert_eq(sow_gram_f32(NULL, -1, 1, &one, 1, 0, &one, 1, NULL), SOW_E_SHAPE);
}

Test(linalg, gemm_without_terms_only_scales)
{
    double c[4] = {1, 2, NAN, 4};
    cr_assert_eq(sow_gemm(NULL, 0, 0, 1, 2, 0, 1, NULL, 0, NULL, 2, 3, c, 2, NULL), SOW_OK);
    cr_assert_eq(c[0], 3);
    cr_assert_eq(c[1], 6);
    cr_assert_eq(sow_gemm(NULL, 0, 0, 2, 2, 0, 1, NULL, 0, NULL, 2, 0, c, 2, NULL), SOW_OK);
    for (int i = 0; i < 4; i++) cr_assert_eq(c[i], 0);
    cr_assert_eq(sow_gemm(NULL, 0, 0, 0, 2, 5, 1, NULL, 5, NULL, 2, 0, NULL, 2, NULL), SOW_OK);
}

Test(linalg, shapes_that_cannot_be_are_refused)
{
    double a[16] = {0};
    sow_error err = {0};
    cr_assert_eq(sow_gemm(NULL, 0, 0, 2, 2, 3, 1, a, 2, a, 2, 0, a, 2, &err), SOW_E_SHAPE);
    cr_assert_not_null(strstr(err.message, "gemm A"));
    cr_assert_eq(sow_gemm(NULL, 0, 0, 2, 2, 3, 1, a, 3, a, 1, 0, a, 2, NULL), SOW_E_SHAPE);
    cr_assert_eq(sow_gemm(NULL, 0, 0, 2, 2, 3, 1, a, 3, a, 2, 0, a, 1, NULL), SOW_E_SHAPE);
    cr_assert_eq(sow_gemm(NULL, 0, 0, -1, 2, 3, 1, a, 3, a, 2, 0, a, 2, NULL), SOW_E_SHAPE);
    cr_assert_eq(sow_gemm(NULL, 0, 0, 1, 2, (sow_index)1 << 31, 1, a, (sow_index)1 << 31, a, 2, 0, a, 2, NULL), SOW_E_SHAPE);
    cr_assert_eq(sow_cholesky(NULL, 3, a, 2, NULL), SOW_E_SHAPE);
    cr_assert_eq(sow_trsm_lower(NULL, 0, 3, 2, a, 2, a, 2, NULL), SOW_E_SHAPE);
    cr_assert_eq(sow_trsm_lower(NULL, 0, 2, 3, a, 2, a, 2, NULL), SOW_E_SHAPE);
    cr_assert_eq(sow_cholesky_inverse(NULL, 3, a, 2, a, 3, NULL), SOW_E_SHAPE);
    cr_assert_eq(sow_cholesky_inverse(NULL, 3, a, 3, a, 2, NULL), SOW_E_SHAPE);
    cr_assert_eq(sow_eigh(3, a, 2, a, a, 3, NULL), SOW_E_SHAPE);
    cr_assert_eq(sow_eigh(3, a, 3, a, a, 2, NULL), SOW_E_SHAPE);
    cr_assert_eq(sow_svd(2, 3, a, 2, a, a, a, NULL), SOW_E_SHAPE);
}

Test(linalg, vectors_multiply_add_and_transpose)
{
    const double a[] = {1, 2, 3, -1, 4, 5, 6, -1}, x[] = {1, 1, 2}, y2[] = {1, -1};
    double y[3] = {10, 20, NAN};
    sow_gemv(0, 2, 3, 1, a, 4, x, 1, y);
    cr_assert_eq(y[0], 19);
    cr_assert_eq(y[1], 41);
    sow_gemv(1, 2, 3, 2, a, 4, y2, 0, y);
    for (int i = 0; i < 3; i++) cr_assert_eq(y[i], -6);
    sow_gemv(0, 2, 0, 1, a, 4, x, 0.5, y);
    cr_assert_eq(y[1], -3);
    cr_assert_eq(sow_dot(3, a, x), 9);
    cr_assert_eq(sow_dot(0, NULL, NULL), 0);
    sow_axpy(3, 2, x, y);
    cr_assert_eq(y[2], -2);
}

/* sizes on both sides of the panel (128) and the update tile (256) */
static const sow_index sizes[] = {0, 1, 2, 127, 128, 129, 256, 300, 385, 513};
enum { N_SIZES = sizeof sizes / sizeof sizes[0] };

static void factor_is_right(sow_index n, sow_index ld)
{
    double *a = posdef_matrix(n, ld, 4), *l = copy_of(a, n * ld), *back = sow_calloc(n * n, sizeof *back);
    for (sow_index i = 0; i < n; i++) /* the upper triangle is not read */
        for (sow_index j = i + 1; j < n; j++) l[i * ld + j] = NAN;
    cr_assert_eq(sow_cholesky(NULL, n, l, ld, NULL), SOW_OK);
    cr_assert_eq(sow_gemm(NULL, 0, 1, n, n, n, 1, l, ld, l, ld, 0, back, n, NULL), SOW_OK);
    for (sow_index i = 0; i < n; i++) {
        for (sow_index j = 0; j < n; j++) cr_assert(fabs(back[i * n + j] - a[i * ld + j]) <= 1e-13 * (double)n);
        for (sow_index j = i + 1; j < n; j++) cr_assert_eq(l[i * ld + j], 0);
        for (sow_index j = n; j < ld; j++) cr_assert_eq(l[i * ld + j], -77);
    }
    free(a), free(l), free(back);
}

Test(linalg, cholesky_rebuilds_the_matrix)
{
    for (int k = 0; k < N_SIZES; k++) factor_is_right(sizes[k], sizes[k] + (k % 2 ? 5 : 0) + !sizes[k]);
}

Test(linalg, cholesky_names_the_pivot_that_fails)
{
    for (sow_index bad = 0; bad < 300; bad += 131) {
        double *a = posdef_matrix(300, 300, 5);
        sow_error err = {0};
        char expected[32];
        snprintf(expected, sizeof expected, "pivot %lld fails", (long long)bad + 1);
        a[bad * 300 + bad] = -1;
        cr_assert_eq(sow_cholesky(NULL, 300, a, 300, &err), SOW_E_NOT_POSDEF);
        cr_assert_not_null(strstr(err.message, expected), "%s", err.message);
        free(a);
    }
}

Test(linalg, not_a_number_is_found_before_lapack_sees_it)
{
    double a[4] = {1, 0, NAN, 1}, b[4] = {1, 0, INFINITY, 1}, c[4] = {1, NAN, 0, 1}, values[2], vectors[4], s[2], u[4], vt[4];
    sow_error err = {0};
    cr_assert_eq(sow_cholesky(NULL, 2, a, 2, &err), SOW_E_NONFINITE);
    cr_assert_not_null(strstr(err.message, "(2, 1)"));
    cr_assert_eq(sow_eigh(2, b, 2, values, vectors, 2, NULL), SOW_E_NONFINITE);
    cr_assert_eq(sow_svd(2, 2, c, 2, u, s, vt, &err), SOW_E_NONFINITE);
    cr_assert_not_null(strstr(err.message, "(1, 2)"));
}

Test(linalg, logdet_is_that_of_a_known_matrix)
{
    double a[] = {4, 2, 2, 10}; /* determinant 36 */
    cr_assert_eq(sow_cholesky(NULL, 2, a, 2, NULL), SOW_OK);
    cr_assert(fabs(sow_cholesky_logdet(2, a, 2) - log(36)) <= 1e-14);
    cr_assert_eq(sow_cholesky_logdet(0, NULL, 1), 0);
}

Test(linalg, triangular_solves_undo_the_product)
{
    for (int k = 0; k < N_SIZES; k++)
        for (int trans = 0; trans < 2; trans++) {
            sow_index n = sizes[k], m = k % 3 ? 70 : 1, ldb = m + 2;
            double *l = posdef_matrix(n, n + 1, 6), *x = random_matrix(n, m, 7), *b = random_matrix(n, ldb, 8);
            double *before = copy_of(b, n * ldb);
            cr_assert_eq(sow_cholesky(NULL, n, l, n + 1, NULL), SOW_OK);
            cr_assert_eq(sow_gemm(NULL, trans, 0, n, m, n, 1, l, n + 1, x, m, 0, b, ldb, NULL), SOW_OK);
            cr_assert_eq(sow_trsm_lower(NULL, trans, n, m, l, n + 1, b, ldb, NULL), SOW_OK);
            for (sow_index i = 0; i < n; i++) {
                for (sow_index j = 0; j < m; j++) cr_assert(fabs(b[i * ldb + j] - x[i * m + j]) <= 1e-10);
                for (sow_index j = m; j < ldb; j++) cr_assert_eq(b[i * ldb + j], before[i * ldb + j]);
            }
            free(l), free(x), free(b), free(before);
        }
    cr_assert_eq(sow_trsm_lower(NULL, 0, 5, 0, NULL, 5, NULL, 0, NULL), SOW_OK);
}

Test(linalg, inverse_times_matrix_is_one_and_symmetric_to_the_bit)
{
    for (int k = 0; k < N_SIZES; k++) {
        sow_index n = sizes[k], ld = n + 4;
        double *a = posdef_matrix(n, ld, 9), *l = copy_of(a, n * ld), *inverse = sow_calloc(n * ld, sizeof *inverse);
        double *one = sow_calloc(n * n, sizeof *one);
        cr_assert_eq(sow_cholesky(NULL, n, l, ld, NULL), SOW_OK);
        cr_assert_eq(sow_cholesky_inverse(NULL, n, l, ld, inverse, ld, NULL), SOW_OK);
        cr_assert_eq(sow_gemm(NULL, 0, 0, n, n, n, 1, a, ld, inverse, ld, 0, one, n, NULL), SOW_OK);
        for (sow_index i = 0; i < n; i++) {
            for (sow_index j = 0; j < n; j++) {
                cr_assert(fabs(one[i * n + j] - (i == j)) <= 1e-11);
                cr_assert_eq(inverse[i * ld + j], inverse[j * ld + i]);
            }
            for (sow_index j = n; j < ld; j++) cr_assert_eq(inverse[i * ld + j], 0);
        }
        free(a), free(l), free(inverse), free(one);
    }
}

Test(linalg, inverse_says_when_memory_ends)
{
    double l[1] = {2}, out[1];
    sow_memory_fail_after(0);
    cr_assert_eq(sow_cholesky_inverse(NULL, 1, l, 1, out, 1, NULL), SOW_E_NOMEM);
    sow_memory_fail_after(-1);
    cr_assert_eq(sow_cholesky_inverse(NULL, 1, l, 1, out, 1, NULL), SOW_OK);
    cr_assert_eq(out[0], 0.25);
}

static void rows_are_orthonormal(const double *v, sow_index rows, sow_index columns, sow_index ld)
{
    for (sow_index i = 0; i < rows; i++)
        for (sow_index j = 0; j <= i; j++) cr_assert(fabs(sow_dot(columns, v + i * ld, v + j * ld) - (i == j)) <= 1e-12);
}

static void largest_is_positive(const double *v, sow_index n)
{
    sow_index at = 0;
    for (sow_index j = 1; j < n; j++)
        if (fabs(v[j]) > fabs(v[at])) at = j;
    cr_assert_gt(v[at], 0);
}

Test(linalg, eigh_gives_ascending_values_with_vectors_in_rows)
{
    enum { N = 40, LD = 43, LDV = 41 };
    double *a = posdef_matrix(N, LD, 10), *work = copy_of(a, N * LD), values[N], vectors[N * LDV], image[N];
    for (sow_index i = 0; i < N; i++)
        for (sow_index j = i + 1; j < N; j++) work[i * LD + j] = NAN;
    cr_assert_eq(sow_eigh(N, work, LD, values, vectors, LDV, NULL), SOW_OK);
    rows_are_orthonormal(vectors, N, N, LDV);
    for (sow_index k = 0; k < N; k++) {
        const double *v = vectors + k * LDV;
        if (k > 0) cr_assert(values[k] >= values[k - 1]);
        largest_is_positive(v, N);
        sow_gemv(0, N, N, 1, a, LD, v, 0, image);
        for (sow_index i = 0; i < N; i++) cr_assert(fabs(image[i] - values[k] * v[i]) <= 1e-11);
    }
    cr_assert_eq(sow_eigh(0, NULL, 0, NULL, NULL, 0, NULL), SOW_OK);
    free(a), free(work);
}

Test(linalg, eigh_matches_a_matrix_solved_by_hand)
{
    double a[] = {2, 1, 1, 2}, values[2], vectors[4], nearly[] = {2 + 1e-12, 1, 1, 2};
    cr_assert_eq(sow_eigh(2, nearly, 2, values, vectors, 2, NULL), SOW_OK);
    cr_assert(vectors[0] > 0 && vectors[1] < 0); /* the second entry is larger by 2.5e-13 only, which does not turn the sign */
    cr_assert_eq(sow_eigh(2, a, 2, values, vectors, 2, NULL), SOW_OK);
    cr_assert(fabs(values[0] - 1) <= 1e-14 && fabs(values[1] - 3) <= 1e-14);
    cr_assert(fabs(vectors[0] - sqrt(0.5)) <= 1e-14); /* entries equal but for rounding: the first is made positive */
    cr_assert(fabs(vectors[1] + sqrt(0.5)) <= 1e-14);
    cr_assert(fabs(vectors[2] - sqrt(0.5)) <= 1e-14 && fabs(vectors[3] - sqrt(0.5)) <= 1e-14);
}

static void svd_is_right(sow_index m, sow_index n)
{
    sow_index r = m < n ? m : n, lda = n + 2;
    double *a = random_matrix(m, lda, 11), *work = copy_of(a, m * lda);
    double *u = sow_calloc(m * r, sizeof *u), *s = sow_calloc(r, sizeof *s), *vt = sow_calloc(r * n, sizeof *vt);
    cr_assert_eq(sow_svd(m, n, work, lda, u, s, vt, NULL), SOW_OK);
    rows_are_orthonormal(vt, r, n, n);
    for (sow_index k = 0; k < r; k++) {
        largest_is_positive(vt + k * n, n);
        if (k > 0) cr_assert(s[k] <= s[k - 1]);
    }
    for (sow_index i = 0; i < m; i++)
        for (sow_index j = 0; j < n; j++) {
            double sum = 0;
            for (sow_index k = 0; k < r; k++) sum += u[i * r + k] * s[k] * vt[k * n + j];
            cr_assert(fabs(sum - a[i * lda + j]) <= 1e-11);
        }
    free(a), free(work), free(u), free(s), free(vt);
}

Test(linalg, svd_rebuilds_tall_wide_and_square_matrices)
{
    svd_is_right(50, 8);
    svd_is_right(8, 50);
    svd_is_right(20, 20);
    svd_is_right(1, 5);
    svd_is_right(5, 1);
    cr_assert_eq(sow_svd(0, 3, NULL, 3, NULL, NULL, NULL, NULL), SOW_OK);
}

Test(linalg, decompositions_say_when_memory_ends)
{
    for (int n = 0; n < 2; n++) {
        double a[] = {2, 1, 1, 2}, values[2], vectors[4], u[4];
        sow_memory_fail_after(n);
        cr_assert_eq(sow_eigh(2, a, 2, values, vectors, 2, NULL), SOW_E_NOMEM);
        sow_memory_fail_after(n);
        cr_assert_eq(sow_svd(2, 2, a, 2, u, values, vectors, NULL), SOW_E_NOMEM);
        sow_memory_fail_after(-1);
    }
}

/* Everything that is cut into tiles, in one go; the bytes of all results one after the other. */
enum { BIG = 601, SIDE = 90 };

static double *all_results(sow_threads *threads)
{
    double *a = posdef_matrix(BIG, BIG, 12), *b = random_matrix(BIG, SIDE, 13), *out = sow_calloc(3 * BIG * BIG + BIG * SIDE, sizeof *out);
    double *product = out, *factor = out + BIG * BIG, *inverse = factor + BIG * BIG, *solved = inverse + BIG * BIG;
    cr_assert_eq(sow_gemm(threads, 1, 0, BIG, BIG, BIG, 1, a, BIG, a, BIG, 0, product, BIG, NULL), SOW_OK);
    memcpy(factor, a, BIG * BIG * sizeof *a);
    cr_assert_eq(sow_cholesky(threads, BIG, factor, BIG, NULL), SOW_OK);
    cr_assert_eq(sow_cholesky_inverse(threads, BIG, factor, BIG, inverse, BIG, NULL), SOW_OK);
    memcpy(solved, b, BIG * SIDE * sizeof *b);
    cr_assert_eq(sow_trsm_lower(threads, 1, BIG, SIDE, factor, BIG, solved, SIDE, NULL), SOW_OK);
    cr_assert_eq(sow_trsm_lower(threads, 0, BIG, SIDE, factor, BIG, solved, SIDE, NULL), SOW_OK);
    free(a), free(b);
    return out;
}

Test(linalg, results_are_the_same_bits_for_any_number_of_threads)
{
    double *serial = all_results(NULL);
    for (int n = 1; n <= 3; n++) {
        sow_threads *threads = NULL;
        cr_assert_eq(sow_threads_create(&threads, n, NULL), SOW_OK);
        for (int again = 0; again < 2; again++) {
            double *parallel = all_results(threads);
            cr_assert_eq(memcmp(serial, parallel, (3 * BIG * BIG + BIG * SIDE) * sizeof *serial), 0, "%d threads", n);
            free(parallel);
        }
        sow_threads_destroy(threads);
    }
    free(serial);
}

Test(linalg, advises_where_kernels_are_narrower_than_the_processor)
{
    cr_assert_null(sow_linalg_advice_for("SkylakeX", 1));
    cr_assert_null(sow_linalg_advice_for("Zen4", 1));
    cr_assert_null(sow_linalg_advice_for("Zen", 0));
    cr_assert_not_null(strstr(sow_linalg_advice_for("Zen", 1), "OPENBLAS_CORETYPE=SkylakeX"));
    cr_assert_not_null(sow_linalg_advice_for("Haswell", 1));
}
