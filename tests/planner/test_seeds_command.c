/* `sower seeds` from inside: what the lists and the expected accuracies go by, and what they must not see. */
#include "planner/seeds.h"

#include "cells_fixture.h"
#include "contexts_fixture.h"
#include "core/memory.h"
#include "core/threads.h"

TestSuite(seeds_command, .init = scratch_create, .fini = scratch_remove);

static sow_error err;

static sow_status choose(const char *yaml, const sow_seeds_options *options, const char *dir, json_t **said, const sow_env *env)
{
    sow_config *config = read_config(yaml);
    sow_seeds_options o = *options;
    char *json = NULL;
    err = (sow_error){0};
    o.dir = scratch_path(dir);
    sow_status st = sow_choose_seeds(&json, config, &o, env, &err);
    if (said) *said = json ? json_loads(json, 0, NULL) : NULL;
    free(json);
    sow_config_destroy(config);
    return st;
}

static char *file_of(const char *dir, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return strdup(scratch_read(scratch_path(path)));
}

static void same_files(const char *a, const char *b)
{
    static const char *const files[] = {"seeds.csv", "seeds_accuracy.csv"};
    for (int i = 0; i < 2; i++) {
        char *x = file_of(a, files[i]), *y = file_of(b, files[i]);
        cr_assert_str_eq(x, y, "%s", files[i]);
        free(x);
        free(y);
    }
}

static const char *text_of(const json_t *said, const char *key)
{
    return json_string_value(json_object_get(said, key));
}

Test(seeds_command, looks_at_nothing_that_the_target_measured)
{
    const sow_seeds_options o = {.n = 4, .draws = 2};
    write_three("three.h5ad", P);
    MUST(choose(three_yaml, &o, "here", NULL, NULL));
    write_three("three.h5ad", 0); /* every perturbation of the target is other */
    MUST(choose(three_yaml, &o, "moved", NULL, NULL));
    same_files("here", "moved");
}

Test(seeds_command, plays_every_reference_with_every_strategy_that_can)
{
    const sow_seeds_options o = {.n = 4, .draws = 2};
    json_t *said = NULL;
    write_three("three.h5ad", P);
    MUST(choose(three_yaml, &o, "e", &said, NULL));
    char *csv = file_of("e", "seeds_accuracy.csv"), *list = file_of("e", "seeds.csv");
    cr_assert(strncmp(csv, "strategy,seeds,metric,mean,low,high,replays\n", 44) == 0);
    cr_assert(strstr(csv, "\nrandom,4,pearson_delta_all,") && strstr(csv, "\ncore-set,5,pearson_centred_context,") && strstr(csv, "\nkmeans,4,rmse_all,"));
    cr_assert_null(strstr(csv, "consistent"), "with one other reference known nothing tells who is consistent");
    cr_assert_null(strstr(csv, ",20,"), "a reference with eleven perturbations was played with 20 seeds");
    cr_assert(strncmp(list, "rank,perturbation,strategy,reason,score\n1,P", 43) == 0, "%s", list);
    cr_assert(strstr(text_of(said, "expected"), "In replays of b and c gp reached a centred Pearson correlation of "), "%s", text_of(said, "expected"));
    cr_assert(strstr(text_of(said, "expected"), "the next five after 4 would add "), "%s", text_of(said, "expected"));
    cr_assert_eq(json_array_size(json_object_get(said, "seeds")), 4);
    /* core-set leaves nothing to chance: one replay of each reference */
    const json_t *rows = json_object_get(said, "accuracy");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        if (json_integer_value(json_object_get(row, "seeds")) != 4) continue;
        if (strcmp(text_of(row, "strategy"), "core-set") == 0) cr_assert_eq(json_integer_value(json_object_get(row, "replays")), 2);
        if (strcmp(text_of(row, "strategy"), "random") == 0) cr_assert_eq(json_integer_value(json_object_get(row, "replays")), 4);
    }
    json_decref(said);
    free(csv);
    free(list);
}

