#include "core/cross_context.h"

#include <math.h>

/* Mean and variance (n - 1; 0 of one) of gene j over the contexts that measured it. */
static void gene_moments(double *mean, double *var, const double *const *delta, sow_index n, sow_index measured, sow_index j)
{
    double sum = 0, squares = 0;
    for (sow_index c = 0; c < n; c++)
        if (delta[c]) sum += delta[c][j];
    *mean = sum / (double)measured;
    for (sow_index c = 0; c < n; c++)
        if (delta[c]) squares += (delta[c][j] - *mean) * (delta[c][j] - *mean);
    *var = measured > 1 ? squares / (double)(measured - 1) : 0;
}

/* Mean of the errors of the contexts that measured it; NaN when one is not known. */
static double mean_error(const double *const *delta, const double *error, sow_index n, sow_index measured)
{
    double sum = 0;
    for (sow_index c = 0; c < n; c++)
        if (delta[c]) sum += error ? error[c] : NAN;
    return sum / (double)measured;
}

sow_status sow_cross_context_of(sow_cross_context *out, const double *const *delta, const double *error, sow_index n, sow_index d, sow_error *err)
{
    double size = 0, square = 0, var = 0;
    *out = (sow_cross_context){.cv = NAN, .clear_effect = NAN, .clear_spread = NAN, .clear_cv = NAN};
    if (n < 0 || d < 1) return SOW_ERROR(err, SOW_E_ARG, "responses of %lld genes in %lld contexts", (long long)d, (long long)n);
    for (sow_index c = 0; c < n; c++) out->contexts += delta[c] != NULL;
    if (out->contexts == 0) return SOW_OK;
    for (sow_index j = 0; j < d; j++) {
        double mean, spread;
        gene_moments(&mean, &spread, delta, n, out->contexts, j);
        size += fabs(mean) / (double)d;
        square += mean * mean / (double)d;
        var += spread / (double)d;
    }
    if (!isfinite(size) || !isfinite(var)) return SOW_ERROR(err, SOW_E_NONFINITE, "a response in a reference context is not finite");
    out->effect = size;
    out->spread = sqrt(var);
    const int several = out->contexts > 1;
    if (several && size > 0) out->cv = out->spread / size;
    const double noise = mean_error(delta, error, n, out->contexts), of_mean = noise / (double)out->contexts;
    if (isnan(noise)) return SOW_OK;
    out->clear_effect = sqrt(fmax(0, square - of_mean));
    out->clear_spread = sqrt(fmax(0, var - noise));
    if (several && square - of_mean > of_mean) out->clear_cv = out->clear_spread / out->clear_effect;
    return SOW_OK;
}
