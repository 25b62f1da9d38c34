/* k-means coverage: as many clusters of the candidates' features as picks; each centre takes its nearest feasible candidate, in the
 * order of the centres. What was measured before is no centre. Candidates without a prior row cannot be placed: they are drawn at
 * random, and only when too few others remain. Candidates may be weighted by how far their latent moved in training (morph.md 5.2),
 * which draws the centres towards what the model has not settled on. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "acquisition/strategy_internal.h"
#include "core/kmeans.h"
#include "core/memory.h"

typedef struct {
    sow_index n;            /* candidates with a prior row */
    sow_index *candidate;   /* [n] */
    double *x;              /* [n, dim] */
    double *weight;         /* [n]; NULL = all alike */
    unsigned char *allowed; /* [n] */
    sow_index *pick;        /* [clusters] */
    double *distance2;      /* [clusters] */
    sow_index *size;        /* [clusters] members of each */
    sow_kmeans_result clusters;
} coverage;

static void clear_coverage(coverage *c)
{
    free(c->candidate);
    free(c->x);
    free(c->weight);
    free(c->allowed);
    free(c->pick);
    free(c->distance2);
    free(c->size);
    sow_kmeans_clear(&c->clusters);
}

/* ---- weights ---- */

static void scale_min_max(double *weight, const double *drift, sow_index n)
{
    double least = INFINITY, most = -INFINITY;
    for (sow_index i = 0; i < n; i++) {
        if (drift[i] < least) least = drift[i];
        if (drift[i] > most) most = drift[i];
    }
    for (sow_index i = 0; i < n; i++)
        weight[i] = most > least && !isnan(drift[i]) ? (drift[i] - least) / (most - least) : 0;
}

sow_status sow_i_drift_weights(double *weight, const double *drift, sow_index n, const char *how, sow_error *err)
{
    double most = 0;
    if (strcmp(how, "uncertainty") == 0)
        for (sow_index i = 0; i < n; i++)
            weight[i] = isnan(drift[i]) ? 0 : drift[i];
    else if (strcmp(how, "uncertainty-minmax") == 0)
        scale_min_max(weight, drift, n);
    else if (strcmp(how, "uncertainty-softmax") == 0)
        sow_i_softmax(weight, drift, n, 1);
    else if (strcmp(how, "uncertainty-softmax5") == 0)
        sow_i_softmax(weight, drift, n, 5);
    else
        return SOW_ERROR(err, SOW_E_CONFIG,
                         "acquisition.weight is '%s': none, uncertainty, uncertainty-minmax, uncertainty-softmax or "
                         "uncertainty-softmax5 are allowed", how);
    for (sow_index i = 0; i < n; i++)
        if (weight[i] > most) most = weight[i];
    for (sow_index i = 0; i < n && most == 0; i++)
        weight[i] = 1;
    return SOW_OK;
}

static int is_weighted(const sow_strategy_options *options)
{
    return options->weight && strcmp(options->weight, "none") != 0;
}

static unsigned needs_of_weight(const sow_strategy_options *options)
{
    return is_weighted(options) ? SOW_NEED_DRIFT : 0;
}

static sow_status weigh(coverage *c, const sow_pool_view *view, const char *how, sow_error *err)
{
    sow_status st = SOW_OK;
    double *drift = NULL;
    SOW_NEW(c->weight, c->n);
    SOW_NEW(drift, c->n);
    for (sow_index i = 0; i < c->n; i++)
        drift[i] = view->drift[c->candidate[i]];
    SOW_TRY(sow_i_drift_weights(c->weight, drift, c->n, how, err));
done:
    free(drift);
    return st;
}

/* ---- clusters ---- */

