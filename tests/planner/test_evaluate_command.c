/* `sower evaluate` from inside: what the three files say, and that nothing held out leaks into a fit. */
#include "planner/evaluate.h"

#include "cells_fixture.h"
#include "core/memory.h"
#include "core/threads.h"
#include "models/split.h"

TestSuite(evaluate_command, .init = scratch_create, .fini = scratch_remove);

static sow_error err;

/* ---- running, and reading evaluate.csv */

typedef struct {
    char split[16], name[32], model[32], metric[40];
    int fold;
    double value, cells;
} row;

typedef struct {
    int n;
    row *at;
} rows;

static sow_status evaluate(const char *yaml, const char *splits, int folds, const char *models, const char *dir, const sow_env *env)
{
    sow_config *config = read_config(yaml);
    sow_evaluation_options options = SOW_EVALUATION_OPTIONS_INIT;
    err = (sow_error){0};
    options.splits = splits;
    options.folds = folds;
    options.models = models;
    options.dir = scratch_path(dir);
    sow_status st = sow_evaluate_campaign(NULL, config, &options, env, &err);
    sow_config_destroy(config);
    return st;
}

static rows read_rows(const char *dir)
{
    char path[64], line[256];
    rows r = {0, calloc(100000, sizeof(row))};
    snprintf(path, sizeof path, "%s/evaluate.csv", dir);
    FILE *f = fopen(scratch_path(path), "r");
    cr_assert_not_null(f);
    cr_assert_not_null(fgets(line, sizeof line, f));
    cr_assert_str_eq(line, "split,fold,perturbation,model,metric,value,cells\n");
    while (fgets(line, sizeof line, f)) {
        row *x = &r.at[r.n++];
        char value[40] = "", *comma = line;
        for (int k = 0; k < 5; k++)
            comma = strchr(comma, ',') + 1;
        cr_assert(sscanf(line, "%15[^,],%d,%31[^,],%31[^,],%39[^,]", x->split, &x->fold, x->name, x->model, x->metric) == 5, "%s", line);
        x->value = sscanf(comma, "%39[^,],", value) == 1 ? atof(value) : (double)NAN;
        x->cells = atof(strchr(comma, ',') + 1);
    }
    fclose(f);
    return r;
}

static double value_of(const rows *r, const char *name, const char *model, const char *metric)
{
    for (int i = 0; i < r->n; i++)
        if (strcmp(r->at[i].name, name) == 0 && strcmp(r->at[i].model, model) == 0 && strcmp(r->at[i].metric, metric) == 0) return r->at[i].value;
    cr_assert_fail("no row of %s, %s, %s", name, model, metric);
    return NAN;
}

static int fold_of(const rows *r, const char *name)
{
    for (int i = 0; i < r->n; i++)
        if (strcmp(r->at[i].name, name) == 0) return r->at[i].fold;
    return -1;
}

/* mean, sd, low, high, n of a row of evaluate_summary.csv; NaN where empty. 1 = found. */
static int summary_of(double out[5], const char *dir, const char *split, const char *model, const char *metric)
{
    char path[64], line[256], start[128];
    snprintf(path, sizeof path, "%s/evaluate_summary.csv", dir);
    snprintf(start, sizeof start, "%s,%s,%s,", split, model, metric);
    FILE *f = fopen(scratch_path(path), "r");
    cr_assert_not_null(f);
    int found = 0;
    while (!found && fgets(line, sizeof line, f)) {
        if (strncmp(line, start, strlen(start)) != 0) continue;
        char *p = line + strlen(start);
        for (int k = 0; k < 5; k++) {
            out[k] = *p == ',' || *p == '\n' ? (double)NAN : atof(p);
            p = strchr(p, k < 4 ? ',' : '\n');
            p += k < 4;
        }
        found = 1;
    }
    fclose(f);
    return found;
}

