/* Subspace iteration: x is read as it is and never copied. */
#include "core/sketch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/linalg.h"
#include "core/memory.h"

enum { SPARE = 8, TURNS = 1, FIRST_TURNS = 2, ROWS = 1024 };

typedef struct {
    const float *x;
    sow_index n, d, l;
    double *basis;  /* [l, d] orthonormal rows, or what becomes them */
    double *room;   /* [l, d] */
    float *single;  /* [l, d] one of the two in the precision of x */
    float *scores;  /* [n, l] */
    sow_threads *threads;
} sketch;

/* scores = x basis^T; room = scores^T x where asked for. In single precision, which the directions that matter bear well: nothing is subtracted here. */
static sow_status multiply(sketch *s, int back, sow_error *err)
{
    sow_status st = SOW_OK;
    for (sow_index k = 0; k < s->l * s->d; k++) s->single[k] = (float)s->basis[k];
    SOW_TRY(sow_gemm_f32(s->threads, 0, 1, s->n, s->l, s->d, 1, s->x, s->d, s->single, s->d, 0, s->scores, s->l, err));
    if (!back) goto done;
    memset(s->room, 0, (size_t)(s->l * s->d) * sizeof *s->room);
    for (sow_index first = 0; first < s->n; first += ROWS) { /* sums over many rows are kept in double precision */
        const sow_index rows = s->n - first < ROWS ? s->n - first : ROWS;
        SOW_TRY(sow_gemm_f32(s->threads, 1, 0, s->l, s->d, rows, 1, &s->scores[first * s->l], s->l, &s->x[first * s->d], s->d, 0, s->single, s->d, err));
        for (sow_index k = 0; k < s->l * s->d; k++) s->room[k] += (double)s->single[k];
    }
done:
    return st;
}

/* Turn by the eigenvectors of gram [l, l] and drop what is nothing beside the largest: basis = diag(scale) vectors basis. values [l] descending on return; s->l shrinks. */
static sow_status turn(sketch *s, double *values, double *gram, const double *from, int normalise, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index l = s->l;
    double *ascending = NULL, *vectors = NULL, *pick = NULL;
    sow_index kept = 0;
    SOW_NEW(ascending, l);
    SOW_NEW(vectors, l * l);
    SOW_NEW(pick, l * l);
    SOW_TRY(sow_eigh(l, gram, l, ascending, vectors, l, err));
    for (sow_index k = l - 1; k >= 0 && ascending[k] > 1e-12 * ascending[l - 1]; k--, kept++) {
        values[kept] = ascending[k];
        for (sow_index j = 0; j < l; j++) pick[kept * l + j] = vectors[k * l + j] / (normalise ? sqrt(ascending[k]) : 1);
    }
    s->l = kept;
    if (kept > 0) SOW_TRY(sow_gemm(s->threads, 0, 0, kept, s->d, l, 1, pick, l, from, s->d, 0, s->basis, s->d, err));
done:
    free(ascending);
    free(vectors);
    free(pick);
    return st;
}

/* Orthonormal rows for those of `room`, into basis. */
static sow_status orthonormalise(sketch *s, sow_error *err)
{
    sow_status st = SOW_OK;
    double *gram = NULL, *values = NULL;
    SOW_NEW(gram, s->l * s->l);
    SOW_NEW(values, s->l);
    for (int again = 0; again < 2 && s->l > 0; again++) { /* once more: of rows that are nearly dependent the first leaves them orthogonal to few digits */
        SOW_TRY(sow_gemm(s->threads, 0, 1, s->l, s->l, s->d, 1, s->room, s->d, s->room, s->d, 0, gram, s->l, err));
        SOW_TRY(turn(s, values, gram, s->room, 1, err));
        memcpy(s->room, s->basis, (size_t)(s->l * s->d) * sizeof *s->room);
    }
done:
    free(gram);
    free(values);
    return st;
}

static void flip_signs(double *directions, sow_index k, sow_index d)
{
    for (sow_index i = 0; i < k; i++) {
        double *row = &directions[i * d];
        sow_index at = 0;
        for (sow_index j = 1; j < d; j++)
            if (fabs(row[j]) > fabs(row[at])) at = j;
        if (row[at] > 0) continue;
        for (sow_index j = 0; j < d; j++) row[j] = -row[j] + 0.0;
    }
}

/* scores^T scores [l, l] */
static void gram_of_scores(double *gram, const sketch *s)
{
    const sow_index l = s->l;
    memset(gram, 0, (size_t)(l * l) * sizeof *gram);
    for (sow_index i = 0; i < s->n; i++)
        for (sow_index a = 0; a < l; a++) {
            const double left = (double)s->scores[i * l + a];
            for (sow_index b = 0; b <= a; b++) gram[a * l + b] += left * (double)s->scores[i * l + b];
        }
    for (sow_index a = 0; a < l; a++)
        for (sow_index b = a + 1; b < l; b++) gram[a * l + b] = gram[b * l + a];
}

