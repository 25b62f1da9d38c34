#include "core/de.h"

#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "core/rng.h"
#include "core/stats.h"
#include "tests/core/golden.h"
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
