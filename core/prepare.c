/* The frozen space, and cells in it. A cell's value of a gene is log1p(count * target_sum / total), total being the sum of the counted genes. */
#include "core/prepare.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/prepare_internal.h"

enum { ROWS_TILE = 64 }; /* cells a task prepares */

void sow_preparation_clear(sow_preparation *p)
{
    if (!p) return;
    sow_names_destroy(p->genes);
    free(p->counted);
    free(p->column);
    memset(p, 0, sizeof *p);
}

static sow_status take_columns(sow_preparation *p, const sow_cells *cells, const sow_names *genes, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index n_genes = sow_names_count(cells->genes);
    SOW_NEW(p->counted, n_genes);
    SOW_NEW(p->column, n_genes);
    SOW_TRY(sow_names_create(&p->genes, err));
    memset(p->counted, 1, (size_t)n_genes);
    for (sow_index g = 0; g < n_genes; g++) p->column[g] = -1;
    for (sow_index c = 0; c < sow_names_count(genes); c++) {
        const char *name = sow_names_get(genes, c);
        sow_index g = sow_names_find(cells->genes, name);
        if (g < 0) SOW_FAIL(err, SOW_E_DATA, "gene '%s' of the response is not among the %lld genes of the cells", name, (long long)n_genes);
        SOW_TRY(sow_names_add(p->genes, name, NULL, err));
        p->column[g] = (int32_t)c;
    }
    p->d = sow_names_count(p->genes);
done:
    return st;
}

static sow_status leave_uncounted(sow_preparation *p, const sow_cells *cells, const sow_names *not_counted, sow_error *err)
{
    for (sow_index i = 0; i < sow_names_count(not_counted); i++) {
        const char *name = sow_names_get(not_counted, i);
        sow_index g = sow_names_find(cells->genes, name);
        if (g < 0) return SOW_ERROR(err, SOW_E_DATA, "gene '%s', left out of the totals, is not among the genes of the cells", name);
        if (p->column[g] >= 0) return SOW_ERROR(err, SOW_E_DATA, "gene '%s' is in the response and yet left out of the totals", name);
        p->counted[g] = 0;
    }
    return SOW_OK;
}

sow_status sow_preparation_make(sow_preparation *out, const sow_cells *cells, const sow_names *genes, const sow_names *not_counted, double target_sum,
                                int log1p, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_preparation p = {0};
    memset(out, 0, sizeof *out);
    if (!isnan(target_sum) && !(isfinite(target_sum) && target_sum > 0))
        SOW_FAIL(err, SOW_E_ARG, "target_sum %g is not allowed: a number above 0 is", target_sum);
    if (sow_names_count(genes) < 1) SOW_FAIL(err, SOW_E_DATA, "a response without genes");
    SOW_TRY(take_columns(&p, cells, genes, err));
    SOW_TRY(leave_uncounted(&p, cells, not_counted, err));
    p.target_sum = target_sum;
    p.log1p = log1p && !isnan(target_sum); /* values without a target sum are on the log scale already */
    *out = p;
    memset(&p, 0, sizeof p);
done:
    sow_preparation_clear(&p);
    return st;
}

static sow_status check_positions(const sow_cells *cells, const sow_index *cell, sow_index n, sow_error *err)
{
    if (n < 0) return SOW_ERROR(err, SOW_E_ARG, "%lld cells", (long long)n);
    for (sow_index i = 0; i < n; i++)
        if (cell[i] < 0 || cell[i] >= cells->n)
            return SOW_ERROR(err, SOW_E_ARG, "cell %lld is not one of the %lld of the table", (long long)cell[i], (long long)cells->n);
    return SOW_OK;
}

/* ---- rows ---- */

typedef struct {
    const sow_preparation *p;
    const sow_cells *cells;
    const sow_index *cell;
    sow_index n;
    sow_i_lookup lookup;
    float *out;      /* dense: [n, d] */
    int64_t *start;  /* sparse */
    int32_t *column;
    float *value;
} rows_job;

static sow_index last_of_tile(const rows_job *job, sow_index tile)
{
    return (tile + 1) * ROWS_TILE < job->n ? (tile + 1) * ROWS_TILE : job->n;
}

static int32_t column_of(const sow_i_cell *cell, sow_index j)
{
    return cell->column ? cell->column[cell->gene[j]] : cell->gene[j];
}

static sow_status prepare_rows(void *user, sow_index tile, sow_error *err)
{
    const rows_job *job = user;
    (void)err;
    for (sow_index i = tile * ROWS_TILE; i < last_of_tile(job, tile); i++) {
        float *row = job->out + i * job->p->d;
        const sow_i_cell cell = sow_i_cell_at(job->cells, &job->lookup, job->cell[i]);
        sow_i_scale scale;
        sow_i_scale_begin(&scale, job->p, &cell);
        memset(row, 0, (size_t)job->p->d * sizeof *row);
        for (sow_index j = 0; j < cell.n; j++) {
            const int32_t c = column_of(&cell, j);
            if (c >= 0) row[c] = sow_i_prepared(&scale, cell.value[j]);
        }
    }
    return SOW_OK;
}

