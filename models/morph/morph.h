/* MORPH (published code of 2025, commit 9d89bdc): a discrepancy variational autoencoder over control cells, a perturbation encoder over priors, attention over learned gene programs.
 *
 *   z = mu(x) + exp(logvar(x) / 2) eps            cell latent, one per cell, shared by both paths
 *   p = enc(prior of a) [+ enc(prior of b)]       perturbation latent;  p0 = enc(null label) for the control path
 *   u = [z, p];  two times: u <- attend(Wq u; K = P Wk', V = P Wv') + u,  u <- FF(layer norm(u)) + u
 *   y_hat = leaky(W u + b);  x_recon the same with p0;  with `paired` y_hat = x + leaky(W u + b) - x_recon
 *   loss = alpha MMD(y_hat, y) + gamma1 MMD(x_recon, x) + gamma2 MSE(x_recon, x) + beta KL
 *
 * sizes.c has the widths, network.c these equations on the tape, loss.c the last of them; schedule.c, feed.c and train.c are the training; keep.c saves and loads; morph.c is the row of the model table. */
#ifndef SOWER_MODELS_MORPH_MORPH_H
#define SOWER_MODELS_MORPH_MORPH_H

#include "core/params.h"
#include "core/tape.h"
#include "models/model.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { SOW_MORPH_MOST_PRIORS = 3 };

typedef enum {
    SOW_MORPH_PLAIN,
    SOW_MORPH_NO_RESIDUAL1,              /* no residual after attention 1, in both paths (the paper's intent) */
    SOW_MORPH_NO_RESIDUAL1_AS_PUBLISHED, /* the code's slip: the control path drops it after attention 2 instead */
    SOW_MORPH_MOE                        /* three priors, three experts, a sigmoid "gate" that is the latent; shorter cell encoder */
} sow_morph_variant;

/** Widths. Defaults give 3,485,876 numbers at genes 5000, prior 1100. */
typedef struct {
    sow_index genes;
    sow_index n_priors;                     /* 1; 3 for MOE */
    sow_index prior[SOW_MORPH_MOST_PRIORS]; /* their columns */
    sow_index zc, zp;                       /* cell and perturbation latent [50, 50]; zp 1..256 */
    sow_index programs, program_dim;        /* G, E [50, 50] */
    sow_index hidden;                       /* h [128] */
    sow_index encoder;                      /* first layer of the cell encoder [512] */
    sow_morph_variant variant;
    int paired; /* y_hat = x + (decoded of the perturbed path - decoded of the control path): the cells that came in, changed. 0: the perturbed path's output, as published */
} sow_morph_sizes;
#define SOW_MORPH_SIZES_INIT {0, 1, {0, 0, 0}, 50, 50, 50, 50, 128, 512, SOW_MORPH_PLAIN, 0}

/** Learned numbers of these sizes, for an estimate before anything is made: 3,485,876 for the defaults. */
sow_index sow_morph_numbers(const sow_morph_sizes *sizes);
/** The parameters, named and ordered as in the parity README (fc1.weight ..., geneset_mtrx first), torch's initialisation from our own streams. Biases are [1, out].
 *  SOW_E_ARG: a width < 1, zp > 256, MOE without three priors, the others with more than one. */
SOW_MUST_CHECK sow_status sow_morph_params_create(sow_params **out, const sow_morph_sizes *sizes, sow_dtype dtype, uint64_t seed, uint32_t network, sow_error *err);

/** One step's input: k segments (perturbations), each with its rows. All borrowed until the tape's reset; numbers in the tape's dtype. */
typedef struct {
    sow_index k;
    const sow_index *x_start;     /* [k + 1] rows of the control cells of each segment */
    const sow_index *y_start;     /* [k + 1] rows of its perturbed cells; NULL = no loss wanted (prediction) */
    const sow_index *segment;     /* [x_start[k]] segment of each control row */
    const void *x;                /* [x_start[k], genes] control cells */
    const void *y;                /* [y_start[k], genes] */
    sow_index n_latent;           /* rows of `prior`: the different genes of this batch, and last the null label */
    const void *prior[SOW_MORPH_MOST_PRIORS]; /* [n_latent, width] */
    const sow_index *first, *second; /* [k] row of the first and second gene; second -1 = single */
    const void *eps;              /* [x_start[k], zc] standard normal; NULL = the mean latent */
} sow_morph_batch;

/** Values of one forward pass on the tape. The two paths are rows of one matrix in `u` and `decoded`: perturbed first, then control. */
typedef struct {
    sow_var mu, logvar, z;
    sow_var latent;  /* [n_latent, zp] of every row of `prior` */
    sow_var z_ptb;   /* [k, zp] */
    sow_var alpha1, alpha2; /* [2 rows, programs] */
    sow_var u;       /* [2 rows, zc + zp] before the decoder */
    sow_var decoded; /* [2 rows, genes] */
    sow_var y_hat, x_recon; /* its halves [rows, genes] */
} sow_morph_values;

typedef struct {
    double alpha, beta, gamma1, gamma2;
    sow_mmd_options mmd;
} sow_morph_weights;

/** Loss terms [1, 1]: means over segments, which may have different numbers of rows. pred_each and recon_each [k, 1]: the MMD of each segment's prediction and reconstruction.
 *  recon = gamma1 mmd_recon + gamma2 mse; total = alpha pred + recon + beta kl. SOW_NO_VAR: pred and pred_each without y_start; mmd_recon and recon_each when gamma1 is 0, where they
 *  would cost and count for nothing. A term of weight 0 stays out of the total, so that no gradient of it is computed. */
typedef struct {
    sow_var pred, mmd_recon, mse, recon, kl, total, pred_each, recon_each;
} sow_morph_losses;

/** The equations. Errors stick to the tape; the indices of the batch are checked by its operations. A batch may mix single and double perturbations. */
void sow_morph_forward(sow_morph_values *out, sow_tape *t, sow_params *p, const sow_morph_sizes *sizes, const sow_morph_batch *batch);
void sow_morph_loss(sow_morph_losses *out, sow_tape *t, const sow_morph_values *v, const sow_morph_batch *batch, const sow_morph_weights *w);

/** Latents alone, [n, zp], of prior rows [n, width] (one array per prior; borrowed until the reset, in the tape's dtype). */
sow_var sow_morph_latent(sow_tape *t, sow_params *p, const sow_morph_sizes *sizes, const void *const *priors, sow_index n);

/** alpha and beta of every epoch [epochs], as the floats that the published code multiplies into its losses. alpha: 0 for alpha_zero epochs, evenly from 0 to its largest over epochs
 *  alpha_zero .. epochs / 2 - 1, then that. beta: 0 for beta_zero epochs, evenly from 0 to its largest over the rest. So with fewer than alpha_zero + 1 epochs nothing is learned from the
 *  prediction; where no epoch is left for alpha's ramp it jumps. */
typedef struct {
    sow_index epochs;
    double alpha_max, beta_max;
    sow_index alpha_zero; /* epochs at 0 before the ramp: 5; 1 for more than 10^6 cells an epoch */
    sow_index beta_zero;  /* 10; 2 when patience <= 10 */
} sow_morph_schedule;
void sow_morph_schedules(float *alpha, float *beta, const sow_morph_schedule *s);

#ifdef __cplusplus
}
#endif
#endif
