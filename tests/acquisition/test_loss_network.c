/* The loss predictor's network against the golden numbers of the published one; what it learns; its training. */
#include "acquisition/loss_network.h"
#include "core/memory.h"
#include "core/optim.h"
#include "tests/acquisition/fake.h"
#include "tests/core/golden.h"

#define GOLDEN SOWER_SHARED_DIR "/parity/lossnet.h5"

/* ---- golden numbers ---- */

enum { ROWS = 32, STEPS = 5 };

static const char *const param_name[] = {"fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"};

typedef struct {
    const char *name;
    sow_index dim, out;
    sow_dtype dtype;
    double tolerance;
    sow_tape *tape;
    sow_params *params;
    void *x, *target; /* [3, ROWS, dim], [3, ROWS] in the dtype */
    sow_index *bin;   /* [3, ROWS] */
} golden_case;

static double *golden_of(const golden_case *c, const char *what, size_t *n)
{
    char path[96];
    snprintf(path, sizeof path, "%s/%s", c->name, what);
    return golden_doubles(GOLDEN, path, n);
}

static void *in_dtype(const double *x, size_t n, sow_dtype dtype)
{
    void *out = calloc(n, sow_dtype_size(dtype));
    for (size_t i = 0; i < n; i++)
        if (dtype == SOW_F64)
            ((double *)out)[i] = x[i];
        else
            ((float *)out)[i] = (float)x[i];
    return out;
}

static double entry(sow_tensor t, sow_index i)
{
    return t.dtype == SOW_F64 ? ((const double *)t.data)[i] : (double)((const float *)t.data)[i];
}

static void check_tensor(const golden_case *c, const char *what, sow_tensor t, double tolerance)
{
    size_t n = 0;
    double *golden = golden_of(c, what, &n);
    cr_assert_eq((size_t)(t.rows * t.cols), n, "%s/%s", c->name, what);
    for (size_t i = 0; i < n; i++)
        cr_assert(fabs(entry(t, (sow_index)i) - golden[i]) <= tolerance, "%s/%s %zu: %.17g, %.17g", c->name, what, i,
                  entry(t, (sow_index)i), golden[i]);
    free(golden);
}

static void open_case(golden_case *c)
{
    char path[64];
    size_t n = 0;
    sow_error err = {0};
    double *x = golden_of(c, "x", &n), *target = golden_of(c, "target", NULL);
    cr_assert_eq(n, (size_t)(3 * ROWS * c->dim));
    c->x = in_dtype(x, n, c->dtype);
    c->target = in_dtype(target, 3 * ROWS, c->dtype);
    c->bin = calloc(3 * ROWS, sizeof *c->bin);
    for (int i = 0; i < 3 * ROWS; i++)
        c->bin[i] = (sow_index)target[i];
    cr_assert_eq(sow_tape_create(&c->tape, NULL, c->dtype, NULL, &err), SOW_OK, "%s", err.message);
    cr_assert_eq(sow_i_loss_params(&c->params, c->dim, c->out, c->dtype, 1, 0, &err), SOW_OK, "%s", err.message);
    for (int p = 0; p < 4; p++) {
        snprintf(path, sizeof path, "params/%s", param_name[p]);
        double *value = golden_of(c, path, &n);
        const sow_tensor to = sow_params_value(c->params, p);
        cr_assert_str_eq(sow_params_name(c->params, p), param_name[p]);
        cr_assert_eq((size_t)(to.rows * to.cols), n, "%s %s", c->name, param_name[p]);
        void *converted = in_dtype(value, n, c->dtype);
        memcpy(to.data, converted, n * sow_dtype_size(c->dtype));
        free(converted);
        free(value);
    }
    free(x);
    free(target);
}

static void close_case(golden_case *c)
{
    sow_tape_destroy(c->tape);
    sow_params_destroy(c->params);
    free(c->x);
    free(c->target);
    free(c->bin);
}

