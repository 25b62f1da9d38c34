/* Allocation with overflow checks and one switch for fault injection. */
#ifndef SOWER_CORE_MEMORY_H
#define SOWER_CORE_MEMORY_H

#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Zeroed array of `count` elements of `size` bytes; count 0 gives a valid 1-byte block. NULL when out of memory. Free with free(). */
void *sow_calloc(sow_index count, size_t size);
/** Grow `*array` (of elements of `size` bytes) to hold at least `need`; `*capacity` is updated (at least doubled) and the new
 *  part is zeroed. `array` is the address of the pointer. SOW_E_NOMEM leaves both as they were. */
SOW_MUST_CHECK sow_status sow_grow(void *array, sow_index *capacity, sow_index need, size_t size, sow_error *err);
/** Copies; NULL when out of memory (or s is NULL). Free with free(). */
char *sow_strdup(const char *s);
char *sow_strndup(const char *s, size_t n);
/** printf into a fresh string; NULL when out of memory. Free with free(). */
char *sow_format(const char *format, ...) SOW_PRINTF(1, 2);

/** Test hook: after n allocations more that succeed, one fails (0: the very next), and only that one; n < 0 switches the hook off. Tests only. */
void sow_memory_fail_after(sow_index n);

/* Typed shorthand: SOW_NEW(p, n) sets p or goes to done with SOW_E_NOMEM; expects `st`, `err` and `done` in scope. */
#define SOW_NEW(pointer, count)                                                                                                    \
    do {                                                                                                                           \
        (pointer) = sow_calloc((sow_index)(count), sizeof *(pointer));                                                             \
        if (!(pointer)) SOW_FAIL(err, SOW_E_NOMEM, "out of memory (%lld elements)", (long long)(count));                           \
    } while (0)

#ifdef __cplusplus
}
#endif
#endif
