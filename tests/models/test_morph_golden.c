/* MORPH against the numbers of the published code (parity/morph_small.h5): outputs, losses, gradients and steps of Adam, in double and in single precision. */
#include "models/morph/morph.h"

#include "core/optim.h"
#include "tests/core/golden.h"
#include "tests/models/morph_fixture.h"

#define GOLDEN SOWER_SHARED_DIR "/parity/morph_small.h5"

typedef struct {
    const char *name, *base; /* the case, and where its parameters stand: "" or "moe/" */
    sow_morph_variant variant;
    int two;          /* a double perturbation */
    int nonzero_null; /* the other null label */
} golden_case;

static const golden_case cases[] = {
    {"single", "", SOW_MORPH_PLAIN, 0, 0},
    {"double", "", SOW_MORPH_PLAIN, 1, 0},
    {"nonzero_null", "", SOW_MORPH_PLAIN, 0, 1},
    {"no_residual1", "", SOW_MORPH_NO_RESIDUAL1_AS_PUBLISHED, 0, 0},
    {"no_residual1_intended", "", SOW_MORPH_NO_RESIDUAL1, 0, 0},
    {"moe/single", "moe/", SOW_MORPH_MOE, 0, 0},
    {"moe/double", "moe/", SOW_MORPH_MOE, 1, 0},
};

static double *read_at(const char *folder, const char *dataset)
{
    char path[128];
    snprintf(path, sizeof path, "%s%s", folder, dataset);
    return golden_doubles(GOLDEN, path, NULL);
}

static double read_number(const char *dataset)
{
    double *x = golden_doubles(GOLDEN, dataset, NULL);
    const double number = x[0];
    free(x);
    return number;
}

static int is_there(const char *folder, const char *dataset)
{
    char path[128];
    snprintf(path, sizeof path, "%s%s", folder, dataset);
    hid_t file = H5Fopen(GOLDEN, H5F_ACC_RDONLY, H5P_DEFAULT);
    const int there = H5Lexists(file, path, H5P_DEFAULT) > 0;
    H5Fclose(file);
    return there;
}

/* ---- one case: its network and its batch ---- */

typedef struct {
    const golden_case *c;
    morph_input in;
    sow_params *params;
    sow_tape *tape;
    sow_morph_values v;
    sow_morph_losses l;
    sow_morph_batch batch;
    sow_morph_weights w;
} golden_net;

static sow_morph_sizes golden_sizes(sow_morph_variant variant)
{
    sow_morph_sizes s = SOW_MORPH_SIZES_INIT;
    s.genes = 60;
    s.zc = s.zp = 8;
    s.programs = 6;
    s.program_dim = 5;
    s.hidden = 16;
    s.variant = variant;
    s.n_priors = variant == SOW_MORPH_MOE ? 3 : 1;
    s.prior[0] = 24;
    s.prior[1] = 20;
    s.prior[2] = 28;
    return s;
}

/* Rows of prior `i`: gene a, gene b when there are two, the null label. */
static double *golden_prior(const golden_case *c, int i, sow_index width)
{
    const int moe = c->variant == SOW_MORPH_MOE;
    char name[2][48];
    for (int gene = 0; gene < 2; gene++)
        snprintf(name[gene], sizeof name[gene], moe ? "moe/input/prior_%c%d" : "input/prior_%c", 'a' + gene, i + 1);
    double *rows = naive_zeros(3 * width);
    for (int gene = 0; gene < 1 + c->two; gene++) {
        double *row = golden_doubles(GOLDEN, name[gene], NULL);
        memcpy(rows + gene * width, row, (size_t)width * sizeof *row);
        free(row);
    }
    if (moe) return rows;
    double *null = golden_doubles(GOLDEN, c->nonzero_null ? "input/null_label_nonzero" : "input/null_label", NULL);
    memcpy(rows + (1 + c->two) * width, null, (size_t)width * sizeof *null);
    free(null);
    return rows;
}

static void read_input(morph_input *in, const golden_case *c)
{
    *in = (morph_input){.sizes = golden_sizes(c->variant), .k = 1, .n = 32, .m = 32, .n_latent = 2 + c->two, .x_start = {0, 32}, .y_start = {0, 32}, .second = {c->two ? 1 : -1}};
    in->x = golden_doubles(GOLDEN, "input/x_ctrl", NULL);
    in->y = golden_doubles(GOLDEN, c->two ? "input/y_ptb_double" : "input/y_ptb", NULL);
    in->eps = golden_doubles(GOLDEN, "input/eps", NULL);
    for (int i = 0; i < (int)in->sizes.n_priors; i++) in->prior[i] = golden_prior(c, i, in->sizes.prior[i]);
}

