/* Sums over cells, column by column: the only thing a fit takes from cells. Tiles of cells are summed apart and joined in order, a fixed number at a time, so that
 * the result does not depend on the threads nor the memory on the cells. */
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/prepare_internal.h"

enum { TILE = 512, SLOTS = 16, JOIN_BLOCK = 1024, PIECE = 512 };

/* ---- genes of matrices ---- */

static sow_status look_up_matrix(sow_i_lookup *l, const sow_cells *cells, sow_index m, const unsigned char *counted, const int32_t *column, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index n = cells->matrix[m].n_genes;
    int all_counted = 1, in_place = n == sow_names_count(cells->genes);
    SOW_NEW(l->column[m], n);
    SOW_NEW(l->counted[m], n);
    for (sow_index i = 0; i < n; i++) {
        const int32_t g = cells->gene_of[m][i];
        const int counts = g >= 0 && (!counted || counted[g]);
        l->counted[m][i] = (unsigned char)counts;
        l->column[m][i] = g < 0 ? -1 : column ? column[g] : counts ? g : -1;
        all_counted &= counts;
        in_place &= l->column[m][i] == i;
    }
    if (all_counted) {
        free(l->counted[m]);
        l->counted[m] = NULL;
    }
    if (in_place) {
        free(l->column[m]);
        l->column[m] = NULL;
    }
done:
    return st;
}

sow_status sow_i_lookup_make(sow_i_lookup *out, const sow_cells *cells, const sow_index *cell, sow_index n, const unsigned char *counted, const int32_t *column,
                             sow_error *err)
{
    sow_status st = SOW_OK;
    unsigned char *met = NULL;
    memset(out, 0, sizeof *out);
    SOW_NEW(met, cells->n_matrices);
    SOW_NEW(out->column, cells->n_matrices);
    SOW_NEW(out->counted, cells->n_matrices);
    out->n = cells->n_matrices;
    for (sow_index i = 0; i < n; i++) met[cells->in_matrix[cell[i]]] = 1;
    for (sow_index m = 0; m < out->n; m++)
        if (met[m]) SOW_TRY(look_up_matrix(out, cells, m, counted, column, err));
done:
    free(met);
    return st;
}

void sow_i_lookup_clear(sow_i_lookup *l)
{
    for (sow_index m = 0; m < l->n; m++) {
        free(l->column[m]);
        free(l->counted[m]);
    }
    free(l->column);
    free(l->counted);
    memset(l, 0, sizeof *l);
}

/* ---- one cell ---- */

typedef struct {
    double *sum;      /* [columns, 2] */
    int32_t *present; /* [columns] instead, where cells are counted */
} slot;

typedef struct {
    const sow_i_sums *what;
    sow_i_sum_kind kind;
    sow_index n_columns, first_tile, n_slots;
    sow_i_lookup lookup;
    slot slot[SLOTS];
    double *sum;
} sums_job;

static void count_present(int32_t *present, const sow_i_cell *cell)
{
    for (sow_index j = 0; j < cell->n; j++) {
        const int32_t c = cell->column ? cell->column[cell->gene[j]] : cell->gene[j];
        if (c >= 0) present[c]++;
    }
}

static inline void add_two(double *sum, double x)
{
    sum[0] += x;
    sum[1] += x * x;
}

static void scatter(double *sum, const int32_t *gene, const double *x, sow_index n, const int32_t *column)
{
    if (!column) {
        for (sow_index j = 0; j < n; j++) add_two(sum + 2 * (size_t)gene[j], x[j]);
        return;
    }
    for (sow_index j = 0; j < n; j++) {
        const int32_t c = column[gene[j]];
        if (c >= 0) add_two(sum + 2 * (size_t)c, x[j]);
    }
}

/* The numbers of values first .. first + n - 1 of a cell that are summed. */
static void numbers_of(double *x, const sums_job *job, const sow_i_cell *cell, sow_index first, sow_index n, double share, sow_i_scale *scale)
{
    const float *value = cell->value + first;
    switch (job->kind) {
    case SOW_I_SUM_SHARES:
        for (sow_index j = 0; j < n; j++) x[j] = (double)value[j] * share;
        break;
    case SOW_I_SUM_EXPM1:
        for (sow_index j = 0; j < n; j++) x[j] = (double)expm1f(value[j]);
        break;
    case SOW_I_SUM_PREPARED:
        for (sow_index j = 0; j < n; j++) x[j] = (double)sow_i_prepared(scale, value[j]);
        break;
    case SOW_I_SUM_CLIPPED:
        for (sow_index j = 0; j < n; j++) {
            const int32_t g = cell->gene[first + j], c = cell->column ? cell->column[g] : g;
            x[j] = c >= 0 ? fmin((double)value[j], job->what->clip[c]) : 0;
        }
        break;
    default:
        for (sow_index j = 0; j < n; j++) x[j] = (double)value[j];
    }
}

