/* The machine's floor: double precision matrix product rate through sower's own tiles, and copy bandwidth. Prints "gflops gb_per_s".
 * usage: bench_floor THREADS */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/linalg.h"
#include "core/threads.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(int argc, char **argv)
{
    sow_threads *threads = NULL;
    sow_error err = {0};
    sow_index n = 2048, big = 64 << 20;
    if (sow_threads_create(&threads, argc > 1 ? atoi(argv[1]) : 0, &err) != SOW_OK) return 1;
    double *a = calloc((size_t)(n * n), sizeof *a), *b = calloc((size_t)(n * n), sizeof *b), *c = calloc((size_t)(n * n), sizeof *c);
    char *x = malloc((size_t)big), *y = malloc((size_t)big);
    if (!a || !b || !c || !x || !y) return 1;
    for (sow_index i = 0; i < n * n; i++)
        a[i] = b[i] = (double)(i % 7);
    double best = 1e9, copy = 1e9;
    memset(x, 1, (size_t)big);
    memset(y, 2, (size_t)big);
    for (int r = 0; r < 4; r++) {
        double t = now();
        if (sow_gemm(threads, 0, 1, n, n, n, 1.0, a, n, b, n, 0.0, c, n, &err) != SOW_OK) return 1;
        t = now() - t;
        best = t < best ? t : best;
        t = now();
        memcpy(y, x, (size_t)big);
        t = now() - t;
        copy = t < copy ? t : copy;
    }
    printf("%.0f %.1f\n", 2.0 * (double)n * (double)n * (double)n / best / 1e9, 2.0 * (double)big / copy / 1e9);
    free(a);
    free(b);
    free(c);
    free(x);
    free(y);
    sow_threads_destroy(threads);
    return 0;
}
