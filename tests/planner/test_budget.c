/* Money and weeks of a campaign: what a budget cuts, and rounds that begin before the results of others are in. */
#include "acquisition/strategy.h"
#include "campaign_fixture.h"
#include "core/cost.h"
#include "io/file.h"

TestSuite(budget, .init = scratch_create, .fini = scratch_remove);

static sow_error err;

static char *with(const char *yaml, const char *rounds, const char *more)
{
    char *text = replaced(yaml, COMMON_ROUNDS, rounds), *all = calloc(1, strlen(text) + strlen(more) + 1);
    strcat(strcpy(all, text), more);
    free(text);
    return all;
}

static sow_config *config_of(const char *yaml, const char *rounds, const char *more)
{
    char *text = with(yaml, rounds, more);
    sow_config *config = read_config(text);
    free(text);
    return config;
}

static void run_in(const sow_config *config, const char *folder)
{
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, folder);
    MUST(sow_campaign_run(c, NULL, &err));
    close_campaign(c);
}

/* The caller frees. */
static char *batch_of(const char *folder, int round)
{
    char path[128];
    snprintf(path, sizeof path, "%s/rounds/%02d/batch.csv", folder, round);
    return strdup(scratch_read(scratch_path(path)));
}

static int is_in_batch(const char *batch, int i)
{
    char name[16];
    snprintf(name, sizeof name, ",P%02d,", i);
    return strstr(batch, name) != NULL;
}

/* metrics.csv: a campaign row of a round. */
static double metric_in(const char *folder, int round, const char *metric)
{
    char path[128], key[64];
    snprintf(path, sizeof path, "%s/metrics.csv", folder);
    const char *at = scratch_read(scratch_path(path));
    snprintf(key, sizeof key, ",,all,%s,", metric);
    for (; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
        const char *found = strstr(at, key), *end = strchr(at, '\n');
        if (atoi(at) == round && found && (!end || found < end)) return atof(found + strlen(key));
    }
    return NAN;
}

static double number_in(const json_t *j, const char *key)
{
    return json_number_value(json_object_get(j, key));
}

/* ---- rounds that overlap */

#define FOUR_ROUNDS "rounds: {initial: {size: 8, strategy: random}, batches: [4, 4, 4]}\n"
static const char one_after_another[] = "costs: {weeks_per_round: 4}\n";
static const char overlapping[] = "costs: {weeks_per_round: 4, weeks_between_rounds: 2}\n";

/* What round 1 found is other than it was: batch 2 of an overlapping campaign was chosen before anybody could know, batch 3 after. */
static void change_round(const char *folder, int round)
{
    char *batch = batch_of(folder, round), text[8192], *p = text;
    p += sprintf(p, "gene,line,score,n_cells,depth\n");
    for (int i = 0; i < N_PERTURBATIONS; i++)
        for (int c = 0; c < N_CONTEXTS; c++)
            p += sprintf(p, "P%02d,%s,%.5f,%d,%.3f\n", i, c ? "other" : "here", c == 0 && is_in_batch(batch, i) ? 4 * cos(i * 3.1) : scalar_of(i, c), 50 + i, 1 + 0.1 * (i % 7));
    scratch_write("screen.csv", text);
    free(batch);
}

static void batches_differ_from(int first, const char *costs)
{
    sow_config *config = config_of(scalar_yaml, FOUR_ROUNDS, costs);
    run_in(config, "as-is");
    change_round("as-is", 1);
    run_in(config, "changed");
    for (int r = 0; r <= first; r++) {
        char *a = batch_of("as-is", r), *b = batch_of("changed", r);
        cr_assert_eq(strcmp(a, b) == 0, r < first, "%s, round %d", costs, r);
        free(a);
        free(b);
    }
    sow_config_destroy(config);
}

Test(budget, a_round_that_overlaps_is_chosen_without_the_results_under_way)
{
    batches_differ_from(3, overlapping);
}

Test(budget, a_round_that_does_not_is_chosen_with_them)
{
    batches_differ_from(2, one_after_another);
}

