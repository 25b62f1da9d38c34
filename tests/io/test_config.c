#include "io/config.h"

#include "acquisition/strategy.h"
#include "core/cost.h"
#include "core/memory.h"
#include "io/config_keys.h"
#include "io/file.h"
#include "models/model.h"
#include "config_fixture.h"
#include "simulator/oracle.h"

#include <criterion/criterion.h>
#include <math.h>

TestSuite(config, .init = scratch_create, .fini = scratch_remove);
TestSuite(config_template, .init = scratch_create, .fini = scratch_remove);

Test(config, reads_every_key_into_its_place)
{
    sow_config *c = read_or_die(whole, NULL);
    char a_path[200];
    snprintf(a_path, sizeof a_path, "%s/../data/a.csv.gz", scratch);
    cr_expect_str_eq(c->name, "thp1-eccite");
    cr_expect(c->version == 1 && c->seed == 8 && c->n_sources == 2);
    const sow_source *a = &c->sources[0], *b = &c->sources[1];
    cr_expect_str_eq(a->file, a_path);
    cr_expect_str_eq(a->context, "THP-1");
    cr_expect_null(a->context_column);
    cr_expect_str_eq(a->perturbation_column, "gene");
    cr_expect_str_eq(a->separator, "+");
    cr_expect_str_eq(a->control, "non-targeting");
    cr_expect_str_eq(a->dose_column, "dose");
    cr_expect_str_eq(a->replicate_column, "replicate");
    cr_expect_str_eq(a->cells_column, "n_cells");
    cr_expect(a->role == SOW_ROLE_TARGET && a->duplicates_allowed == 1);
    cr_expect_str_eq(b->file, "/abs/b.h5ad");
    cr_expect_str_eq(b->context_column, "line");
    cr_expect_str_eq(b->variance_column, "v");
    cr_expect(b->role == SOW_ROLE_REFERENCE && b->duplicates_allowed == 0 && b->n_keep_contexts == 2);
    cr_expect_str_eq(b->keep_contexts[1], "B");
    cr_expect(c->readout.kind == SOW_READOUT_SCALAR && c->readout.n_adjust == 1);
    cr_expect_str_eq(c->readout.hit_column, "pos|fdr");
    cr_expect(c->n_priors == 4 && c->priors[0].min_set_size == 3 && c->priors[1].min_set_size == 2 && c->priors[1].shuffle == 1);
    cr_expect_str_eq(c->priors[1].columns[1], "y");
    cr_expect_str_eq(c->priors[3].context, "A");
    cr_expect(c->model.n_use == 2 && c->model.prior_dims == 32 && c->model.iterations == 9 && c->model.components == 7);
    cr_expect_str_eq(c->model.transfer, "mean");
    cr_expect(isnan(c->objective.top) && c->objective.below == 0.05 && isnan(c->objective.above));
    cr_expect_str_eq(c->acquisition.strategy, "ucb");
    cr_expect_eq(c->acquisition.beta, 2.5);
    cr_expect(c->rounds.initial_size == 5 && c->rounds.n_batches == 3 && c->rounds.batches[2] == 4);
    cr_expect(c->oracle.held_count == 40 && isnan(c->oracle.held_fraction) && !c->oracle.held_list);
    cr_expect(c->constraints.n_exclude == 1 && c->constraints.n_quota == 2 && c->constraints.n_controls == 1);
    cr_expect_str_eq(c->constraints.exclude[0].reason, "too few cells");
    cr_expect(c->constraints.quota[0].at_most == 3 && c->constraints.quota[0].at_least == 0);
    cr_expect(c->constraints.quota[1].at_most == -1 && c->constraints.quota[1].at_least == 1);
    cr_expect_str_eq(c->constraints.quota[0].per, "batch");
    cr_expect_str_eq(c->constraints.quota[1].per, "campaign");
    cr_expect(c->design.guides_per_target == 4 && c->design.reads_per_cell == 20000);
    cr_expect(c->guides.n_id == 2 && c->guides.n_sequence == 2);
    cr_expect_str_eq(c->costs.currency, "EUR");
    cr_expect_eq(c->costs.per_million_reads, 0.374);
    sow_config_destroy(c);
    sow_config_destroy(NULL);
}

