/* What a budget is best spent on, from a sweep's results: every allocation somebody could take (each arm, stopped after each of its rounds) with its price and its quality in the first
 * metric, the front, what to take, what more would buy, when to stop, and curves carried on. The rules are in allocation_rules.c and learning_curve.c; the sentences in sweep_allocation_words.c. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "planner/allocation_rules.h"
#include "planner/learning_curve.h"
#include "planner/sweep_internal.h"

enum { FRONTS = 3, AHEAD = 12, ALSO_MOST = 3 };
static const unsigned front_prices[FRONTS] = {1u << SOW_I_MONEY, 1u << SOW_I_WEEKS, 1u << SOW_I_MONEY | 1u << SOW_I_WEEKS};
static const char *const front_names[FRONTS] = {"money", "weeks", "both"};
static const char *const price_names[SOW_I_N_PRICES] = {"money", "weeks"};

typedef struct {
    sow_index arm, round;
    double perturbations;
    sow_index cells; /* of each perturbation, as designed */
    sow_index twin;  /* the earlier place that is the same campaign so far; -1 = none */
} place;

/** Arms that are asked of the same world: their qualities can be compared. */
typedef struct {
    const sow_i_sweep *s;
    int sign;
    sow_index n_arms, *arm;
    sow_index n;
    place *place;
    double *value; /* [n, seeds] turned so that more is better */
    sow_i_option *option;
    sow_i_options options;
    unsigned char *on[FRONTS]; /* [n] */
    sow_i_choice choice;
} world;

static void world_clear(world *w)
{
    free(w->arm);
    free(w->place);
    free(w->value);
    free(w->option);
    for (int k = 0; k < FRONTS; k++)
        free(w->on[k]);
}

/* ---- worlds */

/* What decides the question that an arm is asked, as against what somebody may choose: who answers, what is sought, how it is read. */
static json_t *question_of(const sow_i_sweep_arm *arm)
{
    static const char *const groups[] = {"oracle", "objective", "readout", "features"};
    json_t *out = json_object(), *data = json_deep_copy(json_object_get(arm->settings, "data")), *sources = json_object_get(data, "sources");
    for (size_t k = 0; k < sizeof groups / sizeof *groups; k++)
        json_object_set(out, groups[k], json_object_get(arm->settings, groups[k]));
    for (size_t i = 0; i < json_array_size(sources); i++)
        json_object_del(json_array_get(sources, i), "contexts"); /* which ones to measure is a choice */
    if (data) json_object_set_new(out, "data", data);
    return out;
}

/* group [n_arms]: the first arm with the same question. */
static sow_status find_worlds(sow_index *group, const sow_i_sweep *s, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index n = s->config->n_arms;
    json_t **question = NULL;
    SOW_NEW(question, n);
    for (sow_index a = 0; a < n; a++) {
        question[a] = question_of(&s->arm[a]);
        group[a] = a;
        for (sow_index b = 0; b < a && group[a] == a; b++)
            if (group[b] == b && json_equal(question[a], question[b])) group[a] = b;
    }
done:
    for (sow_index a = 0; question && a < n; a++)
        json_decref(question[a]);
    free(question);
    return st;
}

/* The name of an arm's entry of the axis `oracles`; NULL without one. */
static const char *oracle_of(const sow_sweep_config *k, sow_index arm)
{
    for (sow_index x = k->n_axes; x-- > 0; arm /= k->axis[x].n)
        if (strcmp(k->axis[x].key, "oracles") == 0) return k->axis[x].entry[arm % k->axis[x].n].name;
    return NULL;
}

/* "" for the only world; else its oracle, where that tells it from the others, or its first arm. */
static const char *world_name(const sow_i_sweep *s, const sow_index *group, sow_index first)
{
    const char *oracle = oracle_of(s->config, first);
    sow_index worlds = 0, same = 0;
    for (sow_index a = 0; a < s->config->n_arms; a++) {
        if (group[a] != a) continue;
        worlds++;
        same += oracle && strcmp(oracle_of(s->config, a), oracle) == 0;
    }
    return worlds == 1 ? "" : same == 1 ? oracle : s->config->arm[first].name;
}

/* ---- allocations */

