/* What predictions for a new context are worth: a model is fitted on what is known and on the seeds, predicts the rest, and every prediction is compared with what was measured. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/de.h"
#include "core/memory.h"
#include "core/stats.h"
#include "models/evaluate.h"
#include "planner/context_rows.h"

enum { TOP = SOW_I_CONTEXT_TOP };

/* ---- measures ---- */

/* The mean of few seeds is a noisy centre, and what is subtracted from both sides correlates: source-shift, whose predictions do not change with the seeds, scores .386 with 5 of them and .267 with 20
 * on pbmc-drugs when centred so. Headlines and curves go by the context's own mean, which is one for any number of seeds. */
enum { ALL, SPECIFIC, CENTRED, TOP_ABS, TOP_CENTRED, RECALL, RECALL_CENTRED, RMSE, MSE, MAE, N_PROFILE, WILCOXON = N_PROFILE, MSE_WILCOXON, MAE_WILCOXON, N_CELLS };
static const char *const profile_name[] = {"pearson_delta_all", "pearson_centred_context", "pearson_delta_centred", "pearson_top20_abs", "pearson_top20_centred", "recall_top20", "recall_top20_centred",
                                           "rmse_all", "mse_top20", "mae_top20", "pearson_top20_wilcoxon", "mse_top20_wilcoxon", "mae_top20_wilcoxon"};
enum { MEASURED, PREDICTED, N_SCALAR };
enum { SPEARMAN, PEARSON, SCALAR_RMSE, N_SCALAR_TOTALS };
static const char *const scalar_name[] = {"spearman", "pearson", "rmse"};

static int is_scalar(const sow_campaign *c)
{
    return !c->cells && c->d == 1;
}

sow_i_context_measures sow_i_context_measures_of(const sow_campaign *c)
{
    if (is_scalar(c)) return (sow_i_context_measures){N_SCALAR, N_SCALAR_TOTALS, scalar_name, {SCALAR_RMSE, SPEARMAN, -1}};
    const sow_index n = c->cells ? N_CELLS : N_PROFILE;
    return (sow_i_context_measures){n, n, profile_name, {SPECIFIC, ALL, TOP_ABS}};
}

/* ---- genes by rank sum ---- */

/* Perturbations first .. last - 1 of the target against its controls to judge by, x [m, d]: their cells in one block. */
static sow_status rank_block(sow_i_context_rows *r, sow_index first, sow_index last, const float *control, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_campaign *c = r->c;
    const sow_cells *t = &c->cells->table;
    sow_index *start = NULL, *cell = NULL, own[SOW_I_MAX_OWN];
    float *x = NULL;
    double *score = NULL;
    SOW_NEW(start, last - first + 1);
    for (sow_index i = first; i < last; i++)
        start[i - first + 1] = start[i - first] + sow_cells_of(NULL, t, r->perturbation[r->n_known + i], r->target);
    const sow_index n = start[last - first];
    SOW_NEW(cell, n);
    for (sow_index i = first; i < last; i++) {
        const sow_index *list = NULL, here = sow_cells_of(&list, t, r->perturbation[r->n_known + i], r->target);
        memcpy(cell + start[i - first], list, (size_t)here * sizeof *list);
    }
    SOW_NEW(x, n * r->d);
    SOW_NEW(score, (last - first) * r->d);
    SOW_TRY(sow_prepared_rows(x, &c->cells->space, t, cell, n, env, err));
    SOW_TRY(sow_de(score, NULL, SOW_DE_WILCOXON, x, start, last - first, control, r->controls.n_judge, r->d, env, err));
    for (sow_index i = first; i < last; i++) {
        const sow_index g = i - first, n_own = sow_i_own_genes(own, c, r->perturbation[r->n_known + i]);
        SOW_TRY(sow_de_top(&r->wilcoxon[i * TOP], TOP, SOW_DE_RANK, &score[g * r->d], &x[start[g] * r->d], start[g + 1] - start[g], control, r->controls.n_judge, r->d, own, n_own, err));
    }
done:
    free(start);
    free(cell);
    free(x);
    free(score);
    return st;
}

sow_status sow_i_rank_genes(sow_i_context_rows *r, const sow_env *env, sow_error *err)
{
    enum { BLOCK_VALUES = 32 << 20 }; /* 128 MB of cells at a time */
    sow_status st = SOW_OK;
    float *control = NULL;
    if (!r->c->cells || r->wilcoxon) return SOW_OK;
    SOW_NEW(control, r->controls.n_judge * r->d);
    SOW_NEW(r->wilcoxon, sow_i_n_new(r) * TOP);
    SOW_TRY(sow_prepared_rows(control, &r->c->cells->space, &r->c->cells->table, r->controls.judge, r->controls.n_judge, env, err));
    for (sow_index i = 0, next; i < sow_i_n_new(r); i = next) {
        double values = r->cells[r->n_known + i] * (double)r->d;
        for (next = i + 1; next < sow_i_n_new(r); next++) {
            values += r->cells[r->n_known + next] * (double)r->d;
            if (values > BLOCK_VALUES) break;
        }
        SOW_TRY(rank_block(r, i, next, control, env, err));
    }
done:
    free(control);
    return st;
}

