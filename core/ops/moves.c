/* Operations that move numbers: gather and scatter, blocks, joins, views, transpose. */
#include "core/tape_internal.h"

/* ---- gather and scatter, each other's transpose ---- */

static void gather_back(sow_tape *t, sow_var y)
{
    const sow_index *index = sow_i_node_of(t, y)->detail.index[0];
    sow_grad dx = sow_i_grad_slot(t, y, 0);
    SOW_I_KERNEL(t, scatter_add, sow_i_grad_of(t, y), index, dx);
}

static void gather_again(sow_tape *t, sow_var y, sow_var dy, sow_var *din)
{
    din[0] = sow_op_scatter_add(t, dy, sow_i_node_of(t, y)->detail.index[0], sow_i_in_value(t, y, 0).rows);
}

static void scatter_back(sow_tape *t, sow_var y)
{
    const sow_index *index = sow_i_node_of(t, y)->detail.index[0];
    sow_grad dx = sow_i_grad_slot(t, y, 0);
    SOW_I_KERNEL(t, gather, sow_i_grad_of(t, y), index, dx);
}

static void scatter_again(sow_tape *t, sow_var y, sow_var dy, sow_var *din)
{
    din[0] = sow_op_gather(t, dy, sow_i_node_of(t, y)->detail.index[0], sow_i_in_value(t, y, 0).rows);
}

static const sow_i_op gather_op = {"gather", gather_back, gather_again};
static const sow_i_op scatter_op = {"scatter_add", scatter_back, scatter_again};

static int indices_fit(sow_tape *t, const char *name, const sow_index *index, sow_index n, sow_index rows)
{
    if (n < 0 || rows < 0) {
        SOW_I_FAIL(t, SOW_E_SHAPE, "%s: %lld rows of %lld", name, (long long)n, (long long)rows);
        return 0;
    }
    for (sow_index i = 0; i < n; i++)
        if (index[i] < 0 || index[i] >= rows) {
            SOW_I_FAIL(t, SOW_E_ARG, "%s: index %lld is row %lld of a matrix of %lld rows", name, (long long)i, (long long)index[i], (long long)rows);
            return 0;
        }
    return 1;
}

sow_var sow_op_gather(sow_tape *t, sow_var x, const sow_index *index, sow_index k)
{
    if (sow_i_stopped(t, x, x, x)) return SOW_NO_VAR;
    const sow_tensor from = sow_i_value(t, x);
    if (!indices_fit(t, "gather", index, k, from.rows)) return SOW_NO_VAR;
    const sow_i_detail d = {.index = {index, NULL}};
    const sow_var y = sow_i_note(t, &gather_op, x, SOW_NO_VAR, SOW_NO_VAR, k, from.cols, &d);
    return SOW_I_KERNEL(t, gather, from, index, (sow_grad){.at = sow_i_value(t, y)}) ? y : SOW_NO_VAR;
}

sow_var sow_op_scatter_add(sow_tape *t, sow_var x, const sow_index *index, sow_index m)
{
    if (sow_i_stopped(t, x, x, x)) return SOW_NO_VAR;
    const sow_tensor from = sow_i_value(t, x);
    if (!indices_fit(t, "scatter_add", index, from.rows, m)) return SOW_NO_VAR;
    const sow_i_detail d = {.index = {index, NULL}};
    const sow_var y = sow_i_note(t, &scatter_op, x, SOW_NO_VAR, SOW_NO_VAR, m, from.cols, &d);
    return SOW_I_KERNEL(t, scatter_add, from, index, (sow_grad){.at = sow_i_value(t, y)}) ? y : SOW_NO_VAR;
}

/* ---- blocks: taking one and placing one are each other's transpose ---- */

static void block_back(sow_tape *t, sow_var y)
{
    const sow_i_detail d = sow_i_node_of(t, y)->detail;
    const sow_tensor dy = sow_i_grad_of(t, y);
    sow_grad dx = sow_i_grad_slot(t, y, 0);
    SOW_I_KERNEL(t, block, dy, 0, 0, dy.rows, dy.cols, dx, d.at[0], d.at[1], 1);
}

static void block_again(sow_tape *t, sow_var y, sow_var dy, sow_var *din)
{
    const sow_i_detail d = sow_i_node_of(t, y)->detail;
    const sow_tensor x = sow_i_in_value(t, y, 0);
    din[0] = sow_i_place(t, dy, d.at[0], d.at[1], x.rows, x.cols);
}

static void place_back(sow_tape *t, sow_var y)
{
    const sow_i_detail d = sow_i_node_of(t, y)->detail;
    const sow_tensor x = sow_i_in_value(t, y, 0);
    sow_grad dx = sow_i_grad_slot(t, y, 0);
    SOW_I_KERNEL(t, block, sow_i_grad_of(t, y), d.at[0], d.at[1], x.rows, x.cols, dx, 0, 0, 0);
}

