/* Graphs of nearest neighbours, and what is read off them: clusters, and a picture in two dimensions. */
#ifndef SOWER_MODELS_NEIGHBOURS_H
#define SOWER_MODELS_NEIGHBOURS_H

#include "core/env.h"
#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** An undirected graph of n nodes, each edge once. */
typedef struct {
    sow_index n, n_edges;
    sow_index *end;  /* [n_edges, 2] */
    double *weight;  /* [n_edges] > 0 */
} sow_graph;

/** Nodes z [n, k] joined where one is among the other's `neighbours` nearest (Euclidean; ties to the lower position). An edge weighs exp(-distance^2 / (s_i s_j)), s the distance to the seventh neighbour
 *  (Zelnik-Manor & Perona 2004). Fewer nodes than neighbours: all are joined. The same for any number of threads. Caller clears. n >= 2. Cost n^2 k. */
SOW_MUST_CHECK sow_status sow_graph_of_neighbours(sow_graph *out, const double *z, sow_index n, sow_index k, sow_index neighbours, const sow_env *env, sow_error *err);
void sow_graph_clear(sow_graph *g);

/** Leiden clusters of largest modularity (Traag, Waltman & van Eck 2019) into cluster [n], numbered 0, 1, ... by their first node. One call at a time. SOW_E_UNSUPPORTED without igraph in the build
 *  (sow_graph_has_clusters says it beforehand). */
SOW_MUST_CHECK sow_status sow_graph_clusters(sow_index *cluster, const sow_graph *graph, double resolution, uint64_t seed, sow_error *err);
int sow_graph_has_clusters(void);

/** A picture: xy [n, 2] in which joined nodes lie near each other. xy holds where they begin (two principal components, say) and what comes of it. Nodes attract each other along edges as often as
 *  these weigh and push others away that are drawn at random, as UMAP does it (McInnes, Healy & Melville 2018); one thread, one stream of random numbers, so the same graph gives the same picture.
 *  docs/decisions/map-embedding.md says why this one. Cost edges x epochs. */
SOW_MUST_CHECK sow_status sow_graph_layout(double *xy, const sow_graph *graph, uint64_t seed, const sow_env *env, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
