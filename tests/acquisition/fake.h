/* Pools for tests of strategies: a posterior given by an explicit covariance matrix, and a view with everything a strategy may
 * need. */
#ifndef SOWER_TESTS_ACQUISITION_FAKE_H
#define SOWER_TESTS_ACQUISITION_FAKE_H

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acquisition/constraints.h"
#include "acquisition/strategy.h"
#include "core/linalg.h"
#include "core/memory.h"

typedef struct {
    sow_posterior base; /* first: column() and draw() find the rest behind it */
    double *covariance; /* [n, n] */
} fake_posterior;

static inline sow_status fake_column(const sow_posterior *p, sow_index i, double *column, sow_error *err)
{
    (void)err;
    memcpy(column, ((const fake_posterior *)p)->covariance + i * p->n, (size_t)p->n * sizeof *column);
    return SOW_OK;
}

static inline sow_status fake_draw(const sow_posterior *p, sow_rng *rng, sow_index s, double *draws, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index n = p->n;
    double *l = NULL, *z = NULL;
    SOW_NEW(l, n * n);
    SOW_NEW(z, n);
    memcpy(l, ((const fake_posterior *)p)->covariance, (size_t)(n * n) * sizeof *l);
    for (sow_index i = 0; i < n; i++)
        l[i * n + i] += 1e-9;
    SOW_TRY(sow_cholesky(NULL, n, l, n, err));
    for (sow_index k = 0; k < s; k++) {
        for (sow_index i = 0; i < n; i++)
            z[i] = sow_rng_normal(rng);
        for (sow_index i = 0; i < n; i++)
            draws[k * n + i] = p->mean[i] + sow_dot(i + 1, l + i * n, z);
    }
done:
    free(l);
    free(z);
    return st;
}

typedef struct {
    sow_index n, dim;
    sow_pool_view view;
    fake_posterior posterior;
    char **name;
    double *features, *labelled, *mean, *var, *noise, *reference, *measured, *drift, *true_loss, *loss, *loss_cells;
    sow_index *loss_of;
    unsigned char *has, *loss_held;
    double *delta_values, *delta_error;
    const double **delta;
    sow_index *listed;
} fake_pool;

enum { FAKE_REFERENCES = 3, FAKE_GENES = 4 };

/* Responses in three other contexts: one in four is not measured, and every eleventh candidate nowhere; every third stands in a list. */
static inline void fake_pool_contexts(fake_pool *f, sow_rng *rng)
{
    const sow_index n = f->n, m = n * FAKE_REFERENCES;
    f->delta_values = calloc((size_t)(m * FAKE_GENES), sizeof(double));
    f->delta_error = calloc((size_t)m, sizeof(double));
    f->delta = calloc((size_t)m, sizeof *f->delta);
    f->listed = calloc((size_t)n, sizeof *f->listed);
    for (sow_index k = 0; k < m; k++) {
        for (sow_index j = 0; j < FAKE_GENES; j++) f->delta_values[k * FAKE_GENES + j] = sow_rng_normal(rng);
        f->delta_error[k] = 0.05;
        if (sow_rng_uniform(rng) < 0.75 && (k / FAKE_REFERENCES) % 11 != 10) f->delta[k] = f->delta_values + k * FAKE_GENES;
    }
    for (sow_index i = 0; i < n; i++) f->listed[i] = i % 3 == 0 ? n - i : -1;
    f->view.n_references = FAKE_REFERENCES;
    f->view.n_genes = FAKE_GENES;
    f->view.delta = f->delta;
    f->view.delta_error = f->delta_error;
    f->view.listed = f->listed;
}

enum { FAKE_LABELLED = 7, FAKE_LOSSES = 2 * FAKE_LABELLED };

static const char *const fake_labelled_name[FAKE_LABELLED] = {"AARS", "BRD4", "CDK7", "EEF2", "GATA1", "MED9", "POLR2K"};

/* What a model with latents knows: drift, true loss, and two losses of every labelled, the second out of sample. */
static inline void fake_pool_learned(fake_pool *f, sow_rng *rng)
{
    const sow_index n = f->n;
    f->drift = calloc((size_t)n, sizeof(double));
    f->true_loss = calloc((size_t)n, sizeof(double));
    f->loss = calloc(FAKE_LOSSES, sizeof(double));
    f->loss_cells = calloc(FAKE_LOSSES, sizeof(double));
    f->loss_of = calloc(FAKE_LOSSES, sizeof(sow_index));
    f->loss_held = calloc(FAKE_LOSSES, 1);
    for (sow_index i = 0; i < n; i++) {
        f->drift[i] = f->has[i] ? sow_rng_uniform(rng) : NAN;
        f->true_loss[i] = 0.4 + 0.3 * sow_rng_uniform(rng);
    }
    for (sow_index k = 0; k < FAKE_LOSSES; k++) {
        f->loss_of[k] = k / 2;
        f->loss[k] = 0.4 + 0.3 * sow_rng_uniform(rng);
        f->loss_cells[k] = k % 2 ? 11 : 32;
        f->loss_held[k] = (unsigned char)(k % 2);
    }
    f->view.labelled_name = fake_labelled_name;
    f->view.drift = f->drift;
    f->view.n_losses = FAKE_LOSSES;
    f->view.loss_of = f->loss_of;
    f->view.loss = f->loss;
    f->view.loss_cells = f->loss_cells;
    f->view.loss_held = f->loss_held;
    f->view.true_loss = f->true_loss;
}

