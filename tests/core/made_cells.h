/* Tables of cells for tests, made from dense arrays. The table owns everything. */
#ifndef SOWER_TESTS_CORE_MADE_CELLS_H
#define SOWER_TESTS_CORE_MADE_CELLS_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cells.h"
#include "core/rng.h"

static inline sow_names *made_names(const char *prefix, sow_index n)
{
    sow_names *names = NULL;
    cr_assert_eq(sow_names_create(&names, NULL), SOW_OK);
    for (sow_index i = 0; i < n; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s%lld", prefix, (long long)i);
        cr_assert_eq(sow_names_add(names, name, NULL, NULL), SOW_OK);
    }
    return names;
}

/* The matrix of `dense` [n, d] with genes prefix0, prefix1, ... */
static inline sow_cell_matrix made_matrix(const float *dense, sow_index n, sow_index d, const char *prefix)
{
    sow_cell_arrays *a = calloc(1, sizeof *a);
    a->start = calloc((size_t)n + 1, sizeof *a->start);
    a->gene = calloc((size_t)(n * d) + 1, sizeof *a->gene);
    a->value = calloc((size_t)(n * d) + 1, sizeof *a->value);
    int64_t at = 0;
    for (sow_index i = 0; i < n; i++) {
        for (sow_index g = 0; g < d; g++) {
            if (dense[i * d + g] == 0) continue;
            a->gene[at] = (int32_t)g;
            a->value[at++] = dense[i * d + g];
        }
        a->start[i + 1] = at;
    }
    return (sow_cell_matrix){n, d, made_names(prefix, d), a->start, a->gene, a->value, a, sow_cell_arrays_release};
}

/* One matrix, every cell a control of context 0; labels are then the test's to set before sow_cells_index. */
static inline sow_cells made_cells(const float *dense, sow_index n, sow_index d)
{
    sow_cells c = {.n_matrices = 1, .n = n};
    const size_t rows = (size_t)(n > 0 ? n : 1), columns = (size_t)(d > 0 ? d : 1);
    c.matrix = calloc(1, sizeof *c.matrix);
    c.matrix[0] = made_matrix(dense, n, d, "g");
    c.is_log = calloc(1, 1);
    c.genes = made_names("g", d);
    c.gene_of = calloc(1, sizeof *c.gene_of);
    c.gene_of[0] = calloc(columns, sizeof **c.gene_of);
    for (sow_index g = 0; g < d; g++) c.gene_of[0][g] = (int32_t)g;
    c.in_matrix = calloc(rows, sizeof *c.in_matrix);
    c.row = calloc(rows, sizeof *c.row);
    c.perturbation = calloc(rows, sizeof *c.perturbation);
    c.context = calloc(rows, sizeof *c.context);
    c.batch = calloc(rows, sizeof *c.batch);
    c.guide = calloc(rows, sizeof *c.guide);
    c.replicate = calloc(rows, sizeof *c.replicate);
    for (sow_index i = 0; i < n; i++) {
        c.row[i] = i;
        c.perturbation[i] = SOW_CONTROL;
        c.guide[i] = c.replicate[i] = SOW_NO_LABEL;
    }
    return c;
}

/* Counts of a made screen: gene g has its own mean, cell i its own depth; about half of the entries are zero. Free. */
static inline float *made_counts(sow_index n, sow_index d, uint32_t item)
{
    float *x = calloc((size_t)(n * d) + 1, sizeof *x);
    sow_rng rng = sow_rng_make(3, SOW_RNG_TEST, 0, item);
    double *mean = calloc((size_t)d, sizeof *mean);
    for (sow_index g = 0; g < d; g++) mean[g] = sow_rng_gamma(&rng, 0.6) * 2;
    for (sow_index i = 0; i < n; i++) {
        const double depth = sow_rng_gamma(&rng, 4) / 4;
        for (sow_index g = 0; g < d; g++) {
            const double spread = g % 3 ? 1 : sow_rng_gamma(&rng, 2) / 2;
            x[i * d + g] = (float)sow_rng_poisson(&rng, mean[g] * depth * spread);
        }
    }
    free(mean);
    return x;
}

static inline sow_index *all_positions(sow_index n)
{
    sow_index *all = calloc((size_t)(n > 0 ? n : 1), sizeof *all);
    for (sow_index i = 0; i < n; i++) all[i] = i;
    return all;
}

#endif
