/* A cell file's matrix in memory, without a cache: for a command that reads it once. */
#include "io/cell_cache_internal.h"

#include "core/memory.h"

#include <stdlib.h>
#include <string.h>

/* New pages are made by the kernel when they are first written, which takes as long as the copy: each thread makes its own. */
enum { TILE = 1 << 19 };

typedef struct {
    const sow_cell_block *block;
    int32_t *gene;
    float *value;
} copy_job;

static sow_status copy_tile(void *user, sow_index tile, sow_error *err)
{
    const copy_job *job = user;
    const int64_t n = job->block->start[job->block->n], first = (int64_t)tile * TILE;
    const size_t count = (size_t)(n - first < TILE ? n - first : TILE);
    (void)err;
    memcpy(job->gene + first, job->block->gene + first, count * sizeof *job->gene);
    memcpy(job->value + first, job->block->value + first, count * sizeof *job->value);
    return SOW_OK;
}

static sow_status take_block(sow_cell_arrays *a, const sow_cell_block *b, int64_t at, const sow_env *env, sow_error *err)
{
    copy_job job = {b, a->gene + at, a->value + at};
    for (sow_index i = 0; i < b->n; i++) a->start[b->first + i + 1] = at + b->start[i + 1];
    return sow_parallel_for(sow_env_threads(env), (b->start[b->n] + TILE - 1) / TILE, copy_tile, &job, err);
}

static sow_status copy_genes(sow_names **out, const sow_cell_file *file, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_names *genes = sow_cell_file_genes(file);
    SOW_TRY(sow_names_create(out, err));
    for (sow_index g = 0; g < sow_names_count(genes); g++) SOW_TRY(sow_names_add(*out, sow_names_get(genes, g), NULL, err));
done:
    return st;
}

sow_status sow_i_cell_matrix_load(sow_cell_matrix *out, const sow_cell_file_options *options, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_cell_file *file = NULL;
    sow_cell_matrix m = {.release = sow_cell_arrays_release};
    sow_cell_arrays *a = NULL;
    sow_cell_block block = {0};
    int64_t at = 0;
    SOW_TRY(sow_cell_file_open(&file, options, env, err));
    SOW_NEW(a, 1);
    m.owner = a;
    SOW_NEW(a->start, sow_cell_file_n_cells(file) + 1);
    SOW_NEW(a->gene, sow_cell_file_n_values(file));
    SOW_NEW(a->value, sow_cell_file_n_values(file));
    for (;;) {
        SOW_TRY(sow_cell_file_next(&block, file, env, err));
        if (block.n == 0) break;
        SOW_TRY(take_block(a, &block, at, env, err));
        at += block.start[block.n];
    }
    SOW_TRY(copy_genes(&m.genes, file, err));
    m.n_cells = sow_cell_file_n_cells(file);
    m.n_genes = sow_cell_file_n_genes(file);
    m.start = a->start;
    m.gene = a->gene;
    m.value = a->value;
    *out = m;
    m = (sow_cell_matrix){0};
done:
    sow_cell_file_close(file);
    sow_cell_matrix_clear(&m);
    return st;
}
