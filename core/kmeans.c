/* Lloyd's algorithm: assign each row to its nearest centre, move each centre to the weighted mean of its rows, repeat.
 *
 * Nearest by |x - c|^2 = |x|^2 + |c|^2 - 2 x.c with the products from GEMM on fixed blocks of rows; centres that rounding cannot tell
 * apart are compared again by the direct sum, so the labels are those of exact distances and ties go to the lowest centre.
 * Arthur & Vassilvitskii 2007 for the starts; the stopping rule and the answer to an emptied cluster follow scikit-learn's `lloyd`. */
#include "core/kmeans.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/linalg.h"
#include "core/memory.h"

enum { SCORES_PER_BLOCK = 1 << 16, BLOCK_ROWS_MAX = 256, BLOCK_ROWS_MIN = 8, COLUMN_BLOCK = 16, CENTRE_CHUNK = 32, SEED_BLOCK = 1024 };

/* Relative slack within which two distances from products are compared again by the direct sum. */
static const double product_slack = 1e-12;

typedef struct {
    sow_index n, d, k;
    const double *weight;        /* [n] or NULL */
    double *x;                   /* [n, d] with the column means taken out: smaller numbers, smaller rounding */
    double *norm2;               /* [n] */
    double *column_mean;         /* [d] */
    double *centres, *moved;     /* [k, d] */
    double *centre_norm2;        /* [k] */
    double centre_norm2_max;
    double *share;               /* [k] weight of each cluster */
    double *near2;               /* [n] squared distance to the nearest centre */
    sow_index *labels, *before;  /* [n] */
    sow_index fresh;             /* seeding: the centre just placed */
    sow_threads *threads;
} problem;

static double row_weight(const problem *p, sow_index i)
{
    return p->weight ? p->weight[i] : 1.0;
}

static double distance2(const double *a, const double *b, sow_index d)
{
    double s[4] = {0, 0, 0, 0};
    sow_index j = 0;
    for (; j + 4 <= d; j += 4)
        for (sow_index l = 0; l < 4; l++) s[l] += (a[j + l] - b[j + l]) * (a[j + l] - b[j + l]);
    for (; j < d; j++) s[0] += (a[j] - b[j]) * (a[j] - b[j]);
    return (s[0] + s[1]) + (s[2] + s[3]);
}

static sow_index blocks_of(sow_index n, sow_index block)
{
    return (n + block - 1) / block;
}

static sow_index least(sow_index a, sow_index b)
{
    return a < b ? a : b;
}

/* Rows per block: a function of k alone, so that the tiles are the same whatever the number of threads. */
static sow_index rows_per_block(sow_index k)
{
    const sow_index rows = SCORES_PER_BLOCK / k;
    return rows > BLOCK_ROWS_MAX ? BLOCK_ROWS_MAX : rows < BLOCK_ROWS_MIN ? BLOCK_ROWS_MIN : rows;
}

/* ---- assignment ---- */

/* product[c] = x.c; overwritten by |c|^2 - 2 x.c. */
static sow_index nearest_centre(const problem *p, sow_index i, double *product)
{
    const double *x = p->x + i * p->d;
    sow_index best = 0, close = 0;
    for (sow_index c = 0; c < p->k; c++) product[c] = p->centre_norm2[c] - 2 * product[c];
    for (sow_index c = 1; c < p->k; c++)
        if (product[c] < product[best]) best = c;
    const double limit = product[best] + product_slack * (p->norm2[i] + p->centre_norm2_max);
    for (sow_index c = 0; c < p->k; c++) close += product[c] <= limit;
    if (close <= 1) return best;
    double best2 = INFINITY;
    for (sow_index c = 0; c < p->k; c++) {
        if (!(product[c] <= limit)) continue;
        const double here2 = distance2(x, p->centres + c * p->d, p->d);
        if (here2 < best2) {
            best2 = here2;
            best = c;
        }
    }
    return best;
}

