#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

/* Of a map three files, a line each. */
static void say_files(const char *file, int all)
{
    const int stem = (int)(strlen(file) - strlen(".h5ad"));
    puts(file);
    if (all) printf("%.*s.csv\n%.*s.html\n", stem, file, stem, file);
}

int cmd_predict(const cli_args *args, const sow_env *env)
{
    sow_error err = {0};
    sow_campaign *campaign = NULL;
    char *file = NULL;
    int code = EXIT_DONE;
    sow_config *config = cli_open(&campaign, args, SOW_CAMPAIGN_READ, env, &code);
    if (!config) return code;
    const sow_prediction_options options = {args->to, args->cells, args->all};
    const sow_status st = sow_campaign_predict(&file, campaign, &options, env, &err);
    if (st == SOW_OK && !args->json) say_files(file, args->all);
    if (st == SOW_OK && args->json) {
        json_t *said = json_pack("{s:s}", "file", file);
        json_dumpf(said, stdout, JSON_SORT_KEYS);
        putchar('\n');
        json_decref(said);
    }
    free(file);
    code = cli_close(config, campaign, st, &err, code);
    return st == SOW_E_STATE ? EXIT_WAITING : code; /* nothing is measured yet */
}
