/* Attention over programs on every backend; see tape_check.h. */
#include "tape_check.h"

#include "core/memory.h"

#include "../io/faults.h"

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* softmax(q k^T / sqrt(l)) v by its definition, beside the weights: row i of y is [out, alpha]. */
static void naive(double *y, double *const *x, const check_case *c)
{
    const sow_index m = c->in[0].rows, l = c->in[0].cols, g = c->in[1].rows, e = c->in[2].cols;
    const double *q = x[0], *k = c->kind ? x[0] : x[1], *v = c->kind ? x[0] : x[2];
    for (sow_index i = 0; i < m; i++) {
        double *out = y + i * (e + g), *alpha = out + e, sum = 0;
        for (sow_index j = 0; j < g; j++) {
            double dot = 0;
            for (sow_index d = 0; d < l; d++) dot += q[i * l + d] * k[j * l + d];
            alpha[j] = exp(dot / sqrt((double)l));
            sum += alpha[j];
        }
        for (sow_index j = 0; j < g; j++) alpha[j] /= sum;
        for (sow_index d = 0; d < e; d++) {
            out[d] = 0;
            for (sow_index j = 0; j < g; j++) out[d] += alpha[j] * v[j * e + d];
        }
    }
}

static sow_var both(sow_tape *t, const sow_var *x, const check_case *c)
{
    sow_var alpha;
    const sow_var out = c->kind ? sow_op_attend(t, x[0], x[0], x[0], &alpha) : sow_op_attend(t, x[0], x[1], x[2], &alpha);
    return sow_op_join_columns(t, out, alpha);
}

#define ATTEND(name_, m, g, l, e, big)                                                                                                                                                     \
    {.name = name_, .build = both, .naive = naive, .n_in = 3, .in = {{m, l}, {g, l}, {g, e}}, .rows = m, .cols = (e) + (g), .low = -2, .high = 2, .large = big}

static const check_case cases[] = {
    ATTEND("attention", 5, 4, 3, 6, 0),
    ATTEND("attention of one query", 1, 3, 2, 2, 0),
    ATTEND("attention to one program", 3, 1, 2, 4, 0),
    ATTEND("attention with one column", 3, 4, 1, 1, 0),
    ATTEND("attention without queries", 0, 4, 3, 2, 0),
    ATTEND("attention at MORPH's size", 64, 50, 100, 100, 1),
    {.name = "attention to itself", .build = both, .naive = naive, .n_in = 1, .in = {{5, 4}, {5, 4}, {5, 4}}, .rows = 5, .cols = 9, .kind = 1},
};

Test(op_attend, agrees_with_plain_loops_and_differences)
{
    check_table(cases, COUNT(cases));
}

/* What flows back through the output alone, and through the weights alone. */
static sow_var out_alone(sow_tape *t, const sow_var *x, const check_case *c)
{
    (void)c;
    return sow_op_attend(t, x[0], x[1], x[2], NULL);
}

static sow_var weights_alone(sow_tape *t, const sow_var *x, const check_case *c)
{
    (void)c;
    sow_var alpha;
    (void)sow_op_attend(t, x[0], x[1], x[2], &alpha);
    return alpha;
}

static void naive_part(double *y, double *const *x, const check_case *c)
{
    const sow_index e = c->in[2].cols, g = c->in[1].rows, first = c->number > 0 ? e : 0;
    double *whole = calloc((size_t)(c->rows * (e + g)), sizeof *whole);
    cr_assert(whole != NULL);
    naive(whole, x, c);
    for (sow_index i = 0; i < c->rows; i++)
        for (sow_index j = 0; j < c->cols; j++) y[i * c->cols + j] = whole[i * (e + g) + first + j];
    free(whole);
}

static const check_case parts[] = {
    {.name = "the output of attention", .build = out_alone, .naive = naive_part, .n_in = 3, .in = {{4, 3}, {5, 3}, {5, 2}}, .rows = 4, .cols = 2},
    {.name = "the weights of attention", .build = weights_alone, .naive = naive_part, .n_in = 3, .in = {{4, 3}, {5, 3}, {5, 2}}, .rows = 4, .cols = 5, .number = 1},
};

Test(op_attend, lets_gradients_through_its_output_alone_and_through_its_weights_alone)
{
    check_table(parts, COUNT(parts));
}

