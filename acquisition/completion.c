#include "acquisition/completion.h"

#include <stdlib.h>
#include <string.h>

#include "core/memory.h"

enum { MOST_NODES = 5000 };

sow_status sow_i_completion_init(sow_i_completion *c, sow_index n_kinds, sow_index n_rules, sow_error *err)
{
    sow_status st = SOW_OK;
    *c = (sow_i_completion){.n_kinds = n_kinds, .n_rules = n_rules};
    SOW_NEW(c->in, n_kinds * n_rules);
    SOW_NEW(c->least, n_kinds);
    SOW_NEW(c->most, n_kinds);
    SOW_NEW(c->need, n_rules);
    SOW_NEW(c->room, n_rules);
    SOW_NEW(c->x, n_kinds);
    SOW_NEW(c->trial, n_kinds);
    SOW_NEW(c->count, n_rules);
    SOW_NEW(c->order, n_kinds);
done:
    return st;
}

void sow_i_completion_clear(sow_i_completion *c)
{
    free(c->in);
    free(c->least);
    free(c->most);
    free(c->need);
    free(c->room);
    free(c->x);
    free(c->trial);
    free(c->count);
    free(c->order);
    memset(c, 0, sizeof *c);
}

static int is_in(const sow_i_completion *c, sow_index kind, sow_index rule)
{
    return c->in[kind * c->n_rules + rule];
}

static void count_members(sow_i_completion *c, const sow_index *x)
{
    for (sow_index r = 0; r < c->n_rules; r++) {
        c->count[r] = 0;
        for (sow_index t = 0; t < c->n_kinds; t++)
            c->count[r] += is_in(c, t, r) ? x[t] : 0;
    }
}

/* How many more of the kind its rules allow. */
static sow_index room_for(const sow_i_completion *c, sow_index kind, sow_index have)
{
    sow_index room = c->most[kind] - have;
    for (sow_index r = 0; r < c->n_rules; r++)
        if (is_in(c, kind, r) && c->room[r] - c->count[r] < room) room = c->room[r] - c->count[r];
    return room;
}

static void add(sow_i_completion *c, sow_index *x, sow_index kind, sow_index how_many)
{
    x[kind] += how_many;
    for (sow_index r = 0; r < c->n_rules; r++)
        if (is_in(c, kind, r)) c->count[r] += how_many;
}

/* ---- greedy cover ---- */

/* The kind that serves most unmet needs, then the one in fewest rules; -1 when no unmet need can be served. */
static sow_index best_server(const sow_i_completion *c, const sow_index *x)
{
    sow_index best = -1, best_served = 0, best_rules = 0;
    for (sow_index t = 0; t < c->n_kinds; t++) {
        sow_index served = 0, rules = 0;
        if (room_for(c, t, x[t]) < 1) continue;
        for (sow_index r = 0; r < c->n_rules; r++) {
            if (!is_in(c, t, r)) continue;
            rules++;
            served += c->count[r] < c->need[r];
        }
        if (served > best_served || (served > 0 && served == best_served && rules < best_rules)) {
            best = t;
            best_served = served;
            best_rules = rules;
        }
    }
    return best;
}

static int needs_are_met(const sow_i_completion *c)
{
    for (sow_index r = 0; r < c->n_rules; r++)
        if (c->count[r] < c->need[r] || c->count[r] > c->room[r]) return 0;
    return 1;
}

/* Kinds in the fewest rules first, so that rules with little room are left for last. `order` is most rules first. */
static sow_index fill_up(sow_i_completion *c, sow_index *x, sow_index left)
{
    for (sow_index k = c->n_kinds - 1; k >= 0 && left > 0; k--) {
        const sow_index t = c->order[k], room = room_for(c, t, x[t]), more = room < left ? room : left;
        if (more > 0) {
            add(c, x, t, more);
            left -= more;
        }
    }
    return left;
}

