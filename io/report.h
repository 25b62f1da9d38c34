/* The report: one self-contained HTML file that opens offline (Vega inlined). Built from one JSON document, so that what it shows can be tested
 * without a browser. The document (all keys optional but name; absent = the section says what is missing):
 *
 *  name, generated_by ("sower 0.1.0"), readout ("scalar"|"profile"|"cells"), objective ("hits"|"learn"), context, state ("finished"|"waiting for the lab"|"planned"|...)
 *  model      name of the campaign's model among `metrics`; absent = the first model there
 *  next       {round, strategy, picks:[{rank,perturbation,context,score,reason,planned_cells,cost}], command: "sower record results.csv ..."}   what to do next and why;
 *             optional why: a sentence for the whole batch, in place of the one known for the strategy, and plan: the command for the round after it, where rounds overlap. The bill's rows of this round are its price.
 *  rounds     [{round, strategy, size, measured, failed, cost, weeks, hits_found}]   of that round alone, not summed up
 *  metrics    [{round, measured, model, context, metric, value, low, high}]   as metrics.csv; null for empty; `measured` summed up over rounds
 *  map        {x_label, y_label, points:[{x,y,perturbation,status:"free"|"measured"|"planned"|"held out"|"excluded",round,score,reason,value,hit}]}   picks in prior space
 *  hits       {definition, total, pool_size, found:[{round, measured, found, chance}] (summed up over rounds; chance: the recall random picks would have, as in metrics.csv), list:[{perturbation, round, value}]}
 *  bill       {currency, rows:[{round,item,quantity,unit,price,cost,note}], total, weeks, budget {money, weeks, cut {round, asked, size, why}}}   note: how the quantity came about
 *  ended      why the budget ends the campaign, a sentence without its full stop
 *  priors     [{name, kind, rows, dim, covered, pool_size, zero_rows, missing}]   covered: of the pool
 *  dropped    [{what, names, count}]   names, here and below: a list, or one text with commas (which may end in "... and 5 more")
 *  constraints [{rule, state}]
 *  learned    ["reactome: tanimoto, weight 0.61", ...]   what the model learned
 *  training   {round, members [{best (the epoch kept, from 1), trained [..], held [..] (the predictions' loss in every epoch, null where there is none)}]}   of networks, drawn below `learned`
 *  held_out   {count, names}
 *  cells      of a readout of single cells:
 *             {space {genes, genes_in_data, target_sum (null: not scaled), log1p, highly_variable ("all" or how they were chosen), fitted_on (a phrase),
 *              not_counted (genes that did not pass the filters)},
 *              rounds [{round, controls, cells, batches}],
 *              perturbations [{perturbation, round, planned, cells, outcome ("measured"|"partial"), reason, effect (length of the mean response),
 *               own_gene (is its gene in the data), knockdown, knockdown_low, knockdown_high (share of the controls' mean expression that is gone; negative: up),
 *               de_genes, consistency, replicates, guide_consistency, guides}]   shown strongest effect first; a column without a number is left out,
 *              de_rule (what counts as a changed gene),
 *              contexts {target, names, pairs [{a, b, shared, correlation, low, high, different}], effects [{perturbation, values {context: size}, correlation}],
 *               within [{context, correlation, perturbations}] (halves of its own cells), finding (a sentence), verdict ("help"|"do not help"|"cannot be told")}}
 *             correlation: of the same perturbation in both contexts; different: of different ones. contexts is absent where there is one.
 *  provenance [{key, value}]   version, git, seed, digests; values that vary from run to run carry "varies": true and go to their own fold,
 *             between lines <!-- varies --> and <!-- /varies -->. So do next.command and next.plan, which name paths. The rest of the page is the same bytes
 *             for two runs of the same campaign.
 *
 * A top-level key of another JSON type is refused by name; deeper inside, a value of another type reads as absent. The same document gives the
 * same bytes. For scripts, the document (but for the map's points and what varies) also stands in the page as JSON, keys sorted, in
 * <script type="application/json" id="document">. */
#ifndef SOWER_IO_REPORT_H
#define SOWER_IO_REPORT_H

#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Write `path` atomically from JSON text (UTF-8, NUL-terminated). SOW_E_DATA when the text is no JSON object, lacks `name` or has a key of the wrong
 *  type; SOW_E_IO, SOW_E_NOMEM. Any text may be hostile: it is escaped. About 0.9 MB plus what the document holds; more than 4,000 free points of
 *  the map are thinned evenly and the page says so. */
SOW_MUST_CHECK sow_status sow_report_write(const char *path, const char *json, sow_error *err);

