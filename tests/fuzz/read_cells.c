#include "read_cells.h"

#include "fuzz.h"

#include "io/cell_cache.h"
#include "io/cell_source.h"

#include <math.h>
#include <string.h>

/* What was read, in few bytes: two passes, and the cache, must give the same. */
typedef struct {
    sow_index cells, values;
    uint64_t hash;
} summary;

static void add(summary *s, const int64_t *start, const int32_t *gene, const float *value, sow_index n, sow_index n_genes)
{
    fuzz_must(start[0] == 0, "a block begins at 0");
    for (sow_index i = 0; i < n; i++) {
        fuzz_must(start[i] <= start[i + 1], "cells follow each other");
        for (int64_t k = start[i]; k < start[i + 1]; k++) {
            uint32_t bits;
            fuzz_must(gene[k] >= 0 && gene[k] < n_genes && (k == start[i] || gene[k] > gene[k - 1]), "genes ascend within a cell");
            fuzz_must(isfinite(value[k]) && value[k] != 0, "values are finite and not zero");
            memcpy(&bits, &value[k], sizeof bits);
            s->hash = (s->hash ^ (uint64_t)(s->cells + i) ^ (uint64_t)gene[k] << 20 ^ (uint64_t)bits << 32) * 0x9E3779B97F4A7C15u;
        }
    }
    s->cells += n;
    s->values += start[n];
}

static sow_status read_pass(summary *out, sow_cell_file *f, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_cell_block block;
    memset(out, 0, sizeof *out);
    for (;;) {
        SOW_TRY(sow_cell_file_next(&block, f, NULL, err));
        if (block.n == 0) break;
        fuzz_must(block.first == out->cells, "blocks follow each other");
        add(out, block.start, block.gene, block.value, block.n, sow_cell_file_n_genes(f));
    }
    fuzz_must(out->cells == sow_cell_file_n_cells(f) && out->values <= sow_cell_file_n_values(f), "as many cells as were promised, no more values");
done:
    return st;
}

/* *good: it could be read whole. */
static void read_twice(int *good, summary *first, const sow_cell_file_options *options)
{
    sow_error err = {0};
    sow_cell_file *f = NULL;
    summary second;
    sow_status st = sow_cell_file_open(&f, options, NULL, &err);
    fuzz_answer(st, &err);
    fuzz_must((st == SOW_OK) == (f != NULL), "a file exactly on success");
    if (!f) return;
    fuzz_must(sow_names_count(sow_cell_file_genes(f)) == sow_cell_file_n_genes(f) && *sow_cell_file_layout(f), "every gene has a name");
    st = read_pass(first, f, &err);
    fuzz_answer(st, &err);
    *good = st == SOW_OK;
    if (*good) {
        fuzz_must(sow_cell_file_rewind(f, &err) == SOW_OK && read_pass(&second, f, &err) == SOW_OK, "a second pass can be made");
        fuzz_must(memcmp(first, &second, sizeof second) == 0, "two passes give the same");
    }
    sow_cell_file_close(f);
}

static void read_cache(int good, const summary *expected, const sow_cell_file_options *options, const char *folder)
{
    sow_error err = {0};
    sow_cell_matrix m;
    char digest[65];
    sow_status st = sow_cell_matrix_open(&m, digest, options, folder, NULL, &err);
    fuzz_answer(st, &err);
    fuzz_must((st == SOW_OK) == good, "a matrix exactly when the file can be read");
    if (st != SOW_OK) return;
    summary s = {0};
    add(&s, m.start, m.gene, m.value, m.n_cells, m.n_genes);
    fuzz_must(memcmp(&s, expected, sizeof s) == 0, "the cache holds what the file holds");
    sow_cell_matrix_clear(&m);
}

static void check_labels(const sow_cells *c, const sow_screen *screen)
{
    sow_index n = sow_names_count(screen->perturbations), contexts = sow_names_count(screen->contexts);
    for (sow_index i = 0; i < c->n; i++) {
        fuzz_must(c->in_matrix[i] >= 0 && c->in_matrix[i] < c->n_matrices && c->row[i] >= 0 && c->row[i] < c->matrix[c->in_matrix[i]].n_cells, "a cell is in a matrix");
        fuzz_must(c->perturbation[i] >= SOW_CONTROL && c->perturbation[i] < n && c->context[i] >= 0 && c->context[i] < contexts, "a cell has its labels");
        fuzz_must(c->batch[i] >= 0 && c->batch[i] < sow_names_count(c->batches), "a cell has a technical batch");
        fuzz_must(c->guide[i] >= SOW_NO_LABEL && c->guide[i] < sow_names_count(c->guides), "a guide is in the list of guides");
        fuzz_must(c->replicate[i] >= SOW_NO_LABEL && c->replicate[i] < sow_names_count(c->replicates), "a replicate is in the list of replicates");
    }
}

void read_cell_source(const char *path, const char *labels, unsigned how)
{
    char cache[512];
    strcpy(cache, fuzz_empty_folder("cache"));
    sow_source source = {.file = path, .role = SOW_ROLE_TARGET, .perturbation_column = "perturbation", .control = "ctrl", .separator = "+", .labels = labels,
                         .duplicates_allowed = 1, .values = how & 1 ? SOW_VALUES_LOG1P : SOW_VALUES_COUNTS};
    if (how & 2) source.context_column = "context";
    if (how & 4) source.guide_column = "guide", source.batch_column = "context", source.replicate_column = "guide";
    sow_source two[2] = {source, source};
    two[1].context = "other", two[1].context_column = NULL, two[1].role = SOW_ROLE_REFERENCE;
    sow_error err = {0};
    sow_cells cells;
    sow_screen *screen = NULL;
    sow_dropped dropped = {0};
    sow_status st = sow_cells_read(&cells, &screen, NULL, &dropped, two, how & 8 ? 2 : 1, cache, 1 << 16, NULL, &err);
    fuzz_answer(st, &err);
    fuzz_must((st == SOW_OK) == (screen != NULL), "a screen exactly on success");
    if (screen) check_labels(&cells, screen);
    sow_cells_clear(&cells);
    sow_screen_destroy(screen);
    sow_dropped_clear(&dropped);
}

void read_cells(const char *path, const char *labels, unsigned how)
{
    static const char *const layers[] = {NULL, "raw", "counts", "X"};
    char folder[512];
    strcpy(folder, fuzz_empty_folder("cache"));
    sow_cell_file_options options = {.path = path, .layer = layers[how >> 4 & 3], .gene_column = how & 64 ? "gene_name" : NULL, .counts = how >> 7 & 1,
                                     .memory = how & 1 ? 1 : 0, .scratch = fuzz_folder()};
    if (labels) options.layer = NULL;
    summary s = {0};
    int good = 0;
    read_twice(&good, &s, &options);
    read_cache(good, &s, &options, folder);
    if (good) read_cache(good, &s, &options, folder); /* made a moment ago */
}
