#include "morph_screen.h"

/* ---- it learns ---- */

static double correlation(const double *a, const double *b, sow_index n)
{
    double ma = 0, mb = 0, ab = 0, aa = 0, bb = 0;
    for (sow_index i = 0; i < n; i++) ma += a[i] / (double)n, mb += b[i] / (double)n;
    for (sow_index i = 0; i < n; i++) ab += (a[i] - ma) * (b[i] - mb), aa += (a[i] - ma) * (a[i] - ma), bb += (b[i] - mb) * (b[i] - mb);
    return ab / sqrt(aa * bb);
}

static sow_index *from_to(sow_index from, sow_index to)
{
    sow_index *p = calloc((size_t)(to - from) + 1, sizeof *p);
    for (sow_index i = from; i < to; i++) p[i - from] = i;
    return p;
}

/* Mean shifts of the perturbations from .. to - 1. */
static double *shifts(const sow_model *m, const screen *s, sow_index from, sow_index to, double *var)
{
    sow_index *p = from_to(from, to), *context = calloc((size_t)s->n_items, sizeof *context);
    double *mean = calloc((size_t)((to - from) * s->d) + 1, sizeof *mean);
    OK(sow_model_predict(m, &(sow_query){to - from, p, context, NULL}, mean, var, NULL, NULL, err));
    free(p);
    free(context);
    return mean;
}

Test(morph_train, predicts_perturbations_it_has_not_seen_from_their_prior)
{
    screen s = screen_make(41, 30, 48, 15, 120, 1);
    sow_model_options o = small_options(40);
    o.morph.rate = 3e-3;
    sow_model *m = trained(screen_training(&s), &o, NULL);
    double *mean = shifts(m, &s, 30, 40, NULL);
    const double r = correlation(mean, s.effect + 30 * s.d, 10 * s.d);
    cr_assert(r > 0.6, "correlation with the true effects of unseen perturbations: %g", r);
    free(mean);
    sow_model_destroy(m);
    screen_clear(&s);
}

Test(morph_train, gives_the_mean_of_the_measured_to_one_without_a_prior)
{
    screen s = screen_make(12, 8, 20, 9, 40, 2);
    const sow_model_options o = small_options(2);
    sow_model *m = trained(screen_training(&s), &o, NULL);
    double *mean = shifts(m, &s, 11, 12, NULL);
    float control[2 * 9] = {0}, out[2 * 9];
    OK(sow_model_generate(m, 11, 0, control, 2, out, NULL, err));
    for (sow_index j = 0; j < s.d; j++) {
        double y = 0;
        for (sow_index i = 0; i < s.measured; i++) y += s.y[i * s.d + j] / (double)s.measured;
        cr_assert(fabs(mean[j] - y) <= 1e-12);
        cr_assert(fabs((double)out[9 + j] - y) <= 1e-6);
    }
    free(mean);
    sow_model_destroy(m);
    screen_clear(&s);
}

Test(morph_train, generates_cells_whose_mean_is_the_mean_shift)
{
    screen s = screen_make(12, 8, 20, 9, 40, 3);
    for (int paired = 0; paired < 2; paired++) {
        sow_model_options o = small_options(3);
        o.morph.paired_change = paired;
        o.morph.mean_latent = 0; /* which cells never have */
        o.morph.members = 2;
        sow_model *m = trained(screen_training(&s), &o, NULL);
        float control[40 * 9], out[40 * 9];
        OK(sow_prepared_rows(control, &s.space, &s.table, s.control, 40, NULL, err));
        OK(sow_model_generate(m, 9, 0, control, 40, out, NULL, err));
        double *mean = shifts(m, &s, 9, 10, NULL);
        for (sow_index j = 0; j < s.d; j++) {
            double shift = 0;
            for (int c = 0; c < 40; c++) shift += ((double)out[c * 9 + j] - (double)control[c * 9 + j]) / 40;
            cr_assert(fabs(shift - mean[j]) <= 1e-5, "gene %d: %g, %g", (int)j, shift, mean[j]);
        }
        free(mean);
        sow_model_destroy(m);
    }
    screen_clear(&s);
}

/* ---- the same bits ---- */

