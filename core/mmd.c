/* Squared maximum mean discrepancy (Gretton et al. 2012) in double, from plain differences: slow, and what the batch version is held against.
 *
 *     biased     mean k(x, x') + mean k(y, y') - 2 mean k(x, y), diagonals included
 *     unbiased   the same with the means of k(x, x') and k(y, y') over pairs of different cells
 *
 * k sums Gaussians whose bandwidths b 2^i double, so with e = exp(-squared / widest) the others are e^2, e^4, ... Each squaring doubles the relative error:
 * after RENEW - 1 of them it is below 2^RENEW / 2 units, and the next is taken from exp again. */
#include <math.h>
#include <stdlib.h>

#include "core/memory.h"
#include "core/mmd_internal.h"

enum { RENEW = 10, ROWS = 8, LANES = 8, COLUMNS = 32, MOST_KERNELS = 30 };

int sow_i_mmd_from_data(const sow_mmd_options *options)
{
    return isnan(options->sigma) || options->sigma == 0;
}

sow_status sow_i_mmd_check(sow_index n, sow_index m, sow_index d, const sow_mmd_options *options, sow_error *err)
{
    const sow_index least = options->unbiased ? 2 : 1;
    if (n < least || m < least || d < 0)
        return SOW_ERROR(err, SOW_E_ARG, "%s MMD of %lld and %lld cells in %lld genes: it needs at least %lld on each side", options->unbiased ? "unbiased" : "biased",
                         (long long)n, (long long)m, (long long)d, (long long)least);
    if (options->kernels < 1 || options->kernels > MOST_KERNELS)
        return SOW_ERROR(err, SOW_E_ARG, "MMD with %d kernels; allowed are 1 to %d", options->kernels, MOST_KERNELS);
    if (!sow_i_mmd_from_data(options) && !(options->sigma > 0 && isfinite(options->sigma)))
        return SOW_ERROR(err, SOW_E_ARG, "MMD with sigma %g; it must be above 0, or 0 to take it from the data", options->sigma);
    return SOW_OK;
}

double sow_i_mmd_widest(double sigma, int kernels)
{
    return ldexp(sigma, kernels - 1 - kernels / 2);
}

double sow_i_mmd_kernels(double squared, double widest, int kernels)
{
    const double exponent = -squared / widest;
    double sum = 0, e = 1;
    for (int i = 0; i < kernels; i++) {
        e = i % RENEW ? e * e : exp(ldexp(exponent, i));
        sum += e;
    }
    return sum;
}

double sow_i_mmd_of_sums(double xx, double yy, double xy, sow_index n, sow_index m, int kernels, int unbiased)
{
    const double a = (double)n, b = (double)m, both = 2 * (xy / (a * b));
    if (unbiased) return (xx - kernels * a) / (a * (a - 1)) + (yy - kernels * b) / (b * (b - 1)) - both;
    const double squared = xx / (a * a) + yy / (b * b) - both;
    return squared > 0 || isnan(squared) ? squared : 0; /* the V-statistic is a squared norm: below 0 is rounding */
}

/* ---- in double ---- */

typedef struct {
    const double *x, *y;
    sow_index n, m, d;
    double widest;
    int kernels;
    double *sums; /* [n + m][2]: of a row of x over x and over y; of a row of y over y */
} double_job;

static double squared_distance(const double *a, const double *b, sow_index d)
{
    double lane[LANES] = {0}, sum = 0;
    sow_index j = 0;
    for (; j + LANES <= d; j += LANES)
        for (int l = 0; l < LANES; l++) lane[l] += (a[j + l] - b[j + l]) * (a[j + l] - b[j + l]);
    for (; j < d; j++) sum += (a[j] - b[j]) * (a[j] - b[j]);
    for (int l = 0; l < LANES; l++) sum += lane[l];
    return sum;
}

static double row_sum(const double_job *w, const double *row, const double *others, sow_index n)
{
    double sum = 0;
    for (sow_index i = 0; i < n; i++) sum += sow_i_mmd_kernels(squared_distance(row, others + i * w->d, w->d), w->widest, w->kernels);
    return sum;
}

