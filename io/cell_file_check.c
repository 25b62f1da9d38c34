/* The last step of every reader: after it indices are in range and rise within a cell, values are finite, no zero is stored and counts are counts. Most blocks are
 * clean; that is seen in one pass a compiler can vectorise, and only a cell that is not is taken apart. */
#include "io/cell_file_internal.h"

#include "core/memory.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TILE_ENTRIES = 1 << 15 };
#define TOO_LARGE 16777216.0f /* 2^24: from here on float skips whole numbers */

typedef struct {
    sow_cell_file *f;
    const sow_i_raw_block *raw;
    sow_index cells_of_tile;
} checking;

/* ---- one pass over what is expected ---- */

static int32_t unexpected_genes(const int32_t *gene, sow_index n, int32_t n_genes)
{
    uint32_t odd = 0;
    for (sow_index i = 0; i < n; i++) odd |= (uint32_t)gene[i] >= (uint32_t)n_genes;
    for (sow_index i = 1; i < n; i++) odd |= gene[i] <= gene[i - 1];
    return (int32_t)odd;
}

static int unexpected_values(const float *value, sow_index n)
{
    int odd = 0;
    for (sow_index i = 0; i < n; i++) odd |= !(fabsf(value[i]) <= FLT_MAX) | (value[i] == 0.0f);
    return odd;
}

/* Whole, positive, below 2^24: what is outside goes to 0 and differs from itself. */
static int unexpected_counts(const float *value, sow_index n)
{
    int odd = 0;
    for (sow_index i = 0; i < n; i++) {
        float x = value[i] > 0.0f && value[i] < TOO_LARGE ? value[i] : 0.0f;
        odd |= ((float)(int32_t)x != value[i]) | (x == 0.0f);
    }
    return odd;
}

/* ---- a cell that has something ---- */

static sow_status bad_value(const sow_cell_file *f, sow_index cell, int32_t gene, float value, sow_error *err)
{
    char at[512];
    snprintf(at, sizeof at, "%s: cell %lld, gene '%s'", f->where, (long long)(cell + 1), sow_names_get(f->genes, gene));
    if (!(fabsf(value) <= FLT_MAX))
        return SOW_ERROR(err, SOW_E_DATA, "%s: the value is %s; every value must be a finite number%s", at, isnan(value) ? "NaN" : "infinite",
                         isnan(value) ? "" : " that fits single precision");
    if (value < 0) return SOW_ERROR(err, SOW_E_DATA, "%s: %g is negative, but the values are declared to be counts; name the layer that has counts", at, (double)value);
    if (value >= TOO_LARGE)
        return SOW_ERROR(err, SOW_E_DATA, "%s: a count of %.0f; counts from 16777216 on cannot be kept exactly in single precision", at, (double)value);
    return SOW_ERROR(err, SOW_E_DATA, "%s: %.9g is no whole number, but the values are declared to be counts; name the layer that has counts", at,
                     (double)value);
}

static int is_bad(const sow_cell_file *f, float x)
{
    if (!(fabsf(x) <= FLT_MAX)) return 1;
    return f->counts && (x < 0 || x >= TOO_LARGE || x != floorf(x));
}

typedef struct {
    int32_t gene;
    float value;
} entry;

static int by_gene(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    return (x->gene > y->gene) - (x->gene < y->gene);
}

static sow_status sort_cell(int32_t *gene, float *value, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    entry *e = NULL;
    SOW_NEW(e, n);
    for (sow_index i = 0; i < n; i++) e[i] = (entry){gene[i], value[i]};
    qsort(e, (size_t)n, sizeof *e, by_gene);
    for (sow_index i = 0; i < n; i++) {
        gene[i] = e[i].gene;
        value[i] = e[i].value;
    }
done:
    free(e);
    return st;
}

