/* What the Gaussian process is made of: the optimiser, the warp, derived priors. */
#include "naive.h"

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
