/* Evaluation of cells where it is easy to go wrong: what is left out, what is undefined, what is refused. */
#include "cells_fixture.h"

static double one(const char *metric, const sow_truth *t, const made_cells *c)
{
    double value[MOST_ITEMS];
    each(value, metric, t, c);
    return value[0];
}

/* ---- own genes ---- */

Test(evaluate_cells_edges, own_genes_change_no_metric)
{
    for (int mode = 0; mode < 2; mode++)
        for (int shifts = 0; shifts < 2; shifts++) {
            made_cells c = cells_make(6, 60, 50, 0, 1);
            double before[SOW_I_N_CELL_METRICS][MOST_ITEMS], after[MOST_ITEMS];
            if (shifts) use_shifts(&c);
            sow_truth *t = truth_of(&c, (sow_evaluate_mode)mode, 20);
            for (int k = 0; k < SOW_I_N_CELL_METRICS; k++) each(before[k], sow_i_cell_metric[k], t, &c);
            sow_truth_destroy(t);
            for (sow_index i = 0; i < c.n; i++)
                for (sow_index o = 0; o < c.item[i].n_own; o++) {
                    sow_index gene = c.own[i][o];
                    c.shift[i][gene] += 40;
                    for (sow_index r = 0; r < c.item[i].n; r++) c.x[i][r * c.d + gene] = (float)(100 + 9 * r);
                    for (sow_index r = 0; r < c.item[i].m; r++) c.guess[i][r * c.d + gene] = (float)(-50 * r);
                }
            t = truth_of(&c, (sow_evaluate_mode)mode, 20);
            for (int k = 0; k < SOW_I_N_CELL_METRICS; k++) {
                each(after, sow_i_cell_metric[k], t, &c);
                for (int i = 0; i < 6; i++)
                    cr_assert((isnan(after[i]) && isnan(before[k][i])) || fabs(after[i] - before[k][i]) <= 1e-5, "%s of %d: %g became %g", sow_i_cell_metric[k], i,
                              before[k][i], after[i]);
            }
            for (sow_index i = 0; i < c.n; i++)
                for (int k = 0; k < 20; k++)
                    for (sow_index o = 0; o < c.item[i].n_own; o++) cr_assert_neq(sow_truth_de(t, i)[k], c.own[i][o]);
            sow_truth_destroy(t);
            cells_clear(&c);
        }
}

/* The test above would pass if nothing entered: another gene does change the metrics. */
Test(evaluate_cells_edges, other_genes_do_change_them)
{
    made_cells c = cells_make(1, 60, 50, 40, 1);
    sow_truth *t = truth_of(&c, SOW_EVALUATE_DEFAULT, 20);
    double mmd = one("mmd_all", t, &c), rmse = one("rmse_all", t, &c);
    for (sow_index r = 0; r < c.item[0].m; r++) c.guess[0][r * c.d + 5] += 4;
    cr_assert(one("mmd_all", t, &c) > mmd + 0.01 && one("rmse_all", t, &c) > rmse + 0.1);
    sow_truth_destroy(t);
    cells_clear(&c);
}

/* ---- perfect and empty predictions ---- */

Test(evaluate_cells_edges, the_truth_itself_is_a_perfect_prediction)
{
    for (int mode = 0; mode < 2; mode++) {
        made_cells c = cells_make(4, 60, 50, 64, 2);
        for (sow_index i = 0; i < c.n; i++) c.item[i].predicted = c.x[i], c.item[i].m = c.item[i].n;
        sow_truth *t = truth_of(&c, (sow_evaluate_mode)mode, 30);
        static const char *const nothing[] = {"rmse_de", "rmse_all", "mse_top20", "mae_top20"};
        static const char *const everything[] = {"pearson_delta_de", "pearson_delta_all", "pearson_delta_centred", "direction_de", "r2_de", "r2_all",
                                                 "pearson_top20_wilcoxon", "pearson_top20_abs", "recall_top20"};
        for (size_t k = 0; k < 4; k++) NEAR(one(nothing[k], t, &c), 0, 0);
        for (size_t k = 0; k < 9; k++) NEAR(one(everything[k], t, &c), 1, 1e-12);
        /* unbiased: pairs of a cell with itself count across and not within, which is a little below 0; biased: batches of other cells, a little above */
        cr_assert(mode == 0 ? fabs(one("mmd_all", t, &c)) < 0.2 : one("mmd_all", t, &c) < 0.5);
        sow_truth_destroy(t);
        cells_clear(&c);
    }
}

