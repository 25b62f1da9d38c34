/* MMD of one perturbation's predicted and measured cells.
 *
 * The unbiased MMD is A + B - 2 C with the mean kernel between different predicted cells (A), different measured cells (B), and across (C). B depends on the
 * truth only and is kept. Of shifted controls, A is that of the controls, since a shift moves no two of them apart, and a distance across is
 *     |c + s - t|^2 = |c - t|^2 + 2 s.(c - t) + |s|^2
 * with |c - t|^2 kept: a model costs 512 x d + d x cells operations an item instead of 512 x d x cells, and no cells are made.
 *
 * Cells enter less the mean of the controls, so that single precision loses nothing (core/mmd_many.c); own genes are set to 0 on both sides, which leaves them
 * out of every distance. Kernels and their sums are in double. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/linalg.h"
#include "core/memory.h"
#include "core/mmd_internal.h"
#include "models/evaluate_cells_internal.h"

static const double published_sigma_de = 200, published_sigma_all = 1500;

static const float *row_of(const sow_i_sample *s, sow_index i)
{
    return s->x + (s->row ? s->row[i] : i) * s->d;
}

static double value_of(const sow_i_sample *s, const float *row, sow_index gene)
{
    return s->shift ? (double)(float)((double)row[gene] + s->shift[gene]) : (double)row[gene];
}

void sow_i_gather(float *out, const sow_i_sample *s, const sow_i_genes *genes, const sow_i_truth_item *own, const double *centre)
{
    sow_index width = genes ? genes->n : s->d;
    for (sow_index i = 0; i < s->n; i++) {
        const float *row = row_of(s, i);
        float *to = out + i * width;
        for (sow_index j = 0; j < width; j++) {
            sow_index gene = genes ? genes->gene[j] : j;
            to[j] = (float)(value_of(s, row, gene) - centre[gene]);
        }
        for (sow_index k = 0; own && k < own->n_own; k++) to[own->own[k]] = 0;
    }
}

/* ---- mean kernels ---- */

static double positive(double squared) { return squared > 0 ? squared : 0; }

/* Mean kernel between different rows of z [n >= 2, width]. */
static sow_status mean_within(double *out, const float *z, sow_index n, sow_index width, double sigma, sow_error *err)
{
    sow_status st = SOW_OK;
    double widest = sow_i_mmd_widest(sigma, SOW_I_KERNELS), sum = 0;
    float *gram = NULL;
    double *row = NULL;
    SOW_NEW(gram, n * n);
    SOW_NEW(row, n);
    SOW_TRY(sow_gram_f32(NULL, n, width, z, width, 0, gram, n, err));
    for (sow_index i = 1; i < n; i++) {
        const double own = (double)gram[i * n + i];
        for (sow_index j = 0; j < i; j++) row[j] = positive(own + (double)gram[j * n + j] - 2 * (double)gram[i * n + j]);
        sum += sow_i_mmd_kernel_sum(row, i, widest, SOW_I_KERNELS);
    }
    *out = 2 * sum / ((double)n * (double)(n - 1));
done:
    free(gram);
    free(row);
    return st;
}

static double squared_norm(const float *z, sow_index width)
{
    double s = 0;
    for (sow_index j = 0; j < width; j++) s += (double)z[j] * (double)z[j];
    return s;
}

/* |a|^2 without the own genes: rows of the sample of controls hold them. */
static double squared_norm_kept(const float *z, sow_index width, const sow_i_truth_item *own)
{
    double s = squared_norm(z, width);
    for (sow_index k = 0; own && k < own->n_own; k++) s -= (double)z[own->own[k]] * (double)z[own->own[k]];
    return s;
}

/* Squared distances of rows of a [n, width] from rows of b [m, width] into out [n, m]. The genes `own` (or NULL) are 0 in b and do not count in a. */
static sow_status distances_across(float *out, const float *a, sow_index n, const float *b, sow_index m, sow_index width, const sow_i_truth_item *own,
                                   sow_error *err)
{
    sow_status st = SOW_OK;
    double *norm = NULL;
    SOW_NEW(norm, m);
    for (sow_index j = 0; j < m; j++) norm[j] = squared_norm(b + j * width, width);
    SOW_TRY(sow_gemm_f32(NULL, 0, 1, n, m, width, -2, a, width, b, width, 0, out, m, err));
    for (sow_index i = 0; i < n; i++) {
        double of_a = squared_norm_kept(a + i * width, width, own);
        for (sow_index j = 0; j < m; j++) out[i * m + j] = (float)positive(of_a + norm[j] + (double)out[i * m + j]);
    }
done:
    free(norm);
    return st;
}

