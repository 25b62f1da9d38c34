/* MatrixMarket folders in the layout of 10x Genomics: matrix.mtx, barcodes.tsv and features.tsv (or genes.tsv), each plain or .gz.
 * https://math.nist.gov/MatrixMarket/formats.html; genes are rows and cells are columns unless the names say that it is the other way round. The text is read once, into a
 * spool, from which blocks come. */
#include "io/cell_file_internal.h"

#include "core/memory.h"
#include "io/file.h"
#include "io/text_internal.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

enum { BUFFER = 1 << 18, PIECE = 1 << 16, GZIP_MOST = 1032 };

/* ---- lines of a text, perhaps compressed ---- */

typedef struct {
    const char *path;
    gzFile file;
    char *buffer;
    size_t begin, end;
    int at_end;
    sow_index line;
} lines;

static sow_status lines_open(lines *l, const char *path, sow_error *err)
{
    sow_status st = SOW_OK;
    *l = (lines){.path = path};
    errno = 0;
    l->file = gzopen(path, "rb");
    if (!l->file) SOW_FAIL(err, SOW_E_IO, "%s: cannot open: %s", path, errno ? strerror(errno) : "out of memory");
    gzbuffer(l->file, BUFFER);
    SOW_NEW(l->buffer, BUFFER + 1);
done:
    return st;
}

static void lines_close(lines *l)
{
    if (l->file) gzclose(l->file);
    free(l->buffer);
    *l = (lines){0};
}

static sow_status lines_fill(lines *l, sow_error *err)
{
    memmove(l->buffer, l->buffer + l->begin, l->end - l->begin);
    l->end -= l->begin;
    l->begin = 0;
    if (l->end == BUFFER) return SOW_ERROR(err, SOW_E_DATA, "%s:%lld: a line of more than %d bytes", l->path, (long long)(l->line + 1), BUFFER);
    int got = gzread(l->file, l->buffer + l->end, (unsigned)(BUFFER - l->end));
    int code = Z_OK;
    const char *message = gzerror(l->file, &code);
    if (got < 0 || (got == 0 && code != Z_OK && code != Z_STREAM_END))
        return SOW_ERROR(err, code == Z_ERRNO ? SOW_E_IO : SOW_E_DATA, "%s: damaged or cut off (%s); copy the file again", l->path,
                         code == Z_ERRNO ? strerror(errno) : message);
    l->end += (size_t)got;
    l->at_end = got == 0;
    return SOW_OK;
}

/* The next line without its end, closed by NUL; NULL at the end of the text. Valid until the next call. */
static sow_status lines_next(char **line, lines *l, sow_error *err)
{
    char *end;
    *line = NULL;
    while (!(end = memchr(l->buffer + l->begin, '\n', l->end - l->begin)) && !l->at_end) {
        sow_status st = lines_fill(l, err);
        if (st != SOW_OK) return st;
    }
    if (!end && l->begin == l->end) return SOW_OK;
    if (!end) end = l->buffer + l->end; /* the last line may lack its end; the buffer has a byte more */
    *line = l->buffer + l->begin;
    l->begin = end < l->buffer + l->end ? (size_t)(end - l->buffer) + 1 : l->end;
    *end = '\0';
    if (end > *line && end[-1] == '\r') end[-1] = '\0';
    l->line++;
    return SOW_OK;
}

/* ---- the folder ---- */

typedef struct {
    char *matrix, *barcodes, *features;
    lines text;
    int by_cell; /* rows are cells */
    int pattern; /* no values: 1 each */
    sow_index n_rows, n_columns, n_entries;
    int32_t *gene_of; /* [features] or NULL: every feature is a gene */
    sow_index n_features;
    sow_i_spool *spool;
} state;

static void close_mtx(sow_cell_file *f)
{
    state *s = f->state;
    if (!s) return;
    lines_close(&s->text);
    sow_i_spool_destroy(s->spool);
    free(s->matrix);
    free(s->barcodes);
    free(s->features);
    free(s->gene_of);
    free(s);
    f->state = NULL;
}

