/* Reads and UMIs, nominal levels, groups of genes, replicates. */
#include "simulator/power.h"

#include <math.h>
#include <stdlib.h>

#include "core/memory.h"
#include "core/stats.h"

double sow_umis_of_reads(const sow_umi_curve *curve, double reads)
{
    const double x = reads * curve->mapping / curve->saturation;
    return curve->saturation * (-expm1(-x) - 0.5 * exp(-x) * curve->variation * x * x);
}

double sow_reads_of_umis(const sow_umi_curve *curve, double umis)
{
    double low = 0, high = curve->saturation / curve->mapping;
    if (umis >= curve->saturation) return INFINITY;
    while (sow_umis_of_reads(curve, high) < umis) {
        high *= 2;
        if (high > 1e15) return INFINITY; /* so near saturation that the curve is flat in double precision */
    }
    for (int i = 0; i < 100; i++) {
        const double at = 0.5 * (low + high);
        if (sow_umis_of_reads(curve, at) < umis) low = at;
        else high = at;
    }
    return high;
}

double sow_power_alpha(sow_power_correction correction, double level, sow_index tested, double changed, double power)
{
    if (correction == SOW_POWER_BONFERRONI) return level / (double)(tested > 0 ? tested : 1);
    if (correction == SOW_POWER_BH) return level * changed * power / (1 - level * (1 - changed));
    return level;
}

sow_status sow_power_levels(sow_power_level *level, sow_index *n_levels, const sow_baseline *b, sow_index tested, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *order = NULL;
    double *size = NULL;
    if (tested <= 0 || tested > b->n) tested = b->n;
    if (n > tested) n = tested;
    *n_levels = n;
    SOW_NEW(order, b->n);
    SOW_NEW(size, b->n);
    for (sow_index i = 0; i < b->n; i++) size[i] = log(b->share[i]); /* values that differ by less than 1e-6 count as tied */
    SOW_TRY(sow_order_descending(order, size, NULL, b->n, err));
    for (sow_index k = 0; k < n; k++) {
        const sow_index from = k * tested / n, to = (k + 1) * tested / n;
        sow_power_level *l = &level[k];
        *l = (sow_power_level){.n = to - from, .low = b->share[order[from]], .high = b->share[order[from]]};
        for (sow_index i = from; i < to; i++) {
            const double share = b->share[order[i]];
            l->low = fmin(l->low, share); /* ties within 1e-6 stand by name */
            l->high = fmax(l->high, share);
            size[i - from] = share;
        }
        SOW_TRY(sow_quantile(&l->share, size, to - from, 0.5, err));
        for (sow_index i = from; i < to; i++) size[i - from] = b->size[order[i]];
        SOW_TRY(sow_quantile(&l->size, size, to - from, 0.5, err));
    }
done:
    free(order);
    free(size);
    return st;
}

double sow_reliability_at(double r, double n, double m)
{
    if (!(r > 0)) return isnan(r) ? (double)NAN : 0;
    return m * r / (n * (1 - r) + m * r);
}

double sow_cells_for_reliability(double r, double n, double wanted)
{
    if (!(r > 0)) return isnan(r) ? (double)NAN : INFINITY;
    return n * (1 - r) / r * wanted / (1 - wanted);
}
