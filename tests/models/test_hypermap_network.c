/* HyperMap's widths, passes and meta-gradient without a file: parameter counts of the publication, the independent golden vector (facts, section 10), finite differences of the meta-gradient, what does and
 * does not depend on the rest of a batch, and what stops. */
#include "models/hypermap/hypermap.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

Test(hypermap_network, parameters_count_as_published)
{
    const struct {
        sow_index genes, embedding, latent, numbers;
    } table[] = {{2500, 3072, 64, 6555908}, {2500, 1536, 64, 6162692}, {2500, 436, 64, 5881092}, {2587, 188, 64, 5862235}, {2947, 3072, 64, 6785219}, {2500, 1536, 128, 10476100}, {2500, 256, 64, 5835012}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        sow_hypermap_sizes s = SOW_HYPERMAP_SIZES_INIT;
        s.genes = table[i].genes;
        s.embedding = table[i].embedding;
        s.latent = table[i].latent;
        cr_assert_eq(sow_hypermap_numbers(&s), table[i].numbers, "%lld", (long long)sow_hypermap_numbers(&s));
    }
}

Test(hypermap_network, widths_out_of_range_are_named)
{
    sow_hypermap_sizes s = SOW_HYPERMAP_SIZES_INIT;
    sow_params *p = NULL;
    sow_error err = {0};
    s.genes = 3;
    cr_assert_eq(sow_hypermap_params_create(&p, &s, SOW_F64, 1, 0, &err), SOW_E_ARG);
    cr_assert(p == NULL && strstr(err.message, "the embedding must be 1 to"), "%s", err.message);
}

/* ---- the independent golden vector ---- */

enum { K = 3, D = 2, ROWS = 2, NUMBERS = 142 };

typedef struct {
    double x[ROWS * K], e[ROWS * D], y[ROWS * K];
} numbers;

static sow_hypermap_batch batch_number(numbers *m, int i)
{
    for (int b = 0; b < ROWS; b++) {
        for (int k = 0; k < K; k++) m->x[b * K + k] = fabs(cos(1.1 * (7 * i + 3 * b + k) + 0.2));
        for (int k = 0; k < D; k++) m->e[b * D + k] = sin(0.9 * (5 * i + 2 * b + k) + 0.4);
        for (int k = 0; k < K; k++) m->y[b * K + k] = sin(1.3 * (11 * i + 3 * b + k));
    }
    return (sow_hypermap_batch){.n = ROWS, .n_x = ROWS, .n_e = ROWS, .x = m->x, .e = m->e, .y = m->y};
}

static sow_params *sine_params(const sow_hypermap_sizes *s)
{
    sow_params *p = NULL;
    sow_index n = 0;
    cr_assert_eq(sow_hypermap_params_create(&p, s, SOW_F64, 1, 0, NULL), SOW_OK);
    for (sow_index i = 0; i < sow_params_count(p); i++) {
        const sow_tensor v = sow_params_value(p, i);
        for (sow_index j = 0; j < v.rows * v.cols; j++, n++) ((double *)v.data)[j] = 0.5 * sin(0.7 * (double)n + 0.3);
    }
    return p;
}

/* Entry `index` of all gradients in the order of the parameters. */
static double gradient_at(const sow_params *p, sow_index index)
{
    for (sow_index i = 0; i < sow_params_count(p); i++) {
        const sow_tensor g = sow_params_grad(p, i);
        if (index < g.rows * g.cols) return ((const double *)g.data)[index];
        index -= g.rows * g.cols;
    }
    return NAN;
}

static void check_gradient(const sow_params *p, double norm, const double expected[6])
{
    static const sow_index index[6] = {0, 32, 61, 76, 112, 141};
    double squares = 0;
    for (sow_index i = 0; i < NUMBERS; i++) squares += gradient_at(p, i) * gradient_at(p, i);
    cr_assert_float_eq(sqrt(squares), norm, 1e-11);
    for (int i = 0; i < 6; i++) cr_assert_float_eq(gradient_at(p, index[i]), expected[i], 1e-10, "entry %lld is %.10f", (long long)index[i], gradient_at(p, index[i]));
}

