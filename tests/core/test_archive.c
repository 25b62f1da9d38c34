#include "core/archive.h"

#include <criterion/criterion.h>
#include <string.h>

#include "../io/faults.h"

static sow_error err[1];
#define OK(call) cr_assert_eq((call), SOW_OK, "%s", err->message)
#define SAYS(part) cr_assert(strstr(err->message, part), "message: %s", err->message)

static sow_archive filled(void)
{
    sow_archive a = {0};
    const float f[6] = {1, 2, 3, 4, 5, 6};
    const char *names[] = {"AAVS1", "", "GATA1 + MED9"};
    OK(sow_archive_put(&a, "params/fc1.weight", SOW_ARCHIVE_F32, f, 2, 3, err));
    OK(sow_archive_put(&a, "genes", SOW_ARCHIVE_TEXT, names, 3, 1, err));
    OK(sow_archive_put_number(&a, "rate", 0.1, err));
    OK(sow_archive_put_integer(&a, "steps", INT64_MIN, err));
    OK(sow_archive_put_text(&a, "variant", "plain", err));
    OK(sow_archive_put(&a, "none", SOW_ARCHIVE_F64, NULL, 0, 7, err));
    return a;
}

Test(archive, gives_back_copies_of_what_was_put)
{
    sow_archive a = filled();
    const void *data = NULL;
    double rate = 0;
    int64_t steps = 0;
    const char *variant = NULL;
    OK(sow_archive_get(&data, &a, "params/fc1.weight", SOW_ARCHIVE_F32, 2, -1, err));
    for (int i = 0; i < 6; i++) cr_assert_eq(((const float *)data)[i], (float)(i + 1));
    OK(sow_archive_get(&data, &a, "genes", SOW_ARCHIVE_TEXT, -1, 1, err));
    cr_assert_str_eq(((char *const *)data)[2], "GATA1 + MED9");
    cr_assert_str_eq(((char *const *)data)[1], "");
    OK(sow_archive_get_number(&rate, &a, "rate", err));
    OK(sow_archive_get_integer(&steps, &a, "steps", err));
    OK(sow_archive_get_text(&variant, &a, "variant", err));
    cr_assert(rate == 0.1 && steps == INT64_MIN && strcmp(variant, "plain") == 0);
    cr_assert_eq(sow_archive_find(&a, "none")->cols, 7);
    cr_assert_null(sow_archive_find(&a, "param"));
    sow_archive_clear(&a);
    cr_assert_eq(a.n, 0);
    sow_archive_clear(&a);
}

Test(archive, moves_items_without_a_copy_under_new_names)
{
    sow_archive from = filled(), to = {0};
    const void *data = sow_archive_find(&from, "params/fc1.weight")->data;
    const sow_index n = from.n;
    OK(sow_archive_put_integer(&to, "members", 2, err));
    OK(sow_archive_move(&to, "state/", &from, err));
    cr_assert_eq(to.n, n + 1);
    cr_assert_eq(from.n, 0);
    cr_assert_eq(sow_archive_find(&to, "state/params/fc1.weight")->data, data);
    cr_assert_null(sow_archive_find(&to, "rate"));
    OK(sow_archive_move(&to, "state/", &from, err)); /* of nothing */
    from = filled();
    cr_assert_eq(sow_archive_move(&to, "state/", &from, err), SOW_E_ARG); /* names are there already: nothing moves */
    cr_assert_eq(from.n, n);
    cr_assert_eq(to.n, n + 1);
    sow_archive_clear(&from);
    sow_archive_clear(&to);
}

Test(archive, replaces_what_has_the_name_already)
{
    sow_archive a = filled();
    const sow_index n = a.n;
    const char *text = NULL;
    OK(sow_archive_put_text(&a, "genes", "one", err));
    OK(sow_archive_put_text(&a, "rate", "two", err));
    cr_assert_eq(a.n, n);
    OK(sow_archive_get_text(&text, &a, "genes", err));
    cr_assert_str_eq(text, "one");
    sow_archive_clear(&a);
}

Test(archive, says_what_is_missing_or_how_large_it_is)
{
    sow_archive a = filled();
    const void *data = &a;
    double x = 3;
    cr_assert_eq(sow_archive_get_number(&x, &a, "epochs", err), SOW_E_DATA);
    SAYS("'epochs' is missing");
    cr_assert_eq(x, 3);
    cr_assert_eq(sow_archive_get(&data, &a, "params/fc1.weight", SOW_ARCHIVE_F32, 4, -1, err), SOW_E_DATA);
    SAYS("'params/fc1.weight' is 2 x 3; 4 x any is needed");
    cr_assert_null(data);
    cr_assert_eq(sow_archive_get(&data, &a, "params/fc1.weight", SOW_ARCHIVE_F64, 2, 3, err), SOW_E_DATA);
    SAYS("32-bit");
    const char *text = NULL;
    int64_t i = 0;
    cr_assert_eq(sow_archive_get_text(&text, &a, "genes", err), SOW_E_DATA);
    cr_assert_eq(sow_archive_get_integer(&i, &a, "rate", err), SOW_E_DATA);
    sow_archive_clear(&a);
}

Test(archive, refuses_names_and_sizes_that_no_file_can_hold)
{
    static const char *const bad[] = {"", "/a", "a/", "a//b", ".", "a/../b"};
    sow_archive a = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) cr_assert_eq(sow_archive_put_number(&a, bad[i], 1, err), SOW_E_ARG, "'%s'", bad[i]);
    cr_assert_eq(sow_archive_put(&a, "a", SOW_ARCHIVE_F64, NULL, -1, 1, err), SOW_E_ARG);
    cr_assert_eq(sow_archive_put(&a, "a", SOW_ARCHIVE_F64, NULL, INT64_MAX / 2, 3, err), SOW_E_ARG);
    cr_assert_eq(sow_archive_put(&a, "a", SOW_ARCHIVE_TEXT, NULL, 0, 2, err), SOW_E_ARG);
    OK(sow_archive_put_number(&a, "a.b/..c", 1, err));
    cr_assert_eq(a.n, 1);
    sow_archive_clear(&a);
}

static sow_status fill_and_clear(sow_error *e)
{
    sow_status st = SOW_OK;
    sow_archive a = {0};
    const char *names[] = {"a", "b"};
    for (int i = 0; i < 12 && st == SOW_OK; i++) {
        char name[8] = {'n', (char)('a' + i), 0};
        st = sow_archive_put_number(&a, name, i, e);
    }
    if (st == SOW_OK) st = sow_archive_put(&a, "na", SOW_ARCHIVE_TEXT, names, 2, 1, e);
    sow_archive_clear(&a);
    return st;
}

Test(archive, survives_every_failing_allocation)
{
    every_allocation_may_fail(fill_and_clear, 1);
}
