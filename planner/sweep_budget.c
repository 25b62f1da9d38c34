/* Before anything is played: what each arm will cost, and whether the sweep's budget affords any allocation at all. */
#include <math.h>
#include <stdlib.h>

#include "core/memory.h"
#include "planner/sweep_internal.h"

sow_status sow_i_sweep_keep_bill(sow_i_sweep_arm *arm, const json_t *check, sow_error *err)
{
    sow_status st = SOW_OK;
    const json_t *rounds = json_object_get(json_object_get(check, "bill"), "rounds");
    const sow_index n = (sow_index)json_array_size(rounds);
    double cost = 0, weeks = 0;
    SOW_NEW(arm->cost, n);
    SOW_NEW(arm->weeks, n);
    arm->n_rounds = n;
    for (sow_index r = 0; r < n; r++) {
        const json_t *row = json_array_get(rounds, (size_t)r);
        arm->cost[r] = cost += json_number_value(json_object_get(row, "cost"));
        arm->weeks[r] = weeks += json_number_value(json_object_get(row, "weeks"));
    }
done:
    return st;
}

typedef struct {
    sow_index arm, round; /* -1 = none */
    double cost, weeks;
} planned;

static int fits(const planned *p, const sow_sweep_config *k)
{
    const int too_dear = p->cost > k->budget.money * (1 + 1e-9), too_long = p->weeks > k->budget.weeks * (1 + 1e-9); /* neither with a limit of NaN */
    return !too_dear && !too_long;
}

/* The cheapest of the allocations (prefixes of arms) that take no longer than `weeks` (NaN: any time). */
static planned cheapest(const sow_i_sweep *s, double weeks)
{
    planned least = {-1, -1, INFINITY, INFINITY};
    for (sow_index a = 0; a < s->config->n_arms; a++)
        for (sow_index r = 0; r < s->arm[a].n_rounds; r++) {
            const planned p = {a, r, s->arm[a].cost[r], s->arm[a].weeks[r]};
            if (p.weeks > weeks * (1 + 1e-9)) continue;
            if (p.cost < least.cost || (p.cost == least.cost && p.weeks < least.weeks)) least = p;
        }
    return least;
}

static planned shortest(const sow_i_sweep *s)
{
    planned least = {-1, -1, INFINITY, INFINITY};
    for (sow_index a = 0; a < s->config->n_arms; a++)
        if (s->arm[a].n_rounds > 0 && s->arm[a].weeks[0] < least.weeks) least = (planned){a, 0, s->arm[a].cost[0], s->arm[a].weeks[0]};
    return least;
}

static void say_planned(sow_text *t, const sow_i_sweep *s, const planned *p)
{
    const sow_index left = s->arm[p->arm].n_rounds - p->round - 1;
    sow_text_printf(t, "'%s'", s->config->arm[p->arm].name);
    if (left > 0) sow_text_printf(t, p->round == 0 ? ", its first round alone" : ", its first %lld rounds", (long long)p->round + 1);
    sow_text_printf(t, ": %.2f %s and %g weeks", p->cost, s->arm[0].currency, p->weeks);
}

static void say_nothing_fits(sow_text *t, const sow_i_sweep *s)
{
    const sow_sweep_config *k = s->config;
    const planned short_one = shortest(s), cheap = cheapest(s, k->budget.weeks);
    sow_text_printf(t, "%s: budget: ", k->path);
    if (!isnan(k->budget.money)) sow_text_printf(t, "%.2f %s", k->budget.money, s->arm[0].currency);
    if (!isnan(k->budget.weeks)) sow_text_printf(t, "%s%g weeks", isnan(k->budget.money) ? "" : " and ", k->budget.weeks);
    if (cheap.arm < 0) {
        sow_text_append(t, " afford nothing: the shortest allocation is ");
        say_planned(t, s, &short_one);
        sow_text_printf(t, "; raise budget.weeks to %g or more, or plan shorter rounds (costs.weeks_per_round)", short_one.weeks);
        if (short_one.cost > k->budget.money) sow_text_printf(t, ", and budget.money to %.2f", short_one.cost);
        return;
    }
    sow_text_printf(t, " afford nothing: the cheapest allocation%s is ", isnan(k->budget.weeks) ? "" : " that short");
    say_planned(t, s, &cheap);
    sow_text_printf(t, "; raise budget.money to %.2f or more, or add a smaller allocation (`allocations`, fewer cells or reads)", cheap.cost);
}

sow_status sow_i_sweep_budget_trouble(char **out, const sow_i_sweep *s, sow_error *err)
{
    const sow_sweep_config *k = s->config;
    sow_text t = {0};
    double money = 0, weeks = 0;
    int affords = 0;
    *out = NULL;
    for (sow_index a = 0; a < k->n_arms; a++)
        for (sow_index r = 0; r < s->arm[a].n_rounds; r++) {
            const planned p = {a, r, s->arm[a].cost[r], s->arm[a].weeks[r]};
            money = fmax(money, p.cost);
            weeks = fmax(weeks, p.weeks);
            affords |= fits(&p, k);
        }
    if (money == 0 && (!isnan(k->budget.money) || !isnan(k->budget.worth)))
        sow_text_printf(&t, "%s: budget.%s: nothing in this sweep has a price; give `costs` in the campaign (per_round, per_cell, ...)", k->path, isnan(k->budget.money) ? "worth" : "money");
    else if (weeks == 0 && !isnan(k->budget.weeks))
        sow_text_printf(&t, "%s: budget.weeks: no round of this sweep takes any time; give costs.weeks_per_round in the campaign", k->path);
    else if (!affords)
        say_nothing_fits(&t, s);
    if (t.failed) {
        sow_text_clear(&t);
        return SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
    }
    *out = t.text;
    return SOW_OK;
}
