/* HyperMap's network trained from single cells at the published size, through the model's own row: mapped cache, preparation, batches, meta-gradients, checkpoints.
 * usage: bench_hypermap_train make FILE PERTURBATIONS [CELLS_A_CONTEXT [GENES]]
 *        bench_hypermap_train train FILE FOLDER THREADS reference|default exact|first-order STEPS [BATCH]
 *
 * `make` writes 10 contexts x 10,000 cells x 2,500 genes with 500 counts a cell, a tenth of them controls, the others of PERTURBATIONS perturbations in turn. `train` opens it, takes context 0 for new with 20 seeds, the
 * other nine for known, embeddings of 256 columns from a seed, and prints:
 *   preparing: from the opened table to the first outer step (rows of every context, embeddings, mean controls): seconds, and the floor, the bytes that it has to touch at the bandwidth of a copy;
 *   means: of every perturbation in every context, which the planner takes for reports and baselines: a pass over all values;
 *   every outer step: seconds, over the floor of products (bench/hypermap_work.h), the peak of RssAnon in it.
 * The published code takes 33 s (100 perturbations) and 95 s (300) to prepare such data, and stores an embedding for every cell (measured once). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/anonymous.h"
#include "bench/hypermap_work.h"
#include "bench/machine.h"
#include "core/prepare.h"
#include "core/rng.h"
#include "io/cell_source.h"
#include "io/h5ad_cells.h"
#include "models/hypermap/learn.h"
#include "models/model.h"

enum { CONTEXTS = 10, COUNTS = 500, EMBEDDING = 256, SEEDS = 20, BLOCK = 1000 };

static sow_error err;

static void must(sow_status st)
{
    check(st, &err);
}

static long mb(long kb)
{
    return kb * 1024 / 1000000;
}

/* ---- make ---- */

static char *text_of(const char *format, sow_index i)
{
    char text[40];
    snprintf(text, sizeof text, format, (long long)i);
    return strdup(text);
}

/* One gene in each stretch, so that they ascend. */
static void make_block(int64_t *start, int32_t *gene, float *value, sow_index n, sow_index genes, sow_rng *rng)
{
    const int32_t stretch = (int32_t)(genes / COUNTS);
    for (sow_index i = 0, at = 0; i < n; i++) {
        for (sow_index j = 0; j < COUNTS; j++, at++) {
            const uint32_t bits = sow_rng_u32(rng);
            gene[at] = (int32_t)j * stretch + ((int32_t)(bits & 0xff) * stretch >> 8);
            value[at] = (float)(1 + (bits >> 8 & 7) * (bits >> 11 & 7) / 8);
        }
        start[i + 1] = at;
    }
}

