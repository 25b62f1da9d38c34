#include "io/archive_file.h"

#include <criterion/criterion.h>
#include <hdf5.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "core/memory.h"
#include "faults.h"
#include "io/file.h"
#include "scratch.h"

static sow_error err[1];
#define OK(call) cr_assert_eq((call), SOW_OK, "%s", err->message)
#define SAYS(part) cr_assert(strstr(err->message, part), "message: %s", err->message)

TestSuite(archive_file, .init = scratch_create, .fini = scratch_remove);

static sow_archive filled(sow_error *e)
{
    sow_archive a = {0};
    float f[300];
    const double x[3] = {-0.0, 1e-310, (double)INFINITY};
    const char *names[] = {"GATA1", "", "MED9 + MED12", "\xc3\xa9"};
    for (int i = 0; i < 300; i++) f[i] = (float)i / 7;
    if (sow_archive_put_text(&a, "variant", "plain", e) == SOW_OK && sow_archive_put(&a, "params/fc1.weight", SOW_ARCHIVE_F32, f, 100, 3, e) == SOW_OK &&
        sow_archive_put(&a, "params/fc1.weight.m", SOW_ARCHIVE_F64, x, 1, 3, e) == SOW_OK && sow_archive_put(&a, "genes", SOW_ARCHIVE_TEXT, names, 4, 1, e) == SOW_OK &&
        sow_archive_put_integer(&a, "steps", INT64_MAX, e) == SOW_OK && sow_archive_put(&a, "empty/f", SOW_ARCHIVE_F64, NULL, 0, 5, e) == SOW_OK &&
        sow_archive_put(&a, "empty/text", SOW_ARCHIVE_TEXT, NULL, 0, 1, e) == SOW_OK)
        return a;
    sow_archive_clear(&a);
    return a;
}

static void same_item(const sow_archive_item *x, const sow_archive_item *y)
{
    cr_assert(y && x->kind == y->kind && x->rows == y->rows && x->cols == y->cols, "%s", x->name);
    if (x->kind == SOW_ARCHIVE_TEXT)
        for (sow_index i = 0; i < x->rows; i++) cr_assert_str_eq(((char **)x->data)[i], ((char **)y->data)[i]);
    else
        cr_assert_eq(memcmp(x->data, y->data, (size_t)(x->rows * x->cols) * (x->kind == SOW_ARCHIVE_F32 ? 4 : 8)), 0, "%s", x->name);
}

Test(archive_file, reads_back_bit_for_bit_what_was_written)
{
    sow_archive a = filled(err), b = {0};
    OK(sow_archive_write(scratch_path("model.h5"), "morph", 1, &a, err));
    OK(sow_archive_read(&b, scratch_path("model.h5"), "morph", 1, err));
    cr_assert_eq(a.n, b.n);
    for (sow_index i = 0; i < a.n; i++) same_item(&a.item[i], sow_archive_find(&b, a.item[i].name));
    cr_assert_eq(scratch_count_entries(scratch), 1);
    sow_archive_clear(&a);
    sow_archive_clear(&b);
}

Test(archive_file, writes_equal_archives_as_equal_bytes_whatever_their_order)
{
    sow_archive a = filled(err), b = {0};
    char first[65], second[65];
    OK(sow_archive_write(scratch_path("a.h5"), "morph", 1, &a, err));
    OK(sow_archive_read(&b, scratch_path("a.h5"), "morph", 1, err));
    cr_assert_str_neq(a.item[0].name, b.item[0].name);
    OK(sow_archive_write(scratch_path("b.h5"), "morph", 1, &b, err));
    OK(sow_file_sha256(first, scratch_path("a.h5"), err));
    OK(sow_file_sha256(second, scratch_path("b.h5"), err));
    cr_assert_str_eq(first, second);
    sow_archive_clear(&a);
    sow_archive_clear(&b);
}

static void refuses(const char *path, const char *kind, int version, sow_status status, const char *part)
{
    sow_archive a = {.n = 3};
    cr_assert_eq(sow_archive_read(&a, path, kind, version, err), status, "%s", err->message);
    SAYS(part);
    cr_assert(a.n == 0 && !a.item);
}

Test(archive_file, tells_another_kind_or_version_from_a_damaged_file)
{
    sow_archive a = filled(err);
    const char *path = scratch_path("model.h5");
    OK(sow_archive_write(path, "morph", 3, &a, err));
    refuses(path, "morph", 1, SOW_E_DATA, "a morph model of version 3; this program reads 1: delete it, and it is made again");
    refuses(path, "hypermap", 3, SOW_E_DATA, "a saved 'morph', where a 'hypermap' model is expected");
    refuses(scratch_path("absent.h5"), "morph", 1, SOW_E_IO, "absent.h5");
    refuses(scratch_write("text.h5", "not HDF5"), "morph", 1, SOW_E_DATA, "not an HDF5 file");
    sow_archive_clear(&a);
}

