/* Folds and models: what each perturbation's prediction is worth. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "models/evaluate.h"
#include "models/evaluate_cells.h"
#include "planner/evaluate_internal.h"

/* ---- measures ---- */

static const char *const scalar_column[] = {"measured", "predicted", "error", "nll", "inside90"};
enum { MEASURED, PREDICTED, ERROR, NLL, INSIDE, N_SCALAR };
static const char *const profile_column[] = {"pearson_delta_all", "pearson_delta_centred", "rmse_all", "direction_all", "pearson_top20_abs"};
enum { ALL, CENTRED, RMSE, DIRECTION, TOP20, N_PROFILE };

static const sow_i_measures of_scalar = {
    N_SCALAR, 4, scalar_column, {{"spearman", MEASURED, SOW_I_SPEARMAN}, {"rmse", ERROR, SOW_I_RMSE}, {"nll", NLL, SOW_I_MEAN}, {"coverage90", INSIDE, SOW_I_MEAN}}, {ERROR, -1, -1, -1}};

static sow_index column_named(const sow_i_measures *k, const char *name)
{
    for (sow_index i = 0; i < k->n_columns; i++)
        if (strcmp(k->column[i], name) == 0) return i;
    return -1;
}

/* Profiles and cells: the mean of every column. */
void sow_i_choose_measures(sow_i_measures *out, const sow_campaign *c)
{
    static const char *const drawn_of_cells[] = {"mmd_de", "pearson_delta_de", "pearson_delta_centred", "rmse_de"};
    *out = of_scalar;
    if (!c->cells && c->d == 1) return;
    *out = (sow_i_measures){.n_columns = N_PROFILE, .column = profile_column, .leading = {CENTRED, ALL, RMSE, -1}};
    if (c->cells) out->column = sow_cell_metrics(&out->n_columns);
    for (sow_index k = 0; k < out->n_columns; k++)
        out->total[k] = (sow_i_total){out->column[k], k, SOW_I_MEAN};
    out->n_totals = out->n_columns;
    for (int k = 0; c->cells && k < 4; k++)
        out->leading[k] = column_named(out, drawn_of_cells[k]);
}

/* ---- one fold ---- */

typedef struct {
    sow_index n, *at;                   /* positions among those that take part */
    sow_index *perturbation, *context;
    double *cells;                      /* [n] */
    double *truth;                      /* [n, d] not for cells */
    double *centre;                     /* [d] mean response learned from */
    double *mean, *var, *noise, *value; /* [n, d], [n, columns] */
} held;

static void held_clear(held *h)
{
    free(h->at);
    free(h->perturbation);
    free(h->context);
    free(h->cells);
    free(h->truth);
    free(h->centre);
    free(h->mean);
    free(h->var);
    free(h->noise);
    free(h->value);
}

/* A replayed value is adjusted with slopes of the whole screen, a simulated one as the training is: as in a campaign's rounds. */
static sow_status fill_truth(held *h, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    double *all = NULL;
    int simulated = strcmp(c->oracle->class_->name, "generative") == 0;
    SOW_NEW(h->truth, h->n * c->d);
    if (!simulated) {
        SOW_NEW(all, c->n * c->d);
        SOW_TRY(sow_i_truth(all, c, &c->here->training.adjust, err));
    }
    for (sow_index i = 0; i < h->n; i++) {
        const sow_i_item *item = &c->here->item[h->perturbation[i]];
        memcpy(&h->truth[i * c->d], simulated ? item->values : &all[h->perturbation[i] * c->d], (size_t)c->d * sizeof *h->truth);
        if (simulated) sow_i_prepare(c, &c->here->training.adjust, &h->truth[i * c->d], item->covariate);
    }
done:
    free(all);
    return st;
}

static void fill_centre(held *h, const sow_campaign *c)
{
    const sow_i_training *t = &c->here->training;
    for (sow_index i = 0; i < t->n_target; i++)
        for (sow_index j = 0; j < c->d; j++)
            h->centre[j] += t->y[i * c->d + j] / (double)t->n_target;
}

static sow_status held_build(held *h, const sow_i_evaluation *e, const unsigned char *hold, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_campaign *c = e->c;
    SOW_NEW(h->at, e->n);
    SOW_NEW(h->perturbation, e->n);
    SOW_NEW(h->context, e->n);
    SOW_NEW(h->cells, e->n);
    for (sow_index i = 0; i < e->n; i++) {
        if (!hold[i]) continue;
        h->at[h->n] = i;
        h->perturbation[h->n] = e->item[i];
        h->context[h->n] = c->here->target;
        h->cells[h->n++] = e->cells[i];
    }
    SOW_NEW(h->mean, h->n * c->d);
    SOW_NEW(h->var, h->n * c->d);
    SOW_NEW(h->noise, h->n * c->d);
    SOW_NEW(h->value, h->n * e->measures.n_columns);
    SOW_NEW(h->centre, c->d);
    fill_centre(h, c);
    if (c->cells) SOW_TRY(sow_i_held_cells_ready(c, h->perturbation, h->n, h->centre, err));
    else SOW_TRY(fill_truth(h, c, err));
done:
    return st;
}

