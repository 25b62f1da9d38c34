#include "planner/campaign.h"

#include "campaign_fixture.h"
#include "core/memory.h"
#include "io/store.h"

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

Test(campaign, survives_failing_allocations_of_rounds_that_overlap_within_a_budget)
{
    char *yaml = replaced(simulated_yaml, "per_cell: 0.1}", "per_cell: 0.1, weeks_per_round: 4, weeks_between_rounds: 2}\nbudget: {money: 490, weeks: 30}");
    survives_failing_allocations(yaml, 1.15);
    free(yaml);
}

Test(campaign, survives_failing_allocations_of_a_scalar_screen)
{
    survives_failing_allocations(scalar_yaml, 1.35);
}

Test(campaign, survives_failing_allocations_of_profiles)
{
    survives_failing_allocations(profile_yaml, 1.35);
}

/* ---- who is held out ---- */

static int is_held_out(const char *folder, const char *name)
{
    sow_store *store = NULL;
    sow_index n = 0;
    MUST(sow_store_open(&store, scratch_path(folder), SOW_STORE_READ, &err));
    json_t *created = json_loads(sow_store_events(store, &n)[0].payload, 0, NULL), *held = json_object_get(created, "held_out");
    int found = 0;
    cr_assert_eq(json_array_size(held), 7);
    for (size_t i = 0; i < json_array_size(held); i++) found += strcmp(json_string_value(json_array_get(held, i)), name) == 0;
    json_decref(created);
    sow_store_abandon(store);
    return found;
}

/* A new draw over fewer candidates would plan what was held out and hold out what was measured. */
Test(campaign, holds_out_the_same_when_its_rules_change_on_the_way)
{
    sow_config *config = read_config(scalar_yaml);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, "h");
    MUST(sow_campaign_plan(c, NULL, &err));
    MUST(sow_campaign_measure(c, NULL, &err));
    close_campaign(c);
    sow_config_destroy(config);
    char name[8] = "P00", rules[128], planned[8] = "";
    for (int i = 0; i < N_PERTURBATIONS && (is_held_out("h", name) || strstr(scratch_read(scratch_path("h/rounds/00/batch.csv")), name)); i++)
        snprintf(name, sizeof name, "P%02d", i);
    snprintf(rules, sizeof rules, "readout: {kind: scalar, column: score}\nconstraints: {exclude: [{names: [%s], reason: late}]}", name);
    char *yaml = replaced(scalar_yaml, "readout: {kind: scalar, column: score}", rules);
    config = read_config(yaml);
    c = open_campaign(config, SOW_CAMPAIGN_WRITE, "h");
    MUST(sow_campaign_run(c, NULL, &err));
    close_campaign(c);
    sow_config_destroy(config);
    for (int round = 1; round < 3; round++) {
        char path[64], line[256];
        int at = 0;
        snprintf(path, sizeof path, "h/rounds/%02d/batch.csv", round);
        FILE *f = fopen(scratch_path(path), "r");
        cr_assert_not_null(f);
        while (fgets(line, sizeof line, f))
            if (sscanf(line, "%d,%7[^,]", &at, planned) == 2) cr_assert_not(is_held_out("h", planned), "round %d plans '%s'", round, planned);
        fclose(f);
        cr_assert_eq(at, 5);
    }
    free(yaml);
    /* and what is held out cannot be asked for later */
    for (int i = 0; i < N_PERTURBATIONS && !is_held_out("h", name); i++) snprintf(name, sizeof name, "P%02d", i);
    snprintf(rules, sizeof rules, "readout: {kind: scalar, column: score}\nconstraints: {include: [%s]}", name);
    yaml = replaced(scalar_yaml, "readout: {kind: scalar, column: score}", rules);
    config = read_config(yaml);
    sow_campaign_options options = {.dir = scratch_path("h"), .mode = SOW_CAMPAIGN_WRITE};
    cr_assert_eq(sow_campaign_open(&c, config, &options, NULL, &err), SOW_E_CONFIG);
    cr_assert(strstr(err.message, "held out since"), "%s", err.message);
    sow_config_destroy(config);
    free(yaml);
}

/* ---- includes, quotas and hits ---- */

static sow_status open_status(const char *yaml)
{
    sow_campaign *c = NULL;
    sow_config *config = read_config(yaml);
    sow_campaign_options options = {.mode = SOW_CAMPAIGN_CHECK};
    sow_status st = sow_campaign_open(&c, config, &options, NULL, &err);
    sow_campaign_abandon(c);
    sow_config_destroy(config);
    return st;
}

Test(campaign, refuses_to_include_what_has_no_prior_when_one_is_required)
{
    char *yaml = replaced(scalar_yaml, "priors: [{name: layout, file: layout.csv}]",
                          "priors: [{name: short, file: short.csv}]\nconstraints: {include: [P20], require_prior: true}");
    scratch_write("short.csv", "gene,x\nP00,1\nP01,2\nP02,4\nP03,1\nP04,7\nP05,1\nP06,3\nP07,2\nP08,1\nP09,9\nP10,0.5\nP11,6\n"
                               "P12,1\nP13,2\nP14,4\nP15,1\nP16,7\nP17,1\nP18,3\nP19,2\nP21,1\nP22,9\nP23,0.5\nP24,6\n"
                               "P25,1\nP26,2\nP27,4\nP28,1\nP29,7\nP30,1\nP31,3\nP32,2\nP33,1\nP34,9\nP35,0.5\n");
    cr_assert_eq(open_status(yaml), SOW_E_CONFIG);
    cr_assert(strstr(err.message, "'P20', but no prior has a row for it"), "%s", err.message);
    free(yaml);
}

Test(campaign, counts_a_name_that_a_quota_lists_twice_once)
{
    char *yaml = replaced(scalar_yaml, "readout: {kind: scalar, column: score}",
                          "readout: {kind: scalar, column: score}\nconstraints: {include: [P01], quota: [{names: [P01, P02, P01, P02], at_most: 2, "
                          "at_least: 2, per: campaign}]}");
    char *random = replaced(yaml, "strategy: greedy", "strategy: random"), *sure = replaced(random, ", held_out: {fraction: 0.2}", "");
    sow_config *config = read_config(sure);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, "q");
    MUST(sow_campaign_run(c, NULL, &err));
    close_campaign(c);
    char *all = results_of("q");
    cr_assert_not_null(strstr(all, ",P01,"));
    cr_assert_not_null(strstr(all, ",P02,"));
    free(all);
    sow_config_destroy(config);
    free(sure);
    free(random);
    free(yaml);
}
