/* What a lab adds to the simulated screen: measured genes, guides that work more or less, technical batches, cells that escape, doublets, and knockdowns that cells do not survive.
 *
 * With x the change of a perturbation and e the efficiency of a cell's guide (0 where the guide failed or the cell escaped) the mean of a count is
 *     depth x batch depth x share x batch share x exp(e x).
 * Efficiencies are beta-distributed. All draws have streams of their own, and a cell's are drawn in a fixed order, so that more of one thing changes nothing of another. */
#include <math.h>
#include <stdlib.h>

#include "core/memory.h"
#include "core/stats.h"
#include "simulator/cell_world_internal.h"

static const double growth_of_score = 0.6; /* correlation of the growth effect, before it is cut at 0, with the score of the size of the effect */
enum { LARGE_MEAN = 300 };                 /* from here on log1p is as straight as one may wish */

/* ---- genes ---- */

static double mean_log1p(double mean, double size)
{
    const double odds = mean / (mean + size);
    double p = exp(-size * log1p(mean / size)), left = 1, sum = 0;
    for (double k = 0; left > 1e-9 && k < 100 * LARGE_MEAN; k++) {
        sum += p * log1p(k);
        left -= p;
        p *= odds * (size + k) / (k + 1);
    }
    return sum;
}

/* How far the mean of log1p of a count moves with the log of its mean; m / (1 + m) where counts hardly scatter. */
static double slope(double mean, double size)
{
    const double step = 0.02;
    if (mean > LARGE_MEAN) return mean / (1 + mean);
    return (mean_log1p(mean * exp(step), size) - mean_log1p(mean * exp(-step), size)) / (2 * step);
}

/* The most expressed genes, in the order of the baseline. */
static sow_status choose_genes(sow_index *gene, const sow_baseline *b, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *order = NULL;
    unsigned char *chosen = NULL;
    SOW_NEW(order, b->n);
    SOW_NEW(chosen, b->n);
    SOW_TRY(sow_order_descending(order, b->share, NULL, b->n, err));
    for (sow_index k = 0; k < n; k++)
        chosen[order[k]] = 1;
    for (sow_index i = 0, g = 0; i < b->n; i++)
        if (chosen[i]) gene[g++] = i;
done:
    free(order);
    free(chosen);
    return st;
}

sow_status sow_i_lab_genes(sow_i_cell_world *w, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_calibration *m = w->o->measured;
    sow_index *gene = NULL;
    const double depth = m && m->depth_median > 0 ? m->depth_median : SOW_I_DEPTH_MEDIAN;
    w->depth_median = w->o->depth > 0 ? w->o->depth : depth;
    w->depth_log_sd = m && m->depth_median > 0 ? m->depth_log_sd : SOW_I_DEPTH_LOG_SD;
    if (!m) {
        for (sow_index g = 0; g < w->o->n_genes && w->o->depth > 0; g++)
            w->visible[g] = w->depth_median * w->share[g] / (1 + w->depth_median * w->share[g]);
        return SOW_OK;
    }
    SOW_NEW(gene, w->o->n_genes);
    w->gene = gene;
    SOW_TRY(choose_genes(gene, &m->genes, w->o->n_genes, err));
    const double of_batches = w->o->batches > 1 ? expm1(w->o->batch_effect * w->o->batch_effect) : 0; /* scatter that will be there on top */
    for (sow_index g = 0; g < w->o->n_genes; g++) {
        w->share[g] = m->genes.share[gene[g]];
        w->size[g] = 1 / fmax(1 / m->genes.size[gene[g]] - of_batches, 1e-4);
        w->visible[g] = slope(w->depth_median * w->share[g], w->size[g]);
    }
done:
    return st;
}

/* ---- guides, batches, growth ---- */

static double draw_beta(sow_rng *rng, double mean, double sd)
{
    const double sum = mean * (1 - mean) / (sd * sd) - 1, a = sow_rng_gamma(rng, mean * sum), b = sow_rng_gamma(rng, (1 - mean) * sum);
    return a + b > 0 ? a / (a + b) : mean;
}

static void draw_guides(sow_i_cell_world *w, sow_index i)
{
    const sow_cell_world_options *o = w->o;
    sow_rng rng = sow_rng_make(o->seed, SOW_RNG_WORLD, SOW_I_WORLD_GUIDES, (uint32_t)i);
    for (sow_index j = 0; j < o->guides; j++) {
        const int failed = sow_rng_uniform(&rng) < o->failed_guides;
        const double works = o->efficiency_sd > 0 ? draw_beta(&rng, o->efficiency, o->efficiency_sd) : o->efficiency;
        w->efficiency[i * o->guides + j] = failed ? 0 : works;
    }
}

