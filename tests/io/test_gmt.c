#include "io/gmt.h"

#include "faults.h"
#include "scratch.h"

#include <zlib.h>

TestSuite(gmt, .init = scratch_create, .fini = scratch_remove);

static sow_error err;

Test(gmt, reads_sets_and_counts_a_doubled_member_once)
{
    sow_gmt *g = NULL;
    const char *path = scratch_write("s.gmt", "one\tlink\tA\tB\tA\r\n\ntwo\t\tB\tC\t\nempty\tno members\n");
    cr_assert_eq(sow_gmt_read(&g, path, &err), SOW_OK, "%s", err.message);
    cr_assert_eq(sow_names_count(g->sets), 3);
    cr_assert_eq(sow_names_count(g->members), 3);
    cr_assert_eq(g->start[1], 2);
    cr_assert_eq(g->start[2], 4);
    cr_assert_eq(g->start[3], 4);
    cr_assert_str_eq(sow_names_get(g->members, g->member[3]), "C");
    sow_gmt_destroy(g);
}

static void refuses(const char *text, const char *message)
{
    sow_gmt *g = NULL;
    cr_assert_eq(sow_gmt_read(&g, scratch_write("s.gmt", text), &err), SOW_E_DATA);
    cr_assert_null(g);
    cr_assert(strstr(err.message, message), "%s", err.message);
}

Test(gmt, names_the_line_of_what_is_wrong)
{
    refuses("", "s.gmt:1: the file is empty");
    refuses("one\tx\tA\njust text\n", "s.gmt:2: no TAB");
    refuses("one\tx\tA\ntwo\tx\tA\none\ty\tB\n", "s.gmt:3: a second set 'one' (the first is in line 1)");
    refuses("\tx\tA\n", "s.gmt:1: a set without a name");
    sow_gmt *g = NULL;
    cr_assert_eq(sow_gmt_read(&g, scratch_path("absent.gmt"), &err), SOW_E_IO);
}

Test(gmt, reads_gzip_and_refuses_half_of_one)
{
    sow_gmt *g = NULL;
    const char *path = scratch_path("s.gmt.gz");
    gzFile f = gzopen(path, "wb");
    for (int i = 0; i < 500; i++) gzprintf(f, "set%d\tx\tA%d\tB%d\n", i, i * 7 % 101, i * 13 % 97);
    gzclose(f);
    cr_assert_eq(sow_gmt_read(&g, path, &err), SOW_OK, "%s", err.message);
    cr_assert_eq(sow_names_count(g->sets), 500);
    sow_gmt_destroy(g);
    cr_assert_eq(truncate(path, 1000), 0);
    cr_assert_eq(sow_gmt_read(&g, path, &err), SOW_E_DATA);
    cr_assert(strstr(err.message, "truncated gzip"), "%s", err.message);
}

static sow_status read_once(sow_error *e)
{
    sow_gmt *g = NULL;
    sow_status st = sow_gmt_read(&g, scratch_path("s.gmt"), e);
    sow_gmt_destroy(g);
    return st;
}

Test(gmt, survives_every_failing_allocation)
{
    scratch_write("s.gmt", "one\tx\tA\tB\ntwo\tx\tC\n");
    every_allocation_may_fail(read_once, 1);
}