/* ---- one perturbation ---- */

/* Room for one perturbation's vectors without its own genes. */
typedef struct {
    double *truth, *mean, *truth_off, *mean_off; /* [d]; off: without the mean of seeds */
    double *context;                             /* [d] the context's mean */
    sow_index *place;                            /* [d] where a gene went; -1 = its own */
    sow_index n;
} stripped;

static void stripped_clear(stripped *s)
{
    free(s->truth);
    free(s->mean);
    free(s->truth_off);
    free(s->mean_off);
    free(s->context);
    free(s->place);
}

static sow_status stripped_room(stripped *s, sow_index d, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(s->truth, d);
    SOW_NEW(s->mean, d);
    SOW_NEW(s->truth_off, d);
    SOW_NEW(s->mean_off, d);
    SOW_NEW(s->context, d);
    SOW_NEW(s->place, d);
done:
    return st;
}

/* What is left of x without the centre; what rounding alone may have left is nothing: the mean of seeds predicted is the mean of seeds. */
static double off_centre(double x, double centre)
{
    const double off = x - centre;
    return fabs(off) <= 1e-12 * (fabs(x) + fabs(centre)) ? 0 : off;
}

static void strip(stripped *s, const sow_i_context_rows *r, sow_index perturbation, const double *truth, const double *mean, const double *centre)
{
    sow_index own[SOW_I_MAX_OWN], n_own = sow_i_own_genes(own, r->c, perturbation);
    s->n = 0;
    for (sow_index j = 0; j < r->d; j++) {
        int is_own = 0;
        for (sow_index k = 0; k < n_own; k++)
            is_own |= own[k] == j;
        s->place[j] = is_own ? -1 : s->n;
        if (is_own) continue;
        s->truth[s->n] = truth[j];
        s->mean[s->n] = mean[j];
        s->context[s->n] = r->centre[j];
        s->truth_off[s->n] = off_centre(truth[j], centre[j]);
        s->mean_off[s->n++] = off_centre(mean[j], centre[j]);
    }
}

static double or_zero(double x)
{
    return isfinite(x) ? x : 0;
}

static sow_status score_changes(double *v, const stripped *s, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index top[TOP], n = 0;
    v[ALL] = sow_metric_pearson(s->truth, s->mean, NULL, -1, s->n);
    v[SPECIFIC] = or_zero(sow_metric_pearson(s->truth, s->mean, s->context, -1, s->n));
    v[CENTRED] = or_zero(sow_metric_pearson(s->truth_off, s->mean_off, NULL, -1, s->n));
    v[RMSE] = sow_metric_rmse(s->truth, s->mean, -1, s->n);
    SOW_TRY(sow_metric_top(top, &n, s->truth, -1, s->n, TOP, err));
    v[TOP_ABS] = sow_metric_pearson_over(s->truth, s->mean, top, n);
    v[MSE] = sow_metric_mse_over(s->truth, s->mean, top, n);
    v[MAE] = sow_metric_mae_over(s->truth, s->mean, top, n);
    SOW_TRY(sow_metric_recall_top(&v[RECALL], s->truth, s->mean, NULL, -1, s->n, TOP, err));
    SOW_TRY(sow_metric_top(top, &n, s->truth_off, -1, s->n, TOP, err));
    v[TOP_CENTRED] = or_zero(sow_metric_pearson_over(s->truth_off, s->mean_off, top, n));
    SOW_TRY(sow_metric_recall_top(&v[RECALL_CENTRED], s->truth_off, s->mean_off, NULL, -1, s->n, TOP, err));
done:
    return st;
}

static void score_wilcoxon(double *v, const stripped *s, const sow_index *gene)
{
    sow_index set[TOP], n = 0;
    for (sow_index k = 0; k < TOP; k++)
        if (gene[k] >= 0 && s->place[gene[k]] >= 0) set[n++] = s->place[gene[k]];
    v[WILCOXON] = sow_metric_pearson_over(s->truth, s->mean, set, n);
    v[MSE_WILCOXON] = sow_metric_mse_over(s->truth, s->mean, set, n);
    v[MAE_WILCOXON] = sow_metric_mae_over(s->truth, s->mean, set, n);
}

/* ---- all that is left ---- */

typedef struct {
    sow_index n, *place; /* places among the target's rows that are no seeds */
    sow_index *perturbation, *context;
    double *cells, *mean, *var, *noise;
} asked;

static void asked_clear(asked *a)
{
    free(a->place);
    free(a->perturbation);
    free(a->context);
    free(a->cells);
    free(a->mean);
    free(a->var);
    free(a->noise);
}

