#include <math.h>

#include "models/model_internal.h"

sow_index sow_i_target_rows(const sow_training *t, sow_index *rows)
{
    sow_index n = 0;
    for (sow_index i = 0; i < t->n; i++)
        if (t->context[i] == t->target) rows[n++] = i;
    if (n > 0) return n;
    for (sow_index i = 0; i < t->n; i++) rows[i] = i;
    return t->n;
}

static const double smallest_variance = 1e-12;

void sow_i_row_moments(double *mean, double *var, const double *y, sow_index d, const sow_index *rows, sow_index n)
{
    for (sow_index j = 0; j < d; j++) mean[j] = 0;
    for (sow_index r = 0; r < n; r++)
        for (sow_index j = 0; j < d; j++) mean[j] += y[rows[r] * d + j];
    for (sow_index j = 0; j < d; j++) mean[j] /= (double)n;
    if (!var) return;
    for (sow_index j = 0; j < d; j++) var[j] = 0;
    for (sow_index r = 0; r < n; r++)
        for (sow_index j = 0; j < d; j++) {
            double e = y[rows[r] * d + j] - mean[j];
            var[j] += e * e;
        }
    for (sow_index j = 0; j < d; j++) var[j] = fmax(n > 1 ? var[j] / (double)(n - 1) : mean[j] * mean[j], smallest_variance);
}

void sow_i_write_item(double *mean, double *var, double *noise, sow_index i, sow_index d, const double *mean_i, const double *var_i)
{
    for (sow_index j = 0; j < d; j++) {
        mean[i * d + j] = mean_i[j];
        if (var) var[i * d + j] = var_i ? var_i[j] : (double)NAN;
        if (noise) noise[i * d + j] = var_i ? 0.0 : (double)NAN;
    }
}
