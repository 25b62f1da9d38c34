/* The networks' mean shifts joined with those of a line. */
#include "models/model_internal.h"
#include "models/morph/train_internal.h"
#include "morph_screen.h"

TestSuite(morph_stack);

enum { D = 12, MEASURED = 24, ITEMS = 36, MEMBERS = 3 };

static const sow_i_morph_model *inside(const sow_model *m) { return (const sow_i_morph_model *)m; }

static sow_model_options stack_options(int stack)
{
    sow_model_options o = small_options(30);
    o.morph.rate = 5e-3;
    o.morph.members = MEMBERS;
    o.morph.stack = stack;
    return o;
}

static void shift_of(double *out, const sow_model *m, sow_index perturbation)
{
    const sow_index context = 0;
    OK(sow_model_predict(m, &(sow_query){1, &perturbation, &context, NULL}, out, NULL, NULL, NULL, err));
}

/* `linear` on the items of which fold[i] is not `without`. */
static sow_model *line_without(const sow_training *t, const sow_index *fold, sow_index without)
{
    const sow_model_options o = SOW_MODEL_OPTIONS_INIT;
    sow_index p[MEASURED], context[MEASURED] = {0}, n = 0;
    double y[MEASURED * D];
    sow_training rest = *t;
    sow_model *m = NULL;
    for (sow_index i = 0; i < t->n; i++) {
        if (fold && fold[i] == without) continue;
        memcpy(y + n * D, t->y + i * D, D * sizeof *y);
        p[n++] = t->perturbation[i];
    }
    rest.n = n, rest.perturbation = p, rest.context = context, rest.y = y, rest.cells_of = NULL;
    OK(sow_model_fit(&m, &sow_i_linear, &rest, &o, NULL, err));
    return m;
}

Test(morph_stack, predicts_the_weighted_mean_of_networks_and_line)
{
    screen s = screen_make(ITEMS, MEASURED, 30, D, 90, 3);
    const sow_training *t = screen_training(&s);
    sow_model_options with = stack_options(1), without = stack_options(0);
    sow_model *joint = trained(t, &with, NULL), *alone = trained(t, &without, NULL), *line = line_without(t, NULL, 0);
    const double w = inside(joint)->stack.weight;
    cr_assert(w > 0.02 && w < 0.98, "nothing to see with a weight of %g", w);
    cr_assert_null(inside(alone)->stack.line);
    for (sow_index p = MEASURED; p < ITEMS; p++) {
        double got[D], networks[D], straight[D];
        float from[4 * D], cells[4 * D], by_networks[4 * D];
        shift_of(got, joint, p), shift_of(networks, alone, p);
        if (p == ITEMS - 1) { /* no prior row: the mean, whatever else is joined */
            for (int j = 0; j < D; j++) cr_assert(got[j] == networks[j]);
            break;
        }
        shift_of(straight, line, p);
        for (int k = 0; k < 4 * D; k++) from[k] = 1.5F + 0.1F * (float)(k % 7);
        OK(sow_model_generate(joint, p, 0, from, 4, cells, NULL, err));
        OK(sow_model_generate(alone, p, 0, from, 4, by_networks, NULL, err));
        for (int j = 0; j < D; j++) cr_assert_float_eq(got[j], w * networks[j] + (1 - w) * straight[j], 1e-12);
        for (int k = 0; k < 4 * D; k++)
            cr_assert_float_eq((double)cells[k] - (double)by_networks[k], got[k % D] - networks[k % D], 1e-5);
    }
    sow_model_destroy(joint), sow_model_destroy(alone), sow_model_destroy(line);
    screen_clear(&s);
}

/* Squared error of w networks + (1 - w) line over the held-out perturbations, that of one network turned into that of the mean of all. */
typedef struct {
    double at[1001];
} errors;

static void add_fold(errors *e, const sow_training *t, const sow_i_morph_model *m, sow_index fold, sow_i_morph_asker *a, float *cells)
{
    sow_model *line = line_without(t, m->fold, fold);
    for (sow_index i = 0; i < MEASURED; i++) {
        double network[D], straight[D];
        if (m->fold[i] != fold) continue;
        OK(sow_i_morph_shift(network, a, fold, i, cells, err));
        shift_of(straight, line, i);
        for (int k = 0; k <= 1000; k++)
            for (int j = 0; j < D; j++) {
                const double w = k / 1000., off = w * network[j] + (1 - w) * straight[j] - t->y[i * D + j];
                e->at[k] += off * off;
            }
    }
    sow_model_destroy(line);
}

