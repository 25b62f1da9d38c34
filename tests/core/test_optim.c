#include "core/memory.h"
#include "core/optim.h"
#include "core/threads.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const sow_param_spec spec[] = {{"first", 3, 5, 0.5, 0}, {"second", 1, 7, 0.5, 0}, {"third", 190, 211, 0.5, 0}};
enum { MATRICES = 3 };

static sow_params *made(sow_dtype dtype)
{
    sow_params *p = NULL;
    sow_error err = {0};
    cr_assert_eq(sow_params_create(&p, spec, MATRICES, dtype, 1, 0, &err), SOW_OK, "%s", err.message);
    return p;
}

static double get(sow_tensor x, sow_index i)
{
    return x.dtype == SOW_F32 ? (double)((const float *)x.data)[i] : ((const double *)x.data)[i];
}

static void set(sow_tensor x, sow_index i, double to)
{
    if (x.dtype == SOW_F32)
        ((float *)x.data)[i] = (float)to;
    else
        ((double *)x.data)[i] = to;
}

/* Gradients of every size from 1e-6 to about 1 and of both signs, some 0. */
static double gradient_at(int matrix, sow_index i, int step)
{
    const double x = sin((double)(i + 1) * 1.7 + matrix * 0.3 + step);
    return i % 11 == 3 ? 0 : x * pow(10, -(double)(i % 7));
}

static void set_gradients(sow_params *p, int step)
{
    for (int m = 0; m < MATRICES; m++) {
        const sow_tensor g = sow_params_grad(p, m);
        for (sow_index i = 0; i < g.rows * g.cols; i++) set(g, i, gradient_at(m, i, step));
    }
}

static double clamped(double g, double clamp)
{
    return clamp > 0 ? fmax(-clamp, fmin(clamp, g)) : g;
}

/* One number through `steps` steps of Adam as the paper writes it. */
static double naive_adam(double value, int matrix, sow_index i, int steps, const sow_adam_options *o, const double *scale)
{
    double m = 0, v = 0;
    for (int t = 1; t <= steps; t++) {
        const double g = clamped(scale[t - 1] * gradient_at(matrix, i, t), o->clamp);
        m = o->beta1 * m + (1 - o->beta1) * g;
        v = o->beta2 * v + (1 - o->beta2) * g * g;
        value -= o->rate * (m / (1 - pow(o->beta1, t))) / (sqrt(v / (1 - pow(o->beta2, t))) + o->eps);
    }
    return value;
}

static double norm_of_gradients(int step)
{
    double sum = 0;
    for (int m = 0; m < MATRICES; m++)
        for (sow_index i = 0; i < spec[m].rows * spec[m].cols; i++) sum += gradient_at(m, i, step) * gradient_at(m, i, step);
    return sqrt(sum);
}

enum { STEPS = 4 };

static void check_adam(sow_dtype dtype, sow_adam_options o, double tolerance)
{
    sow_params *p = made(dtype), *start = made(dtype);
    sow_error err = {0};
    double scale[STEPS];
    for (int t = 1; t <= STEPS; t++) {
        scale[t - 1] = o.norm > 0 ? fmin(1, o.norm / (norm_of_gradients(t) + 1e-6)) : 1;
        set_gradients(p, t);
        cr_assert_eq(sow_adam_step(p, &o, NULL, NULL, &err), SOW_OK, "%s", err.message);
        cr_assert_eq(sow_adam_steps(p), t);
    }
    for (int m = 0; m < MATRICES; m++)
        for (sow_index i = 0; i < spec[m].rows * spec[m].cols; i++) {
            const double expected = naive_adam(get(sow_params_value(start, m), i), m, i, STEPS, &o, scale), given = get(sow_params_value(p, m), i);
            cr_assert(fabs(given - expected) <= tolerance, "%s %lld: %.15g, not %.15g", spec[m].name, (long long)i, given, expected);
        }
    sow_params_destroy(p);
    sow_params_destroy(start);
}

