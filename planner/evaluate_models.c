/* Which models are judged, and why others are not. */
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "planner/evaluate_internal.h"

static int is_named(const sow_model_class *m, const char *name)
{
    return strcmp(m->name, name) == 0;
}

static int has_reference(const sow_campaign *c)
{
    for (sow_index i = 0; i < sow_names_count(c->screen->contexts); i++)
        if (c->screen->context_role[i] == SOW_ROLE_REFERENCE) return 1;
    return 0;
}

static int has_combinations(const sow_campaign *c)
{
    for (sow_index q = 0; q < c->n; q++)
        if (c->here->eligible[q] && c->screen->detail[q].n_agents > 1) return 1;
    return 0;
}

const char *sow_i_falls_back(const sow_model_class *m)
{
    if (is_named(m, "two-way")) return "it predicts the mean of the seeds, as train-mean does";
    if (is_named(m, "source-shift")) return "it predicts no change";
    return NULL;
}

/* NULL when the model can be judged on this screen. */
static const char *why_not(const sow_i_evaluation *e, const sow_model_class *m)
{
    const sow_campaign *c = e->c;
    unsigned readout = c->cells ? SOW_CAP_CELLS : c->d == 1 ? SOW_CAP_SCALAR : SOW_CAP_PROFILE;
    int sees_priors = (m->caps & SOW_CAP_NEEDS_PRIOR) || is_named(m, "linear") || is_named(m, "knn");
    if ((m->caps & SOW_CAP_NEEDS_CELLS) && !c->cells) return "it learns from single cells, and the readout is not cells";
    if ((m->caps & SOW_CAP_META) && !has_reference(c)) return "it carries responses over from other contexts, and there is no source with role: reference";
    if (!(m->caps & readout)) return "it does not predict this readout";
    if (sees_priors && c->model_priors.fused_dim == 0) return "it predicts from priors, and the campaign has no priors";
    if (e->unseen && c->model_priors.fused_dim == 0 && (is_named(m, "gp") || (m->caps & SOW_CAP_META))) return "an unseen perturbation needs a prior to be told from others, and the campaign has no `priors:`";
    if ((is_named(m, "two-way") || is_named(m, "source-shift")) && !has_reference(c)) return "it needs another context, a source with role: reference";
    if (is_named(m, "additive") && !has_combinations(c)) return "it adds up combinations such as A+B, and the screen has none";
    return NULL;
}

static int is_chosen(const sow_i_evaluation *e, const sow_model_class *m)
{
    for (sow_index i = 0; i < e->n_models; i++)
        if (e->model[i] == m) return 1;
    return 0;
}

static sow_status add(sow_i_evaluation *e, const sow_model_class *m, sow_error *err)
{
    const char *why = why_not(e, m);
    if (why) return SOW_ERROR(err, SOW_E_CONFIG, "%s: model '%s' cannot be evaluated here: %s", e->c->config->path, m->name, why);
    if (!is_chosen(e, m)) e->model[e->n_models++] = m;
    return SOW_OK;
}

static sow_status add_named(sow_i_evaluation *e, const char *names, sow_error *err)
{
    sow_status st = SOW_OK;
    char name[64];
    for (const char *p = names; *p;) {
        size_t n = strcspn(p, ",");
        const sow_model_class *m = NULL;
        if (n == 0 || n >= sizeof name) SOW_FAIL(err, SOW_E_CONFIG, "--models takes names with commas between, not '%s'", names);
        memcpy(name, p, n);
        name[n] = '\0';
        SOW_TRY(sow_model_find(&m, name, err));
        SOW_TRY(add(e, m, err));
        p += n + (p[n] == ',');
    }
    if (e->n_models == 0) SOW_FAIL(err, SOW_E_CONFIG, "--models names no model");
done:
    return st;
}

/* The larger models are judged where the campaign, or the person, asks for them; "no change" says nothing of a scalar. */
int sow_i_is_baseline(const sow_campaign *c, const sow_model_class *m)
{
    if (is_named(m, "gp") || (m->caps & (SOW_CAP_LATENT | SOW_CAP_GENERATES | SOW_CAP_META))) return 0;
    return !(is_named(m, "control") && !c->cells && c->d == 1);
}

sow_status sow_i_choose_models(sow_i_evaluation *e, const char *names, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index n = 0;
    const sow_model_class *const *table = sow_model_classes(&n);
    SOW_NEW(e->model, n);
    SOW_NEW(e->left_out, n);
    if (names) {
        st = add_named(e, names, err);
        goto done;
    }
    SOW_TRY(add(e, e->c->model_class, err));
    for (sow_index i = 0; i < n; i++) {
        if (is_chosen(e, table[i]) || !sow_i_is_baseline(e->c, table[i])) continue;
        const char *why = why_not(e, table[i]);
        if (!why && e->unseen) why = sow_i_falls_back(table[i]);
        if (why) e->left_out[e->n_left_out++] = (sow_i_left_out){table[i], why};
        else SOW_TRY(add(e, table[i], err));
    }
done:
    return st;
}
