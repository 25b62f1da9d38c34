/* Inside the planner, campaigns on cells: the table of cells, who was handed out, and the frozen response space.
 *
 * cells.c loads the table; response.c turns cells into mean responses; freeze.c fits and records the space; cells_events.c writes and reads draws in
 * events; score_cells.c evaluates on distributions, score_truth.c on what is true of a simulated screen; transfer.c asks whether other contexts help; report_cells.c says it all as JSON. */
#ifndef SOWER_PLANNER_CELLS_INTERNAL_H
#define SOWER_PLANNER_CELLS_INTERNAL_H

#include "core/prepare.h"
#include "io/cell_source.h"
#include "planner/campaign_internal.h"
#include "simulator/cell_world.h"

enum { SOW_I_CONTROL_LISTS = 2 };

/** Means of one list of controls, kept from call to call. */
typedef struct {
    sow_index n, *control; /* the list */
    sow_index *count;      /* [n_batches + 1] controls of each technical batch, and of all */
    double *mean;          /* [n_batches + 1, d] */
} sow_i_control_means;

typedef struct sow_i_held_cells sow_i_held_cells; /* score_cells.c */

struct sow_i_cells {
    sow_cells table;
    sow_index n_sources;   /* of the configuration; recorded files follow as further matrices */
    char (*digest)[65];    /* [n_sources + n_recorded] */
    sow_index *too_few;    /* [n_contexts * n_perturbations] cells of groups that were left out */
    int frozen;
    sow_preparation space; /* when frozen */
    json_t *frozen_event;  /* its payload; owned */
    sow_i_control_means control_means[SOW_I_CONTROL_LISTS]; /* of the last lists asked for */
    int oldest_means;                                       /* the one that gives way */
    sow_index n_recorded;
    sow_index n_judges, *judge; /* controls that predictions start from and are judged against; NULL = all there are, owned */
    char *own_context;     /* name of the target context when the campaign names none */
    char **recorded;       /* files of the campaign's own folder, in the order of their events */
    json_t **said;         /* [n_recorded] payloads of those events: which cells count */
};

/* cells.c */
/** Read the sources (and what was recorded) into c->cells and c->screen; filters; screen rows with the cells that are left. */
SOW_MUST_CHECK sow_status sow_i_cells_load(sow_campaign *c, const sow_env *env, sow_error *err);
/** The same from the simulator, with its prior. */
SOW_MUST_CHECK sow_status sow_i_cells_make(sow_campaign *c, sow_prior *given, const sow_env *env, sow_error *err);
void sow_i_cells_clear(sow_campaign *c);
/** How a file recorded at the bench is read: as the target source says, without its list of candidates. Strings are borrowed from c. */
SOW_MUST_CHECK sow_status sow_i_recorded_source(sow_source *out, sow_campaign *c, const char *file, sow_error *err);
/** "12 cells, fewer than features.min_cells_per_perturbation (16)" for a perturbation of a context left out for it, else NULL. Caller frees. */
char *sow_i_cells_why_not(const sow_campaign *c, sow_index context, sow_index perturbation);
/** Features of the frozen space that are the perturbation's own genes, into own [agents]; returns how many. */
sow_index sow_i_own_genes(sow_index *own, const sow_campaign *c, sow_index perturbation);
enum { SOW_I_MAX_OWN = 16 };
/** Size of a response y [d] without the perturbation's own genes. */
double sow_i_effect(const sow_campaign *c, sow_index perturbation, const double *y);

/* generate.c */
/** The simulated screen that the campaign asks for; `measured` is what its baseline file says, borrowed by `out`; caller clears. */
SOW_MUST_CHECK sow_status sow_i_world_options(sow_cell_world_options *out, sow_calibration *measured, const sow_config *k, sow_error *err);

/* response.c */
/** Mean response of cells [n]: by technical batch, mean of the cells minus mean of that batch's controls, averaged by cells. A batch without controls does not
 *  count unless none has any; then all controls serve. out [d]. */
SOW_MUST_CHECK sow_status sow_i_response(double *out, const sow_campaign *c, const sow_index *cell, sow_index n, const sow_index *control,
                                         sow_index n_control, sow_error *err);
/** An item's values from its draws, each against the controls of its round. */
SOW_MUST_CHECK sow_status sow_i_item_respond(sow_campaign *c, sow_index q, sow_error *err);

void sow_i_control_means_clear(sow_i_control_means *m);

