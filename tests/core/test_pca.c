#include "core/pca.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/linalg.h"
#include "core/memory.h"
#include "core/rng.h"

static void fill_normal(double *x, sow_index n, uint32_t item)
{
    sow_rng rng = sow_rng_make(7, SOW_RNG_TEST, 1, item);
    for (sow_index i = 0; i < n; i++)
        x[i] = sow_rng_normal(&rng);
}

static void check_orthonormal(const sow_pca *p)
{
    for (sow_index a = 0; a < p->n_components; a++) {
        sow_index top = 0;
        const double *row = p->components + a * p->dim;
        for (sow_index j = 1; j < p->dim; j++)
            if (fabs(row[j]) > fabs(row[top])) top = j;
        cr_assert_gt(row[top], 0);
        for (sow_index b = 0; b < p->n_components; b++)
            cr_assert(fabs(sow_dot(p->dim, row, p->components + b * p->dim) - (a == b)) <= 1e-9);
    }
}

/* Keeping every component loses nothing, and the scores' variances are those of the model. */
static void check_exact(const double *x, sow_index n, sow_index d, const sow_pca *p)
{
    double *z = calloc((size_t)(n * p->n_components), sizeof *z), total = 0;
    cr_assert_eq(sow_pca_transform(p, x, n, NULL, z, NULL, NULL), SOW_OK);
    for (sow_index i = 0; i < n; i++)
        for (sow_index j = 0; j < d; j++) {
            double back = p->mean[j];
            for (sow_index c = 0; c < p->n_components; c++)
                back += z[i * p->n_components + c] * p->components[c * d + j];
            cr_assert(fabs(back - x[i * d + j]) <= 1e-9);
        }
    for (sow_index c = 0; c < p->n_components; c++) {
        double sum2 = 0;
        for (sow_index i = 0; i < n; i++)
            sum2 += z[i * p->n_components + c] * z[i * p->n_components + c];
        cr_assert(fabs(sum2 / (double)(n - 1) - p->variance[c]) <= 1e-9 * p->variance[0]);
        if (c > 0) cr_assert(p->variance[c] <= p->variance[c - 1]);
        total += p->variance[c];
    }
    cr_assert(fabs(total - p->total_variance) <= 1e-9 * total);
    free(z);
}

Test(pca, rebuilds_tall_data_from_all_components)
{
    double x[40 * 6];
    fill_normal(x, 40 * 6, 1);
    sow_pca p;
    cr_assert_eq(sow_pca_fit(&p, x, 40, 6, NULL, 6, NULL, NULL), SOW_OK);
    cr_assert_eq(p.n_components, 6);
    check_orthonormal(&p);
    check_exact(x, 40, 6, &p);
    sow_pca_clear(&p);
}

Test(pca, rebuilds_wide_data_from_all_components)
{
    double x[9 * 30];
    fill_normal(x, 9 * 30, 2);
    sow_pca p;
    cr_assert_eq(sow_pca_fit(&p, x, 9, 30, NULL, 30, NULL, NULL), SOW_OK);
    cr_assert_eq(p.n_components, 8, "the mean takes one of the nine");
    check_orthonormal(&p);
    check_exact(x, 9, 30, &p);
    sow_pca_clear(&p);
}

Test(pca, finds_the_long_axis)
{
    const double x[] = {0, 0, 1, 2, 2, 4, 3, 6};
    sow_pca p;
    cr_assert_eq(sow_pca_fit(&p, x, 4, 2, NULL, 2, NULL, NULL), SOW_OK);
    cr_assert_eq(p.n_components, 1, "the points lie on a line");
    cr_assert(fabs(p.components[0] - 1 / sqrt(5)) <= 1e-12 && fabs(p.components[1] - 2 / sqrt(5)) <= 1e-12);
    cr_assert(fabs(p.variance[0] - 25.0 / 3) <= 1e-12);
    sow_pca_clear(&p);
}

Test(pca, gives_the_same_components_from_either_gram_matrix)
{
    double tall[8 * 7], wide[8 * 9] = {0};
    fill_normal(tall, 8 * 7, 3);
    for (int i = 0; i < 8; i++)
        memcpy(wide + i * 9, tall + i * 7, sizeof *tall * 7); /* two constant columns make it wide */
    sow_pca a, b;
    cr_assert_eq(sow_pca_fit(&a, tall, 8, 7, NULL, 5, NULL, NULL), SOW_OK);
    cr_assert_eq(sow_pca_fit(&b, wide, 8, 9, NULL, 5, NULL, NULL), SOW_OK);
    for (int c = 0; c < 5; c++)
        for (int j = 0; j < 7; j++)
            cr_assert(fabs(a.components[c * 7 + j] - b.components[c * 9 + j]) <= 1e-9);
    sow_pca_clear(&a);
    sow_pca_clear(&b);
}