static const sow_hypermap_sizes tiny = {K, D, 2, 3, SOW_HYPERMAP_ROWS, 0, 0, 0};

Test(hypermap_network, matches_the_independent_golden_vector)
{
    numbers m[3];
    const sow_hypermap_batch support[2] = {batch_number(&m[0], 0), batch_number(&m[1], 1)};
    const sow_hypermap_task task = {.support = {0.05, 2, 2, support, NULL}, .query = batch_number(&m[2], 2)};
    sow_params *p = sine_params(&tiny);
    sow_tape *t = NULL;
    sow_hypermap_meta *meta = NULL;
    sow_hypermap_values v;
    double loss = 0;
    cr_assert_eq(sow_params_numbers(p), NUMBERS);
    cr_assert_eq(sow_tape_create(&t, NULL, SOW_F64, NULL, NULL), SOW_OK);
    sow_hypermap_forward(&v, t, p, &tiny, &support[0], NULL);
    const double out[6] = {-0.6347778081, -0.5498917785, 0.2138338093, -0.6347695861, -0.5507974248, 0.2147400114};
    for (int i = 0; i < 6; i++) cr_assert_float_eq(((double *)sow_tape_value(t, v.out).data)[i], out[i], 1e-10);
    cr_assert_float_eq(((double *)sow_tape_value(t, v.weight).data)[0], 0.5003162309, 1e-10);
    cr_assert_float_eq(sow_tape_scalar(t, v.loss), 0.724486647869, 1e-12);
    cr_assert_eq(sow_tape_backward(t, v.loss, NULL), SOW_OK);
    check_gradient(p, 1.035089303631, (const double[6]){-0.0009696440, -0.0007015727, -0.0014417445, -0.0143885777, -0.1508724965, -0.0032392544});
    cr_assert_eq(sow_hypermap_meta_create(&meta, &tiny, SOW_F64, 4, NULL, NULL), SOW_OK);
    cr_assert_eq(sow_hypermap_meta_gradient(p, meta, &task, 1, 0, &loss, NULL), SOW_OK);
    cr_assert_float_eq(loss, 0.859624422429, 1e-12);
    check_gradient(p, 0.620491697544, (const double[6]){0.0003215924, 0.0267530977, -0.0006997768, 0.0047574715, -0.0357454335, 0.0028712850});
    cr_assert_eq(sow_hypermap_meta_gradient(p, meta, &task, 1, 1, &loss, NULL), SOW_OK);
    check_gradient(p, 1.387513338318, (const double[6]){0.0001901924, 0.0338039191, -0.0013745977, -0.0084245936, -0.2145946523, -0.0019027950});
    sow_hypermap_meta_destroy(meta);
    sow_tape_destroy(t);
    sow_params_destroy(p);
}

/* ---- random nets ---- */

enum { R_ROWS = 5, R_GENES = 6, R_WIDTH = 4, R_X = 3, R_E = 2 };

typedef struct {
    sow_hypermap_sizes sizes;
    double x[3][R_X * R_GENES], e[3][R_E * R_WIDTH], y[3][R_ROWS * R_GENES];
    sow_index x_row[R_ROWS], e_row[R_ROWS];
    sow_hypermap_batch batch[3];
    sow_hypermap_dropout dropout[4];
    sow_hypermap_task task;
} random_task;

static void fill_normals(double *x, int n, sow_rng *rng)
{
    for (int i = 0; i < n; i++) x[i] = sow_rng_normal(rng);
}