static sow_status double_rows(void *user, sow_index tile, sow_error *err)
{
    (void)err;
    const double_job *w = user;
    for (sow_index i = tile * ROWS; i < (tile + 1) * ROWS && i < w->n + w->m; i++) {
        const double *row = i < w->n ? w->x + i * w->d : w->y + (i - w->n) * w->d;
        w->sums[2 * i] = i < w->n ? row_sum(w, row, w->x, w->n) : 0;
        w->sums[2 * i + 1] = row_sum(w, row, w->y, w->m);
    }
    return SOW_OK;
}

/* Sum over rows and `width` columns of |z - mean|^2; differences from `shift`, a row, make it 0 exactly for equal rows. */
static double scatter(const double *const *sample, const sow_index *count, sow_index d, sow_index width)
{
    const double *shift = sample[0];
    double mean[COLUMNS] = {0}, squares[COLUMNS] = {0}, sum = 0;
    for (int s = 0; s < 2; s++)
        for (sow_index i = 0; i < count[s]; i++)
            for (sow_index j = 0; j < width; j++) mean[j] += sample[s][i * d + j] - shift[j];
    for (sow_index j = 0; j < width; j++) mean[j] /= (double)(count[0] + count[1]);
    for (int s = 0; s < 2; s++)
        for (sow_index i = 0; i < count[s]; i++)
            for (sow_index j = 0; j < width; j++) {
                const double off = sample[s][i * d + j] - shift[j] - mean[j];
                squares[j] += off * off;
            }
    for (sow_index j = 0; j < width; j++) sum += squares[j];
    return sum;
}

/* Sum of squared distances of all ordered pairs / (N^2 - N) = 2 sum |z - mean|^2 / (N - 1). */
static double bandwidth_of(const double *x, sow_index n, const double *y, sow_index m, sow_index d)
{
    const sow_index count[2] = {n, m};
    double sum = 0;
    for (sow_index j = 0; j < d; j += COLUMNS) {
        const double *const sample[2] = {x + j, y + j};
        sum += scatter(sample, count, d, d - j < COLUMNS ? d - j : COLUMNS);
    }
    return 2 * sum / (double)(n + m - 1);
}

sow_status sow_mmd(double *out, const double *x, sow_index n, const double *y, sow_index m, sow_index d, const sow_mmd_options *options, const sow_env *env,
                   sow_error *err)
{
    const sow_mmd_options defaults = SOW_MMD_INIT, *o = options ? options : &defaults;
    double_job w = {.x = x, .y = y, .n = n, .m = m, .d = d, .kernels = o->kernels};
    double xx = 0, yy = 0, xy = 0;
    sow_status st = SOW_OK;
    *out = NAN;
    SOW_TRY(sow_i_mmd_check(n, m, d, o, err));
    const double sigma = sow_i_mmd_from_data(o) ? bandwidth_of(x, n, y, m, d) : o->sigma;
    if (sigma == 0) {
        *out = 0;
        return SOW_OK;
    }
    w.widest = sow_i_mmd_widest(sigma, o->kernels);
    SOW_NEW(w.sums, 2 * (n + m));
    SOW_TRY(sow_parallel_for(sow_env_threads(env), (n + m + ROWS - 1) / ROWS, double_rows, &w, err));
    for (sow_index i = 0; i < n; i++) {
        xx += w.sums[2 * i];
        xy += w.sums[2 * i + 1];
    }
    for (sow_index i = n; i < n + m; i++) yy += w.sums[2 * i + 1];
    const double value = sow_i_mmd_of_sums(xx, yy, xy, n, m, o->kernels, o->unbiased);
    if (!isfinite(value)) SOW_FAIL(err, SOW_E_NONFINITE, "MMD of %lld and %lld cells: a value is not a finite number", (long long)n, (long long)m);
    *out = value;
done:
    free(w.sums);
    return st;
}
