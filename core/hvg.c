/* Scores of genes from sums over cells, and the choice of the highest. */
#include <stdlib.h>
#include <string.h>

#include "core/hvg_internal.h"
#include "core/memory.h"
#include "core/prepare_internal.h"

enum { N_BINS = 20 };
static const double V3_SPAN = 0.3, ABSENT_MEAN = 1e-12;
/* Two genes alone in a bin have normalised dispersions of plus and minus sqrt(1/2), up to rounding: that many bins tie, and the last bit must not decide. */
static const double TIE = 1e-9;

static int is_log(const sow_hvg_input *in)
{
    return in->n > 0 && in->cells->is_log[in->cells->in_matrix[in->cell[0]]];
}

static sow_status check_input(const sow_hvg_input *in, sow_error *err)
{
    if (in->n < 2) return SOW_ERROR(err, SOW_E_ARG, "highly variable genes need 2 cells or more, not %lld", (long long)in->n);
    if (is_log(in) && in->flavour == SOW_HVG_SEURAT_V3)
        return SOW_ERROR(err, SOW_E_DATA, "highly variable genes of flavour seurat_v3 need counts, and these values are log1p; use flavour seurat");
    return SOW_OK;
}

sow_status sow_i_hvg_sums(double *sum, double *total, const sow_hvg_input *in, double progress_from, double progress_to, const sow_env *env, sow_error *err)
{
    const sow_i_sum_kind kind = in->flavour == SOW_HVG_SEURAT_V3 ? SOW_I_SUM_COUNTS : is_log(in) ? SOW_I_SUM_EXPM1 : SOW_I_SUM_SHARES;
    const sow_i_sums what = {.cells = in->cells, .cell = in->cell, .n = in->n, .counted = in->counted, .total = total, .saying = "preparing",
                             .from = progress_from, .to = progress_to};
    sow_status st = check_input(in, err);
    return st == SOW_OK ? sow_i_sum_cells(sum, &what, kind, env, err) : st;
}

static void moments(double *mean, double *variance, const double *sum, const sow_hvg_input *in, double scale)
{
    const double n = (double)in->n;
    for (sow_index g = 0; g < sow_names_count(in->cells->genes); g++) {
        mean[g] = variance[g] = NAN;
        if ((in->counted && !in->counted[g]) || (in->skip_absent && sum[2 * g] == 0)) continue;
        mean[g] = sum[2 * g] * scale / n;
        variance[g] = sow_i_variance(sum[2 * g] * scale, sum[2 * g + 1] * scale * scale, n);
    }
}

/* ---- seurat ---- */

typedef struct {
    double edge[N_BINS + 1];
} bins;

/* Equal bins over the range as pandas.cut makes them, open below and closed above, the lowest a thousandth of the range wider. */
static bins make_bins(const double *log_mean, sow_index n)
{
    bins b;
    double low = INFINITY, high = -INFINITY;
    for (sow_index g = 0; g < n; g++) {
        if (isnan(log_mean[g])) continue;
        low = fmin(low, log_mean[g]);
        high = fmax(high, log_mean[g]);
    }
    const int flat = low == high;
    const double widen = flat ? (low != 0 ? 0.001 * fabs(low) : 0.001) : 0;
    low -= widen;
    high += widen;
    const double step = (high - low) / N_BINS;
    for (int i = 0; i < N_BINS; i++) b.edge[i] = i * step + low;
    b.edge[N_BINS] = high;
    if (!flat) b.edge[0] -= (high - low) * 0.001;
    return b;
}

static int bin_of(const bins *b, double x)
{
    int i = 1;
    while (i < N_BINS && b->edge[i] < x) i++;
    return i - 1;
}

/* Genes of one bin: mean and standard deviation (n - 1) of their dispersions. One gene alone is measured by itself: it gets 1. */
static void bin_statistics(double centre[N_BINS], double spread[N_BINS], const double *dispersion, const int *bin, sow_index n)
{
    sow_index count[N_BINS] = {0};
    double squares[N_BINS] = {0};
    memset(centre, 0, N_BINS * sizeof *centre);
    for (sow_index g = 0; g < n; g++) {
        if (isnan(dispersion[g])) continue;
        count[bin[g]]++;
        centre[bin[g]] += dispersion[g];
    }
    for (int i = 0; i < N_BINS; i++) centre[i] /= count[i] > 0 ? (double)count[i] : 1;
    for (sow_index g = 0; g < n; g++)
        if (!isnan(dispersion[g])) squares[bin[g]] += (dispersion[g] - centre[bin[g]]) * (dispersion[g] - centre[bin[g]]);
    for (int i = 0; i < N_BINS; i++) {
        spread[i] = count[i] > 1 ? sqrt(squares[i] / (double)(count[i] - 1)) : centre[i];
        if (count[i] < 2) centre[i] = 0;
    }
}

static sow_status seurat_scores(double *score, const double *mean, const double *variance, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    double *log_mean = NULL, centre[N_BINS], spread[N_BINS];
    int *bin = NULL;
    SOW_NEW(log_mean, n);
    SOW_NEW(bin, n);
    for (sow_index g = 0; g < n; g++) {
        const double m = mean[g] == 0 ? ABSENT_MEAN : mean[g];
        score[g] = variance[g] > 0 ? log(variance[g] / m) : NAN;
        log_mean[g] = log1p(m);
    }
    const bins b = make_bins(log_mean, n);
    for (sow_index g = 0; g < n; g++) bin[g] = bin_of(&b, log_mean[g]);
    bin_statistics(centre, spread, score, bin, n);
    for (sow_index g = 0; g < n; g++) score[g] = (score[g] - centre[bin[g]]) / spread[bin[g]];
done:
    free(log_mean);
    free(bin);
    return st;
}

