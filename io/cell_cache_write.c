/* Making a cache: one pass over a cell file, written beside and renamed.
 *
 * A half-written file carries a lock that the kernel drops with the process that made it, so that whoever comes next can tell what a dead one left from
 * what a living one is writing. Two processes that make the same cache do not wait for each other: both write the same bytes, the last rename stays.
 * Nothing is flushed to the disk: after a power failure the checksum tells a torn file, which is then made again from the source. */
#include "io/cell_cache_internal.h"

#include "core/memory.h"
#include "io/cell_file.h"
#include "io/file.h"
#include "io/file_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char temporary_mark[] = ".making-"; /* follows the name of the cache */

/* ---- the file beside ---- */

/* No other process, thread or earlier life of this process id has the name. */
static char *temporary_name(const char *path)
{
    static _Atomic unsigned count;
    struct timespec t = {0};
    clock_gettime(CLOCK_REALTIME, &t);
    return sow_format("%s%s%ld-%lld%09ld-%u", path, temporary_mark, (long)getpid(), (long long)t.tv_sec, t.tv_nsec, atomic_fetch_add(&count, 1u));
}

/* A sweep may have taken the file for a dead one's between its creation and the lock: then it has no name any more. */
static int is_linked(int fd)
{
    struct stat s;
    return fstat(fd, &s) == 0 && s.st_nlink > 0;
}

sow_status sow_i_cache_beside(int *fd, char **name, const char *path, sow_error *err)
{
    sow_status st = SOW_OK;
    *fd = -1;
    for (int attempt = 0; attempt < 100; attempt++) {
        *name = temporary_name(path);
        if (!*name) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
        *fd = open(*name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (*fd < 0) {
            st = sow_i_io_error(err, "create", *name, errno);
            goto done;
        }
        /* Where locks are not supported there are no sweeps either. */
        if ((flock(*fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) && is_linked(*fd)) return SOW_OK;
        close(*fd);
        unlink(*name);
        free(*name);
        *name = NULL;
        *fd = -1;
    }
    SOW_FAIL(err, SOW_E_IO, "cannot create '%s': it was removed at once each time", path);
done:
    free(*name);
    *name = NULL;
    return st;
}

void sow_i_cache_sweep(const char *folder)
{
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        if (!strstr(e->d_name, temporary_mark)) continue;
        char *path = sow_path_join(folder, e->d_name);
        int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) unlink(path);
        if (fd >= 0) close(fd);
        free(path);
    }
    if (d) closedir(d);
}

/* ---- writing ---- */

typedef struct {
    const char *folder; /* for messages */
    int fd;
    sow_i_cache_header header;
    sow_index cells, values; /* written so far */
    uint64_t sum;
    int64_t *start; /* of a block, as it stands in the whole */
    sow_index start_capacity;
} writer;

/* 0 or the errno. */
static int write_at(int fd, const void *bytes, size_t n, int64_t at)
{
    const char *p = bytes;
    while (n > 0) {
        ssize_t k = pwrite(fd, p, n, (off_t)at);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return errno;
        p += k;
        at += k;
        n -= (size_t)k;
    }
    return 0;
}

static sow_status put(writer *w, const void *bytes, int64_t n, int64_t at, sow_error *err)
{
    int e = write_at(w->fd, bytes, (size_t)n, at);
    return e ? sow_i_io_error(err, "write the cache in", w->folder, e) : SOW_OK;
}

enum { CHUNK = 1 << 16 }; /* entries of one task: they stay in the processor's cache from the checksum to the write */

typedef struct {
    writer *w;
    const sow_cell_block *block;
    uint64_t *sum;
} chunk_job;

static sow_status put_chunk(void *user, sow_index i, sow_error *err)
{
    sow_status st = SOW_OK;
    chunk_job *job = user;
    writer *w = job->w;
    sow_index total = job->block->start[job->block->n], first = i * CHUNK, n = total - first < CHUNK ? total - first : CHUNK;
    const int32_t *gene = job->block->gene + first;
    const float *value = job->block->value + first;
    sow_index at = w->values + first;
    job->sum[i] = sow_i_cache_sum_entries(gene, value, at, n);
    SOW_TRY(put(w, gene, 4 * n, w->header.gene_at + 4 * at, err));
    SOW_TRY(put(w, value, 4 * n, w->header.value_at + 4 * at, err));
done:
    return st;
}

static sow_status put_entries(writer *w, const sow_cell_block *block, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index chunks = (block->start[block->n] + CHUNK - 1) / CHUNK;
    chunk_job job = {w, block, NULL};
    SOW_NEW(job.sum, chunks);
    SOW_TRY(sow_parallel_for(sow_env_threads(env), chunks, put_chunk, &job, err));
    for (sow_index i = 0; i < chunks; i++) w->sum += job.sum[i];
done:
    free(job.sum);
    return st;
}

static sow_status put_block(writer *w, const sow_cell_block *block, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index n = block->n, added = block->start[n];
    if (block->first != w->cells || n > w->header.n_cells - w->cells || added > w->header.n_values - w->values)
        SOW_FAIL(err, SOW_E_DATA, "%s: the source changed while it was read; run the same command again", w->folder);
    SOW_TRY(sow_grow(&w->start, &w->start_capacity, n, sizeof *w->start, err));
    for (sow_index i = 0; i < n; i++) w->start[i] = w->values + block->start[i + 1];
    SOW_TRY(put(w, w->start, 8 * n, w->header.start_at + 8 * (w->cells + 1), err));
    w->sum += sow_i_cache_sum_start(w->start, w->cells + 1, n);
    SOW_TRY(put_entries(w, block, env, err));
    w->cells += n;
    w->values += added;
done:
    return st;
}

