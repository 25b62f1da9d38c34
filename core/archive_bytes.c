/* An archive as one run of bytes, for a message to another process of the same program: numbers as they lie in memory, so that they come back bit for bit. Not a file format (io/archive_file.h has that). */
#include <stdlib.h>
#include <string.h>

#include "core/archive.h"
#include "core/memory.h"

static const uint64_t mark = 0x736f7761726331; /* "sowarc1" */

typedef struct {
    uint64_t kind, rows, cols, name; /* bytes of the name */
} head;

/* ---- to bytes ---- */

typedef struct {
    unsigned char *at; /* NULL: only counted */
    size_t n;
} writer;

static void write_bytes(writer *w, const void *data, size_t n)
{
    if (w->at && n > 0) memcpy(w->at + w->n, data, n);
    w->n += n;
}

static void write_text(writer *w, const char *text)
{
    const uint64_t n = strlen(text);
    write_bytes(w, &n, sizeof n);
    write_bytes(w, text, n);
}

static size_t size_of(sow_archive_kind kind)
{
    return kind == SOW_ARCHIVE_F32 ? sizeof(float) : sizeof(double);
}

static void write_item(writer *w, const sow_archive_item *x)
{
    const head h = {(uint64_t)x->kind, (uint64_t)x->rows, (uint64_t)x->cols, strlen(x->name)};
    write_bytes(w, &h, sizeof h);
    write_bytes(w, x->name, h.name);
    if (x->kind != SOW_ARCHIVE_TEXT) write_bytes(w, x->data, (size_t)(x->rows * x->cols) * size_of(x->kind));
    for (sow_index i = 0; x->kind == SOW_ARCHIVE_TEXT && i < x->rows; i++) write_text(w, ((char *const *)x->data)[i]);
}

static size_t write_all(unsigned char *at, const sow_archive *a)
{
    writer w = {.at = at};
    const uint64_t n = (uint64_t)a->n;
    write_bytes(&w, &mark, sizeof mark);
    write_bytes(&w, &n, sizeof n);
    for (sow_index i = 0; i < a->n; i++) write_item(&w, &a->item[i]);
    return w.n;
}

sow_status sow_archive_to_bytes(unsigned char **bytes, size_t *n, const sow_archive *a, sow_error *err)
{
    sow_status st = SOW_OK;
    *bytes = NULL;
    *n = write_all(NULL, a);
    SOW_NEW(*bytes, *n);
    write_all(*bytes, a);
done:
    return st;
}

/* ---- and back ---- */

typedef struct {
    const unsigned char *at;
    size_t left;
} reader;

static sow_status cut_off(sow_error *err)
{
    return SOW_ERROR(err, SOW_E_DATA, "a message is not whole, or of another version of this program");
}

/* `n` bytes, borrowed; NULL where there are fewer. */
static const unsigned char *next(reader *r, uint64_t n)
{
    const unsigned char *at = r->at;
    if (n > r->left) return NULL;
    r->at += n;
    r->left -= (size_t)n;
    return at;
}

static int read_number(uint64_t *out, reader *r)
{
    const unsigned char *at = next(r, sizeof *out);
    if (at) memcpy(out, at, sizeof *out);
    return at != NULL;
}

static sow_status read_texts(char **text, reader *r, sow_index rows, sow_error *err)
{
    for (sow_index i = 0; i < rows; i++) {
        uint64_t n = 0;
        const unsigned char *at = read_number(&n, r) ? next(r, n) : NULL;
        if (!at) return cut_off(err);
        text[i] = sow_strndup((const char *)at, n);
        if (!text[i]) return SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
    }
    return SOW_OK;
}

static sow_status put_texts(sow_archive *a, reader *r, const char *name, sow_index rows, sow_error *err)
{
    sow_status st = SOW_OK;
    char **text = NULL;
    SOW_NEW(text, rows);
    SOW_TRY(read_texts(text, r, rows, err));
    SOW_TRY(sow_archive_put(a, name, SOW_ARCHIVE_TEXT, text, rows, 1, err));
done:
    for (sow_index i = 0; text && i < rows; i++) free(text[i]);
    free(text);
    return st;
}

static sow_status read_item(sow_archive *a, reader *r, sow_error *err)
{
    sow_status st = SOW_OK;
    char *name = NULL;
    head h;
    const unsigned char *at = next(r, sizeof h);
    if (!at) return cut_off(err);
    memcpy(&h, at, sizeof h);
    if (!(at = next(r, h.name)) || h.kind > SOW_ARCHIVE_TEXT || h.rows > INT64_MAX || h.cols > INT64_MAX) return cut_off(err);
    const sow_archive_kind kind = (sow_archive_kind)h.kind;
    name = sow_strndup((const char *)at, h.name);
    if (!name) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    const uint64_t least = kind == SOW_ARCHIVE_TEXT ? sizeof(uint64_t) : size_of(kind); /* bytes of an entry */
    if (h.cols > 0 && h.rows > r->left / least / h.cols) st = cut_off(err);
    else if (kind == SOW_ARCHIVE_TEXT) st = put_texts(a, r, name, (sow_index)h.rows, err);
    else st = sow_archive_put(a, name, kind, next(r, h.rows * h.cols * least), (sow_index)h.rows, (sow_index)h.cols, err);
done:
    free(name);
    return st;
}

sow_status sow_archive_from_bytes(sow_archive *out, const unsigned char *bytes, size_t n, sow_error *err)
{
    sow_status st = SOW_OK;
    reader r = {bytes, n};
    uint64_t first = 0, items = 0;
    *out = (sow_archive){0};
    if (!read_number(&first, &r) || first != mark || !read_number(&items, &r)) return cut_off(err);
    for (uint64_t i = 0; i < items; i++) SOW_TRY(read_item(out, &r, err));
    if (r.left > 0) st = cut_off(err);
done:
    if (st != SOW_OK) sow_archive_clear(out);
    return st;
}
