#include "core/names.h"
#include "core/memory.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

Test(names, keeps_the_order_of_adding)
{
    sow_names *names = NULL;
    sow_index at = -1;
    cr_assert_eq(sow_names_create(&names, NULL), SOW_OK);
    cr_assert_eq(sow_names_add(names, "STAT1", &at, NULL), SOW_OK);
    cr_assert_eq(at, 0);
    cr_assert_eq(sow_names_add(names, "IRF1", &at, NULL), SOW_OK);
    cr_assert_eq(at, 1);
    cr_assert_eq(sow_names_add(names, "STAT1", &at, NULL), SOW_OK);
    cr_assert_eq(at, 0);
    cr_assert_eq(sow_names_count(names), 2);
    cr_assert_str_eq(sow_names_get(names, 1), "IRF1");
    cr_assert_null(sow_names_get(names, 2));
    cr_assert_null(sow_names_get(names, -1));
    cr_assert_eq(sow_names_find(names, "stat1"), -1);
    cr_assert_eq(sow_names_find(names, ""), -1);
    sow_names_destroy(names);
}

Test(names, finds_each_of_many)
{
    enum { MANY = 20000 };
    sow_names *names = NULL;
    char name[32];
    cr_assert_eq(sow_names_create(&names, NULL), SOW_OK);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "ENSG%011d", i);
        cr_assert_eq(sow_names_add(names, name, NULL, NULL), SOW_OK);
    }
    cr_assert_eq(sow_names_count(names), MANY);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "ENSG%011d", i);
        cr_assert_eq(sow_names_find(names, name), i);
    }
    cr_assert_eq(sow_names_find(names, "ENSG00000020000"), -1);
    sow_names_destroy(names);
}

Test(names, is_empty_when_null)
{
    cr_assert_eq(sow_names_count(NULL), 0);
    cr_assert_eq(sow_names_find(NULL, "x"), -1);
    cr_assert_null(sow_names_get(NULL, 0));
    cr_assert_null(sow_names_nearest(NULL, "x"));
    sow_names_destroy(NULL);
}

Test(names, a_failing_allocation_adds_nothing)
{
    sow_names *names = NULL;
    cr_assert_eq(sow_names_create(&names, NULL), SOW_OK);
    for (int n = 0;; n++) {
        sow_error err = {0};
        sow_memory_fail_after(n);
        sow_status st = sow_names_add(names, "STAT1", NULL, &err);
        sow_memory_fail_after(-1);
        if (st == SOW_OK) break;
        cr_assert_eq(st, SOW_E_NOMEM);
        cr_assert_eq(sow_names_count(names), 0);
        cr_assert_eq(sow_names_find(names, "STAT1"), -1);
    }
    cr_assert_eq(sow_names_find(names, "STAT1"), 0);
    sow_names_destroy(names);
}

static void nearest_is(const char *asked, const char *expected)
{
    static const char *const strategies[] = {"random", "kmeans", "core-set", "ucb", "ei", "thompson", "reference"};
    const char *got = sow_nearest_of(strategies, 7, asked);
    if (expected)
        cr_assert(got && strcmp(got, expected) == 0, "nearest to '%s' is '%s'", asked, got ? got : "none");
    else
        cr_assert_null(got, "nearest to '%s' is '%s'", asked, got ? got : "none");
}

Test(names, suggests_the_nearest_spelling)
{
    nearest_is("kmean", "kmeans");    /* missing */
    nearest_is("kmeanss", "kmeans");  /* extra */
    nearest_is("kneans", "kmeans");   /* wrong */
    nearest_is("kmaens", "kmeans");   /* two changed places, one step */
    nearest_is("ubc", "ucb");         /* the same with only one step allowed */
    nearest_is("KMEANS", "kmeans");   /* case is no difference */
    nearest_is("coreset", "core-set");
    nearest_is("e", "ei");
}

Test(names, suggests_nothing_when_nothing_is_near)
{
    nearest_is("banana", NULL);
    nearest_is("u", NULL);
}

Test(names, prefers_the_first_of_equals_and_ignores_very_long_names)
{
    static const char *const names[] = {"abcd", "abce"};
    cr_assert_str_eq(sow_nearest_of(names, 2, "abcf"), "abcd");
    char longest[500];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    cr_assert_null(sow_nearest_of(names, 2, longest));
    cr_assert_null(sow_nearest_of(names, 2, ""));
    cr_assert_null(sow_nearest_of(names, 2, NULL));
    cr_assert_null(sow_nearest_of(names, 0, "abcd"));
}

Test(names, suggests_from_a_set)
{
    sow_names *names = NULL;
    cr_assert_eq(sow_names_create(&names, NULL), SOW_OK);
    cr_assert_eq(sow_names_add(names, "nperts", NULL, NULL), SOW_OK);
    cr_assert_eq(sow_names_add(names, "gene", NULL, NULL), SOW_OK);
    cr_assert_str_eq(sow_names_nearest(names, "genes"), "gene");
    sow_names_destroy(names);
}

static void differ_by(char *then, char *now, const char *words)
{
    char *a[32], *b[32], *out = NULL, *text[] = {strdup(then), strdup(now)};
    sow_index n = 0, m = 0;
    for (char *p = strtok(text[0], " "); p; p = strtok(NULL, " ")) a[n++] = p;
    for (char *p = strtok(text[1], " "); p; p = strtok(NULL, " ")) b[m++] = p;
    cr_assert_eq(sow_names_difference(&out, "gene", a, n, b, m, NULL), SOW_OK);
    if (words) cr_assert_str_eq(out, words);
    else cr_assert_null(out, "%s", out);
    free(out);
    free(text[0]);
    free(text[1]);
}

Test(names, says_in_words_how_two_lists_differ)
{
    differ_by("a b c", "a b c", NULL);
    differ_by("", "", NULL);
    differ_by("a b c", "a c b", "the same genes in another order");
    differ_by("a b c", "a c", "1 gene that is not here (b)");
    differ_by("a", "a b c", "without 2 genes that are here (b, c)");
    differ_by("a b c d e f g h", "h x", "7 genes that are not here (a, b, c, d, e, ...), and without 1 that is (x)");
    differ_by("a b c d e", "a", "4 genes that are not here (b, c, d, e)");
    differ_by("a b c d e f", "a", "5 genes that are not here (b, c, d, e, f)");
}

Test(names, says_when_memory_is_out_for_the_words)
{
    char *then[] = {"a", "b"}, *now[] = {"b", "c"}, *out = NULL;
    int failed = 0;
    for (sow_index n = 0;; n++, failed++) {
        sow_memory_fail_after(n);
        const sow_status st = sow_names_difference(&out, "gene", then, 2, now, 2, NULL);
        sow_memory_fail_after(-1);
        if (st == SOW_OK) break;
        cr_assert(st == SOW_E_NOMEM && !out);
    }
    cr_assert_gt(failed, 5);
    cr_assert_str_eq(out, "1 gene that is not here (a), and without 1 that is (c)");
    free(out);
}
