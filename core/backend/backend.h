/* A backend: the kernels of the tape as a table. The CPU's table (core/backend/cpu.c) is complete and defines "correct"; another may leave a slot NULL, which its user reports as SOW_E_UNSUPPORTED.
 *
 * What holds for every slot
 * - Tensors are row-major, contiguous, of one dtype, in the backend's place (`value.place`). Shapes were checked by the caller; a kernel asserts nothing about them again.
 * - Index arrays (`index`, `start`, `class_`) and options are host memory, valid until the tape's reset.
 * - `threads` may be NULL. Work is cut into tiles that depend on the shapes only and sums have a fixed order: the same bits for any number of threads.
 * - A gradient goes to a sow_grad: nowhere when at.data is NULL, over what is there when add is 0 (the first contribution), added to it when add is 1. A kernel writes every entry of it.
 *   Two gradients of one call may be the same place (an operation of x and x): the one listed first is written whole before the next, which then adds.
 * - Outputs do not overlap inputs unless it says so.
 * - Sums of floats are taken in double where that costs little.
 * - Only `allocate` allocates: what a kernel needs beside its tensors comes as `work` (bytes from the slot's own `..._work`). */
#ifndef SOWER_CORE_BACKEND_BACKEND_H
#define SOWER_CORE_BACKEND_BACKEND_H

#include "core/mmd.h"
#include "core/tape.h"
#include "core/tensor.h"
#include "core/threads.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    sow_tensor at; /* data NULL: not wanted */
    int add;
} sow_grad;

/** y = f(x); f' is given by map_back in terms of x and y. `p` is the number of SCALE, SHIFT, LEAKY_RELU and STEP. */
typedef enum {
    SOW_MAP_SCALE,      /* p x */
    SOW_MAP_SHIFT,      /* x + p */
    SOW_MAP_EXP,
    SOW_MAP_LOG,
    SOW_MAP_SQUARE,
    SOW_MAP_SQRT,
    SOW_MAP_RELU,
    SOW_MAP_LEAKY_RELU, /* x > 0 ? x : p x */
    SOW_MAP_SIGMOID,
    SOW_MAP_STEP        /* x > 0 ? 1 : p, the slope of (leaky) ReLU; its own derivative is 0 */
} sow_map;

/** Of what is below 0 in (leaky) ReLU; 1 for what has no bend. */
static inline double sow_i_slope_below(sow_activation act)
{
    return act == SOW_ACT_RELU ? 0 : act == SOW_ACT_LEAKY_RELU ? 0.2 : act == SOW_ACT_LEAKY_RELU_10 ? 0.1 : 1;
}

typedef enum { SOW_ZIP_ADD, SOW_ZIP_SUB, SOW_ZIP_MUL, SOW_ZIP_DIV } sow_zip;

/** A mask of dropout: entry i of a matrix is a function of (seed, stream, call, i). */
typedef struct {
    double rate;
    uint64_t seed;
    uint32_t stream, call;
} sow_mask;

/** One fused step of Adam: g = clamp(scale * gradient); m, v, value as in optim.h; correct1 = 1 - beta1^step, correct2 = 1 - beta2^step. */
typedef struct {
    double rate, beta1, beta2, eps, clamp /* 0 = not */, scale, correct1, correct2;
} sow_adam_numbers;

struct sow_backend {
    const char *name;
    sow_place place;

    /* ---- memory: zeroed; NULL when there is none ---- */
    void *(*allocate)(size_t bytes);
    void (*release)(void *data);
    sow_status (*upload)(void *to, const void *from_host, size_t bytes, sow_error *err);
    sow_status (*download)(void *to_host, const void *from, size_t bytes, sow_error *err);
    sow_status (*widen)(sow_threads *threads, sow_tensor to, const float *from_host, sow_error *err); /* host floats into a tensor of any dtype */
    sow_status (*fill)(sow_threads *threads, sow_tensor to, double x, sow_error *err);

