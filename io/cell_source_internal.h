/* The labels of the cells of one source. Not installed. */
#ifndef SOWER_IO_CELL_SOURCE_INTERNAL_H
#define SOWER_IO_CELL_SOURCE_INTERNAL_H

#include "io/source_internal.h"

/** A source's table of labels, opened, its columns found: the obs of an .h5ad, the `labels` of a MatrixMarket folder, or a list of candidates. */
typedef struct {
    const sow_source *spec;
    sow_source table_spec; /* as spec, the file being the table's */
    sow_i_loaded table;
    sow_index guide, batch, replicate; /* columns, -1 = none */
    sow_index n_cells;                 /* of a list of candidates: its rows */
    sow_names *barcodes;               /* folder: [n_cells] the matrix's cells */
    sow_index *row_of;                 /* folder: [n_cells] row of the table, or -1 */
    char *own_context;                 /* for sources without a context column */
} sow_i_cell_labels;

/** Zeroed by close; on failure too the caller closes. */
SOW_MUST_CHECK sow_status sow_i_cell_labels_open(sow_i_cell_labels *out, const sow_source *spec, sow_dropped *dropped, sow_error *err);
void sow_i_cell_labels_close(sow_i_cell_labels *l);
sow_index sow_i_cell_labels_row(const sow_i_cell_labels *l, sow_index cell);
/** What people call the cell; borrowed. `buffer` is for cells of a table. */
const char *sow_i_cell_labels_name(const sow_i_cell_labels *l, sow_index cell, char buffer[40]);

#endif
