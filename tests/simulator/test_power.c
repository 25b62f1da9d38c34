#include "power_fixture.h"

#include "core/memory.h"
#include "core/stats.h"

Test(power, has_the_anchor_values_of_the_curve_of_umis)
{
    const sow_umi_curve c = {15000, 0.3, 1};
    const double reads[] = {1000, 5000, 10000, 20000, 50000}, umis[] = {958.0, 4072.9, 6785.3, 9991.7, 13573.0};
    for (int i = 0; i < 5; i++) cr_expect_float_eq(sow_umis_of_reads(&c, reads[i]), umis[i], 0.05, "%g reads: %.3f", reads[i], sow_umis_of_reads(&c, reads[i]));
    const sow_umi_curve half = {15000, 0.3, 0.5};
    cr_expect_float_eq(sow_umis_of_reads(&half, 20000), 6785.3, 0.05, "raw reads of which half count");
    cr_expect_eq(sow_umis_of_reads(&c, 0), 0);
}

Test(power, turns_umis_back_into_reads)
{
    const sow_umi_curve c = SOW_UMI_CURVE_K562;
    for (double reads = 10; reads < 1e6; reads *= 3) cr_expect_float_eq(sow_reads_of_umis(&c, sow_umis_of_reads(&c, reads)), reads, 1e-6 * reads);
    cr_expect(isinf(sow_reads_of_umis(&c, 59163)) && isinf(sow_reads_of_umis(&c, 1e9)));
}

Test(power, splits_the_level_over_genes)
{
    cr_expect_float_eq(sow_power_alpha(SOW_POWER_BONFERRONI, 0.05, 5000, 0.1, 0.8), 1e-5, 1e-18);
    cr_expect_float_eq(sow_power_alpha(SOW_POWER_UNCORRECTED, 0.05, 5000, 0.1, 0.8), 0.05, 1e-18);
    /* of m genes 10 % change and 80 % of those are found: the cut a gives m (.08 + .9 a) calls, and BH cuts at .05 times their share */
    const double a = sow_power_alpha(SOW_POWER_BH, 0.05, 5000, 0.1, 0.8);
    cr_expect_float_eq(a, 0.05 * (0.1 * 0.8 + 0.9 * a), 1e-15);
    cr_expect_float_eq(sow_power_alpha(SOW_POWER_BH, 0.05, 5000, 1, 1), 0.05, 1e-15, "where everything changes nothing is lost");
}

Test(power, follows_spearman_and_brown)
{
    cr_expect_float_eq(sow_reliability_at(0.5, 50, 100), 2.0 / 3, 1e-12); /* doubling: 2r / (1 + r) */
    cr_expect_float_eq(sow_reliability_at(0.6, 30, 30), 0.6, 1e-12);
    cr_expect_float_eq(sow_cells_for_reliability(0.5, 50, 2.0 / 3), 100, 1e-9);
    cr_expect(isinf(sow_cells_for_reliability(0, 50, 0.5)) && isinf(sow_cells_for_reliability(-0.1, 50, 0.5)) && sow_reliability_at(-0.1, 50, 100) == 0);
    cr_expect(isnan(sow_reliability_at(NAN, 50, 100)) && isnan(sow_cells_for_reliability(NAN, 50, 0.5)));
}

Test(power, gives_the_p_values_of_the_definition)
{
    const double cells[][2] = {{20, 200}, {100, 1000}, {300, 300}, {7, 30}}, mean[] = {0.01, 0.3, 4, 30}, size[] = {0.1, 1, 8};
    double worst = 0;
    for (int k = 0; k < 4; k++)
        for (int m = 0; m < 4; m++)
            for (int s = 0; s < 3; s++) {
                const sow_power_design d = design_of(cells[k][0], cells[k][1], mean[m], size[s], 0.01);
                const double c = floor(d.n_ctl * mean[m]), centre = d.n_trt * mean[m];
                for (double f = 0; f < 3; f += 0.23) {
                    const double p = sow_power_p_value(&d, floor(f * centre), c), wanted = naive_p(&d, floor(f * centre), c);
                    if (wanted < 1e-12 || wanted > 0.5) continue;
                    worst = fmax(worst, fabs(p / wanted - 1));
                }
            }
    cr_expect(worst < 2e-3, "relative error %.2g", worst);
}

