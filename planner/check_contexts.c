/* What a model that learns from other contexts needs of them, said before anything is computed. */
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "planner/campaign_internal.h"

enum { NAMED_MOST = 3 };

static int is_reference(const sow_campaign *c, sow_index context)
{
    return c->screen->context_role[context] == SOW_ROLE_REFERENCE;
}

static sow_index count_references(const sow_campaign *c, int with_rows)
{
    sow_index n = 0;
    for (sow_index k = 0; k < sow_names_count(c->screen->contexts); k++) {
        int counts = is_reference(c, k) && !with_rows;
        for (sow_index i = 0; is_reference(c, k) && !counts && i < c->screen->n_rows; i++) counts = c->screen->context[i] == k;
        n += counts;
    }
    return n;
}

/* "a, b"; caller frees; NULL = out of memory. */
static char *names_of_references(const sow_campaign *c)
{
    char *names = sow_strdup("");
    for (sow_index k = 0; names && k < sow_names_count(c->screen->contexts); k++) {
        if (!is_reference(c, k)) continue;
        char *longer = sow_format("%s%s%s", names, *names ? ", " : "", sow_names_get(c->screen->contexts, k));
        free(names);
        names = longer;
    }
    return names;
}

static sow_status say_empty(const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    char *names = names_of_references(c);
    if (!names) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    if (c->cells)
        SOW_FAIL(err, SOW_E_DATA, "%s: model '%s' carries responses over from other contexts, and no perturbation there (%s) has the %lld cells of features.min_cells_per_perturbation: lower it, or add another source with `role: reference`",
                 c->config->path, c->model_class->name, names, (long long)c->config->features.min_cells_per_perturbation);
    SOW_FAIL(err, SOW_E_DATA, "%s: model '%s' carries responses over from other contexts, and nothing is measured there (%s): add another source with `role: reference`", c->config->path, c->model_class->name, names);
done:
    free(names);
    return st;
}

/* ---- one-hot ---- */

/* Networks alone, told perturbations one-hot (models/hypermap/settings.c). */
static int is_one_hot(const sow_campaign *c)
{
    const sow_config *k = c->config;
    const int published = strcmp(k->model.mode, "reference") == 0;
    const int automatic = strcmp(k->model.hypermap.embedding, "auto") == 0 && (published || count_references(c, 1) < 2) && c->model_priors.fused_dim == 0;
    const int network = published || strcmp(k->model.hypermap.form, "network") == 0;
    return strcmp(c->model_class->name, "hypermap") == 0 && network && (published || !k->model.stack) && (automatic || strcmp(k->model.hypermap.embedding, "one-hot") == 0);
}

static int is_elsewhere(const sow_campaign *c, sow_index q)
{
    for (sow_index k = 0; k < sow_names_count(c->screen->contexts); k++)
        if (is_reference(c, k) && sow_screen_find(c->screen, q, k) >= 0) return 1;
    return 0;
}

static sow_status check_one_hot(const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    char *names = sow_strdup("");
    sow_index n = 0;
    for (sow_index q = 0; names && q < c->n; q++) {
        int asked = 0;
        for (sow_index s = 0; s < c->n_sites; s++) asked |= c->site[s].in_pool[q] || c->site[s].held_out[q];
        if (!asked || is_elsewhere(c, q)) continue;
        if (n++ > NAMED_MOST) continue;
        char *longer = n > NAMED_MOST ? sow_format("%s, ...", names) : sow_format("%s%s%s", names, *names ? ", " : "", sow_i_name(c, q));
        free(names);
        names = longer;
    }
    if (!names) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    if (n > 0)
        SOW_FAIL(err, SOW_E_CONFIG, "%s: model.hypermap.embedding one-hot (what auto is without priors) tells nothing of a perturbation that no reference context has measured, here %lld (%s): give `priors:` and embedding prior, leave them out (constraints.exclude)%s",
                 c->config->path, (long long)n, names, strcmp(c->config->model.mode, "reference") == 0 ? "" : ", or set model.stack: true, so that gp is asked about them");
done:
    free(names);
    return st;
}

sow_status sow_i_check_contexts(const sow_campaign *c, sow_error *err)
{
    if (!(c->model_class->caps & SOW_CAP_META)) return SOW_OK;
    if (count_references(c, 0) == 0 && c->n_sites > 1) return SOW_OK; /* target contexts are each other's references */
    if (count_references(c, 0) == 0)
        return SOW_ERROR(err, SOW_E_CONFIG, "%s: model '%s' carries responses over from other contexts, and there is none: add a source with `role: reference`, or use gp%s", c->config->path, c->model_class->name,
                         c->cells ? " or morph" : "");
    if (count_references(c, 1) == 0) return say_empty(c, err);
    return is_one_hot(c) ? check_one_hot(c, err) : SOW_OK;
}
