#include "h5_program.h"

#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 256, LZF = 32000 };

typedef struct {
    const uint8_t *at, *end;
    hid_t file;
    int old_layout, fixed_text, chunked; /* chunked: 1 plain, 2 gzip, 3 shuffled gzip */
    int n_obs, n_vars;
} program;

static unsigned take(program *p)
{
    return p->at < p->end ? *p->at++ : 0;
}

/* Small numbers mostly, and the ones at the edges of types. */
static double take_number(program *p)
{
    static const double odd[] = {NAN,        INFINITY,   -INFINITY,           0.5,  -0.5, 1e300, -1e300, 2147483647.0, 2147483648.0, -2147483648.0, 4294967296.0,
                                 9007199254740992.0, 9223372036854775807.0, 1e10, 1e-320, -0.0};
    unsigned b = take(p);
    return b >= 0xF0 ? odd[b - 0xF0] : (double)b - 32;
}

static const char *take_text(program *p)
{
    static const char *const odd[] = {"", "ctrl", "A", "B", "A+B", "nan", "\xff\xfe", "a\nb", "../x", "X", "1", "0.5", "context", "\xce\xb1", " ", "NA"};
    return odd[take(p) % 16];
}

/* ---- filters that this machine lacks: known while the file is written, unknown when it is read */

static size_t pass(unsigned flags, size_t n_values, const unsigned values[], size_t n, size_t *size, void **buffer)
{
    (void)flags, (void)n_values, (void)values, (void)size, (void)buffer;
    return n;
}

static const H5Z_class2_t lzf = {H5Z_CLASS_T_VERS, LZF, 1, 1, "lzf", NULL, NULL, pass};

/* ---- one dataset */

typedef struct {
    const double *number; /* or text */
    const char *const *text;
    hid_t type; /* of the file, for numbers */
    int rank;
    hsize_t dim[3];
} content;

static hsize_t count(const content *c)
{
    hsize_t n = 1;
    for (int i = 0; i < c->rank; i++) n *= c->dim[i];
    return n;
}

static hid_t text_type(size_t size) /* 0 = of variable length */
{
    hid_t t = H5Tcopy(H5T_C_S1);
    H5Tset_size(t, size ? size : H5T_VARIABLE);
    if (!size) H5Tset_cset(t, H5T_CSET_UTF8);
    return t;
}

static hid_t boolean_type(void)
{
    hid_t t = H5Tenum_create(H5T_NATIVE_INT8);
    signed char no = 0, yes = 1;
    H5Tenum_insert(t, "FALSE", &no);
    H5Tenum_insert(t, "TRUE", &yes);
    return t;
}

/* A type that nobody expects there. */
static hid_t odd_type(program *p)
{
    hid_t t = -1;
    switch (take(p) % 20) {
    case 0: return H5Tcopy(H5T_STD_I8LE);
    case 1: return H5Tcopy(H5T_STD_U8BE);
    case 2: return H5Tcopy(H5T_STD_I16BE);
    case 3: return H5Tcopy(H5T_STD_U16LE);
    case 4: return H5Tcopy(H5T_STD_I32BE);
    case 5: return H5Tcopy(H5T_STD_U32LE);
    case 6: return H5Tcopy(H5T_STD_I64LE);
    case 7: return H5Tcopy(H5T_STD_U64BE);
    case 8: return H5Tcopy(H5T_IEEE_F32BE);
    case 9: return H5Tcopy(H5T_IEEE_F64BE);
    case 10: return text_type(0);
    case 11: return text_type(1 + take(p) % 9);
    case 12: return text_type((size_t)1 << (take(p) % 31));
    case 13: return boolean_type();
    case 14: return H5Tcreate(H5T_OPAQUE, 1 + take(p) % 40);
    case 15: return H5Tcopy(H5T_STD_REF_OBJ);
    case 16:
        t = H5Tcreate(H5T_COMPOUND, 12);
        H5Tinsert(t, "index", 0, H5T_NATIVE_INT32);
        H5Tinsert(t, "value", 4, H5T_NATIVE_DOUBLE);
        return t;
    case 17: return H5Tvlen_create(H5T_NATIVE_INT32);
    case 18: return H5Tarray_create2(H5T_NATIVE_FLOAT, 1, (hsize_t[]){1 + take(p) % 5});
    default:
        t = H5Tcopy(H5T_IEEE_F32LE); /* half precision */
        H5Tset_fields(t, 15, 10, 5, 0, 10);
        H5Tset_size(t, 2);
        H5Tset_ebias(t, 15);
        return t;
    }
}

