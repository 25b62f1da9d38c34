#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "planner/evaluate.h"

/* The files it wrote, a line each. */
static void say_files(const json_t *said)
{
    const char *dir = cli_json_text(said, "dir");
    printf("%s/evaluate.csv\n%s/evaluate_summary.csv\n%s/evaluate.html\n", dir, dir, dir);
}

int cmd_evaluate(const cli_args *args, const sow_env *env)
{
    sow_error err = {0};
    char *json = NULL;
    int code = EXIT_DONE;
    sow_config *config = cli_read_config(args, &code);
    if (!config) return code;
    sow_evaluation_options options = SOW_EVALUATION_OPTIONS_INIT;
    if (args->split) options.splits = args->split;
    if (args->folds) options.folds = args->folds;
    options.models = args->models;
    options.dir = args->out;
    options.cache = cli_cache_folder(args);
    if (sow_evaluate_campaign(&json, config, &options, env, &err) != SOW_OK) {
        code = cli_fail_unwritten(&err);
    } else if (args->json) {
        puts(json);
    } else {
        json_t *said = json_loads(json, 0, NULL);
        say_files(said);
        json_decref(said);
    }
    free(json);
    sow_config_destroy(config);
    return code;
}
