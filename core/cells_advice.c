#include "core/cells_advice.h"

#include <sys/mman.h>
#include <unistd.h>

/* Whole pages around [first, first + bytes). On memory that is no mapped file it does nothing. */
static void advise(const void *first, size_t bytes, int advice)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)first / page * page;
    if (bytes > 0) (void)posix_madvise((void *)from, (uintptr_t)first + bytes - from, advice);
}

void sow_cells_expect_random(const sow_cells *cells, int random)
{
    const int advice = random ? POSIX_MADV_RANDOM : POSIX_MADV_NORMAL;
    for (sow_index k = 0; k < cells->n_matrices; k++) {
        const sow_cell_matrix *m = &cells->matrix[k];
        const size_t n = (size_t)m->start[m->n_cells];
        advise(m->gene, n * sizeof *m->gene, advice);
        advise(m->value, n * sizeof *m->value, advice);
    }
}

void sow_cells_prefetch(const sow_cells *cells, const sow_index *cell, sow_index n)
{
    for (sow_index i = 0; i < n; i++) {
        const sow_cell_matrix *m = &cells->matrix[cells->in_matrix[cell[i]]];
        const int64_t first = m->start[cells->row[cell[i]]];
        const size_t values = (size_t)(m->start[cells->row[cell[i]] + 1] - first);
        advise(m->gene + first, values * sizeof *m->gene, POSIX_MADV_WILLNEED);
        advise(m->value + first, values * sizeof *m->value, POSIX_MADV_WILLNEED);
    }
}
