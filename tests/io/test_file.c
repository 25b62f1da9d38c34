#include "io/file.h"

#include "core/memory.h"
#include "scratch.h"

#include <criterion/criterion.h>
#include <math.h>

TestSuite(file, .init = scratch_create, .fini = scratch_remove);
TestSuite(text, .init = scratch_create, .fini = scratch_remove);

Test(file, writes_bytes_whole_and_leaves_nothing_beside)
{
    sow_error err = {0};
    const char *path = scratch_path("a.csv");
    cr_assert_eq(sow_file_write_atomic(path, "one\n", 4, &err), SOW_OK, "%s", err.message);
    cr_assert_str_eq(scratch_read(path), "one\n");
    cr_assert_eq(sow_file_write_atomic(path, "two, longer\n", 12, &err), SOW_OK, "%s", err.message);
    cr_assert_str_eq(scratch_read(path), "two, longer\n");
    cr_assert_eq(sow_file_write_atomic(path, "", 0, &err), SOW_OK, "%s", err.message);
    cr_assert_str_eq(scratch_read(path), "");
    cr_assert_eq(scratch_count_entries(scratch), 1);
}

static int write_on_full_disk(void)
{
    sow_error err = {0};
    static char big[4096];
    scratch_limit_file_size(1000);
    sow_status st = sow_file_write_atomic(scratch_path("a.csv"), big, sizeof big, &err);
    if (st != SOW_E_IO) return 1;
    if (!strstr(err.message, "a.csv") || !strstr(err.message, "run the same command again")) return 2;
    return 0;
}

Test(file, keeps_the_old_file_and_says_what_to_do_when_the_disk_is_full)
{
    scratch_write("a.csv", "old\n");
    cr_assert_eq(scratch_in_child(write_on_full_disk), 0);
    cr_assert_str_eq(scratch_read(scratch_path("a.csv")), "old\n");
    cr_assert_eq(scratch_count_entries(scratch), 1, "the temporary file was left behind");
}

Test(file, says_disk_full_on_a_device_that_is_full)
{
    /* /dev/full answers ENOSPC to every write; reached through a link with the temporary's name */
    sow_error err = {0};
    char link[300];
    snprintf(link, sizeof link, "%s/x.csv.tmp-%ld", scratch, (long)getpid());
    if (access("/dev/full", W_OK) != 0 || symlink("/dev/full", link) != 0) {
        fprintf(stderr, "SKIPPED: needs /dev/full\n");
        cr_skip_test("no /dev/full");
    }
    cr_assert_eq(sow_file_write_atomic(scratch_path("x.csv"), "12345", 5, &err), SOW_E_IO);
    cr_assert(strstr(err.message, "free some space and run the same command again"), "%s", err.message);
    cr_assert_not(sow_file_exists(scratch_path("x.csv")));
}

static int write_in_read_only_folder(void)
{
    sow_error err = {0};
    if (!scratch_be_nobody()) return SCRATCH_SKIP;
    if (sow_file_write_atomic(scratch_path("a.csv"), "x", 1, &err) != SOW_E_IO) return 1;
    if (!strstr(err.message, "no permission") || !strstr(err.message, "--out")) return 2;
    if (sow_make_directories(scratch_path("sub/folder"), &err) != SOW_E_IO) return 3;
    return strstr(err.message, "no permission") ? 0 : 4;
}

Test(file, says_read_only_and_where_else_to_write)
{
    chmod(scratch, 0555);
    int code = scratch_in_child(write_in_read_only_folder);
    if (code == SCRATCH_SKIP) {
        fprintf(stderr, "SKIPPED: needs a user whom permissions stop\n");
        cr_skip_test("root without setuid");
    }
    cr_assert_eq(code, 0);
}

Test(file, refuses_a_path_through_a_file)
{
    sow_error err = {0};
    scratch_write("plain", "x");
    cr_assert_eq(sow_file_write_atomic(scratch_path("plain/a.csv"), "x", 1, &err), SOW_E_IO);
    cr_assert(strstr(err.message, "is a file, not a folder"), "%s", err.message);
    cr_assert_eq(sow_make_directories(scratch_path("plain/sub"), &err), SOW_E_IO);
    cr_assert_eq(sow_make_directories(scratch_path("plain"), &err), SOW_E_IO);
    cr_assert(strstr(err.message, "a file with that name"), "%s", err.message);
    cr_assert_eq(sow_file_write_atomic(scratch_path("absent/a.csv"), "x", 1, &err), SOW_E_IO);
    cr_assert(strstr(err.message, "No such file"), "%s", err.message);
}

Test(file, makes_folders_down_to_the_last)
{
    sow_error err = {0};
    const char *deep = scratch_path("a/b//c");
    cr_assert_eq(sow_make_directories(deep, &err), SOW_OK, "%s", err.message);
    cr_assert_eq(sow_make_directories(deep, &err), SOW_OK, "a second time: %s", err.message);
    cr_assert(sow_file_exists(scratch_path("a/b/c")));
    cr_assert_not(sow_file_exists(scratch_path("a/x")));
    cr_assert_neq(sow_make_directories("", NULL), SOW_OK);
}

