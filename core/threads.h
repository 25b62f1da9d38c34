/* A fixed pool of worker threads. Work is cut into tiles whose number and bounds do not depend on the number of threads, so results
 * are the same bits for any pool. BLAS itself runs single-threaded inside a tile (core/linalg.c sees to it). */
#ifndef SOWER_CORE_THREADS_H
#define SOWER_CORE_THREADS_H

#include "core/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sow_threads sow_threads;

/** `n` >= 1 threads in all (the caller is one of them); 0 = as many as the process may use. Caller owns; destroy(NULL) is fine. */
SOW_MUST_CHECK sow_status sow_threads_create(sow_threads **out, int n, sow_error *err);
void sow_threads_destroy(sow_threads *threads);
int sow_threads_count(const sow_threads *threads); /* 1 for NULL */

/** Run task(user, i) for i in 0..n-1, each once, in any order and possibly at the same time; returns when all are done.
 *  Tasks write to disjoint places; a reduction is done by the caller in order of i. Must not be nested (an inner call runs serially).
 *  The first failing status by lowest i is returned with its error. */
SOW_MUST_CHECK sow_status sow_parallel_for(sow_threads *threads, sow_index n, sow_status (*task)(void *user, sow_index i, sow_error *err),
                                           void *user, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
