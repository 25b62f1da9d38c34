#include "../io/faults.h"
#include "../io/scratch.h"
#include "io/archive_file.h"
#include "morph_screen.h"

TestSuite(morph_keep, .init = scratch_create, .fini = scratch_remove);

/* ---- interrupted trainings ---- */

enum { MOST_STATES = 64 };

typedef struct {
    sow_archive state[MOST_STATES];
    int n;
} states;

static sow_status copy_archive(sow_archive *to, const sow_archive *from, sow_error *e)
{
    for (sow_index i = 0; i < from->n; i++) {
        const sow_archive_item *x = &from->item[i];
        const sow_status st = sow_archive_put(to, x->name, x->kind, x->data, x->rows, x->cols, e);
        if (st != SOW_OK) return st;
    }
    return SOW_OK;
}

static sow_status remember(void *user, sow_archive *state, sow_error *e)
{
    states *s = user;
    cr_assert(s->n < MOST_STATES);
    return copy_archive(&s->state[s->n++], state, e);
}

static void states_clear(states *s)
{
    for (int i = 0; i < s->n; i++) sow_archive_clear(&s->state[i]);
}

static void resumes_everywhere(const screen *s, sow_model_options o)
{
    states all = {.n = 0};
    o.checkpoints.take = remember;
    o.checkpoints.user = &all;
    sow_model *m = trained(&s->training, &o, NULL);
    const sow_archive whole = kept(m);
    sow_archive w = whole;
    sow_model_destroy(m);
    o.checkpoints.take = NULL;
    cr_assert(all.n > 1);
    for (int k = 0; k < all.n; k++) {
        o.resume = &all.state[k];
        m = trained(&s->training, &o, NULL);
        sow_archive a = kept(m);
        const char *differs = first_difference(&w, &a);
        cr_assert_null(differs, "after checkpoint %d: '%s'", k, differs);
        sow_archive_clear(&a);
        sow_model_destroy(m);
    }
    states_clear(&all);
    sow_archive_clear(&w);
}

Test(morph_keep, resumes_at_every_epoch_to_the_same_bits)
{
    screen s = screen_make(12, 8, 0, 9, 40, 1);
    screen_training(&s);
    sow_model_options o = small_options(5);
    resumes_everywhere(&s, o);
    o.morph.reference = 1;
    resumes_everywhere(&s, o);
    screen_clear(&s);
}

Test(morph_keep, resumes_an_ensemble_in_the_middle_of_any_member)
{
    screen s = screen_make(12, 8, 20, 9, 40, 2);
    screen_training(&s);
    sow_model_options o = small_options(3);
    o.morph.members = 2;
    o.morph.patience = 1;
    resumes_everywhere(&s, o);
    screen_clear(&s);
}

/* A stop at any moment is a resume at the last checkpoint. */
static int stop_later(void *user, const char *what, double fraction)
{
    (void)what;
    (void)fraction;
    return --*(int *)user < 0;
}

Test(morph_keep, can_be_cancelled_and_gone_on_with)
{
    screen s = screen_make(12, 8, 60, 9, 40, 3);
    sow_model_options o = small_options(3);
    states all = {.n = 0};
    int left = 4;
    const sow_env env = {.progress = stop_later, .progress_user = &left};
    sow_model *m = trained(screen_training(&s), &o, NULL), *stopped = NULL;
    sow_archive a = kept(m);
    sow_model_destroy(m);
    o.checkpoints.take = remember;
    o.checkpoints.user = &all;
    cr_assert_eq(sow_model_fit(&stopped, morph_class(), &s.training, &o, &env, err), SOW_E_CANCELLED);
    cr_assert(!stopped && all.n > 0);
    o.checkpoints.take = NULL;
    o.resume = &all.state[all.n - 1];
    m = trained(&s.training, &o, NULL);
    sow_archive b = kept(m);
    cr_assert_null(first_difference(&a, &b));
    states_clear(&all);
    sow_archive_clear(&a);
    sow_archive_clear(&b);
    sow_model_destroy(m);
    screen_clear(&s);
}

/* What may differ between the training that was interrupted and the one that would go on. */
static void change(int k, screen *s, sow_model_options *o)
{
    if (k == 0) o->seed++;
    if (k == 1) o->morph.alpha = 1;
    if (k == 2) o->round++;
    if (k == 3) s->training.n--;
    if (k == 4) s->priors.fused[3] += 1;
    if (k == 5) s->cells_of.n_control--;
}

