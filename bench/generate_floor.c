/* generate_floor CELLS GENES: what a simulated screen of this size costs at least, in CPU seconds: for every count one uniform number, one log1p and one exp (inversion of a negative-binomial count takes these), and the
 * counts that are not 0, as 4-byte index and value, shuffled and deflated once at level 1. Prints: counts' seconds, deflating's, their sum, values a cell. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <libdeflate.h>

#include "core/rng.h"
#include "simulator/cell_world.h"

enum { DRAWS = 20000000, CHUNK = 16384, WIDTH = 4 };

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double seconds_of_a_draw(void)
{
    sow_rng rng = sow_rng_make(1, SOW_RNG_TEST, 0, 0);
    volatile double sink = 0;
    double sum = 0;
    const double begin = cpu_seconds();
    for (int i = 0; i < DRAWS; i++) {
        const double u = sow_rng_uniform(&rng);
        sum += exp(-2 * log1p(u));
    }
    sink = sum;
    (void)sink;
    return (cpu_seconds() - begin) / DRAWS;
}

static void deflate_all(const unsigned char *x, int64_t n)
{
    static unsigned char shuffled[CHUNK * WIDTH], out[2 * CHUNK * WIDTH];
    struct libdeflate_compressor *packer = libdeflate_alloc_compressor(1);
    if (!packer) exit(1);
    for (int64_t at = 0; at + CHUNK <= n; at += CHUNK) {
        for (int b = 0; b < WIDTH; b++)
            for (int i = 0; i < CHUNK; i++)
                shuffled[b * CHUNK + i] = x[(at + i) * WIDTH + b];
        if (libdeflate_zlib_compress(packer, shuffled, sizeof shuffled, out, sizeof out) == 0) exit(1);
    }
    libdeflate_free_compressor(packer);
}

int main(int argc, char **argv)
{
    const double cells = argc == 3 ? atof(argv[1]) : 0, genes = argc == 3 ? atof(argv[2]) : 0;
    sow_cell_world_options o = SOW_CELL_WORLD_OPTIONS_INIT;
    sow_cell_stream *s = NULL;
    sow_error err = {0};
    sow_index n;
    const int64_t *start;
    const int32_t *gene;
    const float *value;
    if (!(cells > 0 && genes >= 2)) {
        fprintf(stderr, "usage: generate_floor CELLS GENES\n");
        return 2;
    }
    o.n_genes = (sow_index)genes;
    if (sow_cell_stream_create(&s, &o, NULL, &err) != SOW_OK || sow_cell_stream_next(&n, &start, &gene, &value, s, NULL, &err) != SOW_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    const double draws = cells * genes * seconds_of_a_draw(), begin = cpu_seconds();
    deflate_all((const unsigned char *)gene, start[n]);
    deflate_all((const unsigned char *)value, start[n]);
    const double deflating = (cpu_seconds() - begin) * cells / (double)n;
    printf("%.1f %.1f %.1f %.0f\n", draws, deflating, draws + deflating, (double)start[n] / (double)n);
    sow_cell_stream_destroy(s);
    return 0;
}
