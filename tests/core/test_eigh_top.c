#include "core/linalg.h"
#include "core/memory.h"
#include "core/pca.h"
#include "core/rng.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 600, K = 12 };

/* X'X of rows of noise, and `strong` directions beside it. */
static double *gram_of(sow_index n, sow_index rows, int strong, double noise)
{
    double *x = sow_calloc(rows * n, sizeof *x), *g = sow_calloc(n * n, sizeof *g), *direction = sow_calloc(n, sizeof *direction);
    sow_rng rng = sow_rng_make(3, SOW_RNG_TEST, 0, 0);
    for (sow_index i = 0; i < rows * n; i++) x[i] = noise * sow_rng_normal(&rng);
    for (int s = 0; s < strong; s++) {
        for (sow_index j = 0; j < n; j++) direction[j] = sow_rng_normal(&rng);
        for (sow_index i = 0; i < rows; i++) sow_axpy(n, sow_rng_normal(&rng), direction, x + i * n);
    }
    cr_assert_eq(sow_gram(NULL, 1, n, rows, x, n, 0, g, n, NULL), SOW_OK);
    free(x), free(direction);
    return g;
}

/* Values as of the full decomposition, vectors orthonormal, A v = lambda v, the largest entry positive. */
static void check(const double *a, sow_index n, sow_index k)
{
    double *work = sow_calloc(n * n, sizeof *work), *values = sow_calloc(k, sizeof *values), *vectors = sow_calloc(k * n, sizeof *vectors);
    double *all = sow_calloc(n, sizeof *all), *every = sow_calloc(n * n, sizeof *every), *image = sow_calloc(n, sizeof *image);
    memcpy(work, a, sizeof *a * (size_t)(n * n));
    cr_assert_eq(sow_eigh_top(NULL, n, k, work, values, vectors, NULL), SOW_OK);
    memcpy(work, a, sizeof *a * (size_t)(n * n));
    cr_assert_eq(sow_eigh(n, work, n, all, every, n, NULL), SOW_OK);
    const double largest = fmax(all[n - 1], 1e-300);
    for (sow_index i = 0; i < k; i++) {
        const double *v = vectors + i * n;
        sow_index at = 0;
        cr_assert(fabs(values[i] - all[n - 1 - i]) <= 1e-11 * largest, "value %d: %.17g, not %.17g", (int)i, values[i], all[n - 1 - i]);
        for (sow_index j = 0; j <= i; j++) cr_assert(fabs(sow_dot(n, v, vectors + j * n) - (i == j)) <= 1e-10);
        sow_gemv(0, n, n, 1, a, n, v, 0, image);
        for (sow_index j = 0; j < n; j++) {
            cr_assert(fabs(image[j] - values[i] * v[j]) <= 1e-11 * largest);
            if (fabs(v[j]) > fabs(v[at])) at = j;
        }
        cr_assert_gt(v[at], 0);
    }
    free(work), free(values), free(vectors), free(all), free(every), free(image);
}

Test(eigh_top, finds_the_largest_of_a_few_strong_directions_in_noise)
{
    double *a = gram_of(N, 900, 5, 1); /* the other seven lie at the edge of the noise, close to each other */
    check(a, N, K);
    free(a);
}

Test(eigh_top, survives_a_rank_below_what_is_asked)
{
    double *a = gram_of(N, 900, 4, 0);
    check(a, N, K);
    free(a);
    a = sow_calloc(N * N, sizeof *a);
    check(a, N, K);
    for (int i = 0; i < N; i++) a[i * N + i] = 2; /* every vector is an eigenvector */
    check(a, N, K);
    free(a);
}

Test(eigh_top, finds_small_ones_beside_one_that_is_very_large)
{
    double *a = gram_of(N, 900, 0, 1e-3);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) a[i * N + j] += 100;
    check(a, N, K);
    free(a);
}

Test(eigh_top, takes_small_matrices_and_many_vectors_by_a_full_decomposition)
{
    double *a = gram_of(40, 60, 3, 1), values[40], vectors[40 * 40];
    check(a, 40, 40);
    check(a, 40, 1);
    cr_assert_eq(sow_eigh_top(NULL, 40, 0, a, NULL, NULL, NULL), SOW_OK);
    cr_assert_eq(sow_eigh_top(NULL, 40, 41, a, values, vectors, NULL), SOW_E_ARG);
    a[40 * 3 + 5] = NAN;
    cr_assert_eq(sow_eigh_top(NULL, 40, 2, a, values, vectors, NULL), SOW_E_NONFINITE);
    free(a);
}

