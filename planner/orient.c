/* A posterior seen from the other side, for `direction: low`.
 *
 * Only turning the means would not do: a draw is the mean plus a part of mean zero whose law need not be symmetric (a mixture leans to one of its
 * arms), so the draws are turned as a whole. Variances and covariances are those of the value itself. */
#include <stdlib.h>

#include "core/memory.h"
#include "planner/campaign_internal.h"

typedef struct {
    sow_posterior base;
    sow_posterior *inner; /* owned */
} turned;

static sow_status turned_column(const sow_posterior *p, sow_index i, double *column, sow_error *err)
{
    const sow_posterior *inner = ((const turned *)p)->inner;
    return inner->column(inner, i, column, err);
}

static sow_status turned_draw(const sow_posterior *p, sow_rng *rng, sow_index s, double *draws, sow_error *err)
{
    const sow_posterior *inner = ((const turned *)p)->inner;
    sow_status st = inner->draw(inner, rng, s, draws, err);
    for (sow_index i = 0; st == SOW_OK && i < s * p->n; i++)
        draws[i] = -draws[i];
    return st;
}

static void turned_destroy(sow_posterior *p)
{
    turned *t = (turned *)p;
    free(t->base.mean);
    sow_posterior_destroy(t->inner);
    free(t);
}

sow_status sow_i_turn_posterior(sow_posterior **posterior, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_posterior *inner = *posterior;
    turned *t = NULL;
    SOW_NEW(t, 1);
    SOW_NEW(t->base.mean, inner->n);
    t->base.n = inner->n;
    for (sow_index i = 0; i < inner->n; i++)
        t->base.mean[i] = -inner->mean[i];
    t->base.var = inner->var;
    t->base.noise = inner->noise;
    t->base.column = turned_column;
    t->base.draw = turned_draw;
    t->base.destroy = turned_destroy;
    t->inner = inner;
    *posterior = &t->base;
    t = NULL;
done:
    if (t) free(t->base.mean);
    free(t);
    return st;
}
