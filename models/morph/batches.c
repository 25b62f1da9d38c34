/* An epoch as chunks of cells, and one step's input. As published: cells shuffled within their perturbation, chunks of `batch`, the short one dropped, chunks shuffled, and every cell
 * with one control for ever. Otherwise the chunks of a perturbation are of nearly equal size, none is dropped, and controls are drawn anew in every epoch. */
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "models/morph/train_internal.h"

sow_index sow_i_morph_chunks(const sow_i_morph_settings *s, sow_index n)
{
    return s->o.small_groups ? (n + s->o.batch - 1) / s->o.batch : n / s->o.batch;
}

/* ---- validation sets ---- */

sow_status sow_i_morph_folds(sow_index *fold, const sow_i_morph_groups *g, const sow_i_morph_settings *s, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *order = NULL, n_held = (sow_index)(s->o.validation * (double)g->n);
    sow_rng rng = sow_rng_make(s->seed, SOW_RNG_FOLDS, s->round, 0);
    SOW_NEW(order, g->n);
    for (sow_index i = 0; i < g->n; i++) {
        order[i] = i;
        fold[i] = -1;
    }
    if (g->n < 5 || s->o.validation <= 0) goto done;
    sow_rng_permute(&rng, order, g->n);
    if (n_held < 1) n_held = 1;
    if (s->o.members > 1) /* disjoint, and every perturbation in one of them */
        for (sow_index i = 0; i < g->n; i++) fold[order[i]] = i * s->o.members / g->n;
    else
        for (sow_index i = 0; i < n_held; i++) fold[order[i]] = 0;
done:
    free(order);
    return st;
}

/* ---- an epoch ---- */

void sow_i_morph_plan_clear(sow_i_morph_plan *p)
{
    free(p->chunk);
    free(p->order);
    free(p->control);
    free(p->deck);
    *p = (sow_i_morph_plan){0};
}

/* As published without the remainder; else all, but for a cell that would be a chunk by itself (batches of two), which the unbiased MMD cannot compare. */
static sow_index cells_used(const sow_i_morph_settings *s, sow_index n)
{
    if (!s->o.small_groups) return n / s->o.batch * s->o.batch;
    return s->o.unbiased && s->o.batch == 2 ? n / 2 * 2 : n;
}

static sow_status cut(sow_i_morph_plan *p, const sow_i_morph_settings *s, sow_index group, sow_index first, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index used = cells_used(s, n), k = sow_i_morph_chunks(s, used);
    SOW_TRY(sow_grow(&p->chunk, &p->capacity, p->n + k, sizeof *p->chunk, err));
    for (sow_index c = 0; c < k; c++) {
        const sow_index from = c * used / k, to = (c + 1) * used / k;
        p->chunk[p->n++] = (struct sow_i_chunk){group, first + from, to - from};
    }
done:
    return st;
}

static void shuffle_chunks(sow_i_morph_plan *p, sow_rng *rng)
{
    for (sow_index i = p->n - 1; i > 0; i--) {
        const sow_index j = sow_rng_below(rng, i + 1);
        const struct sow_i_chunk held = p->chunk[i];
        p->chunk[i] = p->chunk[j];
        p->chunk[j] = held;
    }
}

/* As published: every cell keeps one control, drawn with replacement. */
static void keep_controls(sow_i_morph_plan *p, const sow_i_morph_groups *g, sow_rng rng)
{
    for (sow_index i = 0; i < g->start[g->n]; i++) p->deck[i] = sow_rng_below(&rng, g->n_control);
    for (sow_index i = 0; i < g->start[g->n]; i++) p->control[i] = p->deck[p->order[i]];
}

/* Dealt from a shuffled deck of all controls, again and again: a chunk hardly ever has one twice, and all controls are seen alike. */
static void deal_controls(sow_i_morph_plan *p, const sow_i_morph_groups *g, sow_rng rng)
{
    for (sow_index i = 0; i < g->n_control; i++) p->deck[i] = i;
    for (sow_index i = 0; i < g->start[g->n]; i++) {
        const sow_index at = i % g->n_control, j = at + sow_rng_below(&rng, g->n_control - at), card = p->deck[j];
        p->deck[j] = p->deck[at];
        p->deck[at] = p->control[i] = card;
    }
}

