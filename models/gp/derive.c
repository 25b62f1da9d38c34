/* What the process reads from priors beside the priors themselves: scores of kernel principal components (Schoelkopf, Smola & Mueller 1998).
 *
 * Kernels of the given priors: cosine of tf-idf rows (sets), exponential of the distance (a layout of few dimensions), cosine (many dimensions);
 * 0 where an item has no row. Scores of item x: p(x) = W^-1/2 Q' k(landmarks, x) with the leading eigenpairs (W, Q) of the landmarks' kernel matrix.
 * Of all priors' sum: its Gaussian kernel is a product of kernels over priors, so that items must agree in every prior to be alike, and the cut
 * to a few components takes the noise out. Of each SETS prior alone: what pathways have in common.
 * Landmarks are fit rows only, at most so many that the work stays bounded (Williams & Seeger 2001); every other item is only looked up.
 * Eigenpairs by block subspace iteration with a fixed start (Saad 2011, 5.2): the last digits of a late component do not matter here. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/linalg.h"
#include "core/memory.h"
#include "core/rng.h"
#include "models/gp/gp_internal.h"

enum { SET_SCORES = 20, JOINT_SCORES = 60, EXTRA = 20, MULTIPLICATIONS = 10, TILE = 128, FEWEST = 8 };
enum { LANDMARKS_MIN = 512, LANDMARKS_MAX = 2048, LANDMARK_PAIRS = 20000000 };
static const double LAYOUT_LENGTH = 1.0 / 12; /* of the root mean squared distance: a sixth of a layout's standard deviation */

void sow_i_gp_priors_destroy(sow_gp_priors *s)
{
    if (!s) return;
    for (sow_index p = s->n_given; p < s->n_priors; p++) sow_prior_clear(&s->prior[p]);
    free(s->prior);
    free(s->unit);
    free(s->role);
    free(s);
}

/* ---- scales, over fit rows ---- */

static int fits(const sow_prior_set *set, const sow_prior *prior, sow_index i)
{
    return prior->has[i] && (!set->fit_rows || set->fit_rows[i]);
}

/* sqrt(2 * total variance): the root mean squared distance of two rows. */
static sow_status rms_distance(double *out, const sow_prior_set *set, const sow_prior *prior, sow_error *err)
{
    sow_status st = SOW_OK;
    double *mean = NULL, total = 0;
    sow_index n = 0;
    *out = 1.4142135623730951;
    if (prior->kind == SOW_PRIOR_SETS) goto done;
    SOW_NEW(mean, prior->dim);
    for (sow_index i = 0; i < prior->n_items; i++) {
        if (!fits(set, prior, i)) continue;
        n++;
        sow_axpy(prior->dim, 1.0, prior->x + i * prior->dim, mean);
    }
    for (sow_index i = 0; i < prior->n_items && n > 1; i++) {
        if (!fits(set, prior, i)) continue;
        for (sow_index k = 0; k < prior->dim; k++) {
            double e = prior->x[i * prior->dim + k] - mean[k] / (double)n;
            total += e * e;
        }
    }
    *out = total > 0 ? sqrt(2 * total / (double)(n - 1)) : 1.0;
done:
    free(mean);
    return st;
}

/* Squared idf of each set, ln(n / df)^2 over fit rows; 0 for sets of none. */
static sow_status squared_idf(double **out, const sow_prior_set *set, const sow_prior *prior, sow_error *err)
{
    sow_status st = SOW_OK;
    double *w = NULL;
    sow_index n = 0;
    SOW_NEW(w, prior->dim);
    for (sow_index i = 0; i < prior->n_items; i++) {
        if (!fits(set, prior, i)) continue;
        n++;
        for (sow_index k = prior->start[i]; k < prior->start[i + 1]; k++) w[prior->member[k]] += 1;
    }
    for (sow_index g = 0; g < prior->dim; g++) {
        double idf = w[g] > 0 ? log((double)n / w[g]) : 0;
        w[g] = idf * idf;
    }
    *out = w;
    w = NULL;
done:
    free(w);
    return st;
}

/* ---- the kernel that is decomposed ---- */

