/* What is true in the simulated screen: genes, programs, modules, and how much each perturbation moves each gene.
 *
 * Sizes of effects are lengths of the visible change: log fold change times m / (1 + m), about how far log1p of a gene with the normalised mean m moves. A perturbation's
 * direction is the mix of its module's (and perhaps of a second one's), of programs of its own and of genes of its own; its length is a fixed function of a normal score that
 * it half shares with its module. So the distribution of lengths is set once, whatever the number of modules. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/stats.h"
#include "simulator/cell_world_internal.h"

/* docs/decisions/morph-synthetic.md says why these. */
static const double program_share = 0.08, program_down = 0.15, loading_log_sd = 0.5; /* of genes in a program; of those, against the rest; spread */
static const double module_score_share = 0.7;                                         /* of the variance of a score that a module's members share */
static const double second_module_share = 0.3;
static const double own_least = 0.15, own_most = 0.65; /* share of the squared length that is the perturbation's own; half of it programs, half genes */
static const double own_gene_share = 0.04;

enum { MOST_PROGRAMS_OF_A_MODULE = 4, OWN_PROGRAMS = 3 };

void sow_i_cell_world_clear(sow_i_cell_world *w)
{
    free(w->share);
    free(w->size);
    free(w->visible);
    free(w->loading);
    free(w->direction);
    free(w->strength);
    free(w->popular);
    free(w->module);
    free(w->score);
    free(w->own);
    free(w->change);
    free(w->cells);
    free(w->combination);
    free(w->deviation);
    free(w->weight);
    free(w->mix);
    free(w->activity);
    free(w->shift);
    free((void *)(uintptr_t)w->gene);
    free(w->growth);
    free(w->efficiency);
    free(w->batch_share);
    free(w->batch_depth);
    memset(w, 0, sizeof *w);
}

static void draw_genes(sow_i_cell_world *w, const sow_index *place)
{
    const sow_index n = w->o->n_genes;
    for (sow_index g = 0; g < n; g++) {
        sow_rng rng = sow_rng_make(w->o->seed, SOW_RNG_WORLD, SOW_I_WORLD_GENE, (uint32_t)g);
        const double f = ((double)place[g] + sow_rng_uniform(&rng)) / (double)n; /* one gene of each n-th part of the ranks */
        w->share[g] = sow_i_baseline_share(f);
        w->size[g] = sow_i_baseline_size(f, sow_rng_uniform(&rng));
        const double mean = SOW_I_DEPTH_MEDIAN * w->share[g];
        w->visible[g] = mean / (1 + mean);
    }
}

double sow_i_visible_length(const sow_i_cell_world *w, const double *change)
{
    double sum = 0;
    for (sow_index g = 0; g < w->o->n_genes; g++)
        sum += change[g] * w->visible[g] * change[g] * w->visible[g];
    return sqrt(sum);
}

static void scale(double *x, sow_index n, double factor)
{
    for (sow_index i = 0; i < n; i++)
        x[i] *= factor;
}

void sow_i_draw_program(double *loading, const sow_i_cell_world *w, sow_rng *rng)
{
    const sow_index n = w->o->n_genes, centre = sow_rng_below(rng, n); /* so that none is empty */
    for (sow_index g = 0; g < n; g++) {
        const double u = sow_rng_uniform(rng), sign = sow_rng_uniform(rng) < program_down ? -1 : 1;
        const double much = exp(loading_log_sd * sow_rng_normal(rng));
        loading[g] = u < program_share || g == centre ? sign * much : 0;
    }
    scale(loading, n, 1 / sow_i_visible_length(w, loading));
}

static void draw_programs(sow_i_cell_world *w)
{
    for (sow_index p = 0; p < w->o->n_programs; p++) {
        sow_rng rng = sow_rng_make(w->o->seed, SOW_RNG_WORLD, SOW_I_WORLD_PROGRAM, (uint32_t)p);
        sow_i_draw_program(w->loading + p * w->o->n_genes, w, &rng);
    }
}

