/* What cells of the simulated screen show on average, without the noise of drawing any: the truth that predictions of mean changes are held against.
 *
 * A count c is negative-binomial around m = d s exp(x), d being the cell's depth, s the gene's share and x what the cell shows of the change; its value is log1p(c T / (d S)) with S the sum of s exp(x)
 * over the genes that enter a cell's total, and T the sum that totals are brought to. The mean over c is a sum over its probabilities, that over the log-normal d by five Gauss-Hermite
 * nodes. A total is taken for what is expected of it at depth d: it is of hundreds of genes, and what it scatters falls on controls alike. Guides count alike, escapers by their share; technical
 * batches and doublets are left out, so this is what cells would show without them. */
#include <math.h>
#include <stdlib.h>

#include "core/memory.h"
#include "simulator/cell_world_internal.h"

enum { NODES = 5 };
static const double node[NODES] = {-2.8569700138728056, -1.3556261799742659, 0, 1.3556261799742659, 2.8569700138728056};
static const double weight[NODES] = {0.011257411327720689, 0.22207592200561265, 0.53333333333333333, 0.22207592200561265, 0.011257411327720689};

/* Mean of log1p(k c). Where the probability of 0 is below what a double holds, counts hardly scatter and the second order will do. */
static double mean_log1p(double mean, double size, double k)
{
    const double odds = mean / (mean + size), none = size * log1p(mean / size), enough = 1e-7;
    double p = exp(-none), left = 1 - p, sum = 0;
    if (none > 700) return log1p(k * mean) - k * k * (mean + mean * mean / size) / (2 * (1 + k * mean) * (1 + k * mean));
    for (double c = 1; left > enough; c++) {
        p *= odds * (size + c - 1) / c;
        left -= p;
        sum += p * log1p(k * c);
        if (p <= 0 || (c > mean && p < 1e-18)) break; /* what rounding leaves */
    }
    return sum;
}

typedef struct {
    const sow_i_cell_world *w;
    const sow_cell_view *view;
    const sow_index *perturbation;
    sow_index context;
    const double *base; /* [genes] of controls; NULL while they are made */
    double *out;        /* [n, genes] */
    double *room;       /* [n, genes] */
} expect_job;

/* Adds `part` of what cells with the changes x [genes] show to sum [genes]. */
static void add_shown(double *sum, double part, const double *x, const expect_job *job)
{
    const sow_i_cell_world *w = job->w;
    const sow_index n = w->o->n_genes;
    const double *share = w->share + job->context * n;
    double total = 0;
    for (sow_index g = 0; g < n; g++)
        if (!job->view->counted || job->view->counted[g]) total += share[g] * exp(x[g]);
    for (sow_index g = 0; g < n; g++) {
        const double level = share[g] * exp(x[g]);
        double value = 0;
        for (int k = 0; k < NODES && job->view->log1p; k++) {
            const double depth = w->depth_median * exp(w->depth_log_sd * node[k]);
            value += weight[k] * mean_log1p(depth * level, w->size[g], job->view->target_sum / (depth * total));
        }
        sum[g] += part * (job->view->log1p ? value : job->view->target_sum * level / total);
    }
}

static sow_status expect_one(void *user, sow_index i, sow_error *err)
{
    const expect_job *job = user;
    const sow_i_cell_world *w = job->w;
    const sow_cell_world_options *o = w->o;
    const sow_index n = o->n_genes, p = job->base ? job->perturbation[i] : SOW_CONTROL, guides = o->guides > 0 ? o->guides : 1;
    const double escaped = p == SOW_CONTROL ? 1 : o->escapers;
    double *sum = job->out + i * n, *x = job->room + i * n;
    (void)err;
    for (sow_index g = 0; g < n; g++)
        sum[g] = p == SOW_CONTROL ? 0 : escaped * job->base[g] - job->base[g];
    for (sow_index j = 0; j < guides && (p == SOW_CONTROL ? j < 1 : escaped < 1); j++) {
        const sow_i_lab_cell cell = {.guide = o->guides > 0 ? j : -1};
        sow_i_lab_change(x, w, job->context, p, &cell);
        add_shown(sum, p == SOW_CONTROL ? 1 : (1 - escaped) / (double)guides, x, job);
    }
    return SOW_OK;
}

sow_status sow_cell_world_expect(double *change, int *kind, const sow_cell_world_options *options, sow_index context, const sow_index *perturbation, sow_index n,
                                 const sow_cell_view *view, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_cell_world_options used;
    sow_i_cell_world w = {0};
    double *base = NULL;
    expect_job job = {.w = &w, .view = view, .perturbation = perturbation, .context = context};
    SOW_TRY(sow_i_cell_world_options(&used, options, err));
    if (context < 0 || context >= used.n_contexts || view->genes != used.n_genes)
        SOW_FAIL(err, SOW_E_ARG, "context %lld and %lld genes asked of a simulated screen of %lld and %lld", (long long)context, (long long)view->genes, (long long)used.n_contexts, (long long)used.n_genes);
    SOW_TRY(sow_i_cell_world_draw(&w, &used, env, err));
    SOW_NEW(base, used.n_genes);
    SOW_NEW(job.room, (n > 0 ? n : 1) * used.n_genes);
    job.out = base;
    SOW_TRY(expect_one(&job, 0, err));
    job.base = base;
    job.out = change;
    SOW_TRY(sow_parallel_for(sow_env_threads(env), n, expect_one, &job, err));
    for (sow_index i = 0; i < n && kind; i++) {
        const sow_combination *both = sow_i_combination_at(&w, perturbation[i]);
        kind[i] = both ? (int)both->kind : SOW_NO_INTERACTION;
    }
done:
    free(base);
    free(job.room);
    sow_i_cell_world_clear(&w);
    return st;
}
