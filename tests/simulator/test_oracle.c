/* The conformance suite runs over every row of the table; the rest is each oracle's own. */
#include "simulator/oracle.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/stats.h"

static sow_screen *world_screen(uint64_t seed)
{
    sow_world_options o = SOW_WORLD_OPTIONS_INIT;
    o.seed = seed;
    sow_screen *screen = NULL;
    sow_prior prior;
    sow_error err = {0};
    cr_assert_eq(sow_world_create(&screen, &prior, &o, &err), SOW_OK, "%s", err.message);
    sow_prior_clear(&prior);
    return screen;
}

/* Two features, three perturbations, two contexts; B is unmeasured in the second, C has gaps. */
static sow_screen *small_screen(void)
{
    sow_screen *s = NULL;
    cr_assert_eq(sow_screen_create(&s, SOW_READOUT_PROFILE, NULL), SOW_OK);
    const char *names[] = {"A", "B", "C"};
    for (int i = 0; i < 3; i++)
        cr_assert_eq(sow_names_add(s->perturbations, names[i], NULL, NULL), SOW_OK);
    cr_assert_eq(sow_names_add(s->contexts, "one", NULL, NULL), SOW_OK);
    cr_assert_eq(sow_names_add(s->contexts, "two", NULL, NULL), SOW_OK);
    cr_assert_eq(sow_names_add(s->features, "f", NULL, NULL), SOW_OK);
    cr_assert_eq(sow_names_add(s->features, "g", NULL, NULL), SOW_OK);
    cr_assert_eq(sow_names_add(s->covariates, "log(cells)", NULL, NULL), SOW_OK);
    const double a1[] = {1, 2}, a2[] = {3, 4}, b1[] = {5, 6}, c1[] = {7, NAN}, c2[] = {NAN, NAN}, covariate = log(50);
    cr_assert_eq(sow_screen_add_row(s, 0, 0, 50, 50, a1, &covariate, 0.01, NULL), SOW_OK);
    cr_assert_eq(sow_screen_add_row(s, 0, 1, 50, 50, a2, &covariate, 0.02, NULL), SOW_OK);
    cr_assert_eq(sow_screen_add_row(s, 1, 0, 50, 50, b1, &covariate, NAN, NULL), SOW_OK);
    cr_assert_eq(sow_screen_add_row(s, 2, 0, 50, 50, c1, &covariate, NAN, NULL), SOW_OK);
    cr_assert_eq(sow_screen_add_row(s, 2, 1, 50, 50, c2, &covariate, NAN, NULL), SOW_OK);
    return s;
}

static sow_oracle *open_oracle(const char *name, const sow_screen *screen, double noise, double failure_rate)
{
    const sow_oracle_class *row = NULL;
    sow_oracle *oracle = NULL;
    const sow_oracle_options options = {.seed = 5, .screen = screen, .noise_per_cell = noise, .failure_rate = failure_rate};
    sow_error err = {0};
    cr_assert_eq(sow_oracle_find(&row, name, &err), SOW_OK, "%s", err.message);
    cr_assert_eq(row->create(&oracle, &options, &err), SOW_OK, "%s", err.message);
    return oracle;
}

static int same_answer(const sow_measurement *a, const sow_measurement *b, sow_index n_features)
{
    return a->outcome == b->outcome && memcmp(&a->cells, &b->cells, sizeof a->cells) == 0 && strcmp(a->reason, b->reason) == 0 &&
           memcmp(a->values, b->values, (size_t)n_features * sizeof *a->values) == 0;
}

/* ---- conformance ---- */

static void check_answers(const sow_oracle_class *row, const sow_measurements *m, const sow_request *requests, sow_index n)
{
    cr_assert_eq(m->n, n);
    for (sow_index i = 0; i < n; i++) {
        const sow_measurement *item = &m->item[i];
        cr_assert(item->perturbation == requests[i].perturbation && item->context == requests[i].context, "%s: order", row->name);
        cr_assert(item->outcome >= SOW_MEASURED && item->outcome <= SOW_PENDING);
        if (row->needs_people) cr_assert_eq(item->outcome, SOW_PENDING);
        for (sow_index j = 0; j < m->n_features; j++)
            cr_assert_eq(isfinite(item->values[j]) != 0, item->outcome == SOW_MEASURED || item->outcome == SOW_PARTIAL);
        const int explained = item->outcome == SOW_PARTIAL || item->outcome == SOW_FAILED;
        cr_assert_eq(item->reason[0] != '\0', explained, "%s: a reason exactly where something is wrong", row->name);
    }
}

