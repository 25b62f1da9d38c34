/* Contexts left out in turn: against a naive twin of two-way and of a metric, and that nothing but the seeds of a new context is learned from. */
#include "planner/context_rows.h"
#include "planner/evaluate.h"

#include "cells_fixture.h"
#include "contexts_fixture.h"
#include "core/memory.h"
#include "core/threads.h"

TestSuite(contexts, .init = scratch_create, .fini = scratch_remove);

static sow_error err;

typedef struct {
    sow_config *config;
    sow_campaign *c;
    sow_i_context_rows rows;
} fixture;

/* Rows with context `target` new and all others known. */
static fixture open_rows(const char *yaml, sow_index target)
{
    fixture f = {.config = read_config(yaml)};
    unsigned char known[8];
    f.c = open_campaign(f.config, SOW_CAMPAIGN_CHECK, NULL);
    memset(known, 1, sizeof known);
    known[target] = 0;
    MUST(sow_i_context_rows_make(&f.rows, f.c, known, target, NULL, NULL, &err));
    return f;
}

static void close_rows(fixture *f)
{
    sow_i_context_rows_clear(&f->rows);
    sow_campaign_abandon(f->c);
    sow_config_destroy(f->config);
}

static const sow_model_class *model_named(const char *name)
{
    const sow_model_class *m = NULL;
    MUST(sow_model_find(&m, name, &err));
    return m;
}

/* ---- the naive twin: two-way by its words, and Pearson */

static double naive_two_way(int i, int g, const int *seed, int n)
{
    double shift = 0, here = 0, elsewhere = 0;
    int both = 0;
    for (int k = 0; k < n; k++) {
        const int s = seed[k];
        here += response(s, 0, g) / n;
        if (!measured(s, 1)) continue;
        shift += response(s, 0, g) - (measured(s, 2) ? (response(s, 1, g) + response(s, 2, g)) / 2 : response(s, 1, g));
        both++;
    }
    if (!measured(i, 1)) return here; /* known nowhere else */
    elsewhere = measured(i, 2) ? (response(i, 1, g) + response(i, 2, g)) / 2 : response(i, 1, g);
    return elsewhere + (both ? shift / both : 0);
}

static double naive_pearson(const double *x, const double *y, int n, int own)
{
    double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
    const int used = n - (own >= 0);
    for (int j = 0; j < n; j++)
        if (j != own) mx += x[j] / used, my += y[j] / used;
    for (int j = 0; j < n; j++)
        if (j != own) xx += (x[j] - mx) * (x[j] - mx), yy += (y[j] - my) * (y[j] - my), xy += (x[j] - mx) * (y[j] - my);
    return xy / sqrt(xx * yy);
}

Test(contexts, scores_two_way_as_a_naive_twin_does_and_never_a_seed)
{
    enum { SEEDS = 4, COLUMNS = 10 };
    sow_index order[P];
    int seed[SEEDS], scored = 0;
    double value[P * COLUMNS];
    write_three("three.h5ad", P);
    fixture f = open_rows(three_yaml, 0);
    cr_assert_eq(sow_i_n_new(&f.rows), P);
    cr_assert_eq(f.rows.n_known, 11 + 10);
    sow_i_seed_order(order, &f.rows, 0);
    for (int k = 0; k < SEEDS; k++) seed[k] = (int)order[k];
    sow_i_context_training t;
    MUST(sow_i_context_training_make(&t, &f.rows, order, SEEDS, 0, NULL, &err));
    MUST(sow_i_context_score(value, NULL, &f.rows, &t, model_named("two-way"), NULL, NULL, &err));
    for (int i = 0; i < P; i++) {
        double truth[G], guess[G], centre, truth_off[G], guess_off[G], truth_own[G], guess_own[G];
        int is_seed = 0;
        for (int k = 0; k < SEEDS; k++) is_seed |= seed[k] == i;
        for (int j = 0; j < COLUMNS && is_seed; j++) cr_assert(isnan(value[i * COLUMNS + j]), "a seed is scored");
        if (is_seed) continue;
        scored++;
        for (int g = 0; g < G; g++) {
            truth[g] = response(i, 0, g);
            guess[g] = naive_two_way(i, g, seed, SEEDS);
            centre = 0;
            for (int k = 0; k < SEEDS; k++) centre += response(seed[k], 0, g) / SEEDS;
            truth_off[g] = truth[g] - centre;
            centre = 0;
            for (int k = 0; k < P; k++) centre += response(k, 0, g) / P;
            truth_own[g] = truth[g] - centre;
            guess_own[g] = guess[g] - centre;
            centre = truth[g] - truth_off[g];
            guess_off[g] = fabs(guess[g] - centre) < 1e-9 ? 0 : guess[g] - centre;
        }
        const double plain = naive_pearson(truth, guess, G, i == 3 ? 3 : -1), centred = measured(i, 1) ? naive_pearson(truth_off, guess_off, G, i == 3 ? 3 : -1) : 0;
        cr_assert(!(fabs(value[i * COLUMNS] - plain) > 1e-6), "P%02d: %g is not %g", i, value[i * COLUMNS], plain); /* the file holds single precision */
        const double specific = naive_pearson(truth_own, guess_own, G, i == 3 ? 3 : -1);
        cr_assert(!(fabs(value[i * COLUMNS + 1] - specific) > 1e-5), "P%02d: %g is not %g", i, value[i * COLUMNS + 1], specific);
        cr_assert(!(fabs(value[i * COLUMNS + 2] - centred) > 1e-6), "P%02d: %g is not %g", i, value[i * COLUMNS + 2], centred);
    }
    cr_assert_eq(scored, P - SEEDS);
    sow_i_context_training_clear(&t);
    close_rows(&f);
}

