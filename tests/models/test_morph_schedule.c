#include "models/morph/morph.h"

#include <math.h>

#include "tests/core/golden.h"

#define GOLDEN SOWER_SHARED_DIR "/parity/morph_small.h5"

static void check_bits(const float *ours, const char *name, const char *which, sow_index epochs)
{
    char dataset[96];
    snprintf(dataset, sizeof dataset, "schedules/%s/%s", name, which);
    size_t n = 0;
    double *theirs = golden_doubles(GOLDEN, dataset, &n);
    cr_assert_eq((sow_index)n, epochs);
    for (sow_index i = 0; i < epochs; i++) cr_assert_eq((double)ours[i], theirs[i], "%s epoch %d: %.9g, expected %.9g", dataset, (int)i, (double)ours[i], theirs[i]);
    free(theirs);
}

static void check_schedule(const char *name, const sow_morph_schedule *s)
{
    float alpha[100], beta[100];
    sow_morph_schedules(alpha, beta, s);
    check_bits(alpha, name, "alpha", s->epochs);
    check_bits(beta, name, "beta", s->epochs);
}

Test(morph_schedule, gives_the_published_weights_to_the_last_bit)
{
    GOLDEN_OR_SKIP(GOLDEN);
    check_schedule("n100", &(sow_morph_schedule){100, 2, 2, 5, 10});
    check_schedule("n50", &(sow_morph_schedule){50, 2, 2, 5, 10});
    check_schedule("n100_patience10", &(sow_morph_schedule){100, 2, 2, 5, 2});
    check_schedule("n100_large_data", &(sow_morph_schedule){100, 1, 2, 1, 10});
}

Test(morph_schedule, rises_evenly_from_zero_to_the_largest_weight)
{
    float alpha[100], beta[100];
    sow_morph_schedules(alpha, beta, &(sow_morph_schedule){100, 2, 1, 5, 10});
    for (int i = 0; i < 100; i++) {
        const double a = i < 5 ? 0 : i < 50 ? 2 * (i - 5) / 44.0 : 2, b = i < 10 ? 0 : (i - 10) / 89.0;
        cr_assert(fabs((double)alpha[i] - a) <= 3e-7, "alpha of epoch %d is %g, expected %g", i, (double)alpha[i], a);
        cr_assert(fabs((double)beta[i] - b) <= 3e-7, "beta of epoch %d is %g, expected %g", i, (double)beta[i], b);
    }
    cr_assert_eq(alpha[49], 2.0F);
    cr_assert_eq(alpha[99], 2.0F);
    cr_assert_eq(beta[99], 1.0F);
}

Test(morph_schedule, of_few_epochs_jumps_where_no_epoch_is_left_for_a_ramp)
{
    float alpha[12], beta[12];
    sow_morph_schedules(alpha, beta, &(sow_morph_schedule){8, 2, 1, 5, 10});
    for (int i = 0; i < 8; i++) {
        cr_assert_eq(alpha[i], i < 5 ? 0.0F : 2.0F, "alpha of epoch %d", i);
        cr_assert_eq(beta[i], 0.0F, "beta of epoch %d", i);
    }
    sow_morph_schedules(alpha, beta, &(sow_morph_schedule){12, 2, 1, 5, 10}); /* a ramp of one epoch is 0, as torch.linspace's */
    cr_assert_eq(alpha[5], 0.0F);
    cr_assert_eq(alpha[6], 2.0F);
    cr_assert_eq(beta[10], 0.0F);
    cr_assert_eq(beta[11], 1.0F);
    sow_morph_schedules(alpha, beta, &(sow_morph_schedule){1, 2, 1, 0, 0});
    cr_assert_eq(alpha[0], 2.0F);
    cr_assert_eq(beta[0], 0.0F);
}

Test(morph_schedule, with_no_epochs_at_zero_starts_its_ramp_at_once)
{
    float alpha[10], beta[10];
    sow_morph_schedules(alpha, beta, &(sow_morph_schedule){10, 1, 1, 0, 0});
    cr_assert_eq(alpha[0], 0.0F);
    cr_assert_eq(alpha[4], 1.0F);
    cr_assert(fabs((double)beta[3] - 3 / 9.0) <= 1e-6);
    cr_assert_eq(beta[9], 1.0F);
}
