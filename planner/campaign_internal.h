/* Inside the planner: the loaded world of a campaign, its state, and the steps between them.
 *
 * setup.c loads the world; state.c replays events; learn.c turns state into training data and fitted models; plan.c, measure.c and record.c make
 * events; bill.c and budget.c reckon money and weeks; score.c evaluates a round; files.c writes what people read; report.c, summary.c and parts.c say it as JSON. */
#ifndef SOWER_PLANNER_CAMPAIGN_INTERNAL_H
#define SOWER_PLANNER_CAMPAIGN_INTERNAL_H

#include <jansson.h>

#include "acquisition/constraints.h"
#include "acquisition/strategy.h"
#include "core/adjust.h"
#include "core/linalg.h"
#include "io/file.h"
#include "io/sheet.h"
#include "io/store.h"
#include "models/model.h"
#include "planner/campaign.h"
#include "simulator/oracle.h"

typedef enum { SOW_FREE, SOW_PLANNED, SOW_DONE, SOW_DONE_PARTIAL, SOW_LOST } sow_item_status;

typedef struct {
    sow_index site, perturbation;
    double score;
    char *reason;
    sow_index planned_cells;
    double cost;
    sow_outcome outcome; /* SOW_PENDING until measured */
    char *note;          /* why it is partial or failed, or NULL */
} sow_i_pick;

typedef struct {
    sow_index round;
    char *strategy;
    sow_index n;
    sow_i_pick *pick; /* in rank order */
    int planned, evaluated;
    json_t *metrics;  /* array of rows as in metrics.csv; owned; NULL until evaluated */
    json_t *learned;  /* array of sentences; owned; NULL until evaluated */
    sow_bill *bill;   /* as recorded with the plan; owned; NULL = it was not */
    double begins;    /* weeks from the campaign's beginning */
    sow_index asked;  /* cut by the budget: what the file asked for; 0 = not cut */
    double cut_by;    /* ... and the budget.money that cut it */
    json_t *training; /* how the training of networks went (score.c); owned; NULL = no networks */
} sow_i_round;

/** Cells of one perturbation that came in one round. */
typedef struct {
    sow_index round, n, *cell; /* positions in the table, ascending */
} sow_i_draw;

/** Cells: a round's controls of one context, positions in the table, ascending. */
typedef struct {
    sow_index n_control, *control;
} sow_i_controls;

/** What one perturbation's measurements in one target context amount to. */
typedef struct {
    sow_index round; /* first round it was measured in; -1 = never */
    sow_item_status status;
    int unplanned;
    double cells, weight, hit;
    double *values;    /* [n_features] or NULL */
    double *covariate; /* [n_covariates] or NULL */
    sow_index n_draws;
    sow_i_draw *draw;  /* cells: what was handed out; values follow from it once the response space is frozen */
} sow_i_item;

typedef struct sow_i_cells sow_i_cells; /* planner/cells_internal.h */

/** Training data of one moment, owned. */
typedef struct {
    sow_training view;
    sow_index n_target;      /* the first n_target items are the target's measured, in catalogue order; references follow */
    sow_index *perturbation, *context;
    double *y, *cells;
    sow_adjust adjust;       /* of the target context */
    sow_training_cells cells_of; /* for models that learn from cells: view.cells_of points here */
    sow_index *cell_start, *cell, *control;
} sow_i_training;

enum { SOW_I_SITES_MOST = 64 };

