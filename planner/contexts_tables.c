/* From values of (context, draw) to means with intervals, what they come to in a sentence, and the two CSV files. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/stats.h"
#include "planner/evaluate_contexts.h"

enum { HEADLINE_SEEDS = 20 };

int sow_i_context_better(const char *metric)
{
    return strstr(metric, "rmse") || strstr(metric, "mse_") || strstr(metric, "mae_") ? -1 : 1;
}

/* ---- means ---- */

/* Mean and squared standard error over the draws of one context; NaN where no draw has a value. */
typedef struct {
    double mean, error2;
    sow_index n;
} over_draws;

static over_draws of_context(const double *value, sow_index draws)
{
    over_draws o = {0, 0, 0};
    for (sow_index draw = 0; draw < draws; draw++) {
        if (!isfinite(value[draw])) continue;
        o.mean += value[draw];
        o.n++;
    }
    o.mean = o.n > 0 ? o.mean / (double)o.n : (double)NAN;
    for (sow_index draw = 0; draw < draws; draw++)
        if (isfinite(value[draw])) o.error2 += (value[draw] - o.mean) * (value[draw] - o.mean);
    o.error2 = o.n > 1 ? o.error2 / (double)((o.n - 1) * o.n) : (double)NAN;
    return o;
}

sow_i_context_mean sow_i_mean_within(const double *value, sow_index contexts, sow_index draws, int better, sow_index *ahead)
{
    sow_i_context_mean m = {0, NAN, NAN, 0};
    double error2 = 0;
    sow_index used = 0, freedom = 0;
    if (ahead) *ahead = 0;
    for (sow_index k = 0; k < contexts; k++) {
        const over_draws o = of_context(value + k * draws, draws);
        if (o.n == 0) continue;
        m.mean += o.mean;
        error2 += o.error2;
        m.n += o.n;
        freedom += o.n - 1;
        used++;
        if (ahead) *ahead += better * o.mean > 0;
    }
    if (used == 0) return (sow_i_context_mean){NAN, NAN, NAN, 0};
    m.mean /= (double)used;
    const double half = freedom > 0 ? sow_student_quantile(0.975, (double)freedom) * sqrt(error2) / (double)used : (double)NAN; /* NaN where a context has one draw only */
    m.low = m.mean - half;
    m.high = m.mean + half;
    return m;
}

sow_i_context_mean sow_i_context_mean_of(const sow_i_context_evaluation *e, sow_index context, sow_index count, sow_index a, sow_index b, sow_index metric, sow_index *ahead)
{
    const sow_index first = context < 0 ? 0 : context, last = context < 0 ? e->n_contexts : context + 1;
    for (sow_index k = first; k < last; k++)
        for (sow_index draw = 0; draw < e->n_draws; draw++) {
            double *v = &e->work[k * e->n_draws + draw];
            *v = e->mean[sow_i_context_place(e, k, draw, count, a) + metric];
            if (b >= 0) *v -= e->mean[sow_i_context_place(e, k, draw, count, b) + metric];
        }
    return sow_i_mean_within(e->work + first * e->n_draws, last - first, e->n_draws, sow_i_context_better(e->measures.name[metric]), ahead);
}

/* ---- the model against the baselines ---- */

sow_index sow_i_headline_count(const sow_i_context_evaluation *e)
{
    for (sow_index k = 0; k < e->n_counts; k++)
        if (e->count[k] == HEADLINE_SEEDS) return k;
    return e->n_counts - 1;
}

/* By its name in the table; the first where the campaign's own is not judged. */
static sow_index own_model(const sow_i_context_evaluation *e)
{
    for (sow_index m = 0; m < e->models.n_models; m++)
        if (e->models.model[m] == e->c->model_class) return m;
    return 0;
}

/* The best of those that are baselines, or of all others where none is. */
static sow_index best_other(const sow_i_context_evaluation *e, sow_index count, sow_index metric, sow_index own, int baselines)
{
    const int better = sow_i_context_better(e->measures.name[metric]);
    sow_index best = -1;
    double most = -INFINITY;
    for (sow_index m = 0; m < e->models.n_models; m++) {
        const double v = better * sow_i_context_mean_of(e, -1, count, m, -1, metric, NULL).mean;
        if (m == own || (baselines && !sow_i_is_baseline(e->c, e->models.model[m])) || !(v > most)) continue;
        most = v;
        best = m;
    }
    return best < 0 && baselines ? best_other(e, count, metric, own, 0) : best;
}