Test(budget, overlapping_rounds_take_less_time_and_the_same_money)
{
    static const double weeks[2][4] = {{4, 8, 12, 16}, {4, 6, 8, 10}};
    for (int k = 0; k < 2; k++) {
        sow_config *config = config_of(simulated_yaml, FOUR_ROUNDS, "");
        config->costs.weeks_per_round = 4;
        if (k) config->costs.weeks_between_rounds = 2;
        run_in(config, k ? "two" : "one");
        for (int r = 0; r < 4; r++)
            cr_assert_float_eq(metric_in(k ? "two" : "one", r, "weeks"), weeks[k][r], 1e-9);
        sow_config_destroy(config);
    }
    cr_assert_eq(metric_in("one", 3, "cost"), metric_in("two", 3, "cost"));
    cr_assert_eq(metric_in("one", 1, "cost"), metric_in("two", 0, "cost"), "round 1 is paid for before the results of round 0");
}

Test(budget, no_strategy_chooses_what_waits_for_its_results)
{
    sow_index n = 0, played = 0;
    const sow_strategy *const *row = sow_strategies(&n);
    for (sow_index i = 0; i < n; i++)
        for (int kind = 0; kind < 2; kind++) {
            char line[80];
            snprintf(line, sizeof line, "acquisition: {strategy: %s}", row[i]->name);
            char *yaml = replaced(kind ? profile_yaml : scalar_yaml, kind ? "acquisition: {strategy: max-variance}" : "acquisition: {strategy: greedy}", line);
            char *text = with(yaml, "rounds: {initial: {size: 6, strategy: random}, batches: [6, 6, 6]}\n", "costs: {weeks_per_round: 6, weeks_between_rounds: 2}\n");
            sow_config *config = NULL;
            sow_campaign *c = NULL;
            unsigned char seen[N_PERTURBATIONS] = {0};
            write_scalar_screen("screen.csv");
            write_layout("layout.csv");
            write_profiles("screen.h5ad");
            scratch_write("c.yaml", text);
            sow_campaign_options options = {.dir = scratch_path("s"), .mode = SOW_CAMPAIGN_WRITE};
            sow_status st = sow_config_read(&config, NULL, scratch_path("c.yaml"), NULL, 0, &err);
            if (st == SOW_OK) st = sow_campaign_open(&c, config, &options, NULL, &err);
            if (st == SOW_OK) {
                played++;
                MUST(sow_campaign_run(c, NULL, &err));
                close_campaign(c);
                for (int r = 0; r < 4; r++) {
                    char *batch = batch_of("s", r);
                    for (int q = 0; q < N_PERTURBATIONS; q++)
                        if (is_in_batch(batch, q)) cr_assert_eq(seen[q]++, 0, "%s picks P%02d twice", row[i]->name, q);
                    free(batch);
                }
            } else {
                cr_assert_eq(st, SOW_E_CONFIG, "%s", err.message); /* needs what these screens have not */
            }
            scratch_remove_tree(scratch_path("s"));
            sow_config_destroy(config);
            free(text);
            free(yaml);
        }
    cr_assert_geq(played, 17, "%d of %d", (int)played, (int)(2 * n));
}

Test(budget, overlapping_rounds_say_the_same_after_a_stop_at_every_step)
{
    sow_config *config = config_of(profile_yaml, FOUR_ROUNDS, overlapping);
    run_in(config, "at-once");
    int plans = 0, steps = 0, done = 0;
    while (!done) {
        sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, "steps");
        const sow_campaign_next next = sow_campaign_next_step(c);
        done = next == SOW_NEXT_NOTHING;
        plans += next == SOW_NEXT_PLAN;
        steps += !done;
        if (next == SOW_NEXT_PLAN) MUST(sow_campaign_plan(c, NULL, &err));
        if (next == SOW_NEXT_MEASURE) MUST(sow_campaign_measure(c, NULL, &err));
        cr_assert_leq(sow_campaign_rounds_open(c), 2);
        close_campaign(c);
    }
    cr_assert(plans == 4 && steps == 8);
    char *a = results_of("at-once"), *b = results_of("steps");
    cr_assert_str_eq(a, b);
    free(a);
    free(b);
    sow_config_destroy(config);
}

/* ---- a lab with two rounds at the bench */

static const char *results_for(const char *file, const char *batch)
{
    char text[4096], *p = text;
    p += sprintf(p, "perturbation,value,cells\n");
    for (int i = 0; i < N_PERTURBATIONS; i++)
        if (is_in_batch(batch, i)) p += sprintf(p, "P%02d,%.4f,%d\n", i, scalar_of(i, 0), 150);
    scratch_write(file, text);
    return scratch_path(file);
}

