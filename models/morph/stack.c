/* The networks' mean shifts joined with those of a straight line (stacking: Wolpert 1992, Breiman 1996).
 *
 * A network believes its prior as much as it was trained to; `linear`, a ridge whose penalty is chosen by leaving out, believes it as much as it deserves, but knows lines only. What is predicted is
 *     w m + (1 - w) r,   0 <= w <= 1,
 * of the networks' shift m and the line's r. w makes the mean correlation with the measured change largest over perturbations that a network holds out: it predicts those it has not seen, and the line is fitted
 * without them too (fold by fold). One network is noisier than the mean of M that will be asked: the share of |m|^2 that is the variance between networks on perturbations that none of them has seen is taken
 * off, all but the part 1 / M that stays in a mean. Without that a good ensemble would pay for the faults of its members. Correlation, because the squared error is least for what is shrunk most: with few perturbations it takes
 * the line, which hardly moves, for a better prediction than networks that know the direction (docs/results.md).
 *
 * Cells are moved by what is added to their mean. Losses and latents are the networks' own. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "models/model_internal.h"
#include "models/morph/train_internal.h"
#include "models/stacking.h"

enum { FEWEST_HELD = 8, MOST_UNSEEN = 64 }; /* perturbations: fewer held out say little of a weight; more unseen ones little more of a variance */

/* Of the target's items without those of one fold (-1: all). of [n_items]: 1 + the fold of a perturbation that is learned from, else 0. */
static sow_status fit_line(sow_model **out, const sow_training *t, const sow_index *of, sow_index fold, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_model_options options = SOW_MODEL_OPTIONS_INIT;
    sow_i_part p = {0};
    unsigned char *keep = NULL;
    *out = NULL;
    SOW_NEW(keep, t->n);
    for (sow_index i = 0; i < t->n; i++) keep[i] = t->context[i] == t->target && (fold < 0 || of[t->perturbation[i]] != 1 + fold);
    SOW_TRY(sow_i_part_make(&p, t, keep, err));
    if (p.t.n == 0) goto done;
    SOW_TRY(sow_model_fit(out, &sow_i_linear, &p.t, &options, env, err));
done:
    free(keep);
    sow_i_part_clear(&p);
    return st;
}

static sow_status ask_line(double *shift, const sow_model *line, sow_index perturbation, sow_index context, const sow_env *env, sow_error *err)
{
    const sow_query query = {.n = 1, .perturbation = &perturbation, .context = &context};
    return sow_model_predict(line, &query, shift, NULL, NULL, env, err);
}

/* ---- the weight ---- */

typedef struct {
    sow_index held;
    sow_i_products *each; /* [held] */
} held_out;

static double squared(double x) { return x * x; }

static double mean_of(const double *x, sow_index d)
{
    double sum = 0;
    for (sow_index j = 0; j < d; j++) sum += x[j];
    return sum / (double)d;
}

/* Sum over genes of the variance between networks on a perturbation, each less its own mean over genes: shift [members, d]. */
static double variance_between(const double *shift, sow_index members, sow_index d)
{
    double sum = 0, level = 0;
    for (sow_index k = 0; k < members * d; k++) level += shift[k] / (double)(members * d);
    for (sow_index j = 0; j < d; j++) {
        double mean = 0;
        for (sow_index b = 0; b < members; b++) mean += shift[b * d + j] / (double)members;
        for (sow_index b = 0; b < members; b++) sum += squared(shift[b * d + j] - mean) / (double)(members - 1);
    }
    for (sow_index b = 0; b < members; b++) sum -= (double)d * squared(mean_of(shift + b * d, d) - level) / (double)(members - 1);
    return sum;
}

/* Some perturbations of the pool that nothing is known of, at random: which [MOST_UNSEEN], *n. */
static sow_status choose_unseen(sow_index *which, sow_index *n, const sow_i_morph_model *m, const sow_training *t, const sow_index *of, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_rng rng = sow_rng_make(m->s.seed, SOW_RNG_STACK, m->s.round, 0);
    sow_index *all = NULL, count = 0;
    SOW_NEW(all, m->genes.n_items);
    for (sow_index i = 0; i < m->genes.n_items; i++)
        if (!of[i] && m->genes.first[i] >= 0 && (!t->priors->fit_rows || t->priors->fit_rows[i])) all[count++] = i;
    sow_rng_permute(&rng, all, count);
    *n = count < MOST_UNSEEN ? count : MOST_UNSEEN;
    memcpy(which, all, (size_t)*n * sizeof *which);
done:
    free(all);
    return st;
}

