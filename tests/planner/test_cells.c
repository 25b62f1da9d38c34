/* Campaigns on cells, from the event of a draw to metrics and report. */
#include "planner/cells_internal.h"

#include "cells_fixture.h"

TestSuite(cells, .init = scratch_create, .fini = scratch_remove);

static sow_error err;

static sow_config *config_of(const char *yaml, const cell_recipe *recipe)
{
    write_cells("cells.h5ad", recipe);
    return read_config(yaml);
}

static void play(const char *yaml, const cell_recipe *recipe, const char *folder)
{
    sow_config *config = config_of(yaml, recipe);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, folder);
    MUST(sow_campaign_run(c, NULL, &err));
    close_campaign(c);
    sow_config_destroy(config);
}

/* Payload of the k-th event of a kind; new reference. */
static json_t *event(const sow_campaign *c, const char *kind, int k)
{
    sow_index n = 0;
    const sow_event *events = sow_store_events(c->store, &n);
    for (sow_index i = 0; i < n; i++)
        if (strcmp(events[i].kind, kind) == 0 && k-- == 0) return json_loads(events[i].payload, 0, NULL);
    return NULL;
}

Test(cells, are_handed_out_once_and_no_more_than_planned)
{
    cell_recipe recipe = CELL_RECIPE;
    sow_config *config = config_of(cells_yaml, &recipe);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, "r");
    MUST(sow_campaign_run(c, NULL, &err));
    unsigned char *seen = calloc((size_t)c->cells->table.n, 1);
    int measured = 0;
    for (sow_index q = 0; q < c->n; q++) {
        sow_index got = 0;
        for (sow_index k = 0; k < c->here->item[q].n_draws; k++)
            for (sow_index i = 0; i < c->here->item[q].draw[k].n; i++, got++) {
                sow_index cell = c->here->item[q].draw[k].cell[i];
                cr_expect(!seen[cell], "cell %d twice", (int)cell);
                seen[cell] = 1;
                cr_expect_eq(c->cells->table.perturbation[cell], q);
                cr_expect_eq(c->cells->table.context[cell], c->here->target);
            }
        measured += got > 0;
        cr_expect_leq(got, 30);
        int few = strcmp(sow_i_name(c, q), "P02") == 0;
        if (got > 0) cr_expect_eq(c->here->item[q].status, few ? SOW_DONE_PARTIAL : SOW_DONE, "%s", sow_i_name(c, q));
        if (got > 0) cr_expect_eq(got, few ? 18 : 30);
        if (c->here->held_out[q]) cr_expect_eq(got, 0);
    }
    cr_expect_eq(measured, 9);
    for (sow_index r = 0; r < 3; r++) {
        cr_expect_geq(c->here->controls[r].n_control, 16);
        for (sow_index i = 0; i < c->here->controls[r].n_control; i++) {
            cr_expect(!seen[c->here->controls[r].control[i]]);
            seen[c->here->controls[r].control[i]] = 1;
            cr_expect_eq(c->cells->table.perturbation[c->here->controls[r].control[i]], SOW_CONTROL);
        }
    }
    free(seen);
    close_campaign(c);
    sow_config_destroy(config);
}

/* Times a name stands in the batches of a campaign's rounds. */
static int times_planned(const char *folder, const char *name, int n_rounds)
{
    char path[64], wanted[32];
    int n = 0;
    snprintf(wanted, sizeof wanted, ",%s,", name);
    for (int r = 0; r < n_rounds; r++) {
        snprintf(path, sizeof path, "%s/rounds/%02d/batch.csv", folder, r);
        for (const char *at = scratch_read(scratch_path(path)); (at = strstr(at, wanted)); at++)
            n++;
    }
    return n;
}

