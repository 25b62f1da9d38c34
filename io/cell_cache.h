/* The cache of a cell file: its matrix as CSR in one file that is mapped into memory. Named by the SHA-256 of the data and the settings that shape it, so that it is
 * never stale; written beside and renamed, so that readers see it whole or not at all; checked whole when opened, so that a torn or altered one is made again. */
#ifndef SOWER_IO_CELL_CACHE_H
#define SOWER_IO_CELL_CACHE_H

#include "core/cells.h"
#include "io/cell_file.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The matrix of a file, from its cache or, when there is none, through it. `folder` is created when absent. `digest` (65 bytes, may be NULL) receives the SHA-256 of
 *  the source (of every file of an MTX folder). Any number of processes may do this at once. Peak anonymous memory: options->memory plus names; the matrix itself is page cache.
 *  SOW_E_IO: the folder cannot be written (says how to choose another); what sow_cell_file says of bad files. */
SOW_MUST_CHECK sow_status sow_cell_matrix_open(sow_cell_matrix *out, char digest[65], const sow_cell_file_options *options, const char *folder,
                                               const sow_env *env, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
