/* Principal components from the eigenvectors of the smaller Gram matrix.
 *
 * X is the centred data [m, d]. With d <= m the components are the eigenvectors of X'X; otherwise u is an eigenvector of XX' and
 * the component is X'u / |X'u|. Both give variance lambda / (m - 1). */
#include "core/pca.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/linalg.h"
#include "core/memory.h"

enum { BLOCK_ROWS = 512 };

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

/* Copies the used rows, then takes their mean out. */
static sow_status centred_copy(sow_pca *pca, double **out, sow_index *rows, const double *x, sow_index n, const unsigned char *use,
                               sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index d = pca->dim;
    double *copy = NULL;
    sow_index m = 0;
    for (sow_index i = 0; i < n; i++)
        m += !use || use[i];
    if (m < 2) SOW_FAIL(err, SOW_E_DATA, "principal components need at least 2 rows; %lld can be used", (long long)m);
    SOW_NEW(copy, m * d);
    m = 0;
    for (sow_index i = 0; i < n; i++) {
        if (use && !use[i]) continue;
        if (!row_is_finite(x + i * d, d))
            SOW_FAIL(err, SOW_E_NONFINITE, "row %lld of the data for principal components is not finite", (long long)i);
        memcpy(copy + m * d, x + i * d, (size_t)d * sizeof *copy);
        sow_axpy(d, 1.0, x + i * d, pca->mean);
        m++;
    }
    for (sow_index j = 0; j < d; j++)
        pca->mean[j] /= (double)m;
    for (sow_index i = 0; i < m; i++)
        for (sow_index j = 0; j < d; j++)
            copy[i * d + j] -= pca->mean[j];
    *out = copy;
    *rows = m;
    copy = NULL;
done:
    free(copy);
    return st;
}

/* Largest eigenvalues first, at most k, none below the noise; vectors stay where sow_eigh put them (ascending rows). */
static sow_index kept_components(const double *values, sow_index size, sow_index k, double total)
{
    sow_index kept = 0;
    while (kept < k && kept < size && values[size - 1 - kept] > smallest_share * total && values[size - 1 - kept] > 0)
        kept++;
    return kept;
}

static sow_status components_of(sow_pca *pca, const double *centred, sow_index m, sow_index k, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index d = pca->dim;
    const int by_columns = d <= m;
    const sow_index size = by_columns ? d : m;
    sow_threads *threads = sow_env_threads(env);
    double *gram = NULL, *values = NULL, *vectors = NULL, total = 0;
    SOW_NEW(gram, size * size);
    SOW_NEW(values, size);
    SOW_NEW(vectors, size * size);
    if (by_columns)
        SOW_TRY(sow_gemm(threads, 1, 0, d, d, m, 1.0, centred, d, centred, d, 0.0, gram, d, err));
    else
        SOW_TRY(sow_gemm(threads, 0, 1, m, m, d, 1.0, centred, d, centred, d, 0.0, gram, m, err));
    for (sow_index i = 0; i < size; i++)
        total += gram[i * size + i];
    SOW_TRY(sow_eigh(size, gram, size, values, vectors, size, err));

    pca->n_components = kept_components(values, size, k, total);
    pca->total_variance = total / (double)(m - 1);
    SOW_NEW(pca->components, pca->n_components * d);
    SOW_NEW(pca->variance, pca->n_components);
    for (sow_index c = 0; c < pca->n_components; c++) {
        double *row = pca->components + c * d;
        const double *vector = vectors + (size - 1 - c) * size;
        pca->variance[c] = values[size - 1 - c] / (double)(m - 1);
        if (by_columns)
            memcpy(row, vector, (size_t)d * sizeof *row);
        else
            sow_gemv(1, m, d, 1.0 / sqrt(values[size - 1 - c]), centred, d, vector, 0.0, row);
        make_largest_positive(row, d);
    }
done:
    free(gram);
    free(values);
    free(vectors);
    return st;
}

sow_status sow_pca_fit(sow_pca *out, const double *x, sow_index n, sow_index d, const unsigned char *use, sow_index k,
                       const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_pca pca = {0};
    double *centred = NULL;
    sow_index m = 0;
    memset(out, 0, sizeof *out);
    if (n < 0 || d < 1 || k < 0)
        SOW_FAIL(err, SOW_E_ARG, "principal components of %lld x %lld data with %lld components", (long long)n, (long long)d,
                 (long long)k);
    pca.dim = d;
    SOW_NEW(pca.mean, d);
    SOW_TRY(centred_copy(&pca, &centred, &m, x, n, use, err));
    SOW_TRY(components_of(&pca, centred, m, k, env, err));
    *out = pca;
    memset(&pca, 0, sizeof pca);
done:
    free(centred);
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