/* A simulated lab that loses samples, so that perturbations are planned again: over all rounds no cell comes twice, and all cells of a perturbation are there for its second time. */
Test(cells, of_a_simulated_lab_are_drawn_without_return)
{
    static const char yaml[] =
        "sower: 1\nname: c\nseed: 4\nreadout: {kind: cells}\n"
        "oracle: {kind: generative, perturbations: 20, genes: 40, modules: 4, programs: 3, controls: 400, cells: 40, prior_dims: 4, guides: 2, technical_batches: 2, doublets: 0.1, samples: 2, lost_samples: 0.5, held_out: {count: 0}}\n"
        "model: {kind: train-mean}\nacquisition: {strategy: random}\nrounds: {initial: {size: 4, strategy: random}, batches: [4, 4, 4, 4]}\n"
        "features: {min_cells_per_perturbation: 2}\ndesign: {cells_per_perturbation: 30, control_share: 0.2}\n";
    sow_config *config = read_config(yaml);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, "r");
    MUST(sow_campaign_run(c, NULL, &err));
    unsigned char *seen = calloc((size_t)c->cells->table.n, 1);
    int again = 0, measured = 0;
    for (sow_index q = 0; q < c->n; q++) {
        sow_index got = 0;
        for (sow_index k = 0; k < c->here->item[q].n_draws; k++)
            for (sow_index i = 0; i < c->here->item[q].draw[k].n; i++, got++) {
                const sow_index cell = c->here->item[q].draw[k].cell[i];
                cr_expect(!seen[cell], "cell %d twice", (int)cell);
                seen[cell] = 1;
                cr_expect_eq(c->cells->table.perturbation[cell], q);
            }
        const sow_index has = sow_cells_of(NULL, &c->cells->table, q, c->here->target);
        if (got > 0) cr_expect_eq(got, has < 30 ? has : 30, "%s has %d of %d", sow_i_name(c, q), (int)got, (int)has);
        measured += got > 0;
        again += got > 0 && times_planned("r", sow_i_name(c, q), 5) > 1;
    }
    cr_expect(measured > 4 && again > 0, "%d measured, %d of them after a sample was lost", measured, again);
    for (sow_index r = 0; r < 5; r++)
        for (sow_index i = 0; i < c->here->controls[r].n_control; i++) {
            cr_expect(!seen[c->here->controls[r].control[i]], "control %d twice", (int)c->here->controls[r].control[i]);
            seen[c->here->controls[r].control[i]] = 1;
        }
    free(seen);
    close_campaign(c);
    sow_config_destroy(config);
}

/* log1p of counts scaled to the space's sum, by hand. */
static double prepared(const sow_campaign *c, const cell_screen *s, int cell, int gene)
{
    int total = 0;
    for (int g = 0; g < C_GENES; g++)
        total += s->count[cell][g];
    return log1p(s->count[cell][gene] * c->cells->space.target_sum / total);
}

Test(cells, are_compared_with_the_controls_of_their_own_round_and_batch)
{
    cell_recipe recipe = CELL_RECIPE;
    sow_config *config = config_of(cells_yaml, &recipe);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, "r");
    MUST(sow_campaign_run(c, NULL, &err));
    const cell_screen *s = make_cells(&recipe);
    const sow_cells *t = &c->cells->table;
    cr_assert_eq(c->d, C_GENES);
    for (sow_index q = 0; q < c->n; q++) {
        if (c->here->item[q].n_draws == 0) continue;
        const sow_i_draw *draw = &c->here->item[q].draw[0];
        const sow_i_controls *r = &c->here->controls[draw->round];
        for (int g = 0; g < C_GENES; g++) {
            double sum = 0;
            for (int b = 0; b < 2; b++) {
                double cells = 0, controls = 0;
                int n = 0, m = 0;
                for (sow_index i = 0; i < draw->n; i++) {
                    int row = (int)t->row[draw->cell[i]];
                    if (s->batch[row] != b) continue;
                    cells += prepared(c, s, row, g);
                    n++;
                }
                for (sow_index i = 0; i < r->n_control; i++) {
                    int row = (int)t->row[r->control[i]];
                    if (s->batch[row] != b) continue;
                    controls += prepared(c, s, row, g);
                    m++;
                }
                cr_assert(m > 0);
                sum += cells - n * controls / m;
            }
            cr_expect(fabs(c->here->item[q].values[g] - sum / (double)draw->n) <= 1e-6, "%s gene %d: %g not %g", sow_i_name(c, q), g, c->here->item[q].values[g],
                      sum / (double)draw->n);
        }
    }
    close_campaign(c);
    sow_config_destroy(config);
}

