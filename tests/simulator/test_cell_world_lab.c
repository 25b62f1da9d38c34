/* What a lab adds to the simulated screen, against what is known of it. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "simulator/cell_world.h"
#include "simulator/oracle.h"
#include "tests/io/faults.h"
#include "tests/simulator/cell_world_fixture.h"

static sow_cell_world_options small(void)
{
    sow_cell_world_options o = SOW_CELL_WORLD_OPTIONS_INIT;
    o.n_perturbations = 20;
    o.n_genes = 50;
    o.n_modules = 5;
    o.n_programs = 6;
    o.n_controls = 3000;
    o.cells_median = 300;
    return o;
}

static sow_cell_world_options whole_lab(void)
{
    sow_cell_world_options o = small();
    o.n_contexts = 2;
    o.guides = 3;
    o.efficiency = 0.7;
    o.efficiency_sd = 0.2;
    o.failed_guides = 0.2;
    o.escapers = 0.1;
    o.batches = 3;
    o.batch_effect = 0.2;
    o.batch_depth = 0.1;
    o.doublets = 0.1;
    o.dropout = 0.3;
    return o;
}

/* Mean count of gene g over the cells of p, and over all genes where g is -1. */
static double mean_count(const made *m, sow_index p, sow_index g)
{
    const sow_index *cell = NULL, n = sow_cells_of(&cell, &m->cells, p, 0);
    const sow_cell_matrix *x = m->cells.matrix;
    double sum = 0;
    for (sow_index i = 0; i < n; i++)
        for (int64_t e = x->start[cell[i]]; e < x->start[cell[i] + 1]; e++)
            if (g < 0 || x->gene[e] == g) sum += (double)x->value[e];
    return sum / (double)n;
}

/* Slope of the measured log fold changes of all perturbations on the true ones, over genes that move by a factor of 1.3 or more. */
static double shown(const made *m)
{
    double xy = 0, xx = 0;
    for (sow_index p = 0; p < m->truth.n; p++)
        for (sow_index g = 0; g < m->truth.genes; g++) {
            const double x = m->truth.change[p * m->truth.genes + g], level = mean_count(m, SOW_CONTROL, g);
            if (fabs(x) < 0.25 || level < 0.5) continue;
            xy += x * log((mean_count(m, p, g) + 1e-3) / level);
            xx += x * x;
        }
    return xy / xx;
}

static void same_cells(const sow_cells *a, const sow_cells *b)
{
    cr_assert_eq(a->n, b->n);
    cr_assert(memcmp(a->batch, b->batch, (size_t)a->n * sizeof *a->batch) == 0 && memcmp(a->guide, b->guide, (size_t)a->n * sizeof *a->guide) == 0);
    cr_assert(memcmp(a->perturbation, b->perturbation, (size_t)a->n * sizeof *a->perturbation) == 0);
}

Test(cell_world_lab, is_the_same_for_any_number_of_threads_and_piece_by_piece)
{
    const sow_cell_world_options o = whole_lab();
    made one = make(o, 1), three = make(o, 3);
    const sow_cell_matrix *x = one.cells.matrix;
    sow_error err = {0};
    sow_cell_stream *s = NULL;
    sow_index n = 0, at = 0;
    const int64_t *start = NULL;
    const int32_t *gene = NULL;
    const float *value = NULL;
    same_cells(&one.cells, &three.cells);
    const int64_t values = x->start[x->n_cells];
    cr_assert_eq(values, three.cells.matrix->start[x->n_cells]);
    cr_assert(memcmp(x->value, three.cells.matrix->value, (size_t)values * sizeof *x->value) == 0);
    cr_assert_eq(sow_cell_stream_create(&s, &o, NULL, &err), SOW_OK, "%s", err.message);
    same_cells(&one.cells, sow_cell_stream_cells(NULL, s));
    for (;;) {
        cr_assert_eq(sow_cell_stream_next(&n, &start, &gene, &value, s, NULL, &err), SOW_OK, "%s", err.message);
        if (n == 0) break;
        for (sow_index i = 0; i < n; i++)
            cr_assert_eq(start[i + 1] - start[i], x->start[at + i + 1] - x->start[at + i]);
        cr_assert(memcmp(gene, x->gene + x->start[at], (size_t)start[n] * sizeof *gene) == 0 && memcmp(value, x->value + x->start[at], (size_t)start[n] * sizeof *value) == 0);
        at += n;
    }
    cr_assert_eq(at, one.cells.n);
    sow_cell_stream_destroy(s);
    clear(&one);
    clear(&three);
}

