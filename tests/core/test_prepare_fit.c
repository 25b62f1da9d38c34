#include <math.h>

#include "core/hvg.h"
#include "tests/core/made_cells.h"
#include "tests/io/faults.h"

enum { N = 600, D = 40 };

static sow_features features_with(sow_index highly_variable)
{
    sow_features f = SOW_FEATURES_INIT;
    f.n_highly_variable = highly_variable;
    return f;
}

/* Two contexts, cells taking turns; the genes of highest spread differ between them. */
static sow_cells two_contexts(void)
{
    float *x = made_counts(N, D, 5);
    for (sow_index i = 0; i < N; i++)
        for (sow_index g = i % 2 ? 0 : 20; g < (i % 2 ? 6 : 26); g++) x[i * D + g] = i % 10 < 2 ? 40.F + (float)g : 0;
    sow_cells cells = made_cells(x, N, D);
    for (sow_index i = 0; i < N; i++) cells.context[i] = (int32_t)(i % 2);
    free(x);
    return cells;
}

static sow_status fit_all(sow_preparation *p, sow_filtered *filtered, const sow_cells *cells, const sow_features *features, const sow_env *env, sow_error *err)
{
    sow_index *all = all_positions(cells->n);
    sow_status st = sow_preparation_fit(p, filtered, cells, all, cells->n, features, env, err);
    free(all);
    return st;
}

static void refused(const sow_cells *cells, sow_index n_fit, const sow_features *features, sow_status want, const char *words)
{
    sow_preparation p;
    sow_error err = {0};
    sow_index *all = all_positions(cells->n);
    cr_assert_eq(sow_preparation_fit(&p, NULL, cells, all, n_fit, features, NULL, &err), want, "%s", err.message);
    cr_assert(strstr(err.message, words), "'%s' lacks '%s'", err.message, words);
    cr_assert_null(p.genes);
    free(all);
}

/* ---- genes and totals ---- */

Test(prepare_fit, keeps_the_median_total_of_the_cells_with_counts)
{
    const float dense[5 * 3] = {1, 2, 3, 0, 0, 0, 10, 0, 0, 5, 5, 10, 1, 0, 7};
    sow_cells cells = made_cells(dense, 5, 3);
    sow_preparation p;
    const sow_features features = features_with(0);
    cr_assert_eq(fit_all(&p, NULL, &cells, &features, NULL, NULL), SOW_OK);
    cr_assert_eq(p.target_sum, 9); /* of 6, 8, 10 and 20 */
    cr_assert_eq(p.d, 3);
    cr_assert_eq(p.log1p, 1);
    sow_preparation_clear(&p);
    sow_cells_clear(&cells);
}

static int by_value(const void *pa, const void *pb)
{
    const double a = *(const double *)pa, b = *(const double *)pb;
    return a < b ? -1 : a > b;
}

/* Against sorting, with ties, runs and all lengths. */
Test(prepare_fit, takes_the_median_of_any_totals)
{
    sow_rng rng = sow_rng_make(8, SOW_RNG_TEST, 0, 0);
    for (sow_index n = 1; n < 400; n += n < 20 ? 1 : 29) {
        for (int kind = 0; kind < 4; kind++) {
            float *x = calloc((size_t)n, sizeof *x);
            double *sorted = calloc((size_t)n, sizeof *sorted);
            for (sow_index i = 0; i < n; i++) {
                x[i] = kind == 0 ? (float)(i + 1) : kind == 1 ? (float)(n - i) : (float)(1 + sow_rng_below(&rng, kind == 2 ? 3 : 1000));
                sorted[i] = (double)x[i];
            }
            qsort(sorted, (size_t)n, sizeof *sorted, by_value);
            sow_cells cells = made_cells(x, n, 1);
            sow_preparation p;
            const sow_features features = features_with(0);
            cr_assert_eq(fit_all(&p, NULL, &cells, &features, NULL, NULL), SOW_OK);
            cr_assert_eq(p.target_sum, (sorted[(n - 1) / 2] + sorted[n / 2]) / 2, "%lld values of kind %d", (long long)n, kind);
            sow_preparation_clear(&p);
            sow_cells_clear(&cells);
            free(sorted);
            free(x);
        }
    }
}

