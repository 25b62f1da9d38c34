/* Checks of a fused operation: `loss` of some variables is built on a tape in double; its fused way back, its way back made of operations, and the latter's own way back are held
 * against differences. */
#ifndef SOWER_TESTS_CORE_FUSED_CHECK_H
#define SOWER_TESTS_CORE_FUSED_CHECK_H

#include "core/tape.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { FUSED_MOST = 3 };

typedef struct {
    sow_index n;                                    /* variables */
    sow_index rows[FUSED_MOST], cols[FUSED_MOST];
    double *at[FUSED_MOST];
    sow_var (*loss)(sow_tape *t, const sow_var *in); /* [1, 1] */
} fused_case;

/* Numbers of a fixed pattern without structure, about standard normal. */
static inline double fused_number(uint32_t stream, sow_index i)
{
    const double angle = sin((double)(i + 1) * 12.9898 + (double)stream * 78.233) * 43758.5453, u = angle - floor(angle);
    const double other = sin((double)(i + 1) * 39.3468 + (double)stream * 11.135) * 24634.6345, v = other - floor(other);
    return sqrt(-2 * log(u + 1e-12)) * cos(6.283185307179586 * v);
}

static inline double *fused_numbers(uint32_t stream, sow_index n)
{
    double *x = malloc((size_t)n * sizeof *x);
    cr_assert(x);
    for (sow_index i = 0; i < n; i++) x[i] = fused_number(stream, i);
    return x;
}

static inline sow_var fused_build(sow_tape *t, const fused_case *c, sow_var *in)
{
    for (sow_index i = 0; i < c->n; i++) in[i] = sow_tape_variable(t, c->at[i], c->rows[i], c->cols[i]);
    return c->loss(t, in);
}

static inline double fused_value(sow_tape *t, const fused_case *c)
{
    sow_var in[FUSED_MOST];
    sow_tape_reset(t);
    return sow_tape_scalar(t, fused_build(t, c, in));
}

/* sum over variables of weight . gradient, by the fused way back. */
static inline double fused_slope(sow_tape *t, const fused_case *c, double *const *weight)
{
    sow_var in[FUSED_MOST];
    sow_error err = {0};
    double sum = 0;
    sow_tape_reset(t);
    const sow_var loss = fused_build(t, c, in);
    cr_assert_eq(sow_tape_backward(t, loss, &err), SOW_OK, "%s", err.message);
    for (sow_index i = 0; i < c->n; i++) {
        const double *g = sow_tape_grad_of(t, in[i]).data;
        for (sow_index j = 0; g && j < c->rows[i] * c->cols[i]; j++) sum += weight[i][j] * g[j];
    }
    return sum;
}

static inline void fused_near(double a, double b, double tolerance, const char *what, sow_index i, sow_index j)
{
    cr_assert(fabs(a - b) <= tolerance * fmax(1, fabs(b)), "%s of variable %lld at %lld: %.15g, not %.15g", what, (long long)i, (long long)j, a, b);
}

static inline void fused_check_first(sow_tape *t, const fused_case *c)
{
    sow_var in[FUSED_MOST], composed[FUSED_MOST];
    sow_error err = {0};
    double *fused[FUSED_MOST] = {0};
    sow_tape_reset(t);
    const sow_var loss = fused_build(t, c, in);
    cr_assert_eq(sow_tape_backward(t, loss, &err), SOW_OK, "%s", err.message);
    for (sow_index i = 0; i < c->n; i++) {
        const size_t bytes = (size_t)(c->rows[i] * c->cols[i]) * sizeof(double);
        fused[i] = malloc(bytes);
        cr_assert(fused[i] && sow_tape_grad_of(t, in[i]).data);
        memcpy(fused[i], sow_tape_grad_of(t, in[i]).data, bytes);
    }
    cr_assert_eq(sow_tape_gradient(t, composed, loss, in, c->n, &err), SOW_OK, "%s", err.message);
    for (sow_index i = 0; i < c->n; i++)
        for (sow_index j = 0; j < c->rows[i] * c->cols[i]; j++)
            fused_near(((const double *)sow_tape_value(t, composed[i]).data)[j], fused[i][j], 1e-12, "composed gradient", i, j);
    for (sow_index i = 0; i < c->n; i++)
        for (sow_index j = 0; j < c->rows[i] * c->cols[i]; j++) {
            const double here = c->at[i][j], h = 1e-5;
            c->at[i][j] = here + h;
            const double above = fused_value(t, c);
            c->at[i][j] = here - h;
            const double below = fused_value(t, c);
            c->at[i][j] = here;
            fused_near(fused[i][j], (above - below) / (2 * h), 2e-8, "gradient", i, j);
        }
    for (sow_index i = 0; i < c->n; i++) free(fused[i]);
}

/* Gradient of weight . gradient against differences of it. */
static inline void fused_check_second(sow_tape *t, const fused_case *c)
{
    sow_var in[FUSED_MOST], g[FUSED_MOST], sum = SOW_NO_VAR;
    sow_error err = {0};
    double *weight[FUSED_MOST] = {0}, *second[FUSED_MOST] = {0};
    for (sow_index i = 0; i < c->n; i++) weight[i] = fused_numbers(100 + (uint32_t)i, c->rows[i] * c->cols[i]);
    sow_tape_reset(t);
    const sow_var loss = fused_build(t, c, in);
    cr_assert_eq(sow_tape_gradient(t, g, loss, in, c->n, &err), SOW_OK, "%s", err.message);
    for (sow_index i = 0; i < c->n; i++) {
        const sow_var part = sow_op_sum(t, sow_op_mul(t, g[i], sow_tape_constant(t, weight[i], c->rows[i], c->cols[i])));
        sum = i ? sow_op_add(t, sum, part) : part;
    }
    cr_assert_eq(sow_tape_backward(t, sum, &err), SOW_OK, "%s", err.message);
    for (sow_index i = 0; i < c->n; i++) {
        const size_t bytes = (size_t)(c->rows[i] * c->cols[i]) * sizeof(double);
        second[i] = malloc(bytes);
        cr_assert(second[i] && sow_tape_grad_of(t, in[i]).data);
        memcpy(second[i], sow_tape_grad_of(t, in[i]).data, bytes);
    }
    for (sow_index i = 0; i < c->n; i++)
        for (sow_index j = 0; j < c->rows[i] * c->cols[i]; j++) {
            const double here = c->at[i][j], h = 1e-5;
            c->at[i][j] = here + h;
            const double above = fused_slope(t, c, weight);
            c->at[i][j] = here - h;
            const double below = fused_slope(t, c, weight);
            c->at[i][j] = here;
            fused_near(second[i][j], (above - below) / (2 * h), 1e-7, "gradient of the gradient", i, j);
        }
    for (sow_index i = 0; i < c->n; i++) {
        free(weight[i]);
        free(second[i]);
    }
}

static inline void fused_check(const fused_case *c)
{
    sow_tape *t = NULL;
    sow_error err = {0};
    cr_assert_eq(sow_tape_create(&t, NULL, SOW_F64, NULL, &err), SOW_OK, "%s", err.message);
    fused_check_first(t, c);
    fused_check_second(t, c);
    sow_tape_destroy(t);
}

#endif
