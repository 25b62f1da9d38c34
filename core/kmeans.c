/* k-means: checks, starts and the choice between them. The iteration itself is in kmeans_lloyd.c.
 *
 * Starts by k-means++ (Arthur & Vassilvitskii 2007): each further centre is a row drawn in proportion to weight x squared distance
 * to the nearest centre so far. A start is judged by where a few iterations take it, on a random sample when there are many rows,
 * and only the best is worth finishing on all of them. */
#include "core/kmeans.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/kmeans_internal.h"
#include "core/linalg.h"
#include "core/memory.h"

enum { SEED_BLOCK = 1024, CENTRE_CHUNK = 32, SAMPLE_PER_CLUSTER = 10, SAMPLE_MIN = 4000, TRIAL_ITERATIONS = 8 };

static const double product_slack = 1e-12; /* relative; distances from products this close are compared again by the direct sum */

/* ---- starts ---- */

static sow_status shrink_near2(void *user, sow_index tile, sow_error *err)
{
    (void)err;
    sow_i_kmeans *p = user;
    const sow_index first = tile * SEED_BLOCK, last = p->n - first < SEED_BLOCK ? p->n : first + SEED_BLOCK;
    const double *centre = p->centres + p->fresh * p->d;
    for (sow_index i = first; i < last; i++) {
        const double here2 = sow_i_kmeans_distance2(p->x + i * p->d, centre, p->d);
        if (p->fresh == 0 || here2 < p->near2[i]) p->near2[i] = here2;
    }
    return SOW_OK;
}

/* A row with probability proportional to weight * near2 (weight alone for the first centre, or once every row sits on a centre). */
static sow_index draw_row(const sow_i_kmeans *p, sow_index placed, sow_rng *rng)
{
    double total = 0, sum = 0;
    sow_index last = 0;
    int by_distance = placed > 0;
    for (sow_index i = 0; i < p->n && by_distance; i++)
        total += sow_i_kmeans_weight(p, i) * p->near2[i];
    if (!(total > 0)) {
        by_distance = 0;
        for (sow_index i = 0; i < p->n; i++)
            total += sow_i_kmeans_weight(p, i);
    }
    const double target = sow_rng_uniform(rng) * total;
    for (sow_index i = 0; i < p->n; i++) {
        const double mass = sow_i_kmeans_weight(p, i) * (by_distance ? p->near2[i] : 1.0);
        if (!(mass > 0)) continue;
        last = i;
        sum += mass;
        if (sum > target) break;
    }
    return last;
}

static sow_status seed_centres(sow_i_kmeans *p, sow_rng *rng, sow_error *err)
{
    sow_status st = SOW_OK;
    for (sow_index c = 0; c < p->k; c++) {
        const sow_index i = draw_row(p, c, rng);
        memcpy(p->centres + c * p->d, p->x + i * p->d, (size_t)p->d * sizeof *p->x);
        p->fresh = c;
        SOW_TRY(sow_parallel_for(p->threads, (p->n + SEED_BLOCK - 1) / SEED_BLOCK, shrink_near2, p, err));
    }
done:
    return st;
}

/* Centres [k, d] of the start of lowest inertia after at most `most` iterations. */
static sow_status best_start(double *centres, sow_i_kmeans *p, sow_index starts, sow_index most, double tolerance, sow_rng *rng,
                             sow_error *err)
{
    sow_status st = SOW_OK;
    double least = INFINITY;
    for (sow_index s = 0; s < starts; s++) {
        sow_index iterations = 0;
        SOW_TRY(seed_centres(p, rng, err));
        SOW_TRY(sow_i_kmeans_lloyd(p, most, tolerance, &iterations, err));
        const double here = sow_i_kmeans_inertia(p);
        if (s > 0 && !(here < least)) continue;
        least = here;
        memcpy(centres, p->centres, (size_t)(p->k * p->d) * sizeof *centres);
    }
done:
    return st;
}

/* The first m of a random order of the rows of positive weight (fewer when there are not as many), gathered into `sample`. */
static sow_status draw_sample(sow_i_kmeans *sample, double **weight, const sow_i_kmeans *p, sow_index m, sow_rng *rng,
                              sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *row = NULL, n = 0;
    SOW_NEW(row, p->n);
    for (sow_index i = 0; i < p->n; i++)
        if (sow_i_kmeans_weight(p, i) > 0) row[n++] = i;
    sow_rng_permute(rng, row, n);
    if (m > n) m = n;
    SOW_NEW(*weight, m);
    SOW_TRY(sow_i_kmeans_init(sample, m, p->d, p->k < m ? p->k : m, *weight, p->threads, err));
    for (sow_index i = 0; i < m; i++) {
        (*weight)[i] = sow_i_kmeans_weight(p, row[i]);
        sample->norm2[i] = p->norm2[row[i]];
        memcpy(sample->x + i * p->d, p->x + row[i] * p->d, (size_t)p->d * sizeof *p->x);
    }
done:
    free(row);
    return st;
}

