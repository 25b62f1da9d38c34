#include "io/cell_disk_internal.h"

#include "core/memory.h"
#include "io/deflate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TILE_BYTES = 1 << 18, PIECE_BYTES = 1 << 16 };

static int this_is_little_endian(void)
{
    const uint16_t one = 1;
    unsigned char first;
    memcpy(&first, &one, 1);
    return first == 1;
}

/* ---- the file ---- */

sow_status sow_i_disk_file_open(sow_i_disk_file *f, const char *path, sow_index memory, sow_error *err)
{
    sow_status st = SOW_OK;
    struct stat info;
    *f = (sow_i_disk_file){.file = -1, .fd = -1, .memory = memory};
    pthread_mutex_init(&f->slots.lock, NULL);
    pthread_cond_init(&f->slots.free, NULL);
    SOW_TRY(sow_i_h5_open(&f->file, path, err));
    f->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (f->fd < 0 || fstat(f->fd, &info) != 0) SOW_FAIL(err, SOW_E_IO, "%s: cannot open: %s", path, strerror(errno));
    f->size = (uint64_t)info.st_size;
    hid_t create = H5Fget_create_plist(f->file);
    hsize_t user_block = 1;
    size_t address = 0, length = 0;
    int known = create >= 0 && H5Pget_userblock(create, &user_block) >= 0 && H5Pget_sizes(create, &address, &length) >= 0 &&
                H5Pget_istore_k(create, &f->btree_k) >= 0;
    f->plain_addresses = known && user_block == 0 && address == 8 && length == 8 && this_is_little_endian();
    if (create >= 0) H5Pclose(create);
done:
    if (st != SOW_OK) sow_i_disk_file_close(f);
    return st;
}

void sow_i_disk_file_close(sow_i_disk_file *f)
{
    if (f->file >= 0) H5Fclose(f->file);
    if (f->fd >= 0) close(f->fd);
    for (int i = 0; i < f->slots.n; i++) {
        free(f->slots.slot[i].raw);
        free(f->slots.slot[i].plain);
        free(f->slots.slot[i].apart);
    }
    free(f->slots.slot);
    pthread_cond_destroy(&f->slots.free);
    pthread_mutex_destroy(&f->slots.lock);
    *f = (sow_i_disk_file){.file = -1, .fd = -1};
}

/* ---- slots ---- */

static sow_status slots_prepare(sow_i_slots *s, int n, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_slot *more = NULL;
    if (n <= s->n) return SOW_OK;
    SOW_NEW(more, n);
    if (s->n > 0) memcpy(more, s->slot, (size_t)s->n * sizeof *more);
    free(s->slot);
    s->slot = more;
    s->n = n;
done:
    return st;
}

static sow_i_slot *slot_take(sow_i_slots *s)
{
    sow_i_slot *found = NULL;
    pthread_mutex_lock(&s->lock);
    for (;;) {
        for (int i = 0; i < s->n && !found; i++)
            if (!s->slot[i].taken) found = &s->slot[i];
        if (found) break;
        pthread_cond_wait(&s->free, &s->lock);
    }
    found->taken = 1;
    pthread_mutex_unlock(&s->lock);
    return found;
}

static void slot_give(sow_i_slots *s, sow_i_slot *slot)
{
    pthread_mutex_lock(&s->lock);
    slot->taken = 0;
    pthread_cond_signal(&s->free);
    pthread_mutex_unlock(&s->lock);
}

static sow_status room(unsigned char **buffer, size_t *size, size_t need, sow_error *err)
{
    if (*size >= need) return SOW_OK;
    unsigned char *more = sow_calloc((sow_index)need, 1);
    if (!more) return SOW_ERROR(err, SOW_E_NOMEM, "out of memory (a chunk of %zu bytes)", need);
    free(*buffer);
    *buffer = more;
    *size = need;
    return SOW_OK;
}

/* ---- opening a dataset ---- */

