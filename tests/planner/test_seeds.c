/* First rounds chosen by what other contexts measured, or by a list: before there is a response space of one's own. */
#include "planner/cells_internal.h"

#include "cells_fixture.h"

TestSuite(seeds, .init = scratch_create, .fini = scratch_remove);

static sow_error err;

/* Three contexts, two of them references. */
static char *yaml_with(const char *strategy, const char *more)
{
    char *a = replaced(cells_yaml, "contexts: [other]", "contexts: [other, third]");
    char *b = replaced(a, "initial: {size: 4, strategy: random}, batches: [3, 2]", strategy);
    char *c = replaced(b, "acquisition: {strategy: max-variance}", more);
    free(a);
    free(b);
    return c;
}

static sow_campaign *planned(sow_config **config, const char *yaml, const char *folder)
{
    cell_recipe recipe = CELL_RECIPE;
    recipe.contexts = 3;
    write_cells("cells.h5ad", &recipe);
    *config = read_config(yaml);
    sow_campaign *c = open_campaign(*config, SOW_CAMPAIGN_WRITE, folder);
    MUST(sow_campaign_plan(c, NULL, &err));
    return c;
}

static char *batch_of(const char *yaml, const char *folder)
{
    sow_config *config = NULL;
    char path[64];
    sow_campaign *c = planned(&config, yaml, folder);
    cr_expect_eq(c->cells->frozen, 0, "choosing seeds froze the response space");
    close_campaign(c);
    sow_config_destroy(config);
    snprintf(path, sizeof path, "%.16s/rounds/00/batch.csv", folder);
    return strdup(scratch_read(scratch_path(path)));
}

static int count(const char *text, const char *what)
{
    int n = 0;
    for (const char *p = strstr(text, what); p; p = strstr(p + 1, what)) n++;
    return n;
}

Test(seeds, are_chosen_by_reference_contexts_before_anything_is_measured)
{
    char *yaml = yaml_with("initial: {size: 4, strategy: least-consistent}, batches: [2]", "acquisition: {strategy: random}");
    char *batch = batch_of(yaml, "r"), *again = batch_of(yaml, "again");
    cr_expect_eq(count(batch, "differs between 2 reference contexts"), 4, "%s", batch);
    cr_expect_eq(count(batch, "noise taken off"), 4, "%s", batch);
    cr_expect_str_eq(batch, again);
    free(batch);
    free(again);
    free(yaml);
}

Test(seeds, and_the_campaign_goes_on_from_them)
{
    sow_config *config = NULL;
    char *yaml = yaml_with("initial: {size: 4, strategy: most-consistent}, batches: [3]", "acquisition: {strategy: least-consistent, consistency: published}");
    sow_campaign *c = planned(&config, yaml, "r");
    MUST(sow_campaign_run(c, NULL, &err));
    cr_expect_eq(c->cells->frozen, 1);
    close_campaign(c);
    sow_config_destroy(config);
    const char *batch = scratch_read(scratch_path("r/rounds/01/batch.csv"));
    cr_expect_eq(count(batch, "differs between 2 reference contexts"), 3, "%s", batch);
    cr_expect_eq(count(batch, "noise"), 0, "%s", batch);
    free(yaml);
}

/* k-means and core-set move among the references' responses, and need no prior. */
Test(seeds, cover_the_references_responses)
{
    char *with = yaml_with("initial: {size: 4, strategy: kmeans}, batches: [2]", "acquisition: {strategy: core-set, representation: reference}");
    char *without = replaced(with, "priors: [{name: layout, file: layout.csv}]\n", "");
    char *a = batch_of(with, "a"), *b = batch_of(without, "b");
    cr_expect_eq(count(a, "nearest to the centre of a cluster"), 4, "%s", a);
    cr_expect_str_eq(a, b, "a prior changed what is seen of the references");
    free(a);
    free(b);
    free(with);
    free(without);
}

Test(seeds, follow_a_list_as_far_as_it_goes)
{
    char *yaml = yaml_with("initial: {size: 4, strategy: functional}, batches: [2]", "acquisition: {strategy: random, list: [P09, NOSUCH, P01]}");
    char *with = replaced(yaml, "held_out: {count: 4}", "held_out: {list: held.txt}");
    scratch_write("held.txt", "P03\nP04\n");
    char *batch = batch_of(with, "r");
    cr_expect(strstr(batch, "1,P09,") && strstr(batch, "2,P01,"), "%s", batch);
    cr_expect_eq(count(batch, "the list is done: drawn at random"), 2, "%s", batch);
    free(batch);
    free(with);
    free(yaml);
}

static void check_refused(const char *yaml, const char *because)
{
    cell_recipe recipe = CELL_RECIPE;
    sow_campaign *c = NULL;
    sow_campaign_options options = {.mode = SOW_CAMPAIGN_CHECK};
    write_cells("cells.h5ad", &recipe);
    sow_config *config = read_config(yaml);
    cr_expect_eq(sow_campaign_open(&c, config, &options, NULL, &err), SOW_E_CONFIG);
    cr_expect(strstr(err.message, because) != NULL, "%s", err.message);
    sow_config_destroy(config);
}

Test(seeds, need_two_reference_contexts_or_a_list_of_candidates)
{
    char *one = replaced(cells_yaml, "strategy: random", "strategy: least-consistent");
    char *none = replaced(cells_yaml, "strategy: random", "strategy: functional");
    char *others = replaced(none, "acquisition: {strategy: max-variance}", "acquisition: {strategy: max-variance, list: [NOSUCH, NOR_THIS]}");
    check_refused(one, "compares reference contexts: it needs two of them, there is 1");
    check_refused(none, "acquisition.list, which is empty");
    check_refused(others, "none of acquisition.list can be chosen here: NOSUCH (not in this screen), NOR_THIS (not in this screen)");
    free(one);
    free(none);
    free(others);
}
