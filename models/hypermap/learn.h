/* HyperMap's training: tasks drawn from contexts, the outer loop, adaptation to a new context, and what the adapted network says.
 *
 * Nothing is stored for a cell but its row: responses, controls and embeddings are fetched when a batch holds them (tasks.c). learn.c has the outer loop, adapt.c the new context. Every random choice is a
 * function of (seed, outer step, task), so a training that was interrupted goes on with the numbers it would have had. */
#ifndef SOWER_MODELS_HYPERMAP_LEARN_H
#define SOWER_MODELS_HYPERMAP_LEARN_H

#include "core/archive.h"
#include "core/env.h"
#include "models/hypermap/hypermap.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Cells by context. All borrowed. */
typedef struct {
    sow_index n_contexts, genes, embedding, n_embeddings;
    sow_index cells;             /* numbers that describe a control; 0 = genes */
    const float *e;              /* [n_embeddings, embedding] of perturbations */
    const sow_index *start;      /* [n_contexts + 1] rows of each context */
    const sow_index *perturbation; /* [start[n_contexts]] embedding of each row */
    const sow_index *n_controls; /* [n_contexts] each >= 1 */
    void *user;
    /* y [n, genes]: changes of the cells at rows `row` from the mean control of their context */
    sow_status (*responses)(void *user, const sow_index *row, sow_index n, float *y, sow_error *err);
    /* x [n, cells]: controls `which` of a context */
    sow_status (*controls)(void *user, sow_index context, const sow_index *which, sow_index n, float *x, sow_error *err);
} sow_hypermap_data;

typedef enum {
    SOW_HYPERMAP_EXACT,       /* through every inner step */
    SOW_HYPERMAP_FIRST_ORDER, /* the query's gradient at the end of the descent */
    SOW_HYPERMAP_REPTILE,     /* the way from the start to the end of the descent (Nichol et al. 2018); the query is one more batch of it */
    SOW_HYPERMAP_JOINT        /* ablation: no descent, the contexts' losses at the weights themselves */
} sow_hypermap_method;

typedef enum {
    SOW_HYPERMAP_BY_CELLS,        /* as published: the query is other cells, mostly of the same perturbations */
    SOW_HYPERMAP_BY_PERTURBATIONS /* the query's perturbations are not in the support: what is asked of an adapted network */
} sow_hypermap_split;

typedef struct {
    sow_index steps;         /* [50] outer steps */
    sow_index tasks;         /* [4] contexts a step */
    sow_index batch;         /* [512] cells */
    sow_index inner_batches; /* [5] */
    sow_index inner_steps;   /* [5] on each batch */
    double inner_rate;       /* [0.005] */
    double meta_rate;        /* [5e-4] Adam's */
    double dropout;          /* [0.2] in every pass of training and adaptation */
    double clip;             /* [0] norm of the outer gradient; 0 = none */
    sow_hypermap_method method;
    sow_hypermap_split split;
    int balanced;            /* 1: every context before one comes again; 0: as published, drawn with replacement from eight or fewer, else without within a step */
    int fresh_controls;      /* 1: a cell's control is drawn anew whenever it is used; 0: as published, once */
    sow_index validation;    /* [-1] context that is adapted to and judged, never learned from; -1 = none */
    sow_index validate_every; /* [5] outer steps */
    sow_index patience;      /* [4] judgements without a better one that end the training; 0 = no end before `steps` */
    sow_index seeds;         /* [10] perturbations that the validation context is adapted on, as sow_hypermap_adapt says: */
    double adapt_rate;       /* [0 = inner_rate] */
    sow_index adapt_steps;   /* [1] */
    sow_index adapt_size;    /* [0] */
    sow_index most_bad;      /* [5] outer steps in a row that are not finite and end the training */
    uint64_t seed;
} sow_hypermap_learning;
#define SOW_HYPERMAP_LEARNING_INIT {50, 4, 512, 5, 5, 0.005, 5e-4, 0.2, 0, SOW_HYPERMAP_EXACT, SOW_HYPERMAP_BY_CELLS, 0, 0, -1, 5, 4, 10, 0, 1, 0, 5, 1}

/** How it went. Owned by who asked; clear with sow_hypermap_course_clear. */
typedef struct {
    sow_index steps;      /* run */
    double *loss;         /* [steps] mean of the tasks' queries; NaN where a step was not finite and nothing moved */
    double *validation;   /* [steps] NaN where none was taken */
    sow_index best;       /* step whose weights were kept, from 0; the last without validation */
    sow_index not_finite; /* steps left out */
} sow_hypermap_course;
void sow_hypermap_course_clear(sow_hypermap_course *c);

/** Learn p from the contexts but `validation`; on return it has the best judged weights (the last ones without a validation context). A step that is not finite moves nothing and is counted; most_bad of them in a
 *  row end the training with SOW_E_NONFINITE, the last good weights in p and what to lower. `resume` NULL or the last archive that `keep` (NULL = none) was given: of other options or
 *  data it is SOW_E_DATA. SOW_E_CONFIG: an option out of range; SOW_E_DATA: no context to learn from, one without cells or with a single perturbation where the split is by perturbations. Cost: sow_hypermap_meta_gradient
 *  a step. Memory: that, and inner_batches + 1 batches. The same bits for any number of threads. */
SOW_MUST_CHECK sow_status sow_hypermap_learn(sow_params *p, sow_hypermap_course *course, const sow_hypermap_sizes *sizes, const sow_hypermap_data *data, const sow_hypermap_learning *o, const sow_archive *resume,
                                             const sow_checkpoints *keep, const sow_env *env, sow_error *err);

/** Adapt p, in place, to a context by all cells of the perturbations with use[e] != 0 ([n_embeddings]; NULL = all): batches of max(2, min(100, n / 2)) of the n cells, the last partial one left out, one pass,
 *  `steps` steps a batch; size > 0: batches of so many (of n where there are fewer) instead. *n_cells how many there were: fewer than 2 move nothing. SOW_E_NONFINITE: p is what it was before the step that was not finite. */
SOW_MUST_CHECK sow_status sow_hypermap_adapt(sow_params *p, sow_index *n_cells, const sow_hypermap_sizes *sizes, const sow_hypermap_data *data, sow_index context, const unsigned char *use, sow_index size, double rate,
                                             sow_index steps, double dropout, uint64_t seed, const sow_env *env, sow_error *err);

/** Mean response of perturbations in a context: out [n, genes] for embeddings e [n, embedding], each the mean over the same `n_x` controls x [n_x, cells]. Not for SOW_HYPERMAP_ROWS, whose answer depends on who
 *  is asked together (SOW_E_UNSUPPORTED). An answer does not depend on what else is asked, bit for bit. */
SOW_MUST_CHECK sow_status sow_hypermap_predict(float *out, sow_params *p, const sow_hypermap_sizes *sizes, const float *e, sow_index n, const float *x, sow_index n_x, const sow_env *env, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