static sow_i_on_disk type_on_disk(hid_t type)
{
    const struct {
        hid_t type;
        sow_i_on_disk what;
    } known[] = {
        {H5T_IEEE_F32LE, SOW_I_DISK_F32}, {H5T_IEEE_F64LE, SOW_I_DISK_F64}, {H5T_STD_I8LE, SOW_I_DISK_I8},   {H5T_STD_U8LE, SOW_I_DISK_U8},
        {H5T_STD_I16LE, SOW_I_DISK_I16},  {H5T_STD_U16LE, SOW_I_DISK_U16},  {H5T_STD_I32LE, SOW_I_DISK_I32}, {H5T_STD_U32LE, SOW_I_DISK_U32},
        {H5T_STD_I64LE, SOW_I_DISK_I64},  {H5T_STD_U64LE, SOW_I_DISK_U64},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (H5Tequal(type, known[i].type) > 0) return known[i].what;
    return SOW_I_DISK_OTHER;
}

/* *simple: only gzip and shuffle, which are undone here. That HDF5 has all of them is known (sow_i_h5_dataset_open). */
static void take_filters(sow_i_disk *d, int *simple, hid_t create)
{
    int n = H5Pget_nfilters(create);
    *simple = n >= 0 && n <= (int)(sizeof d->filter / sizeof *d->filter);
    for (int i = 0; *simple && i < n; i++) {
        unsigned flags = 0, value[16] = {0}, config = 0;
        size_t n_values = sizeof value / sizeof *value;
        H5Z_filter_t id = H5Pget_filter2(create, (unsigned)i, &flags, &n_values, value, 0, NULL, &config);
        d->filter[i] = (int)id;
        int same_size = n_values >= 1 && value[0] == sow_i_disk_size(d->from);
        *simple = id == H5Z_FILTER_DEFLATE || (id == H5Z_FILTER_SHUFFLE && same_size); /* checksums and scale-offset are HDF5's */
    }
    d->n_filters = *simple ? n : 0;
}

static int only_zero_fill(hid_t create)
{
    H5D_fill_value_t fill = H5D_FILL_VALUE_ERROR;
    return H5Pfill_value_defined(create, &fill) >= 0 && (fill == H5D_FILL_VALUE_DEFAULT || fill == H5D_FILL_VALUE_UNDEFINED);
}

static int contiguous(sow_i_disk *d)
{
    haddr_t address = H5Dget_offset(d->d.id);
    uint64_t bytes = (uint64_t)d->d.count * sow_i_disk_size(d->from);
    if (address == HADDR_UNDEF || address > d->file->size || bytes > d->file->size - address) return 0;
    d->address = address;
    d->layout = SOW_I_CONTIGUOUS;
    return 1;
}

static sow_status chunked(sow_i_disk *d, hid_t create, int simple, sow_error *err)
{
    hsize_t side[2] = {1, 1};
    if (H5Pget_chunk(create, d->d.n_dims, side) != d->d.n_dims || side[0] == 0 || side[1] == 0) return SOW_OK;
    sow_index chunk[2] = {(sow_index)side[0], (sow_index)side[1]};
    double bytes = (double)side[0] * (double)side[1] * (double)H5Tget_size(d->d.type);
    if (bytes > (double)d->file->memory)
        return SOW_ERROR(err, SOW_E_DATA,
                         "%s: stored in chunks of %.0f MB, which do not fit into the %.0f MB for buffers; give more with --memory, or write the file again "
                         "with smaller chunks",
                         d->where, bytes / 1e6, (double)d->file->memory / 1e6);
    if (!simple || !d->file->plain_addresses || d->rows == 0 || d->width == 0) return SOW_OK;
    sow_index n_chunks[2] = {(d->rows - 1) / chunk[0] + 1, (d->width - 1) / chunk[1] + 1};
    sow_status st = sow_i_chunks_find(&d->chunk, d->d.id, d->file->fd, d->file->size, d->d.n_dims, n_chunks, chunk, d->file->btree_k, err);
    if (!d->chunk) return st;
    d->chunk_rows = chunk[0];
    d->chunk_width = chunk[1];
    d->chunks_across = n_chunks[1];
    d->chunk_bytes = (size_t)bytes;
    d->layout = SOW_I_CHUNKED;
    return SOW_OK;
}

sow_status sow_i_disk_open(sow_i_disk *out, sow_i_disk_file *file, hid_t parent, const char *name, const char *where, sow_i_as as, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_disk d = SOW_I_DISK_NONE;
    hid_t create = -1;
    int simple = 0;
    d.file = file;
    d.as = as;
    d.where = sow_strdup(where);
    if (!d.where) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_i_h5_dataset_open(&d.d, parent, name, where, err));
    if (d.d.type_class != H5T_INTEGER && (d.d.type_class != H5T_FLOAT || as != SOW_I_AS_FLOAT))
        SOW_FAIL(err, SOW_E_DATA, "%s: %s are expected", where, as == SOW_I_AS_FLOAT ? "numbers" : "integers");
    if (d.d.n_dims < 1) SOW_FAIL(err, SOW_E_DATA, "%s: a single number where a vector or a matrix is expected", where);
    d.rows = d.d.dim[0];
    d.width = d.d.n_dims == 2 ? d.d.dim[1] : 1;
    d.from = type_on_disk(d.d.type);
    create = H5Dget_create_plist(d.d.id);
    if (create < 0) SOW_FAIL(err, SOW_E_DATA, "%s: damaged, cannot be opened", where);
    take_filters(&d, &simple, create);
    simple = simple && d.from != SOW_I_DISK_OTHER && only_zero_fill(create) && H5Pget_external_count(create) == 0;
    H5D_layout_t layout = H5Pget_layout(create);
    if (layout == H5D_CHUNKED)
        SOW_TRY(chunked(&d, create, simple, err));
    else if (layout == H5D_CONTIGUOUS && simple && file->plain_addresses)
        (void)contiguous(&d);
    *out = d;
    d = (sow_i_disk)SOW_I_DISK_NONE;
done:
    if (create >= 0) H5Pclose(create);
    sow_i_disk_close(&d);
    return st;
}

