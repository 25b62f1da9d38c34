/* Where the chunks of a dataset lie: HDF5 File Format Specification version 3.0, IV.A.1.a/b (object headers), IV.A.2.i (layout message) and III.A.1 (version 1
 * B-trees). HDF5 1.10 answers the same question chunk by chunk, walking all of them each time. Whatever is not exactly as expected ends the attempt: HDF5 itself
 * then reads the dataset and says what is wrong. Every number comes from the file, so none is trusted. */
#include "io/cell_disk_internal.h"

#include "core/memory.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_BLOCKS = 64, MOST_BLOCK_BYTES = 1 << 20, TYPE_LAYOUT = 8, TYPE_CONTINUATION = 16, SHARED = 2 };

typedef struct {
    int fd;
    uint64_t file_size;
    int rank;
    sow_index n_chunks[2], chunk[2];
    unsigned btree_k;
    sow_i_chunk *list;
    sow_index total, nodes_left;
    int out_of_memory;
} walk;

static uint64_t number_at(const unsigned char *p, int bytes)
{
    uint64_t x = 0;
    for (int i = bytes - 1; i >= 0; i--) x = x << 8 | p[i];
    return x;
}

static unsigned char *room_for(walk *w, size_t n)
{
    unsigned char *bytes = sow_calloc((sow_index)n, 1);
    if (!bytes) w->out_of_memory = 1;
    return bytes;
}

static int read_at(const walk *w, void *out, uint64_t address, size_t n)
{
    if (address > w->file_size || n > w->file_size - address) return 0;
    return pread(w->fd, out, n, (off_t)address) == (ssize_t)n;
}

/* ---- the object header: which address the B-tree has ---- */

typedef struct {
    uint64_t address[MOST_BLOCKS], size[MOST_BLOCKS];
    int n;
} block_list;

static int add_block(block_list *b, uint64_t address, uint64_t size)
{
    if (b->n == MOST_BLOCKS || size > MOST_BLOCK_BYTES) return 0;
    b->address[b->n] = address;
    b->size[b->n++] = size;
    return 1;
}

/* Version 3, class chunked: rank + 1 sizes, the last of them that of an element. */
static int take_layout(const walk *w, uint64_t *tree, const unsigned char *p, uint64_t size)
{
    uint64_t n = (uint64_t)w->rank + 1;
    if (size < 11 + 4 * n || p[0] != 3 || p[1] != 2 || p[2] != n) return 0;
    for (int i = 0; i < w->rank; i++)
        if (number_at(p + 11 + 4 * i, 4) != (uint64_t)w->chunk[i]) return 0;
    *tree = number_at(p + 3, 8);
    return 1;
}

/* 1: found; 0: not in this block, perhaps another was added; -1: odd. */
static int scan_messages(const walk *w, uint64_t *tree, block_list *blocks, const unsigned char *p, uint64_t size, uint64_t head, int version)
{
    while (size >= head) {
        uint64_t type = version == 1 ? number_at(p, 2) : p[0], n = number_at(version == 1 ? p + 2 : p + 1, 2);
        int flags = version == 1 ? p[4] : p[3];
        p += head;
        size -= head;
        if (n > size) return -1;
        if (type == TYPE_LAYOUT) return !(flags & SHARED) && take_layout(w, tree, p, n) ? 1 : -1;
        if (type == TYPE_CONTINUATION && (n < 16 || !add_block(blocks, number_at(p, 8), number_at(p + 8, 8)))) return -1;
        p += n;
        size -= n;
    }
    return 0;
}

/* Version 2 begins with "OHDR", optional times and attribute bounds, and a size of 1 to 8 bytes; blocks end in a checksum. */
static int first_block(const walk *w, block_list *blocks, uint64_t *head, int *version, uint64_t address)
{
    unsigned char p[64] = {0};
    if (address >= w->file_size) return 0;
    size_t have = w->file_size - address < sizeof p ? (size_t)(w->file_size - address) : sizeof p;
    if (!read_at(w, p, address, have) || have < 32) return 0;
    if (p[0] == 1) {
        *version = 1;
        *head = 8;
        return add_block(blocks, address + 16, number_at(p + 8, 4));
    }
    if (memcmp(p, "OHDR", 4) != 0 || p[4] != 2) return 0;
    int flags = p[5], at = 6 + (flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0), width = 1 << (flags & 3);
    *version = 2;
    *head = flags & 4 ? 6 : 4;
    return add_block(blocks, address + (uint64_t)(at + width), number_at(p + at, width));
}

static int find_tree(walk *w, uint64_t *tree, uint64_t header)
{
    block_list blocks = {.n = 0};
    uint64_t head = 0;
    int version = 0, found = 0;
    if (!first_block(w, &blocks, &head, &version, header)) return 0;
    for (int i = 0; i < blocks.n && found == 0; i++) {
        uint64_t size = blocks.size[i];
        unsigned char *bytes = room_for(w, (size_t)size), *p = bytes;
        if (!bytes || !read_at(w, bytes, blocks.address[i], (size_t)size)) {
            found = -1;
        } else {
            if (version == 2 && i > 0) { /* "OCHK" ... checksum */
                if (size < 8 || memcmp(p, "OCHK", 4) != 0) found = -1;
                p += 4;
                size = size < 8 ? 0 : size - 8;
            }
            if (found == 0) found = scan_messages(w, tree, &blocks, p, size, head, version);
        }
        free(bytes);
    }
    return found == 1;
}