static double mean_across(const float *squared, sow_index n, sow_index m, double sigma)
{
    enum { PIECE = 1024 };
    const double widest = sow_i_mmd_widest(sigma, SOW_I_KERNELS);
    double sum = 0, piece[PIECE];
    for (sow_index at = 0; at < n * m; at += PIECE) {
        const sow_index count = n * m - at < PIECE ? n * m - at : PIECE;
        for (sow_index l = 0; l < count; l++) piece[l] = (double)squared[at + l];
        sum += sow_i_mmd_kernel_sum(piece, count, widest, SOW_I_KERNELS);
    }
    return sum / ((double)n * (double)m);
}

/* ---- what depends on the truth ---- */

/* Mean squared distance between different cells: twice the sum of the genes' variances. */
static double bandwidth(const double *variance, sow_i_genes genes)
{
    double s = 0;
    for (sow_index i = 0; i < genes.n; i++) s += variance[genes.gene[i]];
    return 2 * s;
}

/* From the controls; where they do not vary (or are fewer than two), from the measured cells; else none. */
static double bandwidth_of(const sow_truth *t, const double *truth_variance, sow_i_genes genes)
{
    double sigma = bandwidth(t->control_variance, genes);
    if (!(sigma > 0)) sigma = bandwidth(truth_variance, genes);
    return sigma > 0 && isfinite(sigma) ? sigma : (double)NAN;
}

/* Squared distance of controls i > j of the sample, own genes left out: one matrix of products serves every item. */
static double control_distance(const sow_truth *t, const sow_i_truth_item *item, sow_index i, sow_index j)
{
    const float *g = t->near_gram;
    sow_index n = t->n_near;
    double squared = (double)g[i * n + i] + (double)g[j * n + j] - 2 * (double)g[i * n + j];
    for (sow_index k = 0; k < item->n_own; k++) {
        double apart = (double)t->near[i * t->d + item->own[k]] - (double)t->near[j * t->d + item->own[k]];
        squared -= apart * apart;
    }
    return squared;
}

/* Mean kernel between different controls of the sample. */
static sow_status mean_within_controls(double *out, const sow_truth *t, const sow_i_truth_item *item, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index n = t->n_near;
    double widest = sow_i_mmd_widest(item->sigma_all, SOW_I_KERNELS), sum = 0, *row = NULL;
    *out = NAN;
    if (n < 2 || !(item->sigma_all > 0)) return SOW_OK;
    SOW_NEW(row, n);
    for (sow_index i = 1; i < n; i++) {
        for (sow_index j = 0; j < i; j++) row[j] = positive(control_distance(t, item, i, j));
        sum += sow_i_mmd_kernel_sum(row, i, widest, SOW_I_KERNELS);
    }
    *out = 2 * sum / ((double)n * (double)(n - 1));
done:
    free(row);
    return st;
}

static sow_i_sample measured(const sow_truth *t, const sow_i_truth_item *item)
{
    return (sow_i_sample){item->truth, t->d, item->row, item->n_row, NULL};
}

static sow_i_sample near_controls(const sow_truth *t, const double *shift)
{
    return (sow_i_sample){t->control, t->d, t->near_row, t->n_near, shift};
}

/* Mean kernel between different cells of a sample, and the cells themselves if `keep`. */
static sow_status mean_within_sample(double *out, float **keep, const sow_i_sample *s, const sow_i_genes *genes, const sow_i_truth_item *own, const sow_truth *t,
                                     double sigma, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index width = genes ? genes->n : s->d;
    float *z = NULL;
    *out = NAN;
    SOW_NEW(z, s->n * width);
    sow_i_gather(z, s, genes, own, t->control_mean);
    if (s->n > 1 && sigma > 0) SOW_TRY(mean_within(out, z, s->n, width, sigma, err));
    if (keep) {
        *keep = z;
        z = NULL;
    }
done:
    free(z);
    return st;
}

