#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "core/memory.h"
#include "core/stats.h"
#include "io/file.h"
#include "simulator/cell_world_internal.h"
#include "tests/io/faults.h"
#include "tests/simulator/cell_world_fixture.h"

static sow_cell_world_options small(void)
{
    sow_cell_world_options o = SOW_CELL_WORLD_OPTIONS_INIT;
    o.n_perturbations = 40;
    o.n_genes = 60;
    o.n_modules = 6;
    o.n_programs = 8;
    o.n_controls = 700; /* more than one tile */
    o.cells_median = 20;
    o.prior_dims = 5;
    return o;
}

Test(cell_world, of_the_same_options_uses_the_counts_of_the_last_one)
{
    sow_cell_counts counts = {0};
    sow_cell_world_options o = small();
    made alone = make(o, 1), first, second, other;
    o.counts = &counts;
    first = make(o, 1);
    second = make(o, 2);
    cr_assert_eq(second.cells.matrix[0].value, first.cells.matrix[0].value, "drawn twice");
    clear(&first);
    sow_cell_counts_clear(&counts); /* the second goes on without either */
    const sow_cell_matrix *x = &alone.cells.matrix[0], *y = &second.cells.matrix[0];
    cr_assert_arr_eq(y->start, x->start, (size_t)(x->n_cells + 1) * sizeof *x->start);
    cr_assert_arr_eq(y->value, x->value, (size_t)x->start[x->n_cells] * sizeof *x->value);
    cr_assert_arr_eq(y->gene, x->gene, (size_t)x->start[x->n_cells] * sizeof *x->gene);
    first = make(o, 1);
    o.batch_effect = 0.1; /* one batch: it has an effect all the same */
    other = make(o, 1);
    cr_assert_neq(other.cells.matrix[0].value, first.cells.matrix[0].value, "other options");
    o.seed++;
    clear(&other);
    other = make(o, 1);
    x = &alone.cells.matrix[0], y = &other.cells.matrix[0];
    cr_assert(x->start[x->n_cells] != y->start[y->n_cells] || memcmp(y->value, x->value, (size_t)x->start[x->n_cells] * sizeof *x->value) != 0, "another seed");
    clear(&alone);
    clear(&first);
    clear(&second);
    clear(&other);
    sow_cell_counts_clear(&counts);
}

Test(cell_world, is_a_labelled_table_with_a_screen_and_a_prior_that_fit_it)
{
    made m = make(small(), 2);
    const sow_cells *c = &m.cells;
    const sow_cell_matrix *x = c->matrix;
    cr_assert(m.screen->kind == SOW_READOUT_CELLS && m.screen->n_rows == 40 && sow_screen_n_features(m.screen) == 60);
    cr_assert_str_eq(sow_names_get(m.screen->contexts, 0), "simulated");
    cr_assert(m.prior.kind == SOW_PRIOR_DENSE && m.prior.n_items == 40 && m.prior.dim == 5 && m.truth.n == 40 && m.truth.genes == 60);
    cr_assert(c->n_matrices == 1 && x->n_cells == c->n && x->n_genes == 60 && !c->is_log[0] && sow_names_count(c->batches) == 1);
    for (sow_index g = 0; g < 60; g++) {
        cr_assert_str_eq(sow_names_get(c->genes, g), sow_names_get(m.screen->features, g));
        cr_assert_str_eq(sow_names_get(x->genes, g), sow_names_get(c->genes, g));
        cr_assert_eq(c->gene_of[0][g], g);
    }
    sow_index all = sow_cells_of(NULL, c, SOW_CONTROL, 0);
    cr_assert_eq(all, 700);
    for (sow_index p = 0; p < 40; p++) {
        const sow_index n = sow_cells_of(NULL, c, p, 0), row = sow_screen_find(m.screen, p, 0);
        cr_assert(row == p && m.screen->cells[row] == (double)n && m.screen->weight[row] == (double)n && n >= 1);
        cr_assert(isnan(m.screen->values[row * 60]) && m.prior.has[p] && m.truth.module[p] >= 0 && m.truth.module[p] < 6);
        cr_assert_str_eq(m.screen->detail[p].agent[0], sow_names_get(m.screen->perturbations, p));
        all += n;
    }
    cr_assert_str_eq(sow_names_get(m.screen->perturbations, 39), "P0040");
    cr_assert_eq(all, c->n);
    cr_assert_eq(x->start[0], 0);
    for (sow_index i = 0; i < c->n; i++) {
        cr_assert(c->row[i] == i && c->batch[i] == 0 && c->guide[i] == SOW_NO_LABEL && c->replicate[i] == SOW_NO_LABEL);
        for (int64_t k = x->start[i]; k < x->start[i + 1]; k++) {
            cr_assert(x->value[k] >= 1 && x->value[k] == floorf(x->value[k]) && x->gene[k] >= 0 && x->gene[k] < 60);
            if (k > x->start[i]) cr_assert_lt(x->gene[k - 1], x->gene[k]);
        }
    }
    clear(&m);
}

