/* Look-ahead for hits: what a pick is worth now, and what it will teach (after Jiang et al. 2017, efficient nonmyopic search).
 *
 * score(i) = P_i + G_i (var given the batch)_i / var_i. P_i is the probability that i is a hit. G_i is the expected gain, from measuring
 * i, in the sum of the m largest hit probabilities among the others, m = picks still to come after this batch: a measurement moves the
 * others' means by c z / s and lowers their variances by c^2 / s^2 (c covariance with i, s^2 = var_i + noise_i, z standard normal: ten
 * equally likely values, since the sum of the largest jumps where polynomial rules want it smooth). G is
 * computed once per batch for the most promising candidates; picks that explain a candidate lower its share of G. With m = 0, in the last
 * batch, the score is the probability of a hit alone. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "acquisition/strategy_internal.h"
#include "core/memory.h"
#include "core/stats.h"

enum { NODES = 10, MOST_STUDIED = 256 };

static const double negligible = 0.03; /* a move of the mean by less than this share of the sd leaves a probability as it was */

typedef struct {
    const sow_pool_view *view;
    double threshold;
    sow_index m;
    double *hit;  /* [n] P */
    double *gain; /* [n] G, 0 where not studied */
    sow_index n_studied, *studied;
    double *worth; /* [n_studied] */
} outlook;

/* Sum of the m largest of a [n], which is reordered (Hoare's selection). */
static double sum_of_largest(double *a, sow_index n, sow_index m)
{
    sow_index low = 0, high = n - 1;
    while (low < high && m > 0 && m < n) {
        const double pivot = a[low + (high - low) / 2];
        sow_index i = low, j = high;
        while (i <= j) {
            while (a[i] > pivot) i++;
            while (a[j] < pivot) j--;
            if (i > j) break;
            const double kept = a[i];
            a[i++] = a[j];
            a[j--] = kept;
        }
        if (m - 1 <= j)
            high = j;
        else if (m - 1 >= i)
            low = i;
        else
            break;
    }
    double sum = 0;
    for (sow_index k = 0; k < m && k < n; k++) sum += a[k];
    return sum;
}

/* Hit probabilities of all but i, as they would be after measuring i at z standard deviations above its mean. */
static void moved_probabilities(double *out, const outlook *o, sow_index i, const double *column, double total, double z)
{
    const sow_pool_view *v = o->view;
    sow_index k = 0;
    for (sow_index j = 0; j < v->n; j++) {
        if (j == i) continue;
        const double move = column[j] / sqrt(total);
        if (move * move < negligible * negligible * v->var[j])
            out[k++] = o->hit[j];
        else
            out[k++] = sow_i_probability(v->mean[j] + move * z, v->var[j] - move * move, o->threshold);
    }
}

static sow_status study_one(void *user, sow_index s, sow_error *err)
{
    sow_status st = SOW_OK;
    outlook *o = user;
    const sow_pool_view *v = o->view;
    const sow_index i = o->studied[s];
    const double total = v->var[i] + sow_i_noise(v, i);
    double *column = NULL, *p = NULL, expected = 0;
    if (!(total > 0)) goto done;
    SOW_NEW(column, v->n);
    SOW_NEW(p, v->n);
    SOW_TRY(v->posterior->column(v->posterior, i, column, err));
    for (int q = 0; q < NODES; q++) {
        moved_probabilities(p, o, i, column, total, sow_normal_quantile((q + 0.5) / NODES));
        expected += sum_of_largest(p, v->n - 1, o->m) / NODES;
    }
    moved_probabilities(p, o, i, column, INFINITY, 0);
    const double now = sum_of_largest(p, v->n - 1, o->m);
    o->worth[s] = expected > now ? expected - now : 0;
done:
    free(column);
    free(p);
    return st;
}

