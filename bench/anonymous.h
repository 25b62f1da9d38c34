/* The peak of a process' anonymous memory (RssAnon), sampled every 2 ms by a thread: what it holds itself, without pages of files. */
#ifndef SOWER_BENCH_ANONYMOUS_H
#define SOWER_BENCH_ANONYMOUS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static atomic_long peak_kb;
static atomic_int watching;
static pthread_t watcher;

static inline long anonymous_kb(void)
{
    char line[256];
    long kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "RssAnon: %ld", &kb) == 1) break;
    if (f) fclose(f);
    return kb;
}

static inline void *watch(void *unused)
{
    while (atomic_load(&watching)) {
        const long kb = anonymous_kb();
        if (kb > atomic_load(&peak_kb)) atomic_store(&peak_kb, kb);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    return unused;
}

static inline void watch_begin(void)
{
    atomic_store(&watching, 1);
    if (pthread_create(&watcher, NULL, watch, NULL) != 0) atomic_store(&watching, 0);
}

static inline void watch_end(void)
{
    if (!atomic_load(&watching)) return;
    atomic_store(&watching, 0);
    pthread_join(watcher, NULL);
}

#endif
