/* Whole profiles: how well the response of n cells is repeated by n other cells, and so how many cells a wanted agreement takes (Spearman-Brown).
 *
 * Every perturbation of the context with enough cells is cut in two at random, a few times; each half answers against its own half of the controls, so that no noise is shared; the correlation of both
 * responses over genes, the perturbation's own left out, is averaged over the cuts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/stats.h"
#include "planner/power_internal.h"

enum { DRAWS = 5, FEWEST_HALF = 10, STREAM = 2000, WANTED = 5, QUARTERS = 3 };
static const double wanted[WANTED] = {0.3, 0.5, 0.7, 0.8, 0.9};

typedef struct {
    sow_index n;
    double *half;  /* [n] cells of a replicate that have a correlation of .5: INFINITY where halves do not agree */
    double *r, *cells; /* [n] as measured, at so many cells */
} replicates;

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
static int ascending_index(const void *a, const void *b)
{
    const sow_index x = *(const sow_index *)a, y = *(const sow_index *)b;
    return (x > y) - (x < y);
}

/* Nearest rank: infinities do not mix. value is sorted. */
static double quantile(const double *value, sow_index n, double q)
{
    const sow_index at = (sow_index)ceil(q * (double)n) - 1;
    return value[at < 0 ? 0 : at];
}

static double correlation(double *a, double *b, const sow_campaign *c, sow_index q)
{
    sow_index own[SOW_I_MAX_OWN], n_own = sow_i_own_genes(own, c, q), kept = 0;
    for (sow_index j = 0; j < c->d; j++) {
        int is_own = 0;
        for (sow_index k = 0; k < n_own; k++) is_own |= own[k] == j;
        if (is_own) continue;
        a[kept] = a[j];
        b[kept++] = b[j];
    }
    return sow_pearson(a, b, kept);
}

static sow_status halves_agree(double *r, sow_campaign *c, const sow_i_halves *h, sow_index context, sow_index q, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index *cell = NULL, n = sow_cells_of(&cell, &c->cells->table, q, context), half = n / 2;
    sow_index *order = NULL;
    double *a = NULL, *b = NULL, sum = 0;
    SOW_NEW(order, n);
    SOW_NEW(a, c->d);
    SOW_NEW(b, c->d);
    for (int draw = 0; draw < DRAWS; draw++) {
        sow_rng rng = sow_rng_make(c->config->seed, SOW_RNG_FOLDS, (uint32_t)(STREAM + draw), (uint32_t)q);
        memcpy(order, cell, (size_t)n * sizeof *order);
        sow_rng_permute(&rng, order, n);
        qsort(order, (size_t)half, sizeof *order, ascending_index);
        qsort(order + half, (size_t)half, sizeof *order, ascending_index);
        SOW_TRY(sow_i_response(a, c, order, half, h->learn, h->n_learn, err));
        SOW_TRY(sow_i_response(b, c, order + half, half, h->judge, h->n_judge, err));
        sum += correlation(a, b, c, q);
    }
    *r = sum / DRAWS;
done:
    free(order);
    free(a);
    free(b);
    return st;
}

/* The response space of all cells of the context. */
static sow_status fit_space(sow_i_power *p, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_cells *t = &p->c->cells->table;
    sow_index *cell = NULL, n = 0;
    SOW_NEW(cell, t->n);
    for (sow_index i = 0; i < t->n; i++)
        if (t->context[i] == p->context) cell[n++] = i;
    SOW_TRY(sow_i_space_of(p->c, cell, n, err));
done:
    free(cell);
    return st;
}