Test(config, fills_in_the_documented_defaults)
{
    sow_config *c = read_or_die(GENERATIVE, NULL);
    const sow_design design = SOW_DESIGN_INIT;
    const sow_costs costs = SOW_COSTS_INIT;
    cr_expect_str_eq(c->name, "campaign", "from the file's name");
    cr_expect_eq(c->seed, 1);
    cr_expect_str_eq(c->model.kind, "gp");
    cr_expect(c->model.prior_dims == 64 && c->model.neighbours == 10 && c->model.iterations == 60 && c->model.components == 30);
    cr_expect_str_eq(c->objective.kind, "learn");
    cr_expect_eq(c->objective.top, 0.1);
    cr_expect_str_eq(c->acquisition.strategy, "random");
    cr_expect(c->acquisition.beta == 1 && c->acquisition.starts == 10);
    cr_expect_str_eq(c->rounds.initial_strategy, "random");
    cr_expect_eq(c->rounds.n_batches, 0);
    cr_expect(isnan(c->oracle.held_fraction) && c->oracle.held_count == -1);
    cr_expect(c->oracle.perturbations == 400 && c->oracle.modules == 24 && c->oracle.cells == 100 &&
              c->oracle.informativeness == 0.7);
    cr_expect_eq(c->readout.kind, SOW_READOUT_SCALAR);
    cr_expect_str_eq(c->readout.transform, "none");
    cr_expect(c->design.guides_per_target == design.guides_per_target && c->design.moi == design.moi);
    cr_expect(c->design.cells_per_perturbation == design.cells_per_perturbation && c->design.control_share == design.control_share);
    cr_expect_str_eq(c->costs.currency, costs.currency);
    cr_expect_eq(c->costs.per_round, costs.per_round);
    sow_config_destroy(c);
}

Test(config, takes_a_readout_without_a_column_as_a_profile)
{
    sow_config *c = read_or_die("sower: 1\ndata: {sources: [{file: s.h5ad, context: {column: c}, perturbation: p}]}\n"
                                "oracle: {kind: lab, held_out: {list: h.txt}}\nrounds: {initial: {size: 1}}\n",
                                NULL);
    cr_assert_eq(c->readout.kind, SOW_READOUT_PROFILE);
    cr_assert(strstr(c->oracle.held_list, "/h.txt"));
    sow_config_destroy(c);
}

Test(config, makes_a_folder_name_of_any_file_name)
{
    sow_error err = {0};
    sow_config *c = NULL;
    cr_assert_eq(sow_config_read(&c, NULL, scratch_write("my screen (2).v1.yaml", GENERATIVE), NULL, 0, &err), SOW_OK, "%s",
                 err.message);
    cr_assert_str_eq(c->name, "my-screen--2-.v1");
    sow_config_destroy(c);
}

Test(config, simulated_contexts_are_references)
{
    sow_config *c = read_or_die(SIMULATED(", contexts: 3, context_coverage: 0.8") "acquisition: {strategy: random}\n", NULL);
    cr_assert(c->oracle.contexts == 3 && c->oracle.context_coverage == 0.8 && c->oracle.context_scale == 0.5);
    sow_config_destroy(c);
    char *problems = problems_of(SIMULATED(", contexts: 3") "objective: {kind: hits}\nacquisition: {strategy: reference}\n", NULL, 0);
    cr_expect(!strstr(problems, "role reference"), "%s", problems); /* they are there; it is scalars that lack */
    free(problems);
}

