/* The catalogue while sources are read: perturbations and contexts by first appearance; sorted by name at the end. */
#include "io/source_internal.h"

#include "core/memory.h"
#include "io/text_internal.h"

#include <stdlib.h>
#include <string.h>

sow_status sow_i_catalogue_create(sow_i_catalogue *c, sow_error *err)
{
    sow_status st = SOW_OK;
    memset(c, 0, sizeof *c);
    SOW_TRY(sow_names_create(&c->perturbations, err));
    SOW_TRY(sow_names_create(&c->contexts, err));
done:
    return st; /* on failure too the caller clears */
}

void sow_i_catalogue_clear(sow_i_catalogue *c)
{
    for (sow_index i = 0; c->detail && i < sow_names_count(c->perturbations); i++) sow_i_perturbation_clear(&c->detail[i]);
    sow_names_destroy(c->perturbations);
    sow_names_destroy(c->contexts);
    free(c->detail);
    free(c->role);
    memset(c, 0, sizeof *c);
}

sow_status sow_i_catalogue_context(sow_index *out, sow_i_catalogue *c, const char *name, sow_source_role role, const char *path, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index known = sow_names_count(c->contexts);
    SOW_TRY(sow_grow(&c->role, &c->role_capacity, known + 1, sizeof *c->role, err));
    SOW_TRY(sow_names_add(c->contexts, name, out, err));
    if (*out == known) {
        c->role[known] = role;
    } else if (c->role[*out] != role) {
        SOW_FAIL(err, SOW_E_DATA, "%s: context '%s' is a target in one source and a reference in another; say which rows of the file to keep (contexts)",
                 path, name);
    }
done:
    return st;
}

sow_status sow_i_catalogue_perturbation(sow_index *out, sow_i_catalogue *c, const char *name, sow_perturbation *detail, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index known = sow_names_count(c->perturbations);
    SOW_TRY(sow_grow(&c->detail, &c->detail_capacity, known + 1, sizeof *c->detail, err));
    SOW_TRY(sow_names_add(c->perturbations, name, out, err));
    if (*out == known) {
        c->detail[known] = *detail;
        memset(detail, 0, sizeof *detail);
    }
done:
    return st;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

sow_status sow_i_catalogue_sort(sow_screen *screen, sow_index *renames, sow_i_catalogue *c, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index n = sow_names_count(c->perturbations);
    const char **name = NULL;
    SOW_NEW(name, n);
    SOW_NEW(screen->detail, n);
    for (sow_index i = 0; i < n; i++) name[i] = sow_names_get(c->perturbations, i);
    qsort(name, (size_t)n, sizeof *name, by_name);
    for (sow_index i = 0; i < n; i++) SOW_TRY(sow_names_add(screen->perturbations, name[i], NULL, err));
    for (sow_index i = 0; i < n; i++) {
        renames[i] = sow_names_find(screen->perturbations, sow_names_get(c->perturbations, i));
        screen->detail[renames[i]] = c->detail[i];
        memset(&c->detail[i], 0, sizeof c->detail[i]);
    }
    SOW_NEW(screen->context_role, sow_names_count(c->contexts));
    for (sow_index i = 0; i < sow_names_count(c->contexts); i++) {
        SOW_TRY(sow_names_add(screen->contexts, sow_names_get(c->contexts, i), NULL, err));
        screen->context_role[i] = c->role[i];
    }
done:
    free(name);
    return st;
}

/* ---- what a source says of contexts and names ---- */

int sow_i_context_is_kept(const sow_source *spec, const char *name)
{
    for (sow_index k = 0; k < spec->n_keep_contexts; k++)
        if (strcmp(spec->keep_contexts[k], name) == 0) return 1;
    return spec->n_keep_contexts == 0;
}

char *sow_i_own_context(const sow_source *spec)
{
    if (spec->context) return sow_strdup(spec->context);
    const char *name = sow_i_basename(spec->file);
    size_t n = strcspn(name, ".");
    return n ? sow_strndup(name, n) : sow_strdup(name);
}

const char *sow_i_joint(const sow_source *sources, sow_index n)
{
    for (sow_index k = 0; k < n; k++)
        if (sources[k].separator && *sources[k].separator) return sources[k].separator;
    return NULL;
}
