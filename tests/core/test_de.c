#include "core/de.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "core/rng.h"
#include "core/stats.h"
#include "tests/core/golden.h"
#include "tests/core/papalexi.h"
#include "tests/io/faults.h"

#define GOLDEN SOWER_SHARED_DIR "/parity/evaluate.h5"

/* ---- golden numbers ---- */

enum { GENES = 80, GROUPS = 12, CELLS = 872, CONTROLS = 300 };

/* The golden cells in order of their group; controls apart. */
typedef struct {
    float *x, *control;
    sow_index start[GROUPS + 1];
} golden_cells;

static golden_cells read_golden_cells(void)
{
    golden_cells g = {calloc(CELLS * GENES, sizeof(float)), calloc(CONTROLS * GENES, sizeof(float)), {0}};
    double *x = golden_doubles(GOLDEN, "input/x", NULL);
    int *group = golden_ints(GOLDEN, "input/group", NULL);
    sow_index at = 0, controls = 0;
    for (int wanted = 0; wanted <= GROUPS; wanted++) {
        for (int i = 0; i < CELLS; i++) {
            if (group[i] != wanted) continue;
            float *row = wanted ? g.x + at++ * GENES : g.control + controls++ * GENES;
            for (int j = 0; j < GENES; j++) row[j] = (float)x[i * GENES + j];
        }
        g.start[wanted] = at;
    }
    cr_assert_eq(controls, CONTROLS);
    free(x);
    free(group);
    return g;
}

static void free_golden_cells(golden_cells *g)
{
    free(g->x);
    free(g->control);
}

static void golden_de(double *score, double *p, sow_de_method method)
{
    golden_cells g = read_golden_cells();
    sow_error err = {0};
    cr_assert_eq(sow_de(score, p, method, g.x, g.start, GROUPS, g.control, CONTROLS, GENES, NULL, &err), SOW_OK, "%s", err.message);
    free_golden_cells(&g);
}

static void same_statistics(const double *ours, const char *dataset)
{
    size_t n = 0;
    double *theirs = golden_doubles(GOLDEN, dataset, &n), largest = 1;
    cr_assert_eq(n, GROUPS * GENES);
    for (size_t i = 0; i < n; i++) largest = fmax(largest, fabs(theirs[i]));
    for (size_t i = 0; i < n; i++)
        cr_assert(fabs(ours[i] - theirs[i]) <= 1e-10 * largest, "%s group %zu gene %zu: %.17g, expected %.17g", dataset, i / GENES, i % GENES, ours[i], theirs[i]);
    free(theirs);
}

static void same_p(const double *ours, const char *dataset)
{
    double *theirs = golden_doubles(GOLDEN, dataset, NULL);
    for (size_t i = 0; i < GROUPS * GENES; i++) {
        const double expected = isnan(theirs[i]) ? 1 : theirs[i]; /* 0/0: no difference */
        cr_assert(fabs(ours[i] - expected) <= 1e-8 * expected, "%s group %zu gene %zu: %.17g, expected %.17g", dataset, i / GENES, i % GENES, ours[i], theirs[i]);
    }
    free(theirs);
}

static void check_golden(sow_de_method method, const char *statistic, const char *p_value)
{
    double *score = calloc(GROUPS * GENES, sizeof *score), *p = calloc(GROUPS * GENES, sizeof *p);
    golden_de(score, p, method);
    same_statistics(score, statistic);
    same_p(p, p_value);
    free(score);
    free(p);
}

Test(de, matches_the_golden_welch_t_and_p)
{
    GOLDEN_OR_SKIP(GOLDEN);
    check_golden(SOW_DE_WELCH, "welch/t", "welch/p");
}

Test(de, matches_the_golden_rank_sums_without_tie_correction)
{
    GOLDEN_OR_SKIP(GOLDEN);
    check_golden(SOW_DE_WILCOXON, "wilcoxon/z_no_tie", "wilcoxon/p_no_tie");
}

