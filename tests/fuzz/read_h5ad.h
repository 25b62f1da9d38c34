/* Every reader of .h5ad files over one file, and what must hold of what they give. */
#ifndef SOWER_TESTS_READ_H5AD_H
#define SOWER_TESTS_READ_H5AD_H

/** `which` chooses a reader (5 = all of them: one at a time is five times as fast), `how` among its options. */
void read_h5ad(const char *path, unsigned which, unsigned how);

#endif