/* Poisson counts: the conditional law is binomial with n1 / (n1 + n2). */
Test(power, is_the_binomial_test_where_nothing_is_overdispersed)
{
    const sow_power_design d = design_of(50, 150, 0.2, 1e6, 0.01);
    double upper = 0;
    for (int k = 17; k <= 40; k++) upper += exp(log_choose(40, k) + k * log(0.25) + (40 - k) * log(0.75));
    cr_expect_float_eq(sow_power_p_value(&d, 17, 23), 2 * upper, 1e-4 * upper);
}

Test(power, agrees_with_made_screens)
{
    sow_power_design d = design_of(60, 300, 0.4, 1, 0.05);
    agrees("low, lost half", &d, 0.5, 4000, 1);
    agrees("low, doubled", &d, 2, 4000, 2);
    d = design_of(40, 200, 3, 0.7, 0.002);
    agrees("overdispersed, a third", &d, 0.33, 3000, 3);
    d = design_of(100, 150, 0.02, 0.5, 0.05);
    agrees("two counts, ten times", &d, 10, 4000, 4);
    d = design_of(60, 240, 1, 2, 0.01);
    d.guides = 3;
    d.guide_sd = 0.4;
    agrees("guides that differ", &d, 0.5, 4000, 5);
}

Test(power, keeps_the_level_where_counts_are_few)
{
    const double mean[] = {0.01, 0.1, 1};
    for (int m = 0; m < 3; m++) {
        const sow_power_design d = design_of(50, 250, mean[m], 0.8, 0.05);
        const double level = power_of(&d, 1), seen = rejected(&d, 1, 4000, (uint32_t)(20 + m));
        cr_expect(level <= 0.0501 && seen <= 0.05 + 4 * sqrt(0.05 * 0.95 / 4000), "mean %g: level %.4f, in made screens %.4f", mean[m], level, seen);
        agrees("no change", &d, 1, 4000, (uint32_t)(30 + m));
    }
}

Test(power, says_that_a_loss_of_few_counts_cannot_be_seen)
{
    sow_power_test *test = NULL;
    sow_error err = {0};
    const sow_power_design d = design_of(100, 1000, 0.01, 1, 1e-4); /* one count expected: none at all is no news */
    cr_assert_eq(sow_power_test_create(&test, &d, &err), SOW_OK);
    cr_expect(isnan(sow_power_smallest_fold(test, 0.8, 0)));
    const double up = sow_power_smallest_fold(test, 0.8, 1);
    cr_expect(up > 5 && up < 40 && sow_power_at(test, up) >= 0.8 && sow_power_at(test, up / 1.02) < 0.8, "%g", up);
    sow_power_test_destroy(test);
    cr_expect(sow_power_wald(&d, 1e-3) < 1e-4 || sow_power_wald(&d, 0.01) < 0.01, "a Wald test cannot either");
}

Test(power, rises_with_everything_that_informs)
{
    const sow_power_design d = design_of(80, 400, 0.5, 1.5, 0.001);
    const double base = power_of(&d, 0.5);
    sow_power_design more = d;
    more.n_trt = 160;
    cr_expect(power_of(&more, 0.5) > base + 0.05);
    more = d, more.n_ctl = 4000;
    cr_expect(power_of(&more, 0.5) > base + 0.01);
    more = d, more.mean = 2;
    cr_expect(power_of(&more, 0.5) > base + 0.05);
    more = d, more.size = 10;
    cr_expect(power_of(&more, 0.5) > base + 0.01);
    more = d, more.library_cv = 0.8, more.mean = 5, more.size = 0.7;
    sow_power_design even = more;
    even.library_cv = 0;
    cr_expect(power_of(&more, 0.5) < power_of(&even, 0.5) - 0.005, "unequal libraries cost power");
    more = d, more.alpha = 0.01;
    cr_expect(power_of(&more, 0.5) > base + 0.05);
    cr_expect(power_of(&d, 0.3) > base + 0.05 && power_of(&d, 0.001) > 0.99);
}

