/* Sequential batches: pick, lower the variances as if the pick were measured, pick again.
 *
 * With c the covariance of pick b with everyone, given the picks before it, and s^2 its noise: u = c / sqrt(c_b + s^2), var -= u^2.
 * Later columns lose u u_b' in turn. Rasmussen & Williams 2006, eq. 2.24, one observation at a time. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "acquisition/strategy_internal.h"
#include "core/linalg.h"
#include "core/memory.h"

static const double known_share = 1e-12; /* of its own variance: a candidate below it is known and teaches nothing more */

typedef struct {
    const sow_pool_view *view;
    sow_index n_picks;
    double *var;   /* [n] given the picks */
    double *u;     /* [batch, n]; NULL without a posterior */
    double *at;    /* [batch] scratch */
    double *score; /* [n] */
} sequence;

static void clear_sequence(sequence *s)
{
    free(s->var);
    free(s->u);
    free(s->at);
    free(s->score);
}

static sow_status start_sequence(sequence *s, const sow_pool_view *view, sow_index batch, sow_error *err)
{
    sow_status st = SOW_OK;
    s->view = view;
    SOW_NEW(s->score, view->n);
    SOW_NEW(s->var, view->n);
    memcpy(s->var, view->var, (size_t)view->n * sizeof *s->var);
    if (view->posterior) {
        SOW_NEW(s->u, batch * view->n);
        SOW_NEW(s->at, batch);
    }
done:
    return st;
}

static double noise_of(const sow_pool_view *view, sow_index i)
{
    return view->noise ? view->noise[i] : view->posterior->noise ? view->posterior->noise[i] : 0;
}

static sow_status condition_on(sequence *s, sow_index i, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index n = s->view->n;
    double *u = s->u + s->n_picks * n;
    SOW_TRY(s->view->posterior->column(s->view->posterior, i, u, err));
    for (sow_index k = 0; k < s->n_picks; k++)
        s->at[k] = s->u[k * n + i];
    if (s->n_picks > 0) sow_gemv(1, s->n_picks, n, -1.0, s->u, n, s->at, 1.0, u);
    const double noise = noise_of(s->view, i), total = u[i] + noise;
    const double scale = total > known_share * (s->view->var[i] + noise) ? 1 / sqrt(total) : 0;
    for (sow_index k = 0; k < n; k++) {
        u[k] *= scale;
        s->var[k] -= u[k] * u[k];
        if (s->var[k] < 0) s->var[k] = 0;
    }
    s->n_picks++;
done:
    return st;
}

sow_status sow_i_pick_one_by_one(sow_pick *picks, sow_index batch, const sow_pool_view *view, const char *strategy,
                                 const sow_i_rule *rule, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sequence s = {0};
    if (!view->var)
        SOW_FAIL(err, SOW_E_CONFIG,
                 "strategy '%s' needs predictive variances and the model gives none; use model gp, or strategy greedy", strategy);
    SOW_TRY(start_sequence(&s, view, batch, err));
    for (sow_index k = 0; k < batch; k++) {
        char reason[sizeof picks->reason];
        for (sow_index i = 0; i < view->n; i++)
            s.score[i] = rule->score(view->mean[i], s.var[i], rule->how);
        const sow_index i = sow_i_best(view, s.score);
        if (i < 0) {
            st = sow_i_stuck(view, k, batch, err);
            goto done;
        }
        rule->explain(reason, sizeof reason, view, i, s.score[i], rule->how);
        sow_i_take(&picks[k], view, i, s.score[i], "%s", reason);
        if (s.u && k + 1 < batch) SOW_TRY(condition_on(&s, i, err));
        SOW_TRY(sow_progress(env, "choosing", (double)(k + 1) / (double)batch, err));
    }
done:
    clear_sequence(&s);
    return st;
}
