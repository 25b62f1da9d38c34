/* The campaign file: YAML read through ONE table of keys (config_keys.c), which also checks, prints help, writes docs/config.md, prints the effective
 * config and the commented template of `sower init`. Every problem of a file is reported at once as file:line:column. */
#ifndef SOWER_IO_CONFIG_H
#define SOWER_IO_CONFIG_H

#include "core/prepare.h"
#include "core/status.h"
#include "io/priors.h"
#include "io/source.h"
#include "core/cost.h"

#ifdef __cplusplus
extern "C" {
#endif

/** design.allocation, in the order of its words. */
typedef enum { SOW_ALLOCATE_UNIFORM, SOW_ALLOCATE_BY_GAIN } sow_allocation_kind;

/** constraints.quota[]: at most / at least so many members of a gene set, in each batch or in the whole campaign. */
typedef struct {
    const char *prior;  /* name of a GMT prior, or NULL when `names` is given */
    const char *set;    /* set name in that prior */
    sow_index n_names;  /* or an explicit list */
    const char **names;
    sow_index at_most;  /* -1 = no bound */
    sow_index at_least; /* 0 = no bound */
    const char *context; /* only in this target context; alone: all that is measured there. NULL = wherever */
    const char *per;    /* "batch" (default) or "campaign" */
} sow_config_quota;

/** costs.contexts[]: prices of one context; NaN = those of costs. */
typedef struct {
    const char *context;
    double per_context, per_cell;
} sow_config_price;

/** constraints.exclude: a mapping or a list of mappings {names | file, reason}. */
typedef struct {
    sow_index n_names;
    const char **names;
    const char *file;   /* a list of names, resolved */
    const char *reason;
} sow_config_exclude;

typedef struct {
    /* where it came from */
    const char *path;   /* as given */
    const char *folder; /* relative files are resolved against it */

    sow_index version; /* sower: 1 */
    const char *name;  /* [file name without .yaml]; letters, digits, - _ . */
    uint64_t seed;     /* [1] */

    sow_index n_sources;
    sow_source *sources;
    sow_readout_spec readout; /* readout.kind default: scalar when readout.column is given or the oracle is generative, else profile */

    sow_features features; /* cells; seed is the campaign's */

    sow_index n_priors;
    sow_prior_spec *priors;

    struct {
        const char *kind;         /* [gp] a row of models/model.h */
        sow_index prior_dims;     /* [64] PCA of the fused priors; 0 = none */
        sow_index neighbours;     /* knn [10] */
        const char *kernel;       /* gp [auto] */
        const char *transfer;     /* gp [coregionalised] */
        sow_index iterations;     /* gp [60] */
        sow_index components;     /* gp profile [30] */
        sow_index n_use;          /* model.prior: names of the priors used; 0 = all */
        const char **use;
        /* morph; see models/morph_options.h */
        const char *mode, *variant, *start; /* default | reference; plain | ...; scratch | warm */
        sow_index epochs, patience, batch, segments, members, kernels; /* segments 0 = by the size of the screen */
        sow_index latent_cell, latent_perturbation, programs, program_dim, hidden, encoder;
        double learning_rate, clamp, alpha, beta, gamma1, gamma2, sigma, validation, prior_noise, mean_epochs; /* learning_rate, sigma 0 = chosen */
        int unbiased, fresh_controls, weighted_criterion, mean_latent, small_groups, paired_change, scaled_prior, last_weights, stack;
        struct {
            const char *form, *embedding, *rows, *fusion, *method, *split;
            sow_index steps, tasks, batch, inner_batches, inner_steps, adapt_steps, latent, hidden, members, patience; /* 0 = chosen, but patience */
            double inner_rate, adapt_rate, meta_rate, dropout, clip; /* 0 = chosen; dropout -1 */
            int balanced, fresh_controls, validate, cell_encoder, hypernetwork;
        } hypermap; /* see models/hypermap_options.h */
    } model;

    struct {
        const char *kind;      /* learn | hits [learn] */
        double top;            /* hits: share of the pool, (0, 1); NaN when column is given [0.1] */
        const char *column;    /* hits: or a column ... */
        const char *or_column; /* ... or another column, with the same bound */
        double below, above;   /* ... with values below / above a bound; NaN = not given */
        const char *direction; /* high | low | both: which values are wanted [high] */
    } objective;

    struct {
        const char *strategy;      /* [random] */
        const char *representation; /* prior | learned | kernel | reference [prior] */
        double beta;               /* ucb [1] */
        sow_index starts;          /* kmeans [10] */
        const char *weight;        /* kmeans [none] */
        const char *loss_form, *loss_target; /* loss-prediction [regression, all] */
        sow_index loss_members;    /* loss-prediction [1] */
        int loss_cells;            /* loss-prediction [0] */
        const char *consistency;   /* least-consistent, most-consistent [corrected] */
        sow_index n_list;          /* functional [0] */
        const char **list;
        sow_index stream;          /* another stream of random choices after round 0 [0] */
    } acquisition;

    struct {
        sow_index initial_size;       /* rounds.initial.size, >= 1 */
        const char *initial_strategy; /* rounds.initial.strategy [random] */
        sow_index n_batches;
        sow_index *batches;           /* rounds.batches: [n_batches], each >= 1 */
    } rounds;

    struct {
        const char *kind;         /* replay | generative | lab */
        double held_fraction;     /* oracle.held_out.fraction, [0, 1) ; NaN when count or list is given */
        sow_index held_count;     /* -1 */
        const char *held_list;    /* file of names */
        double failure_rate;      /* generative [0] */
        sow_index perturbations, modules, prior_dims; /* generative */
        sow_index genes, programs, controls;          /* generative, readout cells */
        sow_index contexts, targets;                  /* and, where there are several: */
        double context_scale, context_flip, context_lose, context_shift, context_baseline, context_coverage;
        double cells, informativeness, noise_per_cell;
        const char *baseline;                         /* NULL: made genes */
        double saturation;                            /* UMIs of a cell at saturation; NaN: depth is not of the reads */
        sow_index guides, technical_batches, samples;
        double efficiency, efficiency_sd, failed_guides, escapers, batch_effect, batch_depth, doublets, dropout, lost_samples;
        sow_index combinations;
        double interactions[7];                       /* weights of additive, synergy, suppression, epistasis, redundancy, potentiation, neomorphism; NaN = not given */
    } oracle;

    struct {
        int mode;            /* sow_evaluate_mode: default | reference */
        sow_index de_genes;  /* [50] */
        int losses;          /* [0] */
        int measured;        /* [0] */
    } evaluation;

    struct {
        sow_index n_include;
        const char **include;
        sow_index n_exclude;
        sow_config_exclude *exclude;
        sow_index n_quota;
        sow_config_quota *quota;
        sow_index n_controls;   /* positive controls: on every order sheet, never candidates */
        const char **controls;
        int require_prior;      /* only perturbations with a row in some prior of the model may be chosen or held out [0] */
    } constraints;

    sow_design design;
    struct { /* design.allocation */
        int kind;     /* sow_allocation_kind [uniform] */
        double range; /* times and parts of design.cells_per_perturbation [4] */
    } allocation;
    struct { /* design.guides: a guide library for the order sheet */
        const char *file, *target;
        sow_index n_id, n_sequence;
        const char **id, **sequence;
    } guides;
    sow_costs costs;
    struct {
        double money, weeks; /* NaN = no bound */
    } budget;
    sow_index n_prices;
    sow_config_price *prices; /* [n_prices] costs.contexts */

    void *arena; /* owns every string and array above */
} sow_config;

/** One setting of a campaign as a sweep file gives it. */
typedef struct {
    const char *text;  /* "key.path=value", as --set takes it */
    long line, column; /* of the value in the sweep file; 0 = from its --set */
} sow_setting;

/** `sets` are "key.path=value" strings of --set, applied over the file and checked the same way (named "--set" in messages). Lists as YAML flow: "[4, 4]".
 *  On problems: SOW_E_CONFIG, err->message holds the first, `*problems` (may be NULL) all of them in the file's order, those of --set last, one a line,
 *  caller frees; it stays NULL when there is no such file (also SOW_E_CONFIG) or on SOW_E_IO and SOW_E_NOMEM.
 *  Relative paths in the file are resolved against its folder. Destroy with sow_config_destroy (NULL is fine). */
SOW_MUST_CHECK sow_status sow_config_read(sow_config **out, char **problems, const char *path, const char *const *sets, sow_index n_sets,
                                          sow_error *err);
void sow_config_destroy(sow_config *config);

/** The effective configuration as JSON text: every key with its value in force, sorted, file paths as written in the YAML (so that it does not depend on where
 *  the folder lies). Caller frees. */
SOW_MUST_CHECK sow_status sow_config_effective(char **out, const sow_config *config, sow_error *err);

/** docs/config.md, whole. Caller frees. */
SOW_MUST_CHECK sow_status sow_config_reference(char **out, sow_error *err);

/** The values an enumerated key ("acquisition.strategy") allows, or with `aliases` != 0 its other spellings: comma-separated, borrowed. "" = none,
 *  NULL = not such a key. Aliases are passed on as they are written. */
const char *sow_config_allowed(const char *key, int aliases);

/** What `sower init DATAFILE` found in a file. */
typedef struct {
    const char *file;
    const char *readout_kind; /* scalar | profile | cells */
    const char *perturbation_column, *control, *separator;
    const char *context_column, *context;
    const char *readout_column, *transform, *cells_column;
    const char *first_context; /* with context_column: its first value, the one to plan in */
    sow_index n_perturbations; /* cells: those of first_context with enough cells */
    /* cells */
    const char *values, *layer, *gene_column, *labels;
    const char *guide_column, *replicate_column, *batch_column;
    sow_index n_references; /* other contexts of the column, known in full */
    const char *const *reference_contexts;
    sow_index n_genes, n_controls, cells_per_perturbation; /* controls and median cells in first_context */
} sow_config_guess;
/** A commented campaign with every key in it, its `data:` and `readout:` filled from the guess (NULL: the simulator). Caller frees. It parses. */
SOW_MUST_CHECK sow_status sow_config_template(char **out, const sow_config_guess *guess, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
