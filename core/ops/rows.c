/* Operations over each row: softmax, layer norm, cross entropy; and the losses that are made of operations. */
#include "core/tape_internal.h"

/* ---- softmax ---- */

static void softmax_back(sow_tape *t, sow_var y)
{
    sow_grad dx = sow_i_grad_slot(t, y, 0);
    SOW_I_KERNEL(t, softmax_back, sow_i_value(t, y), sow_i_grad_of(t, y), dx);
}

static void softmax_again(sow_tape *t, sow_var y, sow_var dy, sow_var *din)
{
    din[0] = sow_op_mul(t, y, sow_op_sub(t, dy, sow_op_sum_columns(t, sow_op_mul(t, dy, y))));
}

static const sow_i_op softmax_op = {"softmax", softmax_back, softmax_again};

static int has_columns(sow_tape *t, const char *name, sow_tensor x)
{
    if (x.cols > 0) return 1;
    SOW_I_FAIL(t, SOW_E_SHAPE, "%s: [%lld, 0] has no columns", name, (long long)x.rows);
    return 0;
}

sow_var sow_op_softmax(sow_tape *t, sow_var x)
{
    if (sow_i_stopped(t, x, x, x)) return SOW_NO_VAR;
    const sow_tensor from = sow_i_value(t, x);
    if (!has_columns(t, "softmax", from)) return SOW_NO_VAR;
    const sow_var y = sow_i_note(t, &softmax_op, x, SOW_NO_VAR, SOW_NO_VAR, from.rows, from.cols, NULL);
    return SOW_I_KERNEL(t, softmax, from, sow_i_value(t, y)) ? y : SOW_NO_VAR;
}

/* ---- layer norm ---- */

static void layer_norm_back(sow_tape *t, sow_var y)
{
    const sow_tensor moments = sow_i_node_of(t, y)->detail.kept;
    sow_grad dx = sow_i_grad_slot(t, y, 0), dgain = sow_i_grad_slot(t, y, 1), dbias = sow_i_grad_slot(t, y, 2);
    SOW_I_KERNEL(t, layer_norm_back, sow_i_in_value(t, y, 0), sow_i_in_value(t, y, 1), moments, sow_i_grad_of(t, y), dx, dgain, dbias);
}

static sow_var mean_columns(sow_tape *t, sow_var x)
{
    return sow_op_scale(t, sow_op_sum_columns(t, x), 1 / (double)sow_i_value(t, x).cols);
}

/* With h = (x - mean) r and g = dy gain: dx = r (g - mean(g) - h mean(g h)). */
static void layer_norm_again(sow_tape *t, sow_var y, sow_var dy, sow_var *din)
{
    const double eps = sow_i_node_of(t, y)->detail.number;
    const sow_var x = sow_i_in(t, y, 0), gain = sow_i_in(t, y, 1);
    const sow_var centred = sow_op_sub(t, x, mean_columns(t, x));
    const sow_var variance = mean_columns(t, sow_op_square(t, centred));
    const sow_var r = sow_op_div(t, sow_tape_number(t, 1), sow_op_sqrt(t, sow_op_shift(t, variance, eps)));
    const sow_var h = sow_op_mul(t, centred, r);
    if (sow_i_wants(t, y, 0)) {
        const sow_var g = sow_op_mul(t, dy, gain);
        const sow_var along = sow_op_mul(t, h, mean_columns(t, sow_op_mul(t, g, h)));
        din[0] = sow_op_mul(t, r, sow_op_sub(t, sow_op_sub(t, g, mean_columns(t, g)), along));
    }
    if (sow_i_wants(t, y, 1)) din[1] = sow_op_sum_rows(t, sow_op_mul(t, dy, h));
    if (sow_i_wants(t, y, 2)) din[2] = sow_op_sum_rows(t, dy);
}

static const sow_i_op layer_norm_op = {"layer_norm", layer_norm_back, layer_norm_again};

static int is_row_of(sow_tape *t, const char *name, sow_var row, sow_var x)
{
    const sow_tensor r = sow_i_value(t, row);
    if (r.rows == 1 && r.cols == sow_i_value(t, x).cols) return 1;
    sow_i_fail_shapes(t, name, x, row);
    return 0;
}

sow_var sow_op_layer_norm(sow_tape *t, sow_var x, sow_var gain, sow_var bias, double eps)
{
    if (sow_i_stopped(t, x, gain, bias)) return SOW_NO_VAR;
    const sow_tensor from = sow_i_value(t, x);
    if (!has_columns(t, "layer_norm", from) || !is_row_of(t, "layer_norm (x, gain)", gain, x) || !is_row_of(t, "layer_norm (x, bias)", bias, x)) return SOW_NO_VAR;
    const sow_i_detail d = {.number = eps, .kept = sow_i_arena_tensor(t, from.rows, 2)};
    const sow_var y = sow_i_note(t, &layer_norm_op, x, gain, bias, from.rows, from.cols, &d);
    return SOW_I_KERNEL(t, layer_norm, from, sow_i_value(t, gain), sow_i_value(t, bias), eps, sow_i_value(t, y), d.kept) ? y : SOW_NO_VAR;
}