static void expect_same(const screen *s, const sow_model_options *o, int threads)
{
    sow_threads *pool = NULL;
    OK(sow_threads_create(&pool, threads, err));
    const sow_env env = {.threads = pool};
    sow_model *one = trained(&s->training, o, NULL), *many = trained(&s->training, o, &env);
    sow_archive a = kept(one), b = kept(many);
    const char *differs = first_difference(&a, &b);
    cr_assert_null(differs, "%d threads: '%s' differs", threads, differs);
    sow_archive_clear(&a);
    sow_archive_clear(&b);
    sow_model_destroy(one);
    sow_model_destroy(many);
    sow_threads_destroy(pool);
}

Test(morph_train, gives_the_same_weights_for_one_seed_and_any_number_of_threads)
{
    screen s = screen_make(12, 8, 0, 70, 50, 4);
    sow_model_options o = small_options(4);
    screen_training(&s);
    for (int reference = 0; reference < 2; reference++)
        for (int threads = 1; threads <= 3; threads++) {
            o.morph.reference = reference;
            o.morph.segments = reference ? 1 : 3;
            expect_same(&s, &o, threads);
        }
    screen_clear(&s);
}

Test(morph_train, gives_other_weights_for_another_seed_or_round)
{
    screen s = screen_make(12, 8, 20, 9, 40, 5);
    sow_model_options o = small_options(2);
    sow_archive a[3];
    for (int k = 0; k < 3; k++) {
        o.seed = k == 1 ? 6 : 5;
        o.round = k == 2;
        sow_model *m = trained(screen_training(&s), &o, NULL);
        a[k] = kept(m);
        sow_model_destroy(m);
    }
    cr_assert_not_null(first_difference(&a[0], &a[1]));
    cr_assert_not_null(first_difference(&a[0], &a[2]));
    for (int k = 0; k < 3; k++) sow_archive_clear(&a[k]);
    screen_clear(&s);
}

/* Rows prepared in every step or kept in memory. */
Test(morph_train, does_not_depend_on_how_much_memory_there_is)
{
    screen s = screen_make(12, 8, 20, 9, 40, 6);
    const sow_model_options o = small_options(3);
    const sow_env little = {.memory = 64}, enough_for_controls = {.memory = 4 * 40 * 9 * 4};
    sow_model *m = trained(screen_training(&s), &o, NULL);
    sow_archive a = kept(m);
    sow_model_destroy(m);
    for (int k = 0; k < 2; k++) {
        m = trained(&s.training, &o, k ? &enough_for_controls : &little);
        sow_archive b = kept(m);
        cr_assert_null(first_difference(&a, &b));
        sow_archive_clear(&b);
        sow_model_destroy(m);
    }
    sow_archive_clear(&a);
    screen_clear(&s);
}

/* ---- ensembles, losses, drift ---- */

Test(morph_train, holds_every_perturbation_out_of_one_member_of_an_ensemble)
{
    screen s = screen_make(12, 9, 20, 9, 40, 7);
    sow_model_options o = small_options(3);
    o.morph.members = 3;
    sow_model *m = trained(screen_training(&s), &o, NULL);
    sow_losses l;
    double *var = calloc((size_t)(12 * s.d), sizeof *var), *mean = shifts(m, &s, 0, 12, var);
    OK(sow_model_losses(m, &l, NULL, err));
    cr_assert_eq(l.n, 9);
    for (sow_index i = 0; i < 9; i++) cr_assert(l.perturbation[i] == i && l.held[i] && l.cells[i] == 20 && isfinite(l.loss[i]));
    for (sow_index k = 0; k < 11 * s.d; k++) cr_assert(var[k] > 0 || k % s.d == s.d - 1);
    for (sow_index k = 11 * s.d; k < 12 * s.d; k++) cr_assert(isnan(var[k]));
    sow_losses_clear(&l);
    free(var);
    free(mean);
    sow_model_destroy(m);
    screen_clear(&s);
}

static sow_index held(const sow_model *m)
{
    sow_losses l;
    sow_index n = 0;
    OK(sow_model_losses(m, &l, NULL, err));
    for (sow_index i = 0; i < l.n; i++) n += l.held[i];
    sow_losses_clear(&l);
    return n;
}

Test(morph_train, holds_out_a_share_of_the_perturbations_and_at_least_one_of_five)
{
    static const sow_index measured[] = {4, 5, 9, 30}, expected[] = {0, 1, 1, 6};
    for (int k = 0; k < 4; k++) {
        screen s = screen_make(32, measured[k], 10, 9, 40, 8);
        sow_model_options o = small_options(1);
        o.morph.validation = k == 3 ? 0.2 : 0.1;
        sow_model *m = trained(screen_training(&s), &o, NULL);
        cr_assert_eq(held(m), expected[k], "%d measured", (int)measured[k]);
        sow_model_destroy(m);
        screen_clear(&s);
    }
}

