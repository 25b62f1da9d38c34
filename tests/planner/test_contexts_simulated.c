/* Campaigns on a simulated screen in several contexts: one to plan in, the others measured. */
#include "planner/cells_internal.h"

#include "campaign_fixture.h"

TestSuite(contexts_simulated, .init = scratch_create, .fini = scratch_remove);

static sow_error err;

static const char contexts_yaml[] =
    "sower: 1\nname: c\nseed: 4\nreadout: {kind: cells}\n"
    "oracle: {kind: generative, perturbations: 40, genes: 50, modules: 5, programs: 5, controls: 200, cells: 40, prior_dims: 6, contexts: 4, held_out: {count: 8}}\n"
    "model: {kind: gp, iterations: 8, components: 4}\nacquisition: {strategy: max-variance}\n" COMMON_ROUNDS
    "features: {min_cells_per_perturbation: 4}\ndesign: {cells_per_perturbation: 60, control_share: 0.2}\nevaluation: {de_genes: 10}\n";

static sow_campaign *played(sow_config **config, const char *yaml, const char *folder, const sow_env *env)
{
    *config = read_config(yaml);
    sow_campaign *c = open_campaign(*config, SOW_CAMPAIGN_WRITE, folder);
    MUST(sow_campaign_run(c, env, &err));
    return c;
}

static void put_away(sow_campaign *c, sow_config *config)
{
    close_campaign(c);
    sow_config_destroy(config);
}

static void play(const char *yaml, const char *folder, const sow_env *env)
{
    sow_config *config = NULL;
    sow_campaign *c = played(&config, yaml, folder, env);
    put_away(c, config);
}

Test(contexts_simulated, are_measured_in_full_but_for_the_target)
{
    sow_config *config = NULL;
    sow_campaign *c = played(&config, contexts_yaml, "r", NULL);
    cr_assert_str_eq(sow_names_get(c->screen->contexts, c->here->target), "C1");
    MUST(sow_i_training_ready(c, NULL, &err));
    const sow_i_training *t = &c->here->training;
    cr_assert(t->n_target == 18 && t->view.n == 18 + 3 * 40 && t->view.n_contexts == 4);
    for (sow_index q = 0; q < c->n; q++)
        for (sow_index k = 0; k < c->here->item[q].n_draws; k++)
            for (sow_index i = 0; i < c->here->item[q].draw[k].n; i++) {
                const sow_index cell = c->here->item[q].draw[k].cell[i];
                cr_assert(!c->here->held_out[q] && c->cells->table.context[cell] == c->here->target && c->cells->table.perturbation[cell] == q);
            }
    for (sow_index r = 0; r < 3; r++)
        for (sow_index i = 0; i < c->here->controls[r].n_control; i++)
            cr_assert(c->cells->table.context[c->here->controls[r].control[i]] == c->here->target && c->cells->table.perturbation[c->here->controls[r].control[i]] == SOW_CONTROL);
    put_away(c, config);
}

/* With two targets: cells of a context are handed out for its picks, against its own controls; the cells behind an item of the training are those, also in the other target's training. */
Test(contexts_simulated, may_be_measured_in_together)
{
    sow_config *config = NULL;
    char *two = replaced(contexts_yaml, "contexts: 4", "contexts: 4, targets: 2"), *seen = replaced(two, "kind: gp, iterations: 8, components: 4", "kind: hypermap, components: 4");
    char *yaml = replaced(seen, "strategy: max-variance", "strategy: kmeans");
    sow_campaign *c = played(&config, yaml, "r", NULL);
    cr_assert_eq(c->n_sites, 2);
    sow_index measured[2] = {0};
    for (sow_index s = 0; s < 2; s++) {
        const sow_i_site *site = &c->site[s];
        for (sow_index q = 0; q < c->n; q++) {
            measured[s] += site->item[q].values != NULL;
            for (sow_index k = 0; k < site->item[q].n_draws; k++)
                for (sow_index i = 0; i < site->item[q].draw[k].n; i++) {
                    const sow_index cell = site->item[q].draw[k].cell[i];
                    cr_assert(!site->held_out[q] && c->cells->table.context[cell] == site->target && c->cells->table.perturbation[cell] == q);
                }
        }
        for (sow_index r = 0; r < c->n_rounds; r++) {
            cr_expect(r > 0 || site->controls[r].n_control > 0);
            for (sow_index i = 0; i < site->controls[r].n_control; i++) cr_assert_eq(c->cells->table.context[site->controls[r].control[i]], site->target);
        }
    }
    cr_assert(measured[0] > 1 && measured[1] > 1);
    cr_assert_eq(measured[0] + measured[1], 18);
    for (sow_index s = 0; s < 2; s++) {
        sow_i_go(c, s);
        MUST(sow_i_training_ready(c, NULL, &err));
        const sow_i_training *t = &c->here->training;
        cr_assert_eq(t->n_target, measured[s]);
        cr_assert_eq(t->view.n, 18 + 2 * 40);
        for (sow_index i = 0; i < t->view.n; i++) {
            const sow_index site = sow_i_site_of_context(c, t->context[i]), n = t->cell_start[i + 1] - t->cell_start[i];
            cr_assert_eq(n, site < 0 ? sow_cells_of(NULL, &c->cells->table, t->perturbation[i], t->context[i]) : (sow_index)c->site[site].item[t->perturbation[i]].cells);
        }
    }
    sow_i_go(c, 0);
    put_away(c, config);
    free(two);
    free(seen);
    free(yaml);
}