/* Of the seed that went furthest: a campaign may end before its last round. */
static sow_index rounds_of(const sow_i_sweep *s, sow_index arm)
{
    sow_index n = 0;
    for (sow_index i = 0; i < s->seeds_due[arm]; i++)
        if (sow_i_sweep_job_of(s, arm, i)->course.n > n) n = sow_i_sweep_job_of(s, arm, i)->course.n;
    return n;
}

static double mean_over_seeds(const sow_i_sweep *s, sow_index arm, sow_index round, int what)
{
    double sum = 0;
    sow_index n = 0;
    for (sow_index i = 0; i < s->seeds_due[arm]; i++) {
        const sow_i_course *x = &sow_i_sweep_job_of(s, arm, i)->course;
        if (round < x->n) sum += (what == SOW_I_MONEY ? x->cost : what == SOW_I_WEEKS ? x->weeks : x->measured)[round], n++;
    }
    return sum / (double)n;
}

static double value_of(const sow_i_sweep *s, sow_index arm, sow_index seed, sow_index round)
{
    const sow_i_course *x = &sow_i_sweep_job_of(s, arm, seed)->course;
    return seed < s->seeds_due[arm] && round < x->n ? x->value[round * s->n_metrics] : (double)NAN;
}

static sow_index finite_values(const world *w, sow_index i)
{
    sow_index n = 0;
    for (sow_index k = 0; k < w->options.n_seeds; k++)
        n += isfinite(w->value[i * w->options.n_seeds + k]) != 0;
    return n;
}

/* Arms that begin alike are one campaign until they part. */
static int are_twins(const world *w, sow_index a, sow_index b)
{
    const place *p = &w->place[a], *q = &w->place[b];
    if (p->round != q->round || p->perturbations != q->perturbations || p->cells != q->cells || finite_values(w, a) == 0) return 0;
    for (int k = 0; k < SOW_I_N_PRICES; k++)
        if (w->option[a].price[k] != w->option[b].price[k]) return 0;
    for (sow_index k = 0; k < w->options.n_seeds; k++) {
        const double x = w->option[a].value[k], y = w->option[b].value[k];
        if (isfinite(x) != isfinite(y) || (isfinite(x) && x != y)) return 0;
    }
    return 1;
}

static void fill_allocation(world *w, sow_index i, sow_index arm, sow_index round)
{
    const sow_i_sweep *s = w->s;
    const sow_index seeds = s->config->n_seeds;
    double *v = w->value + i * seeds;
    for (sow_index k = 0; k < seeds; k++)
        v[k] = w->sign * value_of(s, arm, k, round);
    w->place[i] = (place){arm, round, mean_over_seeds(s, arm, round, SOW_I_N_PRICES), (sow_index)json_integer_value(json_object_get(json_object_get(s->arm[arm].settings, "design"), "cells_per_perturbation")), -1};
    w->option[i] = (sow_i_option){{mean_over_seeds(s, arm, round, SOW_I_MONEY), mean_over_seeds(s, arm, round, SOW_I_WEEKS)}, v, 0};
}

static double limit_of(double given)
{
    return isnan(given) ? INFINITY : given;
}

static sow_status world_build(world *w, const sow_i_sweep *s, const sow_index *group, sow_index first, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_sweep_config *k = s->config;
    sow_index most = 0;
    *w = (world){.s = s, .sign = s->metric[0]->lower_is_better ? -1 : 1};
    SOW_NEW(w->arm, k->n_arms);
    for (sow_index a = 0; a < k->n_arms; a++) {
        if (group[a] != first) continue;
        w->arm[w->n_arms++] = a;
        w->n += rounds_of(s, a);
    }
    SOW_NEW(w->place, w->n);
    SOW_NEW(w->value, w->n * k->n_seeds);
    SOW_NEW(w->option, w->n);
    w->options = (sow_i_options){w->n, k->n_seeds, w->option, {limit_of(k->budget.money), limit_of(k->budget.weeks)}, k->budget.margin};
    for (sow_index i = 0, a = 0; a < w->n_arms; a++)
        for (sow_index r = 0; r < rounds_of(s, w->arm[a]); r++, i++) {
            fill_allocation(w, i, w->arm[a], r);
            for (sow_index j = 0; j < i && w->place[i].twin < 0; j++)
                if (w->place[j].twin < 0 && are_twins(w, i, j)) w->place[i].twin = j;
            if (finite_values(w, i) > most) most = finite_values(w, i);
        }
    for (sow_index i = 0; i < w->n; i++)
        w->option[i].usable = most > 0 && w->place[i].twin < 0 && finite_values(w, i) == most;
    for (int f = 0; f < FRONTS; f++) {
        SOW_NEW(w->on[f], w->n);
        SOW_TRY(sow_i_front(w->on[f], &w->options, front_prices[f], err));
    }
    SOW_TRY(sow_i_choose(&w->choice, &w->options, -1, err));
done:
    return st;
}

