#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"

int cmd_predict(const cli_args *args, const sow_env *env)
{
    sow_error err = {0};
    sow_campaign *campaign = NULL;
    char *file = NULL;
    int code = EXIT_DONE;
    sow_config *config = cli_open(&campaign, args, SOW_CAMPAIGN_READ, env, &code);
    if (!config) return code;
    const sow_prediction_options options = {args->to, args->cells};
    const sow_status st = sow_campaign_predict(&file, campaign, &options, env, &err);
    if (st == SOW_OK && !args->json) puts(file);
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
