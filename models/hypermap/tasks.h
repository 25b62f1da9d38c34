/* Batches of cells for HyperMap: what learn.c and adapt.c share. Not installed. */
#ifndef SOWER_MODELS_HYPERMAP_TASKS_H
#define SOWER_MODELS_HYPERMAP_TASKS_H

#include "core/rng.h"
#include "models/hypermap/learn.h"

/** Room for one batch of at most `most` cells; owns what `batch` borrows. */
typedef struct {
    sow_hypermap_batch batch;
    sow_index most;
    float *x, *y, *e;
    sow_index *e_row, *control;
} sow_i_hypermap_stage;
SOW_MUST_CHECK sow_status sow_i_hypermap_stage_make(sow_i_hypermap_stage *s, const sow_hypermap_data *d, sow_index most, sow_error *err);
void sow_i_hypermap_stage_clear(sow_i_hypermap_stage *s);

/** How cells find their controls: a function of the row, and of `turn` where they are drawn anew. */
typedef struct {
    uint64_t seed;
    uint32_t turn; /* 0: every row keeps its control */
} sow_i_hypermap_pairing;
/** The cells at rows `row` [n <= most] of a context, with their controls and embeddings (each once). */
SOW_MUST_CHECK sow_status sow_i_hypermap_fill(sow_i_hypermap_stage *s, const sow_hypermap_data *d, sow_index context, const sow_index *row, sow_index n, const sow_i_hypermap_pairing *pairing, sow_error *err);

/** Rows of a context in random order, handed out in batches; a new order when none are left. As published the last batch of an order may be short. */
typedef struct {
    sow_index n, at;
    sow_index *row; /* [n] */
    sow_rng rng;
} sow_i_hypermap_deck;
/** Of the rows of a context whose perturbation has use[p] == wanted (use NULL: all). The deck may be empty. */
SOW_MUST_CHECK sow_status sow_i_hypermap_deck_make(sow_i_hypermap_deck *deck, const sow_hypermap_data *d, sow_index context, const unsigned char *use, int wanted, sow_rng rng, sow_error *err);
void sow_i_hypermap_deck_clear(sow_i_hypermap_deck *deck);
/** The next at most `most` rows, *rows borrowed until the next deal; how many (0 only of an empty deck). */
sow_index sow_i_hypermap_deal(const sow_index **rows, sow_i_hypermap_deck *deck, sow_index most);

/** Perturbations of a context, ascending; list [n_embeddings], how many. */
sow_index sow_i_hypermap_perturbations(sow_index *list, const sow_hypermap_data *d, sow_index context);

#endif
