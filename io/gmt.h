/* GMT files: one gene set a line, "name TAB description TAB member TAB member ...", plain or gzipped. */
#ifndef SOWER_IO_GMT_H
#define SOWER_IO_GMT_H

#include "core/names.h"
#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    sow_names *sets;    /* in the file's order */
    sow_names *members; /* every name that is in a set, by first appearance */
    sow_index *start;   /* [n_sets + 1] into member */
    sow_index *member;  /* positions in `members`; each once a set */
} sow_gmt;

/** Caller owns. SOW_E_IO cannot open; SOW_E_DATA (path:line) empty file, a line without description, two sets of one name, bad gzip. */
SOW_MUST_CHECK sow_status sow_gmt_read(sow_gmt **out, const char *path, sow_error *err);
void sow_gmt_destroy(sow_gmt *gmt);

#ifdef __cplusplus
}
#endif
#endif
