/* From values of perturbations to totals with intervals, and the two CSV files. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/stats.h"
#include "planner/evaluate_internal.h"

enum { DRAWS = 500 };
static const double LEVEL = 0.95;

/* One column of one model over the perturbations for which it is defined, by fold. A failed allocation is remembered, as the bootstrap's callback cannot return it. */
typedef struct {
    sow_i_how how;
    sow_index n, n_folds;
    sow_index *fold;   /* [n] */
    double *x, *y;     /* [n] the column; of a correlation the second */
    double *a, *b;     /* [n] room */
    sow_status st;
    sow_error *err;
} sample;

static double of_one_fold(sample *s, const sow_index *idx, sow_index n, sow_index fold)
{
    sow_index k = 0;
    double value = NAN, sum = 0;
    for (sow_index i = 0; i < n; i++) {
        if (fold >= 0 && s->fold[idx[i]] != fold) continue;
        s->a[k] = s->x[idx[i]];
        s->b[k++] = s->y[idx[i]];
        sum += s->how == SOW_I_RMSE ? s->a[k - 1] * s->a[k - 1] : s->a[k - 1];
    }
    if (s->how != SOW_I_SPEARMAN) return k == 0 ? (double)NAN : s->how == SOW_I_RMSE ? sqrt(sum / (double)k) : sum / (double)k;
    if (s->st == SOW_OK) s->st = sow_spearman(&value, s->a, s->b, k, s->err);
    return value;
}

/* Means are over perturbations; what is not a mean is taken within folds, as predictions of different folds come from different fits. */
static double total_of(void *user, const sow_index *idx, sow_index n)
{
    sample *s = user;
    double sum = 0;
    sow_index defined = 0;
    if (s->how == SOW_I_MEAN) return of_one_fold(s, idx, n, -1);
    for (sow_index f = 0; f < s->n_folds; f++) {
        double v = of_one_fold(s, idx, n, f);
        if (!isfinite(v)) continue;
        sum += v;
        defined++;
    }
    return defined > 0 ? sum / (double)defined : (double)NAN;
}

static void sample_clear(sample *s)
{
    free(s->fold);
    free(s->x);
    free(s->y);
    free(s->a);
    free(s->b);
}

static sow_status sample_build(sample *s, const sow_i_evaluation *e, const sow_i_split_run *r, sow_index model, const sow_i_total *t, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index columns = e->measures.n_columns, second = t->how == SOW_I_SPEARMAN ? t->column + 1 : t->column;
    s->how = t->how;
    s->n_folds = r->n_folds;
    s->err = err;
    SOW_NEW(s->fold, e->n);
    SOW_NEW(s->x, e->n);
    SOW_NEW(s->y, e->n);
    SOW_NEW(s->a, e->n);
    SOW_NEW(s->b, e->n);
    for (sow_index i = 0; i < e->n; i++) {
        const double *v = &r->value[(model * e->n + i) * columns];
        if (r->fold[i] < 0 || !isfinite(v[t->column]) || !isfinite(v[second])) continue;
        s->fold[s->n] = r->fold[i];
        s->x[s->n] = v[t->column];
        s->y[s->n++] = v[second];
    }
done:
    return st;
}

static double sd_over_folds(sample *s, const sow_index *all)
{
    double sum = 0, square = 0;
    sow_index defined = 0;
    for (int pass = 0; pass < 2; pass++)
        for (sow_index f = 0; f < s->n_folds; f++) {
            double v = of_one_fold(s, all, s->n, f);
            if (!isfinite(v)) continue;
            if (pass == 0) {
                sum += v;
                defined++;
            } else {
                square += (v - sum / (double)defined) * (v - sum / (double)defined);
            }
        }
    return defined > 1 ? sqrt(square / (double)(defined - 1)) : (double)NAN;
}

