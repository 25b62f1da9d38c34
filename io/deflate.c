#include "io/deflate.h"

#include <libdeflate.h>

size_t sow_i_deflate_bound(size_t n)
{
    return libdeflate_zlib_compress_bound(NULL, n);
}

sow_status sow_i_deflate(unsigned char *out, size_t bound, size_t *size, const unsigned char *in, size_t n, int level, sow_error *err)
{
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(level);
    if (!c) return SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
    *size = libdeflate_zlib_compress(c, in, n, out, bound);
    libdeflate_free_compressor(c);
    return *size > 0 ? SOW_OK : SOW_ERROR(err, SOW_E_ARG, "%zu bytes are no room for %zu deflated ones", bound, n);
}

int sow_i_inflate(unsigned char *out, size_t n, const unsigned char *in, size_t n_in)
{
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    if (!d) return 0;
    const enum libdeflate_result result = libdeflate_zlib_decompress(d, in, n_in, out, n, NULL);
    libdeflate_free_decompressor(d);
    return result == LIBDEFLATE_SUCCESS;
}
