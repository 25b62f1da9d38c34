/* Estimates of a calibration. Shares and sizes are power_baseline.c's. The rest:
 *   depth: median and log-sd of the controls' totals;
 *   batches: of genes with at least ENOUGH counts in every batch, the variance over batches of the log share, less what counting explains (1 / S + sum L^2 / ((sum L)^2 size), S its counts there),
 *     averaged over genes; likewise the variance of the log of median totals;
 *   effects: with d the mean over a perturbation's cells of log1p(count x median / total) less the mean of the controls of the same batch, centred over genes and its own genes left out,
 *     length^2 = |d|^2 - sum over genes of (variance of cells / n + sum over batches w^2 variance of controls / n), w the batch's part of the cells. That is unbiased for the length of what is true;
 *     below 0 it counts as 0. */
#include "simulator/calibrate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/stats.h"
#include "simulator/power.h"

enum { ENOUGH = 100, ENOUGH_CONTROLS = 20, FEWEST_CELLS = 10 };
static const double least_length = 0.02; /* lengths are drawn between logarithms, so none is 0 */

sow_index sow_calibrate_group(const sow_cells *t, sow_index cell)
{
    if (sow_names_count(t->batches) > 1) return t->batch[cell];
    return sow_names_count(t->replicates) > 1 && t->replicate[cell] != SOW_NO_LABEL ? t->replicate[cell] : 0;
}

sow_index sow_calibrate_groups(const sow_cells *t)
{
    const sow_index batches = sow_names_count(t->batches), replicates = sow_names_count(t->replicates);
    return batches > 1 ? batches : replicates > 1 ? replicates : 1;
}

typedef struct {
    const sow_cells *t;
    const sow_screen *screen;
    sow_index n_groups, genes, context;
    double median;             /* totals are brought to it */
    sow_index *n;              /* [groups] controls */
    double *mean, *square;     /* [groups, genes] of the controls' log1p values; of squares, then variances */
    double *sum;               /* [groups, genes] of their counts */
    double *all, *all_square;  /* [groups] of their totals, and of the squares */
} scene;

static void scene_clear(scene *s)
{
    free(s->n);
    free(s->mean);
    free(s->square);
    free(s->sum);
    free(s->all);
    free(s->all_square);
}

static double total_of(const sow_cells *t, sow_index cell)
{
    const sow_cell_matrix *x = &t->matrix[t->in_matrix[cell]];
    double total = 0;
    for (int64_t e = x->start[t->row[cell]]; e < x->start[t->row[cell] + 1]; e++)
        total += (double)x->value[e];
    return total;
}

/* Adds a cell's log1p values and their squares; of counts where `sum` is given. Returns its total. */
static double add_cell(double *mean, double *square, double *sum, const scene *s, sow_index cell)
{
    const int32_t k = s->t->in_matrix[cell];
    const sow_cell_matrix *x = &s->t->matrix[k];
    const double total = total_of(s->t, cell);
    for (int64_t e = x->start[s->t->row[cell]]; total > 0 && e < x->start[s->t->row[cell] + 1]; e++) {
        const int32_t g = s->t->gene_of[k][x->gene[e]];
        if (g < 0) continue;
        const double y = log1p((double)x->value[e] * s->median / total);
        mean[g] += y;
        square[g] += y * y;
        if (sum) sum[g] += (double)x->value[e];
    }
    return total;
}

/* ---- controls ---- */

static sow_status measure_depth(sow_calibration *c, const sow_cells *t, const sow_index *control, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    double *total = NULL;
    sow_index kept = 0;
    SOW_NEW(total, n);
    for (sow_index i = 0; i < n; i++) {
        total[kept] = total_of(t, control[i]);
        kept += total[kept] > 0;
    }
    SOW_TRY(sow_quantile(&c->depth_median, total, kept, 0.5, err));
    for (sow_index i = 0; i < kept; i++)
        total[i] = log(total[i]);
    c->depth_log_sd = sqrt(sow_variance(total, kept));
done:
    free(total);
    return st;
}

