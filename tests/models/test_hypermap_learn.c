/* HyperMap's tasks, outer loop and adaptation on a small made screen of several contexts. */
#include "models/hypermap/learn.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "models/hypermap/share.h"
#include "models/hypermap/tasks.h"
#include "tests/core/made_team.h"

enum { GENES = 10, EMBEDDING = 6, PERTURBATIONS = 12, CELLS = 8, CONTROLS = 9, MOST_CONTEXTS = 12, MOST_FETCHES = 4096 };

static sow_error err[1];
#define OK(call) cr_assert_eq((call), SOW_OK, "%s", err->message)
#define SAYS(part) cr_assert(strstr(err->message, part), "message: %s", err->message)

/* Every perturbation does what its embedding says, times a size of the context; and what was fetched. */
typedef struct {
    sow_index n_contexts, start[MOST_CONTEXTS + 1], perturbation[MOST_CONTEXTS * PERTURBATIONS * CELLS], n_controls[MOST_CONTEXTS];
    float e[PERTURBATIONS * EMBEDDING], *y, *x;
    sow_index n_fetches, fetched[MOST_FETCHES], context[MOST_FETCHES];
    unsigned char asked[MOST_FETCHES][PERTURBATIONS];
    sow_hypermap_data d;
} world;

static sow_status responses(void *user, const sow_index *row, sow_index n, float *y, sow_error *e)
{
    world *w = user;
    (void)e;
    if (w->n_fetches < MOST_FETCHES) {
        memset(w->asked[w->n_fetches], 0, PERTURBATIONS);
        for (sow_index i = 0; i < n; i++) w->asked[w->n_fetches][w->perturbation[row[i]]] = 1;
        w->fetched[w->n_fetches++] = n;
    }
    for (sow_index i = 0; i < n; i++) memcpy(y + i * GENES, w->y + row[i] * GENES, GENES * sizeof *y);
    return SOW_OK;
}

static sow_status controls(void *user, sow_index context, const sow_index *which, sow_index n, float *x, sow_error *e)
{
    world *w = user;
    (void)e;
    if (w->n_fetches < MOST_FETCHES) w->context[w->n_fetches] = context; /* controls come before the responses of a batch */
    for (sow_index i = 0; i < n; i++) memcpy(x + i * GENES, w->x + (context * CONTROLS + which[i]) * GENES, GENES * sizeof *x);
    return SOW_OK;
}

static world *world_make(sow_index n_contexts)
{
    world *w = calloc(1, sizeof *w);
    sow_rng rng = sow_rng_make(3, SOW_RNG_TEST, 0, 0);
    double map[EMBEDDING * GENES], size[MOST_CONTEXTS];
    w->n_contexts = n_contexts;
    for (int k = 0; k < EMBEDDING * GENES; k++) map[k] = sow_rng_normal(&rng);
    for (int k = 0; k < PERTURBATIONS * EMBEDDING; k++) w->e[k] = (float)sow_rng_normal(&rng);
    w->y = calloc((size_t)(n_contexts * PERTURBATIONS * CELLS * GENES), sizeof *w->y);
    w->x = calloc((size_t)(n_contexts * CONTROLS * GENES), sizeof *w->x);
    for (sow_index c = 0; c < n_contexts; c++) {
        size[c] = 0.5 + 0.25 * (double)(c % 4);
        w->n_controls[c] = CONTROLS;
        w->start[c + 1] = w->start[c] + PERTURBATIONS * CELLS;
        for (int k = 0; k < CONTROLS * GENES; k++) w->x[c * CONTROLS * GENES + k] = (float)(size[c] + 0.3 * sow_rng_normal(&rng));
        for (int i = 0; i < PERTURBATIONS * CELLS; i++) {
            const sow_index row = w->start[c] + i, p = i / CELLS;
            w->perturbation[row] = p;
            for (int g = 0; g < GENES; g++) {
                double v = 0.2 * sow_rng_normal(&rng);
                for (int k = 0; k < EMBEDDING; k++) v += size[c] * (double)w->e[p * EMBEDDING + k] * map[k * GENES + g];
                w->y[row * GENES + g] = (float)v;
            }
        }
    }
    w->d = (sow_hypermap_data){.n_contexts = n_contexts, .genes = GENES, .embedding = EMBEDDING, .n_embeddings = PERTURBATIONS, .e = w->e, .start = w->start, .perturbation = w->perturbation,
                               .n_controls = w->n_controls, .user = w, .responses = responses, .controls = controls};
    return w;
}

