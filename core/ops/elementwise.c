/* Element-wise operations, with broadcasting, and the sums that take a gradient back to a broadcast shape. */
#include "core/tape_internal.h"

/* ---- f(x) ---- */

static void map_back(sow_tape *t, sow_var y)
{
    const sow_i_detail d = sow_i_node_of(t, y)->detail;
    sow_grad dx = sow_i_grad_slot(t, y, 0);
    SOW_I_KERNEL(t, map_back, (sow_map)d.kind, d.number, sow_i_in_value(t, y, 0), sow_i_value(t, y), sow_i_grad_of(t, y), dx);
}

static void map_again(sow_tape *t, sow_var y, sow_var dy, sow_var *din)
{
    const sow_i_detail d = sow_i_node_of(t, y)->detail;
    const sow_var x = sow_i_in(t, y, 0);
    switch ((sow_map)d.kind) {
    case SOW_MAP_SCALE:
        din[0] = sow_op_scale(t, dy, d.number);
        break;
    case SOW_MAP_SHIFT:
        din[0] = dy;
        break;
    case SOW_MAP_EXP:
        din[0] = sow_op_mul(t, dy, y);
        break;
    case SOW_MAP_LOG:
        din[0] = sow_op_div(t, dy, x);
        break;
    case SOW_MAP_SQUARE:
        din[0] = sow_op_scale(t, sow_op_mul(t, dy, x), 2);
        break;
    case SOW_MAP_SQRT:
        din[0] = sow_op_scale(t, sow_op_div(t, dy, y), 0.5);
        break;
    case SOW_MAP_RELU:
        din[0] = sow_i_through(t, SOW_ACT_RELU, y, dy);
        break;
    case SOW_MAP_LEAKY_RELU:
        din[0] = sow_op_mul(t, dy, sow_i_step(t, y, d.number));
        break;
    case SOW_MAP_SIGMOID:
        din[0] = sow_i_through(t, SOW_ACT_SIGMOID, y, dy);
        break;
    case SOW_MAP_STEP:
        break;
    }
}

static const sow_i_op map_op = {"map", map_back, map_again};
static const sow_i_op step_op = {"step", NULL, NULL};

static sow_var mapped(sow_tape *t, sow_var x, sow_map f, double p)
{
    if (sow_i_stopped(t, x, x, x)) return SOW_NO_VAR;
    const sow_tensor from = sow_i_value(t, x);
    const sow_i_detail d = {.kind = (int)f, .number = p};
    const sow_var y = sow_i_note(t, f == SOW_MAP_STEP ? &step_op : &map_op, x, SOW_NO_VAR, SOW_NO_VAR, from.rows, from.cols, &d);
    return SOW_I_KERNEL(t, map, f, p, from, sow_i_value(t, y)) ? y : SOW_NO_VAR;
}

sow_var sow_op_scale(sow_tape *t, sow_var x, double by)
{
    return mapped(t, x, SOW_MAP_SCALE, by);
}

sow_var sow_op_shift(sow_tape *t, sow_var x, double by)
{
    return mapped(t, x, SOW_MAP_SHIFT, by);
}

sow_var sow_op_exp(sow_tape *t, sow_var x)
{
    return mapped(t, x, SOW_MAP_EXP, 0);
}

sow_var sow_op_log(sow_tape *t, sow_var x)
{
    return mapped(t, x, SOW_MAP_LOG, 0);
}

sow_var sow_op_square(sow_tape *t, sow_var x)
{
    return mapped(t, x, SOW_MAP_SQUARE, 0);
}

sow_var sow_op_sqrt(sow_tape *t, sow_var x)
{
    return mapped(t, x, SOW_MAP_SQRT, 0);
}

sow_var sow_i_step(sow_tape *t, sow_var x, double below)
{
    return mapped(t, x, SOW_MAP_STEP, below);
}

sow_var sow_op_activate(sow_tape *t, sow_var x, sow_activation act)
{
    switch (act) {
    case SOW_ACT_NONE:
        return sow_i_stopped(t, x, x, x) ? SOW_NO_VAR : x;
    case SOW_ACT_RELU:
        return mapped(t, x, SOW_MAP_RELU, 0);
    case SOW_ACT_LEAKY_RELU:
    case SOW_ACT_LEAKY_RELU_10:
        return mapped(t, x, SOW_MAP_LEAKY_RELU, sow_i_slope_below(act));
    case SOW_ACT_SIGMOID:
        return mapped(t, x, SOW_MAP_SIGMOID, 0);
    }
    if (t->status == SOW_OK) SOW_I_FAIL(t, SOW_E_ARG, "activation %d is none of sow_activation", (int)act);
    return SOW_NO_VAR;
}

