/* The tape itself: its life, memory, errors, parameters, and the ways back as a whole. The operations have suites of their own (test_ops_*.c). */
#include "core/backend/backend.h"
#include "core/memory.h"
#include "core/rng.h"
#include "core/tape.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- a network that uses most of what there is ---- */

enum { ROWS = 24, IN = 19, HIDDEN = 30, OUT = 7 };

typedef struct {
    sow_params *params;
    double *x;
    sow_index class_[ROWS], pick[ROWS];
} network;

static network make_network(sow_dtype dtype)
{
    static const sow_param_spec spec[] = {
        {"first.weight", HIDDEN, IN, 0.2, 0},  {"first.bias", 1, HIDDEN, 0.2, 0}, {"norm.gain", 1, HIDDEN, 0, 1},   {"norm.bias", 1, HIDDEN, 0, 0},
        {"second.weight", OUT, HIDDEN, 0.3, 0}, {"second.bias", 1, OUT, 0.3, 0},   {"not.reached", 3, 5, 0.1, 0},
    };
    network n = {0};
    sow_error err = {0};
    cr_assert_eq(sow_params_create(&n.params, spec, 7, dtype, 1, 1, &err), SOW_OK, "%s", err.message);
    n.x = calloc(ROWS * IN, sizeof *n.x);
    cr_assert(n.x != NULL);
    sow_rng rng = sow_rng_make(3, SOW_RNG_TEST, 0, 0);
    for (int i = 0; i < ROWS * IN; i++) {
        const double x = sow_rng_normal(&rng);
        if (dtype == SOW_F32)
            ((float *)(void *)n.x)[i] = (float)x;
        else
            n.x[i] = x;
    }
    for (int i = 0; i < ROWS; i++) {
        n.class_[i] = i % OUT;
        n.pick[i] = i * i % ROWS;
    }
    return n;
}

static void clear_network(network *n)
{
    sow_params_destroy(n->params);
    free(n->x);
}

/* Two losses of one network; the first two parameters are used twice. */
static void build(sow_tape *t, const network *n, sow_var *first, sow_var *second)
{
    sow_var p[7];
    for (int i = 0; i < 7; i++) p[i] = sow_tape_param(t, n->params, i);
    sow_var x = sow_tape_constant(t, n->x, ROWS, IN);
    sow_var h = sow_op_linear(t, x, p[0], p[1], SOW_ACT_LEAKY_RELU);
    sow_var again = sow_op_linear(t, sow_op_gather(t, x, n->pick, ROWS), p[0], p[1], SOW_ACT_SIGMOID);
    h = sow_op_layer_norm(t, sow_op_add(t, h, again), p[2], p[3], 1e-5);
    sow_var y = sow_op_linear(t, sow_op_dropout(t, h, 0.2, 1, 2, 3), p[4], p[5], SOW_ACT_NONE);
    *first = sow_op_cross_entropy(t, y, n->class_);
    *second = sow_op_mean(t, sow_op_square(t, sow_op_columns(t, y, 1, 3)));
}

static sow_status step(sow_tape *t, const network *n, sow_error *err)
{
    sow_var first, second;
    sow_tape_reset(t);
    build(t, n, &first, &second);
    return sow_tape_backward(t, sow_op_add(t, first, second), err);
}

static sow_tape *make_tape(sow_dtype dtype)
{
    sow_tape *t = NULL;
    sow_error err = {0};
    cr_assert_eq(sow_tape_create(&t, NULL, dtype, NULL, &err), SOW_OK, "%s", err.message);
    return t;
}

static double *all_gradients(const sow_params *p)
{
    double *g = calloc((size_t)sow_params_numbers(p), sizeof *g), *to = g;
    cr_assert(g != NULL);
    for (sow_index i = 0; i < sow_params_count(p); i++) {
        sow_tensor x = sow_params_grad(p, i);
        for (sow_index j = 0; j < x.rows * x.cols; j++) *to++ = x.dtype == SOW_F32 ? (double)((float *)x.data)[j] : ((double *)x.data)[j];
    }
    return g;
}

/* ---- memory ---- */

