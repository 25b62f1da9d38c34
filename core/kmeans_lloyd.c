/* Lloyd's algorithm: assign each row to its nearest centre, move each centre to the weighted mean of its rows, repeat.
 *
 * Nearest by |x - c|^2 = |x|^2 + |c|^2 - 2 x.c with the products from GEMM on fixed blocks of rows; centres that rounding cannot
 * tell apart are compared again by the direct sum, so the labels are those of exact distances and ties go to the lowest centre.
 * Lower bounds on the distances to all centres, lowered by how far each centre moved (Elkan 2003), let a row keep its centre
 * without looking again; the rows of a block that must look are gathered for one product. Bounds are rounded down and never decide
 * a tie. The stopping rule and the answer to an emptied cluster follow scikit-learn's `lloyd`. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/kmeans_internal.h"
#include "core/linalg.h"
#include "core/memory.h"

enum { SCORES_PER_BLOCK = 1 << 16, BLOCK_ROWS_MAX = 256, BLOCK_ROWS_MIN = 8, COLUMN_BLOCK = 16 };

static const double product_slack = 1e-12; /* relative; distances from products this close are compared again by the direct sum */
static const double bound_slack = 1e-6;    /* relative; more than a float's rounding, taken off every bound */
static const float float_slack = 3e-7f;
static const double most_bounds = 64e6;

typedef sow_i_kmeans problem;

double sow_i_kmeans_weight(const problem *p, sow_index i)
{
    return p->weight ? p->weight[i] : 1.0;
}

double sow_i_kmeans_distance2(const double *a, const double *b, sow_index d)
{
    double s[4] = {0, 0, 0, 0};
    sow_index j = 0;
    for (; j + 4 <= d; j += 4)
        for (sow_index l = 0; l < 4; l++)
            s[l] += (a[j + l] - b[j + l]) * (a[j + l] - b[j + l]);
    for (; j < d; j++)
        s[0] += (a[j] - b[j]) * (a[j] - b[j]);
    return (s[0] + s[1]) + (s[2] + s[3]);
}

