/* What this machine can do, and small helpers of the benchmarks of training steps. */
#ifndef SOWER_BENCH_MACHINE_H
#define SOWER_BENCH_MACHINE_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/linalg.h"
#include "core/tensor.h"
#include "core/threads.h"

static inline double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline double cpu(void) /* of all threads */
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline void check(sow_status st, const sow_error *err)
{
    if (st == SOW_OK) return;
    fprintf(stderr, "bench: %s\n", err->message);
    exit(1);
}

static inline void *memory(size_t n, size_t size)
{
    void *p = calloc(n, size);
    if (!p) abort();
    return p;
}

/* ---- the machine ---- */

static inline double product_rate(sow_threads *threads, sow_dtype dtype)
{
    const sow_index n = 1536;
    const size_t count = (size_t)(n * n), size = sow_dtype_size(dtype);
    void *a = memory(count, size), *b = memory(count, size), *c = memory(count, size);
    double best = 1e9;
    for (size_t i = 0; i < count; i++)
        if (dtype == SOW_F32)
            ((float *)a)[i] = ((float *)b)[i] = (float)(i % 7);
        else
            ((double *)a)[i] = ((double *)b)[i] = (double)(i % 7);
    for (int r = 0; r < 4; r++) {
        sow_error err = {0};
        const double start = now();
        check(sow_product(threads, dtype, 0, 1, n, n, n, 1, a, n, b, n, 0, c, n, &err), &err);
        best = fmin(best, now() - start);
    }
    free(a);
    free(b);
    free(c);
    return 2.0 * (double)n * (double)n * (double)n / best;
}

enum { COPY = 128 << 20, PARTS = 16 };

static inline sow_status copy_part(void *user, sow_index i, sow_error *err)
{
    (void)err;
    char *const *at = user;
    memcpy(at[0] + i * (COPY / PARTS), at[1] + i * (COPY / PARTS), COPY / PARTS);
    return SOW_OK;
}

static inline double copy_rate(sow_threads *threads)
{
    char *at[2] = {memory(COPY, 1), memory(COPY, 1)};
    double best = 1e9;
    memset(at[0], 1, COPY);
    memset(at[1], 2, COPY);
    for (int r = 0; r < 5; r++) {
        const double start = now();
        check(sow_parallel_for(threads, PARTS, copy_part, at, NULL), NULL);
        best = fmin(best, now() - start);
    }
    free(at[0]);
    free(at[1]);
    return 2.0 * COPY / best;
}

/* ---- numbers ---- */

static inline void *numbers_of(sow_dtype dtype, size_t n, double (*value)(size_t i))
{
    void *p = memory(n, sow_dtype_size(dtype));
    for (size_t i = 0; i < n; i++)
        if (dtype == SOW_F32)
            ((float *)p)[i] = (float)value(i);
        else
            ((double *)p)[i] = value(i);
    return p;
}

static inline double noise(size_t i)
{
    const double x = sin((double)i * 12.9898) * 43758.5453;
    return 2 * (x - floor(x)) - 1;
}

static inline double cell(size_t i) /* log-normalised counts: two thirds are 0 */
{
    return fmax(0, 2 * noise(i) - 0.7);
}

#endif
