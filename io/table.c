/* CSV and TSV tables, RFC 4180 with the liberties real files take. The text is kept as read; cells are cut out of it in place: quotes are
 * removed by moving the field's bytes left, separators become NUL. */
#include "io/table.h"

#include "core/memory.h"
#include "io/text_internal.h"

#include <stdlib.h>
#include <string.h>

struct sow_table {
    char *path;
    char *text;
    sow_names *columns;
    sow_index n_rows, n_columns;
    sow_index n_cells, cell_capacity, line_capacity;
    size_t *cell;    /* [n_rows * n_columns] offsets into text; the header's cells come first while reading */
    sow_index *line; /* [n_rows] */
};

typedef struct {
    sow_table *table;
    char *at, *end;
    sow_index line; /* of `at` */
    char separator;
} scanner;

/* The first of TAB, ',' and ';' (in that order) that stands outside quotes in the header. */
static char find_separator(const char *at, const char *end)
{
    int quoted = 0, comma = 0, semicolon = 0;
    for (; at < end && (quoted || (*at != '\n' && *at != '\r')); at++) {
        if (*at == '"') quoted = !quoted;
        if (quoted) continue;
        if (*at == '\t') return '\t';
        comma |= *at == ',';
        semicolon |= *at == ';';
    }
    return comma || !semicolon ? ',' : ';';
}

static sow_status add_cell(sow_table *t, const char *start, sow_error *err)
{
    if (t->n_cells == t->cell_capacity) {
        sow_status st = sow_grow(&t->cell, &t->cell_capacity, t->cell_capacity ? t->cell_capacity * 2 : 1024, sizeof *t->cell, err);
        if (st != SOW_OK) return st;
    }
    t->cell[t->n_cells++] = (size_t)(start - t->text);
    return SOW_OK;
}

/* A quoted field: `at` stands on its opening quote and is left on what follows the closing one. */
static sow_status scan_quoted(scanner *s, char **stop, sow_error *err)
{
    sow_index opened = s->line;
    char *write = ++s->at;
    for (;; s->at++) {
        if (s->at >= s->end)
            return SOW_ERROR(err, SOW_E_DATA, "%s:%lld: a quote is opened here and never closed", s->table->path, (long long)opened);
        if (*s->at == '"') {
            if (s->at[1] != '"') break;
            s->at++;
        } else if (*s->at == '\n') {
            s->line++;
        }
        *write++ = *s->at;
    }
    s->at++;
    *stop = write;
    if (s->at < s->end && *s->at != s->separator && *s->at != '\n' && *s->at != '\r')
        return SOW_ERROR(err, SOW_E_DATA, "%s:%lld: text after a closing quote; double the quotes inside a quoted field", s->table->path,
                         (long long)s->line);
    return SOW_OK;
}

/* One line into cells; *n is their number. The scanner is left on the next line. */
static sow_status scan_row(scanner *s, sow_index *n, sow_error *err)
{
    sow_status st = SOW_OK;
    int more = 1;
    *n = 0;
    while (more) {
        char *start = s->at, *stop = start;
        if (s->at < s->end && *s->at == '"') {
            start++;
            SOW_TRY(scan_quoted(s, &stop, err));
        } else {
            while (s->at < s->end && *s->at != s->separator && *s->at != '\n' && *s->at != '\r') s->at++;
            stop = s->at;
        }
        SOW_TRY(add_cell(s->table, start, err));
        (*n)++;
        more = s->at < s->end && *s->at == s->separator;
        if (s->at < s->end) {
            if (*s->at == '\r' && s->at + 1 < s->end && s->at[1] == '\n') s->at++;
            if (!more) s->line++;
            s->at++;
        }
        *stop = 0;
    }
done:
    return st;
}

static void skip_blank_lines(scanner *s)
{
    for (; s->at < s->end && (*s->at == '\n' || *s->at == '\r'); s->at++)
        if (*s->at == '\n') s->line++;
}

static sow_status read_header(scanner *s, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_table *t = s->table;
    skip_blank_lines(s);
    if (s->at >= s->end) SOW_FAIL(err, SOW_E_DATA, "%s:1: the file is empty; a header line with column names is needed", t->path);
    sow_index line = s->line;
    s->separator = find_separator(s->at, s->end);
    SOW_TRY(scan_row(s, &t->n_columns, err));
    SOW_TRY(sow_names_create(&t->columns, err));
    for (sow_index i = 0; i < t->n_columns; i++) {
        const char *name = t->text + t->cell[i];
        if (sow_names_find(t->columns, name) >= 0)
            SOW_FAIL(err, SOW_E_DATA, "%s:%lld: two columns are named '%s'", t->path, (long long)line, name);
        SOW_TRY(sow_names_add(t->columns, name, NULL, err));
    }
done:
    return st;
}