/* Mean of log1p of normalised counts over a group, gene by gene. */
static void mean_of(double *mean, const sow_campaign *c, sow_index perturbation, sow_index context)
{
    const sow_cells *t = &c->cells->table;
    const sow_cell_matrix *x = t->matrix;
    const sow_index *list, n = sow_cells_of(&list, t, perturbation, context);
    memset(mean, 0, (size_t)c->d * sizeof *mean);
    for (sow_index i = 0; i < n; i++) {
        const int64_t begin = x->start[t->row[list[i]]], end = x->start[t->row[list[i]] + 1];
        double total = 0;
        for (int64_t k = begin; k < end; k++) total += (double)x->value[k];
        for (int64_t k = begin; k < end; k++) mean[x->gene[k]] += log1p((double)x->value[k] * c->cells->space.target_sum / total) / (double)n;
    }
}

Test(contexts_simulated, are_each_compared_with_their_own_controls)
{
    sow_config *config = NULL;
    sow_campaign *c = played(&config, contexts_yaml, "r", NULL);
    double mean[50], control[50];
    int rows = 0;
    cr_assert_eq(c->d, 50);
    MUST(sow_i_training_ready(c, NULL, &err));
    for (sow_index i = c->here->training.n_target; i < c->here->training.view.n; i++, rows++) {
        const sow_index k = c->here->training.view.context[i];
        cr_assert_neq(k, c->here->target);
        mean_of(mean, c, c->here->training.view.perturbation[i], k);
        mean_of(control, c, SOW_CONTROL, k);
        for (int g = 0; g < 50; g++)
            cr_assert(fabs(c->here->training.view.y[i * 50 + g] - (mean[g] - control[g])) < 1e-5, "row %d, gene %d", rows, g); /* the space holds floats */
    }
    cr_assert_eq(rows, 120);
    put_away(c, config);
}

static double metric(const char *folder, const char *model, const char *name)
{
    char path[64], row[64];
    snprintf(path, sizeof path, "%.16s/metrics.csv", folder);
    snprintf(row, sizeof row, "\n0,8,%s,C1,%s,", model, name);
    const char *text = scratch_read(scratch_path(path)), *at = strstr(text, row);
    cr_assert_not_null(at, "metrics.csv has no %s", row);
    return strtod(at + strlen(row), NULL);
}

/* All that contexts differ in here is the shift, so what was measured elsewhere is what is to be predicted. */
Test(contexts_simulated, help_where_programs_do_the_same)
{
    char *alike = replaced(contexts_yaml, "contexts: 4", "contexts: 4, context_scale: 0, context_flip: 0, context_lose: 0, context_shift: 2");
    play(alike, "r", NULL);
    const double two_way = metric("r", "two-way", "pearson_delta_centred"), source = metric("r", "source-shift", "pearson_delta_all"), shift = metric("r", "train-mean", "pearson_delta_all");
    cr_expect(two_way > 0.7 && metric("r", "gp", "pearson_delta_centred") > 0.7, "two-way %g, gp %g", two_way, metric("r", "gp", "pearson_delta_centred"));
    cr_expect(metric("r", "two-way", "pearson_delta_all") > source && metric("r", "two-way", "pearson_delta_all") > shift, "source-shift %g, train-mean %g", source, shift);
    free(alike);
}

Test(contexts_simulated, may_have_measured_a_part)
{
    sow_config *config = NULL;
    char *part = replaced(contexts_yaml, "contexts: 4", "contexts: 4, context_coverage: 0.5");
    sow_campaign *c = played(&config, part, "r", NULL);
    sow_index elsewhere = 0, here = 0;
    for (sow_index r = 0; r < c->screen->n_rows; r++)
        *(c->screen->context[r] == c->here->target ? &here : &elsewhere) += 1;
    cr_assert(here == 40 && elsewhere > 40 && elsewhere < 80, "%lld rows", (long long)elsewhere);
    put_away(c, config);
    free(part);
}

