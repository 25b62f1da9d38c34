/* A learning curve carried on past its last round, with a band: a pure function of numbers.
 *
 * Two families are fitted to the mean curve over seeds: a + b n^p with p in [-3, 1] (a power law; p near 0 is a logarithm, p = 1 a straight line) and a + b exp(-k n). Seeds are drawn
 * again with replacement, both families fitted each time and weighed by how well they fit against the noise of a round's mean; the band is the weighted quantiles of all their
 * predictions, so that it holds what the seeds do not know and what the families disagree on. It is widened for few seeds (Student's t in place of the normal; a bootstrap's
 * spread is too small by sqrt((n - 1) / n)) and by how far the points lie off the best family. docs/decisions/sweep-budget.md says how often it held. Not thread-dependent. */
#ifndef SOWER_PLANNER_LEARNING_CURVE_H
#define SOWER_PLANNER_LEARNING_CURVE_H

#include "core/rng.h"
#include "core/stats.h"

enum { SOW_I_CURVE_ROUNDS_LEAST = 4, SOW_I_CURVE_SEEDS_LEAST = 3 };
#define SOW_I_CURVE_REACH 2.0 /* never beyond this many times the largest n measured */

/** Mean curve at `at` [n_at], as out [n_at], from value [rounds, n_seeds] at x [rounds], ascending, > 0. `over_last`: what is gained over the curve at the last x. `from` names the draws.
 *  SOW_E_UNSUPPORTED: fewer rounds or seeds than the least, a value that is not finite, or a place beyond the reach; SOW_E_NOMEM. Cost 400 draws x 2 families x 60 shapes x rounds. */
SOW_MUST_CHECK sow_status sow_i_curve_carry_on(sow_interval *out, const double *at, sow_index n_at, int over_last, const double *x, const double *value, sow_index rounds, sow_index n_seeds, double level,
                                               const sow_rng *from, sow_error *err);

#endif