Test(contexts, fewer_seeds_are_the_first_of_more_and_draws_differ)
{
    sow_index a[P], b[P], other[P];
    int seen[P] = {0}, same = 0;
    write_three("three.h5ad", P);
    fixture f = open_rows(three_yaml, 1);
    const sow_index n = sow_i_n_new(&f.rows);
    sow_i_seed_order(a, &f.rows, 0);
    sow_i_seed_order(b, &f.rows, 0);
    sow_i_seed_order(other, &f.rows, 1);
    for (int i = 0; i < n; i++) {
        seen[a[i]]++;
        same += a[i] == other[i];
        cr_assert_eq(a[i], b[i]);
    }
    for (int i = 0; i < n; i++) cr_assert_eq(seen[i], 1);
    cr_assert_lt(same, n);
    close_rows(&f);
}

/* ---- what is not measured yet is not learned from */

/* What a model says of every perturbation of the new context after the seeds. Caller frees. */
static double *predictions(const fixture *f, const char *model, const sow_index *seed, sow_index n_seeds, size_t *bytes)
{
    sow_i_context_training t;
    sow_model *fitted = NULL;
    sow_index context[64];
    const sow_index n = sow_i_n_new(&f->rows), d = f->rows.d;
    double *mean = calloc((size_t)(n * d), sizeof *mean);
    for (int i = 0; i < n; i++) context[i] = f->rows.target;
    const sow_model_options options = sow_i_model_options(f->c);
    const sow_query query = {.n = n, .perturbation = &f->rows.perturbation[f->rows.n_known], .context = context};
    MUST(sow_i_context_training_make(&t, &f->rows, seed, n_seeds, 0, NULL, &err));
    MUST(sow_model_fit(&fitted, model_named(model), &t.view, &options, NULL, &err));
    MUST(sow_model_predict(fitted, &query, mean, NULL, NULL, NULL, &err));
    sow_model_destroy(fitted);
    sow_i_context_training_clear(&t);
    *bytes = (size_t)(n * d) * sizeof *mean;
    return mean;
}

static void same_predictions(const fixture *a, const fixture *b, const sow_index *seed, sow_index n_seeds, int same)
{
    static const char *const models[] = {"gp", "two-way", "linear", "train-mean"};
    for (int m = 0; m < 4; m++) {
        size_t bytes = 0;
        double *x = predictions(a, models[m], seed, n_seeds, &bytes), *y = predictions(b, models[m], seed, n_seeds, &bytes);
        cr_assert_eq(memcmp(x, y, bytes) == 0, same, "%s", models[m]);
        free(x);
        free(y);
    }
}

Test(contexts, rows_of_the_new_context_that_are_no_seeds_never_enter_a_fit)
{
    const sow_index seed[] = {0, 1, 2, 3, 4}, late[] = {0, 1, 2, 3, 8};
    write_three("three.h5ad", P);
    fixture a = open_rows(three_yaml, 0);
    write_three("three.h5ad", 5); /* P05 and later of context a are others */
    fixture b = open_rows(three_yaml, 0);
    same_predictions(&a, &b, seed, 5, 1);
    same_predictions(&a, &b, late, 5, 0);
    close_rows(&a);
    close_rows(&b);
}

static fixture open_cells(double boost)
{
    cell_recipe recipe = CELL_RECIPE;
    recipe.boost = boost;
    recipe.spare = 1; /* the first context's only */
    write_cells("cells.h5ad", &recipe);
    return open_rows(cells_yaml, 0);
}