Test(cell_world_lab, shows_the_changes_as_far_as_guides_work_and_cells_do_not_escape)
{
    sow_cell_world_options o = small();
    made all = make(o, 2);
    cr_assert_float_eq(shown(&all), 1, 0.1);
    clear(&all);
    o.guides = 2;
    o.efficiency = 0.5;
    made half = make(o, 2);
    cr_assert_float_eq(shown(&half), 0.5, 0.1);
    clear(&half);
    o.failed_guides = 1;
    made failed = make(o, 2);
    cr_assert_float_eq(shown(&failed), 0, 0.1);
    clear(&failed);
    o = small();
    o.escapers = 1;
    made escaped = make(o, 2);
    cr_assert_float_eq(shown(&escaped), 0, 0.1);
    clear(&escaped);
}

Test(cell_world_lab, labels_cells_with_guides_of_their_perturbation)
{
    made m = make(whole_lab(), 2);
    const sow_cells *c = &m.cells;
    sow_index seen[3] = {0};
    cr_assert_eq(sow_names_count(c->guides), 3 * 21);
    cr_assert_str_eq(sow_names_get(c->guides, 0), "control-1");
    cr_assert_str_eq(sow_names_get(c->guides, 3 * 20 + 2), "P0020-3");
    cr_assert_eq(sow_names_count(c->batches), 3);
    for (sow_index i = 0; i < c->n; i++) {
        cr_assert(c->guide[i] / 3 == c->perturbation[i] + 1 && c->batch[i] >= 0 && c->batch[i] < 3);
        seen[c->guide[i] % 3]++;
    }
    for (int j = 0; j < 3; j++)
        cr_assert_float_eq((double)seen[j] / (double)c->n, 1.0 / 3, 0.02);
    sow_index failed = 0;
    double sum = 0;
    for (sow_index k = 0; k < 60; k++) {
        failed += m.truth.efficiency[k] == 0;
        sum += m.truth.efficiency[k];
    }
    cr_assert(failed > 3 && failed < 25 && fabs(sum / (double)(60 - failed) - 0.7) < 0.1);
    clear(&m);
}

Test(cell_world_lab, gives_batches_levels_of_their_own)
{
    sow_cell_world_options o = small();
    o.n_controls = 20000;
    o.n_genes = 200;
    o.batches = 2;
    for (int effect = 0; effect < 2; effect++) {
        o.batch_effect = 0.3 * effect;
        made m = make(o, 2);
        const sow_cell_matrix *x = m.cells.matrix;
        double *sum = calloc(400, sizeof *sum), n[2] = {0}, square = 0;
        int genes = 0;
        for (sow_index i = 0; i < 20000; i++) {
            n[m.cells.batch[i]]++;
            for (int64_t e = x->start[i]; e < x->start[i + 1]; e++)
                sum[m.cells.batch[i] * 200 + x->gene[e]] += (double)x->value[e];
        }
        for (int g = 0; g < 200; g++) {
            const double d = log(sum[g] / n[0]) - log(sum[200 + g] / n[1]);
            square += d * d;
            genes++;
        }
        const double sd = sqrt(square / genes / 2);
        cr_assert(effect ? fabs(sd - 0.3) < 0.05 : sd < 0.05, "%g", sd);
        free(sum);
        clear(&m);
    }
}

Test(cell_world_lab, puts_two_cells_into_a_doublet)
{
    sow_cell_world_options o = small();
    made single = make(o, 2);
    o.doublets = 0.4;
    made doubled = make(o, 2);
    cr_assert_float_eq(mean_count(&doubled, SOW_CONTROL, -1) / mean_count(&single, SOW_CONTROL, -1), 1.4, 0.03);
    clear(&single);
    clear(&doubled);
}

Test(cell_world_lab, loses_cells_of_knockdowns_by_their_growth_effect)
{
    sow_cell_world_options o = small();
    made before = make(o, 2);
    o.dropout = 0.5;
    made after = make(o, 2);
    int smaller = 0;
    for (sow_index p = 0; p < 20; p++) {
        const double n = (double)sow_cells_of(NULL, &before.cells, p, 0), left = round(n * exp(-0.5 * before.truth.growth[p]));
        cr_assert_eq(sow_cells_of(NULL, &after.cells, p, 0), (sow_index)fmax(left, 1));
        smaller += before.truth.growth[p] > 0.1;
    }
    cr_assert(smaller >= 3 && smaller < 20);
    clear(&before);
    clear(&after);
}

