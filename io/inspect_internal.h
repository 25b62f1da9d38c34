#ifndef SOWER_IO_INSPECT_INTERNAL_H
#define SOWER_IO_INSPECT_INTERNAL_H

#include "io/frame_internal.h"
#include "io/h5ad_outline.h"
#include "io/inspect.h"

/** 1 when the value is one of the words for controls. */
int sow_i_is_control(const char *value);
/** Kind, range, distinct values and an example of a column. */
SOW_MUST_CHECK sow_status sow_i_inspect_column(sow_inspect_column *out, const sow_i_frame *f, sow_index column, sow_error *err);
/** Single cells: count cells by context and perturbation, and choose the contexts of a campaign. A technical batch that would leave many cells without controls is not used. */
SOW_MUST_CHECK sow_status sow_i_inspect_labels(sow_inspection *in, const sow_i_frame *f, sow_error *err);
/** Single cells: what it is, and why no campaign can be made from it if so. NULL when out of memory. */
char *sow_i_summary_of_cells(const sow_inspection *in);

/** Is it single cells? Then a sample of each matrix is looked at, one is chosen, and its genes are described. Needs the number of perturbations. */
SOW_MUST_CHECK sow_status sow_i_inspect_are_cells(sow_inspection *in, const sow_i_frame *f, sow_error *err);

/** Fill roles and guesses of `in` from its columns and the frame's values. */
SOW_MUST_CHECK sow_status sow_i_inspect_guess(sow_inspection *in, const sow_i_frame *f, sow_error *err);

#endif
