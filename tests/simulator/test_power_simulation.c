/* Analytic power against many more made screens, over the range of expression, dispersion, effects, cells and nominal levels that screens have. Slow. */
#include "power_fixture.h"

#include "core/memory.h"

Test(power_simulation, agrees_with_made_screens_over_a_grid)
{
    const double mean[] = {0.01, 0.05, 0.3, 2, 20}, size[] = {0.2, 1, 5}, fold[] = {0.3, 0.6, 1, 1.5, 3}, alpha[] = {0.05, 2e-3, 1e-5};
    uint32_t stream = 100;
    for (int m = 0; m < 5; m++)
        for (int s = 0; s < 3; s++)
            for (int f = 0; f < 5; f++) {
                const sow_power_design d = design_of(m % 2 ? 50 : 150, 400, mean[m], size[s], alpha[(m + s + f) % 3]);
                char what[80];
                snprintf(what, sizeof what, "mean %g size %g fold %g alpha %g", mean[m], size[s], fold[f], d.alpha);
                agrees(what, &d, fold[f], 4000, stream++);
            }
}

Test(power_simulation, agrees_where_guides_differ)
{
    uint32_t stream = 300;
    for (int g = 1; g <= 5; g += 2)
        for (int m = 0; m < 2; m++) {
            sow_power_design d = design_of(60, 400, m ? 4 : 0.5, 1.5, 2e-3);
            d.guides = g;
            d.guide_sd = 0.5;
            agrees("guides", &d, 0.4, 8000, stream++);
            agrees("guides", &d, 2, 8000, stream++);
        }
}

/* Cells of unequal libraries, tested by the score test of a negative-binomial regression with the totals as offsets and sizes known: what users' tests do. Counts are high enough for its normal law. */
static double score_rejected(const sow_power_design *d, double fold, int screens, uint32_t stream)
{
    const double sd = sqrt(log1p(d->library_cv * d->library_cv)), z = -sow_normal_quantile(0.5 * d->alpha);
    const int n = (int)(d->n_trt + d->n_ctl);
    double *depth = sow_calloc(n, sizeof *depth), *y = sow_calloc(n, sizeof *y);
    int called = 0;
    for (int k = 0; k < screens; k++) {
        sow_rng rng = sow_rng_make(12, SOW_RNG_TEST, stream, (uint32_t)k);
        double rate = 0, total = 0, score = 0, all = 0, treated = 0;
        for (int i = 0; i < n; i++) {
            depth[i] = exp(sd * sow_rng_normal(&rng) - 0.5 * sd * sd);
            y[i] = one_count(&rng, d->mean * depth[i] * (i < d->n_trt ? fold : 1), d->size);
            rate += y[i];
            total += depth[i];
        }
        rate /= total;
        for (int step = 0; step < 30; step++) { /* Fisher scoring of the common rate */
            double u = 0, w = 0;
            for (int i = 0; i < n; i++) {
                const double m = rate * depth[i];
                u += (y[i] - m) / (1 + m / d->size);
                w += m / (1 + m / d->size);
            }
            rate *= exp(u / w);
        }
        for (int i = 0; i < n; i++) {
            const double m = rate * depth[i], w = m / (1 + m / d->size);
            all += w;
            if (i < d->n_trt) {
                treated += w;
                score += (y[i] - m) / (1 + m / d->size);
            }
        }
        called += fabs(score) / sqrt(treated * (1 - treated / all)) > z;
    }
    free(depth);
    free(y);
    return (double)called / screens;
}

Test(power_simulation, is_what_a_regression_on_unequal_libraries_has)
{
    const double mean[] = {3, 10, 40}, cv[] = {0.4, 0.8};
    for (int m = 0; m < 3; m++)
        for (int v = 0; v < 2; v++) {
            sow_power_design d = design_of(100, 800, mean[m], 1.5, 0.01);
            d.library_cv = cv[v];
            const double fold = 0.75, power = power_of(&d, fold), seen = score_rejected(&d, fold, 3000, (uint32_t)(10 * m + v));
            cr_log_info("mean %g, libraries vary by %g: power %.4f, regression %.4f\n", mean[m], cv[v], power, seen);
            cr_expect(fabs(power - seen) < 4 * sqrt(power * (1 - power) / 3000) + 0.03, "mean %g, cv %g: %.4f, regression %.4f", mean[m], cv[v], power, seen);
        }
}

/* Why the test is not the usual one: where counts are few, a Wald test's own claim of its power is far off, and so is its level. */
Test(power_simulation, is_needed_where_the_normal_approximation_fails)
{
    const sow_power_design d = design_of(50, 400, 0.05, 1, 2e-3);
    agrees("2.5 counts expected, four times as many", &d, 4, 8000, 500);
    cr_expect(fabs(sow_power_wald(&d, 4) - rejected(&d, 4, 8000, 500)) > 0.05);
}
