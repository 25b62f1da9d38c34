/* Campaigns whose model learns from cells: representations, losses, kept models and interrupted trainings. */
#include "planner/cells_internal.h"
#include "planner/choice_internal.h"

#include "campaign_fixture.h"

TestSuite(morph, .init = scratch_create, .fini = scratch_remove);

static sow_error err;

static const char morph_yaml[] =
    "sower: 1\nname: c\nseed: 4\nreadout: {kind: cells}\n"
    "oracle: {kind: generative, perturbations: 40, genes: 40, modules: 5, programs: 4, controls: 300, cells: 40, prior_dims: 6, held_out: {fraction: 0.2}}\n"
    "model: {kind: morph, epochs: 3, latent_cell: 4, latent_perturbation: 5, programs: 4, program_dim: 3, hidden: 8, encoder: 16}\n"
    "acquisition: {strategy: loss-prediction, representation: learned}\n" COMMON_ROUNDS "design: {cells_per_perturbation: 60, control_share: 0.3}\n";

static void play(const char *yaml, const char *folder, const sow_env *env)
{
    sow_config *config = read_config(yaml);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, folder);
    MUST(sow_campaign_run(c, env, &err));
    close_campaign(c);
    sow_config_destroy(config);
}

static char *played(const char *yaml, const char *folder, const sow_env *env)
{
    play(yaml, folder, env);
    return results_of(folder);
}

Test(morph, plays_a_campaign_with_every_strategy_of_learned_models)
{
    static const char *const strategies[] = {"{strategy: loss-prediction, representation: learned}",
                                             "{strategy: loss-prediction, representation: prior}",
                                             "{strategy: loss-prediction, representation: kernel, loss_form: ranking}",
                                             "{strategy: kmeans, representation: learned, weight: uncertainty}",
                                             "{strategy: kmeans, representation: kernel}",
                                             "{strategy: kmeans-embedding}",
                                             "{strategy: uncertainty}",
                                             "{strategy: soft-uncertainty}",
                                             "{strategy: loss-oracle}"};
    for (size_t i = 0; i < sizeof strategies / sizeof *strategies; i++) {
        char folder[8];
        snprintf(folder, sizeof folder, "s%d", (int)i);
        char *yaml = replaced(morph_yaml, "{strategy: loss-prediction, representation: learned}", strategies[i]), *all = played(yaml, folder, NULL);
        cr_expect(strstr(all, "2,18,morph,simulated,mmd_de,") != NULL, "%s", strategies[i]);
        cr_expect_eq(strstr(all, "weighted by how far their latents moved") != NULL, strstr(strategies[i], "weight:") != NULL, "%s", strategies[i]);
        cr_expect(strstr(all, ",control,simulated,mmd_de,") && strstr(all, ",train-mean,simulated,pearson_delta_all,"), "%s", strategies[i]);
        free(all);
        free(yaml);
    }
}

/* Strategies of learned models are shown what waits for its results among the labelled. */
Test(morph, chooses_nothing_twice_where_rounds_overlap)
{
    static const char *const strategies[] = {"{strategy: loss-prediction, representation: learned}", "{strategy: kmeans, representation: learned, weight: uncertainty}", "{strategy: kmeans-embedding}",
                                             "{strategy: uncertainty}", "{strategy: soft-uncertainty}", "{strategy: loss-oracle}"};
    for (size_t i = 0; i < sizeof strategies / sizeof *strategies; i++) {
        char folder[8], picked[32][24];
        int n = 0;
        snprintf(folder, sizeof folder, "o%d", (int)i);
        char *yaml = replaced(morph_yaml, "{strategy: loss-prediction, representation: learned}", strategies[i]);
        char *text = replaced(yaml, "design:", "costs: {weeks_per_round: 4, weeks_between_rounds: 2}\ndesign:"), *all = played(text, folder, NULL);
        for (int r = 0; r < 3; r++) {
            char path[64];
            snprintf(path, sizeof path, "%s/rounds/%02d/batch.csv", folder, r);
            for (const char *line = strchr(scratch_read(scratch_path(path)), '\n'); line && line[1]; line = strchr(line + 1, '\n'))
                cr_assert_eq(sscanf(line, "\n%*d,%23[^,]", picked[n++]), 1);
        }
        cr_assert_eq(n, 18);
        for (int a = 0; a < n; a++)
            for (int b = 0; b < a; b++)
                cr_expect_str_neq(picked[a], picked[b], "%s", strategies[i]);
        free(all);
        free(text);
        free(yaml);
    }
}