Test(cells, of_held_out_and_unmeasured_perturbations_do_not_shape_the_space)
{
    cell_recipe one = CELL_RECIPE, two = CELL_RECIPE;
    json_t *space[2] = {NULL, NULL};
    char *yaml = replaced(cells_yaml, "role: reference, context: {column: line}, contexts: [other]", "role: reference, context: {column: line}, contexts: [other]");
    char *alone = replaced(yaml, "held_out: {count: 4}", "held_out: {list: held.txt}");
    scratch_write("held.txt", "P05\nP06\nP07\nP08\n");
    one.contexts = two.contexts = 1; /* the reference would show what it knows of P05 */
    two.boost = 9;
    char *no_reference = strdup(alone);
    char *from = strstr(no_reference, "    - {file: cells.h5ad, role: reference"), *to = strchr(from, '\n') + 1;
    memmove(from, to, strlen(to) + 1);
    for (int k = 0; k < 2; k++) {
        sow_config *config = config_of(no_reference, k ? &two : &one);
        sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, k ? "two" : "one");
        MUST(sow_campaign_run(c, NULL, &err));
        space[k] = event(c, "prepared", 0);
        cr_assert_not_null(space[k]);
        json_t *again = event(c, "prepared", 1);
        cr_expect_null(again, "fitted twice");
        close_campaign(c);
        sow_config_destroy(config);
    }
    cr_expect(json_equal(space[0], space[1]));
    json_decref(space[0]);
    json_decref(space[1]);
    free(yaml);
    free(alone);
    free(no_reference);
}

Test(cells, give_the_metrics_of_distributions_for_the_model_and_its_baselines)
{
    cell_recipe recipe = CELL_RECIPE;
    play(cells_yaml, &recipe, "r");
    const char *text = scratch_read(scratch_path("r/metrics.csv"));
    static const char *const wanted[] = {"gp,here,mmd_de", "gp,here,mmd_all", "gp,here,rmse_all", "gp,here,pearson_delta_de", "gp,here,pearson_delta_centred",
                                         "gp,here,direction_de", "gp,here,r2_all", "gp,here,recall_top20", "control,here,mmd_de", "train-mean,here,mmd_de",
                                         "source-shift,here,mmd_de", "two-way,here,mmd_de", "linear,here,mmd_de", "knn,here,mmd_de", ",all,cost"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        cr_expect(strstr(text, wanted[i]) != NULL, "no %s in\n%s", wanted[i], text);
    cr_expect(strstr(text, "additive") == NULL, "there is no combination");
}

Test(cells, come_out_the_same_when_every_step_is_a_process_of_its_own)
{
    cell_recipe recipe = CELL_RECIPE;
    play(cells_yaml, &recipe, "whole");
    sow_config *config = config_of(cells_yaml, &recipe);
    for (int step = 0; step < 6; step++) {
        sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, "steps");
        if (sow_campaign_next_step(c) == SOW_NEXT_PLAN) MUST(sow_campaign_plan(c, NULL, &err));
        else MUST(sow_campaign_measure(c, NULL, &err));
        close_campaign(c);
    }
    char *a = results_of("whole"), *b = results_of("steps");
    cr_expect_str_eq(a, b);
    free(a);
    free(b);
    sow_config_destroy(config);
}

/* Interrupted between two events: the callback asks to stop when the evaluation begins. */
static int stop_at_evaluation(void *user, const char *what, double fraction)
{
    (void)user;
    (void)fraction;
    return strcmp(what, "evaluating") == 0;
}

