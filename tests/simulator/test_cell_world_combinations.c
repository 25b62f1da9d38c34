/* Combinations of two perturbations in the simulated screen: what each kind of interaction is, who is combined, and whether scores of interactions made for real screens tell the kinds apart. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/stats.h"
#include "simulator/cell_world_internal.h"
#include "tests/io/faults.h"
#include "tests/simulator/cell_world_fixture.h"

static sow_cell_world_options small(void)
{
    sow_cell_world_options o = SOW_CELL_WORLD_OPTIONS_INIT;
    o.n_perturbations = 30;
    o.n_genes = 40;
    o.n_modules = 5;
    o.n_programs = 8;
    o.n_controls = 600;
    o.cells_median = 20;
    o.prior_dims = 5;
    o.n_combinations = 70; /* over the 64 that are drawn together */
    return o;
}

static void only(sow_cell_world_options *o, sow_interaction kind)
{
    for (int k = 0; k < SOW_INTERACTIONS; k++)
        o->interactions[k] = k == (int)kind;
}

static sow_i_cell_world draw(const sow_cell_world_options *o)
{
    sow_i_cell_world w;
    sow_error err = {0};
    cr_assert_eq(sow_i_cell_world_draw(&w, o, NULL, &err), SOW_OK, "%s", err.message);
    return w;
}

/* ---- the table ---- */

Test(cell_world_combinations, are_perturbations_with_two_agents_behind_those_alone)
{
    made m = make(small(), 2);
    cr_assert(m.screen->n_rows == 100 && m.truth.n == 100 && m.truth.n_combinations == 70 && m.prior.n_items == 100);
    for (sow_index p = 0; p < 100; p++) {
        const sow_perturbation *detail = &m.screen->detail[p];
        const sow_index n = sow_cells_of(NULL, &m.cells, p, 0);
        char name[40];
        cr_assert(n >= 1 && m.screen->cells[sow_screen_find(m.screen, p, 0)] == (double)n);
        cr_assert_eq(detail->n_agents, p < 30 ? 1 : 2);
        if (p < 30) continue;
        const sow_combination *c = &m.truth.combination[p - 30];
        snprintf(name, sizeof name, "P%04d+P%04d", (int)c->first + 1, (int)c->second + 1);
        cr_assert_str_eq(sow_names_get(m.screen->perturbations, p), name);
        cr_assert(c->first < c->second && c->second < 30 && m.truth.module[p] == -1);
        cr_assert_str_eq(detail->agent[0], sow_names_get(m.screen->perturbations, c->first));
        cr_assert_str_eq(detail->agent[1], sow_names_get(m.screen->perturbations, c->second));
        cr_assert(isnan(detail->dose[0]) && isnan(detail->dose[1]));
        cr_assert_eq(m.truth.growth[p], m.truth.growth[c->first] + m.truth.growth[c->second]);
        for (int j = 0; j < 5; j++)
            cr_assert_float_eq(m.prior.x[p * 5 + j], (m.prior.x[c->first * 5 + j] + m.prior.x[c->second * 5 + j]) / 2, 1e-15);
    }
    clear(&m);
}

/* The first `n` cells of both. */
static void check_same_cells(const made *a, const made *b, sow_index n)
{
    const sow_cell_matrix *x = a->cells.matrix, *y = b->cells.matrix;
    cr_assert(memcmp(x->start, y->start, (size_t)(n + 1) * sizeof *x->start) == 0 && memcmp(a->cells.perturbation, b->cells.perturbation, (size_t)n * sizeof *a->cells.perturbation) == 0);
    cr_assert(memcmp(x->gene, y->gene, (size_t)x->start[n] * sizeof *x->gene) == 0 && memcmp(x->value, y->value, (size_t)x->start[n] * sizeof *x->value) == 0);
}