sow_i_context_duel sow_i_context_duel_of(const sow_i_context_evaluation *e, sow_index count, sow_index metric)
{
    sow_i_context_duel d = {.metric = metric, .count = count, .model = own_model(e)};
    const int better = sow_i_context_better(e->measures.name[metric]);
    d.other = best_other(e, count, metric, d.model, 1);
    d.own = sow_i_context_mean_of(e, -1, count, d.model, -1, metric, NULL);
    if (d.other < 0) return d;
    d.best = sow_i_context_mean_of(e, -1, count, d.other, -1, metric, NULL);
    d.difference = sow_i_context_mean_of(e, -1, count, d.model, d.other, metric, &d.ahead);
    if (better > 0 ? d.difference.low > 0 : d.difference.high < 0) d.verdict = 1;
    if (better > 0 ? d.difference.high < 0 : d.difference.low > 0) d.verdict = -1;
    return d;
}

/* ---- in words ---- */

const char *sow_i_metric_in_words(const char *metric)
{
    static const char *const words[][2] = {{"pearson_centred_context", "centred Pearson correlation"}, {"pearson_delta_all", "Pearson correlation over all genes"},
                                           {"pearson_top20_abs", "Pearson correlation over the 20 strongest genes"}, {"rmse", "root mean squared error"}, {"spearman", "Spearman correlation"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i][0], metric) == 0) return words[i][1];
    return metric;
}

static void say_duel(sow_text *t, const sow_i_context_evaluation *e, const sow_i_context_duel *d)
{
    const char *model = e->models.model[d->model]->name, *other = d->other < 0 ? "" : e->models.model[d->other]->name;
    sow_text_printf(t, "%s: ", sow_i_metric_in_words(e->measures.name[d->metric]));
    if (d->other < 0) {
        sow_text_printf(t, "%s %.3g", model, d->own.mean);
        return;
    }
    sow_text_printf(t, "%s %.3g, %s %.3g, difference %.2g", model, d->own.mean, other, d->best.mean, d->difference.mean);
    if (isfinite(d->difference.low)) sow_text_printf(t, " [%.2g, %.2g]", d->difference.low, d->difference.high);
    sow_text_printf(t, ", ahead in %lld of %lld contexts", (long long)d->ahead, (long long)e->n_contexts);
}

static void say_verdict(sow_text *t, const sow_i_context_evaluation *e, const sow_i_context_duel *d, sow_index n)
{
    const char *model = e->models.model[d->model]->name;
    sow_index won = 0, lost = 0, at = -1;
    for (sow_index i = 0; i < n; i++) {
        won += d[i].verdict > 0;
        lost += d[i].verdict < 0;
        if (d[i].verdict <= 0 && at < 0) at = i;
    }
    if (d[0].other < 0) sow_text_printf(t, "%s was judged without another model beside it", model);
    else if (!isfinite(d[0].difference.low)) sow_text_printf(t, "one draw of seeds cannot tell whether %s or a plain baseline is better", model);
    else if (won == n) sow_text_printf(t, "%s predicts a new context better than every plain baseline", model);
    else if (won > 0)
        sow_text_printf(t, "%s is not better in everything: in %s %s is %s", model, sow_i_metric_in_words(e->measures.name[d[at].metric]), e->models.model[d[at].other]->name,
                        d[at].verdict < 0 ? "better" : "as good within the interval");
    else if (lost == n) sow_text_printf(t, "a plain baseline is better than %s: use %s", model, e->models.model[d[0].other]->name);
    else sow_text_printf(t, "%s is not needed: a plain baseline (%s) is as good%s within the interval", model, e->models.model[d[at].other]->name, lost > 0 ? " or better" : "");
}

/* Some contexts measured too few perturbations for so many seeds. */
static int is_cut(const sow_i_context_evaluation *e, sow_index count)
{
    int cut = 0;
    for (sow_index x = 0; x < e->n_contexts; x++)
        cut |= e->context[x].used[count] < e->count[count];
    return cut;
}

static char *take_text(sow_text *t)
{
    char *out = t->failed ? NULL : sow_strdup(t->text);
    sow_text_clear(t);
    return out;
}

static sow_index find_duels(sow_i_context_duel d[3], const sow_i_context_evaluation *e)
{
    sow_index n = 0;
    for (int k = 0; k < 3 && e->measures.leading[k] >= 0; k++)
        d[n++] = sow_i_context_duel_of(e, sow_i_headline_count(e), e->measures.leading[k]);
    return n;
}

char *sow_i_context_headline(const sow_i_context_evaluation *e)
{
    const sow_index count = sow_i_headline_count(e);
    sow_i_context_duel d[3];
    sow_text t = {0};
    const sow_index n = find_duels(d, e);
    sow_text_printf(&t, "With %s%lld seed%s measured in a context not seen before, ", is_cut(e, count) ? "at most " : "", (long long)e->count[count], e->count[count] == 1 ? "" : "s");
    if (e->asked_unseen) sow_text_printf(&t, "and asked about perturbations that no context has measured (%s%s in every context and draw), ", e->asked_unseen, e->unseen_share > 0 ? " of those measured" : "");
    say_verdict(&t, e, d, n);
    sow_text_append(&t, ".");
    return take_text(&t);
}

