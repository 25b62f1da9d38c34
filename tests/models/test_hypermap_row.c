/* The row `hypermap` of the model table: programs, networks, and what can go wrong. */
#include "hypermap_world.h"

#include "models/hypermap/learn.h"

TestSuite(hypermap_row);

static sow_error err;
#define OK(call) cr_assert_eq((call), SOW_OK, "%s", err.message)
#define SAYS(words) cr_assert_not_null(strstr(err.message, (words)), "%s", err.message)

static const sow_model_class *hypermap(void)
{
    const sow_model_class *m = NULL;
    OK(sow_model_find(&m, "hypermap", &err));
    return m;
}

static sow_model_options quick(int network)
{
    sow_model_options o = SOW_MODEL_OPTIONS_INIT;
    o.seed = 3;
    o.iterations = 5;
    o.components = 6;
    o.hypermap.network = network;
    o.hypermap.steps = 6;
    o.hypermap.members = 2;
    o.hypermap.latent = 4;
    o.hypermap.hidden = 6;
    o.hypermap.batch = 8;
    return o;
}

static void predict_all(double *mean, const sow_model *m)
{
    sow_index q[WORLD_ITEMS], c[WORLD_ITEMS];
    const sow_query query = world_ask_all(q, c);
    OK(sow_model_predict(m, &query, mean, NULL, NULL, NULL, &err));
}

static void fit_and_predict(double *mean, const sow_training *t, const sow_model_options *o, const char *name)
{
    const sow_model_class *class_ = NULL;
    sow_model *m = NULL;
    OK(sow_model_find(&class_, name, &err));
    OK(sow_model_fit(&m, class_, t, o, NULL, &err));
    predict_all(mean, m);
    sow_model_destroy(m);
}

enum { ALL = WORLD_ITEMS * WORLD_D };

Test(hypermap_row, carries_over_what_a_context_scales_loses_and_flips)
{
    static world w;
    static double mean[ALL];
    sow_model_options o = quick(0);
    world_make(&w, 12, 0.2, 0);
    fit_and_predict(mean, &w.t, &o, "two-way");
    const double two_way = world_centred(&w, mean);
    o.hypermap.stack = 0;
    fit_and_predict(mean, &w.t, &o, "hypermap");
    const double alone = world_centred(&w, mean);
    o.hypermap.stack = 1;
    fit_and_predict(mean, &w.t, &o, "hypermap");
    const double stacked = world_centred(&w, mean);
    cr_assert(alone > 0.95 && two_way < 0.7, "hypermap %.3f, two-way %.3f", alone, two_way);
    cr_assert_gt(stacked, alone - 0.02);
}

Test(hypermap_row, says_the_same_of_a_perturbation_whatever_else_is_asked)
{
    static world w;
    static double all[ALL];
    for (int network = 0; network < 2; network++)
        for (int fusion = 1; fusion < (network ? 5 : 2); fusion++) {
            sow_model *m = NULL;
            sow_model_options o = quick(network);
            if (network) o.hypermap.fusion = fusion;
            world_make(&w, 12, 0.2, 1);
            OK(sow_model_fit(&m, hypermap(), &w.t, &o, NULL, &err));
            predict_all(all, m);
            for (sow_index q = 0; q < WORLD_ITEMS; q += 9) {
                double one[WORLD_D];
                const sow_index context = 0;
                const sow_query query = {.n = 1, .perturbation = &q, .context = &context};
                OK(sow_model_predict(m, &query, one, NULL, NULL, NULL, &err));
                cr_assert(memcmp(one, all + q * WORLD_D, sizeof one) == 0, "network %d, perturbation %d", network, (int)q);
            }
            sow_model_destroy(m);
        }
}