/* freeze.c */
/** The response space of the controls handed out so far, what is measured but not held out, and the references: as it is recorded; new reference. */
SOW_MUST_CHECK sow_status sow_i_fit_space(json_t **payload, const sow_campaign *c, sow_error *err);
/** Fit and record the response space when round 0 is measured and there is none yet. One event. */
SOW_MUST_CHECK sow_status sow_i_freeze_if_due(sow_campaign *c, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_apply_frozen(sow_campaign *c, const json_t *payload, sow_error *err);
/** All controls of the target context, or of every target context, handed out so far, ascending; caller frees. */
SOW_MUST_CHECK sow_status sow_i_controls_so_far(sow_index **out, sow_index *n, const sow_campaign *c, int everywhere, sow_error *err);

/** Nothing is frozen any more; screen rows keep what they hold. For who evaluates a finished screen. */
void sow_i_forget_space(sow_campaign *c);
/** The response space of these cells [n], ascending, in place of the one before; rows of the screen and measured items are left alone. For who makes responses of their own (context_rows.c). */
SOW_MUST_CHECK sow_status sow_i_space_of(sow_campaign *c, const sow_index *cell, sow_index n, sow_error *err);

/* evaluate_world.c */
/** Controls of a context cut in two, by technical batch and at random: of every batch one half, the larger, is to learn from. Positions, ascending; SOW_E_DATA with fewer than two in a half. */
typedef struct {
    sow_index n_learn, *learn, n_judge, *judge;
} sow_i_halves;
SOW_MUST_CHECK sow_status sow_i_halve_controls(sow_i_halves *h, const sow_campaign *c, sow_index context, sow_error *err);
void sow_i_halves_clear(sow_i_halves *h);

/* view_contexts.c */
/** Mean over genes of the variance of the mean of n cells; NaN of one cell. work [2 d]. */
SOW_MUST_CHECK sow_status sow_i_error_of_mean(double *out, double *work, const sow_campaign *c, const sow_index *cell, sow_index n, sow_error *err);

/* cells_events.c */
/** Positions as [[matrix, row, row, ...], ...]; new reference. */
json_t *sow_i_cells_json(const sow_campaign *c, const sow_index *cell, sow_index n);
/** One result of cells as an event holds it; new reference. */
json_t *sow_i_cells_result_json(const sow_campaign *c, sow_index site, sow_index perturbation, sow_outcome outcome, const sow_index *cell, sow_index n, const char *reason);
/** Back to positions, ascending; caller frees. SOW_E_DATA when the data no longer have a cell. */
SOW_MUST_CHECK sow_status sow_i_cells_positions(sow_index **out, sow_index *n, const sow_campaign *c, const json_t *lists, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_apply_draw(sow_campaign *c, sow_i_round *r, sow_index q, const json_t *row, sow_error *err);

/* record_cells.c */
/** `known`: the round of a file that is known already (summary->known). */
SOW_MUST_CHECK sow_status sow_i_record_cells(sow_campaign *c, sow_index known, const char *file, const char digest[65], int complete, sow_record_summary *summary, const sow_env *env,
                                             sow_error *err);

/* score_truth.c */
/** What is true of held-out perturbations of a simulated screen, in the response space; NULL where the screen is no simulated one. */
typedef struct {
    double *change; /* [n, d] mean change, without the noise of any cell */
    int *kind;      /* [n] sow_interaction, or SOW_NO_INTERACTION */
} sow_i_true_changes;
SOW_MUST_CHECK sow_status sow_i_true_changes_make(sow_i_true_changes *out, const sow_campaign *c, const sow_index *perturbation, sow_index n, sow_error *err);
void sow_i_true_changes_clear(sow_i_true_changes *t);
/** Adds a model's truth_rmse and truth_explained, and the latter by interaction where there are combinations; nothing where there is no truth. predicted [n, d]. */
void sow_i_score_truth(json_t *rows, const sow_campaign *c, const sow_i_true_changes *t, sow_index n, const double *predicted, const char *model, sow_index round);

/* score_cells.c */
/** Truth of the held-out perturbations at `perturbation` [n], kept in c->here->held; `centre` [d], the mean response measured so far, is taken anew each time. */
SOW_MUST_CHECK sow_status sow_i_held_cells_ready(const sow_campaign *c, const sow_index *perturbation, sow_index n, const double *centre, sow_error *err);
void sow_i_held_cells_destroy(sow_i_held_cells *h);
/** Rows of metrics.csv for one model's predicted mean shifts [n, d], or for the cells it makes itself (SOW_CAP_GENERATES). */
SOW_MUST_CHECK sow_status sow_i_score_cells(json_t *rows, const sow_campaign *c, const sow_model *fitted, const double *shift, const char *model, sow_index round,
                                            sow_error *err);

/** Every metric of sow_cell_metrics for each of the perturbations that were made ready: value [n, metrics]. */
SOW_MUST_CHECK sow_status sow_i_score_cells_each(double *value, const sow_campaign *c, const sow_model *fitted, const double *shift, sow_error *err);

/* transfer.c */
/** The report's "contexts": correlations between contexts, effects side by side and what follows. *out NULL with one context. New reference. */
SOW_MUST_CHECK sow_status sow_i_contexts_json(json_t **out, const sow_campaign *c, sow_error *err);

/* report_cells.c */
SOW_MUST_CHECK sow_status sow_i_put_cells(json_t *out, sow_campaign *c, sow_error *err);

#endif
