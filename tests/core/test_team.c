/* Messages as bytes, and a sum shared among helpers of this very process. */
#include "core/team.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "tests/core/made_team.h"

static sow_error err[1];
#define OK(call) cr_assert_eq((call), SOW_OK, "%s", err->message)
#define SAYS(part) cr_assert(strstr(err->message, part), "message: %s", err->message)

/* ---- bytes ---- */

static void fill(sow_archive *a)
{
    const float f[] = {1.5f, -0.0f, NAN, 3e-42f, 5, 6};
    const double d[] = {0.1, -INFINITY};
    const int64_t i[] = {INT64_MIN, 7, 0};
    const char *const t[] = {"one", "", "three"};
    OK(sow_archive_put(a, "part/f", SOW_ARCHIVE_F32, f, 2, 3, err));
    OK(sow_archive_put(a, "d", SOW_ARCHIVE_F64, d, 2, 1, err));
    OK(sow_archive_put(a, "i", SOW_ARCHIVE_I64, i, 1, 3, err));
    OK(sow_archive_put(a, "t", SOW_ARCHIVE_TEXT, t, 3, 1, err));
    OK(sow_archive_put(a, "none", SOW_ARCHIVE_F64, NULL, 0, 4, err));
}

Test(team, an_archive_comes_back_from_bytes_bit_for_bit)
{
    sow_archive a = {0}, b = {0};
    unsigned char *bytes = NULL;
    size_t n = 0;
    fill(&a);
    OK(sow_archive_to_bytes(&bytes, &n, &a, err));
    OK(sow_archive_from_bytes(&b, bytes, n, err));
    cr_assert_eq(a.n, b.n);
    for (sow_index i = 0; i < a.n; i++) {
        const sow_archive_item *x = &a.item[i], *y = &b.item[i];
        cr_assert_str_eq(x->name, y->name);
        cr_assert(x->kind == y->kind && x->rows == y->rows && x->cols == y->cols);
        for (sow_index k = 0; x->kind == SOW_ARCHIVE_TEXT && k < x->rows; k++) cr_assert_str_eq(((char **)x->data)[k], ((char **)y->data)[k]);
        if (x->kind != SOW_ARCHIVE_TEXT) cr_assert_eq(memcmp(x->data, y->data, (size_t)(x->rows * x->cols) * (x->kind == SOW_ARCHIVE_F32 ? 4 : 8)), 0);
    }
    free(bytes);
    sow_archive_clear(&a);
    sow_archive_clear(&b);
}

Test(team, bytes_that_are_cut_or_longer_are_refused_wherever_they_end)
{
    sow_archive a = {0}, b = {0};
    unsigned char *bytes = NULL;
    size_t n = 0;
    fill(&a);
    OK(sow_archive_to_bytes(&bytes, &n, &a, err));
    for (size_t k = 0; k < n; k++) {
        unsigned char *cut = malloc(k ? k : 1); /* of its own, so that reading past the end is found */
        memcpy(cut, bytes, k);
        cr_assert_eq(sow_archive_from_bytes(&b, cut, k, err), SOW_E_DATA, "%zu of %zu bytes", k, n);
        cr_assert_eq(b.n, 0);
        free(cut);
    }
    unsigned char *more = calloc(n + 1, 1);
    memcpy(more, bytes, n);
    cr_assert_eq(sow_archive_from_bytes(&b, more, n + 1, err), SOW_E_DATA);
    SAYS("not whole");
    free(more);
    free(bytes);
    sow_archive_clear(&a);
}

Test(team, a_failing_allocation_on_the_way_leaves_nothing)
{
    sow_archive a = {0}, b = {0};
    unsigned char *bytes = NULL;
    size_t n = 0;
    int failures = 0;
    fill(&a);
    for (sow_index k = 0;; k++, failures++) {
        sow_memory_fail_after(k);
        sow_status st = sow_archive_to_bytes(&bytes, &n, &a, err);
        if (st == SOW_OK) st = sow_archive_from_bytes(&b, bytes, n, err);
        sow_memory_fail_after(-1);
        free(bytes);
        bytes = NULL;
        if (st == SOW_OK) break;
        cr_assert_eq(st, SOW_E_NOMEM);
        cr_assert_eq(b.n, 0);
    }
    cr_assert_gt(failures, 10);
    sow_archive_clear(&a);
    sow_archive_clear(&b);
}

/* ---- a sum ---- */

/* Shard i is x / (i + 1); the order they are added in shows in the last bits. */
typedef struct {
    float x, sum;
    int bad, here, added, order; /* bad: a shard that fails, -1 = none */
    sow_index last;
} sum;

static sow_status shard(float *out, float x, sow_index i, sow_index bad, sow_error *e)
{
    if (i == bad) return SOW_ERROR(e, SOW_E_NONFINITE, "shard %lld is bad", (long long)i);
    *out = x / (float)(i + 1);
    return SOW_OK;
}