/* ---- counts ---- */

static sow_i_cell_world draw(const sow_cell_world_options *o)
{
    sow_i_cell_world w;
    cr_assert_eq(sow_i_cell_world_draw(&w, o, NULL, NULL), SOW_OK);
    return w;
}

static double depth_moment(double power)
{
    return pow(SOW_I_DEPTH_MEDIAN, power) * exp(0.5 * power * power * SOW_I_DEPTH_LOG_SD * SOW_I_DEPTH_LOG_SD);
}

static double count_variance(double mean_at_depth_1, double size)
{
    const double m1 = mean_at_depth_1 * depth_moment(1), m2 = mean_at_depth_1 * mean_at_depth_1 * depth_moment(2);
    return m1 + m2 / size + m2 - m1 * m1;
}

/* Mean and variance of every gene over cells `first`..`first + n`. */
static void moments(double *mean, double *variance, const sow_cells *c, sow_index first, sow_index n)
{
    const sow_index genes = c->matrix->n_genes;
    memset(mean, 0, (size_t)genes * sizeof *mean);
    memset(variance, 0, (size_t)genes * sizeof *variance);
    for (int64_t k = c->matrix->start[first]; k < c->matrix->start[first + n]; k++) {
        const double v = (double)c->matrix->value[k];
        mean[c->matrix->gene[k]] += v;
        variance[c->matrix->gene[k]] += v * v;
    }
    for (sow_index g = 0; g < genes; g++) {
        mean[g] /= (double)n;
        variance[g] = (variance[g] - (double)n * mean[g] * mean[g]) / (double)(n - 1);
    }
}

Test(cell_world, gives_controls_the_means_and_the_spread_of_the_settings)
{
    sow_cell_world_options o = SOW_CELL_WORLD_OPTIONS_INIT;
    o.n_perturbations = o.n_modules = 2;
    o.n_controls = 8000;
    sow_i_cell_world w = draw(&o);
    made m = make(o, 2);
    double mean[500], variance[500], squares = 0, ratio = 0;
    moments(mean, variance, &m.cells, 0, 8000);
    for (sow_index g = 0; g < 500; g++) {
        const double expected = w.share[g] * depth_moment(1), v = count_variance(w.share[g], w.size[g]);
        squares += (mean[g] - expected) * (mean[g] - expected) / (v / 8000);
        ratio += log(variance[g] / v) / 500;
    }
    /* The error of the mean depth is shared by all genes; it is small beside the spread of most. */
    cr_assert(fabs(squares / 500 - 1) < 0.35, "mean squared deviation in standard errors: %.3f", squares / 500);
    cr_assert(fabs(ratio) < 0.02, "variances are off by a factor %.3f on average", exp(ratio));
    sow_i_cell_world_clear(&w);
    clear(&m);
}

/* P(count = k) for a cell of unknown depth: the negative binomial integrated over the log-normal depth. */
static double probability(sow_index k, double share, double size)
{
    double sum = 0;
    for (int i = -400; i <= 400; i++) {
        const double z = 0.015 * i, mean = share * SOW_I_DEPTH_MEDIAN * exp(SOW_I_DEPTH_LOG_SD * z), n = (double)k;
        sum += 0.015 * sow_normal_pdf(z) *
               exp(lgamma(n + size) - lgamma(size) - lgamma(n + 1) + size * log(size / (size + mean)) + n * log(mean / (size + mean)));
    }
    return sum;
}

