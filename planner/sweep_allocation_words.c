/* What the numbers of an allocation report say, in sentences for whoever decides: the terminal, --json and the page show the same ones. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "planner/learning_curve.h"
#include "planner/sweep_internal.h"

typedef struct {
    const json_t *all, *world, *list, *recommended, *chosen;
    const char *metric, *currency;
} context;

static const char *text_of(const json_t *j, const char *key)
{
    const char *s = json_string_value(json_object_get(j, key));
    return s ? s : "";
}

static double number_of(const json_t *j, const char *key)
{
    const json_t *v = json_object_get(j, key);
    return json_is_number(v) ? json_number_value(v) : (double)NAN;
}

static const json_t *allocation_at(const context *c, const json_t *index)
{
    return json_is_integer(index) ? json_array_get(c->list, (size_t)json_integer_value(index)) : NULL;
}

/* ---- numbers */

static void say_whole(sow_text *t, double x)
{
    char s[64];
    const int n = snprintf(s, sizeof s, "%.0f", fabs(x));
    if (x < 0) sow_text_append(t, "-");
    for (int i = 0; i < n && n < (int)sizeof s; i++)
        sow_text_printf(t, "%c%s", s[i], i + 1 < n && (n - i - 1) % 3 == 0 ? "," : "");
}

static void say_money(sow_text *t, const context *c, double x)
{
    say_whole(t, x);
    sow_text_printf(t, " %s", c->currency);
}

static void say_weeks(sow_text *t, double x)
{
    sow_text_printf(t, "%g week%s", x, x == 1 ? "" : "s");
}

/* "0.92 [0.85, 0.98]"; with a sign for differences. */
static void say_interval(sow_text *t, const json_t *v, const char *format)
{
    const double value = number_of(v, "value"), low = number_of(v, "low"), high = number_of(v, "high");
    if (isnan(value)) {
        sow_text_append(t, "unknown");
        return;
    }
    const char *const parts[] = {"", " [", ", "};
    const double x[] = {value, low, high};
    for (int k = 0; k < (isnan(low) ? 1 : 3); k++) {
        char number[40];
        snprintf(number, sizeof number, *format == '+' ? "%+.3g" : "%.3g", fabs(x[k]) < 5e-13 ? 0 : x[k]);
        sow_text_printf(t, "%s%s", parts[k], number);
    }
    if (!isnan(low)) sow_text_append(t, "]");
}

/* "14,418 USD and 20 weeks"; what has no price is left out. */
static void say_price(sow_text *t, const context *c, double money, double weeks, const char *else_)
{
    if (money != 0) say_money(t, c, money);
    if (money != 0 && weeks != 0) sow_text_append(t, " and ");
    if (weeks != 0) say_weeks(t, weeks);
    if (money == 0 && weeks == 0) sow_text_append(t, else_);
}

static void put(json_t *words, const char *key, sow_text *t)
{
    if (t->size) json_object_set_new(words, key, json_string(t->text));
    sow_text_clear(t);
}

/* ---- what to take, and why */

static void say_budget(sow_text *t, const context *c)
{
    const json_t *budget = json_object_get(c->all, "budget");
    const double money = number_of(budget, "money"), weeks = number_of(budget, "weeks");
    if (isnan(money) && isnan(weeks)) {
        sow_text_append(t, "Without a limit on money or time");
        return;
    }
    sow_text_append(t, "With ");
    if (!isnan(money)) say_money(t, c, money);
    if (!isnan(money) && !isnan(weeks)) sow_text_append(t, " and ");
    if (!isnan(weeks)) say_weeks(t, weeks);
}

