/* The table of cells of a campaign, and the screen that goes with it. */
#include "planner/cells_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "simulator/cell_world.h"

/* Files that people recorded are further matrices: their cells are read with the target source's description. */
static sow_status list_recorded(sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_store *past = NULL;
    sow_index n = 0;
    const sow_event *events = NULL;
    if (c->mode == SOW_CAMPAIGN_CHECK) return SOW_OK;
    if (!c->store) st = sow_store_open(&past, c->dir, SOW_STORE_READ, err);
    if (st == SOW_E_STATE) return SOW_OK; /* no campaign yet */
    if (st != SOW_OK) goto done;
    events = sow_store_events(past ? past : c->store, &n);
    SOW_NEW(c->cells->recorded, n);
    SOW_NEW(c->cells->said, n);
    for (sow_index i = 0; i < n; i++) {
        if (strcmp(events[i].kind, "measured") != 0) continue;
        json_t *payload = json_loads(events[i].payload, 0, NULL);
        const char *file = json_string_value(json_object_get(payload, "cells_file"));
        if (!file) {
            json_decref(payload);
            continue;
        }
        c->cells->said[c->cells->n_recorded] = payload;
        c->cells->recorded[c->cells->n_recorded] = sow_path_join(c->dir, file);
        if (!c->cells->recorded[c->cells->n_recorded++]) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    }
done:
    sow_store_abandon(past);
    return st;
}

static const sow_source *target_source(const sow_config *k)
{
    for (sow_index i = 0; i < k->n_sources; i++)
        if (k->sources[i].role == SOW_ROLE_TARGET) return &k->sources[i];
    return NULL;
}

sow_status sow_i_recorded_source(sow_source *out, sow_campaign *c, const char *file, sow_error *err)
{
    sow_status st = SOW_OK;
    *out = *target_source(c->config);
    if (!out->context && out->context_column && out->n_keep_contexts == 1) {
        out->context = out->keep_contexts[0]; /* a file of this context alone need not have the column */
    } else if (!out->context && !out->context_column) { /* as the list of candidates is named */
        const char *slash = strrchr(out->file, '/'), *base = slash ? slash + 1 : out->file;
        if (!c->cells->own_context) c->cells->own_context = sow_strndup(base, strcspn(base, "."));
        if (!c->cells->own_context) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
        out->context = c->cells->own_context;
    }
    out->file = file;
    out->names_only = 0;
    out->may_be_empty = 1;
done:
    return st;
}

static sow_status list_sources(sow_source **out, sow_index *n, sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_config *k = c->config;
    int lab = strcmp(k->oracle.kind, "lab") == 0;
    const sow_source *target = target_source(k);
    SOW_NEW(*out, k->n_sources + c->cells->n_recorded);
    for (*n = 0; *n < k->n_sources; (*n)++) {
        (*out)[*n] = k->sources[*n];
        (*out)[*n].names_only = lab && k->sources[*n].role == SOW_ROLE_TARGET; /* a list of candidates: their cells come by `sower record` */
    }
    for (sow_index i = 0; i < c->cells->n_recorded && target; i++) {
        sow_source *s = &(*out)[(*n)++];
        SOW_TRY(sow_i_recorded_source(s, c, c->cells->recorded[i], err));
    }
done:
    return st;
}

static sow_status note_filtered(sow_campaign *c, const sow_filtered *f, sow_error *err)
{
    sow_status st = SOW_OK;
    for (sow_index i = 0; i < f->n; i++) {
        SOW_TRY(sow_grow(&c->dropped.item, &c->dropped.capacity, c->dropped.n + 1, sizeof *c->dropped.item, err));
        char *what = sow_strdup(f->item[i].what), *names = sow_strdup(f->item[i].names);
        if (!what || !names) {
            free(what);
            free(names);
            SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
        }
        c->dropped.item[c->dropped.n].what = what;
        c->dropped.item[c->dropped.n].names = names;
        c->dropped.item[c->dropped.n++].count = f->item[i].count;
    }
done:
    return st;
}

/* ---- filters ---- */

/* Marks the recorded cells (from `first` on) that an event says count; the table is as it was read. */
static sow_status mark_said(unsigned char *counts, sow_index first, const sow_campaign *c, const json_t *lists, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *at = NULL, n = 0;
    if (!lists) return SOW_OK;
    SOW_TRY(sow_i_cells_positions(&at, &n, c, lists, err));
    for (sow_index i = 0; i < n; i++)
        if (at[i] >= first) counts[at[i] - first] = 1;
done:
    free(at);
    return st;
}

