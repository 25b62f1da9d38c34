/* What other contexts say of this one, as far as it can be relied on.
 *
 * A perturbation's mean over the n other contexts it was measured in is a noisy sight of what those contexts have in common. Along response component j two contexts agree on perturbations that both
 * measured by rho_j (covariance over mean variance, each pair of contexts centred on what they share), so of the mean of n contexts
 *     n rho_j / (1 + (n - 1) rho_j)                                  (Spearman 1910, Brown 1910)
 * is what a further context would show, and that much of it is carried over; what lies outside the components has a rho of its own. One reference context agrees with nobody: the least-squares slope
 * of the measured items on it serves instead (profile_mean.c).
 *
 * The shift that sets the target apart is seen on the measured items only. As much of it is believed as brings each item nearest to what it does elsewhere plus the others' mean shift. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/linalg.h"
#include "core/memory.h"
#include "models/gp/profile_internal.h"
#include "models/stacking.h"

enum { FEWEST_SHARED = 10 }; /* rows of pairs: fewer say little of a covariance */

/* ---- agreement of the other contexts ---- */

/* Sums over pairs of contexts and the perturbations they share: of products, and of half the squares. [k] along components, and of whole responses. */
typedef struct {
    double *product, *square;
    double whole_product, whole_square;
    sow_index rows;
} agreement;

/* Row + 1 of perturbation q in context c: of [n_items, n_contexts]; 0 = not measured there. The target's are left out. */
static sow_status index_rows(sow_index **out, sow_index *n_items, const sow_training *t, sow_error *err)
{
    sow_status st = SOW_OK;
    *n_items = 0;
    for (sow_index i = 0; i < t->n; i++)
        if (t->perturbation[i] >= *n_items) *n_items = t->perturbation[i] + 1;
    SOW_NEW(*out, *n_items * t->n_contexts);
    for (sow_index i = 0; i < t->n; i++)
        if (t->context[i] != t->target) (*out)[t->perturbation[i] * t->n_contexts + t->context[i]] = i + 1;
done:
    return st;
}

/* Rows of the perturbations measured in both contexts: in a [., 0] and b [., 1]. */
static sow_index shared_rows(sow_index *shared, const sow_index *at, sow_index n_items, sow_index n_contexts, sow_index a, sow_index b)
{
    sow_index n = 0;
    for (sow_index q = 0; q < n_items; q++) {
        const sow_index x = at[q * n_contexts + a], y = at[q * n_contexts + b];
        if (!x || !y) continue;
        shared[2 * n] = x - 1;
        shared[2 * n++ + 1] = y - 1;
    }
    return n;
}

/* Sum of products of x and y, and half of their squares, over [n, d] rows less the means of the shared rows. mean [2, d]: room. */
static void add_pair(double *product, double *square, const double *values, sow_index d, const sow_index *shared, sow_index n, sow_index step, double *mean)
{
    memset(mean, 0, (size_t)(2 * d) * sizeof *mean);
    for (sow_index i = 0; i < n; i++)
        for (int side = 0; side < 2; side++) sow_axpy(d, 1 / (double)n, values + shared[2 * i + side] * d, mean + side * d);
    for (sow_index i = 0; i < n; i++)
        for (sow_index f = 0; f < d; f++) {
            const double x = values[shared[2 * i] * d + f] - mean[f], y = values[shared[2 * i + 1] * d + f] - mean[d + f];
            product[f * step] += x * y;
            square[f * step] += 0.5 * (x * x + y * y);
        }
}

static sow_status agree(agreement *g, const sow_gp_profile *p, const sow_training *t, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index n_items = 0, *at = NULL, *shared = NULL;
    const sow_index k = p->k, d = p->d;
    double *score = NULL, *mean = NULL;
    SOW_TRY(index_rows(&at, &n_items, t, err));
    SOW_NEW(shared, 2 * n_items);
    SOW_NEW(score, t->n * k);
    SOW_NEW(mean, 2 * (d > k ? d : k));
    if (k > 0) SOW_TRY(sow_gemm(sow_env_threads(env), 0, 1, t->n, k, d, 1, t->y, d, p->components, d, 0, score, k, err));
    for (sow_index a = 0; a < t->n_contexts; a++)
        for (sow_index b = 0; b < a; b++) {
            const sow_index n = shared_rows(shared, at, n_items, t->n_contexts, a, b);
            if (n < 2) continue;
            add_pair(g->product, g->square, score, k, shared, n, 1, mean);
            add_pair(&g->whole_product, &g->whole_square, t->y, d, shared, n, 0, mean);
            g->rows += n;
        }
done:
    free(at);
    free(shared);
    free(score);
    free(mean);
    return st;
}

static double share(double product, double square)
{
    return square > 0 ? fmin(fmax(product / square, 0), 1) : 0;
}

/* reliability [k + 1], the last outside the components; stays NULL where no two other contexts share enough. */
static sow_status fit_reliability(sow_gp_profile *p, const sow_training *t, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    agreement g = {0};
    SOW_NEW(g.product, p->k);
    SOW_NEW(g.square, p->k);
    SOW_TRY(agree(&g, p, t, env, err));
    if (g.rows < FEWEST_SHARED) goto done;
    SOW_NEW(p->reliability, p->k + 1);
    for (sow_index j = 0; j < p->k; j++) {
        p->reliability[j] = share(g.product[j], g.square[j]);
        g.whole_product -= g.product[j];
        g.whole_square -= g.square[j];
    }
    p->reliability[p->k] = share(g.whole_product, g.whole_square);
done:
    free(g.product);
    free(g.square);
    return st;
}

