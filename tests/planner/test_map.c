/* The whole map: against a naive recomputation of everything that is said of it, and models fitted for one context alone. */
#include "planner/map.h"

#include "campaign_fixture.h"
#include "core/memory.h"
#include "core/threads.h"
#include "models/neighbours.h"

TestSuite(map, .init = scratch_create, .fini = scratch_remove);

static sow_error err;

/* ---- a screen of profiles in three contexts: 14 perturbations of 20 genes; `a` measured all, `b` the first ten, `c` some of these and the rest */

enum { P = 14, G = 20, C = 3 };

static double change(int i, int c, int g)
{
    return (1 + 0.4 * c) * sin(i * 0.7 + g) + 0.6 * cos(1.7 * c * i + 0.3 * g * g) + 0.1 * i * (g % 3);
}

static int measured(int i, int c)
{
    return c == 0 || (c == 1 && i < 10) || (c == 2 && (i % 4 == 1 || i >= 10));
}

static void write_three(void)
{
    static char storage[P * C + G][8];
    static double x[P * C * G];
    char *obs[P * C], *genes[G], *perturbation[P * C], *line[P * C];
    double cells[P * C];
    int n = 0;
    for (int g = 0; g < G; g++) sprintf(genes[g] = storage[P * C + g], "g%02d", g);
    for (int i = 0; i < P; i++)
        for (int c = 0; c < C; c++) {
            if (!measured(i, c)) continue;
            sprintf(obs[n] = storage[n], "P%02d", i);
            perturbation[n] = storage[n];
            line[n] = (char *)(uintptr_t)("a\0b\0c" + 2 * c);
            cells[n] = 30 + i;
            for (int g = 0; g < G; g++) x[n * G + g] = change(i, c, g);
            n++;
        }
    sow_h5ad_column columns[] = {{"perturbation", SOW_COLUMN_STRING, perturbation, NULL}, {"line", SOW_COLUMN_STRING, line, NULL}, {"n_cells", SOW_COLUMN_NUMBER, NULL, cells}};
    sow_h5ad a = {.n_obs = n, .n_vars = G, .obs_names = obs, .var_names = genes, .n_obs_columns = 3, .obs = columns, .x = x};
    MUST(sow_h5ad_write(scratch_path("three.h5ad"), &a, 0, &err));
}

#define SOURCE(role, lines) "    - {file: three.h5ad, role: " role ", context: {column: line}, contexts: [" lines "], perturbation: perturbation, cells: n_cells, values: response}\n"
static const char three_yaml[] = "sower: 1\nname: m\nseed: 4\ndata:\n  sources:\n" SOURCE("target", "a") SOURCE("reference", "b, c")
    "readout: {kind: profile}\nmodel: {kind: two-way, components: 4}\nacquisition: {strategy: random}\nrounds: {initial: {size: 4, strategy: random}, batches: [3]}\noracle: {kind: replay, held_out: {count: 3}}\n";

static sow_campaign *opened(sow_config **config, const char *yaml, int play)
{
    write_three();
    *config = read_config(yaml);
    sow_campaign *c = open_campaign(*config, SOW_CAMPAIGN_WRITE, "r");
    if (play) MUST(sow_campaign_run(c, NULL, &err));
    return c;
}

static void put_away(sow_campaign *c, sow_config *config)
{
    close_campaign(c);
    sow_config_destroy(config);
}

/* The name must live in the scratch folder: `stem`.h5ad, .csv, .html. */
static sow_h5ad *mapped(sow_campaign *c, const char *stem, const sow_env *env)
{
    char name[64], *file = NULL;
    sow_h5ad *a = NULL;
    snprintf(name, sizeof name, "%s.h5ad", stem);
    char *to = sow_strdup(scratch_path(name));
    const sow_prediction_options o = {.file = to, .all = 1};
    MUST(sow_campaign_predict(&file, c, &o, env, &err));
    cr_expect_str_eq(file, to);
    MUST(sow_h5ad_read(&a, file, 1, &err));
    free(file), free(to);
    return a;
}

/* ---- naive twins */

static double z[C][P][G], first[G];

