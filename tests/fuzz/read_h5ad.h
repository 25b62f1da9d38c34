/* Every reader of .h5ad files over one file, and what must hold of what they give. */
#ifndef SOWER_TESTS_READ_H5AD_H
#define SOWER_TESTS_READ_H5AD_H

/** `how` chooses among the options of the readers. */
void read_h5ad(const char *path, unsigned how);

#endif
