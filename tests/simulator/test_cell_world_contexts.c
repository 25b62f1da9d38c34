/* The simulated single-cell screen in several contexts. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/stats.h"
#include "simulator/cell_world_internal.h"
#include "tests/io/faults.h"
#include "tests/simulator/cell_world_fixture.h"

enum { N = 40, GENES = 60, PROGRAMS = 8, CONTROLS = 300 };

static sow_i_cell_world draw(sow_cell_world_options o)
{
    static sow_cell_world_options kept;
    sow_i_cell_world w;
    kept = o; /* the world points to its options */
    cr_assert_eq(sow_i_cell_world_draw(&w, &kept, NULL, NULL), SOW_OK);
    return w;
}

static sow_cell_world_options contexts(sow_index n)
{
    sow_cell_world_options o = SOW_CELL_WORLD_OPTIONS_INIT;
    o.n_perturbations = N;
    o.n_genes = GENES;
    o.n_modules = 6;
    o.n_programs = PROGRAMS;
    o.n_controls = CONTROLS; /* contexts begin in the middle of tiles */
    o.cells_median = 12;
    o.prior_dims = 5;
    o.n_contexts = n;
    o.context_lose = 0.25;
    return o;
}

Test(cell_world_contexts, are_a_target_and_references_with_controls_of_their_own)
{
    sow_cell_world_options o = contexts(4);
    o.context_coverage = 0.7;
    o.n_targets = 2;
    made two = make(o, 2);
    cr_assert(two.screen->context_role[1] == SOW_ROLE_TARGET && two.screen->context_role[2] == SOW_ROLE_REFERENCE);
    for (sow_index p = 0; p < N; p++) cr_assert(sow_cells_of(NULL, &two.cells, p, 1) > 0);
    clear(&two);
    o.n_targets = 1;
    made m = make(o, 2);
    const sow_names *names = m.screen->contexts;
    sow_index all = 0, rows = 0;
    cr_assert(sow_names_count(names) == 4 && m.truth.n_contexts == 4 && m.cells.n_contexts == 4 && m.cells.n_matrices == 1);
    cr_assert_str_eq(sow_names_get(names, 0), "C1");
    cr_assert_str_eq(sow_names_get(names, 3), "C4");
    for (sow_index k = 0; k < 4; k++) {
        cr_assert_eq(m.screen->context_role[k], k == 0 ? SOW_ROLE_TARGET : SOW_ROLE_REFERENCE);
        cr_assert_eq(sow_cells_of(NULL, &m.cells, SOW_CONTROL, k), CONTROLS);
        all += CONTROLS;
        for (sow_index p = 0; p < N; p++) {
            const sow_index n = sow_cells_of(NULL, &m.cells, p, k), row = sow_screen_find(m.screen, p, k);
            cr_assert_eq(n > 0, row >= 0);
            if (row >= 0) cr_assert(m.screen->cells[row] == (double)n && m.screen->weight[row] == (double)n && isnan(m.screen->values[row * GENES]));
            if (k == 0) cr_assert_gt(n, 0);
            all += n;
            rows += n > 0;
        }
    }
    cr_assert(all == m.cells.n && rows == m.screen->n_rows && rows < 4 * N);
    clear(&m);
}

/* ---- what is true ---- */

/* The change before the limit. */
static double unbent(double change)
{
    return 3 * atanh(change / 3);
}

/* What perturbation i does by its own genes and nothing else, before the limit: the world in which every program is lost. */
static made only_genes(sow_cell_world_options o)
{
    o.context_lose = 1;
    o.context_flip = o.context_shift = 0;
    return make(o, 1);
}

static made common_world(sow_cell_world_options o)
{
    o.n_contexts = 1;
    return make(o, 1);
}

