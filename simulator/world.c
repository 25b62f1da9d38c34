/* The made world of the quickstart.
 *
 * A perturbation belongs to one module, three in ten to a second one; a module's effect is log-normal (heavy tail), its size a
 * gamma share. value = sum over modules of membership x effect + an own effect. The prior shows each perturbation at the mix of its
 * modules' random centres, and in its last column the value itself; `prior_informativeness` i mixes signal i with noise 1 - i (the
 * last column: i^2, since one column that gave the answer away would leave nothing to learn). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/rng.h"
#include "core/stats.h"
#include "simulator/oracle.h"

static const double second_module_share = 0.3, effect_median = 0.7, effect_log_sd = 1.0, own_effect_scale = 0.6, cells_log_sd = 0.5;

enum { PART_MODULE, PART_PERTURBATION, PART_PRIOR }; /* streams of the world, in the place of a round */

typedef struct {
    sow_index n, n_modules, dims;
    double *effect;     /* [n_modules] */
    double *cumulative; /* [n_modules] shares of the modules, summed up */
    double *centre;     /* [n_modules, dims] */
    sow_index *module;  /* [n, 2] second -1 when none */
    double *member;     /* [n, 2] */
    double *value;      /* [n] */
    double *cells;      /* [n] */
} world;

static void clear_world(world *w)
{
    free(w->effect);
    free(w->cumulative);
    free(w->centre);
    free(w->module);
    free(w->member);
    free(w->value);
    free(w->cells);
}

static void draw_modules(world *w, uint64_t seed)
{
    double total = 0;
    for (sow_index m = 0; m < w->n_modules; m++) {
        sow_rng rng = sow_rng_make(seed, SOW_RNG_WORLD, PART_MODULE, (uint32_t)m);
        w->effect[m] = effect_median * exp(effect_log_sd * sow_rng_normal(&rng));
        total += 0.2 + sow_rng_gamma(&rng, 1.0);
        w->cumulative[m] = total;
        for (sow_index j = 0; j < w->dims; j++)
            w->centre[m * w->dims + j] = sow_rng_normal(&rng);
    }
}

static sow_index draw_module(const world *w, sow_rng *rng)
{
    const double target = sow_rng_uniform(rng) * w->cumulative[w->n_modules - 1];
    sow_index m = 0;
    while (m + 1 < w->n_modules && w->cumulative[m] < target)
        m++;
    return m;
}

static void draw_perturbations(world *w, uint64_t seed, double cells_median)
{
    for (sow_index i = 0; i < w->n; i++) {
        sow_rng rng = sow_rng_make(seed, SOW_RNG_WORLD, PART_PERTURBATION, (uint32_t)i);
        const double cells = round(cells_median * exp(cells_log_sd * sow_rng_normal(&rng)));
        w->cells[i] = cells < 1 ? 1 : cells;
        w->value[i] = own_effect_scale * sow_rng_gamma(&rng, 0.5);
        const int two = sow_rng_uniform(&rng) < second_module_share;
        for (int s = 0; s < 2; s++) {
            const sow_index m = draw_module(w, &rng);
            w->member[2 * i + s] = (s ? 0.4 : 1.0) * (0.6 + 0.4 * sow_rng_uniform(&rng));
            w->module[2 * i + s] = s && !two ? -1 : m;
            if (w->module[2 * i + s] >= 0) w->value[i] += w->member[2 * i + s] * w->effect[m];
        }
    }
}

static sow_status draw_world(world *w, const sow_world_options *o, sow_error *err)
{
    sow_status st = SOW_OK;
    *w = (world){.n = o->n_perturbations, .n_modules = o->n_modules, .dims = o->prior_dims};
    SOW_NEW(w->effect, w->n_modules);
    SOW_NEW(w->cumulative, w->n_modules);
    SOW_NEW(w->centre, w->n_modules * w->dims);
    SOW_NEW(w->module, 2 * w->n);
    SOW_NEW(w->member, 2 * w->n);
    SOW_NEW(w->value, w->n);
    SOW_NEW(w->cells, w->n);
    draw_modules(w, o->seed);
    draw_perturbations(w, o->seed, o->cells_median);
done:
    return st;
}

/* ---- the screen ---- */

static sow_status name_perturbations(sow_screen *s, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    char name[32];
    const int width = n > 99999 ? 6 : n > 9999 ? 5 : 4; /* zero-padded, so that name order is number order */
    for (sow_index i = 0; i < n; i++) {
        snprintf(name, sizeof name, "GENE%0*d", width, (int)(i + 1));
        SOW_TRY(sow_names_add(s->perturbations, name, NULL, err));
    }
    SOW_NEW(s->detail, n);
    for (sow_index i = 0; i < n; i++) {
        sow_perturbation *p = &s->detail[i];
        SOW_NEW(p->agent, 1);
        p->n_agents = 1;
        SOW_NEW(p->dose, 1);
        p->dose[0] = NAN;
        p->agent[0] = sow_strdup(sow_names_get(s->perturbations, i));
        if (!p->agent[0]) SOW_FAIL(err, SOW_E_NOMEM, "out of memory for the names of the simulated screen");
    }
done:
    return st;
}

