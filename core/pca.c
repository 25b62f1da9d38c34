/* Principal components from the eigenvectors of the smaller Gram matrix.
 *
 * X is the centred data [m, d]. With d <= m the components are the eigenvectors of X'X; otherwise u is an eigenvector of XX' and
 * the component is X'u / |X'u|. Both give variance lambda / (m - 1). Of many eigenvectors the k wanted alone are found
 * (sow_eigh_top). */
#include "core/pca.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/linalg.h"
#include "core/memory.h"

enum { BLOCK_ROWS = 512, GRAM_ROWS = 2048 };

static const double smallest_share = 1e-12; /* of the total variance: below it a component is rounding noise */

static int row_is_finite(const double *x, sow_index d)
{
    for (sow_index j = 0; j < d; j++)
        if (!isfinite(x[j])) return 0;
    return 1;
}

static void make_largest_positive(double *v, sow_index d)
{
    sow_index top = 0;
    for (sow_index j = 1; j < d; j++)
        if (fabs(v[j]) > fabs(v[top])) top = j;
    if (d > 0 && v[top] < 0)
        for (sow_index j = 0; j < d; j++)
            v[j] = -v[j];
}

/* The mean of the used rows, and how many there are. */
static sow_status mean_of_rows(sow_pca *pca, sow_index *rows, const double *x, sow_index n, const unsigned char *use, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index d = pca->dim;
    sow_index m = 0;
    for (sow_index i = 0; i < n; i++) m += !use || use[i];
    if (m < 2) SOW_FAIL(err, SOW_E_DATA, "principal components need at least 2 rows; %lld can be used", (long long)m);
    for (sow_index i = 0; i < n; i++) {
        if (use && !use[i]) continue;
        if (!row_is_finite(x + i * d, d)) SOW_FAIL(err, SOW_E_NONFINITE, "row %lld of the data for principal components is not finite", (long long)i);
        sow_axpy(d, 1.0, x + i * d, pca->mean);
    }
    for (sow_index j = 0; j < d; j++) pca->mean[j] /= (double)m;
    *rows = m;
done:
    return st;
}

/* Up to `most` used rows from row *next on, less the mean; *next is where to go on. Returns how many. */
static sow_index take_centred(double *out, sow_index *next, const sow_pca *pca, const double *x, sow_index n, const unsigned char *use, sow_index most)
{
    const sow_index d = pca->dim;
    sow_index taken = 0;
    for (; *next < n && taken < most; ++*next) {
        if (use && !use[*next]) continue;
        for (sow_index j = 0; j < d; j++) out[taken * d + j] = x[*next * d + j] - pca->mean[j];
        taken++;
    }
    return taken;
}

/* X'X of the used rows less their mean: a block of them at a time, never all copied. */
static sow_status gram_by_columns(double *gram, const sow_pca *pca, sow_index m, const double *x, sow_index n, const unsigned char *use, sow_threads *threads, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index d = pca->dim, most = m < GRAM_ROWS ? m : GRAM_ROWS;
    double *block = NULL;
    SOW_NEW(block, most * d);
    for (sow_index next = 0, rows; (rows = take_centred(block, &next, pca, x, n, use, most)) > 0;) SOW_TRY(sow_gram(threads, 1, d, rows, block, d, 1, gram, d, err));
done:
    free(block);
    return st;
}

/* Of the components' values, descending: those that are above the noise. */
static sow_index kept_components(const double *values, sow_index k, double total)
{
    sow_index kept = 0;
    while (kept < k && values[kept] > smallest_share * total && values[kept] > 0) kept++;
    return kept;
}

