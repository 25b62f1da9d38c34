#include "models/morph/morph.h"

#include "core/memory.h"
#include "core/optim.h"
#include "tests/io/faults.h"
#include "tests/models/morph_fixture.h"

static const sow_morph_variant variants[] = {SOW_MORPH_PLAIN, SOW_MORPH_NO_RESIDUAL1, SOW_MORPH_NO_RESIDUAL1_AS_PUBLISHED, SOW_MORPH_MOE};

/* A bandwidth that fits the made cells, and every term with a weight. */
static const sow_morph_weights weights = {1.5, 0.75, 1.25, 0.5, {18, 5, 0}};

/* ---- a network on a tape ---- */

typedef struct {
    morph_input in;
    sow_params *params;
    sow_tape *tape;
    sow_threads *threads;
    sow_morph_batch batch;
    sow_morph_values v;
    sow_morph_losses l;
} made_net;

static void net_forward(made_net *m)
{
    sow_tape_reset(m->tape);
    sow_morph_forward(&m->v, m->tape, m->params, &m->in.sizes, &m->batch);
    sow_morph_loss(&m->l, m->tape, &m->v, &m->batch, &weights);
    sow_error err = {0};
    cr_assert_eq(sow_tape_status(m->tape, &err), SOW_OK, "%s", err.message);
}

static void net_backward(made_net *m)
{
    sow_error err = {0};
    cr_assert_eq(sow_tape_backward(m->tape, m->l.total, &err), SOW_OK, "%s", err.message);
}

static void net_make(made_net *m, const sow_morph_sizes *sizes, sow_dtype dtype, int threads, sow_index k, const sow_index *x_rows, const sow_index *y_rows, const int *is_double)
{
    sow_error err = {0};
    memset(m, 0, sizeof *m);
    morph_input_make(&m->in, sizes, k, x_rows, y_rows, is_double);
    cr_assert_eq(sow_morph_params_create(&m->params, sizes, dtype, 11, 3, &err), SOW_OK, "%s", err.message);
    if (threads > 0) cr_assert_eq(sow_threads_create(&m->threads, threads, &err), SOW_OK);
    cr_assert_eq(sow_tape_create(&m->tape, NULL, dtype, m->threads, &err), SOW_OK);
    m->batch = morph_batch(&m->in, dtype);
    net_forward(m);
}

/* Three segments of different sizes, the second of them a double. */
static void net_make_mixed(made_net *m, sow_morph_variant variant, sow_dtype dtype)
{
    const sow_morph_sizes sizes = morph_small_sizes(variant);
    net_make(m, &sizes, dtype, 0, 3, (const sow_index[]){4, 6, 5}, (const sow_index[]){5, 6, 3}, (const int[]){0, 1, 0});
}

static void net_clear(made_net *m)
{
    sow_tape_destroy(m->tape);
    sow_threads_destroy(m->threads);
    sow_params_destroy(m->params);
    morph_input_clear(&m->in);
}

static void check_against(const made_net *m, sow_var ours, const double *theirs, const char *what, double tolerance)
{
    const double distance = morph_distance(sow_tape_value(m->tape, ours), theirs);
    cr_assert(distance <= tolerance, "variant %d: %s is off by %g of its largest", (int)m->in.sizes.variant, what, distance);
}

static void check_number(const made_net *m, sow_var ours, double theirs, const char *what, double tolerance)
{
    const double x = sow_tape_scalar(m->tape, ours);
    cr_assert(fabs(x - theirs) <= tolerance * fmax(1, fabs(theirs)), "variant %d: %s is %.15g, expected %.15g", (int)m->in.sizes.variant, what, x, theirs);
}

