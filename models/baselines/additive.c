/* additive: a combination does what its agents do alone, added up.
 *
 * For A+B in context c: the sum over agents of the agent's own value, which is what the agent alone (same dose) did in c; where that is not measured, its
 * mean over other contexts; where it is measured nowhere, the mean response (train-mean). A perturbation of one agent gets the mean response, and so does
 * everything when no combinations are known. Variance: of a combination, the mean square of what is left of the measured combinations of the target context (their
 * own rows do not enter their prediction); with none measured, train-mean's, once for each agent. It holds the noise of a measurement, so that noise = 0. */
#include <math.h>
#include <stdlib.h>

#include "core/memory.h"
#include "models/model_internal.h"

typedef struct {
    sow_model base;
    sow_index n_catalogue;  /* 0: nothing is a combination */
    sow_index *start, *alone; /* [n_catalogue + 1] and, for each agent of a combination, the perturbation that is that agent alone, or -1 */
    sow_i_rows rows;
    double *mean, *var;     /* [d] of the measured rows, as train-mean */
    double *left_var;       /* [d] */
    sow_index n_measured;   /* combinations of the target behind left_var */
    sow_index n_pairs;      /* combinations of the catalogue */
} additive;

static void destroy(sow_model *model)
{
    additive *m = (additive *)model;
    if (!m) return;
    free(m->start);
    free(m->alone);
    sow_i_rows_clear(&m->rows);
    free(m->mean);
    free(m->var);
    free(m->left_var);
    free(m);
}

static sow_status name_agent(char **out, const sow_perturbation *p, sow_index k, sow_error *err)
{
    *out = !p->dose || isnan(p->dose[k]) ? sow_strdup(p->agent[k]) : sow_format("%s\n%.17g", p->agent[k], p->dose[k]);
    return *out ? SOW_OK : SOW_ERROR(err, SOW_E_NOMEM, "out of memory (the name of an agent)");
}

/* Position of every perturbation of one agent, by agent and dose. */
static sow_status index_singles(sow_names **names, sow_index *position, const sow_training *t, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    char *name = NULL;
    SOW_TRY(sow_names_create(names, err));
    for (sow_index p = 0; p < n; p++) {
        sow_index at, before = sow_names_count(*names);
        if (t->detail[p].n_agents != 1) continue;
        SOW_TRY(name_agent(&name, &t->detail[p], 0, err));
        SOW_TRY(sow_names_add(*names, name, &at, err));
        if (at == before) position[at] = p;
        free(name);
        name = NULL;
    }
done:
    free(name);
    return st;
}

static sow_status find_singles(additive *m, const sow_training *t, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index n = m->n_catalogue, agents = 0, *position = NULL;
    sow_names *names = NULL;
    char *name = NULL;
    for (sow_index p = 0; p < n; p++) agents += t->detail[p].n_agents;
    SOW_NEW(position, n);
    SOW_NEW(m->start, n + 1);
    SOW_NEW(m->alone, agents);
    SOW_TRY(index_singles(&names, position, t, n, err));
    for (sow_index p = 0; p < n; p++) {
        const sow_perturbation *combination = &t->detail[p];
        m->start[p + 1] = m->start[p];
        if (combination->n_agents < 2) continue;
        m->n_pairs++;
        for (sow_index k = 0; k < combination->n_agents; k++) {
            SOW_TRY(name_agent(&name, combination, k, err));
            sow_index at = sow_names_find(names, name);
            m->alone[m->start[p + 1]++] = at < 0 ? -1 : position[at];
            free(name);
            name = NULL;
        }
    }
done:
    free(name);
    free(position);
    sow_names_destroy(names);
    return st;
}

static sow_index n_agents(const additive *m, sow_index p)
{
    return p < m->n_catalogue ? m->start[p + 1] - m->start[p] : 0;
}

/* The prediction for combination p in context c into out [d]; one [d] is room to work. */
static void add_up(double *out, double *one, const additive *m, sow_index p, sow_index c)
{
    sow_index d = m->base.n_features;
    for (sow_index j = 0; j < d; j++) out[j] = 0;
    for (sow_index k = m->start[p]; k < m->start[p + 1]; k++) {
        const double *value = one;
        if (sow_i_rows_mean(one, &m->rows, m->alone[k], c, SOW_I_HERE) == 0 && sow_i_rows_mean(one, &m->rows, m->alone[k], c, SOW_I_ELSEWHERE) == 0)
            value = m->mean;
        for (sow_index j = 0; j < d; j++) out[j] += value[j];
    }
}

