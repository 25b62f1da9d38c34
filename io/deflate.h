/* Whole buffers deflated and inflated, in the zlib format that HDF5's filter reads and writes. By libdeflate, which takes less than half the time of zlib for it (docs/decisions/libdeflate.md). Not installed. */
#ifndef SOWER_IO_DEFLATE_H
#define SOWER_IO_DEFLATE_H

#include <stddef.h>

#include "core/status.h"

/** Bytes that n deflated ones may take. */
size_t sow_i_deflate_bound(size_t n);

/** n bytes into out [bound], at `level`, 1 (fastest) to 9. *size: how many they are now. SOW_E_NOMEM. */
SOW_MUST_CHECK sow_status sow_i_deflate(unsigned char *out, size_t bound, size_t *size, const unsigned char *in, size_t n, int level, sow_error *err);

/** Exactly n bytes out of n_in; 0 when they are not that, or damaged, or memory is out. What lies behind the end of the stream is ignored. */
int sow_i_inflate(unsigned char *out, size_t n, const unsigned char *in, size_t n_in);

#endif
