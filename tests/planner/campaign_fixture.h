/* Small campaigns in a scratch folder: data from fixed formulas, opened through the library. */
#ifndef SOWER_TESTS_PLANNER_CAMPAIGN_FIXTURE_H
#define SOWER_TESTS_PLANNER_CAMPAIGN_FIXTURE_H

#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>

#include "io/h5ad.h"
#include "planner/campaign.h"
#include "tests/io/scratch.h"

enum { N_PERTURBATIONS = 36, N_GENES = 10, N_CONTEXTS = 2 };

/* ---- a scalar screen in two contexts, `other` a noisy copy of `here` */

static inline double scalar_of(int i, int context)
{
    return 2 * sin(i * 0.7) + 0.3 * context * cos(i * 1.9);
}

static inline void write_scalar_screen(const char *name)
{
    char text[8192], *p = text;
    p += sprintf(p, "gene,line,score,n_cells,depth\n");
    for (int i = 0; i < N_PERTURBATIONS; i++)
        for (int c = 0; c < N_CONTEXTS; c++)
            p += sprintf(p, "P%02d,%s,%.5f,%d,%.3f\n", i, c ? "other" : "here", scalar_of(i, c), 50 + i, 1 + 0.1 * (i % 7));
    scratch_write(name, text);
}

static inline void write_layout(const char *name)
{
    char text[4096], *p = text;
    p += sprintf(p, "gene,x,y\n");
    for (int i = 0; i < N_PERTURBATIONS; i++)
        p += sprintf(p, "P%02d,%.4f,%.4f\n", i, sin(i * 0.7), cos(i * 0.7));
    scratch_write(name, text);
}

/* ---- profiles: every perturbation in both contexts; perturbation P03 is also the gene P03 */

static inline double response_of(int i, int context, int gene)
{
    return sin(i * 0.7 + gene) + 0.2 * context * cos(i + 2.0 * gene);
}

static inline void write_profiles(const char *name)
{
    enum { ROWS = N_PERTURBATIONS * N_CONTEXTS };
    static char storage[ROWS + N_GENES][8];
    char *obs_names[ROWS], *var_names[N_GENES], *perturbation[ROWS], *context[ROWS];
    double cells[ROWS], x[ROWS * N_GENES];
    for (int g = 0; g < N_GENES; g++) {
        var_names[g] = storage[ROWS + g];
        sprintf(var_names[g], g == 4 ? "P03" : "g%d", g);
    }
    for (int r = 0; r < ROWS; r++) {
        int i = r / N_CONTEXTS, c = r % N_CONTEXTS;
        obs_names[r] = perturbation[r] = storage[r];
        sprintf(storage[r], "P%02d", i);
        context[r] = c ? "other" : "here";
        cells[r] = 40 + i;
        for (int g = 0; g < N_GENES; g++)
            x[r * N_GENES + g] = response_of(i, c, g);
    }
    sow_h5ad_column columns[] = {{"perturbation", SOW_COLUMN_STRING, perturbation, NULL},
                                 {"line", SOW_COLUMN_STRING, context, NULL},
                                 {"n_cells", SOW_COLUMN_NUMBER, NULL, cells}};
    sow_h5ad a = {.n_obs = ROWS, .n_vars = N_GENES, .obs_names = obs_names, .var_names = var_names, .n_obs_columns = 3, .obs = columns, .x = x};
    sow_error err = {0};
    cr_assert_eq(sow_h5ad_write(scratch_path(name), &a, 0, &err), SOW_OK, "%s", err.message);
}

/* ---- campaign files */

#define COMMON_ROUNDS "rounds: {initial: {size: 8, strategy: random}, batches: [5, 5]}\n"

static const char simulated_yaml[] =
    "sower: 1\nname: c\nseed: 4\n"
    "oracle: {kind: generative, perturbations: 40, modules: 5, prior_dims: 3, held_out: {fraction: 0.2}}\n"
    "objective: {kind: hits, top: 0.1}\nmodel: {kind: gp, iterations: 8}\nacquisition: {strategy: ucb}\n" COMMON_ROUNDS
    "costs: {per_round: 100, per_cell: 0.1}\n";

