#include "core/hvg.h"

#include <math.h>

#include "tests/core/golden.h"
#include "tests/core/made_cells.h"
#include "tests/io/faults.h"

#define FIXTURES SOWER_SOURCE_DIR "/tests/core/fixtures/"

/* ---- what scanpy said ---- */

typedef struct {
    sow_index n;
    double *score;
    unsigned char *top[3]; /* whether among the first of three sizes */
} scanpy_case;

static scanpy_case read_case(const char *file, const char *name)
{
    scanpy_case c = {0};
    char path[512], line[4096];
    snprintf(path, sizeof path, FIXTURES "%s", file);
    FILE *f = fopen(path, "r");
    cr_assert(f, "%s", path);
    c.score = calloc(1000, sizeof *c.score);
    for (int k = 0; k < 3; k++) c.top[k] = calloc(1000, 1);
    const size_t length = strlen(name);
    while (fgets(line, sizeof line, f)) {
        char score[64];
        int mark[3];
        if (strncmp(line, name, length) != 0 || line[length] != '\t') continue;
        const char *rest = strchr(line + length + 1, '\t');
        cr_assert(rest && c.n < 1000 && sscanf(rest, "%63s %d %d %d", score, &mark[0], &mark[1], &mark[2]) == 4, "%s", line);
        c.score[c.n] = strtod(score, NULL);
        for (int k = 0; k < 3; k++) c.top[k][c.n] = (unsigned char)mark[k];
        c.n++;
    }
    fclose(f);
    cr_assert_gt(c.n, 0, "no case %s in %s", name, file);
    return c;
}

static void clear_scanpy(scanpy_case *c)
{
    free(c->score);
    for (int k = 0; k < 3; k++) free(c->top[k]);
}

/* Every score within `tolerance` of scanpy's, relative to the larger of it and 1 (a normalised dispersion passes through 0), and the same genes on top. */
static void check_against(const scanpy_case *want, const sow_hvg_input *in, const int tops[3], double tolerance, const char *label)
{
    const sow_index d = sow_names_count(in->cells->genes);
    double *score = calloc((size_t)d, sizeof *score), *mean = calloc((size_t)d, sizeof *mean), *variance = calloc((size_t)d, sizeof *variance), worst = 0;
    unsigned char *chosen = calloc((size_t)d, 1);
    sow_index n_chosen = 0, k = 0;
    sow_error err = {0};
    cr_assert_eq(sow_hvg_scores(score, mean, variance, in, NULL, &err), SOW_OK, "%s", err.message);
    for (sow_index g = 0; g < d; g++) {
        if (in->skip_absent && isnan(mean[g])) continue; /* scanpy was given the genes that are there */
        if (!isnan(want->score[k]) && want->score[k] != 0) {
            const double away = fabs(score[g] - want->score[k]) / fmax(1, fabs(want->score[k]));
            cr_assert(away <= tolerance, "%s: gene %lld: %.17g, scanpy has %.17g", label, (long long)g, score[g], want->score[k]);
            worst = fmax(worst, away);
        } else {
            cr_assert(isnan(score[g]), "%s: gene %lld", label, (long long)g);
        }
        k++;
    }
    cr_assert_eq(k, want->n);
    for (int t = 0; t < 3; t++) {
        cr_assert_eq(sow_hvg_choose(chosen, &n_chosen, score, d, tops[t], in->flavour, NULL), SOW_OK);
        sow_index wanted = 0, equal = 0;
        k = 0;
        for (sow_index g = 0; g < d; g++) {
            if (in->skip_absent && isnan(mean[g])) continue;
            wanted += want->top[t][k];
            equal += chosen[g] && want->top[t][k];
            k++;
        }
        cr_assert(n_chosen == wanted && equal == wanted, "%s: %lld of the %lld genes scanpy picks, %lld picked", label, (long long)equal, (long long)wanted,
                  (long long)n_chosen);
    }
    fprintf(stderr, "%s: same genes as scanpy; scores within %.1e\n", label, worst);
    free(score);
    free(mean);
    free(variance);
    free(chosen);
}

static double median_total(const sow_cells *cells)
{
    sow_preparation p;
    sow_features features = SOW_FEATURES_INIT;
    sow_index *all = all_positions(cells->n);
    sow_error err = {0};
    cr_assert_eq(sow_preparation_fit(&p, NULL, cells, all, cells->n, &features, NULL, &err), SOW_OK, "%s", err.message);
    const double target = p.target_sum;
    sow_preparation_clear(&p);
    free(all);
    return target;
}

/* ---- the made screen, always at hand ---- */

