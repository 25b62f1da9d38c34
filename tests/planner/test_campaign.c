#include "planner/campaign.h"

#include "campaign_fixture.h"
#include "core/memory.h"

TestSuite(campaign, .init = scratch_create, .fini = scratch_remove);

static sow_error err;

Test(campaign, plans_then_measures_and_refuses_any_other_order)
{
    sow_config *config = read_config(simulated_yaml);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, NULL);
    cr_assert_not(sow_campaign_needs_people(c));
    for (int round = 0; round < 3; round++) {
        cr_assert_eq(sow_campaign_next_step(c), SOW_NEXT_PLAN);
        cr_assert_eq(sow_campaign_measure(c, NULL, &err), SOW_E_STATE);
        MUST(sow_campaign_plan(c, NULL, &err));
        cr_assert_eq(sow_campaign_next_step(c), SOW_NEXT_MEASURE);
        cr_assert_eq(sow_campaign_plan(c, NULL, &err), SOW_E_STATE);
        cr_assert(strstr(err.message, "waits for its measurements"), "%s", err.message);
        MUST(sow_campaign_measure(c, NULL, &err));
    }
    cr_assert_eq(sow_campaign_next_step(c), SOW_NEXT_NOTHING);
    cr_assert_eq(sow_campaign_plan(c, NULL, &err), SOW_E_STATE);
    cr_assert(strstr(err.message, "all rounds are done"), "%s", err.message);
    cr_assert_eq(sow_campaign_measure(c, NULL, &err), SOW_E_STATE);
    cr_assert_eq(count_of(c, "measured") + count_of(c, "partial"), 18);
    close_campaign(c);
    sow_config_destroy(config);
}

Test(campaign, goes_beside_its_yaml_or_where_it_is_told)
{
    sow_config *config = read_config(simulated_yaml);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, NULL);
    cr_assert_str_eq(sow_campaign_dir(c), scratch_path("c.sower"));
    close_campaign(c);
    c = open_campaign(config, SOW_CAMPAIGN_WRITE, "deep/down");
    cr_assert_str_eq(sow_campaign_dir(c), scratch_path("deep/down"));
    close_campaign(c);
    sow_config_destroy(config);
}

Test(campaign, is_checked_without_a_folder)
{
    const char *const yamls[] = {simulated_yaml, scalar_yaml, profile_yaml};
    for (int i = 0; i < 3; i++) {
        sow_config *config = read_config(yamls[i]);
        int before = scratch_count_entries(scratch);
        sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_CHECK, NULL);
        char *text = NULL;
        MUST(sow_campaign_check_json(&text, c, &err));
        json_t *j = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        cr_assert_eq(json_integer_value(json_object_get(j, "perturbations")), i == 0 ? 40 : N_PERTURBATIONS);
        cr_assert_eq(json_integer_value(json_object_get(j, "held_out")), i == 0 ? 8 : 7);
        cr_assert_eq(json_integer_value(json_object_get(j, "features")), i == 2 ? N_GENES : 1);
        json_decref(j);
        free(text);
        close_campaign(c);
        cr_assert_eq(scratch_count_entries(scratch), before);
        sow_config_destroy(config);
    }
}

Test(campaign, is_not_read_before_there_is_one)
{
    sow_config *config = read_config(simulated_yaml);
    sow_campaign *c = NULL;
    sow_campaign_options options = {.mode = SOW_CAMPAIGN_READ};
    cr_assert_eq(sow_campaign_open(&c, config, &options, NULL, &err), SOW_E_STATE);
    cr_assert_null(c);
    cr_assert_not(strstr(scratch_read(scratch_path("c.sower/campaign.db")), "SQLite"));
    sow_config_destroy(config);
}

Test(campaign, is_held_by_one_writer_and_read_by_many)
{
    sow_config *config = read_config(simulated_yaml);
    sow_campaign *holder = open_campaign(config, SOW_CAMPAIGN_WRITE, NULL), *second = NULL;
    MUST(sow_campaign_plan(holder, NULL, &err));
    sow_campaign_options options = {.mode = SOW_CAMPAIGN_WRITE};
    cr_assert_eq(sow_campaign_open(&second, config, &options, NULL, &err), SOW_E_STATE);
    char pid[32];
    snprintf(pid, sizeof pid, "process %ld on ", (long)getpid());
    cr_assert(strstr(err.message, pid), "%s", err.message);
    sow_campaign *reader = open_campaign(config, SOW_CAMPAIGN_READ, NULL), *other = open_campaign(config, SOW_CAMPAIGN_READ, NULL);
    cr_assert_eq(count_of(reader, "planned"), 8);
    MUST(sow_campaign_measure(holder, NULL, &err));
    cr_assert_eq(count_of(other, "planned"), 8); /* a reader keeps what it saw */
    close_campaign(reader);
    close_campaign(other);
    close_campaign(holder);
    second = open_campaign(config, SOW_CAMPAIGN_WRITE, NULL);
    close_campaign(second);
    sow_config_destroy(config);
}

