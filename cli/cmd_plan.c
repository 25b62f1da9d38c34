#include "cli/cli.h"

int cmd_plan(const cli_args *args, const sow_env *env)
{
    sow_error err = {0};
    sow_campaign *campaign = NULL;
    int code = EXIT_DONE;
    sow_config *config = cli_open(&campaign, args, SOW_CAMPAIGN_WRITE, env, &code);
    if (!config) return code;
    sow_status st = SOW_OK;
    int planned = 0;
    if (sow_campaign_next_step(campaign) != SOW_NEXT_PLAN) code = EXIT_WAITING;
    else planned = (st = sow_campaign_plan(campaign, env, &err)) == SOW_OK;
    if (st == SOW_OK) st = sow_campaign_report(campaign, env, &err); /* also when waiting: a kill may have come before it */
    if (st == SOW_OK && planned && !args->json) st = cli_print_planned(campaign, &err);
    if (st == SOW_OK) st = cli_say_outcome(campaign, args, 1, &err);
    return cli_close(config, campaign, st, &err, code);
}