static sow_status screen_of(sow_screen **out, const world *w, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_screen *s = NULL;
    SOW_TRY(sow_screen_create(&s, SOW_READOUT_SCALAR, err));
    SOW_TRY(name_perturbations(s, w->n, err));
    SOW_TRY(sow_names_add(s->contexts, "simulated", NULL, err));
    SOW_NEW(s->context_role, 1);
    s->context_role[0] = SOW_ROLE_TARGET;
    SOW_TRY(sow_names_add(s->features, "response", NULL, err));
    for (sow_index i = 0; i < w->n; i++)
        SOW_TRY(sow_screen_add_row(s, i, 0, w->cells[i], w->cells[i], &w->value[i], NULL, NAN, err));
    SOW_TRY(sow_screen_merge(s, err));
    *out = s;
    s = NULL;
done:
    sow_screen_destroy(s);
    return st;
}

/* ---- the prior ---- */

static void prior_row(double *x, const world *w, sow_index i, uint64_t seed, double informed, double mean, double sd)
{
    sow_rng rng = sow_rng_make(seed, SOW_RNG_WORLD, PART_PRIOR, (uint32_t)i);
    for (sow_index j = 0; j < w->dims; j++) {
        double signal = 0, share = informed;
        if (j == w->dims - 1) {
            signal = sd > 0 ? (w->value[i] - mean) / sd : 0;
            share *= informed;
        } else {
            for (int s = 0; s < 2; s++)
                if (w->module[2 * i + s] >= 0) signal += w->member[2 * i + s] * w->centre[w->module[2 * i + s] * w->dims + j];
        }
        x[j] = share * signal + (1 - share) * sow_rng_normal(&rng);
    }
}

static sow_status prior_of(sow_prior *out, const world *w, const sow_world_options *o, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_prior p = {.kind = SOW_PRIOR_DENSE, .n_items = w->n, .dim = w->dims};
    const double mean = sow_mean(w->value, w->n), sd = sqrt(sow_variance(w->value, w->n));
    p.name = sow_strdup("simulated");
    if (!p.name) SOW_FAIL(err, SOW_E_NOMEM, "out of memory for the simulated prior");
    SOW_NEW(p.has, w->n);
    SOW_NEW(p.x, w->n * w->dims);
    memset(p.has, 1, (size_t)w->n);
    for (sow_index i = 0; i < w->n; i++)
        prior_row(p.x + i * w->dims, w, i, o->seed, o->prior_informativeness, mean, sd);
    *out = p;
    memset(&p, 0, sizeof p);
done:
    sow_prior_clear(&p);
    return st;
}

static sow_status check_options(const sow_world_options *o, sow_error *err)
{
    if (o->n_perturbations < 2 || o->n_perturbations > 200000)
        return SOW_ERROR(err, SOW_E_ARG, "a world of %lld perturbations: 2 to 200000 are allowed", (long long)o->n_perturbations);
    if (o->n_modules < 1 || o->n_modules > o->n_perturbations)
        return SOW_ERROR(err, SOW_E_ARG, "a world of %lld modules: 1 to its %lld perturbations are allowed",
                         (long long)o->n_modules, (long long)o->n_perturbations);
    if (!(o->cells_median > 0) || !isfinite(o->cells_median))
        return SOW_ERROR(err, SOW_E_ARG, "cells_median is %g: a finite number above 0 is allowed", o->cells_median);
    if (!(o->prior_informativeness >= 0 && o->prior_informativeness <= 1))
        return SOW_ERROR(err, SOW_E_ARG, "prior_informativeness is %g: 0 to 1 is allowed", o->prior_informativeness);
    if (o->prior_dims < 2 || o->prior_dims > 4096)
        return SOW_ERROR(err, SOW_E_ARG, "prior_dims is %lld: 2 to 4096 are allowed", (long long)o->prior_dims);
    if (!(o->noise_per_cell >= 0) || !isfinite(o->noise_per_cell))
        return SOW_ERROR(err, SOW_E_ARG, "noise_per_cell is %g: a finite number >= 0 is allowed", o->noise_per_cell);
    return SOW_OK;
}

sow_status sow_world_create(sow_screen **screen, sow_prior *prior, const sow_world_options *options, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_world_options defaults = SOW_WORLD_OPTIONS_INIT;
    world w = {0};
    sow_screen *made = NULL;
    *screen = NULL;
    memset(prior, 0, sizeof *prior);
    if (!options) options = &defaults;
    SOW_TRY(check_options(options, err));
    SOW_TRY(draw_world(&w, options, err));
    SOW_TRY(screen_of(&made, &w, err));
    SOW_TRY(prior_of(prior, &w, options, err));
    *screen = made;
    made = NULL;
done:
    sow_screen_destroy(made);
    clear_world(&w);
    return st;
}
