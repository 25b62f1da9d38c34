/* The conditional test of two sums of negative-binomial counts, and its power.
 *
 * Sums over n1 perturbed and n2 control cells: T ~ NB(size A = n1 s, mean n1 m f), C ~ NB(size B = n2 s, mean n2 m), m and s the gene's mean and size. If f = 1, then given T + C = S
 *   P(T = t | S) = binom(A + t - 1, t) binom(B + S - t - 1, S - t) / binom(A + B + S - 1, S),
 * which m has left. For each c a table holds how small and how large t must be to be called; power is a sum over c and T's distribution under f.
 *
 * Not here: estimating s. A gene's size is taken as known, as it nearly is from the many cells of a screen. */
#include <math.h>
#include <stdlib.h>

#include "core/memory.h"
#include "core/stats.h"
#include "simulator/power.h"

typedef struct {
    double a, b; /* A and B */
} null_law;

static double log_gamma(double x)
{
    int sign; /* lgamma would write a global that threads race for */
    return lgamma_r(x, &sign);
}

/* ---- the null law of T given S = s ---- */

/* Real t are fine: tails are integrated. */
static double log_pmf(const null_law *q, double t, double s)
{
    const double ab = q->a + q->b;
    return log_gamma(q->a + t) - log_gamma(q->a) - log_gamma(t + 1) + log_gamma(q->b + s - t) - log_gamma(q->b) - log_gamma(s - t + 1) - log_gamma(ab + s) + log_gamma(ab) + log_gamma(s + 1);
}

/* P(t + 1) / P(t), and P(t - 1) / P(t). */
static double step_up(const null_law *q, double t, double s)
{
    return (q->a + t) * (s - t) / ((t + 1) * (q->b + s - t - 1));
}
static double step_down(const null_law *q, double t, double s)
{
    return t * (q->b + s - t) / ((q->a + t - 1) * (s - t + 1));
}

static double spread(const null_law *q, double s)
{
    const double ab = q->a + q->b;
    return sqrt(s * (q->a / ab) * (q->b / ab) * (ab + s) / (ab + 1));
}

/* Sum from t outwards (direction +1 or -1) where the law falls slowly: the integral from half a step before t, in a variable in which an exponential is flat; an exponential's sum and integral
 * differ by the last factor. Gauss-Legendre, 16 points. */
static double integrated_tail(const null_law *q, double t, double s, int direction, double rate)
{
    static const double node[8] = {0.0950125098376374, 0.2816035507792589, 0.4580167776572274, 0.6178762444026438, 0.7554044083550030, 0.8656312023878318, 0.9445750230732326, 0.9894009349916499};
    static const double weight[8] = {0.1894506104550685, 0.1826034150449236, 0.1691565193950025, 0.1495959888165767, 0.1246289712555339, 0.0951585116824928, 0.0622535239386479, 0.0271524594117541};
    const double from = t - 0.5 * direction, room = direction > 0 ? s + 0.5 - from : from + 0.5, most = -expm1(-rate * room);
    double sum = 0;
    for (int i = 0; i < 16; i++) {
        const double v = 0.5 * most * (1 + (i % 2 ? node[i / 2] : -node[i / 2]));
        const double x = from - direction * log1p(-v) / rate;
        sum += weight[i / 2] * exp(log_pmf(q, x, s)) / (1 - v);
    }
    return 0.5 * most * sum / rate * (0.5 * rate) / sinh(0.5 * rate);
}

/* P(T >= t) or P(T <= t) where the law falls from t on. */
static double outer_tail(const null_law *q, double t, double s, int direction)
{
    enum { SUMMED = 160 };
    const double ratio = direction > 0 ? step_up(q, t, s) : step_down(q, t, s);
    const double rate = fmax(-log(fmin(ratio, 1)), 1 / fmax(spread(q, s), 1e-3)), length = direction > 0 ? s - t : t;
    if (q->a >= 2 && q->b >= 2 && length > SUMMED && rate * SUMMED < 40) return integrated_tail(q, t, s, direction, rate);
    double p = exp(log_pmf(q, t, s)), sum = p;
    for (double k = t; k * direction < (direction > 0 ? s : 0); k += direction) {
        const double next = direction > 0 ? step_up(q, k, s) : step_down(q, k, s);
        p *= next;
        sum += p;
        if (p < 1e-16 * sum && next < 1) break;
    }
    return fmin(1, sum);
}

