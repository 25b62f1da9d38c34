/* Judging models on a finished screen: perturbations are held out in turn, every model is fitted on the rest and its predictions are compared with what was measured.
 *
 * Nothing of a held-out perturbation enters a fit: in every fold the response space of cells and the scaling of priors are fitted on the controls, the references and the training perturbations
 * alone. Controls of single cells are cut in two halves: responses that models learn from are taken against one, predictions start from the other and are judged against it. docs/evaluate.md. */
#ifndef SOWER_PLANNER_EVALUATE_H
#define SOWER_PLANNER_EVALUATE_H

#include "core/env.h"
#include "core/status.h"
#include "io/config.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const char *splits; /* "folds", "outliers", or both with a comma between */
    sow_index folds;    /* of the split `folds`, >= 2 */
    const char *models; /* comma-separated names; NULL = the campaign's model and every baseline that applies */
    const char *dir;    /* folder for the results; NULL = NAME.evaluate beside the YAML */
    const char *cache;  /* as sow_campaign_options */
} sow_evaluation_options;
#define SOW_EVALUATION_OPTIONS_INIT {"folds", 5, NULL, NULL, NULL}

/** Evaluates the models on the screen of the campaign file and writes evaluate.csv (split, fold, perturbation, model, metric, value, cells), evaluate_summary.csv (split, model, metric, mean, sd over
 *  folds, low, high, n) and evaluate.html into the folder: all of them are computed before the first is written, each is written beside its place and renamed. `*json` (may be NULL) is what
 *  --json prints: the folder and the summary; caller frees. Reads only the data of the campaign file: a campaign under way beside it is neither needed nor touched. The same bytes for any number of
 *  threads. SOW_E_CONFIG: an unknown split or model, a model that does not apply, a lab's campaign, fewer perturbations than folds; SOW_E_UNSUPPORTED: outliers without igraph; SOW_E_DATA: no
 *  outliers, too few controls. Cost: a fit of every model in every fold. */
SOW_MUST_CHECK sow_status sow_evaluate_campaign(char **json, const sow_config *config, const sow_evaluation_options *options, const sow_env *env, sow_error *err);

typedef struct {
    const char *seeds;    /* how many seed perturbations of the new context are measured: "20", or several as "5,10,20" */
    sow_index draws;      /* random choices of them, >= 1 */
    const char *contexts; /* names with commas between: those to be left out in turn; NULL = every context */
    const char *models, *dir, *cache; /* as above */
    const char *unseen;   /* perturbations of the new context that are taken for measured in no context, and are all that is scored: a number as "20" or a share as "20%"; NULL = everything but the seeds is scored */
} sow_context_options;
#define SOW_CONTEXT_OPTIONS_INIT {"20", 5, NULL, NULL, NULL, NULL, NULL}

/** Every context of the screen in turn is new: the others are known, n seed perturbations of it are measured, and models predict everything else that it measured; seeds are not scored. Seeds are drawn at
 *  random, the same for every model, and fewer are the first of more. With `unseen` so many perturbations, drawn anew in every context and draw before the seeds, are taken out of every context, out of the
 *  response space and out of the scaling of priors, and these alone are scored; contexts_unseen.csv (context, draw, perturbation) names them. Writes contexts.csv (context, draw, seeds, used, model, metric, mean, n, unseen), contexts_summary.csv (seeds, context, model, metric, mean,
 *  low, high, n, unseen: 95 % intervals over draws within contexts) and contexts.html into the folder, in the way of sow_evaluate_campaign. `*json` (may be NULL; caller frees): folder, headline and summary.
 *  SOW_E_CONFIG: fewer than two contexts, an unknown one, a number of seeds that is none, a model that does not apply (to an unseen perturbation: gp and hypermap without priors), more unseen than a context can
 *  spare; SOW_E_DATA: a context without (enough) controls. Cost: a fit of every model for
 *  every context, draw and number of seeds; with `unseen` what a model learns from other contexts is learned anew in every draw. */
SOW_MUST_CHECK sow_status sow_evaluate_contexts(char **json, const sow_config *config, const sow_context_options *options, const sow_env *env, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