void sow_i_limit(double *change, sow_index n)
{
    for (sow_index g = 0; g < n; g++)
        change[g] = SOW_I_LARGEST_CHANGE * tanh(change[g] / SOW_I_LARGEST_CHANGE);
}

void sow_i_add_programs(double *change, const sow_i_cell_world *w, const double *weight)
{
    const sow_index n = w->o->n_genes;
    for (sow_index p = 0; p < w->o->n_programs; p++)
        for (sow_index g = 0; weight[p] != 0 && g < n; g++)
            change[g] += weight[p] * w->loading[p * n + g];
}

/* The normal scores of modules in the order `at` from weakest to strongest, each in the middle of its members' ranks, so that members of all modules together are normal
 * whatever their numbers. Weights of being drawn are summed up. */
static void rank_modules(sow_i_cell_world *w, const sow_index *at)
{
    const sow_index n = w->o->n_modules;
    double total = 0, below = 0;
    for (sow_index m = 0; m < n; m++)
        total += w->popular[m];
    for (sow_index k = 0; k < n; k++) {
        const double share = w->popular[at[k]] / total;
        w->strength[at[k]] = sow_normal_quantile(below + share / 2);
        below += share;
    }
    for (sow_index m = 1; m < n; m++)
        w->popular[m] += w->popular[m - 1];
}

static void draw_modules(sow_i_cell_world *w, double *weight)
{
    const sow_index n = w->o->n_genes, n_programs = w->o->n_programs;
    for (sow_index m = 0; m < w->o->n_modules; m++) {
        double *direction = w->direction + m * n;
        sow_rng rng = sow_rng_make(w->o->seed, SOW_RNG_WORLD, SOW_I_WORLD_MODULE, (uint32_t)m);
        w->popular[m] = 0.2 + sow_rng_gamma(&rng, 1.0);
        memset(weight, 0, (size_t)n_programs * sizeof *weight);
        const sow_index k = 1 + sow_rng_below(&rng, MOST_PROGRAMS_OF_A_MODULE);
        for (sow_index i = 0; i < k; i++) {
            const sow_index p = sow_rng_below(&rng, n_programs);
            weight[p] += sow_rng_normal(&rng);
        }
        sow_i_add_programs(direction, w, weight);
        const double factor = 1 / sow_i_visible_length(w, direction);
        scale(direction, n, factor);
        for (sow_index p = 0; w->weight && p < n_programs; p++)
            w->weight[m * n_programs + p] = factor * weight[p];
    }
}

/* Length of the visible change by the normal score of its rank. Linear in the logarithm; the first piece goes on below, the last value above. The lengths give MMD distances
 * to control that stand above the null, in sd of the null, as the published ones do (.6 at 25 %, 2.4, 7.2, 15.6, 21.8, 38, 84). */
static double length_of(const sow_i_cell_world *w, double score)
{
    static const double at[] = {-1.2816, -.6745, 0, .6745, 1.2816, 1.6449, 2.3263, 3.2905}; /* 10, 25, 50, 75, 90, 95, 99, 99.95 % */
    static const double length[] = {.49, .60, SOW_I_MEDIAN_LENGTH, 2.44, 3.67, 4.33, 6.08, 12};
    const int n = (int)(sizeof at / sizeof *at);
    int k = 1;
    if (w->o->measured && w->o->measured->n_perturbations > 0) return sow_i_between(at, w->o->measured->length, n, score);
    if (score >= at[n - 1]) return length[n - 1];
    while (at[k] < score)
        k++;
    const double part = (score - at[k - 1]) / (at[k] - at[k - 1]);
    return exp((1 - part) * log(length[k - 1]) + part * log(length[k]));
}

static sow_index draw_module(const sow_i_cell_world *w, sow_rng *rng)
{
    const double target = sow_rng_uniform(rng) * w->popular[w->o->n_modules - 1];
    sow_index m = 0;
    while (m + 1 < w->o->n_modules && w->popular[m] < target)
        m++;
    return m;
}

