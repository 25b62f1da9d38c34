/* The cells of the simulated screen: counts, in one CSR matrix.
 *
 * A count is negative-binomial with mean m = depth x share x exp(change) and variance m + m^2 / size, drawn exactly: below a mean of LARGE_MEAN by walking the probabilities
 * from 0 up to one uniform number (Devroye 1986, III.2.1), else as the Poisson of a gamma. A cell has a stream of its own.
 * Cells are drawn by tiles, each value packed in 4 bytes; when all are known the packed tiles are spread out into the matrix and let go of one by one, so that both
 * together never take more than half as much again as the matrix. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "simulator/cell_world_internal.h"

/* A group is what a context has of a perturbation, or of controls (first). */
static sow_index group_of(const sow_i_cell_world *w, sow_index context, sow_index perturbation)
{
    return context * (w->o->n_perturbations + 1) + perturbation + 1;
}

enum { TILE = 512, COUNT_BITS = 18, LARGE_MEAN = 8 };

/* ---- a count, a cell ---- */

/* Each factor of the walk is (size + k) / (k + 1) x mean / (mean + size). The second end is for a remainder that rounding leaves above all probabilities. */
static sow_index draw_count(sow_rng *rng, double mean, double size)
{
    if (mean >= LARGE_MEAN) return sow_rng_poisson(rng, mean * sow_rng_gamma(rng, size) / size);
    const double odds = mean / (mean + size);
    double u = sow_rng_uniform(rng), p = exp(-size * log1p(mean / size));
    sow_index k = 0;
    while (u > p && (p > 1e-18 || (double)k < mean)) {
        u -= p;
        p *= odds * (size + (double)k) / (double)(k + 1);
        k++;
    }
    return k;
}

/* `mean` [genes] at a depth of 1; `stream` names the group. Returns how many genes are not 0. */
static sow_index draw_cell(uint32_t *packed, const sow_i_cell_world *w, const double *mean, uint32_t stream, sow_index cell)
{
    const sow_index most = ((sow_index)1 << COUNT_BITS) - 1;
    sow_index n = 0;
    sow_rng rng = sow_rng_make(w->o->seed, SOW_RNG_SCREEN, stream, (uint32_t)cell);
    const double depth = SOW_I_DEPTH_MEDIAN * exp(SOW_I_DEPTH_LOG_SD * sow_rng_normal(&rng));
    for (sow_index g = 0; g < w->o->n_genes; g++) {
        const sow_index count = draw_count(&rng, depth * mean[g], w->size[g]);
        if (count > 0) packed[n++] = (uint32_t)g << COUNT_BITS | (uint32_t)(count < most ? count : most);
    }
    return n;
}

/* ---- tiles ---- */

typedef struct {
    const sow_i_cell_world *w;
    const sow_cells *cells;
    const sow_index *first; /* [groups + 1] first cell of each group */
    double *mean;           /* [tiles, genes] scratch */
    uint32_t **packed;      /* [tiles] */
    sow_cell_arrays *a;
} cells_job;

static void means_of(double *mean, const sow_i_cell_world *w, sow_index context, sow_index perturbation)
{
    const sow_index n = w->o->n_genes;
    const double *share = w->share + context * n, *change = w->change + (context * w->o->n_perturbations + (perturbation == SOW_CONTROL ? 0 : perturbation)) * n;
    for (sow_index g = 0; g < n; g++)
        mean[g] = share[g] * (perturbation == SOW_CONTROL ? 1 : exp(change[g]));
}

/* Leaves the number of values of each cell in start[cell + 1]. */
static sow_status draw_tile(void *user, sow_index tile, sow_error *err)
{
    sow_status st = SOW_OK;
    const cells_job *job = user;
    const sow_index genes = job->w->o->n_genes, begin = tile * TILE;
    const sow_index end = begin + TILE < job->cells->n ? begin + TILE : job->cells->n;
    double *mean = job->mean + tile * genes;
    sow_index last = -1;
    int64_t at = 0;
    SOW_NEW(job->packed[tile], (end - begin) * genes); /* its unused rest is never touched */
    for (sow_index i = begin; i < end; i++) {
        const sow_index k = job->cells->context[i], p = job->cells->perturbation[i], group = group_of(job->w, k, p);
        if (group != last) means_of(mean, job->w, k, p);
        last = group;
        const sow_index n = draw_cell(job->packed[tile] + at, job->w, mean, sow_i_world_pair(k, p + 1), i - job->first[group]);
        job->a->start[i + 1] = n;
        at += n;
    }
done:
    return st;
}

static sow_status spread_tile(void *user, sow_index tile, sow_error *err)
{
    const cells_job *job = user;
    const sow_index end = (tile + 1) * TILE < job->cells->n ? (tile + 1) * TILE : job->cells->n;
    const int64_t begin = job->a->start[tile * TILE];
    const uint32_t *packed = job->packed[tile];
    (void)err;
    for (int64_t k = begin; k < job->a->start[end]; k++) {
        job->a->gene[k] = (int32_t)(packed[k - begin] >> COUNT_BITS);
        job->a->value[k] = (float)(packed[k - begin] & ((1u << COUNT_BITS) - 1));
    }
    free(job->packed[tile]);
    job->packed[tile] = NULL;
    return SOW_OK;
}

