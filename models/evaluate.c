#include "models/evaluate.h"

#include <math.h>
#include <stdlib.h>

#include "core/memory.h"
#include "models/evaluate_internal.h"

enum { DRAWS = 500, TOP = 20 };
static const double LEVEL = 0.95;
static const double Z90 = 1.6448536269514722; /* 95 % point of the standard normal: a central 90 % interval */

/* ---- one perturbation ---- */

static double change(const double *x, const double *reference, sow_index j) { return reference ? x[j] - reference[j] : x[j]; }

/* Two passes. */
double sow_i_pearson_over(const double *truth, const double *mean, const double *reference, const sow_index *set, sow_index n, sow_index own)
{
    double mt = 0, mm = 0, tt = 0, mp = 0, tm = 0;
    sow_index used = 0;
    for (sow_index i = 0; i < n; i++) {
        sow_index j = set ? set[i] : i;
        if (j == own) continue;
        mt += change(truth, reference, j);
        mm += change(mean, reference, j);
        used++;
    }
    if (used < 2) return NAN;
    mt /= (double)used;
    mm /= (double)used;
    for (sow_index i = 0; i < n; i++) {
        sow_index j = set ? set[i] : i;
        if (j == own) continue;
        double a = change(truth, reference, j) - mt, b = change(mean, reference, j) - mm;
        tt += a * a;
        mp += b * b;
        tm += a * b;
    }
    /* a side whose spread is nothing but rounding counts as constant */
    double floor_t = 1e-26 * (double)used * mt * mt, floor_m = 1e-26 * (double)used * mm * mm;
    if (!(tt > floor_t) || !(mp > floor_m)) return NAN;
    return tm / (sqrt(tt) * sqrt(mp));
}

double sow_metric_pearson(const double *truth, const double *mean, const double *reference, sow_index own, sow_index d)
{
    return sow_i_pearson_over(truth, mean, reference, NULL, d, own);
}

double sow_metric_rmse(const double *truth, const double *mean, sow_index own, sow_index d)
{
    double s = 0;
    sow_index used = 0;
    for (sow_index j = 0; j < d; j++) {
        if (j == own) continue;
        s += (truth[j] - mean[j]) * (truth[j] - mean[j]);
        used++;
    }
    return used > 0 ? sqrt(s / (double)used) : (double)NAN;
}

int sow_i_sign(double x) { return (x > 0) - (x < 0); }

double sow_metric_direction(const double *truth, const double *mean, const double *reference, sow_index own, sow_index d)
{
    sow_index used = 0, same = 0;
    for (sow_index j = 0; j < d; j++) {
        if (j == own) continue;
        used++;
        same += sow_i_sign(change(truth, reference, j)) == sow_i_sign(change(mean, reference, j));
    }
    return used > 0 ? (double)same / (double)used : (double)NAN;
}

typedef struct {
    double size;
    sow_index feature;
} sized;

static int larger_first(const void *a, const void *b)
{
    const sized *x = a, *y = b;
    if (x->size != y->size) return x->size > y->size ? -1 : 1;
    return (x->feature > y->feature) - (x->feature < y->feature);
}

sow_status sow_metric_pearson_top(double *out, const double *truth, const double *mean, const double *reference, sow_index own,
                                  sow_index d, sow_index top, sow_error *err)
{
    sow_status st = SOW_OK;
    sized *order = NULL;
    sow_index *set = NULL, n = 0;
    SOW_NEW(order, d);
    SOW_NEW(set, top);
    for (sow_index j = 0; j < d; j++)
        if (j != own) order[n++] = (sized){fabs(change(truth, reference, j)), j};
    qsort(order, (size_t)n, sizeof *order, larger_first);
    if (n > top) n = top;
    for (sow_index i = 0; i < n; i++) set[i] = order[i].feature;
    *out = sow_i_pearson_over(truth, mean, reference, set, n, -1);
done:
    free(order);
    free(set);
    return st;
}

sow_status sow_metric_top(sow_index *set, sow_index *n, const double *x, sow_index own, sow_index d, sow_index top, sow_error *err)
{
    sow_status st = SOW_OK;
    sized *order = NULL;
    sow_index moved = 0;
    *n = 0;
    SOW_NEW(order, d);
    for (sow_index j = 0; j < d; j++)
        if (j != own && x[j] != 0) order[moved++] = (sized){fabs(x[j]), j};
    qsort(order, (size_t)moved, sizeof *order, larger_first);
    *n = moved < top ? moved : top;
    for (sow_index i = 0; i < *n; i++) set[i] = order[i].feature;
done:
    free(order);
    return st;
}