static void world_free(world *w)
{
    free(w->x);
    free(w->y);
    free(w);
}

static sow_hypermap_sizes small(sow_hypermap_fusion fusion)
{
    return (sow_hypermap_sizes){GENES, EMBEDDING, 5, 8, fusion, 0, 0, 0};
}

static sow_hypermap_learning brief(sow_index steps)
{
    sow_hypermap_learning o = SOW_HYPERMAP_LEARNING_INIT;
    o.steps = steps;
    o.tasks = 2;
    o.batch = 20;
    o.inner_batches = 2;
    o.inner_steps = 2;
    o.inner_rate = 0.02;
    o.meta_rate = 5e-3;
    o.dropout = 0.1;
    o.seeds = 4;
    return o;
}

static sow_params *fresh(const sow_hypermap_sizes *s)
{
    sow_params *p = NULL;
    OK(sow_hypermap_params_create(&p, s, SOW_F32, 8, 0, err));
    return p;
}

static int same_values(const sow_params *a, const sow_params *b)
{
    for (sow_index i = 0; i < sow_params_count(a); i++) {
        const sow_tensor x = sow_params_value(a, i), y = sow_params_value(b, i);
        if (memcmp(x.data, y.data, (size_t)(x.rows * x.cols) * sizeof(float)) != 0) return 0;
    }
    return 1;
}

/* Loss on all cells of a context, without dropout. */
static double loss_in(sow_params *p, const sow_hypermap_sizes *s, const world *w, sow_index context)
{
    sow_i_hypermap_stage stage;
    sow_hypermap_values v;
    sow_tape *t = NULL;
    sow_index row[PERTURBATIONS * CELLS];
    for (int i = 0; i < PERTURBATIONS * CELLS; i++) row[i] = w->start[context] + i;
    OK(sow_i_hypermap_stage_make(&stage, &w->d, PERTURBATIONS * CELLS, err));
    OK(sow_i_hypermap_fill(&stage, &w->d, context, row, PERTURBATIONS * CELLS, &(sow_i_hypermap_pairing){1, 0}, err));
    OK(sow_tape_create(&t, NULL, SOW_F32, NULL, err));
    sow_hypermap_forward(&v, t, p, s, &stage.batch, NULL);
    OK(sow_tape_status(t, err));
    const double loss = sow_tape_scalar(t, v.loss);
    sow_tape_destroy(t);
    sow_i_hypermap_stage_clear(&stage);
    return loss;
}

/* ---- batches ---- */

Test(hypermap_tasks, a_deck_hands_every_row_out_before_one_comes_again)
{
    world *w = world_make(2);
    sow_i_hypermap_deck deck;
    unsigned char use[PERTURBATIONS] = {0, 1, 0, 1, 1};
    OK(sow_i_hypermap_deck_make(&deck, &w->d, 1, use, 1, sow_rng_make(1, SOW_RNG_TEST, 0, 0), err));
    cr_assert_eq(deck.n, 3 * CELLS);
    for (int pass = 0; pass < 3; pass++) {
        int times[2 * PERTURBATIONS * CELLS] = {0};
        for (sow_index left = 3 * CELLS, n; left > 0; left -= n) {
            const sow_index *rows = NULL;
            n = sow_i_hypermap_deal(&rows, &deck, 7);
            cr_assert_eq(n, left < 7 ? left : 7); /* the last one is short */
            for (sow_index i = 0; i < n; i++) times[rows[i]]++;
        }
        for (sow_index r = 0; r < w->start[2]; r++) cr_assert_eq(times[r], r >= w->start[1] && use[w->perturbation[r]]);
    }
    sow_i_hypermap_deck_clear(&deck);
    world_free(w);
}

