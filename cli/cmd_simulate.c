#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/memory.h"
#include "io/file.h"
#include "planner/sweep.h"

enum { TASKS = 16, WORKERS_MOST = 1024 };

/* --seed N is of campaigns; here it means that seed alone. */
static sow_sweep_config *read_sweep(const cli_args *args, const char *file, int *code)
{
    sow_error err = {0};
    sow_sweep_config *config = NULL;
    char *problems = NULL, *owned[MAX_SETS];
    const char *sets[MAX_SETS] = {NULL};
    int n_owned = 0;
    for (int i = 0; i < args->n_sets; i++) {
        sets[i] = args->sets[i];
        if (strncmp(sets[i], "seed=", 5) != 0) continue;
        owned[n_owned] = sow_format("seeds=[%s]", sets[i] + 5);
        if (owned[n_owned]) sets[i] = owned[n_owned++];
    }
    const sow_status st = sow_sweep_config_read(&config, &problems, file, sets, args->n_sets, &err);
    if (st != SOW_OK) {
        *code = cli_exit_code(st);
        if (!sow_sweep_is_helper()) fprintf(stderr, "%s%s\n", problems ? "" : "error: ", problems ? problems : err.message);
    }
    while (n_owned > 0)
        free(owned[--n_owned]);
    free(problems);
    return config;
}

static int parse_part(sow_sweep_options *o, const char *text)
{
    char *end = NULL;
    errno = 0;
    const long i = strtol(text, &end, 10), n = *end == '/' ? strtol(end + 1, &end, 10) : 0;
    if (errno || *end || i < 1 || n < 1 || i > n || n > 1000000) {
        fprintf(stderr, "sower: --part takes I/N with 1 <= I <= N, such as 3/16, not '%s'\n", text);
        return EXIT_WRONG_INPUT;
    }
    o->part = i;
    o->n_parts = n;
    return 0;
}

/* ---- the table on the terminal */

static void number_text(char *out, size_t size, const json_t *of, const char *key)
{
    const json_t *v = json_object_get(of, key);
    if (json_is_number(v)) snprintf(out, size, "%.4g", json_number_value(v));
    else snprintf(out, size, "-");
}

static void interval_text(char *out, size_t size, const json_t *v)
{
    char value[32], low[32], high[32];
    number_text(value, sizeof value, v, "value");
    number_text(low, sizeof low, v, "low");
    number_text(high, sizeof high, v, "high");
    if (!json_is_number(json_object_get(v, "value"))) snprintf(out, size, "-");
    else if (!json_is_number(json_object_get(v, "low"))) snprintf(out, size, "%s", value);
    else snprintf(out, size, "%s [%s, %s]", value, low, high);
}

static void say_metric(const json_t *said, const json_t *metric, int width)
{
    const char *name = cli_json_text(metric, "metric"), *baseline = cli_json_text(said, "baseline");
    const json_t *arms = json_object_get(said, "arms");
    printf("\n%s (%s is better), mean over seeds and 95 %% interval; differences are arm - %s, seed by seed\n", name, cli_json_text(metric, "better"), baseline);
    printf("%-*s %5s  %-26s %-28s %8s %10s  %s\n", width, "arm", "seeds", "at the end", "difference", "Holm p", "detectable", "perturbations saved");
    for (size_t a = 0; a < json_array_size(arms); a++) {
        const json_t *arm = json_array_get(arms, a), *of = json_object_get(json_object_get(arm, "metrics"), name), *d = json_object_get(of, "end_difference");
        char end[100], difference[100] = "", saved[100] = "", p[32] = "", detectable[32] = "";
        interval_text(end, sizeof end, json_object_get(of, "end"));
        if (d) {
            interval_text(difference, sizeof difference, d);
            interval_text(saved, sizeof saved, json_object_get(of, "perturbations_saved"));
            number_text(p, sizeof p, d, "holm");
            number_text(detectable, sizeof detectable, d, "detectable");
        }
        printf("%-*s %4lld%s  %-26s %-28s %8s %10s  %s\n", width, cli_json_text(arm, "arm"), cli_json_integer(arm, "seeds"), json_is_true(json_object_get(arm, "stopped")) ? "*" : " ", end, difference, p, detectable, saved);
    }
}

