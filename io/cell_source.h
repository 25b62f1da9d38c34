/* The single-cell sources of a campaign read into one table of labelled cells (core/cells.h) and a screen that lists who was measured where. */
#ifndef SOWER_IO_CELL_SOURCE_H
#define SOWER_IO_CELL_SOURCE_H

#include "core/cells.h"
#include "core/screen.h"
#include "io/source.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Read `sources` [n] (.h5ad or MatrixMarket folders; a names_only source may be a table) into a table of cells, indexed, and a screen. Matrices are those of the sources
 *  that are not names_only, in order. The screen's catalogue is sorted by name and it has one row per (perturbation, context), in that order, with cells = weight =
 *  their number; names_only sources give rows with NaN cells and weight 1. What is measured is known when the response space is frozen: until then the screen has one
 *  feature "response", whose values are NaN.
 *  Labels: perturbation.column (control label required), context, guide, replicate and technical_batch columns, from obs or, with an MTX folder, from `labels` of
 *  the source, a table whose first column is the barcode. Cells whose technical batch is not said are in the batch "(none)".
 *  `cache` is the folder for caches, `memory` the bytes for buffers (0 = not said), `digests` [n] (may be NULL) receives each source's SHA-256 (with an MTX folder's its labels').
 *  SOW_E_CONFIG: no perturbation column, no control label, values that are finished responses. SOW_E_DATA: no control cells in a context (names it; a label misspelt gets
 *  the nearest), a column missing, two sources sharing no gene (names both, with examples), a mixture of counts and log1p, an MTX folder without labels, barcodes that
 *  the labels lack, and what sow_cell_file_open says. `dropped` (may be NULL) names cells without a perturbation or label and genes that are not shared.
 *  out is zeroed on failure; caller clears it (sow_cells_clear) and destroys the screen. Cost: one pass over the matrices the first time, their checksums later. */
SOW_MUST_CHECK sow_status sow_cells_read(sow_cells *out, sow_screen **screen, char (*digests)[65], sow_dropped *dropped, const sow_source *sources, sow_index n,
                                         const char *cache, sow_index memory, const sow_env *env, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
