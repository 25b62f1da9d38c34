/* The single-cell sources of a campaign read into one table of labelled cells (core/cells.h) and a screen that lists who was measured where. */
#ifndef SOWER_IO_CELL_SOURCE_H
#define SOWER_IO_CELL_SOURCE_H

#include "core/cells.h"
#include "core/screen.h"
#include "io/source.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Read `sources` [n] (kind cells: .h5ad or MTX folders; a names_only source may be a table) into a table of cells and a screen. The screen's catalogue is sorted by name, its features are
 *  cells->genes, it has one row per (perturbation, context) with cells = weight = their number and NaN values; names_only sources give rows with NaN cells. Labels: perturbation.column (control label required),
 *  context, guide, replicate and technical_batch columns. `cache` is the folder for caches, `digests` [n] (may be NULL) receives each source's SHA-256. With an MTX folder labels come
 *  from `labels` of the source (a table whose first column is the barcode).
 *  SOW_E_DATA: no control cells in a context (names it; a label misspelt gets the nearest), a column missing, two sources sharing no gene (names both, with examples), a
 *  mixture of counts and log1p. `dropped` names cells without a perturbation and sources' genes that are not shared. */
SOW_MUST_CHECK sow_status sow_cells_read(sow_cells *out, sow_screen **screen, char (*digests)[65], sow_dropped *dropped, const sow_source *sources, sow_index n,
                                         const char *cache, sow_index memory, const sow_env *env, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
