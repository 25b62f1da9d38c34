/* NumPy `.npy` files: one array of numbers. Format: numpy/lib/format.py, versions 1 to 3. */
#ifndef SOWER_IO_NPY_H
#define SOWER_IO_NPY_H

#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Read a 1-D or 2-D array of floats (2, 4, 8 bytes), integers (1 to 8 bytes) or booleans, either byte order, C or Fortran layout, into
 *  x [rows, columns], row-major (1-D: columns = 1). Caller frees. SOW_E_IO cannot open; SOW_E_DATA not a .npy file, another kind of
 *  array (named), fewer bytes than the header promises. */
SOW_MUST_CHECK sow_status sow_npy_read(double **x, sow_index *rows, sow_index *columns, const char *path, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
