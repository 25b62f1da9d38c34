/* What a trained model adds to a strategy's view: its latent space, its losses, how its latents moved; and, for an oracle's strategy, what its loss would be. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "planner/cells_internal.h"
#include "planner/choice_internal.h"
#include "planner/pairs.h"

sow_status sow_i_view_room(sow_i_choice *x, sow_index dim, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(x->features, x->n * dim);
    SOW_NEW(x->has, x->n);
    SOW_NEW(x->labelled_features, x->view.n_labelled * dim);
    SOW_NEW(x->labelled_has, x->view.n_labelled);
    x->view.dim = dim;
done:
    return st;
}

/* Each target context has a model of its own, and coordinates of its own: side by side, in its place of the row. */
static sow_status embed_pairs(double *features, unsigned char *has, const sow_campaign *c, const sow_index *pair, sow_index n, sow_index dim, sow_index first, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index own = sow_model_latent_dim(c->here->model);
    sow_i_block b = {0};
    double *latent = NULL;
    unsigned char *known = NULL;
    SOW_TRY(sow_i_block_of(&b, c, pair, n, c->here - c->site, err));
    SOW_NEW(latent, b.n * own);
    SOW_NEW(known, b.n);
    SOW_TRY(sow_model_embed(c->here->model, b.perturbation, b.n, latent, known, err));
    for (sow_index i = 0; i < b.n; i++) {
        has[b.at[i]] = known[i];
        memcpy(&features[b.at[i] * dim + first], &latent[i * own], (size_t)own * sizeof *features);
    }
done:
    sow_i_block_clear(&b);
    free(latent);
    free(known);
    return st;
}

sow_status sow_i_view_learned(sow_i_choice *x, sow_campaign *c, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index dim = 0, first = 0;
    for (sow_index s = 0; s < c->n_sites; s++) {
        sow_i_go(c, s);
        SOW_TRY(sow_i_fit(c, env, err));
        dim += sow_model_latent_dim(c->here->model);
    }
    SOW_TRY(sow_i_view_room(x, dim, err));
    for (sow_index s = 0; s < c->n_sites; s++) {
        sow_i_go(c, s);
        SOW_TRY(embed_pairs(x->features, x->has, c, x->candidate, x->n, dim, first, err));
        SOW_TRY(embed_pairs(x->labelled_features, x->labelled_has, c, x->labelled, x->view.n_labelled, dim, first, err));
        first += sow_model_latent_dim(c->here->model);
    }
done:
    sow_i_go(c, 0);
    return st;
}

/* ---- the kernel's coordinates ---- */

/* Predicted responses of candidates and labelled, in that order. */
static sow_status predict_all(double *y, const sow_i_choice *x, sow_campaign *c, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index n = x->n + x->view.n_labelled;
    sow_index *pair = NULL;
    SOW_NEW(pair, n);
    memcpy(pair, x->candidate, (size_t)x->n * sizeof *pair);
    if (x->view.n_labelled) memcpy(pair + x->n, x->labelled, (size_t)x->view.n_labelled * sizeof *pair);
    SOW_TRY(sow_i_predict_pairs(y, NULL, NULL, c, pair, n, env, err));
done:
    free(pair);
    return st;
}

/* Divided by the largest norm, so that each kernel has a largest self-similarity of 1, and by the square root of their number: inner products of the joined coordinates
 * are then the mean of the kernels (as in IterPert, Huang et al. 2023). */
static void normalise(double *y, sow_index n, sow_index d, sow_index kernels)
{
    double largest = 0;
    for (sow_index i = 0; i < n; i++)
        largest = fmax(largest, sow_dot(d, &y[i * d], &y[i * d]));
    const double by = largest > 0 ? 1 / sqrt(largest * (double)kernels) : 0;
    for (sow_index i = 0; i < n * d; i++)
        y[i] *= by;
}

static void join(sow_i_choice *x, const double *left, sow_index a, const double *right, sow_index b, const unsigned char *has)
{
    for (sow_index i = 0; i < x->n + x->view.n_labelled; i++) {
        const sow_index at = i < x->n ? i : i - x->n;
        double *row = i < x->n ? &x->features[at * (a + b)] : &x->labelled_features[at * (a + b)];
        (i < x->n ? x->has : x->labelled_has)[at] = has[i];
        if (!has[i]) continue;
        memcpy(row, &left[i * a], (size_t)a * sizeof *row);
        memcpy(row + a, &right[i * b], (size_t)b * sizeof *row);
    }
}

/* Coordinates whose inner products are the mean of the priors' kernel and that of the predicted responses; the responses by their principal components, which
 * takes away what all have in common. */
sow_status sow_i_view_kernel(sow_i_choice *x, sow_campaign *c, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_prior_set *p = &c->model_priors;
    const sow_index n = x->n + x->view.n_labelled, a = p->fused_dim;
    double *y = NULL, *scores = NULL, *prior = NULL;
    unsigned char *has = NULL;
    sow_pca pca = {0};
    SOW_NEW(y, n * c->d);
    SOW_NEW(prior, n * a);
    SOW_NEW(has, n);
    SOW_TRY(predict_all(y, x, c, env, err));
    SOW_TRY(sow_pca_fit(&pca, y, n, c->d, NULL, c->config->model.components, env, err));
    SOW_NEW(scores, n * pca.n_components);
    SOW_TRY(sow_pca_transform(&pca, y, n, NULL, scores, env, err));
    for (sow_index i = 0; i < n; i++) {
        const sow_index q = (i < x->n ? x->candidate[i] : x->labelled[i - x->n]) % c->n;
        has[i] = a == 0 || p->has_any[q];
        if (a) memcpy(&prior[i * a], &p->fused[q * a], (size_t)a * sizeof *prior);
    }
    normalise(scores, n, pca.n_components, a ? 2 : 1);
    normalise(prior, n, a, 2);
    SOW_TRY(sow_i_view_room(x, a + pca.n_components, err));
    join(x, prior, a, scores, pca.n_components, has);
done:
    sow_pca_clear(&pca);
    free(y);
    free(scores);
    free(prior);
    free(has);
    return st;
}

