/* Agreement of parts: each part's response against its own controls, then the mean of Pearson's correlation over pairs of parts. Controls of the same part
 * matter: a difference between two parts' baselines would enter both responses with opposite signs (docs/math/cells.md shows it on real replicates). */
#include "core/consistency.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/stats.h"

typedef struct {
    const sow_preparation *p;
    const sow_cells *cells;
    const sow_env *env;
    sow_index *chosen;   /* [max(n, m)] scratch */
    double *control;     /* [d] */
    double *responses;   /* [parts][kept], one after another */
    unsigned char *left_out; /* [d] */
    sow_index parts, capacity, kept;
} work;

static sow_status work_init(work *w, const sow_index *own, sow_index n_own, sow_index most_cells, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(w->chosen, most_cells);
    SOW_NEW(w->control, w->p->d);
    SOW_NEW(w->left_out, w->p->d);
    w->kept = w->p->d;
    for (sow_index i = 0; i < n_own; i++) {
        if (own[i] < 0 || own[i] >= w->p->d || w->left_out[own[i]]) continue;
        w->left_out[own[i]] = 1;
        w->kept--;
    }
done:
    return st;
}

static void work_clear(work *w)
{
    free(w->chosen);
    free(w->control);
    free(w->left_out);
    free(w->responses);
}

/* Positions whose part is `wanted` into w->chosen; all of them when `part` is NULL. */
static sow_index choose(work *w, const sow_index *cell, const int32_t *part, sow_index n, int32_t wanted)
{
    sow_index count = 0;
    for (sow_index i = 0; i < n; i++)
        if (!part || part[i] == wanted) w->chosen[count++] = cell[i];
    return count;
}

static sow_status mean_of_chosen(double *mean, const work *w, sow_index n, sow_error *err)
{
    return sow_prepared_mean(mean, NULL, w->p, w->cells, w->chosen, n, w->env, err);
}

/* The response of w->chosen against w->control, without the genes left out, after the responses so far. */
static sow_status add_response(work *w, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    double *mean = NULL;
    SOW_NEW(mean, w->p->d);
    SOW_TRY(sow_grow(&w->responses, &w->capacity, (w->parts + 1) * w->kept + 1, sizeof *w->responses, err));
    SOW_TRY(mean_of_chosen(mean, w, n, err));
    double *to = w->responses + w->parts * w->kept;
    for (sow_index j = 0; j < w->p->d; j++)
        if (!w->left_out[j]) *to++ = mean[j] - w->control[j];
    w->parts++;
done:
    free(mean);
    return st;
}

static int32_t largest_label(const int32_t *part, sow_index n)
{
    int32_t largest = -1;
    for (sow_index i = 0; i < n; i++) largest = part[i] > largest ? part[i] : largest;
    return largest;
}

static double mean_correlation(const work *w)
{
    double sum = 0;
    sow_index pairs = 0;
    for (sow_index a = 1; a < w->parts; a++)
        for (sow_index b = 0; b < a; b++) {
            const double r = sow_pearson(w->responses + a * w->kept, w->responses + b * w->kept, w->kept);
            if (isnan(r)) continue;
            sum += r;
            pairs++;
        }
    return pairs ? sum / (double)pairs : NAN;
}

/* Labels are few (replicates, guides of one target among all guides); those that no cell of the perturbation has cost one look at `has`. */
static sow_status compare_parts(sow_consistency *out, work *w, const sow_index *cell, const int32_t *part, sow_index n, const sow_index *control,
                                const int32_t *part_of_control, sow_index m, sow_index min_cells, sow_error *err)
{
    sow_index *has = NULL;
    sow_status st = SOW_OK;
    const int32_t labels = largest_label(part, n) + 1;
    SOW_NEW(has, labels);
    for (sow_index i = 0; i < n; i++)
        if (part[i] >= 0) has[part[i]]++;
    if (!part_of_control && m > 0) SOW_TRY(mean_of_chosen(w->control, w, choose(w, control, NULL, m, 0), err));
    for (int32_t label = 0; label < labels && m > 0; label++) {
        if (has[label] == 0 || has[label] < min_cells) continue;
        const sow_index own_controls = part_of_control ? choose(w, control, part_of_control, m, label) : 0;
        if (part_of_control && own_controls == 0) continue;
        if (part_of_control) SOW_TRY(mean_of_chosen(w->control, w, own_controls, err));
        SOW_TRY(add_response(w, choose(w, cell, part, n, label), err));
    }
    *out = (sow_consistency){w->parts, mean_correlation(w)};
done:
    free(has);
    return st;
}

sow_status sow_consistency_of(sow_consistency *out, const sow_preparation *p, const sow_cells *cells, const sow_index *cell, const int32_t *part, sow_index n,
                              const sow_index *control, const int32_t *part_of_control, sow_index m, const sow_index *own, sow_index n_own,
                              sow_index min_cells, const sow_env *env, sow_error *err)
{
    work w = {.p = p, .cells = cells, .env = env};
    sow_status st = SOW_OK;
    *out = (sow_consistency){0, NAN};
    if (n < 0 || m < 0 || n_own < 0)
        SOW_FAIL(err, SOW_E_ARG, "consistency of %lld cells against %lld controls without %lld genes: none may be negative", (long long)n, (long long)m,
                 (long long)n_own);
    SOW_TRY(work_init(&w, own, n_own, n > m ? n : m, err));
    SOW_TRY(compare_parts(out, &w, cell, part, n, control, part_of_control, m, min_cells, err));
done:
    work_clear(&w);
    return st;
}
