/* The flat buffers of a parameter set, for optimisers (core/optim.c) and for the tape. */
#ifndef SOWER_CORE_PARAMS_INTERNAL_H
#define SOWER_CORE_PARAMS_INTERNAL_H

#include "core/params.h"

typedef struct {
    char *name;
    sow_index rows, cols, at; /* first number in the flat buffers */
} sow_i_matrix;

struct sow_params {
    sow_dtype dtype;
    sow_index n;       /* matrices */
    sow_index numbers; /* without gaps */
    sow_index flat;    /* with gaps: length of each buffer */
    sow_index steps;   /* of Adam */
    void *value, *grad, *m, *v; /* [flat] each, 64-byte aligned, gaps 0 */
    sow_i_matrix *matrix;
    void *memory; /* holds the four */
};

#endif
