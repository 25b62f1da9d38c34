/* Combinations of two perturbations in the simulated screen: who goes with whom, by which interaction, and what comes of it.
 *
 * With a and b the log fold changes of two perturbations in a context, over what all perturbed cells share there (o; 0 in a world of one context), both together change by o plus
 *     additive        a + b
 *     synergy         s (a + b),             s in 1.4 .. 2.2
 *     suppression     s (a + b),             s in 0.2 .. 0.6
 *     epistasis       a or b
 *     redundancy      of each gene the larger of a and b in absolute value
 *     potentiation    s a + b,               s in 1.5 .. 2.5, b of the weaker half
 *     neomorphism     a + b + a new program, s = 0.7 .. 1.3 times as long as a + b in the first context
 * held within +-3. s is uniform, and the kind, s and the new program are the same in every context. Lengths are those of visible changes (cell_world_truth.c).
 *
 * A lab combines its hits: both are of the half with the larger effects (by score), but for the one that is potentiated for, which is of the other half; redundant ones share a module where
 * one has two that are free. A pair comes once. Combination k has a stream of its own, and knows the ones before it only as pairs that are taken. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/stats.h"
#include "simulator/cell_world_internal.h"

static const struct {
    const char *name;
    double least, most; /* of the strength; 0: it has none */
} kinds[SOW_INTERACTIONS] = {
    [SOW_ADDITIVE] = {"additive", 0, 0},
    [SOW_SYNERGY] = {"synergy", 1.4, 2.2},
    [SOW_SUPPRESSION] = {"suppression", 0.2, 0.6},
    [SOW_EPISTASIS] = {"epistasis", 0, 0},
    [SOW_REDUNDANCY] = {"redundancy", 0, 0},
    [SOW_POTENTIATION] = {"potentiation", 1.5, 2.5},
    [SOW_NEOMORPHISM] = {"neomorphism", 0.7, 1.3},
};

enum { MOST_ITEMS = 200000, MODULE_TRIES = 100 }; /* what sow_i_world_pair can name; draws of a first one that shares its module */

const char *sow_interaction_name(int interaction)
{
    return interaction >= 0 && interaction < SOW_INTERACTIONS ? kinds[interaction].name : NULL;
}

static sow_index stronger_half(sow_index n)
{
    return n < 3 ? n : (n + 1) / 2 < 2 ? 2 : (n + 1) / 2;
}

sow_index sow_most_combinations(sow_index n_perturbations)
{
    const sow_index half = stronger_half(n_perturbations), pairs = half * (half - 1) / 2, room = MOST_ITEMS - n_perturbations;
    return pairs < room ? pairs : room;
}

/* ---- who ---- */

typedef struct {
    const sow_i_cell_world *w;
    sow_index half, *order;   /* [singles] by score, strongest first */
    sow_index *member, *from; /* the stronger half by module: member[from[m]] .. */
    uint64_t *taken;          /* [slots] first * singles + second + 1 of pairs, hashed; 0 = free */
    sow_index slots;
} matchmaker;

static void clear_matchmaker(matchmaker *m)
{
    free(m->order);
    free(m->member);
    free(m->from);
    free(m->taken);
}

static sow_status prepare(matchmaker *m, const sow_i_cell_world *w, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index n = w->o->n_perturbations, modules = w->o->n_modules;
    *m = (matchmaker){.w = w, .half = stronger_half(n), .slots = 16};
    while (m->slots < 2 * w->o->n_combinations)
        m->slots *= 2;
    SOW_NEW(m->order, n);
    SOW_NEW(m->member, m->half);
    SOW_NEW(m->from, modules + 2);
    SOW_NEW(m->taken, m->slots);
    SOW_TRY(sow_order_descending(m->order, w->score, NULL, n, err));
    for (sow_index i = 0; i < m->half; i++)
        m->from[w->module[2 * m->order[i]] + 2]++;
    for (sow_index k = 2; k < modules + 2; k++)
        m->from[k] += m->from[k - 1];
    for (sow_index i = 0; i < m->half; i++)
        m->member[m->from[w->module[2 * m->order[i]] + 1]++] = m->order[i];
done:
    return st;
}

