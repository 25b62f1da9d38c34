/* Shared inside core/ by the files that change a table of cells. */
#ifndef SOWER_CORE_CELLS_INTERNAL_H
#define SOWER_CORE_CELLS_INTERNAL_H

#include "core/cells.h"

/** Fill order and group_start, which are there and large enough, from the labels. `next` [groups + 1] is room to work in. Cannot fail. */
void sow_i_cells_fill_index(sow_cells *cells, sow_index *next);

#endif
