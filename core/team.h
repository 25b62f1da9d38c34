/* Helpers: other processes of this program, on this machine or others, that compute shards of one sum.
 *
 * A sum is cut into a FIXED number of shards (the tasks of an outer step, say), whatever the number of helpers. Each shard is computed whole by one process, from what it is sent, and the caller adds them in order: so the
 * sum has the same bits for any number of helpers, also for none. Helpers know no campaign and no file. They are sent an order (named arrays, the current weights among them), do the one piece of work that it names, and
 * answer; so there is nothing that could fall out of step.
 *
 * Models see this and no more; who the helpers are (ranks of MPI, planner/ranks_mpi.c) is the planner's. A team is used by the thread that made it. */
#ifndef SOWER_CORE_TEAM_H
#define SOWER_CORE_TEAM_H

#include <pthread.h>

#include "core/archive.h"
#include "core/env.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What helpers can do: a row of a table (models/works.h). `room` is the work's own, from order to order: *room is NULL at first. */
typedef struct {
    const char *name;
    sow_status (*run)(sow_archive *answer, void **room, const sow_archive *order, const sow_env *env, sow_error *err);
    void (*forget)(void *room); /* NULL is fine */
} sow_work;

typedef struct {
    /* Send an order to helper 0 .. helpers - 1; an answer of before that nobody took is dropped. */
    sow_status (*give)(sow_team *team, int helper, const char *work, const sow_archive *order, const sow_env *env, sow_error *err);
    /* Its answer, waited for; a helper's failure is this call's. SOW_E_CANCELLED when env asks to stop: the answer may be left where it is. */
    sow_status (*take)(sow_team *team, int helper, sow_archive *answer, const sow_env *env, sow_error *err);
} sow_team_class;

struct sow_team {
    const sow_team_class *class_;
    int helpers;     /* processes beside this one */
    sow_index given; /* orders so far */
    int in_use;      /* by a sum that is under way */
    const char *what; /* of that sum: what progress says while a helper is waited for */
    double done;
    pthread_t owner; /* the thread that made it */
};
void sow_team_init(sow_team *team, const sow_team_class *class_, int helpers);

/** Processes that a sum is shared among by this thread: 1 without helpers. */
int sow_team_size(const sow_env *env);

/** One sum. */
typedef struct {
    const char *work; /* its name in the table */
    sow_index n;      /* shards */
    sow_status (*order)(void *user, sow_index i, sow_archive *order, sow_error *err);      /* what a helper needs for shard i */
    sow_status (*here)(void *user, sow_index i, sow_error *err);                           /* compute shard i in this process, and add it */
    sow_status (*add)(void *user, sow_index i, const sow_archive *answer, sow_error *err); /* add what a helper says of shard i */
    void *user;
    const char *what; /* progress while helpers are waited for */
    double done;
} sow_shards;

/** Every shard computed here or by a helper, and added in order 0, 1, ..; order() may be called for later shards before. The first failing shard by order decides the status, as it would without helpers; those after it are
 *  then not added. */
SOW_MUST_CHECK sow_status sow_team_share(const sow_env *env, const sow_shards *s, sow_error *err);

#ifdef __cplusplus
}
#endif
#endif
