/* A campaign: one goal, one pool, many rounds. The only folder that knows all the others.
 *
 * A campaign lives in a folder (NAME.sower): campaign.db holds its events, which are the truth; every other file there is written from the
 * events and can be written again. State = a pure function of (configuration, data, events). A step is one event: planned, measured,
 * evaluated. A kill between two steps loses nothing; the same step done again gives the same bytes.
 *
 * Not thread-safe: one campaign, one thread (its work uses the threads of `env`). */
#ifndef SOWER_PLANNER_CAMPAIGN_H
#define SOWER_PLANNER_CAMPAIGN_H

#include "core/env.h"
#include "core/status.h"
#include "io/config.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sow_campaign sow_campaign;

typedef enum {
    SOW_CAMPAIGN_CHECK, /* data and rules only; no folder is touched */
    SOW_CAMPAIGN_READ,  /* an existing campaign, nothing is written (report files excepted) */
    SOW_CAMPAIGN_WRITE  /* created when absent, locked */
} sow_campaign_mode;

typedef struct {
    const char *dir;  /* campaign folder; NULL = NAME.sower beside the YAML */
    sow_campaign_mode mode;
    const char *cache; /* folder for caches of single-cell files; NULL = sower-cache beside the YAML */
    const char *argv; /* the command line, for provenance; may be NULL */
    struct sow_cell_counts *counts; /* simulated cells of campaigns opened one after the other are drawn once where they are the same (simulator/cell_world.h); borrowed for the campaign's life; NULL = none */
    int lean;         /* nobody will look into the folder: of each round only the model itself is judged, without intervals, and no files for people are written. Decisions and values are the same */
} sow_campaign_options;

/** Load data, priors and rules, open the store, bring the state up to the last event. `config` is borrowed for the campaign's life.
 *  SOW_E_CONFIG / SOW_E_DATA: the input is wrong; SOW_E_STATE: another process holds it, or its past was made with other settings. */
SOW_MUST_CHECK sow_status sow_campaign_open(sow_campaign **out, const sow_config *config, const sow_campaign_options *options,
                                            const sow_env *env, sow_error *err);
/** Checked way out; abandon() for error paths (NULL is fine). Both free the campaign. */
SOW_MUST_CHECK sow_status sow_campaign_close(sow_campaign *c, sow_error *err);
void sow_campaign_abandon(sow_campaign *c);

typedef enum {
    SOW_NEXT_PLAN,    /* the next round can be planned; where rounds overlap, though others wait for their measurements */
    SOW_NEXT_MEASURE, /* a round is planned and not yet (fully) measured */
    SOW_NEXT_NOTHING  /* every round is done, or the budget pays for no other */
} sow_campaign_next;
sow_campaign_next sow_campaign_next_step(const sow_campaign *c);
/** Why a campaign is over before every round that its file asks for: what the budget did not pay for. NULL = it is not, or has none. Caller frees. */
char *sow_campaign_why_ended(const sow_campaign *c);
/** Rounds whose results are still awaited: 0, 1, or with rounds that overlap more. */
sow_index sow_campaign_rounds_open(const sow_campaign *c);
/** 1 when results come from people: measure() does nothing, record() brings them. */
int sow_campaign_needs_people(const sow_campaign *c);
/** 1 when a measurement is cells: results are an .h5ad. */
int sow_campaign_records_cells(const sow_campaign *c);
const char *sow_campaign_dir(const sow_campaign *c);

/** Choose the next batch: one event, then rounds/NN/{batch.csv, order.csv, bill.csv, plan.json}. SOW_E_STATE unless next_step is PLAN. */
SOW_MUST_CHECK sow_status sow_campaign_plan(sow_campaign *c, const sow_env *env, sow_error *err);
/** Ask the oracle for the planned round: one event, then evaluation and metrics.csv. */
SOW_MUST_CHECK sow_status sow_campaign_measure(sow_campaign *c, const sow_env *env, sow_error *err);
/** All that is left, to the end or to the first round that waits for people. */
SOW_MUST_CHECK sow_status sow_campaign_run(sow_campaign *c, const sow_env *env, sow_error *err);

typedef struct {
    sow_index recorded, unplanned, failed, pending; /* perturbations in this file that count, extra ones among them, without a readout, still missing */
    int known; /* these very bytes were recorded before: their values are not counted again */
} sow_record_summary;
/** Take results from people: CSV/TSV or h5ad with the columns of the campaign's target source (or perturbation, value, cells). Nothing is recorded
 *  when anything is wrong. `complete`: planned perturbations that are missing count as failed and may be planned again. A file whose bytes were
 *  recorded before adds nothing (so that a command may be repeated after a kill), but `complete` still does its part. */
SOW_MUST_CHECK sow_status sow_campaign_record(sow_campaign *c, const char *file, int complete, sow_record_summary *summary,
                                              const sow_env *env, sow_error *err);

/** Rewrite report.html (and any round file that is missing) from the events. */
SOW_MUST_CHECK sow_status sow_campaign_report(sow_campaign *c, const sow_env *env, sow_error *err);

/** Fit the campaign's model on what is measured so far: *learned says what it learned, line by line, *file where it is kept (rounds/NN/model.h5), NULL for a model that is fitted anew when it is needed. Caller frees both.
 *  A model that is kept already is used. SOW_E_STATE: nothing is measured. */
SOW_MUST_CHECK sow_status sow_campaign_fit(char **learned, char **file, sow_campaign *c, const sow_env *env, sow_error *err);

typedef struct {
    const char *file; /* NULL = predictions.h5ad, predictions-cells.h5ad, predictions.csv or map.h5ad in the campaign's folder */
    sow_index cells;  /* cells of each perturbation; 0 = mean changes */
    int all;          /* every context: the whole map */
} sow_prediction_options;
/** What the model learned so far says of every perturbation of the catalogue in the target context, measured ones included: an .h5ad of mean changes [perturbations, genes] with the measured ones in a layer, or of
 *  `cells` predicted cells each (readout cells), with obs perturbation, context, status (measured, candidate, held out, left out) and measured_cells, and where it comes from in uns["sower"]; one number: a CSV
 *  (perturbation,context,status,predicted,sd,sd_of_a_measurement,measured). Written beside and renamed; *file is its path, caller frees. A model kept beside its round is used, else it is trained. SOW_E_STATE:
 *  nothing is measured. SOW_E_CONFIG: cells of what has none, more than there are controls, another kind of file. Memory: 256 perturbations at a time.
 *  With `all` every context is the target in turn (planner/map.h): an .h5ad of contexts x perturbations whose X keeps what was observed, a layer `predicted` with the predictions of that, and beside it a .csv and
 *  .html of the same name: magnitude, specificity, classes, clusters and a picture. SOW_E_STATE: nothing is measured in any context; SOW_E_CONFIG: of one number there is no map. Memory: one context in single
 *  precision, and its mean. */
SOW_MUST_CHECK sow_status sow_campaign_predict(char **file, sow_campaign *c, const sow_prediction_options *options, const sow_env *env, sow_error *err);

/** What `check` and `status` tell, as JSON text (sorted keys). Caller frees. */
SOW_MUST_CHECK sow_status sow_campaign_check_json(char **out, const sow_campaign *c, sow_error *err);
SOW_MUST_CHECK sow_status sow_campaign_status_json(char **out, const sow_campaign *c, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
