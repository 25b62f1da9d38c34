/* Element-wise operations and sums of the tape, on every backend; see tape_check.h. */
#include "tape_check.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* ---- f(x) ---- */

enum { SCALE, SHIFT, EXP, LOG, SQUARE, SQRT, RELU, LEAKY, SIGMOID, SAME, LEAKY_10 };

static sow_var build_map(sow_tape *t, const sow_var *x, const check_case *c)
{
    switch (c->kind) {
    case SCALE:
        return sow_op_scale(t, x[0], c->number);
    case SHIFT:
        return sow_op_shift(t, x[0], c->number);
    case EXP:
        return sow_op_exp(t, x[0]);
    case LOG:
        return sow_op_log(t, x[0]);
    case SQUARE:
        return sow_op_square(t, x[0]);
    case SQRT:
        return sow_op_sqrt(t, x[0]);
    case RELU:
        return sow_op_activate(t, x[0], SOW_ACT_RELU);
    case LEAKY:
        return sow_op_activate(t, x[0], SOW_ACT_LEAKY_RELU);
    case SIGMOID:
        return sow_op_activate(t, x[0], SOW_ACT_SIGMOID);
    case LEAKY_10:
        return sow_op_activate(t, x[0], SOW_ACT_LEAKY_RELU_10);
    default:
        return sow_op_activate(t, x[0], SOW_ACT_NONE);
    }
}

static double plain_map(int kind, double p, double x)
{
    const double of[] = {p * x, x + p, exp(x), log(fabs(x)), x * x, sqrt(fabs(x)), x > 0 ? x : 0, x > 0 ? x : 0.2 * x, 1 / (1 + exp(-x)), x, x > 0 ? x : 0.1 * x};
    return of[kind];
}

static void naive_map(double *y, double *const *x, const check_case *c)
{
    for (sow_index i = 0; i < c->rows * c->cols; i++) y[i] = plain_map(c->kind, c->number, x[0][i]);
}

#define MAP(name_, kind_, low_, high_, number_)                                                                                                                                            \
    {.name = name_, .build = build_map, .naive = naive_map, .n_in = 1, .in = {{3, 5}}, .rows = 3, .cols = 5, .low = low_, .high = high_, .kind = kind_, .number = number_}

static const check_case maps[] = {
    MAP("scale", SCALE, -1, 1, -1.75),
    MAP("shift", SHIFT, -1, 1, 0.625),
    MAP("exp", EXP, -2, 2, 0),
    MAP("log", LOG, 0.5, 3, 0),
    MAP("square", SQUARE, -2, 2, 0),
    MAP("square root", SQRT, 0.5, 3, 0),
    MAP("relu", RELU, -1, 1, 0),
    MAP("leaky relu", LEAKY, -1, 1, 0),
    MAP("leaky relu of slope .1", LEAKY_10, -1, 1, 0),
    MAP("sigmoid", SIGMOID, -3, 3, 0),
    MAP("no activation", SAME, -1, 1, 0),
    {.name = "scale of one number", .build = build_map, .naive = naive_map, .n_in = 1, .in = {{1, 1}}, .rows = 1, .cols = 1, .kind = SCALE, .number = 3},
    {.name = "sigmoid of many", .build = build_map, .naive = naive_map, .n_in = 1, .in = {{37, 1501}}, .rows = 37, .cols = 1501, .kind = SIGMOID, .large = 1},
    {.name = "leaky relu of nothing", .build = build_map, .naive = naive_map, .n_in = 1, .in = {{0, 4}}, .rows = 0, .cols = 4, .kind = LEAKY},
};

Test(ops_elementwise, maps_agree_with_plain_loops_and_differences)
{
    check_table(maps, COUNT(maps));
}

/* ---- f(a, b) with broadcasting ---- */

enum { ADD, SUB, MUL, DIV };

static sow_var build_zip(sow_tape *t, const sow_var *x, const check_case *c)
{
    sow_var (*const of[])(sow_tape *, sow_var, sow_var) = {sow_op_add, sow_op_sub, sow_op_mul, sow_op_div};
    return of[c->kind](t, x[0], x[1]);
}

static double plain_zip(int kind, double a, double b)
{
    const double of[] = {a + b, a - b, a * b, a / b};
    return of[kind];
}

