/* MORPH's forward pass on the tape (../morph.h has the equations). Symbols: x control cells, z their latent, p latent of a perturbation, u = [z, p], P the program matrix.
 * Both paths, perturbed and control, are one batch of 2 n rows, perturbed first: they share every weight, and keys and values of a layer are made once. A prior row is encoded once however many
 * cells and segments have it. */
#include "models/morph/morph.h"

#include <stdio.h>

typedef struct {
    sow_tape *t;
    sow_params *p;
    const sow_morph_sizes *sizes;
    const sow_morph_batch *batch;
    sow_index n; /* control cells */
} network;

static sow_var param(const network *net, const char *layer, const char *part)
{
    char name[32];
    snprintf(name, sizeof name, "%s%s", layer, part);
    return sow_tape_param(net->t, net->p, sow_params_find(net->p, name));
}

static sow_var linear(const network *net, sow_var x, const char *layer, sow_activation act)
{
    return sow_op_linear(net->t, x, param(net, layer, ".weight"), param(net, layer, ".bias"), act);
}

/* mu, log variance and z = mu + exp(logvar / 2) eps of every control cell. */
static void encode_cells(const network *net, sow_morph_values *v)
{
    sow_tape *t = net->t;
    sow_var h = linear(net, sow_tape_constant(t, net->batch->x, net->n, net->sizes->genes), "fc1", SOW_ACT_LEAKY_RELU);
    if (net->sizes->variant != SOW_MORPH_MOE) h = linear(net, h, "fc2", SOW_ACT_LEAKY_RELU);
    v->mu = linear(net, h, "fc_mean", SOW_ACT_NONE);
    v->logvar = linear(net, h, "fc_var", SOW_ACT_NONE);
    v->z = v->mu;
    if (!net->batch->eps) return;
    const sow_var eps = sow_tape_constant(t, net->batch->eps, net->n, net->sizes->zc);
    v->z = sow_op_add(t, v->mu, sow_op_mul(t, sow_op_exp(t, sow_op_scale(t, v->logvar, 0.5)), eps));
}

static sow_var prior(const network *net, int i)
{
    return sow_tape_constant(net->t, net->batch->prior[i], net->batch->n_latent, net->sizes->prior[i]);
}

static sow_var encode_prior(const network *net)
{
    sow_var h = linear(net, prior(net, 0), "c1", SOW_ACT_LEAKY_RELU);
    h = linear(net, h, "c2", SOW_ACT_LEAKY_RELU);
    return linear(net, h, "c3", SOW_ACT_LEAKY_RELU);
}

static sow_var expert(const network *net, int i)
{
    static const char *const name[SOW_MORPH_MOST_PRIORS][2] = {{"expert_1.0", "expert_1.2"}, {"expert_2.0", "expert_2.2"}, {"expert_3.0", "expert_3.2"}};
    return linear(net, linear(net, prior(net, i), name[i][0], SOW_ACT_LEAKY_RELU), name[i][1], SOW_ACT_LEAKY_RELU);
}

/* The "gate" does not weigh the experts: its value is the latent. */
static sow_var encode_three_priors(const network *net)
{
    sow_var all = expert(net, 0);
    for (int i = 1; i < SOW_MORPH_MOST_PRIORS; i++) all = sow_op_join_columns(net->t, all, expert(net, i));
    return linear(net, all, "gate.0", SOW_ACT_SIGMOID);
}

/* The latent of each segment's perturbation: that of its gene, or the sum of two. Singles among doubles take a row of zeros, put in front, as their second. */
static sow_var perturbation_latent(const network *net, sow_var latent)
{
    sow_tape *t = net->t;
    const sow_morph_batch *b = net->batch;
    const sow_var one = sow_op_gather(t, latent, b->first, b->k);
    sow_index doubles = 0;
    for (sow_index s = 0; s < b->k; s++) doubles += b->second[s] >= 0;
    if (!doubles) return one;
    sow_index *second = sow_tape_scratch(t, (size_t)b->k * sizeof *second);
    const float *zeros = sow_tape_scratch(t, (size_t)net->sizes->zp * sizeof *zeros);
    if (!second || !zeros) return SOW_NO_VAR;
    for (sow_index s = 0; s < b->k; s++) second[s] = b->second[s] + 1;
    const sow_var none_first = sow_op_join_rows(t, sow_tape_floats(t, zeros, 1, net->sizes->zp), latent);
    return sow_op_add(t, one, sow_op_gather(t, none_first, second, b->k));
}

