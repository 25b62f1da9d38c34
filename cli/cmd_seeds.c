#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "planner/seeds.h"

static void say_list(const json_t *said)
{
    const json_t *rows = json_object_get(said, "seeds");
    printf("%s\n%s\n\n", cli_json_text(said, "headline"), cli_json_text(said, "expected"));
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        printf("%4lld  %-24s %s\n", cli_json_integer(row, "rank"), cli_json_text(row, "perturbation"), cli_json_text(row, "reason"));
    }
}

/* One line a strategy and number of seeds, in the metric that leads. */
static void say_accuracy(const json_t *said)
{
    const json_t *rows = json_object_get(said, "accuracy");
    const char *metric = json_string_value(json_array_get(json_object_get(said, "leading"), 0));
    if (json_array_size(rows) == 0 || !metric) return;
    printf("\n%s where references were played as if they were new (95 %% over references)\n%-20s %6s %9s %20s %8s\n", metric, "strategy", "seeds", "mean", "interval", "replays");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        char interval[48] = "";
        if (strcmp(cli_json_text(row, "metric"), metric) != 0) continue;
        if (json_is_number(json_object_get(row, "low"))) snprintf(interval, sizeof interval, "%.3f to %.3f", cli_json_number(row, "low"), cli_json_number(row, "high"));
        printf("%-20s %6lld %9.3f %20s %8lld\n", cli_json_text(row, "strategy"), cli_json_integer(row, "seeds"), cli_json_number(row, "mean"), interval, cli_json_integer(row, "replays"));
    }
}

static void say_files(const json_t *said)
{
    const char *dir = cli_json_text(said, "dir");
    printf("\n%s/seeds.csv\n", dir);
    printf("%s/seeds_accuracy.csv\n%s/seeds.html\n", dir, dir);
}

int cmd_seeds(const cli_args *args, const sow_env *env)
{
    sow_error err = {0};
    char *json = NULL;
    int code = EXIT_DONE;
    sow_config *config = cli_read_config(args, &code);
    if (!config) return code;
    sow_seeds_options options = SOW_SEEDS_OPTIONS_INIT;
    if (args->n) options.n = args->n;
    if (args->draws) options.draws = args->draws;
    options.strategies = args->strategy;
    options.dir = args->out;
    options.cache = cli_cache_folder(args);
    if (sow_choose_seeds(&json, config, &options, env, &err) != SOW_OK) {
        code = cli_fail_unwritten(&err);
    } else if (args->json) {
        puts(json);
    } else {
        json_t *said = json_loads(json, 0, NULL);
        say_list(said);
        say_accuracy(said);
        say_files(said);
        json_decref(said);
    }
    free(json);
    sow_config_destroy(config);
    return code;
}