static void naive_zip(double *y, double *const *x, const check_case *c)
{
    for (sow_index i = 0; i < c->rows; i++)
        for (sow_index j = 0; j < c->cols; j++) {
            const double a = x[0][(c->in[0].rows == 1 ? 0 : i) * c->in[0].cols + (c->in[0].cols == 1 ? 0 : j)];
            const double b = x[1][(c->in[1].rows == 1 ? 0 : i) * c->in[1].cols + (c->in[1].cols == 1 ? 0 : j)];
            y[i * c->cols + j] = plain_zip(c->kind, a, b);
        }
}

#define ZIP(name_, kind_, ar, ac, br, bc, m, n)                                                                                                                                            \
    {.name = name_, .build = build_zip, .naive = naive_zip, .n_in = 2, .in = {{ar, ac}, {br, bc}}, .rows = m, .cols = n, .low = 0.5, .high = 2, .kind = kind_}
#define EVERY_SHAPE(name_, kind_)                                                                                                                                                          \
    ZIP(name_ " of equal shapes", kind_, 3, 4, 3, 4, 3, 4), ZIP(name_ " of a matrix and a row", kind_, 3, 4, 1, 4, 3, 4), ZIP(name_ " of a matrix and a column", kind_, 3, 4, 3, 1, 3, 4), \
        ZIP(name_ " of a matrix and a number", kind_, 3, 4, 1, 1, 3, 4), ZIP(name_ " of a row and a matrix", kind_, 1, 4, 3, 4, 3, 4),                                                     \
        ZIP(name_ " of a column and a row", kind_, 3, 1, 1, 4, 3, 4), ZIP(name_ " of a number and a matrix", kind_, 1, 1, 3, 4, 3, 4), ZIP(name_ " of rows", kind_, 1, 4, 1, 4, 1, 4),      \
        ZIP(name_ " of columns", kind_, 3, 1, 3, 1, 3, 1), ZIP(name_ " of a column and a number", kind_, 3, 1, 1, 1, 3, 1), ZIP(name_ " of a row and a number", kind_, 1, 4, 1, 1, 1, 4),   \
        ZIP(name_ " of nothing and a row", kind_, 0, 4, 1, 4, 0, 4)

static const check_case zips[] = {
    EVERY_SHAPE("add", ADD), EVERY_SHAPE("sub", SUB), EVERY_SHAPE("mul", MUL), EVERY_SHAPE("div", DIV),
};

Test(ops_elementwise, two_values_go_together_by_broadcasting)
{
    check_table(zips, COUNT(zips));
}

#define LARGE(name_, kind_, ar, ac, br, bc)                                                                                                                                                \
    {.name = name_, .build = build_zip, .naive = naive_zip, .n_in = 2, .in = {{ar, ac}, {br, bc}}, .rows = 150, .cols = 700, .low = 0.5, .high = 2, .kind = kind_, .large = 1}

static const check_case large_zips[] = {
    LARGE("a large sum", ADD, 150, 700, 150, 700),
    LARGE("a large product by a row", MUL, 150, 700, 1, 700),
    LARGE("a large quotient by a column", DIV, 150, 700, 150, 1),
    LARGE("a large product by a number", MUL, 1, 1, 150, 700),
};

Test(ops_elementwise, tiles_do_not_show)
{
    check_table(large_zips, COUNT(large_zips));
}

static sow_var build_twice(sow_tape *t, const sow_var *x, const check_case *c)
{
    return sow_op_div(t, sow_op_mul(t, x[0], x[0]), sow_op_add(t, sow_op_square(t, x[0]), sow_op_scale(t, x[0], c->number)));
}

static void naive_twice(double *y, double *const *x, const check_case *c)
{
    for (sow_index i = 0; i < c->rows * c->cols; i++) y[i] = x[0][i] * x[0][i] / (x[0][i] * x[0][i] + c->number * x[0][i]);
}

static const check_case twice[] = {
    {.name = "one value used many times", .build = build_twice, .naive = naive_twice, .n_in = 1, .in = {{2, 5}}, .rows = 2, .cols = 5, .low = 0.5, .high = 2, .number = 0.5},
};

Test(ops_elementwise, a_value_used_many_times_gets_the_sum_of_its_gradients)
{
    check_table(twice, COUNT(twice));
}

/* ---- sums ---- */

enum { SUM, MEAN, SUM_ROWS, SUM_COLUMNS };

static sow_var build_sum(sow_tape *t, const sow_var *x, const check_case *c)
{
    sow_var (*const of[])(sow_tape *, sow_var) = {sow_op_sum, sow_op_mean, sow_op_sum_rows, sow_op_sum_columns};
    return of[c->kind](t, x[0]);
}

