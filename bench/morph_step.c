/* One training step of MORPH at the published size: forward, loss, backward, clamp and Adam, in single and in double precision, beside its floor.
 * 5,000 genes, a prior of 1,100, 32 control and 32 perturbed cells, 10 kernels, 3,485,876 parameters; synthetic cells.
 * usage: bench_morph_step THREADS [STEPS]
 *
 * The floor is the sum of the step's floating point operations over the rate of a large product and of its bytes over the bandwidth of a copy, both measured here. Bytes: parameters read, gradients written,
 * Adam's 4 reads and 3 writes, the decoder's weights once more on the way back, and the cells.
 * The published PyTorch code in double precision took 0.66 to 0.71 s a step on 2 such cores as shipped, 0.30 s with its allocator tuned (measured once). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/machine.h"
#include "core/optim.h"
#include "core/tape.h"
#include "models/morph/morph.h"

enum { GENES = 5000, PRIOR = 1100, CELLS = 32, LATENT = 50, MOST_STEPS = 1000 };

/* ---- the step's work ---- */

/* Multiplications and additions of a dense layer on `rows` rows, forward and back; the first layer's input wants no gradient. */
static double layer(double rows, double in, double out, int first)
{
    return 2 * rows * in * out * (first ? 2 : 3);
}

static double step_operations(const sow_morph_sizes *s)
{
    const double d = GENES, n = CELLS, l = (double)(s->zc + s->zp), g = (double)s->programs, e = (double)s->program_dim, both = 2 * n;
    const double encoder = layer(n, d, 512, 1) + layer(n, 512, 128, 0) + 2 * layer(n, 128, LATENT, 0);
    const double prior = layer(2, PRIOR, 200, 1) + layer(2, 200, 150, 0) + layer(2, 150, LATENT, 0);
    const double attention = layer(both, l, l, 0) + 2 * layer(g, e, l, 0) + 2 * layer(both, l, g, 0);
    const double trunk = 2 * (attention + 2 * layer(both, l, l, 0));
    const double gram = both * (both + 1) * d, weighted = 2 * n * both * d; /* one triangle; rows of one sample */
    return encoder + prior + trunk + layer(both, l, d, 0) + 2 * (gram + weighted);
}

static double step_bytes(sow_index numbers, sow_index size)
{
    const double all = (double)numbers, decoder = GENES * 101.0, cells = 2.0 * CELLS * GENES;
    return (double)size * (all + all + 7 * all + decoder + 2 * cells);
}

/* ---- the step ---- */

typedef struct {
    sow_tape *tape;
    sow_params *params;
    sow_morph_sizes sizes;
    sow_morph_batch batch;
    sow_morph_weights weights;
    sow_threads *threads;
    void *x, *y, *prior, *eps;
} step_case;

static double other_cell(size_t i)
{
    return cell(i + 7919) * 1.05;
}

static void make_case(step_case *c, sow_dtype dtype, sow_threads *threads)
{
    static const sow_index start[2] = {0, CELLS}, first[1] = {0}, none[1] = {-1}, segment[CELLS] = {0};
    sow_error err = {0};
    *c = (step_case){.sizes = SOW_MORPH_SIZES_INIT, .weights = {2, 1, 1, 0, {1500, 10, 0}}, .threads = threads};
    c->sizes.genes = GENES;
    c->sizes.prior[0] = PRIOR;
    c->x = numbers_of(dtype, CELLS * GENES, cell);
    c->y = numbers_of(dtype, CELLS * GENES, other_cell);
    c->prior = numbers_of(dtype, 2 * PRIOR, noise);
    memset((char *)c->prior + PRIOR * sow_dtype_size(dtype), 0, PRIOR * sow_dtype_size(dtype)); /* the null label */
    c->eps = numbers_of(dtype, CELLS * LATENT, noise);
    c->batch = (sow_morph_batch){.k = 1, .x_start = start, .y_start = start, .segment = segment, .x = c->x, .y = c->y, .n_latent = 2, .prior = {c->prior}, .first = first, .second = none, .eps = c->eps};
    check(sow_morph_params_create(&c->params, &c->sizes, dtype, 1, 0, &err), &err);
    check(sow_tape_create(&c->tape, NULL, dtype, threads, &err), &err);
}