Test(hypermap_row, learns_nothing_from_the_new_context_before_it_adapts)
{
    static world w;
    static double fresh[ALL], taken[ALL], kept[ALL];
    for (int network = 0; network < 2; network++) {
        sow_model *first = NULL, *second = NULL, *loaded = NULL;
        sow_archive a = {0};
        sow_model_options o = quick(network);
        world_make(&w, 5, 0.2, 1);
        OK(sow_model_fit(&first, hypermap(), &w.t, &o, NULL, &err));
        world_make(&w, 14, 0.2, 1);
        fit_and_predict(fresh, &w.t, &o, "hypermap");
        o.warm = first;
        OK(sow_model_fit(&second, hypermap(), &w.t, &o, NULL, &err));
        predict_all(taken, second);
        cr_assert(memcmp(fresh, taken, sizeof fresh) == 0, "what was learned on the references is the same, %s", network ? "network" : "programs");
        OK(sow_model_save(second, &a, &err));
        o.warm = NULL;
        OK(sow_model_load(&loaded, hypermap(), &a, &w.t, &o, NULL, &err));
        predict_all(kept, loaded);
        cr_assert(memcmp(fresh, kept, sizeof fresh) == 0);
        w.y[w.n * WORLD_D - 1] += 0.5; /* a reference's value */
        sow_model *other = NULL;
        cr_assert_eq(sow_model_load(&other, hypermap(), &a, &w.t, &o, NULL, &err), SOW_E_DATA);
        SAYS("this model is not of the campaign; it was learned from other responses of the other contexts, or other priors");
        w.y[w.n * WORLD_D - 1] -= 0.5;
        o.seed++;
        if (network) {
            o.hypermap.inner_steps++;
            o.hypermap.meta_rate = 0.25;
            cr_assert_eq(sow_model_load(&other, hypermap(), &a, &w.t, &o, NULL, &err), SOW_E_DATA);
            SAYS("inner_steps ");
            SAYS("(here 0.25)");
            SAYS("seed ");
        }
        w.t.n--; /* that reference's row */
        cr_assert_eq(sow_model_load(&other, hypermap(), &a, &w.t, &o, NULL, &err), SOW_E_DATA);
        SAYS("responses in them ");
        w.t.n++;
        sow_archive_clear(&a);
        sow_model_destroy(first);
        sow_model_destroy(second);
        sow_model_destroy(loaded);
    }
}

/* ---- interrupted ---- */

typedef struct {
    int at, seen;
    sow_archive state;
} stop;

static sow_status keep_then_stop(void *user, sow_archive *state, sow_error *e)
{
    stop *s = user;
    if (s->seen++ != s->at) return SOW_OK;
    for (sow_index i = 0; i < state->n; i++) OK(sow_archive_put(&s->state, state->item[i].name, state->item[i].kind, state->item[i].data, state->item[i].rows, state->item[i].cols, &err));
    return SOW_ERROR(e, SOW_E_CANCELLED, "stopped");
}

Test(hypermap_row, goes_on_from_any_outer_step_to_the_same_bits)
{
    static world w;
    static double whole[ALL], again[ALL];
    sow_model_options o = quick(1);
    o.hypermap.stack = 0;
    o.hypermap.validate = 1;
    world_make(&w, 12, 0.2, 1);
    fit_and_predict(whole, &w.t, &o, "hypermap");
    for (int at = 0; at < 12; at += 3) {
        stop s = {.at = at};
        sow_model *m = NULL;
        o.checkpoints.take = keep_then_stop;
        o.checkpoints.user = &s;
        o.resume = NULL;
        cr_assert_eq(sow_model_fit(&m, hypermap(), &w.t, &o, NULL, &err), SOW_E_CANCELLED);
        o.checkpoints.take = NULL;
        o.resume = &s.state;
        fit_and_predict(again, &w.t, &o, "hypermap");
        cr_assert(memcmp(whole, again, sizeof whole) == 0, "stopped after step %d", at + 1);
        sow_archive_clear(&s.state);
    }
}