static void take_off_noise(errors *e, sow_i_morph_asker *a, float *cells)
{
    double variance = 0;
    const sow_index unseen = ITEMS - 1 - MEASURED; /* all but the one without a prior row */
    for (sow_index p = MEASURED; p < ITEMS - 1; p++) {
        double shift[MEMBERS][D];
        for (sow_index b = 0; b < MEMBERS; b++) OK(sow_i_morph_shift(shift[b], a, b, p, cells, err));
        for (int j = 0; j < D; j++) {
            const double mean = (shift[0][j] + shift[1][j] + shift[2][j]) / 3;
            for (int b = 0; b < MEMBERS; b++) variance += (shift[b][j] - mean) * (shift[b][j] - mean) / (MEMBERS - 1) / (double)unseen;
        }
    }
    cr_assert_gt(variance, 0);
    for (int k = 0; k <= 1000; k++) e->at[k] -= k / 1000. * (k / 1000.) * (1 - 1. / MEMBERS) * variance * MEASURED;
}

Test(morph_stack, the_weight_has_the_least_error_on_what_networks_hold_out)
{
    screen s = screen_make(ITEMS, MEASURED, 30, D, 90, 3);
    const sow_training *t = screen_training(&s);
    sow_model_options o = stack_options(1);
    sow_model *model = trained(t, &o, NULL);
    const sow_i_morph_model *m = inside(model);
    float *cells = calloc(90 * D, sizeof *cells);
    errors e = {{0}};
    sow_i_morph_asker a;
    int best = 0;
    OK(sow_i_morph_ask_begin(&a, m, NULL, err));
    for (sow_index fold = 0; fold < MEMBERS; fold++) add_fold(&e, t, m, fold, &a, cells);
    take_off_noise(&e, &a, cells);
    for (int k = 0; k <= 1000; k++)
        if (e.at[k] < e.at[best]) best = k;
    cr_assert_eq(m->stack.held, MEASURED);
    cr_assert_float_eq(m->stack.weight, best / 1000., 1e-3, "%g, but the least error is at %g", m->stack.weight, best / 1000.);
    sow_i_morph_ask_end(&a);
    sow_model_destroy(model);
    free(cells);
    screen_clear(&s);
}

Test(morph_stack, is_kept_and_where_it_was_not_it_is_chosen_again)
{
    screen s = screen_make(ITEMS, MEASURED, 30, D, 90, 3);
    const sow_training *t = screen_training(&s);
    sow_model_options with = stack_options(1), without = stack_options(0);
    sow_model *joint = trained(t, &with, NULL), *alone = trained(t, &without, NULL), *again = NULL;
    sow_archive kept_joint = kept(joint), kept_alone = kept(alone), kept_again;
    cr_assert_not_null(first_difference(&kept_joint, &kept_alone));
    OK(sow_model_load(&again, morph_class(), &kept_alone, t, &with, NULL, err)); /* the same networks: kept before there was a stack */
    kept_again = kept(again);
    cr_assert_null(first_difference(&kept_joint, &kept_again));
    sow_model_destroy(again);
    sow_archive_clear(&kept_again);
    OK(sow_model_load(&again, morph_class(), &kept_joint, t, &with, NULL, err));
    for (sow_index p = 0; p < ITEMS; p++) {
        double one[D], two[D];
        shift_of(one, joint, p), shift_of(two, again, p);
        cr_assert_arr_eq(one, two, sizeof one);
    }
    sow_model_destroy(again);
    for (sow_index i = 0; i < kept_joint.n; i++)
        if (strcmp(kept_joint.item[i].name, "stack_weight") == 0) *(double *)kept_joint.item[i].data = 1.5;
    cr_assert_eq(sow_model_load(&again, morph_class(), &kept_joint, t, &with, NULL, err), SOW_E_DATA);
    SAYS("weighs its networks by 1.5");
    sow_archive_clear(&kept_joint), sow_archive_clear(&kept_alone);
    sow_model_destroy(joint), sow_model_destroy(alone);
    screen_clear(&s);
}

Test(morph_stack, there_is_none_as_published_nor_from_a_handful)
{
    screen s = screen_make(ITEMS, 7, 30, D, 90, 3);
    sow_model_options o = stack_options(1);
    sow_model *m = trained(screen_training(&s), &o, NULL);
    char *text = sow_model_describe(m);
    cr_assert_null(inside(m)->stack.line);
    cr_assert_null(strstr(text, "linear"), "%s", text);
    free(text);
    sow_model_destroy(m);
    screen_clear(&s);
    s = screen_make(ITEMS, MEASURED, 40, D, 90, 3);
    o.morph.epochs = 2;
    m = trained(screen_training(&s), &o, NULL);
    text = sow_model_describe(m);
    cr_assert(strstr(text, "linear, as held-out perturbations weigh them (24)"), "%s", text);
    free(text);
    sow_model_destroy(m);
    o.morph.reference = 1;
    m = trained(&s.training, &o, NULL);
    cr_assert_null(inside(m)->stack.line);
    sow_model_destroy(m);
    screen_clear(&s);
}
