/* Ranks of mpirun or srun as helpers of one training (core/team.h). Rank 0 is the program as always, and alone sees the campaign; the others do the pieces of work they are sent, and end with it. */
#ifndef SOWER_PLANNER_RANKS_H
#define SOWER_PLANNER_RANKS_H

#include "core/env.h"

#ifdef __cplusplus
extern "C" {
#endif

/** 1 in a process that mpirun or srun started and that is not the first: whatever is to be said is said by the first. */
int sow_ranks_is_helper(void);
/** How many there are by the environment: 1 without mpirun, 0 where it does not say. */
int sow_ranks_count(void);

/** In rank 0 *team is the others, or NULL where there are none; to be ended with sow_ranks_end. In a helper the call serves until rank 0 ends, and returns with *helped 1; env gives it its threads, and its progress is asked
 *  whether to stop. SOW_E_UNSUPPORTED: more than one rank, and a build without MPI. SOW_E_STATE: the ranks are not the same program. Ranks on another kind of processor are warned of: their last bits may differ. */
SOW_MUST_CHECK sow_status sow_ranks_begin(sow_team **team, int *helped, const sow_env *env, sow_error *err);
/** Orders given in all. Helpers stop what they do. NULL is fine (0). */
sow_index sow_ranks_end(sow_team *team);

#ifdef __cplusplus
}
#endif
#endif
