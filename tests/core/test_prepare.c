#include "core/prepare.h"

#include <math.h>

#include "tests/core/made_cells.h"
#include "tests/io/faults.h"

enum { N = 700, D = 37 };

/* A table of counts and the space of genes g3, g4, ... without g5, whose counts are not counted either. */
typedef struct {
    sow_cells cells;
    float *counts;
    sow_preparation p;
    sow_index *all;
} prepared_case;

static prepared_case make_case(double target_sum, int log1p)
{
    prepared_case c = {.counts = made_counts(N, D, 1), .all = all_positions(N)};
    sow_names *genes = NULL, *not_counted = NULL;
    sow_error err = {0};
    for (sow_index g = 0; g < D; g++) c.counts[11 * D + g] = 0; /* a cell without counts */
    for (sow_index i = 0; i < N; i++) c.counts[i * D + 9] = 0;  /* a gene without counts */
    c.counts[12 * D + 4] = 1500;                                /* more than is remembered */
    c.counts[13 * D + 4] = 2.5F;
    c.cells = made_cells(c.counts, N, D);
    cr_assert_eq(sow_names_create(&genes, NULL), SOW_OK);
    cr_assert_eq(sow_names_create(&not_counted, NULL), SOW_OK);
    for (sow_index g = 3; g < D; g++) cr_assert_eq(sow_names_add(g == 5 ? not_counted : genes, sow_names_get(c.cells.genes, g), NULL, NULL), SOW_OK);
    cr_assert_eq(sow_preparation_make(&c.p, &c.cells, genes, not_counted, target_sum, log1p, &err), SOW_OK, "%s", err.message);
    sow_names_destroy(genes);
    sow_names_destroy(not_counted);
    return c;
}

static void clear_case(prepared_case *c)
{
    sow_preparation_clear(&c->p);
    sow_cells_clear(&c->cells);
    free(c->counts);
    free(c->all);
}

/* By the book, in double. */
static double by_the_book(const prepared_case *c, sow_index i, sow_index g)
{
    double total = 0;
    if (isnan(c->p.target_sum)) return (double)c->counts[i * D + g];
    for (sow_index k = 0; k < D; k++)
        if (k != 5) total += (double)c->counts[i * D + k];
    const double x = total > 0 ? (double)c->counts[i * D + g] * c->p.target_sum / total : 0;
    return c->p.log1p ? log1p(x) : x;
}

static void check_rows(double target_sum, int log1p)
{
    prepared_case c = make_case(target_sum, log1p);
    float *out = calloc((size_t)N * (size_t)c.p.d, sizeof *out);
    sow_error err = {0};
    cr_assert_eq(c.p.d, D - 4);
    cr_assert_eq(sow_prepared_rows(out, &c.p, &c.cells, c.all, N, NULL, &err), SOW_OK, "%s", err.message);
    for (sow_index i = 0; i < N; i++)
        for (sow_index g = 0; g < D; g++) {
            if (c.p.column[g] < 0) continue;
            const double want = by_the_book(&c, i, g), got = (double)out[i * c.p.d + c.p.column[g]];
            cr_assert(fabs(got - want) <= 3e-7 * fmax(1, fabs(want)), "cell %lld gene %lld: %.9g, expected %.9g", (long long)i, (long long)g, got, want);
        }
    free(out);
    clear_case(&c);
}

Test(prepare, rows_are_log1p_of_counts_at_the_target_sum_of_the_counted_genes)
{
    check_rows(1e4, 1);
}

Test(prepare, rows_without_log1p_are_normalised_counts)
{
    check_rows(100, 0);
}

Test(prepare, values_without_a_target_sum_stay_as_they_are)
{
    check_rows(NAN, 1);
}

Test(prepare, a_cell_without_a_counted_count_is_all_zeros)
{
    prepared_case c = make_case(1e4, 1);
    float row[D] = {1};
    cr_assert_eq(sow_prepared_rows(row, &c.p, &c.cells, (sow_index[]){11}, 1, NULL, NULL), SOW_OK);
    for (sow_index k = 0; k < c.p.d; k++) cr_assert_eq(row[k], 0);
    clear_case(&c);
}

