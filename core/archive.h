/* Named arrays in memory: how a model says what it would keep, without knowing files (io/archive_file.h writes and reads them). */
#ifndef SOWER_CORE_ARCHIVE_H
#define SOWER_CORE_ARCHIVE_H

#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { SOW_ARCHIVE_F32, SOW_ARCHIVE_F64, SOW_ARCHIVE_I64, SOW_ARCHIVE_TEXT } sow_archive_kind;

typedef struct {
    char *name; /* "params/fc1.weight": parts joined by '/' */
    sow_archive_kind kind;
    sow_index rows, cols; /* TEXT: rows strings, cols 1 */
    void *data;           /* TEXT: char *[rows] */
} sow_archive_item;

typedef struct {
    sow_index n, capacity;
    sow_archive_item *item;
} sow_archive;

void sow_archive_clear(sow_archive *a);
/* put copies; a name that is there already is replaced. Any size, also 0 rows. */
SOW_MUST_CHECK sow_status sow_archive_put(sow_archive *a, const char *name, sow_archive_kind kind, const void *data, sow_index rows, sow_index cols, sow_error *err);
SOW_MUST_CHECK sow_status sow_archive_put_number(sow_archive *a, const char *name, double x, sow_error *err); /* F64 [1, 1] */
SOW_MUST_CHECK sow_status sow_archive_put_integer(sow_archive *a, const char *name, int64_t x, sow_error *err);
SOW_MUST_CHECK sow_status sow_archive_put_text(sow_archive *a, const char *name, const char *x, sow_error *err);
/** All items of `from`, names after `prefix` ("" or "part/"), go to the end of `to` without a copy, and `from` is empty. Names must be new in `to`. On failure both are as they were. */
SOW_MUST_CHECK sow_status sow_archive_move(sow_archive *to, const char *prefix, sow_archive *from, sow_error *err);
/* get borrows. rows or cols -1 = any. SOW_E_DATA says what is missing or which size it has and which is needed. */
const sow_archive_item *sow_archive_find(const sow_archive *a, const char *name); /* NULL = none */
SOW_MUST_CHECK sow_status sow_archive_get(const void **data, const sow_archive *a, const char *name, sow_archive_kind kind, sow_index rows, sow_index cols, sow_error *err);
SOW_MUST_CHECK sow_status sow_archive_get_number(double *x, const sow_archive *a, const char *name, sow_error *err);
SOW_MUST_CHECK sow_status sow_archive_get_integer(int64_t *x, const sow_archive *a, const char *name, sow_error *err);
SOW_MUST_CHECK sow_status sow_archive_get_text(const char **x, const sow_archive *a, const char *name, sow_error *err);

/* One run of bytes, for a message to another process of the same program. Caller frees *bytes. */
SOW_MUST_CHECK sow_status sow_archive_to_bytes(unsigned char **bytes, size_t *n, const sow_archive *a, sow_error *err);
/** What was sent, bit for bit; *out is overwritten, and empty on failure. SOW_E_DATA: bytes that are not all there. */
SOW_MUST_CHECK sow_status sow_archive_from_bytes(sow_archive *out, const unsigned char *bytes, size_t n, sow_error *err);

/** Who keeps the states of long work, so that an interruption costs little of it. */
typedef struct {
    sow_status (*take)(void *user, sow_archive *state, sow_error *err); /* it may move the state out: a large one is then held once */
    /* NULL: a state after every step. Else whether one is wanted now; work that can tell its state at any moment gives it then, when it is interrupted and at its end, and holds none in between */
    int (*due)(void *user);
    void *user;
} sow_checkpoints;

#ifdef __cplusplus
}
#endif
#endif
