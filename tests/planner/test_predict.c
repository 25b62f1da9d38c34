/* What is written of a campaign's predictions: against the model asked directly. */
#include <unistd.h>

#include "core/memory.h"
#include "io/h5ad.h"
#include "planner/cells_internal.h"

#include "cells_fixture.h"

TestSuite(predict, .init = scratch_create, .fini = scratch_remove);

static sow_error err;

static sow_campaign *played(sow_config **config, const char *yaml)
{
    const cell_recipe recipe = CELL_RECIPE;
    write_cells("cells.h5ad", &recipe);
    *config = read_config(yaml);
    sow_campaign *c = open_campaign(*config, SOW_CAMPAIGN_WRITE, "r");
    MUST(sow_campaign_run(c, NULL, &err));
    close_campaign(c);
    return open_campaign(*config, SOW_CAMPAIGN_READ, "r");
}

static sow_h5ad *predicted(sow_campaign *c, sow_index cells)
{
    const sow_prediction_options o = {.cells = cells};
    char *file = NULL;
    sow_h5ad *a = NULL;
    MUST(sow_campaign_predict(&file, c, &o, NULL, &err));
    MUST(sow_h5ad_read(&a, file, 1, &err));
    free(file);
    return a;
}

/* Mean change of perturbation q as the model says it. */
static void ask_model(double *mean, double *var, sow_campaign *c, sow_index q)
{
    const sow_query query = {1, &q, &c->here->target, NULL};
    MUST(sow_i_fit(c, NULL, &err));
    MUST(sow_model_predict(c->here->model, &query, mean, var, NULL, NULL, &err));
}

static void check_obs(const sow_h5ad *a, const sow_campaign *c, sow_index each)
{
    int measured = 0;
    for (sow_index i = 0; i < a->n_obs; i++) {
        const sow_index q = i / each;
        const char *status = sow_h5ad_obs(a, "status")->text[i];
        cr_expect_str_eq(sow_h5ad_obs(a, "perturbation")->text[i], sow_i_name(c, q));
        cr_expect_str_eq(sow_h5ad_obs(a, "context")->text[i], "here");
        cr_expect_str_eq(status, c->here->item[q].values ? "measured" : c->here->held_out[q] ? "held out" : c->here->in_pool[q] ? "candidate" : "left out");
        cr_expect_eq(sow_h5ad_obs(a, "measured_cells")->number[i], c->here->item[q].values ? c->here->item[q].cells : 0);
        measured += c->here->item[q].values != NULL;
    }
    cr_expect_eq(measured, 9 * each);
}

Test(predict, mean_changes_are_the_models)
{
    sow_config *config;
    sow_campaign *c = played(&config, cells_yaml);
    sow_h5ad *a = predicted(c, 0);
    cr_assert_eq(a->n_obs, c->n);
    cr_assert_eq(a->n_vars, c->d);
    cr_assert(a->n_layers == 2 && strcmp(a->layers[0], "measured") == 0 && strcmp(a->layers[1], "sd") == 0);
    check_obs(a, c, 1);
    for (sow_index j = 0; j < c->d; j++) cr_expect_str_eq(a->var_names[j], sow_names_get(c->cells->space.genes, j));
    double *mean = calloc((size_t)c->d, sizeof *mean), *var = calloc((size_t)c->d, sizeof *var);
    for (sow_index q = 0; q < c->n; q++) {
        ask_model(mean, var, c, q);
        for (sow_index j = 0; j < c->d; j++) cr_assert_float_eq(a->x[q * c->d + j], mean[j], 1e-6 * (1 + fabs(mean[j])));
    }
    free(mean), free(var);
    sow_h5ad_destroy(a);
    close_campaign(c);
    sow_config_destroy(config);
}

