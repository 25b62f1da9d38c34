#include "golden.h"
#include "tape_check.h"

#include "core/memory.h"
#include "core/mmd.h"

#include "../io/faults.h"

static const sow_index x_start[3] = {0, 3, 8}, y_start[3] = {0, 4, 6};

static void near(double a, double b, double tolerance, const char *what, sow_index i)
{
    cr_assert(fabs(a - b) <= tolerance * fmax(1, fabs(b)), "%s at %lld: %.15g, not %.15g", what, (long long)i, a, b);
}

/* About standard normal: a sum of four uniforms. */
static double *normal(uint32_t item, sow_index n)
{
    double *u = check_random(4 * n, -1, 1, item), *x = calloc((size_t)n, sizeof *x);
    cr_assert(x != NULL);
    for (sow_index i = 0; i < n; i++) x[i] = (u[4 * i] + u[4 * i + 1] + u[4 * i + 2] + u[4 * i + 3]) * sqrt(0.75);
    free(u);
    return x;
}

static sow_tape *tape_of(sow_dtype dtype, sow_threads *threads)
{
    sow_tape *t = NULL;
    sow_error err = {0};
    cr_assert_eq(sow_tape_create(&t, NULL, dtype, threads, &err), SOW_OK, "%s", err.message);
    return t;
}

/* ---- on every backend; see tape_check.h. core/mmd.h's sow_mmd is the naive twin ---- */

typedef struct {
    sow_index k, x_start[4], y_start[4];
    sow_mmd_options options;
    int itself; /* y is x */
} segments;

static sow_var build(sow_tape *t, const sow_var *x, const check_case *c)
{
    const segments *s = c->user;
    return sow_op_mmd(t, x[0], s->x_start, s->itself ? x[0] : x[1], s->y_start, s->k, &s->options);
}

static void naive(double *out, double *const *x, const check_case *c)
{
    const segments *s = c->user;
    const sow_index d = c->in[0].cols;
    const double *y = s->itself ? x[0] : x[1];
    for (sow_index i = 0; i < s->k; i++) {
        sow_error err = {0};
        cr_assert_eq(sow_mmd(&out[i], x[0] + s->x_start[i] * d, s->x_start[i + 1] - s->x_start[i], y + s->y_start[i] * d, s->y_start[i + 1] - s->y_start[i], d, &s->options, NULL, &err),
                     SOW_OK, "%s", err.message);
    }
}

static const segments biased = {2, {0, 3, 8}, {0, 4, 6}, {3, 5, 0}, 0}, unbiased = {2, {0, 3, 8}, {0, 4, 6}, {3, 5, 1}, 0}, many_kernels = {1, {0, 4}, {0, 3}, {200, 13, 1}, 0},
                      one_kernel = {1, {0, 4}, {0, 3}, {3, 1, 0}, 0}, single_rows = {1, {0, 1}, {0, 1}, {2, 4, 0}, 0}, of_itself = {1, {1, 4}, {2, 5}, {3, 4, 1}, 1},
                      gaps = {3, {1, 3, 6, 8}, {2, 4, 7, 9}, {1, 3, 0}, 0}, large = {2, {0, 20, 64}, {0, 40, 70}, {400, 10, 1}, 0};

#define MMD(name_, user_, n, m, d) {.name = name_, .build = build, .naive = naive, .n_in = 2, .in = {{n, d}, {m, d}}, .rows = (user_).k, .cols = 1, .user = &(user_)}

static const check_case cases[] = {
    MMD("biased MMD of segments", biased, 8, 6, 4),
    MMD("unbiased MMD of segments", unbiased, 8, 6, 4),
    MMD("MMD with more kernels than squarings hold", many_kernels, 4, 3, 2),
    MMD("MMD with one kernel", one_kernel, 4, 3, 1),
    MMD("MMD of single rows", single_rows, 1, 1, 3),
    MMD("MMD of segments with rows before and after them", gaps, 10, 11, 2),
    {.name = "MMD between rows of one matrix", .build = build, .naive = naive, .n_in = 1, .in = {{7, 3}}, .rows = 1, .cols = 1, .user = &of_itself},
    {.name = "a large MMD", .build = build, .naive = naive, .n_in = 2, .in = {{64, 1100}, {70, 1100}}, .rows = 2, .cols = 1, .user = &large, .large = 1},
};