Test(optim, adam_equals_the_paper)
{
    check_adam(SOW_F64, (sow_adam_options)SOW_ADAM_INIT, 1e-15);
    check_adam(SOW_F32, (sow_adam_options)SOW_ADAM_INIT, 2e-7);
}

Test(optim, adam_clamps_every_entry_of_the_gradient)
{
    check_adam(SOW_F64, (sow_adam_options){1e-2, 0.8, 0.99, 1e-8, 0.3, 0}, 1e-14);
    check_adam(SOW_F32, (sow_adam_options){1e-2, 0.8, 0.99, 1e-8, 0.3, 0}, 1e-6);
}

Test(optim, adam_scales_the_whole_gradient_down_to_a_norm)
{
    check_adam(SOW_F64, (sow_adam_options){1e-2, 0.8, 0.99, 1e-2, 0, 2.5}, 1e-14);
    check_adam(SOW_F64, (sow_adam_options){1e-2, 0.8, 0.99, 1e-2, 0, 1e6}, 1e-14);
    check_adam(SOW_F64, (sow_adam_options){1e-2, 0.8, 0.99, 1e-2, 0.01, 2.5}, 1e-14);
}

Test(optim, gradient_descent_goes_down_the_clamped_gradient)
{
    for (int kind = 0; kind < 2; kind++) {
        sow_params *p = made(kind ? SOW_F64 : SOW_F32), *start = made(kind ? SOW_F64 : SOW_F32);
        sow_error err = {0};
        set_gradients(p, 1);
        cr_assert_eq(sow_sgd_step(p, 0.1, 0.25, NULL, NULL, &err), SOW_OK, "%s", err.message);
        for (int m = 0; m < MATRICES; m++)
            for (sow_index i = 0; i < spec[m].rows * spec[m].cols; i++) {
                const double expected = get(sow_params_value(start, m), i) - 0.1 * clamped(gradient_at(m, i, 1), 0.25);
                cr_assert(fabs(get(sow_params_value(p, m), i) - expected) <= (kind ? 1e-16 : 6e-8));
            }
        sow_params_destroy(p);
        sow_params_destroy(start);
    }
}

Test(optim, a_step_has_the_same_bits_for_any_number_of_threads)
{
    for (int kind = 0; kind < 2; kind++) {
        const sow_adam_options o = {1e-3, 0.9, 0.999, 1e-8, 0.5, 1};
        sow_params *first = NULL;
        for (int n = 1; n <= 3; n++) {
            sow_params *p = made(kind ? SOW_F64 : SOW_F32);
            sow_threads *threads = NULL;
            sow_error err = {0};
            cr_assert_eq(sow_threads_create(&threads, n, &err), SOW_OK);
            for (int t = 1; t <= 2; t++) {
                set_gradients(p, t);
                cr_assert_eq(sow_adam_step(p, &o, NULL, threads, &err), SOW_OK, "%s", err.message);
            }
            sow_threads_destroy(threads);
            for (int m = 0; first && m < MATRICES; m++) {
                const sow_tensor a = sow_params_value(first, m), b = sow_params_value(p, m);
                cr_assert_eq(memcmp(a.data, b.data, (size_t)(a.rows * a.cols) * sow_dtype_size(a.dtype)), 0);
            }
            if (first)
                sow_params_destroy(p);
            else
                first = p;
        }
        sow_params_destroy(first);
    }
}

