/* What a sweep's results say: which arms go on, and every arm against the baseline. Only results count, never when or by whom they were made. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "planner/sweep_internal.h"

enum { BY_PERTURBATIONS, BY_MONEY, N_UNITS };
enum { END, HEIGHT, N_COMPARED = HEIGHT + N_UNITS }; /* what is compared seed by seed: the end point, the mean height of the curve in both units */
static const char *const compared[N_COMPARED] = {"end", "auc_perturbations", "auc_money"};
static const char *const saved[N_UNITS] = {"perturbations_saved", "money_saved"};

static int sign_of(const sow_i_sweep *s, sow_index metric)
{
    return s->metric[metric]->lower_is_better ? -1 : 1;
}

/* ---- one campaign */

static double end_of(const sow_i_sweep *s, sow_index arm, sow_index seed, sow_index metric)
{
    const sow_i_course *x = &sow_i_sweep_job_of(s, arm, seed)->course;
    return x->n > 0 ? x->value[(x->n - 1) * s->n_metrics + metric] : (double)NAN;
}

static const double *axis_of(const sow_i_course *x, int unit)
{
    return unit == BY_MONEY ? x->cost : x->measured;
}

/* Mean height of one campaign's curve where it and `other` (NULL: itself) both have points. */
static double height_of(const sow_i_sweep *s, const sow_i_course *x, const sow_i_course *other, sow_index metric, int unit)
{
    double y[1024];
    if (x->n < 1 || x->n > 1024 || (other && other->n < 1)) return NAN;
    const double *at = axis_of(x, unit), *its = other ? axis_of(other, unit) : at;
    const sow_index n = other ? other->n : x->n;
    for (sow_index r = 0; r < x->n; r++)
        y[r] = x->value[r * s->n_metrics + metric];
    return sow_i_curve_height(at, y, x->n, fmax(at[0], its[0]), fmin(at[x->n - 1], its[n - 1]));
}

static double compared_of(const sow_i_sweep *s, sow_index arm, sow_index other, sow_index seed, sow_index metric, int what)
{
    if (what == END) return end_of(s, arm, seed, metric);
    return height_of(s, &sow_i_sweep_job_of(s, arm, seed)->course, other < 0 ? NULL : &sow_i_sweep_job_of(s, other, seed)->course, metric, what - HEIGHT);
}

/* ---- early stopping */

static int has_seeds(const sow_i_sweep *s, sow_index arm, sow_index n)
{
    for (sow_index i = 0; i < n; i++)
        if (sow_i_sweep_job_of(s, arm, i)->state != SOW_JOB_DONE) return 0;
    return 1;
}

static double mean_end(const sow_i_sweep *s, sow_index arm, sow_index n)
{
    double sum = 0;
    sow_index count = 0;
    for (sow_index i = 0; i < n; i++) {
        const double v = end_of(s, arm, i, 0);
        if (isfinite(v)) sum += v, count++;
    }
    return count ? sum / (double)count : (double)NAN;
}

/* After `n` seeds: those that end here, by the stated rule. */
static sow_status stop_some(sow_i_sweep *s, unsigned char *alive, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index arms = s->config->n_arms;
    const int sign = sign_of(s, 0);
    sow_index best = -1;
    double *d = NULL;
    SOW_NEW(d, n);
    for (sow_index a = 0; a < arms; a++)
        if (alive[a] && isfinite(mean_end(s, a, n)) && (best < 0 || sign * mean_end(s, a, n) > sign * mean_end(s, best, n))) best = a;
    for (sow_index a = 0; a < arms && best >= 0; a++) {
        sow_i_difference x;
        if (!alive[a] || a == best || a == s->baseline) continue;
        for (sow_index i = 0; i < n; i++)
            d[i] = sign * (end_of(s, a, i, 0) - end_of(s, best, i, 0));
        sow_i_difference_of(&x, d, n, s->config->stop.level);
        if (x.high < -s->config->stop.margin) alive[a] = 0;
    }
done:
    free(d);
    return st;
}

