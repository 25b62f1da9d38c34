#include "io/table.h"

#include "faults.h"
#include "io/text_internal.h"
#include "scratch.h"

#include <math.h>
#include <zlib.h>

TestSuite(table, .init = scratch_create, .fini = scratch_remove);
TestSuite(list, .init = scratch_create, .fini = scratch_remove);
TestSuite(number);

static sow_error err;

static sow_table *read_ok(const char *text)
{
    sow_table *t = NULL;
    cr_assert_eq(sow_table_read(&t, scratch_write("t.csv", text), &err), SOW_OK, "%s", err.message);
    return t;
}

static void refuses(const char *text, const char *message)
{
    sow_table *t = NULL;
    const char *path = scratch_write("t.csv", text);
    cr_assert_eq(sow_table_read(&t, path, &err), SOW_E_DATA);
    cr_assert_null(t);
    cr_assert(strncmp(err.message, path, strlen(path)) == 0 && strstr(err.message, message), "%s", err.message);
}

static void write_gz(const char *path, const char *text, size_t n)
{
    gzFile f = gzopen(path, "wb");
    cr_assert(f && gzwrite(f, text, (unsigned)n) == (int)n && gzclose(f) == Z_OK);
}

static size_t read_bytes(const char *path, char *bytes, size_t size)
{
    FILE *f = fopen(path, "rb");
    size_t n = fread(bytes, 1, size, f);
    fclose(f);
    return n;
}