static sow_status assign_block(void *user, sow_index tile, sow_error *err)
{
    sow_status st = SOW_OK;
    problem *p = user;
    const sow_index block = rows_per_block(p->k), first = tile * block, rows = least(block, p->n - first);
    double *product = NULL;
    SOW_NEW(product, rows * p->k);
    SOW_TRY(sow_gemm(NULL, 0, 1, rows, p->k, p->d, 1.0, p->x + first * p->d, p->d, p->centres, p->d, 0.0, product, p->k, err));
    for (sow_index r = 0; r < rows; r++) p->labels[first + r] = nearest_centre(p, first + r, product + r * p->k);
done:
    free(product);
    return st;
}

static sow_status assign(problem *p, sow_error *err)
{
    p->centre_norm2_max = 0;
    for (sow_index c = 0; c < p->k; c++) {
        p->centre_norm2[c] = sow_dot(p->d, p->centres + c * p->d, p->centres + c * p->d);
        if (p->centre_norm2[c] > p->centre_norm2_max) p->centre_norm2_max = p->centre_norm2[c];
    }
    return sow_parallel_for(p->threads, blocks_of(p->n, rows_per_block(p->k)), assign_block, p, err);
}

/* ---- moving the centres ---- */

/* One tile is a range of columns, so every sum runs over the rows in order. */
static sow_status sum_columns(void *user, sow_index tile, sow_error *err)
{
    (void)err;
    problem *p = user;
    const sow_index first = tile * COLUMN_BLOCK, last = least(p->d, first + COLUMN_BLOCK);
    for (sow_index c = 0; c < p->k; c++)
        for (sow_index j = first; j < last; j++) p->moved[c * p->d + j] = 0;
    for (sow_index i = 0; i < p->n; i++) {
        double *sum = p->moved + p->labels[i] * p->d;
        const double *x = p->x + i * p->d, w = row_weight(p, i);
        for (sow_index j = first; j < last; j++) sum[j] += w * x[j];
    }
    return SOW_OK;
}

/* The row farthest from its own centre whose cluster can spare it; -1 when every row sits on its centre. */
static sow_index farthest_spare_row(const problem *p)
{
    sow_index far = -1;
    double far2 = 0;
    for (sow_index i = 0; i < p->n; i++) {
        const double w = row_weight(p, i);
        if (p->near2[i] > far2 && w > 0 && p->share[p->labels[i]] > w) {
            far = i;
            far2 = p->near2[i];
        }
    }
    return far;
}

/* An emptied cluster takes over the farthest row; with nothing to take it stays where it was. Returns how many moved. */
static sow_index refill_empty(problem *p)
{
    sow_index moved = 0;
    for (sow_index i = 0; i < p->n; i++) p->near2[i] = distance2(p->x + i * p->d, p->centres + p->labels[i] * p->d, p->d);
    for (sow_index c = 0; c < p->k; c++) {
        if (p->share[c] > 0) continue;
        const sow_index i = farthest_spare_row(p);
        if (i < 0) break;
        const double w = row_weight(p, i);
        for (sow_index j = 0; j < p->d; j++) {
            p->moved[c * p->d + j] = w * p->x[i * p->d + j];
            p->moved[p->labels[i] * p->d + j] -= w * p->x[i * p->d + j];
        }
        p->share[c] = w;
        p->share[p->labels[i]] -= w;
        p->labels[i] = c;
        p->near2[i] = 0;
        moved++;
    }
    return moved;
}

/* `*shift`: summed squared move of the centres. `*refilled`: emptied clusters that were given a row. */
static sow_status move_centres(problem *p, double *shift, sow_index *refilled, sow_error *err)
{
    sow_status st = SOW_OK;
    int empty = 0;
    for (sow_index c = 0; c < p->k; c++) p->share[c] = 0;
    for (sow_index i = 0; i < p->n; i++) p->share[p->labels[i]] += row_weight(p, i);
    SOW_TRY(sow_parallel_for(p->threads, blocks_of(p->d, COLUMN_BLOCK), sum_columns, p, err));
    for (sow_index c = 0; c < p->k; c++) empty |= !(p->share[c] > 0);
    *refilled = empty ? refill_empty(p) : 0;
    *shift = 0;
    for (sow_index c = 0; c < p->k; c++) {
        double *centre = p->centres + c * p->d, *sum = p->moved + c * p->d;
        if (!(p->share[c] > 0)) continue;
        for (sow_index j = 0; j < p->d; j++) sum[j] /= p->share[c];
        *shift += distance2(centre, sum, p->d);
        memcpy(centre, sum, (size_t)p->d * sizeof *sum);
    }
done:
    return st;
}

