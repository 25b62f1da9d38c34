/* Handing out jobs: the next one to whoever is free, in the order of the list. Who plays a job has no influence on its result. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/memory.h"
#include "planner/sweep_internal.h"

enum { LOSSES_MOST = 2, WAIT_MS = 200 };

typedef struct {
    sow_i_sweep *s;
    sow_i_team *team;
    const sow_index *list;
    sow_index n, next;
    sow_index *again, n_again; /* [n] jobs whose worker was lost */
    sow_index *holds; /* [workers] job, -1 = free */
    sow_index out;    /* jobs that are with a worker */
    sow_index finished;
    double begun, told;
    sow_cell_counts counts; /* of the jobs that are played here */
} hand;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* On a terminal the bar; for logs a line when a tenth is done, at most one in five seconds. */
static sow_status tell(hand *h, sow_error *err)
{
    const double done = h->n ? (double)h->finished / (double)h->n : 1, elapsed = now() - h->begun;
    const sow_status st = sow_progress(h->s->env, "jobs", done, err);
    if (st == SOW_OK && h->finished > 0 && h->finished < h->n && done - h->told >= 0.1 && elapsed > 5) {
        h->told = done;
        sow_log(h->s->env, SOW_LOG_INFO, "%lld of %lld jobs, about %.0f s left", (long long)h->finished, (long long)h->n, elapsed * (1 - done) / done);
    }
    return st;
}

/* The next job that has no result yet; -1 = none. */
static sow_status next_job(sow_index *out, hand *h, sow_error *err)
{
    *out = -1;
    while (*out < 0 && (h->n_again > 0 || h->next < h->n)) {
        const sow_index i = h->n_again > 0 ? h->again[--h->n_again] : h->list[h->next++];
        const sow_status st = sow_i_sweep_find_result(h->s, &h->s->job[i], err);
        if (st != SOW_OK) return st;
        if (h->s->job[i].state == SOW_JOB_DONE) h->finished++;
        else *out = i;
    }
    return SOW_OK;
}

static void note_failure(sow_i_sweep *s, sow_index job, sow_status status, const char *message)
{
    s->job[job].state = SOW_JOB_FAILED;
    if (s->n_failed++ > 0 && job > s->failed_at) return;
    s->failed_at = job;
    s->failure.status = status;
    snprintf(s->failure.message, sizeof s->failure.message, "arm '%s', seed %lld: %.900s", s->config->arm[s->job[job].arm].name, (long long)s->config->seeds[s->job[job].seed], message);
}

/* A job came back. */
static sow_status settle(hand *h, sow_index i, sow_status status, int lost, const char *message, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_sweep_job *job = &h->s->job[i];
    if (lost && ++job->losses < LOSSES_MOST) {
        sow_log(h->s->env, SOW_LOG_WARN, "arm '%s', seed %lld: %s; it goes on where it was", h->s->config->arm[job->arm].name, (long long)h->s->config->seeds[job->seed], message);
        h->again[h->n_again++] = i;
        return SOW_OK;
    }
    h->finished++;
    if (status == SOW_E_CANCELLED) return SOW_ERROR(err, SOW_E_CANCELLED, "interrupted");
    if (status == SOW_E_STATE) job->state = SOW_JOB_ELSEWHERE;
    else if (status != SOW_OK) note_failure(h->s, i, status, message);
    if (status != SOW_OK) return SOW_OK;
    SOW_TRY(sow_i_sweep_find_result(h->s, job, err));
    if (job->state != SOW_JOB_DONE) note_failure(h->s, i, SOW_E_IO, "was played, and its result file is not there or not whole; is the disk full?");
    else h->s->played++;
done:
    return st;
}

/* Take what has come back, and give every free worker a job. */
static sow_status serve(hand *h, int milliseconds, sow_error *err)
{
    sow_status st = SOW_OK;
    int got = 1;
    for (int w = 0; w < h->team->n; w++) {
        sow_index i = -1;
        if (h->holds[w] >= 0) continue;
        SOW_TRY(next_job(&i, h, err));
        if (i < 0) break;
        SOW_TRY(h->team->class_->give(h->team, w, i, h->s->job[i].key, err));
        h->holds[w] = i;
        h->out++;
    }
    if (h->out == 0) return SOW_OK;
    for (sow_i_answer a; got; milliseconds = 0) {
        SOW_TRY(h->team->class_->listen(&a, &got, h->team, milliseconds, err));
        SOW_TRY(tell(h, err)); /* before a lost worker is mourned: whoever interrupts a sweep ends its workers too */
        if (!got) break;
        h->holds[a.worker] = -1;
        h->out--;
        SOW_TRY(settle(h, a.job, a.status, a.lost, a.message, err));
    }
done:
    return st;
}

/* While a job is played here, its progress calls serve the others. */
static int serve_between(void *user, const char *what, double fraction)
{
    hand *h = user;
    sow_error ignored = {0};
    (void)what;
    (void)fraction;
    return serve(h, 0, &ignored) != SOW_OK;
}

static sow_status play_one_here(hand *h, sow_error *err)
{
    sow_index i = -1;
    sow_error own = {0};
    sow_status st = next_job(&i, h, err);
    if (st != SOW_OK || i < 0) return st;
    sow_env env = {.progress = serve_between, .progress_user = h, .memory = h->s->env ? h->s->env->memory : 0};
    const sow_i_sweep_job *job = &h->s->job[i];
    st = sow_i_sweep_play(h->s->config, h->s->dir, h->s->cache, &h->counts, job->arm, job->seed, job->key, &env, &own);
    return settle(h, i, st, 0, own.message, err);
}

sow_status sow_i_sweep_hand_out(sow_i_sweep *s, const sow_index *list, sow_index n, sow_i_team *team, sow_error *err)
{
    sow_status st = SOW_OK;
    hand h = {.s = s, .team = team, .list = list, .n = n, .begun = now()};
    SOW_NEW(h.holds, team->n);
    SOW_NEW(h.again, n);
    for (int w = 0; w < team->n; w++)
        h.holds[w] = -1;
    do {
        SOW_TRY(tell(&h, err));
        SOW_TRY(serve(&h, team->helps ? 0 : WAIT_MS, err));
        if (team->helps && (h.n_again > 0 || h.next < h.n)) SOW_TRY(play_one_here(&h, err));
        else if (team->helps && h.out > 0) SOW_TRY(serve(&h, WAIT_MS, err));
    } while (h.out > 0 || h.n_again > 0 || h.next < h.n);
    SOW_TRY(sow_progress(s->env, "jobs", 1, err));
done:
    free(h.holds);
    free(h.again);
    sow_cell_counts_clear(&h.counts);
    return st;
}