/* The slope of (leaky) ReLU is constant between the kinks: its own derivative is 0. */
sow_var sow_i_through(sow_tape *t, sow_activation act, sow_var y, sow_var dy)
{
    switch (act) {
    case SOW_ACT_NONE:
        break;
    case SOW_ACT_RELU:
    case SOW_ACT_LEAKY_RELU:
    case SOW_ACT_LEAKY_RELU_10:
        return sow_op_mul(t, dy, sow_i_step(t, y, sow_i_slope_below(act)));
    case SOW_ACT_SIGMOID:
        return sow_op_mul(t, dy, sow_op_sub(t, y, sow_op_square(t, y)));
    }
    return dy;
}

/* ---- f(a, b) ---- */

static void zip_back(sow_tape *t, sow_var y)
{
    const sow_zip f = (sow_zip)sow_i_node_of(t, y)->detail.kind;
    sow_grad da = sow_i_grad_slot(t, y, 0), db = sow_i_grad_slot(t, y, 1);
    SOW_I_KERNEL(t, zip_back, f, sow_i_in_value(t, y, 0), sow_i_in_value(t, y, 1), sow_i_grad_of(t, y), da, db);
}

static sow_var back_to(sow_tape *t, sow_var g, sow_var like)
{
    const sow_tensor x = sow_i_value(t, like);
    return sow_i_sum_to(t, g, x.rows, x.cols);
}

static void zip_again(sow_tape *t, sow_var y, sow_var dy, sow_var *din)
{
    const sow_zip f = (sow_zip)sow_i_node_of(t, y)->detail.kind;
    const sow_var a = sow_i_in(t, y, 0), b = sow_i_in(t, y, 1);
    sow_var to_a = dy, to_b = dy;
    if (f == SOW_ZIP_MUL && sow_i_wants(t, y, 0)) to_a = sow_op_mul(t, dy, b);
    if (f == SOW_ZIP_MUL && sow_i_wants(t, y, 1)) to_b = sow_op_mul(t, dy, a);
    if (f == SOW_ZIP_DIV && sow_i_wants(t, y, 0)) to_a = sow_op_div(t, dy, b);
    if (f == SOW_ZIP_DIV && sow_i_wants(t, y, 1)) to_b = sow_op_scale(t, sow_op_mul(t, dy, sow_op_div(t, y, b)), -1);
    if (f == SOW_ZIP_SUB && sow_i_wants(t, y, 1)) to_b = sow_op_scale(t, dy, -1);
    if (sow_i_wants(t, y, 0)) din[0] = back_to(t, to_a, a);
    if (sow_i_wants(t, y, 1)) din[1] = back_to(t, to_b, b);
}

static const sow_i_op zip_op = {"zip", zip_back, zip_again};

static int together(sow_index a, sow_index b)
{
    return a == b || a == 1 || b == 1;
}

static sow_var zipped(sow_tape *t, const char *name, sow_zip f, sow_var a, sow_var b)
{
    if (sow_i_stopped(t, a, b, b)) return SOW_NO_VAR;
    const sow_tensor x = sow_i_value(t, a), z = sow_i_value(t, b);
    if (!together(x.rows, z.rows) || !together(x.cols, z.cols)) {
        sow_i_fail_shapes(t, name, a, b);
        return SOW_NO_VAR;
    }
    const sow_i_detail d = {.kind = (int)f};
    const sow_var y = sow_i_note(t, &zip_op, a, b, SOW_NO_VAR, x.rows == 1 ? z.rows : x.rows, x.cols == 1 ? z.cols : x.cols, &d);
    return SOW_I_KERNEL(t, zip, f, x, z, sow_i_value(t, y)) ? y : SOW_NO_VAR;
}

sow_var sow_op_add(sow_tape *t, sow_var a, sow_var b)
{
    return zipped(t, "add", SOW_ZIP_ADD, a, b);
}

sow_var sow_op_sub(sow_tape *t, sow_var a, sow_var b)
{
    return zipped(t, "sub", SOW_ZIP_SUB, a, b);
}

sow_var sow_op_mul(sow_tape *t, sow_var a, sow_var b)
{
    return zipped(t, "mul", SOW_ZIP_MUL, a, b);
}

sow_var sow_op_div(sow_tape *t, sow_var a, sow_var b)
{
    return zipped(t, "div", SOW_ZIP_DIV, a, b);
}

/* ---- sums and spreads, each other's transpose ---- */

static void sum_back(sow_tape *t, sow_var y)
{
    const double scale = sow_i_node_of(t, y)->detail.number;
    sow_grad dx = sow_i_grad_slot(t, y, 0);
    SOW_I_KERNEL(t, spread, scale, sow_i_grad_of(t, y), dx);
}

static void sum_again(sow_tape *t, sow_var y, sow_var dy, sow_var *din)
{
    const double scale = sow_i_node_of(t, y)->detail.number;
    const sow_tensor x = sow_i_in_value(t, y, 0);
    din[0] = sow_i_spread(t, scale == 1 ? dy : sow_op_scale(t, dy, scale), x.rows, x.cols);
}