/* A simulated screen of cells is played as a finished one; people are told what they wrote. */
Test(morph, check_names_the_oracle_of_the_campaign_file)
{
    sow_config *config = read_config(morph_yaml);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_CHECK, NULL);
    char *text = NULL;
    MUST(sow_campaign_check_json(&text, c, &err));
    cr_expect(strstr(text, "\"oracle\": \"generative\"") != NULL, "%s", text);
    free(text);
    close_campaign(c);
    sow_config_destroy(config);
}

Test(morph, gives_the_same_bytes_for_any_number_of_threads)
{
    char *wanted = played(morph_yaml, "one", NULL);
    for (int n = 2; n <= 3; n++) {
        sow_env env = {0};
        char folder[8];
        snprintf(folder, sizeof folder, "t%d", n);
        MUST(sow_threads_create(&env.threads, n, &err));
        char *results = played(morph_yaml, folder, &env);
        cr_expect_str_eq(results, wanted, "%d threads", n);
        free(results);
        sow_threads_destroy(env.threads);
    }
    free(wanted);
}

/* Model files removed or damaged between steps, and every step in a process of its own. */
static char *played_in_pieces(const char *yaml, const char *folder, const char *spoil)
{
    sow_config *config = read_config(yaml);
    for (int step = 0; step < 6; step++) {
        sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, folder);
        if (step % 2 == 0) MUST(sow_campaign_plan(c, NULL, &err));
        else MUST(sow_campaign_measure(c, NULL, &err));
        close_campaign(c);
        for (int r = 0; spoil && r < 3; r++) {
            char name[64];
            snprintf(name, sizeof name, "%s/rounds/%02d/model.h5", folder, r);
            if (!sow_file_exists(scratch_path(name))) continue;
            if (*spoil) scratch_write(name, spoil);
            else unlink(scratch_path(name));
        }
    }
    sow_config_destroy(config);
    return results_of(folder);
}

Test(morph, does_not_depend_on_what_is_kept_of_its_models)
{
    char *warm = replaced(morph_yaml, "kind: morph,", "kind: morph, start: warm,");
    const char *const yamls[] = {morph_yaml, warm};
    for (int k = 0; k < 2; k++) {
        char *wanted = played(yamls[k], k ? "w" : "s", NULL), *kept = played_in_pieces(yamls[k], k ? "wk" : "sk", NULL);
        char *gone = played_in_pieces(yamls[k], k ? "wg" : "sg", ""), *damaged = played_in_pieces(yamls[k], k ? "wd" : "sd", "not a model");
        cr_expect_str_eq(kept, wanted, "kept, %s", k ? "warm" : "scratch");
        cr_expect_str_eq(gone, wanted, "gone, %s", k ? "warm" : "scratch");
        cr_expect_str_eq(damaged, wanted, "damaged, %s", k ? "warm" : "scratch");
        free(wanted);
        free(kept);
        free(gone);
        free(damaged);
    }
    char *scratch_start = results_of("s"), *warm_start = results_of("w");
    cr_expect_str_neq(scratch_start, warm_start);
    free(scratch_start);
    free(warm_start);
    free(warm);
}

static int stop_at; /* the callback's call that asks to stop */

static int stop(void *user, const char *what, double fraction)
{
    (void)user;
    (void)what;
    (void)fraction;
    return --stop_at <= 0;
}

Test(morph, goes_on_with_a_training_that_was_interrupted)
{
    char *wanted = played(morph_yaml, "undisturbed", NULL);
    sow_config *config = read_config(morph_yaml);
    sow_env env = {.progress = stop};
    int stopped = 0, unfinished = 0;
    for (int at = 1; at < 4000; at += at < 8 ? 1 : 1 + at / 6) {
        stop_at = at;
        sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, "stopped");
        sow_status st = sow_campaign_run(c, &env, &err);
        if (st == SOW_OK) close_campaign(c);
        else {
            cr_assert_eq(st, SOW_E_CANCELLED, "%s", err.message);
            sow_campaign_abandon(c);
            stopped++;
            for (int r = 0; r < 3; r++) {
                char name[64];
                snprintf(name, sizeof name, "stopped/rounds/%02d/model.part.h5", r);
                unfinished += sow_file_exists(scratch_path(name));
            }
            c = open_campaign(config, SOW_CAMPAIGN_WRITE, "stopped");
            MUST(sow_campaign_run(c, NULL, &err));
            close_campaign(c);
            cr_expect(!sow_file_exists(scratch_path("stopped/rounds/00/model.part.h5")));
        }
        char *results = results_of("stopped");
        cr_assert_str_eq(results, wanted, "stopped at call %d", at);
        free(results);
        scratch_remove_tree(scratch_path("stopped"));
        if (st == SOW_OK) break;
    }
    cr_expect_gt(stopped, 8);
    cr_expect_gt(unfinished, 0, "no training was interrupted");
    free(wanted);
    sow_config_destroy(config);
}

