/* What is known of the perturbations beforehand: rows of numbers of which a given share of the variance has to do with the response.
 *
 * row = sqrt(i) x signal + sqrt(1 - i) x (decoy + white) / sqrt 2. Signal: the mix of its modules' random centres (.6 of its variance), its own programs through a random map
 * (.25) and the normal score of its size along one direction (.15). Decoy: the centre of a group drawn apart from everything, as real embeddings group genes by what the cells
 * measured do not show. Signal and noise come from streams of their own: another share i mixes the same two. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "simulator/cell_world_internal.h"

static const double of_module = 0.6, of_own = 0.25, of_size = 0.15;

typedef struct {
    double *centre; /* [modules, dims] */
    double *decoy;  /* [modules, dims] */
    double *map;    /* [programs + 1, dims] last: direction of size */
} prior_maps;

static void draw_rows(double *x, sow_index n, sow_index dims, uint64_t seed, uint32_t part, uint32_t first)
{
    for (sow_index i = 0; i < n; i++) {
        sow_rng rng = sow_rng_make(seed, SOW_RNG_WORLD, part, first + (uint32_t)i);
        for (sow_index j = 0; j < dims; j++)
            x[i * dims + j] = sow_rng_normal(&rng);
    }
}

static sow_status draw_maps(prior_maps *m, const sow_cell_world_options *o, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(m->centre, o->n_modules * o->prior_dims);
    SOW_NEW(m->decoy, o->n_modules * o->prior_dims);
    SOW_NEW(m->map, (o->n_programs + 1) * o->prior_dims);
    draw_rows(m->centre, o->n_modules, o->prior_dims, o->seed, SOW_I_WORLD_PRIOR_MAP, 0);
    draw_rows(m->map, o->n_programs + 1, o->prior_dims, o->seed, SOW_I_WORLD_PRIOR_MAP, (uint32_t)o->n_modules);
    draw_rows(m->decoy, o->n_modules, o->prior_dims, o->seed, SOW_I_WORLD_DECOY, 0);
done:
    return st;
}

static void clear_maps(prior_maps *m)
{
    free(m->centre);
    free(m->decoy);
    free(m->map);
}

static double signal_of(const sow_i_cell_world *w, const prior_maps *m, sow_index i, sow_index j)
{
    const sow_index dims = w->o->prior_dims, n_programs = w->o->n_programs, *module = w->module + 2 * i;
    double of_modules = m->centre[module[0] * dims + j], own = 0;
    if (module[1] >= 0) {
        of_modules += SOW_I_SECOND_MODULE * m->centre[module[1] * dims + j];
        of_modules /= sqrt(1 + SOW_I_SECOND_MODULE * SOW_I_SECOND_MODULE);
    }
    for (sow_index p = 0; p < n_programs; p++)
        own += w->own[i * n_programs + p] * m->map[p * dims + j];
    return sqrt(of_module) * of_modules + sqrt(of_own) * own + sqrt(of_size) * w->score[i] * m->map[n_programs * dims + j];
}

static void fill_row(double *x, const sow_i_cell_world *w, const prior_maps *m, sow_index i)
{
    const sow_index dims = w->o->prior_dims;
    const double share = w->o->prior_informativeness;
    sow_rng rng = sow_rng_make(w->o->seed, SOW_RNG_WORLD, SOW_I_WORLD_PRIOR_ROW, (uint32_t)i);
    const double *decoy = m->decoy + sow_rng_below(&rng, w->o->n_modules) * dims;
    for (sow_index j = 0; j < dims; j++)
        x[j] = sqrt(share) * signal_of(w, m, i, j) + sqrt((1 - share) / 2) * (decoy[j] + sow_rng_normal(&rng));
}

sow_status sow_i_cell_world_prior(sow_prior *out, const sow_i_cell_world *w, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index n = w->o->n_perturbations, dims = w->o->prior_dims;
    sow_prior p = {.kind = SOW_PRIOR_DENSE, .n_items = n, .dim = dims};
    prior_maps maps = {0};
    SOW_TRY(draw_maps(&maps, w->o, err));
    p.name = sow_strdup("simulated");
    if (!p.name) SOW_FAIL(err, SOW_E_NOMEM, "out of memory for the simulated prior");
    SOW_NEW(p.has, n);
    SOW_NEW(p.x, n * dims);
    memset(p.has, 1, (size_t)n);
    for (sow_index i = 0; i < n; i++)
        fill_row(p.x + i * dims, w, &maps, i);
    *out = p;
    memset(&p, 0, sizeof p);
done:
    clear_maps(&maps);
    sow_prior_clear(&p);
    return st;
}