static void spread_back(sow_tape *t, sow_var y)
{
    sow_grad dx = sow_i_grad_slot(t, y, 0);
    SOW_I_KERNEL(t, sum, 1, sow_i_grad_of(t, y), dx);
}

static void spread_again(sow_tape *t, sow_var y, sow_var dy, sow_var *din)
{
    din[0] = back_to(t, dy, sow_i_in(t, y, 0));
}

static const sow_i_op sum_op = {"sum", sum_back, sum_again};
static const sow_i_op spread_op = {"spread", spread_back, spread_again};

static sow_var summed(sow_tape *t, sow_var x, double scale, sow_index rows, sow_index cols)
{
    if (sow_i_stopped(t, x, x, x)) return SOW_NO_VAR;
    const sow_i_detail d = {.number = scale};
    const sow_var y = sow_i_note(t, &sum_op, x, SOW_NO_VAR, SOW_NO_VAR, rows, cols, &d);
    return SOW_I_KERNEL(t, sum, scale, sow_i_value(t, x), (sow_grad){.at = sow_i_value(t, y)}) ? y : SOW_NO_VAR;
}

sow_var sow_op_sum(sow_tape *t, sow_var x)
{
    return summed(t, x, 1, 1, 1);
}

sow_var sow_op_mean(sow_tape *t, sow_var x)
{
    const sow_tensor from = sow_i_value(t, x);
    if (sow_i_stopped(t, x, x, x)) return SOW_NO_VAR;
    if (from.rows * from.cols > 0) return summed(t, x, 1 / (double)(from.rows * from.cols), 1, 1);
    SOW_I_FAIL(t, SOW_E_SHAPE, "mean: [%lld, %lld] has no entries", (long long)from.rows, (long long)from.cols);
    return SOW_NO_VAR;
}

sow_var sow_op_sum_rows(sow_tape *t, sow_var x)
{
    return summed(t, x, 1, 1, sow_i_value(t, x).cols);
}

sow_var sow_op_sum_columns(sow_tape *t, sow_var x)
{
    return summed(t, x, 1, sow_i_value(t, x).rows, 1);
}

sow_var sow_i_sum_to(sow_tape *t, sow_var x, sow_index rows, sow_index cols)
{
    const sow_tensor from = sow_i_value(t, x);
    return from.rows == rows && from.cols == cols ? x : summed(t, x, 1, rows, cols);
}

sow_var sow_i_spread(sow_tape *t, sow_var x, sow_index rows, sow_index cols)
{
    if (sow_i_stopped(t, x, x, x)) return SOW_NO_VAR;
    const sow_tensor from = sow_i_value(t, x);
    if (from.rows == rows && from.cols == cols) return x;
    const sow_var y = sow_i_note(t, &spread_op, x, SOW_NO_VAR, SOW_NO_VAR, rows, cols, NULL);
    return SOW_I_KERNEL(t, spread, 1, from, (sow_grad){.at = sow_i_value(t, y)}) ? y : SOW_NO_VAR;
}

/* ---- dropout: its own transpose ---- */

static void dropout_back(sow_tape *t, sow_var y)
{
    const sow_mask mask = sow_i_node_of(t, y)->detail.mask;
    sow_grad dx = sow_i_grad_slot(t, y, 0);
    SOW_I_KERNEL(t, dropout, &mask, sow_i_grad_of(t, y), dx);
}

static void dropout_again(sow_tape *t, sow_var y, sow_var dy, sow_var *din)
{
    const sow_mask mask = sow_i_node_of(t, y)->detail.mask;
    din[0] = sow_op_dropout(t, dy, mask.rate, mask.seed, mask.stream, mask.call);
}

static const sow_i_op dropout_op = {"dropout", dropout_back, dropout_again};

sow_var sow_op_dropout(sow_tape *t, sow_var x, double rate, uint64_t seed, uint32_t stream, uint32_t call)
{
    if (sow_i_stopped(t, x, x, x)) return SOW_NO_VAR;
    if (!(rate >= 0 && rate < 1)) {
        SOW_I_FAIL(t, SOW_E_ARG, "dropout: a rate of %g; allowed are 0 to below 1", rate);
        return SOW_NO_VAR;
    }
    if (rate == 0) return x;
    const sow_tensor from = sow_i_value(t, x);
    const sow_i_detail d = {.mask = {.rate = rate, .seed = seed, .stream = stream, .call = call}};
    const sow_var y = sow_i_note(t, &dropout_op, x, SOW_NO_VAR, SOW_NO_VAR, from.rows, from.cols, &d);
    return SOW_I_KERNEL(t, dropout, &d.mask, from, (sow_grad){.at = sow_i_value(t, y)}) ? y : SOW_NO_VAR;
}
