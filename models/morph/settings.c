/* What a training's options mean. */
#include <math.h>
#include <string.h>

#include "models/morph/train_internal.h"

static void as_published(sow_morph_options *o)
{
    o->batch = 32;
    o->segments = 1;
    o->rate = 1e-4;
    o->clamp = 0.5;
    o->gamma1 = 1;
    o->gamma2 = 0;
    o->sigma = 1500;
    o->kernels = 10;
    o->unbiased = o->fresh_controls = o->weighted_criterion = o->mean_latent = o->small_groups = o->scaled_prior = o->paired_change = o->last_weights = o->stack = 0;
    o->prior_noise = o->mean_epochs = 0;
}

static sow_status whole(const char *name, sow_index x, sow_index least, sow_index most, sow_error *err)
{
    if (x >= least && x <= most) return SOW_OK;
    return SOW_ERROR(err, SOW_E_CONFIG, "model.%s is %lld; %lld to %lld is allowed", name, (long long)x, (long long)least, (long long)most);
}

static sow_status real(const char *name, double x, double most, sow_error *err)
{
    if (x >= 0 && x <= most && isfinite(x)) return SOW_OK;
    return SOW_ERROR(err, SOW_E_CONFIG, "model.%s is %g; a number from 0 to %g is allowed", name, x, most);
}

static sow_status check(const sow_morph_options *o, sow_error *err)
{
    const struct {
        const char *name;
        sow_index x, least, most;
    } n[] = {{"variant", o->variant, SOW_MORPH_PLAIN, SOW_MORPH_MOE}, {"epochs", o->epochs, 1, 100000}, {"patience", o->patience, 1, 100000},
             {"batch", o->batch, 2, 4096}, {"segments", o->segments, 0, 1024}, {"kernels", o->kernels, 1, 30}, {"members", o->members, 1, 64},
             {"latent_cell", o->latent_cell, 1, 4096}, {"latent_perturbation", o->latent_perturbation, 1, 256}, {"programs", o->programs, 1, 4096},
             {"program_dim", o->program_dim, 1, 4096}, {"hidden", o->hidden, 1, 4096}, {"encoder", o->encoder, 1, 16384}};
    const struct {
        const char *name;
        double x, most;
    } x[] = {{"learning_rate", o->rate, 1e6}, {"clamp", o->clamp, 1e6}, {"alpha", o->alpha, 1e6}, {"beta", o->beta, 1e6}, {"gamma1", o->gamma1, 1e6}, {"gamma2", o->gamma2, 1e6},
             {"sigma", o->sigma, 1e12}, {"validation", o->validation, 0.9}, {"mean_epochs", o->mean_epochs, 1e6}, {"prior_noise", o->prior_noise, 1e6}};
    sow_status st = SOW_OK;
    for (size_t i = 0; i < sizeof n / sizeof *n; i++) SOW_TRY(whole(n[i].name, n[i].x, n[i].least, n[i].most, err));
    for (size_t i = 0; i < sizeof x / sizeof *x; i++) SOW_TRY(real(x[i].name, x[i].x, x[i].most, err));
done:
    return st;
}

sow_status sow_i_morph_settle(sow_i_morph_settings *out, const sow_model_options *options, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_morph_options o = options->morph;
    if (o.reference) as_published(&o);
    SOW_TRY(check(&o, err));
    *out = (sow_i_morph_settings){.o = o, .seed = options->seed, .round = options->round};
    out->sizes = (sow_morph_sizes){.n_priors = 1, .zc = o.latent_cell, .zp = o.latent_perturbation, .programs = o.programs, .program_dim = o.program_dim, .hidden = o.hidden,
                                   .encoder = o.encoder, .variant = (sow_morph_variant)o.variant, .paired = o.paired_change};
    out->mmd = (sow_mmd_options){o.sigma, (int)o.kernels, o.unbiased};
done:
    return st;
}

void sow_i_morph_pace(sow_i_morph_settings *s, sow_index chunks)
{
    sow_index k = chunks / 128;
    k = k < 1 ? 1 : k > 8 ? 8 : k;
    if (s->o.segments == 0) s->o.segments = k;
    if (s->o.rate == 0) s->o.rate = 5e-4 * sqrt((double)s->o.segments);
}

/* ---- prints ---- */

void sow_i_print_bytes(sow_i_print *p, const void *bytes, size_t n)
{
    const unsigned char *b = bytes;
    for (size_t i = 0; i < n; i++) *p = (*p ^ b[i]) * 1099511628211u;
}

void sow_i_print_settings(sow_i_print *p, const sow_i_morph_settings *s)
{
    const sow_morph_options *o = &s->o;
    const sow_index n[] = {(sow_index)s->seed, s->round, o->reference, o->variant, o->epochs, o->patience, o->batch, o->segments, o->kernels, o->unbiased, o->fresh_controls,
                           o->weighted_criterion, o->mean_latent, o->small_groups, o->latent_cell, o->latent_perturbation, o->programs, o->program_dim, o->hidden, o->encoder,
                           o->members, o->scaled_prior, o->paired_change, o->last_weights, s->sizes.genes, s->sizes.n_priors};
    const double x[] = {o->rate, o->clamp, o->alpha, o->beta, o->gamma1, o->gamma2, s->mmd.sigma, o->validation, o->mean_epochs, o->prior_noise};
    sow_i_print_bytes(p, n, sizeof n);
    sow_i_print_bytes(p, x, sizeof x);
}

sow_rng sow_i_morph_rng(const sow_i_morph_settings *s, sow_rng_purpose purpose, sow_index member, sow_index epoch, sow_i_use use)
{
    return sow_rng_make(s->seed, purpose, s->round, (uint32_t)member << 24 ^ (uint32_t)epoch << 4 ^ (uint32_t)use);
}