static void check_distribution(const made *m, sow_index gene, double share, double size, sow_index n_controls)
{
    enum { BINS = 24 };
    double seen[BINS] = {0}, chi2 = 0, rest = 1;
    const sow_cell_matrix *x = m->cells.matrix;
    const sow_index width = 1 + (sow_index)(share * SOW_I_DEPTH_MEDIAN / 10);
    for (sow_index i = 0; i < n_controls; i++) {
        sow_index count = 0;
        for (int64_t k = x->start[i]; k < x->start[i + 1]; k++)
            if (x->gene[k] == gene) count = (sow_index)x->value[k];
        seen[count / width < BINS ? count / width : BINS - 1]++;
    }
    int bins = 0;
    double tail = 0;
    for (int b = 0; b < BINS; b++) {
        double p = 0;
        for (sow_index k = b * width; k < (b + 1) * width; k++)
            p += probability(k, share, size);
        if (b == BINS - 1 || p * (double)n_controls < 5) {
            tail += seen[b];
            continue;
        }
        rest -= p;
        chi2 += pow(seen[b] - p * (double)n_controls, 2) / (p * (double)n_controls);
        bins++;
    }
    if (rest * (double)n_controls >= 5) chi2 += pow(tail - rest * (double)n_controls, 2) / (rest * (double)n_controls);
    /* Wilson-Hilferty: a chi-square as a normal score; 4 is one in 30,000 */
    const double z = (cbrt(chi2 / bins) - (1 - 2.0 / (9 * bins))) / sqrt(2.0 / (9 * bins));
    cr_assert(z < 4, "gene of mean %.2f, size %.2f: chi-square %.1f in %d bins", share * SOW_I_DEPTH_MEDIAN, size, chi2, bins);
}

Test(cell_world, draws_counts_from_the_negative_binomial_itself)
{
    sow_cell_world_options o = SOW_CELL_WORLD_OPTIONS_INIT;
    o.n_perturbations = o.n_modules = 2;
    o.n_controls = 20000;
    o.n_genes = 200;
    sow_i_cell_world w = draw(&o);
    made m = make(o, 2);
    static const double wanted[] = {0.35, 0.6, 1, 2.5, 6, 8, 12, 60}; /* on both sides of the mean at which the way of drawing changes */
    for (int k = 0; k < 8; k++) {
        sow_index best = 0;
        for (sow_index g = 1; g < 200; g++)
            if (fabs(log(w.share[g] * SOW_I_DEPTH_MEDIAN / wanted[k])) < fabs(log(w.share[best] * SOW_I_DEPTH_MEDIAN / wanted[k]))) best = g;
        check_distribution(&m, best, w.share[best], w.size[best], o.n_controls);
    }
    sow_i_cell_world_clear(&w);
    clear(&m);
}

Test(cell_world, moves_means_by_the_true_change)
{
    sow_cell_world_options o = SOW_CELL_WORLD_OPTIONS_INIT;
    o.n_perturbations = 60;
    o.n_genes = 200;
    o.n_controls = 1000;
    o.cells_median = 300;
    sow_i_cell_world w = draw(&o);
    made m = make(o, 2);
    double mean[200], variance[200], squares = 0, wrong = 0, largest = 0;
    for (sow_index p = 0; p < 60; p++) {
        const sow_index *list, n = sow_cells_of(&list, &m.cells, p, 0);
        const double *change = m.truth.change + p * 200;
        moments(mean, variance, &m.cells, list[0], n);
        for (sow_index g = 0; g < 200; g++) {
            const double there = w.share[g] * exp(change[g]), v = count_variance(there, w.size[g]) / (double)n;
            squares += pow(mean[g] - there * depth_moment(1), 2) / v / (60 * 200);
            wrong += pow(mean[g] - w.share[g] * depth_moment(1), 2) / v / (60 * 200);
            if (fabs(change[g]) > largest) largest = fabs(change[g]);
        }
    }
    cr_assert(fabs(squares - 1) < 0.25, "mean squared deviation in standard errors: %.3f", squares);
    cr_assert(wrong > 3, "without the change it would be %.3f", wrong);
    cr_assert(largest > 0.5 && largest < 3, "largest change %g", largest);
    sow_i_cell_world_clear(&w);
    clear(&m);
}

Test(cell_world, gives_a_panel_its_part_of_a_cells_umis)
{
    sow_cell_world_options o = SOW_CELL_WORLD_OPTIONS_INIT;
    o.n_perturbations = o.n_modules = 2;
    made m = make(o, 2);
    double total[4000], median = 0;
    for (sow_index i = 0; i < 4000; i++) {
        total[i] = 0;
        for (int64_t k = m.cells.matrix->start[i]; k < m.cells.matrix->start[i + 1]; k++)
            total[i] += (double)m.cells.matrix->value[k];
    }
    cr_assert_eq(sow_quantile(&median, total, 4000, 0.5, NULL), SOW_OK);
    cr_assert(median > 1000 && median < 1250, "median %g", median);
    for (sow_index i = 0; i < 4000; i++)
        total[i] = log(total[i]);
    cr_assert(fabs(sqrt(sow_variance(total, 4000)) - SOW_I_DEPTH_LOG_SD) < 0.05, "log-sd of totals %g", sqrt(sow_variance(total, 4000)));
    clear(&m);
}

