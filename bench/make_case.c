/* Writes a planning case into a folder: candidates.csv, prior.csv (n x d normal numbers with 6 digits), results.csv (the first `labelled`
 * candidates with a value that the prior explains in part), campaign.yaml. usage: bench_case DIR CANDIDATES DIMENSIONS LABELLED BATCH */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/rng.h"

static FILE *open_in(const char *dir, const char *name)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    if (!f) {
        perror(path);
        exit(1);
    }
    return f;
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: bench_case DIR CANDIDATES DIMENSIONS LABELLED BATCH\n");
        return 2;
    }
    const char *dir = argv[1];
    int n = atoi(argv[2]), d = atoi(argv[3]), labelled = atoi(argv[4]), batch = atoi(argv[5]);
    FILE *candidates = open_in(dir, "candidates.csv"), *prior = open_in(dir, "prior.csv"), *results = open_in(dir, "results.csv");
    sow_rng rng = sow_rng_make(1, SOW_RNG_TEST, 0, 0);
    fprintf(candidates, "gene,score\n");
    fprintf(results, "gene,score\n");
    fprintf(prior, "gene");
    for (int j = 0; j < d; j++)
        fprintf(prior, ",x%d", j);
    fprintf(prior, "\n");
    for (int i = 0; i < n; i++) {
        double y = 0;
        fprintf(candidates, "G%06d,\n", i);
        fprintf(prior, "G%06d", i);
        for (int j = 0; j < d; j++) {
            double x = sow_rng_normal(&rng);
            y += j < 8 ? x / 3 : 0;
            fprintf(prior, ",%.6g", x);
        }
        fprintf(prior, "\n");
        if (i < labelled) fprintf(results, "G%06d,%.6g\n", i, y + 0.5 * sow_rng_normal(&rng));
    }
    FILE *yaml = open_in(dir, "campaign.yaml");
    fprintf(yaml,
            "sower: 1\nname: plan\ndata:\n  sources:\n    - {file: candidates.csv, role: target, context: cells, perturbation: {column: gene}}\n"
            "readout: {kind: scalar, column: score}\npriors:\n  - {name: prior, file: prior.csv, key: gene}\nmodel: {kind: gp, prior_dims: %d}\n"
            "objective: {kind: hits, top: 0.05}\nacquisition: {strategy: ucb}\noracle: {kind: lab}\n"
            "rounds: {initial: {size: %d, strategy: random}, batches: [%d]}\n",
            d, labelled, batch);
    return fclose(candidates) || fclose(prior) || fclose(results) || fclose(yaml);
}
