/* One suite over every row of the model table. */
#include "fixture.h"

static sow_status fit(sow_model **m, const sow_model_class *c, const sow_training *t, const sow_env *env, sow_error *err)
{
    sow_model_options o = SOW_MODEL_OPTIONS_INIT;
    o.iterations = 8;
    o.neighbours = 3;
    return sow_model_fit(m, c, t, &o, env, err);
}

/* Fit and predict the whole catalogue. */
static asked learn_and_ask(const sow_model_class *c, const sow_training *t, sow_index n_items, const sow_env *env)
{
    sow_model *m = NULL;
    asked a = ask_all(n_items, t->n_features);
    OK(fit(&m, c, t, env, err));
    OK(sow_model_predict(m, &a.q, a.mean, a.var, a.noise, env, err));
    sow_model_destroy(m);
    return a;
}

/* What learns from single cells, or from other contexts first, has suites of its own (test_morph_*.c, test_hypermap_*.c). */
#define EACH_MODEL(c)                                                                                  \
    sow_index n_classes_;                                                                              \
    const sow_model_class *const *classes_ = sow_model_classes(&n_classes_);                           \
    cr_assert(n_classes_ >= 8);                                                                        \
    for (sow_index k_ = 0; k_ < n_classes_; k_++)                                                      \
        for (const sow_model_class *c = classes_[k_], *once_ = c; once_ && !(c->caps & (SOW_CAP_NEEDS_CELLS | SOW_CAP_META)); once_ = NULL)

/* What it says of a perturbation of which nothing is known: the mean of what was measured, or no change. */
static double of_the_unknown(const sow_model_class *c, double mean)
{
    return strcmp(c->name, "control") == 0 || strcmp(c->name, "source-shift") == 0 ? 0 : mean;
}

static void check_moments(const sow_model_class *c, const asked *a, sow_index n)
{
    for (sow_index i = 0; i < n; i++) {
        cr_assert(isfinite(a->mean[i]), "%s: mean %g", c->name, a->mean[i]);
        if (c->caps & SOW_CAP_VARIANCE)
            cr_assert(a->var[i] >= 0 && a->noise[i] >= 0 && a->var[i] + a->noise[i] > 0 && isfinite(a->var[i] + a->noise[i]),
                      "%s: item %d has variance %g and noise %g", c->name, (int)i, a->var[i], a->noise[i]);
        else
            cr_assert(isnan(a->var[i]) && isnan(a->noise[i]));
    }
}

Test(conformance, fills_finite_means_and_variances_for_every_candidate)
{
    EACH_MODEL(c) {
        fixture f = fixture_make(60, 25, 40, 1, 1);
        asked a = learn_and_ask(c, fixture_training(&f), f.n_items, NULL);
        check_moments(c, &a, f.n_items);
        asked_clear(&a);
        fixture_clear(&f);
    }
}

Test(conformance, fills_profiles_too_where_it_says_so)
{
    EACH_MODEL(c) {
        if (!(c->caps & SOW_CAP_PROFILE)) continue;
        fixture f = fixture_make(40, 15, 30, 7, 2);
        asked a = learn_and_ask(c, fixture_training(&f), f.n_items, NULL);
        check_moments(c, &a, f.n_items * 7);
        asked_clear(&a);
        fixture_clear(&f);
    }
}

Test(conformance, learns_from_a_single_item)
{
    EACH_MODEL(c) for (sow_index d = 1; d <= 4; d += 3) {
        if (d > 1 && !(c->caps & SOW_CAP_PROFILE)) continue;
        fixture f = fixture_make(20, 1, 0, d, 3);
        asked a = learn_and_ask(c, fixture_training(&f), f.n_items, NULL);
        check_moments(c, &a, f.n_items * d);
        for (sow_index j = 0; j < d; j++) NEAR(a.mean[6 * d + j], of_the_unknown(c, f.y[j]), 1e-9); /* item 6 has no prior: nothing but the mean is known */
        asked_clear(&a);
        fixture_clear(&f);
    }
}

Test(conformance, predicts_the_constant_when_every_value_is_the_same)
{
    EACH_MODEL(c) for (sow_index d = 1; d <= 3; d += 2) {
        fixture f = fixture_make(40, 20, 20, d, 4);
        for (sow_index i = 0; i < f.n * d; i++) f.y[i] = 2.5;
        asked a = learn_and_ask(c, fixture_training(&f), f.n_items, NULL);
        check_moments(c, &a, f.n_items * d);
        for (sow_index i = 0; i < f.n_items * d; i++) {
            int elsewhere = 0;
            for (sow_index r = 20; r < f.n; r++) elsewhere |= f.perturbation[r] == i / d;
            double unknown = strcmp(c->name, "source-shift") == 0 && elsewhere ? 2.5 : of_the_unknown(c, 2.5);
            NEAR(a.mean[i], unknown, 1e-6);
        }
        asked_clear(&a);
        fixture_clear(&f);
    }
}

