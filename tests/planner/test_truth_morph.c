/* MORPH against what is true in a simulated screen; beside test_truth.c because it takes half a minute. */
#include "truth_fixture.h"

TestSuite(truth_morph, .init = scratch_create, .fini = scratch_remove);

Test(truth_morph, is_recovered_beyond_no_change, .timeout = 600)
{
    enum { SEEDS = 4 };
    double explained[SEEDS], nearer[SEEDS];
    for (int s = 0; s < SEEDS; s++) {
        char name[20];
        snprintf(name, sizeof name, "morph%d", s);
        truth_play(name, 1 + s, "",
                   "kind: morph, epochs: 30, members: 2, learning_rate: 0.001, gamma1: 0, last_weights: true, encoder: 32, hidden: 16, latent_cell: 5, latent_perturbation: 16, batch: 16", 80);
        explained[s] = truth_metric(name, "morph", "truth_explained");
        nearer[s] = truth_metric(name, "control", "truth_rmse") - truth_metric(name, "morph", "truth_rmse");
    }
    cr_assert_gt(truth_low(explained, SEEDS), 0, "%.3f, at least %.3f", sow_mean(explained, SEEDS), truth_low(explained, SEEDS));
    cr_assert_gt(truth_low(nearer, SEEDS), 0, "%.4f, at least %.4f", sow_mean(nearer, SEEDS), truth_low(nearer, SEEDS));
}