static void standardise(const sow_h5ad *a)
{
    for (int c = 0; c < C; c++)
        for (int g = 0; g < G; g++) {
            double mean = 0, square = 0;
            for (int i = 0; i < P; i++) mean += a->x[(c * P + i) * G + g] / P;
            for (int i = 0; i < P; i++) square += pow(a->x[(c * P + i) * G + g] - mean, 2) / P;
            for (int i = 0; i < P; i++) z[c][i][g] = (a->x[(c * P + i) * G + g] - mean) / sqrt(square);
        }
}

static void find_first(void)
{
    for (int g = 0; g < G; g++) first[g] = 1 + g;
    for (int turn = 0; turn < 3000; turn++) {
        double next[G] = {0}, norm = 0;
        for (int r = 0; r < C * P; r++) {
            const double *row = z[r / P][r % P];
            double t = 0;
            for (int g = 0; g < G; g++) t += row[g] * first[g];
            for (int g = 0; g < G; g++) next[g] += t * row[g];
        }
        for (int g = 0; g < G; g++) norm += next[g] * next[g];
        for (int g = 0; g < G; g++) first[g] = next[g] / sqrt(norm);
    }
}

static double specificity_of(int i)
{
    double all = 0, along = 0, t[C] = {0}, mean_t = 0;
    for (int c = 0; c < C; c++)
        for (int g = 0; g < G; g++) {
            const double mean = (z[0][i][g] + z[1][i][g] + z[2][i][g]) / C;
            all += pow(z[c][i][g] - mean, 2);
            t[c] += z[c][i][g] * first[g];
        }
    for (int c = 0; c < C; c++) mean_t += t[c] / C;
    for (int c = 0; c < C; c++) along += pow(t[c] - mean_t, 2);
    return 1 - along / all;
}

static double magnitude_of(const sow_h5ad *a, int i)
{
    double sum = 0;
    for (int c = 0; c < C; c++)
        for (int g = 0; g < G; g++) sum += fabs(a->x[(c * P + i) * G + g]);
    return sum / (C * G);
}

static double median_of(const double *x)
{
    double s[P];
    memcpy(s, x, sizeof s);
    for (int i = 0; i < P; i++)
        for (int j = i + 1; j < P; j++)
            if (s[j] < s[i]) {
                const double other = s[i];
                s[i] = s[j], s[j] = other;
            }
    return (s[P / 2 - 1] + s[P / 2]) / 2;
}

/* ---- tests */

Test(map, magnitude_specificity_and_classes_are_those_of_a_naive_recomputation)
{
    sow_config *config;
    sow_campaign *c = opened(&config, three_yaml, 1);
    sow_h5ad *a = mapped(c, "m", NULL);
    double magnitude[P], specificity[P];
    char *text = sow_strdup(scratch_read(scratch_path("m.csv"))), *line = strchr(text, '\n') + 1;
    cr_assert_eq(a->n_obs, C * P);
    standardise(a);
    find_first();
    for (int i = 0; i < P; i++) {
        magnitude[i] = magnitude_of(a, i);
        specificity[i] = specificity_of(i);
    }
    for (int i = 0; i < P; i++, line = strchr(line, '\n') + 1) {
        char name[8], class_[32], expected[32];
        double m, s, x, y;
        int contexts, cluster = 0;
        const int fields = sow_graph_has_clusters() ? sscanf(line, "%3[^,],%d,%lf,%lf,%31[^,],%d,%lf,%lf\n", name, &contexts, &m, &s, class_, &cluster, &x, &y)
                                                    : 1 + sscanf(line, "%3[^,],%d,%lf,%lf,%31[^,],,%lf,%lf\n", name, &contexts, &m, &s, class_, &x, &y);
        cr_assert_eq(fields, 8, "%.80s", line);
        cr_expect_str_eq(name, sow_i_name(c, i));
        cr_expect_float_eq(m, magnitude[i], 2e-5 * magnitude[i]); /* six digits, of numbers in single precision */
        cr_expect_float_eq(s, specificity[i], 1e-5);
        snprintf(expected, sizeof expected, "%s %s", magnitude[i] > median_of(magnitude) ? "strong" : "weak", specificity[i] > median_of(specificity) ? "variable" : "consistent");
        cr_expect_str_eq(class_, expected);
        cr_expect(isfinite(x) && isfinite(y));
    }
    free(text);
    sow_h5ad_destroy(a);
    put_away(c, config);
}

