/* Operations over rows, losses, and what moves numbers, on every backend; see tape_check.h. */
#include "tape_check.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* ---- softmax ---- */

static sow_var build_softmax(sow_tape *t, const sow_var *x, const check_case *c)
{
    (void)c;
    return sow_op_softmax(t, x[0]);
}

static void naive_softmax(double *y, double *const *x, const check_case *c)
{
    for (sow_index i = 0; i < c->rows; i++) {
        double sum = 0;
        for (sow_index j = 0; j < c->cols; j++) sum += exp(x[0][i * c->cols + j]);
        for (sow_index j = 0; j < c->cols; j++) y[i * c->cols + j] = exp(x[0][i * c->cols + j]) / sum;
    }
}

#define SOFTMAX(name_, m, n, big) {.name = name_, .build = build_softmax, .naive = naive_softmax, .n_in = 1, .in = {{m, n}}, .rows = m, .cols = n, .low = -3, .high = 3, .large = big}

static const check_case softmaxes[] = {
    SOFTMAX("softmax", 3, 5, 0), SOFTMAX("softmax of one row", 1, 4, 0), SOFTMAX("softmax of one column", 4, 1, 0), SOFTMAX("softmax of no rows", 0, 3, 0), SOFTMAX("a large softmax", 90, 301, 1),
};

Test(ops_rows, softmax_agrees_with_plain_loops_and_differences)
{
    check_table(softmaxes, COUNT(softmaxes));
}

Test(ops_rows, softmax_and_cross_entropy_bear_large_numbers)
{
    sow_tape *t = NULL;
    const float x[] = {1000, 999, -1000, -5000, -5000, -5000};
    const sow_index class_[] = {2, 0};
    cr_assert_eq(sow_tape_create(&t, NULL, SOW_F32, NULL, NULL), SOW_OK);
    sow_var v = sow_tape_constant(t, x, 2, 3);
    const float *p = sow_tape_value(t, sow_op_softmax(t, v)).data;
    cr_assert(fabsf(p[0] - 0.7310586f) < 1e-6f && p[2] == 0 && fabsf(p[3] - 1.0f / 3) < 1e-6f);
    const double loss = sow_tape_scalar(t, sow_op_cross_entropy(t, v, class_));
    cr_assert(fabs(loss - (2000 + log(1 + exp(-1)) + log(3)) / 2) < 1e-3, "%g", loss);
    sow_tape_destroy(t);
}

/* ---- layer norm ---- */

static sow_var build_layer_norm(sow_tape *t, const sow_var *x, const check_case *c)
{
    return sow_op_layer_norm(t, x[0], x[1], x[2], c->number);
}

static void naive_layer_norm(double *y, double *const *x, const check_case *c)
{
    const sow_index n = c->cols;
    for (sow_index i = 0; i < c->rows; i++) {
        double mean = 0, variance = 0;
        for (sow_index j = 0; j < n; j++) mean += x[0][i * n + j] / (double)n;
        for (sow_index j = 0; j < n; j++) variance += (x[0][i * n + j] - mean) * (x[0][i * n + j] - mean) / (double)n;
        for (sow_index j = 0; j < n; j++) y[i * n + j] = (x[0][i * n + j] - mean) / sqrt(variance + c->number) * x[1][j] + x[2][j];
    }
}

#define LAYER_NORM(name_, m, n, eps, big)                                                                                                                                                  \
    {.name = name_, .build = build_layer_norm, .naive = naive_layer_norm, .n_in = 3, .in = {{m, n}, {1, n}, {1, n}}, .rows = m, .cols = n, .number = eps, .large = big}

static const check_case layer_norms[] = {
    LAYER_NORM("layer norm", 3, 6, 1e-5, 0),           LAYER_NORM("layer norm with much eps", 2, 4, 0.5, 0), LAYER_NORM("layer norm of one row", 1, 5, 1e-5, 0),
    LAYER_NORM("layer norm of one column", 3, 1, 0.1, 0), LAYER_NORM("layer norm of no rows", 0, 3, 1e-5, 0),  LAYER_NORM("a large layer norm", 70, 600, 1e-5, 1),
};

Test(ops_rows, layer_norm_agrees_with_plain_loops_and_differences)
{
    check_table(layer_norms, COUNT(layer_norms));
}

/* ---- losses ---- */

static sow_var build_mse(sow_tape *t, const sow_var *x, const check_case *c)
{
    (void)c;
    return sow_op_mse(t, x[0], x[1]);
}

static void naive_mse(double *y, double *const *x, const check_case *c)
{
    const sow_index n = c->in[0].rows * c->in[0].cols;
    for (sow_index i = 0; i < n; i++) *y += (x[0][i] - x[1][i]) * (x[0][i] - x[1][i]) / (double)n;
}