/* [2 n, zc + zp]: every control cell with its perturbation's latent, and once more with the null label's, which is put in front of the segments'. */
static sow_var queries(const network *net, const sow_morph_values *v)
{
    sow_tape *t = net->t;
    const sow_morph_batch *b = net->batch;
    sow_index *row = sow_tape_scratch(t, 2 * (size_t)net->n * sizeof *row);
    if (!row) return SOW_NO_VAR;
    for (sow_index i = 0; i < net->n; i++) {
        row[i] = b->segment[i] + 1;
        row[net->n + i] = 0;
    }
    const sow_var null_first = sow_op_join_rows(t, sow_op_rows(t, v->latent, b->n_latent - 1, 1), v->z_ptb);
    return sow_op_join_columns(t, sow_op_join_rows(t, v->z, v->z), sow_op_gather(t, null_first, row, 2 * net->n));
}

/* out + u, in the perturbed rows and in the control rows each only if asked for. */
static sow_var residual(const network *net, sow_var out, sow_var u, int perturbed, int control)
{
    sow_tape *t = net->t;
    if (perturbed && control) return sow_op_add(t, out, u);
    if (!perturbed && !control) return out;
    sow_var half[2];
    for (int i = 0; i < 2; i++) {
        half[i] = sow_op_rows(t, out, i * net->n, net->n);
        if (i == 0 ? perturbed : control) half[i] = sow_op_add(t, half[i], sow_op_rows(t, u, i * net->n, net->n));
    }
    return sow_op_join_rows(t, half[0], half[1]);
}

typedef struct {
    const char *query, *key, *value, *norm, *first, *second;
} layer_names;

static const layer_names layers[2] = {{"W_Q1", "W_K1", "W_V1", "FF1.0", "FF1.1", "FF1.3"}, {"W_Q2", "W_K2", "W_V2", "FF2.0", "FF2.1", "FF2.3"}};

/* attend(Wq u; K = P Wk', V = P Wv'). */
static sow_var attend(const network *net, sow_var u, sow_var programs, const layer_names *name, sow_var *alpha)
{
    const sow_var q = linear(net, u, name->query, SOW_ACT_NONE);
    const sow_var k = linear(net, programs, name->key, SOW_ACT_NONE);
    const sow_var v = linear(net, programs, name->value, SOW_ACT_NONE);
    return sow_op_attend(net->t, q, k, v, alpha);
}

/* FF(layer norm(u)) + u. */
static sow_var feed_forward(const network *net, sow_var u, const layer_names *name)
{
    sow_var h = sow_op_layer_norm(net->t, u, param(net, name->norm, ".weight"), param(net, name->norm, ".bias"), 1e-5);
    h = linear(net, h, name->first, SOW_ACT_LEAKY_RELU);
    return sow_op_add(net->t, linear(net, h, name->second, SOW_ACT_NONE), u);
}

/* Which residual a variant leaves out: none; the first in both paths (the paper's intent); or the first in the perturbed and the second in the control path (its code). */
static sow_var trunk(const network *net, sow_var u, sow_morph_values *v)
{
    const sow_morph_variant variant = net->sizes->variant;
    const int intent = variant == SOW_MORPH_NO_RESIDUAL1, slip = variant == SOW_MORPH_NO_RESIDUAL1_AS_PUBLISHED;
    const sow_var programs = param(net, "geneset_mtrx", "");
    u = residual(net, attend(net, u, programs, &layers[0], &v->alpha1), u, !intent && !slip, !intent);
    u = feed_forward(net, u, &layers[0]);
    u = residual(net, attend(net, u, programs, &layers[1], &v->alpha2), u, 1, !slip);
    return feed_forward(net, u, &layers[1]);
}

void sow_morph_forward(sow_morph_values *out, sow_tape *t, sow_params *p, const sow_morph_sizes *sizes, const sow_morph_batch *batch)
{
    const network net = {t, p, sizes, batch, batch->x_start[batch->k]};
    encode_cells(&net, out);
    out->latent = sizes->variant == SOW_MORPH_MOE ? encode_three_priors(&net) : encode_prior(&net);
    out->z_ptb = perturbation_latent(&net, out->latent);
    out->u = trunk(&net, queries(&net, out), out);
    out->decoded = linear(&net, out->u, "d1", SOW_ACT_LEAKY_RELU);
    out->y_hat = sow_op_rows(t, out->decoded, 0, net.n);
    out->x_recon = sow_op_rows(t, out->decoded, net.n, net.n);
    if (sizes->paired) out->y_hat = sow_op_add(t, sow_tape_constant(t, batch->x, net.n, sizes->genes), sow_op_sub(t, out->y_hat, out->x_recon));
}

sow_var sow_morph_latent(sow_tape *t, sow_params *p, const sow_morph_sizes *sizes, const void *const *priors, sow_index n)
{
    sow_morph_batch batch = {.n_latent = n};
    for (sow_index i = 0; i < sizes->n_priors; i++) batch.prior[i] = priors[i];
    const network net = {t, p, sizes, &batch, 0};
    return sizes->variant == SOW_MORPH_MOE ? encode_three_priors(&net) : encode_prior(&net);
}