/* prefix + name, or prefix + name + ".gz", whichever is there; *out stays as it is when neither is, or when it is set. */
static sow_status plain_or_gz(char **out, const char *prefix, const char *name, sow_error *err)
{
    for (int gz = 0; gz < 2 && !*out; gz++) {
        char *path = sow_format("%s%s%s", prefix, name, gz ? ".gz" : "");
        if (!path) return SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
        if (sow_file_exists(path))
            *out = path;
        else
            free(path);
    }
    return SOW_OK;
}

static sow_status no_such_file(const sow_cell_file *f, const char *what, sow_error *err)
{
    return SOW_ERROR(err, SOW_E_DATA, "%s: no %s (or .gz); a MatrixMarket folder has matrix.mtx, barcodes.tsv and features.tsv (or genes.tsv)", f->path, what);
}

/* A folder, or the matrix itself, whose name may have a prefix: GSM1234_matrix.mtx.gz goes with GSM1234_barcodes.tsv.gz. */
static sow_status find_files(sow_cell_file *f, sow_error *err)
{
    sow_status st = SOW_OK;
    state *s = f->state;
    struct stat info;
    char *prefix = NULL;
    int folder = stat(f->path, &info) == 0 && S_ISDIR(info.st_mode);
    if (folder) {
        prefix = sow_format("%s/", f->path);
    } else {
        const char *name = strstr(sow_i_basename(f->path), "matrix.mtx");
        if (!name) SOW_FAIL(err, SOW_E_DATA, "%s: the name must end in matrix.mtx or matrix.mtx.gz, so that the files beside it can be found", f->path);
        prefix = sow_strndup(f->path, (size_t)(name - f->path));
    }
    if (!prefix) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    if (folder) {
        SOW_TRY(plain_or_gz(&s->matrix, prefix, "matrix.mtx", err));
    } else {
        s->matrix = sow_strdup(f->path);
        if (!s->matrix) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    }
    SOW_TRY(plain_or_gz(&s->barcodes, prefix, "barcodes.tsv", err));
    SOW_TRY(plain_or_gz(&s->features, prefix, "features.tsv", err));
    SOW_TRY(plain_or_gz(&s->features, prefix, "genes.tsv", err));
    if (!s->matrix) SOW_TRY(no_such_file(f, "matrix.mtx", err));
    if (!s->barcodes) SOW_TRY(no_such_file(f, "barcodes.tsv", err));
    if (!s->features) SOW_TRY(no_such_file(f, "features.tsv or genes.tsv", err));
    f->where = sow_strdup(s->matrix);
    if (!f->where) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
done:
    free(prefix);
    return st;
}

static sow_status count_barcodes(sow_cell_file *f, sow_error *err)
{
    sow_status st = SOW_OK;
    state *s = f->state;
    sow_names *names = NULL;
    lines text = {0};
    char *line = NULL;
    SOW_TRY(sow_names_create(&names, err));
    SOW_TRY(lines_open(&text, s->barcodes, err));
    for (;;) {
        SOW_TRY(lines_next(&line, &text, err));
        if (!line) break;
        line[strcspn(line, "\t")] = '\0';
        sow_index before = sow_names_count(names);
        SOW_TRY(sow_names_add(names, line, NULL, err));
        if (sow_names_count(names) == before) SOW_FAIL(err, SOW_E_DATA, "%s:%lld: barcode '%.80s' comes twice", s->barcodes, (long long)text.line, line);
    }
    f->n_cells = sow_names_count(names);
done:
    lines_close(&text);
    sow_names_destroy(names);
    return st;
}

/* ---- genes ---- */

typedef struct {
    char **name; /* [n] of the chosen column */
    char *is_gene;
    sow_index n, name_capacity, is_gene_capacity, n_genes;
} feature_list;

static void feature_list_clear(feature_list *l)
{
    for (sow_index i = 0; l->name && i < l->n; i++) free(l->name[i]);
    free(l->name);
    free(l->is_gene);
}

/* 0 the id, 1 the symbol. */
static sow_status which_column(int *column, const sow_cell_file *f, sow_error *err)
{
    static const char *const names[] = {"id", "symbol", "gene_ids", "name", "1", "2"};
    *column = 1;
    if (!f->gene_column) return SOW_OK;
    for (int i = 0; i < 6; i++) {
        if (strcmp(f->gene_column, names[i]) != 0) continue;
        *column = i % 2;
        return SOW_OK;
    }
    return SOW_ERROR(err, SOW_E_DATA, "%s: gene_column '%s'; a MatrixMarket folder has 'symbol' (column 2 of features.tsv) and 'id' (column 1)", f->path,
                     f->gene_column);
}

