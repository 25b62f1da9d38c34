/* A build without igraph: there is no Leiden clustering, and it says what to install. */
#include "models/neighbours.h"

int sow_graph_has_clusters(void)
{
    return 0;
}

sow_status sow_graph_clusters(sow_index *cluster, const sow_graph *graph, double resolution, uint64_t seed, sow_error *err)
{
    (void)cluster;
    (void)graph;
    (void)resolution;
    (void)seed;
    return SOW_ERROR(err, SOW_E_UNSUPPORTED,
                     "the outlier split clusters with igraph (0.10), which this build of sower lacks: apt-get install libigraph-dev and build again, or split by folds");
}