Test(file, joins_and_splits_paths)
{
    static const char *const join[][3] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"a", "/b", "/b"},
                                          {"", "b", "b"},    {"/", "b", "/b"},   {".", "b", "./b"}};
    for (size_t i = 0; i < sizeof join / sizeof *join; i++) {
        char *p = sow_path_join(join[i][0], join[i][1]);
        cr_expect_str_eq(p, join[i][2]);
        free(p);
    }
    static const char *const folder[][2] = {{"a/b.yaml", "a"}, {"b.yaml", "."}, {"/b", "/"}, {"a/b/c", "a/b"}};
    for (size_t i = 0; i < sizeof folder / sizeof *folder; i++) {
        char *p = sow_path_dirname(folder[i][0]);
        cr_expect_str_eq(p, folder[i][1]);
        free(p);
    }
}

/* FIPS 180-2, appendix B */
Test(file, hashes_as_published)
{
    char hex[65];
    sow_error err = {0};
    sow_sha256(hex, "abc", 3);
    cr_expect_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sow_sha256(hex, NULL, 0);
    cr_expect_str_eq(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    char *million = sow_calloc(1000001, 1);
    memset(million, 'a', 1000000);
    sow_sha256(hex, million, 1000000);
    cr_expect_str_eq(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    cr_assert_eq(sow_file_sha256(hex, scratch_write("m", million), &err), SOW_OK, "%s", err.message);
    cr_expect_str_eq(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    cr_expect_eq(sow_file_sha256(hex, scratch_path("absent"), &err), SOW_E_IO);
    cr_expect(strstr(err.message, "absent"), "%s", err.message);
    cr_expect_eq(sow_file_sha256(hex, scratch, &err), SOW_E_IO, "a folder has no content");
    free(million);
}

static const char *number(double x)
{
    static char s[64];
    sow_text t = {0};
    sow_text_number(&t, x);
    snprintf(s, sizeof s, "%s", t.text ? t.text : "");
    sow_text_clear(&t);
    return s;
}

Test(text, prints_numbers_in_the_one_way)
{
    cr_expect_str_eq(number(1.0 / 3.0), "0.333333");
    cr_expect_str_eq(number(-0.0), "0");
    cr_expect_str_eq(number(NAN), "");
    cr_expect_str_eq(number(INFINITY), "inf");
    cr_expect_str_eq(number(-INFINITY), "-inf");
    cr_expect_str_eq(number(123456789.0), "1.23457e+08");
    cr_expect_str_eq(number(-1e-300), "-1e-300");
    cr_expect_str_eq(number(42), "42");
}

Test(text, quotes_only_the_fields_that_need_it)
{
    sow_text t = {0};
    static const char *const fields[] = {"plain", "a,b", "say \"x\"", "two\nlines", "", " spaced", NULL};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (i) sow_text_append(&t, ",");
        sow_text_csv(&t, fields[i]);
    }
    cr_assert_str_eq(t.text, "plain,\"a,b\",\"say \"\"x\"\"\",\"two\nlines\",,\" spaced\",");
    sow_text_clear(&t);
    sow_text_clear(NULL);
}

Test(text, saves_what_was_appended)
{
    sow_error err = {0};
    sow_text t = {0};
    cr_assert_eq(sow_text_save(&t, scratch_path("empty"), &err), SOW_OK);
    cr_assert_str_eq(scratch_read(scratch_path("empty")), "");
    for (int i = 0; i < 1000; i++)
        sow_text_printf(&t, "%d,%s\n", i, "gene");
    cr_assert_eq(sow_text_save(&t, scratch_path("t"), &err), SOW_OK);
    cr_assert_eq(strlen(scratch_read(scratch_path("t"))), t.size);
    sow_text_clear(&t);
}

Test(text, remembers_that_memory_ran_out_and_writes_nothing)
{
    sow_error err = {0};
    sow_text t = {0};
    sow_memory_fail_after(0);
    sow_text_append(&t, "lost");
    sow_memory_fail_after(-1);
    sow_text_append(&t, "kept?");
    sow_text_printf(&t, "%d", 3);
    cr_assert_eq(sow_text_save(&t, scratch_path("t"), &err), SOW_E_NOMEM);
    cr_assert_not(sow_file_exists(scratch_path("t")));
    sow_text_clear(&t);
}

Test(file, survives_every_failing_allocation)
{
    for (int i = 0; i < 3; i++) {
        sow_error err = {0};
        sow_memory_fail_after(i);
        sow_status st = sow_file_write_atomic(scratch_path("a"), "x", 1, &err);
        sow_memory_fail_after(-1);
        cr_assert(st == SOW_OK || st == SOW_E_NOMEM, "%s", err.message);
    }
    sow_memory_fail_after(0);
    sow_status st = sow_make_directories(scratch_path("b"), NULL);
    sow_memory_fail_after(-1);
    cr_assert_eq(st, SOW_E_NOMEM);
}