Test(prepare_fit, no_cell_outside_the_fit_enters_it)
{
    const float dense[4 * 3] = {1, 2, 0, 900, 900, 900, 3, 1, 0, 2, 2, 0};
    sow_cells cells = made_cells(dense, 4, 3);
    sow_preparation p;
    sow_features features = features_with(0);
    features.min_cells_per_gene = 1;
    cr_assert_eq(sow_preparation_fit(&p, NULL, &cells, (sow_index[]){0, 2, 3}, 3, &features, NULL, NULL), SOW_OK);
    cr_assert_eq(p.target_sum, 4);
    cr_assert_eq(p.d, 2);
    cr_assert_eq(p.counted[2], 0);
    sow_preparation_clear(&p);
    sow_cells_clear(&cells);
}

Test(prepare_fit, genes_in_too_few_cells_leave_the_totals_and_are_named)
{
    const float dense[4 * 4] = {5, 0, 1, 3, 5, 0, 1, 0, 6, 0, 1, 0, 6, 0, 2, 100};
    sow_cells cells = made_cells(dense, 4, 4);
    sow_preparation p;
    sow_filtered filtered = {0};
    sow_features features = features_with(0);
    features.min_cells_per_gene = 3;
    cr_assert_eq(fit_all(&p, &filtered, &cells, &features, NULL, NULL), SOW_OK);
    cr_assert_eq(p.target_sum, 6.5); /* of 6, 6, 7 and 8: without g3 */
    cr_assert_eq(p.d, 2);
    cr_assert_str_eq(sow_names_get(p.genes, 0), "g0");
    cr_assert_str_eq(sow_names_get(p.genes, 1), "g2");
    cr_assert_eq(p.column[1], -1);
    cr_assert_eq(filtered.n, 1);
    cr_assert_str_eq(filtered.item[0].what, "genes in fewer than 3 cells of the fit");
    cr_assert_str_eq(filtered.item[0].names, "g1, g3");
    cr_assert_eq(filtered.item[0].count, 2);
    sow_filtered_clear(&filtered);
    sow_preparation_clear(&p);
    sow_cells_clear(&cells);
}

Test(prepare_fit, log_values_stay_as_they_are)
{
    const float dense[2 * 2] = {0.5F, 1, 2, 0.25F};
    sow_cells cells = made_cells(dense, 2, 2);
    sow_preparation p;
    const sow_features features = features_with(0);
    float rows[4];
    cells.is_log[0] = 1;
    cr_assert_eq(fit_all(&p, NULL, &cells, &features, NULL, NULL), SOW_OK);
    cr_assert(isnan(p.target_sum) && !p.log1p);
    cr_assert_eq(sow_prepared_rows(rows, &p, &cells, (sow_index[]){0, 1}, 2, NULL, NULL), SOW_OK);
    cr_assert_arr_eq(rows, dense, sizeof dense);
    sow_preparation_clear(&p);
    sow_cells_clear(&cells);
}

Test(prepare_fit, what_was_fitted_can_be_made_again_from_its_names)
{
    sow_cells cells = two_contexts();
    sow_preparation p, again;
    sow_features features = features_with(7);
    sow_names *not_counted = NULL;
    features.min_cells_per_gene = 100;
    cr_assert_eq(fit_all(&p, NULL, &cells, &features, NULL, NULL), SOW_OK);
    cr_assert_eq(sow_names_create(&not_counted, NULL), SOW_OK);
    for (sow_index g = 0; g < D; g++)
        if (!p.counted[g]) cr_assert_eq(sow_names_add(not_counted, sow_names_get(cells.genes, g), NULL, NULL), SOW_OK);
    cr_assert_eq(sow_preparation_make(&again, &cells, p.genes, not_counted, p.target_sum, p.log1p, NULL), SOW_OK);
    cr_assert_eq(again.d, p.d);
    cr_assert_arr_eq(again.column, p.column, D * sizeof *p.column);
    cr_assert_arr_eq(again.counted, p.counted, D);
    cr_assert_eq(again.target_sum, p.target_sum);
    sow_names_destroy(not_counted);
    sow_preparation_clear(&again);
    sow_preparation_clear(&p);
    sow_cells_clear(&cells);
}