/* Values and losses against the naive twin. */
static void check_twin(const made_net *m, double tolerance)
{
    naive_morph nm = naive_morph_forward(&m->in, m->params, m->batch.eps != NULL);
    const naive_losses l = naive_morph_loss(&nm, &weights);
    check_against(m, m->v.mu, nm.mu, "mu", tolerance);
    check_against(m, m->v.logvar, nm.logvar, "logvar", tolerance);
    check_against(m, m->v.z, nm.z, "z", tolerance);
    check_against(m, m->v.latent, nm.latent, "latent", tolerance);
    check_against(m, m->v.z_ptb, nm.z_ptb, "z_ptb", tolerance);
    check_against(m, m->v.alpha1, nm.alpha[0], "alpha 1", tolerance);
    check_against(m, m->v.alpha2, nm.alpha[1], "alpha 2", tolerance);
    check_against(m, m->v.u, nm.u, "u", tolerance);
    check_against(m, m->v.decoded, nm.decoded, "decoded", tolerance);
    check_against(m, m->v.y_hat, nm.decoded, "y_hat", tolerance);
    check_against(m, m->v.x_recon, nm.decoded + m->in.n * m->in.sizes.genes, "x_recon", tolerance);
    check_number(m, m->l.pred, l.pred, "pred", tolerance);
    check_number(m, m->l.mmd_recon, l.mmd_recon, "MMD of the reconstruction", tolerance);
    check_number(m, m->l.mse, l.mse, "MSE", tolerance);
    check_number(m, m->l.recon, l.recon, "recon", tolerance);
    check_number(m, m->l.kl, l.kl, "KL", tolerance);
    check_number(m, m->l.total, l.total, "total", tolerance);
    naive_morph_clear(&nm);
}

/* ---- sizes ---- */

static sow_index numbers_of(const sow_morph_sizes *sizes)
{
    sow_params *p = NULL;
    sow_error err = {0};
    cr_assert_eq(sow_morph_params_create(&p, sizes, SOW_F32, 1, 0, &err), SOW_OK, "%s", err.message);
    const sow_index n = sow_params_numbers(p);
    sow_params_destroy(p);
    cr_assert_eq(n, sow_morph_numbers(sizes));
    return n;
}

Test(morph_network, has_as_many_numbers_as_published)
{
    sow_morph_sizes s = SOW_MORPH_SIZES_INIT;
    s.genes = 5000;
    s.prior[0] = 1100;
    cr_assert_eq(numbers_of(&s), 3485876);
    s.zc = s.zp = 200;
    s.programs = 100;
    cr_assert_eq(numbers_of(&s), 6479816);
    sow_morph_sizes moe = SOW_MORPH_SIZES_INIT;
    moe.genes = 5000;
    moe.n_priors = 3;
    moe.prior[0] = 1100;
    moe.prior[1] = moe.prior[2] = 1536;
    moe.variant = SOW_MORPH_MOE;
    cr_assert_eq(numbers_of(&moe), 1803228);
    sow_morph_sizes small = SOW_MORPH_SIZES_INIT;
    small.genes = 60;
    small.prior[0] = 24;
    small.zc = small.zp = 8;
    small.programs = 6;
    small.program_dim = 5;
    small.hidden = 16;
    cr_assert_eq(numbers_of(&small), 79200);
}

static void check_uniform(const sow_params *p, const char *name, double bound)
{
    const sow_tensor x = sow_params_value(p, sow_params_find(p, name));
    double most = 0, sum = 0;
    for (sow_index i = 0; i < x.rows * x.cols; i++) {
        most = fmax(most, fabs(morph_number(x, i)));
        sum += morph_number(x, i);
    }
    cr_assert(most <= bound && most > 0.9 * bound, "%s reaches %g, bound %g", name, most, bound);
    cr_assert(fabs(sum) <= 4 * bound * sqrt((double)(x.rows * x.cols) / 3), "%s is not centred", name);
}

Test(morph_network, starts_as_torch_does)
{
    sow_morph_sizes s = SOW_MORPH_SIZES_INIT;
    s.genes = 200;
    s.prior[0] = 30;
    sow_params *p = NULL;
    cr_assert_eq(sow_morph_params_create(&p, &s, SOW_F64, 5, 0, NULL), SOW_OK);
    check_uniform(p, "fc1.weight", 1 / sqrt(200.0));
    check_uniform(p, "fc1.bias", 1 / sqrt(200.0));
    check_uniform(p, "c1.weight", 1 / sqrt(30.0));
    check_uniform(p, "W_K1.weight", 1 / sqrt(50.0));
    check_uniform(p, "d1.weight", 0.1);
    const sow_tensor gain = sow_params_value(p, sow_params_find(p, "FF1.0.weight")), shift = sow_params_value(p, sow_params_find(p, "FF2.0.bias"));
    const sow_tensor programs = sow_params_value(p, sow_params_find(p, "geneset_mtrx"));
    double squares = 0;
    for (sow_index i = 0; i < 100; i++) cr_assert(morph_number(gain, i) == 1 && morph_number(shift, i) == 0);
    for (sow_index i = 0; i < 2500; i++) squares += morph_number(programs, i) * morph_number(programs, i);
    cr_assert(fabs(squares / 2500 - 1) <= 0.15, "variance %g of the programs", squares / 2500);
    cr_assert_eq(sow_params_find(p, "geneset_mtrx"), 0);
    sow_params_destroy(p);
}

