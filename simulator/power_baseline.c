/* Shares and negative-binomial sizes from cells.
 *
 * Counts y_i of a gene in cells with totals L_i: share p = sum y / sum L. The dispersion f = 1 / size is found by Bayes on NODES values of log f:
 *   likelihood  sum_i log Gamma(y_i + 1/f) / Gamma(1/f) + y_i log(f m_i) - (y_i + 1/f) log(1 + f m_i), m_i = p L_i, less 1/2 log sum_i m_i / (1 + f m_i) for p having been estimated (Cox & Reid 1987);
 *   prior       the distribution of log f among the WINDOW genes of nearest share, which makes their counts most likely: EM on the nodes, smoothed by 1/4 1/2 1/4 after each step (EMS; Silverman 1990).
 * The estimate is the posterior's median. Dispersions of genes of like expression differ by factors of ten and their distribution has a long upper tail: shrinking to a mean would put most genes too high.
 *
 * Cells are put in BINS classes of like totals and counts from EXACT on in classes an eighth of an octave wide, so that a gene is BINS sums and LEVELS counts however many cells there are. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/stats.h"
#include "simulator/power.h"

enum { WINDOW = 101, NODES = 71, STEPS = 40, BINS = 64, EXACT = 16, OCTAVES = 16, LEVELS = EXACT + 8 * OCTAVES };
static const double FIRST_NODE = -9.21034, NODE_STEP = 0.2; /* dispersions of 1e-4 to 120 */

typedef struct {
    sow_index n, n_genes;
    double *total;                   /* [n] counts of a cell */
    sow_index *bin;                  /* [n] its class */
    double bin_cells[BINS], bin_total[BINS];
    double level_count[LEVELS], level_sum[LEVELS]; /* of all genes */
    double *sum;                     /* [n_genes, BINS] counts */
    uint32_t *level;                 /* [n_genes, LEVELS] cells */
    double all;                      /* sum of L */
    sow_index n_kept, *gene;         /* [n_kept] genes with counts */
    sow_index *order;                /* [n_kept] by share, descending: positions in gene */
    double *share, *log_share;       /* [n_kept] */
    double *like;                    /* [n_kept, NODES] in that order: likelihoods, the largest 1 */
} tally;

static void tally_clear(tally *m)
{
    free(m->total);
    free(m->bin);
    free(m->sum);
    free(m->level);
    free(m->gene);
    free(m->order);
    free(m->share);
    free(m->log_share);
    free(m->like);
}

static double dispersion_at(double node)
{
    return exp(FIRST_NODE + node * NODE_STEP);
}

/* ---- reading ---- */

static sow_status total_of(double *total, const sow_cells *t, sow_index cell, sow_error *err)
{
    const int32_t k = t->in_matrix[cell];
    const sow_cell_matrix *x = &t->matrix[k];
    *total = 0;
    if (t->is_log[k]) return SOW_ERROR(err, SOW_E_DATA, "means and dispersions are of counts, and these cells' values are declared log1p; give the file with raw counts");
    for (int64_t e = x->start[t->row[cell]]; e < x->start[t->row[cell] + 1]; e++) {
        if (x->value[e] < 0 || x->value[e] != floorf(x->value[e])) return SOW_ERROR(err, SOW_E_DATA, "means and dispersions are of counts, and a control cell has a value of %g", (double)x->value[e]);
        *total += (double)x->value[e];
    }
    return SOW_OK;
}

static sow_status read_totals(tally *m, const sow_cells *t, const sow_index *cell, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *order = NULL;
    m->n = n;
    SOW_NEW(m->total, n);
    SOW_NEW(m->bin, n);
    SOW_NEW(order, n);
    for (sow_index i = 0; i < n; i++) {
        SOW_TRY(total_of(&m->total[i], t, cell[i], err));
        m->all += m->total[i];
    }
    if (!(m->all > 0)) SOW_FAIL(err, SOW_E_DATA, "the %lld control cells have no counts", (long long)n);
    SOW_TRY(sow_order_descending(order, m->total, NULL, n, err));
    for (sow_index r = 0; r < n; r++) {
        const sow_index b = r * BINS / n;
        m->bin[order[r]] = b;
        m->bin_cells[b] += 1;
        m->bin_total[b] += m->total[order[r]];
    }
done:
    free(order);
    return st;
}

