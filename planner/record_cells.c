/* Results of a lab as cells: an .h5ad with the campaign's columns. It is read and judged by itself; when all is well its bytes are kept in the
 * campaign's folder, one event says which of its cells count, and the campaign is read again with it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "planner/cells_internal.h"

static const char *control_label(const sow_campaign *c)
{
    for (sow_index i = 0; i < c->config->n_sources; i++)
        if (c->config->sources[i].role == SOW_ROLE_TARGET) return c->config->sources[i].control;
    return NULL;
}

/* The file, read by itself. */
typedef struct {
    sow_cells table;
    sow_screen *screen;
    sow_dropped dropped;
    sow_filtered filtered;
    sow_index *too_few;
} results;

static void results_clear(results *x)
{
    sow_cells_clear(&x->table);
    sow_screen_destroy(x->screen);
    sow_dropped_clear(&x->dropped);
    sow_filtered_clear(&x->filtered);
    free(x->too_few);
}

static sow_status read_results(results *x, sow_campaign *c, const char *file, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_source source;
    SOW_TRY(sow_i_recorded_source(&source, c, file, err));
    SOW_TRY(sow_cells_read(&x->table, &x->screen, NULL, &x->dropped, &source, 1, c->cache, env ? env->memory : 0, env, err));
    SOW_TRY(sow_i_check_known(c, file, x->screen->perturbations, err));
    SOW_NEW(x->too_few, sow_names_count(x->screen->contexts) * sow_screen_n_perturbations(x->screen));
    SOW_TRY(sow_cells_filter(&x->table, &x->filtered, x->too_few, &c->config->features, x->screen->perturbations, x->screen->contexts, env, err));
done:
    return st;
}

/* Genes that the frozen space needs; and some gene in common with what is there, while there is no space yet. */
static sow_status check_genes(const results *x, const sow_campaign *c, const char *file, sow_error *err)
{
    const sow_names *all = c->cells->table.genes;
    sow_index shared = 0;
    for (sow_index j = 0; j < sow_names_count(all); j++) {
        int there = sow_names_find(x->table.genes, sow_names_get(all, j)) >= 0;
        shared += there;
        if (!there && c->cells->frozen && c->cells->space.counted[j])
            return SOW_ERROR(err, SOW_E_DATA, "%s: gene '%s' of the campaign's response space is missing; nothing was recorded", file, sow_names_get(all, j));
    }
    if (all && sow_names_count(all) > 0 && shared == 0)
        return SOW_ERROR(err, SOW_E_DATA, "%s: shares no gene with the campaign's other cells; nothing was recorded", file);
    return SOW_OK;
}

/* Rows of one group of the file as an event names them: [[matrix, row, ...]]. */
static json_t *rows_json(const results *x, sow_index matrix, sow_index perturbation, sow_index context)
{
    const sow_index *cell;
    sow_index n = sow_cells_of(&cell, &x->table, perturbation, context);
    json_t *list = json_array(), *lists = json_array();
    json_array_append_new(list, json_integer((json_int_t)matrix));
    for (sow_index i = 0; i < n; i++)
        json_array_append_new(list, json_integer((json_int_t)x->table.row[cell[i]]));
    json_array_append_new(lists, list);
    return lists;
}

static void add_result(json_t *rows, const results *x, const sow_campaign *c, sow_index round, sow_index matrix, sow_index q, sow_index site, sow_index context, sow_record_summary *summary)
{
    const char *name = sow_names_get(x->screen->perturbations, q);
    const sow_i_pick *pick = sow_i_find_pick(&c->round[round], site, sow_names_find(c->screen->perturbations, name));
    sow_index n = sow_cells_of(NULL, &x->table, q, context);
    sow_outcome outcome = n == 0 ? SOW_FAILED : pick && n < pick->planned_cells ? SOW_PARTIAL : SOW_MEASURED;
    char reason[120] = "";
    if (n == 0) snprintf(reason, sizeof reason, "%lld cells, too few by features.min_cells_per_perturbation", (long long)x->too_few[context * sow_screen_n_perturbations(x->screen) + q]);
    else if (outcome == SOW_PARTIAL) snprintf(reason, sizeof reason, "%lld of %lld planned cells", (long long)n, (long long)pick->planned_cells);
    json_t *row = json_pack("{s:s,s:i}", "perturbation", name, "outcome", (int)outcome);
    sow_i_say_site(row, c, site);
    if (*reason) json_object_set_new(row, "reason", json_string(reason));
    if (n > 0) json_object_set_new(row, "handed_out", rows_json(x, matrix, q, context));
    json_array_append_new(rows, row);
    summary->recorded += n > 0;
    summary->failed += n == 0;
    summary->unplanned += n > 0 && !pick;
}

