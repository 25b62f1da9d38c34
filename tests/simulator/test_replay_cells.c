/* The replay of cells: who is handed out, when, and with which controls. */
#include "simulator/oracle.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/rng.h"

enum { N_PERTURBATIONS = 4, MOST_BATCHES = 3, N_ROUNDS = 4 };

/* A made screen: so many cells of each group, in an order that has nothing to do with the groups. */
typedef struct {
    sow_screen *screen;
    sow_cells cells;
} made;

typedef struct {
    int context, perturbation, batch, n;
} group;

static int32_t *column(sow_index n)
{
    int32_t *a = sow_calloc(n, sizeof *a);
    cr_assert_not_null(a);
    return a;
}

static made make(const group *groups, int n_groups, int n_contexts)
{
    static const char *const names[] = {"A", "B", "C", "D"}, *const lines[] = {"K562", "RPE1"};
    made w = {0};
    sow_index n = 0, at = 0, *place = NULL;
    for (int g = 0; g < n_groups; g++)
        n += groups[g].n;
    place = sow_calloc(n, sizeof *place);
    for (sow_index i = 0; i < n; i++)
        place[i] = i;
    sow_rng rng = sow_rng_make(3, SOW_RNG_TEST, 0, 0);
    sow_rng_permute(&rng, place, n);
    cr_assert_eq(sow_screen_create(&w.screen, SOW_READOUT_CELLS, NULL), SOW_OK);
    for (int i = 0; i < N_PERTURBATIONS; i++)
        cr_assert_eq(sow_names_add(w.screen->perturbations, names[i], NULL, NULL), SOW_OK);
    for (int i = 0; i < n_contexts; i++)
        cr_assert_eq(sow_names_add(w.screen->contexts, lines[i], NULL, NULL), SOW_OK);
    cr_assert_eq(sow_names_add(w.screen->features, "gene 1", NULL, NULL), SOW_OK);
    w.screen->context_role = sow_calloc(n_contexts, sizeof *w.screen->context_role); /* all targets */
    w.cells.n = n;
    w.cells.in_matrix = column(n);
    w.cells.row = sow_calloc(n, sizeof *w.cells.row);
    w.cells.perturbation = column(n);
    w.cells.context = column(n);
    w.cells.batch = column(n);
    w.cells.guide = column(n);
    w.cells.replicate = column(n);
    for (int g = 0; g < n_groups; g++)
        for (int i = 0; i < groups[g].n; i++, at++) {
            w.cells.perturbation[place[at]] = groups[g].perturbation;
            w.cells.context[place[at]] = groups[g].context;
            w.cells.batch[place[at]] = groups[g].batch;
        }
    free(place);
    cr_assert_eq(sow_cells_index(&w.cells, N_PERTURBATIONS, n_contexts, NULL), SOW_OK);
    const double nothing = NAN;
    for (int c = 0; c < n_contexts; c++)
        for (int p = 0; p < N_PERTURBATIONS; p++) {
            const sow_index *list = NULL, k = sow_cells_of(&list, &w.cells, p, c);
            if (k > 0) cr_assert_eq(sow_screen_add_row(w.screen, p, c, (double)k, (double)k, &nothing, NULL, NAN, NULL), SOW_OK);
        }
    return w;
}

/* One context, two technical batches of unequal size. */
static made usual(void)
{
    static const group groups[] = {{0, SOW_CONTROL, 0, 300},
                                   {0, SOW_CONTROL, 1, 101},
                                   {0, 0, 0, 90},
                                   {0, 0, 1, 30},
                                   {0, 1, 0, 60},
                                   {0, 1, 1, 21},
                                   {0, 2, 0, 48}};
    return make(groups, 7, 1);
}

static void drop(made *w)
{
    sow_cells_clear(&w->cells);
    sow_screen_destroy(w->screen);
}

static sow_oracle_options options_of(const made *w)
{
    return (sow_oracle_options){.seed = 5, .screen = w->screen, .cells = &w->cells, .n_rounds = N_ROUNDS, .control_share = 0.25};
}