Test(oracle, conformance_every_oracle_answers_each_request_in_order_and_repeatably)
{
    sow_index n_rows = 0;
    const sow_oracle_class *const *rows = sow_oracle_classes(&n_rows);
    sow_screen *screen = world_screen(1);
    const sow_request requests[] = {{9, 0, 100, 0}, {3, 0, 100, 0}, {200, 0, 0, 0}, {0, 0, 5, 0}, {399, 0, 40, 0}},
                      reversed[] = {{399, 0, 40, 0}, {3, 0, 100, 0}};
    cr_assert_eq(n_rows, 3);
    for (sow_index r = 0; r < n_rows; r++) {
        sow_oracle *oracle = open_oracle(rows[r]->name, screen, 4.0, 0.3), *twin = open_oracle(rows[r]->name, screen, 4.0, 0.3);
        sow_measurements a, b, none;
        cr_assert(rows[r]->summary[0] != '\0');
        cr_assert_eq(sow_oracle_measure(&a, oracle, requests, 5, 2, NULL), SOW_OK);
        check_answers(rows[r], &a, requests, 5);
        cr_assert_eq(sow_oracle_measure(&b, twin, reversed, 2, 2, NULL), SOW_OK);
        cr_assert(same_answer(&b.item[0], &a.item[4], a.n_features), "%s: an answer does not depend on the other requests",
                  rows[r]->name);
        cr_assert(same_answer(&b.item[1], &a.item[1], a.n_features));
        cr_assert_eq(sow_oracle_measure(&none, oracle, NULL, 0, 0, NULL), SOW_OK);
        cr_assert_eq(none.n, 0);
        sow_measurements_clear(&a);
        sow_measurements_clear(&b);
        sow_measurements_clear(&none);
        sow_oracle_destroy(oracle);
        sow_oracle_destroy(twin);
    }
    sow_screen_destroy(screen);
}

Test(oracle, conformance_every_oracle_refuses_requests_beyond_its_screen)
{
    sow_index n_rows = 0;
    const sow_oracle_class *const *rows = sow_oracle_classes(&n_rows);
    sow_screen *screen = world_screen(1);
    const sow_request beyond = {400, 0, 1, 0}, elsewhere = {0, 1, 1, 0}, negative = {-1, 0, 1, 0}, no_cells = {0, 0, -1, 0}, fine = {0, 0, 1, 0};
    for (sow_index r = 0; r < n_rows; r++) {
        sow_oracle *oracle = open_oracle(rows[r]->name, screen, 4.0, 0);
        sow_measurements m;
        cr_assert_eq(sow_oracle_measure(&m, oracle, &beyond, 1, 0, NULL), SOW_E_ARG);
        cr_assert_eq(sow_oracle_measure(&m, oracle, &elsewhere, 1, 0, NULL), SOW_E_ARG);
        cr_assert_eq(sow_oracle_measure(&m, oracle, &negative, 1, 0, NULL), SOW_E_ARG);
        cr_assert_eq(sow_oracle_measure(&m, oracle, &no_cells, 1, 0, NULL), SOW_E_ARG);
        cr_assert_eq(sow_oracle_measure(&m, oracle, &fine, 1, -1, NULL), SOW_E_ARG);
        cr_assert(m.n == 0 && m.item == NULL);
        sow_oracle_destroy(oracle);
    }
    sow_screen_destroy(screen);
}

