/* An ordered set of names: name -> position and back. Used for perturbations, contexts, genes, gene sets, columns. */
#ifndef SOWER_CORE_NAMES_H
#define SOWER_CORE_NAMES_H

#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sow_names sow_names;

SOW_MUST_CHECK sow_status sow_names_create(sow_names **out, sow_error *err);
void sow_names_destroy(sow_names *names);
/** Position of `name`, added at the end when new (`*position` may be NULL). Names are copied, case-sensitive, any bytes but NUL. */
SOW_MUST_CHECK sow_status sow_names_add(sow_names *names, const char *name, sow_index *position, sow_error *err);
sow_index sow_names_find(const sow_names *names, const char *name); /* position or -1 */
sow_index sow_names_count(const sow_names *names);                  /* 0 for NULL */
const char *sow_names_get(const sow_names *names, sow_index i);     /* borrowed; valid while the set lives */
/** Nearest name by Damerau-Levenshtein distance (case-insensitive) not farther than a third of the length of
 *  `name` (1 for names shorter than 3); the first of equals; NULL when none. For messages. */
const char *sow_names_nearest(const sow_names *names, const char *name);
/** The same over a plain array. */
const char *sow_nearest_of(const char *const *names, sow_index n, const char *name);

/** What has gone from a list and what is new in another, in words and with the first few of each: "3 genes that are not here (A, B, C), and without 1 that is (D)", `what` being "gene"; "the same genes in another
 *  order". *out NULL: the lists are the same. Caller frees. Cost: linear. */
SOW_MUST_CHECK sow_status sow_names_difference(char **out, const char *what, char *const *then, sow_index n_then, char *const *now, sow_index n_now, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