Test(cell_world_combinations, change_nothing_of_what_is_there_without_them)
{
    sow_cell_world_options o = small();
    made many = make(o, 1);
    o.n_combinations = 20;
    made few = make(o, 3);
    o.n_combinations = 0;
    made none = make(o, 2);
    cr_assert(none.cells.n < few.cells.n && few.cells.n < many.cells.n);
    check_same_cells(&none, &few, none.cells.n);
    check_same_cells(&few, &many, few.cells.n); /* nor does another combination change one that is there */
    cr_assert(memcmp(none.truth.change, few.truth.change, 30 * 40 * sizeof(double)) == 0 && memcmp(none.prior.x, few.prior.x, 30 * 5 * sizeof(double)) == 0);
    cr_assert(memcmp(few.truth.change, many.truth.change, 50 * 40 * sizeof(double)) == 0 && memcmp(few.prior.x, many.prior.x, 50 * 5 * sizeof(double)) == 0);
    cr_assert(none.truth.combination == NULL && none.truth.deviation == NULL);
    clear(&none);
    clear(&few);
    clear(&many);
}

static sow_cell_world_options whole_lab(void)
{
    sow_cell_world_options o = small();
    o.n_contexts = 2;
    o.context_coverage = 0.7;
    o.guides = 3;
    o.efficiency = 0.7;
    o.efficiency_sd = 0.2;
    o.failed_guides = 0.2;
    o.escapers = 0.1;
    o.batches = 2;
    o.batch_effect = 0.2;
    o.doublets = 0.1;
    o.dropout = 0.3;
    return o;
}

Test(cell_world_combinations, are_the_same_for_any_number_of_threads_and_piece_by_piece)
{
    const sow_cell_world_options o = whole_lab();
    made one = make(o, 1), three = make(o, 3);
    const sow_cell_matrix *x = one.cells.matrix;
    sow_cell_stream *s = NULL;
    sow_index n = 0, at = 0;
    const int64_t *start = NULL;
    const int32_t *gene = NULL;
    const float *value = NULL;
    cr_assert_eq(one.cells.n, three.cells.n);
    check_same_cells(&one, &three, one.cells.n);
    cr_assert_eq(memcmp(one.truth.change, three.truth.change, 2 * 100 * 40 * sizeof(double)), 0);
    cr_assert_eq(sow_cell_stream_create(&s, &o, NULL, NULL), SOW_OK);
    for (;;) {
        cr_assert_eq(sow_cell_stream_next(&n, &start, &gene, &value, s, NULL, NULL), SOW_OK);
        if (n == 0) break;
        cr_assert(memcmp(gene, x->gene + x->start[at], (size_t)start[n] * sizeof *gene) == 0 && memcmp(value, x->value + x->start[at], (size_t)start[n] * sizeof *value) == 0);
        at += n;
    }
    cr_assert_eq(at, one.cells.n);
    sow_cell_stream_destroy(s);
    clear(&one);
    clear(&three);
}

/* ---- what they do ---- */

static double held(double x)
{
    return fmin(fmax(x, -3), 3);
}

/* a and b of a gene, as the kind has it; a neomorph's new program apart. */
static double expected(const sow_combination *c, double a, double b)
{
    const double lead = c->lead == c->first ? a : b, other = c->lead == c->first ? b : a;
    return c->kind == SOW_ADDITIVE     ? a + b
         : c->kind == SOW_EPISTASIS    ? lead
         : c->kind == SOW_REDUNDANCY   ? (fabs(b) > fabs(a) ? b : a)
         : c->kind == SOW_POTENTIATION ? c->strength * lead + other
                                       : c->strength * (a + b);
}

static void check_strength(const sow_combination *c)
{
    static const double range[SOW_INTERACTIONS][2] = {[SOW_SYNERGY] = {1.4, 2.2}, [SOW_SUPPRESSION] = {0.2, 0.6}, [SOW_POTENTIATION] = {1.5, 2.5}, [SOW_NEOMORPHISM] = {0.7, 1.3}};
    cr_assert(range[c->kind][1] > 0 ? c->strength > range[c->kind][0] && c->strength < range[c->kind][1] : isnan(c->strength));
    cr_assert_eq(c->lead == c->first || c->lead == c->second, c->kind == SOW_EPISTASIS || c->kind == SOW_POTENTIATION);
}

