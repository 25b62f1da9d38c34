/* Training MORPH from a mapped cache. usage: bench_morph_train FILE FOLDER THREADS MEMORY_MIB SECONDS [SEGMENTS]
 * FILE as bench_cells_read makes it (`bench_cells_read make FILE 310000 5000 1500`), its cache in FOLDER; a prior of 1,100 columns from a seed; the published sizes, batches of 32. Trains for
 * SECONDS after the first steps and prints: cells and genes, ms a step, cells a second, ms and share of a step that preparing its rows takes (they are prepared when needed where they do not fit
 * into a quarter of MEMORY), peak RssAnon in MB. Under a limit of memory
 * (systemd-run --scope -p MemoryMax=2G ..., or a cgroup of one's own) the time of the rows is of no use: it asks for them without saying so before, as the training does. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/anonymous.h"
#include "core/prepare.h"
#include "io/cell_source.h"
#include "models/model.h"

enum { PRIOR = 1100, FIT_CELLS = 20000, WARM_UP = 3, STEPS_A_CALL = 8, BATCH = 32 };

static sow_error err;

static void must(sow_status st)
{
    if (st == SOW_OK) return;
    fprintf(stderr, "%s: %s\n", sow_status_name(st), err.message);
    exit(1);
}

static void *room(sow_index n, size_t size)
{
    void *p = calloc((size_t)n + 1, size);
    if (!p) exit(1);
    return p;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- what is learned from ---- */

typedef struct {
    sow_cells cells;
    sow_screen *screen;
    sow_preparation space;
    sow_prior_set priors;
    sow_index *perturbation, *context, *start, *cell;
    double *y;
    sow_training_cells of;
    sow_training training;
} problem;

static void read_cells(problem *p, const char *path, const char *folder, sow_index memory, const sow_env *env)
{
    const sow_source s = {.file = path, .context = "cells", .perturbation_column = "gene", .control = "NT", .values = SOW_VALUES_COUNTS};
    sow_features features = SOW_FEATURES_INIT;
    sow_index n = 0, *fit = NULL;
    must(sow_cells_read(&p->cells, &p->screen, NULL, NULL, &s, 1, folder, memory, env, &err));
    const sow_index every = p->cells.n > FIT_CELLS ? p->cells.n / FIT_CELLS : 1;
    fit = room(p->cells.n, sizeof *fit);
    for (sow_index i = 0; i < p->cells.n; i += every) fit[n++] = i;
    must(sow_preparation_fit(&p->space, NULL, &p->cells, fit, n, &features, env, &err));
    free(fit);
}

static void make_priors(problem *p)
{
    sow_rng rng = sow_rng_make(2, SOW_RNG_TEST, 0, 0);
    const sow_index n = p->cells.n_perturbations;
    p->priors = (sow_prior_set){.n_items = n, .n_priors = 1, .fused_dim = PRIOR, .fused = room(n * PRIOR, sizeof(double)), .has_any = room(n, 1)};
    p->priors.priors = room(1, sizeof *p->priors.priors);
    p->priors.priors[0] = (sow_prior){.name = strdup("made"), .n_items = n, .dim = PRIOR, .has = room(n, 1), .x = room(n * PRIOR, sizeof(double))};
    memset(p->priors.has_any, 1, (size_t)n);
    for (sow_index i = 0; i < n * PRIOR; i++) p->priors.fused[i] = sow_rng_normal(&rng);
}