static int level_of(double y)
{
    if (y < EXACT) return (int)y;
    return y < ldexp(EXACT, OCTAVES) ? EXACT + (int)(8 * log2(y / EXACT)) : LEVELS - 1;
}

static sow_status read_counts(tally *m, const sow_cells *t, const sow_index *cell, sow_error *err)
{
    sow_status st = SOW_OK;
    m->n_genes = sow_names_count(t->genes);
    SOW_NEW(m->sum, m->n_genes * BINS);
    SOW_NEW(m->level, m->n_genes * LEVELS);
    for (sow_index i = 0; i < m->n; i++) {
        const int32_t k = t->in_matrix[cell[i]];
        const sow_cell_matrix *x = &t->matrix[k];
        for (int64_t e = x->start[t->row[cell[i]]]; e < x->start[t->row[cell[i]] + 1]; e++) {
            const int32_t g = t->gene_of[k][x->gene[e]];
            const double y = (double)x->value[e];
            const int level = level_of(y);
            if (g < 0 || level == 0) continue;
            m->sum[g * BINS + m->bin[i]] += y;
            m->level[g * LEVELS + level]++;
            m->level_count[level] += 1;
            m->level_sum[level] += y;
        }
    }
done:
    return st;
}

static sow_status find_shares(tally *m, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(m->gene, m->n_genes);
    SOW_NEW(m->share, m->n_genes);
    SOW_NEW(m->log_share, m->n_genes);
    for (sow_index g = 0; g < m->n_genes; g++) {
        double counts = 0;
        for (int b = 0; b < BINS; b++)
            counts += m->sum[g * BINS + b];
        if (counts == 0) continue;
        m->gene[m->n_kept] = g;
        m->share[m->n_kept] = counts / m->all;
        m->log_share[m->n_kept++] = log(counts / m->all);
    }
    SOW_NEW(m->order, m->n_kept);
    SOW_TRY(sow_order_descending(m->order, m->log_share, NULL, m->n_kept, err));
done:
    return st;
}

/* ---- likelihood ---- */

/* log Gamma(y + 1/f) / Gamma(1/f) + y log f at the mean count of each class, [LEVELS, NODES]. */
static void fill_rising(double *rising, const tally *m)
{
    int sign;
    for (int l = 0; l < LEVELS; l++)
        for (int j = 0; j < NODES; j++) {
            const double f = dispersion_at(j), y = m->level_count[l] > 0 ? m->level_sum[l] / m->level_count[l] : 0;
            rising[l * NODES + j] = lgamma_r(y + 1 / f, &sign) - lgamma_r(1 / f, &sign) + y * log(f);
        }
}

static void likelihood_of(double *like, const tally *m, sow_index k, const double *rising)
{
    const sow_index g = m->gene[k];
    const uint32_t *level = m->level + g * LEVELS;
    double most = -INFINITY;
    for (int j = 0; j < NODES; j++) {
        const double f = dispersion_at(j);
        double sum = 0, known = 0;
        for (int b = 0; b < BINS; b++) {
            if (m->bin_total[b] == 0) continue; /* cells without counts say nothing */
            const double mean = m->share[k] * m->bin_total[b] / m->bin_cells[b];
            sum -= (m->sum[g * BINS + b] + m->bin_cells[b] / f) * log1p(f * mean);
            known += m->bin_cells[b] * mean / (1 + f * mean);
        }
        for (int l = 1; l < LEVELS; l++)
            if (level[l] > 0) sum += level[l] * rising[l * NODES + j];
        like[j] = sum - 0.5 * log(known);
        most = fmax(most, like[j]);
    }
    for (int j = 0; j < NODES; j++)
        like[j] = exp(like[j] - most);
}

static sow_status find_likelihoods(tally *m, sow_error *err)
{
    sow_status st = SOW_OK;
    double *rising = NULL;
    SOW_NEW(rising, LEVELS * NODES);
    SOW_NEW(m->like, m->n_kept * NODES);
    fill_rising(rising, m);
    for (sow_index i = 0; i < m->n_kept; i++)
        likelihood_of(m->like + i * NODES, m, m->order[i], rising);
done:
    free(rising);
    return st;
}