static void odd_shape(program *p, content *c, int huge)
{
    c->rank = (int)(take(p) % 4);
    for (int i = 0; i < c->rank; i++) c->dim[i] = huge ? (hsize_t)1 << (take(p) % 62) : take(p) % 12;
}

/* Scale-offset and n-bit only on integers: libhdf5 1.10.8 crashes while it writes them on text. */
static void add_filter(program *p, hid_t create, const content *c, hid_t type)
{
    int whole = H5Tget_class(type) == H5T_INTEGER;
    hsize_t chunk[3];
    for (int i = 0; i < c->rank; i++) {
        chunk[i] = 1 + take(p) % 5;
        if (c->dim[i] && chunk[i] > c->dim[i]) chunk[i] = c->dim[i];
    }
    if (c->rank == 0) return;
    H5Pset_chunk(create, c->rank, chunk);
    switch (take(p) % 8) {
    case 1: H5Pset_deflate(create, 4); break;
    case 2: H5Pset_shuffle(create), H5Pset_deflate(create, 1); break;
    case 3: H5Pset_fletcher32(create); break;
    case 4:
        if (whole) H5Pset_scaleoffset(create, H5Z_SO_INT, 0);
        break;
    case 5:
        if (whole) H5Pset_nbit(create);
        break;
    case 6: H5Pset_filter(create, LZF, H5Z_FLAG_MANDATORY, 0, NULL); break;
    default: break;
    }
}

static void write_values(hid_t dataset, hid_t type, const content *c)
{
    hsize_t n = count(c), own = c->number || c->text ? n : 0;
    size_t size = H5Tget_size(type);
    if (n == 0 || n > MOST) return;
    if (H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) > 0) {
        const char *text[MOST] = {0};
        for (hsize_t i = 0; i < own && c->text; i++) text[i] = c->text[i];
        H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text);
    } else if (H5Tget_class(type) == H5T_STRING) {
        char *text = size * n < 100000 ? calloc(n, size) : NULL;
        for (hsize_t i = 0; text && i < own && c->text; i++)
            for (size_t k = 0; k < size && c->text[i] && c->text[i][k]; k++) text[i * size + k] = c->text[i][k];
        if (text) H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text);
        free(text);
    } else if (H5Tget_class(type) == H5T_ENUM && size == 1) {
        signed char truth[MOST] = {0};
        for (hsize_t i = 0; i < own && c->number; i++) truth[i] = c->number[i] > 0;
        H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, truth);
    } else if (c->number && (H5Tget_class(type) == H5T_INTEGER || H5Tget_class(type) == H5T_FLOAT)) {
        H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, c->number);
    }
}

