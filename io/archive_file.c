/* Archives as HDF5. Arrays are contiguous, text is of fixed length, nothing has a time: equal archives are equal files. */
#include "io/archive_file.h"

#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "io/file.h"
#include "io/hdf5_internal.h"

enum { HEX = 64, MOST_DEPTH = 16, MOST_OBJECTS = 100000, MOST_TEXT = 65535 };

/* ---- what is summed: name, kind, sizes and content of every array, in the order of their names ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const sow_archive_item *const *)a)->name, (*(const sow_archive_item *const *)b)->name);
}

static sow_status in_order(const sow_archive_item ***out, const sow_archive *a, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(*out, a->n);
    for (sow_index i = 0; i < a->n; i++) (*out)[i] = &a->item[i];
    qsort(*out, (size_t)a->n, sizeof **out, by_name);
done:
    return st;
}

static size_t bytes_of(const sow_archive_item *item)
{
    return (size_t)(item->rows * item->cols) * (item->kind == SOW_ARCHIVE_F32 ? sizeof(float) : sizeof(double));
}

static void sum_item(struct sha256_ctx *ctx, const sow_archive_item *item)
{
    char head[64];
    const int n = snprintf(head, sizeof head, "|%d|%lld|%lld|", (int)item->kind, (long long)item->rows, (long long)item->cols);
    sha256_update(ctx, strlen(item->name), (const uint8_t *)item->name);
    sha256_update(ctx, (size_t)n, (const uint8_t *)head);
    if (item->kind != SOW_ARCHIVE_TEXT) {
        sha256_update(ctx, bytes_of(item), item->data);
        return;
    }
    char *const *text = item->data;
    for (sow_index i = 0; i < item->rows; i++) sha256_update(ctx, strlen(text[i]) + 1, (const uint8_t *)text[i]);
}

static void sum_up(char hex[HEX + 1], const sow_archive_item *const *item, sow_index n)
{
    struct sha256_ctx ctx;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&ctx);
    for (sow_index i = 0; i < n; i++) sum_item(&ctx, item[i]);
    sha256_digest(&ctx, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++) snprintf(hex + 2 * i, 3, "%02x", digest[i]);
}

/* ---- writing; the first failure is kept and the rest skipped ---- */

typedef struct {
    hid_t file, plain, groups; /* groups: made on the way to a name, without times */
    int failed;
} writer;

static void note(writer *w, herr_t result)
{
    if (result < 0) w->failed = 1;
}

static hid_t text_type(size_t longest)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    if (type >= 0) H5Tset_size(type, longest + 1);
    return type;
}

static void write_attribute(writer *w, const char *name, hid_t type, const void *value)
{
    const hid_t scalar = H5Screate(H5S_SCALAR), a = H5Acreate2(w->file, name, type, scalar, H5P_DEFAULT, H5P_DEFAULT);
    note(w, a < 0 ? -1 : H5Awrite(a, type, value));
    if (a >= 0) note(w, H5Aclose(a));
    H5Sclose(scalar);
}

static void write_text_attribute(writer *w, const char *name, const char *value)
{
    const hid_t type = text_type(strlen(value));
    write_attribute(w, name, type, value);
    H5Tclose(type);
}

static void write_data(writer *w, const sow_archive_item *item, hid_t type, int n_dims, const void *data)
{
    const hsize_t dims[2] = {(hsize_t)item->rows, (hsize_t)item->cols};
    const hid_t space = H5Screate_simple(n_dims, dims, NULL);
    const hid_t d = H5Dcreate2(w->file, item->name, type, space, w->groups, w->plain, H5P_DEFAULT);
    note(w, d < 0 ? -1 : 0);
    if (d >= 0 && item->rows * item->cols > 0) note(w, H5Dwrite(d, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data));
    if (d >= 0) note(w, H5Dclose(d));
    H5Sclose(space);
}

static sow_status write_text(writer *w, const sow_archive_item *item, sow_error *err)
{
    sow_status st = SOW_OK;
    char *const *text = item->data;
    char *flat = NULL;
    hid_t type = -1;
    size_t longest = 0;
    for (sow_index i = 0; i < item->rows; i++) longest = strlen(text[i]) > longest ? strlen(text[i]) : longest;
    if (longest > MOST_TEXT) SOW_FAIL(err, SOW_E_ARG, "'%s': a text of %zu bytes; at most %d can be kept", item->name, longest, (int)MOST_TEXT);
    flat = sow_calloc(item->rows, longest + 1);
    if (!flat) SOW_FAIL(err, SOW_E_NOMEM, "out of memory writing '%s'", item->name);
    for (sow_index i = 0; i < item->rows; i++) memcpy(flat + (size_t)i * (longest + 1), text[i], strlen(text[i]));
    type = text_type(longest);
    write_data(w, item, type, 1, flat);
done:
    if (type >= 0) H5Tclose(type);
    free(flat);
    return st;
}