Test(op_mmd, agrees_with_plain_loops_and_differences)
{
    check_table(cases, sizeof cases / sizeof *cases);
}

/* By differences the bandwidth would change as well; so at a fixed one, which is what it says. */
Test(op_mmd, lets_nothing_flow_through_a_bandwidth_from_the_data)
{
    static const sow_index start[2] = {0, 6};
    double *x = normal(1, 24), *y = normal(2, 24), all = 0;
    sow_tape *t = tape_of(SOW_F64, NULL);
    sow_error err = {0};
    double *pooled[2] = {x, y}, *kept = calloc(24, sizeof *kept);
    cr_assert(kept);
    for (int a = 0; a < 12; a++)
        for (int b = 0; b < 12; b++)
            for (int j = 0; j < 4; j++) {
                const double off = pooled[a / 6][a % 6 * 4 + j] - pooled[b / 6][b % 6 * 4 + j];
                all += off * off;
            }
    for (int from_data = 0; from_data < 2; from_data++) {
        const sow_mmd_options o = {from_data ? 0 : all / (12 * 11), 6, 0};
        sow_tape_reset(t);
        const sow_var in = sow_tape_variable(t, x, 6, 4), out = sow_op_mmd(t, in, start, sow_tape_constant(t, y, 6, 4), start, 1, &o);
        sow_var composed;
        cr_assert_eq(sow_tape_backward(t, out, &err), SOW_OK, "%s", err.message);
        const double *g = sow_tape_grad_of(t, in).data;
        for (int i = 0; i < 24; i++) {
            if (from_data) near(g[i], kept[i], 1e-14, "gradient", i);
            kept[i] = g[i];
        }
        cr_assert_eq(sow_tape_gradient(t, &composed, out, &in, 1, &err), SOW_OK, "%s", err.message);
        for (int i = 0; i < 24; i++) near(((const double *)sow_tape_value(t, composed).data)[i], kept[i], 1e-14, "composed gradient", i);
    }
    sow_tape_destroy(t);
    free(x);
    free(y);
    free(kept);
}

/* ---- values against plain differences ---- */

enum { N = 70, MM = 45, D = 1100 };

/* Segments [20 v 5], [37 v 30] of cells far from 0 (mean `level`), of values single precision holds. */
static void check_twin(sow_dtype dtype, double level, sow_mmd_options o, double tolerance)
{
    static const sow_index xs[3] = {2, 22, 59}, ys[3] = {0, 5, 35};
    float *x = malloc(N * D * sizeof *x), *y = malloc(MM * D * sizeof *y);
    double *xd = malloc(N * D * sizeof *xd), *yd = malloc(MM * D * sizeof *yd), *raw[2] = {normal(1, N * D), normal(2, MM * D)};
    sow_tape *t = tape_of(dtype, NULL);
    sow_error err = {0};
    cr_assert(x && y && xd && yd);
    for (sow_index i = 0; i < N * D; i++) xd[i] = (double)(x[i] = (float)(level + 0.5 * raw[0][i]));
    for (sow_index i = 0; i < MM * D; i++) yd[i] = (double)(y[i] = (float)(level + 0.1 + 0.5 * raw[1][i]));
    const sow_var out = sow_op_mmd(t, sow_tape_floats(t, x, N, D), xs, sow_tape_floats(t, y, MM, D), ys, 2, &o);
    cr_assert_eq(sow_tape_status(t, &err), SOW_OK, "%s", err.message);
    for (int s = 0; s < 2; s++) {
        double expected;
        const void *given = sow_tape_value(t, out).data;
        cr_assert_eq(sow_mmd(&expected, xd + xs[s] * D, xs[s + 1] - xs[s], yd + ys[s] * D, ys[s + 1] - ys[s], D, &o, NULL, &err), SOW_OK, "%s", err.message);
        near(dtype == SOW_F32 ? (double)((const float *)given)[s] : ((const double *)given)[s], expected, tolerance, "value", s);
    }
    sow_tape_destroy(t);
    free(x);
    free(y);
    free(xd);
    free(yd);
    free(raw[0]);
    free(raw[1]);
}

