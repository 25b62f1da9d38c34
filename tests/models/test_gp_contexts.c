/* References, arms and profiles. */
#include "naive.h"

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

/* Two values that happen to lie close together say nothing of how far values of a context spread; ten do. */
Test(gp, takes_the_spread_of_a_few_values_from_the_reference)
{
    for (int count = 2; count <= 10; count += 8) {
        fixture f = fixture_make(120, count, 120, 1, (uint64_t)count);
        sow_rng rng = sow_rng_make(31, SOW_RNG_TEST, 0, 0);
        for (sow_index r = count; r < f.n; r++) {
            f.context[r] = 1;
            f.y[r] = f.truth[f.perturbation[r]] + 0.2 * sow_rng_normal(&rng);
        }
        for (sow_index r = 0; r < count; r++) f.y[r] = 0.5 + 0.02 * (double)r;
        const double scale = sqrt(sow_variance(&f.y[count], f.n - count));
        sow_model *m = fit_gp(fixture_training(&f), "coregionalised");
        const sow_gp *g = (const sow_gp *)m;
        if (count == 2) cr_expect(g->scale > 0.5 * scale, "%g of %g", g->scale, scale);
        else cr_expect(g->scale < 0.2 * scale, "%g of %g", g->scale, scale);
        sow_model_destroy(m);
        fixture_clear(&f);
    }
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
