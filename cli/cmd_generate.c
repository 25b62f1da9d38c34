#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "planner/generate.h"

int cmd_generate(const cli_args *args, const sow_env *env)
{
    sow_error err = {0};
    char *said = NULL;
    int code = EXIT_DONE;
    sow_config *config = cli_read_config(args, &code);
    if (!config) return code;
    const sow_status st = sow_generate(&said, config, args->to, env, &err);
    if (st == SOW_OK && args->json) {
        json_t *files = json_array();
        for (char *line = strtok(said, "\n"); line; line = strtok(NULL, "\n"))
            json_array_append_new(files, json_string(line));
        json_t *doc = json_pack("{s:o}", "files", files);
        json_dumpf(doc, stdout, JSON_SORT_KEYS);
        putchar('\n');
        json_decref(doc);
    } else if (st == SOW_OK) {
        fputs(said, stdout);
    } else {
        code = cli_fail_unwritten(&err);
    }
    free(said);
    sow_config_destroy(config);
    return code;
}
