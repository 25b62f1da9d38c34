/* Sums over cells, gene by gene: the only thing a fit takes from cells. Tiles of cells are summed apart and joined in order, a fixed number at a time, so that
 * the result does not depend on the threads nor the memory on the cells. */
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/prepare_internal.h"

enum { TILE = 512, SLOTS = 16, JOIN_BLOCK = 1024 };

typedef struct {
    const sow_i_sums *what;
    sow_i_sum_kind kind;
    sow_index n_genes, first_tile, n_slots;
    int32_t **counted_gene; /* [n_matrices][its genes] gene of the table, or -1 when it does not count */
    double *slot[SLOTS];    /* [genes, 2] */
    double *sum;
} sums_job;

static sow_status find_counted_genes(sums_job *job, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_cells *cells = job->what->cells;
    SOW_NEW(job->counted_gene, cells->n_matrices);
    for (sow_index m = 0; m < cells->n_matrices; m++) {
        SOW_NEW(job->counted_gene[m], cells->matrix[m].n_genes);
        for (sow_index i = 0; i < cells->matrix[m].n_genes; i++) {
            const int32_t g = cells->gene_of[m][i];
            job->counted_gene[m][i] = g >= 0 && (!job->what->counted || job->what->counted[g]) ? g : -1;
        }
    }
done:
    return st;
}

static double total_of(const sow_i_cell_view *cell)
{
    double total = 0;
    for (sow_index j = 0; j < cell->n; j++)
        if (cell->gene_of[cell->gene[j]] >= 0) total += (double)cell->value[j];
    return total;
}

static inline void add_two(double *sum, double a, double b)
{
    sum[0] += a;
    sum[1] += b;
}

static void add_shares(double *sum, const sow_i_cell_view *cell, double total)
{
    const double share = total > 0 ? 1 / total : 0;
    for (sow_index j = 0; j < cell->n; j++) {
        const int32_t g = cell->gene_of[cell->gene[j]];
        const double x = (double)cell->value[j] * share;
        if (g >= 0) add_two(sum + 2 * g, x, x * x);
    }
}

static void add_counts(double *sum, const sow_i_cell_view *cell, const double *clip)
{
    for (sow_index j = 0; j < cell->n; j++) {
        const int32_t g = cell->gene_of[cell->gene[j]];
        if (g < 0) continue;
        double x = (double)cell->value[j];
        if (clip && x > clip[g]) x = clip[g];
        add_two(sum + 2 * g, x, x * x);
    }
}

static void add_cells(double *sum, const sow_i_cell_view *cell)
{
    for (sow_index j = 0; j < cell->n; j++) {
        const int32_t g = cell->gene_of[cell->gene[j]];
        if (g >= 0) add_two(sum + 2 * g, 1, (double)cell->value[j]);
    }
}

static void add_expm1(double *sum, const sow_i_cell_view *cell)
{
    for (sow_index j = 0; j < cell->n; j++) {
        const int32_t g = cell->gene_of[cell->gene[j]];
        const double x = (double)expm1f(cell->value[j]);
        if (g >= 0) add_two(sum + 2 * g, x, x * x);
    }
}

static sow_status sum_tile(void *user, sow_index k, sow_error *err)
{
    sums_job *job = user;
    const sow_i_sums *what = job->what;
    const sow_index first = (job->first_tile + k) * TILE, last = first + TILE < what->n ? first + TILE : what->n;
    double *sum = job->slot[k];
    (void)err;
    memset(sum, 0, (size_t)(2 * job->n_genes) * sizeof *sum);
    for (sow_index i = first; i < last; i++) {
        sow_i_cell_view cell = sow_i_cell(what->cells, what->cell[i]);
        cell.gene_of = job->counted_gene[what->cells->in_matrix[what->cell[i]]];
        const double total = what->total || job->kind == SOW_I_SUM_SHARES ? total_of(&cell) : 0;
        if (what->total) what->total[i] = total;
        if (job->kind == SOW_I_SUM_SHARES) add_shares(sum, &cell, total);
        else if (job->kind == SOW_I_SUM_EXPM1) add_expm1(sum, &cell);
        else if (job->kind == SOW_I_SUM_CELLS) add_cells(sum, &cell);
        else add_counts(sum, &cell, job->kind == SOW_I_SUM_CLIPPED ? what->clip : NULL);
    }
    return SOW_OK;
}

static sow_status join_block(void *user, sow_index block, sow_error *err)
{
    sums_job *job = user;
    const sow_index n = 2 * job->n_genes, first = block * JOIN_BLOCK, last = first + JOIN_BLOCK < n ? first + JOIN_BLOCK : n;
    (void)err;
    for (sow_index k = 0; k < job->n_slots; k++)
        for (sow_index g = first; g < last; g++) job->sum[g] += job->slot[k][g];
    return SOW_OK;
}

static void clear_job(sums_job *job)
{
    for (sow_index m = 0; job->counted_gene && m < job->what->cells->n_matrices; m++) free(job->counted_gene[m]);
    free(job->counted_gene);
    for (int k = 0; k < SLOTS; k++) free(job->slot[k]);
}

sow_status sow_i_sum_genes(double *sum, const sow_i_sums *what, sow_i_sum_kind kind, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sums_job job = {.what = what, .kind = kind, .n_genes = sow_names_count(what->cells->genes), .sum = sum};
    const sow_index n_tiles = (what->n + TILE - 1) / TILE, n_blocks = (2 * job.n_genes + JOIN_BLOCK - 1) / JOIN_BLOCK;
    memset(sum, 0, (size_t)(2 * job.n_genes) * sizeof *sum);
    SOW_TRY(find_counted_genes(&job, err));
    for (sow_index k = 0; k < SLOTS && k < n_tiles; k++) SOW_NEW(job.slot[k], 2 * job.n_genes);
    for (; job.first_tile < n_tiles; job.first_tile += SLOTS) {
        const double done = (double)job.first_tile / (double)n_tiles;
        SOW_TRY(sow_progress(env, "preparing", what->progress_from + done * (what->progress_to - what->progress_from), err));
        job.n_slots = n_tiles - job.first_tile < SLOTS ? n_tiles - job.first_tile : SLOTS;
        SOW_TRY(sow_parallel_for(sow_env_threads(env), job.n_slots, sum_tile, &job, err));
        SOW_TRY(sow_parallel_for(sow_env_threads(env), n_blocks, join_block, &job, err));
    }
done:
    clear_job(&job);
    return st;
}
