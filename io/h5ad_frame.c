/* Dataframes of AnnData files: an index and columns, as anndata 0.8 and later write them and as 0.7 did (categories kept in obs/__categories). */
#include "io/h5ad_internal.h"

#include "core/memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

sow_status sow_i_h5ad_group(hid_t *out, hid_t parent, const char *name, const char *place_text, sow_error *err)
{
    *out = -1;
    H5I_type_t kind = sow_i_h5_kind(parent, name);
    if (kind == H5I_GROUP) *out = H5Gopen2(parent, name, H5P_DEFAULT);
    if (*out >= 0) return SOW_OK;
    if (kind == H5I_DATASET)
        return SOW_ERROR(err, SOW_E_DATA, "%s: a compound table as anndata before 0.7 wrote it; read and write the file once with a newer anndata",
                         place_text);
    return SOW_ERROR(err, SOW_E_DATA, "%s: missing; not an AnnData file?", place_text);
}

/* ---- columns ---- */

/* Integer codes into a list of categories; a negative code is "missing". */
static sow_status expand_categories(sow_h5ad_column *column, const double *code, sow_index n, const sow_i_h5_dataset *categories,
                                    const char *at, sow_error *err)
{
    sow_status st = SOW_OK;
    char **text = NULL;
    double *number = NULL;
    column->kind = categories->type_class == H5T_STRING ? SOW_COLUMN_STRING : SOW_COLUMN_NUMBER;
    if (column->kind == SOW_COLUMN_STRING) {
        SOW_TRY(sow_i_h5_strings(&text, categories, at, err));
        SOW_NEW(column->text, n);
    } else {
        SOW_TRY(sow_i_h5_numbers(&number, categories, at, err));
        SOW_NEW(column->number, n);
    }
    for (sow_index i = 0; i < n; i++) {
        if (!(code[i] < (double)categories->count))
            SOW_FAIL(err, SOW_E_DATA, "%s: row %lld has category %.0f of %lld; the file is damaged", at, (long long)(i + 1), code[i],
                     (long long)categories->count);
        sow_index k = code[i] < 0 ? -1 : (sow_index)code[i];
        if (column->kind == SOW_COLUMN_NUMBER) {
            column->number[i] = k < 0 ? (double)NAN : number[k];
        } else if (k >= 0) {
            column->text[i] = sow_strdup(text[k]);
            if (!column->text[i]) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
        }
    }
done:
    sow_i_free_strings(text, categories->count);
    free(number);
    return st;
}

static sow_status check_length(const sow_i_h5_dataset *d, sow_index n, const char *at, sow_error *err)
{
    if (d->n_dims == 1 && d->count == n) return SOW_OK;
    return SOW_ERROR(err, SOW_E_DATA, "%s: %lld values for %lld rows; the file is damaged", at, (long long)d->count, (long long)n);
}

static sow_status read_categorical(sow_h5ad_column *column, hid_t codes_in, const char *codes_name, hid_t categories_in,
                                   const char *categories_name, sow_index n, const char *at, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_h5_dataset codes = {.id = -1, .type = -1, .space = -1}, categories = {.id = -1, .type = -1, .space = -1};
    double *code = NULL;
    SOW_TRY(sow_i_h5_dataset_open(&codes, codes_in, codes_name, at, err));
    SOW_TRY(check_length(&codes, n, at, err));
    SOW_TRY(sow_i_h5_dataset_open(&categories, categories_in, categories_name, at, err));
    SOW_TRY(sow_i_h5_numbers(&code, &codes, at, err));
    SOW_TRY(expand_categories(column, code, n, &categories, at, err));
done:
    free(code);
    sow_i_h5_dataset_close(&codes);
    sow_i_h5_dataset_close(&categories);
    return st;
}

/* Strings, numbers or booleans. */
static sow_status read_plain(sow_h5ad_column *column, hid_t parent, const char *name, sow_index n, const char *at, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_h5_dataset d = {.id = -1, .type = -1, .space = -1};
    SOW_TRY(sow_i_h5_dataset_open(&d, parent, name, at, err));
    SOW_TRY(check_length(&d, n, at, err));
    if (d.type_class == H5T_STRING) {
        column->kind = SOW_COLUMN_STRING;
        SOW_TRY(sow_i_h5_strings(&column->text, &d, at, err));
    } else {
        column->kind = d.type_class == H5T_ENUM ? SOW_COLUMN_BOOL : SOW_COLUMN_NUMBER;
        SOW_TRY(sow_i_h5_numbers(&column->number, &d, at, err));
    }
done:
    sow_i_h5_dataset_close(&d);
    return st;
}

