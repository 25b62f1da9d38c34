/* The frozen space, and cells in it. A cell's value of a gene is log1p(count * target_sum / total), total being the sum of the counted genes. */
#include "core/prepare.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/prepare_internal.h"

enum {
    ROWS_TILE = 64, /* cells a task prepares */
    MEAN_TILE = 256, MEAN_SLOTS = 16, /* cells a partial sum takes in, and partial sums that are held at a time: memory does not grow with the cells */
    SMALL_COUNTS = 64
};

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

/* ---- one value ---- */

/* How the counts of one cell become values. Most counts are small whole numbers, whose logarithms are remembered. */
typedef struct {
    int as_is, log1p;
    double scale;
    float known[SMALL_COUNTS]; /* negative = not yet */
} cell_scale;

static float scaled(const cell_scale *s, float count)
{
    const float x = (float)((double)count * s->scale);
    return s->log1p ? log1pf(x) : x;
}

static inline float prepared(cell_scale *s, float count)
{
    if (s->as_is) return count;
    if (count >= 0 && count < SMALL_COUNTS) {
        const int k = (int)count;
        if ((float)k == count) {
            if (s->known[k] < 0) s->known[k] = scaled(s, count);
            return s->known[k];
        }
    }
    return scaled(s, count);
}

static void begin_cell(cell_scale *s, const sow_preparation *p, double total)
{
    s->as_is = isnan(p->target_sum);
    s->log1p = p->log1p;
    s->scale = total > 0 ? p->target_sum / total : 0;
    for (int k = 0; k < SMALL_COUNTS; k++) s->known[k] = -1;
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
    float *out;
    const sow_preparation *p;
    const sow_cells *cells;
    const sow_index *cell;
    sow_index n;
} rows_job;

static sow_status prepare_rows(void *user, sow_index tile, sow_error *err)
{
    const rows_job *job = user;
    const sow_preparation *p = job->p;
    (void)err;
    sow_index last = (tile + 1) * ROWS_TILE < job->n ? (tile + 1) * ROWS_TILE : job->n;
    for (sow_index i = tile * ROWS_TILE; i < last; i++) {
        float *row = job->out + i * p->d;
        const sow_i_cell_view cell = sow_i_cell(job->cells, job->cell[i]);
        cell_scale scale;
        begin_cell(&scale, p, sow_i_cell_total(&cell, p->counted));
        memset(row, 0, (size_t)p->d * sizeof *row);
        for (sow_index j = 0; j < cell.n; j++) {
            const int32_t g = cell.gene_of[cell.gene[j]], column = g < 0 ? -1 : p->column[g];
            if (column >= 0) row[column] = prepared(&scale, cell.value[j]);
        }
    }
    return SOW_OK;
}

sow_status sow_prepared_rows(float *out, const sow_preparation *p, const sow_cells *cells, const sow_index *cell, sow_index n, const sow_env *env,
                             sow_error *err)
{
    rows_job job = {out, p, cells, cell, n};
    sow_status st = check_positions(cells, cell, n, err);
    if (st != SOW_OK) return st;
    return sow_parallel_for(sow_env_threads(env), (n + ROWS_TILE - 1) / ROWS_TILE, prepare_rows, &job, err);
}

/* ---- mean and variance ---- */

/* Mean of a tile of cells, and sum of squares around that mean (so that a gene that is constant has a variance of exactly 0). Tiles are joined in order,
 * after Chan, Golub & LeVeque 1983: the same bits for any number of threads. */
typedef struct {
    double *mean, *squares; /* [d] */
    int32_t *present;       /* [d] cells with a value */
} mean_slot;

typedef struct {
    const sow_preparation *p;
    const sow_cells *cells;
    const sow_index *cell;
    sow_index n, first_tile, n_slots;
    int with_variance;
    mean_slot slot[MEAN_SLOTS];
    double *mean, *squares; /* [d] of the n_joined cells so far */
    sow_index n_joined;
} mean_job;

enum { JOIN_BLOCK = 1024 }; /* columns a task joins */

static sow_index tile_size(const mean_job *job, sow_index tile)
{
    sow_index left = job->n - tile * MEAN_TILE;
    return left < MEAN_TILE ? left : MEAN_TILE;
}

static void add_values(double *sum, const sow_preparation *p, const sow_i_cell_view *cell, cell_scale *scale)
{
    for (sow_index j = 0; j < cell->n; j++) {
        const int32_t g = cell->gene_of[cell->gene[j]], c = g < 0 ? -1 : p->column[g];
        if (c >= 0) sum[c] += (double)prepared(scale, cell->value[j]);
    }
}

static void add_squares(mean_slot *slot, const sow_preparation *p, const sow_i_cell_view *cell, cell_scale *scale)
{
    for (sow_index j = 0; j < cell->n; j++) {
        const int32_t g = cell->gene_of[cell->gene[j]], c = g < 0 ? -1 : p->column[g];
        if (c < 0) continue;
        const double away = (double)prepared(scale, cell->value[j]) - slot->mean[c];
        slot->squares[c] += away * away;
        slot->present[c]++;
    }
}

