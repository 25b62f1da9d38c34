/* The conformance suite of the tape's operations: each row of a table is checked on every backend.
 *
 * A row says how to build a value y from inputs and, in plain loops, what y should be. Checked are: y against the plain loops; the gradients of L = sum(y (R + y / 2)) by the fused way back against the
 * differentiable one, and both against central differences, entry by entry and along a unit direction; the gradient of V . dL/dx (a Hessian-vector product) the same way; single against double precision; and
 * that 1, 2 and 3 threads give the same bits. */
#ifndef SOWER_TESTS_CORE_TAPE_CHECK_H
#define SOWER_TESTS_CORE_TAPE_CHECK_H

#include "core/backend/backend.h"
#include "core/rng.h"
#include "core/tape.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHECK_INPUTS = 3 };

/* Today's backends; another is one more row. */
static const sow_backend *(*const check_backends[])(void) = {sow_backend_cpu};

typedef struct check_case check_case;
struct check_case {
    const char *name;
    sow_var (*build)(sow_tape *t, const sow_var *x, const check_case *c);
    void (*naive)(double *y, double *const *x, const check_case *c);
    int n_in;
    struct {
        sow_index rows, cols;
    } in[CHECK_INPUTS];
    sow_index rows, cols; /* of y */
    double low, high;     /* inputs are uniform between (0, 0: -1 to 1) */
    const void *user;
    int kind;             /* for the row's own use */
    double number;
    int large;            /* entry by entry differences would take too long */
};

/* ---- data ---- */

static inline sow_index check_size(const check_case *c, int i)
{
    return c->in[i].rows * c->in[i].cols;
}

static inline double *check_random(sow_index n, double low, double high, uint32_t item)
{
    sow_rng rng = sow_rng_make(17, SOW_RNG_TEST, 4, item);
    double *x = calloc((size_t)n + 1, sizeof *x);
    cr_assert(x != NULL);
    for (sow_index i = 0; i < n; i++) x[i] = low + (high - low) * sow_rng_uniform(&rng);
    return x;
}

/* Numbers in the tape's dtype. */
static inline void *check_as(sow_dtype dtype, const double *x, sow_index n)
{
    void *to = calloc((size_t)n + 1, sow_dtype_size(dtype));
    cr_assert(to != NULL);
    for (sow_index i = 0; i < n; i++)
        if (dtype == SOW_F32)
            ((float *)to)[i] = (float)x[i];
        else
            ((double *)to)[i] = x[i];
    return to;
}

static inline double *check_doubles(const sow_backend *b, sow_tensor x)
{
    sow_index n = x.rows * x.cols;
    double *to = calloc((size_t)n + 1, sizeof *to);
    void *raw = calloc((size_t)n + 1, sizeof *to);
    cr_assert(to && raw);
    if (n > 0) cr_assert_eq(b->download(raw, x.data, (size_t)n * sow_dtype_size(x.dtype), NULL), SOW_OK);
    for (sow_index i = 0; i < n; i++) to[i] = x.dtype == SOW_F32 ? (double)((float *)raw)[i] : ((double *)raw)[i];
    free(raw);
    return to;
}

/* ---- one evaluation ---- */

typedef struct {
    double *value, *fused[CHECK_INPUTS], *again[CHECK_INPUTS];             /* y, dL/dx both ways */
    double *second_fused[CHECK_INPUTS], *second_again[CHECK_INPUTS];       /* gradient of V . dL/dx both ways */
    double loss, along; /* L, V . dL/dx */
} check_result;

static inline void check_result_clear(check_result *r)
{
    free(r->value);
    for (int i = 0; i < CHECK_INPUTS; i++) {
        free(r->fused[i]);
        free(r->again[i]);
        free(r->second_fused[i]);
        free(r->second_again[i]);
    }
    *r = (check_result){0};
}

static inline double *check_grad(const sow_tape *t, const sow_backend *b, sow_var v)
{
    sow_tensor g = sow_tape_grad_of(t, v), x = sow_tape_value(t, v);
    return g.data ? check_doubles(b, g) : calloc((size_t)(x.rows * x.cols) + 1, sizeof(double));
}