typedef struct {
    const sow_gp_priors *priors;
    sow_index first, last;   /* given priors summed: first..last-1 */
    double **weight2;        /* [n_given] squared idf, NULL for DENSE */
    sow_items *landmarks;
    sow_index b;             /* components kept */
    double *projection;      /* [landmarks, b] Q W^-1/2 */
    double *scores;          /* [n_items, b] */
    sow_index n_items;
    double *whole;           /* [landmarks, landmarks] while decomposing */
} pca_job;

static sow_status sum_block(const pca_job *job, const sow_index *other, sow_index w, double *k, sow_index ldk, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_items *l = job->landmarks;
    double *dot = NULL, *norm2 = NULL;
    SOW_NEW(dot, l->n * w);
    SOW_NEW(norm2, w);
    for (sow_index i = 0; i < l->n; i++) memset(k + i * ldk, 0, (size_t)w * sizeof *k);
    for (sow_index p = job->first; p < job->last; p++) {
        const sow_prior *prior = l->priors + p;
        int layout = prior->kind == SOW_PRIOR_DENSE && prior->dim <= SOW_LAYOUT_DIM;
        double scale = 1.0 / (LAYOUT_LENGTH * job->priors->unit[p]);
        SOW_TRY(sow_i_items_dot(l, p, other, w, dot, w, norm2, err));
        for (sow_index i = 0; i < l->n; i++) {
            if (!prior->has[l->item[i]]) continue;
            for (sow_index j = 0; j < w; j++) {
                if (!prior->has[other[j]]) continue;
                double r = sow_i_relate(layout ? SOW_RELATION_DISTANCE : SOW_RELATION_COSINE, prior->kind, dot[i * w + j], l->norm2[p][i],
                                        norm2[j]);
                k[i * ldk + j] += layout ? sow_i_shape_value(SOW_SHAPE_EXPONENTIAL, r * scale) : r;
            }
        }
    }
done:
    free(dot);
    free(norm2);
    return st;
}

static sow_status whole_tile(void *user, sow_index tile, sow_error *err)
{
    pca_job *job = user;
    sow_index n = job->landmarks->n, first = tile * TILE, w = n - first < TILE ? n - first : TILE;
    return sum_block(job, job->landmarks->item + first, w, job->whole + first, n, err);
}

/* ---- leading eigenpairs ---- */

/* Orthonormal rows of q [b, n] by Gram-Schmidt, twice over for accuracy; a row that vanishes becomes 0. */
static void orthonormalise(double *q, sow_index b, sow_index n)
{
    for (sow_index i = 0; i < b; i++) {
        double *row = q + i * n, before = sqrt(sow_dot(n, row, row)), norm;
        for (int twice = 0; twice < 2; twice++)
            for (sow_index j = 0; j < i; j++) sow_axpy(n, -sow_dot(n, row, q + j * n), q + j * n, row);
        norm = sqrt(sow_dot(n, row, row));
        for (sow_index j = 0; j < n; j++) row[j] = norm > 1e-10 * before ? row[j] / norm : 0.0;
    }
}

/* The leading b eigenpairs of k [n, n]: values descending, vectors in rows of `vectors` [b, n]. */
static sow_status leading_eigenpairs(double *values, double *vectors, const double *k, sow_index n, sow_index b, const sow_env *env,
                                     sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index m = b + EXTRA < n ? b + EXTRA : n;
    double *q = NULL, *kq = NULL, *small = NULL, *w = NULL, *rotate = NULL;
    sow_rng rng = sow_rng_make(0, SOW_RNG_MODEL, 0, 1);
    SOW_NEW(q, m * n);
    SOW_NEW(kq, m * n);
    SOW_NEW(small, m * m);
    SOW_NEW(w, m);
    SOW_NEW(rotate, m * m);
    for (sow_index i = 0; i < m * n; i++) q[i] = sow_rng_normal(&rng);
    orthonormalise(q, m, n);
    for (int step = 0; step < MULTIPLICATIONS; step++) {
        SOW_TRY(sow_gemm(sow_env_threads(env), 0, 0, m, n, n, 1, q, n, k, n, 0, kq, n, err));
        memcpy(q, kq, (size_t)(m * n) * sizeof *q);
        orthonormalise(q, m, n);
    }
    SOW_TRY(sow_gemm(sow_env_threads(env), 0, 0, m, n, n, 1, q, n, k, n, 0, kq, n, err));
    SOW_TRY(sow_gemm(sow_env_threads(env), 0, 1, m, m, n, 1, q, n, kq, n, 0, small, m, err));
    SOW_TRY(sow_eigh(m, small, m, w, rotate, m, err));
    for (sow_index i = 0; i < b; i++) {
        values[i] = w[m - 1 - i];
        memcpy(small + i * m, rotate + (m - 1 - i) * m, (size_t)m * sizeof *small);
    }
    SOW_TRY(sow_gemm(sow_env_threads(env), 0, 0, b, n, m, 1, small, m, q, n, 0, vectors, n, err));
done:
    free(q);
    free(kq);
    free(small);
    free(w);
    free(rotate);
    return st;
}