/* ---- quantiles ---- */

static sow_cell_world_options many_small(void)
{
    sow_cell_world_options o = small();
    o.n_perturbations = 4000;
    o.n_genes = 4;
    o.n_modules = 40;
    o.n_controls = 2;
    o.cells_median = 96;
    return o;
}

Test(cell_world, has_the_published_cells_per_perturbation_whatever_the_effect)
{
    const sow_cell_world_options o = many_small();
    sow_i_cell_world w = draw(&o);
    static const double at[] = {0, 0.05, 0.5, 0.95}, published[] = {32, 32, 96, 320};
    double *cut = calloc(4000, sizeof *cut), *raw = calloc(4000, sizeof *raw), q = 0, rho = 0, most = 0, single = 0;
    for (sow_index i = 0; i < 4000; i++) {
        raw[i] = (double)w.cells[i];
        cut[i] = floor(raw[i] / 32) * 32; /* published after cutting to batches of 32 */
        single += cut[i] == 32;
        if (raw[i] > most) most = raw[i];
    }
    for (int k = 0; k < 4; k++) {
        cr_assert_eq(sow_quantile(&q, cut, 4000, at[k], NULL), SOW_OK);
        cr_assert(fabs(q - published[k]) <= 32, "quantile %g: %g", at[k], q);
    }
    cr_assert_eq(sow_quantile(&q, raw, 4000, 0.5, NULL), SOW_OK);
    cr_assert(fabs(q - 96) < 4, "median %g", q);
    cr_assert(most > 1200 && most <= 1984, "most %g", most);
    cr_assert(fabs(single / 4000 - 330. / 2033) < 0.02, "%g have a single batch", single);
    cr_assert(fabs(sow_mean(cut, 4000) - 133) < 6, "mean %g", sow_mean(cut, 4000)); /* 8,283 batches of 1,993 */
    cr_assert_eq(sow_spearman(&rho, raw, w.score, 4000, NULL), SOW_OK);
    cr_assert(fabs(rho) < 0.05, "cells and effect go together: %.3f", rho);
    free(cut);
    free(raw);
    sow_i_cell_world_clear(&w);
}

Test(cell_world, scales_cells_with_their_median)
{
    sow_cell_world_options o = many_small();
    o.n_perturbations = 50;
    sow_i_cell_world a = draw(&o);
    o.cells_median = 24;
    sow_i_cell_world b = draw(&o);
    for (sow_index i = 0; i < 50; i++)
        cr_assert(fabs((double)b.cells[i] - (double)a.cells[i] / 4) <= 1);
    sow_i_cell_world_clear(&a);
    sow_i_cell_world_clear(&b);
}

/* ---- effects: MMD to control, as the published distances were taken ---- */

static void log_row(float *x, const sow_cell_matrix *m, sow_index cell, double target)
{
    double total = 0;
    memset(x, 0, (size_t)m->n_genes * sizeof *x);
    for (int64_t k = m->start[cell]; k < m->start[cell + 1]; k++)
        total += (double)m->value[k];
    for (int64_t k = m->start[cell]; k < m->start[cell + 1]; k++)
        x[m->gene[k]] = (float)log1p((double)m->value[k] * target / total);
}

enum { HALF = 32, D = 500 };

/* Biased MMD of rows 0..31 and 32..63; ten kernels exp(-d / b), b = 1500 / 32 x 1, 2, 4, ... */
static double mmd(float (*x)[D])
{
    double sum = 0;
    for (int i = 0; i < 2 * HALF; i++) {
        for (int j = 0; j < i; j++) {
            float part[8] = {0};
            double d = 0, k = 0;
            for (int g = 0; g + 8 <= D; g += 8)
                for (int r = 0; r < 8; r++)
                    part[r] += (x[i][g + r] - x[j][g + r]) * (x[i][g + r] - x[j][g + r]);
            for (int g = D / 8 * 8; g < D; g++)
                part[0] += (x[i][g] - x[j][g]) * (x[i][g] - x[j][g]);
            for (int r = 0; r < 8; r++)
                d += (double)part[r];
            for (int b = 0; b < 10; b++)
                k += exp(-d / (1500. / 32 * (1 << b)));
            sum += (i < HALF) == (j < HALF) ? 2 * k : -2 * k;
        }
    }
    return (sum + 2 * HALF * 10) / (HALF * HALF);
}