/** The page of `sower evaluate`, in the same way, from another document:
 *   name, generated_by, readout, context, model, provenance as above
 *   perturbations, without_prior, without_value, not_eligible   how many take part, and how many do not
 *   cells, controls [to learn from, to judge by], mode ("default"|"reference")   of a readout of single cells
 *   models [{model, summary}]   in the order of the tables, the campaign's first;  left_out [{model, why}]
 *   splits [{kind ("folds"|"outliers"), folds [{fold, training, held_out, features, names}], clusters [{cluster, held_out, controls, names}] (outliers),
 *            summary [{model, metric, mean, sd, low, high, n}], held_out (how many), charts [{metric, of, rows [[model, perturbation, fold, value]]}],
 *            paired {metric, model, rows [{other, difference, low, high, n}]} (model less other, over the same perturbations)}]
 *  The charts' rows stand in the page as the charts' data only. SOW_E_DATA when the text is no JSON object or lacks name or splits. */
SOW_MUST_CHECK sow_status sow_report_write_evaluation(const char *path, const char *json, sow_error *err);

/** The page of `sower evaluate --leave-one-context-out`, from another document:
 *   name, generated_by, readout, model, models, left_out, provenance as above
 *   headline (a sentence), numbers (behind it), headline_seeds, draws, without_prior, seeds [n, ...], leading [metric, ...]
 *   unseen ("20" or "20%": so many perturbations that no context has measured are all that is scored; absent = none), fall_backs [{model, why}]: models that know nothing of these
 *   contexts [{context, perturbations, shared, unseen, features, used [n, ...]}]   those that were new in turn
 *   summary [{seeds, context ("all" or a name), model, metric, mean, low, high, n}]   intervals over draws of seeds
 *   paired [{seeds, metric, model, other, mean, best, difference, low, high, ahead, verdict}]   the model against the best baseline
 *  SOW_E_DATA when the text is no JSON object or lacks name or summary. */
SOW_MUST_CHECK sow_status sow_report_write_contexts(const char *path, const char *json, sow_error *err);

/** The page of `sower seeds`, from the object that --json prints (planner/seeds_report.c): name, context, model, strategy (the chosen one), headline, expected, leading [metric, ...], strategies [{strategy,
 *  summary}], seeds [{rank, perturbation, score, reason}], accuracy [{strategy, seeds, metric, mean, low, high, replays}], against_random [{strategy, seeds, difference, low, high}], provenance. SOW_E_DATA
 *  when the text is no JSON object or lacks name or seeds. */
SOW_MUST_CHECK sow_status sow_report_write_seeds(const char *path, const char *json, sow_error *err);

/** The page of `sower calibrate --check`: name, context, verdict, likeness (sentences), screens, genes, controls, perturbations, umis, rows [{quantity, cells, real, simulated, low, high, perturbations}]
 *  (planner/calibrate.h), curves [{quantity: dispersion | zeros | replicates, rows [[x, real, simulated, low, high]], points [[x, real, gene]]}] (planner/calibrate_curves.c).
 *  SOW_E_DATA when the text is no JSON object or lacks name or rows. */
SOW_MUST_CHECK sow_status sow_report_write_calibration(const char *path, const char *json, sow_error *err);

/** The page of an allocation, which `sower simulate` writes: name, and the member `allocation` of summary.json (docs/simulate.md): metric, better, currency, seeds, budget, worlds [{world, words, recommended,
 *  allocations, arms, look_back}]. SOW_E_DATA when the text is no JSON object or lacks name or worlds. */
SOW_MUST_CHECK sow_status sow_report_write_allocation(const char *path, const char *json, sow_error *err);

/** The page of `sower predict --all`, from another document:
 *   name, generated_by, readout, model, provenance as above
 *   perturbations, features, unknown (left out: measured nowhere, no prior), alike (measured nowhere and predicted all the same), first_share (of variance in the first direction)
 *   contexts [{context, role, observed, predicted, learned}], left_out {context, why}
 *   magnitude, specificity   medians;  words ["strong consistent", ...]   what a class's number means;  classes [{class, count, measured}];  can_cluster
 *   clusters [{cluster, count, counts [of each class], strongest [names]}]   largest first
 *   map {points [[x, y, perturbation, class, cluster, magnitude, specificity, contexts observed]]}   stand in the page as the charts' data only
 *  More than 20,000 points are thinned evenly. SOW_E_DATA when the text is no JSON object or lacks name or contexts. */
SOW_MUST_CHECK sow_status sow_report_write_map(const char *path, const char *json, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
