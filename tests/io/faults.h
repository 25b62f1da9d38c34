/* Fault injection: the body is run with every allocation failing in turn until none does. */
#ifndef SOWER_TESTS_IO_FAULTS_H
#define SOWER_TESTS_IO_FAULTS_H

#include "core/memory.h"

#include <criterion/criterion.h>

/* `body` returns a status and frees what it made. Any failure must be SOW_E_NOMEM. `step` > 1 tries every step-th allocation only. */
static inline void every_allocation_may_fail(sow_status (*body)(sow_error *err), sow_index step)
{
    for (sow_index n = 0; n < 1000000; n += step) {
        sow_error err = {0};
        sow_memory_fail_after(n);
        sow_status st = body(&err);
        sow_memory_fail_after(-1);
        if (st == SOW_OK) {
            cr_assert_gt(n, 0);
            return;
        }
        cr_assert_eq(st, SOW_E_NOMEM, "allocation %lld: %s: %s", (long long)n, sow_status_name(st), err.message);
    }
    cr_assert_fail("never succeeded");
}

#endif