sow_status sow_i_summarise(sow_i_summary *out, const sow_i_evaluation *e, const sow_i_split_run *r, sow_index model, sow_index total, sow_error *err)
{
    sow_status st = SOW_OK;
    sample s = {0};
    sow_index *all = NULL;
    sow_interval v;
    *out = (sow_i_summary){NAN, NAN, NAN, NAN, 0};
    SOW_TRY(sample_build(&s, e, r, model, &e->measures.total[total], err));
    SOW_NEW(all, s.n);
    for (sow_index i = 0; i < s.n; i++)
        all[i] = i;
    out->mean = total_of(&s, all, s.n);
    SOW_TRY(s.st);
    if (!isfinite(out->mean)) goto done;
    out->n = s.n;
    out->sd = sd_over_folds(&s, all);
    sow_rng rng = sow_rng_make(e->c->config->seed, SOW_RNG_BOOTSTRAP, (uint32_t)r->n_folds, (uint32_t)total); /* the same perturbations for every model */
    SOW_TRY(sow_bootstrap(&v, s.n, total_of, &s, LEVEL, DRAWS, &rng, err));
    SOW_TRY(s.st);
    out->low = v.low;
    out->high = v.high;
done:
    sample_clear(&s);
    free(all);
    return st;
}

/* ---- files ---- */

static void put_number(sow_text *t, double x)
{
    sow_text_append(t, ",");
    sow_text_number(t, x);
}

static void put_split(sow_text *t, const sow_i_evaluation *e, const sow_i_split_run *r)
{
    const sow_i_measures *k = &e->measures;
    for (sow_index i = 0; i < e->n; i++)
        for (sow_index m = 0; r->fold[i] >= 0 && m < e->n_models; m++)
            for (sow_index j = 0; j < k->n_columns; j++) {
                sow_text_printf(t, "%s,%lld,", r->kind, (long long)r->fold[i] + 1);
                sow_text_csv(t, sow_i_name(e->c, e->item[i]));
                sow_text_printf(t, ",%s,%s", e->model[m]->name, k->column[j]);
                put_number(t, r->value[(m * e->n + i) * k->n_columns + j]);
                put_number(t, e->cells[i]);
                sow_text_append(t, "\n");
            }
}

static void put_totals(sow_text *t, const sow_i_evaluation *e, const sow_i_split_run *r, const sow_i_summary *summary)
{
    for (sow_index m = 0; m < e->n_models; m++)
        for (sow_index k = 0; k < e->measures.n_totals; k++) {
            const sow_i_summary *s = &summary[m * e->measures.n_totals + k];
            sow_text_printf(t, "%s,%s,%s", r->kind, e->model[m]->name, e->measures.total[k].name);
            put_number(t, s->mean);
            put_number(t, s->sd);
            put_number(t, s->low);
            put_number(t, s->high);
            sow_text_printf(t, ",%lld\n", (long long)s->n);
        }
}

static sow_status save(const sow_text *t, const char *dir, const char *name, sow_error *err)
{
    char *path = sow_path_join(dir, name);
    sow_status st = path ? sow_text_save(t, path, err) : SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
    free(path);
    return st;
}

sow_status sow_i_write_tables(const sow_i_evaluation *e, const sow_i_summary *summary, const char *dir, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_text each = {0}, totals = {0};
    sow_text_append(&each, "split,fold,perturbation,model,metric,value,cells\n");
    sow_text_append(&totals, "split,model,metric,mean,sd,low,high,n\n");
    for (sow_index i = 0; i < e->n_runs; i++) {
        put_split(&each, e, &e->run[i]);
        put_totals(&totals, e, &e->run[i], &summary[i * e->n_models * e->measures.n_totals]);
    }
    SOW_TRY(save(&each, dir, "evaluate.csv", err));
    SOW_TRY(save(&totals, dir, "evaluate_summary.csv", err));
done:
    sow_text_clear(&each);
    sow_text_clear(&totals);
    return st;
}