static double inertia(problem *p)
{
    double total = 0;
    for (sow_index i = 0; i < p->n; i++)
        total += row_weight(p, i) * distance2(p->x + i * p->d, p->centres + p->labels[i] * p->d, p->d);
    return total;
}

/* From the centres as they stand to convergence; labels always belong to the final centres. */
static sow_status lloyd(problem *p, const sow_kmeans_options *options, double tolerance, sow_index *iterations, sow_error *err)
{
    sow_status st = SOW_OK;
    int settled = 0;
    for (sow_index i = 0; i < p->n; i++) p->labels[i] = -1;
    *iterations = 0;
    while (*iterations < options->max_iterations && !settled) {
        double shift;
        sow_index refilled;
        memcpy(p->before, p->labels, (size_t)p->n * sizeof *p->labels);
        SOW_TRY(assign(p, err));
        settled = memcmp(p->before, p->labels, (size_t)p->n * sizeof *p->labels) == 0;
        SOW_TRY(move_centres(p, &shift, &refilled, err));
        ++*iterations;
        if (refilled > 0)
            settled = 0;
        else if (!settled && shift <= tolerance)
            break;
    }
    if (!settled) SOW_TRY(assign(p, err));
done:
    return st;
}

/* ---- starts ---- */

static sow_status shrink_near2(void *user, sow_index tile, sow_error *err)
{
    (void)err;
    problem *p = user;
    const sow_index first = tile * SEED_BLOCK, last = least(p->n, first + SEED_BLOCK);
    const double *centre = p->centres + p->fresh * p->d;
    for (sow_index i = first; i < last; i++) {
        const double here2 = distance2(p->x + i * p->d, centre, p->d);
        if (p->fresh == 0 || here2 < p->near2[i]) p->near2[i] = here2;
    }
    return SOW_OK;
}

/* A row with probability proportional to weight * near2 (weight alone for the first centre, or once every row sits on a centre). */
static sow_index draw_row(const problem *p, sow_index placed, sow_rng *rng)
{
    double total = 0, sum = 0;
    sow_index last = 0;
    int by_distance = placed > 0;
    for (sow_index i = 0; i < p->n && by_distance; i++) total += row_weight(p, i) * p->near2[i];
    if (!(total > 0)) {
        by_distance = 0;
        for (sow_index i = 0; i < p->n; i++) total += row_weight(p, i);
    }
    const double target = sow_rng_uniform(rng) * total;
    for (sow_index i = 0; i < p->n; i++) {
        const double mass = row_weight(p, i) * (by_distance ? p->near2[i] : 1.0);
        if (!(mass > 0)) continue;
        last = i;
        sum += mass;
        if (sum > target) break;
    }
    return last;
}

static sow_status seed_centres(problem *p, sow_rng *rng, sow_error *err)
{
    sow_status st = SOW_OK;
    for (sow_index c = 0; c < p->k; c++) {
        const sow_index i = draw_row(p, c, rng);
        memcpy(p->centres + c * p->d, p->x + i * p->d, (size_t)p->d * sizeof *p->x);
        p->fresh = c;
        SOW_TRY(sow_parallel_for(p->threads, blocks_of(p->n, SEED_BLOCK), shrink_near2, p, err));
    }
done:
    return st;
}

/* ---- front door ---- */

static void clear_problem(problem *p)
{
    free(p->x);
    free(p->norm2);
    free(p->column_mean);
    free(p->centres);
    free(p->moved);
    free(p->centre_norm2);
    free(p->share);
    free(p->near2);
    free(p->labels);
    free(p->before);
}

