#include "core/mmd.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "core/rng.h"
#include "tests/core/golden.h"
#include "tests/io/faults.h"

#define GOLDEN SOWER_SHARED_DIR "/parity/mmd.h5"
#define EVALUATE SOWER_SHARED_DIR "/parity/evaluate.h5"

/* ---- golden numbers ---- */

/* Every sigma (0 = from the data) and number of kernels; a NaN of the reference is our 0. */
static void check_options(const double *x, sow_index n, const double *y, sow_index m, sow_index d, const double *expected, const char *what)
{
    double *sigma = golden_doubles(GOLDEN, "sigmas", NULL);
    int *kernels = golden_ints(GOLDEN, "kernel_nums", NULL);
    for (int i = 0; i < 6; i++) {
        const sow_mmd_options o = {sigma[i / 2], kernels[i % 2], 0};
        const double theirs = isnan(expected[i]) ? 0 : expected[i];
        double ours = NAN;
        cr_assert_eq(sow_mmd(&ours, x, n, y, m, d, &o, NULL, NULL), SOW_OK);
        cr_assert(fabs(ours - theirs) <= 1e-12, "%s sigma %g, %d kernels: %.17g, expected %.17g", what, o.sigma, o.kernels, ours, theirs);
        if (theirs == 0) cr_assert_eq(ours, 0);
    }
    free(sigma);
    free(kernels);
}

static void check_set(sow_index n, sow_index d)
{
    char name[3][64];
    snprintf(name[0], sizeof name[0], "n%lld_d%lld/x", (long long)n, (long long)d);
    snprintf(name[1], sizeof name[1], "n%lld_d%lld/y", (long long)n, (long long)d);
    snprintf(name[2], sizeof name[2], "n%lld_d%lld/mmd", (long long)n, (long long)d);
    double *x = golden_doubles(GOLDEN, name[0], NULL), *y = golden_doubles(GOLDEN, name[1], NULL), *mmd = golden_doubles(GOLDEN, name[2], NULL);
    check_options(x, n, y, n, d, mmd, name[2]);
    free(x);
    free(y);
    free(mmd);
}

Test(mmd, matches_the_golden_values_for_every_size_sigma_and_number_of_kernels)
{
    GOLDEN_OR_SKIP(GOLDEN);
    const sow_index sizes[] = {16, 32, 64}, dimensions[] = {5, 50, 500};
    for (int i = 0; i < 9; i++) check_set(sizes[i / 3], dimensions[i % 3]);
}

Test(mmd, of_identical_samples_is_exactly_0)
{
    GOLDEN_OR_SKIP(GOLDEN);
    double *x = golden_doubles(GOLDEN, "n32_d50/x", NULL), *expected = golden_doubles(GOLDEN, "identical/mmd", NULL);
    check_options(x, 32, x, 32, 50, expected, "identical");
    free(x);
    free(expected);
}

Test(mmd, of_single_cells_matches_the_golden_values_and_is_0_where_the_reference_divides_by_0)
{
    GOLDEN_OR_SKIP(GOLDEN);
    double *x = golden_doubles(GOLDEN, "n1/x", NULL), *y = golden_doubles(GOLDEN, "n1/y", NULL);
    double *mmd = golden_doubles(GOLDEN, "n1/mmd", NULL), *identical = golden_doubles(GOLDEN, "n1/mmd_identical", NULL);
    cr_assert(isnan(identical[4]) && isnan(identical[5]));
    check_options(x, 1, y, 1, 5, mmd, "n1");
    check_options(x, 1, x, 1, 5, identical, "n1 identical");
    free(x);
    free(y);
    free(mmd);
    free(identical);
}
