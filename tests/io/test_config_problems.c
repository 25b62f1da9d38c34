#include "config_fixture.h"

#include "core/memory.h"

TestSuite(config_problem, .init = scratch_create, .fini = scratch_remove);
TestSuite(config_set, .init = scratch_create, .fini = scratch_remove);

Test(config_problem, unknown_key_says_where_what_is_near_and_what_is_allowed)
{
    expect_problem(REPLAY "acquisition:\n  stratgy: ucb\n", "c.yaml:7:3: unknown key 'stratgy' in acquisition; did you mean "
                                                            "'strategy'? (allowed: strategy, beta, starts, representation, weight, loss_form, loss_target, loss_members, loss_cells, consistency, list, stream)");
    expect_problem(REPLAY "zebra: 1\n",
                   "c.yaml:6:1: unknown key 'zebra' in the campaign file (allowed: sower, name, seed, data, readout, features, priors, "
                   "model, objective, acquisition, rounds, oracle, evaluation, constraints, design, costs, budget)");
    expect_words("sower: 1\ndata:\n  sources:\n  - {file: a, context: b, perturbation: {column: c}}\n  - {file: a, contxt: b, "
                 "perturbation: c}\n",
                 "c.yaml:5:15: unknown key 'contxt' in data.sources[1]; did you mean 'context'?");
}

Test(config_problem, unknown_word_says_what_is_near_and_what_is_allowed)
{
    expect_problem(
        REPLAY "acquisition:\n  strategy: kmean\n",
        "c.yaml:7:13: unknown strategy 'kmean' in acquisition; did you mean 'kmeans'? (allowed: random, kmeans, kmeans-embedding, "
        "core-set, herding, max-variance, greedy, ucb, ei, thompson, reference, probability-of-hit, lookahead, uncertainty, soft-uncertainty, "
        "loss-oracle, loss-prediction, least-consistent, most-consistent, functional)");
    expect_words(REPLAY "acquisition: {strategy: corset}\n", "did you mean 'coreset'?");
    expect_words(REPLAY "model: {kind: gpp}\n", "unknown kind 'gpp' in model");
    expect_words("sower: 1\nrounds: {initial: {size: 1}}\noracle: {kind: replya}\n",
                 "did you mean 'replay'? (allowed: replay, generative, lab)");
}

Test(config_problem, wrong_type_says_what_is_wanted_and_what_is_there)
{
    expect_problem(REPLAY "seed: many\n", "c.yaml:6:7: seed must be a whole number >= 0, not 'many'");
    expect_problem(REPLAY "seed: \"8\"\n", "c.yaml:6:7: seed must be a whole number >= 0, not '8' in quotes");
    expect_problem(REPLAY "seed: 2.5\n", "c.yaml:6:7: seed must be a whole number >= 0, not '2.5'");
    expect_problem(REPLAY "seed: 99999999999999999999\n",
                   "c.yaml:6:7: seed must be a whole number >= 0, not '99999999999999999999'");
    expect_problem(REPLAY "seed: [1]\n", "c.yaml:6:7: seed must be a whole number >= 0, not a list");
    expect_problem(REPLAY "model: 3\n", "c.yaml:6:8: model must be a mapping of keys, not '3'");
    expect_problem(REPLAY "priors: {name: a}\n", "c.yaml:6:9: priors must be a list of mappings, not a mapping");
    expect_problem(REPLAY "priors:\n  -\n", "c.yaml:7:4: priors[0] must be a mapping of keys, not nothing");
    expect_words(REPLAY "priors: [{name: p, file: f.gmt, shuffle: maybe}]\n",
                 "priors[0].shuffle must be true or false, not 'maybe'");
    expect_problem(REPLAY "constraints: {include: {a: b}}\n",
                   "c.yaml:6:24: constraints.include must be a list of names, not a mapping");
    expect_problem(REPLAY "constraints: {include: [A, [B]]}\n",
                   "c.yaml:6:28: each of constraints.include must be text, not a list");
    expect_problem(REPLAY "costs: {currency: Doubloons}\n",
                   "c.yaml:6:19: costs.currency must be text of 1 to 7 bytes, not 'Doubloons'");
    expect_problem(REPLAY "name: \"\"\n", "c.yaml:6:7: name must be text, not ''");
    expect_words("- 1\n", "c.yaml:1:1: a campaign file is a mapping of keys");
}