static sow_status mean_of_tile(void *user, sow_index k, sow_error *err)
{
    mean_job *job = user;
    mean_slot *slot = &job->slot[k];
    const sow_index d = job->p->d, tile = job->first_tile + k, n = tile_size(job, tile), *cell = job->cell + tile * MEAN_TILE;
    double total[MEAN_TILE];
    cell_scale scale;
    (void)err;
    memset(slot->mean, 0, (size_t)d * sizeof *slot->mean);
    for (sow_index i = 0; i < n; i++) {
        const sow_i_cell_view view = sow_i_cell(job->cells, cell[i]);
        total[i] = sow_i_cell_total(&view, job->p->counted);
        begin_cell(&scale, job->p, total[i]);
        add_values(slot->mean, job->p, &view, &scale);
    }
    for (sow_index c = 0; c < d; c++) slot->mean[c] /= (double)n;
    if (!job->with_variance) return SOW_OK;
    memset(slot->squares, 0, (size_t)d * sizeof *slot->squares);
    memset(slot->present, 0, (size_t)d * sizeof *slot->present);
    for (sow_index i = 0; i < n; i++) {
        const sow_i_cell_view view = sow_i_cell(job->cells, cell[i]);
        begin_cell(&scale, job->p, total[i]);
        add_squares(slot, job->p, &view, &scale);
    }
    for (sow_index c = 0; c < d; c++) slot->squares[c] += (double)(n - slot->present[c]) * slot->mean[c] * slot->mean[c];
    return SOW_OK;
}

/* One block of columns through all slots, in order. */
static sow_status join_block(void *user, sow_index block, sow_error *err)
{
    mean_job *job = user;
    const sow_index d = job->p->d, first = block * JOIN_BLOCK, last = first + JOIN_BLOCK < d ? first + JOIN_BLOCK : d;
    double joined = (double)job->n_joined;
    (void)err;
    for (sow_index k = 0; k < job->n_slots; k++) {
        const mean_slot *slot = &job->slot[k];
        const double n = (double)tile_size(job, job->first_tile + k), share = n / (joined + n), both = joined * share;
        for (sow_index c = first; c < last; c++) {
            const double away = slot->mean[c] - job->mean[c];
            job->mean[c] += away * share;
            if (job->with_variance) job->squares[c] += slot->squares[c] + away * away * both;
        }
        joined += n;
    }
    return SOW_OK;
}

static sow_status make_slots(mean_job *job, sow_index n_slots, sow_error *err)
{
    sow_status st = SOW_OK;
    for (sow_index k = 0; k < n_slots; k++) {
        SOW_NEW(job->slot[k].mean, job->p->d);
        if (!job->with_variance) continue;
        SOW_NEW(job->slot[k].squares, job->p->d);
        SOW_NEW(job->slot[k].present, job->p->d);
    }
    SOW_NEW(job->mean, job->p->d);
    if (job->with_variance) SOW_NEW(job->squares, job->p->d);
done:
    return st;
}

static void clear_slots(mean_job *job)
{
    for (int k = 0; k < MEAN_SLOTS; k++) {
        free(job->slot[k].mean);
        free(job->slot[k].squares);
        free(job->slot[k].present);
    }
    free(job->mean);
    free(job->squares);
}

sow_status sow_prepared_mean(double *mean, double *variance, const sow_preparation *p, const sow_cells *cells, const sow_index *cell, sow_index n,
                             const sow_env *env, sow_error *err)
{
    mean_job job = {.p = p, .cells = cells, .cell = cell, .n = n, .with_variance = variance != NULL};
    sow_status st = check_positions(cells, cell, n, err);
    if (st != SOW_OK) return st;
    const sow_index n_tiles = (n + MEAN_TILE - 1) / MEAN_TILE;
    SOW_TRY(make_slots(&job, n_tiles < MEAN_SLOTS ? n_tiles : MEAN_SLOTS, err));
    for (; job.first_tile < n_tiles; job.first_tile += MEAN_SLOTS) {
        job.n_slots = n_tiles - job.first_tile < MEAN_SLOTS ? n_tiles - job.first_tile : MEAN_SLOTS;
        SOW_TRY(sow_parallel_for(sow_env_threads(env), job.n_slots, mean_of_tile, &job, err));
        SOW_TRY(sow_parallel_for(sow_env_threads(env), (p->d + JOIN_BLOCK - 1) / JOIN_BLOCK, join_block, &job, err));
        for (sow_index k = 0; k < job.n_slots; k++) job.n_joined += tile_size(&job, job.first_tile + k);
    }
    for (sow_index c = 0; c < p->d; c++) {
        mean[c] = n > 0 ? job.mean[c] : NAN;
        if (variance) variance[c] = n > 1 ? job.squares[c] / (double)(n - 1) : NAN;
    }
done:
    clear_slots(&job);
    return st;
}
