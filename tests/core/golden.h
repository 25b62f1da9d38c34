/* Reads whole datasets of a golden HDF5 file for a test. Arrays are the caller's (free). A missing dataset fails the test. */
#ifndef SOWER_TESTS_CORE_GOLDEN_H
#define SOWER_TESTS_CORE_GOLDEN_H

#include <criterion/criterion.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Skips the test, saying so, where the golden numbers are not at hand. */
#define GOLDEN_OR_SKIP(path)                                                                                                       \
    do {                                                                                                                           \
        if (access((path), R_OK) != 0) {                                                                                           \
            fprintf(stderr, "SKIPPED: needs ../shared/parity\n");                                                                  \
            cr_skip("needs ../shared/parity");                                                                                     \
        }                                                                                                                          \
    } while (0)

static inline void *golden_read(const char *path, const char *dataset, hid_t type, size_t size, size_t *count)
{
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    cr_assert(file >= 0, "cannot open %s", path);
    hid_t data = H5Dopen2(file, dataset, H5P_DEFAULT);
    cr_assert(data >= 0, "no dataset %s in %s", dataset, path);
    hid_t space = H5Dget_space(data);
    const hssize_t n = H5Sget_simple_extent_npoints(space);
    cr_assert(n > 0);
    void *values = calloc((size_t)n, size);
    cr_assert(values && H5Dread(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Sclose(space);
    H5Dclose(data);
    H5Fclose(file);
    if (count) *count = (size_t)n;
    return values;
}

static inline double *golden_doubles(const char *path, const char *dataset, size_t *count)
{
    return golden_read(path, dataset, H5T_NATIVE_DOUBLE, sizeof(double), count);
}

static inline int *golden_ints(const char *path, const char *dataset, size_t *count)
{
    return golden_read(path, dataset, H5T_NATIVE_INT, sizeof(int), count);
}

#endif