sow_status sow_metric_recall_top(double *out, const double *truth, const double *mean, const double *reference, sow_index own, sow_index d, sow_index top, sow_error *err)
{
    sow_status st = SOW_OK;
    double *a = NULL, *b = NULL;
    sow_index *set = NULL, *guess = NULL, n = 0, m = 0, both = 0;
    *out = NAN;
    if (d - (own >= 0) <= top) return SOW_OK;
    SOW_NEW(a, d);
    SOW_NEW(b, d);
    SOW_NEW(set, top);
    SOW_NEW(guess, top);
    for (sow_index j = 0; j < d; j++) {
        a[j] = change(truth, reference, j);
        b[j] = change(mean, reference, j);
    }
    SOW_TRY(sow_metric_top(set, &n, a, own, d, top, err));
    SOW_TRY(sow_metric_top(guess, &m, b, own, d, top, err));
    for (sow_index i = 0; i < n; i++)
        for (sow_index k = 0; k < m; k++) both += set[i] == guess[k];
    if (n > 0) *out = (double)both / (double)n;
done:
    free(a);
    free(b);
    free(set);
    free(guess);
    return st;
}

double sow_metric_pearson_over(const double *truth, const double *mean, const sow_index *set, sow_index n)
{
    return sow_i_pearson_over(truth, mean, NULL, set, n, -1);
}

double sow_metric_mse_over(const double *truth, const double *mean, const sow_index *set, sow_index n)
{
    double s = 0;
    for (sow_index i = 0; i < n; i++) s += (truth[set[i]] - mean[set[i]]) * (truth[set[i]] - mean[set[i]]);
    return n > 0 ? s / (double)n : (double)NAN;
}

double sow_metric_mae_over(const double *truth, const double *mean, const sow_index *set, sow_index n)
{
    double s = 0;
    for (sow_index i = 0; i < n; i++) s += fabs(truth[set[i]] - mean[set[i]]);
    return n > 0 ? s / (double)n : (double)NAN;
}

/* ---- many perturbations ---- */

static sow_status check_finite(const char *what, const double *x, sow_index n, sow_error *err)
{
    for (sow_index i = 0; i < n; i++)
        if (!isfinite(x[i])) return SOW_ERROR(err, SOW_E_NONFINITE, "evaluate: %s %lld is %g", what, (long long)i, x[i]);
    return SOW_OK;
}

static void put(sow_metric *out, sow_index *n_out, const char *name, sow_interval v)
{
    out[(*n_out)++] = (sow_metric){name, v.value, v.low, v.high};
}

sow_status sow_i_mean_of_defined(sow_interval *out, double *x, sow_index n, sow_rng *rng, sow_error *err)
{
    sow_index used = 0;
    for (sow_index i = 0; i < n; i++)
        if (isfinite(x[i])) x[used++] = x[i];
    *out = (sow_interval){NAN, NAN, NAN};
    return used == 0 ? SOW_OK : sow_bootstrap_mean(out, x, used, LEVEL, DRAWS, rng, err);
}

/* A resampled Spearman or RMSE. A failed allocation is remembered, as the callback cannot return it. */
typedef struct {
    const double *truth, *mean;
    double *a, *b; /* [n] scratch */
    sow_status st;
    sow_error *err;
} resample;

static double resampled_spearman(void *user, const sow_index *idx, sow_index n)
{
    resample *r = user;
    double value = NAN;
    for (sow_index i = 0; i < n; i++) {
        r->a[i] = r->truth[idx[i]];
        r->b[i] = r->mean[idx[i]];
    }
    if (r->st == SOW_OK) r->st = sow_spearman(&value, r->a, r->b, n, r->err);
    return value;
}

static double resampled_rmse(void *user, const sow_index *idx, sow_index n)
{
    const resample *r = user;
    double s = 0;
    for (sow_index i = 0; i < n; i++) {
        double e = r->truth[idx[i]] - r->mean[idx[i]];
        s += e * e;
    }
    return n > 0 ? sqrt(s / (double)n) : (double)NAN;
}

