/* Models: one table of functions, one row and one file a model. See docs/adding-a-model.md.
 *
 * A model is fitted on measured (perturbation, context) items and predicts others. Perturbations are positions in the catalogue, contexts
 * positions in the screen's contexts. Values are already transformed and adjusted. Models know nothing of strategies, pools or files. */
#ifndef SOWER_MODELS_MODEL_H
#define SOWER_MODELS_MODEL_H

#include "core/archive.h"
#include "core/env.h"
#include "core/pca.h"
#include "core/prepare.h"
#include "core/prior.h"
#include "core/rng.h"
#include "core/screen.h"
#include "core/status.h"
#include "models/hypermap_options.h"
#include "models/morph_options.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The cells behind the items, where the readout is cells. Borrowed as long as the model lives: a model that learns from distributions prepares rows when it needs them. */
typedef struct {
    const sow_cells *table;
    const sow_preparation *space; /* its d is the training's n_features */
    const sow_index *start;       /* [n + 1] into cell, of every item */
    const sow_index *cell;        /* positions in the table */
    const sow_index *control;     /* [n_control] controls of the target context handed out so far, ascending */
    sow_index n_control;
} sow_training_cells;

/** What is measured. All arrays borrowed: y, cells and the positions until fit returns (y longer where it is said to last); priors, response and catalogue as long as the model lives. */
typedef struct {
    sow_index n;                   /* items */
    sow_index n_features;          /* d: 1 for a scalar */
    sow_index n_contexts;
    sow_index target;              /* the context the campaign plans in */
    const sow_index *perturbation; /* [n] */
    const sow_index *context;      /* [n] target and reference contexts */
    const double *y;               /* [n, d] */
    const double *cells;           /* [n] cells behind each value; NaN unknown; NULL = all unknown */
    const sow_prior_set *priors;   /* may have n_priors == 0 */
    const sow_pca *response;       /* profile: response components of what is learned from; NULL for a scalar */
    int relative;                  /* values are changes from controls: 0 is no change, which a model may believe in when little is measured */
    const sow_perturbation *detail; /* agents of every perturbation of the catalogue, or NULL = not known: nothing is a combination */
    const sow_names *catalogue;    /* names of the perturbations, or NULL; with detail: to find the single of each agent */
    const sow_training_cells *cells_of; /* cells behind the items, or NULL */
    int lasting;                   /* y outlives the model and does not change: it need not be copied */
} sow_training;

/** What is asked. All arrays borrowed. */
typedef struct {
    sow_index n;
    const sow_index *perturbation; /* [n] */
    const sow_index *context;      /* [n] */
    const double *cells;           /* [n] planned or known cells, for the noise of a future measurement; NULL/NaN = typical */
} sow_query;

typedef enum {
    SOW_CAP_SCALAR = 1 << 0,   /* n_features == 1 */
    SOW_CAP_PROFILE = 1 << 1,  /* n_features > 1 */
    SOW_CAP_VARIANCE = 1 << 2, /* var and noise are filled */
    SOW_CAP_JOINT = 1 << 3,    /* posterior(): joint covariance columns and draws */
    SOW_CAP_NEEDS_PRIOR = 1 << 4, /* cannot predict a candidate without a prior row (it is named and left out) */
    SOW_CAP_CONTEXTS = 1 << 5, /* learns from reference contexts */
    SOW_CAP_LATENT = 1 << 7,   /* embed, drift and losses */
    SOW_CAP_GENERATES = 1 << 8, /* generate: predicts cells, not only their mean */
    SOW_CAP_NEEDS_CELLS = 1 << 9, /* learns from the cells themselves (sow_training.cells_of) */
    SOW_CAP_META = 1 << 10, /* learns in two steps, first from the other contexts' items and then from the target's: a fit whose options.warm was fitted on the same items of other contexts takes the first step from it, and the result is the same, bit for bit */
    SOW_CAP_NOISE_BY_CELLS = 1 << 11, /* noise follows the cells of the query, as far as the cells of what was measured are known */
    SOW_CAP_CELLS = 1 << 6     /* predicts mean shifts of cells: a profile model whose features are genes; cells are shifted controls (models/cells.h) */
} sow_model_caps;

typedef struct sow_model sow_model;         /* a fitted model; first member of each implementation is sow_model_base */

