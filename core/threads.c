/* One job at a time. Tasks are handed out by an atomic counter in rising order; because every task below a failing one has then been
 * handed out already, the failure with the lowest index is always found, whatever the timing. */
#ifdef __linux__
#define _GNU_SOURCE /* sched_getaffinity: how many processors this process may use, not how many there are */
#include <sched.h>
#endif

#include "core/threads.h"
#include "core/memory.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    sow_status (*task)(void *user, sow_index i, sow_error *err);
    void *user;
    sow_index n;
    _Atomic(sow_index) next;
    atomic_int failed; /* stop handing out */
    /* guarded by sow_threads.lock */
    sow_index failed_at;
    sow_status status;
    sow_error error;
} parallel_job;

struct sow_threads {
    int n; /* threads in all, the caller included */
    int n_started;
    pthread_t *worker; /* [n - 1] */
    pthread_mutex_t submit; /* held by the caller whose job runs */
    pthread_mutex_t lock;
    pthread_cond_t work, idle;
    uint64_t generation; /* counts jobs, so that a worker takes each once */
    int stopping, busy;  /* busy = workers still inside the job */
    parallel_job *job;
};

static _Thread_local int inside_a_task; /* a nested call runs serially */

static int processors_allowed(void)
{
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
#endif
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 && n < 4096 ? (int)n : 1;
}

static void record_failure(sow_threads *threads, parallel_job *job, sow_index i, sow_status status, const sow_error *error)
{
    pthread_mutex_lock(&threads->lock);
    if (job->status == SOW_OK || i < job->failed_at) {
        job->status = status;
        job->failed_at = i;
        job->error = *error;
    }
    pthread_mutex_unlock(&threads->lock);
    atomic_store(&job->failed, 1);
}

static void work_on(sow_threads *threads, parallel_job *job)
{
    int outer = inside_a_task;
    inside_a_task = 1;
    while (!atomic_load(&job->failed)) {
        sow_index i = atomic_fetch_add(&job->next, 1);
        if (i >= job->n) break;
        sow_error error;
        memset(&error, 0, sizeof error);
        sow_status status = job->task(job->user, i, &error);
        if (status != SOW_OK) record_failure(threads, job, i, status, &error);
    }
    inside_a_task = outer;
}

static void *worker_main(void *user)
{
    sow_threads *threads = user;
    uint64_t seen = 0;
    pthread_mutex_lock(&threads->lock);
    for (;;) {
        while (!threads->stopping && threads->generation == seen) pthread_cond_wait(&threads->work, &threads->lock);
        if (threads->stopping) break;
        seen = threads->generation;
        parallel_job *job = threads->job;
        pthread_mutex_unlock(&threads->lock);
        work_on(threads, job);
        pthread_mutex_lock(&threads->lock);
        if (--threads->busy == 0) pthread_cond_signal(&threads->idle);
    }
    pthread_mutex_unlock(&threads->lock);
    return NULL;
}

static sow_status start_workers(sow_threads *threads, sow_error *err)
{
    for (int i = 0; i < threads->n - 1; i++) {
        int code = pthread_create(&threads->worker[i], NULL, worker_main, threads);
        if (code)
            return SOW_ERROR(err, SOW_E_NOMEM, "cannot start thread %d of %d (error %d); use fewer with --threads", i + 2, threads->n, code);
        threads->n_started++;
    }
    return SOW_OK;
}

sow_status sow_threads_create(sow_threads **out, int n, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_threads *threads = NULL;
    *out = NULL;
    if (n < 0 || n > 4096) SOW_FAIL(err, SOW_E_ARG, "%d threads asked for; allowed are 1 to 4096, or 0 for all processors", n);
    SOW_NEW(threads, 1);
    pthread_mutex_init(&threads->submit, NULL);
    pthread_mutex_init(&threads->lock, NULL);
    pthread_cond_init(&threads->work, NULL);
    pthread_cond_init(&threads->idle, NULL);
    threads->n = n ? n : processors_allowed();
    SOW_NEW(threads->worker, threads->n - 1);
    SOW_TRY(start_workers(threads, err));
    *out = threads;
    threads = NULL;
done:
    sow_threads_destroy(threads);
    return st;
}

void sow_threads_destroy(sow_threads *threads)
{
    if (!threads) return;
    pthread_mutex_lock(&threads->lock);
    threads->stopping = 1;
    pthread_cond_broadcast(&threads->work);
    pthread_mutex_unlock(&threads->lock);
    for (int i = 0; i < threads->n_started; i++) pthread_join(threads->worker[i], NULL);
    pthread_cond_destroy(&threads->work);
    pthread_cond_destroy(&threads->idle);
    pthread_mutex_destroy(&threads->lock);
    pthread_mutex_destroy(&threads->submit);
    free(threads->worker);
    free(threads);
}

int sow_threads_count(const sow_threads *threads)
{
    return threads ? threads->n : 1;
}

static sow_status run_serially(sow_index n, sow_status (*task)(void *user, sow_index i, sow_error *err), void *user, sow_error *err)
{
    sow_status st = SOW_OK;
    for (sow_index i = 0; i < n && st == SOW_OK; i++) st = task(user, i, err);
    return st;
}

static void run_together(sow_threads *threads, parallel_job *job)
{
    pthread_mutex_lock(&threads->lock);
    threads->job = job;
    threads->generation++;
    threads->busy = threads->n - 1;
    pthread_cond_broadcast(&threads->work);
    pthread_mutex_unlock(&threads->lock);
    work_on(threads, job);
    pthread_mutex_lock(&threads->lock);
    while (threads->busy) pthread_cond_wait(&threads->idle, &threads->lock);
    threads->job = NULL;
    pthread_mutex_unlock(&threads->lock);
}

sow_status sow_parallel_for(sow_threads *threads, sow_index n, sow_status (*task)(void *user, sow_index i, sow_error *err), void *user,
                            sow_error *err)
{
    if (sow_threads_count(threads) == 1 || n < 2 || inside_a_task) return run_serially(n, task, user, err);
    /* Another thread of the program is using the pool: its workers are busy, so this call works alone. */
    if (pthread_mutex_trylock(&threads->submit) != 0) return run_serially(n, task, user, err);
    parallel_job job = {.task = task, .user = user, .n = n};
    run_together(threads, &job);
    pthread_mutex_unlock(&threads->submit);
    if (job.status != SOW_OK && err) *err = job.error;
    return job.status;
}
