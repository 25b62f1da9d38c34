/* What `sower calibrate` is made of. */
#ifndef SOWER_CLI_CALIBRATE_H
#define SOWER_CLI_CALIBRATE_H

#include "cli/cli.h"
#include "planner/calibrate.h"

/** On a file of cells, its columns as guessed or as --perturbation, --control, --batch and --context say. The exit code. */
int cli_calibrate_file(const char *path, const cli_args *args, const sow_calibrate_options *options, const sow_env *env);
/** `source`: what was read, lines of text; NULL = a campaign says it. */
void cli_print_calibrated(const sow_calibrated *made, const char *source, int json);

#endif
