/* Filters and caps on the table of cells, before any fit. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cells_internal.h"
#include "core/memory.h"
#include "core/prepare_internal.h"
#include "core/rng.h"

enum { NAMES_SHOWN = 20, FILTER_TILE = 4096 };

void sow_filtered_clear(sow_filtered *f)
{
    if (!f) return;
    for (sow_index i = 0; i < f->n; i++) {
        free(f->item[i].what);
        free(f->item[i].names);
    }
    free(f->item);
    memset(f, 0, sizeof *f);
}

static char *join_names(const char *const *list, sow_index n)
{
    sow_index shown = n < NAMES_SHOWN ? n : NAMES_SHOWN;
    size_t bytes = 64, at = 0;
    for (sow_index i = 0; i < shown; i++) bytes += strlen(list[i]) + 2;
    char *text = sow_calloc((sow_index)bytes, 1);
    if (!text) return NULL;
    for (sow_index i = 0; i < shown; i++) at += (size_t)snprintf(text + at, bytes - at, "%s%s", i ? ", " : "", list[i]);
    if (n > shown) snprintf(text + at, bytes - at, " ... and %lld more", (long long)(n - shown));
    return text;
}

sow_status sow_i_filtered_add(sow_filtered *filtered, const char *const *list, sow_index n, sow_index count, sow_error *err, const char *format, ...)
{
    sow_status st = SOW_OK;
    char what[256], *text = NULL, *names = NULL;
    va_list arguments;
    if (!filtered || count == 0) return SOW_OK;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    SOW_TRY(sow_grow(&filtered->item, &filtered->capacity, filtered->n + 1, sizeof *filtered->item, err));
    text = sow_strdup(what);
    names = join_names(list, n);
    if (!text || !names) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    filtered->item[filtered->n].what = text;
    filtered->item[filtered->n].names = names;
    filtered->item[filtered->n++].count = count;
    text = names = NULL;
done:
    free(text);
    free(names);
    return st;
}

/* ---- which cells stay ---- */

enum { KEPT, FEW_GENES, ABOVE_CAP, SMALL_GROUP, N_REASONS };

typedef struct {
    const sow_cells *cells;
    const sow_features *features;
    const sow_names *names, *contexts;
    unsigned char *reason; /* [n] */
    sow_index *left;       /* [groups] cells of the group that stay so far */
} filter_job;

static sow_index n_groups(const sow_cells *cells)
{
    return cells->n_contexts * (cells->n_perturbations + 1);
}

static int is_control(const sow_cells *cells, sow_index group)
{
    return group % (cells->n_perturbations + 1) == 0;
}

static sow_status count_genes(void *user, sow_index tile, sow_error *err)
{
    filter_job *job = user;
    const sow_index least = job->features->min_genes_per_cell, n = job->cells->n;
    const sow_index last = (tile + 1) * FILTER_TILE < n ? (tile + 1) * FILTER_TILE : n;
    (void)err;
    for (sow_index i = tile * FILTER_TILE; i < last; i++) {
        const sow_i_cell cell = sow_i_cell_at(job->cells, NULL, i);
        const int32_t *gene_of = job->cells->gene_of[job->cells->in_matrix[i]];
        sow_index genes = 0;
        for (sow_index j = 0; j < cell.n; j++) genes += gene_of[cell.gene[j]] >= 0;
        if (genes < least) job->reason[i] = FEW_GENES;
    }
    return SOW_OK;
}

/* The stream belongs to the group, so that a cap draws the same cells whatever the other groups hold. */
static void cap_group(filter_job *job, sow_index group, sow_index *room)
{
    const sow_cells *cells = job->cells;
    const sow_index width = cells->n_perturbations + 1;
    sow_rng rng = sow_rng_make(job->features->seed, SOW_RNG_CAP, (uint32_t)(group / width), (uint32_t)(group % width - 1));
    sow_index n = 0;
    for (sow_index k = cells->group_start[group]; k < cells->group_start[group + 1]; k++)
        if (job->reason[cells->order[k]] == KEPT) room[n++] = cells->order[k];
    sow_rng_permute(&rng, room, n);
    for (sow_index k = job->features->max_cells_per_perturbation; k < n; k++) job->reason[room[k]] = ABOVE_CAP;
}

static void count_left(filter_job *job)
{
    const sow_cells *cells = job->cells;
    for (sow_index g = 0; g < n_groups(cells); g++) {
        job->left[g] = 0;
        for (sow_index k = cells->group_start[g]; k < cells->group_start[g + 1]; k++) job->left[g] += job->reason[cells->order[k]] == KEPT;
    }
}

