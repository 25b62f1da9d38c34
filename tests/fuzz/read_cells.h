/* Every reader of single-cell files over one file or MTX folder, and what must hold of what they give. */
#ifndef SOWER_TESTS_READ_CELLS_H
#define SOWER_TESTS_READ_CELLS_H

/** Its matrix: twice as a stream and through the cache. `labels`: a table of labels for an MTX folder, or NULL. `how` chooses among the options. */
void read_cells(const char *path, const char *labels, unsigned how);
/** As a source of labelled cells. */
void read_cell_source(const char *path, const char *labels, unsigned how);

#endif