Test(config_problem, out_of_range_says_the_range)
{
    expect_problem(REPLAY "seed: -1\n", "c.yaml:6:7: seed must be a whole number >= 0, not '-1'");
    expect_problem(REPLAY "objective: {kind: hits, top: 1}\n", "c.yaml:6:30: objective.top must be a number in (0, 1), not '1'");
    expect_problem(REPLAY "objective: {kind: hits, top: 0}\n", "c.yaml:6:30: objective.top must be a number in (0, 1), not '0'");
    expect_problem(REPLAY "design: {control_share: 1.0}\n",
                   "c.yaml:6:25: design.control_share must be a number in [0, 1), not '1.0'");
    expect_problem(REPLAY "design: {moi: nan}\n", "c.yaml:6:15: design.moi must be a number > 0, not 'nan'");
    expect_problem(REPLAY "design: {moi: 1e999}\n", "c.yaml:6:15: design.moi must be a number > 0, not '1e999'");
    expect_problem(REPLAY "costs: {per_cell: -0.1}\n", "c.yaml:6:19: costs.per_cell must be a number >= 0, not '-0.1'");
    expect_problem(REPLAY "costs: {per_lane: .inf}\n", "c.yaml:6:19: costs.per_lane must be a number >= 0, not '.inf'");
    expect_problem(REPLAY "design: {survival: 0}\n", "c.yaml:6:20: design.survival must be a number in (0, 1], not '0'");
    expect_problem(REPLAY "design: {doublet_share: 1}\n", "c.yaml:6:25: design.doublet_share must be a number in [0, 1), not '1'");
    expect_problem(REPLAY "budget: {money: 0}\n", "c.yaml:6:17: budget.money must be a number > 0, not '0'");
    expect_words("sower: 2\n", "c.yaml:1:8: sower must be a whole number equal to 1, not '2'");
    expect_words("rounds: {initial: {size: 0}, batches: [4, 0]}\n", "rounds.initial.size must be a whole number >= 1, not '0'");
    expect_words("rounds: {initial: {size: 0}, batches: [4, 0]}\n",
                 "c.yaml:1:43: each of rounds.batches must be a whole number >= 1, not '0'");
}

Test(config_problem, prices_times_and_budgets_that_do_not_go_together_are_refused)
{
    expect_problem(REPLAY "costs: {per_lane: 900}\n", "c.yaml:6:19: costs.per_lane needs design.cells_per_lane, how many cells a lane captures; give it, or remove the price");
    expect_problem(REPLAY "design: {cells_per_lane: 9000}\n", "c.yaml:6:26: design.cells_per_lane counts lanes that cost nothing; give costs.per_lane, or remove it");
    expect_problem(REPLAY "design: {control_guides: 9}\n", "c.yaml:6:26: design.control_guides needs design.control_share, the cells that they get; give it, or remove them");
    expect_problem(REPLAY "design: {moi: 28}\n", "c.yaml:6:15: design.moi is 28: hardly a cell would carry one guide; at most 20");
    expect_problem(REPLAY "costs: {weeks_between_rounds: 2}\n", "c.yaml:6:31: costs.weeks_between_rounds needs costs.weeks_per_round, how long a round takes");
    expect_problem(REPLAY "costs: {weeks_per_round: 30, weeks_between_rounds: 2}\n",
                   "c.yaml:6:52: costs.weeks_between_rounds 2 would have more than 10 rounds of 30 weeks under way at once; give a longer one");
    expect_problem(REPLAY "budget: {money: 900}\n", "c.yaml:6:17: budget.money is compared with the bill, and `costs` has no price; give prices, or remove it");
    expect_problem(REPLAY "budget: {weeks: 20}\n", "c.yaml:6:17: budget.weeks needs costs.weeks_per_round, how long a round takes");
    expect_problem(REPLAY "costs: {weeks_per_round: 6}\nbudget: {weeks: 5}\n",
                   "c.yaml:7:17: budget.weeks 5 does not allow for one round, which takes 6 weeks (costs.weeks_per_round); raise it");
}