sow_status sow_i_prepare_mmd(sow_i_truth_item *item, const sow_truth *t, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_genes all = {item->kept, item->n_kept}, de = {item->de, item->n_de};
    sow_i_sample truth = measured(t, item), control = near_controls(t, NULL);
    double *variance = NULL;
    float *z = NULL;
    SOW_NEW(variance, t->d);
    sow_i_cell_variance(variance, item->truth, item->n, t->d, item->mean);
    item->sigma_all = bandwidth_of(t, variance, all);
    item->sigma_de = bandwidth_of(t, variance, de);
    SOW_TRY(mean_within_sample(&item->truth_all, &z, &truth, NULL, item, t, item->sigma_all, err));
    SOW_TRY(mean_within_sample(&item->truth_de, NULL, &truth, &de, NULL, t, item->sigma_de, err));
    SOW_TRY(mean_within_sample(&item->control_de, NULL, &control, &de, NULL, t, item->sigma_de, err));
    SOW_TRY(mean_within_controls(&item->control_all, t, item, err));
    SOW_NEW(item->across, t->n_near * item->n_row);
    SOW_TRY(distances_across(item->across, t->near, t->n_near, z, item->n_row, t->d, item, err));
done:
    free(variance);
    free(z);
    return st;
}

/* ---- of a model ---- */

static double unbiased(double predicted, double truth, double across)
{
    return predicted + truth - 2 * across;
}

/* Predicted cells, on all genes or on `genes`. */
static sow_status mmd_of_cells(double *out, const sow_truth *t, const sow_i_truth_item *item, const sow_i_sample *predicted, const sow_i_genes *genes, double sigma,
                               double truth_within, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_sample truth = measured(t, item);
    const sow_i_truth_item *own = genes ? NULL : item;
    sow_index width = genes ? genes->n : t->d;
    double within;
    float *a = NULL, *b = NULL, *squared = NULL;
    *out = NAN;
    if (predicted->n < 2 || truth.n < 2 || !(sigma > 0)) goto done;
    SOW_TRY(mean_within_sample(&within, &a, predicted, genes, own, t, sigma, err));
    SOW_NEW(b, truth.n * width);
    SOW_NEW(squared, predicted->n * truth.n);
    sow_i_gather(b, &truth, genes, own, t->control_mean);
    SOW_TRY(distances_across(squared, a, predicted->n, b, truth.n, width, NULL, err));
    *out = unbiased(within, truth_within, mean_across(squared, predicted->n, truth.n, sigma));
done:
    free(a);
    free(b);
    free(squared);
    return st;
}

/* A shift in single precision, own genes 0. */
static sow_status kept_shift(float **out, const sow_truth *t, const sow_i_truth_item *item, const double *shift, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(*out, t->d);
    for (sow_index j = 0; j < t->d; j++) (*out)[j] = (float)shift[j];
    for (sow_index k = 0; k < item->n_own; k++) (*out)[item->own[k]] = 0;
done:
    return st;
}

/* s.z of every row of z [n, d] into out [n]. */
static sow_status project(float *out, const float *shift, const float *z, sow_index n, sow_index d, sow_error *err)
{
    return sow_gemm_f32(NULL, 0, 1, 1, n, d, 1, shift, d, z, d, 0, out, n, err);
}