/* nullable-integer, nullable-boolean and nullable-string-array: a group of `values` and `mask` (true = missing). */
static sow_status read_nullable(sow_h5ad_column *column, hid_t group, sow_index n, const char *at, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_h5ad_column mask = {0};
    SOW_TRY(read_plain(column, group, "values", n, at, err));
    SOW_TRY(read_plain(&mask, group, "mask", n, at, err));
    if (!mask.number) SOW_FAIL(err, SOW_E_DATA, "%s: its mask is no boolean", at);
    for (sow_index i = 0; i < n; i++) {
        if (mask.number[i] == 0) continue;
        if (column->text) {
            free(column->text[i]);
            column->text[i] = NULL;
        } else {
            column->number[i] = NAN;
        }
    }
done:
    sow_i_free_strings(mask.text, n);
    free(mask.number);
    return st;
}

void sow_i_h5ad_clear_column(sow_h5ad_column *c, sow_index n)
{
    free(c->name);
    sow_i_free_strings(c->text, n);
    free(c->number);
    memset(c, 0, sizeof *c);
}

/* *known = 0 when the column is of a kind that is not read (nested tables, references). */
sow_status sow_i_h5ad_column(sow_h5ad_column *column, int *known, hid_t frame, const char *name, sow_index n, const char *at, sow_error *err)
{
    sow_status st = SOW_OK;
    hid_t group = -1, old = -1;
    *known = 1;
    if (sow_i_h5_kind(frame, name) == H5I_GROUP) {
        group = H5Gopen2(frame, name, H5P_DEFAULT);
        if (group >= 0 && sow_i_h5_has(group, "codes"))
            SOW_TRY(read_categorical(column, group, "codes", group, "categories", n, at, err));
        else if (group >= 0 && sow_i_h5_has(group, "mask"))
            SOW_TRY(read_nullable(column, group, n, at, err));
        else
            *known = 0;
    } else {
        if (sow_i_h5_kind(frame, "__categories") == H5I_GROUP) old = H5Gopen2(frame, "__categories", H5P_DEFAULT);
        if (old >= 0 && sow_i_h5_has(old, name)) {
            SOW_TRY(read_categorical(column, frame, name, old, name, n, at, err));
        } else {
            hid_t dataset = H5Dopen2(frame, name, H5P_DEFAULT), type = dataset >= 0 ? H5Dget_type(dataset) : -1;
            H5T_class_t kind = type >= 0 ? H5Tget_class(type) : H5T_NO_CLASS;
            if (type >= 0) H5Tclose(type);
            if (dataset >= 0) H5Dclose(dataset);
            *known = kind == H5T_STRING || kind == H5T_INTEGER || kind == H5T_FLOAT || kind == H5T_ENUM;
            if (*known) SOW_TRY(read_plain(column, frame, name, n, at, err));
        }
    }
done:
    if (old >= 0) H5Gclose(old);
    if (group >= 0) H5Gclose(group);
    return st;
}

/* ---- dataframes ---- */

sow_status sow_i_h5ad_index_name(char **out, hid_t frame, sow_error *err)
{
    sow_status st = sow_i_h5_attribute(out, frame, "_index", err);
    if (st != SOW_OK || *out) return st;
    *out = sow_strdup(sow_i_h5_has(frame, "index") ? "index" : "_index");
    return *out ? SOW_OK : SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
}

/* The names of rows: a string dataset, or a nullable or categorical group of strings. */
sow_status sow_i_h5ad_index(char ***names, sow_index *n, hid_t frame, const char *name, const char *at, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_h5_dataset d = {.id = -1, .type = -1, .space = -1};
    sow_h5ad_column column = {0};
    hid_t group = -1;
    int known = 1;
    if (sow_i_h5_kind(frame, name) == H5I_GROUP) {
        group = H5Gopen2(frame, name, H5P_DEFAULT);
        SOW_TRY(sow_i_h5_dataset_open(&d, group, group >= 0 && sow_i_h5_has(group, "codes") ? "codes" : "values", at, err));
        *n = d.count;
        SOW_TRY(sow_i_h5ad_column(&column, &known, frame, name, *n, at, err));
        for (sow_index i = 0; i < *n; i++)
            if (!column.text || !column.text[i]) SOW_FAIL(err, SOW_E_DATA, "%s: row %lld has no name", at, (long long)(i + 1));
        *names = column.text;
        column.text = NULL;
    } else {
        SOW_TRY(sow_i_h5_dataset_open(&d, frame, name, at, err));
        if (d.n_dims != 1) SOW_FAIL(err, SOW_E_DATA, "%s: names in %d dimensions; the file is damaged", at, d.n_dims);
        SOW_TRY(sow_i_h5_strings(names, &d, at, err));
        *n = d.count;
    }
done:
    sow_i_h5ad_clear_column(&column, *names ? *n : d.count);
    if (group >= 0) H5Gclose(group);
    sow_i_h5_dataset_close(&d);
    return st;
}

