/* The posterior-predictive check: a screen looked at in the same way whether it is real or simulated.
 *
 * An effect is the mean over cells of log1p(count x median / total) less the mean of the controls of the same group (technical batch, or replicate), its own genes left out. Reliability at n cells: the correlation
 * over genes of effects from two disjoint draws of n cells, each against a half of the controls of its own (shared controls would correlate by themselves), averaged over DRAWS draws and over the
 * perturbations with 2 n cells. Everything is on the MOST_GENES most expressed genes, up to MOST_PERTURBATIONS perturbations and MOST_CELLS cells of each. */
#include "planner/calibrate_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/de.h"
#include "core/memory.h"
#include "core/rng.h"
#include "core/stats.h"
#include "simulator/calibrate.h"

enum { MOST_GENES = 1000, MOST_PERTURBATIONS = 100, MOST_CELLS = 400, MOST_CONTROLS = 2000, DE_CONTROLS = 500, DRAWS = 4, SIZES = 5, FEWEST = 20, GENE_FACTS = 3 };
static const sow_index sizes[SIZES] = {10, 25, 50, 100, 150};

/* Chosen cells as rows; the first n_controls are controls. */
typedef struct {
    sow_index genes, n, n_controls, n_groups, n_perturbations;
    sow_index *start;     /* [perturbations + 1] rows of each */
    float *x;             /* [n, genes] */
    sow_index *group;     /* [n] */
    unsigned char *own;   /* [perturbations, genes] */
    double *fact[GENE_FACTS]; /* [genes] of the controls' counts: mean, (variance - mean) / mean^2, share of zeros */
} look;

typedef struct {
    double reliability[SIZES], de[SIZES], replicate, agreement[SOW_I_REPLICATE_QUANTILES]; /* the last: quantiles over perturbations of what replicate is the mean of */
    sow_index n[SIZES], n_replicate;
} verdict;

static void look_clear(look *l)
{
    free(l->start);
    free(l->x);
    free(l->group);
    free(l->own);
    for (int k = 0; k < GENE_FACTS; k++)
        free(l->fact[k]);
    memset(l, 0, sizeof *l);
}

/* ---- choosing and reading cells ---- */

static sow_status most_expressed(sow_names **out, const sow_baseline *b, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *order = NULL;
    SOW_NEW(order, b->n);
    SOW_TRY(sow_order_descending(order, b->share, NULL, b->n, err));
    SOW_TRY(sow_names_create(out, err));
    for (sow_index i = 0; i < b->n && i < MOST_GENES; i++)
        SOW_TRY(sow_names_add(*out, sow_names_get(b->genes, order[i]), NULL, err));
done:
    free(order);
    return st;
}

/* Counts of a cell on the chosen genes; `column` [genes of the table] their place or -1. */
static void read_cell(double *y, const sow_cells *t, sow_index cell, const sow_index *column, sow_index genes)
{
    const int32_t k = t->in_matrix[cell];
    const sow_cell_matrix *m = &t->matrix[k];
    memset(y, 0, (size_t)genes * sizeof *y);
    for (int64_t e = m->start[t->row[cell]]; e < m->start[t->row[cell] + 1]; e++) {
        const int32_t g = t->gene_of[k][m->gene[e]];
        if (g >= 0 && column[g] >= 0) y[column[g]] = (double)m->value[e];
    }
}

static double sum_of(const double *y, sow_index n)
{
    double sum = 0;
    for (sow_index i = 0; i < n; i++)
        sum += y[i];
    return sum;
}

/* Up to `most` of the cells [n], in random order. */
static sow_status draw_cells(sow_index *out, sow_index *n_out, const sow_index *cell, sow_index n, sow_index most, uint32_t item, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *order = NULL;
    sow_rng rng = sow_rng_make(1, SOW_RNG_METRIC, UINT32_MAX, item);
    SOW_NEW(order, n);
    memcpy(order, cell, (size_t)n * sizeof *order);
    sow_rng_permute(&rng, order, n);
    *n_out = n < most ? n : most;
    memcpy(out, order, (size_t)*n_out * sizeof *out);
done:
    free(order);
    return st;
}

