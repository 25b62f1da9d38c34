/* Priors from files: tables, h5ad embeddings, NPY + name list, GMT membership, or the measured responses of a reference context. */
#ifndef SOWER_IO_PRIORS_H
#define SOWER_IO_PRIORS_H

#include "core/env.h"
#include "core/prior.h"
#include "core/screen.h"
#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** One entry of `priors:`; strings owned by the config, NULL = not given. */
typedef struct {
    const char *name;
    const char *file;      /* .gmt, .csv/.tsv, .npy, .h5ad, each plain or .gz except npy/h5ad; NULL when `context` is given */
    const char *names;     /* .npy: file with one name a line */
    const char *key;       /* table: column with the names; NULL = the first column */
    sow_index n_columns;   /* table: numeric columns used; 0 = every numeric column but the key */
    const char **columns;
    const char *context;   /* the measured responses of this reference context as features */
    sow_index min_set_size, max_set_size; /* gmt: sets with fewer or more catalogue members are left out [2, no bound = 0] */
    int shuffle;           /* control arm: rows, and their absence, permuted among all items */
} sow_prior_spec;

typedef struct {
    char *name;
    sow_index rows, dim;       /* read */
    sow_index covered;         /* catalogue items with a row */
    char *missing;             /* names without one, at most 20 then "... and N more" */
    sow_index zero_rows;       /* all-zero rows, taken as missing */
} sow_prior_coverage;

/** Read every spec against the catalogue of `screen`; scaling and PCA use only rows with in_pool[i] != 0 (held-out rows are transformed, never fitted).
 *  Dense columns: centred and divided by one pooled standard deviation per prior (a few columns of very different size: each by its own); fused = concatenation of priors each scaled to unit mean squared row norm
 *  (sets: tf-idf rows), then PCA to `prior_dims` (0 = no PCA).
 *  A pair A+B takes the mean of its agents' rows (sets: the union). `coverage` [n] filled, caller clears with sow_prior_coverage_clear.
 *  SOW_E_DATA: unreadable, NaN entries (names row and column), duplicate names, no overlap at all (prints three names of each side).
 *  `given` (may be NULL): a ready prior with the catalogue's rows (the simulator's), copied in after the files'. */
SOW_MUST_CHECK sow_status sow_priors_read(sow_prior_set *out, sow_prior_coverage *coverage, const sow_prior_spec *specs, sow_index n,
                                          const sow_screen *screen, const unsigned char *in_pool, sow_index prior_dims, uint64_t seed,
                                          const sow_prior *given, const sow_env *env, sow_error *err);
void sow_prior_coverage_clear(sow_prior_coverage *c);

#ifdef __cplusplus
}
#endif
#endif
