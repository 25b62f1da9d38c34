/* Between calibrate*.c. */
#ifndef SOWER_PLANNER_CALIBRATE_INTERNAL_H
#define SOWER_PLANNER_CALIBRATE_INTERNAL_H

#include <jansson.h>

#include "core/calibration.h"
#include "core/cells.h"
#include "core/screen.h"
#include "simulator/cell_world.h"

/** The world that a calibration describes, but for its seed; options as an `oracle:` block says them too. */
sow_cell_world_options sow_i_calibrated_world(const sow_calibration *c);

/** Rows of the check: an array of objects as sow_calibrated's table has columns; and what its page draws: [{quantity: dispersion | zeros | replicates, rows: [[x, real, simulated, low, high]],
 *  points: [[x, real, gene]]}]. `n_screens` worlds of seeds 1, 2, ... are measured as the real cells are. Caller releases both. */
SOW_MUST_CHECK sow_status sow_i_calibration_check(json_t **rows, json_t **curves, const sow_calibration *c, const sow_cells *cells, const sow_screen *screen, sow_index context, sow_index n_screens, const sow_env *env,
                                                  sow_error *err);

/* calibrate_curves.c */
/** Of the controls' counts: mean, dispersion, share of zeros. Borrowed. */
typedef struct {
    sow_index n_genes, n_screens;
    const sow_names *genes;
    double *const *real, *const *made; /* [3] of [n_genes]; of [n_screens, n_genes] */
} sow_i_gene_facts;
SOW_MUST_CHECK sow_status sow_i_calibration_gene_curves(json_t *curves, const sow_i_gene_facts *f, sow_error *err);
enum { SOW_I_REPLICATE_QUANTILES = 11 };
/** Quantiles over perturbations, 0 to 1, of the correlation between replicates; the simulated ones `stride` numbers from each other. NaN: not known. */
SOW_MUST_CHECK sow_status sow_i_calibration_replicate_curve(json_t *curves, const double *real, const double *made, sow_index stride, sow_index n_screens, sow_error *err);
/** Where simulated screens are like the real one and where not, in words; caller frees, NULL = out of memory. Alike: the real value is in their range, or off by at most .1 (correlations), .02 (shares of zeros), a tenth. */
char *sow_i_calibration_words(const json_t *rows);

#endif
