/* Models on cells: a predicted mean shift as cells. */
#ifndef SOWER_MODELS_CELLS_H
#define SOWER_MODELS_CELLS_H

#include "models/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Cells of one predicted perturbation: every control of `control` [m, d] moved by `shift` [d], into out [m, d]. Values that would fall below 0 stay: a mean is
 *  kept exactly (out's mean = control's mean + shift). */
void sow_shift_controls(float *out, const float *control, sow_index m, sow_index d, const double *shift);

#ifdef __cplusplus
}
#endif
#endif