static void say_headline(sow_text *t, const context *c)
{
    const double rounds = number_of(c->chosen, "rounds"), cost = number_of(c->chosen, "cost"), weeks = number_of(c->chosen, "weeks");
    say_budget(t, c);
    if (*text_of(c->world, "world")) sow_text_printf(t, ", in the world '%s'", text_of(c->world, "world"));
    sow_text_printf(t, ": take %s. That is ", text_of(c->chosen, "label"));
    say_whole(t, number_of(c->chosen, "perturbations"));
    sow_text_printf(t, " perturbations in %g round%s, ", rounds, rounds == 1 ? "" : "s");
    if (number_of(c->chosen, "cells_per_perturbation") > 0) {
        say_whole(t, number_of(c->chosen, "cells_per_perturbation"));
        sow_text_append(t, " cells each, ");
    }
    sow_text_append(t, "for ");
    say_price(t, c, cost, weeks, "nothing (nothing has a price)");
    const json_t *budget = json_object_get(c->all, "budget");
    const double money_left = number_of(budget, "money") - cost, weeks_left = number_of(budget, "weeks") - weeks;
    if (money_left > 0.5 || weeks_left > 0.05) {
        sow_text_append(t, "; ");
        say_price(t, c, money_left > 0.5 ? money_left : 0, weeks_left > 0.05 ? weeks_left : 0, "");
        sow_text_append(t, " are left");
    }
    sow_text_append(t, ".");
}

static void say_expected(sow_text *t, const context *c)
{
    const json_t *unseen = json_object_get(c->recommended, "expected");
    const double seeds = number_of(unseen, "n");
    sow_text_printf(t, "Expected %s (%s is better): ", c->metric, text_of(c->all, "better"));
    if (seeds < 3) {
        say_interval(t, json_object_get(c->recommended, "value"), "");
        sow_text_append(t, ". That flatters it, for it was chosen by these very seeds; with three or more it would be estimated on seeds left out.");
        return;
    }
    say_interval(t, unseen, "");
    sow_text_printf(t, " (95 %%), judged on seeds that had no say in the choice. Made anew without each of the %g seeds in turn, the choice fell on this allocation %g times.", seeds, number_of(c->recommended, "agreed"));
    if (number_of(c->recommended, "agreed") == seeds) return;
    sow_text_append(t, " Its own mean is ");
    say_interval(t, json_object_get(c->recommended, "value"), "");
    sow_text_append(t, ": the best of many looks better than it is.");
}

/* "-0.055 [-0.12, +0.01]" and what could have been seen. */
static void say_against_best(sow_text *t, const json_t *d)
{
    say_interval(t, d, "+");
    sow_text_printf(t, " (less is worse; these %g seeds would have found a difference of %.2g)", number_of(d, "n"), number_of(d, "detectable"));
}

static const char *within_budget(const context *c)
{
    const json_t *budget = json_object_get(c->all, "budget");
    return isnan(number_of(budget, "money")) && isnan(number_of(budget, "weeks")) ? "" : " within the budget";
}

static void say_why(sow_text *t, const context *c)
{
    const json_t *best = allocation_at(c, json_object_get(c->recommended, "best")), *less = json_object_get(c->recommended, "less_best");
    const double margin = number_of(c->recommended, "margin");
    if (best == c->chosen && number_of(json_object_get(c->recommended, "value"), "n") < 2) {
        sow_text_printf(t, "Its value is the best of the %g allocations%s. One seed shows of no cheaper one that it is as good.", number_of(c->recommended, "affordable"), within_budget(c));
        return;
    }
    if (best == c->chosen) {
        sow_text_printf(t, "Its mean is the best of the %g allocations%s. No cheaper one will do: each was shown to be worse, or may lose more than %.2g.", number_of(c->recommended, "affordable"), within_budget(c), margin);
        return;
    }
    sow_text_printf(t, "The best mean is that of %s (", text_of(best, "label"));
    say_interval(t, json_object_get(best, "value"), "");
    sow_text_append(t, "). This one saves ");
    say_price(t, c, number_of(best, "cost") - number_of(c->chosen, "cost"), number_of(best, "weeks") - number_of(c->chosen, "weeks"), "nothing");
    sow_text_append(t, " and is not shown to be worse: ");
    say_against_best(t, less);
    sow_text_printf(t, ". At worst %.2g is lost, where %.2g may be.", fmax(0, -number_of(less, "low")), margin);
}

static void say_also(sow_text *t, const context *c)
{
    const json_t *also = json_object_get(c->recommended, "also");
    const size_t n = json_array_size(also);
    for (size_t k = 0; k < n; k++) {
        const json_t *a = allocation_at(c, json_array_get(also, k));
        sow_text_append(t, k ? "; " : "Cheaper and not shown to be worse either, but with more to lose: ");
        sow_text_printf(t, "%s, ", text_of(a, "label"));
        say_price(t, c, number_of(a, "cost"), number_of(a, "weeks"), "");
        sow_text_append(t, ", ");
        say_against_best(t, json_object_get(a, "less_best"));
    }
    if (n) sow_text_append(t, ".");
}