sow_status sow_prepared_rows(float *out, const sow_preparation *p, const sow_cells *cells, const sow_index *cell, sow_index n, const sow_env *env,
                             sow_error *err)
{
    rows_job job = {.p = p, .cells = cells, .cell = cell, .n = n, .out = out};
    sow_status st = SOW_OK;
    SOW_TRY(check_positions(cells, cell, n, err));
    SOW_TRY(sow_i_lookup_make(&job.lookup, cells, cell, n, p->counted, p->column, err));
    SOW_TRY(sow_parallel_for(sow_env_threads(env), (n + ROWS_TILE - 1) / ROWS_TILE, prepare_rows, &job, err));
done:
    sow_i_lookup_clear(&job.lookup);
    return st;
}

/* ---- non-zeros ---- */

static sow_status count_values(void *user, sow_index tile, sow_error *err)
{
    const rows_job *job = user;
    (void)err;
    for (sow_index i = tile * ROWS_TILE; i < last_of_tile(job, tile); i++) {
        const sow_i_cell cell = sow_i_cell_at(job->cells, &job->lookup, job->cell[i]);
        sow_i_scale scale;
        sow_i_scale_begin(&scale, job->p, &cell);
        job->start[i + 1] = 0;
        for (sow_index j = 0; j < cell.n; j++) job->start[i + 1] += column_of(&cell, j) >= 0 && sow_i_prepared(&scale, cell.value[j]) != 0;
    }
    return SOW_OK;
}

/* Matrices keep their genes in an order of their own: nearly always the table's, so that hardly anything moves. */
static void sort_by_column(int32_t *column, float *value, int64_t n)
{
    for (int64_t i = 1; i < n; i++) {
        const int32_t c = column[i];
        const float v = value[i];
        int64_t j = i;
        for (; j > 0 && column[j - 1] > c; j--) {
            column[j] = column[j - 1];
            value[j] = value[j - 1];
        }
        column[j] = c;
        value[j] = v;
    }
}

static sow_status fill_values(void *user, sow_index tile, sow_error *err)
{
    const rows_job *job = user;
    (void)err;
    for (sow_index i = tile * ROWS_TILE; i < last_of_tile(job, tile); i++) {
        const sow_i_cell cell = sow_i_cell_at(job->cells, &job->lookup, job->cell[i]);
        int64_t at = job->start[i];
        sow_i_scale scale;
        sow_i_scale_begin(&scale, job->p, &cell);
        for (sow_index j = 0; j < cell.n; j++) {
            const int32_t c = column_of(&cell, j);
            const float x = c >= 0 ? sow_i_prepared(&scale, cell.value[j]) : 0;
            if (x == 0) continue;
            job->column[at] = c;
            job->value[at++] = x;
        }
        sort_by_column(job->column + job->start[i], job->value + job->start[i], at - job->start[i]);
    }
    return SOW_OK;
}

sow_index sow_prepared_values_bound(const sow_cells *cells, const sow_index *cell, sow_index n)
{
    sow_index bound = 0;
    for (sow_index i = 0; i < n; i++) bound += sow_i_cell_at(cells, NULL, cell[i]).n;
    return bound;
}

sow_status sow_prepared_values(int64_t *start, int32_t *column, float *value, const sow_preparation *p, const sow_cells *cells, const sow_index *cell,
                               sow_index n, const sow_env *env, sow_error *err)
{
    rows_job job = {.p = p, .cells = cells, .cell = cell, .n = n, .start = start, .column = column, .value = value};
    const sow_index n_tiles = (n + ROWS_TILE - 1) / ROWS_TILE;
    sow_status st = SOW_OK;
    SOW_TRY(check_positions(cells, cell, n, err));
    SOW_TRY(sow_i_lookup_make(&job.lookup, cells, cell, n, p->counted, p->column, err));
    start[0] = 0;
    SOW_TRY(sow_parallel_for(sow_env_threads(env), n_tiles, count_values, &job, err));
    for (sow_index i = 0; i < n; i++) start[i + 1] += start[i];
    SOW_TRY(sow_parallel_for(sow_env_threads(env), n_tiles, fill_values, &job, err));
done:
    sow_i_lookup_clear(&job.lookup);
    return st;
}

/* ---- mean and variance ---- */

sow_status sow_prepared_mean(double *mean, double *variance, const sow_preparation *p, const sow_cells *cells, const sow_index *cell, sow_index n,
                             const sow_env *env, sow_error *err)
{
    const sow_i_sums what = {.cells = cells, .cell = cell, .n = n, .space = p};
    const double cells_in_all = (double)n;
    sow_status st = SOW_OK;
    double *sum = NULL;
    SOW_TRY(check_positions(cells, cell, n, err));
    SOW_NEW(sum, 2 * p->d);
    SOW_TRY(sow_i_sum_cells(sum, &what, SOW_I_SUM_PREPARED, env, err));
    for (sow_index c = 0; c < p->d; c++) {
        mean[c] = n > 0 ? sum[2 * c] / cells_in_all : NAN;
        if (variance) variance[c] = n > 1 ? sow_i_variance(sum[2 * c], sum[2 * c + 1], cells_in_all) : NAN;
    }
done:
    free(sum);
    return st;
}
