/* Wall seconds of the statistics of cells and of k-means on made data.
 * usage: bench_cells_stats THREADS wilcoxon|welch dense|sparse, or THREADS mmd, or THREADS kmeans [FILE]
 *   wilcoxon, welch   200 groups x 64 cells against 2,000 controls x 5,000 genes. dense: no zeros, hardly a tie; sparse: 85 % zeros and counts of a few, as log1p.
 *                     Floor: the values read once at the bandwidth of bench_floor.
 *   mmd               204 pairs of 64 and 64 cells x 5,000 genes, ten kernels. Floor: the multiplications of the lower triangles of the Gram matrices.
 *   kmeans            20,000 x 128 normal numbers in 100 loose clusters into 100, ten starts; FILE is where the rows are written for another program. Floor: one
 *                     pass of products over all rows for each start.
 * Prints "wall_s cpu_s gbytes gflop" of the fastest of three runs, the last two of the floor; for kmeans the inertia too. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/de.h"
#include "core/kmeans.h"
#include "core/mmd.h"

enum { GROUPS = 200, EACH = 64, CONTROLS = 2000, GENES = 5000, PAIRS = 204, ROWS = 20000, COLUMNS = 128, CLUSTERS = 100, REPEATS = 3 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The fastest run so far, and what it took of the processors. */
typedef struct {
    double wall, cpu, started;
    clock_t cpu_started;
} stopwatch;

static void start_run(stopwatch *w)
{
    w->cpu_started = clock();
    w->started = now();
}

static void end_run(stopwatch *w)
{
    const double wall = now() - w->started;
    if (w->wall > 0 && wall >= w->wall) return;
    w->wall = wall;
    w->cpu = (double)(clock() - w->cpu_started) / CLOCKS_PER_SEC;
}

static void die(const char *what)
{
    fprintf(stderr, "bench_cells_stats: %s\n", what);
    exit(1);
}

static void *take(size_t bytes)
{
    void *p = malloc(bytes);
    if (!p) die("out of memory");
    return p;
}

/* splitmix64, in (0, 1) */
static double uniform(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return ((double)((z ^ (z >> 31)) >> 11) + 0.5) * 0x1p-53;
}

/* dense: exponential. sparse: log1p of a geometric count times one of 64 cell factors, 0 in 85 %. */
static void fill(float *x, size_t rows, int sparse, uint64_t seed)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < GENES; j++) {
            const double u = uniform(&seed);
            if (!sparse)
                x[i * GENES + j] = (float)-log(u);
            else
                x[i * GENES + j] = u < 0.85 ? 0 : (float)log1p(ceil(-log((1 - u) / 0.15)) * (0.5 + (double)(i % 64) / 64));
        }
}

static stopwatch differential_expression(const sow_env *env, sow_de_method method, int sparse)
{
    float *x = take(sizeof *x * GROUPS * EACH * GENES), *control = take(sizeof *x * CONTROLS * GENES);
    double *score = take(sizeof *score * GROUPS * GENES);
    stopwatch watch = {0};
    sow_index start[GROUPS + 1];
    for (int g = 0; g <= GROUPS; g++) start[g] = g * EACH;
    fill(x, (size_t)GROUPS * EACH, sparse, 1);
    fill(control, CONTROLS, sparse, 2);
    for (int r = 0; r < REPEATS; r++) {
        start_run(&watch);
        if (sow_de(score, NULL, method, x, start, GROUPS, control, CONTROLS, GENES, env, NULL) != SOW_OK) die("sow_de failed");
        end_run(&watch);
    }
    free(x);
    free(control);
    free(score);
    return watch;
}

