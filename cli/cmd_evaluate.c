#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "planner/evaluate.h"

/* The files it wrote, a line each. */
static void say_files(const json_t *said, int contexts)
{
    const char *dir = cli_json_text(said, "dir"), *stem = contexts ? "contexts" : "evaluate";
    if (contexts) printf("%s\n%s\n", cli_json_text(said, "headline"), cli_json_text(said, "numbers"));
    printf("%s/%s.csv\n%s/%s_summary.csv\n", dir, stem, dir, stem);
    if (json_object_get(said, "unseen")) printf("%s/contexts_unseen.csv\n", dir);
    printf("%s/%s.html\n", dir, stem);
}

/* What belongs to one way of holding out says nothing in the other. */
static int misplaced(const cli_args *args)
{
    const char *option = !args->leave_context ? (args->seeds ? "seeds" : args->draws ? "draws" : args->contexts ? "contexts" : args->unseen ? "unseen" : NULL) : args->split ? "split" : args->folds ? "folds" : NULL;
    if (!option) return 0;
    fprintf(stderr, args->leave_context ? "sower: --%s holds perturbations out, --leave-one-context-out contexts: give one of the two\n" : "sower: --%s goes with --leave-one-context-out\n", option);
    return EXIT_WRONG_INPUT;
}

static sow_status by_contexts(char **json, const sow_config *config, const cli_args *args, const sow_env *env, sow_error *err)
{
    sow_context_options options = SOW_CONTEXT_OPTIONS_INIT;
    if (args->seeds) options.seeds = args->seeds;
    if (args->draws) options.draws = args->draws;
    options.contexts = args->contexts;
    options.unseen = args->unseen;
    options.models = args->models;
    options.dir = args->out;
    options.cache = cli_cache_folder(args);
    return sow_evaluate_contexts(json, config, &options, env, err);
}

static sow_status by_perturbations(char **json, const sow_config *config, const cli_args *args, const sow_env *env, sow_error *err)
{
    sow_evaluation_options options = SOW_EVALUATION_OPTIONS_INIT;
    if (args->split) options.splits = args->split;
    if (args->folds) options.folds = args->folds;
    options.models = args->models;
    options.dir = args->out;
    options.cache = cli_cache_folder(args);
    return sow_evaluate_campaign(json, config, &options, env, err);
}

int cmd_evaluate(const cli_args *args, const sow_env *env)
{
    sow_error err = {0};
    char *json = NULL;
    int code = misplaced(args);
    sow_config *config = code ? NULL : cli_read_config(args, &code);
    if (!config) return code;
    if ((args->leave_context ? by_contexts : by_perturbations)(&json, config, args, env, &err) != SOW_OK) {
        code = cli_fail_unwritten(&err);
    } else if (args->json) {
        puts(json);
    } else {
        json_t *said = json_loads(json, 0, NULL);
        say_files(said, args->leave_context);
        json_decref(said);
    }
    free(json);
    sow_config_destroy(config);
    return code;
}
