/* Gene programs (programs.h has the equations). */
#include "models/hypermap/programs_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/linalg.h"
#include "core/memory.h"

typedef sow_i_programs_work work;

static const double first_tau = 0.5, least_tau = 0.05; /* sd of an activity around 1 */
static const double smallest_scale = 0.2;                            /* a program whose mean activity is nearer 0 is not scaled by it */
static const double smallest = 1e-12;

void sow_programs_clear(sow_programs *p)
{
    free(p->activity);
    free(p->loading);
    free(p->program);
    free(p->mean);
    free(p->spread);
    free(p->unsure);
    free(p->prior_mean);
    free(p->from_prior);
    free(p->start);
    free(p->of_context);
    *p = (sow_programs){0};
}

static void work_clear(work *w)
{
    free(w->by_item);
    free(w->sorted);
    free(w->gram);
    free(w->along);
    free(w->moment);
    free(w->variance);
    free(w->a);
    free(w->inverse);
    free(w->rhs);
    free(w->numbers);
    free(w->rest);
    free(w->moved);
    free(w->rows);
    sow_i_programs_prior_clear(w);
    free(w->said);
}

/* ---- the start ---- */

static sow_status sort_rows(work *w, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_programs_data *d = w->d;
    sow_programs *p = w->p;
    sow_index *at = NULL;
    SOW_NEW(p->start, d->items + 1);
    SOW_NEW(p->of_context, d->n);
    SOW_NEW(w->by_item, d->n);
    SOW_NEW(at, d->items);
    for (sow_index i = 0; i < d->n; i++) p->start[d->item[i] + 1]++;
    for (sow_index q = 0; q < d->items; q++) {
        w->measured += p->start[q + 1] > 0;
        p->start[q + 1] += p->start[q];
        at[q] = p->start[q];
    }
    for (sow_index i = 0; i < d->n; i++) {
        p->of_context[at[d->item[i]]] = d->context[i];
        w->by_item[at[d->item[i]]++] = i;
    }
done:
    free(at);
    return st;
}

/* An item and the contexts of its rows. */
typedef struct {
    sow_index item, n;
    const sow_index *context;
} pattern;

static int compare_patterns(const void *a, const void *b)
{
    const pattern *x = a, *y = b;
    if (x->n != y->n) return x->n < y->n ? -1 : 1;
    for (sow_index i = 0; i < x->n; i++)
        if (x->context[i] != y->context[i]) return x->context[i] < y->context[i] ? -1 : 1;
    return (x->item > y->item) - (x->item < y->item);
}

/* Measured items, those of the same contexts together. */
static sow_status sort_items(work *w, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_programs *p = w->p;
    pattern *all = NULL;
    sow_index n = 0;
    SOW_NEW(all, w->measured);
    SOW_NEW(w->sorted, w->measured);
    for (sow_index q = 0; q < p->items; q++)
        if (p->start[q + 1] > p->start[q]) all[n++] = (pattern){q, p->start[q + 1] - p->start[q], p->of_context + p->start[q]};
    qsort(all, (size_t)n, sizeof *all, compare_patterns);
    for (sow_index i = 0; i < n; i++) w->sorted[i] = all[i].item;
done:
    free(all);
    return st;
}

/* Means of contexts as they are measured. */
static void first_means(work *w)
{
    const sow_programs_data *d = w->d;
    for (sow_index c = 0; c < d->contexts; c++) {
        double n = 0;
        for (sow_index i = 0; i < d->n; i++) n += d->context[i] == c;
        for (sow_index i = 0; i < d->n; i++)
            for (sow_index j = 0; j < d->k && d->context[i] == c; j++) w->p->mean[c * d->k + j] += d->z[i * d->k + j] / n;
    }
    for (sow_index i = 0; i < d->n; i++)
        for (sow_index j = 0; j < d->k; j++) {
            const double x = d->z[i * d->k + j] - w->p->mean[d->context[i] * d->k + j];
            w->total += x * x / (double)(d->n * d->k);
        }
}