static double upper_tail(const null_law *q, double t, double s)
{
    if (t <= 0) return 1;
    if (t > s) return 0;
    return step_up(q, t, s) < 1 ? outer_tail(q, t, s, 1) : 1 - outer_tail(q, t - 1, s, -1);
}

static double lower_tail(const null_law *q, double t, double s)
{
    if (t < 0) return 0;
    if (t >= s) return 1;
    return step_down(q, t, s) < 1 ? outer_tail(q, t, s, -1) : 1 - outer_tail(q, t + 1, s, 1);
}

/* ---- design ---- */

enum { LIBRARY_NODES = 9 };
/* Gauss-Hermite for the standard normal. */
static const double hermite_node[LIBRARY_NODES] = {-4.512745863399783, -3.205429002856470, -2.076847978677830, -1.023255663789133, 0, 1.023255663789133, 2.076847978677830, 3.205429002856470, 4.512745863399783};
static const double hermite_weight[LIBRARY_NODES] = {2.234584400774658e-05, 2.789141321231769e-03, 4.991640676521788e-02, 2.440975028949394e-01, 4.063492063492064e-01,
                                                     2.440975028949394e-01, 4.991640676521788e-02, 2.789141321231769e-03, 2.234584400774658e-05};

/* Size with which cells that are all alike would say as much of a log fold change as cells of unequal libraries do: information of a cell m / (1 + m / s), averaged. */
static double effective_size(const sow_power_design *d)
{
    const double sd = sqrt(log1p(d->library_cv * d->library_cv));
    double total = 0, mean_information = 0;
    if (d->library_cv <= 0) return d->size;
    for (int i = 0; i < LIBRARY_NODES; i++) total += hermite_weight[i] * exp(sd * hermite_node[i]);
    for (int i = 0; i < LIBRARY_NODES; i++) {
        const double m = d->mean * exp(sd * hermite_node[i]) / total;
        mean_information += hermite_weight[i] * m / (1 + m / d->size);
    }
    const double size = 1 / (1 / mean_information - 1 / d->mean);
    return size > 0 && size < d->size ? size : d->size; /* of tiny means the difference is rounding */
}

static null_law law_of(const sow_power_design *d)
{
    const double size = effective_size(d);
    return (null_law){d->n_trt * size, d->n_ctl * size};
}

static sow_status check_design(const sow_power_design *d, sow_error *err)
{
    if (!(d->n_trt >= 1) || !(d->n_ctl >= 1)) return SOW_ERROR(err, SOW_E_ARG, "power: %g perturbed and %g control cells; at least one of each is needed", d->n_trt, d->n_ctl);
    if (!(d->mean > 0) || !isfinite(d->mean)) return SOW_ERROR(err, SOW_E_ARG, "power: a mean count of %g; it is a number above 0", d->mean);
    if (!(d->size > 0) || !isfinite(d->size)) return SOW_ERROR(err, SOW_E_ARG, "power: a negative-binomial size of %g; it is a number above 0", d->size);
    if (!(d->library_cv >= 0 && d->library_cv <= 3)) return SOW_ERROR(err, SOW_E_ARG, "power: libraries that vary by %g; 0 to 3 is allowed", d->library_cv);
    if (d->guides < 1 || !(d->guide_sd >= 0 && d->guide_sd <= 3)) return SOW_ERROR(err, SOW_E_ARG, "power: %lld guides of sd %g; at least 1 guide and an sd of 0 to 3", (long long)d->guides, d->guide_sd);
    if (!(d->alpha > 0 && d->alpha < 1)) return SOW_ERROR(err, SOW_E_ARG, "power: a nominal level of %g; it lies between 0 and 1", d->alpha);
    return SOW_OK;
}