/* ---- losses ---- */

static sow_index labelled_at(const sow_i_choice *x, sow_index pair)
{
    for (sow_index i = 0; i < x->view.n_labelled; i++)
        if (x->labelled[i] == pair) return i;
    return -1;
}

/* Losses of the site in hand, behind those that are there. */
static sow_status add_losses(sow_i_choice *x, sow_campaign *c, sow_index *capacity, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_losses l = {0};
    sow_index n = x->view.n_losses;
    SOW_TRY(sow_i_fit(c, env, err));
    SOW_TRY(sow_model_losses(c->here->model, &l, env, err));
    for (int k = 0; k < 4; k++) {
        sow_index room = *capacity;
        void *array[] = {&x->loss, &x->loss_cells, &x->loss_held, &x->loss_of};
        const size_t size[] = {sizeof *x->loss, sizeof *x->loss_cells, sizeof *x->loss_held, sizeof *x->loss_of};
        SOW_TRY(sow_grow(array[k], &room, n + l.n + 1, size[k], err));
        if (k == 3) *capacity = room;
    }
    for (sow_index i = 0; i < l.n; i++) {
        const sow_index at = labelled_at(x, sow_i_pair(c, c->here - c->site, l.perturbation[i]));
        if (at < 0 || !isfinite(l.loss[i])) continue;
        x->loss_of[n] = at;
        x->loss[n] = l.loss[i];
        x->loss_cells[n] = l.cells[i];
        x->loss_held[n++] = l.held[i];
    }
    x->view.n_losses = n;
done:
    sow_losses_clear(&l);
    return st;
}

sow_status sow_i_view_losses(sow_i_choice *x, sow_campaign *c, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index capacity = 0;
    for (sow_index s = 0; s < c->n_sites; s++) {
        sow_i_go(c, s);
        SOW_TRY(add_losses(x, c, &capacity, env, err));
    }
    x->view.loss_of = x->loss_of;
    x->view.loss = x->loss;
    x->view.loss_cells = x->loss_cells;
    x->view.loss_held = x->loss_held;
done:
    sow_i_go(c, 0);
    return st;
}

static sow_status drift_of_site(sow_i_choice *x, sow_campaign *c, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_block b = {0};
    double *drift = NULL;
    SOW_TRY(sow_i_fit(c, env, err));
    SOW_TRY(sow_i_block_of(&b, c, x->candidate, x->n, c->here - c->site, err));
    SOW_NEW(drift, b.n);
    SOW_TRY(sow_model_drift(c->here->model, b.perturbation, b.n, drift, err));
    for (sow_index i = 0; i < b.n; i++)
        x->drift[b.at[i]] = drift[i];
done:
    sow_i_block_clear(&b);
    free(drift);
    return st;
}

sow_status sow_i_view_drift(sow_i_choice *x, sow_campaign *c, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(x->drift, x->n);
    for (sow_index s = 0; s < c->n_sites; s++) {
        sow_i_go(c, s);
        SOW_TRY(drift_of_site(x, c, env, err));
    }
    x->view.drift = x->drift;
done:
    sow_i_go(c, 0);
    return st;
}

/* Of each candidate's cells in the finished screen: what nobody at a bench could know. Of one that the model does not know (a gene without a prior row) there is no prediction, and no loss. */
static sow_status true_loss_of_site(sow_i_choice *x, sow_campaign *c, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    enum { MOST_CELLS = 512 };
    float *truth = NULL;
    double *latent = NULL;
    unsigned char *known = NULL;
    sow_i_block b = {0};
    SOW_TRY(sow_i_fit(c, env, err));
    SOW_TRY(sow_i_block_of(&b, c, x->candidate, x->n, c->here - c->site, err));
    SOW_NEW(truth, MOST_CELLS * c->d);
    SOW_NEW(latent, b.n * sow_model_latent_dim(c->here->model));
    SOW_NEW(known, b.n);
    SOW_TRY(sow_model_embed(c->here->model, b.perturbation, b.n, latent, known, err));
    for (sow_index i = 0; i < b.n; i++) {
        const sow_index *cell = NULL;
        sow_index n = sow_cells_of(&cell, &c->cells->table, b.perturbation[i], c->here->target);
        n = n > MOST_CELLS ? MOST_CELLS : n;
        x->true_loss[b.at[i]] = NAN;
        if (n < 2 || !known[i]) continue;
        SOW_TRY(sow_prepared_rows(truth, &c->cells->space, &c->cells->table, cell, n, env, err));
        SOW_TRY(sow_model_loss_on(c->here->model, b.perturbation[i], truth, n, &x->true_loss[b.at[i]], env, err));
    }
done:
    sow_i_block_clear(&b);
    free(truth);
    free(latent);
    free(known);
    return st;
}

sow_status sow_i_view_true_loss(sow_i_choice *x, sow_campaign *c, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(x->true_loss, x->n);
    for (sow_index s = 0; s < c->n_sites; s++) {
        sow_i_go(c, s);
        SOW_TRY(true_loss_of_site(x, c, env, err));
    }
    x->view.true_loss = x->true_loss;
done:
    sow_i_go(c, 0);
    return st;
}
