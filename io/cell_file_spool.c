/* Turning a matrix that comes gene by gene, or in no order, into cells in bounded memory: entries are put on disk into buckets of neighbouring cells that fit into
 * memory, and each bucket is sorted by cell when it is read back (a counting sort, which keeps the order within a cell). */
#include "io/cell_file_internal.h"

#include "core/memory.h"
#include "io/file_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_BINS = 1 << 16, PIECE = 1 << 16 };

typedef struct {
    sow_index first_cell, n_cells; /* neighbours */
    sow_index begin, size, put;    /* entries: place in the file, how many, how many are there */
    sow_index held;                /* in `waiting` */
} bucket;

struct sow_i_spool {
    const char *where;  /* borrowed from the cell file */
    char *folder;
    int fd;
    sow_index n_cells, memory;
    int shift;          /* a bin is 2^shift cells */
    sow_index n_bins;
    int64_t *in_bin;    /* [n_bins] entries */
    int32_t *bucket_of; /* [n_bins] */
    bucket *bucket;
    sow_index n_buckets, buckets_capacity;
    sow_i_entry *waiting; /* [n_buckets, wait] */
    sow_index wait;
    /* appended in the order of the source, before it is known what comes */
    sow_index n_appended;
    int32_t last_cell;
    int in_order;
    /* reading back */
    sow_index at;
    sow_i_entry *entry;
    int64_t *start, *cursor;
    int32_t *gene;
    float *value;
    sow_index entry_capacity, cell_capacity;
};

static sow_status open_file(sow_i_spool *s, sow_error *err)
{
    char *path = sow_format("%s/sower-cells-XXXXXX", s->folder);
    if (!path) return SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
    int fd = mkstemp(path), code = errno;
    if (fd >= 0) unlink(path); /* it goes away with its last descriptor, whatever happens */
    free(path);
    if (fd < 0) return SOW_ERROR(err, SOW_E_IO, "cannot write a temporary file in '%s': %s; name another folder with TMPDIR", s->folder, strerror(code));
    if (s->fd >= 0) close(s->fd);
    s->fd = fd;
    return SOW_OK;
}

sow_status sow_i_spool_create(sow_i_spool **out, const sow_cell_file *f, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_spool *s = NULL;
    const char *folder = f->scratch ? f->scratch : getenv("TMPDIR");
    *out = NULL;
    SOW_NEW(s, 1);
    s->fd = -1;
    s->where = f->where;
    s->n_cells = f->n_cells;
    s->memory = f->memory;
    s->in_order = 1;
    while ((s->n_cells >> s->shift) >= MOST_BINS) s->shift++;
    s->n_bins = (s->n_cells >> s->shift) + 1;
    s->folder = sow_strdup(folder && *folder ? folder : "/tmp");
    if (!s->folder) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_NEW(s->in_bin, s->n_bins);
    SOW_NEW(s->bucket_of, s->n_bins);
    SOW_TRY(open_file(s, err));
    *out = s;
    s = NULL;
done:
    sow_i_spool_destroy(s);
    return st;
}

void sow_i_spool_destroy(sow_i_spool *s)
{
    if (!s) return;
    if (s->fd >= 0) close(s->fd);
    free(s->folder);
    free(s->in_bin);
    free(s->bucket_of);
    free(s->bucket);
    free(s->waiting);
    free(s->entry);
    free(s->start);
    free(s->cursor);
    free(s->gene);
    free(s->value);
    free(s);
}

/* ---- the file ---- */

static sow_status write_entries(const sow_i_spool *s, sow_index at, const sow_i_entry *entry, sow_index n, sow_error *err)
{
    const char *p = (const char *)entry;
    size_t left = (size_t)n * sizeof *entry;
    off_t offset = (off_t)at * (off_t)sizeof *entry;
    while (left > 0) {
        ssize_t done = pwrite(s->fd, p, left, offset);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0)
            return SOW_ERROR(err, SOW_E_IO, "cannot write a temporary file in '%s': %s; name another folder with TMPDIR", s->folder,
                             done < 0 ? strerror(errno) : "nothing was written");
        p += done;
        left -= (size_t)done;
        offset += done;
    }
    return SOW_OK;
}

static sow_status read_entries(sow_i_entry *entry, int fd, const sow_i_spool *s, sow_index at, sow_index n, sow_error *err)
{
    char *p = (char *)entry;
    size_t left = (size_t)n * sizeof *entry;
    off_t offset = (off_t)at * (off_t)sizeof *entry;
    while (left > 0) {
        ssize_t done = pread(fd, p, left, offset);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0)
            return SOW_ERROR(err, SOW_E_IO, "cannot read a temporary file in '%s': %s", s->folder, done < 0 ? strerror(errno) : "it is cut off");
        p += done;
        left -= (size_t)done;
        offset += done;
    }
    return SOW_OK;
}

/* ---- putting ---- */

void sow_i_spool_count(sow_i_spool *s, const int32_t *cell, sow_index n)
{
    for (sow_index i = 0; i < n; i++) s->in_bin[cell[i] >> s->shift]++;
}

/* Buckets as large as a quarter of the memory allows: 12 bytes an entry as put, 8 as handed out. */
sow_status sow_i_spool_plan(sow_i_spool *s, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index most = s->memory / 80, most_cells = s->memory / 64, begin = 0;
    for (sow_index i = 0; i < s->n_bins; i++) {
        sow_index first = i << s->shift, cells = s->n_cells - first < (sow_index)1 << s->shift ? s->n_cells - first : (sow_index)1 << s->shift;
        bucket *b = s->n_buckets > 0 ? &s->bucket[s->n_buckets - 1] : NULL;
        if (cells <= 0) break;
        if (!b || b->size + s->in_bin[i] > most || b->n_cells + cells > most_cells) {
            SOW_TRY(sow_grow(&s->bucket, &s->buckets_capacity, s->n_buckets + 1, sizeof *s->bucket, err));
            b = &s->bucket[s->n_buckets++];
            b->first_cell = first;
            b->begin = begin;
        }
        b->size += s->in_bin[i];
        b->n_cells += cells;
        begin += s->in_bin[i];
        s->bucket_of[i] = (int32_t)(s->n_buckets - 1);
    }
    s->wait = s->n_buckets > 0 ? s->memory / 48 / s->n_buckets : 1;
    s->wait = s->wait < 8 ? 8 : s->wait > 4096 ? 4096 : s->wait;
done:
    return st;
}

