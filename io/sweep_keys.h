/* The rows of the sweep file, for its reader. */
#ifndef SOWER_IO_SWEEP_KEYS_H
#define SOWER_IO_SWEEP_KEYS_H

#include "io/config_keys.h"
#include "io/sweep_config.h"

const sow_i_schema *sow_i_sweep_schema(void);

#endif
