/* Which allocation to take: pure functions of numbers, no files and no campaigns.
 *
 * An option is an allocation somebody could take: an arm of a sweep, stopped after one of its rounds. It has a price in money and in weeks, and a quality in each of the same
 * seeds; options are compared seed by seed. What the rules are for, and what they were chosen over: docs/decisions/sweep-budget.md. Not thread-dependent. */
#ifndef SOWER_PLANNER_ALLOCATION_RULES_H
#define SOWER_PLANNER_ALLOCATION_RULES_H

#include "planner/sweep_stats.h"

enum { SOW_I_MONEY, SOW_I_WEEKS, SOW_I_N_PRICES };

typedef struct {
    double price[SOW_I_N_PRICES];
    const double *value; /* [n_seeds] more is better; NaN = not there. Borrowed */
    int usable;          /* 0: neither chosen nor on a front: a twin of an earlier option, or lacks seeds that others have */
} sow_i_option;

typedef struct {
    sow_index n, n_seeds;
    const sow_i_option *option;
    double limit[SOW_I_N_PRICES]; /* INFINITY = none */
    double margin;                /* what a cheaper option may lose, >= 0; NaN = SOW_I_MARGIN_SHARE of what the best gains over the least of those that can be had */
} sow_i_options;
#define SOW_I_MARGIN_SHARE 0.1

/** Mean over seeds without `leave` (-1: all); NaN where there is none. */
double sow_i_option_mean(const sow_i_options *o, sow_index i, sow_index leave);
int sow_i_option_affordable(const sow_i_options *o, sow_index i);
/** a less b, seed by seed. SOW_E_NOMEM. */
SOW_MUST_CHECK sow_status sow_i_option_difference(sow_i_difference *out, const sow_i_options *o, sow_index a, sow_index b, sow_index leave, sow_error *err);
/** on [n]: usable options that no other usable one is as good as in mean and in each of `prices` (bits 1 << SOW_I_MONEY, ...) and better in one. Cost n^2. SOW_E_NOMEM. */
SOW_MUST_CHECK sow_status sow_i_front(unsigned char *on, const sow_i_options *o, unsigned prices, sow_error *err);

typedef struct {
    sow_index best;   /* highest mean of the affordable; -1: none can be had */
    sow_index chosen; /* the cheapest (money, then weeks) of those that are as good: best itself, or not shown to be worse (95 % interval of the difference reaches 0) and with no more to lose than
                         the margin (its lower end); ties go to the higher mean, then the earlier option */
    double margin;    /* that was applied */
} sow_i_choice;
SOW_MUST_CHECK sow_status sow_i_choose(sow_i_choice *out, const sow_i_options *o, sow_index leave, sow_error *err);

/** What the rule's choice is worth on a seed that had no say in it: each seed's value of what is chosen on the others. *agreed: how many of these choices are `chosen`. Fewer than 3 seeds: no estimate.
 *  Where the choices differ the interval is widened by sqrt(1 + n / (n - 1)), for they share seeds (Nadeau & Bengio 2003). Cost n_seeds choices. */
SOW_MUST_CHECK sow_status sow_i_unseen_value(sow_i_difference *out, sow_index *agreed, const sow_i_options *o, sow_index chosen, sow_error *err);

/** What `amount` more of one price buys, from option `from`, the other limit held: the options on the front of mean against that price. */
typedef struct {
    sow_index within; /* the best that this amount reaches; -1 = none */
    sow_index beyond; /* the next one on the front after that; -1 = nothing that costs more is better */
    sow_i_difference gain; /* over `from`, with a straight line from `within` (or from) to `beyond` */
    sow_i_difference step; /* of `beyond` over `from`; of `within` where there is no `beyond` */
} sow_i_next;
SOW_MUST_CHECK sow_status sow_i_next_buys(sow_i_next *out, const sow_i_options *o, sow_index from, int price, double amount, sow_error *err);

/** What rounds after round r of one arm add: the next one, and all that follow. value [rounds][n_seeds] with stride n_seeds. */
typedef struct {
    sow_i_difference next, rest;
} sow_i_further;
SOW_MUST_CHECK sow_status sow_i_further_of(sow_i_further *out, const double *value, sow_index rounds, sow_index n_seeds, sow_index r, sow_error *err);
/** The first round after which nothing that follows is shown to add (neither interval of `further` [rounds - 1] lies above 0), or where what it adds is worth less than it costs: `worth` money
 *  for one unit (0: not asked), cost [rounds] summed up. -1: the arm ends before. Undefined intervals stop nothing. */
sow_index sow_i_stop_after(const sow_i_further *further, const double *cost, sow_index rounds, double worth);

#endif
