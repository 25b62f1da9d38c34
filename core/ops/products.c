/* Products: matrix by matrix, dense layers, and a matrix of its own for each row. */
#include "core/tape_internal.h"

/* ---- op(a) op(b) ---- */

enum { TRANS_A = 1, TRANS_B = 2 };

static void matmul_back(sow_tape *t, sow_var y)
{
    const int kind = sow_i_node_of(t, y)->detail.kind, ta = (kind & TRANS_A) != 0, tb = (kind & TRANS_B) != 0;
    const sow_tensor a = sow_i_in_value(t, y, 0), b = sow_i_in_value(t, y, 1), dy = sow_i_grad_of(t, y);
    sow_grad da = sow_i_grad_slot(t, y, 0), db = sow_i_grad_slot(t, y, 1);
    if (da.at.data && !ta) SOW_I_KERNEL(t, gemm, 0, dy, !tb, b, da);
    if (da.at.data && ta) SOW_I_KERNEL(t, gemm, tb, b, 1, dy, da);
    if (db.at.data && !tb) SOW_I_KERNEL(t, gemm, !ta, a, 0, dy, db);
    if (db.at.data && tb) SOW_I_KERNEL(t, gemm, 1, dy, ta, a, db);
}

static void matmul_again(sow_tape *t, sow_var y, sow_var dy, sow_var *din)
{
    const int kind = sow_i_node_of(t, y)->detail.kind, ta = (kind & TRANS_A) != 0, tb = (kind & TRANS_B) != 0;
    const sow_var a = sow_i_in(t, y, 0), b = sow_i_in(t, y, 1);
    if (sow_i_wants(t, y, 0)) din[0] = ta ? sow_op_matmul(t, b, tb, dy, 1) : sow_op_matmul(t, dy, 0, b, !tb);
    if (sow_i_wants(t, y, 1)) din[1] = tb ? sow_op_matmul(t, dy, 1, a, ta) : sow_op_matmul(t, a, !ta, dy, 0);
}

static const sow_i_op matmul_op = {"matmul", matmul_back, matmul_again};

sow_var sow_op_matmul(sow_tape *t, sow_var a, int trans_a, sow_var b, int trans_b)
{
    if (sow_i_stopped(t, a, b, b)) return SOW_NO_VAR;
    const sow_tensor x = sow_i_value(t, a), w = sow_i_value(t, b);
    if ((trans_a ? x.rows : x.cols) != (trans_b ? w.cols : w.rows)) {
        sow_i_fail_shapes(t, trans_a ? (trans_b ? "matmul (both transposed)" : "matmul (first transposed)") : (trans_b ? "matmul (second transposed)" : "matmul"), a, b);
        return SOW_NO_VAR;
    }
    const sow_i_detail d = {.kind = (trans_a ? TRANS_A : 0) | (trans_b ? TRANS_B : 0)};
    const sow_var y = sow_i_note(t, &matmul_op, a, b, SOW_NO_VAR, trans_a ? x.cols : x.rows, trans_b ? w.rows : w.cols, &d);
    return SOW_I_KERNEL(t, gemm, trans_a != 0, x, trans_b != 0, w, (sow_grad){.at = sow_i_value(t, y)}) ? y : SOW_NO_VAR;
}

/* ---- act(x w^T + bias) ---- */

/* Slots are asked for in the order in which they are written, before the scratch is taken. */
static void linear_back(sow_tape *t, sow_var y)
{
    const sow_activation act = (sow_activation)sow_i_node_of(t, y)->detail.kind;
    const sow_tensor x = sow_i_in_value(t, y, 0), w = sow_i_in_value(t, y, 1), dy = sow_i_grad_of(t, y);
    sow_grad dbias = sow_i_grad_slot(t, y, 2), dx = sow_i_grad_slot(t, y, 0), dw = sow_i_grad_slot(t, y, 1);
    const sow_i_mark mark = sow_i_arena_mark(t);
    const sow_tensor dz = act == SOW_ACT_NONE ? dy : sow_i_arena_tensor(t, dy.rows, dy.cols);
    if (act != SOW_ACT_NONE || dbias.at.data) SOW_I_KERNEL(t, linear_back, act, sow_i_value(t, y), dy, dz, dbias);
    if (dx.at.data) SOW_I_KERNEL(t, gemm, 0, dz, 0, w, dx);
    if (dw.at.data) SOW_I_KERNEL(t, gemm, 1, dz, 0, x, dw);
    sow_i_arena_release(t, mark);
}

static void linear_again(sow_tape *t, sow_var y, sow_var dy, sow_var *din)
{
    const sow_var x = sow_i_in(t, y, 0), w = sow_i_in(t, y, 1);
    const sow_var dz = sow_i_through(t, (sow_activation)sow_i_node_of(t, y)->detail.kind, y, dy);
    if (sow_i_wants(t, y, 0)) din[0] = sow_op_matmul(t, dz, 0, w, 0);
    if (sow_i_wants(t, y, 1)) din[1] = sow_op_matmul(t, dz, 1, x, 0);
    if (sow_i_wants(t, y, 2)) din[2] = sow_op_sum_rows(t, dz);
}

static const sow_i_op linear_op = {"linear", linear_back, linear_again};

