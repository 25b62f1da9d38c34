/* HyperMap against the numbers of the published code (parity/hypermap_small.h5): passes, inner steps, exact and first-order meta-gradients, outer steps of Adam, adaptation; in double and in single precision.
 * And against the independent golden vector of the facts (section 10), which needs no file. */
#include "models/hypermap/hypermap.h"

#include "core/optim.h"
#include "tests/core/golden.h"

#include <math.h>
#include <string.h>

#define GOLDEN SOWER_SHARED_DIR "/parity/hypermap_small.h5"
enum { GENES = 50, EMBEDDING = 12, LATENT = 8, HIDDEN = 16, PARAMS = 24, MOST_OWNED = 256, STEPS = 6 };

static const sow_hypermap_sizes sizes = {GENES, EMBEDDING, LATENT, HIDDEN, SOW_HYPERMAP_ROWS, 0, 0, 0};

/* ---- reading: what is read lives as long as the test ---- */

typedef struct {
    sow_dtype dtype;
    void *owned[MOST_OWNED];
    int n;
} shelf;

static void *keep(shelf *s, void *p)
{
    cr_assert(s->n < MOST_OWNED);
    return s->owned[s->n++] = p;
}

static void shelf_clear(shelf *s)
{
    while (s->n > 0) free(s->owned[--s->n]);
}

/* A dataset in the shelf's dtype. */
static void *read_typed(shelf *s, const char *path, size_t *count)
{
    size_t n = 0;
    double *x = keep(s, golden_doubles(GOLDEN, path, &n));
    if (count) *count = n;
    if (s->dtype == SOW_F64) return x;
    float *y = keep(s, malloc(n * sizeof *y));
    for (size_t i = 0; i < n; i++) y[i] = (float)x[i];
    return y;
}

enum { PATH = 192, FOLDER = 96 };

static const char *joined(char text[PATH], const char *a, const char *b)
{
    const int n = snprintf(text, PATH, "%s%s", a, b);
    cr_assert(n > 0 && n < PATH);
    return text;
}

static double number_at(const char *path)
{
    double *x = golden_doubles(GOLDEN, path, NULL), y = x[0];
    free(x);
    return y;
}

static sow_hypermap_batch read_batch(shelf *s, const char *folder)
{
    char path[PATH];
    size_t n = 0;
    sow_hypermap_batch b = {0};
    b.y = read_typed(s, joined(path, folder, "target"), &n);
    b.x = read_typed(s, joined(path, folder, "ctrl"), NULL);
    b.e = read_typed(s, joined(path, folder, "emb"), NULL);
    b.n = b.n_x = b.n_e = (sow_index)n / GENES;
    return b;
}

/* Masks [.., 4, rows, hidden]: those of the k-th pass. */
static sow_hypermap_dropout read_masks(shelf *s, const char *path, sow_index k, sow_index rows)
{
    sow_hypermap_dropout d = {.rate = 0.2};
    const char *all = read_typed(s, path, NULL);
    for (int i = 0; i < 4; i++) d.mask[i] = all + (size_t)((k * 4 + i) * rows * HIDDEN) * sow_dtype_size(s->dtype);
    return d;
}

static sow_params *read_params(sow_dtype dtype)
{
    sow_params *p = NULL;
    cr_assert_eq(sow_hypermap_params_create(&p, &sizes, dtype, 1, 0, NULL), SOW_OK);
    cr_assert_eq(sow_params_count(p), PARAMS);
    for (sow_index i = 0; i < PARAMS; i++) {
        char path[PATH];
        size_t n = 0;
        double *x = golden_doubles(GOLDEN, joined(path, "params/", sow_params_name(p, i)), &n);
        const sow_tensor v = sow_params_value(p, i);
        cr_assert_eq((sow_index)n, v.rows * v.cols, "%s", path);
        for (size_t j = 0; j < n; j++) {
            if (dtype == SOW_F64)
                ((double *)v.data)[j] = x[j];
            else
                ((float *)v.data)[j] = (float)x[j];
        }
        free(x);
    }
    return p;
}

/* ---- comparing ---- */

static double at(sow_tensor x, sow_index i)
{
    return x.dtype == SOW_F64 ? ((const double *)x.data)[i] : (double)((const float *)x.data)[i];
}