static void drop_small_groups(filter_job *job, sow_index *too_few)
{
    const sow_cells *cells = job->cells;
    const sow_index width = cells->n_perturbations + 1, least = job->features->min_cells_per_perturbation;
    if (too_few) memset(too_few, 0, (size_t)(cells->n_contexts * cells->n_perturbations) * sizeof *too_few);
    for (sow_index g = 0; g < n_groups(cells); g++) {
        if (is_control(cells, g) || job->left[g] >= least) continue;
        if (too_few) too_few[g / width * cells->n_perturbations + g % width - 1] = job->left[g];
        for (sow_index k = cells->group_start[g]; k < cells->group_start[g + 1]; k++)
            if (job->reason[cells->order[k]] == KEPT) job->reason[cells->order[k]] = SMALL_GROUP;
    }
}

static sow_status decide(filter_job *job, sow_index *too_few, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_cells *cells = job->cells;
    sow_index *room = NULL;
    if (job->features->min_genes_per_cell > 0)
        SOW_TRY(sow_parallel_for(sow_env_threads(env), (cells->n + FILTER_TILE - 1) / FILTER_TILE, count_genes, job, err));
    count_left(job);
    SOW_NEW(room, cells->n);
    for (sow_index g = 0; job->features->max_cells_per_perturbation > 0 && g < n_groups(cells); g++)
        if (!is_control(cells, g) && job->left[g] > job->features->max_cells_per_perturbation) cap_group(job, g, room);
    count_left(job);
    drop_small_groups(job, too_few);
done:
    free(room);
    return st;
}

/* ---- saying so ---- */

static const char *context_name(const filter_job *job, sow_index context)
{
    const char *name = context < sow_names_count(job->contexts) ? sow_names_get(job->contexts, context) : NULL;
    return name ? name : "?";
}

static char *group_name(const filter_job *job, sow_index group, sow_index count)
{
    const sow_index width = job->cells->n_perturbations + 1, p = group % width - 1;
    const char *name = p < 0 ? "control" : p < sow_names_count(job->names) ? sow_names_get(job->names, p) : "?";
    if (job->cells->n_contexts < 2) return sow_format("%s (%lld)", name, (long long)count);
    return sow_format("%s in %s (%lld)", name, context_name(job, group / width), (long long)count);
}

static sow_index count_reason(const filter_job *job, sow_index group, int reason)
{
    const sow_cells *cells = job->cells;
    sow_index n = 0;
    for (sow_index k = cells->group_start[group]; k < cells->group_start[group + 1]; k++) n += job->reason[cells->order[k]] == reason;
    return n;
}

static void free_texts(char **text, sow_index n)
{
    for (sow_index i = 0; text && i < n; i++) free(text[i]);
    free(text);
}

/* Cells taken out for one reason, with the perturbations they belong to. */
static sow_status report_cells(sow_filtered *filtered, const filter_job *job, int reason, const char *what, sow_index limit, sow_error *err)
{
    sow_status st = SOW_OK;
    char **list = NULL;
    sow_index n = 0, total = 0;
    SOW_NEW(list, n_groups(job->cells));
    for (sow_index g = 0; g < n_groups(job->cells); g++) {
        sow_index count = count_reason(job, g, reason);
        if (count == 0) continue;
        if (!(list[n++] = group_name(job, g, count))) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
        total += count;
    }
    SOW_TRY(sow_i_filtered_add(filtered, (const char *const *)list, n, total, err, what, (long long)limit));
done:
    free_texts(list, n);
    return st;
}

static int is_dropped(const filter_job *job, sow_index g)
{
    const sow_cells *cells = job->cells;
    const sow_index least = job->features->min_cells_per_perturbation;
    return !is_control(cells, g) && cells->group_start[g + 1] > cells->group_start[g] && (job->left[g] < least || job->left[g] == 0);
}

static sow_status report_groups(sow_filtered *filtered, const filter_job *job, sow_error *err)
{
    sow_status st = SOW_OK;
    char **list = NULL;
    sow_index n = 0;
    SOW_NEW(list, n_groups(job->cells));
    for (sow_index g = 0; g < n_groups(job->cells); g++) {
        if (!is_dropped(job, g)) continue;
        if (!(list[n++] = group_name(job, g, job->left[g]))) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    }
    SOW_TRY(sow_i_filtered_add(filtered, (const char *const *)list, n, n, err, "perturbations of fewer than %lld cells",
                               (long long)(job->features->min_cells_per_perturbation > 1 ? job->features->min_cells_per_perturbation : 1)));
done:
    free_texts(list, n);
    return st;
}

