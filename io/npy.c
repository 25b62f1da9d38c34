#include "io/npy.h"

#include "core/memory.h"
#include "io/table.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    char kind; /* f i u b */
    int size;  /* bytes */
    int big_endian;
    int fortran;
    int n_dims;
    sow_index dim[2];
} header;

/* The value after 'key': in the header's Python dict, or NULL. */
static const char *find_key(const char *dict, const char *key)
{
    char quoted[32];
    snprintf(quoted, sizeof quoted, "'%s'", key);
    const char *at = strstr(dict, quoted);
    if (!at) return NULL;
    at += strlen(quoted);
    while (*at == ' ' || *at == ':') at++;
    return at;
}

static int parse_descr(header *h, const char *at)
{
    if (*at != '\'') return 0;
    h->big_endian = at[1] == '>';
    if (at[1] == '\0' || !strchr("<>|=", at[1]) || at[2] == '\0') return 0; /* a header may end anywhere */
    h->kind = at[2];
    h->size = atoi(at + 3);
    if (h->kind == 'f') return h->size == 2 || h->size == 4 || h->size == 8;
    if (h->kind == 'b') return h->size == 1;
    return (h->kind == 'i' || h->kind == 'u') && (h->size == 1 || h->size == 2 || h->size == 4 || h->size == 8);
}

static int parse_shape(header *h, const char *at)
{
    if (*at++ != '(') return 0;
    for (h->n_dims = 0;; ) {
        while (*at == ' ' || *at == ',') at++;
        if (*at == ')') return h->n_dims > 0;
        if (!isdigit((unsigned char)*at) || h->n_dims == 2) return 0;
        char *end;
        long long value = strtoll(at, &end, 10);
        if (value > INT64_MAX / 16) return 0;
        h->dim[h->n_dims++] = value;
        at = end;
    }
}

static sow_status parse_header(header *h, const char *dict, const char *path, sow_error *err)
{
    const char *descr = find_key(dict, "descr"), *order = find_key(dict, "fortran_order"), *shape = find_key(dict, "shape");
    if (!descr || !order || !shape) return SOW_ERROR(err, SOW_E_DATA, "%s: its .npy header lacks descr, fortran_order or shape", path);
    if (!parse_descr(h, descr))
        return SOW_ERROR(err, SOW_E_DATA, "%s: entries of kind %.12s; only plain floats, integers and booleans are read", path, descr);
    h->fortran = strncmp(order, "True", 4) == 0;
    h->dim[1] = 1;
    if (!parse_shape(h, shape)) return SOW_ERROR(err, SOW_E_DATA, "%s: a 1-D or 2-D array is needed, its shape is %.40s", path, shape);
    return SOW_OK;
}

static double half_to_double(uint64_t bits)
{
    int exponent = (int)(bits >> 10 & 31), fraction = (int)(bits & 1023);
    double value = exponent == 0    ? ldexp(fraction, -24)
                   : exponent == 31 ? (fraction ? (double)NAN : (double)INFINITY)
                                    : ldexp(1024 + fraction, exponent - 25);
    return bits >> 15 ? -value : value;
}

static double decode(const unsigned char *p, const header *h)
{
    uint64_t bits = 0;
    for (int i = 0; i < h->size; i++) bits |= (uint64_t)p[h->big_endian ? h->size - 1 - i : i] << (8 * i);
    if (h->kind == 'f') {
        if (h->size == 2) return half_to_double(bits);
        if (h->size == 4) {
            uint32_t low = (uint32_t)bits;
            float f;
            memcpy(&f, &low, sizeof f);
            return (double)f;
        }
        double d;
        memcpy(&d, &bits, sizeof d);
        return d;
    }
    if (h->kind == 'b') return bits != 0;
    if (h->kind == 'u') return (double)bits;
    uint64_t sign = (uint64_t)1 << (8 * h->size - 1);
    return bits & sign ? -(double)(~bits & (sign - 1)) - 1.0 : (double)bits;
}

/* Length of magic, version and header text, or 0. */
static size_t header_length(const unsigned char *b, size_t size)
{
    if (size < 12 || memcmp(b, "\x93NUMPY", 6) != 0) return 0;
    size_t length = b[6] == 1 ? 10 + (size_t)(b[8] | b[9] << 8)
                              : 12 + ((size_t)b[8] | (size_t)b[9] << 8 | (size_t)b[10] << 16 | (size_t)b[11] << 24);
    return b[6] >= 1 && b[6] <= 3 && length <= size ? length : 0;
}

sow_status sow_npy_read(double **x, sow_index *rows, sow_index *columns, const char *path, sow_error *err)
{
    sow_status st = SOW_OK;
    char *bytes = NULL, *dict = NULL;
    double *values = NULL;
    size_t size = 0;
    header h = {0};
    *x = NULL;
    SOW_TRY(sow_file_read_text(&bytes, &size, path, err));
    const unsigned char *raw = (const unsigned char *)bytes;
    size_t start = header_length(raw, size);
    if (start == 0) SOW_FAIL(err, SOW_E_DATA, "%s: not a .npy file, or cut off in its header", path);
    size_t text = raw[6] == 1 ? 10 : 12;
    dict = sow_strndup(bytes + text, start - text);
    if (!dict) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(parse_header(&h, dict, path, err));
    size_t available = (size - start) / (size_t)h.size;
    if (h.dim[1] > 0 && (size_t)h.dim[0] > available / (size_t)h.dim[1])
        SOW_FAIL(err, SOW_E_DATA, "%s: truncated: its header promises %lld x %lld entries, %zu are there", path, (long long)h.dim[0],
                 (long long)h.dim[1], available);
    SOW_NEW(values, h.dim[0] * h.dim[1]);
    for (sow_index i = 0; i < h.dim[0]; i++)
        for (sow_index j = 0; j < h.dim[1]; j++) {
            sow_index at = h.fortran ? j * h.dim[0] + i : i * h.dim[1] + j;
            values[i * h.dim[1] + j] = decode(raw + start + (size_t)at * (size_t)h.size, &h);
        }
    *x = values;
    *rows = h.dim[0];
    *columns = h.dim[1];
    values = NULL;
done:
    free(values);
    free(dict);
    free(bytes);
    return st;
}
