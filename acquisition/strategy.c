/* The table of strategies and the front door that every choice goes through. */
#include "acquisition/strategy.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "acquisition/strategy_internal.h"
#include "core/memory.h"
#include "core/names.h"

static const sow_strategy *const table[] = {
    &sow_i_strategy_random,           &sow_i_strategy_kmeans,      &sow_i_strategy_kmeans_embedding, &sow_i_strategy_core_set, &sow_i_strategy_herding,
    &sow_i_strategy_max_variance,     &sow_i_strategy_greedy,      &sow_i_strategy_ucb,              &sow_i_strategy_ei,
    &sow_i_strategy_thompson,         &sow_i_strategy_poh,         &sow_i_strategy_lookahead,        &sow_i_strategy_uncertainty,
    &sow_i_strategy_soft_uncertainty, &sow_i_strategy_loss_oracle, &sow_i_strategy_loss_prediction,  &sow_i_strategy_reference,
    &sow_i_strategy_least_consistent, &sow_i_strategy_most_consistent, &sow_i_strategy_functional,
};
enum { ROWS = sizeof table / sizeof table[0] };

const sow_strategy *const *sow_strategies(sow_index *n)
{
    if (n) *n = ROWS;
    return table;
}

/* ---- names ---- */

static char folded(char c)
{
    return c == '_' ? '-' : (char)tolower((unsigned char)c);
}

/* Is `name` the comma-separated list's word [from, to)? Case and '_' for '-' do not matter. */
static int is_word(const char *from, const char *to, const char *name)
{
    while (from < to && *name && folded(*from) == folded(*name)) {
        from++;
        name++;
    }
    return from == to && *name == '\0';
}

static int is_alias(const char *aliases, const char *name)
{
    while (*aliases) {
        const char *end = strchr(aliases, ',');
        if (!end) end = aliases + strlen(aliases);
        if (is_word(aliases, end, name)) return 1;
        aliases = *end ? end + 1 : end;
    }
    return 0;
}