static sow_oracle *open_replay(const sow_oracle_options *options)
{
    const sow_oracle_class *row = NULL;
    sow_oracle *oracle = NULL;
    sow_error err = {0};
    cr_assert_eq(sow_oracle_find(&row, "replay", &err), SOW_OK);
    cr_assert_eq(row->create(&oracle, options, &err), SOW_OK, "%s", err.message);
    cr_assert_str_eq(oracle->class_->name, "replay");
    return oracle;
}

static sow_measurements measure(sow_oracle *oracle, const sow_request *requests, sow_index n, sow_index round)
{
    sow_measurements m;
    sow_error err = {0};
    cr_assert_eq(sow_oracle_measure(&m, oracle, requests, n, round, &err), SOW_OK, "%s", err.message);
    return m;
}

static int same_cells(const sow_measurement *a, const sow_measurement *b)
{
    return a->outcome == b->outcome && a->n_cell == b->n_cell && strcmp(a->reason, b->reason) == 0 &&
           (a->n_cell == 0 || memcmp(a->cell, b->cell, (size_t)a->n_cell * sizeof *a->cell) == 0);
}

static int same_controls(const sow_measurements *a, const sow_measurements *b)
{
    return a->n_control == b->n_control &&
           (a->n_control == 0 || memcmp(a->control, b->control, (size_t)a->n_control * sizeof *a->control) == 0);
}

/* Ascending, of this pair, and marked in `seen` for the first time. */
static void check_new(unsigned char *seen, const made *w, const sow_index *cell, sow_index n, sow_index perturbation,
                      sow_index context)
{
    for (sow_index i = 0; i < n; i++) {
        cr_assert(i == 0 || cell[i] > cell[i - 1], "positions ascend");
        cr_assert(w->cells.perturbation[cell[i]] == perturbation && w->cells.context[cell[i]] == context);
        cr_assert_eq(seen[cell[i]], 0, "cell %lld is handed out twice", (long long)cell[i]);
        seen[cell[i]] = 1;
    }
}

static sow_index of_batch(const made *w, const sow_index *cell, sow_index n, int batch)
{
    sow_index k = 0;
    for (sow_index i = 0; i < n; i++)
        k += w->cells.batch[cell[i]] == batch;
    return k;
}

Test(replay_cells, hands_out_no_cell_twice_over_the_rounds)
{
    made w = usual();
    const sow_oracle_options options = options_of(&w);
    sow_oracle *oracle = open_replay(&options);
    unsigned char *seen = sow_calloc(w.cells.n, 1);
    sow_index already[2] = {0, 0};
    for (sow_index round = 0; round < N_ROUNDS; round++) {
        const sow_request requests[] = {{0, 0, 25, already[0]}, {1, 0, 20, already[1]}};
        sow_measurements m = measure(oracle, requests, 2, round);
        for (int i = 0; i < 2; i++) {
            cr_assert_eq(m.item[i].outcome, SOW_MEASURED);
            cr_assert_eq(m.item[i].n_cell, requests[i].planned_cells);
            cr_assert(m.item[i].cells == (double)m.item[i].n_cell && m.item[i].weight == m.item[i].cells);
            cr_assert(isnan(m.item[i].values[0]), "what cells amount to is the planner's to say");
            check_new(seen, &w, m.item[i].cell, m.item[i].n_cell, i, 0);
            already[i] += m.item[i].n_cell;
        }
        cr_assert_geq(m.n_control, 16);
        check_new(seen, &w, m.control, m.n_control, SOW_CONTROL, 0);
        sow_measurements_clear(&m);
    }
    free(seen);
    sow_oracle_destroy(oracle);
    drop(&w);
}

Test(replay_cells, hands_out_every_control_when_asked_for_enough)
{
    made w = usual();
    sow_oracle_options options = options_of(&w);
    options.control_share = 0.999;
    sow_oracle *oracle = open_replay(&options);
    unsigned char *seen = sow_calloc(w.cells.n, 1);
    const sow_request request = {0, 0, 100, 0};
    sow_index n = 0, least = INT64_MAX, most = 0;
    for (sow_index round = 0; round < N_ROUNDS; round++) {
        sow_measurements m = measure(oracle, &request, 1, round);
        check_new(seen, &w, m.control, m.n_control, SOW_CONTROL, 0);
        if (m.n_control < least) least = m.n_control;
        if (m.n_control > most) most = m.n_control;
        n += m.n_control;
        sow_measurements_clear(&m);
    }
    cr_assert_eq(n, 401);
    cr_assert_leq(most - least, 2, "shared out evenly: one more or less of each of two batches");
    free(seen);
    sow_oracle_destroy(oracle);
    drop(&w);
}