static sow_cells read_made_counts(void)
{
    char line[4096];
    float *x = calloc(300 * 60, sizeof *x);
    FILE *f = fopen(FIXTURES "hvg_made.txt", "r");
    cr_assert(f);
    for (int i = 0; i < 300; i++) {
        cr_assert(fgets(line, sizeof line, f));
        char *at = strchr(strchr(line, '\t') + 1, '\t');
        for (int g = 0; g < 60; g++) x[i * 60 + g] = (float)strtol(at, &at, 10);
    }
    fclose(f);
    sow_cells cells = made_cells(x, 300, 60);
    free(x);
    return cells;
}

static const int made_tops[3] = {10, 20, 40}, real_tops[3] = {50, 100, 200};

Test(hvg, dispersions_of_a_made_screen_are_those_of_scanpy)
{
    sow_cells cells = read_made_counts();
    sow_index *all = all_positions(300);
    scanpy_case want = read_case("hvg_made.txt", "seurat");
    const sow_hvg_input in = {&cells, all, 300, NULL, SOW_HVG_SEURAT, median_total(&cells), 0};
    check_against(&want, &in, made_tops, 1e-5, "made, seurat");
    clear_scanpy(&want);
    sow_cells_clear(&cells);
    free(all);
}

Test(hvg, standardised_variances_of_a_made_screen_are_those_of_scanpy)
{
    sow_cells cells = read_made_counts();
    sow_index *all = all_positions(300);
    scanpy_case want = read_case("hvg_made.txt", "seurat_v3");
    const sow_hvg_input in = {&cells, all, 300, NULL, SOW_HVG_SEURAT_V3, NAN, 0};
    check_against(&want, &in, made_tops, 1e-11, "made, seurat_v3");
    clear_scanpy(&want);
    sow_cells_clear(&cells);
    free(all);
}

/* ---- the real files ---- */

/* X of an .h5ad as CSR, and the codes of one column as contexts. */
static sow_cells read_cells(const char *path, const char *context_column, int is_log)
{
    size_t n = 0, nnz = 0;
    char codes_path[128];
    sow_cell_arrays *a = calloc(1, sizeof *a);
    a->start = golden_read(path, "X/indptr", H5T_NATIVE_INT64, sizeof(int64_t), &n);
    a->gene = golden_read(path, "X/indices", H5T_NATIVE_INT32, sizeof(int32_t), &nnz);
    a->value = golden_read(path, "X/data", H5T_NATIVE_FLOAT, sizeof(float), &nnz);
    snprintf(codes_path, sizeof codes_path, "obs/%s/codes", context_column);
    int *codes = golden_ints(path, codes_path, NULL);
    int32_t d = 0;
    for (size_t i = 0; i < nnz; i++) d = a->gene[i] >= d ? a->gene[i] + 1 : d;
    sow_cells cells = made_cells(NULL, 0, d);
    const sow_index n_cells = (sow_index)n - 1;
    sow_cell_matrix_clear(&cells.matrix[0]);
    cells.matrix[0] = (sow_cell_matrix){n_cells, d, made_names("g", d), a->start, a->gene, a->value, a, sow_cell_arrays_release};
    cells.is_log[0] = (unsigned char)is_log;
    cells.n = n_cells;
    free(cells.in_matrix);
    free(cells.row);
    free(cells.perturbation);
    free(cells.context);
    cells.in_matrix = calloc((size_t)n_cells, sizeof *cells.in_matrix);
    cells.row = calloc((size_t)n_cells, sizeof *cells.row);
    cells.perturbation = calloc((size_t)n_cells, sizeof *cells.perturbation);
    cells.context = codes;
    for (sow_index i = 0; i < n_cells; i++) {
        cells.row[i] = i;
        cells.perturbation[i] = SOW_CONTROL;
    }
    return cells;
}

static sow_index cells_of_context(sow_index *list, const sow_cells *cells, int context)
{
    sow_index n = 0;
    for (sow_index i = 0; i < cells->n; i++)
        if (context < 0 || cells->context[i] == context) list[n++] = i;
    return n;
}

static void check_real(const sow_cells *cells, const char *file, const char *name, sow_hvg_flavour flavour, int context, double tolerance)
{
    scanpy_case want = read_case(file, name);
    sow_index *list = calloc((size_t)cells->n, sizeof *list);
    const sow_index n = cells_of_context(list, cells, context);
    const sow_hvg_input in = {cells, list, n, NULL, flavour, cells->is_log[0] ? NAN : median_total(cells), context >= 0};
    char label[128];
    snprintf(label, sizeof label, "%s, %s", file, name);
    check_against(&want, &in, real_tops, tolerance, label);
    clear_scanpy(&want);
    free(list);
}

