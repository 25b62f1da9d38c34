/* HyperMap's forward pass on the tape (hypermap.h has the equations). Generated weights are made by two layers that share the rows of one matrix of parameters, so that [n, hidden latent + hidden] is never cut. */
#include "models/hypermap/hypermap.h"

#include <math.h>
#include <stdio.h>

typedef struct {
    sow_tape *t;
    sow_params *p;
    const sow_hypermap_sizes *sizes;
    const sow_hypermap_batch *batch;
    const sow_hypermap_dropout *dropout;
} network;

static sow_var param(const network *net, const char *layer, const char *part)
{
    char name[64];
    snprintf(name, sizeof name, "%s.%s", layer, part);
    return sow_tape_param(net->t, net->p, sow_params_find(net->p, name));
}

static sow_var linear(const network *net, sow_var x, const char *layer, sow_activation act)
{
    return sow_op_linear(net->t, x, param(net, layer, "weight"), param(net, layer, "bias"), act);
}

/* The i-th dropout of a pass. */
static sow_var drop(const network *net, sow_var h, int i)
{
    const sow_hypermap_dropout *d = net->dropout;
    if (!d || (d->rate == 0 && !d->mask[i])) return h;
    if (!d->mask[i]) return sow_op_dropout(net->t, h, d->rate, d->seed, d->stream, 4 * d->call + (uint32_t)i);
    const sow_tensor x = sow_tape_value(net->t, h);
    return sow_op_mul(net->t, h, sow_tape_constant(net->t, d->mask[i], x.rows, x.cols));
}

typedef struct {
    const char *first, *second, *last;
} encoder_names;

static sow_var encode(const network *net, sow_var x, const encoder_names *name, int first_mask)
{
    sow_var h = drop(net, linear(net, x, name->first, SOW_ACT_LEAKY_RELU_10), first_mask);
    h = drop(net, linear(net, h, name->second, SOW_ACT_LEAKY_RELU_10), first_mask + 1);
    return linear(net, h, name->last, SOW_ACT_NONE);
}

static sow_var spread(const network *net, sow_var latent, const sow_index *row)
{
    return row ? sow_op_gather(net->t, latent, row, net->batch->n) : latent;
}

/* c from learned tokens: their scores and their values are rows of two matrices. */
static void fuse_tokens(const network *net, sow_hypermap_values *v)
{
    sow_tape *t = net->t;
    const sow_var q = linear(net, v->zc, "ContextFusion.query_proj", SOW_ACT_NONE), k = linear(net, v->zp, "ContextFusion.key_proj", SOW_ACT_NONE);
    v->score = sow_op_scale(t, linear(net, sow_op_add(t, q, k), "ContextFusion.tokens", SOW_ACT_NONE), 1 / sqrt((double)net->sizes->latent));
    v->weight = sow_op_softmax(t, v->score);
    v->fused = linear(net, v->weight, "ContextFusion.value_proj", SOW_ACT_NONE);
}

/* c, and what it is made of. */
static void fuse(const network *net, sow_hypermap_values *v)
{
    sow_tape *t = net->t;
    if (net->sizes->fusion == SOW_HYPERMAP_TOKENS) {
        fuse_tokens(net, v);
        return;
    }
    v->fused = linear(net, v->zp, "ContextFusion.value_proj", SOW_ACT_NONE);
    if (net->sizes->fusion == SOW_HYPERMAP_WHOLE) return;
    const sow_var q = linear(net, v->zc, "ContextFusion.query_proj", SOW_ACT_NONE), k = linear(net, v->zp, "ContextFusion.key_proj", SOW_ACT_NONE);
    v->score = sow_op_scale(t, sow_op_sum_columns(t, sow_op_mul(t, q, k)), 1 / sqrt((double)net->sizes->latent));
    if (net->sizes->fusion == SOW_HYPERMAP_ROWS)
        v->weight = sow_op_transpose(t, sow_op_softmax(t, sow_op_transpose(t, v->score)));
    else
        v->weight = sow_op_activate(t, v->score, SOW_ACT_SIGMOID);
    v->fused = sow_op_mul(t, v->fused, v->weight);
}

static void generate(const network *net, sow_hypermap_values *v)
{
    sow_tape *t = net->t;
    const sow_index matrix = net->sizes->hidden * net->sizes->latent, bias = net->sizes->hidden;
    const sow_var in = v->fused == SOW_NO_VAR ? v->zc : sow_op_join_columns(t, v->zc, v->fused);
    const sow_var h = linear(net, in, "HyperNetwork.weight_generator.0", SOW_ACT_RELU);
    const sow_var w = param(net, "HyperNetwork.weight_generator.2", "weight"), b = param(net, "HyperNetwork.weight_generator.2", "bias");
    v->matrices = sow_op_linear(t, h, sow_op_rows(t, w, 0, matrix), sow_op_columns(t, b, 0, matrix), SOW_ACT_NONE);
    v->biases = sow_op_linear(t, h, sow_op_rows(t, w, matrix, bias), sow_op_columns(t, b, matrix, bias), SOW_ACT_NONE);
}

/* The hidden layer [n, hidden] before its activation. */
static sow_var mix(const network *net, sow_hypermap_values *v)
{
    sow_tape *t = net->t;
    if (net->sizes->no_hypernetwork) return linear(net, sow_op_join_columns(t, v->zc, v->zp), "Mixer.linear", SOW_ACT_NONE);
    if (net->sizes->fusion != SOW_HYPERMAP_CONTEXT) fuse(net, v);
    generate(net, v);
    return sow_op_add(t, sow_op_matvec_each(t, v->matrices, v->zp, net->sizes->hidden), v->biases);
}

static sow_var encode_cells(const network *net, sow_var zp)
{
    static const encoder_names of_cells = {"CellEncoder.net.0", "CellEncoder.net.3", "CellEncoder.fc_mean"};
    const sow_hypermap_batch *b = net->batch;
    if (net->sizes->no_cell_encoder) return sow_op_scale(net->t, zp, 0);
    return spread(net, encode(net, sow_tape_constant(net->t, b->x, b->n_x, sow_hypermap_cell_width(net->sizes)), &of_cells, 0), b->x_row);
}

void sow_hypermap_forward(sow_hypermap_values *out, sow_tape *t, sow_params *p, const sow_hypermap_sizes *sizes, const sow_hypermap_batch *batch, const sow_hypermap_dropout *dropout)
{
    static const encoder_names of_perturbations = {"PerturbationEncoder.net.0", "PerturbationEncoder.net.3", "PerturbationEncoder.fc_mean"};
    const network net = {t, p, sizes, batch, dropout};
    sow_hypermap_values v = {.score = SOW_NO_VAR, .weight = SOW_NO_VAR, .fused = SOW_NO_VAR, .matrices = SOW_NO_VAR, .biases = SOW_NO_VAR, .loss = SOW_NO_VAR};
    v.zp = spread(&net, encode(&net, sow_tape_constant(t, batch->e, batch->n_e, sizes->embedding), &of_perturbations, 2), batch->e_row);
    v.zc = encode_cells(&net, v.zp);
    const sow_var moved = mix(&net, &v);
    v.out = linear(&net, sow_op_activate(t, moved, SOW_ACT_LEAKY_RELU_10), "Predictor.projection_output", SOW_ACT_NONE);
    if (batch->y) v.loss = sow_op_scale(t, sow_op_mse(t, v.out, sow_tape_constant(t, batch->y, batch->n, sizes->genes)), 0.5 * (double)sizes->genes);
    *out = v;
}
