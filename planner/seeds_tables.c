/* From replays to expected accuracies, the strategy that is chosen, and the two CSV files. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/stats.h"
#include "planner/evaluate_contexts.h"
#include "planner/seeds_internal.h"

sow_index sow_i_seed_count(const sow_i_seeds *e, sow_index seeds)
{
    for (sow_index k = 0; k < e->n_counts; k++)
        if (e->count[k] == seeds) return k;
    return -1;
}

sow_index sow_i_seed_strategy(const sow_i_seeds *e, const char *name)
{
    for (sow_index s = 0; s < e->n_strategies; s++)
        if (strcmp(e->strategy[s]->name, name) == 0) return s;
    return -1;
}

/* ---- one replay ---- */

/* A metric of one run over the rows that are not left out; NaN where it was not played or is undefined. */
static sow_status value_of_run(double *out, const sow_i_seeds *e, const sow_i_replay *x, sow_index run, sow_index metric, const unsigned char *take, sow_error *err)
{
    double mean[SOW_I_CONTEXT_COLUMNS];
    sow_index count[SOW_I_CONTEXT_COLUMNS];
    *out = NAN;
    if (!x->played[run]) return SOW_OK;
    const sow_status st = sow_i_context_totals(mean, count, &e->measures, &x->value[run * x->n * e->measures.n_columns], x->n, take, err);
    if (st == SOW_OK) *out = mean[metric];
    return st;
}

/* A run that chose what an earlier draw did stands for that one. */
static sow_index played_run(const sow_i_seeds *e, const sow_i_replay *x, sow_index strategy, sow_index draw, sow_index count)
{
    const sow_index run = sow_i_run(e, strategy, draw, count);
    for (sow_index k = 0; k < draw && !x->played[run]; k++) {
        const sow_index other = sow_i_run(e, strategy, k, count);
        if (x->played[other] && memcmp(&x->seed[other * x->n], &x->seed[run * x->n], (size_t)x->n) == 0) return other;
    }
    return run;
}

/* a less b in one reference and draw, over rows that are seeds of neither. */
static sow_status difference_of_draw(double *out, const sow_i_seeds *e, const sow_i_replay *x, const sow_i_seed_pair *p, sow_index draw, sow_index metric, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index a = played_run(e, x, p->a, draw, p->ca), b = played_run(e, x, p->b, draw, p->cb);
    unsigned char *take = NULL;
    double va, vb;
    SOW_NEW(take, x->n);
    for (sow_index i = 0; i < x->n; i++) take[i] = !x->seed[a * x->n + i] && !x->seed[b * x->n + i];
    SOW_TRY(value_of_run(&va, e, x, a, metric, take, err));
    SOW_TRY(value_of_run(&vb, e, x, b, metric, take, err));
    *out = va - vb;
done:
    free(take);
    return st;
}

/* ---- over replays ---- */

/* value [references, draws]. */
static sow_i_seed_mean over_references(const double *value, sow_index contexts, sow_index draws)
{
    sow_i_seed_mean m = {0, NAN, NAN, 0, 0};
    double sum = 0, square = 0;
    sow_index n = 0;
    for (int pass = 0; pass < 2; pass++)
        for (sow_index k = 0; k < contexts; k++) {
            double mean = 0;
            sow_index here = 0;
            for (sow_index draw = 0; draw < draws; draw++) {
                if (!isfinite(value[k * draws + draw])) continue;
                mean += value[k * draws + draw];
                here++;
            }
            if (here == 0) continue;
            mean /= (double)here;
            if (pass == 0) {
                sum += mean;
                m.replays += here;
                n++;
            } else {
                square += (mean - sum / (double)n) * (mean - sum / (double)n);
            }
        }
    m.mean = n > 0 ? sum / (double)n : (double)NAN;
    if (n < 2) return m;
    const double half = sow_student_quantile(0.975, (double)(n - 1)) * sqrt(square / (double)((n - 1) * n));
    m.low = m.mean - half;
    m.high = m.mean + half;
    return m;
}

sow_status sow_i_seed_accuracy(sow_i_seed_mean *out, const sow_i_seeds *e, sow_index strategy, sow_index count, sow_index metric, sow_error *err)
{
    sow_status st = SOW_OK;
    double *value = NULL;
    SOW_NEW(value, e->n_replays * e->n_draws);
    for (sow_index k = 0; k < e->n_replays; k++)
        for (sow_index draw = 0; draw < e->n_draws; draw++)
            SOW_TRY(value_of_run(&value[k * e->n_draws + draw], e, &e->replay[k], sow_i_run(e, strategy, draw, count), metric, NULL, err));
    *out = over_references(value, e->n_replays, e->n_draws);
done:
    free(value);
    return st;
}