/* All genes of the controls moved by `shift`, from kept distances. */
static sow_status mmd_of_shift(double *out, const sow_truth *t, const sow_i_truth_item *item, const double *shift, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_sample truth = measured(t, item);
    sow_index n = t->n_near, m = item->n_row;
    float *s = NULL, *z = NULL, *along_control = NULL, *along_truth = NULL, *squared = NULL;
    *out = NAN;
    if (n < 2 || m < 2 || !(item->sigma_all > 0)) goto done;
    SOW_TRY(kept_shift(&s, t, item, shift, err));
    SOW_NEW(z, m * t->d);
    SOW_NEW(along_control, n);
    SOW_NEW(along_truth, m);
    SOW_NEW(squared, n * m);
    sow_i_gather(z, &truth, NULL, item, t->control_mean);
    SOW_TRY(project(along_control, s, t->near, n, t->d, err));
    SOW_TRY(project(along_truth, s, z, m, t->d, err));
    double length = squared_norm(s, t->d);
    for (sow_index i = 0; i < n; i++)
        for (sow_index j = 0; j < m; j++)
            squared[i * m + j] = (float)positive((double)item->across[i * m + j] + 2 * ((double)along_control[i] - (double)along_truth[j]) + length);
    *out = unbiased(item->control_all, item->truth_all, mean_across(squared, n, m, item->sigma_all));
done:
    free(s);
    free(z);
    free(along_control);
    free(along_truth);
    free(squared);
    return st;
}

/* The few DE genes of the controls moved by `shift`: the cells are made, but not compared with each other. */
static sow_status mmd_de_of_shift(double *out, const sow_truth *t, const sow_i_truth_item *item, const double *shift, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_genes de = {item->de, item->n_de};
    sow_i_sample truth = measured(t, item), moved = near_controls(t, shift);
    float *a = NULL, *b = NULL, *squared = NULL;
    *out = NAN;
    if (moved.n < 2 || truth.n < 2 || !(item->sigma_de > 0)) goto done;
    SOW_NEW(a, moved.n * de.n);
    SOW_NEW(b, truth.n * de.n);
    SOW_NEW(squared, moved.n * truth.n);
    sow_i_gather(a, &moved, &de, NULL, t->control_mean);
    sow_i_gather(b, &truth, &de, NULL, t->control_mean);
    SOW_TRY(distances_across(squared, a, moved.n, b, truth.n, de.n, NULL, err));
    *out = unbiased(item->control_de, item->truth_de, mean_across(squared, moved.n, truth.n, item->sigma_de));
done:
    free(a);
    free(b);
    free(squared);
    return st;
}

/* ---- as published ---- */

sow_status sow_i_mmd_batches(double *mean, double *each, const double *x, const double *y, sow_index m, sow_index d, double sigma, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_mmd_options options = {.sigma = sigma, .kernels = SOW_I_KERNELS, .unbiased = 0};
    sow_index batches = m / SOW_I_BATCH;
    double sum = 0;
    *mean = NAN;
    for (sow_index b = 0; b < batches; b++) {
        double value;
        SOW_TRY(sow_mmd(&value, x + b * SOW_I_BATCH * d, SOW_I_BATCH, y + b * SOW_I_BATCH * d, SOW_I_BATCH, d, &options, NULL, err));
        if (each) each[b] = value;
        sum += value;
    }
    if (batches > 0) *mean = sum / (double)batches;
done:
    return st;
}

/* m rows of a sample in random order. */
static sow_status draw_in_order(double **out, const sow_i_sample *s, sow_i_genes genes, sow_index m, const sow_truth *t, sow_index item, int which, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_rng rng = sow_i_metric_rng(&t->options, item, which);
    sow_index *perm = NULL;
    SOW_NEW(perm, s->n);
    SOW_NEW(*out, m * genes.n);
    for (sow_index i = 0; i < s->n; i++) perm[i] = i;
    sow_rng_permute(&rng, perm, s->n);
    for (sow_index i = 0; i < m; i++)
        for (sow_index j = 0; j < genes.n; j++) (*out)[i * genes.n + j] = value_of(s, row_of(s, perm[i]), genes.gene[j]);
done:
    free(perm);
    return st;
}

static sow_status published_mmd(double *out, const sow_truth *t, sow_index i, const sow_i_sample *predicted, sow_i_genes genes, double sigma, int which_p, int which_t,
                                sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_sample truth = {t->item[i].truth, t->d, NULL, t->item[i].n, NULL};
    sow_index m = predicted->n < truth.n ? predicted->n : truth.n;
    double *x = NULL, *y = NULL;
    *out = NAN;
    if (m < SOW_I_BATCH || genes.n == 0) goto done;
    SOW_TRY(draw_in_order(&x, predicted, genes, m, t, i, which_p, err));
    SOW_TRY(draw_in_order(&y, &truth, genes, m, t, i, which_t, err));
    SOW_TRY(sow_i_mmd_batches(out, NULL, x, y, m, genes.n, sigma, err));
done:
    free(x);
    free(y);
    return st;
}

