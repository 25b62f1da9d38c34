/* A campaign's own cells as the start of a simulated screen like it, and how like it that is. */
#ifndef SOWER_PLANNER_CALIBRATE_H
#define SOWER_PLANNER_CALIBRATE_H

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
    char *verdict;             /* of a check, in a sentence */
} sow_calibrated;
void sow_calibrated_clear(sow_calibrated *c);

/** Of the campaign's (first) target context, all its cells. The file is oracle.baseline's; with a check FILE.check.csv (quantity,cells,real,simulated,low,high,perturbations: means and range over SOW_CHECK_SCREENS
 *  simulated screens) and FILE.check.html beside it (FILE without .json). SOW_E_CONFIG: no cells are read by it, or a file that is not .json. SOW_E_DATA as sow_calibrate says. */
SOW_MUST_CHECK sow_status sow_campaign_calibrate(sow_calibrated *out, sow_campaign *c, const sow_calibrate_options *options, const sow_env *env, sow_error *err);
enum { SOW_CHECK_SCREENS = 20 };

#ifdef __cplusplus
}
#endif
#endif