static sow_status decompose(pca_job *job, sow_index most, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index n = job->landmarks->n, b = most < n ? most : n;
    double *values = NULL, *vectors = NULL;
    SOW_NEW(job->whole, n * n);
    SOW_NEW(values, b);
    SOW_NEW(vectors, b * n);
    SOW_TRY(sow_parallel_for(sow_env_threads(env), (n + TILE - 1) / TILE, whole_tile, job, err));
    SOW_TRY(leading_eigenpairs(values, vectors, job->whole, n, b, env, err));
    while (b > 1 && !(values[b - 1] > 1e-8 * values[0])) b--;
    SOW_NEW(job->projection, n * b);
    for (sow_index i = 0; i < n; i++)
        for (sow_index c = 0; c < b; c++) job->projection[i * b + c] = vectors[c * n + i] / sqrt(values[c]);
    job->b = values[0] > 0 ? b : 0;
done:
    free(job->whole);
    free(values);
    free(vectors);
    return st;
}

static sow_status project_tile(void *user, sow_index tile, sow_error *err)
{
    sow_status st = SOW_OK;
    pca_job *job = user;
    sow_index n = job->landmarks->n, first = tile * TILE, w = job->n_items - first < TILE ? job->n_items - first : TILE;
    sow_index other[TILE];
    double *k = NULL;
    for (sow_index j = 0; j < w; j++) other[j] = first + j;
    SOW_NEW(k, n * w);
    SOW_TRY(sum_block(job, other, w, k, w, err));
    SOW_TRY(sow_gemm(NULL, 1, 0, w, job->b, n, 1, k, w, job->projection, job->b, 0, job->scores + first * job->b, job->b, err));
done:
    free(k);
    return st;
}

/* ---- derived priors ---- */

static int known(const pca_job *job, sow_index i)
{
    for (sow_index p = job->first; p < job->last; p++)
        if (job->priors->prior[p].has[i]) return 1;
    return 0;
}

static sow_status choose_landmarks(pca_job *job, const sow_prior_set *set, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *item = NULL, n = 0, most = LANDMARK_PAIRS / (set->n_items > 0 ? set->n_items : 1);
    if (most < LANDMARKS_MIN) most = LANDMARKS_MIN;
    if (most > LANDMARKS_MAX) most = LANDMARKS_MAX;
    SOW_NEW(item, set->n_items);
    for (sow_index i = 0; i < set->n_items; i++)
        if (known(job, i) && (!set->fit_rows || set->fit_rows[i])) item[n++] = i;
    sow_index take = n < most ? n : most;
    for (sow_index i = 0; i < take; i++) item[i] = item[i * n / take];
    SOW_TRY(sow_i_items_create(&job->landmarks, set->priors, set->n_priors, (const double *const *)job->weight2, item, take, err));
done:
    free(item);
    return st;
}

/* Take a prior in; sow_i_gp_priors_create has made room for all that can come. */
static void append(sow_gp_priors *s, sow_prior *prior, sow_role role)
{
    s->prior[s->n_priors] = *prior;
    s->unit[s->n_priors] = 1.0;
    s->role[s->n_priors++] = role;
    *prior = (sow_prior){0};
}