/* gram [size, size] of X'X, or of XX' with `centred` X [m, d]. */
static sow_status components_of(sow_pca *pca, double *gram, sow_index size, const double *centred, sow_index m, sow_index k, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index d = pca->dim;
    double *values = NULL, *vectors = NULL, total = 0;
    if (k > size) k = size;
    SOW_NEW(values, k);
    SOW_NEW(vectors, k * size);
    for (sow_index i = 0; i < size; i++) total += gram[i * size + i];
    SOW_TRY(sow_eigh_top(sow_env_threads(env), size, k, gram, values, vectors, err));
    pca->n_components = kept_components(values, k, total);
    pca->total_variance = total / (double)(m - 1);
    SOW_NEW(pca->components, pca->n_components * d);
    SOW_NEW(pca->variance, pca->n_components);
    for (sow_index c = 0; c < pca->n_components; c++) {
        double *row = pca->components + c * d;
        pca->variance[c] = values[c] / (double)(m - 1);
        if (centred) sow_gemv(1, m, d, 1.0 / sqrt(values[c]), centred, d, vectors + c * size, 0.0, row);
        else memcpy(row, vectors + c * size, (size_t)d * sizeof *row);
        make_largest_positive(row, d);
    }
done:
    free(values);
    free(vectors);
    return st;
}

static sow_status fit(sow_pca *pca, const double *x, sow_index n, const unsigned char *use, sow_index k, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index d = pca->dim;
    double *centred = NULL, *gram = NULL;
    sow_index m = 0, next = 0;
    SOW_NEW(pca->mean, d);
    SOW_TRY(mean_of_rows(pca, &m, x, n, use, err));
    const sow_index size = d <= m ? d : m;
    SOW_NEW(gram, size * size);
    if (d <= m) {
        SOW_TRY(gram_by_columns(gram, pca, m, x, n, use, sow_env_threads(env), err));
    } else {
        SOW_NEW(centred, m * d);
        take_centred(centred, &next, pca, x, n, use, m);
        SOW_TRY(sow_gram(sow_env_threads(env), 0, m, d, centred, d, 0, gram, m, err));
    }
    SOW_TRY(components_of(pca, gram, size, centred, m, k, env, err));
done:
    free(centred);
    free(gram);
    return st;
}

sow_status sow_pca_fit(sow_pca *out, const double *x, sow_index n, sow_index d, const unsigned char *use, sow_index k,
                       const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_pca pca = {0};
    memset(out, 0, sizeof *out);
    if (n < 0 || d < 1 || k < 0)
        SOW_FAIL(err, SOW_E_ARG, "principal components of %lld x %lld data with %lld components", (long long)n, (long long)d,
                 (long long)k);
    pca.dim = d;
    SOW_TRY(fit(&pca, x, n, use, k, env, err));
    *out = pca;
    memset(&pca, 0, sizeof pca);
done:
    sow_pca_clear(&pca);
    return st;
}

sow_status sow_pca_transform(const sow_pca *pca, const double *x, sow_index n, const unsigned char *use, double *z,
                             const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index d = pca->dim, k = pca->n_components;
    const sow_index block = n < BLOCK_ROWS ? n : BLOCK_ROWS;
    double *centred = NULL;
    SOW_NEW(centred, block * d);
    for (sow_index first = 0; first < n && k > 0; first += block) {
        const sow_index rows = n - first < block ? n - first : block;
        for (sow_index i = 0; i < rows; i++) {
            const double *row = x + (first + i) * d;
            const int used = !use || use[first + i];
            if (used && !row_is_finite(row, d))
                SOW_FAIL(err, SOW_E_NONFINITE, "row %lld to project is not finite", (long long)(first + i));
            for (sow_index j = 0; j < d; j++)
                centred[i * d + j] = used ? row[j] - pca->mean[j] : 0.0;
        }
        SOW_TRY(sow_gemm(sow_env_threads(env), 0, 1, rows, k, d, 1.0, centred, d, pca->components, d, 0.0, z + first * k, k, err));
    }
done:
    free(centred);
    return st;
}

void sow_pca_clear(sow_pca *pca)
{
    if (!pca) return;
    free(pca->mean);
    free(pca->components);
    free(pca->variance);
    memset(pca, 0, sizeof *pca);
}