Test(pca, leaves_out_rows_that_are_not_used)
{
    double x[20 * 3], kept[10 * 3], z[20 * 2];
    unsigned char use[20];
    fill_normal(x, 20 * 3, 4);
    for (int i = 0; i < 20; i++) {
        use[i] = i % 2 == 0;
        if (use[i])
            memcpy(kept + i / 2 * 3, x + i * 3, sizeof *x * 3);
        else
            x[i * 3] = NAN;
    }
    sow_pca a, b;
    cr_assert_eq(sow_pca_fit(&a, x, 20, 3, use, 2, NULL, NULL), SOW_OK);
    cr_assert_eq(sow_pca_fit(&b, kept, 10, 3, NULL, 2, NULL, NULL), SOW_OK);
    cr_assert_eq(memcmp(a.components, b.components, sizeof *x * 6), 0);
    cr_assert_eq(sow_pca_transform(&a, x, 20, use, z, NULL, NULL), SOW_OK);
    for (int i = 1; i < 20; i += 2)
        cr_assert(z[i * 2] == 0 && z[i * 2 + 1] == 0);
    sow_pca_clear(&a);
    sow_pca_clear(&b);
}

Test(pca, keeps_no_component_of_constant_data)
{
    const double x[] = {2, 3, 2, 3, 2, 3};
    sow_pca p;
    cr_assert_eq(sow_pca_fit(&p, x, 3, 2, NULL, 2, NULL, NULL), SOW_OK);
    cr_assert_eq(p.n_components, 0);
    cr_assert_eq(sow_pca_transform(&p, x, 3, NULL, NULL, NULL, NULL), SOW_OK);
    sow_pca_clear(&p);
}

Test(pca, gives_the_same_bits_for_any_number_of_threads)
{
    double *x = malloc(sizeof *x * 600 * 40), *za = calloc(600 * 10, sizeof *x), *zb = calloc(600 * 10, sizeof *x);
    fill_normal(x, 600 * 40, 5);
    sow_threads *two = NULL;
    cr_assert_eq(sow_threads_create(&two, 2, NULL), SOW_OK);
    const sow_env env = {.threads = two};
    sow_pca a, b;
    cr_assert_eq(sow_pca_fit(&a, x, 600, 40, NULL, 10, NULL, NULL), SOW_OK);
    cr_assert_eq(sow_pca_fit(&b, x, 600, 40, NULL, 10, &env, NULL), SOW_OK);
    cr_assert_eq(memcmp(a.components, b.components, sizeof *x * 400), 0);
    cr_assert_eq(sow_pca_transform(&a, x, 600, NULL, za, NULL, NULL), SOW_OK);
    cr_assert_eq(sow_pca_transform(&b, x, 600, NULL, zb, &env, NULL), SOW_OK);
    cr_assert_eq(memcmp(za, zb, sizeof *x * 6000), 0);
    sow_pca_clear(&a);
    sow_pca_clear(&b);
    sow_threads_destroy(two);
    free(x);
    free(za);
    free(zb);
}

Test(pca, refuses_fewer_than_two_rows)
{
    const double x[] = {1, 2, 3, 4};
    const unsigned char use[] = {1, 0};
    sow_pca p;
    sow_error err = {0};
    cr_assert_eq(sow_pca_fit(&p, x, 1, 2, NULL, 2, NULL, NULL), SOW_E_DATA);
    cr_assert_eq(sow_pca_fit(&p, x, 2, 2, use, 2, NULL, &err), SOW_E_DATA);
    cr_assert(strstr(err.message, "at least 2 rows"));
}

Test(pca, refuses_numbers_that_are_not_finite)
{
    double x[] = {1, 2, 3, INFINITY, 5, 6}, z[6];
    sow_pca p;
    cr_assert_eq(sow_pca_fit(&p, x, 3, 2, NULL, 2, NULL, NULL), SOW_E_NONFINITE);
    x[3] = 1;
    cr_assert_eq(sow_pca_fit(&p, x, 3, 2, NULL, 2, NULL, NULL), SOW_OK);
    x[3] = NAN;
    cr_assert_eq(sow_pca_transform(&p, x, 3, NULL, z, NULL, NULL), SOW_E_NONFINITE);
    sow_pca_clear(&p);
}

Test(pca, refuses_data_without_columns)
{
    const double x[] = {1};
    sow_pca p;
    cr_assert_eq(sow_pca_fit(&p, x, 1, 0, NULL, 1, NULL, NULL), SOW_E_ARG);
    cr_assert_eq(sow_pca_fit(&p, x, 1, 1, NULL, -1, NULL, NULL), SOW_E_ARG);
}

Test(pca, survives_every_failed_allocation)
{
    double x[40];
    fill_normal(x, 40, 6);
    sow_status st = SOW_E_NOMEM;
    for (sow_index fail = 0; st == SOW_E_NOMEM; fail++) {
        sow_pca p;
        cr_assert_lt(fail, 100);
        sow_memory_fail_after(fail);
        st = sow_pca_fit(&p, x, 10, 4, NULL, 2, NULL, NULL);
        sow_memory_fail_after(-1);
        if (fail == 0) cr_assert_eq(st, SOW_E_NOMEM);
        sow_pca_clear(&p);
    }
    cr_assert_eq(st, SOW_OK);
}