#define PAPALEXI SOWER_SHARED_DIR "/data/papalexi2021_thp1_counts.h5ad"
#define FOUR_LINES SOWER_SHARED_DIR "/data/mcfaline2024_norman2019_4lines.h5ad"
#define DATA_OR_SKIP(path)                                                                                                         \
    do {                                                                                                                           \
        if (access((path), R_OK) != 0) {                                                                                           \
            fprintf(stderr, "SKIPPED: needs ../shared/data\n");                                                                    \
            cr_skip("needs ../shared/data");                                                                                       \
        }                                                                                                                          \
    } while (0)

Test(hvg, genes_of_counts_of_thp1_are_those_of_scanpy)
{
    DATA_OR_SKIP(PAPALEXI);
    sow_cells cells = read_cells(PAPALEXI, "replicate", 0);
    check_real(&cells, "hvg_papalexi.txt", "seurat", SOW_HVG_SEURAT, -1, 1e-5);
    check_real(&cells, "hvg_papalexi.txt", "seurat_v3", SOW_HVG_SEURAT_V3, -1, 1e-10);
    check_real(&cells, "hvg_papalexi.txt", "seurat_v3 rep_1", SOW_HVG_SEURAT_V3, 0, 1e-10);
    check_real(&cells, "hvg_papalexi.txt", "seurat_v3 rep_2", SOW_HVG_SEURAT_V3, 1, 1e-10);
    check_real(&cells, "hvg_papalexi.txt", "seurat_v3 rep_3", SOW_HVG_SEURAT_V3, 2, 1e-10);
    sow_cells_clear(&cells);
}

Test(hvg, genes_of_log_values_of_four_lines_are_those_of_scanpy)
{
    DATA_OR_SKIP(FOUR_LINES);
    sow_cells cells = read_cells(FOUR_LINES, "cell_type", 1);
    check_real(&cells, "hvg_fourlines.txt", "seurat", SOW_HVG_SEURAT, -1, 1e-5);
    check_real(&cells, "hvg_fourlines.txt", "seurat A172", SOW_HVG_SEURAT, 0, 1e-5);
    check_real(&cells, "hvg_fourlines.txt", "seurat T98G", SOW_HVG_SEURAT, 1, 1e-5);
    check_real(&cells, "hvg_fourlines.txt", "seurat U87MG", SOW_HVG_SEURAT, 2, 1e-5);
    check_real(&cells, "hvg_fourlines.txt", "seurat k562", SOW_HVG_SEURAT, 3, 1e-5);
    sow_cells_clear(&cells);
}

/* ---- local regression ---- */

static void check_loess(sow_index n, double span, double (*f)(double), double tolerance)
{
    double *x = calloc((size_t)n, sizeof *x), *y = calloc((size_t)n, sizeof *y), *fitted = calloc((size_t)n, sizeof *fitted);
    sow_rng rng = sow_rng_make(2, SOW_RNG_TEST, 0, (uint32_t)n);
    for (sow_index i = 0; i < n; i++) {
        x[i] = i % 20 ? sow_rng_normal(&rng) : 0.25; /* some ties */
        y[i] = f(x[i]);
    }
    sow_error err = {0};
    cr_assert_eq(sow_loess(fitted, x, y, n, span, &err), SOW_OK, "%s", err.message);
    for (sow_index i = 0; i < n; i++)
        cr_assert(fabs(fitted[i] - y[i]) <= tolerance, "%lld of %lld: %.17g, expected %.17g", (long long)i, (long long)n, fitted[i], y[i]);
    free(x);
    free(y);
    free(fitted);
}

static double parabola(double x)
{
    return 2 - x + 3 * x * x;
}

static double wave(double x)
{
    return sin(x);
}

/* Quadratics are fitted exactly, and cubics between two of their points with their slopes are the same quadratics. */
Test(hvg, a_local_regression_follows_quadratics_exactly_and_waves_nearly)
{
    check_loess(400, 0.3, parabola, 1e-11);
    check_loess(2000, 0.1, parabola, 1e-11);
    check_loess(37, 0.75, parabola, 1e-11);
    check_loess(2000, 0.1, wave, 0.1);
}

