/* HyperMap (published code of 2026, commit d15e11f): responses carried into a new context by a network that writes the weights of another, meta-learned so that a few steps on a few perturbations adapt it.
 *
 *   zc = cell encoder(x)                       x a control cell of the context
 *   zp = perturbation encoder(e)               e its embedding: a prior row, or one-hot
 *   c = w V(zp)                                fusion: w says how much of the perturbation the weights may depend on
 *   [W; b] = hypernetwork([zc, c])             W [hidden, latent], b [hidden], of every row
 *   out = projection(leaky(W zp + b))          the cell's response: its change from the context's mean control
 *   loss = 1/2 mean over rows of sum over genes of (out - y)^2
 *
 * Fusion is what the published code and a user disagree about: its "attention" is a softmax over the ROWS of a batch, so that a prediction depends on what else is asked. The other kinds do not.
 *
 * sizes.c has the widths, network.c these equations on the tape, meta.c inner steps and the exact gradient through them; learn.h has the training. */
#ifndef SOWER_MODELS_HYPERMAP_HYPERMAP_H
#define SOWER_MODELS_HYPERMAP_HYPERMAP_H

#include "core/env.h"
#include "core/params.h"
#include "core/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    SOW_HYPERMAP_ROWS,   /* as published: w = softmax over the batch's rows of q(zc) . k(zp) / sqrt(latent) */
    SOW_HYPERMAP_WHOLE,  /* w = 1: attention over a sequence of one */
    SOW_HYPERMAP_GATED,  /* w = sigmoid(q(zc) . k(zp) / sqrt(latent)) */
    SOW_HYPERMAP_CONTEXT, /* no c: the weights depend on the control cell alone, and one W serves every perturbation */
    SOW_HYPERMAP_TOKENS  /* c = sum over learned tokens t of w_t V_t, w = softmax over tokens of ((q(zc) + k(zp)) . t + b_t) / sqrt(latent): attention that has something to choose from in every row */
} sow_hypermap_fusion;
enum { SOW_HYPERMAP_N_TOKENS = 16 };

/** Widths. Defaults give 6,555,908 numbers at genes 2500, embedding 3072. */
typedef struct {
    sow_index genes, embedding;
    sow_index latent; /* [64] of cells and of perturbations */
    sow_index hidden; /* [256] */
    sow_hypermap_fusion fusion;
    sow_index cells;         /* numbers that describe a control cell [0: genes] */
    int no_cell_encoder;     /* ablation [0]: zc is 0, a cell says nothing of its context */
    int no_hypernetwork;     /* ablation [0]: one plain layer in place of generated weights, leaky(linear([zc, zp])); fusion is not used */
} sow_hypermap_sizes;
#define SOW_HYPERMAP_SIZES_INIT {0, 0, 64, 256, SOW_HYPERMAP_ROWS, 0, 0, 0}

/** Width of what the cell encoder sees. */
sow_index sow_hypermap_cell_width(const sow_hypermap_sizes *sizes);

/** Learned numbers of these sizes. */
sow_index sow_hypermap_numbers(const sow_hypermap_sizes *sizes);
/** The parameters, named and ordered as the published optimiser has them, torch's initialisation from our own streams; biases are [1, out]. CONTEXT has no fusion layers and a hypernetwork of `latent` inputs.
 *  SOW_E_ARG: a width < 1. */
SOW_MUST_CHECK sow_status sow_hypermap_params_create(sow_params **out, const sow_hypermap_sizes *sizes, sow_dtype dtype, uint64_t seed, uint32_t network, sow_error *err);

/** Dropout of one pass: after each of the first two layers of both encoders. A mask is a function of (seed, stream, call), the same when the pass is walked again. */
typedef struct {
    double rate; /* [0.2] */
    uint64_t seed;
    uint32_t stream, call;
    const void *mask[4]; /* instead: cell encoder 1, 2, perturbation encoder 1, 2, [rows of the encoder, hidden] of 0 or 1 / (1 - rate); NULL = drawn */
} sow_hypermap_dropout;

/** One batch. All borrowed until the tape's reset; numbers in the tape's dtype. Encoders see different rows once: a row of the batch names its own, or (NULL) is the one in its place. */
typedef struct {
    sow_index n;
    sow_index n_x, n_e;
    const void *x;             /* [n_x, cells] control cells */
    const sow_index *x_row;    /* [n], or NULL: n_x is n */
    const void *e;             /* [n_e, embedding] */
    const sow_index *e_row;    /* [n], or NULL: n_e is n */
    const void *y;             /* [n, genes] responses; NULL = no loss wanted */
} sow_hypermap_batch;