void sow_i_disk_close(sow_i_disk *d)
{
    sow_i_h5_dataset_close(&d->d);
    free(d->where);
    free(d->chunk);
    *d = (sow_i_disk)SOW_I_DISK_NONE;
}

/* ---- reading: one task a tile or a chunk ---- */

static sow_status damaged(const sow_i_disk *d, const char *what, sow_error *err)
{
    return SOW_ERROR(err, SOW_E_DATA, "%s: damaged, %s; copy the file again", d->where, what);
}

static sow_status bytes_at(const sow_i_disk *d, void *out, uint64_t address, size_t n, sow_error *err)
{
    unsigned char *p = out;
    while (n > 0) {
        ssize_t got = pread(d->file->fd, p, n, (off_t)address);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return SOW_ERROR(err, SOW_E_IO, "%s: cannot read: %s", d->where, strerror(errno));
        if (got == 0) return damaged(d, "the file ends before its values do", err);
        p += got;
        address += (uint64_t)got;
        n -= (size_t)got;
    }
    return SOW_OK;
}

static int as_they_lie(const sow_i_disk *d)
{
    return (d->from == SOW_I_DISK_F32 && d->as == SOW_I_AS_FLOAT) || (d->from == SOW_I_DISK_I32 && d->as == SOW_I_AS_INT32) ||
           (d->from == SOW_I_DISK_I64 && d->as == SOW_I_AS_INT64);
}

/* n numbers that lie at `address` one after the other. */
static sow_status read_run(const sow_i_disk *d, void *out, uint64_t address, sow_index n, sow_error *err)
{
    unsigned char piece[PIECE_BYTES] __attribute__((aligned(16)));
    size_t size = sow_i_disk_size(d->from);
    if (as_they_lie(d)) return bytes_at(d, out, address, (size_t)n * size, err);
    while (n > 0) {
        sow_index some = (sow_index)(sizeof piece / size) < n ? (sow_index)(sizeof piece / size) : n;
        sow_status st = bytes_at(d, piece, address, (size_t)some * size, err);
        if (st != SOW_OK) return st;
        sow_i_convert(out, d->as, piece, d->from, some);
        out = (unsigned char *)out + (size_t)some * sow_i_as_size(d->as);
        address += (uint64_t)some * size;
        n -= some;
    }
    return SOW_OK;
}

/* HDF5's shuffle keeps all first bytes together, then all second bytes, ...; a rest that fills no element stays at the end. */
static void unshuffle(unsigned char *restrict out, const unsigned char *restrict in, size_t n_bytes, size_t size)
{
    size_t n = n_bytes / size;
    if (size == 4) {
        const unsigned char *a = in, *b = in + n, *c = in + 2 * n, *e = in + 3 * n;
        for (size_t i = 0; i < n; i++) {
            out[4 * i] = a[i];
            out[4 * i + 1] = b[i];
            out[4 * i + 2] = c[i];
            out[4 * i + 3] = e[i];
        }
    } else {
        for (size_t k = 0; k < size; k++)
            for (size_t i = 0; i < n; i++) out[i * size + k] = in[k * n + i];
    }
    memcpy(out + n * size, in + n * size, n_bytes - n * size);
}

