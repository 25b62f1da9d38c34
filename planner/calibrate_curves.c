/* What the page of a check draws over genes and over perturbations, and what it comes to in words. */
#include "planner/calibrate_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/stats.h"
#include "io/file.h"

enum { MOST_BINS = 12, GENES_OF_A_BIN = 10, FEWEST_OF_A_BIN = 5 };

static json_t *or_null(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static sow_status add_point(json_t *rows, double x, double real, double simulated, double low, double high, sow_error *err)
{
    json_t *row = json_pack("[f,o,o,o,o]", x, or_null(real), or_null(simulated), or_null(low), or_null(high));
    return row && json_array_append_new(rows, row) == 0 ? SOW_OK : SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
}

/* ---- genes by their mean count ---- */

/* Values of the simulated genes whose mean is in [low, high). */
static sow_index values_between(double *out, const double *mean, const double *value, sow_index n, double low, double high)
{
    sow_index kept = 0;
    for (sow_index i = 0; i < n; i++)
        if (mean[i] > 0 && mean[i] >= low && mean[i] < high) out[kept++] = value[i];
    return kept;
}

static sow_status add_bin(json_t *rows, const sow_i_gene_facts *f, const double *real, const double *made, const sow_index *gene, sow_index first, sow_index last, sow_index n, double *scratch, sow_error *err)
{
    sow_status st = SOW_OK;
    double x, truth, at[3] = {NAN, NAN, NAN};
    static const double quantile[] = {0.05, 0.5, 0.95};
    for (sow_index i = first; i < last; i++)
        scratch[i - first] = f->real[0][gene[i]];
    SOW_TRY(sow_quantile(&x, scratch, last - first, 0.5, err));
    for (sow_index i = first; i < last; i++)
        scratch[i - first] = real[gene[i]];
    SOW_TRY(sow_quantile(&truth, scratch, last - first, 0.5, err));
    const sow_index kept = values_between(scratch, f->made[0], made, f->n_screens * f->n_genes, first > 0 ? f->real[0][gene[first]] : 0, last < n ? f->real[0][gene[last]] : INFINITY);
    for (int q = 0; q < 3 && kept >= FEWEST_OF_A_BIN; q++)
        SOW_TRY(sow_quantile(&at[q], scratch, kept, quantile[q], err));
    SOW_TRY(add_point(rows, x, truth, at[1], at[0], at[2], err));
done:
    return st;
}

static sow_status add_dots(json_t *points, const sow_i_gene_facts *f, const double *real, const sow_index *gene, sow_index n, sow_error *err)
{
    for (sow_index i = 0; i < n; i++) {
        json_t *point = json_pack("[f,f,s]", f->real[0][gene[i]], real[gene[i]], sow_names_get(f->genes, gene[i]));
        if (!point || json_array_append_new(points, point) != 0) return SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
    }
    return SOW_OK;
}

/* One fact of every gene against its mean count: the real genes, and in bins of as many of them the medians of both and the range of simulated genes. */
static sow_status add_fact(json_t *curves, const char *name, const sow_i_gene_facts *f, int k, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *order = NULL, n = 0;
    double *scratch = NULL;
    json_t *rows = json_array(), *points = json_array();
    SOW_NEW(order, f->n_genes);
    SOW_NEW(scratch, f->n_screens * f->n_genes);
    SOW_TRY(sow_order_descending(order, f->real[0], NULL, f->n_genes, err));
    while (n < f->n_genes && f->real[0][order[n]] > 0)
        n++;
    for (sow_index i = 0; i < n / 2; i++) { /* ascending */
        const sow_index kept = order[i];
        order[i] = order[n - 1 - i];
        order[n - 1 - i] = kept;
    }
    const sow_index bins = n / GENES_OF_A_BIN < MOST_BINS ? n / GENES_OF_A_BIN : MOST_BINS;
    for (sow_index b = 0; b < bins; b++)
        SOW_TRY(add_bin(rows, f, f->real[k], f->made[k], order, b * n / bins, (b + 1) * n / bins, n, scratch, err));
    SOW_TRY(add_dots(points, f, f->real[k], order, n, err));
    json_t *curve = json_pack("{s:s,s:O,s:O}", "quantity", name, "rows", rows, "points", points);
    if (!curve || json_array_append_new(curves, curve) != 0) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
done:
    json_decref(rows);
    json_decref(points);
    free(order);
    free(scratch);
    return st;
}

sow_status sow_i_calibration_gene_curves(json_t *curves, const sow_i_gene_facts *f, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_TRY(add_fact(curves, "dispersion", f, 1, err));
    SOW_TRY(add_fact(curves, "zeros", f, 2, err));
done:
    return st;
}

/* ---- perturbations by how well their replicates agree ---- */

sow_status sow_i_calibration_replicate_curve(json_t *curves, const double *real, const double *made, sow_index stride, sow_index n_screens, sow_error *err)
{
    sow_status st = SOW_OK;
    double *x = NULL;
    json_t *rows = json_array();
    SOW_NEW(x, n_screens);
    for (int q = 0; q < SOW_I_REPLICATE_QUANTILES; q++) {
        double low = NAN, high = NAN;
        sow_index kept = 0;
        for (sow_index s = 0; s < n_screens; s++)
            if (!isnan(made[s * stride + q])) x[kept++] = made[s * stride + q];
        if (kept > 0) SOW_TRY(sow_quantile(&low, x, kept, 0.05, err));
        if (kept > 0) SOW_TRY(sow_quantile(&high, x, kept, 0.95, err));
        SOW_TRY(add_point(rows, (double)q / (SOW_I_REPLICATE_QUANTILES - 1), real[q], kept > 0 ? sow_mean(x, kept) : NAN, low, high, err));
    }
    json_t *curve = json_pack("{s:s,s:O}", "quantity", "replicates", "rows", rows);
    if (!curve || json_array_append_new(curves, curve) != 0) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
done:
    json_decref(rows);
    free(x);
    return st;
}

/* ---- in words ---- */

/* What differs by so little is alike whatever 20 screens range over: a correlation, a share, or a part of the real value. */
static const struct {
    const char *key, *what; /* begins with the key */
    double apart, part;
} words[] = {
    {"split_half_reliability", "split-half reliability", 0.1, 0}, {"de_genes", "genes found", 0, 0.1},     {"replicate_correlation", "correlation between replicates", 0.1, 0},
    {"gene_mean_", "mean counts", 0, 0.1},                         {"gene_dispersion_", "dispersions", 0, 0.1}, {"gene_zeros_", "shares of zeros", 0.02, 0},
};
enum { WORDS = sizeof words / sizeof *words };

static double number(const json_t *row, const char *key)
{
    const json_t *x = json_object_get(row, key);
    return json_is_number(x) ? json_number_value(x) : NAN;
}

/* 1 like, 0 unlike, -1 cannot be said. */
static int is_like(const json_t *row, int k)
{
    const double real = number(row, "real"), simulated = number(row, "simulated");
    if (isnan(real) || isnan(simulated)) return -1;
    if (real >= number(row, "low") && real <= number(row, "high")) return 1;
    return fabs(real - simulated) <= words[k].apart + words[k].part * fabs(real);
}

static int is_of(const char *quantity, int k)
{
    return strncmp(quantity, words[k].key, strlen(words[k].key)) == 0 && !strstr(quantity, "spearman");
}

static void add_difference(sow_text *t, const json_t *row, int k)
{
    const char *quantity = json_string_value(json_object_get(row, "quantity"));
    const double cells = number(row, "cells");
    sow_text_printf(t, "%s%s", t->size ? "; " : "", words[k].what);
    if (!isnan(cells)) sow_text_printf(t, " at %.0f cells", cells);
    else if (strstr(quantity, "lower_quartile")) sow_text_append(t, ", lower quartile of genes");
    else if (strstr(quantity, "upper_quartile")) sow_text_append(t, ", upper quartile of genes");
    else if (strstr(quantity, "median")) sow_text_append(t, ", median of genes");
    sow_text_printf(t, " (%.3g, simulated %.3g)", number(row, "real"), number(row, "simulated"));
}

char *sow_i_calibration_words(const json_t *rows)
{
    sow_text like = {0}, unlike = {0};
    for (int k = 0; k < WORDS; k++) {
        int said = 0, differ = 0;
        for (size_t i = 0; i < json_array_size(rows); i++) {
            const json_t *row = json_array_get(rows, i);
            const int alike = is_of(json_string_value(json_object_get(row, "quantity")), k) ? is_like(row, k) : -1;
            said += alike >= 0;
            differ += alike == 0;
            if (alike == 0) add_difference(&unlike, row, k);
        }
        if (said > 0 && differ == 0) sow_text_printf(&like, "%s%s", like.size ? ", " : "", words[k].what);
    }
    char *out = like.failed || unlike.failed ? NULL : sow_format("%s%s.%s%s%s", like.size ? "Like the real screen: " : "Like the real screen in nothing that was compared", like.size ? like.text : "",
                                                                  unlike.size ? " Unlike it: " : "", unlike.size ? unlike.text : "", unlike.size ? "." : "");
    sow_text_clear(&like);
    sow_text_clear(&unlike);
    return out;
}
