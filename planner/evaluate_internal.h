/* Inside an evaluation. evaluate_world.c turns a campaign into a screen of which any part can be held out; evaluate_models.c chooses models; evaluate_score.c goes through folds and models;
 * evaluate_tables.c sums up and writes; evaluate_report.c makes the document of the page. */
#ifndef SOWER_PLANNER_EVALUATE_INTERNAL_H
#define SOWER_PLANNER_EVALUATE_INTERNAL_H

#include "models/evaluate.h"
#include "planner/cells_internal.h"
#include "planner/evaluate.h"

/** How a column of per-perturbation values becomes one number. */
typedef enum {
    SOW_I_MEAN,     /* mean over perturbations */
    SOW_I_SPEARMAN, /* rank correlation of the first two columns within each fold, mean over folds */
    SOW_I_RMSE      /* root of the mean square of the column within each fold, mean over folds */
} sow_i_how;

typedef struct {
    const char *name;
    sow_index column;
    sow_i_how how;
} sow_i_total;

/** What is computed of each perturbation, and what of all: by readout. */
typedef struct {
    sow_index n_columns, n_totals;
    const char *const *column;
    sow_i_total total[SOW_METRICS_MAX];
    sow_index leading[4]; /* columns that are drawn; -1 = no more */
} sow_i_measures;

/** One split with the values of every model. */
typedef struct {
    const char *kind;    /* "folds" | "outliers" */
    sow_index n_folds;
    sow_index *fold;     /* [n] or -1 = never held out */
    sow_index *cluster;  /* [n + 1], the last the controls'; NULL for folds */
    double *value;       /* [n_models, n, n_columns] NaN where there is none */
    sow_index *training; /* [n_folds] perturbations learned from */
    sow_index *features; /* [n_folds] */
} sow_i_split_run;

typedef struct {
    const sow_model_class *model;
    const char *why_not;
} sow_i_left_out;

typedef struct {
    sow_campaign *c;
    const sow_env *env;
    sow_index n, *item;  /* perturbations that take part, positions in the catalogue, ascending */
    double *cells;       /* [n] measured cells; NaN not known */
    sow_index n_models;
    const sow_model_class **model;
    sow_index n_left_out;
    sow_i_left_out *left_out; /* baselines that do not apply, and why */
    int unseen;          /* models are asked about perturbations that were measured in no context */
    sow_index no_prior;  /* perturbations that do not take part because a model cannot predict them */
    sow_index not_eligible; /* ... because the campaign could not choose them: excluded, too few cells */
    sow_index no_value;  /* ... because they were measured in part or not at all */
    sow_index n_controls[2]; /* cells: of the half to learn from, and of that to judge by */
    sow_i_measures measures;
    sow_index n_runs;
    sow_i_split_run run[2];
    double done, total;  /* fits, for progress */
} sow_i_evaluation;

/* evaluate.c */
/** NAME.evaluate beside the YAML; caller frees; NULL = out of memory. */
char *sow_i_evaluation_dir(const sow_config *config);

/* evaluate_models.c */
SOW_MUST_CHECK sow_status sow_i_choose_models(sow_i_evaluation *e, const char *names, sow_error *err);
/** What a model that tells perturbations by what they did elsewhere says of one that was measured nowhere; NULL = it does not go by that. */
const char *sow_i_falls_back(const sow_model_class *m);
/** One of the plain models that are judged beside every other. */
int sow_i_is_baseline(const sow_campaign *c, const sow_model_class *m);

/* evaluate_world.c */
/** Who takes part, and what was measured of them: everything as if round 0 had measured it. */
SOW_MUST_CHECK sow_status sow_i_measure_all(sow_i_evaluation *e, sow_error *err);
/** Hold out those with hold[i] != 0 ([n]) and fit the response space and the scaling of priors on the rest; training data follow. */
SOW_MUST_CHECK sow_status sow_i_hold_out(sow_i_evaluation *e, const unsigned char *hold, sow_error *err);
/** The split into r->fold (and r->cluster). */
SOW_MUST_CHECK sow_status sow_i_make_folds(sow_i_evaluation *e, sow_i_split_run *r, sow_index folds, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_make_outliers(sow_i_evaluation *e, sow_i_split_run *r, sow_error *err);

/* evaluate_score.c */
void sow_i_choose_measures(sow_i_measures *out, const sow_campaign *c);
SOW_MUST_CHECK sow_status sow_i_score_split(sow_i_evaluation *e, sow_i_split_run *r, sow_error *err);

/* evaluate_tables.c */
typedef struct {
    double mean, sd, low, high; /* sd over folds; interval over perturbations; NaN where undefined */
    sow_index n;
} sow_i_summary;
SOW_MUST_CHECK sow_status sow_i_summarise(sow_i_summary *out, const sow_i_evaluation *e, const sow_i_split_run *r, sow_index model, sow_index total, sow_error *err);
/** summary [n_runs, n_models, n_totals]. */
SOW_MUST_CHECK sow_status sow_i_write_tables(const sow_i_evaluation *e, const sow_i_summary *summary, const char *dir, sow_error *err);

/* evaluate_report.c; new reference */
json_t *sow_i_summary_json(const sow_i_evaluation *e, const sow_i_summary *summary);
SOW_MUST_CHECK sow_status sow_i_evaluation_json(char **out, const sow_i_evaluation *e, const sow_i_summary *summary, sow_error *err);

#endif