/* What a neomorph adds: a program of its own, as long as its strength says in the first context. */
static void draw_extra(double *extra, const sow_i_cell_world *w, sow_index k, const double *shared)
{
    const sow_combination *c = &w->combination[k];
    double sum[40];
    sow_rng rng = sow_rng_make(w->o->seed, SOW_RNG_WORLD, SOW_I_WORLD_NEW_PROGRAM, (uint32_t)k);
    sow_i_draw_program(extra, w, &rng);
    for (sow_index g = 0; g < 40; g++)
        sum[g] = w->change[c->first * 40 + g] + w->change[c->second * 40 + g] - 2 * shared[g];
    for (sow_index g = 0; g < 40; g++)
        extra[g] *= c->strength * sow_i_visible_length(w, sum);
}

/* With several contexts what all perturbed cells share counts once. */
static void check_kind(sow_interaction kind, sow_index contexts)
{
    sow_cell_world_options o = small();
    double shared[3 * 40] = {0}, extra[40] = {0};
    o.n_contexts = contexts;
    only(&o, kind);
    sow_i_cell_world w = draw(&o);
    for (sow_index g = 0; g < contexts * 40 && contexts > 1; g++)
        shared[g] = 3 * tanh(w.shift[g] / 3);
    for (sow_index x = 0; x < contexts; x++)
        for (sow_index k = 0; k < 70; k++) {
            const sow_combination *c = &w.combination[k];
            const double *of = w.change + x * w.n * 40, *a = of + c->first * 40, *b = of + c->second * 40, *both = of + (30 + k) * 40, *s = shared + x * 40;
            double off = 0;
            cr_assert_eq(c->kind, kind);
            check_strength(c);
            if (kind == SOW_NEOMORPHISM) draw_extra(extra, &w, k, shared);
            for (sow_index g = 0; g < 40; g++) {
                const double alone = kind == SOW_NEOMORPHISM ? a[g] + b[g] - 2 * s[g] + extra[g] : expected(c, a[g] - s[g], b[g] - s[g]), d = both[g] - (a[g] + b[g] - s[g]);
                cr_assert_float_eq(both[g], held(s[g] + alone), 1e-11);
                off += d * d;
            }
            cr_assert_float_eq(w.deviation[x * 70 + k], sqrt(off), 1e-9);
        }
    sow_i_cell_world_clear(&w);
}

Test(cell_world_combinations, do_what_their_kind_says_in_every_context)
{
    for (int kind = 0; kind < SOW_INTERACTIONS; kind++) {
        check_kind((sow_interaction)kind, 1);
        check_kind((sow_interaction)kind, 3);
    }
    cr_assert_str_eq(sow_interaction_name(SOW_NEOMORPHISM), "neomorphism");
    cr_assert(!sow_interaction_name(SOW_NO_INTERACTION) && !sow_interaction_name(SOW_INTERACTIONS));
}

/* ---- who ---- */

static int is_strong(const sow_i_cell_world *w, sow_index i)
{
    sow_index above = 0;
    for (sow_index j = 0; j < w->o->n_perturbations; j++)
        above += w->score[j] > w->score[i];
    return above < (w->o->n_perturbations + 1) / 2;
}

Test(cell_world_combinations, are_of_the_stronger_half_once_each_in_the_shares_asked_for)
{
    sow_cell_world_options o = small();
    o.n_perturbations = 200;
    o.n_modules = 10;
    o.n_combinations = 3000;
    sow_i_cell_world w = draw(&o);
    double of[SOW_INTERACTIONS] = {0}, of_a_module = 0;
    unsigned char *seen = calloc(200 * 200, 1);
    for (sow_index k = 0; k < 3000; k++) {
        const sow_combination *c = &w.combination[k];
        const sow_index other = c->lead == c->first ? c->second : c->first;
        cr_assert(!seen[c->first * 200 + c->second]++);
        cr_assert(c->kind == SOW_POTENTIATION ? is_strong(&w, c->lead) && !is_strong(&w, other) : is_strong(&w, c->first) && is_strong(&w, c->second));
        of[c->kind]++;
        of_a_module += c->kind == SOW_REDUNDANCY && w.module[2 * c->first] == w.module[2 * c->second];
    }
    for (int k = 0; k < SOW_INTERACTIONS; k++) {
        const double share = o.interactions[k] / 88;
        cr_assert(fabs(of[k] - 3000 * share) < 4 * sqrt(3000 * share * (1 - share)), "%s: %g of 3000", sow_interaction_name(k), of[k]);
    }
    cr_assert_gt(of_a_module, 0.95 * of[SOW_REDUNDANCY], "%g of %g", of_a_module, of[SOW_REDUNDANCY]);
    free(seen);
    sow_i_cell_world_clear(&w);
}

