/* From a training to what HyperMap's networks learn from: rows, embeddings and controls of every context.
 *
 * As published a row is a cell, the network speaks of genes and a perturbation is told by a prior or one-hot. Otherwise a row is a perturbation's mean response in a context less the context's shift, told by what the
 * perturbation does in the OTHER references (its scores there) beside the prior, and the network speaks of scores (space.c). A reference never sees its own response in an embedding, just as the target does not. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "models/hypermap/row_internal.h"

void sow_i_hypermap_world_clear(sow_i_hypermap_world *w)
{
    free(w->sum);
    free(w->count);
    free(w->typical);
    free(w->hot);
    free(w->start);
    free(w->item);
    free(w->cell);
    free(w->embedding);
    free(w->y);
    free(w->e);
    free(w->n_controls);
    free((void *)w->control);
    free(w->x);
    free(w->mean_control);
    *w = (sow_i_hypermap_world){0};
}

/* ---- embeddings ---- */

/* Sums by perturbation over the references; z [t->n, k] of all items. */
static sow_status sum_references(sow_i_hypermap_world *w, const double *z, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_training *t = w->space->t;
    double known = 0;
    SOW_NEW(w->sum, w->space->n_items * w->space->k);
    SOW_NEW(w->count, w->space->n_items);
    SOW_NEW(w->typical, w->space->k);
    for (sow_index i = 0; i < t->n; i++) {
        if (t->context[i] == t->target) continue;
        w->count[t->perturbation[i]]++;
        for (sow_index j = 0; j < w->space->k; j++) w->sum[t->perturbation[i] * w->space->k + j] += z[i * w->space->k + j];
    }
    for (sow_index p = 0; p < w->space->n_items; p++) known += w->count[p] > 0;
    for (sow_index p = 0; p < w->space->n_items; p++)
        for (sow_index j = 0; j < w->space->k && w->count[p] > 0; j++) w->typical[j] += w->sum[p * w->space->k + j] / (w->count[p] * known);
done:
    return st;
}

/* Mean of number j over the references but the row `own` [k] (NULL = none is left out); what is typical where no other has it. */
static double elsewhere_at(const sow_i_hypermap_world *w, sow_index p, const double *own, sow_index j)
{
    const double n = w->count[p] - (own ? 1 : 0);
    return n > 0 ? (w->sum[p * w->space->k + j] - (own ? own[j] : 0)) / n : w->typical[j];
}

static int is_elsewhere(const sow_i_hypermap_world *w, sow_index p, const double *own)
{
    return w->count[p] > (own ? 1 : 0);
}

static sow_status choose_width(sow_i_hypermap_world *w, const sow_i_hypermap_settings *s, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_prior_set *priors = w->space->t->priors;
    double square = 0, rows = 0;
    w->one_hot = s->o.embedding == SOW_EMBED_ONE_HOT;
    w->by_response = s->o.embedding == SOW_EMBED_RESPONSE;
    w->priors = !w->one_hot && priors && priors->fused_dim > 0 ? priors : NULL;
    w->prior_dim = w->priors ? priors->fused_dim : 0;
    w->width = (w->by_response ? w->space->k + 1 : 0) + (w->prior_dim && w->by_response ? w->prior_dim + 1 : w->prior_dim);
    w->prior_scale = 1;
    for (sow_index p = 0; w->priors && !s->o.reference && p < w->space->n_items; p++) {
        if (!priors->has_any[p] || (priors->fit_rows && !priors->fit_rows[p])) continue;
        rows++;
        for (sow_index j = 0; j < w->prior_dim; j++) square += priors->fused[p * w->prior_dim + j] * priors->fused[p * w->prior_dim + j];
    }
    if (square > 0) w->prior_scale = sqrt(rows * (double)w->prior_dim / square);
    if (!w->one_hot) goto done;
    SOW_NEW(w->hot, w->space->n_items);
    for (sow_index p = 0; p < w->space->n_items; p++) w->hot[p] = w->count[p] > 0 ? w->width++ : -1;
done:
    return st;
}

static int embed(float *e, const sow_i_hypermap_world *w, sow_index p, const double *own)
{
    sow_index at = 0;
    int known = 0;
    memset(e, 0, (size_t)w->width * sizeof *e);
    if (w->one_hot) {
        if (w->hot[p] >= 0) e[w->hot[p]] = 1;
        return w->hot[p] >= 0;
    }
    if (w->by_response) {
        known = is_elsewhere(w, p, own);
        for (; at < w->space->k; at++) e[at] = (float)(elsewhere_at(w, p, own, at) - w->typical[at]);
        e[at++] = (float)known;
    }
    if (!w->priors || !w->priors->has_any[p]) return known;
    for (sow_index j = 0; j < w->prior_dim; j++) e[at + j] = (float)(w->prior_scale * w->priors->fused[p * w->prior_dim + j]);
    if (w->by_response) e[at + w->prior_dim] = 1;
    return 1;
}