Test(hypermap_tasks, a_batch_has_each_embedding_once_and_its_rows_their_own)
{
    world *w = world_make(2);
    sow_i_hypermap_stage s;
    const sow_index row[5] = {w->start[1] + 3 * CELLS, w->start[1] + 7 * CELLS, w->start[1] + 3 * CELLS + 1, w->start[1], w->start[1] + 7 * CELLS + 2};
    float kept[2][5 * GENES];
    OK(sow_i_hypermap_stage_make(&s, &w->d, 5, err));
    for (int pass = 0; pass < 3; pass++) {
        OK(sow_i_hypermap_fill(&s, &w->d, 1, row, 5, &(sow_i_hypermap_pairing){9, pass == 2}, err));
        cr_assert_eq(s.batch.n_e, 3);
        for (int i = 0; i < 5; i++) {
            cr_assert_arr_eq(s.e + s.e_row[i] * EMBEDDING, w->e + w->perturbation[row[i]] * EMBEDDING, EMBEDDING * sizeof(float));
            cr_assert_arr_eq(s.y + i * GENES, w->y + row[i] * GENES, GENES * sizeof(float));
            cr_assert_arr_eq(s.x + i * GENES, w->x + (CONTROLS + s.control[i]) * GENES, GENES * sizeof(float));
        }
        if (pass < 2) memcpy(kept[pass], s.x, sizeof kept[pass]);
    }
    cr_assert_arr_eq(kept[0], kept[1], sizeof kept[0]);                  /* a cell keeps its control ... */
    cr_assert(memcmp(kept[0], s.x, sizeof kept[0]) != 0);                /* ... unless it is drawn anew */
    sow_i_hypermap_stage_clear(&s);
    world_free(w);
}

/* ---- tasks ---- */

static void learn(sow_params *p, sow_hypermap_course *c, const sow_hypermap_sizes *s, world *w, const sow_hypermap_learning *o, const sow_env *env)
{
    w->n_fetches = 0;
    OK(sow_hypermap_learn(p, c, s, &w->d, o, NULL, NULL, env, err));
}

Test(hypermap_learn, asks_about_perturbations_it_has_not_learned_from_where_told_to)
{
    for (int apart = 0; apart < 2; apart++) {
        world *w = world_make(3);
        const sow_hypermap_sizes s = small(SOW_HYPERMAP_WHOLE);
        sow_hypermap_learning o = brief(4);
        sow_hypermap_course c;
        int met = 0;
        o.split = apart ? SOW_HYPERMAP_BY_PERTURBATIONS : SOW_HYPERMAP_BY_CELLS;
        sow_params *p = fresh(&s);
        learn(p, &c, &s, w, &o, NULL);
        cr_assert_eq(w->n_fetches, o.steps * o.tasks * 3);
        for (sow_index k = 0; k < w->n_fetches; k += 3)
            for (int q = 0; q < PERTURBATIONS; q++) met += w->asked[k + 2][q] && (w->asked[k][q] || w->asked[k + 1][q]);
        cr_assert(apart ? met == 0 : met > 20, "%d", met);
        sow_hypermap_course_clear(&c);
        sow_params_destroy(p);
        world_free(w);
    }
}

Test(hypermap_learn, draws_contexts_as_published_or_evenly)
{
    const sow_hypermap_sizes s = small(SOW_HYPERMAP_CONTEXT);
    for (int balanced = 0; balanced < 2; balanced++)
        for (int many = 0; many < 2; many++) {
            const sow_index n = many ? 10 : 3;
            world *w = world_make(n);
            sow_hypermap_learning o = brief(10);
            sow_hypermap_course c;
            sow_params *p = fresh(&s);
            int times[MOST_CONTEXTS] = {0}, repeats = 0;
            o.tasks = 3;
            o.balanced = balanced;
            learn(p, &c, &s, w, &o, NULL);
            for (sow_index k = 0; k < o.steps * o.tasks; k++) times[w->context[3 * k]]++;
            for (sow_index k = 0; k < o.steps; k++)
                for (int i = 0; i < 3; i++)
                    for (int j = 0; j < i; j++) repeats += w->context[9 * k + 3 * i] == w->context[9 * k + 3 * j];
            if (balanced)
                for (sow_index i = 0; i < n; i++) cr_assert_eq(times[i], 30 / n);
            else
                cr_assert(many ? repeats == 0 : repeats > 0, "%d contexts come twice in a step", repeats);
            sow_hypermap_course_clear(&c);
            sow_params_destroy(p);
            world_free(w);
        }
}