Test(tape, takes_no_memory_from_the_second_step_on)
{
    network n = make_network(SOW_F32);
    sow_tape *t = make_tape(SOW_F32);
    sow_error err = {0};
    cr_assert_eq(step(t, &n, &err), SOW_OK, "%s", err.message);
    cr_assert_eq(step(t, &n, &err), SOW_OK, "%s", err.message);
    const size_t bytes = sow_tape_bytes(t);
    sow_memory_fail_after(0);
    for (int i = 0; i < 5; i++) cr_assert_eq(step(t, &n, &err), SOW_OK, "step %d takes memory: %s", i, err.message);
    char *unspent = sow_calloc(1, 1); /* the failure is still to come: no allocation was tried */
    cr_assert(unspent == NULL);
    cr_assert_eq(sow_tape_bytes(t), bytes);
    sow_tape_destroy(t);
    clear_network(&n);
}

/* Big enough for many blocks on the first pass. */
static sow_var large_pass(sow_tape *t, const float *x, sow_index rows)
{
    sow_var v = sow_tape_constant(t, x, rows, 1000);
    for (int i = 0; i < 30; i++) v = sow_op_scale(t, v, 0.5);
    return sow_op_sum(t, v);
}

Test(tape, lays_its_memory_together_on_a_reset_and_stays_bounded)
{
    float *x = calloc(500 * 1000, sizeof *x);
    sow_tape *t = make_tape(SOW_F32);
    const size_t need = 30 * sizeof(float) * 500 * 1000;
    cr_assert_neq(large_pass(t, x, 500), SOW_NO_VAR);
    cr_assert(sow_tape_bytes(t) >= need && sow_tape_bytes(t) < 3 * need, "%zu for %zu", sow_tape_bytes(t), need);
    const size_t bytes = sow_tape_bytes(t);
    sow_tape_reset(t);
    sow_memory_fail_after(0);
    for (int i = 0; i < 4; i++) {
        cr_assert_neq(large_pass(t, x, 500 - 100 * i), SOW_NO_VAR);
        sow_tape_reset(t);
    }
    /* one value of most of it: there is one block */
    cr_assert_neq(sow_op_matmul(t, sow_tape_constant(t, x, 14000, 1), 0, sow_tape_constant(t, x, 1, 1000), 0), SOW_NO_VAR);
    cr_assert(sow_calloc(1, 1) == NULL);
    cr_assert_eq(sow_tape_bytes(t), bytes);
    sow_tape_destroy(t);
    free(x);
}

/* Its highest use is in the middle: the scratch of the layer's way back. */
static void scratch_pass(sow_tape *t, const float *x)
{
    const float one = 1;
    sow_var v = sow_op_mul(t, sow_tape_variable(t, &one, 1, 1), sow_tape_constant(t, x, 700, 700));
    sow_var y = sow_op_linear(t, v, sow_tape_constant(t, x, 700, 700), SOW_NO_VAR, SOW_ACT_LEAKY_RELU);
    cr_assert_eq(sow_tape_backward(t, sow_op_sum(t, y), NULL), SOW_OK);
}

Test(tape, counts_the_scratch_of_kernels)
{
    float *x = calloc(700 * 700, sizeof *x);
    sow_tape *t = make_tape(SOW_F32);
    scratch_pass(t, x);
    sow_tape_reset(t);
    sow_memory_fail_after(0);
    scratch_pass(t, x);
    sow_tape_reset(t);
    scratch_pass(t, x);
    cr_assert(sow_calloc(1, 1) == NULL);
    sow_tape_destroy(t);
    free(x);
}

Test(tape, goes_on_with_pieces_where_there_is_no_memory_to_lay_together)
{
    float *x = calloc(500 * 1000, sizeof *x);
    sow_tape *t = make_tape(SOW_F32);
    cr_assert_neq(large_pass(t, x, 500), SOW_NO_VAR);
    sow_memory_fail_after(0);
    sow_tape_reset(t);
    cr_assert_neq(large_pass(t, x, 500), SOW_NO_VAR);
    cr_assert_eq(sow_tape_status(t, NULL), SOW_OK);
    sow_tape_reset(t);
    cr_assert_neq(large_pass(t, x, 500), SOW_NO_VAR);
    sow_tape_destroy(t);
    free(x);
}

