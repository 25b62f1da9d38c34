/* What a lab records of cells: what was said to count stays so when later files are read with it, and what fell short can be planned again. */
#include "planner/cells_internal.h"

#include "cells_fixture.h"

TestSuite(cells_lab, .init = scratch_create, .fini = scratch_remove);

static sow_error err;

/* A campaign at the bench with a list of candidates and a reference; round 0 is planned. `features` stands in braces in the file. */
static sow_campaign *at_the_bench(sow_config **config, const char *features, const cell_recipe *reference)
{
    char list[400] = "gene,line\n", wanted[120];
    for (int i = 0; i < C_PERTURBATIONS; i++)
        sprintf(list + strlen(list), "P%02d,here\n", i);
    scratch_write("list.csv", list);
    snprintf(wanted, sizeof wanted, "features: {%s}", features);
    char *listed = replaced(cells_yaml, "file: cells.h5ad", "file: list.csv");
    char *asked = replaced(listed, "oracle: {kind: replay, held_out: {count: 4}}", "oracle: {kind: lab}");
    char *filtered = replaced(asked, "features: {min_cells_per_perturbation: 4}", wanted);
    write_cells("cells.h5ad", reference);
    *config = read_config(filtered);
    sow_campaign *c = open_campaign(*config, SOW_CAMPAIGN_WRITE, "lab");
    MUST(sow_campaign_plan(c, NULL, &err));
    free(listed);
    free(asked);
    free(filtered);
    return c;
}

static sow_index cells_of(const sow_campaign *c, const char *name)
{
    sow_index q = sow_names_find(c->screen->perturbations, name), n = 0;
    cr_assert(q >= 0);
    for (sow_index k = 0; k < c->here->item[q].n_draws; k++)
        n += c->here->item[q].draw[k].n;
    return n;
}

Test(cells_lab, count_the_genes_of_their_own_file_whatever_others_lack)
{
    cell_recipe reference = CELL_RECIPE, bench = {.seed = 7, .contexts = 1, .first = 0, .last = 10, .cells = 32, .controls = 40, .boost = 1, .drop_gene = -1};
    sow_config *config = NULL;
    sow_record_summary summary;
    reference.drop_gene = 20; /* of 24; what all share is one fewer, and cells of just 21 genes are then of 20 */
    sow_campaign *c = at_the_bench(&config, "min_cells_per_perturbation: 4, min_genes_per_cell: 21", &reference);
    write_cells("bench.h5ad", &bench);
    MUST(sow_campaign_record(c, scratch_path("bench.h5ad"), 1, &summary, NULL, &err));
    sow_index before = cells_of(c, "P04"), controls = c->here->controls[0].n_control;
    cr_expect(before > 4);
    close_campaign(c);
    c = open_campaign(config, SOW_CAMPAIGN_WRITE, "lab");
    cr_expect_eq(cells_of(c, "P04"), before);
    cr_expect_eq(c->here->controls[0].n_control, controls);
    close_campaign(c);
    sow_config_destroy(config);
}

Test(cells_lab, too_few_of_a_perturbation_leave_it_in_the_pool)
{
    cell_recipe reference = CELL_RECIPE, bench = {.seed = 7, .contexts = 1, .first = 0, .last = 10, .cells = 32, .controls = 40, .boost = 1, .drop_gene = -1};
    sow_config *config = NULL;
    sow_record_summary summary;
    reference.first = 3; /* the reference does not know P02 */
    sow_campaign *c = at_the_bench(&config, "min_cells_per_perturbation: 20", &reference);
    sow_index pool = c->pool_size;
    write_cells("bench.h5ad", &bench); /* 18 cells of P02 */
    MUST(sow_campaign_record(c, scratch_path("bench.h5ad"), 1, &summary, NULL, &err));
    sow_index q = sow_names_find(c->screen->perturbations, "P02");
    cr_expect_eq(c->here->item[q].status, SOW_LOST);
    cr_expect_eq(cells_of(c, "P02"), 0);
    cr_expect_eq(c->pool_size, pool);
    cr_expect(c->here->in_pool[q], "%s", c->here->why_not[q]);
    cr_expect_eq(sow_cells_of(NULL, &c->cells->table, q, c->here->target), 0);
    bench = (cell_recipe){.seed = 9, .contexts = 1, .first = 2, .last = 4, .cells = 32, .controls = 40, .boost = 1, .drop_gene = -1};
    MUST(sow_campaign_plan(c, NULL, &err));
    write_cells("again.h5ad", &bench); /* 18 more: by itself too few again */
    MUST(sow_campaign_record(c, scratch_path("again.h5ad"), 0, &summary, NULL, &err));
    cr_expect_eq(cells_of(c, "P02"), 0);
    cr_expect_eq(sow_cells_of(NULL, &c->cells->table, q, c->here->target), 0);
    close_campaign(c);
    sow_config_destroy(config);
}