Test(config_problem, missing_keys_are_named_with_what_they_are)
{
    expect_problem(
        "sower: 1\noracle: {kind: generative}\n",
        "c.yaml:1:1: key 'rounds' is missing in the campaign file: a mapping of keys (How many perturbations in each round)");
    expect_problem("sower: 1\noracle: {kind: generative}\nrounds: {batches: [2]}\n",
                   "c.yaml:3:9: key 'initial' is missing in rounds: a mapping of keys (Round 0, chosen before anything is known)");
    expect_words("sower: 1\ndata: {sources: [{role: target}]}\n", "c.yaml:2:18: key 'perturbation' is missing in data.sources[0]");
    expect_words("sower: 1\ndata: {sources: []}\n", "c.yaml:2:17: data.sources must not be empty");
    expect_words("sower: 1\ndata: {sources: [{file: a, context: {}, perturbation: c}]}\n",
                 "data.sources[0].context needs a name, or {column: COLUMN}");
    expect_words("sower: 1\ndesign: {guides: {file: g.csv, id: [a], sequence: []}}\n", "key 'target' is missing in design.guides");
}

Test(config_problem, doubled_keys_name_the_first_line)
{
    expect_problem(REPLAY "seed: 1\nseed: 2\n", "c.yaml:7:1: key 'seed' is given twice (first in line 6); keep one");
    expect_words(REPLAY "model: {kind: gp, kind: knn}\n", "c.yaml:6:19: key 'kind' is given twice");
}

Test(config_problem, keys_of_later_versions_are_refused_by_name)
{
    expect_words(REPLAY "features: {symbols: ids.csv}\n", "'features.symbols' is not supported by this version: rename genes in the file");
    expect_words(REPLAY "model: {kind: hypermp}\n", "did you mean 'hypermap'?");
}

Test(config_problem, programs_have_no_use_for_settings_of_the_network)
{
    expect_words(REPLAY "model: {kind: hypermap, hypermap: {steps: 5}}\n", "model.hypermap.steps is about the network; set model.hypermap.form: network, or remove it");
    expect_words(REPLAY "model: {kind: hypermap}\n", "model 'hypermap' carries responses of many genes");
}

Test(config_problem, keys_of_cells_are_for_cells_and_only_these_for_them)
{
    expect_words(REPLAY "features: {log1p: true}\n", "c.yaml:6:11: features is for single cells; set readout.kind: cells, or remove it");
    expect_words(REPLAY "evaluation: {mode: reference}\n", "evaluation is for single cells");
    static const char *const only[] = {"technical_batch: t", "layer: raw", "gene_names: symbol", "labels: l.csv", "values: counts"};
    for (size_t i = 0; i < sizeof only / sizeof *only; i++) {
        char yaml[300], key[40];
        snprintf(key, sizeof key, "data.sources[0].%.*s is for", (int)strcspn(only[i], ":"), only[i]);
        snprintf(yaml, sizeof yaml, "data: {sources: [{file: a, context: b, perturbation: c, %s}]}\n", only[i]);
        expect_words(yaml, key);
    }
    expect_words("data: {sources: [{file: a, context: b, perturbation: {column: c, guide: g}}]}\n", "data.sources[0].perturbation.guide is for");
    expect_words("readout: {kind: cells}\noracle: {kind: replay}\ndata: {sources: [{file: a, context: b, perturbation: c}]}\n",
                 "data.sources[0].perturbation.control names their label");
    expect_words(CELLS "features: {target_sum: 0}\n", "features.target_sum must be a number > 0, or median, not '0'");
    expect_words(CELLS "features: {target_sum: mean}\n", "or median, not 'mean'");
    expect_words(CELLS "features: {highly_variable: some}\n", "features.highly_variable must be a whole number >= 2, or all, not 'some'");
    expect_words("readout: {kind: cells, column: x}\noracle: {kind: replay}\n", "remove readout.column");
    expect_words("readout: {kind: cells}\noracle: {kind: replay}\ndata: {sources: [{file: a, values: response, perturbation: {column: c, control: d}}]}\n",
                 "needs values: counts or log1p");
    expect_words("readout: {kind: cells}\noracle: {kind: generative, noise_per_cell: 2}\n", "oracle.noise_per_cell is for a simulated screen with a scalar readout");
    expect_words("oracle: {kind: generative, genes: 50}\n", "oracle.genes is for a simulated screen with `readout: {kind: cells}`");
    expect_words(CELLS "objective: {kind: hits}\n", "needs a scalar readout");
}

