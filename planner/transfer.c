/* Do other contexts help? Responses to the same perturbation, context beside context, against responses to different ones and against what the noise
 * allows: halves of the cells of one context. The target's are those measured so far. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/stats.h"
#include "models/evaluate.h"
#include "planner/cells_internal.h"

enum {
    FEWEST_SHARED = 4,   /* shared perturbations below which nothing is concluded */
    MOST_PAIRS = 1 << 16 /* of different perturbations that are compared: more do not change their mean */
};

/* Response of a perturbation in a context as far as it is known, or NULL. */
static const double *response_of(const sow_campaign *c, sow_index q, sow_index context)
{
    const sow_index site = sow_i_site_of_context(c, context);
    if (site >= 0) return c->site[site].held_out[q] ? NULL : c->site[site].item[q].values;
    sow_index row = sow_screen_find(c->screen, q, context);
    return row < 0 || !isfinite(c->screen->values[row * c->d]) ? NULL : &c->screen->values[row * c->d];
}

/* Pearson of two responses without the genes of both perturbations. */
static sow_status correlate(double *out, const sow_campaign *c, const double *a, sow_index p, const double *b, sow_index q, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index own[2 * SOW_I_MAX_OWN], n_own = 0, n = 0;
    double *x = NULL, *y = NULL;
    SOW_NEW(x, c->d);
    SOW_NEW(y, c->d);
    n_own = sow_i_own_genes(own, c, p);
    n_own += sow_i_own_genes(own + n_own, c, q);
    for (sow_index j = 0; j < c->d; j++) {
        int skip = 0;
        for (sow_index k = 0; k < n_own; k++)
            skip |= own[k] == j;
        if (skip) continue;
        x[n] = a[j];
        y[n++] = b[j];
    }
    *out = sow_pearson(x, y, n);
done:
    free(x);
    free(y);
    return st;
}

typedef struct {
    sow_index n;      /* shared perturbations with a defined correlation */
    double *same;     /* [n] */
    double different; /* mean over pairs of different ones; NaN for fewer than 2 */
} pair_stats;

static sow_index list_shared(sow_index *shared, const sow_campaign *c, sow_index a, sow_index b)
{
    sow_index n = 0;
    for (sow_index q = 0; q < c->n; q++)
        if (response_of(c, q, a) && response_of(c, q, b)) shared[n++] = q;
    return n;
}

/* All pairs, or every so many where they are too many. */
static sow_status compare_contexts(pair_stats *out, const sow_campaign *c, sow_index a, sow_index b, sow_error *err)
{
    sow_status st = SOW_OK;
    double sum = 0, r = NAN;
    sow_index count = 0, *shared = NULL;
    SOW_NEW(out->same, c->n);
    SOW_NEW(shared, c->n);
    sow_index n = list_shared(shared, c, a, b), stride = 1 + n * n / MOST_PAIRS;
    for (sow_index i = 0; i < n; i++) {
        const double *x = response_of(c, shared[i], a);
        SOW_TRY(correlate(&r, c, x, shared[i], response_of(c, shared[i], b), shared[i], err));
        if (isfinite(r)) out->same[out->n++] = r;
        for (sow_index j = (stride - i % stride) % stride; j < n; j += stride) {
            if (j == i) continue;
            SOW_TRY(correlate(&r, c, x, shared[i], response_of(c, shared[j], b), shared[j], err));
            if (!isfinite(r)) continue;
            sum += r;
            count++;
        }
    }
    out->different = count ? sum / (double)count : (double)NAN;
done:
    free(shared);
    return st;
}

/* Correlation of the responses of two halves of a group's cells, against two halves of the controls. */
static sow_status halves(double *out, const sow_campaign *c, sow_index q, const sow_index *cell, sow_index n, const sow_index *control, sow_index m,
                         sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *half = NULL, *control_half = NULL;
    double *response[2] = {NULL, NULL};
    *out = NAN;
    if (n < 4 || m < 4) return SOW_OK;
    SOW_NEW(half, n);
    SOW_NEW(control_half, m);
    for (int k = 0; k < 2; k++) {
        sow_index x = 0, y = 0;
        for (sow_index i = k; i < n; i += 2)
            half[x++] = cell[i];
        for (sow_index i = k; i < m; i += 2)
            control_half[y++] = control[i];
        SOW_NEW(response[k], c->d);
        SOW_TRY(sow_i_response(response[k], c, half, x, control_half, y, err));
    }
    SOW_TRY(correlate(out, c, response[0], q, response[1], q, err));
done:
    free(half);
    free(control_half);
    free(response[0]);
    free(response[1]);
    return st;
}