static sow_status read_controls(scene *s, const sow_index *control, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(s->n, s->n_groups);
    SOW_NEW(s->mean, s->n_groups * s->genes);
    SOW_NEW(s->square, s->n_groups * s->genes);
    SOW_NEW(s->sum, s->n_groups * s->genes);
    SOW_NEW(s->all, s->n_groups);
    SOW_NEW(s->all_square, s->n_groups);
    for (sow_index i = 0; i < n; i++) {
        const sow_index b = sow_calibrate_group(s->t, control[i]);
        const double total = add_cell(s->mean + b * s->genes, s->square + b * s->genes, s->sum + b * s->genes, s, control[i]);
        s->all[b] += total;
        s->all_square[b] += total * total;
        s->n[b]++;
    }
    for (sow_index b = 0; b < s->n_groups; b++)
        for (sow_index g = 0; g < s->genes && s->n[b] > 1; g++) {
            double *m = &s->mean[b * s->genes + g], *v = &s->square[b * s->genes + g];
            *m /= (double)s->n[b];
            *v = fmax(*v - (double)s->n[b] * *m * *m, 0) / (double)(s->n[b] - 1);
        }
done:
    return st;
}

/* Variance over batches of a gene's log share without counting's; NaN where counts are too few. */
static double batch_variance(const scene *s, const sow_index *batch, sow_index n, sow_index g, double size, double *scratch)
{
    double counting = 0;
    for (sow_index i = 0; i < n; i++) {
        const sow_index b = batch[i];
        const double counts = s->sum[b * s->genes + g];
        if (counts < ENOUGH) return NAN;
        scratch[i] = log(counts / s->all[b]);
        counting += 1 / counts + s->all_square[b] / (s->all[b] * s->all[b] * size);
    }
    return sow_variance(scratch, n) - counting / (double)n;
}

static sow_status measure_batches(sow_calibration *c, const scene *s, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *batch = NULL, n = 0, n_genes = 0;
    double *scratch = NULL, sum = 0, counting = 0;
    SOW_NEW(batch, s->n_groups);
    SOW_NEW(scratch, s->n_groups);
    for (sow_index b = 0; b < s->n_groups; b++)
        if (s->n[b] >= ENOUGH_CONTROLS) batch[n++] = b;
    c->n_batches = n > 0 ? n : 1;
    if (n < 2) goto done;
    for (sow_index i = 0; i < c->genes.n; i++) {
        const double v = batch_variance(s, batch, n, sow_names_find(s->t->genes, sow_names_get(c->genes.genes, i)), c->genes.size[i], scratch);
        if (isnan(v)) continue;
        sum += v;
        n_genes++;
    }
    if (n_genes > 0) c->batch_effect = sqrt(fmax(sum / (double)n_genes, 0));
    for (sow_index i = 0; i < n; i++) {
        const double m = s->all[batch[i]] / (double)s->n[batch[i]];
        scratch[i] = log(m);
        counting += (s->all_square[batch[i]] / (double)s->n[batch[i]] / (m * m) - 1) / (double)s->n[batch[i]];
    }
    c->batch_depth = sqrt(fmax(sow_variance(scratch, n) - counting / (double)n, 0));
done:
    free(batch);
    free(scratch);
    return st;
}

/* ---- effects ---- */

static void leave_out_own(unsigned char *out, const scene *s, sow_index p)
{
    const sow_perturbation *what = &s->screen->detail[p];
    memset(out, 0, (size_t)s->genes);
    for (sow_index i = 0; i < what->n_agents; i++) {
        const sow_index g = sow_names_find(s->t->genes, what->agent[i]);
        if (g >= 0) out[g] = 1;
    }
}

typedef struct {
    double *mean, *square; /* [groups, genes], [genes]: sums of log1p values; of squares over all groups */
    sow_index *n;                /* [groups] */
    unsigned char *own;          /* [genes] */
} effect_room;

/* What is left of |d|^2; the room holds the perturbation's sums. `n` cells are in batches with controls. */
static double squared_length(const scene *s, const effect_room *r, sow_index n, sow_index n_batches)
{
    double total = 0, square = 0, noise = 0;
    sow_index kept = 0;
    for (sow_index g = 0; g < s->genes; g++) {
        double d = 0, of_controls = 0, within = r->square[g];
        if (r->own[g]) continue;
        for (sow_index b = 0; b < s->n_groups; b++) {
            if (r->n[b] == 0 || s->n[b] < 2) continue;
            const double w = (double)r->n[b] / (double)n, m = r->mean[b * s->genes + g] / (double)r->n[b];
            d += w * (m - s->mean[b * s->genes + g]);
            within -= (double)r->n[b] * m * m;
            of_controls += w * w * s->square[b * s->genes + g] / (double)s->n[b];
        }
        total += d;
        square += d * d;
        noise += fmax(within, 0) / (double)(n - n_batches) / (double)n + of_controls;
        kept++;
    }
    if (kept < 2) return 0;
    return square - total * total / (double)kept - noise * (1 - 1 / (double)kept);
}