/* Programs and loadings: principal components of the items' means over contexts. */
static sow_status first_programs(work *w, sow_index rank, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_programs_data *d = w->d;
    sow_programs *p = w->p;
    const sow_index k = d->k;
    double *mean = NULL, *score = NULL;
    unsigned char *use = NULL;
    sow_pca pca = {0};
    SOW_NEW(mean, d->items * k);
    SOW_NEW(use, d->items);
    for (sow_index i = 0; i < d->n; i++) {
        const double share = 1 / (double)(p->start[d->item[i] + 1] - p->start[d->item[i]]);
        use[d->item[i]] = 1;
        for (sow_index j = 0; j < k; j++) mean[d->item[i] * k + j] += share * (d->z[i * k + j] - p->mean[d->context[i] * k + j]);
    }
    SOW_TRY(sow_pca_fit(&pca, mean, d->items, k, use, rank, env, err));
    p->rank = pca.n_components;
    if (p->rank < 1) SOW_FAIL(err, SOW_E_DATA, "hypermap: all responses in the other contexts are the same; there is nothing to learn from them");
    SOW_NEW(score, d->items * p->rank);
    SOW_TRY(sow_pca_transform(&pca, mean, d->items, use, score, env, err));
    SOW_NEW(p->program, p->rank * k);
    SOW_NEW(p->loading, d->items * p->rank);
    SOW_NEW(p->spread, p->rank);
    memcpy(p->program, pca.components, (size_t)(p->rank * k) * sizeof *p->program);
    memcpy(p->loading, score, (size_t)(d->items * p->rank) * sizeof *p->loading);
    for (sow_index r = 0; r < p->rank; r++) p->spread[r] = fmax(pca.variance[r], smallest);
done:
    sow_pca_clear(&pca);
    free(mean);
    free(score);
    free(use);
    return st;
}

static sow_status make_room(work *w, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_programs_data *d = w->d;
    sow_programs *p = w->p;
    const sow_index rank = p->rank;
    SOW_NEW(p->activity, d->contexts * rank);
    for (sow_index i = 0; i < d->contexts * rank; i++) p->activity[i] = 1;
    SOW_NEW(p->unsure, rank * rank);
    SOW_NEW(w->gram, rank * rank);
    SOW_NEW(w->along, d->n * rank);
    SOW_NEW(w->moment, d->contexts * rank * rank);
    SOW_NEW(w->variance, rank);
    SOW_NEW(w->a, rank * rank);
    SOW_NEW(w->inverse, rank * rank);
    SOW_NEW(w->rhs, rank);
    SOW_NEW(w->numbers, rank * d->k);
    SOW_NEW(w->rest, d->n * d->k);
    SOW_NEW(w->moved, d->n * rank);
    SOW_NEW(w->said, d->items * rank);
    SOW_NEW(w->rows, d->contexts);
    for (sow_index i = 0; i < d->n; i++) w->rows[d->context[i]]++;
done:
    return st;
}

static void gram_of(double *gram, const sow_programs *p)
{
    for (sow_index r = 0; r < p->rank; r++)
        for (sow_index s = 0; s < p->rank; s++) gram[r * p->rank + s] = sow_dot(p->k, p->program + r * p->k, p->program + s * p->k);
}

/* ---- loadings ---- */

/* Precision of an item's loadings, times the noise, as a Cholesky factor: its contexts' activities against the programs' gram, and the spread. */
static sow_status factor_item(double *a, const sow_programs *p, const double *gram, sow_index item, sow_error *err)
{
    const sow_index rank = p->rank;
    memset(a, 0, (size_t)(rank * rank) * sizeof *a);
    for (sow_index r = 0; r < rank; r++) a[r * rank + r] = p->noise / p->spread[r];
    for (sow_index i = p->start[item]; i < p->start[item + 1]; i++) {
        const double *act = p->activity + p->of_context[i] * rank;
        for (sow_index r = 0; r < rank; r++)
            for (sow_index s = 0; s < rank; s++) a[r * rank + s] += act[r] * act[s] * gram[r * rank + s];
    }
    return sow_cholesky(NULL, rank, a, rank, err);
}

/* Of `rows` rows of context c, what uncertain loadings add to their rest along the programs. */
static void add_unsure(work *w, const double *cov, sow_index c, double rows)
{
    const sow_index rank = w->p->rank;
    const double *act = w->p->activity + c * rank, share = rows / (double)w->d->n;
    for (sow_index r = 0; r < rank; r++)
        for (sow_index s = 0; s < rank; s++) w->p->unsure[r * rank + s] += share * cov[r * rank + s] * act[r] * act[s];
}

