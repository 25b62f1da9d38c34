/* Fox, Discrete optimization via marginal analysis, Management Science 13 (1966). Cell by cell would take as many steps as there are cells; here a price is found by bisection at which everybody
 * takes the cells that are worth it, and only the last few, which are worth the price itself, go one by one. */
#include "core/allocate.h"

#include <math.h>

static const double ALIKE = 1e-6; /* relative; as ties are judged elsewhere */

typedef struct {
    const double *weight, *var, *noise;
    sow_index n, least, most;
} market;

/* What the cell after `cells` takes off L: w s / ((x + n) (x + n + 1)). */
static double gain_of_next(const market *m, sow_index i, sow_index cells)
{
    if (!(m->weight[i] > 0 && m->var[i] > 0 && m->noise[i] > 0)) return 0;
    const double x = m->noise[i] / m->var[i] + (double)cells;
    return m->weight[i] * m->noise[i] / x / (x + 1);
}

/* Cells that i takes while the next is worth the price. */
static sow_index taken_at(const market *m, sow_index i, double price)
{
    sow_index low = m->least, high = m->most;
    while (low < high) {
        const sow_index mid = low + (high - low) / 2;
        if (gain_of_next(m, i, mid) >= price) low = mid + 1;
        else high = mid;
    }
    return low;
}

static sow_index taken(sow_index *cells, const market *m, double price)
{
    sow_index sum = 0;
    for (sow_index i = 0; i < m->n; i++)
        sum += cells[i] = taken_at(m, i, price);
    return sum;
}

/* Among gains alike the one with the fewest cells, then the first; -1 when all have the most. */
static sow_index next_taker(const market *m, const sow_index *cells)
{
    double best = -1;
    sow_index who = -1;
    for (sow_index i = 0; i < m->n; i++)
        if (cells[i] < m->most) best = fmax(best, gain_of_next(m, i, cells[i]));
    for (sow_index i = 0; i < m->n; i++) {
        if (cells[i] >= m->most || gain_of_next(m, i, cells[i]) < best * (1 - ALIKE)) continue;
        if (who < 0 || cells[i] < cells[who]) who = i;
    }
    return who;
}

/* Cells that help nobody any more: the poorest first, up to a common level. Returns what does not divide. */
static sow_index level(sow_index *cells, const market *m, sow_index rest)
{
    sow_index low = m->least, high = m->most;
    while (low < high) {
        const sow_index mid = high - (high - low) / 2;
        sow_index needed = 0;
        for (sow_index i = 0; i < m->n && needed <= rest; i++)
            needed += cells[i] < mid ? mid - cells[i] : 0;
        if (needed <= rest) low = mid;
        else high = mid - 1;
    }
    for (sow_index i = 0; i < m->n; i++) {
        if (cells[i] >= low) continue;
        rest -= low - cells[i];
        cells[i] = low;
    }
    return rest;
}

/* The price that leaves as little as possible: above `low`, which too many would pay, and at or below `high`. */
static double clearing_price(sow_index *cells, const market *m, sow_index total, double low, double high)
{
    for (int step = 0; step < 2000 && high > low * (1 + 1e-12); step++) {
        const double mid = sqrt(low) * sqrt(high);
        if (!(mid > low && mid < high)) break;
        if (taken(cells, m, mid) <= total) high = mid;
        else low = mid;
    }
    return high;
}

static sow_status check(const market *m, sow_index total, sow_error *err)
{
    if (m->least < 0 || m->most < m->least || (m->n > 0 && m->most > INT64_MAX / m->n))
        return SOW_ERROR(err, SOW_E_ARG, "cells between %lld and %lld cannot be shared out", (long long)m->least, (long long)m->most);
    if (total < m->n * m->least || total > m->n * m->most)
        return SOW_ERROR(err, SOW_E_ARG, "%lld cells cannot be shared out among %lld perturbations with %lld to %lld each", (long long)total, (long long)m->n, (long long)m->least, (long long)m->most);
    for (sow_index i = 0; i < m->n; i++)
        if (!(isfinite(m->weight[i]) && isfinite(m->var[i]) && isfinite(m->noise[i]) && m->weight[i] >= 0 && m->var[i] >= 0 && m->noise[i] >= 0))
            return SOW_ERROR(err, SOW_E_NONFINITE, "perturbation %lld of the batch has weight %g, variance %g and noise %g: finite numbers >= 0 are allowed", (long long)i, m->weight[i], m->var[i], m->noise[i]);
    return SOW_OK;
}

sow_status sow_allocate_cells(sow_index *cells, const double *weight, const double *var, const double *noise, sow_index n, sow_index total, sow_index least, sow_index most, sow_error *err)
{
    const market m = {weight, var, noise, n, least, most};
    double low = INFINITY, high = 0;
    const sow_status st = n == 0 && total == 0 ? SOW_OK : check(&m, total, err);
    if (st != SOW_OK || n == 0) return st;
    for (sow_index i = 0; i < n; i++) {
        const double last = most > least ? gain_of_next(&m, i, most - 1) : 0;
        high = fmax(high, gain_of_next(&m, i, least));
        if (last > 0) low = fmin(low, last);
    }
    if (isfinite(low) && taken(cells, &m, low) > total) {
        high *= 2; /* nobody pays that */
        (void)taken(cells, &m, clearing_price(cells, &m, total, low, high));
    } else if (!isfinite(low)) {
        (void)taken(cells, &m, INFINITY);
    }
    sow_index rest = total;
    for (sow_index i = 0; i < n; i++)
        rest -= cells[i];
    for (sow_index who = next_taker(&m, cells); rest > 0 && gain_of_next(&m, who, cells[who]) > 0; rest--, who = next_taker(&m, cells))
        cells[who]++;
    rest = level(cells, &m, rest);
    for (sow_index i = 0; rest > 0 && i < n; i++) { /* who is on the level, one each: all at `most` have been counted out by the check */
        sow_index poorest = i;
        for (sow_index k = 0; k < n; k++)
            if (cells[k] < cells[poorest]) poorest = k;
        cells[poorest]++;
        rest--;
    }
    return SOW_OK;
}

static double left_of(double weight, double var, double noise, double cells)
{
    if (!(var > 0)) return 0;
    if (!(noise > 0)) return cells > 0 ? 0 : weight * var;
    return weight * var * (noise / (noise + cells * var));
}

double sow_allocation_left(const sow_index *cells, const double *weight, const double *var, const double *noise, sow_index n)
{
    double sum = 0;
    for (sow_index i = 0; i < n; i++)
        sum += left_of(weight[i], var[i], noise[i], (double)cells[i]);
    return sum;
}
