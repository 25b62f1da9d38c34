/* When rounds begin and end, and what a budget leaves of those that the campaign file asks for.
 *
 * Round r begins `weeks_between_rounds` after round r - 1, and not before the results that it was chosen from; its results are there `weeks_per_round` later. A budget of money cuts the first round that it does
 * not pay for in full to as many perturbations as it does pay for, which is the last one; one of weeks lets no round begin whose results would be late. Future rounds are billed evenly over the target contexts. */
#include <math.h>
#include <stdlib.h>

#include "core/memory.h"
#include "planner/campaign_internal.h"

static double between(const sow_campaign *c)
{
    const sow_costs *k = &c->config->costs;
    return k->weeks_between_rounds > 0 ? k->weeks_between_rounds : k->weeks_per_round;
}

sow_index sow_i_asked_size(const sow_campaign *c, sow_index round)
{
    return round == 0 ? c->config->rounds.initial_size : c->config->rounds.batches[round - 1];
}

static int is_planned(const sow_campaign *c, sow_index round)
{
    return c->round && round < c->n_rounds && c->round[round].planned;
}

sow_index sow_i_next_round(const sow_campaign *c)
{
    sow_index r = 0;
    while (r < c->n_rounds && is_planned(c, r))
        r++;
    return r;
}

double sow_i_begins(const sow_campaign *c, sow_index round, double before)
{
    if (round == 0) return 0;
    const sow_index known = c->round ? sow_i_current_round(c) : 0;
    double begins = before + between(c);
    if (known > 0 && known <= round) begins = fmax(begins, c->round[known - 1].begins + c->config->costs.weeks_per_round);
    return begins;
}

/* A round of one perturbation, where that costs most. */
static void bill_of_one(const sow_campaign *c, sow_index round, sow_bill *out)
{
    *out = (sow_bill){.total = -1};
    for (sow_index s = 0; s < c->n_sites; s++) {
        sow_index n[SOW_I_SITES_MOST] = {0};
        sow_bill bill;
        n[s] = 1;
        sow_i_bill_of(c, round, n, NULL, &bill);
        if (bill.total > out->total) *out = bill;
    }
}

/* The most perturbations, up to `asked`, whose bill is within `left`. A bill does not fall when a perturbation is added. */
static sow_index affordable(const sow_campaign *c, sow_index round, sow_index asked, double left)
{
    sow_bill bill;
    sow_index low = 0, high = asked + 1;
    bill_of_one(c, round, &bill);
    if (bill.total > left + 0.001) return 0;
    while (high - low > 1) {
        const sow_index n = low == 0 && high == asked + 1 ? asked : low + (high - low) / 2; /* all of it, first */
        sow_i_bill_evenly(c, round, n, &bill);
        if (bill.total <= left + 0.001) low = n;
        else high = n;
    }
    return low;
}

static int cut_stands(const sow_campaign *c, const sow_i_round *r)
{
    return r->asked > 0 && c->config->budget.money <= r->cut_by;
}

/* Rounds in their order, until one is cut or not begun. */
typedef struct {
    sow_index round, size;
    double spent, begins;
    sow_i_cut cut;
} walk;

static void step_planned(walk *w, const sow_campaign *c)
{
    const sow_i_round *r = &c->round[w->round];
    sow_bill bill;
    sow_i_bill(c, r, &bill);
    w->size = r->n;
    w->begins = r->begins;
    if (cut_stands(c, r)) w->cut = (sow_i_cut){.round = w->round, .asked = r->asked, .size = r->n, .left = c->config->budget.money - w->spent};
    w->spent += bill.total;
}

static void step_ahead(walk *w, const sow_campaign *c)
{
    const double money = c->config->budget.money, weeks = c->config->budget.weeks;
    const sow_index asked = sow_i_asked_size(c, w->round);
    sow_bill bill;
    w->size = asked;
    w->begins = sow_i_begins(c, w->round, w->begins);
    const double ends = w->begins + c->config->costs.weeks_per_round;
    if (isfinite(weeks) && ends > weeks * (1 + 1e-9)) {
        w->cut = (sow_i_cut){.round = w->round, .asked = asked, .size = 0, .ends = ends};
        w->size = 0;
        return;
    }
    if (isfinite(money)) w->size = affordable(c, w->round, asked, money - w->spent);
    if (w->size > 0) sow_i_bill_evenly(c, w->round, w->size, &bill);
    else bill_of_one(c, w->round, &bill);
    if (w->size < asked) w->cut = (sow_i_cut){.round = w->round, .asked = asked, .size = w->size, .left = money - w->spent, .least = w->size > 0 ? 0 : bill.total};
    if (w->size > 0) w->spent += bill.total;
}