sow_status sow_i_sweep_due(sow_i_sweep *s, int far, int *complete, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_sweep_config *k = s->config;
    unsigned char *alive = NULL;
    SOW_NEW(alive, k->n_arms);
    memset(alive, 1, (size_t)k->n_arms);
    *complete = 1;
    for (sow_index n = k->stop.after > 0 && k->stop.after < k->n_seeds ? k->stop.after : k->n_seeds;;) {
        for (sow_index a = 0; a < k->n_arms; a++) {
            if (!alive[a]) continue;
            s->seeds_due[a] = n;
            *complete = *complete && has_seeds(s, a, n);
        }
        if (n == k->n_seeds || (!*complete && !far)) break;
        if (*complete) SOW_TRY(stop_some(s, alive, n, err));
        n = n + k->stop.every < k->n_seeds ? n + k->stop.every : k->n_seeds;
    }
done:
    free(alive);
    return st;
}

/* ---- comparison */

static json_t *interval_json(double value, double low, double high, sow_index n)
{
    return json_pack("{s:o,s:o,s:o,s:I}", "value", sow_i_real_or_null(value), "low", sow_i_real_or_null(low), "high", sow_i_real_or_null(high), "n", (json_int_t)n);
}

json_t *sow_i_difference_json(const sow_i_difference *d)
{
    return interval_json(d->mean, d->low, d->high, d->n);
}

static sow_index paired_seeds(const sow_i_sweep *s, sow_index arm)
{
    return s->seeds_due[arm] < s->seeds_due[s->baseline] ? s->seeds_due[arm] : s->seeds_due[s->baseline];
}

/* Mean curves of two arms over the same seeds, without one of them. */
/* Rounds that all of the first `seeds` have: a budget can end one of them before the others. */
static sow_index common_rounds(const sow_i_sweep *s, sow_index arm, sow_index seeds)
{
    sow_index n = sow_i_sweep_job_of(s, arm, 0)->course.n;
    for (sow_index i = 1; i < seeds; i++)
        if (sow_i_sweep_job_of(s, arm, i)->course.n < n) n = sow_i_sweep_job_of(s, arm, i)->course.n;
    return n;
}

typedef struct {
    const sow_i_sweep *s;
    sow_index arm, metric;
    int unit;
    sow_index rounds[2];
    double *x[2], *y[2]; /* [rounds] */
} mean_curves;

static void mean_curve(mean_curves *m, int which, sow_index arm, sow_index leave)
{
    const sow_i_sweep *s = m->s;
    const sow_index seeds = paired_seeds(s, m->arm);
    for (sow_index r = 0; r < m->rounds[which]; r++) {
        double x = 0, y = 0;
        for (sow_index i = 0; i < seeds; i++) {
            const sow_i_course *c = &sow_i_sweep_job_of(s, arm, i)->course;
            if (i == leave) continue;
            x += axis_of(c, m->unit)[r];
            y += c->value[r * s->n_metrics + m->metric];
        }
        m->x[which][r] = x / (double)(seeds - (leave >= 0));
        m->y[which][r] = y / (double)(seeds - (leave >= 0));
    }
}

static double saved_without(void *user, sow_index leave)
{
    mean_curves *m = user;
    mean_curve(m, 0, m->arm, leave);
    mean_curve(m, 1, m->s->baseline, leave);
    return sow_i_curve_saved(m->x[0], m->y[0], m->rounds[0], m->x[1], m->y[1], m->rounds[1], sign_of(m->s, m->metric));
}

static sow_status saved_json(json_t *out, const sow_i_sweep *s, sow_index arm, sow_index metric, int unit, sow_error *err)
{
    sow_status st = SOW_OK;
    mean_curves m = {.s = s, .arm = arm, .metric = metric, .unit = unit};
    sow_interval v;
    for (int k = 0; k < 2; k++) {
        m.rounds[k] = common_rounds(s, k ? s->baseline : arm, paired_seeds(s, arm));
        SOW_NEW(m.x[k], m.rounds[k]);
        SOW_NEW(m.y[k], m.rounds[k]);
    }
    SOW_TRY(sow_i_jackknife(&v, paired_seeds(s, arm), saved_without, &m, 0.95, err));
    json_object_set_new(out, saved[unit], interval_json(v.value, v.low, v.high, paired_seeds(s, arm)));
done:
    for (int k = 0; k < 2; k++) {
        free(m.x[k]);
        free(m.y[k]);
    }
    return st;
}

