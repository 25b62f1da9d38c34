/* The file of a cache: where its parts lie, its checksum, and how it is mapped. */
#include "io/cell_cache_internal.h"

#include "core/memory.h"
#include "io/file_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

static const char magic[8] = "sowcells";
enum { BYTE_ORDER_MARK = 0x01020304, PAGE = 4096, CHECKSUM_SIZE = 8 };

static int64_t round_up(int64_t x, int64_t unit)
{
    return (x + unit - 1) / unit * unit;
}

sow_status sow_i_cache_layout(sow_i_cache_header *h, sow_index n_cells, sow_index n_genes, sow_index n_values, const char *path, sow_error *err)
{
    const int64_t most = INT64_MAX / 64;
    if (n_cells > most || n_values > most || n_genes > INT32_MAX)
        return SOW_ERROR(err, SOW_E_DATA, "%s: %lld cells x %lld genes with %lld values are more than a file can hold", path, (long long)n_cells,
                         (long long)n_genes, (long long)n_values);
    memset(h, 0, sizeof *h);
    memcpy(h->magic, magic, sizeof magic);
    h->version = SOW_I_CACHE_VERSION;
    h->byte_order = BYTE_ORDER_MARK;
    h->n_cells = n_cells;
    h->n_genes = n_genes;
    h->n_values = n_values;
    h->start_at = PAGE;
    h->gene_at = round_up(h->start_at + 8 * (n_cells + 1), PAGE);
    h->value_at = round_up(h->gene_at + 4 * n_values, PAGE);
    h->names_at = round_up(h->value_at + 4 * n_values, PAGE);
    return SOW_OK;
}

/* ---- checksum ---- */

/* For each position a bijection of the word, so that one altered word always alters the sum; alterations of several cancel with chance 2^-64. */
static inline uint64_t mixed(uint64_t word, uint64_t key)
{
    word = (word ^ key) * UINT64_C(0xd6e8feb86659fd93);
    word ^= word >> 32;
    return word * UINT64_C(0xc2b2ae3d27d4eb4f);
}

static const uint64_t key_step = UINT64_C(0x9e3779b97f4a7c15);
enum { SECTION_START = 1, SECTION_ENTRIES = 2, SECTION_NAMES = 3, SECTION_HEADER = 4 };

static uint64_t first_key(uint64_t section, sow_index first)
{
    return section * UINT64_C(0xa0761d6478bd642f) + (uint64_t)first * key_step;
}

uint64_t sow_i_cache_sum_entries(const int32_t *gene, const float *value, sow_index first, sow_index n)
{
    uint64_t sum = 0, key = first_key(SECTION_ENTRIES, first);
    for (sow_index i = 0; i < n; i++, key += key_step) {
        uint32_t bits;
        memcpy(&bits, &value[i], sizeof bits);
        sum += mixed((uint64_t)bits << 32 | (uint32_t)gene[i], key);
    }
    return sum;
}

uint64_t sow_i_cache_sum_start(const int64_t *start, sow_index first, sow_index n)
{
    uint64_t sum = 0, key = first_key(SECTION_START, first);
    for (sow_index i = 0; i < n; i++, key += key_step) sum += mixed((uint64_t)start[i], key);
    return sum;
}

static uint64_t sum_bytes(const void *bytes, sow_index n, uint64_t section)
{
    uint64_t sum = mixed((uint64_t)n, first_key(section, -1)), key = first_key(section, 0);
    for (sow_index at = 0; at < n; at += 8, key += key_step) {
        uint64_t word = 0;
        memcpy(&word, (const char *)bytes + at, (size_t)(n - at < 8 ? n - at : 8));
        sum += mixed(word, key);
    }
    return sum;
}

uint64_t sow_i_cache_sum_names(const char *names, sow_index n)
{
    return sum_bytes(names, n, SECTION_NAMES);
}

uint64_t sow_i_cache_sum_header(const sow_i_cache_header *h)
{
    return sum_bytes(h, sizeof *h, SECTION_HEADER);
}

enum { TILE = 1 << 18 }; /* entries, and cells, of one task */

typedef struct {
    const sow_cell_matrix *m;
    sow_index n_values, entry_tiles;
    uint64_t *sum;
} sum_job;

static sow_status sum_tile(void *user, sow_index i, sow_error *err)
{
    sum_job *job = user;
    (void)err;
    int entries = i < job->entry_tiles;
    sow_index total = entries ? job->n_values : job->m->n_cells + 1, first = (entries ? i : i - job->entry_tiles) * TILE;
    sow_index n = total - first < TILE ? total - first : TILE;
    job->sum[i] = entries ? sow_i_cache_sum_entries(job->m->gene + first, job->m->value + first, first, n)
                          : sow_i_cache_sum_start(job->m->start + first, first, n);
    return SOW_OK;
}