/* Forward and loss of one batch; the gradients when asked. */
static sow_var batch_loss(golden_case *c, int batch, sow_var *out, int backward)
{
    const size_t size = sow_dtype_size(c->dtype);
    sow_error err = {0};
    sow_tape_reset(c->tape);
    *out = sow_i_loss_forward(c->tape, c->params,
                              sow_tape_constant(c->tape, (char *)c->x + size * (size_t)(batch * ROWS * c->dim), ROWS, c->dim));
    const sow_var loss = c->out > 1 ? sow_op_cross_entropy(c->tape, *out, c->bin + batch * ROWS)
                                    : sow_op_mse(c->tape, *out,
                                                 sow_tape_constant(c->tape, (char *)c->target + size * (size_t)(batch * ROWS), ROWS, 1));
    cr_assert_eq(sow_tape_status(c->tape, &err), SOW_OK, "%s", err.message);
    if (backward) cr_assert_eq(sow_tape_backward(c->tape, loss, &err), SOW_OK, "%s", err.message);
    return loss;
}

static void check_first_batch(golden_case *c)
{
    char path[64];
    sow_var out;
    const sow_var loss = batch_loss(c, 0, &out, 1);
    check_tensor(c, "out", sow_tape_value(c->tape, out), c->tolerance);
    check_tensor(c, "loss", sow_tape_value(c->tape, loss), c->tolerance);
    for (int p = 0; p < 4; p++) {
        snprintf(path, sizeof path, "grad/%s", param_name[p]);
        check_tensor(c, path, sow_params_grad(c->params, p), c->tolerance);
    }
}

/* Steps of Adam; with `compare_params` also the weights after the first and the fifth. */
static void check_steps(golden_case *c, int compare_params)
{
    sow_adam_options adam = SOW_ADAM_INIT;
    sow_var out;
    char path[64];
    double *rate = golden_of(c, "lr", NULL), *losses = golden_of(c, "adam_losses", NULL);
    adam.rate = rate[0];
    for (int s = 0; s < STEPS; s++) {
        const sow_var loss = batch_loss(c, s % 3, &out, 1);
        cr_assert(fabs(sow_tape_scalar(c->tape, loss) - losses[s]) <= c->tolerance, "%s loss %d: %.17g, %.17g", c->name, s,
                  sow_tape_scalar(c->tape, loss), losses[s]);
        cr_assert_eq(sow_adam_step(c->params, &adam, NULL, NULL, NULL), SOW_OK);
        for (int p = 0; p < 4 && compare_params && (s == 0 || s == STEPS - 1); p++) {
            snprintf(path, sizeof path, "adam_step%d/%s", s + 1, param_name[p]);
            check_tensor(c, path, sow_params_value(c->params, p), c->tolerance);
        }
    }
    batch_loss(c, 0, &out, 0);
    check_tensor(c, "out_after", sow_tape_value(c->tape, out), c->tolerance);
    free(rate);
    free(losses);
}

static void check_all_cases(sow_dtype dtype, double tolerance)
{
    golden_case cases[] = {{.name = "mse_latent50", .dim = 50, .out = 1},
                           {.name = "mse_distinct_rows", .dim = 50, .out = 1},
                           {.name = "ce_latent50", .dim = 50, .out = SOW_I_LOSS_BINS},
                           {.name = "ce_small_dim20", .dim = 20, .out = SOW_I_LOSS_BINS}};
    for (int k = 0; k < 4; k++) {
        golden_case *c = &cases[k];
        c->dtype = dtype;
        c->tolerance = tolerance;
        char path[64];
        snprintf(path, sizeof path, "%s/hidden", c->name);
        int *hidden = golden_ints(GOLDEN, path, NULL);
        cr_assert_eq(sow_i_loss_hidden(c->dim, c->out), hidden[0]);
        free(hidden);
        open_case(c);
        check_first_batch(c);
        check_steps(c, dtype == SOW_F64);
        close_case(c);
    }
}

Test(loss_network, matches_the_golden_forward_loss_gradients_and_steps_in_double)
{
    GOLDEN_OR_SKIP(GOLDEN);
    check_all_cases(SOW_F64, 1e-12);
}

Test(loss_network, matches_the_golden_numbers_loosely_in_float)
{
    GOLDEN_OR_SKIP(GOLDEN);
    check_all_cases(SOW_F32, 1e-4);
}

