/* What is to come of a mapped matrix of cells, said to the system: where the file does not fit into memory, reading single cells in random order is tens of times as fast for it. */
#ifndef SOWER_CORE_CELLS_ADVICE_H
#define SOWER_CORE_CELLS_ADVICE_H

#include "core/cells.h"

#ifdef __cplusplus
extern "C" {
#endif

/** From now on cells are read one here and one there (random 1): the system does not read ahead of a cell; or (0) as they lie. Hints: nothing is changed or can fail. */
void sow_cells_expect_random(const sow_cells *cells, int random);
/** The cells at `cell` [n] are wanted soon: their pages are fetched meanwhile, without waiting. Cost: two system calls a cell. */
void sow_cells_prefetch(const sow_cells *cells, const sow_index *cell, sow_index n);

#ifdef __cplusplus
}
#endif
#endif
