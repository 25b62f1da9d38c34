/* Named arrays in memory. There are some hundred of them at most, so that a list is looked through from its start. */
#include "core/archive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"

static const char *const kind_names[] = {"32-bit numbers", "64-bit numbers", "integers", "text"};

static size_t size_of(sow_archive_kind kind)
{
    switch (kind) {
    case SOW_ARCHIVE_F32:
        return sizeof(float);
    case SOW_ARCHIVE_F64:
        return sizeof(double);
    case SOW_ARCHIVE_I64:
        return sizeof(int64_t);
    default:
        return sizeof(char *);
    }
}

static void item_clear(sow_archive_item *item)
{
    char **text = item->kind == SOW_ARCHIVE_TEXT ? item->data : NULL;
    for (sow_index i = 0; text && i < item->rows; i++) free(text[i]);
    free(item->data);
    free(item->name);
    memset(item, 0, sizeof *item);
}

void sow_archive_clear(sow_archive *a)
{
    for (sow_index i = 0; i < a->n; i++) item_clear(&a->item[i]);
    free(a->item);
    *a = (sow_archive){0};
}

/* Parts joined by '/', none of them empty, "." or "..": what a file of groups can hold. */
static int name_is_good(const char *name)
{
    for (const char *part = name;; part++) {
        const size_t n = strcspn(part, "/");
        if (n == 0 || (n == 1 && part[0] == '.') || (n == 2 && part[0] == '.' && part[1] == '.')) return 0;
        part += n;
        if (*part == '\0') return 1;
    }
}

static sow_status copy_text(char **to, char *const *from, sow_index n, sow_error *err)
{
    for (sow_index i = 0; i < n; i++) {
        to[i] = sow_strdup(from[i]);
        if (!to[i]) return SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
    }
    return SOW_OK;
}

static sow_status item_make(sow_archive_item *item, const char *name, sow_archive_kind kind, const void *data, sow_index rows, sow_index cols, sow_error *err)
{
    sow_status st = SOW_OK;
    *item = (sow_archive_item){.name = sow_strdup(name), .kind = kind, .rows = rows, .cols = cols};
    item->data = sow_calloc(rows * cols, size_of(kind));
    if (!item->name || !item->data) SOW_FAIL(err, SOW_E_NOMEM, "out of memory keeping '%s'", name);
    if (kind == SOW_ARCHIVE_TEXT)
        SOW_TRY(copy_text(item->data, data, rows, err));
    else if (rows * cols > 0)
        memcpy(item->data, data, (size_t)(rows * cols) * size_of(kind));
done:
    if (st != SOW_OK) item_clear(item);
    return st;
}

static sow_archive_item *find(const sow_archive *a, const char *name)
{
    for (sow_index i = 0; i < a->n; i++)
        if (strcmp(a->item[i].name, name) == 0) return &a->item[i];
    return NULL;
}

const sow_archive_item *sow_archive_find(const sow_archive *a, const char *name)
{
    return find(a, name);
}

sow_status sow_archive_put(sow_archive *a, const char *name, sow_archive_kind kind, const void *data, sow_index rows, sow_index cols, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_archive_item item = {0};
    if (!name_is_good(name)) SOW_FAIL(err, SOW_E_ARG, "'%s' cannot name an array: parts joined by single '/' are needed", name);
    if (rows < 0 || cols < 0 || (cols > 0 && rows > INT64_MAX / 64 / cols) || (kind == SOW_ARCHIVE_TEXT && cols != 1))
        SOW_FAIL(err, SOW_E_ARG, "'%s': a size of %lld x %lld is not allowed", name, (long long)rows, (long long)cols);
    SOW_TRY(sow_grow(&a->item, &a->capacity, a->n + 1, sizeof *a->item, err));
    SOW_TRY(item_make(&item, name, kind, data, rows, cols, err));
    sow_archive_item *there = find(a, name);
    if (there)
        item_clear(there);
    else
        there = &a->item[a->n++];
    *there = item;
done:
    return st;
}