static sow_status read_effect(double *length, const scene *s, effect_room *r, const sow_index *cell, sow_index n_cells, sow_index p, sow_error *err)
{
    sow_index n = 0, batches = 0;
    (void)err;
    memset(r->mean, 0, (size_t)(s->n_groups * s->genes) * sizeof *r->mean);
    memset(r->square, 0, (size_t)s->genes * sizeof *r->square);
    memset(r->n, 0, (size_t)s->n_groups * sizeof *r->n);
    for (sow_index i = 0; i < n_cells; i++) {
        const sow_index b = sow_calibrate_group(s->t, cell[i]);
        if (s->n[b] < 2) continue; /* nothing to compare with */
        add_cell(r->mean + b * s->genes, r->square, NULL, s, cell[i]);
        batches += r->n[b]++ == 0;
        n++;
    }
    *length = NAN;
    if (n < FEWEST_CELLS || n <= batches) return SOW_OK;
    leave_out_own(r->own, s, p);
    *length = sqrt(fmax(squared_length(s, r, n, batches), 0));
    return SOW_OK;
}

static sow_status quantiles(double *out, const double *at, int n_at, const double *x, sow_index n, double least, sow_error *err)
{
    sow_status st = SOW_OK;
    for (int i = 0; i < n_at; i++) {
        SOW_TRY(sow_quantile(&out[i], x, n, at[i], err));
        out[i] = fmax(out[i], least);
    }
done:
    return st;
}

static sow_status measure_effects(sow_calibration *c, const scene *s, sow_error *err)
{
    static const double lengths_at[] = SOW_CALIBRATION_LENGTHS_AT, cells_at[] = SOW_CALIBRATION_CELLS_AT;
    sow_status st = SOW_OK;
    const sow_index n = sow_screen_n_perturbations(s->screen);
    double *length = NULL, *cells = NULL;
    effect_room r = {0};
    sow_index kept = 0, measured = 0;
    SOW_NEW(length, n);
    SOW_NEW(cells, n);
    SOW_NEW(r.mean, s->n_groups * s->genes);
    SOW_NEW(r.square, s->genes);
    SOW_NEW(r.n, s->n_groups);
    SOW_NEW(r.own, s->genes);
    for (sow_index p = 0; p < n; p++) {
        const sow_index *cell = NULL, n_cells = sow_cells_of(&cell, s->t, p, s->context);
        if (n_cells == 0) continue;
        cells[measured++] = (double)n_cells;
        SOW_TRY(read_effect(&length[kept], s, &r, cell, n_cells, p, err));
        kept += !isnan(length[kept]);
    }
    if (kept == 0) goto done;
    c->n_perturbations = measured;
    SOW_TRY(quantiles(c->length, lengths_at, SOW_CALIBRATION_LENGTHS, length, kept, least_length, err));
    SOW_TRY(quantiles(c->cells, cells_at, SOW_CALIBRATION_CELLS, cells, measured, 1, err));
done:
    free(length);
    free(cells);
    free(r.mean);
    free(r.square);
    free(r.n);
    free(r.own);
    return st;
}

sow_status sow_calibrate(sow_calibration *out, const sow_cells *cells, const sow_screen *screen, sow_index context, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index *control = NULL, n = sow_cells_of(&control, cells, SOW_CONTROL, context);
    scene s = {.t = cells, .screen = screen, .context = context, .n_groups = sow_calibrate_groups(cells), .genes = sow_names_count(cells->genes)};
    *out = (sow_calibration){0};
    if (n == 0)
        SOW_FAIL(err, SOW_E_DATA, "context %s has no control cells to calibrate on; the source's perturbation.control says how they are labelled", sow_names_get(screen->contexts, context));
    SOW_TRY(sow_baseline_estimate(&out->genes, cells, control, n, err));
    out->n_controls = n;
    SOW_TRY(measure_depth(out, cells, control, n, err));
    s.median = out->depth_median;
    SOW_TRY(read_controls(&s, control, n, err));
    SOW_TRY(measure_batches(out, &s, err));
    SOW_TRY(measure_effects(out, &s, err));
done:
    if (st != SOW_OK) sow_calibration_clear(out);
    scene_clear(&s);
    return st;
}