static const char scalar_yaml[] =
    "sower: 1\nname: c\nseed: 4\n"
    "data:\n  sources:\n"
    "    - {file: screen.csv, role: target, context: {column: line}, contexts: [here], perturbation: gene, cells: n_cells}\n"
    "    - {file: screen.csv, role: reference, context: {column: line}, contexts: [other], perturbation: gene, cells: n_cells}\n"
    "readout: {kind: scalar, column: score}\npriors: [{name: layout, file: layout.csv}]\n"
    "objective: {kind: hits, top: 0.1}\nmodel: {kind: gp, iterations: 8}\nacquisition: {strategy: greedy}\n" COMMON_ROUNDS
    "oracle: {kind: replay, held_out: {fraction: 0.2}}\n";

static const char profile_yaml[] =
    "sower: 1\nname: c\nseed: 4\n"
    "data:\n  sources:\n"
    "    - {file: screen.h5ad, role: target, context: {column: line}, contexts: [here], perturbation: perturbation, cells: n_cells}\n"
    "    - {file: screen.h5ad, role: reference, context: {column: line}, contexts: [other], perturbation: perturbation, cells: n_cells}\n"
    "readout: {kind: profile}\npriors: [{name: layout, file: layout.csv}]\n"
    "model: {kind: gp, iterations: 8, components: 4}\nacquisition: {strategy: max-variance}\n" COMMON_ROUNDS
    "oracle: {kind: replay, held_out: {fraction: 0.2}}\ndesign: {cells_per_perturbation: 45}\n";

/* `text` with the first `old` replaced; the caller frees. */
static inline char *replaced(const char *text, const char *old, const char *new_)
{
    const char *at = strstr(text, old);
    cr_assert_not_null(at, "'%s' is not in the campaign", old);
    size_t size = strlen(text) + strlen(new_) + 1;
    char *out = calloc(1, size);
    snprintf(out, size, "%.*s%s%s", (int)(at - text), text, new_, at + strlen(old));
    return out;
}

/* The same two with people who measure: what the file holds of the target are candidates only. */
static inline const char *at_lab(const char *yaml)
{
    static char text[4096];
    const char *at = strstr(yaml, "oracle: {kind: replay, held_out: {fraction: 0.2}}");
    cr_assert_not_null(at);
    snprintf(text, sizeof text, "%.*soracle: {kind: lab}%s", (int)(at - yaml), yaml, at + strlen("oracle: {kind: replay, held_out: {fraction: 0.2}}"));
    return text;
}

static inline sow_config *read_config(const char *yaml)
{
    sow_error err = {0};
    sow_config *config = NULL;
    write_scalar_screen("screen.csv");
    write_layout("layout.csv");
    write_profiles("screen.h5ad");
    scratch_write("c.yaml", yaml);
    cr_assert_eq(sow_config_read(&config, NULL, scratch_path("c.yaml"), NULL, 0, &err), SOW_OK, "%s", err.message);
    return config;
}

static inline sow_campaign *open_campaign(const sow_config *config, sow_campaign_mode mode, const char *folder)
{
    sow_error err = {0};
    sow_campaign *c = NULL;
    sow_campaign_options options = {.dir = folder ? scratch_path(folder) : NULL, .mode = mode, .argv = "test"};
    cr_assert_eq(sow_campaign_open(&c, config, &options, NULL, &err), SOW_OK, "%s", err.message);
    return c;
}

static inline void close_campaign(sow_campaign *c)
{
    sow_error err = {0};
    cr_assert_eq(sow_campaign_close(c, &err), SOW_OK, "%s", err.message);
}

#define MUST(call)                                                                                                                          \
    do {                                                                                                                                    \
        sow_status must_ = (call);                                                                                                          \
        cr_assert_eq(must_, SOW_OK, "%s: %s", #call, err.message);                                                                          \
    } while (0)

/* Everything that two runs of one campaign share; the caller frees. */
static inline char *results_of(const char *folder)
{
    static const char *const files[] = {"metrics.csv", "rounds/00/batch.csv", "rounds/01/batch.csv", "rounds/02/batch.csv"};
    char *all = calloc(1, 1 << 20), path[128];
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        strcat(all, scratch_read(scratch_path(path)));
    }
    return all;
}

static inline json_t *status_of(const sow_campaign *c)
{
    sow_error err = {0};
    char *text = NULL;
    MUST(sow_campaign_status_json(&text, c, &err));
    json_t *j = json_loads(text, 0, NULL);
    cr_assert_not_null(j);
    free(text);
    return j;
}

static inline int count_of(const sow_campaign *c, const char *status)
{
    json_t *j = status_of(c);
    int n = (int)json_integer_value(json_object_get(json_object_get(j, "status"), status));
    json_decref(j);
    return n;
}

#endif
