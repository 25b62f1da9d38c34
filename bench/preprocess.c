/* Reading and preparing a large single-cell file, for scripts/bench.
 *   bench_preprocess make FILE.h5ad CELLS GENES DENSITY       writes counts as CSR, uncompressed
 *   bench_preprocess run FILE.h5ad CACHE_FOLDER THREADS       times it: file to cache, cache opened again, and the work: totals and their median, then
 *                                                             log1p of every value with its gene's mean and variance, and the genes of highest variance;
 *                                                             with - for the folder the matrix is read into memory instead, as `sower preprocess` does
 * Memory is RssAnon, sampled every 2 ms: what the process itself holds, without pages of files. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/anonymous.h"
#include "core/hvg.h"
#include "core/rng.h"
#include "io/cell_cache.h"
#include "io/h5ad_cells.h"

enum { BLOCK = 256, TOP = 2000 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void need(sow_status st, const sow_error *err)
{
    if (st == SOW_OK) return;
    fprintf(stderr, "error: %s\n", err->message);
    exit(1);
}

/* ---- the case ---- */

/* 0, 1, 2, ... each half as often as the one before. */
static int halvings(sow_rng *rng)
{
    int n = 0;
    for (uint32_t u = sow_rng_u32(rng); (u & 1) && n < 31; u >>= 1) n++;
    return n;
}

/* Counts of genes that differ in how often they are seen: a share `density` of all entries is not 0. */
static void write_case(const char *path, sow_index n_cells, sow_index n_genes, double density)
{
    sow_error err = {0};
    sow_names *genes = NULL;
    sow_h5ad_writer *w = NULL;
    sow_rng rng = sow_rng_make(1, SOW_RNG_TEST, 0, 0);
    const sow_index capacity = BLOCK * n_genes;
    double *seen = malloc((size_t)n_genes * sizeof *seen);
    int64_t start[BLOCK + 1] = {0};
    int32_t *gene = malloc((size_t)capacity * sizeof *gene);
    float *value = malloc((size_t)capacity * sizeof *value);
    char **names = malloc((size_t)n_cells * sizeof *names);
    if (!seen || !gene || !value || !names) exit(1);
    need(sow_names_create(&genes, &err), &err);
    for (sow_index g = 0; g < n_genes; g++) {
        char name[32];
        snprintf(name, sizeof name, "gene%lld", (long long)g);
        need(sow_names_add(genes, name, NULL, &err), &err);
        const double share = fmin(0.95, density * sow_rng_gamma(&rng, 1.5) / 1.5);
        seen[g] = share;
    }
    need(sow_h5ad_writer_create(&w, path, genes, NULL, 0, 0, &err), &err);
    for (sow_index first = 0; first < n_cells; first += BLOCK) {
        const sow_index n = n_cells - first < BLOCK ? n_cells - first : BLOCK;
        int64_t at = 0;
        for (sow_index i = 0; i < n; i++) {
            for (sow_index g = 0; g < n_genes; g++) {
                const uint32_t u = sow_rng_u32(&rng);
                if ((double)u >= seen[g] * 4294967296.0) continue;
                gene[at] = (int32_t)g;
                value[at++] = (float)(1 + halvings(&rng));
            }
            start[i + 1] = at;
            names[first + i] = malloc(24);
            if (!names[first + i]) exit(1);
            snprintf(names[first + i], 24, "cell%lld", (long long)(first + i));
        }
        need(sow_h5ad_writer_append(w, n, start, gene, value, &err), &err);
    }
    need(sow_h5ad_writer_finish(w, names, NULL, 0, &err), &err);
    for (sow_index i = 0; i < n_cells; i++) free(names[i]);
    free(names);
    free(seen);
    free(gene);
    free(value);
    sow_names_destroy(genes);
}

/* ---- the work ---- */

static sow_cells one_context(sow_cell_matrix *matrix)
{
    sow_error err = {0};
    sow_cells c = {.n_matrices = 1, .matrix = matrix, .n = matrix->n_cells};
    const size_t n = (size_t)c.n;
    c.is_log = calloc(1, 1);
    c.gene_of = calloc(1, sizeof *c.gene_of);
    c.gene_of[0] = calloc((size_t)matrix->n_genes, sizeof **c.gene_of);
    need(sow_names_create(&c.genes, &err), &err);
    for (sow_index g = 0; g < matrix->n_genes; g++) {
        need(sow_names_add(c.genes, sow_names_get(matrix->genes, g), NULL, &err), &err);
        c.gene_of[0][g] = (int32_t)g;
    }
    c.in_matrix = calloc(n, sizeof *c.in_matrix);
    c.row = calloc(n, sizeof *c.row);
    c.context = calloc(n, sizeof *c.context);
    for (sow_index i = 0; i < c.n; i++) c.row[i] = i;
    return c;
}

