/* The parts of cell_world.h's world: what is true (cell_world_truth.c), its prior (cell_world_prior.c) and its cells (cell_world_cells.c). */
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
    SOW_I_WORLD_PRIOR_ROW
};

/* Typical total of a cell over all genes of the transcriptome, and the log-sd of totals among cells. */
#define SOW_I_DEPTH_MEDIAN 12000.0
#define SOW_I_DEPTH_LOG_SD 0.4

typedef struct {
    const sow_cell_world_options *o;
    /* genes */
    double *share;    /* [genes] of all UMIs of a cell */
    double *size;     /* [genes] negative-binomial: variance = mean + mean^2 / size */
    double *visible;  /* [genes] change of log1p(normalised value) with the log of the mean, in about: m / (1 + m) */
    /* structure */
    double *loading;  /* [programs, genes] */
    double *direction;/* [modules, genes] of length 1 in visible change */
    double *strength; /* [modules] normal score */
    double *popular;  /* [modules] cumulative weight of being drawn */
    /* perturbations */
    sow_index *module; /* [n, 2] second -1 when none */
    double *score;     /* [n] normal score of the size of the effect */
    double *own;       /* [n, programs] weights of its own programs, of length 1 */
    double *change;    /* [n, genes] */
    sow_index *cells;  /* [n] */
} sow_i_cell_world;

sow_status sow_i_cell_world_draw(sow_i_cell_world *w, const sow_cell_world_options *o, const sow_env *env, sow_error *err);
/* Modules [2], normal score of the size and own programs [programs] of a perturbation that might be; genes, programs and modules are there. */
void sow_i_cell_world_draw_traits(sow_index *module, double *score, double *own, const sow_i_cell_world *w, sow_rng *rng);
void sow_i_cell_world_clear(sow_i_cell_world *w);
sow_status sow_i_cell_world_prior(sow_prior *out, const sow_i_cell_world *w, sow_error *err);
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