/* The slot takes what came to the output and what came to the weights in one call as well. */
Test(op_attend, goes_back_from_both_at_once_as_from_each_alone)
{
    enum { M = 3, G = 4, L = 2, E = 5 };
    double *x[6], d[3][M * L + G * L + G * E];
    static const sow_index size[6] = {M * L, G * L, G * E, M * E, M * G, M * G};
    for (uint32_t i = 0; i < 6; i++) x[i] = check_random(size[i], -1, 1, i);
#define MATRIX(p, m, n) ((sow_tensor){.data = (p), .rows = (m), .cols = (n), .dtype = SOW_F64})
    const sow_tensor q = MATRIX(x[0], M, L), k = MATRIX(x[1], G, L), v = MATRIX(x[2], G, E), out = MATRIX(x[3], M, E), alpha = MATRIX(x[4], M, G), extra = MATRIX(x[5], M, G), none = {0};
    for (size_t b = 0; b < COUNT(check_backends); b++) {
        const sow_backend *cpu = check_backends[b]();
        double score[M * G], dout[M * E];
        cr_assert_eq(cpu->attend(NULL, q, k, v, alpha, out, NULL), SOW_OK);
        for (int i = 0; i < M * E; i++) dout[i] = sin(i + 1.0);
        for (int pass = 0; pass < 3; pass++) {
            double *to = d[pass];
            memset(d[pass], 0, sizeof d[pass]);
            cr_assert_eq(cpu->attend_back(NULL, q, k, v, alpha, pass == 1 ? none : MATRIX(dout, M, E), pass == 0 ? none : extra, MATRIX(score, M, G), (sow_grad){MATRIX(to, M, L), 0},
                                          (sow_grad){MATRIX(to + M * L, G, L), 0}, (sow_grad){pass == 1 ? none : MATRIX(to + M * L + G * L, G, E), 0}, NULL),
                         SOW_OK);
        }
        for (int i = 0; i < M * L + G * L + G * E; i++) cr_assert(fabs(d[2][i] - d[0][i] - d[1][i]) <= 1e-14);
    }
#undef MATRIX
    for (int i = 0; i < 6; i++) free(x[i]);
}

Test(op_attend, survives_scores_whose_exponentials_would_overflow)
{
    const double q[2] = {1e4, -1e4}, k[4] = {1, 0, 0, 1}, v[2] = {3, 5};
    sow_tape *t = NULL;
    sow_error err = {0};
    cr_assert_eq(sow_tape_create(&t, NULL, SOW_F64, NULL, &err), SOW_OK);
    const sow_var out = sow_op_attend(t, sow_tape_constant(t, q, 1, 2), sow_tape_constant(t, k, 2, 2), sow_tape_constant(t, v, 2, 1), NULL);
    cr_assert(fabs(sow_tape_scalar(t, out) - 3) <= 1e-12);
    sow_tape_destroy(t);
}

Test(op_attend, refuses_shapes_that_do_not_go_together)
{
    static const double x[12] = {0};
    sow_tape *t = NULL;
    sow_var alpha = 7;
    cr_assert_eq(sow_tape_create(&t, NULL, SOW_F64, NULL, NULL), SOW_OK);
#define GIVEN(rows, cols) sow_tape_constant(t, x, rows, cols)
    CHECK_STOPPED(t, sow_op_attend(t, GIVEN(2, 4), GIVEN(3, 3), GIVEN(3, 1), &alpha), SOW_E_SHAPE, "attention", "[2, 4]", "[3, 3]", "[3, 1]");
    cr_assert_eq(alpha, SOW_NO_VAR);
    CHECK_STOPPED(t, sow_op_attend(t, GIVEN(2, 3), GIVEN(3, 3), GIVEN(2, 1), NULL), SOW_E_SHAPE, "attention");
    CHECK_STOPPED(t, sow_op_attend(t, GIVEN(2, 3), GIVEN(0, 3), GIVEN(0, 1), NULL), SOW_E_SHAPE, "attention");
    CHECK_STOPPED(t, sow_op_attend(t, SOW_NO_VAR, GIVEN(3, 3), GIVEN(3, 1), NULL), SOW_E_ARG, "not on the tape");
#undef GIVEN
    sow_tape_destroy(t);
}

static sow_status pass(sow_tape *t, sow_error *err)
{
    static const double q[6] = {1, 2, 3, 4, 5, 6}, k[9] = {0.1, 0.2, 0.3, 0.4}, v[3] = {1, -1, 2};
    sow_var alpha;
    const sow_var out = sow_op_attend(t, sow_tape_variable(t, q, 2, 3), sow_tape_variable(t, k, 3, 3), sow_tape_variable(t, v, 3, 1), &alpha);
    return sow_tape_backward(t, sow_op_add(t, sow_op_sum(t, out), sow_op_sum(t, sow_op_square(t, alpha))), err);
}

Test(op_attend, takes_no_memory_in_the_second_pass)
{
    sow_tape *t = NULL;
    sow_error err = {0};
    cr_assert_eq(sow_tape_create(&t, NULL, SOW_F64, NULL, &err), SOW_OK);
    for (int i = 0; i < 3; i++) {
        sow_tape_reset(t);
        sow_memory_fail_after(i ? 0 : -1);
        const sow_status st = pass(t, &err);
        sow_memory_fail_after(-1);
        cr_assert_eq(st, SOW_OK, "pass %d: %s", i, err.message);
    }
    sow_tape_destroy(t);
}

static sow_status whole_life(sow_error *err)
{
    sow_tape *t = NULL;
    sow_status st = sow_tape_create(&t, NULL, SOW_F64, NULL, err);
    if (st == SOW_OK) st = pass(t, err);
    sow_tape_destroy(t);
    return st;
}

Test(op_attend, survives_a_failure_of_any_allocation)
{
    every_allocation_may_fail(whole_life, 1);
}
