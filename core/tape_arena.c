/* The tape's memory: blocks filled in order. A reset lays blocks that one pass needed together, so that from then on a pass of the same shapes takes no new memory. */
#include "core/memory.h"
#include "core/tape_internal.h"

enum { ALIGNMENT = 64, SMALLEST_BLOCK = 1 << 20 };

static size_t rounded(size_t bytes)
{
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static int make_block(const sow_tape *t, size_t size, sow_i_arena_block *block)
{
    void *raw = size < SIZE_MAX / 2 ? t->backend->allocate(size + ALIGNMENT) : NULL;
    if (!raw) return 0;
    *block = (sow_i_arena_block){.raw = raw, .data = (char *)raw + (ALIGNMENT - (uintptr_t)raw % ALIGNMENT) % ALIGNMENT, .size = size};
    return 1;
}

static void note_bytes(sow_tape *t, size_t bytes)
{
    t->bytes = bytes;
    if (bytes > t->most_bytes) t->most_bytes = bytes;
}

/* At least doubles what there is, so that a first pass takes few blocks. */
static int add_block(sow_tape *t, size_t bytes)
{
    size_t size = bytes > t->bytes ? bytes : t->bytes;
    if (size < SMALLEST_BLOCK) size = SMALLEST_BLOCK;
    if (!sow_i_check(t, sow_grow(&t->block, &t->block_capacity, t->n_blocks + 1, sizeof *t->block, &t->error))) return 0;
    if (!make_block(t, size, &t->block[t->n_blocks])) {
        SOW_I_FAIL(t, SOW_E_NOMEM, "out of memory: the tape holds %zu bytes and needs %zu more", t->bytes, size);
        return 0;
    }
    t->n_blocks++;
    note_bytes(t, t->bytes + size);
    return 1;
}

void *sow_i_arena(sow_tape *t, size_t bytes)
{
    if (t->status != SOW_OK) return NULL;
    if (bytes > SIZE_MAX / 4) {
        SOW_I_FAIL(t, SOW_E_NOMEM, "out of memory: a value of %zu bytes", bytes);
        return NULL;
    }
    size_t need = rounded(bytes ? bytes : 1);
    while (t->current < t->n_blocks && t->block[t->current].size - t->block[t->current].used < need) t->current++;
    if (t->current == t->n_blocks && !add_block(t, need)) return NULL;
    sow_i_arena_block *block = &t->block[t->current];
    void *data = block->data + block->used;
    block->used += need;
    t->used += need;
    if (t->used > t->most_used) t->most_used = t->used;
    return data;
}

sow_tensor sow_i_arena_tensor(sow_tape *t, sow_index rows, sow_index cols)
{
    sow_tensor x = {.rows = rows, .cols = cols, .dtype = t->dtype, .place = t->backend->place};
    if (rows > 0 && cols > INT64_MAX / 16 / rows) {
        if (t->status == SOW_OK) SOW_I_FAIL(t, SOW_E_NOMEM, "out of memory: a matrix [%lld, %lld]", (long long)rows, (long long)cols);
        return x;
    }
    x.data = sow_i_arena(t, (size_t)rows * (size_t)cols * sow_dtype_size(t->dtype));
    return x;
}

sow_i_mark sow_i_arena_mark(const sow_tape *t)
{
    return (sow_i_mark){t->current, t->current < t->n_blocks ? t->block[t->current].used : 0, t->used};
}

void sow_i_arena_release(sow_tape *t, sow_i_mark mark)
{
    for (sow_index i = mark.block; i < t->n_blocks; i++) t->block[i].used = i == mark.block ? mark.used : 0;
    t->current = mark.block;
    t->used = mark.used_in_all;
}

void sow_i_arena_clear(sow_tape *t)
{
    for (sow_index i = 0; i < t->n_blocks; i++) t->backend->release(t->block[i].raw);
    t->n_blocks = 0;
    t->current = 0;
    t->used = 0;
    t->bytes = 0;
}

/* Without memory for one block the pieces go on serving. */
static void lay_together(sow_tape *t)
{
    sow_i_arena_block whole;
    if (!make_block(t, t->most_used, &whole)) return;
    sow_i_arena_clear(t);
    t->block[0] = whole;
    t->n_blocks = 1;
    note_bytes(t, whole.size);
}

void sow_i_arena_reset(sow_tape *t)
{
    sow_i_arena_release(t, (sow_i_mark){0});
    if (t->n_blocks > 1) lay_together(t);
}
