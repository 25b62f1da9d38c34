/* The sweep file: axes to settings to arms, and what is wrong with it. What a setting may say is tested by the campaign file's own tests. */
#include "io/sweep_config.h"

#include "core/memory.h"
#include "io/file.h"
#include "scratch.h"

#include <criterion/criterion.h>
#include <math.h>

TestSuite(sweep_config, .init = scratch_create, .fini = scratch_remove);

static sow_sweep_config *read_with(const char *text, const char *const *sets, sow_index n_sets)
{
    sow_error err = {0};
    sow_sweep_config *k = NULL;
    scratch_write("s.yaml", text);
    cr_assert_eq(sow_sweep_config_read(&k, NULL, scratch_path("s.yaml"), sets, n_sets, &err), SOW_OK, "%s", err.message);
    return k;
}

static void refused(const char *text, const char *want)
{
    sow_error err = {0};
    sow_sweep_config *k = NULL;
    char *problems = NULL, where[128];
    scratch_write("s.yaml", text);
    cr_expect_eq(sow_sweep_config_read(&k, &problems, scratch_path("s.yaml"), NULL, 0, &err), SOW_E_CONFIG);
    cr_expect_null(k);
    snprintf(where, sizeof where, "%s:", scratch_path("s.yaml"));
    cr_expect(problems && strstr(problems, want) && strncmp(problems, where, strlen(where)) == 0, "'%s' lacks '%s'", problems ? problems : err.message, want);
    free(problems);
}

#define HEAD "sower: 1\ncampaign: c.yaml\nseeds: 3\n"

static int has(const sow_sweep_arm *arm, const char *text)
{
    for (sow_index i = 0; i < arm->n; i++)
        if (strcmp(arm->setting[i]->text, text) == 0) return 1;
    return 0;
}

Test(sweep_config, arms_are_the_product_of_the_axes_and_their_names)
{
    sow_sweep_config *k = read_with(HEAD "set: {model: {iterations: 9}}\nstrategies: [random, ucb]\nallocations:\n  a: {initial: 5, batches: [2, 3], cells_per_perturbation: 50, reads: 1e4}\n  b: {initial: 10}\n"
                                         "oracles: {noisy: {oracle.noise_per_cell: 8}}\n", NULL, 0);
    static const char *const names[] = {"random/a/noisy", "random/b/noisy", "ucb/a/noisy", "ucb/b/noisy"};
    cr_assert_eq(k->n_arms, 4);
    for (int i = 0; i < 4; i++) {
        cr_expect_str_eq(k->arm[i].name, names[i]);
        cr_expect(has(&k->arm[i], "model.iterations=9") && has(&k->arm[i], "oracle.noise_per_cell=8"));
    }
    cr_expect_str_eq(k->name, "s");
    cr_expect(has(&k->arm[2], "acquisition.strategy=ucb") && has(&k->arm[2], "rounds.initial.size=5") && has(&k->arm[2], "rounds.batches=[2, 3]"));
    cr_expect(has(&k->arm[2], "design.cells_per_perturbation=50") && has(&k->arm[2], "design.reads_per_cell=10000"));
    cr_expect(has(&k->arm[3], "rounds.batches=[]"), "an allocation without batches is all at once, whatever the campaign says");
    cr_expect_eq(k->arm[3].n, 5);
    cr_expect_eq(k->baseline, -1);
    sow_sweep_config_destroy(k);
}

Test(sweep_config, without_axes_there_is_one_arm)
{
    sow_sweep_config *k = read_with(HEAD, NULL, 0);
    cr_expect_eq(k->n_arms, 1);
    cr_expect_str_eq(k->arm[0].name, "campaign");
    sow_sweep_config_destroy(k);
}

Test(sweep_config, a_number_of_seeds_and_a_list_are_two_things)
{
    sow_sweep_config *k = read_with(HEAD, NULL, 0);
    cr_expect(k->n_seeds == 3 && k->seeds[0] == 1 && k->seeds[2] == 3);
    sow_sweep_config_destroy(k);
    static const char *const sets[] = {"seeds=[9]"};
    k = read_with(HEAD, sets, 1);
    cr_expect(k->n_seeds == 1 && k->seeds[0] == 9);
    sow_sweep_config_destroy(k);
}

