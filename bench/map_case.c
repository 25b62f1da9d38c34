/* Writes a case for the whole map into a folder: reference.h5ad (profiles of 17 contexts of very different sizes), results.h5ad (of the target), candidates.csv (19,036), prior.csv and campaign.yaml.
 * 12,000 pairs of 18 contexts and 2,531 perturbations are measured. A response is eight factors that the prior holds, which contexts scale, and noise.
 * usage: bench_map_case DIR MODEL, or: bench_map_case deflate, which prints how many MB/s of such predictions one thread shuffles and deflates (level 1). */
#include <string.h>
#include <libdeflate.h>

#include "bench/machine.h"
#include "core/memory.h"
#include "core/names.h"
#include "core/rng.h"
#include "io/h5ad_cells.h"

enum { P = 19036, DISTINCT = 2531, G = 2500, C = 18, FACTORS = 8, PRIOR = 64, CHUNK = 52 };

static const int sizes[C] = {600, 2317, 1700, 1700, 1700, 1100, 250, 250, 250, 250, 250, 250, 250, 250, 250, 250, 300, 83}; /* the target first; 12,000 in all */

static double prior[P][PRIOR], loading[FACTORS][G], scale[C][FACTORS];

static void make_world(void)
{
    sow_rng rng = sow_rng_make(1, SOW_RNG_TEST, 0, 0);
    for (int i = 0; i < P * PRIOR; i++) prior[i / PRIOR][i % PRIOR] = sow_rng_normal(&rng);
    for (int i = 0; i < FACTORS * G; i++) loading[i / G][i % G] = sow_rng_normal(&rng) / 3;
    for (int i = 0; i < C * FACTORS; i++) scale[i / FACTORS][i % FACTORS] = 1 + 0.5 * sow_rng_normal(&rng);
}

/* The i-th measured perturbation of a context; spread over the catalogue. */
static int measured(int c, int i)
{
    return (int)((long)((i * 11 + c * 97) % DISTINCT) * 7 % P);
}

static void response(float *y, int p, int c, sow_rng *rng, double noise)
{
    for (int g = 0; g < G; g++) y[g] = (float)(noise * sow_rng_normal(rng));
    for (int k = 0; k < FACTORS; k++) {
        const float a = (float)(prior[p][k] * scale[c][k]);
        for (int g = 0; g < G; g++) y[g] += a * (float)loading[k][g];
    }
}

static void write_contexts(const char *dir, const char *file, int from, int to, const sow_names *genes)
{
    sow_error err = {0};
    sow_h5ad_table *t = NULL;
    char path[1024];
    int n = 0, row = 0;
    snprintf(path, sizeof path, "%s/%s", dir, file);
    for (int c = from; c < to; c++) n += sizes[c];
    char **text = memory(3 * (size_t)n, sizeof *text), *storage = memory(3 * (size_t)n, 16);
    double *cells = memory((size_t)n, sizeof *cells);
    float *y = memory(G, sizeof *y);
    check(sow_h5ad_table_create(&t, path, n, genes, NULL, 0, &err), &err);
    for (int c = from; c < to; c++)
        for (int i = 0; i < sizes[c]; i++, row++) {
            sow_rng rng = sow_rng_make(2, SOW_RNG_TEST, (uint32_t)c, (uint32_t)i);
            response(y, measured(c, i), c, &rng, 0.3);
            check(sow_h5ad_table_put(t, -1, row, 1, y, NULL, &err), &err);
            for (int k = 0; k < 3; k++) text[k * n + row] = storage + 16 * (k * n + row);
            sprintf(text[row], "r%d", row);
            sprintf(text[n + row], "G%05d", measured(c, i));
            sprintf(text[2 * n + row], "line%02d", c);
            cells[row] = 150;
        }
    const sow_h5ad_column obs[] = {{"gene", SOW_COLUMN_STRING, text + n, NULL}, {"line", SOW_COLUMN_STRING, text + 2 * n, NULL}, {"n_cells", SOW_COLUMN_NUMBER, NULL, cells}};
    check(sow_h5ad_table_finish(t, text, obs, 3, "bench", NULL, 0, &err), &err);
    free(text), free(storage), free(cells), free(y);
}