static sow_status mark_recorded(unsigned char *counts, sow_index first, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    for (sow_index k = 0; k < c->cells->n_recorded; k++) {
        const json_t *results = json_object_get(c->cells->said[k], "results");
        SOW_TRY(mark_said(counts, first, c, json_object_get(c->cells->said[k], "controls"), err));
        for (size_t i = 0; i < json_array_size(results); i++)
            SOW_TRY(mark_said(counts, first, c, json_object_get(json_array_get(results, i), "handed_out"), err));
    }
done:
    return st;
}

static void move_cell(sow_cells *t, sow_index to, sow_index from)
{
    t->in_matrix[to] = t->in_matrix[from];
    t->row[to] = t->row[from];
    t->perturbation[to] = t->perturbation[from];
    t->context[to] = t->context[from];
    t->batch[to] = t->batch[from];
    t->guide[to] = t->guide[from];
    t->replicate[to] = t->replicate[from];
}

/* The filters were put to a recorded file by itself, and its event says which cells count. To ask again of all together would let what other files
 * hold take away cells that were measured. */
static sow_status filter_cells(sow_campaign *c, sow_filtered *filtered, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_cells *t = &c->cells->table;
    const sow_index all = t->n, own = t->n_matrices - c->cells->n_recorded, perturbations = t->n_perturbations, contexts = t->n_contexts;
    sow_index first = all;
    unsigned char *counts = NULL;
    while (first > 0 && t->in_matrix[first - 1] >= own)
        first--;
    SOW_NEW(counts, all - first);
    SOW_TRY(mark_recorded(counts, first, c, err));
    t->n = first;
    if (first < all) SOW_TRY(sow_cells_index(t, perturbations, contexts, err));
    SOW_TRY(sow_cells_filter(t, filtered, c->cells->too_few, &c->config->features, c->screen->perturbations, c->screen->contexts, env, err));
    for (sow_index i = first; i < all; i++)
        if (counts[i - first]) move_cell(t, t->n++, i);
    if (first < all) SOW_TRY(sow_cells_index(t, perturbations, contexts, err));
done:
    free(counts);
    return st;
}

/* After the filters a row is a group with cells left, or a name of the lab's list, whatever came of it. Values come when the space is frozen. */
static sow_status refresh_rows(sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_screen *s = c->screen;
    sow_index kept = 0;
    int lab = strcmp(c->config->oracle.kind, "lab") == 0;
    for (sow_index r = 0; r < s->n_rows; r++) {
        sow_index count = sow_cells_of(NULL, &c->cells->table, s->perturbation[r], s->context[r]);
        int listed = isnan(s->cells[r]) || (lab && s->context_role[s->context[r]] == SOW_ROLE_TARGET), only_name = listed && count == 0;
        if (count == 0 && !only_name) continue;
        s->perturbation[kept] = s->perturbation[r];
        s->context[kept] = s->context[r];
        s->replicates[kept] = s->replicates[r];
        s->cells[kept] = only_name ? NAN : (double)count;
        s->weight[kept] = only_name ? 1.0 : (double)count;
        s->hit[kept] = s->hit[r];
        kept++;
    }
    s->n_rows = kept;
    free(s->values);
    s->values = NULL;
    SOW_NEW(s->values, 1);
    sow_names_destroy(s->features);
    s->features = NULL;
    SOW_TRY(sow_names_create(&s->features, err));
done:
    return st;
}

/* The campaign's own copies are its data as much as the sources are. */
static sow_status check_recorded(const sow_campaign *c, sow_error *err)
{
    for (sow_index k = 0; k < c->cells->n_recorded; k++) {
        const char *then = json_string_value(json_object_get(c->cells->said[k], "file_sha256"));
        if (then && strcmp(then, c->cells->digest[c->cells->n_sources + k]) != 0)
            return SOW_ERROR(err, SOW_E_DATA, "%s: this is not what was recorded (its SHA-256 differs); put the file of the lab there again",
                             c->cells->recorded[k]);
    }
    return SOW_OK;
}