static sow_status check_input(const double *x, sow_index n, sow_index d, sow_index k, const double *weight, const double *init,
                              const sow_kmeans_options *options, const sow_rng *rng, sow_error *err)
{
    double total = 0;
    if (k < 1 || k > n || d < 1)
        return SOW_ERROR(err, SOW_E_ARG, "k-means of %lld rows and %lld columns into %lld clusters: needs 1 <= clusters <= rows",
                         (long long)n, (long long)d, (long long)k);
    if (options->max_iterations < 1 || !(options->tolerance >= 0) || (!init && options->starts < 1))
        return SOW_ERROR(err, SOW_E_ARG, "k-means needs at least one iteration and start, and a tolerance >= 0");
    if (!init && !rng) return SOW_ERROR(err, SOW_E_ARG, "k-means needs given centres or a random stream");
    for (sow_index i = 0; i < n * d; i++)
        if (!isfinite(x[i])) return SOW_ERROR(err, SOW_E_NONFINITE, "row %lld of the data for k-means is not finite", (long long)(i / d));
    for (sow_index i = 0; init && i < k * d; i++)
        if (!isfinite(init[i])) return SOW_ERROR(err, SOW_E_NONFINITE, "given centre %lld of k-means is not finite", (long long)(i / d));
    for (sow_index i = 0; weight && i < n; i++) {
        if (!(weight[i] >= 0) || !isfinite(weight[i]))
            return SOW_ERROR(err, SOW_E_ARG, "weight %lld of k-means is %g: weights are finite and >= 0", (long long)i, weight[i]);
        total += weight[i];
    }
    if (weight && !(total > 0)) return SOW_ERROR(err, SOW_E_ARG, "k-means needs a weight above 0");
    return SOW_OK;
}

/* Fills x, norm2 and column_mean; *mean_variance is the mean of the columns' variances (n in the denominator). */
static void centre_rows(problem *p, const double *x, double *mean_variance)
{
    double sum2 = 0;
    for (sow_index i = 0; i < p->n; i++) sow_axpy(p->d, 1.0, x + i * p->d, p->column_mean);
    for (sow_index j = 0; j < p->d; j++) p->column_mean[j] /= (double)p->n;
    for (sow_index i = 0; i < p->n; i++) {
        for (sow_index j = 0; j < p->d; j++) p->x[i * p->d + j] = x[i * p->d + j] - p->column_mean[j];
        p->norm2[i] = sow_dot(p->d, p->x + i * p->d, p->x + i * p->d);
        sum2 += p->norm2[i];
    }
    *mean_variance = sum2 / ((double)p->n * (double)p->d);
}

static sow_status make_problem(problem *p, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(p->x, p->n * p->d);
    SOW_NEW(p->norm2, p->n);
    SOW_NEW(p->column_mean, p->d);
    SOW_NEW(p->centres, p->k * p->d);
    SOW_NEW(p->moved, p->k * p->d);
    SOW_NEW(p->centre_norm2, p->k);
    SOW_NEW(p->share, p->k);
    SOW_NEW(p->near2, p->n);
    SOW_NEW(p->labels, p->n);
    SOW_NEW(p->before, p->n);
done:
    return st;
}

static void keep_result(sow_kmeans_result *best, const problem *p, double total, sow_index iterations)
{
    best->inertia = total;
    best->iterations = iterations;
    memcpy(best->labels, p->labels, (size_t)p->n * sizeof *p->labels);
    for (sow_index c = 0; c < p->k; c++)
        for (sow_index j = 0; j < p->d; j++) best->centres[c * p->d + j] = p->centres[c * p->d + j] + p->column_mean[j];
}

sow_status sow_kmeans(sow_kmeans_result *out, const double *x, sow_index n, sow_index d, sow_index k, const double *weight,
                      const double *init, const sow_kmeans_options *options, sow_rng *rng, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_kmeans_options defaults = SOW_KMEANS_OPTIONS_INIT;
    problem p = {.n = n, .d = d, .k = k, .weight = weight, .threads = sow_env_threads(env)};
    sow_kmeans_result best = {.n = n, .k = k, .d = d, .inertia = INFINITY};
    double mean_variance = 0;
    memset(out, 0, sizeof *out);
    if (!options) options = &defaults;
    SOW_TRY(check_input(x, n, d, k, weight, init, options, rng, err));
    SOW_TRY(make_problem(&p, err));
    SOW_NEW(best.centres, k * d);
    SOW_NEW(best.labels, n);
    centre_rows(&p, x, &mean_variance);

    const sow_index starts = init ? 1 : options->starts;
    for (sow_index s = 0; s < starts; s++) {
        sow_index iterations = 0;
        if (init)
            for (sow_index i = 0; i < k * d; i++) p.centres[i] = init[i] - p.column_mean[i % d];
        else
            SOW_TRY(seed_centres(&p, rng, err));
        SOW_TRY(lloyd(&p, options, options->tolerance * mean_variance, &iterations, err));
        const double total = inertia(&p);
        if (s == 0 || total < best.inertia) keep_result(&best, &p, total, iterations);
    }
    *out = best;
    memset(&best, 0, sizeof best);
done:
    clear_problem(&p);
    sow_kmeans_clear(&best);
    return st;
}