Test(morph_keep, starts_anew_where_the_interrupted_training_was_of_something_else)
{
    for (int k = 0; k < 6; k++) {
        screen s = screen_make(12, 8, 20, 9, 40, 4);
        sow_model_options o = small_options(3);
        states all = {.n = 0};
        o.checkpoints.take = remember;
        o.checkpoints.user = &all;
        sow_model_destroy(trained(screen_training(&s), &o, NULL));
        o.checkpoints.take = NULL;
        change(k, &s, &o);
        sow_model *fresh = trained(&s.training, &o, NULL);
        sow_archive a = kept(fresh);
        said heard = {{0}, 0};
        const sow_env env = {.log = hear, .log_user = &heard};
        o.resume = &all.state[0];
        sow_model *m = trained(&s.training, &o, &env);
        sow_archive b = kept(m);
        cr_assert_null(first_difference(&a, &b), "change %d", k);
        cr_assert(strstr(heard.text, "it starts anew"), "change %d: %s", k, heard.text);
        states_clear(&all);
        sow_archive_clear(&a);
        sow_archive_clear(&b);
        sow_model_destroy(m);
        sow_model_destroy(fresh);
        screen_clear(&s);
    }
}

/* ---- saved models ---- */

static void same_answers(const sow_model *a, const sow_model *b, const screen *s)
{
    const sow_index p[3] = {1, 9, 11}, context[3] = {0, 0, 0};
    double *x = calloc((size_t)(6 * s->d), sizeof *x), latent[2][3 * 5], drift[2][3];
    unsigned char has[3];
    sow_losses l[2];
    const sow_model *m[2] = {a, b};
    for (int k = 0; k < 2; k++) {
        OK(sow_model_predict(m[k], &(sow_query){3, p, context, NULL}, x + k * 3 * s->d, NULL, NULL, NULL, err));
        OK(sow_model_embed(m[k], p, 3, latent[k], has, err));
        OK(sow_model_drift(m[k], p, 3, drift[k], err));
        OK(sow_model_losses(m[k], &l[k], NULL, err));
    }
    cr_assert_eq(memcmp(x, x + 3 * s->d, (size_t)(3 * s->d) * sizeof *x), 0);
    cr_assert_eq(memcmp(latent[0], latent[1], sizeof latent[0]), 0);
    cr_assert(drift[0][0] == drift[1][0] && isnan(drift[1][2]));
    cr_assert_eq(l[0].n, l[1].n);
    for (sow_index i = 0; i < l[0].n; i++) cr_assert(l[0].loss[i] == l[1].loss[i] && l[0].held[i] == l[1].held[i]);
    sow_losses_clear(&l[0]);
    sow_losses_clear(&l[1]);
    free(x);
}

Test(morph_keep, answers_the_same_after_a_file)
{
    screen s = screen_make(12, 8, 20, 9, 40, 5);
    sow_model_options o = small_options(3);
    screen_training(&s);
    for (int k = 0; k < 3; k++) {
        o.morph.members = k == 1 ? 2 : 1;
        o.morph.mean_latent = k != 2;
        sow_model *m = trained(&s.training, &o, NULL), *again = NULL;
        sow_archive a = kept(m), b = {0};
        OK(sow_archive_write(scratch_path("model.h5"), "morph", 1, &a, err));
        OK(sow_archive_read(&b, scratch_path("model.h5"), "morph", 1, err));
        OK(sow_model_load(&again, morph_class(), &b, &s.training, &o, NULL, err));
        same_answers(m, again, &s);
        sow_archive c = kept(again);
        cr_assert_null(first_difference(&a, &c));
        sow_archive_clear(&a);
        sow_archive_clear(&b);
        sow_archive_clear(&c);
        sow_model_destroy(m);
        sow_model_destroy(again);
    }
    screen_clear(&s);
}

/* A warm start from a model that came from a file is one from the model itself. */
Test(morph_keep, can_be_gone_on_from_after_a_file)
{
    screen s = screen_make(12, 8, 20, 9, 40, 6);
    sow_model_options o = small_options(2);
    sow_model *m = trained(screen_training(&s), &o, NULL), *loaded = NULL;
    sow_archive file = kept(m);
    OK(sow_model_load(&loaded, morph_class(), &file, &s.training, &o, NULL, err));
    o.warm = m;
    sow_model *one = trained(&s.training, &o, NULL);
    o.warm = loaded;
    sow_model *two = trained(&s.training, &o, NULL);
    sow_archive a = kept(one), b = kept(two);
    cr_assert_null(first_difference(&a, &b));
    sow_archive_clear(&a);
    sow_archive_clear(&b);
    sow_archive_clear(&file);
    sow_model_destroy(one);
    sow_model_destroy(two);
    sow_model_destroy(m);
    sow_model_destroy(loaded);
    screen_clear(&s);
}

