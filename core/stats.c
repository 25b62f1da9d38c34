#include "core/stats.h"
#include "core/linalg.h"
#include "core/memory.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- moments ---- */

double sow_mean(const double *x, sow_index n)
{
    double sum = 0;
    for (sow_index i = 0; i < n; i++) sum += x[i];
    return n > 0 ? sum / (double)n : NAN;
}

double sow_variance(const double *x, sow_index n)
{
    if (n < 2) return NAN;
    double mean = sow_mean(x, n), sum = 0;
    for (sow_index i = 0; i < n; i++) sum += (x[i] - mean) * (x[i] - mean);
    return sum / (double)(n - 1);
}

static int is_constant(const double *x, sow_index n)
{
    for (sow_index i = 1; i < n; i++)
        if (x[i] != x[0]) return 0;
    return 1;
}

double sow_pearson(const double *x, const double *y, sow_index n)
{
    /* a constant side is tested as such: its mean may be off by rounding, which would leave a variance above 0 */
    if (n < 2 || is_constant(x, n) || is_constant(y, n)) return NAN;
    double mx = sow_mean(x, n), my = sow_mean(y, n), sxx = 0, syy = 0, sxy = 0;
    for (sow_index i = 0; i < n; i++) {
        sxx += (x[i] - mx) * (x[i] - mx);
        syy += (y[i] - my) * (y[i] - my);
        sxy += (x[i] - mx) * (y[i] - my);
    }
    double r = sxy / (sqrt(sxx) * sqrt(syy));
    return r > 1 ? 1 : r < -1 ? -1 : r; /* NaN passes */
}

/* ---- order ---- */

typedef struct {
    double value;
    const char *name;
    sow_index at;
} sort_item;

static int by_position(const sort_item *a, const sort_item *b)
{
    return a->at < b->at ? -1 : a->at > b->at;
}

static int ascending(const void *pa, const void *pb)
{
    const sort_item *a = pa, *b = pb;
    if (a->value != b->value) return a->value < b->value ? -1 : 1;
    return by_position(a, b);
}

/* NaN last: it compares false both ways, so it is asked for first. */
static int descending(const void *pa, const void *pb)
{
    const sort_item *a = pa, *b = pb;
    if (isnan(a->value) || isnan(b->value)) return isnan(a->value) - isnan(b->value) ? isnan(a->value) - isnan(b->value) : by_position(a, b);
    if (a->value != b->value) return a->value > b->value ? -1 : 1;
    return by_position(a, b);
}

static int by_name(const void *pa, const void *pb)
{
    const sort_item *a = pa, *b = pb;
    int order = a->name && b->name ? strcmp(a->name, b->name) : 0;
    return order ? order : by_position(a, b);
}

static sow_status make_items(sort_item **out, const double *x, const char *const *names, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(*out, n);
    for (sow_index i = 0; i < n; i++) (*out)[i] = (sort_item){x[i], names ? names[i] : NULL, i};
done:
    return st;
}

sow_status sow_ranks(double *ranks, const double *x, sow_index n, sow_error *err)
{
    sort_item *item;
    sow_status st = make_items(&item, x, NULL, n, err);
    if (st != SOW_OK) return st;
    qsort(item, (size_t)n, sizeof *item, ascending);
    for (sow_index i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && item[end].value == item[i].value;) end++;
        for (sow_index k = i; k < end; k++) ranks[item[k].at] = 0.5 * (double)(i + 1 + end);
    }
    free(item);
    return SOW_OK;
}

sow_status sow_spearman(double *out, const double *x, const double *y, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    double *rx = NULL, *ry = NULL;
    *out = NAN;
    for (sow_index i = 0; i < n; i++)
        if (isnan(x[i]) || isnan(y[i])) return SOW_OK;
    SOW_NEW(rx, n);
    SOW_NEW(ry, n);
    SOW_TRY(sow_ranks(rx, x, n, err));
    SOW_TRY(sow_ranks(ry, y, n, err));
    *out = sow_pearson(rx, ry, n);
done:
    free(rx);
    free(ry);
    return st;
}

