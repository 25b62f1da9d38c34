/* The row `morph` of the model table. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "models/model_internal.h"
#include "models/morph/train_internal.h"

static void destroy(sow_model *model)
{
    sow_i_morph_model *m = (sow_i_morph_model *)model;
    if (!m) return;
    for (sow_index i = 0; m->member && i < m->n_members; i++) sow_i_morph_member_clear(&m->member[i]);
    free(m->member);
    sow_i_morph_genes_clear(&m->genes);
    sow_i_morph_groups_clear(&m->groups);
    sow_model_destroy(m->stack.line);
    free(m->fold);
    free(m->latent);
    free(m->mean_shift);
    free(m->control);
    free(m);
}

/* ---- before and after the training ---- */

/* Settings, priors and cells: what a fit and a load both begin with. */
static sow_status begin(sow_i_morph_model **out, const sow_training *t, const sow_model_options *options, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_morph_model *m = NULL;
    *out = NULL;
    SOW_NEW(m, 1);
    SOW_TRY(sow_i_morph_settle(&m->s, options, err));
    SOW_TRY(sow_i_morph_genes_make(&m->genes, t, &m->s, err));
    SOW_TRY(sow_i_morph_groups_make(&m->groups, t, &m->genes, &m->s, env, err));
    m->s.sizes.genes = t->n_features;
    m->s.sizes.n_priors = m->genes.n_priors;
    memcpy(m->s.sizes.prior, m->genes.dim, sizeof m->genes.dim);
    SOW_NEW(m->fold, m->groups.n);
    SOW_NEW(m->mean_shift, t->n_features);
    m->stack = (sow_i_morph_stack){.target = t->target, .weight = -1};
    *out = m;
    m = NULL;
done:
    destroy((sow_model *)m);
    return st;
}

/* What is said of a perturbation without a prior row. */
static sow_status take_mean_shift(sow_i_morph_model *m, const sow_training *t, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *rows = NULL;
    SOW_NEW(rows, t->n);
    const sow_index n = sow_i_target_rows(t, rows);
    sow_i_row_moments(m->mean_shift, NULL, t->y, t->n_features, rows, n);
done:
    free(rows);
    return st;
}

static int ascending(const void *a, const void *b)
{
    const sow_index x = *(const sow_index *)a, y = *(const sow_index *)b;
    return (x > y) - (x < y);
}

static sow_status choose_controls(sow_i_morph_model *m, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *which = NULL;
    sow_rng rng = sow_rng_make(m->s.seed, SOW_RNG_METRIC, m->s.round, 0);
    m->n_control = m->groups.n_control < SOW_I_MORPH_CONTROLS ? m->groups.n_control : SOW_I_MORPH_CONTROLS;
    SOW_NEW(which, m->groups.n_control);
    for (sow_index i = 0; i < m->groups.n_control; i++) which[i] = i;
    sow_rng_permute(&rng, which, m->groups.n_control);
    qsort(which, (size_t)m->n_control, sizeof *which, ascending);
    SOW_NEW(m->control, m->n_control * m->s.sizes.genes);
    SOW_TRY(sow_i_morph_rows(m->control, &m->groups, SOW_I_CONTROLS, which, m->n_control, env, err));
done:
    free(which);
    return st;
}

/* Controls to predict from, latents, and what the networks are joined with. */
static sow_status finish(sow_i_morph_model *m, const sow_training *t, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_tape *tape = NULL;
    SOW_TRY(choose_controls(m, env, err));
    SOW_NEW(m->latent, m->genes.n_items * m->s.sizes.zp);
    SOW_TRY(sow_tape_create(&tape, NULL, SOW_F32, sow_env_threads(env), err));
    SOW_TRY(sow_i_morph_latents(m->latent, m->member[0].best, &m->genes, &m->s, tape, err));
    SOW_TRY(sow_i_morph_stack_make(m, t, env, err));
done:
    sow_tape_destroy(tape);
    return st;
}

