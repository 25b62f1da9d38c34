/* One outer step of HyperMap's meta-training at the published size: tasks x (5 batches x 5 inner steps + query), 512 rows, 2,500 genes, embedding 256, 5,835,012 parameters, dropout on; synthetic cells.
 * usage: bench_hypermap_step THREADS [TASKS [STEPS_A_BATCH]]
 *
 * Exact second order and first order, the published fusion. The floor is the products' operations over the rate of a large product, measured here: a pass forward is U = 2 x rows x products; an inner step 3 U
 * (less the first layers' input gradients); the walk back through a step 9 U, 3 of them the step's own pass made again, since only its weights were kept.
 * The published PyTorch code takes 64 to 75 s for 4 tasks on 2 such cores, and its memory grows past 22 GB (measured once). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/anonymous.h"
#include "bench/machine.h"
#include "models/hypermap/hypermap.h"

enum { GENES = 2500, EMBEDDING = 256, ROWS = 512, BATCHES = 5, MOST_TASKS = 16, MOST_STEPS = 25 };

/* Products of one pass over one row, each as often as a linear layer of a walk does it: `first` layers pass nothing on to their input. */
static double products(const sow_hypermap_sizes *s, int first)
{
    const double k = (double)s->genes, d = (double)s->embedding, l = (double)s->latent, h = (double)s->hidden;
    const double inputs = k * h + d * h, inside = 2 * (h * h + h * l) + 3 * l * l + 2 * l * h + h * (h * l + h) + h * l + h * k;
    return first ? inputs : inside;
}

/* Of a whole outer step. A layer inside: forward 1, back 2, walked back again 9; an input layer 1, 1 and 5 (forward, weight gradient; and for lambda: forward, weight gradient again, its two factors, weight gradient). */
static double operations(const sow_hypermap_sizes *s, double tasks, double steps, int exact)
{
    const double first = products(s, 1), inside = products(s, 0);
    return 2 * ROWS * tasks * ((steps + 1) * (3 * inside + 2 * first) + (exact ? steps * (9 * inside + 5 * first) : 0));
}

static void measure(sow_hypermap_meta *m, sow_params *p, const sow_hypermap_sizes *s, const sow_hypermap_task *task, sow_index tasks, int exact, double rate)
{
    double loss[MOST_TASKS];
    sow_error err = {0};
    const double start = now(), before = cpu();
    check(sow_hypermap_meta_gradient(p, m, task, tasks, !exact, loss, &err), &err);
    const double took = now() - start, steps = (double)(task->support.steps * task->support.n_batches), work = operations(s, (double)tasks, steps, exact);
    printf("    %-12s %7.2f s   CPU %7.2f s   floor %6.2f s (%.2f TFLOP at %.0f GFLOP/s)   took / floor %.2f   loss %.4f\n", exact ? "exact" : "first order", took, cpu() - before, work / rate, work / 1e12,
           rate / 1e9, took * rate / work, loss[0]);
}

int main(int argc, char **argv)
{
    sow_threads *threads = NULL;
    sow_params *p = NULL;
    sow_hypermap_meta *m = NULL;
    sow_error err = {0};
    sow_hypermap_sizes s = SOW_HYPERMAP_SIZES_INIT;
    const sow_index tasks = argc > 2 ? atoi(argv[2]) : 4, steps = argc > 3 ? atoi(argv[3]) : 5;
    if (tasks < 1 || tasks > MOST_TASKS || steps < 1 || steps > 5) return 2;
    s.genes = GENES;
    s.embedding = EMBEDDING;
    check(sow_threads_create(&threads, argc > 1 ? atoi(argv[1]) : 2, &err), &err);
    check(sow_hypermap_params_create(&p, &s, SOW_F32, 1, 0, &err), &err);
    const double rate = product_rate(threads, SOW_F32);
    float *x = numbers_of(SOW_F32, (size_t)ROWS * GENES, cell), *y = numbers_of(SOW_F32, (size_t)ROWS * GENES, noise), *e = numbers_of(SOW_F32, (size_t)ROWS * EMBEDDING, noise);
    static sow_hypermap_dropout dropout[BATCHES * MOST_STEPS];
    sow_hypermap_batch batch[BATCHES + 1];
    sow_hypermap_task task[MOST_TASKS];
    for (int b = 0; b <= BATCHES; b++) batch[b] = (sow_hypermap_batch){.n = ROWS, .n_x = ROWS, .n_e = ROWS, .x = x, .e = e, .y = y};
    for (sow_index i = 0; i < BATCHES * steps; i++) dropout[i] = (sow_hypermap_dropout){.rate = 0.2, .seed = 1, .stream = 1, .call = (uint32_t)i};
    for (sow_index k = 0; k < tasks; k++)
        task[k] = (sow_hypermap_task){.support = {0.005, steps, BATCHES, batch, dropout}, .query = batch[BATCHES], .query_dropout = {.rate = 0.2, .seed = 1, .stream = 2}};
    watch_begin();
    check(sow_hypermap_meta_create(&m, &s, SOW_F32, BATCHES * steps, threads, &err), &err);
    printf("%lld parameters, %lld task%s x (%d x %lld steps + query)\n", (long long)sow_params_numbers(p), (long long)tasks, tasks == 1 ? "" : "s", BATCHES, (long long)steps);
    measure(m, p, &s, task, tasks, 0, rate);
    measure(m, p, &s, task, tasks, 1, rate);
    watch_end();
    printf("    anonymous memory at most %.0f MB\n", (double)atomic_load(&peak_kb) / 1e3);
    sow_hypermap_meta_destroy(m);
    sow_params_destroy(p);
    sow_threads_destroy(threads);
    free(x);
    free(y);
    free(e);
    return 0;
}
