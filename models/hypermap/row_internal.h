/* Parts of the row `hypermap` of the model table. settings.c decides what is not said, space.c has contexts and the numbers that responses are told in, world.c what the networks learn from, hypermap.c fits and
 * predicts, adapted.c turns to the target, variance.c says how sure it is, keep.c learns and saves, stack.c joins with gp, whole.c has the published way to predict. programs.h and learn.h are the two forms. Not installed. */
#ifndef SOWER_MODELS_HYPERMAP_ROW_INTERNAL_H
#define SOWER_MODELS_HYPERMAP_ROW_INTERNAL_H

#include "core/pca.h"
#include "models/hypermap/learn.h"
#include "models/hypermap/programs.h"
#include "models/model_internal.h"

enum { SOW_I_HYPERMAP_CONTROLS = 20 }; /* control cells that a prediction is the mean over, as published */

/* ---- settings ---- */

typedef struct {
    sow_hypermap_options o;           /* nothing left to choose */
    sow_hypermap_sizes sizes;         /* genes, embedding and cells are the world's to say */
    sow_hypermap_learning learning;   /* seed and validation are each member's */
    uint64_t seed;
    sow_index components;
} sow_i_hypermap_settings;

/** SOW_E_CONFIG names what does not go together. */
SOW_MUST_CHECK sow_status sow_i_hypermap_settle(sow_i_hypermap_settings *s, const sow_model_options *options, const sow_training *t, sow_error *err);

/* ---- contexts and numbers ---- */

/** Scores: coordinates along the principal components of the references' responses, over their root mean square; or (cells) genes as they are. */
typedef struct {
    const sow_training *t;       /* borrowed until the fit has ended */
    sow_index n_items, d, k;     /* of the catalogue, or the highest position seen; genes; numbers */
    sow_index n_references;
    sow_index *context;          /* [n_references + 1] of the screen; the target is last */
    int genes;                   /* numbers are genes */
    sow_pca components;
    double scale;
    double *mean_response;       /* [d] over the references' rows */
} sow_i_hypermap_space;

SOW_MUST_CHECK sow_status sow_i_hypermap_space_make(sow_i_hypermap_space *s, const sow_i_hypermap_settings *settings, const sow_training *t, const sow_env *env, sow_error *err);
void sow_i_hypermap_space_clear(sow_i_hypermap_space *s);
/** Place of a context of the screen; -1 = none. */
sow_index sow_i_hypermap_place(const sow_i_hypermap_space *s, sow_index context);
/** y [n, d] in numbers, z [n, k]. */
SOW_MUST_CHECK sow_status sow_i_hypermap_to_numbers(double *z, const sow_i_hypermap_space *s, const double *y, sow_index n, const sow_env *env, sow_error *err);
/** change [d] += numbers z [k]. */
void sow_i_hypermap_add_numbers(double *change, const sow_i_hypermap_space *s, const double *z);

/* ---- what the networks learn from ---- */

typedef struct {
    const sow_i_hypermap_space *space;
    const sow_prior_set *priors; /* borrowed; NULL where the embedding has none */
    int cells, by_response, one_hot;
    double *sum, *count;         /* [n_items, k], [n_items] over reference rows */
    double *typical;             /* [k] mean over the references' perturbations of what they do there */
    sow_index *hot;              /* [n_items] one-hot: column of a perturbation of the references; -1 = none */
    sow_index prior_dim, width;  /* of the embedding: k + 1 where by_response, prior_dim (+ 1), or perturbations of the references */
    double prior_scale;
    /* rows, by context */
    sow_index *start;            /* [n_references + 2] */
    sow_index *item;             /* [rows] of the training */
    sow_index *cell;             /* [rows] cells: position in the table */
    sow_index *embedding;        /* [rows] */
    float *y;                    /* means: [items of the training, k] responses less their context's shift; NULL for cells */
    sow_index n_embeddings;
    float *e;                    /* [n_embeddings, width] */
    /* controls */
    sow_index x_width;
    sow_index *n_controls;       /* [n_references + 1] */
    const sow_index **control;   /* [n_references + 1] cells: positions; borrowed like t */
    float *x;                    /* means: [n_references + 1, x_width] what tells contexts apart */
    double *mean_control;        /* [n_references + 1, d], where there are cells */
    const sow_env *env;
} sow_i_hypermap_world;

SOW_MUST_CHECK sow_status sow_i_hypermap_world_make(sow_i_hypermap_world *w, sow_i_hypermap_settings *s, const sow_i_hypermap_space *space, const sow_env *env, sow_error *err);
void sow_i_hypermap_world_clear(sow_i_hypermap_world *w);
/** The references, or (with the target) all contexts. Borrows the world. */
sow_hypermap_data sow_i_hypermap_data(sow_i_hypermap_world *w, int with_target);
/** Means: y of the target's items with this shift [d]. */
SOW_MUST_CHECK sow_status sow_i_hypermap_world_shift(sow_i_hypermap_world *w, const double *shift, sow_error *err);
/** The embedding of a perturbation in the target [width]; 0 = nothing is known of it. */
int sow_i_hypermap_embed(float *e, const sow_i_hypermap_world *w, sow_index perturbation);
/** Controls of the target that predictions are made from: x [*n, x_width], *n at most SOW_I_HYPERMAP_CONTROLS; caller frees. */
SOW_MUST_CHECK sow_status sow_i_hypermap_target_controls(float **x, sow_index *n, sow_i_hypermap_world *w, uint64_t seed, sow_error *err);
/** All that the networks learn from other contexts with, in 64 bits. */
uint64_t sow_i_hypermap_world_print(const sow_i_hypermap_world *w, const sow_i_hypermap_settings *s);
void sow_i_hypermap_print_bytes(uint64_t *print, const void *bytes, size_t n);

