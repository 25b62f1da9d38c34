/* Differential expression: Welch's t and Wilcoxon's rank sum of many groups against one set of controls.
 *
 * Welch (1947): t = (mean_g - mean_c) / sqrt(v_g/n + v_c/m), degrees of freedom by Satterthwaite. Means and variances are taken of differences from
 * the first cell, so that a gene that is constant has variance 0 and not what rounding leaves.
 *
 * Wilcoxon (1945): with U = sum over the group's cells of (controls below + half the controls equal) the rank sum of the group is U + n (n + 1)/2, and
 *     z = (U - nm/2) / sqrt(nm (N + 1)/12 * ties),  N = n + m,  ties = 1 - sum over tied values of (t^3 - t) / (N^3 - N), or 1 without correction.
 * All groups' cells and the controls of a gene are sorted together once, by a radix sort that is stable: what is tied stands together with the controls
 * first and the groups in order, so one walk gives U and the tie sums of every group. Zeros, the most of what cells hold, are counted and not sorted.
 *
 * Work is cut into tiles of TILE genes, one cache line wide (narrower where cells are so many that the columns would take much memory), which is also
 * where the row-major cells become columns. U and tie sums are whole numbers, so their order of summation does not matter. */
#include "core/de.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/stats.h"

enum { TILE = 16, ROWS = 64, MOST_ENTRIES = 1 << 22, DIGIT = 11, BUCKETS = 1 << DIGIT, DIGITS = 3, FEW = 48 };

typedef struct {
    sow_de_method method;
    double *score, *p;
    const float *x, *control;
    const sow_index *start;
    sow_index n_groups, m, d;
    sow_index tile; /* genes a tile */
} job;

static sow_index cells_of(const job *w, sow_index group)
{
    return w->start[group + 1] - w->start[group];
}

static int compared(const job *w, sow_index group)
{
    return w->m >= 2 && cells_of(w, group) >= 2;
}

static sow_index tile_width(const job *w, sow_index first)
{
    return w->d - first < w->tile ? w->d - first : w->tile;
}

static void write_score(const job *w, sow_index group, sow_index gene, double score, double p)
{
    w->score[group * w->d + gene] = score;
    if (w->p) w->p[group * w->d + gene] = p;
}

static sow_status not_finite(const char *what, sow_index row, sow_index gene, float value, sow_error *err)
{
    return SOW_ERROR(err, SOW_E_NONFINITE, "differential expression: %s %lld, gene %lld (from 0): %g is not a finite number", what, (long long)row,
                     (long long)gene, (double)value);
}

/* ---- Welch ---- */

typedef struct {
    double mean[TILE], variance[TILE];
} moments;

/* `width` columns from `first` of n >= 2 rows. */
static sow_status take_moments(moments *out, const float *x, sow_index n, sow_index d, sow_index first, sow_index width, const char *what, sow_error *err)
{
    const float *origin = x + first;
    double shift[TILE], sum[TILE] = {0}, squares[TILE] = {0};
    for (sow_index j = 0; j < width; j++) shift[j] = (double)origin[j];
    for (sow_index i = 0; i < n; i++)
        for (sow_index j = 0; j < width; j++) sum[j] += (double)origin[i * d + j] - shift[j];
    for (sow_index j = 0; j < width; j++) sum[j] /= (double)n;
    for (sow_index i = 0; i < n; i++)
        for (sow_index j = 0; j < width; j++) {
            const double off = (double)origin[i * d + j] - shift[j] - sum[j];
            squares[j] += off * off;
        }
    for (sow_index j = 0; j < width; j++) {
        out->mean[j] = shift[j] + sum[j];
        out->variance[j] = squares[j] / (double)(n - 1);
        if (isfinite(out->variance[j])) continue;
        for (sow_index i = 0; i < n; i++) /* squares of finite floats do not overflow */
            if (!isfinite(origin[i * d + j])) return not_finite(what, i, first + j, origin[i * d + j], err);
    }
    return SOW_OK;
}

static void welch(const job *w, sow_index group, sow_index gene, double mean, double variance, double control_mean, double control_variance)
{
    const double n = (double)cells_of(w, group), m = (double)w->m;
    const double a = variance / n, b = control_variance / m, difference = mean - control_mean;
    if (difference == 0) {
        write_score(w, group, gene, 0, 1);
        return;
    }
    const double t = difference / sqrt(a + b);
    if (!w->p || isinf(t)) {
        write_score(w, group, gene, t, 0);
        return;
    }
    const double df = (a + b) * (a + b) / (a * a / (n - 1) + b * b / (m - 1));
    write_score(w, group, gene, t, sow_student_two_sided(t, df));
}