static void score_scalar(held *h, int has_variance)
{
    const double z90 = 1.6448536269514722, two_pi = 6.283185307179586;
    for (sow_index i = 0; i < h->n; i++) {
        double *v = &h->value[i * N_SCALAR], e = h->mean[i] - h->truth[i], spread = h->var[i] + h->noise[i];
        int known = has_variance && spread > 0;
        v[MEASURED] = h->truth[i];
        v[PREDICTED] = h->mean[i];
        v[ERROR] = fabs(e);
        v[NLL] = known ? 0.5 * (log(two_pi * spread) + e * e / spread) : (double)NAN;
        v[INSIDE] = known ? (double)(fabs(e) <= z90 * sqrt(spread)) : (double)NAN;
    }
}

static sow_status score_profile(held *h, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    for (sow_index i = 0; i < h->n; i++) {
        double *v = &h->value[i * N_PROFILE];
        const double *truth = &h->truth[i * c->d], *mean = &h->mean[i * c->d];
        sow_index own = sow_names_find(c->screen->features, sow_i_name(c, h->perturbation[i]));
        v[ALL] = sow_metric_pearson(truth, mean, NULL, own, c->d);
        v[CENTRED] = sow_metric_pearson(truth, mean, h->centre, own, c->d);
        if (!isfinite(v[CENTRED])) v[CENTRED] = 0;
        v[RMSE] = sow_metric_rmse(truth, mean, own, c->d);
        v[DIRECTION] = sow_metric_direction(truth, mean, NULL, own, c->d);
        SOW_TRY(sow_metric_pearson_top(&v[TOP20], truth, mean, NULL, own, c->d, 20, err));
    }
done:
    return st;
}

static sow_status score_model(held *h, const sow_i_evaluation *e, const sow_model_class *class_, sow_index fold, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_campaign *c = e->c;
    sow_model *model = NULL;
    sow_model_options options = sow_i_model_options(c);
    sow_query query = {.n = h->n, .perturbation = h->perturbation, .context = h->context, .cells = h->cells};
    options.round = (uint32_t)fold;
    SOW_TRY(sow_model_fit(&model, class_, &c->here->training.view, &options, e->env, err));
    SOW_TRY(sow_model_predict(model, &query, h->mean, h->var, h->noise, e->env, err));
    if (c->cells) SOW_TRY(sow_i_score_cells_each(h->value, c, model, h->mean, err));
    else if (c->d == 1) score_scalar(h, (class_->caps & SOW_CAP_VARIANCE) != 0);
    else SOW_TRY(score_profile(h, c, err));
done:
    sow_model_destroy(model);
    return st;
}

static void keep_values(sow_i_split_run *r, const sow_i_evaluation *e, const held *h, sow_index model)
{
    sow_index columns = e->measures.n_columns;
    for (sow_index i = 0; i < h->n; i++)
        memcpy(&r->value[(model * e->n + h->at[i]) * columns], &h->value[i * columns], (size_t)columns * sizeof *h->value);
}

static sow_status score_fold(sow_i_evaluation *e, sow_i_split_run *r, sow_index fold, sow_error *err)
{
    sow_status st = SOW_OK;
    unsigned char *hold = NULL;
    held h = {0};
    const sow_model_class *class_ = NULL;
    SOW_NEW(hold, e->n);
    for (sow_index i = 0; i < e->n; i++)
        hold[i] = r->fold[i] == fold;
    SOW_TRY(sow_i_hold_out(e, hold, err));
    SOW_TRY(held_build(&h, e, hold, err));
    r->training[fold] = e->c->here->training.n_target;
    r->features[fold] = e->c->d;
    for (sow_index m = 0; m < e->n_models; m++) {
        class_ = e->model[m];
        SOW_TRY(sow_progress(e->env, "evaluating", e->done++ / e->total, err));
        SOW_TRY(score_model(&h, e, class_, fold, err));
        keep_values(r, e, &h, m);
    }
done:
    if (st != SOW_OK && st != SOW_E_CANCELLED)
        sow_error_prefix(err, "split %s, fold %lld%s%s", r->kind, (long long)fold + 1, class_ ? ", model " : "", class_ ? class_->name : "");
    free(hold);
    held_clear(&h);
    return st;
}

sow_status sow_i_score_split(sow_i_evaluation *e, sow_i_split_run *r, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index n = e->n_models * e->n * e->measures.n_columns;
    SOW_NEW(r->value, n);
    SOW_NEW(r->training, r->n_folds);
    SOW_NEW(r->features, r->n_folds);
    for (sow_index i = 0; i < n; i++)
        r->value[i] = NAN;
    for (sow_index f = 0; f < r->n_folds; f++)
        SOW_TRY(score_fold(e, r, f, err));
done:
    return st;
}
