/* MORPH on screens that are not complete: perturbations without a row in some prior, and a lab's list that grows. */
#include "planner/cells_internal.h"

#include "cells_fixture.h"

TestSuite(morph_screens, .init = scratch_create, .fini = scratch_remove);

static sow_error err;

#define SMALL_MORPH "kind: morph, epochs: 3, batch: 8, latent_cell: 4, latent_perturbation: 5, programs: 4, program_dim: 3, hidden: 8, encoder: 16"

static void write_prior(const char *name, int n, double shift)
{
    char text[2048] = "gene,x,y\n";
    for (int i = 0; i < n; i++)
        sprintf(text + strlen(text), "P%02d,%.4f,%.4f\n", i, sin(i * 0.7 + shift), cos(i * 0.7 + shift));
    scratch_write(name, text);
}

static char *with(const char *yaml, const char *const changes[][2], int n)
{
    char *text = strdup(yaml);
    for (int i = 0; i < n; i++) {
        char *next = replaced(text, changes[i][0], changes[i][1]);
        free(text);
        text = next;
    }
    return text;
}

/* Three experts, one of which knows fewer: those are in the pool, for another prior has a row. */
Test(morph_screens, an_oracle_of_losses_takes_perturbations_that_the_model_does_not_know_last)
{
    static const char *const changes[][2] = {{"kind: gp, iterations: 8, components: 4", SMALL_MORPH ", variant: moe"},
                                             {"strategy: max-variance", "strategy: loss-oracle"},
                                             {"[{name: layout, file: layout.csv}]", "[{name: a, file: a.csv}, {name: b, file: b.csv}, {name: few, file: few.csv}]"}};
    cell_recipe recipe = CELL_RECIPE;
    write_cells("cells.h5ad", &recipe);
    write_prior("a.csv", C_PERTURBATIONS, 0);
    write_prior("b.csv", C_PERTURBATIONS, 1);
    write_prior("few.csv", 11, 2);
    char *yaml = with(cells_yaml, changes, 3);
    sow_config *config = read_config(yaml);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, "moe");
    int unknown = 0, drawn = 0;
    for (sow_index q = 11; q < C_PERTURBATIONS; q++) unknown += c->here->in_pool[q];
    cr_assert_gt(unknown, 0);
    MUST(sow_campaign_run(c, NULL, &err));
    for (sow_index r = 1; r < c->n_rounds; r++)
        for (sow_index i = 0; i < c->round[r].n; i++) drawn += strstr(c->round[r].pick[i].reason, "true loss is not known") != NULL;
    cr_expect_leq(drawn, unknown);
    close_campaign(c);
    sow_config_destroy(config);
    free(yaml);
}

Test(morph_screens, experts_of_gene_sets_are_refused_before_anything_is_planned)
{
    static const char *const changes[][2] = {{"kind: gp, iterations: 8, components: 4", SMALL_MORPH ", variant: moe"},
                                             {"strategy: max-variance", "strategy: uncertainty"},
                                             {"[{name: layout, file: layout.csv}]", "[{name: a, file: a.csv}, {name: b, file: b.csv}, {name: sets, file: sets.gmt}]"}};
    cell_recipe recipe = CELL_RECIPE;
    sow_campaign *c = NULL;
    sow_campaign_options options = {.mode = SOW_CAMPAIGN_CHECK};
    write_cells("cells.h5ad", &recipe);
    write_prior("a.csv", C_PERTURBATIONS, 0);
    write_prior("b.csv", C_PERTURBATIONS, 1);
    scratch_write("sets.gmt", "one\tx\tP00\tP01\tP02\ntwo\tx\tP03\tP04\tP05\n");
    char *yaml = with(cells_yaml, changes, 3);
    sow_config *config = read_config(yaml);
    cr_expect_eq(sow_campaign_open(&c, config, &options, NULL, &err), SOW_E_CONFIG);
    cr_expect(strstr(err.message, "'sets' is a collection of sets; choose three others by model.prior") != NULL, "%s", err.message);
    sow_config_destroy(config);
    free(yaml);
}

static void write_list(int n)
{
    char list[400] = "gene,line\n";
    for (int i = 0; i < n; i++) sprintf(list + strlen(list), "P%02d,here\n", i);
    scratch_write("list.csv", list);
}