/* With `second` also the gradient of V . dL/dx. */
static inline check_result check_run(const check_case *c, const sow_backend *b, sow_dtype dtype, sow_threads *threads, double *const *x, int second)
{
    check_result r = {0};
    sow_tape *t = NULL;
    sow_error err = {0};
    void *raw[CHECK_INPUTS + 1] = {0};
    sow_var in[CHECK_INPUTS] = {SOW_NO_VAR, SOW_NO_VAR, SOW_NO_VAR}, g[CHECK_INPUTS], again[CHECK_INPUTS];
    cr_assert_eq(sow_tape_create(&t, b, dtype, threads, &err), SOW_OK, "%s", err.message);
    for (int i = 0; i < c->n_in; i++) {
        raw[i] = check_as(dtype, x[i], check_size(c, i));
        in[i] = sow_tape_variable(t, raw[i], c->in[i].rows, c->in[i].cols);
    }
    sow_var y = c->build(t, in, c);
    cr_assert_eq(sow_tape_status(t, &err), SOW_OK, "%s: %s", c->name, err.message);
    sow_tensor value = sow_tape_value(t, y);
    cr_assert(value.rows == c->rows && value.cols == c->cols, "%s gives [%lld, %lld]", c->name, (long long)value.rows, (long long)value.cols);
    r.value = check_doubles(b, value);
    double *weights = check_random(c->rows * c->cols, -1, 1, 900);
    raw[CHECK_INPUTS] = check_as(SOW_F32, weights, c->rows * c->cols);
    sow_var weight = sow_tape_floats(t, raw[CHECK_INPUTS], c->rows, c->cols);
    sow_var loss = sow_op_sum(t, sow_op_mul(t, y, sow_op_add(t, weight, sow_op_scale(t, y, 0.5))));
    r.loss = sow_tape_scalar(t, loss);
    cr_assert_eq(sow_tape_backward(t, loss, &err), SOW_OK, "%s: %s", c->name, err.message);
    for (int i = 0; i < c->n_in; i++) r.fused[i] = check_grad(t, b, in[i]);
    cr_assert_eq(sow_tape_gradient(t, g, loss, in, c->n_in, &err), SOW_OK, "%s: %s", c->name, err.message);
    sow_var along = SOW_NO_VAR;
    for (int i = 0; i < c->n_in; i++) {
        r.again[i] = check_doubles(b, sow_tape_value(t, g[i]));
        double *v = check_random(check_size(c, i), -1, 1, 910 + (uint32_t)i);
        void *raw_v = check_as(SOW_F32, v, check_size(c, i));
        sow_var part = sow_op_sum(t, sow_op_mul(t, g[i], sow_tape_floats(t, raw_v, c->in[i].rows, c->in[i].cols)));
        along = along == SOW_NO_VAR ? part : sow_op_add(t, along, part);
        free(v);
        free(raw_v);
    }
    r.along = sow_tape_scalar(t, along);
    if (!second) goto done;
    cr_assert_eq(sow_tape_backward(t, along, &err), SOW_OK, "%s: %s", c->name, err.message);
    for (int i = 0; i < c->n_in; i++) r.second_fused[i] = check_grad(t, b, in[i]);
    cr_assert_eq(sow_tape_gradient(t, again, along, in, c->n_in, &err), SOW_OK, "%s: %s", c->name, err.message);
    for (int i = 0; i < c->n_in; i++) r.second_again[i] = check_doubles(b, sow_tape_value(t, again[i]));
done:
    free(weights);
    for (int i = 0; i < CHECK_INPUTS + 1; i++) free(raw[i]);
    sow_tape_destroy(t);
    return r;
}

/* ---- comparing ---- */

static inline double check_scale(const double *a, sow_index n)
{
    double most = 1;
    for (sow_index i = 0; i < n; i++) most = fmax(most, fabs(a[i]));
    return most;
}

static inline void check_near(const check_case *c, const char *what, const double *a, const double *b, sow_index n, double tolerance)
{
    const double scale = check_scale(b, n);
    for (sow_index i = 0; i < n; i++)
        if (!(fabs(a[i] - b[i]) <= tolerance * scale)) cr_assert_fail("%s: %s, entry %lld: %.12g, expected %.12g", c->name, what, (long long)i, a[i], b[i]);
}

static inline void check_one_difference(const check_case *c, const char *what, double got, double low, double high, double step, double scale)
{
    const double expected = (high - low) / (2 * step);
    if (!(fabs(got - expected) <= 2e-7 * scale)) cr_assert_fail("%s: %s: %.12g, by differences %.12g", c->name, what, got, expected);
}

/* L and V . dL/dx at x + step d, against the gradients. */
static inline void check_differences(const check_case *c, const sow_backend *b, double *const *x, const check_result *r, int input, const double *direction)
{
    const double step = 1e-5;
    const sow_index n = check_size(c, input);
    double first = 0, second = 0, scale = 1;
    check_result side[2];
    for (int s = 0; s < 2; s++) {
        for (sow_index j = 0; j < n; j++) x[input][j] += (s ? 2 : -1) * step * direction[j];
        side[s] = check_run(c, b, SOW_F64, NULL, x, 0);
    }
    for (sow_index j = 0; j < n; j++) {
        x[input][j] -= step * direction[j];
        first += r->fused[input][j] * direction[j];
        second += r->second_fused[input][j] * direction[j];
    }
    scale = fmax(fmax(1, check_scale(r->fused[input], n)), fmax(check_scale(r->second_fused[input], n), fabs(r->loss) + fabs(r->along)));
    check_one_difference(c, "gradient", first, side[0].loss, side[1].loss, step, scale);
    check_one_difference(c, "gradient of a gradient", second, side[0].along, side[1].along, step, scale);
    check_result_clear(&side[0]);
    check_result_clear(&side[1]);
}

