/* What priors say of loadings: a ridge of the loadings that are measured on the priors' rows, program by program, its penalty chosen by generalised cross-validation. Along the principal components of the rows a ridge is
 * one number each. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/linalg.h"
#include "core/memory.h"
#include "models/hypermap/programs_internal.h"

enum { FEWEST = 8 }; /* perturbations with a prior and a measurement: fewer teach nothing */

void sow_i_programs_prior_clear(sow_i_programs_work *w)
{
    sow_pca_clear(&w->scores_of);
    free(w->known_item);
    free(w->scores);
    free(w->score_square);
    free(w->loadings);
    free(w->coefficient);
}

/* Scores of the items to learn from, one after the other. */
static sow_status take_scores(sow_i_programs_work *w, const unsigned char *use, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_programs_data *d = w->d;
    const sow_index m = w->scores_of.n_components;
    double *rows = NULL;
    SOW_NEW(w->known_item, w->known);
    SOW_NEW(rows, w->known * d->prior_dim);
    for (sow_index q = 0, n = 0; q < d->items; q++) {
        if (!use[q]) continue;
        w->known_item[n] = q;
        memcpy(rows + n++ * d->prior_dim, d->prior + q * d->prior_dim, (size_t)d->prior_dim * sizeof *rows);
    }
    SOW_NEW(w->scores, w->known * m);
    SOW_NEW(w->score_square, m);
    SOW_NEW(w->loadings, w->known * w->p->rank);
    SOW_NEW(w->coefficient, m * w->p->rank);
    SOW_TRY(sow_pca_transform(&w->scores_of, rows, w->known, NULL, w->scores, env, err));
    for (sow_index q = 0; q < w->known; q++)
        for (sow_index j = 0; j < m; j++) w->score_square[j] += w->scores[q * m + j] * w->scores[q * m + j];
done:
    free(rows);
    return st;
}

sow_status sow_i_programs_prior_begin(sow_i_programs_work *w, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_programs_data *d = w->d;
    unsigned char *use = NULL;
    if (d->prior_dim == 0) return SOW_OK;
    SOW_NEW(use, d->items);
    for (sow_index q = 0; q < d->items; q++) w->known += use[q] = d->has_prior[q] && w->p->start[q + 1] > w->p->start[q];
    if (w->known < FEWEST) goto done;
    SOW_TRY(sow_pca_fit(&w->scores_of, d->prior, d->items, d->prior_dim, use, d->prior_dim, env, err));
    SOW_TRY(take_scores(w, use, env, err));
    w->p->prior_dim = d->prior_dim;
    SOW_NEW(w->p->prior_mean, d->prior_dim);
    SOW_NEW(w->p->from_prior, d->prior_dim * w->p->rank);
    memcpy(w->p->prior_mean, w->scores_of.mean, (size_t)d->prior_dim * sizeof(double));
done:
    free(use);
    return st;
}

/* Ridge of loadings on scores for program r by generalised cross-validation (Golub, Heath & Wahba 1979): the share kept of each score's slope. sy [components], one every `stride`, products of scores and loadings, ss of scores;
 * yy of loadings; n rows. */
static double best_penalty(const double *sy, sow_index stride, const double *ss, sow_index components, double yy, double n)
{
    double best = INFINITY, least = INFINITY;
    for (int step = 0; step <= 24 && components > 0; step++) {
        const double penalty = step == 24 ? INFINITY : ss[0] * pow(10, 0.25 * (double)step - 3); /* the last: nothing is kept */
        double left = yy, freedom = 0;
        for (sow_index j = 0; j < components; j++) {
            const double kept = isinf(penalty) ? 0 : ss[j] / (ss[j] + penalty);
            left -= ss[j] > 0 ? (2 * kept - kept * kept) * sy[j * stride] * sy[j * stride] / ss[j] : 0;
            freedom += kept;
        }
        const double score = freedom < n - 1 ? left / ((n - freedom) * (n - freedom)) : INFINITY;
        if (score < least) least = score, best = penalty;
    }
    return best;
}

sow_status sow_i_programs_prior_say_all(sow_i_programs_work *w, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_programs *p = w->p;
    const sow_programs_data *d = w->d;
    double *row = NULL;
    memset(w->said, 0, (size_t)(d->items * p->rank) * sizeof *w->said);
    if (!w->scores) return SOW_OK;
    SOW_NEW(row, d->prior_dim);
    for (sow_index q = 0; q < d->items; q++) {
        for (sow_index i = 0; i < d->prior_dim && d->has_prior[q]; i++) row[i] = d->prior[q * d->prior_dim + i] - p->prior_mean[i];
        if (d->has_prior[q]) sow_gemv(1, d->prior_dim, p->rank, 1, p->from_prior, p->rank, row, 0, w->said + q * p->rank);
    }
done:
    free(row);
    return st;
}

/* What priors say of items with rows. */
static sow_status say(sow_i_programs_work *w, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index m = w->scores_of.n_components, rank = w->p->rank;
    SOW_TRY(sow_gemm(w->threads, 0, 0, w->known, rank, m, 1, w->scores, m, w->coefficient, rank, 0, w->loadings, rank, err));
    for (sow_index q = 0; q < w->known; q++) memcpy(w->said + w->known_item[q] * rank, w->loadings + q * rank, (size_t)rank * sizeof *w->said);
done:
    return st;
}

sow_status sow_i_programs_prior_learn(sow_i_programs_work *w, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_programs *p = w->p;
    const sow_index m = w->scores_of.n_components, dim = w->d->prior_dim, rank = p->rank;
    if (!w->scores || m == 0) return SOW_OK;
    for (sow_index q = 0; q < w->known; q++) memcpy(w->loadings + q * rank, p->loading + w->known_item[q] * rank, (size_t)rank * sizeof *w->loadings);
    SOW_TRY(sow_gemm(w->threads, 1, 0, m, rank, w->known, 1, w->scores, m, w->loadings, rank, 0, w->coefficient, rank, err));
    for (sow_index r = 0; r < rank; r++) {
        double yy = 0;
        for (sow_index q = 0; q < w->known; q++) yy += w->loadings[q * rank + r] * w->loadings[q * rank + r];
        const double penalty = best_penalty(w->coefficient + r, rank, w->score_square, m, yy, (double)w->known);
        for (sow_index j = 0; j < m; j++) w->coefficient[j * rank + r] = isinf(penalty) ? 0 : w->coefficient[j * rank + r] / (w->score_square[j] + penalty);
    }
    SOW_TRY(sow_gemm(w->threads, 1, 0, dim, rank, m, 1, w->scores_of.components, dim, w->coefficient, rank, 0, p->from_prior, rank, err));
    SOW_TRY(say(w, err));
done:
    return st;
}