static void naive_sum(double *y, double *const *x, const check_case *c)
{
    for (sow_index i = 0; i < c->in[0].rows; i++)
        for (sow_index j = 0; j < c->in[0].cols; j++) {
            const double by = c->kind == MEAN ? 1 / (double)(c->in[0].rows * c->in[0].cols) : 1;
            y[c->kind == SUM_ROWS ? j : c->kind == SUM_COLUMNS ? i : 0] += by * x[0][i * c->in[0].cols + j];
        }
}

#define SUMS(name_, m, n, big)                                                                                                                                                             \
    {.name = "sum of " name_, .build = build_sum, .naive = naive_sum, .n_in = 1, .in = {{m, n}}, .rows = 1, .cols = 1, .kind = SUM, .large = big},                                          \
        {.name = "mean of " name_, .build = build_sum, .naive = naive_sum, .n_in = 1, .in = {{m, n}}, .rows = 1, .cols = 1, .kind = MEAN, .large = big},                                    \
        {.name = "sum down the rows of " name_, .build = build_sum, .naive = naive_sum, .n_in = 1, .in = {{m, n}}, .rows = 1, .cols = n, .kind = SUM_ROWS, .large = big},                   \
    {                                                                                                                                                                                      \
        .name = "sum along the columns of " name_, .build = build_sum, .naive = naive_sum, .n_in = 1, .in = {{m, n}}, .rows = m, .cols = 1, .kind = SUM_COLUMNS, .large = big              \
    }

static const check_case sums[] = {
    SUMS("a matrix", 4, 7, 0), SUMS("a row", 1, 11, 0), SUMS("a column", 9, 1, 0), SUMS("a number", 1, 1, 0), SUMS("a large matrix", 130, 1100, 1),
    {.name = "sum of nothing", .build = build_sum, .naive = naive_sum, .n_in = 1, .in = {{0, 3}}, .rows = 1, .cols = 1, .kind = SUM},
    {.name = "sum down the rows of nothing", .build = build_sum, .naive = naive_sum, .n_in = 1, .in = {{0, 3}}, .rows = 1, .cols = 3, .kind = SUM_ROWS},
};

Test(ops_elementwise, sums_agree_with_plain_loops_and_differences)
{
    check_table(sums, COUNT(sums));
}

/* ---- dropout ---- */

typedef struct {
    uint64_t seed;
    uint32_t stream, call;
} key;

static sow_var build_dropout(sow_tape *t, const sow_var *x, const check_case *c)
{
    const key *k = c->user;
    return sow_op_dropout(t, x[0], c->number, k->seed, k->stream, k->call);
}

/* Entry i: word i of the stream (seed, dropout, stream, call). */
static void naive_dropout(double *y, double *const *x, const check_case *c)
{
    const key *k = c->user;
    sow_rng rng = sow_rng_make(k->seed, SOW_RNG_DROPOUT, k->stream, k->call);
    for (sow_index i = 0; i < c->rows * c->cols; i++) y[i] = (double)sow_rng_u32(&rng) < c->number * 4294967296.0 ? 0 : x[0][i] / (1 - c->number);
}

static const key some = {5, 6, 7};
static const check_case dropouts[] = {
    {.name = "dropout", .build = build_dropout, .naive = naive_dropout, .n_in = 1, .in = {{5, 7}}, .rows = 5, .cols = 7, .number = 0.3, .user = &some},
    {.name = "dropout of nothing dropped", .build = build_dropout, .naive = naive_dropout, .n_in = 1, .in = {{2, 3}}, .rows = 2, .cols = 3, .number = 0, .user = &some},
    {.name = "dropout of many", .build = build_dropout, .naive = naive_dropout, .n_in = 1, .in = {{64, 999}}, .rows = 64, .cols = 999, .number = 0.1, .user = &some, .large = 1},
};

Test(ops_elementwise, dropout_is_a_function_of_its_key)
{
    check_table(dropouts, COUNT(dropouts));
}

static double kept_share(uint64_t seed, uint32_t stream, uint32_t call, float *first)
{
    sow_tape *t = NULL;
    float ones[4000];
    double sum = 0;
    for (int i = 0; i < 4000; i++) ones[i] = 1;
    cr_assert_eq(sow_tape_create(&t, NULL, SOW_F32, NULL, NULL), SOW_OK);
    const float *y = sow_tape_value(t, sow_op_dropout(t, sow_tape_constant(t, ones, 40, 100), 0.25, seed, stream, call)).data;
    for (int i = 0; i < 4000; i++) sum += y[i] > 0;
    memcpy(first, y, 64 * sizeof *y);
    sow_tape_destroy(t);
    return sum / 4000;
}

