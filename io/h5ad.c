/* Reading AnnData files: https://anndata.readthedocs.io/en/latest/fileformat-prose.html, with the layouts of anndata 0.7 and older files where
 * they differ (categories kept in obs/__categories). */
#include "io/h5ad.h"

#include "core/memory.h"
#include "io/frame_internal.h"
#include "io/h5ad_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *path;
    hid_t file;
    sow_h5ad *data;
    const char *const *wanted; /* [n_wanted] columns of obs that are read; NULL = all */
    sow_index n_wanted;
} reader;

/* "path: /obs/gene" for messages. */
typedef struct {
    char text[512];
} place;

static place where(const reader *r, const char *group, const char *name)
{
    place p;
    snprintf(p.text, sizeof p.text, "%s: /%s%s%s", r->path, group, *name ? "/" : "", name);
    return p;
}

static int is_wanted(const reader *r, const char *column)
{
    for (sow_index i = 0; i < r->n_wanted; i++)
        if (strcmp(r->wanted[i], column) == 0) return 1;
    return r->wanted == NULL;
}

static sow_status read_obs(reader *r, sow_error *err)
{
    sow_status st = SOW_OK;
    hid_t obs = -1;
    char *index = NULL;
    sow_names *names = NULL;
    sow_h5ad *a = r->data;
    SOW_TRY(sow_i_h5ad_group(&obs, r->file, "obs", where(r, "obs", "").text, err));
    SOW_TRY(sow_i_h5ad_index_name(&index, obs, err));
    SOW_TRY(sow_i_h5ad_index(&a->obs_names, &a->n_obs, obs, index, where(r, "obs", index).text, err));
    SOW_TRY(sow_names_create(&names, err));
    SOW_TRY(sow_i_h5ad_columns(names, obs, where(r, "obs", "").text, err));
    SOW_NEW(a->obs, sow_names_count(names));
    for (sow_index i = 0; i < sow_names_count(names); i++) {
        const char *name = sow_names_get(names, i);
        if (strcmp(name, index) == 0 || strcmp(name, "__categories") == 0) continue;
        sow_h5ad_column *column = &a->obs[a->n_obs_columns++]; /* counted before it is filled, so that a failure frees it */
        int known = 0;
        column->name = sow_strdup(name);
        if (!column->name) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
        if (!is_wanted(r, name)) continue;
        SOW_TRY(sow_i_h5ad_column(column, &known, obs, name, a->n_obs, where(r, "obs", name).text, err));
        if (!known) sow_i_h5ad_clear_column(&a->obs[--a->n_obs_columns], a->n_obs);
    }
done:
    sow_names_destroy(names);
    free(index);
    if (obs >= 0) H5Gclose(obs);
    return st;
}

/* Names of what a group holds, but for `index` and the categories of old files. */
static sow_status list_names(char ***out, sow_index *n, hid_t group, const char *index, const char *at, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_names *names = NULL;
    SOW_TRY(sow_names_create(&names, err));
    SOW_TRY(sow_i_h5ad_columns(names, group, at, err));
    SOW_NEW(*out, sow_names_count(names));
    for (sow_index i = 0; i < sow_names_count(names); i++) {
        const char *name = sow_names_get(names, i);
        if (strcmp(name, index) == 0 || strcmp(name, "__categories") == 0) continue;
        (*out)[*n] = sow_strdup(name);
        if (!(*out)[*n]) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
        (*n)++;
    }
done:
    sow_names_destroy(names);
    return st;
}

static sow_status read_var(reader *r, sow_error *err)
{
    sow_status st = SOW_OK;
    hid_t var = -1;
    char *index = NULL;
    sow_h5ad *a = r->data;
    SOW_TRY(sow_i_h5ad_group(&var, r->file, "var", where(r, "var", "").text, err));
    SOW_TRY(sow_i_h5ad_index_name(&index, var, err));
    SOW_TRY(sow_i_h5ad_index(&a->var_names, &a->n_vars, var, index, where(r, "var", index).text, err));
    SOW_TRY(list_names(&a->var_columns, &a->n_var_columns, var, index, where(r, "var", "").text, err));
done:
    free(index);
    if (var >= 0) H5Gclose(var);
    return st;
}

static sow_status read_layers(reader *r, sow_error *err)
{
    sow_status st = SOW_OK;
    hid_t raw = -1, layers = -1;
    if (sow_i_h5_kind(r->file, "raw") == H5I_GROUP) raw = H5Gopen2(r->file, "raw", H5P_DEFAULT);
    r->data->has_raw = raw >= 0 && sow_i_h5_has(raw, "X");
    if (sow_i_h5_kind(r->file, "layers") == H5I_GROUP) layers = H5Gopen2(r->file, "layers", H5P_DEFAULT);
    if (layers >= 0) SOW_TRY(list_names(&r->data->layers, &r->data->n_layers, layers, "", where(r, "layers", "").text, err));
done:
    if (layers >= 0) H5Gclose(layers);
    if (raw >= 0) H5Gclose(raw);
    return st;
}