/* ---- what genes of like expression are like ---- */

static void window_of(sow_index *first, sow_index *last, sow_index i, sow_index n)
{
    *first = i < WINDOW / 2 || n <= WINDOW ? 0 : i + WINDOW / 2 < n ? i - WINDOW / 2 : n - WINDOW;
    *last = *first + WINDOW < n ? *first + WINDOW : n;
}

static void posterior_of(double *out, const double *like, const double *prior)
{
    double sum = 0;
    for (int j = 0; j < NODES; j++)
        sum += out[j] = like[j] * prior[j];
    for (int j = 0; j < NODES; j++)
        out[j] /= sum;
}

/* From the posteriors of the window's genes, `sum` [NODES]. */
static void smooth(double *prior, const double *sum)
{
    double all = 0;
    for (int j = 0; j < NODES; j++)
        all += prior[j] = fmax(0.5 * sum[j] + 0.25 * sum[j > 0 ? j - 1 : 0] + 0.25 * sum[j + 1 < NODES ? j + 1 : j], 1e-12);
    for (int j = 0; j < NODES; j++)
        prior[j] /= all;
}

/* `before` [n_kept + 1, NODES]: sums of posteriors over all genes before one. */
static void improve(double *prior, double *before, const tally *m)
{
    for (sow_index i = 0; i < m->n_kept; i++) {
        double *next = before + (i + 1) * NODES;
        posterior_of(next, m->like + i * NODES, prior + i * NODES);
        for (int j = 0; j < NODES; j++)
            next[j] += next[j - NODES];
    }
    for (sow_index i = 0; i < m->n_kept; i++) {
        sow_index first, last;
        double sum[NODES];
        window_of(&first, &last, i, m->n_kept);
        for (int j = 0; j < NODES; j++)
            sum[j] = before[last * NODES + j] - before[first * NODES + j];
        smooth(prior + i * NODES, sum);
    }
}

static double median_dispersion(const double *posterior)
{
    double below = 0;
    int j = 0;
    while (j + 1 < NODES && below + posterior[j] < 0.5)
        below += posterior[j++];
    const double part = posterior[j] > 0 ? (0.5 - below) / posterior[j] : 0.5;
    return dispersion_at(j - 0.5 + fmin(part, 1));
}

/* [n_kept] in the order of genes. */
static sow_status find_dispersions(double *out, const tally *m, sow_error *err)
{
    sow_status st = SOW_OK;
    double *prior = NULL, *before = NULL, posterior[NODES];
    SOW_NEW(prior, m->n_kept * NODES);
    SOW_NEW(before, (m->n_kept + 1) * NODES);
    for (sow_index i = 0; i < m->n_kept * NODES; i++)
        prior[i] = 1.0 / NODES;
    for (int step = 0; step < STEPS; step++)
        improve(prior, before, m);
    for (sow_index i = 0; i < m->n_kept; i++) {
        posterior_of(posterior, m->like + i * NODES, prior + i * NODES);
        out[m->order[i]] = median_dispersion(posterior);
    }
done:
    free(prior);
    free(before);
    return st;
}

sow_status sow_baseline_estimate(sow_baseline *out, const sow_cells *cells, const sow_index *cell, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    tally m = {0};
    double *dispersion = NULL;
    *out = (sow_baseline){0};
    if (n < SOW_BASELINE_FEWEST_CELLS) SOW_FAIL(err, SOW_E_DATA, "means and dispersions need at least %d control cells, and there are %lld", SOW_BASELINE_FEWEST_CELLS, (long long)n);
    SOW_TRY(read_totals(&m, cells, cell, n, err));
    SOW_TRY(read_counts(&m, cells, cell, err));
    SOW_TRY(find_shares(&m, err));
    SOW_TRY(find_likelihoods(&m, err));
    SOW_NEW(dispersion, m.n_kept);
    SOW_TRY(find_dispersions(dispersion, &m, err));
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
    tally_clear(&m);
    return st;
}