static void check_tensor(sow_tensor ours, const char *path, double tolerance)
{
    size_t n = 0;
    double *theirs = golden_doubles(GOLDEN, path, &n), worst = 0;
    cr_assert_eq((sow_index)n, ours.rows * ours.cols, "%s", path);
    for (size_t i = 0; i < n; i++) worst = fmax(worst, fabs(at(ours, (sow_index)i) - theirs[i]));
    cr_assert(worst <= tolerance, "%s is off by %g", path, worst);
    free(theirs);
}

static void check_number(double ours, const char *path, size_t i, double tolerance)
{
    double *theirs = golden_doubles(GOLDEN, path, NULL);
    cr_assert_float_eq(ours, theirs[i], tolerance, "%s[%zu] is %.15g, expected %.15g", path, i, ours, theirs[i]);
    free(theirs);
}

/* Entries of values or gradients; or (relative > 0) their norms. */
static void check_all(const sow_params *p, int gradients, const char *folder, double tolerance, double relative)
{
    for (sow_index i = 0; i < PARAMS; i++) {
        char path[PATH];
        const sow_tensor x = gradients ? sow_params_grad(p, i) : sow_params_value(p, i);
        joined(path, folder, sow_params_name(p, i));
        if (relative == 0) {
            check_tensor(x, path, tolerance);
            continue;
        }
        size_t n = 0;
        double *theirs = golden_doubles(GOLDEN, path, &n), a = 0, b = 0;
        for (size_t j = 0; j < n; j++) {
            a += at(x, (sow_index)j) * at(x, (sow_index)j);
            b += theirs[j] * theirs[j];
        }
        cr_assert(fabs(sqrt(a) - sqrt(b)) <= relative * sqrt(b) + tolerance, "%s has norm %g, expected %g", path, sqrt(a), sqrt(b));
        free(theirs);
    }
}

/* ---- one pass ---- */

static void check_pass(sow_dtype dtype, const char *name, int masked, sow_index rows, double tolerance, double relative)
{
    shelf s = {.dtype = dtype};
    sow_params *p = read_params(dtype);
    sow_tape *t = NULL;
    sow_error err = {0};
    sow_hypermap_values v;
    char folder[FOLDER], path[PATH];
    cr_assert_eq(sow_tape_create(&t, NULL, dtype, NULL, NULL), SOW_OK);
    sow_hypermap_batch b = read_batch(&s, "forward/batch/");
    if (rows) b.n = b.n_x = b.n_e = rows;
    const sow_hypermap_dropout masks = masked ? read_masks(&s, "forward/dropout/masks", 0, b.n) : (sow_hypermap_dropout){0};
    sow_hypermap_forward(&v, t, p, &sizes, &b, masked ? &masks : NULL);
    cr_assert_eq(sow_tape_status(t, &err), SOW_OK, "%s", err.message);
    snprintf(folder, sizeof folder, "forward/%s/", name);
    check_tensor(sow_tape_value(t, v.zc), joined(path, folder, "z_cell"), tolerance);
    check_tensor(sow_tape_value(t, v.zp), joined(path, folder, "z_pert"), tolerance);
    check_tensor(sow_tape_value(t, v.score), joined(path, folder, "scores"), tolerance);
    check_tensor(sow_tape_value(t, v.weight), joined(path, folder, "softmax_weights"), tolerance);
    check_tensor(sow_tape_value(t, v.fused), joined(path, folder, "context"), tolerance);
    const sow_var generated = sow_op_join_columns(t, v.matrices, v.biases);
    check_tensor(sow_tape_value(t, generated), joined(path, folder, "generated"), tolerance);
    check_tensor(sow_tape_value(t, v.out), joined(path, folder, "out"), tolerance);
    check_number(sow_tape_scalar(t, v.loss), joined(path, folder, "loss"), 0, tolerance * 10);
    cr_assert_eq(sow_tape_backward(t, v.loss, &err), SOW_OK, "%s", err.message);
    check_all(p, 1, joined(path, folder, "grad/"), tolerance, relative);
    sow_tape_destroy(t);
    sow_params_destroy(p);
    shelf_clear(&s);
}

Test(hypermap_golden, passes_match_in_double)
{
    GOLDEN_OR_SKIP(GOLDEN);
    check_pass(SOW_F64, "no_dropout", 0, 0, 1e-12, 0);
    check_pass(SOW_F64, "dropout", 1, 0, 1e-12, 0);
    check_pass(SOW_F64, "two_rows", 0, 2, 1e-12, 0);
}

