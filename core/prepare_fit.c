/* The fit: genes that count, the target sum, highly variable genes. Passes over the cells: one for the gene filter; one for totals and moments; one more for seurat_v3. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/hvg_internal.h"
#include "core/memory.h"
#include "core/prepare_internal.h"

/* Cells of the fit by context: list [n_fit], those of context k at first[k] .. first[k + 1] - 1 (contexts that have any). */
typedef struct {
    sow_index n, *first, *list;
} fit_contexts;

typedef struct {
    const sow_cells *cells;
    const sow_index *fit;
    sow_index n_fit, n_genes;
    const sow_features *features;
    sow_filtered *filtered;
    const sow_env *env;
    int is_log;

    fit_contexts contexts;
    double *total;          /* [n_fit] of counted genes, in the order of contexts.list */
    double *present;        /* [genes, 2] cells with the gene, and nothing */
    double **sums;          /* [contexts][genes, 2] */
    unsigned char *counted; /* [genes] */
    unsigned char *chosen;  /* [genes] */
    double target_sum;
} fit_job;

/* ---- what is fitted on ---- */

static sow_status check_features(const sow_features *f, sow_error *err)
{
    if (!isnan(f->target_sum) && !(isfinite(f->target_sum) && f->target_sum > 0))
        return SOW_ERROR(err, SOW_E_ARG, "target_sum %g is not allowed: a number above 0 or the median is", f->target_sum);
    if (f->min_cells_per_gene < 0 || f->n_highly_variable < 0)
        return SOW_ERROR(err, SOW_E_ARG, "a number below 0: min_cells_per_gene %lld, highly_variable %lld", (long long)f->min_cells_per_gene,
                         (long long)f->n_highly_variable);
    return SOW_OK;
}

static sow_status check_cells(fit_job *job, sow_error *err)
{
    const sow_cells *cells = job->cells;
    if (job->n_fit < 1) return SOW_ERROR(err, SOW_E_DATA, "no cell to fit the preparation on: controls, references or initial cells are needed");
    for (sow_index i = 0; i < job->n_fit; i++)
        if (job->fit[i] < 0 || job->fit[i] >= cells->n || (i > 0 && job->fit[i] <= job->fit[i - 1]))
            return SOW_ERROR(err, SOW_E_ARG, "cell %lld of a fit is not one of the %lld of the table, or out of order", (long long)job->fit[i],
                             (long long)cells->n);
    job->is_log = cells->is_log[cells->in_matrix[job->fit[0]]];
    for (sow_index i = 0; i < job->n_fit; i++)
        if (cells->is_log[cells->in_matrix[job->fit[i]]] != job->is_log)
            return SOW_ERROR(err, SOW_E_DATA, "some cells hold counts and some log1p values; they cannot be prepared together");
    if (job->is_log && job->features->n_highly_variable > 0 && job->features->flavour == SOW_HVG_SEURAT_V3)
        return SOW_ERROR(err, SOW_E_DATA, "highly variable genes of flavour seurat_v3 need counts, and these values are log1p; use flavour seurat");
    return SOW_OK;
}

static sow_status split_contexts(fit_job *job, sow_error *err)
{
    sow_status st = SOW_OK;
    fit_contexts *c = &job->contexts;
    sow_index n_labels = 0, *place = NULL;
    for (sow_index i = 0; i < job->n_fit; i++)
        if (job->cells->context[job->fit[i]] >= n_labels) n_labels = job->cells->context[job->fit[i]] + 1;
    SOW_NEW(place, n_labels);
    SOW_NEW(c->first, n_labels + 1);
    SOW_NEW(c->list, job->n_fit);
    for (sow_index i = 0; i < job->n_fit; i++) place[job->cells->context[job->fit[i]]]++;
    for (sow_index label = 0; label < n_labels; label++) {
        if (place[label] == 0) continue;
        c->first[c->n + 1] = c->first[c->n] + place[label];
        place[label] = c->first[c->n++];
    }
    for (sow_index i = 0; i < job->n_fit; i++) c->list[place[job->cells->context[job->fit[i]]]++] = job->fit[i];
done:
    free(place);
    return st;
}

/* ---- genes that count ---- */

static sow_status name_genes(fit_job *job, const unsigned char *keep, const unsigned char *among, sow_error *err, const char *what)
{
    sow_status st = SOW_OK;
    const char **list = NULL;
    sow_index n = 0;
    SOW_NEW(list, job->n_genes);
    for (sow_index g = 0; g < job->n_genes; g++)
        if (!keep[g] && (!among || among[g])) list[n++] = sow_names_get(job->cells->genes, g);
    SOW_TRY(sow_i_filtered_add(job->filtered, list, n, n, err, "%s", what));
done:
    free(list);
    return st;
}