static sow_status welch_tile(void *user, sow_index tile, sow_error *err)
{
    const job *w = user;
    const sow_index first = tile * w->tile, width = tile_width(w, first);
    sow_status st = SOW_OK;
    moments control, group;
    SOW_TRY(take_moments(&control, w->control, w->m, w->d, first, width, "control", err));
    for (sow_index g = 0; g < w->n_groups; g++) {
        if (!compared(w, g)) continue;
        SOW_TRY(take_moments(&group, w->x + w->start[g] * w->d, cells_of(w, g), w->d, first, width, "cell of a group", err));
        for (sow_index j = 0; j < width; j++) welch(w, g, first + j, group.mean[j], group.variance[j], control.mean[j], control.variance[j]);
    }
done:
    return st;
}

/* ---- Wilcoxon ---- */

/* One gene's values that are not 0: the upper half is the value as an unsigned number of the same order, the lower half 0 for controls and 1 + the group. */
typedef uint64_t entry;

static const uint32_t zero_key = UINT32_C(0x80000000);

static uint32_t key_of(uint32_t bits)
{
    return bits & zero_key ? ~bits : bits | zero_key;
}

static void insertion_sort(entry *e, sow_index n)
{
    for (sow_index i = 1; i < n; i++) {
        const entry moving = e[i];
        sow_index at = i;
        for (; at > 0 && e[at - 1] > moving; at--) e[at] = e[at - 1];
        e[at] = moving;
    }
}

static sow_index digit_of(entry e, int digit)
{
    return (sow_index)(e >> (32 + digit * DIGIT)) & (BUCKETS - 1);
}

/* By key, stable; least significant digit first, a digit that all share is passed over. The result is in `e` or in `spare`: whichever is returned. */
static entry *sort_entries(entry *e, entry *spare, sow_index n, uint32_t (*count)[BUCKETS])
{
    if (n <= FEW) {
        insertion_sort(e, n);
        return e;
    }
    memset(count, 0, sizeof *count * DIGITS);
    for (sow_index i = 0; i < n; i++)
        for (int digit = 0; digit < DIGITS; digit++) count[digit][digit_of(e[i], digit)]++;
    for (int digit = 0; digit < DIGITS; digit++) {
        uint32_t *at = count[digit], sum = 0;
        if (at[digit_of(e[0], digit)] == n) continue;
        for (int b = 0; b < BUCKETS; b++) {
            const uint32_t here = at[b];
            at[b] = sum;
            sum += here;
        }
        for (sow_index i = 0; i < n; i++) spare[at[digit_of(e[i], digit)]++] = e[i];
        entry *other = e;
        e = spare;
        spare = other;
    }
    return e;
}

typedef struct {
    entry *list;      /* [TILE][n + m] */
    entry *spare;     /* [n + m] */
    sow_index *found; /* [n_groups + 1][TILE] values of the group that are not 0; controls first */
    sow_index count[TILE];
    double *ties;     /* [n_groups] sum of t^3 - t over values of the group, less what the controls alone have */
    int64_t *twice_u; /* [n_groups] */
    uint32_t (*buckets)[BUCKETS];
} workspace;

static sow_status workspace_init(workspace *s, const job *w, sow_index total, sow_error *err)
{
    sow_status st = SOW_OK;
    memset(s, 0, sizeof *s);
    SOW_NEW(s->list, w->tile * total);
    SOW_NEW(s->spare, total);
    SOW_NEW(s->found, TILE * (w->n_groups + 1));
    SOW_NEW(s->ties, w->n_groups);
    SOW_NEW(s->twice_u, w->n_groups);
    SOW_NEW(s->buckets, DIGITS);
done:
    return st;
}

static void workspace_clear(workspace *s)
{
    free(s->list);
    free(s->spare);
    free(s->found);
    free(s->ties);
    free(s->twice_u);
    free(s->buckets);
}

/* Values of one gene of a block put at the end of its list; written always and kept when not 0, which costs less than a branch that is often wrong. */
static sow_index append(entry *list, const uint32_t *bits, sow_index n, sow_index label)
{
    sow_index kept = 0;
    for (sow_index i = 0; i < n; i++) {
        const uint32_t b = bits[i * TILE];
        list[kept] = (entry)key_of(b) << 32 | (entry)label;
        kept += b << 1 != 0; /* 0 and -0 are the same */
    }
    return kept;
}

