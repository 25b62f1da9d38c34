/* Calibrations as files: JSON with everything, or a measured baseline's table, which has genes alone. */
#ifndef SOWER_IO_CALIBRATION_H
#define SOWER_IO_CALIBRATION_H

#include "core/calibration.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A .json written below, or a table as io/baseline.h reads it (libraries, batches and effects stay unknown). Caller clears. SOW_E_IO cannot open; SOW_E_DATA says what is wrong with it: not of this
 *  kind, a field that is missing or out of range (named), a gene twice, lists that differ in length. */
SOW_MUST_CHECK sow_status sow_calibration_read(sow_calibration *out, const char *path, sow_error *err);
/** As JSON, atomically. The same calibration gives the same bytes. */
SOW_MUST_CHECK sow_status sow_calibration_write(const char *path, const sow_calibration *c, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
