/* The sweep file: many campaigns that differ in stated settings, each played with the same seeds.
 *
 * Axes (strategies, models, allocations, oracles, arms) are lists of named settings of the campaign file; their product is the arms. The file is read by
 * the machinery of the campaign file, through a table of its own: every problem at once as file:line:column. Whether a setting is one the campaign
 * allows is checked when it is applied, by the campaign's own reader. docs/simulate.md. */
#ifndef SOWER_IO_SWEEP_CONFIG_H
#define SOWER_IO_SWEEP_CONFIG_H

#include "io/config.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A value of an axis: settings under a name. */
typedef struct {
    const char *name;
    sow_index n;
    sow_setting *setting;
} sow_named_settings;

/** allocations.NAME: how much is measured, and in which steps. Becomes settings; `contexts` one of the name "contexts", of the target source that has them. */
typedef struct {
    const char *name;
    sow_index initial;             /* >= 1 */
    sow_index n_batches, *batches; /* each >= 1 */
    sow_index cells;               /* a perturbation; -1 = the campaign's */
    double reads;                  /* a cell; NaN = the campaign's */
    sow_index n_contexts;
    const char **contexts;
} sow_sweep_allocation;

typedef struct {
    const char *key; /* "strategies" */
    sow_index n;
    sow_named_settings *entry;
} sow_sweep_axis;

typedef struct {
    const char *name; /* names of its entries with "/" between */
    sow_index n;
    const sow_setting **setting; /* [n], in the order they are applied: `set`, then axis by axis */
} sow_sweep_arm;

enum { SOW_SWEEP_AXES = 5 };

typedef struct {
    const char *path, *folder;
    sow_index version;
    const char *name;     /* [the file's name without .yaml] */
    const char *campaign; /* file of the base campaign, resolved */
    sow_index n_seeds, *seeds; /* distinct, in the order given */

    sow_index n_set;
    sow_setting *set; /* settings of every arm */
    sow_index n_strategies, n_models, n_allocations, n_oracles, n_arms_given;
    const char **strategies, **models;
    sow_sweep_allocation *allocations;
    sow_named_settings *oracles, *arms_given;

    sow_index n_axes;
    sow_sweep_axis axis[SOW_SWEEP_AXES]; /* those that are given, in the order of the docs */
    sow_index n_arms;
    sow_sweep_arm *arm; /* [n_arms] the product, the last axis fastest */
    const char *baseline_name;
    sow_index baseline; /* arm; -1 = not given: the first with acquisition.strategy random, else the first */

    sow_index n_metrics; /* 0 = by the campaign */
    const char **metrics; /* rows of sow_sweep_metrics() */
    struct {
        sow_index after; /* seeds that every arm gets; 0 = nothing is stopped */
        sow_index every; /* seeds between decisions */
        double margin;   /* in units of the first metric, >= 0 */
        double level;    /* of the interval */
    } stop;
    struct {
        double money, weeks;           /* NaN = no limit */
        double margin;                 /* in units of the first metric; NaN = by the sweep */
        double worth;                  /* money for one unit of it; NaN = not asked */
        double next_money, next_weeks; /* how much more is asked about */
    } budget;

    void *arena;
} sow_sweep_config;

/** As sow_config_read, of a sweep file: `sets` are over its keys ("seeds=3", "set.model.iterations=20"). At least one seed and one arm, or it is a problem. */
SOW_MUST_CHECK sow_status sow_sweep_config_read(sow_sweep_config **out, char **problems, const char *path, const char *const *sets, sow_index n_sets, sow_error *err);
void sow_sweep_config_destroy(sow_sweep_config *config);
/** The keys of a sweep file as a table in Markdown. Caller frees. */
SOW_MUST_CHECK sow_status sow_sweep_config_reference(char **out, sow_error *err);

/** A number of metrics.csv that arms may be compared by. */
typedef struct {
    const char *name;
    int lower_is_better;
    unsigned readouts;  /* 1 << sow_readout_kind for each it exists for */
    int of_campaign;    /* a row of the campaign, not of its model */
    int needs_hits;     /* objective hits */
    int needs_variance; /* a model with predictive variances */
    int needs_measured; /* evaluation.measured */
    double least, most; /* values it can take */
} sow_sweep_metric;
const sow_sweep_metric *sow_sweep_metrics(sow_index *n);
/** Row by name, or NULL. */
const sow_sweep_metric *sow_sweep_metric_find(const char *name);

#ifdef __cplusplus
}
#endif
#endif