Test(loss_network, bins_losses_by_the_golden_float_edges)
{
    GOLDEN_OR_SKIP(GOLDEN);
    float edges[SOW_I_LOSS_BINS + 1];
    size_t n = 0;
    double *low = golden_doubles(GOLDEN, "binning/min", NULL), *high = golden_doubles(GOLDEN, "binning/max", NULL),
           *golden = golden_doubles(GOLDEN, "binning/edges_float32", NULL), *value = golden_doubles(GOLDEN, "binning/values", &n);
    int *bin = golden_ints(GOLDEN, "binning/bin", NULL);
    sow_i_loss_edges(edges, low[0], high[0]);
    for (int k = 0; k <= SOW_I_LOSS_BINS; k++)
        cr_assert((double)edges[k] == golden[k], "edge %d: %.9g, %.9g", k, (double)edges[k], golden[k]);
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(sow_i_loss_bin(value[i], edges), bin[i], "value %zu", i);
    free(low);
    free(high);
    free(golden);
    free(value);
    free(bin);
}

/* ---- criteria ---- */

Test(loss_network, the_ranking_criterion_is_the_mean_logistic_loss_of_pairs_and_stays_finite)
{
    const double score[] = {0.5, -1.0, 2.0}, far[] = {-1e4, 1e4};
    const sow_index higher[] = {0, 2, 1}, lower[] = {1, 0, 2}, first[] = {0, 0, 0};
    sow_tape *t = NULL;
    sow_error err = {0};
    cr_assert_eq(sow_tape_create(&t, NULL, SOW_F64, NULL, NULL), SOW_OK);
    const sow_var s = sow_tape_variable(t, score, 3, 1), loss = sow_i_loss_pairs(t, s, higher, lower, first, 3);
    const double expected = (log1p(exp(-1.5)) + log1p(exp(-1.5)) + log1p(exp(3.0))) / 3;
    cr_assert(fabs(sow_tape_scalar(t, loss) - expected) <= 1e-14, "%.17g", sow_tape_scalar(t, loss));
    cr_assert_eq(sow_tape_backward(t, loss, &err), SOW_OK, "%s", err.message);
    const double p = 1 / (1 + exp(1.5)), q = 1 / (1 + exp(-3.0)); /* how wrong each pair is */
    const double gradient[] = {(-p + p) / 3, (p - q) / 3, (-p + q) / 3};
    for (int i = 0; i < 3; i++)
        cr_assert(fabs(entry(sow_tape_grad_of(t, s), i) - gradient[i]) <= 1e-14);
    sow_tape_reset(t);
    const sow_var apart = sow_i_loss_pairs(t, sow_tape_constant(t, far, 2, 1), first, higher + 2, first, 1);
    cr_assert(fabs(sow_tape_scalar(t, apart) - 2e4) <= 1e-9);
    sow_tape_destroy(t);
}

/* ---- targets ---- */

static void targets(sow_i_loss_targets *t, const sow_pool_view *view, const char *target, int cells, int each)
{
    sow_error err = {0};
    cr_assert_eq(sow_i_loss_targets_make(t, view, target, cells, each, &err), SOW_OK, "%s", err.message);
}

/* Five labelled, the third without features, the fifth without a loss. */
static const sow_index loss_of[] = {0, 0, 1, 2, 3};
static const double loss[] = {0.4, 0.6, 0.5, 9.0, 0.7}, loss_cells[] = {30, 10, 20, 5, 10};
static const unsigned char loss_held[] = {0, 1, 0, 1, 1}, labelled_has[] = {1, 1, 0, 1, 1};

static sow_pool_view loss_view(void)
{
    static const double features[5] = {0, 1, 2, 3, 4};
    return (sow_pool_view){.dim = 1,
                           .n_labelled = 5,
                           .labelled_features = features,
                           .labelled_has = labelled_has,
                           .n_losses = 5,
                           .loss_of = loss_of,
                           .loss = loss,
                           .loss_cells = loss_cells,
                           .loss_held = loss_held};
}

Test(loss_target, is_the_mean_loss_of_a_perturbation_weighted_by_cells)
{
    const sow_pool_view view = loss_view();
    sow_i_loss_targets t;
    targets(&t, &view, NULL, 0, 0);
    cr_assert(t.n == 3 && t.n_rows == 3 && t.differ && !t.held_only);
    cr_assert(t.labelled[0] == 0 && t.labelled[1] == 1 && t.labelled[2] == 3);
    cr_assert(fabs(t.y[0] - 0.45) <= 1e-15 && t.y[1] == 0.5 && t.y[2] == 0.7);
    sow_i_loss_targets_clear(&t);
    targets(&t, &view, "all", 0, 1);
    cr_assert(t.n == 4 && t.n_rows == 3 && t.y[0] == 0.4 && t.y[1] == 0.6 && t.row[0] == 0 && t.row[1] == 0 && t.row[3] == 2);
    sow_i_loss_targets_clear(&t);
}