/* ---- the B-tree ---- */

static int take_chunk(walk *w, const unsigned char *key, uint64_t address)
{
    sow_index at = 0;
    uint64_t size = number_at(key, 4);
    for (int i = 0; i < w->rank; i++) {
        uint64_t offset = number_at(key + 8 + 8 * i, 8), side = (uint64_t)w->chunk[i];
        if (offset % side != 0 || offset / side >= (uint64_t)w->n_chunks[i]) return 0;
        at = at * w->n_chunks[i] + (sow_index)(offset / side);
    }
    if (size == 0 || address > w->file_size || size > w->file_size - address || w->list[at].size != 0) return 0;
    w->list[at] = (sow_i_chunk){address, (uint32_t)size, (uint32_t)number_at(key + 4, 4)};
    return 1;
}

static int walk_node(walk *w, uint64_t address, int level)
{
    size_t key = 8 + 8 * ((size_t)w->rank + 1), entry = key + 8;
    unsigned char head[24], *bytes = NULL;
    if (w->nodes_left-- <= 0 || !read_at(w, head, address, sizeof head)) return 0;
    size_t n = (size_t)number_at(head + 6, 2);
    if (memcmp(head, "TREE", 4) != 0 || head[4] != 1 || (level >= 0 && head[5] != level) || n > 2 * (size_t)w->btree_k) return 0;
    bytes = room_for(w, n * entry);
    int good = bytes && read_at(w, bytes, address + sizeof head, n * entry);
    for (size_t i = 0; good && i < n; i++) {
        const unsigned char *p = bytes + i * entry;
        uint64_t child = number_at(p + key, 8);
        good = head[5] == 0 ? take_chunk(w, p, child) : walk_node(w, child, head[5] - 1);
    }
    free(bytes);
    return good;
}

/* HDF5 asked about one chunk: that what was read here is what it sees. */
static int hdf5_agrees(const walk *w, hid_t dataset, sow_index at)
{
    hsize_t offset[2] = {0, 0}, size = 0;
    haddr_t address = 0;
    unsigned skipped = 0;
    sow_index across = w->rank == 2 ? w->n_chunks[1] : 1;
    offset[0] = (hsize_t)(at / across * w->chunk[0]);
    if (w->rank == 2) offset[1] = (hsize_t)(at % across * w->chunk[1]);
    if (H5Dget_chunk_info_by_coord(dataset, offset, &skipped, &address, &size) < 0) return 0;
    const sow_i_chunk *c = &w->list[at];
    return c->size == 0 ? address == HADDR_UNDEF || size == 0 : address == c->address && size == c->size && skipped == c->skipped;
}

static int header_address(uint64_t *out, hid_t dataset)
{
#if H5_VERSION_GE(1, 12, 0)
    H5O_info1_t info;
    if (H5Oget_info2(dataset, &info, H5O_INFO_BASIC) < 0) return 0;
#else
    H5O_info_t info;
    if (H5Oget_info2(dataset, &info, H5O_INFO_BASIC) < 0) return 0;
#endif
    *out = (uint64_t)info.addr;
    return 1;
}

sow_status sow_i_chunks_find(sow_i_chunk **out, hid_t dataset, int fd, uint64_t file_size, int rank, const sow_index n_chunks[2], const sow_index chunk[2],
                             unsigned btree_k, sow_error *err)
{
    sow_status st = SOW_OK;
    walk w = {.fd = fd, .file_size = file_size, .rank = rank, .btree_k = btree_k, .total = n_chunks[0] * (rank == 2 ? n_chunks[1] : 1)};
    uint64_t header = 0, tree = 0;
    *out = NULL;
    memcpy(w.n_chunks, n_chunks, sizeof w.n_chunks);
    memcpy(w.chunk, chunk, sizeof w.chunk);
    if ((uint64_t)w.total > file_size / 16) return SOW_OK; /* an entry of the tree takes more: most chunks were never written */
    if (btree_k == 0 || btree_k > 65535 || !header_address(&header, dataset)) return SOW_OK;
    int good = find_tree(&w, &tree, header);
    w.nodes_left = w.total + 256;
    if (good) SOW_NEW(w.list, w.total);
    if (good && tree != UINT64_MAX) good = walk_node(&w, tree, -1); /* all ones: nothing was ever written */
    if (w.out_of_memory) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    if (good && hdf5_agrees(&w, dataset, 0) && hdf5_agrees(&w, dataset, w.total - 1)) {
        *out = w.list;
        w.list = NULL;
    }
done:
    free(w.list);
    return st;
}
