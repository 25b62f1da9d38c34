/* Ranks of mpirun or srun as workers (ranks_mpi.c is the other file that sees MPI). Rank 0 hands out jobs and plays some itself, listening between the steps of its own; the
 * others ask nothing and play what they get. MPI is used from one thread, for messages of some hundred bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/memory.h"
#include "planner/ranks_internal.h"
#include "planner/sweep_internal.h"

int sow_sweep_is_helper(void)
{
    return sow_ranks_is_helper();
}

#ifdef SOWER_MPI
#include <mpi.h>

enum { TAG_JOB = 1, TAG_ANSWER = 2, NAP_NS = 2000000 };

typedef struct {
    sow_index job; /* -1 = done */
    char key[65];
} assignment;

typedef struct {
    sow_i_team base;
} rank_team;

static void nap(void)
{
    const struct timespec t = {0, NAP_NS};
    nanosleep(&t, NULL);
}

const char *sow_sweep_mpi_version(void)
{
    static char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int n = 0;
    MPI_Get_library_version(text, &n);
    text[strcspn(text, ",\n")] = 0;
    return text;
}

static sow_status give(sow_i_team *team, int number, sow_index job, const char *key, sow_error *err)
{
    assignment a = {.job = job};
    (void)team;
    snprintf(a.key, sizeof a.key, "%s", key);
    if (MPI_Send(&a, (int)sizeof a, MPI_BYTE, number + 1, TAG_JOB, MPI_COMM_WORLD) == MPI_SUCCESS) return SOW_OK;
    return SOW_ERROR(err, SOW_E_IO, "rank %d cannot be reached", number + 1);
}

static sow_status listen_to(sow_i_answer *out, int *got, sow_i_team *team, int milliseconds, sow_error *err)
{
    MPI_Status from;
    (void)team;
    *got = 0;
    for (int waited = 0;; waited += 2) {
        if (MPI_Iprobe(MPI_ANY_SOURCE, TAG_ANSWER, MPI_COMM_WORLD, got, &from) != MPI_SUCCESS) return SOW_ERROR(err, SOW_E_IO, "the other ranks cannot be heard");
        if (*got || waited >= milliseconds) break;
        nap();
    }
    if (*got && MPI_Recv(out, (int)sizeof *out, MPI_BYTE, from.MPI_SOURCE, TAG_ANSWER, MPI_COMM_WORLD, MPI_STATUS_IGNORE) != MPI_SUCCESS)
        return SOW_ERROR(err, SOW_E_IO, "rank %d cannot be heard", from.MPI_SOURCE);
    if (*got) out->worker = from.MPI_SOURCE - 1;
    return SOW_OK;
}

static void dismiss(sow_i_team *team)
{
    const assignment done = {.job = -1};
    for (int k = 0; k < team->n; k++)
        MPI_Send(&done, (int)sizeof done, MPI_BYTE, k + 1, TAG_JOB, MPI_COMM_WORLD);
    MPI_Finalize();
    free(team);
}

/* Asleep until there is a job: MPI's own waiting would keep a core busy. */
static void receive(assignment *a)
{
    int there = 0;
    while (MPI_Iprobe(0, TAG_JOB, MPI_COMM_WORLD, &there, MPI_STATUS_IGNORE) == MPI_SUCCESS && !there)
        nap();
    if (MPI_Recv(a, (int)sizeof *a, MPI_BYTE, 0, TAG_JOB, MPI_COMM_WORLD, MPI_STATUS_IGNORE) != MPI_SUCCESS) a->job = -1;
}

static void help(const sow_sweep_config *sweep, const char *dir, const char *cache, const sow_env *parent)
{
    const sow_env env = {.memory = parent ? parent->memory : 0};
    sow_cell_counts counts = {0};
    assignment a;
    for (receive(&a); a.job >= 0; receive(&a)) {
        sow_error err = {0};
        sow_i_answer answer = {.job = a.job};
        answer.status = sow_i_sweep_play(sweep, dir, cache, &counts, a.job / sweep->n_seeds, a.job % sweep->n_seeds, a.key, &env, &err);
        snprintf(answer.message, sizeof answer.message, "%s", err.message);
        if (MPI_Send(&answer, (int)sizeof answer, MPI_BYTE, 0, TAG_ANSWER, MPI_COMM_WORLD) != MPI_SUCCESS) break;
    }
    sow_cell_counts_clear(&counts);
    MPI_Finalize();
}

sow_status sow_i_team_mpi(sow_i_team **out, int *helped, const sow_sweep_config *sweep, const char *dir, const char *cache, const sow_env *env, sow_error *err)
{
    static const sow_i_team_class class_ = {give, listen_to, dismiss};
    sow_status st = SOW_OK;
    int rank = 0, n = 1;
    *out = NULL;
    *helped = 0;
    if (sow_i_rank_started_as() < 0) return SOW_OK;
    if (MPI_Init(NULL, NULL) != MPI_SUCCESS) return SOW_ERROR(err, SOW_E_IO, "MPI does not start");
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &n);
    if (rank > 0) {
        help(sweep, dir, cache, env);
        *helped = 1;
        return SOW_OK;
    }
    rank_team *t = NULL;
    SOW_NEW(t, 1);
    t->base = (sow_i_team){&class_, n - 1, 1};
    *out = &t->base;
done:
    return st;
}

#else

const char *sow_sweep_mpi_version(void)
{
    return NULL;
}

/* Without MPI every process of an mpirun would take itself for the only one. */
sow_status sow_i_team_mpi(sow_i_team **out, int *helped, const sow_sweep_config *sweep, const char *dir, const char *cache, const sow_env *env, sow_error *err)
{
    (void)sweep;
    (void)dir;
    (void)cache;
    (void)env;
    *out = NULL;
    *helped = 0;
    if (sow_ranks_count() == 1) return SOW_OK;
    return SOW_ERROR(err, SOW_E_UNSUPPORTED, "this sower was built without MPI: apt-get install libopenmpi-dev, build it again (SOWER_MPI), or use --jobs N on one machine and --emit slurm on several");
}
#endif
