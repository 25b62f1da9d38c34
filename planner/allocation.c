/* How many cells each perturbation of a batch gets (design.allocation). The batch as a whole gets what it would with as many for each, in every context, so the bill is the same.
 *
 * The model says how unsure it is of each pick's value (a variance v) and what a cell adds in noise (s, from its noise at the fewest and at the most cells that a pick may get); core/allocate.h
 * has the minimum of sum w v s / (s + n v). Learning the map, w = 1: the variance that is left. Looking for hits, w is the predictive density at the threshold: with an error that is small beside v,
 * calling a hit by the estimate costs E|value - threshold| 1(wrong side) = w/2 times the variance left. docs/decisions/allocation.md */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/allocate.h"
#include "core/memory.h"
#include "core/stats.h"
#include "planner/choice_internal.h"
#include "planner/pairs.h"

int sow_i_allocates(const sow_campaign *c)
{
    return c->config->allocation.kind == SOW_ALLOCATE_BY_GAIN;
}

sow_status sow_i_check_allocation(const sow_campaign *c, sow_error *err)
{
    const sow_model_options options = sow_i_model_options(c);
    if (!sow_i_allocates(c)) return SOW_OK;
    if (!(sow_model_caps_with(c->model_class, &options) & SOW_CAP_NOISE_BY_CELLS))
        return SOW_ERROR(err, SOW_E_CONFIG, "%s: design.allocation 'expected-gain' needs a model that says how unsure it is and how noise falls with cells: `model: {kind: gp}`; '%s' does not",
                         c->config->path, c->model_class->name);
    if (!c->cells && strcmp(c->config->oracle.kind, "replay") == 0)
        return SOW_ERROR(err, SOW_E_CONFIG, "%s: design.allocation 'expected-gain' plans cells, and a finished table has its values whatever is planned; use the readout cells, oracle generative or lab, or remove it",
                         c->config->path);
    return SOW_OK;
}

void sow_i_allocation_clear(sow_i_allocation *a)
{
    free(a->cells);
    free(a->sd);
    free(a->above);
    *a = (sow_i_allocation){0};
}

/* ---- what the model says */

typedef struct {
    sow_index n;
    sow_index *pick, *pair;                /* [n] in the order of names, in which ties are settled */
    double *mean, *var, *noise, *weight;   /* [n] oriented; variances summed over features; noise of one cell */
} known;

static void known_clear(known *k)
{
    free(k->pick);
    free(k->pair);
    free(k->mean);
    free(k->var);
    free(k->noise);
    free(k->weight);
}

typedef struct {
    sow_index candidate, pick;
} placed;

static int by_candidate(const void *a, const void *b)
{
    const sow_index x = ((const placed *)a)->candidate, y = ((const placed *)b)->candidate;
    return (x > y) - (x < y);
}

/* The picks of one site. */
static sow_status list_picks(known *k, const sow_campaign *c, const sow_i_choice *x, const sow_pick *picks, sow_index batch, sow_index site, sow_error *err)
{
    sow_status st = SOW_OK;
    placed *p = NULL;
    SOW_NEW(p, batch);
    SOW_NEW(k->pick, batch);
    SOW_NEW(k->pair, batch);
    for (sow_index i = 0; i < batch; i++)
        if (x->candidate[picks[i].candidate] / c->n == site) p[k->n++] = (placed){picks[i].candidate, i};
    qsort(p, (size_t)k->n, sizeof *p, by_candidate);
    for (sow_index i = 0; i < k->n; i++) {
        k->pick[i] = p[i].pick;
        k->pair[i] = x->candidate[p[i].candidate];
    }
done:
    free(p);
    return st;
}

static double sum_of(const double *x, sow_index d)
{
    double sum = 0;
    for (sow_index j = 0; j < d; j++)
        sum += x[j];
    return sum;
}

/* Of noise = a + s / cells, s: the part that cells take away. A model that knows no number of cells says the same noise for both. */
static sow_status ask(known *k, sow_campaign *c, sow_index fewest, sow_index most, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    double *mean = NULL, *var = NULL, *high = NULL, *low = NULL;
    const double sign = c->d == 1 ? sow_i_orientation(c) : 1.0, between = 1 / (double)fewest - 1 / (double)most;
    SOW_NEW(mean, k->n * c->d);
    SOW_NEW(var, k->n * c->d);
    SOW_NEW(high, k->n * c->d);
    SOW_NEW(low, k->n * c->d);
    SOW_NEW(k->mean, k->n);
    SOW_NEW(k->var, k->n);
    SOW_NEW(k->noise, k->n);
    SOW_NEW(k->weight, k->n);
    SOW_TRY(sow_i_predict_pairs_with(mean, var, high, c, k->pair, k->n, (double)fewest, env, err));
    SOW_TRY(sow_i_predict_pairs_with(mean, var, low, c, k->pair, k->n, (double)most, env, err));
    for (sow_index i = 0; i < k->n; i++) {
        const double falls = (sum_of(&high[i * c->d], c->d) - sum_of(&low[i * c->d], c->d)) / between;
        k->mean[i] = c->d == 1 ? sign * mean[i] : (double)NAN; /* a profile has no threshold */
        k->var[i] = fmax(sum_of(&var[i * c->d], c->d), 0);
        k->noise[i] = fmax(falls, 0);
    }
done:
    free(mean);
    free(var);
    free(high);
    free(low);
    return st;
}

