/* Which prior rows a perturbation takes: its own, or those of the singles of its two agents. */
#include <math.h>
#include <stdlib.h>

#include "core/memory.h"
#include "models/morph/train_internal.h"

void sow_i_morph_genes_clear(sow_i_morph_genes *g)
{
    for (sow_index k = 0; k < SOW_MORPH_MOST_PRIORS; k++) free(g->x[k]);
    free(g->first);
    free(g->second);
    *g = (sow_i_morph_genes){0};
}

/* One prior as the network reads it. */
typedef struct {
    const char *name;
    const double *x;
    const unsigned char *has;
    sow_index dim;
} source;

static sow_status find_sources(source *out, sow_index *n, const sow_prior_set *set, sow_morph_variant variant, sow_error *err)
{
    if (!set || set->n_priors < 1 || set->fused_dim < 1)
        return SOW_ERROR(err, SOW_E_CONFIG, "model morph learns from priors of the perturbations; give at least one under `priors:`");
    *n = 1;
    out[0] = (source){"the priors", set->fused, set->has_any, set->fused_dim};
    if (variant != SOW_MORPH_MOE) return SOW_OK;
    *n = SOW_MORPH_MOST_PRIORS;
    if (set->n_priors != SOW_MORPH_MOST_PRIORS)
        return SOW_ERROR(err, SOW_E_CONFIG, "model morph, variant moe: three priors are needed, one an expert; there are %lld (choose by model.prior)", (long long)set->n_priors);
    for (sow_index k = 0; k < *n; k++) {
        const sow_prior *p = &set->priors[k];
        /* an expert reads numbers; projected sets would be an expert on principal components that nobody asked for */
        if (p->kind != SOW_PRIOR_DENSE)
            return SOW_ERROR(err, SOW_E_CONFIG, "model morph, variant moe: prior '%s' is a collection of sets; three dense priors are needed (variant plain takes any)", p->name);
        out[k] = (source){p->name, p->x, p->has, p->dim};
    }
    return SOW_OK;
}

static const char *name_of(const sow_training *t, sow_index p)
{
    return t->catalogue && p < sow_names_count(t->catalogue) ? sow_names_get(t->catalogue, p) : "(unnamed)";
}

/* Reference: rows as they are. Else one factor a prior, by the rows that scalings may be fitted on: torch's first layer is made for entries of about 1. */
static sow_status take_rows(float **out, const source *p, sow_index n, int scaled, const sow_training *t, sow_error *err)
{
    const unsigned char *fit_rows = t->priors->fit_rows;
    sow_status st = SOW_OK;
    float *x = NULL;
    double sum = 0, rows = 0;
    for (sow_index i = 0; i < n; i++) {
        const int counts = p->has[i] && (!fit_rows || fit_rows[i]);
        rows += counts;
        for (sow_index j = 0; p->has[i] && j < p->dim; j++) {
            const double v = p->x[i * p->dim + j];
            if (!isfinite(v)) SOW_FAIL(err, SOW_E_NONFINITE, "%s: the row of '%s' holds %g in column %lld; leave the row out, or give a number", p->name, name_of(t, i), v, (long long)j + 1);
            if (counts) sum += v * v;
        }
    }
    const double factor = scaled && sum > 0 ? sqrt(rows * (double)p->dim / sum) : 1;
    SOW_NEW(x, (n + 1) * p->dim);
    for (sow_index i = 0; i < n; i++)
        for (sow_index j = 0; p->has[i] && j < p->dim; j++) x[i * p->dim + j] = (float)(factor * p->x[i * p->dim + j]);
    *out = x;
done:
    return st;
}

/* The single of an agent: its name is the agent's, with the dose where there is one. */
static sow_status find_single(sow_index *out, const sow_training *t, const sow_perturbation *pair, sow_index agent, sow_error *err)
{
    sow_status st = SOW_OK;
    char *dosed = NULL;
    if (!isnan(pair->dose[agent])) {
        dosed = sow_format("%s@%.10g", pair->agent[agent], pair->dose[agent]);
        if (!dosed) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    }
    *out = sow_names_find(t->catalogue, dosed ? dosed : pair->agent[agent]);
done:
    free(dosed);
    return st;
}

static int has_row(const source *p, sow_index n_priors, sow_index i)
{
    for (sow_index k = 0; k < n_priors; k++)
        if (i < 0 || !p[k].has[i]) return 0;
    return 1;
}

static sow_status find_rows(sow_index *first, sow_index *second, const sow_training *t, sow_index i, const source *p, sow_index n_priors, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_perturbation *detail = t->detail && t->catalogue ? &t->detail[i] : NULL;
    *second = -1;
    if (!detail || detail->n_agents < 2) {
        *first = has_row(p, n_priors, i) ? i : -1;
        return SOW_OK;
    }
    *first = -1;
    if (detail->n_agents > 2) return SOW_OK;
    sow_index a = -1, b = -1;
    SOW_TRY(find_single(&a, t, detail, 0, err));
    SOW_TRY(find_single(&b, t, detail, 1, err));
    if (!has_row(p, n_priors, a) || !has_row(p, n_priors, b)) goto done;
    *first = a;
    *second = b;
done:
    return st;
}

sow_status sow_i_morph_genes_make(sow_i_morph_genes *out, const sow_training *t, const sow_i_morph_settings *s, sow_error *err)
{
    sow_status st = SOW_OK;
    source p[SOW_MORPH_MOST_PRIORS];
    sow_i_morph_genes g = {0};
    *out = g;
    SOW_TRY(find_sources(p, &g.n_priors, t->priors, s->sizes.variant, err));
    g.n_items = t->priors->n_items;
    for (sow_index k = 0; k < g.n_priors; k++) {
        g.dim[k] = p[k].dim;
        SOW_TRY(take_rows(&g.x[k], &p[k], g.n_items, s->o.scaled_prior, t, err));
    }
    SOW_NEW(g.first, g.n_items);
    SOW_NEW(g.second, g.n_items);
    for (sow_index i = 0; i < g.n_items; i++) SOW_TRY(find_rows(&g.first[i], &g.second[i], t, i, p, g.n_priors, err));
    *out = g;
    g = (sow_i_morph_genes){0};
done:
    sow_i_morph_genes_clear(&g);
    return st;
}

void sow_i_print_genes(sow_i_print *p, const sow_i_morph_genes *g)
{
    sow_i_print_bytes(p, &g->n_items, sizeof g->n_items);
    for (sow_index k = 0; k < g->n_priors; k++) sow_i_print_bytes(p, g->x[k], (size_t)((g->n_items + 1) * g->dim[k]) * sizeof(float));
    sow_i_print_bytes(p, g->first, (size_t)g->n_items * sizeof *g->first);
    sow_i_print_bytes(p, g->second, (size_t)g->n_items * sizeof *g->second);
}