sow_status sow_strategy_find(const sow_strategy **out, const char *name, sow_error *err)
{
    const char *names[ROWS], *nearest;
    *out = NULL;
    if (!name) name = "";
    for (sow_index i = 0; i < ROWS; i++) {
        names[i] = table[i]->name;
        if (is_word(table[i]->name, table[i]->name + strlen(table[i]->name), name) || is_alias(table[i]->aliases, name))
            *out = table[i];
    }
    if (*out) return SOW_OK;
    nearest = sow_nearest_of(names, ROWS, name);
    return SOW_ERROR(err, SOW_E_CONFIG, "unknown strategy '%s'%s%s%s (sower check --list strategies)", name,
                     nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

unsigned sow_strategy_needs_with(const sow_strategy *strategy, const sow_strategy_options *options)
{
    const sow_strategy_options defaults = SOW_STRATEGY_OPTIONS_INIT;
    return strategy->needs | (strategy->more_needs ? strategy->more_needs(options ? options : &defaults) : 0);
}

/* ---- checks before ---- */

static sow_status check_finite(const double *x, sow_index n, const char *what, const sow_pool_view *view, sow_index per_candidate,
                               sow_error *err)
{
    for (sow_index i = 0; x && i < n; i++)
        if (!isfinite(x[i])) {
            const char *name = per_candidate > 0 && view->name ? view->name[i / per_candidate] : "";
            return SOW_ERROR(err, SOW_E_NONFINITE, "%s %lld%s%s is not finite", what,
                             (long long)(per_candidate > 0 ? i / per_candidate : i), *name ? " of " : "", name);
        }
    return SOW_OK;
}

static sow_status check_not_negative(const double *x, const char *what, const sow_pool_view *view, sow_error *err)
{
    for (sow_index i = 0; x && i < view->n; i++)
        if (x[i] < 0) return SOW_ERROR(err, SOW_E_ARG, "%s %lld is %g: it cannot be below 0", what, (long long)i, x[i]);
    return SOW_OK;
}

/* Name order makes "the lower position wins a tie" the same as "the name that sorts first". */
static sow_status check_names(const sow_pool_view *view, sow_error *err)
{
    for (sow_index i = 0; view->name && i < view->n; i++) {
        if (!view->name[i]) return SOW_ERROR(err, SOW_E_ARG, "candidate %lld has no name", (long long)i);
        if (i > 0 && strcmp(view->name[i - 1], view->name[i]) >= 0)
            return SOW_ERROR(err, SOW_E_ARG, "candidates must come in name order, once each: '%s' stands before '%s'",
                             view->name[i - 1], view->name[i]);
    }
    return SOW_OK;
}

static int any_finite(const double *x, sow_index n)
{
    for (sow_index i = 0; x && i < n; i++)
        if (isfinite(x[i])) return 1;
    return 0;
}

/* Is a candidate there that two reference contexts measured? */
static int any_compared(const sow_pool_view *view)
{
    for (sow_index i = 0; view->delta && i < view->n; i++) {
        sow_index seen = 0;
        for (sow_index c = 0; c < view->n_references; c++) seen += view->delta[i * view->n_references + c] != NULL;
        if (seen > 1) return 1;
    }
    return 0;
}

/* What only a model with a representation of its own can tell. */
static sow_status check_learned(const sow_strategy *s, unsigned needs, const sow_pool_view *view, sow_error *err)
{
    if ((needs & SOW_NEED_LATENT) && (view->dim < 1 || !view->features))
        return SOW_ERROR(err, SOW_E_CONFIG, "strategy '%s' moves in a learned representation and there is none; use model morph", s->name);
    if ((needs & SOW_NEED_LOSSES) && (view->n_losses < 1 || !view->loss || !view->loss_of))
        return SOW_ERROR(err, SOW_E_CONFIG, "strategy '%s' needs a model's losses on what is measured; use model morph", s->name);
    if ((needs & ~s->needs & SOW_NEED_DRIFT) && !any_finite(view->drift, view->n))
        return SOW_ERROR(err, SOW_E_CONFIG,
                         "acquisition.weight needs to know how far learned latents moved in training; use model morph, or weight: none");
    if ((needs & SOW_NEED_DRIFT) && !any_finite(view->drift, view->n))
        return SOW_ERROR(err, SOW_E_CONFIG,
                         "strategy '%s' needs to know how far learned latents moved in training; use model morph, or strategy "
                         "max-variance with a model that gives variances", s->name);
    if ((needs & SOW_NEED_TRUTH) && !any_finite(view->true_loss, view->n))
        return SOW_ERROR(err, SOW_E_CONFIG,
                         "strategy '%s' needs the true loss of the candidates, which only a replayed or simulated screen with model "
                         "morph can tell", s->name);
    return SOW_OK;
}

static sow_status check_needs(const sow_strategy *s, unsigned needs, const sow_pool_view *view, sow_error *err)
{
    if ((needs & SOW_NEED_PRIOR) && !(needs & SOW_NEED_LATENT) && (view->dim < 1 || !view->features))
        return SOW_ERROR(err, SOW_E_CONFIG,
                         "strategy '%s' moves in the space of the priors and there is none; name at least one prior", s->name);
    if ((needs & SOW_NEED_MOMENTS) && !view->mean)
        return SOW_ERROR(err, SOW_E_CONFIG, "strategy '%s' needs a model's predictions: it cannot choose the first round", s->name);
    if ((needs & SOW_NEED_JOINT) && !(needs & SOW_NEED_MOMENTS) && !view->posterior)
        return SOW_ERROR(err, SOW_E_CONFIG, "strategy '%s' needs a joint posterior of a scalar readout; use model gp", s->name);
    if ((needs & SOW_NEED_REFERENCE) && !any_finite(view->reference, view->n))
        return SOW_ERROR(err, SOW_E_CONFIG, "strategy '%s' needs a reference context that measured some of the candidates",
                         s->name);
    if ((needs & SOW_NEED_DELTAS) && !any_compared(view))
        return SOW_ERROR(err, SOW_E_CONFIG, "strategy '%s' needs two reference contexts that measured some of the candidates", s->name);
    if ((needs & SOW_NEED_LIST) && !view->listed)
        return SOW_ERROR(err, SOW_E_CONFIG, "strategy '%s' takes its perturbations from acquisition.list, which is empty", s->name);
    if (view->posterior && view->posterior->n != view->n)
        return SOW_ERROR(err, SOW_E_SHAPE, "the posterior has %lld items and the pool %lld", (long long)view->posterior->n,
                         (long long)view->n);
    return check_learned(s, needs, view, err);
}

/* NaN is not known and allowed. */
static sow_status check_known(const double *x, const char *what, double least, const sow_pool_view *view, sow_error *err)
{
    for (sow_index i = 0; x && i < view->n; i++) {
        const char *name = view->name ? view->name[i] : "", *of = *name ? " of " : "";
        if (isinf(x[i])) return SOW_ERROR(err, SOW_E_NONFINITE, "%s %lld%s%s is infinite", what, (long long)i, of, name);
        if (x[i] < least)
            return SOW_ERROR(err, SOW_E_ARG, "%s %lld%s%s is %g: it cannot be below %g", what, (long long)i, of, name, x[i], least);
    }
    return SOW_OK;
}

static sow_status check_losses(const sow_pool_view *view, sow_error *err)
{
    for (sow_index k = 0; view->loss && k < view->n_losses; k++) {
        const sow_index l = view->loss_of[k];
        if (l < 0 || l >= view->n_labelled)
            return SOW_ERROR(err, SOW_E_SHAPE, "loss %lld belongs to labelled perturbation %lld of %lld", (long long)k, (long long)l,
                             (long long)view->n_labelled);
        const char *name = view->labelled_name && view->labelled_name[l] ? view->labelled_name[l] : "", *of = *name ? " of " : "";
        if (!isfinite(view->loss[k]))
            return SOW_ERROR(err, SOW_E_NONFINITE, "the model's loss %lld%s%s is not finite", (long long)k, of, name);
        if (view->loss_cells && !isnan(view->loss_cells[k]) && !(view->loss_cells[k] > 0 && isfinite(view->loss_cells[k])))
            return SOW_ERROR(err, SOW_E_ARG, "the model's loss %lld%s%s was taken on %g cells: a number above 0 is allowed", (long long)k,
                             of, name, view->loss_cells[k]);
    }
    return SOW_OK;
}

static sow_status check_numbers(const sow_pool_view *view, sow_error *err)
{
    sow_status st = SOW_OK;
    if (view->dim > 0) {
        SOW_TRY(check_finite(view->features, view->n * view->dim, "a feature of candidate", view, view->dim, err));
        SOW_TRY(check_finite(view->labelled_features, view->n_labelled * view->dim, "labelled feature", view, 0, err));
    }
    SOW_TRY(check_finite(view->mean, view->n, "the predicted mean of candidate", view, 1, err));
    SOW_TRY(check_finite(view->var, view->n, "the predicted variance of candidate", view, 1, err));
    SOW_TRY(check_finite(view->noise, view->n, "the noise variance of candidate", view, 1, err));
    SOW_TRY(check_not_negative(view->var, "the predicted variance of candidate", view, err));
    SOW_TRY(check_not_negative(view->noise, "the noise variance of candidate", view, err));
    SOW_TRY(check_finite(view->measured, view->n_measured, "measured value", view, 0, err));
    SOW_TRY(check_known(view->reference, "the reference value of candidate", -INFINITY, view, err));
    SOW_TRY(check_known(view->drift, "the drift of candidate", 0, view, err));
    SOW_TRY(check_known(view->true_loss, "the true loss of candidate", -INFINITY, view, err));
    SOW_TRY(check_losses(view, err));
done:
    return st;
}

static sow_status check_view(const sow_strategy *strategy, sow_index batch, const sow_pool_view *view,
                             const sow_strategy_options *options, sow_error *err)
{
    sow_status st = SOW_OK;
    if (batch < 0 || view->n < 0)
        SOW_FAIL(err, SOW_E_ARG, "a batch of %lld from %lld candidates", (long long)batch, (long long)view->n);
    if (batch > view->n)
        SOW_FAIL(err, SOW_E_CONFIG, "a batch of %lld is larger than the pool of %lld candidates", (long long)batch,
                 (long long)view->n);
    if (!isfinite(options->beta) || options->beta < 0)
        SOW_FAIL(err, SOW_E_CONFIG, "acquisition.beta is %g: a finite number >= 0 is allowed", options->beta);
    if (options->starts < 1)
        SOW_FAIL(err, SOW_E_CONFIG, "acquisition.starts is %lld: 1 or more are allowed", (long long)options->starts);
    if (options->loss_members < 0)
        SOW_FAIL(err, SOW_E_CONFIG, "acquisition.loss_members is %lld: 1 or more are allowed", (long long)options->loss_members);
    SOW_TRY(check_names(view, err));
    SOW_TRY(check_needs(strategy, sow_strategy_needs_with(strategy, options), view, err));
    SOW_TRY(check_numbers(view, err));
done:
    return st;
}

/* ---- the guard: rules of the caller, and nothing twice ---- */

typedef struct {
    const sow_pool_view *view;
    unsigned char *taken;
    sow_index n_taken;
    int broken; /* a take that was not feasible */
} guard;

static int guard_feasible(void *rules, sow_index i)
{
    const guard *g = rules;
    return !g->taken[i] && (!g->view->feasible || g->view->feasible(g->view->rules, i));
}

static void guard_take(void *rules, sow_index i)
{
    guard *g = rules;
    if (i < 0 || i >= g->view->n || !guard_feasible(g, i)) {
        g->broken = 1;
        return;
    }
    g->taken[i] = 1;
    g->n_taken++;
    if (g->view->take) g->view->take(g->view->rules, i);
}

/* A strategy of this table cannot trip these; one added later might. */
static sow_status check_picks(const sow_strategy *s, const sow_pick *picks, sow_index batch, const guard *g, sow_error *err)
{
    if (g->broken || g->n_taken != batch)
        return SOW_ERROR(err, SOW_E_CONFIG, "strategy '%s' picked %lld of %lld feasible candidates", s->name, (long long)g->n_taken,
                         (long long)batch);
    for (sow_index k = 0; k < batch; k++) {
        const sow_index i = picks[k].candidate;
        if (i < 0 || i >= g->view->n || !g->taken[i] || picks[k].reason[0] == '\0' || !isfinite(picks[k].score))
            return SOW_ERROR(err, SOW_E_STATE, "strategy '%s' gave pick %lld without a candidate, score or reason", s->name,
                             (long long)k);
    }
    return SOW_OK;
}

sow_status sow_strategy_pick(sow_pick *picks, sow_index batch, const sow_strategy *strategy, const sow_pool_view *view,
                             const sow_strategy_options *options, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_strategy_options defaults = SOW_STRATEGY_OPTIONS_INIT;
    sow_pool_view guarded = *view;
    guard g = {.view = view};
    if (!options) options = &defaults;
    if (!any_finite(guarded.var, view->n)) guarded.var = NULL; /* a model without variances fills them with NaN */
    if (!any_finite(guarded.noise, view->n)) guarded.noise = NULL;
    SOW_TRY(check_view(strategy, batch, &guarded, options, err));
    if (batch == 0) goto done;
    SOW_NEW(g.taken, view->n);
    guarded.feasible = guard_feasible;
    guarded.take = guard_take;
    guarded.rules = &g;
    SOW_TRY(strategy->pick(picks, batch, &guarded, options, env, err));
    SOW_TRY(check_picks(strategy, picks, batch, &g, err));
done:
    free(g.taken);
    return st;
}