/* ---- as JSON, in the units of the metric */

/* A level of the metric, or a gain (more is better: turned back for neither). */
static json_t *level_json(const world *w, const sow_i_difference *d)
{
    sow_i_difference x = *d;
    if (w->sign < 0) x.mean = -d->mean, x.low = -d->high, x.high = -d->low;
    return sow_i_difference_json(&x);
}

static json_t *gain_json(const sow_i_difference *d)
{
    json_t *out = sow_i_difference_json(d);
    json_object_set_new(out, "detectable", sow_i_real_or_null(sow_i_detectable(d->sd, d->n, 0.05, 0.8)));
    return out;
}

static json_t *index_or_null(sow_index i)
{
    return i >= 0 ? json_integer((json_int_t)i) : json_null();
}

static char *label_of(const world *w, sow_index i)
{
    const place *p = &w->place[i];
    const sow_index of = rounds_of(w->s, p->arm);
    const char *arm = w->s->config->arm[p->arm].name;
    if (p->round + 1 == of) return sow_strdup(arm);
    return p->round == 0 ? sow_format("%s, first round alone", arm) : sow_format("%s, first %lld of %lld rounds", arm, (long long)p->round + 1, (long long)of);
}

static sow_status allocation_json(json_t **out, const world *w, sow_index i, sow_error *err)
{
    sow_status st = SOW_OK;
    const place *p = &w->place[i];
    const sow_index seeds = w->options.n_seeds;
    sow_i_difference own, d;
    char *label = label_of(w, i);
    json_t *front = json_object();
    sow_i_difference_of(&own, w->option[i].value, seeds, 0.95);
    *out = json_pack("{s:s,s:s,s:I,s:I,s:f,s:I,s:f,s:f,s:o,s:b,s:o,s:o}", "label", label ? label : "", "arm", w->s->config->arm[p->arm].name, "rounds", (json_int_t)p->round + 1, "of",
                     (json_int_t)rounds_of(w->s, p->arm), "perturbations", p->perturbations, "cells_per_perturbation", (json_int_t)p->cells, "cost", w->option[i].price[SOW_I_MONEY], "weeks",
                     w->option[i].price[SOW_I_WEEKS], "value", level_json(w, &own), "affordable", sow_i_option_affordable(&w->options, i), "same_as", index_or_null(p->twin), "front", front);
    free(label);
    if (!*out) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    for (int f = 0; f < FRONTS; f++)
        json_object_set_new(front, front_names[f], json_boolean(w->on[f][i]));
    if (w->choice.best >= 0 && i != w->choice.best) {
        SOW_TRY(sow_i_option_difference(&d, &w->options, i, w->choice.best, -1, err));
        json_object_set_new(*out, "less_best", gain_json(&d));
    }
done:
    return st;
}

/* Cheaper ones that are not shown to be worse but may lose more than the margin: the cheapest few. */
static sow_status also_json(json_t *out, const world *w, sow_error *err)
{
    sow_status st = SOW_OK;
    double above = -INFINITY;
    for (int k = 0; k < ALSO_MOST; k++) {
        sow_index next = -1;
        for (sow_index i = 0; i < w->n; i++) {
            sow_i_difference d;
            const double cost = w->option[i].price[SOW_I_MONEY];
            if (!w->option[i].usable || !sow_i_option_affordable(&w->options, i) || cost <= above || cost >= w->option[w->choice.chosen].price[SOW_I_MONEY]) continue;
            SOW_TRY(sow_i_option_difference(&d, &w->options, i, w->choice.best, -1, err));
            const double its = next < 0 ? INFINITY : w->option[next].price[SOW_I_MONEY];
            if (d.high >= 0 && (cost < its || (cost == its && sow_i_option_mean(&w->options, i, -1) > sow_i_option_mean(&w->options, next, -1)))) next = i;
        }
        if (next < 0) break;
        above = w->option[next].price[SOW_I_MONEY];
        json_array_append_new(out, json_integer((json_int_t)next));
    }
done:
    return st;
}