Test(morph_network, widens_the_perturbation_encoder_for_a_wide_latent)
{
    sow_morph_sizes s = morph_small_sizes(SOW_MORPH_PLAIN);
    const sow_index latent[] = {150, 151, 256}, first[] = {200, 512, 512}, second[] = {150, 256, 256};
    for (int i = 0; i < 3; i++) {
        sow_params *p = NULL;
        s.zp = latent[i];
        cr_assert_eq(sow_morph_params_create(&p, &s, SOW_F32, 5, 0, NULL), SOW_OK);
        cr_assert_eq(sow_params_value(p, sow_params_find(p, "c1.weight")).rows, first[i]);
        cr_assert_eq(sow_params_value(p, sow_params_find(p, "c2.weight")).rows, second[i]);
        cr_assert_eq(sow_params_value(p, sow_params_find(p, "c3.weight")).rows, latent[i]);
        sow_params_destroy(p);
    }
}

static void check_refused(sow_morph_sizes s, const char *says)
{
    sow_params *p = NULL;
    sow_error err = {0};
    cr_assert_eq(sow_morph_params_create(&p, &s, SOW_F32, 1, 0, &err), SOW_E_ARG, "%s", says);
    cr_assert_null(p);
    cr_assert(strstr(err.message, says), "%s does not say %s", err.message, says);
}

Test(morph_network, refuses_widths_that_it_cannot_have)
{
    const sow_morph_sizes ok = morph_small_sizes(SOW_MORPH_PLAIN);
    sow_morph_sizes s = ok;
    s.zp = 257;
    check_refused(s, "perturbation latent must be 1 to 256 wide, not 257");
    s.zp = 0;
    check_refused(s, "perturbation latent must be 1 to 256 wide, not 0");
    sow_index *const width[] = {&s.genes, &s.zc, &s.programs, &s.program_dim, &s.hidden, &s.encoder};
    static const char *const name[] = {"genes", "cell latent", "programs", "dimension of a program", "hidden layer", "cell encoder"};
    for (int i = 0; i < 6; i++) {
        s = ok;
        *width[i] = 0;
        check_refused(s, name[i]);
    }
    s = ok;
    s.n_priors = 2;
    check_refused(s, "takes 1 prior, not 2");
    s.n_priors = 1;
    s.prior[0] = 0;
    check_refused(s, "prior 1 has 0 columns");
    s = morph_small_sizes(SOW_MORPH_MOE);
    s.n_priors = 1;
    check_refused(s, "takes 3 priors, not 1");
    s.n_priors = 3;
    s.prior[2] = 0;
    check_refused(s, "prior 3 has 0 columns");
}

/* ---- values ---- */

Test(morph_network, computes_what_plain_loops_compute_in_every_variant_with_singles_and_doubles_mixed)
{
    for (int i = 0; i < 4; i++) {
        made_net m;
        net_make_mixed(&m, variants[i], SOW_F64);
        check_twin(&m, 1e-12);
        net_clear(&m);
        net_make_mixed(&m, variants[i], SOW_F32);
        check_twin(&m, 1e-4);
        net_clear(&m);
    }
}

Test(morph_network, takes_batches_of_doubles_only_and_of_one_segment)
{
    const sow_morph_sizes sizes = morph_small_sizes(SOW_MORPH_PLAIN);
    made_net m;
    net_make(&m, &sizes, SOW_F64, 0, 2, (const sow_index[]){4, 4}, (const sow_index[]){4, 4}, (const int[]){1, 1});
    check_twin(&m, 1e-12);
    net_clear(&m);
    net_make(&m, &sizes, SOW_F64, 0, 1, (const sow_index[]){1}, (const sow_index[]){7}, (const int[]){0});
    check_twin(&m, 1e-12);
    net_clear(&m);
}

