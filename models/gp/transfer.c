/* From the rows of other contexts to a reference process, and to two columns of priors: what it predicts and how many cells it saw. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/stats.h"
#include "models/gp/gp_internal.h"

void sow_i_elsewhere_clear(sow_elsewhere *e)
{
    free(e->item);
    free(e->z);
    free(e->cells);
    free(e->ratio);
    *e = (sow_elsewhere){0};
}

typedef struct {
    sow_index item, context, row;
    double z;
} other_row;

static int by_item(const void *a, const void *b)
{
    const other_row *x = a, *y = b;
    if (x->item != y->item) return x->item < y->item ? -1 : 1;
    if (x->context != y->context) return x->context < y->context ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* Standardise rows [n] of one context in place; their standard deviation, 0 when they do not differ. */
static double standardise_context(other_row *rows, sow_index n, sow_index context)
{
    double mean = 0, ss = 0, sd;
    sow_index m = 0;
    for (sow_index i = 0; i < n; i++)
        if (rows[i].context == context) {
            mean += rows[i].z;
            m++;
        }
    for (sow_index i = 0; i < n && m > 0; i++)
        if (rows[i].context == context) {
            rows[i].z -= mean / (double)m;
            ss += rows[i].z * rows[i].z;
        }
    sd = m > 1 ? sqrt(ss / (double)(m - 1)) : 0;
    for (sow_index i = 0; i < n && sd > 0; i++)
        if (rows[i].context == context) rows[i].z /= sd;
    return sd;
}

/* One entry a perturbation from rows sorted by it. */
static void merge(sow_elsewhere *e, const other_row *rows, sow_index n, const double *cells)
{
    for (sow_index from = 0, to; from < n; from = to) {
        double z = 0, sum = 0;
        int unknown = !cells;
        for (to = from; to < n && rows[to].item == rows[from].item; to++) {
            z += rows[to].z;
            if (cells && isfinite(cells[rows[to].row]))
                sum += cells[rows[to].row];
            else
                unknown = 1;
        }
        e->item[e->n] = rows[from].item;
        e->z[e->n] = z / (double)(to - from);
        e->cells[e->n++] = unknown ? (double)NAN : sum;
    }
}

static sow_status relative_cells(sow_elsewhere *e, sow_error *err)
{
    sow_status st = SOW_OK;
    double *known = NULL, typical = NAN;
    sow_index n = 0;
    SOW_NEW(known, e->n);
    for (sow_index i = 0; i < e->n; i++)
        if (isfinite(e->cells[i])) known[n++] = e->cells[i];
    if (n > 0) SOW_TRY(sow_quantile(&typical, known, n, 0.5, err));
    for (sow_index i = 0; i < e->n; i++) e->ratio[i] = sow_i_gp_ratio(typical, e->cells[i]);
done:
    free(known);
    return st;
}

sow_status sow_i_elsewhere(sow_elsewhere *out, const sow_training *t, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_elsewhere e = {0};
    other_row *rows = NULL;
    sow_index n = 0, contexts = 0;
    SOW_NEW(rows, t->n);
    for (sow_index i = 0; i < t->n; i++)
        if (t->context[i] != t->target) rows[n++] = (other_row){t->perturbation[i], t->context[i], i, t->y[i]};
    qsort(rows, (size_t)n, sizeof *rows, by_item);
    for (sow_index c = 0; c < t->n_contexts; c++) {
        double sd = standardise_context(rows, n, c);
        e.scale += sd;
        contexts += sd > 0;
    }
    if (contexts > 0) e.scale /= (double)contexts;
    SOW_NEW(e.item, n);
    SOW_NEW(e.z, n);
    SOW_NEW(e.cells, n);
    SOW_NEW(e.ratio, n);
    merge(&e, rows, n, t->cells);
    double mean = sow_mean(e.z, e.n), sd = sqrt(sow_variance(e.z, e.n));
    for (sow_index i = 0; i < e.n; i++) e.z[i] = sd > 0 ? (e.z[i] - mean) / sd : 0.0;
    SOW_TRY(relative_cells(&e, err));
    *out = e;
    e = (sow_elsewhere){0};
done:
    free(rows);
    sow_i_elsewhere_clear(&e);
    return st;
}