static double quantile_of_sorted(const sort_item *item, sow_index n, double q)
{
    double at = q * (double)(n - 1), whole = floor(at), part = at - whole;
    sow_index low = (sow_index)whole, high = low + 1 < n ? low + 1 : low;
    /* equal ends first: inf - inf would be NaN */
    return item[low].value == item[high].value || part == 0 ? item[low].value
                                                            : item[low].value + part * (item[high].value - item[low].value);
}

sow_status sow_quantile(double *out, const double *x, sow_index n, double q, sow_error *err)
{
    *out = NAN;
    if (!(q >= 0 && q <= 1)) return SOW_ERROR(err, SOW_E_ARG, "quantile %g asked for; allowed are 0 to 1", q);
    for (sow_index i = 0; i < n; i++)
        if (isnan(x[i])) return SOW_OK;
    if (n < 1) return SOW_OK;
    sort_item *item;
    sow_status st = make_items(&item, x, NULL, n, err);
    if (st != SOW_OK) return st;
    qsort(item, (size_t)n, sizeof *item, ascending);
    *out = quantile_of_sorted(item, n, q);
    free(item);
    return SOW_OK;
}

static int tied(double above, double below, double slack)
{
    return above == below || above - below <= slack || (isnan(above) && isnan(below));
}

/* 1e-6, and for values that lie closer together than 1 that part of their spread: small units are no ties. Items sorted descending. */
static double slack_of(const sort_item *item, sow_index n)
{
    sow_index first = 0, last = n - 1;
    while (first < n && isinf(item[first].value)) first++;
    while (last > first && !isfinite(item[last].value)) last--;
    double spread = first < n ? item[first].value - item[last].value : 0;
    return 1e-6 * (spread < 1 ? spread : 1);
}

sow_status sow_order_descending(sow_index *order, const double *x, const char *const *names, sow_index n, sow_error *err)
{
    sort_item *item;
    sow_status st = make_items(&item, x, names, n, err);
    if (st != SOW_OK) return st;
    qsort(item, (size_t)n, sizeof *item, descending);
    double slack = slack_of(item, n);
    for (sow_index i = 0, end; i < n; i = end) { /* against the largest of a group: neighbours could chain a dense pool into one tie */
        for (end = i + 1; end < n && tied(item[i].value, item[end].value, slack);) end++;
        if (end - i > 1) qsort(item + i, (size_t)(end - i), sizeof *item, by_name);
    }
    for (sow_index i = 0; i < n; i++) order[i] = item[i].at;
    free(item);
    return SOW_OK;
}

/* Benjamini & Hochberg 1995, step-up: q_(i) = min over j >= i of p_(j) m / j. */
sow_status sow_bh(double *q, const double *p, sow_index n, sow_error *err)
{
    sort_item *item;
    sow_status st = make_items(&item, p, NULL, n, err);
    if (st != SOW_OK) return st;
    sow_index m = 0;
    for (sow_index i = 0; i < n; i++) {
        if (isnan(p[i]))
            q[i] = NAN;
        else
            item[m++] = item[i];
    }
    qsort(item, (size_t)m, sizeof *item, ascending);
    double least = 1;
    for (sow_index i = m; i-- > 0;) {
        least = fmin(least, item[i].value * (double)m / (double)(i + 1));
        q[item[i].at] = least;
    }
    free(item);
    return SOW_OK;
}

/* ---- intervals ---- */

static sow_status check_interval(double level, sow_index draws, sow_error *err)
{
    if (!(level > 0 && level < 1)) return SOW_ERROR(err, SOW_E_ARG, "interval level %g; allowed are numbers between 0 and 1", level);
    if (draws < 1) return SOW_ERROR(err, SOW_E_ARG, "%lld bootstrap draws; at least 1 is needed", (long long)draws);
    return SOW_OK;
}