Test(replay_cells, answers_the_same_in_any_order_and_company_and_after_a_restart)
{
    made w = usual();
    const sow_oracle_options options = options_of(&w);
    sow_oracle *oracle = open_replay(&options), *twin = open_replay(&options);
    const sow_request forth[] = {{0, 0, 25, 10}, {1, 0, 20, 0}, {2, 0, 60, 0}},
                      back[] = {{2, 0, 60, 0}, {1, 0, 20, 0}, {0, 0, 25, 10}};
    sow_measurements earlier = measure(twin, forth, 3, 0), a = measure(oracle, forth, 3, 1), b = measure(twin, back, 3, 1),
                     alone = measure(twin, back, 1, 1);
    for (int i = 0; i < 3; i++)
        cr_assert(same_cells(&a.item[i], &b.item[2 - i]));
    cr_assert(same_controls(&a, &b));
    cr_assert(same_cells(&alone.item[0], &a.item[2]));
    cr_assert_not(same_controls(&earlier, &a), "each round has its own controls");
    sow_measurements_clear(&earlier);
    sow_measurements_clear(&a);
    sow_measurements_clear(&b);
    sow_measurements_clear(&alone);
    sow_oracle_destroy(oracle);
    sow_oracle_destroy(twin);
    drop(&w);
}

Test(replay_cells, seeds_draw_different_cells_and_controls)
{
    made w = usual();
    sow_oracle_options options = options_of(&w);
    sow_oracle *one = open_replay(&options);
    options.seed = 6;
    sow_oracle *other = open_replay(&options);
    const sow_request request = {0, 0, 40, 0};
    sow_measurements a = measure(one, &request, 1, 0), b = measure(other, &request, 1, 0);
    cr_assert_not(same_cells(&a.item[0], &b.item[0]));
    cr_assert_not(same_controls(&a, &b));
    sow_measurements_clear(&a);
    sow_measurements_clear(&b);
    sow_oracle_destroy(one);
    sow_oracle_destroy(other);
    drop(&w);
}

Test(replay_cells, says_how_many_of_the_planned_cells_there_were)
{
    made w = usual();
    const sow_oracle_options options = options_of(&w);
    sow_oracle *oracle = open_replay(&options);
    const sow_request requests[] = {{0, 0, 150, 100}, {1, 0, 20, 81}, {2, 0, 300, 0}, {3, 0, 20, 0}};
    sow_measurements m = measure(oracle, requests, 4, 2);
    cr_assert(m.item[0].outcome == SOW_PARTIAL && m.item[0].n_cell == 20);
    cr_assert_str_eq(m.item[0].reason, "20 of 150 planned cells are left in the screen");
    cr_assert(m.item[1].outcome == SOW_FAILED && m.item[1].n_cell == 0 && m.item[1].cells == 0);
    cr_assert_str_eq(m.item[1].reason, "all of its 81 cells in the screen were handed out in earlier rounds");
    cr_assert(m.item[2].outcome == SOW_PARTIAL && m.item[2].n_cell == 48);
    cr_assert_str_eq(m.item[2].reason, "48 of 300 planned cells are in the screen");
    cr_assert_eq(m.item[3].outcome, SOW_FAILED);
    cr_assert_str_eq(m.item[3].reason, "the finished screen did not measure it in K562");
    sow_measurements_clear(&m);
    sow_oracle_destroy(oracle);
    drop(&w);
}