Test(optim, a_reset_starts_anew)
{
    sow_params *p = made(SOW_F64), *fresh = made(SOW_F64);
    sow_error err = {0};
    set_gradients(p, 1);
    cr_assert_eq(sow_adam_step(p, NULL, NULL, NULL, &err), SOW_OK);
    sow_adam_reset(p);
    cr_assert_eq(sow_adam_steps(p), 0);
    cr_assert_eq(sow_params_copy(p, fresh, &err), SOW_OK, "%s", err.message);
    set_gradients(p, 2);
    set_gradients(fresh, 2);
    cr_assert_eq(sow_adam_step(p, NULL, NULL, NULL, &err), SOW_OK);
    cr_assert_eq(sow_adam_step(fresh, NULL, NULL, NULL, &err), SOW_OK);
    for (int m = 0; m < MATRICES; m++)
        cr_assert_eq(memcmp(sow_params_value(p, m).data, sow_params_value(fresh, m).data, (size_t)(spec[m].rows * spec[m].cols) * sizeof(double)), 0);
    sow_params_destroy(p);
    sow_params_destroy(fresh);
}

/* In single precision a mean of 1e-30 decays below the smallest normal number in about 180 steps of 0.9. A value whose gradient stays 0 stops moving. */
Test(optim, a_number_whose_gradient_died_comes_to_rest)
{
    sow_params *p = made(SOW_F32);
    sow_error err = {0};
    const sow_adam_options o = {1e-3, 0.5, 0.5, 1e-8, 0, 0};
    const sow_tensor g = sow_params_grad(p, 0), value = sow_params_value(p, 0);
    set(g, 0, 1e-10);
    cr_assert_eq(sow_adam_step(p, &o, NULL, NULL, &err), SOW_OK);
    set(g, 0, 0);
    for (int t = 0; t < 200; t++) cr_assert_eq(sow_adam_step(p, &o, NULL, NULL, &err), SOW_OK);
    const double rest = get(value, 0);
    cr_assert(isfinite(rest));
    cr_assert_eq(sow_adam_step(p, &o, NULL, NULL, &err), SOW_OK);
    cr_assert(get(value, 0) == rest);
    sow_params_destroy(p);
}

Test(optim, finds_any_number_that_is_not_finite)
{
    static const double bad[] = {NAN, INFINITY, -INFINITY};
    for (int kind = 0; kind < 2; kind++) {
        sow_params *p = made(kind ? SOW_F64 : SOW_F32);
        set_gradients(p, 1);
        set(sow_params_value(p, 1), 0, kind ? DBL_MAX : (double)FLT_MAX);
        cr_assert_eq(sow_params_finite(p, 0, NULL, NULL), 1);
        cr_assert_eq(sow_params_finite(p, 1, NULL, NULL), 1);
        for (int b = 0; b < 3; b++)
            for (int m = 0; m < MATRICES; m++)
                for (sow_index i = 0; i < spec[m].rows * spec[m].cols; i += m == 2 ? 997 : 1) {
                    const double value = get(sow_params_value(p, m), i), gradient = get(sow_params_grad(p, m), i);
                    set(sow_params_value(p, m), i, bad[b]);
                    cr_assert_eq(sow_params_finite(p, 0, NULL, NULL), 0);
                    cr_assert_eq(sow_params_finite(p, 1, NULL, NULL), 1);
                    set(sow_params_value(p, m), i, value);
                    set(sow_params_grad(p, m), i, bad[b]);
                    cr_assert_eq(sow_params_finite(p, 1, NULL, NULL), 0);
                    set(sow_params_grad(p, m), i, gradient);
                }
        sow_params_destroy(p);
    }
}

Test(optim, a_gradient_without_a_finite_norm_is_refused_and_nothing_moves)
{
    sow_params *p = made(SOW_F64), *start = made(SOW_F64);
    sow_error err = {0};
    const sow_adam_options o = {1e-3, 0.9, 0.999, 1e-8, 0, 1};
    set_gradients(p, 1);
    set(sow_params_grad(p, 2), 5, NAN);
    cr_assert_eq(sow_adam_step(p, &o, NULL, NULL, &err), SOW_E_NONFINITE);
    cr_assert_eq(sow_adam_steps(p), 0);
    for (int m = 0; m < MATRICES; m++)
        cr_assert_eq(memcmp(sow_params_value(p, m).data, sow_params_value(start, m).data, (size_t)(spec[m].rows * spec[m].cols) * sizeof(double)), 0);
    sow_params_destroy(p);
    sow_params_destroy(start);
}