double sow_power_p_value(const sow_power_design *d, double t, double c)
{
    const null_law q = law_of(d);
    return fmin(1, 2 * fmin(upper_tail(&q, t, t + c), lower_tail(&q, t, t + c)));
}

/* ---- which counts are called ---- */

enum { NODES_MOST = 400 };
typedef struct {
    double weight;       /* probability that C is (about) this */
    double lower, upper; /* t <= lower or t >= upper is called; -1 and INFINITY = never */
} node;

struct sow_power_test {
    sow_power_design d;
    null_law q;
    sow_index n;
    node node[NODES_MOST];
};

/* Mean and spread of T under the null when C is c: where to look for the bounds. */
static double expected(const null_law *q, double c, double *sd)
{
    const double share = q->a / q->b, at = share * fmax(c, 1);
    *sd = sqrt(at * (1 + at / q->a) + share * share * fmax(c, 1) * (1 + fmax(c, 1) / q->b));
    return share * c;
}

/* Largest t with a lower tail of at most `half`, or -1: called from below; -1 too when even t = 0 is nothing special. Where t is counted in thousands, to a 500th of its spread. */
static double lower_bound(const null_law *q, double c, double half, double z)
{
    double sd, mean = expected(q, c, &sd), in = -1, out = floor(fmax(mean - z * sd, 0)), step = fmax(1, floor(0.5 * sd));
    while (lower_tail(q, out, out + c) <= half) { /* `out` still is called: further up */
        in = out;
        out += step;
        step *= 2;
    }
    if (in < 0 && out > 0) {
        for (double t = out - step; in < 0; t = fmax(t - step, 0), step *= 2) {
            t = fmax(t, 0);
            if (lower_tail(q, t, t + c) <= half) in = t;
            else if (t == 0) return -1;
            else out = t;
        }
    }
    if (in < 0) return -1;
    while (out - in > fmax(1, sd / 500)) {
        const double t = floor(0.5 * (in + out));
        if (lower_tail(q, t, t + c) <= half) in = t;
        else out = t;
    }
    return in;
}

/* Smallest t with an upper tail of at most `half`. */
static double upper_bound(const null_law *q, double c, double half, double z)
{
    double sd, mean = expected(q, c, &sd), out = -1, in = ceil(mean + z * sd) + 1, step = fmax(1, floor(0.5 * sd));
    while (upper_tail(q, in, in + c) > half) {
        out = in;
        in += step;
        step *= 2;
        if (in > 1e12) return INFINITY;
    }
    for (double t = in - step; out < 0; t -= step, step *= 2) {
        t = fmax(t, 0); /* an upper tail from 0 is 1 */
        if (upper_tail(q, t, t + c) > half) out = t;
        else in = t;
    }
    while (in - out > fmax(1, sd / 500)) {
        const double t = floor(0.5 * (in + out));
        if (upper_tail(q, t, t + c) > half) out = t;
        else in = t;
    }
    return in;
}

/* Quantile of C. */
static double control_quantile(const sow_power_test *x, double p)
{
    const double mean = x->d.n_ctl * x->d.mean, b = x->q.b, sd = sqrt(mean * (1 + mean / b)), skew = (1 + 2 * mean / b) / sd, z = sow_normal_quantile(p);
    double low = -1, high = ceil(mean + 10 * sd), below, above;
    if (skew < 0.25) return fmax(0, floor(mean + sd * (z + skew * (z * z - 1) / 6) + 0.5)); /* Cornish-Fisher */
    for (sow_nb_cdf(&below, &above, high, mean, b); below < p; sow_nb_cdf(&below, &above, high, mean, b)) high *= 2;
    while (high - low > 1) {
        const double at = floor(0.5 * (low + high));
        sow_nb_cdf(&below, &above, at, mean, b);
        if (below < p) low = at;
        else high = at;
    }
    return high;
}

static void add_node(sow_power_test *x, double c, double weight)
{
    const double half = 0.5 * x->d.alpha, z = -sow_normal_quantile(half);
    x->node[x->n++] = (node){weight, lower_bound(&x->q, c, half, z), upper_bound(&x->q, c, half, z)};
}