Test(evaluate_cells_edges, other_cells_of_the_same_distribution_have_an_mmd_about_0)
{
    made_cells c = cells_make(1, 60, 200, 300, 3);
    sow_rng rng = sow_rng_make(99, SOW_RNG_TEST, 0, 0);
    free(c.x[0]), free(c.guess[0]);
    c.item[0].truth = c.x[0] = draw_cells(300, 60, c.shift[0], &rng);
    c.item[0].predicted = c.guess[0] = draw_cells(400, 60, c.shift[0], &rng);
    c.item[0].m = 400;
    sow_truth *t = truth_of(&c, SOW_EVALUATE_DEFAULT, 20);
    NEAR(one("mmd_all", t, &c), 0, 0.01);
    NEAR(one("mmd_de", t, &c), 0, 0.01);
    sow_truth_destroy(t);
    cells_clear(&c);
}

Test(evaluate_cells_edges, no_change_at_all_has_no_correlation_and_finds_no_gene)
{
    made_cells c = cells_make(3, 60, 50, 64, 4);
    double zero[60] = {0};
    for (sow_index i = 0; i < c.n; i++) c.item[i].predicted = NULL, c.item[i].shift = zero;
    for (int cells = 0; cells < 2; cells++) {
        sow_metric out[SOW_METRICS_MAX];
        sow_index n;
        sow_rng rng = sow_rng_make(1, SOW_RNG_BOOTSTRAP, 0, 0);
        sow_truth *t = truth_of(&c, SOW_EVALUATE_DEFAULT, 20);
        cr_assert(isnan(one("pearson_delta_all", t, &c)) && isnan(one("pearson_delta_de", t, &c)) && isnan(one("pearson_top20_abs", t, &c)));
        NEAR(one("direction_de", t, &c), 0, 0);
        NEAR(one("recall_top20", t, &c), 0, 0);
        cr_assert(one("mmd_all", t, &c) > 0.05 && one("pearson_delta_centred", t, &c) > -1); /* less the mean response it is one */
        OK(sow_evaluate_cells(out, &n, t, c.item, c.n, &rng, NULL, err));
        for (sow_index k = 0; k < n; k++) cr_assert_eq(isnan(out[k].value), k != SOW_I_PEARSON_CENTRED && strncmp(out[k].metric, "pearson", 7) == 0, "%s", out[k].metric);
        sow_truth_destroy(t);
        for (sow_index i = 0; i < c.n; i++) c.item[i].predicted = c.control, c.item[i].m = c.n_control; /* the controls themselves are the same */
    }
    cells_clear(&c);
}

Test(evaluate_cells_edges, a_centred_correlation_is_0_where_it_is_undefined)
{
    made_cells c = cells_make(2, 40, 50, 64, 5);
    for (sow_index i = 0; i < c.n; i++) c.item[i].predicted = NULL, c.item[i].shift = c.centre; /* train-mean */
    sow_truth *t = truth_of(&c, SOW_EVALUATE_DEFAULT, 20);
    NEAR(one("pearson_delta_centred", t, &c), 0, 0);
    sow_truth_destroy(t);
    cells_clear(&c);
}

/* ---- few cells, few genes, constant genes ---- */