static sow_status choose_cells(sow_index **cell, look *l, unsigned char **used, const sow_cells *t, const sow_screen *screen, sow_index context, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index all = sow_screen_n_perturbations(screen), *list = NULL;
    sow_index n = sow_cells_of(&list, t, SOW_CONTROL, context), measured = 0, seen = 0, got = 0;
    for (sow_index p = 0; p < all; p++)
        measured += sow_cells_of(NULL, t, p, context) >= FEWEST;
    l->n_perturbations = measured < MOST_PERTURBATIONS ? measured : MOST_PERTURBATIONS;
    SOW_NEW(*cell, MOST_CONTROLS + l->n_perturbations * MOST_CELLS);
    SOW_NEW(*used, all);
    SOW_NEW(l->start, l->n_perturbations + 1);
    SOW_TRY(draw_cells(*cell, &l->n_controls, list, n, MOST_CONTROLS, 0, err));
    l->n = l->start[0] = l->n_controls;
    for (sow_index p = 0; p < all; p++) {
        n = sow_cells_of(&list, t, p, context);
        if (n < FEWEST) continue;
        if ((seen + 1) * l->n_perturbations / measured > seen * l->n_perturbations / measured) { /* evenly over all */
            sow_index taken = 0;
            SOW_TRY(draw_cells(*cell + l->n, &taken, list, n, MOST_CELLS, (uint32_t)p + 1, err));
            l->n += taken;
            l->start[++got] = l->n;
            (*used)[p] = 1;
        }
        seen++;
    }
done:
    return st;
}

static void add_facts(look *l, const double *y)
{
    for (sow_index g = 0; g < l->genes; g++) {
        l->fact[0][g] += y[g];
        l->fact[1][g] += y[g] * y[g];
        l->fact[2][g] += y[g] == 0;
    }
}

static void finish_facts(look *l)
{
    const double n = (double)l->n_controls;
    for (sow_index g = 0; g < l->genes; g++) {
        const double mean = l->fact[0][g] / n, variance = (l->fact[1][g] - n * mean * mean) / (n - 1);
        l->fact[0][g] = mean;
        l->fact[1][g] = mean > 0 ? (variance - mean) / (mean * mean) : 0;
        l->fact[2][g] /= n;
    }
}

static sow_status read_rows(look *l, const sow_index *cell, const sow_cells *t, const sow_names *genes, double median, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *column = NULL;
    double *y = NULL;
    SOW_NEW(column, sow_names_count(t->genes));
    SOW_NEW(y, l->genes);
    SOW_NEW(l->x, l->n * l->genes);
    SOW_NEW(l->group, l->n);
    for (int k = 0; k < GENE_FACTS; k++)
        SOW_NEW(l->fact[k], l->genes);
    for (sow_index g = 0; g < sow_names_count(t->genes); g++)
        column[g] = sow_names_find(genes, sow_names_get(t->genes, g));
    l->n_groups = sow_calibrate_groups(t);
    for (sow_index i = 0; i < l->n; i++) {
        read_cell(y, t, cell[i], column, l->genes);
        l->group[i] = sow_calibrate_group(t, cell[i]);
        if (i < l->n_controls) add_facts(l, y);
        const double total = sum_of(y, l->genes);
        for (sow_index g = 0; g < l->genes; g++)
            l->x[i * l->genes + g] = total > 0 ? (float)log1p(y[g] * median / total) : 0;
    }
    finish_facts(l);
done:
    free(column);
    free(y);
    return st;
}

static sow_status look_at(look *l, const sow_cells *t, const sow_screen *screen, sow_index context, const sow_names *genes, double median, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *cell = NULL;
    unsigned char *used = NULL;
    *l = (look){.genes = sow_names_count(genes)};
    SOW_TRY(choose_cells(&cell, l, &used, t, screen, context, err));
    SOW_TRY(read_rows(l, cell, t, genes, median, err));
    SOW_NEW(l->own, l->n_perturbations * l->genes);
    for (sow_index p = 0, k = 0; p < sow_screen_n_perturbations(screen); p++) {
        if (!used[p]) continue;
        for (sow_index a = 0; a < screen->detail[p].n_agents; a++) {
            const sow_index g = sow_names_find(genes, screen->detail[p].agent[a]);
            if (g >= 0) l->own[k * l->genes + g] = 1;
        }
        k++;
    }
done:
    free(cell);
    free(used);
    return st;
}

/* ---- effects ---- */

/* Means of the controls from..to of each group, [groups, genes]; of a group without any, the mean of all. */
static sow_status control_means(double **out, const look *l, sow_index from, sow_index to, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index d = l->genes;
    double *all = NULL;
    sow_index *n = NULL;
    SOW_NEW(*out, l->n_groups * d);
    SOW_NEW(all, d);
    SOW_NEW(n, l->n_groups);
    for (sow_index i = from; i < to; i++) {
        n[l->group[i]]++;
        for (sow_index g = 0; g < d; g++) {
            (*out)[l->group[i] * d + g] += (double)l->x[i * d + g];
            all[g] += (double)l->x[i * d + g] / (double)(to - from);
        }
    }
    for (sow_index b = 0; b < l->n_groups; b++)
        for (sow_index g = 0; g < d; g++)
            (*out)[b * d + g] = n[b] > 1 ? (*out)[b * d + g] / (double)n[b] : all[g];
done:
    free(all);
    free(n);
    return st;
}

