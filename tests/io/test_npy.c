#include "io/npy.h"

#include "faults.h"
#include "scratch.h"

#include <math.h>

TestSuite(npy, .init = scratch_create, .fini = scratch_remove);

static sow_error err;

/* A version 1 file from a header dict and raw bytes. */
static const char *write_npy(const char *dict, const void *bytes, size_t n)
{
    const char *path = scratch_path("a.npy");
    FILE *f = fopen(path, "wb");
    size_t length = strlen(dict) + 1;
    unsigned char head[10] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)(length & 255), (unsigned char)(length >> 8)};
    fwrite(head, 1, 10, f);
    fprintf(f, "%s\n", dict);
    fwrite(bytes, 1, n, f);
    fclose(f);
    return path;
}

static double *read_ok(const char *path, sow_index rows, sow_index columns)
{
    double *x = NULL;
    sow_index r = 0, c = 0;
    cr_assert_eq(sow_npy_read(&x, &r, &c, path, &err), SOW_OK, "%s", err.message);
    cr_assert_eq(r, rows);
    cr_assert_eq(c, columns);
    return x;
}

Test(npy, reads_floats_in_either_layout)
{
    const float f[6] = {1, 2, 3, 4, 5, 6};
    double *x = read_ok(write_npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", f, sizeof f), 2, 3);
    cr_assert_eq(x[1], 2);
    cr_assert_eq(x[3], 4);
    free(x);
    x = read_ok(write_npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", f, sizeof f), 2, 3);
    cr_assert_eq(x[1], 3);
    cr_assert_eq(x[3], 2);
    free(x);
    const double d[2] = {-0.5, NAN};
    x = read_ok(write_npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", d, sizeof d), 2, 1);
    cr_assert_eq(x[0], -0.5);
    cr_assert(isnan(x[1]));
    free(x);
}

Test(npy, reads_integers_booleans_half_floats_and_the_other_byte_order)
{
    const signed char i1[2] = {-128, 127};
    double *x = read_ok(write_npy("{'descr': '|i1', 'fortran_order': False, 'shape': (2,), }", i1, 2), 2, 1);
    cr_assert(x[0] == -128 && x[1] == 127);
    free(x);
    const unsigned char big[8] = {0, 0, 1, 2, 0xff, 0xff, 0xff, 0xfe};
    x = read_ok(write_npy("{'descr': '>i4', 'fortran_order': False, 'shape': (2,), }", big, 8), 2, 1);
    cr_assert(x[0] == 258 && x[1] == -2);
    free(x);
    const unsigned char half[8] = {0x00, 0x3c, 0x00, 0xc0, 0x01, 0x00, 0x00, 0x7c}; /* 1, -2, 2^-24, inf */
    x = read_ok(write_npy("{'descr': '<f2', 'fortran_order': False, 'shape': (4,), }", half, 8), 4, 1);
    cr_assert(x[0] == 1 && x[1] == -2 && x[2] == ldexp(1, -24) && isinf(x[3]));
    free(x);
    const unsigned char b[2] = {0, 1};
    x = read_ok(write_npy("{'descr': '|b1', 'fortran_order': False, 'shape': (1, 2), }", b, 2), 1, 2);
    cr_assert(x[0] == 0 && x[1] == 1);
    free(x);
}

static void refuses(const char *path, const char *message)
{
    double *x = NULL;
    sow_index r = 0, c = 0;
    cr_assert_eq(sow_npy_read(&x, &r, &c, path, &err), SOW_E_DATA);
    cr_assert_null(x);
    cr_assert(strstr(err.message, message), "%s", err.message);
}

Test(npy, refuses_other_arrays_and_files_shorter_than_their_promise)
{
    const double d[4] = {0};
    refuses(write_npy("{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), }", d, sizeof d), "promises 3 x 2 entries, 4 are there");
    refuses(write_npy("{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904, 4), }", d, sizeof d), "1-D or 2-D");
    refuses(write_npy("{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387, 4611686018427387), }", d, sizeof d), "promises");
    refuses(write_npy("{'descr': '|O', 'fortran_order': False, 'shape': (4,), }", d, sizeof d), "only plain floats");
    refuses(write_npy("{'descr': '<U5', 'fortran_order': False, 'shape': (1,), }", d, sizeof d), "only plain floats");
    refuses(write_npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2, 2), }", d, sizeof d), "1-D or 2-D");
    refuses(write_npy("{'descr': '<f8', 'fortran_order': False, 'shape': (), }", d, sizeof d), "1-D or 2-D");
    refuses(write_npy("{'descr': '<f8'}", d, sizeof d), "lacks descr");
    refuses(scratch_write("b.npy", "not one"), "not a .npy file");
    refuses(scratch_write("c.npy", "\x93NUMPY\x01"), "not a .npy file");
}

static sow_status read_once(sow_error *e)
{
    double *x = NULL;
    sow_index r = 0, c = 0;
    sow_status st = sow_npy_read(&x, &r, &c, scratch_path("a.npy"), e);
    free(x);
    return st;
}

Test(npy, survives_every_failing_allocation)
{
    const double d[2] = {1, 2};
    write_npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", d, sizeof d);
    every_allocation_may_fail(read_once, 1);
}
