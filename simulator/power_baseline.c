/* Shares and negative-binomial sizes from cells.
 *
 * Counts y_i of a gene in cells with totals L_i: share p = sum y / sum L; dispersion f = 1 / size by moments, given the totals: with m_i = p L_i
 *   f^ = (sum (y_i - m_i)^2 n / (n - 1) - sum m_i) / sum m_i^2,
 * whose variance under the model is sum Var((y_i - m_i)^2) / (sum m_i^2)^2. Genes of like share give a common f0 (their mean) and how much true dispersions differ among them (t^2, what is left of
 * the squared deviations from f0 less the sampling variance); the gene's own estimate and f0 are averaged by t^2 and its sampling variance, as in empirical Bayes. */
#include <math.h>
#include <stdlib.h>

#include "core/memory.h"
#include "core/stats.h"
#include "simulator/power.h"

enum { FEWEST_CELLS = 20, WINDOW = 101, NODES = 16 };
static const double LEAST_DISPERSION = 1e-4;

typedef struct {
    sow_index n, n_genes;
    double *total;                 /* [n] counts of a cell */
    double *sum, *square, *cross;  /* [n_genes] of y, y^2 and y L */
    double all, all_square;        /* of L and L^2 */
    double node[NODES];            /* quantiles of L */
    sow_index n_kept, *gene;       /* [n_kept] genes with counts */
    sow_index *order;              /* [n_kept] by share, descending: positions in gene */
    double *share, *log_share, *raw, *below; /* [n_kept] p, log p, f^ and its denominator */
} moments;

static void moments_clear(moments *m)
{
    free(m->total);
    free(m->sum);
    free(m->square);
    free(m->cross);
    free(m->gene);
    free(m->order);
    free(m->share);
    free(m->raw);
    free(m->log_share);
    free(m->below);
}

static sow_status add_cell(moments *m, sow_index i, const sow_cells *t, sow_index cell, sow_error *err)
{
    const int32_t k = t->in_matrix[cell];
    const sow_cell_matrix *x = &t->matrix[k];
    const int64_t from = x->start[t->row[cell]], to = x->start[t->row[cell] + 1];
    double total = 0;
    if (t->is_log[k]) return SOW_ERROR(err, SOW_E_DATA, "means and dispersions are of counts, and these cells' values are declared log1p; give the file with raw counts");
    for (int64_t e = from; e < to; e++) {
        if (x->value[e] < 0 || x->value[e] != floorf(x->value[e])) return SOW_ERROR(err, SOW_E_DATA, "means and dispersions are of counts, and a control cell has a value of %g", (double)x->value[e]);
        total += (double)x->value[e];
    }
    m->total[i] = total;
    for (int64_t e = from; e < to; e++) {
        const int32_t g = t->gene_of[k][x->gene[e]];
        if (g < 0) continue;
        const double y = (double)x->value[e];
        m->sum[g] += y;
        m->square[g] += y * y;
        m->cross[g] += y * total;
    }
    m->all += total;
    m->all_square += total * total;
    return SOW_OK;
}

static sow_status read_cells(moments *m, const sow_cells *t, const sow_index *cell, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    m->n = n;
    m->n_genes = sow_names_count(t->genes);
    SOW_NEW(m->total, n);
    SOW_NEW(m->sum, m->n_genes);
    SOW_NEW(m->square, m->n_genes);
    SOW_NEW(m->cross, m->n_genes);
    for (sow_index i = 0; i < n; i++) SOW_TRY(add_cell(m, i, t, cell[i], err));
    if (!(m->all > 0)) SOW_FAIL(err, SOW_E_DATA, "the %lld control cells have no counts", (long long)n);
    for (int i = 0; i < NODES; i++) SOW_TRY(sow_quantile(&m->node[i], m->total, n, (i + 0.5) / NODES, err));
done:
    return st;
}

