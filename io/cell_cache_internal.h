/* Parts of the cell cache: the file's layout, its checksum, and the remembered digests of sources. Not installed. */
#ifndef SOWER_IO_CELL_CACHE_INTERNAL_H
#define SOWER_IO_CELL_CACHE_INTERNAL_H

#include "core/cells.h"
#include "core/env.h"
#include "io/cell_file.h"

#include <stdatomic.h>

/* ---- cell_cache_map.c: header, start, gene, value, gene names, checksum ---- */

enum { SOW_I_CACHE_VERSION = 1 };

/** The first bytes of a cache; numbers as this machine writes them (byte_order tells a foreign file). Positions and sizes are bytes. */
typedef struct {
    char magic[8];
    uint32_t version, byte_order;
    int64_t n_cells, n_genes, n_values;
    int64_t start_at, gene_at, value_at, names_at, names_size, file_size;
    char key[72]; /* the hex digest that also names the file; NUL-padded */
} sow_i_cache_header;

/** Places for a matrix of at most n_values entries. SOW_E_DATA when that is more than any file can hold. */
SOW_MUST_CHECK sow_status sow_i_cache_layout(sow_i_cache_header *h, sow_index n_cells, sow_index n_genes, sow_index n_values, const char *path,
                                             sow_error *err);

/** The checksum is a sum over 64-bit words, each mixed with its section and position, so that parts can be added in any order and by any number of
 *  threads. An entry of the matrix is one word: gene and value. */
uint64_t sow_i_cache_sum_entries(const int32_t *gene, const float *value, sow_index first, sow_index n);
uint64_t sow_i_cache_sum_start(const int64_t *start, sow_index first, sow_index n);
uint64_t sow_i_cache_sum_names(const char *names, sow_index n);
uint64_t sow_i_cache_sum_header(const sow_i_cache_header *h);

/** Map the file behind `fd`; with `check` its checksum is taken too. *whole is 0 (and nothing is mapped) when it is torn, altered or of another kind: `why`
 *  says what is wrong with it. Fails only for reasons that making it again would not cure. */
SOW_MUST_CHECK sow_status sow_i_cache_map(sow_cell_matrix *out, int *whole, const char **why, int fd, int check, const char *path, const char *key,
                                          const sow_env *env, sow_error *err);

/* ---- cell_memory.c ---- */

/** The matrix read into memory of its own: 8 bytes a value. */
SOW_MUST_CHECK sow_status sow_i_cell_matrix_load(sow_cell_matrix *out, const sow_cell_file_options *options, const sow_env *env, sow_error *err);

/* ---- cell_cache_write.c ---- */

/** A new file beside `path` that nobody else writes to and that no sweep takes while it is open: rename it or unlink it. Caller closes *fd, frees *name. */
SOW_MUST_CHECK sow_status sow_i_cache_beside(int *fd, char **name, const char *path, sow_error *err);
/** What a cache will be called, which may become known only while it is written. */
typedef struct {
    void *user;
    int (*unneeded)(void *user); /* asked after each block: 1 when there is such a cache already */
    /* Waits for it. *path and *key are borrowed, *path has the folder. */
    sow_status (*wait)(void *user, const char **path, const char **key, sow_error *err);
} sow_i_cache_name;
/** Stream the file into a new cache of `folder`, beside its place first. *fd is the finished cache, which the caller closes, or -1 when it turned out to be unneeded.
 *  Leaves nothing behind on failure. */
SOW_MUST_CHECK sow_status sow_i_cache_write(int *fd, const char *folder, const sow_i_cache_name *name, sow_cell_file *file, const sow_env *env,
                                            sow_error *err);
/** Remove what dead processes left half-written in the folder. */
void sow_i_cache_sweep(const char *folder);

/* ---- cell_cache_sum.c ---- */

/** What tells one state of a file from another. */
typedef struct {
    int64_t size, device, inode;
    int64_t modified_s, modified_ns, changed_s, changed_ns;
} sow_i_file_state;
SOW_MUST_CHECK sow_status sow_i_file_state_of(sow_i_file_state *out, const char *path, sow_error *err);
int sow_i_file_state_same(const sow_i_file_state *a, const sow_i_file_state *b);

/** SHA-256 of a cell source: of a file its own, of a MatrixMarket folder that of the names and digests of its .mtx and .tsv files (gzipped or not). Remembered in
 *  `folder`. `state` (of a folder: sizes and times of its files folded together) is what the digest stands for. */
typedef struct {
    char digest[65]; /* "" = not known */
    sow_i_file_state state;
} sow_i_source_digest;
typedef enum {
    SOW_I_STATE_ONLY, /* leave the digest "" */
    SOW_I_RECALL,     /* only what is remembered */
    SOW_I_COMPUTE     /* read the files where nothing is remembered; SOW_E_CANCELLED when *stop becomes 1 (NULL = never) */
} sow_i_digest_effort;
SOW_MUST_CHECK sow_status sow_i_cell_source_digest(sow_i_source_digest *out, sow_i_digest_effort effort, const char *path, const char *folder,
                                                   const atomic_int *stop, const sow_env *env, sow_error *err);

#endif