Test(config_problem, simulated_contexts_are_of_cells_and_differ_where_there_are_several)
{
    static const char *const keys[] = {"context_scale", "context_flip", "context_lose", "context_shift", "context_baseline", "context_coverage"};
    char yaml[300], words[200];
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        snprintf(yaml, sizeof yaml, SIMULATED(", %s: 0.5"), keys[i]);
        snprintf(words, sizeof words, "c.yaml:4:%d: oracle.%s is of several contexts, and there is one; set oracle.contexts, or remove it", (int)(30 + strlen(keys[i])), keys[i]);
        expect_problem(yaml, words);
        snprintf(yaml, sizeof yaml, SIMULATED(", contexts: 2, %s: -0.5"), keys[i]);
        snprintf(words, sizeof words, "oracle.%s must be a number", keys[i]);
        expect_words(yaml, words);
        snprintf(yaml, sizeof yaml, GENERATIVE_LINE("%s: 0.5"), keys[i]);
        snprintf(words, sizeof words, "oracle.%s is for a simulated screen with `readout: {kind: cells}`", keys[i]);
        expect_words(yaml, words);
        snprintf(yaml, sizeof yaml, "sower: 1\nreadout: {kind: cells}\nrounds: {initial: {size: 5}}\noracle: {kind: replay, %s: 0.5}\n", keys[i]);
        snprintf(words, sizeof words, "oracle.%s is for the generative oracle; this one is 'replay'", keys[i]);
        expect_words(yaml, words);
    }
    expect_words(GENERATIVE_LINE("contexts: 2"), "oracle.contexts is for a simulated screen with `readout: {kind: cells}`");
    expect_words(SIMULATED(", contexts: 0"), "oracle.contexts must be a whole number");
    expect_words(SIMULATED(", contexts: 2, context_coverage: 0"), "oracle.context_coverage must be a number in (0, 1], not '0'");
    expect_problem(SIMULATED(", contexts: 2, context_flip: 0.5, context_lose: 0.6"),
                   "c.yaml:4:55: a program cannot be flipped with probability 0.5 and lost with probability 0.6: together at most 1");
    expect_problem(SIMULATED(", contexts: 2, context_lose: 0.9"), "c.yaml:4:55: a program cannot be flipped with probability 0.15 and lost with probability 0.9: together at most 1");
}

Test(config_problem, morph_needs_cells_and_priors_and_reference_mode_is_all_of_it)
{
    expect_words(REPLAY "model: {kind: morph}\n", "model 'morph' learns from single cells and needs readout: {kind: cells}");
    expect_words(CELLS "model: {kind: morph}\n", "model 'morph' learns from priors and needs `priors:`");
    expect_words(CELLS "priors: [{name: a, file: a.csv}]\nmodel: {kind: morph, mode: reference, mean_latent: true}\n",
                 "model.mean_latent is not as published; remove it, or model.mode: reference");
    static const char *const fixed[] = {"batch: 64", "segments: 2", "kernels: 5", "learning_rate: 0.001", "clamp: 0", "gamma1: 2", "gamma2: 1", "sigma: 100"};
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        char yaml[400], words[80];
        snprintf(yaml, sizeof yaml, CELLS "priors: [{name: a, file: a.csv}]\nmodel: {kind: morph, mode: reference, %s}\n", fixed[i]);
        snprintf(words, sizeof words, "model.%.*s is not as published", (int)strcspn(fixed[i], ":"), fixed[i]);
        expect_words(yaml, words);
    }
    expect_words(CELLS "acquisition: {representation: learned}\n", "the learned representation is the latent of `model: {kind: morph}`; this model is 'gp'");
}

Test(config_problem, three_experts_want_three_priors)
{
    expect_words(CELLS "priors: [{name: a, file: a.csv}]\nmodel: {kind: morph, variant: moe}\n", "three priors are needed, there is 1");
    expect_words(CELLS "priors: [{name: a, file: a.csv}, {name: b, file: b.csv}, {name: c, file: c.csv}]\nmodel: {kind: morph, variant: moe, prior: [a, b]}\n",
                 "three priors are needed, there are 2");
    expect_words(CELLS "priors: [{name: a, file: a.csv}, {name: b, file: b.csv}, {name: c, file: c.csv}, {name: d, file: d.csv}]\nmodel: {kind: morph, variant: moe}\n",
                 "there are 4; choose three by model.prior");
}

