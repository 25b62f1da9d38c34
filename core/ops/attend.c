/* Attention over programs: alpha = softmax(q k^T / sqrt(l)), out = alpha v.
 *
 * Two values from one kernel: alpha hangs on q and k, out on q, k and v. What comes back to each flows on alone, for both ways back are linear in it:
 *
 *     d alpha = d out v^T;  d score = alpha (d alpha - row sums of alpha d alpha) / sqrt(l);  dq = d score k;  dk = d score^T q;  dv = alpha^T d out */
#include "core/tape_internal.h"

#include <math.h>

enum { Q, K, V };

static void back(sow_tape *t, sow_var y, sow_var alpha, sow_tensor dout, sow_tensor dalpha)
{
    const sow_tensor weights = sow_i_value(t, alpha);
    const sow_grad dq = sow_i_grad_slot(t, y, Q), dk = sow_i_grad_slot(t, y, K), dv = sow_i_grad_slot(t, y, V);
    const sow_i_mark mark = sow_i_arena_mark(t);
    const sow_tensor score = sow_i_arena_tensor(t, weights.rows, weights.cols);
    (void)SOW_I_KERNEL(t, attend_back, sow_i_in_value(t, y, Q), sow_i_in_value(t, y, K), sow_i_in_value(t, y, V), weights, dout, dalpha, score, dq, dk, dv);
    sow_i_arena_release(t, mark);
}

static void weights_back(sow_tape *t, sow_var alpha)
{
    back(t, alpha, alpha, (sow_tensor){0}, sow_i_grad_of(t, alpha));
}

static void attend_back(sow_tape *t, sow_var out)
{
    back(t, out, (sow_var)sow_i_node_of(t, out)->detail.at[0], sow_i_grad_of(t, out), (sow_tensor){0});
}

/* The same from operations, for alpha as well as for out. */
static void weights_again(sow_tape *t, sow_var alpha, sow_var dalpha, sow_var *din)
{
    const sow_var q = sow_i_in(t, alpha, Q), k = sow_i_in(t, alpha, K);
    const double scale = 1 / sqrt((double)sow_i_value(t, q).cols);
    const sow_var mean = sow_op_sum_columns(t, sow_op_mul(t, alpha, dalpha));
    const sow_var score = sow_op_scale(t, sow_op_mul(t, alpha, sow_op_sub(t, dalpha, mean)), scale);
    if (sow_i_wants(t, alpha, Q)) din[Q] = sow_op_matmul(t, score, 0, k, 0);
    if (sow_i_wants(t, alpha, K)) din[K] = sow_op_matmul(t, score, 1, q, 0);
}

static void attend_again(sow_tape *t, sow_var out, sow_var dout, sow_var *din)
{
    const sow_var alpha = (sow_var)sow_i_node_of(t, out)->detail.at[0], v = sow_i_in(t, out, V);
    if (sow_i_wants(t, out, Q) || sow_i_wants(t, out, K)) weights_again(t, alpha, sow_op_matmul(t, dout, 0, v, 1), din);
    if (sow_i_wants(t, out, V)) din[V] = sow_op_matmul(t, alpha, 1, dout, 0);
}

static const sow_i_op weights_op = {"attention weights", weights_back, weights_again};
static const sow_i_op attend_op = {"attention", attend_back, attend_again};

sow_var sow_op_attend(sow_tape *t, sow_var q, sow_var k, sow_var v, sow_var *alpha)
{
    if (alpha) *alpha = SOW_NO_VAR;
    if (sow_i_stopped(t, q, k, v)) return SOW_NO_VAR;
    const sow_tensor tq = sow_i_value(t, q), tk = sow_i_value(t, k), tv = sow_i_value(t, v);
    if (tq.cols != tk.cols || tk.rows != tv.rows || tk.rows < 1 || tq.cols < 1) {
        SOW_I_FAIL(t, SOW_E_SHAPE, "attention: queries [%lld, %lld], keys [%lld, %lld] and values [%lld, %lld] do not go together", (long long)tq.rows, (long long)tq.cols, (long long)tk.rows,
                   (long long)tk.cols, (long long)tv.rows, (long long)tv.cols);
        return SOW_NO_VAR;
    }
    const sow_var weights = sow_i_note(t, &weights_op, q, k, SOW_NO_VAR, tq.rows, tk.rows, NULL);
    const sow_var out = sow_i_note(t, &attend_op, q, k, v, tq.rows, tv.cols, &(sow_i_detail){.at = {weights}});
    if (!SOW_I_KERNEL(t, attend, tq, tk, tv, sow_i_value(t, weights), sow_i_value(t, out))) return SOW_NO_VAR;
    if (alpha) *alpha = weights;
    return out;
}
