/* Seeds by how alike their responses are in the reference contexts (core/cross_context.h): least-consistent takes those that differ most for their size, as HyperMap publishes it or with the noise of few cells taken
 * off; most-consistent those that differ least, among those of at least the median effect. Candidates that fewer than two reference contexts measured come last, at random. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "acquisition/strategy_internal.h"
#include "core/cross_context.h"
#include "core/memory.h"
#include "core/stats.h"

typedef struct {
    const sow_pool_view *view;
    sow_cross_context *of; /* [n] */
    int clear;             /* noise is known and wanted: the ratio is clear_cv */
    double *key;           /* [n] what is ranked; NaN = fewer than two contexts */
} ranking;

static double ratio_of(const ranking *r, sow_index i)
{
    return r->clear ? r->of[i].clear_cv : r->of[i].cv;
}

static double effect_of(const ranking *r, sow_index i)
{
    return r->clear ? r->of[i].clear_effect : r->of[i].effect;
}

/* Noise is taken off where it is known of at least half of those that have a ratio at all; the others then come after what shows an effect. */
static sow_status compare_contexts(ranking *r, const sow_pool_view *view, const sow_strategy_options *options, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index n = view->n, refs = view->n_references;
    sow_index known = 0, compared = 0;
    const int published = options->consistency && strcmp(options->consistency, "published") == 0;
    if (options->consistency && !published && strcmp(options->consistency, "corrected") != 0)
        SOW_FAIL(err, SOW_E_CONFIG, "acquisition.consistency is '%s': corrected or published are allowed", options->consistency);
    r->view = view;
    SOW_NEW(r->of, n);
    SOW_NEW(r->key, n);
    for (sow_index i = 0; i < n; i++) {
        SOW_TRY(sow_cross_context_of(&r->of[i], view->delta + i * refs, view->delta_error ? view->delta_error + i * refs : NULL, refs, view->n_genes, err));
        compared += r->of[i].contexts > 1;
        known += r->of[i].contexts > 1 && !isnan(r->of[i].clear_effect);
    }
    r->clear = !published && 2 * known >= compared;
done:
    return st;
}

static void clear_ranking(ranking *r)
{
    free(r->of);
    free(r->key);
}

static void take(sow_pick *pick, const ranking *r, sow_index i)
{
    const sow_cross_context *x = &r->of[i];
    const double ratio = ratio_of(r, i);
    if (r->clear && isnan(x->clear_effect))
        sow_i_take(pick, r->view, i, r->key[i], "too few cells in some of %lld reference contexts to know its noise", (long long)x->contexts);
    else if (isnan(ratio))
        sow_i_take(pick, r->view, i, r->key[i], "no effect beyond the noise of its cells in %lld reference contexts", (long long)x->contexts);
    else
        sow_i_take(pick, r->view, i, r->key[i], "its response differs between %lld reference contexts by %.2f of its size (%.3g%s)", (long long)x->contexts, ratio, effect_of(r, i),
                   r->clear ? ", noise taken off" : "");
}

static sow_status pick_ranked(sow_pick *picks, sow_index batch, const ranking *r, sow_error *err)
{
    sow_index picked = 0;
    while (picked < batch) {
        const sow_index i = sow_i_best(r->view, r->key);
        if (i < 0) break;
        take(&picks[picked++], r, i);
    }
    return sow_i_take_unknown(picks, &picked, batch, r->view, r->key, "fewer than two reference contexts measured it: drawn at random", err);
}

static sow_status pick_least_consistent(sow_pick *picks, sow_index batch, const sow_pool_view *view, const sow_strategy_options *options, const sow_env *env, sow_error *err)
{
    (void)env;
    sow_status st = SOW_OK;
    ranking r = {0};
    SOW_TRY(compare_contexts(&r, view, options, err));
    for (sow_index i = 0; i < view->n; i++) {
        const double ratio = ratio_of(&r, i);
        r.key[i] = r.of[i].contexts < 2 ? NAN : isnan(ratio) ? -1 : ratio; /* what shows no effect comes after what does */
    }
    SOW_TRY(pick_ranked(picks, batch, &r, err));
done:
    clear_ranking(&r);
    return st;
}

/* Median effect of those that at least two contexts measured. */
static sow_status median_effect(double *out, const ranking *r, sow_error *err)
{
    sow_status st = SOW_OK;
    double *effect = NULL;
    sow_index n = 0;
    SOW_NEW(effect, r->view->n);
    for (sow_index i = 0; i < r->view->n; i++)
        if (r->of[i].contexts > 1 && !isnan(effect_of(r, i))) effect[n++] = effect_of(r, i);
    *out = 0;
    if (n > 0) SOW_TRY(sow_quantile(out, effect, n, 0.5, err));
done:
    free(effect);
    return st;
}

static sow_status pick_most_consistent(sow_pick *picks, sow_index batch, const sow_pool_view *view, const sow_strategy_options *options, const sow_env *env, sow_error *err)
{
    (void)env;
    sow_status st = SOW_OK;
    ranking r = {0};
    double median = 0, most = 0;
    SOW_TRY(compare_contexts(&r, view, options, err));
    SOW_TRY(median_effect(&median, &r, err));
    for (sow_index i = 0; i < view->n; i++)
        if (ratio_of(&r, i) > most) most = ratio_of(&r, i);
    for (sow_index i = 0; i < view->n; i++) { /* weaker ones after all of the strong, and what shows no effect after these */
        const double ratio = ratio_of(&r, i), weak = effect_of(&r, i) < median ? most + 1 : 0;
        r.key[i] = r.of[i].contexts < 2 ? NAN : isnan(ratio) ? -2 * (most + 1) : -ratio - weak;
    }
    SOW_TRY(pick_ranked(picks, batch, &r, err));
done:
    clear_ranking(&r);
    return st;
}

const sow_strategy sow_i_strategy_least_consistent = {
    .name = "least-consistent",
    .aliases = "inconsistent",
    .summary = "the perturbations whose responses differ most between reference contexts, for their size (HyperMap's seeds)",
    .needs = SOW_NEED_DELTAS,
    .pick = pick_least_consistent,
};

const sow_strategy sow_i_strategy_most_consistent = {
    .name = "most-consistent",
    .aliases = "consistent",
    .summary = "the perturbations of at least the median effect whose responses differ least between reference contexts",
    .needs = SOW_NEED_DELTAS,
    .pick = pick_most_consistent,
};
