/* A small single-cell screen in up to three contexts (two unless asked), from our own random numbers: 14 perturbations, 24 genes (the first 14 are the perturbed ones), two technical
 * batches that shift every count. Perturbation i lowers gene i by half and moves genes 14 + i % 10 and 14 + (i + 3) % 10. */
#ifndef SOWER_TESTS_PLANNER_CELLS_FIXTURE_H
#define SOWER_TESTS_PLANNER_CELLS_FIXTURE_H

#include "campaign_fixture.h"

#include "core/rng.h"
#include "io/h5ad_cells.h"

enum { C_PERTURBATIONS = 14, C_GENES = 24, C_CELLS = 40, C_CONTROLS = 90, C_MOST = 3 * (C_PERTURBATIONS * C_CELLS + C_CONTROLS) };

typedef struct {
    int n, perturbation[C_MOST], context[C_MOST], batch[C_MOST]; /* perturbation -1: control */
    int count[C_MOST][C_GENES];
} cell_screen;

typedef struct {
    int seed, contexts, first, last; /* perturbations first .. last - 1 */
    int cells;                       /* of each; perturbation 2 has 18 */
    int controls;
    double boost; /* of perturbation 5: its counts are multiplied */
    int spare;    /* contexts from this one on are not boosted; 0 = all are */
    int bare;     /* one more than the controls of every context but the first; 0 = as many as there */
    int drop_gene; /* a gene left out of the file; -1 = none */
    int no_line;   /* the file has no column of contexts */
} cell_recipe;
#define CELL_RECIPE {.seed = 1, .contexts = 2, .first = 0, .last = C_PERTURBATIONS, .cells = C_CELLS, .controls = C_CONTROLS, .boost = 1, .drop_gene = -1}

static inline double rate_of(int i, int context, int batch, int gene)
{
    double rate = (2 + gene % 5) * (batch ? 1.5 : 1);
    if (i < 0) return rate;
    if (gene == i) rate *= 0.3;
    if (gene == 14 + i % 10) rate *= 2.5;
    if (gene == 14 + (i + 3 + 4 * context) % 10) rate *= 0.4;
    return rate;
}

static inline void add_cells(cell_screen *s, const cell_recipe *r, sow_rng *rng, int i, int context, int n)
{
    for (int k = 0; k < n; k++, s->n++) {
        s->perturbation[s->n] = i;
        s->context[s->n] = context;
        s->batch[s->n] = k % 2;
        for (int g = 0; g < C_GENES; g++)
            s->count[s->n][g] = (int)sow_rng_poisson(rng, rate_of(i, context, k % 2, g) * (i == 5 && (!r->spare || context < r->spare) ? r->boost : 1));
    }
}

static inline cell_screen *make_cells(const cell_recipe *r)
{
    static cell_screen s;
    s.n = 0;
    for (int c = 0; c < r->contexts; c++) {
        for (int i = -1; i < r->last; i++) {
            if (i >= 0 && i < r->first) continue;
            sow_rng rng = sow_rng_make((uint64_t)r->seed, SOW_RNG_TEST, (uint32_t)c, (uint32_t)(i + 1));
            add_cells(&s, r, &rng, i, c, i < 0 ? (c && r->bare ? r->bare - 1 : r->controls) : i == 2 && r->cells > 18 ? 18 : r->cells);
        }
    }
    return &s;
}

static inline void write_cells(const char *name, const cell_recipe *r)
{
    static char text[C_MOST][12];
    static char *obs[C_MOST], *perturbation[C_MOST], *line[C_MOST], *lane[C_MOST];
    const cell_screen *s = make_cells(r);
    sow_error err = {0};
    sow_names *genes = NULL;
    sow_h5ad_writer *w = NULL;
    MUST(sow_names_create(&genes, &err));
    for (int g = 0; g < C_GENES; g++) {
        char gene[8];
        snprintf(gene, sizeof gene, g < C_PERTURBATIONS ? "P%02d" : "g%02d", g);
        if (g != r->drop_gene) MUST(sow_names_add(genes, gene, NULL, &err));
    }
    MUST(sow_h5ad_writer_create(&w, scratch_path(name), genes, NULL, 0, 0, &err));
    for (int k = 0; k < s->n; k++) {
        int32_t gene[C_GENES];
        float value[C_GENES];
        int64_t start[2] = {0, 0};
        int at = 0;
        for (int g = 0; g < C_GENES; g++) {
            if (g == r->drop_gene) continue;
            if (s->count[k][g]) {
                gene[start[1]] = at;
                value[start[1]++] = (float)s->count[k][g];
            }
            at++;
        }
        MUST(sow_h5ad_writer_append(w, 1, start, gene, value, &err));
        sprintf(obs[k] = text[k], "c%d", k);
        static char names[C_PERTURBATIONS][8];
        if (s->perturbation[k] >= 0) sprintf(names[s->perturbation[k]], "P%02d", s->perturbation[k]);
        perturbation[k] = s->perturbation[k] < 0 ? "nt" : names[s->perturbation[k]];
        line[k] = (char *[]){"here", "other", "third"}[s->context[k]];
        lane[k] = s->batch[k] ? "L2" : "L1";
    }
    sow_h5ad_column columns[] = {{"gene", SOW_COLUMN_STRING, perturbation, NULL}, {"lane", SOW_COLUMN_STRING, lane, NULL}, {"line", SOW_COLUMN_STRING, line, NULL}};
    MUST(sow_h5ad_writer_finish(w, obs, columns, r->no_line ? 2 : 3, &err));
    sow_names_destroy(genes);
}

static const char cells_yaml[] =
    "sower: 1\nname: c\nseed: 4\n"
    "data:\n  sources:\n"
    "    - {file: cells.h5ad, role: target, context: {column: line}, contexts: [here], perturbation: {column: gene, control: nt}, technical_batch: lane, values: counts}\n"
    "    - {file: cells.h5ad, role: reference, context: {column: line}, contexts: [other], perturbation: {column: gene, control: nt}, technical_batch: lane}\n"
    "readout: {kind: cells}\nfeatures: {min_cells_per_perturbation: 4}\npriors: [{name: layout, file: layout.csv}]\n"
    "model: {kind: gp, iterations: 8, components: 4}\nacquisition: {strategy: max-variance}\n"
    "rounds: {initial: {size: 4, strategy: random}, batches: [3, 2]}\n"
    "oracle: {kind: replay, held_out: {count: 4}}\ndesign: {cells_per_perturbation: 30, control_share: 0.15}\nevaluation: {de_genes: 5}\n";

#endif
