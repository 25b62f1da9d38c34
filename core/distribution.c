/* Normal, Student and negative-binomial distributions of core/stats.h. */
#include "core/stats.h"

#include <math.h>

double sow_normal_pdf(double z)
{
    return 0.398942280401432677939946059934 * exp(-0.5 * z * z);
}

double sow_normal_cdf(double z)
{
    return 0.5 * erfc(-z * 0.707106781186547524400844362105);
}

static double polynomial(const double *c, int n, double x)
{
    double sum = 0;
    for (int i = n; i-- > 0;) sum = sum * x + c[i];
    return sum;
}

/* Wichura 1988, "Algorithm AS 241: the percentage points of the normal distribution", PPND16. */
double sow_normal_quantile(double p)
{
    static const double a[8] = {3.3871328727963666080e0,  1.3314166789178437745e+2, 1.9715909503065514427e+3, 1.3731693765509461125e+4,
                                4.5921953931549871457e+4, 6.7265770927008700853e+4, 3.3430575583588128105e+4, 2.5090809287301226727e+3};
    static const double b[8] = {1.0,                      4.2313330701600911252e+1, 6.8718700749205790830e+2, 5.3941960214247511077e+3,
                                2.1213794301586595867e+4, 3.9307895800092710610e+4, 2.8729085735721942674e+4, 5.2264952788528545610e+3};
    static const double c[8] = {1.42343711074968357734e0, 4.63033784615654529590e0,  5.76949722146069140550e0,  3.64784832476320460504e0,
                                1.27045825245236838258e0, 2.41780725177450611770e-1, 2.27238449892691845833e-2, 7.74545014278341407640e-4};
    static const double d[8] = {1.0,
                                2.05319162663775882187e0,
                                1.67638483018380384940e0,
                                6.89767334985100004550e-1,
                                1.48103976427480074590e-1,
                                1.51986665636164571966e-2,
                                5.47593808499534494600e-4,
                                1.05075007164441684324e-9};
    static const double e[8] = {6.65790464350110377720e0,  5.46378491116411436990e0,  1.78482653991729133580e0,  2.96560571828504891230e-1,
                                2.65321895265761230930e-2, 1.24266094738807843860e-3, 2.71155556874348757815e-5, 2.01033439929228813265e-7};
    static const double f[8] = {1.0,
                                5.99832206555887937690e-1,
                                1.36929880922735805310e-1,
                                1.48753612908506148525e-2,
                                7.86869131145613259100e-4,
                                1.84631831751005468180e-5,
                                1.42151175831644588870e-7,
                                2.04426310338993978564e-15};
    if (!(p >= 0 && p <= 1)) return NAN;
    if (p == 0) return -INFINITY;
    if (p == 1) return INFINITY;
    double q = p - 0.5;
    if (fabs(q) <= 0.425) {
        double r = 0.180625 - q * q;
        return q * polynomial(a, 8, r) / polynomial(b, 8, r);
    }
    double r = sqrt(-log(q < 0 ? p : 1 - p));
    double z = r <= 5 ? polynomial(c, 8, r - 1.6) / polynomial(d, 8, r - 1.6) : polynomial(e, 8, r - 5) / polynomial(f, 8, r - 5);
    return q < 0 ? -z : z;
}

/* log of Gamma(a + 1/2) / Gamma(a). The difference of two lgammas loses digits as a grows; the asymptotic series (in 1/a) gains them. */
static double log_half_step(double a)
{
    int sign; /* lgamma would write a global that threads race for */
    if (a < 100) return lgamma_r(a + 0.5, &sign) - lgamma_r(a, &sign);
    double u = 1 / a;
    return 0.5 * log(a) + u * (-1.0 / 8 + u * u * (1.0 / 192 + u * u * (-1.0 / 640)));
}

/* Continued fraction of the incomplete beta function (Abramowitz & Stegun 26.5.8) by Lentz's method; converges for x < (a + 1)/(a + b + 2). */
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double h = d;
    for (int m = 1; m <= 20000; m++) {
        for (int half = 0; half < 2; half++) {
            double t = half ? -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)) : m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
            d = 1 + t * d;
            c = 1 + t / c;
            d = 1 / (fabs(d) < tiny ? tiny : d);
            c = fabs(c) < tiny ? tiny : c;
            h *= d * c;
        }
        if (fabs(d * c - 1) < 1e-16) break;
    }
    return h;
}

