/* A dataset of numbers of an HDF5 file read piece by piece, fast. Not installed.
 *
 * HDF5 reads with one thread and copies through its cache. Here HDF5 only says where the bytes are; they are read with pread, inflated and converted by all
 * threads. What is stored in a way this file does not know (big-endian, other filters, other chunk indices) is left to H5Dread. */
#ifndef SOWER_IO_CELL_DISK_INTERNAL_H
#define SOWER_IO_CELL_DISK_INTERNAL_H

#include "core/env.h"
#include "io/hdf5_internal.h"

#include <pthread.h>

typedef enum { SOW_I_AS_FLOAT, SOW_I_AS_INT32, SOW_I_AS_INT64 } sow_i_as; /* what numbers become; integers that do not fit become -1 */
typedef enum {
    SOW_I_DISK_OTHER,
    SOW_I_DISK_F32,
    SOW_I_DISK_F64,
    SOW_I_DISK_I8,
    SOW_I_DISK_U8,
    SOW_I_DISK_I16,
    SOW_I_DISK_U16,
    SOW_I_DISK_I32,
    SOW_I_DISK_U32,
    SOW_I_DISK_I64,
    SOW_I_DISK_U64
} sow_i_on_disk; /* little-endian, as on this machine */

/** n numbers at `in` (of type `from`, not OTHER) into `out` (of type `as`). */
void sow_i_convert(void *out, sow_i_as as, const void *in, sow_i_on_disk from, sow_index n);
size_t sow_i_disk_size(sow_i_on_disk from);
size_t sow_i_as_size(sow_i_as as);

/* Where a chunk lies; size 0 = it was never written and reads as zeros. */
typedef struct {
    uint64_t address;
    uint32_t size, skipped; /* bit i set: filter i was not applied */
} sow_i_chunk;
/** Addresses of all chunks of a dataset of `rank` dimensions (1 or 2; at least one chunk), in row-major order of chunks. Reads the version 1 B-tree of HDF5 files
 *  itself, since HDF5 1.10 walks all chunks to find one. *out (freed by the caller) stays NULL when it is not such a file or anything looks odd: then H5Dread must
 *  do. Only SOW_E_NOMEM can happen. */
SOW_MUST_CHECK sow_status sow_i_chunks_find(sow_i_chunk **out, hid_t dataset, int fd, uint64_t file_size, int rank, const sow_index n_chunks[2],
                                            const sow_index chunk[2], unsigned btree_k, sow_error *err);

/* Buffers that threads borrow to inflate chunks in. */
typedef struct {
    unsigned char *raw, *plain, *apart; /* as stored; inflated; unshuffled */
    size_t raw_size, plain_size, apart_size;
    int taken;
} sow_i_slot;
typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t free;
    sow_i_slot *slot;
    int n;
} sow_i_slots;

/* What all datasets of one file share. */
typedef struct {
    hid_t file;
    int fd;
    uint64_t size;
    int plain_addresses; /* no user block, 8-byte addresses: H5Dget_offset is a position in the file */
    unsigned btree_k;
    sow_index memory;    /* bytes that one dataset may take for chunks */
    sow_i_slots slots;
} sow_i_disk_file;
SOW_MUST_CHECK sow_status sow_i_disk_file_open(sow_i_disk_file *out, const char *path, sow_index memory, sow_error *err);
void sow_i_disk_file_close(sow_i_disk_file *f);

typedef struct {
    sow_i_h5_dataset d;
    sow_i_disk_file *file;
    char *where; /* "path: /X/data" */
    sow_i_as as;
    sow_i_on_disk from;
    sow_index rows, width; /* width 1 for vectors */
    enum { SOW_I_BY_HDF5, SOW_I_CONTIGUOUS, SOW_I_CHUNKED } layout;
    uint64_t address;      /* contiguous */
    sow_index chunk_rows, chunk_width, chunks_across;
    size_t chunk_bytes;
    int n_filters, filter[8];
    sow_i_chunk *chunk;
} sow_i_disk;

/** Open `name` under `parent`. SOW_E_DATA: not there, not numbers (not integers unless SOW_I_AS_FLOAT), a filter this HDF5 lacks (named, with what to do), chunks
 *  larger than the memory. */
SOW_MUST_CHECK sow_status sow_i_disk_open(sow_i_disk *out, sow_i_disk_file *file, hid_t parent, const char *name, const char *where, sow_i_as as, sow_error *err);
void sow_i_disk_close(sow_i_disk *d); /* an empty one (id -1) is fine */
#define SOW_I_DISK_NONE {.d = {.id = -1, .type = -1, .space = -1}}

/** Rows first .. first + n - 1 into `out` [n, width]. */
typedef struct {
    sow_i_disk *disk;
    void *out;
    sow_index first, n;
} sow_i_disk_read;
/** Several reads at once, with env's threads. SOW_E_DATA names the dataset whose bytes are damaged or cut off. */
SOW_MUST_CHECK sow_status sow_i_disk_read_all(const sow_i_disk_read *read, int n_reads, const sow_env *env, sow_error *err);

/** A stretch of rows held in memory, which moves forward. Compressed chunks are taken whole, so that each is inflated once. */
typedef struct {
    sow_i_disk disk;
    unsigned char *data;
    sow_index capacity;    /* rows that `data` can hold */
    sow_index first, end;  /* rows held */
    sow_index granule;     /* rows are read up to a multiple of this */
} sow_i_window;
/** Room for `rows` rows at a time (and a chunk more). */
SOW_MUST_CHECK sow_status sow_i_window_init(sow_i_window *w, sow_index rows, sow_error *err);
void sow_i_window_close(sow_i_window *w);
/** Forget rows before `first` and prepare to read up to `end` (not past the last row): *read is what is missing (n = 0: nothing). */
void sow_i_window_plan(sow_i_disk_read *read, sow_i_window *w, sow_index first, sow_index end);
void *sow_i_window_at(const sow_i_window *w, sow_index row);

#endif