void sow_i_cell_world_draw_traits(sow_index *module, double *score, double *own, const sow_i_cell_world *w, sow_rng *rng)
{
    double sum = 0;
    const int two = sow_rng_uniform(rng) < second_module_share;
    module[0] = draw_module(w, rng);
    module[1] = draw_module(w, rng);
    if (!two || module[1] == module[0]) module[1] = -1;
    *score = sqrt(module_score_share) * w->strength[module[0]] + sqrt(1 - module_score_share) * sow_rng_normal(rng);
    memset(own, 0, (size_t)w->o->n_programs * sizeof *own);
    for (int i = 0; i < OWN_PROGRAMS; i++) {
        const sow_index p = sow_rng_below(rng, w->o->n_programs);
        own[p] += sow_rng_normal(rng);
    }
    for (sow_index p = 0; p < w->o->n_programs; p++)
        sum += own[p] * own[p];
    scale(own, w->o->n_programs, 1 / sqrt(sum));
}

static void draw_own_genes(double *change, const sow_i_cell_world *w, sow_rng *rng)
{
    const sow_index n = w->o->n_genes, centre = sow_rng_below(rng, n);
    for (sow_index g = 0; g < n; g++) {
        const double u = sow_rng_uniform(rng), much = sow_rng_normal(rng);
        if (u < own_gene_share || g == centre) change[g] = much / w->visible[g];
    }
}

/* Returns the factor that gives `part` its length. */
static double add_scaled(double *sum, const sow_i_cell_world *w, const double *part, double length)
{
    const double factor = length / sow_i_visible_length(w, part);
    for (sow_index g = 0; g < w->o->n_genes; g++)
        sum[g] += factor * part[g];
    return factor;
}

/* What perturbation i is made of, by program. */
static void keep_mix(sow_i_cell_world *w, sow_index i, double of_modules, double of_own)
{
    const sow_index n = w->o->n_programs, *module = w->module + 2 * i;
    for (sow_index p = 0; p < n; p++) {
        const double first = w->weight[module[0] * n + p], second = module[1] >= 0 ? SOW_I_SECOND_MODULE * w->weight[module[1] * n + p] : 0;
        w->mix[i * n + p] = of_modules * (first + second) + of_own * w->own[i * n + p];
    }
}

/* Lengths are set in the common world, which is the only one where there is one context. `part` [genes] and `active` [programs] are scratch. */
static void draw_change(sow_i_cell_world *w, sow_index i, double own_part, double *part, double *active, sow_rng *rng)
{
    const sow_index n = w->o->n_genes, *module = w->module + 2 * i;
    double *change = w->change + i * n;
    for (sow_index g = 0; g < n; g++)
        part[g] = w->direction[module[0] * n + g] + (module[1] >= 0 ? SOW_I_SECOND_MODULE * w->direction[module[1] * n + g] : 0);
    const double of_modules = add_scaled(change, w, part, sqrt(1 - own_part));
    memset(part, 0, (size_t)n * sizeof *part);
    sow_i_add_programs(part, w, w->own + i * w->o->n_programs);
    const double of_own = add_scaled(change, w, part, sqrt(own_part / 2));
    memset(part, 0, (size_t)n * sizeof *part);
    draw_own_genes(part, w, rng);
    const double of_genes = add_scaled(change, w, part, sqrt(own_part / 2)), size = length_of(w, w->score[i]) / sow_i_visible_length(w, change);
    if (w->mix) {
        keep_mix(w, i, size * of_modules, size * of_own);
        scale(part, n, size * of_genes);
        sow_i_contexts_act(w, i, part, active);
        return;
    }
    scale(change, n, size);
    sow_i_limit(change, n);
}

typedef struct {
    sow_i_cell_world *w;
    double *part;   /* [n tiles, genes] */
    double *active; /* [n tiles, programs] */
} draw_job;

enum { TILE = 64 }; /* perturbations */

sow_index sow_i_draw_cells(const sow_cell_world_options *o, sow_rng *rng)
{
    static const double at[] = SOW_CALIBRATION_CELLS_AT;
    const double u = sow_rng_uniform(rng), *known = o->measured && o->measured->n_perturbations > 0 ? o->measured->cells : NULL;
    const double cells = round(known ? o->cells_median / known[3] * sow_i_between(at, known, SOW_CALIBRATION_CELLS, u) : o->cells_median / 96 * sow_i_cells_quantile(u));
    return cells < 1 ? 1 : (sow_index)cells;
}