Test(de, matches_the_golden_rank_sums_with_tie_correction)
{
    GOLDEN_OR_SKIP(GOLDEN);
    check_golden(SOW_DE_WILCOXON_TIES, "wilcoxon/z_tie", "wilcoxon/p_tie");
}

static void check_order(sow_de_method method, sow_de_rank_mode mode, sow_index k, const char *dataset)
{
    double score[GROUPS * GENES];
    sow_index top[GENES];
    golden_cells g = read_golden_cells();
    golden_de(score, NULL, method);
    int *expected = golden_ints(GOLDEN, dataset, NULL);
    for (sow_index p = 0; p < GROUPS; p++) {
        const sow_index n = g.start[p + 1] - g.start[p];
        cr_assert_eq(sow_de_top(top, k, mode, score + p * GENES, g.x + g.start[p] * GENES, n, g.control, CONTROLS, GENES, NULL, 0, NULL), SOW_OK);
        for (sow_index i = 0; i < k; i++) cr_assert_eq(top[i], expected[p * k + i], "%s group %lld place %lld", dataset, (long long)p, (long long)i);
    }
    free(expected);
    free_golden_cells(&g);
}

Test(de_top, orders_genes_as_published_in_reference_mode)
{
    GOLDEN_OR_SKIP(GOLDEN);
    check_order(SOW_DE_WELCH, SOW_DE_RANK_REFERENCE, GENES, "welch/rank_order");
    check_order(SOW_DE_WELCH, SOW_DE_RANK_REFERENCE, 50, "welch/top50");
    check_order(SOW_DE_WILCOXON, SOW_DE_RANK_REFERENCE, GENES, "wilcoxon/rank_order_no_tie");
    check_order(SOW_DE_WILCOXON_TIES, SOW_DE_RANK_REFERENCE, GENES, "wilcoxon/rank_order_tie");
}

/* ---- the trap ---- */

static sow_index place_of(const sow_index *top, sow_index k, sow_index gene)
{
    for (sow_index i = 0; i < k; i++)
        if (top[i] == gene) return i;
    return -1;
}

static void top_of_golden(sow_index *top, sow_index k, sow_de_method method, sow_de_rank_mode mode, sow_index p)
{
    double score[GROUPS * GENES];
    golden_cells g = read_golden_cells();
    golden_de(score, NULL, method);
    cr_assert_eq(sow_de_top(top, k, mode, score + p * GENES, g.x + g.start[p] * GENES, g.start[p + 1] - g.start[p], g.control, CONTROLS, GENES, NULL, 0, NULL),
                 SOW_OK);
    free_golden_cells(&g);
}

Test(de_top, puts_the_golden_trap_gene_where_a_rank_sum_does)
{
    GOLDEN_OR_SKIP(GOLDEN);
    sow_index published[50], ours[50], ranks[50];
    top_of_golden(published, 50, SOW_DE_WELCH, SOW_DE_RANK_REFERENCE, 3);
    top_of_golden(ours, 50, SOW_DE_WELCH, SOW_DE_RANK, 3);
    top_of_golden(ranks, 50, SOW_DE_WILCOXON_TIES, SOW_DE_RANK, 3);
    cr_assert_eq(place_of(published, 50, 5), 0); /* expressed in 69 % of the controls and in none of 32 cells: different, but not the most */
    cr_assert_eq(place_of(ours, 50, 5), 4);
    cr_assert_eq(place_of(ranks, 50, 5), 4);
}

Test(de_top, keeps_golden_genes_that_were_really_lost)
{
    GOLDEN_OR_SKIP(GOLDEN);
    sow_index top[50];
    int *trap = golden_ints(GOLDEN, "input/zero_trap_genes", NULL), kept = 0;
    top_of_golden(top, 50, SOW_DE_WELCH, SOW_DE_RANK, 11);
    for (int i = 0; i < 55; i++) kept += place_of(top, 50, trap[i]) >= 0;
    cr_assert_eq(kept, 49, "%d", kept); /* expressed in 20 to 100 % of 300 controls and in none of 34 cells */
    free(trap);
}

