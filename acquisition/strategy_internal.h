/* Shared by the strategies of this folder. They run behind sow_strategy_pick, so feasible() is also 0 for what was already taken.
 */
#ifndef SOWER_ACQUISITION_STRATEGY_INTERNAL_H
#define SOWER_ACQUISITION_STRATEGY_INTERNAL_H

#include "acquisition/strategy.h"

extern const sow_strategy sow_i_strategy_random, sow_i_strategy_kmeans, sow_i_strategy_core_set, sow_i_strategy_max_variance,
    sow_i_strategy_greedy, sow_i_strategy_ucb, sow_i_strategy_ei, sow_i_strategy_thompson, sow_i_strategy_reference,
    sow_i_strategy_poh, sow_i_strategy_lookahead, sow_i_strategy_uncertainty, sow_i_strategy_soft_uncertainty,
    sow_i_strategy_kmeans_embedding, sow_i_strategy_loss_oracle, sow_i_strategy_loss_prediction, sow_i_strategy_least_consistent, sow_i_strategy_most_consistent,
    sow_i_strategy_functional, sow_i_strategy_herding;

int sow_i_feasible(const sow_pool_view *view, sow_index i);
/** Position of the best feasible score; scores within 1e-6 (relative below 1) of it are tied and the lowest position wins. NaN is
 * never picked. -1 when nothing is feasible. */
sow_index sow_i_best(const sow_pool_view *view, const double *score);
/** Records a pick and tells the rules; the reason is printf-style. */
void sow_i_take(sow_pick *pick, const sow_pool_view *view, sow_index i, double score, const char *format, ...) SOW_PRINTF(5, 6);
/** The error of a choice that ran out of feasible candidates. */
sow_status sow_i_stuck(const sow_pool_view *view, sow_index picked, sow_index batch, sow_error *err);
/** Fills picks [*picked..batch) with feasible candidates marked in `eligible` (NULL = all), in random order from `rng`. `reason` is
 * the whole reason. Stops early when none is feasible. */
SOW_MUST_CHECK sow_status sow_i_take_at_random(sow_pick *picks, sow_index *picked, sow_index batch, const sow_pool_view *view,
                                               const unsigned char *eligible, sow_rng *rng, const char *reason, sow_error *err);
/** For strategies that move in prior space: the rest of the batch at random, first those without a prior row. Sets its own errors.
 */
SOW_MUST_CHECK sow_status sow_i_take_rest(sow_pick *picks, sow_index *picked, sow_index batch, const sow_pool_view *view,
                                          sow_error *err);
/** The rest of the batch at random: first those whose score is NaN, with `reason`, then what the rules leave open. Sets its own errors. */
SOW_MUST_CHECK sow_status sow_i_take_unknown(sow_pick *picks, sow_index *picked, sow_index batch, const sow_pool_view *view,
                                             const double *score, const char *reason, sow_error *err);
/** Share of the other known scores that are below candidate i's, in whole percent, rounded down. */
double sow_i_percent_below(const double *score, sow_index n, sow_index i);
/** p [n] = softmax of scale x; NaN gets 0. */
void sow_i_softmax(double *p, const double *x, sow_index n, double scale);
/** Weights [n] of candidates for k-means from their drift, by the option `how`; NaN drifts get 0, and where no weight would be above
 * 0 all get 1. SOW_E_CONFIG for a `how` that is not one of the option's words. */
SOW_MUST_CHECK sow_status sow_i_drift_weights(double *weight, const double *drift, sow_index n, const char *how, sow_error *err);

/** "predicted 2.31 +- 0.40, above the hit threshold 1.9 with probability 0.86", as much of it as the view knows. */
typedef struct {
    char text[120];
} sow_i_clause;
sow_i_clause sow_i_describe(const sow_pool_view *view, sow_index i, double threshold);
/** P(value >= threshold) of a normal prediction; a variance of 0 gives 0 or 1. */
double sow_i_probability(double mean, double var, double threshold);
/** The hit threshold: the view's, else the quantile of what is measured at the expected hit share (a tenth when unknown), else,
 * with nothing measured, that quantile of the predicted means. */
SOW_MUST_CHECK sow_status sow_i_threshold(double *out, const sow_pool_view *view, sow_error *err);

/** How a strategy of moments judges one candidate; `how` is the strategy's own. */
typedef struct {
    double (*score)(double mean, double var, const void *how);
    void (*explain)(char *text, size_t size, const sow_pool_view *view, sow_index i, double score, const void *how);
    const void *how;
} sow_i_rule;
/** Picks one by one by the rule's score. Each pick is taken as if measured (with its noise), which lowers the variances of what it
 * informs about and leaves the means, so that a batch spreads; without a posterior each candidate is judged alone. SOW_E_CONFIG
 * without variances. Cost of a pick: one posterior column + n x picks so far. */
SOW_MUST_CHECK sow_status sow_i_pick_one_by_one(sow_pick *picks, sow_index batch, const sow_pool_view *view, const char *strategy,
                                                const sow_i_rule *rule, const sow_env *env, sow_error *err);

#endif