Test(hypermap_golden, passes_match_in_single)
{
    GOLDEN_OR_SKIP(GOLDEN);
    check_pass(SOW_F32, "no_dropout", 0, 0, 1e-4, 1e-3);
    check_pass(SOW_F32, "dropout", 1, 0, 1e-4, 1e-3);
    check_pass(SOW_F32, "two_rows", 0, 2, 1e-4, 1e-3);
}

/* ---- meta-learning ---- */

typedef struct {
    sow_hypermap_batch support[2][2];
    sow_hypermap_dropout dropout[2][STEPS];
    sow_hypermap_task task[2];
} tasks;

static void read_tasks(tasks *m, shelf *s, int masked)
{
    char path[PATH];
    const sow_index steps = (sow_index)number_at("meta/hyper/inner_steps_per_batch");
    memset(m, 0, sizeof *m);
    for (int k = 0; k < 2; k++) {
        for (int b = 0; b < 2; b++) {
            snprintf(path, sizeof path, "meta/task%d/support%d/", k + 1, b + 1);
            m->support[k][b] = read_batch(s, path);
        }
        m->task[k].support = (sow_hypermap_descent){number_at("meta/hyper/inner_lr"), steps, 2, m->support[k], NULL};
        snprintf(path, sizeof path, "meta/task%d/query/", k + 1);
        m->task[k].query = read_batch(s, path);
        if (!masked) continue;
        m->task[k].support.dropout = m->dropout[k];
        snprintf(path, sizeof path, "meta/dropout/task%d_support_masks", k + 1);
        for (sow_index i = 0; i < STEPS; i++) m->dropout[k][i] = read_masks(s, path, i, m->support[k][0].n);
        snprintf(path, sizeof path, "meta/dropout/task%d_query_masks", k + 1);
        m->task[k].query_dropout = read_masks(s, path, 0, m->task[k].query.n);
    }
}

/* The inner loop of each task by itself: the loss before every step, and the weights. */
static void check_inner(const tasks *m, const char *folder, double tolerance)
{
    sow_tape *t = NULL;
    char path[PATH];
    cr_assert_eq(sow_tape_create(&t, NULL, SOW_F64, NULL, NULL), SOW_OK);
    for (int k = 0; k < 2; k++) {
        sow_params *p = read_params(SOW_F64);
        sow_hypermap_descent one = m->task[k].support;
        const sow_index steps = one.steps;
        one.steps = one.n_batches = 1;
        for (sow_index i = 0; i < STEPS; i++) {
            double loss = 0;
            one.batch = &m->support[k][i / steps];
            one.dropout = m->task[k].support.dropout ? &m->dropout[k][i] : NULL;
            cr_assert_eq(sow_hypermap_descend(p, t, &sizes, &one, &loss, NULL), SOW_OK);
            snprintf(path, sizeof path, "%stask%d_inner_losses", folder, k + 1);
            check_number(loss, path, (size_t)i, tolerance);
            snprintf(path, sizeof path, "%stask%d_adapted/step%d/", folder, k + 1, (int)i + 1);
            if (k == 0 || i == STEPS - 1) check_all(p, 0, path, tolerance, 0);
        }
        sow_params_destroy(p);
    }
    sow_tape_destroy(t);
}