/* ---- losses ---- */

sow_var sow_op_mse(sow_tape *t, sow_var a, sow_var b)
{
    if (sow_i_stopped(t, a, b, b)) return SOW_NO_VAR;
    const sow_tensor x = sow_i_value(t, a), y = sow_i_value(t, b);
    if (x.rows == y.rows && x.cols == y.cols) return sow_op_mean(t, sow_op_square(t, sow_op_sub(t, a, b)));
    sow_i_fail_shapes(t, "mse", a, b);
    return SOW_NO_VAR;
}

sow_var sow_op_kl(sow_tape *t, sow_var mu, sow_var logvar)
{
    if (sow_i_stopped(t, mu, logvar, logvar)) return SOW_NO_VAR;
    const sow_tensor x = sow_i_value(t, mu), y = sow_i_value(t, logvar);
    if (x.rows != y.rows || x.cols != y.cols || x.rows < 1) {
        sow_i_fail_shapes(t, "kl", mu, logvar);
        return SOW_NO_VAR;
    }
    const sow_var terms = sow_op_add(t, sow_op_square(t, mu), sow_op_sub(t, sow_op_exp(t, logvar), sow_op_shift(t, logvar, 1)));
    return sow_op_scale(t, sow_op_sum(t, terms), 0.5 / (double)x.rows);
}

static void cross_entropy_back(sow_tape *t, sow_var y)
{
    const sow_i_detail d = sow_i_node_of(t, y)->detail;
    sow_grad dx = sow_i_grad_slot(t, y, 0);
    SOW_I_KERNEL(t, cross_entropy_back, d.kept, d.index[0], sow_i_grad_of(t, y), dx);
}

/* The kernel at p = 0 and a gradient of -m: 1 at each row's class. */
static sow_var one_hot(sow_tape *t, const sow_index *class_, sow_index rows, sow_index cols)
{
    const sow_var nothing = sow_i_constant(t, 0, rows, cols), minus_rows = sow_tape_number(t, -(double)rows), y = sow_i_constant(t, 0, rows, cols);
    return SOW_I_KERNEL(t, cross_entropy_back, sow_i_value(t, nothing), class_, sow_i_value(t, minus_rows), (sow_grad){.at = sow_i_value(t, y)}) ? y : SOW_NO_VAR;
}

static void cross_entropy_again(sow_tape *t, sow_var y, sow_var dy, sow_var *din)
{
    const sow_index *class_ = sow_i_node_of(t, y)->detail.index[0];
    const sow_var x = sow_i_in(t, y, 0);
    const sow_tensor from = sow_i_value(t, x);
    const sow_var away = sow_op_sub(t, sow_op_softmax(t, x), one_hot(t, class_, from.rows, from.cols));
    din[0] = sow_op_mul(t, sow_op_scale(t, dy, 1 / (double)from.rows), away);
}

static const sow_i_op cross_entropy_op = {"cross_entropy", cross_entropy_back, cross_entropy_again};

sow_var sow_op_cross_entropy(sow_tape *t, sow_var x, const sow_index *class_)
{
    if (sow_i_stopped(t, x, x, x)) return SOW_NO_VAR;
    const sow_tensor from = sow_i_value(t, x);
    if (from.rows < 1 || from.cols < 1) {
        SOW_I_FAIL(t, SOW_E_SHAPE, "cross_entropy: [%lld, %lld] has no entries", (long long)from.rows, (long long)from.cols);
        return SOW_NO_VAR;
    }
    for (sow_index i = 0; i < from.rows; i++)
        if (class_[i] < 0 || class_[i] >= from.cols) {
            SOW_I_FAIL(t, SOW_E_ARG, "cross_entropy: row %lld is of class %lld; allowed are 0 to %lld", (long long)i, (long long)class_[i], (long long)from.cols - 1);
            return SOW_NO_VAR;
        }
    const sow_i_detail d = {.index = {class_, NULL}, .kept = sow_i_arena_tensor(t, from.rows, from.cols)};
    const sow_var y = sow_i_note(t, &cross_entropy_op, x, SOW_NO_VAR, SOW_NO_VAR, 1, 1, &d);
    return SOW_I_KERNEL(t, cross_entropy, from, class_, d.kept, sow_i_value(t, y)) ? y : SOW_NO_VAR;
}