static void place_again(sow_tape *t, sow_var y, sow_var dy, sow_var *din)
{
    const sow_i_detail d = sow_i_node_of(t, y)->detail;
    const sow_tensor x = sow_i_in_value(t, y, 0);
    din[0] = sow_i_block(t, dy, d.at[0], d.at[1], x.rows, x.cols);
}

static const sow_i_op block_op = {"block", block_back, block_again};
static const sow_i_op place_op = {"place", place_back, place_again};

/* Whole rows need no copy: they are a view. */
sow_var sow_i_block(sow_tape *t, sow_var x, sow_index row, sow_index col, sow_index rows, sow_index cols)
{
    if (sow_i_stopped(t, x, x, x)) return SOW_NO_VAR;
    const sow_tensor from = sow_i_value(t, x);
    const sow_i_detail d = {.at = {row, col, 0, 0}};
    if (cols == from.cols) {
        sow_tensor view = from;
        view.data = (char *)from.data + (size_t)(row * from.cols) * sow_dtype_size(from.dtype);
        view.rows = rows;
        return sow_i_note_view(t, &block_op, x, view, &d);
    }
    const sow_var y = sow_i_note(t, &block_op, x, SOW_NO_VAR, SOW_NO_VAR, rows, cols, &d);
    return SOW_I_KERNEL(t, block, from, row, col, rows, cols, (sow_grad){.at = sow_i_value(t, y)}, 0, 0, 0) ? y : SOW_NO_VAR;
}

sow_var sow_i_place(sow_tape *t, sow_var x, sow_index row, sow_index col, sow_index rows, sow_index cols)
{
    if (sow_i_stopped(t, x, x, x)) return SOW_NO_VAR;
    const sow_tensor from = sow_i_value(t, x);
    const sow_i_detail d = {.at = {row, col, 0, 0}};
    const sow_var y = sow_i_note(t, &place_op, x, SOW_NO_VAR, SOW_NO_VAR, rows, cols, &d);
    return SOW_I_KERNEL(t, block, from, 0, 0, from.rows, from.cols, (sow_grad){.at = sow_i_value(t, y)}, row, col, 1) ? y : SOW_NO_VAR;
}

static int range_fits(sow_tape *t, const char *name, sow_var x, sow_index first, sow_index n, sow_index of)
{
    const sow_tensor from = sow_i_value(t, x);
    if (first >= 0 && n >= 0 && first <= of - n) return 1;
    SOW_I_FAIL(t, SOW_E_SHAPE, "%s: %lld from %lld on of [%lld, %lld]", name, (long long)n, (long long)first, (long long)from.rows, (long long)from.cols);
    return 0;
}

sow_var sow_op_columns(sow_tape *t, sow_var x, sow_index first, sow_index n)
{
    if (sow_i_stopped(t, x, x, x)) return SOW_NO_VAR;
    const sow_tensor from = sow_i_value(t, x);
    return range_fits(t, "columns", x, first, n, from.cols) ? sow_i_block(t, x, 0, first, from.rows, n) : SOW_NO_VAR;
}

sow_var sow_op_rows(sow_tape *t, sow_var x, sow_index first, sow_index n)
{
    if (sow_i_stopped(t, x, x, x)) return SOW_NO_VAR;
    const sow_tensor from = sow_i_value(t, x);
    return range_fits(t, "rows", x, first, n, from.rows) ? sow_i_block(t, x, first, 0, n, from.cols) : SOW_NO_VAR;
}

/* ---- joins ---- */

static void join_back(sow_tape *t, sow_var y)
{
    const sow_i_detail d = sow_i_node_of(t, y)->detail;
    const sow_tensor dy = sow_i_grad_of(t, y), a = sow_i_in_value(t, y, 0), b = sow_i_in_value(t, y, 1);
    sow_grad da = sow_i_grad_slot(t, y, 0), db = sow_i_grad_slot(t, y, 1);
    if (da.at.data) SOW_I_KERNEL(t, block, dy, 0, 0, a.rows, a.cols, da, 0, 0, 0);
    if (db.at.data) SOW_I_KERNEL(t, block, dy, d.at[0], d.at[1], b.rows, b.cols, db, 0, 0, 0);
}

