/* After a round: what the cells that came could have shown. */
#include <math.h>
#include <stdlib.h>

#include "core/memory.h"
#include "planner/power_internal.h"

typedef struct {
    double power, decrease, increase;
} reach;

typedef struct {
    const sow_i_power *p;
    double controls;
    sow_index n_sizes, *size; /* [n_sizes] numbers of cells that some perturbation has, ascending, above 0 */
    reach *reach;             /* [n_sizes, n_levels] */
} sizes;

typedef struct {
    sow_index n;
    sow_index *perturbation, *cells, *planned; /* [n] in catalogue order; planned 0 = was not */
} measured;

static sow_index cells_of_round(const sow_i_item *item, sow_index round)
{
    sow_index n = 0;
    for (sow_index k = 0; k < item->n_draws; k++)
        if (item->draw[k].round == round) n += item->draw[k].n;
    return n;
}

static sow_status find_round(const sow_i_power *p, sow_error *err)
{
    const sow_campaign *c = p->c;
    const sow_index n = p->o->round;
    sow_text done = {0};
    if (n >= 0 && n < c->n_rounds && c->round[n].planned && sow_i_round_measured(&c->round[n])) return SOW_OK;
    for (sow_index r = 0; r < c->n_rounds; r++)
        if (c->round[r].planned && sow_i_round_measured(&c->round[r])) sow_text_printf(&done, "%s%lld", done.size ? ", " : "", (long long)r);
    const char *which = n < 0 || n >= c->n_rounds ? "there is no such round" : c->round[n].planned ? "not all of it is measured yet" : "it is not planned yet";
    const sow_status st = SOW_ERROR(err, SOW_E_CONFIG, "%s: --round %lld: %s; measured: %s", c->config->path, (long long)n, which, done.size ? done.text : "none");
    sow_text_clear(&done);
    return st;
}

/* Perturbations of the site that came in the round, and those that were to come. */
static sow_status find_measured(measured *m, const sow_campaign *c, sow_index site, sow_index round, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(m->perturbation, c->n);
    SOW_NEW(m->cells, c->n);
    SOW_NEW(m->planned, c->n);
    for (sow_index q = 0; q < c->n; q++) {
        const sow_i_pick *pick = sow_i_find_pick(&c->round[round], site, q);
        const sow_index cells = cells_of_round(&c->site[site].item[q], round);
        if (cells == 0 && !pick) continue;
        m->perturbation[m->n] = q;
        m->cells[m->n] = cells;
        m->planned[m->n++] = pick ? pick->planned_cells : 0;
    }
done:
    return st;
}

static int ascending(const void *a, const void *b)
{
    const sow_index x = *(const sow_index *)a, y = *(const sow_index *)b;
    return (x > y) - (x < y);
}

static sow_status fill_reach(void *user, sow_index i, sow_error *err)
{
    sow_status st = SOW_OK;
    const sizes *s = user;
    const sow_power_design d = sow_i_power_design(s->p, i % s->p->n_levels, (double)s->size[i / s->p->n_levels], s->controls);
    sow_power_test *test = NULL;
    SOW_TRY(sow_power_test_create(&test, &d, err));
    s->reach[i] = (reach){sow_power_at(test, s->p->fold), sow_power_smallest_fold(test, s->p->power, 0), sow_power_smallest_fold(test, s->p->power, 1)};
done:
    sow_power_test_destroy(test);
    return st;
}

/* Perturbations with the same number of cells share the answer. */
static sow_status find_reach(sizes *s, const measured *m, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(s->size, m->n);
    for (sow_index i = 0; i < m->n; i++)
        if (m->cells[i] > 0) s->size[s->n_sizes++] = m->cells[i];
    qsort(s->size, (size_t)s->n_sizes, sizeof *s->size, ascending);
    sow_index kept = 0;
    for (sow_index i = 0; i < s->n_sizes; i++)
        if (kept == 0 || s->size[i] != s->size[kept - 1]) s->size[kept++] = s->size[i];
    s->n_sizes = kept;
    SOW_NEW(s->reach, s->n_sizes * s->p->n_levels);
    SOW_TRY(sow_parallel_for(sow_env_threads(s->p->env), s->n_sizes * s->p->n_levels, fill_reach, s, err));
done:
    return st;
}

static const reach *reach_of(const sizes *s, sow_index cells)
{
    for (sow_index i = 0; i < s->n_sizes; i++)
        if (s->size[i] == cells) return &s->reach[i * s->p->n_levels];
    return NULL;
}

/* From the round's own controls, whose depth is that of its cells; those of all rounds where they are too few. */
static sow_status estimate(sow_i_power *p, sow_index site, const sow_i_controls *own, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *all = NULL, n = 0;
    if (own->n_control >= SOW_BASELINE_FEWEST_CELLS) {
        SOW_TRY(sow_i_power_baseline(p, own->control, own->n_control, err));
        goto done;
    }
    sow_i_go(p->c, site);
    st = sow_i_controls_so_far(&all, &n, p->c, 0, err);
    sow_i_go(p->c, 0);
    SOW_TRY(st);
    SOW_TRY(sow_i_power_baseline(p, all, n, err));
done:
    if (st == SOW_E_DATA && !p->o->baseline) sow_error_prefix(err, "%s: round %lld", p->config->path, (long long)p->o->round);
    free(all);
    return st;
}

