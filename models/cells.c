#include "models/cells.h"

void sow_shift_controls(float *out, const float *control, sow_index m, sow_index d, const double *shift)
{
    for (sow_index i = 0; i < m; i++)
        for (sow_index j = 0; j < d; j++) out[i * d + j] = (float)((double)control[i * d + j] + shift[j]);
}
