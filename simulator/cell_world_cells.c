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
    return context * (w->n + 1) + perturbation + 1;
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

/* `mean` [genes] at a depth of 1, `factor` [genes] of the batch or NULL. Returns how many genes are not 0. */
static sow_index draw_cell(uint32_t *packed, const sow_i_cell_world *w, const double *mean, const double *factor, double batch_depth, sow_rng *rng)
{
    const sow_index most = ((sow_index)1 << COUNT_BITS) - 1;
    sow_index n = 0;
    const double depth = batch_depth * w->depth_median * exp(w->depth_log_sd * sow_rng_normal(rng));
    for (sow_index g = 0; g < w->o->n_genes; g++) {
        const double m = depth * mean[g];
        const sow_index count = draw_count(rng, factor ? m * factor[g] : m, w->size[g]);
        if (count > 0) packed[n++] = (uint32_t)g << COUNT_BITS | (uint32_t)(count < most ? count : most);
    }
    return n;
}

/* Counts of two cells together; `sum` has room for both. */
static sow_index add_counts(uint32_t *sum, const uint32_t *a, sow_index n_a, const uint32_t *b, sow_index n_b)
{
    const uint32_t most = (1u << COUNT_BITS) - 1;
    sow_index n = 0, i = 0, j = 0;
    while (i < n_a || j < n_b) {
        const uint32_t ga = i < n_a ? a[i] >> COUNT_BITS : UINT32_MAX, gb = j < n_b ? b[j] >> COUNT_BITS : UINT32_MAX, g = ga < gb ? ga : gb;
        uint32_t count = 0;
        if (ga == g) count += a[i++] & most;
        if (gb == g) count += b[j++] & most;
        sum[n++] = g << COUNT_BITS | (count < most ? count : most);
    }
    return n;
}

/* ---- tiles ---- */

typedef struct {
    const sow_i_cell_world *w;
    const sow_cells *cells;
    const sow_index *first; /* [groups + 1] first cell of each group */
    sow_index from, to;     /* cells that are drawn */
    sow_index rows;         /* means kept for a group: 1 in a plain world, else one for each guide after that of a cell without change */
    double *mean;           /* [tiles, rows + 1, genes] scratch; the last row is for a doublet's other cell */
    uint32_t **packed;      /* [tiles] */
    sow_cell_arrays *a;
} cells_job;

static void means_of(double *mean, const sow_i_cell_world *w, sow_index context, sow_index perturbation, const sow_i_lab_cell *cell)
{
    const sow_index n = w->o->n_genes;
    const double *share = w->share + context * n;
    sow_i_lab_change(mean, w, context, perturbation, cell);
    for (sow_index g = 0; g < n; g++)
        mean[g] = share[g] * (mean[g] == 0 ? 1 : exp(mean[g]));
}

/* Which row of a group's means a cell has: 0 is without change. */
static sow_index row_of(sow_index perturbation, const sow_i_lab_cell *c)
{
    return perturbation == SOW_CONTROL || c->escaped ? 0 : c->guide < 0 ? 1 : 1 + c->guide;
}

static void group_means(double *mean, const cells_job *job, sow_index context, sow_index perturbation)
{
    const sow_index genes = job->w->o->n_genes;
    if (job->rows == 1) {
        means_of(mean, job->w, context, perturbation, &(sow_i_lab_cell){.guide = -1});
        return;
    }
    for (sow_index r = 0; r < job->rows && (r == 0 || perturbation != SOW_CONTROL); r++) {
        const sow_i_lab_cell c = {.guide = job->w->o->guides > 0 ? r - 1 : -1, .escaped = r == 0};
        means_of(mean + r * genes, job->w, context, perturbation, &c);
    }
}

static sow_index draw_in_batch(uint32_t *packed, const sow_i_cell_world *w, const double *mean, sow_index context, sow_index batch, sow_rng *rng)
{
    const sow_index b = context * w->o->batches + batch;
    return draw_cell(packed, w, mean, w->batch_share ? w->batch_share + b * w->o->n_genes : NULL, w->batch_depth ? w->batch_depth[b] : 1, rng);
}