Test(evaluate_cells_edges, one_cell_has_means_but_no_distribution_and_no_tests)
{
    made_cells c = cells_make(2, 60, 50, 40, 6);
    c.item[0].n = 1;
    for (int shifts = 0; shifts < 2; shifts++) {
        if (shifts) use_shifts(&c);
        for (int mode = 0; mode < 2; mode++) {
            sow_truth *t = truth_of(&c, (sow_evaluate_mode)mode, 20);
            cr_assert_eq(sow_truth_de(t, 0)[0], -1);
            double distance[2];
            OK(sow_cells_distance(distance, t, NULL, 2, 0, NULL, err));
            cr_assert(isnan(distance[0]) && isfinite(distance[1]));
            cr_assert(isnan(one("mmd_all", t, &c)) && isnan(one("mmd_de", t, &c)) && isnan(one("rmse_de", t, &c)) && isnan(one("pearson_top20_wilcoxon", t, &c)));
            cr_assert(isfinite(one("rmse_all", t, &c)) && isfinite(one("pearson_delta_all", t, &c)) && isfinite(one("recall_top20", t, &c)));
            sow_truth_destroy(t);
        }
    }
    cells_clear(&c);
    c = cells_make(1, 60, 50, 40, 6);
    c.item[0].m = 1; /* one predicted cell */
    sow_truth *t = truth_of(&c, SOW_EVALUATE_DEFAULT, 20);
    cr_assert(isnan(one("mmd_all", t, &c)) && isfinite(one("rmse_de", t, &c)));
    sow_truth_destroy(t);
    cells_clear(&c);
}

Test(evaluate_cells_edges, one_control_still_gives_changes)
{
    made_cells c = cells_make(1, 40, 1, 40, 7);
    sow_truth *t = truth_of(&c, SOW_EVALUATE_DEFAULT, 20);
    cr_assert_eq(sow_truth_de(t, 0)[0], -1);
    cr_assert(isfinite(one("pearson_delta_all", t, &c)) && isfinite(one("mmd_all", t, &c))); /* bandwidth from the measured cells */
    use_shifts(&c);
    cr_assert(isfinite(one("rmse_all", t, &c)) && isnan(one("mmd_all", t, &c)));
    sow_truth_destroy(t);
    cells_clear(&c);
}

Test(evaluate_cells_edges, fewer_than_32_cells_have_no_published_mmd)
{
    made_cells c = cells_make(2, 40, 50, 31, 8);
    c.item[1].n = 31, c.item[0].n = 31;
    sow_truth *t = truth_of(&c, SOW_EVALUATE_REFERENCE, 20);
    cr_assert(isnan(one("mmd_all", t, &c)) && isfinite(one("rmse_all", t, &c)));
    sow_truth_destroy(t);
    t = truth_of(&c, SOW_EVALUATE_DEFAULT, 20);
    cr_assert(isfinite(one("mmd_all", t, &c)));
    sow_truth_destroy(t);
    cells_clear(&c);
}

Test(evaluate_cells_edges, fewer_genes_than_asked_for_are_all_there_are)
{
    made_cells c = cells_make(3, 12, 50, 40, 9);
    sow_truth *t = truth_of(&c, SOW_EVALUATE_DEFAULT, 50);
    sow_index n = 0;
    while (n < 50 && sow_truth_de(t, 0)[n] >= 0) n++;
    cr_assert(n >= 9 && n <= 10, "%d", (int)n); /* 12 less its own and one that is 0 everywhere */
    for (; n < 50; n++) cr_assert_eq(sow_truth_de(t, 0)[n], -1);
    cr_assert(isnan(one("recall_top20", t, &c)), "with 11 genes there is nothing to find");
    cr_assert(isfinite(one("pearson_top20_abs", t, &c)) && isfinite(one("rmse_de", t, &c)) && isfinite(one("mmd_de", t, &c)));
    sow_truth_destroy(t);
    cells_clear(&c);
}

Test(evaluate_cells_edges, a_gene_that_is_all_its_own_leaves_nothing)
{
    made_cells c = cells_make(1, 1, 50, 40, 10);
    double value;
    sow_truth *t = truth_of(&c, SOW_EVALUATE_DEFAULT, 50);
    for (int k = 0; k < SOW_I_N_CELL_METRICS; k++) {
        OK(sow_evaluate_cells_each(&value, sow_i_cell_metric[k], t, c.item, 1, NULL, err));
        cr_assert(k == SOW_I_PEARSON_CENTRED ? value == 0 : isnan(value), "%s", sow_i_cell_metric[k]);
    }
    sow_truth_destroy(t);
    cells_clear(&c);
}