Test(campaign, says_the_same_after_it_was_closed_and_opened)
{
    const char *const yamls[] = {simulated_yaml, scalar_yaml, profile_yaml};
    for (int i = 0; i < 3; i++) {
        char folder[8];
        snprintf(folder, sizeof folder, "s%d", i);
        sow_config *config = read_config(yamls[i]);
        sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, folder);
        for (int step = 0; step < 5; step++) {
            if (step % 2 == 0) MUST(sow_campaign_plan(c, NULL, &err));
            else MUST(sow_campaign_measure(c, NULL, &err));
            json_t *before = status_of(c);
            close_campaign(c);
            c = open_campaign(config, step == 3 ? SOW_CAMPAIGN_READ : SOW_CAMPAIGN_WRITE, folder);
            json_t *after = status_of(c);
            cr_assert(json_equal(before, after), "campaign %d, step %d", i, step);
            json_decref(before);
            json_decref(after);
            if (step == 3) {
                close_campaign(c);
                c = open_campaign(config, SOW_CAMPAIGN_WRITE, folder);
            }
        }
        MUST(sow_campaign_run(c, NULL, &err));
        close_campaign(c);
        c = open_campaign(config, SOW_CAMPAIGN_WRITE, "at-once");
        MUST(sow_campaign_run(c, NULL, &err));
        close_campaign(c);
        char *steps = results_of(folder), *once = results_of("at-once");
        cr_assert_str_eq(steps, once);
        free(steps);
        free(once);
        scratch_remove_tree(scratch_path("at-once"));
        sow_config_destroy(config);
    }
}

static int stop_at; /* the callback's call that asks to stop */

static int stop(void *user, const char *what, double fraction)
{
    (void)user;
    (void)what;
    (void)fraction;
    return --stop_at <= 0;
}

Test(campaign, stops_when_asked_at_any_point_and_goes_on_to_the_same_bytes)
{
    sow_config *config = read_config(simulated_yaml);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, "undisturbed");
    MUST(sow_campaign_run(c, NULL, &err));
    close_campaign(c);
    char *wanted = results_of("undisturbed");
    sow_env env = {.progress = stop};
    int stopped = 0;
    for (int at = 1; at < 4000; at += at < 12 ? 1 : at / 4) {
        stop_at = at;
        c = open_campaign(config, SOW_CAMPAIGN_WRITE, "stopped");
        sow_status st = sow_campaign_run(c, &env, &err);
        if (st == SOW_OK) close_campaign(c);
        else {
            cr_assert_eq(st, SOW_E_CANCELLED, "%s", err.message);
            sow_campaign_abandon(c);
            stopped++;
            c = open_campaign(config, SOW_CAMPAIGN_WRITE, "stopped");
            MUST(sow_campaign_run(c, NULL, &err));
            close_campaign(c);
        }
        char *results = results_of("stopped");
        cr_assert_str_eq(results, wanted, "stopped at call %d", at);
        free(results);
        scratch_remove_tree(scratch_path("stopped"));
        if (st == SOW_OK) break;
    }
    cr_assert_gt(stopped, 8);
    free(wanted);
    sow_config_destroy(config);
}

/* One life of a campaign, from the file to the last round. */
static sow_status whole_life(const char *yaml_path, const char *dir)
{
    sow_config *config = NULL;
    sow_campaign *c = NULL;
    sow_campaign_options options = {.dir = dir, .mode = SOW_CAMPAIGN_WRITE};
    sow_status st = sow_config_read(&config, NULL, yaml_path, NULL, 0, &err);
    if (st == SOW_OK) st = sow_campaign_open(&c, config, &options, NULL, &err);
    if (st == SOW_OK) st = sow_campaign_run(c, NULL, &err);
    if (st == SOW_OK) {
        st = sow_campaign_close(c, &err);
        c = NULL;
    }
    sow_campaign_abandon(c);
    sow_config_destroy(config);
    return st;
}

static void survives_failing_allocations(const char *yaml, double growth)
{
    sow_config_destroy(read_config(yaml));
    char path[128], dir[128];
    snprintf(path, sizeof path, "%s", scratch_path("c.yaml"));
    snprintf(dir, sizeof dir, "%s", scratch_path("faulty"));
    cr_assert_eq(whole_life(path, scratch_path("undisturbed")), SOW_OK, "%s", err.message);
    char *wanted = results_of("undisturbed");
    int failures = 0;
    for (double n = 0;; n = n * growth + 1) {
        sow_memory_fail_after((sow_index)n);
        sow_status st = whole_life(path, dir);
        sow_memory_fail_after(-1);
        if (st != SOW_OK) {
            failures++;
            cr_assert_eq(st, SOW_E_NOMEM, "allocation %.0f: %s: %s", n, sow_status_name(st), err.message);
            cr_assert_eq(whole_life(path, dir), SOW_OK, "%s", err.message);
        }
        char *results = results_of("faulty");
        cr_assert_str_eq(results, wanted, "allocation %.0f", n);
        free(results);
        scratch_remove_tree(dir);
        if (st == SOW_OK) break;
    }
    cr_assert_gt(failures, 15);
    free(wanted);
}

Test(campaign, survives_failing_allocations_of_a_simulation)
{
    survives_failing_allocations(simulated_yaml, 1.3);
}

Test(campaign, survives_failing_allocations_of_a_scalar_screen)
{
    survives_failing_allocations(scalar_yaml, 1.35);
}

Test(campaign, survives_failing_allocations_of_profiles)
{
    survives_failing_allocations(profile_yaml, 1.35);
}