/* ---- learning ---- */

Test(hypermap_learn, every_method_learns_what_carries_over_to_a_new_context)
{
    for (int method = SOW_HYPERMAP_EXACT; method <= SOW_HYPERMAP_REPTILE; method++) {
        world *w = world_make(5);
        const sow_hypermap_sizes s = small(SOW_HYPERMAP_WHOLE);
        sow_hypermap_learning o = brief(120);
        sow_hypermap_course c;
        sow_params *p = fresh(&s);
        const double before = loss_in(p, &s, w, 4);
        o.method = (sow_hypermap_method)method;
        o.inner_rate = 0.005;
        o.validation = 4;
        o.patience = 0;
        o.dropout = 0;
        learn(p, &c, &s, w, &o, NULL);
        const double after = loss_in(p, &s, w, 4);
        cr_assert_lt(after, 0.6 * before, "method %d: %g, %g before", method, after, before);
        cr_assert_eq(c.steps, 120);
        cr_assert(c.validation[c.best] <= c.validation[4] && isnan(c.validation[0]));
        for (sow_index k = 4; k < 120; k += 5) cr_assert_geq(c.validation[k], c.validation[c.best]);
        for (sow_index k = 0; k < w->n_fetches && k < MOST_FETCHES; k++) /* the validation context is never learned from: 6 batches a step are tasks */
            if (k < 24) cr_assert_neq(w->context[k], 4);
        sow_hypermap_course_clear(&c);
        sow_params_destroy(p);
        world_free(w);
    }
}

Test(hypermap_learn, adapting_to_seeds_helps_with_the_others)
{
    world *w = world_make(5);
    const sow_hypermap_sizes s = small(SOW_HYPERMAP_WHOLE);
    sow_hypermap_learning o = brief(60);
    sow_hypermap_course c;
    unsigned char use[PERTURBATIONS] = {1, 1, 1, 1, 1, 1};
    sow_index cells = 0;
    sow_params *p = fresh(&s);
    o.method = SOW_HYPERMAP_FIRST_ORDER;
    o.dropout = 0;
    learn(p, &c, &s, w, &o, NULL);
    for (int k = 0; k < PERTURBATIONS * CELLS * GENES; k++) w->y[w->start[3] * GENES + k] += 1.5F; /* context 3 is set apart from all that was learned */
    const double before = loss_in(p, &s, w, 3);
    OK(sow_hypermap_adapt(p, &cells, &s, &w->d, 3, use, 0, 0.02, 3, 0, 5, NULL, err));
    cr_assert_eq(cells, 6 * CELLS);
    cr_assert_lt(loss_in(p, &s, w, 3), 0.8 * before);
    memset(use, 0, sizeof use);
    sow_params *was = fresh(&s);
    OK(sow_params_copy(was, p, err));
    OK(sow_hypermap_adapt(p, &cells, &s, &w->d, 3, use, 0, 0.02, 3, 0, 5, NULL, err)); /* nothing to adapt to */
    cr_assert(cells == 0 && same_values(p, was));
    sow_hypermap_course_clear(&c);
    sow_params_destroy(p);
    sow_params_destroy(was);
    world_free(w);
}

/* ---- the same numbers ---- */

typedef struct {
    sow_archive state[16];
    int n;
} states;

static sow_status remember(void *user, sow_archive *state, sow_error *e)
{
    states *s = user;
    for (sow_index i = 0; i < state->n; i++) {
        const sow_archive_item *x = &state->item[i];
        const sow_status st = sow_archive_put(&s->state[s->n], x->name, x->kind, x->data, x->rows, x->cols, e);
        if (st != SOW_OK) return st;
    }
    s->n++;
    return SOW_OK;
}