static sow_status find_clusters(coverage *c, sow_index batch, const sow_pool_view *view, const sow_strategy_options *options,
                                const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_kmeans_options km = SOW_KMEANS_OPTIONS_INIT;
    sow_rng rng = view->rng;
    SOW_NEW(c->candidate, view->n);
    SOW_NEW(c->x, view->n * view->dim);
    for (sow_index i = 0; i < view->n; i++) {
        if (view->has && !view->has[i]) continue;
        memcpy(c->x + c->n * view->dim, view->features + i * view->dim, (size_t)view->dim * sizeof *c->x);
        c->candidate[c->n++] = i;
    }
    const sow_index k = batch < c->n ? batch : c->n;
    if (k == 0) goto done;
    SOW_NEW(c->allowed, c->n);
    SOW_NEW(c->pick, k);
    SOW_NEW(c->distance2, k);
    SOW_NEW(c->size, k);
    km.starts = options->starts;
    if (is_weighted(options)) SOW_TRY(weigh(c, view, options->weight, err));
    SOW_TRY(sow_kmeans(&c->clusters, c->x, c->n, view->dim, k, c->weight, NULL, &km, &rng, env, err));
    for (sow_index i = 0; i < c->n; i++)
        c->size[c->clusters.labels[i]]++;
done:
    return st;
}

static sow_index mark_allowed(coverage *c, const sow_pool_view *view)
{
    sow_index n = 0;
    for (sow_index i = 0; i < c->n; i++) {
        c->allowed[i] = (unsigned char)sow_i_feasible(view, c->candidate[i]);
        n += c->allowed[i];
    }
    return n;
}

/* The nearest rows are found for all the centres at once and again from the first whose row a rule has closed meanwhile. */
static sow_status take_nearest(sow_pick *picks, sow_index *picked, coverage *c, const sow_pool_view *view, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index k = c->clusters.k;
    sow_index centre = 0;
    while (centre < k) {
        const sow_index open = mark_allowed(c, view), here = open < k - centre ? open : k - centre;
        sow_index done_here = 0;
        if (here == 0) break;
        SOW_TRY(sow_kmeans_nearest_rows(c->pick, c->distance2, c->x, c->n, view->dim, c->clusters.centres + centre * view->dim,
                                        here, c->allowed, err));
        for (; done_here < here; done_here++) {
            const sow_index i = c->candidate[c->pick[done_here]];
            if (!sow_i_feasible(view, i)) break;
            const sow_index members = c->size[centre + done_here];
            const double distance = c->distance2[done_here] > 1e-18 ? sqrt(c->distance2[done_here]) : 0; /* below is rounding */
            sow_i_take(&picks[(*picked)++], view, i, 0 - distance,
                       "nearest to the centre of a cluster of %lld candidate%s%s, at distance %.3g",
                       (long long)members, members == 1 ? "" : "s", c->weight ? " weighted by how far their latents moved" : "", distance);
        }
        centre += done_here;
    }
done:
    return st;
}

static sow_status pick_kmeans(sow_pick *picks, sow_index batch, const sow_pool_view *view, const sow_strategy_options *options,
                              const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    coverage c = {0};
    sow_index picked = 0;
    SOW_TRY(find_clusters(&c, batch, view, options, env, err));
    if (c.n > 0) SOW_TRY(take_nearest(picks, &picked, &c, view, err));
    SOW_TRY(sow_i_take_rest(picks, &picked, batch, view, err));
done:
    clear_coverage(&c);
    return st;
}

const sow_strategy sow_i_strategy_kmeans = {
    .name = "kmeans",
    .aliases = "k-means,kmeans-data,kmeans-coverage",
    .summary = "as many clusters of the candidates in prior space as picks; the candidate nearest to each centre",
    .needs = SOW_NEED_PRIOR,
    .more_needs = needs_of_weight,
    .pick = pick_kmeans,
};

const sow_strategy sow_i_strategy_kmeans_embedding = {
    .name = "kmeans-embedding",
    .aliases = "kmeans-latent",
    .summary = "kmeans on what the model learned of the candidates, whatever acquisition.representation says",
    .needs = SOW_NEED_PRIOR | SOW_NEED_LATENT,
    .more_needs = needs_of_weight,
    .pick = pick_kmeans,
};