/* Two support batches of two steps each and a query; rows share cells and embeddings. */
static void random_task_make(random_task *r, sow_hypermap_fusion fusion, uint32_t number, double dropout)
{
    sow_rng rng = sow_rng_make(11, SOW_RNG_TEST, number, (uint32_t)fusion);
    memset(r, 0, sizeof *r);
    r->sizes = (sow_hypermap_sizes){R_GENES, R_WIDTH, 3, 5, fusion, 0, 0, 0};
    for (int i = 0; i < R_ROWS; i++) {
        r->x_row[i] = i % R_X;
        r->e_row[i] = (i / 2) % R_E;
    }
    for (int b = 0; b < 3; b++) {
        fill_normals(r->x[b], R_X * R_GENES, &rng);
        fill_normals(r->e[b], R_E * R_WIDTH, &rng);
        fill_normals(r->y[b], R_ROWS * R_GENES, &rng);
        r->batch[b] = (sow_hypermap_batch){R_ROWS, R_X, R_E, r->x[b], r->x_row, r->e[b], r->e_row, r->y[b]};
    }
    for (uint32_t s = 0; s < 4; s++) r->dropout[s] = (sow_hypermap_dropout){.rate = dropout, .seed = 3, .stream = number, .call = s};
    r->task = (sow_hypermap_task){.support = {0.02, 2, 2, r->batch, dropout > 0 ? r->dropout : NULL}, .query = r->batch[2], .query_dropout = {.rate = dropout, .seed = 3, .stream = number, .call = 4}};
}

/* The query's loss after the descent, from weights moved by `by` along `direction`. */
static double loss_along(const random_task *r, const sow_params *from, const double *direction, double by)
{
    sow_params *p = NULL;
    sow_hypermap_meta *m = NULL;
    double loss = NAN;
    cr_assert_eq(sow_hypermap_params_create(&p, &r->sizes, SOW_F64, 1, 0, NULL), SOW_OK);
    cr_assert_eq(sow_params_copy(p, from, NULL), SOW_OK);
    for (sow_index i = 0, n = 0; i < sow_params_count(p); i++) {
        const sow_tensor v = sow_params_value(p, i);
        for (sow_index j = 0; j < v.rows * v.cols; j++, n++) ((double *)v.data)[j] += by * direction[n];
    }
    cr_assert_eq(sow_hypermap_meta_create(&m, &r->sizes, SOW_F64, 4, NULL, NULL), SOW_OK);
    cr_assert_eq(sow_hypermap_meta_gradient(p, m, &r->task, 1, 1, &loss, NULL), SOW_OK);
    sow_hypermap_meta_destroy(m);
    sow_params_destroy(p);
    return loss;
}

static void check_difference(sow_hypermap_fusion fusion, uint32_t number, double dropout)
{
    random_task r;
    sow_params *p = NULL;
    sow_hypermap_meta *m = NULL;
    random_task_make(&r, fusion, number, dropout);
    cr_assert_eq(sow_hypermap_params_create(&p, &r.sizes, SOW_F64, 5, number, NULL), SOW_OK);
    const sow_index n = sow_params_numbers(p);
    double *direction = calloc((size_t)n, sizeof *direction), length = 0, slope = 0;
    sow_rng rng = sow_rng_make(12, SOW_RNG_TEST, number, 1);
    for (sow_index i = 0; i < n; i++) {
        direction[i] = sow_rng_normal(&rng);
        length += direction[i] * direction[i];
    }
    for (sow_index i = 0; i < n; i++) direction[i] /= sqrt(length);
    cr_assert_eq(sow_hypermap_meta_create(&m, &r.sizes, SOW_F64, 4, NULL, NULL), SOW_OK);
    cr_assert_eq(sow_hypermap_meta_gradient(p, m, &r.task, 1, 0, NULL, NULL), SOW_OK);
    for (sow_index i = 0; i < n; i++) slope += gradient_at(p, i) * direction[i];
    const double h = 1e-5, difference = (loss_along(&r, p, direction, h) - loss_along(&r, p, direction, -h)) / (2 * h);
    cr_assert_float_eq(slope, difference, 1e-6 * (1 + fabs(difference)), "fusion %d, network %u: %.9g, by differences %.9g", (int)fusion, (unsigned)number, slope, difference);
    sow_hypermap_meta_destroy(m);
    sow_params_destroy(p);
    free(direction);
}

