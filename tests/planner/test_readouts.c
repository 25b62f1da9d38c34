/* What a campaign makes of scalars in two contexts and of profiles. */
#include "planner/campaign.h"

#include "campaign_fixture.h"

TestSuite(readouts, .init = scratch_create, .fini = scratch_remove);

static sow_error err;

static void play(const char *yaml, const char *folder)
{
    sow_config *config = read_config(yaml);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, folder);
    MUST(sow_campaign_run(c, NULL, &err));
    close_campaign(c);
    sow_config_destroy(config);
}

/* Value of a row "ROUND,measured,MODEL,context,METRIC,VALUE,..." of metrics.csv; NaN when there is none. */
static double metric(const char *folder, int round, const char *model, const char *name)
{
    char path[64], line[256];
    double value = NAN;
    snprintf(path, sizeof path, "%s/metrics.csv", folder);
    FILE *f = fopen(scratch_path(path), "r");
    cr_assert_not_null(f);
    while (fgets(line, sizeof line, f)) {
        char m[64] = "", metric_name[64] = "";
        int r = -1;
        double v = NAN;
        if (sscanf(line, "%d,%*d,%63[^,],%*[^,],%63[^,],%lf", &r, m, metric_name, &v) >= 3 && r == round && strcmp(m, model) == 0 &&
            strcmp(metric_name, name) == 0)
            value = v;
    }
    fclose(f);
    return value;
}

/* Name of rank `rank` (from 1) in a round's batch.csv; static storage. */
static const char *pick(const char *folder, int round, int rank)
{
    static char name[64];
    char path[64], line[512];
    int at = -1;
    snprintf(path, sizeof path, "%s/rounds/%02d/batch.csv", folder, round);
    FILE *f = fopen(scratch_path(path), "r");
    cr_assert_not_null(f);
    name[0] = '\0';
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "%d,%63[^,]", &at, name) == 2 && at == rank) break;
    fclose(f);
    cr_assert_eq(at, rank);
    return name;
}

Test(readouts, the_reference_ranks_the_first_batch)
{
    char *yaml = replaced(scalar_yaml, "size: 8, strategy: random", "size: 8, strategy: reference");
    play(yaml, "r");
    double last = INFINITY;
    for (int rank = 1; rank <= 8; rank++) {
        double value = scalar_of(atoi(pick("r", 0, rank) + 1), 1);
        cr_assert(value <= last + 1e-9, "rank %d: %g after %g", rank, value, last);
        last = value;
    }
    free(yaml);
}

Test(readouts, low_values_are_wanted_when_asked_for)
{
    char *low = replaced(scalar_yaml, "top: 0.1", "top: 0.1, direction: low");
    char *yaml = replaced(low, "size: 8, strategy: random", "size: 8, strategy: reference");
    play(yaml, "r");
    for (int rank = 2; rank <= 8; rank++) {
        double before = scalar_of(atoi(pick("r", 0, rank - 1) + 1), 1), value = scalar_of(atoi(pick("r", 0, rank) + 1), 1);
        cr_assert(value >= before - 1e-9);
    }
    cr_assert_gt(metric("r", 2, "gp", "spearman"), 0.5); /* a prediction is in the readout's own direction */
    free(low);
    free(yaml);
}

Test(readouts, a_prediction_may_choose_the_first_batch_when_there_is_a_reference)
{
    char *yaml = replaced(scalar_yaml, "size: 8, strategy: random", "size: 8, strategy: greedy");
    play(yaml, "r");
    double sum = 0;
    for (int rank = 1; rank <= 8; rank++)
        sum += scalar_of(atoi(pick("r", 0, rank) + 1), 0);
    cr_assert_gt(sum / 8, 0.8); /* the pool's mean is about 0 */
    free(yaml);
}

Test(readouts, scalars_are_judged_beside_the_baselines)
{
    play(scalar_yaml, "s");
    const char *const models[] = {"gp", "train-mean", "two-way", "linear", "knn"};
    const char *const metrics[] = {"spearman", "rmse", "nll", "coverage90"};
    for (int round = 0; round < 3; round++)
        for (int m = 0; m < 5; m++)
            for (int k = 1; k < 4; k++)
                cr_assert(isfinite(metric("s", round, models[m], metrics[k])), "round %d: %s of %s", round, metrics[k], models[m]);
    cr_assert_gt(metric("s", 2, "gp", "spearman"), 0.8);
    cr_assert_lt(metric("s", 2, "gp", "rmse"), metric("s", 2, "train-mean", "rmse"));
}

Test(readouts, a_campaign_that_learns_has_no_hits)
{
    char *learn = replaced(scalar_yaml, "objective: {kind: hits, top: 0.1}\n", ""), *yaml = replaced(learn, "greedy", "max-variance");
    play(yaml, "s");
    cr_assert(isnan(metric("s", 2, "", "hits_found")));
    cr_assert_null(strstr(scratch_read(scratch_path("s/metrics.csv")), "hits_"));
    cr_assert_not_null(strstr(scratch_read(scratch_path("s/metrics.csv")), ",pool_size,29"));
    free(learn);
    free(yaml);
}

