/* Small single-cell files, made on the spot. */
#ifndef SOWER_TESTS_IO_CELLS_FIXTURE_H
#define SOWER_TESTS_IO_CELLS_FIXTURE_H

#include "io/h5ad_cells.h"
#include "scratch.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Count of gene j in cell i: a third of them are not 0. */
static inline float fixture_count(sow_index i, sow_index j)
{
    return (float)((i * 7 + j * 5) % 3 == 0 ? 1 + (i + 3 * j) % 9 : 0);
}

typedef struct {
    sow_index n, n_columns;
    char **name; /* of cells: c0, c1, ... */
    sow_h5ad_column *column;
} fixture_obs;

/* "gene,batch\nSTAT1,1\nNT,2\n": a line of column names, then one a cell; an empty field is missing. */
static inline fixture_obs fixture_obs_of(const char *text)
{
    fixture_obs o = {0};
    char *copy = strdup(text), *line_end = NULL, *field_end = NULL;
    o.column = calloc(16, sizeof *o.column);
    for (char *line = strtok_r(copy, "\n", &line_end); line; line = strtok_r(NULL, "\n", &line_end)) {
        sow_index k = 0;
        for (char *at = line; at; at = field_end, k++) {
            field_end = strchr(at, ',');
            if (field_end) *field_end++ = '\0';
            if (!o.name) {
                o.column[o.n_columns++].name = strdup(at);
            } else {
                o.column[k].text = realloc(o.column[k].text, (size_t)(o.n + 1) * sizeof(char *));
                o.column[k].text[o.n] = *at ? strdup(at) : NULL;
            }
        }
        if (o.name) {
            o.name = realloc(o.name, (size_t)(o.n + 1) * sizeof(char *));
            o.name[o.n] = malloc(24);
            snprintf(o.name[o.n], 24, "c%lld", (long long)o.n);
            o.n++;
        } else {
            o.name = calloc(1, sizeof(char *));
        }
    }
    free(copy);
    return o;
}

static inline void fixture_obs_free(fixture_obs *o)
{
    for (sow_index k = 0; k < o->n_columns; k++) {
        for (sow_index i = 0; i < o->n; i++) free(o->column[k].text[i]);
        free(o->column[k].text);
        free(o->column[k].name);
    }
    for (sow_index i = 0; i < o->n; i++) free(o->name[i]);
    free(o->name);
    free(o->column);
}

/* Genes PREFIX0, PREFIX1, ...; values as fixture_count says, of cell i + shift. Returns the path (scratch_path's storage). */
static inline const char *fixture_h5ad(const char *file, const char *obs, const char *prefix, sow_index n_genes, sow_index shift)
{
    sow_error err = {0};
    const char *path = scratch_path(file);
    fixture_obs o = fixture_obs_of(obs);
    sow_names *genes = NULL;
    sow_h5ad_writer *w = NULL;
    cr_assert_eq(sow_names_create(&genes, &err), SOW_OK);
    for (sow_index j = 0; j < n_genes; j++) {
        char name[40];
        snprintf(name, sizeof name, "%s%lld", prefix, (long long)j);
        cr_assert_eq(sow_names_add(genes, name, NULL, &err), SOW_OK);
    }
    cr_assert_eq(sow_h5ad_writer_create(&w, path, genes, NULL, 0, 0, &err), SOW_OK, "%s", err.message);
    int32_t *gene = malloc((size_t)n_genes * sizeof *gene + 1);
    float *value = malloc((size_t)n_genes * sizeof *value + 1);
    for (sow_index i = 0; i < o.n; i++) {
        int64_t start[2] = {0, 0};
        for (sow_index j = 0; j < n_genes; j++) {
            if (fixture_count(i + shift, j) == 0) continue;
            gene[start[1]] = (int32_t)j;
            value[start[1]++] = fixture_count(i + shift, j);
        }
        cr_assert_eq(sow_h5ad_writer_append(w, 1, start, gene, value, &err), SOW_OK, "%s", err.message);
    }
    cr_assert_eq(sow_h5ad_writer_finish(w, o.name, o.column, o.n_columns, &err), SOW_OK, "%s", err.message);
    free(gene);
    free(value);
    sow_names_destroy(genes);
    fixture_obs_free(&o);
    return path;
}

/* `n` cells with a column `gene`: every fourth a control NT. Caller frees. */
static inline char *fixture_many(sow_index n)
{
    char *text = malloc((size_t)n * 8 + 16);
    size_t at = (size_t)sprintf(text, "gene\n");
    for (sow_index i = 0; i < n; i++) at += (size_t)sprintf(text + at, "%s\n", i % 4 == 0 ? "NT" : i % 4 == 1 ? "A" : i % 4 == 2 ? "B" : "C");
    return text;
}

#endif
