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
#include <nettle/base16.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SETTLED_S = 2, LINE = 512, BLOCK = 1 << 18 };

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

static sow_status hash_open_file(char hex[65], int fd, int64_t size, const char *path, const atomic_int *stop, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    uint8_t *block = NULL, digest[SHA256_DIGEST_SIZE];
    struct sha256_ctx ctx;
    int64_t done_bytes = 0;
    sha256_init(&ctx);
    SOW_NEW(block, BLOCK);
    for (;;) {
        ssize_t k = read(fd, block, BLOCK);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) {
            st = sow_i_io_error(err, "read", path, errno);
            goto done;
        }
        if (k == 0) break;
        sha256_update(&ctx, (size_t)k, block);
        done_bytes += k;
        if (stop && atomic_load(stop)) SOW_FAIL(err, SOW_E_CANCELLED, "%s: reading was stopped", path);
        if (done_bytes % (100 * (int64_t)BLOCK) == 0 && done_bytes < size)
            SOW_TRY(sow_progress(env, "taking the digest", (double)done_bytes / (double)size, err));
    }
    sha256_digest(&ctx, sizeof digest, digest);
    base16_encode_update(hex, sizeof digest, digest);
    hex[64] = '\0';
done:
    free(block);
    return st;
}

/* As sow_file_sha256, but it can be stopped: it may take a minute. */
static sow_status hash_file(char hex[65], int64_t size, const char *path, const atomic_int *stop, const sow_env *env, sow_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return sow_i_io_error(err, "read", path, errno);
    sow_status st = hash_open_file(hex, fd, size, path, stop, env, err);
    close(fd);
    return st;
}

static sow_status digest_of_file(sow_i_source_digest *out, sow_i_digest_effort effort, const char *path, const char *folder, const atomic_int *stop,
                                 const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_file_state after;
    char *note = NULL;
    out->digest[0] = '\0';
    SOW_TRY(sow_i_file_state_of(&out->state, path, err));
    if (effort == SOW_I_STATE_ONLY) goto done;
    SOW_TRY(note_path(&note, path, folder, err));
    if (note && recall(out->digest, note, &out->state)) goto done;
    out->digest[0] = '\0';
    if (effort == SOW_I_RECALL) goto done;
    int64_t noted_s = (int64_t)time(NULL);
    SOW_TRY(hash_file(out->digest, out->state.size, path, stop, env, err));
    SOW_TRY(sow_i_file_state_of(&after, path, err));
    if (!sow_i_file_state_same(&out->state, &after)) SOW_FAIL(err, SOW_E_IO, "%s: it changed while it was read; run the same command again", path);
    if (note) note_down(note, &out->state, out->digest, noted_s);
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

static sow_status digest_of_folder(sow_i_source_digest *out, sow_i_digest_effort effort, const char *path, const char *folder, const atomic_int *stop,
                                   const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    char **part = NULL, *file = NULL;
    sow_index n = 0, known = 0;
    sow_text text = {0};
    sow_i_source_digest one;
    memset(out, 0, sizeof *out);
    SOW_TRY(list_parts(&part, &n, path, err));
    for (sow_index i = 0; i < n; i++) {
        file = sow_path_join(path, part[i]);
        if (!file) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
        SOW_TRY(digest_of_file(&one, effort, file, folder, stop, env, err));
        fold(&out->state, &one.state);
        sow_text_printf(&text, "%s %s\n", one.digest, part[i]);
        known += one.digest[0] != '\0';
        free(file);
        file = NULL;
    }
    if (text.failed) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    if (known == n) sow_sha256(out->digest, text.text ? text.text : "", text.size);
done:
    for (sow_index i = 0; i < n; i++) free(part[i]);
    free(part);
    free(file);
    sow_text_clear(&text);
    return st;
}

sow_status sow_i_cell_source_digest(sow_i_source_digest *out, sow_i_digest_effort effort, const char *path, const char *folder, const atomic_int *stop,
                                    const sow_env *env, sow_error *err)
{
    struct stat s;
    out->digest[0] = '\0';
    if (stat(path, &s) != 0) return sow_i_io_error(err, "read", path, errno);
    return S_ISDIR(s.st_mode) ? digest_of_folder(out, effort, path, folder, stop, env, err) : digest_of_file(out, effort, path, folder, stop, env, err);
}
