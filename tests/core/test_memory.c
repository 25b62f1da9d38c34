#include "core/memory.h"
#include "core/names.h"
#include "core/screen.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Test(memory, gives_zeroed_arrays_and_a_block_for_nothing)
{
    int *a = sow_calloc(100, sizeof *a);
    for (int i = 0; i < 100; i++) cr_assert_eq(a[i], 0);
    void *nothing = sow_calloc(0, sizeof *a);
    cr_assert_not_null(nothing);
    free(a);
    free(nothing);
}

Test(memory, refuses_counts_that_overflow)
{
    cr_assert_null(sow_calloc(INT64_MAX, 16));
    cr_assert_null(sow_calloc(-1, 1));
    double *a = NULL;
    sow_index capacity = 0;
    sow_error err = {0};
    cr_assert_eq(sow_grow(&a, &capacity, INT64_MAX, sizeof *a, &err), SOW_E_NOMEM);
    cr_assert_null(a);
    cr_assert_eq(capacity, 0);
}

Test(memory, grows_by_doubling_and_zeroes_the_new_part)
{
    sow_index *a = NULL, capacity = 0, times = 0, before = 0;
    for (sow_index i = 0; i < 10000; i++) {
        cr_assert_eq(sow_grow(&a, &capacity, i + 1, sizeof *a, NULL), SOW_OK);
        times += capacity != before;
        before = capacity;
        cr_assert_eq(a[i], 0);
        a[i] = i;
    }
    for (sow_index i = 0; i < 10000; i++) cr_assert_eq(a[i], i);
    cr_assert_lt(times, 13);
    free(a);
}

Test(memory, copies_and_formats_strings)
{
    char *a = sow_strdup("STAT1"), *b = sow_strndup("STAT1", 3), *c = sow_strndup("ab", 30), *d = sow_format("%s-%d", "x", 42);
    cr_assert_str_eq(a, "STAT1");
    cr_assert_str_eq(b, "STA");
    cr_assert_str_eq(c, "ab");
    cr_assert_str_eq(d, "x-42");
    cr_assert_null(sow_strdup(NULL));
    cr_assert_null(sow_strndup(NULL, 2));
    free(a);
    free(b);
    free(c);
    free(d);
}

Test(memory, fails_the_asked_allocation_and_only_that)
{
    sow_memory_fail_after(1);
    void *first = sow_calloc(1, 1), *second = sow_calloc(1, 1), *third = sow_calloc(1, 1);
    cr_assert_not_null(first);
    cr_assert_null(second);
    cr_assert_not_null(third);
    free(first);
    free(third);
    sow_memory_fail_after(0);
    sow_memory_fail_after(-1);
    void *off = sow_calloc(1, 1);
    cr_assert_not_null(off);
    free(off);
}

Test(memory, leaves_an_array_as_it_was_when_growing_fails)
{
    int *a = NULL;
    sow_index capacity = 0;
    cr_assert_eq(sow_grow(&a, &capacity, 8, sizeof *a, NULL), SOW_OK);
    a[7] = 7;
    sow_error err = {0};
    sow_memory_fail_after(0);
    cr_assert_eq(sow_grow(&a, &capacity, 9, sizeof *a, &err), SOW_E_NOMEM);
    cr_assert_eq(capacity, 8);
    cr_assert_eq(a[7], 7);
    cr_assert_not_null(strstr(err.message, "out of memory"));
    free(a);
}

static sow_status build_a_screen(sow_screen **out, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_screen *s = NULL;
    const double value = 1;
    SOW_TRY(sow_screen_create(&s, SOW_READOUT_SCALAR, err));
    SOW_TRY(sow_names_add(s->features, "y", NULL, err));
    SOW_TRY(sow_names_add(s->contexts, "K562", NULL, err));
    for (int i = 0; i < 30; i++) {
        char name[16];
        snprintf(name, sizeof name, "gene%d", i);
        SOW_TRY(sow_names_add(s->perturbations, name, NULL, err));
        SOW_TRY(sow_screen_add_row(s, i, 0, 10, 1, &value, NULL, 0.5, err));
    }
    SOW_TRY(sow_screen_merge(s, err));
    *out = s;
    s = NULL;
done:
    sow_screen_destroy(s);
    return st;
}

Test(memory, any_failing_allocation_travels_up_without_a_leak)
{
    sow_status st = SOW_E_NOMEM;
    sow_index n = 0;
    for (; st != SOW_OK; n++) {
        sow_screen *s = NULL;
        sow_error err = {0};
        sow_memory_fail_after(n);
        st = build_a_screen(&s, &err);
        sow_memory_fail_after(-1);
        cr_assert(st == SOW_OK || st == SOW_E_NOMEM);
        cr_assert_eq(err.status, st);
        cr_assert_eq(st == SOW_OK, s != NULL);
        sow_screen_destroy(s);
    }
    cr_assert_gt(n, 60);
}
