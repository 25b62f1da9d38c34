/* The bill on a terminal. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"

void cli_print_bill_rows(const json_t *rows, long long round)
{
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        if (round >= 0 && cli_json_integer(row, "round") != round) continue;
        printf("item      %-22s %10.10g %-15s x %9.6g = %12.2f\n", cli_json_text(row, "item"), cli_json_number(row, "quantity"), cli_json_text(row, "unit"), cli_json_number(row, "price"),
               cli_json_number(row, "cost"));
        if (*cli_json_text(row, "note")) printf("          (%s)\n", cli_json_text(row, "note"));
    }
}

void cli_print_budget(const json_t *bill)
{
    const json_t *budget = json_object_get(bill, "budget"), *cut = json_object_get(budget, "cut");
    if (!budget) return;
    const double money = cli_json_number(budget, "money"), weeks = cli_json_number(budget, "weeks"), total = cli_json_number(bill, "total");
    printf("budget    ");
    if (money > 0) printf("%.2f %s, %.2f left", money, cli_json_text(bill, "currency"), money - total);
    if (weeks > 0) printf("%s%.4g weeks, %.4g left", money > 0 ? "; " : "", weeks, weeks - cli_json_number(bill, "weeks"));
    printf("\n");
    if (cut) printf("          %s\n", cli_json_text(cut, "why"));
}

/* Of the round planned last, and what all of them come to. */
static void print_last(const json_t *status)
{
    const json_t *bill = json_object_get(status, "bill"), *rounds = json_object_get(status, "rounds_done"), *last = json_array_get(rounds, json_array_size(rounds) - 1);
    if (!last) return;
    printf("round %-3lld %lld by %s\n", cli_json_integer(last, "round"), cli_json_integer(last, "size"), cli_json_text(last, "strategy"));
    cli_print_bill_rows(json_object_get(bill, "rows"), cli_json_integer(last, "round"));
    printf("bill      %.2f %s; all rounds so far %.2f %s, %.4g weeks\n", cli_json_number(last, "cost"), cli_json_text(bill, "currency"), cli_json_number(bill, "total"), cli_json_text(bill, "currency"),
           cli_json_number(bill, "weeks"));
    cli_print_budget(bill);
}

sow_status cli_print_planned(const sow_campaign *campaign, sow_error *err)
{
    char *json = NULL;
    const sow_status st = sow_campaign_status_json(&json, campaign, err);
    json_t *status = json ? json_loads(json, 0, NULL) : NULL;
    if (status) print_last(status);
    json_decref(status);
    free(json);
    return st;
}
