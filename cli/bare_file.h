/* A file of cells without a campaign, as `preprocess` and `calibrate` take it. */
#ifndef SOWER_CLI_BARE_FILE_H
#define SOWER_CLI_BARE_FILE_H

#include "cli/cli.h"
#include "io/inspect.h"

typedef struct {
    const char *path;       /* borrowed */
    sow_inspection *found;
    sow_config_guess guess; /* with what the command line says in its place; borrows from `found` */
    int labelled;           /* cells have perturbations and controls */
    sow_config *config;     /* its only source is the file */
    char *problems;         /* of the settings, when they have several; NULL = the error has all */
} cli_bare_file;

/** Look into it. `command` is named in messages. SOW_E_DATA: no file, none of cells, counts or log1p cannot be told. Clear on failure too. */
SOW_MUST_CHECK sow_status cli_bare_file_look(cli_bare_file *f, const cli_args *args, const char *path, const char *command, sow_error *err);
/** Labels as guessed or as --perturbation, --control and --batch say, then --set: the configuration. `context_column` replaces the guess, `only_context` leaves other contexts out; both may be NULL. */
SOW_MUST_CHECK sow_status cli_bare_file_configure(cli_bare_file *f, const cli_args *args, const char *context_column, const char *only_context, sow_error *err);
void cli_bare_file_clear(cli_bare_file *f);
/** Folder of its cache, NULL where it is small enough to be held: a file that is read once needs none then. */
SOW_MUST_CHECK sow_status cli_bare_file_cache(const char **out, const cli_args *args, const sow_source *source, const sow_env *env, sow_error *err);

#endif
