/* What the two files that see MPI share (sweep_mpi.c, ranks_mpi.c). */
#ifndef SOWER_PLANNER_RANKS_INTERNAL_H
#define SOWER_PLANNER_RANKS_INTERNAL_H

#include "planner/ranks.h"

/** Rank by the environment of mpirun or srun; -1 = started by neither. */
int sow_i_rank_started_as(void);

#endif
