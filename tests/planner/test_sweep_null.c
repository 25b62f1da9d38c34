/* Chance against chance, with campaigns that are played. Minutes, hence slow. */
#include "sweep_fixture.h"

#include "core/stats.h"

/* Two arms of chance with different streams, for real: 2,000 sweeps of 5 seeds on the simulator. One sweep of 10,000 seeds, cut into those. */
Test(sweep_null, chance_against_chance_differs_in_4_to_6_of_100_sweeps, .init = scratch_create, .fini = scratch_remove)
{
    enum { SEEDS = 5, SWEEPS = 2000 };
    static double end[2][SEEDS * SWEEPS];
    scratch_write("null.yaml", "sower: 1\nname: null\noracle: {kind: generative, perturbations: 120, modules: 12, prior_dims: 3, held_out: {count: 0}}\nobjective: {kind: hits, top: 0.15}\n"
                               "model: {kind: train-mean}\nrounds: {initial: {size: 10, strategy: random}, batches: [20, 20]}\n");
    json_decref(play("sower: 1\nsweep: s\ncampaign: null.yaml\nseeds: 10000\narms: {a: {acquisition.stream: 1}, b: {acquisition.stream: 2}}\n", "out", 2));
    json_t *all = results("out");
    for (size_t i = 0; i < json_array_size(all); i++) {
        json_t *j = json_array_get(all, i);
        const sow_index arm = (sow_index)json_integer_value(json_object_get(json_object_get(json_object_get(j, "settings"), "acquisition"), "stream")) - 1;
        end[arm][json_integer_value(json_object_get(j, "seed")) - 1] = json_number_value(json_object_get(json_object_get(round_of(j, 2), "metrics"), "hits_recall"));
    }
    int excluded = 0;
    for (int k = 0; k < SWEEPS; k++) {
        sow_interval v;
        sow_error err = {0};
        MUST(sow_paired_interval(&v, &end[0][k * SEEDS], &end[1][k * SEEDS], SEEDS, 0.95, &err));
        excluded += v.low > 0 || v.high < 0;
    }
    printf("%d of %d intervals exclude zero\n", excluded, SWEEPS);
    cr_expect(excluded >= 0.04 * SWEEPS && excluded <= 0.06 * SWEEPS, "%d of %d", excluded, SWEEPS);
    json_decref(all);
}
