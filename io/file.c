#include "io/file.h"

#include "core/memory.h"
#include "io/file_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *sow_i_io_advice(int errnum)
{
    switch (errnum) {
    case ENOSPC:
    case EDQUOT:
        return "; free some space and run the same command again";
    case EFBIG:
        return "; a limit on file sizes was reached (ulimit -f, or the file system's own): raise it and run the same command again";
    case EROFS:
        return "; the file system is read-only, choose a folder that can be written (--out)";
    case EACCES:
    case EPERM:
        return "; no permission, change it or choose another folder (--out)";
    case ENOTDIR:
        return "; a part of the path is a file, not a folder";
    default:
        return "";
    }
}

sow_status sow_i_io_error(sow_error *err, const char *verb, const char *path, int errnum)
{
    if (errnum == ENOMEM) return SOW_ERROR(err, SOW_E_NOMEM, "cannot %s '%s': out of memory", verb, path);
    return SOW_ERROR(err, SOW_E_IO, "cannot %s '%s'%s%s%s", verb, path, errnum ? ": " : "", errnum ? strerror(errnum) : "",
                     sow_i_io_advice(errnum));
}

/* write(2) until all is out; 0 or the errno. */
static int write_all(int fd, const void *bytes, size_t n)
{
    const char *p = bytes;
    while (n > 0) {
        ssize_t k = write(fd, p, n);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return errno;
        p += k;
        n -= (size_t)k;
    }
    return 0;
}

/* Create `path` with these bytes on the disk itself; 0 or the errno. */
static int write_flushed(const char *path, const void *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) return errno;
    int e = write_all(fd, bytes, n);
    if (!e && fsync(fd) != 0) e = errno;
    if (close(fd) != 0 && !e) e = errno;
    return e;
}

/* Make a rename in `dir` last; 0 or the errno. Some file systems refuse fsync on folders (EINVAL): then there is nothing to do. */
static int flush_folder(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return errno == EACCES ? 0 : errno;
    int e = fsync(fd) != 0 && errno != EINVAL ? errno : 0;
    close(fd);
    return e;
}

sow_status sow_file_write_atomic(const char *path, const void *bytes, size_t n, sow_error *err)
{
    sow_status st = SOW_OK;
    char *dir = sow_path_dirname(path);
    char *beside = sow_format("%s.tmp-%ld", path, (long)getpid());
    if (!dir || !beside) SOW_FAIL(err, SOW_E_NOMEM, "out of memory writing '%s'", path);
    int e = write_flushed(beside, bytes, n);
    if (!e && rename(beside, path) != 0) e = errno;
    if (e) {
        unlink(beside);
        st = sow_i_io_error(err, "write", path, e);
        goto done;
    }
    e = flush_folder(dir);
    if (e) st = sow_i_io_error(err, "flush the folder of", path, e);
done:
    free(dir);
    free(beside);
    return st;
}

/* Copy an open file into `path`, onto the disk itself; 0 or the errno. *reading says which side failed. */
static int copy_flushed(const char *path, int from, int *reading)
{
    char buffer[1 << 16];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666), e = 0;
    *reading = 0;
    if (fd < 0) return errno;
    for (ssize_t n = 1; n > 0 && !e;) {
        n = read(from, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR) {
            n = 1;
            continue;
        }
        *reading = n < 0;
        e = n < 0 ? errno : write_all(fd, buffer, (size_t)n);
    }
    if (!e && fsync(fd) != 0) e = errno;
    if (close(fd) != 0 && !e) e = errno;
    return e;
}

sow_status sow_file_copy_atomic(const char *path, const char *from, sow_error *err)
{
    sow_status st = SOW_OK;
    int reading = 0, e = 0, fd = -1;
    char *dir = sow_path_dirname(path);
    char *beside = sow_format("%s.tmp-%ld", path, (long)getpid());
    if (!dir || !beside) SOW_FAIL(err, SOW_E_NOMEM, "out of memory writing '%s'", path);
    fd = open(from, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        st = sow_i_io_error(err, "read", from, errno);
        goto done;
    }
    e = copy_flushed(beside, fd, &reading);
    if (!e && rename(beside, path) != 0) e = errno;
    if (e) {
        unlink(beside);
        st = reading ? sow_i_io_error(err, "read", from, e) : sow_i_io_error(err, "write", path, e);
        goto done;
    }
    e = flush_folder(dir);
    if (e) st = sow_i_io_error(err, "flush the folder of", path, e);
done:
    if (fd >= 0) close(fd);
    free(dir);
    free(beside);
    return st;
}

/* One folder; fine when it is there already. */
static sow_status make_directory(const char *path, sow_error *err)
{
    if (mkdir(path, 0777) == 0) return SOW_OK;
    int e = errno;
    struct stat s;
    if (stat(path, &s) == 0) {
        if (S_ISDIR(s.st_mode)) return SOW_OK;
        return SOW_ERROR(err, SOW_E_IO, "cannot create the folder '%s': a file with that name is there", path);
    }
    return sow_i_io_error(err, "create the folder", path, e);
}