enum { RARE_GENES = 600, FEW_CELLS = 20, MANY_CONTROLS = 2000 };

/* Controls on both sides, most genes expressed in few cells; gene 7 is expressed in most controls and lost in the group. */
static void made_null(float *x, float *control)
{
    sow_rng rng = sow_rng_make(11, SOW_RNG_TEST, 0, 0);
    for (sow_index i = 0; i < FEW_CELLS + MANY_CONTROLS; i++)
        for (sow_index j = 0; j < RARE_GENES; j++) {
            const double share = j == 7 ? 0.9 : 0.01 + 0.3 * (double)j / RARE_GENES;
            const float value = sow_rng_uniform(&rng) < share ? (float)(1 + sow_rng_uniform(&rng)) : 0;
            if (i < FEW_CELLS)
                x[i * RARE_GENES + j] = j == 7 ? 0 : value;
            else
                control[(i - FEW_CELLS) * RARE_GENES + j] = value;
        }
}

static int constant_in(const sow_index *top, sow_index k, const float *x)
{
    int count = 0;
    for (sow_index i = 0; i < k; i++) {
        int varies = 0;
        for (sow_index c = 1; c < FEW_CELLS; c++) varies |= x[c * RARE_GENES + top[i]] != x[top[i]];
        count += !varies;
    }
    return count;
}

Test(de_top, is_not_filled_with_genes_that_few_cells_happen_not_to_express)
{
    float *x = calloc(FEW_CELLS * RARE_GENES, sizeof *x), *control = calloc(MANY_CONTROLS * RARE_GENES, sizeof *control);
    double *score = calloc(RARE_GENES, sizeof *score);
    const sow_index start[] = {0, FEW_CELLS};
    const sow_de_method methods[] = {SOW_DE_WELCH, SOW_DE_WILCOXON_TIES};
    sow_index published[50], ours[50];
    made_null(x, control);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(sow_de(score, NULL, methods[i], x, start, 1, control, MANY_CONTROLS, RARE_GENES, NULL, NULL), SOW_OK);
        cr_assert_eq(sow_de_top(published, 50, SOW_DE_RANK_REFERENCE, score, x, FEW_CELLS, control, MANY_CONTROLS, RARE_GENES, NULL, 0, NULL), SOW_OK);
        cr_assert_eq(sow_de_top(ours, 50, SOW_DE_RANK, score, x, FEW_CELLS, control, MANY_CONTROLS, RARE_GENES, NULL, 0, NULL), SOW_OK);
        cr_assert(constant_in(ours, 50, x) <= 10, "%d of 50", constant_in(ours, 50, x));
        cr_assert_eq(ours[0], 7, "what was really lost comes first");
        if (i == 0) cr_assert_eq(constant_in(published, 50, x), 50);
    }
    free(x);
    free(control);
    free(score);
}

/* Every gene capped, then a plain sort: what the early stop must agree with. */
static double naive_rank(double score, const float *x, sow_index n, const float *control, sow_index m, sow_index d, sow_index gene)
{
    double sum[2] = {0}, squares[2] = {0};
    const float *side[2] = {x, control};
    const sow_index count[2] = {n, m};
    for (int s = 0; s < 2; s++) {
        for (sow_index i = 0; i < count[s]; i++) sum[s] += (double)side[s][i * d + gene] / (double)count[s];
        for (sow_index i = 0; i < count[s]; i++) squares[s] += pow((double)side[s][i * d + gene] - sum[s], 2) / (double)(count[s] - 1);
    }
    const double v = squares[0] < 1e-20 ? squares[1] : squares[0], least = fmin(squares[0], squares[1]), t = fabs(sum[0] - sum[1]);
    if (least >= 1e-20) return fabs(score);
    return t == 0 ? 0 : fmin(fabs(score), t / sqrt(v / (double)n + v / (double)m));
}

