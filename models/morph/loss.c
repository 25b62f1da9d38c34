/* MORPH's loss: means over segments, so that k segments give the mean of what each would give alone. */
#include "models/morph/morph.h"

/* Do all segments have the same number of rows? Then a mean over rows is the mean over segments. */
static int equal_segments(const sow_index *start, sow_index k)
{
    for (sow_index s = 1; s < k; s++)
        if (start[s + 1] - start[s] != start[1] - start[0]) return 0;
    return 1;
}

/* Mean over segments of the mean of a row's number x [n, 1]. */
static sow_var mean_of_means(sow_tape *t, sow_var x, const sow_morph_batch *b)
{
    float *rows = sow_tape_scratch(t, (size_t)b->k * sizeof *rows);
    if (!rows) return SOW_NO_VAR;
    for (sow_index s = 0; s < b->k; s++) rows[s] = (float)(b->x_start[s + 1] - b->x_start[s]);
    const sow_var sums = sow_op_scatter_add(t, x, b->segment, b->k);
    return sow_op_mean(t, sow_op_div(t, sums, sow_tape_floats(t, rows, b->k, 1)));
}

static sow_var mean_squared_error(sow_tape *t, const sow_morph_values *v, sow_var x, const sow_morph_batch *b)
{
    if (equal_segments(b->x_start, b->k)) return sow_op_mse(t, v->x_recon, x);
    const sow_var each = sow_op_sum_columns(t, sow_op_square(t, sow_op_sub(t, v->x_recon, x)));
    return sow_op_scale(t, mean_of_means(t, each, b), 1 / (double)sow_tape_value(t, x).cols);
}

/* Of N(mu, exp(logvar)) from the standard normal. */
static sow_var divergence(sow_tape *t, const sow_morph_values *v, const sow_morph_batch *b)
{
    if (equal_segments(b->x_start, b->k)) return sow_op_kl(t, v->mu, v->logvar);
    const sow_var terms = sow_op_sub(t, sow_op_sub(t, sow_op_shift(t, v->logvar, 1), sow_op_square(t, v->mu)), sow_op_exp(t, v->logvar));
    return sow_op_scale(t, mean_of_means(t, sow_op_sum_columns(t, terms), b), -0.5);
}

/* total + weight * term. A term of weight 0 stays out, so that its way back is not walked. */
static sow_var plus(sow_tape *t, sow_var total, double weight, sow_var term)
{
    if (weight == 0) return total;
    const sow_var weighted = weight == 1 ? term : sow_op_scale(t, term, weight);
    return total == SOW_NO_VAR ? weighted : sow_op_add(t, total, weighted);
}

void sow_morph_loss(sow_morph_losses *out, sow_tape *t, const sow_morph_values *v, const sow_morph_batch *b, const sow_morph_weights *w)
{
    const sow_index genes = sow_tape_value(t, v->x_recon).cols, n = b->x_start[b->k];
    const sow_var x = sow_tape_constant(t, b->x, n, genes);
    *out = (sow_morph_losses){SOW_NO_VAR, SOW_NO_VAR, SOW_NO_VAR, SOW_NO_VAR, SOW_NO_VAR, SOW_NO_VAR, SOW_NO_VAR, SOW_NO_VAR};
    if (b->y_start) {
        const sow_var y = sow_tape_constant(t, b->y, b->y_start[b->k], genes);
        out->pred_each = sow_op_mmd(t, v->y_hat, b->x_start, y, b->y_start, b->k, &w->mmd);
        out->pred = sow_op_mean(t, out->pred_each);
    }
    if (w->gamma1 != 0) {
        out->recon_each = sow_op_mmd(t, v->x_recon, b->x_start, x, b->x_start, b->k, &w->mmd);
        out->mmd_recon = sow_op_mean(t, out->recon_each);
    }
    out->mse = mean_squared_error(t, v, x, b);
    out->kl = divergence(t, v, b);
    out->recon = plus(t, plus(t, SOW_NO_VAR, w->gamma1, out->mmd_recon), w->gamma2, out->mse);
    out->total = plus(t, plus(t, SOW_NO_VAR, b->y_start ? w->alpha : 0, out->pred), out->recon == SOW_NO_VAR ? 0 : 1, out->recon);
    out->total = plus(t, out->total, w->beta, out->kl);
    if (out->recon == SOW_NO_VAR) out->recon = sow_tape_number(t, 0);
    if (out->total == SOW_NO_VAR) out->total = sow_tape_number(t, 0);
}
