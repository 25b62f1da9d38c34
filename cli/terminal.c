/* Messages, the progress bar, signals and exit codes. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "io/h5ad.h"

static volatile sig_atomic_t interrupted = 0;
static int bar_shown = 0;

enum { SECONDS_TO_STOP = 5 };

/* libhdf5 loops for ever on some damaged files: what is asked to stop and does not is stopped. A campaign survives that at any instant. */
static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
    if (sow_h5ad_in_work()) alarm(SECONDS_TO_STOP);
}

static void on_alarm(int number)
{
    (void)number;
    if (sow_h5ad_in_work()) _exit(EXIT_INTERRUPTED);
}

/* ---- a crash while an HDF5 file is read */

static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGABRT};
enum { N_CRASHES = sizeof crashes / sizeof *crashes };
static struct sigaction before[N_CRASHES];

static void write_text(const char *text)
{
    if (write(STDERR_FILENO, text, strlen(text)) < 0) _exit(EXIT_WRONG_INPUT);
}

/* libhdf5 has memory errors on some damaged files: to a person that is a bad file like any other. Every other crash goes its way. */
static void on_crash(int number, siginfo_t *info, void *context)
{
    (void)context;
    const char *path = sow_h5ad_in_work();
    if (path) {
        if (bar_shown) write_text("\r\033[K");
        write_text("error: ");
        write_text(path);
        write_text(": reading it crashed, as libhdf5 does on some damaged files; copy it again\n");
        _exit(EXIT_WRONG_INPUT);
    }
    for (int i = 0; i < N_CRASHES; i++)
        if (crashes[i] == number) sigaction(number, &before[i], NULL);
    if (info->si_code <= 0) raise(number); /* it was sent; a fault comes again by itself */
}

/* On a stack of its own, since the other one may be what ran out. */
static void catch_crashes(void)
{
    static char stack[65536];
    stack_t own = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {0};
    action.sa_sigaction = on_crash;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    sigaltstack(&own, NULL);
    for (int i = 0; i < N_CRASHES; i++) sigaction(crashes[i], &action, &before[i]);
}

void cli_catch_signals(void)
{
    struct sigaction action = {0};
    catch_crashes();
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    action.sa_handler = on_alarm;
    sigaction(SIGALRM, &action, NULL);
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is a write error like any other */
    signal(SIGPIPE, SIG_IGN);
}

int cli_interrupted(void)
{
    return interrupted;
}

static void clear_bar(void)
{
    if (bar_shown) fprintf(stderr, "\r\033[K");
    bar_shown = 0;
}

static void say(void *user, sow_log_level level, const char *message)
{
    const cli_args *args = user;
    if (level > SOW_LOG_ERROR && args->quiet) return;
    if (level == SOW_LOG_DEBUG && !args->verbose) return;
    clear_bar();
    fprintf(stderr, "%s%s\n", level == SOW_LOG_ERROR ? "error: " : level == SOW_LOG_WARN ? "warning: " : "", message);
}

static int advance(void *user, const char *what, double fraction)
{
    const cli_args *args = user;
    if (!args->quiet && isatty(STDERR_FILENO)) {
        int filled = (int)(fraction * 24);
        fprintf(stderr, "\r\033[K%-12s [%.*s%*s] %3.0f %%", what, filled, "########################", 24 - filled, "", 100 * fraction);
        fflush(stderr);
        bar_shown = 1;
        if (fraction >= 1) clear_bar();
    }
    return interrupted;
}

void cli_env_init(sow_env *env, const cli_args *args)
{
    memset(env, 0, sizeof *env);
    env->log = say;
    env->log_user = (void *)(uintptr_t)args;
    env->progress = advance;
    env->progress_user = (void *)(uintptr_t)args;
    env->memory = args->memory;
    /* without threads everything still works, serially */
    if (sow_threads_create(&env->threads, args->threads, NULL) != SOW_OK) env->threads = NULL;
}

void cli_env_clear(sow_env *env)
{
    clear_bar();
    sow_threads_destroy(env->threads);
}

int cli_exit_code(sow_status status)
{
    switch (status) {
    case SOW_OK: return EXIT_DONE;
    case SOW_E_ARG:
    case SOW_E_CONFIG:
    case SOW_E_DATA:
    case SOW_E_UNSUPPORTED: return EXIT_WRONG_INPUT;
    case SOW_E_CANCELLED: return EXIT_INTERRUPTED;
    default: return EXIT_FAILED;
    }
}

int cli_fail(const sow_error *err)
{
    clear_bar();
    if (err->status == SOW_E_CANCELLED) fprintf(stderr, "interrupted; the campaign is safe: run the same command again to go on\n");
    else fprintf(stderr, "error: %s\n", *err->message ? err->message : sow_status_text(err->status));
    return cli_exit_code(err->status);
}

int cli_fail_unwritten(const sow_error *err)
{
    if (err->status != SOW_E_CANCELLED) return cli_fail(err);
    clear_bar();
    fprintf(stderr, "interrupted; nothing was written: run the same command again\n");
    return EXIT_INTERRUPTED;
}

int cli_finish_stdout(int code)
{
    int failed = ferror(stdout); /* an early flush may have failed and the last one not */
    errno = 0;
    failed = fclose(stdout) != 0 || failed;
    if (failed && (code == EXIT_DONE || code == EXIT_WAITING)) {
        fprintf(stderr, "error: the output could not be written (%s)\n",
                errno == EPIPE ? "the program reading it has ended" : "is the disk full?");
        return EXIT_FAILED;
    }
    return code;
}