static void read_params(sow_params *p, const char *base)
{
    for (sow_index i = 0; i < sow_params_count(p); i++) {
        char path[128];
        snprintf(path, sizeof path, "%sparams/%s", base, sow_params_name(p, i));
        size_t n = 0;
        double *x = golden_doubles(GOLDEN, path, &n);
        const sow_tensor value = sow_params_value(p, i);
        cr_assert_eq((sow_index)n, value.rows * value.cols, "%s", path);
        for (size_t j = 0; j < n; j++) {
            if (value.dtype == SOW_F64)
                ((double *)value.data)[j] = x[j];
            else
                ((float *)value.data)[j] = (float)x[j];
        }
        free(x);
    }
}

static sow_morph_weights golden_weights(void)
{
    return (sow_morph_weights){read_number("hyper/alpha"), read_number("hyper/beta"), read_number("hyper/gamma1"), read_number("hyper/gamma2"),
                               {read_number("hyper/mmd_sigma"), (int)read_number("hyper/mmd_kernels"), 0}};
}

static void run_forward(golden_net *g)
{
    sow_tape_reset(g->tape);
    sow_morph_forward(&g->v, g->tape, g->params, &g->in.sizes, &g->batch);
    sow_morph_loss(&g->l, g->tape, &g->v, &g->batch, &g->w);
    sow_error err = {0};
    cr_assert_eq(sow_tape_status(g->tape, &err), SOW_OK, "%s", err.message);
}

static void golden_make(golden_net *g, const golden_case *c, sow_dtype dtype)
{
    *g = (golden_net){.c = c, .w = golden_weights()};
    read_input(&g->in, c);
    cr_assert_eq(sow_morph_params_create(&g->params, &g->in.sizes, dtype, 1, 0, NULL), SOW_OK);
    read_params(g->params, c->base);
    cr_assert_eq(sow_tape_create(&g->tape, NULL, dtype, NULL, NULL), SOW_OK);
    g->batch = morph_batch(&g->in, dtype);
    run_forward(g);
}

static void golden_clear(golden_net *g)
{
    sow_tape_destroy(g->tape);
    sow_params_destroy(g->params);
    morph_input_clear(&g->in);
}

/* ---- comparing ---- */

/* Rows first .. first + rows of ours against a stored array. */
static void check_rows(const golden_net *g, sow_var ours, sow_index first, sow_index rows, const char *dataset, double tolerance)
{
    if (!is_there("", g->c->name)) cr_assert_fail("no case %s", g->c->name);
    char folder[64];
    snprintf(folder, sizeof folder, "%s/out/", g->c->name);
    sow_tensor x = sow_tape_value(g->tape, ours);
    cr_assert_leq(first + rows, x.rows);
    x.data = (char *)x.data + (size_t)(first * x.cols) * sow_dtype_size(x.dtype);
    x.rows = rows;
    double *theirs = read_at(folder, dataset);
    const double distance = morph_distance(x, theirs);
    cr_assert(distance <= tolerance, "%s%s is off by %g of its largest", folder, dataset, distance);
    free(theirs);
}

static void check_outputs(const golden_net *g, double tolerance)
{
    const sow_morph_values *v = &g->v;
    check_rows(g, v->mu, 0, 32, "mu", tolerance);
    check_rows(g, v->logvar, 0, 32, "logvar", tolerance);
    check_rows(g, v->z, 0, 32, "z", tolerance);
    check_rows(g, v->z_ptb, 0, 1, "z_ptb", tolerance);
    if (strcmp(g->c->name, "single") == 0 || g->c->nonzero_null || strcmp(g->c->name, "moe/single") == 0) check_rows(g, v->latent, 1, 1, "z_ctrl", tolerance);
    check_rows(g, v->alpha1, 0, 32, "alpha1_ptb", tolerance);
    check_rows(g, v->alpha1, 32, 32, "alpha1_ctrl", tolerance);
    check_rows(g, v->alpha2, 0, 32, "alpha2_ptb", tolerance);
    check_rows(g, v->alpha2, 32, 32, "alpha2_ctrl", tolerance);
    check_rows(g, v->u, 0, 32, "u_out_ptb", tolerance);
    check_rows(g, v->u, 32, 32, "u_out_ctrl", tolerance);
    check_rows(g, v->y_hat, 0, 32, "y_hat", tolerance);
    check_rows(g, v->x_recon, 0, 32, "x_recon", tolerance);
}