/* Singular vectors within the subspace, and what comes of them. */
static sow_status finish(float *scores, double *directions, double *squares, sow_index *kept, sketch *s, sow_index k, sow_error *err)
{
    sow_status st = SOW_OK;
    double *gram = NULL, *values = NULL;
    const sow_index l = s->l;
    SOW_NEW(gram, l * l);
    SOW_NEW(values, l);
    if (l == 0) goto done;
    SOW_TRY(multiply(s, 0, err));
    gram_of_scores(gram, s);
    memcpy(s->room, s->basis, (size_t)(l * s->d) * sizeof *s->room);
    SOW_TRY(turn(s, values, gram, s->room, 0, err));
    s->l = s->l < k ? s->l : k;
    flip_signs(s->basis, s->l, s->d);
    SOW_TRY(multiply(s, 0, err));
    memcpy(scores, s->scores, (size_t)(s->n * s->l) * sizeof *scores);
    memcpy(directions, s->basis, (size_t)(s->l * s->d) * sizeof *directions);
    memcpy(squares, values, (size_t)s->l * sizeof *squares);
done:
    *kept = s->l;
    free(gram);
    free(values);
    return st;
}

sow_status sow_sketch(float *scores, double *directions, double *squares, sow_index *kept, const float *x, sow_index n, sow_index d, sow_index k, uint64_t seed, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index least = n < d ? n : d, l = k + SPARE < least ? k + SPARE : least;
    sketch s = {.x = x, .n = n, .d = d, .l = l, .threads = sow_env_threads(env)};
    sow_rng rng = sow_rng_make(seed, SOW_RNG_SKETCH, 0, 0);
    *kept = 0;
    SOW_NEW(s.basis, l * d);
    SOW_NEW(s.room, l * d);
    SOW_NEW(s.single, l * d);
    SOW_NEW(s.scores, n * l);
    for (sow_index i = 0; i < l * d; i++) s.room[i] = sow_rng_normal(&rng);
    SOW_TRY(orthonormalise(&s, err));
    for (int i = 0; i < TURNS && s.l > 0; i++) {
        SOW_TRY(multiply(&s, 1, err));
        SOW_TRY(orthonormalise(&s, err));
    }
    SOW_TRY(finish(scores, directions, squares, kept, &s, k, err));
done:
    free(s.basis);
    free(s.room);
    free(s.single);
    free(s.scores);
    return st;
}

/* ---- rows that come in parts ---- */

void sow_running_sketch_clear(sow_running_sketch *r)
{
    free(r->basis);
    free(r->sum);
    *r = (sow_running_sketch){0};
}

sow_status sow_running_sketch_init(sow_running_sketch *r, sow_index l, sow_index d, uint64_t seed, sow_error *err)
{
    sow_status st = SOW_OK;
    *r = (sow_running_sketch){.l = l < d ? l : d, .d = d, .rng = sow_rng_make(seed, SOW_RNG_SKETCH, 1, 0)};
    SOW_NEW(r->basis, r->l * d);
    SOW_NEW(r->sum, r->l * d);
done:
    if (st != SOW_OK) sow_running_sketch_clear(r);
    return st;
}

/* Random rows, orthogonal to those above them, where there are fewer than l. */
static void fill_up(sow_running_sketch *r, sow_index from)
{
    for (sow_index i = from; i < r->l; i++) {
        double *row = &r->basis[i * r->d];
        for (sow_index j = 0; j < r->d; j++) row[j] = sow_rng_normal(&r->rng);
        for (int again = 0; again < 2; again++) {
            for (sow_index k = 0; k < i; k++) sow_axpy(r->d, -sow_dot(r->d, row, &r->basis[k * r->d]), &r->basis[k * r->d], row);
            const double norm = sqrt(sow_dot(r->d, row, row));
            for (sow_index j = 0; j < r->d; j++) row[j] /= norm;
        }
    }
}

/* room += x^T x basis^T, and the basis is made of `room`. */
static sow_status turn_running(sow_running_sketch *r, sketch *s, const double *before, sow_error *err)
{
    sow_status st = SOW_OK;
    s->l = r->l;
    memcpy(s->basis, r->basis, (size_t)(r->l * r->d) * sizeof *s->basis);
    SOW_TRY(multiply(s, 1, err));
    if (before) sow_axpy(r->l * r->d, 1, before, s->room);
    if (before) memcpy(r->sum, s->room, (size_t)(r->l * r->d) * sizeof *r->sum);
    SOW_TRY(orthonormalise(s, err));
    memcpy(r->basis, s->basis, (size_t)(s->l * r->d) * sizeof *r->basis);
    fill_up(r, s->l);
done:
    return st;
}

sow_status sow_running_sketch_add(sow_running_sketch *r, const float *x, sow_index n, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sketch s = {.x = x, .n = n, .d = r->d, .l = r->l, .threads = sow_env_threads(env)};
    SOW_NEW(s.basis, r->l * r->d);
    SOW_NEW(s.room, r->l * r->d);
    SOW_NEW(s.single, r->l * r->d);
    SOW_NEW(s.scores, n * r->l);
    if (!r->parts++) {
        fill_up(r, 0);
        for (int k = 0; k < FIRST_TURNS; k++) SOW_TRY(turn_running(r, &s, NULL, err)); /* the first part is all that is known */
    }
    SOW_TRY(turn_running(r, &s, r->sum, err));
done:
    free(s.basis);
    free(s.room);
    free(s.single);
    free(s.scores);
    return st;
}

sow_status sow_running_sketch_scores(float *scores, const sow_running_sketch *r, const float *x, sow_index n, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    float *single = NULL;
    SOW_NEW(single, r->l * r->d);
    for (sow_index k = 0; k < r->l * r->d; k++) single[k] = (float)r->basis[k];
    SOW_TRY(sow_gemm_f32(sow_env_threads(env), 0, 1, n, r->l, r->d, 1, x, r->d, single, r->d, 0, scores, r->l, err));
done:
    free(single);
    return st;
}
