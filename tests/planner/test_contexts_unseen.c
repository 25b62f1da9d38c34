/* Perturbations that no context has measured: what other contexts did measure of them, and their priors, reach nothing that is predicted or fitted; they are never seeds, and only they are scored. */
#include "planner/context_rows.h"
#include "planner/evaluate.h"

#include "cells_fixture.h"
#include "contexts_fixture.h"
#include "core/memory.h"
#include "core/threads.h"

TestSuite(contexts_unseen, .init = scratch_create, .fini = scratch_remove);

static sow_error err;
enum { UNSEEN = 5 };

typedef struct {
    sow_config *config;
    sow_campaign *c;
    sow_i_context_rows rows;
    unsigned char unseen[64];
} fixture;

/* Opens what lies in the scratch folder; perturbation P05 is unseen, or nothing is. */
static fixture *open_rows(sow_config *config, sow_index target, int hide)
{
    fixture *f = calloc(1, sizeof *f);
    unsigned char known[8];
    f->config = config;
    f->c = open_campaign(config, SOW_CAMPAIGN_CHECK, NULL);
    memset(known, 1, sizeof known);
    known[target] = 0;
    const sow_index q = sow_names_find(f->c->screen->perturbations, "P05");
    cr_assert(q >= 0);
    f->unseen[q] = 1;
    MUST(sow_i_context_rows_make(&f->rows, f->c, known, target, NULL, hide ? f->unseen : NULL, &err));
    return f;
}

static void close_rows(fixture *f)
{
    sow_i_context_rows_clear(&f->rows);
    sow_campaign_abandon(f->c);
    sow_config_destroy(f->config);
    free(f);
}

static const sow_model_class *model_named(const char *name)
{
    const sow_model_class *m = NULL;
    MUST(sow_model_find(&m, name, &err));
    return m;
}

/* What a model says of every perturbation of the new context but `except` (-1 = none). Caller frees. */
static double *predictions(const fixture *f, const char *model, const char *except, size_t *bytes)
{
    sow_i_context_training t;
    sow_model *fitted = NULL;
    sow_index context[64], perturbation[64], order[64], n = 0;
    for (sow_index i = f->rows.n_known; i < f->rows.n; i++) {
        if (except && strcmp(sow_i_name(f->c, f->rows.perturbation[i]), except) == 0) continue;
        context[n] = f->rows.target;
        perturbation[n++] = f->rows.perturbation[i];
    }
    double *mean = calloc((size_t)(n * f->rows.d), sizeof *mean);
    const sow_model_options options = sow_i_model_options(f->c);
    const sow_query query = {.n = n, .perturbation = perturbation, .context = context};
    cr_assert_geq(sow_i_seed_order(order, &f->rows, 0), 4);
    for (int k = 0; k < 4; k++) order[k] = k; /* none of them P05 */
    MUST(sow_i_context_training_make(&t, &f->rows, order, 4, 0, NULL, &err));
    for (sow_index i = 0; i < t.view.n && f->rows.unseen; i++) cr_assert(!f->rows.unseen[t.perturbation[i]], "an unseen perturbation is learned from");
    MUST(sow_model_fit(&fitted, model_named(model), &t.view, &options, NULL, &err));
    MUST(sow_model_predict(fitted, &query, mean, NULL, NULL, NULL, &err));
    sow_model_destroy(fitted);
    sow_i_context_training_clear(&t);
    *bytes = (size_t)(n * f->rows.d) * sizeof *mean;
    return mean;
}

static void compare(fixture *a, fixture *b, const char *const *models, int n, const char *except, int same)
{
    for (int m = 0; m < n; m++) {
        size_t x_bytes = 0, y_bytes = 0;
        double *x = predictions(a, models[m], except, &x_bytes), *y = predictions(b, models[m], except, &y_bytes);
        cr_assert_eq(x_bytes, y_bytes);
        cr_assert_eq(memcmp(x, y, x_bytes) == 0, same, "%s, which %s have seen it", models[m], same ? "cannot" : "should");
        free(x);
        free(y);
    }
    close_rows(a);
    close_rows(b);
}

static fixture *open_three(int elsewhere, int hide)
{
    write_three_of("three.h5ad", P, elsewhere);
    return open_rows(read_config(three_yaml), 0, hide);
}

Test(contexts_unseen, values_in_other_contexts_change_no_bit_of_a_prediction)
{
    static const char *const all[] = {"gp", "two-way", "linear", "train-mean", "source-shift", "knn", "hypermap"}, *const look[] = {"gp", "two-way", "source-shift", "hypermap"};
    compare(open_three(-1, 1), open_three(UNSEEN, 1), all, 7, NULL, 1);
    compare(open_three(-1, 0), open_three(UNSEEN, 0), look, 4, NULL, 0); /* were it seen, they would */
}