static void check_losses(const golden_net *g, double tolerance)
{
    check_rows(g, g->l.pred, 0, 1, "loss_mmd_pred", tolerance);
    check_rows(g, g->l.pred_each, 0, 1, "loss_mmd_pred", tolerance);
    check_rows(g, g->l.mmd_recon, 0, 1, "loss_mmd_recon", tolerance);
    check_rows(g, g->l.mse, 0, 1, "loss_mse_recon", tolerance);
    check_rows(g, g->l.recon, 0, 1, "loss_recon", tolerance);
    check_rows(g, g->l.kl, 0, 1, "loss_kl", tolerance);
    check_rows(g, g->l.total, 0, 1, "loss_total", tolerance);
}

static double norm_of(sow_tensor x)
{
    double sum = 0;
    for (sow_index i = 0; i < x.rows * x.cols; i++) sum += morph_number(x, i) * morph_number(x, i);
    return sqrt(sum);
}

static double norm_of_doubles(const double *x, sow_index n)
{
    return norm_of((sow_tensor){.data = (void *)(uintptr_t)x, .rows = 1, .cols = n, .dtype = SOW_F64, .place = SOW_HOST});
}

static void backward(golden_net *g, sow_var loss)
{
    sow_error err = {0};
    cr_assert_eq(sow_tape_backward(g->tape, loss, &err), SOW_OK, "%s", err.message);
}

/* Norms of the gradient of each term alone; the gradient of a key's bias is 0 in theory, so that only its size can be told. */
static void check_norms(golden_net *g, double relative, double absolute)
{
    const sow_var terms[4] = {g->l.pred, g->l.mmd_recon, g->l.mse, g->l.kl};
    static const char *const names[4] = {"pred", "mmd_recon", "mse", "kl"};
    char folder[64];
    snprintf(folder, sizeof folder, "%s/out/", g->c->name);
    double *theirs = read_at(folder, "grad_norm_by_term");
    for (int term = 0; term < 4; term++) {
        backward(g, terms[term]);
        for (sow_index i = 0; i < sow_params_count(g->params); i++) {
            const double ours = norm_of(sow_params_grad(g->params, i)), stored = theirs[i * 4 + term];
            cr_assert(fabs(ours - stored) <= relative * stored + absolute, "%s: gradient of %s by %s has norm %.9g, expected %.9g", g->c->name, names[term],
                      sow_params_name(g->params, i), ours, stored);
        }
    }
    free(theirs);
}

/* Every stored gradient, entry by entry, or (relative > 0) by its norm. Returns how many were compared. */
static int check_gradients(golden_net *g, double tolerance, double relative)
{
    char folder[64];
    int compared = 0;
    snprintf(folder, sizeof folder, "%s/grad/", g->c->name);
    backward(g, g->l.total);
    for (sow_index i = 0; i < sow_params_count(g->params); i++) {
        const char *name = sow_params_name(g->params, i);
        if (!is_there(folder, name)) continue;
        const sow_tensor ours = sow_params_grad(g->params, i);
        double *theirs = read_at(folder, name);
        const double stored = norm_of_doubles(theirs, ours.rows * ours.cols), distance = morph_distance(ours, theirs);
        if (relative > 0)
            cr_assert(fabs(norm_of(ours) - stored) <= relative * stored + tolerance, "%s%s has norm %g, expected %g", folder, name, norm_of(ours), stored);
        else
            cr_assert(distance <= tolerance, "%s%s is off by %g of its largest", folder, name, distance);
        free(theirs);
        compared++;
    }
    return compared;
}

static int is_stored_in_part(const golden_case *c)
{
    return c->variant == SOW_MORPH_NO_RESIDUAL1;
}

