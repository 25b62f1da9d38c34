/* A few of the largest eigenvectors of a large symmetric matrix: block Lanczos with thick restart (Wu & Simon 2000) and full reorthogonalisation.
 *
 * Q holds orthonormal rows, T = Q A Q'. A block x is orthogonalised against Q and appended, A x is the next one; when Q is full it is turned by the eigenvectors of T, the best rows stay, and the block that would have
 * come next goes on from there. A full decomposition reduces all of A to a tridiagonal matrix by products with vectors, 4/3 n^3 of which half wait for memory, on one thread; here everything is a product of
 * matrices. Of a Gram matrix of 2,500 genes 30 vectors at the edge of the noise take five restarts. Where it starts is drawn from a stream of its own: the same bits for any number of threads. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/linalg.h"
#include "core/memory.h"
#include "core/rng.h"

enum {
    LARGE = 512, FEW = 12,       /* rows from which, and share of them (one in) up to which it is worth it */
    BLOCK = 32, BLOCKS = 10,     /* rows of a block; blocks between restarts */
    MOST_RESTARTS = 40           /* then sow_eigh: some fifty times the usual gap would do in half of them */
};
static const double converged = 1e-12; /* residual over the largest value */
static const double nothing_new = 1e-8; /* of a length of 1 */

typedef struct {
    sow_threads *threads;
    const double *a;
    sow_index n, k, most, m; /* m rows of Q now, at most `most` */
    double *q;               /* [most + BLOCK, n] */
    double *t;               /* [most, most] */
    double *ax;              /* [most, n] */
    double *turned;          /* [most, n] */
    double *along;           /* [most, BLOCK], then [most, most] */
    double *values, *vectors; /* [most], [most, most] */
    sow_rng rng;
} krylov;

static void krylov_clear(krylov *s)
{
    free(s->q);
    free(s->t);
    free(s->ax);
    free(s->turned);
    free(s->along);
    free(s->values);
    free(s->vectors);
}

static sow_status krylov_make(krylov *s, sow_error *err)
{
    sow_status st = SOW_OK;
    s->most = 2 * s->k + BLOCKS * BLOCK;
    s->rng = sow_rng_make(0, SOW_RNG_SKETCH, 0, 1);
    SOW_NEW(s->q, (s->most + BLOCK) * s->n);
    SOW_NEW(s->t, s->most * s->most);
    SOW_NEW(s->ax, s->most * s->n);
    SOW_NEW(s->turned, s->most * s->n);
    SOW_NEW(s->along, s->most * s->most);
    SOW_NEW(s->values, s->most);
    SOW_NEW(s->vectors, s->most * s->most);
done:
    return st;
}

static void draw(krylov *s, double *x)
{
    for (sow_index j = 0; j < s->n; j++) x[j] = sow_rng_normal(&s->rng);
}

/* Rows x [rows, n] less their parts along the first m of Q. */
static sow_status less_basis(krylov *s, double *x, sow_index rows, sow_error *err)
{
    sow_status st = SOW_OK;
    if (s->m == 0) return SOW_OK;
    SOW_TRY(sow_product(s->threads, SOW_F64, 0, 1, rows, s->m, s->n, 1, x, s->n, s->q, s->n, 0, s->along, s->m, err));
    SOW_TRY(sow_product(s->threads, SOW_F64, 0, 0, rows, s->n, s->m, -1, s->along, s->m, s->q, s->n, 1, x, s->n, err));
done:
    return st;
}