static int make(const char *path, sow_index perturbations, sow_index cells, sow_index genes)
{
    sow_names *names = NULL;
    sow_h5ad_writer *w = NULL;
    sow_rng rng = sow_rng_make(1, SOW_RNG_TEST, 0, 0);
    const sow_index all = CONTEXTS * cells;
    int64_t *start = memory(BLOCK + 1, sizeof *start);
    int32_t *gene = memory(BLOCK * COUNTS, sizeof *gene);
    float *value = memory(BLOCK * COUNTS, sizeof *value);
    char **obs = memory((size_t)all, sizeof *obs);
    sow_h5ad_column column[2] = {{.name = text_of("gene", 0), .text = memory((size_t)all, sizeof(char *))}, {.name = text_of("line", 0), .text = memory((size_t)all, sizeof(char *))}};
    if (genes < COUNTS) return 2;
    must(sow_names_create(&names, &err));
    for (sow_index j = 0; j < genes; j++) must(sow_names_add(names, text_of("G%05lld", j), NULL, &err));
    must(sow_h5ad_writer_create(&w, path, names, NULL, 0, 0, &err));
    for (sow_index i = 0; i < all; i += BLOCK) {
        const sow_index n = all - i < BLOCK ? all - i : BLOCK;
        make_block(start, gene, value, n, genes, &rng);
        must(sow_h5ad_writer_append(w, n, start, gene, value, &err));
    }
    for (sow_index i = 0; i < all; i++) {
        obs[i] = text_of("cell%08lld", i);
        column[0].text[i] = i % 10 == 0 ? strdup("NT") : text_of("P%04lld", (i / 10 * 9 + i % 10 - 1) % perturbations);
        column[1].text[i] = text_of("C%lld", i / cells);
    }
    must(sow_h5ad_writer_finish(w, obs, column, 2, &err));
    return 0; /* the rest goes with the process */
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

static void read_cells(problem *p, const char *path, const char *folder, const sow_env *env)
{
    const sow_source s = {.file = path, .context_column = "line", .perturbation_column = "gene", .control = "NT", .values = SOW_VALUES_COUNTS};
    const sow_features features = SOW_FEATURES_INIT;
    sow_index *fit = NULL;
    must(sow_cells_read(&p->cells, &p->screen, NULL, NULL, &s, 1, folder, env->memory, env, &err));
    fit = memory((size_t)p->cells.n, sizeof *fit);
    for (sow_index i = 0; i < p->cells.n; i++) fit[i] = i;
    must(sow_preparation_fit(&p->space, NULL, &p->cells, fit, p->cells.n, &features, env, &err));
    free(fit);
}

static void make_priors(problem *p)
{
    const sow_index n = p->cells.n_perturbations;
    p->priors = (sow_prior_set){.n_items = n, .n_priors = 1, .fused_dim = EMBEDDING, .fused = numbers_of(SOW_F64, (size_t)n * EMBEDDING, noise), .has_any = memory((size_t)n, 1)};
    p->priors.priors = memory(1, sizeof *p->priors.priors);
    p->priors.priors[0] = (sow_prior){.name = strdup("made"), .n_items = n, .dim = EMBEDDING, .has = memory((size_t)n, 1), .x = memory((size_t)n * EMBEDDING, sizeof(double))};
    memset(p->priors.has_any, 1, (size_t)n);
}

/* Items of context 0 (20 of them) and of the others (all). Means are filled afterwards. */
static void make_training(problem *p)
{
    const sow_index most = CONTEXTS * p->cells.n_perturbations;
    const sow_index *list = NULL;
    sow_index n = 0;
    p->perturbation = memory((size_t)most, sizeof(sow_index));
    p->context = memory((size_t)most, sizeof(sow_index));
    p->start = memory((size_t)most + 1, sizeof(sow_index));
    p->cell = memory((size_t)p->cells.n, sizeof(sow_index));
    for (sow_index c = 0; c < CONTEXTS; c++)
        for (sow_index q = 0; q < (c == 0 ? SEEDS : p->cells.n_perturbations); q++) {
            const sow_index k = sow_cells_of(&list, &p->cells, q, c);
            if (k < 1) continue;
            memcpy(p->cell + p->start[n], list, (size_t)k * sizeof *list);
            p->perturbation[n] = q;
            p->context[n] = c;
            p->start[n + 1] = p->start[n] + k;
            n++;
        }
    const sow_index n_control = sow_cells_of(&list, &p->cells, SOW_CONTROL, 0);
    p->y = memory((size_t)(n * p->space.d), sizeof(double));
    p->of = (sow_training_cells){&p->cells, &p->space, p->start, p->cell, list, n_control};
    p->training = (sow_training){.n = n, .n_features = p->space.d, .n_contexts = CONTEXTS, .target = 0, .perturbation = p->perturbation, .context = p->context, .y = p->y, .priors = &p->priors,
                                 .relative = 1, .catalogue = p->screen->perturbations, .cells_of = &p->of};
}

/* Mean changes of all items: seconds. */
static double take_means(problem *p, const sow_env *env)
{
    const double begin = now();
    double *control = memory((size_t)p->space.d, sizeof *control);
    for (sow_index i = 0, of = -1; i < p->training.n; i++) {
        const sow_index *list = NULL;
        if (p->context[i] != of) {
            of = p->context[i];
            const sow_index n = sow_cells_of(&list, &p->cells, SOW_CONTROL, of);
            must(sow_prepared_mean(control, NULL, &p->space, &p->cells, list, n, env, &err));
        }
        must(sow_prepared_mean(p->y + i * p->space.d, NULL, &p->space, &p->cells, p->cell + p->start[i], p->start[i + 1] - p->start[i], env, &err));
        for (sow_index g = 0; g < p->space.d; g++) p->y[i * p->space.d + g] -= control[g];
    }
    free(control);
    return now() - begin;
}

/* What preparing has to touch: the controls' values, three numbers a row, an embedding read and written for every item, items' means once. */
static double bytes_to_touch(const problem *p)
{
    double bytes = 3 * 8 * (double)p->start[p->training.n] + (double)p->training.n * (EMBEDDING * (8 + 4) + 8 * (double)p->space.d);
    for (sow_index c = 0; c < CONTEXTS; c++) {
        const sow_index *list = NULL, n = sow_cells_of(&list, &p->cells, SOW_CONTROL, c);
        bytes += 8 * (double)sow_prepared_values_bound(&p->cells, list, n);
    }
    return bytes;
}

/* ---- the clock: progress is called before the first outer step and within steps, the checkpoint after each ---- */

typedef struct {
    double begin, last, busy, work, touch, rate; /* rate of a product, found anew before every step: the machine may have others on it */
    sow_threads *threads;
    sow_index steps, calls;
    long peak; /* of all */
} stopwatch;

static int tick(void *user, const char *what, double fraction)
{
    stopwatch *w = user;
    (void)fraction;
    if (strcmp(what, "training hypermap") == 0 && w->last == 0) {
        const double t = now(), worked = cpu() - w->busy;
        w->peak = atomic_load(&peak_kb);
        printf("    preparing %8.3f s   CPU %8.3f s   floor %.3f s (%.0f MB)   RssAnon %ld MB\n", t - w->begin, worked, w->touch / copy_rate(w->threads), w->touch / 1e6, mb(w->peak));
        fflush(stdout);
        w->rate = product_rate(w->threads, SOW_F32);
        atomic_store(&peak_kb, 0);
        w->last = now();
        w->busy = cpu();
    }
    return w->calls >= w->steps;
}

/* A state is made after every step, as often as the planner writes one, and let go of; it counts. */
static int always(void *user)
{
    (void)user;
    return 1;
}

static sow_status step_ends(void *user, sow_archive *state, sow_error *e)
{
    stopwatch *w = user;
    (void)state;
    (void)e;
    if (w->calls >= w->steps) return SOW_OK; /* what it gives when it is told to end */
    const double took = now() - w->last, worked = cpu() - w->busy;
    const long peak = atomic_load(&peak_kb);
    w->calls++;
    if (peak > w->peak) w->peak = peak;
    printf("    step %4lld %8.2f s   CPU %8.2f s   floor %6.2f s (%.0f GFLOP/s)   took / floor %5.2f   RssAnon %ld MB\n", (long long)w->calls, took, worked, w->work / w->rate, w->rate / 1e9, took * w->rate / w->work, mb(peak));
    fflush(stdout);
    w->rate = product_rate(w->threads, SOW_F32);
    atomic_store(&peak_kb, 0);
    w->last = now();
    w->busy = cpu();
    return SOW_OK;
}

static sow_model_options options_of(const char *mode, const char *method, sow_index batch)
{
    sow_model_options o = SOW_MODEL_OPTIONS_INIT;
    o.hypermap.reference = strcmp(mode, "reference") == 0;
    o.hypermap.network = o.hypermap.cells = 1;
    o.hypermap.embedding = SOW_EMBED_PRIOR;
    o.hypermap.method = strcmp(method, "exact") == 0 ? SOW_HYPERMAP_EXACT : SOW_HYPERMAP_FIRST_ORDER;
    o.hypermap.steps = 1000;
    o.hypermap.batch = batch;
    o.hypermap.stack = 0;
    o.checkpoints = (sow_checkpoints){step_ends, always, NULL};
    return o;
}

static int train(char **arg, sow_index batch)
{
    problem p = {.screen = NULL};
    sow_threads *threads = NULL;
    sow_model *model = NULL;
    const sow_model_class *hypermap = NULL;
    must(sow_threads_create(&threads, atoi(arg[2]), &err));
    sow_env env = {.threads = threads, .memory = (sow_index)1 << 30};
    sow_model_options o = options_of(arg[3], arg[4], batch);
    read_cells(&p, arg[0], arg[1], &env);
    make_priors(&p);
    double took = now();
    make_training(&p);
    took = now() - took;
    const double means = take_means(&p, &env);
    sow_hypermap_sizes s = SOW_HYPERMAP_SIZES_INIT;
    s.genes = p.space.d;
    s.embedding = EMBEDDING;
    s.fusion = o.hypermap.reference ? SOW_HYPERMAP_ROWS : SOW_HYPERMAP_CONTEXT;
    const double work = hypermap_operations(&s, (double)batch, 4, 25, o.hypermap.method == SOW_HYPERMAP_EXACT);
    stopwatch w = {.work = work, .threads = threads, .steps = atoll(arg[5]), .touch = bytes_to_touch(&p)};
    printf("%d contexts, %lld cells, %lld genes, %lld perturbations; %s, %s, %lld parameters, batch %lld, %.2f TFLOP a step; RssAnon before %ld MB\n", CONTEXTS, (long long)p.cells.n,
           (long long)p.space.d, (long long)p.cells.n_perturbations, arg[3], arg[4], (long long)sow_hypermap_numbers(&s), (long long)batch, work / 1e12, mb(anonymous_kb()));
    printf("    items listed %.3f s; means of all items %.3f s\n", took, means);
    env.progress = tick;
    env.progress_user = &w;
    o.checkpoints.user = &w;
    watch_begin();
    w.begin = now();
    w.busy = cpu();
    must(sow_model_find(&hypermap, "hypermap", &err));
    const sow_status st = sow_model_fit(&model, hypermap, &p.training, &o, &env, &err);
    watch_end();
    if (st != SOW_OK && st != SOW_E_CANCELLED) must(st);
    printf("    RssAnon at most %ld MB\n", mb(w.peak));
    return 0; /* the rest goes with the process */
}

int main(int argc, char **argv)
{
    if (argc >= 4 && strcmp(argv[1], "make") == 0) return make(argv[2], atoll(argv[3]), argc > 4 ? atoll(argv[4]) : 10000, argc > 5 ? atoll(argv[5]) : 2500);
    if (argc >= 8 && strcmp(argv[1], "train") == 0) return train(argv + 2, argc > 8 ? atoll(argv[8]) : 512);
    fprintf(stderr, "usage: bench_hypermap_train make FILE PERTURBATIONS [CELLS_A_CONTEXT [GENES]]\n       bench_hypermap_train train FILE FOLDER THREADS reference|default exact|first-order STEPS [BATCH]\n");
    return 2;
}