static sow_status draw_matrix(sow_cell_matrix *m, const sow_i_cell_world *w, const sow_cells *cells, const sow_index *first, const sow_env *env,
                              sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index tiles = (cells->n + TILE - 1) / TILE;
    cells_job job = {.w = w, .cells = cells, .first = first};
    SOW_NEW(job.a, 1);
    m->owner = job.a;
    m->release = sow_cell_arrays_release;
    SOW_NEW(job.a->start, cells->n + 1);
    SOW_NEW(job.mean, tiles * w->o->n_genes);
    SOW_NEW(job.packed, tiles);
    SOW_TRY(sow_parallel_for(sow_env_threads(env), tiles, draw_tile, &job, err));
    for (sow_index i = 0; i < cells->n; i++)
        job.a->start[i + 1] += job.a->start[i];
    SOW_NEW(job.a->gene, job.a->start[cells->n]);
    SOW_NEW(job.a->value, job.a->start[cells->n]);
    SOW_TRY(sow_parallel_for(sow_env_threads(env), tiles, spread_tile, &job, err));
    m->n_cells = cells->n;
    m->n_genes = w->o->n_genes;
    m->start = job.a->start;
    m->gene = job.a->gene;
    m->value = job.a->value;
done:
    for (sow_index t = 0; job.packed && t < tiles; t++)
        free(job.packed[t]);
    free(job.packed);
    free(job.mean);
    return st;
}

/* ---- the table ---- */

static sow_status name_genes(sow_names **out, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    char name[32];
    SOW_TRY(sow_names_create(out, err));
    for (sow_index g = 0; g < n; g++) {
        snprintf(name, sizeof name, "G%0*d", n > 9999 ? 5 : 4, (int)(g + 1));
        SOW_TRY(sow_names_add(*out, name, NULL, err));
    }
done:
    return st;
}

static sow_status one_name(sow_names **out, const char *name, sow_error *err)
{
    sow_status st = sow_names_create(out, err);
    return st == SOW_OK && name ? sow_names_add(*out, name, NULL, err) : st;
}

static sow_status label(sow_cells *c, const sow_i_cell_world *w, const sow_index *first, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(c->in_matrix, c->n);
    SOW_NEW(c->row, c->n);
    SOW_NEW(c->perturbation, c->n);
    SOW_NEW(c->context, c->n);
    SOW_NEW(c->batch, c->n);
    SOW_NEW(c->guide, c->n);
    SOW_NEW(c->replicate, c->n);
    for (sow_index i = 0; i < c->n; i++) {
        c->row[i] = i;
        c->guide[i] = c->replicate[i] = SOW_NO_LABEL;
    }
    for (sow_index k = 0; k < w->o->n_contexts; k++)
        for (sow_index p = SOW_CONTROL; p < w->o->n_perturbations; p++)
            for (sow_index i = first[group_of(w, k, p)]; i < first[group_of(w, k, p) + 1]; i++) {
                c->perturbation[i] = (int32_t)p;
                c->context[i] = (int32_t)k;
            }
    SOW_TRY(one_name(&c->batches, "1", err));
    SOW_TRY(one_name(&c->guides, NULL, err));
    SOW_TRY(one_name(&c->replicates, NULL, err));
done:
    return st;
}

static sow_status name_columns(sow_cells *c, sow_index genes, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(c->is_log, 1);
    SOW_TRY(name_genes(&c->genes, genes, err));
    SOW_TRY(name_genes(&c->matrix[0].genes, genes, err));
    SOW_NEW(c->gene_of, 1);
    SOW_NEW(c->gene_of[0], genes);
    for (sow_index g = 0; g < genes; g++)
        c->gene_of[0][g] = (int32_t)g;
done:
    return st;
}

sow_status sow_i_cell_world_cells(sow_cells *out, const sow_i_cell_world *w, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index n = w->o->n_perturbations, contexts = w->o->n_contexts;
    sow_cells c = {0};
    sow_index *first = NULL;
    SOW_NEW(first, contexts * (n + 1) + 1);
    for (sow_index k = 0; k < contexts; k++)
        for (sow_index p = SOW_CONTROL; p < n; p++)
            first[group_of(w, k, p) + 1] = first[group_of(w, k, p)] + (p == SOW_CONTROL ? w->o->n_controls : w->cells[k * n + p]);
    c.n = first[contexts * (n + 1)];
    SOW_NEW(c.matrix, 1);
    c.n_matrices = 1;
    SOW_TRY(name_columns(&c, w->o->n_genes, err));
    SOW_TRY(label(&c, w, first, err));
    SOW_TRY(draw_matrix(&c.matrix[0], w, &c, first, env, err));
    SOW_TRY(sow_cells_index(&c, n, contexts, err));
    *out = c;
    c = (sow_cells){0};
done:
    free(first);
    sow_cells_clear(&c);
    return st;
}