Test(power, finds_the_cells_and_the_counts_that_a_power_takes)
{
    const double fold[] = {0.5, 0.7, 1.5}, mean[] = {0.1, 2, 30};
    sow_error err = {0};
    for (int f = 0; f < 3; f++)
        for (int m = 0; m < 3; m++) {
            sow_power_design d = design_of(1, 3000, mean[m], 1.5, 1e-3);
            double cells, ratio_cells, counts;
            cr_assert_eq(sow_power_cells_needed(&cells, &d, 0, fold[f], 0.8, 1e6, &err), SOW_OK);
            if (isinf(cells)) {
                d.n_trt = 1e6;
                cr_expect(power_of(&d, fold[f]) < 0.8);
                continue;
            }
            d.n_trt = cells;
            cr_expect(power_of(&d, fold[f]) >= 0.8 && cells == floor(cells), "%g cells", cells);
            d.n_trt = fmax(1, floor(0.93 * cells)); /* a saw: not one cell fewer */
            cr_expect(cells < 10 || power_of(&d, fold[f]) < 0.8, "fewer than %g cells do: %.4f", cells, power_of(&d, fold[f]));
            d.n_trt = cells;
            cr_assert_eq(sow_power_mean_needed(&counts, &d, fold[f], 0.8, 1e4, &err), SOW_OK);
            cr_expect(counts <= mean[m] * 1.03 && counts > mean[m] * 0.5, "mean %g: %g", mean[m], counts);
            cr_assert_eq(sow_power_cells_needed(&ratio_cells, &d, 10, fold[f], 0.8, 1e7, &err), SOW_OK);
            d.n_trt = ratio_cells;
            d.n_ctl = 10 * ratio_cells;
            cr_expect(power_of(&d, fold[f]) >= 0.8);
        }
}

Test(power, refuses_designs_that_are_none)
{
    sow_power_test *test = NULL;
    sow_error err = {0};
    const sow_power_design good = design_of(50, 500, 1, 1, 0.05);
    sow_power_design bad[9];
    for (int i = 0; i < 9; i++) bad[i] = good;
    bad[0].n_trt = 0;
    bad[1].n_ctl = NAN;
    bad[2].mean = 0;
    bad[3].size = -1;
    bad[4].library_cv = -1;
    bad[5].guides = 0;
    bad[6].guide_sd = NAN;
    bad[7].alpha = 1;
    bad[8].size = INFINITY;
    for (int i = 0; i < 9; i++) cr_expect(sow_power_test_create(&test, &bad[i], &err) == SOW_E_ARG && !test, "%d", i);
    sow_memory_fail_after(0);
    cr_expect(sow_power_test_create(&test, &good, &err) == SOW_E_NOMEM && !test);
    sow_memory_fail_after(-1);
}

/* ---- genes ---- */

Test(power, puts_genes_of_like_expression_together)
{
    sow_baseline b = {0};
    sow_power_level level[10];
    sow_index n = 0;
    sow_error err = {0};
    cr_assert_eq(sow_baseline_init(&b, 25, &err), SOW_OK);
    for (int i = 0; i < 25; i++) {
        b.share[i] = 1e-8 * (1 + (i * 7) % 25); /* so small that they are told apart by ratio only */
        b.size[i] = 1 + (i * 7) % 25;
    }
    cr_assert_eq(sow_power_levels(level, &n, &b, 20, 10, &err), SOW_OK);
    cr_expect_eq(n, 10);
    for (int k = 0; k < 10; k++) cr_expect(level[k].n == 2 && fabs(level[k].share - 1e-8 * (24.5 - 2 * k)) < 1e-12 && fabs(level[k].size - (24.5 - 2 * k)) < 1e-9, "%d: %g", k, level[k].share);
    cr_expect_float_eq(level[0].high, 25e-8, 1e-15);
    cr_expect_float_eq(level[9].low, 6e-8, 1e-15);
    cr_assert_eq(sow_power_levels(level, &n, &b, 3, 10, &err), SOW_OK);
    cr_expect_eq(n, 3);
    sow_baseline_clear(&b);
}

/* Counts of cells with unequal totals, made gene by gene from known sizes. */
typedef struct {
    sow_cells table;
    double share[200], size[200];
} made;