/* Values were put where they would stand if every promised entry had come. Dense files promise all of them: the gap is closed then, so that the file is
 * as long as what it holds. A small gap stays (it is a hole and takes no room). */
static sow_status close_gap(writer *w, sow_error *err)
{
    sow_status st = SOW_OK;
    char *buffer = NULL;
    sow_i_cache_header h;
    enum { STEP = 1 << 20 };
    SOW_TRY(sow_i_cache_layout(&h, w->header.n_cells, w->header.n_genes, w->values, w->folder, err));
    int64_t size = 4 * w->values;
    if (w->header.value_at - h.value_at <= size / 8) {
        w->header.n_values = w->values;
        w->header.names_at = (w->header.value_at + size + 7) / 8 * 8;
        return SOW_OK;
    }
    SOW_NEW(buffer, STEP);
    for (int64_t at = 0; at < size; at += STEP) {
        size_t n = (size_t)(size - at < STEP ? size - at : STEP), got = 0;
        while (got < n) {
            ssize_t k = pread(w->fd, buffer + got, n - got, (off_t)(w->header.value_at + at + (int64_t)got));
            if (k < 0 && errno == EINTR) continue;
            if (k <= 0) {
                st = sow_i_io_error(err, "read back the cache in", w->folder, k < 0 ? errno : 0);
                goto done;
            }
            got += (size_t)k;
        }
        SOW_TRY(put(w, buffer, (int64_t)n, h.value_at + at, err));
    }
    w->header = h;
done:
    free(buffer);
    return st;
}

static sow_status put_names(writer *w, const sow_names *genes, sow_error *err)
{
    sow_status st = SOW_OK;
    char *text = NULL;
    int64_t size = 0, at = 0;
    for (sow_index i = 0; i < sow_names_count(genes); i++) size += (int64_t)strlen(sow_names_get(genes, i)) + 1;
    SOW_NEW(text, size);
    for (sow_index i = 0; i < sow_names_count(genes); i++) {
        size_t n = strlen(sow_names_get(genes, i)) + 1;
        memcpy(text + at, sow_names_get(genes, i), n);
        at += (int64_t)n;
    }
    w->header.names_size = size;
    w->sum += sow_i_cache_sum_names(text, size);
    SOW_TRY(put(w, text, size, w->header.names_at, err));
done:
    free(text);
    return st;
}

static sow_status put_ends(writer *w, const char *key, sow_error *err)
{
    sow_status st = SOW_OK;
    const int64_t zero = 0;
    SOW_TRY(put(w, &zero, 8, w->header.start_at, err));
    w->sum += sow_i_cache_sum_start(&zero, 0, 1);
    int64_t end = w->header.names_at + w->header.names_size;
    w->header.file_size = end + 8;
    strncpy(w->header.key, key, sizeof w->header.key - 1);
    SOW_TRY(put(w, &w->header, sizeof w->header, 0, err));
    w->sum += sow_i_cache_sum_header(&w->header);
    SOW_TRY(put(w, &w->sum, 8, end, err));
    if (ftruncate(w->fd, (off_t)w->header.file_size) != 0) st = sow_i_io_error(err, "write the cache in", w->folder, errno);
done:
    return st;
}

/* *needed becomes 0 when the writing can stop. */
static sow_status put_cells(writer *w, int *needed, const sow_i_cache_name *name, sow_cell_file *file, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_cell_block block = {0};
    for (;;) {
        SOW_TRY(sow_cell_file_next(&block, file, env, err));
        if (block.n == 0) break;
        SOW_TRY(put_block(w, &block, env, err));
        SOW_TRY(sow_progress(env, "reading cells", (double)w->cells / (double)w->header.n_cells, err));
        *needed = !name->unneeded(name->user);
        if (!*needed) goto done;
    }
    if (w->cells != w->header.n_cells)
        SOW_FAIL(err, SOW_E_DATA, "%s: the source ended after %lld of %lld cells; run the same command again", w->folder, (long long)w->cells,
                 (long long)w->header.n_cells);
    SOW_TRY(close_gap(w, err));
    SOW_TRY(put_names(w, sow_cell_file_genes(file), err));
done:
    return st;
}

sow_status sow_i_cache_write(int *fd, const char *folder, const sow_i_cache_name *name, sow_cell_file *file, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    writer w = {.folder = folder, .fd = -1};
    char *place = sow_path_join(folder, "new.cells"), *beside = NULL;
    const char *path = NULL, *key = NULL;
    int needed = 1;
    *fd = -1;
    if (!place) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_i_cache_layout(&w.header, sow_cell_file_n_cells(file), sow_cell_file_n_genes(file), sow_cell_file_n_values(file), folder, err));
    SOW_TRY(sow_i_cache_beside(&w.fd, &beside, place, err));
    SOW_TRY(put_cells(&w, &needed, name, file, env, err));
    if (!needed) goto done;
    SOW_TRY(name->wait(name->user, &path, &key, err));
    SOW_TRY(put_ends(&w, key, err));
    if (rename(beside, path) != 0) {
        st = sow_i_io_error(err, "write", path, errno);
        goto done;
    }
    *fd = w.fd;
done:
    if (*fd < 0 && beside) unlink(beside);
    if (*fd < 0 && w.fd >= 0) close(w.fd);
    free(place);
    free(beside);
    free(w.start);
    return st;
}
