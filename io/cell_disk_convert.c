/* Numbers as they lie on disk (little-endian, which this machine must be too) into what the readers of cells work with. */
#include "io/cell_disk_internal.h"

#include <string.h>

size_t sow_i_disk_size(sow_i_on_disk from)
{
    static const unsigned char size[] = {
        [SOW_I_DISK_OTHER] = 0, [SOW_I_DISK_F32] = 4, [SOW_I_DISK_F64] = 8, [SOW_I_DISK_I8] = 1,  [SOW_I_DISK_U8] = 1,  [SOW_I_DISK_I16] = 2,
        [SOW_I_DISK_U16] = 2,   [SOW_I_DISK_I32] = 4, [SOW_I_DISK_U32] = 4, [SOW_I_DISK_I64] = 8, [SOW_I_DISK_U64] = 8,
    };
    return size[from];
}

size_t sow_i_as_size(sow_i_as as)
{
    return as == SOW_I_AS_INT64 ? 8 : 4;
}

/* A negative index is as wrong as one that is too large, so both become -1. */
#define CONVERT(name, type)                                                                                                        \
    static void floats_of_##name(float *out, const type *in, sow_index n)                                                          \
    {                                                                                                                              \
        for (sow_index i = 0; i < n; i++) out[i] = (float)in[i];                                                                   \
    }
#define CONVERT_INTEGERS(name, type, narrow_fits, wide_fits)                                                                       \
    CONVERT(name, type)                                                                                                            \
    static void int32s_of_##name(int32_t *out, const type *in, sow_index n)                                                        \
    {                                                                                                                              \
        for (sow_index i = 0; i < n; i++) out[i] = narrow_fits ? (int32_t)in[i] : -1;                                              \
    }                                                                                                                              \
    static void int64s_of_##name(int64_t *out, const type *in, sow_index n)                                                        \
    {                                                                                                                              \
        for (sow_index i = 0; i < n; i++) out[i] = wide_fits ? (int64_t)in[i] : -1;                                                \
    }
CONVERT(f64, double)
CONVERT_INTEGERS(i8, int8_t, 1, 1)
CONVERT_INTEGERS(u8, uint8_t, 1, 1)
CONVERT_INTEGERS(i16, int16_t, 1, 1)
CONVERT_INTEGERS(u16, uint16_t, 1, 1)
CONVERT_INTEGERS(i32, int32_t, 1, 1)
CONVERT_INTEGERS(u32, uint32_t, in[i] <= INT32_MAX, 1)
CONVERT_INTEGERS(i64, int64_t, in[i] >= 0 && in[i] <= INT32_MAX, 1)
CONVERT_INTEGERS(u64, uint64_t, in[i] <= INT32_MAX, in[i] <= INT64_MAX)

#define CASE(upper, name)                                                                                                          \
    case SOW_I_DISK_##upper:                                                                                                       \
        if (as == SOW_I_AS_FLOAT) floats_of_##name(out, in, n);                                                                    \
        if (as == SOW_I_AS_INT32) int32s_of_##name(out, in, n);                                                                    \
        if (as == SOW_I_AS_INT64) int64s_of_##name(out, in, n);                                                                    \
        break;

void sow_i_convert(void *out, sow_i_as as, const void *in, sow_i_on_disk from, sow_index n)
{
    switch (from) {
    case SOW_I_DISK_OTHER:
        break;
    case SOW_I_DISK_F32:
        memcpy(out, in, (size_t)n * sizeof(float)); /* floats become only floats (sow_i_disk_open) */
        break;
    case SOW_I_DISK_F64:
        floats_of_f64(out, in, n);
        break;
        CASE(I8, i8)
        CASE(U8, u8)
        CASE(I16, i16)
        CASE(U16, u16)
        CASE(I32, i32)
        CASE(U32, u32)
        CASE(I64, i64)
        CASE(U64, u64)
    }
}