/* Every byte of the arrays is under the sum, and a file cut anywhere is refused. */
Test(archive_file, refuses_a_file_with_one_byte_changed_or_its_end_cut_off)
{
    sow_archive a = filled(err);
    const char *path = scratch_path("model.h5"), *hurt = scratch_path("hurt.h5");
    static char bytes[1 << 20];
    OK(sow_archive_write(path, "morph", 1, &a, err));
    FILE *f = fopen(path, "rb");
    const size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    const float value = (float)250 / 7;
    char *at = NULL;
    for (size_t i = 0; i + 4 <= n && !at; i++)
        if (memcmp(bytes + i, &value, 4) == 0) at = bytes + i;
    cr_assert_not_null(at);
    *at ^= 1;
    OK(sow_file_write_atomic(hurt, bytes, n, err));
    refuses(hurt, "morph", 1, SOW_E_DATA, "damaged");
    *at ^= 1;
    for (size_t cut = 1; cut < n; cut += n / 13) {
        sow_archive b = {0};
        OK(sow_file_write_atomic(hurt, bytes, cut, err));
        cr_assert_eq(sow_archive_read(&b, hurt, "morph", 1, err), SOW_E_DATA, "cut at %zu", cut);
        cr_assert_eq(b.n, 0);
    }
    sow_archive_clear(&a);
}

/* HDF5 keeps pages back until the file is closed: there must be no way to lose them without a word. */
static int write_where_it_does_not_fit(void)
{
    sow_error e = {0};
    sow_archive a = filled(&e);
    scratch_limit_file_size(3000);
    const sow_status st = sow_archive_write(scratch_path("model.h5"), "morph", 1, &a, &e);
    sow_archive_clear(&a);
    return st == SOW_E_IO && strstr(e.message, "model.h5") ? 0 : 1;
}

/* HDF5 tidies up when the program ends: by then it must not hold a file that it could not write. */
static int end_where_it_does_not_fit(void)
{
    sow_error e = {0};
    sow_archive a = {0};
    double *x = sow_calloc(200000, sizeof *x);
    if (!x || sow_archive_put(&a, "x", SOW_ARCHIVE_F64, x, 200000, 1, &e) != SOW_OK || sow_archive_put_number(&a, "y", 1, &e) != SOW_OK) _exit(2);
    scratch_limit_file_size(1000000);
    const sow_status st = sow_archive_write(scratch_path("model.h5"), "morph", 1, &a, &e);
    sow_archive_clear(&a);
    free(x);
    if (H5close() < 0) _exit(4); /* what HDF5 does at exit; exit itself would look for leaks among threads that a child does not have */
    _exit(st == SOW_E_IO ? 0 : 3);
}

Test(archive_file, ends_in_good_order_after_a_full_disk)
{
    cr_assert_eq(scratch_in_child(end_where_it_does_not_fit), 0);
    cr_assert_eq(scratch_count_entries(scratch), 0);
}

Test(archive_file, keeps_the_old_file_where_the_new_one_does_not_fit)
{
    sow_archive a = {0}, b = {0};
    OK(sow_archive_put_number(&a, "x", 1, err));
    OK(sow_archive_write(scratch_path("model.h5"), "morph", 1, &a, err));
    cr_assert_eq(scratch_in_child(write_where_it_does_not_fit), 0);
    cr_assert_eq(scratch_count_entries(scratch), 1);
    OK(sow_archive_read(&b, scratch_path("model.h5"), "morph", 1, err));
    cr_assert_eq(b.n, 1);
    cr_assert_eq(sow_archive_write(scratch_path("no/such/model.h5"), "morph", 1, &a, err), SOW_E_IO);
    SAYS("no/such/model.h5");
    sow_archive_clear(&a);
    sow_archive_clear(&b);
}

Test(archive_file, does_not_write_what_a_group_and_an_array_are_both_called)
{
    sow_archive a = {0};
    OK(sow_archive_put_number(&a, "x", 1, err));
    OK(sow_archive_put_number(&a, "x/y", 1, err));
    cr_assert_eq(sow_archive_write(scratch_path("model.h5"), "morph", 1, &a, err), SOW_E_IO);
    cr_assert_eq(scratch_count_entries(scratch), 0);
    sow_archive_clear(&a);
}

static sow_status there_and_back(sow_error *e)
{
    sow_archive a = filled(e), b = {0};
    sow_status st = a.n ? sow_archive_write(scratch_path("m.h5"), "morph", 1, &a, e) : SOW_E_NOMEM;
    if (st == SOW_OK) st = sow_archive_read(&b, scratch_path("m.h5"), "morph", 1, e);
    sow_archive_clear(&a);
    sow_archive_clear(&b);
    return st;
}

Test(archive_file, survives_every_failing_allocation)
{
    every_allocation_may_fail(there_and_back, 1);
}
