/* A measured baseline: a table with a row for each gene, as PerturbPlan distributes them. */
#ifndef SOWER_IO_BASELINE_H
#define SOWER_IO_BASELINE_H

#include "core/baseline.h"

#ifdef __cplusplus
extern "C" {
#endif

/** CSV or TSV, plain or gzipped, with the columns response_id, relative_expression (share of a cell's UMIs, in (0, 1)) and expression_size (negative-binomial size, above 0); more columns are fine.
 *  Genes stand in the order of the file; library sizes stay unknown. Caller clears. SOW_E_IO cannot open; SOW_E_DATA names file:line: a column that is missing, a gene twice, a number out of range,
 *  shares that sum to more than 1.01, no rows. */
SOW_MUST_CHECK sow_status sow_baseline_read(sow_baseline *out, const char *path, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
