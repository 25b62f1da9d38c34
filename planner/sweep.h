/* A sweep: many simulated campaigns, each arm of a sweep file with each of its seeds, and what their comparison says.
 *
 * A job is one arm with one seed. It is named by what it depends on (the SHA-256 of its settings, data and seed), so that its result file is
 * found again whatever the sweep around it becomes; it is played in a scratch folder as a campaign of its own, and goes on there after a kill. Seeds pair
 * the arms: the same world, held-out split and initial set. Results do not depend on who plays what. docs/simulate.md. */
#ifndef SOWER_PLANNER_SWEEP_H
#define SOWER_PLANNER_SWEEP_H

#include "core/env.h"
#include "core/status.h"
#include "io/sweep_config.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const char *dir;   /* folder; NULL = NAME.sweep beside the sweep file */
    const char *cache; /* as sow_campaign_options */
    int workers;       /* processes of this machine; 0 = as many as there are threads to be had. Without meaning under mpirun */
    sow_index part, n_parts; /* play only part 1 .. n_parts of the jobs and compare nothing; n_parts 0 = everything */
    sow_index n_sets;        /* what the sweep file was read with, for the script of a job array */
    const char *const *sets;
} sow_sweep_options;
#define SOW_SWEEP_OPTIONS_INIT {NULL, NULL, 0, 0, 0, 0, NULL}

/** `problems` (may be NULL; caller frees): as sow_config_read's, everything that is wrong with the arms, one a line with the place in the sweep file where there is one; NULL where `err` says it all.
 *  Check every arm, play every job that has no result yet, and compare: summary.csv, curves.csv and summary.json in the folder. `*json` (may be NULL; caller frees): the same as summary.json, with
 *  "dir" and "played"; NULL for a part and for helpers of mpirun. Nothing is played when any arm is wrong.
 *  SOW_E_CONFIG, SOW_E_DATA: the sweep, an arm or the folder is wrong; SOW_E_CANCELLED: interrupted, what is finished is kept; SOW_E_STATE: another process still plays some of it. Else the first job that failed, by arm
 *  and seed, after all others were played. Forks: call it while no other thread works. */
SOW_MUST_CHECK sow_status sow_sweep_run(char **json, char **problems, const sow_sweep_config *config, const sow_sweep_options *options, const sow_env *env, sow_error *err);

/** NAME.sweep/NAME.slurm: a job array of `tasks` for sbatch that plays the sweep's parts with `program` (its path). Checks every arm first. Caller frees *file. */
SOW_MUST_CHECK sow_status sow_sweep_write_slurm(char **file, char **problems, const sow_sweep_config *config, const sow_sweep_options *options, sow_index tasks, const char *program, const sow_env *env, sow_error *err);

/** 1 in a process that mpirun or srun started and that is not the first: whatever is to be said is said by the first. */
int sow_sweep_is_helper(void);
/** "Open MPI 4.1.4 (MPI 3.1)", or NULL in a build without. */
const char *sow_sweep_mpi_version(void);

#ifdef __cplusplus
}
#endif
#endif
