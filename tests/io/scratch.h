/* A temporary folder for one test, removed with everything in it. */
#ifndef SOWER_TESTS_IO_SCRATCH_H
#define SOWER_TESTS_IO_SCRATCH_H

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char scratch[64];

static inline void scratch_create(void)
{
    snprintf(scratch, sizeof scratch, "/tmp/sower-test-XXXXXX");
    if (!mkdtemp(scratch)) abort();
}

static inline void scratch_remove_tree(const char *path)
{
    DIR *d = opendir(path);
    if (d) {
        struct dirent *e;
        while ((e = readdir(d))) {
            char child[1024];
            if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
            if (snprintf(child, sizeof child, "%s/%s", path, e->d_name) < (int)sizeof child) scratch_remove_tree(child);
        }
        closedir(d);
    }
    remove(path);
}

static inline void scratch_remove(void)
{
    chmod(scratch, 0700);
    scratch_remove_tree(scratch);
}

/* Path inside the folder; a few at a time (static storage, used in turn). */
static inline const char *scratch_path(const char *name)
{
    static char path[8][256];
    static int turn;
    turn = (turn + 1) % 8;
    snprintf(path[turn], sizeof path[turn], "%s/%s", scratch, name);
    return path[turn];
}

static inline const char *scratch_write(const char *name, const char *text)
{
    const char *path = scratch_path(name);
    FILE *f = fopen(path, "wb");
    if (!f || fputs(text, f) < 0 || fclose(f) != 0) abort();
    return path;
}

/* Whole file; static storage. */
static inline const char *scratch_read(const char *path)
{
    static char text[1 << 20];
    FILE *f = fopen(path, "rb");
    text[0] = '\0';
    if (!f) return "(absent)";
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    return text;
}

static inline int scratch_count_entries(const char *path)
{
    int n = 0;
    DIR *d = opendir(path);
    while (d && readdir(d))
        n++;
    if (d) closedir(d);
    return n - 2;
}

/* Run body() in a child; its return value, or 256 + signal. */
static inline int scratch_in_child(int (*body)(void))
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) _exit(body());
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

/* From here on a file of this process may not grow beyond `bytes`: a disk that is full. */
static inline void scratch_limit_file_size(rlim_t bytes)
{
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){bytes, bytes});
}

/* Become a user whom permission bits stop (root they do not); 0 when that cannot be had. */
static inline int scratch_be_nobody(void)
{
    if (geteuid() != 0) return 1;
    return setgid(65534) == 0 && setuid(65534) == 0 && geteuid() != 0;
}

enum { SCRATCH_SKIP = 77 };

#endif