Test(eigh_top, gives_the_same_bits_for_any_number_of_threads)
{
    double *a = gram_of(N, 900, 5, 1), *b = sow_calloc(N * N, sizeof *b), va[K], vb[K], *x = sow_calloc(K * N, sizeof *x), *y = sow_calloc(K * N, sizeof *y);
    sow_threads *three = NULL;
    cr_assert_eq(sow_threads_create(&three, 3, NULL), SOW_OK);
    memcpy(b, a, sizeof *a * N * N);
    cr_assert_eq(sow_eigh_top(NULL, N, K, a, va, x, NULL), SOW_OK);
    cr_assert_eq(sow_eigh_top(three, N, K, b, vb, y, NULL), SOW_OK);
    cr_assert_eq(memcmp(va, vb, sizeof va), 0);
    cr_assert_eq(memcmp(x, y, sizeof *x * K * N), 0);
    sow_threads_destroy(three);
    free(a), free(b), free(x), free(y);
}

Test(eigh_top, says_when_memory_ends)
{
    double *a = gram_of(N, 700, 2, 1), values[K], *vectors = sow_calloc(K * N, sizeof *vectors);
    sow_status st = SOW_E_NOMEM;
    for (sow_index fail = 0; st == SOW_E_NOMEM; fail++) {
        cr_assert_lt(fail, 100);
        sow_memory_fail_after(fail);
        st = sow_eigh_top(NULL, N, K, a, values, vectors, NULL);
        sow_memory_fail_after(-1);
    }
    cr_assert_eq(st, SOW_OK);
    free(a), free(vectors);
}

Test(eigh_top, gram_is_the_product_and_symmetric_to_the_bit)
{
    for (int trans = 0; trans < 2; trans++) {
        enum { R = 70, M = 300 };
        const sow_index rows = trans ? R : M, columns = trans ? M : R; /* M numbers of the gram, sums of R */
        double *x = sow_calloc(rows * columns, sizeof *x), *g = sow_calloc(M * (M + 1), sizeof *g), *h = sow_calloc(M * M, sizeof *h);
        sow_rng rng = sow_rng_make(3, SOW_RNG_TEST, 0, 1);
        for (sow_index i = 0; i < rows * columns; i++) x[i] = sow_rng_normal(&rng);
        for (int twice = 0; twice < 2; twice++) cr_assert_eq(sow_gram(NULL, trans, M, R, x, columns, twice ? 1 : 0, g, M + 1, NULL), SOW_OK);
        cr_assert_eq(sow_gemm(NULL, trans, !trans, M, M, R, 2, x, columns, x, columns, 0, h, M, NULL), SOW_OK);
        for (int i = 0; i < M; i++)
            for (int j = 0; j < M; j++) {
                cr_assert(fabs(g[i * (M + 1) + j] - h[i * M + j]) <= 1e-12 * R);
                cr_assert_eq(g[i * (M + 1) + j], g[j * (M + 1) + i]);
            }
        free(x), free(g), free(h);
    }
    double one = 1;
    cr_assert_eq(sow_gram(NULL, 0, 2, 3, &one, 2, 0, &one, 2, NULL), SOW_E_SHAPE);
    cr_assert_eq(sow_gram(NULL, 1, 2, 3, &one, 1, 0, &one, 2, NULL), SOW_E_SHAPE);
    cr_assert_eq(sow_gram(NULL, 0, 2, 1, &one, 1, 0, &one, 1, NULL), SOW_E_SHAPE);
}

Test(eigh_top, components_of_blocks_of_rows_are_those_of_all)
{
    enum { ROWS = 2300, D = 6 }; /* more than a block */
    double *x = sow_calloc(ROWS * D, sizeof *x), covariance[D * D] = {0}, values[D], vectors[D * D];
    unsigned char *use = sow_calloc(ROWS, sizeof *use);
    double mean[D] = {0}, n = 0;
    sow_rng rng = sow_rng_make(3, SOW_RNG_TEST, 0, 2);
    for (int i = 0; i < ROWS; i++) n += use[i] = i % 50 != 7;
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < D; j++) mean[j] += use[i] * (x[i * D + j] = (D - j) * sow_rng_normal(&rng) + j) / n;
    for (int i = 0; i < ROWS; i++)
        for (int a = 0; a < D; a++)
            for (int b = 0; b < D; b++) covariance[a * D + b] += use[i] * (x[i * D + a] - mean[a]) * (x[i * D + b] - mean[b]) / (n - 1);
    cr_assert_eq(sow_eigh(D, covariance, D, values, vectors, D, NULL), SOW_OK);
    sow_pca p;
    cr_assert_eq(sow_pca_fit(&p, x, ROWS, D, use, 3, NULL, NULL), SOW_OK);
    for (int c = 0; c < 3; c++) {
        cr_assert(fabs(p.variance[c] - values[D - 1 - c]) <= 1e-10);
        for (int j = 0; j < D; j++) cr_assert(fabs(p.components[c * D + j] - vectors[(D - 1 - c) * D + j]) <= 1e-9);
    }
    sow_pca_clear(&p);
    free(x), free(use);
}
