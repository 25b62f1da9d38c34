/* Writing single-cell AnnData files block by block: X as CSR (float32 values, int32 indices), obs and var columns as in io/h5ad.h. The matrix never has to
 * be in memory; what is held is some chunks of it. The file opens in anndata 0.8 and later. */
#ifndef SOWER_IO_H5AD_CELLS_H
#define SOWER_IO_H5AD_CELLS_H

#include "core/names.h"
#include "core/status.h"
#include "core/threads.h"
#include "io/h5ad.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sow_h5ad_writer sow_h5ad_writer;

/** Begin beside `path` (PATH.tmp-PID; nothing appears under `path` before finish). `genes` are the columns; `var` [n_var] (NULL for none) their columns, each with
 *  one entry a gene. `gzip` 0 writes chunks as they are (fast), 1-9 deflates them. Everything is copied or written at once. Caller owns; finish or abandon.
 *  SOW_E_IO: cannot be written there. */
SOW_MUST_CHECK sow_status sow_h5ad_writer_create(sow_h5ad_writer **out, const char *path, const sow_names *genes, const sow_h5ad_column *var, sow_index n_var, int gzip,
                                                 sow_error *err);
/** The next `n` cells: start [n + 1] from any base, gene and value are indexed by it (gene[start[0]] is the first). Indices ascend within a cell; zeros left out.
 *  SOW_E_IO when the disk refuses. */
SOW_MUST_CHECK sow_status sow_h5ad_writer_append(sow_h5ad_writer *w, sow_index n, const int64_t *start, const int32_t *gene, const float *value, sow_error *err);
/** Deflate on these from now on (borrowed; NULL, as it begins: on the caller's thread). The same bytes for any number. */
void sow_h5ad_writer_use(sow_h5ad_writer *w, sow_threads *threads);
/** Cells so far. */
sow_index sow_h5ad_writer_n_cells(const sow_h5ad_writer *w);
/** Write obs (names and `n_columns` columns, one entry a cell appended), flush, rename to `path`. Destroys the writer whether it succeeds or not; a failure leaves
 *  `path` as it was and no temporary. */
SOW_MUST_CHECK sow_status sow_h5ad_writer_finish(sow_h5ad_writer *w, char *const *obs_names, const sow_h5ad_column *obs, sow_index n_columns, sow_error *err);
/** Give up: removes the temporary file. NULL is fine. */
void sow_h5ad_writer_abandon(sow_h5ad_writer *w);

/* ---- dense matrices ---- */

/** A dense X and layers of the same size, float32, chunked by rows and deflated; what is held is what is put at a time. */
typedef struct sow_h5ad_table sow_h5ad_table;

/** Begin beside `path`, as above, with `n_rows` rows of the columns `names`, and layers of these names. Rows of X never put are 0, those of layers NaN. Caller owns; finish or abandon. */
SOW_MUST_CHECK sow_status sow_h5ad_table_create(sow_h5ad_table **out, const char *path, sow_index n_rows, const sow_names *names, const char *const *layers, sow_index n_layers, sow_error *err);
/** Rows first .. first + n of a layer, or of X (layer -1). SOW_E_IO when the disk refuses. Chunks that lie wholly within are deflated on `threads` (may be NULL): blocks that begin and end at multiples of
 *  sow_h5ad_table_step are written fastest. */
SOW_MUST_CHECK sow_status sow_h5ad_table_put(sow_h5ad_table *t, sow_index layer, sow_index first, sow_index n, const float *rows, sow_threads *threads, sow_error *err);
/** Rows that were put, back again. */
SOW_MUST_CHECK sow_status sow_h5ad_table_get(sow_h5ad_table *t, sow_index layer, sow_index first, sow_index n, float *rows, sow_threads *threads, sow_error *err);
/** Rows of a chunk. */
sow_index sow_h5ad_table_step(const sow_h5ad_table *t);
/** Write obs and, under uns[`section`], `n_notes` pairs of name and text (notes [2 n_notes]), flush, rename to `path`. Destroys the table whether it succeeds or not. */
SOW_MUST_CHECK sow_status sow_h5ad_table_finish(sow_h5ad_table *t, char *const *obs_names, const sow_h5ad_column *obs, sow_index n_columns, const char *section, const char *const *notes, sow_index n_notes,
                                                sow_error *err);
void sow_h5ad_table_abandon(sow_h5ad_table *t);

#ifdef __cplusplus
}
#endif
#endif