/* ---- the model ---- */

typedef struct {
    sow_params *meta;            /* learned from the references */
    sow_hypermap_course course;
} sow_i_hypermap_member;

/** What adapting to the target leaves. */
typedef struct {
    double *shift;               /* [d] what the target adds to all; zeros for cells */
    double believed;             /* how much of what sets its mean apart from the references' that is, 0..1 */
    double *activity;            /* [rank] programs */
    double *covariance;          /* [rank, rank] of the activities */
    sow_params **member;         /* [n_members] networks */
} sow_i_hypermap_adapted;

typedef struct {
    sow_model *base;             /* gp; NULL = alone */
    double weight;               /* of what is not gp; -1 = not chosen yet */
    sow_index held;              /* items it was chosen on */
} sow_i_hypermap_stack;

/** Gene by gene, of every prediction alike; and the programs in genes. */
typedef struct {
    double *shift;               /* [d] variance of what the target adds to all */
    double *noise;               /* [d] of a response beside shift and programs */
    double *along;               /* [rank, d] */
} sow_i_hypermap_doubts;

typedef struct {
    sow_model model;
    sow_i_hypermap_settings s;
    sow_i_hypermap_space space;
    const sow_names *catalogue;  /* borrowed; NULL = no names */
    sow_index target, n_seeds;   /* rows of the target */
    sow_index n_known, prior_dim; /* rows of the other contexts; dimensions of the priors together */
    sow_programs programs;
    sow_i_hypermap_world w;      /* networks from here */
    sow_index n_members;         /* 0 = programs */
    sow_i_hypermap_member *member; /* [n_members] */
    float *x;                    /* [n_x, x_width] controls of the target */
    sow_index n_x;
    float *whole;                /* reference: [n_items, d] what the published way says of all at once */
    sow_i_hypermap_adapted adapted;
    sow_i_hypermap_stack stack;
    double apart, rest;          /* squared lengths: how far the references' shifts are from their mean, and what is left of a row beside shift and programs; 0, 0 = not known (one reference) */
    double *apart_of, *rest_of;  /* [d] the same gene by gene, but where nothing is known of it 0 */
    sow_i_hypermap_doubts doubts; /* programs */
    uint64_t print;              /* of all that is learned from */
} sow_i_hypermap_model;

/* adapted.c */
/** apart and rest, from the references. */
SOW_MUST_CHECK sow_status sow_i_hypermap_measure_shifts(sow_i_hypermap_model *m, const sow_env *env, sow_error *err);
/** Adapted to those items of the target with use[i] != 0 (NULL = all). On failure: clear all the same. */
SOW_MUST_CHECK sow_status sow_i_hypermap_adapt(sow_i_hypermap_adapted *to, sow_i_hypermap_model *m, const unsigned char *use, const sow_env *env, sow_error *err);
void sow_i_hypermap_adapted_clear(sow_i_hypermap_adapted *a, sow_index n_members);
/** 1: there is something to tell this perturbation from others by. */
SOW_MUST_CHECK sow_status sow_i_hypermap_knows(int *knows, const sow_i_hypermap_model *m, sow_index perturbation, sow_error *err);
/** Change of a perturbation in the target [d]; of one that nothing is known of, what the target adds to all. */
SOW_MUST_CHECK sow_status sow_i_hypermap_ask(double *change, const sow_i_hypermap_adapted *a, const sow_i_hypermap_model *m, sow_index perturbation, sow_error *err);

/* variance.c */
/** After adapting. Programs only. */
SOW_MUST_CHECK sow_status sow_i_hypermap_doubts_make(sow_i_hypermap_model *m, const sow_env *env, sow_error *err);
void sow_i_hypermap_doubts_clear(sow_i_hypermap_doubts *x);
/** Variance [d] of what programs say of a perturbation in the target; that of a response about it is doubts.noise. Cost: rank^2 d. */
SOW_MUST_CHECK sow_status sow_i_hypermap_variance(double *var, const sow_i_hypermap_model *m, sow_index perturbation, sow_error *err);

/* stack.c */
SOW_MUST_CHECK sow_status sow_i_hypermap_stack_make(sow_i_hypermap_model *m, const sow_training *t, const sow_model_options *options, const sow_env *env, sow_error *err);

/* whole.c */
SOW_MUST_CHECK sow_status sow_i_hypermap_whole(sow_i_hypermap_model *m, const sow_env *env, sow_error *err);

/* keep.c */
SOW_MUST_CHECK sow_status sow_i_hypermap_save(const sow_model *model, sow_archive *out, sow_error *err);
/** What was learned from the references, from an archive of sow_i_hypermap_save; SOW_E_DATA where it is of something else. */
SOW_MUST_CHECK sow_status sow_i_hypermap_restore(sow_i_hypermap_model *m, const sow_archive *a, sow_error *err);
/** Learn all members' meta weights, going on from `options->resume`. */
SOW_MUST_CHECK sow_status sow_i_hypermap_learn_all(sow_i_hypermap_model *m, const sow_model_options *options, const sow_env *env, sow_error *err);

#endif
