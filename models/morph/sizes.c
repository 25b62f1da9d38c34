/* Widths and parameters of MORPH. The order is the optimiser's of the published code: the program matrix first, though it is made after the encoder's heads. */
#include "models/morph/morph.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

enum { MOST_PARAMS = 48, NAME = 24 };

typedef struct {
    sow_param_spec spec[MOST_PARAMS];
    char name[MOST_PARAMS][NAME];
    sow_index n;
} spec_list;

static void add(spec_list *l, const char *layer, const char *part, sow_index rows, sow_index cols, double bound, double fill)
{
    assert(l->n < MOST_PARAMS);
    snprintf(l->name[l->n], NAME, "%s%s", layer, part);
    l->spec[l->n] = (sow_param_spec){l->name[l->n], rows, cols, bound, fill};
    l->n++;
}

static void add_linear(spec_list *l, const char *layer, sow_index in, sow_index out)
{
    const double bound = 1 / sqrt((double)in);
    add(l, layer, ".weight", out, in, bound, 0);
    add(l, layer, ".bias", 1, out, bound, 0);
}

static void add_norm(spec_list *l, const char *layer, sow_index width)
{
    add(l, layer, ".weight", 1, width, 0, 1);
    add(l, layer, ".bias", 1, width, 0, 0);
}

static void add_cell_encoder(spec_list *l, const sow_morph_sizes *s)
{
    const int short_one = s->variant == SOW_MORPH_MOE;
    add_linear(l, "fc1", s->genes, short_one ? s->hidden : s->encoder);
    if (!short_one) add_linear(l, "fc2", s->encoder, s->hidden);
    add_linear(l, "fc_mean", s->hidden, s->zc);
    add_linear(l, "fc_var", s->hidden, s->zc);
}

/* 200 and 150 wide, or 512 and 256 for a latent that would not go through 150. */
static void add_perturbation_encoder(spec_list *l, const sow_morph_sizes *s)
{
    const int wide = s->zp > 150;
    add_linear(l, "c1", s->prior[0], wide ? 512 : 200);
    add_linear(l, "c2", wide ? 512 : 200, wide ? 256 : 150);
    add_linear(l, "c3", wide ? 256 : 150, s->zp);
}

static void add_experts(spec_list *l, const sow_morph_sizes *s)
{
    static const char *const name[SOW_MORPH_MOST_PRIORS][2] = {{"expert_1.0", "expert_1.2"}, {"expert_2.0", "expert_2.2"}, {"expert_3.0", "expert_3.2"}};
    for (int i = 0; i < SOW_MORPH_MOST_PRIORS; i++) {
        add_linear(l, name[i][0], s->prior[i], s->hidden);
        add_linear(l, name[i][1], s->hidden, s->zp);
    }
    add_linear(l, "gate.0", SOW_MORPH_MOST_PRIORS * s->zp, s->zp);
}

static void add_trunk(spec_list *l, const sow_morph_sizes *s)
{
    static const char *const queries[] = {"W_Q1", "W_Q2"}, *const keys[] = {"W_K1", "W_K2"}, *const values[] = {"W_V1", "W_V2"};
    static const char *const blocks[][3] = {{"FF1.0", "FF1.1", "FF1.3"}, {"FF2.0", "FF2.1", "FF2.3"}};
    const sow_index width = s->zc + s->zp;
    for (int i = 0; i < 2; i++) {
        add_linear(l, queries[i], width, width);
        add_linear(l, keys[i], s->program_dim, width);
        add_linear(l, values[i], s->program_dim, width);
    }
    for (int i = 0; i < 2; i++) {
        add_norm(l, blocks[i][0], width);
        add_linear(l, blocks[i][1], width, width);
        add_linear(l, blocks[i][2], width, width);
    }
    add_linear(l, "d1", width, s->genes);
}

static void list_params(spec_list *l, const sow_morph_sizes *s)
{
    l->n = 0;
    add(l, "geneset_mtrx", "", s->programs, s->program_dim, -1, 0);
    add_cell_encoder(l, s);
    if (s->variant == SOW_MORPH_MOE)
        add_experts(l, s);
    else
        add_perturbation_encoder(l, s);
    add_trunk(l, s);
}

static sow_status check_sizes(const sow_morph_sizes *s, sow_error *err)
{
    const struct {
        const char *what;
        sow_index value, most;
    } width[] = {{"genes", s->genes, INT32_MAX},        {"the cell latent", s->zc, 1 << 20},        {"the perturbation latent", s->zp, 256},
                 {"programs", s->programs, 1 << 20},    {"the dimension of a program", s->program_dim, 1 << 20},
                 {"the hidden layer", s->hidden, 1 << 20}, {"the cell encoder", s->encoder, 1 << 20}};
    for (size_t i = 0; i < sizeof width / sizeof width[0]; i++)
        if (width[i].value < 1 || width[i].value > width[i].most)
            return SOW_ERROR(err, SOW_E_ARG, "morph: %s must be 1 to %lld wide, not %lld", width[i].what, (long long)width[i].most, (long long)width[i].value);
    const sow_index priors = s->variant == SOW_MORPH_MOE ? SOW_MORPH_MOST_PRIORS : 1;
    if (s->n_priors != priors)
        return SOW_ERROR(err, SOW_E_ARG, "morph: the variant %s takes %lld prior%s, not %lld", s->variant == SOW_MORPH_MOE ? "moe" : "with one perturbation encoder",
                         (long long)priors, priors == 1 ? "" : "s", (long long)s->n_priors);
    for (sow_index i = 0; i < priors; i++)
        if (s->prior[i] < 1) return SOW_ERROR(err, SOW_E_ARG, "morph: prior %lld has %lld columns; at least 1 is needed", (long long)i + 1, (long long)s->prior[i]);
    return SOW_OK;
}

sow_status sow_morph_params_create(sow_params **out, const sow_morph_sizes *sizes, sow_dtype dtype, uint64_t seed, uint32_t network, sow_error *err)
{
    sow_status st = SOW_OK;
    *out = NULL;
    SOW_TRY(check_sizes(sizes, err));
    spec_list list;
    list_params(&list, sizes);
    SOW_TRY(sow_params_create(out, list.spec, list.n, dtype, seed, network, err));
done:
    return st;
}

sow_index sow_morph_numbers(const sow_morph_sizes *sizes)
{
    spec_list list;
    list_params(&list, sizes);
    sow_index n = 0;
    for (sow_index i = 0; i < list.n; i++) n += list.spec[i].rows * list.spec[i].cols;
    return n;
}
