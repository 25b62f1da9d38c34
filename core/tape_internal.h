/* How an operation is written (core/ops/).
 *
 * An operation is a constant row: its name, the way back with fused kernels, and the way back made of operations (so that it can be differentiated again). Its public function checks shapes, makes the output
 * with sow_i_note, fills it with a kernel and returns the var:
 *
 *     static void square_back(sow_tape *t, sow_var y) { ... kernel(..., sow_i_grad_of(t, y), sow_i_grad_slot(t, y, 0)) ... }
 *     static void square_again(sow_tape *t, sow_var y, sow_var dy, sow_var *din) { din[0] = sow_op_scale(t, sow_op_mul(t, dy, sow_i_in(t, y, 0)), 2); }
 *     static const sow_i_op square = {"square", square_back, square_again};
 *
 * Errors stick: sow_i_check(t, status) after a kernel, SOW_I_FAIL for one's own. Every accessor is safe after an error; a public function starts with `if (sow_i_stopped(t, a, b, c)) return SOW_NO_VAR`.
 * A node's address is good until the next node is made: keep vars, not pointers. */
#ifndef SOWER_CORE_TAPE_INTERNAL_H
#define SOWER_CORE_TAPE_INTERNAL_H

#include "core/backend/backend.h"
#include "core/tape.h"

enum { SOW_I_INPUTS = 3 };

typedef struct {
    const char *name;
    /** Adds this node's contribution to the gradients of its inputs. Called only when y has a gradient and some input wants one. NULL: nothing flows back. */
    void (*backward)(sow_tape *t, sow_var y);
    /** din[i] = contribution to input i as a var, SOW_NO_VAR where not wanted (sow_i_wants) or nothing flows. din comes filled with SOW_NO_VAR. */
    void (*gradient)(sow_tape *t, sow_var y, sow_var dy, sow_var *din);
} sow_i_op;

/** What an operation keeps beside its inputs. */
typedef struct {
    int kind;                  /* an enum of its own: sow_map, sow_activation, trans flags */
    double number;
    sow_index at[4];
    const sow_index *index[2]; /* borrowed until the reset */
    sow_mask mask;
    sow_mmd_options mmd;
    sow_tensor kept;           /* in the arena */
    void *kept_bytes;          /* in the arena */
} sow_i_detail;

typedef struct {
    sow_tensor value, grad; /* grad.data NULL: no place yet */
    const sow_i_op *op;     /* NULL: a leaf */
    sow_var in[SOW_I_INPUTS];
    unsigned char has_grad; /* of the pass under way or the last one */
    unsigned char needs;    /* a parameter or variable is beneath it */
    unsigned char wanted;   /* by the pass under way */
    sow_params *params;     /* leaf of a parameter: whose, and which */
    sow_index param;
    sow_i_detail detail;
} sow_i_node;

typedef struct {
    void *raw;       /* what the backend gave */
    char *data;      /* its first 64-byte boundary */
    size_t size, used;
} sow_i_arena_block;

/* Host memory of networks (tape_scratch.c). */
typedef struct {
    sow_i_arena_block *block; /* [n], filled in order, kept over resets */
    sow_index n, capacity, current;
} sow_i_scratch;

struct sow_tape {
    const sow_backend *backend;
    sow_threads *threads;
    sow_dtype dtype;
    sow_i_node *node; /* [n] */
    sow_index n, capacity;
    sow_i_arena_block *block; /* [n_blocks], filled in order; one block after the first reset */
    sow_index n_blocks, block_capacity, current;
    size_t bytes, most_bytes, used, most_used;
    sow_var *adjoint; /* of each node, while sow_tape_gradient runs */
    sow_index adjoint_capacity;
    sow_i_scratch scratch;
    sow_status status; /* the first error, and no other */
    sow_error error;
};

/* ---- reading ---- */
/** 1 when the tape has an error or one of the vars is SOW_NO_VAR or not on the tape (which then becomes the error); give the same var again to fill up. */
int sow_i_stopped(sow_tape *t, sow_var a, sow_var b, sow_var c);
const sow_i_node *sow_i_node_of(const sow_tape *t, sow_var v);
static inline sow_tensor sow_i_value(const sow_tape *t, sow_var v)
{
    return sow_i_node_of(t, v)->value;
}
static inline sow_var sow_i_in(const sow_tape *t, sow_var v, int i)
{
    return sow_i_node_of(t, v)->in[i];
}
static inline sow_tensor sow_i_in_value(const sow_tape *t, sow_var v, int i)
{
    return sow_i_value(t, sow_i_in(t, v, i));
}