Test(evaluate_cells_edges, cells_that_do_not_vary_have_no_r2_and_no_correlation)
{
    made_cells c = cells_make(1, 30, 50, 40, 11);
    for (sow_index k = 0; k < 40 * c.d; k++) c.x[0][k] = 2;
    for (sow_index k = 0; k < 50 * c.d; k++) c.control[k] = 2;
    sow_truth *t = truth_of(&c, SOW_EVALUATE_DEFAULT, 20);
    cr_assert(isnan(one("r2_all", t, &c)) && isnan(one("pearson_delta_all", t, &c)) && isnan(one("recall_top20", t, &c)) && isnan(one("pearson_top20_abs", t, &c)));
    cr_assert(isnan(one("mmd_all", t, &c)), "neither side gives a bandwidth");
    cr_assert_eq(sow_truth_de(t, 0)[0], -1);
    sow_truth_destroy(t);
    t = truth_of(&c, SOW_EVALUATE_REFERENCE, 20);
    NEAR(one("r2_all", t, &c), 0, 0);
    c.item[0].predicted = c.x[0], c.item[0].m = 40;
    NEAR(one("r2_all", t, &c), 1, 0);
    sow_truth_destroy(t);
    cells_clear(&c);
}

Test(evaluate_cells_edges, r2_below_0_is_clipped_in_the_reference_mode_only)
{
    made_cells c = cells_make(1, 30, 50, 40, 12);
    for (sow_index k = 0; k < c.item[0].m * c.d; k++) c.guess[0][k] = 30;
    sow_truth *t = truth_of(&c, SOW_EVALUATE_DEFAULT, 20);
    cr_assert_lt(one("r2_all", t, &c), -1);
    sow_truth_destroy(t);
    t = truth_of(&c, SOW_EVALUATE_REFERENCE, 20);
    NEAR(one("r2_all", t, &c), 0, 0);
    sow_truth_destroy(t);
    cells_clear(&c);
}

/* ---- many cells ---- */

Test(evaluate_cells_edges, more_than_512_cells_are_sampled_the_same_way_again)
{
    made_cells c = cells_make(1, 25, 700, 900, 13);
    use_shifted_controls(&c);
    sow_truth *t = truth_of(&c, SOW_EVALUATE_DEFAULT, 10), *again = truth_of(&c, SOW_EVALUATE_DEFAULT, 10);
    cr_assert_eq(t->item[0].n_row, 512);
    cr_assert_eq(t->n_near, 512);
    for (int i = 1; i < 512; i++) cr_assert(t->item[0].row[i - 1] < t->item[0].row[i] && t->item[0].row[i] < 900);
    double a = one("mmd_all", t, &c);
    NEAR(one("mmd_all", again, &c), a, 0);
    use_shifts(&c);
    NEAR(one("mmd_all", t, &c), a, 0.02); /* other 512 of 700 controls */
    sow_truth_destroy(t);
    sow_truth_destroy(again);
    cells_clear(&c);
}

Test(evaluate_cells_edges, a_drawn_subset_takes_every_cell_equally_often)
{
    enum { N = 600, TIMES = 400 };
    int count[N] = {0};
    double spread = 0, p = 512.0 / N;
    for (int k = 0; k < TIMES; k++) {
        sow_evaluate_cells_options o = {SOW_EVALUATE_DEFAULT, 50, 3, k};
        sow_index *row = NULL, n;
        OK(sow_i_draw_rows(&row, &n, N, &o, 0, SOW_I_DRAW_TRUE, err));
        cr_assert_eq(n, 512);
        for (sow_index i = 0; i < n; i++) count[row[i]]++;
        free(row);
    }
    for (int i = 0; i < N; i++) spread += pow(count[i] - TIMES * p, 2) / (TIMES * p * (1 - p)) / N;
    NEAR(spread, 1, 0.25);
}