static sow_status add_feature(feature_list *l, char *line, int column, sow_error *err)
{
    sow_status st = SOW_OK;
    char *field[3] = {line, NULL, NULL};
    for (int i = 1; i < 3 && field[i - 1]; i++) {
        char *tab = strchr(field[i - 1], '\t');
        if (tab) *tab = '\0';
        field[i] = tab ? tab + 1 : NULL;
    }
    if (field[2]) field[2][strcspn(field[2], "\t")] = '\0';
    SOW_TRY(sow_grow(&l->name, &l->name_capacity, l->n + 1, sizeof *l->name, err));
    SOW_TRY(sow_grow(&l->is_gene, &l->is_gene_capacity, l->n + 1, sizeof *l->is_gene, err));
    l->is_gene[l->n] = !field[2] || strcmp(field[2], "Gene Expression") == 0;
    l->n_genes += l->is_gene[l->n];
    l->name[l->n] = sow_strdup(column == 1 && field[1] ? field[1] : field[0]);
    if (!l->name[l->n]) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    l->n++;
done:
    return st;
}

/* Antibodies and guides counted in the same run stand among the genes; they are no part of the response. Without any "Gene Expression" all are kept. */
static sow_status keep_genes(sow_cell_file *f, feature_list *l, int column, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    state *s = f->state;
    s->n_features = l->n;
    if (l->n_genes > 0 && l->n_genes < l->n) {
        sow_log(env, SOW_LOG_INFO, "%s: %lld features that are not 'Gene Expression' are left out", s->features, (long long)(l->n - l->n_genes));
        SOW_NEW(s->gene_of, l->n);
        sow_index n = 0;
        for (sow_index i = 0; i < l->n; i++) {
            s->gene_of[i] = l->is_gene[i] ? (int32_t)n : -1;
            if (!l->is_gene[i]) {
                free(l->name[i]);
                continue;
            }
            l->name[n++] = l->name[i];
        }
        l->n = n;
    }
    SOW_TRY(sow_i_cell_take_genes(f, l->name, l->n, s->features, column == 1 ? "choose the ids with gene_column: id" : "ids must be unique", err));
done:
    return st;
}

static sow_status read_features(sow_cell_file *f, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    state *s = f->state;
    feature_list list = {0};
    lines text = {0};
    int column = 1;
    SOW_TRY(which_column(&column, f, err));
    SOW_TRY(lines_open(&text, s->features, err));
    for (;;) {
        char *line = NULL;
        SOW_TRY(lines_next(&line, &text, err));
        if (!line) break;
        SOW_TRY(add_feature(&list, line, column, err));
    }
    SOW_TRY(keep_genes(f, &list, column, env, err));
done:
    lines_close(&text);
    feature_list_clear(&list);
    return st;
}

/* ---- the head of the matrix ---- */

static sow_status read_banner(state *s, sow_error *err)
{
    sow_status st = SOW_OK;
    char *line = NULL, object[32] = "", format[32] = "", field[32] = "", symmetry[32] = "";
    SOW_TRY(lines_next(&line, &s->text, err));
    if (!line || strncmp(line, "%%MatrixMarket ", 15) != 0) SOW_FAIL(err, SOW_E_DATA, "%s:1: not a MatrixMarket file (its first line begins %%%%MatrixMarket)", s->matrix);
    for (char *p = line; *p; p++)
        if (*p >= 'A' && *p <= 'Z' && p > line + 15) *p = (char)(*p - 'A' + 'a');
    int n = sscanf(line + 15, "%31s %31s %31s %31s", object, format, field, symmetry);
    if (n != 4 || strcmp(object, "matrix") != 0 || strcmp(format, "coordinate") != 0)
        SOW_FAIL(err, SOW_E_DATA, "%s:1: '%.80s'; 'matrix coordinate' is read (write it with scipy.io.mmwrite of a sparse matrix)", s->matrix, line);
    s->pattern = strcmp(field, "pattern") == 0;
    if (!s->pattern && strcmp(field, "integer") != 0 && strcmp(field, "real") != 0)
        SOW_FAIL(err, SOW_E_DATA, "%s:1: values of kind '%s'; integer, real and pattern are read", s->matrix, field);
    if (strcmp(symmetry, "general") != 0) SOW_FAIL(err, SOW_E_DATA, "%s:1: a '%s' matrix; cells by genes are 'general'", s->matrix, symmetry);
done:
    return st;
}