/* One arm's own numbers in one metric. */
static sow_status own_json(json_t *out, const sow_i_sweep *s, sow_index arm, sow_index metric, sow_error *err)
{
    sow_status st = SOW_OK;
    double *v = NULL;
    SOW_NEW(v, s->seeds_due[arm]);
    for (int what = 0; what < N_COMPARED; what++) {
        sow_i_difference d;
        for (sow_index i = 0; i < s->seeds_due[arm]; i++)
            v[i] = compared_of(s, arm, -1, i, metric, what);
        sow_i_difference_of(&d, v, s->seeds_due[arm], 0.95);
        json_object_set_new(out, compared[what], sow_i_difference_json(&d));
    }
done:
    free(v);
    return st;
}

/* The arms' paired differences to the baseline in one number, with p values that hold together. */
static sow_status differences_json(json_t *arms, const sow_i_sweep *s, sow_index metric, int what, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index n = s->config->n_arms;
    double *d = NULL, *p = NULL, *holm = NULL;
    char name[64];
    SOW_NEW(d, s->config->n_seeds);
    SOW_NEW(p, n);
    SOW_NEW(holm, n);
    snprintf(name, sizeof name, "%s_difference", compared[what]);
    for (sow_index a = 0; a < n; a++) {
        sow_i_difference x;
        p[a] = NAN;
        if (a == s->baseline) continue;
        for (sow_index i = 0; i < paired_seeds(s, a); i++)
            d[i] = compared_of(s, a, s->baseline, i, metric, what) - compared_of(s, s->baseline, a, i, metric, what);
        sow_i_difference_of(&x, d, paired_seeds(s, a), 0.95);
        p[a] = x.p;
        json_t *row = sow_i_difference_json(&x);
        json_object_set_new(row, "p", sow_i_real_or_null(x.p));
        json_object_set_new(row, "detectable", sow_i_real_or_null(sow_i_detectable(x.sd, x.n, 0.05, 0.8)));
        json_object_set_new(json_object_get(json_object_get(json_array_get(arms, (size_t)a), "metrics"), s->metric[metric]->name), name, row);
    }
    SOW_TRY(sow_i_holm(holm, p, n, err));
    for (sow_index a = 0; a < n; a++)
        if (a != s->baseline)
            json_object_set_new(json_object_get(json_object_get(json_object_get(json_array_get(arms, (size_t)a), "metrics"), s->metric[metric]->name), name), "holm", sow_i_real_or_null(holm[a]));
done:
    free(d);
    free(p);
    free(holm);
    return st;
}

/* ---- curves: of a round, over the seeds that have it */

static json_t *mean_at(const sow_i_sweep *s, sow_index arm, sow_index round, double (*of)(const sow_i_course *, sow_index), double *v)
{
    sow_i_difference d;
    for (sow_index i = 0; i < s->seeds_due[arm]; i++) {
        const sow_i_course *c = &sow_i_sweep_job_of(s, arm, i)->course;
        v[i] = round < c->n ? of(c, round) : (double)NAN;
    }
    sow_i_difference_of(&d, v, s->seeds_due[arm], 0.95);
    return sow_i_difference_json(&d);
}

static double measured_at(const sow_i_course *x, sow_index r)
{
    return x->measured[r];
}
static double cost_at(const sow_i_course *x, sow_index r)
{
    return x->cost[r];
}
static double weeks_at(const sow_i_course *x, sow_index r)
{
    return x->weeks[r];
}

