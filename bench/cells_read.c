/* Reading single cells. usage: bench_cells_read make FILE CELLS GENES VALUES_PER_CELL [GZIP]
 *                              bench_cells_read read FILE FOLDER THREADS MEMORY_MIB
 * `make` writes a CSR .h5ad with that many counts a cell (float32, int32 indices), 200 perturbations and a control. `read` empties FOLDER, then times, with the
 * file in the page cache as far as it fits: copying the bytes of the matrix, streaming the file, the first sow_cells_read (digest, stream, cache), the second one
 * (note, checksum, labels), and fitting the preparation with 2,000 highly variable genes. One line each: what, seconds, GB/s of matrix bytes, peak RssAnon in MB. */
#include <dirent.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/anonymous.h"
#include "core/prepare.h"
#include "core/rng.h"
#include "io/cell_file.h"
#include "io/cell_source.h"
#include "io/h5ad_cells.h"

static sow_error err;

static void must(sow_status st)
{
    if (st == SOW_OK) return;
    fprintf(stderr, "%s: %s\n", sow_status_name(st), err.message);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void report(const char *what, double seconds, double bytes)
{
    printf("%-22s %8.3f s %8.2f GB/s %8.0f MB\n", what, seconds, bytes / seconds / 1e9, (double)atomic_load(&peak_kb) / 1024);
    fflush(stdout);
    atomic_store(&peak_kb, 0);
}

/* ---- make ---- */

enum { BLOCK = 1000, PERTURBATIONS = 200 };

static void make_block(int64_t *start, int32_t *gene, float *value, sow_index n, sow_index genes, sow_index per_cell, sow_rng *rng)
{
    int32_t stretch = (int32_t)(genes / per_cell);
    for (sow_index i = 0, at = 0; i < n; i++) {
        uint64_t bits = 0; /* 16 of them an entry */
        for (sow_index j = 0; j < per_cell; j++, at++) {
            if (j % 4 == 0) bits = (uint64_t)sow_rng_u32(rng) << 32 | sow_rng_u32(rng);
            gene[at] = (int32_t)j * stretch + ((int32_t)(bits & 0xff) * stretch >> 8); /* one in each stretch: ascending */
            value[at] = (float)(1 + (int)((bits >> 8 & 0x1f) * (bits >> 10 & 0x7)) / 32);
            bits >>= 16;
        }
        start[i + 1] = at;
    }
}

static char *text_of(const char *format, sow_index i)
{
    char text[40];
    snprintf(text, sizeof text, format, (long long)i);
    return strdup(text);
}

static int make(const char *path, sow_index cells, sow_index genes, sow_index per_cell, int gzip)
{
    sow_names *names = NULL;
    sow_h5ad_writer *w = NULL;
    sow_rng rng = sow_rng_make(1, SOW_RNG_TEST, 0, 0);
    int64_t *start = calloc(BLOCK + 1, sizeof *start);
    int32_t *gene = malloc((size_t)(BLOCK * per_cell) * sizeof *gene);
    float *value = malloc((size_t)(BLOCK * per_cell) * sizeof *value);
    char **obs = malloc((size_t)cells * sizeof *obs), name[40];
    sow_h5ad_column label = {.name = text_of("gene", 0), .text = malloc((size_t)cells * sizeof(char *))};
    must(sow_names_create(&names, &err));
    for (sow_index j = 0; j < genes; j++) {
        snprintf(name, sizeof name, "G%05lld", (long long)j);
        must(sow_names_add(names, name, NULL, &err));
    }
    must(sow_h5ad_writer_create(&w, path, names, NULL, 0, gzip, &err));
    for (sow_index i = 0; i < cells; i += BLOCK) {
        sow_index n = cells - i < BLOCK ? cells - i : BLOCK;
        make_block(start, gene, value, n, genes, per_cell, &rng);
        must(sow_h5ad_writer_append(w, n, start, gene, value, &err));
        for (sow_index k = i; k < i + n; k++) {
            obs[k] = text_of("cell%08lld-1", k);
            label.text[k] = k % (PERTURBATIONS + 10) >= PERTURBATIONS ? strdup("NT") : text_of("P%03lld", k % (PERTURBATIONS + 10));
        }
    }
    must(sow_h5ad_writer_finish(w, obs, &label, 1, &err));
    return 0; /* the rest goes with the process */
}

/* ---- read ---- */

static void empty_folder(const char *path)
{
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        char file[2048];
        snprintf(file, sizeof file, "%s/%s", path, e->d_name);
        if (e->d_name[0] != '.') unlink(file);
    }
    if (d) closedir(d);
}