Test(seeds_command, gives_a_list_without_accuracies_where_there_is_one_reference)
{
    const sow_seeds_options o = {.n = 3, .draws = 2, .strategies = "core-set"};
    char *one = replaced(three_yaml, "contexts: [b, c]", "contexts: [b]");
    json_t *said = NULL;
    write_three("three.h5ad", P);
    MUST(choose(one, &o, "e", &said, NULL));
    cr_assert(strstr(text_of(said, "expected"), "There is one reference context"), "%s", text_of(said, "expected"));
    cr_assert_eq(json_array_size(json_object_get(said, "accuracy")), 0);
    cr_assert_eq(json_array_size(json_object_get(said, "seeds")), 3);
    json_decref(said);
    const sow_seeds_options consistent = {.n = 3, .draws = 2, .strategies = "least-consistent"};
    cr_assert_eq(choose(one, &consistent, "bad", NULL, NULL), SOW_E_CONFIG);
    cr_assert(strstr(err.message, "needs two of them, there is one"), "%s", err.message);
    free(one);
}

Test(seeds_command, chooses_from_cells_before_anything_is_measured_and_alike_for_any_number_of_threads)
{
    const sow_seeds_options o = {.n = 3, .draws = 2};
    cell_recipe recipe = CELL_RECIPE;
    sow_threads *threads = NULL;
    char *yaml = replaced(cells_yaml, "contexts: [other]", "contexts: [other, third]");
    char *lab = replaced(yaml, "oracle: {kind: replay, held_out: {count: 4}}", "oracle: {kind: lab}");
    MUST(sow_threads_create(&threads, 3, &err));
    sow_env env = {.threads = threads};
    recipe.contexts = 3;
    write_cells("cells.h5ad", &recipe);
    MUST(choose(yaml, &o, "one", NULL, NULL));
    MUST(choose(yaml, &o, "three", NULL, &env));
    same_files("one", "three");
    MUST(choose(lab, &o, "lab", NULL, NULL));
    char *csv = file_of("lab", "seeds_accuracy.csv");
    cr_assert(strstr(csv, "\nkmeans,3,pearson_top20_wilcoxon,"));
    free(csv);
    free(lab);
    free(yaml);
    sow_threads_destroy(threads);
}

Test(seeds_command, obeys_the_campaigns_rules_and_its_list)
{
    char *listed = replaced(three_yaml, "acquisition: {strategy: max-variance}", "acquisition: {strategy: max-variance, list: [P06, P02, NOPE]}");
    char *ruled = replaced(listed, "oracle:", "constraints: {quota: [{names: [P06, P07], at_most: 0}]}\noracle:");
    const sow_seeds_options o = {.n = 2, .draws = 1, .strategies = "functional"};
    json_t *said = NULL;
    write_three("three.h5ad", P);
    char *plain = replaced(listed, "held_out: {count: 2}", "held_out: {count: 0}"), *bound = replaced(ruled, "held_out: {count: 2}", "held_out: {count: 0}");
    MUST(choose(plain, &o, "e", &said, NULL));
    cr_assert_str_eq(text_of(json_array_get(json_object_get(said, "seeds"), 0), "perturbation"), "P06");
    cr_assert_str_eq(text_of(json_array_get(json_object_get(said, "seeds"), 1), "perturbation"), "P02");
    json_decref(said);
    MUST(choose(bound, &o, "e", &said, NULL));
    cr_assert_str_eq(text_of(json_array_get(json_object_get(said, "seeds"), 0), "perturbation"), "P02");
    json_decref(said);
    free(listed);
    free(ruled);
    free(plain);
    free(bound);
}

/* Every 37th allocation of the whole command. */
Test(seeds_command, says_when_memory_is_out_and_writes_nothing, .timeout = 120)
{
    const sow_seeds_options o = {.n = 3, .draws = 1, .strategies = "kmeans,random"};
    sow_config *config = NULL;
    int failed = 0;
    write_three("three.h5ad", P);
    config = read_config(three_yaml);
    for (sow_index n = 0;; n += 37) {
        sow_seeds_options to = o;
        char *json = NULL;
        to.dir = scratch_path("e");
        sow_memory_fail_after(n);
        const sow_status st = sow_choose_seeds(&json, config, &to, NULL, &err);
        sow_memory_fail_after(-1);
        free(json);
        if (st == SOW_OK) break;
        cr_assert_eq(st, SOW_E_NOMEM, "allocation %lld: %s", (long long)n, err.message);
        failed++;
    }
    cr_assert_gt(failed, 20);
    sow_config_destroy(config);
}