static char *file_of(const char *dir, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(scratch_path(path), "rb");
    cr_assert_not_null(f, "%s", path);
    char *text = calloc(1, 1 << 22);
    cr_assert_gt(fread(text, 1, (1 << 22) - 1, f), 0);
    fclose(f);
    return text;
}

/* ---- scalars */

Test(evaluate_command, holds_every_perturbation_out_once_and_sums_up_what_it_says_of_each)
{
    double s[5], sum = 0;
    int counts[6] = {0}, n = 0;
    MUST(evaluate(scalar_yaml, "folds", 5, NULL, "e", NULL));
    rows r = read_rows("e");
    for (int i = 0; i < r.n; i++) {
        cr_assert(r.at[i].fold >= 1 && r.at[i].fold <= 5);
        if (strcmp(r.at[i].model, "gp") != 0 || strcmp(r.at[i].metric, "nll") != 0) continue;
        counts[r.at[i].fold]++;
        sum += r.at[i].value;
        n++;
    }
    cr_assert_eq(n, N_PERTURBATIONS);
    for (int f = 1; f <= 5; f++)
        cr_assert(counts[f] == 7 || counts[f] == 8);
    cr_assert(summary_of(s, "e", "folds", "gp", "nll"));
    cr_assert(!(fabs(s[0] - sum / n) > 1e-5 * fabs(s[0])), "%g is not %g", s[0], sum / n);
    cr_assert(s[2] <= s[0] && s[0] <= s[3] && s[1] > 0);
    cr_assert_eq(s[4], N_PERTURBATIONS);
    free(r.at);
}

Test(evaluate_command, takes_what_is_no_mean_within_each_fold)
{
    double s[5], of_fold[6] = {0}, count[6] = {0}, mean = 0, squares = 0;
    MUST(evaluate(scalar_yaml, "folds", 4, "linear", "e", NULL));
    rows r = read_rows("e");
    for (int i = 0; i < r.n; i++) {
        if (strcmp(r.at[i].metric, "error") != 0) continue;
        double measured = value_of(&r, r.at[i].name, "linear", "measured"), predicted = value_of(&r, r.at[i].name, "linear", "predicted");
        cr_assert(!(fabs(r.at[i].value - fabs(measured - predicted)) > 1e-4));
        of_fold[r.at[i].fold] += r.at[i].value * r.at[i].value;
        count[r.at[i].fold]++;
    }
    for (int f = 1; f <= 4; f++)
        mean += sqrt(of_fold[f] / count[f]) / 4;
    for (int f = 1; f <= 4; f++)
        squares += pow(sqrt(of_fold[f] / count[f]) - mean, 2);
    cr_assert(summary_of(s, "e", "folds", "linear", "rmse"));
    cr_assert(!(fabs(s[0] - mean) > 1e-4 * mean), "%g is not %g", s[0], mean);
    cr_assert(!(fabs(s[1] - sqrt(squares / 3)) > 1e-4), "%g is not %g", s[1], sqrt(squares / 3));
    cr_assert(summary_of(s, "e", "folds", "linear", "spearman"));
    cr_assert_gt(s[0], 0.2); /* the prior is a circle on which the values are smooth */
    free(r.at);
}

Test(evaluate_command, has_no_rank_correlation_of_a_constant)
{
    double s[5];
    MUST(evaluate(scalar_yaml, "folds", 5, "train-mean", "e", NULL));
    cr_assert(summary_of(s, "e", "folds", "train-mean", "spearman"));
    cr_assert(isnan(s[0]) && isnan(s[2]) && s[4] == 0);
}

/* The screen with the target's value of P07 moved. */
static char *moved_screen(const char *yaml)
{
    static char text[8192];
    char *p = text;
    p += sprintf(p, "gene,line,score,n_cells,depth\n");
    for (int i = 0; i < N_PERTURBATIONS; i++)
        for (int c = 0; c < N_CONTEXTS; c++)
            p += sprintf(p, "P%02d,%s,%.5f,%d,%.3f\n", i, c ? "other" : "here", scalar_of(i, c) + (i == 7 && c == 0 ? 50 : 0), 50 + i, 1 + 0.1 * (i % 7));
    scratch_write("moved.csv", text);
    char *one = replaced(yaml, "screen.csv", "moved.csv"), *both = replaced(one, "screen.csv", "moved.csv");
    free(one);
    return both;
}