static sow_status decide(sow_i_morph_model *m, const sow_model_options *options, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index chunks = 0;
    if (m->s.mmd.sigma == 0) SOW_TRY(sow_i_morph_sigma(&m->s.mmd.sigma, &m->groups, &m->s, env, err));
    for (sow_index g = 0; g < m->groups.n; g++) chunks += sow_i_morph_chunks(&m->s, m->groups.start[g + 1] - m->groups.start[g]);
    sow_i_morph_pace(&m->s, chunks);
    SOW_TRY(sow_i_morph_folds(m->fold, &m->groups, &m->s, err));
    if (m->groups.n == 1) sow_log(env, SOW_LOG_WARN, "model morph learns from one perturbation only: what it says of others is a guess until more are measured");
    m->print = SOW_I_PRINT_INIT;
    sow_i_print_settings(&m->print, &m->s);
    sow_i_print_genes(&m->print, &m->genes);
    sow_i_print_groups(&m->print, &m->groups);
    const int warm = options->warm != NULL;
    sow_i_print_bytes(&m->print, &warm, sizeof warm);
    if (warm) sow_i_print_bytes(&m->print, &((const sow_i_morph_model *)options->warm)->print, sizeof m->print);
done:
    return st;
}

static sow_status fit(sow_model **out, const sow_training *t, const sow_model_options *options, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_morph_model *m = NULL;
    *out = NULL;
    SOW_TRY(begin(&m, t, options, env, err));
    SOW_TRY(take_mean_shift(m, t, err));
    SOW_TRY(decide(m, options, env, err));
    m->n_members = m->s.o.members;
    SOW_NEW(m->member, m->n_members);
    if (options->resume) SOW_TRY(sow_i_morph_resume(m, options->resume, env, err));
    SOW_TRY(sow_i_morph_train(m, options, env, err));
    SOW_TRY(finish(m, t, env, err));
    *out = &m->base;
    m = NULL;
done:
    destroy((sow_model *)m);
    return st;
}

static sow_status load(sow_model **out, const sow_archive *archive, const sow_training *t, const sow_model_options *options, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_morph_model *m = NULL;
    *out = NULL;
    SOW_TRY(begin(&m, t, options, NULL, err)); /* what is left out was said when it was trained */
    SOW_TRY(sow_i_morph_restore(m, archive, err));
    SOW_TRY(finish(m, t, env, err));
    *out = &m->base;
    m = NULL;
done:
    destroy((sow_model *)m);
    return st;
}

/* ---- what it can be asked ---- */

static sow_index latent_dim(const sow_model *model)
{
    return ((const sow_i_morph_model *)model)->s.sizes.zp;
}

static sow_status embed(const sow_model *model, const sow_index *perturbation, sow_index n, double *latent, unsigned char *has, sow_error *err)
{
    const sow_i_morph_model *m = (const sow_i_morph_model *)model;
    const sow_index zp = m->s.sizes.zp;
    (void)err;
    for (sow_index i = 0; i < n; i++) {
        memcpy(latent + i * zp, m->latent + perturbation[i] * zp, (size_t)zp * sizeof *latent);
        has[i] = m->genes.first[perturbation[i]] >= 0;
    }
    return SOW_OK;
}

static sow_status drift(const sow_model *model, const sow_index *perturbation, sow_index n, double *out, sow_error *err)
{
    const sow_i_morph_model *m = (const sow_i_morph_model *)model;
    const sow_i_morph_member *b = &m->member[0];
    const double differences = b->epochs > 2 ? (double)(b->epochs - 1) : 1;
    (void)err;
    for (sow_index i = 0; i < n; i++) out[i] = m->genes.first[perturbation[i]] < 0 ? NAN : b->moved[perturbation[i]] / differences;
    return SOW_OK;
}