Test(cells, survive_an_interruption_after_the_space_was_recorded)
{
    cell_recipe recipe = CELL_RECIPE;
    play(cells_yaml, &recipe, "whole");
    sow_config *config = config_of(cells_yaml, &recipe);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, "stopped");
    sow_env env = {.progress = stop_at_evaluation};
    cr_assert_eq(sow_campaign_run(c, &env, &err), SOW_E_CANCELLED);
    sow_campaign_abandon(c);
    c = open_campaign(config, SOW_CAMPAIGN_WRITE, "stopped");
    MUST(sow_campaign_run(c, NULL, &err));
    close_campaign(c);
    char *a = results_of("whole"), *b = results_of("stopped");
    cr_expect_str_eq(a, b);
    free(a);
    free(b);
    sow_config_destroy(config);
}

Test(cells, have_new_controls_in_rounds_that_were_added)
{
    cell_recipe recipe = CELL_RECIPE;
    play(cells_yaml, &recipe, "r");
    char *longer = replaced(cells_yaml, "batches: [3, 2]", "batches: [3, 2, 1]");
    sow_config *config = config_of(longer, &recipe);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, "r");
    MUST(sow_campaign_run(c, NULL, &err));
    unsigned char *seen = calloc((size_t)c->cells->table.n, 1);
    cr_expect_gt(c->here->controls[3].n_control, 1);
    for (sow_index r = 0; r < 4; r++)
        for (sow_index i = 0; i < c->here->controls[r].n_control; i++) {
            cr_expect(!seen[c->here->controls[r].control[i]], "control %d twice", (int)c->here->controls[r].control[i]);
            seen[c->here->controls[r].control[i]] = 1;
        }
    free(seen);
    close_campaign(c);
    sow_config_destroy(config);
    free(longer);
}

static json_t *report_of(const char *yaml, const cell_recipe *recipe)
{
    sow_config *config = config_of(yaml, recipe);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, "r");
    char *text = NULL;
    MUST(sow_campaign_run(c, NULL, &err));
    MUST(sow_i_report_json(&text, c, &err));
    json_t *j = json_loads(text, 0, NULL);
    cr_assert_not_null(j);
    free(text);
    close_campaign(c);
    sow_config_destroy(config);
    return j;
}

Test(cells, are_reported_with_knockdown_and_differential_genes)
{
    cell_recipe recipe = CELL_RECIPE;
    json_t *j = report_of(cells_yaml, &recipe), *cells = json_object_get(j, "cells"), *row;
    cr_assert_not_null(cells);
    cr_expect_str_eq(json_string_value(json_object_get(j, "readout")), "cells");
    cr_expect_eq(json_integer_value(json_object_get(json_object_get(cells, "space"), "genes")), C_GENES);
    size_t i, partial = 0;
    cr_expect_eq(json_array_size(json_object_get(cells, "perturbations")), 9);
    json_array_foreach(json_object_get(cells, "perturbations"), i, row)
    {
        double knockdown = json_number_value(json_object_get(row, "knockdown"));
        cr_expect(knockdown > 0.4 && knockdown < 0.95, "%s: %g", json_string_value(json_object_get(row, "perturbation")), knockdown);
        cr_expect(json_number_value(json_object_get(row, "knockdown_low")) < knockdown && json_number_value(json_object_get(row, "knockdown_high")) > knockdown);
        cr_expect(json_integer_value(json_object_get(row, "de_genes")) >= 1, "%s", json_string_value(json_object_get(row, "perturbation")));
        int is_partial = strcmp(json_string_value(json_object_get(row, "outcome")), "partial") == 0;
        cr_expect_eq(is_partial, *json_string_value(json_object_get(row, "reason")) != '\0');
        partial += (size_t)is_partial;
    }
    cr_expect_leq(partial, 1);
    json_decref(j);
}

