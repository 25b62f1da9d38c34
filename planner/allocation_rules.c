#include "planner/allocation_rules.h"

#include <math.h>
#include <stdlib.h>

#include "core/memory.h"

double sow_i_option_mean(const sow_i_options *o, sow_index i, sow_index leave)
{
    double sum = 0;
    sow_index n = 0;
    for (sow_index s = 0; s < o->n_seeds; s++)
        if (s != leave && isfinite(o->option[i].value[s])) sum += o->option[i].value[s], n++;
    return n ? sum / (double)n : (double)NAN;
}

int sow_i_option_affordable(const sow_i_options *o, sow_index i)
{
    for (int k = 0; k < SOW_I_N_PRICES; k++)
        if (!(o->option[i].price[k] <= o->limit[k] * (1 + 1e-9))) return 0; /* sums of cents and of weeks */
    return 1;
}

/* share x b + (1 - share) x a less c, seed by seed. */
static sow_status between_less(sow_i_difference *out, const sow_i_options *o, sow_index a, sow_index b, double share, sow_index c, sow_index leave, sow_error *err)
{
    sow_status st = SOW_OK;
    double *d = NULL;
    SOW_NEW(d, o->n_seeds);
    for (sow_index s = 0; s < o->n_seeds; s++)
        d[s] = s == leave ? (double)NAN : (1 - share) * o->option[a].value[s] + share * o->option[b].value[s] - o->option[c].value[s];
    sow_i_difference_of(out, d, o->n_seeds, 0.95);
done:
    free(d);
    return st;
}

sow_status sow_i_option_difference(sow_i_difference *out, const sow_i_options *o, sow_index a, sow_index b, sow_index leave, sow_error *err)
{
    return between_less(out, o, a, a, 0, b, leave, err);
}

/* ---- the front */

static int dominates(const sow_i_options *o, const double *mean, sow_index a, sow_index b, unsigned prices)
{
    int better = mean[a] > mean[b];
    if (!(mean[a] >= mean[b])) return 0;
    for (int k = 0; k < SOW_I_N_PRICES; k++) {
        if (!(prices & (1u << k))) continue;
        if (o->option[a].price[k] > o->option[b].price[k]) return 0;
        better |= o->option[a].price[k] < o->option[b].price[k];
    }
    return better;
}

sow_status sow_i_front(unsigned char *on, const sow_i_options *o, unsigned prices, sow_error *err)
{
    sow_status st = SOW_OK;
    double *mean = NULL;
    SOW_NEW(mean, o->n);
    for (sow_index i = 0; i < o->n; i++)
        mean[i] = o->option[i].usable ? sow_i_option_mean(o, i, -1) : (double)NAN;
    for (sow_index i = 0; i < o->n; i++) {
        on[i] = isfinite(mean[i]) != 0;
        for (sow_index j = 0; j < o->n && on[i]; j++)
            on[i] = !dominates(o, mean, j, i, prices);
    }
done:
    free(mean);
    return st;
}

/* ---- the choice */

static int can_be_had(const sow_i_options *o, sow_index i, sow_index leave)
{
    return o->option[i].usable && sow_i_option_affordable(o, i) && isfinite(sow_i_option_mean(o, i, leave));
}

static int cheaper(const sow_i_options *o, sow_index a, sow_index b)
{
    for (int k = 0; k < SOW_I_N_PRICES; k++)
        if (o->option[a].price[k] != o->option[b].price[k]) return o->option[a].price[k] < o->option[b].price[k];
    return 0;
}

sow_status sow_i_choose(sow_i_choice *out, const sow_i_options *o, sow_index leave, sow_error *err)
{
    sow_status st = SOW_OK;
    double most = -INFINITY, least = INFINITY;
    *out = (sow_i_choice){-1, -1, o->margin};
    for (sow_index i = 0; i < o->n; i++) {
        if (!can_be_had(o, i, leave)) continue;
        const double mean = sow_i_option_mean(o, i, leave);
        if (mean > most || (mean == most && cheaper(o, i, out->best))) out->best = i;
        most = fmax(most, mean);
        least = fmin(least, mean);
    }
    if (out->best < 0) goto done;
    if (isnan(out->margin)) out->margin = SOW_I_MARGIN_SHARE * (most - least);
    out->chosen = out->best;
    for (sow_index i = 0; i < o->n; i++) {
        sow_i_difference d;
        if (i == out->best || !can_be_had(o, i, leave) || !cheaper(o, i, out->best)) continue;
        SOW_TRY(sow_i_option_difference(&d, o, i, out->best, leave, err));
        if (!(d.high >= 0) || !(d.low >= -out->margin)) continue;
        if (cheaper(o, i, out->chosen) || (!cheaper(o, out->chosen, i) && sow_i_option_mean(o, i, leave) > sow_i_option_mean(o, out->chosen, leave))) out->chosen = i;
    }
done:
    return st;
}