/* Over the rounds before `end`; w->size is then of round end - 1. */
static void go(walk *w, const sow_campaign *c, sow_index end)
{
    *w = (walk){.cut.round = -1};
    for (w->round = 0; w->round < end; w->round++) {
        if (is_planned(c, w->round)) {
            step_planned(w, c);
        } else if (w->cut.round >= 0) {
            w->size = 0;
            return;
        } else {
            step_ahead(w, c);
        }
    }
}

double sow_i_spent(const sow_campaign *c)
{
    double spent = 0;
    for (sow_index r = 0; is_planned(c, r); r++) {
        sow_bill bill;
        sow_i_bill(c, &c->round[r], &bill);
        spent += bill.total;
    }
    return spent;
}

static int has_budget(const sow_campaign *c)
{
    return isfinite(c->config->budget.money) || isfinite(c->config->budget.weeks);
}

sow_index sow_i_batch_size(const sow_campaign *c, sow_index round)
{
    walk w;
    if (!has_budget(c)) return sow_i_asked_size(c, round);
    go(&w, c, round + 1);
    return w.size;
}

int sow_i_find_cut(sow_i_cut *cut, const sow_campaign *c)
{
    walk w;
    *cut = (sow_i_cut){.round = -1};
    if (!has_budget(c)) return 0;
    go(&w, c, c->n_rounds);
    *cut = w.cut;
    return cut->round >= 0;
}

double sow_i_weeks_by(const sow_campaign *c, sow_index round)
{
    walk w;
    if (is_planned(c, round)) return c->round[round].begins + c->config->costs.weeks_per_round;
    go(&w, c, round + 1);
    return w.begins + c->config->costs.weeks_per_round;
}

/* "round 3 is cut from 40 perturbations to 17: ..." Caller frees. */
char *sow_i_say_cut(const sow_campaign *c, const sow_i_cut *cut)
{
    const char *currency = c->config->costs.currency;
    const long long round = (long long)cut->round;
    if (cut->ends > 0)
        return sow_format("round %lld is not begun: its results would be there after %.4g weeks, and budget.weeks is %.4g", round, cut->ends, c->config->budget.weeks);
    if (cut->size > 0)
        return sow_format("round %lld is cut from %lld to %lld perturbation%s: %.2f %s of budget.money are left for it%s", round, (long long)cut->asked, (long long)cut->size, cut->size == 1 ? "" : "s", cut->left, currency,
                          cut->round + 1 < c->n_rounds ? ", and it is the last" : "");
    return sow_format("round %lld is not begun: %.2f %s of budget.money are left, and with one perturbation it costs %.2f", round, cut->left, currency, cut->least);
}

json_t *sow_i_budget_json(const sow_campaign *c)
{
    sow_i_cut cut;
    if (!has_budget(c)) return NULL;
    json_t *j = json_object();
    if (isfinite(c->config->budget.money)) json_object_set_new(j, "money", json_real(c->config->budget.money));
    if (isfinite(c->config->budget.weeks)) json_object_set_new(j, "weeks", json_real(c->config->budget.weeks));
    if (!sow_i_find_cut(&cut, c)) return j;
    char *why = sow_i_say_cut(c, &cut);
    json_object_set_new(j, "cut", json_pack("{s:I,s:I,s:I,s:s}", "round", (json_int_t)cut.round, "asked", (json_int_t)cut.asked, "size", (json_int_t)cut.size, "why", why ? why : ""));
    free(why);
    return j;
}

char *sow_campaign_why_ended(const sow_campaign *c)
{
    sow_i_cut cut;
    if (sow_campaign_next_step(c) != SOW_NEXT_NOTHING || !sow_i_find_cut(&cut, c)) return NULL;
    return sow_i_say_cut(c, &cut);
}

/* A campaign that has not begun is refused when its first round cannot be paid for; of one under way every round so far was. */
sow_status sow_i_check_budget(const sow_campaign *c, sow_error *err)
{
    const sow_config *k = c->config;
    const sow_index includes = k->constraints.n_include, least = includes > 1 ? includes : 1, asked = sow_i_asked_size(c, 0);
    sow_bill bill;
    if (!isfinite(k->budget.money) || c->held_before) return SOW_OK;
    if (sow_i_batch_size(c, 0) >= (least < asked ? least : asked)) return SOW_OK;
    if (least > 1) sow_i_bill_evenly(c, 0, least < asked ? least : asked, &bill);
    else bill_of_one(c, 0, &bill);
    return SOW_ERROR(err, SOW_E_CONFIG, "%s: budget.money %.2f %s does not pay for round 0: with %s it costs %.2f; raise budget.money to that at least, or lower the prices or `design.cells_per_perturbation`", k->path,
                     k->budget.money, k->costs.currency, least > 1 ? "no more than constraints.include" : "a single perturbation", bill.total);
}