/* Every round of an arm: what it had used, and each metric. */
static sow_status curve_json(json_t *out, const sow_i_sweep *s, sow_index arm, sow_error *err)
{
    sow_status st = SOW_OK;
    double *v = NULL;
    const sow_index seeds = s->seeds_due[arm];
    sow_index rounds = 0;
    for (sow_index i = 0; i < seeds; i++)
        if (sow_i_sweep_job_of(s, arm, i)->course.n > rounds) rounds = sow_i_sweep_job_of(s, arm, i)->course.n;
    SOW_NEW(v, seeds);
    for (sow_index r = 0; r < rounds; r++) {
        json_t *metrics = json_object();
        json_array_append_new(out, json_pack("{s:I,s:o,s:o,s:o,s:o}", "round", (json_int_t)r, "perturbations", mean_at(s, arm, r, measured_at, v), "cost", mean_at(s, arm, r, cost_at, v), "weeks",
                                             mean_at(s, arm, r, weeks_at, v), "metrics", metrics));
        for (sow_index m = 0; m < s->n_metrics; m++) {
            sow_i_difference d;
            for (sow_index i = 0; i < seeds; i++) {
                const sow_i_course *c = &sow_i_sweep_job_of(s, arm, i)->course;
                v[i] = r < c->n ? c->value[r * s->n_metrics + m] : (double)NAN;
            }
            sow_i_difference_of(&d, v, seeds, 0.95);
            json_object_set_new(metrics, s->metric[m]->name, sow_i_difference_json(&d));
        }
    }
done:
    free(v);
    return st;
}

static sow_status arm_json(json_t **out, const sow_i_sweep *s, sow_index arm, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_sweep_arm *a = &s->config->arm[arm];
    json_t *metrics = json_object(), *curve = json_array(), *settings = json_array();
    for (sow_index k = 0; k < a->n; k++)
        json_array_append_new(settings, json_string(a->setting[k]->text));
    *out = json_pack("{s:s,s:s,s:o,s:I,s:b,s:o,s:o}", "arm", a->name, "model", s->arm[arm].model, "settings", settings, "seeds", (json_int_t)s->seeds_due[arm], "stopped", s->seeds_due[arm] < s->config->n_seeds,
                     "metrics", metrics, "rounds", curve);
    if (!*out) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(curve_json(curve, s, arm, err));
    for (sow_index m = 0; m < s->n_metrics; m++) {
        json_t *row = json_object();
        json_object_set_new(metrics, s->metric[m]->name, row);
        SOW_TRY(own_json(row, s, arm, m, err));
        for (int unit = 0; arm != s->baseline && unit < N_UNITS; unit++)
            SOW_TRY(saved_json(row, s, arm, m, unit, err));
    }
done:
    return st;
}

sow_status sow_i_sweep_compare(json_t **out, const sow_i_sweep *s, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_sweep_config *k = s->config;
    json_t *arms = json_array(), *metrics = json_array(), *seeds = json_array();
    for (sow_index i = 0; i < k->n_seeds; i++)
        json_array_append_new(seeds, json_integer((json_int_t)k->seeds[i]));
    for (sow_index m = 0; m < s->n_metrics; m++)
        json_array_append_new(metrics, json_pack("{s:s,s:s}", "metric", s->metric[m]->name, "better", s->metric[m]->lower_is_better ? "lower" : "higher"));
    *out = json_pack("{s:i,s:s,s:s,s:s,s:o,s:o,s:o}", "format", SOW_I_SWEEP_FORMAT, "sweep", k->name, "currency", s->arm[0].currency, "baseline", k->arm[s->baseline].name, "seeds", seeds, "metrics", metrics, "arms", arms);
    if (!*out) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    for (sow_index a = 0; a < k->n_arms; a++) {
        json_t *row = NULL;
        st = arm_json(&row, s, a, err);
        json_array_append_new(arms, row);
        if (st != SOW_OK) goto done;
    }
    for (sow_index m = 0; m < s->n_metrics; m++)
        for (int what = 0; what < N_COMPARED; what++)
            SOW_TRY(differences_json(arms, s, m, what, err));
done:
    if (st != SOW_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return st;
}