Test(morph_network, takes_a_prior_of_one_column)
{
    sow_morph_sizes sizes = morph_small_sizes(SOW_MORPH_PLAIN);
    sizes.prior[0] = 1;
    made_net m;
    net_make(&m, &sizes, SOW_F64, 0, 2, (const sow_index[]){5, 4}, (const sow_index[]){3, 4}, (const int[]){1, 0});
    check_twin(&m, 1e-12);
    net_clear(&m);
}

Test(morph_network, takes_a_latent_of_256_and_widths_of_one)
{
    sow_morph_sizes wide = morph_small_sizes(SOW_MORPH_PLAIN), thin = wide;
    wide.zp = 256;
    thin.zc = thin.zp = thin.programs = thin.program_dim = thin.hidden = thin.encoder = thin.genes = 1;
    const sow_morph_sizes *both[] = {&wide, &thin};
    for (int i = 0; i < 2; i++) {
        made_net m;
        net_make(&m, both[i], SOW_F64, 0, 2, (const sow_index[]){3, 2}, (const sow_index[]){3, 2}, (const int[]){1, 0});
        check_twin(&m, 1e-12);
        net_clear(&m);
    }
}

Test(morph_network, uses_the_mean_latent_without_noise)
{
    made_net m;
    net_make_mixed(&m, SOW_MORPH_PLAIN, SOW_F64);
    const double with_noise = sow_tape_scalar(m.tape, m.l.pred);
    m.batch.eps = NULL;
    net_forward(&m);
    check_twin(&m, 1e-12);
    const double without = sow_tape_scalar(m.tape, m.l.pred);
    cr_assert(fabs(with_noise - without) > 1e-9, "noise changes nothing");
    net_clear(&m);
}

Test(morph_network, predicts_without_perturbed_cells)
{
    made_net m;
    net_make_mixed(&m, SOW_MORPH_PLAIN, SOW_F64);
    m.batch.y_start = NULL;
    m.batch.y = NULL;
    net_forward(&m);
    naive_morph nm = naive_morph_forward(&m.in, m.params, 1);
    const naive_losses l = naive_morph_loss(&nm, &weights);
    check_against(&m, m.v.y_hat, nm.decoded, "y_hat", 1e-12);
    cr_assert(m.l.pred == SOW_NO_VAR && m.l.pred_each == SOW_NO_VAR);
    check_number(&m, m.l.total, l.recon + weights.beta * l.kl, "total", 1e-12);
    naive_morph_clear(&nm);
    net_clear(&m);
}

Test(morph_network, drops_the_published_residuals_in_the_control_path_elsewhere)
{
    made_net intent, slip;
    net_make_mixed(&intent, SOW_MORPH_NO_RESIDUAL1, SOW_F64);
    net_make_mixed(&slip, SOW_MORPH_NO_RESIDUAL1_AS_PUBLISHED, SOW_F64);
    const sow_tensor y[2] = {sow_tape_value(intent.tape, intent.v.y_hat), sow_tape_value(slip.tape, slip.v.y_hat)};
    const sow_tensor x[2] = {sow_tape_value(intent.tape, intent.v.x_recon), sow_tape_value(slip.tape, slip.v.x_recon)};
    double y_most = 0, x_most = 0;
    for (sow_index i = 0; i < y[0].rows * y[0].cols; i++) {
        y_most = fmax(y_most, fabs(morph_number(y[0], i) - morph_number(y[1], i)));
        x_most = fmax(x_most, fabs(morph_number(x[0], i) - morph_number(x[1], i)));
    }
    cr_assert(y_most <= 1e-14, "predictions differ by %g", y_most);
    cr_assert(x_most > 1e-6, "reconstructions do not differ");
    net_clear(&intent);
    net_clear(&slip);
}

