/* What io/ needs of HDF5, with libsower's errors. The files h5ad*.c, cell_disk*.c,
 * archive_file.c, cell_file_h5ad.c and hdf5.c are the only ones that see hdf5.h. Handles are closed by H5?close; a negative
 * one is "none". HDF5's own printing of errors is off between sow_i_h5_quiet and sow_i_h5_loud. Not installed. */
#ifndef SOWER_IO_HDF5_INTERNAL_H
#define SOWER_IO_HDF5_INTERNAL_H

#include "core/status.h"

#include <hdf5.h>

typedef struct {
    H5E_auto2_t handler;
    void *data;
} sow_i_h5_silence;
void sow_i_h5_quiet(sow_i_h5_silence *saved);
void sow_i_h5_loud(const sow_i_h5_silence *saved);

/** Open for reading. SOW_E_IO: not there or not readable; SOW_E_DATA: not HDF5, damaged or cut off. */
SOW_MUST_CHECK sow_status sow_i_h5_open(hid_t *file, const char *path, sow_error *err);

/** 1 when the group or file has a link of that name that leads somewhere. */
int sow_i_h5_has(hid_t parent, const char *name);
H5I_type_t sow_i_h5_kind(hid_t parent, const char *name); /* H5I_GROUP, H5I_DATASET or something else */

/** A dataset and what is known of it before it is read. */
typedef struct {
    hid_t id, type, space;
    H5T_class_t type_class;
    int n_dims; /* 0, 1 or 2 */
    sow_index dim[2];
    sow_index count; /* product of dims */
} sow_i_h5_dataset;
/** SOW_E_DATA: missing, not a dataset, more than 2 dimensions, a claimed size that its stored bytes cannot hold, or a filter that this HDF5
 *  lacks (named, with what to do). `where` is "path: /obs/x" for messages. */
SOW_MUST_CHECK sow_status sow_i_h5_dataset_open(sow_i_h5_dataset *out, hid_t parent, const char *name, const char *where, sow_error *err);
void sow_i_h5_dataset_close(sow_i_h5_dataset *d);

/** All entries as doubles; integers, floats and booleans. Caller frees. */
SOW_MUST_CHECK sow_status sow_i_h5_numbers(double **out, const sow_i_h5_dataset *d, const char *where, sow_error *err);
/** All entries as text: strings of fixed or variable length, or integers spelt out. Caller frees with sow_i_free_strings. */
SOW_MUST_CHECK sow_status sow_i_h5_strings(char ***out, const sow_i_h5_dataset *d, const char *where, sow_error *err);
void sow_i_free_strings(char **strings, sow_index n);

/** A string attribute (or array of them): *out NULL and SOW_OK when absent or of another kind. Caller frees. */
SOW_MUST_CHECK sow_status sow_i_h5_attribute(char **out, hid_t object, const char *name, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_h5_attribute_list(char ***out, sow_index *n, hid_t object, const char *name, sow_error *err);
/** Exactly n integers of an attribute: 1, or 0 when it is absent or something else. */
int sow_i_h5_integers(int64_t *out, sow_index n, hid_t object, const char *name);

#endif
