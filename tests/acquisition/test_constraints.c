#include "acquisition/constraints.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/rng.h"

enum { N = 12 };
static const sow_index everyone[N] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};

static sow_constraints *rules(sow_index batch, const sow_index *include, sow_index n_include, const sow_quota *quotas,
                              sow_index n_quotas)
{
    sow_constraints *c = NULL;
    sow_error err = {0};
    cr_assert_eq(sow_constraints_create(&c, everyone, N, batch, include, n_include, quotas, n_quotas, &err), SOW_OK, "%s",
                 err.message);
    return c;
}

static void check_refused(sow_index batch, const sow_index *include, sow_index n_include, const sow_quota *quotas,
                          sow_index n_quotas, sow_status expected, const char *words)
{
    sow_constraints *c = NULL;
    sow_error err = {0};
    cr_assert_eq(sow_constraints_create(&c, everyone, N, batch, include, n_include, quotas, n_quotas, &err), expected, "%s",
                 err.message);
    cr_assert(strstr(err.message, words), "'%s' lacks '%s'", err.message, words);
    cr_assert_null(c);
}

/* Takes feasible candidates in the given order of preference; picked [N] counts. Returns how many. */
static sow_index play(sow_constraints *c, const sow_index *order, int *picked)
{
    sow_index n = 0;
    memset(picked, 0, N * sizeof *picked);
    for (int again = 1; again;) {
        again = 0;
        for (int k = 0; k < N && !again; k++)
            if (sow_constraints_feasible(c, order[k])) {
                sow_constraints_take(c, order[k]);
                picked[order[k]]++;
                n++;
                again = 1;
            }
    }
    return n;
}

static sow_index count_of(const sow_quota *q, const int *picked)
{
    sow_index n = 0;
    for (sow_index m = 0; m < q->n_members; m++)
        n += picked[q->members[m]];
    return n;
}

Test(constraints, without_rules_everything_is_feasible_once)
{
    sow_constraints *c = rules(N, NULL, 0, NULL, 0);
    int picked[N];
    cr_assert_eq(play(c, everyone, picked), N);
    for (int i = 0; i < N; i++)
        cr_assert_eq(picked[i], 1);
    sow_constraints_destroy(c);
}

Test(constraints, keep_slots_for_what_must_be_included)
{
    const sow_index include[] = {10, 11};
    sow_constraints *c = rules(3, include, 2, NULL, 0);
    sow_constraints_take(c, 0);
    cr_assert_not(sow_constraints_feasible(c, 1), "the last two slots are reserved");
    cr_assert(sow_constraints_feasible(c, 11));
    sow_constraints_take(c, 11);
    sow_constraints_take(c, 10);
    cr_assert_not(sow_constraints_feasible(c, 1), "the batch is full");
    sow_constraints_destroy(c);
}

Test(constraints, at_most_closes_a_set_when_it_is_full)
{
    const sow_index members[] = {0, 1, 2, 3};
    const sow_quota q = {.label = "q", .n_members = 4, .members = members, .at_most = 1};
    sow_constraints *c = rules(5, NULL, 0, &q, 1);
    int picked[N];
    cr_assert_eq(play(c, everyone, picked), 5);
    cr_assert_eq(count_of(&q, picked), 1);
    cr_assert(picked[0] && picked[4] && picked[5]);
    sow_constraints_destroy(c);
}

Test(constraints, at_least_keeps_slots_for_its_members)
{
    const sow_index members[] = {8, 9, 10};
    const sow_quota q = {.label = "q", .n_members = 3, .members = members, .at_most = -1, .at_least = 2};
    sow_constraints *c = rules(4, NULL, 0, &q, 1);
    int picked[N];
    cr_assert_eq(play(c, everyone, picked), 4);
    cr_assert(picked[0] && picked[1] && picked[8] && picked[9]);
    sow_constraints_destroy(c);
}