/* The layout of P05 alone is elsewhere, far out: it would stretch every scale. */
static fixture *open_layout(int moved, int hide)
{
    char text[4096], *p = text;
    write_three("three.h5ad", P);
    char *yaml = replaced(three_yaml, "held_out: {count: 2}", "held_out: {count: 0}"); /* priors are scaled on the pool */
    sow_config *config = read_config(yaml);
    free(yaml);
    p += sprintf(p, "gene,x,y\n");
    for (int i = 0; i < P; i++) p += sprintf(p, "P%02d,%.4f,%.4f\n", i, sin(i * 0.7) + (moved && i == UNSEEN ? 40 : 0), cos(i * 0.7));
    scratch_write("layout.csv", text);
    return open_rows(config, 0, hide);
}

Test(contexts_unseen, priors_of_them_are_only_looked_up)
{
    static const char *const models[] = {"gp", "linear"};
    compare(open_layout(0, 1), open_layout(1, 1), models, 2, "P05", 1);
    compare(open_layout(0, 0), open_layout(1, 0), models, 2, "P05", 0);
}

Test(contexts_unseen, the_next_rows_have_their_priors_scaled_on_the_pool_again)
{
    fixture *f = open_layout(1, 0);
    const unsigned char known[] = {0, 1, 1};
    const size_t bytes = (size_t)(f->c->n * f->c->model_priors.fused_dim) * sizeof(double);
    double *before = malloc(bytes);
    memcpy(before, f->c->model_priors.fused, bytes);
    for (int hide = 1; hide >= 0; hide--) {
        sow_i_context_rows_clear(&f->rows);
        MUST(sow_i_context_rows_make(&f->rows, f->c, known, 0, NULL, hide ? f->unseen : NULL, &err));
        cr_assert_eq(memcmp(before, f->c->model_priors.fused, bytes) == 0, !hide);
    }
    free(before);
    close_rows(f);
}

/* Of P05 the counts in `here` are boosted, which is known; `other` is new. */
static fixture *open_cells(double boost, int hide)
{
    cell_recipe recipe = CELL_RECIPE;
    recipe.boost = boost;
    recipe.spare = 1;
    write_cells("cells.h5ad", &recipe);
    return open_rows(read_config(cells_yaml), 1, hide);
}

Test(contexts_unseen, cells_in_other_contexts_enter_neither_the_response_space_nor_a_fit)
{
    static const char *const models[] = {"gp", "linear", "two-way", "hypermap"};
    fixture *a = open_cells(1, 1), *b = open_cells(7, 1);
    cr_assert_eq(a->rows.d, b->rows.d);
    cr_assert_eq(a->c->cells->space.target_sum, b->c->cells->space.target_sum);
    cr_assert_eq(memcmp(a->rows.truth, b->rows.truth, (size_t)(sow_i_n_new(&a->rows) * a->rows.d) * sizeof(double)), 0);
    compare(a, b, models, 4, NULL, 1);
    a = open_cells(1, 0), b = open_cells(7, 0);
    cr_assert_neq(a->c->cells->space.target_sum, b->c->cells->space.target_sum);
    compare(a, b, models, 4, NULL, 0);
}

/* Slopes of covariates: P05 in `other` has another score and another depth. */
static fixture *open_scalar(int moved, int hide)
{
    char text[8192], *p = text, *yaml = replaced(scalar_yaml, "column: score}", "column: score, adjust_for: [depth]}");
    sow_config *config = read_config(yaml);
    free(yaml);
    p += sprintf(p, "gene,line,score,n_cells,depth\n");
    for (int i = 0; i < N_PERTURBATIONS; i++)
        for (int c = 0; c < N_CONTEXTS; c++) {
            const int other = moved && c && i == UNSEEN;
            p += sprintf(p, "P%02d,%s,%.5f,%d,%.3f\n", i, c ? "other" : "here", scalar_of(i, c) + 9 * other, 50 + i, 1 + 0.1 * (i % 7) + 4 * other);
        }
    scratch_write("screen.csv", text);
    return open_rows(config, 0, hide);
}

Test(contexts_unseen, slopes_of_covariates_are_fitted_without_them)
{
    static const char *const models[] = {"gp", "two-way", "source-shift"};
    compare(open_scalar(0, 1), open_scalar(1, 1), models, 3, NULL, 1);
    compare(open_scalar(0, 0), open_scalar(1, 0), models, 3, NULL, 0);
}

Test(contexts_unseen, are_never_seeds_and_are_drawn_apart_by_context_and_draw)
{
    sow_index order[P], pool[P * C], n;
    unsigned char first[64], again[64], next[64];
    fixture *f = open_three(-1, 1);
    for (int draw = 0; draw < 20; draw++) {
        cr_assert_eq(n = sow_i_seed_order(order, &f->rows, draw), P - 1);
        for (int i = 0; i < n; i++) cr_assert_neq(f->rows.perturbation[f->rows.n_known + order[i]], UNSEEN);
    }
    cr_assert_eq(n = sow_i_unseen_pool(pool, f->c, 2, NULL), 10); /* P10 and P11 are not in c */
    sow_i_unseen_draw(first, pool, n, 4, f->c, 2, 0);
    (void)sow_i_unseen_pool(pool, f->c, 2, NULL);
    sow_i_unseen_draw(again, pool, n, 4, f->c, 2, 0);
    (void)sow_i_unseen_pool(pool, f->c, 2, NULL);
    sow_i_unseen_draw(next, pool, n, 4, f->c, 2, 1);
    int count = 0;
    for (int q = 0; q < P; q++) count += first[q];
    cr_assert(count == 4 && !first[10] && !first[11]);
    cr_assert_eq(memcmp(first, again, P), 0);
    cr_assert_neq(memcmp(first, next, P), 0);
    close_rows(f);
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

/* Lines of `text` that have `part`, one after the other. */
static char *lines_with(const char *text, const char *part)
{
    char *out = calloc(strlen(text) + 1, 1);
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
        const size_t n = strcspn(line, "\n") + 1;
        const char *at = strstr(line, part);
        if (at && at < line + n) strncat(out, line, n);
    }
    return out;
}