/* ---- both ---- */

static sow_status default_mmd(double *value, const sow_truth *t, sow_index i, const sow_cells_item *p, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_truth_item *item = &t->item[i];
    sow_i_genes de = {item->de, item->n_de};
    sow_index *rows = NULL;
    if (!p->predicted) {
        SOW_TRY(mmd_of_shift(&value[SOW_I_MMD_ALL], t, item, p->shift, err));
        SOW_TRY(mmd_de_of_shift(&value[SOW_I_MMD_DE], t, item, p->shift, err));
        goto done;
    }
    sow_i_sample predicted = {.x = p->predicted, .d = t->d};
    SOW_TRY(sow_i_draw_rows(&rows, &predicted.n, p->m, &t->options, i, SOW_I_DRAW_PREDICTED, err));
    predicted.row = rows;
    SOW_TRY(mmd_of_cells(&value[SOW_I_MMD_ALL], t, item, &predicted, NULL, item->sigma_all, item->truth_all, err));
    SOW_TRY(mmd_of_cells(&value[SOW_I_MMD_DE], t, item, &predicted, &de, item->sigma_de, item->truth_de, err));
done:
    free(rows);
    return st;
}

sow_status sow_i_item_mmd(double *value, const sow_truth *t, sow_index i, const sow_cells_item *p, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_truth_item *item = &t->item[i];
    if (t->options.mode == SOW_EVALUATE_DEFAULT) return default_mmd(value, t, i, p, err);
    sow_i_sample predicted = {p->predicted ? p->predicted : t->control, t->d, NULL, p->predicted ? p->m : t->n_control, p->predicted ? NULL : p->shift};
    SOW_TRY(published_mmd(&value[SOW_I_MMD_DE], t, i, &predicted, (sow_i_genes){item->de, item->n_de}, published_sigma_de, SOW_I_DRAW_PREDICTED_DE,
                          SOW_I_DRAW_TRUE_DE, err));
    SOW_TRY(published_mmd(&value[SOW_I_MMD_ALL], t, i, &predicted, (sow_i_genes){item->kept, item->n_kept}, published_sigma_all, SOW_I_DRAW_PREDICTED_ALL,
                          SOW_I_DRAW_TRUE_ALL, err));
done:
    return st;
}

/* ---- distance from the controls ---- */

/* Controls moved by `shift` from the others unmoved: both sides have the controls' own spread. */
static sow_status distance_of_shift(double *out, const sow_truth *t, const sow_i_truth_item *item, const double *shift, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index n = t->n_near;
    double widest = sow_i_mmd_widest(item->sigma_all, SOW_I_KERNELS), sum = 0;
    float *s = NULL, *along = NULL;
    double *row = NULL;
    *out = NAN;
    if (n < 2 || !(item->sigma_all > 0)) goto done;
    SOW_TRY(kept_shift(&s, t, item, shift, err));
    SOW_NEW(along, n);
    SOW_NEW(row, 2 * n);
    SOW_TRY(project(along, s, t->near, n, t->d, err));
    double length = squared_norm(s, t->d);
    for (sow_index i = 1; i < n; i++) {
        for (sow_index j = 0; j < i; j++) {
            double apart = control_distance(t, item, i, j) + length, turn = 2 * ((double)along[i] - (double)along[j]);
            row[2 * j] = positive(apart + turn);
            row[2 * j + 1] = positive(apart - turn);
        }
        sum += sow_i_mmd_kernel_sum(row, 2 * i, widest, SOW_I_KERNELS);
    }
    *out = unbiased(item->control_all, item->control_all, sum / ((double)n * (double)(n - 1)));
done:
    free(s);
    free(along);
    free(row);
    return st;
}

