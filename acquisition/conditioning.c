/* Rank-one updates of a posterior's variances. With c the covariance of pick b with everyone, given the picks before it, and s^2 its noise:
 * u = c / sqrt(c_b + s^2), var -= u^2. Later columns lose u u_b' in turn. Rasmussen & Williams 2006, eq. 2.24, one observation at a time. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "acquisition/strategy_internal.h"
#include "core/linalg.h"
#include "core/memory.h"

sow_status sow_i_conditioning_init(sow_i_conditioning *c, const sow_pool_view *view, sow_index most_picks, sow_error *err)
{
    sow_status st = SOW_OK;
    *c = (sow_i_conditioning){.view = view, .capacity = view->posterior ? most_picks : 0};
    SOW_NEW(c->var, view->n);
    memcpy(c->var, view->var, (size_t)view->n * sizeof *c->var);
    if (view->posterior) {
        SOW_NEW(c->u, most_picks * view->n);
        SOW_NEW(c->at, most_picks);
    }
done:
    return st;
}

sow_status sow_i_condition_on(sow_i_conditioning *c, sow_index i, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index n = c->view->n;
    if (!c->view->posterior || c->n_picks >= c->capacity) return SOW_OK;
    double *u = c->u + c->n_picks * n;
    SOW_TRY(c->view->posterior->column(c->view->posterior, i, u, err));
    for (sow_index k = 0; k < c->n_picks; k++) c->at[k] = c->u[k * n + i];
    if (c->n_picks > 0) sow_gemv(1, c->n_picks, n, -1.0, c->u, n, c->at, 1.0, u);
    const double total = u[i] + sow_i_noise(c->view, i);
    const double scale = total > 1e-12 * (c->view->var[i] + sow_i_noise(c->view, i)) ? 1 / sqrt(total) : 0; /* already known: tells nothing */
    for (sow_index k = 0; k < n; k++) {
        u[k] *= scale;
        c->var[k] -= u[k] * u[k];
        if (c->var[k] < 0) c->var[k] = 0;
    }
    c->n_picks++;
done:
    return st;
}

void sow_i_conditioning_clear(sow_i_conditioning *c)
{
    free(c->u);
    free(c->var);
    free(c->at);
    memset(c, 0, sizeof *c);
}