static sow_status recommended_json(json_t **out, const world *w, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_difference own, unseen, loss;
    sow_index agreed = 0, affordable = 0;
    json_t *also = json_array();
    for (sow_index i = 0; i < w->n; i++)
        affordable += w->option[i].usable && sow_i_option_affordable(&w->options, i);
    sow_i_difference_of(&own, w->option[w->choice.chosen].value, w->options.n_seeds, 0.95);
    SOW_TRY(sow_i_unseen_value(&unseen, &agreed, &w->options, w->choice.chosen, err));
    SOW_TRY(sow_i_option_difference(&loss, &w->options, w->choice.chosen, w->choice.best, -1, err));
    SOW_TRY(also_json(also, w, err));
    *out = json_pack("{s:I,s:I,s:o,s:o,s:I,s:o,s:o,s:I,s:O}", "allocation", (json_int_t)w->choice.chosen, "best", (json_int_t)w->choice.best, "value", level_json(w, &own), "expected", level_json(w, &unseen), "agreed",
                     (json_int_t)agreed, "less_best", w->choice.chosen == w->choice.best ? json_null() : gain_json(&loss), "margin", sow_i_real_or_null(w->choice.margin), "affordable", (json_int_t)affordable, "also", also);
    if (!*out) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
done:
    json_decref(also);
    return st;
}

static sow_status next_json(json_t *out, const world *w, sow_error *err)
{
    sow_status st = SOW_OK;
    const double amount[SOW_I_N_PRICES] = {w->s->config->budget.next_money, w->s->config->budget.next_weeks};
    for (int k = 0; k < SOW_I_N_PRICES; k++) {
        sow_i_next next;
        double dearest = 0;
        for (sow_index i = 0; i < w->n; i++)
            dearest = fmax(dearest, w->option[i].price[k]);
        if (dearest == 0) continue; /* nothing has such a price */
        SOW_TRY(sow_i_next_buys(&next, &w->options, w->choice.chosen, k, amount[k], err));
        sow_i_options free_ = w->options; /* without the limit on the other price */
        free_.limit[SOW_I_N_PRICES - 1 - k] = INFINITY;
        const int lifted = next.within < 0 && next.beyond < 0 && isfinite(w->options.limit[SOW_I_N_PRICES - 1 - k]);
        if (lifted) SOW_TRY(sow_i_next_buys(&next, &free_, w->choice.chosen, k, amount[k], err));
        json_object_set_new(out, price_names[k], json_pack("{s:f,s:b,s:o,s:o,s:o,s:o}", "amount", amount[k], "other_limit_lifted", lifted, "within", index_or_null(next.within), "beyond", index_or_null(next.beyond), "gain",
                                                           gain_json(&next.gain), "step", gain_json(&next.step)));
    }
done:
    return st;
}

/* ---- rounds of an arm: when to stop, and the curve carried on */

typedef struct {
    sow_index arm, rounds, seeds, pool;
    const double *value; /* [rounds, all seeds], turned */
    double *x, *cost;    /* [rounds] */
    double *due;         /* [rounds, seeds] of the seeds that are due */
} course_of_arm;

static sow_status course_open(course_of_arm *c, const world *w, sow_index arm, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_sweep *s = w->s;
    sow_index first = 0;
    while (w->place[first].arm != arm)
        first++;
    *c = (course_of_arm){.arm = arm, .rounds = rounds_of(s, arm), .seeds = s->seeds_due[arm], .pool = sow_i_sweep_job_of(s, arm, 0)->course.pool_size, .value = w->option[first].value};
    SOW_NEW(c->x, c->rounds);
    SOW_NEW(c->cost, c->rounds);
    SOW_NEW(c->due, c->rounds * c->seeds);
    for (sow_index r = 0; r < c->rounds; r++) {
        c->x[r] = w->place[first + r].perturbations;
        c->cost[r] = w->option[first + r].price[SOW_I_MONEY];
        memcpy(c->due + r * c->seeds, c->value + r * w->options.n_seeds, (size_t)c->seeds * sizeof *c->due);
    }
done:
    return st;
}

static void course_close(course_of_arm *c)
{
    free(c->x);
    free(c->cost);
    free(c->due);
}