static double fit_once(const sow_cells *cells, const sow_index *all, sow_index highly_variable, const sow_env *env)
{
    sow_error err = {0};
    sow_preparation p;
    sow_features features = SOW_FEATURES_INIT;
    features.n_highly_variable = highly_variable;
    features.min_cells_per_gene = 3;
    const double from = now();
    need(sow_preparation_fit(&p, NULL, cells, all, cells->n, &features, env, &err), &err);
    const double took = now() - from;
    sow_preparation_clear(&p);
    return took;
}

/* Totals and their median; every value normalised and log1p; means and variances; the genes of highest variance. */
static double prepare_once(const sow_cells *cells, const sow_index *all, const sow_env *env)
{
    sow_error err = {0};
    sow_preparation p;
    sow_features features = SOW_FEATURES_INIT;
    features.min_cells_per_gene = 3;
    sow_index chosen = 0;
    const double from = now();
    need(sow_preparation_fit(&p, NULL, cells, all, cells->n, &features, env, &err), &err);
    double *mean = malloc((size_t)p.d * sizeof *mean), *variance = malloc((size_t)p.d * sizeof *variance);
    unsigned char *top = malloc((size_t)p.d);
    if (!mean || !variance || !top) exit(1);
    need(sow_prepared_mean(mean, variance, &p, cells, all, cells->n, env, &err), &err);
    need(sow_hvg_choose(top, &chosen, variance, p.d, p.d < TOP ? p.d : TOP, SOW_HVG_SEURAT_V3, &err), &err);
    const double took = now() - from;
    free(mean);
    free(variance);
    free(top);
    sow_preparation_clear(&p);
    return took;
}

static void run_case(const char *path, const char *cache, int threads)
{
    sow_error err = {0};
    sow_env env = {0};
    sow_cell_matrix matrix = {0};
    const sow_cell_file_options options = {.path = path, .counts = 1};
    need(sow_threads_create(&env.threads, threads, &err), &err);
    watch_begin();

    double from = now();
    need(sow_cell_matrix_open(&matrix, NULL, &options, cache, &env, &err), &err);
    const double made = now() - from;
    double opened = 0;
    if (cache) {
        sow_cell_matrix_clear(&matrix);
        from = now();
        need(sow_cell_matrix_open(&matrix, NULL, &options, cache, &env, &err), &err);
        opened = now() - from;
    }

    sow_cells cells = one_context(&matrix);
    sow_index *all = calloc((size_t)cells.n, sizeof *all);
    for (sow_index i = 0; i < cells.n; i++) all[i] = i;
    double prepared = INFINITY, seurat = INFINITY, fitted = INFINITY;
    for (int repeat = 0; repeat < 3; repeat++) {
        prepared = fmin(prepared, prepare_once(&cells, all, &env));
        fitted = fmin(fitted, fit_once(&cells, all, 0, &env));
        seurat = fmin(seurat, fit_once(&cells, all, matrix.n_genes < TOP ? matrix.n_genes / 2 : TOP, &env));
    }
    watch_end();
    printf("values %lld\nfile_to_cache_s %.3f\nopen_cache_s %.3f\nprepare_s %.3f\nfit_s %.3f\nfit_seurat_s %.3f\nanonymous_mb %.0f\n",
           (long long)matrix.start[matrix.n_cells], made, opened, prepared, fitted, seurat, (double)atomic_load(&peak_kb) / 1024);
    free(all);
    cells.n_matrices = 0; /* the matrix is on the stack */
    cells.matrix = NULL;
    free(cells.gene_of[0]);
    sow_cells_clear(&cells);
    sow_cell_matrix_clear(&matrix);
    sow_threads_destroy(env.threads);
}

int main(int argc, char **argv)
{
    if (argc == 6 && strcmp(argv[1], "make") == 0) write_case(argv[2], atoll(argv[3]), atoll(argv[4]), atof(argv[5]));
    else if (argc == 5 && strcmp(argv[1], "run") == 0) run_case(argv[2], strcmp(argv[3], "-") == 0 ? NULL : argv[3], atoi(argv[4]));
    else {
        fprintf(stderr, "usage: bench_preprocess make FILE CELLS GENES DENSITY | run FILE CACHE THREADS\n");
        return 2;
    }
    return 0;
}
