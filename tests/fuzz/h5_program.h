/* A .h5ad file built from the bytes of a fuzz input. Raw bytes of an HDF5 file mostly test libhdf5; here libhdf5 writes a file that it can read, and what is
 * wrong with it is what our readers must see: shapes that disagree, missing or mistyped datasets, claims, odd text, odd numbers.
 *
 * The bytes are a program. The first eight choose the layout; then every object that is written takes one byte, 0 for "as anndata writes it" and anything else
 * for one of the faults of h5_program.c with its own parameters. A program that has run out reads zeros, so that short inputs are valid files. */
#ifndef SOWER_TESTS_H5_PROGRAM_H
#define SOWER_TESTS_H5_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

/** Write the file; 0 when libhdf5 refused. */
int h5_program_write(const char *path, const uint8_t *data, size_t size);
/** Open files, groups, datasets, types and attributes: as many before as after a reader. */
long h5_program_handles(void);

#endif
