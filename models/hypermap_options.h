/* Settings of the model `hypermap`. */
#ifndef SOWER_MODELS_HYPERMAP_OPTIONS_H
#define SOWER_MODELS_HYPERMAP_OPTIONS_H

#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { SOW_EMBED_AUTO, SOW_EMBED_PRIOR, SOW_EMBED_ONE_HOT, SOW_EMBED_RESPONSE } sow_hypermap_embedding;

/** `reference` sets every choice as published, but those that the publication itself varies (steps, rates, adapt_steps, members); -1 and 0 mean "chosen", with the value for reference mode after the bar. */
typedef struct {
    int reference;           /* [0] */
    int network;             /* the published network [0: gene programs whose activity a context sets, learned in closed form]. | 1. What is below but stack speaks of the network */
    int embedding;           /* sow_hypermap_embedding [auto]: auto = the response in the other contexts beside the prior where two references are known, else the prior, else one-hot. | prior, else one-hot */
    int cells;               /* rows of training are single cells and the network speaks of genes [0: rows are mean responses, and it speaks of the references' response components]. | 1 */
    int fusion;              /* sow_hypermap_fusion [-1 = chosen]. | rows */
    int method;              /* sow_hypermap_method [-1 = chosen]. | exact */
    int split;               /* sow_hypermap_split [by perturbations]. | by cells */
    int balanced;            /* [1] | 0 */
    int fresh_controls;      /* [1] | 0 */
    sow_index steps, tasks, batch, inner_batches, inner_steps, adapt_steps; /* 0 = chosen. | 50, 4, 512, 5, 5, 1 */
    double inner_rate, adapt_rate, meta_rate; /* 0 = chosen. | 0.005, inner_rate, 5e-4 */
    double dropout;          /* -1 = chosen. | 0.2 */
    double clip;             /* norm of the outer gradient; 0 = none, -1 = chosen. | 0 */
    sow_index latent, hidden; /* 0 = chosen. | 64, 256 */
    sow_index members;       /* networks whose predictions are averaged; 0 = chosen. | 1 */
    int validate;            /* one reference context is not learned from and ends the training early [0] */
    sow_index patience;      /* judgements without a better one [4] */
    int stack;               /* mean changes are joined with gp's, by a weight chosen on seeds that neither has seen [1]. | 0 */
    int cell_encoder, hypernetwork; /* [1, 1] 0 = ablation */
} sow_hypermap_options;
#define SOW_HYPERMAP_OPTIONS_INIT {0, 0, SOW_EMBED_AUTO, 0, -1, -1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, -1, 0, 0, 0, 0, 4, 1, 1, 1}

/** What learning a network from the references takes, to the nearest factor or two: operations, and bytes held meanwhile. `genes` that it speaks of (rows that are means: components), `embedding` columns of a perturbation.
 *  Not for programs. */
void sow_hypermap_effort(double *operations, double *bytes, const sow_hypermap_options *options, sow_index genes, sow_index embedding);

#ifdef __cplusplus
}
#endif
#endif