static sow_status stop_json(json_t **out, const world *w, const course_of_arm *c, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_further *f = NULL;
    json_t *rounds = json_array();
    SOW_NEW(f, c->rounds);
    for (sow_index r = 0; r + 1 < c->rounds; r++) {
        SOW_TRY(sow_i_further_of(&f[r], c->due, c->rounds, c->seeds, r, err));
        json_array_append_new(rounds, json_pack("{s:I,s:f,s:f,s:o,s:o}", "after", (json_int_t)r + 1, "cost", c->cost[r + 1] - c->cost[r], "rest_cost", c->cost[c->rounds - 1] - c->cost[r], "next", gain_json(&f[r].next), "rest",
                                                gain_json(&f[r].rest)));
    }
    const sow_index stop = sow_i_stop_after(f, c->cost, c->rounds, isnan(w->s->config->budget.worth) ? 0 : w->s->config->budget.worth);
    *out = json_pack("{s:o,s:O}", "after", index_or_null(stop < 0 ? -1 : stop + 1), "rounds", rounds);
    if (!*out) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
done:
    json_decref(rounds);
    free(f);
    return st;
}

/* One stream for all arms: the same seeds are drawn for each. */
static sow_rng draws(void)
{
    return sow_rng_make(0, SOW_RNG_BOOTSTRAP, 0, 0);
}

/* Turned back into the metric where `turn` is -1, and kept within what it can be. */
static sow_interval within(const sow_interval *v, int turn, double least, double most)
{
    const double low = turn > 0 ? v->low : -v->high, high = turn > 0 ? v->high : -v->low;
    return (sow_interval){fmin(fmax(turn * v->value, least), most), fmin(fmax(low, least), most), fmin(fmax(high, least), most)};
}

static json_t *carried_json(double at, sow_interval v)
{
    return json_pack("{s:f,s:f,s:f,s:f}", "perturbations", at, "value", v.value, "low", v.low, "high", v.high);
}

/* From the last round to twice as many perturbations, or all of the pool; and what another round like the last would add. */
static sow_status curve_json(json_t **out, const world *w, const course_of_arm *c, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_rng rng = draws();
    const sow_sweep_metric *m = w->s->metric[0];
    const double last = c->x[c->rounds - 1], end = c->pool > 0 ? fmin(SOW_I_CURVE_REACH * last, (double)c->pool) : SOW_I_CURVE_REACH * last;
    double at[AHEAD];
    sow_interval v[AHEAD], gain;
    json_t *ahead = json_array();
    *out = json_pack("{s:O}", "ahead", ahead);
    if (!*out) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    if (c->rounds < SOW_I_CURVE_ROUNDS_LEAST || c->seeds < SOW_I_CURVE_SEEDS_LEAST || !(end > last)) goto done;
    for (int k = 0; k < AHEAD; k++)
        at[k] = last + (end - last) * k / (AHEAD - 1);
    st = sow_i_curve_carry_on(v, at, AHEAD, 0, c->x, c->due, c->rounds, c->seeds, 0.95, &rng, err);
    if (st == SOW_E_UNSUPPORTED) {
        st = SOW_OK;
        goto done;
    }
    if (st != SOW_OK) goto done;
    for (int k = 0; k < AHEAD; k++)
        json_array_append_new(ahead, carried_json(at[k], within(&v[k], w->sign, m->least, m->most)));
    const double more = last - c->x[c->rounds - 2], there = last + more;
    if (there > end) goto done;
    SOW_TRY(sow_i_curve_carry_on(&gain, &there, 1, 1, c->x, c->due, c->rounds, c->seeds, 0.95, &rng, err));
    const double ended = w->sign * sow_mean(c->due + (c->rounds - 1) * c->seeds, c->seeds);
    json_t *another = carried_json(more, within(&gain, 1, w->sign > 0 ? m->least - ended : ended - m->most, w->sign > 0 ? m->most - ended : ended - m->least));
    json_object_set_new(another, "cost", json_real(c->cost[c->rounds - 1] - c->cost[c->rounds - 2]));
    json_object_set_new(*out, "another", another);
done:
    json_decref(ahead);
    return st;
}

