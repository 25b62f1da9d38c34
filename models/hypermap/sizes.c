/* Widths and parameters of HyperMap. The order is the published optimiser's: cell encoder, perturbation encoder, hypernetwork, projection, fusion. */
#include "models/hypermap/hypermap.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

enum { MOST_PARAMS = 26, NAME = 48 };

typedef struct {
    sow_param_spec spec[MOST_PARAMS];
    char name[MOST_PARAMS][NAME];
    sow_index n;
} spec_list;

static void add_linear(spec_list *l, const char *block, const char *layer, sow_index in, sow_index out)
{
    const double bound = 1 / sqrt((double)in);
    for (int bias = 0; bias < 2; bias++) {
        assert(l->n < MOST_PARAMS);
        snprintf(l->name[l->n], NAME, "%s.%s.%s", block, layer, bias ? "bias" : "weight");
        l->spec[l->n] = (sow_param_spec){l->name[l->n], bias ? 1 : out, bias ? out : in, bound, 0};
        l->n++;
    }
}

static void add_encoder(spec_list *l, const char *block, sow_index in, const sow_hypermap_sizes *s)
{
    add_linear(l, block, "net.0", in, s->hidden);
    add_linear(l, block, "net.3", s->hidden, s->hidden);
    add_linear(l, block, "fc_mean", s->hidden, s->latent);
}

sow_index sow_hypermap_cell_width(const sow_hypermap_sizes *s)
{
    return s->cells > 0 ? s->cells : s->genes;
}

static void list_params(spec_list *l, const sow_hypermap_sizes *s)
{
    const int alone = s->fusion == SOW_HYPERMAP_CONTEXT;
    l->n = 0;
    if (!s->no_cell_encoder) add_encoder(l, "CellEncoder", sow_hypermap_cell_width(s), s);
    add_encoder(l, "PerturbationEncoder", s->embedding, s);
    if (s->no_hypernetwork) {
        add_linear(l, "Mixer", "linear", 2 * s->latent, s->hidden);
        add_linear(l, "Predictor", "projection_output", s->hidden, s->genes);
        return;
    }
    add_linear(l, "HyperNetwork", "weight_generator.0", alone ? s->latent : 2 * s->latent, s->hidden);
    add_linear(l, "HyperNetwork", "weight_generator.2", s->hidden, s->hidden * s->latent + s->hidden);
    add_linear(l, "Predictor", "projection_output", s->hidden, s->genes);
    if (alone) return;
    if (s->fusion != SOW_HYPERMAP_WHOLE) {
        add_linear(l, "ContextFusion", "query_proj", s->latent, s->latent);
        add_linear(l, "ContextFusion", "key_proj", s->latent, s->latent);
    }
    if (s->fusion == SOW_HYPERMAP_TOKENS) add_linear(l, "ContextFusion", "tokens", s->latent, SOW_HYPERMAP_N_TOKENS);
    add_linear(l, "ContextFusion", "value_proj", s->fusion == SOW_HYPERMAP_TOKENS ? SOW_HYPERMAP_N_TOKENS : s->latent, s->latent);
}

static sow_status check_sizes(const sow_hypermap_sizes *s, sow_error *err)
{
    const struct {
        const char *what;
        sow_index value, most;
    } width[] = {{"genes", s->genes, INT32_MAX}, {"a cell", sow_hypermap_cell_width(s), INT32_MAX}, {"the embedding", s->embedding, INT32_MAX}, {"the latent", s->latent, 4096}, {"the hidden layer", s->hidden, 4096}};
    for (size_t i = 0; i < sizeof width / sizeof width[0]; i++)
        if (width[i].value < 1 || width[i].value > width[i].most)
            return SOW_ERROR(err, SOW_E_ARG, "hypermap: %s must be 1 to %lld wide, not %lld", width[i].what, (long long)width[i].most, (long long)width[i].value);
    return SOW_OK;
}

sow_status sow_hypermap_params_create(sow_params **out, const sow_hypermap_sizes *sizes, sow_dtype dtype, uint64_t seed, uint32_t network, sow_error *err)
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

sow_index sow_hypermap_numbers(const sow_hypermap_sizes *sizes)
{
    spec_list list;
    list_params(&list, sizes);
    sow_index n = 0;
    for (sow_index i = 0; i < list.n; i++) n += list.spec[i].rows * list.spec[i].cols;
    return n;
}