static sow_status measure(replicates *x, sow_i_power *p, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_campaign *c = p->c;
    sow_i_halves h = {0};
    SOW_NEW(x->half, c->n);
    SOW_NEW(x->r, c->n);
    SOW_NEW(x->cells, c->n);
    sow_index any = 0;
    for (sow_index q = 0; q < c->n; q++) any += sow_cells_of(NULL, &c->cells->table, q, p->context) >= 2 * FEWEST_HALF;
    if (any == 0) goto done;
    SOW_TRY(sow_i_halve_controls(&h, c, p->context, err));
    SOW_TRY(fit_space(p, err));
    for (sow_index q = 0; q < c->n; q++) {
        const sow_index half = sow_cells_of(NULL, &c->cells->table, q, p->context) / 2;
        double r = NAN;
        SOW_TRY(sow_progress(p->env, "replicates", (double)q / (double)c->n, err));
        if (half < FEWEST_HALF) continue;
        SOW_TRY(halves_agree(&r, c, &h, p->context, q, err));
        if (isnan(r)) continue;
        x->half[x->n] = sow_cells_for_reliability(r, (double)half, 0.5);
        x->cells[x->n] = (double)half;
        x->r[x->n++] = r;
    }
    SOW_TRY(sow_progress(p->env, "replicates", 1, err));
done:
    sow_i_halves_clear(&h);
    return st;
}

/* "0.6@50" */
static sow_status read_reliability(replicates *x, const char *text, sow_error *err)
{
    sow_status st = SOW_OK;
    char *end = NULL;
    const double r = strtod(text, &end);
    const double n = *end == '@' ? strtod(end + 1, &end) : 0;
    if (*end || !(r > 0 && r < 1) || !(n >= 1 && n <= 1e9)) SOW_FAIL(err, SOW_E_CONFIG, "--reliability takes R@N, the correlation R (above 0, below 1) between replicates of N cells, such as 0.6@50, not '%s'", text);
    SOW_NEW(x->half, 1);
    SOW_NEW(x->r, 1);
    SOW_NEW(x->cells, 1);
    x->n = 1;
    x->r[0] = r;
    x->cells[0] = n;
    x->half[0] = sow_cells_for_reliability(r, n, 0.5);
done:
    return st;
}

/* Of the quarter that agrees best, the middle one and the quarter that agrees least: how many cells, or what correlation. */
static json_t *quarters(const replicates *x, double cells, double of)
{
    static const char *const key[QUARTERS] = {"strongest_quarter", "median", "weakest_quarter"};
    json_t *j = json_object();
    for (int i = 0; i < QUARTERS; i++) {
        const double k = quantile(x->half, x->n, 0.25 * (i + 1));
        const double value = cells > 0 ? sow_reliability_at(0.5, k, cells) : k * of / (1 - of);
        json_object_set_new(j, key[i], cells > 0 ? json_real(isinf(k) ? 0 : value) : value > 1e15 ? json_string("none") : json_integer((json_int_t)ceil(value)));
    }
    return j;
}

sow_status sow_i_power_profile(json_t *out, sow_i_power *p, sow_error *err)
{
    sow_status st = SOW_OK;
    replicates x = {0};
    if (p->o->reliability) SOW_TRY(read_reliability(&x, p->o->reliability, err));
    else if (p->c && p->c->cells) SOW_TRY(measure(&x, p, err));
    if (x.n == 0) goto done;
    json_t *j = json_object(), *at = json_array(), *need = json_array();
    qsort(x.half, (size_t)x.n, sizeof *x.half, ascending);
    qsort(x.r, (size_t)x.n, sizeof *x.r, ascending);
    qsort(x.cells, (size_t)x.n, sizeof *x.cells, ascending);
    for (sow_index i = 0; i < p->n_cells; i++) json_array_append_new(at, json_pack("{s:I,s:o}", "cells", (json_int_t)p->cells[i], "correlation", quarters(&x, (double)p->cells[i], 0)));
    for (int i = 0; i < WANTED; i++) json_array_append_new(need, json_pack("{s:f,s:o}", "correlation", wanted[i], "cells", quarters(&x, 0, wanted[i])));
    json_object_set_new(j, "perturbations", json_integer(x.n));
    json_object_set_new(j, "median_correlation", json_real(quantile(x.r, x.n, 0.5)));
    json_object_set_new(j, "median_cells", json_real(quantile(x.cells, x.n, 0.5)));
    json_object_set_new(j, "given", json_boolean(p->o->reliability != NULL));
    json_object_set_new(j, "at", at);
    json_object_set_new(j, "needed", need);
    json_object_set_new(out, "replicates", j);
done:
    free(x.half);
    free(x.r);
    free(x.cells);
    return st;
}