Test(op_mmd, equals_plain_differences_in_double)
{
    check_twin(SOW_F64, 2, (sow_mmd_options){500, 10, 0}, 1e-14);
    check_twin(SOW_F64, 2, (sow_mmd_options){500, 10, 1}, 1e-14);
    check_twin(SOW_F64, 2, (sow_mmd_options){0, 30, 0}, 1e-12);
    check_twin(SOW_F64, 1e4, (sow_mmd_options){500, 1, 0}, 1e-12);
}

Test(op_mmd, is_near_plain_differences_in_single_however_far_from_zero_the_cells_are)
{
    check_twin(SOW_F32, 2, (sow_mmd_options){500, 10, 0}, 2e-7);
    check_twin(SOW_F32, 2, (sow_mmd_options){0, 10, 1}, 2e-7);
    check_twin(SOW_F32, 100, (sow_mmd_options){500, 10, 0}, 2e-6);
}

/* The gradient in single precision of cells far from 0 against the one in double. */
Test(op_mmd, has_a_gradient_in_single_that_is_near_that_in_double)
{
    static const sow_index start[2] = {0, 30};
    enum { ROWS = 30, COLUMNS = 1100 };
    float *x = malloc(ROWS * COLUMNS * sizeof *x), *y = malloc(ROWS * COLUMNS * sizeof *y);
    double *xd = malloc(ROWS * COLUMNS * sizeof *xd), *raw[2] = {normal(1, ROWS * COLUMNS), normal(2, ROWS * COLUMNS)}, most = 0;
    sow_tape *tape[2] = {tape_of(SOW_F32, NULL), tape_of(SOW_F64, NULL)};
    const sow_mmd_options o = {500, 10, 0};
    const void *g[2];
    sow_error err = {0};
    cr_assert(x && y && xd);
    for (sow_index i = 0; i < ROWS * COLUMNS; i++) {
        xd[i] = (double)(x[i] = (float)(20 + 0.5 * raw[0][i]));
        y[i] = (float)(20.2 + 0.5 * raw[1][i]);
    }
    for (int k = 0; k < 2; k++) {
        const sow_var in = sow_tape_variable(tape[k], k ? (const void *)xd : x, ROWS, COLUMNS);
        const sow_var out = sow_op_mmd(tape[k], in, start, sow_tape_floats(tape[k], y, ROWS, COLUMNS), start, 1, &o);
        cr_assert_eq(sow_tape_backward(tape[k], out, &err), SOW_OK, "%s", err.message);
        g[k] = sow_tape_grad_of(tape[k], in).data;
    }
    for (sow_index i = 0; i < ROWS * COLUMNS; i++) most = fmax(most, fabs(((const double *)g[1])[i]));
    for (sow_index i = 0; i < ROWS * COLUMNS; i++)
        cr_assert(fabs((double)((const float *)g[0])[i] - ((const double *)g[1])[i]) <= 1e-5 * most, "%lld: %g, not %g", (long long)i, (double)((const float *)g[0])[i], ((const double *)g[1])[i]);
    sow_tape_destroy(tape[0]);
    sow_tape_destroy(tape[1]);
    free(x);
    free(y);
    free(raw[0]);
    free(raw[1]);
    free(xd);
}

Test(op_mmd, of_equal_samples_is_exactly_0_in_double_and_no_gradient_flows)
{
    static const sow_index start[2] = {0, 20};
    double *x = normal(1, 20 * 700);
    sow_tape *t = tape_of(SOW_F64, NULL);
    const sow_mmd_options o = {900, 10, 0};
    sow_error err = {0};
    const sow_var in = sow_tape_variable(t, x, 20, 700), out = sow_op_mmd(t, in, start, sow_tape_constant(t, x, 20, 700), start, 1, &o);
    cr_assert_eq(sow_tape_backward(t, out, &err), SOW_OK, "%s", err.message);
    cr_assert(sow_tape_scalar(t, out) == 0);
    for (int i = 0; i < 20 * 700; i++) cr_assert(fabs(((const double *)sow_tape_grad_of(t, in).data)[i]) <= 1e-16);
    sow_tape_destroy(t);
    free(x);
}