static double distance2_to(const problem *p, sow_index i, sow_index centre)
{
    return sow_i_kmeans_distance2(p->x + i * p->d, p->centres + centre * p->d, p->d);
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

sow_status sow_i_kmeans_init(problem *p, sow_index n, sow_index d, sow_index k, const double *weight, sow_threads *threads,
                             sow_error *err)
{
    sow_status st = SOW_OK;
    *p = (problem){.n = n, .d = d, .k = k, .weight = weight, .threads = threads};
    SOW_NEW(p->x, n * d);
    SOW_NEW(p->norm2, n);
    SOW_NEW(p->centres, k * d);
    SOW_NEW(p->moved, k * d);
    SOW_NEW(p->centre_norm2, k);
    SOW_NEW(p->share, k);
    SOW_NEW(p->near2, n);
    SOW_NEW(p->labels, n);
    SOW_NEW(p->before, n);
    SOW_NEW(p->drift, k);
    if ((double)n * (double)k <= most_bounds) SOW_NEW(p->bound, n * k);
done:
    return st;
}

void sow_i_kmeans_clear(problem *p)
{
    free(p->x);
    free(p->norm2);
    free(p->centres);
    free(p->moved);
    free(p->centre_norm2);
    free(p->share);
    free(p->near2);
    free(p->labels);
    free(p->before);
    free(p->drift);
    free(p->bound);
    memset(p, 0, sizeof *p);
}

/* ---- assignment ---- */

/* product[c] = x.c; overwritten by |c|^2 - 2 x.c. */
static sow_index nearest_centre(const problem *p, sow_index i, double *product)
{
    double lowest = INFINITY;
    sow_index best = 0, close = 0;
    for (sow_index c = 0; c < p->k; c++) {
        product[c] = p->centre_norm2[c] - 2 * product[c];
        lowest = product[c] < lowest ? product[c] : lowest;
    }
    const double limit = lowest + product_slack * (p->norm2[i] + p->centre_norm2_max);
    for (sow_index c = p->k - 1; c >= 0; c--)
        if (product[c] <= limit) {
            best = c;
            close++;
        }
    if (close <= 1) return best;
    double best2 = INFINITY;
    for (sow_index c = best; c < p->k; c++) {
        if (!(product[c] <= limit)) continue;
        const double here2 = distance2_to(p, i, c);
        if (here2 < best2) {
            best2 = here2;
            best = c;
        }
    }
    return best;
}

/* From scores |c|^2 - 2 x.c; the slack covers their rounding and the float's. */
static void set_bounds(const problem *p, sow_index i, const double *score)
{
    float *bound = p->bound + i * p->k;
    const double rounding = product_slack * (p->norm2[i] + p->centre_norm2_max);
    for (sow_index c = 0; c < p->k; c++) {
        const double d2 = p->norm2[i] + score[c] - rounding;
        bound[c] = (float)((1 - bound_slack) * sqrt(d2 > 0 ? d2 : 0));
    }
}

/* Lowers the row's bounds by the drift; 1 when they show that the row keeps its centre. */
static int keeps_centre(const problem *p, sow_index i)
{
    float *bound = p->bound + i * p->k;
    const sow_index own = p->labels[i];
    const float own_distance = (float)((1 + bound_slack) * sqrt(distance2_to(p, i, own)));
    float nearest = INFINITY;
    for (sow_index c = 0; c < p->k; c++)
        bound[c] = bound[c] * (1 - float_slack) - p->drift[c];
    const float own_bound = bound[own];
    bound[own] = INFINITY;
    for (sow_index c = 0; c < p->k; c++)
        nearest = bound[c] < nearest ? bound[c] : nearest;
    bound[own] = own_bound;
    return nearest > own_distance;
}

static sow_status assign_block(void *user, sow_index tile, sow_error *err)
{
    sow_status st = SOW_OK;
    problem *p = user;
    const sow_index block = rows_per_block(p->k), first = tile * block, rows = least(block, p->n - first);
    double *product = NULL, *gathered = NULL;
    sow_index looking[BLOCK_ROWS_MAX], n_looking = 0;
    for (sow_index r = 0; r < rows; r++)
        if (!p->bounds_hold || !keeps_centre(p, first + r)) looking[n_looking++] = first + r;
    if (n_looking == 0) goto done;
    SOW_NEW(product, n_looking * p->k);
    const double *x = p->x + first * p->d;
    if (n_looking < rows) {
        SOW_NEW(gathered, n_looking * p->d);
        for (sow_index r = 0; r < n_looking; r++)
            memcpy(gathered + r * p->d, p->x + looking[r] * p->d, (size_t)p->d * sizeof *gathered);
        x = gathered;
    }
    SOW_TRY(sow_gemm(NULL, 0, 1, n_looking, p->k, p->d, 1.0, x, p->d, p->centres, p->d, 0.0, product, p->k, err));
    for (sow_index r = 0; r < n_looking; r++) {
        p->labels[looking[r]] = nearest_centre(p, looking[r], product + r * p->k);
        if (p->bound) set_bounds(p, looking[r], product + r * p->k);
    }
done:
    free(product);
    free(gathered);
    return st;
}

static sow_status assign(problem *p, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index block = rows_per_block(p->k);
    p->centre_norm2_max = 0;
    for (sow_index c = 0; c < p->k; c++) {
        p->centre_norm2[c] = sow_dot(p->d, p->centres + c * p->d, p->centres + c * p->d);
        if (p->centre_norm2[c] > p->centre_norm2_max) p->centre_norm2_max = p->centre_norm2[c];
    }
    SOW_TRY(sow_parallel_for(p->threads, (p->n + block - 1) / block, assign_block, p, err));
    p->bounds_hold = p->bound != NULL;
    memset(p->drift, 0, (size_t)p->k * sizeof *p->drift);
done:
    return st;
}

/* ---- moving the centres ---- */

/* One tile is a range of columns, so every sum runs over the rows in order. */
static sow_status sum_columns(void *user, sow_index tile, sow_error *err)
{
    (void)err;
    problem *p = user;
    const sow_index first = tile * COLUMN_BLOCK, last = least(p->d, first + COLUMN_BLOCK);
    for (sow_index c = 0; c < p->k; c++)
        for (sow_index j = first; j < last; j++)
            p->moved[c * p->d + j] = 0;
    for (sow_index i = 0; i < p->n; i++) {
        double *sum = p->moved + p->labels[i] * p->d;
        const double *x = p->x + i * p->d, w = sow_i_kmeans_weight(p, i);
        for (sow_index j = first; j < last; j++)
            sum[j] += w * x[j];
    }
    return SOW_OK;
}

/* The row farthest from its own centre whose cluster can spare it; -1 when every row sits on its centre. */
static sow_index farthest_spare_row(const problem *p)
{
    sow_index far = -1;
    double far2 = 0;
    for (sow_index i = 0; i < p->n; i++) {
        const double w = sow_i_kmeans_weight(p, i);
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
    for (sow_index i = 0; i < p->n; i++)
        p->near2[i] = distance2_to(p, i, p->labels[i]);
    for (sow_index c = 0; c < p->k; c++) {
        if (p->share[c] > 0) continue;
        const sow_index i = farthest_spare_row(p);
        if (i < 0) break;
        const double w = sow_i_kmeans_weight(p, i);
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
    for (sow_index c = 0; c < p->k; c++)
        p->share[c] = 0;
    for (sow_index i = 0; i < p->n; i++)
        p->share[p->labels[i]] += sow_i_kmeans_weight(p, i);
    SOW_TRY(sow_parallel_for(p->threads, (p->d + COLUMN_BLOCK - 1) / COLUMN_BLOCK, sum_columns, p, err));
    for (sow_index c = 0; c < p->k; c++)
        empty |= !(p->share[c] > 0);
    *refilled = empty ? refill_empty(p) : 0;
    *shift = 0;
    for (sow_index c = 0; c < p->k; c++) {
        double *centre = p->centres + c * p->d, *sum = p->moved + c * p->d;
        if (!(p->share[c] > 0)) continue;
        for (sow_index j = 0; j < p->d; j++)
            sum[j] /= p->share[c];
        const double move2 = sow_i_kmeans_distance2(centre, sum, p->d);
        *shift += move2;
        p->drift[c] = (float)((1 + bound_slack) * sqrt(move2));
        memcpy(centre, sum, (size_t)p->d * sizeof *sum);
    }
done:
    return st;
}

double sow_i_kmeans_inertia(const problem *p)
{
    double total = 0;
    for (sow_index i = 0; i < p->n; i++)
        total += sow_i_kmeans_weight(p, i) * distance2_to(p, i, p->labels[i]);
    return total;
}

sow_status sow_i_kmeans_lloyd(problem *p, sow_index most, double tolerance, sow_index *iterations, sow_error *err)
{
    sow_status st = SOW_OK;
    int settled = 0;
    for (sow_index i = 0; i < p->n; i++)
        p->labels[i] = -1;
    p->bounds_hold = 0;
    *iterations = 0;
    while (*iterations < most && !settled) {
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
