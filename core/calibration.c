#include "core/calibration.h"

void sow_calibration_clear(sow_calibration *c)
{
    sow_baseline_clear(&c->genes);
    *c = (sow_calibration){0};
}
