#include "morph_screen.h"

static void refuses(const screen *s, const sow_model_options *o, sow_status status, const char *part)
{
    sow_model *m = NULL;
    const sow_status st = sow_model_fit(&m, morph_class(), &s->training, o, NULL, err);
    cr_assert_eq(st, status, "%s: %s", sow_status_name(st), err->message);
    SAYS(part);
    cr_assert_null(m);
}

/* The whole catalogue can be predicted. */
static void works(const screen *s, const sow_model_options *o, const sow_env *env)
{
    sow_model *m = trained(&s->training, o, env);
    double *mean = calloc((size_t)(s->n_items * s->d), sizeof *mean);
    sow_index *p = all_positions(s->n_items), *context = calloc((size_t)s->n_items, sizeof *context);
    OK(sow_model_predict(m, &(sow_query){s->n_items, p, context, NULL}, mean, NULL, NULL, env, err));
    free(mean);
    free(p);
    free(context);
    sow_model_destroy(m);
}

Test(morph_bad, learns_from_one_perturbation_only_and_says_so)
{
    screen s = screen_make(6, 1, 20, 9, 40, 1);
    said heard = {{0}, 0};
    const sow_env env = {.log = hear, .log_user = &heard};
    const sow_model_options o = small_options(3);
    screen_training(&s);
    works(&s, &o, &env);
    cr_assert(strstr(heard.text, "from one perturbation only"), "%s", heard.text);
    screen_clear(&s);
}

Test(morph_bad, takes_groups_smaller_than_a_batch_and_leaves_out_single_cells)
{
    screen s = screen_make(9, 7, 3, 9, 40, 2);
    said heard = {{0}, 0};
    const sow_env env = {.log = hear, .log_user = &heard};
    sow_model_options o = small_options(2);
    screen_training(&s);
    works(&s, &o, &env);
    cr_assert_eq(heard.warnings, 0, "%s", heard.text);
    s.start[1] = 1; /* the first has one cell, the second five */
    works(&s, &o, &env);
    cr_assert(strstr(heard.text, "1 measured perturbation with fewer than 2 cells"), "%s", heard.text);
    o.morph.reference = 1;
    refuses(&s, &o, SOW_E_DATA, "7 measured perturbations with fewer than 32 cells");
    screen_clear(&s);
}

Test(morph_bad, takes_genes_that_never_vary)
{
    screen s = screen_make(9, 7, 12, 9, 40, 3);
    const sow_model_options o = small_options(2);
    sow_cell_arrays *a = s.table.matrix[0].owner;
    for (int64_t i = 0; i < a->start[s.n_cells]; i++) a->value[i] = a->gene[i] < 4 ? 1 : a->value[i];
    screen_training(&s);
    works(&s, &o, NULL);
    for (int64_t i = 0; i < a->start[s.n_cells]; i++) a->value[i] = 1; /* controls that are nearly all alike */
    works(&s, &o, NULL);
    for (sow_index c = 0; c <= s.n_cells; c++) a->start[c] = 0; /* and no value at all */
    works(&s, &o, NULL);
    screen_clear(&s);
}

Test(morph_bad, takes_a_prior_of_one_dimension)
{
    screen s = screen_make(9, 7, 12, 9, 40, 4);
    const sow_model_options o = small_options(2);
    s.priors.fused_dim = 1;
    screen_training(&s);
    works(&s, &o, NULL);
    screen_clear(&s);
}

Test(morph_bad, names_the_row_of_a_prior_that_is_no_number)
{
    screen s = screen_make(9, 7, 12, 9, 40, 5);
    const sow_model_options o = small_options(2);
    s.priors.fused[2 * SCREEN_PRIOR + 3] = (double)NAN;
    screen_training(&s);
    refuses(&s, &o, SOW_E_NONFINITE, "the row of 'P2' holds nan in column 4");
    screen_clear(&s);
}

