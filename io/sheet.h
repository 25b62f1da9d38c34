/* batch.csv and order.csv: what a batch is and what to order for it. */
#ifndef SOWER_IO_SHEET_H
#define SOWER_IO_SHEET_H

#include "core/status.h"
#include "io/file.h"
#include "core/cost.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    sow_index rank; /* from 1 */
    const char *perturbation, *context, *strategy, *reason;
    double score;
    sow_index planned_cells;
    double cost;
} sow_batch_row;

/** rank,perturbation,context,score,strategy,reason,planned_cells,cost into `out` (appended). */
void sow_batch_csv(sow_text *out, const sow_batch_row *rows, sow_index n);

typedef struct sow_guides sow_guides; /* a guide library: target -> (id, sequence)... */
/** Read a library table: column `target`, and pairs of id/sequence columns. */
SOW_MUST_CHECK sow_status sow_guides_read(sow_guides **out, const char *path, const char *target, const char *const *id,
                                          sow_index n_id, const char *const *sequence, sow_index n_sequence, sow_error *err);
void sow_guides_destroy(sow_guides *g);

/** order.csv: position,perturbation,context,role,guide,sequence,cells,plate,well. role: target | positive control | non-targeting. One line a guide (guides_per_target
 *  of the library where it has them; without a library one line a guide numbered 1..n with empty sequence). Cells of a perturbation are split over its guides, whole numbers that add up.
 *  Non-targeting lines carry control_share of all cells: control_guides of them in each context, or about one for as many cells as a guide of a target has. 96-well plates, wells filled in an order shuffled by `seed` and round, so that rank and well are not confounded.
 *  Targets missing from the library are listed in `missing` (appended, comma separated; may be NULL). */
SOW_MUST_CHECK sow_status sow_order_csv(sow_text *out, const sow_batch_row *rows, sow_index n, const char *const *controls,
                                        sow_index n_controls, const sow_design *design, const sow_guides *library, uint64_t seed,
                                        sow_index round, sow_text *missing, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