/* Mean kernel across, without the pairs of a cell and the very control it was made from. */
static double mean_across_others(const float *squared, const sow_truth *t, const sow_cells_item *p, const sow_i_sample *predicted, double sigma)
{
    const sow_index n = t->n_near, m = predicted->n;
    const double widest = sow_i_mmd_widest(sigma, SOW_I_KERNELS);
    double sum = mean_across(squared, n, m, sigma) * (double)n * (double)m, pairs = (double)n * (double)m;
    for (sow_index j = 0; p->source && j < m; j++)
        for (sow_index k = 0, from = p->source[predicted->row ? predicted->row[j] : j]; k < n; k++) {
            const double apart = (double)squared[k * m + j];
            if ((t->near_row ? t->near_row[k] : k) != from) continue;
            sum -= sow_i_mmd_kernel_sum(&apart, 1, widest, SOW_I_KERNELS);
            pairs--;
        }
    return pairs > 0 ? sum / pairs : (double)NAN;
}

static sow_status distance_of_cells(double *out, const sow_truth *t, sow_index i, const sow_cells_item *p, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_truth_item *item = &t->item[i];
    sow_i_sample predicted = {.x = p->predicted, .d = t->d};
    sow_index *rows = NULL;
    double within;
    float *z = NULL, *squared = NULL;
    *out = NAN;
    SOW_TRY(sow_i_draw_rows(&rows, &predicted.n, p->m, &t->options, i, SOW_I_DRAW_PREDICTED, err));
    predicted.row = rows;
    if (predicted.n < 2 || t->n_near < 2 || !(item->sigma_all > 0)) goto done;
    SOW_TRY(mean_within_sample(&within, &z, &predicted, NULL, item, t, item->sigma_all, err));
    SOW_NEW(squared, t->n_near * predicted.n);
    SOW_TRY(distances_across(squared, t->near, t->n_near, z, predicted.n, t->d, item, err));
    *out = unbiased(within, item->control_all, mean_across_others(squared, t, p, &predicted, item->sigma_all));
done:
    free(rows);
    free(z);
    free(squared);
    return st;
}

/* Batches of 32 cells against batches of controls; shifted controls against the very controls they are. */
static sow_status published_distance(double *out, const sow_truth *t, sow_index i, const sow_i_sample *cells, int which, int which_control, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_genes all = {t->item[i].kept, t->item[i].n_kept};
    sow_i_sample control = {t->control, t->d, NULL, t->n_control, NULL};
    sow_index m = cells->n < control.n ? cells->n : control.n;
    double *x = NULL, *y = NULL;
    *out = NAN;
    if (m < SOW_I_BATCH || all.n == 0) goto done;
    SOW_TRY(draw_in_order(&x, cells, all, m, t, i, which, err));
    SOW_TRY(draw_in_order(&y, &control, all, m, t, i, which_control, err));
    SOW_TRY(sow_i_mmd_batches(out, NULL, x, y, m, all.n, published_sigma_all, err));
done:
    free(x);
    free(y);
    return st;
}

sow_status sow_i_item_distance(double *distance, const sow_truth *t, sow_index i, const sow_cells_item *p, sow_error *err)
{
    const sow_i_truth_item *item = &t->item[i];
    if (t->options.mode == SOW_EVALUATE_REFERENCE) {
        sow_i_sample cells = {item->truth, t->d, NULL, item->n, NULL};
        if (p && p->predicted) cells = (sow_i_sample){p->predicted, t->d, NULL, p->m, NULL};
        if (p && !p->predicted) cells = (sow_i_sample){t->control, t->d, NULL, t->n_control, p->shift};
        return published_distance(distance, t, i, &cells, p ? SOW_I_DRAW_PREDICTED_ALL : SOW_I_DRAW_TRUE_ALL,
                                  p && !p->predicted ? SOW_I_DRAW_PREDICTED_ALL : SOW_I_DRAW_CONTROL, err);
    }
    if (p && p->predicted) return distance_of_cells(distance, t, i, p, err);
    if (p) return distance_of_shift(distance, t, item, p->shift, err);
    *distance = NAN;
    if (t->n_near > 1 && item->n_row > 1 && item->sigma_all > 0)
        *distance = unbiased(item->control_all, item->truth_all, mean_across(item->across, t->n_near, item->n_row, item->sigma_all));
    return SOW_OK;
}