Test(morph_network, gives_latents_alone_as_a_forward_pass_does)
{
    for (int i = 0; i < 4; i += 3) {
        made_net m;
        net_make_mixed(&m, variants[i], SOW_F64);
        naive_morph nm = naive_morph_forward(&m.in, m.params, 1);
        sow_tape_reset(m.tape);
        const sow_var latent = sow_morph_latent(m.tape, m.params, &m.in.sizes, m.batch.prior, m.in.n_latent);
        check_against(&m, latent, nm.latent, "latent", 1e-12);
        naive_morph_clear(&nm);
        net_clear(&m);
    }
}

/* ---- losses ---- */

static void forward_with(made_net *m, const sow_morph_weights *w)
{
    sow_tape_reset(m->tape);
    sow_morph_forward(&m->v, m->tape, m->params, &m->in.sizes, &m->batch);
    sow_morph_loss(&m->l, m->tape, &m->v, &m->batch, w);
    sow_error err = {0};
    cr_assert_eq(sow_tape_status(m->tape, &err), SOW_OK, "%s", err.message);
}

Test(morph_network, leaves_terms_of_weight_zero_out_of_the_total)
{
    made_net m;
    net_make_mixed(&m, SOW_MORPH_PLAIN, SOW_F64);
    naive_morph nm = naive_morph_forward(&m.in, m.params, 1);
    const naive_losses l = naive_morph_loss(&nm, &weights);
    forward_with(&m, &(sow_morph_weights){0, 0, 0, 2, weights.mmd});
    cr_assert(m.l.mmd_recon == SOW_NO_VAR && m.l.recon_each == SOW_NO_VAR);
    check_number(&m, m.l.total, 2 * l.mse, "total", 1e-12);
    check_number(&m, m.l.pred, l.pred, "pred, for the criterion", 1e-12);
    check_number(&m, m.l.kl, l.kl, "KL, for the criterion", 1e-12);
    net_backward(&m);
    forward_with(&m, &(sow_morph_weights){0, 0, 0, 0, weights.mmd});
    cr_assert_eq(sow_tape_scalar(m.tape, m.l.total), 0);
    cr_assert_eq(sow_tape_scalar(m.tape, m.l.recon), 0);
    net_backward(&m);
    for (sow_index i = 0; i < sow_params_count(m.params); i++) {
        const sow_tensor grad = sow_params_grad(m.params, i);
        for (sow_index j = 0; j < grad.rows * grad.cols; j++) cr_assert_eq(morph_number(grad, j), 0);
    }
    naive_morph_clear(&nm);
    net_clear(&m);
}

Test(morph_network, takes_the_unbiased_mmd_and_a_bandwidth_from_the_data)
{
    made_net m;
    net_make_mixed(&m, SOW_MORPH_PLAIN, SOW_F64);
    const sow_morph_weights w[2] = {{1, 1, 1, 0, {18, 5, 1}}, {1, 1, 1, 0, {0, 5, 1}}};
    naive_morph nm = naive_morph_forward(&m.in, m.params, 1);
    for (int i = 0; i < 2; i++) {
        const naive_losses l = naive_morph_loss(&nm, &w[i]);
        forward_with(&m, &w[i]);
        check_number(&m, m.l.pred, l.pred, "pred", 1e-12);
        check_number(&m, m.l.total, l.total, "total", 1e-12);
        net_backward(&m);
    }
    naive_morph_clear(&nm);
    net_clear(&m);
}

/* ---- gradients ---- */

static double total_at(made_net *m)
{
    net_forward(m);
    return sow_tape_scalar(m->tape, m->l.total);
}

/* The slope of the total along one direction in one matrix against differences. LeakyReLU's kinks make the latter good to about the step only. */
static void check_slope(made_net *m, sow_index i)
{
    const sow_tensor value = sow_params_value(m->params, i), grad = sow_params_grad(m->params, i);
    const sow_index n = value.rows * value.cols;
    const double step = 1e-6;
    double *w = value.data, slope = 0, total[2];
    net_forward(m);
    net_backward(m);
    sow_rng rng = sow_rng_make(3, SOW_RNG_TEST, 0, (uint32_t)i);
    double *direction = morph_normals(&rng, n), *kept = naive_zeros(n);
    memcpy(kept, w, (size_t)n * sizeof *w);
    for (sow_index j = 0; j < n; j++) slope += morph_number(grad, j) * direction[j];
    for (int side = 0; side < 2; side++) {
        for (sow_index j = 0; j < n; j++) w[j] = kept[j] + (side ? step : -step) * direction[j];
        total[side] = total_at(m);
    }
    memcpy(w, kept, (size_t)n * sizeof *w);
    const double difference = (total[1] - total[0]) / (2 * step);
    cr_assert(fabs(difference - slope) <= 2e-6 * fmax(1, fabs(slope)), "variant %d, %s: slope %.9g, by differences %.9g", (int)m->in.sizes.variant, sow_params_name(m->params, i), slope, difference);
    free(direction);
    free(kept);
}