/* The chunk's numbers as they were before the filters; *out lies in the slot. Filters are undone from the last to the first. */
static sow_status decode(const unsigned char **out, const sow_i_disk *d, sow_i_slot *slot, const sow_i_chunk *c, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_TRY(room(&slot->raw, &slot->raw_size, c->size, err));
    SOW_TRY(bytes_at(d, slot->raw, c->address, c->size, err));
    const unsigned char *now = slot->raw;
    size_t n = c->size;
    for (int i = d->n_filters - 1; i >= 0; i--) {
        if (c->skipped >> i & 1u) continue;
        if (d->filter[i] == H5Z_FILTER_DEFLATE) {
            SOW_TRY(room(&slot->plain, &slot->plain_size, d->chunk_bytes, err));
            if (now == slot->plain || !sow_i_inflate(slot->plain, d->chunk_bytes, now, n)) SOW_TRY(damaged(d, "a chunk cannot be inflated", err));
            now = slot->plain;
            n = d->chunk_bytes;
        } else {
            SOW_TRY(room(&slot->apart, &slot->apart_size, n, err));
            if (now == slot->apart) SOW_TRY(damaged(d, "it is shuffled twice", err));
            unshuffle(slot->apart, now, n, sow_i_disk_size(d->from));
            now = slot->apart;
        }
    }
    if (n != d->chunk_bytes) SOW_TRY(damaged(d, "a chunk has the wrong size", err));
    *out = now;
done:
    return st;
}

/* Rows from .. to - 1 of the matrix and the columns of chunk `across` into out, whose first row is `first`. */
static sow_status read_chunk(const sow_i_disk_read *r, sow_index down, sow_index across, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_disk *d = r->disk;
    const sow_i_chunk *c = &d->chunk[down * d->chunks_across + across];
    sow_i_slot *slot = NULL;
    const unsigned char *plain = NULL;
    size_t size = sow_i_disk_size(d->from), as_size = sow_i_as_size(d->as);
    sow_index top = down * d->chunk_rows, left = across * d->chunk_width;
    sow_index from = top > r->first ? top : r->first, to = top + d->chunk_rows < r->first + r->n ? top + d->chunk_rows : r->first + r->n;
    sow_index width = left + d->chunk_width < d->width ? d->chunk_width : d->width - left;
    int whole_rows = width == d->width && width == d->chunk_width; /* then the rows of a chunk are one run */
    sow_index runs = whole_rows ? 1 : to - from, length = whole_rows ? (to - from) * width : width;
    int direct = d->n_filters == 0;
    if (direct && c->size != 0 && c->size != d->chunk_bytes) SOW_TRY(damaged(d, "a chunk has the wrong size", err));
    if (c->size != 0 && !direct) {
        slot = slot_take(&d->file->slots);
        SOW_TRY(decode(&plain, d, slot, c, err));
    }
    for (sow_index i = 0; i < runs; i++) {
        unsigned char *out = (unsigned char *)r->out + (size_t)((from - r->first + i) * d->width + left) * as_size;
        size_t at = (size_t)((from - top + i) * d->chunk_width) * size;
        if (c->size == 0)
            memset(out, 0, (size_t)length * as_size);
        else if (direct)
            SOW_TRY(read_run(d, out, c->address + at, length, err));
        else
            sow_i_convert(out, d->as, plain + at, d->from, length);
    }
done:
    if (slot) slot_give(&d->file->slots, slot);
    return st;
}

static sow_index tile_rows(const sow_i_disk *d)
{
    sow_index row = d->width * (sow_index)sow_i_disk_size(d->from);
    return row >= TILE_BYTES ? 1 : TILE_BYTES / row;
}

static sow_index count_tasks(const sow_i_disk_read *r)
{
    const sow_i_disk *d = r->disk;
    if (r->n == 0 || d->width == 0 || d->layout == SOW_I_BY_HDF5) return 0;
    if (d->layout == SOW_I_CONTIGUOUS) return (r->n - 1) / tile_rows(d) + 1;
    return ((r->first + r->n - 1) / d->chunk_rows - r->first / d->chunk_rows + 1) * d->chunks_across;
}

static sow_status run_task(const sow_i_disk_read *r, sow_index k, sow_error *err)
{
    const sow_i_disk *d = r->disk;
    if (d->layout == SOW_I_CHUNKED) return read_chunk(r, r->first / d->chunk_rows + k / d->chunks_across, k % d->chunks_across, err);
    sow_index tile = tile_rows(d), at = k * tile, n = at + tile < r->n ? tile : r->n - at;
    return read_run(d, (unsigned char *)r->out + (size_t)(at * d->width) * sow_i_as_size(d->as),
                    d->address + (uint64_t)((r->first + at) * d->width) * sow_i_disk_size(d->from), n * d->width, err);
}