sow_var sow_op_linear(sow_tape *t, sow_var x, sow_var w, sow_var bias, sow_activation act)
{
    if (sow_i_stopped(t, x, w, bias == SOW_NO_VAR ? w : bias)) return SOW_NO_VAR;
    const sow_tensor in = sow_i_value(t, x), weight = sow_i_value(t, w), shift = bias == SOW_NO_VAR ? (sow_tensor){0} : sow_i_value(t, bias);
    if (in.cols != weight.cols) {
        sow_i_fail_shapes(t, "linear (x, weight)", x, w);
        return SOW_NO_VAR;
    }
    if (bias != SOW_NO_VAR && (shift.rows != 1 || shift.cols != weight.rows)) {
        sow_i_fail_shapes(t, "linear (weight, bias)", w, bias);
        return SOW_NO_VAR;
    }
    const sow_i_detail d = {.kind = (int)act};
    const sow_var y = sow_i_note(t, &linear_op, x, w, bias, in.rows, weight.rows, &d);
    return SOW_I_KERNEL(t, linear, in, weight, shift, act, sow_i_value(t, y)) ? y : SOW_NO_VAR;
}

/* ---- row by row ---- */

static void matvec_back(sow_tape *t, sow_var y)
{
    const int trans = sow_i_node_of(t, y)->detail.kind;
    const sow_tensor w = sow_i_in_value(t, y, 0), x = sow_i_in_value(t, y, 1), dy = sow_i_grad_of(t, y);
    sow_grad dw = sow_i_grad_slot(t, y, 0), dx = sow_i_grad_slot(t, y, 1);
    if (dw.at.data) SOW_I_KERNEL(t, outer_each, trans ? x : dy, trans ? dy : x, dw);
    if (dx.at.data) SOW_I_KERNEL(t, matvec_each, !trans, w, dy, dx);
}

static void matvec_again(sow_tape *t, sow_var y, sow_var dy, sow_var *din)
{
    const int trans = sow_i_node_of(t, y)->detail.kind;
    const sow_var w = sow_i_in(t, y, 0), x = sow_i_in(t, y, 1);
    if (sow_i_wants(t, y, 0)) din[0] = trans ? sow_i_outer_each(t, x, dy) : sow_i_outer_each(t, dy, x);
    if (sow_i_wants(t, y, 1)) din[1] = sow_i_matvec_each(t, !trans, w, dy, sow_i_value(t, x).cols);
}

static void outer_back(sow_tape *t, sow_var y)
{
    const sow_tensor a = sow_i_in_value(t, y, 0), x = sow_i_in_value(t, y, 1), dw = sow_i_grad_of(t, y);
    sow_grad da = sow_i_grad_slot(t, y, 0), dx = sow_i_grad_slot(t, y, 1);
    if (da.at.data) SOW_I_KERNEL(t, matvec_each, 0, dw, x, da);
    if (dx.at.data) SOW_I_KERNEL(t, matvec_each, 1, dw, a, dx);
}

static void outer_again(sow_tape *t, sow_var y, sow_var dy, sow_var *din)
{
    const sow_var a = sow_i_in(t, y, 0), x = sow_i_in(t, y, 1);
    if (sow_i_wants(t, y, 0)) din[0] = sow_i_matvec_each(t, 0, dy, x, sow_i_value(t, a).cols);
    if (sow_i_wants(t, y, 1)) din[1] = sow_i_matvec_each(t, 1, dy, a, sow_i_value(t, x).cols);
}

static const sow_i_op matvec_op = {"matvec_each", matvec_back, matvec_again};
static const sow_i_op outer_op = {"outer_each", outer_back, outer_again};

sow_var sow_i_matvec_each(sow_tape *t, int trans, sow_var w, sow_var x, sow_index out)
{
    if (sow_i_stopped(t, w, x, x)) return SOW_NO_VAR;
    const sow_tensor m = sow_i_value(t, w), v = sow_i_value(t, x);
    if (out < 1 || v.cols < 1 || m.rows != v.rows || m.cols / v.cols != out || m.cols % v.cols != 0) {
        SOW_I_FAIL(t, SOW_E_SHAPE, "matvec_each: w [%lld, %lld] is not one matrix of %lld x %lld for each of %lld rows of x", (long long)m.rows, (long long)m.cols, (long long)out,
                   (long long)v.cols, (long long)v.rows);
        return SOW_NO_VAR;
    }
    const sow_i_detail d = {.kind = trans};
    const sow_var y = sow_i_note(t, &matvec_op, w, x, SOW_NO_VAR, v.rows, out, &d);
    return SOW_I_KERNEL(t, matvec_each, trans, m, v, (sow_grad){.at = sow_i_value(t, y)}) ? y : SOW_NO_VAR;
}

sow_var sow_op_matvec_each(sow_tape *t, sow_var w, sow_var x, sow_index out)
{
    return sow_i_matvec_each(t, 0, w, x, out);
}

sow_var sow_i_outer_each(sow_tape *t, sow_var a, sow_var x)
{
    if (sow_i_stopped(t, a, x, x)) return SOW_NO_VAR;
    const sow_tensor left = sow_i_value(t, a), right = sow_i_value(t, x);
    const sow_var y = sow_i_note(t, &outer_op, a, x, SOW_NO_VAR, right.rows, left.cols * right.cols, NULL);
    return SOW_I_KERNEL(t, outer_each, left, right, (sow_grad){.at = sow_i_value(t, y)}) ? y : SOW_NO_VAR;
}