Test(config_problem, broken_yaml_is_located)
{
    expect_problem("sower: 1\n\tname: x\n", "c.yaml:2:1: a TAB indents this line; YAML allows only spaces there");
    expect_words("sower: [1\n", "c.yaml:2:1: not valid YAML: ");
    expect_words("sower: 1\n  name: x\n", "c.yaml:2:7: not valid YAML: mapping values are not allowed in this context");
    expect_problem("", "c.yaml:1:1: the file is empty; `sower init` writes a campaign to start from");
    expect_problem("# only a comment\n", "c.yaml:1:1: the file is empty; `sower init` writes a campaign to start from");
    expect_words("sower: 1\nname: \"\xff\xfe\"\n", "c.yaml:2:8: not UTF-8 text");
    expect_problem("sower: 1\n---\nsower: 1\n", "c.yaml:2:1: a second document (---) starts here; a file holds one");
    expect_problem("name: &n x\n", "c.yaml:1:7: anchors (&) and aliases (*) are not supported; write the value out");
    expect_problem("name: *n\n", "c.yaml:1:7: anchors (&) and aliases (*) are not supported; write the value out");
    expect_problem("seed: !!int 3\n", "c.yaml:1:7: tags (!) are not supported; write the plain value");
    expect_problem("[a, b]: 3\n", "c.yaml:1:1: a key must be a plain word");
    expect_problem("name: \"a\\0b\"\n", "c.yaml:1:7: a NUL character in text");
    char deep[200] = "a: ";
    memset(deep + 3, '[', 150);
    expect_words(deep, "nested too deeply");
}

Test(config_problem, all_of_a_file_come_at_once_in_its_order)
{
    char *problems = problems_of("sower: 2\nseed: x\nmodel:\n  kind: gpp\n  colour: red\nrounds: {initial: {size: 0}}\noracle: "
                                 "{kind: generative}\nseed: 3\n",
                                 NULL, 0);
    int lines = 1, last = 0;
    for (const char *p = problems; p; p = strchr(p, '\n'), p = p ? p + 1 : NULL) {
        int line = atoi(p + strlen(scratch) + strlen("/c.yaml:"));
        cr_expect_geq(line, last);
        last = line;
        lines += strchr(p, '\n') != NULL;
    }
    cr_expect_eq(lines, 6, "%s", problems);
    free(problems);
}

Test(config_problem, a_file_that_is_not_there_is_said_so)
{
    sow_error err = {0};
    sow_config *c = NULL;
    cr_assert_eq(sow_config_read(&c, NULL, scratch_path("absent.yaml"), NULL, 0, &err), SOW_E_CONFIG);
    cr_assert(strstr(err.message, "absent.yaml: no such file"), "%s", err.message);
    cr_assert_eq(sow_config_read(&c, NULL, scratch, NULL, 0, &err), SOW_E_CONFIG);
    cr_assert(strstr(err.message, "a folder"), "%s", err.message);
}

Test(config_problem, standardised_variance_needs_counts)
{
    expect_words("sower: 1\nfeatures: {highly_variable: 9, flavour: seurat_v3}\n"
                 "data: {sources: [{file: s.h5ad, context: K562, values: log1p, perturbation: {column: gene, control: nt}}]}\n"
                 "readout: {kind: cells}\noracle: {kind: replay}\nrounds: {initial: {size: 5}, batches: [4]}\n",
                 "c.yaml:2:41: highly variable genes of flavour seurat_v3 need counts, and data.sources[0] has values: log1p; use flavour seurat");
}

#define SOURCE "{file: s.csv, context: K562, perturbation: gene}"
#define HEAD   "sower: 1\nrounds: {initial: {size: 5}, batches: [5]}\n"

Test(config_problem, oracle_and_sources_must_fit)
{
    expect_problem(HEAD "oracle: {kind: replay}\nreadout: {column: y}\n",
                   "c.yaml:3:16: oracle.kind 'replay' needs `data.sources` with at least one source of role target");
    expect_words(HEAD "oracle: {kind: lab}\ndata:\nreadout: {column: y}\n", "oracle.kind 'lab' needs `data.sources`");
    expect_problem(HEAD "oracle: {kind: lab}\nreadout: {column: y}\ndata: {sources: [{file: s.csv, role: reference, context: K562, "
                        "perturbation: gene}]}\n",
                   "c.yaml:5:17: no source has role target; the campaign has nothing to plan for");
    expect_problem(HEAD "oracle: {kind: generative}\ndata: {sources: [" SOURCE "]}\n",
                   "c.yaml:4:7: the generative oracle makes its own data; remove `data`, or choose oracle.kind replay or lab");
    expect_problem(GENERATIVE "readout: {column: y}\n", "c.yaml:4:19: the generative oracle has no columns; remove readout.column");
    expect_problem(GENERATIVE "readout: {kind: profile}\n", "c.yaml:4:17: the generative oracle has a scalar readout, or cells");
    expect_problem(HEAD "oracle: {kind: generative, perturbations: 10, modules: 11}\n",
                   "c.yaml:3:56: oracle.modules (11) must not exceed oracle.perturbations (10)");
    expect_words(HEAD "readout: {column: y}\ndata: {sources: [" SOURCE "]}\noracle: {kind: replay, failure_rate: 0.1}\n",
                 "c.yaml:5:38: oracle.failure_rate is for the generative oracle; this one is 'replay'");
}

