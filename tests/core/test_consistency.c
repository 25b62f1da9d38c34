#include "core/consistency.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/stats.h"
#include "tests/core/made_cells.h"
#include "tests/io/faults.h"

/* A made screen: 240 cells of one perturbation and 240 controls in three parts; part p adds its own baseline to gene p, the perturbation moves genes 5..9. */
enum { CELLS = 480, HALF = 240, GENES = 12, PARTS = 3 };

typedef struct {
    sow_cells cells;
    sow_preparation p;
    float *counts;
    sow_index cell[HALF], control[HALF];
    int32_t part[HALF], part_of_control[HALF];
} screen;

static screen made_screen(double effect)
{
    screen s = {.counts = made_counts(CELLS, GENES, 7)};
    sow_rng rng = sow_rng_make(4, SOW_RNG_TEST, 0, 1);
    for (sow_index i = 0; i < CELLS; i++) {
        const sow_index part = i % PARTS;
        s.counts[i * GENES + part] += 40; /* a strong baseline of the part, in perturbed cells and controls */
        for (sow_index g = 5; g < 10 && i < HALF; g++) s.counts[i * GENES + g] += (float)sow_rng_poisson(&rng, effect * (double)(g - 4));
        if (i < HALF) {
            s.cell[i] = i;
            s.part[i] = (int32_t)part;
        } else {
            s.control[i - HALF] = i;
            s.part_of_control[i - HALF] = (int32_t)part;
        }
    }
    s.cells = made_cells(s.counts, CELLS, GENES);
    sow_names *none = made_names("none", 0);
    cr_assert_eq(sow_preparation_make(&s.p, &s.cells, s.cells.genes, none, 1000, 1, NULL), SOW_OK);
    sow_names_destroy(none);
    return s;
}

static void free_screen(screen *s)
{
    sow_cells_clear(&s->cells);
    sow_preparation_clear(&s->p);
    free(s->counts);
}

static sow_consistency consistency(const screen *s, int own_controls, const sow_index *own, sow_index n_own, sow_index min_cells)
{
    sow_consistency c;
    sow_error err = {0};
    cr_assert_eq(sow_consistency_of(&c, &s->p, &s->cells, s->cell, s->part, HALF, s->control, own_controls ? s->part_of_control : NULL, HALF, own, n_own,
                                    min_cells, NULL, &err),
                 SOW_OK, "%s", err.message);
    return c;
}

/* ---- the naive twin ---- */

static void add_mean(double *to, double sign, const screen *s, sow_index first, const int32_t *part, int32_t wanted)
{
    double sum[GENES] = {0};
    sow_index n = 0;
    for (sow_index i = 0; i < HALF; i++) {
        if (part && part[i] != wanted) continue;
        const float *row = s->counts + (first + i) * GENES;
        double total = 0;
        for (int g = 0; g < GENES; g++) total += (double)row[g];
        for (int g = 0; g < GENES; g++) sum[g] += log1p((double)row[g] * 1000 / total);
        n++;
    }
    for (int g = 0; g < GENES; g++) to[g] += sign * sum[g] / (double)n;
}

static double naive(const screen *s, int own_controls, sow_index own)
{
    double response[PARTS][GENES] = {{0}}, sum = 0;
    for (int32_t p = 0; p < PARTS; p++) {
        add_mean(response[p], 1, s, 0, s->part, p);
        add_mean(response[p], -1, s, HALF, own_controls ? s->part_of_control : NULL, p);
        if (own >= 0) memmove(response[p] + own, response[p] + own + 1, sizeof(double) * (size_t)(GENES - 1 - own));
    }
    for (int a = 0; a < PARTS; a++)
        for (int b = 0; b < a; b++) sum += sow_pearson(response[a], response[b], own >= 0 ? GENES - 1 : GENES) / 3;
    return sum;
}

Test(consistency, is_the_mean_correlation_of_the_parts_responses)
{
    screen s = made_screen(1.5);
    const sow_index own = 7;
    for (int own_controls = 0; own_controls < 2; own_controls++) {
        const sow_consistency all = consistency(&s, own_controls, NULL, 0, 1), without = consistency(&s, own_controls, &own, 1, 1);
        cr_assert_eq(all.parts, PARTS);
        cr_assert(fabs(all.correlation - naive(&s, own_controls, -1)) <= 1e-6, "%g, plainly %g", all.correlation, naive(&s, own_controls, -1));
        cr_assert(fabs(without.correlation - naive(&s, own_controls, own)) <= 1e-6);
        cr_assert(fabs(all.correlation - without.correlation) > 1e-4, "the gene must matter for the test to see it");
    }
    free_screen(&s);
}

