/* Products of the tape on every backend: matrices, dense layers, a matrix for each row; see tape_check.h. */
#include "tape_check.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* ---- matmul; kind: 1 = a transposed, 2 = b transposed ---- */

static sow_var build_matmul(sow_tape *t, const sow_var *x, const check_case *c)
{
    return sow_op_matmul(t, x[0], c->kind & 1, x[1], c->kind & 2);
}

static void naive_matmul(double *y, double *const *x, const check_case *c)
{
    const sow_index depth = c->kind & 1 ? c->in[0].rows : c->in[0].cols;
    for (sow_index i = 0; i < c->rows; i++)
        for (sow_index j = 0; j < c->cols; j++)
            for (sow_index k = 0; k < depth; k++) {
                const double a = c->kind & 1 ? x[0][k * c->in[0].cols + i] : x[0][i * c->in[0].cols + k];
                const double b = c->kind & 2 ? x[1][j * c->in[1].cols + k] : x[1][k * c->in[1].cols + j];
                y[i * c->cols + j] += a * b;
            }
}

#define MATMUL(name_, kind_, ar, ac, br, bc, m, n, big)                                                                                                                                    \
    {.name = name_, .build = build_matmul, .naive = naive_matmul, .n_in = 2, .in = {{ar, ac}, {br, bc}}, .rows = m, .cols = n, .kind = kind_, .large = big}

static const check_case matmuls[] = {
    MATMUL("matmul", 0, 2, 3, 3, 4, 2, 4, 0),
    MATMUL("matmul, first transposed", 1, 3, 2, 3, 4, 2, 4, 0),
    MATMUL("matmul, second transposed", 2, 2, 3, 4, 3, 2, 4, 0),
    MATMUL("matmul, both transposed", 3, 3, 2, 4, 3, 2, 4, 0),
    MATMUL("row by column", 0, 1, 5, 5, 1, 1, 1, 0),
    MATMUL("column by row", 0, 4, 1, 1, 3, 4, 3, 0),
    MATMUL("matmul over nothing", 0, 2, 0, 0, 3, 2, 3, 0),
    MATMUL("matmul of no rows", 0, 0, 3, 3, 2, 0, 2, 0),
    MATMUL("a large matmul", 0, 70, 150, 150, 301, 70, 301, 1),
    MATMUL("a large matmul, first transposed", 1, 33, 290, 33, 130, 290, 130, 1),
};

Test(ops_products, matmul_agrees_with_plain_loops_and_differences)
{
    check_table(matmuls, COUNT(matmuls));
}

static sow_var build_square_matmul(sow_tape *t, const sow_var *x, const check_case *c)
{
    (void)c;
    return sow_op_matmul(t, x[0], 0, x[0], 1);
}

static void naive_square_matmul(double *y, double *const *x, const check_case *c)
{
    for (sow_index i = 0; i < c->rows; i++)
        for (sow_index j = 0; j < c->cols; j++)
            for (sow_index k = 0; k < c->in[0].cols; k++) y[i * c->cols + j] += x[0][i * c->in[0].cols + k] * x[0][j * c->in[0].cols + k];
}

static const check_case grams[] = {
    {.name = "a matrix by itself", .build = build_square_matmul, .naive = naive_square_matmul, .n_in = 1, .in = {{3, 4}}, .rows = 3, .cols = 3},
};

Test(ops_products, a_matrix_times_itself_gets_both_gradients)
{
    check_table(grams, COUNT(grams));
}

/* ---- linear ---- */

static sow_var build_linear(sow_tape *t, const sow_var *x, const check_case *c)
{
    return sow_op_linear(t, x[0], x[1], c->n_in == 3 ? x[2] : SOW_NO_VAR, (sow_activation)c->kind);
}

static double activated(int act, double z)
{
    if (act == SOW_ACT_RELU) return z > 0 ? z : 0;
    if (act == SOW_ACT_LEAKY_RELU) return z > 0 ? z : 0.2 * z;
    if (act == SOW_ACT_LEAKY_RELU_10) return z > 0 ? z : 0.1 * z;
    return act == SOW_ACT_SIGMOID ? 1 / (1 + exp(-z)) : z;
}

static void naive_linear(double *y, double *const *x, const check_case *c)
{
    for (sow_index i = 0; i < c->rows; i++)
        for (sow_index j = 0; j < c->cols; j++) {
            double z = c->n_in == 3 ? x[2][j] : 0;
            for (sow_index k = 0; k < c->in[0].cols; k++) z += x[0][i * c->in[0].cols + k] * x[1][j * c->in[0].cols + k];
            y[i * c->cols + j] = activated(c->kind, z);
        }
}

#define LINEAR(name_, act, m, in_, out, n, big)                                                                                                                                            \
    {.name = name_, .build = build_linear, .naive = naive_linear, .n_in = n, .in = {{m, in_}, {out, in_}, {1, out}}, .rows = m, .cols = out, .kind = act, .large = big}