Test(oracle, conformance_every_oracle_survives_failed_allocations)
{
    sow_index n_rows = 0;
    const sow_oracle_class *const *rows = sow_oracle_classes(&n_rows);
    sow_screen *screen = small_screen();
    const sow_request requests[] = {{0, 0, 10, 0}, {1, 1, 10, 0}};
    for (sow_index r = 0; r < n_rows; r++) {
        sow_status st = SOW_E_NOMEM;
        const sow_oracle_options options = {.seed = 5, .screen = screen, .noise_per_cell = 1, .failure_rate = 0};
        for (sow_index fail = 0; st == SOW_E_NOMEM; fail++) {
            cr_assert_lt(fail, 50);
            sow_oracle *oracle = NULL;
            sow_measurements m = {0};
            sow_memory_fail_after(fail);
            st = rows[r]->create(&oracle, &options, NULL);
            if (st == SOW_OK) st = sow_oracle_measure(&m, oracle, requests, 2, 0, NULL);
            sow_memory_fail_after(-1);
            if (fail == 0) cr_assert_eq(st, SOW_E_NOMEM);
            sow_measurements_clear(&m);
            sow_oracle_destroy(oracle);
        }
        cr_assert_eq(st, SOW_OK);
    }
    sow_screen_destroy(screen);
}

Test(oracle, names_the_nearest_oracle_of_a_misspelled_one)
{
    const sow_oracle_class *row = NULL;
    sow_error err = {0};
    cr_assert_eq(sow_oracle_find(&row, "replya", &err), SOW_E_CONFIG);
    cr_assert(strstr(err.message, "did you mean 'replay'"), "%s", err.message);
    cr_assert_null(row);
    cr_assert_eq(sow_oracle_find(&row, NULL, &err), SOW_E_CONFIG);
}

/* ---- replay ---- */

Test(oracle, replay_reads_the_finished_screen)
{
    sow_screen *s = small_screen();
    sow_oracle *oracle = open_oracle("replay", s, 0, 0);
    const sow_request requests[] = {{0, 1, 0, 0}, {1, 1, 0, 0}, {2, 0, 0, 0}, {2, 1, 0, 0}};
    sow_measurements m;
    cr_assert_eq(sow_oracle_measure(&m, oracle, requests, 4, 0, NULL), SOW_OK);
    cr_assert(m.item[0].outcome == SOW_MEASURED && m.item[0].values[0] == 3 && m.item[0].values[1] == 4);
    cr_assert(m.item[0].cells == 50 && m.item[0].hit == 0.02 && m.item[0].covariate[0] == log(50));
    cr_assert_eq(m.item[1].outcome, SOW_FAILED);
    cr_assert(strstr(m.item[1].reason, "did not measure it in two"), "%s", m.item[1].reason);
    cr_assert_eq(m.item[2].outcome, SOW_PARTIAL);
    cr_assert(strstr(m.item[2].reason, "1 of 2 values"));
    cr_assert_eq(m.item[3].outcome, SOW_FAILED);
    sow_measurements_clear(&m);
    sow_oracle_destroy(oracle);
    sow_screen_destroy(s);
}

/* ---- generative ---- */

Test(oracle, generative_noise_falls_with_the_square_root_of_the_cells)
{
    sow_screen *screen = world_screen(3);
    for (sow_index i = 0; i < 400; i++)
        screen->cells[i] = 100;
    sow_oracle *oracle = open_oracle("generative", screen, 4.0, 0);
    const sow_index planned[] = {25, 400};
    for (int k = 0; k < 2; k++) {
        sow_request requests[400];
        sow_measurements m;
        double z2 = 0, cells = 0;
        for (sow_index i = 0; i < 400; i++)
            requests[i] = (sow_request){i, 0, planned[k], 0};
        cr_assert_eq(sow_oracle_measure(&m, oracle, requests, 400, 1, NULL), SOW_OK);
        for (sow_index i = 0; i < 400; i++) {
            z2 += pow((m.item[i].values[0] - screen->values[i]) / (4.0 / sqrt(m.item[i].cells)), 2) / 400;
            cells += m.item[i].cells / 400;
            cr_assert_eq(m.item[i].weight, m.item[i].cells);
        }
        cr_assert(fabs(z2 - 1) < 0.25, "mean squared standard error %g", z2); /* sd sqrt(2/400) = 0.07 */
        cr_assert(fabs(cells / (double)planned[k] - 1) < 0.05);
        sow_measurements_clear(&m);
    }
    sow_oracle_destroy(oracle);
    sow_screen_destroy(screen);
}