/* NaN draws (a resample in which the statistic is undefined) are left out. */
static sow_status percentile_interval(sow_interval *out, double *draw, sow_index n, double level, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index kept = 0;
    for (sow_index i = 0; i < n; i++)
        if (!isnan(draw[i])) draw[kept++] = draw[i];
    SOW_TRY(sow_quantile(&out->low, draw, kept, 0.5 * (1 - level), err));
    SOW_TRY(sow_quantile(&out->high, draw, kept, 0.5 * (1 + level), err));
done:
    return st;
}

sow_status sow_bootstrap(sow_interval *out, sow_index n, double (*stat)(void *user, const sow_index *idx, sow_index n), void *user,
                         double level, sow_index draws, sow_rng *rng, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *idx = NULL;
    double *draw = NULL;
    *out = (sow_interval){NAN, NAN, NAN};
    SOW_TRY(check_interval(level, draws, err));
    SOW_NEW(idx, n);
    SOW_NEW(draw, draws);
    for (sow_index i = 0; i < n; i++) idx[i] = i;
    out->value = out->low = out->high = n > 0 ? stat(user, idx, n) : NAN;
    if (!rng) out->low = out->high = NAN;
    if (n < 2 || !rng) goto done;
    for (sow_index k = 0; k < draws; k++) {
        for (sow_index i = 0; i < n; i++) idx[i] = sow_rng_below(rng, n);
        draw[k] = stat(user, idx, n);
    }
    SOW_TRY(percentile_interval(out, draw, draws, level, err));
done:
    free(draw);
    free(idx);
    return st;
}

static double mean_of_resample(void *user, const sow_index *idx, sow_index n)
{
    const double *x = user;
    double sum = 0;
    for (sow_index i = 0; i < n; i++) sum += x[idx[i]];
    return sum / (double)n;
}

sow_status sow_bootstrap_mean(sow_interval *out, const double *x, sow_index n, double level, sow_index draws, sow_rng *rng,
                              sow_error *err)
{
    void *values; /* a statistic's `user` is not const; this one only reads */
    memcpy(&values, &x, sizeof values);
    return sow_bootstrap(out, n, mean_of_resample, values, level, draws, rng, err);
}

sow_status sow_paired_interval(sow_interval *out, const double *a, const double *b, sow_index n, double level, sow_error *err)
{
    sow_status st = SOW_OK;
    double *difference = NULL;
    *out = (sow_interval){NAN, NAN, NAN};
    SOW_TRY(check_interval(level, 1, err));
    SOW_NEW(difference, n);
    for (sow_index i = 0; i < n; i++) difference[i] = a[i] - b[i];
    out->value = sow_mean(difference, n);
    if (n < 2) goto done;
    double half = sow_student_quantile(0.5 * (1 + level), (double)(n - 1)) * sqrt(sow_variance(difference, n) / (double)n);
    out->low = out->value - half;
    out->high = out->value + half;
done:
    free(difference);
    return st;
}

/* ---- least squares ---- */

typedef struct {
    sow_index n, p; /* usable rows, columns */
    double *x;      /* [n, p] centred, each column scaled to length 1 (or 0), rows times sqrt(weight) */
    double *y;      /* [n] centred, times sqrt(weight) */
    double *mean;   /* [p] weighted */
    double *scale;  /* [p] length of the centred column; 0 = constant */
    double mean_y;
} centred_problem;

static double weight_of_row(const double *x, const double *y, const double *weight, sow_index i, sow_index p)
{
    double w = weight ? weight[i] : 1;
    if (!(w > 0) || !isfinite(w) || !isfinite(y[i])) return 0;
    for (sow_index j = 0; j < p; j++)
        if (!isfinite(x[i * p + j])) return 0;
    return w;
}

