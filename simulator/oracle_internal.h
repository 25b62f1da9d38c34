/* Shared by the oracles of this folder. */
#ifndef SOWER_SIMULATOR_ORACLE_INTERNAL_H
#define SOWER_SIMULATOR_ORACLE_INTERNAL_H

#include "simulator/oracle.h"

extern const sow_oracle_class sow_i_oracle_replay, sow_i_oracle_generative, sow_i_oracle_lab;
extern const sow_oracle_class sow_i_oracle_replay_cells; /* what replay creates when it is given cells; no row of its own */

/** One empty SOW_PENDING measurement per request, NaN values, arrays sized by `screen` (NULL: no values). SOW_E_ARG when a request
 * names a perturbation or context that the screen does not have. On failure `out` is empty. */
SOW_MUST_CHECK sow_status sow_i_measurements_init(sow_measurements *out, const sow_request *requests, sow_index n,
                                                  const sow_screen *screen, sow_error *err);
/** Copies row `row` of the screen into the measurement, all but the outcome. */
void sow_i_measurement_from_row(sow_measurement *m, const sow_screen *screen, sow_index row);

#endif
