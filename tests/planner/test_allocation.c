/* Cells inside a batch by expected gain: planned cells add up, reach the oracle, cost what uniform ones cost, and follow what the model says. */
#include "planner/cells_internal.h"

#include "campaign_fixture.h"
#include "core/memory.h"
#include "planner/choice_internal.h"
#include "planner/pairs.h"

TestSuite(allocation, .init = scratch_create, .fini = scratch_remove);

static sow_error err;

#define GAIN ", allocation: expected-gain"

static const char cells_world[] =
    "sower: 1\nname: c\nseed: 4\nreadout: {kind: cells}\n"
    "oracle: {kind: generative, perturbations: 40, genes: 50, modules: 5, programs: 5, controls: 300, cells: 320, prior_dims: 6, informativeness: 0.9, held_out: {count: 8}}\n"
    "model: {kind: gp, iterations: 8, components: 4}\nacquisition: {strategy: random}\n" COMMON_ROUNDS
    "features: {min_cells_per_perturbation: 8}\ndesign: {cells_per_perturbation: 20, control_share: 0.2" GAIN "}\nevaluation: {de_genes: 10, measured: true}\ncosts: {per_round: 100, per_cell: 0.1}\n";

static sow_campaign *played(sow_config **config, const char *yaml, const char *folder)
{
    *config = read_config(yaml);
    sow_campaign *c = open_campaign(*config, SOW_CAMPAIGN_WRITE, folder);
    MUST(sow_campaign_run(c, NULL, &err));
    return c;
}

static void put_away(sow_campaign *c, sow_config *config)
{
    close_campaign(c);
    sow_config_destroy(config);
}

static sow_index sum_of_round(const sow_i_round *r, sow_index *fewest, sow_index *most)
{
    sow_index sum = 0;
    *fewest = *most = r->pick[0].planned_cells;
    for (sow_index i = 0; i < r->n; i++) {
        sum += r->pick[i].planned_cells;
        *fewest = r->pick[i].planned_cells < *fewest ? r->pick[i].planned_cells : *fewest;
        *most = r->pick[i].planned_cells > *most ? r->pick[i].planned_cells : *most;
    }
    return sum;
}

/* Round 0 has no model to go by; later ones have cells between the bounds that add up, and somebody has more than somebody else. */
static void check_rounds(const sow_campaign *c, sow_index each, sow_index least, sow_index greatest)
{
    sow_index fewest, most;
    cr_expect_eq(sum_of_round(&c->round[0], &fewest, &most), each * c->round[0].n);
    cr_expect(fewest == each && most == each);
    for (sow_index r = 1; r < c->n_rounds && c->round[r].planned; r++) {
        cr_expect_eq(sum_of_round(&c->round[r], &fewest, &most), each * c->round[r].n);
        cr_expect(fewest >= least && most <= greatest && fewest < most, "round %lld: %lld to %lld", (long long)r, (long long)fewest, (long long)most);
    }
}

Test(allocation, hands_out_the_cells_that_were_planned)
{
    sow_config *config = NULL;
    sow_campaign *c = played(&config, cells_world, "r");
    check_rounds(c, 20, 8, 80); /* a quarter would be 5, which would be too few to be taken */
    for (sow_index r = 0; r < c->n_rounds; r++)
        for (sow_index i = 0; i < c->round[r].n; i++) {
            const sow_i_pick *pick = &c->round[r].pick[i];
            const sow_i_item *item = &c->here->item[pick->perturbation];
            cr_expect_eq(pick->outcome, SOW_MEASURED);
            cr_expect(item->n_draws == 1 && item->draw[0].n == pick->planned_cells, "%lld cells of %lld", (long long)item->draw[0].n, (long long)pick->planned_cells);
            cr_expect_eq(strstr(pick->reason, " cells: predicted within") != NULL, r > 0, "%s", pick->reason);
        }
    put_away(c, config);
}