static sow_status count_genes(fit_job *job, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_sums what = {.cells = job->cells, .cell = job->contexts.list, .n = job->n_fit, .total = job->total, .saying = "preparing", .to = 0.35};
    const sow_index least = job->features->min_cells_per_gene;
    sow_index n = 0, n_values = 0;
    char text[96];
    SOW_TRY(sow_i_sum_cells(job->present, &what, SOW_I_SUM_CELLS, job->env, err));
    for (sow_index g = 0; g < job->n_genes; g++) {
        job->counted[g] = job->present[2 * g] >= (double)least;
        n += job->counted[g];
        n_values += job->counted[g] ? (sow_index)job->present[2 * g] : 0;
    }
    if (n == 0)
        SOW_FAIL(err, SOW_E_DATA, "none of the %lld genes is in %lld of the %lld cells of the fit; lower features.min_cells_per_gene", (long long)job->n_genes,
                 (long long)least, (long long)job->n_fit);
    if (n_values == 0) SOW_FAIL(err, SOW_E_DATA, "every value of the %lld cells of the fit is 0", (long long)job->n_fit);
    if (job->features->n_highly_variable > n)
        SOW_FAIL(err, SOW_E_DATA, "features.highly_variable asks for %lld genes and %lld are there after the filters; give a smaller number, or all",
                 (long long)job->features->n_highly_variable, (long long)n);
    snprintf(text, sizeof text, "genes in fewer than %lld cells of the fit", (long long)least);
    SOW_TRY(name_genes(job, job->counted, NULL, err, text));
done:
    return st;
}

static int totals_changed(const fit_job *job)
{
    for (sow_index g = 0; g < job->n_genes; g++)
        if (!job->counted[g] && job->present[2 * g] > 0) return 1;
    return 0;
}

/* ---- target sum ---- */

static void swap(double *a, double *b)
{
    const double kept = *a;
    *a = *b;
    *b = kept;
}

/* The value that would be at k were a [n] sorted; nothing in front of it is larger then. Hoare 1961, the middle of three as pivot. */
static double select_kth(double *a, sow_index n, sow_index k)
{
    sow_index low = 0, high = n - 1;
    while (low < high) {
        const sow_index middle = low + (high - low) / 2;
        if (a[middle] < a[low]) swap(&a[middle], &a[low]);
        if (a[high] < a[low]) swap(&a[high], &a[low]);
        if (a[high] < a[middle]) swap(&a[high], &a[middle]);
        const double pivot = a[middle];
        sow_index i = low, j = high;
        while (i <= j) {
            while (a[i] < pivot) i++;
            while (pivot < a[j]) j--;
            if (i <= j) swap(&a[i++], &a[j--]);
        }
        if (k <= j) high = j;
        else if (k >= i) low = i;
        else break;
    }
    return a[k];
}

/* Reorders a [n], n >= 1. */
static double median_of(double *a, sow_index n)
{
    const double upper = select_kth(a, n, n / 2);
    double lower = a[0];
    if (n % 2) return upper;
    for (sow_index i = 1; i < n / 2; i++) lower = fmax(lower, a[i]);
    return (lower + upper) / 2;
}

/* Of the cells that have any count, as scanpy's normalize_total takes it. Reorders the totals. */
static sow_status set_target(fit_job *job, sow_error *err)
{
    sow_index n = 0;
    job->target_sum = job->is_log ? NAN : job->features->target_sum;
    if (job->is_log || !isnan(job->target_sum)) return SOW_OK;
    for (sow_index i = 0; i < job->n_fit; i++)
        if (job->total[i] > 0) job->total[n++] = job->total[i];
    if (n == 0) return SOW_ERROR(err, SOW_E_DATA, "no cell of the fit has a total above 0");
    job->target_sum = median_of(job->total, n);
    return SOW_OK;
}

/* ---- highly variable genes ---- */

static sow_hvg_input input_of(const fit_job *job, sow_index k)
{
    const fit_contexts *c = &job->contexts;
    return (sow_hvg_input){job->cells, c->list + c->first[k], c->first[k + 1] - c->first[k], job->counted, job->features->flavour, job->target_sum, c->n > 1};
}

static sow_status sum_contexts(fit_job *job, sow_error *err)
{
    sow_status st = SOW_OK;
    const fit_contexts *c = &job->contexts;
    double *total = totals_changed(job) ? job->total : NULL;
    SOW_NEW(job->sums, c->n);
    for (sow_index k = 0; k < c->n; k++) {
        const sow_hvg_input input = input_of(job, k);
        if (input.n < 2)
            SOW_FAIL(err, SOW_E_DATA, "context %lld of %lld has one cell in the fit; highly variable genes need 2 or more in every context", (long long)k + 1,
                     (long long)c->n);
        SOW_NEW(job->sums[k], 2 * job->n_genes);
        SOW_TRY(sow_i_hvg_sums(job->sums[k], total ? total + c->first[k] : NULL, &input, 0.35 + 0.35 * (double)k / (double)c->n,
                               0.35 + 0.35 * (double)(k + 1) / (double)c->n, job->env, err));
    }
done:
    return st;
}