static void write_text(const char *dir, const char *model)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/candidates.csv", dir);
    FILE *f = fopen(path, "w");
    if (!f) exit(1);
    fprintf(f, "gene\n");
    for (int i = 0; i < P; i++) fprintf(f, "G%05d\n", i);
    fclose(f);
    snprintf(path, sizeof path, "%s/prior.csv", dir);
    if (!(f = fopen(path, "w"))) exit(1);
    fprintf(f, "gene");
    for (int j = 0; j < PRIOR; j++) fprintf(f, ",x%d", j);
    for (int i = 0; i < P; i++) {
        fprintf(f, "\nG%05d", i);
        for (int j = 0; j < PRIOR; j++) fprintf(f, ",%.5f", prior[i][j]);
    }
    fprintf(f, "\n");
    fclose(f);
    snprintf(path, sizeof path, "%s/campaign.yaml", dir);
    if (!(f = fopen(path, "w"))) exit(1);
    fprintf(f, "sower: 1\nname: map\nseed: 1\ndata:\n  sources:\n    - {file: candidates.csv, role: target, context: line00, perturbation: gene, values: response}\n"
               "    - {file: reference.h5ad, role: reference, context: {column: line}, perturbation: gene, cells: n_cells, values: response}\nreadout: {kind: profile}\n"
               "priors: [{name: prior, file: prior.csv, key: gene}]\nmodel: {kind: %s, prior_dims: %d}\nacquisition: {strategy: random}\nrounds: {initial: {size: 10, strategy: random}, batches: []}\noracle: {kind: lab}\n",
            model, PRIOR);
    fclose(f);
}

static void deflate_rate(void)
{
    float *x = memory(CHUNK * G, sizeof *x);
    unsigned char *in = (unsigned char *)x, *shuffled = memory(CHUNK * G, sizeof *x);
    struct libdeflate_compressor *packer = libdeflate_alloc_compressor(1);
    if (!packer) exit(1);
    const size_t size = libdeflate_zlib_compress_bound(packer, sizeof *x * CHUNK * G);
    unsigned char *out = memory(size, 1);
    sow_rng rng = sow_rng_make(3, SOW_RNG_TEST, 0, 0);
    for (int i = 0; i < CHUNK; i++) response(x + i * G, i, 0, &rng, 0);
    const double start = now();
    int times = 0;
    for (; now() - start < 2; times++) {
        for (size_t b = 0; b < sizeof *x; b++)
            for (size_t i = 0; i < CHUNK * G; i++) shuffled[b * CHUNK * G + i] = in[i * sizeof *x + b];
        if (libdeflate_zlib_compress(packer, shuffled, sizeof *x * CHUNK * G, out, size) == 0) exit(1);
    }
    printf("%.1f\n", times * (double)(sizeof *x * CHUNK * G) / 1e6 / (now() - start));
    libdeflate_free_compressor(packer);
    free(x), free(shuffled), free(out);
}

int main(int argc, char **argv)
{
    sow_error err = {0};
    sow_names *genes = NULL;
    make_world();
    if (argc == 2 && strcmp(argv[1], "deflate") == 0) return deflate_rate(), 0;
    if (argc != 3) {
        fprintf(stderr, "usage: bench_map_case DIR MODEL | deflate\n");
        return 2;
    }
    check(sow_names_create(&genes, &err), &err);
    for (int g = 0; g < G; g++) {
        char name[16];
        sprintf(name, "gene%04d", g);
        check(sow_names_add(genes, name, NULL, &err), &err);
    }
    write_contexts(argv[1], "results.h5ad", 0, 1, genes);
    write_contexts(argv[1], "reference.h5ad", 1, C, genes);
    write_text(argv[1], argv[2]);
    sow_names_destroy(genes);
    return 0;
}