/* Mean over at most `most` batches of 32 cells at `first` against controls drawn. */
static double distance(const sow_cells *c, sow_index first, sow_index n, sow_index most, sow_index n_controls, sow_rng *rng)
{
    static float x[2 * HALF][D];
    const sow_index batches = n / HALF < most ? n / HALF : most;
    double sum = 0;
    for (sow_index b = 0; b < batches; b++) {
        const sow_index start = n_controls / 2 + sow_rng_below(rng, n_controls / 2 - HALF); /* no cell twice: that alone would move the distance */
        for (sow_index i = 0; i < HALF; i++) {
            log_row(x[i], c->matrix, first + b * HALF + i, 1100);
            log_row(x[HALF + i], c->matrix, start + i, 1100);
        }
        sum += mmd(x);
    }
    return sum / (double)batches;
}

enum { SHAPE_N = 300, SHAPE_SEEDS = 4, NULLS = 62 };

/* Distances of one screen's perturbations in sd above its null; `z` [SHAPE_N]. Returns how many have a batch. */
static sow_index heights(double *z, uint64_t seed)
{
    sow_cell_world_options o = SOW_CELL_WORLD_OPTIONS_INIT;
    sow_rng rng = sow_rng_make(seed, SOW_RNG_TEST, 0, 0);
    double null[NULLS];
    sow_index n = 0;
    o.seed = seed;
    o.n_perturbations = SHAPE_N;
    o.cells_median = 48;
    made m = make(o, 2);
    for (int b = 0; b < NULLS; b++)
        null[b] = distance(&m.cells, b * HALF, HALF, 1, 4000, &rng);
    const double mean = sow_mean(null, NULLS), sd = sqrt(sow_variance(null, NULLS));
    for (sow_index p = 0; p < SHAPE_N; p++) {
        const sow_index *list, cells = sow_cells_of(&list, &m.cells, p, 0);
        if (cells >= HALF) z[n++] = (distance(&m.cells, list[0], cells, 2, 4000, &rng) - mean) / sd;
    }
    clear(&m);
    return n;
}

/* Screens of one setting differ: quantiles vary by about a tenth from seed to seed, and the sd of a null of 62 batches by another tenth. */
Test(cell_world, has_effects_of_the_published_shape)
{
    static const double at[] = {0.25, 0.5, 0.75, 0.9, 0.95}, published[] = {0.6, 2.4, 7.2, 15.6, 21.8};
    double z[SHAPE_SEEDS * SHAPE_N], q = 0, most = 0, below = 0, above = 0;
    sow_index n = 0;
    for (uint64_t seed = 1; seed <= SHAPE_SEEDS; seed++)
        n += heights(z + n, seed);
    cr_assert_gt(n, SHAPE_SEEDS * SHAPE_N / 2);
    for (sow_index i = 0; i < n; i++) {
        below += (z[i] < 0) / (double)n;
        above += (z[i] > 3) / (double)n;
        most = z[i] > most ? z[i] : most;
    }
    for (int k = 0; k < 5; k++) {
        cr_assert_eq(sow_quantile(&q, z, n, at[k], NULL), SOW_OK);
        cr_assert(q > 0.75 * published[k] - 0.3 && q < 1.3 * published[k] + 0.3, "quantile %g: %.2f sd above the null, published %.2f", at[k], q, published[k]);
    }
    cr_assert(most > 40 && most < 140, "the strongest stands %.1f above", most);
    cr_assert(above > 0.37 && above < 0.52, "%.3f stand 3 sd above the null", above); /* 903 of 2,033 */
    cr_assert(below < 0.2, "%.3f below the null", below);
}

Test(cell_world, has_modules_that_move_alike)
{
    sow_cell_world_options o = SOW_CELL_WORLD_OPTIONS_INIT;
    o.n_perturbations = 300;
    sow_i_cell_world w = draw(&o);
    double within = 0, between = 0, n_within = 0, n_between = 0;
    for (sow_index i = 0; i < 300; i++) {
        for (sow_index j = 0; j < i; j++) {
            const double r = sow_pearson(w.change + i * 500, w.change + j * 500, 500);
            const int same = w.module[2 * i] == w.module[2 * j];
            *(same ? &within : &between) += same ? r : fabs(r);
            *(same ? &n_within : &n_between) += 1;
        }
    }
    within /= n_within;
    between /= n_between;
    cr_assert(within > 0.45 && within < 0.8, "within a module %.2f", within);
    cr_assert(between < 0.2, "between modules %.2f", between);
    sow_i_cell_world_clear(&w);
}