/* As published: one entry for each batch of 32, and what is left over is not judged. */
Test(morph_train, gives_one_loss_a_batch_as_published)
{
    screen s = screen_make(8, 6, 0, 9, 40, 9);
    sow_model_options o = small_options(2);
    o.morph.reference = 1;
    sow_model *m = trained(screen_training(&s), &o, NULL);
    sow_losses l;
    OK(sow_model_losses(m, &l, NULL, err));
    sow_index at = 0;
    for (sow_index i = 0; i < s.measured; i++)
        for (sow_index k = 0; k < screen_count(i, 0) / 32; k++, at++) {
            cr_assert(at < l.n && l.perturbation[at] == i && l.cells[at] == 32);
            cr_assert(l.loss[at] >= 0 && l.loss[at] <= 20);
        }
    cr_assert_eq(l.n, at);
    sow_losses_clear(&l);
    sow_model_destroy(m);
    screen_clear(&s);
}

/* The loss that the model says of its own cells is that of the same cells when they are the caller's. */
Test(morph_train, judges_the_cells_of_a_caller_like_its_own)
{
    screen s = screen_make(8, 6, 24, 9, 40, 10);
    const sow_model_options o = small_options(2);
    sow_model *m = trained(screen_training(&s), &o, NULL);
    sow_losses l;
    float truth[24 * 9];
    OK(sow_model_losses(m, &l, NULL, err));
    for (sow_index i = 0; i < 6; i++) {
        double loss = NAN, again = NAN;
        OK(sow_prepared_rows(truth, &s.space, &s.table, s.cell + s.start[i], 24, NULL, err));
        OK(sow_model_loss_on(m, i, truth, 24, &loss, NULL, err));
        OK(sow_model_loss_on(m, i, truth, 24, &again, NULL, err));
        cr_assert(fabs(loss - l.loss[i]) <= 1e-6 && loss == again, "%g, %g", loss, l.loss[i]);
    }
    double loss = 0;
    cr_assert_eq(sow_model_loss_on(m, 0, truth, 1, &loss, NULL, err), SOW_E_DATA);
    cr_assert_eq(sow_model_loss_on(m, 7, truth, 24, &loss, NULL, err), SOW_E_DATA);
    SAYS("no prior row");
    sow_losses_clear(&l);
    sow_model_destroy(m);
    screen_clear(&s);
}

typedef struct {
    const screen *s;
    double *before, *sum; /* [n_items, 5], [n_items] */
    int epochs;
} follower;

/* Latents after every epoch, from the weights of the checkpoint. */
static sow_status follow(void *user, sow_archive *state, sow_error *e)
{
    follower *f = user;
    const void *now = NULL;
    if (!sow_archive_find(state, "member/0/before")) return SOW_OK; /* the last epoch's latents are let go of */
    const sow_status st = sow_archive_get(&now, state, "member/0/before", SOW_ARCHIVE_F64, f->s->n_items, 5, e);
    for (sow_index i = 0; st == SOW_OK && i < f->s->n_items; i++) {
        double squared = 0;
        for (int j = 0; j < 5; j++) squared += pow(((const double *)now)[i * 5 + j] - f->before[i * 5 + j], 2);
        if (f->epochs > 0) f->sum[i] += sqrt(squared);
    }
    if (st == SOW_OK) memcpy(f->before, now, (size_t)(f->s->n_items * 5) * sizeof(double));
    f->epochs++;
    return st;
}

Test(morph_train, follows_how_far_each_latent_moves_in_an_epoch)
{
    screen s = screen_make(12, 8, 20, 9, 40, 11);
    follower f = {&s, calloc(12 * 5, sizeof(double)), calloc(12, sizeof(double)), 0};
    sow_model_options o = small_options(5);
    o.morph.patience = 100;
    o.checkpoints.take = follow;
    o.checkpoints.user = &f;
    sow_model *m = trained(screen_training(&s), &o, NULL);
    double drift[12], latent[12 * 5];
    unsigned char has[12];
    sow_index *all = from_to(0, 12);
    OK(sow_model_drift(m, all, 12, drift, err));
    OK(sow_model_embed(m, all, 12, latent, has, err));
    cr_assert_eq(f.epochs, 4);
    cr_assert_eq(sow_model_latent_dim(m), 5);
    for (int i = 0; i < 11; i++) cr_assert(drift[i] > 0 && drift[i] * 4 > f.sum[i] && has[i]); /* the fifth epoch's movement comes on top */
    cr_assert(isnan(drift[11]) && !has[11]);
    for (int j = 0; j < 5; j++) cr_assert_eq(latent[11 * 5 + j], 0);
    free(all);
    free(f.before);
    free(f.sum);
    sow_model_destroy(m);
    screen_clear(&s);
}

