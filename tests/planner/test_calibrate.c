/* What a check says in words, and what its page draws over genes. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "planner/calibrate_internal.h"
#include "tests/io/faults.h"

static void add(json_t *rows, const char *quantity, int cells, double real, double simulated, double low, double high)
{
    json_t *row = json_pack("{s:s,s:o,s:o,s:f,s:f,s:f}", "quantity", quantity, "cells", cells ? json_integer(cells) : json_null(), "real", isnan(real) ? json_null() : json_real(real), "simulated", simulated, "low",
                            low, "high", high);
    cr_assert_eq(json_array_append_new(rows, row), 0);
}

Test(calibrate, says_where_simulated_screens_are_like_the_real_one_and_where_not)
{
    json_t *rows = json_array();
    add(rows, "split_half_reliability", 10, 0.3, 0.22, 0.2, 0.24);  /* out of range, but by less than .1 */
    add(rows, "split_half_reliability", 25, NAN, 0.22, 0.2, 0.24);  /* nothing to compare with */
    add(rows, "de_genes", 10, 4, 8, 3, 9);                          /* far off, but in range */
    add(rows, "de_genes", 25, 4, 8, 7, 9);                          /* not like */
    add(rows, "gene_mean_median", 0, 1, 1.09, 1.08, 1.1);           /* by less than a tenth */
    add(rows, "gene_mean_spearman", 0, 1, 0.2, 0.1, 0.3);           /* a screen with itself: no comparison */
    add(rows, "gene_dispersion_upper_quartile", 0, 2, 1.7, 1.6, 1.8);
    char *said = sow_i_calibration_words(rows);
    cr_assert_str_eq(said, "Like the real screen: split-half reliability, mean counts. Unlike it: genes found at 25 cells (4, simulated 8); dispersions, upper quartile of genes (2, simulated 1.7).");
    free(said);
    json_decref(rows);
}

enum { GENES = 60, SCREENS = 3 };
static double real[3][GENES], made[3][SCREENS * GENES];
static sow_names *genes;

static void make_facts(void)
{
    char name[16];
    sow_error err = {0};
    cr_assert_eq(sow_names_create(&genes, &err), SOW_OK);
    for (int g = 0; g < GENES; g++) {
        snprintf(name, sizeof name, "G%02d", g);
        cr_assert_eq(sow_names_add(genes, name, NULL, &err), SOW_OK);
        real[0][g] = g; /* gene 0 has no counts */
        real[1][g] = 10 * g;
        real[2][g] = 1;
        for (int s = 0; s < SCREENS; s++) {
            made[0][s * GENES + g] = g;
            made[1][s * GENES + g] = 20 * g;
            made[2][s * GENES + g] = 0.1 * s;
        }
    }
}

static double at(const json_t *curve, size_t row, size_t column)
{
    return json_number_value(json_array_get(json_array_get(json_object_get(curve, "rows"), row), column));
}

static sow_status draw_once(sow_error *err)
{
    double *const r[3] = {real[0], real[1], real[2]}, *const m[3] = {made[0], made[1], made[2]};
    const sow_i_gene_facts f = {GENES, SCREENS, genes, r, m};
    json_t *curves = json_array();
    const sow_status st = sow_i_calibration_gene_curves(curves, &f, err);
    json_decref(curves);
    return st;
}

Test(calibrate, draws_genes_in_bins_of_like_mean)
{
    double *const r[3] = {real[0], real[1], real[2]}, *const m[3] = {made[0], made[1], made[2]};
    sow_error err = {0};
    json_t *curves = json_array();
    make_facts();
    const sow_i_gene_facts f = {GENES, SCREENS, genes, r, m};
    cr_assert_eq(sow_i_calibration_gene_curves(curves, &f, &err), SOW_OK, "%s", err.message);
    const json_t *dispersion = json_array_get(curves, 0), *zeros = json_array_get(curves, 1);
    cr_assert_eq(json_array_size(json_object_get(dispersion, "points")), GENES - 1);
    cr_assert_eq(json_array_size(json_object_get(dispersion, "rows")), 5); /* of 59 genes with counts */
    for (size_t b = 0; b < 5; b++) {
        const double x = at(dispersion, b, 0);
        cr_assert(b == 0 || x > at(dispersion, b - 1, 0));
        cr_assert_float_eq(at(dispersion, b, 1), 10 * x, 1e-9); /* medians of what is linear in the mean */
        cr_assert_float_eq(at(dispersion, b, 2), 20 * x, 1e-9, "bin %zu: %g at %g", b, at(dispersion, b, 2), x);
        cr_assert(at(dispersion, b, 3) < 20 * x && at(dispersion, b, 4) > 20 * x);
        cr_assert_float_eq(at(zeros, b, 2), 0.1, 1e-9); /* of three screens the middle one */
        cr_assert_float_eq(at(zeros, b, 4), 0.2, 1e-9);
    }
    json_decref(curves);
    every_allocation_may_fail(draw_once, 1);
    sow_names_destroy(genes);
}
