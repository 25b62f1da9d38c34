/* Random folds, and the outlier split: which perturbations are unlike the controls and all that resembles them. */
#include "models/split.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/pca.h"
#include "core/rng.h"
#include "models/neighbours.h"

sow_status sow_split_folds(sow_index *fold, sow_index n, sow_index folds, uint64_t seed, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *order = NULL;
    if (folds < 2 || folds > n)
        SOW_FAIL(err, SOW_E_ARG, "%lld folds of %lld perturbations; from 2 to as many as there are perturbations are possible", (long long)folds, (long long)n);
    SOW_NEW(order, n);
    for (sow_index i = 0; i < n; i++)
        order[i] = i;
    sow_rng rng = sow_rng_make(seed, SOW_RNG_FOLDS, 0, 0);
    sow_rng_permute(&rng, order, n);
    for (sow_index f = 0, i = 0; f < folds; f++) /* the first n mod folds parts have one more */
        for (sow_index size = n / folds + (f < n % folds); size > 0; size--)
            fold[order[i++]] = f;
done:
    free(order);
    return st;
}

int sow_split_has_leiden(void)
{
    return sow_graph_has_clusters();
}

/* ---- which clusters are far ---- */

typedef struct {
    double distance; /* of its centre from that of the control's cluster */
    sow_index cluster, size;
} far;

static int farther_first(const void *a, const void *b)
{
    const far *x = a, *y = b;
    if (x->distance != y->distance) return x->distance > y->distance ? -1 : 1;
    return (x->cluster > y->cluster) - (x->cluster < y->cluster);
}

/* Clusters but the control's (node n - 1), farthest first; *n_out of them. The control counts in its cluster's centre. */
static sow_status order_clusters(far **out, sow_index *n_out, const double *z, const sow_index *cluster, sow_index n, sow_index k, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index clusters = 0, home = cluster[n - 1];
    double *centre = NULL, *count = NULL;
    for (sow_index i = 0; i < n; i++)
        clusters = cluster[i] >= clusters ? cluster[i] + 1 : clusters;
    SOW_NEW(centre, clusters * k);
    SOW_NEW(count, clusters);
    SOW_NEW(*out, clusters);
    for (sow_index i = 0; i < n; i++)
        count[cluster[i]]++;
    for (sow_index i = 0; i < n; i++)
        for (sow_index c = 0; c < k; c++)
            centre[cluster[i] * k + c] += z[i * k + c] / count[cluster[i]];
    *n_out = 0;
    for (sow_index q = 0; q < clusters; q++) {
        double square = 0;
        for (sow_index c = 0; c < k; c++)
            square += (centre[q * k + c] - centre[home * k + c]) * (centre[q * k + c] - centre[home * k + c]);
        if (q != home) (*out)[(*n_out)++] = (far){sqrt(square), q, (sow_index)count[q]};
    }
    qsort(*out, (size_t)*n_out, sizeof **out, farther_first);
done:
    free(centre);
    free(count);
    return st;
}

/* Whole clusters until the share is reached, but something must be left to learn from. */
static sow_status hold_out(unsigned char *held, const far *order, sow_index n_far, const sow_index *cluster, sow_index n, double share, sow_error *err)
{
    sow_index taken = 0;
    memset(held, 0, (size_t)n);
    for (sow_index q = 0; q < n_far && (double)taken < share * (double)n; q++) {
        if (taken + order[q].size >= n) break;
        for (sow_index i = 0; i < n; i++)
            held[i] |= cluster[i] == order[q].cluster;
        taken += order[q].size;
    }
    if (n_far == 0)
        return SOW_ERROR(err, SOW_E_DATA, "outlier split: all %lld perturbations fall into the cluster of the controls, so none is an outlier; split by folds", (long long)n);
    if (taken == 0)
        return SOW_ERROR(err, SOW_E_DATA, "outlier split: all %lld perturbations fall into one cluster away from the controls, which leaves none to learn from; split by folds",
                         (long long)n);
    return SOW_OK;
}

/* ---- */

static sow_status check(const double *bulk, sow_index n, sow_index d, const double *control, const sow_outlier_options *o, sow_error *err)
{
    if (n < 2 || d < 1) return SOW_ERROR(err, SOW_E_ARG, "outlier split: %lld perturbations of %lld features; 2 and 1 are needed", (long long)n, (long long)d);
    if (o->neighbours < 1 || o->components < 1 || !(o->resolution > 0) || !(o->share > 0 && o->share < 1))
        return SOW_ERROR(err, SOW_E_ARG, "outlier split: neighbours and components must be at least 1, the resolution above 0 and the share between 0 and 1");
    for (sow_index i = 0; i < (n + 1) * d; i++)
        if (!isfinite(i < n * d ? bulk[i] : control[i - n * d]))
            return SOW_ERROR(err, SOW_E_NONFINITE, "outlier split: feature %lld of perturbation %lld (of %lld; the last is the controls) is not finite", (long long)(i % d),
                             (long long)(i / d), (long long)(n + 1));
    return SOW_OK;
}

/* Perturbations, then the controls, in the space of their principal components: z [n + 1, *k]. Where nothing varies there is one component, and all are at 0. */
static sow_status project(double **z, sow_index *k, const double *bulk, sow_index n, sow_index d, const double *control, sow_index components, const sow_env *env,
                          sow_error *err)
{
    sow_status st = SOW_OK;
    double *x = NULL;
    sow_pca pca = {0};
    SOW_NEW(x, (n + 1) * d);
    memcpy(x, bulk, (size_t)(n * d) * sizeof *x);
    memcpy(&x[n * d], control, (size_t)d * sizeof *x);
    SOW_TRY(sow_pca_fit(&pca, x, n + 1, d, NULL, components, env, err));
    *k = pca.n_components > 0 ? pca.n_components : 1;
    SOW_NEW(*z, (n + 1) * *k);
    if (pca.n_components > 0) SOW_TRY(sow_pca_transform(&pca, x, n + 1, NULL, *z, env, err));
done:
    sow_pca_clear(&pca);
    free(x);
    return st;
}

sow_status sow_split_outliers(unsigned char *held, sow_index *cluster, const double *bulk, sow_index n, sow_index d, const double *control,
                              const sow_outlier_options *options, const sow_env *env, sow_error *err)
{
    static const sow_outlier_options defaults = SOW_OUTLIER_OPTIONS_INIT;
    sow_status st = SOW_OK;
    const sow_outlier_options *o = options ? options : &defaults;
    double *z = NULL;
    sow_index k = 0, *found = NULL, n_far = 0;
    sow_graph graph = {0};
    far *order = NULL;
    SOW_TRY(check(bulk, n, d, control, o, err));
    SOW_TRY(project(&z, &k, bulk, n, d, control, o->components, env, err));
    SOW_TRY(sow_graph_of_neighbours(&graph, z, n + 1, k, o->neighbours, env, err));
    SOW_NEW(found, n + 1);
    SOW_TRY(sow_graph_clusters(found, &graph, o->resolution, o->seed, err));
    SOW_TRY(order_clusters(&order, &n_far, z, found, n + 1, k, err));
    SOW_TRY(hold_out(held, order, n_far, found, n, o->share, err));
    if (cluster) memcpy(cluster, found, (size_t)n * sizeof *cluster);
done:
    free(z);
    free(found);
    free(order);
    sow_graph_clear(&graph);
    return st;
}