Test(cells_lab, need_not_say_their_context)
{
    cell_recipe reference = CELL_RECIPE, bench = {.seed = 7, .contexts = 1, .first = 0, .last = 10, .cells = 32, .controls = 40, .boost = 1, .drop_gene = -1, .no_line = 1};
    sow_config *config = NULL;
    sow_record_summary summary;
    sow_campaign *c = at_the_bench(&config, "min_cells_per_perturbation: 4", &reference);
    write_cells("bench.h5ad", &bench);
    MUST(sow_campaign_record(c, scratch_path("bench.h5ad"), 1, &summary, NULL, &err));
    cr_expect_eq(cells_of(c, "P04"), 32);
    close_campaign(c);
    sow_config_destroy(config);
}

/* The bench's file may hold other lines too: they are not the target. */
Test(cells_lab, of_another_context_are_not_taken_for_the_target)
{
    cell_recipe reference = CELL_RECIPE, bench = {.seed = 7, .contexts = 2, .first = 0, .last = 10, .cells = 32, .controls = 40, .boost = 1, .drop_gene = -1};
    sow_config *config = NULL;
    sow_record_summary summary;
    sow_campaign *c = at_the_bench(&config, "min_cells_per_perturbation: 4", &reference);
    write_cells("bench.h5ad", &bench);
    MUST(sow_campaign_record(c, scratch_path("bench.h5ad"), 1, &summary, NULL, &err));
    cr_expect_eq(cells_of(c, "P04"), 32);
    cr_expect_eq(c->here->controls[0].n_control, 40);
    close_campaign(c);
    sow_config_destroy(config);
}

Test(cells_lab, may_lack_a_gene_that_does_not_count)
{
    cell_recipe reference = CELL_RECIPE, bench = {.seed = 7, .contexts = 1, .first = 0, .last = 10, .cells = 32, .controls = 40, .boost = 1, .drop_gene = -1};
    sow_config *config = NULL;
    sow_record_summary summary;
    sow_campaign *c = at_the_bench(&config, "min_cells_per_perturbation: 4, min_cells_per_gene: 900", &reference); /* genes of the lowest rate fall short */
    write_cells("bench.h5ad", &bench);
    MUST(sow_campaign_record(c, scratch_path("bench.h5ad"), 1, &summary, NULL, &err));
    sow_index gene = sow_names_find(c->cells->table.genes, "g20");
    cr_assert(gene >= 0 && !c->cells->space.counted[gene]);
    MUST(sow_campaign_plan(c, NULL, &err));
    bench.seed = 8;
    bench.drop_gene = 20;
    write_cells("narrow.h5ad", &bench);
    MUST(sow_campaign_record(c, scratch_path("narrow.h5ad"), 1, &summary, NULL, &err));
    close_campaign(c);
    c = open_campaign(config, SOW_CAMPAIGN_WRITE, "lab");
    cr_expect(c->round[1].evaluated);
    close_campaign(c);
    sow_config_destroy(config);
}