/** Every knob of every model of this table; config.c fills it, a model reads what it documents. */
typedef struct {
    uint64_t seed;
    sow_index neighbours;   /* knn: k, >= 1 [10] */
    const char *kernel;     /* gp: "auto" (by marginal likelihood), "rbf", "exponential", "matern32", "tanimoto", "linear" for every prior */
    const char *transfer;   /* gp: "coregionalised", "mean", "none": how reference contexts are used */
    sow_index iterations;   /* gp: most optimiser iterations [60] */
    sow_index components;   /* gp, profile: response components modelled [30] */
    uint32_t round;         /* names the random streams of this fit */
    sow_morph_options morph;
    sow_hypermap_options hypermap;
    const sow_model *warm;  /* a fitted model of the same kind to go on from (warm start), or NULL = from scratch; borrowed during fit */
    /* training that takes long can be interrupted: what `checkpoints` were last given can be passed as `resume` (same training data, options and seed), and the result is the same, bit for bit */
    const sow_archive *resume;
    sow_checkpoints checkpoints; /* take NULL = none */
} sow_model_options;
#define SOW_MODEL_OPTIONS_INIT {1, 10, "auto", "coregionalised", 60, 30, 0, SOW_MORPH_OPTIONS_INIT, SOW_HYPERMAP_OPTIONS_INIT, NULL, NULL, {NULL, NULL, NULL}}

typedef struct sow_posterior sow_posterior; /* a joint posterior over one query, scalar readouts */

/** What a model's loss was on what it has measured: entries in order of perturbation. Owned by who asked; clear with sow_losses_clear. */
typedef struct {
    sow_index n;
    sow_index *perturbation; /* [n] ascending; a perturbation may have several entries (one a batch of cells) */
    double *loss;            /* [n] */
    double *cells;           /* [n] cells it was taken on */
    unsigned char *held;     /* [n] 1: the perturbation was not trained on (validation, or out of fold) */
} sow_losses;
void sow_losses_clear(sow_losses *l);

/** How a training went, epoch by epoch. Owned by who asked; clear with sow_history_clear. */
typedef struct {
    sow_index members, epochs; /* networks; the most epochs any of them ran */
    double *trained, *held;    /* [members, epochs] loss of the predictions for what is learned from and for what is held out to judge epochs; NaN after a member's last epoch, and where nothing is held out */
    sow_index *best;           /* [members] the epoch whose weights were kept, from 0 */
} sow_history;
void sow_history_clear(sow_history *h);

typedef struct {
    const char *name;    /* "gp" */
    const char *summary; /* one sentence for --help and docs */
    unsigned caps;       /* sow_model_caps */
    unsigned (*caps_with)(const sow_model_options *options); /* those that are left with these options; NULL = all. Ask sow_model_caps_with */
    sow_status (*fit)(sow_model **out, const sow_training *training, const sow_model_options *options, const sow_env *env, sow_error *err);
    /* mean [n, d]; var [n, d] variance of the noise-free value; noise [n, d] variance a measurement with the query's cells would add.
     * var and noise may be NULL. Without SOW_CAP_VARIANCE noise is filled with NaN, and var too, or with how far the members of an ensemble differ, which nobody may take for a variance. */
    sow_status (*predict)(const sow_model *model, const sow_query *query, double *mean, double *var, double *noise, const sow_env *env,
                          sow_error *err);
    sow_status (*posterior)(sow_posterior **out, const sow_model *model, const sow_query *query, const sow_env *env, sow_error *err);
    void (*destroy)(sow_model *model);
    /* Optional: one line per learned quantity ("reactome: weight 0.61, tanimoto"), for the report; caller frees. */
    char *(*describe)(const sow_model *model);
    /* SOW_CAP_LATENT: the learned representation of perturbations of the catalogue, [n, latent_dim]; has [n] 0 (and zeros) where there is no prior row */
    sow_index (*latent_dim)(const sow_model *model);
    sow_status (*embed)(const sow_model *model, const sow_index *perturbation, sow_index n, double *latent, unsigned char *has, sow_error *err);
    /* mean over epochs of how far the latent moved, [n]; NaN without a prior row */
    sow_status (*drift)(const sow_model *model, const sow_index *perturbation, sow_index n, double *drift, sow_error *err);
    sow_status (*losses)(const sow_model *model, sow_losses *out, const sow_env *env, sow_error *err);
    /* the model's loss on cells that the caller has: `truth` [n, d] of a perturbation against as many predicted from controls that the model draws; SOW_E_DATA without a prior row */
    sow_status (*loss_on)(const sow_model *model, sow_index perturbation, const float *truth, sow_index n, double *loss, const sow_env *env, sow_error *err);
    /* SOW_CAP_GENERATES: cells of a perturbation from control cells, row by row: out [m, d] */
    sow_status (*generate)(const sow_model *model, sow_index perturbation, sow_index context, const float *control, sow_index m, float *out, const sow_env *env,
                           sow_error *err);
    /* Optional: of a training in epochs */
    sow_status (*history)(const sow_model *model, sow_history *out, sow_error *err);
    /* Optional: keep and bring back; `training` of load is that of the fit. The file's kind is the class's name. */
    int version;
    sow_status (*save)(const sow_model *model, sow_archive *out, sow_error *err);
    sow_status (*load)(sow_model **out, const sow_archive *archive, const sow_training *training, const sow_model_options *options, const sow_env *env, sow_error *err);
} sow_model_class;

