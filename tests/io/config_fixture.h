/* Campaign files that are right, and what a wrong one says. */
#ifndef SOWER_TESTS_IO_CONFIG_FIXTURE_H
#define SOWER_TESTS_IO_CONFIG_FIXTURE_H

#include <criterion/criterion.h>

#include "io/config.h"
#include "scratch.h"

/* The smallest campaigns that are right: with data, and without. */
#define REPLAY                                                                                                                     \
    "sower: 1\n"                                                                                                                   \
    "data: {sources: [{file: s.csv, context: K562, perturbation: gene, cells: n}]}\n"                                              \
    "readout: {column: score}\n"                                                                                                   \
    "oracle: {kind: replay}\n"                                                                                                     \
    "rounds: {initial: {size: 5}, batches: [4, 4]}\n"
#define GENERATIVE                                                                                                                 \
    "sower: 1\n"                                                                                                                   \
    "oracle: {kind: generative}\n"                                                                                                 \
    "rounds: {initial: {size: 5}}\n"

#define GENERATIVE_LINE(key) "sower: 1\nrounds: {initial: {size: 5}}\noracle: {kind: generative, " key "}\n"

__attribute__((unused)) static const char whole[] =
    "sower: 1\n"
    "name: thp1-eccite\n"
    "seed: 8\n"
    "data:\n"
    "  sources:\n"
    "    - file: ../data/a.csv.gz\n"
    "      role: target                # target | reference\n"
    "      context: THP-1\n"
    "      perturbation: {column: gene, separator: \"+\", control: non-targeting, dose: {column: dose}}\n"
    "      replicate: {column: replicate}\n"
    "      cells: n_cells\n"
    "      technical_batch: null\n"
    "      values: response\n"
    "    - {file: /abs/b.h5ad, role: reference, context: {column: line}, contexts: [A, B], perturbation: gene,\n"
    "       variance: v, cells: {column: n}, duplicates: error}\n"
    "readout: {kind: scalar, column: \"n DE\", transform: log1p, adjust_for: [log(cells)]}\n"
    "priors:\n"
    "  - {name: reactome, file: p.gmt.gz, min_set_size: 3, max_set_size: 500}\n"
    "  - {name: umap, file: u.tsv, key: gene, columns: [x, y], shuffle: true}\n"
    "  - {name: emb, file: e.npy, names: e.txt}\n"
    "  - {name: ref, context: A}\n"
    "model: {kind: gp, prior: [reactome, umap], prior_dims: 32, kernel: rbf, transfer: mean, iterations: 9, components: 7}\n"
    "objective: {kind: hits, column: \"pos|fdr\", below: 0.05, direction: low}\n"
    "acquisition: {strategy: ucb, beta: 2.5, representation: prior}\n"
    "rounds: {initial: {size: 5, strategy: k-center}, batches: [4, 4, 4]}\n"
    "oracle: {kind: replay, held_out: {count: 40}}\n"
    "constraints:\n"
    "  include: [STAT1]\n"
    "  exclude: {names: [SPI1], reason: \"too few cells\"}\n"
    "  quota: [{prior: reactome, set: \"Interferon Signaling\", at_most: 3}, {names: [X, Y], at_least: 1, per: campaign}]\n"
    "  controls: GAPDH\n"
    "design: {guides_per_target: 4, cells_per_perturbation: 300, control_share: 0.08, moi: 0.4, reads_per_cell: 2e4,\n"
    "         guides: {file: g.csv, target: gene, id: [a, b], sequence: [c, d]}}\n"
    "costs: {currency: EUR, per_round: 2000, per_perturbation: 1, per_guide: 15, per_cell: 0.086,\n"
    "        per_million_reads: 0.374, weeks_per_round: 4}\n";

static inline sow_config *read_or_die(const char *text, const char *set)
{
    sow_error err = {0};
    sow_config *c = NULL;
    char *problems = NULL;
    sow_status st = sow_config_read(&c, &problems, scratch_write("campaign.yaml", text), set ? &set : NULL, set != NULL, &err);
    cr_assert_eq(st, SOW_OK, "%s\n%s", err.message, problems ? problems : "");
    return c;
}

static inline char *problems_of(const char *text, const char *const *sets, sow_index n_sets)
{
    sow_error err = {0};
    sow_config *c = NULL;
    char *problems = NULL;
    cr_assert_eq(sow_config_read(&c, &problems, scratch_write("c.yaml", text), sets, n_sets, &err), SOW_E_CONFIG, "accepted:\n%s",
                 text);
    cr_assert_null(c);
    cr_assert_not_null(problems);
    cr_assert_eq(strncmp(problems, err.message, strcspn(problems, "\n")), 0, "err holds the first");
    return problems;
}

/* The text has exactly this problem (without the folder in front). */
static inline void expect_problem(const char *text, const char *expected)
{
    char *problems = problems_of(text, NULL, 0), line[600];
    snprintf(line, sizeof line, "%s/%s", scratch, expected);
    cr_expect_str_eq(problems, line);
    free(problems);
}

static inline void expect_words(const char *text, const char *words)
{
    char *problems = problems_of(text, NULL, 0);
    cr_expect(strstr(problems, words), "'%s' does not say '%s'", problems, words);
    free(problems);
}

#define CELLS                                                                                                                      \
    "sower: 1\n"                                                                                                                   \
    "data: {sources: [{file: s.h5ad, context: K562, perturbation: {column: gene, control: nt}}]}\n"                                \
    "readout: {kind: cells}\n"                                                                                                     \
    "oracle: {kind: replay}\n"                                                                                                     \
    "rounds: {initial: {size: 5}, batches: [4, 4]}\n"

#define SIMULATED(more) "sower: 1\nreadout: {kind: cells}\nrounds: {initial: {size: 5}}\noracle: {kind: generative" more "}\n"

#endif