/** Values of one forward pass on the tape. */
typedef struct {
    sow_var zc, zp;   /* [n, latent] */
    sow_var score;    /* [n, 1] q . k / sqrt(latent), TOKENS: [n, tokens]; SOW_NO_VAR for WHOLE and CONTEXT */
    sow_var weight;   /* w, of the same shape; SOW_NO_VAR likewise */
    sow_var fused;    /* [n, latent] c; SOW_NO_VAR for CONTEXT */
    sow_var matrices; /* [n, hidden x latent] W, hidden slow; SOW_NO_VAR without a hypernetwork */
    sow_var biases;   /* [n, hidden] likewise */
    sow_var out;      /* [n, genes] */
    sow_var loss;     /* [1, 1]; SOW_NO_VAR without y */
} sow_hypermap_values;

/** The equations. Errors stick to the tape. dropout NULL = none. Cost: n (hidden latent + hidden) hidden products for the generated weights, two thirds of all at the default widths. */
void sow_hypermap_forward(sow_hypermap_values *out, sow_tape *t, sow_params *p, const sow_hypermap_sizes *sizes, const sow_hypermap_batch *batch, const sow_hypermap_dropout *dropout);

/* ---- learning ---- */

/** Plain gradient descent: `steps` steps on each batch in turn. dropout [n_batches * steps], or NULL. All parameters move. */
typedef struct {
    double rate;
    sow_index steps;
    sow_index n_batches;
    const sow_hypermap_batch *batch;
    const sow_hypermap_dropout *dropout;
} sow_hypermap_descent;

/** The descent from p, in place. losses [n_batches * steps] before each step, or NULL. SOW_E_NONFINITE names the step where numbers stop being finite, and what to lower; p is then what it was before that step. */
SOW_MUST_CHECK sow_status sow_hypermap_descend(sow_params *p, sow_tape *t, const sow_hypermap_sizes *sizes, const sow_hypermap_descent *d, double *losses, sow_error *err);

/** One task of meta-learning: a descent, and what is asked after it. */
typedef struct {
    sow_hypermap_descent support;
    sow_hypermap_batch query;
    sow_hypermap_dropout query_dropout; /* rate 0 = none */
    const sow_env *env;                 /* its progress is told now and then, and may end it (SOW_E_CANCELLED): an exact task of the published size takes 8 s and more. NULL = not */
    double begin, share;                /* of the whole that is reported: what was done before, and what this task is */
} sow_hypermap_task;

typedef struct sow_hypermap_meta sow_hypermap_meta; /* room for the weights of every inner step */

/** For descents of at most `most_steps` steps. Holds 4 times the parameters, and most_steps times more from the first exact gradient on. `threads` borrowed, may be NULL. */
SOW_MUST_CHECK sow_status sow_hypermap_meta_create(sow_hypermap_meta **out, const sow_hypermap_sizes *sizes, sow_dtype dtype, sow_index most_steps, sow_threads *threads, sow_error *err);
void sow_hypermap_meta_destroy(sow_hypermap_meta *m);

/** The gradient of the mean over tasks of the query's loss after the descent from p (Finn et al. 2017), left in p's gradients; p itself stays. first_order != 0 takes every step's Jacobian for the identity; otherwise
 *  it is exact: with the weights theta_t of every step kept, lambda <- lambda - rate H_t lambda is walked back one step at a time, H_t lambda by differentiating <gradient, lambda>. So memory is the weights of the
 *  steps and ONE step's graph. losses [n_tasks] of the queries, or NULL. SOW_E_NONFINITE names task and step; p's gradients are then not to be used. Cost: 3 passes a step, and some 9 more where exact. */
SOW_MUST_CHECK sow_status sow_hypermap_meta_gradient(sow_params *p, sow_hypermap_meta *m, const sow_hypermap_task *tasks, sow_index n_tasks, int first_order, double *losses, sow_error *err);
/** The same for one task at a time, k = 0 .. n_tasks - 1 in turn, so that the cells of one task are held and not those of all: task 0 replaces p's gradients, the others add to them. *loss of the query. */
SOW_MUST_CHECK sow_status sow_hypermap_meta_task(sow_params *p, sow_hypermap_meta *m, const sow_hypermap_task *task, sow_index k, sow_index n_tasks, int first_order, double *loss, sow_error *err);
/* Its two halves, which may be done in different processes: task k's own gradient, the values of *gradient (borrowed until the next task); and its share of the mean, added to p's gradients. */
SOW_MUST_CHECK sow_status sow_hypermap_meta_one(const sow_params **gradient, const sow_params *p, sow_hypermap_meta *m, const sow_hypermap_task *task, sow_index k, sow_index n_tasks, int first_order, double *loss, sow_error *err);
void sow_hypermap_meta_add(sow_params *p, const sow_params *gradient, sow_index k, sow_index n_tasks);

#ifdef __cplusplus
}
#endif
#endif