char *sow_i_context_numbers(const sow_i_context_evaluation *e)
{
    sow_i_context_duel d[3];
    sow_text t = {0};
    const sow_index n = find_duels(d, e);
    for (sow_index i = 0; i < n; i++) {
        if (i) sow_text_append(&t, "; ");
        say_duel(&t, e, &d[i]);
    }
    return take_text(&t);
}

/* ---- files ---- */

static const char *context_name(const sow_i_context_evaluation *e, sow_index context)
{
    return context < 0 ? "all" : sow_names_get(e->c->screen->contexts, e->context[context].context);
}

static void put_number(sow_text *t, double x)
{
    sow_text_append(t, ",");
    sow_text_number(t, x);
}

/* One choice of seeds. */
static void put_draw(sow_text *t, const sow_i_context_evaluation *e, sow_index context, sow_index draw, sow_index count)
{
    for (sow_index m = 0; m < e->models.n_models; m++) {
        const sow_index place = sow_i_context_place(e, context, draw, count, m);
        for (sow_index k = 0; k < e->measures.n; k++) {
            sow_text_csv(t, context_name(e, context));
            sow_text_printf(t, ",%lld,%lld,%lld,%s,%s", (long long)draw + 1, (long long)e->count[count], (long long)e->context[context].used[count], e->models.model[m]->name, e->measures.name[k]);
            put_number(t, e->mean[place + k]);
            sow_text_printf(t, ",%lld,%lld\n", (long long)e->n[place + k], (long long)e->context[context].n_unseen);
        }
    }
}

static void put_means(sow_text *t, const sow_i_context_evaluation *e, sow_index count, sow_index context)
{
    for (sow_index m = 0; m < e->models.n_models; m++)
        for (sow_index k = 0; k < e->measures.n; k++) {
            const sow_i_context_mean v = sow_i_context_mean_of(e, context, count, m, -1, k, NULL);
            sow_text_printf(t, "%lld,", (long long)e->count[count]);
            sow_text_csv(t, context_name(e, context));
            sow_text_printf(t, ",%s,%s", e->models.model[m]->name, e->measures.name[k]);
            put_number(t, v.mean);
            put_number(t, v.low);
            put_number(t, v.high);
            sow_text_printf(t, ",%lld,%s\n", (long long)v.n, e->asked_unseen ? e->asked_unseen : "0");
        }
}

/* Who was unseen in each draw, by name. */
static void put_unseen(sow_text *t, const sow_i_context_evaluation *e)
{
    sow_text_append(t, "context,draw,perturbation\n");
    for (sow_index x = 0; e->unseen && x < e->n_contexts; x++)
        for (sow_index draw = 0; draw < e->n_draws; draw++)
            for (sow_index q = 0; q < e->c->n; q++) {
                if (!sow_i_unseen_of(e, x, draw)[q]) continue;
                sow_text_csv(t, context_name(e, x));
                sow_text_printf(t, ",%lld,", (long long)draw + 1);
                sow_text_csv(t, sow_i_name(e->c, q));
                sow_text_append(t, "\n");
            }
}

static sow_status remove_file(const char *dir, const char *name, sow_error *err)
{
    char *path = sow_path_join(dir, name);
    if (!path) return SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
    (void)remove(path);
    free(path);
    return SOW_OK;
}

static sow_status save(const sow_text *t, const char *dir, const char *name, sow_error *err)
{
    char *path = sow_path_join(dir, name);
    sow_status st = path ? sow_text_save(t, path, err) : SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
    free(path);
    return st;
}

sow_status sow_i_write_context_tables(const sow_i_context_evaluation *e, const char *dir, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_text each = {0}, totals = {0}, unseen = {0};
    sow_text_append(&each, "context,draw,seeds,used,model,metric,mean,n,unseen\n");
    sow_text_append(&totals, "seeds,context,model,metric,mean,low,high,n,unseen\n");
    for (sow_index x = 0; x < e->n_contexts; x++)
        for (sow_index draw = 0; draw < e->n_draws; draw++)
            for (sow_index k = 0; k < e->n_counts; k++)
                put_draw(&each, e, x, draw, k);
    for (sow_index k = 0; k < e->n_counts; k++)
        for (sow_index x = -1; x < e->n_contexts; x++)
            put_means(&totals, e, k, x);
    put_unseen(&unseen, e);
    SOW_TRY(save(&each, dir, "contexts.csv", err));
    SOW_TRY(save(&totals, dir, "contexts_summary.csv", err));
    if (e->unseen) SOW_TRY(save(&unseen, dir, "contexts_unseen.csv", err));
    else SOW_TRY(remove_file(dir, "contexts_unseen.csv", err)); /* of an earlier evaluation */
done:
    sow_text_clear(&unseen);
    sow_text_clear(&each);
    sow_text_clear(&totals);
    return st;
}