Test(constraints, count_what_earlier_rounds_picked_for_the_whole_campaign)
{
    const sow_index members[] = {0, 1, 2, 3};
    sow_quota q = {.label = "q", .n_members = 4, .members = members, .at_most = 3, .whole_campaign = 1, .already = 2};
    int picked[N];
    sow_constraints *c = rules(5, NULL, 0, &q, 1);
    play(c, everyone, picked);
    cr_assert_eq(count_of(&q, picked), 1);
    sow_constraints_destroy(c);

    const sow_index last_first[N] = {11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0};
    q = (sow_quota){.label = "q",
                    .n_members = 4,
                    .members = members,
                    .at_most = -1,
                    .at_least = 4,
                    .whole_campaign = 1,
                    .already = 1,
                    .later = 2};
    c = rules(5, NULL, 0, &q, 1);
    play(c, last_first, picked);
    cr_assert_eq(count_of(&q, picked), 1, "later rounds can serve two of the three missing");
    sow_constraints_destroy(c);
}

Test(constraints, name_the_rule_that_cannot_be_met)
{
    const sow_index few[] = {2, 5, 40}, wide[] = {0, 1, 2, 3, 4, 5}, include[] = {0, 1, 2}, outside[] = {12};
    sow_quota q = {.label = "at least 3 of sets 'A'", .n_members = 3, .members = few, .at_most = -1, .at_least = 3};
    check_refused(5, NULL, 0, &q, 1, SOW_E_CONFIG, "quota 'at least 3 of sets 'A'': 3 are needed and only 2 candidates are left");
    q = (sow_quota){.label = "q", .n_members = 6, .members = wide, .at_most = 2, .at_least = 3};
    check_refused(5, NULL, 0, &q, 1, SOW_E_CONFIG, "at_least 3 is more than at_most 2");
    q = (sow_quota){.label = "q", .n_members = 6, .members = wide, .at_most = -1, .at_least = 6};
    check_refused(5, NULL, 0, &q, 1, SOW_E_CONFIG, "6 are needed and the batch has 5 slots");
    q = (sow_quota){.label = "q", .n_members = 6, .members = wide, .at_most = 2};
    check_refused(5, include, 3, &q, 1, SOW_E_CONFIG, "constraints.include names 3 of its members and 2 may be picked");
    check_refused(2, include, 3, NULL, 0, SOW_E_CONFIG, "constraints.include: 3 perturbations");
    check_refused(2, outside, 1, NULL, 0, SOW_E_ARG, "included candidate 12");
    check_refused(13, NULL, 0, NULL, 0, SOW_E_CONFIG, "a batch of 13 is larger than the 12 candidates left");
    q = (sow_quota){.label = "q", .n_members = 6, .members = wide, .at_most = -1, .at_least = -1};
    check_refused(2, NULL, 0, &q, 1, SOW_E_ARG, "negative");
}