sow_status sow_i_morph_plan_make(sow_i_morph_plan *p, const sow_i_morph_groups *g, const sow_i_morph_settings *s, const sow_index *fold, sow_index member, sow_index epoch,
                                 sow_i_purpose purpose, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index total = g->start[g->n];
    sow_rng rng = sow_i_morph_rng(s, SOW_RNG_BATCHES, member, epoch, SOW_I_USE_ORDER);
    if (!p->order) SOW_NEW(p->order, total);
    if (!p->control) SOW_NEW(p->control, total);
    if (!p->deck) SOW_NEW(p->deck, total > g->n_control ? total : g->n_control);
    p->n = 0;
    for (sow_index i = 0; i < total; i++) p->order[i] = i;
    for (sow_index i = 0; i < g->n; i++) {
        const sow_index n = g->start[i + 1] - g->start[i];
        if ((fold[i] == member) != (purpose == SOW_I_JUDGE)) continue;
        if (purpose == SOW_I_TRAIN) sow_rng_permute(&rng, p->order + g->start[i], n);
        SOW_TRY(cut(p, s, i, g->start[i], n, err));
    }
    if (purpose == SOW_I_TRAIN) shuffle_chunks(p, &rng);
    if (!s->o.fresh_controls)
        keep_controls(p, g, sow_i_morph_rng(s, SOW_RNG_BATCHES, 0, 0, SOW_I_USE_CONTROLS));
    else if (purpose == SOW_I_TRAIN)
        deal_controls(p, g, sow_i_morph_rng(s, SOW_RNG_BATCHES, member, epoch + 1, SOW_I_USE_CONTROLS));
    else /* the same every time, so that epochs are judged alike */
        deal_controls(p, g, sow_i_morph_rng(s, SOW_RNG_BATCHES, member, 0, SOW_I_USE_JUDGE_CONTROLS));
done:
    return st;
}

/* ---- one step ---- */

void sow_i_morph_stage_clear(sow_i_morph_stage *st)
{
    void *owned[] = {st->x_start, st->y_start, st->segment, st->first, st->second, st->which, st->asked, st->row_of, st->distinct, st->x, st->y, st->eps, st->prior[0], st->prior[1], st->prior[2]};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) free(owned[i]);
    *st = (sow_i_morph_stage){0};
}

sow_status sow_i_morph_stage_make(sow_i_morph_stage *out, const sow_i_morph_settings *s, const sow_i_morph_genes *genes, sow_index k, sow_index rows, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_morph_stage g = {.k_most = k, .rows_most = rows, .genes = s->sizes.genes};
    *out = (sow_i_morph_stage){0};
    SOW_NEW(g.x_start, k + 1);
    SOW_NEW(g.y_start, k + 1);
    SOW_NEW(g.segment, rows);
    SOW_NEW(g.first, k);
    SOW_NEW(g.second, k);
    SOW_NEW(g.which, rows);
    SOW_NEW(g.asked, k);
    SOW_NEW(g.row_of, genes->n_items + 1);
    SOW_NEW(g.distinct, 2 * k + 1);
    SOW_NEW(g.x, rows * g.genes);
    SOW_NEW(g.y, rows * g.genes);
    SOW_NEW(g.eps, rows * s->sizes.zc);
    for (sow_index j = 0; j < genes->n_priors; j++) SOW_NEW(g.prior[j], (2 * k + 1) * genes->dim[j]);
    *out = g;
    g = (sow_i_morph_stage){0};
done:
    sow_i_morph_stage_clear(&g);
    return st;
}

static sow_index batch_row(sow_i_morph_stage *g, sow_index prior_row)
{
    if (prior_row < 0) return -1;
    if (g->row_of[prior_row] == 0) {
        g->distinct[g->batch.n_latent++] = prior_row;
        g->row_of[prior_row] = g->batch.n_latent;
    }
    return g->row_of[prior_row] - 1;
}