static sow_index context_in(const results *x, const sow_campaign *c, sow_index site)
{
    return sow_names_find(x->screen->contexts, sow_i_site_name(c, site));
}

/* Planned ones that the file does not name are still awaited, or failed with --complete. */
static void add_missing(json_t *rows, const sow_campaign *c, sow_index round, const sow_screen *named, int complete, sow_record_summary *summary)
{
    const sow_i_round *r = &c->round[round];
    for (sow_index i = 0; i < r->n; i++) {
        if (r->pick[i].outcome != SOW_PENDING || (named && sow_i_is_named(c, named, &r->pick[i]))) continue;
        summary->failed += complete;
        summary->pending += !complete;
        if (!complete) continue;
        json_t *row = json_pack("{s:s,s:i}", "perturbation", sow_i_name(c, r->pick[i].perturbation), "outcome", (int)SOW_FAILED);
        sow_i_say_site(row, c, r->pick[i].site);
        json_array_append_new(rows, row);
    }
}

/* The campaign's own copy: "cells/<first digits of its SHA-256>.h5ad" in its folder. */
static sow_status keep_file(char relative[40], const sow_campaign *c, const char *file, const char digest[65], sow_error *err)
{
    sow_status st = SOW_OK;
    char *folder = sow_path_join(c->dir, "cells"), *path = NULL;
    snprintf(relative, 40, "cells/%.16s.h5ad", digest);
    path = sow_path_join(c->dir, relative);
    if (!folder || !path) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_make_directories(folder, err));
    SOW_TRY(sow_file_copy_atomic(path, file, err));
done:
    free(folder);
    free(path);
    return st;
}

/* Cells of several contexts in one file: the controls of each go into one list, which is taken apart by context again when the event is applied. */
static sow_status collect(json_t *payload, const results *x, const sow_campaign *c, sow_index round, sow_record_summary *summary, sow_error *err)
{
    const sow_index matrix = c->cells->table.n_matrices;
    json_t *controls = json_array(), *rows = json_object_get(payload, "results");
    sow_index found = 0;
    for (sow_index site = 0; site < c->n_sites; site++) {
        const sow_index context = context_in(x, c, site);
        if (context < 0) continue;
        found++;
        json_t *lists = rows_json(x, matrix, SOW_CONTROL, context);
        json_array_extend(controls, lists);
        json_decref(lists);
        for (sow_index q = 0; q < sow_screen_n_perturbations(x->screen); q++)
            if (c->n_sites == 1 || sow_screen_find(x->screen, q, context) >= 0) add_result(rows, x, c, round, matrix, q, site, context, summary);
    }
    json_object_set_new(payload, "controls", controls);
    if (found == 0)
        return SOW_ERROR(err, SOW_E_DATA, "the file has no cells of the context '%s'%s that this campaign plans in; nothing was recorded", sow_i_target_name(c), c->n_sites > 1 ? " or another" : "");
    return SOW_OK;
}

sow_status sow_i_record_cells(sow_campaign *c, sow_index known, const char *file, const char digest[65], int complete, sow_record_summary *summary, const sow_env *env,
                              sow_error *err)
{
    sow_status st = SOW_OK;
    results x = {0};
    char relative[40], *text = NULL;
    sow_index round = known;
    json_t *payload = json_pack("{s:s,s:s,s:[]}", "source", "record", "file_sha256", digest, "results");
    if (!payload) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    if (!summary->known) {
        SOW_TRY(read_results(&x, c, file, env, err));
        SOW_TRY(check_genes(&x, c, file, err));
        SOW_TRY(sow_i_round_of_results(&round, c, file, x.screen, err));
        SOW_TRY(collect(payload, &x, c, round, summary, err));
    }
    add_missing(json_object_get(payload, "results"), c, round, x.screen, complete, summary);
    if (json_array_size(json_object_get(payload, "results")) == 0) goto done;
    if (!summary->known) {
        SOW_TRY(keep_file(relative, c, file, digest, err));
        json_object_set_new(payload, "cells_file", json_string(relative));
        sow_i_warn_of_dropped(&x.dropped, control_label(c), env);
    }
    text = sow_i_json_text(payload, 0);
    if (!text) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_store_append(c->store, "measured", round, text, err));
    SOW_TRY(sow_i_reload(c, env, err));
    SOW_TRY(sow_i_freeze_if_due(c, err));
    SOW_TRY(sow_i_evaluate_due(c, env, err));
done:
    if (st != SOW_OK) sow_error_prefix(err, "recording %s", file);
    json_decref(payload);
    free(text);
    results_clear(&x);
    return st;
}