static sow_status halves_of_target(double *out, const sow_campaign *c, sow_index site, sow_index q, sow_error *err)
{
    const sow_i_item *item = &c->site[site].item[q];
    *out = NAN;
    if (item->n_draws == 0 || c->site[site].held_out[q]) return SOW_OK;
    const sow_i_draw *draw = &item->draw[0];
    const sow_i_controls *r = &c->site[site].controls[draw->round];
    return halves(out, c, q, draw->cell, draw->n, r->control, r->n_control, err);
}

static sow_status within_context(double *mean, sow_index *count, const sow_campaign *c, sow_index context, sow_error *err)
{
    sow_status st = SOW_OK;
    double sum = 0, r = NAN;
    const sow_index site = sow_i_site_of_context(c, context);
    *count = 0;
    for (sow_index q = 0; q < c->n; q++) {
        if (site >= 0) {
            SOW_TRY(halves_of_target(&r, c, site, q, err));
        } else {
            const sow_index *cell, *control;
            sow_index n = sow_cells_of(&cell, &c->cells->table, q, context), m = sow_cells_of(&control, &c->cells->table, SOW_CONTROL, context);
            SOW_TRY(halves(&r, c, q, cell, n, control, m, err));
        }
        if (!isfinite(r)) continue;
        sum += r;
        (*count)++;
    }
    *mean = *count ? sum / (double)*count : (double)NAN;
done:
    return st;
}

/* ---- as JSON ---- */

typedef struct {
    json_t *pairs, *within;
    double lowest, highest, best_low, most_high; /* over pairs with the target: correlations; same minus different: best lower bound, highest upper */
    double different, inside, others_low, others_high; /* halves: of the target, range over the others */
    sow_index shared, judged;
} findings;

static sow_status add_pair(findings *f, const sow_campaign *c, sow_index a, sow_index b, sow_error *err)
{
    sow_status st = SOW_OK;
    pair_stats p = {0};
    sow_interval i = {NAN, NAN, NAN};
    SOW_TRY(compare_contexts(&p, c, a, b, err));
    sow_rng rng = sow_rng_make(c->config->seed, SOW_RNG_BOOTSTRAP, (uint32_t)a, (uint32_t)b);
    if (p.n > 0) SOW_TRY(sow_bootstrap_mean(&i, p.same, p.n, 0.95, 2000, &rng, err));
    const char *na = sow_names_get(c->screen->contexts, a), *nb = sow_names_get(c->screen->contexts, b);
    json_array_append_new(f->pairs, json_pack("{s:s,s:s,s:I,s:o,s:o,s:o,s:o}", "a", na, "b", nb, "shared", (json_int_t)p.n, "correlation",
                                              sow_i_real_or_null(i.value), "low", sow_i_real_or_null(p.n > 1 ? i.low : (double)NAN), "high",
                                              sow_i_real_or_null(p.n > 1 ? i.high : (double)NAN), "different", sow_i_real_or_null(p.different)));
    if ((a == c->here->target || b == c->here->target) && p.n >= FEWEST_SHARED && isfinite(p.different)) {
        f->lowest = f->judged ? fmin(f->lowest, i.value) : i.value;
        f->highest = f->judged ? fmax(f->highest, i.value) : i.value;
        f->best_low = f->judged ? fmax(f->best_low, i.low - p.different) : i.low - p.different;
        f->most_high = f->judged ? fmax(f->most_high, i.high - p.different) : i.high - p.different;
        f->different += p.different;
        f->judged++;
    }
    if (a == c->here->target || b == c->here->target) f->shared = p.n > f->shared ? p.n : f->shared;
done:
    free(p.same);
    return st;
}

