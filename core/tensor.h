/* Tensors: row-major matrices of float or double that know where they live. Everything of the tape is a matrix: a vector is [1, n] or [n, 1], a number [1, 1];
 * a batch of matrices is [batch, rows x columns]. */
#ifndef SOWER_CORE_TENSOR_H
#define SOWER_CORE_TENSOR_H

#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { SOW_F32, SOW_F64 } sow_dtype;
typedef enum { SOW_HOST, SOW_DEVICE } sow_place;

typedef struct {
    void *data; /* [rows, cols], contiguous; who owns it is said where a tensor is handed over */
    sow_index rows, cols;
    sow_dtype dtype;
    sow_place place;
} sow_tensor;

/** Bytes of one number: 4 or 8. */
static inline size_t sow_dtype_size(sow_dtype dtype)
{
    return dtype == SOW_F32 ? sizeof(float) : sizeof(double);
}

#ifdef __cplusplus
}
#endif
#endif