Test(op_mmd, of_one_and_the_same_row_with_a_bandwidth_from_the_data_is_0_without_a_gradient)
{
    static const sow_index start[2] = {0, 2};
    const double x[6] = {1, 2, 3, 1, 2, 3};
    sow_tape *t = tape_of(SOW_F64, NULL);
    const sow_mmd_options o = {0, 10, 0};
    sow_error err = {0};
    sow_var composed;
    const sow_var in = sow_tape_variable(t, x, 2, 3), out = sow_op_mmd(t, in, start, sow_tape_constant(t, x, 2, 3), start, 1, &o);
    cr_assert_eq(sow_tape_backward(t, out, &err), SOW_OK, "%s", err.message);
    cr_assert(sow_tape_scalar(t, out) == 0);
    for (int i = 0; i < 6; i++) cr_assert(((const double *)sow_tape_grad_of(t, in).data)[i] == 0);
    cr_assert_eq(sow_tape_gradient(t, &composed, out, &in, 1, &err), SOW_OK, "%s", err.message);
    for (int i = 0; i < 6; i++) cr_assert(((const double *)sow_tape_value(t, composed).data)[i] == 0);
    sow_tape_destroy(t);
}

/* ---- golden numbers of the reference ---- */

static const char *golden_path = SOWER_SHARED_DIR "/parity/mmd.h5";

static void check_golden_set(int n, int d, double tolerance, sow_dtype dtype)
{
    static const double sigma[3] = {200, 1500, 0};
    static const int kernels[2] = {5, 10};
    char name[64];
    const sow_index start[2] = {0, n};
    double *sample[3];
    static const char *const what[3] = {"x", "y", "mmd"};
    sow_tape *t = tape_of(dtype, NULL);
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "n%d_d%d/%s", n, d, what[i]);
        sample[i] = golden_doubles(golden_path, name, NULL);
    }
    float *single[2] = {calloc((size_t)(n * d), sizeof(float)), calloc((size_t)(n * d), sizeof(float))};
    cr_assert(single[0] && single[1]);
    for (int i = 0; i < 2 * n * d; i++) single[i / (n * d)][i % (n * d)] = (float)sample[i / (n * d)][i % (n * d)];
    for (int i = 0; i < 6; i++) {
        const sow_mmd_options o = {sigma[i / 2], kernels[i % 2], 0};
        sow_tape_reset(t);
        const sow_var x = sow_tape_constant(t, dtype == SOW_F32 ? (const void *)single[0] : sample[0], n, d);
        const sow_var y = sow_tape_constant(t, dtype == SOW_F32 ? (const void *)single[1] : sample[1], n, d);
        near(sow_tape_scalar(t, sow_op_mmd(t, x, start, y, start, 1, &o)), sample[2][i], tolerance, name, i);
    }
    sow_tape_destroy(t);
    for (int i = 0; i < 3; i++) free(sample[i]);
    free(single[0]);
    free(single[1]);
}

Test(op_mmd, matches_the_reference_in_double_and_in_single)
{
    static const int n[3] = {16, 32, 64}, d[3] = {5, 50, 500};
    GOLDEN_OR_SKIP(golden_path);
    for (int i = 0; i < 9; i++) {
        check_golden_set(n[i / 3], d[i % 3], 1e-12, SOW_F64);
        check_golden_set(n[i / 3], d[i % 3], 1e-5, SOW_F32);
    }
}

Test(op_mmd, matches_gradients_of_the_reference)
{
    static const struct {
        const char *name, *set;
        int n, d;
    } golden[] = {{"fixed_n32_d50", "n32_d50", 32, 50}, {"auto_n16_d5", "n16_d5", 16, 5}, {"fixed_n32_d500_s200", "n32_d500", 32, 500}};
    GOLDEN_OR_SKIP(golden_path);
    for (size_t i = 0; i < sizeof golden / sizeof *golden; i++) {
        static const char *const part[] = {"sigma", "value", "dx"};
        double *read[5];
        char name[64];
        for (int k = 0; k < 3; k++) {
            snprintf(name, sizeof name, "grad/%s/%s", golden[i].name, part[k]);
            read[k] = golden_doubles(golden_path, name, NULL);
        }
        snprintf(name, sizeof name, "grad/%s/kernel_num", golden[i].name);
        int *kernels = golden_ints(golden_path, name, NULL);
        for (int k = 0; k < 2; k++) {
            snprintf(name, sizeof name, "%s/%s", golden[i].set, k ? "y" : "x");
            read[3 + k] = golden_doubles(golden_path, name, NULL);
        }
        const sow_index n = golden[i].n, d = golden[i].d, start[2] = {0, n};
        const sow_mmd_options o = {read[0][0], kernels[0], 0};
        sow_tape *t = tape_of(SOW_F64, NULL);
        sow_error err = {0};
        const sow_var x = sow_tape_variable(t, read[3], n, d), out = sow_op_mmd(t, x, start, sow_tape_constant(t, read[4], n, d), start, 1, &o);
        cr_assert_eq(sow_tape_backward(t, out, &err), SOW_OK, "%s", err.message);
        near(sow_tape_scalar(t, out), read[1][0], 1e-12, golden[i].name, 0);
        for (sow_index j = 0; j < n * d; j++) near(((const double *)sow_tape_grad_of(t, x).data)[j], read[2][j], 1e-13, golden[i].name, j);
        sow_tape_destroy(t);
        free(kernels);
        for (int k = 0; k < 5; k++) free(read[k]);
    }
}