/* Every c that may come where those are few; else c in the middle of strata of equal probability. */
static void fill_nodes(sow_power_test *x)
{
    const double mean = x->d.n_ctl * x->d.mean, b = x->q.b, sd = sqrt(mean * (1 + mean / b)), skew = (1 + 2 * mean / b) / sd;
    double before = 0, below = 0, above = 1;
    if (mean + sd * (6 + 10 * skew) < NODES_MOST) {
        for (double c = 0; above > 1e-9 && x->n < NODES_MOST; c++) {
            sow_nb_cdf(&below, &above, c, mean, b);
            if (below - before > 1e-9) add_node(x, c, below - before);
            before = below;
        }
        return;
    }
    const int strata = x->d.n_trt * x->d.mean < 30 ? 48 : 24;
    for (int i = 0; i < strata; i++) add_node(x, control_quantile(x, (i + 0.5) / strata), 1.0 / strata);
}

sow_status sow_power_test_create(sow_power_test **out, const sow_power_design *design, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_power_test *x = NULL;
    *out = NULL;
    SOW_TRY(check_design(design, err));
    SOW_NEW(x, 1);
    x->d = *design;
    x->q = law_of(design);
    fill_nodes(x);
    *out = x;
done:
    return st;
}

void sow_power_test_destroy(sow_power_test *x)
{
    free(x);
}

/* ---- power ---- */

/* At one mean fold change of all perturbed cells together; `part`: what overdispersion is with guides that differ, in parts of its own. */
static double called(const sow_power_test *x, double fold, double part)
{
    const double mean = x->d.n_trt * x->d.mean * fold, size = x->q.a / part;
    double sum = 0, below, above;
    for (sow_index i = 0; i < x->n; i++) {
        const node *k = &x->node[i];
        double p = 0;
        if (k->lower >= 0) {
            sow_nb_cdf(&below, &above, k->lower, mean, size);
            p += below;
        }
        if (isfinite(k->upper)) {
            sow_nb_cdf(&below, &above, k->upper - 1, mean, size);
            p += above;
        }
        sum += k->weight * p;
    }
    return fmin(1, sum);
}

double sow_power_at(const sow_power_test *x, double fold)
{
    const double tau = x->d.guide_sd * fabs(log(fold)), between = expm1(tau * tau) / (double)x->d.guides, sd = sqrt(log1p(between)); /* of the mean over guides, as a lognormal of the same variance */
    double sum = 0;
    if (!(fold > 0)) return NAN;
    if (tau == 0) return called(x, fold, 1);
    for (int i = 0; i < LIBRARY_NODES; i++) {
        const double at = exp(sd * hermite_node[i] - 0.5 * sd * sd); /* in parts of the fold */
        sum += hermite_weight[i] * called(x, fold * at, 1 + between * (double)(x->d.guides - 1) / (at * at));
    }
    return sum;
}

double sow_power_smallest_fold(const sow_power_test *x, double power, int up)
{
    double near = 0, far = log(1000) * (up ? 1 : -1);
    if (!(sow_power_at(x, exp(far)) >= power)) return NAN;
    for (int i = 0; i < 16; i++) { /* to 1e-4 of a log fold change */
        const double at = 0.5 * (near + far);
        if (sow_power_at(x, exp(at)) >= power) far = at;
        else near = at;
    }
    return exp(far);
}

double sow_power_wald(const sow_power_design *d, double fold)
{
    const double size = effective_size(d), effect = fabs(log(fold)), between = d->guide_sd * effect;
    const double var = (1 / (d->mean * fold) + 1 / size) / d->n_trt + (1 / d->mean + 1 / size) / d->n_ctl;
    const double z = -sow_normal_quantile(0.5 * d->alpha), sd = sqrt(var + between * between / (double)d->guides);
    return sow_normal_cdf((effect - z * sqrt(var)) / sd) + sow_normal_cdf((-effect - z * sqrt(var)) / sd);
}
