/* Inside an evaluation that leaves contexts out: evaluate_contexts.c goes over contexts, draws and numbers of seeds; contexts_tables.c sums up and writes; contexts_report.c makes the document of the page;
 * contexts_unseen.c chooses perturbations that are taken for measured nowhere. */
#ifndef SOWER_PLANNER_EVALUATE_CONTEXTS_H
#define SOWER_PLANNER_EVALUATE_CONTEXTS_H

#include "planner/context_rows.h"
#include "planner/evaluate_internal.h"

enum { SOW_I_COUNTS_MOST = 32 };

/** One context that is left out. */
typedef struct {
    sow_index context;
    sow_index n, shared;                /* perturbations that it measured; of these, measured elsewhere too */
    sow_index n_unseen;                 /* of n, unseen in every draw; 0 = all but the seeds are scored */
    sow_index features;                 /* of the response space (unseen: of the first draw) */
    sow_index used[SOW_I_COUNTS_MOST]; /* seeds, cut where there are too few */
} sow_i_left_context;

typedef struct {
    sow_i_evaluation models; /* the campaign and the chosen models; nothing else of it is used */
    sow_campaign *c;
    const sow_env *env;
    sow_i_context_measures measures;
    sow_index n_counts, count[SOW_I_COUNTS_MOST]; /* ascending */
    sow_index n_draws;
    sow_index n_contexts;
    sow_i_left_context *context;
    unsigned char *known;    /* [contexts of the screen] */
    unsigned char *without;  /* [perturbations] not predicted because a model cannot; NULL = all are */
    sow_index no_prior;
    const char *asked_unseen; /* --unseen as it was said, borrowed; NULL = not said */
    double unseen_share;      /* > 0: a share of those that may be, else unseen_count */
    sow_index unseen_count;
    unsigned char *unseen;    /* [n_contexts, n_draws, c->n] NULL = none are */
    double *work;            /* [n_contexts, n_draws] room for sums */
    double *mean;            /* [n_contexts, n_draws, n_counts, n_models, measures.n] NaN undefined */
    sow_index *n;            /* the same: perturbations behind it */
    double done, total;
} sow_i_context_evaluation;

static inline sow_index sow_i_context_place(const sow_i_context_evaluation *e, sow_index context, sow_index draw, sow_index count, sow_index model)
{
    return (((context * e->n_draws + draw) * e->n_counts + count) * e->models.n_models + model) * e->measures.n;
}

/* contexts_unseen.c */
/** --unseen; NULL = not said. SOW_E_CONFIG. */
SOW_MUST_CHECK sow_status sow_i_unseen_read(sow_i_context_evaluation *e, const char *text, sow_error *err);
/** SOW_E_CONFIG where a prior of the models is what a context to be left out measured, or (unseen) what any context did. */
SOW_MUST_CHECK sow_status sow_i_check_context_priors(const sow_i_context_evaluation *e, sow_error *err);
/** Draw them for every context and draw, once the contexts are chosen. SOW_E_CONFIG: too many or too few for a context. */
SOW_MUST_CHECK sow_status sow_i_unseen_choose(sow_i_context_evaluation *e, sow_error *err);
/** Mask [c->n] of one draw of the context at place `at`; NULL where none are. */
unsigned char *sow_i_unseen_of(const sow_i_context_evaluation *e, sow_index at, sow_index draw);
/** Which of the new context's rows are scored: take [n_new]. */
void sow_i_unseen_rows(unsigned char *take, const sow_i_context_rows *r);
/** A line for every model that was named and can only fall back on something. */
void sow_i_unseen_fall_backs(const sow_i_context_evaluation *e);

/* contexts_tables.c */
typedef struct {
    double mean, low, high; /* NaN where undefined */
    sow_index n;            /* (context, draw) pairs behind it */
} sow_i_context_mean;
/** +1 where more is better, -1 where less is. */
int sow_i_context_better(const char *metric);
const char *sow_i_metric_in_words(const char *metric);
/** Mean over draws, and then over contexts, of value [contexts, draws] (NaN: none); Student's interval over draws within contexts; *ahead (may be NULL): contexts whose mean has the sign of `better`. */
sow_i_context_mean sow_i_mean_within(const double *value, sow_index contexts, sow_index draws, int better, sow_index *ahead);
/** Mean over draws, and then over contexts, of model `a` less model `b` (-1 = nothing); `context` -1 = all. The interval is Student's over draws within contexts: it says how sure the mean is for these
 *  contexts, whatever the seeds, and not how a further context would be. *ahead (may be NULL): contexts in which the mean is better than 0 in the metric's sense. */
sow_i_context_mean sow_i_context_mean_of(const sow_i_context_evaluation *e, sow_index context, sow_index count, sow_index a, sow_index b, sow_index metric, sow_index *ahead);
/** The campaign's model (or the first) against the best baseline of one leading metric. other -1 = there is none. */
typedef struct {
    sow_index metric, count, model, other, ahead;
    sow_i_context_mean own, best, difference;
    int verdict; /* 1 the model is better, -1 the other, 0 they cannot be told apart */
} sow_i_context_duel;
sow_i_context_duel sow_i_context_duel_of(const sow_i_context_evaluation *e, sow_index count, sow_index metric);
/** The number of seeds that headlines speak of: 20 where it is among them, else the most. Its place. */
sow_index sow_i_headline_count(const sow_i_context_evaluation *e);
/** What it comes to, for people; caller frees; NULL = out of memory. */
char *sow_i_context_headline(const sow_i_context_evaluation *e);
/** The numbers behind it, metric by metric; likewise. */
char *sow_i_context_numbers(const sow_i_context_evaluation *e);
SOW_MUST_CHECK sow_status sow_i_write_context_tables(const sow_i_context_evaluation *e, const char *dir, sow_error *err);

/* contexts_report.c */
json_t *sow_i_context_summary_json(const sow_i_context_evaluation *e); /* new reference */
SOW_MUST_CHECK sow_status sow_i_contexts_document(char **out, const sow_i_context_evaluation *e, const char *headline, const char *numbers, sow_error *err);

#endif