static void does_not_load(const sow_archive *a, const sow_training *t, const sow_model_options *o, const char *part)
{
    sow_model *m = NULL;
    cr_assert_eq(sow_model_load(&m, morph_class(), a, t, o, NULL, err), SOW_E_DATA, "%s", err->message);
    SAYS(part);
    cr_assert_null(m);
}

Test(morph_keep, refuses_a_saved_model_of_another_size_of_other_genes_or_other_priors)
{
    screen s = screen_make(12, 8, 20, 9, 40, 7), smaller = screen_make(12, 8, 20, 8, 40, 7), other = screen_make(12, 8, 20, 9, 40, 8);
    sow_model_options o = small_options(1);
    sow_model *m = trained(screen_training(&s), &o, NULL);
    sow_archive a = kept(m);
    does_not_load(&a, screen_training(&smaller), &o, "learned from 1 gene that is not here (g8)");
    does_not_load(&a, screen_training(&other), &o, "other priors");
    o.morph.latent_perturbation = 6;
    o.morph.encoder = 7;
    does_not_load(&a, &s.training, &o, "of another campaign: latent_perturbation 5 (here 6), encoder 16 (here 7)");
    o = small_options(1);
    sow_names_destroy(s.space.genes);
    s.space.genes = made_names("h", 9);
    does_not_load(&a, &s.training, &o, "9 genes that are not here (g0, g1, g2, g3, g4, ...), and without 9 that are (h0, h1, h2, h3, h4, ...)");
    sow_archive_clear(&a);
    sow_model_destroy(m);
    screen_clear(&s);
    screen_clear(&smaller);
    screen_clear(&other);
}

/* Whatever array is not there, or of another size. */
Test(morph_keep, names_what_a_saved_model_lacks)
{
    screen s = screen_make(12, 8, 20, 9, 40, 9);
    const sow_model_options o = small_options(1);
    sow_model *m = trained(screen_training(&s), &o, NULL);
    sow_archive a = kept(m);
    for (sow_index k = 0; k < a.n; k++) {
        sow_archive b = {0};
        for (sow_index i = 0; i < a.n; i++)
            if (i != k) OK(sow_archive_put(&b, a.item[i].name, a.item[i].kind, a.item[i].data, a.item[i].rows, a.item[i].cols, err));
        sow_model *again = NULL;
        cr_assert_eq(sow_model_load(&again, morph_class(), &b, &s.training, &o, NULL, err), SOW_E_DATA, "without '%s'", a.item[k].name);
        cr_assert(strstr(err->message, a.item[k].name), "without '%s': %s", a.item[k].name, err->message);
        OK(sow_archive_put(&b, a.item[k].name, SOW_ARCHIVE_F32, (float[3]){0}, 1, 3, err));
        cr_assert_eq(sow_model_load(&again, morph_class(), &b, &s.training, &o, NULL, err), SOW_E_DATA, "'%s' of another size", a.item[k].name);
        sow_archive_clear(&b);
    }
    sow_archive_clear(&a);
    sow_model_destroy(m);
    screen_clear(&s);
}

/* ---- memory ---- */

static screen *faulty;

static sow_status fit_save_load(sow_error *e)
{
    sow_model_options o = small_options(1);
    states all = {.n = 0};
    sow_model *m = NULL, *again = NULL;
    sow_archive a = {0};
    sow_losses l = {0};
    const sow_index p = 1, context = 0;
    double mean[9], var[9];
    o.morph.members = 2;
    o.checkpoints.take = remember;
    o.checkpoints.user = &all;
    sow_status st = sow_model_fit(&m, morph_class(), &faulty->training, &o, NULL, e);
    if (st == SOW_OK) st = sow_model_predict(m, &(sow_query){1, &p, &context, NULL}, mean, var, NULL, NULL, e);
    if (st == SOW_OK) st = sow_model_losses(m, &l, NULL, e);
    if (st == SOW_OK) st = sow_model_save(m, &a, e);
    if (st == SOW_OK) st = sow_model_load(&again, morph_class(), &a, &faulty->training, &o, NULL, e);
    sow_model_destroy(again);
    o.resume = all.n ? &all.state[0] : NULL;
    again = NULL;
    if (st == SOW_OK) st = sow_model_fit(&again, morph_class(), &faulty->training, &o, NULL, e);
    sow_model_destroy(again);
    sow_model_destroy(m);
    states_clear(&all);
    sow_archive_clear(&a);
    sow_losses_clear(&l);
    return st;
}

Test(morph_keep, survives_every_failing_allocation)
{
    screen s = screen_make(7, 5, 4, 9, 8, 10);
    screen_training(&s);
    faulty = &s;
    every_allocation_may_fail(fit_save_load, 1);
    screen_clear(&s);
}
