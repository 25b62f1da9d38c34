/* A simulated screen as files, as if it were finished: what a campaign with `oracle: {kind: generative}` and `readout: {kind: cells}` would be played against. */
#ifndef SOWER_PLANNER_GENERATE_H
#define SOWER_PLANNER_GENERATE_H

#include "core/env.h"
#include "core/status.h"
#include "io/config.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Writes `file` (ends in .h5ad; NULL = NAME.screen.h5ad in this folder): counts, CSR, and obs columns perturbation ("control"), context, batch, and guide where there are guides; and what is true beside it: FILE.truth.h5ad (log fold
 *  changes; obs perturbation, context, cells, module, growth; with combinations interaction, first, second, lead, strength, deviation), FILE.programs.h5ad (programs) and, with guides, FILE.guides.csv (guide,perturbation,efficiency), FILE without .h5ad. *said: their names,
 *  a line each; caller frees. Counts are drawn and written block by block; memory is some 20 bytes x 4,096 x genes and the truth. SOW_E_CONFIG: not a simulated screen of cells, or a file of
 *  another kind. */
SOW_MUST_CHECK sow_status sow_generate(char **said, const sow_config *config, const char *file, const sow_env *env, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