Test(tape, survives_a_failure_at_every_allocation_of_a_first_step)
{
    network n = make_network(SOW_F64);
    int failures = 0;
    for (int at = 0; at < 1000; at++) {
        sow_tape *t = NULL;
        sow_error err = {0};
        sow_var grads[2], first, second;
        sow_memory_fail_after(at);
        sow_status st = sow_tape_create(&t, NULL, SOW_F64, NULL, &err);
        if (st == SOW_OK) st = step(t, &n, &err);
        if (st == SOW_OK) {
            const sow_var wrt[] = {sow_tape_param(t, n.params, 0), sow_tape_param(t, n.params, 4)};
            build(t, &n, &first, &second);
            st = sow_tape_gradient(t, grads, first, wrt, 2, &err);
        }
        sow_memory_fail_after(-1);
        sow_tape_destroy(t);
        if (st == SOW_OK) break;
        cr_assert_eq(st, SOW_E_NOMEM, "allocation %d: %s", at, err.message);
        cr_assert(strstr(err.message, "out of memory") != NULL, "%s", err.message);
        failures++;
    }
    cr_assert(failures >= 5 && failures < 1000, "%d", failures);
    clear_network(&n);
}

Test(tape, can_be_used_again_after_running_out_of_memory)
{
    network n = make_network(SOW_F64);
    sow_tape *t = make_tape(SOW_F64);
    sow_error err = {0};
    sow_memory_fail_after(1);
    cr_assert_eq(step(t, &n, &err), SOW_E_NOMEM);
    sow_memory_fail_after(-1);
    cr_assert_eq(step(t, &n, &err), SOW_OK, "%s", err.message);
    sow_tape_destroy(t);
    clear_network(&n);
}

Test(tape, refuses_a_matrix_that_no_memory_holds)
{
    sow_tape *t = make_tape(SOW_F64);
    const double x = 1;
    sow_error err = {0};
    sow_var row = sow_tape_constant(t, &x, 1, 1), v = sow_op_gather(t, row, NULL, 0);
    cr_assert_neq(v, SOW_NO_VAR);
    cr_assert_eq(sow_tape_floats(t, (const float[]){0}, (sow_index)1 << 40, (sow_index)1 << 40), SOW_NO_VAR);
    cr_assert_eq(sow_tape_status(t, &err), SOW_E_NOMEM);
    sow_tape_destroy(t);
}

/* ---- what goes in and out ---- */

Test(tape, widens_floats_and_reads_numbers_in_either_precision)
{
    const float x[] = {0.1f, -2};
    for (int single = 0; single < 2; single++) {
        sow_tape *t = make_tape(single ? SOW_F32 : SOW_F64);
        cr_assert_eq(sow_tape_dtype(t), single ? SOW_F32 : SOW_F64);
        sow_var v = sow_tape_floats(t, x, 1, 2);
        cr_assert_eq(sow_tape_scalar(t, sow_op_columns(t, v, 0, 1)), (double)0.1f);
        cr_assert_eq(sow_tape_scalar(t, sow_tape_number(t, 1.5)), 1.5);
        cr_assert(isnan(sow_tape_scalar(t, v)));
        cr_assert(isnan(sow_tape_scalar(t, SOW_NO_VAR)));
        cr_assert(sow_tape_value(t, SOW_NO_VAR).data == NULL);
        cr_assert(sow_tape_value(t, 1000).data == NULL);
        sow_tape_destroy(t);
    }
}

Test(tape, keeps_a_variable_apart_from_the_memory_it_came_from)
{
    sow_tape *t = make_tape(SOW_F64);
    double x[] = {1, 2};
    sow_var v = sow_tape_variable(t, x, 1, 2);
    x[0] = 9;
    cr_assert_eq(((double *)sow_tape_value(t, v).data)[0], 1);
    sow_tape_destroy(t);
}