Test(readouts, values_are_adjusted_for_covariates_when_asked)
{
    char *yaml = replaced(scalar_yaml, "column: score}", "column: score, adjust_for: [log(cells), depth]}");
    play(yaml, "a");
    cr_assert(isfinite(metric("a", 2, "gp", "rmse")));
    free(yaml);
}

Test(readouts, profiles_are_judged_beside_the_baselines)
{
    play(profile_yaml, "p");
    const char *const models[] = {"gp", "train-mean", "two-way", "linear", "knn"};
    const char *const metrics[] = {"pearson_delta_all", "pearson_delta_centred", "rmse_all"};
    for (int m = 0; m < 5; m++)
        for (int k = 0; k < 3; k++)
            cr_assert(isfinite(metric("p", 2, models[m], metrics[k])), "%s of %s", metrics[k], models[m]);
    cr_assert_lt(metric("p", 2, "gp", "rmse_all"), metric("p", 2, "train-mean", "rmse_all"));
    cr_assert_not_null(strstr(scratch_read(scratch_path("p/metrics.csv")), "direction"));
}

Test(readouts, what_is_known_in_the_end_does_not_depend_on_the_rounds_it_came_in)
{
    /* all 29 of the pool at once, or 2 and then 27, with nothing from elsewhere: two rows span one response component */
    const char *other = "    - {file: screen.h5ad, role: reference, context: {column: line}, contexts: [other], perturbation: perturbation, cells: n_cells}\n";
    char *alone = replaced(profile_yaml, other, ""), *once = replaced(alone, "size: 8, strategy: random}, batches: [5, 5]", "size: 29, strategy: random}, batches: []"),
         *late = replaced(alone, "size: 8, strategy: random}, batches: [5, 5]", "size: 2, strategy: random}, batches: [27]");
    play(once, "once");
    play(late, "late");
    const char *const metrics[] = {"rmse_all", "pearson_delta_all", "pearson_delta_centred"};
    for (int k = 0; k < 3; k++)
        cr_assert_float_eq(metric("late", 1, "gp", metrics[k]), metric("once", 0, "gp", metrics[k]), 1e-9, "%s: %g and %g", metrics[k], metric("late", 1, "gp", metrics[k]),
                           metric("once", 0, "gp", metrics[k]));
    cr_assert_lt(metric("once", 0, "gp", "rmse_all"), metric("once", 0, "train-mean", "rmse_all"));
    free(alone);
    free(once);
    free(late);
}

Test(readouts, every_strategy_that_fits_plays_profiles)
{
    const char *const strategies[] = {"random", "kmeans", "core-set", "max-variance"};
    for (int i = 0; i < 4; i++) {
        char *yaml = replaced(profile_yaml, "max-variance", strategies[i]);
        play(yaml, strategies[i]);
        free(yaml);
    }
}

Test(readouts, no_value_of_an_unmeasured_or_held_out_perturbation_reaches_a_plan)
{
    /* the same screen with every value that was neither picked nor referenced turned upside down: the batches stay the same */
    play(scalar_yaml, "true");
    char picked[N_PERTURBATIONS] = {0}, text[8192], *p = text;
    for (int round = 0; round < 3; round++)
        for (int rank = 1; rank <= (round ? 5 : 8); rank++)
            picked[atoi(pick("true", round, rank) + 1)] = 1;
    char *batches[3];
    for (int round = 0; round < 3; round++) {
        char path[64];
        snprintf(path, sizeof path, "true/rounds/%02d/batch.csv", round);
        batches[round] = strdup(scratch_read(scratch_path(path)));
    }
    p += sprintf(p, "gene,line,score,n_cells,depth\n");
    for (int i = 0; i < N_PERTURBATIONS; i++) {
        p += sprintf(p, "P%02d,here,%.5f,%d,%.3f\n", i, picked[i] ? scalar_of(i, 0) : 50 - 9 * scalar_of(i, 0), 50 + i, 1 + 0.1 * (i % 7));
        p += sprintf(p, "P%02d,other,%.5f,%d,%.3f\n", i, scalar_of(i, 1), 50 + i, 1 + 0.1 * (i % 7));
    }
    sow_config *config = read_config(scalar_yaml);
    scratch_write("screen.csv", text);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, "false");
    MUST(sow_campaign_run(c, NULL, &err));
    close_campaign(c);
    sow_config_destroy(config);
    for (int round = 0; round < 3; round++) {
        char path[64];
        snprintf(path, sizeof path, "false/rounds/%02d/batch.csv", round);
        cr_assert_str_eq(scratch_read(scratch_path(path)), batches[round], "round %d", round);
        free(batches[round]);
    }
}