/* Two passes: weighted means of the usable rows, then the centred and weighted copy. */
static sow_index centre(centred_problem *c, const double *x, const double *y, const double *weight, sow_index n)
{
    double total = 0;
    for (sow_index i = 0; i < n; i++) {
        double w = weight_of_row(x, y, weight, i, c->p);
        if (w == 0) continue;
        total += w;
        c->mean_y += w * y[i];
        for (sow_index j = 0; j < c->p; j++) c->mean[j] += w * x[i * c->p + j];
    }
    if (!(total > 0)) return 0;
    c->mean_y /= total;
    for (sow_index j = 0; j < c->p; j++) c->mean[j] /= total;
    for (sow_index i = 0; i < n; i++) {
        double w = weight_of_row(x, y, weight, i, c->p), root = sqrt(w);
        if (w == 0) continue;
        for (sow_index j = 0; j < c->p; j++) c->x[c->n * c->p + j] = root * (x[i * c->p + j] - c->mean[j]);
        c->y[c->n++] = root * (y[i] - c->mean_y);
    }
    return c->n;
}

/* Columns to length 1, so that the cut-off for collinear ones does not depend on units. */
static void scale_columns(centred_problem *c)
{
    for (sow_index j = 0; j < c->p; j++) {
        double sum = 0;
        for (sow_index i = 0; i < c->n; i++) sum += c->x[i * c->p + j] * c->x[i * c->p + j];
        double length = sqrt(sum);
        int constant = !(length > 1e-12 * fabs(c->mean[j]) * sqrt((double)c->n)) || length == 0;
        c->scale[j] = constant ? 0 : length;
        for (sow_index i = 0; i < c->n; i++) c->x[i * c->p + j] = constant ? 0 : c->x[i * c->p + j] / length;
    }
}

/* Minimum-norm solution of the scaled problem by SVD: beta = V S^+ U^T y, singular values below 1e-10 of the largest dropped. */
static sow_status solve_centred(double *beta, centred_problem *c, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index r = c->n < c->p ? c->n : c->p;
    double *u = NULL, *s = NULL, *vt = NULL;
    SOW_NEW(u, c->n * r);
    SOW_NEW(s, r);
    SOW_NEW(vt, r * c->p);
    SOW_TRY(sow_svd(c->n, c->p, c->x, c->p, u, s, vt, err));
    for (sow_index k = 0; k < r && s[k] > 1e-10 * s[0]; k++) {
        double along = 0;
        for (sow_index i = 0; i < c->n; i++) along += u[i * r + k] * c->y[i];
        for (sow_index j = 0; j < c->p; j++) beta[1 + j] += along / s[k] * vt[k * c->p + j];
    }
done:
    free(u);
    free(s);
    free(vt);
    return st;
}

sow_status sow_least_squares(double *beta, const double *x, const double *y, const double *weight, sow_index n, sow_index p,
                             sow_error *err)
{
    sow_status st = SOW_OK;
    centred_problem c = {.p = p};
    for (sow_index j = 0; j <= p; j++) beta[j] = 0;
    SOW_NEW(c.x, n * p);
    SOW_NEW(c.y, n);
    SOW_NEW(c.mean, p);
    SOW_NEW(c.scale, p);
    if (centre(&c, x, y, weight, n) == 0)
        SOW_FAIL(err, SOW_E_DATA, "least squares: none of %lld rows has a weight above 0 and only finite numbers", (long long)n);
    scale_columns(&c);
    if (p > 0) SOW_TRY(solve_centred(beta, &c, err));
    beta[0] = c.mean_y;
    for (sow_index j = 0; j < p; j++) {
        beta[1 + j] = c.scale[j] > 0 ? beta[1 + j] / c.scale[j] : 0;
        beta[0] -= beta[1 + j] * c.mean[j];
    }
done:
    free(c.x);
    free(c.y);
    free(c.mean);
    free(c.scale);
    return st;
}