Test(conformance, works_without_any_prior)
{
    EACH_MODEL(c) for (sow_index d = 1; d <= 3; d += 2) {
        fixture f = fixture_make(30, 20, 28, d, 5);
        f.training.priors = NULL;
        asked a = learn_and_ask(c, &f.training, f.n_items, NULL);
        check_moments(c, &a, f.n_items * d);
        asked_clear(&a);
        fixture_clear(&f);
    }
}

Test(conformance, works_where_the_target_context_has_no_values_yet)
{
    EACH_MODEL(c) for (sow_index d = 1; d <= 3; d += 2) {
        fixture f = fixture_make(30, 5, 30, d, 6);
        fixture_training(&f)->target = 2;
        for (sow_index i = 0; i < f.n; i++) f.context[i] = i % 2;
        asked a = learn_and_ask(c, &f.training, f.n_items, NULL);
        check_moments(c, &a, f.n_items * d);
        asked_clear(&a);
        fixture_clear(&f);
    }
}

Test(conformance, gives_a_candidate_without_a_prior_the_mean_of_its_context)
{
    EACH_MODEL(c) {
        fixture f = fixture_make(60, 40, 0, 1, 7);
        asked a = learn_and_ask(c, fixture_training(&f), f.n_items, NULL);
        double mean = 0;
        for (sow_index i = 0; i < f.n; i++) mean += f.y[i] / (double)f.n;
        sow_index lone = -1; /* never measured, no prior */
        for (sow_index i = 0; i < f.n_items; i++) {
            int measured = 0;
            for (sow_index r = 0; r < f.n; r++) measured |= f.perturbation[r] == i;
            if (!measured && !f.set.has_any[i]) lone = i;
        }
        cr_assert(lone >= 0);
        NEAR(a.mean[lone], of_the_unknown(c, mean), 0.3); /* a GP's constant is a weighted mean */
        asked_clear(&a);
        fixture_clear(&f);
    }
}

Test(conformance, is_the_same_twice_and_with_two_threads)
{
    sow_threads *two = NULL;
    OK(sow_threads_create(&two, 2, err));
    sow_env env = {.threads = two};
    EACH_MODEL(c) for (sow_index d = 1; d <= 5; d += 4) {
        fixture f = fixture_make(300, 150, 200, d, 8);
        size_t bytes = (size_t)(f.n_items * d) * sizeof(double);
        asked a = learn_and_ask(c, fixture_training(&f), f.n_items, NULL);
        asked b = learn_and_ask(c, &f.training, f.n_items, NULL);
        asked t = learn_and_ask(c, &f.training, f.n_items, &env);
        cr_assert(memcmp(a.mean, b.mean, bytes) == 0 && memcmp(a.var, b.var, bytes) == 0, "%s differs from run to run", c->name);
        cr_assert(memcmp(a.mean, t.mean, bytes) == 0 && memcmp(a.var, t.var, bytes) == 0 && memcmp(a.noise, t.noise, bytes) == 0,
                  "%s differs with two threads", c->name);
        asked_clear(&a);
        asked_clear(&b);
        asked_clear(&t);
        fixture_clear(&f);
    }
    sow_threads_destroy(two);
}

Test(conformance, does_not_depend_on_the_order_of_training_rows)
{
    EACH_MODEL(c) for (sow_index d = 1; d <= 3; d += 2) {
        fixture f = fixture_make(80, 40, 60, d, 9);
        asked a = learn_and_ask(c, fixture_training(&f), f.n_items, NULL);
        for (sow_index i = 0, j = f.n - 1; i < j; i++, j--) {
            sow_index p = f.perturbation[i], q = f.context[i];
            double cells = f.cells[i];
            f.perturbation[i] = f.perturbation[j], f.perturbation[j] = p;
            f.context[i] = f.context[j], f.context[j] = q;
            f.cells[i] = f.cells[j], f.cells[j] = cells;
            for (sow_index k = 0; k < d; k++) {
                double y = f.y[i * d + k];
                f.y[i * d + k] = f.y[j * d + k], f.y[j * d + k] = y;
            }
        }
        asked b = learn_and_ask(c, &f.training, f.n_items, NULL);
        for (sow_index i = 0; i < f.n_items * d; i++) {
            NEAR(a.mean[i], b.mean[i], 1e-8);
            NEAR(a.var[i], b.var[i], 1e-8);
        }
        asked_clear(&a);
        asked_clear(&b);
        fixture_clear(&f);
    }
}

