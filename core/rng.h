/* Counter-based random numbers: Philox4x32-10 (Salmon et al. 2011).
 *
 * A stream is named by (campaign seed, purpose, round, item); two streams never overlap, and what one draws does not depend on
 * threads, ranks or on what other streams drew. A generator is a small value: copy it to fork, pass a pointer to draw. */
#ifndef SOWER_CORE_RNG_H
#define SOWER_CORE_RNG_H

#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What a stream is for: part of its key, so that two uses never share numbers. Append only: the values are part of the results. */
typedef enum {
    SOW_RNG_SPLIT = 1,     /* held-out perturbations */
    SOW_RNG_STRATEGY = 2,  /* acquisition */
    SOW_RNG_MODEL = 3,     /* model fitting */
    SOW_RNG_ORACLE = 4,    /* measurement noise of the simulator */
    SOW_RNG_WORLD = 5,     /* the simulator's truth */
    SOW_RNG_SHUFFLE = 6,   /* the shuffled-prior control */
    SOW_RNG_BOOTSTRAP = 7, /* intervals */
    SOW_RNG_DRAW = 8,      /* posterior draws */
    SOW_RNG_DESIGN = 9,    /* order sheet: plate positions */
    SOW_RNG_CELLS = 10,    /* replay: which cells are handed out */
    SOW_RNG_CONTROLS = 11, /* replay: which controls */
    SOW_RNG_CAP = 12,      /* caps on cells of a group */
    SOW_RNG_METRIC = 13,   /* subsets of cells that a metric is taken on */
    SOW_RNG_PARAMS = 14,   /* initial weights */
    SOW_RNG_BATCHES = 15,  /* training: order of cells and batches */
    SOW_RNG_DROPOUT = 16,  /* masks */
    SOW_RNG_LATENT = 17,   /* noise of a cell latent */
    SOW_RNG_FOLDS = 18,    /* splits of an evaluation, validation sets */
    SOW_RNG_LOSSNET = 19,  /* loss predictor */
    SOW_RNG_SCREEN = 20,   /* made cells of a simulated screen */
    SOW_RNG_STACK = 21,    /* perturbations that say how far members of an ensemble differ */
    SOW_RNG_PREDICT = 22,  /* controls that predicted cells are made from */
    SOW_RNG_LAYOUT = 23,   /* the picture of a map */
    SOW_RNG_SKETCH = 24,   /* directions that a large matrix is looked at from first */
    SOW_RNG_LAB = 27,      /* what happens to a made cell in the lab: its batch and guide, escapes, doublets; samples that are lost */
    SOW_RNG_TEST = 1000
} sow_rng_purpose;

typedef struct {
    uint32_t key[2];
    uint32_t counter[4]; /* [0] counts blocks; the others name the stream */
    uint32_t block[4];
    uint32_t used; /* words of `block` already handed out; 4 = none left */
    uint32_t has_normal;
    double normal;
} sow_rng;

/** A stream. Any values are allowed; distinct names give independent streams. 2^34 words before it repeats. */
sow_rng sow_rng_make(uint64_t seed, sow_rng_purpose purpose, uint32_t round, uint32_t item);
/** One Philox4x32-10 block, for tests against the published known answers. */
void sow_rng_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);

uint32_t sow_rng_u32(sow_rng *rng);
double sow_rng_uniform(sow_rng *rng);                       /* in (0, 1): the odd multiples of 2^-53, never 0 or 1 */
double sow_rng_normal(sow_rng *rng);                        /* standard normal, Box-Muller */
double sow_rng_gamma(sow_rng *rng, double shape);           /* scale 1, shape > 0; Marsaglia & Tsang 2000 */
sow_index sow_rng_poisson(sow_rng *rng, double mean);       /* 0 <= mean < 1e15; Hörmann 1993 (PTRS) from 10 on */
sow_index sow_rng_below(sow_rng *rng, sow_index n);         /* uniform on 0..n-1, n >= 1, without modulo bias; two words each */
void sow_rng_permute(sow_rng *rng, sow_index *a, sow_index n); /* Fisher-Yates, in place */

#ifdef __cplusplus
}
#endif
#endif
