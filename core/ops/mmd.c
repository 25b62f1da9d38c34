/* Squared MMD of segments: one fused kernel each way, and a way back made of operations:
 *
 *     z = rows of x and y less their mean;  squared = |z_i|^2 + |z_j|^2 - 2 z_i.z_j
 *     A = 4 c k'(squared), k' = -sum over i of 2^i / widest exp(-2^i squared / widest);  dz = row sums of A z - A z
 *
 * with c as in core/backend/cpu_mmd.c; what it says for i = j multiplies z_i - z_i. */
#include "core/mmd_internal.h"
#include "core/tape_internal.h"

#include <math.h>

typedef struct {
    const sow_index *x_start, *y_start;
    sow_index k;
    sow_mmd_options options;
} segments;

static segments segments_of(const sow_tape *t, sow_var out)
{
    const sow_i_detail *detail = &sow_i_node_of(t, out)->detail;
    return (segments){detail->index[0], detail->index[1], detail->at[0], detail->mmd};
}

static void mmd_back(sow_tape *t, sow_var out)
{
    const segments s = segments_of(t, out);
    const sow_tensor x = sow_i_in_value(t, out, 0), y = sow_i_in_value(t, out, 1), dout = sow_i_grad_of(t, out);
    const sow_grad dx = sow_i_grad_slot(t, out, 0), dy = sow_i_grad_slot(t, out, 1);
    const void *kept = sow_i_node_of(t, out)->detail.kept_bytes;
    size_t keep = 0, bytes = 0;
    if (t->status != SOW_OK || !t->backend->mmd_memory) return;
    t->backend->mmd_memory(x.dtype, s.x_start, s.y_start, s.k, x.cols, &keep, &bytes);
    const sow_i_mark mark = sow_i_arena_mark(t);
    void *work = sow_i_arena(t, bytes);
    (void)SOW_I_KERNEL(t, mmd_back, x, s.x_start, y, s.y_start, s.k, &s.options, dout, kept, work, dx, dy);
    sow_i_arena_release(t, mark);
}

/* ---- the way back made of operations ---- */

/* c [n + m, n + m] of one segment. */
static sow_var coefficients(sow_tape *t, sow_index n, sow_index m, int unbiased)
{
    const double a = (double)n, b = (double)m, own = unbiased ? 1 : 0;
    const sow_var across = sow_i_constant(t, -1 / (a * b), n, m);
    const sow_var of_x = sow_op_join_columns(t, sow_i_constant(t, 1 / (a * (a - own)), n, n), across);
    const sow_var of_y = sow_op_join_columns(t, sow_op_transpose(t, across), sow_i_constant(t, 1 / (b * (b - own)), m, m));
    return sow_op_join_rows(t, of_x, of_y);
}

/* |z_i - z_j|^2 */
static sow_var squared_distances(sow_tape *t, sow_var z)
{
    const sow_var norms = sow_op_sum_columns(t, sow_op_square(t, z));
    const sow_var both = sow_op_add(t, norms, sow_op_transpose(t, norms));
    return sow_op_sub(t, both, sow_op_scale(t, sow_op_matmul(t, z, 0, z, 1), 2));
}

/* A number, so that nothing flows through it. */
static double widest_kernel(sow_tape *t, sow_var squared, const sow_mmd_options *options)
{
    const double total = (double)sow_i_value(t, squared).rows;
    double sigma = options->sigma;
    if (sow_i_mmd_from_data(options)) sigma = sow_tape_scalar(t, sow_op_sum(t, squared)) / (total * (total - 1));
    return sow_i_mmd_widest(sigma, options->kernels);
}

/* d value / d z of one segment [n + m, d]. */
static sow_var segment_again(sow_tape *t, sow_var x, sow_var y, const sow_mmd_options *options)
{
    const sow_index n = sow_i_value(t, x).rows, m = sow_i_value(t, y).rows;
    const sow_var rows = sow_op_join_rows(t, x, y);
    const sow_var z = sow_op_sub(t, rows, sow_op_scale(t, sow_op_sum_rows(t, rows), 1 / (double)(n + m)));
    const sow_var squared = squared_distances(t, z);
    const double widest = widest_kernel(t, squared, options);
    sow_var slope = SOW_NO_VAR;
    if (!(widest > 0)) return sow_op_scale(t, z, 0);
    for (int i = 0; i < options->kernels; i++) {
        const sow_var kernel = sow_op_scale(t, sow_op_exp(t, sow_op_scale(t, squared, -ldexp(1, i) / widest)), -ldexp(1, i) / widest);
        slope = i ? sow_op_add(t, slope, kernel) : kernel;
    }
    const sow_var a = sow_op_scale(t, sow_op_mul(t, coefficients(t, n, m, options->unbiased), slope), 4);
    return sow_op_sub(t, sow_op_mul(t, sow_op_sum_columns(t, a), z), sow_op_matmul(t, a, 0, z, 0));
}

