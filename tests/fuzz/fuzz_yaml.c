/* A campaign file, and --set: what follows a line "%set" is one KEY=VALUE a line. */
#include "fuzz.h"

#include "io/config.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_SETS = 8 };

static const char marker[] = "\n%set\n";

/* Where the --set part begins; `size` when there is none. */
static size_t find_sets(const char *text, size_t size)
{
    size_t m = sizeof marker - 1;
    for (size_t i = 0; i + m <= size; i++)
        if (memcmp(text + i, marker, m) == 0) return i;
    return size;
}

static sow_index cut_lines(const char *sets[MOST_SETS], char *text)
{
    sow_index n = 0;
    for (char *at = text; at && *at && n < MOST_SETS;) {
        char *end = strchr(at, '\n');
        if (end) *end = 0;
        sets[n++] = at;
        at = end ? end + 1 : NULL;
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *sets[MOST_SETS];
    size_t end = find_sets((const char *)data, size), skip = end < size ? end + sizeof marker - 1 : size;
    const char *path = fuzz_file("campaign.yaml", data, end);
    char *rest = calloc(size - skip + 1, 1), *problems = NULL, *effective = NULL;
    fuzz_must(rest != NULL, "memory for the input");
    memcpy(rest, data + skip, size - skip);
    sow_index n = cut_lines(sets, rest);
    sow_error err = {0};
    sow_config *config = NULL;
    sow_status st = sow_config_read(&config, &problems, path, sets, n, &err);
    fuzz_answer(st, &err);
    fuzz_must((st == SOW_OK) == (config != NULL), "a configuration exactly on success");
    fuzz_must((st == SOW_E_CONFIG) == (problems != NULL), "problems exactly when there are some");
    if (config) fuzz_must(sow_config_effective(&effective, config, &err) == SOW_OK && effective[0] == '{', "what was read can be printed");
    free(effective);
    free(problems);
    free(rest);
    sow_config_destroy(config);
    return 0;
}