    /* ---- products ---- */
    /** c = op(a) op(b) (+ c when add); a, b as stored. */
    sow_status (*gemm)(sow_threads *threads, int trans_a, sow_tensor a, int trans_b, sow_tensor b, sow_grad c, sow_error *err);
    /** y = act(x w^T + bias); bias.data NULL = none. x [m, in], w [out, in], y [m, out]. */
    sow_status (*linear)(sow_threads *threads, sow_tensor x, sow_tensor w, sow_tensor bias, sow_activation act, sow_tensor y, sow_error *err);
    /** dz = dy act'(z), told from y; dbias [1, out] its column sums. dz.data may be dy.data. The products follow as gemm: dx = dz w, dw = dz^T x, the latter straight into a parameter's gradient. */
    sow_status (*linear_back)(sow_threads *threads, sow_activation act, sow_tensor y, sow_tensor dy, sow_tensor dz, sow_grad dbias, sow_error *err);
    /** Row by row y_b = op(W_b) x_b, W_b = row b of w [batch, r x c], r slow. trans 0: x [batch, c], y [batch, r]; trans 1: x [batch, r], y [batch, c]. */
    sow_status (*matvec_each)(sow_threads *threads, int trans, sow_tensor w, sow_tensor x, sow_grad y, sow_error *err);
    /** Row by row W_b = a_b x_b^T: a [batch, r], x [batch, c], w [batch, r x c]. */
    sow_status (*outer_each)(sow_threads *threads, sow_tensor a, sow_tensor x, sow_grad w, sow_error *err);

    /* ---- element by element ---- */
    sow_status (*map)(sow_threads *threads, sow_map f, double p, sow_tensor x, sow_tensor y, sow_error *err);
    sow_status (*map_back)(sow_threads *threads, sow_map f, double p, sow_tensor x, sow_tensor y, sow_tensor dy, sow_grad dx, sow_error *err);
    /** a and b of the shape of y, or 1 in place of its rows and/or columns. */
    sow_status (*zip)(sow_threads *threads, sow_zip f, sow_tensor a, sow_tensor b, sow_tensor y, sow_error *err);
    /** Summed down to the shapes of a and b. */
    sow_status (*zip_back)(sow_threads *threads, sow_zip f, sow_tensor a, sow_tensor b, sow_tensor dy, sow_grad da, sow_grad db, sow_error *err);
    sow_status (*dropout)(sow_threads *threads, const sow_mask *mask, sow_tensor x, sow_grad y, sow_error *err); /* forward, and backward of itself */

    /* ---- sums and rows ---- */
    /** y = scale * sum of x [m, n] down to the shape of y: [1, n] down the rows, [m, 1] along them, [1, 1], or [m, n]. */
    sow_status (*sum)(sow_threads *threads, double scale, sow_tensor x, sow_grad y, sow_error *err);
    /** Its transpose: y [m, n] = scale * x, x repeated where it has 1 row or column. */
    sow_status (*spread)(sow_threads *threads, double scale, sow_tensor x, sow_grad y, sow_error *err);
    sow_status (*softmax)(sow_threads *threads, sow_tensor x, sow_tensor y, sow_error *err);
    sow_status (*softmax_back)(sow_threads *threads, sow_tensor y, sow_tensor dy, sow_grad dx, sow_error *err);
    /** moments [m, 2]: mean and 1 / sqrt(var + eps) of each row, kept for the way back. */
    sow_status (*layer_norm)(sow_threads *threads, sow_tensor x, sow_tensor gain, sow_tensor bias, double eps, sow_tensor y, sow_tensor moments, sow_error *err);
    sow_status (*layer_norm_back)(sow_threads *threads, sow_tensor x, sow_tensor gain, sow_tensor moments, sow_tensor dy, sow_grad dx, sow_grad dgain, sow_grad dbias, sow_error *err);
    /** y [1, 1]; p [m, c] the softmax, kept. */
    sow_status (*cross_entropy)(sow_threads *threads, sow_tensor x, const sow_index *class_, sow_tensor p, sow_tensor y, sow_error *err);
    sow_status (*cross_entropy_back)(sow_threads *threads, sow_tensor p, const sow_index *class_, sow_tensor dy, sow_grad dx, sow_error *err);

