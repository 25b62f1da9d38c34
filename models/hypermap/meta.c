/* HyperMap's learning: descents, and the gradient through them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/memory.h"
#include "core/optim.h"
#include "models/hypermap/hypermap.h"

/* ---- one step ---- */

static sow_index steps_of(const sow_hypermap_descent *d)
{
    return d->n_batches * d->steps;
}

/* The loss of step s at p, on a tape just reset. */
static sow_var step_loss(sow_tape *t, sow_params *p, const sow_hypermap_sizes *sizes, const sow_hypermap_descent *d, sow_index s)
{
    sow_hypermap_values v;
    sow_tape_reset(t);
    sow_hypermap_forward(&v, t, p, sizes, &d->batch[s / d->steps], d->dropout ? &d->dropout[s] : NULL);
    return v.loss;
}

static sow_status not_finite(const sow_hypermap_descent *d, sow_index s, sow_error *err)
{
    return SOW_ERROR(err, SOW_E_NONFINITE, "hypermap: step %lld of %lld of the inner loop is not finite at a rate of %g", (long long)s + 1, (long long)steps_of(d), d->rate);
}

/* p moves by one step. */
static sow_status step(double *loss, sow_params *p, sow_tape *t, const sow_hypermap_sizes *sizes, const sow_hypermap_descent *d, sow_index s, sow_threads *threads, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_var at = step_loss(t, p, sizes, d, s);
    SOW_TRY(sow_tape_status(t, err));
    *loss = sow_tape_scalar(t, at);
    if (!isfinite(*loss)) return not_finite(d, s, err);
    SOW_TRY(sow_tape_backward(t, at, err));
    if (!sow_params_finite(p, 1, NULL, threads)) return not_finite(d, s, err);
    SOW_TRY(sow_sgd_step(p, d->rate, 0, NULL, threads, err));
done:
    return st;
}

sow_status sow_hypermap_descend(sow_params *p, sow_tape *t, const sow_hypermap_sizes *sizes, const sow_hypermap_descent *d, double *losses, sow_error *err)
{
    sow_status st = SOW_OK;
    for (sow_index s = 0; s < steps_of(d); s++) {
        double loss = 0;
        SOW_TRY(step(&loss, p, t, sizes, d, s, NULL, err));
        if (losses) losses[s] = loss;
    }
done:
    return st;
}

/* ---- the gradient through a descent ---- */

struct sow_hypermap_meta {
    sow_hypermap_sizes sizes;
    sow_threads *threads;
    sow_tape *tape;
    sow_index most_steps;
    sow_params *now;
    sow_params **trail; /* [most_steps] the weights before each step: their values, and nothing else of them; NULL until an exact gradient needs them */
    double told;        /* when progress was, in seconds */
    sow_params *lambda; /* its values: the query's gradient, on its way back */
};

void sow_hypermap_meta_destroy(sow_hypermap_meta *m)
{
    if (!m) return;
    for (sow_index s = 0; m->trail && s < m->most_steps; s++) sow_params_destroy(m->trail[s]);
    free(m->trail);
    sow_params_destroy(m->now);
    sow_params_destroy(m->lambda);
    sow_tape_destroy(m->tape);
    free(m);
}

sow_status sow_hypermap_meta_create(sow_hypermap_meta **out, const sow_hypermap_sizes *sizes, sow_dtype dtype, sow_index most_steps, sow_threads *threads, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_hypermap_meta *m = NULL;
    *out = NULL;
    if (most_steps < 0) SOW_FAIL(err, SOW_E_ARG, "hypermap: %lld inner steps", (long long)most_steps);
    SOW_NEW(m, 1);
    m->sizes = *sizes;
    m->threads = threads;
    m->most_steps = most_steps;
    SOW_TRY(sow_hypermap_params_create(&m->now, sizes, dtype, 0, 0, err));
    SOW_TRY(sow_params_like(&m->lambda, m->now, err));
    SOW_NEW(m->trail, most_steps);
    SOW_TRY(sow_tape_create(&m->tape, NULL, dtype, threads, err));
    *out = m;
    m = NULL;
done:
    sow_hypermap_meta_destroy(m);
    return st;
}