static sow_status read_by_hdf5(const sow_i_disk_read *r, sow_error *err)
{
    const sow_i_disk *d = r->disk;
    hsize_t first[2] = {(hsize_t)r->first, 0}, count[2] = {(hsize_t)r->n, (hsize_t)d->width};
    hid_t memory_type = d->as == SOW_I_AS_FLOAT ? H5T_NATIVE_FLOAT : d->as == SOW_I_AS_INT32 ? H5T_NATIVE_INT32 : H5T_NATIVE_INT64;
    if (r->n == 0 || d->width == 0) return SOW_OK;
    hid_t space = H5Scopy(d->d.space), memory = H5Screate_simple(d->d.n_dims, count, NULL);
    int good = space >= 0 && memory >= 0 && H5Sselect_hyperslab(space, H5S_SELECT_SET, first, NULL, count, NULL) >= 0 &&
               H5Dread(d->d.id, memory_type, memory, space, H5P_DEFAULT, r->out) >= 0;
    if (memory >= 0) H5Sclose(memory);
    if (space >= 0) H5Sclose(space);
    return good ? SOW_OK : damaged(d, "its values cannot be read", err);
}

typedef struct {
    const sow_i_disk_read *read;
    sow_index until[8]; /* tasks of the reads up to this one */
    int n;
} reading;

static sow_status reading_task(void *user, sow_index k, sow_error *err)
{
    const reading *all = user;
    int i = 0;
    while (k >= all->until[i]) i++;
    return run_task(&all->read[i], k - (i > 0 ? all->until[i - 1] : 0), err);
}

sow_status sow_i_disk_read_all(const sow_i_disk_read *read, int n_reads, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    reading all = {.read = read, .n = n_reads};
    sow_index total = 0;
    for (int i = 0; i < n_reads; i++) {
        if (read[i].disk->layout == SOW_I_BY_HDF5) SOW_TRY(read_by_hdf5(&read[i], err));
        if (read[i].disk->n_filters > 0 && read[i].disk->layout == SOW_I_CHUNKED) {
            sow_i_disk_file *f = read[i].disk->file;
            double fits = (double)f->memory / (3.0 * (double)read[i].disk->chunk_bytes);
            int threads = sow_threads_count(sow_env_threads(env));
            SOW_TRY(slots_prepare(&f->slots, fits < threads ? (fits < 1 ? 1 : (int)fits) : threads, err));
        }
        total += count_tasks(&read[i]);
        all.until[i] = total;
    }
    SOW_TRY(sow_parallel_for(sow_env_threads(env), total, reading_task, &all, err));
done:
    return st;
}

/* ---- windows ---- */

sow_status sow_i_window_init(sow_i_window *w, sow_index rows, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_disk *d = &w->disk;
    sow_index row = d->width * (sow_index)sow_i_as_size(d->as);
    w->granule = 1;
    /* Chunks that would take most of the memory are inflated anew for every block that they reach into. */
    if (d->layout == SOW_I_CHUNKED && d->n_filters > 0 && (double)d->chunk_rows * (double)row <= (double)d->file->memory / 4) w->granule = d->chunk_rows;
    w->capacity = rows + w->granule - 1;
    if (w->capacity > d->rows) w->capacity = d->rows;
    if (rows > d->rows) rows = d->rows;
    w->data = sow_calloc(w->capacity, (size_t)(row > 0 ? row : 1));
    if (!w->data) SOW_FAIL(err, SOW_E_NOMEM, "out of memory (%lld rows of %lld bytes)", (long long)w->capacity, (long long)row);
    w->first = w->end = 0;
done:
    return st;
}

void sow_i_window_close(sow_i_window *w)
{
    free(w->data);
    w->data = NULL;
    sow_i_disk_close(&w->disk);
}

void *sow_i_window_at(const sow_i_window *w, sow_index row)
{
    return w->data + (size_t)((row - w->first) * w->disk.width) * sow_i_as_size(w->disk.as);
}

void sow_i_window_plan(sow_i_disk_read *read, sow_i_window *w, sow_index first, sow_index end)
{
    size_t row = (size_t)w->disk.width * sow_i_as_size(w->disk.as);
    if (first < w->first || first >= w->end) { /* a jump, or nothing held is of use */
        w->first = w->end = first;
    } else if (first > w->first) {
        memmove(w->data, w->data + (size_t)(first - w->first) * row, (size_t)(w->end - first) * row);
        w->first = first;
    }
    sow_index to = end <= w->end ? w->end : (end + w->granule - 1) / w->granule * w->granule;
    if (to > w->disk.rows) to = w->disk.rows;
    *read = (sow_i_disk_read){&w->disk, w->data + (size_t)(w->end - w->first) * row, w->end, to - w->end};
    w->end = to;
}