static int second_call(void *user, const char *what, double fraction)
{
    (void)what;
    (void)fraction;
    return ++*(int *)user == 2;
}

Test(hypermap_learn, can_be_stopped_within_an_outer_step_and_moves_nothing_then)
{
    world *w = world_make(4);
    const sow_hypermap_sizes s = small(SOW_HYPERMAP_GATED);
    sow_hypermap_learning o = brief(1);
    sow_hypermap_course c;
    sow_params *p = fresh(&s), *before = fresh(&s);
    for (int first_order = 0; first_order < 2; first_order++) {
        int calls = 0;
        const sow_env env = {.progress = second_call, .progress_user = &calls};
        o.method = first_order ? SOW_HYPERMAP_FIRST_ORDER : SOW_HYPERMAP_EXACT;
        cr_assert_eq(sow_hypermap_learn(p, &c, &s, &w->d, &o, NULL, NULL, &env, err), SOW_E_CANCELLED);
        cr_assert_eq(calls, 2);
        cr_assert(same_values(p, before));
    }
    sow_params_destroy(p);
    sow_params_destroy(before);
    world_free(w);
}

typedef struct {
    int at, calls;
} stop_at;

/* Within steps it is asked a few times a second: that long is waited where a step begins. */
static int at_call(void *user, const char *what, double fraction)
{
    const struct timespec pause = {0, 210000000};
    stop_at *s = user;
    (void)what;
    if (fraction > 0 && fabs(3 * fraction - round(3 * fraction)) < 1e-9) nanosleep(&pause, NULL);
    return ++s->calls == s->at;
}

static int never(void *user)
{
    (void)user;
    return 0;
}

/* A state is asked for only by stopping, before a step and within one. */
Test(hypermap_learn, tells_its_state_when_it_is_stopped_at_any_moment)
{
    world *w = world_make(4);
    const sow_hypermap_sizes s = small(SOW_HYPERMAP_GATED);
    sow_hypermap_learning o = brief(3);
    sow_hypermap_course c, again;
    stop_at stop = {0};
    const sow_env env = {.progress = at_call, .progress_user = &stop};
    sow_params *whole = fresh(&s), *p = fresh(&s);
    int last, given = 0;
    o.validation = 3;
    o.validate_every = 1;
    OK(sow_hypermap_learn(whole, &c, &s, &w->d, &o, NULL, NULL, &env, err));
    last = stop.calls;
    for (int at = 1; at <= last; at++) {
        states all = {.n = 0};
        const sow_checkpoints keep = {remember, never, &all};
        sow_params *begun = fresh(&s);
        stop = (stop_at){.at = at};
        cr_assert_eq(sow_hypermap_learn(begun, &again, &s, &w->d, &o, NULL, &keep, &env, err), SOW_E_CANCELLED);
        cr_assert_leq(all.n, 1);
        if (all.n == 1) {
            given++;
            OK(sow_hypermap_learn(p, &again, &s, &w->d, &o, &all.state[0], NULL, NULL, err));
            cr_assert(same_values(p, whole), "stopped at call %d of %d", at, last);
            cr_assert_eq(again.best, c.best);
            cr_assert_arr_eq(again.validation, c.validation, 3 * sizeof(double));
            sow_hypermap_course_clear(&again);
            sow_archive_clear(&all.state[0]);
        }
        sow_params_destroy(begun);
    }
    states end = {.n = 0};
    sow_params *begun = fresh(&s);
    OK(sow_hypermap_learn(begun, &again, &s, &w->d, &o, NULL, &(sow_checkpoints){remember, never, &end}, NULL, err));
    cr_assert_eq(end.n, 1, "that of the end");
    sow_hypermap_course_clear(&again);
    sow_params_destroy(begun);
    OK(sow_hypermap_learn(p, &again, &s, &w->d, &o, &end.state[0], NULL, NULL, err));
    cr_assert(same_values(p, whole));
    sow_hypermap_course_clear(&again);
    sow_archive_clear(&end.state[0]);
    cr_assert_geq(given, 5, "%d states of %d calls: two steps begin and are stopped within, and there is an end", given, last);
    sow_hypermap_course_clear(&c);
    sow_params_destroy(whole);
    sow_params_destroy(p);
    world_free(w);
}