Test(consistency, needs_the_controls_of_the_same_part_where_parts_have_baselines)
{
    screen s = made_screen(3);
    const sow_consistency same = consistency(&s, 1, NULL, 0, 1), all = consistency(&s, 0, NULL, 0, 1);
    cr_assert(same.correlation > 0.9, "%g", same.correlation);
    cr_assert(all.correlation < 0.5, "%g", all.correlation);
    free_screen(&s);
}

Test(consistency, leaves_out_parts_of_few_cells_and_cells_without_a_part)
{
    screen s = made_screen(1);
    for (sow_index i = 0; i < HALF; i++)
        if (s.part[i] == 1 && i > 30) s.part[i] = SOW_NO_LABEL; /* 10 cells stay */
    cr_assert_eq(consistency(&s, 1, NULL, 0, 10).parts, 3);
    cr_assert_eq(consistency(&s, 1, NULL, 0, 11).parts, 2);
    free_screen(&s);
}

Test(consistency, leaves_out_parts_without_controls)
{
    screen s = made_screen(1);
    for (sow_index i = 0; i < HALF; i++)
        if (s.part_of_control[i] == 2) s.part_of_control[i] = SOW_NO_LABEL;
    cr_assert_eq(consistency(&s, 1, NULL, 0, 1).parts, 2);
    cr_assert_eq(consistency(&s, 0, NULL, 0, 1).parts, 3);
    free_screen(&s);
}

Test(consistency, is_undefined_with_fewer_than_two_parts)
{
    screen s = made_screen(1);
    sow_consistency c;
    memset(s.part, 0, sizeof s.part);
    c = consistency(&s, 1, NULL, 0, 1);
    cr_assert(c.parts == 1 && isnan(c.correlation));
    cr_assert_eq(sow_consistency_of(&c, &s.p, &s.cells, s.cell, s.part, 0, s.control, NULL, HALF, NULL, 0, 1, NULL, NULL), SOW_OK);
    cr_assert(c.parts == 0 && isnan(c.correlation));
    cr_assert_eq(sow_consistency_of(&c, &s.p, &s.cells, s.cell, s.part, HALF, s.control, NULL, 0, NULL, 0, 1, NULL, NULL), SOW_OK);
    cr_assert(c.parts == 0 && isnan(c.correlation), "no control at all");
    free_screen(&s);
}

Test(consistency, is_undefined_when_every_gene_is_left_out)
{
    screen s = made_screen(1);
    sow_index own[GENES + 2];
    for (sow_index g = 0; g < GENES; g++) own[g] = g;
    own[GENES] = 3;  /* twice */
    own[GENES + 1] = -1; /* not among the features */
    const sow_consistency c = consistency(&s, 1, own, GENES + 2, 1);
    cr_assert(c.parts == PARTS && isnan(c.correlation));
    free_screen(&s);
}

Test(consistency, refuses_negative_numbers)
{
    screen s = made_screen(1);
    sow_consistency c;
    cr_assert_eq(sow_consistency_of(&c, &s.p, &s.cells, s.cell, s.part, -1, s.control, NULL, HALF, NULL, 0, 1, NULL, NULL), SOW_E_ARG);
    cr_assert_eq(sow_consistency_of(&c, &s.p, &s.cells, s.cell, s.part, HALF, s.control, NULL, -1, NULL, 0, 1, NULL, NULL), SOW_E_ARG);
    cr_assert_eq(sow_consistency_of(&c, &s.p, &s.cells, s.cell, s.part, HALF, s.control, NULL, HALF, NULL, -1, 1, NULL, NULL), SOW_E_ARG);
    free_screen(&s);
}

static screen *faulty;

static sow_status body(sow_error *err)
{
    sow_consistency c;
    return sow_consistency_of(&c, &faulty->p, &faulty->cells, faulty->cell, faulty->part, HALF, faulty->control, faulty->part_of_control, HALF, NULL, 0, 1,
                              NULL, err);
}

Test(consistency, survives_every_failed_allocation)
{
    screen s = made_screen(1);
    faulty = &s;
    every_allocation_may_fail(body, 1);
    free_screen(&s);
}