/** A target context: what may be chosen there, what was measured there, and what was learned for it. A campaign has one, or several whose measurements inform each other. */
typedef struct {
    sow_index target;        /* context position */
    unsigned char *eligible; /* [n] could be planned or held out */
    unsigned char *held_out; /* [n] */
    unsigned char *in_pool;  /* [n] eligible and not held out */
    char **why_not;          /* [n] reason of a perturbation that is not eligible, or NULL */
    unsigned char *true_hit; /* [n] hits of the pool, from the whole truth (replay and generative only), or NULL */

    /* state: from events */
    sow_i_item *item;         /* [n] */
    sow_i_controls *controls; /* [n_rounds] */

    /* the model fitted on the present state, kept between evaluating a round and planning the next */
    sow_model *model;
    sow_i_training training;
    int training_ready;
    sow_pca response;        /* profile: components of what `training` holds */
    int has_response;
    struct sow_i_held_cells *held; /* cells: what held-out cells say does not change from round to round; NULL before the first evaluation */
} sow_i_site;

struct sow_campaign {
    const sow_config *config;
    sow_campaign_mode mode;
    int lean; /* as in the options */
    struct sow_cell_counts *counts; /* likewise */
    char *dir, *argv, *cache;
    const sow_env *env; /* of the call in progress */
    sow_store *store; /* NULL in CHECK */

    /* the world: loaded once, never changed */
    sow_screen *screen;     /* replay: the finished screen with references; lab: candidates and references; generative: the truth */
    sow_dropped dropped;
    sow_index n, d, p;      /* catalogue, features, covariates; d of cells is 0 until the response space is frozen */
    sow_index n_sites;
    sow_i_site *site;       /* [n_sites] in the order of the screen's contexts */
    sow_i_site *here;       /* the one that is worked on: whatever speaks of "the target" means it. Who goes over several (sow_i_go) comes back to the first */
    sow_names *held_before;  /* held out when the campaign began, from its first event, as sow_i_label: they stay it; NULL = a new campaign */
    sow_index pool_size, n_held_out; /* of all sites together */
    sow_prior given;           /* the simulator's; empty without one */
    sow_prior_set priors;      /* every prior of the file: quotas and the map */
    sow_prior_set model_priors; /* those of model.prior, with their fusion */
    sow_prior_coverage *coverage; /* [priors.n_priors] */
    const sow_model_class *model_class;
    const sow_strategy *initial_strategy, *strategy;
    sow_oracle *oracle;
    sow_guides *guides;
    sow_i_cells *cells;      /* readout cells; else NULL */
    char world_digest[65];   /* SHA-256 over the files read */
    int has_truth;
    sow_index n_hits;        /* true hits of all sites together */

    sow_index n_rounds; /* rounds the configuration asks for */
    sow_i_round *round; /* [n_rounds], from events */
};

/* A pair of a site and a perturbation as one number, site by site: of a campaign with one target it is the perturbation. */
static inline sow_index sow_i_pair(const sow_campaign *c, sow_index site, sow_index perturbation)
{
    return site * c->n + perturbation;
}
static inline sow_i_site *sow_i_site_of_pair(const sow_campaign *c, sow_index pair)
{
    return &c->site[pair / c->n];
}
static inline sow_i_item *sow_i_item_of_pair(const sow_campaign *c, sow_index pair)
{
    return &c->site[pair / c->n].item[pair % c->n];
}
static inline void sow_i_go(sow_campaign *c, sow_index site)
{
    c->here = &c->site[site];
}
/** Site of a context, or -1: a reference. */
sow_index sow_i_site_of_context(const sow_campaign *c, sow_index context);
/** Site of a context that a setting (`key`) names; SOW_E_CONFIG says which there are. */
SOW_MUST_CHECK sow_status sow_i_find_site(sow_index *out, const sow_campaign *c, const char *key, const char *name, sow_error *err);
/** SOW_E_CONFIG where there are several target contexts, and `what` is of one. */
SOW_MUST_CHECK sow_status sow_i_needs_one_target(const sow_campaign *c, const char *what, sow_error *err);

/* campaign.c */
/** Forget the world and the state and read both again, under the same store: after an event that brought a file. */
SOW_MUST_CHECK sow_status sow_i_reload(sow_campaign *c, const sow_env *env, sow_error *err);

