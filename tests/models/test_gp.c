/* The Gaussian process against a naive one, its gradient, and what it is for. */
#include "naive.h"

/* A fitted single-arm model and its sorted training values, taken apart. */
typedef struct {
    fixture f;
    sow_model *model;
    const sow_gp *g;
    double *k; /* [n, n] with noise */
    double *z, *ratio;
} taken;

static taken take(sow_index n_items, sow_index n, const char *kernel)
{
    taken t = {.f = fixture_make(n_items, n, 0, 1, 3)};
    const sow_model_class *c = NULL;
    sow_model_options o = SOW_MODEL_OPTIONS_INIT;
    o.kernel = kernel;
    o.iterations = 5;
    OK(sow_model_find(&c, "gp", err));
    OK(sow_model_fit(&t.model, c, fixture_training(&t.f), &o, NULL, err));
    t.g = (const sow_gp *)t.model;
    t.k = calloc((size_t)(n * n), sizeof(double));
    t.z = calloc((size_t)n, sizeof(double));
    t.ratio = calloc((size_t)n, sizeof(double));
    const sow_kernel *k = t.g->arm[0].kernel;
    for (sow_index i = 0; i < n; i++) { /* the fixture's rows are sorted by perturbation already */
        t.z[i] = (t.f.y[i] - t.g->centre) / t.g->scale;
        t.ratio[i] = isfinite(t.f.cells[i]) ? t.g->typical_cells / t.f.cells[i] : 1;
        for (sow_index j = 0; j < n; j++)
            t.k[i * n + j] = naive_kernel(k, t.g->priors->prior, t.f.perturbation[i], t.f.perturbation[j]);
        t.k[i * n + i] += exp(k->theta[k->n_theta - 2]) + exp(k->theta[k->n_theta - 1]) * t.ratio[i] + 1e-6;
    }
    return t;
}

static void taken_clear(taken *t)
{
    sow_model_destroy(t->model);
    fixture_clear(&t->f);
    free(t->k);
    free(t->z);
    free(t->ratio);
}

static const char *const kernels[] = {"auto", "rbf", "exponential", "matern32", "tanimoto", "linear"};

Test(gp, mean_and_variance_agree_with_a_naive_one_for_every_kernel)
{
    enum { ITEMS = 50, N = 24 };
    for (size_t which = 0; which < sizeof kernels / sizeof kernels[0]; which++) {
        taken t = take(ITEMS, N, kernels[which]);
        asked a = ask_all(ITEMS, 1);
        double b[N * (ITEMS + 1)];
        OK(sow_model_predict(t.model, &a.q, a.mean, a.var, a.noise, NULL, err));
        for (sow_index i = 0; i < N; i++) {
            b[i * (ITEMS + 1) + ITEMS] = t.z[i];
            for (sow_index j = 0; j < ITEMS; j++)
                b[i * (ITEMS + 1) + j] = naive_kernel(t.g->arm[0].kernel, t.g->priors->prior, t.f.perturbation[i], j);
        }
        solve(t.k, b, N, ITEMS + 1);
        for (sow_index j = 0; j < ITEMS; j++) {
            double mean = 0, var = naive_kernel(t.g->arm[0].kernel, t.g->priors->prior, j, j);
            for (sow_index i = 0; i < N; i++) {
                double k = naive_kernel(t.g->arm[0].kernel, t.g->priors->prior, t.f.perturbation[i], j);
                mean += k * b[i * (ITEMS + 1) + ITEMS];
                var -= k * b[i * (ITEMS + 1) + j];
            }
            NEAR(a.mean[j], t.g->centre + t.g->scale * mean, 1e-9);
            NEAR(a.var[j], t.g->scale * t.g->scale * var, 1e-9);
        }
        asked_clear(&a);
        taken_clear(&t);
    }
}

Test(gp, posterior_columns_are_the_prior_less_what_the_values_explain)
{
    enum { ITEMS = 30, N = 14 };
    taken t = take(ITEMS, N, "auto");
    asked a = ask_all(ITEMS, 1);
    sow_posterior *p = NULL;
    double b[N * ITEMS], column[ITEMS];
    OK(sow_model_posterior(&p, t.model, &a.q, NULL, err));
    for (sow_index i = 0; i < N; i++)
        for (sow_index j = 0; j < ITEMS; j++)
            b[i * ITEMS + j] = naive_kernel(t.g->arm[0].kernel, t.g->priors->prior, t.f.perturbation[i], j);
    solve(t.k, b, N, ITEMS);
    for (sow_index c = 0; c < ITEMS; c++) {
        OK(p->column(p, c, column, err));
        NEAR(column[c], p->var[c], 0);
        for (sow_index j = 0; j < ITEMS; j++) {
            double cov = naive_kernel(t.g->arm[0].kernel, t.g->priors->prior, c, j);
            for (sow_index i = 0; i < N; i++)
                cov -= naive_kernel(t.g->arm[0].kernel, t.g->priors->prior, t.f.perturbation[i], c) * b[i * ITEMS + j];
            NEAR(column[j], t.g->scale * t.g->scale * cov, 1e-9);
        }
    }
    cr_assert_eq(p->column(p, ITEMS, column, NULL), SOW_E_ARG);
    sow_posterior_destroy(p);
    asked_clear(&a);
    taken_clear(&t);
}

