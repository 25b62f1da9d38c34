/* Made cells for tests of their evaluation: some genes silent, some perturbed; from a seed. */
#ifndef SOWER_TESTS_MODELS_CELLS_FIXTURE_H
#define SOWER_TESTS_MODELS_CELLS_FIXTURE_H

#include "fixture.h"

#include "models/cells.h"
#include "models/evaluate_cells.h"
#include "models/evaluate_cells_internal.h"

enum { MOST_ITEMS = 16 };

typedef struct {
    sow_index n, d, n_control;
    float *control, *x[MOST_ITEMS], *guess[MOST_ITEMS];
    double *centre, *shift[MOST_ITEMS];
    sow_index *own[MOST_ITEMS];
    sow_cells_item item[MOST_ITEMS];
} made_cells;

static inline float *draw_cells(sow_index n, sow_index d, const double *shift, sow_rng *rng)
{
    float *x = calloc((size_t)(n * d) + 1, sizeof *x);
    for (sow_index i = 0; i < n; i++)
        for (sow_index j = 0; j < d; j++) {
            double level = 1 + (double)(j % 4), v = level + (shift ? shift[j] : 0) + 0.5 * sow_rng_normal(rng);
            if (j % 7 == 3) v = sow_rng_uniform(rng) < 0.2 ? v : 0; /* seldom seen */
            x[i * d + j] = j % 11 == 10 ? 0 : (float)v;             /* never seen */
        }
    return x;
}

/* Items of `cells` cells each (or of various numbers when 0); item i changes the genes j with (j + i) % 3 == 0; its own gene is i, for every third item also i + 1. */
static inline made_cells cells_make(sow_index n, sow_index d, sow_index n_control, sow_index cells, uint64_t seed)
{
    made_cells c = {.n = n, .d = d, .n_control = n_control};
    sow_rng rng = sow_rng_make(seed, SOW_RNG_TEST, 0, 0);
    c.control = draw_cells(n_control, d, NULL, &rng);
    c.centre = calloc((size_t)d, sizeof *c.centre);
    for (sow_index i = 0; i < n; i++) {
        sow_index count = cells ? cells : 20 + 13 * i, m = 30 + 7 * i;
        c.shift[i] = calloc((size_t)d, sizeof(double));
        for (sow_index j = 0; j < d; j++) c.shift[i][j] = j == i ? -3 : (j + i) % 3 == 0 ? sow_rng_normal(&rng) : 0;
        c.x[i] = draw_cells(count, d, c.shift[i], &rng);
        for (sow_index j = 0; j < d; j++) {
            c.shift[i][j] = 0.7 * c.shift[i][j] + 0.1 * sow_rng_normal(&rng);
            c.centre[j] += c.shift[i][j] / (double)n;
        }
        c.guess[i] = draw_cells(m, d, c.shift[i], &rng);
        c.own[i] = calloc(2, sizeof(sow_index));
        c.own[i][0] = i, c.own[i][1] = i + 1;
        c.item[i] = (sow_cells_item){.truth = c.x[i], .n = count, .predicted = c.guess[i], .m = m, .own = c.own[i], .n_own = i % 3 == 2 ? 2 : 1};
    }
    return c;
}

static inline void cells_clear(made_cells *c)
{
    free(c->control);
    free(c->centre);
    for (sow_index i = 0; i < c->n; i++) free(c->x[i]), free(c->guess[i]), free(c->shift[i]), free(c->own[i]);
}

static inline sow_truth *truth_of(const made_cells *c, sow_evaluate_mode mode, sow_index n_de)
{
    sow_truth *t = NULL;
    sow_evaluate_cells_options o = {mode, n_de, 7, 1};
    OK(sow_truth_create(&t, c->item, c->n, c->d, c->control, c->n_control, c->centre, &o, NULL, err));
    return t;
}

static inline void each(double *value, const char *metric, const sow_truth *t, const made_cells *c)
{
    OK(sow_evaluate_cells_each(value, metric, t, c->item, c->n, NULL, err));
}

/* The same from c->shift in place of predicted cells. */
static inline void use_shifts(made_cells *c)
{
    for (sow_index i = 0; i < c->n; i++) {
        c->item[i].predicted = NULL;
        c->item[i].m = 0;
        c->item[i].shift = c->shift[i];
    }
}

/* What sow_shift_controls makes of them instead. */
static inline void use_shifted_controls(made_cells *c)
{
    for (sow_index i = 0; i < c->n; i++) {
        free(c->guess[i]);
        c->guess[i] = calloc((size_t)(c->n_control * c->d), sizeof(float));
        sow_shift_controls(c->guess[i], c->control, c->n_control, c->d, c->shift[i]);
        c->item[i].predicted = c->guess[i];
        c->item[i].m = c->n_control;
        c->item[i].shift = NULL;
    }
}

#endif