Test(cell_world_combinations, may_be_as_many_as_there_are_pairs)
{
    static const sow_index n[] = {2, 3, 4, 5, 30}, most[] = {1, 1, 1, 3, 105};
    for (int i = 0; i < 5; i++)
        for (int kind = 0; kind < SOW_INTERACTIONS; kind++) {
            sow_cell_world_options o = small();
            o.n_perturbations = n[i];
            o.n_modules = 2;
            o.n_combinations = most[i];
            only(&o, (sow_interaction)kind);
            cr_assert_eq(sow_most_combinations(n[i]), most[i]);
            sow_i_cell_world w = draw(&o);
            sow_i_cell_world_clear(&w);
        }
    cr_assert_eq(sow_most_combinations(199990), 10);
}

/* ---- guides ---- */

Test(cell_world_combinations, interact_as_far_as_the_guides_of_both_work)
{
    sow_cell_world_options o = small();
    o.guides = 2;
    o.efficiency = 0.6;
    only(&o, SOW_SYNERGY);
    sow_i_cell_world w = draw(&o);
    const sow_combination *c = w.combination;
    const double *a = w.change + c->first * 40, *b = w.change + c->second * 40, *both = w.change + 30 * 40;
    const sow_i_lab_cell first = {.guide = 0}, second = {.guide = 1}, escaped = {.guide = 0, .escaped = 1}, plain = {.guide = -1};
    double x[40];
    w.efficiency[c->first * 2] = 0.5;
    w.efficiency[c->second * 2] = 1;
    w.efficiency[c->first * 2 + 1] = 0;
    w.efficiency[c->second * 2 + 1] = 0.8;
    sow_i_lab_change(x, &w, 0, 30, &first);
    for (int g = 0; g < 40; g++)
        cr_assert_float_eq(x[g], 0.5 * a[g] + b[g] + 0.5 * (both[g] - a[g] - b[g]), 1e-12);
    sow_i_lab_change(x, &w, 0, 30, &second); /* the other one alone is left */
    for (int g = 0; g < 40; g++)
        cr_assert_float_eq(x[g], 0.8 * b[g], 1e-12);
    sow_i_lab_change(x, &w, 0, 30, &escaped);
    for (int g = 0; g < 40; g++)
        cr_assert_eq(x[g], 0);
    sow_i_lab_change(x, &w, 0, 30, &plain);
    cr_assert_eq(memcmp(x, both, sizeof x), 0);
    sow_i_cell_world_clear(&w);
}

Test(cell_world_combinations, name_their_guides_and_cells)
{
    made m = make(whole_lab(), 2);
    const sow_index *cell = NULL, n = sow_cells_of(&cell, &m.cells, 31, 0);
    const char *who = sow_names_get(m.screen->perturbations, 31);
    cr_assert(n >= 1 && strchr(who, '+'));
    for (sow_index i = 0; i < n; i++) {
        const char *guide = sow_names_get(m.cells.guides, m.cells.guide[cell[i]]);
        cr_assert(strncmp(guide, who, strlen(who)) == 0 && guide[strlen(who)] == '-', "%s of %s", guide, who);
    }
    clear(&m);
}

/* ---- scores of interactions ---- */

enum { GENES = 150 };
typedef struct {
    double magnitude, fit, similarity, equality, dominance;
} gi;

