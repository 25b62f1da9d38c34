/* A small screen for model tests: three priors (sets, a plane, a dense vector), some perturbations without any, two contexts. From a seed. */
#ifndef SOWER_TESTS_MODELS_FIXTURE_H
#define SOWER_TESTS_MODELS_FIXTURE_H

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "models/model.h"

typedef struct {
    sow_index n_items, n, d;
    sow_prior_set set;
    sow_index *perturbation, *context; /* [n] */
    double *y, *cells;                 /* [n, d] [n] */
    double *truth;                     /* [n_items, d] without noise, context 0 */
    sow_training training;
} fixture;

enum { FIXTURE_SETS = 12, FIXTURE_DENSE = 8 };

static inline void fixture_sets(sow_prior *p, sow_index n, sow_rng *rng)
{
    *p = (sow_prior){.name = sow_strdup("pathways"), .kind = SOW_PRIOR_SETS, .n_items = n, .dim = FIXTURE_SETS};
    p->has = calloc((size_t)n, 1);
    p->start = calloc((size_t)n + 1, sizeof *p->start);
    p->member = calloc((size_t)n * FIXTURE_SETS, sizeof *p->member);
    sow_index at = 0;
    for (sow_index i = 0; i < n; i++) {
        p->start[i] = at;
        for (sow_index s = 0; s < FIXTURE_SETS && i % 7 != 6; s++)
            if (s == i % FIXTURE_SETS || sow_rng_uniform(rng) < 0.15) p->member[at++] = s;
        p->has[i] = at > p->start[i];
    }
    p->start[n] = at;
}

static inline void fixture_dense(sow_prior *p, const char *name, sow_index n, sow_index dim, sow_index skip, sow_rng *rng)
{
    *p = (sow_prior){.name = sow_strdup(name), .kind = SOW_PRIOR_DENSE, .n_items = n, .dim = dim};
    p->has = calloc((size_t)n, 1);
    p->x = calloc((size_t)(n * dim), sizeof *p->x);
    for (sow_index i = 0; i < n; i++) {
        p->has[i] = i % 7 != 6 && i % skip != 3;
        for (sow_index k = 0; k < dim; k++) {
            double v = sow_rng_normal(rng);
            if (p->has[i]) p->x[i * dim + k] = v;
        }
    }
}

/* `n` measured of `n_items`, in context 0; `elsewhere` more of the same perturbations in context 1 (and 2). */
static inline fixture fixture_make(sow_index n_items, sow_index n, sow_index elsewhere, sow_index d, uint64_t seed)
{
    fixture f = {.n_items = n_items, .n = n + elsewhere, .d = d};
    sow_rng rng = sow_rng_make(seed, SOW_RNG_TEST, 0, 0);
    f.set = (sow_prior_set){.n_items = n_items, .n_priors = 3, .fused_dim = FIXTURE_DENSE};
    f.set.priors = calloc(3, sizeof *f.set.priors);
    fixture_sets(&f.set.priors[0], n_items, &rng);
    fixture_dense(&f.set.priors[1], "layout", n_items, 2, 11, &rng);
    fixture_dense(&f.set.priors[2], "embedding", n_items, FIXTURE_DENSE, 5, &rng);
    f.set.fused = calloc((size_t)(n_items * FIXTURE_DENSE), sizeof(double));
    memcpy(f.set.fused, f.set.priors[2].x, (size_t)(n_items * FIXTURE_DENSE) * sizeof(double));
    f.set.has_any = calloc((size_t)n_items, 1);
    for (sow_index i = 0; i < n_items; i++) f.set.has_any[i] = i % 7 != 6;
    f.perturbation = calloc((size_t)f.n, sizeof *f.perturbation);
    f.context = calloc((size_t)f.n, sizeof *f.context);
    f.y = calloc((size_t)(f.n * d), sizeof *f.y);
    f.cells = calloc((size_t)f.n, sizeof *f.cells);
    f.truth = calloc((size_t)(n_items * d), sizeof *f.truth);
    for (sow_index i = 0; i < n_items; i++)
        for (sow_index j = 0; j < d; j++) {
            const double *x = f.set.priors[2].x + i * FIXTURE_DENSE, *u = f.set.priors[1].x + i * 2;
            f.truth[i * d + j] = 1.0 + (j % 2 ? x[1] : x[0]) + 0.7 * sin(2 * u[0] + (double)j) + 0.5 * (double)(i % FIXTURE_SETS == 2);
        }
    for (sow_index r = 0; r < f.n; r++) {
        f.perturbation[r] = r < n ? r * n_items / n : (r - n) * n_items / elsewhere;
        f.context[r] = r < n ? 0 : 1 + (r - n) % 2;
        f.cells[r] = r % 9 == 8 ? (double)NAN : 20 + 200 * sow_rng_uniform(&rng);
        for (sow_index j = 0; j < d; j++)
            f.y[r * d + j] = f.truth[f.perturbation[r] * d + j] * (r < n ? 1.0 : 0.8) + 0.4 * (double)f.context[r] + 0.3 * sow_rng_normal(&rng);
    }
    f.training = (sow_training){.n = f.n,
                                .n_features = d,
                                .n_contexts = 3,
                                .target = 0,
                                .perturbation = f.perturbation,
                                .context = f.context,
                                .y = f.y,
                                .cells = f.cells};
    return f;
}