Test(cells_lab, that_were_changed_after_they_were_recorded_are_refused)
{
    cell_recipe reference = CELL_RECIPE, bench = {.seed = 7, .contexts = 1, .first = 0, .last = 10, .cells = 32, .controls = 40, .boost = 1, .drop_gene = -1};
    sow_config *config = NULL;
    sow_record_summary summary;
    sow_campaign *c = at_the_bench(&config, "min_cells_per_perturbation: 4", &reference);
    write_cells("bench.h5ad", &bench);
    MUST(sow_campaign_record(c, scratch_path("bench.h5ad"), 1, &summary, NULL, &err));
    char kept[400];
    snprintf(kept, sizeof kept, "lab/%s", strstr(c->cells->recorded[0], "cells/"));
    close_campaign(c);
    bench.seed = 8;
    write_cells(kept, &bench);
    sow_campaign_options options = {.mode = SOW_CAMPAIGN_READ, .dir = scratch_path("lab")};
    cr_expect_eq(sow_campaign_open(&c, config, &options, NULL, &err), SOW_E_DATA);
    cr_expect(strstr(err.message, "this is not what was recorded") != NULL, "%s", err.message);
    sow_config_destroy(config);
}

Test(cells_lab, that_were_measured_do_not_fail_by_a_later_file)
{
    cell_recipe reference = CELL_RECIPE, bench = {.seed = 7, .contexts = 1, .first = 0, .last = 0, .cells = 32, .controls = 40, .boost = 1, .drop_gene = -1};
    sow_config *config = NULL;
    sow_record_summary summary;
    sow_campaign *c = at_the_bench(&config, "min_cells_per_perturbation: 4", &reference);
    sow_index q = c->round[0].pick[0].perturbation;
    bench.first = atoi(sow_i_name(c, q) + 1); /* one of the four that are planned: the round goes on */
    bench.last = bench.first + 1;
    write_cells("bench.h5ad", &bench);
    MUST(sow_campaign_record(c, scratch_path("bench.h5ad"), 0, &summary, NULL, &err));
    q = c->round[0].pick[0].perturbation;
    sow_outcome outcome = c->round[0].pick[0].outcome;
    cr_assert(outcome == SOW_MEASURED || outcome == SOW_PARTIAL);
    /* as a file with too few of its cells is written down */
    MUST(sow_i_commit(c, "measured", 0, json_pack("{s:s,s:[{s:s,s:i}]}", "source", "record", "results", "perturbation", sow_i_name(c, q), "outcome", (int)SOW_FAILED), &err));
    cr_expect_eq(c->round[0].pick[0].outcome, outcome);
    cr_expect(c->here->item[q].values && c->here->item[q].status != SOW_LOST);
    close_campaign(c);
    sow_config_destroy(config);
}

static sow_campaign *asked_again(sow_config **config, const char *features, sow_status *st)
{
    char wanted[120];
    snprintf(wanted, sizeof wanted, "features: {%s}", features);
    char *listed = replaced(cells_yaml, "file: cells.h5ad", "file: list.csv");
    char *asked = replaced(listed, "oracle: {kind: replay, held_out: {count: 4}}", "oracle: {kind: lab}");
    char *filtered = replaced(asked, "features: {min_cells_per_perturbation: 4}", wanted);
    sow_campaign *c = NULL;
    sow_campaign_options options = {.mode = SOW_CAMPAIGN_WRITE, .dir = scratch_path("lab")};
    *config = read_config(filtered);
    *st = sow_campaign_open(&c, *config, &options, NULL, &err);
    free(listed);
    free(asked);
    free(filtered);
    return c;
}