/* Variance of f^ under the model with dispersion f: fourth cumulant and twice the squared variance of a count, over cells by quantiles of their totals. */
static double sampling_variance(const moments *m, sow_index k, double f)
{
    double sum = 0;
    for (int i = 0; i < NODES; i++) {
        const double mean = m->share[k] * m->node[i], var = mean + f * mean * mean;
        sum += var * (1 + 6 * f * var) + 2 * var * var;
    }
    return sum / NODES * (double)m->n / (m->below[k] * m->below[k]);
}

static sow_status find_moments(moments *m, sow_error *err)
{
    sow_status st = SOW_OK;
    const double unbiased = (double)m->n / (double)(m->n - 1);
    SOW_NEW(m->gene, m->n_genes);
    for (sow_index g = 0; g < m->n_genes; g++)
        if (m->sum[g] > 0) m->gene[m->n_kept++] = g;
    SOW_NEW(m->share, m->n_kept);
    SOW_NEW(m->raw, m->n_kept);
    SOW_NEW(m->log_share, m->n_kept);
    SOW_NEW(m->below, m->n_kept);
    SOW_NEW(m->order, m->n_kept);
    for (sow_index k = 0; k < m->n_kept; k++) {
        const sow_index g = m->gene[k];
        const double p = m->sum[g] / m->all, left = m->square[g] - 2 * p * m->cross[g] + p * p * m->all_square;
        m->share[k] = p;
        m->log_share[k] = log(p);
        m->below[k] = p * p * m->all_square;
        m->raw[k] = (left * unbiased - m->sum[g]) / m->below[k];
    }
    SOW_TRY(sow_order_descending(m->order, m->log_share, NULL, m->n_kept, err));
done:
    return st;
}

/* The gene at rank i among those around it. */
static double shrunk(const moments *m, sow_index i)
{
    const sow_index first = i > WINDOW / 2 ? (i + WINDOW / 2 < m->n_kept ? i - WINDOW / 2 : m->n_kept > WINDOW ? m->n_kept - WINDOW : 0) : 0;
    const sow_index last = first + WINDOW < m->n_kept ? first + WINDOW : m->n_kept;
    double sum = 0, weights = 0, excess = 0;
    for (sow_index k = first; k < last; k++) sum += m->raw[m->order[k]];
    const double common = fmax(sum / (double)(last - first), LEAST_DISPERSION);
    for (sow_index k = first; k < last; k++) {
        const double v = sampling_variance(m, m->order[k], common), d = m->raw[m->order[k]] - common;
        weights += 1 / (v * v);
        excess += (d * d - v) / (v * v);
    }
    const double own = sampling_variance(m, m->order[i], common), true_variance = fmax(excess / weights, 0);
    return fmax((true_variance * m->raw[m->order[i]] + own * common) / (true_variance + own), LEAST_DISPERSION);
}

sow_status sow_baseline_estimate(sow_baseline *out, const sow_cells *cells, const sow_index *cell, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    moments m = {0};
    double *dispersion = NULL;
    *out = (sow_baseline){0};
    if (n < FEWEST_CELLS) SOW_FAIL(err, SOW_E_DATA, "means and dispersions need at least %d control cells, and there are %lld", FEWEST_CELLS, (long long)n);
    SOW_TRY(read_cells(&m, cells, cell, n, err));
    SOW_TRY(find_moments(&m, err));
    SOW_NEW(dispersion, m.n_kept);
    for (sow_index i = 0; i < m.n_kept; i++) dispersion[m.order[i]] = shrunk(&m, i);
    SOW_TRY(sow_baseline_init(out, m.n_kept, err));
    for (sow_index k = 0; k < m.n_kept; k++) {
        out->share[k] = m.share[k];
        out->size[k] = 1 / dispersion[k];
        SOW_TRY(sow_names_add(out->genes, sow_names_get(cells->genes, m.gene[k]), NULL, err));
    }
    out->n_cells = n;
    out->umis = m.all / (double)n;
    out->library_cv = sqrt(sow_variance(m.total, n)) / out->umis;
done:
    if (st != SOW_OK) sow_baseline_clear(out);
    free(dispersion);
    moments_clear(&m);
    return st;
}
