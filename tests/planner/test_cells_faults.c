/* An allocation that fails anywhere in a campaign on cells: a message, nothing leaked, and the campaign goes on as if nothing had been. */
#include "planner/cells_internal.h"

#include "cells_fixture.h"
#include "core/memory.h"

TestSuite(cells_faults, .init = scratch_create, .fini = scratch_remove);

static sow_error err;

/* All events after the first, which says where and when. Caller frees. */
static char *events_of(const sow_campaign *c)
{
    sow_index n = 0;
    const sow_event *events = sow_store_events(c->store, &n);
    sow_text text = {0};
    for (sow_index i = 1; i < n; i++)
        sow_text_printf(&text, "%s %lld %s\n", events[i].kind, (long long)events[i].round, events[i].payload);
    cr_assert(!text.failed);
    return text.text;
}

typedef sow_status step(sow_campaign *c);

static sow_status measure(sow_campaign *c)
{
    return sow_campaign_measure(c, NULL, &err);
}

static sow_status record(sow_campaign *c)
{
    sow_record_summary summary;
    return sow_campaign_record(c, scratch_path("bench.h5ad"), 1, &summary, NULL, &err);
}

/* Plays `rounds` rounds in a new folder; allocation n of the last round's step fails (-1: none). *failed says whether there was one. */
static char *played(int *failed, const sow_config *config, step *one, int rounds, sow_index n)
{
    char folder[40];
    snprintf(folder, sizeof folder, "r%lld", (long long)n);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, folder);
    *failed = 0;
    for (int r = 0; r < rounds; r++) {
        MUST(sow_campaign_plan(c, NULL, &err));
        sow_memory_fail_after(r == rounds - 1 ? n : -1);
        sow_status st = one(c);
        sow_memory_fail_after(-1);
        if (st == SOW_OK) continue;
        *failed = 1;
        cr_assert_eq(st, SOW_E_NOMEM, "allocation %lld: %s: %s", (long long)n, sow_status_name(st), err.message);
        sow_campaign_abandon(c);
        c = open_campaign(config, SOW_CAMPAIGN_WRITE, folder); /* what was written down is finished */
        if (sow_campaign_next_step(c) == SOW_NEXT_MEASURE) MUST(one(c));
    }
    char *events = events_of(c);
    close_campaign(c);
    return events;
}

static void fail_here_and_there(const char *yaml, step *one, int rounds)
{
    int failed = 0;
    cell_recipe recipe = CELL_RECIPE;
    write_cells("cells.h5ad", &recipe);
    sow_config *config = read_config(yaml);
    char *undisturbed = played(&failed, config, one, rounds, -1);
    sow_index n = 0;
    for (failed = 1; failed; n += 1 + n / 2) {
        char *events = played(&failed, config, one, rounds, n);
        cr_expect_str_eq(events, undisturbed, "allocation %lld", (long long)n);
        free(events);
    }
    cr_expect(n > 100);
    free(undisturbed);
    sow_config_destroy(config);
}

Test(cells_faults, of_the_first_measurement_lose_nothing)
{
    fail_here_and_there(cells_yaml, measure, 1);
}

Test(cells_faults, of_a_later_measurement_lose_nothing)
{
    fail_here_and_there(cells_yaml, measure, 2);
}

Test(cells_faults, of_a_record_lose_nothing)
{
    cell_recipe bench = {.seed = 7, .contexts = 1, .first = 0, .last = C_PERTURBATIONS, .cells = 32, .controls = 40, .boost = 1, .drop_gene = -1};
    char list[400] = "gene,line\n";
    for (int i = 0; i < C_PERTURBATIONS; i++)
        sprintf(list + strlen(list), "P%02d,here\n", i);
    scratch_write("list.csv", list);
    char *listed = replaced(cells_yaml, "file: cells.h5ad", "file: list.csv");
    char *asked = replaced(listed, "oracle: {kind: replay, held_out: {count: 4}}", "oracle: {kind: lab}");
    write_cells("bench.h5ad", &bench);
    fail_here_and_there(asked, record, 1);
    free(listed);
    free(asked);
}

Test(cells_faults, of_opening_are_told)
{
    cell_recipe recipe = CELL_RECIPE;
    write_cells("cells.h5ad", &recipe);
    sow_config *config = read_config(cells_yaml);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, "r");
    MUST(sow_campaign_plan(c, NULL, &err));
    MUST(sow_campaign_measure(c, NULL, &err));
    close_campaign(c);
    sow_campaign_options options = {.mode = SOW_CAMPAIGN_WRITE, .dir = scratch_path("r")};
    sow_status st = SOW_E_NOMEM;
    for (sow_index n = 0; st != SOW_OK; n += 1 + n / 8) {
        sow_memory_fail_after(n);
        st = sow_campaign_open(&c, config, &options, NULL, &err);
        sow_memory_fail_after(-1);
        if (st != SOW_OK) cr_assert_eq(st, SOW_E_NOMEM, "allocation %lld: %s: %s", (long long)n, sow_status_name(st), err.message);
    }
    cr_expect(c->cells->frozen && c->round[0].evaluated);
    close_campaign(c);
    sow_config_destroy(config);
}