/* scripts/bench hypermap-step: 6.87 and 1.79 TFLOP a step; hypermap-train: 1,330 MB above what the data take, 440 MB without second order. */
Test(hypermap_row, reckons_what_learning_takes)
{
    sow_hypermap_options o = SOW_HYPERMAP_OPTIONS_INIT;
    double operations = 0, bytes = 0;
    o.reference = 1;
    sow_hypermap_effort(&operations, &bytes, &o, 2500, 256);
    cr_assert(fabs(operations / 50 / 6.87e12 - 1) < 0.15 && fabs(bytes / 1.33e9 - 1) < 0.25, "%g, %g", operations / 50, bytes);
    o.method = SOW_HYPERMAP_FIRST_ORDER;
    sow_hypermap_effort(&operations, &bytes, &o, 2500, 256);
    cr_assert(fabs(operations / 50 / 1.79e12 - 1) < 0.15 && fabs(bytes / 4.4e8 - 1) < 0.4, "%g, %g", operations / 50, bytes);
    o = (sow_hypermap_options)SOW_HYPERMAP_OPTIONS_INIT;
    o.steps = 10;
    sow_hypermap_effort(&operations, &bytes, &o, 30, 288);
    cr_assert(operations < 1e12 && bytes < 1e8, "%g, %g", operations, bytes);
}

Test(hypermap_row, has_the_same_bits_on_any_number_of_threads)
{
    static world w;
    static double one[ALL], three[ALL];
    for (int network = 0; network < 2; network++) {
        sow_threads *threads = NULL;
        sow_model *m = NULL;
        sow_model_options o = quick(network);
        world_make(&w, 12, 0.2, 1);
        fit_and_predict(one, &w.t, &o, "hypermap");
        OK(sow_threads_create(&threads, 3, &err));
        const sow_env env = {.threads = threads};
        sow_index q[WORLD_ITEMS], c[WORLD_ITEMS];
        const sow_query query = world_ask_all(q, c);
        OK(sow_model_fit(&m, hypermap(), &w.t, &o, &env, &err));
        OK(sow_model_predict(m, &query, three, NULL, NULL, &env, &err));
        cr_assert(memcmp(one, three, sizeof one) == 0);
        sow_model_destroy(m);
        sow_threads_destroy(threads);
    }
}

/* ---- ablations ---- */

Test(hypermap_row, has_every_ablation_and_method)
{
    static world w;
    static double mean[ALL], plain[ALL];
    sow_model_options o = quick(1);
    o.hypermap.stack = 0;
    world_make(&w, 12, 0.2, 1);
    memset(w.has, 1, sizeof w.has);
    fit_and_predict(plain, &w.t, &o, "hypermap");
    for (int k = 0; k < 7; k++) {
        sow_model_options x = o;
        if (k < 3) x.hypermap.method = k + 1;
        if (k == 3) x.hypermap.hypernetwork = 0;
        if (k == 4) x.hypermap.embedding = SOW_EMBED_PRIOR;
        if (k == 5) x.hypermap.split = 0;
        if (k == 6) x.hypermap.balanced = 0;
        fit_and_predict(mean, &w.t, &x, "hypermap");
        cr_assert(memcmp(mean, plain, sizeof mean) != 0, "variant %d changes something", k);
    }
}

/* ---- little to learn from ---- */

Test(hypermap_row, takes_little_and_says_so)
{
    static world w;
    static double mean[ALL];
    sow_model *m = NULL;
    sow_model_options o = quick(0);
    for (sow_index seeds = 0; seeds < 4; seeds++) { /* nothing of the new context: what the others do */
        world_make(&w, seeds, 0.2, 0);
        fit_and_predict(mean, &w.t, &o, "hypermap");
        for (int k = 0; k < ALL; k++) cr_assert(isfinite(mean[k]));
    }
    world_make(&w, 12, 0.2, 0);
    w.t.n = 12; /* no other context */
    cr_assert_eq(sow_model_fit(&m, hypermap(), &w.t, &o, NULL, &err), SOW_E_CONFIG);
    SAYS("role: reference");
    for (w.t.n = 12; w.context[w.t.n] == 1; w.t.n++) continue; /* one other context */
    OK(sow_model_fit(&m, hypermap(), &w.t, &o, NULL, &err));
    sow_model_destroy(m);
    o.hypermap.network = 1;
    o.hypermap.embedding = SOW_EMBED_RESPONSE;
    cr_assert_eq(sow_model_fit(&m, hypermap(), &w.t, &o, NULL, &err), SOW_E_CONFIG);
    SAYS("two reference contexts");
}