/* Leaves the centres to begin with in p. */
static sow_status choose_start(sow_i_kmeans *p, const sow_kmeans_options *options, double tolerance, sow_rng *rng, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_kmeans sample = {0}, *trial = p;
    double *weight = NULL, *centres = NULL;
    const sow_index most = options->max_iterations < TRIAL_ITERATIONS ? options->max_iterations : TRIAL_ITERATIONS;
    const sow_index m = SAMPLE_PER_CLUSTER * p->k > SAMPLE_MIN ? SAMPLE_PER_CLUSTER * p->k : SAMPLE_MIN;
    SOW_NEW(centres, p->k * p->d);
    if (p->n > m) {
        SOW_TRY(draw_sample(&sample, &weight, p, m, rng, err));
        if (sample.k == p->k) trial = &sample;
    }
    SOW_TRY(best_start(centres, trial, options->starts, most, tolerance, rng, err));
    memcpy(p->centres, centres, (size_t)(p->k * p->d) * sizeof *centres);
done:
    sow_i_kmeans_clear(&sample);
    free(weight);
    free(centres);
    return st;
}

/* ---- front door ---- */

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
        if (!isfinite(x[i]))
            return SOW_ERROR(err, SOW_E_NONFINITE, "row %lld of the data for k-means is not finite", (long long)(i / d));
    for (sow_index i = 0; init && i < k * d; i++)
        if (!isfinite(init[i]))
            return SOW_ERROR(err, SOW_E_NONFINITE, "given centre %lld of k-means is not finite", (long long)(i / d));
    for (sow_index i = 0; weight && i < n; i++) {
        if (!(weight[i] >= 0) || !isfinite(weight[i]))
            return SOW_ERROR(err, SOW_E_ARG, "weight %lld of k-means is %g: weights are finite and >= 0", (long long)i, weight[i]);
        total += weight[i];
    }
    if (weight && !(total > 0)) return SOW_ERROR(err, SOW_E_ARG, "k-means needs a weight above 0");
    return SOW_OK;
}

/* Fills x, norm2 and mean [d]; *mean_variance is the mean of the columns' variances (n in the denominator). */
static void centre_rows(sow_i_kmeans *p, const double *x, double *mean, double *mean_variance)
{
    double sum2 = 0;
    for (sow_index i = 0; i < p->n; i++)
        sow_axpy(p->d, 1.0, x + i * p->d, mean);
    for (sow_index j = 0; j < p->d; j++)
        mean[j] /= (double)p->n;
    for (sow_index i = 0; i < p->n; i++) {
        for (sow_index j = 0; j < p->d; j++)
            p->x[i * p->d + j] = x[i * p->d + j] - mean[j];
        p->norm2[i] = sow_dot(p->d, p->x + i * p->d, p->x + i * p->d);
        sum2 += p->norm2[i];
    }
    *mean_variance = sum2 / ((double)p->n * (double)p->d);
}

/* Takes the labels out of p and gives the centres their place back. */
static void take_result(sow_kmeans_result *out, sow_i_kmeans *p, const double *mean, double *centres, sow_index iterations)
{
    for (sow_index c = 0; c < p->k; c++)
        for (sow_index j = 0; j < p->d; j++)
            centres[c * p->d + j] = p->centres[c * p->d + j] + mean[j];
    *out = (sow_kmeans_result){.n = p->n,
                               .k = p->k,
                               .d = p->d,
                               .iterations = iterations,
                               .inertia = sow_i_kmeans_inertia(p),
                               .centres = centres,
                               .labels = p->labels};
    p->labels = NULL;
}

sow_status sow_kmeans(sow_kmeans_result *out, const double *x, sow_index n, sow_index d, sow_index k, const double *weight,
                      const double *init, const sow_kmeans_options *options, sow_rng *rng, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_kmeans_options defaults = SOW_KMEANS_OPTIONS_INIT;
    sow_i_kmeans p = {0};
    double *mean = NULL, *centres = NULL, mean_variance = 0;
    sow_index iterations = 0;
    memset(out, 0, sizeof *out);
    if (!options) options = &defaults;
    SOW_TRY(check_input(x, n, d, k, weight, init, options, rng, err));
    SOW_TRY(sow_i_kmeans_init(&p, n, d, k, weight, sow_env_threads(env), err));
    SOW_NEW(mean, d);
    SOW_NEW(centres, k * d);
    centre_rows(&p, x, mean, &mean_variance);
    const double tolerance = options->tolerance * mean_variance;
    if (init)
        for (sow_index i = 0; i < k * d; i++)
            p.centres[i] = init[i] - mean[i % d];
    else
        SOW_TRY(choose_start(&p, options, tolerance, rng, err));
    SOW_TRY(sow_i_kmeans_lloyd(&p, options->max_iterations, tolerance, &iterations, err));
    take_result(out, &p, mean, centres, iterations);
    centres = NULL;
done:
    sow_i_kmeans_clear(&p);
    free(mean);
    free(centres);
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
    double *norm2;       /* [n] */
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
        const double here = sow_i_kmeans_distance2(r->x + i * r->d, centre, r->d);
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
    const sow_index chunk = k < CENTRE_CHUNK ? k : CENTRE_CHUNK;
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
        const sow_index here = chunk < k - first ? chunk : k - first;
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