Test(gp, draws_have_the_posterior_mean_and_covariance)
{
    enum { ITEMS = 30 };
    taken t = take(ITEMS, 14, "auto");
    asked a = ask_all(ITEMS, 1);
    sow_posterior *p = NULL;
    OK(sow_model_posterior(&p, t.model, &a.q, NULL, err));
    check_draws(p, ITEMS);
    sow_posterior_destroy(p);
    asked_clear(&a);
    taken_clear(&t);
}

/* ---- gradient ---- */

static void check_gradient(const char *kernel, sow_index k, int with_fixed)
{
    enum { N = 30 };
    fixture f = fixture_make(40, N, 0, 1, 4);
    sow_gp_priors *priors = NULL;
    sow_items *items = NULL;
    sow_kernel *kern = NULL;
    sow_likelihood *l = NULL;
    double z[N * 2], ratio[N], fixed[N * N] = {0}, cells[40];
    unsigned char has[40];
    sow_rng rng = sow_rng_make(2, SOW_RNG_TEST, 0, 0);
    for (int i = 0; i < N * 2; i++) z[i] = sow_rng_normal(&rng);
    for (int i = 0; i < N; i++) {
        ratio[i] = 0.5 + sow_rng_uniform(&rng);
        for (int j = 0; j < N; j++) fixed[i * N + j] = 0.3 * sin(i) * sin(j) + (i == j ? 0.1 : 0);
    }
    for (int i = 0; i < 40; i++) {
        cells[i] = sow_rng_normal(&rng);
        has[i] = i % 4 != 1;
    }
    sow_kernel_prior belief = sow_i_kernel_prior_plain;
    belief.amplitude[SOW_ROLE_REFERENCE_CELLS] = 0.2;
    OK(sow_i_gp_priors_create(&priors, &f.set, strcmp(kernel, "auto") == 0, NULL, err));
    OK(sow_i_gp_priors_append(priors, "cells", SOW_ROLE_REFERENCE_CELLS, cells, 1, has, 40, err));
    OK(sow_i_items_create(&items, priors->prior, priors->n_priors, NULL, f.perturbation, N, err));
    OK(sow_i_kernel_create(&kern, kernel, priors, &belief, NULL, err));
    OK(sow_i_likelihood_create(&l, kern, items, z, k, ratio, with_fixed ? fixed : NULL, NULL, err));
    double g[64], theta[64], step = 1e-5;
    cr_assert(kern->n_theta <= 64 && kern->n_theta > 3);
    for (sow_index p = 0; p < kern->n_theta; p++) theta[p] = kern->theta[p] + 0.2 * sow_rng_normal(&rng);
    double value, up, down;
    OK(sow_i_likelihood_value(l, theta, &value, g, err));
    for (sow_index p = 0; p < kern->n_theta; p++) {
        double keep = theta[p];
        theta[p] = keep + step;
        OK(sow_i_likelihood_value(l, theta, &up, NULL, err));
        theta[p] = keep - step;
        OK(sow_i_likelihood_value(l, theta, &down, NULL, err));
        theta[p] = keep;
        NEAR(g[p], (up - down) / (2 * step), 1e-6 * fmax(1, fabs(g[p])));
    }
    sow_i_likelihood_destroy(l);
    sow_i_kernel_destroy(kern);
    sow_i_items_destroy(items);
    sow_i_gp_priors_destroy(priors);
    fixture_clear(&f);
}

Test(gp, gradient_agrees_with_finite_differences)
{
    for (size_t which = 0; which < sizeof kernels / sizeof kernels[0]; which++) check_gradient(kernels[which], 1, 0);
}

Test(gp, gradient_agrees_for_several_outputs_and_a_given_covariance)
{
    check_gradient("auto", 2, 1);
    check_gradient("matern32", 2, 0);
}

/* ---- what it is for ---- */

Test(gp, learns_from_priors_and_knows_how_sure_it_is)
{
    fixture f = fixture_make(400, 200, 0, 1, 20);
    sow_model *m = fit_gp(fixture_training(&f), "none");
    asked a = ask_all(f.n_items, 1);
    sow_rng rng = sow_rng_make(77, SOW_RNG_TEST, 0, 0);
    double inside = 0, seen = 0;
    OK(sow_model_predict(m, &a.q, a.mean, a.var, a.noise, NULL, err));
    cr_assert(correlation(a.mean, f.truth, f.n_items) > 0.8);
    for (sow_index i = 1; i < f.n_items; i += 2) { /* never measured */
        double y = f.truth[i] + 0.3 * sow_rng_normal(&rng);
        inside += fabs(y - a.mean[i]) <= 1.645 * sqrt(a.var[i] + a.noise[i]);
        seen += 1;
    }
    cr_assert(inside / seen > 0.82 && inside / seen < 0.99, "coverage %g", inside / seen);
    sow_model_destroy(m);
    asked_clear(&a);
    fixture_clear(&f);
}

