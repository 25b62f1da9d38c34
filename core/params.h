/* The learned numbers of a network: named matrices in one flat buffer, with their gradients and the moments of Adam beside them, so that an optimiser's step is one pass. */
#ifndef SOWER_CORE_PARAMS_H
#define SOWER_CORE_PARAMS_H

#include "core/archive.h"
#include "core/rng.h"
#include "core/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/** One matrix to make. bound > 0: U(-bound, bound) (torch's Linear: 1 / sqrt(fan_in)); bound 0: all `fill`; bound < 0: N(0, bound^2). */
typedef struct {
    const char *name;
    sow_index rows, cols;
    double bound, fill;
} sow_param_spec;

typedef struct sow_params sow_params;

/** n matrices in the given order (the optimiser's order), every one from a stream of its own (`rng` names the network; matrix i takes it with item + i): adding a matrix does not
 *  change the others. Names are copied. Each matrix starts at a multiple of 64 bytes; the gaps are zero and stay so. */
SOW_MUST_CHECK sow_status sow_params_create(sow_params **out, const sow_param_spec *spec, sow_index n, sow_dtype dtype, uint64_t seed, uint32_t network, sow_error *err);
/** A set of the same names, shapes and dtype, all 0. What is never written to takes no memory of the machine. */
SOW_MUST_CHECK sow_status sow_params_like(sow_params **out, const sow_params *p, sow_error *err);
void sow_params_destroy(sow_params *p);
sow_index sow_params_count(const sow_params *p);   /* matrices */
sow_index sow_params_numbers(const sow_params *p); /* learned numbers, gaps not counted: 3,485,876 for MORPH's defaults */
sow_index sow_params_find(const sow_params *p, const char *name); /* -1 = none */
const char *sow_params_name(const sow_params *p, sow_index i);
sow_tensor sow_params_value(const sow_params *p, sow_index i); /* borrowed views */
sow_tensor sow_params_grad(const sow_params *p, sow_index i);

/** Copy values (not gradients, not moments) of one set into another of the same shapes and dtype. SOW_E_SHAPE names the first that differs. */
SOW_MUST_CHECK sow_status sow_params_copy(sow_params *to, const sow_params *from, sow_error *err);
/** Under "PREFIX/NAME"; with `moments` != 0 also Adam's, under "PREFIX/NAME.m", ".v", and its step count. Read back bit for bit. A matrix that the archive lacks or has
 *  in another size is SOW_E_DATA, with both sizes. */
SOW_MUST_CHECK sow_status sow_params_save(sow_archive *a, const char *prefix, const sow_params *p, int moments, sow_error *err);
SOW_MUST_CHECK sow_status sow_params_load(sow_params *p, const sow_archive *a, const char *prefix, int moments, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
