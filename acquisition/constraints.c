#include "acquisition/constraints.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "acquisition/completion.h"
#include "core/memory.h"

enum { FREE, INCLUDED, TAKEN };

struct sow_constraints {
    sow_index n;
    sow_index *kind;        /* [n] */
    unsigned char *state;   /* [n] */
    unsigned char *refused; /* [kinds] proven not feasible since the last take */
    sow_i_completion rest;  /* what is left of the batch */
};

void sow_constraints_destroy(sow_constraints *c)
{
    if (!c) return;
    free(c->kind);
    free(c->state);
    free(c->refused);
    sow_i_completion_clear(&c->rest);
    free(c);
}

/* ---- kinds of candidates ---- */

static int is_member(const sow_quota *q, sow_index position)
{
    sow_index low = 0, high = q->n_members;
    while (low < high) {
        const sow_index middle = low + (high - low) / 2;
        if (q->members[middle] < position)
            low = middle + 1;
        else
            high = middle;
    }
    return low < q->n_members && q->members[low] == position;
}

/* Memberships of every candidate, [n, n_quotas]. */
static void mark_members(unsigned char *in, const sow_index *candidates, sow_index n, const sow_quota *quotas, sow_index n_quotas)
{
    for (sow_index i = 0; i < n; i++)
        for (sow_index q = 0; q < n_quotas; q++)
            in[i * n_quotas + q] = (unsigned char)is_member(&quotas[q], candidates[i]);
}

/* Numbers the distinct rows of `in`; first [*n_kinds] is a candidate of each kind. */
static sow_status find_kinds(sow_index *kind, sow_index **first, sow_index *n_kinds, const unsigned char *in, sow_index n,
                             sow_index n_quotas, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index capacity = 0;
    *first = NULL;
    *n_kinds = 0;
    for (sow_index i = 0; i < n; i++) {
        sow_index t = 0;
        while (t < *n_kinds && memcmp(in + (*first)[t] * n_quotas, in + i * n_quotas, (size_t)n_quotas) != 0)
            t++;
        if (t == *n_kinds) {
            SOW_TRY(sow_grow(first, &capacity, *n_kinds + 1, sizeof **first, err));
            (*first)[(*n_kinds)++] = i;
        }
        kind[i] = t;
    }
done:
    return st;
}

/* ---- what each quota asks of this batch ---- */

static sow_index need_of(const sow_quota *q)
{
    const sow_index need = q->whole_campaign ? q->at_least - q->already - q->later : q->at_least;
    return need > 0 ? need : 0;
}

static sow_index room_of(const sow_quota *q, sow_index batch)
{
    if (q->at_most < 0) return batch;
    const sow_index room = q->whole_campaign ? q->at_most - q->already : q->at_most;
    return room > 0 ? room : 0;
}

/* ---- checks, each naming its rule ---- */

static sow_status check_include(const sow_index *include, sow_index n_include, sow_index n, sow_index batch, sow_error *err)
{
    for (sow_index i = 0; i < n_include; i++)
        if (include[i] < 0 || include[i] >= n)
            return SOW_ERROR(err, SOW_E_ARG, "included candidate %lld is not among the %lld candidates", (long long)include[i],
                             (long long)n);
    if (n_include > batch)
        return SOW_ERROR(
            err, SOW_E_CONFIG,
            "constraints.include: %lld perturbations must be in a batch of %lld; make the batch larger or the list shorter",
            (long long)n_include, (long long)batch);
    return SOW_OK;
}

static sow_status check_quota(const sow_quota *q, const unsigned char *member, sow_index stride, const unsigned char *state,
                              sow_index n, sow_index batch, sow_error *err)
{
    const char *label = q->label ? q->label : "";
    sow_index available = 0, included = 0;
    for (sow_index i = 0; i < n; i++) {
        available += member[i * stride];
        included += member[i * stride] && state[i] == INCLUDED;
    }
    if (q->at_least < 0 || q->already < 0 || q->later < 0)
        return SOW_ERROR(err, SOW_E_ARG, "quota '%s' has a negative count", label);
    if (q->at_most >= 0 && q->at_least > q->at_most)
        return SOW_ERROR(err, SOW_E_CONFIG, "quota '%s': at_least %lld is more than at_most %lld", label, (long long)q->at_least,
                         (long long)q->at_most);
    if (need_of(q) > available)
        return SOW_ERROR(err, SOW_E_CONFIG, "quota '%s': %lld are needed and only %lld %s left", label, (long long)need_of(q),
                         (long long)available, available == 1 ? "candidate is" : "candidates are");
    if (need_of(q) > batch)
        return SOW_ERROR(err, SOW_E_CONFIG, "quota '%s': %lld are needed and the batch has %lld slots", label,
                         (long long)need_of(q), (long long)batch);
    if (included > room_of(q, batch))
        return SOW_ERROR(err, SOW_E_CONFIG, "quota '%s': constraints.include names %lld of its members and %lld may be picked",
                         label, (long long)included, (long long)room_of(q, batch));
    return SOW_OK;
}