Test(de_top, stops_early_with_the_same_genes_as_looking_at_all)
{
    float *x = calloc(FEW_CELLS * RARE_GENES, sizeof *x), *control = calloc(MANY_CONTROLS * RARE_GENES, sizeof *control);
    double *score = calloc(RARE_GENES, sizeof *score);
    const sow_index start[] = {0, FEW_CELLS};
    sow_index top[RARE_GENES];
    made_null(x, control);
    cr_assert_eq(sow_de(score, NULL, SOW_DE_WELCH, x, start, 1, control, MANY_CONTROLS, RARE_GENES, NULL, NULL), SOW_OK);
    for (sow_index k = 1; k <= RARE_GENES; k += 149) {
        cr_assert_eq(sow_de_top(top, k, SOW_DE_RANK, score, x, FEW_CELLS, control, MANY_CONTROLS, RARE_GENES, NULL, 0, NULL), SOW_OK);
        double last = naive_rank(score[top[k - 1]], x, FEW_CELLS, control, MANY_CONTROLS, RARE_GENES, top[k - 1]);
        for (sow_index j = 0; j < RARE_GENES; j++) {
            const double rank = naive_rank(score[j], x, FEW_CELLS, control, MANY_CONTROLS, RARE_GENES, j);
            if (rank > last * (1 + 1e-9)) cr_assert(place_of(top, k, j) >= 0, "gene %lld of the top %lld", (long long)j, (long long)k);
            if (rank < last * (1 - 1e-9)) cr_assert(place_of(top, k, j) < 0);
        }
    }
    free(x);
    free(control);
    free(score);
}

Test(de_top, ranks_by_size_leaves_own_genes_out_and_pads_with_minus_one)
{
    const double score[] = {1, -5, 3, 3, NAN, -2};
    const float x[12] = {0, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 6}, control[12] = {1, 2, 3, 4, 5, 6, 0, 1, 2, 3, 4, 5};
    const sow_index own[] = {1, 5}, expected[] = {2, 3, 0, 4, -1, -1};
    sow_index top[6];
    for (int mode = SOW_DE_RANK; mode <= SOW_DE_RANK_REFERENCE; mode++) {
        cr_assert_eq(sow_de_top(top, 6, (sow_de_rank_mode)mode, score, x, 2, control, 2, 6, own, 2, NULL), SOW_OK);
        for (int i = 0; i < 6; i++) cr_assert_eq(top[i], expected[i], "place %d", i);
    }
    cr_assert_eq(sow_de_top(top, 0, SOW_DE_RANK, score, x, 2, control, 2, 6, own, 2, NULL), SOW_OK);
    cr_assert_eq(sow_de_top(top, -1, SOW_DE_RANK, score, x, 2, control, 2, 6, own, 2, NULL), SOW_E_ARG);
    cr_assert_eq(sow_de_top(top, 1, SOW_DE_RANK, score, x, 2, control, -2, 6, own, 2, NULL), SOW_E_ARG);
}

Test(de_top, puts_a_t_without_any_variance_last)
{
    const float x[] = {0, 1, 5, 5, 0, 2, 5, 5}, control[] = {0, 3, 4, 5, 1, 1, 4, 5};
    const sow_index start[] = {0, 2}, expected[] = {0, 1, 2, 3};
    double score[4];
    sow_index top[4];
    cr_assert_eq(sow_de(score, NULL, SOW_DE_WELCH, x, start, 1, control, 2, 4, NULL, NULL), SOW_OK);
    cr_assert(isinf(score[2]) && score[2] > 0);
    cr_assert_eq(score[3], 0);
    cr_assert_eq(sow_de_top(top, 4, SOW_DE_RANK, score, x, 2, control, 2, 4, NULL, 0, NULL), SOW_OK);
    for (int i = 0; i < 4; i++) cr_assert_eq(top[i], expected[i], "place %d is %lld", i, (long long)top[i]);
    cr_assert_eq(sow_de_top(top, 1, SOW_DE_RANK_REFERENCE, score, x, 2, control, 2, 4, NULL, 0, NULL), SOW_OK);
    cr_assert_eq(top[0], 2);
}