static void time_copy(double bytes)
{
    size_t n = bytes < 256e6 ? (size_t)bytes : (size_t)256e6;
    char *x = malloc(n), *y = malloc(n);
    double best = 1e9;
    if (!x || !y) exit(1);
    memset(x, 1, n);
    memset(y, 2, n);
    for (int r = 0; r < 3; r++) {
        double t = now();
        memcpy(y, x, n);
        t = now() - t;
        best = t < best ? t : best;
    }
    double all = best * bytes / (double)n + (double)(y[n / 2] & 2);
    free(x);
    free(y);
    atomic_store(&peak_kb, 0);
    report("copy of the bytes", all, bytes);
}

static double time_stream(const char *path, sow_index memory, const sow_env *env)
{
    const sow_cell_file_options o = {.path = path, .counts = 1, .memory = memory};
    sow_cell_file *file = NULL;
    sow_cell_block block;
    double t = now(), values = 0;
    must(sow_cell_file_open(&file, &o, env, &err));
    do {
        must(sow_cell_file_next(&block, file, env, &err));
        values += block.n ? (double)block.start[block.n] : 0;
    } while (block.n);
    sow_cell_file_close(file);
    report("stream", now() - t, 8 * values);
    return 8 * values;
}

static void read_table(const char *what, sow_cells *cells, sow_screen **screen, const char *path, const char *folder, sow_index memory, double bytes,
                       const sow_env *env)
{
    const sow_source s = {.file = path, .context = "cells", .perturbation_column = "gene", .control = "NT", .values = SOW_VALUES_COUNTS};
    double t = now();
    must(sow_cells_read(cells, screen, NULL, NULL, &s, 1, folder, memory, env, &err));
    report(what, now() - t, bytes);
}

static void time_fit(const sow_cells *cells, double bytes, const sow_env *env)
{
    sow_features features = SOW_FEATURES_INIT;
    sow_preparation p = {0};
    features.n_highly_variable = sow_names_count(cells->genes) < 2000 ? 0 : 2000;
    sow_index *all = malloc((size_t)cells->n * sizeof *all);
    if (!all) exit(1);
    for (sow_index i = 0; i < cells->n; i++) all[i] = i;
    double t = now();
    must(sow_preparation_fit(&p, NULL, cells, all, cells->n, &features, env, &err));
    report("fit the preparation", now() - t, bytes);
    sow_preparation_clear(&p);
    free(all);
}

static int read_all(const char *path, const char *folder, int threads, sow_index memory)
{
    sow_threads *pool = NULL;
    sow_cells cells;
    sow_screen *screen = NULL;
    must(sow_threads_create(&pool, threads, &err));
    const sow_env env = {.threads = pool, .memory = memory};
    empty_folder(folder);
    watch_begin();
    double bytes = time_stream(path, memory / 2, &env);
    time_copy(bytes);
    read_table("read, making the cache", &cells, &screen, path, folder, memory, bytes, &env);
    sow_cells_clear(&cells);
    sow_screen_destroy(screen);
    nanosleep(&(struct timespec){.tv_sec = 3}, NULL); /* a digest is trusted when the file was left alone for 2 s */
    read_table("read, after a pause", &cells, &screen, path, folder, memory, bytes, &env);
    sow_cells_clear(&cells);
    sow_screen_destroy(screen);
    read_table("read from the cache", &cells, &screen, path, folder, memory, bytes, &env);
    time_fit(&cells, bytes, &env);
    sow_cells_clear(&cells);
    sow_screen_destroy(screen);
    watch_end();
    sow_threads_destroy(pool);
    return 0;
}

int main(int argc, char **argv)
{
    if ((argc == 6 || argc == 7) && strcmp(argv[1], "make") == 0)
        return make(argv[2], atoll(argv[3]), atoll(argv[4]), atoll(argv[5]), argc == 7 ? atoi(argv[6]) : 0);
    if (argc == 6 && strcmp(argv[1], "read") == 0) return read_all(argv[2], argv[3], atoi(argv[4]), atoll(argv[5]) << 20);
    fprintf(stderr, "usage: bench_cells_read make FILE CELLS GENES VALUES_PER_CELL [GZIP]\n       bench_cells_read read FILE FOLDER THREADS MEMORY_MIB\n");
    return 2;
}