/* Held-out cells come one array an item or one behind the other: the same genes. */
Test(evaluate_cells_edges, where_the_cells_lie_does_not_matter)
{
    made_cells c = cells_make(5, 40, 50, 0, 14);
    sow_index total = 0;
    for (sow_index i = 0; i < c.n; i++) total += c.item[i].n;
    float *together = calloc((size_t)(total * c.d), sizeof *together);
    sow_truth *apart = truth_of(&c, SOW_EVALUATE_DEFAULT, 20);
    for (sow_index i = 0, at = 0; i < c.n; at += c.item[i++].n) {
        memcpy(together + at * c.d, c.x[i], (size_t)(c.item[i].n * c.d) * sizeof *together);
        c.item[i].truth = together + at * c.d;
    }
    sow_truth *t = truth_of(&c, SOW_EVALUATE_DEFAULT, 20);
    for (sow_index i = 0; i < c.n; i++)
        cr_assert(memcmp(sow_truth_de(t, i), sow_truth_de(apart, i), 20 * sizeof(sow_index)) == 0);
    sow_truth_destroy(t);
    sow_truth_destroy(apart);
    free(together);
    cells_clear(&c);
}

/* ---- precision ---- */

Test(evaluate_cells_edges, precision_counts_the_strongest_on_both_sides)
{
    const double truth[] = {9, 8, 7, 1, 2, 3, 0, 0}, guess[] = {5, 1, 6, 7, 0, 0, 0, 0}, nan_guess[] = {5, 1, 6, 7, 0, 0, NAN, NAN};
    double p;
    OK(sow_precision_at(&p, truth, guess, 8, 3, err));
    NEAR(p, 2.0 / 3, 1e-15);
    OK(sow_precision_at(&p, truth, truth, 8, 4, err));
    NEAR(p, 1, 0);
    OK(sow_precision_at(&p, truth, guess, 8, 5, err));
    cr_assert(isnan(p));
    OK(sow_precision_at(&p, truth, nan_guess, 8, 3, err));
    NEAR(p, 2.0 / 3, 1e-15);
    OK(sow_precision_at(&p, truth, nan_guess, 8, 4, err));
    cr_assert(isnan(p), "6 that count are fewer than 2 x 4");
    const double flat[] = {1, 1, 1, 1};
    OK(sow_precision_at(&p, flat, flat, 4, 2, err)); /* ties by position on both sides */
    NEAR(p, 1, 0);
    cr_assert_eq(sow_precision_at(&p, truth, guess, 8, 0, NULL), SOW_E_ARG);
}

/* ---- refused ---- */

static void refuses(const made_cells *c, const sow_evaluate_cells_options *o, sow_status want, const char *says)
{
    sow_truth *t = NULL;
    sow_error err = {0};
    cr_assert_eq(sow_truth_create(&t, c->item, c->n, c->d, c->control, c->n_control, c->centre, o, NULL, &err), want, "%s", err.message);
    cr_assert_null(t);
    cr_assert(strstr(err.message, says), "'%s' does not say '%s'", err.message, says);
}

Test(evaluate_cells_edges, refuses_a_truth_that_is_none)
{
    made_cells c = cells_make(3, 20, 30, 25, 15);
    sow_evaluate_cells_options o = {SOW_EVALUATE_DEFAULT, 10, 1, 0};
    float kept = c.x[1][33];
    c.x[1][33] = NAN;
    refuses(&c, &o, SOW_E_NONFINITE, "item 1 has a value in gene 13");
    c.x[1][33] = kept;
    kept = c.control[5];
    c.control[5] = INFINITY;
    refuses(&c, &o, SOW_E_NONFINITE, "gene 5");
    c.control[5] = kept;
    c.own[2][0] = 20;
    refuses(&c, &o, SOW_E_ARG, "gene 20 is its own; there are 20");
    c.own[2][0] = 2;
    c.item[2].n = 0;
    refuses(&c, &o, SOW_E_ARG, "item 2 has no measured cells");
    c.item[2].n = 25;
    c.n_control = 0;
    refuses(&c, &o, SOW_E_ARG, "no control cells");
    c.n_control = 30;
    o.n_de = 0;
    refuses(&c, &o, SOW_E_ARG, "at least 1");
    o.n_de = 10, o.mode = (sow_evaluate_mode)7;
    refuses(&c, &o, SOW_E_ARG, "no mode 7");
    c.d = 0, o.mode = SOW_EVALUATE_DEFAULT;
    refuses(&c, &o, SOW_E_ARG, "3 items of 0 genes");
    c.d = 20;
    cells_clear(&c);
}