Test(map, keeps_what_was_observed_and_nothing_that_is_held_out)
{
    sow_config *config;
    sow_campaign *c = opened(&config, three_yaml, 1);
    sow_h5ad *a = mapped(c, "m", NULL);
    int observed_in_a = 0;
    cr_assert(a->n_layers == 1 && strcmp(a->layers[0], "predicted") == 0);
    for (int k = 0; k < C; k++)
        for (int i = 0; i < P; i++) {
            const int r = k * P + i, observed = (int)sow_h5ad_obs(a, "observed")->number[r], is_target = k == 0;
            cr_expect_str_eq(sow_h5ad_obs(a, "context")->text[r], sow_names_get(c->screen->contexts, k));
            cr_expect_str_eq(sow_h5ad_obs(a, "perturbation")->text[r], sow_i_name(c, i));
            cr_expect_eq(observed, is_target ? c->here->item[i].values && !c->here->held_out[i] : measured(i, k));
            cr_expect_str_eq(sow_h5ad_obs(a, "status")->text[r], observed ? "measured" : !is_target ? "not measured" : c->here->held_out[i] ? "held out" : "candidate");
            cr_expect_eq(sow_h5ad_obs(a, "measured_cells")->number[r], observed ? 30 + i : 0);
            for (int g = 0; g < G && observed; g++) cr_assert_eq(a->x[r * G + g], (double)(float)change(i, k, g));
            for (int g = 0; g < G && !observed; g++) cr_assert(fabs(a->x[r * G + g] - change(i, k, g)) > 1e-9, "%d of %d was not to be known", i, k);
            observed_in_a += is_target && observed;
        }
    cr_expect_eq(observed_in_a, 7);
    sow_h5ad_destroy(a);
    put_away(c, config);
}

/* The same items in the campaign's own order, and only another target. */
static void fit_alone(double *mean, sow_campaign *c, sow_index k)
{
    sow_training t = c->here->training.view;
    sow_model *model = NULL;
    sow_index which[P], where[P];
    t.target = k;
    for (int i = 0; i < P; i++) {
        which[i] = i;
        where[i] = k;
    }
    const sow_query q = {P, which, where, NULL};
    const sow_model_options options = sow_i_model_options(c);
    MUST(sow_model_fit(&model, c->model_class, &t, &options, NULL, &err));
    MUST(sow_model_predict(model, &q, mean, NULL, NULL, NULL, &err));
    sow_model_destroy(model);
}

static void compare_alone(const char *yaml)
{
    sow_config *config;
    sow_campaign *c = opened(&config, yaml, 1);
    sow_h5ad *a = mapped(c, "m", NULL);
    sow_i_map_training t;
    double mean[P * G];
    MUST(sow_i_training_ready(c, NULL, &err));
    for (int k = 0; k < C; k++) {
        fit_alone(mean, c, k);
        for (int i = 0; i < P; i++)
            for (int g = 0; g < G && !sow_h5ad_obs(a, "observed")->number[k * P + i]; g++)
                cr_assert_float_eq(a->x[(k * P + i) * G + g], mean[i * G + g], 1e-5 * (1 + fabs(mean[i * G + g])), "context %d, perturbation %d, gene %d", k, i, g);
        sow_i_map_training_make(&t, c, k);
        cr_expect(t.view.target == k && t.view.n == c->here->training.view.n && t.view.y == c->here->training.view.y, "the campaign's own numbers, not a copy");
    }
    sow_h5ad_destroy(a);
    put_away(c, config);
}

Test(map, predictions_are_those_of_a_model_fitted_for_the_context_alone)
{
    compare_alone(three_yaml);
    char *gp = replaced(three_yaml, "kind: two-way", "kind: gp, iterations: 5");
    scratch_remove();
    scratch_create();
    compare_alone(gp);
    free(gp);
}