/* Counts under the name of log1p values would go through a campaign without a word, and every distance in it would be wrong. */
static sow_status check_declared(const sow_campaign *c, const sow_source *sources, sow_index n_sources, sow_error *err)
{
    const sow_cells *t = &c->cells->table;
    enum { FEWEST = 100, SAMPLE = 200000 };
    for (sow_index m = 0, k = 0; m < t->n_matrices; m++, k++) {
        const sow_cell_matrix *x = &t->matrix[m];
        int64_t n = x->start[x->n_cells] < SAMPLE ? x->start[x->n_cells] : SAMPLE, whole = 0;
        while (k < n_sources && sources[k].names_only) k++; /* lists have no matrix */
        for (int64_t i = 0; t->is_log[m] && i < n; i++)
            whole += x->value[i] == floorf(x->value[i]);
        if (t->is_log[m] && n >= FEWEST && whole == n)
            return SOW_ERROR(err, SOW_E_DATA, "%s: declared `values: log1p`, but they are whole numbers, as raw counts are; set values: counts",
                             k < n_sources ? sources[k].file : "a source");
    }
    return SOW_OK;
}

static sow_status filter_and_refresh(sow_campaign *c, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_filtered filtered = {0};
    SOW_NEW(c->cells->too_few, sow_names_count(c->screen->contexts) * sow_screen_n_perturbations(c->screen));
    SOW_TRY(filter_cells(c, &filtered, env, err));
    SOW_TRY(note_filtered(c, &filtered, err));
    SOW_TRY(refresh_rows(c, err));
done:
    sow_filtered_clear(&filtered);
    return st;
}

sow_status sow_i_cells_make(sow_campaign *c, sow_prior *given, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_config *k = c->config;
    sow_cell_world_options world;
    sow_calibration measured = {0};
    SOW_TRY(sow_i_world_options(&world, &measured, k, err));
    world.counts = c->counts;
    SOW_NEW(c->cells, 1);
    SOW_TRY(sow_cell_world_create(&c->cells->table, &c->screen, given, NULL, &world, env, err));
    SOW_TRY(filter_and_refresh(c, env, err));
done:
    sow_calibration_clear(&measured);
    return st;
}

sow_status sow_i_cells_load(sow_campaign *c, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_source *sources = NULL;
    sow_index n = 0;
    SOW_NEW(c->cells, 1);
    SOW_TRY(list_recorded(c, err));
    SOW_TRY(list_sources(&sources, &n, c, err));
    c->cells->n_sources = c->config->n_sources;
    SOW_NEW(c->cells->digest, n);
    SOW_TRY(sow_cells_read(&c->cells->table, &c->screen, c->cells->digest, &c->dropped, sources, n, c->cache, env ? env->memory : 0, env, err));
    SOW_TRY(check_recorded(c, err));
    SOW_TRY(check_declared(c, sources, n, err));
    SOW_TRY(filter_and_refresh(c, env, err));
done:
    free(sources);
    return st;
}

void sow_i_cells_clear(sow_campaign *c)
{
    sow_i_cells *x = c->cells;
    if (!x) return;
    for (sow_index i = 0; x->recorded && i < x->n_recorded; i++)
        free(x->recorded[i]);
    for (sow_index i = 0; x->said && i < x->n_recorded; i++)
        json_decref(x->said[i]);
    free(x->recorded);
    free(x->said);
    free(x->judge);
    free(x->own_context);
    free(x->digest);
    free(x->too_few);
    if (x->frozen) sow_preparation_clear(&x->space);
    json_decref(x->frozen_event);
    for (int k = 0; k < SOW_I_CONTROL_LISTS; k++)
        sow_i_control_means_clear(&x->control_means[k]);
    sow_cells_clear(&x->table);
    free(x);
    c->cells = NULL;
}

char *sow_i_cells_why_not(const sow_campaign *c, sow_index context, sow_index q)
{
    sow_index count = c->cells->too_few[context * c->n + q];
    if (count == 0) return NULL;
    return sow_format("%lld cell%s, fewer than features.min_cells_per_perturbation (%lld)", (long long)count, count == 1 ? "" : "s",
                      (long long)c->config->features.min_cells_per_perturbation);
}

sow_index sow_i_own_genes(sow_index *own, const sow_campaign *c, sow_index q)
{
    const sow_perturbation *p = &c->screen->detail[q];
    sow_index n = 0;
    for (sow_index i = 0; i < p->n_agents && n < SOW_I_MAX_OWN; i++) {
        sow_index j = sow_names_find(c->screen->features, p->agent[i]);
        if (j >= 0) own[n++] = j;
    }
    return n;
}

double sow_i_effect(const sow_campaign *c, sow_index q, const double *y)
{
    sow_index own[SOW_I_MAX_OWN], n_own = sow_i_own_genes(own, c, q);
    double sum = 0;
    for (sow_index j = 0; j < c->d; j++) {
        int is_own = 0;
        for (sow_index k = 0; k < n_own; k++)
            is_own |= own[k] == j;
        sum += is_own ? 0 : y[j] * y[j];
    }
    return sqrt(sum);
}