/* ---- doubles ---- */

Test(morph_train, represents_a_double_by_the_sum_of_its_two_genes)
{
    screen s = screen_make(12, 8, 20, 9, 40, 12);
    sow_perturbation detail[12] = {{0}};
    char one[] = "P1", four[] = "P4", *pair[2] = {one, four};
    double no_dose[2] = {(double)NAN, (double)NAN};
    detail[3] = (sow_perturbation){2, pair, no_dose};
    const sow_model_options o = small_options(2);
    screen_training(&s)->detail = detail;
    sow_model *m = trained(&s.training, &o, NULL);
    double latent[12 * 5];
    unsigned char has[12];
    sow_index *all = from_to(0, 12);
    OK(sow_model_embed(m, all, 12, latent, has, err));
    for (int j = 0; j < 5; j++) cr_assert(fabs(latent[3 * 5 + j] - latent[1 * 5 + j] - latent[4 * 5 + j]) <= 1e-6);
    cr_assert(has[3]);
    free(all);
    sow_model_destroy(m);
    screen_clear(&s);
}

/* ---- warm starts and variants ---- */

Test(morph_train, goes_on_from_a_trained_model)
{
    screen s = screen_make(12, 8, 32, 9, 60, 13);
    sow_model_options o = small_options(20);
    o.morph.rate = 3e-3;
    sow_model *cold = trained(screen_training(&s), &o, NULL);
    o.morph.epochs = 1;
    o.warm = cold;
    sow_model *warm = trained(&s.training, &o, NULL);
    o.warm = NULL;
    sow_model *fresh = trained(&s.training, &o, NULL);
    sow_losses a, b;
    OK(sow_model_losses(warm, &a, NULL, err));
    OK(sow_model_losses(fresh, &b, NULL, err));
    double warm_loss = 0, fresh_loss = 0;
    for (sow_index i = 0; i < a.n; i++) warm_loss += a.loss[i], fresh_loss += b.loss[i];
    cr_assert(warm_loss < 0.8 * fresh_loss, "%g, %g", warm_loss, fresh_loss);
    sow_losses_clear(&a);
    sow_losses_clear(&b);
    sow_model_destroy(cold);
    sow_model_destroy(warm);
    sow_model_destroy(fresh);
    screen_clear(&s);
}

/* Every switch, and every variant, trains and predicts. */
Test(morph_train, trains_with_each_mending_alone_and_each_variant)
{
    screen s = screen_make(10, 7, 40, 9, 40, 14);
    screen_training(&s);
    for (int k = 0; k < 11; k++) {
        sow_model_options o = small_options(2);
        o.morph.unbiased = k != 0;
        o.morph.fresh_controls = k != 1;
        o.morph.weighted_criterion = k != 2;
        o.morph.mean_latent = k != 3;
        o.morph.small_groups = k != 4;
        o.morph.scaled_prior = k != 5;
        o.morph.paired_change = k == 6;
        o.morph.gamma2 = k == 7;
        o.morph.sigma = k == 8 ? 1500 : 0;
        o.morph.variant = k >= 9 ? k - 8 : 0;
        sow_model *m = trained(&s.training, &o, NULL);
        double *mean = shifts(m, &s, 0, 10, NULL);
        cr_assert(fabs(mean[0]) + fabs(mean[1]) > 0);
        free(mean);
        cr_assert_eq(held(m), 1);
        sow_model_destroy(m);
    }
    screen_clear(&s);
}

Test(morph_train, takes_batches_of_two_of_groups_of_any_size)
{
    screen s = screen_make(12, 8, 21, 9, 40, 5);
    for (int unbiased = 0; unbiased < 2; unbiased++) {
        sow_model_options o = small_options(2);
        o.morph.batch = 2;
        o.morph.unbiased = unbiased;
        sow_model_destroy(trained(screen_training(&s), &o, NULL));
    }
    screen_clear(&s);
}

