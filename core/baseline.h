/* A baseline: how much of each gene unperturbed cells have, and how much they scatter. Measured once and read from a file (io/baseline.h), or estimated from control cells (simulator/power.h). */
#ifndef SOWER_CORE_BASELINE_H
#define SOWER_CORE_BASELINE_H

#include "core/names.h"
#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    sow_index n;
    sow_names *genes;  /* [n] owned */
    double *share;     /* [n] relative expression: the gene's share of a cell's UMIs, > 0 */
    double *size;      /* [n] negative-binomial size (variance mean + mean^2 / size), > 0 */
    double umis;       /* UMIs of a cell, the mean of the cells it was estimated from; NaN = not known */
    double library_cv; /* their coefficient of variation; 0 = not known, or all alike */
    sow_index n_cells; /* it was estimated from; 0 = not known */
} sow_baseline;

/** Room for n genes; zeroed one on failure. */
SOW_MUST_CHECK sow_status sow_baseline_init(sow_baseline *b, sow_index n, sow_error *err);
/** A zeroed one is fine. */
void sow_baseline_clear(sow_baseline *b);

#ifdef __cplusplus
}
#endif
#endif
