/* Profiles in three contexts, from fixed formulas. */
#ifndef SOWER_TESTS_PLANNER_CONTEXTS_FIXTURE_H
#define SOWER_TESTS_PLANNER_CONTEXTS_FIXTURE_H

#include "campaign_fixture.h"

/* 12 perturbations of 30 genes; P03 is gene 3 too; P11 is in `a` only, P10 not in `c` */

enum { P = 12, G = 30, C = 3 };

static inline double response(int i, int c, int g)
{
    return sin(i * 0.7 + g) + 0.5 * cos(c + 2.0 * g) + 0.3 * sin(1.3 * c * i + 0.4 * g);
}

static inline int measured(int i, int c)
{
    return i < 10 || (i == 10 && c < 2) || c == 0;
}

/* `moved`: perturbations of context 0 from this one on are other than they are; P = none. `elsewhere`: the same of one perturbation in contexts 1 and 2; -1 = none. */
static inline void write_three_of(const char *name, int moved, int elsewhere)
{
    static char storage[P * C + G][8];
    static double x[P * C * G];
    char *obs[P * C], *genes[G], *perturbation[P * C], *line[P * C];
    double cells[P * C];
    int n = 0;
    for (int g = 0; g < G; g++) sprintf(genes[g] = storage[P * C + g], g == 3 ? "P03" : "g%02d", g);
    for (int i = 0; i < P; i++)
        for (int c = 0; c < C; c++) {
            if (!measured(i, c)) continue;
            sprintf(obs[n] = storage[n], "P%02d", i);
            perturbation[n] = storage[n];
            line[n] = (char *[]){"a", "b", "c"}[c];
            cells[n] = 40 + i;
            for (int g = 0; g < G; g++) x[n * G + g] = response(i, c, g) + ((c == 0 && i >= moved) || (c > 0 && i == elsewhere) ? 7 * cos(g * i) : 0);
            n++;
        }
    sow_h5ad_column columns[] = {{"perturbation", SOW_COLUMN_STRING, perturbation, NULL}, {"line", SOW_COLUMN_STRING, line, NULL}, {"n_cells", SOW_COLUMN_NUMBER, NULL, cells}};
    sow_h5ad file = {.n_obs = n, .n_vars = G, .obs_names = obs, .var_names = genes, .n_obs_columns = 3, .obs = columns, .x = x};
    sow_error err = {0};
    MUST(sow_h5ad_write(scratch_path(name), &file, 0, &err));
}

static inline void write_three(const char *name, int moved)
{
    write_three_of(name, moved, -1);
}

static const char three_yaml[] =
    "sower: 1\nname: c\nseed: 4\n"
    "data:\n  sources:\n"
    "    - {file: three.h5ad, role: target, context: {column: line}, contexts: [a], perturbation: perturbation, cells: n_cells, values: response}\n"
    "    - {file: three.h5ad, role: reference, context: {column: line}, contexts: [b, c], perturbation: perturbation, cells: n_cells, values: response}\n"
    "readout: {kind: profile}\npriors: [{name: layout, file: layout.csv}]\n"
    "model: {kind: gp, iterations: 5, components: 4}\nacquisition: {strategy: max-variance}\nrounds: {initial: {size: 4, strategy: random}, batches: [2]}\n"
    "oracle: {kind: replay, held_out: {count: 2}}\n";

#endif