static void write_bytes(const char *path, const char *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    cr_assert(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
}

Test(table, reads_cells_names_and_line_numbers)
{
    sow_table *t = read_ok("gene,x\nA,1\n\nB,\n");
    cr_assert_eq(sow_table_n_rows(t), 2);
    cr_assert_eq(sow_table_n_columns(t), 2);
    cr_assert_str_eq(sow_table_column_name(t, 1), "x");
    cr_assert_str_eq(sow_table_cell(t, 1, 0), "B");
    cr_assert_str_eq(sow_table_cell(t, 1, 1), "");
    cr_assert_eq(sow_table_line(t, 0), 2);
    cr_assert_eq(sow_table_line(t, 1), 4);
    sow_table_destroy(t);
}

Test(table, takes_quotes_byte_order_mark_and_crlf)
{
    sow_table *t = read_ok("\xef\xbb\xbf\"a,b\",c\r\n\"say \"\"hi\"\"\",\"two\nlines\"\r\nlast,\"\"\r\n");
    cr_assert_str_eq(sow_table_column_name(t, 0), "a,b");
    cr_assert_str_eq(sow_table_cell(t, 0, 0), "say \"hi\"");
    cr_assert_str_eq(sow_table_cell(t, 0, 1), "two\nlines");
    cr_assert_str_eq(sow_table_cell(t, 1, 0), "last");
    cr_assert_str_eq(sow_table_cell(t, 1, 1), "");
    cr_assert_eq(sow_table_line(t, 1), 4, "a line end inside quotes counts");
    sow_table_destroy(t);
}

Test(table, takes_tabs_semicolons_old_mac_lines_and_a_last_line_without_end)
{
    sow_table *t = read_ok("a,b\tc\n1,5\t2");
    cr_assert_str_eq(sow_table_column_name(t, 0), "a,b");
    cr_assert_str_eq(sow_table_cell(t, 0, 0), "1,5");
    sow_table_destroy(t);
    t = read_ok("a;b\r1;2\r3;");
    cr_assert_eq(sow_table_n_rows(t), 2);
    cr_assert_str_eq(sow_table_cell(t, 0, 1), "2");
    cr_assert_str_eq(sow_table_cell(t, 1, 1), "");
    sow_table_destroy(t);
}

Test(table, refuses_what_is_no_table_and_names_the_line)
{
    refuses("", ":1: the file is empty");
    refuses("\n\n", "the file is empty");
    refuses("a,b\n1,2\n3\n", ":3: 1 fields where the header has 2");
    refuses("a,b\n1,2,3\n", "write.table");
    refuses("a,a\n1,2\n", ":1: two columns are named 'a'");
    refuses("a,b\n1,\"open\n2,3\n", ":2: a quote is opened here and never closed");
    refuses("a,b\n\"x\"y,2\n", ":2: text after a closing quote");
    refuses("\xff\xfe" "a", "UTF-16");
    refuses("a,b\nCaf\xe9,1\n", ":2: not UTF-8 text (byte 0xE9)");
    refuses("a,b\n\xed\xa0\x80,1\n", ":2: not UTF-8 text (byte 0xED)");
    refuses("a,b\n\xc3", ":2: not UTF-8 text (byte 0xC3)");
}

Test(table, refuses_zero_bytes)
{
    sow_table *t = NULL;
    const char *path = scratch_path("z.csv");
    write_bytes(path, "a,b\n\0,2\n", 8);
    cr_assert_eq(sow_table_read(&t, path, &err), SOW_E_DATA);
    cr_assert(strstr(err.message, "zero byte"), "%s", err.message);
}

Test(table, says_why_a_file_cannot_be_opened)
{
    sow_table *t = NULL;
    cr_assert_eq(sow_table_read(&t, scratch_path("absent.csv"), &err), SOW_E_IO);
    cr_assert(strstr(err.message, "absent.csv: cannot open: No such file"), "%s", err.message);
    cr_assert_eq(sow_table_read(&t, scratch, &err), SOW_E_IO);
    cr_assert(strstr(err.message, "folder"), "%s", err.message);
}

Test(table, names_the_nearest_column)
{
    sow_table *t = read_ok("gene,cells\nA,1\n");
    sow_index at = -1;
    cr_assert_eq(sow_table_column(&at, t, "cells", &err), SOW_OK);
    cr_assert_eq(at, 1);
    cr_assert_eq(sow_table_column(&at, t, "cell", &err), SOW_E_DATA);
    cr_assert(strstr(err.message, "t.csv:1: no column 'cell'; did you mean 'cells'? The columns are 'gene', 'cells'"), "%s", err.message);
    sow_table_destroy(t);
}

Test(table, gives_numbers_missing_ones_as_nan_and_names_what_is_neither)
{
    sow_table *t = read_ok("g,x\na, 1.5 \nb,NA\nc,\nd,1.5x\n");
    double x = 0;
    cr_assert_eq(sow_table_number(&x, t, 0, 1, &err), SOW_OK);
    cr_assert_eq(x, 1.5);
    cr_assert_eq(sow_table_number(&x, t, 1, 1, &err), SOW_OK);
    cr_assert(isnan(x));
    cr_assert_eq(sow_table_number(&x, t, 2, 1, &err), SOW_OK);
    cr_assert(isnan(x));
    cr_assert_eq(sow_table_number(&x, t, 3, 1, &err), SOW_E_DATA);
    cr_assert(strstr(err.message, "t.csv:5: column 'x' has '1.5x' where a number is needed"), "%s", err.message);
    sow_table_destroy(t);
}

Test(table, reads_gzip_and_gzip_members_one_after_another)
{
    sow_table *t = NULL;
    char bytes[256];
    const char *one = scratch_path("1.csv.gz"), *two = scratch_path("2.csv.gz");
    write_gz(one, "a,b\n1,2\n", 8);
    cr_assert_eq(sow_table_read(&t, one, &err), SOW_OK, "%s", err.message);
    cr_assert_str_eq(sow_table_cell(t, 0, 1), "2");
    sow_table_destroy(t);
    size_t n = read_bytes(one, bytes, 128);
    write_gz(two, "3,4\n", 4);
    n += read_bytes(two, bytes + n, 128);
    write_bytes(two, bytes, n);
    cr_assert_eq(sow_table_read(&t, two, &err), SOW_OK, "%s", err.message);
    cr_assert_eq(sow_table_n_rows(t), 2);
    cr_assert_str_eq(sow_table_cell(t, 1, 0), "3");
    sow_table_destroy(t);
}

Test(table, refuses_a_truncated_or_corrupt_gzip_at_any_length)
{
    static char text[20000], bytes[40000];
    size_t at = (size_t)snprintf(text, sizeof text, "a,b\n");
    for (int i = 0; i < 1500; i++) at += (size_t)snprintf(text + at, sizeof text - at, "%d,%d\n", i, i * i % 977);
    const char *path = scratch_path("t.csv.gz");
    write_gz(path, text, at);
    size_t n = read_bytes(path, bytes, sizeof bytes);
    for (size_t cut = 1; cut < n; cut += cut < 32 ? 1 : 97) {
        sow_table *t = NULL;
        write_bytes(path, bytes, cut);
        cr_assert_eq(sow_table_read(&t, path, &err), SOW_E_DATA, "cut at %zu", cut);
        if (cut >= 2) cr_assert(strstr(err.message, "truncated gzip"), "cut at %zu: %s", cut, err.message);
    }
    bytes[n / 2] ^= 0x55;
    write_bytes(path, bytes, n);
    sow_table *t = NULL;
    cr_assert_eq(sow_table_read(&t, path, &err), SOW_E_DATA);
    cr_assert(strstr(err.message, "corrupt gzip"), "%s", err.message);
    bytes[n / 2] ^= 0x55;
    bytes[n - 6] ^= 1; /* the checksum */
    write_bytes(path, bytes, n);
    cr_assert_eq(sow_table_read(&t, path, &err), SOW_E_DATA);
    cr_assert(strstr(err.message, "corrupt gzip"), "%s", err.message);
}

Test(table, refuses_plain_text_named_gz)
{
    sow_table *t = NULL;
    cr_assert_eq(sow_table_read(&t, scratch_write("t.csv.gz", "a,b\n1,2\n"), &err), SOW_E_DATA);
    cr_assert(strstr(err.message, "no gzip file"), "%s", err.message);
}

static sow_status read_once(sow_error *e)
{
    sow_table *t = NULL;
    sow_status st = sow_table_read(&t, scratch_path("t.csv"), e);
    sow_table_destroy(t);
    return st;
}

Test(table, survives_every_failing_allocation)
{
    sow_table_destroy(read_ok("a,b\n1,\"2\"\n3,4\n"));
    every_allocation_may_fail(read_once, 1);
}

Test(list, takes_lines_or_the_first_column)
{
    sow_names *names = NULL;
    cr_assert_eq(sow_file_read_list(&names, scratch_write("l.txt", "# genes\nTP53\r\n\n  MYC \nTP53\n"), &err), SOW_OK, "%s", err.message);
    cr_assert_eq(sow_names_count(names), 2);
    cr_assert_str_eq(sow_names_get(names, 1), "MYC");
    sow_names_destroy(names);
    cr_assert_eq(sow_file_read_list(&names, scratch_write("l.tsv", "GENE\tID\nA\t1\nB\t2\n"), &err), SOW_OK, "%s", err.message);
    cr_assert_eq(sow_names_count(names), 2);
    cr_assert_eq(sow_names_find(names, "GENE"), -1);
    sow_names_destroy(names);
    cr_assert_eq(sow_file_read_list(&names, scratch_write("e.txt", "# nothing\n"), &err), SOW_E_DATA);
    cr_assert_eq(sow_i_read_unique_list(&names, scratch_write("d.txt", "A\nB\nA\n"), &err), SOW_E_DATA);
    cr_assert(strstr(err.message, "d.txt:3: 'A' comes a second time"), "%s", err.message);
}

Test(number, agrees_with_strtod_on_everything_a_number_can_look_like)
{
    static const char *const texts[] = {"0",     "-0",     "1",       "+7",     "0.1",    ".5",       "5.",     "1e3",     "1E-3",
                                        "1e+22", "1e23",   "1e-22",   "1e-23",  "2.2250738585072014e-308",   "4.9e-324", "1e400",   "1e-400",
                                        "9007199254740993", "123456789012345678", "2.957288760758351", "0.000000000000000000001234",
                                        "100000000000000000000000", "00012.50"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        double x = -1;
        cr_assert(sow_i_parse_number(&x, texts[i]), "%s", texts[i]);
        cr_assert_eq(x, strtod(texts[i], NULL), "%s gave %.17g", texts[i], x);
    }
    unsigned state = 1;
    for (int i = 0; i < 20000; i++) {
        char text[64];
        state = state * 1664525u + 1013904223u;
        double value = ((double)state - 2e9) * pow(10, (int)(state >> 8 & 31) - 20), x = 0;
        snprintf(text, sizeof text, i % 2 ? "%.17g" : "%.6g", value);
        cr_assert(sow_i_parse_number(&x, text) && x == strtod(text, NULL), "%s", text);
    }
}

Test(number, refuses_hexadecimal_trailing_text_and_other_near_misses)
{
    static const char *const texts[] = {"0x10", "1.5x", "1,5", "1e", "1e+", "--1", ".", "-", "1 2", "1.2.3", "abc", "nanx", "e5"};
    double x = 42;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) cr_assert_not(sow_i_parse_number(&x, texts[i]), "%s", texts[i]);
    cr_assert_eq(x, 42);
}

Test(number, knows_the_ways_to_write_nothing_and_infinity)
{
    static const char *const missing[] = {"", " ", "NA", "nan", "NaN", "None", "null", "N/A"};
    double x = 0;
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++) cr_assert(sow_i_parse_number(&x, missing[i]) && isnan(x), "%s", missing[i]);
    cr_assert(sow_i_parse_number(&x, "-inf") && isinf(x) && x < 0);
    cr_assert(sow_i_parse_number(&x, "Infinity") && isinf(x) && x > 0);
}