/* ---- highly variable genes of contexts ---- */

/* Chosen in one context alone, in the way the fit does it. */
static void choose_in(unsigned char *chosen, const sow_cells *cells, int context, sow_index n_top, double target_sum)
{
    sow_index list[N], n = 0, n_chosen = 0;
    double score[D], mean[D], variance[D];
    for (sow_index i = 0; i < cells->n; i++)
        if (cells->context[i] == context) list[n++] = i;
    const sow_hvg_input in = {cells, list, n, NULL, SOW_HVG_SEURAT, target_sum, 1};
    cr_assert_eq(sow_hvg_scores(score, mean, variance, &in, NULL, NULL), SOW_OK);
    cr_assert_eq(sow_hvg_choose(chosen, &n_chosen, score, D, n_top, SOW_HVG_SEURAT, NULL), SOW_OK);
}

static void check_joined(sow_hvg_across across)
{
    sow_cells cells = two_contexts();
    sow_preparation p;
    sow_features features = features_with(12);
    unsigned char one[D], other[D];
    sow_index n = 0;
    features.across = across;
    cr_assert_eq(fit_all(&p, NULL, &cells, &features, NULL, NULL), SOW_OK);
    choose_in(one, &cells, 0, 12, p.target_sum);
    choose_in(other, &cells, 1, 12, p.target_sum);
    cr_assert_neq(memcmp(one, other, D), 0);
    for (sow_index g = 0; g < D; g++) {
        const int want = across == SOW_ACROSS_UNION ? one[g] || other[g] : one[g] && other[g];
        cr_assert_eq(p.column[g] >= 0, want, "gene %lld", (long long)g);
        n += want;
    }
    cr_assert(n == p.d && n > 0 && n < D);
    sow_preparation_clear(&p);
    sow_cells_clear(&cells);
}

Test(prepare_fit, genes_of_contexts_are_united)
{
    check_joined(SOW_ACROSS_UNION);
}

Test(prepare_fit, genes_of_contexts_are_intersected)
{
    check_joined(SOW_ACROSS_INTERSECTION);
}

Test(prepare_fit, genes_that_are_not_highly_variable_are_named)
{
    sow_cells cells = two_contexts();
    sow_preparation p;
    sow_filtered filtered = {0};
    const sow_features features = features_with(3);
    cr_assert_eq(fit_all(&p, &filtered, &cells, &features, NULL, NULL), SOW_OK);
    cr_assert_eq(filtered.n, 1);
    cr_assert_str_eq(filtered.item[0].what, "genes that are not highly variable");
    cr_assert_eq(filtered.item[0].count, D - p.d);
    cr_assert(strstr(filtered.item[0].names, " ... and "), "%s", filtered.item[0].names);
    sow_filtered_clear(&filtered);
    sow_preparation_clear(&p);
    sow_cells_clear(&cells);
}