Test(config, what_is_published_may_be_given_in_reference_mode_and_three_experts_their_priors)
{
    static const char *const models[] = {"mode: reference, batch: 32, segments: 1, kernels: 10, learning_rate: 1e-4, clamp: 0.5, gamma1: 1, gamma2: 0, sigma: 1500, unbiased: false",
                                         "variant: moe", "variant: moe, mode: reference, alpha: 1, epochs: 3"};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        sow_config *c = NULL;
        char *problems = NULL, yaml[700];
        snprintf(yaml, sizeof yaml, CELLS "priors: [{name: a, file: a.csv}, {name: b, file: b.csv}, {name: c, file: c.csv}]\nmodel: {kind: morph, %s}\n", models[i]);
        const char *path = scratch_write("c.yaml", yaml);
        cr_expect_eq(sow_config_read(&c, &problems, path, NULL, 0, NULL), SOW_OK, "%s", problems ? problems : "");
        sow_config_destroy(c);
        free(problems);
    }
}

Test(config, reference_mode_switches_every_mending_off)
{
    sow_config *c = NULL;
    char *problems = NULL;
    const char *path = scratch_write("c.yaml", CELLS "priors: [{name: a, file: a.csv}]\nmodel: {kind: morph, mode: reference}\n");
    cr_assert_eq(sow_config_read(&c, &problems, path, NULL, 0, NULL), SOW_OK, "%s", problems ? problems : "");
    cr_expect(!c->model.unbiased && !c->model.fresh_controls && !c->model.weighted_criterion && !c->model.mean_latent && !c->model.small_groups);
    sow_config_destroy(c);
    free(problems);
    path = scratch_write("c.yaml", CELLS "priors: [{name: a, file: a.csv}]\nmodel: {kind: morph}\n");
    cr_assert_eq(sow_config_read(&c, &problems, path, NULL, 0, NULL), SOW_OK, "%s", problems ? problems : "");
    cr_expect(c->model.unbiased && c->model.fresh_controls && c->model.weighted_criterion && c->model.small_groups && c->model.paired_change && c->model.prior_noise == 0.3);
    cr_expect(c->model.epochs == 100 && c->model.learning_rate == 0 && c->model.sigma == 0 && c->model.segments == 0);
    sow_config_destroy(c);
    free(problems);
}

Test(config, reads_cells_and_their_words)
{
    sow_config *c = NULL;
    char *problems = NULL;
    const char *path = scratch_write("c.yaml", CELLS "seed: 9\nfeatures: {highly_variable: 100, flavour: seurat_v3, across: intersection}\n"
                                                     "evaluation: {mode: reference}\n");
    cr_assert_eq(sow_config_read(&c, &problems, path, NULL, 0, NULL), SOW_OK, "%s", problems ? problems : "");
    cr_expect(c->readout.kind == SOW_READOUT_CELLS && c->sources[0].values == SOW_VALUES_COUNTS);
    cr_expect(isnan(c->features.target_sum) && c->features.log1p == 1 && c->features.seed == 9);
    cr_expect(c->features.n_highly_variable == 100 && c->features.flavour == SOW_HVG_SEURAT_V3 && c->features.across == SOW_ACROSS_INTERSECTION);
    cr_expect(c->features.min_cells_per_perturbation == 16 && c->evaluation.mode == 1 && c->evaluation.de_genes == 50);
    char *text = NULL;
    cr_assert_eq(sow_config_effective(&text, c, NULL), SOW_OK);
    cr_expect(strstr(text, "\"target_sum\": \"median\"") != NULL);
    free(text);
    sow_config_destroy(c);
    free(problems);
}

static char *effective_or_die(const char *text)
{
    sow_error err = {0};
    sow_config *c = read_or_die(text, NULL);
    char *json = NULL;
    cr_assert_eq(sow_config_effective(&json, c, &err), SOW_OK, "%s", err.message);
    sow_config_destroy(c);
    return json;
}

Test(config, prints_what_is_in_force_with_paths_as_written)
{
    char *json = effective_or_die(whole);
    static const char *const expected[] = {"\"file\": \"../data/a.csv.gz\"",
                                           "\"at_most\": 3",
                                           "\"at_most\": null",
                                           "\"per_cell\": 0.086",
                                           "\"shuffle\": true",
                                           "\"kind\": \"scalar\"",
                                           "\"role\": \"reference\"",
                                           "\"fraction\": null",
                                           "\"currency\": \"EUR\"",
                                           "\"seed\": 8",
                                           "\"duplicates\": \"error\"",
                                           "\"values\": \"response\""};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++)
        cr_expect(strstr(json, expected[i]), "no %s in\n%s", expected[i], json);
    cr_expect_not(strstr(json, scratch), "the folder must not show");
    cr_expect(strstr(json, "\"acquisition\"") < strstr(json, "\"constraints\""), "sorted");
    free(json);
}