Test(morph_train, scales_priors_by_the_rows_that_may_be_fitted_on)
{
    screen s = screen_make(12, 8, 20, 9, 40, 6);
    unsigned char fit_rows[12] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1};
    const sow_model_options o = small_options(2);
    double *mean[2];
    s.priors.fit_rows = fit_rows;
    for (int far = 0; far < 2; far++) {
        for (sow_index j = 0; j < s.priors.fused_dim; j++) s.priors.fused[9 * s.priors.fused_dim + j] *= far ? 90 : 1; /* held out */
        sow_model *m = trained(screen_training(&s), &o, NULL);
        mean[far] = shifts(m, &s, 10, 11, NULL);
        sow_model_destroy(m);
    }
    for (sow_index j = 0; j < s.d; j++) cr_expect_eq(mean[0][j], mean[1][j]);
    free(mean[0]);
    free(mean[1]);
    s.priors.fit_rows = NULL;
    screen_clear(&s);
}

/* Every epoch's loss, both falling, and the epoch that was kept is among them. */
Test(morph_train, remembers_how_its_training_went)
{
    screen s = screen_make(41, 30, 48, 15, 120, 1);
    sow_model_options o = small_options(20);
    o.morph.rate = 3e-3;
    o.morph.members = 2;
    sow_model *m = trained(screen_training(&s), &o, NULL);
    sow_history h;
    cr_assert_eq(sow_model_history(m, &h, NULL), SOW_OK);
    cr_assert_eq(h.members, 2);
    cr_assert_eq(h.epochs, 20);
    for (sow_index b = 0; b < 2; b++) {
        const double *trained_on = h.trained + b * h.epochs, *held = h.held + b * h.epochs;
        cr_assert(h.best[b] >= 0 && h.best[b] < h.epochs);
        cr_assert(isfinite(trained_on[h.epochs - 1]) && isfinite(held[h.epochs - 1]));
        cr_assert_lt(trained_on[h.epochs - 1], trained_on[0]);
        cr_assert_lt(held[h.best[b]], held[0]);
    }
    sow_history_clear(&h);
    sow_model_destroy(m);
    screen_clear(&s);
}

Test(morph_train, keeps_the_last_weights_when_asked_and_does_not_stop_early)
{
    screen s = screen_make(12, 8, 20, 9, 40, 15);
    sow_model_options o = small_options(12);
    sow_history h;
    o.morph.members = 2;
    o.morph.patience = 1;
    o.morph.last_weights = 1;
    sow_model *m = trained(screen_training(&s), &o, NULL);
    char *text = sow_model_describe(m);
    cr_assert_eq(sow_model_history(m, &h, NULL), SOW_OK);
    cr_assert_eq(h.epochs, 12);
    for (sow_index b = 0; b < 2; b++) cr_assert_eq(h.best[b], 11);
    cr_assert(strstr(text, "kept is number 12 "), "%s", text);
    free(text);
    sow_history_clear(&h);
    sow_model_destroy(m);
    screen_clear(&s);
}

/* Without a reconstruction the published schedule would learn nothing for its first epochs and let the latent's variance run away for the next. */
Test(morph_train, learns_from_the_first_epoch_where_nothing_is_reconstructed)
{
    screen s = screen_make(41, 30, 48, 15, 120, 1);
    sow_model_options o = small_options(40);
    sow_history h;
    o.morph.rate = 3e-3;
    o.morph.gamma1 = 0;
    sow_model *m = trained(screen_training(&s), &o, NULL);
    cr_assert_eq(sow_model_history(m, &h, NULL), SOW_OK);
    cr_assert_lt(h.trained[3], 0.9 * h.trained[0]); /* as published, nothing would have moved it yet */
    sow_history_clear(&h);
    sow_model_destroy(m);
    screen_clear(&s);
}

Test(morph_train, says_what_was_done)
{
    screen s = screen_make(12, 8, 20, 9, 40, 15);
    const sow_model_options o = small_options(3);
    sow_model *m = trained(screen_training(&s), &o, NULL);
    char *text = sow_model_describe(m);
    cr_assert_not_null(text);
    static const char *const parts[] = {"morph (default, plain)", " parameters", "8 perturbations", "160 cells", "40 controls", "1 perturbation a step", "validation: 1 perturbation", "epochs, the best was", "(lower is better)"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) cr_assert(strstr(text, parts[i]), "'%s' is not in: %s", parts[i], text);
    free(text);
    sow_model_destroy(m);
    screen_clear(&s);
}