/* The same value for the same count and total, wherever it stands and however many times it was met. */
Test(prepare, a_count_of_one_total_always_gives_the_same_value)
{
    const float dense[3 * 4] = {3, 3, 3, 91, 91, 3, 3, 3, 3, 91, 3, 3};
    sow_cells cells = made_cells(dense, 3, 4);
    sow_preparation p;
    float out[3 * 4];
    cr_assert_eq(sow_preparation_make(&p, &cells, cells.genes, NULL, 1e4, 1, NULL), SOW_OK);
    cr_assert_eq(sow_prepared_rows(out, &p, &cells, (sow_index[]){0, 1, 2}, 3, NULL, NULL), SOW_OK);
    for (int i = 0; i < 12; i++) cr_assert_eq(out[i], out[dense[i] == 3 ? 0 : 3]);
    sow_preparation_clear(&p);
    sow_cells_clear(&cells);
}

static void check_mean(const prepared_case *c, const sow_index *list, sow_index n)
{
    const sow_index d = c->p.d;
    double *mean = calloc((size_t)d, sizeof *mean), *variance = calloc((size_t)d, sizeof *variance), *alone = calloc((size_t)d, sizeof *alone);
    float *rows = calloc((size_t)(n * d), sizeof *rows);
    cr_assert_eq(sow_prepared_mean(mean, variance, &c->p, &c->cells, list, n, NULL, NULL), SOW_OK);
    cr_assert_eq(sow_prepared_mean(alone, NULL, &c->p, &c->cells, list, n, NULL, NULL), SOW_OK);
    cr_assert_eq(sow_prepared_rows(rows, &c->p, &c->cells, list, n, NULL, NULL), SOW_OK);
    cr_assert_arr_eq(mean, alone, (size_t)d * sizeof *mean);
    for (sow_index k = 0; k < d; k++) {
        double m = 0, v = 0;
        for (sow_index i = 0; i < n; i++) m += (double)rows[i * d + k] / (double)n;
        for (sow_index i = 0; i < n; i++) v += ((double)rows[i * d + k] - m) * ((double)rows[i * d + k] - m) / (double)(n - 1);
        cr_assert(fabs(mean[k] - m) <= 1e-12 * fmax(1, m), "mean %lld: %.17g, expected %.17g", (long long)k, mean[k], m);
        cr_assert(fabs(variance[k] - v) <= 1e-12 * fmax(1, v), "variance %lld: %.17g, expected %.17g", (long long)k, variance[k], v);
    }
    free(mean);
    free(variance);
    free(alone);
    free(rows);
}

Test(prepare, means_and_variances_are_those_of_the_rows)
{
    prepared_case c = make_case(1e4, 1);
    check_mean(&c, c.all, N);
    check_mean(&c, c.all + 3, 256);
    check_mean(&c, (sow_index[]){600, 2, 2, 77}, 4);
    clear_case(&c);
}

Test(prepare, a_constant_gene_has_a_variance_of_exactly_zero)
{
    float *dense = calloc(5000 * 3, sizeof *dense);
    double mean[3], variance[3];
    for (int i = 0; i < 5000; i++) {
        dense[3 * i] = 0.1F;
        dense[3 * i + 1] = (float)(i % 7);
    }
    sow_cells cells = made_cells(dense, 5000, 3);
    sow_index *all = all_positions(5000);
    sow_preparation p;
    cr_assert_eq(sow_preparation_make(&p, &cells, cells.genes, NULL, NAN, 0, NULL), SOW_OK);
    cr_assert_eq(sow_prepared_mean(mean, variance, &p, &cells, all, 5000, NULL, NULL), SOW_OK);
    cr_assert_eq(mean[0], (double)0.1F);
    cr_assert_eq(variance[0], 0);
    cr_assert_gt(variance[1], 3.9);
    cr_assert_eq(mean[2], 0);
    cr_assert_eq(variance[2], 0);
    sow_preparation_clear(&p);
    sow_cells_clear(&cells);
    free(all);
    free(dense);
}

