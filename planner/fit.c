/* The campaign's model on what is measured so far, by itself. */
#include <stdlib.h>

#include "core/memory.h"
#include "planner/cells_internal.h"

char *sow_i_learned(const sow_campaign *c)
{
    sow_text text = {0};
    for (sow_index s = 0; s < c->n_sites; s++) {
        char *lines = c->site[s].model ? sow_model_describe(c->site[s].model) : NULL;
        if (lines && c->n_sites > 1) sow_text_printf(&text, "%s%s:\n", text.size ? "\n" : "", sow_i_site_name(c, s));
        if (lines) sow_text_append(&text, lines);
        free(lines);
    }
    return text.text;
}

/* What was learned for the target context in hand, behind what is there; with several, under its name. */
static sow_status add_learned(sow_text *text, const sow_campaign *c, sow_error *err)
{
    char *lines = sow_model_describe(c->here->model);
    if (!lines) return SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
    if (c->n_sites > 1) sow_text_printf(text, "%s%s:\n", text->size ? "\n" : "", sow_i_target_name(c));
    sow_text_append(text, lines);
    free(lines);
    return SOW_OK;
}

static sow_status fit_site(sow_text *learned, sow_text *files, sow_campaign *c, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    char *path = NULL;
    if (!sow_i_any_measured(c)) SOW_FAIL(err, SOW_E_STATE, "nothing is measured yet in %s: there is nothing to learn from", sow_i_target_name(c));
    SOW_TRY(sow_i_fit(c, env, err));
    SOW_TRY(add_learned(learned, c, err));
    if (!c->model_class->save) goto done;
    path = sow_i_model_path(c, sow_i_last_measured(c));
    if (!path) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    sow_text_printf(files, "%s%s", files->size ? ", " : "", path);
done:
    free(path);
    return st;
}

sow_status sow_campaign_fit(char **learned, char **file, sow_campaign *c, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_text text = {0}, files = {0};
    c->env = env;
    *learned = *file = NULL;
    for (sow_index s = 0; s < c->n_sites; s++) {
        sow_i_go(c, s);
        SOW_TRY(fit_site(&text, &files, c, env, err));
    }
    if (text.failed || files.failed) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    *learned = text.text ? text.text : sow_strdup("");
    *file = files.text;
    text = files = (sow_text){0};
    if (!*learned) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
done:
    sow_i_go(c, 0);
    sow_text_clear(&text);
    sow_text_clear(&files);
    if (st != SOW_OK) {
        free(*learned);
        free(*file);
        *learned = *file = NULL;
    }
    return st;
}
