/* Models against what is true in a simulated screen: of what was never measured they know more than that nothing happens. */
#include "truth_fixture.h"

TestSuite(truth, .init = scratch_create, .fini = scratch_remove);

enum { SEEDS = 6 };

/* Predicting no change is what to beat: it explains 0. A seed is another world. */
Test(truth, is_recovered_by_gp_and_linear_beyond_no_change)
{
    double gp[SEEDS], linear[SEEDS], nearer[SEEDS];
    for (int s = 0; s < SEEDS; s++) {
        char name[20];
        snprintf(name, sizeof name, "alone%d", s);
        truth_play(name, 1 + s, "", "kind: gp", 80);
        gp[s] = truth_metric(name, "gp", "truth_explained");
        linear[s] = truth_metric(name, "linear", "truth_explained");
        nearer[s] = truth_metric(name, "control", "truth_rmse") - truth_metric(name, "gp", "truth_rmse");
        cr_assert_eq(truth_metric(name, "control", "truth_explained"), 0);
    }
    cr_assert_gt(truth_low(gp, SEEDS), 0.1, "gp explains %.3f, at least %.3f", sow_mean(gp, SEEDS), truth_low(gp, SEEDS));
    cr_assert_gt(truth_low(linear, SEEDS), 0, "linear explains %.3f, at least %.3f", sow_mean(linear, SEEDS), truth_low(linear, SEEDS));
    cr_assert_gt(truth_low(nearer, SEEDS), 0, "gp is nearer by %.4f, at least %.4f", sow_mean(nearer, SEEDS), truth_low(nearer, SEEDS));
}

/* The sum of both is right about additive combinations and wrong about those that suppress each other. */
Test(truth, tells_what_the_sum_of_both_knows_by_kind_of_interaction)
{
    enum { FEW = 4 };
    double additive[FEW], less[FEW], gp[FEW];
    for (int s = 0; s < FEW; s++) {
        char name[20];
        snprintf(name, sizeof name, "two%d", s);
        truth_play(name, 1 + s, ", combinations: 160, interactions: {additive: 1, suppression: 1}", "kind: gp", 240);
        additive[s] = truth_metric(name, "additive", "truth_explained_additive");
        less[s] = additive[s] - truth_metric(name, "additive", "truth_explained_suppression");
        gp[s] = truth_metric(name, "gp", "truth_explained_additive");
    }
    cr_assert_gt(truth_low(additive, FEW), 0.3, "%.3f, at least %.3f", sow_mean(additive, FEW), truth_low(additive, FEW));
    cr_assert_gt(truth_low(less, FEW), 0.3, "%.3f, at least %.3f", sow_mean(less, FEW), truth_low(less, FEW));
    cr_assert_gt(truth_low(gp, FEW), 0.3, "%.3f, at least %.3f", sow_mean(gp, FEW), truth_low(gp, FEW));
}

/* Nothing is said of what is true where nobody knows it. */
Test(truth, is_not_claimed_for_a_screen_that_is_replayed)
{
    cell_recipe recipe = CELL_RECIPE;
    sow_error err = {0};
    write_cells("cells.h5ad", &recipe);
    write_layout("layout.csv");
    sow_config *config = read_config(cells_yaml);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, "replayed");
    MUST(sow_campaign_run(c, NULL, &err));
    cr_assert_null(strstr(scratch_read(scratch_path("replayed/metrics.csv")), "truth_"));
    close_campaign(c);
    sow_config_destroy(config);
}
