/* Reference contexts as strategies see them before anything is measured: coordinates of the candidates' responses there, the responses themselves, and the campaign's list. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "planner/seeds_internal.h"

/* Streams of this choice lie beside those of rounds, which are small numbers. */
enum { SEED_STREAMS = 1 << 20 };
static const unsigned given = SOW_NEED_PRIOR | SOW_NEED_DELTAS | SOW_NEED_LIST;

/* Nothing is learned yet, so that no drift can weigh candidates. */
static sow_strategy_options options_of(const sow_campaign *c)
{
    sow_strategy_options o = sow_i_strategy_options(c);
    o.weight = "none";
    return o;
}

int sow_i_strategy_plays(const sow_strategy *s, sow_index known)
{
    return known >= ((s->needs & SOW_NEED_DELTAS) ? 2 : 1);
}

static int is_chosen(const sow_i_seeds *e, const sow_strategy *s)
{
    for (sow_index i = 0; i < e->n_strategies; i++)
        if (e->strategy[i] == s) return 1;
    return 0;
}

/* Is there all that it needs? A list is looked through when somebody asks for it. */
static sow_status add(sow_i_seeds *e, const sow_strategy *s, sow_error *err)
{
    sow_status st = SOW_OK;
    const char *path = e->c->config->path;
    if (s->needs & ~given)
        SOW_FAIL(err, SOW_E_CONFIG, "%s: strategy '%s' goes by predictions or by what is measured, and seeds are chosen before: random, kmeans, core-set, herding, least-consistent, most-consistent or functional can",
                 path, s->name);
    if (!sow_i_strategy_plays(s, e->n_references))
        SOW_FAIL(err, SOW_E_CONFIG, "%s: strategy '%s' compares reference contexts: it needs two of them, there is one", path, s->name);
    if (s->needs & SOW_NEED_LIST) SOW_TRY(sow_i_check_list(e->c, "strategy", err));
    if (!is_chosen(e, s)) e->strategy[e->n_strategies++] = s;
done:
    return st;
}

static sow_status add_named(sow_i_seeds *e, const char *names, sow_error *err)
{
    sow_status st = SOW_OK;
    char *name = NULL;
    for (const char *p = names; *p;) {
        const size_t n = strcspn(p, ",");
        const sow_strategy *s = NULL;
        free(name);
        name = sow_strndup(p, n);
        if (!name) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
        SOW_TRY(sow_strategy_find(&s, name, err));
        SOW_TRY(add(e, s, err));
        p += n + (p[n] == ',');
    }
    if (e->n_strategies == 0) SOW_FAIL(err, SOW_E_CONFIG, "--strategy names no strategy");
done:
    free(name);
    return st;
}

sow_status sow_i_choose_strategies(sow_i_seeds *e, const char *names, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index n = 0;
    const sow_strategy *const *table = sow_strategies(&n);
    SOW_NEW(e->strategy, n);
    if (names) {
        st = add_named(e, names, err);
        goto done;
    }
    for (sow_index i = 0; i < n; i++) {
        const int has_list = !(table[i]->needs & SOW_NEED_LIST) || e->c->config->acquisition.n_list > 0;
        if (!(table[i]->needs & ~given) && has_list && sow_i_strategy_plays(table[i], e->n_references)) SOW_TRY(add(e, table[i], err));
    }
done:
    return st;
}

/* ---- the view ---- */

static sow_status view_deltas(sow_i_choice *x, const sow_i_context_rows *r, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index contexts = sow_names_count(r->c->screen->contexts);
    sow_index *place = NULL;
    SOW_NEW(place, r->c->n);
    SOW_NEW(x->delta, x->n * contexts);
    SOW_NEW(x->delta_error, x->n * contexts);
    for (sow_index q = 0; q < r->c->n; q++) place[q] = -1;
    for (sow_index i = 0; i < x->n; i++) place[x->candidate[i]] = i;
    for (sow_index i = 0; i < x->n * contexts; i++) x->delta_error[i] = NAN;
    for (sow_index k = 0; k < r->n_known; k++) {
        const sow_index i = place[r->perturbation[k]];
        if (i < 0) continue;
        x->delta[i * contexts + r->context[k]] = &r->y[k * r->d];
        x->delta_error[i * contexts + r->context[k]] = r->error[k];
    }
    x->view.n_references = contexts;
    x->view.n_genes = r->d;
    x->view.delta = x->delta;
    x->view.delta_error = x->delta_error;
done:
    free(place);
    return st;
}

static sow_status view_space(sow_i_choice *x, const sow_i_context_rows *r, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_TRY(sow_i_view_rows_space(x, r->c, r->perturbation, r->y, r->n_known, r->d, env, err));
    x->view.features = x->features;
    x->view.has = x->has;
    x->view.labelled_features = x->labelled_features;
    x->view.labelled_has = x->labelled_has;
done:
    return st;
}

static sow_status name_candidates(sow_i_choice *x, const sow_campaign *c, const sow_index *candidate, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(x->candidate, n);
    SOW_NEW(x->name, n);
    SOW_NEW(x->labelled, 1); /* nothing is labelled */
    memcpy(x->candidate, candidate, (size_t)n * sizeof *candidate);
    for (sow_index i = 0; i < n; i++) x->name[i] = sow_i_name(c, candidate[i]);
    x->n = n;
    x->view.n = n;
    x->view.name = x->name;
    x->view.threshold = NAN;
    x->view.hit_share = NAN;
done:
    return st;
}

sow_status sow_i_pick_seeds(sow_pick *picks, sow_index batch, const sow_strategy *s, const sow_i_context_rows *r, const sow_index *candidate, sow_index n, sow_index draw, int ruled,
                            const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_choice x = {0};
    const sow_strategy_options options = options_of(r->c);
    SOW_TRY(name_candidates(&x, r->c, candidate, n, err));
    x.view.rng = sow_rng_make(r->c->config->seed, SOW_RNG_STRATEGY, (uint32_t)(SEED_STREAMS + draw), (uint32_t)(r->target + 1));
    if (s->needs & SOW_NEED_PRIOR) SOW_TRY(view_space(&x, r, env, err));
    if (s->needs & SOW_NEED_DELTAS) SOW_TRY(view_deltas(&x, r, err));
    if (s->needs & SOW_NEED_LIST) SOW_TRY(sow_i_view_list(&x, r->c, err));
    if (ruled) SOW_TRY(sow_i_rules_of_first(&x, r->c, batch, err));
    SOW_TRY(sow_strategy_pick(picks, batch, s, &x.view, &options, env, err));
done:
    sow_i_choice_clear(&x);
    return st;
}