/* ---- sameness, memory, errors ---- */

enum { BIG = 40, WIDE = 3000 };

Test(op_mmd, has_the_same_bits_for_any_number_of_threads)
{
    static const sow_index start[3] = {0, 15, BIG};
    const sow_mmd_options o = {3000, 10, 1};
    for (int kind = 0; kind < 2; kind++) {
        const sow_dtype dtype = kind ? SOW_F64 : SOW_F32;
        const size_t size = sow_dtype_size(dtype);
        char *first = NULL;
        double *x = normal(1, BIG * WIDE), *y = normal(2, BIG * WIDE);
        float *single = malloc(BIG * WIDE * sizeof *single);
        cr_assert(single);
        for (int i = 0; i < BIG * WIDE; i++) single[i] = (float)y[i];
        for (int n = 1; n <= 3; n++) {
            sow_threads *threads = NULL;
            sow_error err = {0};
            cr_assert_eq(sow_threads_create(&threads, n, &err), SOW_OK);
            sow_tape *t = tape_of(dtype, threads);
            const sow_var in = sow_tape_variable(t, kind ? (const void *)x : single, BIG, WIDE);
            const sow_var out = sow_op_mmd(t, in, start, sow_op_scale(t, sow_tape_floats(t, single, BIG, WIDE), 0.9), start, 2, &o);
            cr_assert_eq(sow_tape_backward(t, sow_op_sum(t, out), &err), SOW_OK, "%s", err.message);
            const size_t bytes = BIG * WIDE * size;
            if (!first) {
                first = malloc(bytes + 2 * size);
                cr_assert(first);
                memcpy(first, sow_tape_grad_of(t, in).data, bytes);
                memcpy(first + bytes, sow_tape_value(t, out).data, 2 * size);
            }
            cr_assert_eq(memcmp(first, sow_tape_grad_of(t, in).data, bytes), 0);
            cr_assert_eq(memcmp(first + bytes, sow_tape_value(t, out).data, 2 * size), 0);
            sow_tape_destroy(t);
            sow_threads_destroy(threads);
        }
        free(first);
        free(x);
        free(y);
        free(single);
    }
}

/* More rows than one tile of the Gram matrix, and fewer chunks than blocks of columns. */
Test(op_mmd, compares_many_rows_as_it_compares_few)
{
    enum { ROWS = 150, COLUMNS = 1300 };
    static const sow_index start[2] = {0, ROWS};
    double *x = normal(1, ROWS * COLUMNS), *y = normal(2, ROWS * COLUMNS), expected;
    const sow_mmd_options o = {2000, 10, 1};
    sow_error err = {0};
    float *single = malloc(2 * ROWS * COLUMNS * sizeof *single);
    cr_assert(single);
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        single[i] = (float)x[i];
        single[ROWS * COLUMNS + i] = (float)y[i];
    }
    cr_assert_eq(sow_mmd(&expected, x, ROWS, y, ROWS, COLUMNS, &o, NULL, &err), SOW_OK);
    for (int kind = 0; kind < 2; kind++) {
        sow_tape *t = tape_of(kind ? SOW_F64 : SOW_F32, NULL);
        const sow_var a = sow_tape_constant(t, kind ? (const void *)x : single, ROWS, COLUMNS), b = sow_tape_constant(t, kind ? (const void *)y : single + ROWS * COLUMNS, ROWS, COLUMNS);
        near(sow_tape_scalar(t, sow_op_mmd(t, a, start, b, start, 1, &o)), expected, kind ? 1e-14 : 1e-7, "value", 0);
        sow_tape_destroy(t);
    }
    free(x);
    free(y);
    free(single);
}