/* ---- seurat_v3 ---- */

/* Standard deviation that a gene of this mean has; 1 for genes that do not vary, as they are not part of the regression. */
static sow_status expected_spread(double *spread, const double *mean, const double *variance, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    double *x = NULL, *y = NULL, *fitted = NULL;
    sow_index k = 0;
    SOW_NEW(x, n);
    SOW_NEW(y, n);
    SOW_NEW(fitted, n);
    for (sow_index g = 0; g < n; g++) {
        if (!(variance[g] > 0 && mean[g] > 0)) continue;
        x[k] = log10(mean[g]);
        y[k++] = log10(variance[g]);
    }
    if (k > 0) SOW_TRY(sow_loess(fitted, x, y, k, V3_SPAN, err));
    for (sow_index g = 0, i = 0; g < n; g++) spread[g] = variance[g] > 0 && mean[g] > 0 ? sqrt(pow(10, fitted[i++])) : 1;
done:
    free(x);
    free(y);
    free(fitted);
    return st;
}

static sow_status v3_scores(double *score, const double *mean, const double *variance, const sow_hvg_input *in, double progress_from, double progress_to,
                            const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index n_genes = sow_names_count(in->cells->genes);
    const double n = (double)in->n;
    double *spread = NULL, *clip = NULL, *sum = NULL;
    SOW_NEW(spread, n_genes);
    SOW_NEW(clip, n_genes);
    SOW_NEW(sum, 2 * n_genes);
    SOW_TRY(expected_spread(spread, mean, variance, n_genes, err));
    for (sow_index g = 0; g < n_genes; g++) clip[g] = isnan(mean[g]) ? 0 : spread[g] * sqrt(n) + mean[g];
    const sow_i_sums what = {.cells = in->cells, .cell = in->cell, .n = in->n, .counted = in->counted, .clip = clip, .saying = "preparing",
                             .from = progress_from, .to = progress_to};
    SOW_TRY(sow_i_sum_cells(sum, &what, SOW_I_SUM_CLIPPED, env, err));
    for (sow_index g = 0; g < n_genes; g++)
        score[g] = variance[g] > 0 ? (n * mean[g] * mean[g] + sum[2 * g + 1] - 2 * sum[2 * g] * mean[g]) / ((n - 1) * spread[g] * spread[g]) : NAN;
done:
    free(spread);
    free(clip);
    free(sum);
    return st;
}

/* ---- both ---- */

sow_status sow_i_hvg_scores(double *score, double *mean, double *variance, const double *sum, const sow_hvg_input *in, double progress_from, double progress_to,
                            const sow_env *env, sow_error *err)
{
    const int normalised = in->flavour == SOW_HVG_SEURAT && !is_log(in);
    if (normalised && !(isfinite(in->target_sum) && in->target_sum > 0))
        return SOW_ERROR(err, SOW_E_ARG, "target_sum %g is not allowed: a number above 0 is", in->target_sum);
    moments(mean, variance, sum, in, normalised ? in->target_sum : 1);
    if (in->flavour == SOW_HVG_SEURAT) return seurat_scores(score, mean, variance, sow_names_count(in->cells->genes), err);
    return v3_scores(score, mean, variance, in, progress_from, progress_to, env, err);
}

sow_status sow_hvg_scores(double *score, double *mean, double *variance, const sow_hvg_input *input, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    double *sum = NULL;
    SOW_NEW(sum, 2 * sow_names_count(input->cells->genes));
    SOW_TRY(sow_i_hvg_sums(sum, NULL, input, 0, 0.5, env, err));
    SOW_TRY(sow_i_hvg_scores(score, mean, variance, sum, input, 0.5, 1, env, err));
done:
    free(sum);
    return st;
}

typedef struct {
    double score;
    sow_index gene;
} ranked;

static int by_score(const void *pa, const void *pb)
{
    const ranked *a = pa, *b = pb;
    if (a->score != b->score) return a->score > b->score ? -1 : 1;
    return a->gene < b->gene ? -1 : a->gene > b->gene;
}

sow_status sow_hvg_choose(unsigned char *chosen, sow_index *n_chosen, const double *score, sow_index n, sow_index n_top, sow_hvg_flavour flavour, sow_error *err)
{
    sow_status st = SOW_OK;
    ranked *order = NULL;
    sow_index k = 0, top = 0;
    SOW_NEW(order, n);
    memset(chosen, 0, (size_t)n);
    for (sow_index g = 0; g < n; g++)
        if (!isnan(score[g])) order[k++] = (ranked){score[g], g};
    qsort(order, (size_t)k, sizeof *order, by_score);
    for (; top < k; top++) {
        if (top >= n_top && (flavour != SOW_HVG_SEURAT || n_top < 1 || order[top].score < order[n_top - 1].score - TIE)) break;
        chosen[order[top].gene] = 1;
    }
    *n_chosen = top;
done:
    free(order);
    return st;
}
