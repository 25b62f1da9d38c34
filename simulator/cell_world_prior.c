/* What is known of the perturbations beforehand: rows of numbers of which a given share of the variance has to do with the response.
 *
 * row = sqrt(i) x portrait + sqrt(1 - i) x (sqrt(.75) x portrait of another + sqrt(.25) x white). A portrait is the mix of the modules' random centres (.6 of its variance), the own
 * programs through a random map (.25) and the normal score of the size along one direction (.15). The other is a perturbation that might have been, drawn anew for each row: it
 * misleads in the very directions that tell, so that no projection takes the noise away, as with real embeddings, which group genes by more than what the cells measured show.
 * Nothing here depends on i but the mixing. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "simulator/cell_world_internal.h"

static const double of_module = 0.6, of_own = 0.25, of_size = 0.15, misleading = 0.75;

typedef struct {
    const sow_i_cell_world *w;
    double *centre; /* [modules, dims] */
    double *map;    /* [programs + 1, dims] last: direction of size */
    double *own;    /* [programs] scratch */
} painter;

static void draw_rows(double *x, sow_index n, sow_index dims, uint64_t seed, uint32_t first)
{
    for (sow_index i = 0; i < n; i++) {
        sow_rng rng = sow_rng_make(seed, SOW_RNG_WORLD, SOW_I_WORLD_PRIOR_MAP, first + (uint32_t)i);
        for (sow_index j = 0; j < dims; j++)
            x[i * dims + j] = sow_rng_normal(&rng);
    }
}

static void clear_painter(painter *p)
{
    free(p->centre);
    free(p->map);
    free(p->own);
}

static sow_status prepare(painter *p, const sow_i_cell_world *w, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_cell_world_options *o = w->o;
    *p = (painter){.w = w};
    SOW_NEW(p->centre, o->n_modules * o->prior_dims);
    SOW_NEW(p->map, (o->n_programs + 1) * o->prior_dims);
    SOW_NEW(p->own, o->n_programs);
    draw_rows(p->centre, o->n_modules, o->prior_dims, o->seed, 0);
    draw_rows(p->map, o->n_programs + 1, o->prior_dims, o->seed, (uint32_t)o->n_modules);
done:
    return st;
}

/* Adds `weight` times a portrait to x [dims]. */
static void add_portrait(double *x, double weight, const painter *p, const sow_index *module, double score, const double *own)
{
    const sow_index dims = p->w->o->prior_dims, n_programs = p->w->o->n_programs;
    const double second = module[1] >= 0 ? SOW_I_SECOND_MODULE : 0, whole = sqrt(1 + second * second);
    for (sow_index j = 0; j < dims; j++) {
        double of_modules = p->centre[module[0] * dims + j], of_programs = 0;
        if (module[1] >= 0) of_modules += second * p->centre[module[1] * dims + j];
        for (sow_index k = 0; k < n_programs; k++)
            of_programs += own[k] * p->map[k * dims + j];
        x[j] += weight * (sqrt(of_module) * of_modules / whole + sqrt(of_own) * of_programs + sqrt(of_size) * score * p->map[n_programs * dims + j]);
    }
}

static void fill_row(double *x, const painter *p, sow_index i)
{
    const sow_i_cell_world *w = p->w;
    const double share = w->o->prior_informativeness;
    sow_rng rng = sow_rng_make(w->o->seed, SOW_RNG_WORLD, SOW_I_WORLD_PRIOR_ROW, (uint32_t)i);
    sow_index module[2];
    double score;
    sow_i_cell_world_draw_traits(module, &score, p->own, w, &rng);
    for (sow_index j = 0; j < w->o->prior_dims; j++)
        x[j] = sqrt((1 - share) * (1 - misleading)) * sow_rng_normal(&rng);
    add_portrait(x, sqrt((1 - share) * misleading), p, module, score, p->own);
    add_portrait(x, sqrt(share), p, w->module + 2 * i, w->score[i], w->own + i * w->o->n_programs);
}

/* As io/priors.h has it of a combination that a prior does not name. */
static void mean_row(double *x, const double *rows, sow_index dims, const sow_combination *both)
{
    for (sow_index j = 0; j < dims; j++)
        x[j] = (rows[both->first * dims + j] + rows[both->second * dims + j]) / 2;
}

sow_status sow_i_cell_world_prior(sow_prior *out, const sow_i_cell_world *w, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index n = w->n, singles = w->o->n_perturbations, dims = w->o->prior_dims;
    sow_prior made = {.kind = SOW_PRIOR_DENSE, .n_items = n, .dim = dims};
    painter p = {0};
    SOW_TRY(prepare(&p, w, err));
    made.name = sow_strdup("simulated");
    if (!made.name) SOW_FAIL(err, SOW_E_NOMEM, "out of memory for the simulated prior");
    SOW_NEW(made.has, n);
    SOW_NEW(made.x, n * dims);
    memset(made.has, 1, (size_t)n);
    for (sow_index i = 0; i < singles; i++)
        fill_row(made.x + i * dims, &p, i);
    for (sow_index i = singles; i < n; i++)
        mean_row(made.x + i * dims, made.x, dims, sow_i_combination_at(w, i));
    *out = made;
    memset(&made, 0, sizeof made);
done:
    clear_painter(&p);
    sow_prior_clear(&made);
    return st;
}