Test(evaluate_command, lets_nothing_of_a_held_out_value_into_its_folds_predictions)
{
    char *moved = moved_screen(scalar_yaml);
    int same = 0, other = 0;
    MUST(evaluate(scalar_yaml, "folds", 5, NULL, "a", NULL));
    MUST(evaluate(moved, "folds", 5, NULL, "b", NULL));
    rows a = read_rows("a"), b = read_rows("b");
    cr_assert_eq(a.n, b.n);
    for (int i = 0; i < a.n; i++) {
        if (strcmp(a.at[i].metric, "predicted") != 0) continue;
        if (a.at[i].fold == fold_of(&a, "P07")) cr_assert_eq(a.at[i].value, b.at[i].value, "%s of %s", a.at[i].model, a.at[i].name);
        else if (a.at[i].value == b.at[i].value) same++;
        else other++;
    }
    cr_assert_gt(other, same); /* where it is learned from it shows */
    free(a.at);
    free(b.at);
    free(moved);
}

Test(evaluate_command, scales_priors_without_the_rows_of_the_held_out)
{
    char layout[2048] = "gene,x,y\n";
    for (int i = 0; i < N_PERTURBATIONS; i++)
        sprintf(layout + strlen(layout), "P%02d,%.4f,%.4f\n", i, sin(i * 0.7) * (i == 7 ? 90 : 1), cos(i * 0.7));
    scratch_write("far.csv", layout);
    /* without the other context, where P07 would be learned from */
    char *alone = replaced(scalar_yaml, "    - {file: screen.csv, role: reference, context: {column: line}, contexts: [other], perturbation: gene, cells: n_cells}\n", "");
    char *pooled = replaced(alone, ", held_out: {fraction: 0.2}", ""), *yaml = replaced(pooled, "file: layout.csv", "file: far.csv"); /* the campaign's own pool has all rows */
    int differ = 0;
    MUST(evaluate(pooled, "folds", 5, NULL, "a", NULL));
    MUST(evaluate(yaml, "folds", 5, NULL, "b", NULL));
    rows a = read_rows("a"), b = read_rows("b");
    for (int i = 0; i < a.n; i++) {
        if (strcmp(a.at[i].metric, "predicted") != 0 || strcmp(a.at[i].name, "P07") == 0) continue;
        if (a.at[i].fold == fold_of(&a, "P07")) cr_assert_eq(a.at[i].value, b.at[i].value, "%s of %s", a.at[i].model, a.at[i].name);
        else differ += a.at[i].value != b.at[i].value;
    }
    cr_assert_gt(differ, 20);
    free(a.at);
    free(b.at);
    free(alone);
    free(pooled);
    free(yaml);
}

Test(evaluate_command, judges_the_built_in_simulator)
{
    double s[5];
    MUST(evaluate(simulated_yaml, "folds", 5, NULL, "e", NULL));
    cr_assert(summary_of(s, "e", "folds", "gp", "spearman"));
    cr_assert(isfinite(s[0]));
    cr_assert(summary_of(s, "e", "folds", "knn", "rmse"));
    cr_assert_eq(s[4], 40);
    cr_assert_not(summary_of(s, "e", "folds", "two-way", "rmse")); /* there is one context */
}

/* ---- profiles */