static void clear_case(step_case *c)
{
    sow_tape_destroy(c->tape);
    sow_params_destroy(c->params);
    free(c->x);
    free(c->y);
    free(c->prior);
    free(c->eps);
}

enum { FORWARD, BACKWARD, ADAM, STAGES };

static double step(step_case *c, double *took)
{
    const sow_adam_options adam = {1e-4, 0.9, 0.999, 1e-8, 0.5, 0};
    sow_morph_values values;
    sow_morph_losses losses;
    sow_error err = {0};
    double at[STAGES + 1] = {now()};
    sow_tape_reset(c->tape);
    sow_morph_forward(&values, c->tape, c->params, &c->sizes, &c->batch);
    sow_morph_loss(&losses, c->tape, &values, &c->batch, &c->weights);
    at[1] = now();
    check(sow_tape_backward(c->tape, losses.total, &err), &err);
    at[2] = now();
    check(sow_adam_step(c->params, &adam, NULL, c->threads, &err), &err);
    at[3] = now();
    for (int i = 0; i < STAGES; i++) took[i] = at[i + 1] - at[i];
    return sow_tape_scalar(c->tape, losses.total);
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(sow_dtype dtype, sow_threads *threads, int steps, double bandwidth)
{
    static double total[MOST_STEPS], part[STAGES][MOST_STEPS];
    step_case c;
    make_case(&c, dtype, threads);
    const double rate = product_rate(threads, dtype), operations = step_operations(&c.sizes), bytes = step_bytes(sow_params_numbers(c.params), (sow_index)sow_dtype_size(dtype));
    const double floor_s = operations / rate + bytes / bandwidth;
    double loss[2] = {0}, busy = 0;
    for (int i = -3; i < steps; i++) {
        double took[STAGES];
        const double before = cpu();
        loss[i == steps - 1] = step(&c, took);
        if (i >= 0) busy += cpu() - before;
        for (int k = 0; k < STAGES && i >= 0; k++) part[k][i] = took[k];
        if (i >= 0) total[i] = took[0] + took[1] + took[2];
        if (i == -3) printf("%s: %lld parameters, loss %.4f", dtype == SOW_F32 ? "f32" : "f64", (long long)sow_params_numbers(c.params), loss[0]);
    }
    printf(" -> %.4f in %d steps, tape %.1f MB\n", loss[1], steps + 3, (double)sow_tape_bytes(c.tape) / 1e6);
    qsort(total, (size_t)steps, sizeof *total, by_size);
    for (int k = 0; k < STAGES; k++) qsort(part[k], (size_t)steps, sizeof *part[k], by_size);
    const double median = total[steps / 2];
    printf("    step      median %7.2f ms   best %7.2f ms   CPU %7.2f ms   %.0f cells/s   (forward %.2f, backward %.2f, Adam %.2f)\n", 1e3 * median, 1e3 * total[0], 1e3 * busy / steps, CELLS / median, 1e3 * part[FORWARD][steps / 2],
           1e3 * part[BACKWARD][steps / 2], 1e3 * part[ADAM][steps / 2]);
    printf("    floor            %7.2f ms   %.2f GFLOP at %.0f GFLOP/s, %.0f MB at %.1f GB/s;   median / floor %.2f\n", 1e3 * floor_s, operations / 1e9, rate / 1e9, bytes / 1e6, bandwidth / 1e9,
           median / floor_s);
    clear_case(&c);
}

int main(int argc, char **argv)
{
    sow_threads *threads = NULL;
    sow_error err = {0};
    const int steps = argc > 2 ? atoi(argv[2]) : 60;
    check(sow_threads_create(&threads, argc > 1 ? atoi(argv[1]) : 2, &err), &err);
    if (steps < 1 || steps > MOST_STEPS) return 2;
    const double bandwidth = copy_rate(threads);
    measure(SOW_F32, threads, steps, bandwidth);
    measure(SOW_F64, threads, steps, bandwidth);
    sow_threads_destroy(threads);
    return 0;
}
