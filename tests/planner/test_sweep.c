/* Sweeps through the library: pairing by seeds, content keys, the same bytes for any number of workers, early stopping, damaged results. */
#include "planner/campaign_internal.h"
#include "sweep_fixture.h"

static void begin(void);
TestSuite(sweep, .init = begin, .fini = scratch_remove);

static const char base_yaml[] =
    "sower: 1\nname: base\n"
    "oracle: {kind: generative, perturbations: 60, modules: 6, prior_dims: 3, held_out: {fraction: 0.2}}\n"
    "objective: {kind: hits, top: 0.2}\nmodel: {kind: gp, iterations: 6}\nacquisition: {strategy: random}\n"
    "rounds: {initial: {size: 8, strategy: random}, batches: [5, 5]}\ncosts: {per_round: 100, per_cell: 0.1, weeks_per_round: 2}\n";

static void begin(void)
{
    scratch_create();
    scratch_write("base.yaml", base_yaml);
}

#define HEAD "sower: 1\nsweep: s\ncampaign: base.yaml\n"

static sow_index played(json_t *j)
{
    const sow_index n = (sow_index)json_integer_value(json_object_get(j, "played"));
    json_decref(j);
    return n;
}

/* The one result of a seed whose settings have `value` at group.key. */
static json_t *result_of(json_t *all, sow_index seed, const char *group, const char *key, const char *value)
{
    json_t *found = NULL;
    for (size_t i = 0; i < json_array_size(all); i++) {
        json_t *j = json_array_get(all, i);
        json_t *v = json_object_get(json_object_get(json_object_get(j, "settings"), group), key);
        char number[32];
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(v));
        const int same = json_is_string(v) ? strcmp(json_string_value(v), value) == 0 : strcmp(number, value) == 0;
        if (json_integer_value(json_object_get(j, "seed")) != seed || !same) continue;
        cr_assert_null(found, "two results of seed %lld with %s.%s = %s", (long long)seed, group, key, value);
        found = j;
    }
    cr_assert_not_null(found, "no result of seed %lld with %s.%s = %s", (long long)seed, group, key, value);
    return found;
}

static const char *arm_number(const json_t *document, size_t arm, const char *metric, const char *statistic, const char *key)
{
    static char text[40];
    const json_t *m = json_object_get(json_object_get(json_array_get(json_object_get(document, "arms"), arm), "metrics"), metric);
    snprintf(text, sizeof text, "%.12g", json_number_value(json_object_get(json_object_get(m, statistic), key)));
    return text;
}

Test(sweep, a_seed_is_the_same_world_split_and_initial_set_for_every_arm)
{
    json_decref(play(HEAD "seeds: [3, 7]\nstrategies: [random, ucb]\n", "out", 2));
    json_t *all = results("out");
    cr_assert_eq(json_array_size(all), 4);
    json_t *random3 = result_of(all, 3, "acquisition", "strategy", "random"), *ucb3 = result_of(all, 3, "acquisition", "strategy", "ucb");
    json_t *random7 = result_of(all, 7, "acquisition", "strategy", "random");
    cr_expect(json_equal(round_of(random3, 0), round_of(ucb3, 0)), "round 0 differs between arms");
    cr_expect(!json_equal(json_object_get(round_of(random3, 1), "batch"), json_object_get(round_of(ucb3, 1), "batch")), "the strategy makes no difference");
    cr_expect(!json_equal(json_object_get(round_of(random3, 0), "batch"), json_object_get(round_of(random7, 0), "batch")), "the seed makes no difference");
    json_decref(all);
}

Test(sweep, another_stream_shares_round_0_and_then_chooses_otherwise)
{
    json_decref(play(HEAD "seeds: [3]\narms: {a: {acquisition.stream: 0}, b: {acquisition.stream: 9}}\n", "out", 1));
    json_t *all = results("out");
    json_t *a = result_of(all, 3, "acquisition", "stream", "0"), *b = result_of(all, 3, "acquisition", "stream", "9");
    cr_expect(json_equal(round_of(a, 0), round_of(b, 0)));
    cr_expect(!json_equal(json_object_get(round_of(a, 1), "batch"), json_object_get(round_of(b, 1), "batch")));
    json_decref(all);
}