/* `n` candidates named P000.. on a smooth random landscape; every seventh has no prior row, every fifth no reference value. */
static inline void fake_pool_init(fake_pool *f, sow_index n, uint64_t seed)
{
    sow_rng rng = sow_rng_make(seed, SOW_RNG_TEST, 3, 0);
    const sow_index dim = 3;
    memset(f, 0, sizeof *f);
    f->n = n;
    f->dim = dim;
    f->name = calloc((size_t)n, sizeof *f->name);
    f->features = calloc((size_t)(n * dim), sizeof(double));
    f->labelled = calloc((size_t)(FAKE_LABELLED * dim), sizeof(double));
    f->mean = calloc((size_t)n, sizeof(double));
    f->var = calloc((size_t)n, sizeof(double));
    f->noise = calloc((size_t)n, sizeof(double));
    f->reference = calloc((size_t)n, sizeof(double));
    f->measured = calloc(FAKE_LABELLED, sizeof(double));
    f->has = calloc((size_t)n, 1);
    f->posterior.covariance = calloc((size_t)(n * n), sizeof(double));
    for (sow_index i = 0; i < n; i++) {
        char name[32];
        snprintf(name, sizeof name, "P%05d", (int)i);
        f->name[i] = strdup(name);
        f->has[i] = i % 7 != 6;
        for (sow_index j = 0; j < dim; j++)
            f->features[i * dim + j] = f->has[i] ? sow_rng_normal(&rng) : 0;
        f->mean[i] = sow_rng_normal(&rng);
        f->noise[i] = 0.1 + 0.1 * sow_rng_uniform(&rng);
        f->reference[i] = i % 5 == 4 ? NAN : sow_rng_normal(&rng);
    }
    for (sow_index i = 0; i < FAKE_LABELLED * dim; i++)
        f->labelled[i] = sow_rng_normal(&rng);
    for (sow_index i = 0; i < FAKE_LABELLED; i++)
        f->measured[i] = sow_rng_normal(&rng);
    for (sow_index i = 0; i < n; i++)
        for (sow_index k = 0; k < n; k++) {
            double d2 = 0;
            for (sow_index j = 0; j < dim; j++)
                d2 += pow(f->features[i * dim + j] - f->features[k * dim + j], 2);
            f->posterior.covariance[i * n + k] = 0.7 * exp(-0.5 * d2) + (i == k ? 0.3 : 0);
        }
    for (sow_index i = 0; i < n; i++)
        f->var[i] = f->posterior.covariance[i * n + i];
    f->posterior.base =
        (sow_posterior){.n = n, .mean = f->mean, .var = f->var, .noise = f->noise, .column = fake_column, .draw = fake_draw};
    f->view = (sow_pool_view){.n = n,
                              .name = (const char *const *)f->name,
                              .dim = dim,
                              .features = f->features,
                              .has = f->has,
                              .n_labelled = FAKE_LABELLED,
                              .labelled_features = f->labelled,
                              .mean = f->mean,
                              .var = f->var,
                              .noise = f->noise,
                              .posterior = &f->posterior.base,
                              .n_measured = FAKE_LABELLED,
                              .measured = f->measured,
                              .threshold = 1.0,
                              .hit_share = 0.1,
                              .reference = f->reference,
                              .round = 1,
                              .picks_after = n / 4,
                              .rng = sow_rng_make(seed, SOW_RNG_STRATEGY, 1, 0)};
    fake_pool_learned(f, &rng);
    fake_pool_contexts(f, &rng);
}

static inline void fake_pool_clear(fake_pool *f)
{
    for (sow_index i = 0; i < f->n; i++)
        free(f->name[i]);
    free(f->name);
    free(f->features);
    free(f->labelled);
    free(f->mean);
    free(f->var);
    free(f->noise);
    free(f->reference);
    free(f->measured);
    free(f->has);
    free(f->drift);
    free(f->true_loss);
    free(f->loss);
    free(f->loss_cells);
    free(f->loss_of);
    free(f->loss_held);
    free(f->posterior.covariance);
    free(f->delta_values);
    free(f->delta_error);
    free(f->delta);
    free(f->listed);
}

#endif
