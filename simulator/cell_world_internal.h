/* The parts of cell_world.h's world: what is true (cell_world_truth.c), and in each of several contexts (cell_world_contexts.c), its prior (cell_world_prior.c) and its cells
 * (cell_world_cells.c). */
#ifndef SOWER_SIMULATOR_CELL_WORLD_INTERNAL_H
#define SOWER_SIMULATOR_CELL_WORLD_INTERNAL_H

#include "core/rng.h"
#include "simulator/cell_world.h"

/* Streams of SOW_RNG_WORLD, in the place of a round; the scalar world (world.c) has the ones below 16. */
enum {
    SOW_I_WORLD_ORDER = 16, /* which gene is how strong; which module is how strong */
    SOW_I_WORLD_GENE,
    SOW_I_WORLD_PROGRAM,
    SOW_I_WORLD_MODULE,
    SOW_I_WORLD_PERTURBATION,
    SOW_I_WORLD_PRIOR_MAP,
    SOW_I_WORLD_PRIOR_ROW,
    SOW_I_WORLD_ACTIVITY, /* of programs in a context */
    SOW_I_WORLD_SHIFT,    /* of a context */
    SOW_I_WORLD_BASELINE, /* of genes in a context */
    SOW_I_WORLD_MEASURED, /* whether a context has measured a perturbation, and on how many cells */
    SOW_I_WORLD_GROWTH,   /* of a perturbation */
    SOW_I_WORLD_GUIDES,   /* of a perturbation */
    SOW_I_WORLD_BATCH,    /* of a context */
    SOW_I_WORLD_COMBINATION, /* who, how, and on how many cells */
    SOW_I_WORLD_NEW_PROGRAM  /* of a combination */
};

/* Names the stream of a perturbation (at most 200,000; 0 may be the controls) in a context. The first context's are those of a world that has no other. */
static inline uint32_t sow_i_world_pair(sow_index context, sow_index item)
{
    return (uint32_t)context << 18 | (uint32_t)item;
}

/* Typical total of a cell over all genes of the transcriptome, and the log-sd of totals among cells. */
#define SOW_I_DEPTH_MEDIAN 12000.0
#define SOW_I_DEPTH_LOG_SD 0.4

typedef struct {
    const sow_cell_world_options *o;
    sow_index n;      /* perturbations and combinations; `singles` below is how many are none */
    /* genes */
    double *share;    /* [contexts, genes] of all UMIs of a cell */
    double *size;     /* [genes] negative-binomial: variance = mean + mean^2 / size */
    double *visible;  /* [genes] change of log1p(normalised value) with the log of the mean, in about: m / (1 + m); of the common world */
    /* structure */
    double *loading;  /* [programs, genes] */
    double *direction;/* [modules, genes] of length 1 in visible change */
    double *strength; /* [modules] normal score */
    double *popular;  /* [modules] cumulative weight of being drawn */
    /* perturbations */
    sow_index *module; /* [singles, 2] second -1 when none */
    double *score;     /* [singles] normal score of the size of the effect */
    double *own;       /* [singles, programs] weights of its own programs, of length 1 */
    double *change;    /* [contexts, n, genes] */
    sow_index *cells;  /* [contexts, n] 0: not measured there */
    sow_combination *combination; /* [n - singles] */
    double *deviation; /* [contexts, n - singles] */
    /* contexts; NULL where there is one */
    double *weight;    /* [modules, programs] what each direction is made of */
    double *mix;       /* [singles, programs] what each perturbation is made of in the common world, before the limit */
    double *activity;  /* [contexts, programs] */
    double *shift;     /* [contexts, genes] */
    /* the lab */
    double depth_median, depth_log_sd;
    const sow_index *gene;    /* [genes] position in the measured baseline, owned; NULL = made genes */
    double *growth;           /* [n] */
    double *efficiency;       /* [singles, guides]; NULL without guides */
    double *batch_share;      /* [contexts, batches, genes] factors; NULL with one batch */
    double *batch_depth;      /* [contexts, batches] factors; NULL with one batch */
} sow_i_cell_world;

/* Checked, and with as many genes as there are; NULL are the defaults. */
sow_status sow_i_cell_world_options(sow_cell_world_options *out, const sow_cell_world_options *options, sow_error *err);
sow_status sow_i_cell_world_draw(sow_i_cell_world *w, const sow_cell_world_options *o, const sow_env *env, sow_error *err);
/* Modules [2], normal score of the size and own programs [programs] of a perturbation that might be; genes, programs and modules are there. */
void sow_i_cell_world_draw_traits(sow_index *module, double *score, double *own, const sow_i_cell_world *w, sow_rng *rng);
void sow_i_cell_world_clear(sow_i_cell_world *w);
/* Length of a change as it is seen in log1p values. */
double sow_i_visible_length(const sow_i_cell_world *w, const double *change);
/* A program of length 1. */
void sow_i_draw_program(double *loading, const sow_i_cell_world *w, sow_rng *rng);
/* Adds `weight` [programs] times programs to `change`. */
void sow_i_add_programs(double *change, const sow_i_cell_world *w, const double *weight);
/* Log fold changes bend smoothly towards +-3. */
void sow_i_limit(double *change, sow_index n);
#define SOW_I_MEDIAN_LENGTH 1.35 /* of a perturbation's visible change */
#define SOW_I_LARGEST_CHANGE 3.0 /* natural log */