Test(replay_cells, hands_out_all_that_are_left_when_no_number_is_planned)
{
    made w = usual();
    const sow_oracle_options options = options_of(&w);
    sow_oracle *oracle = open_replay(&options);
    const sow_request requests[] = {{0, 0, 0, 0}, {1, 0, 0, 80}};
    sow_measurements m = measure(oracle, requests, 2, 0);
    cr_assert(m.item[0].outcome == SOW_MEASURED && m.item[0].n_cell == 120 && m.item[0].reason[0] == '\0');
    cr_assert(m.item[1].outcome == SOW_MEASURED && m.item[1].n_cell == 1);
    sow_measurements_clear(&m);
    sow_oracle_destroy(oracle);
    drop(&w);
}

Test(replay_cells, a_rounds_controls_are_their_share_of_all_its_cells)
{
    made w = usual();
    sow_oracle_options options = options_of(&w);
    sow_oracle *oracle = open_replay(&options);
    const sow_request requests[] = {{0, 0, 120, 0}, {1, 0, 81, 0}};
    sow_measurements m = measure(oracle, requests, 2, 0);
    cr_assert_eq(m.n_control, 67, "%lld controls beside 201 cells are a quarter of all", (long long)m.n_control);
    cr_assert_eq(of_batch(&w, m.control, m.n_control, 1), 17, "51 of 201 cells are of the second batch: %lld controls",
                 (long long)of_batch(&w, m.control, m.n_control, 1));
    sow_measurements_clear(&m);
    m = measure(oracle, &(sow_request){2, 0, 10, 0}, 1, 0);
    cr_assert_eq(m.n_control, 16, "at least 16");
    cr_assert_eq(of_batch(&w, m.control, 16, 1), 0, "no cells of the second batch, no controls of it");
    sow_measurements_clear(&m);
    sow_oracle_destroy(oracle);
    options.control_share = 0;
    oracle = open_replay(&options);
    m = measure(oracle, requests, 2, 0);
    cr_assert_eq(m.n_control, 16);
    sow_measurements_clear(&m);
    sow_oracle_destroy(oracle);
    drop(&w);
}

Test(replay_cells, a_round_without_any_cell_still_has_controls)
{
    made w = usual();
    const sow_oracle_options options = options_of(&w);
    sow_oracle *oracle = open_replay(&options);
    sow_measurements m = measure(oracle, &(sow_request){3, 0, 10, 0}, 1, 1);
    cr_assert_eq(m.item[0].outcome, SOW_FAILED);
    cr_assert_eq(m.n_control, 16);
    cr_assert_eq(of_batch(&w, m.control, 16, 1), 8);
    sow_measurements_clear(&m);
    m = measure(oracle, NULL, 0, 1);
    cr_assert(m.n == 0 && m.n_control == 0, "who asks for nothing gets nothing");
    sow_measurements_clear(&m);
    sow_oracle_destroy(oracle);
    drop(&w);
}

Test(replay_cells, each_technical_batch_with_cells_has_at_least_two_controls)
{
    const group groups[] = {{0, SOW_CONTROL, 0, 400}, {0, SOW_CONTROL, 1, 8}, {0, SOW_CONTROL, 2, 5},
                            {0, 0, 0, 500},           {0, 0, 1, 2},           {0, 0, 2, 1}};
    made w = make(groups, 6, 1);
    const sow_oracle_options options = options_of(&w);
    sow_oracle *oracle = open_replay(&options);
    for (sow_index round = 0; round < N_ROUNDS; round++) {
        sow_measurements m = measure(oracle, &(sow_request){0, 0, 0, 0}, 1, round);
        cr_assert_eq(m.item[0].n_cell, 503);
        cr_assert_eq(of_batch(&w, m.control, m.n_control, 0), 100, "all of its share: a quarter asks for 168");
        cr_assert_eq(of_batch(&w, m.control, m.n_control, 1), 2);
        const sow_index third = of_batch(&w, m.control, m.n_control, 2);
        cr_assert(third == 1 || third == 2, "5 controls over 4 rounds");
        sow_measurements_clear(&m);
    }
    sow_oracle_destroy(oracle);
    drop(&w);
}

