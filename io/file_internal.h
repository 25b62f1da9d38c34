/* Shared inside io/: a failed system call said once, with what to do about it. */
#ifndef SOWER_IO_FILE_INTERNAL_H
#define SOWER_IO_FILE_INTERNAL_H

#include "core/status.h"

/** SOW_E_IO: "cannot VERB 'path': strerror; advice". `errnum` is an errno value; 0 leaves the reason out. */
sow_status sow_i_io_error(sow_error *err, const char *verb, const char *path, int errnum);
/** What a person can do about an errno, or "" (starts with "; " otherwise). */
const char *sow_i_io_advice(int errnum);

#endif