Test(morph_screens, a_list_of_candidates_that_grows_does_not_stop_a_lab)
{
    static const char *const changes[][2] = {{"file: cells.h5ad", "file: list.csv"},
                                             {"oracle: {kind: replay, held_out: {count: 4}}", "oracle: {kind: lab}"},
                                             {"kind: gp, iterations: 8, components: 4", SMALL_MORPH},
                                             {"strategy: max-variance", "strategy: uncertainty"}};
    cell_recipe reference = CELL_RECIPE, bench = {.seed = 7, .contexts = 1, .first = 0, .last = 10, .cells = 32, .controls = 40, .boost = 1, .drop_gene = -1};
    sow_record_summary summary;
    write_cells("cells.h5ad", &reference);
    write_prior("layout.csv", C_PERTURBATIONS, 0);
    write_list(10);
    char *yaml = with(cells_yaml, changes, 4);
    sow_config *config = read_config(yaml);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, "lab");
    MUST(sow_campaign_plan(c, NULL, &err));
    write_cells("bench.h5ad", &bench);
    MUST(sow_campaign_record(c, scratch_path("bench.h5ad"), 1, &summary, NULL, &err));
    cr_assert(sow_file_exists(scratch_path("lab/rounds/00/model.h5")));
    close_campaign(c);
    write_list(C_PERTURBATIONS);
    c = open_campaign(config, SOW_CAMPAIGN_WRITE, "lab");
    cr_assert_eq(sow_campaign_plan(c, NULL, &err), SOW_OK, "%s", err.message);
    bench.seed = 8;
    bench.last = C_PERTURBATIONS;
    write_cells("more.h5ad", &bench);
    MUST(sow_campaign_record(c, scratch_path("more.h5ad"), 1, &summary, NULL, &err));
    cr_expect(c->round[1].evaluated);
    close_campaign(c);
    sow_config_destroy(config);
    free(yaml);
}

/* The pool decides how priors are scaled, and rules may change between rounds. */
Test(morph_screens, a_rule_that_comes_later_does_not_stop_a_campaign)
{
    static const char *const changes[][2] = {{"kind: gp, iterations: 8, components: 4", SMALL_MORPH}, {"strategy: max-variance", "strategy: uncertainty"}};
    cell_recipe recipe = CELL_RECIPE;
    write_cells("cells.h5ad", &recipe);
    write_prior("layout.csv", C_PERTURBATIONS, 0);
    char *yaml = with(cells_yaml, changes, 2), *stricter = NULL;
    sow_config *config = read_config(yaml);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, "ruled");
    MUST(sow_campaign_plan(c, NULL, &err));
    MUST(sow_campaign_measure(c, NULL, &err));
    for (sow_index q = 0; q < c->n && !stricter; q++)
        if (c->here->in_pool[q] && c->here->item[q].status == SOW_FREE) {
            char rule[120];
            snprintf(rule, sizeof rule, "constraints: {exclude: [{names: [%s], reason: toxic}]}\nevaluation:", sow_i_name(c, q));
            stricter = replaced(yaml, "evaluation:", rule);
        }
    close_campaign(c);
    sow_config_destroy(config);
    config = read_config(stricter);
    c = open_campaign(config, SOW_CAMPAIGN_WRITE, "ruled");
    cr_expect_eq(sow_campaign_plan(c, NULL, &err), SOW_OK, "%s", err.message);
    close_campaign(c);
    sow_config_destroy(config);
    free(stricter);
    free(yaml);
}

/* What the model would refuse after the first round is refused when the file is read. */
Test(morph_screens, options_out_of_range_are_refused_with_the_file)
{
    static const char *const wrong[] = {", members: 65", ", validation: 0.95", ", patience: 100001", ", batch: 1", ", kernels: 31", ", latent_perturbation: 257"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char model[200];
        snprintf(model, sizeof model, "kind: morph%s", wrong[i]);
        char *yaml = replaced(cells_yaml, "kind: gp, iterations: 8, components: 4", model);
        sow_config *config = NULL;
        scratch_write("c.yaml", yaml);
        cr_expect_eq(sow_config_read(&config, NULL, scratch_path("c.yaml"), NULL, 0, &err), SOW_E_CONFIG, "%s", wrong[i]);
        sow_config_destroy(config);
        free(yaml);
    }
}
