/* A small made screen of single cells whose effects follow from a prior: for tests of MORPH's training. From a seed. */
#ifndef SOWER_TESTS_MODELS_MORPH_SCREEN_H
#define SOWER_TESTS_MODELS_MORPH_SCREEN_H

#include <math.h>

#include "../core/made_cells.h"
#include "core/memory.h"
#include "models/model.h"

static sow_error err[1];
#define OK(call) cr_assert_eq((call), SOW_OK, "%s", err->message)
#define SAYS(part) cr_assert(strstr(err->message, part), "message: %s", err->message)

enum { SCREEN_PRIOR = 6 };

/* Perturbations P0 .. P(n-1), of which the first `measured` are; the last of the catalogue has no prior row. */
typedef struct {
    sow_index n_items, measured, d, n_control, n_cells;
    sow_cells table;
    sow_preparation space;
    sow_names *catalogue;
    sow_prior_set priors;
    double *effect; /* [n_items, d] */
    sow_index *perturbation, *context, *start, *cell, *control;
    double *y;
    sow_training_cells cells_of;
    sow_training training;
} screen;

/* Cells of measured perturbation i. */
static inline sow_index screen_count(sow_index i, sow_index cells)
{
    return cells > 0 ? cells : 20 + 17 * (i % 5);
}

static inline void screen_priors(screen *s, sow_rng *rng)
{
    s->priors = (sow_prior_set){.n_items = s->n_items, .n_priors = 1, .fused_dim = SCREEN_PRIOR};
    s->priors.priors = calloc(1, sizeof *s->priors.priors);
    s->priors.priors[0] = (sow_prior){.name = sow_strdup("embedding"), .kind = SOW_PRIOR_DENSE, .n_items = s->n_items, .dim = SCREEN_PRIOR};
    sow_prior *p = &s->priors.priors[0];
    p->has = calloc((size_t)s->n_items, 1);
    p->x = calloc((size_t)(s->n_items * SCREEN_PRIOR), sizeof(double));
    s->priors.has_any = calloc((size_t)s->n_items, 1);
    s->priors.fused = calloc((size_t)(s->n_items * SCREEN_PRIOR), sizeof(double));
    for (sow_index i = 0; i < s->n_items; i++)
        for (sow_index k = 0; k < SCREEN_PRIOR; k++) {
            const double v = sow_rng_normal(rng);
            p->has[i] = s->priors.has_any[i] = i < s->n_items - 1;
            if (p->has[i]) p->x[i * SCREEN_PRIOR + k] = s->priors.fused[i * SCREEN_PRIOR + k] = v;
        }
}

/* Log values: level + effect + noise, cut at 0. The last gene is silent. */
static inline float *screen_values(screen *s, sow_index cells, sow_rng *rng)
{
    float *x = calloc((size_t)(s->n_cells * s->d) + 1, sizeof *x);
    for (sow_index c = 0, i = -1, left = s->n_control; c < s->n_cells; c++, left--) {
        if (left == 0) left = screen_count(++i, cells);
        const double depth = 0.3 * sow_rng_normal(rng);
        for (sow_index j = 0; j < s->d - 1; j++) {
            const double v = 1.5 + 0.5 * (double)(j % 3) + depth + (i >= 0 ? s->effect[i * s->d + j] : 0) + 0.4 * sow_rng_normal(rng);
            x[c * s->d + j] = v > 0 ? (float)v : 0;
        }
    }
    return x;
}

static inline void screen_label(screen *s, sow_index cells)
{
    sow_index at = s->n_control;
    for (sow_index c = 0; c < s->n_control; c++) s->control[c] = c;
    for (sow_index i = 0; i < s->measured; i++) {
        s->perturbation[i] = i;
        for (sow_index k = 0; k < screen_count(i, cells); k++, at++) {
            s->table.perturbation[at] = (int32_t)i;
            s->cell[s->start[i + 1]++ + s->start[i]] = at;
        }
        s->start[i + 1] += s->start[i];
    }
    cr_assert_eq(sow_cells_index(&s->table, s->n_items, 1, NULL), SOW_OK);
}

static inline void screen_means(screen *s, const float *x)
{
    for (sow_index i = 0; i < s->measured; i++)
        for (sow_index j = 0; j < s->d; j++) {
            double sum = 0, base = 0;
            for (sow_index k = s->start[i]; k < s->start[i + 1]; k++) sum += (double)x[s->cell[k] * s->d + j];
            for (sow_index c = 0; c < s->n_control; c++) base += (double)x[c * s->d + j];
            s->y[i * s->d + j] = sum / (double)(s->start[i + 1] - s->start[i]) - base / (double)s->n_control;
        }
}