static const check_case linears[] = {
    LINEAR("linear", SOW_ACT_NONE, 3, 4, 2, 3, 0),
    LINEAR("linear without bias", SOW_ACT_NONE, 3, 4, 2, 2, 0),
    LINEAR("linear and relu", SOW_ACT_RELU, 3, 4, 5, 3, 0),
    LINEAR("linear and leaky relu", SOW_ACT_LEAKY_RELU, 3, 4, 5, 3, 0),
    LINEAR("linear and leaky relu without bias", SOW_ACT_LEAKY_RELU, 2, 3, 4, 2, 0),
    LINEAR("linear and leaky relu of slope .1", SOW_ACT_LEAKY_RELU_10, 3, 4, 5, 3, 0),
    LINEAR("linear and sigmoid", SOW_ACT_SIGMOID, 3, 2, 3, 3, 0),
    LINEAR("linear of one row", SOW_ACT_LEAKY_RELU, 1, 3, 4, 3, 0),
    LINEAR("linear of one column", SOW_ACT_SIGMOID, 4, 1, 1, 3, 0),
    LINEAR("linear of no rows", SOW_ACT_LEAKY_RELU, 0, 3, 2, 3, 0),
    LINEAR("a large layer", SOW_ACT_LEAKY_RELU, 65, 260, 310, 3, 1),
    LINEAR("a wide layer", SOW_ACT_SIGMOID, 20, 40, 1300, 3, 1),
};

Test(ops_products, linear_agrees_with_plain_loops_and_differences)
{
    check_table(linears, COUNT(linears));
}

/* ---- a matrix of its own for each row ---- */

static sow_var build_matvec(sow_tape *t, const sow_var *x, const check_case *c)
{
    return sow_op_matvec_each(t, x[0], x[1], c->cols);
}

static void naive_matvec(double *y, double *const *x, const check_case *c)
{
    const sow_index in = c->in[1].cols;
    for (sow_index b = 0; b < c->rows; b++)
        for (sow_index o = 0; o < c->cols; o++)
            for (sow_index i = 0; i < in; i++) y[b * c->cols + o] += x[0][(b * c->cols + o) * in + i] * x[1][b * in + i];
}

#define MATVEC(name_, b, in_, out, big)                                                                                                                                                    \
    {.name = name_, .build = build_matvec, .naive = naive_matvec, .n_in = 2, .in = {{b, (out) * (in_)}, {b, in_}}, .rows = b, .cols = out, .large = big}

static const check_case matvecs[] = {
    MATVEC("a matrix for each row", 3, 4, 2, 0), MATVEC("a matrix for one row", 1, 3, 4, 0),        MATVEC("a column for each row", 2, 1, 3, 0),
    MATVEC("a row for each row", 2, 5, 1, 0),    MATVEC("a large matrix for each row", 9, 70, 90, 1), MATVEC("a matrix for no row", 0, 2, 3, 0),
};

Test(ops_products, each_row_has_a_matrix_of_its_own)
{
    check_table(matvecs, COUNT(matvecs));
}

/* ---- errors ---- */

Test(ops_products, shapes_that_do_not_go_together_are_named)
{
    sow_tape *t = NULL;
    const float x[24] = {0};
    cr_assert_eq(sow_tape_create(&t, NULL, SOW_F32, NULL, NULL), SOW_OK);
#define M(rows, cols) sow_tape_constant(t, x, rows, cols)
    CHECK_STOPPED(t, sow_op_matmul(t, M(2, 3), 0, M(2, 4), 0), SOW_E_SHAPE, "matmul", "[2, 3]", "[2, 4]");
    CHECK_STOPPED(t, sow_op_matmul(t, M(2, 3), 1, M(3, 4), 0), SOW_E_SHAPE, "first transposed", "[3, 4]");
    CHECK_STOPPED(t, sow_op_matmul(t, M(2, 3), 0, M(3, 4), 1), SOW_E_SHAPE, "second transposed");
    CHECK_STOPPED(t, sow_op_linear(t, M(2, 3), M(4, 5), SOW_NO_VAR, SOW_ACT_NONE), SOW_E_SHAPE, "linear (x, weight)", "[2, 3]", "[4, 5]");
    CHECK_STOPPED(t, sow_op_linear(t, M(2, 3), M(4, 3), M(1, 3), SOW_ACT_NONE), SOW_E_SHAPE, "linear (weight, bias)", "[4, 3]", "[1, 3]");
    CHECK_STOPPED(t, sow_op_linear(t, M(2, 3), M(4, 3), M(4, 1), SOW_ACT_NONE), SOW_E_SHAPE, "linear (weight, bias)", "[4, 1]");
    CHECK_STOPPED(t, sow_op_matvec_each(t, M(2, 12), M(2, 3), 5), SOW_E_SHAPE, "matvec_each", "[2, 12]", "5 x 3");
    CHECK_STOPPED(t, sow_op_matvec_each(t, M(2, 12), M(3, 3), 4), SOW_E_SHAPE, "matvec_each", "3 rows");
    CHECK_STOPPED(t, sow_op_matvec_each(t, M(2, 12), M(2, 3), 0), SOW_E_SHAPE, "matvec_each");
#undef M
    sow_tape_destroy(t);
}
