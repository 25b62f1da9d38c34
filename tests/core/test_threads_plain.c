/* The pool under ThreadSanitizer, which Criterion does not live with: a plain program that exits 1 and says why when something is wrong. */
#include "core/linalg.h"
#include "core/memory.h"
#include "core/rng.h"
#include "core/threads.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;

static void expect(int good, const char *what)
{
    if (good) return;
    failures++;
    fprintf(stderr, "wrong: %s\n", what);
}

enum { N = 400, TASKS = 500 };

static sow_status square_it(void *user, sow_index i, sow_error *err)
{
    ((sow_index *)user)[i] = i * i;
    return i == 321 ? SOW_ERROR(err, SOW_E_DATA, "the 321st") : SOW_OK;
}

static void check_loop(sow_threads *threads)
{
    sow_index squares[TASKS] = {0};
    sow_error err;
    memset(&err, 0, sizeof err);
    expect(sow_parallel_for(threads, 300, square_it, squares, &err) == SOW_OK, "300 tasks succeed");
    for (sow_index i = 0; i < 300; i++) expect(squares[i] == i * i, "each task has run");
    expect(sow_parallel_for(threads, TASKS, square_it, squares, &err) == SOW_E_DATA, "a failing task fails the loop");
    expect(strcmp(err.message, "the 321st") == 0, "the error is the task's");
}

/* A = B B^T / n + I by gemm, its factor and inverse: A A^-1 is one. */
static double *factor_and_invert(sow_threads *threads, const double *b)
{
    double *a = sow_calloc(4 * N * N, sizeof *a), *l = a + N * N, *inverse = l + N * N, *one = inverse + N * N;
    expect(sow_gemm(threads, 0, 1, N, N, N, 1.0 / N, b, N, b, N, 0, a, N, NULL) == SOW_OK, "gemm");
    for (sow_index i = 0; i < N; i++) a[i * N + i] += 1;
    memcpy(l, a, N * N * sizeof *a);
    expect(sow_cholesky(threads, N, l, N, NULL) == SOW_OK, "cholesky");
    expect(sow_cholesky_inverse(threads, N, l, N, inverse, N, NULL) == SOW_OK, "inverse");
    expect(sow_gemm(threads, 0, 0, N, N, N, 1, a, N, inverse, N, 0, one, N, NULL) == SOW_OK, "second gemm");
    double worst = 0;
    for (sow_index i = 0; i < N * N; i++) worst = fmax(worst, fabs(one[i] - (i % (N + 1) == 0)));
    expect(worst <= 1e-11, "matrix times inverse is one");
    return a;
}

static sow_status draw_it(void *user, sow_index i, sow_error *err)
{
    (void)err;
    sow_rng rng = sow_rng_make(5, SOW_RNG_TEST, 0, (uint32_t)i);
    for (int k = 0; k < 40; k++) ((sow_index *)user)[i] += sow_rng_poisson(&rng, 12 + k);
    return SOW_OK;
}

/* Also that nothing global is written on the way. */
static void check_draws(sow_threads *threads)
{
    sow_index alone[TASKS] = {0}, together[TASKS] = {0};
    expect(sow_parallel_for(NULL, TASKS, draw_it, alone, NULL) == SOW_OK && sow_parallel_for(threads, TASKS, draw_it, together, NULL) == SOW_OK, "draws");
    expect(memcmp(alone, together, sizeof alone) == 0, "the same draws for any number of threads");
}

static void *loop_by_another_caller(void *user)
{
    for (int i = 0; i < 20; i++) check_loop(user);
    return NULL;
}

int main(void)
{
    double *b = sow_calloc(N * N, sizeof *b), *serial;
    sow_rng rng = sow_rng_make(3, SOW_RNG_TEST, 0, 0);
    for (sow_index i = 0; i < N * N; i++) b[i] = sow_rng_normal(&rng);
    serial = factor_and_invert(NULL, b);
    for (int n = 1; n <= 4; n++) {
        sow_threads *threads = NULL;
        expect(sow_threads_create(&threads, n, NULL) == SOW_OK, "a pool");
        loop_by_another_caller(threads);
        check_draws(threads);
        double *parallel = factor_and_invert(threads, b);
        expect(memcmp(serial, parallel, 4 * N * N * sizeof *serial) == 0, "the same bits for any number of threads");
        free(parallel);
        pthread_t other;
        expect(pthread_create(&other, NULL, loop_by_another_caller, threads) == 0, "another thread");
        loop_by_another_caller(threads);
        pthread_join(other, NULL);
        sow_threads_destroy(threads);
    }
    free(serial);
    free(b);
    return failures > 0;
}
