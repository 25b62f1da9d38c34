/* Archives as HDF5 files: model.h5. */
#ifndef SOWER_IO_ARCHIVE_FILE_H
#define SOWER_IO_ARCHIVE_FILE_H

#include "core/archive.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Write beside, flush, rename. Root attributes: `sower` = kind ("morph"), `version` (of that kind's layout), `sha256` over names, sizes and contents. Plain contiguous datasets,
 *  groups from the '/' of names; the same archive gives the same bytes (no times). SOW_E_IO. */
SOW_MUST_CHECK sow_status sow_archive_write(const char *path, const char *kind, int version, const sow_archive *a, sow_error *err);
/** Read whole. SOW_E_IO: not there; SOW_E_DATA: damaged (also: the sum does not match), another kind, or another version ("PATH: a morph model of version 3; this program reads 1:
 *  delete it, and it is made again"). On failure *a is empty. */
SOW_MUST_CHECK sow_status sow_archive_read(sow_archive *a, const char *path, const char *kind, int version, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
