/* The network of loss-prediction and its criteria, on the tape. */
#include "acquisition/loss_network.h"

#include <math.h>
#include <string.h>

static const char *const form_name[] = {"published", "regression", "binned", "ranking"};

sow_status sow_i_loss_form_find(sow_i_loss_form *out, const char *name, sow_error *err)
{
    *out = SOW_I_LOSS_REGRESSION;
    if (!name) return SOW_OK;
    for (int f = SOW_I_LOSS_PUBLISHED; f <= SOW_I_LOSS_RANKING; f++)
        if (strcmp(name, form_name[f]) == 0) {
            *out = (sow_i_loss_form)f;
            return SOW_OK;
        }
    return SOW_ERROR(err, SOW_E_CONFIG, "acquisition.loss_form is '%s': regression, binned, ranking or published are allowed", name);
}

sow_index sow_i_loss_outputs(sow_i_loss_form form)
{
    return form == SOW_I_LOSS_BINNED ? SOW_I_LOSS_BINS : 1;
}

sow_index sow_i_loss_hidden(sow_index dim, sow_index outputs)
{
    return dim / 2 > outputs ? dim / 2 : outputs;
}

sow_status sow_i_loss_params(sow_params **out, sow_index dim, sow_index outputs, sow_dtype dtype, uint64_t seed, uint32_t network,
                             sow_error *err)
{
    const sow_index hidden = sow_i_loss_hidden(dim, outputs);
    const double bound1 = 1 / sqrt((double)dim), bound2 = 1 / sqrt((double)hidden);
    const sow_param_spec spec[] = {{"fc1.weight", hidden, dim, bound1, 0},
                                   {"fc1.bias", 1, hidden, bound1, 0},
                                   {"fc2.weight", outputs, hidden, bound2, 0},
                                   {"fc2.bias", 1, outputs, bound2, 0}};
    return sow_params_create(out, spec, 4, dtype, seed, network, err);
}

sow_var sow_i_loss_forward(sow_tape *t, sow_params *p, sow_var x)
{
    const sow_var hidden = sow_op_linear(t, x, sow_tape_param(t, p, 0), sow_tape_param(t, p, 1), SOW_ACT_LEAKY_RELU);
    return sow_op_linear(t, hidden, sow_tape_param(t, p, 2), sow_tape_param(t, p, 3), SOW_ACT_NONE);
}

/* log(1 + exp(low - high)) is the cross-entropy of (high, low) with class 0. */
sow_var sow_i_loss_pairs(sow_tape *t, sow_var score, const sow_index *higher, const sow_index *lower, const sow_index *first, sow_index n)
{
    const sow_var high = sow_op_gather(t, score, higher, n), low = sow_op_gather(t, score, lower, n);
    return sow_op_cross_entropy(t, sow_op_join_columns(t, high, low), first);
}

/* torch.linspace on CPU counts up from the lowest in its first eight steps and from a point seven steps below the highest after; the
 * point is rounded once, each product and sum by itself. */
void sow_i_loss_edges(float edges[SOW_I_LOSS_BINS + 1], double lowest, double highest)
{
    enum { HALF = (SOW_I_LOSS_BINS + 1) / 2 };
    const float low = (float)lowest, high = (float)highest, step = (high - low) / SOW_I_LOSS_BINS;
    const float middle = (float)((double)high - (HALF - 1) * (double)step);
    for (int k = 0; k < HALF; k++) {
        const float ahead = (float)(k * (double)step);
        edges[k] = low + ahead;
        edges[HALF + k] = middle + ahead;
    }
}

sow_index sow_i_loss_bin(double loss, const float edges[SOW_I_LOSS_BINS + 1])
{
    sow_index bin = 0;
    while (bin < SOW_I_LOSS_BINS - 1 && loss > (double)edges[bin + 1])
        bin++;
    return bin;
}