Test(gp, a_candidate_without_any_prior_keeps_the_full_variance)
{
    fixture f = fixture_make(70, 40, 0, 1, 21);
    for (sow_index r = 0; r < f.n; r++)
        if (f.perturbation[r] == 6) f.perturbation[r] = 5; /* 6 has no prior and is not measured */
    sow_model *m = fit_gp(fixture_training(&f), "none");
    asked a = ask_all(f.n_items, 1);
    OK(sow_model_predict(m, &a.q, a.mean, a.var, a.noise, NULL, err));
    for (sow_index i = 0; i < f.n_items; i++) cr_assert(a.var[i] <= a.var[6] * (1 + 1e-9));
    sow_model_destroy(m);
    asked_clear(&a);
    fixture_clear(&f);
}

Test(gp, more_cells_mean_less_noise)
{
    fixture f = fixture_make(40, 35, 0, 1, 22);
    sow_model *m = fit_gp(fixture_training(&f), "none");
    asked a = ask_all(3, 1);
    const double cells[] = {10, 1000, NAN};
    a.perturbation[0] = a.perturbation[1] = a.perturbation[2] = 8;
    a.q.cells = cells;
    OK(sow_model_predict(m, &a.q, a.mean, a.var, a.noise, NULL, err));
    cr_assert(a.noise[0] > a.noise[2] && a.noise[2] > a.noise[1]);
    sow_model_destroy(m);
    asked_clear(&a);
    fixture_clear(&f);
}

Test(gp, a_second_measurement_of_one_perturbation_narrows_it)
{
    fixture f = fixture_make(40, 21, 0, 1, 23);
    double var[2];
    f.perturbation[20] = 6; /* no prior, far from all others */
    f.training.n = 20;
    for (int k = 0; k < 2; k++, f.training.n++) {
        f.perturbation[19] = 6;
        f.y[20] = f.y[19];
        sow_model *m = fit_gp(fixture_training(&f), "none");
        asked a = ask_all(f.n_items, 1);
        OK(sow_model_predict(m, &a.q, a.mean, a.var, a.noise, NULL, err));
        var[k] = a.var[6] / a.noise[6];
        sow_model_destroy(m);
        asked_clear(&a);
    }
    cr_assert(var[1] < var[0], "%g then %g", var[0], var[1]);
    fixture_clear(&f);
}

Test(gp, a_skewed_readout_keeps_its_order_and_its_coverage)
{
    fixture f = fixture_make(400, 200, 0, 1, 60);
    for (sow_index r = 0; r < f.n; r++) f.y[r] = exp(f.y[r]);
    sow_model *m = fit_gp(fixture_training(&f), "none");
    asked a = ask_all(f.n_items, 1);
    sow_rng rng = sow_rng_make(78, SOW_RNG_TEST, 0, 0);
    double inside = 0, rho;
    OK(sow_model_predict(m, &a.q, a.mean, a.var, a.noise, NULL, err));
    OK(sow_spearman(&rho, a.mean, f.truth, f.n_items, err));
    cr_assert(rho > 0.8, "%g", rho);
    for (sow_index i = 1; i < f.n_items; i += 2)
        inside += fabs(exp(f.truth[i] + 0.3 * sow_rng_normal(&rng)) - a.mean[i]) <= 1.645 * sqrt(a.var[i] + a.noise[i]);
    cr_assert(inside / 200 > 0.82 && inside / 200 < 0.99, "coverage %g", inside / 200);
    sow_model_destroy(m);
    asked_clear(&a);
    fixture_clear(&f);
}

Test(gp, the_posterior_of_a_warped_readout_is_one_distribution)
{
    enum { ITEMS = 40 };
    fixture f = fixture_make(160, 80, 0, 1, 61);
    for (sow_index r = 0; r < f.n; r++) f.y[r] = exp(f.y[r]);
    sow_model *m = fit_gp(fixture_training(&f), "none");
    asked a = ask_all(ITEMS, 1);
    sow_posterior *p = NULL;
    double one[ITEMS], other[ITEMS];
    OK(sow_model_posterior(&p, m, &a.q, NULL, err));
    OK(sow_model_predict(m, &a.q, a.mean, a.var, a.noise, NULL, err));
    for (sow_index i = 0; i < ITEMS; i++) {
        NEAR(p->mean[i], a.mean[i], 0);
        NEAR(p->var[i], a.var[i], 0);
        NEAR(p->noise[i], a.noise[i], 0);
    }
    OK(p->column(p, 3, one, err));
    for (sow_index j = 0; j < ITEMS; j++) {
        OK(p->column(p, j, other, err));
        NEAR(one[j], other[3], 1e-10 * sqrt(p->var[3] * p->var[j]));
    }
    check_draws(p, ITEMS);
    sow_posterior_destroy(p);
    sow_model_destroy(m);
    asked_clear(&a);
    fixture_clear(&f);
}