Test(evaluate_command, judges_profiles_by_folds_and_by_outliers)
{
    double s[5];
    if (!sow_split_has_leiden()) {
        fprintf(stderr, "SKIPPED: needs igraph\n");
        cr_skip_test("no igraph");
    }
    MUST(evaluate(profile_yaml, "folds,outliers", 3, NULL, "e", NULL));
    rows r = read_rows("e");
    int held = 0;
    for (int i = 0; i < r.n; i++)
        held += strcmp(r.at[i].split, "outliers") == 0 && strcmp(r.at[i].model, "gp") == 0 && strcmp(r.at[i].metric, "rmse_all") == 0;
    cr_assert(held > 0 && held < N_PERTURBATIONS);
    cr_assert(summary_of(s, "e", "outliers", "gp", "rmse_all"));
    cr_assert_eq(s[4], held);
    cr_assert(isnan(s[1])); /* one fold has no spread */
    cr_assert(summary_of(s, "e", "folds", "control", "rmse_all"));
    cr_assert(summary_of(s, "e", "folds", "source-shift", "pearson_delta_all"));
    cr_assert_gt(s[0], 0.9); /* the other line is nearly the same */
    free(r.at);
}

/* ---- cells */

static void make_cells_file(int contexts, double boost)
{
    cell_recipe recipe = CELL_RECIPE;
    recipe.contexts = contexts;
    recipe.boost = boost;
    write_cells("cells.h5ad", &recipe);
}

Test(evaluate_command, judges_cells_by_every_metric_of_cells)
{
    double s[5];
    make_cells_file(2, 1);
    MUST(evaluate(cells_yaml, "folds", 4, NULL, "e", NULL));
    cr_assert(summary_of(s, "e", "folds", "gp", "mmd_de"));
    cr_assert_eq(s[4], C_PERTURBATIONS);
    cr_assert(summary_of(s, "e", "folds", "control", "recall_top20"));
    cr_assert(summary_of(s, "e", "folds", "source-shift", "pearson_delta_all"));
    double here = s[0];
    cr_assert(summary_of(s, "e", "folds", "linear", "pearson_delta_all"));
    cr_assert_gt(here, s[0]); /* most of what a perturbation does it does in the other context too */
    rows r = read_rows("e");
    for (int i = 0; i < r.n; i++)
        cr_assert_eq(r.at[i].cells, strcmp(r.at[i].name, "P02") == 0 ? 18 : C_CELLS);
    free(r.at);
    char *page = file_of("e", "evaluate.html");
    cr_assert(strstr(page, "Random folds") && strstr(page, "Controls are cut in two") && strstr(page, "source-shift") && strstr(page, "Differences pair by pair"));
    free(page);
}

Test(evaluate_command, lets_nothing_of_held_out_cells_into_its_folds_fits)
{
    char *yaml = replaced(cells_yaml,
                          "    - {file: cells.h5ad, role: reference, context: {column: line}, contexts: [other], perturbation: {column: gene, control: nt}, technical_batch: lane}\n", "");
    int differ = 0;
    make_cells_file(1, 1);
    MUST(evaluate(yaml, "folds", 4, NULL, "a", NULL));
    make_cells_file(1, 7); /* it would move the median total that cells are scaled to */
    MUST(evaluate(yaml, "folds", 4, NULL, "b", NULL));
    rows a = read_rows("a"), b = read_rows("b");
    cr_assert_eq(a.n, b.n);
    for (int i = 0; i < a.n; i++) {
        int same = a.at[i].value == b.at[i].value || (isnan(a.at[i].value) && isnan(b.at[i].value));
        if (a.at[i].fold == fold_of(&a, "P05")) cr_assert(same || strcmp(a.at[i].name, "P05") == 0, "%s of %s by %s", a.at[i].metric, a.at[i].name, a.at[i].model);
        else differ += !same;
    }
    cr_assert_gt(differ, 100);
    free(a.at);
    free(b.at);
    free(yaml);
}