/* Row i of block x, of length 1 and orthogonal to Q but for rounding, less the rows before it and to length 1 again; one that is nothing new is drawn. */
static sow_status orthonormal_row(krylov *s, double *x, sow_index i, sow_error *err)
{
    sow_status st = SOW_OK;
    double *row = x + i * s->n;
    for (int pass = 0; pass < 12; pass++) {
        if (pass > 0) SOW_TRY(less_basis(s, row, 1, err));
        for (sow_index j = 0; j < i; j++) sow_axpy(s->n, -sow_dot(s->n, x + j * s->n, row), x + j * s->n, row);
        const double left = sqrt(sow_dot(s->n, row, row));
        if (!(left > nothing_new)) {
            draw(s, row);
            continue;
        }
        for (sow_index j = 0; j < s->n; j++) row[j] /= left;
        if (left > 0.5 && left <= 1 + nothing_new) return SOW_OK; /* little was taken away, so little rounding was blown up */
    }
    SOW_FAIL(err, SOW_E_NO_CONVERGE, "no direction of %lld is left beside %lld", (long long)s->n, (long long)(s->m + i));
done:
    return st;
}

/* The block behind Q made orthonormal and taken in; A times it is put behind as the next, and T grows. */
static sow_status append_block(krylov *s, sow_error *err)
{
    sow_status st = SOW_OK;
    double *x = s->q + s->m * s->n;
    for (sow_index i = 0; i < BLOCK; i++) {
        const double length = sqrt(sow_dot(s->n, x + i * s->n, x + i * s->n));
        if (!(length > 0)) draw(s, x + i * s->n);
        for (sow_index j = 0; j < s->n && length > 0; j++) x[i * s->n + j] /= length;
    }
    SOW_TRY(less_basis(s, x, BLOCK, err));
    SOW_TRY(less_basis(s, x, BLOCK, err));
    for (sow_index i = 0; i < BLOCK; i++) SOW_TRY(orthonormal_row(s, x, i, err));
    s->m += BLOCK;
    double *next = x + BLOCK * s->n;
    SOW_TRY(sow_product(s->threads, SOW_F64, 0, 0, BLOCK, s->n, s->n, 1, x, s->n, s->a, s->n, 0, next, s->n, err));
    SOW_TRY(sow_product(s->threads, SOW_F64, 0, 1, BLOCK, s->m, s->n, 1, next, s->n, s->q, s->n, 0, s->along, s->m, err));
    for (sow_index i = 0; i < BLOCK; i++)
        for (sow_index j = 0; j < s->m; j++) s->t[(s->m - BLOCK + i) * s->most + j] = s->t[j * s->most + s->m - BLOCK + i] = s->along[i * s->m + j];
done:
    return st;
}

/* Q turned to the eigenvectors of T, of which `kept` stay, largest first; the block behind follows them. */
static sow_status turn(krylov *s, sow_index kept, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index m = s->m;
    SOW_TRY(less_basis(s, s->q + m * s->n, BLOCK, err)); /* while all of Q is there */
    SOW_TRY(less_basis(s, s->q + m * s->n, BLOCK, err));
    for (sow_index i = 0; i < m; i++) memcpy(s->along + i * m, s->t + i * s->most, (size_t)m * sizeof *s->t);
    SOW_TRY(sow_eigh(m, s->along, m, s->values, s->vectors, m, err));
    for (sow_index i = 0; i < kept; i++) memcpy(s->along + i * m, s->vectors + (m - 1 - i) * m, (size_t)m * sizeof *s->along);
    SOW_TRY(sow_product(s->threads, SOW_F64, 0, 0, kept, s->n, m, 1, s->along, m, s->q, s->n, 0, s->turned, s->n, err));
    memcpy(s->q, s->turned, (size_t)(kept * s->n) * sizeof *s->q);
    memmove(s->q + kept * s->n, s->q + m * s->n, (size_t)(BLOCK * s->n) * sizeof *s->q);
    memset(s->t, 0, (size_t)(s->most * s->most) * sizeof *s->t);
    for (sow_index i = 0; i < kept; i++) s->t[i * s->most + i] = s->values[m - 1 - i];
    s->m = kept;
done:
    return st;
}

