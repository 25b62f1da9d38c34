/* Metrics of cells against golden numbers and against twins written out by their definitions. */
#include "cells_fixture.h"

#include "../core/golden.h"

#define EVALUATE_H5 SOWER_SHARED_DIR "/parity/evaluate.h5"
enum { GROUPS = 12, GENES = 80, DE = 50 };

/* ---- golden ---- */

typedef struct {
    float *control, *x[GROUPS], *guess[GROUPS];
    double *exact[GROUPS]; /* predictions are of double precision in the file: metrics of floats agree to 1e-6, of these to 1e-11 */
    sow_index n_control;
    sow_cells_item item[GROUPS];
} golden_cells;

/* Rows of group g in file order. */
static double *rows_of(sow_index *n, const double *x, const int *group, size_t total, int g)
{
    double *out = calloc(total * GENES, sizeof *out);
    *n = 0;
    for (size_t i = 0; i < total; i++)
        if (group[i] == g) memcpy(out + GENES * (*n)++, x + GENES * i, GENES * sizeof *out);
    return out;
}

static float *as_floats(const double *x, sow_index n)
{
    float *out = calloc((size_t)(n * GENES), sizeof *out);
    for (sow_index k = 0; k < n * GENES; k++) out[k] = (float)x[k];
    return out;
}

static golden_cells golden_cells_read(void)
{
    golden_cells c = {0};
    size_t n, m;
    double *x = golden_doubles(EVALUATE_H5, "input/x", NULL), *guess = golden_doubles(EVALUATE_H5, "pred/x", NULL), *rows;
    int *group = golden_ints(EVALUATE_H5, "input/group", &n), *guess_group = golden_ints(EVALUATE_H5, "pred/group", &m);
    rows = rows_of(&c.n_control, x, group, n, 0);
    c.control = as_floats(rows, c.n_control);
    free(rows);
    for (int p = 0; p < GROUPS; p++) {
        rows = rows_of(&c.item[p].n, x, group, n, p + 1);
        c.x[p] = as_floats(rows, c.item[p].n);
        free(rows);
        c.exact[p] = rows_of(&c.item[p].m, guess, guess_group, m, p + 1);
        c.guess[p] = as_floats(c.exact[p], c.item[p].m);
        c.item[p].truth = c.x[p];
        c.item[p].predicted = c.guess[p];
    }
    free(x), free(guess), free(group), free(guess_group);
    return c;
}

static void golden_cells_clear(golden_cells *c)
{
    free(c->control);
    for (int p = 0; p < GROUPS; p++) free(c->x[p]), free(c->guess[p]), free(c->exact[p]);
}

/* Metrics of means of the exact predictions of perturbation p. */
static void exact_metrics(double *value, const golden_cells *c, const sow_truth *t, int p)
{
    double mean[GENES] = {0}, change[GENES];
    for (sow_index i = 0; i < c->item[p].m; i++)
        for (int j = 0; j < GENES; j++) mean[j] += c->exact[p][i * GENES + j] / (double)c->item[p].m;
    for (int j = 0; j < GENES; j++) change[j] = mean[j] - t->control_mean[j];
    sow_i_mean_metrics(value, t, &t->item[p], mean, change);
}

static sow_truth *golden_truth(const golden_cells *c, const sow_cells_item *item, sow_index n)
{
    sow_truth *t = NULL;
    sow_evaluate_cells_options o = {SOW_EVALUATE_REFERENCE, DE, 1, 0};
    OK(sow_truth_create(&t, item, n, GENES, c->control, c->n_control, NULL, &o, NULL, err));
    return t;
}

static const struct {
    int metric;
    const char *golden;
} twins[] = {
    {SOW_I_RMSE_DE, "rmse_de"},
    {SOW_I_RMSE_ALL, "rmse_whole"},
    {SOW_I_R2_DE, "r2_de"},
    {SOW_I_R2_ALL, "r2_whole"},
    {SOW_I_PEARSON_DE, "pearsonr_change_de"},
    {SOW_I_PEARSON_ALL, "pearsonr_change_whole"},
    {SOW_I_DIRECTION_DE, "fraction_de"},
};
enum { N_TWINS = sizeof twins / sizeof twins[0] };

