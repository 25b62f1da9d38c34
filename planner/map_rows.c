/* One context of the map: what the model is given, and the fit. */
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "planner/map.h"

/* The controls of a reference are all there; those of the campaign's target are the ones handed out so far. */
void sow_i_map_training_make(sow_i_map_training *t, const sow_campaign *c, sow_index target)
{
    const sow_training *all = &c->here->training.view;
    t->view = *all;
    t->view.target = target;
    if (!all->cells_of) return;
    t->cells_of = *all->cells_of;
    if (target != c->here->target) t->cells_of.n_control = sow_cells_of(&t->cells_of.control, t->cells_of.table, SOW_CONTROL, target);
    t->view.cells_of = &t->cells_of;
}

/* ---- the fit ---- */

void sow_i_map_fit_clear(sow_i_map_fit *f)
{
    sow_model_destroy(f->model);
    if (f->owner) f->owner->here->model = NULL;
    free(f->training);
    *f = (sow_i_map_fit){0};
}

sow_status sow_i_map_fit_next(sow_i_map_fit *f, const sow_i_map *m, sow_index k, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_campaign *c = m->c;
    const sow_model_options options = sow_i_model_options(c);
    sow_i_map_fit_clear(f); /* its memory is wanted; what it learned was of other references */
    if (m->context[k] == c->here->target) {
        f->owner = c;
        f->model = c->here->model;
    } else {
        SOW_NEW(f->training, 1);
        sow_i_map_training_make(f->training, c, m->context[k]);
        SOW_TRY(sow_model_fit(&f->model, c->model_class, &f->training->view, &options, m->env, err));
    }
done:
    if (st != SOW_OK) sow_error_prefix(err, "fitting model '%s' for context '%s'", c->model_class->name, sow_i_map_context_name(m, k));
    return st;
}
