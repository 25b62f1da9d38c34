#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"

int cmd_record(const cli_args *args, const sow_env *env)
{
    sow_error err = {0};
    sow_campaign *campaign = NULL;
    sow_record_summary done = {0};
    int code = EXIT_DONE;
    cli_args with_results = *args;
    with_results.takes_results = 1;
    args = &with_results;
    const char *results = cli_results_file(args);
    if (!results) {
        fprintf(stderr, "sower record: which results? usage: sower record [CAMPAIGN.yaml] RESULTS\n");
        return EXIT_WRONG_INPUT;
    }
    sow_config *config = cli_open(&campaign, args, SOW_CAMPAIGN_WRITE, env, &code);
    if (!config) return code;
    sow_status st = sow_campaign_record(campaign, results, args->complete, &done, env, &err);
    if (st == SOW_OK) st = sow_campaign_report(campaign, env, &err);
    if (st == SOW_OK && done.known) {
        if (!args->quiet) fprintf(stderr, "%s was recorded before; its values are not counted again\n", results);
        if (done.failed == 0) code = EXIT_WAITING;
    }
    if (st == SOW_OK && args->json) {
        printf("{\"failed\": %lld, \"pending\": %lld, \"recorded\": %lld, \"unplanned\": %lld}\n", (long long)done.failed, (long long)done.pending,
               (long long)done.recorded, (long long)done.unplanned);
    } else if (st == SOW_OK) {
        printf("recorded %lld (%lld of them not planned), failed %lld, still awaited %lld\n", (long long)done.recorded, (long long)done.unplanned,
               (long long)done.failed, (long long)done.pending);
        if (done.pending > 0 && !args->quiet)
            fprintf(stderr, "the round stays open; record the rest, or say that it failed with --complete\n");
        cli_say_next(campaign, args);
    }
    return cli_close(config, campaign, st, &err, code);
}