Test(evaluate_cells, the_reference_mode_gives_the_golden_numbers)
{
    GOLDEN_OR_SKIP(EVALUATE_H5);
    golden_cells c = golden_cells_read();
    sow_truth *t = golden_truth(&c, c.item, GROUPS);
    for (int k = 0; k < N_TWINS; k++) {
        char path[64];
        double value[GROUPS], exact[SOW_I_N_CELL_METRICS];
        snprintf(path, sizeof path, "metrics/%s", twins[k].golden);
        double *golden = golden_doubles(EVALUATE_H5, path, NULL);
        OK(sow_evaluate_cells_each(value, sow_i_cell_metric[twins[k].metric], t, c.item, GROUPS, NULL, err));
        for (int p = 0; p < GROUPS; p++) {
            exact_metrics(exact, &c, t, p);
            NEAR(exact[twins[k].metric], golden[p], 1e-11);
            NEAR(value[p], golden[p], 1e-6);
        }
        free(golden);
    }
    sow_truth_destroy(t);
    golden_cells_clear(&c);
}

Test(evaluate_cells, the_reference_mode_takes_the_published_genes_trap_and_all)
{
    GOLDEN_OR_SKIP(EVALUATE_H5);
    golden_cells c = golden_cells_read();
    sow_truth *t = golden_truth(&c, c.item, GROUPS);
    int *top = golden_ints(EVALUATE_H5, "welch/top50", NULL);
    double *tie_free = golden_doubles(EVALUATE_H5, "wilcoxon/z_no_tie", NULL);
    for (int p = 0; p < GROUPS; p++) {
        for (int k = 0; k < DE; k++) cr_assert_eq(sow_truth_de(t, p)[k], top[p * DE + k], "perturbation %d, gene %d", p, k);
        for (int k = 1; k < SOW_I_TOP; k++) {
            const double *z = tie_free + p * GENES;
            cr_assert(fabs(z[t->item[p].wilcoxon[k - 1]]) >= fabs(z[t->item[p].wilcoxon[k]]) - 1e-9);
        }
    }
    free(top), free(tie_free);
    sow_truth_destroy(t);
    golden_cells_clear(&c);
}

/* Rows perm [m] at some genes. */
static double *in_order(const double *exact, const float *x, const int *perm, sow_index m, sow_i_genes genes)
{
    double *out = calloc((size_t)(m * genes.n), sizeof *out);
    for (sow_index i = 0; i < m; i++)
        for (sow_index j = 0; j < genes.n; j++) {
            sow_index at = perm[i] * GENES + genes.gene[j];
            out[i * genes.n + j] = exact ? exact[at] : (double)x[at];
        }
    return out;
}

static void check_batches(const golden_cells *c, const sow_truth *t, int p, int k, const int *perm_p, const int *perm_t, int n_batches, const double *batches, double mean)
{
    const sow_i_truth_item *item = &t->item[p];
    sow_i_genes genes = k == 0 ? (sow_i_genes){item->de, item->n_de} : (sow_i_genes){item->kept, item->n_kept};
    sow_index m = c->item[p].m < item->n ? c->item[p].m : item->n;
    double *x = in_order(c->exact[p], NULL, perm_p, m, genes), *y = in_order(NULL, c->x[p], perm_t, m, genes), value, got[2];
    OK(sow_i_mmd_batches(&value, got, x, y, m, genes.n, k == 0 ? 200 : 1500, err));
    for (int i = 0; i < n_batches; i++) NEAR(got[i], batches[i], 1e-11);
    if (n_batches == 0) cr_assert(isnan(value) && isnan(mean));
    else NEAR(value, mean, 1e-11);
    free(x), free(y);
}

Test(evaluate_cells, recorded_permutations_give_the_golden_mmd)
{
    GOLDEN_OR_SKIP(EVALUATE_H5);
    golden_cells c = golden_cells_read();
    sow_truth *t = golden_truth(&c, c.item, GROUPS);
    static const char *const part[2] = {"de", "whole"}, *const what[4] = {"mmd_batches/", "metrics/mmd_", "perm/pred_", "perm/true_"};
    int *n = golden_ints(EVALUATE_H5, "mmd_batches/n_batches", NULL);
    for (int k = 0; k < 2; k++) {
        char path[4][64];
        for (int i = 0; i < 4; i++) snprintf(path[i], sizeof path[i], "%s%s", what[i], part[k]);
        double *batches = golden_doubles(EVALUATE_H5, path[0], NULL), *mean = golden_doubles(EVALUATE_H5, path[1], NULL);
        int *perm_p = golden_ints(EVALUATE_H5, path[2], NULL), *perm_t = golden_ints(EVALUATE_H5, path[3], NULL);
        for (int p = 0; p < GROUPS; p++) check_batches(&c, t, p, k, perm_p + p * 90, perm_t + p * 90, n[p], batches + p * 2, mean[p]);
        free(batches), free(mean), free(perm_p), free(perm_t);
    }
    free(n);
    sow_truth_destroy(t);
    golden_cells_clear(&c);
}

static double value_of(const sow_metric *m, sow_index n, const char *name)
{
    for (sow_index i = 0; i < n; i++)
        if (strcmp(m[i].metric, name) == 0) return m[i].value;
    cr_assert_fail("no metric %s", name);
    return NAN;
}

Test(evaluate_cells, means_over_perturbations_of_at_least_32_cells_are_the_golden_summary)
{
    GOLDEN_OR_SKIP(EVALUATE_H5);
    golden_cells c = golden_cells_read();
    sow_cells_item many[GROUPS];
    sow_index n = 0, n_out;
    for (int p = 0; p < GROUPS; p++)
        if (c.item[p].n >= 32) many[n++] = c.item[p];
    cr_assert_eq(n, 9);
    sow_truth *t = golden_truth(&c, many, n);
    sow_metric out[SOW_METRICS_MAX];
    sow_rng rng = sow_rng_make(1, SOW_RNG_BOOTSTRAP, 0, 0);
    OK(sow_evaluate_cells(out, &n_out, t, many, n, &rng, NULL, err));
    for (int k = 0; k < N_TWINS; k++) {
        char path[64];
        snprintf(path, sizeof path, "summary_over_ge32/%s", twins[k].golden);
        double *golden = golden_doubles(EVALUATE_H5, path, NULL);
        NEAR(value_of(out, n_out, sow_i_cell_metric[twins[k].metric]), golden[1], 1e-6);
        free(golden);
    }
    /* our permutations are others: the same to what a batch of 32 cells tells */
    double *golden = golden_doubles(EVALUATE_H5, "summary_over_ge32/mmd_whole", NULL);
    NEAR(value_of(out, n_out, "mmd_all"), golden[1], 0.05 * golden[1]);
    free(golden);
    sow_truth_destroy(t);
    golden_cells_clear(&c);
}

/* ---- twins by definition ---- */

static void naive_mean(double *out, const float *x, sow_index n, sow_index d)
{
    for (sow_index j = 0; j < d; j++) {
        out[j] = 0;
        for (sow_index i = 0; i < n; i++) out[j] += (double)x[i * d + j] / (double)n;
    }
}

static double naive_pearson(const double *a, const double *b, const sow_index *set, sow_index n)
{
    double ma = 0, mb = 0, ab = 0, aa = 0, bb = 0;
    for (sow_index i = 0; i < n; i++) ma += a[set[i]] / (double)n, mb += b[set[i]] / (double)n;
    for (sow_index i = 0; i < n; i++) {
        double x = a[set[i]] - ma, y = b[set[i]] - mb;
        ab += x * y, aa += x * x, bb += y * y;
    }
    return ab / sqrt(aa * bb);
}

/* The k genes of `set` with the largest |x|, one after the other. */
static void naive_top(sow_index *top, sow_index k, const double *x, const sow_index *set, sow_index n)
{
    for (sow_index t = 0; t < k; t++) {
        sow_index best = -1;
        for (sow_index i = 0; i < n; i++) {
            int taken = 0;
            for (sow_index s = 0; s < t; s++) taken |= top[s] == set[i];
            if (!taken && (best < 0 || fabs(x[set[i]]) > fabs(x[best]))) best = set[i];
        }
        top[t] = best;
    }
}

static double *columns(const float *x, sow_index n, sow_index d, const sow_index *set, sow_index k)
{
    double *out = calloc((size_t)(n * k), sizeof *out);
    for (sow_index i = 0; i < n; i++)
        for (sow_index j = 0; j < k; j++) out[i * k + j] = (double)x[i * d + set[j]];
    return out;
}

static double naive_mmd(const made_cells *c, sow_index i, const sow_index *set, sow_index k)
{
    const sow_cells_item *p = &c->item[i];
    double *x = columns(p->predicted, p->m, c->d, set, k), *y = columns(p->truth, p->n, c->d, set, k), *z = columns(c->control, c->n_control, c->d, set, k);
    double sigma = 0, out;
    for (sow_index a = 0; a < c->n_control; a++)
        for (sow_index b = 0; b < c->n_control; b++)
            for (sow_index j = 0; j < k; j++) sigma += pow(z[a * k + j] - z[b * k + j], 2);
    sigma /= (double)(c->n_control * (c->n_control - 1));
    sow_mmd_options o = {.sigma = sigma, .kernels = 10, .unbiased = 1};
    OK(sow_mmd(&out, x, p->m, y, p->n, k, &o, NULL, err));
    free(x), free(y), free(z);
    return out;
}

typedef struct {
    sow_index *all, *de, n_all, wilcoxon[20], most[20], guessed[20];
    double *truth, *guess, *truth_change, *guess_change, *centre_a, *centre_b;
} twin;

static twin twin_make(const made_cells *c, sow_index i, sow_index n_de)
{
    sow_index d = c->d, start[2] = {0, c->item[i].n};
    twin w = {.all = calloc((size_t)d, sizeof(sow_index)), .de = calloc((size_t)n_de, sizeof(sow_index))};
    double **rows[] = {&w.truth, &w.guess, &w.truth_change, &w.guess_change, &w.centre_a, &w.centre_b}, *control = calloc((size_t)d, sizeof(double)),
           *z = calloc((size_t)d, sizeof(double));
    for (size_t k = 0; k < 6; k++) *rows[k] = calloc((size_t)d, sizeof(double));
    for (sow_index j = 0; j < d; j++)
        if (j != c->own[i][0] && !(c->item[i].n_own == 2 && j == c->own[i][1])) w.all[w.n_all++] = j;
    naive_mean(control, c->control, c->n_control, d);
    naive_mean(w.truth, c->item[i].truth, c->item[i].n, d);
    naive_mean(w.guess, c->item[i].predicted, c->item[i].m, d);
    for (sow_index j = 0; j < d; j++) {
        w.truth_change[j] = w.truth[j] - control[j];
        w.guess_change[j] = w.guess[j] - control[j];
        w.centre_a[j] = w.truth_change[j] - c->centre[j];
        w.centre_b[j] = w.guess_change[j] - c->centre[j];
    }
    OK(sow_de(z, NULL, SOW_DE_WILCOXON_TIES, c->item[i].truth, start, 1, c->control, c->n_control, d, NULL, err));
    OK(sow_de_top(w.de, n_de, SOW_DE_RANK, z, c->item[i].truth, c->item[i].n, c->control, c->n_control, d, c->item[i].own, c->item[i].n_own, err));
    OK(sow_de_top(w.wilcoxon, 20, SOW_DE_RANK, z, c->item[i].truth, c->item[i].n, c->control, c->n_control, d, c->item[i].own, c->item[i].n_own, err));
    naive_top(w.most, 20, w.truth_change, w.all, w.n_all);
    naive_top(w.guessed, 20, w.guess_change, w.all, w.n_all);
    free(control), free(z);
    return w;
}

static void twin_clear(twin *w)
{
    free(w->all), free(w->de), free(w->truth), free(w->guess), free(w->truth_change), free(w->guess_change), free(w->centre_a), free(w->centre_b);
}

static double naive_error(const twin *w, const sow_index *set, sow_index n, double power)
{
    double s = 0;
    for (sow_index k = 0; k < n; k++) s += pow(fabs(w->truth[set[k]] - w->guess[set[k]]), power) / (double)n;
    return s;
}

static double naive_r2(const twin *w, const sow_index *set, sow_index n)
{
    double middle = 0, spread = 0;
    for (sow_index k = 0; k < n; k++) middle += w->truth[set[k]] / (double)n;
    for (sow_index k = 0; k < n; k++) spread += pow(w->truth[set[k]] - middle, 2) / (double)n;
    return 1 - naive_error(w, set, n, 2) / spread;
}

static double naive_metric(const char *name, const made_cells *c, sow_index i, const twin *w, sow_index n_de)
{
    double s = 0;
    if (!strcmp(name, "mmd_de")) return naive_mmd(c, i, w->de, n_de);
    if (!strcmp(name, "mmd_all")) return naive_mmd(c, i, w->all, w->n_all);
    if (!strcmp(name, "rmse_de")) return sqrt(naive_error(w, w->de, n_de, 2));
    if (!strcmp(name, "rmse_all")) return sqrt(naive_error(w, w->all, w->n_all, 2));
    if (!strcmp(name, "pearson_delta_de")) return naive_pearson(w->truth_change, w->guess_change, w->de, n_de);
    if (!strcmp(name, "pearson_delta_all")) return naive_pearson(w->truth_change, w->guess_change, w->all, w->n_all);
    if (!strcmp(name, "pearson_delta_centred")) return naive_pearson(w->centre_a, w->centre_b, w->all, w->n_all);
    if (!strcmp(name, "r2_de")) return naive_r2(w, w->de, n_de);
    if (!strcmp(name, "r2_all")) return naive_r2(w, w->all, w->n_all);
    if (!strcmp(name, "pearson_top20_wilcoxon")) return naive_pearson(w->truth_change, w->guess_change, w->wilcoxon, 20);
    if (!strcmp(name, "pearson_top20_abs")) return naive_pearson(w->truth_change, w->guess_change, w->most, 20);
    if (!strcmp(name, "mse_top20")) return naive_error(w, w->wilcoxon, 20, 2);
    if (!strcmp(name, "mae_top20")) return naive_error(w, w->wilcoxon, 20, 1);
    if (!strcmp(name, "direction_de")) {
        for (sow_index k = 0; k < n_de; k++) s += (w->truth_change[w->de[k]] > 0) == (w->guess_change[w->de[k]] > 0) ? 1.0 / (double)n_de : 0;
        return s;
    }
    cr_assert_str_eq(name, "recall_top20");
    for (sow_index a = 0; a < 20; a++)
        for (sow_index b = 0; b < 20; b++) s += w->most[a] == w->guessed[b] ? 0.05 : 0;
    return s;
}

Test(evaluate_cells, every_metric_is_what_its_definition_says)
{
    enum { N = 6, D = 90, N_DE = 30 };
    made_cells c = cells_make(N, D, 60, 0, 1);
    sow_truth *t = truth_of(&c, SOW_EVALUATE_DEFAULT, N_DE);
    for (int k = 0; k < SOW_I_N_CELL_METRICS; k++) {
        double value[N], sum = 0;
        each(value, sow_i_cell_metric[k], t, &c);
        for (sow_index i = 0; i < N; i++) {
            twin w = twin_make(&c, i, N_DE);
            double naive = naive_metric(sow_i_cell_metric[k], &c, i, &w, N_DE);
            cr_assert(fabs(value[i] - naive) <= (k <= SOW_I_MMD_ALL ? 1e-5 : 1e-12), "%s of %d: %.17g is not %.17g", sow_i_cell_metric[k], (int)i, value[i],
                      naive); /* distances of the MMD are of single precision */
            sum += value[i] / N;
            twin_clear(&w);
        }
        cr_assert(fabs(sum) > 1e-3, "%s tells nothing here", sow_i_cell_metric[k]);
    }
    sow_truth_destroy(t);
    cells_clear(&c);
}

Test(evaluate_cells, a_table_holds_the_means_with_intervals_in_the_order_of_the_contract)
{
    made_cells c = cells_make(8, 60, 50, 0, 2);
    sow_truth *t = truth_of(&c, SOW_EVALUATE_DEFAULT, 50);
    sow_metric out[SOW_METRICS_MAX];
    sow_index n;
    sow_rng rng = sow_rng_make(1, SOW_RNG_BOOTSTRAP, 0, 0);
    OK(sow_evaluate_cells(out, &n, t, c.item, c.n, &rng, NULL, err));
    cr_assert_eq(n, 15);
    for (sow_index k = 0; k < n; k++) {
        double value[8], mean = 0;
        cr_assert_str_eq(out[k].metric, sow_i_cell_metric[k]);
        each(value, out[k].metric, t, &c);
        for (int i = 0; i < 8; i++) mean += value[i] / 8;
        NEAR(out[k].value, mean, 1e-12);
        cr_assert(out[k].low <= out[k].value && out[k].value <= out[k].high, "%s", out[k].metric);
    }
    sow_truth_destroy(t);
    cells_clear(&c);
}

/* ---- shifts in place of cells ---- */

static void shifts_agree(sow_evaluate_mode mode, sow_index n_control)
{
    made_cells c = cells_make(6, 70, n_control, 0, 3);
    double a[6], b[6];
    sow_truth *t = truth_of(&c, mode, 25);
    for (int k = 0; k < SOW_I_N_CELL_METRICS; k++) {
        use_shifts(&c);
        each(a, sow_i_cell_metric[k], t, &c);
        use_shifted_controls(&c);
        each(b, sow_i_cell_metric[k], t, &c);
        for (int i = 0; i < 6; i++)
            cr_assert((isnan(a[i]) && isnan(b[i])) || fabs(a[i] - b[i]) <= 2e-5, "%s of %d: %.9g from the shift, %.9g from cells", sow_i_cell_metric[k], i, a[i], b[i]);
    }
    sow_truth_destroy(t);
    cells_clear(&c);
}

Test(evaluate_cells, a_shift_gives_the_numbers_of_shifted_controls)
{
    shifts_agree(SOW_EVALUATE_DEFAULT, 80);
    shifts_agree(SOW_EVALUATE_REFERENCE, 80);
}

static double naive_distance(const made_cells *c, const float *x, sow_index n, const sow_index *set, sow_index k)
{
    double *a = columns(x, n, c->d, set, k), *b = columns(c->control, c->n_control, c->d, set, k), out;
    float *kept = calloc((size_t)(c->n_control * k), sizeof *kept);
    for (sow_index i = 0; i < c->n_control * k; i++) kept[i] = (float)b[i];
    sow_mmd_options o = {.sigma = sow_mean_squared_distance(kept, c->n_control, k), .kernels = 10, .unbiased = 1};
    OK(sow_mmd(&out, a, n, b, c->n_control, k, &o, NULL, err));
    free(a), free(b), free(kept);
    return out;
}

Test(evaluate_cells, distance_from_the_controls_is_the_mmd_to_them)
{
    enum { N = 5, D = 60 };
    made_cells c = cells_make(N, D, 70, 0, 5);
    sow_truth *t = truth_of(&c, SOW_EVALUATE_DEFAULT, 20);
    double truth[N], guess[N];
    OK(sow_cells_distance(truth, t, NULL, N, 0, NULL, err));
    OK(sow_cells_distance(guess, t, c.item, N, 1, NULL, err));
    for (int i = 0; i < N; i++) {
        const sow_i_truth_item *item = &t->item[i];
        cr_assert(truth[i] > 0.01);
        NEAR(truth[i], naive_distance(&c, c.item[i].truth, c.item[i].n, item->kept, item->n_kept), 1e-5);
        NEAR(guess[i], naive_distance(&c, c.item[i].predicted, c.item[i].m, item->kept, item->n_kept), 1e-5);
    }
    sow_truth_destroy(t);
    cells_clear(&c);
}

/* Shifted controls stand against the others: by definition, with kernels written out. */
Test(evaluate_cells, distance_of_a_shift_leaves_out_each_control_and_itself)
{
    enum { N = 3, D = 30, M = 40 };
    made_cells c = cells_make(N, D, M, 40, 6);
    sow_truth *t = truth_of(&c, SOW_EVALUATE_DEFAULT, 20);
    double got[N], zero[D] = {0};
    use_shifts(&c);
    OK(sow_cells_distance(got, t, c.item, N, 1, NULL, err));
    for (int p = 0; p < N; p++) {
        const sow_i_truth_item *item = &t->item[p];
        double within = 0, across = 0;
        for (int i = 0; i < M; i++)
            for (int j = 0; j < M; j++) {
                double plain = 0, moved = 0;
                if (i == j) continue;
                for (sow_index k = 0; k < item->n_kept; k++) {
                    sow_index gene = item->kept[k];
                    double apart = (double)c.control[i * D + gene] - (double)c.control[j * D + gene];
                    plain += apart * apart;
                    moved += pow(apart + c.shift[p][gene], 2);
                }
                for (int b = 0; b < 10; b++) {
                    within += exp(-plain / (item->sigma_all / 32 * pow(2, b))) / (M * (M - 1));
                    across += exp(-moved / (item->sigma_all / 32 * pow(2, b))) / (M * (M - 1));
                }
            }
        NEAR(got[p], 2 * within - 2 * across, 1e-5);
        cr_assert_gt(got[p], 0.01);
        c.item[p].shift = zero;
    }
    OK(sow_cells_distance(got, t, c.item, N, 1, NULL, err));
    for (int p = 0; p < N; p++) NEAR(got[p], 0, 1e-9);
    sow_truth_destroy(t);
    cells_clear(&c);
}

/* A model that moves all cells alike, asked for its cells. */
static void make_from_controls(made_cells *c, const sow_truth *t, sow_index *source, float *from)
{
    const sow_index *row;
    const sow_index m = sow_truth_controls(&row, t);
    for (sow_index k = 0; k < m; k++) {
        source[k] = row ? row[k] : k;
        memcpy(from + k * c->d, c->control + source[k] * c->d, (size_t)c->d * sizeof *from);
    }
    for (sow_index i = 0; i < c->n; i++) {
        free(c->guess[i]);
        c->guess[i] = calloc((size_t)(m * c->d), sizeof(float));
        sow_shift_controls(c->guess[i], from, m, c->d, c->shift[i]);
        c->item[i] = (sow_cells_item){.truth = c->item[i].truth, .n = c->item[i].n, .own = c->item[i].own, .n_own = c->item[i].n_own, .predicted = c->guess[i], .m = m, .source = source};
    }
}

Test(evaluate_cells, cells_made_from_the_controls_of_a_shift_are_judged_as_the_shift)
{
    enum { N = 5, D = 30, CONTROLS = 700, METRICS = 15 };
    for (int few = 0; few < 2; few++) {
        made_cells c = cells_make(N, D, few ? 60 : CONTROLS, 40, 9);
        double by_shift[N * METRICS], by_cells[N * METRICS], far[N], made_far[N];
        sow_index source[512];
        float *from = calloc(512 * D, sizeof *from);
        use_shifts(&c);
        sow_truth *t = truth_of(&c, SOW_EVALUATE_DEFAULT, 10);
        OK(sow_evaluate_cells_items(by_shift, t, c.item, N, NULL, err));
        OK(sow_cells_distance(far, t, c.item, N, 1, NULL, err));
        make_from_controls(&c, t, source, from);
        cr_assert_eq(c.item[0].m, few ? 60 : 512);
        OK(sow_evaluate_cells_items(by_cells, t, c.item, N, NULL, err));
        OK(sow_cells_distance(made_far, t, c.item, N, 1, NULL, err));
        for (int k = 0; k < N * METRICS; k++) NEAR(by_cells[k], by_shift[k], 2e-5);
        for (int i = 0; i < N; i++) NEAR(made_far[i], far[i], 2e-5);
        sow_truth_destroy(t);
        cells_clear(&c);
        free(from);
    }
}

Test(evaluate_cells, which_controls_were_moved_is_no_part_of_the_change)
{
    enum { N = 3, D = 30, LOPSIDED = 30, METRICS = 15 };
    made_cells c = cells_make(N, D, 400, 40, 11);
    sow_index source[LOPSIDED], first = 0;
    double by_shift[N * METRICS], by_cells[N * METRICS], published[2][N * METRICS];
    for (sow_index i = 0; i < 400 && first < LOPSIDED; i++) /* controls that have more of gene 3 than most */
        if (c.control[i * D + 3] > 0) source[first++] = i;
    cr_assert_eq(first, LOPSIDED);
    use_shifts(&c);
    sow_truth *t = truth_of(&c, SOW_EVALUATE_DEFAULT, 10), *reference = truth_of(&c, SOW_EVALUATE_REFERENCE, 10);
    OK(sow_evaluate_cells_items(by_shift, t, c.item, N, NULL, err));
    for (sow_index i = 0; i < N; i++) {
        free(c.guess[i]);
        c.guess[i] = calloc(LOPSIDED * D, sizeof(float));
        for (int k = 0; k < LOPSIDED; k++) sow_shift_controls(c.guess[i] + k * D, c.control + source[k] * D, 1, D, c.shift[i]);
        c.item[i].predicted = c.guess[i], c.item[i].m = LOPSIDED, c.item[i].shift = NULL, c.item[i].source = source;
    }
    OK(sow_evaluate_cells_items(by_cells, t, c.item, N, NULL, err));
    OK(sow_evaluate_cells_items(published[0], reference, c.item, N, NULL, err));
    for (int i = 0; i < N; i++)
        for (int k = SOW_I_RMSE_DE; k < METRICS; k++) NEAR(by_cells[i * METRICS + k], by_shift[i * METRICS + k], 2e-5);
    for (sow_index i = 0; i < N; i++) c.item[i].source = NULL;
    OK(sow_evaluate_cells_items(by_cells, t, c.item, N, NULL, err)); /* cells of which nobody knows where they are from: their mean is what is predicted */
    cr_assert(fabs(by_cells[SOW_I_PEARSON_ALL] - by_shift[SOW_I_PEARSON_ALL]) > 1e-3);
    OK(sow_evaluate_cells_items(published[1], reference, c.item, N, NULL, err)); /* and so it is published */
    for (int k = 0; k < N * METRICS; k++) cr_assert(published[0][k] == published[1][k] || (isnan(published[0][k]) && isnan(published[1][k])));
    sow_truth_destroy(t);
    sow_truth_destroy(reference);
    cells_clear(&c);
}

Test(evaluate_cells, distances_of_the_reference_mode_are_batches_against_batches)
{
    enum { N = 3 };
    made_cells c = cells_make(N, 40, 70, 64, 7);
    double truth[N], guess[N], zero[40] = {0};
    sow_truth *t = truth_of(&c, SOW_EVALUATE_REFERENCE, 20);
    OK(sow_cells_distance(truth, t, NULL, N, 0, NULL, err));
    for (int i = 0; i < N; i++) c.item[i].predicted = NULL, c.item[i].shift = zero;
    OK(sow_cells_distance(guess, t, c.item, N, 1, NULL, err));
    for (int i = 0; i < N; i++) {
        cr_assert(truth[i] > 0.01 && truth[i] < 5);
        NEAR(guess[i], 0, 1e-12); /* the controls against themselves */
    }
    use_shifted_controls(&c);
    OK(sow_cells_distance(guess, t, c.item, N, 1, NULL, err));
    for (int i = 0; i < N; i++) cr_assert(guess[i] > 0.01 && guess[i] < 5);
    sow_truth_destroy(t);
    cells_clear(&c);
}

Test(evaluate_cells, the_result_is_the_same_bits_for_any_number_of_threads)
{
    made_cells c = cells_make(12, 80, 600, 0, 4);
    sow_threads *three = NULL;
    OK(sow_threads_create(&three, 3, err));
    sow_env env = {.threads = three};
    for (int mode = 0; mode < 2; mode++)
        for (int shifts = 0; shifts < 2; shifts++) {
            if (shifts) use_shifts(&c);
            sow_metric a[SOW_METRICS_MAX], b[SOW_METRICS_MAX];
            sow_index n;
            sow_truth *one = truth_of(&c, (sow_evaluate_mode)mode, 40), *many = NULL;
            sow_evaluate_cells_options o = {(sow_evaluate_mode)mode, 40, 7, 1};
            sow_rng ra = sow_rng_make(1, SOW_RNG_BOOTSTRAP, 0, 0), rb = ra;
            OK(sow_truth_create(&many, c.item, c.n, c.d, c.control, c.n_control, c.centre, &o, &env, err));
            OK(sow_evaluate_cells(a, &n, one, c.item, c.n, &ra, NULL, err));
            OK(sow_evaluate_cells(b, &n, many, c.item, c.n, &rb, &env, err));
            for (sow_index k = 0; k < n; k++)
                cr_assert(memcmp(&a[k].value, &b[k].value, 3 * sizeof(double)) == 0, "%s differs with three threads", a[k].metric);
            sow_truth_destroy(one);
            sow_truth_destroy(many);
        }
    sow_threads_destroy(three);
    cells_clear(&c);
}