/* ---- more money, more time */

static void say_amount(sow_text *t, const context *c, const char *price, double amount)
{
    if (strcmp(price, "money") == 0) say_money(t, c, amount);
    else say_weeks(t, amount);
}

static void say_step(sow_text *t, const context *c, const json_t *to)
{
    sow_text_printf(t, "%s, ", text_of(to, "label"));
    say_price(t, c, number_of(to, "cost") - number_of(c->chosen, "cost"), number_of(to, "weeks") - number_of(c->chosen, "weeks"), "nothing");
    sow_text_append(t, " more");
}

static void say_next(sow_text *t, const context *c, const char *price)
{
    const json_t *next = json_object_get(json_object_get(c->world, "next"), price), *within = allocation_at(c, json_object_get(next, "within")), *beyond = allocation_at(c, json_object_get(next, "beyond"));
    if (!next) return;
    const int money = strcmp(price, "money") == 0, lifted = json_is_true(json_object_get(next, "other_limit_lifted"));
    if (lifted && (within || beyond)) sow_text_printf(t, "Within the %s given more %s buys nothing. Beyond that, the next ", money ? "weeks" : "money", money ? "money" : "time");
    else sow_text_append(t, "The next ");
    say_amount(t, c, price, number_of(next, "amount"));
    if (!within && !beyond) {
        sow_text_printf(t, " buy nothing: no allocation of this sweep that %s is better.", money ? "costs more" : "takes longer");
        return;
    }
    if (!within) {
        sow_text_append(t, " buy nothing that was played: the next better allocation is ");
        say_step(t, c, beyond);
        sow_text_append(t, ": ");
        say_interval(t, json_object_get(next, "step"), "+");
        sow_text_append(t, ". On a straight line to it they would add ");
        say_interval(t, json_object_get(next, "gain"), "+");
        sow_text_append(t, ", if a round can be cut to size.");
        return;
    }
    sow_text_append(t, " buy ");
    say_interval(t, json_object_get(next, "gain"), "+");
    sow_text_append(t, ": ");
    say_step(t, c, within);
    if (beyond) {
        sow_text_append(t, ", and on a straight line part of the way to ");
        say_step(t, c, beyond);
    }
    sow_text_append(t, ".");
}

/* ---- when to stop */

static const json_t *arm_of(const context *c)
{
    const json_t *arms = json_object_get(c->world, "arms");
    for (size_t k = 0; k < json_array_size(arms); k++)
        if (strcmp(text_of(json_array_get(arms, k), "arm"), text_of(c->chosen, "arm")) == 0) return json_array_get(arms, k);
    return NULL;
}

static void say_stop(sow_text *t, const context *c)
{
    const json_t *stop = json_object_get(arm_of(c), "stop"), *rounds = json_object_get(stop, "rounds"), *after = json_object_get(stop, "after");
    const size_t n = json_array_size(rounds);
    if (n == 0) return;
    if (isnan(number_of(json_object_get(json_array_get(rounds, 0), "next"), "low"))) {
        sow_text_append(t, "With one seed nothing can be said of when to stop.");
        return;
    }
    if (!json_is_integer(after)) {
        const json_t *last = json_array_get(rounds, n - 1);
        sow_text_printf(t, "Do not stop %s early: after each of its rounds, what was still to come was shown to add. The last of the %zu added ", text_of(c->chosen, "arm"), n + 1);
        say_interval(t, json_object_get(last, "next"), "+");
        if (number_of(last, "cost") > 0) {
            sow_text_append(t, " for ");
            say_money(t, c, number_of(last, "cost"));
        }
        sow_text_append(t, ".");
        return;
    }
    const json_int_t k = json_integer_value(after);
    const json_t *r = json_array_get(rounds, (size_t)k - 1), *next = json_object_get(r, "next");
    sow_text_printf(t, "More rounds of %s than %lld (of %zu) were not shown to gain%s. The next one is expected to add ", text_of(c->chosen, "arm"), (long long)k, n + 1,
                    isnan(number_of(json_object_get(c->all, "budget"), "worth")) ? "" : " what they cost");
    say_interval(t, next, "+");
    if (number_of(r, "cost") > 0) {
        sow_text_append(t, " and costs ");
        say_money(t, c, number_of(r, "cost"));
    }
    if ((size_t)k < n) {
        sow_text_append(t, ", all that follow ");
        say_interval(t, json_object_get(r, "rest"), "+");
        if (number_of(r, "rest_cost") > 0) {
            sow_text_append(t, " for ");
            say_money(t, c, number_of(r, "rest_cost"));
        }
    }
    const double worth = number_of(json_object_get(c->all, "budget"), "worth");
    if (!isnan(worth)) {
        sow_text_append(t, "; a unit being worth ");
        say_money(t, c, worth);
        sow_text_append(t, ", that is ");
        say_money(t, c, worth * number_of(next, "value"));
    }
    sow_text_printf(t, ". These seeds would have found %.2g.", number_of(next, "detectable"));
}