Test(morph_network, has_the_gradient_of_its_loss_in_every_parameter)
{
    for (int v = 0; v < 4; v++) {
        made_net m;
        net_make_mixed(&m, variants[v], SOW_F64);
        for (sow_index i = 0; i < sow_params_count(m.params); i++) check_slope(&m, i);
        net_clear(&m);
    }
}

Test(morph_network, feels_every_parameter_but_the_biases_of_keys)
{
    for (int v = 0; v < 4; v++) {
        made_net m;
        net_make_mixed(&m, variants[v], SOW_F64);
        net_backward(&m);
        for (sow_index i = 0; i < sow_params_count(m.params); i++) {
            const sow_tensor grad = sow_params_grad(m.params, i);
            const char *name = sow_params_name(m.params, i);
            double most = 0;
            for (sow_index j = 0; j < grad.rows * grad.cols; j++) most = fmax(most, fabs(morph_number(grad, j)));
            if (strncmp(name, "W_K", 3) == 0 && strstr(name, "bias"))
                cr_assert(most <= 1e-14, "%s: %g", name, most); /* the same is added to every score */
            else
                cr_assert(most > 1e-9, "%s: %g", name, most);
        }
        net_clear(&m);
    }
}

/* ---- segments ---- */

/* Segment s of a batch as a batch of its own: views of the same numbers. */
static sow_morph_batch one_segment(const made_net *m, sow_index s, sow_index *starts, sow_index *segment)
{
    const morph_input *in = &m->in;
    const sow_index rows = in->x_start[s + 1] - in->x_start[s];
    sow_morph_batch b = m->batch;
    starts[0] = starts[2] = 0;
    starts[1] = rows;
    starts[3] = in->y_start[s + 1] - in->y_start[s];
    for (sow_index i = 0; i < rows; i++) segment[i] = 0;
    b.k = 1;
    b.x_start = starts;
    b.y_start = starts + 2;
    b.segment = segment;
    b.x = in->x + in->x_start[s] * in->sizes.genes;
    b.y = in->y + in->y_start[s] * in->sizes.genes;
    b.eps = in->eps + in->x_start[s] * in->sizes.zc;
    b.first = in->first + s;
    b.second = in->second + s;
    return b;
}

/* All gradients in one row. */
static double *gradients_of(const made_net *m)
{
    double *all = naive_zeros(sow_params_numbers(m->params));
    for (sow_index i = 0, at = 0; i < sow_params_count(m->params); i++) {
        const sow_tensor grad = sow_params_grad(m->params, i);
        for (sow_index j = 0; j < grad.rows * grad.cols; j++) all[at++] = morph_number(grad, j);
    }
    return all;
}

static void check_mean_of_segments(made_net *m)
{
    const sow_morph_batch whole = m->batch;
    const sow_index n = sow_params_numbers(m->params), k = m->in.k;
    double terms[5] = {0}, *mean = naive_zeros(n);
    net_forward(m);
    net_backward(m);
    double *gradient = gradients_of(m), together[5];
    const sow_var vars[5] = {m->l.pred, m->l.recon, m->l.mse, m->l.kl, m->l.total};
    for (int i = 0; i < 5; i++) together[i] = sow_tape_scalar(m->tape, vars[i]);
    for (sow_index s = 0; s < k; s++) {
        sow_index starts[4], segment[MOST_ROWS];
        m->batch = one_segment(m, s, starts, segment);
        net_forward(m);
        net_backward(m);
        double *each = gradients_of(m);
        const sow_var one[5] = {m->l.pred, m->l.recon, m->l.mse, m->l.kl, m->l.total};
        for (int i = 0; i < 5; i++) terms[i] += sow_tape_scalar(m->tape, one[i]) / (double)k;
        for (sow_index i = 0; i < n; i++) mean[i] += each[i] / (double)k;
        free(each);
        m->batch = whole;
    }
    for (int i = 0; i < 5; i++) cr_assert(fabs(together[i] - terms[i]) <= 1e-12, "term %d: %.15g, mean of segments %.15g", i, together[i], terms[i]);
    for (sow_index i = 0; i < n; i++) cr_assert(fabs(gradient[i] - mean[i]) <= 1e-13, "gradient %d: %.15g, mean of segments %.15g", (int)i, gradient[i], mean[i]);
    free(gradient);
    free(mean);
}