sow_status sow_i_unseen_value(sow_i_difference *out, sow_index *agreed, const sow_i_options *o, sow_index chosen, sow_error *err)
{
    sow_status st = SOW_OK;
    double *v = NULL;
    SOW_NEW(v, o->n_seeds);
    *agreed = 0;
    for (sow_index s = 0; s < o->n_seeds; s++) {
        sow_i_choice c;
        v[s] = NAN;
        if (o->n_seeds < 3) continue;
        SOW_TRY(sow_i_choose(&c, o, s, err));
        if (c.chosen < 0) continue;
        v[s] = o->option[c.chosen].value[s];
        *agreed += c.chosen == chosen;
    }
    sow_i_difference_of(out, v, o->n_seeds, 0.95);
    if (*agreed < out->n && out->n > 1) { /* choices from overlapping seeds: Nadeau & Bengio 2003, 1/n + 1/(n - 1) in place of 1/n */
        const double wider = sqrt(1 + (double)out->n / (double)(out->n - 1));
        out->low = out->mean - wider * (out->mean - out->low);
        out->high = out->mean + wider * (out->high - out->mean);
    }
done:
    free(v);
    return st;
}

/* ---- what more buys */

/* Better than `from` on the mean, dearer in this price and within the other limits. */
static int is_step(const sow_i_options *o, sow_index i, sow_index from, int price)
{
    if (!o->option[i].usable || !(sow_i_option_mean(o, i, -1) > sow_i_option_mean(o, from, -1)) || !(o->option[i].price[price] > o->option[from].price[price])) return 0;
    for (int k = 0; k < SOW_I_N_PRICES; k++)
        if (k != price && !(o->option[i].price[k] <= o->limit[k] * (1 + 1e-9))) return 0;
    return 1;
}

/* The next step of the front after `at`: the nearest that is better than `at`; of equally dear ones the best. */
static sow_index step_after(const sow_i_options *o, sow_index at, sow_index from, int price)
{
    sow_index next = -1;
    for (sow_index i = 0; i < o->n; i++) {
        if (i == at || !is_step(o, i, from, price) || !(o->option[i].price[price] > o->option[at].price[price]) || !(sow_i_option_mean(o, i, -1) > sow_i_option_mean(o, at, -1))) continue;
        const double p = o->option[i].price[price], its = next < 0 ? INFINITY : o->option[next].price[price];
        if (p < its || (p == its && sow_i_option_mean(o, i, -1) > sow_i_option_mean(o, next, -1))) next = i;
    }
    return next;
}

sow_status sow_i_next_buys(sow_i_next *out, const sow_i_options *o, sow_index from, int price, double amount, sow_error *err)
{
    sow_status st = SOW_OK;
    const double target = o->option[from].price[price] + amount;
    sow_index at = from;
    *out = (sow_i_next){-1, -1, {0, NAN, NAN, NAN, NAN, NAN}, {0, NAN, NAN, NAN, NAN, NAN}};
    for (sow_index i = step_after(o, at, from, price); i >= 0; i = step_after(o, at, from, price)) {
        if (o->option[i].price[price] > target * (1 + 1e-9)) {
            out->beyond = i;
            break;
        }
        out->within = at = i;
    }
    if (at == from && out->beyond < 0) goto done;
    const sow_index end = out->beyond >= 0 ? out->beyond : at;
    const double p0 = o->option[at].price[price], p1 = o->option[end].price[price];
    SOW_TRY(between_less(&out->gain, o, at, end, p1 > p0 ? (target - p0) / (p1 - p0) : 0, from, -1, err));
    SOW_TRY(sow_i_option_difference(&out->step, o, end, from, -1, err));
done:
    return st;
}

/* ---- when to stop */

static sow_status later_less(sow_i_difference *out, const double *value, sow_index n_seeds, sow_index later, sow_index r, sow_error *err)
{
    sow_status st = SOW_OK;
    double *d = NULL;
    SOW_NEW(d, n_seeds);
    for (sow_index s = 0; s < n_seeds; s++)
        d[s] = value[later * n_seeds + s] - value[r * n_seeds + s];
    sow_i_difference_of(out, d, n_seeds, 0.95);
done:
    free(d);
    return st;
}

sow_status sow_i_further_of(sow_i_further *out, const double *value, sow_index rounds, sow_index n_seeds, sow_index r, sow_error *err)
{
    const sow_status st = later_less(&out->next, value, n_seeds, r + 1, r, err);
    return st == SOW_OK ? later_less(&out->rest, value, n_seeds, rounds - 1, r, err) : st;
}

sow_index sow_i_stop_after(const sow_i_further *further, const double *cost, sow_index rounds, double worth)
{
    for (sow_index r = 0; r + 1 < rounds; r++) {
        const sow_i_further *f = &further[r];
        if (isfinite(f->next.low) && isfinite(f->rest.low) && !(f->next.low > 0) && !(f->rest.low > 0)) return r;
        if (worth > 0 && f->next.mean * worth < cost[r + 1] - cost[r] && f->rest.mean * worth < cost[rounds - 1] - cost[r]) return r;
    }
    return -1;
}
