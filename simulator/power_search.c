/* The design that a wanted power takes: bracketed from where the normal approximation puts it, then halved on a log scale. Counts are whole numbers, so that power is a saw along cells; what is found has the power, and
 * 1 % fewer have not. */
#include <math.h>

#include "simulator/power.h"

typedef struct {
    sow_power_design d;
    double controls_per_cell, fold;
    int of_mean; /* what is looked for: the mean count, else cells */
} search;

static sow_power_design design_at(const search *s, double x)
{
    sow_power_design d = s->d;
    if (s->of_mean) {
        d.mean = x;
        return d;
    }
    d.n_trt = x;
    if (s->controls_per_cell > 0) d.n_ctl = fmax(1, ceil(x * s->controls_per_cell));
    return d;
}

static sow_status power_of(double *power, const search *s, double x, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_power_test *test = NULL;
    const sow_power_design d = design_at(s, x);
    SOW_TRY(sow_power_test_create(&test, &d, err));
    *power = sow_power_at(test, s->fold);
done:
    sow_power_test_destroy(test);
    return st;
}

static double guess(const search *s, double power, double least, double most)
{
    double low = log(least), high = log(most);
    for (int i = 0; i < 40; i++) {
        const double at = 0.5 * (low + high);
        const sow_power_design d = design_at(s, exp(at));
        if (sow_power_wald(&d, s->fold) >= power) high = at;
        else low = at;
    }
    return exp(high);
}

/* Cells are whole. */
static double rounded(const search *s, double x)
{
    return s->of_mean ? x : ceil(x - 1e-9);
}

static sow_status look(double *out, const search *s, double power, double least, double most, sow_error *err)
{
    sow_status st = SOW_OK;
    double in = rounded(s, guess(s, power, least, most)), too_few = 0, p, factor = 1.25;
    SOW_TRY(power_of(&p, s, in, err));
    while (p < power) {
        too_few = in;
        if (in >= most) {
            *out = INFINITY;
            goto done;
        }
        in = fmin(rounded(s, in * factor), most);
        factor *= factor;
        SOW_TRY(power_of(&p, s, in, err));
    }
    for (factor = 1.25; too_few == 0 && in > least; factor *= factor) {
        const double at = fmax(rounded(s, in / factor), least);
        SOW_TRY(power_of(&p, s, at, err));
        if (p < power) too_few = at;
        else in = at;
    }
    while (too_few > 0 && in / too_few > 1.01 && (s->of_mean || in - too_few > 1)) {
        const double at = s->of_mean ? sqrt(in * too_few) : floor(0.5 * (in + too_few));
        SOW_TRY(power_of(&p, s, at, err));
        if (p < power) too_few = at;
        else in = at;
    }
    *out = in;
done:
    return st;
}

sow_status sow_power_cells_needed(double *cells, const sow_power_design *design, double controls_per_cell, double fold, double power, double most, sow_error *err)
{
    const search s = {*design, controls_per_cell, fold, 0};
    *cells = NAN;
    return look(cells, &s, power, 1, floor(most), err);
}

sow_status sow_power_mean_needed(double *mean, const sow_power_design *design, double fold, double power, double most, sow_error *err)
{
    const search s = {*design, 0, fold, 1};
    *mean = NAN;
    return look(mean, &s, power, fmin(1e-7, most), most, err);
}