/* ---- the shift ---- */

/* Differences of the target's items from what they do elsewhere, r [n, d], of those measured elsewhere; their sum. */
static sow_index differences(double *r, double *sum, const sow_gp_profile *p, const sow_training *t, const sow_sample *s)
{
    sow_index n = 0;
    for (sow_index i = 0; i < s->n; i++) {
        double *row = r + n * p->d;
        if (t->context[s->row[i]] != t->target || sow_i_two_way_elsewhere(p->additive, s->item[i], t->target, row) == 0) continue;
        for (sow_index f = 0; f < p->d; f++) {
            row[f] = t->y[s->row[i] * p->d + f] - row[f];
            sum[f] += row[f];
        }
        n++;
    }
    return n;
}

static sow_status shrink_shift(sow_gp_profile *p, const sow_training *t, const sow_sample *s, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index d = p->d;
    double *r = NULL, *sum = NULL, *products = NULL;
    SOW_NEW(r, s->n * d);
    SOW_NEW(sum, d);
    const sow_index n = differences(r, sum, p, t, s);
    if (n < 2) goto done;
    SOW_NEW(products, 3 * n);
    for (sow_index i = 0; i < n; i++)
        for (sow_index f = 0; f < d; f++) {
            const double x = r[i * d + f], others = (sum[f] - x) / (double)(n - 1);
            products[3 * i] += x * x;
            products[3 * i + 1] += x * others;
            products[3 * i + 2] += others * others;
        }
    p->shift = sow_i_best_share(products, n);
    for (sow_index f = 0; f < d; f++) p->base[f] -= (1 - p->shift) * sum[f] / (double)n;
done:
    free(r);
    free(sum);
    free(products);
    return st;
}

/* ---- both ---- */

static sow_status count_elsewhere(sow_gp_profile *p, const sow_training *t, sow_error *err)
{
    sow_status st = SOW_OK;
    for (sow_index i = 0; i < t->n; i++)
        if (t->perturbation[i] >= p->n_elsewhere) p->n_elsewhere = t->perturbation[i] + 1;
    SOW_NEW(p->elsewhere, p->n_elsewhere);
    for (sow_index i = 0; i < t->n; i++) p->elsewhere[t->perturbation[i]] += t->context[i] != t->target;
done:
    return st;
}

sow_status sow_i_profile_carry_fit(sow_gp_profile *p, const sow_training *t, const sow_sample *s, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    p->shift = 1;
    SOW_NEW(p->base, p->d);
    memcpy(p->base, p->centre, (size_t)p->d * sizeof *p->base);
    if (p->additive->class_ != &sow_i_two_way) goto done;
    SOW_TRY(count_elsewhere(p, t, err));
    SOW_TRY(fit_reliability(p, t, env, err));
    SOW_TRY(shrink_shift(p, t, s, err));
done:
    return st;
}

/* Of the mean of n contexts that agree by rho. */
static double carried(double rho, double n)
{
    return n > 0 ? n * rho / (1 + (n - 1) * rho) : 0;
}

sow_status sow_i_profile_carry(double *deviation, const sow_gp_profile *p, const sow_index *perturbation, sow_index n, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index k = p->k, d = p->d;
    double *z = NULL;
    if (!p->reliability) {
        for (sow_index i = 0; i < n * d; i++) deviation[i] *= p->slope;
        return SOW_OK;
    }
    if (n == 1 && (perturbation[0] >= p->n_elsewhere || p->elsewhere[perturbation[0]] == 0)) { /* measured nowhere else: nothing is carried */
        memset(deviation, 0, (size_t)d * sizeof *deviation);
        return SOW_OK;
    }
    SOW_NEW(z, n * k);
    if (k > 0) SOW_TRY(sow_gemm(sow_env_threads(env), 0, 1, n, k, d, 1, deviation, d, p->components, d, 0, z, k, err));
    for (sow_index i = 0; i < n; i++) {
        const double contexts = perturbation[i] < p->n_elsewhere ? p->elsewhere[perturbation[i]] : 0, rest = carried(p->reliability[k], contexts);
        for (sow_index j = 0; j < k; j++) z[i * k + j] *= carried(p->reliability[j], contexts) - rest;
        for (sow_index f = 0; f < d; f++) deviation[i * d + f] *= rest;
    }
    if (k > 0) SOW_TRY(sow_gemm(sow_env_threads(env), 0, 0, n, d, k, 1, z, k, p->components, d, 1, deviation, d, err));
done:
    free(z);
    return st;
}

char *sow_i_gp_profile_describe_carried(char *text, const sow_gp_profile *p)
{
    double along = 0;
    if (!text || p->additive->class_ != &sow_i_two_way) return text;
    for (sow_index j = 0; j < p->k && p->reliability; j++) along += p->reliability[j] / (double)p->k;
    char *both = p->reliability ? sow_format("%s\nother contexts agree by %.2f along the response components (mean), %.2f outside; of what sets this one apart %.2f is believed", text, along,
                                             p->reliability[p->k], p->shift)
                                : sow_format("%s\nof the other context's deviations %.2f is carried over, of what sets this one apart %.2f is believed", text, p->slope, p->shift);
    free(text);
    return both;
}