/* ---- what is said ---- */

static void put_csv(sow_text *csv, const sizes *s, const measured *m, sow_index i, int too_few)
{
    const sow_i_power *p = s->p;
    const reach *r = reach_of(s, m->cells[i]);
    for (sow_index k = 0; k < p->n_levels; k++) {
        const double numbers[] = {p->group[k].share, p->group[k].size, p->group[k].share * p->baseline.umis, p->fold, r ? r[k].power : 0, r ? r[k].decrease : (double)NAN, r ? r[k].increase : (double)NAN};
        sow_text_printf(csv, "%lld,", (long long)p->o->round);
        sow_text_csv(csv, sow_names_get(p->c->screen->contexts, p->context));
        sow_text_append(csv, ",");
        sow_text_csv(csv, sow_i_name(p->c, m->perturbation[i]));
        sow_text_printf(csv, ",%lld,%lld,%.0f,", (long long)m->cells[i], (long long)m->planned[i], s->controls);
        sow_text_csv(csv, p->name[k]);
        for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++) {
            sow_text_append(csv, ",");
            sow_text_number(csv, numbers[n]);
        }
        sow_text_printf(csv, ",%d\n", too_few);
    }
}

static json_t *row_json(const sizes *s, const measured *m, sow_index i, int *too_few)
{
    const sow_i_power *p = s->p;
    const reach *r = reach_of(s, m->cells[i]);
    sow_index reached = 0;
    json_t *levels = json_array(), *j = json_pack("{s:s,s:I,s:I}", "perturbation", sow_i_name(p->c, m->perturbation[i]), "cells", (json_int_t)m->cells[i], "planned_cells", (json_int_t)m->planned[i]);
    for (sow_index k = 0; k < p->n_levels; k++) {
        json_t *level = json_pack("{s:s,s:f}", "level", p->name[k], "power", r ? r[k].power : 0);
        json_object_set_new(level, "smallest_decrease", r ? sow_i_real_or_null(r[k].decrease) : json_null());
        json_object_set_new(level, "smallest_increase", r ? sow_i_real_or_null(r[k].increase) : json_null());
        json_array_append_new(levels, level);
        reached += r && r[k].power >= p->power;
    }
    *too_few = reached == 0;
    json_object_set_new(j, "levels_reached", json_integer(reached));
    json_object_set_new(j, "too_few", json_boolean(*too_few));
    json_object_set_new(j, "levels", levels);
    return j;
}

sow_status sow_i_power_round(json_t *out, sow_text *csv, sow_i_power *p, sow_error *err)
{
    sow_status st = SOW_OK;
    measured m = {0};
    sizes s = {.p = p};
    json_t *rows = json_array(), *levels = json_array();
    sow_index short_of = 0, site = sow_i_site_of_context(p->c, p->context);
    if (site < 0) SOW_FAIL(err, SOW_E_CONFIG, "%s: --context: %s is a reference; a round measures in the target contexts", p->config->path, sow_names_get(p->c->screen->contexts, p->context));
    SOW_TRY(find_round(p, err));
    const sow_i_controls *controls = &p->c->site[site].controls[p->o->round];
    if (controls->n_control == 0) SOW_FAIL(err, SOW_E_DATA, "%s: round %lld has no control cells in %s to compare with", p->config->path, (long long)p->o->round, sow_i_site_name(p->c, site));
    SOW_TRY(estimate(p, site, controls, err));
    s.controls = (double)controls->n_control;
    SOW_TRY(find_measured(&m, p->c, site, p->o->round, err));
    SOW_TRY(find_reach(&s, &m, err));
    sow_text_append(csv, "round,context,perturbation,cells,planned_cells,controls,level,relative_expression,size,mean_umis,fold,power,smallest_decrease,smallest_increase,too_few\n");
    for (sow_index i = 0; i < m.n; i++) {
        int too_few = 0;
        json_array_append_new(rows, row_json(&s, &m, i, &too_few));
        put_csv(csv, &s, &m, i, too_few);
        short_of += too_few;
    }
    for (sow_index k = 0; k < p->n_levels; k++)
        json_array_append_new(levels, json_pack("{s:s,s:I,s:f,s:f,s:f}", "level", p->name[k], "genes", (json_int_t)p->group[k].n, "relative_expression", p->group[k].share, "size", p->group[k].size, "mean_umis",
                                                p->group[k].share * p->baseline.umis));
    json_object_set_new(out, "round", json_integer(p->o->round));
    json_object_set_new(out, "controls", json_integer((json_int_t)s.controls));
    json_object_set_new(out, "too_few", json_integer(short_of));
    json_object_set(out, "levels", levels);
    json_object_set(out, "perturbations", rows);
done:
    json_decref(levels);
    json_decref(rows);
    free(m.perturbation);
    free(m.cells);
    free(m.planned);
    free(s.size);
    free(s.reach);
    return st;
}