static void add_cell(const sums_job *job, double *sum, const sow_i_cell *cell, double total)
{
    double x[PIECE];
    sow_i_scale scale;
    scale.as_is = 1;
    scale.log1p = 0;
    scale.factor = 1;
    if (job->kind == SOW_I_SUM_PREPARED) sow_i_scale_begin(&scale, job->what->space, cell);
    for (sow_index first = 0; first < cell->n; first += PIECE) {
        const sow_index n = cell->n - first < PIECE ? cell->n - first : PIECE;
        numbers_of(x, job, cell, first, n, total > 0 ? 1 / total : 0, &scale);
        scatter(sum, cell->gene + first, x, n, cell->column);
    }
}

/* ---- tiles ---- */

static sow_status sum_tile(void *user, sow_index k, sow_error *err)
{
    sums_job *job = user;
    const sow_i_sums *what = job->what;
    const sow_index first = (job->first_tile + k) * TILE, last = first + TILE < what->n ? first + TILE : what->n;
    slot *s = &job->slot[k];
    (void)err;
    if (s->present) memset(s->present, 0, (size_t)job->n_columns * sizeof *s->present);
    else memset(s->sum, 0, 2 * (size_t)job->n_columns * sizeof *s->sum);
    for (sow_index i = first; i < last; i++) {
        const sow_i_cell cell = sow_i_cell_at(what->cells, &job->lookup, what->cell[i]);
        const double total = what->total || job->kind == SOW_I_SUM_SHARES ? sow_i_cell_total(&cell) : 0;
        if (what->total) what->total[i] = total;
        if (s->present) count_present(s->present, &cell);
        else add_cell(job, s->sum, &cell, total);
    }
    return SOW_OK;
}

/* A block of columns through all slots, in order. */
static sow_status join_block(void *user, sow_index block, sow_error *err)
{
    sums_job *job = user;
    const sow_index n = job->n_columns, first = block * JOIN_BLOCK, last = first + JOIN_BLOCK < n ? first + JOIN_BLOCK : n;
    (void)err;
    for (sow_index k = 0; k < job->n_slots; k++) {
        const slot *s = &job->slot[k];
        if (s->present)
            for (sow_index c = first; c < last; c++) job->sum[2 * c] += (double)s->present[c];
        else
            for (sow_index c = 2 * first; c < 2 * last; c++) job->sum[c] += s->sum[c];
    }
    return SOW_OK;
}

static sow_status make_job(sums_job *job, sow_index n_tiles, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_sums *what = job->what;
    const sow_preparation *p = what->space;
    SOW_TRY(sow_i_lookup_make(&job->lookup, what->cells, what->cell, what->n, p ? p->counted : what->counted, p ? p->column : NULL, err));
    for (sow_index k = 0; k < SLOTS && k < n_tiles; k++) {
        if (job->kind == SOW_I_SUM_CELLS) SOW_NEW(job->slot[k].present, job->n_columns);
        else SOW_NEW(job->slot[k].sum, 2 * job->n_columns);
    }
done:
    return st;
}

static void clear_job(sums_job *job)
{
    sow_i_lookup_clear(&job->lookup);
    for (int k = 0; k < SLOTS; k++) {
        free(job->slot[k].sum);
        free(job->slot[k].present);
    }
}

static sow_status say(const sow_i_sums *what, double done, const sow_env *env, sow_error *err)
{
    return what->saying ? sow_progress(env, what->saying, what->from + done * (what->to - what->from), err) : SOW_OK;
}

sow_status sow_i_sum_cells(double *sum, const sow_i_sums *what, sow_i_sum_kind kind, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sums_job job = {.what = what, .kind = kind, .n_columns = what->space ? what->space->d : sow_names_count(what->cells->genes), .sum = sum};
    const sow_index n_tiles = (what->n + TILE - 1) / TILE, n_blocks = (job.n_columns + JOIN_BLOCK - 1) / JOIN_BLOCK;
    memset(sum, 0, 2 * (size_t)job.n_columns * sizeof *sum);
    SOW_TRY(make_job(&job, n_tiles, err));
    for (; job.first_tile < n_tiles; job.first_tile += SLOTS) {
        SOW_TRY(say(what, (double)job.first_tile / (double)n_tiles, env, err));
        job.n_slots = n_tiles - job.first_tile < SLOTS ? n_tiles - job.first_tile : SLOTS;
        SOW_TRY(sow_parallel_for(sow_env_threads(env), job.n_slots, sum_tile, &job, err));
        SOW_TRY(sow_parallel_for(sow_env_threads(env), n_blocks, join_block, &job, err));
    }
done:
    clear_job(&job);
    return st;
}