/* How many of the 50 genes have one value in all `n` cells. */
static int still_in(const sow_index *top, const float *x, sow_index n, sow_index d)
{
    int count = 0;
    for (int i = 0; i < 50; i++) {
        sow_index c = 1;
        while (c < n && x[c * d + top[i]] == x[top[i]]) c++;
        count += c == n;
    }
    return count;
}

Test(de_top, is_not_filled_with_unexpressed_genes_in_the_smallest_group_of_a_real_screen)
{
    PAPALEXI_OR_SKIP();
    papalexi s = read_papalexi(NAN);
    const sow_index *cell, *control, d = s.p.d, n = papalexi_cells(&cell, &s, "SPI1"), m = papalexi_cells(&control, &s, NULL), start[] = {0, n};
    float *x = calloc((size_t)(n * d), sizeof *x), *c = calloc((size_t)(m * d), sizeof *c);
    double *score = calloc((size_t)d, sizeof *score);
    sow_index published[50], ours[50], ranks[50];
    cr_assert(sow_prepared_rows(x, &s.p, &s.cells, cell, n, NULL, NULL) == SOW_OK && sow_prepared_rows(c, &s.p, &s.cells, control, m, NULL, NULL) == SOW_OK);
    cr_assert_eq(sow_de(score, NULL, SOW_DE_WELCH, x, start, 1, c, m, d, NULL, NULL), SOW_OK);
    cr_assert_eq(sow_de_top(published, 50, SOW_DE_RANK_REFERENCE, score, x, n, c, m, d, NULL, 0, NULL), SOW_OK);
    cr_assert_eq(sow_de_top(ours, 50, SOW_DE_RANK, score, x, n, c, m, d, NULL, 0, NULL), SOW_OK);
    cr_assert_eq(sow_de(score, NULL, SOW_DE_WILCOXON_TIES, x, start, 1, c, m, d, NULL, NULL), SOW_OK);
    cr_assert_eq(sow_de_top(ranks, 50, SOW_DE_RANK, score, x, n, c, m, d, NULL, 0, NULL), SOW_OK);
    fprintf(stderr, "SPI1, %lld cells: unexpressed among the top 50: %d as published, %d by t, %d by ranks\n", (long long)n, still_in(published, x, n, d),
            still_in(ours, x, n, d), still_in(ranks, x, n, d));
    cr_assert_eq(still_in(published, x, n, d), 43);
    cr_assert_leq(still_in(ours, x, n, d), 3);
    cr_assert_leq(still_in(ranks, x, n, d), 3);
    free(x);
    free(c);
    free(score);
    free_papalexi(&s);
}

/* ---- naive twins ---- */

enum { D = 41, M = 57, SETS = 7 };
static const sow_index start_of_sets[SETS + 1] = {0, 20, 21, 21, 60, 62, 190, 200};

/* kind 0: normal numbers, no ties; 1: small counts, mostly 0; 2: whole numbers around 0 with both zeros of a float */
static void fill(float *x, sow_index n, int kind, uint32_t item)
{
    sow_rng rng = sow_rng_make(5, SOW_RNG_TEST, 0, item);
    for (sow_index i = 0; i < n; i++) {
        const double z = sow_rng_normal(&rng);
        x[i] = kind == 0 ? (float)z : kind == 1 ? (float)floor(fmax(0, z)) : (float)rint(2 * z);
        if (kind == 2 && x[i] == 0 && i % 2) x[i] = -0.0F;
    }
}

static double naive_u(const float *x, sow_index n, const float *c, sow_index j)
{
    double u = 0;
    for (sow_index i = 0; i < n; i++)
        for (sow_index k = 0; k < M; k++) u += c[k * D + j] < x[i * D + j] ? 1 : c[k * D + j] == x[i * D + j] ? 0.5 : 0;
    return u;
}