/* ---- making ---- */
/** A new value [rows, cols] of `op` from up to three inputs (SOW_NO_VAR = none), not filled. */
sow_var sow_i_note(sow_tape *t, const sow_i_op *op, sow_var a, sow_var b, sow_var c, sow_index rows, sow_index cols, const sow_i_detail *detail);
/** The same whose value is memory that is there already (a view of an input). */
sow_var sow_i_note_view(sow_tape *t, const sow_i_op *op, sow_var a, sow_tensor value, const sow_i_detail *detail);
/** Memory of the arena, 64-byte aligned, not zeroed, good until the reset; NULL sets the error. */
void *sow_i_arena(sow_tape *t, size_t bytes);
sow_tensor sow_i_arena_tensor(sow_tape *t, sow_index rows, sow_index cols);
/** Memory for the duration of one kernel: take the mark AFTER gradient slots were asked for, release it at the end. */
typedef struct {
    sow_index block;
    size_t used, used_in_all;
} sow_i_mark;
sow_i_mark sow_i_arena_mark(const sow_tape *t);
void sow_i_arena_release(sow_tape *t, sow_i_mark mark);
void sow_i_arena_reset(sow_tape *t);
void sow_i_arena_clear(sow_tape *t);
void sow_i_scratch_reset(sow_tape *t); /* tape_scratch.c */
void sow_i_scratch_clear(sow_tape *t);

/* ---- the way back ---- */
/** Does the pass under way want the gradient of input i of y? 0 for an input that is not there. */
int sow_i_wants(const sow_tape *t, sow_var y, int i);
sow_tensor sow_i_grad_of(const sow_tape *t, sow_var y);
/** Where the contribution to input i goes: a parameter's own gradient buffer, or the arena. at.data NULL when not wanted (or after an error). The second call for one input says add = 1, so ask once a
 *  kernel, right before it. */
sow_grad sow_i_grad_slot(sow_tape *t, sow_var y, int i);

/** 1 when a way back may start at `loss`: one number, finite. */
int sow_i_may_go_back(sow_tape *t, sow_var loss);

/* ---- errors ---- */
/** 1 when all is well; else the status sticks (the message is in t->error already). */
int sow_i_check(sow_tape *t, sow_status st);
/** Runs a slot of the backend: 1 when all went well. */
#define SOW_I_KERNEL(t, slot, ...)                                                                                                                                                         \
    ((t)->status != SOW_OK ? 0                                                                                                                                                             \
     : (t)->backend->slot  ? sow_i_check((t), (t)->backend->slot((t)->threads, __VA_ARGS__, &(t)->error))                                                                                  \
                           : sow_i_missing((t), #slot))
int sow_i_missing(sow_tape *t, const char *slot);
void sow_i_fail(sow_tape *t, sow_status status, const char *file, int line, const char *format, ...) SOW_PRINTF(5, 6);
#define SOW_I_FAIL(t, status, ...) sow_i_fail((t), (status), __FILE__, __LINE__, __VA_ARGS__)
/** "linear: x [3, 4] does not fit w [2, 5]": the usual shape error. */
void sow_i_fail_shapes(sow_tape *t, const char *op, sow_var a, sow_var b);

/* ---- operations that only gradients need ---- */
sow_var sow_i_step(sow_tape *t, sow_var x, double below);                                   /* x > 0 ? 1 : below */
sow_var sow_i_spread(sow_tape *t, sow_var x, sow_index rows, sow_index cols);               /* [1, n], [m, 1] or [1, 1] repeated */
sow_var sow_i_sum_to(sow_tape *t, sow_var x, sow_index rows, sow_index cols);               /* its transpose; rows and cols 1 or as x */
sow_var sow_i_block(sow_tape *t, sow_var x, sow_index row, sow_index col, sow_index rows, sow_index cols);
sow_var sow_i_place(sow_tape *t, sow_var x, sow_index row, sow_index col, sow_index rows, sow_index cols); /* x at (row, col) of zeros [rows, cols] */
sow_var sow_i_outer_each(sow_tape *t, sow_var a, sow_var x);
sow_var sow_i_matvec_each(sow_tape *t, int trans, sow_var w, sow_var x, sow_index out);     /* out = columns of the result */
/** dy act'(z) told from y = act(z). */
sow_var sow_i_through(sow_tape *t, sow_activation act, sow_var y, sow_var dy);
/** A constant [rows, cols] of one number in the arena. */
sow_var sow_i_constant(sow_tape *t, double x, sow_index rows, sow_index cols);

#endif