Test(loss_target, without_cells_every_loss_counts_alike)
{
    sow_pool_view view = loss_view();
    sow_i_loss_targets t;
    view.loss_cells = NULL;
    targets(&t, &view, NULL, 0, 0);
    cr_assert(fabs(t.y[0] - 0.5) <= 1e-15);
    sow_i_loss_targets_clear(&t);
    sow_error err = {0};
    cr_assert_eq(sow_i_loss_targets_make(&t, &view, NULL, 1, 0, &err), SOW_E_CONFIG);
    cr_assert(strstr(err.message, "acquisition.loss_cells"), "%s", err.message);
    sow_i_loss_targets_clear(&t);
}

Test(loss_target, held_losses_are_taken_where_half_have_one)
{
    sow_pool_view view = loss_view();
    unsigned char held[] = {0, 1, 0, 1, 0};
    sow_i_loss_targets t;
    targets(&t, &view, "held", 0, 0); /* two of three: 0 and 3 */
    cr_assert(t.held_only && t.n == 2 && t.labelled[0] == 0 && t.labelled[1] == 3 && t.y[0] == 0.6 && t.y[1] == 0.7);
    sow_i_loss_targets_clear(&t);
    view.loss_held = held; /* one of three */
    targets(&t, &view, "held", 0, 0);
    cr_assert(!t.held_only && t.n == 3 && fabs(t.y[0] - 0.45) <= 1e-15);
    sow_i_loss_targets_clear(&t);
    view.loss_held = NULL;
    targets(&t, &view, "held", 0, 0);
    cr_assert(!t.held_only && t.n == 3);
    sow_i_loss_targets_clear(&t);
}

/* Losses that are 0.3 + 0.1 log(cells) + something of their own lose exactly the slope. */
Test(loss_target, loses_what_the_number_of_cells_explains)
{
    enum { M = 40 };
    double y[M], cells[M], own[M], features[M] = {0}, xo = 0, mean = 0;
    sow_index of[M];
    for (int i = 0; i < M; i++) {
        cells[i] = 10 + 5 * i;
        own[i] = i % 2 ? 0.05 : -0.05;
        y[i] = 0.3 + 0.1 * log(cells[i]) + own[i];
        of[i] = i;
    }
    sow_pool_view view = {
        .dim = 1, .n_labelled = M, .labelled_features = features, .n_losses = M, .loss_of = of, .loss = y, .loss_cells = cells};
    sow_i_loss_targets t;
    targets(&t, &view, NULL, 1, 0);
    for (int i = 0; i < M; i++) {
        xo += (t.y[i]) * log(cells[i]) / M;
        mean += t.y[i] / M;
    }
    double x = 0, y_mean = 0;
    for (int i = 0; i < M; i++) {
        x += log(cells[i]) / M;
        y_mean += y[i] / M;
    }
    cr_assert(fabs(xo - mean * x) <= 1e-13, "left over %g", xo - mean * x);
    cr_assert(fabs(mean - y_mean) <= 1e-13);
    for (int i = 0; i < M; i++)
        cr_assert(fabs(t.y[i] - y_mean - own[i]) <= 0.02, "%d: %g", i, t.y[i]);
    sow_i_loss_targets_clear(&t);
    for (int i = 0; i < M; i++)
        cells[i] = 32;
    targets(&t, &view, NULL, 1, 0);
    cr_assert(t.y[3] == y[3], "as many cells everywhere explain nothing");
    sow_i_loss_targets_clear(&t);
}

Test(loss_target, refuses_other_words_and_losses_of_nothing_that_has_features)
{
    const unsigned char none[5] = {0};
    sow_pool_view view = loss_view();
    sow_i_loss_targets t;
    sow_error err = {0};
    cr_assert_eq(sow_i_loss_targets_make(&t, &view, "out", 0, 0, &err), SOW_E_CONFIG);
    cr_assert_str_eq(err.message, "acquisition.loss_target is 'out': all or held are allowed");
    sow_i_loss_targets_clear(&t);
    view.labelled_has = none;
    cr_assert_eq(sow_i_loss_targets_make(&t, &view, NULL, 0, 0, &err), SOW_E_DATA);
    cr_assert(strstr(err.message, "none of the 5 losses"), "%s", err.message);
    sow_i_loss_targets_clear(&t);
}