static double naive_ties(const float *x, sow_index n, const float *c, sow_index j)
{
    double sum = 0;
    for (sow_index i = 0; i < n + M; i++) { /* each of t equal values adds (t^3 - t)/t */
        const float value = i < n ? x[i * D + j] : c[(i - n) * D + j];
        double t = 0;
        for (sow_index k = 0; k < n + M; k++) t += (k < n ? x[k * D + j] : c[(k - n) * D + j]) == value;
        sum += t * t - 1;
    }
    return sum;
}

static double naive_z(const float *x, sow_index n, const float *c, sow_index j, int corrected)
{
    const double total = (double)(n + M), nm = (double)n * M;
    double variance = nm * (total + 1) / 12;
    if (corrected) variance *= 1 - naive_ties(x, n, c, j) / (total * total * total - total);
    return variance > 1e-9 ? (naive_u(x, n, c, j) - nm / 2) / sqrt(variance) : 0;
}

static double naive_t(const float *x, sow_index n, const float *c, sow_index j)
{
    double mean = 0, others = 0, v = 0, w = 0;
    for (sow_index i = 0; i < n; i++) mean += (double)x[i * D + j] / (double)n;
    for (sow_index i = 0; i < M; i++) others += (double)c[i * D + j] / M;
    for (sow_index i = 0; i < n; i++) v += pow((double)x[i * D + j] - mean, 2) / (double)(n - 1);
    for (sow_index i = 0; i < M; i++) w += pow((double)c[i * D + j] - others, 2) / (M - 1);
    return (mean - others) / sqrt(v / (double)n + w / M);
}

static void check_twins(int kind)
{
    float *x = calloc(200 * D, sizeof *x), *c = calloc(M * D, sizeof *c);
    double score[3][SETS * D];
    fill(x, 200 * D, kind, 1);
    fill(c, M * D, kind, 2);
    for (int method = 0; method < 3; method++)
        cr_assert_eq(sow_de(score[method], NULL, (sow_de_method)method, x, start_of_sets, SETS, c, M, D, NULL, NULL), SOW_OK);
    for (sow_index g = 0; g < SETS; g++) {
        const sow_index n = start_of_sets[g + 1] - start_of_sets[g];
        const float *cells = x + start_of_sets[g] * D;
        for (sow_index j = 0; j < D; j++) {
            const double expected[3] = {n < 2 ? 0 : naive_t(cells, n, c, j), n < 2 ? 0 : naive_z(cells, n, c, j, 0), n < 2 ? 0 : naive_z(cells, n, c, j, 1)};
            for (int method = 0; method < 3; method++)
                cr_assert(fabs(score[method][g * D + j] - expected[method]) <= 1e-11 * fmax(1, fabs(expected[method])), "kind %d method %d group %lld gene %lld: %g, plainly %g",
                          kind, method, (long long)g, (long long)j, score[method][g * D + j], expected[method]);
        }
    }
    free(x);
    free(c);
}

Test(de, agrees_with_naive_twins_on_numbers_without_ties)
{
    check_twins(0);
}

Test(de, agrees_with_naive_twins_on_counts)
{
    check_twins(1);
}

Test(de, agrees_with_naive_twins_on_both_signs_and_both_zeros)
{
    check_twins(2);
}

Test(de, sorts_many_cells_as_few)
{
    enum { N = 300, MANY = 3000 }; /* enough for every pass of the radix sort */
    float *x = calloc(N, sizeof *x), *c = calloc(MANY, sizeof *c);
    const sow_index start[] = {0, N};
    double z, u = 0;
    fill(x, N, 0, 3);
    fill(c, MANY, 0, 4);
    for (int i = 0; i < MANY; i++) c[i] *= i % 5 ? 1 : 1e-20F; /* exponents far apart */
    for (int i = 0; i < N; i++)
        for (int k = 0; k < MANY; k++) u += c[k] < x[i];
    cr_assert_eq(sow_de(&z, NULL, SOW_DE_WILCOXON_TIES, x, start, 1, c, MANY, 1, NULL, NULL), SOW_OK);
    const double nm = (double)N * MANY, expected = (u - nm / 2) / sqrt(nm * (N + MANY + 1) / 12);
    cr_assert(fabs(z - expected) <= 1e-12 * fabs(expected) + 1e-12);
    free(x);
    free(c);
}

