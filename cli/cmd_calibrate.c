#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "planner/calibrate.h"

static void print_json(const sow_calibrated *made)
{
    json_t *doc = json_pack("{s:s,s:s,s:s?,s:s?,s:s?}", "file", made->file, "oracle", made->oracle, "table", made->table, "page", made->page, "verdict", made->verdict);
    json_dumpf(doc, stdout, JSON_SORT_KEYS);
    putchar('\n');
    json_decref(doc);
}

static void print_text(const sow_calibrated *made)
{
    puts(made->file);
    if (made->page) printf("%s\n%s\n%s\n", made->table, made->page, made->verdict);
    printf("\n%s", made->oracle);
}

int cmd_calibrate(const cli_args *args, const sow_env *env)
{
    sow_error err = {0};
    sow_campaign *campaign = NULL;
    sow_calibrated made = {0};
    int code = EXIT_DONE;
    sow_config *config = cli_open(&campaign, args, SOW_CAMPAIGN_CHECK, env, &code);
    if (!config) return code;
    const sow_calibrate_options options = {args->to, args->check};
    const sow_status st = sow_campaign_calibrate(&made, campaign, &options, env, &err);
    if (st == SOW_OK && args->json) print_json(&made);
    if (st == SOW_OK && !args->json) print_text(&made);
    sow_calibrated_clear(&made);
    return cli_close(config, campaign, st, &err, code);
}
