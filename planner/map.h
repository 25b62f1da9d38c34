/* The whole map: every context x every perturbation that the campaign's model can say anything about, as a file, and the shape of it all.
 *
 * Every context is the target in turn. What is measured there (all rows of a reference; of the campaign's target what the campaign has measured, never what is held out) is what the model is adapted to, all
 * rows of the others are known, and the model, fitted anew, predicts every perturbation. Responses and their space are the campaign's own: a row is the same numbers whichever context is the target.
 *
 * map.c goes through the contexts, and once more through what it has written; map_rows.c fits and predicts one; map_shape.c says what is strong, what is variable and what lies near what; map_files.c writes. What is held at a time is one context
 * [perturbations, genes] in single precision, the running mean over contexts as large again, and a few numbers of every row. */
#ifndef SOWER_PLANNER_MAP_H
#define SOWER_PLANNER_MAP_H

#include "core/sketch.h"
#include "planner/cells_internal.h"

/** What may be said of every perturbation, made from the rows of one context after the other. */
typedef struct {
    sow_index n, d, contexts; /* contexts so far */
    const unsigned char *measured; /* [n] in some context; borrowed */
    double *size;             /* [n] sum of |change| over genes and contexts */
    float *mean;              /* [n, d] of the z-scored changes over the contexts so far */
    double *spread;           /* [n] sum of squared deviations from it */
    double *centre, *sd;      /* [contexts, d] of each; sd 0: the gene says nothing there */
    sow_running_sketch sketch;
    float *scores;            /* [contexts, n, sketch.l] of the second look */
    sow_index seen;           /* contexts looked at again */
    unsigned char *alike;     /* [n] not measured anywhere, and predicted the same as all others of which that is true */
    sow_index n_alike;
    double *magnitude, *specificity; /* [n] NaN = undefined */
    double median_magnitude, median_specificity; /* over those not alike; NaN = undefined */
    double first_share;       /* of the variance of all z-scored rows in their first principal component */
    sow_index n_clusters;     /* 0: none were made */
    sow_index *cluster;       /* [n] 1, 2, ... by size; 0 = none */
    int has_layout;
    double *xy;               /* [n, 2] NaN = no place */
} sow_i_map_shape;

SOW_MUST_CHECK sow_status sow_i_map_shape_make(sow_i_map_shape *s, sow_index n, sow_index d, sow_index most_contexts, const unsigned char *measured, sow_error *err);
/** The rows [n, d] of one more context. They are z-scored in place. */
SOW_MUST_CHECK sow_status sow_i_map_shape_add(sow_i_map_shape *s, float *rows, const sow_env *env, sow_error *err);
/** The rows of a context once more as they were, after all have been added: which direction is the first is known only then. They are z-scored in place. */
SOW_MUST_CHECK sow_status sow_i_map_shape_again(sow_i_map_shape *s, sow_index context, float *rows, const sow_env *env, sow_error *err);
/** What follows of all contexts, each seen again. s->mean is used up. */
SOW_MUST_CHECK sow_status sow_i_map_shape_finish(sow_i_map_shape *s, uint64_t seed, const sow_env *env, sow_error *err);
void sow_i_map_shape_clear(sow_i_map_shape *s);
/** "strong consistent", "weak" where contexts say nothing, "" for those alike. */
const char *sow_i_map_class(const sow_i_map_shape *s, sow_index i);

typedef struct {
    sow_campaign *c;
    const sow_env *env;
    sow_index n, d;
    sow_index *perturbation;      /* [n] those of the map, in the order of the catalogue */
    unsigned char *measured;      /* [n] in some context */
    sow_index n_contexts, *context; /* those of the map, in the order of the screen */
    char *left_out;               /* the target, when the model cannot predict it, and why; or NULL */
    sow_index n_unknown;          /* perturbations left out: measured nowhere, and without a prior */
    sow_index *item;              /* [n_contexts, n] place in the campaign's training + 1; 0 = not observed */
    char **learned;               /* [n_contexts] what the model says it learned */
    sow_i_map_shape shape;
} sow_i_map;

static inline const char *sow_i_map_context_name(const sow_i_map *m, sow_index k)
{
    return sow_names_get(m->c->screen->contexts, m->context[k]);
}

/* map_rows.c */
/** What a model is given when `target` is the new context: the campaign's training, which it borrows from. */
typedef struct {
    sow_training view;
    sow_training_cells cells_of;
} sow_i_map_training;
void sow_i_map_training_make(sow_i_map_training *t, const sow_campaign *c, sow_index target);

/* The model of one context after the other. */
typedef struct {
    sow_campaign *owner;          /* of the model, when it is the campaign's; else NULL */
    sow_i_map_training *training; /* of another model */
    sow_model *model;
} sow_i_map_fit;
/** The model for context k of the map in place of the last one. The campaign's own is forgotten when its turn is over: its memory is wanted. */
SOW_MUST_CHECK sow_status sow_i_map_fit_next(sow_i_map_fit *f, const sow_i_map *m, sow_index k, sow_error *err);
void sow_i_map_fit_clear(sow_i_map_fit *f);

/* map_files.c */
struct sow_h5ad_table;
/** Write obs and where the numbers come from, and rename to the file. Takes *table, whatever happens. */
SOW_MUST_CHECK sow_status sow_i_map_finish_table(struct sow_h5ad_table **table, const sow_i_map *m, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_map_write_csv(const sow_i_map *m, const char *path, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_map_write_page(const sow_i_map *m, const char *path, sow_error *err);

/* predict.c */
/** measured, held out, ... of a perturbation in the campaign's target. */
const char *sow_i_status_of(const sow_campaign *c, sow_index site, sow_index q);
const sow_names *sow_i_feature_names(const sow_campaign *c);

/* map.c */
/** `file` is where the .h5ad goes; the .csv and .html lie beside it. */
SOW_MUST_CHECK sow_status sow_i_write_map(sow_campaign *c, const char *file, const sow_env *env, sow_error *err);

#endif