Test(prepare_fit, gives_the_same_bits_for_any_number_of_threads)
{
    sow_index n = 30000;
    float *x = made_counts(200, D, 9), *many = calloc((size_t)(n * D), sizeof *many);
    for (sow_index i = 0; i < n; i++) memcpy(many + i * D, x + (i * 77 % 200) * D, D * sizeof *many);
    sow_cells cells = made_cells(many, n, D);
    sow_index *all = all_positions(n);
    double score[2][D], mean[2][D], variance[2][D], target[2];
    for (int t = 0; t < 2; t++) {
        sow_env env = {0};
        sow_preparation p;
        const sow_features features = features_with(10);
        const sow_hvg_input in = {&cells, all, n, NULL, SOW_HVG_SEURAT, 100, 0};
        cr_assert_eq(sow_threads_create(&env.threads, t ? 3 : 1, NULL), SOW_OK);
        cr_assert_eq(sow_hvg_scores(score[t], mean[t], variance[t], &in, &env, NULL), SOW_OK);
        cr_assert_eq(fit_all(&p, NULL, &cells, &features, &env, NULL), SOW_OK);
        target[t] = p.target_sum;
        sow_preparation_clear(&p);
        sow_threads_destroy(env.threads);
    }
    cr_assert_eq(memcmp(score[0], score[1], sizeof score[0]), 0);
    cr_assert_eq(memcmp(variance[0], variance[1], sizeof variance[0]), 0);
    cr_assert_eq(target[0], target[1]);
    sow_cells_clear(&cells);
    free(all);
    free(many);
    free(x);
}

/* ---- what a fit refuses ---- */

Test(prepare_fit, without_cells_is_refused)
{
    sow_cells cells = two_contexts();
    const sow_features features = features_with(0);
    refused(&cells, 0, &features, SOW_E_DATA, "no cell to fit");
    sow_cells_clear(&cells);
}

Test(prepare_fit, of_all_zero_cells_is_refused)
{
    const float dense[3 * 2] = {0};
    sow_cells cells = made_cells(dense, 3, 2);
    sow_features features = features_with(0);
    refused(&cells, 3, &features, SOW_E_DATA, "every value of the 3 cells");
    features.min_cells_per_gene = 1;
    refused(&cells, 3, &features, SOW_E_DATA, "lower features.min_cells_per_gene");
    sow_cells_clear(&cells);
}

Test(prepare_fit, all_zero_cells_and_genes_beside_others_are_fine)
{
    const float dense[4 * 3] = {0, 0, 0, 1, 0, 3, 2, 0, 1, 0, 0, 0};
    sow_cells cells = made_cells(dense, 4, 3);
    sow_preparation p;
    const sow_features features = features_with(0);
    double mean[3], variance[3];
    cr_assert_eq(fit_all(&p, NULL, &cells, &features, NULL, NULL), SOW_OK);
    cr_assert(p.target_sum == 3.5 && p.d == 3);
    cr_assert_eq(sow_prepared_mean(mean, variance, &p, &cells, (sow_index[]){0, 1, 2, 3}, 4, NULL, NULL), SOW_OK);
    cr_assert(mean[1] == 0 && variance[1] == 0 && mean[0] > 0 && isfinite(variance[2]));
    sow_preparation_clear(&p);
    sow_cells_clear(&cells);
}

Test(prepare_fit, of_one_cell_has_no_highly_variable_genes)
{
    const float dense[1 * 3] = {1, 2, 3};
    sow_cells cells = made_cells(dense, 1, 3);
    sow_preparation p;
    sow_features features = features_with(0);
    cr_assert_eq(fit_all(&p, NULL, &cells, &features, NULL, NULL), SOW_OK);
    cr_assert_eq(p.target_sum, 6);
    sow_preparation_clear(&p);
    features.n_highly_variable = 2;
    refused(&cells, 1, &features, SOW_E_DATA, "has one cell in the fit");
    sow_cells_clear(&cells);
}

Test(prepare_fit, of_cells_that_are_all_alike_has_no_highly_variable_genes)
{
    const float dense[3 * 2] = {1, 2, 1, 2, 1, 2};
    sow_cells cells = made_cells(dense, 3, 2);
    sow_features features = features_with(1);
    refused(&cells, 3, &features, SOW_E_DATA, "no gene varies");
    features.flavour = SOW_HVG_SEURAT_V3;
    refused(&cells, 3, &features, SOW_E_DATA, "no gene varies");
    sow_cells_clear(&cells);
}

