#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "core/memory.h"
#include "io/file.h"
#include "io/inspect.h"

static int write_out(const cli_args *args, const char *text, sow_error *err)
{
    const char *file = args->out ? args->out : "campaign.yaml";
    if (strcmp(file, "-") == 0) return fputs(text, stdout) < 0 ? EXIT_FAILED : EXIT_DONE;
    if (sow_file_exists(file) && !args->force) {
        fprintf(stderr, "error: %s exists; give another name with -o, or --force to overwrite it\n", file);
        return EXIT_WRONG_INPUT;
    }
    if (sow_file_write_atomic(file, text, strlen(text), err) != SOW_OK) return cli_fail(err);
    printf("%s\n", file);
    if (!args->quiet) fprintf(stderr, "next: read and edit it, then: sower check %s\n", file);
    return EXIT_DONE;
}

/* A campaign's paths are read from its folder: written elsewhere, it names its data in full. */
static sow_status path_for(char **out, const char *file, const char *campaign, sow_error *err)
{
    const int beside = !campaign || !strchr(campaign, '/');
    *out = beside ? sow_strdup(file) : realpath(file, NULL);
    return *out ? SOW_OK : SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
}

/* A campaign needs a screen: one row a perturbation, with a readout; or single cells, with controls. */
static sow_status guess_from(sow_config_guess *guess, sow_inspection **found, const char *file, sow_error *err)
{
    sow_status st = sow_inspect_file(found, file, err);
    if (st != SOW_OK) return st;
    sow_inspection_guess(guess, *found);
    if (!guess->readout_kind || !guess->perturbation_column)
        return SOW_ERROR(err, SOW_E_DATA, "%s: no campaign can be made from this file: %s", file,
                         guess->readout_kind ? "no column looks like perturbations (sower inspect shows them)" : (*found)->summary);
    return SOW_OK;
}

int cmd_init(const cli_args *args, const sow_env *env)
{
    sow_error err = {0};
    sow_inspection *found = NULL;
    sow_config_guess guess = {0};
    char *text = NULL, *file = NULL;
    (void)env;
    sow_status st = SOW_OK;
    if (args->n_positional > 0 && !sow_file_exists(args->positional[0]))
        st = SOW_ERROR(&err, SOW_E_DATA, "%s: no such file", args->positional[0]);
    else if (args->n_positional > 0)
        st = path_for(&file, args->positional[0], args->out, &err);
    if (st == SOW_OK && file) st = guess_from(&guess, &found, file, &err);
    if (st == SOW_OK) st = sow_config_template(&text, args->n_positional > 0 ? &guess : NULL, &err);
    int code = st == SOW_OK ? write_out(args, text, &err) : cli_fail(&err);
    free(text);
    free(file);
    sow_inspection_destroy(found);
    return code;
}
