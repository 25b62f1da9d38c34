/* Which genes of a group count as differentially expressed: see docs/math/cells.md for the trap and the rule.
 *
 * A gene without variance in one side has a t that knows only the other side's noise: all zero in 20 cells, and expressed in 2 % of 2,000 controls, it gets
 * |t| = 6, though 20 such controls are all zero two times in three. Such a gene's |score| is capped by what it would be if the constant side varied as the
 * other does, |mean_g - mean_c| / sqrt(v (1/n + 1/m)) with v the other side's variance. A gene that was really lost (expressed in most controls) keeps a large
 * score; Wilcoxon's z is hardly touched. The cap only lowers, so genes are looked at in falling order of |score| and only as far as needed. */
#include "core/de.h"

#include <math.h>
#include <stdlib.h>

#include "core/memory.h"

enum { CHUNK = 256 };

typedef struct {
    double rank; /* |score|, capped; NaN counts as 0 */
    sow_index gene;
} ranked;

static int by_rank(const void *a, const void *b)
{
    const ranked *p = a, *q = b;
    if (p->rank != q->rank) return p->rank < q->rank ? 1 : -1;
    return p->gene < q->gene ? -1 : p->gene > q->gene;
}

static int is_own(sow_index gene, const sow_index *own, sow_index n_own)
{
    for (sow_index i = 0; i < n_own; i++)
        if (own[i] == gene) return 1;
    return 0;
}

typedef struct {
    double mean, variance; /* n - 1; 0 exactly when constant */
} moment;

static moment moment_of(const float *x, sow_index n, sow_index d, sow_index gene)
{
    const double shift = (double)x[gene];
    double sum = 0, squares = 0;
    for (sow_index i = 0; i < n; i++) sum += (double)x[i * d + gene] - shift;
    sum /= (double)n;
    for (sow_index i = 0; i < n; i++) {
        const double off = (double)x[i * d + gene] - shift - sum;
        squares += off * off;
    }
    return (moment){shift + sum, n > 1 ? squares / (double)(n - 1) : 0};
}

static int is_constant(const float *x, sow_index n, sow_index d, sow_index gene)
{
    for (sow_index i = 1; i < n; i++)
        if (x[i * d + gene] != x[gene]) return 0;
    return 1;
}

/* Two sides without variance that differ: a t is infinite and says nothing, a z is what it is. */
static double capped(double score, const float *x, sow_index n, const float *control, sow_index m, sow_index d, sow_index gene)
{
    if (n < 2 || m < 2) return score;
    const int still = is_constant(x, n, d, gene);
    if (!still && !is_constant(control, m, d, gene)) return score;
    const moment group = moment_of(x, n, d, gene), others = moment_of(control, m, d, gene);
    const double variance = still ? others.variance : group.variance, difference = fabs(group.mean - others.mean);
    if (difference == 0) return 0;
    if (variance == 0) return isfinite(score) ? score : 0;
    return fmin(score, difference / sqrt(variance * (1 / (double)n + 1 / (double)m)));
}

sow_status sow_de_top(sow_index *top, sow_index k, sow_de_rank_mode mode, const double *score, const float *x, sow_index n, const float *control,
                      sow_index m, sow_index d, const sow_index *own, sow_index n_own, sow_error *err)
{
    ranked *list = NULL;
    sow_index count = 0;
    sow_status st = SOW_OK;
    if (k < 0 || n < 0 || m < 0 || d < 0 || n_own < 0)
        SOW_FAIL(err, SOW_E_ARG, "the top %lld of %lld genes in %lld cells against %lld controls: none may be negative", (long long)k, (long long)d,
                 (long long)n, (long long)m);
    for (sow_index i = 0; i < k; i++) top[i] = -1;
    SOW_NEW(list, d);
    for (sow_index j = 0; j < d; j++)
        if (!is_own(j, own, n_own)) list[count++] = (ranked){isnan(score[j]) ? 0 : fabs(score[j]), j};
    qsort(list, (size_t)count, sizeof *list, by_rank);
    for (sow_index at = 0; at < count && mode == SOW_DE_RANK;) {
        const sow_index end = count - at < CHUNK ? count : at + CHUNK;
        for (; at < end; at++) list[at].rank = capped(list[at].rank, x, n, control, m, d, list[at].gene);
        qsort(list, (size_t)end, sizeof *list, by_rank);
        if (end >= k && end < count && k > 0 && list[k - 1].rank > list[end].rank) break;
    }
    for (sow_index i = 0; i < k && i < count; i++) top[i] = list[i].gene;
done:
    free(list);
    return st;
}