static void refuses_guess(const made_cells *c, const sow_truth *t, sow_index n, sow_status want, const char *says)
{
    sow_metric out[SOW_METRICS_MAX];
    sow_index n_out;
    sow_error err = {0};
    sow_rng rng = sow_rng_make(1, SOW_RNG_BOOTSTRAP, 0, 0);
    cr_assert_eq(sow_evaluate_cells(out, &n_out, t, c->item, n, &rng, NULL, &err), want, "%s", err.message);
    cr_assert_eq(n_out, 0);
    cr_assert(strstr(err.message, says), "'%s' does not say '%s'", err.message, says);
}

Test(evaluate_cells_edges, refuses_a_prediction_that_is_none)
{
    made_cells c = cells_make(3, 20, 30, 25, 16);
    sow_truth *t = truth_of(&c, SOW_EVALUATE_DEFAULT, 10);
    double value[3];
    sow_error e = {0};
    refuses_guess(&c, t, 2, SOW_E_SHAPE, "2 items, but the truth of 3");
    c.guess[1][7] = NAN;
    refuses_guess(&c, t, 3, SOW_E_NONFINITE, "item 1 has a value in gene 7");
    cr_assert_eq(sow_cells_distance(value, t, c.item, 3, 1, NULL, NULL), SOW_E_NONFINITE);
    c.guess[1][7] = 0;
    c.item[1].m = 0;
    refuses_guess(&c, t, 3, SOW_E_ARG, "item 1 has no predicted cells");
    c.item[1].m = 10, c.item[2].predicted = NULL;
    refuses_guess(&c, t, 3, SOW_E_ARG, "item 2 has no predicted cells");
    sow_index source[10] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 1000};
    c.item[1].source = source, c.item[2].predicted = c.guess[2];
    refuses_guess(&c, t, 3, SOW_E_ARG, "cell 9 of item 1 is said to be made from control 1000");
    c.item[1].source = NULL, c.item[2].predicted = NULL;
    c.item[2].shift = c.shift[2], c.shift[2][3] = INFINITY;
    refuses_guess(&c, t, 3, SOW_E_NONFINITE, "item 2 has a value in gene 3");
    c.shift[2][3] = 0;
    c.item[0].n--;
    refuses_guess(&c, t, 3, SOW_E_ARG, "item 0 is not the one whose truth was taken");
    cr_assert_eq(sow_cells_distance(value, t, c.item, 3, 1, NULL, NULL), SOW_E_ARG);
    c.item[0].n++;
    cr_assert_eq(sow_cells_distance(value, t, c.item, 2, 1, NULL, NULL), SOW_E_SHAPE);
    cr_assert_eq(sow_evaluate_cells_each(value, "rmse_al", t, c.item, 3, NULL, &e), SOW_E_ARG);
    cr_assert(strstr(e.message, "did you mean 'rmse_all'"), "%s", e.message);
    sow_truth_destroy(t);
    cells_clear(&c);
}

Test(evaluate_cells_edges, nothing_held_out_gives_undefined_metrics)
{
    made_cells c = cells_make(1, 20, 30, 25, 17);
    sow_truth *t = NULL;
    sow_metric out[SOW_METRICS_MAX];
    sow_index n;
    sow_rng rng = sow_rng_make(1, SOW_RNG_BOOTSTRAP, 0, 0);
    OK(sow_truth_create(&t, NULL, 0, 20, c.control, 30, NULL, NULL, NULL, err));
    OK(sow_evaluate_cells(out, &n, t, NULL, 0, &rng, NULL, err));
    cr_assert_eq(n, 15);
    for (sow_index k = 0; k < n; k++) cr_assert(isnan(out[k].value) && isnan(out[k].low));
    sow_truth_destroy(t);
    sow_truth_destroy(NULL);
    cells_clear(&c);
}

