/* Text tables: CSV and TSV, plain or gzipped, quoted (RFC 4180), UTF-8 BOM and CRLF accepted. Read whole, kept as text; numbers are
 * parsed on demand so that an error can name file, line and column. */
#ifndef SOWER_IO_TABLE_H
#define SOWER_IO_TABLE_H

#include "core/names.h"
#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sow_table sow_table;

/** Read a table with a header line. The separator is TAB when the header has one outside quotes, else ',' (else ';'). SOW_E_IO: cannot open; SOW_E_DATA: empty
 *  file, truncated or corrupt gzip, a row with another number of fields, an open quote, a doubled column name. Each message starts with file:line. */
SOW_MUST_CHECK sow_status sow_table_read(sow_table **out, const char *path, sow_error *err);
void sow_table_destroy(sow_table *t);
const char *sow_table_path(const sow_table *t);
sow_index sow_table_n_rows(const sow_table *t);
sow_index sow_table_n_columns(const sow_table *t);
const char *sow_table_column_name(const sow_table *t, sow_index column);
/** Position of a column; SOW_E_DATA with the nearest spelling and all columns. */
SOW_MUST_CHECK sow_status sow_table_column(sow_index *out, const sow_table *t, const char *name, sow_error *err);
const char *sow_table_cell(const sow_table *t, sow_index row, sow_index column); /* borrowed text, "" when empty */
sow_index sow_table_line(const sow_table *t, sow_index row);                      /* line number in the file, from 1 */
/** Number in a cell; "", NA, NaN, nan, null, None give NaN (SOW_OK); other text is SOW_E_DATA naming file:line and the column. */
SOW_MUST_CHECK sow_status sow_table_number(double *out, const sow_table *t, sow_index row, sow_index column, sow_error *err);

/** Whole file in memory, gunzipped when it is gzip; NUL-terminated, length in *size. Caller frees. Shared by CSV, GMT and lists. */
SOW_MUST_CHECK sow_status sow_file_read_text(char **out, size_t *size, const char *path, sow_error *err);
/** One name a line or the first column of a table with a header (a TAB or comma in line 1): "#" lines and blanks skipped. */
SOW_MUST_CHECK sow_status sow_file_read_list(sow_names **out, const char *path, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
