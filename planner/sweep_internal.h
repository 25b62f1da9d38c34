/* Inside the planner: a sweep's arms, jobs and results.
 *
 * sweep.c opens and checks and walks from block to block of seeds; sweep_job.c plays one job and reads its result; sweep_run.c hands jobs to a team, which is processes of
 * this machine (sweep_local.c) or ranks (sweep_mpi.c); sweep_compare.c makes the comparison, sweep_tables.c its files; sweep_budget.c asks before anything is played whether
 * the budget affords something, and sweep_allocation.c what it is best spent on. */
#ifndef SOWER_PLANNER_SWEEP_INTERNAL_H
#define SOWER_PLANNER_SWEEP_INTERNAL_H

#include <jansson.h>

#include "planner/campaign_internal.h"
#include "planner/sweep.h"
#include "planner/sweep_stats.h"
#include "simulator/cell_world.h"

enum { SOW_I_SWEEP_FORMAT = 1 }; /* of result files and of the folder; part of every job's key */
enum { SOW_I_SWEEP_METRICS_MAX = 32 };

/** One campaign's course, as its result file tells it. */
typedef struct {
    sow_index n;                       /* rounds */
    sow_index pool_size;
    double *measured, *cost, *weeks;   /* [n] by the end of each round, summed over rounds */
    double *value;                     /* [n, n_metrics] NaN = not there */
} sow_i_course;
void sow_i_course_clear(sow_i_course *course);

typedef struct {
    json_t *settings;   /* what of the effective configuration results depend on, without seed */
    char data[65];      /* SHA-256 over the files that are read */
    char *model, *currency;
    double seconds;     /* expected, for the order of jobs */
    sow_index n_rounds; /* as planned, with what is spent by the end of each: */
    double *cost, *weeks; /* [n_rounds] */
} sow_i_sweep_arm;

typedef enum { SOW_JOB_OPEN, SOW_JOB_DONE, SOW_JOB_FAILED, SOW_JOB_ELSEWHERE } sow_i_job_state;
typedef struct {
    sow_index arm, seed; /* positions */
    char key[65];
    sow_i_job_state state;
    int losses;          /* workers that died of it */
    sow_i_course course; /* DONE */
} sow_i_sweep_job;

typedef struct {
    const sow_sweep_config *config;
    const sow_env *env;
    char *dir;
    const char *cache;
    sow_index n_metrics;
    const sow_sweep_metric *metric[SOW_I_SWEEP_METRICS_MAX];
    sow_index baseline;
    sow_i_sweep_arm *arm;  /* [n_arms] */
    sow_i_sweep_job *job;  /* [n_arms * n_seeds], arm by arm */
    sow_index *seeds_due;  /* [n_arms] seeds that count: all, or those before it was stopped */
    sow_index played;      /* by this call */
    sow_error failure;     /* of the first job that failed */
    sow_index n_failed, failed_at;
} sow_i_sweep;

static inline sow_i_sweep_job *sow_i_sweep_job_of(const sow_i_sweep *s, sow_index arm, sow_index seed)
{
    return &s->job[arm * s->config->n_seeds + seed];
}

/* sweep_job.c */
/** The configuration of an arm with a seed. `problems` as sow_config_read. */
SOW_MUST_CHECK sow_status sow_i_sweep_configure(sow_config **out, char **problems, const sow_sweep_config *sweep, sow_index arm, sow_index seed, sow_error *err);
/** What results depend on: settings (new reference) and digest of an arm's campaign. */
SOW_MUST_CHECK sow_status sow_i_sweep_identity(json_t **settings, char data[65], const sow_campaign *c, sow_error *err);
/** NOMEM only. */
SOW_MUST_CHECK sow_status sow_i_sweep_key(char key[65], const json_t *settings, const char *data, sow_index seed, sow_error *err);
/** Play one job to its result file. `counts`: of the jobs that this process plays. SOW_E_STATE: another process plays it. */
SOW_MUST_CHECK sow_status sow_i_sweep_play(const sow_sweep_config *sweep, const char *dir, const char *cache, sow_cell_counts *counts, sow_index arm, sow_index seed, const char *key, const sow_env *env,
                                           sow_error *err);