/* ---- rows ---- */

static sow_index rows_of_item(const sow_i_hypermap_world *w, sow_index i)
{
    const sow_training_cells *c = w->space->t->cells_of;
    return w->cells ? c->start[i + 1] - c->start[i] : 1;
}

static sow_status list_rows(sow_i_hypermap_world *w, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_training *t = w->space->t;
    sow_index total = 0, at = 0;
    for (sow_index i = 0; i < t->n; i++) total += rows_of_item(w, i);
    SOW_NEW(w->start, w->space->n_references + 2);
    SOW_NEW(w->item, total);
    SOW_NEW(w->embedding, total);
    if (w->cells) SOW_NEW(w->cell, total);
    for (sow_index c = 0; c <= w->space->n_references; c++) {
        for (sow_index i = 0; i < t->n; i++) {
            if (t->context[i] != w->space->context[c]) continue;
            for (sow_index r = 0; r < rows_of_item(w, i); r++, at++) {
                w->item[at] = w->embedding[at] = i;
                if (w->cells) w->cell[at] = t->cells_of->cell[t->cells_of->start[i] + r];
            }
        }
        w->start[c + 1] = at;
    }
done:
    return st;
}

/* An embedding for every item, as a perturbation is told differently in every reference. */
static sow_status fill_embeddings(sow_i_hypermap_world *w, const double *z, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_training *t = w->space->t;
    sow_index unknown = 0;
    w->n_embeddings = t->n;
    SOW_NEW(w->e, t->n * w->width);
    for (sow_index i = 0; i < t->n; i++) unknown += !embed(w->e + i * w->width, w, t->perturbation[i], t->context[i] == t->target ? NULL : z + i * w->space->k);
    if (unknown == t->n) SOW_FAIL(err, SOW_E_DATA, "hypermap: nothing tells one perturbation from another: no perturbation is measured in two contexts, and none has a prior; add `priors:`");
done:
    return st;
}

/* Mean responses of the references' items less their context's mean. */
static sow_status fill_references(sow_i_hypermap_world *w, const double *z, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_training *t = w->space->t;
    const sow_index k = w->space->k;
    double *mean = NULL;
    SOW_NEW(mean, k);
    SOW_NEW(w->y, t->n * k);
    for (sow_index c = 0; c < w->space->n_references; c++) {
        double n = 0;
        memset(mean, 0, (size_t)k * sizeof *mean);
        for (sow_index i = 0; i < t->n; i++) n += t->context[i] == w->space->context[c];
        for (sow_index i = 0; i < t->n; i++)
            for (sow_index j = 0; j < k && t->context[i] == w->space->context[c]; j++) mean[j] += z[i * k + j] / n;
        for (sow_index i = 0; i < t->n; i++)
            for (sow_index j = 0; j < k && t->context[i] == w->space->context[c]; j++) w->y[i * k + j] = (float)(z[i * k + j] - mean[j]);
    }
done:
    free(mean);
    return st;
}

sow_status sow_i_hypermap_world_shift(sow_i_hypermap_world *w, const double *shift, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_hypermap_space *s = w->space;
    const sow_training *t = s->t;
    double *rest = NULL, *z = NULL;
    if (w->cells) return SOW_OK;
    SOW_NEW(rest, s->d);
    SOW_NEW(z, s->k);
    for (sow_index i = 0; i < t->n; i++) {
        if (t->context[i] != t->target) continue;
        for (sow_index g = 0; g < s->d; g++) rest[g] = t->y[i * s->d + g] - shift[g];
        SOW_TRY(sow_i_hypermap_to_numbers(z, s, rest, 1, w->env, err));
        for (sow_index j = 0; j < s->k; j++) w->y[i * s->k + j] = (float)z[j];
    }
done:
    free(rest);
    free(z);
    return st;
}

/* ---- controls ---- */

static sow_status mean_of_controls(double *out, const sow_i_hypermap_world *w, sow_index c, sow_error *err)
{
    const sow_training_cells *cells = w->space->t->cells_of;
    return sow_prepared_mean(out, NULL, cells->space, cells->table, w->control[c], w->n_controls[c], w->env, err);
}