/* ---- edges and errors ---- */

Test(de, gives_score_0_and_p_1_without_two_cells_a_side)
{
    const float x[] = {1, 2, 3, 4, 5, 6};
    const sow_index start[] = {0, 1, 1, 3};
    double score[6], p[6];
    for (int method = 0; method < 3; method++) {
        cr_assert_eq(sow_de(score, p, (sow_de_method)method, x, start, 3, x, 3, 2, NULL, NULL), SOW_OK);
        for (int i = 0; i < 4; i++) cr_assert(score[i] == 0 && p[i] == 1);
        cr_assert(score[4] != 0 && p[4] < 1);
        cr_assert_eq(sow_de(score, p, (sow_de_method)method, x, start, 3, x, 1, 2, NULL, NULL), SOW_OK);
        for (int i = 0; i < 6; i++) cr_assert(score[i] == 0 && p[i] == 1);
    }
    cr_assert_eq(sow_de(score, p, SOW_DE_WELCH, x, start, 0, x, 3, 2, NULL, NULL), SOW_OK);
    cr_assert_eq(sow_de(score, p, SOW_DE_WELCH, x, start, 3, x, 3, 0, NULL, NULL), SOW_OK);
}

Test(de, takes_a_constant_gene_for_no_difference_even_when_its_value_has_no_exact_mean)
{
    float x[7], c[9];
    const sow_index start[] = {0, 7};
    double score, p;
    for (int i = 0; i < 7; i++) x[i] = 0.1F;
    for (int i = 0; i < 9; i++) c[i] = 0.1F;
    for (int method = 0; method < 3; method++) {
        cr_assert_eq(sow_de(&score, &p, (sow_de_method)method, x, start, 1, c, 9, 1, NULL, NULL), SOW_OK);
        cr_assert(score == 0 && p == 1, "method %d: %g, p %g", method, score, p);
    }
}

Test(de, gives_the_same_bits_for_any_number_of_threads)
{
    enum { WIDE = 300 };
    float *x = calloc(200 * WIDE, sizeof *x), *c = calloc(M * WIDE, sizeof *c);
    double *one = calloc(SETS * WIDE * 2, sizeof *one), *two = calloc(SETS * WIDE * 2, sizeof *two);
    sow_threads *threads = NULL;
    cr_assert_eq(sow_threads_create(&threads, 2, NULL), SOW_OK);
    const sow_env env = {.threads = threads};
    fill(x, 200 * WIDE, 1, 5);
    fill(c, M * WIDE, 1, 6);
    for (int method = 0; method < 3; method++) {
        cr_assert_eq(sow_de(one, one + SETS * WIDE, (sow_de_method)method, x, start_of_sets, SETS, c, M, WIDE, NULL, NULL), SOW_OK);
        cr_assert_eq(sow_de(two, two + SETS * WIDE, (sow_de_method)method, x, start_of_sets, SETS, c, M, WIDE, &env, NULL), SOW_OK);
        cr_assert_eq(memcmp(one, two, sizeof *one * SETS * WIDE * 2), 0);
    }
    sow_threads_destroy(threads);
    free(x);
    free(c);
    free(one);
    free(two);
}