static void say_allocation(const json_t *allocation)
{
    static const char *const sentences[] = {"headline", "why", "expected", "also", "next_money", "next_weeks", "stop", "further"};
    const json_t *worlds = json_object_get(allocation, "worlds");
    for (size_t w = 0; w < json_array_size(worlds); w++) {
        const json_t *words = json_object_get(json_array_get(worlds, w), "words");
        printf("\n");
        for (size_t k = 0; k < sizeof sentences / sizeof *sentences; k++)
            if (json_object_get(words, sentences[k])) printf("%s%s\n", k ? "  " : "", cli_json_text(words, sentences[k]));
    }
}

static void say_table(const json_t *said)
{
    const json_t *arms = json_object_get(said, "arms"), *metrics = json_object_get(said, "metrics");
    int width = 8, stopped = 0;
    for (size_t a = 0; a < json_array_size(arms); a++) {
        const json_t *arm = json_array_get(arms, a);
        const int n = (int)strlen(cli_json_text(arm, "arm"));
        if (n > width) width = n;
        stopped |= json_is_true(json_object_get(arm, "stopped"));
    }
    printf("%-*s %14s %14s %7s\n", width, "arm", "perturbations", cli_json_text(said, "currency"), "weeks");
    for (size_t a = 0; a < json_array_size(arms); a++) {
        const json_t *arm = json_array_get(arms, a), *rounds = json_object_get(arm, "rounds"), *last = json_array_get(rounds, json_array_size(rounds) - 1);
        printf("%-*s %14.0f %14.0f %7.1f\n", width, cli_json_text(arm, "arm"), cli_json_number(json_object_get(last, "perturbations"), "value"), cli_json_number(json_object_get(last, "cost"), "value"),
               cli_json_number(json_object_get(last, "weeks"), "value"));
    }
    for (size_t m = 0; m < json_array_size(metrics); m++)
        say_metric(said, json_array_get(metrics, m), width);
    if (stopped) printf("\n* stopped: without hope to be the best, by the sweep's stop rule\n");
    say_allocation(json_object_get(said, "allocation"));
    static const char *const files[] = {"summary.csv", "curves.csv", "summary.json", "allocation.csv", "allocation.html"};
    for (size_t k = 0; k < sizeof files / sizeof *files; k++)
        printf("%s%s/%s\n", k ? "" : "\n", cli_json_text(said, "dir"), files[k]);
}

/* ---- the command */

static int fail(const char *problems, const sow_error *err)
{
    if (sow_sweep_is_helper()) return cli_exit_code(err->status);
    if (problems) fprintf(stderr, "%s\n", problems);
    else if (err->status == SOW_E_CANCELLED) fprintf(stderr, "interrupted; what is finished is kept: run the same command again to go on\n");
    else return cli_fail(err);
    return cli_exit_code(err->status);
}

/* The path of this very program, for a script. */
static const char *own_path(char *buffer, size_t size)
{
    const ssize_t n = readlink("/proc/self/exe", buffer, size - 1);
    if (n <= 0) return "sower";
    buffer[n] = 0;
    return buffer;
}

static int emit(const sow_sweep_config *config, const cli_args *args, sow_sweep_options *options, const sow_env *env)
{
    sow_error err = {0};
    char *file = NULL, *problems = NULL, program[4096];
    int code = EXIT_DONE;
    if (sow_sweep_write_slurm(&file, &problems, config, options, args->jobs ? args->jobs : TASKS, own_path(program, sizeof program), env, &err) != SOW_OK) code = fail(problems, &err);
    else printf("%s\n", file);
    free(file);
    free(problems);
    return code;
}