/* Candidates whose probability, read one sd more hopefully, is largest: certain misses teach about misses. */
static sow_status choose_studied(outlook *o, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_pool_view *v = o->view;
    double *promise = NULL;
    SOW_NEW(promise, v->n);
    const sow_index most = v->n < MOST_STUDIED ? v->n : MOST_STUDIED;
    SOW_NEW(o->studied, most);
    SOW_NEW(o->worth, most);
    for (sow_index i = 0; i < v->n; i++)
        promise[i] = sow_i_feasible(v, i) ? sow_i_probability(v->mean[i] + sqrt(v->var[i]), v->var[i], o->threshold) : NAN;
    for (; o->n_studied < most; o->n_studied++) {
        sow_index best = -1;
        for (sow_index i = 0; i < v->n; i++)
            if (!isnan(promise[i]) && (best < 0 || promise[i] > promise[best])) best = i;
        if (best < 0) break;
        promise[best] = NAN;
        o->studied[o->n_studied] = best;
    }
done:
    free(promise);
    return st;
}

static sow_status find_gains(outlook *o, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_pool_view *v = o->view;
    SOW_NEW(o->hit, v->n);
    SOW_NEW(o->gain, v->n);
    for (sow_index i = 0; i < v->n; i++) o->hit[i] = sow_i_probability(v->mean[i], v->var[i], o->threshold);
    if (o->m < 1 || !v->posterior) goto done;
    SOW_TRY(choose_studied(o, err));
    SOW_TRY(sow_parallel_for(sow_env_threads(env), o->n_studied, study_one, o, err));
    for (sow_index s = 0; s < o->n_studied; s++) o->gain[o->studied[s]] = o->worth[s];
done:
    return st;
}

static double share_left(const sow_i_conditioning *c, sow_index i)
{
    return c->view->var[i] > 0 ? c->var[i] / c->view->var[i] : 0;
}

static sow_status pick_by_outlook(sow_pick *picks, sow_index batch, const outlook *o, sow_i_conditioning *c, const sow_env *env,
                                  sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_pool_view *v = o->view;
    double *score = NULL;
    SOW_NEW(score, v->n);
    for (sow_index k = 0; k < batch; k++) {
        for (sow_index i = 0; i < v->n; i++) score[i] = o->hit[i] + o->gain[i] * share_left(c, i);
        const sow_index i = sow_i_best(v, score);
        if (i < 0) {
            st = sow_i_stuck(v, k, batch, err);
            goto done;
        }
        sow_i_take(&picks[k], v, i, score[i], "hit probability %.2f, and %.2g more hits expected in the %lld picks after this batch",
                   o->hit[i], score[i] - o->hit[i], (long long)o->m);
        SOW_TRY(sow_i_condition_on(c, i, err));
        SOW_TRY(sow_progress(env, "choosing", (double)(k + 1) / (double)batch, err));
    }
done:
    free(score);
    return st;
}

static sow_status pick_lookahead(sow_pick *picks, sow_index batch, const sow_pool_view *view, const sow_strategy_options *options,
                                 const sow_env *env, sow_error *err)
{
    (void)options;
    sow_status st = SOW_OK;
    outlook o = {.view = view, .m = view->picks_after < view->n - batch ? view->picks_after : view->n - batch};
    sow_i_conditioning c = {0};
    SOW_TRY(sow_i_require_variance(view, "lookahead", err));
    SOW_TRY(sow_i_threshold(&o.threshold, view, err));
    SOW_TRY(sow_i_conditioning_init(&c, view, batch, err));
    SOW_TRY(find_gains(&o, env, err));
    SOW_TRY(pick_by_outlook(picks, batch, &o, &c, env, err));
done:
    free(o.hit);
    free(o.gain);
    free(o.studied);
    free(o.worth);
    sow_i_conditioning_clear(&c);
    return st;
}

const sow_strategy sow_i_strategy_lookahead = {
    .name = "lookahead",
    .aliases = "look-ahead,ens,nonmyopic",
    .summary = "hit probability plus the hits that measuring a candidate is expected to add to the rounds after",
    .needs = SOW_NEED_MOMENTS | SOW_NEED_JOINT | SOW_NEED_HITS,
    .pick = pick_lookahead,
};
