#include "core/tape.h"

#include "core/memory.h"
#include "tests/io/faults.h"

#include <criterion/criterion.h>
#include <string.h>

Test(tape_scratch, is_zeroed_aligned_and_apart_until_the_reset)
{
    sow_tape *t = NULL;
    cr_assert_eq(sow_tape_create(&t, NULL, SOW_F32, NULL, NULL), SOW_OK);
    static const size_t sizes[] = {0, 1, 64, 100, 20000, 3, 300000};
    for (int pass = 0; pass < 3; pass++) {
        unsigned char *piece[7];
        for (int i = 0; i < 7; i++) {
            piece[i] = sow_tape_scratch(t, sizes[i]);
            cr_assert(piece[i] && (uintptr_t)piece[i] % 64 == 0);
            for (size_t j = 0; j < sizes[i]; j++) cr_assert_eq(piece[i][j], 0, "pass %d, piece %d", pass, i);
            memset(piece[i], i + 1, sizes[i]);
        }
        for (int i = 0; i < 7; i++)
            for (size_t j = 0; j < sizes[i]; j++) cr_assert_eq(piece[i][j], i + 1, "piece %d was written over", i);
        sow_tape_reset(t);
    }
    sow_tape_destroy(t);
}

Test(tape_scratch, takes_no_new_memory_after_a_reset)
{
    sow_tape *t = NULL;
    cr_assert_eq(sow_tape_create(&t, NULL, SOW_F64, NULL, NULL), SOW_OK);
    for (int i = 0; i < 40; i++) cr_assert_not_null(sow_tape_scratch(t, 5000));
    sow_tape_reset(t);
    sow_memory_fail_after(0);
    for (int i = 0; i < 40; i++) cr_assert_not_null(sow_tape_scratch(t, 5000));
    sow_memory_fail_after(-1);
    sow_tape_destroy(t);
}

Test(tape_scratch, that_cannot_be_had_stops_the_tape_until_the_reset)
{
    sow_tape *t = NULL;
    cr_assert_eq(sow_tape_create(&t, NULL, SOW_F64, NULL, NULL), SOW_OK);
    sow_error err = {0};
    cr_assert_null(sow_tape_scratch(t, SIZE_MAX - 3));
    cr_assert_eq(sow_tape_status(t, &err), SOW_E_NOMEM);
    cr_assert(strstr(err.message, "out of memory"));
    cr_assert_null(sow_tape_scratch(t, 8));
    cr_assert_eq(sow_tape_number(t, 1), SOW_NO_VAR);
    sow_tape_reset(t);
    cr_assert_not_null(sow_tape_scratch(t, 8));
    sow_tape_destroy(t);
}

static sow_status two_blocks(sow_error *err)
{
    sow_status st = SOW_OK;
    sow_tape *t = NULL;
    SOW_TRY(sow_tape_create(&t, NULL, SOW_F64, NULL, err));
    (void)sow_tape_scratch(t, 100);
    (void)sow_tape_scratch(t, 100000);
    SOW_TRY(sow_tape_status(t, err));
done:
    sow_tape_destroy(t);
    return st;
}

Test(tape_scratch, survives_a_failure_of_any_allocation)
{
    every_allocation_may_fail(two_blocks, 1);
}
