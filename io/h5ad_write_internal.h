/* Shared by h5ad_write.c and h5ad_table.c: an AnnData file in the making, and its parts. Not installed. */
#ifndef SOWER_IO_H5AD_WRITE_INTERNAL_H
#define SOWER_IO_H5AD_WRITE_INTERNAL_H

#include "core/names.h"
#include "core/threads.h"
#include "io/h5ad.h"
#include "io/hdf5_internal.h"

/* Every HDF5 call of a writer fails for the same reasons (disk full, permission), so the first failure is kept and the rest skipped. */
typedef struct {
    hid_t file, text, boolean, plain; /* vlen UTF-8, h5py's enum, dataset creation without times */
    int failed;
} sow_i_h5ad_file;

void sow_i_anndata_note(sow_i_h5ad_file *w, herr_t result);
void sow_i_anndata_encoding(sow_i_h5ad_file *w, hid_t object, const char *type, const char *version);
hid_t sow_i_anndata_group(sow_i_h5ad_file *w, hid_t parent, const char *name, const char *type, const char *version);
void sow_i_anndata_close_group(sow_i_h5ad_file *w, hid_t g);
SOW_MUST_CHECK sow_status sow_i_anndata_write_frame(sow_i_h5ad_file *w, const char *name, char *const *index, sow_index n, const sow_h5ad_column *columns, sow_index n_columns, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_anndata_write_var(sow_i_h5ad_file *w, const sow_names *genes, const sow_h5ad_column *var, sow_index n_var, sow_error *err);
void sow_i_anndata_write_empty_groups(sow_i_h5ad_file *w);
/** Rows of a chunk of a dense matrix: about half a megabyte of single precision. */
sow_index sow_i_anndata_chunk_rows(sow_index rows, sow_index cols);
/** A dense matrix of such chunks, shuffled and deflated; entries never written read as `fill`. */
hid_t sow_i_anndata_dense(sow_i_h5ad_file *w, hid_t parent, const char *name, hid_t type, sow_index rows, sow_index cols, unsigned gzip, float fill);
/** A chunk as it lies in the file. */
typedef struct {
    unsigned char *bytes;
    size_t size;
    unsigned skips; /* filters of the pipeline that it did not go through, as bits: 0 shuffles, 1 deflates */
} sow_i_packed_chunk;
enum { SOW_I_CHUNKS_AT_ONCE = 16 /* held deflated */, SOW_I_SKIPS_DEFLATE = 1 << 1 };
/** n_chunks whole chunks of `entries` 4-byte numbers, deflated on `threads` (may be NULL): into rows (or entries) first, first + step, ..., multiples of a chunk's, of a dataset that is shuffled and deflated. Only
 *  where sow_i_anndata_packs: numbers lie in memory as in the file. */
SOW_MUST_CHECK sow_status sow_i_anndata_put_chunks(sow_i_h5ad_file *w, hid_t d, sow_index first, sow_index step, sow_index n_chunks, sow_index entries, const void *numbers, int level, sow_threads *threads,
                                                   sow_error *err);
int sow_i_anndata_packs(void);
/** The file as a whole: made beside, then renamed. `why` says what the system has against writing it. */
SOW_MUST_CHECK sow_status sow_i_anndata_begin(sow_i_h5ad_file *w, const char *path, const char *beside, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_anndata_commit(sow_i_h5ad_file *w, const char *path, const char *beside, sow_error *err);
void sow_i_anndata_let_go(sow_i_h5ad_file *w);
const char *sow_i_anndata_why(const char *path);

#endif
