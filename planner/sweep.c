/* A sweep from its file to its comparison. */
#include "planner/sweep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/memory.h"
#include "planner/sweep_open.h"

/* ---- the folder */

static sow_status write_text(const char *dir, const char *name, const char *text, sow_error *err)
{
    char *path = sow_path_join(dir, name);
    const sow_status st = path ? sow_file_write_atomic(path, text, strlen(text), err) : SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
    free(path);
    return st;
}

/* sweep.json says whose folder it is, so that results of another sweep or version are not mixed up with these. */
static sow_status check_folder(const sow_i_sweep *s, sow_error *err)
{
    sow_status st = SOW_OK;
    char *path = sow_path_join(s->dir, "sweep.json");
    json_t *j = NULL;
    if (!path) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    if (!sow_file_exists(path)) goto done;
    j = json_load_file(path, 0, NULL);
    const char *name = json_string_value(json_object_get(j, "sweep"));
    const json_int_t format = json_integer_value(json_object_get(j, "format"));
    if (!name) SOW_FAIL(err, SOW_E_DATA, "%s is damaged; remove it when %s is the folder of sweep '%s', or choose another with --out", path, s->dir, s->config->name);
    if (format != SOW_I_SWEEP_FORMAT)
        SOW_FAIL(err, SOW_E_DATA, "%s holds results of format %lld, and this sower writes format %d: choose another folder with --out, or remove this one", s->dir, (long long)format, SOW_I_SWEEP_FORMAT);
    if (strcmp(name, s->config->name) != 0)
        SOW_FAIL(err, SOW_E_DATA, "%s is the folder of sweep '%s', not of '%s': choose another with --out", s->dir, name, s->config->name);
done:
    json_decref(j);
    free(path);
    return st;
}

static sow_status make_folder(const sow_i_sweep *s, sow_error *err)
{
    sow_status st = SOW_OK;
    char *jobs = sow_path_join(s->dir, "jobs"), *mark = sow_format("{\"format\": %d, \"sweep\": \"%s\"}\n", SOW_I_SWEEP_FORMAT, s->config->name);
    if (!jobs || !mark) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_make_directories(jobs, err));
    SOW_TRY(write_text(s->dir, "sweep.json", mark, err));
done:
    free(jobs);
    free(mark);
    return st;
}

/* What a kill may have left: scratch folders of jobs that have results, and files half written. Nobody writes any more when all results are there. */
static void tidy(const sow_i_sweep *s)
{
    char *scratch = sow_path_join(s->dir, "scratch"), *jobs = sow_path_join(s->dir, "jobs");
    for (sow_index i = 0; scratch && sow_file_exists(scratch) && i < s->config->n_arms * s->config->n_seeds; i++) {
        char *folder = s->job[i].state == SOW_JOB_DONE ? sow_path_join(scratch, s->job[i].key) : NULL;
        if (folder && sow_remove_folder(folder, NULL) != SOW_OK) sow_log(s->env, SOW_LOG_DEBUG, "%s could not be removed", folder);
        free(folder);
    }
    if (scratch) rmdir(scratch); /* stays where something of another sweep is in it */
    if (jobs) sow_i_remove_leftovers_in(jobs);
    sow_i_remove_leftovers_in(s->dir);
    free(scratch);
    free(jobs);
}

static sow_status begin(sow_i_sweep *s, const sow_sweep_config *config, const sow_sweep_options *o, const sow_env *env, sow_error *err)
{
    char *base = sow_format("%s.sweep", config->name);
    *s = (sow_i_sweep){.config = config, .env = env, .cache = o->cache};
    s->dir = o->dir ? sow_strdup(o->dir) : base ? sow_path_join(config->folder, base) : NULL;
    free(base);
    return s->dir ? SOW_OK : SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
}

/* ---- which jobs, in which order */

typedef struct {
    double seconds;
    sow_index job, seed, arm;
} queued;

static int by_length(const void *a, const void *b)
{
    const queued *x = a, *y = b;
    if (x->seconds != y->seconds) return x->seconds > y->seconds ? -1 : 1;
    if (x->seed != y->seed) return x->seed < y->seed ? -1 : 1;
    return x->arm < y->arm ? -1 : x->arm > y->arm;
}

/* Seed by seed, so that what is finished is paired and the next campaign is often on the same simulated screen; longest first, so that no long one of the last seed is left for the end. */
static int by_seed(const void *a, const void *b)
{
    const queued *x = a, *y = b;
    if (x->seed != y->seed) return x->seed < y->seed ? -1 : 1;
    return by_length(a, b);
}