Test(de, names_the_cell_and_gene_of_a_value_that_is_not_finite)
{
    float x[] = {1, 2, 3, 4}, c[] = {1, 2, 3, 4};
    const sow_index start[] = {0, 2};
    double score[2];
    const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int i = 0; i < 9; i++) {
        sow_error err = {0};
        x[3] = bad[i / 3];
        cr_assert_eq(sow_de(score, NULL, (sow_de_method)(i % 3), x, start, 1, c, 2, 2, NULL, &err), SOW_E_NONFINITE);
        cr_assert(strstr(err.message, "cell of a group 1, gene 1"), "%s", err.message);
        x[3] = 4;
        c[0] = bad[i / 3];
        cr_assert_eq(sow_de(score, NULL, (sow_de_method)(i % 3), x, start, 1, c, 2, 2, NULL, &err), SOW_E_NONFINITE);
        cr_assert(strstr(err.message, "control 0, gene 0"), "%s", err.message);
        c[0] = 1;
    }
}

Test(de, refuses_sizes_groups_and_methods_without_meaning)
{
    const float x[] = {1, 2, 3, 4};
    const sow_index start[] = {0, 2}, backwards[] = {2, 0}, early[] = {-1, 2};
    double score[4];
    cr_assert_eq(sow_de(score, NULL, SOW_DE_WELCH, x, start, -1, x, 2, 1, NULL, NULL), SOW_E_ARG);
    cr_assert_eq(sow_de(score, NULL, SOW_DE_WELCH, x, start, 1, x, -2, 1, NULL, NULL), SOW_E_ARG);
    cr_assert_eq(sow_de(score, NULL, SOW_DE_WELCH, x, start, 1, x, 2, -1, NULL, NULL), SOW_E_ARG);
    cr_assert_eq(sow_de(score, NULL, SOW_DE_WELCH, x, backwards, 1, x, 2, 1, NULL, NULL), SOW_E_ARG);
    cr_assert_eq(sow_de(score, NULL, SOW_DE_WELCH, x, early, 1, x, 2, 1, NULL, NULL), SOW_E_ARG);
    cr_assert_eq(sow_de(score, NULL, (sow_de_method)7, x, start, 1, x, 2, 1, NULL, NULL), SOW_E_ARG);
}

static sow_status rank_and_choose(sow_error *err)
{
    const float x[] = {1, 2, 3, 4}, c[] = {1, 3, 3, 5};
    const sow_index start[] = {0, 2};
    double score[2];
    sow_index top[2];
    sow_status st = SOW_OK;
    SOW_TRY(sow_de(score, NULL, SOW_DE_WILCOXON_TIES, x, start, 1, c, 2, 2, NULL, err));
    SOW_TRY(sow_de(score, NULL, SOW_DE_WELCH, x, start, 1, c, 2, 2, NULL, err));
    SOW_TRY(sow_de_top(top, 2, SOW_DE_RANK, score, x, 2, c, 2, 2, NULL, 0, err));
done:
    return st;
}

Test(de, survives_every_failed_allocation)
{
    every_allocation_may_fail(rank_and_choose, 1);
}

/* ---- the two-sided p value of t ---- */

Test(de, two_sided_p_values_of_t_are_those_of_closed_forms)
{
    for (double t = 1e-3; t < 1e6; t *= 7) {
        const double one = 1 - 2 / 3.14159265358979323846 * atan(t), far = 2 / 3.14159265358979323846 * atan(1 / t); /* df 1, two ways */
        const double two = 2 / (sqrt(2 + t * t) * (sqrt(2 + t * t) + t));                                         /* df 2: 1 - t / sqrt(2 + t^2) */
        const double expected = t < 1 ? one : far;
        cr_assert(fabs(sow_student_two_sided(t, 1) - expected) <= 1e-12 * expected, "t %g: %.17g, expected %.17g", t, sow_student_two_sided(t, 1), expected);
        cr_assert(fabs(sow_student_two_sided(-t, 2) - two) <= 1e-12 * two, "t %g: %.17g, expected %.17g", t, sow_student_two_sided(-t, 2), two);
    }
    cr_assert_eq(sow_student_two_sided(0, 3), 1);
    cr_assert_eq(sow_student_two_sided(INFINITY, 3), 0);
    cr_assert(isnan(sow_student_two_sided(NAN, 3)) && isnan(sow_student_two_sided(1, 0)));
}