/* The loadings of one item; w->inverse is their covariance. */
static void one_item(work *w, sow_index q)
{
    sow_programs *p = w->p;
    const sow_index rank = p->rank;
    double *b = p->loading + q * rank;
    for (sow_index r = 0; r < rank; r++) w->rhs[r] = w->said[q * rank + r] / p->spread[r];
    for (sow_index i = p->start[q]; i < p->start[q + 1]; i++)
        for (sow_index r = 0; r < rank; r++) w->rhs[r] += p->activity[p->of_context[i] * rank + r] * w->along[w->by_item[i] * rank + r] / p->noise;
    sow_gemv(0, rank, rank, 1, w->inverse, rank, w->rhs, 0, b);
    for (sow_index r = 0; r < rank; r++) {
        const double e = b[r] - w->said[q * rank + r];
        w->variance[r] += e * e;
    }
    for (sow_index i = p->start[q]; i < p->start[q + 1]; i++) {
        double *moment = w->moment + p->of_context[i] * rank * rank;
        for (sow_index r = 0; r < rank; r++)
            for (sow_index s = 0; s < rank; s++) moment[r * rank + s] += b[r] * b[s];
    }
}

/* Items w->sorted[first .. last) were measured in the same contexts, so that their loadings have one covariance. */
static sow_status one_pattern(work *w, sow_index first, sow_index last, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_programs *p = w->p;
    const sow_index rank = p->rank, q = w->sorted[first];
    const double items = (double)(last - first);
    SOW_TRY(factor_item(w->a, p, w->gram, q, err));
    SOW_TRY(sow_cholesky_inverse(NULL, rank, w->a, rank, w->inverse, rank, err));
    for (sow_index i = 0; i < rank * rank; i++) w->inverse[i] *= p->noise;
    for (sow_index i = first; i < last; i++) one_item(w, w->sorted[i]);
    for (sow_index r = 0; r < rank; r++) w->variance[r] += items * w->inverse[r * rank + r];
    for (sow_index i = p->start[q]; i < p->start[q + 1]; i++) {
        double *moment = w->moment + p->of_context[i] * rank * rank;
        for (sow_index k = 0; k < rank * rank; k++) moment[k] += items * w->inverse[k];
        add_unsure(w, w->inverse, p->of_context[i], items);
    }
done:
    return st;
}

static int same_pattern(const sow_programs *p, sow_index a, sow_index b)
{
    const sow_index n = p->start[a + 1] - p->start[a];
    return n == p->start[b + 1] - p->start[b] && memcmp(p->of_context + p->start[a], p->of_context + p->start[b], (size_t)n * sizeof *p->of_context) == 0;
}

/* Rows less their context's mean, and these along the programs. */
static sow_status project_rows(work *w, sow_error *err)
{
    const sow_programs_data *d = w->d;
    const sow_programs *p = w->p;
    for (sow_index i = 0; i < d->n; i++)
        for (sow_index j = 0; j < d->k; j++) w->rest[i * d->k + j] = d->z[i * d->k + j] - p->mean[d->context[i] * d->k + j];
    return sow_gemm(w->threads, 0, 1, d->n, p->rank, d->k, 1, w->rest, d->k, p->program, d->k, 0, w->along, p->rank, err);
}

static sow_status expect(work *w, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index rank = w->p->rank;
    SOW_TRY(project_rows(w, err));
    memset(w->moment, 0, (size_t)(w->d->contexts * rank * rank) * sizeof *w->moment);
    memset(w->variance, 0, (size_t)rank * sizeof *w->variance);
    memset(w->p->unsure, 0, (size_t)(rank * rank) * sizeof *w->p->unsure);
    for (sow_index first = 0, last = 0; first < w->measured; first = last) {
        for (last = first + 1; last < w->measured && same_pattern(w->p, w->sorted[first], w->sorted[last]);) last++;
        SOW_TRY(one_pattern(w, first, last, err));
    }
    w->trace = (double)w->d->n * sow_dot(rank * rank, w->p->unsure, w->gram);
done:
    return st;
}

/* ---- what is most likely ---- */

/* Activities of a context: a = (moment o gram + noise / tau^2)^-1 (rhs + noise / tau^2 typical). a [rank] holds rhs before; room [rank, rank]. Returns the activities' variances' sum. */
static sow_status solve_activity(double *a, double *variances, double *room, double *inverse, const sow_programs *p, const double *gram, const double *moment, const double *typical, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index rank = p->rank;
    const double belief = p->noise / (p->tau * p->tau);
    for (sow_index r = 0; r < rank; r++) {
        for (sow_index s = 0; s < rank; s++) room[r * rank + s] = moment[r * rank + s] * gram[r * rank + s];
        room[r * rank + r] += belief;
        a[r] += belief * (typical ? typical[r] : 1);
    }
    SOW_TRY(sow_cholesky(NULL, rank, room, rank, err));
    SOW_TRY(sow_trsm_lower(NULL, 0, rank, 1, room, rank, a, 1, err));
    SOW_TRY(sow_trsm_lower(NULL, 1, rank, 1, room, rank, a, 1, err));
    if (!variances) goto done;
    SOW_TRY(sow_cholesky_inverse(NULL, rank, room, rank, inverse, rank, err));
    for (sow_index r = 0; r < rank; r++) *variances += p->noise * inverse[r * rank + r];
done:
    return st;
}

