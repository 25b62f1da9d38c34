/* Profiles that are changes from controls: how much of the mean, of the process and of a sum is believed. */
#include "naive.h"

#include "models/gp/profile_internal.h"
#include "models/stacking.h"

enum { ITEMS = 40, D = 6 };

static const sow_gp_profile *profile_of(const sow_model *m)
{
    return ((const sow_gp *)m)->profile;
}

/* 24 of 40 measured: `strong` of them far from 0 the same way, all with a little noise. */
static fixture changes(int strong)
{
    fixture f = fixture_make(ITEMS, 24, 0, D, 51);
    sow_rng rng = sow_rng_make(52, SOW_RNG_TEST, 0, 0);
    for (sow_index r = 0; r < f.n; r++)
        for (sow_index j = 0; j < D; j++) f.y[r * D + j] = (r < strong ? (j % 2 ? 2.0 : -2.0) : 0) + 0.1 * sow_rng_normal(&rng);
    f.training.relative = 1;
    return f;
}

Test(gp, believes_in_no_change_when_most_do_nothing)
{
    for (int all = 0; all < 2; all++) {
        fixture f = changes(all ? 24 : 3);
        sow_model *m = fit_gp(fixture_training(&f), "none");
        if (all) cr_assert(profile_of(m)->level > 0.95, "%g", profile_of(m)->level);
        else cr_assert(profile_of(m)->level < 0.2, "%g", profile_of(m)->level);
        sow_model_destroy(m);
        f.training.relative = 0; /* values of another kind have no such zero */
        m = fit_gp(fixture_training(&f), "none");
        cr_assert_eq(profile_of(m)->level, 1.0);
        cr_assert_eq(profile_of(m)->trust, 1.0);
        sow_model_destroy(m);
        fixture_clear(&f);
    }
}

Test(gp, trusts_its_process_as_far_as_it_predicts_what_is_left_out)
{
    for (int telling = 0; telling < 2; telling++) {
        fixture f = fixture_make(ITEMS, 24, 0, D, 53);
        sow_rng rng = sow_rng_make(54, SOW_RNG_TEST, 0, 0);
        for (sow_index r = 0; r < f.n; r++)
            for (sow_index j = 0; j < D; j++) f.y[r * D + j] = telling ? f.truth[f.perturbation[r] * D + j] - 1 : sow_rng_normal(&rng);
        f.training.relative = 1;
        sow_model *m = fit_gp(fixture_training(&f), "none");
        if (telling) cr_assert(profile_of(m)->trust > 0.7, "%g", profile_of(m)->trust);
        else cr_assert(profile_of(m)->trust < 0.5, "%g", profile_of(m)->trust);
        sow_model_destroy(m);
        fixture_clear(&f);
    }
}

/* The share that leaves least, against a search over a grid. */
Test(gp, the_best_share_is_the_best_of_a_grid)
{
    sow_rng rng = sow_rng_make(55, SOW_RNG_TEST, 0, 0);
    for (int k = 0; k < 20; k++) {
        double r[5][3], e[5][3], products[15] = {0}, best = INFINITY, at = 0;
        for (int i = 0; i < 5; i++)
            for (int j = 0; j < 3; j++) {
                e[i][j] = sow_rng_normal(&rng);
                r[i][j] = 0.1 * k * e[i][j] - 0.3 + 0.5 * sow_rng_normal(&rng);
                products[3 * i] += r[i][j] * r[i][j];
                products[3 * i + 1] += r[i][j] * e[i][j];
                products[3 * i + 2] += e[i][j] * e[i][j];
            }
        for (int g = 0; g <= 1000; g++) {
            double sum = 0;
            for (int i = 0; i < 5; i++) {
                double left = 0;
                for (int j = 0; j < 3; j++) left += (r[i][j] - g * 1e-3 * e[i][j]) * (r[i][j] - g * 1e-3 * e[i][j]);
                sum += sqrt(left);
            }
            if (sum < best) best = sum, at = g * 1e-3;
        }
        NEAR(sow_i_best_share(products, 5), at, 2e-3);
    }
}

Test(gp, adds_up_combinations_as_far_as_they_add_up)
{
    for (int additive = 0; additive < 2; additive++) {
        fixture f = fixture_make(ITEMS, ITEMS, 0, D, 56);
        combinations k = combinations_make(ITEMS);
        sow_rng rng = sow_rng_make(57, SOW_RNG_TEST, 0, 0);
        for (sow_index r = 0; r < f.n; r++)
            for (sow_index j = 0; j < D; j++) f.y[r * D + j] = sow_rng_normal(&rng);
        for (sow_index r = 0; r + 2 < f.n; r++)
            for (sow_index j = 0; j < D && additive && k.detail[r].n_agents > 1; j++) f.y[r * D + j] = f.y[(r + 1) * D + j] + f.y[(r + 2) * D + j];
        f.training.relative = 1;
        f.training.detail = k.detail;
        f.training.catalogue = k.names;
        sow_model *m = fit_gp(fixture_training(&f), "none");
        if (additive) cr_assert(profile_of(m)->adds > 0.95, "%g", profile_of(m)->adds);
        else cr_assert(profile_of(m)->adds < 0.4, "%g", profile_of(m)->adds);
        sow_model_destroy(m);
        combinations_clear(&k);
        fixture_clear(&f);
    }
}
