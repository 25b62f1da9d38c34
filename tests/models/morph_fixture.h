/* Small MORPH networks for tests: a batch from a seed, copies of it in a tape's dtype, and the forward pass and loss once more in plain loops over doubles. */
#ifndef SOWER_TESTS_MODELS_MORPH_FIXTURE_H
#define SOWER_TESTS_MODELS_MORPH_FIXTURE_H

#include "core/mmd.h"
#include "core/rng.h"
#include "models/morph/morph.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SEGMENTS = 8, MOST_ROWS = 512 };

/* A batch whose numbers are doubles of the fixture's; `typed` makes one for a tape. */
typedef struct {
    sow_morph_sizes sizes;
    sow_index k, n, m, n_latent; /* segments, control rows, perturbed rows, prior rows */
    sow_index x_start[MOST_SEGMENTS + 1], y_start[MOST_SEGMENTS + 1], segment[MOST_ROWS], first[MOST_SEGMENTS], second[MOST_SEGMENTS];
    double *x, *y, *eps, *prior[SOW_MORPH_MOST_PRIORS];
    void *owned[16]; /* copies in another dtype */
    int n_owned;
} morph_input;

static inline double *morph_normals(sow_rng *rng, sow_index n)
{
    double *x = malloc((size_t)n * sizeof *x);
    cr_assert(x);
    for (sow_index i = 0; i < n; i++) x[i] = sow_rng_normal(rng);
    return x;
}

static inline sow_morph_sizes morph_small_sizes(sow_morph_variant variant)
{
    sow_morph_sizes s = SOW_MORPH_SIZES_INIT;
    s.genes = 9;
    s.n_priors = variant == SOW_MORPH_MOE ? 3 : 1;
    s.prior[0] = 5;
    s.prior[1] = 3;
    s.prior[2] = 4;
    s.zc = 3;
    s.zp = 4;
    s.programs = 6;
    s.program_dim = 5;
    s.hidden = 7;
    s.encoder = 8;
    s.variant = variant;
    return s;
}

/* Segments of control_rows[s] and perturbed_rows[s] cells; second[s] -1 = single. Prior rows 0..2k-1, then the null label. */
static inline void morph_input_make(morph_input *in, const sow_morph_sizes *sizes, sow_index k, const sow_index *control_rows, const sow_index *perturbed_rows, const int *is_double)
{
    sow_rng rng = sow_rng_make(7, SOW_RNG_TEST, 4, 0);
    memset(in, 0, sizeof *in);
    in->sizes = *sizes;
    in->k = k;
    in->n_latent = 2 * k + 1;
    for (sow_index s = 0; s < k; s++) {
        in->x_start[s + 1] = in->x_start[s] + control_rows[s];
        in->y_start[s + 1] = in->y_start[s] + perturbed_rows[s];
        for (sow_index i = in->x_start[s]; i < in->x_start[s + 1]; i++) in->segment[i] = s;
        in->first[s] = (2 * s + 1) % (2 * k);
        in->second[s] = is_double[s] ? 2 * s : -1;
    }
    in->n = in->x_start[k];
    in->m = in->y_start[k];
    in->x = morph_normals(&rng, in->n * sizes->genes);
    in->y = morph_normals(&rng, in->m * sizes->genes);
    in->eps = morph_normals(&rng, in->n * sizes->zc);
    for (sow_index i = 0; i < sizes->n_priors; i++) in->prior[i] = morph_normals(&rng, in->n_latent * sizes->prior[i]);
}

static inline void morph_input_clear(morph_input *in)
{
    free(in->x);
    free(in->y);
    free(in->eps);
    for (int i = 0; i < SOW_MORPH_MOST_PRIORS; i++) free(in->prior[i]);
    for (int i = 0; i < in->n_owned; i++) free(in->owned[i]);
    memset(in, 0, sizeof *in);
}

/* The same numbers in a dtype; doubles are handed out as they are. */
static inline const void *morph_typed(morph_input *in, const double *x, sow_index n, sow_dtype dtype)
{
    if (dtype == SOW_F64 || !x) return x;
    float *copy = malloc((size_t)(n + 1) * sizeof *copy);
    cr_assert(copy && in->n_owned < 16);
    for (sow_index i = 0; i < n; i++) copy[i] = (float)x[i];
    in->owned[in->n_owned++] = copy;
    return copy;
}