static void make_training(problem *p)
{
    const sow_index n = p->cells.n_perturbations;
    const sow_index *list = NULL;
    p->perturbation = room(n, sizeof(sow_index));
    p->context = room(n, sizeof(sow_index));
    p->start = room(n, sizeof(sow_index));
    p->cell = room(p->cells.n, sizeof(sow_index));
    p->y = room(n * p->space.d, sizeof(double));
    for (sow_index i = 0; i < n; i++) {
        const sow_index k = sow_cells_of(&list, &p->cells, i, 0);
        memcpy(p->cell + p->start[i], list, (size_t)k * sizeof *list);
        p->perturbation[i] = i;
        p->start[i + 1] = p->start[i] + k;
    }
    const sow_index n_control = sow_cells_of(&list, &p->cells, SOW_CONTROL, 0);
    p->of = (sow_training_cells){&p->cells, &p->space, p->start, p->cell, list, n_control};
    p->training = (sow_training){.n = n, .n_features = p->space.d, .n_contexts = 1, .perturbation = p->perturbation, .context = p->context, .y = p->y, .priors = &p->priors,
                                 .relative = 1, .catalogue = p->screen->perturbations, .cells_of = &p->of};
}

/* ---- the clock: progress is called every few steps, and ends the training when it is time ---- */

typedef struct {
    double first, last, seconds;
    long calls;
} stopwatch;

static int tick(void *user, const char *what, double fraction)
{
    stopwatch *w = user;
    (void)fraction;
    if (strcmp(what, "training morph") != 0) return 0;
    w->last = now();
    if (w->calls++ <= WARM_UP) w->first = w->last;
    return w->last - w->first > w->seconds;
}

/* Rows of one step, prepared from the map at cells that a training would draw: ms. */
static double time_rows(const problem *p, sow_index rows, const sow_env *env)
{
    enum { TIMES = 200 };
    sow_rng rng = sow_rng_make(3, SOW_RNG_TEST, 0, 0);
    float *out = room(rows * p->space.d, sizeof *out);
    sow_index *cell = room(rows, sizeof *cell);
    const double begin = now();
    for (int k = 0; k < TIMES; k++) {
        for (sow_index i = 0; i < rows; i++) cell[i] = p->cell[sow_rng_below(&rng, p->start[p->training.n])];
        must(sow_prepared_rows(out, &p->space, &p->cells, cell, rows, env, &err));
    }
    free(out);
    free(cell);
    return 1e3 * (now() - begin) / TIMES;
}

int main(int argc, char **argv)
{
    if (argc < 6) {
        fprintf(stderr, "usage: bench_morph_train FILE FOLDER THREADS MEMORY_MIB SECONDS [SEGMENTS]\n");
        return 2;
    }
    problem p = {.screen = NULL};
    stopwatch w = {.seconds = strtod(argv[5], NULL)};
    sow_threads *pool = NULL;
    sow_model *model = NULL;
    const sow_model_class *morph = NULL;
    sow_model_options o = SOW_MODEL_OPTIONS_INIT;
    must(sow_threads_create(&pool, atoi(argv[3]), &err));
    sow_env env = {.threads = pool, .memory = (sow_index)atoll(argv[4]) << 20};
    read_cells(&p, argv[1], argv[2], env.memory / 2, &env);
    make_priors(&p);
    make_training(&p);
    o.morph.batch = BATCH;
    o.morph.segments = argc > 6 ? atoll(argv[6]) : 1;
    env.progress = tick;
    env.progress_user = &w;
    watch_begin();
    must(sow_model_find(&morph, "morph", &err));
    const sow_status st = sow_model_fit(&model, morph, &p.training, &o, &env, &err);
    if (st != SOW_OK && st != SOW_E_CANCELLED) must(st);
    watch_end();
    const double steps = (double)(w.calls - WARM_UP - 1) * STEPS_A_CALL, step = 1e3 * (w.last - w.first) / steps;
    const sow_index rows = BATCH * o.morph.segments;
    env.progress = NULL;
    const double feed = time_rows(&p, rows, &env);
    printf("%lld cells x %lld genes, %lld perturbations a step: %.2f ms a step, %.0f cells/s; rows %.2f ms (%.0f %%); RssAnon %.0f MB\n", (long long)p.cells.n, (long long)p.space.d,
           (long long)o.morph.segments, step, 1e3 * (double)rows / step, feed, 100 * feed / step, (double)atomic_load(&peak_kb) / 1024);
    sow_model_destroy(model);
    sow_prior_set_clear(&p.priors);
    return 0; /* the rest goes with the process */
}