/* record.c */
/** Perturbations of a file of results that this campaign does not know are SOW_E_DATA, with the nearest spelling of each. */
SOW_MUST_CHECK sow_status sow_i_check_known(const sow_campaign *c, const char *file, const sow_names *names, sow_error *err);
/** Does a file of results, read as `named`, name the pick's perturbation in its context? */
int sow_i_is_named(const sow_campaign *c, const sow_screen *named, const sow_i_pick *pick);
/** The round that a file's results are of: where rounds overlap, the one whose picks it names. SOW_E_DATA: it names those of two. */
SOW_MUST_CHECK sow_status sow_i_round_of_results(sow_index *round, const sow_campaign *c, const char *file, const sow_screen *named, sow_error *err);
void sow_i_warn_of_dropped(const sow_dropped *dropped, const char *control, const sow_env *env);

/* setup.c */
SOW_MUST_CHECK sow_status sow_i_setup(sow_campaign *c, const sow_env *env, sow_error *err);
void sow_i_setup_clear(sow_campaign *c);
/** Read the model's priors again, scaled and projected on `rows` [n] only. */
SOW_MUST_CHECK sow_status sow_i_refit_priors(sow_campaign *c, const unsigned char *rows, const sow_env *env, sow_error *err);
/** Names of acquisition.list that cannot be chosen here are said; a list of nothing else is refused. `key`: which setting asks for it. */
SOW_MUST_CHECK sow_status sow_i_check_list(const sow_campaign *c, const char *key, sow_error *err);
/* pool.c: eligibility, held-out split, true hits */
SOW_MUST_CHECK sow_status sow_i_pool_eligible(sow_campaign *c, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_pool_build(sow_campaign *c, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_pool_true_hits(sow_campaign *c, sow_error *err);
sow_index sow_i_hit_count(const sow_campaign *c); /* hits the objective asks for in the pool (top), or -1 */
int sow_i_is_hit_value(const sow_campaign *c, double hit); /* objective.column: below / above */

/* state.c */
SOW_MUST_CHECK sow_status sow_i_state_load(sow_campaign *c, sow_error *err);
void sow_i_state_clear(sow_campaign *c);
SOW_MUST_CHECK sow_status sow_i_state_apply(sow_campaign *c, const char *kind, sow_index round, const char *payload, sow_error *err);
/** Append to the store and apply what was stored. Takes `payload` (decref'd on every path). */
SOW_MUST_CHECK sow_status sow_i_commit(sow_campaign *c, const char *kind, sow_index round, json_t *payload, sow_error *err);
/** Rounds whose last result is there are evaluated, the earliest first; one that waits keeps later ones waiting (campaign.c). */
SOW_MUST_CHECK sow_status sow_i_evaluate_due(sow_campaign *c, const sow_env *env, sow_error *err);
/** The round's pick of a perturbation in a site, or NULL. */
sow_i_pick *sow_i_find_pick(const sow_i_round *r, sow_index site, sow_index perturbation);
/** Puts "context" into a row of an event, where there are several to choose from. */
void sow_i_say_site(json_t *row, const sow_campaign *c, sow_index site);
sow_index sow_i_current_round(const sow_campaign *c); /* first round not evaluated, or n_rounds */
int sow_i_round_measured(const sow_i_round *r);       /* planned, and no pick pending */

/* learn.c */
/** What was measured up to `round` (its first measurement counts); references are always there. */
SOW_MUST_CHECK sow_status sow_i_training_build(sow_i_training *out, const sow_campaign *c, sow_index round, sow_error *err);
void sow_i_training_clear(sow_i_training *t);
/** Has anything been measured in the target context that a model may learn from? */
int sow_i_any_measured(const sow_campaign *c);
/** How many pairs have been. */
sow_index sow_i_count_measured(const sow_campaign *c);
/** ... in each of them? Leaves the first one in hand. */
int sow_i_measured_everywhere(sow_campaign *c);
/** Training data of the present state and, for profiles and cells, the space of their responses: made when not at hand. */
SOW_MUST_CHECK sow_status sow_i_training_ready(sow_campaign *c, const sow_env *env, sow_error *err);
/** Model and training of the present state, fitted when not at hand. */
SOW_MUST_CHECK sow_status sow_i_fit(sow_campaign *c, const sow_env *env, sow_error *err);
void sow_i_forget_fit(sow_campaign *c);
/* learn_cells.c */
/** The cells behind the items of a training, up to `round`, where the campaign's model learns from them. */
SOW_MUST_CHECK sow_status sow_i_training_cells(sow_i_training *t, const sow_campaign *c, sow_index round, sow_error *err);
/* model_file.c */
/** The campaign's model of the state after `round` on `training`: read from rounds/NN/model.h5 when that was made from the same state, else trained, and kept there where the model
 *  can be. A training that was interrupted goes on from rounds/NN/model.part.h5. With `model.start: warm` the models of the rounds before are brought back first. */
SOW_MUST_CHECK sow_status sow_i_model_after(sow_model **out, const sow_campaign *c, const sow_training *training, sow_index round, const sow_env *env, sow_error *err);
/* check_contexts.c */
/** Other contexts for a model that learns from them: some, with something measured, and (networks that are told perturbations one-hot) every perturbation of the campaign. SOW_E_CONFIG, SOW_E_DATA. */
SOW_MUST_CHECK sow_status sow_i_check_contexts(const sow_campaign *c, sow_error *err);
/* model_origin.c */
/** What a model is made of, by name, as items "from/..." of its file: genes, priors, settings, data, perturbations and rows by context. */
SOW_MUST_CHECK sow_status sow_i_origin_put(sow_archive *a, const sow_campaign *c, const sow_training *t, const json_t *settings, sow_error *err);
/** What a kept model was made of that is other now, in words; caller frees. *foreign 0: no more than perturbations and what was measured, which change as a campaign goes on. */
SOW_MUST_CHECK sow_status sow_i_origin_differs(char **out, int *foreign, const sow_archive *then, const sow_archive *now, sow_error *err);
/* learn.c */
/** Where the target context's model after `round` is kept; caller frees; NULL = out of memory. */
char *sow_i_model_path(const sow_campaign *c, sow_index round);
/** Last round with a measurement to learn from, in any target context; -1 = none. */
sow_index sow_i_last_measured(const sow_campaign *c);
sow_model_options sow_i_model_options(const sow_campaign *c);
sow_strategy_options sow_i_strategy_options(const sow_campaign *c);
/** +1 or -1: larger oriented values are more wanted. */
double sow_i_orientation(const sow_campaign *c);
/** Value of a scalar for modelling: adjusted by `a` and, for `direction: both`, folded. y [d] in place. */
void sow_i_prepare(const sow_campaign *c, const sow_adjust *a, double *y, const double *covariate);
enum { SOW_I_MIN_BLIND_ROWS = 20 }; /* fewer, and no slope of a covariate is fitted in the target context */
/** Slopes of a context's covariates, fitted on its rows of the screen, all of them or (without [n] not NULL) those of perturbations q with without[q] == 0. Caller clears. */
SOW_MUST_CHECK sow_status sow_i_context_adjust(sow_adjust *out, const sow_campaign *c, sow_index context, const unsigned char *without, sow_error *err);
/** Adjusted truth of every target row of the screen at `a`'s centre with slopes fitted on all rows: truth [n, d], NaN where none. */
SOW_MUST_CHECK sow_status sow_i_truth(double *truth, const sow_campaign *c, const sow_adjust *centre, sow_error *err);

/* threshold.c */
/** Oriented value above which a candidate counts as a hit, as far as what is measured can say; NaN when it cannot. */
SOW_MUST_CHECK sow_status sow_i_hit_threshold(double *out, const sow_campaign *c, const double *mean, const double *var, sow_index n, sow_error *err);

/* orient.c */
/** The posterior of the negative value in place of *posterior, which it takes; on failure nothing has changed. */
SOW_MUST_CHECK sow_status sow_i_turn_posterior(sow_posterior **posterior, sow_error *err);

/* allocation.c */
int sow_i_allocates(const sow_campaign *c);
/** SOW_E_CONFIG where design.allocation asks for what the model or the readout cannot give. */
SOW_MUST_CHECK sow_status sow_i_check_allocation(const sow_campaign *c, sow_error *err);

/* plan.c */
/** "at most 3 of reactome / Cell Cycle a batch": a quota for people. Caller frees; NULL when memory is out. */
char *sow_i_quota_label(const sow_config_quota *q);
/** Rules that no choice could meet, found before anything is planned: each round's rules on the whole pool, and the campaign's on all rounds
 *  together as if they were one batch. SOW_E_CONFIG names the rule. */
SOW_MUST_CHECK sow_status sow_i_check_rules(const sow_campaign *c, sow_error *err);

/* measure.c */
/** One result as an event holds it; new reference. */
json_t *sow_i_result_json(const sow_campaign *c, sow_index site, sow_index perturbation, sow_outcome outcome, double cells, double weight, double hit,
                          const double *values, const double *covariate);

/* fit.c */
/** What the models that are fitted say they learned, by context where there are several; NULL = there is none. Caller frees. */
char *sow_i_learned(const sow_campaign *c);

/* measured.c */
/** rmse_estimated, calls_right_estimated and calls_lost_estimated of each target context behind `rows`; those of measured values behind `campaign_rows`. Nothing unless `evaluation.measured` asks and the truth is known. */
SOW_MUST_CHECK sow_status sow_i_score_measured(json_t *rows, json_t *campaign_rows, sow_campaign *c, sow_index round, const sow_env *env, sow_error *err);

/* score.c */
/** A row of metrics.csv; NaN = empty. */
void sow_i_add_metric(json_t *rows, sow_index round, sow_index measured, const char *model, const char *context, const char *metric, double value, double low, double high);
SOW_MUST_CHECK sow_status sow_i_evaluate_round(sow_campaign *c, sow_index round, const sow_env *env, sow_error *err);

/* files.c */
/** The files of a round from its events. `env` given: perturbations that the guide library lacks are named. */
SOW_MUST_CHECK sow_status sow_i_write_round(const sow_campaign *c, sow_index round, const char *plan_json, const sow_env *env, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_write_metrics(const sow_campaign *c, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_write_all(const sow_campaign *c, sow_error *err);
/** Files half-written by a process that was killed (io/file.h writes NAME.tmp-PID first). Only for who holds the campaign. */
void sow_i_remove_leftovers(const sow_campaign *c);
void sow_i_remove_leftovers_in(const char *folder);

/* bill.c */
/** Of a planned round, as recorded with its plan. */
void sow_i_bill(const sow_campaign *c, const sow_i_round *r, sow_bill *out);
/** Of a round of so many picks in each site, n [n_sites], with so many usable cells together, cells [n_sites] (NULL = the design's for each). */
void sow_i_bill_of(const sow_campaign *c, sow_index round, const sow_index *n, const double *cells, sow_bill *out);
/** ... of n picks spread evenly over the sites, as nobody knows better before planning. */
void sow_i_bill_evenly(const sow_campaign *c, sow_index round, sow_index n, sow_bill *out);
/** What one more perturbation of a site costs, with so many cells. */
double sow_i_cost_of_one(const sow_campaign *c, sow_index site, sow_index cells);
/** {rows [{item, quantity, unit, price, cost, note}], total, weeks, usable_cells, captured_cells, cells_to_transduce, lanes}; new reference. */
json_t *sow_i_bill_json(const sow_bill *bill);
json_t *sow_i_bill_row_json(const sow_bill_row *row);
/** The same read back; *out NULL where there is none. Caller frees. */
SOW_MUST_CHECK sow_status sow_i_bill_read(sow_bill **out, const json_t *j, sow_error *err);
/** Adds a bill to `rows`, a list of rows of several rounds, item by item. */
void sow_i_bill_add(json_t *rows, const sow_bill *bill);
/** bill.csv: item,quantity,unit,price,cost,note, and a last row "sum". */
void sow_i_bill_csv(sow_text *out, const sow_bill *bill);

/* budget.c */
/** Size of a round: what was planned, or what the file asks for, or what the budget leaves of it; 0 = it is not begun. */
sow_index sow_i_batch_size(const sow_campaign *c, sow_index round);
sow_index sow_i_asked_size(const sow_campaign *c, sow_index round); /* by the file */
sow_index sow_i_next_round(const sow_campaign *c);                  /* first round not planned, or n_rounds */
/** Weeks from the campaign's beginning to that of a round not planned yet, when the one before begins at `before`. */
double sow_i_begins(const sow_campaign *c, sow_index round, double before);
/** ... to the results of a round, planned or not. */
double sow_i_weeks_by(const sow_campaign *c, sow_index round);
/** By the bills of all planned rounds. */
double sow_i_spent(const sow_campaign *c);
/** Where the budget ends the campaign. */
typedef struct {
    sow_index round, asked, size; /* round -1 = nowhere; size 0 = not begun */
    double left, least;           /* money before that round, and what it costs with one perturbation (not begun for money; else 0) */
    double ends;                  /* weeks: its results would be there then; else 0 */
} sow_i_cut;
int sow_i_find_cut(sow_i_cut *cut, const sow_campaign *c);
char *sow_i_say_cut(const sow_campaign *c, const sow_i_cut *cut);
/** {money, weeks, cut {round, asked, size, why}}; NULL without a budget. New reference. */
json_t *sow_i_budget_json(const sow_campaign *c);
/** SOW_E_CONFIG where the budget does not pay for the smallest first round. */
SOW_MUST_CHECK sow_status sow_i_check_budget(const sow_campaign *c, sow_error *err);

/* parts.c: JSON parts; new references */
json_t *sow_i_real_or_null(double x);
const char *sow_i_state_word(const sow_campaign *c);
void sow_i_put_next(json_t *out, const sow_campaign *c); /* sets "next", and "ended" where the budget did it */
/** Measured, and a hit as far as the campaign can say. */
int sow_i_is_found_hit(const sow_campaign *c, sow_index pair);
sow_index sow_i_hits_in_round(const sow_campaign *c, sow_index round);
json_t *sow_i_rounds_json(const sow_campaign *c);
/** The bills of all planned rounds: {currency, rows [{round, item, ...}], total, weeks, budget}. */
json_t *sow_i_spent_json(const sow_campaign *c);
json_t *sow_i_priors_json(const sow_campaign *c);
json_t *sow_i_dropped_json(const sow_campaign *c);

/* report.c */
SOW_MUST_CHECK sow_status sow_i_report_json(char **out, sow_campaign *c, sow_error *err);

/* small shared helpers (state.c) */
const char *sow_i_name(const sow_campaign *c, sow_index perturbation);
/** A pair as people read it: the perturbation's name, with several target contexts "NAME in CONTEXT". Caller frees; NULL = out of memory. */
char *sow_i_label(const sow_campaign *c, sow_index pair);
const char *sow_i_target_name(const sow_campaign *c);
/** Name of a site's context. */
const char *sow_i_site_name(const sow_campaign *c, sow_index site);
const char *sow_i_readout_word(const sow_campaign *c); /* "scalar", "profile" or "cells" */
/** json_dumps with sorted keys and 17 digits; NULL = out of memory. Caller frees. */
char *sow_i_json_text(const json_t *j, int indent);

#endif