/* The other cell of a doublet may be any of the context's, in the same batch; its counts are the rest of the first one's stream of mishaps. `mean` [genes] and `room` [3 genes] are scratch. */
static sow_index double_cell(uint32_t *packed, sow_index n, const cells_job *job, sow_index context, const sow_i_lab_cell *cell, double *mean, uint32_t *room)
{
    const sow_i_cell_world *w = job->w;
    const sow_index begin = job->first[group_of(w, context, SOW_CONTROL)], end = job->first[group_of(w, context, w->n - 1) + 1], genes = w->o->n_genes;
    sow_rng rng = cell->rest;
    const sow_index other = begin + sow_rng_below(&rng, end - begin), p = job->cells->perturbation[other];
    const sow_i_lab_cell as = sow_i_lab_cell_at(w, sow_i_world_pair(context, p + 1), other - job->first[group_of(w, context, p)]);
    means_of(mean, w, context, p, &as);
    const sow_index n_other = draw_in_batch(room, w, mean, context, cell->batch, &rng), both = add_counts(room + genes, packed, n, room, n_other);
    memcpy(packed, room + genes, (size_t)both * sizeof *packed);
    return both;
}

/* Leaves the number of values of each cell in start[cell + 1]. */
static sow_status draw_tile(void *user, sow_index tile, sow_error *err)
{
    sow_status st = SOW_OK;
    const cells_job *job = user;
    const sow_i_cell_world *w = job->w;
    const sow_index genes = w->o->n_genes, begin = job->from + tile * TILE, end = begin + TILE < job->to ? begin + TILE : job->to;
    double *mean = job->mean + tile * (job->rows + 1) * genes;
    uint32_t *room = NULL;
    sow_index last = -1;
    int64_t at = 0;
    SOW_NEW(job->packed[tile], (end - begin) * genes); /* its unused rest is never touched */
    if (w->o->doublets > 0) SOW_NEW(room, 3 * genes);
    for (sow_index i = begin; i < end; i++) {
        const sow_index k = job->cells->context[i], p = job->cells->perturbation[i], group = group_of(w, k, p), place = i - job->first[group];
        const uint32_t stream = sow_i_world_pair(k, p + 1);
        sow_rng rng = sow_rng_make(w->o->seed, SOW_RNG_SCREEN, stream, (uint32_t)place);
        if (group != last) group_means(mean, job, k, p);
        last = group;
        sow_i_lab_cell cell = {.guide = -1};
        if (job->rows > 1) cell = sow_i_lab_cell_at(w, stream, place);
        const double *own = job->rows > 1 ? mean + row_of(p, &cell) * genes : mean;
        sow_index n = draw_in_batch(job->packed[tile] + at, w, own, k, cell.batch, &rng);
        if (cell.doubled) n = double_cell(job->packed[tile] + at, n, job, k, &cell, mean + job->rows * genes, room);
        job->a->start[i + 1 - job->from] = n;
        at += n;
    }
done:
    free(room);
    return st;
}