Test(config_problem, sources_and_readout_must_fit)
{
    expect_words("data: {sources: [{file: s.csv, context: {name: A, column: b}, perturbation: gene}]}\n",
                 "data.sources[0].context has a name and a column; keep one");
    expect_words("data: {sources: [{file: s.csv, context: A, contexts: [A], perturbation: gene}]}\n",
                 "c.yaml:1:54: data.sources[0].contexts chooses among the values of context.column, which is not given");
    expect_words(HEAD "oracle: {kind: replay}\nreadout: {kind: scalar}\ndata: {sources: [" SOURCE "]}\n",
                 "c.yaml:4:10: a scalar readout needs readout.column");
    expect_words(HEAD "oracle: {kind: replay}\nreadout: {kind: profile, column: y}\ndata: {sources: [" SOURCE "]}\n",
                 "c.yaml:4:34: a profile readout is the whole row");
    expect_words(HEAD "oracle: {kind: replay}\nreadout: {column: y, transform: rank}\ndata: {sources: [" SOURCE "]}\n",
                 "c.yaml:4:33: rank is for profiles");
    expect_words(HEAD "oracle: {kind: replay}\nreadout: {column: y, adjust_for: [log(cells)]}\ndata: {sources: [" SOURCE "]}\n",
                 "c.yaml:4:34: adjusting for log(cells) needs data.sources[0].cells");
}

Test(config_problem, objectives_must_say_what_a_hit_is)
{
    expect_problem(REPLAY "objective: {kind: hits, column: fdr}\n",
                   "c.yaml:6:33: objective.column needs a bound: objective.below or objective.above");
    expect_words(REPLAY "objective: {kind: hits, top: 0.1, or_column: fdr}\n", "objective.or_column goes with objective.column and one bound");
    expect_words(REPLAY "objective: {kind: hits, column: fdr, below: 1, top: 0.1}\n",
                 "hits are either the top share or a column's values");
    expect_problem(REPLAY "objective: {kind: hits, above: 1}\n",
                   "c.yaml:6:32: a bound needs objective.column, the column it is for");
    expect_words(REPLAY "objective: {kind: hits, column: c, above: 2, below: 1}\n", "no value is above 2 and below 1");
    expect_words(GENERATIVE "objective: {kind: hits, column: c, above: 2}\n",
                 "the generative oracle has no columns; use objective.top");
    expect_words(HEAD "oracle: {kind: replay}\nobjective: {kind: hits}\ndata: {sources: [" SOURCE "]}\n",
                 "c.yaml:4:19: the objective 'hits' by top share needs a scalar readout");
}

Test(config_problem, strategies_must_have_what_they_need)
{
    expect_problem(REPLAY "acquisition: {strategy: ucb}\n",
                   "c.yaml:6:25: strategy 'ucb' looks for hits and needs objective: {kind: hits}");
    expect_words(REPLAY "acquisition: {strategy: ts}\n", "strategy 'ts' looks for hits");
    expect_problem(REPLAY "acquisition: {strategy: coreset}\n",
                   "c.yaml:6:25: strategy 'coreset' measures distances between priors and needs `priors:`");
    expect_problem(REPLAY "objective: {kind: hits}\nacquisition: {strategy: reference}\n",
                   "c.yaml:7:25: strategy 'reference' needs a source with role reference");
    expect_problem(REPLAY "model: {kind: knn}\n", "c.yaml:6:15: model 'knn' learns from priors and needs `priors:`");
}

Test(config_problem, held_out_takes_one_way)
{
    expect_words("oracle: {kind: replay, held_out: {fraction: 0.2, count: 4}}\n",
                 "c.yaml:1:34: oracle.held_out takes one of fraction, count and list");
    expect_words("oracle: {kind: replay, held_out: {fraction: 1}}\n",
                 "oracle.held_out.fraction must be a number in [0, 1), not '1'");
}