/* The strategy's threshold, or the one that it would have been shown. */
static sow_status threshold_of(double *out, sow_campaign *c, const sow_i_choice *x, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    double *mean = NULL, *var = NULL;
    *out = x->view.threshold;
    if (isfinite(*out) || c->d != 1 || strcmp(c->config->objective.kind, "hits") != 0) return SOW_OK;
    SOW_NEW(mean, x->n);
    SOW_NEW(var, x->n);
    SOW_TRY(sow_i_predict_pairs_with(mean, var, NULL, c, x->candidate, x->n, (double)NAN, env, err));
    for (sow_index i = 0; i < x->n; i++)
        mean[i] *= sow_i_orientation(c);
    SOW_TRY(sow_i_hit_threshold(out, c, mean, var, x->n, err));
done:
    free(mean);
    free(var);
    return st;
}

/* ---- the cells */

static void bounds(sow_index *fewest, sow_index *most, const sow_campaign *c)
{
    const double each = (double)c->config->design.cells_per_perturbation, range = c->config->allocation.range;
    const sow_index least = c->cells ? c->config->features.min_cells_per_perturbation : 1; /* what is recorded with fewer has failed */
    *fewest = (sow_index)ceil(each / range - 1e-9);
    *most = (sow_index)floor(each * range + 1e-9);
    if (*fewest < least) *fewest = least;
    if (*fewest > c->config->design.cells_per_perturbation) *fewest = c->config->design.cells_per_perturbation;
}

static sow_status allocate_site(sow_i_allocation *a, sow_campaign *c, const sow_i_choice *x, const sow_pick *picks, sow_index batch, sow_index site, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    known k = {0};
    sow_index *cells = NULL;
    const sow_index each = c->config->design.cells_per_perturbation;
    SOW_TRY(list_picks(&k, c, x, picks, batch, site, err));
    if (k.n == 0) goto done;
    SOW_TRY(ask(&k, c, a->fewest, a->most, env, err));
    SOW_NEW(cells, k.n);
    for (sow_index i = 0; i < k.n; i++) {
        const double sd = sqrt(k.var[i]);
        a->sd[k.pick[i]] = sd;
        a->above[k.pick[i]] = (k.mean[i] - a->threshold) / sd; /* NaN without a threshold */
        k.weight[i] = isfinite(a->threshold) && sd > 0 ? sow_normal_pdf((k.mean[i] - a->threshold) / sd) / sd : isfinite(a->threshold) ? 0 : 1;
        cells[i] = each;
    }
    a->uniform_left += sow_allocation_left(cells, k.weight, k.var, k.noise, k.n);
    SOW_TRY(sow_allocate_cells(cells, k.weight, k.var, k.noise, k.n, k.n * each, a->fewest, a->most, err));
    a->left += sow_allocation_left(cells, k.weight, k.var, k.noise, k.n);
    for (sow_index i = 0; i < k.n; i++) {
        a->cells[k.pick[i]] = cells[i];
        a->helps = a->helps || (k.noise[i] > 0 && k.var[i] > 0);
    }
done:
    known_clear(&k);
    free(cells);
    return st;
}

sow_status sow_i_allocate(sow_i_allocation *a, sow_campaign *c, const sow_i_choice *x, const sow_pick *picks, sow_index batch, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    *a = (sow_i_allocation){.by_gain = sow_i_allocates(c) && sow_i_measured_everywhere(c), .threshold = NAN};
    SOW_NEW(a->cells, batch);
    SOW_NEW(a->sd, batch);
    SOW_NEW(a->above, batch);
    for (sow_index i = 0; i < batch; i++)
        a->cells[i] = c->config->design.cells_per_perturbation;
    bounds(&a->fewest, &a->most, c);
    if (!a->by_gain || a->fewest == a->most) goto done;
    SOW_TRY(threshold_of(&a->threshold, c, x, env, err));
    for (sow_index s = 0; s < c->n_sites; s++)
        SOW_TRY(allocate_site(a, c, x, picks, batch, s, env, err));
    if (!a->helps) sow_log(env, SOW_LOG_WARN, "design.allocation: the model sees nothing to gain from more cells here (it knows no numbers of cells), and all get as many");
done:
    if (st != SOW_OK) sow_i_allocation_clear(a);
    return st;
}

void sow_i_allocation_reason(char *text, size_t size, const sow_i_allocation *a, sow_index pick)
{
    *text = '\0';
    if (!a->by_gain || !a->helps) return;
    const sow_index n = a->cells[pick];
    if (isfinite(a->above[pick]))
        snprintf(text, size, "; %lld cells: %.2f sd %s the hit threshold", (long long)n, fabs(a->above[pick]), a->above[pick] < 0 ? "below" : "above");
    else
        snprintf(text, size, "; %lld cells: predicted within +- %.3g", (long long)n, a->sd[pick]);
}

json_t *sow_i_allocation_json(const sow_i_allocation *a, sow_index batch)
{
    sow_index low = a->cells[0], high = a->cells[0], sum = 0;
    for (sow_index i = 0; i < batch; i++) {
        low = a->cells[i] < low ? a->cells[i] : low;
        high = a->cells[i] > high ? a->cells[i] : high;
        sum += a->cells[i];
    }
    return json_pack("{s:s,s:I,s:I,s:I,s:o,s:o}", "by", a->by_gain ? "expected-gain" : "uniform", "cells", (json_int_t)sum, "fewest", (json_int_t)low, "most", (json_int_t)high, "left",
                     a->by_gain && a->helps ? sow_i_real_or_null(a->left) : json_null(), "uniform_left", a->by_gain && a->helps ? sow_i_real_or_null(a->uniform_left) : json_null());
}
