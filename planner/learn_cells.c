/* The cells behind what is learned from, for models that train on distributions. */
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "planner/cells_internal.h"

static int compare_index(const void *a, const void *b)
{
    sow_index x = *(const sow_index *)a, y = *(const sow_index *)b;
    return (x > y) - (x < y);
}

/* Cells of item i: in a target context those handed out by then, elsewhere the whole group. Writes them where `out` is given; returns how many. */
static sow_index cells_of_item(sow_index *out, const sow_i_training *t, const sow_campaign *c, sow_index i, sow_index round)
{
    const sow_index *list = NULL;
    sow_index n = 0, site = sow_i_site_of_context(c, t->context[i]);
    if (site < 0) {
        n = sow_cells_of(&list, &c->cells->table, t->perturbation[i], t->context[i]);
        if (out && n) memcpy(out, list, (size_t)n * sizeof *out);
        return n;
    }
    const sow_i_item *item = &c->site[site].item[t->perturbation[i]];
    for (sow_index k = 0; k < item->n_draws; k++) {
        if (item->draw[k].round > round) continue;
        if (out) memcpy(out + n, item->draw[k].cell, (size_t)item->draw[k].n * sizeof *out);
        n += item->draw[k].n;
    }
    if (out) qsort(out, (size_t)n, sizeof *out, compare_index);
    return n;
}

static sow_status controls_until(sow_i_training *t, const sow_campaign *c, sow_index round, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index n = 0;
    for (sow_index r = 0; r < c->n_rounds && r <= round; r++)
        n += c->here->controls[r].n_control;
    SOW_NEW(t->control, n);
    n = 0;
    for (sow_index r = 0; r < c->n_rounds && r <= round; r++) {
        if (c->here->controls[r].n_control) memcpy(t->control + n, c->here->controls[r].control, (size_t)c->here->controls[r].n_control * sizeof *t->control);
        n += c->here->controls[r].n_control;
    }
    qsort(t->control, (size_t)n, sizeof *t->control, compare_index);
    sow_index kept = 0; /* when rounds were added, one may have been handed out twice */
    for (sow_index i = 0; i < n; i++)
        if (kept == 0 || t->control[kept - 1] != t->control[i]) t->control[kept++] = t->control[i];
    t->cells_of.n_control = kept;
done:
    return st;
}

sow_status sow_i_training_cells(sow_i_training *t, const sow_campaign *c, sow_index round, sow_error *err)
{
    sow_status st = SOW_OK;
    if (!c->cells || !c->cells->frozen || !(c->model_class->caps & (SOW_CAP_NEEDS_CELLS | SOW_CAP_META))) return SOW_OK;
    SOW_NEW(t->cell_start, t->view.n + 1);
    for (sow_index i = 0; i < t->view.n; i++)
        t->cell_start[i + 1] = t->cell_start[i] + cells_of_item(NULL, t, c, i, round);
    SOW_NEW(t->cell, t->cell_start[t->view.n]);
    for (sow_index i = 0; i < t->view.n; i++)
        cells_of_item(t->cell + t->cell_start[i], t, c, i, round);
    SOW_TRY(controls_until(t, c, round, err));
    t->cells_of.table = &c->cells->table;
    t->cells_of.space = &c->cells->space;
    t->cells_of.start = t->cell_start;
    t->cells_of.cell = t->cell;
    t->cells_of.control = t->control;
    t->view.cells_of = &t->cells_of;
done:
    return st;
}