/* ---- the prior ---- */

/* Correlation over pairs of the cosine of prior rows with the correlation of true changes. */
static double association(const sow_prior *p, const sow_cell_truth *t)
{
    sow_index k = 0;
    double *known = calloc((size_t)(t->n * t->n), sizeof *known), *true_ = calloc((size_t)(t->n * t->n), sizeof *true_);
    for (sow_index i = 0; i < t->n; i++)
        for (sow_index j = 0; j < i; j++, k++) {
            known[k] = sow_pearson(p->x + i * p->dim, p->x + j * p->dim, p->dim);
            true_[k] = sow_pearson(t->change + i * t->genes, t->change + j * t->genes, t->genes);
        }
    const double r = sow_pearson(known, true_, k);
    free(known);
    free(true_);
    return r;
}

Test(cell_world, prior_tells_as_much_as_it_is_asked_to_and_nothing_else_changes)
{
    static const double level[] = {0, 0.2, 0.5, 0.8, 1};
    made m[5];
    double r[5];
    sow_cell_world_options o = small();
    o.n_perturbations = 300;
    o.n_modules = 20;
    o.n_programs = 30;
    o.n_genes = 300;
    o.cells_median = 2;
    o.prior_dims = 64;
    for (int k = 0; k < 5; k++) {
        o.prior_informativeness = level[k];
        m[k] = make(o, 2);
        r[k] = association(&m[k].prior, &m[k].truth);
        if (k > 0) {
            const sow_cell_matrix *a = m[0].cells.matrix, *b = m[k].cells.matrix;
            cr_assert_gt(r[k], r[k - 1] + 0.02, "level %g: %.3f after %.3f", level[k], r[k], r[k - 1]);
            cr_assert_eq(memcmp(m[0].truth.change, m[k].truth.change, 300 * 300 * sizeof(double)), 0);
            cr_assert_eq(memcmp(a->start, b->start, (size_t)(a->n_cells + 1) * sizeof *a->start), 0);
            cr_assert_eq(memcmp(a->value, b->value, (size_t)a->start[a->n_cells] * sizeof *a->value), 0);
            cr_assert_eq(memcmp(a->gene, b->gene, (size_t)a->start[a->n_cells] * sizeof *a->gene), 0);
        }
    }
    cr_assert(fabs(r[0]) < 0.03, "level 0: %.3f", r[0]);
    cr_assert(r[4] > 0.5, "level 1: %.3f", r[4]);
    for (sow_index i = 0; i < 300 * 64; i++) /* one signal and one noise, mixed by variance */
        cr_assert(fabs(m[1].prior.x[i] - sqrt(0.2) * m[4].prior.x[i] - sqrt(0.8) * m[0].prior.x[i]) < 1e-12);
    for (int k = 0; k < 5; k++)
        clear(&m[k]);
}

/* ---- sameness ---- */

/* The first `n` cells of both. */
static void check_same_cells(const sow_cell_matrix *a, const sow_cell_matrix *b, sow_index n)
{
    cr_assert_eq(memcmp(a->start, b->start, (size_t)(n + 1) * sizeof *a->start), 0);
    cr_assert_eq(memcmp(a->gene, b->gene, (size_t)a->start[n] * sizeof *a->gene), 0);
    cr_assert_eq(memcmp(a->value, b->value, (size_t)a->start[n] * sizeof *a->value), 0);
}

Test(cell_world, is_the_same_for_any_number_of_threads)
{
    made a = make(small(), 1), b = make(small(), 3);
    sow_cells plain;
    sow_screen *screen = NULL;
    const sow_cell_world_options o = small();
    cr_assert_eq(sow_cell_world_create(&plain, &screen, NULL, NULL, &o, NULL, NULL), SOW_OK); /* nor what else is asked for */
    cr_assert(a.cells.n == b.cells.n && a.cells.n == plain.n);
    check_same_cells(a.cells.matrix, b.cells.matrix, a.cells.n);
    check_same_cells(a.cells.matrix, plain.matrix, a.cells.n);
    cr_assert_eq(memcmp(a.prior.x, b.prior.x, 40 * 5 * sizeof(double)), 0);
    cr_assert_eq(memcmp(a.truth.change, b.truth.change, 40 * 60 * sizeof(double)), 0);
    sow_cells_clear(&plain);
    sow_screen_destroy(screen);
    clear(&a);
    clear(&b);
}

