#include "io/h5ad_outline.h"

#include "core/memory.h"
#include "io/h5ad_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sow_status name_link(sow_names *names, hid_t group, hsize_t i, sow_error *err)
{
    sow_status st = SOW_OK;
    char *name = NULL;
    const ssize_t n = H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, NULL, 0, H5P_DEFAULT);
    if (n <= 0) goto done;
    SOW_NEW(name, n + 1);
    if (H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, name, (size_t)n + 1, H5P_DEFAULT) > 0) SOW_TRY(sow_names_add(names, name, NULL, err));
done:
    free(name);
    return st;
}

static sow_status read_layers(sow_i_h5ad_outline *o, hid_t file, sow_error *err)
{
    sow_status st = SOW_OK;
    hid_t group = -1;
    H5G_info_t info = {0};
    if (sow_i_h5_kind(file, "layers") != H5I_GROUP) goto done;
    group = H5Gopen2(file, "layers", H5P_DEFAULT);
    if (group < 0 || H5Gget_info(group, &info) < 0) goto done;
    for (hsize_t i = 0; i < info.nlinks; i++)
        SOW_TRY(name_link(o->layers, group, i, err));
done:
    if (group >= 0) H5Gclose(group);
    return st;
}

static sow_status read_column(sow_i_h5ad_outline *o, hid_t var, const char *name, const char *path, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_h5ad_column *column = &o->var[o->n_columns++]; /* counted before it is filled, so that a failure frees it */
    char where[512];
    int known = 0;
    snprintf(where, sizeof where, "%s: /var/%s", path, name);
    column->name = sow_strdup(name);
    if (!column->name) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_i_h5ad_column(column, &known, var, name, o->n_vars, where, err));
    if (!known) sow_i_h5ad_clear_column(&o->var[--o->n_columns], o->n_vars);
done:
    return st;
}

static sow_status read_var(sow_i_h5ad_outline *o, hid_t file, const char *path, sow_error *err)
{
    sow_status st = SOW_OK;
    hid_t var = -1;
    char *index = NULL, where[512];
    sow_names *names = NULL;
    snprintf(where, sizeof where, "%s: /var", path);
    SOW_TRY(sow_i_h5ad_group(&var, file, "var", where, err));
    SOW_TRY(sow_i_h5ad_index_name(&index, var, err));
    SOW_TRY(sow_i_h5ad_length(&o->n_vars, var, index, where, err));
    SOW_TRY(sow_names_create(&names, err));
    SOW_TRY(sow_i_h5ad_columns(names, var, where, err));
    SOW_NEW(o->var, sow_names_count(names));
    for (sow_index i = 0; i < sow_names_count(names); i++) {
        const char *name = sow_names_get(names, i);
        if (strcmp(name, index) == 0 || strcmp(name, "__categories") == 0) continue;
        SOW_TRY(read_column(o, var, name, path, err));
    }
done:
    sow_names_destroy(names);
    free(index);
    if (var >= 0) H5Gclose(var);
    return st;
}

sow_status sow_i_h5ad_outline_read(sow_i_h5ad_outline *out, const char *path, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_h5ad_outline o = {0};
    sow_i_h5_silence silence;
    hid_t file = -1;
    memset(out, 0, sizeof *out);
    sow_i_h5_quiet(&silence);
    SOW_TRY(sow_i_h5_open(&file, path, err));
    SOW_TRY(sow_names_create(&o.layers, err));
    o.has_raw = sow_i_h5_kind(file, "raw") == H5I_GROUP;
    SOW_TRY(read_layers(&o, file, err));
    SOW_TRY(read_var(&o, file, path, err));
    *out = o;
    memset(&o, 0, sizeof o);
done:
    if (file >= 0) H5Fclose(file);
    sow_i_h5_loud(&silence);
    sow_i_h5ad_outline_clear(&o);
    return st;
}

void sow_i_h5ad_outline_clear(sow_i_h5ad_outline *o)
{
    for (sow_index i = 0; o->var && i < o->n_columns; i++)
        sow_i_h5ad_clear_column(&o->var[i], o->n_vars);
    free(o->var);
    sow_names_destroy(o->layers);
    memset(o, 0, sizeof *o);
}

/* ---- a look at the values ---- */

static sow_status read_values(double *out, hid_t data, sow_index n, const char *where, sow_error *err)
{
    const hsize_t from = 0, count = (hsize_t)n;
    hid_t file_space = H5Dget_space(data), space = H5Screate_simple(1, &count, NULL);
    const int fine = file_space >= 0 && space >= 0 && H5Sselect_hyperslab(file_space, H5S_SELECT_SET, &from, NULL, &count, NULL) >= 0 &&
                     H5Dread(data, H5T_NATIVE_DOUBLE, space, file_space, H5P_DEFAULT, out) >= 0;
    if (file_space >= 0) H5Sclose(file_space);
    if (space >= 0) H5Sclose(space);
    return fine ? SOW_OK : SOW_ERROR(err, SOW_E_DATA, "%s: its values cannot be read", where);
}

sow_status sow_i_h5ad_first_values(double **out, sow_index *n, const char *path, const char *layer, sow_index most, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_h5_silence silence;
    sow_i_h5_dataset data = {.id = -1, .type = -1, .space = -1};
    hid_t file = -1;
    double *x = NULL;
    char *name = NULL, *where = NULL;
    *out = NULL;
    sow_i_h5_quiet(&silence);
    const int is_x = !layer || strcmp(layer, "X") == 0, is_raw = layer && strcmp(layer, "raw") == 0;
    name = is_x ? sow_strdup("X/data") : is_raw ? sow_strdup("raw/X/data") : sow_format("layers/%s/data", layer);
    where = name ? sow_format("%s: /%s", path, name) : NULL;
    if (!where) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_i_h5_open(&file, path, err));
    SOW_TRY(sow_i_h5_dataset_open(&data, file, name, where, err));
    *n = data.count < most ? data.count : most;
    SOW_NEW(x, *n);
    if (*n > 0) SOW_TRY(read_values(x, data.id, *n, where, err));
    *out = x;
    x = NULL;
done:
    sow_i_h5_dataset_close(&data);
    if (file >= 0) H5Fclose(file);
    sow_i_h5_loud(&silence);
    free(x);
    free(name);
    free(where);
    return st;
}