Test(sweep_config, settings_keep_types_quotes_lists_and_places)
{
    sow_sweep_config *k = read_with(HEAD "arms:\n  x:\n    readout.column: \"pos|fdr\"\n    rounds.batches: [4, 4]\n    acquisition: {list: [\"A, B\", C:D], beta: 2}\n    constraints.quota: [{names: [A], at_most: 1}]\n    model.prior_dims: ~\n",
                                    NULL, 0);
    const sow_named_settings *x = &k->axis[0].entry[0];
    static const char *const texts[] = {"readout.column=\"pos|fdr\"", "rounds.batches=[4, 4]", "acquisition.list=[\"A, B\", \"C:D\"]", "acquisition.beta=2", "constraints.quota=[{\"names\": [A], \"at_most\": 1}]", "model.prior_dims=~"};
    cr_assert_eq(x->n, 6);
    for (int i = 0; i < 6; i++)
        cr_expect_str_eq(x->setting[i].text, texts[i]);
    cr_expect(x->setting[1].line == 7 && x->setting[1].column == 21, "%ld:%ld", x->setting[1].line, x->setting[1].column);
    sow_sweep_config_destroy(k);
}

/* What a setting became is read by the campaign's own reader. */
Test(sweep_config, a_setting_reaches_a_campaign_as_it_was_written)
{
    sow_error err = {0};
    sow_config *c = NULL;
    const char *texts[8];
    sow_sweep_config *k = read_with(HEAD "set: {constraints.include: [\"A, B\", \"quote\\\"d\", plain], constraints.exclude: [{names: [x, y], reason: \"two, of them\"}]}\n", NULL, 0);
    for (sow_index i = 0; i < k->arm[0].n; i++)
        texts[i] = k->arm[0].setting[i]->text;
    scratch_write("c.yaml", "sower: 1\noracle: {kind: generative}\nrounds: {initial: {size: 5}}\n");
    cr_assert_eq(sow_config_read(&c, NULL, scratch_path("c.yaml"), texts, k->arm[0].n, &err), SOW_OK, "%s", err.message);
    cr_assert_eq(c->constraints.n_include, 3);
    cr_expect_str_eq(c->constraints.include[0], "A, B");
    cr_expect_str_eq(c->constraints.include[1], "quote\"d");
    cr_expect_str_eq(c->constraints.exclude[0].reason, "two, of them");
    cr_expect_eq(c->constraints.exclude[0].n_names, 2);
    sow_config_destroy(c);
    sow_sweep_config_destroy(k);
}

Test(sweep_config, set_on_the_command_line_reaches_settings)
{
    static const char *const sets[] = {"set.model.iterations=4", "arms.b.acquisition.strategy=ucb", "stop.after=3"};
    sow_sweep_config *k = read_with(HEAD "arms: {a: {}}\n", sets, 3);
    cr_assert_eq(k->n_arms, 2);
    cr_expect(has(&k->arm[1], "acquisition.strategy=ucb") && has(&k->arm[0], "model.iterations=4"));
    cr_expect(k->stop.after == 3 && k->stop.every == 3 && k->stop.margin == 0 && k->stop.level == 0.95);
    sow_sweep_config_destroy(k);
}

Test(sweep_config, a_budget_is_read_and_has_defaults)
{
    sow_sweep_config *k = read_with(HEAD, NULL, 0);
    cr_expect(isnan(k->budget.money) && isnan(k->budget.weeks) && isnan(k->budget.margin) && isnan(k->budget.worth) && k->budget.next_money == 1000 && k->budget.next_weeks == 4);
    sow_sweep_config_destroy(k);
    k = read_with(HEAD "budget: {money: 4e4, weeks: 26, margin: 0, worth: 50000, next_money: 500, next_weeks: 2}\n", NULL, 0);
    cr_expect(k->budget.money == 4e4 && k->budget.weeks == 26 && k->budget.margin == 0 && k->budget.worth == 50000 && k->budget.next_money == 500 && k->budget.next_weeks == 2);
    sow_sweep_config_destroy(k);
}