static void check_plain(const golden_case *c, const char *dataset, const double *ours, sow_index n)
{
    char folder[64];
    snprintf(folder, sizeof folder, "%s/out/", c->name);
    double *theirs = read_at(folder, dataset);
    const double distance = morph_distance((sow_tensor){.data = (void *)(uintptr_t)ours, .rows = 1, .cols = n, .dtype = SOW_F64, .place = SOW_HOST}, theirs);
    cr_assert(distance <= 1e-12, "%s%s in plain loops is off by %g of its largest", folder, dataset, distance);
    free(theirs);
}

Test(morph_golden, plain_loops_of_the_tests_match_too)
{
    GOLDEN_OR_SKIP(GOLDEN);
    const sow_morph_weights w = golden_weights();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        morph_input in;
        sow_params *p = NULL;
        read_input(&in, &cases[i]);
        cr_assert_eq(sow_morph_params_create(&p, &in.sizes, SOW_F64, 1, 0, NULL), SOW_OK);
        read_params(p, cases[i].base);
        naive_morph nm = naive_morph_forward(&in, p, 1);
        const naive_losses l = naive_morph_loss(&nm, &w);
        check_plain(&cases[i], "alpha2_ctrl", nm.alpha[1] + 32 * 6, 32 * 6);
        check_plain(&cases[i], "y_hat", nm.decoded, 32 * 60);
        check_plain(&cases[i], "x_recon", nm.decoded + 32 * 60, 32 * 60);
        check_plain(&cases[i], "loss_total", &l.total, 1);
        naive_morph_clear(&nm);
        sow_params_destroy(p);
        morph_input_clear(&in);
    }
}

Test(morph_golden, outputs_losses_and_attention_match_in_double)
{
    GOLDEN_OR_SKIP(GOLDEN);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        golden_net g;
        golden_make(&g, &cases[i], SOW_F64);
        check_outputs(&g, 1e-12);
        check_losses(&g, 1e-12);
        golden_clear(&g);
    }
}

Test(morph_golden, every_gradient_matches_in_double_in_total_and_by_term)
{
    GOLDEN_OR_SKIP(GOLDEN);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        golden_net g;
        golden_make(&g, &cases[i], SOW_F64);
        cr_assert_eq(check_gradients(&g, 1e-12, 0), (int)sow_params_count(g.params) - 2 * is_stored_in_part(&cases[i]), "%s", cases[i].name);
        check_norms(&g, 1e-12, 1e-12);
        golden_clear(&g);
    }
}

Test(morph_golden, outputs_losses_and_norms_of_gradients_match_in_single)
{
    GOLDEN_OR_SKIP(GOLDEN);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        golden_net g;
        golden_make(&g, &cases[i], SOW_F32);
        check_outputs(&g, 1e-4);
        check_losses(&g, 1e-4);
        check_gradients(&g, 1e-6, 1e-3);
        check_norms(&g, 1e-3, 1e-6);
        golden_clear(&g);
    }
}

Test(morph_golden, parameters_are_named_shaped_and_ordered_as_published)
{
    GOLDEN_OR_SKIP(GOLDEN);
    for (int moe = 0; moe < 2; moe++) {
        golden_net g;
        golden_make(&g, &cases[moe ? 5 : 0], SOW_F64); /* reading found every name, in its size */
        hid_t type = H5Tcopy(H5T_C_S1);
        cr_assert(H5Tset_size(type, 32) >= 0);
        size_t n = 0;
        char *names = golden_read(GOLDEN, moe ? "moe/param_names" : "param_names", type, 32, &n);
        cr_assert_eq((sow_index)n, sow_params_count(g.params));
        for (size_t i = 0; i < n; i++) cr_assert_str_eq(sow_params_name(g.params, (sow_index)i), names + 32 * i);
        H5Tclose(type);
        free(names);
        golden_clear(&g);
    }
}

/* ---- steps of Adam ---- */

typedef struct {
    const char *folder; /* "single_adam" */
    const golden_case *c;
    double weights[4]; /* alpha, beta, gamma1, gamma2; all 0 = those of the file */
} adam_case;

static int count_clamped(const sow_params *p, double clamp)
{
    int n = 0;
    for (sow_index i = 0; i < sow_params_count(p); i++) {
        const sow_tensor grad = sow_params_grad(p, i);
        for (sow_index j = 0; j < grad.rows * grad.cols; j++) n += fabs(morph_number(grad, j)) > clamp;
    }
    return n;
}

