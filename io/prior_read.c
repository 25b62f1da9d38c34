/* The files a prior can come from, each into a sow_i_raw_prior. */
#include "io/priors_internal.h"

#include "core/adjust.h"
#include "core/memory.h"
#include "io/frame_internal.h"
#include "io/npy.h"
#include "io/text_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- tables and .h5ad ---- */

/* Names of the rows; row_of[k] is the row of the k-th name. Rows without a name can never be looked up and are passed over. */
static sow_status read_names(sow_i_raw_prior *raw, sow_index *row_of, const sow_i_frame *f, sow_index key, sow_error *err)
{
    sow_status st = SOW_OK;
    for (sow_index i = 0; i < f->n_rows; i++) {
        char buffer[40];
        const char *name = sow_i_frame_text(f, i, key, buffer);
        if (!*name) continue;
        sow_index at = 0, known = sow_names_count(raw->names);
        SOW_TRY(sow_names_add(raw->names, name, &at, err));
        if (at < known)
            SOW_FAIL(err, SOW_E_DATA, "%s: '%s' has a second row (first: %s); a prior needs one row a name", sow_i_frame_place(f, i).text, name,
                     sow_i_frame_place(f, row_of[at]).text);
        row_of[at] = i;
    }
    if (sow_names_count(raw->names) == 0) SOW_FAIL(err, SOW_E_DATA, "%s: no row has a name", f->path);
done:
    return st;
}

/* Positions of the columns asked for, or of every numeric one but the key. */
static sow_status choose_columns(sow_index *column, sow_index *n, const sow_prior_spec *spec, const sow_i_frame *f, sow_index key, sow_error *err)
{
    sow_status st = SOW_OK;
    *n = 0;
    for (sow_index i = 0; i < spec->n_columns; i++, (*n)++) {
        SOW_TRY(sow_i_frame_column(&column[i], f, spec->columns[i], "prior column", err));
    }
    for (sow_index i = 0; spec->n_columns == 0 && i < f->n_columns; i++)
        if (i != key && sow_i_frame_is_numeric(f, i, NULL)) column[(*n)++] = i;
    if (*n == 0) SOW_FAIL(err, SOW_E_DATA, "%s: no numeric column but the key '%s'", f->path, sow_i_frame_column_name(f, key));
done:
    return st;
}

static sow_status read_columns(sow_i_raw_prior *raw, const sow_prior_spec *spec, const sow_i_frame *f, sow_index key, const sow_index *row_of,
                               sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *column = NULL, n = sow_names_count(raw->names);
    SOW_NEW(column, f->n_columns + spec->n_columns);
    SOW_TRY(choose_columns(column, &raw->dim, spec, f, key, err));
    for (sow_index j = 0; j < raw->dim; j++) SOW_TRY(sow_names_add(raw->columns, sow_i_frame_column_name(f, column[j]), NULL, err));
    if (sow_names_count(raw->columns) != raw->dim) SOW_FAIL(err, SOW_E_CONFIG, "prior '%s': a column is asked for twice", spec->name);
    SOW_NEW(raw->x, n * raw->dim);
    for (sow_index i = 0; i < n; i++)
        for (sow_index j = 0; j < raw->dim; j++) {
            double *x = &raw->x[i * raw->dim + j];
            SOW_TRY(sow_i_frame_number(x, f, row_of[i], column[j], err));
            if (!isfinite(*x))
                SOW_FAIL(err, SOW_E_DATA, "%s: '%s' has no number in column '%s'; a prior row must be complete or absent",
                         sow_i_frame_place(f, row_of[i]).text, sow_names_get(raw->names, i), sow_i_frame_column_name(f, column[j]));
        }
done:
    free(column);
    return st;
}