static sow_status spread_tile(void *user, sow_index tile, sow_error *err)
{
    const cells_job *job = user;
    const sow_index n = job->to - job->from, end = (tile + 1) * TILE < n ? (tile + 1) * TILE : n;
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

sow_status sow_i_cell_world_counts(sow_cell_arrays *a, const sow_i_cell_world *w, const sow_cells *cells, const sow_index *first, sow_index from, sow_index to, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index n = to - from, tiles = (n + TILE - 1) / TILE;
    cells_job job = {.w = w, .cells = cells, .first = first, .from = from, .to = to, .a = a, .rows = sow_i_lab_is_plain(w->o) ? 1 : 1 + (w->o->guides > 0 ? w->o->guides : 1)};
    SOW_NEW(a->start, n + 1);
    SOW_NEW(job.mean, tiles * (job.rows + 1) * w->o->n_genes);
    SOW_NEW(job.packed, tiles);
    SOW_TRY(sow_parallel_for(sow_env_threads(env), tiles, draw_tile, &job, err));
    for (sow_index i = 0; i < n; i++)
        a->start[i + 1] += a->start[i];
    SOW_NEW(a->gene, a->start[n]);
    SOW_NEW(a->value, a->start[n]);
    SOW_TRY(sow_parallel_for(sow_env_threads(env), tiles, spread_tile, &job, err));
done:
    for (sow_index t = 0; job.packed && t < tiles; t++)
        free(job.packed[t]);
    free(job.packed);
    free(job.mean);
    return st;
}

/* ---- the table ---- */

static sow_status name_genes(sow_names **out, const sow_i_cell_world *w, sow_error *err)
{
    sow_status st = SOW_OK;
    char name[32];
    const sow_index n = w->o->n_genes;
    SOW_TRY(sow_names_create(out, err));
    for (sow_index g = 0; g < n; g++) {
        snprintf(name, sizeof name, "G%0*d", n > 9999 ? 5 : 4, (int)(g + 1));
        SOW_TRY(sow_names_add(*out, w->gene ? sow_names_get(w->o->measured->genes.genes, w->gene[g]) : name, NULL, err));
    }
done:
    return st;
}

/* Guide j of perturbation p has the name at place (p + 1) x guides + j; those of controls come first. */
static sow_status name_guides(sow_cells *c, const sow_i_cell_world *w, sow_error *err)
{
    sow_status st = SOW_OK;
    char name[64], who[40];
    SOW_TRY(sow_names_create(&c->guides, err));
    for (sow_index p = SOW_CONTROL; p < w->n; p++)
        for (sow_index j = 0; j < w->o->guides; j++) {
            if (p == SOW_CONTROL) snprintf(who, sizeof who, "control");
            else sow_i_world_name(who, sizeof who, w, p);
            snprintf(name, sizeof name, "%s-%d", who, (int)(j + 1));
            SOW_TRY(sow_names_add(c->guides, name, NULL, err));
        }
done:
    return st;
}

static sow_status name_batches(sow_cells *c, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    char name[32];
    SOW_TRY(sow_names_create(&c->batches, err));
    for (sow_index b = 0; b < n; b++) {
        snprintf(name, sizeof name, n == 1 ? "1" : "B%d", (int)(b + 1));
        SOW_TRY(sow_names_add(c->batches, name, NULL, err));
    }
done:
    return st;
}

static void label_cell(sow_cells *c, const sow_i_cell_world *w, sow_index i, sow_index place)
{
    const sow_index p = c->perturbation[i];
    const sow_i_lab_cell cell = sow_i_lab_cell_at(w, sow_i_world_pair(c->context[i], p + 1), place);
    c->batch[i] = (int32_t)cell.batch;
    if (cell.guide >= 0) c->guide[i] = (int32_t)((p + 1) * w->o->guides + cell.guide);
}

static sow_status label(sow_cells *c, const sow_i_cell_world *w, const sow_index *first, sow_error *err)
{
    sow_status st = SOW_OK;
    const int plain = sow_i_lab_is_plain(w->o);
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
        for (sow_index p = SOW_CONTROL; p < w->n; p++)
            for (sow_index i = first[group_of(w, k, p)]; i < first[group_of(w, k, p) + 1]; i++) {
                c->perturbation[i] = (int32_t)p;
                c->context[i] = (int32_t)k;
                if (!plain) label_cell(c, w, i, i - first[group_of(w, k, p)]);
            }
    SOW_TRY(name_batches(c, w->o->batches, err));
    SOW_TRY(name_guides(c, w, err));
    SOW_TRY(sow_names_create(&c->replicates, err));
done:
    return st;
}

static sow_status name_columns(sow_cells *c, const sow_i_cell_world *w, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(c->is_log, 1);
    SOW_TRY(name_genes(&c->matrix[0].genes, w, err));
    SOW_NEW(c->gene_of, 1);
    SOW_NEW(c->gene_of[0], w->o->n_genes);
    for (sow_index g = 0; g < w->o->n_genes; g++)
        c->gene_of[0][g] = (int32_t)g;
done:
    return st;
}

sow_status sow_i_cell_world_labels(sow_cells *out, sow_index **first, const sow_i_cell_world *w, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index n = w->n, contexts = w->o->n_contexts;
    sow_cells c = {0};
    SOW_NEW(*first, contexts * (n + 1) + 1);
    for (sow_index k = 0; k < contexts; k++)
        for (sow_index p = SOW_CONTROL; p < n; p++)
            (*first)[group_of(w, k, p) + 1] = (*first)[group_of(w, k, p)] + (p == SOW_CONTROL ? w->o->n_controls : w->cells[k * n + p]);
    c.n = (*first)[contexts * (n + 1)];
    SOW_TRY(name_genes(&c.genes, w, err));
    SOW_TRY(label(&c, w, *first, err));
    SOW_TRY(sow_cells_index(&c, n, contexts, err));
    *out = c;
    c = (sow_cells){0};
done:
    if (st != SOW_OK) {
        free(*first);
        *first = NULL;
    }
    sow_cells_clear(&c);
    return st;
}

/* ---- counts that are used again ---- */

typedef struct sow_i_kept_counts {
    sow_cell_world_options of; /* `counts` NULL */
    sow_index uses;
    sow_cell_arrays a;
} kept_counts;

static void let_go(void *owner)
{
    kept_counts *k = owner;
    if (!k || --k->uses > 0) return;
    free(k->a.start);
    free(k->a.gene);
    free(k->a.value);
    free(k);
}

void sow_cell_counts_clear(sow_cell_counts *counts)
{
    let_go(counts->last);
    counts->last = NULL;
}

/* Options are compared as they lie in memory: two that differ in nothing but what lies between fields cost a drawing, no more. */
static int is_known(const kept_counts *k, const sow_cell_world_options *o)
{
    sow_cell_world_options of = *o;
    of.counts = NULL;
    return k && !o->measured && memcmp(&k->of, &of, sizeof of) == 0;
}

/* The kept ones, or new ones, which are kept from now on; a use of them is the caller's. */
static sow_status counts_of(kept_counts **out, const sow_i_cell_world *w, const sow_cells *cells, const sow_index *first, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_cell_counts *again = w->o->counts;
    kept_counts *k = NULL;
    if (again && is_known(again->last, w->o)) {
        *out = again->last;
        (*out)->uses++;
        return SOW_OK;
    }
    if (again) sow_cell_counts_clear(again); /* before there are two */
    SOW_NEW(k, 1);
    k->uses = 1;
    SOW_TRY(sow_i_cell_world_counts(&k->a, w, cells, first, 0, cells->n, env, err));
    k->of = *w->o;
    k->of.counts = NULL;
    if (again && !w->o->measured) {
        again->last = k;
        k->uses++;
    }
    *out = k;
    k = NULL;
done:
    let_go(k);
    return st;
}

sow_status sow_i_cell_world_cells(sow_cells *out, const sow_i_cell_world *w, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_cells c = {0};
    sow_index *first = NULL;
    kept_counts *k = NULL;
    SOW_TRY(sow_i_cell_world_labels(&c, &first, w, err));
    SOW_NEW(c.matrix, 1);
    c.n_matrices = 1;
    SOW_TRY(name_columns(&c, w, err));
    sow_cell_matrix *m = &c.matrix[0];
    SOW_TRY(counts_of(&k, w, &c, first, env, err));
    m->owner = k;
    m->release = let_go;
    m->n_cells = c.n;
    m->n_genes = w->o->n_genes;
    m->start = k->a.start;
    m->gene = k->a.gene;
    m->value = k->a.value;
    *out = c;
    c = (sow_cells){0};
done:
    free(first);
    sow_cells_clear(&c);
    return st;
}