/* Sizes vary around 2 by `spread` on the log scale. */
static made *make_cells(int n_cells, double spread, uint64_t seed)
{
    enum { GENES = 200 };
    made *m = sow_calloc(1, sizeof *m);
    sow_cell_matrix *x = m->table.matrix = sow_calloc(1, sizeof *x);
    sow_cell_arrays *a = sow_calloc(1, sizeof *a);
    sow_error err = {0};
    double sum = 0;
    cr_assert(m && x && a);
    a->start = sow_calloc(n_cells + 1, sizeof *a->start);
    a->gene = sow_calloc((sow_index)n_cells * GENES, sizeof *a->gene);
    a->value = sow_calloc((sow_index)n_cells * GENES, sizeof *a->value);
    cr_assert_eq(sow_names_create(&x->genes, &err), SOW_OK);
    cr_assert_eq(sow_names_create(&m->table.genes, &err), SOW_OK);
    m->table.gene_of = sow_calloc(1, sizeof *m->table.gene_of);
    m->table.gene_of[0] = sow_calloc(GENES, sizeof **m->table.gene_of);
    for (int g = 0; g < GENES; g++) {
        sow_rng rng = sow_rng_make(seed, SOW_RNG_TEST, 1, (uint32_t)g);
        m->share[g] = exp(2 * sow_rng_normal(&rng));
        m->size[g] = 2 * exp(spread * sow_rng_normal(&rng));
        sum += m->share[g];
        char name[8];
        snprintf(name, sizeof name, "g%03d", g % 1000);
        cr_assert_eq(sow_names_add(x->genes, name, NULL, &err), SOW_OK);
        cr_assert_eq(sow_names_add(m->table.genes, name, NULL, &err), SOW_OK);
        m->table.gene_of[0][g] = g;
    }
    for (int g = 0; g < GENES; g++) m->share[g] /= sum;
    m->table.n_matrices = 1;
    m->table.n = n_cells;
    m->table.is_log = sow_calloc(1, 1);
    m->table.in_matrix = sow_calloc(n_cells, sizeof *m->table.in_matrix);
    m->table.row = sow_calloc(n_cells, sizeof *m->table.row);
    for (int i = 0; i < n_cells; i++) {
        sow_rng rng = sow_rng_make(seed, SOW_RNG_TEST, 2, (uint32_t)i);
        const double depth = 1500 * exp(0.4 * sow_rng_normal(&rng));
        m->table.row[i] = i;
        a->start[i + 1] = a->start[i];
        for (int g = 0; g < GENES; g++) {
            const double y = one_count(&rng, depth * m->share[g], m->size[g]);
            if (y == 0) continue;
            a->gene[a->start[i + 1]] = g;
            a->value[a->start[i + 1]++] = (float)y;
        }
    }
    x->n_cells = n_cells;
    x->n_genes = GENES;
    x->start = a->start;
    x->gene = a->gene;
    x->value = a->value;
    x->owner = a;
    x->release = sow_cell_arrays_release;
    return m;
}

/* Root mean squared error of log size over genes with at least `least` counts a cell on average. */
static double error_of_sizes(const made *m, const sow_baseline *b, double least)
{
    double sum = 0;
    int n = 0;
    for (sow_index k = 0; k < b->n; k++) {
        const int g = atoi(sow_names_get(b->genes, k) + 1);
        if (b->share[k] * b->umis < least) continue;
        const double d = log(b->size[k] / m->size[g]);
        sum += d * d;
        n++;
    }
    return sqrt(sum / n);
}