Test(hvg, a_local_regression_of_few_points_or_few_places_is_defined)
{
    const double x[6] = {1, 1, 1, 1, 2, 2}, y[6] = {1, 2, 3, 2, 5, 7};
    double fitted[6];
    cr_assert_eq(sow_loess(fitted, x, y, 1, 0.3, NULL), SOW_OK);
    cr_assert(fabs(fitted[0] - 1) <= 1e-12);
    cr_assert_eq(sow_loess(fitted, x, y, 4, 0.3, NULL), SOW_OK);
    for (int i = 0; i < 4; i++) cr_assert(fabs(fitted[i] - 2) <= 1e-9, "%g", fitted[i]);
    cr_assert_eq(sow_loess(fitted, x, y, 6, 1, NULL), SOW_OK);
    for (int i = 0; i < 6; i++) cr_assert(isfinite(fitted[i]));
    double many[600], values[600], smooth[600]; /* more ties than a neighbourhood holds */
    for (int i = 0; i < 600; i++) {
        many[i] = i < 400 ? 0.5 : i / 600.0;
        values[i] = 1 + many[i];
    }
    cr_assert_eq(sow_loess(smooth, many, values, 600, 0.3, NULL), SOW_OK);
    for (int i = 0; i < 600; i++) cr_assert(fabs(smooth[i] - values[i]) <= 0.1, "%d: %g, expected %g", i, smooth[i], values[i]);
}

Test(hvg, a_local_regression_refuses_what_it_cannot_follow)
{
    double fitted[2];
    cr_assert_eq(sow_loess(fitted, (double[]){1, NAN}, (double[]){1, 2}, 2, 0.3, NULL), SOW_E_NONFINITE);
    cr_assert_eq(sow_loess(fitted, (double[]){1, 2}, (double[]){1, INFINITY}, 2, 0.3, NULL), SOW_E_NONFINITE);
    cr_assert_eq(sow_loess(fitted, (double[]){1, 2}, (double[]){1, 2}, 0, 0.3, NULL), SOW_E_ARG);
    cr_assert_eq(sow_loess(fitted, (double[]){1, 2}, (double[]){1, 2}, 2, 0, NULL), SOW_E_ARG);
    cr_assert_eq(sow_loess(fitted, (double[]){1, 2}, (double[]){1, 2}, 2, 1.5, NULL), SOW_E_ARG);
}

/* ---- the choice ---- */

Test(hvg, scores_that_tie_with_the_last_are_all_taken_by_dispersion_and_not_by_variance)
{
    const double score[6] = {0.7071067811865475, 3, NAN, 0.7071067811865476, -1, 0.5};
    unsigned char chosen[6];
    sow_index n = 0;
    cr_assert_eq(sow_hvg_choose(chosen, &n, score, 6, 2, SOW_HVG_SEURAT, NULL), SOW_OK);
    cr_assert(n == 3 && chosen[0] && chosen[1] && chosen[3] && !chosen[2]);
    cr_assert_eq(sow_hvg_choose(chosen, &n, score, 6, 2, SOW_HVG_SEURAT_V3, NULL), SOW_OK);
    cr_assert(n == 2 && chosen[1] && chosen[3] && !chosen[0]);
    cr_assert_eq(sow_hvg_choose(chosen, &n, score, 6, 100, SOW_HVG_SEURAT, NULL), SOW_OK);
    cr_assert(n == 5 && !chosen[2]);
    cr_assert_eq(sow_hvg_choose(chosen, &n, score, 6, 0, SOW_HVG_SEURAT, NULL), SOW_OK);
    cr_assert_eq(n, 0);
}

Test(hvg, scores_need_two_cells_a_target_sum_and_counts)
{
    const float dense[3 * 2] = {1, 0, 2, 3, 0, 1};
    sow_cells cells = made_cells(dense, 3, 2);
    const sow_index all[3] = {0, 1, 2};
    double score[2], mean[2], variance[2];
    sow_hvg_input in = {&cells, all, 1, NULL, SOW_HVG_SEURAT, 1e4, 0};
    cr_assert_eq(sow_hvg_scores(score, mean, variance, &in, NULL, NULL), SOW_E_ARG);
    in.n = 3;
    in.target_sum = 0;
    cr_assert_eq(sow_hvg_scores(score, mean, variance, &in, NULL, NULL), SOW_E_ARG);
    in.flavour = SOW_HVG_SEURAT_V3;
    cr_assert_eq(sow_hvg_scores(score, mean, variance, &in, NULL, NULL), SOW_OK);
    cr_assert(mean[0] == 1 && variance[0] == 1);
    cells.is_log[0] = 1;
    cr_assert_eq(sow_hvg_scores(score, mean, variance, &in, NULL, NULL), SOW_E_DATA);
    sow_cells_clear(&cells);
}