Test(sweep_config, what_is_wrong_is_said_with_its_place)
{
    refused(HEAD "budget: {money: 0}\n", ":4:17: budget.money must be a number > 0");
    refused(HEAD "budget: {weeks: a while}\n", "budget.weeks must be a number > 0");
    refused(HEAD "budget: {margin: -1}\n", "budget.margin must be a number >= 0");
    refused(HEAD "budget: {dollars: 5}\n", "unknown key 'dollars' in budget");

    refused("sower: 1\ncampaign: c.yaml\nsedes: 3\n", ":3:1: unknown key 'sedes' in the sweep file; did you mean 'seeds'?");
    refused("sower: 1\nseeds: 3\n", "key 'campaign' is missing in the sweep file");
    refused(HEAD "arms: {}\n", ":4:7: arms must not be empty");
    refused(HEAD "arms: {a: 3}\n", ":4:11: arms.a must be a mapping of keys of the campaign file, not '3'");
    refused(HEAD "arms: {a/b: {}}\n", "'a/b' cannot be part of an arm's name");
    refused(HEAD "arms: {a: {}, a: {}}\n", "key 'a' is given twice");
    refused(HEAD "allocations: {a: {initial: 4, batches: [0]}}\n", "each of allocations.a.batches must be a whole number >= 1, not '0'");
    refused(HEAD "allocations: {a: {initial: 4, cells: 3}}\n", "unknown key 'cells' in allocations.a");
    refused(HEAD "sweep: a b\n", "sweep 'a b' becomes a folder");
    refused(HEAD "stop: {every: 2}\n", "key 'after' is missing in stop");
    refused(HEAD "stop: {after: 4, level: 1}\n", "stop.level must be a number in (0.5, 1)");
    refused(HEAD "metrics: [rmse, rmse]\n", "metrics: 'rmse' is given twice");
    refused("sower: 1\ncampaign: c.yaml\nseeds: 500000\nstrategies: [random, ucb, ei]\n", "3 arms x 500000 seeds are 1500000 jobs; a sweep has at most 1000000");
}

Test(sweep_config, memory_that_runs_out_anywhere_is_said)
{
    sow_sweep_config *k = NULL;
    sow_status st = SOW_E_NOMEM;
    scratch_write("s.yaml", HEAD "set: {model.iterations: 2}\nstrategies: [random, ucb]\nallocations: {a: {initial: 5, batches: [2]}}\narms: {x: {acquisition.list: [A, B]}}\nbaseline: ucb/a/x\nmetrics: [rmse]\n");
    sow_index n = 0;
    for (; st == SOW_E_NOMEM && n < 10000; n++) {
        sow_error err = {0};
        char *problems = NULL;
        sow_memory_fail_after(n);
        st = sow_sweep_config_read(&k, &problems, scratch_path("s.yaml"), NULL, 0, &err);
        sow_memory_fail_after(-1);
        cr_expect(st == SOW_OK || (st == SOW_E_NOMEM && !k && !problems), "%s", err.message);
    }
    cr_assert_eq(st, SOW_OK);
    cr_expect_gt(n, 50);
    sow_sweep_config_destroy(k);
}

Test(sweep_config, the_page_has_the_table_of_keys)
{
    sow_error err = {0};
    char *table = NULL;
    cr_assert_eq(sow_sweep_config_reference(&table, &err), SOW_OK);
    const char *path = SOWER_SOURCE_DIR "/docs/simulate.md", *begin = "<!-- keys -->\n", *end = "<!-- /keys -->";
    char *page = strdup(scratch_read(path)), *at = strstr(page, begin), *to = at ? strstr(at, end) : NULL;
    cr_assert(at && to, "docs/simulate.md has no place for its keys");
    at += strlen(begin);
    if (getenv("SOWER_WRITE_DOCS")) {
        sow_text t = {0};
        sow_text_printf(&t, "%.*s%s%s", (int)(at - page), page, table, to);
        cr_assert_eq(sow_text_save(&t, path, &err), SOW_OK);
        sow_text_clear(&t);
    } else {
        cr_expect(strlen(table) == (size_t)(to - at) && strncmp(table, at, strlen(table)) == 0, "docs/simulate.md is not the table's: run this test once with SOWER_WRITE_DOCS=1");
    }
    free(page);
    free(table);
}
