/* One task of an outer step, done here or by a helper (core/team.h). Not installed. */
#ifndef SOWER_MODELS_HYPERMAP_SHARE_H
#define SOWER_MODELS_HYPERMAP_SHARE_H

#include "core/team.h"
#include "models/hypermap/learn.h"

/** What doing tasks needs, from task to task. */
typedef struct {
    sow_hypermap_method method;
    const sow_hypermap_sizes *sizes; /* borrowed */
    sow_hypermap_meta *meta;         /* NULL for reptile */
    sow_tape *tape;
    sow_params *now;                 /* room for weights on their way */
} sow_i_hypermap_doer;
/** For at most `most_steps` inner steps. On failure: clear all the same. */
SOW_MUST_CHECK sow_status sow_i_hypermap_doer_make(sow_i_hypermap_doer *d, const sow_params *like, const sow_hypermap_sizes *sizes, sow_hypermap_method method, sow_index most_steps, const sow_env *env, sow_error *err);
void sow_i_hypermap_doer_clear(sow_i_hypermap_doer *d);

/** Which task of which step: its batches [n_batches + 1] and dropouts [(n_batches + 1) steps] lie one behind the other, the query's last. */
typedef struct {
    sow_index k, n_tasks;
    sow_hypermap_task task;
} sow_i_hypermap_piece;

/** What a task says, borrowed until the next: its gradient, or (reptile) where its descent ended. *loss of the query. p stays. */
SOW_MUST_CHECK sow_status sow_i_hypermap_do(const sow_params **said, double *loss, const sow_params *p, sow_i_hypermap_doer *d, const sow_i_hypermap_piece *piece, sow_error *err);
/** Its share of the outer gradient, added to p's: to be called in the order of tasks. */
void sow_i_hypermap_add(sow_params *p, const sow_params *said, sow_hypermap_method method, sow_index k, sow_index n_tasks);

/** What a helper needs to do it: 4 bytes for every weight, and the cells of its batches. */
SOW_MUST_CHECK sow_status sow_i_hypermap_order(sow_archive *order, const sow_params *p, const sow_i_hypermap_doer *d, const sow_i_hypermap_piece *piece, sow_error *err);
/** Its answer: said (of p's shapes) is overwritten. */
SOW_MUST_CHECK sow_status sow_i_hypermap_answer(sow_params *said, double *loss, const sow_archive *answer, sow_error *err);
extern const sow_work sow_i_hypermap_work;

#endif
