/* Small sweeps in a scratch folder, and their result files. */
#ifndef SOWER_TESTS_PLANNER_SWEEP_FIXTURE_H
#define SOWER_TESTS_PLANNER_SWEEP_FIXTURE_H

#include <dirent.h>

#include "campaign_fixture.h"
#include "planner/sweep.h"

static inline sow_sweep_config *read_sweep(const char *yaml)
{
    sow_error err = {0};
    sow_sweep_config *k = NULL;
    scratch_write("s.yaml", yaml);
    cr_assert_eq(sow_sweep_config_read(&k, NULL, scratch_path("s.yaml"), NULL, 0, &err), SOW_OK, "%s", err.message);
    return k;
}

/* Plays it into `folder`; the document. */
static inline json_t *play(const char *yaml, const char *folder, int workers)
{
    sow_error err = {0};
    char *json = NULL;
    sow_sweep_config *k = read_sweep(yaml);
    sow_sweep_options o = SOW_SWEEP_OPTIONS_INIT;
    o.dir = scratch_path(folder);
    o.workers = workers;
    MUST(sow_sweep_run(&json, NULL, k, &o, NULL, &err));
    json_t *j = json_loads(json, 0, NULL);
    cr_assert_not_null(j);
    free(json);
    sow_sweep_config_destroy(k);
    return j;
}

/* The result files of a folder, in the order of their names. */
static inline json_t *results(const char *folder)
{
    char path[200];
    struct dirent **names = NULL;
    json_t *all = json_array();
    snprintf(path, sizeof path, "%s/%s/jobs", scratch, folder);
    const int n = scandir(path, &names, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        char file[500];
        snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.') {
            json_t *j = json_load_file(file, 0, NULL);
            cr_assert_not_null(j, "%s", file);
            json_array_append_new(all, j);
        }
        free(names[i]);
    }
    free(names);
    return all;
}

static inline json_t *round_of(json_t *result, size_t r)
{
    return json_array_get(json_object_get(result, "rounds"), r);
}

#endif