Test(config, prints_the_same_for_a_file_that_spells_out_the_defaults)
{
    char *a = effective_or_die(GENERATIVE);
    char *b = effective_or_die(
        GENERATIVE "name: campaign\nseed: 1\nmodel: {kind: gp, kernel: auto}\nobjective: {top: 0.1}\npriors: []\ncosts:\n");
    cr_assert_str_eq(a, b);
    free(a);
    free(b);
}

Test(config, documentation_page_is_the_tables)
{
    sow_error err = {0};
    char *page = NULL;
    cr_assert_eq(sow_config_reference(&page, &err), SOW_OK, "%s", err.message);
    if (getenv("SOWER_WRITE_DOCS"))
        cr_assert_eq(sow_file_write_atomic(SOWER_SOURCE_DIR "/docs/config.md", page, strlen(page), &err), SOW_OK);
    cr_assert_str_eq(scratch_read(SOWER_SOURCE_DIR "/docs/config.md"), page,
                     "docs/config.md is not the table's: run this test once with SOWER_WRITE_DOCS=1");
    free(page);
}

Test(config, every_key_has_a_sentence_and_a_value_to_show)
{
    sow_index n = 0;
    const sow_i_key *keys = sow_i_keys(&n);
    cr_assert_gt(n, 90);
    for (sow_index i = 0; i < n; i++) {
        int group = keys[i].type == SOW_KEY_MAPPING || keys[i].type == SOW_KEY_LIST;
        cr_expect(keys[i].sentence && *keys[i].sentence, "%s", keys[i].path);
        cr_expect(group || keys[i].type == SOW_KEY_UNSUPPORTED || keys[i].standard || keys[i].example, "%s has nothing to show",
                  keys[i].path);
        cr_expect_eq(sow_i_key_find(keys[i].path), &keys[i], "%s is there twice", keys[i].path);
    }
}

Test(config, tells_the_values_of_an_enumerated_key)
{
    cr_expect_str_eq(sow_config_allowed("oracle.kind", 0), "replay,generative,lab");
    cr_expect_str_eq(sow_config_allowed("oracle.kind", 1), "");
    cr_expect(strstr(sow_config_allowed("acquisition.strategy", 1), "k-center"));
    cr_expect_null(sow_config_allowed("seed", 0));
    cr_expect_null(sow_config_allowed("zebra", 0));
}

static sow_index count_words(const char *list)
{
    sow_index n = *list != '\0';
    for (; *list; list++)
        n += *list == ',';
    return n;
}

/* io may not see these tables, so it has lists of its own. */
Test(config, knows_the_strategies_and_aliases_of_the_table_and_no_others)
{
    sow_index n = 0, aliases = 0;
    const sow_strategy *const *rows = sow_strategies(&n);
    const char *allowed = sow_config_allowed("acquisition.strategy", 0), *others = sow_config_allowed("acquisition.strategy", 1);
    cr_expect_eq(count_words(allowed), n);
    for (sow_index i = 0; i < n; i++) {
        char spellings[300], *word;
        snprintf(spellings, sizeof spellings, "%s,%s", rows[i]->name, rows[i]->aliases);
        aliases += count_words(rows[i]->aliases);
        cr_expect_geq(sow_i_word_position(allowed, rows[i]->name), 0, "%s", rows[i]->name);
        for (word = strtok(spellings, ","); word; word = strtok(NULL, ",")) {
            cr_expect(strcmp(word, rows[i]->name) == 0 || sow_i_word_position(others, word) >= 0, "%s", word);
            cr_expect_eq(sow_i_word_position(sow_i_hit_strategies, word) >= 0, (rows[i]->needs & SOW_NEED_HITS) != 0, "%s", word);
            cr_expect_eq(sow_i_word_position(sow_i_prior_strategies, word) >= 0, (rows[i]->needs & SOW_NEED_PRIOR) != 0, "%s",
                         word);
        }
    }
    cr_expect_eq(count_words(others), aliases);
    cr_expect_str_eq(sow_config_allowed("rounds.initial.strategy", 0), allowed);
    cr_expect_str_eq(sow_config_allowed("rounds.initial.strategy", 1), others);
}

