#include "core/memory.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Allocations left before the one that fails; negative = the hook is off. */
static _Atomic(int64_t) until_failure = -1;

static int this_one_fails(void)
{
    if (atomic_load_explicit(&until_failure, memory_order_relaxed) < 0) return 0;
    return atomic_fetch_sub(&until_failure, 1) == 0;
}

void sow_memory_fail_after(sow_index n)
{
    atomic_store(&until_failure, n < 0 ? -1 : n);
}

void *sow_calloc(sow_index count, size_t size)
{
    if (count < 0 || this_one_fails()) return NULL;
    if (count == 0 || size == 0) return calloc(1, 1);
    if ((uint64_t)count > SIZE_MAX / 2 / size) return NULL;
    return calloc((size_t)count, size);
}

sow_status sow_grow(void *array, sow_index *capacity, sow_index need, size_t size, sow_error *err)
{
    if (need <= *capacity) return SOW_OK;
    sow_index target = *capacity < 8 ? 8 : *capacity > INT64_MAX / 2 ? need : 2 * *capacity;
    if (target < need) target = need;
    void *old; /* `array` is the address of a pointer of any type: copied, not cast, so that aliasing rules hold */
    memcpy(&old, array, sizeof old);
    if (size == 0 || (uint64_t)target > SIZE_MAX / 2 / size || this_one_fails())
        return SOW_ERROR(err, SOW_E_NOMEM, "out of memory (%lld elements of %zu bytes)", (long long)target, size);
    char *grown = realloc(old, (size_t)target * size);
    if (!grown) return SOW_ERROR(err, SOW_E_NOMEM, "out of memory (%lld elements of %zu bytes)", (long long)target, size);
    memset(grown + (size_t)*capacity * size, 0, (size_t)(target - *capacity) * size);
    memcpy(array, &grown, sizeof grown);
    *capacity = target;
    return SOW_OK;
}

char *sow_strndup(const char *s, size_t n)
{
    if (!s) return NULL;
    size_t length = 0;
    while (length < n && s[length]) length++;
    char *copy = sow_calloc((sow_index)length + 1, 1);
    if (copy) memcpy(copy, s, length);
    return copy;
}

char *sow_strdup(const char *s)
{
    return s ? sow_strndup(s, strlen(s)) : NULL;
}

char *sow_format(const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = n < 0 ? NULL : sow_calloc((sow_index)n + 1, 1);
    if (text) vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    return text;
}
