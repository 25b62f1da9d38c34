/* Can a batch be completed? A small integer problem over kinds of candidates.
 *
 * Candidates that belong to the same rules are of one kind; what matters of a batch is how many of each kind it takes. A completion
 * x takes x[t] of kind t with least[t] <= x[t] <= most[t], `total` in all, and between need[r] and room[r] members of every rule r.
 */
#ifndef SOWER_ACQUISITION_COMPLETION_H
#define SOWER_ACQUISITION_COMPLETION_H

#include "core/status.h"

typedef struct {
    sow_index n_kinds, n_rules;
    unsigned char *in;       /* [n_kinds, n_rules] */
    sow_index *least, *most; /* [n_kinds] */
    sow_index *need, *room;  /* [n_rules] */
    sow_index total;
    sow_index *x;     /* [n_kinds] the completion in hand */
    sow_index *trial; /* [n_kinds] scratch */
    sow_index *count; /* [n_rules] scratch */
    sow_index *order; /* [n_kinds] scratch: kinds in the most rules first */
} sow_i_completion;

SOW_MUST_CHECK sow_status sow_i_completion_init(sow_i_completion *c, sow_index n_kinds, sow_index n_rules, sow_error *err);
void sow_i_completion_clear(sow_i_completion *c);

/** Finds a completion into x (0: none found, x unchanged). A greedy cover, which is exact when no candidate belongs to two rules,
 * then a search of at most a few thousand nodes: a "yes" is always true, a "no" is proven unless the search ran out of nodes. */
int sow_i_complete(sow_i_completion *c);
/** From a valid x, finds one with one more of `kind` in place of one of another kind; else as sow_i_complete. */
int sow_i_complete_with_one_more(sow_i_completion *c, sow_index kind);

#endif