Test(predict, cells_are_the_same_controls_moved)
{
    enum { EACH = 7 };
    sow_config *config;
    sow_campaign *c = played(&config, cells_yaml);
    sow_h5ad *a = predicted(c, EACH);
    const sow_index d = c->d;
    cr_assert_eq(a->n_obs, EACH * c->n);
    check_obs(a, c, EACH);
    double *mean = calloc((size_t)d, sizeof *mean), *first = calloc((size_t)d, sizeof *first), *var = calloc((size_t)d, sizeof *var);
    ask_model(first, var, c, 0);
    for (sow_index q = 1; q < c->n; q++) {
        ask_model(mean, var, c, q);
        for (sow_index k = 0; k < EACH; k++)
            for (sow_index j = 0; j < d; j++) cr_assert_float_eq(a->x[(q * EACH + k) * d + j] - a->x[k * d + j], mean[j] - first[j], 2e-6);
    }
    cr_assert(fabs(a->x[0] - a->x[d]) + fabs(a->x[1] - a->x[d + 1]) > 1e-3); /* controls differ */
    free(mean), free(first), free(var);
    sow_h5ad_destroy(a);
    close_campaign(c);
    sow_config_destroy(config);
}

static const char morph_yaml[] =
    "sower: 1\nname: c\nseed: 4\n"
    "data: {sources: [{file: cells.h5ad, role: target, context: {column: line}, contexts: [here], perturbation: {column: gene, control: nt}, technical_batch: lane, values: counts}]}\n"
    "readout: {kind: cells}\nfeatures: {min_cells_per_perturbation: 4}\npriors: [{name: layout, file: layout.csv}]\n"
    "model: {kind: morph, epochs: 3, encoder: 8, hidden: 6, latent_cell: 3, latent_perturbation: 3, programs: 3, program_dim: 3}\nacquisition: {strategy: random}\n"
    "rounds: {initial: {size: 4, strategy: random}, batches: [3, 2]}\n"
    "oracle: {kind: replay, held_out: {count: 2}}\ndesign: {cells_per_perturbation: 30, control_share: 0.15}\nevaluation: {de_genes: 5}\n";

Test(predict, a_model_that_makes_cells_makes_them_and_is_not_trained_again)
{
    sow_config *config;
    sow_campaign *c = played(&config, morph_yaml);
    sow_h5ad *a = predicted(c, 5), *b = NULL;
    cr_assert_eq(a->n_obs, 5 * c->n);
    for (sow_index k = 0; k < a->n_obs * a->n_vars; k++) cr_assert(isfinite(a->x[k]));
    char *kept = sow_format("%s/rounds/02/model.h5", c->dir);
    cr_assert(sow_file_exists(kept));
    const sow_index named = c->here->training.n_target;
    close_campaign(c);
    cr_assert_eq(named, 9);
    cr_assert_eq(unlink(kept), 0); /* without it the same model is trained, and a reader leaves nothing */
    c = open_campaign(config, SOW_CAMPAIGN_READ, "r");
    b = predicted(c, 5);
    cr_assert_arr_eq(a->x, b->x, (size_t)(a->n_obs * a->n_vars) * sizeof *a->x);
    cr_assert_not(sow_file_exists(kept));
    free(kept);
    sow_h5ad_destroy(a);
    sow_h5ad_destroy(b);
    close_campaign(c);
    sow_config_destroy(config);
}

Test(predict, says_what_it_cannot_write)
{
    sow_config *config;
    sow_campaign *c = played(&config, cells_yaml);
    char *file = NULL;
    cr_expect_eq(sow_campaign_predict(&file, c, &(sow_prediction_options){.cells = 100000}, NULL, &err), SOW_E_CONFIG);
    cr_expect(strstr(err.message, "control cells are measured so far"), "%s", err.message);
    cr_expect_null(file);
    cr_expect_eq(sow_campaign_predict(&file, c, &(sow_prediction_options){.file = "x.csv"}, NULL, &err), SOW_E_CONFIG);
    cr_expect(strstr(err.message, "--to x.csv"), "%s", err.message);
    char *no_folder = sow_path_join(scratch_path("nowhere"), "x.h5ad");
    cr_expect_eq(sow_campaign_predict(&file, c, &(sow_prediction_options){.file = no_folder}, NULL, &err), SOW_E_IO);
    free(no_folder);
    close_campaign(c);
    sow_config_destroy(config);
}