static sow_status read_size(state *s, sow_error *err)
{
    sow_status st = SOW_OK;
    char *line = NULL, rest = 0;
    long long rows = -1, columns = -1, entries = -1;
    do {
        SOW_TRY(lines_next(&line, &s->text, err));
        if (!line) SOW_FAIL(err, SOW_E_DATA, "%s: ends before the line with its size; copy the file again", s->matrix);
    } while (*line == '%' || strspn(line, " \t") == strlen(line));
    if (sscanf(line, "%19lld %19lld %19lld %c", &rows, &columns, &entries, &rest) != 3 || rows < 0 || columns < 0 || entries < 0)
        SOW_FAIL(err, SOW_E_DATA, "%s:%lld: '%.80s' where rows, columns and entries are expected", s->matrix, (long long)s->text.line, line);
    s->n_rows = rows;
    s->n_columns = columns;
    s->n_entries = entries;
done:
    return st;
}

static sow_status check_size(sow_cell_file *f, sow_error *err)
{
    sow_status st = SOW_OK;
    state *s = f->state;
    struct stat info;
    int as_named = s->n_rows == s->n_features && s->n_columns == f->n_cells;
    s->by_cell = !as_named && s->n_rows == f->n_cells && s->n_columns == s->n_features;
    if (!as_named && !s->by_cell)
        SOW_FAIL(err, SOW_E_DATA, "%s is %lld x %lld but %s names %lld features and %s %lld cells", s->matrix, (long long)s->n_rows, (long long)s->n_columns,
                 sow_i_basename(s->features), (long long)s->n_features, sow_i_basename(s->barcodes), (long long)f->n_cells);
    if (stat(s->matrix, &info) != 0) SOW_FAIL(err, SOW_E_IO, "%s: cannot open: %s", s->matrix, strerror(errno));
    double most = (double)info.st_size * (gzdirect(s->text.file) ? 1.0 : GZIP_MOST) / 4; /* "1 1\n" is the shortest entry */
    if ((double)s->n_entries > most + 1)
        SOW_FAIL(err, SOW_E_DATA, "%s: claims %lld entries in %lld bytes; the file is damaged", s->matrix, (long long)s->n_entries, (long long)info.st_size);
    f->n_values = s->n_entries;
done:
    return st;
}

/* ---- entries ---- */

static const char *skip_blanks(const char *p)
{
    while (*p == ' ' || *p == '\t') p++;
    return p;
}

/* A position from 1; *p moves behind it. 0 when there is none. */
static sow_index position(const char **p)
{
    sow_index x = 0;
    const char *q = skip_blanks(*p);
    while (*q >= '0' && *q <= '9' && x < INT32_MAX) x = x * 10 + (*q++ - '0');
    *p = q;
    return *q == ' ' || *q == '\t' || *q == '\0' ? x : 0;
}

/* Most values are small whole numbers. */
static int value_of(float *out, const char *p)
{
    double x = 0;
    int32_t whole = 0;
    const char *q = p = skip_blanks(p);
    while (*q >= '0' && *q <= '9' && q - p < 7) whole = whole * 10 + (*q++ - '0');
    if (q > p && *skip_blanks(q) == '\0') {
        *out = (float)whole;
        return 1;
    }
    if (!sow_i_parse_number(&x, p) || *p == '\0') return 0;
    *out = (float)x;
    return 1;
}