/* Distance correlation of rows of x [n, d] and y [n]; Szekely, Rizzo and Bakirov 2007. */
static double distance_correlation(const double *x, int d, const double *y)
{
    static double a[GENES][GENES], b[GENES][GENES];
    double row_a[GENES] = {0}, row_b[GENES] = {0}, all_a = 0, all_b = 0, ab = 0, aa = 0, bb = 0;
    for (int i = 0; i < GENES; i++)
        for (int j = 0; j < GENES; j++) {
            double sum = 0;
            for (int k = 0; k < d; k++)
                sum += (x[i * d + k] - x[j * d + k]) * (x[i * d + k] - x[j * d + k]);
            a[i][j] = sqrt(sum);
            b[i][j] = fabs(y[i] - y[j]);
            row_a[i] += a[i][j] / GENES;
            row_b[i] += b[i][j] / GENES;
        }
    for (int i = 0; i < GENES; i++) {
        all_a += row_a[i] / GENES;
        all_b += row_b[i] / GENES;
    }
    for (int i = 0; i < GENES; i++)
        for (int j = 0; j < GENES; j++) {
            const double u = a[i][j] - row_a[i] - row_a[j] + all_a, v = b[i][j] - row_b[i] - row_b[j] + all_b;
            ab += u * v;
            aa += u * u;
            bb += v * v;
        }
    return sqrt(fmax(ab, 0) / sqrt(aa * bb));
}

/* The scores of Norman et al. 2019, of mean changes; by least squares in place of Theil-Sen, since no gene is an outlier of anything here. */
static gi score(const double *a, const double *b, const double *both)
{
    double aa = 0, ab = 0, bb = 0, ay = 0, by = 0, singles[2 * GENES], fitted[GENES];
    for (int g = 0; g < GENES; g++) {
        aa += a[g] * a[g];
        ab += a[g] * b[g];
        bb += b[g] * b[g];
        ay += a[g] * both[g];
        by += b[g] * both[g];
    }
    const double ca = (bb * ay - ab * by) / (aa * bb - ab * ab), cb = (aa * by - ab * ay) / (aa * bb - ab * ab);
    for (int g = 0; g < GENES; g++) {
        singles[2 * g] = a[g];
        singles[2 * g + 1] = b[g];
        fitted[g] = ca * a[g] + cb * b[g];
    }
    const double with_a = distance_correlation(a, 1, both), with_b = distance_correlation(b, 1, both);
    return (gi){sqrt(ca * ca + cb * cb), distance_correlation(fitted, 1, both), distance_correlation(singles, 2, both), fmin(with_a, with_b) / fmax(with_a, with_b), fabs(log10(fabs(ca) / fabs(cb)))};
}

enum { OF_EACH = 40 };

/* Medians over combinations of one kind, of the true mean changes of log1p values. */
static gi typical(sow_interaction kind)
{
    enum { N = 200 };
    sow_cell_world_options o = SOW_CELL_WORLD_OPTIONS_INIT;
    static double change[(N + OF_EACH) * GENES], value[5][OF_EACH];
    sow_index all[N + OF_EACH];
    double middle[5];
    o.n_perturbations = N;
    o.n_genes = GENES;
    o.n_modules = 20;
    o.n_combinations = OF_EACH;
    only(&o, kind);
    sow_i_cell_world w = draw(&o);
    const sow_cell_view view = {GENES, NULL, 1100, 1};
    for (sow_index i = 0; i < N + OF_EACH; i++)
        all[i] = i;
    cr_assert_eq(sow_cell_world_expect(change, NULL, &o, 0, all, N + OF_EACH, &view, NULL, NULL), SOW_OK);
    for (int k = 0; k < OF_EACH; k++) {
        const gi s = score(change + w.combination[k].first * GENES, change + w.combination[k].second * GENES, change + (N + k) * GENES);
        const double of[5] = {s.magnitude, s.fit, s.similarity, s.equality, s.dominance};
        for (int m = 0; m < 5; m++)
            value[m][k] = of[m];
    }
    for (int m = 0; m < 5; m++)
        cr_assert_eq(sow_quantile(&middle[m], value[m], OF_EACH, 0.5, NULL), SOW_OK);
    sow_i_cell_world_clear(&w);
    return (gi){middle[0], middle[1], middle[2], middle[3], middle[4]};
}