Test(replay_cells, cells_of_a_technical_batch_without_controls_stay_behind)
{
    const group groups[] = {{0, SOW_CONTROL, 0, 40}, {0, SOW_CONTROL, 1, 3}, {0, 0, 0, 30},
                            {0, 0, 1, 10},           {0, 0, 2, 5},           {0, 1, 2, 7}};
    made w = make(groups, 6, 1);
    const sow_oracle_options options = options_of(&w);
    sow_oracle *oracle = open_replay(&options);
    const sow_request requests[] = {{0, 0, 0, 0}, {1, 0, 5, 0}}, more = {0, 0, 40, 8}, enough = {0, 0, 20, 8};
    sow_measurements m = measure(oracle, requests, 2, 0);
    cr_assert(m.item[0].outcome == SOW_PARTIAL && m.item[0].n_cell == 30);
    cr_assert_eq(of_batch(&w, m.item[0].cell, 30, 0), 30);
    cr_assert_str_eq(m.item[0].reason, "30 cells; 15 more are in technical batches without controls");
    cr_assert_eq(m.item[1].outcome, SOW_FAILED);
    cr_assert_str_eq(m.item[1].reason, "none of its 7 cells is in a technical batch with a control for every round");
    cr_assert_eq(of_batch(&w, m.control, m.n_control, 0), m.n_control, "3 controls are too few for 4 rounds");
    sow_measurements_clear(&m);
    m = measure(oracle, &more, 1, 1);
    cr_assert(m.item[0].outcome == SOW_PARTIAL && m.item[0].n_cell == 22);
    cr_assert_str_eq(m.item[0].reason,
                     "22 of 40 planned cells are left in the screen; 15 more are in technical batches without controls");
    sow_measurements_clear(&m);
    m = measure(oracle, &enough, 1, 1);
    cr_assert(m.item[0].outcome == SOW_MEASURED && m.item[0].n_cell == 20);
    sow_measurements_clear(&m);
    sow_oracle_destroy(oracle);
    drop(&w);
}

Test(replay_cells, contexts_have_their_own_controls)
{
    const group groups[] = {{0, SOW_CONTROL, 0, 100}, {1, SOW_CONTROL, 0, 200}, {0, 0, 0, 100}, {1, 0, 0, 150}};
    made w = make(groups, 4, 2);
    const sow_oracle_options options = options_of(&w);
    sow_oracle *oracle = open_replay(&options);
    const sow_request requests[] = {{0, 0, 60, 0}, {0, 1, 90, 0}};
    sow_measurements m = measure(oracle, requests, 2, 0);
    sow_index first = 0;
    for (sow_index i = 0; i < m.n_control; i++)
        first += w.cells.context[m.control[i]] == 0;
    cr_assert(first == 20 && m.n_control == 50, "%lld of %lld", (long long)first, (long long)m.n_control);
    sow_measurements_clear(&m);
    m = measure(oracle, requests, 1, 0);
    cr_assert_eq(m.n_control, 20, "none where nothing is asked for");
    sow_measurements_clear(&m);
    sow_oracle_destroy(oracle);
    drop(&w);
}

static void refused(const sow_oracle_options *options, sow_status wanted, const char *words)
{
    const sow_oracle_class *row = NULL;
    sow_oracle *oracle = NULL;
    sow_error err = {0};
    cr_assert_eq(sow_oracle_find(&row, "replay", &err), SOW_OK);
    cr_assert_eq(row->create(&oracle, options, &err), wanted, "%s", err.message);
    cr_assert_null(oracle);
    cr_assert_not_null(strstr(err.message, words), "%s", err.message);
}