Test(cell_world_contexts, change_what_a_perturbation_does_by_the_activities_of_its_programs)
{
    const sow_cell_world_options o = contexts(3);
    made m = make(o, 2), common = common_world(o);
    sow_i_cell_world w = draw(o);
    double worst = 0, moved = 0;
    for (sow_index k = 0; k < 3; k++) {
        for (sow_index i = 0; i < N; i++) {
            for (sow_index g = 0; g < GENES; g++) {
                double want = unbent(common.truth.change[i * GENES + g]) + w.shift[k * GENES + g];
                for (sow_index p = 0; p < PROGRAMS; p++)
                    want += (w.activity[k * PROGRAMS + p] - 1) * w.mix[i * PROGRAMS + p] * w.loading[p * GENES + g];
                worst = fmax(worst, fabs(unbent(m.truth.change[(k * N + i) * GENES + g]) - want));
                moved = fmax(moved, fabs(want - unbent(common.truth.change[i * GENES + g])));
            }
        }
    }
    cr_assert(worst < 1e-9, "off by %g", worst);
    cr_assert_gt(moved, 0.3);
    sow_i_cell_world_clear(&w);
    clear(&m);
    clear(&common);
}

Test(cell_world_contexts, leave_own_genes_as_they_are_where_every_program_is_lost)
{
    made m = only_genes(contexts(3));
    double touched = 0;
    for (sow_index i = 0; i < N; i++) {
        for (sow_index g = 0; g < GENES; g++) {
            const double change = m.truth.change[i * GENES + g];
            touched += change != 0;
            cr_assert(change == m.truth.change[(N + i) * GENES + g] && change == m.truth.change[(2 * N + i) * GENES + g]);
        }
    }
    touched /= N * GENES;
    cr_assert(touched > 0.03 && touched < 0.08, "%.3f of genes are touched", touched); /* 4 %, and one gene surely */
    clear(&m);
}

/* Weights x of programs in y by least squares: normal equations by elimination with pivots. */
static void by_programs(double *x, const sow_i_cell_world *w, const double *y)
{
    double a[PROGRAMS][PROGRAMS + 1];
    for (int p = 0; p < PROGRAMS; p++)
        for (int q = 0; q <= PROGRAMS; q++) {
            a[p][q] = 0;
            for (int g = 0; g < GENES; g++)
                a[p][q] += w->loading[p * GENES + g] * (q < PROGRAMS ? w->loading[q * GENES + g] : y[g]);
        }
    for (int c = 0; c < PROGRAMS; c++) {
        int best = c;
        for (int r = c; r < PROGRAMS; r++)
            if (fabs(a[r][c]) > fabs(a[best][c])) best = r;
        for (int q = 0; q <= PROGRAMS; q++) {
            const double kept = a[c][q];
            a[c][q] = a[best][q];
            a[best][q] = kept;
        }
        for (int r = 0; r < PROGRAMS; r++) {
            const double factor = a[r][c] / a[c][c];
            for (int q = c; r != c && q <= PROGRAMS; q++)
                a[r][q] -= factor * a[c][q];
        }
    }
    for (int p = 0; p < PROGRAMS; p++)
        x[p] = a[p][PROGRAMS] / a[p][p];
}

/* Seen from outside: the weights of programs in what is left when own genes are taken off, in a context against the common world. */
Test(cell_world_contexts, lose_flip_and_scale_programs_for_all_perturbations_alike)
{
    sow_cell_world_options o = contexts(5);
    o.context_shift = 0;
    o.context_flip = 0.3;
    made m = make(o, 1), common = common_world(o), genes = only_genes(o);
    sow_i_cell_world w = draw(o);
    int lost = 0, flipped = 0;
    for (sow_index k = 0; k < 5; k++) {
        for (sow_index i = 0; i < N; i++) {
            double here[GENES], there[GENES], a[PROGRAMS], b[PROGRAMS];
            for (sow_index g = 0; g < GENES; g++) {
                const double own = unbent(genes.truth.change[i * GENES + g]);
                here[g] = unbent(m.truth.change[(k * N + i) * GENES + g]) - own;
                there[g] = unbent(common.truth.change[i * GENES + g]) - own;
            }
            by_programs(a, &w, here);
            by_programs(b, &w, there);
            for (sow_index p = 0; p < PROGRAMS; p++) {
                const double activity = w.activity[k * PROGRAMS + p];
                cr_assert(fabs(a[p] - activity * b[p]) < 1e-9, "context %d, program %d: %g of %g, activity %g", (int)k, (int)p, a[p], b[p], activity);
                if (activity == 0) cr_assert(fabs(a[p]) < 1e-9);
                lost += activity == 0 && fabs(b[p]) > 0.05;
                flipped += activity < 0 && a[p] * b[p] < -0.01;
            }
        }
    }
    cr_assert(lost > 10 && flipped > 10, "%d lost, %d flipped", lost, flipped);
    sow_i_cell_world_clear(&w);
    clear(&m);
    clear(&common);
    clear(&genes);
}