/* A response in nothing but the perturbation's own gene is no effect. */
Test(cells, effects_leave_out_the_own_gene)
{
    cell_recipe recipe = CELL_RECIPE;
    sow_config *config = config_of(cells_yaml, &recipe);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, "r");
    MUST(sow_campaign_run(c, NULL, &err));
    double y[C_GENES] = {0};
    sow_index q = sow_names_find(c->screen->perturbations, "P03"), own = sow_names_find(c->screen->features, "P03");
    cr_assert(q >= 0 && own >= 0);
    y[own] = -5;
    cr_expect_eq(sow_i_effect(c, q, y), 0.0);
    y[own == 0 ? 1 : 0] = 3;
    cr_expect_eq(sow_i_effect(c, q, y), 3.0);
    close_campaign(c);
    sow_config_destroy(config);
}

Test(cells, that_are_counts_are_not_taken_for_log1p_values)
{
    cell_recipe recipe = CELL_RECIPE;
    char *one = replaced(cells_yaml, "technical_batch: lane, values: counts}", "technical_batch: lane, values: log1p}");
    char *both = replaced(one, "control: nt}, technical_batch: lane}", "control: nt}, technical_batch: lane, values: log1p}");
    sow_config *config = config_of(both, &recipe);
    sow_campaign *c = NULL;
    sow_campaign_options options = {.mode = SOW_CAMPAIGN_CHECK, .argv = "test"};
    cr_assert_eq(sow_campaign_open(&c, config, &options, NULL, &err), SOW_E_DATA);
    cr_expect(strstr(err.message, "cells.h5ad: declared `values: log1p`, but they are whole numbers") != NULL, "%s", err.message);
    sow_config_destroy(config);
    free(one);
    free(both);
}

Test(cells, tell_whether_other_contexts_help)
{
    cell_recipe recipe = CELL_RECIPE;
    json_t *j = report_of(cells_yaml, &recipe), *contexts = json_object_get(json_object_get(j, "cells"), "contexts");
    cr_assert_not_null(contexts);
    cr_expect_str_eq(json_string_value(json_object_get(contexts, "verdict")), "help", "%s", json_string_value(json_object_get(contexts, "finding")));
    cr_expect_eq(json_array_size(json_object_get(contexts, "pairs")), 1);
    cr_expect_eq(json_array_size(json_object_get(contexts, "effects")), 9);
    json_decref(j);
}

Test(cells, of_too_few_are_not_in_the_pool_and_say_so)
{
    cell_recipe recipe = CELL_RECIPE;
    char *yaml = replaced(cells_yaml, "min_cells_per_perturbation: 4", "min_cells_per_perturbation: 20");
    sow_config *config = config_of(yaml, &recipe);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_CHECK, NULL);
    sow_index q = sow_names_find(c->screen->perturbations, "P02");
    cr_assert(q >= 0 && !c->here->eligible[q]);
    cr_expect_str_eq(c->here->why_not[q], "18 cells, fewer than features.min_cells_per_perturbation (20)");
    close_campaign(c);
    sow_config_destroy(config);
    free(yaml);
}

Test(cells, are_not_predicted_before_the_first_were_measured)
{
    cell_recipe recipe = CELL_RECIPE;
    char *yaml = replaced(cells_yaml, "strategy: random", "strategy: max-variance");
    sow_config *config = config_of(yaml, &recipe);
    sow_campaign *c = NULL;
    sow_campaign_options options = {.mode = SOW_CAMPAIGN_CHECK};
    cr_expect_eq(sow_campaign_open(&c, config, &options, NULL, &err), SOW_E_CONFIG);
    cr_expect(strstr(err.message, "rounds.initial.strategy 'max-variance' needs responses, and those of cells are known once round 0 is measured") != NULL, "%s",
              err.message);
    sow_config_destroy(config);
    free(yaml);
}

/* ---- a lab ---- */

