/* Inside `sower power`: power.c gathers what is asked and known, power_plan.c tables cells against levels, power_round.c looks back at a round, power_profile.c asks replicates. */
#ifndef SOWER_PLANNER_POWER_INTERNAL_H
#define SOWER_PLANNER_POWER_INTERNAL_H

#include "planner/cells_internal.h"
#include "planner/power.h"
#include "simulator/power.h"

enum { SOW_I_POWER_LEVELS_MOST = 100 };

typedef struct {
    const sow_power_options *o;
    const sow_config *config; /* NULL without a campaign */
    const sow_env *env;
    sow_campaign *c;          /* NULL without one */
    sow_index context;        /* whose controls; -1 without single cells */

    double fold, power, level, changed, guide_sd;
    sow_power_correction correction;
    sow_index guides, n_cells, cells[SOW_POWER_GRID_MOST], planned; /* cells to table; `planned`: those of the design */
    double controls_per_cell, controls; /* for each perturbed cell, or (that 0) so many */
    double reads;             /* 0 = none planned */

    sow_baseline baseline;
    int has_curve;            /* UMIs follow from reads */
    sow_umi_curve curve;
    sow_index tested, n_levels;
    sow_power_level group[SOW_I_POWER_LEVELS_MOST];
    char *name[SOW_I_POWER_LEVELS_MOST]; /* of a gene, or of a group ("1 of 10"); owned */
    double alpha;
} sow_i_power;

/** UMIs of a control cell at the design's reads, or as observed. */
double sow_i_power_umis(const sow_i_power *p);
/** One gene's or group's test with so many cells. */
sow_power_design sow_i_power_design(const sow_i_power *p, sow_index level, double n_trt, double n_ctl);
double sow_i_power_controls(const sow_i_power *p, double n_trt);
/** Sets what --json says of assumptions. */
void sow_i_power_put(json_t *out, const sow_i_power *p);
/** Shares and sizes of these control cells, the tested genes, and the level. */
SOW_MUST_CHECK sow_status sow_i_power_baseline(sow_i_power *p, const sow_index *control, sow_index n, sow_error *err);

/* power_plan.c */
SOW_MUST_CHECK sow_status sow_i_power_plan(json_t *out, sow_text *csv, const sow_i_power *p, sow_error *err);
/* power_round.c */
SOW_MUST_CHECK sow_status sow_i_power_round(json_t *out, sow_text *csv, sow_i_power *p, sow_error *err);
/* power_profile.c */
/** Sets "replicates": what perturbed cells or --reliability say; nothing where neither is there. */
SOW_MUST_CHECK sow_status sow_i_power_profile(json_t *out, sow_i_power *p, sow_error *err);

#endif