static inline sow_morph_batch morph_batch(morph_input *in, sow_dtype dtype)
{
    const sow_morph_sizes *s = &in->sizes;
    sow_morph_batch b = {.k = in->k, .x_start = in->x_start, .y_start = in->y_start, .segment = in->segment, .n_latent = in->n_latent, .first = in->first, .second = in->second};
    b.x = morph_typed(in, in->x, in->n * s->genes, dtype);
    b.y = morph_typed(in, in->y, in->m * s->genes, dtype);
    b.eps = morph_typed(in, in->eps, in->n * s->zc, dtype);
    for (sow_index i = 0; i < s->n_priors; i++) b.prior[i] = morph_typed(in, in->prior[i], in->n_latent * s->prior[i], dtype);
    return b;
}

static inline double morph_number(sow_tensor x, sow_index i)
{
    return x.dtype == SOW_F64 ? ((const double *)x.data)[i] : (double)((const float *)x.data)[i];
}

/* Largest difference of two arrays over max(1, largest of the second); NaN when a number is. */
static inline double morph_distance(sow_tensor ours, const double *theirs)
{
    double most = 0, scale = 1;
    for (sow_index i = 0; i < ours.rows * ours.cols; i++) {
        const double d = fabs(morph_number(ours, i) - theirs[i]);
        if (!(d <= most)) most = d;
        if (isnan(most)) return most;
        if (fabs(theirs[i]) > scale) scale = fabs(theirs[i]);
    }
    return most / scale;
}

/* ---- the naive twin ---- */

typedef struct {
    const morph_input *in;
    const sow_params *p; /* any dtype */
    const sow_morph_sizes *s;
    sow_index width; /* of u */
    double *mu, *logvar, *z, *latent, *z_ptb, *alpha[2], *u, *decoded; /* as sow_morph_values */
} naive_morph;

static inline double *naive_zeros(sow_index n)
{
    double *x = calloc((size_t)(n > 0 ? n : 1), sizeof *x);
    cr_assert(x);
    return x;
}

static inline double naive_param(const naive_morph *nm, const char *layer, const char *part, sow_index i)
{
    char name[48];
    snprintf(name, sizeof name, "%s%s", layer, part);
    const sow_index which = sow_params_find(nm->p, name);
    cr_assert_geq(which, 0, "no parameter %s", name);
    return morph_number(sow_params_value(nm->p, which), i);
}

static inline double naive_leaky(double x)
{
    return x > 0 ? x : 0.2 * x;
}

/* out = W x + b of one row. */
static inline void naive_linear(const naive_morph *nm, double *out, const double *x, const char *layer, sow_index n_in, sow_index n_out, int leaky)
{
    char weight[48];
    snprintf(weight, sizeof weight, "%s.weight", layer);
    const sow_index which = sow_params_find(nm->p, weight);
    cr_assert_geq(which, 0, "no parameter %s", weight);
    const sow_tensor w = sow_params_value(nm->p, which);
    for (sow_index o = 0; o < n_out; o++) {
        double sum = naive_param(nm, layer, ".bias", o);
        for (sow_index i = 0; i < n_in; i++) sum += morph_number(w, o * n_in + i) * x[i];
        out[o] = leaky ? naive_leaky(sum) : sum;
    }
}

static inline void naive_encode_cell(const naive_morph *nm, sow_index row, int with_eps)
{
    const sow_morph_sizes *s = nm->s;
    double *h1 = naive_zeros(s->encoder), *h2 = naive_zeros(s->hidden);
    const double *x = nm->in->x + row * s->genes;
    if (s->variant == SOW_MORPH_MOE) {
        naive_linear(nm, h2, x, "fc1", s->genes, s->hidden, 1);
    } else {
        naive_linear(nm, h1, x, "fc1", s->genes, s->encoder, 1);
        naive_linear(nm, h2, h1, "fc2", s->encoder, s->hidden, 1);
    }
    naive_linear(nm, nm->mu + row * s->zc, h2, "fc_mean", s->hidden, s->zc, 0);
    naive_linear(nm, nm->logvar + row * s->zc, h2, "fc_var", s->hidden, s->zc, 0);
    for (sow_index j = 0; j < s->zc; j++) {
        const sow_index i = row * s->zc + j;
        nm->z[i] = nm->mu[i] + (with_eps ? exp(nm->logvar[i] / 2) * nm->in->eps[i] : 0);
    }
    free(h1);
    free(h2);
}