static sow_status send(sow_i_spool *s, sow_index k, sow_error *err)
{
    sow_status st = SOW_OK;
    bucket *b = &s->bucket[k];
    if (b->put + b->held > b->size) SOW_FAIL(err, SOW_E_DATA, "%s: changed while it was read; try again", s->where);
    SOW_TRY(write_entries(s, b->begin + b->put, s->waiting + k * s->wait, b->held, err));
    b->put += b->held;
    b->held = 0;
done:
    return st;
}

sow_status sow_i_spool_put(sow_i_spool *s, const sow_i_entry *entry, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    if (!s->waiting) SOW_NEW(s->waiting, s->n_buckets * s->wait);
    for (sow_index i = 0; i < n; i++) {
        sow_index k = s->bucket_of[entry[i].cell >> s->shift];
        bucket *b = &s->bucket[k];
        s->waiting[k * s->wait + b->held++] = entry[i];
        if (b->held == s->wait) SOW_TRY(send(s, k, err));
    }
done:
    return st;
}

sow_status sow_i_spool_finish(sow_i_spool *s, sow_error *err)
{
    sow_status st = SOW_OK;
    for (sow_index k = 0; k < s->n_buckets; k++) {
        if (s->bucket[k].held > 0) SOW_TRY(send(s, k, err));
        if (s->bucket[k].put != s->bucket[k].size) SOW_FAIL(err, SOW_E_DATA, "%s: changed while it was read; try again", s->where);
    }
    free(s->waiting);
    s->waiting = NULL;
done:
    return st;
}

/* ---- appending ---- */

sow_status sow_i_spool_append(sow_i_spool *s, const sow_i_entry *entry, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    for (sow_index i = 0; i < n; i++) {
        s->in_order = s->in_order && entry[i].cell >= s->last_cell;
        s->last_cell = entry[i].cell;
        s->in_bin[entry[i].cell >> s->shift]++;
    }
    SOW_TRY(write_entries(s, s->n_appended, entry, n, err));
    s->n_appended += n;
done:
    return st;
}

sow_status sow_i_spool_turn(sow_i_spool *s, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_entry *piece = NULL;
    int from = -1;
    SOW_TRY(sow_i_spool_plan(s, err));
    if (s->in_order) goto done; /* buckets lie one after the other already */
    from = s->fd;
    s->fd = -1;
    SOW_TRY(open_file(s, err));
    SOW_NEW(piece, PIECE);
    for (sow_index at = 0; at < s->n_appended; at += PIECE) {
        sow_index n = s->n_appended - at < PIECE ? s->n_appended - at : PIECE;
        SOW_TRY(read_entries(piece, from, s, at, n, err));
        SOW_TRY(sow_i_spool_put(s, piece, n, err));
    }
    SOW_TRY(sow_i_spool_finish(s, err));
done:
    if (from >= 0) close(from);
    free(piece);
    return st;
}

/* ---- back ---- */

static sow_status make_room(sow_i_spool *s, const bucket *b, sow_error *err)
{
    sow_status st = SOW_OK;
    if (b->size > s->entry_capacity || !s->entry) {
        free(s->entry);
        free(s->gene);
        free(s->value);
        s->entry = NULL;
        s->gene = NULL;
        s->value = NULL;
        SOW_NEW(s->entry, b->size);
        SOW_NEW(s->gene, b->size);
        SOW_NEW(s->value, b->size);
        s->entry_capacity = b->size;
    }
    if (b->n_cells > s->cell_capacity || !s->start) {
        free(s->start);
        free(s->cursor);
        s->start = s->cursor = NULL;
        SOW_NEW(s->start, b->n_cells + 1);
        SOW_NEW(s->cursor, b->n_cells + 1);
        s->cell_capacity = b->n_cells;
    }
done:
    return st;
}

sow_status sow_i_spool_next(sow_i_raw_block *out, sow_i_spool *s, sow_error *err)
{
    sow_status st = SOW_OK;
    if (s->at >= s->n_buckets) return SOW_OK;
    const bucket *b = &s->bucket[s->at];
    SOW_TRY(make_room(s, b, err));
    SOW_TRY(read_entries(s->entry, s->fd, s, b->begin, b->size, err));
    memset(s->start, 0, (size_t)(b->n_cells + 1) * sizeof *s->start);
    for (sow_index i = 0; i < b->size; i++) s->start[s->entry[i].cell - b->first_cell + 1]++;
    for (sow_index i = 0; i < b->n_cells; i++) s->start[i + 1] += s->start[i];
    memcpy(s->cursor, s->start, (size_t)(b->n_cells + 1) * sizeof *s->start);
    for (sow_index i = 0; i < b->size; i++) {
        sow_index at = s->cursor[s->entry[i].cell - b->first_cell]++;
        s->gene[at] = s->entry[i].gene;
        s->value[at] = s->entry[i].value;
    }
    s->at++;
    *out = (sow_i_raw_block){b->n_cells, s->start, s->gene, s->value};
done:
    return st;
}

void sow_i_spool_rewind(sow_i_spool *s)
{
    s->at = 0;
}