Test(contexts, cells_of_the_new_context_that_are_no_seeds_never_enter_a_space_or_a_fit)
{
    const sow_index seed[] = {0, 1, 3, 4}, late[] = {0, 1, 3, 5};
    fixture a = open_cells(1), b = open_cells(7); /* P05's counts */
    cr_assert_eq(a.rows.d, b.rows.d);
    cr_assert_eq(a.c->cells->space.target_sum, b.c->cells->space.target_sum);
    same_predictions(&a, &b, seed, 4, 1);
    same_predictions(&a, &b, late, 4, 0);
    close_rows(&a);
    close_rows(&b);
}

Test(contexts, controls_of_a_new_context_serve_once_to_learn_from_or_to_judge_by)
{
    fixture f = open_cells(1);
    const sow_i_halves *h = &f.rows.controls;
    cr_assert_eq(h->n_learn + h->n_judge, C_CONTROLS);
    for (sow_index i = 0; i < h->n_learn; i++)
        for (sow_index k = 0; k < h->n_judge; k++) cr_assert_neq(h->learn[i], h->judge[k]);
    cr_assert(memcmp(&f.rows.y[f.rows.n_known * f.rows.d], f.rows.truth, sizeof(double)) != 0);
    sow_i_context_training t;
    const sow_index seed[] = {2, 7};
    MUST(sow_i_context_training_make(&t, &f.rows, seed, 2, 1, NULL, &err));
    cr_assert_eq(t.cells_of.n_control, h->n_learn);
    cr_assert_eq(t.cells_of.start[1], 18); /* P02 */
    cr_assert_eq(t.cells_of.start[t.view.n], 18 + C_CELLS + 13 * C_CELLS + 18);
    sow_i_context_training_clear(&t);
    MUST(sow_i_rank_genes(&f.rows, NULL, &err));
    for (int k = 0; k < SOW_I_CONTEXT_TOP; k++) cr_assert_neq(f.rows.wilcoxon[5 * SOW_I_CONTEXT_TOP + k], 5); /* its own gene */
    close_rows(&f);
}

/* ---- the command from inside */

static sow_status evaluate(const char *yaml, const sow_context_options *options, const char *dir, const sow_env *env)
{
    sow_config *config = read_config(yaml);
    sow_context_options o = *options;
    err = (sow_error){0};
    o.dir = scratch_path(dir);
    sow_status st = sow_evaluate_contexts(NULL, config, &o, env, &err);
    sow_config_destroy(config);
    return st;
}

static char *file_of(const char *dir, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return strdup(scratch_read(scratch_path(path)));
}

Test(contexts, gives_the_same_bytes_for_any_number_of_threads_and_says_what_was_cut)
{
    static const char *const files[] = {"contexts.csv", "contexts_summary.csv", "contexts.html"};
    const sow_context_options o = {.seeds = "30,3,3", .draws = 2};
    cell_recipe recipe = CELL_RECIPE;
    sow_threads *threads = NULL;
    MUST(sow_threads_create(&threads, 3, &err));
    sow_env env = {.threads = threads};
    write_cells("cells.h5ad", &recipe);
    MUST(evaluate(cells_yaml, &o, "one", NULL));
    MUST(evaluate(cells_yaml, &o, "three", &env));
    for (int i = 0; i < 3; i++) {
        char *a = file_of("one", files[i]), *b = file_of("three", files[i]);
        cr_assert_str_eq(a, b, "%s", files[i]);
        if (i == 0) cr_assert(strstr(a, "here,2,30,12,gp,pearson_top20_wilcoxon,") && strstr(a, "other,1,3,3,two-way,mse_top20,"));
        if (i == 1) cr_assert(strstr(a, "\n30,all,source-shift,pearson_delta_centred,"));
        if (i == 2) cr_assert(strstr(a, "With at most 30 seeds measured in a context not seen before") && strstr(a, "Seeds are not scored"));
        free(a);
        free(b);
    }
    sow_threads_destroy(threads);
}

/* mean of a row of contexts_summary.csv. */
static double summary_of(const char *dir, const char *start)
{
    char *text = file_of(dir, "contexts_summary.csv"), *at = strstr(text, start);
    cr_assert_not_null(at, "%s", start);
    const double value = atof(at + strlen(start));
    free(text);
    return value;
}