Test(config_problem, priors_and_their_names_must_fit)
{
    expect_words("priors: [{name: a, file: x.gmt}, {name: a, file: y.gmt}]\n",
                 "c.yaml:1:41: two priors are named 'a'; names must differ");
    expect_words("priors: [{name: a}]\n", "c.yaml:1:10: priors[0] needs either a file or a context");
    expect_words("priors: [{name: a, file: x.gmt, context: K562}]\n", "priors[0] needs either a file or a context");
    expect_words("priors: [{name: a, file: x.npy}]\n", "priors[0] is an .npy file and needs `names`");
    expect_words("priors: [{name: a, file: x.csv, names: n.txt}]\n", "`names` is for .npy files");
    expect_words("priors: [{name: a, file: x.gmt, min_set_size: 9, max_set_size: 3}]\n", "max_set_size 3 is below min_set_size 9");
    expect_words("priors: [{name: reactome, file: x.gmt}]\nmodel: {prior: [reactom]}\n",
                 "c.yaml:2:17: no prior is named 'reactom'; did you mean 'reactome'?");
    expect_words("model: {prior: [reactome]}\n", "no prior is named 'reactome' (there are none)");
    expect_words("priors: [{name: reactome, file: x.gmt}]\nconstraints: {quota: [{prior: other, set: S, at_most: 1}]}\n",
                 "c.yaml:2:31: no prior is named 'other'");
}

Test(config_problem, constraints_must_not_contradict_themselves)
{
    expect_words(REPLAY "constraints: {quota: [{names: [A]}]}\n", "constraints.quota[0] needs at_most or at_least");
    expect_words(REPLAY "constraints: {quota: [{at_most: 3}]}\n", "constraints.quota[0] needs prior and set, or names");
    expect_words(REPLAY "constraints: {quota: [{prior: p, at_most: 3}]}\n", "constraints.quota[0] needs prior and set, or names");
    expect_words(REPLAY "constraints: {quota: [{prior: p, set: s, names: [A], at_most: 3}]}\n",
                 "takes prior and set, or names, not both");
    expect_words(REPLAY "constraints: {quota: [{names: [A], at_most: 1, at_least: 2}]}\n", "at_least 2 is above at_most 1");
    expect_problem(REPLAY "constraints:\n  include: [A, B]\n  exclude: {names: [B], reason: r}\n",
                   "c.yaml:8:12: 'B' is both in constraints.include and in constraints.exclude; take it out of one");
    expect_words(REPLAY "constraints: {include: [A], exclude: [{names: [C]}, {names: [A]}]}\n", "c.yaml:6:53: 'A' is both");
    expect_words(REPLAY "constraints: {include: [A], controls: [A]}\n", "which are never candidates");
    expect_words(REPLAY "constraints: {exclude: {reason: r}}\n", "constraints.exclude needs names or a file");
    expect_words(REPLAY "design: {guides: {file: g, target: t, id: [a, b], sequence: [c]}}\n",
                 "2 id columns and 1 sequence columns");
    expect_words(REPLAY "name: a/b\n", "name 'a/b' becomes a folder");
}

/* ---- --set */

Test(config_set, replaces_adds_and_creates)
{
    sow_config *c = read_or_die(REPLAY, "seed=77");
    cr_expect_eq(c->seed, 77);
    sow_config_destroy(c);
    c = read_or_die(REPLAY, "acquisition.starts=3");
    cr_expect_eq(c->acquisition.starts, 3, "the mapping was not in the file");
    sow_config_destroy(c);
    c = read_or_die(REPLAY, "rounds.batches=[1, 2, 3]");
    cr_expect(c->rounds.n_batches == 3 && c->rounds.batches[2] == 3);
    sow_config_destroy(c);
    c = read_or_die(REPLAY, "rounds.batches[1]=9");
    cr_expect(c->rounds.n_batches == 2 && c->rounds.batches[1] == 9);
    sow_config_destroy(c);
    c = read_or_die(REPLAY, "data.sources[0].file=/other.csv");
    cr_expect_str_eq(c->sources[0].file, "/other.csv");
    sow_config_destroy(c);
    c = read_or_die(REPLAY, "data.sources[0].perturbation.control=non-targeting");
    cr_expect_str_eq(c->sources[0].control, "non-targeting");
    cr_expect_str_eq(c->sources[0].perturbation_column, "gene", "the shorthand became a mapping");
    sow_config_destroy(c);
    c = read_or_die(whole, "priors[0].shuffle=true");
    cr_expect_eq(c->priors[0].shuffle, 1);
    sow_config_destroy(c);
    c = read_or_die(whole, "constraints.exclude[1]={names: [ZZZ], reason: why not}");
    cr_expect_eq(c->constraints.n_exclude, 2, "the mapping became a list");
    cr_expect_str_eq(c->constraints.exclude[0].names[0], "SPI1");
    cr_expect_str_eq(c->constraints.exclude[1].reason, "why not");
    sow_config_destroy(c);
    c = read_or_die(whole, "constraints.controls[1]=ACTB");
    cr_expect(c->constraints.n_controls == 2 && strcmp(c->constraints.controls[1], "ACTB") == 0);
    sow_config_destroy(c);
    c = read_or_die(whole, "oracle.held_out=");
    cr_expect_eq(c->oracle.held_count, -1, "nothing is null");
    sow_config_destroy(c);
}

