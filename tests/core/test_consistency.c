#include "core/consistency.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/stats.h"
#include "tests/core/made_cells.h"
#include "tests/core/papalexi.h"
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

/* ---- a real screen ---- */

/* Replicate labels of `cell`, 1 and 2 only. */
static int32_t *first_two(const papalexi *s, const sow_index *cell, sow_index n)
{
    int32_t *part = calloc((size_t)n, sizeof *part);
    const sow_index third = sow_names_find(s->cells.replicates, "rep_3");
    for (sow_index i = 0; i < n; i++) part[i] = s->cells.replicate[cell[i]] == third ? SOW_NO_LABEL : s->cells.replicate[cell[i]];
    return part;
}

static double between_replicates(const papalexi *s, const char *target, int without_own)
{
    const sow_index *cell, *control, own = sow_names_find(s->p.genes, target);
    const sow_index n = papalexi_cells(&cell, s, target), m = papalexi_cells(&control, s, NULL);
    int32_t *part = first_two(s, cell, n), *part_of_control = first_two(s, control, m);
    sow_consistency c;
    cr_assert_eq(sow_consistency_of(&c, &s->p, &s->cells, cell, part, n, control, part_of_control, m, &own, without_own, 1, NULL, NULL), SOW_OK);
    cr_assert_eq(c.parts, 2);
    free(part);
    free(part_of_control);
    return c.correlation;
}

static const char *const known_target[] = {"STAT1", "JAK2", "IFNGR2", "IFNGR1", "SMAD4"};
static const double known_correlation[] = {0.92, 0.88, 0.88, 0.87, 0.85};

static void check_known(double target_sum, int without_own, double tolerance)
{
    papalexi s = read_papalexi(target_sum);
    fprintf(stderr, "replicate 1 v 2, target sum %g, own gene %s:", s.p.target_sum, without_own ? "out" : "in");
    for (int i = 0; i < 5; i++) {
        const double r = between_replicates(&s, known_target[i], without_own);
        fprintf(stderr, " %s %.3f", known_target[i], r);
        cr_assert(fabs(r - known_correlation[i]) <= tolerance, "%s: %.4f, known %.2f", known_target[i], r, known_correlation[i]);
    }
    fprintf(stderr, "\n");
    free_papalexi(&s);
}

Test(papalexi, replicates_agree_as_published_when_scaled_to_1000)
{
    PAPALEXI_OR_SKIP();
    check_known(1000, 0, 0.006);
}

Test(papalexi, replicates_agree_as_published_within_3_hundredths_with_the_median_and_without_the_own_gene)
{
    PAPALEXI_OR_SKIP();
    check_known(NAN, 1, 0.03);
}

/* Responses of one replicate against its own controls, [targets, d]; n_targets rows. */
static double *responses_of(const papalexi *s, const char *replicate)
{
    const sow_index targets = sow_names_count(s->screen->perturbations), wanted = sow_names_find(s->cells.replicates, replicate);
    double *out = calloc((size_t)((targets + 1) * s->p.d), sizeof *out);
    for (sow_index t = targets; t >= 0; t--) { /* the controls are the last row, and first taken */
        const sow_index *cell, n = papalexi_cells(&cell, s, t < targets ? sow_names_get(s->screen->perturbations, t) : NULL);
        sow_index *chosen = calloc((size_t)n, sizeof *chosen), count = 0;
        for (sow_index i = 0; i < n; i++)
            if (s->cells.replicate[cell[i]] == wanted) chosen[count++] = cell[i];
        cr_assert_eq(sow_prepared_mean(out + t * s->p.d, NULL, &s->p, &s->cells, chosen, count, NULL, NULL), SOW_OK);
        for (sow_index j = 0; j < s->p.d && t < targets; j++) out[t * s->p.d + j] -= out[targets * s->p.d + j];
        free(chosen);
    }
    return out;
}

Test(papalexi, a_target_agrees_with_itself_and_not_with_others)
{
    PAPALEXI_OR_SKIP();
    papalexi s = read_papalexi(1000);
    const sow_index targets = sow_names_count(s.screen->perturbations), d = s.p.d;
    double *one = responses_of(&s, "rep_1"), *two = responses_of(&s, "rep_2"), same = 0, different = 0, null = 0;
    const char *const no_effect[] = {"ATF2", "CAV1", "CD86", "PDCD1LG2", "POU2F2", "STAT5A"};
    for (sow_index a = 0; a < targets; a++)
        for (sow_index b = 0; b < targets; b++) {
            const double r = sow_pearson(one + a * d, two + b * d, d);
            *(a == b ? &same : &different) += r / (double)(a == b ? targets : targets * (targets - 1));
        }
    for (int i = 0; i < 6; i++) null += between_replicates(&s, no_effect[i], 0) / 6;
    fprintf(stderr, "replicate 1 v 2: mean same target %.3f, different targets %.3f, six targets without effect %.3f\n", same, different, null);
    cr_assert_eq(targets, 25);
    cr_assert(fabs(same - 0.30) <= 0.006);
    cr_assert(fabs(different - 0.03) <= 0.006);
    cr_assert(fabs(null) <= 0.05);
    free(one);
    free(two);
    free_papalexi(&s);
}