/* Means of controls as the cell encoder sees them: what sets each context apart, over its root mean square. */
static void tell_apart(sow_i_hypermap_world *w)
{
    const sow_index n = w->space->n_references, d = w->space->d;
    double square = 0;
    for (sow_index g = 0; g < d; g++) {
        double mean = 0;
        for (sow_index c = 0; c < n; c++) mean += w->mean_control[c * d + g] / (double)n; /* the target is no part of it */
        for (sow_index c = 0; c <= n; c++) w->x[c * d + g] = (float)(w->mean_control[c * d + g] - mean);
        for (sow_index c = 0; c < n; c++) square += (double)w->x[c * d + g] * (double)w->x[c * d + g];
    }
    const double root = sqrt(square / (double)(n * d));
    for (sow_index k = 0; k < (n + 1) * d && root > 0; k++) w->x[k] = (float)((double)w->x[k] / root);
}

static sow_status find_controls(sow_i_hypermap_world *w, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_training_cells *cells = w->space->t->cells_of;
    const sow_index n = w->space->n_references + 1;
    SOW_NEW(w->n_controls, n);
    w->x_width = cells ? w->space->d : 1;
    if (!cells) {
        SOW_NEW(w->x, n);
        for (sow_index c = 0; c < n; c++) w->n_controls[c] = 1;
        goto done;
    }
    SOW_NEW(w->control, n);
    SOW_NEW(w->mean_control, n * w->space->d);
    for (sow_index c = 0; c < n; c++) {
        w->control[c] = cells->control;
        w->n_controls[c] = w->space->context[c] == w->space->t->target ? cells->n_control : sow_cells_of(&w->control[c], cells->table, SOW_CONTROL, w->space->context[c]);
        if (w->n_controls[c] < 1) SOW_FAIL(err, SOW_E_DATA, "hypermap: a context (number %lld) has no control cells; there is nothing to take a response against", (long long)w->space->context[c] + 1);
        SOW_TRY(mean_of_controls(w->mean_control + c * w->space->d, w, c, err));
    }
    if (w->cells) goto done;
    SOW_NEW(w->x, n * w->space->d);
    tell_apart(w);
    for (sow_index c = 0; c < n; c++) w->n_controls[c] = 1;
done:
    return st;
}

/* ---- what the training asks for ---- */

static sow_status responses(void *user, const sow_index *row, sow_index n, float *y, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_hypermap_world *w = user;
    sow_index *cell = NULL;
    if (!w->cells) {
        for (sow_index i = 0; i < n; i++) memcpy(y + i * w->space->k, w->y + w->item[row[i]] * w->space->k, (size_t)w->space->k * sizeof *y);
        return SOW_OK;
    }
    SOW_NEW(cell, n);
    for (sow_index i = 0; i < n; i++) cell[i] = w->cell[row[i]];
    SOW_TRY(sow_prepared_rows(y, w->space->t->cells_of->space, w->space->t->cells_of->table, cell, n, w->env, err));
    for (sow_index i = 0; i < n; i++) {
        const double *mean = w->mean_control + sow_i_hypermap_place(w->space, w->space->t->context[w->item[row[i]]]) * w->space->d;
        for (sow_index g = 0; g < w->space->d; g++) y[i * w->space->d + g] = (float)((double)y[i * w->space->d + g] - mean[g]);
    }
done:
    free(cell);
    return st;
}

static sow_status controls(void *user, sow_index context, const sow_index *which, sow_index n, float *x, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_hypermap_world *w = user;
    sow_index *cell = NULL;
    if (!w->cells) {
        for (sow_index i = 0; i < n; i++) memcpy(x + i * w->x_width, w->x + context * w->x_width, (size_t)w->x_width * sizeof *x);
        return SOW_OK;
    }
    SOW_NEW(cell, n);
    for (sow_index i = 0; i < n; i++) cell[i] = w->control[context][which[i]];
    SOW_TRY(sow_prepared_rows(x, w->space->t->cells_of->space, w->space->t->cells_of->table, cell, n, w->env, err));
done:
    free(cell);
    return st;
}

sow_hypermap_data sow_i_hypermap_data(sow_i_hypermap_world *w, int with_target)
{
    return (sow_hypermap_data){.n_contexts = w->space->n_references + (with_target ? 1 : 0),
                               .genes = w->space->k,
                               .embedding = w->width,
                               .n_embeddings = w->n_embeddings,
                               .cells = w->x_width,
                               .e = w->e,
                               .start = w->start,
                               .perturbation = w->embedding,
                               .n_controls = w->n_controls,
                               .user = w,
                               .responses = responses,
                               .controls = controls};
}

