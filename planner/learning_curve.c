#include "planner/learning_curve.h"

#include <math.h>
#include <stdlib.h>

#include "core/memory.h"

enum { POWER, EXPONENTIAL, N_FAMILIES };
enum { DRAWS = 400, SHAPES = 60, PARAMETERS = 3 };

/* Shape s of a family at x, as a function that a + b f is linear in. The scale keeps numbers near 1. */
static double shape_at(int family, int s, double x, double scale)
{
    const double u = x / scale, t = (double)s / (SHAPES - 1);
    if (family == EXPONENTIAL) return exp(-(0.2 * pow(60.0, t)) * u); /* k scale from 0.2, nearly straight, to 12, over at once */
    const double p = -3 + 4 * t;
    return fabs(p) < 1e-3 ? log(u) : (pow(u, p) - 1) / p;
}

typedef struct {
    double a, b, rss;
    int family, shape;
} curve_fit;

/* What is the same for every draw of seeds. */
typedef struct {
    const double *x, *at;
    sow_index rounds, n_at;
    double *shape;     /* [family, SHAPES, rounds] less its mean over rounds */
    double *mean;      /* [family, SHAPES] that mean */
    double noise, off; /* variances: of a round's mean, and of the curve about the best family beyond that */
    int over_last;
} carrying;

static void tabulate(carrying *c)
{
    for (int k = 0; k < N_FAMILIES * SHAPES; k++) {
        double *f = c->shape + k * c->rounds;
        c->mean[k] = 0;
        for (sow_index i = 0; i < c->rounds; i++)
            c->mean[k] += (f[i] = shape_at(k / SHAPES, k % SHAPES, c->x[i], c->x[c->rounds - 1])) / (double)c->rounds;
        for (sow_index i = 0; i < c->rounds; i++)
            f[i] -= c->mean[k];
    }
}

/* Least squares in a and b for each shape; the best of them. */
static curve_fit fit_family(const carrying *c, int family, const double *y)
{
    curve_fit best = {NAN, NAN, INFINITY, family, 0};
    double my = 0;
    for (sow_index i = 0; i < c->rounds; i++)
        my += y[i] / (double)c->rounds;
    for (int s = 0; s < SHAPES; s++) {
        const double *f = c->shape + (family * SHAPES + s) * c->rounds;
        double ff = 0, fy = 0, rss = 0;
        for (sow_index i = 0; i < c->rounds; i++) {
            ff += f[i] * f[i];
            fy += f[i] * (y[i] - my);
        }
        const double b = ff > 0 ? fy / ff : 0;
        for (sow_index i = 0; i < c->rounds; i++)
            rss += (y[i] - my - b * f[i]) * (y[i] - my - b * f[i]);
        if (rss < best.rss) best = (curve_fit){my - b * c->mean[family * SHAPES + s], b, rss, family, s};
    }
    return best;
}

static double fitted(const curve_fit *f, double x, double scale)
{
    return f->a + f->b * shape_at(f->family, f->shape, x, scale);
}

/* Variance of a round's mean over seeds that is not a seed's own level, which shifts a whole curve and bends none. */
static double noise_of_mean(const double *value, sow_index rounds, sow_index seeds)
{
    double total = 0, sum = 0;
    for (sow_index i = 0; i < rounds * seeds; i++)
        total += value[i] / (double)(rounds * seeds);
    for (sow_index r = 0; r < rounds; r++)
        for (sow_index s = 0; s < seeds; s++) {
            double of_round = 0, of_seed = 0;
            for (sow_index k = 0; k < seeds; k++)
                of_round += value[r * seeds + k] / (double)seeds;
            for (sow_index k = 0; k < rounds; k++)
                of_seed += value[k * seeds + s] / (double)rounds;
            const double e = value[r * seeds + s] - of_round - of_seed + total;
            sum += e * e;
        }
    return sum / (double)((rounds - 1) * (seeds - 1)) / (double)seeds;
}

static void mean_of(double *y, const double *value, sow_index rounds, sow_index seeds, sow_rng *rng)
{
    for (sow_index r = 0; r < rounds; r++)
        y[r] = 0;
    for (sow_index k = 0; k < seeds; k++) {
        const sow_index s = rng ? sow_rng_below(rng, seeds) : k;
        for (sow_index r = 0; r < rounds; r++)
            y[r] += value[r * seeds + s] / (double)seeds;
    }
}

typedef struct {
    double value, weight;
} weighed;

static int ascending(const void *a, const void *b)
{
    const weighed *x = a, *y = b;
    return x->value < y->value ? -1 : x->value > y->value;
}