/* Mean over the rows [n] of what is above their controls, genes of its own left out (packed); returns how many genes. */
static sow_index effect_of(double *out, const look *l, sow_index p, const sow_index *row, sow_index n, const double *control)
{
    const sow_index d = l->genes;
    sow_index kept = 0;
    for (sow_index g = 0; g < d; g++) {
        if (l->own[p * d + g]) continue;
        double sum = 0;
        for (sow_index i = 0; i < n; i++)
            sum += (double)l->x[row[i] * d + g] - control[l->group[row[i]] * d + g];
        out[kept++] = sum / (double)n;
    }
    return kept;
}

static double correlate(const double *a, const double *b, sow_index n)
{
    const double r = sow_pearson(a, b, n);
    return isnan(r) ? 0 : r;
}

static sow_status measure_reliability(verdict *v, const look *l, const double *const half[2], sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *row = NULL;
    double *a = NULL, *b = NULL;
    SOW_NEW(row, MOST_CELLS);
    SOW_NEW(a, l->genes);
    SOW_NEW(b, l->genes);
    for (sow_index p = 0; p < l->n_perturbations; p++) {
        const sow_index n = l->start[p + 1] - l->start[p];
        sow_rng rng = sow_rng_make(2, SOW_RNG_METRIC, UINT32_MAX, (uint32_t)p);
        for (int draw = 0; draw < DRAWS; draw++) {
            for (sow_index i = 0; i < n; i++)
                row[i] = l->start[p] + i;
            sow_rng_permute(&rng, row, n);
            for (int k = 0; k < SIZES; k++) {
                if (n < 2 * sizes[k]) continue;
                const sow_index genes = effect_of(a, l, p, row, sizes[k], half[0]);
                effect_of(b, l, p, row + sizes[k], sizes[k], half[1]);
                v->reliability[k] += correlate(a, b, genes) / DRAWS;
                v->n[k] += draw == 0;
            }
        }
    }
    for (int k = 0; k < SIZES; k++)
        v->reliability[k] = v->n[k] > 0 ? v->reliability[k] / (double)v->n[k] : NAN;
done:
    free(row);
    free(a);
    free(b);
    return st;
}

/* Mean correlation of a perturbation's effects in two groups, each against its own controls. */
static sow_status measure_replicates(verdict *v, const look *l, const double *control, sow_error *err)
{
    sow_status st = SOW_OK;
    double *effect = NULL, *agreement = NULL, sum = 0;
    sow_index *row = NULL;
    SOW_NEW(effect, l->n_groups * l->genes);
    SOW_NEW(agreement, l->n_perturbations);
    SOW_NEW(row, MOST_CELLS);
    for (sow_index p = 0; p < l->n_perturbations; p++) {
        sow_index n_groups = 0, pairs = 0, genes = 0;
        double of_pairs = 0;
        for (sow_index b = 0; b < l->n_groups; b++) {
            sow_index n = 0;
            for (sow_index i = l->start[p]; i < l->start[p + 1]; i++)
                if (l->group[i] == b) row[n++] = i;
            if (n >= FEWEST) genes = effect_of(effect + n_groups++ * l->genes, l, p, row, n, control);
        }
        for (sow_index i = 0; i < n_groups; i++)
            for (sow_index j = 0; j < i; j++, pairs++)
                of_pairs += correlate(effect + i * l->genes, effect + j * l->genes, genes);
        if (pairs == 0) continue;
        agreement[v->n_replicate++] = of_pairs / (double)pairs;
        sum += of_pairs / (double)pairs;
    }
    v->replicate = v->n_replicate > 0 ? sum / (double)v->n_replicate : NAN;
    for (int q = 0; q < SOW_I_REPLICATE_QUANTILES && v->n_replicate > 0; q++)
        SOW_TRY(sow_quantile(&v->agreement[q], agreement, v->n_replicate, (double)q / (SOW_I_REPLICATE_QUANTILES - 1), err));
done:
    free(effect);
    free(agreement);
    free(row);
    return st;
}