static sow_status set_activities(work *w, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_programs *p = w->p;
    const sow_programs_data *d = w->d;
    const sow_index rank = p->rank;
    double variances = 0, squares = 0;
    memset(p->activity, 0, (size_t)(d->contexts * rank) * sizeof *p->activity);
    for (sow_index i = 0; i < d->n; i++)
        for (sow_index r = 0; r < rank; r++) p->activity[d->context[i] * rank + r] += p->loading[d->item[i] * rank + r] * w->along[i * rank + r];
    for (sow_index c = 0; c < d->contexts; c++) {
        double *a = p->activity + c * rank;
        SOW_TRY(solve_activity(a, &variances, w->a, w->inverse, p, w->gram, w->moment + c * rank * rank, NULL, err));
        for (sow_index r = 0; r < rank; r++) squares += (a[r] - 1) * (a[r] - 1);
    }
    if (d->contexts > 1) p->tau = fmin(fmax(sqrt((squares + variances) / (double)(d->contexts * rank)), least_tau), SOW_PROGRAMS_MOST_TAU);
done:
    return st;
}

/* Loadings of every program r times up[r], and what goes with them. */
static void rescale(work *w, const double *up)
{
    sow_programs *p = w->p;
    const sow_index rank = p->rank;
    for (sow_index q = 0; q < p->items; q++)
        for (sow_index r = 0; r < rank; r++) {
            p->loading[q * rank + r] *= up[r];
            w->said[q * rank + r] *= up[r];
        }
    for (sow_index c = 0; c < p->contexts; c++)
        for (sow_index r = 0; r < rank; r++)
            for (sow_index s = 0; s < rank; s++) w->moment[(c * rank + r) * rank + s] *= up[r] * up[s];
    for (sow_index r = 0; r < rank; r++) w->variance[r] *= up[r] * up[r];
}

/* Mean activity 1: what a typical context does is in the loadings. */
static void centre_activities(work *w)
{
    sow_programs *p = w->p;
    for (sow_index r = 0; r < p->rank; r++) {
        double mean = 0;
        for (sow_index c = 0; c < p->contexts; c++) mean += p->activity[c * p->rank + r] / (double)p->contexts;
        if (fabs(mean) < smallest_scale) mean = mean < 0 ? -smallest_scale : smallest_scale;
        for (sow_index c = 0; c < p->contexts; c++) p->activity[c * p->rank + r] /= mean;
        w->rhs[r] = mean;
    }
    rescale(w, w->rhs);
}

/* How much every row is moved along the programs, by the loadings' means. */
static void move_rows(work *w)
{
    const sow_programs_data *d = w->d;
    const sow_index rank = w->p->rank;
    for (sow_index i = 0; i < d->n; i++)
        for (sow_index r = 0; r < rank; r++) w->moved[i * rank + r] = w->p->activity[d->context[i] * rank + r] * w->p->loading[d->item[i] * rank + r];
}