Test(allocation, costs_what_as_many_cells_for_each_cost)
{
    sow_config *config = NULL, *alike = NULL;
    char *yaml = replaced(cells_world, GAIN, "");
    sow_campaign *c = played(&config, cells_world, "r"), *u = played(&alike, yaml, "u");
    for (sow_index r = 0; r < c->n_rounds; r++) {
        sow_bill a, b;
        double cost = 0, cost_alike = 0;
        sow_i_bill(c, &c->round[r], &a);
        sow_i_bill(u, &u->round[r], &b);
        cr_expect(a.total == b.total && a.total > 0);
        for (sow_index i = 0; i < c->round[r].n; i++) {
            cr_expect_eq(c->round[r].pick[i].perturbation, u->round[r].pick[i].perturbation); /* random choice is not touched */
            cost += c->round[r].pick[i].cost;
            cost_alike += u->round[r].pick[i].cost;
        }
        cr_expect(fabs(cost - cost_alike) < 0.005 * (double)c->round[r].n + 1e-9, "%g and %g", cost, cost_alike);
    }
    put_away(c, config);
    put_away(u, alike);
    free(yaml);
}

Test(allocation, gives_more_to_what_the_model_knows_less)
{
    sow_config *config = read_config(cells_world);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, "r");
    MUST(sow_campaign_plan(c, NULL, &err));
    MUST(sow_campaign_measure(c, NULL, &err));
    MUST(sow_campaign_plan(c, NULL, &err));
    const sow_i_round *r = &c->round[1];
    double var[5], few[5], many[5];
    for (sow_index i = 0; i < r->n; i++) {
        double *mean = sow_calloc(c->d, sizeof(double)), *v = sow_calloc(c->d, sizeof(double)), *a = sow_calloc(c->d, sizeof(double)), *b = sow_calloc(c->d, sizeof(double));
        MUST(sow_i_predict_pairs_with(mean, v, a, c, &r->pick[i].perturbation, 1, 8, NULL, &err));
        MUST(sow_i_predict_pairs_with(mean, v, b, c, &r->pick[i].perturbation, 1, 80, NULL, &err));
        var[i] = few[i] = many[i] = 0;
        for (sow_index j = 0; j < c->d; j++) {
            var[i] += v[j];
            few[i] += a[j];
            many[i] += b[j];
        }
        cr_expect(few[i] > many[i]); /* noise falls with cells */
        free(mean);
        free(v);
        free(a);
        free(b);
    }
    for (sow_index i = 0; i < r->n; i++)
        for (sow_index k = 0; k < r->n; k++)
            if (var[i] > var[k]) cr_expect(r->pick[i].planned_cells >= r->pick[k].planned_cells);
    put_away(c, config);
}

/* Few cells, and whoever is drawn, near the threshold or far. */
static const char hits_world[] =
    "sower: 1\nname: c\nseed: 4\n"
    "oracle: {kind: generative, perturbations: 80, modules: 6, prior_dims: 6, informativeness: 0.95, held_out: {fraction: 0.2}}\n"
    "objective: {kind: hits, top: 0.1}\nmodel: {kind: gp, iterations: 8}\nacquisition: {strategy: random}\nrounds: {initial: {size: 20, strategy: random}, batches: [10, 10]}\n"
    "design: {cells_per_perturbation: 40, allocation_range: 2" GAIN "}\nevaluation: {measured: true}\n";

static double share_of_cells(const sow_campaign *c, sow_index q)
{
    double sum = 0;
    for (sow_index i = 0; i < c->screen->n_rows; i++)
        sum += c->screen->cells[i];
    return c->screen->cells[sow_screen_find(c->screen, q, c->here->target)] / sum * (double)c->screen->n_rows;
}

Test(allocation, gives_more_near_the_threshold_where_hits_are_looked_for)
{
    sow_config *config = NULL;
    sow_campaign *c = played(&config, hits_world, "r");
    check_rounds(c, 40, 20, 80);
    double near = 0, far = 0, planned = 0, came = 0;
    for (sow_index r = 1; r < c->n_rounds; r++)
        for (sow_index i = 0; i < c->round[r].n; i++) {
            const sow_i_pick *pick = &c->round[r].pick[i];
            const char *at = strstr(pick->reason, " cells: ");
            double sd = 0;
            cr_assert(at && sscanf(at, " cells: %lf sd", &sd) == 1 && strstr(at, "the hit threshold"), "%s", pick->reason);
            if (pick->planned_cells > 40) near = fmax(near, sd);
            if (pick->planned_cells < 40) far = fmax(far, sd);
            /* Poisson about the plan times how well the perturbation is represented: 6 standard deviations */
            const double expected = (double)pick->planned_cells * share_of_cells(c, pick->perturbation), cells = c->here->item[pick->perturbation].cells;
            cr_expect(fabs(cells - expected) < 6 * sqrt(expected) + 0.3 * expected, "%g cells where %g were expected", cells, expected);
            planned += (double)pick->planned_cells;
            came += cells;
        }
    cr_expect(far > near, "%g and %g sd", far, near);
    cr_expect(came > 0.5 * planned && came < 2 * planned);
    put_away(c, config);
}

