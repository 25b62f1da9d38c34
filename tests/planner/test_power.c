/* `sower power` from inside: what it counts, and that it survives memory running out. */
#include "planner/power.h"

#include "cells_fixture.h"
#include "contexts_fixture.h"
#include "core/memory.h"
#include "core/threads.h"

TestSuite(power_command, .init = scratch_create, .fini = scratch_remove);

static sow_error err;

static const char *const screen_yaml = "sower: 1\nname: c\nseed: 2\ndata:\n  sources:\n"
                                      "    - {file: cells.h5ad, role: target, context: {column: line}, contexts: [here], perturbation: {column: gene, control: nt}, technical_batch: lane}\n"
                                      "readout: {kind: cells}\nfeatures: {min_cells_per_perturbation: 8, min_genes_per_cell: 1}\nmodel: {kind: train-mean}\nacquisition: {strategy: random}\n"
                                      "rounds: {initial: {size: 4, strategy: random}, batches: [3]}\noracle: {kind: replay, held_out: {count: 2}}\n"
                                      "design: {guides_per_target: 2, cells_per_perturbation: 20, control_share: 0.2, reads_per_cell: 1000}\n"
                                      "costs: {per_round: 100, per_guide: 3, per_cell: 0.5}\n";

static sow_status ask(json_t **said, const char *yaml, const sow_power_options *o, const sow_env *env)
{
    sow_config *config = yaml ? read_config(yaml) : NULL;
    char *json = NULL;
    err = (sow_error){0};
    const sow_status st = sow_power_report(&json, config, o, env, &err);
    if (said) *said = json ? json_loads(json, 0, NULL) : NULL;
    free(json);
    sow_config_destroy(config);
    return st;
}

static double number(const json_t *j, const char *key)
{
    return json_number_value(json_object_get(j, key));
}

Test(power_command, plans_with_the_campaigns_design_controls_and_prices)
{
    const cell_recipe r = CELL_RECIPE;
    sow_power_options o = SOW_POWER_OPTIONS_INIT;
    json_t *said = NULL;
    write_cells("cells.h5ad", &r);
    o.levels = 4;
    MUST(ask(&said, screen_yaml, &o, NULL));
    cr_expect(number(said, "baseline_cells") == C_CONTROLS && number(said, "guides_per_target") == 2 && number(said, "genes_tested") == C_GENES);
    const json_t *designs = json_object_get(said, "designs"), *own = json_array_get(designs, 2);
    cr_expect(json_array_size(designs) == 5 && number(own, "cells") == 20 && number(json_array_get(designs, 0), "cells") == 5 && number(json_array_get(designs, 4), "cells") == 80);
    cr_expect_eq(number(own, "controls"), 20, "a fifth of the round's cells: 4 x 20 x .2 / .8");
    cr_expect_float_eq(number(own, "cost"), 2 * 3 + 20 / 0.8 * 0.5, 1e-9);
    cr_expect_float_eq(number(own, "round_cost"), 100 + 4 * 2 * 3 + 100 * 0.5, 1e-9);
    double before = 0;
    for (size_t i = 0; i < 5; i++) {
        const json_t *level = json_array_get(json_object_get(json_array_get(designs, i), "levels"), 0);
        cr_expect(number(level, "power") > before, "more cells, more power");
        before = number(level, "power");
        const json_t *last = json_array_get(json_object_get(json_array_get(designs, i), "levels"), 3);
        cr_expect(number(last, "power") < before + 1e-12 && number(last, "mean_umis") < number(level, "mean_umis"));
    }
    cr_expect(json_object_get(said, "replicates") != NULL);
    cr_expect(number(json_object_get(said, "replicates"), "perturbations") == C_PERTURBATIONS - 1, "P02 has too few cells to be halved");
    cr_expect(number(json_object_get(said, "replicates"), "median_correlation") > 0.5, "%g", number(json_object_get(said, "replicates"), "median_correlation"));
    json_decref(said);
}

Test(power_command, looks_back_at_a_round_with_the_cells_that_came)
{
    const cell_recipe r = CELL_RECIPE;
    sow_power_options o = SOW_POWER_OPTIONS_INIT;
    json_t *said = NULL;
    write_cells("cells.h5ad", &r);
    sow_config *config = read_config(screen_yaml);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, "r");
    MUST(sow_campaign_plan(c, NULL, &err));
    MUST(sow_campaign_measure(c, NULL, &err));
    o.of_round = 1;
    o.dir = scratch_path("r");
    char *csv = strdup(scratch_path("p.csv")), *dir = strdup(o.dir);
    close_campaign(c);
    o.dir = dir;
    o.file = csv;
    MUST(ask(&said, screen_yaml, &o, NULL));
    const json_t *rows = json_object_get(said, "perturbations");
    cr_expect_eq(json_array_size(rows), 4);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const int is_small = strcmp(json_string_value(json_object_get(row, "perturbation")), "P02") == 0;
        cr_expect(number(row, "cells") == (is_small ? 18 : 20) && number(row, "planned_cells") == 20);
    }
    cr_expect(number(said, "controls") >= 16);
    cr_expect(strncmp(scratch_read(csv), "round,context,perturbation,cells,planned_cells,controls,level,", 60) == 0);
    json_decref(said);
    o.round = 1;
    cr_expect_eq(ask(NULL, screen_yaml, &o, NULL), SOW_E_CONFIG);
    cr_expect(strstr(err.message, "--round 1: it is not planned yet; measured: 0") != NULL, "%s", err.message);
    o.round = 7;
    cr_expect_eq(ask(NULL, screen_yaml, &o, NULL), SOW_E_CONFIG);
    cr_expect(strstr(err.message, "there is no such round; measured: 0") != NULL, "%s", err.message);
    sow_config_destroy(config);
    free(csv);
    free(dir);
}

Test(power_command, says_the_same_with_any_number_of_threads)
{
    const cell_recipe r = CELL_RECIPE;
    const sow_power_options o = SOW_POWER_OPTIONS_INIT;
    char *text[2];
    write_cells("cells.h5ad", &r);
    for (int k = 0; k < 2; k++) {
        sow_env env = {0};
        MUST(sow_threads_create(&env.threads, 1 + 2 * k, &err));
        sow_config *config = read_config(screen_yaml);
        MUST(sow_power_report(&text[k], config, &o, &env, &err));
        sow_config_destroy(config);
        sow_threads_destroy(env.threads);
    }
    cr_expect_str_eq(text[0], text[1]);
    free(text[0]);
    free(text[1]);
}

Test(power_command, survives_memory_running_out)
{
    const cell_recipe r = CELL_RECIPE;
    sow_power_options o = SOW_POWER_OPTIONS_INIT;
    sow_config *config = NULL;
    sow_status st = SOW_E_NOMEM;
    int failures = 0;
    write_cells("cells.h5ad", &r);
    config = read_config(screen_yaml);
    o.n_cells = 1;
    o.cells[0] = 20;
    o.levels = 2;
    for (sow_index n = 0; st != SOW_OK; n += 1 + n / 12) {
        char *json = NULL;
        err = (sow_error){0};
        sow_memory_fail_after(n);
        st = sow_power_report(&json, config, &o, NULL, &err);
        sow_memory_fail_after(-1);
        failures += st != SOW_OK;
        if (st != SOW_OK) cr_assert(st == SOW_E_NOMEM && !json, "allocation %lld: %s: %s", (long long)n, sow_status_name(st), err.message);
        free(json);
    }
    cr_expect_gt(failures, 15);
    sow_config_destroy(config);
}
