/* The response space: fitted when the first cells have come, on controls, references and those cells, then recorded and never fitted again. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "planner/cells_internal.h"

static int compare_index(const void *a, const void *b)
{
    sow_index x = *(const sow_index *)a, y = *(const sow_index *)b;
    return (x > y) - (x < y);
}

sow_status sow_i_controls_so_far(sow_index **out, sow_index *n, const sow_campaign *c, int everywhere, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_site *first = everywhere ? c->site : c->here, *end = everywhere ? c->site + c->n_sites : c->here + 1;
    sow_index count = 0;
    *n = 0;
    for (const sow_i_site *s = first; s < end; s++)
        for (sow_index r = 0; r < c->n_rounds; r++)
            count += s->controls[r].n_control;
    SOW_NEW(*out, count);
    for (const sow_i_site *s = first; s < end; s++)
        for (sow_index r = 0; r < c->n_rounds; r++)
            for (sow_index i = 0; i < s->controls[r].n_control; i++)
                (*out)[(*n)++] = s->controls[r].control[i];
    qsort(*out, (size_t)*n, sizeof **out, compare_index);
done:
    return st;
}

/* ---- fitting ---- */

typedef struct {
    sow_index n, *cell;
    sow_index controls, measured, perturbations, references;
} fit_set;

/* Held-out perturbations give nothing, whoever recorded them. */
static void add_measured(fit_set *f, const sow_i_site *site, sow_index n)
{
    for (sow_index q = 0; q < n; q++) {
        if (site->held_out[q] || site->item[q].n_draws == 0) continue;
        f->perturbations++;
        for (sow_index k = 0; k < site->item[q].n_draws; k++)
            for (sow_index i = 0; i < site->item[q].draw[k].n; i++)
                f->cell[f->n++] = site->item[q].draw[k].cell[i];
    }
}

static sow_status build_fit_set(fit_set *f, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_cells *t = &c->cells->table;
    sow_index *control = NULL;
    SOW_NEW(f->cell, t->n);
    SOW_TRY(sow_i_controls_so_far(&control, &f->n, c, 1, err));
    if (f->n) memcpy(f->cell, control, (size_t)f->n * sizeof *f->cell);
    f->controls = f->n;
    for (sow_index s = 0; s < c->n_sites; s++)
        add_measured(f, &c->site[s], c->n);
    f->measured = f->n - f->controls;
    for (sow_index i = 0; i < t->n; i++) {
        if (sow_i_site_of_context(c, t->context[i]) >= 0) continue;
        f->cell[f->n++] = i;
        f->references++;
    }
    qsort(f->cell, (size_t)f->n, sizeof *f->cell, compare_index);
done:
    free(control);
    return st;
}

static json_t *not_counted_json(const sow_campaign *c, const sow_preparation *p)
{
    json_t *names = json_array();
    const sow_names *genes = c->cells->table.genes;
    for (sow_index j = 0; j < sow_names_count(genes); j++)
        if (!p->counted[j]) json_array_append_new(names, json_string(sow_names_get(genes, j)));
    return names;
}

static json_t *names_json(const sow_names *names)
{
    json_t *a = json_array();
    for (sow_index j = 0; j < sow_names_count(names); j++)
        json_array_append_new(a, json_string(sow_names_get(names, j)));
    return a;
}

static char *say_fit(const fit_set *f)
{
    char references[80] = "";
    if (f->references) snprintf(references, sizeof references, ", and %lld cells of reference contexts", (long long)f->references);
    return sow_format("%lld cells: %lld controls, %lld of the %lld perturbation%s measured first%s", (long long)f->n, (long long)f->controls,
                      (long long)f->measured, (long long)f->perturbations, f->perturbations == 1 ? "" : "s", references);
}

static char *say_variable(const sow_features *f)
{
    if (f->n_highly_variable == 0) return sow_strdup("all");
    return sow_format("%lld by %s, %s over contexts", (long long)f->n_highly_variable, f->flavour == SOW_HVG_SEURAT ? "seurat" : "seurat_v3",
                      f->across == SOW_ACROSS_UNION ? "union" : "intersection");
}

static int is_due(const sow_campaign *c)
{
    if (!c->cells || c->cells->frozen) return 0;
    for (sow_index s = 0; s < c->n_sites; s++)
        for (sow_index q = 0; q < c->n; q++)
            if (c->site[s].item[q].n_draws > 0 && !c->site[s].held_out[q]) return 1;
    return 0;
}

sow_status sow_i_fit_space(json_t **payload, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    fit_set f = {0};
    sow_preparation p = {0};
    char *fitted_on = NULL, *variable = NULL, *effective = NULL;
    json_t *settings = NULL;
    *payload = NULL;
    SOW_TRY(build_fit_set(&f, c, err));
    SOW_TRY(sow_preparation_fit(&p, NULL, &c->cells->table, f.cell, f.n, &c->config->features, c->env, err));
    if (p.d < 2) SOW_FAIL(err, SOW_E_DATA, "%s: the response space has %lld gene; at least 2 are needed: relax `features`", c->config->path, (long long)p.d);
    fitted_on = say_fit(&f);
    variable = say_variable(&c->config->features);
    if (!fitted_on || !variable) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_config_effective(&effective, c->config, err));
    settings = json_loads(effective, 0, NULL);
    *payload = json_pack("{s:o,s:o,s:o,s:b,s:s,s:s}", "genes", names_json(p.genes), "not_counted", not_counted_json(c, &p), "target_sum",
                         sow_i_real_or_null(p.target_sum), "log1p", p.log1p, "fitted_on", fitted_on, "highly_variable", variable);
    json_object_set(*payload, "features", json_object_get(settings, "features"));
