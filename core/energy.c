/* Energy distance (Szekely & Rizzo 2013) of float samples, and the mean squared distance within one. Distances are plain sums of differences in double,
 * because a square root has no patience with cancellation. */
#include <math.h>
#include <stdlib.h>

#include "core/memory.h"
#include "core/mmd.h"

enum { ROWS = 8, LANES = 8, COLUMNS = 32 };

typedef struct {
    const float *x, *y;
    sow_index n, m, d;
    double *sums; /* [n + m][2]: of a row of x over x and over y; of a row of y over y */
} job;

static double distance(const float *a, const float *b, sow_index d)
{
    double lane[LANES] = {0}, sum = 0;
    sow_index j = 0;
    for (; j + LANES <= d; j += LANES)
        for (int l = 0; l < LANES; l++) {
            const double off = (double)a[j + l] - (double)b[j + l];
            lane[l] += off * off;
        }
    for (; j < d; j++) sum += ((double)a[j] - (double)b[j]) * ((double)a[j] - (double)b[j]);
    for (int l = 0; l < LANES; l++) sum += lane[l];
    return sqrt(sum);
}

static double row_sum(const job *w, const float *row, const float *others, sow_index n)
{
    double sum = 0;
    for (sow_index i = 0; i < n; i++) sum += distance(row, others + i * w->d, w->d);
    return sum;
}

static sow_status energy_rows(void *user, sow_index tile, sow_error *err)
{
    (void)err;
    const job *w = user;
    for (sow_index i = tile * ROWS; i < (tile + 1) * ROWS && i < w->n + w->m; i++) {
        const float *row = i < w->n ? w->x + i * w->d : w->y + (i - w->n) * w->d;
        w->sums[2 * i] = i < w->n ? row_sum(w, row, w->x, w->n) : 0;
        w->sums[2 * i + 1] = row_sum(w, row, w->y, w->m);
    }
    return SOW_OK;
}

sow_status sow_energy_distance(double *out, const float *x, sow_index n, const float *y, sow_index m, sow_index d, int unbiased, const sow_env *env,
                               sow_error *err)
{
    job w = {.x = x, .y = y, .n = n, .m = m, .d = d};
    const sow_index least = unbiased ? 2 : 1, missing = unbiased ? 1 : 0;
    double xx = 0, yy = 0, xy = 0;
    sow_status st = SOW_OK;
    *out = NAN;
    if (n < least || m < least || d < 0)
        SOW_FAIL(err, SOW_E_ARG, "%s energy distance of %lld and %lld cells in %lld genes: it needs at least %lld on each side",
                 unbiased ? "unbiased" : "biased", (long long)n, (long long)m, (long long)d, (long long)least);
    SOW_NEW(w.sums, 2 * (n + m));
    SOW_TRY(sow_parallel_for(sow_env_threads(env), (n + m + ROWS - 1) / ROWS, energy_rows, &w, err));
    for (sow_index i = 0; i < n; i++) {
        xx += w.sums[2 * i];
        xy += w.sums[2 * i + 1];
    }
    for (sow_index i = n; i < n + m; i++) yy += w.sums[2 * i + 1];
    const double a = (double)n, b = (double)m;
    const double value = 2 * (xy / (a * b)) - xx / (a * (double)(n - missing)) - yy / (b * (double)(m - missing));
    if (!isfinite(value)) SOW_FAIL(err, SOW_E_NONFINITE, "energy distance of %lld and %lld cells: a value is not a finite number", (long long)n, (long long)m);
    *out = !unbiased && value < 0 ? 0 : value; /* the biased one is never below 0 but for rounding */
done:
    free(w.sums);
    return st;
}

/* Sum over rows and `width` columns of |x - mean|^2; differences from the first row make it 0 exactly for equal rows. */
static double scatter(const float *x, sow_index n, sow_index d, sow_index width)
{
    double mean[COLUMNS] = {0}, squares[COLUMNS] = {0}, sum = 0;
    for (sow_index i = 0; i < n; i++)
        for (sow_index j = 0; j < width; j++) mean[j] += (double)x[i * d + j] - (double)x[j];
    for (sow_index j = 0; j < width; j++) mean[j] /= (double)n;
    for (sow_index i = 0; i < n; i++)
        for (sow_index j = 0; j < width; j++) {
            const double off = (double)x[i * d + j] - (double)x[j] - mean[j];
            squares[j] += off * off;
        }
    for (sow_index j = 0; j < width; j++) sum += squares[j];
    return sum;
}

double sow_mean_squared_distance(const float *x, sow_index n, sow_index d)
{
    double sum = 0;
    if (n < 2) return NAN;
    for (sow_index j = 0; j < d; j += COLUMNS) sum += scatter(x + j, n, d, d - j < COLUMNS ? d - j : COLUMNS);
    return 2 * sum / (double)(n - 1);
}