Test(power, recovers_shares_and_sizes_from_cells)
{
    enum { CELLS = 3000 };
    static sow_index cell[CELLS];
    made *m = make_cells(CELLS, 0.4, 5);
    sow_baseline all = {0}, few = {0};
    sow_error err = {0};
    double prior = 0;
    for (int i = 0; i < CELLS; i++) cell[i] = i;
    cr_assert_eq(sow_baseline_estimate(&all, &m->table, cell, CELLS, &err), SOW_OK, "%s", err.message);
    cr_expect(all.n_cells == CELLS && all.n > 150);
    for (sow_index k = 0; k < all.n; k++) {
        const int g = atoi(sow_names_get(all.genes, k) + 1);
        if (m->share[g] * all.umis > 0.5) cr_expect(fabs(all.share[k] / m->share[g] - 1) < 0.15, "gene %d: %g, not %g", g, all.share[k], m->share[g]);
    }
    for (int g = 0; g < 200; g++) prior += pow(log(m->size[g] / 2), 2) / 200;
    cr_log_info("log size, from %d cells: error %.3f (all genes %.3f; what sizes vary by: %.3f)\n", CELLS, error_of_sizes(m, &all, 0.5), error_of_sizes(m, &all, 0), sqrt(prior));
    cr_expect(error_of_sizes(m, &all, 0.5) < 0.2);
    cr_expect(error_of_sizes(m, &all, 0) < 1.25 * sqrt(prior), "shrinkage does not let genes with few counts run away");
    cr_assert_eq(sow_baseline_estimate(&few, &m->table, cell, 60, &err), SOW_OK);
    cr_expect(error_of_sizes(m, &few, 0.5) < 1.5 * sqrt(prior), "of 60 cells: %.3f", error_of_sizes(m, &few, 0.5));
    cr_expect(fabs(all.library_cv - 0.75) < 0.4, "%g", all.library_cv);
    sow_baseline_clear(&all);
    sow_baseline_clear(&few);
    cr_expect_eq(sow_baseline_estimate(&few, &m->table, cell, 19, &err), SOW_E_DATA);
    cr_expect(strstr(err.message, "at least 20 control cells, and there are 19") != NULL, "%s", err.message);
    m->table.is_log[0] = 1;
    cr_expect_eq(sow_baseline_estimate(&few, &m->table, cell, 100, &err), SOW_E_DATA);
    m->table.is_log[0] = 0;
    ((float *)(uintptr_t)m->table.matrix[0].value)[0] = 0.5f;
    cr_expect_eq(sow_baseline_estimate(&few, &m->table, cell, 100, &err), SOW_E_DATA);
    ((float *)(uintptr_t)m->table.matrix[0].value)[0] = 1;
    for (sow_index k = 0; k < 12; k++) {
        sow_memory_fail_after(k);
        sow_status st = sow_baseline_estimate(&few, &m->table, cell, 100, &err);
        sow_memory_fail_after(-1);
        cr_expect(st == SOW_E_NOMEM && few.n == 0, "allocation %lld", (long long)k);
    }
    sow_cells_clear(&m->table);
    free(m);
}

/* Where dispersions of like genes differ by factors of ten, most must not be drawn to the few large ones: with 0.05 to 1 count a cell low ones are still told from high ones.
 * (Moments shrunk to the neighbours' mean put the lowest quartile e^1.0 too high.) */
Test(power, sizes_of_a_long_tail_keep_their_quartiles)
{
    enum { CELLS = 2000 };
    static sow_index cell[CELLS];
    static double truth[200], found[200];
    made *m = make_cells(CELLS, 1.5, 6);
    sow_baseline b = {0};
    sow_error err = {0};
    sow_index n = 0;
    for (int i = 0; i < CELLS; i++) cell[i] = i;
    cr_assert_eq(sow_baseline_estimate(&b, &m->table, cell, CELLS, &err), SOW_OK, "%s", err.message);
    for (sow_index k = 0; k < b.n; k++) {
        if (b.share[k] * b.umis < 0.05 || b.share[k] * b.umis > 1) continue;
        truth[n] = -log(m->size[atoi(sow_names_get(b.genes, k) + 1)]);
        found[n++] = -log(b.size[k]);
    }
    cr_assert(n > 60, "%lld genes", (long long)n);
    for (int q = 1; q <= 3; q++) {
        double a, e;
        cr_assert_eq(sow_quantile(&a, truth, n, 0.25 * q, &err), SOW_OK);
        cr_assert_eq(sow_quantile(&e, found, n, 0.25 * q, &err), SOW_OK);
        cr_log_info("quartile %d of log dispersions: %.3f, truly %.3f\n", q, e, a);
        cr_expect(fabs(a - e) < 0.5, "quartile %d of log dispersions is %.3f, not %.3f", q, e, a);
    }
    sow_baseline_clear(&b);
    sow_cells_clear(&m->table);
    free(m);
}
