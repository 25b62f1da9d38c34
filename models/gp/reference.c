/* Reference contexts as the prior of the target (docs/math/gp.md, "Contexts").
 *
 * The reference's values are z_R = smooth + own + noise: `smooth` follows the priors, `own` is a perturbation's own, known to no prior. Given z_R
 * both have posterior means (mu_s, mu_w) and covariances. The target is modelled as
 *
 *   f = constant + rho_s (smooth) + rho_w (own) + what is the target's own,
 *
 * with rho uncertain by tau. With the reference's hyperparameters held, conditioning a joint process over both contexts on z_R first gives
 *
 *   mean  rho_s mu_s + rho_w mu_w
 *   cov   rho_s^2 K_s + rho_w^2 w I - h'h + tau^2 (mu_s mu_s' + mu_w mu_w'),   h(x) = L_R^-1 [rho_s K_s(R, x) + rho_w w 1(R = x)]
 *
 * so a round costs algebra in the few target items only, and is exact. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/linalg.h"
#include "core/memory.h"
#include "models/gp/gp_internal.h"

enum { TILE = 128 };

void sow_i_reference_destroy(sow_reference *r)
{
    if (!r) return;
    sow_i_kernel_destroy(r->kernel);
    sow_i_items_destroy(r->items);
    free(r->l);
    free(r->alpha);
    free(r->smooth);
    free(r->own);
    free(r);
}

static double own_variance(const sow_reference *r) { return exp(r->kernel->theta[r->kernel->n_theta - 2]); }

/* Position of an item among the reference's, or -1. */
static sow_index position(const sow_items *items, sow_index item)
{
    sow_index low = 0, high = items->n;
    while (low < high) {
        sow_index middle = low + (high - low) / 2;
        if (items->item[middle] < item)
            low = middle + 1;
        else
            high = middle;
    }
    return low < items->n && items->item[low] == item ? low : -1;
}

static sow_status mean_tile(void *user, sow_index tile, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_reference *r = user;
    sow_index n = r->items->n, first = tile * TILE, w = r->n_items - first < TILE ? r->n_items - first : TILE, other[TILE];
    double *k = NULL;
    for (sow_index j = 0; j < w; j++) other[j] = first + j;
    SOW_NEW(k, n * w);
    SOW_TRY(sow_i_kernel_block(r->kernel, r->items, other, w, k, w, err));
    sow_gemv(1, n, w, 1, k, w, r->alpha, 0, r->smooth + first);
    for (sow_index j = 0; j < w; j++) {
        sow_index at = position(r->items, other[j]);
        r->own[other[j]] = at >= 0 ? own_variance(r) * r->alpha[at] : 0.0;
    }
done:
    free(k);
    return st;
}

sow_status sow_i_reference_create(sow_reference **out, sow_kernel **kernel, sow_items **items, const double *z, const double *ratio,
                                  sow_index n_items, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_reference *r = NULL;
    sow_conditional c = {0};
    *out = NULL;
    SOW_NEW(r, 1);
    SOW_NEW(r->smooth, n_items);
    SOW_NEW(r->own, n_items);
    r->n_items = n_items;
    r->rho_smooth = 0.6; /* what held over two lines with 2,000 knockdowns each; tau lets the data say otherwise */
    r->rho_own = 0.5;
    r->tau2 = 0.04;
    SOW_TRY(sow_i_condition(&c, *kernel, *items, NULL, z, 1, ratio, env, err));
    r->l = c.l;
    r->alpha = c.alpha;
    c.l = c.alpha = NULL;
    r->kernel = *kernel;
    r->items = *items;
    st = sow_parallel_for(sow_env_threads(env), (n_items + TILE - 1) / TILE, mean_tile, r, err);
    if (st != SOW_OK) {
        r->kernel = NULL; /* stay the caller's */
        r->items = NULL;
        goto done;
    }
    *kernel = NULL;
    *items = NULL;
    *out = r;
    r = NULL;
done:
    sow_i_conditional_clear(&c);
    sow_i_reference_destroy(r);
    return st;
}

double sow_i_reference_mean(const sow_reference *r, sow_index item)
{
    return item < r->n_items ? r->rho_smooth * r->smooth[item] + r->rho_own * r->own[item] : 0.0;
}

sow_status sow_i_reference_whiten(const sow_reference *r, const sow_index *item, sow_index w, double *h, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index n = r->items->n;
    double *k = NULL;
    if (r->mean_only) goto done;
    SOW_NEW(k, n * w);
    SOW_TRY(sow_i_kernel_block(r->kernel, r->items, item, w, k, w, err));
    for (sow_index i = 0; i < n * w; i++) k[i] *= r->rho_smooth;
    for (sow_index j = 0; j < w; j++) {
        sow_index at = position(r->items, item[j]);
        if (at >= 0) k[at * w + j] += r->rho_own * own_variance(r);
    }
    SOW_TRY(sow_trsm_lower(NULL, 0, n, w, r->l, n, k, w, err));
    for (sow_index i = 0; i < n; i++)
        for (sow_index j = 0; j < w; j++) h[j * n + i] = k[i * w + j];
done:
    free(k);
    return st;
}

static double shared_slope(const sow_reference *r, sow_index a, sow_index b)
{
    if (a >= r->n_items || b >= r->n_items) return 0;
    return r->tau2 * (r->smooth[a] * r->smooth[b] + r->own[a] * r->own[b]);
}

sow_status sow_i_reference_add(const sow_reference *r, const sow_items *items, const double *ha, const sow_index *other, sow_index w,
                               const double *hb, double *k, sow_index ldk, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index n = items->n, m = r->items->n;
    double *smooth = NULL, rho2 = r->rho_smooth * r->rho_smooth, own = r->rho_own * r->rho_own * own_variance(r);
    if (r->mean_only) goto done;
    SOW_NEW(smooth, n * w);
    SOW_TRY(sow_i_kernel_block(r->kernel, items, other, w, smooth, w, err));
    for (sow_index i = 0; i < n; i++)
        for (sow_index j = 0; j < w; j++) {
            double same = items->item[i] == other[j] ? own : 0.0;
            k[i * ldk + j] += rho2 * smooth[i * w + j] + same + shared_slope(r, items->item[i], other[j]);
        }
    SOW_TRY(sow_gemm(NULL, 0, 1, n, w, m, -1, ha, m, hb, m, 1, k, ldk, err));
done:
    free(smooth);
    return st;
}

double sow_i_reference_variance(const sow_reference *r, sow_index item, const double *h)
{
    if (r->mean_only) return 0;
    double smooth = sow_i_kernel_variance(r->kernel, r->items->priors, item);
    return r->rho_smooth * r->rho_smooth * smooth + r->rho_own * r->rho_own * own_variance(r) + shared_slope(r, item, item)
        - sow_dot(r->items->n, h, h);
}