Test(morph, shows_a_strategy_latents_losses_and_drift_in_the_order_of_the_labelled)
{
    sow_config *config = read_config(morph_yaml);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, "view");
    MUST(sow_campaign_plan(c, NULL, &err));
    MUST(sow_campaign_measure(c, NULL, &err));
    const sow_strategy *s = NULL;
    MUST(sow_strategy_find(&s, "loss-prediction", &err));
    sow_i_choice x = {0};
    x.candidate = calloc((size_t)c->n, sizeof *x.candidate);
    x.name = calloc((size_t)c->n, sizeof *x.name);
    for (sow_index q = 0; q < c->n; q++)
        if (c->here->in_pool[q] && c->here->item[q].status == SOW_FREE) {
            x.candidate[x.n] = q;
            x.name[x.n++] = sow_i_name(c, q);
        }
    sow_status st = sow_i_choice_view(&x, c, s, 1, NULL, &err);
    cr_assert_eq(st, SOW_OK, "%s", err.message);
    cr_expect_eq(x.view.dim, 5);
    cr_expect_eq(x.view.n_labelled, 8);
    cr_expect_geq(x.view.n_losses, 8);
    unsigned char seen[8] = {0};
    for (sow_index i = 0; i < x.view.n_losses; i++) {
        cr_assert(x.view.loss_of[i] >= 0 && x.view.loss_of[i] < 8);
        seen[x.view.loss_of[i]] = 1;
        cr_expect(isfinite(x.view.loss[i]) && x.view.loss_cells[i] >= 2);
    }
    for (int i = 0; i < 8; i++) {
        cr_expect(seen[i], "no loss of %s", x.view.labelled_name[i]);
        double latent[5];
        unsigned char has;
        MUST(sow_model_embed(c->here->model, &x.labelled[i], 1, latent, &has, &err));
        for (int j = 0; j < 5; j++)
            cr_expect_eq(latent[j], x.view.labelled_features[i * 5 + j]);
    }
    sow_i_choice_clear(&x);
    close_campaign(c);
    sow_config_destroy(config);
}

Test(morph, says_how_predicted_losses_rank_beside_true_ones_when_asked_and_chooses_the_same)
{
    char *yaml = replaced(morph_yaml, "{strategy: loss-prediction, representation: learned}", "{strategy: loss-oracle}\nevaluation: {losses: true}");
    char *oracle = replaced(morph_yaml, "{strategy: loss-prediction, representation: learned}", "{strategy: loss-oracle}");
    char *said = played(yaml, "said", NULL), *silent = played(oracle, "silent", NULL);
    cr_expect_str_eq(said, silent);
    json_t *plan = json_loads(scratch_read(scratch_path("said/rounds/01/plan.json")), 0, NULL), *losses = json_object_get(plan, "losses");
    cr_assert_not_null(losses);
    cr_expect_eq(json_real_value(json_object_get(losses, "predicted_and_true")), 1, "the oracle goes by the truth");
    cr_expect_eq(json_real_value(json_object_get(losses, "top_found")), 1);
    cr_expect_eq(json_integer_value(json_object_get(losses, "candidates")), json_integer_value(json_object_get(plan, "candidates")));
    json_decref(plan);
    plan = json_loads(scratch_read(scratch_path("silent/rounds/01/plan.json")), 0, NULL);
    cr_expect_null(json_object_get(plan, "losses"));
    json_decref(plan);
    free(yaml);
    free(oracle);
    free(said);
    free(silent);
}

Test(morph, is_refused_where_it_cannot_be)
{
    static const char *const wrong[][3] = {
        {"kind: morph,", "kind: linear,", "the learned representation is the latent of"},
        {"initial: {size: 8, strategy: random}", "initial: {size: 8, strategy: uncertainty}", "needs a trained model, and nothing is measured before round 0"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char *yaml = replaced(morph_yaml, wrong[i][0], wrong[i][1]);
        sow_config *config = NULL;
        sow_campaign *c = NULL;
        sow_campaign_options options = {.mode = SOW_CAMPAIGN_CHECK};
        scratch_write("c.yaml", yaml);
        sow_status st = sow_config_read(&config, NULL, scratch_path("c.yaml"), NULL, 0, &err);
        if (st == SOW_OK) st = sow_campaign_open(&c, config, &options, NULL, &err);
        cr_expect_eq(st, SOW_E_CONFIG);
        cr_expect(strstr(err.message, wrong[i][2]) != NULL, "%s", err.message);
        sow_config_destroy(config);
        free(yaml);
    }
}