    /* ---- moving ---- */
    sow_status (*gather)(sow_threads *threads, sow_tensor x, const sow_index *index, sow_grad y, sow_error *err);
    sow_status (*scatter_add)(sow_threads *threads, sow_tensor x, const sow_index *index, sow_grad y, sow_error *err);
    /** The block [rows, cols] of x at (row, col) of `x` to (to_row, to_col) of y. The rest of y: untouched when add, else zeroed when `clear`, else untouched. */
    sow_status (*block)(sow_threads *threads, sow_tensor x, sow_index row, sow_index col, sow_index rows, sow_index cols, sow_grad y, sow_index to_row, sow_index to_col, int clear, sow_error *err);
    sow_status (*transpose)(sow_threads *threads, sow_tensor x, sow_grad y, sow_error *err);

    /* ---- fused: attention over programs, and the squared MMD of segments ---- */
    /** alpha = softmax(q k^T / sqrt(l)) [m, g]; out = alpha v [m, e]. */
    sow_status (*attend)(sow_threads *threads, sow_tensor q, sow_tensor k, sow_tensor v, sow_tensor alpha, sow_tensor out, sow_error *err);
    /** dout, dalpha_extra: what came to out and to alpha itself; data NULL = nothing. Without dout v is not read and dv must not be wanted. score: scratch [m, g]. */
    sow_status (*attend_back)(sow_threads *threads, sow_tensor q, sow_tensor k, sow_tensor v, sow_tensor alpha, sow_tensor dout, sow_tensor dalpha_extra, sow_tensor score,
                              sow_grad dq, sow_grad dk, sow_grad dv, sow_error *err);
    /** Bytes that mmd keeps for mmd_back (`kept`) and that either needs meanwhile (`work`). */
    void (*mmd_memory)(sow_dtype dtype, const sow_index *x_start, const sow_index *y_start, sow_index k, sow_index d, size_t *kept, size_t *work);
    sow_status (*mmd)(sow_threads *threads, sow_tensor x, const sow_index *x_start, sow_tensor y, const sow_index *y_start, sow_index k, const sow_mmd_options *options, sow_tensor out,
                      void *kept, void *work, sow_error *err);
    /** dout [k, 1]. Rows of dx and dy in no segment get 0. */
    sow_status (*mmd_back)(sow_threads *threads, sow_tensor x, const sow_index *x_start, sow_tensor y, const sow_index *y_start, sow_index k, const sow_mmd_options *options, sow_tensor dout,
                           const void *kept, void *work, sow_grad dx, sow_grad dy, sow_error *err);

    /* ---- over flat buffers of n numbers: optimisers and checks ---- */
    sow_status (*adam)(sow_threads *threads, sow_dtype dtype, sow_index n, void *value, const void *grad, void *m, void *v, const sow_adam_numbers *numbers, sow_error *err);
    /** value -= rate * clamp(scale * grad). */
    sow_status (*sgd)(sow_threads *threads, sow_dtype dtype, sow_index n, void *value, const void *grad, double rate, double clamp, double scale, sow_error *err);
    sow_status (*sum_of_squares)(sow_threads *threads, sow_dtype dtype, sow_index n, const void *x, double *out, sow_error *err);
    sow_status (*finite)(sow_threads *threads, sow_dtype dtype, sow_index n, const void *x, int *all, sow_error *err);
};

/** The CPU's. */
const sow_backend *sow_backend_cpu(void);

#ifdef __cplusplus
}
#endif
#endif
