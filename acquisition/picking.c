/* What strategies share: the best feasible candidate, recording a pick, reasons. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "acquisition/strategy_internal.h"
#include "core/memory.h"
#include "core/stats.h"

static const double tie = 1e-6, default_hit_share = 0.1;

int sow_i_feasible(const sow_pool_view *view, sow_index i)
{
    return !view->feasible || view->feasible(view->rules, i);
}

sow_index sow_i_best(const sow_pool_view *view, const double *score)
{
    sow_index best = -1;
    for (sow_index i = 0; i < view->n; i++)
        if (!isnan(score[i]) && (best < 0 || score[i] > score[best]) && sow_i_feasible(view, i)) best = i;
    if (best < 0) return -1;
    const double size = fabs(score[best]), slack = tie * (size < 1 ? size : 1);
    for (sow_index i = 0; i < best; i++)
        if (score[i] >= score[best] - slack && sow_i_feasible(view, i)) return i;
    return best;
}

void sow_i_take(sow_pick *pick, const sow_pool_view *view, sow_index i, double score, const char *format, ...)
{
    va_list args;
    pick->candidate = i;
    pick->score = score;
    va_start(args, format);
    vsnprintf(pick->reason, sizeof pick->reason, format, args);
    va_end(args);
    if (view->take) view->take(view->rules, i);
}

sow_status sow_i_stuck(const sow_pool_view *view, sow_index picked, sow_index batch, sow_error *err)
{
    return SOW_ERROR(err, SOW_E_CONFIG, "only %lld of %lld could be picked: no feasible candidate is left among the other %lld",
                     (long long)picked, (long long)batch, (long long)(view->n - picked));
}

sow_status sow_i_take_at_random(sow_pick *picks, sow_index *picked, sow_index batch, const sow_pool_view *view,
                                const unsigned char *eligible, sow_rng *rng, const char *reason, sow_error *err)
{
    sow_status st = SOW_OK;
    double *draw = NULL;
    SOW_NEW(draw, view->n);
    for (sow_index i = 0; i < view->n; i++) {
        const double u = sow_rng_uniform(rng); /* drawn for all, so that a draw does not depend on who is eligible */
        draw[i] = !eligible || eligible[i] ? u : NAN;
    }
    while (*picked < batch) {
        const sow_index i = sow_i_best(view, draw);
        if (i < 0) break;
        sow_i_take(&picks[(*picked)++], view, i, draw[i], "%s", reason);
    }
done:
    free(draw);
    return st;
}

sow_status sow_i_take_rest(sow_pick *picks, sow_index *picked, sow_index batch, const sow_pool_view *view, sow_error *err)
{
    sow_status st = SOW_OK;
    double *score = NULL;
    if (*picked == batch) return SOW_OK;
    SOW_NEW(score, view->n);
    for (sow_index i = 0; i < view->n; i++)
        score[i] = view->has && !view->has[i] ? NAN : 0;
    SOW_TRY(sow_i_take_unknown(picks, picked, batch, view, score, "no prior row to place it: drawn at random", err));
done:
    free(score);
    return st;
}

sow_status sow_i_take_unknown(sow_pick *picks, sow_index *picked, sow_index batch, const sow_pool_view *view, const double *score,
                              const char *reason, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_rng rng = view->rng;
    unsigned char *unknown = NULL;
    if (*picked == batch) return SOW_OK;
    SOW_NEW(unknown, view->n);
    for (sow_index i = 0; i < view->n; i++)
        unknown[i] = (unsigned char)(isnan(score[i]) != 0);
    SOW_TRY(sow_i_take_at_random(picks, picked, batch, view, unknown, &rng, reason, err));
    SOW_TRY(sow_i_take_at_random(picks, picked, batch, view, NULL, &rng, "what the rules leave open: drawn at random", err));
    if (*picked < batch) st = sow_i_stuck(view, *picked, batch, err);
done:
    free(unknown);
    return st;
}

double sow_i_percent_below(const double *score, sow_index n, sow_index i)
{
    sow_index below = 0, others = 0;
    for (sow_index k = 0; k < n; k++) {
        if (k == i || isnan(score[k])) continue;
        below += score[k] < score[i];
        others++;
    }
    return others > 0 ? floor(100.0 * (double)below / (double)others) : 0; /* 100 is for those with nothing above */
}

double sow_i_probability(double mean, double var, double threshold)
{
    if (!(var > 0)) return mean >= threshold ? 1 : 0;
    return sow_normal_cdf((mean - threshold) / sqrt(var));
}

sow_status sow_i_threshold(double *out, const sow_pool_view *view, sow_error *err)
{
    *out = view->threshold;
    if (isfinite(view->threshold)) return SOW_OK;
    const double share = view->hit_share > 0 && view->hit_share < 1 ? view->hit_share : default_hit_share;
    if (view->n_measured > 0) return sow_quantile(out, view->measured, view->n_measured, 1 - share, err);
    return sow_quantile(out, view->mean, view->n, 1 - share, err);
}

sow_i_clause sow_i_describe(const sow_pool_view *view, sow_index i, double threshold)
{
    sow_i_clause clause;
    if (!view->var) {
        snprintf(clause.text, sizeof clause.text, "predicted %.3g", view->mean[i]);
        return clause;
    }
    const double sd = sqrt(view->var[i]), p = sow_i_probability(view->mean[i], view->var[i], threshold);
    if (isfinite(threshold))
        snprintf(clause.text, sizeof clause.text, "predicted %.3g +- %.2g, above the hit threshold %.3g with probability %.2f",
                 view->mean[i], sd, threshold, p);
    else
        snprintf(clause.text, sizeof clause.text, "predicted %.3g +- %.2g", view->mean[i], sd);
    return clause;
}