/* ---- failing allocations ---- */

Test(evaluate_cells_edges, survives_failing_allocations)
{
    for (int mode = 0; mode < 2; mode++)
        for (int shifts = 0; shifts < 2; shifts++) {
            made_cells c = cells_make(2, 24, 40, 33, 18);
            if (shifts) use_shifts(&c);
            sow_evaluate_cells_options o = {(sow_evaluate_mode)mode, 10, 1, 0};
            for (sow_index k = 0;; k++) {
                sow_truth *t = NULL;
                sow_metric out[SOW_METRICS_MAX];
                sow_index n;
                double distance[2];
                sow_rng rng = sow_rng_make(1, SOW_RNG_BOOTSTRAP, 0, 0);
                sow_memory_fail_after(k);
                sow_status st = sow_truth_create(&t, c.item, c.n, c.d, c.control, c.n_control, c.centre, &o, NULL, NULL);
                if (st == SOW_OK) st = sow_evaluate_cells(out, &n, t, c.item, c.n, &rng, NULL, NULL);
                if (st == SOW_OK) st = sow_cells_distance(distance, t, c.item, c.n, 1, NULL, NULL);
                if (st == SOW_OK) st = sow_cells_distance(distance, t, NULL, c.n, 0, NULL, NULL);
                sow_memory_fail_after(-1);
                sow_truth_destroy(t);
                if (st == SOW_OK) {
                    cr_assert_gt(k, 20);
                    break;
                }
                cr_assert_eq(st, SOW_E_NOMEM, "allocation %d: %s", (int)k, sow_status_name(st));
            }
            cells_clear(&c);
        }
    for (sow_index k = 0;; k++) {
        sow_evaluate_cells_options o = {SOW_EVALUATE_DEFAULT, 10, 1, 0};
        sow_index *row = NULL, n;
        sow_memory_fail_after(k);
        sow_status st = sow_i_draw_rows(&row, &n, 600, &o, 0, SOW_I_DRAW_TRUE, NULL);
        sow_memory_fail_after(-1);
        free(row);
        if (st == SOW_OK) break;
        cr_assert(st == SOW_E_NOMEM && !row);
    }
    for (sow_index k = 0;; k++) {
        const double x[] = {1, 2, 3, 4};
        double p;
        sow_memory_fail_after(k);
        sow_status st = sow_precision_at(&p, x, x, 4, 2, NULL);
        sow_memory_fail_after(-1);
        if (st == SOW_OK) break;
        cr_assert_eq(st, SOW_E_NOMEM);
    }
}

/* ---- cells from a shift ---- */

Test(evaluate_cells_edges, shifted_controls_have_the_mean_of_the_controls_moved_by_the_shift)
{
    made_cells c = cells_make(1, 40, 200, 25, 19);
    float *out = calloc((size_t)(200 * 40), sizeof *out);
    double before[40], after[40], zero[40] = {0};
    sow_shift_controls(out, c.control, 200, 40, c.shift[0]);
    sow_i_cell_mean(before, c.control, 200, 40);
    sow_i_cell_mean(after, out, 200, 40);
    for (int j = 0; j < 40; j++) NEAR(after[j], before[j] + c.shift[0][j], 4.8e-7); /* half a unit in the last place of a value below 8 */
    int below = 0;
    for (int k = 0; k < 200 * 40; k++) below += out[k] < 0;
    cr_assert_gt(below, 0, "values below 0 stay");
    sow_shift_controls(out, c.control, 200, 40, zero);
    cr_assert(memcmp(out, c.control, 200 * 40 * sizeof *out) == 0);
    free(out);
    cells_clear(&c);
}