Test(hypermap_learn, goes_on_from_any_step_to_the_same_weights)
{
    world *w = world_make(4);
    const sow_hypermap_sizes s = small(SOW_HYPERMAP_GATED);
    sow_hypermap_learning o = brief(7);
    sow_hypermap_course c, again;
    states all = {.n = 0};
    sow_params *whole = fresh(&s), *p = fresh(&s);
    o.validation = 3;
    o.validate_every = 2;
    o.fresh_controls = 1;
    o.balanced = 1;
    OK(sow_hypermap_learn(whole, &c, &s, &w->d, &o, NULL, &(sow_checkpoints){remember, NULL, &all}, NULL, err));
    cr_assert_eq(all.n, 7);
    for (int k = 0; k < all.n; k++) {
        OK(sow_hypermap_learn(p, &again, &s, &w->d, &o, &all.state[k], NULL, NULL, err));
        cr_assert(same_values(p, whole), "after step %d", k + 1);
        cr_assert_eq(again.best, c.best);
        cr_assert_arr_eq(again.loss, c.loss, 7 * sizeof(double));
        sow_hypermap_course_clear(&again);
    }
    o.inner_rate = 0.03;
    cr_assert_eq(sow_hypermap_learn(p, &again, &s, &w->d, &o, &all.state[2], NULL, NULL, err), SOW_E_DATA);
    SAYS("other settings or data");
    for (int k = 0; k < all.n; k++) sow_archive_clear(&all.state[k]);
    sow_hypermap_course_clear(&c);
    sow_params_destroy(whole);
    sow_params_destroy(p);
    world_free(w);
}

Test(hypermap_learn, gives_the_same_bits_for_any_number_of_threads)
{
    world *w = world_make(4);
    const sow_hypermap_sizes s = small(SOW_HYPERMAP_ROWS);
    sow_hypermap_learning o = brief(3);
    sow_hypermap_course c;
    sow_threads *three = NULL;
    OK(sow_threads_create(&three, 3, err));
    const sow_env env = {.threads = three};
    sow_params *one = fresh(&s), *many = fresh(&s);
    learn(one, &c, &s, w, &o, NULL);
    sow_hypermap_course_clear(&c);
    learn(many, &c, &s, w, &o, &env);
    cr_assert(same_values(one, many));
    sow_hypermap_course_clear(&c);
    sow_params_destroy(one);
    sow_params_destroy(many);
    sow_threads_destroy(three);
    world_free(w);
}

Test(hypermap_learn, gives_the_same_bits_for_any_number_of_helpers)
{
    world *w = world_make(5);
    sow_threads *two = NULL;
    OK(sow_threads_create(&two, 2, err));
    for (int method = SOW_HYPERMAP_EXACT; method <= SOW_HYPERMAP_JOINT; method++) {
        const sow_hypermap_sizes s = small(method == SOW_HYPERMAP_EXACT ? SOW_HYPERMAP_ROWS : SOW_HYPERMAP_CONTEXT);
        sow_hypermap_learning o = brief(4);
        sow_hypermap_course alone, shared;
        sow_params *p = fresh(&s);
        o.method = (sow_hypermap_method)method;
        o.tasks = 4;
        o.validation = 4;
        o.validate_every = 2;
        o.fresh_controls = method % 2;
        learn(p, &alone, &s, w, &o, NULL);
        for (int helpers = 1; helpers < 6; helpers++) {
            made_team t;
            made_team_init(&t, helpers, &sow_i_hypermap_work);
            const sow_env env = {.team = &t.base, .threads = helpers % 2 ? two : NULL};
            sow_params *q = fresh(&s);
            learn(q, &shared, &s, w, &o, &env);
            cr_assert(same_values(p, q), "method %d, %d helpers", method, helpers);
            cr_assert_arr_eq(shared.loss, alone.loss, 4 * sizeof(double));
            cr_assert_eq(t.base.given, o.steps * (o.tasks - (o.tasks + helpers) / (helpers + 1)), "%d helpers", helpers);
            sow_hypermap_course_clear(&shared);
            sow_params_destroy(q);
            made_team_clear(&t);
        }
        sow_hypermap_course_clear(&alone);
        sow_params_destroy(p);
    }
    sow_threads_destroy(two);
    world_free(w);
}