Test(contexts_unseen, do_not_depend_on_seeds_models_or_threads_and_are_all_that_is_scored)
{
    const sow_context_options few = {.seeds = "3", .draws = 2, .models = "gp", .unseen = "4"}, more = {.seeds = "3,5", .draws = 2, .models = "hypermap,gp,two-way,train-mean", .unseen = "4"};
    sow_threads *threads = NULL;
    MUST(sow_threads_create(&threads, 3, &err));
    sow_env env = {.threads = threads};
    write_three("three.h5ad", P);
    MUST(evaluate(three_yaml, &few, "few", NULL));
    MUST(evaluate(three_yaml, &more, "more", &env));
    char *a = file_of("few", "contexts_unseen.csv"), *b = file_of("more", "contexts_unseen.csv");
    cr_assert_str_eq(a, b);
    cr_assert_eq(strncmp(a, "context,draw,perturbation\na,1,P", 31), 0);
    free(a);
    free(b);
    char *x = file_of("few", "contexts.csv"), *y = file_of("more", "contexts.csv");
    a = lines_with(x, ",3,3,gp,"), b = lines_with(y, ",3,3,gp,");
    cr_assert(strlen(a) > 100);
    cr_assert_str_eq(a, b); /* a training of its own, whatever was judged before it */
    for (const char *line = strchr(x, '\n') + 1; *line; line = strchr(line, '\n') + 1) cr_assert_eq(strncmp(strchr(line, '\n') - 4, ",4,4", 4), 0, "other than the four unseen are scored: %.60s", line);
    char *page = file_of("more", "contexts.html");
    cr_assert(strstr(page, "and asked about perturbations that no context has measured (4 in every context and draw)"));
    free(a), free(b), free(x), free(y), free(page);
    sow_threads_destroy(threads);
}

Test(contexts_unseen, by_two_way_get_what_train_mean_says_and_a_share_is_of_each_context)
{
    const sow_context_options o = {.seeds = "3", .draws = 1, .models = "two-way,train-mean", .unseen = "30%"};
    write_three("three.h5ad", P);
    MUST(evaluate(three_yaml, &o, "e", NULL));
    char *text = file_of("e", "contexts_summary.csv"), *a = lines_with(text, ",two-way,"), *b = lines_with(text, ",train-mean,"), *of_b = b;
    for (char *line = a; *line; line = strchr(line, '\n') + 1) {
        const char *x = strchr(strstr(line, ",two-way,") + 9, ','), *y = strchr(strstr(of_b, ",train-mean,") + 12, ',');
        cr_assert_eq(strncmp(x, y, strcspn(x, "\n")), 0, "%.80s", line);
        of_b = strchr(of_b, '\n') + 1;
    }
    free(text), free(a), free(b);
    text = file_of("e", "contexts_unseen.csv");
    char *of_a = lines_with(text, "a,1,"), *of_c = lines_with(text, "c,1,");
    cr_assert_eq(strlen(of_a), 4 * strlen("a,1,P00\n")); /* .3 * 12 and .3 * 10 */
    cr_assert_eq(strlen(of_c), 3 * strlen("c,1,P00\n"));
    free(text), free(of_a), free(of_c);
}

Test(contexts_unseen, names_of_an_earlier_evaluation_do_not_stay)
{
    sow_context_options o = {.seeds = "3", .draws = 1, .models = "train-mean", .unseen = "3"};
    write_three("three.h5ad", P);
    MUST(evaluate(three_yaml, &o, "e", NULL));
    cr_assert_eq(access(scratch_path("e/contexts_unseen.csv"), F_OK), 0);
    o.unseen = NULL;
    MUST(evaluate(three_yaml, &o, "e", NULL));
    cr_assert_neq(access(scratch_path("e/contexts_unseen.csv"), F_OK), 0);
}

/* Every 37th allocation of the whole command. */
Test(contexts_unseen, the_command_says_when_memory_is_out, .timeout = 120)
{
    int failed = 0;
    write_three("three.h5ad", P);
    sow_config *config = read_config(three_yaml);
    for (sow_index n = 0;; n += 37) {
        const sow_context_options o = {.seeds = "3", .draws = 2, .models = "two-way,train-mean", .dir = scratch_path("e"), .unseen = "3"};
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