/* ---- all of it ---- */

sow_status sow_i_hypermap_world_make(sow_i_hypermap_world *w, sow_i_hypermap_settings *s, const sow_i_hypermap_space *space, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_training *t = space->t;
    double *z = NULL;
    *w = (sow_i_hypermap_world){.space = space, .cells = s->o.cells, .env = env};
    SOW_NEW(z, t->n * space->k);
    SOW_TRY(sow_i_hypermap_to_numbers(z, space, t->y, t->n, env, err));
    SOW_TRY(sum_references(w, z, err));
    SOW_TRY(choose_width(w, s, err));
    SOW_TRY(list_rows(w, err));
    SOW_TRY(fill_embeddings(w, z, err));
    if (!w->cells) SOW_TRY(fill_references(w, z, err));
    SOW_TRY(find_controls(w, err));
    s->sizes.genes = space->k;
    s->sizes.embedding = w->width;
    s->sizes.cells = w->x_width;
done:
    free(z);
    return st;
}

int sow_i_hypermap_embed(float *e, const sow_i_hypermap_world *w, sow_index perturbation)
{
    return perturbation < w->space->n_items && embed(e, w, perturbation, NULL);
}

static int ascending(const void *a, const void *b)
{
    const sow_index x = *(const sow_index *)a, y = *(const sow_index *)b;
    return (x > y) - (x < y);
}

sow_status sow_i_hypermap_target_controls(float **x, sow_index *n, sow_i_hypermap_world *w, uint64_t seed, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index target = w->space->n_references, all = w->n_controls[target];
    sow_rng rng = sow_rng_make(seed, SOW_RNG_PREDICT, 0, 1);
    sow_index *which = NULL;
    *n = all < SOW_I_HYPERMAP_CONTROLS ? all : SOW_I_HYPERMAP_CONTROLS;
    SOW_NEW(which, all);
    SOW_NEW(*x, *n * w->x_width);
    for (sow_index i = 0; i < all; i++) which[i] = i;
    sow_rng_permute(&rng, which, all);
    qsort(which, (size_t)*n, sizeof *which, ascending);
    SOW_TRY(controls(w, target, which, *n, *x, err));
done:
    free(which);
    return st;
}

/* ---- a print of it ---- */

void sow_i_hypermap_print_bytes(uint64_t *print, const void *bytes, size_t n)
{
    const unsigned char *b = bytes;
    for (size_t i = 0; i < n; i++) *print = (*print ^ b[i]) * 1099511628211u;
}

uint64_t sow_i_hypermap_world_print(const sow_i_hypermap_world *w, const sow_i_hypermap_settings *s)
{
    uint64_t print = 1469598103934665603u;
    const sow_index rows = w->start[w->space->n_references];
    const sow_hypermap_options *o = &s->o;
    const sow_index n[] = {w->space->n_references, w->space->k, w->width, w->x_width, rows, w->cells, w->by_response, w->one_hot, (sow_index)s->seed, o->members, o->validate, o->patience, o->fusion, o->method, o->split,
                           o->balanced, o->fresh_controls, o->steps, o->tasks, o->batch, o->inner_batches, o->inner_steps, o->adapt_steps, o->latent, o->hidden, o->cell_encoder, o->hypernetwork};
    const double x[] = {o->inner_rate, o->adapt_rate, o->meta_rate, o->dropout, o->clip};
    sow_i_hypermap_print_bytes(&print, n, sizeof n);
    sow_i_hypermap_print_bytes(&print, x, sizeof x);
    for (sow_index r = 0; r < rows; r++) {
        if (w->y) sow_i_hypermap_print_bytes(&print, w->y + w->item[r] * w->space->k, (size_t)w->space->k * sizeof *w->y);
        if (r == 0 || w->embedding[r] != w->embedding[r - 1]) /* cells of an item lie together: its embedding once, not for every cell */
            sow_i_hypermap_print_bytes(&print, w->e + w->embedding[r] * w->width, (size_t)w->width * sizeof *w->e);
        if (w->cells) sow_i_hypermap_print_bytes(&print, &w->cell[r], sizeof *w->cell);
    }
    if (w->x) sow_i_hypermap_print_bytes(&print, w->x, (size_t)(w->space->n_references * w->x_width) * sizeof *w->x);
    return print;
}