Test(tape, refuses_what_it_cannot_take)
{
    sow_tape *t = make_tape(SOW_F64);
    network single = make_network(SOW_F32), good = make_network(SOW_F64);
    sow_error err = {0};
    cr_assert_eq(sow_tape_param(t, single.params, 0), SOW_NO_VAR);
    cr_assert_eq(sow_tape_status(t, &err), SOW_E_ARG);
    cr_assert(strstr(err.message, "first.weight") != NULL, "%s", err.message);
    sow_tape_reset(t);
    cr_assert_eq(sow_tape_param(t, good.params, 7), SOW_NO_VAR);
    cr_assert_eq(sow_tape_status(t, &err), SOW_E_ARG);
    sow_tape_reset(t);
    cr_assert_eq(sow_tape_param(t, good.params, -1), SOW_NO_VAR);
    sow_tape_reset(t);
    cr_assert_eq(sow_tape_constant(t, NULL, 2, 2), SOW_NO_VAR);
    cr_assert_eq(sow_tape_status(t, &err), SOW_E_ARG);
    sow_tape_reset(t);
    cr_assert_eq(sow_tape_constant(t, good.x, -1, 2), SOW_NO_VAR);
    cr_assert_eq(sow_tape_status(t, &err), SOW_E_SHAPE);
    sow_tape_reset(t);
    cr_assert_eq(sow_tape_variable(t, good.x, 2, -1), SOW_NO_VAR);
    cr_assert_eq(sow_tape_status(t, &err), SOW_E_SHAPE);
    sow_tape_reset(t);
    cr_assert_eq(sow_tape_variable(t, NULL, 2, 2), SOW_NO_VAR);
    cr_assert_eq(sow_tape_status(t, &err), SOW_E_ARG);
    sow_tape_reset(t);
    cr_assert_eq(sow_tape_floats(t, NULL, 2, 2), SOW_NO_VAR);
    cr_assert_eq(sow_tape_status(t, &err), SOW_E_ARG);
    cr_assert(strstr(err.message, "floats") != NULL, "%s", err.message);
    sow_tape *bad = t;
    cr_assert_eq(sow_tape_create(&bad, NULL, (sow_dtype)7, NULL, &err), SOW_E_ARG);
    cr_assert(bad == NULL);
    sow_tape_destroy(t);
    sow_tape_destroy(NULL);
    clear_network(&single);
    clear_network(&good);
}

/* ---- errors stick ---- */

Test(tape, stops_at_the_first_error_and_says_it_until_the_reset)
{
    network n = make_network(SOW_F64);
    sow_tape *t = make_tape(SOW_F64);
    sow_error err = {0};
    sow_var x = sow_tape_constant(t, n.x, ROWS, IN), loss = sow_op_mean(t, x), out;
    cr_assert_eq(sow_op_matmul(t, x, 0, x, 0), SOW_NO_VAR);
    cr_assert_eq(sow_op_gather(t, x, NULL, -3), SOW_NO_VAR);
    cr_assert_eq(sow_op_mean(t, x), SOW_NO_VAR);
    cr_assert_eq(sow_tape_param(t, n.params, 0), SOW_NO_VAR);
    cr_assert_eq(sow_tape_status(t, &err), SOW_E_SHAPE);
    cr_assert(strstr(err.message, "matmul: [24, 19] and [24, 19]") != NULL, "%s", err.message);
    err = (sow_error){0};
    cr_assert_eq(sow_tape_backward(t, loss, &err), SOW_E_SHAPE);
    cr_assert(strstr(err.message, "matmul") != NULL);
    cr_assert_eq(sow_tape_gradient(t, &out, loss, &x, 1, &err), SOW_E_SHAPE);
    cr_assert_eq(out, SOW_NO_VAR);
    cr_assert_eq(sow_tape_status(t, NULL), SOW_E_SHAPE);
    sow_tape_reset(t);
    cr_assert_eq(step(t, &n, &err), SOW_OK);
    sow_tape_destroy(t);
    clear_network(&n);
}

Test(tape, goes_back_from_one_finite_number_only)
{
    sow_tape *t = make_tape(SOW_F64);
    const double x[] = {0, 1};
    sow_error err = {0};
    cr_assert_eq(sow_tape_backward(t, sow_tape_constant(t, x, 1, 2), &err), SOW_E_SHAPE);
    cr_assert(strstr(err.message, "[1, 2]") != NULL, "%s", err.message);
    sow_tape_reset(t);
    cr_assert_eq(sow_tape_backward(t, sow_op_log(t, sow_tape_constant(t, x, 1, 1)), &err), SOW_E_NONFINITE);
    cr_assert(strstr(err.message, "-inf") != NULL, "%s", err.message);
    sow_tape_reset(t);
    sow_var nan = sow_op_div(t, sow_tape_variable(t, x, 1, 1), sow_tape_number(t, 0)), out;
    cr_assert_eq(sow_tape_gradient(t, &out, nan, &nan, 1, &err), SOW_E_NONFINITE);
    sow_tape_reset(t);
    cr_assert_eq(sow_tape_backward(t, 5, &err), SOW_E_ARG);
    sow_tape_destroy(t);
}

