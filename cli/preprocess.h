/* What `sower preprocess` is made of: reading the cells with their labels, and writing them prepared. */
#ifndef SOWER_CLI_PREPROCESS_H
#define SOWER_CLI_PREPROCESS_H

#include "core/prepare.h"
#include "io/config.h"
#include "io/inspect.h"

/** The cells of one file. Everything is owned; clear with cli_cells_clear. */
typedef struct {
    sow_cells cells;
    sow_names *perturbations, *contexts; /* of the labels; empty without */
    int labelled;   /* whether cells have a perturbation; else all count as controls of one context */
    sow_index n_read; /* cells of the file */
} cli_cells;

/** Read the file of the configuration's only source. Names of what was dropped on the way go to `dropped`. */
SOW_MUST_CHECK sow_status cli_cells_read(cli_cells *out, sow_dropped *dropped, const sow_config *config, int labelled, const char *cache, sow_index memory, const sow_env *env,
                                         sow_error *err);
void cli_cells_clear(cli_cells *c);

/** Write every cell of the table, prepared, with the names and the columns of obs that it had. Block by block; `path` appears whole or not at all. */
SOW_MUST_CHECK sow_status cli_cells_write(const char *path, const cli_cells *c, const sow_preparation *p, const sow_source *source, const sow_env *env, sow_error *err);

#endif
