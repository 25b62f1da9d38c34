/* The SHA-256 of a source, remembered: hashing 20 GB takes ten seconds and more, and nearly always nothing has changed. A remembered digest is trusted when
 * size, device, inode and both times of the file agree to the nanosecond, and when those times were over when it was noted: a file system's clock is
 * coarse, so that a file altered twice within one tick would look the same. */
#include "io/cell_cache_internal.h"

#include "core/memory.h"
#include "io/file.h"
#include "io/file_internal.h"
#include "io/text_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SETTLED_S = 2, LINE = 512 };

sow_status sow_i_file_state_of(sow_i_file_state *out, const char *path, sow_error *err)
{
    struct stat s;
    memset(out, 0, sizeof *out);
    if (stat(path, &s) != 0) return sow_i_io_error(err, "read", path, errno);
    *out = (sow_i_file_state){(int64_t)s.st_size,          (int64_t)s.st_dev,          (int64_t)s.st_ino,          (int64_t)s.st_mtim.tv_sec,
                              (int64_t)s.st_mtim.tv_nsec, (int64_t)s.st_ctim.tv_sec, (int64_t)s.st_ctim.tv_nsec};
    return SOW_OK;
}

int sow_i_file_state_same(const sow_i_file_state *a, const sow_i_file_state *b)
{
    return a->size == b->size && a->device == b->device && a->inode == b->inode && a->modified_s == b->modified_s &&
           a->modified_ns == b->modified_ns && a->changed_s == b->changed_s && a->changed_ns == b->changed_ns;
}

/* ---- notes ---- */

/* Where the digest of a file is remembered; the name depends on its real path. NULL and SOW_OK: the path cannot be resolved. */
static sow_status note_path(char **out, const char *path, const char *folder, sow_error *err)
{
    sow_status st = SOW_OK;
    char *real = realpath(path, NULL), *name = NULL, hex[65];
    *out = NULL;
    if (!real) goto done;
    sow_sha256(hex, real, strlen(real));
    name = sow_format("%s.sum", hex);
    *out = name ? sow_path_join(folder, name) : NULL;
    if (!*out) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
done:
    free(name);
    free(real);
    return st;
}

/* One line and the digest of that line: a torn note is no note. */
static void print_note(char line[LINE], const sow_i_file_state *s, int64_t noted_s, const char *digest)
{
    char own[65];
    int n = snprintf(line, LINE,
                     "sower-sum 1 %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 ".%09" PRId64 " %" PRId64 ".%09" PRId64 " %" PRId64 " %s ", s->size,
                     s->device, s->inode, s->modified_s, s->modified_ns, s->changed_s, s->changed_ns, noted_s, digest);
    sow_sha256(own, line, (size_t)n);
    snprintf(line + n, (size_t)(LINE - n), "%s\n", own);
}

/* 1 and the digest when a note of this state can be trusted. */
static int recall(char digest[65], const char *note, const sow_i_file_state *s)
{
    char line[LINE] = {0}, expected[LINE];
    int64_t noted_s = 0;
    FILE *f = fopen(note, "r");
    if (!f) return 0;
    size_t n = fread(line, 1, sizeof line - 1, f);
    fclose(f);
    line[n] = '\0';
    if (sscanf(line, "sower-sum 1 %*d %*d %*d %*d.%*d %*d.%*d %" SCNd64 " %64[0-9a-f]", &noted_s, digest) != 2 || strlen(digest) != 64) return 0;
    print_note(expected, s, noted_s, digest);
    if (strcmp(line, expected) != 0) return 0;
    return noted_s - s->modified_s > SETTLED_S && noted_s - s->changed_s > SETTLED_S;
}

/* Best effort: a folder that cannot be written only costs the hashing again. */
static void note_down(const char *note, const sow_i_file_state *s, const char *digest, int64_t noted_s)
{
    char line[LINE], *beside = NULL;
    int fd = -1;
    if (sow_i_cache_beside(&fd, &beside, note, NULL) != SOW_OK) return;
    print_note(line, s, noted_s, digest);
    size_t n = strlen(line);
    if (write(fd, line, n) != (ssize_t)n || rename(beside, note) != 0) unlink(beside);
    close(fd);
    free(beside);
}

static sow_status digest_of_file(char *digest, sow_i_file_state *state, const char *path, const char *folder, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_file_state after;
    char *note = NULL;
    SOW_TRY(sow_i_file_state_of(state, path, err));
    if (!digest) goto done;
    SOW_TRY(note_path(&note, path, folder, err));
    if (note && recall(digest, note, state)) goto done;
    int64_t noted_s = (int64_t)time(NULL);
    SOW_TRY(sow_file_sha256(digest, path, err));
    SOW_TRY(sow_i_file_state_of(&after, path, err));
    if (!sow_i_file_state_same(state, &after)) SOW_FAIL(err, SOW_E_IO, "%s: it changed while it was read; run the same command again", path);
    if (note) note_down(note, state, digest, noted_s);
done:
    free(note);
    return st;
}

/* ---- folders ---- */

static int is_part(const char *name)
{
    return name[0] != '.' && (sow_i_has_extension(name, ".mtx") || sow_i_has_extension(name, ".tsv"));
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static sow_status list_parts(char ***out, sow_index *n, const char *path, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index capacity = 0;
    DIR *d = opendir(path);
    if (!d) return sow_i_io_error(err, "read the folder", path, errno);
    for (struct dirent *e; (e = readdir(d));) {
        if (!is_part(e->d_name)) continue;
        SOW_TRY(sow_grow(out, &capacity, *n + 1, sizeof **out, err));
        (*out)[*n] = sow_strdup(e->d_name);
        if (!(*out)[*n]) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
        ++*n;
    }
    if (*n) qsort(*out, (size_t)*n, sizeof **out, by_text);
done:
    closedir(d);
    return st;
}

static void fold(sow_i_file_state *all, const sow_i_file_state *one)
{
    const int64_t *from = (const int64_t *)one;
    int64_t *to = (int64_t *)all;
    for (size_t i = 0; i < sizeof *all / sizeof *to; i++) to[i] = (int64_t)((uint64_t)to[i] * 1099511628211u + (uint64_t)from[i]);
}

static sow_status digest_of_folder(char *digest, sow_i_file_state *state, const char *path, const char *folder, sow_error *err)
{
    sow_status st = SOW_OK;
    char **part = NULL, *file = NULL, one[65];
    sow_index n = 0;
    sow_text text = {0};
    sow_i_file_state own;
    memset(state, 0, sizeof *state);
    SOW_TRY(list_parts(&part, &n, path, err));
    for (sow_index i = 0; i < n; i++) {
        file = sow_path_join(path, part[i]);
        if (!file) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
        SOW_TRY(digest_of_file(digest ? one : NULL, &own, file, folder, err));
        fold(state, &own);
        if (digest) sow_text_printf(&text, "%s %s\n", one, part[i]);
        free(file);
        file = NULL;
    }
    if (text.failed) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    if (digest) sow_sha256(digest, text.text ? text.text : "", text.size);
done:
    for (sow_index i = 0; i < n; i++) free(part[i]);
    free(part);
    free(file);
    sow_text_clear(&text);
    return st;
}

sow_status sow_i_cell_source_digest(char *digest, sow_i_file_state *state, const char *path, const char *folder, sow_error *err)
{
    struct stat s;
    if (digest) digest[0] = '\0';
    if (stat(path, &s) != 0) return sow_i_io_error(err, "read", path, errno);
    return S_ISDIR(s.st_mode) ? digest_of_folder(digest, state, path, folder, err) : digest_of_file(digest, state, path, folder, err);
}