/* ---- X ---- */

/* The layout of a sparse X and how much it stores. A matrix that is not as it should be is only flagged here: who reads the cells says what is wrong. */
static sow_status look_at_sparse(reader *r, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_h5ad *a = r->data;
    sow_i_h5ad_sparse matrix;
    sow_i_h5_dataset d = {.id = -1, .type = -1, .space = -1};
    sow_error why = {0};
    hid_t group = H5Gopen2(r->file, "X", H5P_DEFAULT);
    a->x_is_sparse = 1;
    if (group < 0) goto done;
    st = sow_i_h5ad_sparse_open(&matrix, group, "X", &why);
    if (st == SOW_OK) st = sow_i_h5_dataset_open(&d, group, "data", "X/data", &why);
    if (st == SOW_OK) {
        a->x_layout = matrix.by_column ? "CSC" : "CSR";
        a->n_stored = d.count;
    } else if (st == SOW_E_DATA) {
        st = SOW_OK;
    } else if (err) {
        *err = why;
    }
done:
    sow_i_h5_dataset_close(&d);
    if (group >= 0) H5Gclose(group);
    return st;
}

static sow_status read_x(reader *r, int load_x, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_h5ad *a = r->data;
    place at = where(r, "X", "");
    sow_i_h5_dataset d = {.id = -1, .type = -1, .space = -1};
    H5I_type_t kind = sow_i_h5_kind(r->file, "X");
    a->x_layout = "";
    if (kind == H5I_GROUP) return look_at_sparse(r, err);
    if (kind != H5I_DATASET && !load_x) goto done;
    SOW_TRY(sow_i_h5_dataset_open(&d, r->file, "X", at.text, err));
    int vector = d.n_dims == 1 && d.count == a->n_obs * a->n_vars && (a->n_obs == 1 || a->n_vars == 1);
    if (!vector && (d.n_dims != 2 || d.dim[0] != a->n_obs || d.dim[1] != a->n_vars))
        SOW_FAIL(err, SOW_E_DATA, "%s is %lld x %lld but obs names %lld rows and var %lld columns; the file is damaged", at.text,
                 (long long)d.dim[0], (long long)d.dim[1], (long long)a->n_obs, (long long)a->n_vars);
    a->x_is_dense = 1;
    a->x_layout = "dense";
    a->n_stored = d.count;
    if (load_x) SOW_TRY(sow_i_h5_numbers(&a->x, &d, at.text, err));
done:
    sow_i_h5_dataset_close(&d);
    return st;
}

sow_status sow_h5ad_read(sow_h5ad **out, const char *path, int load_x, sow_error *err)
{
    return sow_i_h5ad_read_columns(out, path, load_x, NULL, 0, err);
}

sow_status sow_i_h5ad_read_columns(sow_h5ad **out, const char *path, int load_x, const char *const *wanted, sow_index n_wanted, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_h5_silence silence;
    reader r = {path, -1, NULL, wanted, n_wanted};
    *out = NULL;
    sow_i_h5_quiet(&silence);
    SOW_NEW(r.data, 1);
    SOW_TRY(sow_i_h5_open(&r.file, path, err));
    SOW_TRY(read_obs(&r, err));
    SOW_TRY(read_var(&r, err));
    SOW_TRY(read_layers(&r, err));
    SOW_TRY(read_x(&r, load_x, err));
    *out = r.data;
    r.data = NULL;
done:
    sow_h5ad_destroy(r.data);
    if (r.file >= 0) H5Fclose(r.file);
    sow_i_h5_loud(&silence);
    return st;
}

void sow_h5ad_destroy(sow_h5ad *a)
{
    if (!a) return;
    for (sow_index i = 0; i < a->n_obs_columns; i++) sow_i_h5ad_clear_column(&a->obs[i], a->n_obs);
    free(a->obs);
    sow_i_free_strings(a->obs_names, a->n_obs);
    sow_i_free_strings(a->var_names, a->n_vars);
    sow_i_free_strings(a->var_columns, a->n_var_columns);
    sow_i_free_strings(a->layers, a->n_layers);
    free(a->x);
    free(a);
}

const sow_h5ad_column *sow_h5ad_obs(const sow_h5ad *a, const char *name)
{
    for (sow_index i = 0; i < a->n_obs_columns; i++)
        if (strcmp(a->obs[i].name, name) == 0) return &a->obs[i];
    return NULL;
}