static sow_status kernel_fails(sow_threads *threads, sow_map f, double p, sow_tensor x, sow_tensor y, sow_error *err)
{
    (void)threads, (void)f, (void)p, (void)x, (void)y;
    return sow_error_set(err, SOW_E_UNSUPPORTED, __FILE__, __LINE__, "the device has gone");
}

Test(tape, reports_a_kernel_that_fails_and_one_that_a_backend_lacks)
{
    sow_backend odd = *sow_backend_cpu();
    sow_tape *t = NULL;
    sow_error err = {0};
    const double x = 2;
    odd.name = "odd";
    odd.map = kernel_fails;
    odd.softmax = NULL;
    cr_assert_eq(sow_tape_create(&t, &odd, SOW_F64, NULL, NULL), SOW_OK);
    cr_assert_eq(sow_op_exp(t, sow_tape_constant(t, &x, 1, 1)), SOW_NO_VAR);
    cr_assert_eq(sow_tape_status(t, &err), SOW_E_UNSUPPORTED);
    cr_assert(strstr(err.message, "gone") != NULL, "%s", err.message);
    sow_tape_reset(t);
    cr_assert_eq(sow_op_softmax(t, sow_tape_constant(t, &x, 1, 1)), SOW_NO_VAR);
    cr_assert_eq(sow_tape_status(t, &err), SOW_E_UNSUPPORTED);
    cr_assert(strstr(err.message, "'odd'") && strstr(err.message, "softmax"), "%s", err.message);
    sow_tape_reset(t);
    network n = make_network(SOW_F64);
    odd.place = SOW_DEVICE;
    cr_assert_eq(sow_tape_param(t, n.params, 0), SOW_NO_VAR);
    cr_assert_eq(sow_tape_status(t, &err), SOW_E_UNSUPPORTED);
    cr_assert(strstr(err.message, "first.weight") != NULL, "%s", err.message);
    clear_network(&n);
    sow_tape_destroy(t);
}

/* ---- gradients of parameters ---- */

Test(tape, leaves_gradients_in_the_parameters_and_zeros_where_the_loss_does_not_reach)
{
    network n = make_network(SOW_F64);
    sow_tape *t = make_tape(SOW_F64);
    sow_error err = {0};
    double *old = sow_params_grad(n.params, 6).data;
    for (int i = 0; i < 15; i++) old[i] = 5;
    cr_assert_eq(step(t, &n, &err), SOW_OK, "%s", err.message);
    for (int i = 0; i < 15; i++) cr_assert_eq(old[i], 0);
    for (int i = 0; i < 6; i++) {
        const double *g = sow_params_grad(n.params, i).data;
        double most = 0;
        for (int j = 0; j < sow_params_grad(n.params, i).cols; j++) most = fmax(most, fabs(g[j]));
        cr_assert(most > 1e-6, "parameter %d", i);
    }
    sow_tape_destroy(t);
    clear_network(&n);
}

Test(tape, gives_parameters_the_gradient_that_differences_show)
{
    network n = make_network(SOW_F64);
    sow_tape *t = make_tape(SOW_F64);
    sow_error err = {0};
    cr_assert_eq(step(t, &n, &err), SOW_OK, "%s", err.message);
    for (int i = 0; i < 6; i++) {
        double *p = sow_params_value(n.params, i).data, *g = sow_params_grad(n.params, i).data, side[2];
        const sow_index at = i * 7 % (sow_params_value(n.params, i).rows * sow_params_value(n.params, i).cols);
        const double value = p[at], got = g[at];
        for (int s = 0; s < 2; s++) {
            sow_var first, second;
            p[at] = value + (s ? 1e-5 : -1e-5);
            sow_tape_reset(t);
            build(t, &n, &first, &second);
            side[s] = sow_tape_scalar(t, sow_op_add(t, first, second));
        }
        p[at] = value;
        cr_assert(fabs((side[1] - side[0]) / 2e-5 - got) < 1e-8, "parameter %d: %g", i, got);
    }
    sow_tape_destroy(t);
    clear_network(&n);
}

Test(tape, gives_one_value_to_a_parameter_that_is_asked_for_twice)
{
    network n = make_network(SOW_F64);
    sow_tape *t = make_tape(SOW_F64);
    cr_assert_eq(sow_tape_param(t, n.params, 2), sow_tape_param(t, n.params, 2));
    cr_assert_neq(sow_tape_param(t, n.params, 2), sow_tape_param(t, n.params, 3));
    sow_tape_destroy(t);
    clear_network(&n);
}

