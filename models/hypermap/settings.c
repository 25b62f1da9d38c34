/* What is not said is chosen here, and what does not go together is refused. */
#include <stdio.h>

#include "models/hypermap/row_internal.h"

static sow_index chosen(sow_index given, sow_index otherwise)
{
    return given > 0 ? given : otherwise;
}

static double chosen_number(double given, double otherwise)
{
    return given > 0 ? given : otherwise;
}

static sow_index count_references(const sow_training *t)
{
    sow_index n = 0;
    for (sow_index c = 0; c < t->n_contexts; c++)
        for (sow_index i = 0; i < t->n && c != t->target; i++)
            if (t->context[i] == c) {
                n++;
                break;
            }
    return n;
}

static void as_published(sow_hypermap_options *o)
{
    o->cells = 1;
    o->fusion = SOW_HYPERMAP_ROWS;
    o->method = o->method < 0 ? SOW_HYPERMAP_EXACT : o->method;
    o->split = SOW_HYPERMAP_BY_CELLS;
    o->network = 1;
    o->balanced = o->fresh_controls = o->stack = o->validate = 0;
}

/* What is not said; the embedding depends on the data. */
static void choose(sow_hypermap_options *o)
{
    if (o->reference) as_published(o);
    const int cells = o->cells;
    o->fusion = o->fusion < 0 ? SOW_HYPERMAP_CONTEXT : o->fusion;
    o->method = o->method < 0 ? SOW_HYPERMAP_EXACT : o->method;
    o->steps = chosen(o->steps, cells ? 50 : 200);
    o->tasks = chosen(o->tasks, 4);
    o->batch = chosen(o->batch, cells ? 512 : 20);
    o->inner_batches = chosen(o->inner_batches, cells ? 5 : 1);
    o->inner_steps = chosen(o->inner_steps, 5);
    o->adapt_steps = chosen(o->adapt_steps, cells ? 1 : 50); /* more than a task has: the target's seeds are all there is to learn it by */
    o->inner_rate = chosen_number(o->inner_rate, cells ? 0.005 : 0.002);
    o->adapt_rate = chosen_number(o->adapt_rate, o->inner_rate);
    o->meta_rate = chosen_number(o->meta_rate, cells ? 5e-4 : 1e-3);
    o->dropout = o->dropout < 0 ? (o->reference ? 0.2 : 0) : o->dropout;
    o->clip = o->clip < 0 ? (o->reference ? 0 : 10) : o->clip;
    o->latent = chosen(o->latent, cells ? 64 : 32);
    o->hidden = chosen(o->hidden, cells ? 256 : 64);
    o->members = chosen(o->members, cells ? 1 : 4);
}

/* Work and memory as scripts/bench hypermap-step and hypermap-train have them: a number of the network is about one product of a row; 3 passes a step and 9 more back through it; a graph holds its generated weights some
 * 4 times, 12 where it is differentiated twice. */
void sow_hypermap_effort(double *operations, double *bytes, const sow_hypermap_options *options, sow_index genes, sow_index embedding)
{
    sow_hypermap_options o = *options;
    choose(&o);
    const sow_hypermap_sizes s = {.genes = genes, .embedding = embedding, .latent = o.latent, .hidden = o.hidden, .fusion = (sow_hypermap_fusion)o.fusion, .no_cell_encoder = !o.cell_encoder, .no_hypernetwork = !o.hypernetwork};
    const double numbers = (double)sow_hypermap_numbers(&s), rows = (double)o.batch, inner = o.method == SOW_HYPERMAP_JOINT ? 0 : (double)(o.inner_batches * o.inner_steps);
    const int exact = o.method == SOW_HYPERMAP_EXACT;
    *operations = 2 * rows * numbers * (double)(o.tasks * o.steps * o.members) * (3 * (inner + 1) + (exact ? 9 * inner : 0));
    *bytes = 4 * (numbers * (14 + (exact ? inner : 0)) + rows * ((exact ? 12 : 4) * (double)(o.hidden * o.latent) + (double)(o.inner_batches + 1) * 2 * (double)genes));
}