static inline void naive_encode_prior(const naive_morph *nm, sow_index row)
{
    const sow_morph_sizes *s = nm->s;
    double h1[512], h2[256], all[3 * 256], *out = nm->latent + row * s->zp;
    if (s->variant != SOW_MORPH_MOE) {
        const sow_index w1 = s->zp > 150 ? 512 : 200, w2 = s->zp > 150 ? 256 : 150;
        naive_linear(nm, h1, nm->in->prior[0] + row * s->prior[0], "c1", s->prior[0], w1, 1);
        naive_linear(nm, h2, h1, "c2", w1, w2, 1);
        naive_linear(nm, out, h2, "c3", w2, s->zp, 1);
        return;
    }
    static const char *const expert[3][2] = {{"expert_1.0", "expert_1.2"}, {"expert_2.0", "expert_2.2"}, {"expert_3.0", "expert_3.2"}};
    for (int e = 0; e < 3; e++) {
        naive_linear(nm, h1, nm->in->prior[e] + row * s->prior[e], expert[e][0], s->prior[e], s->hidden, 1);
        naive_linear(nm, all + e * s->zp, h1, expert[e][1], s->hidden, s->zp, 1);
    }
    naive_linear(nm, out, all, "gate.0", 3 * s->zp, s->zp, 0);
    for (sow_index j = 0; j < s->zp; j++) out[j] = 1 / (1 + exp(-out[j]));
}

/* out = softmax(q . k / sqrt(width)) v of one row u; its weights go to alpha. */
static inline void naive_attend(const naive_morph *nm, double *out, const double *u, int layer, double *alpha)
{
    static const char *const name[2][3] = {{"W_Q1", "W_K1", "W_V1"}, {"W_Q2", "W_K2", "W_V2"}};
    const sow_index w = nm->width, programs = nm->s->programs, e = nm->s->program_dim;
    double *q = naive_zeros(w), *k = naive_zeros(w), *v = naive_zeros(w), *program = naive_zeros(e), total = 0;
    naive_linear(nm, q, u, name[layer][0], w, w, 0);
    memset(out, 0, (size_t)w * sizeof *out);
    for (sow_index g = 0; g < programs; g++) {
        double score = 0;
        for (sow_index j = 0; j < e; j++) program[j] = naive_param(nm, "geneset_mtrx", "", g * e + j);
        naive_linear(nm, k, program, name[layer][1], e, w, 0);
        naive_linear(nm, v, program, name[layer][2], e, w, 0);
        for (sow_index j = 0; j < w; j++) score += q[j] * k[j];
        alpha[g] = exp(score / sqrt((double)w));
        total += alpha[g];
        for (sow_index j = 0; j < w; j++) out[j] += alpha[g] * v[j];
    }
    for (sow_index g = 0; g < programs; g++) alpha[g] /= total;
    for (sow_index j = 0; j < w; j++) out[j] /= total;
    free(q);
    free(k);
    free(v);
    free(program);
}

static inline void naive_feed_forward(const naive_morph *nm, double *u, int layer)
{
    static const char *const name[2][3] = {{"FF1.0", "FF1.1", "FF1.3"}, {"FF2.0", "FF2.1", "FF2.3"}};
    const sow_index w = nm->width;
    double *a = naive_zeros(w), *b = naive_zeros(w), mean = 0, var = 0;
    for (sow_index j = 0; j < w; j++) mean += u[j] / (double)w;
    for (sow_index j = 0; j < w; j++) var += (u[j] - mean) * (u[j] - mean) / (double)w;
    for (sow_index j = 0; j < w; j++)
        a[j] = (u[j] - mean) / sqrt(var + 1e-5) * naive_param(nm, name[layer][0], ".weight", j) + naive_param(nm, name[layer][0], ".bias", j);
    naive_linear(nm, b, a, name[layer][1], w, w, 1);
    naive_linear(nm, a, b, name[layer][2], w, w, 0);
    for (sow_index j = 0; j < w; j++) u[j] += a[j];
    free(a);
    free(b);
}

