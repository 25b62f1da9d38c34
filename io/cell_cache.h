/* The cache of a cell file: its matrix as CSR in one file that is mapped into memory. Named by the SHA-256 of the data and the settings that shape it, so that it is
 * never stale; written beside and renamed, so that readers see it whole or not at all; checked whole when opened, so that a torn or altered one is made again. */
#ifndef SOWER_IO_CELL_CACHE_H
#define SOWER_IO_CELL_CACHE_H

#include "core/cells.h"
#include "io/cell_file.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The matrix of a file, from its cache or, when there is none, through it. `folder` is created when absent; NULL = no cache: the matrix is read
 *  into memory (8 bytes a value) and `digest` stays "". `digest` (65 bytes, may be NULL) receives the SHA-256 of
 *  the source (of an MTX folder that of the names and digests of its .mtx and .tsv files); it is remembered in `folder` and trusted as long as size, times, device and
 *  inode stay. Any number of processes may do this at once. Peak anonymous memory: options->memory plus names; the matrix itself is page cache. A cache that is torn or
 *  altered is said (SOW_LOG_WARN) and made again; what killed processes left is removed when one is made. Caller clears `out` (sow_cell_matrix_clear).
 *  SOW_E_IO: the folder cannot be written (says how to choose another), no room (nothing is left behind), the source changed while it was read; what sow_cell_file says
 *  of bad files. Cost: the first time reading, hashing and writing once; later the checksum, at several GB/s. Same bytes for any number of threads. */
SOW_MUST_CHECK sow_status sow_cell_matrix_open(sow_cell_matrix *out, char digest[65], const sow_cell_file_options *options, const char *folder,
                                               const sow_env *env, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
