#include "planner/sweep_stats.h"

#include <math.h>
#include <stdlib.h>

#include "core/memory.h"

static double between(double x0, double y0, double x1, double y1, double x)
{
    return x1 > x0 ? y0 + (y1 - y0) * (x - x0) / (x1 - x0) : y1;
}

double sow_i_curve_height(const double *x, const double *y, sow_index n, double low, double high)
{
    double area = 0;
    if (n < 1 || !(high > low) || low < x[0] || high > x[n - 1]) return NAN;
    for (sow_index i = 0; i < n; i++)
        if (!isfinite(y[i])) return NAN;
    for (sow_index i = 0; i + 1 < n; i++) {
        const double a = fmax(x[i], low), b = fmin(x[i + 1], high);
        if (b > a) area += 0.5 * (b - a) * (between(x[i], y[i], x[i + 1], y[i + 1], a) + between(x[i], y[i], x[i + 1], y[i + 1], b));
    }
    return area / (high - low);
}

double sow_i_curve_reach(const double *x, const double *y, sow_index n, double level, int sign)
{
    for (sow_index i = 0; i < n; i++) {
        if (!(sign * (y[i] - level) >= 0)) continue;
        if (i == 0) return y[0] == level ? x[0] : (double)NAN;
        if (y[i] == y[i - 1] || !isfinite(y[i - 1])) return x[i];
        return x[i - 1] + (x[i] - x[i - 1]) * (level - y[i - 1]) / (y[i] - y[i - 1]);
    }
    return NAN;
}

double sow_i_curve_saved(const double *xa, const double *ya, sow_index na, const double *xb, const double *yb, sow_index nb, int sign)
{
    if (na < 1 || nb < 1) return NAN;
    const double level = sign * (ya[na - 1] - yb[nb - 1]) < 0 ? ya[na - 1] : yb[nb - 1];
    return sow_i_curve_reach(xb, yb, nb, level, sign) - sow_i_curve_reach(xa, ya, na, level, sign);
}

/* P(T' <= t) of the noncentral t, by its definition: the normal's shift averaged over the chi distribution of the estimated standard deviation (Simpson's rule in s, whose density is far below 1e-12 at the ends). */
static double noncentral_t_cdf(double t, double df, double shift)
{
    enum { STEPS = 800 };
    int sign;
    const double spread = 1 / sqrt(2 * df), low = fmax(1e-9, 1 - 9 * spread), high = 1 + 12 * spread, h = (high - low) / STEPS;
    const double constant = log(2.0) + 0.5 * df * log(0.5 * df) - lgamma_r(0.5 * df, &sign);
    double sum = 0, mass = 0;
    for (int i = 0; i <= STEPS; i++) {
        const double s = low + i * h, w = i == 0 || i == STEPS ? 1 : i % 2 ? 4 : 2;
        const double density = exp(constant + (df - 1) * log(s) - 0.5 * df * s * s);
        sum += w * density * sow_normal_cdf(t * s - shift);
        mass += w * density;
    }
    return sum / mass;
}

double sow_i_detectable(double sd, sow_index n, double alpha, double power)
{
    if (n < 2 || !(sd >= 0)) return NAN;
    const double df = (double)n - 1, t = sow_student_quantile(1 - 0.5 * alpha, df);
    double low = 0, high = 4 * (t + 3);
    for (int i = 0; i < 60; i++) {
        const double shift = 0.5 * (low + high);
        const double found = 1 - noncentral_t_cdf(t, df, shift) + noncentral_t_cdf(-t, df, shift);
        if (found < power) low = shift;
        else high = shift;
    }
    return high * sd / sqrt((double)n);
}

void sow_i_difference_of(sow_i_difference *out, const double *d, sow_index n, double level)
{
    double sum = 0, squares = 0;
    *out = (sow_i_difference){0, NAN, NAN, NAN, NAN, NAN};
    for (sow_index i = 0; i < n; i++)
        if (isfinite(d[i])) sum += d[i], out->n++;
    if (out->n < 1) return;
    out->mean = sum / (double)out->n;
    if (out->n < 2) return;
    for (sow_index i = 0; i < n; i++)
        if (isfinite(d[i])) squares += (d[i] - out->mean) * (d[i] - out->mean);
    const double df = (double)out->n - 1, error = sqrt(squares / df / (double)out->n), half = sow_student_quantile(0.5 + 0.5 * level, df) * error;
    out->sd = sqrt(squares / df);
    out->low = out->mean - half;
    out->high = out->mean + half;
    out->p = error > 0 ? sow_student_two_sided(out->mean / error, df) : out->mean == 0 ? 1 : 0;
}

typedef struct {
    double p;
    sow_index at;
} ranked;

static int ascending(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    return x->p < y->p ? -1 : x->p > y->p ? 1 : x->at < y->at ? -1 : 1;
}

sow_status sow_i_holm(double *adjusted, const double *p, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    ranked *order = NULL;
    sow_index m = 0;
    double most = 0;
    SOW_NEW(order, n);
    for (sow_index i = 0; i < n; i++) {
        if (!isnan(p[i])) order[m++] = (ranked){p[i], i};
        adjusted[i] = p[i];
    }
    qsort(order, (size_t)m, sizeof *order, ascending);
    for (sow_index k = 0; k < m; k++) {
        most = fmax(most, fmin(1, (double)(m - k) * order[k].p));
        adjusted[order[k].at] = most;
    }
done:
    free(order);
    return st;
}

sow_status sow_i_jackknife(sow_interval *out, sow_index n, double (*stat)(void *user, sow_index leave), void *user, double level, sow_error *err)
{
    sow_status st = SOW_OK;
    double *pseudo = NULL;
    sow_i_difference d;
    *out = (sow_interval){n > 0 ? stat(user, -1) : (double)NAN, NAN, NAN};
    if (n < 3 || !isfinite(out->value)) return SOW_OK;
    SOW_NEW(pseudo, n);
    for (sow_index i = 0; i < n; i++)
        pseudo[i] = (double)n * out->value - (double)(n - 1) * stat(user, i);
    sow_i_difference_of(&d, pseudo, n, level);
    if (d.n == n) {
        out->low = out->value - (d.high - d.mean);
        out->high = out->value + (d.high - d.mean);
    }
done:
    free(pseudo);
    return st;
}