done:
    if (st != SOW_OK) sow_error_prefix(err, "fitting the response space");
    free(fitted_on);
    free(variable);
    free(effective);
    json_decref(settings);
    free(f.cell);
    sow_preparation_clear(&p);
    return st;
}

sow_status sow_i_freeze_if_due(sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    json_t *payload = NULL;
    if (!is_due(c)) return SOW_OK;
    SOW_TRY(sow_i_fit_space(&payload, c, err));
    SOW_TRY(sow_i_commit(c, "prepared", sow_i_current_round(c), payload, err));
done:
    return st;
}

/* ---- applying ---- */

/* `among` NULL = all. */
static sow_status names_of(sow_names **out, const json_t *list, const sow_names *among, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_TRY(sow_names_create(out, err));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (!name || (among && sow_names_find(among, name) < 0)) continue;
        SOW_TRY(sow_names_add(*out, name, NULL, err));
    }
done:
    return st;
}

static sow_status fill_context(sow_campaign *c, sow_index context, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_screen *s = c->screen;
    for (sow_index r = 0; r < s->n_rows; r++) {
        const sow_index *cell, *control;
        if (s->context[r] != context) continue;
        sow_index n = sow_cells_of(&cell, &c->cells->table, s->perturbation[r], s->context[r]);
        sow_index m = sow_cells_of(&control, &c->cells->table, SOW_CONTROL, s->context[r]);
        if (n > 0 && m > 0) SOW_TRY(sow_i_response(&s->values[r * c->d], c, cell, n, control, m, err));
        else
            for (sow_index j = 0; j < c->d; j++)
                s->values[r * c->d + j] = NAN;
    }
done:
    return st;
}

/* What the finished screen says of every group, against all controls of its context: context by context, so that the means of controls are taken once. */
static sow_status fill_screen(sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_screen *s = c->screen;
    free(s->values);
    s->values = NULL;
    SOW_NEW(s->values, s->n_rows * c->d);
    for (sow_index k = 0; k < sow_names_count(s->contexts); k++)
        SOW_TRY(fill_context(c, k, err));
done:
    return st;
}

sow_status sow_i_apply_frozen(sow_campaign *c, const json_t *payload, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_names *genes = NULL, *not_counted = NULL;
    const json_t *sum = json_object_get(payload, "target_sum");
    SOW_TRY(names_of(&genes, json_object_get(payload, "genes"), NULL, err));
    SOW_TRY(names_of(&not_counted, json_object_get(payload, "not_counted"), c->cells->table.genes, err)); /* files recorded later may lack some */
    SOW_TRY(sow_preparation_make(&c->cells->space, &c->cells->table, genes, not_counted, json_is_number(sum) ? json_number_value(sum) : (double)NAN,
                                 json_is_true(json_object_get(payload, "log1p")), err));
    c->cells->frozen = 1;
    json_decref(c->cells->frozen_event);
    c->cells->frozen_event = json_deep_copy(payload);
    c->d = c->cells->space.d;
    sow_names_destroy(c->screen->features);
    c->screen->features = genes;
    genes = NULL;
    SOW_TRY(fill_screen(c, err));
    for (sow_index i = 0; i < c->n_sites * c->n; i++) {
        sow_i_go(c, i / c->n);
        if (c->here->item[i % c->n].n_draws > 0) SOW_TRY(sow_i_item_respond(c, i % c->n, err));
    }
done:
    sow_i_go(c, 0);
    sow_names_destroy(genes);
    sow_names_destroy(not_counted);
    return st;
}

/* ---- a space for a while ---- */

void sow_i_forget_space(sow_campaign *c)
{
    sow_i_cells *x = c->cells;
    for (sow_index s = 0; s < c->n_sites; s++) {
        sow_i_held_cells_destroy(c->site[s].held);
        c->site[s].held = NULL;
    }
    for (int k = 0; k < SOW_I_CONTROL_LISTS; k++)
        sow_i_control_means_clear(&x->control_means[k]);
    if (x->frozen) sow_preparation_clear(&x->space);
    x->space = (sow_preparation){0};
    x->frozen = 0;
    c->d = 0;
}

sow_status sow_i_space_of(sow_campaign *c, const sow_index *cell, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_cells *x = c->cells;
    sow_names *genes = NULL;
    sow_i_forget_space(c);
    SOW_TRY(sow_preparation_fit(&x->space, NULL, &x->table, cell, n, &c->config->features, c->env, err));
    x->frozen = 1;
    c->d = x->space.d;
    if (c->d < 2) SOW_FAIL(err, SOW_E_DATA, "%s: the response space has %lld gene; at least 2 are needed: relax `features`", c->config->path, (long long)c->d);
    SOW_TRY(sow_names_create(&genes, err));
    for (sow_index j = 0; j < c->d; j++)
        SOW_TRY(sow_names_add(genes, sow_names_get(x->space.genes, j), NULL, err));
    sow_names_destroy(c->screen->features);
    c->screen->features = genes;
    genes = NULL;
done:
    if (st != SOW_OK) sow_error_prefix(err, "fitting the response space");
    sow_names_destroy(genes);
    return st;
}