Test(prepare, the_mean_of_no_cell_and_the_variance_of_one_are_not_numbers)
{
    prepared_case c = make_case(1e4, 1);
    double mean[D], variance[D];
    cr_assert_eq(sow_prepared_mean(mean, variance, &c.p, &c.cells, NULL, 0, NULL, NULL), SOW_OK);
    for (sow_index k = 0; k < c.p.d; k++) cr_assert(isnan(mean[k]) && isnan(variance[k]));
    cr_assert_eq(sow_prepared_mean(mean, variance, &c.p, &c.cells, (sow_index[]){4}, 1, NULL, NULL), SOW_OK);
    for (sow_index k = 0; k < c.p.d; k++) cr_assert(isfinite(mean[k]) && isnan(variance[k]));
    cr_assert_eq(sow_prepared_rows(NULL, &c.p, &c.cells, NULL, 0, NULL, NULL), SOW_OK);
    clear_case(&c);
}

Test(prepare, gives_the_same_bits_for_any_number_of_threads)
{
    prepared_case c = make_case(1e4, 1);
    double mean[2][D], variance[2][D];
    float *rows[2];
    sow_index n = 20 * N, *many = calloc((size_t)n, sizeof *many); /* more than a wave of tiles */
    for (sow_index i = 0; i < n; i++) many[i] = (i * 37) % N;
    for (int t = 0; t < 2; t++) {
        sow_env env = {0};
        cr_assert_eq(sow_threads_create(&env.threads, t ? 3 : 1, NULL), SOW_OK);
        rows[t] = calloc((size_t)(n * c.p.d), sizeof **rows);
        cr_assert_eq(sow_prepared_mean(mean[t], variance[t], &c.p, &c.cells, many, n, &env, NULL), SOW_OK);
        cr_assert_eq(sow_prepared_rows(rows[t], &c.p, &c.cells, many, n, &env, NULL), SOW_OK);
        sow_threads_destroy(env.threads);
    }
    cr_assert_arr_eq(mean[0], mean[1], (size_t)c.p.d * sizeof(double));
    cr_assert_arr_eq(variance[0], variance[1], (size_t)c.p.d * sizeof(double));
    cr_assert_eq(memcmp(rows[0], rows[1], (size_t)(n * c.p.d) * sizeof **rows), 0);
    free(rows[0]);
    free(rows[1]);
    free(many);
    clear_case(&c);
}

/* ---- what make and the rest refuse ---- */

static void check_make_refused(double target_sum, const char *gene, const char *not_counted, sow_status want, const char *words)
{
    const float dense[2 * 3] = {1, 2, 3, 4, 5, 6};
    sow_cells cells = made_cells(dense, 2, 3);
    sow_names *genes = NULL, *left_out = NULL;
    sow_preparation p;
    sow_error err = {0};
    cr_assert_eq(sow_names_create(&genes, NULL), SOW_OK);
    cr_assert_eq(sow_names_create(&left_out, NULL), SOW_OK);
    if (gene) cr_assert_eq(sow_names_add(genes, gene, NULL, NULL), SOW_OK);
    if (not_counted) cr_assert_eq(sow_names_add(left_out, not_counted, NULL, NULL), SOW_OK);
    cr_assert_eq(sow_preparation_make(&p, &cells, genes, left_out, target_sum, 1, &err), want);
    cr_assert(strstr(err.message, words), "%s", err.message);
    cr_assert_null(p.genes);
    sow_names_destroy(genes);
    sow_names_destroy(left_out);
    sow_cells_clear(&cells);
}