/* Two outer steps: what is asked before each, the gradient of the first, the parameters after both. */
static void check_outer(const tasks *m, sow_dtype dtype, const char *folder, int first_order, double tolerance, double relative)
{
    sow_params *p = read_params(dtype);
    sow_hypermap_meta *meta = NULL;
    sow_error err = {0};
    char path[PATH], steps[FOLDER];
    const sow_adam_options adam = {number_at("meta/hyper/meta_lr"), 0.9, 0.999, 1e-8, 0, 0};
    cr_assert_eq(sow_hypermap_meta_create(&meta, &sizes, dtype, STEPS, NULL, &err), SOW_OK, "%s", err.message);
    snprintf(steps, sizeof steps, "%s%s", folder, first_order ? "outer_adam_first_order/" : "outer_adam/");
    for (int step = 0; step < 2; step++) {
        double loss[2] = {0};
        cr_assert_eq(sow_hypermap_meta_gradient(p, meta, m->task, 2, first_order, loss, &err), SOW_OK, "%s", err.message);
        check_number((loss[0] + loss[1]) / 2, joined(path, steps, "meta_losses"), (size_t)step, fmax(tolerance, 1e-12) * 10);
        if (step == 0) {
            for (size_t k = 0; k < 2; k++) check_number(loss[k], joined(path, folder, "query_losses"), k, fmax(tolerance, 1e-12) * 10);
            check_all(p, 1, joined(path, folder, first_order ? "grad_first_order/" : "grad_second_order/"), tolerance, relative);
        }
        cr_assert_eq(sow_adam_step(p, &adam, NULL, NULL, &err), SOW_OK, "%s", err.message);
        snprintf(path, sizeof path, "%sstep%d/", steps, step + 1);
        if (dtype == SOW_F64) check_all(p, 0, path, 1e-11, 0);
    }
    sow_hypermap_meta_destroy(meta);
    sow_params_destroy(p);
}

static void check_meta(sow_dtype dtype, int masked, double tolerance, double relative)
{
    shelf s = {.dtype = dtype};
    tasks m;
    const char *folder = masked ? "meta/dropout/" : "meta/no_dropout/";
    read_tasks(&m, &s, masked);
    if (dtype == SOW_F64) check_inner(&m, folder, tolerance);
    check_outer(&m, dtype, folder, 0, tolerance, relative);
    check_outer(&m, dtype, folder, 1, tolerance, relative);
    shelf_clear(&s);
}

Test(hypermap_golden, inner_steps_and_meta_gradients_match_in_double)
{
    GOLDEN_OR_SKIP(GOLDEN);
    check_meta(SOW_F64, 0, 1e-12, 0);
    check_meta(SOW_F64, 1, 1e-12, 0);
}

Test(hypermap_golden, meta_gradients_match_in_single)
{
    GOLDEN_OR_SKIP(GOLDEN);
    check_meta(SOW_F32, 0, 1e-4, 1e-3);
    check_meta(SOW_F32, 1, 1e-4, 1e-3);
}

/* ---- adaptation ---- */

static void check_adaptation(int masked)
{
    shelf s = {.dtype = SOW_F64};
    sow_params *p = read_params(SOW_F64);
    sow_tape *t = NULL;
    sow_hypermap_values v;
    const sow_hypermap_batch batch[2] = {read_batch(&s, "adapt/batch1/"), read_batch(&s, "adapt/batch2/")};
    sow_hypermap_batch ask = read_batch(&s, "adapt/predict/");
    sow_hypermap_dropout dropout[STEPS];
    const char *folder = masked ? "adapt/dropout/" : "adapt/no_dropout/";
    char path[PATH];
    double losses[STEPS];
    for (sow_index i = 0; i < STEPS && masked; i++) dropout[i] = read_masks(&s, "adapt/dropout/masks", i, batch[0].n);
    const sow_hypermap_descent d = {number_at("adapt/hyper/lr"), (sow_index)number_at("adapt/hyper/steps_per_batch"), 2, batch, masked ? dropout : NULL};
    ask.y = NULL;
    cr_assert_eq(sow_tape_create(&t, NULL, SOW_F64, NULL, NULL), SOW_OK);
    sow_hypermap_forward(&v, t, p, &sizes, &ask, NULL);
    check_tensor(sow_tape_value(t, v.out), "adapt/prediction_before", 1e-12);
    cr_assert_eq(v.loss, SOW_NO_VAR);
    cr_assert_eq(sow_hypermap_descend(p, t, &sizes, &d, losses, NULL), SOW_OK);
    for (size_t i = 0; i < STEPS; i++) check_number(losses[i], joined(path, folder, "losses"), i, 1e-11);
    check_all(p, 0, joined(path, folder, "step6/"), 1e-12, 0);
    sow_tape_reset(t);
    sow_hypermap_forward(&v, t, p, &sizes, &ask, NULL);
    check_tensor(sow_tape_value(t, v.out), joined(path, folder, "prediction"), 1e-12);
    sow_tape_destroy(t);
    sow_params_destroy(p);
    shelf_clear(&s);
}

Test(hypermap_golden, adaptation_matches_in_double)
{
    GOLDEN_OR_SKIP(GOLDEN);
    check_adaptation(0);
    check_adaptation(1);
}