/* The different prior rows of k perturbations, and last the null label. */
static void gather_priors(sow_i_morph_stage *g, const sow_index *perturbation, sow_index k, const sow_i_morph_genes *genes)
{
    g->batch.n_latent = 0;
    for (sow_index i = 0; i < k; i++) {
        g->first[i] = batch_row(g, genes->first[perturbation[i]]);
        g->second[i] = batch_row(g, genes->second[perturbation[i]]);
    }
    batch_row(g, genes->n_items);
    for (sow_index i = 0; i < g->batch.n_latent; i++) {
        g->row_of[g->distinct[i]] = 0;
        for (sow_index j = 0; j < genes->n_priors; j++)
            memcpy(g->prior[j] + i * genes->dim[j], genes->x[j] + g->distinct[i] * genes->dim[j], (size_t)genes->dim[j] * sizeof(float));
    }
    for (sow_index j = 0; j < genes->n_priors; j++) g->batch.prior[j] = g->prior[j];
    g->batch.k = k;
    g->batch.first = g->first;
    g->batch.second = g->second;
    g->batch.x_start = g->x_start;
    g->batch.segment = g->segment;
    g->batch.x = g->x;
}

static void set_rows(sow_i_morph_stage *g, sow_index segment, sow_index n)
{
    g->x_start[segment + 1] = g->x_start[segment] + n;
    for (sow_index i = g->x_start[segment]; i < g->x_start[segment + 1]; i++) g->segment[i] = segment;
}

static void draw_noise(sow_i_morph_stage *g, sow_index zc, sow_rng *rng)
{
    g->batch.eps = rng ? g->eps : NULL;
    for (sow_index i = 0; rng && i < g->x_start[g->batch.k] * zc; i++) g->eps[i] = (float)sow_rng_normal(rng);
}

void sow_i_morph_stage_ask(sow_i_morph_stage *g, const sow_index *perturbation, const sow_index *rows, sow_index k, const sow_i_morph_genes *genes, sow_index zc, sow_rng *rng)
{
    for (sow_index i = 0; i < k; i++) set_rows(g, i, rows[i]);
    gather_priors(g, perturbation, k, genes);
    g->batch.y_start = NULL;
    g->batch.y = NULL;
    draw_noise(g, zc, rng);
}

/* Perturbations whose priors are alike are to be said alike; the null label, which is exact, is left as it is. */
static void blur_priors(sow_i_morph_stage *g, const sow_i_morph_genes *genes, double sd, sow_rng *rng)
{
    for (sow_index j = 0; j < genes->n_priors; j++)
        for (sow_index i = 0; i < (g->batch.n_latent - 1) * genes->dim[j]; i++) g->prior[j][i] += (float)(sd * sow_rng_normal(rng));
}

sow_status sow_i_morph_stage_fill(sow_i_morph_stage *g, const sow_i_morph_plan *p, sow_index first, sow_index k, const sow_i_morph_groups *groups, const sow_i_morph_genes *genes,
                                  const sow_i_morph_settings *s, const sow_i_noise *noise, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    for (sow_index i = 0; i < k; i++) {
        g->asked[i] = groups->perturbation[p->chunk[first + i].group];
        set_rows(g, i, p->chunk[first + i].count);
    }
    gather_priors(g, g->asked, k, genes);
    for (sow_index i = 0; i < k; i++) memcpy(g->which + g->x_start[i], p->order + p->chunk[first + i].first, (size_t)p->chunk[first + i].count * sizeof *g->which);
    SOW_TRY(sow_i_morph_rows(g->y, groups, SOW_I_PERTURBED, g->which, g->x_start[k], env, err));
    for (sow_index i = 0; i < k; i++) memcpy(g->which + g->x_start[i], p->control + p->chunk[first + i].first, (size_t)p->chunk[first + i].count * sizeof *g->which);
    SOW_TRY(sow_i_morph_rows(g->x, groups, SOW_I_CONTROLS, g->which, g->x_start[k], env, err));
    memcpy(g->y_start, g->x_start, (size_t)(k + 1) * sizeof *g->y_start);
    g->batch.y_start = g->y_start;
    g->batch.y = g->y;
    if (noise->prior) blur_priors(g, genes, s->o.prior_noise, noise->prior);
    draw_noise(g, s->sizes.zc, noise->latent);
done:
    return st;
}
