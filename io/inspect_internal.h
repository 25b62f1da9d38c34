#ifndef SOWER_IO_INSPECT_INTERNAL_H
#define SOWER_IO_INSPECT_INTERNAL_H

#include "io/frame_internal.h"
#include "io/inspect.h"

/** Fill roles and guesses of `in` from its columns and the frame's values. */
SOW_MUST_CHECK sow_status sow_i_inspect_guess(sow_inspection *in, const sow_i_frame *f, sow_error *err);

#endif