static sow_status parse_entry(sow_i_entry *e, const sow_cell_file *f, const char *line, sow_error *err)
{
    sow_status st = SOW_OK;
    const state *s = f->state;
    const char *p = line;
    sow_index row = position(&p), column = position(&p);
    if (row < 1 || column < 1 || row > s->n_rows || column > s->n_columns)
        SOW_FAIL(err, SOW_E_DATA, "%s:%lld: '%.60s': a row of 1 to %lld and a column of 1 to %lld are expected", s->matrix, (long long)s->text.line, line,
                 (long long)s->n_rows, (long long)s->n_columns);
    sow_index feature = (s->by_cell ? column : row) - 1;
    *e = (sow_i_entry){(int32_t)((s->by_cell ? row : column) - 1), s->gene_of ? s->gene_of[feature] : (int32_t)feature, 1.0f};
    if (s->pattern ? *skip_blanks(p) != '\0' : !value_of(&e->value, p))
        SOW_FAIL(err, SOW_E_DATA, "%s:%lld: '%.60s': row, column%s are expected", s->matrix, (long long)s->text.line, line, s->pattern ? "" : " and value");
done:
    return st;
}

static sow_status read_entries(sow_cell_file *f, sow_i_entry *piece, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    state *s = f->state;
    sow_index n = 0, seen = 0;
    for (;;) {
        char *line = NULL;
        SOW_TRY(lines_next(&line, &s->text, err));
        if (line && *skip_blanks(line) == '\0') continue;
        if (line && seen == s->n_entries)
            SOW_FAIL(err, SOW_E_DATA, "%s:%lld: more entries than the %lld it claims", s->matrix, (long long)s->text.line, (long long)s->n_entries);
        if (n == PIECE || !line) {
            SOW_TRY(sow_i_spool_append(s->spool, piece, n, err));
            SOW_TRY(sow_progress(env, "reading cells", s->n_entries > 0 ? (double)seen / (double)s->n_entries : 1.0, err));
            n = 0;
        }
        if (!line) break;
        SOW_TRY(parse_entry(&piece[n], f, line, err));
        n += piece[n].gene >= 0;
        seen++;
    }
    if (seen < s->n_entries)
        SOW_FAIL(err, SOW_E_DATA, "%s: ends after %lld of %lld entries; copy the file again", s->matrix, (long long)seen, (long long)s->n_entries);
done:
    return st;
}

static sow_status spool_text(sow_cell_file *f, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    state *s = f->state;
    sow_i_entry *piece = NULL;
    lines_close(&s->text);
    SOW_TRY(lines_open(&s->text, s->matrix, err));
    SOW_TRY(read_banner(s, err));
    SOW_TRY(read_size(s, err));
    SOW_TRY(check_size(f, err)); /* again: the file may have been changed since it was opened */
    SOW_NEW(piece, PIECE);
    SOW_TRY(sow_i_spool_create(&s->spool, f, err));
    SOW_TRY(read_entries(f, piece, env, err));
    SOW_TRY(sow_i_spool_turn(s->spool, err));
done:
    lines_close(&s->text);
    if (st != SOW_OK) {
        sow_i_spool_destroy(s->spool);
        s->spool = NULL;
    }
    free(piece);
    return st;
}

static sow_status next_mtx(sow_i_raw_block *out, sow_cell_file *f, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    state *s = f->state;
    if (!s->spool) SOW_TRY(spool_text(f, env, err));
    SOW_TRY(sow_i_spool_next(out, s->spool, err));
done:
    return st;
}

static sow_status rewind_mtx(sow_cell_file *f, sow_error *err)
{
    state *s = f->state;
    (void)err;
    if (s->spool) sow_i_spool_rewind(s->spool);
    return SOW_OK;
}

static const sow_i_cell_backend mtx_backend = {"MatrixMarket", next_mtx, rewind_mtx, close_mtx};

sow_status sow_i_cell_open_mtx(sow_cell_file *f, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    state *s = NULL;
    SOW_NEW(s, 1);
    f->state = s;
    f->backend = &mtx_backend;
    if (f->layer && strcmp(f->layer, "X") != 0) SOW_FAIL(err, SOW_E_DATA, "%s: a MatrixMarket folder has one matrix and no layer '%s'", f->path, f->layer);
    SOW_TRY(find_files(f, err));
    SOW_TRY(count_barcodes(f, err));
    SOW_TRY(read_features(f, env, err));
    SOW_TRY(lines_open(&s->text, s->matrix, err));
    SOW_TRY(read_banner(s, err));
    SOW_TRY(read_size(s, err));
    SOW_TRY(check_size(f, err));
    SOW_TRY(sow_i_cell_size_block(f, err));
done:
    if (st == SOW_OK) lines_close(&s->text);
    return st;
}