static sow_status sum_matrix(uint64_t *out, const sow_cell_matrix *m, sow_index n_values, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index entry_tiles = (n_values + TILE - 1) / TILE, tiles = entry_tiles + (m->n_cells + TILE) / TILE;
    sum_job job = {m, n_values, entry_tiles, NULL};
    SOW_NEW(job.sum, tiles);
    SOW_TRY(sow_parallel_for(sow_env_threads(env), tiles, sum_tile, &job, err));
    *out = 0;
    for (sow_index i = 0; i < tiles; i++) *out += job.sum[i];
done:
    free(job.sum);
    return st;
}

/* ---- mapping ---- */

typedef struct {
    void *base;
    size_t size;
} mapping;

static void unmap(void *owner)
{
    mapping *m = owner;
    if (m->base) munmap(m->base, m->size);
    free(m);
}

/* What is wrong with the header, or NULL. */
static const char *fault_of(const sow_i_cache_header *h, const char *key, int64_t size)
{
    if (memcmp(h->magic, magic, sizeof magic) != 0) return "it does not begin as a cache does";
    if (h->byte_order != BYTE_ORDER_MARK) return "it was made on a machine of another byte order";
    if (h->version != SOW_I_CACHE_VERSION) return "it is of another version";
    if (h->file_size != size) return "it is cut off";
    if (memcmp(h->key, key, strlen(key) + 1) != 0) return "it belongs to other data";
    const int64_t most = INT64_MAX / 64;
    if (h->n_cells < 0 || h->n_cells > most || h->n_values < 0 || h->n_values > most || h->n_genes < 0 || h->n_genes > INT32_MAX ||
        h->start_at != PAGE || h->gene_at < h->start_at + 8 * (h->n_cells + 1) || h->gene_at > size || h->value_at > size || h->names_at > size ||
        h->value_at < h->gene_at + 4 * h->n_values || h->names_at < h->value_at + 4 * h->n_values || h->gene_at % 8 || h->value_at % 8 ||
        h->names_size < 0 || h->names_size > size || h->names_at + h->names_size + CHECKSUM_SIZE != size)
        return "its header makes no sense";
    return NULL;
}

static sow_status names_of(sow_names **out, const char *text, const sow_i_cache_header *h, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_TRY(sow_names_create(out, err));
    for (const char *p = text, *end = text + h->names_size; p < end; p += strlen(p) + 1) SOW_TRY(sow_names_add(*out, p, NULL, err));
done:
    return st;
}

static sow_status check_and_fill(sow_cell_matrix *m, const char **why, const char *base, int check, const char *key, int64_t size,
                                 const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_cache_header h;
    uint64_t sum = 0, kept = 0;
    memcpy(&h, base, sizeof h);
    *why = fault_of(&h, key, size);
    if (*why) goto done;
    m->n_cells = h.n_cells;
    m->n_genes = h.n_genes;
    m->start = (const int64_t *)(const void *)(base + h.start_at);
    m->gene = (const int32_t *)(const void *)(base + h.gene_at);
    m->value = (const float *)(const void *)(base + h.value_at);
    if (check) {
        SOW_TRY(sum_matrix(&sum, m, h.n_values, env, err));
        sum += sow_i_cache_sum_header(&h) + sow_i_cache_sum_names(base + h.names_at, h.names_size);
        memcpy(&kept, base + size - CHECKSUM_SIZE, sizeof kept);
        if (sum != kept) *why = "its checksum does not match";
    }
    if (*why) goto done;
    SOW_TRY(names_of(&m->genes, base + h.names_at, &h, err));
done:
    return st;
}

sow_status sow_i_cache_map(sow_cell_matrix *out, int *whole, const char **why, int fd, int check, const char *path, const char *key,
                           const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    struct stat s;
    sow_cell_matrix m = {0};
    mapping *map = NULL;
    memset(out, 0, sizeof *out);
    *whole = 0;
    *why = NULL;
    if (fstat(fd, &s) != 0) return sow_i_io_error(err, "read", path, errno);
    if (s.st_size < (off_t)(PAGE + CHECKSUM_SIZE)) {
        *why = "it is cut off";
        return SOW_OK;
    }
    SOW_NEW(map, 1);
    map->size = (size_t)s.st_size;
    map->base = mmap(NULL, map->size, PROT_READ, MAP_SHARED, fd, 0);
    if (map->base == MAP_FAILED) {
        map->base = NULL;
        st = sow_i_io_error(err, "map", path, errno);
        goto done;
    }
    SOW_TRY(check_and_fill(&m, why, map->base, check, key, (int64_t)s.st_size, env, err));
    if (*why) goto done;
    m.owner = map;
    m.release = unmap;
    *out = m;
    *whole = 1;
    map = NULL;
    m.genes = NULL;
done:
    sow_names_destroy(m.genes);
    if (map) unmap(map);
    return st;
}
