/* One outer step of HyperMap's meta-training, exact and first order, each beside its floor; synthetic numbers. usage: bench_hypermap_step THREADS [TASKS [STEPS_A_BATCH]]
 *
 *   as published: tasks x (5 batches x 5 inner steps + query), 512 rows, 2,500 genes, embedding 256, 5,835,012 parameters, weights over the rows of a batch, dropout on;
 *   default, cells (`form: network`, `rows: cells`): the same sizes, weights from the context alone (so that a prediction does not depend on what else is asked), no dropout;
 *   default, means (`form: network`): 1 batch x 5 inner steps, 20 rows of 30 scores, embedding 30 + 1 + 256 + 1, latent 32, hidden 64, cells of 2,500 numbers.
 * The floor is the products' operations (bench/hypermap_work.h) over the rate of a large product, measured before each. The last is far from it: its products are small, and a step is a few hundred of them.
 * The published PyTorch code takes 64 to 75 s for 4 tasks on 2 such cores, and its memory grows past 22 GB (measured once). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/anonymous.h"
#include "bench/hypermap_work.h"
#include "bench/machine.h"

enum { GENES = 2500, EMBEDDING = 256, SCORES = 30, MOST_TASKS = 16, MOST_BATCHES = 6, MOST_STEPS = 25 };

typedef struct {
    const char *name;
    sow_hypermap_sizes sizes;
    sow_index rows, batches, steps;
    double dropout;
} kind;

static void measure(const kind *k, sow_hypermap_meta *m, sow_params *p, const sow_hypermap_task *task, sow_index tasks, int exact, sow_threads *threads)
{
    double loss[MOST_TASKS];
    sow_error err = {0};
    const double rate = product_rate(threads, SOW_F32), start = now(), before = cpu(), steps = (double)(task->support.steps * task->support.n_batches);
    sow_index times = 0;
    atomic_store(&peak_kb, 0);
    do {
        check(sow_hypermap_meta_gradient(p, m, task, tasks, !exact, loss, &err), &err);
        times++;
    } while (now() - start < 0.5);
    const double took = (now() - start) / (double)times, work = hypermap_operations(&k->sizes, (double)k->rows, (double)tasks, steps, exact);
    printf("    %-12s %8.3f s   CPU %8.3f s   floor %7.4f s (%.4f TFLOP at %.0f GFLOP/s)   took / floor %.2f   loss %.4f   RssAnon %ld MB\n", exact ? "exact" : "first order", took, (cpu() - before) / (double)times, work / rate,
           work / 1e12, rate / 1e9, took * rate / work, loss[0], atomic_load(&peak_kb) * 1024 / 1000000);
    fflush(stdout);
}

static void run(const kind *k, sow_index tasks, sow_threads *threads)
{
    sow_params *p = NULL;
    sow_hypermap_meta *m = NULL;
    sow_error err = {0};
    const sow_index rows = k->rows, cells = sow_hypermap_cell_width(&k->sizes);
    float *x = numbers_of(SOW_F32, (size_t)(rows * cells), cell), *y = numbers_of(SOW_F32, (size_t)(rows * k->sizes.genes), noise), *e = numbers_of(SOW_F32, (size_t)(rows * k->sizes.embedding), noise);
    static sow_hypermap_dropout dropout[MOST_BATCHES * MOST_STEPS];
    sow_hypermap_batch batch[MOST_BATCHES + 1];
    sow_hypermap_task task[MOST_TASKS];
    for (int b = 0; b <= k->batches; b++) batch[b] = (sow_hypermap_batch){.n = rows, .n_x = rows, .n_e = rows, .x = x, .e = e, .y = y};
    for (sow_index i = 0; i < k->batches * k->steps; i++) dropout[i] = (sow_hypermap_dropout){.rate = k->dropout, .seed = 1, .stream = 1, .call = (uint32_t)i};
    for (sow_index i = 0; i < tasks; i++)
        task[i] = (sow_hypermap_task){.support = {0.002, k->steps, k->batches, batch, dropout}, .query = batch[k->batches], .query_dropout = {.rate = k->dropout, .seed = 1, .stream = 2}};
    check(sow_hypermap_params_create(&p, &k->sizes, SOW_F32, 1, 0, &err), &err);
    check(sow_hypermap_meta_create(&m, &k->sizes, SOW_F32, k->batches * k->steps, threads, &err), &err);
    printf("%s: %lld parameters, %lld task%s x (%lld x %lld steps + query), %lld rows\n", k->name, (long long)sow_params_numbers(p), (long long)tasks, tasks == 1 ? "" : "s", (long long)k->batches, (long long)k->steps,
           (long long)rows);
    measure(k, m, p, task, tasks, 0, threads);
    measure(k, m, p, task, tasks, 1, threads);
    sow_hypermap_meta_destroy(m);
    sow_params_destroy(p);
    free(x);
    free(y);
    free(e);
}

int main(int argc, char **argv)
{
    sow_threads *threads = NULL;
    sow_error err = {0};
    const sow_index tasks = argc > 2 ? atoi(argv[2]) : 4, steps = argc > 3 ? atoi(argv[3]) : 5;
    if (tasks < 1 || tasks > MOST_TASKS || steps < 1 || steps > 5) return 2;
    kind kinds[] = {{"as published", SOW_HYPERMAP_SIZES_INIT, 512, 5, steps, 0.2}, {"default, cells", SOW_HYPERMAP_SIZES_INIT, 512, 5, steps, 0}, {"default, means", SOW_HYPERMAP_SIZES_INIT, 20, 1, steps, 0}};
    for (int i = 0; i < 3; i++) {
        kinds[i].sizes.genes = GENES;
        kinds[i].sizes.embedding = EMBEDDING;
        if (i > 0) kinds[i].sizes.fusion = SOW_HYPERMAP_CONTEXT;
    }
    kinds[2].sizes = (sow_hypermap_sizes){.genes = SCORES, .embedding = SCORES + 1 + EMBEDDING + 1, .latent = 32, .hidden = 64, .fusion = SOW_HYPERMAP_CONTEXT, .cells = GENES};
    check(sow_threads_create(&threads, argc > 1 ? atoi(argv[1]) : 2, &err), &err);
    watch_begin();
    for (int i = 0; i < 3; i++) run(&kinds[i], tasks, threads);
    watch_end();
    sow_threads_destroy(threads);
    return 0;
}