static sow_status learn_moments(additive *m, const sow_training *t, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index d = t->n_features, *rows = NULL, n;
    double *sum = NULL, *one = NULL;
    SOW_NEW(rows, t->n);
    SOW_NEW(sum, d);
    SOW_NEW(one, d);
    n = sow_i_target_rows(t, rows);
    sow_i_row_moments(m->mean, m->var, t->y, d, rows, n);
    for (sow_index j = 0; j < d; j++) m->var[j] *= 1.0 + 1.0 / (double)n;
    for (sow_index i = 0; i < n; i++) {
        const double *y = t->y + rows[i] * d;
        if (n_agents(m, t->perturbation[rows[i]]) == 0) continue;
        add_up(sum, one, m, t->perturbation[rows[i]], t->context[rows[i]]);
        for (sow_index j = 0; j < d; j++) m->left_var[j] += (y[j] - sum[j]) * (y[j] - sum[j]);
        m->n_measured++;
    }
    for (sow_index j = 0; j < d && m->n_measured > 0; j++) m->left_var[j] = fmax(m->left_var[j] / (double)m->n_measured, 1e-12);
done:
    free(rows);
    free(sum);
    free(one);
    return st;
}

static sow_status fit(sow_model **out, const sow_training *t, const sow_model_options *options, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    additive *m = NULL;
    (void)options, (void)env;
    SOW_NEW(m, 1);
    m->base.n_features = t->n_features;
    m->n_catalogue = t->detail ? sow_names_count(t->catalogue) : 0;
    SOW_NEW(m->mean, t->n_features);
    SOW_NEW(m->var, t->n_features);
    SOW_NEW(m->left_var, t->n_features);
    SOW_TRY(sow_i_rows_make(&m->rows, t, err));
    SOW_TRY(find_singles(m, t, err));
    SOW_TRY(learn_moments(m, t, err));
    *out = &m->base;
    m = NULL;
done:
    if (m) destroy(&m->base);
    return st;
}

static sow_status predict(const sow_model *model, const sow_query *q, double *mean, double *var, double *noise, const sow_env *env,
                          sow_error *err)
{
    sow_status st = SOW_OK;
    const additive *m = (const additive *)model;
    sow_index d = model->n_features;
    double *sum = NULL, *one = NULL, *sum_var = NULL;
    (void)env;
    SOW_NEW(sum, d);
    SOW_NEW(one, d);
    SOW_NEW(sum_var, d);
    for (sow_index i = 0; i < q->n; i++) {
        sow_index agents = n_agents(m, q->perturbation[i]);
        if (agents == 0) {
            sow_i_write_item(mean, var, noise, i, d, m->mean, m->var);
            continue;
        }
        add_up(sum, one, m, q->perturbation[i], q->context[i]);
        for (sow_index j = 0; j < d; j++) sum_var[j] = m->n_measured > 0 ? m->left_var[j] : (double)agents * m->var[j];
        sow_i_write_item(mean, var, noise, i, d, sum, sum_var);
    }
done:
    free(sum);
    free(one);
    free(sum_var);
    return st;
}

static char *describe(const sow_model *model)
{
    const additive *m = (const additive *)model;
    if (m->n_pairs == 0) return sow_strdup("no combinations: the mean of what was measured");
    return sow_format("sum of the single effects of %lld combinations (%lld of them measured)", (long long)m->n_pairs, (long long)m->n_measured);
}

const sow_model_class sow_i_additive = {
    .name = "additive",
    .summary = "a combination's singles added up; the mean response for a single",
    .caps = SOW_CAP_SCALAR | SOW_CAP_PROFILE | SOW_CAP_CELLS | SOW_CAP_VARIANCE | SOW_CAP_CONTEXTS,
    .fit = fit,
    .predict = predict,
    .destroy = destroy,
    .describe = describe,
};
