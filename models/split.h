/* Splits of a finished screen's perturbations for judging models: random folds, and the outlier split. */
#ifndef SOWER_MODELS_SPLIT_H
#define SOWER_MODELS_SPLIT_H

#include "core/env.h"
#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** fold [n] 0..folds-1: a random permutation (seed) cut into contiguous parts whose sizes differ by at most one. SOW_E_ARG: folds < 2 or > n. */
SOW_MUST_CHECK sow_status sow_split_folds(sow_index *fold, sow_index n, sow_index folds, uint64_t seed, sow_error *err);

typedef struct {
    sow_index neighbours;  /* of the graph [15] */
    sow_index components;  /* principal components of the pseudo-bulks [50] */
    double resolution;     /* of Leiden, modularity [1] */
    double share;          /* held out: whole clusters, farthest first, until this share of the perturbations is reached [0.2] */
    uint64_t seed;
} sow_outlier_options;
#define SOW_OUTLIER_OPTIONS_INIT {15, 50, 1.0, 0.2, 1}

/** The outlier split (as MORPH's authors describe it): pseudo-bulks [n, d] (mean response of every perturbation) and the controls' [d] are clustered by Leiden (Traag 2019) on their nearest-neighbour graph; clusters whose
 *  centres are farthest (Euclidean) from the centre of the cluster that holds the control are held out. held [n] 1 = held out; cluster [n + 1] (may be NULL), the last the controls', numbered by first
 *  member. An edge weighs exp(-distance^2 / (s_i s_j)), s the distance to the seventh neighbour (Zelnik-Manor & Perona 2004). The cluster of the control is never held out.
 *  Fewer than all are held out. SOW_E_UNSUPPORTED without igraph in the build; SOW_E_DATA when all fall into one cluster. The same for any number of threads. Cost n^2 (components + log n), and igraph's; one call at a time. */
SOW_MUST_CHECK sow_status sow_split_outliers(unsigned char *held, sow_index *cluster, const double *bulk, sow_index n, sow_index d, const double *control,
                                             const sow_outlier_options *options, const sow_env *env, sow_error *err);
int sow_split_has_leiden(void); /* as sow_graph_has_clusters */

#ifdef __cplusplus
}
#endif
#endif
