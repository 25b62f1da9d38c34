/* What a profile's process takes from other contexts: how far they agree, and how much of the target's own shift is believed. */
#include "models/gp/profile_internal.h"
#include "naive.h"

TestSuite(gp_carry);

enum { ITEMS = 24, CONTEXTS = 4, D = 5, K = 2, MOST = ITEMS * CONTEXTS };

/* Context 0 is the target; 1 to 3 hold different two thirds of the perturbations. */
typedef struct {
    sow_index n, perturbation[MOST], context[MOST];
    double y[MOST * D];
    sow_training t;
    sow_sample s;
    sow_index row[ITEMS], item[ITEMS];
    sow_gp_profile p;
    double components[K * D], centre[D];
} world;

/* The target's items come first. Along gene f the perturbation's own part has a size of common[f], the context's part one of `noise`, and the target is set apart by `apart`. */
static void world_make(world *w, const double common[D], double noise, double apart, sow_index contexts)
{
    static const double component[K * D] = {0.6, 0.8, 0, 0, 0, 0, 0, 1, 0, 0};
    sow_rng rng = sow_rng_make(77, SOW_RNG_TEST, 0, 0);
    double own[ITEMS * D];
    memset(w, 0, sizeof *w);
    for (int k = 0; k < ITEMS * D; k++) own[k] = common[k % D] * sow_rng_normal(&rng);
    for (sow_index c = 0; c < contexts; c++)
        for (sow_index q = 0; q < ITEMS; q++) {
            if (c == 0 ? q % 3 != 0 : q % 3 == c % 3) continue;
            for (int f = 0; f < D; f++) w->y[w->n * D + f] = own[q * D + f] + noise * sow_rng_normal(&rng) + (c == 0 ? apart : 0.3 * (double)c);
            w->perturbation[w->n] = q;
            w->context[w->n++] = c;
            if (c == 0) w->row[w->s.n] = w->n - 1, w->item[w->s.n++] = q;
        }
    w->s.row = w->row, w->s.item = w->item;
    w->t = (sow_training){.n = w->n, .n_features = D, .n_contexts = CONTEXTS, .perturbation = w->perturbation, .context = w->context, .y = w->y};
    memcpy(w->components, component, sizeof component);
    for (sow_index i = 0; i < w->s.n; i++)
        for (int f = 0; f < D; f++) w->centre[f] += w->y[i * D + f] / (double)w->s.n;
    w->p = (sow_gp_profile){.centre = w->centre, .level = 1, .slope = 0.5, .k = K, .d = D, .components = w->components};
    const sow_model_class *two_way = NULL;
    OK(sow_model_find(&two_way, "two-way", err));
    OK(sow_model_fit(&w->p.additive, two_way, &w->t, NULL, NULL, err));
    OK(sow_i_profile_carry_fit(&w->p, &w->t, &w->s, NULL, err));
}

static void world_clear(world *w)
{
    sow_model_destroy(w->p.additive);
    free(w->p.base);
    free(w->p.reliability);
    free(w->p.elsewhere);
}

/* Row of perturbation q in context c, or NULL. */
static const double *row_of(const world *w, sow_index q, sow_index c)
{
    for (sow_index i = 0; i < w->n; i++)
        if (w->perturbation[i] == q && w->context[i] == c) return w->y + i * D;
    return NULL;
}

/* By definition, along one direction (NULL: all that is outside the components). */
static double naive_reliability(const world *w, const double *direction)
{
    double product = 0, square = 0;
    for (sow_index a = 1; a < CONTEXTS; a++)
        for (sow_index b = a + 1; b < CONTEXTS; b++) {
            double mean[2][D] = {{0}}, n = 0;
            for (int pass = 0; pass < 2; pass++)
                for (sow_index q = 0; q < ITEMS; q++) {
                    const double *x = row_of(w, q, a), *y = row_of(w, q, b);
                    double u[D], v[D], along[2] = {0};
                    if (!x || !y) continue;
                    for (int f = 0; f < D && !pass; f++) mean[0][f] += x[f], mean[1][f] += y[f];
                    n += !pass;
                    if (!pass) continue;
                    for (int f = 0; f < D; f++) u[f] = x[f] - mean[0][f] / n, v[f] = y[f] - mean[1][f] / n;
                    if (direction) {
                        for (int f = 0; f < D; f++) along[0] += direction[f] * u[f], along[1] += direction[f] * v[f];
                        product += along[0] * along[1];
                        square += (along[0] * along[0] + along[1] * along[1]) / 2;
                        continue;
                    }
                    for (int j = 0; j < K; j++) {
                        double p = 0, r = 0;
                        for (int f = 0; f < D; f++) p += w->components[j * D + f] * u[f], r += w->components[j * D + f] * v[f];
                        for (int f = 0; f < D; f++) u[f] -= p * w->components[j * D + f], v[f] -= r * w->components[j * D + f];
                    }
                    for (int f = 0; f < D; f++) product += u[f] * v[f], square += (u[f] * u[f] + v[f] * v[f]) / 2;
                }
        }
    return fmin(fmax(product / square, 0), 1);
}