Test(hypermap_row, refuses_what_it_cannot_do)
{
    static world w;
    static double mean[ALL];
    sow_model *m = NULL;
    sow_model_options o = quick(1);
    world_make(&w, 12, 0.2, 0);
    o.hypermap.stack = 0;
    o.hypermap.embedding = SOW_EMBED_PRIOR;
    cr_assert_eq(sow_model_fit(&m, hypermap(), &w.t, &o, NULL, &err), SOW_E_CONFIG);
    SAYS("has no priors");
    o.hypermap.embedding = SOW_EMBED_ONE_HOT;
    OK(sow_model_fit(&m, hypermap(), &w.t, &o, NULL, &err));
    sow_index unseen = WORLD_ITEMS - 1, here = 0, elsewhere = 1;
    sow_query q = {.n = 1, .perturbation = &unseen, .context = &here};
    cr_assert_eq(sow_model_predict(m, &q, mean, NULL, NULL, NULL, &err), SOW_E_DATA);
    SAYS("perturbation 60: no other context has measured it");
    unseen = 0;
    q.context = &elsewhere;
    cr_assert_eq(sow_model_predict(m, &q, mean, NULL, NULL, NULL, &err), SOW_E_UNSUPPORTED);
    sow_model_destroy(m);
    m = NULL;
    o.hypermap.embedding = SOW_EMBED_AUTO;
    o.hypermap.adapt_rate = 1e6;
    cr_assert_eq(sow_model_fit(&m, hypermap(), &w.t, &o, NULL, &err), SOW_E_NONFINITE);
    SAYS("adapt_rate");
    o.hypermap.adapt_rate = 0;
    o.hypermap.reference = 1;
    cr_assert_eq(sow_model_fit(&m, hypermap(), &w.t, &o, NULL, &err), SOW_E_CONFIG);
    SAYS("single cells");
}

/* Shares of the new context's numbers that were not measured that lie in their central 90 % interval: with the noise 0.2 of a measurement. Mean variance in *var. */
static double covered(double *var, const char *name, sow_index seeds, int stack)
{
    static world w;
    static double mean[ALL], v[ALL], noise[ALL];
    sow_index q[WORLD_ITEMS], c[WORLD_ITEMS];
    sow_model *m = NULL;
    sow_model_options o = quick(0);
    double inside = 0, n = 0;
    o.hypermap.stack = stack;
    const sow_model_class *class_ = NULL;
    OK(sow_model_find(&class_, name, &err));
    world_make(&w, seeds, 0.2, 1);
    OK(sow_model_fit(&m, class_, &w.t, &o, NULL, &err));
    const sow_query query = world_ask_all(q, c);
    OK(sow_model_predict(m, &query, mean, v, noise, NULL, &err));
    sow_rng rng = sow_rng_make(9, SOW_RNG_TEST, 0, 0);
    *var = 0;
    for (sow_index i = seeds * WORLD_D; i < (WORLD_ITEMS - 1) * WORLD_D; i++, n++) {
        const double y = w.truth[0][i / WORLD_D][i % WORLD_D] + 0.2 * sow_rng_normal(&rng);
        cr_assert(isfinite(v[i]) && v[i] >= 0 && isfinite(noise[i]) && noise[i] > 0);
        inside += fabs(y - mean[i]) <= 1.6448536269514722 * sqrt(v[i] + noise[i]);
        *var += v[i] / (double)((WORLD_ITEMS - 1 - seeds) * WORLD_D);
    }
    sow_model_destroy(m);
    return inside / n;
}