/* What a lean job keeps is what the campaign played in full says. */
Test(sweep, a_job_is_the_campaign_that_run_plays)
{
    sow_error err = {0};
    sow_config *config = NULL;
    const char *sets[] = {"seed=3", "acquisition.strategy=ucb"};
    json_decref(play(HEAD "seeds: [3]\nstrategies: [random, ucb]\n", "out", 1));
    MUST(sow_config_read(&config, NULL, scratch_path("base.yaml"), sets, 2, &err));
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, "full");
    MUST(sow_campaign_run(c, NULL, &err));
    json_t *all = results("out"), *job = result_of(all, 3, "acquisition", "strategy", "ucb");
    for (sow_index r = 0; r < c->n_rounds; r++) {
        const json_t *kept = round_of(job, (size_t)r), *names = json_object_get(kept, "batch");
        sow_index compared = 0;
        for (sow_index i = 0; i < c->round[r].n; i++)
            cr_expect_str_eq(json_string_value(json_array_get(names, (size_t)i)), sow_i_name(c, c->round[r].pick[i].perturbation));
        for (size_t i = 0; i < json_array_size(c->round[r].metrics); i++) {
            const json_t *row = json_array_get(c->round[r].metrics, i);
            const char *model = json_string_value(json_object_get(row, "model"));
            if (*model && strcmp(model, "gp") != 0) continue;
            cr_expect(json_equal(json_object_get(row, "value"), json_object_get(json_object_get(kept, "metrics"), json_string_value(json_object_get(row, "metric")))), "round %lld: %s", (long long)r,
                      json_string_value(json_object_get(row, "metric")));
            compared++;
        }
        cr_expect_eq(compared, (sow_index)json_object_size(json_object_get(kept, "metrics")));
    }
    json_decref(all);
    close_campaign(c);
    sow_config_destroy(config);
}

Test(sweep, files_do_not_depend_on_the_number_of_workers)
{
    static const char yaml[] = HEAD "seeds: 4\nstrategies: [random, greedy]\nallocations: {once: {initial: 18}, steps: {initial: 8, batches: [5, 5]}}\n";
    cr_expect_eq(played(play(yaml, "one", 1)), 16);
    cr_expect_eq(played(play(yaml, "three", 3)), 16);
    json_t *one = results("one"), *three = results("three");
    cr_expect(json_equal(one, three), "result files differ");
    json_decref(one);
    json_decref(three);
    static const char *const files[] = {"summary.csv", "curves.csv", "summary.json", "allocation.csv", "allocation.html"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char a[64], b[64];
        snprintf(a, sizeof a, "one/%s", files[i]);
        snprintf(b, sizeof b, "three/%s", files[i]);
        char *first = strdup(scratch_read(scratch_path(a)));
        cr_expect_str_eq(first, scratch_read(scratch_path(b)), "%s", files[i]);
        free(first);
    }
    cr_expect_eq(played(play(yaml, "one", 2)), 0, "nothing is left to play");
}

Test(sweep, an_arm_or_a_seed_more_plays_only_that)
{
    cr_expect_eq(played(play(HEAD "seeds: 3\nstrategies: [random, greedy]\n", "out", 2)), 6);
    cr_expect_eq(played(play(HEAD "seeds: 3\nstrategies: [random, greedy, ucb]\n", "out", 2)), 3);
    cr_expect_eq(played(play(HEAD "seeds: 4\nstrategies: [random, greedy, ucb]\n", "out", 2)), 3);
    /* another name for the same settings is the same job */
    cr_expect_eq(played(play(HEAD "seeds: 4\narms: {chance: {acquisition.strategy: random}, best: {acquisition: {strategy: greedy}}}\n", "out", 2)), 0);
    /* a setting that results depend on is another job */
    cr_expect_eq(played(play(HEAD "seeds: 4\nset: {model.iterations: 7}\nstrategies: [random, greedy]\n", "out", 2)), 8);
}

