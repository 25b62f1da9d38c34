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

/* Of every held-out perturbation: what one network says, what the line says and what was measured, each less its mean over genes. */
typedef struct {
    double network[MEASURED][D], line[MEASURED][D], y[MEASURED][D];
    int n;
} told;

static void centre(double *x)
{
    double mean = 0;
    for (int j = 0; j < D; j++) mean += x[j] / D;
    for (int j = 0; j < D; j++) x[j] -= mean;
}

static void tell_fold(told *h, const sow_training *t, const sow_i_morph_model *m, sow_index fold, sow_i_morph_asker *a, float *cells)
{
    sow_model *line = line_without(t, m->fold, fold);
    for (sow_index i = 0; i < MEASURED; i++) {
        if (m->fold[i] != fold) continue;
        OK(sow_i_morph_shift(h->network[h->n], a, fold, i, cells, err));
        shift_of(h->line[h->n], line, i);
        memcpy(h->y[h->n], t->y + i * D, sizeof h->y[0]);
        centre(h->network[h->n]), centre(h->line[h->n]), centre(h->y[h->n]);
        h->n++;
    }
    sow_model_destroy(line);
}

/* Mean over unseen perturbations of the summed variance between the networks. */
static double noise_of_one(sow_i_morph_asker *a, float *cells)
{
    double variance = 0;
    const sow_index unseen = ITEMS - 1 - MEASURED; /* all but the one without a prior row */
    for (sow_index p = MEASURED; p < ITEMS - 1; p++) {
        double shift[MEMBERS][D];
        for (sow_index b = 0; b < MEMBERS; b++) {
            OK(sow_i_morph_shift(shift[b], a, b, p, cells, err));
            centre(shift[b]);
        }
        for (int j = 0; j < D; j++) {
            const double mean = (shift[0][j] + shift[1][j] + shift[2][j]) / 3;
            for (int b = 0; b < MEMBERS; b++) variance += (shift[b][j] - mean) * (shift[b][j] - mean) / (MEMBERS - 1) / (double)unseen;
        }
    }
    return variance;
}

/* Mean correlation of w networks + (1 - w) line with what was measured, were the network the mean of all: its square shorter by the share `kept`. */
static double naive_correlation(const told *h, double w, double kept)
{
    double sum = 0;
    for (int g = 0; g < h->n; g++) {
        double with = 0, own = 0, both = 0, line = 0, of_y = 0;
        for (int j = 0; j < D; j++) {
            with += (w * h->network[g][j] + (1 - w) * h->line[g][j]) * h->y[g][j];
            own += h->network[g][j] * h->network[g][j];
            both += h->network[g][j] * h->line[g][j];
            line += h->line[g][j] * h->line[g][j];
            of_y += h->y[g][j] * h->y[g][j];
        }
        sum += with / sqrt((w * w * kept * own + 2 * w * (1 - w) * both + (1 - w) * (1 - w) * line) * of_y);
    }
    return sum / h->n;
}

Test(morph_stack, the_weight_has_the_highest_correlation_with_what_networks_hold_out)
{
    screen s = screen_make(ITEMS, MEASURED, 30, D, 90, 3);
    const sow_training *t = screen_training(&s);
    sow_model_options o = stack_options(1);
    sow_model *model = trained(t, &o, NULL);
    const sow_i_morph_model *m = inside(model);
    float *cells = calloc(90 * D, sizeof *cells);
    static told h;
    sow_i_morph_asker a;
    double length = 0, best = 1;
    OK(sow_i_morph_ask_begin(&a, m, NULL, err));
    for (sow_index fold = 0; fold < MEMBERS; fold++) tell_fold(&h, t, m, fold, &a, cells);
    cr_assert_eq(h.n, MEASURED);
    for (int g = 0; g < h.n; g++)
        for (int j = 0; j < D; j++) length += h.network[g][j] * h.network[g][j] / h.n;
    const double noise = noise_of_one(&a, cells), kept = 1 - 2. / 3 * noise / length;
    cr_assert(kept > 1. / 3 && kept < 1, "%g", kept);
    for (int k = 99; k >= 0; k--)
        if (naive_correlation(&h, k / 100., kept) > naive_correlation(&h, best, kept) + 1e-12) best = k / 100.;
    cr_assert_eq(m->stack.held, MEASURED);
    cr_assert_float_eq(m->stack.weight, best, 1e-12, "%g, but the highest is at %g", m->stack.weight, best);
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