static sow_status bootstrap_pair(sow_metric *out, sow_index *n_out, const double *truth, const double *mean, sow_index n, sow_rng *rng,
                                 sow_error *err)
{
    sow_status st = SOW_OK;
    resample r = {.truth = truth, .mean = mean, .st = SOW_OK, .err = err};
    sow_interval spearman = {NAN, NAN, NAN}, rmse = {NAN, NAN, NAN};
    SOW_NEW(r.a, n);
    SOW_NEW(r.b, n);
    if (n > 0) {
        SOW_TRY(sow_bootstrap(&spearman, n, resampled_spearman, &r, LEVEL, DRAWS, rng, err));
        SOW_TRY(r.st);
        SOW_TRY(sow_bootstrap(&rmse, n, resampled_rmse, &r, LEVEL, DRAWS, rng, err));
    }
    put(out, n_out, "spearman", spearman);
    put(out, n_out, "rmse", rmse);
done:
    free(r.a);
    free(r.b);
    return st;
}

static sow_status bootstrap_density(sow_metric *out, sow_index *n_out, const double *truth, const double *mean, const double *var,
                                    const double *noise, sow_index n, sow_rng *rng, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_interval nll, coverage;
    double *density = NULL, *inside = NULL;
    SOW_NEW(density, n);
    SOW_NEW(inside, n);
    for (sow_index i = 0; i < n; i++) {
        double v = var[i] + (noise ? noise[i] : 0.0), e = truth[i] - mean[i];
        density[i] = v > 0 ? 0.5 * (log(2 * 3.14159265358979323846 * v) + e * e / v) : (double)NAN;
        inside[i] = v > 0 ? (fabs(e) <= Z90 * sqrt(v) ? 1.0 : 0.0) : (double)NAN;
    }
    SOW_TRY(sow_i_mean_of_defined(&nll, density, n, rng, err));
    SOW_TRY(sow_i_mean_of_defined(&coverage, inside, n, rng, err));
    put(out, n_out, "nll", nll);
    put(out, n_out, "coverage90", coverage);
done:
    free(density);
    free(inside);
    return st;
}

sow_status sow_evaluate_scalar(sow_metric *out, sow_index *n_out, const double *truth, const double *mean, const double *var,
                               const double *noise, sow_index n, sow_rng *rng, sow_error *err)
{
    sow_status st = SOW_OK;
    *n_out = 0;
    SOW_TRY(check_finite("truth", truth, n, err));
    SOW_TRY(check_finite("prediction", mean, n, err));
    SOW_TRY(bootstrap_pair(out, n_out, truth, mean, n, rng, err));
    if (var) SOW_TRY(bootstrap_density(out, n_out, truth, mean, var, noise, n, rng, err));
done:
    return st;
}

enum { ALL, CENTRED, RMSE, DIRECTION, TOP20, N_PROFILE };
static const char *const profile_metric[N_PROFILE] = {"pearson_delta_all", "pearson_delta_centred", "rmse_all", "direction_all",
                                                      "pearson_top20_abs"};

sow_status sow_evaluate_profile(sow_metric *out, sow_index *n_out, const double *truth, const double *mean, const double *reference,
                                const sow_index *own, sow_index n, sow_index d, sow_rng *rng, sow_error *err)
{
    sow_status st = SOW_OK;
    double *v = NULL;
    *n_out = 0;
    SOW_TRY(check_finite("truth", truth, n * d, err));
    SOW_TRY(check_finite("prediction", mean, n * d, err));
    SOW_NEW(v, N_PROFILE * n);
    for (sow_index i = 0; i < n; i++) {
        const double *t = truth + i * d, *m = mean + i * d;
        sow_index self = own ? own[i] : -1;
        double centred = sow_metric_pearson(t, m, reference, self, d);
        v[ALL * n + i] = sow_metric_pearson(t, m, NULL, self, d);
        v[CENTRED * n + i] = isfinite(centred) ? centred : 0.0;
        v[RMSE * n + i] = sow_metric_rmse(t, m, self, d);
        v[DIRECTION * n + i] = sow_metric_direction(t, m, NULL, self, d);
        SOW_TRY(sow_metric_pearson_top(&v[TOP20 * n + i], t, m, NULL, self, d, TOP, err));
    }
    for (int k = 0; k < N_PROFILE; k++) {
        sow_interval value;
        SOW_TRY(sow_i_mean_of_defined(&value, v + k * n, n, rng, err));
        put(out, n_out, profile_metric[k], value);
    }
done:
    free(v);
    return st;
}