struct sow_model {
    const sow_model_class *class_;
    sow_index n_features;
    sow_index n_contexts;
    sow_index n_perturbations; /* of the catalogue, when priors were given; else 0 = not known */
};

/** Joint posterior of the noise-free target value over the query's items (d == 1). */
struct sow_posterior {
    sow_index n;
    double *mean;  /* [n] */
    double *var;   /* [n] */
    double *noise; /* [n] */
    /* covariance of item i with every item: column [n] */
    sow_status (*column)(const sow_posterior *p, sow_index i, double *column, sow_error *err);
    /* draws [s, n] joint; for n above a few thousand the caller passes a subset query */
    sow_status (*draw)(const sow_posterior *p, sow_rng *rng, sow_index s, double *draws, sow_error *err);
    void (*destroy)(sow_posterior *p);
};

/** The table, in the order reports print it; `*n` rows. */
const sow_model_class *const *sow_model_classes(sow_index *n);
/** Row by name or alias; SOW_E_CONFIG with the nearest spelling. */
SOW_MUST_CHECK sow_status sow_model_find(const sow_model_class **out, const char *name, sow_error *err);

/** What a model of these options can do. */
unsigned sow_model_caps_with(const sow_model_class *class_, const sow_model_options *options);

/* Checked front doors: shapes, finiteness, capabilities. */
SOW_MUST_CHECK sow_status sow_model_fit(sow_model **out, const sow_model_class *class_, const sow_training *training,
                                        const sow_model_options *options, const sow_env *env, sow_error *err);
SOW_MUST_CHECK sow_status sow_model_predict(const sow_model *model, const sow_query *query, double *mean, double *var, double *noise,
                                            const sow_env *env, sow_error *err);
SOW_MUST_CHECK sow_status sow_model_posterior(sow_posterior **out, const sow_model *model, const sow_query *query, const sow_env *env,
                                              sow_error *err);
/** Width of the learned representation of a perturbation; 0 when the model has none. */
sow_index sow_model_latent_dim(const sow_model *model);
/* The functions of the class of the same name, checked: SOW_E_UNSUPPORTED where the class has none, SOW_E_SHAPE for a position outside the catalogue or contexts, SOW_E_NONFINITE for a result that is not
 * finite (a drift may be NaN). latent [n, sow_model_latent_dim]; has [n], may be NULL. */
SOW_MUST_CHECK sow_status sow_model_embed(const sow_model *model, const sow_index *perturbation, sow_index n, double *latent, unsigned char *has, sow_error *err);
SOW_MUST_CHECK sow_status sow_model_drift(const sow_model *model, const sow_index *perturbation, sow_index n, double *drift, sow_error *err);
/** *out is overwritten, and empty on failure. */
SOW_MUST_CHECK sow_status sow_model_losses(const sow_model *model, sow_losses *out, const sow_env *env, sow_error *err);
/** *out is overwritten; without members where the model is not trained in epochs. */
SOW_MUST_CHECK sow_status sow_model_history(const sow_model *model, sow_history *out, sow_error *err);
/** truth [n, d], n >= 1. */
SOW_MUST_CHECK sow_status sow_model_loss_on(const sow_model *model, sow_index perturbation, const float *truth, sow_index n, double *loss, const sow_env *env, sow_error *err);
/** control and out [m, d]; m == 0 writes nothing. */
SOW_MUST_CHECK sow_status sow_model_generate(const sow_model *model, sow_index perturbation, sow_index context, const float *control, sow_index m, float *out, const sow_env *env,
                                             sow_error *err);
/** Put into the archive (which must be empty) all that load needs besides the training. */
SOW_MUST_CHECK sow_status sow_model_save(const sow_model *model, sow_archive *out, sow_error *err);
/** The saved model; `training` and options as at its fit. SOW_E_DATA: the archive is of something else. */
SOW_MUST_CHECK sow_status sow_model_load(sow_model **out, const sow_model_class *class_, const sow_archive *archive, const sow_training *training,
                                         const sow_model_options *options, const sow_env *env, sow_error *err);
void sow_model_destroy(sow_model *model);
void sow_posterior_destroy(sow_posterior *p);
char *sow_model_describe(const sow_model *model); /* never NULL on success; caller frees; NULL = out of memory */

#ifdef __cplusplus
}
#endif
#endif