/* Genes found (Wilcoxon with ties, false discoveries below 5 %) with the first so many cells of a perturbation against DE_CONTROLS controls. */
static sow_status count_de(double *out, const look *l, sow_index size, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index d = l->genes, m = l->n_controls < DE_CONTROLS ? l->n_controls : DE_CONTROLS;
    float *x = NULL;
    double *score = NULL, *p = NULL, *q = NULL, found = 0;
    sow_index *start = NULL, n = 0;
    SOW_NEW(x, l->n_perturbations * size * d);
    SOW_NEW(start, l->n_perturbations + 1);
    for (sow_index i = 0; i < l->n_perturbations; i++) {
        if (l->start[i + 1] - l->start[i] < size) continue;
        memcpy(x + n * size * d, l->x + l->start[i] * d, (size_t)(size * d) * sizeof *x);
        n++;
        start[n] = n * size;
    }
    *out = NAN;
    if (n == 0) goto done;
    SOW_NEW(score, n * d);
    SOW_NEW(p, n * d);
    SOW_NEW(q, d);
    SOW_TRY(sow_de(score, p, SOW_DE_WILCOXON_TIES, x, start, n, l->x, m, d, env, err));
    for (sow_index i = 0; i < n; i++) {
        SOW_TRY(sow_bh(q, p + i * d, d, err));
        for (sow_index g = 0; g < d; g++)
            found += q[g] < 0.05;
    }
    *out = found / (double)n;
done:
    free(x);
    free(score);
    free(p);
    free(q);
    free(start);
    return st;
}

static sow_status measure(verdict *v, const look *l, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    double *half[2] = {NULL, NULL}, *all = NULL;
    *v = (verdict){.replicate = NAN};
    for (int q = 0; q < SOW_I_REPLICATE_QUANTILES; q++)
        v->agreement[q] = NAN;
    SOW_TRY(control_means(&half[0], l, 0, l->n_controls / 2, err));
    SOW_TRY(control_means(&half[1], l, l->n_controls / 2, l->n_controls, err));
    SOW_TRY(control_means(&all, l, 0, l->n_controls, err));
    SOW_TRY(measure_reliability(v, l, (const double *const *)half, err));
    if (l->n_groups > 1) SOW_TRY(measure_replicates(v, l, all, err));
    for (int k = 0; k < SIZES; k++)
        SOW_TRY(count_de(&v->de[k], l, sizes[k], env, err));
done:
    free(half[0]);
    free(half[1]);
    free(all);
    return st;
}

/* ---- the rows ---- */

