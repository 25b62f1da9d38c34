/* A made world of contexts that scale, lose and flip gene programs: context 0 is new, some of it measured; the others are known, each most of it. From a seed. */
#ifndef SOWER_TESTS_MODELS_HYPERMAP_WORLD_H
#define SOWER_TESTS_MODELS_HYPERMAP_WORLD_H

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/stats.h"
#include "models/model_internal.h"

enum { WORLD_ITEMS = 60, WORLD_CONTEXTS = 5, WORLD_D = 24, WORLD_PROGRAMS = 4, WORLD_PRIOR = 6, WORLD_MOST = WORLD_ITEMS * WORLD_CONTEXTS };

typedef struct {
    sow_index n, seeds, perturbation[WORLD_MOST], context[WORLD_MOST];
    double y[WORLD_MOST * WORLD_D];
    double truth[WORLD_CONTEXTS][WORLD_ITEMS][WORLD_D];
    double activity[WORLD_CONTEXTS][WORLD_PROGRAMS], loading[WORLD_ITEMS][WORLD_PROGRAMS], program[WORLD_PROGRAMS][WORLD_D];
    double prior[WORLD_ITEMS * WORLD_PRIOR];
    unsigned char has[WORLD_ITEMS];
    sow_prior dense;
    sow_prior_set priors;
    sow_training t;
} world;

/* `seeds` items of the new context are measured: 0, 1, ..; item 59 nowhere else, and items q with q % 7 == c not in context c. The prior knows the loadings. */
static inline void world_make(world *w, sow_index seeds, double noise, int with_prior)
{
    static const double activity[WORLD_CONTEXTS][WORLD_PROGRAMS] = {{1.4, -0.9, 0, 0.8}, {1, 1.2, 0.7, 0.5}, {0.8, 1, 1.5, -0.6}, {1.3, 0.6, 0.9, 1.6}, {0.7, 1.1, 0, 1.2}};
    sow_rng rng = sow_rng_make(31, SOW_RNG_TEST, 0, 0);
    memset(w, 0, sizeof *w);
    memcpy(w->activity, activity, sizeof activity);
    for (int r = 0; r < WORLD_PROGRAMS; r++)
        for (int g = 0; g < WORLD_D; g++) w->program[r][g] = g % WORLD_PROGRAMS == r ? 1 + 0.3 * sow_rng_normal(&rng) : 0.1 * sow_rng_normal(&rng);
    for (int q = 0; q < WORLD_ITEMS; q++)
        for (int r = 0; r < WORLD_PROGRAMS; r++) w->loading[q][r] = sow_rng_normal(&rng) * (r == q % WORLD_PROGRAMS ? 2 : 0.5);
    for (int q = 0; q < WORLD_ITEMS; q++) {
        w->has[q] = q % 11 != 10;
        for (int j = 0; j < WORLD_PRIOR; j++) w->prior[q * WORLD_PRIOR + j] = !w->has[q] ? 0 : j < WORLD_PROGRAMS ? w->loading[q][j] + 0.1 * sow_rng_normal(&rng) : sow_rng_normal(&rng);
    }
    for (int c = 0; c < WORLD_CONTEXTS; c++)
        for (int q = 0; q < WORLD_ITEMS; q++) {
            for (int g = 0; g < WORLD_D; g++) {
                w->truth[c][q][g] = 0.5 * sin(c * 7 + g);
                for (int r = 0; r < WORLD_PROGRAMS; r++) w->truth[c][q][g] += w->activity[c][r] * w->loading[q][r] * w->program[r][g];
            }
            if (c == 0 ? q >= seeds : q % 7 == c || q == WORLD_ITEMS - 1) continue;
            for (int g = 0; g < WORLD_D; g++) w->y[w->n * WORLD_D + g] = w->truth[c][q][g] + noise * sow_rng_normal(&rng);
            w->perturbation[w->n] = q;
            w->context[w->n++] = c;
        }
    w->seeds = seeds;
    w->dense = (sow_prior){.name = (char *)(uintptr_t)"known", .kind = SOW_PRIOR_DENSE, .n_items = WORLD_ITEMS, .dim = WORLD_PRIOR, .has = w->has, .x = w->prior};
    w->priors = (sow_prior_set){.n_items = WORLD_ITEMS, .n_priors = 1, .priors = &w->dense, .fused_dim = WORLD_PRIOR, .fused = w->prior, .has_any = w->has};
    w->t = (sow_training){.n = w->n, .n_features = WORLD_D, .n_contexts = WORLD_CONTEXTS, .target = 0, .perturbation = w->perturbation, .context = w->context, .y = w->y, .relative = 1};
    if (with_prior) w->t.priors = &w->priors;
}

/* Mean Pearson with the truth, the mean response of the seeds taken off both, over what is not measured in the new context but elsewhere. */
static inline double world_centred(const world *w, const double *mean)
{
    double centre[WORLD_D] = {0}, sum = 0;
    int n = 0;
    for (sow_index q = 0; q < w->seeds; q++)
        for (int g = 0; g < WORLD_D; g++) centre[g] += w->truth[0][q][g] / (double)w->seeds;
    for (sow_index q = w->seeds; q < WORLD_ITEMS - 1; q++, n++) {
        double a[WORLD_D], b[WORLD_D];
        for (int g = 0; g < WORLD_D; g++) a[g] = mean[q * WORLD_D + g] - centre[g], b[g] = w->truth[0][q][g] - centre[g];
        sum += sow_pearson(a, b, WORLD_D);
    }
    return sum / n;
}

static inline sow_query world_ask_all(sow_index q[WORLD_ITEMS], sow_index c[WORLD_ITEMS])
{
    for (sow_index i = 0; i < WORLD_ITEMS; i++) q[i] = i, c[i] = 0;
    return (sow_query){.n = WORLD_ITEMS, .perturbation = q, .context = c};
}

#endif