Test(optim, refuses_options_out_of_range)
{
    static const sow_adam_options wrong[] = {{0, 0.9, 0.999, 1e-8, 0, 0},     {-1, 0.9, 0.999, 1e-8, 0, 0},    {NAN, 0.9, 0.999, 1e-8, 0, 0},     {INFINITY, 0.9, 0.999, 1e-8, 0, 0}, {1e-3, 1, 0.999, 1e-8, 0, 0},
                                             {1e-3, -0.1, 0.999, 1e-8, 0, 0}, {1e-3, 0.9, 1, 1e-8, 0, 0},      {1e-3, 0.9, 0.999, 0, 0, 0},       {1e-3, 0.9, 0.999, 1e-8, -1, 0},    {1e-3, 0.9, 0.999, 1e-8, 0, -1},
                                             {1e-3, 0.9, NAN, 1e-8, 0, 0},    {1e-3, 0.9, 0.999, NAN, 0, 0}};
    sow_params *p = made(SOW_F32);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        sow_error err = {0};
        cr_assert_eq(sow_adam_step(p, &wrong[i], NULL, NULL, &err), SOW_E_ARG, "case %zu", i);
        cr_assert(strstr(err.message, "Adam"));
    }
    cr_assert_eq(sow_sgd_step(p, 0, 0, NULL, NULL, NULL), SOW_E_ARG);
    cr_assert_eq(sow_sgd_step(p, NAN, 0, NULL, NULL, NULL), SOW_E_ARG);
    cr_assert_eq(sow_sgd_step(p, 1, -1, NULL, NULL, NULL), SOW_E_ARG);
    cr_assert_eq(sow_adam_steps(p), 0);
    sow_params_destroy(p);
}

Test(optim, keeps_a_running_mean_of_weights)
{
    const sow_param_spec layers[] = {{"a", 70, 1000, 1, 0}, {"b", 1, 3, 0, 2}};
    for (int dtype = SOW_F32; dtype <= SOW_F64; dtype++) {
        sow_params *mean = NULL, *p = NULL, *other = NULL;
        sow_threads *threads = NULL;
        sow_error e = {0};
        cr_assert_eq(sow_params_create(&mean, layers, 2, (sow_dtype)dtype, 1, 0, &e), SOW_OK);
        cr_assert_eq(sow_params_create(&p, layers, 2, (sow_dtype)dtype, 2, 0, &e), SOW_OK);
        cr_assert_eq(sow_params_create(&other, layers, 1, (sow_dtype)dtype, 2, 0, &e), SOW_OK);
        cr_assert_eq(sow_threads_create(&threads, 3, &e), SOW_OK);
        const sow_tensor m = sow_params_value(mean, 0), v = sow_params_value(p, 0);
        const double before = dtype == SOW_F32 ? (double)((float *)m.data)[69999] : ((double *)m.data)[69999];
        const double value = dtype == SOW_F32 ? (double)((float *)v.data)[69999] : ((double *)v.data)[69999];
        cr_assert_eq(sow_params_average(mean, p, 0.25, threads, &e), SOW_OK);
        const double after = dtype == SOW_F32 ? (double)((float *)m.data)[69999] : ((double *)m.data)[69999];
        cr_expect(!(fabs(after - (0.75 * before + 0.25 * value)) > 1e-7), "%g, %g, %g", before, value, after);
        cr_expect_eq(sow_params_average(mean, other, 0.25, NULL, &e), SOW_E_SHAPE);
        cr_expect_eq(sow_params_average(mean, p, 1.5, NULL, &e), SOW_E_ARG);
        cr_expect_eq(sow_params_average(mean, p, NAN, NULL, &e), SOW_E_ARG);
        sow_params_destroy(mean);
        sow_params_destroy(p);
        sow_params_destroy(other);
        sow_threads_destroy(threads);
    }
}
