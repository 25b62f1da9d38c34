/* Shared by the readers of single-cell files (cell_file*.c). Not installed.
 *
 * A backend hands out raw blocks of cells; cell_file_check.c turns them into what the public header promises. Raw blocks may be altered in place. */
#ifndef SOWER_IO_CELL_FILE_INTERNAL_H
#define SOWER_IO_CELL_FILE_INTERNAL_H

#include "io/cell_file.h"

typedef struct {
    sow_index n;    /* 0 = the end */
    int64_t *start; /* [n + 1] from 0 */
    int32_t *gene;  /* any int32; not yet checked */
    float *value;
} sow_i_raw_block;

typedef struct {
    const char *layout;
    sow_status (*next)(sow_i_raw_block *out, sow_cell_file *f, const sow_env *env, sow_error *err);
    sow_status (*rewind)(sow_cell_file *f, sow_error *err);
    void (*close)(sow_cell_file *f); /* frees f->state, which may be half made */
} sow_i_cell_backend;

struct sow_cell_file {
    char *path, *layer, *gene_column, *scratch; /* the options, copied; layer, gene_column and scratch may be NULL */
    char *where;                                /* "path: /X" for messages */
    int counts;
    sow_index memory;   /* bytes for buffers */
    sow_index capacity; /* stored entries of a block: at least n_genes */
    sow_index n_cells, n_genes, n_values;
    sow_names *genes;
    const sow_i_cell_backend *backend;
    void *state;
    sow_index at;          /* first cell of the next block */
    int64_t *start, *kept; /* [cells of a block + 1] handed out; entries of a cell that stay */
    sow_index start_capacity, kept_capacity;
};

/** Fill everything of `f` but path, options and buffers; sets f->backend as soon as there is something to close. */
SOW_MUST_CHECK sow_status sow_i_cell_open_h5ad(sow_cell_file *f, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_cell_open_mtx(sow_cell_file *f, const sow_env *env, sow_error *err);
/** Gene names into f->genes; SOW_E_DATA names those that come twice and says `advice`. A NULL name is SOW_E_DATA. */
SOW_MUST_CHECK sow_status sow_i_cell_take_genes(sow_cell_file *f, char *const *name, sow_index n, const char *where, const char *advice, sow_error *err);
/** f->capacity from f->memory and f->n_genes; SOW_E_DATA when there are more cells or genes than int32 can count. */
SOW_MUST_CHECK sow_status sow_i_cell_size_block(sow_cell_file *f, sow_error *err);

/** Check a block and take out what must not be in it: sorts cells, drops zeros. f->start and f->kept are its scratch. */
SOW_MUST_CHECK sow_status sow_i_cell_check(sow_cell_block *out, sow_cell_file *f, const sow_i_raw_block *raw, const sow_env *env, sow_error *err);

/* ---- turning what comes in another order: entries to disk, then back cell by cell (cell_file_spool.c) ---- */

typedef struct {
    int32_t cell, gene;
    float value;
} sow_i_entry;
typedef struct sow_i_spool sow_i_spool;
/** For f's n_cells, in f's memory, as an unlinked file in f's scratch folder. */
SOW_MUST_CHECK sow_status sow_i_spool_create(sow_i_spool **out, const sow_cell_file *f, sow_error *err);
void sow_i_spool_destroy(sow_i_spool *s);
/** First say how many entries every cell has (any number of calls), then plan, then put them in any order: exactly those that were counted. */
void sow_i_spool_count(sow_i_spool *s, const int32_t *cell, sow_index n);
SOW_MUST_CHECK sow_status sow_i_spool_plan(sow_i_spool *s, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_spool_put(sow_i_spool *s, const sow_i_entry *entry, sow_index n, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_spool_finish(sow_i_spool *s, sow_error *err);
/** For a source that can be read only once: append everything, in any order, then turn. Sorted by cell already it is kept as it was appended. */
SOW_MUST_CHECK sow_status sow_i_spool_append(sow_i_spool *s, const sow_i_entry *entry, sow_index n, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_spool_turn(sow_i_spool *s, sow_error *err);
/** Back, some cells at a time; entries of a cell come in the order they were put. */
SOW_MUST_CHECK sow_status sow_i_spool_next(sow_i_raw_block *out, sow_i_spool *s, sow_error *err);
void sow_i_spool_rewind(sow_i_spool *s);

#endif
