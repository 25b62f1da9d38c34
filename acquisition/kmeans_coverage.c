/* k-means coverage: as many clusters of the candidates' prior features as picks; each centre takes its nearest feasible candidate,
 * in the order of the centres. What was measured before is no centre. Candidates without a prior row cannot be placed: they are
 * drawn at random, and only when too few others remain. */
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
    free(c->allowed);
    free(c->pick);
    free(c->distance2);
    free(c->size);
    sow_kmeans_clear(&c->clusters);
}

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
    SOW_TRY(sow_kmeans(&c->clusters, c->x, c->n, view->dim, k, NULL, NULL, &km, &rng, env, err));
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
                       "nearest to the centre of a cluster of %lld candidate%s, at distance %.3g",
                       (long long)members, members == 1 ? "" : "s", distance);
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
    .pick = pick_kmeans,
};