/* *kept entries of the cell stay, at its beginning. */
static sow_status mend_cell(const sow_cell_file *f, sow_index cell, int32_t *gene, float *value, sow_index n, int64_t *kept, sow_error *err)
{
    sow_status st = SOW_OK;
    int sorted = 1;
    for (sow_index i = 0; i < n; i++) {
        if (gene[i] < 0 || gene[i] >= f->n_genes)
            SOW_FAIL(err, SOW_E_DATA, "%s: cell %lld has a gene index outside 0 to %lld; the file is damaged", f->where, (long long)(cell + 1),
                     (long long)(f->n_genes - 1));
        sorted = sorted && (i == 0 || gene[i] > gene[i - 1]);
    }
    if (!sorted) SOW_TRY(sort_cell(gene, value, n, err));
    *kept = 0;
    for (sow_index i = 0; i < n; i++) {
        if (i > 0 && gene[i] == gene[i - 1])
            SOW_FAIL(err, SOW_E_DATA, "%s: cell %lld has gene '%s' twice; call adata.X.sum_duplicates() and write the file again", f->where,
                     (long long)(cell + 1), sow_names_get(f->genes, gene[i]));
        if (is_bad(f, value[i])) SOW_TRY(bad_value(f, cell, gene[i], value[i], err));
    }
    for (sow_index i = 0; i < n; i++) {
        if (value[i] == 0) continue;
        gene[*kept] = gene[i];
        value[(*kept)++] = value[i];
    }
done:
    return st;
}

/* ---- a block ---- */

static sow_status check_tile(void *user, sow_index k, sow_error *err)
{
    const checking *c = user;
    sow_cell_file *f = c->f;
    const sow_i_raw_block *raw = c->raw;
    sow_index from = k * c->cells_of_tile, to = from + c->cells_of_tile < raw->n ? from + c->cells_of_tile : raw->n;
    sow_index begin = raw->start[from], n = raw->start[to] - begin;
    int odd = f->counts ? unexpected_counts(raw->value + begin, n) : unexpected_values(raw->value + begin, n);
    for (sow_index i = from; i < to; i++) {
        sow_index at = raw->start[i], size = raw->start[i + 1] - at;
        f->kept[i] = size;
        if (odd || unexpected_genes(raw->gene + at, size, (int32_t)f->n_genes)) {
            sow_status st = mend_cell(f, f->at + i, raw->gene + at, raw->value + at, size, &f->kept[i], err);
            if (st != SOW_OK) return st;
        }
    }
    return SOW_OK;
}

/* Close the gaps that dropped entries leave. */
static void close_up(sow_cell_file *f, const sow_i_raw_block *raw)
{
    f->start[0] = 0;
    for (sow_index i = 0; i < raw->n; i++) {
        sow_index from = raw->start[i], to = f->start[i], n = f->kept[i];
        if (from != to && n > 0) {
            memmove(raw->gene + to, raw->gene + from, (size_t)n * sizeof *raw->gene);
            memmove(raw->value + to, raw->value + from, (size_t)n * sizeof *raw->value);
        }
        f->start[i + 1] = to + n;
    }
}

sow_status sow_i_cell_check(sow_cell_block *out, sow_cell_file *f, const sow_i_raw_block *raw, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index entries = raw->start[raw->n];
    SOW_TRY(sow_grow(&f->kept, &f->kept_capacity, raw->n, sizeof *f->kept, err));
    SOW_TRY(sow_grow(&f->start, &f->start_capacity, raw->n + 1, sizeof *f->start, err));
    checking c = {f, raw, entries == 0 ? raw->n : (sow_index)((double)raw->n * TILE_ENTRIES / (double)entries) + 1};
    SOW_TRY(sow_parallel_for(sow_env_threads(env), (raw->n - 1) / c.cells_of_tile + 1, check_tile, &c, err));
    close_up(f, raw);
    *out = (sow_cell_block){f->at, raw->n, f->start, raw->gene, raw->value};
done:
    return st;
}
