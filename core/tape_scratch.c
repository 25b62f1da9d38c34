/* Host memory that lives until the tape's reset: the index arrays and counts of networks, which a backend reads from the host wherever its tensors are. Blocks are kept over resets. */
#include "core/memory.h"
#include "core/tape_internal.h"

#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64, SMALLEST_BLOCK = 1 << 14 };

static int add_block(sow_tape *t, size_t need)
{
    sow_i_scratch *s = &t->scratch;
    const size_t size = need > SMALLEST_BLOCK ? need : SMALLEST_BLOCK;
    if (!sow_i_check(t, sow_grow(&s->block, &s->capacity, s->n + 1, sizeof *s->block, &t->error))) return 0;
    char *raw = size < SIZE_MAX / 4 ? sow_calloc((sow_index)(size + ALIGNMENT), 1) : NULL;
    if (!raw) {
        SOW_I_FAIL(t, SOW_E_NOMEM, "out of memory: %zu bytes beside the tape", size);
        return 0;
    }
    s->block[s->n++] = (sow_i_arena_block){.raw = raw, .data = raw + (ALIGNMENT - (uintptr_t)raw % ALIGNMENT) % ALIGNMENT, .size = size};
    return 1;
}

void *sow_tape_scratch(sow_tape *t, size_t bytes)
{
    if (t->status != SOW_OK) return NULL;
    sow_i_scratch *s = &t->scratch;
    const size_t need = bytes < SIZE_MAX / 4 ? (bytes / ALIGNMENT + 1) * ALIGNMENT : SIZE_MAX / 2;
    while (s->current < s->n && s->block[s->current].size - s->block[s->current].used < need) s->current++;
    if (s->current == s->n && !add_block(t, need)) return NULL;
    sow_i_arena_block *block = &s->block[s->current];
    void *data = block->data + block->used;
    block->used += need;
    return memset(data, 0, bytes);
}

void sow_i_scratch_reset(sow_tape *t)
{
    for (sow_index i = 0; i < t->scratch.n; i++) t->scratch.block[i].used = 0;
    t->scratch.current = 0;
}

void sow_i_scratch_clear(sow_tape *t)
{
    for (sow_index i = 0; i < t->scratch.n; i++) free(t->scratch.block[i].raw);
    free(t->scratch.block);
    t->scratch = (sow_i_scratch){0};
}
