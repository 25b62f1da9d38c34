/* Subspace iteration on blocks of rows: x is read as it is and never copied whole. */
#include "core/sketch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/linalg.h"
#include "core/memory.h"
#include "core/rng.h"

enum { SPARE = 8, TURNS = 2, ROWS = 1024 };

typedef struct {
    const float *x;
    sow_index n, d, l;
    double *basis;  /* [l, d] orthonormal rows, or what becomes them */
    double *scores; /* [n, l] */
    double *block;  /* [ROWS, d] */
    double *room;   /* [l, d] */
    sow_threads *threads;
} sketch;

static void load_block(const sketch *s, sow_index first, sow_index rows)
{
    for (sow_index k = 0; k < rows * s->d; k++) s->block[k] = s->x[first * s->d + k];
}

/* scores = x basis^T; room = scores^T x where asked for. */
static sow_status multiply(sketch *s, int back, sow_error *err)
{
    sow_status st = SOW_OK;
    for (sow_index first = 0; first < s->n; first += ROWS) {
        const sow_index rows = s->n - first < ROWS ? s->n - first : ROWS;
        double *scores = &s->scores[first * s->l];
        load_block(s, first, rows);
        SOW_TRY(sow_gemm(s->threads, 0, 1, rows, s->l, s->d, 1, s->block, s->d, s->basis, s->d, 0, scores, s->l, err));
        if (back) SOW_TRY(sow_gemm(s->threads, 1, 0, s->l, s->d, rows, 1, scores, s->l, s->block, s->d, first > 0, s->room, s->d, err));
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

/* Singular vectors within the subspace, and what comes of them. */
static sow_status finish(double *scores, double *directions, double *squares, sow_index *kept, sketch *s, sow_index k, sow_error *err)
{
    sow_status st = SOW_OK;
    double *gram = NULL, *values = NULL;
    const sow_index l = s->l;
    SOW_NEW(gram, l * l);
    SOW_NEW(values, l);
    if (l == 0) goto done;
    SOW_TRY(multiply(s, 0, err));
    SOW_TRY(sow_gemm(s->threads, 1, 0, l, l, s->n, 1, s->scores, l, s->scores, l, 0, gram, l, err));
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

sow_status sow_sketch(double *scores, double *directions, double *squares, sow_index *kept, const float *x, sow_index n, sow_index d, sow_index k, uint64_t seed, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index least = n < d ? n : d, l = k + SPARE < least ? k + SPARE : least;
    sketch s = {.x = x, .n = n, .d = d, .l = l, .threads = sow_env_threads(env)};
    sow_rng rng = sow_rng_make(seed, SOW_RNG_SKETCH, 0, 0);
    *kept = 0;
    SOW_NEW(s.basis, l * d);
    SOW_NEW(s.room, l * d);
    SOW_NEW(s.scores, n * l);
    SOW_NEW(s.block, (n < ROWS ? n : ROWS) * d);
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
    free(s.scores);
    free(s.block);
    return st;
}
