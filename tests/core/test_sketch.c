/* Leading directions of a matrix, against the full decomposition. */
#include "core/sketch.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/linalg.h"
#include "core/memory.h"
#include "core/rng.h"

static sow_error err;

#define MUST(call) cr_assert_eq((call), SOW_OK, "%s", err.message)

/* Factors of falling size, and a little of everything. */
static float *made(sow_index n, sow_index d, sow_index factors, double noise)
{
    float *x = calloc((size_t)(n * d), sizeof *x);
    sow_rng rng = sow_rng_make(3, SOW_RNG_TEST, 0, 0);
    for (sow_index i = 0; i < n * d; i++) x[i] = (float)(noise * sow_rng_normal(&rng));
    for (sow_index f = 0; f < factors; f++)
        for (sow_index i = 0; i < n * d; i++) x[i] += (float)(sin((double)(f + 1) * (double)(i / d)) * cos(1.3 * (double)(f + 2) * (double)(i % d)) / (double)(1 << f));
    return x;
}

static void compare(sow_index n, sow_index d, sow_index k, double noise, double tolerance, const sow_env *env, float *keep)
{
    float *x = made(n, d, 5, noise), *scores = calloc((size_t)(n * k), sizeof *scores);
    const sow_index r = n < d ? n : d;
    double *a = calloc((size_t)(n * d), sizeof *a), *u = calloc((size_t)(n * r), sizeof *u), *s = calloc((size_t)r, sizeof *s), *vt = calloc((size_t)(r * d), sizeof *vt);
    double *directions = calloc((size_t)(k * d), sizeof *directions), *squares = calloc((size_t)k, sizeof *squares);
    sow_index kept = 0;
    for (sow_index i = 0; i < n * d; i++) a[i] = (double)x[i];
    MUST(sow_svd(n, d, a, d, u, s, vt, &err));
    MUST(sow_sketch(scores, directions, squares, &kept, x, n, d, k, 1, env, &err));
    cr_assert_eq(kept, k < r ? k : r);
    for (sow_index i = 0; i < kept; i++) cr_expect(!(fabs(squares[i] - s[i] * s[i]) > tolerance * s[0] * s[0]), "square %lld: %g, not %g", (long long)i, squares[i], s[i] * s[i]);
    cr_expect(!(fabs(sow_dot(d, directions, vt)) < 1 - tolerance));
    for (sow_index i = 0; i < n; i++) cr_expect(!(fabs((double)scores[i * kept] - u[i * r] * s[0] * (sow_dot(d, directions, vt) > 0 ? 1 : -1)) > tolerance * s[0]));
    for (sow_index i = 0; i < kept; i++)
        for (sow_index j = 0; j <= i; j++) cr_expect(!(fabs(sow_dot(d, &directions[i * d], &directions[j * d]) - (i == j)) > 1e-9));
    if (keep) memcpy(keep, scores, (size_t)(n * kept) * sizeof *keep);
    free(x), free(scores), free(a), free(u), free(s), free(vt), free(directions), free(squares);
}

Test(sketch, is_the_whole_decomposition_of_a_small_matrix)
{
    compare(30, 12, 8, 0.2, 1e-5, NULL, NULL);
    compare(9, 40, 9, 0.2, 1e-5, NULL, NULL);
    compare(1, 5, 3, 0.2, 1e-5, NULL, NULL);
}

Test(sketch, finds_the_leading_directions_of_a_large_one)
{
    compare(2100, 300, 6, 0.01, 1e-4, NULL, NULL);
}

Test(sketch, is_the_same_bits_for_any_number_of_threads)
{
    static float one[2100 * 6], three[2100 * 6];
    sow_env env = {0};
    compare(2100, 300, 6, 0.3, 1e-2, NULL, one);
    MUST(sow_threads_create(&env.threads, 3, &err));
    compare(2100, 300, 6, 0.3, 1e-2, &env, three);
    sow_threads_destroy(env.threads);
    cr_expect_arr_eq(one, three, sizeof one);
}

Test(sketch, of_nothing_is_nothing)
{
    float x[12] = {0}, scores[8];
    double directions[8], squares[2];
    sow_index kept = 7;
    MUST(sow_sketch(scores, directions, squares, &kept, x, 3, 4, 2, 1, NULL, &err));
    cr_expect_eq(kept, 0);
}

Test(sketch, gives_way_when_memory_runs_out)
{
    float *x = made(20, 10, 3, 0.1), scores[60];
    double directions[30], squares[3];
    sow_index kept, n = 0;
    sow_status st = SOW_E_NOMEM;
    for (; st == SOW_E_NOMEM && n < 200; n++) {
        sow_memory_fail_after(n);
        st = sow_sketch(scores, directions, squares, &kept, x, 20, 10, 3, 1, NULL, &err);
        sow_memory_fail_after(-1);
    }
    cr_expect_eq(st, SOW_OK);
    cr_expect_gt(n, 8);
    free(x);
}