Test(tape, takes_two_losses_back_one_after_the_other)
{
    network n = make_network(SOW_F64);
    sow_tape *t = make_tape(SOW_F64);
    sow_error err = {0};
    sow_var first, second;
    cr_assert_eq(step(t, &n, &err), SOW_OK);
    double *both = all_gradients(n.params);
    sow_tape_reset(t);
    build(t, &n, &first, &second);
    cr_assert_eq(sow_tape_backward(t, first, &err), SOW_OK);
    double *one = all_gradients(n.params);
    cr_assert_eq(sow_tape_backward(t, second, &err), SOW_OK);
    double *other = all_gradients(n.params);
    cr_assert_eq(sow_tape_backward(t, first, &err), SOW_OK);
    double *again = all_gradients(n.params), apart = 0;
    for (sow_index i = 0; i < sow_params_numbers(n.params); i++) {
        cr_assert(fabs(one[i] + other[i] - both[i]) < 1e-14);
        cr_assert_eq(one[i], again[i]);
        apart = fmax(apart, fabs(one[i] - other[i]));
    }
    cr_assert(apart > 1e-3);
    free(both);
    free(one);
    free(other);
    free(again);
    sow_tape_destroy(t);
    clear_network(&n);
}

Test(tape, answers_gradients_of_values_on_the_way)
{
    sow_tape *t = make_tape(SOW_F64);
    const double x = 3;
    sow_var v = sow_tape_variable(t, &x, 1, 1), other = sow_tape_variable(t, &x, 1, 1), c = sow_tape_constant(t, &x, 1, 1), square = sow_op_square(t, v);
    sow_var loss = sow_op_mul(t, square, c);
    cr_assert(sow_tape_grad_of(t, v).data == NULL);
    cr_assert_eq(sow_tape_backward(t, loss, NULL), SOW_OK);
    cr_assert_eq(*(double *)sow_tape_grad_of(t, v).data, 18);
    cr_assert_eq(*(double *)sow_tape_grad_of(t, square).data, 3);
    cr_assert(sow_tape_grad_of(t, other).data == NULL);
    cr_assert(sow_tape_grad_of(t, c).data == NULL);
    cr_assert(sow_tape_grad_of(t, SOW_NO_VAR).data == NULL);
    sow_tape_destroy(t);
}

/* ---- gradients as values ---- */

Test(tape, gives_the_gradient_of_a_gradient)
{
    sow_tape *t = make_tape(SOW_F64);
    const double x = 1.25;
    sow_var v = sow_tape_variable(t, &x, 1, 1), d = sow_op_exp(t, sow_op_square(t, v));
    const double value = exp(x * x), expected[] = {2 * x * value, (2 + 4 * x * x) * value, (12 * x + 8 * x * x * x) * value};
    for (int i = 0; i < 3; i++) { /* three times over */
        cr_assert_eq(sow_tape_gradient(t, &d, d, &v, 1, NULL), SOW_OK);
        cr_assert(fabs(sow_tape_scalar(t, d) - expected[i]) < 1e-12 * fabs(expected[i]), "derivative %d", i + 1);
    }
    sow_tape_destroy(t);
}

Test(tape, gives_zeros_where_the_loss_does_not_reach)
{
    sow_tape *t = make_tape(SOW_F64);
    const double x[] = {1, 2, 3, 4, 5, 6};
    sow_var a = sow_tape_variable(t, x, 2, 3), b = sow_tape_variable(t, x, 3, 2), loss = sow_op_sum(t, sow_op_square(t, a)), later = sow_op_exp(t, a), out[3];
    cr_assert_eq(sow_tape_gradient(t, out, loss, (const sow_var[]){b, a, later}, 3, NULL), SOW_OK);
    sow_tensor zero = sow_tape_value(t, out[0]);
    cr_assert(zero.rows == 3 && zero.cols == 2);
    for (int i = 0; i < 6; i++) {
        cr_assert_eq(((double *)zero.data)[i], 0);
        cr_assert_eq(((double *)sow_tape_value(t, out[1]).data)[i], 2 * x[i]);
        cr_assert_eq(((double *)sow_tape_value(t, out[2]).data)[i], 0);
    }
    cr_assert_eq(sow_tape_gradient(t, out, loss, NULL, 0, NULL), SOW_OK);
    sow_tape_destroy(t);
}