/* The combination at place i of the catalogue, or NULL. */
static inline const sow_combination *sow_i_combination_at(const sow_i_cell_world *w, sow_index i)
{
    return i < w->o->n_perturbations ? NULL : &w->combination[i - w->o->n_perturbations];
}
/* Who is combined and how, and what it does; all that is of perturbations alone is there. Nothing without combinations. */
sow_status sow_i_combinations_draw(sow_i_cell_world *w, const sow_env *env, sow_error *err);

/* Room, activities, shifts and shares of several contexts; the common world's genes are there. Nothing where there is one context. */
sow_status sow_i_contexts_draw(sow_i_cell_world *w, sow_error *err);
/* The change of perturbation i in every context, from its mix and what its own genes do, `genes` [genes]. `active` [programs] is scratch. */
void sow_i_contexts_act(sow_i_cell_world *w, sow_index i, const double *genes, double *active);
/* On how many cells each context has measured perturbation i. */
void sow_i_contexts_measure(sow_i_cell_world *w, sow_index i);
/* Cells of a perturbation: the published quantiles, scaled. */
sow_index sow_i_draw_cells(const sow_cell_world_options *o, sow_rng *rng);
/* Log-linear between n knots (x, y), flat beyond the ends. */
double sow_i_between(const double *x, const double *y, int n, double at);
sow_status sow_i_cell_world_prior(sow_prior *out, const sow_i_cell_world *w, sow_error *err);
/* cell_world_lab.c: which genes, how deep; then what guides, batches and growth do. Both leave a world without any of it as it is. */
sow_status sow_i_lab_genes(sow_i_cell_world *w, sow_error *err);
sow_status sow_i_lab_draw(sow_i_cell_world *w, sow_error *err);
/* Draws the growth effect of perturbation i; cells that are left of so many. */
sow_index sow_i_lab_grow(const sow_i_cell_world *w, sow_index i, sow_index cells);
/* The second half of it: cells that are left after a growth effect that is known. */
sow_index sow_i_lab_survive(const sow_i_cell_world *w, sow_index i, sow_index cells);
/* What happens to a cell; `stream` and `cell` name it as its counts. */
typedef struct {
    sow_index batch, guide; /* guide -1: the world has none */
    int escaped, doubled;
    sow_rng rest;           /* of its stream: for the other cell of a doublet */
} sow_i_lab_cell;
sow_i_lab_cell sow_i_lab_cell_at(const sow_i_cell_world *w, uint32_t stream, sow_index cell);
/* Log fold changes [genes] that a cell of a perturbation shows, by its guide: e x; of a combination e a + f b + e f (what it does - a - b), so that the interaction is there as far as both work. */
void sow_i_lab_change(double *change, const sow_i_cell_world *w, sow_index context, sow_index perturbation, const sow_i_lab_cell *c);
/* Nothing happens to cells: none of the above need be asked. */
int sow_i_lab_is_plain(const sow_cell_world_options *o);

/* P0001, or of a combination P0001+P0002, zero-padded so that perturbations are in name order. */
void sow_i_world_name(char *name, size_t size, const sow_i_cell_world *w, sow_index i);
/* Labels of all cells, indexed, without a matrix; *first [groups + 1], caller frees. */
sow_status sow_i_cell_world_labels(sow_cells *out, sow_index **first, const sow_i_cell_world *w, sow_error *err);
/* Counts of the cells from..to; start from 0. */
sow_status sow_i_cell_world_counts(sow_cell_arrays *a, const sow_i_cell_world *w, const sow_cells *cells, const sow_index *first, sow_index from, sow_index to, const sow_env *env, sow_error *err);
sow_status sow_i_cell_world_cells(sow_cells *out, const sow_i_cell_world *w, const sow_env *env, sow_error *err);

/* K562 (Gasperini 2019): share of UMIs of the gene at rank fraction `f` in 0..1 (0 the strongest) among the 5,000 strongest, and the size at quantile `u`
 * among genes near that rank. */
double sow_i_baseline_share(double f);
double sow_i_baseline_size(double f, double u);
/* Cells at quantile `u` of the published screen, for a median of 96. */
double sow_i_cells_quantile(double u);
/* Weight of the second of a perturbation's modules beside 1 of the first. */
#define SOW_I_SECOND_MODULE 0.4

#endif
