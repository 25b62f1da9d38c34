/* What a screen was measured to be like, for worlds made in its likeness: its baseline, its libraries, its technical batches, and how large its effects are. Estimated from a campaign's own cells
 * (simulator/calibrate.h), kept in a file (io/calibration.h), drawn from by simulator/cell_world.h. */
#ifndef SOWER_CORE_CALIBRATION_H
#define SOWER_CORE_CALIBRATION_H

#include "core/baseline.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { SOW_CALIBRATION_LENGTHS = 8, SOW_CALIBRATION_CELLS = 7 };
/* Where the quantile functions below are kept. */
#define SOW_CALIBRATION_LENGTHS_AT {.1, .25, .5, .75, .9, .95, .99, .9995}
#define SOW_CALIBRATION_CELLS_AT {0, .05, .162, .5, .95, .99, 1}

typedef struct {
    sow_baseline genes;      /* shares are of depth_median */
    double depth_median;     /* UMIs of a cell over the genes that shares are of, median of the controls; 0 = not known */
    double depth_log_sd;     /* and the log-sd among them */
    sow_index n_batches;     /* technical batches with enough controls to compare; 0 = not known */
    double batch_effect;     /* log-sd of a gene's share between them, without what counting explains */
    double batch_depth;      /* log-sd of their median UMIs */
    sow_index n_controls, n_perturbations; /* cells, perturbations of the screen; 0 = not known: then there is nothing about effects either */
    double length[SOW_CALIBRATION_LENGTHS]; /* quantiles over perturbations of the length of the mean change of log1p values, without what counting explains; > 0 */
    double cells[SOW_CALIBRATION_CELLS];    /* quantiles of their cells; >= 1 */
} sow_calibration;

void sow_calibration_clear(sow_calibration *c);

#ifdef __cplusplus
}
#endif
#endif