static int has_prior(const sow_training *t)
{
    return t->priors && t->priors->fused_dim > 0;
}

static sow_status choose_embedding(sow_hypermap_options *o, const sow_training *t, sow_index references, sow_error *err)
{
    if (o->embedding == SOW_EMBED_PRIOR && !has_prior(t)) return SOW_ERROR(err, SOW_E_CONFIG, "model.hypermap.embedding 'prior': the campaign has no priors; add `priors:`, or use response or one-hot");
    if (o->embedding == SOW_EMBED_RESPONSE && references < 2)
        return SOW_ERROR(err, SOW_E_CONFIG, "model.hypermap.embedding 'response' tells a perturbation by what it does in other contexts: two reference contexts are needed, there is one");
    if (o->embedding != SOW_EMBED_AUTO) return SOW_OK;
    o->embedding = !o->reference && references >= 2 ? SOW_EMBED_RESPONSE : has_prior(t) ? SOW_EMBED_PRIOR : SOW_EMBED_ONE_HOT;
    return SOW_OK;
}

static void fill_learning(sow_i_hypermap_settings *s)
{
    const sow_hypermap_options *o = &s->o;
    s->learning = (sow_hypermap_learning)SOW_HYPERMAP_LEARNING_INIT;
    s->learning.steps = o->steps;
    s->learning.tasks = o->tasks;
    s->learning.batch = o->batch;
    s->learning.inner_batches = o->inner_batches;
    s->learning.inner_steps = o->inner_steps;
    s->learning.inner_rate = o->inner_rate;
    s->learning.adapt_rate = o->adapt_rate;
    s->learning.adapt_steps = o->adapt_steps;
    s->learning.adapt_size = o->reference || o->cells ? 0 : o->batch;
    s->learning.meta_rate = o->meta_rate;
    s->learning.dropout = o->dropout;
    s->learning.clip = o->clip;
    s->learning.method = (sow_hypermap_method)o->method;
    s->learning.split = (sow_hypermap_split)o->split;
    s->learning.balanced = o->balanced;
    s->learning.fresh_controls = o->fresh_controls;
    s->learning.patience = o->patience;
}

sow_status sow_i_hypermap_settle(sow_i_hypermap_settings *s, const sow_model_options *options, const sow_training *t, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index references = count_references(t);
    sow_hypermap_options *o = &s->o;
    *s = (sow_i_hypermap_settings){.o = options->hypermap, .seed = options->seed, .components = options->components, .sizes = SOW_HYPERMAP_SIZES_INIT};
    if (references == 0) SOW_FAIL(err, SOW_E_CONFIG, "model 'hypermap' carries responses over from other contexts, and there is none: add a source with `role: reference`, or use gp or morph");
    if (o->reference && o->embedding == SOW_EMBED_RESPONSE)
        SOW_FAIL(err, SOW_E_CONFIG, "model.hypermap.embedding: with mode reference perturbations are told by a prior or one-hot, not by their responses elsewhere");
    if (o->reference) o->cells = o->network = 1;
    if (!o->network) goto done;
    if (o->cells && !t->cells_of) SOW_FAIL(err, SOW_E_CONFIG, "model 'hypermap' with %s learns from single cells; this screen's values have none behind them", o->reference ? "mode reference" : "model.hypermap.rows cells");
    SOW_TRY(choose_embedding(o, t, references, err));
    choose(o);
    s->sizes.latent = o->latent;
    s->sizes.hidden = o->hidden;
    s->sizes.fusion = (sow_hypermap_fusion)o->fusion;
    s->sizes.no_cell_encoder = !o->cell_encoder || !t->cells_of;
    s->sizes.no_hypernetwork = !o->hypernetwork;
    fill_learning(s);
done:
    return st;
}