Test(gp_carry, reliability_is_the_agreement_of_pairs_of_contexts)
{
    static const double common[D] = {1, 1, 0.3, 0.6, 0.1};
    world w;
    world_make(&w, common, 0.5, 0, CONTEXTS);
    cr_assert_not_null(w.p.reliability);
    for (int j = 0; j < K; j++) NEAR(w.p.reliability[j], naive_reliability(&w, w.components + j * D), 1e-12);
    NEAR(w.p.reliability[K], naive_reliability(&w, NULL), 1e-12);
    cr_assert(w.p.reliability[0] > 0.6 && w.p.reliability[0] < 0.95, "%g", w.p.reliability[0]); /* 1 / (1 + .25) of it is common */
    cr_assert(w.p.reliability[1] < 0.5, "%g", w.p.reliability[1]);                               /* .09 / (.09 + .25) */
    world_clear(&w);
}

Test(gp_carry, each_component_is_carried_over_as_spearman_and_brown_say)
{
    static const double common[D] = {1, 1, 0.3, 0.6, 0.1};
    world w;
    double deviation[2 * D], was[2 * D];
    world_make(&w, common, 0.5, 0, CONTEXTS);
    const sow_index which[2] = {1, ITEMS + 5}; /* measured in two other contexts; in none */
    for (int k = 0; k < 2 * D; k++) was[k] = deviation[k] = sin(1.7 * (double)k);
    OK(sow_i_profile_carry(deviation, &w.p, which, 2, NULL, err));
    for (int f = 0; f < D; f++) cr_assert(deviation[D + f] == 0);
    double rest[D];
    memcpy(rest, was, sizeof rest);
    for (int j = 0; j < K; j++) {
        const double rho = w.p.reliability[j], gain = 2 * rho / (1 + rho);
        double before = 0, after = 0;
        for (int f = 0; f < D; f++) before += w.components[j * D + f] * was[f], after += w.components[j * D + f] * deviation[f];
        NEAR(after, gain * before, 1e-12);
        for (int f = 0; f < D; f++) rest[f] -= before * w.components[j * D + f], deviation[f] -= after * w.components[j * D + f];
    }
    const double rho = w.p.reliability[K];
    for (int f = 0; f < D; f++) NEAR(deviation[f], 2 * rho / (1 + rho) * rest[f], 1e-12);
    world_clear(&w);
}

Test(gp_carry, one_other_context_is_taken_by_its_slope)
{
    static const double common[D] = {1, 1, 1, 1, 1};
    world w;
    double deviation[D] = {1, -2, 3, 0, 5};
    world_make(&w, common, 0.5, 0, 2);
    cr_assert_null(w.p.reliability);
    OK(sow_i_profile_carry(deviation, &w.p, (const sow_index[]){1}, 1, NULL, err));
    cr_assert(deviation[0] == 0.5 && deviation[1] == -1 && deviation[4] == 2.5);
    world_clear(&w);
}

/* Share of |r - x others| least, by trying. */
static double naive_share(const world *w, double sum[D])
{
    double r[ITEMS][D], best = INFINITY, at = 0;
    int n = 0;
    memset(sum, 0, D * sizeof *sum);
    for (sow_index i = 0; i < w->s.n; i++) {
        double other[D] = {0}, contexts = 0;
        for (sow_index c = 1; c < CONTEXTS; c++) {
            const double *y = row_of(w, w->item[i], c);
            for (int f = 0; f < D && y; f++) other[f] += y[f];
            contexts += y != NULL;
        }
        if (contexts == 0) continue;
        for (int f = 0; f < D; f++) sum[f] += r[n][f] = w->y[i * D + f] - other[f] / contexts;
        n++;
    }
    for (int k = 0; k <= 2000; k++) {
        double left = 0;
        for (int i = 0; i < n; i++) {
            double squared = 0;
            for (int f = 0; f < D; f++) squared += pow(r[i][f] - k / 2000. * (sum[f] - r[i][f]) / (n - 1), 2);
            left += sqrt(squared);
        }
        if (left < best) best = left, at = k / 2000.;
    }
    for (int f = 0; f < D; f++) sum[f] /= n;
    return at;
}

Test(gp_carry, as_much_of_the_shift_is_believed_as_predicts_items_left_out)
{
    static const double common[D] = {1, 1, 0.3, 0.6, 0.1};
    double share[2];
    for (int k = 0; k < 2; k++) {
        world w;
        double shift[D];
        world_make(&w, common, 0.5, k ? 3 : 0.7, CONTEXTS); /* the others' means lie between .3 and .9 */
        share[k] = w.p.shift;
        NEAR(w.p.shift, naive_share(&w, shift), 1e-3);
        for (int f = 0; f < D; f++) NEAR(w.p.base[f], w.centre[f] - (1 - w.p.shift) * shift[f], 1e-12);
        world_clear(&w);
    }
    cr_assert(share[0] < 0.8 && share[1] > 0.9, "%g %g", share[0], share[1]);
}
