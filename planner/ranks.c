/* What the environment of mpirun and srun says, in builds with MPI and without. */
#include <stdlib.h>

#include "planner/ranks_internal.h"

static const char *from_environment(const char *const *names)
{
    for (; *names; names++)
        if (getenv(*names)) return getenv(*names);
    return NULL;
}

/* Set by Open MPI's mpirun, by MPICH's and Slurm's PMI, and by Slurm's PMIx. */
int sow_i_rank_started_as(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK", NULL};
    const char *rank = from_environment(names);
    return rank ? atoi(rank) : -1;
}

int sow_ranks_is_helper(void)
{
    return sow_i_rank_started_as() > 0;
}

int sow_ranks_count(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS", NULL};
    const char *n = from_environment(names);
    if (sow_i_rank_started_as() < 0) return 1;
    return n && atoi(n) > 0 ? atoi(n) : 0;
}
