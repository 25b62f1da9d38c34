/* Small campaigns on simulated screens, played by seed; what they say of the truth, and Student's interval of it. */
#ifndef SOWER_TESTS_PLANNER_TRUTH_FIXTURE_H
#define SOWER_TESTS_PLANNER_TRUTH_FIXTURE_H

#include "cells_fixture.h"

#include "core/stats.h"

/* Modules that move programs, a prior that knows four fifths of it; half of the pool is measured, at random, and 50 perturbations are held out. */
#define TRUTH_SCREEN "oracle: {kind: generative, perturbations: 160, modules: 12, programs: 12, genes: 120, controls: 1000, cells: 100, informativeness: 0.8, prior_dims: 16, held_out: {count: 50}"

static inline void truth_play(const char *name, int seed, const char *more_of_oracle, const char *model, int measured)
{
    char yaml[1500];
    sow_error err = {0};
    snprintf(yaml, sizeof yaml,
             "sower: 1\nname: %s\nseed: %d\n" TRUTH_SCREEN "%s}\nreadout: {kind: cells}\nmodel: {%s}\nacquisition: {strategy: random}\n"
             "rounds: {initial: {size: %d, strategy: random}}\ndesign: {cells_per_perturbation: 200, control_share: 0.1}\n",
             name, seed, more_of_oracle, model, measured);
    sow_config *config = read_config(yaml);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, name);
    MUST(sow_campaign_run(c, NULL, &err));
    close_campaign(c);
    sow_config_destroy(config);
}

/* A number of metrics.csv: round,measured,model,context,metric,value,low,high. */
static inline double truth_metric(const char *name, const char *model, const char *metric)
{
    char file[80], want[120];
    snprintf(file, sizeof file, "%.60s/metrics.csv", name);
    snprintf(want, sizeof want, ",%s,simulated,%s,", model, metric);
    const char *at = strstr(scratch_read(scratch_path(file)), want);
    cr_assert_not_null(at, "no %s of %s", metric, model);
    return strtod(at + strlen(want), NULL);
}

/* Lower end of the 95 % interval of the mean of x [n]; Student's t. */
static inline double truth_low(const double *x, int n)
{
    static const double t[] = {0, 12.706, 4.303, 3.182, 2.776, 2.571};
    return sow_mean(x, n) - t[n - 1] * sqrt(sow_variance(x, n) / n);
}

#endif