static sow_status report(sow_filtered *filtered, const filter_job *job, sow_error *err)
{
    sow_status st = SOW_OK;
    if (!filtered) return SOW_OK;
    SOW_TRY(report_cells(filtered, job, FEW_GENES, "cells of fewer than %lld genes", job->features->min_genes_per_cell, err));
    SOW_TRY(report_cells(filtered, job, ABOVE_CAP, "cells above the %lld of a perturbation, drawn by lot", job->features->max_cells_per_perturbation, err));
    SOW_TRY(report_groups(filtered, job, err));
done:
    return st;
}

/* ---- what must be left ---- */

static sow_status check_features(const sow_features *f, sow_error *err)
{
    if (f->min_genes_per_cell < 0 || f->min_cells_per_perturbation < 0 || f->max_cells_per_perturbation < 0)
        return SOW_ERROR(err, SOW_E_ARG, "a filter below 0: min_genes_per_cell %lld, min_cells_per_perturbation %lld, max_cells_per_perturbation %lld",
                         (long long)f->min_genes_per_cell, (long long)f->min_cells_per_perturbation, (long long)f->max_cells_per_perturbation);
    if (f->max_cells_per_perturbation > 0 && f->max_cells_per_perturbation < f->min_cells_per_perturbation)
        return SOW_ERROR(err, SOW_E_CONFIG, "max_cells_per_perturbation %lld is below min_cells_per_perturbation %lld: no perturbation would be left",
                         (long long)f->max_cells_per_perturbation, (long long)f->min_cells_per_perturbation);
    return SOW_OK;
}

static sow_status check_left(const filter_job *job, sow_error *err)
{
    const sow_cells *cells = job->cells;
    sow_index had = 0, left = 0, most = 0;
    for (sow_index g = 0; g < n_groups(cells); g++) {
        const sow_index before = cells->group_start[g + 1] - cells->group_start[g];
        if (is_control(cells, g) && before > 0 && job->left[g] == 0)
            return SOW_ERROR(err, SOW_E_DATA, "context '%s': none of its %lld control cells has %lld genes; lower features.min_genes_per_cell",
                             context_name(job, g / (cells->n_perturbations + 1)), (long long)before, (long long)job->features->min_genes_per_cell);
        if (is_control(cells, g)) continue;
        had += before;
        left += is_dropped(job, g) ? 0 : job->left[g];
        if (job->left[g] > most) most = job->left[g];
    }
    if (had > 0 && left == 0)
        return SOW_ERROR(err, SOW_E_DATA, "no perturbation has %lld cells after the filters (the largest has %lld); lower features.min_cells_per_perturbation",
                         (long long)job->features->min_cells_per_perturbation, (long long)most);
    return SOW_OK;
}

static void take_out(sow_cells *cells, const unsigned char *reason)
{
    sow_index n = 0;
    for (sow_index i = 0; i < cells->n; i++) {
        if (reason[i] != KEPT) continue;
        cells->in_matrix[n] = cells->in_matrix[i];
        cells->row[n] = cells->row[i];
        cells->perturbation[n] = cells->perturbation[i];
        cells->context[n] = cells->context[i];
        cells->batch[n] = cells->batch[i];
        cells->guide[n] = cells->guide[i];
        cells->replicate[n] = cells->replicate[i];
        n++;
    }
    cells->n = n;
}

/* Everything that can fail happens before the table is touched. */
sow_status sow_cells_filter(sow_cells *cells, sow_filtered *filtered, sow_index *too_few, const sow_features *features, const sow_names *names,
                            const sow_names *contexts, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    filter_job job = {.cells = cells, .features = features, .names = names, .contexts = contexts};
    sow_index *next = NULL;
    if (!cells->group_start) SOW_FAIL(err, SOW_E_STATE, "the table of cells has no index yet");
    SOW_TRY(check_features(features, err));
    SOW_NEW(job.reason, cells->n);
    SOW_NEW(job.left, n_groups(cells));
    SOW_NEW(next, n_groups(cells) + 1);
    SOW_TRY(decide(&job, too_few, env, err));
    SOW_TRY(check_left(&job, err));
    SOW_TRY(report(filtered, &job, err));
    take_out(cells, job.reason);
    sow_i_cells_fill_index(cells, next);
done:
    free(job.reason);
    free(job.left);
    free(next);
    return st;
}