static void build_once(sow_tape *t, const double *x, sow_status *st, sow_error *err)
{
    static const sow_mmd_options o = {3, 5, 0};
    const sow_var in = sow_tape_variable(t, x, 8, 4), out = sow_op_mmd(t, in, x_start, sow_tape_constant(t, x, 6, 4), y_start, 2, &o);
    *st = sow_tape_backward(t, sow_op_sum(t, out), err);
}

Test(op_mmd, takes_no_memory_in_the_second_pass)
{
    double *x = normal(1, 32);
    sow_tape *t = tape_of(SOW_F64, NULL);
    sow_error err = {0};
    for (int pass = 0; pass < 3; pass++) {
        sow_status st;
        sow_tape_reset(t);
        sow_memory_fail_after(pass ? 0 : -1);
        build_once(t, x, &st, &err);
        sow_memory_fail_after(-1);
        cr_assert_eq(st, SOW_OK, "pass %d: %s", pass, err.message);
    }
    sow_tape_destroy(t);
    free(x);
}

static sow_status build_with_faults(sow_error *err)
{
    static const double x[32] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    sow_tape *t = NULL;
    sow_status st = sow_tape_create(&t, NULL, SOW_F64, NULL, err);
    if (st == SOW_OK) build_once(t, x, &st, err);
    sow_tape_destroy(t);
    return st;
}

Test(op_mmd, survives_a_failure_of_any_allocation)
{
    every_allocation_may_fail(build_with_faults, 1);
}

static void refused(sow_index x_cols, sow_index k, const sow_index *xs, const sow_index *ys, sow_mmd_options o, sow_status expected, const char *says)
{
    static const double x[64] = {0};
    sow_tape *t = tape_of(SOW_F64, NULL);
    CHECK_STOPPED(t, sow_op_mmd(t, sow_tape_constant(t, x, 8, x_cols), xs, sow_tape_constant(t, x, 6, 4), ys, k, &o), expected, says);
    sow_tape_destroy(t);
}

Test(op_mmd, refuses_what_cannot_be_compared)
{
    const sow_mmd_options good = {3, 5, 0}, without_diagonals = {3, 5, 1};
    static const sow_index falling[3] = {0, 5, 4}, beyond[3] = {0, 3, 9}, before[3] = {-1, 3, 8}, empty[3] = {0, 0, 6}, single[3] = {0, 1, 6};
    refused(3, 2, x_start, y_start, good, SOW_E_SHAPE, "MMD");
    refused(4, 0, x_start, y_start, good, SOW_E_ARG, "segments");
    refused(4, 2, falling, y_start, good, SOW_E_SHAPE, "of x");
    refused(4, 2, x_start, beyond, good, SOW_E_SHAPE, "of y");
    refused(4, 2, before, y_start, good, SOW_E_SHAPE, "of x");
    refused(4, 2, x_start, empty, good, SOW_E_ARG, "segment 0");
    refused(4, 2, x_start, single, without_diagonals, SOW_E_ARG, "segment 0");
    refused(4, 2, x_start, y_start, (sow_mmd_options){-1, 5, 0}, SOW_E_ARG, "sigma");
    refused(4, 2, x_start, y_start, (sow_mmd_options){3, 31, 0}, SOW_E_ARG, "kernels");
    refused(4, 2, x_start, y_start, (sow_mmd_options){3, 0, 0}, SOW_E_ARG, "kernels");
}

Test(op_mmd, of_single_rows_is_defined_when_it_is_biased)
{
    static const sow_index start[2] = {0, 1};
    const double x[3] = {0, 1, 2}, y[3] = {1, 1, 2};
    const sow_mmd_options o = {2, 1, 0};
    sow_tape *t = tape_of(SOW_F64, NULL);
    near(sow_tape_scalar(t, sow_op_mmd(t, sow_tape_constant(t, x, 1, 3), start, sow_tape_constant(t, y, 1, 3), start, 1, &o)), 2 - 2 * exp(-0.5), 1e-15, "value", 0);
    sow_tape_destroy(t);
}