/* theta' = theta - rate dL/dtheta, then the gradient of L(theta') by theta: what meta-learning asks for. Against differences through a whole inner step. */
static double after_inner_step(sow_tape *t, const double *theta, const double *x, double *gradient)
{
    sow_var out;
    sow_tape_reset(t);
    sow_var w = sow_tape_variable(t, theta, 2, 3), in = sow_tape_constant(t, x, 4, 3);
    sow_var inner = sow_op_mean(t, sow_op_square(t, sow_op_linear(t, in, w, SOW_NO_VAR, SOW_ACT_SIGMOID)));
    cr_assert_eq(sow_tape_gradient(t, &out, inner, &w, 1, NULL), SOW_OK);
    sow_var moved = sow_op_sub(t, w, sow_op_scale(t, out, 0.7));
    sow_var outer = sow_op_mean(t, sow_op_exp(t, sow_op_linear(t, in, moved, SOW_NO_VAR, SOW_ACT_NONE)));
    if (gradient) {
        cr_assert_eq(sow_tape_backward(t, outer, NULL), SOW_OK);
        memcpy(gradient, sow_tape_grad_of(t, w).data, 6 * sizeof *gradient);
    }
    return sow_tape_scalar(t, outer);
}

Test(tape, differentiates_through_a_step_of_learning)
{
    sow_tape *t = make_tape(SOW_F64);
    double theta[] = {0.1, -0.4, 0.8, 0.3, 0.9, -0.7}, x[12], g[6];
    for (int i = 0; i < 12; i++) x[i] = sin(i + 1.0);
    after_inner_step(t, theta, x, g);
    for (int i = 0; i < 6; i++) {
        const double at = theta[i];
        theta[i] = at + 1e-5;
        const double high = after_inner_step(t, theta, x, NULL);
        theta[i] = at - 1e-5;
        const double low = after_inner_step(t, theta, x, NULL);
        theta[i] = at;
        cr_assert(fabs((high - low) / 2e-5 - g[i]) < 1e-9, "%d: %g", i, g[i]);
    }
    sow_tape_destroy(t);
}

Test(tape, gives_a_parameter_the_same_gradient_as_a_value_and_in_place)
{
    network n = make_network(SOW_F64);
    sow_tape *t = make_tape(SOW_F64);
    sow_error err = {0};
    sow_var first, second, wrt[7], out[7];
    build(t, &n, &first, &second);
    for (int i = 0; i < 7; i++) wrt[i] = sow_tape_param(t, n.params, i);
    sow_var loss = sow_op_add(t, first, second);
    cr_assert_eq(sow_tape_gradient(t, out, loss, wrt, 7, &err), SOW_OK, "%s", err.message);
    cr_assert_eq(sow_tape_backward(t, loss, &err), SOW_OK, "%s", err.message);
    for (int i = 0; i < 7; i++) {
        sow_tensor g = sow_params_grad(n.params, i), v = sow_tape_value(t, out[i]);
        cr_assert(g.rows == v.rows && g.cols == v.cols);
        for (sow_index j = 0; j < g.rows * g.cols; j++) cr_assert(fabs(((double *)g.data)[j] - ((double *)v.data)[j]) < 1e-13);
    }
    sow_tape_destroy(t);
    clear_network(&n);
}

/* ---- sameness ---- */

Test(tape, gives_the_same_bits_for_any_number_of_threads)
{
    for (int single = 0; single < 2; single++) {
        network n = make_network(single ? SOW_F32 : SOW_F64);
        double *alone = NULL;
        for (int k = 1; k <= 3; k++) {
            sow_threads *threads = NULL;
            sow_tape *t = NULL;
            cr_assert_eq(sow_threads_create(&threads, k, NULL), SOW_OK);
            cr_assert_eq(sow_tape_create(&t, NULL, single ? SOW_F32 : SOW_F64, threads, NULL), SOW_OK);
            cr_assert_eq(step(t, &n, NULL), SOW_OK);
            double *g = all_gradients(n.params);
            if (alone) cr_assert(memcmp(alone, g, (size_t)sow_params_numbers(n.params) * sizeof *g) == 0);
            if (alone)
                free(g);
            else
                alone = g;
            sow_tape_destroy(t);
            sow_threads_destroy(threads);
        }
        free(alone);
        clear_network(&n);
    }
}
