#include <stdlib.h>

#include "cli/cli.h"

int cmd_run(const cli_args *args, const sow_env *env)
{
    sow_error err = {0};
    sow_campaign *campaign = NULL;
    int code = EXIT_DONE;
    sow_config *config = cli_open(&campaign, args, SOW_CAMPAIGN_WRITE, env, &code);
    if (!config) return code;
    if (sow_campaign_next_step(campaign) == SOW_NEXT_NOTHING) code = EXIT_WAITING;
    sow_status st = sow_campaign_run(campaign, env, &err);
    if (st == SOW_OK && sow_campaign_next_step(campaign) == SOW_NEXT_MEASURE) code = EXIT_WAITING;
    char *ended = sow_campaign_why_ended(campaign); /* before the rounds that the file asks for: that is news */
    if (st == SOW_OK) st = cli_say_outcome(campaign, args, code != EXIT_DONE || ended, &err);
    free(ended);
    return cli_close(config, campaign, st, &err, code);
}