Test(contexts_simulated, say_which_seeds_differ_between_them)
{
    char *yaml = replaced(contexts_yaml, "strategy: random", "strategy: least-consistent");
    play(yaml, "r", NULL);
    cr_expect(strstr(scratch_read(scratch_path("r/rounds/00/batch.csv")), "differs between 3 reference contexts") != NULL);
    free(yaml);
}

static char *results(const char *folder, int threads)
{
    sow_env env = {0};
    MUST(sow_threads_create(&env.threads, threads, &err));
    play(contexts_yaml, folder, &env);
    sow_threads_destroy(env.threads);
    return results_of(folder);
}

Test(contexts_simulated, give_the_same_bytes_for_any_number_of_threads)
{
    char *one = results("one", 1), *three = results("three", 3);
    cr_expect_str_eq(one, three);
    free(one);
    free(three);
}

Test(contexts_simulated, are_named_by_check_and_by_predictions)
{
    sow_config *config = NULL;
    sow_campaign *c = played(&config, contexts_yaml, "r", NULL);
    const sow_prediction_options o = {NULL, 0, 0};
    char *file = NULL, *text = NULL;
    sow_h5ad *a = NULL;
    MUST(sow_campaign_check_json(&text, c, &err));
    cr_expect(strstr(text, "C1") && strstr(text, "C4") && strstr(text, "reference"), "%s", text);
    MUST(sow_campaign_predict(&file, c, &o, NULL, &err));
    MUST(sow_h5ad_read(&a, file, 1, &err));
    cr_assert_eq(a->n_obs, 40);
    cr_expect_str_eq(sow_h5ad_obs(a, "context")->text[39], "C1");
    sow_h5ad_destroy(a);
    free(file);
    free(text);
    put_away(c, config);
}

/* ---- hypermap ---- */

/* The model's Pearson over genes after the last round. */
static double hypermap_pearson(const char *folder)
{
    static const char metric[] = ",pearson_delta_all,";
    double value = NAN;
    char path[40];
    snprintf(path, sizeof path, "%s/metrics.csv", folder);
    for (const char *line = scratch_read(scratch_path(path)); line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        const char *end = strchr(line, '\n'), *model = strstr(line, ",hypermap,"), *at = strstr(line, metric);
        if (end && model && model < end && at && at < end) value = atof(at + strlen(metric));
    }
    return value;
}

Test(contexts_simulated, are_carried_over_by_hypermap_in_every_form)
{
    static const char *const forms[] = {"", ", hypermap: {form: network, steps: 5, members: 2, latent: 4, hidden: 8}",
                                        ", hypermap: {form: network, rows: cells, steps: 2, batch: 24, inner_batches: 2, inner_steps: 2, latent: 4, hidden: 8, fusion: gated}",
                                        ", mode: reference, hypermap: {steps: 2, batch: 24, inner_batches: 2, inner_steps: 2, latent: 4, hidden: 8}"};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        char yaml[1600], folder[16], again[16];
        sow_threads *threads = NULL;
        snprintf(yaml, sizeof yaml,
                 "sower: 1\nname: c\nseed: 4\nreadout: {kind: cells}\n"
                 "oracle: {kind: generative, perturbations: 40, genes: 50, modules: 5, programs: 5, controls: 200, cells: 40, prior_dims: 6, contexts: 4, held_out: {count: 8}}\n"
                 "model: {kind: hypermap, iterations: 8, components: 8%s}\nacquisition: {strategy: random}\n" COMMON_ROUNDS
                 "features: {min_cells_per_perturbation: 4}\ndesign: {cells_per_perturbation: 60, control_share: 0.2}\nevaluation: {de_genes: 10}\n",
                 forms[i]);
        snprintf(folder, sizeof folder, "h%d", (int)i);
        snprintf(again, sizeof again, "t%d", (int)i);
        play(yaml, folder, NULL);
        MUST(sow_threads_create(&threads, 3, &err));
        const sow_env env = {.threads = threads};
        play(yaml, again, &env);
        cr_assert_eq(hypermap_pearson(folder), hypermap_pearson(again), "%s", forms[i]);
        if (i == 0) cr_assert_gt(hypermap_pearson(folder), 0.4, "%.3f", hypermap_pearson(folder));
        cr_assert(isfinite(hypermap_pearson(folder)));
        sow_threads_destroy(threads);
    }
}