static sow_status write_item(writer *w, const sow_archive_item *item, sow_error *err)
{
    if (item->kind == SOW_ARCHIVE_TEXT) return write_text(w, item, err);
    const hid_t type = item->kind == SOW_ARCHIVE_F32 ? H5T_IEEE_F32LE : item->kind == SOW_ARCHIVE_F64 ? H5T_IEEE_F64LE : H5T_STD_I64LE;
    write_data(w, item, type, 2, item->data);
    return SOW_OK;
}

static sow_status write_all(writer *w, const char *kind, int version, const sow_archive *a, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_archive_item **item = NULL;
    char hex[HEX + 1];
    SOW_TRY(in_order(&item, a, err));
    sum_up(hex, item, a->n);
    write_text_attribute(w, "sower", kind);
    write_attribute(w, "version", H5T_NATIVE_INT, &version);
    write_text_attribute(w, "sha256", hex);
    for (sow_index i = 0; i < a->n; i++) SOW_TRY(write_item(w, item[i], err));
done:
    free(item);
    return st;
}

/* The file is made in memory and written as bytes: where HDF5 itself meets a full disk it keeps the file open, and crashes when the program ends. */
static int open_writer(writer *w, const char *name)
{
    const size_t grows_by = (size_t)1 << 20;
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    *w = (writer){.plain = H5Pcreate(H5P_DATASET_CREATE), .groups = H5Pcreate(H5P_LINK_CREATE)};
    note(w, H5Pset_obj_track_times(w->plain, 0));
    note(w, H5Pset_create_intermediate_group(w->groups, 1));
    note(w, H5Pset_fapl_core(access, grows_by, 0));
    w->file = w->failed ? -1 : H5Fcreate(name, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    if (access >= 0) H5Pclose(access);
    return w->file >= 0;
}

static sow_status take_image(void **bytes, size_t *n, writer *w, const char *path, sow_error *err)
{
    sow_status st = SOW_OK;
    note(w, H5Fflush(w->file, H5F_SCOPE_GLOBAL));
    const ssize_t size = w->failed ? -1 : H5Fget_file_image(w->file, NULL, 0);
    if (size <= 0) SOW_FAIL(err, SOW_E_IO, "cannot write '%s': HDF5 could not make the file", path);
    *bytes = sow_calloc((sow_index)size, 1);
    if (!*bytes) SOW_FAIL(err, SOW_E_NOMEM, "out of memory writing '%s'", path);
    if (H5Fget_file_image(w->file, *bytes, (size_t)size) != size) SOW_FAIL(err, SOW_E_IO, "cannot write '%s': HDF5 could not make the file", path);
    *n = (size_t)size;
done:
    return st;
}

static void let_go(writer *w)
{
    if (w->file >= 0) H5Fclose(w->file);
    if (w->groups >= 0) H5Pclose(w->groups);
    if (w->plain >= 0) H5Pclose(w->plain);
    *w = (writer){-1, -1, -1, 0};
}

sow_status sow_archive_write(const char *path, const char *kind, int version, const sow_archive *a, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_h5_silence silence;
    writer w = {-1, -1, -1, 0};
    void *bytes = NULL;
    size_t n = 0;
    sow_i_h5_quiet(&silence);
    if (!open_writer(&w, path)) SOW_FAIL(err, SOW_E_NOMEM, "out of memory writing '%s'", path);
    SOW_TRY(write_all(&w, kind, version, a, err));
    SOW_TRY(take_image(&bytes, &n, &w, path, err));
    let_go(&w);
    SOW_TRY(sow_file_write_atomic(path, bytes, n, err));
done:
    let_go(&w);
    free(bytes);
    sow_i_h5_loud(&silence);
    return st;
}

/* ---- reading ---- */

typedef struct {
    sow_archive *a;
    const char *path;
    sow_index objects; /* seen so far: a made-up file may link a group to itself */
} reader;

static sow_status take_text(reader *r, const sow_i_h5_dataset *d, const char *name, const char *where, sow_error *err)
{
    sow_status st = SOW_OK;
    char **text = NULL;
    SOW_TRY(sow_i_h5_strings(&text, d, where, err));
    SOW_TRY(sow_archive_put(r->a, name, SOW_ARCHIVE_TEXT, text, d->count, 1, err));
done:
    sow_i_free_strings(text, d->count);
    return st;
}

static sow_status take_numbers(reader *r, const sow_i_h5_dataset *d, const char *name, const char *where, sow_error *err)
{
    sow_status st = SOW_OK;
    void *data = NULL;
    const size_t size = H5Tget_size(d->type);
    const int whole = d->type_class == H5T_INTEGER;
    const sow_archive_kind kind = whole ? SOW_ARCHIVE_I64 : size == sizeof(float) ? SOW_ARCHIVE_F32 : SOW_ARCHIVE_F64;
    if ((!whole && d->type_class != H5T_FLOAT) || (size != 8 && (whole || size != 4)) || d->n_dims != 2)
        SOW_FAIL(err, SOW_E_DATA, "%s: not an array that this program writes", where);
    data = sow_calloc(d->count, size);
    if (!data) SOW_FAIL(err, SOW_E_NOMEM, "out of memory reading %s", where);
    const hid_t type = whole ? H5T_NATIVE_INT64 : size == sizeof(float) ? H5T_NATIVE_FLOAT : H5T_NATIVE_DOUBLE;
    if (d->count > 0 && H5Dread(d->id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
        SOW_FAIL(err, SOW_E_DATA, "%s: damaged, its values cannot be read", where);
    SOW_TRY(sow_archive_put(r->a, name, kind, data, d->dim[0], d->dim[1], err));
done:
    free(data);
    return st;
}

static sow_status take_dataset(reader *r, hid_t group, const char *link, const char *name, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_h5_dataset d = {.id = -1, .type = -1, .space = -1};
    char *where = sow_format("%s: /%s", r->path, name);
    if (!where) SOW_FAIL(err, SOW_E_NOMEM, "out of memory reading '%s'", r->path);
    SOW_TRY(sow_i_h5_dataset_open(&d, group, link, where, err));
    if (d.type_class == H5T_STRING && d.n_dims == 1)
        SOW_TRY(take_text(r, &d, name, where, err));
    else
        SOW_TRY(take_numbers(r, &d, name, where, err));
done:
    sow_i_h5_dataset_close(&d);
    free(where);
    return st;
}

static sow_status take_group(reader *r, hid_t group, const char *prefix, int depth, sow_error *err);

static sow_status take_link(reader *r, hid_t group, hsize_t i, const char *prefix, int depth, sow_error *err)
{
    sow_status st = SOW_OK;
    char link[1024], *name = NULL;
    hid_t inner = -1;
    const ssize_t n = H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, link, sizeof link, H5P_DEFAULT);
    if (n < 1 || (size_t)n >= sizeof link || ++r->objects > MOST_OBJECTS || depth > MOST_DEPTH)
        SOW_FAIL(err, SOW_E_DATA, "%s: a damaged file: names or groups that this program does not write", r->path);
    name = sow_format("%s%s%s", prefix, *prefix ? "/" : "", link);
    if (!name) SOW_FAIL(err, SOW_E_NOMEM, "out of memory reading '%s'", r->path);
    if (sow_i_h5_kind(group, link) != H5I_GROUP) {
        SOW_TRY(take_dataset(r, group, link, name, err));
        goto done;
    }
    inner = H5Gopen2(group, link, H5P_DEFAULT);
    if (inner < 0) SOW_FAIL(err, SOW_E_DATA, "%s: /%s: damaged, cannot be opened", r->path, name);
    SOW_TRY(take_group(r, inner, name, depth + 1, err));
done:
    if (inner >= 0) H5Gclose(inner);
    free(name);
    return st;
}

static sow_status take_group(reader *r, hid_t group, const char *prefix, int depth, sow_error *err)
{
    H5G_info_t info;
    if (H5Gget_info(group, &info) < 0) return SOW_ERROR(err, SOW_E_DATA, "%s: a damaged file: its groups cannot be read", r->path);
    for (hsize_t i = 0; i < info.nlinks; i++) {
        const sow_status st = take_link(r, group, i, prefix, depth, err);
        if (st != SOW_OK) return st;
    }
    return SOW_OK;
}

static sow_status check_head(hid_t file, const char *path, const char *kind, int version, sow_error *err)
{
    sow_status st = SOW_OK;
    char *found = NULL;
    int64_t number = 0;
    SOW_TRY(sow_i_h5_attribute(&found, file, "sower", err));
    if (!found || !sow_i_h5_integers(&number, 1, file, "version")) SOW_FAIL(err, SOW_E_DATA, "%s: not a file that sower writes; a saved %s model is expected", path, kind);
    if (strcmp(found, kind) != 0) SOW_FAIL(err, SOW_E_DATA, "%s: a saved '%s', where a '%s' model is expected", path, found, kind);
    if (number != version)
        SOW_FAIL(err, SOW_E_DATA, "%s: a %s model of version %lld; this program reads %d: delete it, and it is made again", path, kind, (long long)number, version);
done:
    free(found);
    return st;
}

static sow_status check_sum(hid_t file, const char *path, const sow_archive *a, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_archive_item **item = NULL;
    char *kept = NULL, hex[HEX + 1];
    SOW_TRY(sow_i_h5_attribute(&kept, file, "sha256", err));
    SOW_TRY(in_order(&item, a, err));
    sum_up(hex, item, a->n);
    if (!kept || strcmp(kept, hex) != 0) SOW_FAIL(err, SOW_E_DATA, "%s: damaged: its contents are not those that were written; delete it, and it is made again", path);
done:
    free(kept);
    free(item);
    return st;
}

sow_status sow_archive_read(sow_archive *a, const char *path, const char *kind, int version, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_h5_silence silence;
    hid_t file = -1;
    *a = (sow_archive){0};
    sow_i_h5_quiet(&silence);
    SOW_TRY(sow_i_h5_open(&file, path, err));
    SOW_TRY(check_head(file, path, kind, version, err));
    SOW_TRY(take_group(&(reader){a, path, 0}, file, "", 0, err));
    SOW_TRY(check_sum(file, path, a, err));
done:
    if (file >= 0) H5Fclose(file);
    if (st != SOW_OK) sow_archive_clear(a);
    sow_i_h5_loud(&silence);
    return st;
}
