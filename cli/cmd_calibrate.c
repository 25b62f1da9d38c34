#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/calibrate.h"

static void print_json(const sow_calibrated *made, const char *source)
{
    json_t *doc = json_pack("{s:s,s:s,s:s?,s:s?,s:s?,s:s?,s:s?,s:I,s:I}", "file", made->file, "oracle", made->oracle, "table", made->table, "page", made->page, "verdict", made->verdict, "note", made->note, "source",
                            source, "controls", (json_int_t)made->n_controls, "perturbations", (json_int_t)made->n_perturbations);
    json_dumpf(doc, stdout, JSON_SORT_KEYS);
    putchar('\n');
    json_decref(doc);
}

void cli_print_calibrated(const sow_calibrated *made, const char *source, int json)
{
    if (json) {
        print_json(made, source);
        return;
    }
    if (source) fputs(source, stdout);
    if (made->note) puts(made->note);
    puts(made->file);
    if (made->page) printf("%s\n%s\n%s\n", made->table, made->page, made->verdict);
    printf("\n%s", made->oracle);
}

/* Labels are a campaign's own to say. */
static int misused(const cli_args *args)
{
    const char *said = args->perturbation ? "perturbation" : args->control ? "control" : args->batch ? "batch" : args->context ? "context" : args->unperturbed ? "unperturbed" : NULL;
    if (!said) return 0;
    fprintf(stderr, "sower: --%s is for a file of cells; a campaign says it under data.sources (--set changes it)\n", said);
    return EXIT_WRONG_INPUT;
}

int cmd_calibrate(const cli_args *args, const sow_env *env)
{
    sow_error err = {0};
    sow_campaign *campaign = NULL;
    sow_calibrated made = {0};
    int code = EXIT_DONE;
    const sow_calibrate_options options = {args->to, args->check};
    const char *file = cli_results_file(args);
    if (file) return cli_calibrate_file(file, args, &options, env);
    if (misused(args)) return EXIT_WRONG_INPUT;
    sow_config *config = cli_open(&campaign, args, SOW_CAMPAIGN_CHECK, env, &code);
    if (!config) return code;
    const sow_status st = sow_campaign_calibrate(&made, campaign, &options, env, &err);
    if (st == SOW_OK) cli_print_calibrated(&made, NULL, args->json);
    sow_calibrated_clear(&made);
    return cli_close(config, campaign, st, &err, code);
}