static json_t *or_null(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

/* One value of the real screen against those of the simulated ones, at `stride` numbers from each other; those that are NaN are left out. */
static sow_status add_row(json_t *rows, const char *quantity, sow_index cells, double real, const double *simulated, sow_index stride, sow_index n, sow_index of, sow_error *err)
{
    sow_status st = SOW_OK;
    double *x = NULL, low = NAN, high = NAN;
    sow_index kept = 0;
    SOW_NEW(x, n);
    for (sow_index i = 0; i < n; i++)
        if (!isnan(simulated[i * stride])) x[kept++] = simulated[i * stride];
    if (kept > 0) SOW_TRY(sow_quantile(&low, x, kept, 0.05, err));
    if (kept > 0) SOW_TRY(sow_quantile(&high, x, kept, 0.95, err));
    json_t *row = json_pack("{s:s,s:o,s:o,s:o,s:o,s:o,s:o}", "quantity", quantity, "cells", cells > 0 ? json_integer(cells) : json_null(), "real", or_null(real), "simulated", or_null(sow_mean(x, kept)),
                            "low", or_null(low), "high", or_null(high), "perturbations", of > 0 ? json_integer(of) : json_null());
    if (!row || json_array_append_new(rows, row) != 0) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
done:
    free(x);
    return st;
}

static sow_status add_rows(json_t *rows, const verdict *real, const verdict *made, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index stride = (sow_index)(sizeof *made / sizeof(double));
    for (int k = 0; k < SIZES; k++)
        SOW_TRY(add_row(rows, "split_half_reliability", sizes[k], real->reliability[k], &made->reliability[k], stride, n, real->n[k], err));
    for (int k = 0; k < SIZES; k++)
        SOW_TRY(add_row(rows, "de_genes", sizes[k], real->de[k], &made->de[k], stride, n, 0, err));
    SOW_TRY(add_row(rows, "replicate_correlation", 0, real->replicate, &made->replicate, stride, n, real->n_replicate, err));
done:
    return st;
}

/* Quartiles over genes, real beside simulated, and how well the genes agree. */
static sow_status add_genes(json_t *rows, const look *real, double *const made[GENE_FACTS], sow_index n, sow_error *err)
{
    static const char *const name[GENE_FACTS][5] = {{"gene_mean_lower_quartile", "gene_mean_median", "gene_mean_upper_quartile", "gene_mean_spearman", NULL},
                                                    {"gene_dispersion_lower_quartile", "gene_dispersion_median", "gene_dispersion_upper_quartile", "gene_dispersion_spearman", NULL},
                                                    {"gene_zeros_lower_quartile", "gene_zeros_median", "gene_zeros_upper_quartile", "gene_zeros_spearman", NULL}};
    static const double at[] = {.25, .5, .75};
    sow_status st = SOW_OK;
    double *value = NULL;
    SOW_NEW(value, n);
    for (int k = 0; k < GENE_FACTS; k++) {
        for (int i = 0; i < 3; i++) {
            double truth = 0;
            SOW_TRY(sow_quantile(&truth, real->fact[k], real->genes, at[i], err));
            for (sow_index s = 0; s < n; s++)
                SOW_TRY(sow_quantile(&value[s], made[k] + s * real->genes, real->genes, at[i], err));
            SOW_TRY(add_row(rows, name[k][i], 0, truth, value, 1, n, 0, err));
        }
        for (sow_index s = 0; s < n; s++)
            SOW_TRY(sow_spearman(&value[s], real->fact[k], made[k] + s * real->genes, real->genes, err));
        SOW_TRY(add_row(rows, name[k][3], 0, 1, value, 1, n, 0, err));
    }
done:
    free(value);
    return st;
}

static sow_status look_at_made(verdict *v, double *const fact[GENE_FACTS], sow_index s, const sow_calibration *c, const sow_names *genes, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_cell_world_options o = sow_i_calibrated_world(c);
    sow_cells cells = {0};
    sow_screen *screen = NULL;
    look l = {0};
    o.seed = (uint64_t)s + 1;
    o.n_genes = sow_names_count(genes);
    if (o.n_perturbations > MOST_PERTURBATIONS) o.n_perturbations = MOST_PERTURBATIONS;
    if (c->n_perturbations == 0) o.n_perturbations = 2; /* there is nothing to compare them with; a world has no fewer */
    if (o.n_modules > o.n_perturbations) o.n_modules = o.n_perturbations;
    if (o.n_controls > MOST_CONTROLS) o.n_controls = MOST_CONTROLS;
    SOW_TRY(sow_cell_world_create(&cells, &screen, NULL, NULL, &o, env, err));
    SOW_TRY(look_at(&l, &cells, screen, 0, genes, c->depth_median, err));
    SOW_TRY(measure(v, &l, env, err));
    for (int k = 0; k < GENE_FACTS; k++)
        memcpy(fact[k] + s * l.genes, l.fact[k], (size_t)l.genes * sizeof(double));
done:
    look_clear(&l);
    sow_cells_clear(&cells);
    sow_screen_destroy(screen);
    return st;
}

sow_status sow_i_calibration_check(json_t **rows, json_t **curves, const sow_calibration *c, const sow_cells *cells, const sow_screen *screen, sow_index context, sow_index n_screens, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_names *genes = NULL;
    look real = {0};
    verdict of_real, *made = NULL;
    double *fact[GENE_FACTS] = {NULL};
    *rows = *curves = NULL;
    SOW_TRY(most_expressed(&genes, &c->genes, err));
    SOW_TRY(look_at(&real, cells, screen, context, genes, c->depth_median, err));
    SOW_TRY(measure(&of_real, &real, env, err));
    SOW_NEW(made, n_screens);
    for (int k = 0; k < GENE_FACTS; k++)
        SOW_NEW(fact[k], n_screens * real.genes);
    for (sow_index s = 0; s < n_screens; s++) {
        SOW_TRY(look_at_made(&made[s], fact, s, c, genes, env, err));
        SOW_TRY(sow_progress(env, "simulating screens", (double)(s + 1) / (double)n_screens, err));
    }
    *rows = json_array();
    if (real.n_perturbations > 0) SOW_TRY(add_rows(*rows, &of_real, made, n_screens, err));
    SOW_TRY(add_genes(*rows, &real, fact, n_screens, err));
    *curves = json_array();
    const sow_i_gene_facts facts = {real.genes, n_screens, genes, real.fact, fact};
    SOW_TRY(sow_i_calibration_gene_curves(*curves, &facts, err));
    if (of_real.n_replicate > 0) SOW_TRY(sow_i_calibration_replicate_curve(*curves, of_real.agreement, made->agreement, (sow_index)(sizeof *made / sizeof(double)), n_screens, err));
done:
    if (st != SOW_OK) {
        json_decref(*rows);
        json_decref(*curves);
        *rows = *curves = NULL;
    }
    free(made);
    for (int k = 0; k < GENE_FACTS; k++)
        free(fact[k]);
    look_clear(&real);
    sow_names_destroy(genes);
    return st;
}