Test(prepare_fit, of_contexts_that_share_no_chosen_gene_is_refused)
{
    sow_cells cells = two_contexts();
    sow_features features = features_with(1);
    features.across = SOW_ACROSS_INTERSECTION;
    refused(&cells, N, &features, SOW_E_DATA, "share none of their 1 highly variable genes");
    sow_cells_clear(&cells);
}

Test(prepare_fit, with_a_target_sum_that_is_not_above_zero_is_refused)
{
    sow_cells cells = two_contexts();
    sow_features features = features_with(0);
    features.target_sum = 0;
    refused(&cells, N, &features, SOW_E_ARG, "target_sum 0");
    features.target_sum = -1;
    refused(&cells, N, &features, SOW_E_ARG, "target_sum -1");
    features.target_sum = INFINITY;
    refused(&cells, N, &features, SOW_E_ARG, "target_sum inf");
    sow_cells_clear(&cells);
}

Test(prepare_fit, of_more_genes_than_there_are_is_refused)
{
    sow_cells cells = two_contexts();
    sow_features features = features_with(D + 1);
    refused(&cells, N, &features, SOW_E_DATA, "highly_variable asks for 41 genes and 40 are there");
    features.n_highly_variable = -1;
    refused(&cells, N, &features, SOW_E_ARG, "highly_variable -1");
    sow_cells_clear(&cells);
}

Test(prepare_fit, of_log_values_by_variance_of_counts_is_refused)
{
    sow_cells cells = two_contexts();
    sow_features features = features_with(5);
    features.flavour = SOW_HVG_SEURAT_V3;
    cells.is_log[0] = 1;
    refused(&cells, N, &features, SOW_E_DATA, "use flavour seurat");
    sow_cells_clear(&cells);
}

Test(prepare_fit, of_cells_outside_the_table_or_out_of_order_is_refused)
{
    sow_cells cells = two_contexts();
    const sow_features features = features_with(0);
    sow_preparation p;
    sow_error err = {0};
    cr_assert_eq(sow_preparation_fit(&p, NULL, &cells, (sow_index[]){0, N}, 2, &features, NULL, &err), SOW_E_ARG);
    cr_assert_eq(sow_preparation_fit(&p, NULL, &cells, (sow_index[]){3, 3}, 2, &features, NULL, &err), SOW_E_ARG);
    cr_assert(strstr(err.message, "out of order"), "%s", err.message);
    sow_cells_clear(&cells);
}

static int stop_at_once(void *user, const char *what, double fraction)
{
    (void)user;
    (void)what;
    (void)fraction;
    return 1;
}

Test(prepare_fit, can_be_interrupted)
{
    sow_cells cells = two_contexts();
    const sow_features features = features_with(5);
    const sow_env env = {.progress = stop_at_once};
    sow_preparation p;
    cr_assert_eq(fit_all(&p, NULL, &cells, &features, &env, NULL), SOW_E_CANCELLED);
    sow_cells_clear(&cells);
}

static sow_cells faulty;
static sow_hvg_flavour faulty_flavour;
static sow_status fit_body(sow_error *err)
{
    sow_preparation p;
    sow_filtered filtered = {0};
    sow_features features = features_with(5);
    features.min_cells_per_gene = 100;
    features.flavour = faulty_flavour;
    sow_status st = fit_all(&p, &filtered, &faulty, &features, NULL, err);
    sow_preparation_clear(&p);
    sow_filtered_clear(&filtered);
    return st;
}

Test(prepare_fit, survives_every_failing_allocation)
{
    faulty = two_contexts();
    for (int flavour = 0; flavour < 2; flavour++) {
        faulty_flavour = flavour ? SOW_HVG_SEURAT_V3 : SOW_HVG_SEURAT;
        every_allocation_may_fail(fit_body, 1);
    }
    sow_cells_clear(&faulty);
}
