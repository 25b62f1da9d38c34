/* From cells to mean responses: every cell against the controls of its own round and technical batch. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "planner/cells_internal.h"

/* The cells of one technical batch out of a list, in order. */
static sow_index of_batch(sow_index *out, const sow_cells *t, const sow_index *cell, sow_index n, int32_t batch)
{
    sow_index kept = 0;
    for (sow_index i = 0; i < n; i++)
        if (t->batch[cell[i]] == batch) out[kept++] = cell[i];
    return kept;
}

static sow_index n_batches(const sow_campaign *c)
{
    sow_index n = sow_names_count(c->cells->table.batches);
    return n > 0 ? n : 1;
}

static int is_known(const sow_i_control_means *m, const sow_index *control, sow_index n)
{
    return m->mean && m->n == n && memcmp(m->control, control, (size_t)n * sizeof *control) == 0;
}

void sow_i_control_means_clear(sow_i_control_means *m)
{
    free(m->control);
    free(m->mean);
    free(m->count);
    *m = (sow_i_control_means){0};
}

/* Mean of the controls of each batch, and (last) of all: many perturbations ask for the same controls one after another, or for two halves of them in
 * turn, so the last answers are kept. *out is valid until the list asked for after the next. */
static sow_status control_means(const sow_i_control_means **out, const sow_campaign *c, const sow_index *control, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_cells *x = c->cells;
    sow_index batches = n_batches(c), *here = NULL;
    for (int k = 0; k < SOW_I_CONTROL_LISTS; k++) {
        *out = &x->control_means[k];
        if (is_known(*out, control, n)) return SOW_OK;
    }
    sow_i_control_means *m = &x->control_means[x->oldest_means];
    x->oldest_means = (x->oldest_means + 1) % SOW_I_CONTROL_LISTS;
    *out = m;
    sow_i_control_means_clear(m);
    SOW_NEW(here, n);
    SOW_NEW(m->control, n);
    SOW_NEW(m->count, batches + 1);
    SOW_NEW(m->mean, (batches + 1) * c->d);
    memcpy(m->control, control, (size_t)n * sizeof *control);
    m->n = n;
    for (sow_index k = 0; k <= batches; k++) {
        const sow_index *list = k < batches ? here : control;
        m->count[k] = k < batches ? of_batch(here, &c->cells->table, control, n, (int32_t)k) : n;
        if (m->count[k] > 0) SOW_TRY(sow_prepared_mean(&m->mean[k * c->d], NULL, &c->cells->space, &c->cells->table, list, m->count[k], c->env, err));
    }
done:
    if (st != SOW_OK) sow_i_control_means_clear(m);
    free(here);
    return st;
}

/* Adds n * (mean of the cells - mean b [d] of controls) to sum [d]; a [d] is room to work. */
static sow_status add_difference(double *sum, double *a, const double *b, const sow_campaign *c, const sow_index *cell, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_TRY(sow_prepared_mean(a, NULL, &c->cells->space, &c->cells->table, cell, n, c->env, err));
    for (sow_index j = 0; j < c->d; j++)
        sum[j] += (double)n * (a[j] - b[j]);
done:
    return st;
}

sow_status sow_i_response(double *out, const sow_campaign *c, const sow_index *cell, sow_index n, const sow_index *control, sow_index n_control,
                          sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *here = NULL, counted = 0, batches = n_batches(c);
    const sow_i_control_means *m = NULL;
    double *a = NULL;
    SOW_NEW(here, n);
    SOW_NEW(a, c->d);
    memset(out, 0, (size_t)c->d * sizeof *out);
    SOW_TRY(control_means(&m, c, control, n_control, err));
    for (sow_index k = 0; k < batches; k++) {
        sow_index x = of_batch(here, &c->cells->table, cell, n, (int32_t)k);
        if (x == 0 || m->count[k] == 0) continue;
        SOW_TRY(add_difference(out, a, &m->mean[k * c->d], c, here, x, err));
        counted += x;
    }
    if (counted == 0) {
        SOW_TRY(add_difference(out, a, &m->mean[batches * c->d], c, cell, n, err));
        counted = n;
    }
    for (sow_index j = 0; j < c->d; j++)
        out[j] /= (double)counted;
done:
    free(here);
    free(a);
    return st;
}

sow_status sow_i_item_respond(sow_campaign *c, sow_index q, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_item *item = &c->here->item[q];
    double *one = NULL, *sum = NULL;
    sow_index total = 0;
    SOW_NEW(one, c->d);
    SOW_NEW(sum, c->d);
    for (sow_index k = 0; k < item->n_draws; k++) {
        const sow_i_draw *draw = &item->draw[k];
        const sow_i_controls *r = &c->here->controls[draw->round];
        if (draw->n == 0 || r->n_control == 0) continue;
        SOW_TRY(sow_i_response(one, c, draw->cell, draw->n, r->control, r->n_control, err));
        for (sow_index j = 0; j < c->d; j++)
            sum[j] += (double)draw->n * one[j];
        total += draw->n;
    }
    if (total == 0) goto done;
    for (sow_index j = 0; j < c->d; j++)
        sum[j] /= (double)total;
    free(item->values);
    item->values = sum;
    sum = NULL;
    if (!item->covariate) SOW_NEW(item->covariate, c->p);
done:
    free(one);
    free(sum);
    return st;
}