Test(cell_world_contexts, lose_and_flip_as_often_as_asked_for_the_target_too)
{
    sow_cell_world_options o = contexts(4);
    o.n_perturbations = o.n_modules = 2;
    o.n_genes = 4;
    o.n_programs = 10000;
    o.context_lose = 0.2;
    o.context_flip = 0.15;
    o.context_scale = 0.5;
    sow_i_cell_world w = draw(o);
    for (sow_index k = 0; k < 4; k++) {
        double lost = 0, flipped = 0, sum = 0, squares = 0;
        for (sow_index p = 0; p < 10000; p++) {
            const double a = w.activity[k * 10000 + p];
            lost += a == 0;
            flipped += a < 0;
            if (a == 0) continue;
            sum += log(fabs(a));
            squares += log(fabs(a)) * log(fabs(a));
        }
        const double n = 10000 - lost, mean = sum / n, sd = sqrt(squares / n - mean * mean);
        cr_assert(fabs(lost / 10000 - 0.2) < 0.016 && fabs(flipped / 10000 - 0.15) < 0.015, "context %d: %g lost, %g flipped", (int)k, lost, flipped); /* 4 sd */
        cr_assert(fabs(mean) < 0.025 && fabs(sd - 0.5) < 0.02, "context %d: log activity %g +- %g", (int)k, mean, sd);
    }
    cr_assert(fabs(sow_pearson(w.activity, w.activity + 10000, 10000)) < 0.04);
    sow_i_cell_world_clear(&w);
}

Test(cell_world_contexts, share_a_change_of_the_length_asked_for)
{
    sow_cell_world_options o = contexts(3);
    o.context_shift = 0;
    made without = make(o, 1);
    o.context_shift = 0.8;
    made with = make(o, 1);
    sow_i_cell_world w = draw(o);
    double first[3][GENES];
    for (sow_index k = 0; k < 3; k++) {
        for (sow_index i = 0; i < N; i++) {
            double length = 0;
            for (sow_index g = 0; g < GENES; g++) {
                const sow_index at = (k * N + i) * GENES + g;
                const double shift = unbent(with.truth.change[at]) - unbent(without.truth.change[at]);
                if (i == 0) first[k][g] = shift;
                cr_assert(fabs(shift - first[k][g]) < 1e-9);
                length += shift * w.visible[g] * shift * w.visible[g];
            }
            cr_assert(fabs(sqrt(length) - 0.8 * 1.35) < 1e-9, "length %g", sqrt(length));
        }
    }
    cr_assert(fabs(sow_pearson(first[0], first[1], GENES)) < 0.7 && fabs(sow_pearson(first[0], first[2], GENES)) < 0.7);
    sow_i_cell_world_clear(&w);
    clear(&without);
    clear(&with);
}

/* ---- cells ---- */

static void mean_of(double *mean, const sow_cells *c, sow_index perturbation, sow_index context)
{
    const sow_index *list, n = sow_cells_of(&list, c, perturbation, context);
    const sow_cell_matrix *x = c->matrix;
    memset(mean, 0, (size_t)x->n_genes * sizeof *mean);
    for (sow_index i = 0; i < n; i++)
        for (int64_t k = x->start[list[i]]; k < x->start[list[i] + 1]; k++)
            mean[x->gene[k]] += (double)x->value[k] / (double)n;
}