Test(morph_network, of_k_segments_has_the_mean_of_their_losses_and_gradients)
{
    const sow_morph_sizes sizes = morph_small_sizes(SOW_MORPH_PLAIN);
    made_net m;
    net_make_mixed(&m, SOW_MORPH_PLAIN, SOW_F64); /* of different sizes, singles and doubles mixed */
    check_mean_of_segments(&m);
    net_clear(&m);
    net_make(&m, &sizes, SOW_F64, 0, 4, (const sow_index[]){5, 5, 5, 5}, (const sow_index[]){5, 5, 5, 5}, (const int[]){0, 0, 1, 1});
    check_mean_of_segments(&m);
    net_clear(&m);
}

Test(morph_network, tells_the_mmd_of_each_segment)
{
    made_net m;
    net_make_mixed(&m, SOW_MORPH_PLAIN, SOW_F64);
    naive_morph nm = naive_morph_forward(&m.in, m.params, 1);
    const sow_index d = m.in.sizes.genes;
    const sow_tensor pred = sow_tape_value(m.tape, m.l.pred_each), recon = sow_tape_value(m.tape, m.l.recon_each);
    cr_assert(pred.rows == 3 && pred.cols == 1 && recon.rows == 3 && recon.cols == 1);
    for (sow_index s = 0; s < 3; s++) {
        const sow_index x = m.in.x_start[s], y = m.in.y_start[s], rows = m.in.x_start[s + 1] - x;
        const double expected = naive_mmd(nm.decoded + x * d, rows, m.in.y + y * d, m.in.y_start[s + 1] - y, d, &weights.mmd);
        const double again = naive_mmd(nm.decoded + (m.in.n + x) * d, rows, m.in.x + x * d, rows, d, &weights.mmd);
        cr_assert(fabs(morph_number(pred, s) - expected) <= 1e-12);
        cr_assert(fabs(morph_number(recon, s) - again) <= 1e-12);
    }
    naive_morph_clear(&nm);
    net_clear(&m);
}

/* ---- sameness, memory, mistakes ---- */

static void step_and_keep(int threads, sow_dtype dtype, double **values, double **gradients)
{
    sow_morph_sizes s = SOW_MORPH_SIZES_INIT;
    s.genes = 700;
    s.prior[0] = 90;
    made_net m;
    net_make(&m, &s, dtype, threads, 4, (const sow_index[]){32, 32, 20, 32}, (const sow_index[]){32, 32, 32, 32}, (const int[]){0, 1, 0, 0});
    for (int step = 0; step < 2; step++) {
        const sow_adam_options adam = SOW_ADAM_INIT;
        net_forward(&m);
        net_backward(&m);
        cr_assert_eq(sow_adam_step(m.params, &adam, NULL, m.threads, NULL), SOW_OK);
    }
    const sow_tensor decoded = sow_tape_value(m.tape, m.v.decoded);
    *values = naive_zeros(decoded.rows * decoded.cols);
    for (sow_index i = 0; i < decoded.rows * decoded.cols; i++) (*values)[i] = morph_number(decoded, i);
    *gradients = gradients_of(&m);
    net_clear(&m);
}

