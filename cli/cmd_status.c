#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"

static void print_rounds(const json_t *rounds)
{
    printf("\nround  strategy           size  measured  failed  hits  cost\n");
    for (size_t i = 0; i < json_array_size(rounds); i++) {
        const json_t *r = json_array_get(rounds, i), *hits = json_object_get(r, "hits_found");
        char found[24] = "-";
        if (hits) snprintf(found, sizeof found, "%lld", (long long)json_integer_value(hits));
        printf("%5lld  %-18s %4lld  %8lld  %6lld  %4s  %.2f\n", cli_json_integer(r, "round"), cli_json_text(r, "strategy"), cli_json_integer(r, "size"), cli_json_integer(r, "measured"),
               cli_json_integer(r, "failed"), found, json_real_value(json_object_get(r, "cost")));
    }
}

static void print_metrics(const json_t *metrics)
{
    if (json_array_size(metrics) > 0) printf("\nlast evaluation\n");
    for (size_t i = 0; i < json_array_size(metrics); i++) {
        const json_t *m = json_array_get(metrics, i), *value = json_object_get(m, "value");
        if (!json_is_number(value)) continue;
        printf("  %-12s %-24s %.6g\n", cli_json_text(m, "model"), cli_json_text(m, "metric"), json_number_value(value));
    }
}

static void print_table(const char *source)
{
    json_t *j = json_loads(source, 0, NULL);
    const json_t *s = json_object_get(j, "status");
    long long round = cli_json_integer(j, "round"), last = cli_json_integer(j, "rounds") - 1;
    printf("%s: %s, round %lld of %lld\n%s\n", cli_json_text(j, "name"), cli_json_text(j, "state"), round < last ? round : last, last,
           cli_json_text(j, "folder"));
    printf("pool of %lld: %lld free, %lld planned, %lld measured, %lld partial, %lld failed\n", cli_json_integer(j, "pool_size"), cli_json_integer(s, "free"),
           cli_json_integer(s, "planned"), cli_json_integer(s, "measured"), cli_json_integer(s, "partial"), cli_json_integer(s, "failed"));
    print_rounds(json_object_get(j, "rounds_done"));
    cli_print_budget(json_object_get(j, "bill"));
    print_metrics(json_object_get(j, "metrics"));
    json_decref(j);
}

int cmd_status(const cli_args *args, const sow_env *env)
{
    sow_error err = {0};
    sow_campaign *campaign = NULL;
    char *json = NULL;
    int code = EXIT_DONE;
    sow_config *config = cli_open(&campaign, args, SOW_CAMPAIGN_READ, env, &code);
    if (!config) return code;
    sow_status st = sow_campaign_status_json(&json, campaign, &err);
    if (st == SOW_OK && args->json) {
        puts(json);
    } else if (st == SOW_OK) {
        print_table(json);
        cli_say_next(campaign, args);
    }
    free(json);
    return cli_close(config, campaign, st, &err, code);
}
