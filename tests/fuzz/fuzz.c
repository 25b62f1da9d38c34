#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[200];
static pid_t owner;

static void remove_tree(const char *path)
{
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        char child[800];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        snprintf(child, sizeof child, "%s/%s", path, e->d_name);
        if (remove(child) != 0) remove_tree(child);
    }
    if (d) closedir(d);
    remove(path);
}

static void remove_folder(void)
{
    if (getpid() == owner) remove_tree(folder);
}

const char *fuzz_folder(void)
{
    if (*folder) return folder;
    const char *base = getenv("SOWER_FUZZ_DIR");
    if (!base) base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(folder, sizeof folder, "%s/sower-fuzz-XXXXXX", base);
    fuzz_must(mkdtemp(folder) != NULL, "a folder for the files");
    owner = getpid();
    atexit(remove_folder);
    return folder;
}

const char *fuzz_path(const char *name)
{
    enum { MOST = 16 };
    static char path[MOST][512], *named[MOST];
    int i = 0;
    while (i < MOST && named[i] && strcmp(named[i], name) != 0) i++;
    fuzz_must(i < MOST, "room for another name");
    if (named[i]) return path[i];
    snprintf(path[i], sizeof path[i], "%s/%s", fuzz_folder(), name);
    named[i] = path[i] + strlen(fuzz_folder()) + 1;
    return path[i];
}

const char *fuzz_file(const char *name, const void *bytes, size_t n)
{
    const char *path = fuzz_path(name);
    FILE *f = fopen(path, "wb");
    fuzz_must(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0, "a file to read");
    return path;
}

const char *fuzz_empty_folder(const char *name)
{
    const char *path = fuzz_path(name);
    remove_tree(path);
    fuzz_must(mkdir(path, 0700) == 0, "an empty folder");
    return path;
}

void fuzz_must(int holds, const char *what)
{
    if (holds) return;
    fprintf(stderr, "fuzz: this must hold and does not: %s\n", what);
    abort();
}

void fuzz_answer(sow_status st, const sow_error *err)
{
    if (st == SOW_OK) return;
    int known = st == SOW_E_IO || st == SOW_E_DATA || st == SOW_E_CONFIG || st == SOW_E_UNSUPPORTED;
    if (!known) fprintf(stderr, "fuzz: %s (%s:%d): %s\n", sow_status_name(st), err->file, err->line, err->message);
    fuzz_must(known, "a bad file is SOW_E_IO, SOW_E_DATA, SOW_E_CONFIG or SOW_E_UNSUPPORTED");
    fuzz_must(err->status == st && *err->message, "the error carries its status and a message");
}