static sow_status work_run(sow_archive *answer, void **room, const sow_archive *order, const sow_env *env, sow_error *e)
{
    sow_status st = SOW_OK;
    int64_t i = 0, bad = 0;
    const void *x = NULL;
    float y = 0;
    (void)env;
    if (!*room) *room = calloc(1, 1);
    SOW_TRY(sow_archive_get_integer(&i, order, "i", e));
    SOW_TRY(sow_archive_get_integer(&bad, order, "bad", e));
    SOW_TRY(sow_archive_get(&x, order, "x", SOW_ARCHIVE_F32, 1, 1, e));
    SOW_TRY(shard(&y, *(const float *)x, i, bad, e));
    SOW_TRY(sow_archive_put(answer, "y", SOW_ARCHIVE_F32, &y, 1, 1, e));
done:
    return st;
}
static const sow_work harmonic = {"harmonic", work_run, free};

static sow_status order(void *user, sow_index i, sow_archive *a, sow_error *e)
{
    sow_status st = SOW_OK;
    sum *s = user;
    s->order++;
    SOW_TRY(sow_archive_put_integer(a, "i", i, e));
    SOW_TRY(sow_archive_put_integer(a, "bad", s->bad, e));
    SOW_TRY(sow_archive_put(a, "x", SOW_ARCHIVE_F32, &s->x, 1, 1, e));
done:
    return st;
}

static void add_to(sum *s, sow_index i, float y)
{
    cr_assert_eq(i, s->last + 1, "shards are added in order");
    s->last = i;
    s->sum += y;
}

static sow_status here(void *user, sow_index i, sow_error *e)
{
    sum *s = user;
    float y = 0;
    const sow_status st = shard(&y, s->x, i, s->bad, e);
    s->here++;
    if (st == SOW_OK) add_to(s, i, y);
    return st;
}

static sow_status add(void *user, sow_index i, const sow_archive *answer, sow_error *e)
{
    sum *s = user;
    const void *y = NULL;
    const sow_status st = sow_archive_get(&y, answer, "y", SOW_ARCHIVE_F32, 1, 1, e);
    s->added++;
    if (st == SOW_OK) add_to(s, i, *(const float *)y);
    return st;
}

static sow_status total(sum *s, const sow_env *env, sow_index n, int bad)
{
    *s = (sum){.x = 0.7f, .bad = bad, .last = -1};
    const sow_shards shards = {"harmonic", n, order, here, add, s, "adding", 0.5};
    return sow_team_share(env, &shards, err);
}

Test(team, a_sum_has_the_same_bits_for_any_number_of_helpers)
{
    sum alone, shared;
    OK(total(&alone, NULL, 1000, -1));
    cr_assert_eq(alone.here, 1000);
    for (int helpers = 0; helpers < 7; helpers++) {
        made_team t;
        made_team_init(&t, helpers, &harmonic);
        const sow_env env = {.team = &t.base};
        cr_assert_eq(sow_team_size(&env), helpers + 1);
        OK(total(&shared, &env, 1000, -1));
        cr_assert_eq(memcmp(&shared.sum, &alone.sum, sizeof shared.sum), 0, "%d helpers", helpers);
        cr_assert_eq(shared.here, (1000 + helpers) / (helpers + 1), "%d helpers", helpers);
        cr_assert_eq(shared.here + shared.added, 1000);
        cr_assert_eq(t.base.given, shared.added);
        made_team_clear(&t);
    }
}

Test(team, the_first_shard_that_fails_decides_and_the_team_goes_on)
{
    made_team t;
    sum alone, shared;
    char text[sizeof err->message];
    made_team_init(&t, 2, &harmonic);
    const sow_env env = {.team = &t.base};
    for (int bad = 0; bad < 7; bad++) {
        cr_assert_eq(total(&alone, NULL, 7, bad), SOW_E_NONFINITE);
        memcpy(text, err->message, sizeof text);
        cr_assert_eq(total(&shared, &env, 7, bad), SOW_E_NONFINITE);
        cr_assert_str_eq(err->message, text);
        cr_assert_eq(memcmp(&shared.sum, &alone.sum, sizeof shared.sum), 0, "what was added before shard %d", bad);
        OK(total(&alone, NULL, 7, -1));
        OK(total(&shared, &env, 7, -1));
        cr_assert_eq(memcmp(&shared.sum, &alone.sum, sizeof shared.sum), 0, "the sum after a failed one");
    }
    made_team_clear(&t);
}

static sow_status sum_elsewhere(void *user, sow_index i, sow_error *e)
{
    sum s;
    (void)i;
    (void)e;
    const sow_status st = total(&s, user, 9, -1);
    if (pthread_equal(((sow_env *)user)->team->owner, pthread_self())) return st;
    return s.here == 9 ? st : SOW_E_STATE; /* without helpers */
}

Test(team, another_thread_does_its_sums_alone)
{
    made_team t;
    sow_threads *threads = NULL;
    made_team_init(&t, 2, &harmonic);
    OK(sow_threads_create(&threads, 3, err));
    sow_env env = {.team = &t.base};
    for (int k = 0; k < 50; k++) OK(sow_parallel_for(threads, 8, sum_elsewhere, &env, err));
    sow_threads_destroy(threads);
    made_team_clear(&t);
}