Test(replay_cells, creation_says_how_many_controls_the_rounds_need)
{
    const group few[] = {{0, SOW_CONTROL, 0, 7}, {0, 0, 0, 30}}, none[] = {{0, 0, 0, 30}},
                scattered[] = {{0, SOW_CONTROL, 0, 3}, {0, SOW_CONTROL, 1, 3}, {0, SOW_CONTROL, 2, 4}, {0, 0, 0, 30}};
    made w = make(few, 2, 1);
    sow_oracle_options options = options_of(&w);
    refused(&options, SOW_E_DATA, "context K562 has 7 control cells; 4 rounds need at least 8 (2 a round)");
    options.n_rounds = 3;
    sow_oracle *oracle = open_replay(&options);
    sow_oracle_destroy(oracle);
    w.screen->context_role[0] = SOW_ROLE_REFERENCE;
    options.n_rounds = 9;
    oracle = open_replay(&options);
    sow_measurements m = measure(oracle, &(sow_request){0, 0, 10, 0}, 1, 0);
    cr_assert(m.item[0].outcome == SOW_FAILED && m.n_control == 0,
              "a reference needs no controls for every round, and is not handed out");
    sow_measurements_clear(&m);
    sow_oracle_destroy(oracle);
    drop(&w);
    w = make(none, 1, 1);
    options = options_of(&w);
    refused(&options, SOW_E_DATA, "context K562 has 0 control cells");
    drop(&w);
    w = make(scattered, 4, 1);
    options = options_of(&w);
    refused(&options, SOW_E_DATA,
            "has 10 control cells, 4 of them in technical batches with one for each round; 4 rounds need at least 8 there");
    drop(&w);
}

Test(replay_cells, creation_refuses_what_makes_no_sense)
{
    made w = usual();
    sow_oracle_options options = options_of(&w);
    options.screen = NULL;
    refused(&options, SOW_E_ARG, "needs a finished screen");
    options = options_of(&w);
    options.n_rounds = 0;
    refused(&options, SOW_E_ARG, "over 0 rounds");
    options = options_of(&w);
    options.control_share = 1;
    refused(&options, SOW_E_ARG, "share of 1");
    options.control_share = NAN;
    refused(&options, SOW_E_ARG, "share of");
    options = options_of(&w);
    w.cells.n_perturbations--;
    refused(&options, SOW_E_ARG, "not indexed");
    w.cells.n_perturbations++;
    drop(&w);
}

Test(replay_cells, refuses_requests_that_make_no_sense)
{
    made w = usual();
    const sow_oracle_options options = options_of(&w);
    sow_oracle *oracle = open_replay(&options);
    const sow_request twice[] = {{0, 0, 5, 0}, {1, 0, 5, 0}, {0, 0, 5, 5}}, before = {0, 0, 5, -1}, beyond = {4, 0, 5, 0};
    sow_measurements m;
    sow_error err = {0};
    cr_assert_eq(sow_oracle_measure(&m, oracle, twice, 3, 0, &err), SOW_E_ARG);
    cr_assert_not_null(strstr(err.message, "A is asked for twice"), "%s", err.message);
    cr_assert_eq(sow_oracle_measure(&m, oracle, &before, 1, 0, &err), SOW_E_ARG);
    cr_assert_eq(sow_oracle_measure(&m, oracle, &beyond, 1, 0, &err), SOW_E_ARG);
    cr_assert_eq(sow_oracle_measure(&m, oracle, twice, 1, N_ROUNDS, &err), SOW_E_ARG);
    cr_assert_not_null(strstr(err.message, "round 4 is beyond the 4"), "%s", err.message);
    cr_assert(m.n == 0 && m.item == NULL && m.control == NULL);
    sow_oracle_destroy(oracle);
    drop(&w);
}

Test(replay_cells, survives_failed_allocations)
{
    made w = usual();
    const sow_oracle_options options = options_of(&w);
    const sow_oracle_class *row = NULL;
    const sow_request requests[] = {{0, 0, 10, 0}, {1, 0, 10, 0}};
    sow_status st = SOW_E_NOMEM;
    cr_assert_eq(sow_oracle_find(&row, "replay", NULL), SOW_OK);
    for (sow_index fail = 0; st == SOW_E_NOMEM; fail++) {
        cr_assert_lt(fail, 100);
        sow_oracle *oracle = NULL;
        sow_measurements m = {0};
        sow_memory_fail_after(fail);
        st = row->create(&oracle, &options, NULL);
        if (st == SOW_OK) st = sow_oracle_measure(&m, oracle, requests, 2, 0, NULL);
        sow_memory_fail_after(-1);
        if (fail < 12) cr_assert_eq(st, SOW_E_NOMEM, "at least a dozen allocations are tried");
        sow_measurements_clear(&m);
        sow_oracle_destroy(oracle);
    }
    cr_assert_eq(st, SOW_OK);
    drop(&w);
}