/* ---- training ---- */

enum { DIM = 8, SEEN = 120, ASKED = 600 };

/* A loss that is high where the first two features agree in sign, on a scale and an offset of their own. */
typedef struct {
    double x[SEEN * DIM], y[SEEN], asked[ASKED * DIM], truth[ASKED], out[ASKED];
    sow_index row[SEEN];
} made;

static double made_loss(const double *x)
{
    return 0.4 + 0.1 * tanh(2 * x[0] * x[1]) + 0.05 * x[2];
}

static made *make(uint64_t seed, double scale)
{
    made *m = calloc(1, sizeof *m);
    sow_rng rng = sow_rng_make(seed, SOW_RNG_TEST, 5, 0);
    for (int i = 0; i < SEEN * DIM; i++)
        m->x[i] = sow_rng_normal(&rng);
    for (int i = 0; i < ASKED * DIM; i++)
        m->asked[i] = sow_rng_normal(&rng);
    for (int i = 0; i < SEEN; i++) {
        m->y[i] = made_loss(m->x + i * DIM) + 0.02 * sow_rng_normal(&rng);
        m->row[i] = i;
    }
    for (int i = 0; i < ASKED; i++)
        m->truth[i] = made_loss(m->asked + i * DIM);
    for (int i = 0; i < SEEN * DIM; i++)
        m->x[i] *= scale;
    for (int i = 0; i < ASKED * DIM; i++)
        m->asked[i] *= scale;
    return m;
}

static void fit(made *m, sow_i_loss_form form, sow_index members, const sow_env *env)
{
    const sow_i_loss_examples e = {.dim = DIM, .n_rows = SEEN, .n = SEEN, .x = m->x, .row = m->row, .y = m->y};
    const sow_i_loss_settings s = {.form = form, .members = members, .seed = 11};
    sow_error err = {0};
    cr_assert_eq(sow_i_loss_fit_predict(m->out, &e, m->asked, ASKED, &s, env, &err), SOW_OK, "%s", err.message);
}

static double correlation(const double *a, const double *b, sow_index n)
{
    double ma = 0, mb = 0, ab = 0, aa = 0, bb = 0;
    for (sow_index i = 0; i < n; i++) {
        ma += a[i] / (double)n;
        mb += b[i] / (double)n;
    }
    for (sow_index i = 0; i < n; i++) {
        ab += (a[i] - ma) * (b[i] - mb);
        aa += (a[i] - ma) * (a[i] - ma);
        bb += (b[i] - mb) * (b[i] - mb);
    }
    return ab / sqrt(aa * bb);
}

Test(loss_fit, every_form_learns_which_losses_are_high)
{
    const sow_i_loss_form form[] = {SOW_I_LOSS_PUBLISHED, SOW_I_LOSS_REGRESSION, SOW_I_LOSS_BINNED, SOW_I_LOSS_RANKING};
    for (int f = 0; f < 4; f++) {
        made *m = make(1, 1);
        fit(m, form[f], 1, NULL);
        const double r = correlation(m->out, m->truth, ASKED);
        cr_assert(r > (form[f] == SOW_I_LOSS_BINNED ? 0.3 : 0.6), "form %d: %.3f", f, r);
        free(m);
    }
}

Test(loss_fit, an_ensemble_is_no_worse_than_its_members)
{
    made *m = make(1, 1);
    fit(m, SOW_I_LOSS_REGRESSION, 1, NULL);
    const double one = correlation(m->out, m->truth, ASKED);
    fit(m, SOW_I_LOSS_REGRESSION, 10, NULL);
    const double ten = correlation(m->out, m->truth, ASKED);
    cr_assert(ten > one, "one %.3f, ten %.3f", one, ten);
    free(m);
}

Test(loss_fit, the_default_form_is_free_of_the_features_scale)
{
    made *a = make(2, 1), *b = make(2, 1024); /* a power of two: the same bits after scaling */
    fit(a, SOW_I_LOSS_REGRESSION, 1, NULL);
    fit(b, SOW_I_LOSS_REGRESSION, 1, NULL);
    cr_assert_eq(memcmp(a->out, b->out, sizeof a->out), 0);
    free(a);
    free(b);
}