/* Mean squared deviation of a group's means from share x exp(change), in standard errors of negative binomials under log-normal depths. */
static double misfit(const sow_i_cell_world *w, const sow_cells *c, sow_index perturbation, sow_index context)
{
    const double v = SOW_I_DEPTH_LOG_SD * SOW_I_DEPTH_LOG_SD, depth = SOW_I_DEPTH_MEDIAN * exp(v / 2);
    const sow_index n = w->o->n_genes;
    double *mean = calloc((size_t)n, sizeof *mean), sum = 0;
    mean_of(mean, c, perturbation, context);
    for (sow_index g = 0; g < n; g++) {
        const double change = perturbation == SOW_CONTROL ? 0 : w->change[(context * w->o->n_perturbations + perturbation) * n + g];
        const double m = w->share[context * n + g] * exp(change) * depth, variance = m + m * m * exp(v) / w->size[g] + m * m * (exp(v) - 1);
        sum += (mean[g] - m) * (mean[g] - m) / (variance / (double)sow_cells_of(NULL, c, perturbation, context));
    }
    free(mean);
    return sum / (double)n;
}

Test(cell_world_contexts, show_their_own_baseline_and_change_in_their_cells)
{
    sow_cell_world_options o = contexts(3);
    o.cells_median = 300;
    o.n_controls = 3000;
    o.n_genes = 200;
    made m = make(o, 2);
    sow_i_cell_world w = draw(o);
    double controls = 0, perturbed = 0;
    for (sow_index k = 0; k < 3; k++) {
        controls += misfit(&w, &m.cells, SOW_CONTROL, k) / 3;
        for (sow_index i = 0; i < N; i++)
            perturbed += misfit(&w, &m.cells, i, k) / (3 * N);
    }
    cr_assert(fabs(controls - 1) < 0.5, "controls: %.3f", controls); /* the error of the mean depth is shared by all genes of a group */
    cr_assert(fabs(perturbed - 1) < 0.25, "perturbed: %.3f", perturbed);
    sow_i_cell_world_clear(&w);
    clear(&m);
}

Test(cell_world_contexts, differ_in_their_controls_by_the_baseline_only)
{
    sow_cell_world_options o = contexts(3);
    o.n_genes = 400;
    sow_cell_world_options same = o;
    same.context_baseline = 0;
    o.context_baseline = 0.5;
    made m = make(o, 1), n = make(same, 1);
    sow_i_cell_world w = draw(o);
    sow_cell_world_options one = same;
    one.n_contexts = 1;
    sow_i_cell_world c = draw(one);
    for (sow_index k = 0; k < 3; k++) {
        double ratio[400], total = 0, common = 0;
        for (sow_index g = 0; g < 400; g++) {
            ratio[g] = log(w.share[k * 400 + g] / c.share[g]);
            total += w.share[k * 400 + g];
            common += c.share[g];
        }
        cr_assert(fabs(sqrt(sow_variance(ratio, 400)) - 0.5) < 0.07, "context %d: log-sd %g", (int)k, sqrt(sow_variance(ratio, 400)));
        cr_assert(fabs(total / common - 1) < 1e-12);
    }
    sow_i_cell_world_clear(&w);
    w = draw(same);
    for (sow_index k = 0; k < 3; k++)
        for (sow_index g = 0; g < 400; g++)
            cr_assert(fabs(w.share[k * 400 + g] / c.share[g] - 1) < 1e-12);
    cr_assert_eq(memcmp(m.truth.change, n.truth.change, 3 * N * 400 * sizeof(double)), 0);
    cr_assert_eq(memcmp(m.prior.x, n.prior.x, N * 5 * sizeof(double)), 0);
    sow_i_cell_world_clear(&w);
    sow_i_cell_world_clear(&c);
    clear(&m);
    clear(&n);
}

static int same_cell(const sow_cell_matrix *a, sow_index i, const sow_cell_matrix *b, sow_index j)
{
    const int64_t n = a->start[i + 1] - a->start[i];
    return n == b->start[j + 1] - b->start[j] && memcmp(a->gene + a->start[i], b->gene + b->start[j], (size_t)n * sizeof *a->gene) == 0 &&
           memcmp(a->value + a->start[i], b->value + b->start[j], (size_t)n * sizeof *a->value) == 0;
}

