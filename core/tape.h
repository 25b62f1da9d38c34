/* Reverse-mode differentiation on a tape of matrix operations.
 *
 * An operation computes at once and is noted; sow_tape_backward walks the notes back with fused kernels and leaves gradients in the parameters. sow_tape_gradient does the same with
 * operations that are noted themselves, so that its results can be differentiated again (meta-learning). All memory is one arena that is reused: after the first pass of
 * a shape no operation allocates. A tape is used by one thread; kernels share out their work over `threads` in fixed tiles, so results are the same bits for any number.
 *
 * Errors stick: after the first one (shapes, memory, a number that is not finite where that is checked) every operation answers SOW_NO_VAR and does nothing, and sow_tape_status, _backward and _gradient
 * return it. So a model reads like its equations, and is checked once.
 *
 * Kernels come from a backend's table (core/backend/backend.h); nothing here or above knows which. */
#ifndef SOWER_CORE_TAPE_H
#define SOWER_CORE_TAPE_H

#include "core/mmd.h"
#include "core/params.h"
#include "core/tensor.h"
#include "core/threads.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sow_tape sow_tape;
typedef struct sow_backend sow_backend;
typedef int32_t sow_var; /* a value on the tape, good until the next reset */
enum { SOW_NO_VAR = -1 };

/** backend NULL = the CPU's. threads borrowed, may be NULL. */
SOW_MUST_CHECK sow_status sow_tape_create(sow_tape **out, const sow_backend *backend, sow_dtype dtype, sow_threads *threads, sow_error *err);
void sow_tape_destroy(sow_tape *t);
/** Forget all values and the error; keep the memory. */
void sow_tape_reset(sow_tape *t);
SOW_MUST_CHECK sow_status sow_tape_status(const sow_tape *t, sow_error *err);
sow_dtype sow_tape_dtype(const sow_tape *t);
size_t sow_tape_bytes(const sow_tape *t); /* of the arena, its highest so far */

/* ---- what goes in ---- */
/** Borrowed until the reset, in the tape's dtype, on the tape's backend; no gradient. */
sow_var sow_tape_constant(sow_tape *t, const void *data, sow_index rows, sow_index cols);
/** The same from host floats, copied and widened where the tape is double. */
sow_var sow_tape_floats(sow_tape *t, const float *data, sow_index rows, sow_index cols);
sow_var sow_tape_number(sow_tape *t, double x); /* [1, 1] */
/** Parameter i of p; asked for again, the same value. backward() OVERWRITES its gradient (sums over all its uses on this tape); a parameter on the tape that the loss does not reach gets 0. */
sow_var sow_tape_param(sow_tape *t, sow_params *p, sow_index i);
/** A copy to be differentiated by (gradient checks, adapted weights): like a parameter, but its gradient is only seen by sow_tape_gradient and sow_tape_grad_of. */
sow_var sow_tape_variable(sow_tape *t, const void *data, sow_index rows, sow_index cols);
/** Host memory until the reset, zeroed, on a 64-byte boundary: for index arrays and the like that a network makes on its way. NULL after an error (out of memory sticks). */
void *sow_tape_scratch(sow_tape *t, size_t bytes);

/* ---- what comes out ---- */
sow_tensor sow_tape_value(const sow_tape *t, sow_var v); /* borrowed until the reset; data NULL for SOW_NO_VAR */
double sow_tape_scalar(const sow_tape *t, sow_var v);    /* of a [1, 1]; NaN for SOW_NO_VAR */
/** First order. loss [1, 1]; SOW_E_NONFINITE when it is not finite (sticking; the parameters and their old gradients are untouched). May be called again, also for another loss. Gradients of parameters are left in them; those of variables can be read by grad_of until the reset. */
SOW_MUST_CHECK sow_status sow_tape_backward(sow_tape *t, sow_var loss, sow_error *err);
sow_tensor sow_tape_grad_of(const sow_tape *t, sow_var v); /* after backward; data NULL when the loss does not reach it */
/** Gradients of `loss` [1, 1] with respect to wrt [n] as values on the tape, made of differentiable operations: out [n]; zeros where the loss does not reach. Any values may be asked for. Not finite: as above. */
SOW_MUST_CHECK sow_status sow_tape_gradient(sow_tape *t, sow_var *out, sow_var loss, const sow_var *wrt, sow_index n, sow_error *err);

/* ---- operations; shapes beside them. b, w: batch rows; SOW_E_SHAPE (sticking) names the operation and the shapes ---- */
typedef enum { SOW_ACT_NONE, SOW_ACT_RELU, SOW_ACT_LEAKY_RELU /* slope 0.2: MORPH */, SOW_ACT_SIGMOID, SOW_ACT_LEAKY_RELU_10 /* slope 0.1: HyperMap */ } sow_activation;