static inline void check_all_differences(const check_case *c, const sow_backend *b, double *const *x, const check_result *r)
{
    for (int i = 0; i < c->n_in; i++) {
        const sow_index n = check_size(c, i);
        double *direction = check_random(n, -1, 1, 920 + (uint32_t)i), norm = 0;
        for (sow_index j = 0; j < n; j++) norm += direction[j] * direction[j];
        for (sow_index j = 0; j < n; j++) direction[j] /= sqrt(norm);
        if (n > 0) check_differences(c, b, x, r, i, direction);
        for (sow_index e = 0; e < n && !c->large; e++) {
            memset(direction, 0, (size_t)n * sizeof *direction);
            direction[e] = 1;
            check_differences(c, b, x, r, i, direction);
        }
        free(direction);
    }
}

static inline void check_same_bits(const check_case *c, const char *what, const double *a, const double *b, sow_index n)
{
    cr_assert(memcmp(a, b, (size_t)n * sizeof *a) == 0, "%s: %s differs between numbers of threads", c->name, what);
}

static inline void check_threads(const check_case *c, const sow_backend *b, sow_dtype dtype, double *const *x, const check_result *alone)
{
    for (int n = 1; n <= 3; n++) {
        sow_threads *threads = NULL;
        cr_assert_eq(sow_threads_create(&threads, n, NULL), SOW_OK);
        check_result r = check_run(c, b, dtype, threads, x, 1);
        check_same_bits(c, "the value", r.value, alone->value, c->rows * c->cols);
        for (int i = 0; i < c->n_in; i++) {
            check_same_bits(c, "a gradient", r.fused[i], alone->fused[i], check_size(c, i));
            check_same_bits(c, "a gradient as a value", r.again[i], alone->again[i], check_size(c, i));
            check_same_bits(c, "a gradient of a gradient", r.second_fused[i], alone->second_fused[i], check_size(c, i));
        }
        check_result_clear(&r);
        sow_threads_destroy(threads);
    }
}

static inline void check_row(const check_case *c, const sow_backend *b)
{
    double *x[CHECK_INPUTS] = {0};
    const int open = c->low == 0 && c->high == 0;
    for (int i = 0; i < c->n_in; i++) {
        x[i] = check_random(check_size(c, i), open ? -1 : c->low, open ? 1 : c->high, 100 + (uint32_t)i);
        for (sow_index j = 0; j < check_size(c, i); j++) x[i][j] = (double)(float)x[i][j]; /* single precision starts from the same numbers */
    }
    double *expected = calloc((size_t)(c->rows * c->cols) + 1, sizeof *expected);
    c->naive(expected, x, c);
    check_result r = check_run(c, b, SOW_F64, NULL, x, 1), single = check_run(c, b, SOW_F32, NULL, x, 1);
    check_near(c, "value", r.value, expected, c->rows * c->cols, 1e-13);
    check_near(c, "value in single precision", single.value, expected, c->rows * c->cols, 4e-6);
    for (int i = 0; i < c->n_in; i++) {
        check_near(c, "gradient as a value", r.again[i], r.fused[i], check_size(c, i), 1e-12);
        check_near(c, "gradient of a gradient as a value", r.second_again[i], r.second_fused[i], check_size(c, i), 1e-11);
        check_near(c, "gradient in single precision", single.fused[i], r.fused[i], check_size(c, i), 3e-5);
    }
    check_threads(c, b, SOW_F64, x, &r);
    check_threads(c, b, SOW_F32, x, &single);
    check_all_differences(c, b, x, &r); /* last: it moves x */
    check_result_clear(&r);
    check_result_clear(&single);
    free(expected);
    for (int i = 0; i < CHECK_INPUTS; i++) free(x[i]);
}

static inline void check_table(const check_case *table, size_t n)
{
    for (size_t b = 0; b < sizeof check_backends / sizeof *check_backends; b++)
        for (size_t i = 0; i < n; i++) check_row(&table[i], check_backends[b]());
}

/* ---- errors ---- */

/* The tape has stopped with `status`, its message names each of `words` (up to a NULL), and what follows does nothing. */
static inline void check_stopped(sow_tape *t, sow_var v, sow_status status, const char *const *words)
{
    sow_error err = {0};
    cr_assert_eq(v, SOW_NO_VAR);
    cr_assert_eq(sow_tape_status(t, &err), status, "%s", err.message);
    for (; *words; words++) cr_assert(strstr(err.message, *words) != NULL, "'%s' is not in: %s", *words, err.message);
    cr_assert_eq(sow_tape_number(t, 1), SOW_NO_VAR);
    sow_tape_reset(t);
    cr_assert_neq(sow_tape_number(t, 1), SOW_NO_VAR);
    sow_tape_reset(t);
}
#define CHECK_STOPPED(t, v, status, ...) check_stopped((t), (v), (status), (const char *const[]){__VA_ARGS__, NULL})

#endif