static void expect_set_problem(const char *set, const char *expected)
{
    char *problems = problems_of(REPLAY, &set, 1);
    cr_expect_str_eq(problems, expected);
    free(problems);
}

Test(config_set, problems_are_named_after_the_option)
{
    expect_set_problem("acquisition.stratgy=x",
                       "--set acquisition.stratgy=x: unknown key 'stratgy' in acquisition; did you mean 'strategy'? "
                       "(allowed: strategy, beta, starts, representation, weight, loss_form, loss_target, loss_members, loss_cells, consistency, list, stream)");
    expect_set_problem("acquisition.beta=-1", "--set acquisition.beta=-1: acquisition.beta must be a number >= 0, not '-1'");
    expect_set_problem("seed", "--set seed: write KEY=VALUE, for example --set seed=2 or --set data.sources[0].file=screen.csv");
    expect_set_problem("=2", "--set =2: write KEY=VALUE, for example --set seed=2 or --set data.sources[0].file=screen.csv");
    expect_set_problem("data.sources[5].file=x", "--set data.sources[5].file=x: 'data.sources' has 1 entry; the next one is [1]");
    expect_set_problem("data.sources[x].file=x",
                       "--set data.sources[x].file=x: an index is a whole number from 0 in brackets, as in priors[0]");
    expect_set_problem("data.sources.file=x",
                       "--set data.sources.file=x: 'data.sources' has no keys of its own; say which entry, as in [0]");
    expect_set_problem("sower.x=1", "--set sower.x=1: 'sower' has no keys of its own");
    expect_set_problem("sower[0]=1", "--set sower[0]=1: 'sower' is not a list");
    expect_set_problem("data.sources[0]x=1", "--set data.sources[0]x=1: after an index comes '.', '[' or '='");
    expect_set_problem("seed=[1", "--set seed=[1: not valid YAML: did not find expected ',' or ']' while parsing a flow sequence");
    expect_set_problem("rounds.initial.size=",
                       "--set rounds.initial.size=: key 'size' is missing in rounds.initial: a whole number >= 1 (Its size)");
}

Test(config_set, problems_come_after_the_files)
{
    const char *sets[] = {"model.kind=gpp", "seed=x"};
    char *problems = problems_of(REPLAY "zebra: 1\n", sets, 2);
    const char *file = strstr(problems, "c.yaml:6:1: unknown key 'zebra'"), *set = strstr(problems, "--set model.kind=gpp:");
    cr_assert(file && set && file < set, "%s", problems);
    cr_assert(strstr(problems, "--set seed=x: seed must be"), "%s", problems);
    free(problems);
}

/* ---- what is written */

Test(config_problem, survives_every_failing_allocation, .timeout = 60)
{
    const char *path =
        scratch_write("c.yaml", "sower: 2\nseed: x\nmodel: {kind: gpp, colour: red}\nrounds: {initial: {size: 0}}\n");
    for (int i = 0; i < 400; i++) {
        sow_config *c = NULL;
        char *problems = NULL;
        sow_memory_fail_after(i);
        sow_status st = sow_config_read(&c, &problems, path, NULL, 0, NULL);
        sow_memory_fail_after(-1);
        cr_assert(st == SOW_E_CONFIG || st == SOW_E_NOMEM);
        free(problems);
        cr_assert_null(c);
    }
}
