/* Optimisers: one pass over a flat set of parameters and gradients. */
#ifndef SOWER_CORE_OPTIM_H
#define SOWER_CORE_OPTIM_H

#include "core/params.h"
#include "core/threads.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sow_backend sow_backend;

typedef struct {
    double rate, beta1, beta2, eps;
    double clamp; /* every entry of the gradient to [-clamp, clamp] first; 0 = not (MORPH: 0.5) */
    double norm;  /* or the whole gradient scaled down to this norm; 0 = not (HyperMap) */
} sow_adam_options;
#define SOW_ADAM_INIT {1e-3, 0.9, 0.999, 1e-8, 0, 0}

/** One step of Adam (Kingma & Ba 2015, with bias correction, as torch's) from the gradients in `p`, clamp included, in one fused pass; the step count is p's. Reads 16 and writes 12 bytes a number in f32.
 *  With both, the norm comes first, then the clamp. A gradient that is not finite moves the parameters to what is none (look at the loss, or ask sow_params_finite); with a norm it is refused,
 *  SOW_E_NONFINITE, and nothing moves. SOW_E_ARG for options out of range. `options` NULL = the defaults, `backend` NULL = the CPU's, `threads` may be NULL. The same bits for any number of threads. */
SOW_MUST_CHECK sow_status sow_adam_step(sow_params *p, const sow_adam_options *options, const sow_backend *backend, sow_threads *threads, sow_error *err);
/** value -= rate * gradient, the gradient clamped first when clamp > 0. */
SOW_MUST_CHECK sow_status sow_sgd_step(sow_params *p, double rate, double clamp, const sow_backend *backend, sow_threads *threads, sow_error *err);
/** mean += share (p - mean) for every value of two sets of the same shapes: a running mean of weights (Polyak & Juditsky 1992). On the host. The same bits for any number of threads. */
SOW_MUST_CHECK sow_status sow_params_average(sow_params *mean, const sow_params *p, double share, sow_threads *threads, sow_error *err);
/** Steps taken so far; reset to 0 together with the moments. */
sow_index sow_adam_steps(const sow_params *p);
void sow_adam_reset(sow_params *p);
/** 1 when every value (gradients != 0: every gradient) is finite. One pass over them. */
int sow_params_finite(const sow_params *p, int gradients, const sow_backend *backend, sow_threads *threads);

#ifdef __cplusplus
}
#endif
#endif
