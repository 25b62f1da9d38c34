/* The Gaussian process against a naive one: every matrix element by its definition, every solve by elimination. */
#include "fixture.h"

#include "core/stats.h"
#include "models/gp/gp_internal.h"

/* ---- the naive twin ---- */

static double naive_relation(sow_relation relation, const sow_prior *p, sow_index a, sow_index b)
{
    double ab = 0, aa = 0, bb = 0;
    if (p->kind == SOW_PRIOR_SETS) {
        for (sow_index i = p->start[a]; i < p->start[a + 1]; i++)
            for (sow_index j = p->start[b]; j < p->start[b + 1]; j++) ab += p->member[i] == p->member[j];
        aa = (double)(p->start[a + 1] - p->start[a]);
        bb = (double)(p->start[b + 1] - p->start[b]);
    } else {
        for (sow_index k = 0; k < p->dim; k++) {
            double x = p->x[a * p->dim + k], y = p->x[b * p->dim + k];
            ab += x * y, aa += x * x, bb += y * y;
        }
    }
    switch (relation) {
    case SOW_RELATION_TANIMOTO: return ab / (aa + bb - ab);
    case SOW_RELATION_COSINE: return ab / sqrt(aa * bb);
    case SOW_RELATION_PRODUCT: return ab;
    case SOW_RELATION_DISTANCE: break;
    }
    return sqrt(fmax(0, p->kind == SOW_PRIOR_SETS ? 2 - 2 * ab / (aa + bb - ab) : aa + bb - 2 * ab));
}

static double naive_kernel(const sow_kernel *k, const sow_prior *priors, sow_index a, sow_index b)
{
    double sum = k->constant;
    for (sow_index c = 0; c < k->n_components; c++) {
        const sow_component *part = &k->component[c];
        const sow_prior *p = &priors[part->prior];
        double amplitude = exp(k->theta[part->amplitude]), r, l;
        if (part->relation != SOW_RELATION_PRODUCT && a == b) {
            sum += amplitude;
            continue;
        }
        if (!p->has[a] || !p->has[b]) continue;
        r = naive_relation(part->relation, p, a, b);
        l = part->length < 0 ? 1 : part->unit * exp(k->theta[part->length]);
        switch (part->shape) {
        case SOW_SHAPE_FIXED: sum += amplitude * r; break;
        case SOW_SHAPE_RBF: sum += amplitude * exp(-r * r / (2 * l * l)); break;
        case SOW_SHAPE_EXPONENTIAL: sum += amplitude * exp(-r / l); break;
        case SOW_SHAPE_MATERN32: sum += amplitude * (1 + sqrt(3) * r / l) * exp(-sqrt(3) * r / l); break;
        }
    }
    return sum;
}

/* x = A^-1 b by Gauss-Jordan with pivoting; b [n, m] becomes x. */
static void solve(double *a, double *b, sow_index n, sow_index m)
{
    for (sow_index c = 0; c < n; c++) {
        sow_index best = c;
        for (sow_index r = c; r < n; r++)
            if (fabs(a[r * n + c]) > fabs(a[best * n + c])) best = r;
        for (sow_index j = 0; j < n; j++) {
            double t = a[c * n + j];
            a[c * n + j] = a[best * n + j], a[best * n + j] = t;
        }
        for (sow_index j = 0; j < m; j++) {
            double t = b[c * m + j];
            b[c * m + j] = b[best * m + j], b[best * m + j] = t;
        }
        for (sow_index r = 0; r < n; r++) {
            double f = r == c ? 0 : a[r * n + c] / a[c * n + c];
            for (sow_index j = 0; j < n && f != 0; j++) a[r * n + j] -= f * a[c * n + j];
            for (sow_index j = 0; j < m && f != 0; j++) b[r * m + j] -= f * b[c * m + j];
        }
    }
    for (sow_index r = 0; r < n; r++)
        for (sow_index j = 0; j < m; j++) b[r * m + j] /= a[r * n + r];
}

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

