/* Settings of the model `morph`. */
#ifndef SOWER_MODELS_MORPH_OPTIONS_H
#define SOWER_MODELS_MORPH_OPTIONS_H

#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** `reference` sets every choice as published (biased summed MMD with sigma 1500, paired controls, unweighted criterion, short groups dropped, noise in the latent at inference);
 *  otherwise each of the mended ones can be switched alone. */
typedef struct {
    int reference;              /* [0] */
    int variant;                /* sow_morph_variant [plain] */
    sow_index epochs;           /* [100] */
    sow_index patience;         /* [20] epochs without a better criterion */
    sow_index batch;            /* cells of one segment [32] */
    sow_index segments;         /* perturbations a step; 0 = chosen by the size of the screen [0] */
    double rate;                /* Adam's [1e-4 reference; 0 = chosen] */
    double clamp;               /* of every gradient entry [0.5] */
    double alpha, beta;         /* largest weights of the prediction's MMD and of KL [2, 1] */
    double gamma1, gamma2;      /* reconstruction: MMD and MSE [1, 0] */
    double sigma;               /* 0 = mean squared distance between controls [0]; reference 1500 */
    sow_index kernels;          /* [10] */
    int unbiased;               /* MMD without diagonals [1] */
    int fresh_controls;         /* controls drawn anew each epoch [1]; 0 = each perturbed cell keeps one */
    int weighted_criterion;     /* model selection by the final loss weights [1]; 0 = pred + recon + KL */
    int mean_latent;            /* mean shifts without noise in the latent [0: what a network has seen in training is noise]; cells always have it: it is what tells them from each other */
    int small_groups;           /* short chunks and groups are used [1]; 0 = dropped */
    int paired_change;          /* predicted cells are the controls + the difference of the two paths, in training too [1]; 0 = the perturbed path's output */
    sow_index latent_cell, latent_perturbation, programs, program_dim, hidden, encoder; /* widths */
    double validation;          /* share of the perturbations that judge epochs and are not trained on [0.1] */
    sow_index members;          /* ensemble: so many trainings, with different seeds and validation sets [1] */
    int scaled_prior;           /* rows of the prior times one number, so that their mean squared entry is 1 [1]; 0 = as given */
    double prior_noise;         /* standard deviation of what is added to the entries of prior rows, drawn anew in every step of training [0.3]; 0 = none */
    double mean_epochs;         /* weights judged and kept are a running mean over so many epochs [4]; 0 = those of the last step */
    int last_weights;           /* the weights after the last epoch are kept, and no epoch stops the training early [0: those of the best epoch]. Members of an ensemble average what they have learned by heart away: an
                                 * epoch that is too late for one of them is better for all */
    int stack;                  /* mean shifts are joined with those of `linear`, by weights chosen on perturbations that networks hold out [1]; 0 = the networks alone */
} sow_morph_options;
#define SOW_MORPH_OPTIONS_INIT {0, 0, 100, 20, 32, 0, 0, 0.5, 2, 1, 1, 0, 0, 10, 1, 1, 1, 0, 1, 1, 50, 50, 50, 50, 128, 512, 0.1, 1, 1, 0.3, 4, 0, 1}

#ifdef __cplusplus
}
#endif
#endif
