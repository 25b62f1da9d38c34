/* The auxiliary network of loss-prediction (Yoo & Kweon 2019, as in MORPH's published code; morph.md 5.2): from the features of a
 * perturbation to the loss that the main model has on it.
 *
 *   hidden = LeakyReLU_0.2(x W1' + b1),  out = hidden W2' + b2      hidden width dim / 2 if that exceeds the outputs, else as many
 *
 * Adam, the weights of the pass that is best on held-back perturbations. loss_network.c is the network and its criteria on the tape,
 * loss_fit.c the training, loss_target.c what it learns, loss_prediction.c the row of the table. */
#ifndef SOWER_ACQUISITION_LOSS_NETWORK_H
#define SOWER_ACQUISITION_LOSS_NETWORK_H

#include "acquisition/strategy.h"
#include "core/params.h"
#include "core/tape.h"

enum { SOW_I_LOSS_BINS = 15 };

typedef enum {
    SOW_I_LOSS_PUBLISHED,  /* squared error of raw losses and features, one example a step: Adam 2e-3, 50 passes */
    SOW_I_LOSS_REGRESSION, /* squared error of standardised losses and features, mini-batches */
    SOW_I_LOSS_BINNED,     /* cross-entropy over 15 bins of equal width */
    SOW_I_LOSS_RANKING     /* logistic loss of pairs: mean of log(1 + exp(score of the lower - score of the higher)) */
} sow_i_loss_form;

/** The form of a word of sow_strategy_options.loss_form (NULL = "regression"). */
SOW_MUST_CHECK sow_status sow_i_loss_form_find(sow_i_loss_form *out, const char *name, sow_error *err);
/** 15 for BINNED, else 1. */
sow_index sow_i_loss_outputs(sow_i_loss_form form);
sow_index sow_i_loss_hidden(sow_index dim, sow_index outputs);

/* ---- network ---- */

/** fc1.weight [hidden, dim], fc1.bias [1, hidden], fc2.weight [outputs, hidden], fc2.bias [1, outputs]; torch's initialisation from our streams. */
SOW_MUST_CHECK sow_status sow_i_loss_params(sow_params **out, sow_index dim, sow_index outputs, sow_dtype dtype, uint64_t seed,
                                            uint32_t network, sow_error *err);
/** x [m, dim] -> [m, outputs]. */
sow_var sow_i_loss_forward(sow_tape *t, sow_params *p, sow_var x);
/** Ranking criterion of score [m, 1] over n pairs of rows, the first of each with the higher loss: higher, lower and `first` (n
 * zeros) are borrowed until the tape's reset. Stable for any difference of scores. */
sow_var sow_i_loss_pairs(sow_tape *t, sow_var score, const sow_index *higher, const sow_index *lower, const sow_index *first, sow_index n);

/** The 16 edges of the bins from the lowest to the highest loss, in float and with torch.linspace's roundings. */
void sow_i_loss_edges(float edges[SOW_I_LOSS_BINS + 1], double lowest, double highest);
/** A loss in (edge_k, edge_k+1] is in bin k; what lies outside is in the first or last. */
sow_index sow_i_loss_bin(double loss, const float edges[SOW_I_LOSS_BINS + 1]);

/* ---- what is learned ---- */

/** Examples from a view's losses. Rows are the labelled perturbations that have a loss and features. */
typedef struct {
    sow_index n_rows;
    sow_index *labelled; /* [n_rows] position among the labelled, ascending */
    double *row_loss;    /* [n_rows] mean of its losses, weighted by their cells where all are known */
    sow_index n;         /* examples: one a row, or one a loss where each_loss was asked for */
    sow_index *row;      /* [n] */
    double *y;           /* [n] */
    int held_only;       /* only losses out of sample were used */
    int differ;          /* some two y differ */
} sow_i_loss_targets;

/** target "all" or "held" (NULL = all): held ones only, where at least half of the rows have one. cells != 0: y loses the slope of a
 * least-squares line on log(cells) of the example, and stays at the mean of log(cells). SOW_E_CONFIG for another word, and with `cells`
 * where nothing is known of cells; SOW_E_DATA when no perturbation with a loss has features. Clear it on failure too. */
SOW_MUST_CHECK sow_status sow_i_loss_targets_make(sow_i_loss_targets *out, const sow_pool_view *view, const char *target, int cells,
                                                  int each_loss, sow_error *err);
void sow_i_loss_targets_clear(sow_i_loss_targets *t);

/* ---- training ---- */

typedef struct {
    sow_i_loss_form form;
    sow_index members; /* networks averaged, each with weights, order and validation set of its own */
    uint64_t seed;     /* names their streams */
} sow_i_loss_settings;

typedef struct {
    sow_index dim, n_rows, n; /* features; rows; examples */
    const double *x;          /* [n_rows, dim] */
    const sow_index *row;     /* [n] */
    const double *y;          /* [n] */
} sow_i_loss_examples;

/** Fits on the examples and predicts: out [m] for candidates [m, dim]. REGRESSION and PUBLISHED: a loss. RANKING: a score, higher =
 * worse predicted. BINNED: the position of the most likely bin. 15 % of the rows (one at least; none below five rows) choose the
 * pass. SOW_E_NONFINITE where features or losses are beyond what the network can hold; SOW_E_CANCELLED. Members run at the same
 * time; the same bits for any number of threads. Cost: 50 passes over the examples. */
SOW_MUST_CHECK sow_status sow_i_loss_fit_predict(double *out, const sow_i_loss_examples *examples, const double *candidates, sow_index m,
                                                 const sow_i_loss_settings *settings, const sow_env *env, sow_error *err);

#endif