Test(hypermap_learn, goes_on_with_another_number_of_helpers)
{
    world *w = world_make(4);
    const sow_hypermap_sizes s = small(SOW_HYPERMAP_GATED);
    sow_hypermap_learning o = brief(5);
    sow_hypermap_course c;
    states all = {.n = 0};
    made_team t;
    made_team_init(&t, 2, &sow_i_hypermap_work);
    const sow_env env = {.team = &t.base};
    sow_params *whole = fresh(&s), *p = fresh(&s);
    o.tasks = 3;
    learn(whole, &c, &s, w, &o, NULL);
    sow_hypermap_course_clear(&c);
    OK(sow_hypermap_learn(p, &c, &s, &w->d, &o, NULL, &(sow_checkpoints){remember, NULL, &all}, &env, err));
    sow_hypermap_course_clear(&c);
    for (int k = 0; k < all.n; k++) {
        OK(sow_hypermap_learn(p, &c, &s, &w->d, &o, &all.state[k], NULL, k % 2 ? &env : NULL, err));
        cr_assert(same_values(p, whole), "after step %d", k + 1);
        sow_hypermap_course_clear(&c);
        sow_archive_clear(&all.state[k]);
    }
    made_team_clear(&t);
    sow_params_destroy(whole);
    sow_params_destroy(p);
    world_free(w);
}

Test(hypermap_learn, a_task_that_runs_away_at_a_helper_is_told_as_one_here)
{
    world *w = world_make(4);
    const sow_hypermap_sizes s = small(SOW_HYPERMAP_WHOLE);
    sow_hypermap_learning o = brief(20);
    sow_hypermap_course c;
    made_team t;
    made_team_init(&t, 1, &sow_i_hypermap_work);
    const sow_env env = {.team = &t.base};
    sow_params *p = fresh(&s), *was = fresh(&s);
    char alone[sizeof err->message];
    float *e = w->y + w->start[1] * GENES; /* context 1 alone cannot be learned from */
    for (int i = 0; i < PERTURBATIONS * CELLS * GENES; i++) e[i] = 1e30f;
    o.tasks = 4;
    o.most_bad = 3;
    o.balanced = 1;
    o.inner_rate = 10;
    cr_assert_eq(sow_hypermap_learn(p, &c, &s, &w->d, &o, NULL, NULL, NULL, err), SOW_E_NONFINITE);
    memcpy(alone, err->message, sizeof alone);
    OK(sow_params_copy(p, was, err));
    cr_assert_eq(sow_hypermap_learn(p, &c, &s, &w->d, &o, NULL, NULL, &env, err), SOW_E_NONFINITE);
    cr_assert_str_eq(err->message, alone);
    SAYS("task ");
    cr_assert(same_values(p, was));
    made_team_clear(&t);
    sow_params_destroy(p);
    sow_params_destroy(was);
    world_free(w);
}

Test(hypermap_learn, memory_that_fails_with_a_helper_is_an_error_and_no_more)
{
    world *w = world_make(3);
    const sow_hypermap_sizes s = small(SOW_HYPERMAP_CONTEXT);
    sow_hypermap_learning o = brief(1);
    sow_params *p = fresh(&s);
    int failures = 0;
    for (sow_index k = 0;; k += 7, failures++) {
        sow_hypermap_course c = {0};
        made_team t;
        made_team_init(&t, 1, &sow_i_hypermap_work);
        const sow_env env = {.team = &t.base};
        sow_memory_fail_after(k);
        const sow_status st = sow_hypermap_learn(p, &c, &s, &w->d, &o, NULL, NULL, &env, err);
        sow_memory_fail_after(-1);
        made_team_clear(&t);
        sow_hypermap_course_clear(&c);
        if (st == SOW_OK) break;
        cr_assert_eq(st, SOW_E_NOMEM, "%s", err->message);
    }
    cr_assert_gt(failures, 20);
    sow_params_destroy(p);
    world_free(w);
}