Test(oracle, generative_rounds_have_their_own_noise)
{
    sow_screen *screen = world_screen(3);
    sow_oracle *oracle = open_oracle("generative", screen, 4.0, 0);
    const sow_request request = {7, 0, 100, 0};
    sow_measurements a, b;
    cr_assert_eq(sow_oracle_measure(&a, oracle, &request, 1, 0, NULL), SOW_OK);
    cr_assert_eq(sow_oracle_measure(&b, oracle, &request, 1, 1, NULL), SOW_OK);
    cr_assert_neq(a.item[0].values[0], b.item[0].values[0]);
    sow_measurements_clear(&a);
    sow_measurements_clear(&b);
    sow_oracle_destroy(oracle);
    sow_screen_destroy(screen);
}

Test(oracle, generative_fails_at_the_given_rate_and_says_so)
{
    sow_screen *screen = world_screen(3);
    sow_oracle *oracle = open_oracle("generative", screen, 4.0, 0.25);
    sow_request requests[400];
    sow_measurements m;
    int failed = 0;
    for (sow_index i = 0; i < 400; i++)
        requests[i] = (sow_request){i, 0, 100, 0};
    cr_assert_eq(sow_oracle_measure(&m, oracle, requests, 400, 0, NULL), SOW_OK);
    for (sow_index i = 0; i < 400; i++) {
        if (m.item[i].outcome != SOW_FAILED) continue;
        failed++;
        cr_assert(isnan(m.item[i].values[0]) && m.item[i].cells == 0 && m.item[i].reason[0]);
    }
    cr_assert(abs(failed - 100) < 35, "%d of 400 failed", failed); /* sd 8.7 */
    sow_measurements_clear(&m);
    sow_oracle_destroy(oracle);
    sow_screen_destroy(screen);
}

Test(oracle, generative_calls_a_result_from_few_cells_partial)
{
    sow_screen *screen = world_screen(3);
    for (sow_index i = 0; i < 400; i++)
        screen->cells[i] = 100;
    screen->cells[0] = 10;
    sow_oracle *oracle = open_oracle("generative", screen, 4.0, 0);
    const sow_request requests[] = {{0, 0, 200, 0}, {1, 0, 200, 0}};
    sow_measurements m;
    cr_assert_eq(sow_oracle_measure(&m, oracle, requests, 2, 0, NULL), SOW_OK);
    cr_assert_eq(m.item[0].outcome, SOW_PARTIAL);
    cr_assert(strstr(m.item[0].reason, "of 200 planned cells"));
    cr_assert_eq(m.item[1].outcome, SOW_MEASURED);
    sow_measurements_clear(&m);
    sow_oracle_destroy(oracle);
    sow_screen_destroy(screen);
}

Test(oracle, creation_refuses_what_makes_no_sense)
{
    const sow_oracle_class *generative = NULL, *replay = NULL;
    sow_oracle *oracle = NULL;
    sow_screen *screen = world_screen(3);
    cr_assert_eq(sow_oracle_find(&generative, "generative", NULL), SOW_OK);
    cr_assert_eq(sow_oracle_find(&replay, "replay", NULL), SOW_OK);
    sow_oracle_options o = {.seed = 1, .screen = NULL, .noise_per_cell = 1, .failure_rate = 0};
    cr_assert_eq(replay->create(&oracle, &o, NULL), SOW_E_ARG);
    cr_assert_eq(generative->create(&oracle, &o, NULL), SOW_E_ARG);
    o.screen = screen;
    o.noise_per_cell = NAN;
    cr_assert_eq(generative->create(&oracle, &o, NULL), SOW_E_ARG);
    o.noise_per_cell = 1;
    o.failure_rate = 1.5;
    cr_assert_eq(generative->create(&oracle, &o, NULL), SOW_E_ARG);
    cr_assert_null(oracle);
    sow_screen_destroy(screen);
}