Test(constraints, name_a_quota_that_fails_only_together_with_others)
{
    const sow_index a[] = {0, 1, 2, 3}, b[] = {4, 5, 6, 7};
    const sow_quota q[] = {{.label = "A", .n_members = 4, .members = a, .at_most = -1, .at_least = 3},
                           {.label = "B", .n_members = 4, .members = b, .at_most = -1, .at_least = 3}};
    check_refused(5, NULL, 0, q, 2, SOW_E_CONFIG, "quota 'A' cannot be met together with the other rules in a batch of 5");
    const sow_index all[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    const sow_quota narrow = {.label = "C", .n_members = 12, .members = all, .at_most = 2};
    check_refused(5, NULL, 0, &narrow, 1, SOW_E_CONFIG, "quota 'C'");
}

Test(constraints, let_one_candidate_serve_two_overlapping_quotas)
{
    const sow_index a[] = {0, 1, 2}, b[] = {2, 3, 4};
    const sow_quota q[] = {{.label = "A", .n_members = 3, .members = a, .at_most = 1, .at_least = 1},
                           {.label = "B", .n_members = 3, .members = b, .at_most = 1, .at_least = 1}};
    sow_constraints *c = rules(1, NULL, 0, q, 2);
    for (int i = 0; i < N; i++)
        cr_assert_eq(sow_constraints_feasible(c, i), i == 2, "candidate %d", i);
    sow_constraints_destroy(c);
}

/* ---- against exhaustive search ---- */

static int bits(unsigned s)
{
    int n = 0;
    for (; s; s &= s - 1)
        n++;
    return n;
}

/* Can the subset `picked` (bits) be extended to a whole batch? */
static int extendable(unsigned picked, sow_index batch, unsigned include, const unsigned *set, const sow_quota *q, int n_q)
{
    for (unsigned s = 0; s < 1u << N; s++) {
        if ((s & picked) != picked || (s & include) != include || bits(s) != batch) continue;
        int fine = 1;
        for (int k = 0; k < n_q; k++) {
            const int count = bits(s & set[k]);
            fine &= count >= q[k].at_least && (q[k].at_most < 0 || count <= q[k].at_most);
        }
        if (fine) return 1;
    }
    return 0;
}

Test(constraints, agree_with_exhaustive_search_on_random_overlapping_quotas)
{
    sow_rng rng = sow_rng_make(11, SOW_RNG_TEST, 0, 0);
    int impossible = 0, refused = 0;
    for (int trial = 0; trial < 120; trial++) {
        sow_index member[3][N], include[2];
        unsigned set[3] = {0, 0, 0}, wanted = 0, picked = 0;
        sow_quota q[3];
        const sow_index batch = 2 + sow_rng_below(&rng, 5), n_include = sow_rng_below(&rng, 3);
        for (int k = 0; k < 3; k++) {
            sow_index size = 0;
            for (int i = 0; i < N; i++)
                if (sow_rng_uniform(&rng) < 0.4) {
                    set[k] |= 1u << i;
                    member[k][size++] = i;
                }
            q[k] = (sow_quota){.label = "q",
                               .n_members = size,
                               .members = member[k],
                               .at_most = sow_rng_below(&rng, 5) - 1,
                               .at_least = sow_rng_below(&rng, 3)};
        }
        for (int i = 0; i < n_include; i++) {
            include[i] = 3 + 5 * i;
            wanted |= 1u << include[i];
        }
        sow_constraints *c = NULL;
        const sow_status st = sow_constraints_create(&c, everyone, N, batch, include, n_include, q, 3, NULL);
        cr_assert_eq(st == SOW_OK, extendable(0, batch, wanted, set, q, 3), "trial %d", trial);
        impossible += st != SOW_OK;
        for (sow_index k = 0; st == SOW_OK && k < batch; k++) {
            sow_index choice = -1;
            for (int i = 0; i < N; i++) {
                const int expected = !(picked & 1u << i) && extendable(picked | 1u << i, batch, wanted, set, q, 3);
                cr_assert_eq(sow_constraints_feasible(c, i), expected, "trial %d pick %d candidate %d", trial, (int)k, i);
                refused += !expected && !(picked & 1u << i);
                if (expected && (choice < 0 || sow_rng_uniform(&rng) < 0.3)) choice = i;
            }
            cr_assert_geq(choice, 0, "the batch got stuck");
            sow_constraints_take(c, choice);
            picked |= 1u << choice;
        }
        sow_constraints_destroy(c);
    }
    cr_assert(impossible > 5 && impossible < 115 && refused > 50, "%d impossible, %d refused", impossible, refused);
}

Test(constraints, survive_every_failed_allocation)
{
    const sow_index members[] = {0, 1, 2}, include[] = {4};
    const sow_quota q = {.label = "q", .n_members = 3, .members = members, .at_most = 2, .at_least = 1};
    sow_status st = SOW_E_NOMEM;
    for (sow_index fail = 0; st == SOW_E_NOMEM; fail++) {
        sow_constraints *c = NULL;
        cr_assert_lt(fail, 60);
        sow_memory_fail_after(fail);
        st = sow_constraints_create(&c, everyone, N, 4, include, 1, &q, 1, NULL);
        sow_memory_fail_after(-1);
        if (fail == 0) cr_assert_eq(st, SOW_E_NOMEM);
        sow_constraints_destroy(c);
    }
    cr_assert_eq(st, SOW_OK);
}
