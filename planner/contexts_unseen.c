/* Leaving a context out, and perturbations with it that no context has measured: how many, which, and who can be asked about them. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "planner/evaluate_contexts.h"

enum { LEAST_UNSEEN = 2, LEAST_LEFT = 3 };

/* "12", or "20%" of those that may be. */
sow_status sow_i_unseen_read(sow_i_context_evaluation *e, const char *text, sow_error *err)
{
    char *end = NULL;
    if (!text) return SOW_OK;
    errno = 0;
    const double x = strtod(text, &end);
    const int share = end != text && strcmp(end, "%") == 0;
    const int whole = strspn(text, "0123456789") == strlen(text) && x >= LEAST_UNSEEN && x <= 1e6;
    if (errno || strspn(text, "0123456789.%") != strlen(text) || !(share ? x > 0 && x < 100 : whole))
        return SOW_ERROR(err, SOW_E_CONFIG, "--unseen takes a number of perturbations of at least %d, such as 20, or a share of them, such as 20%%, not '%s'", LEAST_UNSEEN, text);
    e->asked_unseen = text;
    e->unseen_share = share ? x / 100 : 0;
    e->unseen_count = share ? 0 : (sow_index)x;
    return SOW_OK;
}

static sow_status check_count(const sow_i_context_evaluation *e, const sow_i_left_context *x, sow_index pool, sow_error *err)
{
    const char *path = e->c->config->path, *name = sow_names_get(e->c->screen->contexts, x->context), *kind = e->c->model_priors.fused_dim > 0 ? " that have a prior" : "";
    const sow_index most = pool < x->n - LEAST_LEFT ? pool : x->n - LEAST_LEFT;
    if (most < LEAST_UNSEEN)
        return SOW_ERROR(err, SOW_E_CONFIG, "%s: --unseen %s: context %s measured %lld perturbations%s: too few to make some unseen and keep %d to learn from; leave it out with --contexts", path, e->asked_unseen, name,
                         (long long)pool, kind, LEAST_LEFT);
    if (x->n_unseen > most)
        return SOW_ERROR(err, SOW_E_CONFIG, "%s: --unseen %s: context %s measured %lld perturbations%s, of which at most %lld can be unseen, so that %d are left to learn from: lower it, or give a share such as 20%%", path,
                         e->asked_unseen, name, (long long)pool, kind, (long long)most, LEAST_LEFT);
    if (x->n_unseen < LEAST_UNSEEN)
        return SOW_ERROR(err, SOW_E_CONFIG, "%s: --unseen %s: of the %lld perturbations%s that context %s measured that is %lld, and at least %d are needed: raise it, or leave the context out with --contexts", path,
                         e->asked_unseen, (long long)pool, kind, name, (long long)x->n_unseen, LEAST_UNSEEN);
    return SOW_OK;
}

/* A prior that is what a context measured tells what is asked: of the context when it is new, of a perturbation when it is unseen. */
sow_status sow_i_check_context_priors(const sow_i_context_evaluation *e, sow_error *err)
{
    const sow_config *k = e->c->config;
    for (sow_index i = 0; i < e->c->model_priors.n_priors; i++)
        for (sow_index j = 0; j < k->n_priors; j++) {
            const sow_prior_spec *p = &k->priors[j];
            if (!p->context || strcmp(p->name, e->c->model_priors.priors[i].name) != 0) continue;
            if (e->asked_unseen)
                return SOW_ERROR(err, SOW_E_CONFIG, "%s: --unseen: prior '%s' is what context %s measured, and so of what is taken for measured nowhere: choose other priors by model.prior", k->path, p->name, p->context);
            for (sow_index at = 0; at < e->n_contexts; at++)
                if (strcmp(p->context, sow_names_get(e->c->screen->contexts, e->context[at].context)) == 0)
                    return SOW_ERROR(err, SOW_E_CONFIG, "%s: prior '%s' is what context %s measured, which is to be new: choose other priors by model.prior, or other contexts by --contexts", k->path, p->name, p->context);
        }
    return SOW_OK;
}

/* Drawn before the seeds, for every context and draw. */
sow_status sow_i_unseen_choose(sow_i_context_evaluation *e, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_campaign *c = e->c;
    sow_index *pool = NULL;
    if (!e->asked_unseen) return SOW_OK;
    SOW_NEW(pool, c->screen->n_rows);
    SOW_NEW(e->unseen, e->n_contexts * e->n_draws * c->n);
    for (sow_index at = 0; at < e->n_contexts; at++) {
        sow_i_left_context *x = &e->context[at];
        x->n = sow_i_new_count(c, x->context, e->without);
        const sow_index n = sow_i_unseen_pool(pool, c, x->context, e->without);
        x->n_unseen = e->unseen_share > 0 ? (sow_index)floor(e->unseen_share * (double)n + 0.5) : e->unseen_count;
        SOW_TRY(check_count(e, x, n, err));
        for (sow_index draw = 0; draw < e->n_draws; draw++) {
            (void)sow_i_unseen_pool(pool, c, x->context, e->without); /* in order again */
            sow_i_unseen_draw(sow_i_unseen_of(e, at, draw), pool, n, x->n_unseen, c, x->context, draw);
        }
    }
done:
    free(pool);
    return st;
}

unsigned char *sow_i_unseen_of(const sow_i_context_evaluation *e, sow_index at, sow_index draw)
{
    return e->unseen ? e->unseen + (at * e->n_draws + draw) * e->c->n : NULL;
}

/* The target's rows that are scored: take [n_new]. */
void sow_i_unseen_rows(unsigned char *take, const sow_i_context_rows *r)
{
    for (sow_index i = 0; i < sow_i_n_new(r); i++)
        take[i] = !r->unseen || r->unseen[r->perturbation[r->n_known + i]];
}

void sow_i_unseen_fall_backs(const sow_i_context_evaluation *e)
{
    for (sow_index m = 0; e->asked_unseen && m < e->models.n_models; m++) {
        const char *what = sow_i_falls_back(e->models.model[m]);
        if (what) sow_log(e->env, SOW_LOG_WARN, "model %s knows nothing of a perturbation that was measured nowhere: %s", e->models.model[m]->name, what);
    }
}
