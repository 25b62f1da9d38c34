/* Contexts, and the numbers that responses are told in. Nothing here looks at the target's rows, so that what is learned from the references is the same whatever is measured in the target. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/linalg.h"
#include "core/memory.h"
#include "models/hypermap/row_internal.h"

void sow_i_hypermap_space_clear(sow_i_hypermap_space *s)
{
    free(s->context);
    free(s->mean_response);
    sow_pca_clear(&s->components);
    *s = (sow_i_hypermap_space){0};
}

sow_index sow_i_hypermap_place(const sow_i_hypermap_space *s, sow_index context)
{
    for (sow_index c = 0; c <= s->n_references; c++)
        if (s->context[c] == context) return c;
    return -1;
}

static sow_status find_contexts(sow_i_hypermap_space *s, const sow_training *t, sow_error *err)
{
    sow_status st = SOW_OK;
    unsigned char *seen = NULL;
    SOW_NEW(seen, t->n_contexts);
    SOW_NEW(s->context, t->n_contexts + 1);
    for (sow_index i = 0; i < t->n; i++) seen[t->context[i]] = 1;
    for (sow_index c = 0; c < t->n_contexts; c++)
        if (seen[c] && c != t->target) s->context[s->n_references++] = c;
    s->context[s->n_references] = t->target;
    s->n_items = t->priors && t->priors->n_priors > 0 ? t->priors->n_items : t->catalogue ? sow_names_count(t->catalogue) : 0;
    for (sow_index i = 0; i < t->n; i++)
        if (t->perturbation[i] >= s->n_items) s->n_items = t->perturbation[i] + 1;
done:
    free(seen);
    return st;
}

static sow_status fit_components(sow_i_hypermap_space *s, sow_index most, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_training *t = s->t;
    unsigned char *use = NULL;
    double square = 0;
    sow_index rows = 0;
    SOW_NEW(use, t->n);
    for (sow_index i = 0; i < t->n; i++) rows += use[i] = t->context[i] != t->target;
    if (rows < 2) SOW_FAIL(err, SOW_E_DATA, "hypermap: the other contexts have %lld response; at least 2 are needed", (long long)rows);
    SOW_TRY(sow_pca_fit(&s->components, t->y, t->n, s->d, use, most, env, err));
    s->k = s->components.n_components;
    if (s->k < 1) SOW_FAIL(err, SOW_E_DATA, "hypermap: all responses in the other contexts are the same; there is nothing to learn from them");
    for (sow_index j = 0; j < s->k; j++) square += s->components.variance[j];
    s->scale = sqrt(square / (double)s->k);
done:
    free(use);
    return st;
}

static sow_status take_mean(sow_i_hypermap_space *s, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_training *t = s->t;
    double n = 0;
    SOW_NEW(s->mean_response, s->d);
    for (sow_index i = 0; i < t->n; i++) n += t->context[i] != t->target;
    for (sow_index i = 0; i < t->n; i++)
        for (sow_index g = 0; g < s->d && t->context[i] != t->target; g++) s->mean_response[g] += t->y[i * s->d + g] / n;
done:
    return st;
}

sow_status sow_i_hypermap_space_make(sow_i_hypermap_space *s, const sow_i_hypermap_settings *settings, const sow_training *t, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    *s = (sow_i_hypermap_space){.t = t, .d = t->n_features, .k = t->n_features, .genes = settings->o.network && settings->o.cells, .scale = 1};
    SOW_TRY(find_contexts(s, t, err));
    SOW_TRY(take_mean(s, err));
    if (!s->genes) SOW_TRY(fit_components(s, settings->components, env, err));
done:
    return st;
}

sow_status sow_i_hypermap_to_numbers(double *z, const sow_i_hypermap_space *s, const double *y, sow_index n, const sow_env *env, sow_error *err)
{
    if (!s->genes) return sow_gemm(sow_env_threads(env), 0, 1, n, s->k, s->d, 1 / s->scale, y, s->d, s->components.components, s->d, 0, z, s->k, err);
    memcpy(z, y, (size_t)(n * s->d) * sizeof *z);
    return SOW_OK;
}

void sow_i_hypermap_add_numbers(double *change, const sow_i_hypermap_space *s, const double *z)
{
    if (s->genes) sow_axpy(s->d, 1, z, change);
    else sow_gemv(1, s->k, s->d, s->scale, s->components.components, s->d, z, 1, change);
}
