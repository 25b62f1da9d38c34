#include <stdio.h>

#include "cli/cli.h"

int cmd_report(const cli_args *args, const sow_env *env)
{
    sow_error err = {0};
    sow_campaign *campaign = NULL;
    int code = EXIT_DONE;
    sow_config *config = cli_open(&campaign, args, SOW_CAMPAIGN_READ, env, &code);
    if (!config) return code;
    sow_status st = sow_campaign_report(campaign, env, &err);
    if (st == SOW_OK) printf("%s/report.html\n", sow_campaign_dir(campaign));
    return cli_close(config, campaign, st, &err, code);
}