Test(morph_bad, needs_priors_controls_and_cells)
{
    screen s = screen_make(9, 7, 12, 9, 40, 6);
    const sow_model_options o = small_options(2);
    screen_training(&s)->priors = NULL;
    refuses(&s, &o, SOW_E_CONFIG, "give at least one under `priors:`");
    screen_training(&s);
    s.cells_of.n_control = 1;
    refuses(&s, &o, SOW_E_DATA, "1 control cell in the target context");
    screen_training(&s)->cells_of = NULL;
    refuses(&s, &o, SOW_E_UNSUPPORTED, "learns from single cells");
    screen_training(&s);
    for (sow_index i = 0; i < s.n_items; i++) s.priors.has_any[i] = 0;
    refuses(&s, &o, SOW_E_DATA, "P0, P1, P2");
    screen_clear(&s);
}

/* ---- doubles ---- */

typedef struct {
    screen s;
    char *agent[3][2];
    double dose[2];
    sow_perturbation detail[12];
} with_doubles;

/* P3 = P1 + P4, P5 = P2 + X (not in the catalogue), P6 = P0 + P11 (without a prior). */
static void doubles_make(with_doubles *w)
{
    static char p0[] = "P0", p1[] = "P1", p2[] = "P2", p4[] = "P4", p11[] = "P11", x[] = "X";
    memset(w, 0, sizeof *w);
    w->s = screen_make(12, 8, 20, 9, 40, 7);
    w->dose[0] = w->dose[1] = (double)NAN;
    char *agents[3][2] = {{p1, p4}, {p2, x}, {p0, p11}};
    memcpy(w->agent, agents, sizeof agents);
    w->detail[3] = (sow_perturbation){2, w->agent[0], w->dose};
    w->detail[5] = (sow_perturbation){2, w->agent[1], w->dose};
    w->detail[6] = (sow_perturbation){2, w->agent[2], w->dose};
    screen_training(&w->s)->detail = w->detail;
}

Test(morph_bad, leaves_out_a_double_one_gene_of_which_lacks_a_prior)
{
    with_doubles w;
    said heard = {{0}, 0};
    const sow_env env = {.log = hear, .log_user = &heard};
    const sow_model_options o = small_options(2);
    const sow_index asked[4] = {3, 5, 6, 11};
    double latent[4 * 5];
    unsigned char has[4];
    doubles_make(&w);
    sow_model *m = trained(&w.s.training, &o, &env);
    cr_assert_eq(heard.warnings, 1);
    cr_assert(strstr(heard.text, "2 measured perturbations without a prior row") && strstr(heard.text, "P5, P6"), "%s", heard.text);
    char *text = sow_model_describe(m);
    cr_assert(strstr(text, "left out: 2 measured perturbations") && strstr(text, "P5, P6") && strstr(text, "6 perturbations"), "%s", text);
    OK(sow_model_embed(m, asked, 4, latent, has, err));
    cr_assert(has[0] && !has[1] && !has[2] && !has[3]);
    free(text);
    sow_model_destroy(m);
    works(&w.s, &o, NULL);
    screen_clear(&w.s);
}

/* ---- models that have none of it ---- */

Test(morph_bad, is_the_only_model_with_latents_losses_and_files)
{
    screen s = screen_make(9, 7, 12, 9, 40, 13);
    const sow_model_class *c = NULL;
    const sow_index p = 1;
    const float x[2 * 9] = {0};
    float cells[2 * 9];
    double latent[9], loss = 0;
    sow_losses l;
    sow_archive a = {0};
    sow_model *m = NULL, *again = NULL;
    OK(sow_model_find(&c, "train-mean", err));
    OK(sow_model_fit(&m, c, screen_training(&s), NULL, NULL, err));
    cr_assert_eq(sow_model_latent_dim(m), 0);
    cr_assert_eq(sow_model_embed(m, &p, 1, latent, NULL, err), SOW_E_UNSUPPORTED);
    SAYS("model 'train-mean' has no learned representation; use model morph");
    cr_assert_eq(sow_model_drift(m, &p, 1, latent, err), SOW_E_UNSUPPORTED);
    cr_assert_eq(sow_model_losses(m, &l, NULL, err), SOW_E_UNSUPPORTED);
    cr_assert_eq(sow_model_loss_on(m, 1, x, 2, &loss, NULL, err), SOW_E_UNSUPPORTED);
    cr_assert_eq(sow_model_generate(m, 1, 0, x, 2, cells, NULL, err), SOW_E_UNSUPPORTED);
    cr_assert_eq(sow_model_save(m, &a, err), SOW_E_UNSUPPORTED);
    cr_assert_eq(sow_model_load(&again, c, &a, &s.training, NULL, NULL, err), SOW_E_UNSUPPORTED);
    cr_assert_null(again);
    sow_model_destroy(m);
    screen_clear(&s);
}