/* Every group of `a` is in `b`. */
static void check_same_groups(const made *a, const made *b)
{
    for (sow_index k = 0; k < a->cells.n_contexts; k++)
        for (sow_index p = SOW_CONTROL; p < a->cells.n_perturbations; p++) {
            const sow_index *x, *y, n = sow_cells_of(&x, &a->cells, p, k), m = sow_cells_of(&y, &b->cells, p, k);
            cr_assert_eq(n, m);
            for (sow_index i = 0; i < n; i++)
                cr_assert(same_cell(a->cells.matrix, x[i], b->cells.matrix, y[i]), "context %d, perturbation %d, cell %d", (int)k, (int)p, (int)i);
        }
    cr_assert_eq(memcmp(a->prior.x, b->prior.x, (size_t)(a->prior.n_items * a->prior.dim) * sizeof(double)), 0);
}

Test(cell_world_contexts, do_not_change_when_more_are_made)
{
    made a = make(contexts(3), 1), b = make(contexts(6), 2);
    const sow_index n = sow_cells_of(NULL, &b.cells, SOW_CONTROL, 3);
    check_same_groups(&a, &b);
    cr_assert_eq(memcmp(a.truth.change, b.truth.change, 3 * N * GENES * sizeof(double)), 0);
    cr_assert(n == CONTROLS && memcmp(a.cells.matrix->start, b.cells.matrix->start, (size_t)(a.cells.n + 1) * sizeof *a.cells.matrix->start) == 0); /* they come behind */
    clear(&a);
    clear(&b);
}

Test(cell_world_contexts, do_not_change_when_more_is_perturbed)
{
    sow_cell_world_options o = contexts(3);
    o.context_coverage = 0.6;
    made a = make(o, 1);
    o.n_perturbations = 90;
    made b = make(o, 2);
    check_same_groups(&a, &b);
    for (sow_index k = 0; k < 3; k++)
        cr_assert_eq(memcmp(a.truth.change + k * N * GENES, b.truth.change + k * 90 * GENES, N * GENES * sizeof(double)), 0);
    clear(&a);
    clear(&b);
}

Test(cell_world_contexts, have_different_cells)
{
    sow_cell_world_options o = contexts(2);
    o.context_scale = o.context_flip = o.context_lose = o.context_shift = o.context_baseline = 0; /* the same world twice */
    made m = make(o, 1), common = common_world(o);
    const sow_index *x, *y;
    sow_index differ = 0;
    for (sow_index i = 0; i < 2 * N * GENES; i++)
        cr_assert(fabs(m.truth.change[i] - common.truth.change[i % (N * GENES)]) < 1e-12);
    cr_assert(sow_cells_of(&x, &m.cells, SOW_CONTROL, 0) == CONTROLS && sow_cells_of(&y, &m.cells, SOW_CONTROL, 1) == CONTROLS);
    for (sow_index i = 0; i < CONTROLS; i++)
        differ += !same_cell(m.cells.matrix, x[i], m.cells.matrix, y[i]);
    cr_assert_eq(differ, CONTROLS);
    differ = 0;
    for (sow_index p = 0; p < N; p++)
        differ += sow_cells_of(NULL, &m.cells, p, 0) != sow_cells_of(NULL, &m.cells, p, 1);
    cr_assert_gt(differ, N / 2);
    clear(&m);
    clear(&common);
}

Test(cell_world_contexts, measure_the_share_asked_for_and_all_in_the_target)
{
    sow_cell_world_options o = contexts(3);
    o.n_perturbations = 2000;
    o.n_genes = 4;
    sow_cell_world_options part = o;
    part.context_coverage = 0.4;
    sow_i_cell_world all = draw(o);
    sow_index *cells = calloc(3 * 2000, sizeof *cells);
    memcpy(cells, all.cells, 3 * 2000 * sizeof *cells);
    sow_i_cell_world_clear(&all);
    sow_i_cell_world w = draw(part);
    for (sow_index k = 0; k < 3; k++) {
        double measured = 0;
        for (sow_index p = 0; p < 2000; p++) {
            cr_assert_gt(cells[k * 2000 + p], 0);
            measured += w.cells[k * 2000 + p] > 0;
            if (w.cells[k * 2000 + p] > 0) cr_assert_eq(w.cells[k * 2000 + p], cells[k * 2000 + p]);
        }
        cr_assert(k == 0 ? measured == 2000 : fabs(measured / 2000 - 0.4) < 0.05, "context %d has %g", (int)k, measured);
    }
    free(cells);
    sow_i_cell_world_clear(&w);
}