sow_status sow_archive_move(sow_archive *to, const char *prefix, sow_archive *from, sow_error *err)
{
    sow_status st = SOW_OK;
    char **name = NULL;
    SOW_NEW(name, from->n);
    for (sow_index i = 0; i < from->n; i++) {
        name[i] = sow_format("%s%s", prefix, from->item[i].name);
        if (!name[i]) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
        if (find(to, name[i])) SOW_FAIL(err, SOW_E_ARG, "'%s' is there already", name[i]);
    }
    SOW_TRY(sow_grow(&to->item, &to->capacity, to->n + from->n, sizeof *to->item, err));
    for (sow_index i = 0; i < from->n; i++) {
        free(from->item[i].name);
        from->item[i].name = name[i];
        name[i] = NULL;
        to->item[to->n++] = from->item[i];
    }
    from->n = 0;
    sow_archive_clear(from);
done:
    for (sow_index i = 0; name && i < from->n; i++) free(name[i]);
    free(name);
    return st;
}

sow_status sow_archive_put_number(sow_archive *a, const char *name, double x, sow_error *err)
{
    return sow_archive_put(a, name, SOW_ARCHIVE_F64, &x, 1, 1, err);
}

sow_status sow_archive_put_integer(sow_archive *a, const char *name, int64_t x, sow_error *err)
{
    return sow_archive_put(a, name, SOW_ARCHIVE_I64, &x, 1, 1, err);
}

sow_status sow_archive_put_text(sow_archive *a, const char *name, const char *x, sow_error *err)
{
    return sow_archive_put(a, name, SOW_ARCHIVE_TEXT, &x, 1, 1, err);
}

/* "3", or "any" */
static void spell(char out[32], sow_index n)
{
    if (n < 0)
        snprintf(out, 32, "any");
    else
        snprintf(out, 32, "%lld", (long long)n);
}

sow_status sow_archive_get(const void **data, const sow_archive *a, const char *name, sow_archive_kind kind, sow_index rows, sow_index cols, sow_error *err)
{
    const sow_archive_item *item = find(a, name);
    *data = NULL;
    if (!item) return SOW_ERROR(err, SOW_E_DATA, "'%s' is missing", name);
    if (item->kind != kind) return SOW_ERROR(err, SOW_E_DATA, "'%s' holds %s; %s are needed", name, kind_names[item->kind], kind_names[kind]);
    if ((rows >= 0 && item->rows != rows) || (cols >= 0 && item->cols != cols)) {
        char r[32], c[32];
        spell(r, rows);
        spell(c, cols);
        return SOW_ERROR(err, SOW_E_DATA, "'%s' is %lld x %lld; %s x %s is needed", name, (long long)item->rows, (long long)item->cols, r, c);
    }
    *data = item->data;
    return SOW_OK;
}

sow_status sow_archive_get_number(double *x, const sow_archive *a, const char *name, sow_error *err)
{
    const void *data = NULL;
    const sow_status st = sow_archive_get(&data, a, name, SOW_ARCHIVE_F64, 1, 1, err);
    if (st == SOW_OK) *x = *(const double *)data;
    return st;
}

sow_status sow_archive_get_integer(int64_t *x, const sow_archive *a, const char *name, sow_error *err)
{
    const void *data = NULL;
    const sow_status st = sow_archive_get(&data, a, name, SOW_ARCHIVE_I64, 1, 1, err);
    if (st == SOW_OK) *x = *(const int64_t *)data;
    return st;
}

sow_status sow_archive_get_text(const char **x, const sow_archive *a, const char *name, sow_error *err)
{
    const void *data = NULL;
    const sow_status st = sow_archive_get(&data, a, name, SOW_ARCHIVE_TEXT, 1, 1, err);
    if (st == SOW_OK) *x = *(char *const *)data;
    return st;
}