static sow_status ask_rest(asked *a, const sow_i_context_rows *r, const sow_i_context_training *t, sow_error *err)
{
    sow_status st = SOW_OK;
    unsigned char *seed = NULL;
    const sow_index most = sow_i_n_new(r);
    SOW_NEW(seed, r->c->n);
    SOW_NEW(a->place, most);
    SOW_NEW(a->perturbation, most);
    SOW_NEW(a->context, most);
    SOW_NEW(a->cells, most);
    for (sow_index i = 0; i < t->n_seeds; i++)
        seed[t->perturbation[i]] = 1;
    for (sow_index i = 0; i < most; i++) {
        if (seed[r->perturbation[r->n_known + i]]) continue;
        a->place[a->n] = i;
        a->perturbation[a->n] = r->perturbation[r->n_known + i];
        a->context[a->n] = r->target;
        a->cells[a->n++] = r->cells[r->n_known + i];
    }
    SOW_NEW(a->mean, a->n * r->d);
    SOW_NEW(a->var, a->n * r->d);
    SOW_NEW(a->noise, a->n * r->d);
done:
    free(seed);
    return st;
}

static sow_status score_asked(double *value, const asked *a, const sow_i_context_rows *r, const sow_i_context_training *t, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_context_measures k = sow_i_context_measures_of(r->c);
    stripped s = {0};
    SOW_TRY(stripped_room(&s, r->d, err));
    for (sow_index i = 0; i < sow_i_n_new(r) * k.n_columns; i++)
        value[i] = NAN;
    for (sow_index i = 0; i < a->n; i++) {
        const double *truth = &r->truth[a->place[i] * r->d], *mean = &a->mean[i * r->d];
        double *v = &value[a->place[i] * k.n_columns];
        if (is_scalar(r->c)) {
            v[MEASURED] = truth[0];
            v[PREDICTED] = mean[0];
            continue;
        }
        strip(&s, r, a->perturbation[i], truth, mean, t->centre);
        SOW_TRY(score_changes(v, &s, err));
        if (k.n_columns == N_CELLS && r->wilcoxon) score_wilcoxon(v, &s, &r->wilcoxon[a->place[i] * TOP]);
    }
done:
    stripped_clear(&s);
    return st;
}

sow_status sow_i_context_score(double *value, sow_model **kept, const sow_i_context_rows *r, const sow_i_context_training *t, const sow_model_class *class_, const sow_model *warm,
                               const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    asked a = {0};
    sow_model *model = NULL;
    sow_model_options options = sow_i_model_options(r->c);
    if (class_->caps & SOW_CAP_META) options.warm = warm;
    SOW_TRY(ask_rest(&a, r, t, err));
    const sow_query query = {.n = a.n, .perturbation = a.perturbation, .context = a.context, .cells = a.cells};
    SOW_TRY(sow_model_fit(&model, class_, &t->view, &options, env, err));
    SOW_TRY(sow_model_predict(model, &query, a.mean, a.var, a.noise, env, err));
    SOW_TRY(score_asked(value, &a, r, t, err));
    if (kept) {
        *kept = model;
        model = NULL;
    }
done:
    if (st != SOW_OK && st != SOW_E_CANCELLED) sow_error_prefix(err, "new context %s, %lld seeds, model %s", sow_names_get(r->c->screen->contexts, r->target), (long long)t->n_seeds, class_->name);
    sow_model_destroy(model);
    asked_clear(&a);
    return st;
}

/* ---- totals ---- */

static sow_status scalar_totals(double *mean, sow_index *count, const double *value, sow_index n, const unsigned char *take, sow_error *err)
{
    sow_status st = SOW_OK;
    double *x = NULL, *y = NULL, square = 0;
    sow_index m = 0;
    SOW_NEW(x, n);
    SOW_NEW(y, n);
    for (sow_index i = 0; i < n; i++) {
        if ((take && !take[i]) || !isfinite(value[i * N_SCALAR])) continue;
        x[m] = value[i * N_SCALAR + MEASURED];
        y[m] = value[i * N_SCALAR + PREDICTED];
        square += (x[m] - y[m]) * (x[m] - y[m]);
        m++;
    }
    SOW_TRY(sow_spearman(&mean[SPEARMAN], x, y, m, err));
    mean[PEARSON] = sow_pearson(x, y, m);
    mean[SCALAR_RMSE] = m > 0 ? sqrt(square / (double)m) : (double)NAN;
    for (sow_index k = 0; k < N_SCALAR_TOTALS; k++)
        count[k] = isfinite(mean[k]) ? m : 0;
done:
    free(x);
    free(y);
    return st;
}

sow_status sow_i_context_totals(double *mean, sow_index *count, const sow_i_context_measures *k, const double *value, sow_index n, const unsigned char *take, sow_error *err)
{
    if (k->n_columns == N_SCALAR) return scalar_totals(mean, count, value, n, take, err);
    for (sow_index m = 0; m < k->n; m++) {
        mean[m] = 0;
        count[m] = 0;
        for (sow_index i = 0; i < n; i++) {
            const double v = value[i * k->n_columns + m];
            if ((take && !take[i]) || !isfinite(v)) continue;
            mean[m] += v;
            count[m]++;
        }
        mean[m] = count[m] > 0 ? mean[m] / (double)count[m] : (double)NAN;
    }
    return SOW_OK;
}
