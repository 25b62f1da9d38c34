/* Power: what cells and reads can find, before a round (from a baseline) or after it (with the cells that came). docs/power.md says what the numbers are, docs/math/power.md where they come from. */
#ifndef SOWER_PLANNER_POWER_H
#define SOWER_PLANNER_POWER_H

#include <math.h>

#include "core/env.h"
#include "core/status.h"
#include "io/config.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { SOW_POWER_GRID_MOST = 32 };

/** 0 or NULL or NaN: not said; then what stands in brackets. */
typedef struct {
    double fold;            /* change wanted, > 0, not 1 [0.5] */
    double power;           /* (0, 1) [0.8] */
    double level;           /* false-discovery rate, or family-wise error, or plain level, (0, 1) [0.05] */
    const char *correction; /* bh | bonferroni | none [bh] */
    double changed;         /* bh: share of the tested genes that change, (0, 1] [0.05] */
    sow_index tested;       /* genes tested, the most expressed [all of the baseline] */
    sow_index levels;       /* groups of like expression, 1..100 [10] */
    const char *genes;      /* or these genes, with commas between */
    sow_index n_cells, cells[SOW_POWER_GRID_MOST]; /* cells a perturbation, each >= 1 [a quarter to four times the design's; the design's is 100 without a campaign] */
    sow_index controls;     /* control cells [control_share of the first round; 1000 without a campaign] */
    double reads;           /* raw reads a cell, > 0 [the design's; 20000 without a campaign] */
    sow_index guides;       /* of a target [the design's; 1 without a campaign] */
    double guide_sd;        /* NaN; sd of a guide's log fold change in parts of the target's, 0..3 [0.3] */
    const char *baseline;   /* file of a measured one [estimated from the campaign's control cells] */
    double umis, variation, mapping; /* NaN: curve from reads to UMIs [K562 of Gasperini 2019 with a file; else UMIs are those of the control cells, whatever the reads] */
    const char *context;    /* whose control cells [the target's] */
    const char *reliability; /* "R@N": correlation R between replicates of N cells [split halves of the campaign's perturbations] */
    int of_round;           /* post hoc, of the cells of `round` */
    sow_index round;
    const char *dir;        /* campaign folder, of_round [NAME.sower beside the YAML] */
    const char *cache;      /* as sow_campaign_options */
    const char *file;       /* CSV to write, or NULL */
} sow_power_options;
#define SOW_POWER_OPTIONS_INIT {.guide_sd = NAN, .umis = NAN, .variation = NAN, .mapping = NAN}

/** What --json prints; caller frees. `config` NULL: without a campaign, from options->baseline. Looks at all cells of the context in hand, and with of_round at the recorded ones; writes nothing but options->file.
 *  The same numbers for any number of threads. SOW_E_CONFIG and SOW_E_DATA say what is wrong with options, file or campaign; SOW_E_STATE: of_round, and the campaign was not begun.
 *  Cost: some 0.1 s for each number of cells and group of genes, and with a campaign a pass over its cells. */
SOW_MUST_CHECK sow_status sow_power_report(char **json, const sow_config *config, const sow_power_options *options, const sow_env *env, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