Test(prepare, a_recorded_space_that_does_not_fit_is_refused_by_name)
{
    check_make_refused(1e4, "STAT1", NULL, SOW_E_DATA, "'STAT1'");
    check_make_refused(1e4, "g0", "STAT2", SOW_E_DATA, "'STAT2'");
    check_make_refused(1e4, "g0", "g0", SOW_E_DATA, "'g0'");
    check_make_refused(1e4, NULL, NULL, SOW_E_DATA, "without genes");
    check_make_refused(0, "g0", NULL, SOW_E_ARG, "target_sum 0");
    check_make_refused(-3, "g0", NULL, SOW_E_ARG, "target_sum -3");
    check_make_refused(INFINITY, "g0", NULL, SOW_E_ARG, "target_sum inf");
}

Test(prepare, cells_outside_the_table_are_refused)
{
    prepared_case c = make_case(1e4, 1);
    float row[D];
    double mean[D];
    sow_error err = {0};
    cr_assert_eq(sow_prepared_rows(row, &c.p, &c.cells, (sow_index[]){N}, 1, NULL, &err), SOW_E_ARG);
    cr_assert(strstr(err.message, "cell 700"), "%s", err.message);
    cr_assert_eq(sow_prepared_mean(mean, NULL, &c.p, &c.cells, (sow_index[]){-1}, 1, NULL, NULL), SOW_E_ARG);
    cr_assert_eq(sow_prepared_mean(mean, NULL, &c.p, &c.cells, NULL, -1, NULL, NULL), SOW_E_ARG);
    clear_case(&c);
}

static prepared_case faulty;
static sow_status make_and_mean(sow_error *err)
{
    sow_preparation p;
    double mean[D], variance[D];
    static float row[D], value[D];
    int64_t start[2];
    int32_t column[D];
    sow_status st = sow_preparation_make(&p, &faulty.cells, faulty.p.genes, NULL, 1e4, 1, err);
    if (st == SOW_OK) st = sow_prepared_mean(mean, variance, &p, &faulty.cells, faulty.all, N, NULL, err);
    if (st == SOW_OK) st = sow_prepared_rows(row, &p, &faulty.cells, faulty.all, 1, NULL, err);
    if (st == SOW_OK) st = sow_prepared_values(start, column, value, &p, &faulty.cells, faulty.all, 1, NULL, err);
    sow_preparation_clear(&p);
    return st;
}

Test(prepare, making_and_averaging_survive_every_failing_allocation)
{
    faulty = make_case(1e4, 1);
    every_allocation_may_fail(make_and_mean, 1);
    clear_case(&faulty);
}

/* ---- several matrices ---- */

/* A second matrix with the genes of the first in another order, one of its own and one missing. */
static sow_cells two_matrices(void)
{
    const float first[2 * 4] = {1, 2, 0, 5, 0, 3, 1, 4}, second[2 * 4] = {7, 4, 1, 2, 9, 0, 3, 1};
    static const char *const own[4] = {"g3", "other", "g0", "g1"};
    static const float empty[4 * 4];
    sow_cells c = made_cells(empty, 4, 4);
    sow_cell_matrix_clear(&c.matrix[0]);
    c.matrix = realloc(c.matrix, 2 * sizeof *c.matrix);
    c.gene_of = realloc(c.gene_of, 2 * sizeof *c.gene_of);
    c.is_log = realloc(c.is_log, 2);
    c.n_matrices = 2;
    c.is_log[1] = 0;
    c.matrix[0] = made_matrix(first, 2, 4, "g");
    c.matrix[1] = made_matrix(second, 2, 4, "g");
    sow_names_destroy(c.genes);
    sow_names_destroy(c.matrix[1].genes);
    cr_assert_eq(sow_names_create(&c.genes, NULL), SOW_OK);
    cr_assert_eq(sow_names_create(&c.matrix[1].genes, NULL), SOW_OK);
    for (int i = 0; i < 4; i++) cr_assert_eq(sow_names_add(c.matrix[1].genes, own[i], NULL, NULL), SOW_OK);
    static const char *const shared[3] = {"g0", "g1", "g3"};
    for (int i = 0; i < 3; i++) cr_assert_eq(sow_names_add(c.genes, shared[i], NULL, NULL), SOW_OK);
    c.gene_of[1] = calloc(4, sizeof **c.gene_of);
    for (int m = 0; m < 2; m++)
        for (int i = 0; i < 4; i++) c.gene_of[m][i] = (int32_t)sow_names_find(c.genes, sow_names_get(c.matrix[m].genes, i));
    for (int i = 0; i < 4; i++) {
        c.in_matrix[i] = i / 2;
        c.row[i] = i % 2;
    }
    return c;
}