static int play(const sow_sweep_config *config, const cli_args *args, const sow_sweep_options *options, const sow_env *env)
{
    sow_error err = {0};
    char *json = NULL, *problems = NULL;
    int code = EXIT_DONE;
    if (sow_sweep_run(&json, &problems, config, options, env, &err) != SOW_OK) {
        code = fail(problems, &err);
    } else if (json && args->json) {
        puts(json);
    } else if (json) {
        json_t *said = json_loads(json, 0, NULL);
        say_table(said);
        json_decref(said);
    }
    free(json);
    free(problems);
    return code;
}

static int misused(const cli_args *args)
{
    if (args->emit && strcmp(args->emit, "slurm") != 0) fprintf(stderr, "sower: --emit takes slurm, not '%s'\n", args->emit);
    else if (args->emit && args->part) fprintf(stderr, "sower: --emit writes a script whose tasks use --part: give one of the two\n");
    else if (!args->emit && args->jobs > WORKERS_MOST) fprintf(stderr, "sower: --jobs takes at most %d workers\n", WORKERS_MOST);
    else return 0;
    return EXIT_WRONG_INPUT;
}

/* `--calibrate FILE`: the calibration of a file, whose options do nothing else. */
static int calibrate_misused(const cli_args *args)
{
    const struct {
        const char *name;
        int said;
    } own[] = {{"to", args->to != NULL}, {"check", args->check}, {"perturbation", args->perturbation != NULL}, {"control", args->control != NULL}, {"batch", args->batch != NULL},
               {"context", args->context != NULL}, {"unperturbed", args->unperturbed}, {"threads", args->threads > 0}},
      sweep[] = {{"jobs", args->jobs > 0}, {"emit", args->emit != NULL}, {"part", args->part != NULL}};
    for (size_t i = 0; !args->calibrate && i < sizeof own / sizeof *own; i++)
        if (own[i].said) {
            fprintf(stderr, "sower simulate: --%s goes with --calibrate FILE%s\n", own[i].name, strcmp(own[i].name, "threads") == 0 ? "; campaigns of a sweep use one thread each (--jobs N plays N at a time)" : "");
            return EXIT_WRONG_INPUT;
        }
    for (size_t i = 0; args->calibrate && i < sizeof sweep / sizeof *sweep; i++)
        if (sweep[i].said) {
            fprintf(stderr, "sower simulate: --%s is of a sweep, and with --calibrate none is played\n", sweep[i].name);
            return EXIT_WRONG_INPUT;
        }
    if (!args->calibrate || args->n_positional == 0) return 0;
    fprintf(stderr, "sower simulate: --calibrate %s plays no sweep: leave out '%s'\n", args->calibrate, args->positional[0]);
    return EXIT_WRONG_INPUT;
}

static int calibrate(const cli_args *args, const sow_env *env)
{
    cli_args own = *args;
    own.positional[0] = args->calibrate;
    own.n_positional = 1;
    return cmd_calibrate(&own, env);
}

int cmd_simulate(const cli_args *args, const sow_env *env)
{
    int code = calibrate_misused(args);
    if (code) return code;
    if (args->calibrate) return calibrate(args, env);
    code = misused(args);
    sow_sweep_options options = SOW_SWEEP_OPTIONS_INIT;
    if (!code && args->part) code = parse_part(&options, args->part);
    sow_sweep_config *config = code ? NULL : read_sweep(args, args->n_positional ? args->positional[0] : "sweep.yaml", &code);
    if (!config) return code;
    options.dir = args->out;
    options.cache = cli_cache_folder(args);
    options.workers = (int)args->jobs;
    options.sets = args->sets;
    options.n_sets = args->n_sets;
    code = args->emit ? emit(config, args, &options, env) : play(config, args, &options, env);
    sow_sweep_config_destroy(config);
    return code;
}