/* Jobs that are due and have no result, of part `part` of `n_parts`. A job's part depends on the sweep alone, not on what is done already; jobs of all lengths are in every part. */
static sow_status make_list(sow_index *list, sow_index *n, const sow_i_sweep *s, sow_index part, sow_index n_parts, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index all = s->config->n_arms * s->config->n_seeds;
    queued *q = NULL;
    *n = 0;
    SOW_NEW(q, all);
    for (sow_index i = 0; i < all; i++)
        q[i] = (queued){s->arm[s->job[i].arm].seconds, i, s->job[i].seed, s->job[i].arm};
    qsort(q, (size_t)all, sizeof *q, by_length);
    for (sow_index i = 0; i < all; i++)
        if ((n_parts == 0 || i % n_parts == part - 1) && q[i].seed < s->seeds_due[q[i].arm] && s->job[q[i].job].state == SOW_JOB_OPEN) q[(*n)++] = q[i];
    qsort(q, (size_t)*n, sizeof *q, by_seed);
    for (sow_index i = 0; i < *n; i++)
        list[i] = q[i].job;
done:
    free(q);
    return st;
}

static sow_status find_results(sow_i_sweep *s, sow_error *err)
{
    for (sow_index i = 0; i < s->config->n_arms * s->config->n_seeds; i++) {
        const sow_status st = sow_i_sweep_find_result(s, &s->job[i], err);
        if (st != SOW_OK) return st;
    }
    return SOW_OK;
}

/* Jobs that another process holds: the workers of one that was killed just now live a moment longer, so they are asked for again a few times. */
static sow_status ask_again(sow_i_sweep *s, int *tries, sow_error *err)
{
    enum { TRIES_MOST = 5 };
    const struct timespec second = {1, 0};
    sow_index held = 0;
    for (sow_index i = 0; i < s->config->n_arms * s->config->n_seeds; i++)
        held += s->job[i].state == SOW_JOB_ELSEWHERE;
    if (held == 0 || s->n_failed > 0 || ++*tries > TRIES_MOST) return SOW_OK;
    nanosleep(&second, NULL);
    for (sow_index i = 0; i < s->config->n_arms * s->config->n_seeds; i++)
        if (s->job[i].state == SOW_JOB_ELSEWHERE) s->job[i].state = SOW_JOB_OPEN;
    return sow_progress(s->env, "jobs", 0, err);
}

static sow_status jobs_that_failed(const sow_i_sweep *s, sow_error *err)
{
    sow_index elsewhere = 0;
    for (sow_index i = 0; i < s->config->n_arms * s->config->n_seeds; i++)
        elsewhere += s->job[i].state == SOW_JOB_ELSEWHERE;
    if (s->n_failed > 1) return SOW_ERROR(err, s->failure.status, "%s (and %lld more jobs failed; the others are kept)", s->failure.message, (long long)s->n_failed - 1);
    if (s->n_failed == 1) return SOW_ERROR(err, s->failure.status, "%s (the other jobs are kept)", s->failure.message);
    if (elsewhere > 0) return SOW_ERROR(err, SOW_E_STATE, "%lld jobs of %s are being played by another process; run the same command again when it has ended", (long long)elsewhere, s->dir);
    return SOW_OK;
}

/* Block by block of seeds until nothing that is due is missing; a part is played in one go, for others play theirs meanwhile. */
static sow_status play_all(sow_i_sweep *s, const sow_sweep_options *o, sow_i_team *team, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *list = NULL, n = 0;
    int complete = 0, tries = 0;
    SOW_NEW(list, s->config->n_arms * s->config->n_seeds);
    do {
        SOW_TRY(sow_i_sweep_due(s, o->n_parts > 0, &complete, err));
        SOW_TRY(make_list(list, &n, s, o->part, o->n_parts, err));
        if (n > 0) SOW_TRY(sow_i_sweep_hand_out(s, list, n, team, err));
        SOW_TRY(ask_again(s, &tries, err));
        SOW_TRY(jobs_that_failed(s, err));
    } while (o->n_parts == 0 ? !complete : n > 0);
done:
    free(list);
    return st;
}

static int workers_wanted(const sow_sweep_options *o, const sow_env *env)
{
    return o->workers > 0 ? o->workers : sow_threads_count(sow_env_threads(env));
}

static sow_status compare(char **json, sow_i_sweep *s, sow_error *err)
{
    sow_status st = SOW_OK;
    json_t *document = NULL, *allocation = NULL;
    SOW_TRY(sow_i_sweep_compare(&document, s, err));
    SOW_TRY(sow_i_sweep_allocation(&allocation, s, err));
    json_object_set_new(document, "allocation", allocation);
    SOW_TRY(sow_i_sweep_write_tables(s, document, err));
    SOW_TRY(sow_i_sweep_write_allocation(s, document, err));
    tidy(s);
    if (!json) goto done;
    json_object_set_new(document, "dir", json_string(s->dir));
    json_object_set_new(document, "played", json_integer((json_int_t)s->played));
    *json = sow_i_json_text(document, 1);
    if (!*json) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
done:
    json_decref(document);
    return st;
}

