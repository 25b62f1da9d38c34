/* Every reader of single-cell files over one file or MTX folder, and what must hold of what they give. */
#ifndef SOWER_TESTS_READ_CELLS_H
#define SOWER_TESTS_READ_CELLS_H

/** `labels`: a table of labels for an MTX folder, or NULL. `how` chooses among the options of the readers. */
void read_cells(const char *path, const char *labels, unsigned how);

#endif