static int cover(sow_i_completion *c)
{
    sow_index *x = c->trial, left = c->total;
    for (sow_index t = 0; t < c->n_kinds; t++) {
        x[t] = c->least[t];
        left -= x[t];
        if (c->most[t] < c->least[t]) return 0;
    }
    count_members(c, x);
    for (;;) {
        const sow_index t = best_server(c, x);
        if (t < 0 || left < 1) break;
        add(c, x, t, 1);
        left--;
    }
    return left >= 0 && needs_are_met(c) && fill_up(c, x, left) == 0;
}

/* ---- search ---- */

/* Can kinds order[depth..] still bring every rule, and the total, into range? `left` is what they must sum to. */
static int within_reach(const sow_i_completion *c, sow_index depth, sow_index left)
{
    sow_index low = 0, high = 0;
    for (sow_index k = depth; k < c->n_kinds; k++) {
        low += c->least[c->order[k]];
        high += c->most[c->order[k]];
    }
    if (left < low || left > high) return 0;
    for (sow_index r = 0; r < c->n_rules; r++) {
        sow_index least = c->count[r], most = c->count[r];
        for (sow_index k = depth; k < c->n_kinds; k++) {
            const sow_index t = c->order[k];
            if (!is_in(c, t, r)) continue;
            least += c->least[t];
            most += c->most[t];
        }
        if (least > c->room[r] || most < c->need[r]) return 0;
    }
    return 1;
}

static int search(sow_i_completion *c, sow_index depth, sow_index left, sow_index *nodes)
{
    if (++*nodes > MOST_NODES || !within_reach(c, depth, left)) return 0;
    if (depth == c->n_kinds) return left == 0;
    const sow_index t = c->order[depth], from = c->least[t], to = c->most[t] < left ? c->most[t] : left;
    int found = 0;
    for (sow_index value = from; value <= to && !found && *nodes <= MOST_NODES; value++) {
        c->trial[t] = 0;
        add(c, c->trial, t, value);
        found = search(c, depth + 1, left - value, nodes);
        for (sow_index r = 0; r < c->n_rules; r++)
            if (is_in(c, t, r)) c->count[r] -= value;
    }
    return found;
}

static sow_index rules_of(const sow_i_completion *c, sow_index kind)
{
    sow_index n = 0;
    for (sow_index r = 0; r < c->n_rules; r++)
        n += is_in(c, kind, r);
    return n;
}

/* By insertion: there are few kinds, and they keep their order between calls. */
static void order_kinds(sow_i_completion *c)
{
    for (sow_index t = 0; t < c->n_kinds; t++) {
        sow_index k = t;
        for (; k > 0 && rules_of(c, c->order[k - 1]) < rules_of(c, t); k--)
            c->order[k] = c->order[k - 1];
        c->order[k] = t;
    }
}

int sow_i_complete(sow_i_completion *c)
{
    sow_index nodes = 0;
    order_kinds(c);
    int found = cover(c);
    if (!found) {
        memset(c->count, 0, (size_t)c->n_rules * sizeof *c->count);
        found = search(c, 0, c->total, &nodes);
    }
    if (found) memcpy(c->x, c->trial, (size_t)c->n_kinds * sizeof *c->x);
    return found;
}

int sow_i_complete_with_one_more(sow_i_completion *c, sow_index kind)
{
    int found = 0;
    if (c->x[kind] >= c->most[kind]) return 0;
    memcpy(c->trial, c->x, (size_t)c->n_kinds * sizeof *c->x);
    count_members(c, c->trial);
    add(c, c->trial, kind, 1);
    for (sow_index t = 0; t < c->n_kinds && !found; t++) {
        if (t == kind || c->trial[t] <= c->least[t]) continue;
        add(c, c->trial, t, -1);
        found = needs_are_met(c);
        if (!found) add(c, c->trial, t, 1);
    }
    if (found) {
        memcpy(c->x, c->trial, (size_t)c->n_kinds * sizeof *c->x);
        return 1;
    }
    const sow_index least = c->least[kind];
    c->least[kind] = c->x[kind] + 1;
    found = sow_i_complete(c);
    c->least[kind] = least;
    return found;
}