Test(morph_network, gives_the_same_bits_with_any_number_of_threads)
{
    for (int dtype = 0; dtype < 2; dtype++) {
        double *values[3], *gradients[3];
        for (int i = 0; i < 3; i++) step_and_keep(i + 1, dtype ? SOW_F64 : SOW_F32, &values[i], &gradients[i]);
        sow_morph_sizes s = SOW_MORPH_SIZES_INIT;
        s.genes = 700;
        s.prior[0] = 90;
        for (int i = 1; i < 3; i++) {
            cr_assert_eq(memcmp(values[i], values[0], 2 * 116 * 700 * sizeof(double)), 0, "values with %d threads", i + 1);
            cr_assert_eq(memcmp(gradients[i], gradients[0], (size_t)sow_morph_numbers(&s) * sizeof(double)), 0, "gradients with %d threads", i + 1);
        }
        for (int i = 0; i < 3; i++) {
            free(values[i]);
            free(gradients[i]);
        }
    }
}

Test(morph_network, allocates_nothing_from_the_third_pass_on)
{
    made_net m;
    net_make_mixed(&m, SOW_MORPH_PLAIN, SOW_F32);
    net_backward(&m);
    net_forward(&m);
    net_backward(&m);
    sow_memory_fail_after(0);
    net_forward(&m);
    net_backward(&m);
    sow_memory_fail_after(-1);
    net_clear(&m);
}

static sow_status whole_step(sow_error *err)
{
    static made_net m; /* the input is made once and lives on */
    const sow_morph_sizes sizes = morph_small_sizes(SOW_MORPH_PLAIN);
    if (!m.in.x) morph_input_make(&m.in, &sizes, 3, (const sow_index[]){4, 6, 5}, (const sow_index[]){5, 6, 3}, (const int[]){0, 1, 0});
    sow_params *p = NULL;
    sow_tape *t = NULL;
    sow_status st = SOW_OK;
    SOW_TRY(sow_morph_params_create(&p, &sizes, SOW_F64, 1, 0, err));
    SOW_TRY(sow_tape_create(&t, NULL, SOW_F64, NULL, err));
    m.batch = morph_batch(&m.in, SOW_F64);
    sow_morph_forward(&m.v, t, p, &sizes, &m.batch);
    sow_morph_loss(&m.l, t, &m.v, &m.batch, &weights);
    SOW_TRY(sow_tape_status(t, err));
    SOW_TRY(sow_tape_backward(t, m.l.total, err));
done:
    sow_tape_destroy(t);
    sow_params_destroy(p);
    if (st == SOW_OK) morph_input_clear(&m.in);
    return st;
}

Test(morph_network, survives_a_failure_of_any_allocation)
{
    every_allocation_may_fail(whole_step, 1);
}

static void check_mistake(made_net *m, const char *what)
{
    sow_error err = {0};
    sow_tape_reset(m->tape);
    sow_morph_forward(&m->v, m->tape, m->params, &m->in.sizes, &m->batch);
    sow_morph_loss(&m->l, m->tape, &m->v, &m->batch, &weights);
    const sow_status st = sow_tape_status(m->tape, &err);
    cr_assert(st == SOW_E_SHAPE || st == SOW_E_ARG, "%s: %s", what, sow_status_name(st));
    cr_assert_gt(strlen(err.message), 0);
    cr_assert_eq(sow_tape_backward(m->tape, m->l.total, NULL), st, "%s", what);
    cr_assert_eq(m->l.total, SOW_NO_VAR, "%s", what);
}

Test(morph_network, tells_of_batches_and_parameters_that_do_not_fit)
{
    made_net m;
    net_make_mixed(&m, SOW_MORPH_PLAIN, SOW_F64);
    m.in.first[1] = m.in.n_latent;
    check_mistake(&m, "a first gene beyond the prior's rows");
    m.in.first[1] = -1;
    check_mistake(&m, "no first gene");
    m.in.first[1] = 0;
    m.in.second[1] = m.in.n_latent;
    check_mistake(&m, "a second gene beyond the prior's rows");
    m.in.second[1] = -1;
    net_forward(&m); /* all is well again */
    m.in.segment[2] = 4;
    check_mistake(&m, "a segment beyond the last");
    m.in.segment[2] = 0;
    m.in.sizes.genes = 8;
    check_mistake(&m, "sizes of another network");
    m.in.sizes.genes = 9;
    m.in.sizes.variant = SOW_MORPH_MOE;
    m.batch.prior[1] = m.batch.prior[2] = m.batch.prior[0];
    check_mistake(&m, "parameters of another variant");
    net_clear(&m);
}