sow_status sow_make_directories(const char *path, sow_error *err)
{
    sow_status st = SOW_OK;
    char *part = sow_strdup(path);
    if (!part) SOW_FAIL(err, SOW_E_NOMEM, "out of memory creating '%s'", path);
    for (char *p = part + 1; *part && *p; p++) {
        if (*p != '/') continue;
        *p = '\0';
        SOW_TRY(make_directory(part, err));
        *p = '/';
    }
    st = make_directory(part, err);
done:
    free(part);
    return st;
}

sow_status sow_remove_folder(const char *path, sow_error *err)
{
    sow_status st = SOW_OK;
    DIR *d = opendir(path);
    if (!d && errno == ENOENT) return SOW_OK;
    if (!d) return sow_i_io_error(err, "remove", path, errno);
    for (struct dirent *e = readdir(d); e && st == SOW_OK; e = readdir(d)) {
        struct stat s;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        char *inside = sow_path_join(path, e->d_name);
        if (!inside) st = SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
        else if (lstat(inside, &s) == 0 && S_ISDIR(s.st_mode)) st = sow_remove_folder(inside, err);
        else if (unlink(inside) != 0 && errno != ENOENT) st = sow_i_io_error(err, "remove", inside, errno);
        free(inside);
    }
    closedir(d);
    if (st == SOW_OK && rmdir(path) != 0 && errno != ENOENT) st = sow_i_io_error(err, "remove", path, errno);
    return st;
}

int sow_file_exists(const char *path)
{
    struct stat s;
    return path && stat(path, &s) == 0;
}

char *sow_path_join(const char *dir, const char *name)
{
    if (name[0] == '/' || !dir[0]) return sow_strdup(name);
    size_t n = strlen(dir);
    return sow_format("%s%s%s", dir, dir[n - 1] == '/' ? "" : "/", name);
}

char *sow_path_dirname(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash) return sow_strdup(".");
    return slash == path ? sow_strdup("/") : sow_strndup(path, (size_t)(slash - path));
}

static void digest_hex(char hex[65], struct sha256_ctx *ctx)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_digest(ctx, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[64] = '\0';
}

void sow_sha256(char hex[65], const void *bytes, size_t n)
{
    struct sha256_ctx ctx;
    sha256_init(&ctx);
    if (n) sha256_update(&ctx, n, bytes);
    digest_hex(hex, &ctx);
}

sow_status sow_file_sha256(char hex[65], const char *path, sow_error *err)
{
    sow_status st = SOW_OK;
    uint8_t block[65536];
    struct sha256_ctx ctx;
    hex[0] = '\0';
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return sow_i_io_error(err, "read", path, errno);
    sha256_init(&ctx);
    for (;;) {
        ssize_t k = read(fd, block, sizeof block);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) {
            st = sow_i_io_error(err, "read", path, errno);
            goto done;
        }
        if (k == 0) break;
        sha256_update(&ctx, (size_t)k, block);
    }
    digest_hex(hex, &ctx);
done:
    close(fd);
    return st;
}

/* Room for `extra` more bytes and the NUL; 0 when out of memory. */
static int text_reserve(sow_text *t, size_t extra)
{
    if (t->failed) return 0;
    sow_index capacity = (sow_index)t->capacity;
    if (sow_grow(&t->text, &capacity, (sow_index)(t->size + extra + 1), 1, NULL) != SOW_OK) {
        t->failed = 1;
        return 0;
    }
    t->capacity = (size_t)capacity;
    return 1;
}

static void text_bytes(sow_text *t, const char *s, size_t n)
{
    if (!text_reserve(t, n)) return;
    memcpy(t->text + t->size, s, n);
    t->size += n;
    t->text[t->size] = '\0';
}

void sow_text_append(sow_text *t, const char *s)
{
    text_bytes(t, s, strlen(s));
}

void sow_text_printf(sow_text *t, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0) {
        t->failed = 1;
    } else if (text_reserve(t, (size_t)n)) {
        vsnprintf(t->text + t->size, (size_t)n + 1, format, again);
        t->size += (size_t)n;
    }
    va_end(again);
}

void sow_text_csv(sow_text *t, const char *field)
{
    if (!field) return;
    size_t n = strlen(field);
    int spaced = n && (field[0] == ' ' || field[n - 1] == ' ');
    if (!spaced && !strpbrk(field, ",;\t\"\r\n")) {
        text_bytes(t, field, n);
        return;
    }
    text_bytes(t, "\"", 1);
    for (const char *p = field; *p; p++) {
        if (*p == '"') text_bytes(t, "\"", 1);
        text_bytes(t, p, 1);
    }
    text_bytes(t, "\"", 1);
}

void sow_text_number(sow_text *t, double x)
{
    if (isnan(x)) return;
    char s[40];
    snprintf(s, sizeof s, "%.6g", x);
    text_bytes(t, strcmp(s, "-0") == 0 ? "0" : s, strcmp(s, "-0") == 0 ? 1 : strlen(s));
}

void sow_text_clear(sow_text *t)
{
    if (!t) return;
    free(t->text);
    *t = (sow_text){0};
}

sow_status sow_text_save(const sow_text *t, const char *path, sow_error *err)
{
    if (t->failed) return SOW_ERROR(err, SOW_E_NOMEM, "out of memory composing '%s'", path);
    return sow_file_write_atomic(path, t->text ? t->text : "", t->size, err);
}