Test(morph_bad, refuses_questions_outside_the_catalogue_and_the_contexts)
{
    screen s = screen_make(9, 7, 12, 9, 40, 14);
    sow_model_options o = small_options(1);
    const sow_index p[2] = {3, 9};
    float x[2 * 9] = {0};
    double latent[2 * 5], loss = 0;
    sow_archive a = {0};
    sow_model *m = trained(screen_training(&s), &o, NULL), *other = NULL;
    const sow_model_class *mean = NULL;
    cr_assert_eq(sow_model_embed(m, p, 2, latent, NULL, err), SOW_E_SHAPE);
    SAYS("perturbation 9 is outside the catalogue of 9");
    cr_assert_eq(sow_model_drift(m, p, 2, latent, err), SOW_E_SHAPE);
    cr_assert_eq(sow_model_loss_on(m, 9, x, 2, &loss, NULL, err), SOW_E_SHAPE);
    cr_assert_eq(sow_model_loss_on(m, 3, x, 0, &loss, NULL, err), SOW_E_ARG);
    cr_assert_eq(sow_model_generate(m, 9, 0, x, 2, x, NULL, err), SOW_E_SHAPE);
    cr_assert_eq(sow_model_generate(m, 3, 1, x, 2, x, NULL, err), SOW_E_SHAPE);
    OK(sow_model_generate(m, 3, 0, x, 0, x, NULL, err));
    OK(sow_archive_put_number(&a, "x", 1, err));
    cr_assert_eq(sow_model_save(m, &a, err), SOW_E_ARG);
    OK(sow_model_find(&mean, "train-mean", err));
    o.warm = m;
    cr_assert_eq(sow_model_fit(&other, mean, &s.training, &o, NULL, err), SOW_E_ARG);
    SAYS("model 'train-mean' cannot go on from a model 'morph'");
    sow_archive_clear(&a);
    sow_model_destroy(m);
    screen_clear(&s);
}

/* ---- three experts ---- */

Test(morph_bad, takes_three_dense_priors_for_three_experts_and_nothing_else)
{
    screen s = screen_make(9, 7, 12, 9, 40, 8);
    sow_model_options o = small_options(2);
    o.morph.variant = 3;
    screen_training(&s);
    refuses(&s, &o, SOW_E_CONFIG, "three priors are needed, one an expert; there are 1");
    const sow_prior one = s.priors.priors[0];
    sow_prior three[3] = {one, one, one};
    unsigned char has[9];
    memcpy(has, one.has, sizeof has);
    has[1] = 0;
    three[2].has = has;
    sow_prior *own = s.priors.priors;
    s.priors.priors = three;
    s.priors.n_priors = 3;
    said heard = {{0}, 0};
    const sow_env env = {.log = hear, .log_user = &heard};
    works(&s, &o, &env);
    cr_assert(strstr(heard.text, "P1"), "the second lacks a row of the third prior: %s", heard.text);
    three[1].kind = SOW_PRIOR_SETS;
    refuses(&s, &o, SOW_E_CONFIG, "prior 'embedding' is a collection of sets");
    s.priors.priors = own;
    s.priors.n_priors = 1;
    screen_clear(&s);
}