static void join(fit_job *job, const unsigned char *chosen, sow_index k)
{
    const int both = job->features->across == SOW_ACROSS_INTERSECTION;
    for (sow_index g = 0; g < job->n_genes; g++)
        job->chosen[g] = k == 0 ? chosen[g] : both ? job->chosen[g] && chosen[g] : job->chosen[g] || chosen[g];
}

static sow_status choose_genes(fit_job *job, sow_error *err)
{
    sow_status st = SOW_OK;
    double *score = NULL, *mean = NULL, *variance = NULL;
    unsigned char *chosen = NULL;
    const sow_index n = job->contexts.n, n_top = job->features->n_highly_variable;
    sow_index n_chosen = 0, n_left = 0;
    SOW_NEW(score, job->n_genes);
    SOW_NEW(mean, job->n_genes);
    SOW_NEW(variance, job->n_genes);
    SOW_NEW(chosen, job->n_genes);
    for (sow_index k = 0; k < n; k++) {
        const sow_hvg_input input = input_of(job, k);
        SOW_TRY(sow_i_hvg_scores(score, mean, variance, job->sums[k], &input, 0.7 + 0.3 * (double)k / (double)n, 0.7 + 0.3 * (double)(k + 1) / (double)n,
                                 job->env, err));
        SOW_TRY(sow_hvg_choose(chosen, &n_chosen, score, job->n_genes, n_top, job->features->flavour, err));
        if (n_chosen == 0)
            SOW_FAIL(err, SOW_E_DATA, "no gene varies among the %lld cells of context %lld of %lld in the fit", (long long)input.n, (long long)k + 1, (long long)n);
        join(job, chosen, k);
    }
    for (sow_index g = 0; g < job->n_genes; g++) n_left += job->chosen[g];
    if (n_left == 0)
        SOW_FAIL(err, SOW_E_DATA, "the %lld contexts of the fit share none of their %lld highly variable genes; ask for more genes, or for the union", (long long)n,
                 (long long)n_top);
    SOW_TRY(name_genes(job, job->chosen, job->counted, err, "genes that are not highly variable"));
done:
    free(score);
    free(mean);
    free(variance);
    free(chosen);
    return st;
}

/* ---- all of it ---- */

static sow_status run_fit(fit_job *job, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(job->total, job->n_fit);
    SOW_NEW(job->present, 2 * job->n_genes);
    SOW_NEW(job->counted, job->n_genes);
    SOW_NEW(job->chosen, job->n_genes);
    SOW_TRY(split_contexts(job, err));
    SOW_TRY(count_genes(job, err));
    if (job->features->n_highly_variable > 0) {
        SOW_TRY(sum_contexts(job, err));
        SOW_TRY(set_target(job, err));
        SOW_TRY(choose_genes(job, err));
    } else {
        const sow_i_sums again = {.cells = job->cells, .cell = job->contexts.list, .n = job->n_fit, .counted = job->counted, .total = job->total,
                                  .saying = "preparing", .from = 0.35, .to = 1};
        if (totals_changed(job) && !job->is_log) SOW_TRY(sow_i_sum_cells(job->present, &again, SOW_I_SUM_CELLS, job->env, err));
        SOW_TRY(set_target(job, err));
        memcpy(job->chosen, job->counted, (size_t)job->n_genes);
    }
    SOW_TRY(sow_progress(job->env, "preparing", 1, err));
done:
    return st;
}

static void clear_job(fit_job *job)
{
    for (sow_index k = 0; job->sums && k < job->contexts.n; k++) free(job->sums[k]);
    free(job->sums);
    free(job->total);
    free(job->present);
    free(job->counted);
    free(job->chosen);
    free(job->contexts.first);
    free(job->contexts.list);
}

sow_status sow_preparation_fit(sow_preparation *out, sow_filtered *filtered, const sow_cells *cells, const sow_index *fit, sow_index n_fit,
                               const sow_features *features, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    fit_job job = {.cells = cells, .fit = fit, .n_fit = n_fit, .n_genes = sow_names_count(cells->genes), .features = features, .filtered = filtered, .env = env};
    sow_names *genes = NULL, *not_counted = NULL;
    memset(out, 0, sizeof *out);
    SOW_TRY(check_features(features, err));
    SOW_TRY(check_cells(&job, err));
    SOW_TRY(run_fit(&job, err));
    SOW_TRY(sow_names_create(&genes, err));
    SOW_TRY(sow_names_create(&not_counted, err));
    for (sow_index g = 0; g < job.n_genes; g++) {
        const char *name = sow_names_get(cells->genes, g);
        if (job.chosen[g]) SOW_TRY(sow_names_add(genes, name, NULL, err));
        if (!job.counted[g]) SOW_TRY(sow_names_add(not_counted, name, NULL, err));
    }
    SOW_TRY(sow_preparation_make(out, cells, genes, not_counted, job.target_sum, features->log1p, err));
done:
    sow_names_destroy(genes);
    sow_names_destroy(not_counted);
    clear_job(&job);
    return st;
}
