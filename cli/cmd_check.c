#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acquisition/strategy.h"
#include "cli/cli.h"
#include "models/model.h"
#include "simulator/oracle.h"

static int list_strategies(void)
{
    sow_index n = 0;
    const sow_strategy *const *rows = sow_strategies(&n);
    for (sow_index i = 0; i < n; i++)
        printf("%-20s %s%s%s%s\n", rows[i]->name, rows[i]->summary, *rows[i]->aliases ? " (also: " : "", rows[i]->aliases, *rows[i]->aliases ? ")" : "");
    return EXIT_DONE;
}

static int list_models(void)
{
    sow_index n = 0;
    const sow_model_class *const *rows = sow_model_classes(&n);
    for (sow_index i = 0; i < n; i++)
        printf("%-20s %s\n", rows[i]->name, rows[i]->summary);
    return EXIT_DONE;
}

static int list_oracles(void)
{
    sow_index n = 0;
    const sow_oracle_class *const *rows = sow_oracle_classes(&n);
    for (sow_index i = 0; i < n; i++)
        printf("%-20s %s\n", rows[i]->name, rows[i]->summary);
    return EXIT_DONE;
}

static int list_keys(void)
{
    sow_error err = {0};
    char *text = NULL;
    if (sow_config_reference(&text, &err) != SOW_OK) return cli_fail(&err);
    fputs(text, stdout);
    free(text);
    return EXIT_DONE;
}

static int list(const char *what)
{
    if (strcmp(what, "strategies") == 0) return list_strategies();
    if (strcmp(what, "models") == 0) return list_models();
    if (strcmp(what, "oracles") == 0) return list_oracles();
    if (strcmp(what, "keys") == 0) return list_keys();
    fprintf(stderr, "sower check: --list takes keys, strategies, models or oracles, not '%s'\n", what);
    return EXIT_WRONG_INPUT;
}

static void print_data(const json_t *j)
{
    const json_t *contexts = json_object_get(j, "contexts"), *priors = json_object_get(j, "priors"), *dropped = json_object_get(j, "dropped");
    for (size_t i = 0; i < json_array_size(contexts); i++) {
        const json_t *c = json_array_get(contexts, i);
        printf("context   %s (%s): %lld perturbations\n", cli_json_text(c, "context"), cli_json_text(c, "role"), cli_json_integer(c, "perturbations"));
    }
    for (size_t i = 0; i < json_array_size(priors); i++) {
        const json_t *p = json_array_get(priors, i);
        printf("prior     %s (%s, %lld dimensions): covers %lld of %lld in the pool\n", cli_json_text(p, "name"), cli_json_text(p, "kind"), cli_json_integer(p, "dim"),
               cli_json_integer(p, "covered"), cli_json_integer(p, "pool_size"));
    }
    for (size_t i = 0; i < json_array_size(dropped); i++) {
        const json_t *d = json_array_get(dropped, i);
        printf("left out  %lld: %s (%s)\n", cli_json_integer(d, "count"), cli_json_text(d, "what"), cli_json_text(d, "names"));
    }
}

static void print_overlap(const json_t *bill)
{
    const long long n = cli_json_integer(bill, "rounds_overlapping");
    if (n == 1) printf("overlap   a round begins, and is chosen, before the results of the one before it are in\n");
    if (n > 1) printf("overlap   a round begins, and is chosen, before the results of the %lld before it are in\n", n);
}

/* How quantities came about, by the example of round 0. */
static void print_notes(const json_t *round)
{
    const json_t *rows = json_object_get(round, "rows");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        if (*cli_json_text(row, "note")) printf("          round 0, %s: %s\n", cli_json_text(row, "item"), cli_json_text(row, "note"));
    }
}

static void print_plan(const json_t *j)
{
    const json_t *bill = json_object_get(j, "bill"), *rounds = json_object_get(bill, "rounds"), *effort = json_object_get(j, "effort");
    for (size_t i = 0; i < json_array_size(rounds); i++) {
        const json_t *r = json_array_get(rounds, i);
        printf("round %-3lld %lld by %s, %.2f %s, %.0f cells to transduce\n", cli_json_integer(r, "round"), cli_json_integer(r, "size"),
               cli_json_text(r, "strategy"), cli_json_number(r, "cost"), cli_json_text(bill, "currency"), cli_json_number(r, "cells_to_transduce"));
    }
    print_overlap(bill);
    cli_print_bill_rows(json_object_get(bill, "rows"), -1);
    print_notes(json_array_get(rounds, 0));
    printf("bill      %.2f %s, %.4g weeks\n", cli_json_number(bill, "total"), cli_json_text(bill, "currency"), cli_json_number(bill, "weeks"));
    cli_print_budget(bill);
    printf("effort    at most about %.0f s of computing and %.0f MB of memory\n", cli_json_number(effort, "seconds_at_most"), cli_json_number(effort, "memory_mb"));
    if (*cli_json_text(effort, "advice")) printf("          %s\n", cli_json_text(effort, "advice"));
}

static const char *readout_size(char *text, size_t size, const json_t *j)
{
    const json_t *cells = json_object_get(j, "cells");
    long long batches = cli_json_integer(cells, "technical_batches");
    if (cells && cli_json_integer(cells, "cells") == 0) snprintf(text, size, "none yet: the lab brings them");
    else if (cells)
        snprintf(text, size, "%lld cells x %lld genes, %lld controls of the target, %lld technical batch%s", cli_json_integer(cells, "cells"),
                 cli_json_integer(cells, "genes"), cli_json_integer(cells, "controls"), batches, batches == 1 ? "" : "es");
    else
        snprintf(text, size, "%lld features", cli_json_integer(j, "features"));
    return text;
}

static void print_check(const char *source)
{
    char size[120];
    json_t *j = json_loads(source, 0, NULL);
    printf("%s: the campaign file and its data are fine\n", cli_json_text(j, "name"));
    printf("folder    %s\nreadout   %s (%s), model %s, oracle %s\n", cli_json_text(j, "folder"), cli_json_text(j, "readout"), readout_size(size, sizeof size, j),
           cli_json_text(j, "model"), cli_json_text(j, "oracle"));
    print_data(j);
    printf("pool      %lld to choose from, %lld held out", cli_json_integer(j, "pool_size"), cli_json_integer(j, "held_out"));
    if (json_object_get(j, "true_hits_in_pool")) printf(", %lld true hits in the pool", cli_json_integer(j, "true_hits_in_pool"));
    printf("\n");
    print_plan(j);
    json_decref(j);
}

int cmd_check(const cli_args *args, const sow_env *env)
{
    sow_error err = {0};
    sow_campaign *campaign = NULL;
    char *json = NULL;
    int code = EXIT_DONE;
    if (args->list) return list(args->list);
    sow_config *config = cli_open(&campaign, args, SOW_CAMPAIGN_CHECK, env, &code);
    if (!config) return code;
    sow_status st = sow_campaign_check_json(&json, campaign, &err);
    if (st == SOW_OK && args->json) puts(json);
    else if (st == SOW_OK) print_check(json);
    free(json);
    return cli_close(config, campaign, st, &err, code);
}
