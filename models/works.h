/* What helpers can do for a training (core/team.h): one table, a row a work. */
#ifndef SOWER_MODELS_WORKS_H
#define SOWER_MODELS_WORKS_H

#include "core/team.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The table; `*n` rows. */
const sow_work *const *sow_model_works(sow_index *n);

#ifdef __cplusplus
}
#endif
#endif