/* ---- what the reference says, as priors ---- */

/* Subtract the mean and divide by the standard deviation of `over` [n]. */
static void standardise_by(double *x, sow_index n_items, const double *over, sow_index n)
{
    double mean = sow_mean(over, n), sd = sqrt(sow_variance(over, n));
    for (sow_index i = 0; i < n_items; i++) x[i] = sd > 0 ? (x[i] - mean) / sd : 0.0;
}

static sow_status append_value(sow_gp *g, const sow_elsewhere *e, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_reference *r = g->reference;
    double *value = NULL, *over = NULL;
    unsigned char *has = NULL;
    SOW_NEW(value, r->n_items);
    SOW_NEW(over, e->n);
    SOW_NEW(has, r->n_items);
    memset(has, 1, (size_t)r->n_items);
    for (sow_index i = 0; i < r->n_items; i++) value[i] = r->smooth[i] + r->own[i];
    for (sow_index i = 0; i < e->n; i++) over[i] = value[e->item[i]];
    standardise_by(value, r->n_items, over, e->n);
    SOW_TRY(sow_i_gp_priors_append(g->priors, "reference value", SOW_ROLE_REFERENCE_VALUE, value, 1, has, r->n_items, err));
done:
    free(value);
    free(over);
    free(has);
    return st;
}

static sow_status append_cells(sow_gp *g, const sow_elsewhere *e, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index n_items = g->reference->n_items, n = 0;
    double *value = NULL, *over = NULL;
    unsigned char *has = NULL;
    SOW_NEW(value, n_items);
    SOW_NEW(over, e->n);
    SOW_NEW(has, n_items);
    for (sow_index i = 0; i < e->n; i++) {
        if (!isfinite(e->cells[i])) continue;
        has[e->item[i]] = 1;
        value[e->item[i]] = over[n++] = log(e->cells[i]);
    }
    if (n < 2) goto done;
    standardise_by(value, n_items, over, n);
    SOW_TRY(sow_i_gp_priors_append(g->priors, "reference cells", SOW_ROLE_REFERENCE_CELLS, value, 1, has, n_items, err));
done:
    free(value);
    free(over);
    free(has);
    return st;
}

sow_status sow_i_gp_learn_reference(sow_gp *g, const sow_elsewhere *e, const sow_training *t, const sow_model_options *o, const sow_env *env,
                                    sow_error *err)
{
    sow_status st = SOW_OK;
    sow_kernel *kernel = NULL;
    sow_items *items = NULL;
    sow_kernel_prior belief = sow_i_kernel_prior_plain;
    sow_index n_items = t->priors ? t->priors->n_items : 0;
    double objective;
    for (sow_index i = 0; i < t->n; i++)
        if (t->perturbation[i] >= n_items) n_items = t->perturbation[i] + 1;
    belief.constant = 0; /* its values have mean 0 */
    SOW_TRY(sow_i_kernel_create(&kernel, o->kernel, g->priors, &belief, NULL, err));
    SOW_TRY(sow_i_items_create(&items, g->priors->prior, g->priors->n_priors, NULL, e->item, e->n, err));
    SOW_TRY(sow_i_gp_learn(kernel, items, NULL, e->z, 1, e->ratio, o->iterations, &objective, env, err));
    SOW_TRY(sow_i_reference_create(&g->reference, &kernel, &items, e->z, e->ratio, n_items, env, err));
    g->reference->mean_only = strcmp(o->transfer, "mean") == 0;
    SOW_TRY(append_value(g, e, err));
    SOW_TRY(append_cells(g, e, err));
done:
    sow_i_kernel_destroy(kernel);
    sow_i_items_destroy(items);
    return st;
}
