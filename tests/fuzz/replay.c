/* Runs a fuzz target over files, and over the files of folders in order of name. Says each name first, so that the last one is the one that crashed. */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

/* As scripts/fuzz has it: no single block above 512 MB for a small file. (A null pointer comes back and the target sees SOW_E_NOMEM.) */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "max_allocation_size_mb=512";
}

static int n_done;

static void replay_file(const char *path)
{
    FILE *f = fopen(path, "rb");
    fuzz_must(f != NULL, path);
    struct stat info;
    fuzz_must(fstat(fileno(f), &info) == 0, path);
    size_t size = (size_t)info.st_size;
    uint8_t *bytes = malloc(size ? size : 1);
    fuzz_must(bytes && fread(bytes, 1, size, f) == size, path);
    fclose(f);
    printf("%s (%zu bytes)\n", path, size);
    fflush(stdout);
    LLVMFuzzerTestOneInput(bytes, size);
    free(bytes);
    n_done++;
}

static void replay(const char *path)
{
    struct dirent **entry = NULL;
    int n = scandir(path, &entry, NULL, alphasort);
    if (n < 0) replay_file(path);
    for (int i = 0; i < n; i++) {
        char child[4096];
        snprintf(child, sizeof child, "%s/%s", path, entry[i]->d_name);
        if (entry[i]->d_name[0] != '.') replay_file(child);
        free(entry[i]);
    }
    free(entry);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) replay(argv[i]);
    printf("%d inputs\n", n_done);
    return n_done == 0;
}