/* ---- numbers that stop being finite ---- */

Test(morph_bad, gives_up_where_not_one_epoch_is_good)
{
    screen s = screen_make(9, 7, 12, 9, 40, 9);
    sow_model_options o = small_options(3);
    o.morph.rate = 1e6;
    o.morph.clamp = 0;
    screen_training(&s);
    refuses(&s, &o, SOW_E_NONFINITE, "in member 1, epoch 1");
    SAYS("lower model.learning_rate");
    screen_clear(&s);
}

/* A weight of the checkpoint is made huge: the next epoch cannot be good. */
static sow_status spoil(void *user, sow_archive *state, sow_error *e)
{
    sow_archive *to = user;
    sow_archive_clear(to);
    for (sow_index i = 0; i < state->n; i++) {
        const sow_archive_item *x = &state->item[i];
        const sow_status st = sow_archive_put(to, x->name, x->kind, x->data, x->rows, x->cols, e);
        if (st != SOW_OK) return st;
        if (strcmp(x->name, "member/0/now/d1.weight") == 0) ((float *)to->item[to->n - 1].data)[0] = 3e38f;
    }
    return sow_archive_find(state, "member/0/epochs") && *(int64_t *)sow_archive_find(state, "member/0/epochs")->data == 2 ? SOW_E_CANCELLED : SOW_OK;
}

Test(morph_bad, stops_with_the_last_good_weights_and_says_where)
{
    screen s = screen_make(9, 7, 12, 9, 40, 10);
    sow_model_options o = small_options(5);
    sow_archive state = {0};
    sow_model *m = NULL;
    said heard = {{0}, 0};
    const sow_env env = {.log = hear, .log_user = &heard};
    o.checkpoints.take = spoil;
    o.checkpoints.user = &state;
    cr_assert_eq(sow_model_fit(&m, morph_class(), screen_training(&s), &o, NULL, err), SOW_E_CANCELLED);
    o.checkpoints.take = NULL;
    o.resume = &state;
    works(&s, &o, &env);
    cr_assert(strstr(heard.text, "stopped being finite in member 1, epoch 3, step"), "%s", heard.text);
    m = trained(&s.training, &o, NULL);
    char *text = sow_model_describe(m);
    cr_assert(strstr(text, "2 epochs") && strstr(text, "stopped being finite in member 1, epoch 3"), "%s", text);
    free(text);
    sow_archive_clear(&state);
    sow_model_destroy(m);
    screen_clear(&s);
}

Test(morph_bad, names_an_option_out_of_range)
{
    screen s = screen_make(9, 7, 12, 9, 40, 11);
    screen_training(&s);
    for (int k = 0; k < 8; k++) {
        static const char *const names[] = {"epochs", "patience", "batch", "kernels", "members", "latent_perturbation", "learning_rate", "validation"};
        sow_model_options o = small_options(2);
        if (k == 0) o.morph.epochs = 0;
        if (k == 1) o.morph.patience = 0;
        if (k == 2) o.morph.batch = 1;
        if (k == 3) o.morph.kernels = 31;
        if (k == 4) o.morph.members = 0;
        if (k == 5) o.morph.latent_perturbation = 257;
        if (k == 6) o.morph.rate = (double)NAN;
        if (k == 7) o.morph.validation = 1;
        refuses(&s, &o, SOW_E_CONFIG, names[k]);
    }
    screen_clear(&s);
}

Test(morph_bad, does_not_go_on_from_a_model_of_other_widths)
{
    screen s = screen_make(9, 7, 12, 9, 40, 12);
    sow_model_options o = small_options(1), wider = small_options(1);
    sow_model *m = trained(screen_training(&s), &o, NULL);
    wider.morph.hidden = 13;
    wider.warm = m;
    refuses(&s, &wider, SOW_E_SHAPE, "a warm start needs a model of the same widths");
    sow_model_destroy(m);
    screen_clear(&s);
}
