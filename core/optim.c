/* Optimisers over a flat set of parameters: checks and counts here, the passes in the backend. */
#include "core/optim.h"

#include "core/backend/backend.h"
#include "core/params_internal.h"

#include <math.h>
#include <string.h>

static const sow_backend *backend_or_cpu(const sow_backend *backend)
{
    return backend ? backend : sow_backend_cpu();
}

static sow_status check_adam(const sow_adam_options *o, sow_error *err)
{
    const int rates = o->rate > 0 && isfinite(o->rate) && o->eps > 0 && isfinite(o->eps);
    const int decays = o->beta1 >= 0 && o->beta1 < 1 && o->beta2 >= 0 && o->beta2 < 1;
    const int bounds = o->clamp >= 0 && isfinite(o->clamp) && o->norm >= 0 && isfinite(o->norm);
    if (rates && decays && bounds) return SOW_OK;
    return SOW_ERROR(err, SOW_E_ARG, "Adam with rate %g, beta1 %g, beta2 %g, eps %g, clamp %g, norm %g; rate and eps must be above 0, betas in [0, 1), clamp and norm not below 0", o->rate,
                     o->beta1, o->beta2, o->eps, o->clamp, o->norm);
}

/* What the gradient is multiplied by so that its norm is at most `norm`. torch's clip_grad_norm_ divides by norm + 1e-6. */
static sow_status norm_scale(double *scale, const sow_params *p, double norm, const sow_backend *b, sow_threads *threads, sow_error *err)
{
    double squares = 0;
    sow_status st = SOW_OK;
    *scale = 1;
    if (norm == 0) return SOW_OK;
    SOW_TRY(b->sum_of_squares(threads, p->dtype, p->flat, p->grad, &squares, err));
    if (!isfinite(squares)) SOW_FAIL(err, SOW_E_NONFINITE, "the gradient's norm is not finite after %lld steps", (long long)p->steps);
    const double ratio = norm / (sqrt(squares) + 1e-6);
    *scale = ratio < 1 ? ratio : 1;
done:
    return st;
}

sow_status sow_adam_step(sow_params *p, const sow_adam_options *options, const sow_backend *backend, sow_threads *threads, sow_error *err)
{
    const sow_adam_options defaults = SOW_ADAM_INIT, *o = options ? options : &defaults;
    const sow_backend *b = backend_or_cpu(backend);
    double scale = 1;
    sow_status st = SOW_OK;
    SOW_TRY(check_adam(o, err));
    if (!b->adam || !b->sum_of_squares) SOW_FAIL(err, SOW_E_UNSUPPORTED, "backend %s has no Adam", b->name);
    SOW_TRY(norm_scale(&scale, p, o->norm, b, threads, err));
    const double step = (double)p->steps + 1;
    const sow_adam_numbers numbers = {.rate = o->rate, .beta1 = o->beta1, .beta2 = o->beta2, .eps = o->eps, .clamp = o->clamp, .scale = scale,
                                      .correct1 = 1 - pow(o->beta1, step), .correct2 = 1 - pow(o->beta2, step)};
    SOW_TRY(b->adam(threads, p->dtype, p->flat, p->value, p->grad, p->m, p->v, &numbers, err));
    p->steps++;
done:
    return st;
}

sow_status sow_sgd_step(sow_params *p, double rate, double clamp, const sow_backend *backend, sow_threads *threads, sow_error *err)
{
    const sow_backend *b = backend_or_cpu(backend);
    sow_status st = SOW_OK;
    if (!(rate > 0 && isfinite(rate) && clamp >= 0 && isfinite(clamp)))
        SOW_FAIL(err, SOW_E_ARG, "gradient descent with rate %g, clamp %g; the rate must be above 0, the clamp not below 0", rate, clamp);
    if (!b->sgd) SOW_FAIL(err, SOW_E_UNSUPPORTED, "backend %s has no gradient descent", b->name);
    SOW_TRY(b->sgd(threads, p->dtype, p->flat, p->value, p->grad, rate, clamp, 1, err));
done:
    return st;
}

/* ---- a running mean ---- */

enum { AVERAGE_TILE = 1 << 15 };

typedef struct {
    void *mean;
    const void *value;
    sow_index n;
    sow_dtype dtype;
    double share;
} average_job;

static sow_status average_tile(void *user, sow_index tile, sow_error *err)
{
    (void)err;
    const average_job *j = user;
    const sow_index first = tile * AVERAGE_TILE, last = first + AVERAGE_TILE < j->n ? first + AVERAGE_TILE : j->n;
    if (j->dtype == SOW_F32) {
        float *mean = j->mean;
        const float *value = j->value, share = (float)j->share;
        for (sow_index i = first; i < last; i++) mean[i] += share * (value[i] - mean[i]);
    } else {
        double *mean = j->mean;
        const double *value = j->value;
        for (sow_index i = first; i < last; i++) mean[i] += j->share * (value[i] - mean[i]);
    }
    return SOW_OK;
}

sow_status sow_params_average(sow_params *mean, const sow_params *p, double share, sow_threads *threads, sow_error *err)
{
    if (mean->flat != p->flat || mean->dtype != p->dtype || mean->n != p->n)
        return SOW_ERROR(err, SOW_E_SHAPE, "a mean of %lld matrices with %lld numbers and a set of %lld with %lld", (long long)mean->n, (long long)mean->numbers, (long long)p->n,
                         (long long)p->numbers);
    if (!(share >= 0 && share <= 1)) return SOW_ERROR(err, SOW_E_ARG, "a share of %g in a running mean; 0 to 1 is allowed", share);
    average_job j = {mean->value, p->value, p->flat, p->dtype, share};
    return sow_parallel_for(threads, (p->flat + AVERAGE_TILE - 1) / AVERAGE_TILE, average_tile, &j, err);
}

sow_index sow_adam_steps(const sow_params *p)
{
    return p->steps;
}

void sow_adam_reset(sow_params *p)
{
    const size_t bytes = (size_t)p->flat * sow_dtype_size(p->dtype);
    memset(p->m, 0, bytes);
    memset(p->v, 0, bytes);
    p->steps = 0;
}

int sow_params_finite(const sow_params *p, int gradients, const sow_backend *backend, sow_threads *threads)
{
    const sow_backend *b = backend_or_cpu(backend);
    int all = 0;
    return b->finite && b->finite(threads, p->dtype, p->flat, gradients ? p->grad : p->value, &all, NULL) == SOW_OK && all;
}
