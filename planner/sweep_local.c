/* Workers of this machine: processes forked from the one that hands out jobs, each with a pipe to and one from it. A worker that dies takes only its job with
 * it, which stays in its scratch folder; when the first process dies, the kernel ends the workers (Linux) or they end after their job. */
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/memory.h"
#include "planner/sweep_internal.h"

typedef struct {
    pid_t pid; /* 0 = not running */
    int to, from;
    sow_index job;
} worker;

typedef struct {
    sow_i_team base;
    const sow_i_sweep *s;
    worker *worker; /* [base.n] */
    struct pollfd *poll;
} local_team;

static int write_whole(int fd, const void *bytes, size_t n)
{
    const char *p = bytes;
    while (n > 0) {
        const ssize_t k = write(fd, p, n);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return 0;
        p += k;
        n -= (size_t)k;
    }
    return 1;
}

static int read_whole(int fd, void *bytes, size_t n)
{
    char *p = bytes;
    while (n > 0) {
        const ssize_t k = read(fd, p, n);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return 0;
        p += k;
        n -= (size_t)k;
    }
    return 1;
}

/* The life of a worker. Signals end it: its campaign survives that. */
static _Noreturn void work(const sow_i_sweep *s, int number, int from, int to, pid_t parent)
{
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
#ifdef __linux__
    prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
    if (getppid() != parent) _exit(0); /* it died before that */
    sow_env env = {.memory = s->env ? s->env->memory : 0};
    sow_cell_counts counts = {0}; /* ends with the process */
    for (sow_index i; read_whole(from, &i, sizeof i);) {
        sow_error err = {0};
        sow_i_answer a = {.job = i, .worker = number};
        const sow_i_sweep_job *job = &s->job[i];
        a.status = sow_i_sweep_play(s->config, s->dir, s->cache, &counts, job->arm, job->seed, job->key, &env, &err);
        snprintf(a.message, sizeof a.message, "%s", err.message);
        if (!write_whole(to, &a, sizeof a)) break;
    }
    _exit(0);
}

static void close_worker(worker *w)
{
    if (w->to >= 0) close(w->to);
    if (w->from >= 0) close(w->from);
    w->to = w->from = -1;
}

static sow_status start(local_team *t, int number, sow_error *err)
{
    int down[2], up[2];
    worker *w = &t->worker[number];
    const pid_t parent = getpid();
    if (pipe(down) != 0) return SOW_ERROR(err, SOW_E_IO, "cannot make a pipe to a worker: %s; use fewer with --jobs", strerror(errno));
    if (pipe(up) != 0) {
        const int e = errno;
        close(down[0]);
        close(down[1]);
        return SOW_ERROR(err, SOW_E_IO, "cannot make a pipe from a worker: %s; use fewer with --jobs", strerror(e));
    }
    fflush(NULL); /* or the worker would write it once more */
    w->pid = fork();
    if (w->pid == 0) {
        for (int k = 0; k < t->base.n; k++) /* ends of other workers' pipes, which must end with the first process */
            if (k != number) close_worker(&t->worker[k]);
        close(down[1]);
        close(up[0]);
        work(t->s, number, down[0], up[1], parent);
    }
    const int e = errno;
    close(down[0]);
    close(up[1]);
    w->to = down[1];
    w->from = up[0];
    w->job = -1;
    if (w->pid > 0) return SOW_OK;
    w->pid = 0;
    close_worker(w);
    return SOW_ERROR(err, SOW_E_NOMEM, "cannot start a worker: %s; use fewer with --jobs", strerror(e));
}

static sow_status give(sow_i_team *team, int number, sow_index job, const char *key, sow_error *err)
{
    sow_status st = SOW_OK;
    local_team *t = (local_team *)team;
    (void)key;
    if (t->worker[number].pid == 0) SOW_TRY(start(t, number, err));
    t->worker[number].job = job;
    write_whole(t->worker[number].to, &job, sizeof job); /* one that is gone is found gone when it is listened to */
done:
    return st;
}

/* A worker whose pipe has ended. */
static void bury(sow_i_answer *out, worker *w, int number)
{
    int how = 0;
    *out = (sow_i_answer){.job = w->job, .worker = number, .status = SOW_E_STATE, .lost = 1};
    while (waitpid(w->pid, &how, 0) < 0 && errno == EINTR) {}
    if (WIFSIGNALED(how)) snprintf(out->message, sizeof out->message, "its worker was ended by signal %d%s", WTERMSIG(how), WTERMSIG(how) == SIGKILL ? " (by somebody, or for want of memory)" : "");
    else snprintf(out->message, sizeof out->message, "its worker ended with exit code %d", WEXITSTATUS(how));
    out->status = SOW_E_NOMEM;
    close_worker(w);
    w->pid = 0;
}

static sow_status listen_to(sow_i_answer *out, int *got, sow_i_team *team, int milliseconds, sow_error *err)
{
    local_team *t = (local_team *)team;
    *got = 0;
    for (int k = 0; k < team->n; k++)
        t->poll[k] = (struct pollfd){.fd = t->worker[k].pid && t->worker[k].job >= 0 ? t->worker[k].from : -1, .events = POLLIN};
    if (poll(t->poll, (nfds_t)team->n, milliseconds) < 0 && errno != EINTR) return SOW_ERROR(err, SOW_E_IO, "cannot wait for workers: %s", strerror(errno));
    for (int k = 0; k < team->n && !*got; k++) {
        if (!(t->poll[k].revents & (POLLIN | POLLHUP | POLLERR)) || t->poll[k].fd < 0) continue;
        if (!read_whole(t->worker[k].from, out, sizeof *out)) bury(out, &t->worker[k], k);
        t->worker[k].job = -1;
        *got = 1;
    }
    return SOW_OK;
}

static void dismiss(sow_i_team *team)
{
    local_team *t = (local_team *)team;
    for (int k = 0; t->worker && k < team->n; k++) {
        worker *w = &t->worker[k];
        if (!w->pid) continue;
        if (w->job >= 0) kill(w->pid, SIGTERM); /* at work still: the sweep was interrupted */
        close_worker(w);
        while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR) {}
    }
    free(t->worker);
    free(t->poll);
    free(t);
}

sow_status sow_i_team_local(sow_i_team **out, const sow_i_sweep *s, int n, sow_error *err)
{
    static const sow_i_team_class class_ = {give, listen_to, dismiss};
    sow_status st = SOW_OK;
    local_team *t = NULL;
    *out = NULL;
    SOW_NEW(t, 1);
    t->base = (sow_i_team){&class_, n, 0};
    t->s = s;
    SOW_NEW(t->worker, n);
    for (int k = 0; k < n; k++)
        t->worker[k] = (worker){.to = -1, .from = -1, .job = -1};
    SOW_NEW(t->poll, n);
    *out = &t->base;
    t = NULL;
done:
    if (t) dismiss(&t->base);
    return st;
}