static sow_status read_rows(scanner *s, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_table *t = s->table;
    for (skip_blank_lines(s); s->at < s->end; skip_blank_lines(s)) {
        sow_index line = s->line, n = 0;
        SOW_TRY(scan_row(s, &n, err));
        if (n != t->n_columns)
            SOW_FAIL(err, SOW_E_DATA, "%s:%lld: %lld fields where the header has %lld%s", t->path, (long long)line, (long long)n,
                     (long long)t->n_columns,
                     n == t->n_columns + 1 ? " (R's write.table leaves out the first column's name: use col.names = NA)" : "");
        if (t->n_rows == t->line_capacity)
            SOW_TRY(sow_grow(&t->line, &t->line_capacity, t->line_capacity ? t->line_capacity * 2 : 256, sizeof *t->line, err));
        t->line[t->n_rows++] = line;
    }
done:
    return st;
}

static sow_status check_text(const char *text, size_t size, const char *path, sow_error *err)
{
    if (size >= 2 && (memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0))
        return SOW_ERROR(err, SOW_E_DATA, "%s:1: the file is UTF-16; save it as UTF-8", path);
    if (memchr(text, 0, size)) return SOW_ERROR(err, SOW_E_DATA, "%s:1: not a text table (it has a zero byte)", path);
    return sow_i_check_utf8(text, size, path, err);
}

sow_status sow_table_read(sow_table **out, const char *path, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_table *t = NULL;
    size_t size = 0;
    *out = NULL;
    SOW_NEW(t, 1);
    t->path = sow_strdup(path);
    if (!t->path) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_file_read_text(&t->text, &size, path, err));
    SOW_TRY(check_text(t->text, size, path, err));
    scanner s = {t, t->text, t->text + size, 1, ','};
    if (size >= 3 && memcmp(s.at, "\xef\xbb\xbf", 3) == 0) s.at += 3;
    SOW_TRY(read_header(&s, err));
    SOW_TRY(read_rows(&s, err));
    *out = t;
    t = NULL;
done:
    sow_table_destroy(t);
    return st;
}

void sow_table_destroy(sow_table *t)
{
    if (!t) return;
    sow_names_destroy(t->columns);
    free(t->path);
    free(t->text);
    free(t->cell);
    free(t->line);
    free(t);
}

const char *sow_table_path(const sow_table *t)
{
    return t->path;
}

sow_index sow_table_n_rows(const sow_table *t)
{
    return t->n_rows;
}

sow_index sow_table_n_columns(const sow_table *t)
{
    return t->n_columns;
}

const char *sow_table_column_name(const sow_table *t, sow_index column)
{
    return sow_names_get(t->columns, column);
}

sow_status sow_table_column(sow_index *out, const sow_table *t, const char *name, sow_error *err)
{
    sow_index at = sow_names_find(t->columns, name);
    if (at >= 0) {
        *out = at;
        return SOW_OK;
    }
    const char *near = sow_names_nearest(t->columns, name);
    char *all = sow_i_quoted_names(t->columns, 30);
    sow_status st = SOW_ERROR(err, SOW_E_DATA, "%s:1: no column '%s'%s%s%s columns are %s", t->path, name, near ? "; did you mean '" : "",
                              near ? near : "", near ? "'? The" : "; the", all ? all : "(out of memory)");
    free(all);
    return st;
}

const char *sow_table_cell(const sow_table *t, sow_index row, sow_index column)
{
    return t->text + t->cell[(row + 1) * t->n_columns + column];
}

sow_index sow_table_line(const sow_table *t, sow_index row)
{
    return t->line[row];
}

sow_status sow_table_number(double *out, const sow_table *t, sow_index row, sow_index column, sow_error *err)
{
    const char *text = sow_table_cell(t, row, column);
    if (sow_i_parse_number(out, text)) return SOW_OK;
    return SOW_ERROR(err, SOW_E_DATA, "%s:%lld: column '%s' has '%.60s' where a number is needed", t->path, (long long)t->line[row],
                     sow_table_column_name(t, column), text);
}