sow_status sow_i_seed_difference(sow_i_seed_mean *out, const sow_i_seeds *e, const sow_i_seed_pair *p, sow_index metric, int within, sow_error *err)
{
    sow_status st = SOW_OK;
    double *value = NULL;
    sow_index ahead = 0;
    SOW_NEW(value, e->n_replays * e->n_draws);
    for (sow_index k = 0; k < e->n_replays; k++)
        for (sow_index draw = 0; draw < e->n_draws; draw++)
            SOW_TRY(difference_of_draw(&value[k * e->n_draws + draw], e, &e->replay[k], p, draw, metric, err));
    *out = over_references(value, e->n_replays, e->n_draws);
    if (!within) goto done;
    const sow_i_context_mean m = sow_i_mean_within(value, e->n_replays, e->n_draws, sow_i_context_better(e->measures.name[metric]), &ahead);
    *out = (sow_i_seed_mean){m.mean, m.low, m.high, m.n, ahead};
done:
    free(value);
    return st;
}

/* ---- which strategy ---- */

sow_status sow_i_choose_best(sow_i_seeds *e, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index count = sow_i_seed_count(e, e->wanted), metric = e->measures.leading[0], random = sow_i_seed_strategy(e, "random");
    const int better = sow_i_context_better(e->measures.name[metric]);
    double most = 0;
    e->chosen = random >= 0 ? random : 0;
    for (sow_index s = 0; random >= 0 && e->n_replays > 0 && s < e->n_strategies; s++) {
        const sow_i_seed_pair p = {s, count, random, count};
        sow_i_seed_mean d;
        if (s == random) continue;
        SOW_TRY(sow_i_seed_difference(&d, e, &p, metric, 1, err));
        if (!((better > 0 ? d.low : -d.high) > 0) || !(better * d.mean > most) || d.ahead < e->n_replays) continue;
        most = better * d.mean;
        e->chosen = s;
    }
done:
    return st;
}

/* ---- files ---- */

static void put_number(sow_text *t, double x)
{
    sow_text_append(t, ",");
    sow_text_number(t, x);
}

static sow_status save(const sow_text *t, const char *dir, const char *name, sow_error *err)
{
    char *path = sow_path_join(dir, name);
    sow_status st = path ? sow_text_save(t, path, err) : SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
    free(path);
    return st;
}

static sow_status put_accuracies(sow_text *t, const sow_i_seeds *e, sow_index strategy, sow_error *err)
{
    sow_status st = SOW_OK;
    for (sow_index k = 0; k < e->n_counts; k++)
        for (sow_index m = 0; m < e->measures.n; m++) {
            sow_i_seed_mean v;
            SOW_TRY(sow_i_seed_accuracy(&v, e, strategy, k, m, err));
            if (v.replays == 0) continue;
            sow_text_printf(t, "%s,%lld,%s", e->strategy[strategy]->name, (long long)e->count[k], e->measures.name[m]);
            put_number(t, v.mean);
            put_number(t, v.low);
            put_number(t, v.high);
            sow_text_printf(t, ",%lld\n", (long long)v.replays);
        }
done:
    return st;
}

sow_status sow_i_write_seed_tables(const sow_i_seeds *e, const char *dir, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_text list = {0}, accuracy = {0};
    sow_text_append(&list, "rank,perturbation,strategy,reason,score\n");
    for (sow_index i = 0; i < e->wanted; i++) {
        sow_text_printf(&list, "%lld,", (long long)i + 1);
        sow_text_csv(&list, sow_i_name(e->c, e->pool[e->pick[i].candidate]));
        sow_text_printf(&list, ",%s,", e->strategy[e->chosen]->name);
        sow_text_csv(&list, e->pick[i].reason);
        put_number(&list, e->pick[i].score);
        sow_text_append(&list, "\n");
    }
    sow_text_append(&accuracy, "strategy,seeds,metric,mean,low,high,replays\n");
    for (sow_index s = 0; e->n_replays > 0 && s < e->n_strategies; s++) SOW_TRY(put_accuracies(&accuracy, e, s, err));
    SOW_TRY(save(&list, dir, "seeds.csv", err));
    SOW_TRY(save(&accuracy, dir, "seeds_accuracy.csv", err));
done:
    sow_text_clear(&list);
    sow_text_clear(&accuracy);
    return st;
}