Test(evaluate_command, respects_the_reference_mode_of_metrics)
{
    double a[5], b[5];
    char *yaml = replaced(cells_yaml, "evaluation: {de_genes: 5}", "evaluation: {de_genes: 5, mode: reference}");
    make_cells_file(2, 1);
    MUST(evaluate(cells_yaml, "folds", 3, "gp", "a", NULL));
    MUST(evaluate(yaml, "folds", 3, "gp", "b", NULL));
    cr_assert(summary_of(a, "a", "folds", "gp", "mmd_all") && summary_of(b, "b", "folds", "gp", "mmd_all"));
    cr_assert_neq(a[0], b[0]);
    char *page = file_of("b", "evaluate.html");
    cr_assert(strstr(page, "published reference"));
    free(page);
    free(yaml);
}

Test(evaluate_command, gives_the_same_bytes_for_any_number_of_threads)
{
    static const char *const files[] = {"evaluate.csv", "evaluate_summary.csv", "evaluate.html"};
    sow_threads *threads = NULL;
    MUST(sow_threads_create(&threads, 3, &err));
    sow_env env = {.threads = threads};
    const char *splits = sow_split_has_leiden() ? "folds,outliers" : "folds";
    make_cells_file(2, 1);
    MUST(evaluate(cells_yaml, splits, 4, NULL, "a", NULL));
    MUST(evaluate(cells_yaml, splits, 4, NULL, "b", &env));
    for (int i = 0; i < 3; i++) {
        char *a = file_of("a", files[i]), *b = file_of("b", files[i]);
        cr_assert_str_eq(a, b, "%s", files[i]);
        free(a);
        free(b);
    }
    sow_threads_destroy(threads);
}

/* A model that learns from cells, makes cells, and knows nothing of a perturbation without a prior. */
Test(evaluate_command, judges_a_model_by_the_cells_it_makes)
{
    double morph[5], control[5];
    char layout[512] = "gene,x,y\n";
    for (int i = 0; i < 10; i++)
        sprintf(layout + strlen(layout), "P%02d,%.4f,%.4f\n", i, sin(i * 0.7), cos(i * 0.7));
    scratch_write("ten.csv", layout);
    char *ten = replaced(cells_yaml, "file: layout.csv", "file: ten.csv"), *small = replaced(ten, "batches: [3, 2]", "batches: [1]");
    char *yaml = replaced(small, "model: {kind: gp, iterations: 8, components: 4}\nacquisition: {strategy: max-variance}",
                          "model: {kind: morph, epochs: 2, batch: 8, latent_cell: 4, latent_perturbation: 4, programs: 4, program_dim: 4, hidden: 8, encoder: 8}\nacquisition: {strategy: random}");
    sow_threads *threads = NULL;
    MUST(sow_threads_create(&threads, 2, &err));
    sow_env env = {.threads = threads};
    make_cells_file(2, 1);
    MUST(evaluate(yaml, "folds", 2, "morph,control", "a", NULL));
    MUST(evaluate(yaml, "folds", 2, "morph,control", "b", &env));
    cr_assert(summary_of(morph, "a", "folds", "morph", "mmd_all") && summary_of(control, "a", "folds", "control", "mmd_all"));
    cr_assert(morph[4] == 10 && control[4] == 10);
    cr_assert_neq(morph[0], control[0]);
    char *a = file_of("a", "evaluate.csv"), *b = file_of("b", "evaluate.csv"), *page = file_of("a", "evaluate.html");
    cr_assert_str_eq(a, b);
    cr_assert(strstr(page, "4 perturbations do not take part for lack of a prior"));
    free(a);
    free(b);
    free(page);
    free(ten);
    free(small);
    free(yaml);
    sow_threads_destroy(threads);
}

Test(evaluate_command, leaves_a_campaign_that_is_under_way_alone)
{
    make_cells_file(2, 1);
    sow_config *config = read_config(cells_yaml);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, "c.sower");
    MUST(sow_campaign_plan(c, NULL, &err));
    int before = scratch_count_entries(scratch_path("c.sower"));
    MUST(evaluate(cells_yaml, "folds", 3, "train-mean", "e", NULL)); /* it is locked, and that does not matter */
    cr_assert_eq(scratch_count_entries(scratch_path("c.sower")), before);
    close_campaign(c);
    sow_config_destroy(config);
}