sow_status sow_i_gp_priors_append(sow_gp_priors *s, const char *name, sow_role role, const double *x, sow_index dim,
                                  const unsigned char *has, sow_index n_items, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_prior made = {.kind = SOW_PRIOR_DENSE, .n_items = n_items, .dim = dim};
    SOW_NEW(made.x, n_items * dim);
    SOW_NEW(made.has, n_items);
    made.name = sow_strdup(name);
    if (!made.name) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    for (sow_index i = 0; i < n_items; i++) {
        made.has[i] = has[i];
        if (has[i]) memcpy(made.x + i * dim, x + i * dim, (size_t)dim * sizeof *x);
    }
    append(s, &made, role);
done:
    sow_prior_clear(&made);
    return st;
}

/* Append the scores of priors first..last-1 as a DENSE prior; nothing when there are too few rows to speak of. */
static sow_status append_scores(sow_gp_priors *s, const sow_prior_set *set, double **weight2, sow_index first, sow_index last, sow_index most,
                                const char *name, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    pca_job job = {.priors = s, .first = first, .last = last, .weight2 = weight2, .n_items = set->n_items};
    sow_prior made = {.kind = SOW_PRIOR_DENSE, .n_items = set->n_items};
    SOW_TRY(choose_landmarks(&job, set, err));
    if (job.landmarks->n < FEWEST) goto done;
    SOW_TRY(decompose(&job, most, env, err));
    if (job.b == 0) goto done;
    made.dim = job.b;
    SOW_NEW(made.x, set->n_items * job.b);
    SOW_NEW(made.has, set->n_items);
    made.name = sow_strdup(name);
    if (!made.name) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    job.scores = made.x;
    SOW_TRY(sow_parallel_for(sow_env_threads(env), (set->n_items + TILE - 1) / TILE, project_tile, &job, err));
    for (sow_index i = 0; i < set->n_items; i++) made.has[i] = (unsigned char)known(&job, i);
    append(s, &made, SOW_ROLE_SCORES);
done:
    sow_prior_clear(&made);
    free(job.projection);
    sow_i_items_destroy(job.landmarks);
    return st;
}

static sow_status append_all(sow_gp_priors *s, const sow_prior_set *set, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    double **weight2 = NULL;
    char *name = NULL;
    SOW_NEW(weight2, s->n_given);
    for (sow_index p = 0; p < s->n_given; p++)
        if (s->prior[p].kind == SOW_PRIOR_SETS) SOW_TRY(squared_idf(&weight2[p], set, &s->prior[p], err));
    for (sow_index p = 0; p < s->n_given; p++) {
        if (s->prior[p].kind != SOW_PRIOR_SETS) continue;
        free(name);
        name = sow_format("%s, leading components", s->prior[p].name ? s->prior[p].name : "sets");
        if (!name) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
        SOW_TRY(append_scores(s, set, weight2, p, p + 1, SET_SCORES, name, env, err));
    }
    SOW_TRY(append_scores(s, set, weight2, 0, s->n_given, JOINT_SCORES, "all priors together", env, err));
done:
    for (sow_index p = 0; weight2 && p < s->n_given; p++) free(weight2[p]);
    free(weight2);
    free(name);
    return st;
}

sow_status sow_i_gp_priors_create(sow_gp_priors **out, const sow_prior_set *set, int derive, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_gp_priors *s = NULL;
    sow_index n = set ? set->n_priors : 0;
    *out = NULL;
    SOW_NEW(s, 1);
    SOW_NEW(s->prior, 2 * n + 3);
    SOW_NEW(s->unit, 2 * n + 3);
    SOW_NEW(s->role, 2 * n + 3);
    for (sow_index p = 0; p < n; p++) {
        const sow_prior *given = &set->priors[p];
        s->prior[p] = *given;
        s->role[p] = given->kind == SOW_PRIOR_SETS ? SOW_ROLE_SETS : given->dim <= SOW_LAYOUT_DIM ? SOW_ROLE_LAYOUT : SOW_ROLE_DENSE;
        SOW_TRY(rms_distance(&s->unit[p], set, &set->priors[p], err));
        s->n_given = s->n_priors = p + 1;
    }
    if (derive && n > 0) SOW_TRY(append_all(s, set, env, err));
    *out = s;
    s = NULL;
done:
    sow_i_gp_priors_destroy(s);
    return st;
}