Test(cell_world_combinations, are_told_apart_by_the_scores_made_for_real_ones)
{
    gi of[SOW_INTERACTIONS];
    for (int k = 0; k < SOW_INTERACTIONS; k++) {
        of[k] = typical((sow_interaction)k);
        if (k == SOW_NEOMORPHISM) cr_assert_lt(of[k].fit, 0.85, "%.2f", of[k].fit); /* the others are made of both */
        else cr_assert_gt(of[k].fit, 0.93, "%s: %.2f", sow_interaction_name(k), of[k].fit);
        if (k == SOW_EPISTASIS) cr_assert(of[k].dominance > 1 && of[k].equality < 0.4, "%.2f, %.2f", of[k].dominance, of[k].equality);
        else if (k == SOW_POTENTIATION) cr_assert(of[k].dominance > 0.17 && of[k].dominance < 0.5 && of[k].equality < 0.5, "%.2f, %.2f", of[k].dominance, of[k].equality);
        else cr_assert(of[k].dominance < 0.17 && of[k].equality > 0.6, "%s: %.2f, %.2f", sow_interaction_name(k), of[k].dominance, of[k].equality);
    }
    const double additive = of[SOW_ADDITIVE].magnitude;
    cr_assert(fabs(additive - sqrt(2)) < 0.12, "%.2f", additive);
    cr_assert_gt(of[SOW_SYNERGY].magnitude, additive + 0.4, "%.2f", of[SOW_SYNERGY].magnitude);
    cr_assert_gt(of[SOW_POTENTIATION].magnitude, additive + 0.4, "%.2f", of[SOW_POTENTIATION].magnitude);
    cr_assert_lt(of[SOW_SUPPRESSION].magnitude, additive - 0.6, "%.2f", of[SOW_SUPPRESSION].magnitude);
    cr_assert_lt(of[SOW_REDUNDANCY].magnitude, additive - 0.25, "%.2f", of[SOW_REDUNDANCY].magnitude);
    cr_assert_gt(of[SOW_REDUNDANCY].similarity, of[SOW_ADDITIVE].similarity, "%.2f", of[SOW_REDUNDANCY].similarity);
}

/* ---- what is expected of cells ---- */

/* Mean of log1p(count x sum / total) of cells of p, less that of controls. */
static void measured(double *mean, const made *m, sow_index p, sow_index genes, double sum)
{
    memset(mean, 0, (size_t)genes * sizeof *mean);
    for (int side = 0; side < 2; side++) {
        const sow_index *cell = NULL, n = sow_cells_of(&cell, &m->cells, side ? SOW_CONTROL : p, 0);
        const sow_cell_matrix *x = m->cells.matrix;
        for (sow_index i = 0; i < n; i++) {
            double total = 0;
            for (int64_t e = x->start[cell[i]]; e < x->start[cell[i] + 1]; e++)
                total += (double)x->value[e];
            for (int64_t e = x->start[cell[i]]; e < x->start[cell[i] + 1]; e++)
                mean[x->gene[e]] += (side ? -1 : 1) * log1p((double)x->value[e] * sum / total) / (double)n;
        }
    }
}

/* Slope of what many cells show on what is expected of them, and the distance of both in standard errors. */
static void check_expectation(sow_cell_world_options o)
{
    static double expect[50 * 200], seen[200];
    sow_index all[50];
    int kind[50];
    double xy = 0, xx = 0, off = 0;
    const sow_cell_view view = {o.n_genes, NULL, 500, 1};
    made m = make(o, 2);
    for (sow_index i = 0; i < m.truth.n; i++)
        all[i] = i;
    cr_assert_eq(sow_cell_world_expect(expect, kind, &o, 0, all, m.truth.n, &view, NULL, NULL), SOW_OK);
    for (sow_index i = 0; i < m.truth.n; i++) {
        cr_assert_eq(kind[i], i < o.n_perturbations ? (int)SOW_NO_INTERACTION : (int)m.truth.combination[i - o.n_perturbations].kind);
        measured(seen, &m, i, o.n_genes, 500);
        for (sow_index g = 0; g < o.n_genes; g++) {
            const double e = expect[i * o.n_genes + g];
            xy += e * seen[g];
            xx += e * e;
            off += (seen[g] - e) * (seen[g] - e);
        }
    }
    cr_assert(fabs(xy / xx - 1) < 0.02, "slope %.4f", xy / xx);
    cr_assert_lt(off / xx, 0.02, "%.4f of the squared changes", off / xx);
    clear(&m);
}