Test(prepare, genes_of_several_matrices_meet_by_name)
{
    /* of g0, g1, g3; genes that are not shared are not in the totals */
    const double counts[4][3] = {{1, 2, 5}, {0, 3, 4}, {1, 2, 7}, {3, 1, 9}}, total[4] = {8, 7, 10, 13};
    sow_cells c = two_matrices();
    sow_preparation p;
    float rows[4 * 3];
    double mean[3];
    cr_assert_eq(sow_preparation_make(&p, &c, c.genes, NULL, 100, 0, NULL), SOW_OK);
    cr_assert_eq(sow_prepared_rows(rows, &p, &c, (sow_index[]){0, 1, 2, 3}, 4, NULL, NULL), SOW_OK);
    cr_assert_eq(sow_prepared_mean(mean, NULL, &p, &c, (sow_index[]){0, 1, 2, 3}, 4, NULL, NULL), SOW_OK);
    for (int g = 0; g < 3; g++) {
        double sum = 0;
        for (int i = 0; i < 4; i++) {
            const double want = 100 * counts[i][g] / total[i];
            cr_assert(fabs((double)rows[3 * i + g] - want) <= 1e-5, "cell %d gene %d: %g, expected %g", i, g, (double)rows[3 * i + g], want);
            sum += want;
        }
        cr_assert(fabs(mean[g] - sum / 4) <= 1e-5);
    }
    sow_preparation_clear(&p);
    sow_cells_clear(&c);
}

static void check_values(const sow_preparation *p, const sow_cells *cells, const sow_index *list, sow_index n)
{
    const sow_index bound = sow_prepared_values_bound(cells, list, n);
    int64_t *start = calloc((size_t)n + 1, sizeof *start);
    int32_t *column = calloc((size_t)bound + 1, sizeof *column);
    float *value = calloc((size_t)bound + 1, sizeof *value), *rows = calloc((size_t)(n * p->d), sizeof *rows);
    cr_assert_eq(sow_prepared_values(start, column, value, p, cells, list, n, NULL, NULL), SOW_OK);
    cr_assert_eq(sow_prepared_rows(rows, p, cells, list, n, NULL, NULL), SOW_OK);
    cr_assert(start[0] == 0 && start[n] <= bound);
    for (sow_index i = 0; i < n; i++) {
        for (int64_t k = start[i]; k < start[i + 1]; k++) {
            cr_assert(value[k] != 0 && (k == start[i] || column[k] > column[k - 1]));
            cr_assert_eq(rows[i * p->d + column[k]], value[k]);
            rows[i * p->d + column[k]] = 0;
        }
    }
    for (sow_index k = 0; k < n * p->d; k++) cr_assert_eq(rows[k], 0);
    free(start);
    free(column);
    free(value);
    free(rows);
}

Test(prepare, values_are_those_of_the_rows_without_zeros)
{
    prepared_case c = make_case(1e4, 1);
    sow_cells two = two_matrices();
    sow_preparation p;
    check_values(&c.p, &c.cells, c.all, N);
    cr_assert_eq(sow_prepared_values((int64_t[]){7}, NULL, NULL, &c.p, &c.cells, NULL, 0, NULL, NULL), SOW_OK);
    cr_assert_eq(sow_prepared_values((int64_t[2]){7}, NULL, NULL, &c.p, &c.cells, (sow_index[]){N}, 1, NULL, NULL), SOW_E_ARG);
    cr_assert_eq(sow_preparation_make(&p, &two, two.genes, NULL, 1e4, 1, NULL), SOW_OK);
    check_values(&p, &two, (sow_index[]){3, 0, 2}, 3);
    sow_preparation_clear(&p);
    sow_cells_clear(&two);
    clear_case(&c);
}