Test(cell_world, keeps_earlier_perturbations_when_more_are_made)
{
    sow_cell_world_options o = small();
    made a = make(o, 1);
    o.n_perturbations = 90; /* over the 64 that are drawn together */
    made b = make(o, 2);
    cr_assert_gt(b.cells.n, a.cells.n);
    check_same_cells(a.cells.matrix, b.cells.matrix, a.cells.n);
    cr_assert_eq(memcmp(a.cells.perturbation, b.cells.perturbation, (size_t)a.cells.n * sizeof *a.cells.perturbation), 0);
    cr_assert_eq(memcmp(a.prior.x, b.prior.x, 40 * 5 * sizeof(double)), 0);
    cr_assert_eq(memcmp(a.truth.change, b.truth.change, 40 * 60 * sizeof(double)), 0);
    clear(&a);
    clear(&b);
}

Test(cell_world, is_another_under_another_seed)
{
    sow_cell_world_options o = small();
    made a = make(o, 1);
    o.seed = 2;
    made b = make(o, 1);
    cr_assert_neq(memcmp(a.prior.x, b.prior.x, 40 * 5 * sizeof(double)), 0);
    cr_assert_neq(memcmp(a.truth.change, b.truth.change, 40 * 60 * sizeof(double)), 0);
    cr_assert_neq(memcmp(a.cells.matrix->value, b.cells.matrix->value, 100 * sizeof(float)), 0);
    clear(&a);
    clear(&b);
}

/* Results of campaigns that are published were made on these very cells. Numbers that are not whole go in with nine digits: another libm may round the last ones otherwise. */
Test(cell_world, is_what_it_always_was)
{
    made m = make(small(), 2);
    const sow_cell_matrix *x = m.cells.matrix;
    sow_text all = {0};
    char hex[65];
    for (sow_index i = 0; i <= m.cells.n; i++)
        sow_text_printf(&all, "%lld\n", (long long)x->start[i]);
    for (int64_t k = 0; k < x->start[m.cells.n]; k++)
        sow_text_printf(&all, "%d %g\n", (int)x->gene[k], (double)x->value[k]);
    for (int k = 0; k < 40 * 60; k++)
        sow_text_printf(&all, "%.9g\n", m.truth.change[k]);
    for (int k = 0; k < 40 * 5; k++)
        sow_text_printf(&all, "%.9g\n", m.prior.x[k]);
    for (sow_index r = 0; r < m.screen->n_rows; r++)
        sow_text_printf(&all, "%lld %lld %g\n", (long long)m.screen->perturbation[r], (long long)m.screen->context[r], m.screen->cells[r]);
    cr_assert(!all.failed);
    sow_sha256(hex, all.text, all.size);
    cr_assert_str_eq(hex, "04074e566daccb5d41366a7e7983146b2808d64cd24cc9ca630cc59741a4b0b4");
    sow_text_clear(&all);
    clear(&m);
}

/* ---- edges ---- */

Test(cell_world, can_be_as_small_as_two_perturbations_of_two_genes)
{
    const sow_cell_world_options o = {.seed = 1, .n_perturbations = 2, .efficiency = 1, .batches = 1, .n_genes = 2, .n_modules = 1, .n_programs = 1, .n_controls = 2, .cells_median = 1, .prior_informativeness = 1, .prior_dims = 1,
                                      .n_contexts = 1, .n_targets = 1, .context_coverage = 1};
    made m = make(o, 1);
    for (int k = 0; k < 4; k++)
        cr_assert(isfinite(m.truth.change[k]) && fabs(m.truth.change[k]) <= 3);
    cr_assert(isfinite(m.prior.x[0]) && isfinite(m.prior.x[1]) && m.cells.n >= 4);
    clear(&m);
}

static void check_refused(sow_cell_world_options o, const char *word)
{
    sow_cells cells;
    sow_screen *s = NULL;
    sow_prior prior;
    sow_error err = {0};
    cr_assert_eq(sow_cell_world_create(&cells, &s, &prior, NULL, &o, NULL, &err), SOW_E_ARG, "%s", word);
    cr_assert(strstr(err.message, word) && strstr(err.message, " to "), "%s", err.message);
    cr_assert(!s && cells.n == 0 && !prior.x);
}

