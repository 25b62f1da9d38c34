/* The campaign's model on what is measured so far, by itself. */
#include <stdlib.h>

#include "core/memory.h"
#include "planner/cells_internal.h"

sow_status sow_campaign_fit(char **learned, char **file, sow_campaign *c, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    c->env = env;
    *learned = *file = NULL;
    if (!sow_i_any_measured(c)) SOW_FAIL(err, SOW_E_STATE, "nothing is measured yet: there is nothing to learn from");
    SOW_TRY(sow_i_fit(c, env, err));
    *learned = sow_model_describe(c->model);
    if (!*learned) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    if (!c->model_class->save) goto done;
    *file = sow_format("%s/rounds/%02lld/model.h5", c->dir, (long long)sow_i_last_measured(c));
    if (!*file) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
done:
    if (st != SOW_OK) {
        free(*learned);
        free(*file);
        *learned = *file = NULL;
    }
    return st;
}
