/* One context of the map: what the model is given, and the fit. */
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "planner/map.h"

void sow_i_map_training_clear(sow_i_map_training *t)
{
    free(t->perturbation);
    free(t->context);
    free(t->y);
    free(t->cells);
    free(t->start);
    free(t->cell);
    *t = (sow_i_map_training){0};
}

/* Places in the campaign's training: those of the target, then the other contexts one by one. */
static void order_items(sow_index *order, const sow_i_training *all, sow_index target, sow_index contexts)
{
    sow_index n = 0;
    for (sow_index k = -1; k < contexts; k++)
        for (sow_index i = 0; i < all->view.n && k != target; i++)
            if (all->context[i] == (k < 0 ? target : k)) order[n++] = i;
}

/* The controls of a reference are all there; those of the campaign's target are the ones handed out so far. */
static sow_status give_cells(sow_i_map_training *t, const sow_campaign *c, sow_index target, const sow_index *order, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_training_cells *all = c->here->training.view.cells_of;
    const sow_index n = t->view.n;
    if (!all) return SOW_OK;
    SOW_NEW(t->start, n + 1);
    SOW_NEW(t->cell, all->start[n]);
    for (sow_index i = 0; i < n; i++) {
        const sow_index from = all->start[order[i]], count = all->start[order[i] + 1] - from;
        t->start[i + 1] = t->start[i] + count;
        if (count > 0) memcpy(t->cell + t->start[i], all->cell + from, (size_t)count * sizeof *t->cell);
    }
    t->cells_of = *all;
    t->cells_of.start = t->start;
    t->cells_of.cell = t->cell;
    if (target != c->here->target) t->cells_of.n_control = sow_cells_of(&t->cells_of.control, all->table, SOW_CONTROL, target);
    t->view.cells_of = &t->cells_of;
done:
    return st;
}

sow_status sow_i_map_training_make(sow_i_map_training *t, const sow_campaign *c, sow_index target, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_training *all = &c->here->training;
    const sow_index n = all->view.n, d = all->view.n_features;
    sow_index *order = NULL;
    *t = (sow_i_map_training){.view = all->view};
    SOW_NEW(order, n);
    SOW_NEW(t->perturbation, n);
    SOW_NEW(t->context, n);
    SOW_NEW(t->cells, n);
    SOW_NEW(t->y, n * d);
    order_items(order, all, target, all->view.n_contexts);
    for (sow_index i = 0; i < n; i++) {
        t->perturbation[i] = all->perturbation[order[i]];
        t->context[i] = all->context[order[i]];
        t->cells[i] = all->cells[order[i]];
        memcpy(&t->y[i * d], &all->y[order[i] * d], (size_t)d * sizeof *t->y);
    }
    t->view.target = target;
    t->view.perturbation = t->perturbation;
    t->view.context = t->context;
    t->view.y = t->y;
    t->view.cells = t->cells;
    SOW_TRY(give_cells(t, c, target, order, err));
done:
    if (st != SOW_OK) sow_i_map_training_clear(t);
    free(order);
    return st;
}

/* ---- the fit ---- */

void sow_i_map_fit_clear(sow_i_map_fit *f)
{
    sow_model_destroy(f->model);
    if (f->owner) f->owner->here->model = NULL;
    if (f->training) sow_i_map_training_clear(f->training);
    free(f->training);
    *f = (sow_i_map_fit){0};
}

sow_status sow_i_map_fit_next(sow_i_map_fit *f, const sow_i_map *m, sow_index k, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_campaign *c = m->c;
    sow_i_map_fit next = {0};
    sow_model_options options = sow_i_model_options(c);
    if (!(c->model_class->caps & SOW_CAP_META)) sow_i_map_fit_clear(f); /* nobody goes on from it: its memory is wanted */
    if (m->context[k] == c->here->target) {
        next.owner = c;
        next.model = c->here->model;
    } else {
        SOW_NEW(next.training, 1);
        SOW_TRY(sow_i_map_training_make(next.training, c, m->context[k], err));
        options.warm = f->model;
        SOW_TRY(sow_model_fit(&next.model, c->model_class, &next.training->view, &options, m->env, err));
        free(next.training->y); /* no model looks at it after its fit (models/model.h) */
        next.training->y = NULL;
    }
    sow_i_map_fit_clear(f);
    *f = next;
    next = (sow_i_map_fit){0};
done:
    sow_i_map_fit_clear(&next);
    if (st != SOW_OK) sow_error_prefix(err, "fitting model '%s' for context '%s'", c->model_class->name, sow_i_map_context_name(m, k));
    return st;
}
