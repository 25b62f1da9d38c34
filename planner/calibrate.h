/* A screen's own cells as the start of a simulated one like it, and how like it that is. */
#ifndef SOWER_PLANNER_CALIBRATE_H
#define SOWER_PLANNER_CALIBRATE_H

#include "core/cells.h"
#include "core/screen.h"
#include "planner/campaign.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const char *file; /* NULL = NAME.calibration.json in this folder */
    int check;        /* compare simulated screens with the real one too */
} sow_calibrate_options;

typedef struct {
    char *file, *table, *page; /* what was written; table and page with a check only */
    char *oracle;              /* the `oracle:` block of a campaign that plays against a screen like it, YAML */
    char *note;                /* what could not be estimated and is taken from elsewhere, in a sentence; NULL = nothing */
    char *verdict;             /* of a check, in a sentence */
    sow_index n_controls, n_perturbations; /* cells; perturbations with cells, 0 where none has enough to say anything */
} sow_calibrated;
void sow_calibrated_clear(sow_calibrated *c);

/** Cells that pass the filters, all of one context. Borrowed. */
typedef struct {
    const char *name, *path; /* NAME of the files; what messages begin with */
    const sow_cells *cells;
    const sow_screen *screen;
    sow_index context;
} sow_calibrate_source;
/** The file is oracle.baseline's; with a check FILE.check.csv (quantity,cells,real,simulated,low,high,perturbations: means and range over SOW_CHECK_SCREENS simulated screens) and FILE.check.html beside it
 *  (FILE without .json). Without perturbations the calibration has none, and the check is of genes alone. SOW_E_CONFIG: a file that is not .json. SOW_E_DATA as sow_calibrate says. */
SOW_MUST_CHECK sow_status sow_calibrate_screen(sow_calibrated *out, const sow_calibrate_source *of, const sow_calibrate_options *options, const sow_env *env, sow_error *err);
/** Of the campaign's (first) target context, all its cells. SOW_E_CONFIG too: no cells are read by it. */
SOW_MUST_CHECK sow_status sow_campaign_calibrate(sow_calibrated *out, sow_campaign *c, const sow_calibrate_options *options, const sow_env *env, sow_error *err);
enum { SOW_CHECK_SCREENS = 20 };

#ifdef __cplusplus
}
#endif
#endif