Test(hypermap_row, knows_how_sure_its_programs_are)
{
    static const sow_index seeds[] = {0, 3, 12, 30};
    for (int stack = 0; stack < 2; stack++) {
        double before = INFINITY, var;
        for (int s = 0; s < 4; s++) {
            const double share = covered(&var, "hypermap", seeds[s], stack);
            if (seeds[s] >= 12) cr_expect(share > 0.85 && share < 0.995, "%d seeds, stack %d: %.3f of the numbers are in their 90 %% intervals", (int)seeds[s], stack, share);
            else cr_expect(share > 0.6, "%d seeds: %.3f", (int)seeds[s], share); /* a context that flips and loses programs which no other does is a surprise */
            if (!stack) cr_expect(var < before, "%d seeds: variance %.3g after %.3g", (int)seeds[s], var, before);
            before = var;
        }
    }
}

Test(hypermap_row, gp_beside_it_is_not_certain_after_one_seed)
{
    double var;
    const double share = covered(&var, "gp", 1, 0);
    cr_assert(share > 0.6 && share < 0.995, "%.3f of the numbers are in their 90 %% intervals", share);
}

Test(hypermap_row, variances_are_the_same_whatever_else_is_asked_and_the_networks_have_none)
{
    static world w;
    static double mean[ALL], var[ALL], noise[ALL], again[ALL];
    for (int network = 0; network < 2; network++) {
        sow_index q[WORLD_ITEMS], c[WORLD_ITEMS];
        sow_model *m = NULL;
        const sow_model_options o = quick(network);
        world_make(&w, 12, 0.2, 1);
        OK(sow_model_fit(&m, hypermap(), &w.t, &o, NULL, &err));
        const sow_query query = world_ask_all(q, c);
        OK(sow_model_predict(m, &query, mean, var, noise, NULL, &err));
        OK(sow_model_predict(m, &query, again, NULL, NULL, NULL, &err));
        cr_assert(memcmp(mean, again, sizeof mean) == 0, "means do not depend on whether variances are asked for");
        cr_assert_eq((sow_model_caps_with(hypermap(), &o) & SOW_CAP_VARIANCE) != 0, !network);
        for (sow_index p = 0; p < WORLD_ITEMS; p++) {
            double one[WORLD_D], v[WORLD_D], e[WORLD_D];
            const sow_index context = 0;
            const sow_query alone = {.n = 1, .perturbation = &p, .context = &context};
            OK(sow_model_predict(m, &alone, one, v, e, NULL, &err));
            for (int g = 0; g < WORLD_D; g++) cr_assert(network ? isnan(v[g]) && isnan(e[g]) : v[g] == var[p * WORLD_D + g] && e[g] == noise[p * WORLD_D + g]);
        }
        sow_model_destroy(m);
    }
}

Test(hypermap_row, leaks_nothing_when_memory_runs_out)
{
    static world w;
    for (int network = 0; network < 2; network++) {
        sow_model_options o = quick(network);
        o.hypermap.steps = 1;
        o.hypermap.members = 1;
        o.iterations = 1;
        world_make(&w, 9, 0.2, 1);
        for (sow_index k = 0;; k += k < 200 ? 1 : 17) {
            sow_model *m = NULL;
            sow_memory_fail_after(k);
            const sow_status st = sow_model_fit(&m, hypermap(), &w.t, &o, NULL, &err);
            sow_memory_fail_after(-1);
            if (st == SOW_OK) {
                sow_model_destroy(m);
                break;
            }
            cr_assert_eq(st, SOW_E_NOMEM, "allocation %d: %s", (int)k, err.message);
            cr_assert_null(m);
        }
    }
}