Test(config, knows_the_models_and_oracles_of_the_tables_and_no_others)
{
    sow_index n = 0, m = 0;
    const sow_model_class *const *models = sow_model_classes(&n);
    const sow_oracle_class *const *oracles = sow_oracle_classes(&m);
    cr_expect_eq(count_words(sow_config_allowed("model.kind", 0)), n);
    cr_expect_eq(count_words(sow_config_allowed("oracle.kind", 0)), m);
    for (sow_index i = 0; i < n; i++)
        cr_expect_geq(sow_i_word_position(sow_config_allowed("model.kind", 0), models[i]->name), 0, "%s", models[i]->name);
    for (sow_index i = 0; i < m; i++)
        cr_expect_geq(sow_i_word_position(sow_config_allowed("oracle.kind", 0), oracles[i]->name), 0, "%s", oracles[i]->name);
}

Test(config, takes_a_strategy_in_any_of_its_spellings)
{
    static const char *const spellings[] = {"kmeans_data", "KMeans", "K-center", "max_dist"};
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        const sow_strategy *row = NULL;
        char text[400];
        snprintf(text, sizeof text, "%sacquisition: {strategy: %s}\n", GENERATIVE, spellings[i]);
        sow_config *c = read_or_die(text, NULL);
        cr_assert_eq(sow_strategy_find(&row, c->acquisition.strategy, NULL), SOW_OK, "%s", spellings[i]);
        sow_config_destroy(c);
    }
}

static char *template_or_die(const sow_config_guess *guess)
{
    sow_error err = {0};
    char *text = NULL;
    cr_assert_eq(sow_config_template(&text, guess, &err), SOW_OK, "%s", err.message);
    return text;
}

Test(config_template, without_data_is_a_simulated_campaign_that_parses)
{
    char *text = template_or_die(NULL);
    sow_config *c = read_or_die(text, NULL);
    cr_assert_str_eq(c->oracle.kind, "generative");
    cr_assert_str_eq(c->objective.kind, "hits");
    cr_assert_gt(c->rounds.n_batches, 0);
    sow_config_destroy(c);
    free(text);
}

Test(config_template, carries_what_was_found_in_the_data)
{
    sow_config_guess g = {.file = "my \"data\": x.csv",
                          .readout_kind = "scalar",
                          .perturbation_column = "gene # 1",
                          .control = "non-targeting",
                          .separator = "+",
                          .context_column = "null",
                          .readout_column = "Number of DEGs\t(a|b)",
                          .transform = "log1p",
                          .cells_column = "~",
                          .n_perturbations = 2000};
    char *text = template_or_die(&g);
    sow_config *c = read_or_die(text, NULL);
    cr_assert(strstr(c->sources[0].file, "/my \"data\": x.csv"));
    cr_assert_str_eq(c->sources[0].perturbation_column, "gene # 1");
    cr_assert_str_eq(c->sources[0].context_column, "null");
    cr_assert_str_eq(c->sources[0].cells_column, "~");
    cr_assert_str_eq(c->sources[0].separator, "+");
    cr_assert_str_eq(c->readout.column, "Number of DEGs\t(a|b)");
    cr_assert_str_eq(c->readout.transform, "log1p");
    cr_assert_eq(c->rounds.initial_size, 100);
    cr_assert_eq(c->rounds.n_batches, 3);
    cr_assert_eq(c->oracle.held_fraction, 0.2);
    sow_config_destroy(c);
    free(text);
}

