/* Small text tools that the readers of io/ share. Not installed. */
#ifndef SOWER_IO_TEXT_INTERNAL_H
#define SOWER_IO_TEXT_INTERNAL_H

#include "core/names.h"
#include "core/status.h"

/** Parse a decimal number that fills `text` but for blanks at both ends. "", NA, N/A, NaN, null and None (any case) give NaN; inf and infinity
 *  give infinities. The point is '.' whatever the locale. Returns 1 on success, 0 when the text is no number (`*out` untouched). */
int sow_i_parse_number(double *out, const char *text);
/** 1 when the text stands for "no value": the words above that give NaN. */
int sow_i_is_missing(const char *text);

/** The part of a path after its last '/'; borrowed. */
const char *sow_i_basename(const char *path);
/** 1 when `path` ends in `extension` (with its dot), a further ".gz" not counted; case does not matter. */
int sow_i_has_extension(const char *path, const char *extension);

/** "'a', 'b', 'c'": at most `most` of the names, then ", ... and 34 more". Caller frees; NULL = out of memory. */
char *sow_i_quoted_names(const sow_names *names, sow_index most);
/** The same over a plain array, without quotes: what goes into lists of dropped or missing names. */
char *sow_i_name_list(const char *const *names, sow_index n, sow_index most);

/** SOW_E_DATA naming the line of the first byte that is no UTF-8: names go into JSON and reports, which are. */
SOW_MUST_CHECK sow_status sow_i_check_utf8(const char *text, size_t size, const char *path, sow_error *err);

/** As sow_file_read_list, and SOW_E_DATA naming both lines when a name comes twice. */
SOW_MUST_CHECK sow_status sow_i_read_unique_list(sow_names **out, const char *path, sow_error *err);

#endif