static json_t *effects_json(const sow_campaign *c)
{
    json_t *rows = json_array();
    sow_index contexts = sow_names_count(c->screen->contexts);
    for (sow_index q = 0; q < c->n; q++) {
        json_t *values = json_object();
        sow_index known = 0;
        for (sow_index k = 0; k < contexts; k++) {
            const double *y = response_of(c, q, k);
            json_object_set_new(values, sow_names_get(c->screen->contexts, k), y ? json_real(sow_i_effect(c, q, y)) : json_null());
            known += y != NULL;
        }
        if (known > 1) json_array_append_new(rows, json_pack("{s:s,s:o}", "perturbation", sow_i_name(c, q), "values", values));
        else json_decref(values);
    }
    return rows;
}

/* Helps: the same perturbation agrees more than different ones do, beyond chance. Does not: at best by less than .1. */
static const char *verdict_of(const findings *f)
{
    if (f->judged == 0) return "cannot be told";
    if (f->best_low > 0.02) return "help";
    return f->most_high < 0.15 ? "do not help" : "cannot be told";
}

static char *finding_of(const findings *f, const char *verdict, const char *target)
{
    if (f->judged == 0)
        return sow_format("Whether other contexts help cannot be told yet: %lld perturbation%s measured in %s and elsewhere, %d are needed.",
                          (long long)f->shared, f->shared == 1 ? " is" : "s are", target, FEWEST_SHARED);
    char noise[260] = "";
    int others = f->others_high >= f->others_low;
    if (isfinite(f->inside)) snprintf(noise, sizeof noise, "; halves of the cells of %.60s agree at %.2f", target, f->inside);
    if (isfinite(f->inside) && others)
        snprintf(noise + strlen(noise), sizeof noise - strlen(noise), ", of the others at %.2f to %.2f%s", f->others_low, f->others_high,
                 f->others_high < 0.2 ? ", so that what they show is mostly noise" : "");
    return sow_format("%s: responses to the same perturbation correlate at %.2f to %.2f between %s and the others, those to different ones at %.2f%s.",
                      strcmp(verdict, "help") == 0          ? "Other contexts help"
                      : strcmp(verdict, "do not help") == 0 ? "The other contexts do not help"
                                                            : "Whether other contexts help cannot be told",
                      f->lowest, f->highest, target, f->different / (double)f->judged, noise);
}

sow_status sow_i_contexts_json(json_t **out, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    findings f = {.pairs = json_array(), .within = json_array(), .inside = NAN, .others_low = INFINITY, .others_high = -INFINITY};
    sow_index contexts = sow_names_count(c->screen->contexts);
    *out = NULL;
    if (contexts < 2 || !c->cells || !c->cells->frozen) goto done;
    for (sow_index a = 0; a < contexts; a++) {
        double mean = NAN;
        sow_index count = 0;
        SOW_TRY(within_context(&mean, &count, c, a, err));
        if (a == c->here->target) f.inside = mean;
        else if (isfinite(mean)) {
            f.others_low = fmin(f.others_low, mean);
            f.others_high = fmax(f.others_high, mean);
        }
        json_array_append_new(f.within, json_pack("{s:s,s:o,s:I}", "context", sow_names_get(c->screen->contexts, a), "correlation", sow_i_real_or_null(mean),
                                                  "perturbations", (json_int_t)count));
        for (sow_index b = a + 1; b < contexts; b++)
            SOW_TRY(add_pair(&f, c, a, b, err));
    }
    const char *verdict = verdict_of(&f);
    char *finding = finding_of(&f, verdict, sow_i_target_name(c));
    json_t *names = json_array();
    for (sow_index k = 0; k < contexts; k++)
        json_array_append_new(names, json_string(sow_names_get(c->screen->contexts, k)));
    *out = json_pack("{s:s,s:o,s:O,s:O,s:o,s:s,s:s}", "target", sow_i_target_name(c), "names", names, "pairs", f.pairs, "within", f.within, "effects",
                     effects_json(c), "finding", finding ? finding : "", "verdict", verdict);
    free(finding);
    if (!*out) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
done:
    json_decref(f.pairs);
    json_decref(f.within);
    return st;
}