Test(config_template, fits_screens_of_any_size_and_kind)
{
    static const sow_index sizes[] = {1, 2, 3, 9, 10, 86, 135, 20000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        sow_config_guess g = {
            .file = "s.h5ad", .readout_kind = "profile", .perturbation_column = "perturbation", .n_perturbations = sizes[i]};
        char *text = template_or_die(&g);
        sow_config *c = read_or_die(text, NULL);
        sow_index total = c->rounds.initial_size,
                  held = isnan(c->oracle.held_fraction) ? 0 : (sow_index)ceil(0.2 * (double)sizes[i]);
        for (sow_index r = 0; r < c->rounds.n_batches; r++)
            total += c->rounds.batches[r];
        cr_assert_leq(total, sizes[i] - held, "%lld", (long long)sizes[i]);
        sow_config_destroy(c);
        free(text);
    }
}

Test(config_template, shows_every_key_and_stays_readable_when_all_are_switched_on)
{
    sow_index n = 0;
    const sow_i_key *keys = sow_i_keys(&n);
    char *text = template_or_die(NULL), *problems = NULL, *on = sow_strdup(text);
    for (sow_index i = 0; i < n; i++) {
        char line[80];
        snprintf(line, sizeof line, "%s:", sow_i_key_name(&keys[i]));
        cr_expect(keys[i].type == SOW_KEY_UNSUPPORTED || strstr(text, line), "no %s", keys[i].path);
    }
    /* take every "# " that starts a line away: only rules between keys may complain, never the table */
    char *to = on;
    for (const char *p = text + strlen("# A sower"); *p;) {
        if (strncmp(p, "\n", 1) == 0) {
            *to++ = *p++;
            while (*p == ' ')
                *to++ = *p++;
            if (strncmp(p, "# Keys", 6) != 0 && strncmp(p, "# ", 2) == 0) p += 2;
        } else {
            p++;
            if (to != on) *to++ = p[-1];
        }
    }
    *to = '\0';
    sow_config *c = NULL;
    cr_assert_eq(sow_config_read(&c, &problems, scratch_write("on.yaml", on), NULL, 0, NULL), SOW_E_CONFIG);
    cr_expect_not(strstr(problems, "unknown"), "%s", problems);
    cr_expect_not(strstr(problems, "must be"), "%s", problems);
    cr_expect_not(strstr(problems, "not valid YAML"), "%s", problems);
    cr_expect_not(strstr(problems, "missing"), "%s", problems);
    free(problems);
    free(on);
    free(text);
}

Test(config, survives_every_failing_allocation, .timeout = 60)
{
    const char *path = scratch_write("c.yaml", whole), *set = "constraints.exclude[1]={names: [ZZZ]}";
    sow_status st = SOW_E_NOMEM;
    for (int i = 0; st != SOW_OK; i++) {
        sow_config *c = NULL;
        char *problems = NULL;
        sow_memory_fail_after(i);
        st = sow_config_read(&c, &problems, path, &set, 1, NULL);
        sow_memory_fail_after(-1);
        cr_assert(st == SOW_OK || st == SOW_E_NOMEM, "allocation %d: %s", i, problems ? problems : "");
        free(problems);
        sow_config_destroy(c);
        cr_assert_lt(i, 20000);
    }
}

Test(config, written_pages_survive_failing_allocations)
{
    sow_config *c = read_or_die(whole, NULL);
    sow_config_guess g = {
        .file = "s.csv", .readout_kind = "scalar", .perturbation_column = "g", .readout_column = "y", .n_perturbations = 30};
    for (int i = 0; i < 300; i++) {
        char *a = NULL, *b = NULL, *d = NULL;
        sow_memory_fail_after(i);
        sow_status st = sow_config_reference(&a, NULL);
        sow_memory_fail_after(i);
        sow_status st2 = sow_config_template(&b, &g, NULL);
        sow_memory_fail_after(i);
        sow_status st3 = sow_config_effective(&d, c, NULL);
        sow_memory_fail_after(-1);
        cr_assert((st == SOW_OK) == (a != NULL) && (st2 == SOW_OK) == (b != NULL) && (st3 == SOW_OK) == (d != NULL));
        free(a);
        free(b);
        free(d);
    }
    sow_config_destroy(c);
}