Test(loss_fit, gives_the_same_bits_for_any_number_of_threads)
{
    made *a = make(3, 1), *b = make(3, 1);
    for (sow_index members = 1; members <= 11; members += 10) {
        fit(a, SOW_I_LOSS_REGRESSION, members, NULL);
        for (int n = 2; n <= 3; n++) {
            sow_threads *threads = NULL;
            cr_assert_eq(sow_threads_create(&threads, n, NULL), SOW_OK);
            const sow_env env = {.threads = threads};
            memset(b->out, 0, sizeof b->out);
            fit(b, SOW_I_LOSS_REGRESSION, members, &env);
            cr_assert_eq(memcmp(a->out, b->out, sizeof a->out), 0, "%d members, %d threads", (int)members, n);
            sow_threads_destroy(threads);
        }
    }
    free(a);
    free(b);
}

/* A lone network of many weights shares out its kernels instead of its members. */
Test(loss_fit, gives_the_same_bits_when_a_large_network_is_shared_out)
{
    enum { WIDE = 270, FEW = 12 };
    static double x[FEW * WIDE], y[FEW], a[FEW], b[FEW];
    sow_index row[FEW];
    sow_rng rng = sow_rng_make(9, SOW_RNG_TEST, 5, 1);
    for (int i = 0; i < FEW * WIDE; i++)
        x[i] = sow_rng_normal(&rng);
    for (int i = 0; i < FEW; i++) {
        y[i] = sow_rng_normal(&rng);
        row[i] = i;
    }
    const sow_i_loss_examples e = {.dim = WIDE, .n_rows = FEW, .n = FEW, .x = x, .row = row, .y = y};
    const sow_i_loss_settings s = {.form = SOW_I_LOSS_PUBLISHED, .members = 1, .seed = 3};
    cr_assert_eq(sow_i_loss_fit_predict(a, &e, x, FEW, &s, NULL, NULL), SOW_OK);
    for (int n = 2; n <= 3; n++) {
        sow_threads *threads = NULL;
        cr_assert_eq(sow_threads_create(&threads, n, NULL), SOW_OK);
        const sow_env env = {.threads = threads};
        cr_assert_eq(sow_i_loss_fit_predict(b, &e, x, FEW, &s, &env, NULL), SOW_OK);
        cr_assert_eq(memcmp(a, b, sizeof a), 0, "%d threads", n);
        sow_threads_destroy(threads);
    }
}

Test(loss_fit, bins_are_positions_and_the_high_losses_are_in_the_high_ones)
{
    made *m = make(4, 1);
    fit(m, SOW_I_LOSS_BINNED, 3, NULL);
    for (int i = 0; i < ASKED; i++)
        cr_assert(m->out[i] >= 0 && m->out[i] < SOW_I_LOSS_BINS && m->out[i] == floor(m->out[i]));
    free(m);
}

static int stop_half_way(void *user, const char *what, double fraction)
{
    (void)user;
    (void)what;
    return fraction > 0.5;
}

Test(loss_fit, can_be_cancelled)
{
    made *m = make(5, 1);
    const sow_env env = {.progress = stop_half_way};
    const sow_i_loss_examples e = {.dim = DIM, .n_rows = SEEN, .n = SEEN, .x = m->x, .row = m->row, .y = m->y};
    for (sow_index members = 1; members <= 10; members += 9) {
        const sow_i_loss_settings s = {.form = SOW_I_LOSS_REGRESSION, .members = members, .seed = 11};
        cr_assert_eq(sow_i_loss_fit_predict(m->out, &e, m->asked, ASKED, &s, &env, NULL), SOW_E_CANCELLED);
    }
    free(m);
}

Test(loss_fit, numbers_too_large_to_hold_are_an_error_and_not_a_choice)
{
    const double x[] = {0, 1e308, -1e308, 1, 2, 3}, y[] = {1, 2, 3, 4, 5, 6};
    const sow_index row[] = {0, 1, 2, 3, 4, 5};
    double out[6];
    sow_error err = {0};
    const sow_i_loss_examples e = {.dim = 1, .n_rows = 6, .n = 6, .x = x, .row = row, .y = y};
    const sow_i_loss_settings s = {.form = SOW_I_LOSS_PUBLISHED, .members = 1, .seed = 1};
    cr_assert_eq(sow_i_loss_fit_predict(out, &e, x, 6, &s, NULL, &err), SOW_E_NONFINITE, "%s", err.message);
}