static void say_further(sow_text *t, const context *c)
{
    const json_t *curve = json_object_get(arm_of(c), "curve"), *another = json_object_get(curve, "another"), *back = json_object_get(c->world, "look_back");
    if (!another) {
        sow_text_printf(t, "The curve of %s is not carried on past its last round: that takes %d rounds and %d seeds, and something left in the pool.", text_of(c->chosen, "arm"), (int)SOW_I_CURVE_ROUNDS_LEAST,
                        (int)SOW_I_CURVE_SEEDS_LEAST);
        return;
    }
    sow_text_printf(t, "Another round of %g after the last of %s is expected to add ", number_of(another, "perturbations"), text_of(c->chosen, "arm"));
    say_interval(t, another, "+");
    if (number_of(another, "cost") > 0) {
        sow_text_append(t, "; it costs ");
        say_money(t, c, number_of(another, "cost"));
    }
    sow_text_append(t, ". That carries the curve on past what was played.");
    if (number_of(back, "of") > 0)
        sow_text_printf(t, " Bands made in the same way from the first rounds of this sweep's arms held %g of %g later rounds.", number_of(back, "held"), number_of(back, "of"));
}

/* ---- nothing can be had */

static void say_nothing(sow_text *t, const context *c)
{
    const json_t *cheap = NULL;
    for (size_t i = 0; i < json_array_size(c->list); i++) {
        const json_t *a = json_array_get(c->list, i);
        if (!cheap || number_of(a, "cost") < number_of(cheap, "cost")) cheap = a;
    }
    say_budget(t, c);
    if (*text_of(c->world, "world")) sow_text_printf(t, ", in the world '%s'", text_of(c->world, "world"));
    sow_text_printf(t, ": nothing that was played can be had, or it has no value. The cheapest allocation is %s: ", text_of(cheap, "label"));
    say_price(t, c, number_of(cheap, "cost"), number_of(cheap, "weeks"), "nothing");
    sow_text_append(t, ". Raise budget.money or budget.weeks, or add a smaller allocation.");
}

void sow_i_allocation_words(json_t *world, const json_t *allocation)
{
    context c = {allocation, world, json_object_get(world, "allocations"), json_object_get(world, "recommended"), NULL, text_of(allocation, "metric"), text_of(allocation, "currency")};
    json_t *words = json_object();
    sow_text t = {0};
    c.chosen = allocation_at(&c, json_object_get(c.recommended, "allocation"));
    json_object_set_new(world, "words", words);
    if (!c.chosen) {
        say_nothing(&t, &c);
        put(words, "headline", &t);
        return;
    }
    say_headline(&t, &c);
    put(words, "headline", &t);
    say_expected(&t, &c);
    put(words, "expected", &t);
    say_why(&t, &c);
    put(words, "why", &t);
    say_also(&t, &c);
    put(words, "also", &t);
    say_next(&t, &c, "money");
    put(words, "next_money", &t);
    say_next(&t, &c, "weeks");
    put(words, "next_weeks", &t);
    say_stop(&t, &c);
    put(words, "stop", &t);
    say_further(&t, &c);
    put(words, "further", &t);
}