/* to = a from + b to, over [rows, cols] of one dtype. */
static void blend(sow_tensor to, double b, sow_tensor from, double a)
{
    const sow_index n = to.rows * to.cols;
    if (to.dtype == SOW_F32) {
        float *y = to.data;
        const float *x = from.data;
        for (sow_index i = 0; i < n; i++) y[i] = (float)(a * (double)x[i] + (b == 0 ? 0 : b * (double)y[i]));
    } else {
        double *y = to.data;
        const double *x = from.data;
        for (sow_index i = 0; i < n; i++) y[i] = a * x[i] + (b == 0 ? 0 : b * y[i]);
    }
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Asked before every step, passed on a few times a second: small networks make thousands of steps in one. */
static sow_status tell(sow_hypermap_meta *m, const sow_hypermap_task *task, double done, sow_error *err)
{
    const double now = task->env ? seconds() : 0;
    if (now - m->told < 0.2) return SOW_OK;
    m->told = now;
    return sow_progress(task->env, "training hypermap", task->begin + task->share * done, err);
}

/* Of a step and of the walk back through it. */
static const double forward_passes = 3, backward_passes = 9;

/* Afterwards `now` has the weights after the last step, and (where a trail is wanted) trail[s] those before step s. */
static sow_status descend(const sow_params *p, sow_hypermap_meta *m, const sow_hypermap_task *task, int trail, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_hypermap_descent *d = &task->support;
    const double all = (double)steps_of(d) * (forward_passes + (trail ? backward_passes : 0));
    SOW_TRY(sow_params_copy(m->now, p, err));
    for (sow_index s = 0; s < steps_of(d); s++) {
        double loss = 0;
        SOW_TRY(tell(m, task, forward_passes * (double)s / all, err));
        if (trail && !m->trail[s]) SOW_TRY(sow_params_like(&m->trail[s], m->now, err));
        if (trail) SOW_TRY(sow_params_copy(m->trail[s], m->now, err));
        SOW_TRY(step(&loss, m->now, m->tape, &m->sizes, d, s, m->threads, err));
    }
done:
    return st;
}

/* lambda = the query's gradient at the end of the descent. */
static sow_status ask(double *loss, sow_hypermap_meta *m, const sow_hypermap_task *task, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_params *end = m->now;
    const sow_hypermap_dropout *d = &task->query_dropout;
    sow_hypermap_values v;
    sow_tape_reset(m->tape);
    sow_hypermap_forward(&v, m->tape, end, &m->sizes, &task->query, d->rate > 0 || d->mask[0] ? d : NULL);
    SOW_TRY(sow_tape_status(m->tape, err));
    *loss = sow_tape_scalar(m->tape, v.loss);
    if (!isfinite(*loss)) SOW_FAIL(err, SOW_E_NONFINITE, "hypermap: the query's loss after the inner loop is not finite at a rate of %g", task->support.rate);
    SOW_TRY(sow_tape_backward(m->tape, v.loss, err));
    for (sow_index i = 0; i < sow_params_count(end); i++) blend(sow_params_value(m->lambda, i), 0, sow_params_grad(end, i), 1);
done:
    return st;
}

/* lambda -= rate H lambda, H the Hessian of step s's loss at its weights. */
static sow_status step_back(sow_hypermap_meta *m, const sow_hypermap_descent *d, sow_index s, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_params *at = m->now;
    const sow_index n = sow_params_count(at);
    sow_var *weight = NULL, *slope = NULL, along = SOW_NO_VAR;
    SOW_NEW(weight, n);
    SOW_NEW(slope, n);
    SOW_TRY(sow_params_copy(at, m->trail[s], err));
    const sow_var loss = step_loss(m->tape, at, &m->sizes, d, s);
    for (sow_index i = 0; i < n; i++) weight[i] = sow_tape_param(m->tape, at, i);
    SOW_TRY(sow_tape_gradient(m->tape, slope, loss, weight, n, err));
    for (sow_index i = 0; i < n; i++) {
        const sow_tensor l = sow_params_value(m->lambda, i);
        const sow_var term = sow_op_sum(m->tape, sow_op_mul(m->tape, slope[i], sow_tape_constant(m->tape, l.data, l.rows, l.cols)));
        along = along == SOW_NO_VAR ? term : sow_op_add(m->tape, along, term);
    }
    SOW_TRY(sow_tape_status(m->tape, err));
    SOW_TRY(sow_tape_backward(m->tape, along, err));
    for (sow_index i = 0; i < n; i++) blend(sow_params_value(m->lambda, i), 1, sow_params_grad(at, i), -d->rate);
done:
    free(weight);
    free(slope);
    return st;
}

sow_status sow_hypermap_meta_one(const sow_params **gradient, const sow_params *p, sow_hypermap_meta *m, const sow_hypermap_task *task, sow_index k, sow_index n_tasks, int first_order, double *loss, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_hypermap_descent *d = &task->support;
    *gradient = NULL;
    if (k < 0 || k >= n_tasks) SOW_FAIL(err, SOW_E_ARG, "hypermap: task %lld of %lld", (long long)k, (long long)n_tasks);
    if (steps_of(d) > m->most_steps) SOW_FAIL(err, SOW_E_ARG, "hypermap: a descent of %lld steps, where there is room for %lld", (long long)steps_of(d), (long long)m->most_steps);
    SOW_TRY(descend(p, m, task, !first_order, err));
    SOW_TRY(ask(loss, m, task, err));
    for (sow_index s = steps_of(d); s > 0 && !first_order; s--) {
        SOW_TRY(tell(m, task, 1 - backward_passes * (double)s / ((double)steps_of(d) * (forward_passes + backward_passes)), err));
        SOW_TRY(step_back(m, d, s - 1, err));
    }
    *gradient = m->lambda;
done:
    if (st == SOW_E_NONFINITE) {
        char where[48];
        snprintf(where, sizeof where, "task %lld of %lld", (long long)k + 1, (long long)n_tasks);
        sow_error_prefix(err, "%s", where);
    }
    return st;
}

void sow_hypermap_meta_add(sow_params *p, const sow_params *gradient, sow_index k, sow_index n_tasks)
{
    for (sow_index i = 0; i < sow_params_count(p); i++) blend(sow_params_grad(p, i), k ? 1 : 0, sow_params_value(gradient, i), 1 / (double)n_tasks);
}

sow_status sow_hypermap_meta_task(sow_params *p, sow_hypermap_meta *m, const sow_hypermap_task *task, sow_index k, sow_index n_tasks, int first_order, double *loss, sow_error *err)
{
    const sow_params *gradient = NULL;
    const sow_status st = sow_hypermap_meta_one(&gradient, p, m, task, k, n_tasks, first_order, loss, err);
    if (st == SOW_OK) sow_hypermap_meta_add(p, gradient, k, n_tasks);
    return st;
}

sow_status sow_hypermap_meta_gradient(sow_params *p, sow_hypermap_meta *m, const sow_hypermap_task *tasks, sow_index n_tasks, int first_order, double *losses, sow_error *err)
{
    sow_status st = SOW_OK;
    double loss = 0;
    if (n_tasks < 1) SOW_FAIL(err, SOW_E_ARG, "hypermap: a meta-gradient of %lld tasks", (long long)n_tasks);
    for (sow_index k = 0; k < n_tasks; k++) SOW_TRY(sow_hypermap_meta_task(p, m, &tasks[k], k, n_tasks, first_order, losses ? &losses[k] : &loss, err));
done:
    return st;
}
