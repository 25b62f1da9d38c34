/* One view of what has named rows and columns: a text table, or the obs of an .h5ad. Not installed. */
#ifndef SOWER_IO_FRAME_INTERNAL_H
#define SOWER_IO_FRAME_INTERNAL_H

#include "io/h5ad.h"
#include "io/table.h"

enum { SOW_I_INDEX = -2 }; /* column position of the row names of an .h5ad ("index" or "_index") */

typedef struct {
    const char *path; /* borrowed */
    sow_table *table; /* one of these two */
    sow_h5ad *h5ad;
    sow_index n_rows, n_columns;
} sow_i_frame;

typedef struct {
    char text[400];
} sow_i_place;

/** `.h5ad`, `.h5` and anything that begins as HDF5 does is read as AnnData (X only when load_x), the rest as a text table. */
SOW_MUST_CHECK sow_status sow_i_frame_open(sow_i_frame *frame, const char *path, int load_x, sow_error *err);
/** The same without X, and of an .h5ad only these columns [n] (NULL = all): the others are known by name, their cells must not be asked for. Of millions of
 *  cells with twenty columns of text two or three matter. */
SOW_MUST_CHECK sow_status sow_i_frame_open_columns(sow_i_frame *frame, const char *path, const char *const *wanted, sow_index n, sow_error *err);
/** h5ad.c: as sow_h5ad_read, and only those columns of obs. */
SOW_MUST_CHECK sow_status sow_i_h5ad_read_columns(sow_h5ad **out, const char *path, int load_x, const char *const *wanted, sow_index n_wanted,
                                                  sow_error *err);
void sow_i_frame_close(sow_i_frame *frame); /* a zeroed frame is fine */

const char *sow_i_frame_column_name(const sow_i_frame *f, sow_index column);
/** Position, SOW_I_INDEX, or -1. */
sow_index sow_i_frame_find(const sow_i_frame *f, const char *name);
/** As find; SOW_E_DATA with what the column is for, the nearest spelling and all columns. */
SOW_MUST_CHECK sow_status sow_i_frame_column(sow_index *out, const sow_i_frame *f, const char *name, const char *purpose, sow_error *err);

/** Text of a cell, "" when missing; numbers are spelt "%.15g" into `buffer`. Borrowed. */
const char *sow_i_frame_text(const sow_i_frame *f, sow_index row, sow_index column, char buffer[40]);
/** Number in a cell; NaN when missing; text that is no number is SOW_E_DATA with its place. */
SOW_MUST_CHECK sow_status sow_i_frame_number(double *out, const sow_i_frame *f, sow_index row, sow_index column, sow_error *err);
/** 1 when the column has a number and no other text; *missing (may be NULL) counts its empty cells. */
int sow_i_frame_is_numeric(const sow_i_frame *f, sow_index column, sow_index *missing);
/** "path:line", or "path: row 'name'". */
sow_i_place sow_i_frame_place(const sow_i_frame *f, sow_index row);

#endif