/* The rules fail together: name one without which they would not. */
static sow_status blame(sow_i_completion *c, const sow_quota *quotas, sow_index n_quotas, sow_index batch, sow_error *err)
{
    for (sow_index q = 0; q < n_quotas; q++) {
        const sow_index need = c->need[q], room = c->room[q];
        c->need[q] = 0;
        c->room[q] = c->total;
        const int possible = sow_i_complete(c);
        c->need[q] = need;
        c->room[q] = room;
        if (possible)
            return SOW_ERROR(err, SOW_E_CONFIG, "quota '%s' cannot be met together with the other rules in a batch of %lld",
                             quotas[q].label ? quotas[q].label : "", (long long)batch);
    }
    return SOW_ERROR(err, SOW_E_CONFIG, "the %lld quotas cannot be met together in a batch of %lld: relax two or more of them",
                     (long long)n_quotas, (long long)batch);
}

/* ---- front door ---- */

static sow_status set_up_rest(sow_constraints *c, const unsigned char *in, const sow_index *first, sow_index n_kinds,
                              sow_index batch, const sow_quota *quotas, sow_index n_quotas, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_TRY(sow_i_completion_init(&c->rest, n_kinds, n_quotas, err));
    SOW_NEW(c->refused, n_kinds);
    for (sow_index t = 0; t < n_kinds; t++)
        memcpy(c->rest.in + t * n_quotas, in + first[t] * n_quotas, (size_t)n_quotas);
    for (sow_index i = 0; i < c->n; i++) {
        c->rest.most[c->kind[i]]++;
        c->rest.least[c->kind[i]] += c->state[i] == INCLUDED;
    }
    for (sow_index q = 0; q < n_quotas; q++) {
        c->rest.need[q] = need_of(&quotas[q]);
        c->rest.room[q] = room_of(&quotas[q], batch);
    }
    c->rest.total = batch;
    if (!sow_i_complete(&c->rest)) SOW_TRY(blame(&c->rest, quotas, n_quotas, batch, err));
done:
    return st;
}

sow_status sow_constraints_create(sow_constraints **out, const sow_index *candidates, sow_index n, sow_index batch,
                                  const sow_index *include, sow_index n_include, const sow_quota *quotas, sow_index n_quotas,
                                  sow_error *err)
{
    sow_status st = SOW_OK;
    sow_constraints *c = NULL;
    unsigned char *in = NULL;
    sow_index *first = NULL, n_kinds = 0;
    *out = NULL;
    if (n < 0 || batch < 0 || n_include < 0 || n_quotas < 0)
        SOW_FAIL(err, SOW_E_ARG, "constraints of %lld candidates and a batch of %lld", (long long)n, (long long)batch);
    if (batch > n)
        SOW_FAIL(err, SOW_E_CONFIG, "a batch of %lld is larger than the %lld candidates left", (long long)batch, (long long)n);
    SOW_TRY(check_include(include, n_include, n, batch, err));
    SOW_NEW(c, 1);
    c->n = n;
    SOW_NEW(c->kind, n);
    SOW_NEW(c->state, n);
    SOW_NEW(in, n * n_quotas);
    for (sow_index i = 0; i < n_include; i++)
        c->state[include[i]] = INCLUDED;
    mark_members(in, candidates, n, quotas, n_quotas);
    for (sow_index q = 0; q < n_quotas; q++)
        SOW_TRY(check_quota(&quotas[q], in + q, n_quotas, c->state, n, batch, err));
    SOW_TRY(find_kinds(c->kind, &first, &n_kinds, in, n, n_quotas, err));
    SOW_TRY(set_up_rest(c, in, first, n_kinds, batch, quotas, n_quotas, err));
    *out = c;
    c = NULL;
done:
    free(in);
    free(first);
    sow_constraints_destroy(c);
    return st;
}

int sow_constraints_feasible(void *constraints, sow_index candidate)
{
    sow_constraints *c = constraints;
    const sow_index t = c->kind[candidate];
    if (c->state[candidate] == TAKEN || c->rest.total < 1) return 0;
    if (c->state[candidate] == INCLUDED || c->rest.x[t] > c->rest.least[t]) return 1;
    if (c->refused[t]) return 0;
    c->refused[t] = (unsigned char)!sow_i_complete_with_one_more(&c->rest, t);
    return !c->refused[t];
}

void sow_constraints_take(void *constraints, sow_index candidate)
{
    sow_constraints *c = constraints;
    const sow_index t = c->kind[candidate];
    const int feasible = sow_constraints_feasible(c, candidate); /* also leaves a completion with this candidate in x */
    assert(feasible);
    if (!feasible) return;
    if (c->state[candidate] == INCLUDED) c->rest.least[t]--;
    c->state[candidate] = TAKEN;
    c->rest.most[t]--;
    c->rest.x[t]--;
    c->rest.total--;
    for (sow_index q = 0; q < c->rest.n_rules; q++) {
        if (!c->rest.in[t * c->rest.n_rules + q]) continue;
        c->rest.room[q]--;
        if (c->rest.need[q] > 0) c->rest.need[q]--;
    }
    memset(c->refused, 0, (size_t)c->rest.n_kinds);
}