static sow_campaign *at_the_bench(sow_config **config)
{
    cell_recipe recipe = CELL_RECIPE;
    char list[400] = "gene,line\n";
    for (int i = 0; i < C_PERTURBATIONS; i++)
        sprintf(list + strlen(list), "P%02d,here\n", i);
    scratch_write("list.csv", list);
    char *listed = replaced(cells_yaml, "file: cells.h5ad", "file: list.csv");
    char *asked = replaced(listed, "oracle: {kind: replay, held_out: {count: 4}}", "oracle: {kind: lab}");
    *config = config_of(asked, &recipe);
    sow_campaign *c = open_campaign(*config, SOW_CAMPAIGN_WRITE, "lab");
    MUST(sow_campaign_plan(c, NULL, &err));
    free(listed);
    free(asked);
    return c;
}

Test(cells, of_a_lab_are_kept_in_the_campaign_and_read_again)
{
    sow_config *config = NULL;
    sow_campaign *c = at_the_bench(&config);
    cell_recipe bench = {.seed = 7, .contexts = 1, .first = 0, .last = 10, .cells = 32, .controls = 40, .boost = 1, .drop_gene = -1};
    sow_record_summary summary;
    write_cells("bench.h5ad", &bench);
    int planned = 0;
    for (sow_index i = 0; i < c->round[0].n; i++)
        planned += atoi(sow_i_name(c, c->round[0].pick[i].perturbation) + 1) < 10;
    MUST(sow_campaign_record(c, scratch_path("bench.h5ad"), 1, &summary, NULL, &err));
    cr_expect_eq(summary.recorded, 10);
    cr_expect_eq(summary.unplanned, 10 - planned);
    cr_expect_eq(summary.failed, 4 - planned);
    cr_expect(c->cells->frozen && c->round[0].evaluated);
    cr_expect_eq(c->here->controls[0].n_control, 40);
    remove(scratch_path("bench.h5ad"));
    MUST(sow_campaign_plan(c, NULL, &err));
    close_campaign(c);
    c = open_campaign(config, SOW_CAMPAIGN_WRITE, "lab");
    cr_expect(c->cells->frozen && c->round[1].planned);
    sow_index q = sow_names_find(c->screen->perturbations, "P04");
    cr_assert_not_null(c->here->item[q].values);
    cr_expect(c->here->item[q].values[sow_names_find(c->screen->features, "g18")] > 0.3);
    close_campaign(c);
    sow_config_destroy(config);
}

Test(cells, of_a_lab_are_refused_whole_when_anything_is_wrong)
{
    sow_config *config = NULL;
    sow_campaign *c = at_the_bench(&config);
    cell_recipe bench = {.seed = 7, .contexts = 1, .first = 0, .last = 10, .cells = 32, .controls = 0, .boost = 1, .drop_gene = -1};
    sow_record_summary summary;
    write_cells("bad.h5ad", &bench);
    cr_expect_eq(sow_campaign_record(c, scratch_path("bad.h5ad"), 0, &summary, NULL, &err), SOW_E_DATA);
    cr_expect(strstr(err.message, "nt") != NULL, "%s", err.message);
    bench.controls = 40;
    write_cells("fine.h5ad", &bench);
    MUST(sow_campaign_record(c, scratch_path("fine.h5ad"), 1, &summary, NULL, &err));
    MUST(sow_campaign_plan(c, NULL, &err));
    bench.drop_gene = 20;
    bench.seed = 8;
    write_cells("narrow.h5ad", &bench);
    cr_expect_eq(sow_campaign_record(c, scratch_path("narrow.h5ad"), 0, &summary, NULL, &err), SOW_E_DATA);
    cr_expect(strstr(err.message, "gene 'g20' of the campaign's response space is missing") != NULL, "%s", err.message);
    MUST(sow_campaign_record(c, scratch_path("fine.h5ad"), 0, &summary, NULL, &err));
    cr_expect(summary.known);
    cr_expect(!c->round[1].evaluated);
    close_campaign(c);
    sow_config_destroy(config);
}