Test(conformance, answers_an_empty_query_by_writing_nothing)
{
    EACH_MODEL(c) {
        fixture f = fixture_make(20, 10, 0, 1, 10);
        sow_model *m = NULL;
        sow_query none = {0};
        OK(fit(&m, c, fixture_training(&f), NULL, err));
        OK(sow_model_predict(m, &none, NULL, NULL, NULL, NULL, err));
        sow_model_destroy(m);
        fixture_clear(&f);
    }
}

Test(conformance, lets_the_caller_leave_out_variances)
{
    EACH_MODEL(c) {
        fixture f = fixture_make(30, 20, 10, 1, 11);
        sow_model *m = NULL;
        asked a = ask_all(f.n_items, 1), b = ask_all(f.n_items, 1);
        OK(fit(&m, c, fixture_training(&f), NULL, err));
        OK(sow_model_predict(m, &a.q, a.mean, a.var, a.noise, NULL, err));
        OK(sow_model_predict(m, &b.q, b.mean, NULL, NULL, NULL, err));
        cr_assert(memcmp(a.mean, b.mean, (size_t)f.n_items * sizeof(double)) == 0, "%s", c->name);
        sow_model_destroy(m);
        asked_clear(&a);
        asked_clear(&b);
        fixture_clear(&f);
    }
}

Test(conformance, describes_itself)
{
    EACH_MODEL(c) {
        fixture f = fixture_make(40, 20, 30, 1, 12);
        sow_model *m = NULL;
        OK(fit(&m, c, fixture_training(&f), NULL, err));
        char *text = sow_model_describe(m);
        cr_assert(text && strlen(text) > 5);
        free(text);
        sow_model_destroy(m);
        fixture_clear(&f);
    }
}

Test(conformance, offers_a_posterior_exactly_where_it_says_so)
{
    EACH_MODEL(c) {
        fixture f = fixture_make(40, 20, 0, 1, 13);
        sow_model *m = NULL;
        sow_posterior *p = NULL;
        asked a = ask_all(f.n_items, 1);
        OK(fit(&m, c, fixture_training(&f), NULL, err));
        sow_status st = sow_model_posterior(&p, m, &a.q, NULL, NULL);
        cr_assert_eq(st, c->caps & SOW_CAP_JOINT ? SOW_OK : SOW_E_UNSUPPORTED, "%s", c->name);
        cr_assert_eq(p != NULL, st == SOW_OK);
        sow_posterior_destroy(p);
        sow_model_destroy(m);
        asked_clear(&a);
        fixture_clear(&f);
    }
}

Test(conformance, says_that_a_model_of_profiles_predicts_shifts_of_cells)
{
    EACH_MODEL(c) cr_assert_eq((c->caps & SOW_CAP_CELLS) != 0, (c->caps & SOW_CAP_PROFILE) != 0, "%s", c->name);
}

/* The first items of the fixture as singles, two others as combinations of them. */
Test(conformance, takes_combinations_and_needs_them_no_longer_than_the_fit)
{
    EACH_MODEL(c) for (sow_index d = 1; d <= 3; d += 2) {
        fixture f = fixture_make(30, 20, 20, d, 19);
        combinations k = combinations_make(30);
        fixture_training(&f)->detail = k.detail;
        f.training.catalogue = k.names;
        sow_model *m = NULL;
        asked a = ask_all(f.n_items, d);
        OK(fit(&m, c, &f.training, NULL, err));
        combinations_clear(&k);
        OK(sow_model_predict(m, &a.q, a.mean, a.var, a.noise, NULL, err));
        check_moments(c, &a, f.n_items * d);
        sow_model_destroy(m);
        asked_clear(&a);
        fixture_clear(&f);
    }
}

/* ---- refused input ---- */

static void refuses(const sow_model_class *c, const sow_training *t, sow_status want, const char *says)
{
    sow_model *m = NULL;
    sow_error err = {0};
    cr_assert_eq(fit(&m, c, t, NULL, &err), want, "%s", c->name);
    cr_assert_null(m);
    cr_assert(strstr(err.message, says), "'%s' does not say '%s'", err.message, says);
}

Test(conformance, refuses_what_it_cannot_learn_from)
{
    EACH_MODEL(c) {
        fixture f = fixture_make(30, 20, 10, 1, 14);
        sow_training *t = fixture_training(&f);
        f.y[3] = NAN;
        refuses(c, t, SOW_E_NONFINITE, "item 3");
        f.y[3] = INFINITY;
        refuses(c, t, SOW_E_NONFINITE, "item 3");
        f.y[3] = 0;
        f.perturbation[4] = 30;
        refuses(c, t, SOW_E_SHAPE, "catalogue of 30");
        f.perturbation[4] = -1;
        refuses(c, t, SOW_E_SHAPE, "item 4");
        f.perturbation[4] = 4;
        f.context[5] = 3;
        refuses(c, t, SOW_E_SHAPE, "3 contexts");
        f.context[5] = 0;
        f.cells[2] = 0;
        refuses(c, t, SOW_E_DATA, "0 cells");
        f.cells[2] = 10;
        t->target = 7;
        refuses(c, t, SOW_E_SHAPE, "target context 7");
        t->target = 0;
        t->n = 0;
        refuses(c, t, SOW_E_ARG, "0 items");
        fixture_clear(&f);
    }
}