Test(sweep, a_damaged_result_is_played_again_to_the_same_bytes)
{
    static const char yaml[] = HEAD "seeds: 2\nstrategies: [random, greedy]\n";
    json_decref(play(yaml, "out", 1));
    json_t *before = results("out");
    const char *key = json_string_value(json_object_get(json_array_get(before, 0), "key"));
    char path[100], *text, *digit;
    snprintf(path, sizeof path, "out/jobs/%s.json", key);
    text = strdup(scratch_read(scratch_path(path)));
    digit = strstr(text, "\"measured\": 8");
    cr_assert_not_null(digit);
    digit[12] = '9'; /* one digit: still JSON */
    scratch_write(path, text);
    cr_expect_eq(played(play(yaml, "out", 1)), 1);
    digit[-40] = 0; /* half a file */
    scratch_write(path, text);
    cr_expect_eq(played(play(yaml, "out", 1)), 1);
    free(text);
    json_t *after = results("out");
    cr_expect(json_equal(before, after));
    json_decref(before);
    json_decref(after);
}

Test(sweep, hopeless_arms_stop_where_the_rule_says_for_any_number_of_workers)
{
    /* by hits found, chance has no hope beside the model */
    static const char yaml[] = HEAD "seeds: 9\nset: {rounds.batches: [8, 8]}\nstrategies: [greedy, random, ucb]\nbaseline: greedy\nmetrics: [hits_recall]\nstop: {after: 4, every: 2}\n";
    json_t *one = play(yaml, "one", 1), *three = play(yaml, "three", 3);
    json_t *arms = json_object_get(one, "arms"), *random = json_array_get(arms, 1);
    cr_expect(json_is_true(json_object_get(random, "stopped")));
    const sow_index seeds = (sow_index)json_integer_value(json_object_get(random, "seeds"));
    cr_expect(seeds == 4 || seeds == 6 || seeds == 8, "stopped after %lld", (long long)seeds);
    cr_expect_eq(json_integer_value(json_object_get(json_array_get(arms, 0), "seeds")), 9, "the baseline is never stopped");
    cr_expect_eq(json_integer_value(json_object_get(one, "played")), 9 + seeds + json_integer_value(json_object_get(json_array_get(arms, 2), "seeds")));
    cr_expect(json_equal(arms, json_object_get(three, "arms")));
    /* results beyond where an arm stopped count for nothing, whoever played them */
    json_t *more = play(HEAD "seeds: 9\nset: {rounds.batches: [8, 8]}\nstrategies: [greedy, random, ucb]\nbaseline: greedy\nmetrics: [hits_recall]\n", "one", 2);
    cr_expect_eq(json_integer_value(json_object_get(json_array_get(json_object_get(more, "arms"), 1), "seeds")), 9);
    json_t *again = play(yaml, "one", 1);
    cr_expect_eq(json_integer_value(json_object_get(again, "played")), 0);
    cr_expect(json_equal(arms, json_object_get(again, "arms")));
    json_decref(one);
    json_decref(three);
    json_decref(more);
    json_decref(again);
}

Test(sweep, the_comparison_is_what_the_result_files_say)
{
    enum { SEEDS = 5 };
    double d[SEEDS];
    json_t *said = play(HEAD "seeds: 5\nstrategies: [random, greedy]\nmetrics: [rmse, hits_recall]\n", "out", 2), *all = results("out");
    for (int i = 0; i < SEEDS; i++) {
        const json_t *a = json_object_get(round_of(result_of(all, i + 1, "acquisition", "strategy", "greedy"), 2), "metrics");
        const json_t *b = json_object_get(round_of(result_of(all, i + 1, "acquisition", "strategy", "random"), 2), "metrics");
        d[i] = json_number_value(json_object_get(a, "rmse")) - json_number_value(json_object_get(b, "rmse"));
    }
    double mean = 0, squares = 0;
    for (int i = 0; i < SEEDS; i++)
        mean += d[i] / SEEDS;
    for (int i = 0; i < SEEDS; i++)
        squares += (d[i] - mean) * (d[i] - mean);
    const double half = 2.776445105197793 * sqrt(squares / (SEEDS - 1) / SEEDS);
    cr_expect(fabs(atof(arm_number(said, 1, "rmse", "end_difference", "value")) - mean) < 1e-9);
    cr_expect(fabs(atof(arm_number(said, 1, "rmse", "end_difference", "low")) - (mean - half)) < 1e-9);
    cr_expect(fabs(atof(arm_number(said, 1, "rmse", "end_difference", "high")) - (mean + half)) < 1e-9);
    cr_expect_str_eq(json_string_value(json_object_get(said, "baseline")), "random");
    json_decref(said);
    json_decref(all);
}