/* Where the sorted weights reach a share q of their sum. */
static double quantile_of(const weighed *w, sow_index n, double q)
{
    double sum = 0, so_far = 0;
    for (sow_index i = 0; i < n; i++)
        sum += w[i].weight;
    for (sow_index i = 0; i < n; i++) {
        so_far += w[i].weight;
        if (so_far >= q * sum) return w[i].value;
    }
    return w[n - 1].value;
}

static int can_be_carried_on(const double *at, sow_index n_at, const double *x, const double *value, sow_index rounds, sow_index seeds)
{
    if (rounds < SOW_I_CURVE_ROUNDS_LEAST || seeds < SOW_I_CURVE_SEEDS_LEAST || !(x[0] > 0)) return 0;
    for (sow_index i = 0; i < rounds * seeds; i++)
        if (!isfinite(value[i])) return 0;
    for (sow_index r = 1; r < rounds; r++)
        if (!(x[r] > x[r - 1])) return 0;
    for (sow_index k = 0; k < n_at; k++)
        if (!(at[k] > 0 && at[k] <= SOW_I_CURVE_REACH * x[rounds - 1] * (1 + 1e-9))) return 0;
    return 1;
}

/* Both families on one draw of seeds: their predictions, [n_at] apart by stride, with their weights. */
static void predict_draw(weighed *out, sow_index stride, const carrying *c, const double *y, sow_rng *rng)
{
    const double scale = c->x[c->rounds - 1], shift = sqrt(c->off) * sow_rng_normal(rng);
    curve_fit f[N_FAMILIES];
    double least = INFINITY;
    for (int k = 0; k < N_FAMILIES; k++) {
        f[k] = fit_family(c, k, y);
        least = fmin(least, f[k].rss);
    }
    for (int k = 0; k < N_FAMILIES; k++)
        for (sow_index i = 0; i < c->n_at; i++)
            out[i * stride + k] = (weighed){fitted(&f[k], c->at[i], scale) - (c->over_last ? fitted(&f[k], scale, scale) : 0) + shift,
                                            exp(-0.5 * (f[k].rss - least) / fmax(c->noise + c->off, 1e-300))};
}

sow_status sow_i_curve_carry_on(sow_interval *out, const double *at, sow_index n_at, int over_last, const double *x, const double *value, sow_index rounds, sow_index n_seeds, double level, const sow_rng *from,
                                sow_error *err)
{
    sow_status st = SOW_OK;
    double *y = NULL;
    weighed *all = NULL;
    const sow_index stride = DRAWS * N_FAMILIES;
    sow_rng rng = *from;
    carrying c = {.x = x, .at = at, .rounds = rounds, .n_at = n_at, .over_last = over_last};
    if (!can_be_carried_on(at, n_at, x, value, rounds, n_seeds)) return SOW_ERROR(err, SOW_E_UNSUPPORTED, "a curve of %lld rounds and %lld seeds is not carried on that far", (long long)rounds, (long long)n_seeds);
    SOW_NEW(y, rounds);
    SOW_NEW(all, n_at * stride);
    SOW_NEW(c.shape, N_FAMILIES * SHAPES * rounds);
    SOW_NEW(c.mean, N_FAMILIES * SHAPES);
    tabulate(&c);
    mean_of(y, value, rounds, n_seeds, NULL);
    c.noise = noise_of_mean(value, rounds, n_seeds);
    const double rss = fmin(fit_family(&c, POWER, y).rss, fit_family(&c, EXPONENTIAL, y).rss);
    c.off = fmax(0, rss / (double)(rounds - PARAMETERS) - c.noise);
    for (sow_index d = 0; d < DRAWS; d++) {
        mean_of(y, value, rounds, n_seeds, &rng);
        predict_draw(all + d * N_FAMILIES, stride, &c, y, &rng);
    }
    const double n = (double)n_seeds, wider = sqrt(n / (n - 1)) * sow_student_quantile(0.5 + 0.5 * level, n - 1) / sow_normal_quantile(0.5 + 0.5 * level);
    for (sow_index i = 0; i < n_at; i++) {
        weighed *w = all + i * stride;
        qsort(w, (size_t)stride, sizeof *w, ascending);
        const double middle = quantile_of(w, stride, 0.5);
        out[i] = (sow_interval){middle, middle - wider * (middle - quantile_of(w, stride, 0.5 - 0.5 * level)), middle + wider * (quantile_of(w, stride, 0.5 + 0.5 * level) - middle)};
    }
done:
    free(y);
    free(all);
    free(c.shape);
    free(c.mean);
    return st;
}