static void join_again(sow_tape *t, sow_var y, sow_var dy, sow_var *din)
{
    const sow_i_detail d = sow_i_node_of(t, y)->detail;
    const sow_tensor a = sow_i_in_value(t, y, 0), b = sow_i_in_value(t, y, 1);
    if (sow_i_wants(t, y, 0)) din[0] = sow_i_block(t, dy, 0, 0, a.rows, a.cols);
    if (sow_i_wants(t, y, 1)) din[1] = sow_i_block(t, dy, d.at[0], d.at[1], b.rows, b.cols);
}

static const sow_i_op join_op = {"join", join_back, join_again};

/* b stands at (row, col) of the result. */
static sow_var joined(sow_tape *t, sow_var a, sow_var b, sow_index row, sow_index col)
{
    const sow_tensor x = sow_i_value(t, a), z = sow_i_value(t, b);
    const sow_i_detail d = {.at = {row, col, 0, 0}};
    const sow_var y = sow_i_note(t, &join_op, a, b, SOW_NO_VAR, row + z.rows, col + z.cols, &d);
    const sow_grad to = {.at = sow_i_value(t, y)};
    const int ok = SOW_I_KERNEL(t, block, x, 0, 0, x.rows, x.cols, to, 0, 0, 0) && SOW_I_KERNEL(t, block, z, 0, 0, z.rows, z.cols, to, row, col, 0);
    return ok ? y : SOW_NO_VAR;
}

sow_var sow_op_join_columns(sow_tape *t, sow_var a, sow_var b)
{
    if (sow_i_stopped(t, a, b, b)) return SOW_NO_VAR;
    if (sow_i_value(t, a).rows == sow_i_value(t, b).rows) return joined(t, a, b, 0, sow_i_value(t, a).cols);
    sow_i_fail_shapes(t, "join_columns", a, b);
    return SOW_NO_VAR;
}

sow_var sow_op_join_rows(sow_tape *t, sow_var a, sow_var b)
{
    if (sow_i_stopped(t, a, b, b)) return SOW_NO_VAR;
    if (sow_i_value(t, a).cols == sow_i_value(t, b).cols) return joined(t, a, b, sow_i_value(t, a).rows, 0);
    sow_i_fail_shapes(t, "join_rows", a, b);
    return SOW_NO_VAR;
}

/* ---- the same numbers in another shape ---- */

static void reshape_back(sow_tape *t, sow_var y)
{
    sow_tensor dy = sow_i_grad_of(t, y);
    sow_grad dx = sow_i_grad_slot(t, y, 0);
    dy.rows = dx.at.rows;
    dy.cols = dx.at.cols;
    SOW_I_KERNEL(t, block, dy, 0, 0, dy.rows, dy.cols, dx, 0, 0, 0);
}

static void reshape_again(sow_tape *t, sow_var y, sow_var dy, sow_var *din)
{
    const sow_tensor x = sow_i_in_value(t, y, 0);
    din[0] = sow_op_reshape(t, dy, x.rows, x.cols);
}

static const sow_i_op reshape_op = {"reshape", reshape_back, reshape_again};

sow_var sow_op_reshape(sow_tape *t, sow_var x, sow_index rows, sow_index cols)
{
    if (sow_i_stopped(t, x, x, x)) return SOW_NO_VAR;
    sow_tensor view = sow_i_value(t, x);
    const sow_index numbers = view.rows * view.cols;
    if (rows < 0 || cols < 0 || (cols == 0 ? numbers != 0 : numbers % cols != 0 || rows != numbers / cols)) {
        SOW_I_FAIL(t, SOW_E_SHAPE, "reshape: [%lld, %lld] does not fill [%lld, %lld]", (long long)view.rows, (long long)view.cols, (long long)rows, (long long)cols);
        return SOW_NO_VAR;
    }
    view.rows = rows;
    view.cols = cols;
    return sow_i_note_view(t, &reshape_op, x, view, NULL);
}

static void transpose_back(sow_tape *t, sow_var y)
{
    sow_grad dx = sow_i_grad_slot(t, y, 0);
    SOW_I_KERNEL(t, transpose, sow_i_grad_of(t, y), dx);
}

static void transpose_again(sow_tape *t, sow_var y, sow_var dy, sow_var *din)
{
    (void)y;
    din[0] = sow_op_transpose(t, dy);
}

static const sow_i_op transpose_op = {"transpose", transpose_back, transpose_again};

sow_var sow_op_transpose(sow_tape *t, sow_var x)
{
    if (sow_i_stopped(t, x, x, x)) return SOW_NO_VAR;
    const sow_tensor from = sow_i_value(t, x);
    const sow_var y = sow_i_note(t, &transpose_op, x, SOW_NO_VAR, SOW_NO_VAR, from.cols, from.rows, NULL);
    return SOW_I_KERNEL(t, transpose, from, (sow_grad){.at = sow_i_value(t, y)}) ? y : SOW_NO_VAR;
}