/* P(|T| > t) and its complement, each without the cancellation of 1 - the other. */
typedef struct {
    double outside, inside;
} student_mass;

static student_mass student_mass_of(double t, double df)
{
    double a = 0.5 * df, t2 = t * t;
    double x = isinf(t2) ? 0 : df / (df + t2), y = isinf(t2) ? 1 : t2 / (df + t2); /* x + y = 1 */
    /* x^a y^(1/2) / B(a, 1/2) */
    double log_x = isinf(t2) ? log(df) - 2 * log(t) : -log1p(t2 / df);
    double front = exp(a * log_x + 0.5 * log(y) + log_half_step(a) - 0.572364942924700087071713675677);
    student_mass mass;
    if (x < (a + 1) / (a + 2.5)) {
        mass.outside = front * beta_fraction(a, 0.5, x) / a;
        mass.inside = 1 - mass.outside;
    } else {
        mass.inside = front * beta_fraction(0.5, a, y) / 0.5;
        mass.outside = 1 - mass.inside;
    }
    return mass;
}

double sow_student_two_sided(double t, double df)
{
    if (isnan(t) || !(df > 0)) return NAN;
    return t == 0 ? 1 : student_mass_of(fabs(t), df).outside;
}

/* Density of |T| times t, the derivative by log t. */
static double student_slope(double t, double df)
{
    double log_density = log_half_step(0.5 * df) - 0.5 * log(df) - 0.572364942924700087071713675677 - 0.5 * (df + 1) * log1p(t * t / df);
    return 2 * exp(log_density + log(t));
}

/* The t > 0 with P(|T| > t) = outside, by Newton's method in log t kept inside a bracket that halves when Newton leaves it. */
static double student_two_sided(double outside, double inside, double df)
{
    double low = -700, high = 700, at = log(fmax(-sow_normal_quantile(0.5 * outside), 1e-300));
    if (!(at > low && at < high)) at = 0;
    for (int i = 0; i < 400; i++) {
        double t = exp(at);
        student_mass mass = student_mass_of(t, df);
        double excess = outside < inside ? mass.outside - outside : inside - mass.inside; /* > 0: t is too small */
        if (excess > 0)
            low = at;
        else
            high = at;
        double next = at + excess / student_slope(t, df);
        if (!(next > low && next < high)) next = 0.5 * (low + high);
        if (excess == 0 || fabs(next - at) <= 1e-15 * fmax(1, fabs(at))) return exp(at);
        at = next;
    }
    return exp(at);
}

/* Cornish-Fisher expansion (Abramowitz & Stegun 26.7.5); the next term is of order z^7 / (400 df^3). */
static double nearly_normal(double z, double df)
{
    double z2 = z * z;
    return z + z * (z2 + 1) / (4 * df) + z * (3 + z2 * (16 + 5 * z2)) / (96 * df * df);
}

double sow_student_quantile(double p, double df)
{
    if (!(p >= 0 && p <= 1) || !(df > 0)) return NAN;
    if (p == 0 || p == 1) return p == 0 ? -INFINITY : INFINITY;
    if (p == 0.5) return 0;
    if (df > 1e6) return nearly_normal(sow_normal_quantile(p), df);
    double inside = fabs(2 * p - 1), outside = p < 0.5 ? 2 * p : 2 * (1 - p);
    double t = student_two_sided(outside, inside, df);
    return p < 0.5 ? -t : t;
}

void sow_nb_cdf(double *below, double *above, double k, double mean, double size)
{
    int sign; /* as above */
    *below = *above = NAN;
    if (isnan(k) || !(mean > 0) || !(size > 0)) return;
    *below = 0;
    *above = 1;
    if (k < 0) return;
    const double a = size, b = floor(k) + 1, x = size / (size + mean), y = mean / (size + mean);
    const double log_x = -log1p(mean / size), log_y = -log1p(size / mean); /* of x near 1 the logarithm would see nothing */
    const double front = exp(a * log_x + b * log_y + lgamma_r(a + b, &sign) - lgamma_r(a, &sign) - lgamma_r(b, &sign));
    if (x < (a + 1) / (a + b + 2)) {
        *below = fmin(1, front * beta_fraction(a, b, x) / a);
        *above = 1 - *below;
    } else {
        *above = fmin(1, front * beta_fraction(b, a, y) / b);
        *below = 1 - *above;
    }
}
