#include "io/hdf5_internal.h"

#include "core/memory.h"
#include "io/h5ad.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char in_work[1024]; /* the file opened last, while `depth` says that somebody reads */
static volatile sig_atomic_t depth;

const char *sow_h5ad_in_work(void)
{
    return depth > 0 && *in_work ? in_work : NULL;
}

void sow_i_h5_quiet(sow_i_h5_silence *saved)
{
    depth++;
    H5open();
    H5Eget_auto2(H5E_DEFAULT, &saved->handler, &saved->data);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

void sow_i_h5_loud(const sow_i_h5_silence *saved)
{
    H5Eset_auto2(H5E_DEFAULT, saved->handler, saved->data);
    depth--;
}

sow_status sow_i_h5_open(hid_t *file, const char *path, sow_error *err)
{
    *file = -1;
    FILE *f = fopen(path, "rb");
    if (!f) return SOW_ERROR(err, SOW_E_IO, "%s: cannot open: %s", path, strerror(errno));
    int empty = fgetc(f) == EOF;
    fclose(f);
    if (empty) return SOW_ERROR(err, SOW_E_DATA, "%s: the file is empty", path);
    snprintf(in_work, sizeof in_work, "%s", path);
    if (H5Fis_hdf5(path) <= 0) return SOW_ERROR(err, SOW_E_DATA, "%s: not an HDF5 file (.h5ad is HDF5)", path);
    *file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (*file < 0) return SOW_ERROR(err, SOW_E_DATA, "%s: a damaged or truncated HDF5 file; copy it again", path);
    return SOW_OK;
}

int sow_i_h5_has(hid_t parent, const char *name)
{
    return H5Lexists(parent, name, H5P_DEFAULT) > 0 && H5Oexists_by_name(parent, name, H5P_DEFAULT) > 0;
}

H5I_type_t sow_i_h5_kind(hid_t parent, const char *name)
{
    if (!sow_i_h5_has(parent, name)) return H5I_BADID;
    hid_t object = H5Oopen(parent, name, H5P_DEFAULT);
    if (object < 0) return H5I_BADID;
    H5I_type_t kind = H5Iget_type(object);
    H5Oclose(object);
    return kind;
}

/* ---- datasets ---- */

/* How many bytes a dataset has is what the file says; one that was altered may say anything. */
static int lies_in_file(hid_t dataset)
{
    void *descriptor = NULL;
    struct stat info;
    uint64_t stored = (uint64_t)H5Dget_storage_size(dataset);
    haddr_t address = H5Dget_offset(dataset); /* of contiguous ones */
    hid_t file = H5Iget_file_id(dataset);
    int known = file >= 0 && H5Fget_vfd_handle(file, H5P_DEFAULT, &descriptor) >= 0 && descriptor && fstat(*(const int *)descriptor, &info) == 0;
    if (file >= 0) H5Fclose(file);
    if (!known) return 1;
    uint64_t size = (uint64_t)info.st_size;
    return stored <= size && (address == HADDR_UNDEF || address <= size - stored);
}

/* deflate shrinks by at most 1032 : 1; a file that promises far more than its bytes can hold is damaged or made up, and is not given memory. */
static int claim_is_honest(const sow_i_h5_dataset *d)
{
    uint64_t stored = (uint64_t)H5Dget_storage_size(d->id), size = (uint64_t)H5Tget_size(d->type);
    if (size == 0) return 0;
    uint64_t limit = stored > UINT64_MAX / 2048 ? UINT64_MAX : stored * 1100 + ((uint64_t)1 << 20);
    return (uint64_t)d->count <= limit / size;
}

static const char *filter_name(H5Z_filter_t id, const char *stored)
{
    static const struct {
        H5Z_filter_t id;
        const char *name;
    } known[] = {{H5Z_FILTER_DEFLATE, "gzip"}, {H5Z_FILTER_SZIP, "szip"}, {307, "bzip2"},   {32000, "lzf"},  {32001, "blosc"},
                 {32004, "lz4"},               {32008, "bitshuffle"},     {32013, "zfp"},   {32015, "zstd"}, {32026, "blosc2"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].id == id) return known[i].name;
    return *stored ? stored : "unknown";
}

/* HDF5 itself would only say that it cannot read. */
static sow_status check_filters(hid_t dataset, const char *where, sow_error *err)
{
    sow_status st = SOW_OK;
    hid_t create = H5Dget_create_plist(dataset);
    int n = create >= 0 ? H5Pget_nfilters(create) : -1;
    if (n < 0) SOW_FAIL(err, SOW_E_DATA, "%s: damaged, cannot be opened", where);
    for (int i = 0; i < n; i++) {
        unsigned flags = 0, value[16], config = 0;
        size_t n_values = sizeof value / sizeof *value;
        char stored[64] = "";
        H5Z_filter_t id = H5Pget_filter2(create, (unsigned)i, &flags, &n_values, value, sizeof stored, stored, &config);
        stored[sizeof stored - 1] = '\0';
        if (id < 0) SOW_FAIL(err, SOW_E_DATA, "%s: damaged, its compression cannot be read", where);
        if (H5Zfilter_avail(id) <= 0)
            SOW_FAIL(err, SOW_E_DATA,
                     "%s: compressed with the HDF5 filter '%s' (%d), which this HDF5 does not have; write the file again with "
                     "adata.write_h5ad(path, compression='gzip')",
                     where, filter_name(id, stored), (int)id);
    }
done:
    if (create >= 0) H5Pclose(create);
    return st;
}

sow_status sow_i_h5_dataset_open(sow_i_h5_dataset *out, hid_t parent, const char *name, const char *where, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_h5_dataset d = {.id = -1, .type = -1, .space = -1, .count = 1};
    hsize_t dims[H5S_MAX_RANK];
    H5I_type_t kind = sow_i_h5_kind(parent, name);
    if (kind == H5I_BADID && H5Lexists(parent, name, H5P_DEFAULT) > 0)
        SOW_FAIL(err, SOW_E_DATA, "%s: cannot be opened; it is damaged, or written for a newer HDF5 (then write it again without libver='latest')", where);
    if (kind != H5I_DATASET) SOW_FAIL(err, SOW_E_DATA, "%s: no such dataset", where);
    d.id = H5Dopen2(parent, name, H5P_DEFAULT);
    if (d.id >= 0) d.type = H5Dget_type(d.id);
    if (d.id >= 0) d.space = H5Dget_space(d.id);
    if (d.type < 0 || d.space < 0) SOW_FAIL(err, SOW_E_DATA, "%s: damaged, cannot be opened", where);
    SOW_TRY(check_filters(d.id, where, err));
    d.type_class = H5Tget_class(d.type);
    d.n_dims = H5Sget_simple_extent_dims(d.space, dims, NULL);
    if (d.n_dims < 0 || d.n_dims > 2) SOW_FAIL(err, SOW_E_DATA, "%s: %d dimensions where 1 or 2 are expected", where, d.n_dims);
    for (int i = 0; i < d.n_dims; i++) {
        if (dims[i] > 0 && (hsize_t)d.count > (hsize_t)INT64_MAX / 64 / dims[i])
            SOW_FAIL(err, SOW_E_DATA, "%s: claims an impossible size; the file is damaged", where);
        d.dim[i] = (sow_index)dims[i];
        d.count *= d.dim[i];
    }
    if (!lies_in_file(d.id))
        SOW_FAIL(err, SOW_E_DATA, "%s: claims %lld values, more than the file can hold; the file is damaged", where, (long long)d.count);
    if (!claim_is_honest(&d))
        SOW_FAIL(err, SOW_E_DATA, "%s: claims %lld values but stores only %lld bytes; the file is damaged", where, (long long)d.count,
                 (long long)H5Dget_storage_size(d.id));
    *out = d;
    d.id = d.type = d.space = -1;
done:
    sow_i_h5_dataset_close(&d);
    return st;
}

void sow_i_h5_dataset_close(sow_i_h5_dataset *d)
{
    if (d->space >= 0) H5Sclose(d->space);
    if (d->type >= 0) H5Tclose(d->type);
    if (d->id >= 0) H5Dclose(d->id);
    d->id = d->type = d->space = -1;
}

/* h5py's booleans: an enum over one byte, FALSE = 0. */
static sow_status read_booleans(double *x, const sow_i_h5_dataset *d, const char *where, sow_error *err)
{
    sow_status st = SOW_OK;
    signed char *byte = NULL;
    if (H5Tget_size(d->type) != 1) SOW_FAIL(err, SOW_E_DATA, "%s: an enumeration that is no boolean", where);
    SOW_NEW(byte, d->count);
    if (H5Dread(d->id, d->type, H5S_ALL, H5S_ALL, H5P_DEFAULT, byte) < 0)
        SOW_FAIL(err, SOW_E_DATA, "%s: damaged, its values cannot be read", where);
    for (sow_index i = 0; i < d->count; i++) x[i] = byte[i] != 0;
done:
    free(byte);
    return st;
}

sow_status sow_i_h5_numbers(double **out, const sow_i_h5_dataset *d, const char *where, sow_error *err)
{
    sow_status st = SOW_OK;
    double *x = NULL;
    *out = NULL;
    SOW_NEW(x, d->count);
    if (d->type_class == H5T_ENUM) {
        SOW_TRY(read_booleans(x, d, where, err));
    } else if (d->type_class == H5T_INTEGER || d->type_class == H5T_FLOAT) {
        if (d->count > 0 && H5Dread(d->id, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, x) < 0)
            SOW_FAIL(err, SOW_E_DATA, "%s: damaged, its values cannot be read", where);
    } else {
        SOW_FAIL(err, SOW_E_DATA, "%s: numbers are expected", where);
    }
    *out = x;
    x = NULL;
done:
    free(x);
    return st;
}

void sow_i_free_strings(char **strings, sow_index n)
{
    for (sow_index i = 0; strings && i < n; i++) free(strings[i]);
    free(strings);
}

static void unpad(char *s, size_t n, H5T_str_t padding)
{
    if (padding != H5T_STR_SPACEPAD) return;
    n = strlen(s);
    while (n > 0 && s[n - 1] == ' ') s[--n] = 0;
}

/* `read` fetches the raw values of `type` into a buffer: from a dataset or an attribute. */
typedef struct {
    hid_t dataset, attribute, type, space;
} string_source;

static int fetch(const string_source *s, hid_t type, void *buffer)
{
    return (s->dataset >= 0 ? H5Dread(s->dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, buffer) : H5Aread(s->attribute, type, buffer)) >= 0;
}

static sow_status variable_strings(char **strings, const string_source *s, sow_index n, const char *where, sow_error *err)
{
    sow_status st = SOW_OK;
    char **raw = NULL;
    int fetched = 0;
    SOW_NEW(raw, n);
    if (n > 0 && !fetch(s, s->type, raw)) SOW_FAIL(err, SOW_E_DATA, "%s: damaged, its text cannot be read", where);
    fetched = n > 0;
    for (sow_index i = 0; i < n; i++) {
        strings[i] = sow_strdup(raw[i] ? raw[i] : "");
        if (!strings[i]) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    }
done:
    if (fetched) H5Dvlen_reclaim(s->type, s->space, H5P_DEFAULT, raw);
    free(raw);
    return st;
}

static sow_status fixed_strings(char **strings, const string_source *s, sow_index n, const char *where, sow_error *err)
{
    sow_status st = SOW_OK;
    char *raw = NULL;
    size_t size = H5Tget_size(s->type);
    H5T_str_t padding = H5Tget_strpad(s->type);
    raw = sow_calloc(n, size);
    if (!raw) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    if (n > 0 && !fetch(s, s->type, raw)) SOW_FAIL(err, SOW_E_DATA, "%s: damaged, its text cannot be read", where);
    for (sow_index i = 0; i < n; i++) {
        strings[i] = sow_strndup(raw + (size_t)i * size, size);
        if (!strings[i]) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
        unpad(strings[i], size, padding);
    }
done:
    free(raw);
    return st;
}

static sow_status integer_strings(char **strings, const sow_i_h5_dataset *d, const char *where, sow_error *err)
{
    sow_status st = SOW_OK;
    double *x = NULL;
    SOW_TRY(sow_i_h5_numbers(&x, d, where, err));
    for (sow_index i = 0; i < d->count; i++) {
        strings[i] = sow_format("%.15g", x[i]);
        if (!strings[i]) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    }
done:
    free(x);
    return st;
}

sow_status sow_i_h5_strings(char ***out, const sow_i_h5_dataset *d, const char *where, sow_error *err)
{
    sow_status st = SOW_OK;
    char **strings = NULL;
    string_source s = {d->id, -1, d->type, d->space};
    *out = NULL;
    SOW_NEW(strings, d->count);
    if (d->type_class == H5T_STRING && H5Tis_variable_str(d->type) > 0)
        SOW_TRY(variable_strings(strings, &s, d->count, where, err));
    else if (d->type_class == H5T_STRING)
        SOW_TRY(fixed_strings(strings, &s, d->count, where, err));
    else
        SOW_TRY(integer_strings(strings, d, where, err));
    *out = strings;
    strings = NULL;
done:
    sow_i_free_strings(strings, d->count);
    return st;
}

/* ---- attributes ---- */

sow_status sow_i_h5_attribute_list(char ***out, sow_index *n, hid_t object, const char *name, sow_error *err)
{
    sow_status st = SOW_OK;
    char **strings = NULL;
    string_source s = {-1, -1, -1, -1};
    *out = NULL;
    *n = 0;
    if (H5Aexists(object, name) <= 0) return SOW_OK;
    s.attribute = H5Aopen(object, name, H5P_DEFAULT);
    if (s.attribute >= 0) s.type = H5Aget_type(s.attribute);
    if (s.attribute >= 0) s.space = H5Aget_space(s.attribute);
    hssize_t count = s.space >= 0 ? H5Sget_simple_extent_npoints(s.space) : -1;
    if (s.type < 0 || count < 0 || H5Tget_class(s.type) != H5T_STRING) goto done;
    if (count > 1000000 || H5Tget_size(s.type) > 65536) SOW_FAIL(err, SOW_E_DATA, "attribute '%s' claims an impossible size", name);
    SOW_NEW(strings, count);
    if (H5Tis_variable_str(s.type) > 0)
        SOW_TRY(variable_strings(strings, &s, count, name, err));
    else
        SOW_TRY(fixed_strings(strings, &s, count, name, err));
    *n = count;
    *out = strings;
    strings = NULL;
done:
    sow_i_free_strings(strings, s.space >= 0 && strings ? (sow_index)H5Sget_simple_extent_npoints(s.space) : 0);
    if (s.space >= 0) H5Sclose(s.space);
    if (s.type >= 0) H5Tclose(s.type);
    if (s.attribute >= 0) H5Aclose(s.attribute);
    return st;
}

sow_status sow_i_h5_attribute(char **out, hid_t object, const char *name, sow_error *err)
{
    char **list = NULL;
    sow_index n = 0;
    *out = NULL;
    sow_status st = sow_i_h5_attribute_list(&list, &n, object, name, err);
    if (st == SOW_OK && n == 1) {
        *out = list[0];
        list[0] = NULL;
    }
    sow_i_free_strings(list, n);
    return st;
}

int sow_i_h5_integers(int64_t *out, sow_index n, hid_t object, const char *name)
{
    if (H5Aexists(object, name) <= 0) return 0;
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT), type = attribute >= 0 ? H5Aget_type(attribute) : -1;
    hid_t space = attribute >= 0 ? H5Aget_space(attribute) : -1;
    int good = type >= 0 && space >= 0 && H5Tget_class(type) == H5T_INTEGER && H5Sget_simple_extent_npoints(space) == n &&
               H5Aread(attribute, H5T_NATIVE_INT64, out) >= 0;
    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    if (attribute >= 0) H5Aclose(attribute);
    return good;
}
