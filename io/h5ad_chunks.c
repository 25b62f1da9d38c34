/* Chunks of 4-byte numbers, shuffled and deflated on all threads.
 *
 * HDF5 deflates on the thread that calls it, one chunk at a time, and that takes longer than a model's predictions do, and a third of the time of a simulated screen: whole chunks are shuffled and
 * deflated here and handed over as they will lie in the file (H5Dwrite_chunk), in streams as HDF5's own filter reads. */
#include "io/h5ad_write_internal.h"

#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "io/deflate.h"

enum { WIDTH = 4, AT_ONCE = SOW_I_CHUNKS_AT_ONCE };
typedef sow_i_packed_chunk packed;

typedef struct {
    const unsigned char *numbers;
    sow_index entries; /* of a chunk */
    int level;
    packed *chunk;
} packing;

/* Byte b of every number, then byte b + 1 of every number, ...: what H5Z_FILTER_SHUFFLE does. */
static void shuffle(unsigned char *out, const unsigned char *in, sow_index n)
{
    for (sow_index b = 0; b < WIDTH; b++)
        for (sow_index i = 0; i < n; i++) out[b * n + i] = in[i * WIDTH + b];
}

static sow_status pack(void *user, sow_index i, sow_error *err)
{
    sow_status st = SOW_OK;
    const packing *p = user;
    packed *c = &p->chunk[i];
    const size_t size = (size_t)p->entries * WIDTH, bound = sow_i_deflate_bound(size);
    unsigned char *shuffled = NULL;
    SOW_NEW(shuffled, size);
    SOW_NEW(c->bytes, bound);
    shuffle(shuffled, p->numbers + (size_t)i * size, p->entries);
    SOW_TRY(sow_i_deflate(c->bytes, bound, &c->size, shuffled, size, p->level, err));
    if (c->size < size) goto done;
    memcpy(c->bytes, shuffled, size); /* noise does not get smaller */
    c->size = size;
    c->skips = SOW_I_SKIPS_DEFLATE;
done:
    free(shuffled);
    return st;
}

sow_status sow_i_anndata_put_chunks(sow_i_h5ad_file *w, hid_t d, sow_index first, sow_index step, sow_index n_chunks, sow_index entries, const void *numbers, int level, sow_threads *threads, sow_error *err)
{
    sow_status st = SOW_OK;
    packed chunk[AT_ONCE] = {{0}};
    for (sow_index from = 0; from < n_chunks; from += AT_ONCE) {
        const sow_index n = n_chunks - from < AT_ONCE ? n_chunks - from : AT_ONCE;
        packing p = {(const unsigned char *)numbers + (size_t)(from * entries) * WIDTH, entries, level, chunk};
        SOW_TRY(sow_parallel_for(threads, n, pack, &p, err));
        for (sow_index i = 0; i < n; i++) {
            const hsize_t at[2] = {(hsize_t)(first + (from + i) * step), 0};
            if (!w->failed) sow_i_anndata_note(w, H5Dwrite_chunk(d, H5P_DEFAULT, chunk[i].skips, at, chunk[i].size, chunk[i].bytes));
            free(chunk[i].bytes);
            chunk[i] = (packed){0};
        }
    }
done:
    for (int i = 0; i < AT_ONCE; i++) free(chunk[i].bytes);
    return st;
}

int sow_i_anndata_packs(void)
{
    return H5Tequal(H5T_NATIVE_FLOAT, H5T_IEEE_F32LE) > 0 && H5Tequal(H5T_NATIVE_INT32, H5T_STD_I32LE) > 0 && H5Zfilter_avail(H5Z_FILTER_DEFLATE) > 0;
}
