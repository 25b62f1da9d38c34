/* Between calibrate.c and calibrate_check.c. */
#ifndef SOWER_PLANNER_CALIBRATE_INTERNAL_H
#define SOWER_PLANNER_CALIBRATE_INTERNAL_H

#include <jansson.h>

#include "core/calibration.h"
#include "core/cells.h"
#include "core/screen.h"
#include "simulator/cell_world.h"

/** The world that a calibration describes, but for its seed; options as an `oracle:` block says them too. */
sow_cell_world_options sow_i_calibrated_world(const sow_calibration *c);

/** Rows of the check: an array of objects as sow_calibrated's table has columns. `n_screens` worlds of seeds 1, 2, ... are measured as the real cells are. Caller releases. */
SOW_MUST_CHECK sow_status sow_i_calibration_check(json_t **rows, const sow_calibration *c, const sow_cells *cells, const sow_screen *screen, sow_index context, sow_index n_screens, const sow_env *env,
                                                  sow_error *err);

#endif