Test(cell_world_lab, takes_genes_and_depth_from_a_measured_baseline)
{
    sow_error err = {0};
    sow_calibration c = {.depth_median = 3000, .depth_log_sd = 0.2};
    cr_assert_eq(sow_baseline_init(&c.genes, 3, &err), SOW_OK);
    const char *const name[] = {"ACTB", "RARE", "GAPDH"};
    const double share[] = {0.01, 1e-6, 0.02};
    for (int g = 0; g < 3; g++) {
        cr_assert_eq(sow_names_add(c.genes.genes, name[g], NULL, &err), SOW_OK);
        c.genes.share[g] = share[g];
        c.genes.size[g] = 5;
    }
    sow_cell_world_options o = small();
    o.measured = &c;
    made all = make(o, 2);
    cr_assert_eq(sow_names_count(all.cells.genes), 3); /* as many as there are */
    clear(&all);
    o.n_genes = 2;
    made m = make(o, 2);
    cr_assert_str_eq(sow_names_get(m.cells.genes, 0), "ACTB");
    cr_assert_str_eq(sow_names_get(m.cells.genes, 1), "GAPDH");
    const double mean = 3000 * exp(0.2 * 0.2 / 2);
    cr_assert_float_eq(mean_count(&m, SOW_CONTROL, 0), 0.01 * mean, 0.01 * 0.01 * mean * 4);
    cr_assert_float_eq(mean_count(&m, SOW_CONTROL, 1), 0.02 * mean, 0.02 * 0.01 * mean * 4);
    clear(&m);
    o.depth = 300;
    made shallow = make(o, 2);
    cr_assert_float_eq(mean_count(&shallow, SOW_CONTROL, 1), 0.002 * mean, 0.002 * 0.05 * mean);
    clear(&shallow);
    sow_calibration_clear(&c);
}

Test(cell_world_lab, refuses_what_cannot_be)
{
    sow_cells cells;
    sow_screen *screen;
    sow_error err;
#define REFUSED(field, value)                                                                                                     \
    do {                                                                                                                          \
        sow_cell_world_options o = whole_lab();                                                                                   \
        o.field = (value);                                                                                                        \
        cr_assert_eq(sow_cell_world_create(&cells, &screen, NULL, NULL, &o, NULL, &err), SOW_E_ARG, #field);                      \
        cr_assert(strstr(err.message, #field), "%s", err.message);                                                                \
    } while (0)
    REFUSED(doublets, 2);
    REFUSED(doublets, -0.1);
    REFUSED(escapers, 1.1);
    REFUSED(escapers, NAN);
    REFUSED(efficiency, 1.1);
    REFUSED(efficiency_sd, 0.6);
    REFUSED(failed_guides, -1);
    REFUSED(guides, -1);
    REFUSED(guides, 1001);
    REFUSED(batches, 0);
    REFUSED(batch_effect, 4);
    REFUSED(batch_depth, NAN);
    REFUSED(dropout, 11);
    REFUSED(depth, -1);
#undef REFUSED
}

Test(cell_world_lab, may_lose_the_samples_of_a_round)
{
    sow_error err = {0};
    made m = make(small(), 2);
    sow_oracle_options o = {.seed = 3, .screen = m.screen, .cells = &m.cells, .n_rounds = 8, .control_share = 0.1, .n_samples = 4, .lost_samples = 0.5};
    const sow_oracle_class *class_ = NULL;
    sow_oracle *oracle = NULL;
    sow_request q[20];
    sow_index lost = 0, back = 0;
    cr_assert_eq(sow_oracle_find(&class_, "replay", &err), SOW_OK);
    cr_assert_eq(class_->create(&oracle, &o, &err), SOW_OK, "%s", err.message);
    for (sow_index p = 0; p < 20; p++)
        q[p] = (sow_request){p, 0, 20, 0};
    for (sow_index round = 0; round < 8; round++) {
        sow_measurements x = {0}, again = {0};
        cr_assert_eq(sow_oracle_measure(&x, oracle, q, 20, round, &err), SOW_OK, "%s", err.message);
        cr_assert_eq(sow_oracle_measure(&again, oracle, q + 7, 1, round, &err), SOW_OK);
        cr_assert(again.item[0].outcome == x.item[7].outcome); /* whatever else is asked for */
        for (int i = 0; i < 20; i++) {
            if (x.item[i].outcome == SOW_FAILED) cr_assert(strstr(x.item[i].reason, "of the round's 4 was lost") && x.item[i].n_cell == 0, "%s", x.item[i].reason);
            else cr_assert_eq(x.item[i].n_cell, 20);
            lost += x.item[i].outcome == SOW_FAILED;
            back += x.item[i].outcome != SOW_FAILED;
        }
        sow_measurements_clear(&x);
        sow_measurements_clear(&again);
    }
    cr_assert(lost > 20 && back > 20, "%lld lost, %lld not", (long long)lost, (long long)back);
    sow_oracle_destroy(oracle);
    o.lost_samples = 1;
    cr_assert_eq(class_->create(&oracle, &o, &err), SOW_E_ARG);
    clear(&m);
}

static sow_status create_and_clear(sow_error *err)
{
    made m = {0};
    sow_cell_world_options o = whole_lab();
    o.n_perturbations = 4;
    o.n_modules = 2;
    o.n_genes = 6;
    o.n_controls = 30;
    o.cells_median = 3;
    sow_status st = sow_cell_world_create(&m.cells, &m.screen, NULL, &m.truth, &o, NULL, err);
    if (st != SOW_OK) cr_assert(!m.screen && m.cells.n == 0 && !m.truth.change);
    clear(&m);
    return st;
}

Test(cell_world_lab, survives_every_failed_allocation)
{
    every_allocation_may_fail(create_and_clear, 1);
}