Test(hypermap_network, meta_gradients_agree_with_differences)
{
    for (int fusion = SOW_HYPERMAP_ROWS; fusion <= SOW_HYPERMAP_TOKENS; fusion++)
        for (uint32_t number = 1; number <= 5; number++) check_difference((sow_hypermap_fusion)fusion, number, number % 2 ? 0 : 0.2);
}

/* ---- who a prediction depends on ---- */

/* The first row's prediction in the whole batch less that of the row alone with the second. */
static double difference_alone(sow_hypermap_fusion fusion)
{
    random_task r;
    sow_params *p = NULL;
    sow_tape *t = NULL;
    sow_hypermap_values v;
    double first[R_GENES], worst = 0;
    random_task_make(&r, fusion, 9, 0);
    cr_assert_eq(sow_hypermap_params_create(&p, &r.sizes, SOW_F64, 5, 9, NULL), SOW_OK);
    cr_assert_eq(sow_tape_create(&t, NULL, SOW_F64, NULL, NULL), SOW_OK);
    sow_hypermap_forward(&v, t, p, &r.sizes, &r.batch[0], NULL);
    memcpy(first, sow_tape_value(t, v.out).data, sizeof first);
    sow_tape_reset(t);
    sow_hypermap_batch two = r.batch[0];
    two.n = 2;
    two.y = NULL;
    sow_hypermap_forward(&v, t, p, &r.sizes, &two, NULL);
    for (int j = 0; j < R_GENES; j++) worst = fmax(worst, fabs(((double *)sow_tape_value(t, v.out).data)[j] - first[j]));
    sow_tape_destroy(t);
    sow_params_destroy(p);
    return worst;
}

Test(hypermap_network, only_the_published_fusion_looks_at_other_rows)
{
    cr_assert_gt(difference_alone(SOW_HYPERMAP_ROWS), 1e-6);
    for (int fusion = SOW_HYPERMAP_WHOLE; fusion <= SOW_HYPERMAP_TOKENS; fusion++) cr_assert_lt(difference_alone((sow_hypermap_fusion)fusion), 1e-14, "fusion %d", fusion);
}

/* ---- what stops ---- */

Test(hypermap_network, an_inner_loop_that_runs_away_is_named)
{
    random_task r;
    sow_params *p = NULL;
    sow_tape *t = NULL;
    sow_hypermap_meta *m = NULL;
    sow_error err = {0};
    random_task_make(&r, SOW_HYPERMAP_ROWS, 1, 0);
    r.task.support.rate = 1e30;
    cr_assert_eq(sow_hypermap_params_create(&p, &r.sizes, SOW_F64, 5, 1, NULL), SOW_OK);
    cr_assert_eq(sow_tape_create(&t, NULL, SOW_F64, NULL, NULL), SOW_OK);
    cr_assert_eq(sow_hypermap_meta_create(&m, &r.sizes, SOW_F64, 4, NULL, NULL), SOW_OK);
    cr_assert_eq(sow_hypermap_meta_gradient(p, m, &r.task, 1, 0, NULL, &err), SOW_E_NONFINITE);
    cr_assert(strstr(err.message, "task 1 of 1") && strstr(err.message, "of 4 of the inner loop") && strstr(err.message, "1e+30"), "%s", err.message);
    err = (sow_error){0};
    cr_assert_eq(sow_hypermap_descend(p, t, &r.sizes, &r.task.support, NULL, &err), SOW_E_NONFINITE);
    cr_assert(strstr(err.message, "at a rate of"), "%s", err.message);
    sow_hypermap_meta_destroy(m);
    cr_assert_eq(sow_hypermap_meta_create(&m, &r.sizes, SOW_F64, 3, NULL, NULL), SOW_OK);
    cr_assert_eq(sow_hypermap_meta_gradient(p, m, &r.task, 1, 0, NULL, &err), SOW_E_ARG);
    cr_assert_eq(sow_hypermap_meta_gradient(p, m, &r.task, 0, 0, NULL, &err), SOW_E_ARG);
    sow_hypermap_meta_destroy(m);
    sow_tape_destroy(t);
    sow_params_destroy(p);
}
