/* Oracles: who answers when a batch is measured. One table: replay (a finished screen), generative (a simulator), lab (people). */
#ifndef SOWER_SIMULATOR_ORACLE_H
#define SOWER_SIMULATOR_ORACLE_H

#include "core/cells.h"
#include "core/env.h"
#include "core/prior.h"
#include "core/screen.h"
#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    sow_index perturbation, context;
    sow_index planned_cells; /* 0 = not said */
    sow_index already;       /* cells: handed out for this pair in earlier rounds */
} sow_request;

typedef enum { SOW_MEASURED, SOW_PARTIAL, SOW_FAILED, SOW_PENDING } sow_outcome;

typedef struct {
    sow_index perturbation, context;
    sow_outcome outcome;
    double cells, weight, hit;
    double *values;    /* [n_features] owned by the list; NaN when failed or pending */
    double *covariate; /* [n_covariates] */
    char reason[120];  /* of a failed or partial result, "" otherwise */
    sow_index n_cell;  /* cells: those handed out, positions in the table, ascending */
    sow_index *cell;
} sow_measurement;

typedef struct {
    sow_index n, n_features, n_covariates;
    sow_measurement *item; /* [n] in the order of the requests */
    sow_index n_control;   /* cells: the round's controls, positions in the table, ascending */
    sow_index *control;
} sow_measurements;
void sow_measurements_clear(sow_measurements *m);

typedef struct {
    uint64_t seed;
    const sow_screen *screen; /* replay: the finished screen, merged; borrowed. generative: the world's screen */
    double noise_per_cell;    /* generative: standard deviation of one cell's readout; a value from n cells has noise_per_cell /
                                 sqrt(n) */
    double failure_rate;      /* generative: share of requests that fail */
    const sow_cells *cells;   /* replay of cells: the finished screen's; borrowed; NULL = not cells */
    sow_index n_rounds;       /* replay of cells: controls are shared out over so many rounds */
    double control_share;     /* replay of cells: controls as a share of all cells of a round */
    sow_index n_samples;      /* replay of cells: samples of a round, over which its perturbations are spread; 0 or 1: one */
    double lost_samples;      /* replay of cells, 0..1: probability that one of them is lost in a round: its requests have failed, and none of their cells is used up */
} sow_oracle_options;

/* Replay of cells. A perturbation's cells stand in an order drawn once (its own stream), and a request takes the next `planned_cells` of them after `already`
 * (0 planned: all that are left), fewer when there are fewer (SOW_PARTIAL, with the reason; none left: SOW_FAILED). A pair may be asked for once a round.
 * Controls of each context and technical batch stand in an order drawn once too and are shared out evenly over the n_rounds rounds, so that none is handed out twice. For each
 * context with requests, round r takes from its share as many as control_share asks (at least 16, or all of its share), batch by batch in proportion to the round's cells and at
 * least two (or all) of every batch with cells. A technical batch with fewer controls than rounds would leave a round without any: its cells and controls are never handed out,
 * and the reason says so. Creation fails when a target context has fewer than 2 controls a round. `values` stay NaN: what cells amount to is the planner's to say.
 * An answer is a function of (seed, round, requests): the oracle remembers nothing, and the order of requests does not matter. */

typedef struct sow_oracle sow_oracle;
typedef struct {
    const char *name;
    const char *summary;
    int needs_people; /* lab: measure() answers SOW_PENDING; results come by `sower record` */
    sow_status (*create)(sow_oracle **out, const sow_oracle_options *options, sow_error *err);
    sow_status (*measure)(sow_measurements *out, sow_oracle *oracle, const sow_request *requests, sow_index n, sow_index round,
                          sow_error *err);
    void (*destroy)(sow_oracle *oracle);
} sow_oracle_class;

struct sow_oracle {
    const sow_oracle_class *class_;
};

const sow_oracle_class *const *sow_oracle_classes(sow_index *n);
SOW_MUST_CHECK sow_status sow_oracle_find(const sow_oracle_class **out, const char *name, sow_error *err);
SOW_MUST_CHECK sow_status sow_oracle_measure(sow_measurements *out, sow_oracle *oracle, const sow_request *requests, sow_index n,
                                             sow_index round, sow_error *err);
void sow_oracle_destroy(sow_oracle *oracle);

/** The generative world of the quickstart: perturbations fall into modules; a module has a heavy-tailed effect; a prior sees the
 * modules through noise. Builds the whole truth as a merged scalar screen (context "simulated", cells drawn per perturbation) and
 * its prior. */
typedef struct {
    uint64_t seed;
    sow_index n_perturbations;    /* 2..200000 */
    sow_index n_modules;          /* 1..n_perturbations */
    double cells_median;          /* median cells per perturbation, log-normal sd 0.5 */
    double prior_informativeness; /* 0 = noise .. 1 = the modules and effects themselves */
    sow_index prior_dims;         /* >= 2 */
    double noise_per_cell;
} sow_world_options;
#define SOW_WORLD_OPTIONS_INIT                                                                                                     \
    {                                                                                                                              \
        1, 400, 24, 100.0, 0.7, 16, 4.0                                                                                            \
    }

/** `*screen`: the truth WITHOUT measurement noise (caller owns); `*prior`: dense, unscaled (caller clears). */
SOW_MUST_CHECK sow_status sow_world_create(sow_screen **screen, sow_prior *prior, const sow_world_options *options, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