typedef struct {
    sow_names *names;
    sow_status st;
    sow_error *err;
} collected;

static herr_t collect_link(hid_t group, const char *name, const H5L_info_t *info, void *user)
{
    collected *c = user;
    (void)group;
    (void)info;
    c->st = sow_names_add(c->names, name, NULL, c->err);
    return c->st == SOW_OK ? 0 : -1;
}

/* Columns as column-order says, then any other by name. */
sow_status sow_i_h5ad_columns(sow_names *names, hid_t frame, const char *at, sow_error *err)
{
    sow_status st = SOW_OK;
    char **order = NULL;
    sow_index n = 0;
    SOW_TRY(sow_i_h5_attribute_list(&order, &n, frame, "column-order", err));
    for (sow_index i = 0; i < n; i++)
        if (sow_i_h5_has(frame, order[i])) SOW_TRY(sow_names_add(names, order[i], NULL, err));
    collected c = {names, SOW_OK, err};
    herr_t result = H5Literate(frame, H5_INDEX_NAME, H5_ITER_INC, NULL, collect_link, &c);
    SOW_TRY(c.st);
    if (result < 0)
        SOW_FAIL(err, SOW_E_DATA, "%s: damaged, its columns cannot be listed", at);
done:
    sow_i_free_strings(order, n);
    return st;
}

sow_status sow_i_h5ad_length(sow_index *n, hid_t frame, const char *name, const char *at, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_h5_dataset d = {.id = -1, .type = -1, .space = -1};
    hid_t group = -1;
    *n = 0;
    if (sow_i_h5_kind(frame, name) == H5I_GROUP) {
        group = H5Gopen2(frame, name, H5P_DEFAULT);
        SOW_TRY(sow_i_h5_dataset_open(&d, group, group >= 0 && sow_i_h5_has(group, "codes") ? "codes" : "values", at, err));
    } else {
        SOW_TRY(sow_i_h5_dataset_open(&d, frame, name, at, err));
    }
    if (d.n_dims != 1) SOW_FAIL(err, SOW_E_DATA, "%s: names in %d dimensions; the file is damaged", at, d.n_dims);
    *n = d.count;
done:
    if (group >= 0) H5Gclose(group);
    sow_i_h5_dataset_close(&d);
    return st;
}

/* ---- sparse matrices ---- */

sow_status sow_i_h5ad_sparse_open(sow_i_h5ad_sparse *out, hid_t group, const char *at, sow_error *err)
{
    sow_status st = SOW_OK;
    char *format = NULL;
    int64_t shape[2];
    *out = (sow_i_h5ad_sparse){0};
    SOW_TRY(sow_i_h5_attribute(&format, group, "encoding-type", err));
    if (!format) SOW_TRY(sow_i_h5_attribute(&format, group, "h5sparse_format", err)); /* before anndata 0.7 */
    if (!format) SOW_FAIL(err, SOW_E_DATA, "%s: says neither csr_matrix nor csc_matrix (attribute encoding-type); not an AnnData file?", at);
    out->by_column = strncmp(format, "csc", 3) == 0;
    if (!out->by_column && strncmp(format, "csr", 3) != 0)
        SOW_FAIL(err, SOW_E_DATA, "%s: stored as '%.40s'; csr_matrix, csc_matrix and dense arrays can be read", at, format);
    if (!sow_i_h5_integers(shape, 2, group, "shape") && !sow_i_h5_integers(shape, 2, group, "h5sparse_shape"))
        SOW_FAIL(err, SOW_E_DATA, "%s: has no attribute 'shape'; the file is damaged", at);
    if (shape[0] < 0 || shape[1] < 0) SOW_FAIL(err, SOW_E_DATA, "%s: claims a negative size; the file is damaged", at);
    out->rows = shape[0];
    out->columns = shape[1];
done:
    free(format);
    return st;
}