/** Reads a job's result when there is one and it is whole; what is wrong with it goes to the log, and it counts as not there. */
SOW_MUST_CHECK sow_status sow_i_sweep_find_result(const sow_i_sweep *s, sow_i_sweep_job *job, sow_error *err);

/* sweep_run.c */
typedef struct {
    sow_index job;   /* position, -1 = none yet */
    int worker;
    sow_status status;
    int lost;        /* the worker died; `message` says how */
    char message[1024];
} sow_i_answer;

/** Who plays jobs. */
typedef struct sow_i_team sow_i_team;
typedef struct {
    SOW_MUST_CHECK sow_status (*give)(sow_i_team *team, int worker, sow_index job, const char *key, sow_error *err);
    /** The next answer, waiting at most so long; *got 0 = none. */
    SOW_MUST_CHECK sow_status (*listen)(sow_i_answer *out, int *got, sow_i_team *team, int milliseconds, sow_error *err);
    void (*dismiss)(sow_i_team *team); /* at once; frees the team */
} sow_i_team_class;
struct sow_i_team {
    const sow_i_team_class *class_;
    int n;      /* workers */
    int helps;  /* whoever hands out jobs plays some too */
};
/** Processes of this machine. */
SOW_MUST_CHECK sow_status sow_i_team_local(sow_i_team **out, const sow_i_sweep *s, int n, sow_error *err);
/** Ranks: NULL when this is no run under mpirun. In a helper it plays what it is given, and returns when all is done, with *helped 1. */
SOW_MUST_CHECK sow_status sow_i_team_mpi(sow_i_team **out, int *helped, const sow_sweep_config *sweep, const char *dir, const char *cache, const sow_env *env, sow_error *err);
/** Plays list [n] in this order, so far as they have no result. Failures are left in s; SOW_E_CANCELLED and trouble of the team itself come back. */
SOW_MUST_CHECK sow_status sow_i_sweep_hand_out(sow_i_sweep *s, const sow_index *list, sow_index n, sow_i_team *team, sow_error *err);

/* sweep_compare.c, sweep_tables.c */
/** Everything that is compared, as JSON (the document of summary.json); new reference. */
SOW_MUST_CHECK sow_status sow_i_sweep_compare(json_t **out, const sow_i_sweep *s, sow_error *err);
/** How many seeds of each arm are due, from the results that are there: s->seeds_due. *complete: no result that is due is missing. `far`: where a decision cannot be made yet, go on as if nobody were stopped. */
SOW_MUST_CHECK sow_status sow_i_sweep_due(sow_i_sweep *s, int far, int *complete, sow_error *err);
SOW_MUST_CHECK sow_status sow_i_sweep_write_tables(const sow_i_sweep *s, const json_t *document, sow_error *err);
/** {value, low, high, n}; new reference. */
json_t *sow_i_difference_json(const sow_i_difference *d);

/* sweep_budget.c */
/** Keeps what an arm's rounds cost as planned, from its `sower check` document. */
SOW_MUST_CHECK sow_status sow_i_sweep_keep_bill(sow_i_sweep_arm *arm, const json_t *check, sow_error *err);
/** What is wrong with the budget, given what the arms cost: *out NULL = nothing. Caller frees. */
SOW_MUST_CHECK sow_status sow_i_sweep_budget_trouble(char **out, const sow_i_sweep *s, sow_error *err);

/* sweep_allocation.c, sweep_allocation_words.c */
/** The member `allocation` of the document: every allocation with its price and quality, and what to take for the budget (docs/simulate.md). New reference. */
SOW_MUST_CHECK sow_status sow_i_sweep_allocation(json_t **out, const sow_i_sweep *s, sow_error *err);
/** The sentences of one world, from its numbers: world.words. */
void sow_i_allocation_words(json_t *world, const json_t *allocation);
/** allocation.csv and allocation.html, from the document alone. */
SOW_MUST_CHECK sow_status sow_i_sweep_write_allocation(const sow_i_sweep *s, const json_t *document, sow_error *err);

#endif
