/* HyperMap's default form at the published size: 10 contexts x 300 perturbations x 2,500 genes known, 20 seeds of another one measured; made responses. The whole fit (components, programs, adapting), with and
 * without gp beside it, and the answer for 300 perturbations.
 * usage: bench_hypermap_fit THREADS
 *
 * The floor is what the fit has to multiply at the rate of a large product, measured here: the Gram matrix of 2,500 genes over 3,000 rows, its scores, and in each of 40 rounds two products of rows x components x programs
 * and a Cholesky factor with its inverse for every perturbation (4/3 programs^3). It replaces 50 outer steps of meta-learning (scripts/bench hypermap-step). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/anonymous.h"
#include "bench/machine.h"
#include "core/rng.h"
#include "models/model.h"

enum { CONTEXTS = 11, ITEMS = 300, GENES = 2500, SEEDS = 20, PROGRAMS = 20, COMPONENTS = 30, ROUNDS = 40 };

static double *make(sow_index *n, sow_index *perturbation, sow_index *context)
{
    sow_rng rng = sow_rng_make(1, SOW_RNG_TEST, 0, 0);
    double *program = calloc(PROGRAMS * GENES, sizeof *program), *loading = calloc(ITEMS * PROGRAMS, sizeof *loading), *y = calloc((size_t)(CONTEXTS - 1) * ITEMS * GENES + SEEDS * GENES, sizeof *y);
    if (!program || !loading || !y) exit(1);
    for (sow_index i = 0; i < PROGRAMS * GENES; i++) program[i] = sow_rng_normal(&rng) / 50;
    for (sow_index i = 0; i < ITEMS * PROGRAMS; i++) loading[i] = sow_rng_normal(&rng);
    *n = 0;
    for (sow_index c = 0; c < CONTEXTS; c++) {
        double a[PROGRAMS];
        for (int r = 0; r < PROGRAMS; r++) a[r] = 1 + 0.7 * sow_rng_normal(&rng);
        for (sow_index q = 0; q < (c == 0 ? SEEDS : ITEMS); q++, (*n)++) {
            perturbation[*n] = q;
            context[*n] = c;
            for (sow_index g = 0; g < GENES; g++) {
                double sum = 0.02 * sow_rng_normal(&rng);
                for (int r = 0; r < PROGRAMS; r++) sum += a[r] * loading[q * PROGRAMS + r] * program[r * GENES + g];
                y[*n * GENES + g] = sum;
            }
        }
    }
    free(program);
    free(loading);
    return y;
}

int main(int argc, char **argv)
{
    static sow_index perturbation[CONTEXTS * ITEMS], context[CONTEXTS * ITEMS];
    sow_threads *threads = NULL;
    sow_error err = {0};
    const sow_model_class *hypermap = NULL;
    sow_training t = {.n_features = GENES, .n_contexts = CONTEXTS, .perturbation = perturbation, .context = context, .relative = 1};
    double *y = make(&t.n, perturbation, context), *mean = calloc((size_t)ITEMS * GENES, sizeof *mean);
    t.y = y;
    check(sow_threads_create(&threads, argc > 1 ? atoi(argv[1]) : 2, &err), &err);
    check(sow_model_find(&hypermap, "hypermap", &err), &err);
    const sow_env env = {.threads = threads};
    const double rows = (CONTEXTS - 1) * ITEMS, rate = product_rate(threads, SOW_F64);
    const double work = 2 * rows * GENES * (GENES + COMPONENTS) + ROUNDS * (2 * 2 * rows * COMPONENTS * COMPONENTS + ITEMS * 4. / 3 * COMPONENTS * COMPONENTS * COMPONENTS);
    for (int stack = 0; stack < 2; stack++) {
        sow_model_options o = SOW_MODEL_OPTIONS_INIT;
        sow_model *m = NULL;
        sow_index q[ITEMS], c[ITEMS] = {0};
        o.components = COMPONENTS;
        o.hypermap.stack = stack;
        for (sow_index i = 0; i < ITEMS; i++) q[i] = i;
        double start = now();
        check(sow_model_fit(&m, hypermap, &t, &o, &env, &err), &err);
        const double fitted = now() - start;
        const sow_query query = {.n = ITEMS, .perturbation = q, .context = c};
        start = now();
        check(sow_model_predict(m, &query, mean, NULL, NULL, &env, &err), &err);
        printf("    %-14s fit %6.2f s   floor %5.2f s (%.3f TFLOP at %.0f GFLOP/s)   300 answers %6.3f s   RssAnon %.0f MB\n", stack ? "with gp" : "programs alone", fitted, work / rate, work / 1e12, rate / 1e9, now() - start,
               (double)anonymous_kb() / 1e3);
        sow_model_destroy(m);
    }
    free(y);
    free(mean);
    sow_threads_destroy(threads);
    return 0;
}