/* Rows of a dense X. */
static sow_status read_matrix(sow_i_raw_prior *raw, const sow_i_frame *f, const sow_index *row_of, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_h5ad *a = f->h5ad;
    sow_index n = sow_names_count(raw->names);
    if (a->x_is_sparse) SOW_FAIL(err, SOW_E_UNSUPPORTED, "%s: a prior with a sparse X is not supported; store X dense", f->path);
    raw->dim = a->n_vars;
    if (raw->dim == 0) SOW_FAIL(err, SOW_E_DATA, "%s: X has no columns", f->path);
    for (sow_index j = 0; j < raw->dim; j++) SOW_TRY(sow_names_add(raw->columns, a->var_names[j], NULL, err));
    if (sow_names_count(raw->columns) != raw->dim) { /* names of dimensions are for people only: do without */
        sow_names_destroy(raw->columns);
        raw->columns = NULL;
    }
    SOW_NEW(raw->x, n * raw->dim);
    for (sow_index i = 0; i < n; i++)
        for (sow_index j = 0; j < raw->dim; j++) {
            double x = raw->x[i * raw->dim + j] = a->x[row_of[i] * raw->dim + j];
            if (!isfinite(x))
                SOW_FAIL(err, SOW_E_DATA, "%s: '%s' has no number in column '%s'; a prior row must be complete or absent",
                         sow_i_frame_place(f, row_of[i]).text, sow_names_get(raw->names, i), a->var_names[j]);
        }
done:
    return st;
}

static sow_status read_frame(sow_i_raw_prior *raw, const sow_prior_spec *spec, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_frame f = {0};
    sow_index *row_of = NULL;
    int matrix = spec->n_columns == 0;
    SOW_TRY(sow_i_frame_open(&f, spec->file, matrix, err));
    sow_index key = f.h5ad ? SOW_I_INDEX : 0;
    if (spec->key) SOW_TRY(sow_i_frame_column(&key, &f, spec->key, "key of a prior", err));
    SOW_NEW(row_of, f.n_rows);
    SOW_TRY(sow_names_create(&raw->names, err));
    SOW_TRY(sow_names_create(&raw->columns, err));
    SOW_TRY(read_names(raw, row_of, &f, key, err));
    if (f.h5ad && matrix)
        SOW_TRY(read_matrix(raw, &f, row_of, err));
    else
        SOW_TRY(read_columns(raw, spec, &f, key, row_of, err));
done:
    free(row_of);
    sow_i_frame_close(&f);
    return st;
}

/* ---- NPY, GMT, contexts ---- */

static sow_status read_npy(sow_i_raw_prior *raw, const sow_prior_spec *spec, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index rows = 0;
    if (!spec->names) SOW_FAIL(err, SOW_E_CONFIG, "prior '%s': an .npy file has no names in it; give `names:`, a file with one name a line", spec->name);
    SOW_TRY(sow_npy_read(&raw->x, &rows, &raw->dim, spec->file, err));
    SOW_TRY(sow_i_read_unique_list(&raw->names, spec->names, err));
    if (sow_names_count(raw->names) != rows)
        SOW_FAIL(err, SOW_E_DATA, "%s: %lld names for the %lld rows of %s", spec->names, (long long)sow_names_count(raw->names), (long long)rows,
                 spec->file);
    if (raw->dim == 0) SOW_FAIL(err, SOW_E_DATA, "%s: it has no columns", spec->file);
    for (sow_index i = 0; i < rows * raw->dim; i++)
        if (!isfinite(raw->x[i]))
            SOW_FAIL(err, SOW_E_DATA, "%s: '%s' (row %lld) has no number in column %lld; a prior row must be complete or absent", spec->file,
                     sow_names_get(raw->names, i / raw->dim), (long long)(i / raw->dim + 1), (long long)(i % raw->dim + 1));
done:
    return st;
}

static sow_status read_sets(sow_i_raw_prior *raw, const sow_prior_spec *spec, sow_error *err)
{
    sow_status st = SOW_OK;
    raw->kind = SOW_PRIOR_SETS;
    SOW_TRY(sow_gmt_read(&raw->gmt, spec->file, err));
    raw->names = raw->gmt->members;
    raw->columns = raw->gmt->sets;
    raw->dim = sow_names_count(raw->columns);
done:
    return st;
}