/* Row 0..n-1 of the perturbed path, n..2n-1 of the control path. */
static inline void naive_trunk(const naive_morph *nm, sow_index row)
{
    const sow_morph_sizes *s = nm->s;
    const sow_index w = nm->width, n = nm->in->n, cell = row % n;
    const int control = row >= n;
    double *u = nm->u + row * w, *out = naive_zeros(w);
    for (sow_index j = 0; j < s->zc; j++) u[j] = nm->z[cell * s->zc + j];
    for (sow_index j = 0; j < s->zp; j++) u[s->zc + j] = control ? nm->latent[(nm->in->n_latent - 1) * s->zp + j] : nm->z_ptb[nm->in->segment[cell] * s->zp + j];
    for (int layer = 0; layer < 2; layer++) {
        const int dropped = (s->variant == SOW_MORPH_NO_RESIDUAL1 && layer == 0) || (s->variant == SOW_MORPH_NO_RESIDUAL1_AS_PUBLISHED && layer == control);
        naive_attend(nm, out, u, layer, nm->alpha[layer] + row * s->programs);
        for (sow_index j = 0; j < w; j++) u[j] = out[j] + (dropped ? 0 : u[j]);
        naive_feed_forward(nm, u, layer);
    }
    naive_linear(nm, nm->decoded + row * s->genes, u, "d1", w, s->genes, 1);
    free(out);
}

static inline void naive_morph_clear(naive_morph *nm)
{
    double *all[] = {nm->mu, nm->logvar, nm->z, nm->latent, nm->z_ptb, nm->alpha[0], nm->alpha[1], nm->u, nm->decoded};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) free(all[i]);
}

static inline naive_morph naive_morph_forward(const morph_input *in, const sow_params *p, int with_eps)
{
    const sow_morph_sizes *s = &in->sizes;
    naive_morph nm = {.in = in, .p = p, .s = s, .width = s->zc + s->zp};
    nm.mu = naive_zeros(in->n * s->zc);
    nm.logvar = naive_zeros(in->n * s->zc);
    nm.z = naive_zeros(in->n * s->zc);
    nm.latent = naive_zeros(in->n_latent * s->zp);
    nm.z_ptb = naive_zeros(in->k * s->zp);
    for (int i = 0; i < 2; i++) nm.alpha[i] = naive_zeros(2 * in->n * s->programs);
    nm.u = naive_zeros(2 * in->n * nm.width);
    nm.decoded = naive_zeros(2 * in->n * s->genes);
    for (sow_index i = 0; i < in->n; i++) naive_encode_cell(&nm, i, with_eps);
    for (sow_index i = 0; i < in->n_latent; i++) naive_encode_prior(&nm, i);
    for (sow_index i = 0; i < in->k; i++)
        for (sow_index j = 0; j < s->zp; j++)
            nm.z_ptb[i * s->zp + j] = nm.latent[in->first[i] * s->zp + j] + (in->second[i] >= 0 ? nm.latent[in->second[i] * s->zp + j] : 0);
    for (sow_index i = 0; i < 2 * in->n; i++) naive_trunk(&nm, i);
    return nm;
}

typedef struct {
    double pred, mmd_recon, mse, recon, kl, total;
} naive_losses;

static inline double naive_mmd(const double *x, sow_index n, const double *y, sow_index m, sow_index d, const sow_mmd_options *o)
{
    double value = NAN;
    cr_assert_eq(sow_mmd(&value, x, n, y, m, d, o, NULL, NULL), SOW_OK);
    return value;
}

/* Every term segment by segment, then the mean over segments. */
static inline naive_losses naive_morph_loss(const naive_morph *nm, const sow_morph_weights *w)
{
    const morph_input *in = nm->in;
    const sow_index d = nm->s->genes, zc = nm->s->zc;
    const double *y_hat = nm->decoded, *x_recon = nm->decoded + in->n * d;
    naive_losses l = {0};
    for (sow_index s = 0; s < in->k; s++) {
        const sow_index at = in->x_start[s], n = in->x_start[s + 1] - at, y_at = in->y_start[s], m = in->y_start[s + 1] - y_at;
        const double k = (double)in->k;
        l.pred += naive_mmd(y_hat + at * d, n, in->y + y_at * d, m, d, &w->mmd) / k;
        l.mmd_recon += naive_mmd(x_recon + at * d, n, in->x + at * d, n, d, &w->mmd) / k;
        for (sow_index i = at * d; i < (at + n) * d; i++) l.mse += (x_recon[i] - in->x[i]) * (x_recon[i] - in->x[i]) / (double)(n * d) / k;
        for (sow_index i = at * zc; i < (at + n) * zc; i++) l.kl -= 0.5 * (1 + nm->logvar[i] - nm->mu[i] * nm->mu[i] - exp(nm->logvar[i])) / (double)n / k;
    }
    l.recon = w->gamma1 * l.mmd_recon + w->gamma2 * l.mse;
    l.total = w->alpha * l.pred + l.recon + w->beta * l.kl;
    return l;
}

#endif