/* Mean over unseen perturbations of the variance between networks; 0 with one network, or nothing unseen. */
static sow_status noise_of_one(double *out, sow_i_morph_asker *a, const sow_i_morph_model *m, const sow_training *t, const sow_index *of, double *shift, float *cells, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index d = m->s.sizes.genes;
    sow_index which[MOST_UNSEEN], n = 0;
    *out = 0;
    if (m->n_members < 2) return SOW_OK;
    SOW_TRY(choose_unseen(which, &n, m, t, of, err));
    for (sow_index i = 0; i < n; i++) {
        for (sow_index b = 0; b < m->n_members; b++) SOW_TRY(sow_i_morph_shift(shift + b * d, a, b, which[i], cells, err));
        *out += variance_between(shift, m->n_members, d) / (double)n;
    }
done:
    return st;
}

/* Perturbations that member `fold` holds out. */
static sow_status add_fold(held_out *h, sow_i_morph_asker *a, const sow_i_morph_model *m, const sow_training *t, const sow_index *of, sow_index fold, double *shift, float *cells,
                           const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index d = m->s.sizes.genes;
    double *r = NULL;
    sow_model *line = NULL;
    SOW_NEW(r, d);
    SOW_TRY(fit_line(&line, t, of, fold, env, err));
    for (sow_index i = 0; line && i < t->n; i++) {
        if (t->context[i] != t->target || of[t->perturbation[i]] != 1 + fold) continue;
        SOW_TRY(sow_progress(env, "stacking morph and linear", (double)h->held / (double)t->n, err));
        SOW_TRY(sow_i_morph_shift(shift, a, fold, t->perturbation[i], cells, err));
        SOW_TRY(ask_line(r, line, t->perturbation[i], t->target, NULL, err));
        h->each[h->held++] = sow_i_products_of(shift, r, t->y + i * d, d);
    }
done:
    free(r);
    sow_model_destroy(line);
    return st;
}

static sow_status choose_weight(sow_i_morph_model *m, const sow_training *t, const sow_index *of, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const double members = (double)m->n_members;
    sow_i_morph_asker a;
    double *shift = NULL, noise = 0, length = 0;
    float *cells = NULL;
    held_out h = {0};
    SOW_TRY(sow_i_morph_ask_begin(&a, m, env, err));
    SOW_NEW(shift, m->n_members * m->s.sizes.genes);
    SOW_NEW(cells, m->n_control * m->s.sizes.genes);
    SOW_NEW(h.each, t->n);
    for (sow_index b = 0; b < m->n_members; b++) SOW_TRY(add_fold(&h, &a, m, t, of, b, shift, cells, env, err));
    SOW_TRY(sow_progress(env, "stacking morph and linear", 1, err));
    m->stack.held = h.held;
    if (h.held < FEWEST_HELD) goto done;
    SOW_TRY(noise_of_one(&noise, &a, m, t, of, shift, cells, err));
    for (sow_index g = 0; g < h.held; g++) length += h.each[g].mm / (double)h.held;
    m->stack.weight = sow_i_stack_weight(h.each, h.held, length > 0 ? fmax(1 - (1 - 1 / members) * noise / length, 1 / members) : 1);
done:
    sow_i_morph_ask_end(&a);
    free(shift);
    free(cells);
    free(h.each);
    return st;
}

sow_status sow_i_morph_stack_make(sow_i_morph_model *m, const sow_training *t, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *of = NULL;
    if (!m->s.o.stack) goto done;
    SOW_NEW(of, m->genes.n_items);
    for (sow_index g = 0; g < m->groups.n; g++) of[m->groups.perturbation[g]] = 1 + (m->fold[g] < 0 ? m->n_members : m->fold[g]);
    SOW_TRY(fit_line(&m->stack.line, t, of, -1, NULL, err));
    if (m->stack.weight < 0) SOW_TRY(choose_weight(m, t, of, env, err)); /* else it was kept */
    if (m->stack.held < FEWEST_HELD) {
        sow_model_destroy(m->stack.line);
        m->stack.line = NULL;
    }
done:
    free(of);
    return st;
}

sow_status sow_i_morph_stacked(double *shift, const sow_i_morph_model *m, sow_index perturbation, sow_error *err)
{
    sow_status st = SOW_OK;
    const double w = m->stack.weight;
    double *r = NULL;
    if (!m->stack.line) return SOW_OK;
    SOW_NEW(r, m->s.sizes.genes);
    SOW_TRY(ask_line(r, m->stack.line, perturbation, m->stack.target, NULL, err));
    for (sow_index j = 0; j < m->s.sizes.genes; j++) shift[j] = w * shift[j] + (1 - w) * r[j];
done:
    free(r);
    return st;
}