static void record(sow_campaign *c, const char *path, sow_index recorded, sow_index unplanned)
{
    sow_record_summary summary;
    MUST(sow_campaign_record(c, path, 0, &summary, NULL, &err));
    cr_assert_eq(summary.recorded, recorded);
    cr_assert_eq(summary.unplanned, unplanned);
}

Test(budget, a_lab_may_bring_overlapping_rounds_in_any_order_but_each_as_a_file)
{
    char *text = with(at_lab(scalar_yaml), FOUR_ROUNDS, overlapping), path[128];
    sow_config *config = read_config(text);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, "lab");
    sow_record_summary summary;
    MUST(sow_campaign_plan(c, NULL, &err));
    cr_assert_eq(sow_campaign_next_step(c), SOW_NEXT_PLAN);
    MUST(sow_campaign_plan(c, NULL, &err));
    cr_assert_eq(sow_campaign_next_step(c), SOW_NEXT_MEASURE);
    cr_assert_eq(sow_campaign_plan(c, NULL, &err), SOW_E_STATE);
    char *first = batch_of("lab", 0), *second = batch_of("lab", 1), *both = calloc(1, strlen(first) + strlen(second) + 1);
    strcat(strcpy(both, first), second);
    cr_assert_eq(sow_campaign_record(c, results_for("both.csv", both), 0, &summary, NULL, &err), SOW_E_DATA);
    cr_assert(strstr(err.message, "round 0 and of round 1"), "%s", err.message);
    snprintf(path, sizeof path, "%s", results_for("second.csv", second));
    record(c, path, 4, 0);
    cr_assert_eq(sow_campaign_rounds_open(c), 2, "round 0 still waits, and round 1 with it");
    cr_assert_eq(count_of(c, "measured"), 4);
    cr_assert_eq(count_of(c, "planned"), 8);
    close_campaign(c);
    c = open_campaign(config, SOW_CAMPAIGN_WRITE, "lab");
    record(c, results_for("first.csv", first), 8, 0);
    cr_assert_eq(sow_campaign_rounds_open(c), 0, "both are evaluated");
    cr_assert_float_eq(metric_in("lab", 1, "weeks"), 6, 1e-9);
    MUST(sow_campaign_record(c, path, 1, &summary, NULL, &err));
    cr_assert(summary.known && summary.failed == 0);
    MUST(sow_campaign_plan(c, NULL, &err));
    close_campaign(c);
    free(text);
    free(first);
    free(second);
    free(both);
    sow_config_destroy(config);
}

/* ---- money */

#define PRICED "design: {guides_per_target: 2, cells_per_perturbation: 60, control_share: 0.08, quality_share: 0.9, cells_per_lane: 500}\n" \
               "costs: {per_round: 90, per_guide: 1.5, per_cell: 0.11, per_lane: 40, weeks_per_round: 4}\n"

static sow_config *priced(double money)
{
    char more[400];
    snprintf(more, sizeof more, PRICED "budget: {money: %.2f}\n", money);
    return config_of(scalar_yaml, FOUR_ROUNDS, more);
}

static double price(const sow_config *k, sow_index n)
{
    sow_bill bill;
    sow_bill_round(&bill, &k->costs, &k->design, n, 0);
    return bill.total;
}

/* Sizes as the budget leaves them, found by trying every size. */
static int expected_sizes(int *size, const sow_config *k, double money)
{
    const int asked[4] = {8, 4, 4, 4};
    for (int r = 0; r < 4; r++) {
        size[r] = 0;
        for (int n = 1; n <= asked[r]; n++)
            if (price(k, n) <= money + 1e-6) size[r] = n;
        if (size[r] == 0) return r;
        money -= price(k, size[r]);
        if (size[r] < asked[r]) return r + 1;
    }
    return 4;
}

static json_t *checked(const sow_config *config)
{
    char *text = NULL;
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_CHECK, NULL);
    MUST(sow_campaign_check_json(&text, c, &err));
    json_t *j = json_loads(text, 0, NULL);
    free(text);
    close_campaign(c);
    return j;
}