static sow_status draw_tile(void *user, sow_index tile, sow_error *err)
{
    const draw_job *job = user;
    sow_i_cell_world *w = job->w;
    (void)err;
    for (sow_index i = tile * TILE; i < (tile + 1) * TILE && i < w->o->n_perturbations; i++) {
        sow_rng rng = sow_rng_make(w->o->seed, SOW_RNG_WORLD, SOW_I_WORLD_PERTURBATION, (uint32_t)i);
        w->cells[i] = sow_i_draw_cells(w->o, &rng);
        sow_i_cell_world_draw_traits(w->module + 2 * i, &w->score[i], w->own + i * w->o->n_programs, w, &rng);
        const double own_part = own_least + (own_most - own_least) * sow_rng_uniform(&rng);
        draw_change(w, i, own_part, job->part + tile * w->o->n_genes, job->active + tile * w->o->n_programs, &rng);
        if (w->mix) sow_i_contexts_measure(w, i);
        for (sow_index k = 0; k < w->o->n_contexts; k++)
            w->cells[k * w->n + i] = sow_i_lab_grow(w, i, w->cells[k * w->n + i]);
    }
    return SOW_OK;
}

static sow_status allocate(sow_i_cell_world *w, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_cell_world_options *o = w->o;
    SOW_NEW(w->share, o->n_contexts * o->n_genes);
    SOW_NEW(w->size, o->n_genes);
    SOW_NEW(w->visible, o->n_genes);
    SOW_NEW(w->loading, o->n_programs * o->n_genes);
    SOW_NEW(w->direction, o->n_modules * o->n_genes);
    SOW_NEW(w->strength, o->n_modules);
    SOW_NEW(w->popular, o->n_modules);
    SOW_NEW(w->module, 2 * o->n_perturbations);
    SOW_NEW(w->score, o->n_perturbations);
    SOW_NEW(w->growth, w->n);
    SOW_NEW(w->own, o->n_perturbations * o->n_programs);
    SOW_NEW(w->change, o->n_contexts * w->n * o->n_genes);
    SOW_NEW(w->cells, o->n_contexts * w->n);
done:
    return st;
}

static void shuffled_places(sow_index *place, sow_index n, uint64_t seed, uint32_t item)
{
    sow_rng rng = sow_rng_make(seed, SOW_RNG_WORLD, SOW_I_WORLD_ORDER, item);
    for (sow_index i = 0; i < n; i++)
        place[i] = i;
    sow_rng_permute(&rng, place, n);
}

sow_status sow_i_cell_world_draw(sow_i_cell_world *w, const sow_cell_world_options *o, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index tiles = (o->n_perturbations + TILE - 1) / TILE, longer = o->n_genes > o->n_modules ? o->n_genes : o->n_modules;
    sow_index *place = NULL;
    double *weight = NULL;
    draw_job job = {.w = w};
    *w = (sow_i_cell_world){.o = o, .n = o->n_perturbations + o->n_combinations};
    SOW_TRY(allocate(w, err));
    SOW_NEW(place, longer);
    SOW_NEW(weight, o->n_programs);
    SOW_NEW(job.part, tiles * o->n_genes);
    SOW_NEW(job.active, tiles * o->n_programs);
    shuffled_places(place, o->n_genes, o->seed, 0);
    draw_genes(w, place);
    SOW_TRY(sow_i_lab_genes(w, err));
    SOW_TRY(sow_i_contexts_draw(w, err));
    SOW_TRY(sow_i_lab_draw(w, err));
    draw_programs(w);
    shuffled_places(place, o->n_modules, o->seed, 1);
    draw_modules(w, weight);
    rank_modules(w, place);
    SOW_TRY(sow_parallel_for(sow_env_threads(env), tiles, draw_tile, &job, err));
    SOW_TRY(sow_i_combinations_draw(w, env, err));
done:
    free(place);
    free(weight);
    free(job.part);
    free(job.active);
    return st;
}