/* Values of the prior's rows [n, d] as a model is given those of the context: adjusted for the readout's covariates by slopes from all of its rows. */
static sow_status adjust_context(double *x, const sow_screen *screen, sow_index context, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index d = sow_screen_n_features(screen), p = sow_screen_n_covariates(screen), k = 0;
    sow_adjust a = {0};
    double *covariate = NULL;
    if (p == 0) return SOW_OK;
    SOW_NEW(covariate, n * p);
    for (sow_index i = 0; i < screen->n_rows; i++)
        if (screen->context[i] == context) memcpy(covariate + k++ * p, screen->covariate + i * p, (size_t)p * sizeof *covariate);
    SOW_TRY(sow_adjust_fit(&a, x, n, d, covariate, p, NULL, err));
    sow_adjust_apply(&a, x, n, covariate);
done:
    sow_adjust_clear(&a);
    free(covariate);
    return st;
}

/* What a reference context measured. A target's own measurements are what the campaign is there to learn: they are no prior. */
static sow_status read_context(sow_i_raw_prior *raw, const sow_prior_spec *spec, const sow_screen *screen, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index c = sow_names_find(screen->contexts, spec->context), d = sow_screen_n_features(screen), n = 0;
    if (c < 0) {
        const char *near = sow_names_nearest(screen->contexts, spec->context);
        SOW_FAIL(err, SOW_E_CONFIG, "prior '%s': no context '%s' in the data%s%s%s", spec->name, spec->context, near ? "; did you mean '" : "",
                 near ? near : "", near ? "'?" : "");
    }
    if (screen->context_role[c] != SOW_ROLE_REFERENCE)
        SOW_FAIL(err, SOW_E_CONFIG, "prior '%s': context '%s' is a target, its measurements are what is to be learned; only a reference can be a prior",
                 spec->name, spec->context);
    SOW_TRY(sow_names_create(&raw->names, err));
    SOW_TRY(sow_names_create(&raw->columns, err));
    for (sow_index j = 0; j < d; j++) SOW_TRY(sow_names_add(raw->columns, sow_names_get(screen->features, j), NULL, err));
    for (sow_index i = 0; i < screen->n_rows; i++) n += screen->context[i] == c;
    SOW_NEW(raw->x, n * d);
    raw->dim = d;
    n = 0;
    for (sow_index i = 0; i < screen->n_rows; i++) {
        if (screen->context[i] != c) continue;
        SOW_TRY(sow_names_add(raw->names, sow_names_get(screen->perturbations, screen->perturbation[i]), NULL, err));
        memcpy(raw->x + n++ * d, screen->values + i * d, (size_t)d * sizeof *raw->x);
    }
    SOW_TRY(adjust_context(raw->x, screen, c, n, err));
done:
    return st;
}

sow_status sow_i_prior_read(sow_i_raw_prior *out, const sow_prior_spec *spec, const sow_screen *screen, sow_error *err)
{
    memset(out, 0, sizeof *out);
    if (spec->context) return read_context(out, spec, screen, err);
    if (!spec->file) return SOW_ERROR(err, SOW_E_CONFIG, "prior '%s': neither a file nor a context", spec->name);
    if (sow_i_has_extension(spec->file, ".gmt")) return read_sets(out, spec, err);
    if (sow_i_has_extension(spec->file, ".npy")) return read_npy(out, spec, err);
    return read_frame(out, spec, err);
}

void sow_i_raw_prior_clear(sow_i_raw_prior *raw)
{
    if (!raw->gmt) sow_names_destroy(raw->names);
    if (!raw->gmt) sow_names_destroy(raw->columns);
    sow_gmt_destroy(raw->gmt);
    free(raw->x);
    memset(raw, 0, sizeof *raw);
}