static double metric_of(const sow_campaign *c, sow_index round, const char *model, const char *name)
{
    for (size_t i = 0; i < json_array_size(c->round[round].metrics); i++) {
        const json_t *row = json_array_get(c->round[round].metrics, i);
        if (strcmp(json_string_value(json_object_get(row, "metric")), name) == 0 && strcmp(json_string_value(json_object_get(row, "model")), model) == 0)
            return json_number_value(json_object_get(row, "value"));
    }
    return NAN;
}

/* By definition, from the simulator's truth. */
Test(allocation, says_how_far_what_was_measured_is_from_the_truth)
{
    sow_config *config = NULL;
    sow_campaign *c = played(&config, hits_world, "r");
    double squares = 0, n = 0, right = 0, strongest_other = -INFINITY, weakest_hit = INFINITY;
    for (sow_index q = 0; q < c->n; q++) {
        const double truth = c->screen->values[sow_screen_find(c->screen, q, c->here->target)];
        if (!c->here->in_pool[q]) continue;
        if (c->here->true_hit[q]) weakest_hit = fmin(weakest_hit, truth);
        else strongest_other = fmax(strongest_other, truth);
    }
    cr_assert(weakest_hit > strongest_other);
    for (sow_index q = 0; q < c->n; q++) {
        const double truth = c->screen->values[sow_screen_find(c->screen, q, c->here->target)];
        if (!c->here->item[q].values) continue;
        squares += pow(c->here->item[q].values[0] - truth, 2);
        right += (c->here->item[q].values[0] >= 0.5 * (weakest_hit + strongest_other)) == c->here->true_hit[q];
        n++;
    }
    cr_expect(fabs(metric_of(c, 2, "", "rmse_measured") - sqrt(squares / n)) < 1e-12);
    cr_expect(fabs(metric_of(c, 2, "", "calls_right") - right / n) < 1e-12);
    cr_expect(metric_of(c, 2, "", "calls_lost") >= 0);
    cr_expect(metric_of(c, 2, "gp", "rmse_estimated") > 0 && metric_of(c, 2, "gp", "calls_right_estimated") <= 1 && metric_of(c, 2, "gp", "calls_lost_estimated") >= 0);
    put_away(c, config);
}

/* Cells: all of a perturbation's cells against all controls are the truth; with more of them measured, the error is smaller. */
Test(allocation, has_a_smaller_error_where_more_cells_are_measured)
{
    sow_config *config = NULL, *more_config = NULL;
    char *yaml = replaced(cells_world, "cells_per_perturbation: 20", "cells_per_perturbation: 100");
    sow_campaign *c = played(&config, cells_world, "r"), *m = played(&more_config, yaml, "m");
    const double few = metric_of(c, 2, "", "rmse_measured"), more = metric_of(m, 2, "", "rmse_measured");
    cr_expect(more > 0 && more < 0.7 * few, "%g and %g", more, few);
    cr_expect(metric_of(c, 2, "gp", "rmse_estimated") > 0 && !isfinite(metric_of(c, 2, "", "calls_right")));
    put_away(c, config);
    put_away(m, more_config);
    free(yaml);
}

static void refused(const char *yaml, const char *says)
{
    sow_config *config = read_config(yaml);
    sow_campaign *c = NULL;
    sow_campaign_options options = {.dir = scratch_path("x"), .mode = SOW_CAMPAIGN_WRITE, .argv = "test"};
    cr_expect_eq(sow_campaign_open(&c, config, &options, NULL, &err), SOW_E_CONFIG);
    cr_expect_not_null(strstr(err.message, says), "%s", err.message);
    sow_config_destroy(config);
}