static sow_status history(const sow_model *model, sow_history *out, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_morph_model *m = (const sow_i_morph_model *)model;
    out->members = m->n_members;
    for (sow_index b = 0; b < m->n_members; b++)
        if (m->member[b].epochs > out->epochs) out->epochs = m->member[b].epochs;
    SOW_NEW(out->trained, out->members * out->epochs);
    SOW_NEW(out->held, out->members * out->epochs);
    SOW_NEW(out->best, out->members);
    for (sow_index b = 0; b < m->n_members; b++) {
        out->best[b] = m->member[b].best_epoch;
        for (sow_index e = 0; e < out->epochs; e++) {
            const double *row = e < m->member[b].epochs ? m->member[b].history + e * SOW_I_SCORES : NULL;
            out->trained[b * out->epochs + e] = row ? row[0] : NAN;
            out->held[b * out->epochs + e] = row ? row[SOW_I_SCORES / 2] : NAN;
        }
    }
done:
    return st;
}

static sow_index count_held(const sow_i_morph_model *m)
{
    sow_index n = 0;
    for (sow_index g = 0; g < m->groups.n; g++) n += m->fold[g] >= 0;
    return n;
}

static char *describe_member(const char *before, const sow_i_morph_member *b, int last)
{
    return sow_format("%smember %lld: %lld epoch%s, %s number %lld with a loss of %.5g (lower is better)%s%s\n", before, (long long)b->index + 1, (long long)b->epochs,
                      b->epochs == 1 ? "" : "s", last ? "kept is" : "the best was", (long long)b->best_epoch + 1, b->best_criterion, b->trouble ? "; " : "", b->trouble ? b->trouble : "");
}

static char *describe(const sow_model *model)
{
    static const char *const variants[] = {"plain", "no-residual1", "no-residual1-as-published", "moe"};
    const sow_i_morph_model *m = (const sow_i_morph_model *)model;
    const sow_morph_options *o = &m->s.o;
    const sow_index held = count_held(m);
    char *text = sow_format("morph (%s, %s): %lld parameters, learned from %lld perturbation%s, %lld cells, %lld controls\n%lld perturbation%s a step, rate %.3g, MMD %s with sigma %.5g\n%s: %lld perturbation%s%s\n",
                            o->reference ? "as published" : "default", variants[o->variant], (long long)sow_params_numbers(m->member[0].best), (long long)m->groups.n, m->groups.n == 1 ? "" : "s",
                            (long long)m->groups.start[m->groups.n], (long long)m->groups.n_control, (long long)o->segments, o->segments == 1 ? "" : "s", o->rate,
                            o->unbiased ? "unbiased" : "biased", m->s.mmd.sigma, m->n_members > 1 && held ? "validation in turn" : "validation", (long long)held, held == 1 ? "" : "s",
                            held ? "" : " (epochs are judged by the cells they were trained on)");
    for (sow_index i = 0; text && i < m->n_members; i++) {
        char *longer = describe_member(text, &m->member[i], o->last_weights);
        free(text);
        text = longer;
    }
    if (text && m->stack.line) {
        char *longer = sow_format("%smean changes: %.2f networks + %.2f linear, as held-out perturbations weigh them (%lld)\n", text, m->stack.weight, 1 - m->stack.weight, (long long)m->stack.held);
        free(text);
        text = longer;
    }
    if (!text || !m->groups.left_out) return text;
    char *longer = sow_format("%sleft out: %s\n", text, m->groups.left_out);
    free(text);
    return longer;
}

const sow_model_class sow_i_morph = {
    .name = "morph",
    .summary = "a variational autoencoder over control cells with an encoder of perturbations' priors and attention over learned gene programs (MORPH)",
    .caps = SOW_CAP_PROFILE | SOW_CAP_CELLS | SOW_CAP_LATENT | SOW_CAP_GENERATES | SOW_CAP_NEEDS_CELLS | SOW_CAP_NEEDS_PRIOR,
    .fit = fit,
    .predict = sow_i_morph_predict,
    .destroy = destroy,
    .describe = describe,
    .latent_dim = latent_dim,
    .embed = embed,
    .drift = drift,
    .losses = sow_i_morph_all_losses,
    .loss_on = sow_i_morph_loss_on,
    .generate = sow_i_morph_generate,
    .history = history,
    .version = 1,
    .save = sow_i_morph_save,
    .load = load,
};
