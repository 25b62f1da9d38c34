/* The simulated screen in several contexts: how active each program is there, what all perturbed cells share, what controls start from, and who was measured.
 *
 * A context k has an activity a[k, p] of each program p: 0 (lost), or +-exp(scale x normal). With mix[i, p] what perturbation i does by program p in the common world, its change is
 *     limit(sum over p of a[k, p] mix[i, p] program[p] + own genes[i] + shift[k]).
 * Lengths are set in the common world, where every activity is 1, and not set anew: a perturbation whose programs are lost is weak. Its own genes stay as they are everywhere: they are
 * what no program explains, and so what no context can say of another by programs. The shift is a program that nothing else moves. No context is the common world.
 * A context has streams of its own and draws from each in order of program, gene or perturbation, so that more of anything changes nothing that was there. */
#include <math.h>
#include <string.h>

#include "core/memory.h"
#include "simulator/cell_world_internal.h"

/* Losses are at one end of a uniform number and flips at the other: more of the one leaves the other as it is. */
static void draw_activity(sow_i_cell_world *w, sow_index context)
{
    const sow_cell_world_options *o = w->o;
    sow_rng rng = sow_rng_make(o->seed, SOW_RNG_WORLD, SOW_I_WORLD_ACTIVITY, (uint32_t)context);
    for (sow_index p = 0; p < o->n_programs; p++) {
        const double u = sow_rng_uniform(&rng), much = exp(o->context_scale * sow_rng_normal(&rng));
        w->activity[context * o->n_programs + p] = u < o->context_lose ? 0 : u > 1 - o->context_flip ? -much : much;
    }
}

static void draw_shift(sow_i_cell_world *w, sow_index context)
{
    const sow_index n = w->o->n_genes;
    double *shift = w->shift + context * n;
    sow_rng rng = sow_rng_make(w->o->seed, SOW_RNG_WORLD, SOW_I_WORLD_SHIFT, (uint32_t)context);
    sow_i_draw_program(shift, w, &rng);
    for (sow_index g = 0; g < n; g++)
        shift[g] *= w->o->context_shift * SOW_I_MEDIAN_LENGTH;
}

/* The panel keeps its part of a cell's UMIs: what one gene has more, others have less, as where the depth is set by the sequencer. */
static void draw_baseline(double *share, const double *common, const sow_i_cell_world *w, sow_index context)
{
    const sow_index n = w->o->n_genes;
    double before = 0, after = 0;
    sow_rng rng = sow_rng_make(w->o->seed, SOW_RNG_WORLD, SOW_I_WORLD_BASELINE, (uint32_t)context);
    for (sow_index g = 0; g < n; g++) {
        before += common[g];
        share[g] = common[g] * exp(w->o->context_baseline * sow_rng_normal(&rng));
        after += share[g];
    }
    for (sow_index g = 0; g < n; g++)
        share[g] *= before / after;
}

sow_status sow_i_contexts_draw(sow_i_cell_world *w, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_cell_world_options *o = w->o;
    if (o->n_contexts == 1) return SOW_OK;
    SOW_NEW(w->weight, o->n_modules * o->n_programs);
    SOW_NEW(w->mix, o->n_perturbations * o->n_programs);
    SOW_NEW(w->activity, o->n_contexts * o->n_programs);
    SOW_NEW(w->shift, o->n_contexts * o->n_genes);
    for (sow_index k = o->n_contexts - 1; k >= 0; k--) { /* the first context's shares take the place of the common ones, so it comes last */
        draw_activity(w, k);
        draw_shift(w, k);
        draw_baseline(w->share + k * o->n_genes, w->share, w, k);
    }
done:
    return st;
}

void sow_i_contexts_act(sow_i_cell_world *w, sow_index i, const double *genes, double *active)
{
    const sow_cell_world_options *o = w->o;
    for (sow_index k = 0; k < o->n_contexts; k++) {
        double *change = w->change + (k * w->n + i) * o->n_genes;
        for (sow_index p = 0; p < o->n_programs; p++)
            active[p] = w->activity[k * o->n_programs + p] * w->mix[i * o->n_programs + p];
        for (sow_index g = 0; g < o->n_genes; g++)
            change[g] = genes[g] + w->shift[k * o->n_genes + g];
        sow_i_add_programs(change, w, active);
        sow_i_limit(change, o->n_genes);
    }
}

void sow_i_contexts_measure(sow_i_cell_world *w, sow_index i)
{
    for (sow_index k = 0; k < w->o->n_contexts; k++) {
        sow_rng rng = sow_rng_make(w->o->seed, SOW_RNG_WORLD, SOW_I_WORLD_MEASURED, sow_i_world_pair(k, i));
        const int measured = sow_rng_uniform(&rng) < w->o->context_coverage || k < w->o->n_targets;
        w->cells[k * w->n + i] = measured ? sow_i_draw_cells(w->o, &rng) : 0;
    }
}