/* All bits of the exponent set: infinite or not a number. */
static int all_finite(const uint32_t *bits, sow_index n)
{
    const uint32_t exponent = UINT32_C(0x7f800000);
    uint32_t bad = 0;
    for (sow_index i = 0; i < n; i++) bad |= (uint32_t)((bits[i] & exponent) == exponent);
    return !bad;
}

static sow_status find_not_finite(const job *w, const float *x, sow_index n, sow_index label, sow_index first, sow_error *err)
{
    for (sow_index i = 0; i < n; i++)
        for (sow_index j = first; j < first + tile_width(w, first); j++)
            if (!isfinite(x[i * w->d + j])) return not_finite(label ? "cell of a group" : "control", i, j, x[i * w->d + j], err);
    return SOW_OK;
}

/* Put the values of n rows into the genes' lists, by way of a block that turns rows into columns: rows lie a page or more apart, and reading many at once
 * lets the machine wait for them together (a third of the time of going value by value). */
static sow_status append_rows(workspace *s, const job *w, sow_index total, const float *x, sow_index n, sow_index label, sow_index first, sow_error *err)
{
    const sow_index width = tile_width(w, first);
    uint32_t block[ROWS * TILE] = {0};
    for (sow_index j = 0; j < width; j++) s->found[label * TILE + j] = -s->count[j];
    for (sow_index i = 0; i < n; i += ROWS) {
        const sow_index rows = n - i < ROWS ? n - i : ROWS;
        for (sow_index r = 0; r < rows; r++) memcpy(block + r * TILE, x + (i + r) * w->d + first, (size_t)width * sizeof *x);
        if (!all_finite(block, rows * TILE)) return find_not_finite(w, x, n, label, first, err);
        for (sow_index j = 0; j < width; j++) s->count[j] += append(s->list + j * total + s->count[j], block + j, rows, label);
    }
    for (sow_index j = 0; j < width; j++) s->found[label * TILE + j] += s->count[j];
    return SOW_OK;
}

static double tie_term(double t)
{
    return t * t * t - t;
}

/* One value: `equal` controls have it and `below` are smaller; `run` cells of the group have it. */
static void count_run(workspace *s, sow_index group, sow_index run, sow_index below, sow_index equal)
{
    s->twice_u[group] += run * (2 * below + equal);
    if (run + equal > 1) s->ties[group] += tie_term((double)(run + equal)) - tie_term((double)equal);
}

/* Walk sorted entries; `below` controls are smaller than the first. Adds the controls' own tie sum to *control_ties; returns the controls met. */
static sow_index walk(workspace *s, const entry *e, sow_index n, sow_index below, double *control_ties)
{
    const sow_index start = below;
    for (sow_index i = 0; i < n;) {
        const entry key = e[i] >> 32;
        sow_index equal = 0;
        for (; i < n && e[i] == key << 32; i++) equal++;
        while (i < n && e[i] >> 32 == key) {
            const entry first = e[i];
            sow_index run = 1;
            while (i + run < n && e[i + run] == first) run++;
            count_run(s, (sow_index)(first & UINT32_MAX) - 1, run, below, equal);
            i += run;
        }
        *control_ties += tie_term((double)equal);
        below += equal;
    }
    return below - start;
}

static void wilcoxon(const job *w, sow_index group, sow_index gene, int64_t twice_u, double ties)
{
    const double n = (double)cells_of(w, group), m = (double)w->m, total = n + m;
    double variance = n * m * (total + 1) / 12;
    if (w->method == SOW_DE_WILCOXON_TIES) variance *= 1 - ties / (total * (total * total - 1));
    const double excess = 0.5 * (double)twice_u - 0.5 * n * m;
    const double z = excess == 0 || !(variance > 0) ? 0 : excess / sqrt(variance);
    write_score(w, group, gene, z, w->p ? erfc(fabs(z) * 0.707106781186547524400844362105) : 0);
}