/* Whether the pair was free; it is not any more. */
static int take(matchmaker *m, sow_index a, sow_index b)
{
    const uint64_t n = (uint64_t)m->w->o->n_perturbations, key = (uint64_t)(a < b ? a : b) * n + (uint64_t)(a < b ? b : a) + 1;
    uint64_t at = key * UINT64_C(0x9E3779B97F4A7C15) >> 32;
    for (;; at++) {
        uint64_t *slot = &m->taken[at & (uint64_t)(m->slots - 1)];
        if (*slot == key) return 0;
        if (*slot != 0) continue;
        *slot = key;
        return 1;
    }
}

/* For a redundant pair another of the module of `first`, or `first` itself where it is alone. */
static sow_index draw_second(const matchmaker *m, sow_interaction kind, sow_index first, int tries, sow_rng *rng)
{
    const sow_index weaker = m->w->o->n_perturbations - m->half, module = m->w->module[2 * first];
    if (kind == SOW_POTENTIATION && weaker > 0) return m->order[m->half + sow_rng_below(rng, weaker)];
    if (kind == SOW_REDUNDANCY && tries < MODULE_TRIES) return m->member[m->from[module] + sow_rng_below(rng, m->from[module + 1] - m->from[module])];
    return m->order[sow_rng_below(rng, m->half)];
}

static sow_interaction draw_kind(const double *weight, sow_rng *rng)
{
    double sum = 0;
    int last = 0;
    for (int k = 0; k < SOW_INTERACTIONS; k++) {
        sum += weight[k];
        if (weight[k] > 0) last = k;
    }
    double left = sum * sow_rng_uniform(rng);
    for (int k = 0; k < last; k++) {
        left -= weight[k];
        if (left < 0) return (sow_interaction)k;
    }
    return (sow_interaction)last;
}

/* There is always a pair left: no more are asked for than the stronger half has within itself (sow_most_combinations), and it has as many with the weaker one where there is any. */
static void draw_combination(sow_i_cell_world *w, matchmaker *m, sow_index k)
{
    sow_rng rng = sow_rng_make(w->o->seed, SOW_RNG_WORLD, SOW_I_WORLD_COMBINATION, (uint32_t)k);
    const sow_interaction kind = draw_kind(w->o->interactions, &rng);
    const double u = sow_rng_uniform(&rng), least = kinds[kind].least, most = kinds[kind].most;
    const int coin = sow_rng_uniform(&rng) < 0.5;
    const sow_index cells = sow_i_draw_cells(w->o, &rng), i = w->o->n_perturbations + k;
    sow_index a, b;
    int tries = 0;
    do {
        a = m->order[sow_rng_below(&rng, m->half)];
        b = draw_second(m, kind, a, tries++, &rng);
    } while (a == b || !take(m, a, b));
    sow_combination *c = &w->combination[k];
    *c = (sow_combination){.first = a < b ? a : b, .second = a < b ? b : a, .lead = -1, .kind = kind, .strength = most > 0 ? least + u * (most - least) : (double)NAN};
    if (kind == SOW_POTENTIATION) c->lead = a;
    if (kind == SOW_EPISTASIS) c->lead = coin ? c->first : c->second;
    w->growth[i] = w->growth[a] + w->growth[b]; /* fitness multiplies */
    w->cells[i] = cells;
    if (w->mix) sow_i_contexts_measure(w, i);
    for (sow_index x = 0; x < w->o->n_contexts; x++)
        w->cells[x * w->n + i] = sow_i_lab_survive(w, i, w->cells[x * w->n + i]);
}

/* ---- what ---- */

/* a and b together in one gene; `extra` is of a new program. */
static double join(const sow_combination *c, double a, double b, double extra)
{
    const double s = c->strength;
    switch (c->kind) {
    case SOW_SYNERGY:
    case SOW_SUPPRESSION: return s * (a + b);
    case SOW_EPISTASIS: return c->lead == c->first ? a : b;
    case SOW_REDUNDANCY: return fabs(a) >= fabs(b) ? a : b;
    case SOW_POTENTIATION: return c->lead == c->first ? s * a + b : a + s * b;
    case SOW_NEOMORPHISM: return a + b + extra;
    case SOW_ADDITIVE:
    case SOW_NO_INTERACTION:
    case SOW_INTERACTIONS: break;
    }
    return a + b;
}