Test(cell_world, refuses_options_out_of_range)
{
#define REFUSED(field, value)               \
    do {                                    \
        sow_cell_world_options o = small(); \
        o.field = (value);                  \
        check_refused(o, #field);           \
    } while (0)
    REFUSED(n_perturbations, 1);
    REFUSED(n_perturbations, 200001);
    REFUSED(n_genes, 1);
    REFUSED(n_genes, 16385);
    REFUSED(n_modules, 0);
    REFUSED(n_modules, 41);
    REFUSED(n_programs, 0);
    REFUSED(n_programs, 10001);
    REFUSED(n_controls, 1);
    REFUSED(n_controls, 10000001);
    REFUSED(cells_median, 0.5);
    REFUSED(cells_median, NAN);
    REFUSED(cells_median, INFINITY);
    REFUSED(prior_informativeness, -0.1);
    REFUSED(prior_informativeness, 1.1);
    REFUSED(prior_informativeness, NAN);
    REFUSED(prior_dims, 0);
    REFUSED(prior_dims, 4097);
#undef REFUSED
}

static sow_status create_and_clear(sow_error *err)
{
    made m = {0};
    const sow_cell_world_options o = {1, 5, 6, 2, 2, 520, 2, 0.5, 3, 1, 0.5, 0.15, 0.2, 1, 0.5, 1, 1, NULL, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, SOW_INTERACTIONS_NORMAN, NULL};
    const sow_status st = sow_cell_world_create(&m.cells, &m.screen, &m.prior, &m.truth, &o, NULL, err);
    if (st != SOW_OK) cr_assert(!m.screen && m.cells.n == 0 && !m.prior.x && !m.truth.change);
    clear(&m);
    return st;
}

Test(cell_world, survives_every_failed_allocation)
{
    every_allocation_may_fail(create_and_clear, 1);
}

/* ---- the built-in facts ---- */

typedef struct {
    double share, size;
} gene_facts;

static int stronger_first(const void *a, const void *b)
{
    const double x = ((const gene_facts *)a)->share, y = ((const gene_facts *)b)->share;
    return (x < y) - (x > y);
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

Test(cell_world, has_the_shares_and_sizes_of_the_published_baseline)
{
    enum { MOST = 30000, TOP = 5000 };
    char line[256];
    sow_index n = 0;
    gzFile f = gzopen(SOWER_SHARED_DIR "/data/baseline_k562_gasperini2019.csv.gz", "rb");
    if (!f) {
        fprintf(stderr, "SKIPPED: needs ../shared/data/baseline_k562_gasperini2019.csv.gz\n");
        cr_skip("needs ../shared/data");
    }
    gene_facts *gene = calloc(MOST, sizeof *gene);
    cr_assert_not_null(gzgets(f, line, sizeof line));
    while (n < MOST && gzgets(f, line, sizeof line))
        n += sscanf(line, "%*[^,],%lf,%lf", &gene[n].share, &gene[n].size) == 2;
    gzclose(f);
    cr_assert_eq(n, 19942);
    qsort(gene, (size_t)n, sizeof *gene, stronger_first);
    double sum = 0, table = 0;
    for (sow_index i = 0; i < TOP; i++) {
        const double mine = sow_i_baseline_share((double)i / (TOP - 1));
        if (i > 60) cr_assert(fabs(log(mine / gene[i].share)) < 0.12, "gene %lld: %g, measured %g", (long long)i, mine, gene[i].share);
        sum += gene[i].share;
        table += mine;
    }
    cr_assert(fabs(table / sum - 1) < 0.03, "all shares together %g, measured %g", table, sum);
    static const sow_index band[] = {0, 100, 500, 1000, 2000, 3500, 5000};
    for (int b = 0; b < 6; b++) {
        double size[1500], q = 0;
        const sow_index count = band[b + 1] - band[b];
        for (sow_index i = 0; i < count; i++)
            size[i] = gene[band[b] + i].size;
        qsort(size, (size_t)count, sizeof *size, ascending);
        for (double u = 0.05; u < 0.96; u += 0.15) {
            cr_assert_eq(sow_quantile(&q, size, count, u, NULL), SOW_OK);
            const double mine = sow_i_baseline_size(((double)band[b] + 0.5) / TOP, u);
            cr_assert(fabs(log(mine / q)) < 0.3, "genes from %lld, quantile %g: size %g, measured %g", (long long)band[b], u, mine, q);
        }
    }
    free(gene);
}