static int check_parameters(const golden_net *g, const char *folder, int step)
{
    char at[64];
    int compared = 0;
    snprintf(at, sizeof at, "%s/step%d/", folder, step);
    if (!is_there("", folder)) cr_assert_fail("no %s", folder);
    for (sow_index i = 0; i < sow_params_count(g->params); i++) {
        const char *name = sow_params_name(g->params, i);
        char group[64];
        snprintf(group, sizeof group, "%s/step%d", folder, step);
        if (!is_there("", group) || !is_there(at, name)) continue;
        double *theirs = read_at(at, name);
        const double distance = morph_distance(sow_params_value(g->params, i), theirs);
        cr_assert(distance <= 1e-11, "%s%s is off by %g of its largest", at, name, distance);
        free(theirs);
        compared++;
    }
    return compared;
}

static void check_losses_before(const golden_net *g, const double *losses, int step, const char *folder, double tolerance)
{
    const sow_var terms[4] = {g->l.total, g->l.pred, g->l.recon, g->l.kl};
    for (int i = 0; i < 4; i++) {
        const double ours = sow_tape_scalar(g->tape, terms[i]), theirs = losses[(step - 1) * 4 + i];
        cr_assert(fabs(ours - theirs) <= tolerance * fmax(1, fabs(theirs)), "%s before step %d, term %d: %.17g, expected %.17g", folder, step, i, ours, theirs);
    }
}

/* Three steps, each with its own noise; returns how many tensors were compared. */
static int run_adam(const adam_case *a, sow_dtype dtype, double tolerance)
{
    golden_net g;
    golden_make(&g, a->c, dtype);
    if (a->weights[0] > 0) g.w = (sow_morph_weights){a->weights[0], a->weights[1], a->weights[2], a->weights[3], g.w.mmd};
    char path[64];
    snprintf(path, sizeof path, "%s/losses", a->folder);
    double *losses = golden_doubles(GOLDEN, path, NULL);
    snprintf(path, sizeof path, "%s/n_clamped", a->folder);
    int *clamped = golden_ints(GOLDEN, path, NULL), compared = 0;
    const double *eps = g.in.eps;
    const sow_adam_options adam = {read_number("hyper/adam_lr"), read_number("hyper/adam_beta1"), read_number("hyper/adam_beta2"), read_number("hyper/adam_eps"), read_number("hyper/clamp"), 0};
    for (int step = 1; step <= 3; step++) {
        g.batch.eps = morph_typed(&g.in, eps + step * 32 * 8, 32 * 8, dtype);
        run_forward(&g);
        check_losses_before(&g, losses, step, a->folder, tolerance);
        backward(&g, g.l.total);
        if (dtype == SOW_F64) cr_assert_eq(count_clamped(g.params, adam.clamp), clamped[step - 1], "%s step %d", a->folder, step);
        sow_error err = {0};
        cr_assert_eq(sow_adam_step(g.params, &adam, NULL, NULL, &err), SOW_OK, "%s", err.message);
        if (dtype == SOW_F64) compared += check_parameters(&g, a->folder, step);
    }
    free(losses);
    free(clamped);
    golden_clear(&g);
    return compared;
}

static adam_case clamped_case(void)
{
    return (adam_case){"single_adam_clamped", &cases[0], {read_number("single_adam_clamped/alpha"), read_number("single_adam_clamped/beta"), read_number("single_adam_clamped/gamma1"), read_number("single_adam_clamped/gamma2")}};
}

Test(morph_golden, three_steps_of_adam_match_in_double)
{
    GOLDEN_OR_SKIP(GOLDEN);
    const adam_case plain = {"single_adam", &cases[0], {0}}, clamped = clamped_case(), moe = {"moe/single_adam", &cases[5], {0}};
    cr_assert_eq(run_adam(&plain, SOW_F64, 1e-11), 39 + 39 + 41);
    cr_assert_eq(run_adam(&clamped, SOW_F64, 1e-11), 39);
    cr_assert_eq(run_adam(&moe, SOW_F64, 1e-11), 3 * 47);
}

Test(morph_golden, losses_along_three_steps_of_adam_match_in_single)
{
    GOLDEN_OR_SKIP(GOLDEN);
    const adam_case plain = {"single_adam", &cases[0], {0}}, clamped = clamped_case(), moe = {"moe/single_adam", &cases[5], {0}};
    run_adam(&plain, SOW_F32, 1e-4);
    run_adam(&clamped, SOW_F32, 1e-4);
    run_adam(&moe, SOW_F32, 1e-4);
}