void sow_kmeans_clear(sow_kmeans_result *result)
{
    if (!result) return;
    free(result->centres);
    free(result->labels);
    memset(result, 0, sizeof *result);
}

/* ---- nearest rows ---- */

typedef struct {
    const double *x;
    double *norm2; /* [n] */
    unsigned char *open; /* [n] allowed and not taken */
    sow_index n, d;
} rows;

/* product [n] = x.centre. The direct sum settles rows that the products cannot tell apart. */
static sow_index nearest_open_row(const rows *r, const double *centre, double centre_norm2, const double *product, double *distance)
{
    sow_index best = -1;
    double least_score = INFINITY, norm2_max = 0;
    for (sow_index i = 0; i < r->n; i++) {
        const double score = r->norm2[i] - 2 * product[i];
        if (!r->open[i]) continue;
        if (score < least_score) least_score = score;
        if (r->norm2[i] > norm2_max) norm2_max = r->norm2[i];
    }
    const double limit = least_score + product_slack * (norm2_max + centre_norm2);
    *distance = INFINITY;
    for (sow_index i = 0; i < r->n; i++) {
        if (!r->open[i] || !(r->norm2[i] - 2 * product[i] <= limit)) continue;
        const double here = distance2(r->x + i * r->d, centre, r->d);
        if (here < *distance) {
            *distance = here;
            best = i;
        }
    }
    return best;
}

sow_status sow_kmeans_nearest_rows(sow_index *picks, double *distance_out, const double *x, sow_index n, sow_index d,
                                   const double *centres, sow_index k, const unsigned char *allowed, sow_error *err)
{
    sow_status st = SOW_OK;
    rows r = {.x = x, .n = n, .d = d};
    double *product = NULL;
    sow_index n_open = 0;
    const sow_index chunk = least(k, CENTRE_CHUNK);
    SOW_NEW(r.norm2, n);
    SOW_NEW(r.open, n);
    SOW_NEW(product, chunk * n);
    for (sow_index i = 0; i < n; i++) {
        r.open[i] = !allowed || allowed[i];
        r.norm2[i] = sow_dot(d, x + i * d, x + i * d);
        if (r.open[i] && !isfinite(r.norm2[i])) SOW_FAIL(err, SOW_E_NONFINITE, "row %lld is not finite", (long long)i);
        n_open += r.open[i];
    }
    if (k > n_open)
        SOW_FAIL(err, SOW_E_ARG, "%lld centres need as many rows, and %lld are allowed", (long long)k, (long long)n_open);
    for (sow_index first = 0; first < k; first += chunk) {
        const sow_index here = least(chunk, k - first);
        SOW_TRY(sow_gemm(NULL, 0, 1, here, n, d, 1.0, centres + first * d, d, x, d, 0.0, product, n, err));
        for (sow_index c = first; c < first + here; c++) {
            const double *centre = centres + c * d;
            const double centre_norm2 = sow_dot(d, centre, centre);
            double near2 = 0;
            if (!isfinite(centre_norm2)) SOW_FAIL(err, SOW_E_NONFINITE, "centre %lld is not finite", (long long)c);
            picks[c] = nearest_open_row(&r, centre, centre_norm2, product + (c - first) * n, &near2);
            r.open[picks[c]] = 0;
            if (distance_out) distance_out[c] = near2;
        }
    }
done:
    free(r.norm2);
    free(r.open);
    free(product);
    return st;
}