Test(cell_world_contexts, are_the_same_for_any_number_of_threads)
{
    made a = make(contexts(3), 1), b = make(contexts(3), 3);
    cr_assert_eq(a.cells.n, b.cells.n);
    check_same_groups(&a, &b);
    cr_assert_eq(memcmp(a.truth.change, b.truth.change, 3 * N * GENES * sizeof(double)), 0);
    clear(&a);
    clear(&b);
}

/* ---- edges ---- */

Test(cell_world_contexts, can_be_two_of_two_perturbations_of_two_genes)
{
    sow_cell_world_options o = contexts(2);
    o.n_perturbations = o.n_genes = o.n_controls = 2;
    o.n_modules = o.n_programs = 1;
    o.context_coverage = 1e-9; /* the reference has controls only */
    made m = make(o, 1);
    for (int k = 0; k < 8; k++)
        cr_assert(isfinite(m.truth.change[k]) && fabs(m.truth.change[k]) <= 3);
    cr_assert(m.screen->n_rows == 2 && sow_cells_of(NULL, &m.cells, SOW_CONTROL, 1) == 2);
    clear(&m);
}

static void check_refused(sow_cell_world_options o, const char *word)
{
    sow_cells cells;
    sow_screen *s = NULL;
    sow_error err = {0};
    cr_assert_eq(sow_cell_world_create(&cells, &s, NULL, NULL, &o, NULL, &err), SOW_E_ARG, "%s", word);
    cr_assert(strstr(err.message, word) && strstr(err.message, "to "), "%s", err.message);
    cr_assert(!s && cells.n == 0);
}

Test(cell_world_contexts, refuse_options_out_of_range)
{
#define REFUSED(field, value)                      \
    do {                                           \
        sow_cell_world_options o = contexts(2);    \
        o.field = (value);                         \
        check_refused(o, #field);                  \
    } while (0)
    REFUSED(n_contexts, 0);
    REFUSED(n_contexts, 1001);
    REFUSED(context_scale, -0.1);
    REFUSED(context_scale, 3.1);
    REFUSED(context_scale, NAN);
    REFUSED(context_flip, -0.1);
    REFUSED(context_flip, 1.1);
    REFUSED(context_flip, 0.8); /* with .25 lost */
    REFUSED(context_lose, -0.1);
    REFUSED(context_lose, NAN);
    REFUSED(context_lose, 0.9);
    REFUSED(context_shift, -1);
    REFUSED(context_shift, INFINITY);
    REFUSED(context_baseline, -1);
    REFUSED(context_baseline, 3.1);
    REFUSED(context_coverage, 0);
    REFUSED(context_coverage, 1.1);
    REFUSED(context_coverage, NAN);
    REFUSED(n_targets, 0);
    REFUSED(n_targets, 1 + (1 << 20));
#undef REFUSED
}

static sow_status create_and_clear(sow_error *err)
{
    made m = {0};
    const sow_cell_world_options o = {1, 5, 6, 2, 2, 260, 2, 0.5, 3, 2, 0.5, 0.15, 0.2, 1, 0.5, 0.5, 1, NULL, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, SOW_INTERACTIONS_NORMAN, NULL};
    const sow_status st = sow_cell_world_create(&m.cells, &m.screen, &m.prior, &m.truth, &o, NULL, err);
    if (st != SOW_OK) cr_assert(!m.screen && m.cells.n == 0 && !m.prior.x && !m.truth.change);
    clear(&m);
    return st;
}

Test(cell_world_contexts, survive_every_failed_allocation)
{
    every_allocation_may_fail(create_and_clear, 1);
}