/* Programs by least squares on the loadings' moments, then of length 1. */
static sow_status set_programs(work *w, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_programs *p = w->p;
    const sow_programs_data *d = w->d;
    const sow_index rank = p->rank, k = p->k;
    double size = 0;
    memset(w->a, 0, (size_t)(rank * rank) * sizeof *w->a);
    for (sow_index c = 0; c < p->contexts; c++)
        for (sow_index r = 0; r < rank; r++)
            for (sow_index s = 0; s < rank; s++) w->a[r * rank + s] += p->activity[c * rank + r] * p->activity[c * rank + s] * w->moment[(c * rank + r) * rank + s];
    move_rows(w);
    SOW_TRY(sow_gemm(w->threads, 1, 0, rank, k, d->n, 1, w->moved, rank, w->rest, k, 0, w->numbers, k, err)); /* rest is of the means that were */
    for (sow_index r = 0; r < rank; r++) size += w->a[r * rank + r] / (double)rank;
    for (sow_index r = 0; r < rank; r++) w->a[r * rank + r] += 1e-9 * size + smallest;
    SOW_TRY(sow_cholesky(NULL, rank, w->a, rank, err));
    SOW_TRY(sow_trsm_lower(NULL, 0, rank, k, w->a, rank, w->numbers, k, err));
    SOW_TRY(sow_trsm_lower(NULL, 1, rank, k, w->a, rank, w->numbers, k, err));
    for (sow_index r = 0; r < rank; r++) {
        const double length = sqrt(sow_dot(k, w->numbers + r * k, w->numbers + r * k));
        const int moves = length > smallest; /* a program that nothing moves keeps its direction */
        for (sow_index j = 0; j < k && moves; j++) p->program[r * k + j] = w->numbers[r * k + j] / length;
        w->rhs[r] = moves ? length : 1;
    }
    rescale(w, w->rhs);
done:
    return st;
}

/* Means of contexts, and the noise that is left. */
static sow_status set_means(work *w, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_programs *p = w->p;
    const sow_programs_data *d = w->d;
    const sow_index k = p->k;
    double left = w->trace;
    move_rows(w);
    memcpy(w->rest, d->z, (size_t)(d->n * k) * sizeof *w->rest);
    SOW_TRY(sow_gemm(w->threads, 0, 0, d->n, k, p->rank, -1, w->moved, p->rank, p->program, k, 1, w->rest, k, err));
    memset(p->mean, 0, (size_t)(p->contexts * k) * sizeof *p->mean);
    for (sow_index i = 0; i < d->n; i++)
        for (sow_index j = 0; j < k; j++) p->mean[d->context[i] * k + j] += w->rest[i * k + j] / w->rows[d->context[i]];
    for (sow_index i = 0; i < d->n; i++)
        for (sow_index j = 0; j < k; j++) {
            const double e = w->rest[i * k + j] - p->mean[d->context[i] * k + j];
            left += e * e;
        }
    p->noise = fmax(left / (double)(d->n * k), 1e-6 * w->total);
done:
    return st;
}

static sow_status one_round(work *w, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_programs *p = w->p;
    gram_of(w->gram, p);
    SOW_TRY(expect(w, err));
    SOW_TRY(set_activities(w, err));
    centre_activities(w);
    SOW_TRY(set_programs(w, err));
    for (sow_index r = 0; r < p->rank; r++) p->spread[r] = fmax(w->variance[r] / (double)w->measured, 1e-6 * w->total);
    SOW_TRY(set_means(w, err));
    SOW_TRY(sow_i_programs_prior_learn(w, err));
done:
    return st;
}

/* ---- from outside ---- */

static sow_status check(const sow_programs_data *d, sow_index rank, sow_index steps, sow_error *err)
{
    if (d->n < 2 || d->k < 1 || d->contexts < 1 || rank < 1 || steps < 1)
        return SOW_ERROR(err, d->n < 2 ? SOW_E_DATA : SOW_E_ARG, "hypermap: %lld responses of %lld numbers in %lld contexts for %lld programs in %lld steps; at least 2 responses and 1 of the others", (long long)d->n,
                         (long long)d->k, (long long)d->contexts, (long long)rank, (long long)steps);
    return SOW_OK;
}

sow_status sow_programs_fit(sow_programs *out, const sow_programs_data *d, sow_index rank, sow_index steps, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    work w = {.d = d, .p = out, .threads = sow_env_threads(env)};
    *out = (sow_programs){.contexts = d->contexts, .items = d->items, .k = d->k, .tau = first_tau, .steps = steps};
    SOW_TRY(check(d, rank, steps, err));
    SOW_TRY(sort_rows(&w, err));
    SOW_TRY(sort_items(&w, err));
    SOW_NEW(out->mean, d->contexts * d->k);
    first_means(&w);
    SOW_TRY(first_programs(&w, rank, env, err));
    SOW_TRY(make_room(&w, err));
    SOW_TRY(sow_i_programs_prior_begin(&w, env, err));
    out->noise = fmax(0.5 * w.total, smallest);
    for (sow_index s = 0; s < steps; s++) {
        SOW_TRY(sow_progress(env, "learning gene programs", (double)s / (double)steps, err));
        SOW_TRY(one_round(&w, err));
    }
    gram_of(w.gram, out);
    SOW_TRY(expect(&w, err));
    SOW_TRY(sow_i_programs_prior_say_all(&w, err));
    for (sow_index q = 0; q < d->items; q++)
        if (out->start[q + 1] == out->start[q]) memcpy(out->loading + q * out->rank, w.said + q * out->rank, (size_t)out->rank * sizeof(double));
    SOW_TRY(sow_progress(env, "learning gene programs", 1, err));
done:
    work_clear(&w);
    return st;
}