/* element-wise; a and b [m, n], or with 1 in place of m and/or n: broadcast */
sow_var sow_op_add(sow_tape *t, sow_var a, sow_var b);
sow_var sow_op_sub(sow_tape *t, sow_var a, sow_var b);
sow_var sow_op_mul(sow_tape *t, sow_var a, sow_var b);
sow_var sow_op_div(sow_tape *t, sow_var a, sow_var b);
sow_var sow_op_scale(sow_tape *t, sow_var x, double by);
sow_var sow_op_shift(sow_tape *t, sow_var x, double by); /* x + by */
sow_var sow_op_exp(sow_tape *t, sow_var x);
sow_var sow_op_log(sow_tape *t, sow_var x);
sow_var sow_op_square(sow_tape *t, sow_var x);
sow_var sow_op_sqrt(sow_tape *t, sow_var x);
sow_var sow_op_activate(sow_tape *t, sow_var x, sow_activation act);

sow_var sow_op_matmul(sow_tape *t, sow_var a, int trans_a, sow_var b, int trans_b); /* op(a) [m, k] op(b) [k, n] -> [m, n] */
/** act(x w^T + bias): x [m, in], w [out, in] (torch's Linear), bias [1, out] or SOW_NO_VAR passed as `bias` = none -> [m, out]. Fused. */
sow_var sow_op_linear(sow_tape *t, sow_var x, sow_var w, sow_var bias, sow_activation act);
sow_var sow_op_softmax(sow_tape *t, sow_var x);                                              /* over each row */
sow_var sow_op_layer_norm(sow_tape *t, sow_var x, sow_var gain, sow_var bias, double eps);   /* over each row; gain, bias [1, n] */
/** Inverted dropout: kept entries times 1 / (1 - rate), rate 0 to below 1. The mask is a function of (seed, stream, call): counter-based, the same forward, backward and after a resume. */
sow_var sow_op_dropout(sow_tape *t, sow_var x, double rate, uint64_t seed, uint32_t stream, uint32_t call);
/** softmax(q k^T / sqrt(columns of q)) v: q [m, l], k [g, l], v [g, e] -> [m, e]; *alpha (may be NULL) the weights [m, g]. Fused. */
sow_var sow_op_attend(sow_tape *t, sow_var q, sow_var k, sow_var v, sow_var *alpha);
/** Row by row a matrix of its own: w [b, out x in] (out slow), x [b, in] -> [b, out]. */
sow_var sow_op_matvec_each(sow_tape *t, sow_var w, sow_var x, sow_index out);
/** Rows of x [m, n] at index [k] (borrowed until the reset), any repeats -> [k, n]. */
sow_var sow_op_gather(sow_tape *t, sow_var x, const sow_index *index, sow_index k);
/** Its transpose: rows of x [k, n] added into row index[i] of zeros [m, n], in order of i. */
sow_var sow_op_scatter_add(sow_tape *t, sow_var x, const sow_index *index, sow_index m);
sow_var sow_op_transpose(sow_tape *t, sow_var x);
sow_var sow_op_join_columns(sow_tape *t, sow_var a, sow_var b);
sow_var sow_op_join_rows(sow_tape *t, sow_var a, sow_var b);
sow_var sow_op_columns(sow_tape *t, sow_var x, sow_index first, sow_index n);
sow_var sow_op_rows(sow_tape *t, sow_var x, sow_index first, sow_index n);
sow_var sow_op_reshape(sow_tape *t, sow_var x, sow_index rows, sow_index cols);
sow_var sow_op_sum(sow_tape *t, sow_var x);         /* [1, 1] */
sow_var sow_op_mean(sow_tape *t, sow_var x);        /* [1, 1] */
sow_var sow_op_sum_rows(sow_tape *t, sow_var x);    /* down the rows: [1, n] */
sow_var sow_op_sum_columns(sow_tape *t, sow_var x); /* along each row: [m, 1] */

/* losses */
sow_var sow_op_mse(sow_tape *t, sow_var a, sow_var b); /* mean over all entries: [1, 1] */
/** -1/2 sum over rows and columns of (1 + logvar - mu^2 - exp(logvar)) / rows: [1, 1] */
sow_var sow_op_kl(sow_tape *t, sow_var mu, sow_var logvar);
/** Mean over rows of -log softmax(x)[class]: x [m, c], class [m] borrowed. */
sow_var sow_op_cross_entropy(sow_tape *t, sow_var x, const sow_index *class_);
/** Squared MMD (core/mmd.h) of the rows of x and of y, segment by segment: rows x_start[s] .. x_start[s+1] of x [., d] against y_start[s] .. of y -> [k, 1]. The starts are [k + 1], borrowed until the reset.
 *  options->sigma 0: from the data, and no gradient flows through it. Gradients flow to x and to y. Gram matrices, never n x n x d. */
sow_var sow_op_mmd(sow_tape *t, sow_var x, const sow_index *x_start, sow_var y, const sow_index *y_start, sow_index k, const sow_mmd_options *options);

#ifdef __cplusplus
}
#endif
#endif
