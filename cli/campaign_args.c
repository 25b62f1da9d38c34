/* From a command line to an open campaign, and back to an exit code. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static int is_yaml(const char *file)
{
    const char *dot = strrchr(file, '.');
    return dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

const char *cli_campaign_file(const cli_args *args)
{
    for (int i = 0; i < args->n_positional; i++)
        if (is_yaml(args->positional[i])) return args->positional[i];
    return args->n_positional == 0 || args->takes_results ? "campaign.yaml" : args->positional[0];
}

const char *cli_results_file(const cli_args *args)
{
    for (int i = args->n_positional - 1; i >= 0; i--)
        if (!is_yaml(args->positional[i])) return args->positional[i];
    return NULL;
}

sow_config *cli_read_config(const cli_args *args, int *exit_code)
{
    sow_error err = {0};
    sow_config *config = NULL;
    char *problems = NULL;
    sow_status st = sow_config_read(&config, &problems, cli_campaign_file(args), args->sets, args->n_sets, &err);
    if (st != SOW_OK) {
        *exit_code = cli_exit_code(st);
        if (problems && *problems) fprintf(stderr, "%s%s", problems, problems[strlen(problems) - 1] == '\n' ? "" : "\n");
        else cli_fail(&err);
        config = NULL;
    }
    free(problems);
    return config;
}

const char *cli_cache_folder(const cli_args *args)
{
    const char *set = getenv("SOWER_CACHE");
    return args->cache ? args->cache : set && *set ? set : NULL;
}

sow_config *cli_open(sow_campaign **campaign, const cli_args *args, sow_campaign_mode mode, const sow_env *env, int *exit_code)
{
    sow_error err = {0};
    *campaign = NULL;
    *exit_code = EXIT_DONE;
    sow_config *config = cli_read_config(args, exit_code);
    if (!config) return NULL;
    sow_campaign_options options = {.dir = args->out, .mode = mode, .cache = cli_cache_folder(args), .argv = args->argv_text};
    sow_status st = sow_campaign_open(campaign, config, &options, env, &err);
    if (st == SOW_OK) return config;
    *exit_code = cli_fail(&err);
    sow_config_destroy(config);
    return NULL;
}

int cli_close(sow_config *config, sow_campaign *campaign, sow_status status, const sow_error *err, int exit_code)
{
    sow_error close_error = {0};
    if (status != SOW_OK) {
        exit_code = cli_fail(err);
        sow_campaign_abandon(campaign);
    } else if (sow_campaign_close(campaign, &close_error) != SOW_OK) {
        exit_code = cli_fail(&close_error);
    }
    sow_config_destroy(config);
    return exit_code;
}

void cli_say_next(const sow_campaign *campaign, const cli_args *args)
{
    const char *file = cli_campaign_file(args);
    if (args->quiet) return;
    char *ended = sow_campaign_why_ended(campaign);
    switch (sow_campaign_next_step(campaign)) {
    case SOW_NEXT_PLAN:
        fprintf(stderr, "next: sower plan %s%s\n", file, sow_campaign_rounds_open(campaign) > 0 ? " (the next round may begin before these results), and sower record when there are any" : "");
        break;
    case SOW_NEXT_MEASURE:
        if (sow_campaign_needs_people(campaign)) fprintf(stderr, "next: measure the batch, then: sower record %s RESULTS.%s\n", file, sow_campaign_records_cells(campaign) ? "h5ad" : "csv");
        else fprintf(stderr, "next: sower run %s\n", file);
        break;
    default: fprintf(stderr, "%s%s\n", ended ? "the campaign is over: " : "every round of this campaign is done", ended ? ended : "");
    }
    free(ended);
}

sow_status cli_say_outcome(const sow_campaign *campaign, const cli_args *args, int with_next, sow_error *err)
{
    char *json = NULL;
    if (!args->json) {
        printf("%s/report.html\n", sow_campaign_dir(campaign));
        if (with_next) cli_say_next(campaign, args);
        return SOW_OK;
    }
    sow_status st = sow_campaign_status_json(&json, campaign, err);
    if (st == SOW_OK) puts(json);
    free(json);
    return st;
}