/* The training with its priors: f must stay where it is. */
static inline sow_training *fixture_training(fixture *f)
{
    f->training.priors = &f->set;
    return &f->training;
}

static inline void fixture_clear(fixture *f)
{
    sow_prior_set_clear(&f->set);
    free(f->perturbation);
    free(f->context);
    free(f->y);
    free(f->cells);
    free(f->truth);
}

/* A catalogue g000, g001, ... in which every fifth perturbation is a combination of the two that come after it. */
typedef struct {
    sow_index n;
    sow_names *names;
    sow_perturbation *detail;
} combinations;

static inline void combinations_clear(combinations *k)
{
    for (sow_index i = 0; i < k->n; i++) {
        for (sow_index a = 0; a < k->detail[i].n_agents; a++) free(k->detail[i].agent[a]);
        free(k->detail[i].agent);
        free(k->detail[i].dose);
    }
    free(k->detail);
    sow_names_destroy(k->names);
}

static inline combinations combinations_make(sow_index n)
{
    combinations k = {.n = n, .detail = calloc((size_t)n, sizeof(sow_perturbation))};
    cr_assert_eq(sow_names_create(&k.names, NULL), SOW_OK);
    for (sow_index i = 0; i < n; i++) {
        sow_perturbation *p = &k.detail[i];
        char name[32];
        p->n_agents = i % 5 == 0 ? 2 : 1;
        p->agent = calloc(2, sizeof *p->agent);
        p->dose = calloc(2, sizeof *p->dose);
        for (sow_index a = 0; a < p->n_agents; a++) {
            snprintf(name, sizeof name, "g%03d", (int)(p->n_agents == 2 ? i + 1 + a : i));
            p->agent[a] = sow_strdup(name);
            p->dose[a] = NAN;
        }
        snprintf(name, sizeof name, "item%03d", (int)i);
        cr_assert_eq(sow_names_add(k.names, name, NULL, NULL), SOW_OK);
    }
    return k;
}

/* Every perturbation of the catalogue in context 0. */
typedef struct {
    sow_query q;
    sow_index *perturbation, *context;
    double *mean, *var, *noise;
} asked;

static inline asked ask_all(sow_index n, sow_index d)
{
    asked a = {0};
    a.perturbation = calloc((size_t)n, sizeof(sow_index));
    a.context = calloc((size_t)n, sizeof(sow_index));
    for (sow_index i = 0; i < n; i++) a.perturbation[i] = i;
    a.mean = calloc((size_t)(n * d), sizeof(double));
    a.var = calloc((size_t)(n * d), sizeof(double));
    a.noise = calloc((size_t)(n * d), sizeof(double));
    a.q = (sow_query){.n = n, .perturbation = a.perturbation, .context = a.context};
    return a;
}

static inline void asked_clear(asked *a)
{
    free(a->perturbation);
    free(a->context);
    free(a->mean);
    free(a->var);
    free(a->noise);
}

#define OK(call)                                                               \
    do {                                                                       \
        sow_error e_ = {0};                                                    \
        sow_error *err = &e_;                                                  \
        sow_status s_ = (call);                                                \
        cr_assert_eq(s_, SOW_OK, "%s: %s", sow_status_name(s_), e_.message);   \
    } while (0)
#define NEAR(a, b, tol) cr_assert(fabs((a) - (b)) <= (tol), "%.17g is not %.17g within %g", (double)(a), (double)(b), (double)(tol))

#endif
