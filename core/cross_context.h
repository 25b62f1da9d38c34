/* How alike the response to one perturbation is in several contexts. */
#ifndef SOWER_CORE_CROSS_CONTEXT_H
#define SOWER_CORE_CROSS_CONTEXT_H

#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** m_c [d]: mean response in context c; e_c: mean over genes of its squared standard error. C contexts measured the perturbation. */
typedef struct {
    sow_index contexts;   /* C */
    double effect;        /* mean over genes of |mean over contexts of m_c| */
    double spread;        /* square root of the mean over genes of the variance over contexts (C - 1); 0 with one context */
    double cv;            /* spread / effect, as HyperMap publishes it; NaN with fewer than two contexts or without an effect */
    /* The same in root mean squares over genes and with what sampling adds taken off (e_c / C of the mean's square, e_c of the variance): the ratio above explodes where there is no effect, because both of its
     * sides are then noise. NaN where an e_c is not known; 0 where nothing is left. */
    double clear_effect, clear_spread;
    double clear_cv;      /* clear_spread / clear_effect; NaN with fewer than two contexts, where noise is not known, and where the mean response is no larger than its own noise */
} sow_cross_context;

/** delta [n] the m_c, NULL = not measured in that context; error [n] the e_c (NaN unknown), or NULL = none known. n >= 0, d >= 1. SOW_E_NONFINITE for a response that is not finite. Cost n d. */
SOW_MUST_CHECK sow_status sow_cross_context_of(sow_cross_context *out, const double *const *delta, const double *error, sow_index n, sow_index d, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
