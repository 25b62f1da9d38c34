#include "core/threads.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum { TASKS = 1000 };

static sow_status count_it(void *user, sow_index i, sow_error *err)
{
    (void)err;
    ((int *)user)[i]++; /* each task writes its own place */
    return SOW_OK;
}

static sow_threads *pool_of(int n)
{
    sow_threads *pool = NULL;
    cr_assert_eq(sow_threads_create(&pool, n, NULL), SOW_OK);
    return pool;
}

static void each_runs_once(sow_threads *pool)
{
    int *ran = calloc(TASKS, sizeof *ran);
    cr_assert_eq(sow_parallel_for(pool, TASKS, count_it, ran, NULL), SOW_OK);
    for (int i = 0; i < TASKS; i++) cr_assert_eq(ran[i], 1);
    free(ran);
}

Test(threads, run_each_task_once)
{
    each_runs_once(NULL);
    for (int n = 1; n <= 4; n++) {
        sow_threads *pool = pool_of(n);
        cr_assert_eq(sow_threads_count(pool), n);
        for (int again = 0; again < 20; again++) each_runs_once(pool);
        sow_threads_destroy(pool);
    }
}

Test(threads, take_no_task_and_one_task)
{
    sow_threads *pool = pool_of(3);
    int ran[2] = {0, 0};
    cr_assert_eq(sow_parallel_for(pool, 0, count_it, ran, NULL), SOW_OK);
    cr_assert_eq(ran[0], 0);
    cr_assert_eq(sow_parallel_for(pool, 1, count_it, ran, NULL), SOW_OK);
    cr_assert_eq(ran[0], 1);
    cr_assert_eq(ran[1], 0);
    sow_threads_destroy(pool);
}

Test(threads, count_processors_when_asked_for_none_in_particular)
{
    sow_threads *pool = pool_of(0);
    cr_assert_geq(sow_threads_count(pool), 1);
    cr_assert_eq(sow_threads_count(NULL), 1);
    sow_threads_destroy(pool);
    sow_threads_destroy(NULL);
}

Test(threads, refuse_a_silly_number)
{
    sow_threads *pool = NULL;
    sow_error err = {0};
    cr_assert_eq(sow_threads_create(&pool, -1, &err), SOW_E_ARG);
    cr_assert_null(pool);
    cr_assert_not_null(strstr(err.message, "-1 threads"));
    cr_assert_eq(sow_threads_create(&pool, 100000, &err), SOW_E_ARG);
}

static sow_status fails_late_and_early(void *user, sow_index i, sow_error *err)
{
    (void)user;
    if (i == 5) { /* the others get a chance to fail first */
        for (int k = 0; k < 100; k++) sched_yield();
        return SOW_ERROR(err, SOW_E_DATA, "task five");
    }
    if (i > 5) return SOW_ERROR(err, SOW_E_IO, "task %lld", (long long)i);
    return SOW_OK;
}

Test(threads, report_the_failure_with_the_lowest_index)
{
    for (int n = 1; n <= 4; n++) {
        sow_threads *pool = pool_of(n);
        for (int again = 0; again < 20; again++) {
            sow_error err = {0};
            cr_assert_eq(sow_parallel_for(pool, 64, fails_late_and_early, NULL, &err), SOW_E_DATA);
            cr_assert_str_eq(err.message, "task five");
            cr_assert_eq(err.status, SOW_E_DATA);
            cr_assert_eq(sow_parallel_for(pool, 64, fails_late_and_early, NULL, NULL), SOW_E_DATA);
        }
        each_runs_once(pool); /* and the pool is as good as before */
        sow_threads_destroy(pool);
    }
}

typedef struct {
    sow_threads *pool;
    int inner[8][TASKS];
} nested;

static sow_status runs_tasks_itself(void *user, sow_index i, sow_error *err)
{
    nested *n = user;
    return sow_parallel_for(n->pool, TASKS, count_it, n->inner[i], err);
}

Test(threads, run_a_nested_loop_serially)
{
    nested *n = calloc(1, sizeof *n);
    n->pool = pool_of(3);
    cr_assert_eq(sow_parallel_for(n->pool, 8, runs_tasks_itself, n, NULL), SOW_OK);
    for (int i = 0; i < 8; i++)
        for (int k = 0; k < TASKS; k++) cr_assert_eq(n->inner[i][k], 1);
    sow_threads_destroy(n->pool);
    free(n);
}

static void *use_the_pool(void *user)
{
    for (int again = 0; again < 20; again++) each_runs_once(user);
    return NULL;
}

Test(threads, serve_two_callers_at_a_time)
{
    sow_threads *pool = pool_of(2);
    pthread_t other;
    cr_assert_eq(pthread_create(&other, NULL, use_the_pool, pool), 0);
    use_the_pool(pool);
    pthread_join(other, NULL);
    sow_threads_destroy(pool);
}
