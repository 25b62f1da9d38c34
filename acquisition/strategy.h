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
    SOW_NEED_HITS = 1 << 4,      /* an objective of kind hits (higher score = more wanted) */
    SOW_NEED_LATENT = 1 << 5, /* features must be the learned representation: a model with SOW_CAP_LATENT, whatever
                               * acquisition.representation says */
    SOW_NEED_LOSSES = 1 << 6, /* the model's losses on what is measured */
    SOW_NEED_DRIFT = 1 << 7,  /* how far the latent of each candidate moved in training */
    SOW_NEED_TRUTH = 1 << 8,  /* the true loss of every candidate: an oracle's strategy, to bound what is possible; refused with a lab */
    SOW_NEED_DELTAS = 1 << 9, /* responses of the candidates in two reference contexts or more */
    SOW_NEED_LIST = 1 << 10   /* acquisition.list */
} sow_strategy_needs;

typedef struct {
    sow_index n;                     /* candidates */
    const char *const *name;         /* [n], strictly ascending by strcmp; checked. May be NULL */
    sow_index dim;                   /* of the representation (acquisition.representation: prior, learned or kernel); 0 = none */
    const double *features;          /* [n, dim], zeros where !has */
    const unsigned char *has;        /* [n] has a prior row; NULL = all */
    sow_index n_labelled;            /* measured and pending together, oldest first */
    const double *labelled_features; /* [n_labelled, dim] */
    const unsigned char *labelled_has;
    const char *const *labelled_name; /* [n_labelled], for reasons and errors; NULL = not known */
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
    const double *drift;     /* [n] >= 0, NaN unknown (no prior row); NULL unless needed */
    sow_index n_losses;      /* losses of the model on measured perturbations; 0 unless needed */
    const sow_index *loss_of; /* [n_losses] position among the labelled; a perturbation may have several */
    const double *loss;       /* [n_losses] */
    const double *loss_cells; /* [n_losses] cells each was taken on, > 0; NaN or NULL = unknown */
    const unsigned char *loss_held; /* [n_losses] not trained on: out of sample; NULL = none */
    const double *true_loss; /* [n] NaN unknown; NULL unless needed */
    sow_index n_references, n_genes;   /* reference contexts, and the width of a response; 0 unless needed */
    const double *const *delta;        /* [n, n_references] mean response [n_genes] of each candidate in each, borrowed; NULL = not measured there */
    const double *delta_error;         /* [n, n_references] mean over genes of its squared standard error; NaN unknown; NULL = none known */
    const sow_index *listed;           /* [n] place in the list, from 0; -1 = not in it; NULL unless needed */
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

/** A text of NULL and a count of 0 stand for the default in []. */
typedef struct {
    double beta;            /* ucb: weight of the standard deviation [1.0] */
    sow_index starts;       /* kmeans: k-means++ starts [10]; at least 1 */
    const char *weight;     /* kmeans: how the drift weights a candidate: "none", "uncertainty" (as it is), "uncertainty-minmax",
                             * "uncertainty-softmax", "uncertainty-softmax5" (of five times the drift) ["none"] */
    const char *loss_form;  /* loss-prediction: "regression", "binned", "ranking"; "published": regression on raw losses, one batch of
                             * cells a step, as MORPH's code does ["regression"] */
    const char *loss_target; /* loss-prediction: "all" losses, or "held" ones only where at least half of those with a loss have one ["all"] */
    sow_index loss_members; /* loss-prediction: networks whose predictions are averaged [1] */
    int loss_cells;         /* loss-prediction: take the part of the loss that log(cells) explains away first [0] */
    const char *consistency; /* least-consistent, most-consistent: "corrected" for the noise of few cells where it is known, or as "published" ["corrected"] */
} sow_strategy_options;
#define SOW_STRATEGY_OPTIONS_INIT                                                                                                  \
    {                                                                                                                              \
        1.0, 10, "none", "regression", "all", 1, 0, "corrected"                                                                    \
    }

typedef struct {
    const char *name;
    const char *aliases; /* comma separated, may be "" (GeneDisco spellings: "coreset", "kmeans_data", ...) */
    const char *summary; /* one sentence */
    unsigned needs;      /* sow_strategy_needs, whatever the options */
    unsigned (*more_needs)(const sow_strategy_options *options); /* what the options add to them; NULL = nothing */
    sow_status (*pick)(sow_pick *picks, sow_index batch, const sow_pool_view *view, const sow_strategy_options *options,
                       const sow_env *env, sow_error *err);
} sow_strategy;

const sow_strategy *const *sow_strategies(sow_index *n);
/** Row by name or alias; SOW_E_CONFIG with the nearest spelling and the command that lists them. */
SOW_MUST_CHECK sow_status sow_strategy_find(const sow_strategy **out, const char *name, sow_error *err);

/** Everything that a view for these options (NULL = the defaults) must hold. */
unsigned sow_strategy_needs_with(const sow_strategy *strategy, const sow_strategy_options *options);

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
