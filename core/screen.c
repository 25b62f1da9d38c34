#include "core/screen.h"
#include "core/memory.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

sow_index sow_screen_n_features(const sow_screen *s)
{
    return sow_names_count(s->features);
}

sow_index sow_screen_n_covariates(const sow_screen *s)
{
    return sow_names_count(s->covariates);
}

sow_index sow_screen_n_perturbations(const sow_screen *s)
{
    return sow_names_count(s->perturbations);
}

sow_status sow_screen_create(sow_screen **out, sow_readout_kind kind, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_screen *s = NULL;
    *out = NULL;
    SOW_NEW(s, 1);
    s->kind = kind;
    SOW_TRY(sow_names_create(&s->perturbations, err));
    SOW_TRY(sow_names_create(&s->contexts, err));
    SOW_TRY(sow_names_create(&s->features, err));
    SOW_TRY(sow_names_create(&s->covariates, err));
    *out = s;
    s = NULL;
done:
    sow_screen_destroy(s);
    return st;
}

static void free_rows(sow_screen *s)
{
    free(s->perturbation);
    free(s->context);
    free(s->replicates);
    free(s->cells);
    free(s->weight);
    free(s->values);
    free(s->covariate);
    free(s->hit);
}

static void free_detail(sow_perturbation *detail, sow_index n)
{
    for (sow_index i = 0; detail && i < n; i++) {
        for (sow_index j = 0; detail[i].agent && j < detail[i].n_agents; j++) free(detail[i].agent[j]);
        free(detail[i].agent);
        free(detail[i].dose);
    }
    free(detail);
}

void sow_screen_destroy(sow_screen *s)
{
    if (!s) return;
    free_detail(s->detail, sow_screen_n_perturbations(s));
    free(s->context_role);
    free_rows(s);
    sow_names_destroy(s->perturbations);
    sow_names_destroy(s->contexts);
    sow_names_destroy(s->features);
    sow_names_destroy(s->covariates);
    free(s);
}

/* Every column grows from the same capacity to the same one; the screen's own is set only when all have. */
static sow_status reserve_row(sow_screen *s, sow_error *err)
{
    if (s->n_rows < s->capacity) return SOW_OK;
    sow_status st = SOW_OK;
    size_t value_bytes = (size_t)sow_screen_n_features(s) * sizeof(double);
    sow_index n_covariates = sow_screen_n_covariates(s);
    size_t covariate_bytes = (size_t)(n_covariates > 0 ? n_covariates : 1) * sizeof(double);
    struct {
        void *column;
        size_t bytes;
    } const columns[] = {{&s->perturbation, sizeof *s->perturbation},
                         {&s->context, sizeof *s->context},
                         {&s->replicates, sizeof *s->replicates},
                         {&s->cells, sizeof *s->cells},
                         {&s->weight, sizeof *s->weight},
                         {&s->values, value_bytes},
                         {&s->covariate, covariate_bytes},
                         {&s->hit, sizeof *s->hit}};
    sow_index capacity = s->capacity;
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        capacity = s->capacity;
        SOW_TRY(sow_grow(columns[i].column, &capacity, s->n_rows + 1, columns[i].bytes, err));
    }
    s->capacity = capacity;
done:
    return st;
}

sow_status sow_screen_add_row(sow_screen *s, sow_index perturbation, sow_index context, double cells, double weight,
                              const double *values, const double *covariate, double hit, sow_error *err)
{
    sow_index d = sow_screen_n_features(s), p = sow_screen_n_covariates(s);
    if (d < 1) return SOW_ERROR(err, SOW_E_STATE, "a screen needs its features before its first row");
    if (perturbation < 0 || perturbation >= sow_screen_n_perturbations(s))
        return SOW_ERROR(err, SOW_E_ARG, "perturbation %lld is not in the catalogue of %lld", (long long)perturbation,
                         (long long)sow_screen_n_perturbations(s));
    const char *name = sow_names_get(s->perturbations, perturbation);
    if (context < 0 || context >= sow_names_count(s->contexts))
        return SOW_ERROR(err, SOW_E_ARG, "context %lld of '%s' is not one of the %lld known", (long long)context, name,
                         (long long)sow_names_count(s->contexts));
    if (!isfinite(weight) || weight < 0)
        return SOW_ERROR(err, SOW_E_DATA, "weight %g of '%s' is not allowed: a number of 0 or more is", weight, name);
    if (cells < 0 || isinf(cells))
        return SOW_ERROR(err, SOW_E_DATA, "%g cells for '%s' are not allowed: a number of 0 or more is", cells, name);
    sow_status st = reserve_row(s, err);
    if (st != SOW_OK) return st;
    sow_index i = s->n_rows++;
    s->perturbation[i] = perturbation;
    s->context[i] = context;
    s->replicates[i] = 1;
    s->cells[i] = cells;
    s->weight[i] = weight;
    s->hit[i] = hit;
    memcpy(s->values + i * d, values, (size_t)d * sizeof *values);
    if (p > 0) memcpy(s->covariate + i * p, covariate, (size_t)p * sizeof *covariate);
    return SOW_OK;
}

typedef struct {
    sow_index perturbation, context, row;
} row_key;