static void rank_gene(workspace *s, const job *w, sow_index total, sow_index first, sow_index j)
{
    const sow_index n = s->count[j], zero_controls = w->m - s->found[j];
    const entry *e = sort_entries(s->list + j * total, s->spare, n, s->buckets);
    sow_index negative = 0;
    for (sow_index end = n; negative < end;) { /* the first entry above 0 */
        const sow_index middle = negative + (end - negative) / 2;
        if (e[middle] >> 32 < zero_key)
            negative = middle + 1;
        else
            end = middle;
    }
    double control_ties = tie_term((double)zero_controls);
    memset(s->ties, 0, (size_t)w->n_groups * sizeof *s->ties);
    memset(s->twice_u, 0, (size_t)w->n_groups * sizeof *s->twice_u);
    const sow_index below = walk(s, e, negative, 0, &control_ties);
    walk(s, e + negative, n - negative, below + zero_controls, &control_ties);
    for (sow_index g = 0; g < w->n_groups; g++) {
        if (!compared(w, g)) continue;
        const sow_index zeros = cells_of(w, g) - s->found[(g + 1) * TILE + j];
        if (zeros) count_run(s, g, zeros, below, zero_controls);
        wilcoxon(w, g, first + j, s->twice_u[g], s->ties[g] + control_ties);
    }
}

static sow_index all_cells(const job *w)
{
    sow_index total = w->m;
    for (sow_index g = 0; g < w->n_groups; g++) total += cells_of(w, g);
    return total;
}

static sow_status wilcoxon_tile(void *user, sow_index tile, sow_error *err)
{
    const job *w = user;
    const sow_index first = tile * w->tile, width = tile_width(w, first), total = all_cells(w) + 1; /* + 1: for a zero that nobody keeps */
    sow_status st = SOW_OK;
    workspace s;
    SOW_TRY(workspace_init(&s, w, total, err));
    SOW_TRY(append_rows(&s, w, total, w->control, w->m, 0, first, err));
    for (sow_index g = 0; g < w->n_groups; g++)
        SOW_TRY(append_rows(&s, w, total, w->x + w->start[g] * w->d, cells_of(w, g), g + 1, first, err));
    for (sow_index j = 0; j < width; j++) rank_gene(&s, w, total, first, j);
done:
    workspace_clear(&s);
    return st;
}

/* ---- both ---- */

static sow_status check(const job *w, sow_error *err)
{
    if (w->n_groups < 0 || w->m < 0 || w->d < 0)
        return SOW_ERROR(err, SOW_E_ARG, "differential expression of %lld groups against %lld controls in %lld genes: none may be negative",
                         (long long)w->n_groups, (long long)w->m, (long long)w->d);
    if (w->method < SOW_DE_WELCH || w->method > SOW_DE_WILCOXON_TIES)
        return SOW_ERROR(err, SOW_E_ARG, "differential expression: there is no method %d", (int)w->method);
    for (sow_index g = 0; g < w->n_groups; g++)
        if (w->start[g] < 0 || cells_of(w, g) < 0)
            return SOW_ERROR(err, SOW_E_ARG, "differential expression: group %lld reaches from row %lld to %lld", (long long)g, (long long)w->start[g],
                             (long long)w->start[g + 1]);
    if (w->n_groups >= INT32_MAX || (w->n_groups > 0 && w->start[w->n_groups] + w->m >= INT32_MAX))
        return SOW_ERROR(err, SOW_E_ARG, "differential expression: %lld groups and %lld cells are more than the 2^31 it is made for",
                         (long long)w->n_groups, (long long)(w->start[w->n_groups] + w->m));
    return SOW_OK;
}

sow_status sow_de(double *score, double *p, sow_de_method method, const float *x, const sow_index *start, sow_index n_groups, const float *control,
                  sow_index m, sow_index d, const sow_env *env, sow_error *err)
{
    job w = {method, score, p, x, control, start, n_groups, m, d, TILE};
    sow_status st = SOW_OK;
    SOW_TRY(check(&w, err));
    for (sow_index g = 0; g < n_groups; g++)
        for (sow_index j = 0; j < d && !compared(&w, g); j++) write_score(&w, g, j, 0, 1);
    if (m < 2 || n_groups == 0) return SOW_OK;
    const sow_index narrow = MOST_ENTRIES / all_cells(&w);
    w.tile = method == SOW_DE_WELCH || narrow >= TILE ? TILE : narrow < 1 ? 1 : narrow;
    SOW_TRY(sow_parallel_for(sow_env_threads(env), (d + w.tile - 1) / w.tile, method == SOW_DE_WELCH ? welch_tile : wilcoxon_tile, &w, err));
done:
    return st;
}