Test(ops_elementwise, dropout_keeps_its_share_and_differs_by_seed_stream_and_call)
{
    float a[64], b[64];
    const double share = kept_share(1, 2, 3, a);
    cr_assert(fabs(share - 0.75) < 0.03, "%g", share);
    kept_share(1, 2, 3, b);
    cr_assert(memcmp(a, b, sizeof a) == 0);
    kept_share(2, 2, 3, b);
    cr_assert(memcmp(a, b, sizeof a) != 0);
    kept_share(1, 3, 3, b);
    cr_assert(memcmp(a, b, sizeof a) != 0);
    kept_share(1, 2, 4, b);
    cr_assert(memcmp(a, b, sizeof a) != 0);
}

/* A network that runs away must be seen to. */
Test(ops_elementwise, what_is_not_a_number_stays_so)
{
    sow_tape *t = NULL;
    const double x[] = {NAN, 1, 2}, one[] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    cr_assert_eq(sow_tape_create(&t, NULL, SOW_F64, NULL, NULL), SOW_OK);
    const sow_var v = sow_tape_constant(t, x, 1, 3), ones = sow_tape_constant(t, one, 1, 3), weight = sow_tape_constant(t, one, 3, 3);
    for (int act = SOW_ACT_NONE; act <= SOW_ACT_LEAKY_RELU_10; act++) {
        cr_assert(isnan(((double *)sow_tape_value(t, sow_op_activate(t, v, (sow_activation)act)).data)[0]), "activation %d", act);
        cr_assert(isnan(((double *)sow_tape_value(t, sow_op_linear(t, v, weight, SOW_NO_VAR, (sow_activation)act)).data)[0]), "layer %d", act);
    }
    cr_assert(isnan(((double *)sow_tape_value(t, sow_op_softmax(t, v)).data)[1]));
    cr_assert(isnan(((double *)sow_tape_value(t, sow_op_layer_norm(t, v, ones, ones, 1e-5)).data)[1]));
    cr_assert(isnan(sow_tape_scalar(t, sow_op_sum(t, v))));
    cr_assert_eq(sow_tape_status(t, NULL), SOW_OK);
    sow_tape_destroy(t);
}

/* ---- errors ---- */

Test(ops_elementwise, shapes_that_do_not_go_together_are_named)
{
    sow_tape *t = NULL;
    const double x[12] = {0};
    cr_assert_eq(sow_tape_create(&t, NULL, SOW_F64, NULL, NULL), SOW_OK);
    sow_var (*const of[])(sow_tape *, sow_var, sow_var) = {sow_op_add, sow_op_sub, sow_op_mul, sow_op_div};
    static const char *const names[] = {"add", "sub", "mul", "div"};
    for (int i = 0; i < 4; i++)
        CHECK_STOPPED(t, of[i](t, sow_tape_constant(t, x, 3, 4), sow_tape_constant(t, x, 4, 3)), SOW_E_SHAPE, names[i], "[3, 4]", "[4, 3]");
    CHECK_STOPPED(t, sow_op_mul(t, sow_tape_constant(t, x, 2, 4), sow_tape_constant(t, x, 3, 4)), SOW_E_SHAPE, "mul", "[2, 4]", "[3, 4]");
    CHECK_STOPPED(t, sow_op_mean(t, sow_tape_constant(t, x, 0, 4)), SOW_E_SHAPE, "mean", "[0, 4]");
    CHECK_STOPPED(t, sow_op_dropout(t, sow_tape_constant(t, x, 3, 4), 1, 1, 1, 1), SOW_E_ARG, "dropout", "rate");
    CHECK_STOPPED(t, sow_op_dropout(t, sow_tape_constant(t, x, 3, 4), NAN, 1, 1, 1), SOW_E_ARG, "dropout");
    CHECK_STOPPED(t, sow_op_activate(t, sow_tape_constant(t, x, 3, 4), (sow_activation)9), SOW_E_ARG, "activation");
    CHECK_STOPPED(t, sow_op_add(t, sow_tape_constant(t, x, 3, 4), 77), SOW_E_ARG, "77");
    CHECK_STOPPED(t, sow_op_exp(t, SOW_NO_VAR), SOW_E_ARG, "-1");
    sow_tape_destroy(t);
}