/* ---- what is refused */

static void refused(const char *yaml, const char *splits, int folds, const char *models, const char *why)
{
    sow_status st = evaluate(yaml, splits, folds, models, "e", NULL);
    cr_assert(st == SOW_E_CONFIG || st == SOW_E_DATA, "%s: %s", sow_status_name(st), err.message);
    cr_assert(strstr(err.message, why), "'%s' is not in: %s", why, err.message);
    cr_assert_eq(scratch_count_entries(scratch_path("e")), -2, "something was written"); /* no such folder */
}

Test(evaluate_command, refuses_what_cannot_be_judged_and_says_why)
{
    refused(scalar_yaml, "fold", 5, NULL, "unknown split 'fold'; did you mean 'folds'?");
    refused(scalar_yaml, "folds,oulier", 5, NULL, "did you mean 'outliers'?");
    refused(scalar_yaml, "", 5, NULL, "--split takes");
    refused(scalar_yaml, "folds", 5, "gp,linaer", "unknown model 'linaer'; did you mean 'linear'?");
    refused(scalar_yaml, "folds", 5, "gp,,linear", "--models takes names");
    refused(scalar_yaml, "folds", 5, "", "--models names no model");
    refused(scalar_yaml, "folds", 37, NULL, "37 folds of 36 perturbations; --folds from 2 to 36");
    refused(scalar_yaml, "folds", 1, NULL, "--folds takes");
    refused(at_lab(scalar_yaml), "folds", 5, NULL, "oracle.kind is lab");
    refused(scalar_yaml, "folds", 5, "additive", "combinations");
    char *bare = replaced(scalar_yaml, "priors: [{name: layout, file: layout.csv}]\n", "");
    refused(bare, "folds", 5, "gp,linear", "model 'linear' cannot be evaluated here: it predicts from priors");
    free(bare);
    refused(simulated_yaml, "folds", 5, "two-way", "another context");
    if (sow_split_has_leiden()) refused(scalar_yaml, "outliers", 5, NULL, "one number a perturbation");
}

Test(evaluate_command, says_what_to_install_where_outliers_are_not_built)
{
    if (sow_split_has_leiden()) cr_skip_test("this build has igraph");
    cr_assert_eq(evaluate(profile_yaml, "outliers", 5, NULL, "e", NULL), SOW_E_UNSUPPORTED);
    cr_assert(strstr(err.message, "libigraph-dev"), "%s", err.message);
}

static sow_status small_evaluation(sow_error *e)
{
    static sow_config *config;
    if (!config) config = read_config(cells_yaml);
    sow_evaluation_options options = SOW_EVALUATION_OPTIONS_INIT;
    char *json = NULL;
    options.folds = 2;
    options.models = "train-mean,linear";
    if (sow_split_has_leiden()) options.splits = "folds,outliers";
    options.dir = scratch_path("e");
    sow_status st = sow_evaluate_campaign(&json, config, &options, NULL, e);
    free(json);
    return st;
}

Test(evaluate_command, survives_allocations_that_fail)
{
    make_cells_file(2, 1);
    sow_error e = {0};
    cr_assert_eq(small_evaluation(&e), SOW_OK, "%s", e.message); /* the cache is there from now on */
    for (sow_index n = 0, step = 1; n < 1000000; n += step, step += 1 + step / 8) { /* densely at first, then here and there */
        e = (sow_error){0};
        sow_memory_fail_after(n);
        sow_status st = small_evaluation(&e);
        sow_memory_fail_after(-1);
        if (st == SOW_OK && n > 20000) return;
        cr_assert(st == SOW_OK || st == SOW_E_NOMEM, "allocation %lld: %s: %s", (long long)n, sow_status_name(st), e.message);
    }
    cr_assert_fail("never succeeded");
}