static inline screen screen_make(sow_index n_items, sow_index measured, sow_index cells, sow_index d, sow_index n_control, uint64_t seed)
{
    screen s = {.n_items = n_items, .measured = measured, .d = d, .n_control = n_control, .n_cells = n_control};
    sow_rng rng = sow_rng_make(seed, SOW_RNG_TEST, 0, 0);
    for (sow_index i = 0; i < measured; i++) s.n_cells += screen_count(i, cells);
    screen_priors(&s, &rng);
    s.effect = calloc((size_t)(n_items * d), sizeof(double));
    double *loading = calloc((size_t)(SCREEN_PRIOR * d), sizeof *loading);
    for (sow_index k = 0; k < SCREEN_PRIOR * d; k++) loading[k] = 0.5 * sow_rng_normal(&rng);
    for (sow_index i = 0; i < n_items; i++)
        for (sow_index j = 0; j < d; j++)
            for (sow_index k = 0; k < SCREEN_PRIOR; k++) s.effect[i * d + j] += s.priors.fused[i * SCREEN_PRIOR + k] * loading[k * d + j];
    free(loading);
    float *x = screen_values(&s, cells, &rng);
    s.table = made_cells(x, s.n_cells, d);
    s.table.is_log[0] = 1;
    sow_names *none = made_names("", 0);
    cr_assert_eq(sow_preparation_make(&s.space, &s.table, s.table.genes, none, (double)NAN, 0, NULL), SOW_OK);
    sow_names_destroy(none);
    s.catalogue = made_names("P", n_items);
    s.perturbation = calloc((size_t)measured + 1, sizeof(sow_index));
    s.context = calloc((size_t)measured + 1, sizeof(sow_index));
    s.start = calloc((size_t)measured + 1, sizeof(sow_index));
    s.cell = calloc((size_t)s.n_cells + 1, sizeof(sow_index));
    s.control = calloc((size_t)n_control + 1, sizeof(sow_index));
    s.y = calloc((size_t)(measured * d) + 1, sizeof(double));
    screen_label(&s, cells);
    screen_means(&s, x);
    free(x);
    return s;
}

/* What a model is given; pointers into *s, which must not move. */
static inline sow_training *screen_training(screen *s)
{
    s->cells_of = (sow_training_cells){&s->table, &s->space, s->start, s->cell, s->control, s->n_control};
    s->training = (sow_training){.n = s->measured, .n_features = s->d, .n_contexts = 1, .perturbation = s->perturbation, .context = s->context, .y = s->y, .priors = &s->priors,
                                 .relative = 1, .catalogue = s->catalogue, .cells_of = &s->cells_of};
    return &s->training;
}

static inline void screen_clear(screen *s)
{
    sow_cells_clear(&s->table);
    sow_preparation_clear(&s->space);
    sow_names_destroy(s->catalogue);
    sow_prior_set_clear(&s->priors);
    free(s->effect);
    free(s->perturbation);
    free(s->context);
    free(s->start);
    free(s->cell);
    free(s->control);
    free(s->y);
}

/* Small widths, few epochs. */
static inline sow_model_options small_options(sow_index epochs)
{
    sow_model_options o = SOW_MODEL_OPTIONS_INIT;
    o.seed = 5;
    o.morph.epochs = epochs;
    o.morph.latent_cell = 6;
    o.morph.latent_perturbation = 5;
    o.morph.programs = 4;
    o.morph.program_dim = 3;
    o.morph.hidden = 12;
    o.morph.encoder = 16;
    return o;
}

static inline const sow_model_class *morph_class(void)
{
    const sow_model_class *c = NULL;
    OK(sow_model_find(&c, "morph", err));
    return c;
}

static inline sow_model *trained(const sow_training *t, const sow_model_options *o, const sow_env *env)
{
    sow_model *m = NULL;
    OK(sow_model_fit(&m, morph_class(), t, o, env, err));
    return m;
}

/* The weights and all else that a model keeps, as one archive. Caller clears. */
static inline sow_archive kept(const sow_model *m)
{
    sow_archive a = {0};
    OK(sow_model_save(m, &a, err));
    return a;
}

/* NULL, or the name of the first array that differs in a bit. */
static inline const char *first_difference(const sow_archive *a, const sow_archive *b)
{
    for (sow_index i = 0; i < a->n; i++) {
        const sow_archive_item *x = &a->item[i], *y = sow_archive_find(b, x->name);
        if (!y || x->kind != y->kind || x->rows != y->rows || x->cols != y->cols) return x->name;
        if (x->kind == SOW_ARCHIVE_TEXT) continue;
        if (memcmp(x->data, y->data, (size_t)(x->rows * x->cols) * (x->kind == SOW_ARCHIVE_F32 ? 4 : 8)) != 0) return x->name;
    }
    return a->n == b->n ? NULL : "(number of arrays)";
}

/* What was said, one after the other. */
typedef struct {
    char text[8192];
    int warnings;
} said;
static inline void hear(void *user, sow_log_level level, const char *message)
{
    said *s = user;
    const size_t at = strlen(s->text);
    snprintf(s->text + at, sizeof s->text - at, "%s\n", message);
    s->warnings += level == SOW_LOG_WARN;
}

#endif
