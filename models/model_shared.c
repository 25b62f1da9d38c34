#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/linalg.h"
#include "core/memory.h"
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

void sow_i_mean_square(double *out, const double *y, sow_index d, const sow_index *rows, sow_index n)
{
    for (sow_index j = 0; j < d; j++) out[j] = 0;
    for (sow_index r = 0; r < n; r++)
        for (sow_index j = 0; j < d; j++) out[j] += y[rows[r] * d + j] * y[rows[r] * d + j];
    for (sow_index j = 0; j < d; j++) out[j] = fmax(out[j] / (double)n, smallest_variance);
}

void sow_i_write_item(double *mean, double *var, double *noise, sow_index i, sow_index d, const double *mean_i, const double *var_i)
{
    for (sow_index j = 0; j < d; j++) {
        mean[i * d + j] = mean_i[j];
        if (var) var[i * d + j] = var_i ? var_i[j] : (double)NAN;
        if (noise) noise[i * d + j] = var_i ? 0.0 : (double)NAN;
    }
}

/* A counting sort, which keeps the order of rows. */
sow_status sow_i_rows_make(sow_i_rows *out, const sow_training *t, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index d = t->n_features;
    *out = (sow_i_rows){.d = d};
    for (sow_index i = 0; i < t->n; i++)
        if (t->perturbation[i] >= out->n_items) out->n_items = t->perturbation[i] + 1;
    SOW_NEW(out->start, out->n_items + 2);
    SOW_NEW(out->context, t->n);
    SOW_NEW(out->row, t->n);
    if (!t->lasting) {
        SOW_NEW(out->own, t->n * d);
        memcpy(out->own, t->y, (size_t)(t->n * d) * sizeof *out->own);
    }
    out->y = t->lasting ? t->y : out->own;
    for (sow_index i = 0; i < t->n; i++) out->start[t->perturbation[i] + 2]++;
    for (sow_index p = 0; p < out->n_items; p++) out->start[p + 2] += out->start[p + 1];
    for (sow_index i = 0; i < t->n; i++) {
        sow_index at = out->start[t->perturbation[i] + 1]++;
        out->context[at] = t->context[i];
        out->row[at] = i;
    }
done:
    return st;
}

void sow_i_rows_clear(sow_i_rows *rows)
{
    free(rows->start);
    free(rows->context);
    free(rows->row);
    free(rows->own);
    *rows = (sow_i_rows){0};
}

sow_index sow_i_rows_mean(double *out, const sow_i_rows *rows, sow_index p, sow_index c, sow_i_where where)
{
    sow_index n = 0, d = rows->d;
    for (sow_index j = 0; j < d; j++) out[j] = 0;
    if (p < 0 || p >= rows->n_items) return 0;
    for (sow_index k = rows->start[p]; k < rows->start[p + 1]; k++) {
        if ((rows->context[k] == c) != (where == SOW_I_HERE)) continue;
        sow_axpy(d, 1, rows->y + rows->row[k] * d, out);
        n++;
    }
    for (sow_index j = 0; j < d && n > 0; j++) out[j] /= (double)n;
    return n;
}