/* Sample moments of draws against mean and columns. */
static void check_draws(const sow_posterior *p, sow_index n)
{
    enum { DRAWS = 20000 };
    double *d = calloc((size_t)(DRAWS * n), sizeof *d), *column = calloc((size_t)n, sizeof *column);
    sow_rng rng = sow_rng_make(1, SOW_RNG_DRAW, 0, 0);
    OK(p->draw(p, &rng, DRAWS, d, err));
    for (sow_index i = 0; i < n; i += 5) {
        OK(p->column(p, i, column, err));
        double mi = 0;
        for (sow_index s = 0; s < DRAWS; s++) mi += d[s * n + i] / DRAWS;
        NEAR(mi, p->mean[i], 5 * sqrt(p->var[i] / DRAWS));
        for (sow_index j = 0; j < n; j++) {
            double cov = 0;
            for (sow_index s = 0; s < DRAWS; s++) cov += (d[s * n + i] - p->mean[i]) * (d[s * n + j] - p->mean[j]) / DRAWS;
            NEAR(cov, column[j], 6 * sqrt(p->var[i] * p->var[j] * 2 / DRAWS));
        }
    }
    free(d);
    free(column);
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

/* ---- optimiser ---- */

static sow_status rosenbrock(void *user, const double *x, double *f, double *g, sow_error *err)
{
    (void)err;
    ++*(int *)user;
    *f = 100 * pow(x[1] - x[0] * x[0], 2) + pow(1 - x[0], 2);
    g[0] = -400 * x[0] * (x[1] - x[0] * x[0]) - 2 * (1 - x[0]);
    g[1] = 200 * (x[1] - x[0] * x[0]);
    return SOW_OK;
}

Test(lbfgs, walks_rosenbrocks_valley_to_its_end)
{
    double x[] = {-1.2, 1};
    int calls = 0;
    sow_lbfgs_result r;
    OK(sow_i_lbfgs(x, 2, rosenbrock, &calls, 200, 1e-15, &r, err));
    NEAR(x[0], 1, 1e-6);
    NEAR(x[1], 1, 1e-6);
    cr_assert_eq(r.evaluations, calls);
    cr_assert(calls < 100, "%d evaluations", calls);
}

static sow_status cliff(void *user, const double *x, double *f, double *g, sow_error *err)
{
    (void)user, (void)err;
    *f = x[0] > 0 ? x[0] - log(x[0]) : INFINITY; /* least at 1, nothing below 0 */
    g[0] = x[0] > 0 ? 1 - 1 / x[0] : 0;
    return SOW_OK;
}

Test(lbfgs, steps_back_from_where_there_is_no_value)
{
    double x[] = {20};
    OK(sow_i_lbfgs(x, 1, cliff, NULL, 100, 1e-14, NULL, err));
    NEAR(x[0], 1, 1e-5);
    x[0] = -1;
    cr_assert_eq(sow_i_lbfgs(x, 1, cliff, NULL, 100, 1e-14, NULL, NULL), SOW_E_NO_CONVERGE);
}

Test(lbfgs, stays_put_without_iterations)
{
    double x[] = {-1.2, 1};
    int calls = 0;
    OK(sow_i_lbfgs(x, 2, rosenbrock, &calls, 0, 1e-9, NULL, err));
    NEAR(x[0], -1.2, 0);
    cr_assert_eq(calls, 1);
}

/* ---- what it is for ---- */

static double correlation(const double *a, const double *b, sow_index n)
{
    double ma = 0, mb = 0, ab = 0, aa = 0, bb = 0;
    for (sow_index i = 0; i < n; i++) ma += a[i] / (double)n, mb += b[i] / (double)n;
    for (sow_index i = 0; i < n; i++) ab += (a[i] - ma) * (b[i] - mb), aa += pow(a[i] - ma, 2), bb += pow(b[i] - mb, 2);
    return ab / sqrt(aa * bb);
}

static sow_model *fit_gp(const sow_training *t, const char *transfer)
{
    const sow_model_class *c = NULL;
    sow_model *m = NULL;
    sow_model_options o = SOW_MODEL_OPTIONS_INIT;
    o.transfer = transfer;
    OK(sow_model_find(&c, "gp", err));
    OK(sow_model_fit(&m, c, t, &o, NULL, err));
    return m;
}

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

/* ---- warp ---- */

Test(warp, scores_are_normal_and_come_back)
{
    const double y[] = {5, 1, 100, 1, 2, 30, 7, 9, 11, 3};
    sow_warp w;
    OK(sow_i_warp_create(&w, y, 10, err));
    cr_assert_eq(w.n, 9, "equal values share a knot");
    NEAR(w.z[0], -1.2815515655446004, 1e-12); /* ranks 1 and 2 of 10: (1.5 - 0.5) / 10 */
    NEAR(w.z[8], 1.6448536269514722, 1e-12);
    for (int i = 0; i < 10; i++) NEAR(sow_i_warp_value(&w, sow_i_warp_score(&w, y[i])), y[i], 1e-12);
    for (double z = -4; z < 4; z += 0.01) cr_assert(sow_i_warp_value(&w, z) < sow_i_warp_value(&w, z + 0.01));
    sow_i_warp_clear(&w);
}

Test(warp, a_straight_one_keeps_mean_and_variance)
{
    double y[200];
    sow_warp w;
    for (int i = 0; i < 200; i++) y[i] = 3 + 2 * sow_normal_quantile((i + 0.5) / 200); /* normal scores in other units */
    OK(sow_i_warp_create(&w, y, 200, err));
    NEAR(sow_i_warp_mean(&w, 0.3, 0.5), 3.6, 1e-9);
    NEAR(sow_i_warp_variance(&w, 0.3, 0.5), 2.0, 1e-9);
    NEAR(sow_i_warp_value(&w, 5), 13, 1e-9);
    sow_i_warp_clear(&w);
}

Test(warp, refuses_a_single_value)
{
    const double y[] = {2, 2, 2};
    sow_warp w;
    cr_assert_eq(sow_i_warp_create(&w, y, 3, NULL), SOW_E_ARG);
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

/* ---- other contexts ---- */

/* Values of context 1 made from the truth (or from noise) for every perturbation; context 0 has the first `here` of the fixture's. */
static fixture two_contexts(int related)
{
    fixture f = fixture_make(120, 30, 120, 1, 30);
    sow_rng rng = sow_rng_make(31, SOW_RNG_TEST, 0, 0);
    for (sow_index r = 30; r < f.n; r++) {
        f.context[r] = 1;
        f.y[r] = related ? f.truth[f.perturbation[r]] + 0.2 * sow_rng_normal(&rng) : 1.3 * sow_rng_normal(&rng);
    }
    return f;
}

Test(gp, believes_a_reference_that_agrees_and_drops_one_that_does_not)
{
    for (int related = 0; related < 2; related++) {
        fixture f = two_contexts(related);
        sow_model *m = fit_gp(fixture_training(&f), "coregionalised");
        const sow_gp *g = (const sow_gp *)m;
        cr_assert_eq(g->n_arms, 2);
        NEAR(g->arm[0].weight + g->arm[1].weight, 1, 1e-12);
        if (related)
            cr_assert(g->arm[0].weight > 0.9, "%g", g->arm[0].weight);
        else
            cr_assert(g->arm[0].weight < 0.1, "%g", g->arm[0].weight);
        sow_model_destroy(m);
        fixture_clear(&f);
    }
}

Test(gp, a_reference_improves_what_few_measurements_can_tell)
{
    fixture f = two_contexts(1);
    double r[3];
    static const char *const transfer[] = {"none", "mean", "coregionalised"};
    for (int k = 0; k < 3; k++) {
        sow_model *m = fit_gp(fixture_training(&f), transfer[k]);
        asked a = ask_all(f.n_items, 1);
        OK(sow_model_predict(m, &a.q, a.mean, a.var, a.noise, NULL, err));
        r[k] = correlation(a.mean, f.truth, f.n_items);
        sow_model_destroy(m);
        asked_clear(&a);
    }
    cr_assert(r[1] > r[0] && r[2] > r[0], "none %g mean %g coregionalised %g", r[0], r[1], r[2]);
    fixture_clear(&f);
}

/* Given the reference's values, the two parts of the target's prior must be those of one joint process. */
Test(gp, conditioning_on_the_reference_first_is_the_joint_process)
{
    enum { N = 25, ITEMS = 40 };
    fixture f = fixture_make(ITEMS, N, 0, 1, 33);
    sow_gp_priors *priors = NULL;
    sow_items *items = NULL, *all = NULL;
    sow_kernel *kern = NULL;
    sow_reference *r = NULL;
    double z[N], ratio[N], k[N * N], b[N * (ITEMS + 1)], cross[ITEMS * N], h[ITEMS * N], cov[ITEMS * ITEMS] = {0};
    sow_index every[ITEMS];
    sow_kernel_prior belief = sow_i_kernel_prior_plain;
    belief.constant = 0;
    for (sow_index i = 0; i < ITEMS; i++) every[i] = i;
    for (sow_index i = 0; i < N; i++) z[i] = f.y[i] - 1, ratio[i] = 1 + 0.1 * (double)(i % 3);
    OK(sow_i_gp_priors_create(&priors, &f.set, 1, NULL, err));
    OK(sow_i_items_create(&items, priors->prior, priors->n_priors, NULL, f.perturbation, N, err));
    OK(sow_i_items_create(&all, priors->prior, priors->n_priors, NULL, every, ITEMS, err));
    OK(sow_i_kernel_create(&kern, "auto", priors, &belief, NULL, err));
    OK(sow_i_reference_create(&r, &kern, &items, z, ratio, ITEMS, NULL, err));
    cr_assert(kern == NULL && items == NULL, "taken");
    double w = exp(r->kernel->theta[r->kernel->n_theta - 2]);
    for (sow_index i = 0; i < N; i++) {
        for (sow_index j = 0; j < N; j++) k[i * N + j] = naive_kernel(r->kernel, priors->prior, f.perturbation[i], f.perturbation[j]);
        k[i * N + i] += sow_i_kernel_noise(r->kernel, ratio[i]) + 1e-6;
        for (sow_index j = 0; j < ITEMS; j++) {
            cross[j * N + i] = r->rho_smooth * naive_kernel(r->kernel, priors->prior, f.perturbation[i], j)
                + r->rho_own * w * (f.perturbation[i] == j);
            b[i * (ITEMS + 1) + j] = cross[j * N + i];
        }
        b[i * (ITEMS + 1) + ITEMS] = z[i];
    }
    solve(k, b, N, ITEMS + 1);
    OK(sow_i_whiten_all(h, r, every, ITEMS, NULL, err));
    OK(sow_i_reference_add(r, all, h, every, ITEMS, h, cov, ITEMS, err));
    for (sow_index a = 0; a < ITEMS; a++) {
        double mean = 0;
        for (sow_index i = 0; i < N; i++) mean += cross[a * N + i] * b[i * (ITEMS + 1) + ITEMS];
        NEAR(sow_i_reference_mean(r, a), mean, 1e-9);
        NEAR(sow_i_reference_variance(r, a, h + a * N), cov[a * ITEMS + a], 1e-9);
        for (sow_index c = 0; c < ITEMS; c++) {
            double want = r->rho_smooth * r->rho_smooth * naive_kernel(r->kernel, priors->prior, a, c)
                + (a == c ? r->rho_own * r->rho_own * w : 0) + r->tau2 * (r->smooth[a] * r->smooth[c] + r->own[a] * r->own[c]);
            for (sow_index i = 0; i < N; i++) want -= cross[a * N + i] * b[i * (ITEMS + 1) + c];
            NEAR(cov[a * ITEMS + c], want, 1e-9);
        }
    }
    sow_i_reference_destroy(r);
    sow_i_items_destroy(all);
    sow_i_gp_priors_destroy(priors);
    fixture_clear(&f);
}

Test(gp, the_posterior_of_two_arms_is_one_mixture)
{
    fixture f = two_contexts(1);
    for (sow_index r = 30; r < f.n; r++) f.y[r] += 1.1 * sin(7.0 * (double)r); /* a reference one can doubt */
    sow_model *m = fit_gp(fixture_training(&f), "coregionalised");
    asked a = ask_all(40, 1);
    sow_posterior *p = NULL;
    double column[40];
    OK(sow_model_posterior(&p, m, &a.q, NULL, err));
    for (sow_index i = 0; i < 40; i += 7) {
        OK(p->column(p, i, column, err));
        NEAR(column[i], p->var[i], 1e-9 * p->var[i]);
    }
    check_draws(p, 40);
    sow_posterior_destroy(p);
    sow_model_destroy(m);
    asked_clear(&a);
    fixture_clear(&f);
}

/* ---- derived priors ---- */

Test(derive, scores_reproduce_the_kernel_they_decompose)
{
    enum { ITEMS = 36 };
    fixture f = fixture_make(ITEMS, 20, 0, 1, 40);
    sow_gp_priors *p = NULL;
    OK(sow_i_gp_priors_create(&p, &f.set, 1, NULL, err));
    cr_assert_eq(p->n_given, 3);
    cr_assert_eq(p->n_priors, 5, "of the sets alone and of all together");
    const sow_prior *joint = &p->prior[4];
    double length = p->unit[1] / 12;
    double idf[FIXTURE_SETS] = {0};
    sow_index with = 0;
    for (sow_index i = 0; i < ITEMS; i++) {
        with += f.set.priors[0].has[i];
        for (sow_index k = f.set.priors[0].start[i]; k < f.set.priors[0].start[i + 1]; k++) idf[f.set.priors[0].member[k]] += 1;
    }
    for (int s = 0; s < FIXTURE_SETS; s++) idf[s] = pow(log((double)with / idf[s]), 2);
    for (sow_index a = 0; a < ITEMS; a++)
        for (sow_index b = 0; b < ITEMS; b++) {
            double want = 0, got = 0, ab = 0, aa = 0, bb = 0;
            const sow_prior *s = &f.set.priors[0];
            for (sow_index i = s->start[a]; i < s->start[a + 1]; i++) {
                aa += idf[s->member[i]];
                for (sow_index j = s->start[b]; j < s->start[b + 1]; j++)
                    if (s->member[i] == s->member[j]) ab += idf[s->member[i]];
            }
            for (sow_index j = s->start[b]; j < s->start[b + 1]; j++) bb += idf[s->member[j]];
            if (aa > 0 && bb > 0) want += ab / sqrt(aa * bb);
            if (f.set.priors[1].has[a] && f.set.priors[1].has[b])
                want += exp(-naive_relation(SOW_RELATION_DISTANCE, &f.set.priors[1], a, b) / length);
            if (f.set.priors[2].has[a] && f.set.priors[2].has[b]) want += naive_relation(SOW_RELATION_COSINE, &f.set.priors[2], a, b);
            for (sow_index k = 0; k < joint->dim; k++) got += joint->x[a * joint->dim + k] * joint->x[b * joint->dim + k];
            NEAR(got, want, 1e-6);
        }
    sow_i_gp_priors_destroy(p);
    fixture_clear(&f);
}

Test(derive, held_out_rows_change_nothing_but_themselves)
{
    enum { ITEMS = 40 };
    fixture f = fixture_make(ITEMS, 20, 0, 1, 41);
    sow_gp_priors *p = NULL, *q = NULL;
    f.set.fit_rows = calloc(ITEMS, 1);
    for (sow_index i = 0; i < ITEMS; i++) f.set.fit_rows[i] = i != 10;
    OK(sow_i_gp_priors_create(&p, &f.set, 1, NULL, err));
    cr_assert(f.set.priors[2].has[10]);
    for (sow_index k = 0; k < FIXTURE_DENSE; k++) f.set.priors[2].x[10 * FIXTURE_DENSE + k] = 100 + (double)k;
    OK(sow_i_gp_priors_create(&q, &f.set, 1, NULL, err));
    for (sow_index c = 0; c < p->n_priors; c++) cr_assert(p->unit[c] == q->unit[c]);
    const sow_prior *a = &p->prior[4], *b = &q->prior[4];
    cr_assert_eq(a->dim, b->dim);
    for (sow_index i = 0; i < ITEMS; i++)
        for (sow_index k = 0; k < a->dim && i != 10; k++) NEAR(a->x[i * a->dim + k], b->x[i * a->dim + k], 0);
    sow_i_gp_priors_destroy(p);
    sow_i_gp_priors_destroy(q);
    fixture_clear(&f);
}

/* ---- profiles ---- */

Test(profile, adds_to_the_two_way_model_what_the_priors_tell)
{
    enum { D = 6 };
    fixture f = fixture_make(120, 60, 118, D, 50);
    double error[2] = {0};
    static const char *const name[] = {"two-way", "gp"};
    for (sow_index r = 60; r < f.n; r++) /* elsewhere a perturbation does something else: only the priors carry over */
        for (int j = 0; j < D; j++) f.y[r * D + j] = 0.1 * sin((double)(r * D + j));
    for (int k = 0; k < 2; k++) {
        const sow_model_class *c = NULL;
        sow_model *m = NULL;
        asked a = ask_all(f.n_items, D);
        OK(sow_model_find(&c, name[k], err));
        OK(sow_model_fit(&m, c, fixture_training(&f), NULL, NULL, err));
        OK(sow_model_predict(m, &a.q, a.mean, a.var, a.noise, NULL, err));
        for (sow_index i = 0; i < f.n_items * D; i++) error[k] += pow(a.mean[i] - f.truth[i], 2);
        sow_model_destroy(m);
        asked_clear(&a);
    }
    cr_assert(error[1] < 0.6 * error[0], "two-way %g, gp %g", error[0], error[1]);
    fixture_clear(&f);
}
