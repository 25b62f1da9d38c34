/* Status and error: how every function of libsower says that it failed.
 *
 * A function that can fail returns sow_status, must be checked, and takes `sow_error *err` as its last argument (NULL is fine).
 * A programmer's error is an assert; bad data or a failing machine is a status that travels to the top; hard numerics
 * (SOW_E_NOT_POSDEF, SOW_E_NO_CONVERGE) is a status the caller is expected to handle. The library never prints and never exits. */
#ifndef SOWER_CORE_STATUS_H
#define SOWER_CORE_STATUS_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SOW_STATUS_LIST(X)                                                                                                         \
    X(SOW_OK, "success")                                                                                                           \
    X(SOW_E_ARG, "argument out of range")                                                                                          \
    X(SOW_E_SHAPE, "array shapes do not agree")                                                                                    \
    X(SOW_E_NOMEM, "out of memory")                                                                                                \
    X(SOW_E_IO, "reading or writing failed")                                                                                       \
    X(SOW_E_CONFIG, "the campaign file or command line is wrong")                                                                  \
    X(SOW_E_DATA, "the data are wrong")                                                                                            \
    X(SOW_E_NONFINITE, "a number is not finite")                                                                                   \
    X(SOW_E_NOT_POSDEF, "matrix is not positive definite")                                                                         \
    X(SOW_E_NO_CONVERGE, "did not converge")                                                                                       \
    X(SOW_E_UNSUPPORTED, "not supported by this build or backend")                                                                 \
    X(SOW_E_STATE, "not possible in this state")                                                                                   \
    X(SOW_E_CANCELLED, "interrupted")

#define SOW_STATUS_ENUM_(name, text) name,
typedef enum { SOW_STATUS_LIST(SOW_STATUS_ENUM_) SOW_STATUS_COUNT } sow_status_code;
#undef SOW_STATUS_ENUM_
typedef int sow_status; /* one of sow_status_code; int so that C and C++ agree on its size */

typedef int64_t sow_index; /* dimensions and positions; size_t is for bytes */

#define SOW_MUST_CHECK __attribute__((warn_unused_result))
#define SOW_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))

/** Where and why the first failure happened. Caller's storage (a stack variable, zeroed). */
typedef struct {
    sow_status status;
    const char *file; /* of libsower's source, for bug reports */
    int line;
    char message[1024]; /* one line for a person: which file, which line, what is allowed, what to do */
} sow_error;

/** Fill `err` (which may be NULL) and return `status`; use through SOW_FAIL. */
sow_status sow_error_set(sow_error *err, sow_status status, const char *file, int line, const char *format, ...) SOW_PRINTF(5, 6);

/** Put "prefix: " in front of a message already set, as an error travels up. */
void sow_error_prefix(sow_error *err, const char *format, ...) SOW_PRINTF(2, 3);

/** Short name ("SOW_E_IO") and sentence ("reading or writing failed") of a status. Never NULL. */
const char *sow_status_name(sow_status status);
const char *sow_status_text(sow_status status);

/* Both expect a local `sow_status st` and a label `done` that frees what is held and returns st. */
#define SOW_FAIL(err, status_, ...)                                                                                                \
    do {                                                                                                                           \
        st = sow_error_set((err), (status_), __FILE__, __LINE__, __VA_ARGS__);                                                     \
        goto done;                                                                                                                 \
    } while (0)
#define SOW_TRY(call)                                                                                                              \
    do {                                                                                                                           \
        st = (call);                                                                                                               \
        if (st != SOW_OK) goto done;                                                                                               \
    } while (0)
/** Return at once: for functions that hold nothing. */
#define SOW_ERROR(err, status_, ...) sow_error_set((err), (status_), __FILE__, __LINE__, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif
