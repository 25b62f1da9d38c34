/* Metrics of a predicted mean cell and its change against the measured ones; each over a set of genes. Definitions: models/evaluate_cells.h. */
#include <math.h>

#include "models/evaluate_cells_internal.h"
#include "models/evaluate_internal.h"

const char *const sow_i_cell_metric[SOW_I_N_CELL_METRICS] = {
    "mmd_de",       "mmd_all", "rmse_de", "rmse_all",               "pearson_delta_de",  "pearson_delta_all", "pearson_delta_centred", "direction_de",
    "r2_de",        "r2_all",  "pearson_top20_wilcoxon", "pearson_top20_abs", "recall_top20", "mse_top20", "mae_top20",
};

/* By insertion: the list is short. */
sow_index sow_i_most_changed(sow_index *top, const double *change, sow_i_genes from)
{
    sow_index n = 0;
    for (sow_index i = 0; i < from.n; i++) {
        sow_index gene = from.gene[i], at;
        double size = fabs(change[gene]);
        if (!(size > 0) || (n == SOW_I_TOP && !(size > fabs(change[top[n - 1]])))) continue;
        for (at = n < SOW_I_TOP ? n++ : n - 1; at > 0 && size > fabs(change[top[at - 1]]); at--) top[at] = top[at - 1];
        top[at] = gene;
    }
    return n;
}

static double mean_squared(const double *truth, const double *mean, sow_i_genes g)
{
    double s = 0;
    for (sow_index i = 0; i < g.n; i++) s += (truth[g.gene[i]] - mean[g.gene[i]]) * (truth[g.gene[i]] - mean[g.gene[i]]);
    return g.n > 0 ? s / (double)g.n : (double)NAN;
}

static double mean_absolute(const double *truth, const double *mean, sow_i_genes g)
{
    double s = 0;
    for (sow_index i = 0; i < g.n; i++) s += fabs(truth[g.gene[i]] - mean[g.gene[i]]);
    return g.n > 0 ? s / (double)g.n : (double)NAN;
}

static double direction(const double *truth, const double *change, sow_i_genes g)
{
    sow_index same = 0;
    for (sow_index i = 0; i < g.n; i++) same += sow_i_sign(truth[g.gene[i]]) == sow_i_sign(change[g.gene[i]]);
    return g.n > 0 ? (double)same / (double)g.n : (double)NAN;
}

static double r2(const double *truth, const double *mean, sow_i_genes g, sow_evaluate_mode mode)
{
    double middle = 0, spread = 0, error = 0;
    if (g.n == 0) return NAN;
    for (sow_index i = 0; i < g.n; i++) middle += truth[g.gene[i]];
    middle /= (double)g.n;
    for (sow_index i = 0; i < g.n; i++) {
        double off = truth[g.gene[i]] - middle, e = truth[g.gene[i]] - mean[g.gene[i]];
        spread += off * off;
        error += e * e;
    }
    int constant = !(spread > 1e-26 * (double)g.n * middle * middle); /* nothing but rounding */
    if (mode == SOW_EVALUATE_DEFAULT) return constant ? (double)NAN : 1 - error / spread;
    return constant ? (error == 0) : fmax(0, 1 - error / spread);
}

static double pearson(const double *truth, const double *change, const double *centre, sow_i_genes g)
{
    return sow_i_pearson_over(truth, change, centre, g.gene, g.n, -1);
}

/* Without the centre, on both sides. A prediction that is the centre itself (train-mean's) leaves nothing but the rounding of float cells: undefined, so 0. */
static double centred(const double *truth, const double *change, const double *mean, const double *centre, sow_i_genes g)
{
    double left = 0, size = 0;
    for (sow_index i = 0; i < g.n; i++) {
        double off = change[g.gene[i]] - (centre ? centre[g.gene[i]] : 0);
        left += off * off;
        size += mean[g.gene[i]] * mean[g.gene[i]];
    }
    double r = left <= 1e-12 * size ? (double)NAN : pearson(truth, change, centre, g);
    return isfinite(r) ? r : 0;
}

static double recall(const sow_i_truth_item *item, const double *change)
{
    sow_index top[SOW_I_TOP], hits = 0;
    if (item->n_kept <= SOW_I_TOP || item->n_most == 0) return NAN;
    sow_index n = sow_i_most_changed(top, change, (sow_i_genes){item->kept, item->n_kept});
    for (sow_index i = 0; i < n; i++)
        for (sow_index j = 0; j < item->n_most; j++) hits += top[i] == item->most[j];
    return (double)hits / (double)item->n_most;
}

void sow_i_mean_metrics(double *value, const sow_truth *t, const sow_i_truth_item *item, const double *mean, const double *change)
{
    sow_i_genes all = {item->kept, item->n_kept}, de = {item->de, item->n_de}, wilcoxon = {item->wilcoxon, item->n_wilcoxon};
    value[SOW_I_RMSE_DE] = sqrt(mean_squared(item->mean, mean, de));
    value[SOW_I_RMSE_ALL] = sqrt(mean_squared(item->mean, mean, all));
    value[SOW_I_PEARSON_DE] = pearson(item->change, change, NULL, de);
    value[SOW_I_PEARSON_ALL] = pearson(item->change, change, NULL, all);
    value[SOW_I_PEARSON_CENTRED] = centred(item->change, change, mean, t->centre, all);
    value[SOW_I_DIRECTION_DE] = direction(item->change, change, de);
    value[SOW_I_R2_DE] = r2(item->mean, mean, de, t->options.mode);
    value[SOW_I_R2_ALL] = r2(item->mean, mean, all, t->options.mode);
    value[SOW_I_PEARSON_TOP_WILCOXON] = pearson(item->change, change, NULL, wilcoxon);
    value[SOW_I_PEARSON_TOP_ABS] = pearson(item->change, change, NULL, (sow_i_genes){item->most, item->n_most});
    value[SOW_I_RECALL_TOP] = recall(item, change);
    value[SOW_I_MSE_TOP] = mean_squared(item->change, change, wilcoxon);
    value[SOW_I_MAE_TOP] = mean_absolute(item->change, change, wilcoxon);
}