Test(allocation, is_refused_where_the_model_or_the_readout_cannot_use_it)
{
    char *linear = replaced(cells_world, "kind: gp, iterations: 8, components: 4", "kind: linear");
    refused(linear, "needs a model that says how unsure it is and how noise falls with cells: `model: {kind: gp}`; 'linear' does not");
    free(linear);
    char *table = replaced(profile_yaml, "cells_per_perturbation: 45", "cells_per_perturbation: 45" GAIN);
    refused(table, "a finished table has its values whatever is planned");
    free(table);
}

/* Nobody told how many cells stand behind the values: no cell is known to help, and all get as many. */
Test(allocation, is_uniform_where_the_model_knows_no_cells)
{
    char *lab = replaced(at_lab(scalar_yaml), ", contexts: [here], perturbation: gene, cells: n_cells", ", contexts: [here], perturbation: gene");
    char *alone = replaced(lab, "    - {file: screen.csv, role: reference, context: {column: line}, contexts: [other], perturbation: gene, cells: n_cells}\n", "");
    char *yaml = replaced(alone, "oracle: {kind: lab}\n", "oracle: {kind: lab}\ndesign: {cells_per_perturbation: 30" GAIN "}\n");
    sow_config *config = read_config(yaml);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, "r");
    sow_record_summary s;
    char text[1024], *p = text;
    MUST(sow_campaign_plan(c, NULL, &err));
    p += sprintf(p, "gene,score\n");
    for (sow_index i = 0; i < c->round[0].n; i++)
        p += sprintf(p, "%s,%d.5\n", sow_i_name(c, c->round[0].pick[i].perturbation), (int)i);
    MUST(sow_campaign_record(c, scratch_write("r.csv", text), 0, &s, NULL, &err));
    MUST(sow_campaign_plan(c, NULL, &err));
    for (sow_index i = 0; i < c->round[1].n; i++) {
        cr_expect_eq(c->round[1].pick[i].planned_cells, 30);
        cr_expect_null(strstr(c->round[1].pick[i].reason, "cells:"));
    }
    put_away(c, config);
    free(lab);
    free(alone);
    free(yaml);
}

Test(allocation, shares_out_the_cells_of_each_context)
{
    char *two = replaced(cells_world, "held_out: {count: 8}", "contexts: 3, targets: 2, held_out: {count: 8}");
    char *yaml = replaced(two, "{initial: {size: 8, strategy: random}, batches: [5, 5]}", "{initial: {size: 12, strategy: random}, batches: [9]}");
    sow_config *config = NULL;
    sow_campaign *c = played(&config, yaml, "r");
    sow_index n[2] = {0}, cells[2] = {0}, fewest, most;
    cr_assert_eq(c->n_sites, 2);
    for (sow_index i = 0; i < c->round[1].n; i++) {
        n[c->round[1].pick[i].site]++;
        cells[c->round[1].pick[i].site] += c->round[1].pick[i].planned_cells;
    }
    cr_expect(cells[0] == 20 * n[0] && cells[1] == 20 * n[1] && n[0] + n[1] == 9);
    (void)sum_of_round(&c->round[1], &fewest, &most);
    cr_expect(fewest < most);
    put_away(c, config);
    free(two);
    free(yaml);
}

/* A failed allocation of memory anywhere in planning is an error, and nothing is lost or left: asked again, the round is the same. */
Test(allocation, plans_the_same_after_memory_ran_out)
{
    sow_config *config = read_config(cells_world);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, "r");
    MUST(sow_campaign_plan(c, NULL, &err));
    MUST(sow_campaign_measure(c, NULL, &err));
    sow_index failures = 0;
    for (sow_index at = 0; !c->round[1].planned; at += 1 + at / 8) { /* with the event made, what fails later is files, which are written anew when the campaign is opened */
        sow_memory_fail_after(at);
        const sow_status st = sow_campaign_plan(c, NULL, &err);
        sow_memory_fail_after(-1);
        cr_assert(st == SOW_OK || st == SOW_E_NOMEM, "%s", err.message);
        failures += st != SOW_OK;
        cr_assert(failures < 500);
    }
    cr_expect_gt(failures, 10);
    check_rounds(c, 20, 8, 80);
    put_away(c, config);
}