Test(map, is_the_same_bytes_for_any_number_of_threads)
{
    sow_config *config;
    sow_campaign *c = opened(&config, three_yaml, 1);
    char *kept[2][3] = {{0}};
    for (int run = 0; run < 2; run++) {
        static const char *const names[] = {"m.h5ad", "m.csv", "m.html"};
        sow_env env = {0};
        MUST(sow_threads_create(&env.threads, run ? 3 : 1, &err));
        sow_h5ad_destroy(mapped(c, "m", &env));
        sow_threads_destroy(env.threads);
        for (int f = 0; f < 3; f++) {
            FILE *in = fopen(scratch_path(names[f]), "rb");
            fseek(in, 0, SEEK_END);
            const long size = ftell(in);
            rewind(in);
            char *bytes = calloc(1, (size_t)size + 16);
            cr_assert_eq(fread(bytes + 16, 1, (size_t)size, in), (size_t)size);
            memcpy(bytes, &size, sizeof size);
            fclose(in);
            kept[run][f] = bytes;
        }
    }
    for (int f = 0; f < 3; f++) {
        long size;
        memcpy(&size, kept[0][f], sizeof size);
        cr_expect_arr_eq(kept[0][f], kept[1][f], (size_t)size + 16);
        free(kept[0][f]), free(kept[1][f]);
    }
    put_away(c, config);
}

Test(map, before_anything_is_measured_in_the_target_the_references_serve_or_it_is_left_out)
{
    sow_config *config;
    sow_campaign *c = opened(&config, three_yaml, 0);
    sow_h5ad *a = mapped(c, "m", NULL);
    cr_expect_eq(a->n_obs, C * P);
    for (sow_index r = 0; r < P; r++) cr_expect_eq(sow_h5ad_obs(a, "observed")->number[r], 0);
    sow_h5ad_destroy(a);
    cr_expect_not(c->here->training_ready);
    MUST(sow_campaign_run(c, NULL, &err)); /* nothing of it stays */
    put_away(c, config);
    scratch_remove();
    scratch_create();
    char *yaml = replaced(three_yaml, "kind: two-way", "kind: train-mean");
    c = opened(&config, yaml, 0);
    a = mapped(c, "m", NULL);
    cr_expect_eq(a->n_obs, (C - 1) * P);
    cr_expect_str_eq(sow_h5ad_obs(a, "context")->text[0], "b");
    sow_h5ad_destroy(a);
    put_away(c, config);
    free(yaml);
}

static int stop(void *user, const char *what, double fraction)
{
    (void)what;
    return fraction >= *(double *)user;
}

Test(map, leaves_nothing_when_it_is_stopped_and_says_what_it_cannot_do)
{
    sow_config *config;
    sow_campaign *c = opened(&config, three_yaml, 1);
    double at = 0.5;
    const sow_env env = {.progress = stop, .progress_user = &at};
    char *file = NULL, *to = sow_strdup(scratch_path("stopped.h5ad"));
    cr_expect_eq(sow_campaign_predict(&file, c, &(sow_prediction_options){.file = to, .all = 1}, &env, &err), SOW_E_CANCELLED);
    cr_expect_not(sow_file_exists(to));
    cr_expect_eq(sow_campaign_predict(&file, c, &(sow_prediction_options){.cells = 3, .all = 1}, NULL, &err), SOW_E_CONFIG);
    cr_expect(strstr(err.message, "--all and --cells"), "%s", err.message);
    free(to);
    put_away(c, config);
    scratch_remove();
    scratch_create();
    c = opened(&config, scalar_yaml, 0);
    cr_expect_eq(sow_campaign_predict(&file, c, &(sow_prediction_options){.all = 1}, NULL, &err), SOW_E_CONFIG);
    cr_expect(strstr(err.message, "one number, of which there is no map"), "%s", err.message);
    put_away(c, config);
}

Test(map, is_made_in_full_or_fails_cleanly_when_memory_runs_out)
{
    sow_config *config;
    sow_campaign *c = opened(&config, three_yaml, 1);
    char *to = sow_strdup(scratch_path("m.h5ad")), *file = NULL;
    sow_status st = SOW_E_NOMEM;
    for (sow_index n = 0; st == SOW_E_NOMEM; n += n < 200 ? 7 : 41) {
        cr_assert_lt(n, 100000);
        sow_memory_fail_after(n);
        st = sow_campaign_predict(&file, c, &(sow_prediction_options){.file = to, .all = 1}, NULL, &err);
        sow_memory_fail_after(-1);
    }
    cr_expect_eq(st, SOW_OK, "%s", err.message);
    free(file), free(to);
    put_away(c, config);
}