/* The new program at its length, into extra [genes]; `sum` [genes] is room to work. */
static void draw_new(double *extra, double *sum, const sow_i_cell_world *w, const sow_combination *c, const double *shared, sow_index k)
{
    const sow_index n = w->o->n_genes;
    const double *a = w->change + c->first * n, *b = w->change + c->second * n;
    sow_rng rng = sow_rng_make(w->o->seed, SOW_RNG_WORLD, SOW_I_WORLD_NEW_PROGRAM, (uint32_t)k);
    sow_i_draw_program(extra, w, &rng);
    for (sow_index g = 0; g < n; g++)
        sum[g] = a[g] + b[g] - 2 * shared[g];
    const double length = c->strength * sow_i_visible_length(w, sum);
    for (sow_index g = 0; g < n; g++)
        extra[g] *= length;
}

/* What combination k does in a context. */
static void combine(sow_i_cell_world *w, sow_index context, sow_index k, const double *shared, const double *extra)
{
    const sow_index n = w->o->n_genes;
    const sow_combination *c = &w->combination[k];
    double *of_context = w->change + context * w->n * n, sum = 0;
    const double *a = of_context + c->first * n, *b = of_context + c->second * n;
    double *both = of_context + (w->o->n_perturbations + k) * n;
    for (sow_index g = 0; g < n; g++) {
        const double o = shared[g], together = o + join(c, a[g] - o, b[g] - o, extra ? extra[g] : 0);
        both[g] = fmin(fmax(together, -SOW_I_LARGEST_CHANGE), SOW_I_LARGEST_CHANGE);
        const double off = both[g] - (a[g] + b[g] - o);
        sum += off * off;
    }
    w->deviation[context * w->o->n_combinations + k] = sqrt(sum);
}

typedef struct {
    sow_i_cell_world *w;
    double *shared; /* [contexts, genes] change of all perturbed cells of a context */
    double *room;   /* [tiles, 2, genes] */
} combine_job;

enum { TILE = 64 }; /* combinations */

static sow_status combine_tile(void *user, sow_index tile, sow_error *err)
{
    const combine_job *job = user;
    sow_i_cell_world *w = job->w;
    const sow_index n = w->o->n_genes;
    double *extra = job->room + 2 * tile * n, *sum = extra + n;
    (void)err;
    for (sow_index k = tile * TILE; k < (tile + 1) * TILE && k < w->o->n_combinations; k++) {
        const int is_new = w->combination[k].kind == SOW_NEOMORPHISM;
        if (is_new) draw_new(extra, sum, w, &w->combination[k], job->shared, k);
        for (sow_index x = 0; x < w->o->n_contexts; x++)
            combine(w, x, k, job->shared + x * n, is_new ? extra : NULL);
    }
    return SOW_OK;
}

sow_status sow_i_combinations_draw(sow_i_cell_world *w, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_cell_world_options *o = w->o;
    const sow_index tiles = (o->n_combinations + TILE - 1) / TILE;
    matchmaker m = {0};
    combine_job job = {.w = w};
    if (o->n_combinations == 0) return SOW_OK;
    SOW_NEW(w->combination, o->n_combinations);
    SOW_NEW(w->deviation, o->n_contexts * o->n_combinations);
    SOW_NEW(job.shared, o->n_contexts * o->n_genes);
    SOW_NEW(job.room, 2 * tiles * o->n_genes);
    SOW_TRY(prepare(&m, w, err));
    for (sow_index k = 0; k < o->n_combinations; k++)
        draw_combination(w, &m, k);
    if (w->shift) memcpy(job.shared, w->shift, (size_t)(o->n_contexts * o->n_genes) * sizeof *job.shared);
    sow_i_limit(job.shared, o->n_contexts * o->n_genes);
    SOW_TRY(sow_parallel_for(sow_env_threads(env), tiles, combine_tile, &job, err));
done:
    clear_matchmaker(&m);
    free(job.shared);
    free(job.room);
    return st;
}
