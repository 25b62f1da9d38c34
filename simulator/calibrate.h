/* What a screen is like, from its own cells: the start of a world in its likeness (simulator/cell_world.h). docs/simulate-screens.md says how each number is estimated and where that falls short. */
#ifndef SOWER_SIMULATOR_CALIBRATE_H
#define SOWER_SIMULATOR_CALIBRATE_H

#include "core/calibration.h"
#include "core/cells.h"
#include "core/screen.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Of one context. `cells` hold counts and are indexed. Groups of cells that were made together are technical batches, or replicates where no batch is named.
 *  SOW_E_DATA: no controls (named), fewer than 20, values that are no counts. Perturbations with fewer than 10 cells say nothing about effects; with none left the calibration has none.
 *  Caller clears. Cost: two passes over the context's cells; memory 2 (groups + 1) x genes numbers. */
SOW_MUST_CHECK sow_status sow_calibrate(sow_calibration *out, const sow_cells *cells, const sow_screen *screen, sow_index context, sow_error *err);
/** The group of a cell, and how many there are: as above. */
sow_index sow_calibrate_group(const sow_cells *cells, sow_index cell);
sow_index sow_calibrate_groups(const sow_cells *cells);

#ifdef __cplusplus
}
#endif
#endif