Test(contexts, judges_one_number_a_perturbation_and_takes_slopes_of_covariates_from_seeds_alone)
{
    const sow_context_options o = {.seeds = "25", .draws = 2};
    char *adjusted = replaced(scalar_yaml, "column: score}", "column: score, adjust_for: [depth]}");
    MUST(evaluate(adjusted, &o, "e", NULL));
    cr_assert_gt(summary_of("e", "25,all,source-shift,spearman,"), 0.9); /* `other` is nearly the same */
    cr_assert_lt(summary_of("e", "25,all,two-way,rmse,"), summary_of("e", "25,all,train-mean,rmse,"));
    free(adjusted);
}

Test(contexts, are_refused_when_they_cannot_be_judged)
{
    sow_context_options o = SOW_CONTEXT_OPTIONS_INIT;
    write_three("three.h5ad", P);
    o.contexts = "a,d";
    cr_assert_eq(evaluate(three_yaml, &o, "e", NULL), SOW_E_CONFIG);
    cr_assert(strstr(err.message, "no context 'd' in this screen") && strstr(err.message, "(contexts: a, b, c)"), "%s", err.message);
    o.contexts = NULL;
    o.seeds = "5,,3";
    cr_assert_eq(evaluate(three_yaml, &o, "e", NULL), SOW_E_CONFIG);
    o.seeds = "5";
    cr_assert_eq(evaluate(simulated_yaml, &o, "e", NULL), SOW_E_CONFIG);
    cr_assert(strstr(err.message, "needs at least two contexts"), "%s", err.message);
    cell_recipe recipe = CELL_RECIPE;
    recipe.bare = 1 + 3;
    write_cells("cells.h5ad", &recipe);
    cr_assert_eq(evaluate(cells_yaml, &o, "e", NULL), SOW_E_DATA);
    cr_assert(strstr(err.message, "context other has 3 control cells; an evaluation needs at least 4"), "%s", err.message);
    recipe.bare = 1;
    write_cells("cells.h5ad", &recipe);
    sow_config *config = read_config(cells_yaml);
    cr_assert_eq(sow_evaluate_contexts(NULL, config, &o, NULL, &err), SOW_E_DATA);
    cr_assert(strstr(err.message, "no cell of the context 'other' is a control 'nt'"), "%s", err.message);
    sow_config_destroy(config);
    cr_assert_neq(access(scratch_path("e"), F_OK), 0, "something was written");
}

/* ---- memory */

Test(contexts, an_allocation_that_fails_is_said_and_leaves_nothing_behind)
{
    write_three("three.h5ad", P);
    fixture f = open_rows(three_yaml, 0);
    const sow_index seed[] = {0, 5, 7};
    unsigned char known[] = {0, 1, 1};
    double value[P * SOW_I_CONTEXT_COLUMNS];
    int failed = 0;
    for (sow_index n = 0;; n++) {
        sow_i_context_rows r = {0};
        sow_i_context_training t = {0};
        sow_memory_fail_after(n);
        sow_status st = sow_i_context_rows_make(&r, f.c, known, 0, NULL, NULL, &err);
        if (st == SOW_OK) st = sow_i_context_training_make(&t, &r, seed, 3, 0, NULL, &err);
        if (st == SOW_OK) st = sow_i_context_score(value, NULL, &r, &t, model_named("two-way"), NULL, NULL, &err);
        sow_memory_fail_after(-1);
        sow_i_context_training_clear(&t);
        sow_i_context_rows_clear(&r);
        if (st == SOW_OK) break;
        cr_assert_eq(st, SOW_E_NOMEM, "allocation %lld: %s", (long long)n, err.message);
        failed++;
    }
    cr_assert_gt(failed, 20);
    close_rows(&f);
}

/* Every 37th allocation of the whole command. */
Test(contexts, the_command_says_when_memory_is_out, .timeout = 120)
{
    int failed = 0;
    cell_recipe recipe = CELL_RECIPE;
    write_cells("cells.h5ad", &recipe);
    sow_config *config = read_config(cells_yaml);
    for (sow_index n = 0;; n += 37) {
        const sow_context_options o = {.seeds = "3,20", .draws = 1, .models = "two-way,train-mean", .dir = scratch_path("e")};
        char *json = NULL;
        sow_memory_fail_after(n);
        const sow_status st = sow_evaluate_contexts(&json, config, &o, NULL, &err);
        sow_memory_fail_after(-1);
        free(json);
        if (st == SOW_OK) break;
        cr_assert_eq(st, SOW_E_NOMEM, "allocation %lld: %s", (long long)n, err.message);
        failed++;
    }
    cr_assert_gt(failed, 20);
    sow_config_destroy(config);
}