static sow_var build_kl(sow_tape *t, const sow_var *x, const check_case *c)
{
    (void)c;
    return sow_op_kl(t, x[0], x[1]);
}

static void naive_kl(double *y, double *const *x, const check_case *c)
{
    for (sow_index i = 0; i < c->in[0].rows * c->in[0].cols; i++) *y -= 0.5 * (1 + x[1][i] - x[0][i] * x[0][i] - exp(x[1][i])) / (double)c->in[0].rows;
}

static sow_var build_cross_entropy(sow_tape *t, const sow_var *x, const check_case *c)
{
    return sow_op_cross_entropy(t, x[0], c->user);
}

static void naive_cross_entropy(double *y, double *const *x, const check_case *c)
{
    const sow_index m = c->in[0].rows, n = c->in[0].cols, *class_ = c->user;
    for (sow_index i = 0; i < m; i++) {
        double sum = 0;
        for (sow_index j = 0; j < n; j++) sum += exp(x[0][i * n + j]);
        *y -= log(exp(x[0][i * n + class_[i]]) / sum) / (double)m;
    }
}

static const sow_index classes[] = {2, 0, 2, 1};
static const sow_index one_class[] = {0, 0, 0};

#define PAIR(name_, what, m, n, big) {.name = name_, .build = build_##what, .naive = naive_##what, .n_in = 2, .in = {{m, n}, {m, n}}, .rows = 1, .cols = 1, .large = big}
#define CLASSES(name_, m, n, user_) {.name = name_, .build = build_cross_entropy, .naive = naive_cross_entropy, .n_in = 1, .in = {{m, n}}, .rows = 1, .cols = 1, .low = -2, .high = 2, .user = user_}

static const check_case losses[] = {
    PAIR("mse", mse, 3, 4, 0),
    PAIR("mse of numbers", mse, 1, 1, 0),
    PAIR("a large mse", mse, 64, 800, 1),
    PAIR("kl", kl, 3, 4, 0),
    PAIR("kl of one row", kl, 1, 5, 0),
    PAIR("a large kl", kl, 300, 100, 1),
    CLASSES("cross entropy", 4, 3, classes),
    CLASSES("cross entropy of one row", 1, 4, classes),
    CLASSES("cross entropy of one class", 3, 1, one_class),
};

Test(ops_rows, losses_agree_with_plain_loops_and_differences)
{
    check_table(losses, COUNT(losses));
}

/* ---- errors ---- */

Test(ops_rows, wrong_shapes_and_classes_are_named)
{
    sow_tape *t = NULL;
    const double x[24] = {0};
    const sow_index high[] = {0, 3}, low[] = {-1, 0};
    cr_assert_eq(sow_tape_create(&t, NULL, SOW_F64, NULL, NULL), SOW_OK);
#define M(rows, cols) sow_tape_constant(t, x, rows, cols)
    CHECK_STOPPED(t, sow_op_softmax(t, M(3, 0)), SOW_E_SHAPE, "softmax", "[3, 0]");
    CHECK_STOPPED(t, sow_op_layer_norm(t, M(3, 0), M(1, 0), M(1, 0), 1e-5), SOW_E_SHAPE, "layer_norm", "[3, 0]");
    CHECK_STOPPED(t, sow_op_layer_norm(t, M(2, 3), M(1, 4), M(1, 3), 1e-5), SOW_E_SHAPE, "gain", "[1, 4]");
    CHECK_STOPPED(t, sow_op_layer_norm(t, M(2, 3), M(1, 3), M(2, 3), 1e-5), SOW_E_SHAPE, "bias", "[2, 3]");
    CHECK_STOPPED(t, sow_op_mse(t, M(2, 3), M(1, 3)), SOW_E_SHAPE, "mse", "[1, 3]");
    CHECK_STOPPED(t, sow_op_kl(t, M(2, 3), M(3, 2)), SOW_E_SHAPE, "kl", "[3, 2]");
    CHECK_STOPPED(t, sow_op_kl(t, M(0, 3), M(0, 3)), SOW_E_SHAPE, "kl", "[0, 3]");
    CHECK_STOPPED(t, sow_op_cross_entropy(t, M(2, 3), high), SOW_E_ARG, "cross_entropy", "row 1", "class 3", "0 to 2");
    CHECK_STOPPED(t, sow_op_cross_entropy(t, M(2, 3), low), SOW_E_ARG, "class -1");
    CHECK_STOPPED(t, sow_op_cross_entropy(t, M(0, 3), high), SOW_E_SHAPE, "cross_entropy", "[0, 3]");
#undef M
    sow_tape_destroy(t);
}