sow_status sow_sweep_run(char **json, char **problems, const sow_sweep_config *config, const sow_sweep_options *options, const sow_env *env, sow_error *err)
{
    static const sow_sweep_options defaults = SOW_SWEEP_OPTIONS_INIT;
    const sow_sweep_options *o = options ? options : &defaults;
    sow_status st = SOW_OK;
    sow_i_sweep s = {.config = config};
    sow_i_team *team = NULL;
    int helped = 0;
    if (json) *json = NULL;
    if (problems) *problems = NULL;
    SOW_TRY(begin(&s, config, o, env, err));
    if (o->n_parts == 0) SOW_TRY(sow_i_team_mpi(&team, &helped, config, s.dir, s.cache, env, err));
    if (helped) goto done;
    SOW_TRY(check_folder(&s, err));
    SOW_TRY(sow_i_sweep_open(&s, problems, err));
    SOW_TRY(make_folder(&s, err));
    SOW_TRY(find_results(&s, err));
    if (!team) SOW_TRY(sow_i_team_local(&team, &s, workers_wanted(o, env), err));
    SOW_TRY(play_all(&s, o, team, err));
    if (o->n_parts == 0) SOW_TRY(compare(json, &s, err));
done:
    if (team) team->class_->dismiss(team);
    sow_i_sweep_clear(&s);
    return st;
}

/* ---- Slurm */

/* A path for a shell: in single quotes. */
static void append_shell(sow_text *t, const char *text)
{
    sow_text_append(t, "'");
    for (const char *p = text; *p; p++)
        sow_text_printf(t, *p == '\'' ? "'\\''" : "%c", *p);
    sow_text_append(t, "'");
}

static sow_status absolute(char **out, const char *path, sow_error *err)
{
    *out = realpath(path, NULL);
    return *out ? SOW_OK : SOW_ERROR(err, SOW_E_IO, "cannot find '%s': %s", path, strerror(errno));
}

static sow_status slurm_text(sow_text *t, const sow_i_sweep *s, sow_index tasks, const char *program, const sow_sweep_options *o, sow_error *err)
{
    sow_status st = SOW_OK;
    char *sweep = NULL, *dir = NULL, *sower = NULL, *cache = NULL;
    SOW_TRY(absolute(&sweep, s->config->path, err));
    SOW_TRY(absolute(&dir, s->dir, err));
    SOW_TRY(absolute(&sower, program, err));
    if (o->cache && sow_file_exists(o->cache)) SOW_TRY(absolute(&cache, o->cache, err));
    sow_text_printf(t, "#!/bin/sh\n"
                       "# Plays sweep '%s' in %lld parts: sbatch THIS-FILE. A part that was lost or ran out of time is taken up again by submitting the file once more;\n"
                       "# what is finished is not played again. The comparison, when all parts have ended: sower simulate.\n"
                       "#SBATCH --job-name=%s\n#SBATCH --array=1-%lld\n#SBATCH --ntasks=1\n#SBATCH --cpus-per-task=1\n#SBATCH --requeue\n",
                    s->config->name, (long long)tasks, s->config->name, (long long)tasks);
    sow_text_printf(t, "#SBATCH --output=\"%s/slurm-%%a.log\"\nset -eu\nexec ", dir);
    append_shell(t, sower);
    sow_text_append(t, " simulate ");
    append_shell(t, sweep);
    sow_text_append(t, " --out ");
    append_shell(t, dir);
    if (cache) {
        sow_text_append(t, " --cache ");
        append_shell(t, cache);
    }
    for (sow_index i = 0; i < o->n_sets; i++) {
        sow_text_append(t, " --set ");
        append_shell(t, o->sets[i]);
    }
    sow_text_printf(t, " --jobs \"${SLURM_CPUS_PER_TASK:-1}\" --part \"$SLURM_ARRAY_TASK_ID/%lld\"\n", (long long)tasks);
done:
    free(sweep);
    free(dir);
    free(sower);
    free(cache);
    return st;
}

sow_status sow_sweep_write_slurm(char **file, char **problems, const sow_sweep_config *config, const sow_sweep_options *options, sow_index tasks, const char *program, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_sweep s = {.config = config};
    sow_text t = {0};
    *file = NULL;
    if (problems) *problems = NULL;
    SOW_TRY(begin(&s, config, options, env, err));
    SOW_TRY(check_folder(&s, err));
    SOW_TRY(sow_i_sweep_open(&s, problems, err));
    SOW_TRY(make_folder(&s, err));
    SOW_TRY(slurm_text(&t, &s, tasks, program, options, err));
    *file = sow_format("%s/%s.slurm", s.dir, config->name);
    if (!*file) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_text_save(&t, *file, err));
done:
    if (st != SOW_OK) {
        free(*file);
        *file = NULL;
    }
    sow_text_clear(&t);
    sow_i_sweep_clear(&s);
    return st;
}