static sow_var below(sow_tape *t, sow_var above, sow_var more)
{
    return above == SOW_NO_VAR ? more : sow_op_join_rows(t, above, more);
}

/* Rows of segments to where they are in the whole matrix, zeros around them. */
static sow_var in_place(sow_tape *t, sow_var rows, sow_index first, sow_var like)
{
    const sow_tensor whole = sow_i_value(t, like);
    return sow_i_value(t, rows).rows == whole.rows ? rows : sow_i_place(t, rows, first, 0, whole.rows, whole.cols);
}

static void mmd_again(sow_tape *t, sow_var out, sow_var dout, sow_var *din)
{
    const segments s = segments_of(t, out);
    const sow_var x = sow_i_in(t, out, 0), y = sow_i_in(t, out, 1);
    sow_var dx = SOW_NO_VAR, dy = SOW_NO_VAR;
    for (sow_index i = 0; i < s.k; i++) {
        const sow_index n = s.x_start[i + 1] - s.x_start[i], m = s.y_start[i + 1] - s.y_start[i];
        const sow_var dz = segment_again(t, sow_op_rows(t, x, s.x_start[i], n), sow_op_rows(t, y, s.y_start[i], m), &s.options);
        const sow_var flow = sow_op_mul(t, dz, sow_op_rows(t, dout, i, 1));
        if (sow_i_wants(t, out, 0)) dx = below(t, dx, sow_op_rows(t, flow, 0, n));
        if (sow_i_wants(t, out, 1)) dy = below(t, dy, sow_op_rows(t, flow, n, m));
    }
    if (dx != SOW_NO_VAR) din[0] = in_place(t, dx, s.x_start[0], x);
    if (dy != SOW_NO_VAR) din[1] = in_place(t, dy, s.y_start[0], y);
}

static const sow_i_op mmd_op = {"MMD", mmd_back, mmd_again};

/* ---- the operation ---- */

static int starts_fit(sow_tape *t, const char *what, const sow_index *start, sow_index k, sow_index rows)
{
    int good = start[0] >= 0 && start[k] <= rows;
    for (sow_index i = 0; i < k; i++) good = good && start[i] <= start[i + 1];
    if (!good)
        SOW_I_FAIL(t, SOW_E_SHAPE, "MMD: the %lld segments of %s, rows %lld to %lld, do not rise within its %lld rows", (long long)k, what, (long long)start[0], (long long)start[k],
                   (long long)rows);
    return good;
}

/* 1 when every segment is something to compare; else the error says which is not. */
static int segments_fit(sow_tape *t, sow_var x, sow_var y, const segments *s)
{
    const sow_tensor tx = sow_i_value(t, x), ty = sow_i_value(t, y);
    if (tx.cols != ty.cols) sow_i_fail_shapes(t, "MMD", x, y);
    if (s->k < 1) SOW_I_FAIL(t, SOW_E_ARG, "MMD of %lld segments; there must be one or more", (long long)s->k);
    if (t->status != SOW_OK || !starts_fit(t, "x", s->x_start, s->k, tx.rows) || !starts_fit(t, "y", s->y_start, s->k, ty.rows)) return 0;
    for (sow_index i = 0; i < s->k; i++) {
        const sow_index n = s->x_start[i + 1] - s->x_start[i], m = s->y_start[i + 1] - s->y_start[i];
        if (sow_i_check(t, sow_i_mmd_check(n, m, tx.cols, &s->options, &t->error))) continue;
        sow_error_prefix(&t->error, "segment %lld", (long long)i);
        return 0;
    }
    return 1;
}

sow_var sow_op_mmd(sow_tape *t, sow_var x, const sow_index *x_start, sow_var y, const sow_index *y_start, sow_index k, const sow_mmd_options *options)
{
    const sow_mmd_options defaults = SOW_MMD_INIT;
    const segments s = {x_start, y_start, k, options ? *options : defaults};
    size_t keep = 0, bytes = 0;
    if (sow_i_stopped(t, x, y, x) || !segments_fit(t, x, y, &s)) return SOW_NO_VAR;
    const sow_tensor tx = sow_i_value(t, x), ty = sow_i_value(t, y);
    if (t->backend->mmd_memory) t->backend->mmd_memory(tx.dtype, x_start, y_start, k, tx.cols, &keep, &bytes);
    const sow_i_detail detail = {.at = {k}, .index = {x_start, y_start}, .mmd = s.options, .kept_bytes = sow_i_arena(t, keep)};
    const sow_var out = sow_i_note(t, &mmd_op, x, y, SOW_NO_VAR, k, 1, &detail);
    const sow_i_mark mark = sow_i_arena_mark(t);
    void *work = sow_i_arena(t, bytes);
    const int good = SOW_I_KERNEL(t, mmd, tx, x_start, ty, y_start, k, &s.options, sow_i_value(t, out), detail.kept_bytes, work);
    sow_i_arena_release(t, mark);
    return good ? out : SOW_NO_VAR;
}
