/* Files that are whole or not there: written beside, flushed, renamed. And the lock that keeps two processes off one campaign. */
#ifndef SOWER_IO_FILE_H
#define SOWER_IO_FILE_H

#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Write bytes to PATH.tmp-PID, fsync, rename over PATH, fsync the folder. SOW_E_IO says which file and why (disk full, read-only) and leaves the
 *  old file untouched and no temporary behind. */
SOW_MUST_CHECK sow_status sow_file_write_atomic(const char *path, const void *bytes, size_t n, sow_error *err);
/** The bytes of FROM as PATH, written beside, flushed and renamed as write_atomic does. SOW_E_IO. */
SOW_MUST_CHECK sow_status sow_file_copy_atomic(const char *path, const char *from, sow_error *err);
/** mkdir -p. SOW_E_IO. */
SOW_MUST_CHECK sow_status sow_make_directories(const char *path, sow_error *err);
int sow_file_exists(const char *path);
/** A folder with all that is in it; fine when it is not there. Links are removed, never followed. SOW_E_IO. */
SOW_MUST_CHECK sow_status sow_remove_folder(const char *path, sow_error *err);
/** "dir/name"; absolute `name` is returned as it is. Caller frees; NULL = out of memory. */
char *sow_path_join(const char *dir, const char *name);
/** Folder of a path ("." when it has none). Caller frees. */
char *sow_path_dirname(const char *path);
/** SHA-256 of bytes, and of a file's content, as 64 hex digits. */
void sow_sha256(char hex[65], const void *bytes, size_t n);
SOW_MUST_CHECK sow_status sow_file_sha256(char hex[65], const char *path, sow_error *err);

/** Growing text buffer for files that are written whole. Zero-initialise; every append is checked once at the end through `failed`. */
typedef struct {
    char *text;
    size_t size, capacity;
    int failed; /* an append ran out of memory */
} sow_text;
void sow_text_append(sow_text *t, const char *s);
void sow_text_printf(sow_text *t, const char *format, ...) SOW_PRINTF(2, 3);
/** One CSV field, quoted when it has a separator, quote or line end. No separator is added. */
void sow_text_csv(sow_text *t, const char *field);
/** A number: "%.*g" with 6 digits, "" for NaN, no "-0". The one way numbers get into batch.csv and metrics.csv. */
void sow_text_number(sow_text *t, double x);
void sow_text_clear(sow_text *t);
/** SOW_E_NOMEM when an append failed, else writes the file atomically. Does not clear. */
SOW_MUST_CHECK sow_status sow_text_save(const sow_text *t, const char *path, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
