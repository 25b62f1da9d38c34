/* Inside splits: the graph that is clustered, and who clusters it. leiden.c is built where igraph was found, leiden_none.c elsewhere. */
#ifndef SOWER_MODELS_SPLIT_INTERNAL_H
#define SOWER_MODELS_SPLIT_INTERNAL_H

#include "models/split.h"

/** An undirected graph of n nodes, each edge once. */
typedef struct {
    sow_index n, n_edges;
    sow_index *end;  /* [n_edges, 2] */
    double *weight;  /* [n_edges] > 0 */
} sow_i_graph;

/** Leiden clusters of largest modularity (Traag, Waltman & van Eck 2019) into cluster [n], numbered 0, 1, ... by their first node; runs until nothing changes any more.
 *  The same graph and seed give the same clusters. Not for two threads at a time. Memory that igraph cannot get is SOW_E_NOMEM, SOW_E_UNSUPPORTED without igraph. */
SOW_MUST_CHECK sow_status sow_i_leiden(sow_index *cluster, const sow_i_graph *graph, double resolution, uint64_t seed, sow_error *err);

#endif