Test(budget, cuts_the_last_round_to_as_many_as_the_money_affords)
{
    int cut = 0, whole = 0, none = 0;
    for (double money = 150; money < 1000; money += 23.7) {
        int size[4];
        sow_config *config = priced(money);
        const int n = expected_sizes(size, config, money);
        json_t *j = checked(config), *bill = json_object_get(j, "bill"), *rounds = json_object_get(bill, "rounds");
        cr_assert_eq((int)json_array_size(rounds), n, "%g: %zu rounds, not %d", money, json_array_size(rounds), n);
        double cents = 0;
        for (int r = 0; r < n; r++)
            cr_assert_eq((int)number_in(json_array_get(rounds, (size_t)r), "size"), size[r]);
        for (size_t i = 0; i < json_array_size(json_object_get(bill, "rows")); i++)
            cents += round(100 * number_in(json_array_get(json_object_get(bill, "rows"), i), "cost"));
        cr_assert_eq(number_in(bill, "total"), cents / 100);
        cr_assert_leq(number_in(bill, "total"), money);
        const json_t *said = json_object_get(json_object_get(bill, "budget"), "cut");
        const int all = n == 4 && size[3] == 4;
        cr_assert_eq(said == NULL, all);
        whole += all;
        cut += !all && size[n - 1] < (n == 1 ? 8 : 4);
        none += !all && size[n - 1] == (n == 1 ? 8 : 4);
        json_decref(j);
        sow_config_destroy(config);
    }
    cr_assert(cut > 5 && whole > 0 && none > 0, "%d cut, %d whole, %d not begun", cut, whole, none);
}

Test(budget, plays_the_rounds_it_said_and_goes_on_when_there_is_more_money)
{
    int size[4];
    sow_config *config = priced(400), *more = NULL;
    const int n = expected_sizes(size, config, 400);
    cr_assert(n < 4 && size[n - 1] < 4, "%d rounds", n);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, "b");
    MUST(sow_campaign_run(c, NULL, &err));
    cr_assert_eq(sow_campaign_next_step(c), SOW_NEXT_NOTHING);
    char *why = sow_campaign_why_ended(c);
    cr_assert(why && strstr(why, "is cut from 4 to"), "%s", why);
    free(why);
    json_t *j = status_of(c), *rounds = json_object_get(j, "rounds_done");
    cr_assert_str_eq(json_string_value(json_object_get(j, "state")), "finished");
    cr_assert(json_is_string(json_object_get(j, "ended")));
    cr_assert_eq((int)json_array_size(rounds), n);
    for (int r = 0; r < n; r++)
        cr_assert_eq((int)number_in(json_array_get(rounds, (size_t)r), "size"), size[r]);
    cr_assert_leq(number_in(json_object_get(j, "bill"), "total"), 400);
    json_decref(j);
    cr_assert_eq(sow_campaign_plan(c, NULL, &err), SOW_E_STATE);
    cr_assert(strstr(err.message, "budget.money"), "%s", err.message);
    close_campaign(c);
    more = priced(2000);
    run_in(more, "b");
    c = open_campaign(more, SOW_CAMPAIGN_READ, "b");
    j = status_of(c);
    cr_assert_eq((int)json_array_size(json_object_get(j, "rounds_done")), 4);
    cr_assert_null(json_object_get(j, "ended"));
    json_decref(j);
    close_campaign(c);
    sow_config_destroy(config);
    sow_config_destroy(more);
}

/* What the file asks for may be more than the pool holds, as long as the budget cuts it; and what was begun can be looked at whatever the budget is now. */
Test(budget, of_a_campaign_under_way_is_what_it_was)
{
    sow_config *config = priced(400);
    config->rounds.batches[1] = 5000;
    config->rounds.batches[2] = 5000;
    run_in(config, "u");
    for (double money = 400; money > 1; money /= 5) {
        config->budget.money = money;
        sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, "u");
        json_t *j = status_of(c);
        cr_assert_str_eq(json_string_value(json_object_get(j, "state")), "finished");
        cr_assert(json_is_string(json_object_get(j, "ended")));
        json_decref(j);
        close_campaign(c);
    }
    sow_config_destroy(config);
}

Test(budget, that_affords_nothing_is_refused_before_anything_is_written)
{
    sow_config *config = priced(100);
    sow_campaign *c = NULL;
    char least[64];
    snprintf(least, sizeof least, "with a single perturbation it costs %.2f;", price(config, 1));
    sow_campaign_options options = {.dir = scratch_path("none"), .mode = SOW_CAMPAIGN_WRITE};
    cr_assert_eq(sow_campaign_open(&c, config, &options, NULL, &err), SOW_E_CONFIG);
    cr_assert(strstr(err.message, "budget.money 100.00 USD does not pay for round 0") && strstr(err.message, least), "%s", err.message);
    cr_assert_not(sow_file_exists(scratch_path("none/campaign.db")));
    sow_config_destroy(config);
}

