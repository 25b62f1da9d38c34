/* Rules a batch must obey: include, exclude, quotas. They act inside the choice: a strategy asks before each pick.
 *
 * A pick is feasible when the batch can still be completed after it: included candidates and unmet at-least quotas keep slots
 * reserved. Exact while no candidate belongs to two quotas, and for overlapping quotas unless a bounded search gives up (then the
 * answer is no: a batch never gets stuck). Not thread-safe: one object serves one choice. */
#ifndef SOWER_ACQUISITION_CONSTRAINTS_H
#define SOWER_ACQUISITION_CONSTRAINTS_H

#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const char *label; /* for messages: "at most 3 of reactome 'Interferon Signaling'" */
    sow_index n_members;
    const sow_index *members;    /* catalogue positions, ascending */
    sow_index at_most, at_least; /* a batch, or the whole campaign; at_most < 0 = no upper bound */
    int whole_campaign;          /* 0: counts per batch; 1: counts what was picked in all rounds */
    sow_index already;           /* picked in earlier rounds (whole_campaign) */
    sow_index later; /* slots of later rounds, which may still serve at_least (whole_campaign); 0 = this batch is the last */
} sow_quota;

typedef struct sow_constraints sow_constraints;

/** Rules for one batch of `batch` picks among `candidates` [n] (catalogue positions; position in this array = candidate number).
 *  `include` [n_include] candidate numbers that must be in this batch. Checks before any compute that the rules can be met
 * together: SOW_E_CONFIG names the rule that cannot ("quota 'at least 5 of ...': only 3 candidates are left"). Cost n x quotas x
 * log(members). */
SOW_MUST_CHECK sow_status sow_constraints_create(sow_constraints **out, const sow_index *candidates, sow_index n, sow_index batch,
                                                 const sow_index *include, sow_index n_include, const sow_quota *quotas,
                                                 sow_index n_quotas, sow_error *err);
void sow_constraints_destroy(sow_constraints *c);
/** May candidate be the next pick, so that the rest can still be completed? 0 for one already taken. Signature fits
 *  sow_pool_view.feasible. Constant time for most calls; after a take, once per kind of candidate a small search. */
int sow_constraints_feasible(void *constraints, sow_index candidate);
/** Tells the rules of a pick; it must be feasible. */
void sow_constraints_take(void *constraints, sow_index candidate);

#ifdef __cplusplus
}
#endif
#endif