static int by_perturbation_context_row(const void *pa, const void *pb)
{
    const row_key *a = pa, *b = pb;
    if (a->perturbation != b->perturbation) return a->perturbation < b->perturbation ? -1 : 1;
    if (a->context != b->context) return a->context < b->context ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

/* Weighted mean of one column over the rows of a group; missing numbers are skipped, and weights that are all 0 count as equal. */
static double group_mean(const double *column, sow_index stride, const double *weight, const row_key *key, sow_index n)
{
    double sum = 0, total = 0, plain = 0;
    sow_index count = 0;
    for (sow_index k = 0; k < n; k++) {
        double v = column[key[k].row * stride], w = weight[key[k].row];
        if (isnan(v)) continue;
        if (w > 0) sum += w * v;
        if (w > 0) total += w;
        plain += v;
        count++;
    }
    if (count == 1 || !(total > 0)) return count ? plain / (double)count : NAN;
    return sum / total;
}

double sow_screen_merged_covariate(const sow_screen *s, sow_index covariate, double cells, double mean)
{
    const char *name = sow_names_get(s->covariates, covariate);
    if (!(cells > 0)) return mean;
    return strcmp(name, "cells") == 0 ? cells : strcmp(name, "log(cells)") == 0 ? log(cells) : mean;
}

/* Sums the group into row `to` of `out`, whose columns are as wide as those of `s`. */
static void merge_group(const sow_screen *out, sow_index to, const sow_screen *s, const row_key *key, sow_index n)
{
    sow_index d = sow_screen_n_features(s), p = sow_screen_n_covariates(s);
    double cells = 0, weight = 0, hit = NAN;
    sow_index replicates = 0;
    for (sow_index k = 0; k < n; k++) {
        sow_index row = key[k].row;
        cells += s->cells[row];
        weight += s->weight[row];
        replicates += s->replicates[row];
        hit = fmin(hit, s->hit[row]);
    }
    out->perturbation[to] = key->perturbation;
    out->context[to] = key->context;
    out->replicates[to] = replicates;
    out->cells[to] = cells;
    out->weight[to] = weight;
    out->hit[to] = hit;
    for (sow_index j = 0; j < d; j++) out->values[to * d + j] = group_mean(s->values + j, d, s->weight, key, n);
    for (sow_index j = 0; j < p; j++) {
        double mean = group_mean(s->covariate + j, p, s->weight, key, n);
        out->covariate[to * p + j] = sow_screen_merged_covariate(s, j, cells, mean);
    }
}

static sow_status allocate_rows(sow_screen *s, sow_index n, sow_index d, sow_index p, sow_error *err)
{
    sow_status st = SOW_OK;
    s->capacity = n;
    SOW_NEW(s->perturbation, n);
    SOW_NEW(s->context, n);
    SOW_NEW(s->replicates, n);
    SOW_NEW(s->cells, n);
    SOW_NEW(s->weight, n);
    SOW_NEW(s->values, n * d);
    SOW_NEW(s->covariate, n * p);
    SOW_NEW(s->hit, n);
done:
    return st;
}

static void swap_rows(sow_screen *a, sow_screen *b)
{
    sow_screen kept = *a;
    a->n_rows = b->n_rows, a->capacity = b->capacity;
    a->perturbation = b->perturbation, a->context = b->context, a->replicates = b->replicates;
    a->cells = b->cells, a->weight = b->weight, a->values = b->values, a->covariate = b->covariate, a->hit = b->hit;
    b->n_rows = kept.n_rows, b->capacity = kept.capacity;
    b->perturbation = kept.perturbation, b->context = kept.context, b->replicates = kept.replicates;
    b->cells = kept.cells, b->weight = kept.weight, b->values = kept.values, b->covariate = kept.covariate, b->hit = kept.hit;
}

sow_status sow_screen_merge(sow_screen *s, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_screen merged; /* only its rows are used */
    memset(&merged, 0, sizeof merged);
    row_key *key = NULL;
    if (s->n_rows == 0) return SOW_OK;
    SOW_NEW(key, s->n_rows);
    for (sow_index i = 0; i < s->n_rows; i++) key[i] = (row_key){s->perturbation[i], s->context[i], i};
    qsort(key, (size_t)s->n_rows, sizeof *key, by_perturbation_context_row);
    sow_index n_groups = 0;
    for (sow_index i = 0; i < s->n_rows; i++)
        n_groups += i == 0 || key[i].perturbation != key[i - 1].perturbation || key[i].context != key[i - 1].context;
    SOW_TRY(allocate_rows(&merged, n_groups, sow_screen_n_features(s), sow_screen_n_covariates(s), err));
    for (sow_index i = 0, end; i < s->n_rows; i = end) {
        for (end = i + 1; end < s->n_rows && key[end].perturbation == key[i].perturbation && key[end].context == key[i].context;) end++;
        merge_group(&merged, merged.n_rows++, s, key + i, end - i);
    }
    swap_rows(s, &merged);
done:
    free_rows(&merged);
    free(key);
    return st;
}

sow_index sow_screen_find(const sow_screen *s, sow_index perturbation, sow_index context)
{
    sow_index low = 0, high = s->n_rows;
    while (low < high) {
        sow_index middle = low + (high - low) / 2;
        sow_index p = s->perturbation[middle], c = s->context[middle];
        if (p < perturbation || (p == perturbation && c < context))
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->n_rows && s->perturbation[low] == perturbation && s->context[low] == context ? low : -1;
}