void sow_programs_response(double *out, const sow_programs *p, const double *a, sow_index item)
{
    memset(out, 0, (size_t)p->k * sizeof *out);
    for (sow_index r = 0; r < p->rank; r++) sow_axpy(p->k, a[r] * p->loading[item * p->rank + r], p->program + r * p->k, out);
}

int sow_programs_knows(const sow_programs *p, sow_index item)
{
    if (p->start[item + 1] > p->start[item]) return 1;
    for (sow_index r = 0; r < p->rank; r++)
        if (p->loading[item * p->rank + r] != 0) return 1;
    return 0;
}

sow_status sow_programs_covariance(double *out, const sow_programs *p, const double *a, const double *activity, sow_index item, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index rank = p->rank;
    const double *b = p->loading + item * rank;
    double *gram = NULL, *factor = NULL;
    SOW_NEW(gram, rank * rank);
    SOW_NEW(factor, rank * rank);
    gram_of(gram, p);
    SOW_TRY(factor_item(factor, p, gram, item, err));
    SOW_TRY(sow_cholesky_inverse(NULL, rank, factor, rank, out, rank, err));
    for (sow_index r = 0; r < rank; r++)
        for (sow_index s = 0; s < rank; s++) {
            const double loading = p->noise * out[r * rank + s], act = activity[r * rank + s];
            out[r * rank + s] = act * loading + a[r] * a[s] * loading + b[r] * b[s] * act;
        }
done:
    free(gram);
    free(factor);
    return st;
}

sow_status sow_programs_adapt(double *a, double *covariance, const sow_programs *p, const double *z, const sow_index *item, sow_index n, double shared, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index rank = p->rank;
    const double off = shared / (p->noise + (double)n * shared); /* of the inverse of noise I + shared 1 1' */
    double *gram = NULL, *moment = NULL, *room = NULL, *inverse = NULL, *along = NULL, *typical = NULL, *loadings = NULL, *sum = NULL;
    SOW_NEW(typical, rank);
    SOW_NEW(gram, rank * rank);
    SOW_NEW(moment, rank * rank);
    SOW_NEW(room, rank * rank);
    SOW_NEW(inverse, rank * rank);
    SOW_NEW(along, rank);
    SOW_NEW(loadings, rank);
    SOW_NEW(sum, rank);
    for (sow_index c = 0; c < p->contexts; c++)
        for (sow_index r = 0; r < rank; r++) typical[r] += p->activity[c * rank + r] / (double)p->contexts;
    gram_of(gram, p);
    memset(a, 0, (size_t)rank * sizeof *a);
    for (sow_index i = 0; i < n; i++) {
        const double *b = p->loading + item[i] * rank;
        SOW_TRY(factor_item(room, p, gram, item[i], err));
        SOW_TRY(sow_cholesky_inverse(NULL, rank, room, rank, inverse, rank, err));
        sow_gemv(0, rank, p->k, 1, p->program, p->k, z + i * p->k, 0, along);
        for (sow_index r = 0; r < rank; r++) {
            a[r] += b[r] * along[r];
            loadings[r] += b[r];
            sum[r] += along[r];
            for (sow_index s = 0; s < rank; s++) moment[r * rank + s] += b[r] * b[s] + (1 - off) * p->noise * inverse[r * rank + s];
        }
    }
    for (sow_index r = 0; r < rank; r++) {
        a[r] -= off * loadings[r] * sum[r];
        for (sow_index s = 0; s < rank; s++) moment[r * rank + s] -= off * loadings[r] * loadings[s];
    }
    SOW_TRY(solve_activity(a, NULL, room, inverse, p, gram, moment, typical, err));
    if (covariance) SOW_TRY(sow_cholesky_inverse(NULL, rank, room, rank, covariance, rank, err)); /* room is the factor now */
    for (sow_index i = 0; i < rank * rank && covariance; i++) covariance[i] *= p->noise;
done:
    free(gram);
    free(moment);
    free(room);
    free(inverse);
    free(along);
    free(typical);
    free(loadings);
    free(sum);
    return st;
}