/* The first k rows of Q are eigenvectors: by what A makes of them. */
static sow_status judge(int *done_, krylov *s, sow_error *err)
{
    sow_status st = SOW_OK;
    const double largest = s->t[0];
    *done_ = 0;
    SOW_TRY(sow_product(s->threads, SOW_F64, 0, 0, s->k, s->n, s->n, 1, s->q, s->n, s->a, s->n, 0, s->ax, s->n, err));
    for (sow_index i = 0; i < s->k; i++) {
        double left = 0;
        for (sow_index j = 0; j < s->n; j++) {
            const double e = s->ax[i * s->n + j] - s->t[i * s->most + i] * s->q[i * s->n + j];
            left += e * e;
        }
        if (!(sqrt(left) <= converged * largest)) return SOW_OK;
    }
    *done_ = 1;
done:
    return st;
}

static sow_status iterate(int *found, krylov *s, sow_error *err)
{
    sow_status st = SOW_OK;
    *found = 0;
    for (sow_index i = 0; i < BLOCK; i++) draw(s, s->q + i * s->n);
    for (int restart = 0; restart < MOST_RESTARTS && !*found; restart++) {
        while (s->m + BLOCK <= s->most) SOW_TRY(append_block(s, err));
        SOW_TRY(turn(s, 2 * s->k, err));
        SOW_TRY(judge(found, s, err));
    }
done:
    return st;
}

static void largest_entry_positive(double *v, sow_index n)
{
    double largest = 0;
    sow_index at = 0;
    for (sow_index i = 0; i < n; i++) largest = fmax(largest, fabs(v[i]));
    while (at < n - 1 && fabs(v[at]) < largest * (1 - 1e-8)) at++; /* as sow_eigh: the first of those that differ by rounding only */
    for (sow_index i = 0; i < n && v[at] < 0; i++)
        if (i != at) v[i] = -v[i];
    if (v[at] < 0) v[at] = -v[at];
}

static sow_status by_krylov(int *found, sow_threads *threads, sow_index n, sow_index k, const double *a, double *values, double *vectors, sow_error *err)
{
    sow_status st = SOW_OK;
    krylov s = {.threads = threads, .a = a, .n = n, .k = k};
    *found = 0;
    SOW_TRY(krylov_make(&s, err));
    SOW_TRY(iterate(found, &s, err));
    for (sow_index i = 0; i < k && *found; i++) {
        values[i] = s.t[i * s.most + i];
        memcpy(vectors + i * n, s.q + i * n, (size_t)n * sizeof *vectors);
        largest_entry_positive(vectors + i * n, n);
    }
done:
    krylov_clear(&s);
    return st;
}

static sow_status by_all(sow_index n, sow_index k, double *a, double *values, double *vectors, sow_error *err)
{
    sow_status st = SOW_OK;
    double *all = NULL, *every = NULL;
    SOW_NEW(all, n);
    SOW_NEW(every, n * n);
    SOW_TRY(sow_eigh(n, a, n, all, every, n, err));
    for (sow_index i = 0; i < k; i++) {
        values[i] = all[n - 1 - i];
        memcpy(vectors + i * n, every + (n - 1 - i) * n, (size_t)n * sizeof *vectors);
    }
done:
    free(all);
    free(every);
    return st;
}

sow_status sow_eigh_top(sow_threads *threads, sow_index n, sow_index k, double *a, double *values, double *vectors, sow_error *err)
{
    sow_status st = SOW_OK;
    int found = 0;
    if (n < 0 || k < 0 || k > n) SOW_FAIL(err, SOW_E_ARG, "%lld eigenvectors of a matrix of %lld rows", (long long)k, (long long)n);
    for (sow_index i = 0; i < n * n; i++)
        if (!isfinite(a[i])) SOW_FAIL(err, SOW_E_NONFINITE, "entry (%lld, %lld) of the matrix to decompose is %g", (long long)(i / n) + 1, (long long)(i % n) + 1, a[i]);
    if (k == 0) return SOW_OK;
    if (n >= LARGE && k <= n / FEW && 2 * k + (BLOCKS + 1) * BLOCK < n) SOW_TRY(by_krylov(&found, threads, n, k, a, values, vectors, err));
    if (!found) SOW_TRY(by_all(n, k, a, values, vectors, err));
done:
    return st;
}