/* How often such bands, made of an arm's first rounds, held its later ones. */
static sow_status look_back(sow_index *held, sow_index *of, const world *w, const course_of_arm *c, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_sweep_metric *m = w->s->metric[0];
    const sow_rng rng = draws();
    for (sow_index k = SOW_I_CURVE_ROUNDS_LEAST; k < c->rounds; k++)
        for (sow_index r = k; r < c->rounds && c->x[r] <= SOW_I_CURVE_REACH * c->x[k - 1]; r++) {
            sow_interval v;
            st = sow_i_curve_carry_on(&v, &c->x[r], 1, 0, c->x, c->due, k, c->seeds, 0.95, &rng, err);
            if (st == SOW_E_UNSUPPORTED) return SOW_OK;
            if (st != SOW_OK) return st;
            v = within(&v, w->sign, m->least, m->most);
            const double mean = w->sign * sow_mean(c->due + r * c->seeds, c->seeds);
            *held += mean >= v.low && mean <= v.high;
            *of += isfinite(mean) != 0;
        }
    return st;
}

static sow_status arms_json(json_t *out, json_t *back, const world *w, sow_error *err)
{
    sow_status st = SOW_OK;
    course_of_arm c = {0};
    sow_index held = 0, of = 0;
    for (sow_index a = 0; a < w->n_arms; a++) {
        json_t *stop = NULL, *curve = NULL;
        SOW_TRY(course_open(&c, w, w->arm[a], err));
        st = stop_json(&stop, w, &c, err);
        if (st == SOW_OK) st = curve_json(&curve, w, &c, err);
        if (st == SOW_OK) st = look_back(&held, &of, w, &c, err);
        json_array_append_new(out, json_pack("{s:s,s:o*,s:o*}", "arm", w->s->config->arm[w->arm[a]].name, "stop", stop, "curve", curve));
        course_close(&c);
        c = (course_of_arm){0};
        if (st != SOW_OK) goto done;
    }
    json_object_set_new(back, "held", json_integer((json_int_t)held));
    json_object_set_new(back, "of", json_integer((json_int_t)of));
done:
    course_close(&c);
    return st;
}

/* ---- the document */

static sow_status world_json(json_t **out, const world *w, const char *name, sow_error *err)
{
    sow_status st = SOW_OK;
    json_t *list = json_array(), *arms = json_array(), *next = json_object(), *back = json_object(), *recommended = NULL;
    for (sow_index i = 0; i < w->n; i++) {
        json_t *row = NULL;
        st = allocation_json(&row, w, i, err);
        json_array_append_new(list, row);
        if (st != SOW_OK) goto done;
    }
    if (w->choice.chosen >= 0) {
        SOW_TRY(recommended_json(&recommended, w, err));
        SOW_TRY(next_json(next, w, err));
    }
    SOW_TRY(arms_json(arms, back, w, err));
    *out = json_pack("{s:s,s:O,s:o,s:O,s:O,s:O}", "world", name, "allocations", list, "recommended", recommended ? json_incref(recommended) : json_null(), "next", next, "arms", arms, "look_back", back);
    if (!*out) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
done:
    json_decref(list);
    json_decref(arms);
    json_decref(next);
    json_decref(back);
    json_decref(recommended);
    return st;
}

sow_status sow_i_sweep_allocation(json_t **out, const sow_i_sweep *s, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_sweep_config *k = s->config;
    sow_index *group = NULL;
    world w = {0};
    json_t *worlds = json_array();
    *out = json_pack("{s:s,s:s,s:s,s:I,s:{s:o,s:o,s:o},s:O}", "metric", s->metric[0]->name, "better", s->metric[0]->lower_is_better ? "lower" : "higher", "currency", s->arm[0].currency, "seeds", (json_int_t)k->n_seeds, "budget",
                     "money", sow_i_real_or_null(k->budget.money), "weeks", sow_i_real_or_null(k->budget.weeks), "worth", sow_i_real_or_null(k->budget.worth), "worlds", worlds);
    if (!*out) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_NEW(group, k->n_arms);
    SOW_TRY(find_worlds(group, s, err));
    for (sow_index a = 0; a < k->n_arms; a++) {
        json_t *one = NULL;
        if (group[a] != a) continue;
        SOW_TRY(world_build(&w, s, group, a, err));
        SOW_TRY(world_json(&one, &w, world_name(s, group, a), err));
        sow_i_allocation_words(one, *out);
        json_array_append_new(worlds, one);
        world_clear(&w);
        w = (world){0};
    }
done:
    world_clear(&w);
    free(group);
    json_decref(worlds);
    if (st != SOW_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return st;
}
