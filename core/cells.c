#include "core/cells.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/cells_internal.h"
#include "core/memory.h"

void sow_cell_arrays_release(void *owner)
{
    sow_cell_arrays *a = owner;
    if (!a) return;
    free(a->start);
    free(a->gene);
    free(a->value);
    free(a);
}

void sow_cell_matrix_clear(sow_cell_matrix *m)
{
    if (!m) return;
    sow_names_destroy(m->genes);
    if (m->release) m->release(m->owner);
    memset(m, 0, sizeof *m);
}

void sow_cells_clear(sow_cells *cells)
{
    if (!cells) return;
    for (sow_index m = 0; m < cells->n_matrices; m++) {
        if (cells->matrix) sow_cell_matrix_clear(&cells->matrix[m]);
        if (cells->gene_of) free(cells->gene_of[m]);
    }
    free(cells->matrix);
    free(cells->is_log);
    free(cells->gene_of);
    free(cells->in_matrix);
    free(cells->row);
    free(cells->perturbation);
    free(cells->context);
    free(cells->batch);
    free(cells->guide);
    free(cells->replicate);
    free(cells->order);
    free(cells->group_start);
    sow_names_destroy(cells->genes);
    sow_names_destroy(cells->batches);
    sow_names_destroy(cells->guides);
    sow_names_destroy(cells->replicates);
    memset(cells, 0, sizeof *cells);
}

static sow_index group_of(const sow_cells *cells, sow_index i)
{
    return cells->context[i] * (cells->n_perturbations + 1) + cells->perturbation[i] + 1;
}

/* A counting sort: stable, so positions ascend within a group. `next` [groups + 1] is room to work in. */
void sow_i_cells_fill_index(sow_cells *cells, sow_index *next)
{
    sow_index groups = cells->n_contexts * (cells->n_perturbations + 1);
    memset(cells->group_start, 0, (size_t)(groups + 1) * sizeof *cells->group_start);
    for (sow_index i = 0; i < cells->n; i++) cells->group_start[group_of(cells, i) + 1]++;
    for (sow_index g = 0; g < groups; g++) cells->group_start[g + 1] += cells->group_start[g];
    memcpy(next, cells->group_start, (size_t)(groups + 1) * sizeof *next);
    for (sow_index i = 0; i < cells->n; i++) cells->order[next[group_of(cells, i)]++] = i;
}

static sow_status check_labels(const sow_cells *cells, sow_index n_perturbations, sow_index n_contexts, sow_error *err)
{
    for (sow_index i = 0; i < cells->n; i++) {
        if (cells->perturbation[i] < SOW_CONTROL || cells->perturbation[i] >= n_perturbations)
            return SOW_ERROR(err, SOW_E_ARG, "cell %lld: perturbation %d is not one of the %lld known", (long long)i, (int)cells->perturbation[i],
                             (long long)n_perturbations);
        if (cells->context[i] < 0 || cells->context[i] >= n_contexts)
            return SOW_ERROR(err, SOW_E_ARG, "cell %lld: context %d is not one of the %lld known", (long long)i, (int)cells->context[i],
                             (long long)n_contexts);
    }
    return SOW_OK;
}

sow_status sow_cells_index(sow_cells *cells, sow_index n_perturbations, sow_index n_contexts, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *order = NULL, *start = NULL, *next = NULL;
    if (n_perturbations < 0 || n_contexts < 0 || (n_contexts > 0 && n_perturbations >= INT32_MAX / n_contexts))
        SOW_FAIL(err, SOW_E_ARG, "%lld perturbations in %lld contexts are not allowed", (long long)n_perturbations, (long long)n_contexts);
    SOW_TRY(check_labels(cells, n_perturbations, n_contexts, err));
    sow_index groups = n_contexts * (n_perturbations + 1);
    SOW_NEW(order, cells->n);
    SOW_NEW(start, groups + 1);
    SOW_NEW(next, groups + 1);
    free(cells->order);
    free(cells->group_start);
    cells->order = order;
    cells->group_start = start;
    order = start = NULL;
    cells->n_perturbations = n_perturbations;
    cells->n_contexts = n_contexts;
    sow_i_cells_fill_index(cells, next);
done:
    free(order);
    free(start);
    free(next);
    return st;
}

sow_index sow_cells_of(const sow_index **list, const sow_cells *cells, sow_index perturbation, sow_index context)
{
    assert(cells->group_start && "sow_cells_index comes first");
    assert(perturbation >= SOW_CONTROL && perturbation < cells->n_perturbations && context >= 0 && context < cells->n_contexts);
    sow_index group = context * (cells->n_perturbations + 1) + perturbation + 1;
    if (list) *list = cells->order + cells->group_start[group];
    return cells->group_start[group + 1] - cells->group_start[group];
}