Test(conformance, refuses_a_query_outside_what_it_knows)
{
    EACH_MODEL(c) {
        fixture f = fixture_make(30, 20, 10, 1, 15);
        sow_model *m = NULL;
        asked a = ask_all(30, 1);
        OK(fit(&m, c, fixture_training(&f), NULL, err));
        a.perturbation[2] = 30;
        cr_assert_eq(sow_model_predict(m, &a.q, a.mean, a.var, a.noise, NULL, NULL), SOW_E_SHAPE);
        a.perturbation[2] = 2;
        a.context[2] = 3;
        cr_assert_eq(sow_model_predict(m, &a.q, a.mean, a.var, a.noise, NULL, NULL), SOW_E_SHAPE);
        a.context[2] = 0;
        cr_assert_eq(sow_model_predict(m, &a.q, NULL, a.var, a.noise, NULL, NULL), SOW_E_ARG);
        sow_model_destroy(m);
        asked_clear(&a);
        fixture_clear(&f);
    }
}

/* ---- failing allocations ---- */

Test(conformance, leaks_nothing_and_says_so_when_any_allocation_of_a_fit_fails)
{
    EACH_MODEL(c) for (sow_index d = 1; d <= 3; d += 2) {
        fixture f = fixture_make(24, 9, 22, d, 16);
        sow_model_options o = SOW_MODEL_OPTIONS_INIT;
        sow_training *t = fixture_training(&f);
        combinations pairs = combinations_make(24);
        t->detail = pairs.detail;
        t->catalogue = pairs.names;
        o.iterations = 1;
        for (sow_index k = 0;; k++) {
            sow_model *m = NULL;
            sow_memory_fail_after(k);
            sow_status st = sow_model_fit(&m, c, t, &o, NULL, NULL);
            sow_memory_fail_after(-1);
            if (st == SOW_OK) {
                sow_model_destroy(m);
                cr_assert(k > 2);
                break;
            }
            cr_assert_eq(st, SOW_E_NOMEM, "%s, allocation %d: %s", c->name, (int)k, sow_status_name(st));
            cr_assert_null(m);
            cr_assert(k < 20000);
        }
        combinations_clear(&pairs);
        fixture_clear(&f);
    }
}

Test(conformance, leaks_nothing_when_any_allocation_of_a_prediction_fails)
{
    EACH_MODEL(c) for (sow_index d = 1; d <= 3; d += 2) {
        fixture f = fixture_make(24, 9, 22, d, 17);
        sow_model *m = NULL;
        asked a = ask_all(24, d);
        OK(fit(&m, c, fixture_training(&f), NULL, err));
        for (sow_index k = 0;; k++) {
            sow_memory_fail_after(k);
            sow_status st = sow_model_predict(m, &a.q, a.mean, a.var, a.noise, NULL, NULL);
            sow_memory_fail_after(-1);
            if (st == SOW_OK) break;
            cr_assert_eq(st, SOW_E_NOMEM, "%s", c->name);
        }
        for (sow_index k = 0; c->caps & SOW_CAP_JOINT && d == 1; k++) {
            sow_posterior *p = NULL;
            sow_memory_fail_after(k);
            sow_status st = sow_model_posterior(&p, m, &a.q, NULL, NULL);
            sow_memory_fail_after(-1);
            sow_posterior_destroy(p);
            if (st == SOW_OK) break;
            cr_assert_eq(st, SOW_E_NOMEM, "%s", c->name);
            cr_assert_null(p);
        }
        sow_model_destroy(m);
        asked_clear(&a);
        fixture_clear(&f);
    }
}

static int cancel(void *user, const char *what, double fraction)
{
    (void)user, (void)what, (void)fraction;
    return 1;
}

Test(conformance, a_cancelled_fit_leaves_nothing_behind)
{
    sow_env env = {.progress = cancel};
    EACH_MODEL(c) {
        fixture f = fixture_make(24, 9, 22, 1, 18);
        sow_model *m = NULL;
        sow_status st = fit(&m, c, fixture_training(&f), &env, NULL);
        cr_assert(st == SOW_OK || st == SOW_E_CANCELLED);
        cr_assert_eq(m != NULL, st == SOW_OK);
        sow_model_destroy(m);
        fixture_clear(&f);
    }
}