static void draw_batches(sow_i_cell_world *w, sow_index context)
{
    const sow_cell_world_options *o = w->o;
    sow_rng rng = sow_rng_make(o->seed, SOW_RNG_WORLD, SOW_I_WORLD_BATCH, (uint32_t)context);
    for (sow_index b = context * o->batches; b < (context + 1) * o->batches; b++) {
        w->batch_depth[b] = exp(o->batch_depth * sow_rng_normal(&rng));
        for (sow_index g = 0; g < o->n_genes; g++)
            w->batch_share[b * o->n_genes + g] = exp(o->batch_effect * sow_rng_normal(&rng));
    }
}

sow_status sow_i_lab_draw(sow_i_cell_world *w, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_cell_world_options *o = w->o;
    if (o->guides > 0) SOW_NEW(w->efficiency, o->n_perturbations * o->guides);
    for (sow_index i = 0; i < o->n_perturbations && o->guides > 0; i++)
        draw_guides(w, i);
    if (o->batches == 1) return SOW_OK;
    SOW_NEW(w->batch_share, o->n_contexts * o->batches * o->n_genes);
    SOW_NEW(w->batch_depth, o->n_contexts * o->batches);
    for (sow_index k = 0; k < o->n_contexts; k++)
        draw_batches(w, k);
done:
    return st;
}

sow_index sow_i_lab_grow(const sow_i_cell_world *w, sow_index i, sow_index cells)
{
    sow_rng rng = sow_rng_make(w->o->seed, SOW_RNG_WORLD, SOW_I_WORLD_GROWTH, (uint32_t)i);
    const double x = growth_of_score * w->score[i] + sqrt(1 - growth_of_score * growth_of_score) * sow_rng_normal(&rng);
    w->growth[i] = x > 0 ? x : 0;
    return sow_i_lab_survive(w, i, cells);
}

sow_index sow_i_lab_survive(const sow_i_cell_world *w, sow_index i, sow_index cells)
{
    if (cells == 0 || !(w->o->dropout > 0)) return cells;
    const double left = round((double)cells * exp(-w->o->dropout * w->growth[i]));
    return left < 1 ? 1 : (sow_index)left;
}

/* ---- a cell ---- */

int sow_i_lab_is_plain(const sow_cell_world_options *o)
{
    return o->guides == 0 && o->batches == 1 && !(o->escapers > 0) && !(o->doublets > 0);
}

sow_i_lab_cell sow_i_lab_cell_at(const sow_i_cell_world *w, uint32_t stream, sow_index cell)
{
    const sow_cell_world_options *o = w->o;
    sow_i_lab_cell c = {.guide = -1, .rest = sow_rng_make(o->seed, SOW_RNG_LAB, stream, (uint32_t)cell)};
    const double batch = sow_rng_uniform(&c.rest), guide = sow_rng_uniform(&c.rest);
    c.batch = (sow_index)(batch * (double)o->batches);
    if (o->guides > 0) c.guide = (sow_index)(guide * (double)o->guides);
    c.escaped = sow_rng_uniform(&c.rest) < o->escapers;
    c.doubled = sow_rng_uniform(&c.rest) < o->doublets;
    return c;
}

/* Part of the changes that a cell with this guide shows. */
static double part(const sow_i_cell_world *w, sow_index perturbation, const sow_i_lab_cell *c)
{
    return c->guide < 0 ? 1 : w->efficiency[perturbation * w->o->guides + c->guide];
}

void sow_i_lab_change(double *change, const sow_i_cell_world *w, sow_index context, sow_index perturbation, const sow_i_lab_cell *c)
{
    const sow_index n = w->o->n_genes;
    const double *of_context = w->change + context * w->n * n;
    const int none = perturbation == SOW_CONTROL || c->escaped;
    const double *whole = of_context + (none ? 0 : perturbation * n);
    const sow_combination *both = none ? NULL : sow_i_combination_at(w, perturbation);
    if (!both) {
        const double e = none ? 0 : part(w, perturbation, c);
        for (sow_index g = 0; g < n; g++)
            change[g] = none ? 0 : e * whole[g];
        return;
    }
    const double *a = of_context + both->first * n, *b = of_context + both->second * n, e = part(w, both->first, c), f = part(w, both->second, c);
    for (sow_index g = 0; g < n; g++)
        change[g] = e == 1 && f == 1 ? whole[g] : e * a[g] + f * b[g] + e * f * (whole[g] - a[g] - b[g]);
}