static stopwatch many_mmd(const sow_env *env)
{
    float *x = take(sizeof *x * PAIRS * EACH * GENES), *y = take(sizeof *y * PAIRS * EACH * GENES);
    sow_mmd_pair pair[PAIRS];
    double out[PAIRS];
    stopwatch watch = {0};
    fill(x, (size_t)PAIRS * EACH, 1, 3);
    fill(y, (size_t)PAIRS * EACH, 1, 4);
    for (int i = 0; i < PAIRS; i++) pair[i] = (sow_mmd_pair){x + (size_t)i * EACH * GENES, y + (size_t)i * EACH * GENES, EACH, EACH};
    for (int r = 0; r < REPEATS; r++) {
        start_run(&watch);
        if (sow_mmd_many(out, pair, PAIRS, GENES, NULL, env, NULL) != SOW_OK) die("sow_mmd_many failed");
        end_run(&watch);
    }
    free(x);
    free(y);
    return watch;
}

static stopwatch kmeans(double *inertia, const sow_env *env, const char *file)
{
    FILE *f = file ? fopen(file, "wb") : NULL;
    double *x = take(sizeof *x * ROWS * COLUMNS), *centre = take(sizeof *centre * CLUSTERS * COLUMNS);
    stopwatch watch = {0};
    sow_rng rng = sow_rng_make(5, SOW_RNG_TEST, 0, 0);
    const sow_kmeans_options options = SOW_KMEANS_OPTIONS_INIT;
    for (size_t i = 0; i < (size_t)CLUSTERS * COLUMNS; i++) centre[i] = sow_rng_normal(&rng);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < COLUMNS; j++) x[i * COLUMNS + j] = 0.5 * centre[i % CLUSTERS * COLUMNS + j] + sow_rng_normal(&rng);
    if (file && (!f || fwrite(x, sizeof *x, (size_t)ROWS * COLUMNS, f) != (size_t)ROWS * COLUMNS || fclose(f) != 0)) die("cannot write the rows");
    for (int r = 0; r < REPEATS; r++) {
        sow_kmeans_result result;
        sow_rng starts = sow_rng_make(6, SOW_RNG_TEST, 0, 0);
        start_run(&watch);
        if (sow_kmeans(&result, x, ROWS, COLUMNS, CLUSTERS, NULL, NULL, &options, &starts, env, NULL) != SOW_OK) die("sow_kmeans failed");
        end_run(&watch);
        *inertia = result.inertia;
        sow_kmeans_clear(&result);
    }
    free(x);
    free(centre);
    return watch;
}

int main(int argc, char **argv)
{
    sow_threads *threads = NULL;
    if (argc < 3 || sow_threads_create(&threads, atoi(argv[1]), NULL) != SOW_OK) die("usage: bench_cells_stats THREADS wilcoxon|welch dense|sparse, or THREADS mmd, or THREADS kmeans [FILE]");
    const sow_env env = {.threads = threads};
    const int sparse = argc > 3 && strcmp(argv[3], "sparse") == 0;
    const double values = (double)(GROUPS * EACH + CONTROLS) * GENES, gram = 2.0 * EACH * 2.0 * EACH * GENES, pass = 2.0 * ROWS * COLUMNS * CLUSTERS;
    if (strcmp(argv[2], "mmd") == 0) {
        const stopwatch w = many_mmd(&env);
        printf("%.3f %.3f 0 %.2f\n", w.wall, w.cpu, PAIRS * gram / 1e9);
    } else if (strcmp(argv[2], "kmeans") == 0) {
        double inertia = NAN;
        const stopwatch w = kmeans(&inertia, &env, argc > 3 ? argv[3] : NULL);
        printf("%.3f %.3f 0 %.2f %.0f\n", w.wall, w.cpu, 10 * pass / 1e9, inertia);
    } else {
        const stopwatch w = differential_expression(&env, strcmp(argv[2], "welch") == 0 ? SOW_DE_WELCH : SOW_DE_WILCOXON_TIES, sparse);
        printf("%.3f %.3f %.2f 0\n", w.wall, w.cpu, sizeof(float) * values / 1e9);
    }
    sow_threads_destroy(threads);
    return 0;
}
