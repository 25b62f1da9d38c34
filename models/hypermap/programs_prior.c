/* What priors say of loadings: a ridge of the loadings that are measured on the priors' rows, program by program, its penalty chosen by generalised cross-validation. Along the principal components of the rows a ridge is
 * one number each. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "models/hypermap/programs_internal.h"

enum { FEWEST = 8 }; /* perturbations with a prior and a measurement: fewer teach nothing */

sow_status sow_i_programs_prior_begin(sow_i_programs_work *w, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_programs_data *d = w->d;
    sow_index known = 0;
    unsigned char *use = NULL;
    if (d->prior_dim == 0) return SOW_OK;
    SOW_NEW(use, d->items);
    for (sow_index q = 0; q < d->items; q++) known += use[q] = d->has_prior[q] && w->p->start[q + 1] > w->p->start[q];
    if (known < FEWEST) goto done;
    SOW_TRY(sow_pca_fit(&w->scores_of, d->prior, d->items, d->prior_dim, use, d->prior_dim, env, err));
    SOW_NEW(w->scores, d->items * w->scores_of.n_components);
    SOW_TRY(sow_pca_transform(&w->scores_of, d->prior, d->items, d->has_prior, w->scores, env, err));
    w->p->prior_dim = d->prior_dim;
    SOW_NEW(w->p->prior_mean, d->prior_dim);
    SOW_NEW(w->p->from_prior, d->prior_dim * w->p->rank);
    memcpy(w->p->prior_mean, w->scores_of.mean, (size_t)d->prior_dim * sizeof(double));
done:
    free(use);
    return st;
}

/* Ridge of loadings on scores for program r by generalised cross-validation (Golub, Heath & Wahba 1979): the share kept of each score's slope. sy [components] products of scores and loadings, ss of scores;
 * yy of loadings; n rows. */
static double best_penalty(const double *sy, const double *ss, sow_index components, double yy, double n)
{
    double best = INFINITY, least = INFINITY;
    for (int step = 0; step <= 24 && components > 0; step++) {
        const double penalty = step == 24 ? INFINITY : ss[0] * pow(10, 0.25 * (double)step - 3); /* the last: nothing is kept */
        double left = yy, freedom = 0;
        for (sow_index j = 0; j < components; j++) {
            const double kept = isinf(penalty) ? 0 : ss[j] / (ss[j] + penalty);
            left -= ss[j] > 0 ? (2 * kept - kept * kept) * sy[j] * sy[j] / ss[j] : 0;
            freedom += kept;
        }
        const double score = freedom < n - 1 ? left / ((n - freedom) * (n - freedom)) : INFINITY;
        if (score < least) least = score, best = penalty;
    }
    return best;
}

/* Products of the scores of rows with a prior with the loadings of program r. */
typedef struct {
    double *sy, *ss; /* [components] with the loadings; with themselves */
    double yy, n;
} sums;

static void sum_up(sums *x, const sow_i_programs_work *w, sow_index r)
{
    const sow_programs *p = w->p;
    const sow_index m = w->scores_of.n_components;
    x->yy = x->n = 0;
    memset(x->sy, 0, (size_t)m * sizeof *x->sy);
    memset(x->ss, 0, (size_t)m * sizeof *x->ss);
    for (sow_index q = 0; q < p->items; q++) {
        if (!w->d->has_prior[q] || p->start[q + 1] == p->start[q]) continue;
        const double y = p->loading[q * p->rank + r], *score = w->scores + q * m;
        x->n++;
        x->yy += y * y;
        for (sow_index j = 0; j < m; j++) {
            x->sy[j] += score[j] * y;
            x->ss[j] += score[j] * score[j];
        }
    }
}

/* Of measured items while rounds go on, of all at the end. */
void sow_i_programs_prior_say(const sow_i_programs_work *w, int all)
{
    const sow_programs *p = w->p;
    const sow_programs_data *d = w->d;
    memset(w->said, 0, (size_t)(d->items * p->rank) * sizeof *w->said);
    if (!w->scores) return;
    for (sow_index q = 0; q < d->items; q++)
        for (sow_index i = 0; i < d->prior_dim && d->has_prior[q] && (all || p->start[q + 1] > p->start[q]); i++)
            for (sow_index r = 0; r < p->rank; r++) w->said[q * p->rank + r] += (d->prior[q * d->prior_dim + i] - p->prior_mean[i]) * p->from_prior[i * p->rank + r];
}

sow_status sow_i_programs_prior_learn(sow_i_programs_work *w, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_programs *p = w->p;
    const sow_index m = w->scores_of.n_components, dim = w->d->prior_dim, rank = p->rank;
    sums x = {0};
    if (!w->scores) return SOW_OK;
    SOW_NEW(x.sy, m);
    SOW_NEW(x.ss, m);
    memset(p->from_prior, 0, (size_t)(dim * rank) * sizeof(double));
    for (sow_index r = 0; r < rank; r++) {
        sum_up(&x, w, r);
        const double penalty = best_penalty(x.sy, x.ss, m, x.yy, x.n);
        for (sow_index j = 0; j < m && !isinf(penalty); j++)
            for (sow_index i = 0; i < dim; i++) p->from_prior[i * rank + r] += x.sy[j] / (x.ss[j] + penalty) * w->scores_of.components[j * dim + i];
    }
    sow_i_programs_prior_say(w, 0);
done:
    free(x.sy);
    free(x.ss);
    return st;
}