Test(cell_world_combinations, show_what_is_expected_as_perturbations_alone_do)
{
    sow_cell_world_options o = small();
    o.n_perturbations = 12;
    o.n_combinations = 8;
    o.n_genes = 200;
    o.n_controls = 20000;
    o.cells_median = 4000;
    check_expectation(o);
    o.guides = 2;
    o.efficiency = 0.8;
    o.efficiency_sd = 0.1;
    o.failed_guides = 0.2;
    o.escapers = 0.15;
    check_expectation(o);
    o.n_contexts = 2;
    check_expectation(o);
}

/* ---- refused, and failing ---- */

static void refuse(sow_cell_world_options o, const char *word)
{
    sow_cells cells;
    sow_screen *s = NULL;
    sow_error err = {0};
    cr_assert_eq(sow_cell_world_create(&cells, &s, NULL, NULL, &o, NULL, &err), SOW_E_ARG, "%s", word);
    cr_assert(strstr(err.message, word) && !s, "%s", err.message);
}

Test(cell_world_combinations, refuse_what_cannot_be)
{
    sow_cell_world_options o = small();
    o.n_combinations = 106;
    refuse(o, "n_combinations = 106: 0 to 105");
    o = small();
    memset(o.interactions, 0, sizeof o.interactions);
    refuse(o, "all 0");
    o.interactions[SOW_SYNERGY] = -1;
    refuse(o, "synergy = -1");
    o.interactions[SOW_SYNERGY] = NAN;
    refuse(o, "synergy = nan");
}

Test(cell_world_combinations, expect_nothing_of_a_screen_that_is_another)
{
    const sow_cell_world_options o = small();
    const sow_index p = 0;
    double change[41];
    sow_error err = {0};
    cr_assert_eq(sow_cell_world_expect(change, NULL, &o, 0, &p, 1, &(sow_cell_view){41, NULL, 100, 1}, NULL, &err), SOW_E_ARG);
    cr_assert(strstr(err.message, "41 genes"), "%s", err.message);
    cr_assert_eq(sow_cell_world_expect(change, NULL, &o, 1, &p, 1, &(sow_cell_view){40, NULL, 100, 1}, NULL, &err), SOW_E_ARG);
}

static sow_status create_and_clear(sow_error *err)
{
    made m = {0};
    sow_cell_world_options o = whole_lab();
    o.n_perturbations = 5;
    o.n_modules = 2;
    o.n_genes = 6;
    o.n_controls = 30;
    o.cells_median = 3;
    o.n_combinations = 3;
    sow_status st = sow_cell_world_create(&m.cells, &m.screen, &m.prior, &m.truth, &o, NULL, err);
    if (st != SOW_OK) cr_assert(!m.screen && m.cells.n == 0 && !m.truth.change && !m.truth.combination);
    clear(&m);
    return st;
}

static sow_status expect_something(sow_error *err)
{
    sow_cell_world_options o = small();
    double change[2 * 40];
    o.n_perturbations = 5;
    o.n_modules = 2;
    o.n_combinations = 3;
    return sow_cell_world_expect(change, NULL, &o, 0, (const sow_index[]){0, 5}, 2, &(sow_cell_view){40, NULL, 100, 1}, NULL, err);
}

Test(cell_world_combinations, survive_every_failed_allocation)
{
    every_allocation_may_fail(create_and_clear, 1);
    every_allocation_may_fail(expect_something, 1);
}