Test(hypermap_predict, an_answer_does_not_depend_on_what_else_is_asked)
{
    world *w = world_make(1);
    for (int fusion = SOW_HYPERMAP_WHOLE; fusion <= SOW_HYPERMAP_TOKENS; fusion++) {
        const sow_hypermap_sizes s = small((sow_hypermap_fusion)fusion);
        sow_params *p = fresh(&s);
        float all[PERTURBATIONS * GENES], one[GENES];
        OK(sow_hypermap_predict(all, p, &s, w->e, PERTURBATIONS, w->x, CONTROLS, NULL, err));
        for (int i = PERTURBATIONS - 1; i >= 0; i--) {
            OK(sow_hypermap_predict(one, p, &s, w->e + i * EMBEDDING, 1, w->x, CONTROLS, NULL, err));
            cr_assert_arr_eq(one, all + i * GENES, sizeof one);
        }
        sow_params_destroy(p);
    }
    const sow_hypermap_sizes rows = small(SOW_HYPERMAP_ROWS);
    sow_params *p = fresh(&rows);
    float one[GENES];
    cr_assert_eq(sow_hypermap_predict(one, p, &rows, w->e, 1, w->x, CONTROLS, NULL, err), SOW_E_UNSUPPORTED);
    sow_params_destroy(p);
    world_free(w);
}

/* ---- what cannot be ---- */

Test(hypermap_learn, leaves_the_last_good_weights_when_numbers_run_away)
{
    world *w = world_make(4);
    const sow_hypermap_sizes s = small(SOW_HYPERMAP_WHOLE);
    sow_hypermap_learning o = brief(20);
    sow_hypermap_course c;
    sow_params *p = fresh(&s), *was = fresh(&s);
    o.inner_rate = 1e5;
    o.most_bad = 3;
    cr_assert_eq(sow_hypermap_learn(p, &c, &s, &w->d, &o, NULL, NULL, NULL, err), SOW_E_NONFINITE);
    SAYS("outer steps 1 to 3 are not finite");
    SAYS("at a rate of");
    cr_assert(same_values(p, was));
    cr_assert_null(c.loss);
    sow_params_destroy(p);
    sow_params_destroy(was);
    world_free(w);
}

static void refused(world *w, sow_hypermap_learning o, sow_status want, const char *says)
{
    const sow_hypermap_sizes s = small(SOW_HYPERMAP_WHOLE);
    sow_hypermap_course c;
    sow_params *p = fresh(&s);
    cr_assert_eq(sow_hypermap_learn(p, &c, &s, &w->d, &o, NULL, NULL, NULL, err), want);
    SAYS(says);
    sow_params_destroy(p);
}

Test(hypermap_learn, says_what_it_cannot_learn_from)
{
    world *w = world_make(2);
    sow_hypermap_learning o = brief(2);
    o.tasks = 0;
    refused(w, o, SOW_E_CONFIG, "tasks is 0; 1 to 1024");
    o = brief(2);
    o.dropout = 1;
    refused(w, o, SOW_E_CONFIG, "dropout is 1");
    o = brief(2);
    w->n_controls[1] = 0;
    refused(w, o, SOW_E_DATA, "context 1 has no controls");
    w->n_controls[1] = CONTROLS;
    for (sow_index r = w->start[1]; r < w->start[2]; r++) w->perturbation[r] = 5;
    o.split = SOW_HYPERMAP_BY_PERTURBATIONS;
    refused(w, o, SOW_E_DATA, "context 1 has one perturbation");
    o.split = SOW_HYPERMAP_BY_CELLS;
    o.validation = 1;
    refused(w, o, SOW_E_DATA, "the validation context 1 has one perturbation");
    w->start[2] = w->start[1];
    o.validation = -1;
    refused(w, o, SOW_E_DATA, "context 1 has no cells");
    w->d.n_contexts = 1;
    o.validation = 0;
    refused(w, o, SOW_E_DATA, "no context to learn from");
    world_free(w);
}