static void write_dataset(hid_t parent, const char *name, hid_t type, const content *c, hid_t create)
{
    hid_t space = c->rank < 0 ? H5Screate(H5S_NULL) : c->rank == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(c->rank, c->dim, NULL);
    hid_t dataset = space < 0 ? -1 : H5Dcreate2(parent, name, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
    if (dataset >= 0 && c->rank >= 0) write_values(dataset, type, c);
    if (dataset >= 0) H5Dclose(dataset);
    if (space >= 0) H5Sclose(space);
}

/* Something of that name that is no dataset. */
static void write_other(program *p, hid_t parent, const char *name)
{
    switch (take(p) % 6) {
    case 0: {
        hid_t g = H5Gcreate2(parent, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        if (g >= 0) H5Gclose(g);
        break;
    }
    case 1: H5Lcreate_soft("/nowhere", parent, name, H5P_DEFAULT, H5P_DEFAULT); break;
    case 2: H5Lcreate_soft("/obs/_index", parent, name, H5P_DEFAULT, H5P_DEFAULT); break;
    case 3: H5Lcreate_hard(p->file, "/", parent, name, H5P_DEFAULT, H5P_DEFAULT); break;
    case 4: H5Lcreate_external("absent.h5", "/X", parent, name, H5P_DEFAULT, H5P_DEFAULT); break;
    default: {
        hid_t t = H5Tcopy(H5T_NATIVE_INT);
        H5Tcommit2(parent, name, t, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        H5Tclose(t);
    }
    }
}

/* Write, with the fault that the program asks for. */
static void put(program *p, hid_t parent, const char *name, const content *given)
{
    content c = *given;
    double number[MOST];
    const char *text[MOST];
    unsigned fault = take(p) % 12;
    hid_t create = H5Pcreate(H5P_DATASET_CREATE), type = c.text ? text_type(p->fixed_text ? 8 : 0) : H5Tcopy(c.type);
    if (p->chunked && c.number && c.rank > 0 && fault != 5 && fault != 6) {
        H5Pset_chunk(create, c.rank, (hsize_t[]){3, 2, 1});
        if (p->chunked > 2) H5Pset_shuffle(create);
        if (p->chunked > 1) H5Pset_deflate(create, 1);
    }
    switch (fault) {
    case 1: goto done; /* missing */
    case 2:            /* other values */
        for (hsize_t i = 0; i < count(&c) && i < MOST; i++)
            if (c.text)
                text[i] = take_text(p);
            else
                number[i] = take_number(p);
        if (c.text) c.text = text;
        if (c.number) c.number = number;
        break;
    case 3:
        H5Tclose(type);
        type = odd_type(p);
        break;
    case 4: /* more or fewer */
        odd_shape(p, &c, 0);
        for (hsize_t i = 0; i < MOST; i++) number[i] = i < count(given) && given->number ? given->number[i] : (double)(i % 3), text[i] = "A";
        for (hsize_t i = 0; given->text && i < count(given); i++) text[i] = given->text[i];
        if (c.text) c.text = text;
        if (c.number) c.number = number;
        break;
    case 5: /* a claim with nothing behind it */
        odd_shape(p, &c, 1);
        if (c.rank > 0) H5Pset_chunk(create, c.rank, (hsize_t[]){1, 1, 1});
        c.number = NULL, c.text = NULL;
        break;
    case 6: add_filter(p, create, &c, type); break;
    case 7:
        write_other(p, parent, name);
        goto done;
    case 8: c.rank = -1; break;
    case 9: c.number = NULL, c.text = NULL; break; /* never written */
    case 10:                                        /* text that is not there */
        if (c.text) memset(text, 0, sizeof text), c.text = text;
        break;
    case 11: /* one entry altered */
        if (count(&c) == 0 || count(&c) > MOST) break;
        memcpy(c.text ? (void *)text : (void *)number, c.text ? (const void *)c.text : (const void *)c.number,
               (size_t)count(&c) * (c.text ? sizeof *text : sizeof *number));
        hsize_t at = take(p) % count(&c);
        if (c.text)
            text[at] = take_text(p), c.text = text;
        else
            number[at] = take_number(p), c.number = number;
        break;
    default: break;
    }
    if (type >= 0) write_dataset(parent, name, type, &c, create);
done:
    if (type >= 0) H5Tclose(type);
    H5Pclose(create);
}

static void put_numbers(program *p, hid_t parent, const char *name, hid_t type, const double *x, int rank, int rows, int columns)
{
    put(p, parent, name, &(content){.number = x, .type = type, .rank = rank, .dim = {(hsize_t)rows, (hsize_t)columns}});
}

static void put_texts(program *p, hid_t parent, const char *name, const char *const *text, int n)
{
    put(p, parent, name, &(content){.text = text, .rank = 1, .dim = {(hsize_t)n}});
}

/* ---- attributes */

static void write_attribute(hid_t object, const char *name, hid_t type, hid_t space, const void *value)
{
    if (H5Aexists(object, name) > 0) H5Adelete(object, name);
    hid_t a = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (a >= 0 && value) H5Awrite(a, type, value);
    if (a >= 0) H5Aclose(a);
}

static void attribute_text(program *p, hid_t object, const char *name, const char *value)
{
    hid_t type = text_type(0), space = H5Screate(H5S_SCALAR);
    hsize_t n = 3;
    const char *three[3] = {value, "A", ""};
    const char *other;
    int number = 7;
    switch (take(p) % 8) {
    case 1: break;
    case 2:
        other = take_text(p);
        write_attribute(object, name, type, space, &other);
        break;
    case 3: write_attribute(object, name, H5T_NATIVE_INT, space, &number); break;
    case 4:
        H5Sclose(space);
        space = H5Screate_simple(1, &n, NULL);
        write_attribute(object, name, type, space, three);
        break;
    case 5:
        H5Sclose(space);
        space = H5Screate(H5S_NULL);
        write_attribute(object, name, type, space, NULL);
        break;
    case 6: write_attribute(object, name, type, space, NULL); break;
    case 7: {
        hid_t fixed = text_type(4);
        write_attribute(object, name, fixed, space, "csr_mat");
        H5Tclose(fixed);
        break;
    }
    default: write_attribute(object, name, type, space, &value);
    }
    H5Sclose(space);
    H5Tclose(type);
}

static void encode(program *p, hid_t object, const char *type, const char *version)
{
    attribute_text(p, object, "encoding-type", type);
    attribute_text(p, object, "encoding-version", version);
}

static void attribute_false(hid_t object, const char *name)
{
    hid_t type = boolean_type(), space = H5Screate(H5S_SCALAR);
    write_attribute(object, name, type, space, &(signed char){0});
    H5Sclose(space);
    H5Tclose(type);
}

static void attribute_numbers(program *p, hid_t object, const char *name, double a, double b)
{
    double x[4] = {a, b, 1, 1};
    unsigned fault = take(p) % 5;
    hsize_t n = fault == 1 ? take(p) % 5 : 2;
    if (fault == 2) return;
    if (fault == 3) x[0] = take_number(p), x[1] = take_number(p);
    hid_t type = fault == 4 ? odd_type(p) : H5Tcopy(H5T_STD_I64LE), space = H5Screate_simple(1, &n, NULL);
    hid_t made = type < 0 ? -1 : H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (made >= 0) {
        if (H5Tget_class(type) == H5T_INTEGER || H5Tget_class(type) == H5T_FLOAT) H5Awrite(made, H5T_NATIVE_DOUBLE, x);
        H5Aclose(made);
    }
    H5Sclose(space);
    if (type >= 0) H5Tclose(type);
}

static void attribute_names(program *p, hid_t object, const char *name, const char *const *text, int n)
{
    hid_t type = text_type(0);
    hsize_t size = (hsize_t)n, more = (hsize_t)1 << 12;
    unsigned fault = take(p) % 5;
    hid_t space = fault == 1 ? H5Screate_simple(1, &more, NULL) : fault == 2 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &size, NULL);
    if (fault != 3) write_attribute(object, name, type, space, fault == 1 || (fault == 2 && n == 0) ? NULL : (const void *)text);
    H5Sclose(space);
    H5Tclose(type);
}

/* ---- frames */

static hid_t group(program *p, hid_t parent, const char *name)
{
    hid_t g = -1;
    if (take(p) % 8 != 1) g = H5Gcreate2(parent, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    return g;
}

static const double ramp[MOST] = {0, 1, 2, 0, 1, 0, 2, 1, 3, 0, 0, 1, 5, 2, 0, 1, 0, 0, 4, 1, 0, 2, 0, 3, 1, 1, 0, 0, 2, 0, 1, 0};
static const char *const labels[] = {"ctrl", "A", "B", "A", "ctrl", "A+B", "B", "ctrl", "A", "ctrl", "B", "A", "ctrl", "ctrl", "A", "B", "A", "B", "ctrl", "A"};
static const char *const names[] = {"g0", "g1",  "g2",  "g3",  "g4",  "g5",  "g6",  "g7",  "g8",  "g9",
                                    "g10", "g11", "g12", "g13", "g14", "g15", "g16", "g17", "g18", "g19"};

/* Codes and categories, in a group of their own or, as anndata 0.7 had it, beside the column. */
static void put_categorical(program *p, hid_t frame, const char *name, int n)
{
    static const char *const categories[] = {"A", "B", "ctrl"};
    int old = p->old_layout;
    double code[MOST];
    for (int i = 0; i < n; i++) code[i] = (i + 2) % 3;
    hid_t g = old ? H5Lexists(frame, "__categories", H5P_DEFAULT) > 0 ? H5Gopen2(frame, "__categories", H5P_DEFAULT) : group(p, frame, "__categories")
                  : group(p, frame, name);
    put_numbers(p, old ? frame : g, old ? name : "codes", H5T_STD_I8LE, code, 1, n, 0);
    if (g < 0) return;
    if (take(p) % 4 == 1)
        put_numbers(p, g, old ? name : "categories", H5T_IEEE_F64LE, ramp, 1, 3, 0);
    else
        put_texts(p, g, old ? name : "categories", categories, 3);
    if (!old) encode(p, g, "categorical", "0.2.0");
    if (!old) attribute_false(g, "ordered");
    H5Gclose(g);
}

static void put_nullable(program *p, hid_t frame, const char *name, int n)
{
    hid_t g = group(p, frame, name);
    if (g < 0) return;
    unsigned kind = take(p) % 3;
    hid_t truth = boolean_type();
    if (kind == 0)
        put_texts(p, g, "values", labels, n);
    else
        put_numbers(p, g, "values", kind == 1 ? truth : H5T_STD_I64LE, ramp, 1, n, 0);
    put_numbers(p, g, "mask", truth, ramp, 1, n, 0);
    encode(p, g, kind == 0 ? "nullable-string-array" : kind == 1 ? "nullable-boolean" : "nullable-integer", "0.1.0");
    H5Tclose(truth);
    H5Gclose(g);
}

static void put_column(program *p, hid_t frame, const char *name, unsigned kind, int n)
{
    hid_t truth = -1;
    switch (kind % 8) {
    case 0:
    case 1: put_categorical(p, frame, name, n); break;
    case 2: put_texts(p, frame, name, labels, n); break;
    case 3: put_numbers(p, frame, name, H5T_IEEE_F64LE, ramp, 1, n, 0); break;
    case 4: put_numbers(p, frame, name, H5T_STD_I32LE, ramp, 1, n, 0); break;
    case 5:
        truth = boolean_type();
        put_numbers(p, frame, name, truth, ramp, 1, n, 0);
        H5Tclose(truth);
        break;
    case 6: put_nullable(p, frame, name, n); break;
    default: write_other(p, frame, name);
    }
}

static void put_index(program *p, hid_t frame, int n)
{
    unsigned kind = take(p) % 6;
    attribute_text(p, frame, "_index", "_index");
    if (kind == 1)
        put_categorical(p, frame, "_index", n);
    else if (kind == 2)
        put_nullable(p, frame, "_index", n);
    else if (kind == 3)
        put_texts(p, frame, "index", names, n);
    else
        put_texts(p, frame, "_index", names, n);
}

static void put_frame(program *p, hid_t parent, const char *name, int n, const char *const *columns, int n_columns)
{
    hid_t frame = group(p, parent, name);
    if (frame < 0) return;
    encode(p, frame, "dataframe", p->old_layout ? "0.1.0" : "0.2.0");
    put_index(p, frame, n);
    attribute_names(p, frame, "column-order", columns, n_columns);
    for (int i = 0; i < n_columns; i++) {
        unsigned other = take(p); /* columns[0] is the perturbation, [1] the context, then a number */
        put_column(p, frame, columns[i], other ? other : i < 2 ? 0 : 3, n);
    }
    H5Gclose(frame);
}

/* ---- matrices */

static hid_t value_type(program *p)
{
    switch (take(p) % 6) {
    case 1: return H5T_IEEE_F64LE;
    case 2: return H5T_STD_I32LE;
    case 3: return H5T_STD_U16LE;
    case 4: return H5T_STD_I64LE;
    case 5: return H5T_STD_U8LE;
    default: return H5T_IEEE_F32LE;
    }
}

static void put_sparse(program *p, hid_t parent, const char *name, int by_column, int rows, int columns)
{
    double start[MOST] = {0}, index[MOST], value[MOST];
    int lines = by_column ? columns : rows, across = by_column ? rows : columns, n = 0;
    for (int i = 0; i < lines; i++) {
        for (int j = i % 2; j < across && n < MOST; j += 2) index[n] = j, value[n++] = 1 + (i + j) % 4;
        start[i + 1] = n;
    }
    hid_t g = group(p, parent, name);
    if (g < 0) return;
    if (p->old_layout && take(p) % 2) {
        attribute_text(p, g, "h5sparse_format", by_column ? "csc" : "csr");
        attribute_numbers(p, g, "h5sparse_shape", rows, columns);
    } else {
        encode(p, g, by_column ? "csc_matrix" : "csr_matrix", "0.1.0");
        attribute_numbers(p, g, "shape", rows, columns);
    }
    put_numbers(p, g, "data", value_type(p), value, 1, n, 0);
    put_numbers(p, g, "indices", take(p) % 2 ? H5T_STD_I64LE : H5T_STD_I32LE, index, 1, n, 0);
    put_numbers(p, g, "indptr", take(p) % 2 ? H5T_STD_I64LE : H5T_STD_I32LE, start, 1, lines + 1, 0);
    H5Gclose(g);
}

static void put_matrix(program *p, hid_t parent, const char *name, unsigned kind, int rows, int columns)
{
    switch (kind % 4) {
    case 0: put_sparse(p, parent, name, 0, rows, columns); break;
    case 1: put_sparse(p, parent, name, 1, rows, columns); break;
    case 2: put_numbers(p, parent, name, value_type(p), ramp, 2, rows, columns); break;
    default: write_other(p, parent, name);
    }
}

static void put_all(program *p, unsigned x_kind, unsigned parts)
{
    static const char *const obs[] = {"perturbation", "context", "n_counts", "guide"}, *const var[] = {"gene_name", "biotype"};
    encode(p, p->file, "anndata", "0.1.0");
    put_frame(p, p->file, "obs", p->n_obs, obs, 2 + (int)(parts >> 4 & 1) * 2);
    put_frame(p, p->file, "var", p->n_vars, var, (int)(parts >> 5 & 1) * 2);
    put_matrix(p, p->file, "X", x_kind, p->n_obs, p->n_vars);
    if (parts & 1) {
        hid_t layers = group(p, p->file, "layers");
        put_matrix(p, layers, "counts", take(p), p->n_obs, p->n_vars);
        if (layers >= 0) H5Gclose(layers);
    }
    if (parts & 2) {
        hid_t raw = group(p, p->file, "raw");
        int wider = p->n_vars + (int)(take(p) % 3);
        put_matrix(p, raw, "X", take(p), p->n_obs, wider);
        put_frame(p, raw, "var", wider, var, 0);
        if (raw >= 0) H5Gclose(raw);
    }
}

int h5_program_write(const char *path, const uint8_t *data, size_t size)
{
    program p = {.at = data, .end = data + size, .n_obs = 6, .n_vars = 5};
    H5E_auto2_t handler;
    void *user;
    H5open();
    H5set_free_list_limits(1 << 26, 1 << 24, 1 << 26, 1 << 24, 1 << 26, 1 << 24); /* kept, its big buffers cost a tenth of the page faults */
    H5Eget_auto2(H5E_DEFAULT, &handler, &user);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    unsigned x_kind = take(&p), parts = take(&p), obs = take(&p), var = take(&p), how = take(&p);
    take(&p), take(&p), take(&p); /* room for later choices */
    if (obs) p.n_obs = (int)(obs % 16);
    if (var) p.n_vars = (int)(var % 16);
    p.old_layout = how & 1;
    p.fixed_text = how >> 1 & 1;
    p.chunked = (int)(how >> 3 & 3);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fapl_core(access, 1 << 16, 1);
    if (how & 4) H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    H5Zregister(&lzf);
    p.file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    int good = p.file >= 0;
    if (good) put_all(&p, x_kind, parts);
    if (good) good = H5Fclose(p.file) >= 0;
    H5Zunregister(LZF);
    H5Pclose(access);
    H5Eset_auto2(H5E_DEFAULT, handler, user);
    return good;
}

long h5_program_handles(void)
{
    return (long)H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL);
}
