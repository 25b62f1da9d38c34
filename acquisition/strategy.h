/* Acquisition strategies: one table, one row and one file a strategy. See docs/adding-a-strategy.md.
 *
 * A strategy declares what it needs, gets a view of the pool and returns picks, each with a score and a reason. Greedy strategies
 * ask feasible() before each pick and say take() after it, so constraints act inside the choice. Candidates come in name order;
 * ties within 1e-6 go to the lower position, that is, to the name that sorts first. Strategies see models only through the arrays
 * and the posterior. */
#ifndef SOWER_ACQUISITION_STRATEGY_H
#define SOWER_ACQUISITION_STRATEGY_H

#include "core/env.h"
#include "core/rng.h"
#include "core/status.h"
#include "models/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    SOW_NEED_PRIOR = 1 << 0,   /* geometry: features of candidates and labelled */
    SOW_NEED_MOMENTS = 1 << 1, /* mean, var, noise of the candidates */
    SOW_NEED_JOINT = 1 << 2, /* posterior with covariance columns and draws; beside MOMENTS it is used when there and may be NULL */
    SOW_NEED_REFERENCE = 1 << 3, /* values of a reference context */
    SOW_NEED_HITS = 1 << 4       /* an objective of kind hits (higher score = more wanted) */
} sow_strategy_needs;

typedef struct {
    sow_index n;                     /* candidates */
    const char *const *name;         /* [n], strictly ascending by strcmp; checked. May be NULL */
    sow_index dim;                   /* of the prior representation; 0 = none */
    const double *features;          /* [n, dim], zeros where !has */
    const unsigned char *has;        /* [n] has a prior row; NULL = all */
    sow_index n_labelled;            /* measured and pending together, oldest first */
    const double *labelled_features; /* [n_labelled, dim] */
    const unsigned char *labelled_has;
    /* predictions, NULL unless needed; oriented so that larger is more wanted (the planner flips signs for `direction: low` and
     * takes |value| for `direction: both`) */
    const double *mean, *var, *noise; /* [n]; var: variance of the noise-free value (profile: summed over components); all-NaN var
                                       * or noise counts as absent */
    const sow_posterior *posterior;   /* over the same n candidates; NULL unless needed and scalar */
    sow_index n_measured;             /* labelled with a value */
    const double *measured;           /* [n_measured] oriented values */
    double threshold;        /* value at or above which a candidate counts as a hit, estimated from what is measured; NaN = none */
    double hit_share;        /* expected share of hits in the pool (objective.top), NaN unknown */
    const double *reference; /* [n] oriented reference value; NaN unknown */
    sow_index round;         /* 0 = initial */
    sow_index picks_after;   /* picks still to come after this batch (the remaining budget), for look-ahead */
    sow_rng rng;             /* the stream of this run, purpose and round; copy before drawing */
    int (*feasible)(void *rules, sow_index candidate); /* NULL = everything is */
    void (*take)(void *rules, sow_index candidate);    /* told of each pick in order */
    void *rules;
} sow_pool_view;

typedef struct {
    sow_index candidate; /* position in the view */
    double score;
    char reason[160]; /* one clause for a person: "predicted 2.31 +- 0.40, above the hit threshold 1.9 with probability 0.86" */
} sow_pick;

typedef struct {
    double beta;      /* ucb: weight of the standard deviation [1.0] */
    sow_index starts; /* kmeans: k-means++ starts [10] */
} sow_strategy_options;
#define SOW_STRATEGY_OPTIONS_INIT                                                                                                  \
    {                                                                                                                              \
        1.0, 10                                                                                                                    \
    }

typedef struct {
    const char *name;
    const char *aliases; /* comma separated, may be "" (GeneDisco spellings: "coreset", "kmeans_data", ...) */
    const char *summary; /* one sentence */
    unsigned needs;      /* sow_strategy_needs */
    sow_status (*pick)(sow_pick *picks, sow_index batch, const sow_pool_view *view, const sow_strategy_options *options,
                       const sow_env *env, sow_error *err);
} sow_strategy;

const sow_strategy *const *sow_strategies(sow_index *n);
/** Row by name or alias; SOW_E_CONFIG with the nearest spelling and the command that lists them. */
SOW_MUST_CHECK sow_status sow_strategy_find(const sow_strategy **out, const char *name, sow_error *err);

/** Checked front door: needs met, batch <= n, names in order, finite input; after the choice: exactly `batch` distinct feasible
 * candidates or SOW_E_CONFIG saying how many could be picked. picks [batch], in the order of choice. The posterior's columns may be
 * asked for from several threads of `env` at once. The same view gives the same picks for any number of threads. */
SOW_MUST_CHECK sow_status sow_strategy_pick(sow_pick *picks, sow_index batch, const sow_strategy *strategy,
                                            const sow_pool_view *view, const sow_strategy_options *options, const sow_env *env,
                                            sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