Test(budget, of_weeks_lets_no_round_begin_that_would_end_late)
{
    static const struct {
        double between, weeks;
        size_t rounds;
    } rows[] = {{NAN, 16, 4}, {NAN, 15.9, 3}, {NAN, 4, 1}, {2, 10, 4}, {2, 9.5, 3}, {6, 16, 3}, {6, 15.9, 2}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sow_config *config = config_of(simulated_yaml, FOUR_ROUNDS, "");
        config->costs.weeks_per_round = 4;
        config->costs.weeks_between_rounds = rows[i].between;
        config->budget.weeks = rows[i].weeks;
        json_t *j = checked(config);
        cr_assert_eq(json_array_size(json_object_get(json_object_get(j, "bill"), "rounds")), rows[i].rounds, "%g between, %g weeks", rows[i].between, rows[i].weeks);
        json_decref(j);
        run_in(config, "w");
        sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_READ, "w");
        j = status_of(c);
        cr_assert_eq(json_array_size(json_object_get(j, "rounds_done")), rows[i].rounds);
        cr_assert_leq(number_in(json_object_get(j, "bill"), "weeks"), rows[i].weeks);
        cr_assert_eq(json_is_string(json_object_get(j, "ended")), rows[i].rounds < 4);
        json_decref(j);
        close_campaign(c);
        scratch_remove_tree(scratch_path("w"));
        sow_config_destroy(config);
    }
}

Test(budget, what_was_spent_stays_what_it_was_when_prices_change)
{
    sow_config *config = priced(5000);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, "p");
    MUST(sow_campaign_plan(c, NULL, &err));
    MUST(sow_campaign_measure(c, NULL, &err));
    close_campaign(c);
    const double then = price(config, 8);
    config->costs.per_cell = 1.1;
    c = open_campaign(config, SOW_CAMPAIGN_WRITE, "p");
    MUST(sow_campaign_plan(c, NULL, &err));
    json_t *j = status_of(c), *rounds = json_object_get(j, "rounds_done");
    cr_assert_eq(number_in(json_array_get(rounds, 0), "cost"), then);
    cr_assert_eq(number_in(json_array_get(rounds, 1), "cost"), price(config, 4));
    json_decref(j);
    close_campaign(c);
    sow_config_destroy(config);
}

/* Strategies prefer what they prefer: however a batch is spread over contexts of different prices, no more is spent than there is. */
Test(budget, is_kept_where_contexts_have_prices_of_their_own)
{
    static const char reference[] = "    - {file: screen.csv, role: reference, context: {column: line}, contexts: [other], perturbation: gene, cells: n_cells}\n";
    char *both = replaced(scalar_yaml, "contexts: [here]", "contexts: [here, other]"), *alone = replaced(both, reference, "");
    int cut = 0;
    for (double money = 700; money < 2400; money += 190) {
        char more[400];
        snprintf(more, sizeof more, "design: {control_guides: 5, control_share: 0.1}\ncosts: {per_round: 90, per_guide: 3, per_cell: 0.1, contexts: [{context: other, per_context: 120, per_cell: 0.5}]}\nbudget: {money: %g}\n", money);
        sow_config *config = config_of(alone, FOUR_ROUNDS, more);
        run_in(config, "m");
        sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_READ, "m");
        json_t *j = status_of(c), *bill = json_object_get(j, "bill"), *rows = json_object_get(bill, "rows");
        double cents = 0, control_guides = 0;
        for (size_t i = 0; i < json_array_size(rows); i++) {
            const json_t *row = json_array_get(rows, i);
            cents += round(100 * number_in(row, "cost"));
            if (strcmp(json_string_value(json_object_get(row, "item")), "control guides") == 0) control_guides += number_in(row, "quantity");
        }
        cr_assert_eq(number_in(bill, "total"), cents / 100);
        cr_assert_leq(number_in(bill, "total"), money);
        cr_assert_eq(control_guides, 5, "ordered once");
        cut += json_is_string(json_object_get(j, "ended"));
        json_decref(j);
        close_campaign(c);
        scratch_remove_tree(scratch_path("m"));
        sow_config_destroy(config);
    }
    cr_assert_geq(cut, 3);
    free(both);
    free(alone);
}