Test(cells_lab, let_features_that_no_space_can_be_fitted_with_be_put_right)
{
    cell_recipe reference = CELL_RECIPE, bench = {.seed = 7, .contexts = 1, .first = 0, .last = 10, .cells = 32, .controls = 40, .boost = 1, .drop_gene = -1};
    sow_config *config = NULL;
    sow_record_summary summary;
    sow_status st = SOW_OK;
    sow_campaign *c = at_the_bench(&config, "min_cells_per_perturbation: 4, min_cells_per_gene: 5000", &reference);
    write_cells("bench.h5ad", &bench);
    cr_expect_eq(sow_campaign_record(c, scratch_path("bench.h5ad"), 1, &summary, NULL, &err), SOW_E_DATA);
    cr_expect(strstr(err.message, "lower features.min_cells_per_gene") != NULL, "%s", err.message);
    sow_campaign_abandon(c);
    sow_config_destroy(config);
    c = asked_again(&config, "min_cells_per_perturbation: 5, min_cells_per_gene: 3", &st);
    cr_expect_eq(st, SOW_E_CONFIG); /* cells that count are another matter */
    sow_config_destroy(config);
    c = asked_again(&config, "min_cells_per_perturbation: 4, min_cells_per_gene: 3", &st);
    cr_assert_eq(st, SOW_OK, "%s", err.message);
    cr_expect(c->cells->frozen && c->round[0].evaluated);
    close_campaign(c);
    sow_config_destroy(config);
    c = asked_again(&config, "min_cells_per_perturbation: 4, min_cells_per_gene: 4", &st); /* now there is a space */
    cr_expect_eq(st, SOW_E_CONFIG);
    cr_expect(strstr(err.message, "'features.min_cells_per_gene' differs") != NULL, "%s", err.message);
    sow_config_destroy(config);
    c = asked_again(&config, "min_cells_per_perturbation: 4, min_cells_per_gene: 3", &st);
    cr_assert_eq(st, SOW_OK, "%s", err.message);
    close_campaign(c);
    sow_config_destroy(config);
}

/* Where rounds overlap, the second may be sequenced first: its cells are compared with its own controls, and both rounds are judged once the first is there too. */
Test(cells_lab, of_overlapping_rounds_come_in_any_order)
{
    cell_recipe reference = CELL_RECIPE, bench = {.seed = 7, .contexts = 1, .first = 3, .last = 7, .cells = 32, .controls = 40, .boost = 1, .drop_gene = -1};
    sow_record_summary summary;
    char list[400] = "gene,line\n", *text[3];
    for (int i = 0; i < C_PERTURBATIONS; i++)
        sprintf(list + strlen(list), "P%02d,here\n", i);
    scratch_write("list.csv", list);
    text[0] = replaced(cells_yaml, "file: cells.h5ad", "file: list.csv");
    text[1] = replaced(text[0], "oracle: {kind: replay, held_out: {count: 4}}", "oracle: {kind: lab}");
    text[2] = replaced(text[1], "batches: [3, 2]}\n", "batches: [3]}\nconstraints: {include: [P03, P04, P05, P06], exclude: {names: [P00, P01, P02, P10, P11, P12, P13]}}\n"
                                                      "costs: {weeks_per_round: 6, weeks_between_rounds: 4}\n");
    write_cells("cells.h5ad", &reference);
    sow_config *config = read_config(text[2]);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, "lab");
    MUST(sow_campaign_plan(c, NULL, &err));
    MUST(sow_campaign_plan(c, NULL, &err));
    write_cells("first.h5ad", &bench);
    bench.first = 7;
    bench.last = 10;
    bench.controls = 30;
    bench.seed = 8;
    write_cells("second.h5ad", &bench);
    bench.first = 3;
    write_cells("both.h5ad", &bench);
    cr_expect_eq(sow_campaign_record(c, scratch_path("both.h5ad"), 0, &summary, NULL, &err), SOW_E_DATA);
    cr_expect(strstr(err.message, "record them as two files"), "%s", err.message);
    MUST(sow_campaign_record(c, scratch_path("second.h5ad"), 0, &summary, NULL, &err));
    cr_expect(summary.recorded == 3 && summary.unplanned == 0 && summary.pending == 0);
    cr_expect(c->here->controls[0].n_control == 0 && c->here->controls[1].n_control == 30);
    cr_expect_eq(sow_campaign_rounds_open(c), 2);
    MUST(sow_campaign_record(c, scratch_path("first.h5ad"), 0, &summary, NULL, &err));
    cr_expect(summary.recorded == 4 && summary.unplanned == 0);
    cr_expect(c->here->controls[0].n_control == 40 && c->here->controls[1].n_control == 30);
    cr_expect_eq(c->here->item[sow_names_find(c->screen->perturbations, "P08")].round, 1);
    cr_expect(c->round[0].evaluated && c->round[1].evaluated);
    cr_expect_eq(sow_campaign_next_step(c), SOW_NEXT_NOTHING);
    close_campaign(c);
    for (int i = 0; i < 3; i++) free(text[i]);
    sow_config_destroy(config);
}
