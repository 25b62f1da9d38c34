/* Prices, times and a budget that do not go together. */
#include "io/config_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOI_MOST = 20, OVERLAP_MOST = 10 };

static void check_prices(sow_i_reader *r, const sow_config *c, const sow_i_node *root)
{
    if (c->n_prices > SOW_CONTEXTS_PRICED_MAX)
        sow_i_problem_at_path(r, root, "costs.contexts", "costs.contexts has %lld entries; at most %d contexts have prices of their own", (long long)c->n_prices, SOW_CONTEXTS_PRICED_MAX);
    for (sow_index i = 0; i < c->n_prices; i++)
        for (sow_index k = 0; k < i; k++) {
            char at[60];
            snprintf(at, sizeof at, "costs.contexts[%lld].context", (long long)i);
            if (c->prices[i].context && c->prices[k].context && strcmp(c->prices[i].context, c->prices[k].context) == 0)
                sow_i_problem_at_path(r, root, at, "costs.contexts names '%s' twice", c->prices[i].context);
        }
}

/* Any price at all? What a budget is compared with. */
static int has_prices(const sow_config *c)
{
    double sum = c->costs.per_round + c->costs.per_context + c->costs.per_perturbation + c->costs.per_guide + c->costs.per_cell + c->costs.per_million_reads + c->costs.per_lane +
                 c->costs.per_million_transduced + (c->costs.per_control > 0 ? c->costs.per_control : 0);
    for (sow_index i = 0; i < c->n_prices; i++)
        sum += (c->prices[i].per_context > 0 ? c->prices[i].per_context : 0) + (c->prices[i].per_cell > 0 ? c->prices[i].per_cell : 0);
    return sum > 0;
}

void sow_i_config_check_costs(sow_i_reader *r, const sow_config *c, const sow_i_node *root)
{
    check_prices(r, c, root);
    if (c->costs.per_lane > 0 && c->design.cells_per_lane == 0)
        sow_i_problem_at_path(r, root, "costs.per_lane", "costs.per_lane needs design.cells_per_lane, how many cells a lane captures; give it, or remove the price");
    if (c->design.cells_per_lane > 0 && sow_i_node_is_null(sow_i_node_child(sow_i_node_child(root, "costs"), "per_lane")))
        sow_i_problem_at_path(r, root, "design.cells_per_lane", "design.cells_per_lane counts lanes that cost nothing; give costs.per_lane, or remove it");
    if (c->design.control_guides > 0 && !(c->design.control_share > 0))
        sow_i_problem_at_path(r, root, "design.control_guides", "design.control_guides needs design.control_share, the cells that they get; give it, or remove them");
    if (c->design.moi > MOI_MOST)
        sow_i_problem_at_path(r, root, "design.moi", "design.moi is %g: hardly a cell would carry one guide; at most %g", c->design.moi, (double)MOI_MOST);
    if (isfinite(c->costs.weeks_between_rounds) && !(c->costs.weeks_per_round > 0))
        sow_i_problem_at_path(r, root, "costs.weeks_between_rounds", "costs.weeks_between_rounds needs costs.weeks_per_round, how long a round takes");
    if (c->costs.weeks_per_round > OVERLAP_MOST * c->costs.weeks_between_rounds)
        sow_i_problem_at_path(r, root, "costs.weeks_between_rounds", "costs.weeks_between_rounds %g would have more than %d rounds of %g weeks under way at once; give a longer one", c->costs.weeks_between_rounds,
                              (int)OVERLAP_MOST, c->costs.weeks_per_round);
    if (c->budget.money > 0 && !has_prices(c)) sow_i_problem_at_path(r, root, "budget.money", "budget.money is compared with the bill, and `costs` has no price; give prices, or remove it");
    if (c->budget.weeks > 0 && !(c->costs.weeks_per_round > 0))
        sow_i_problem_at_path(r, root, "budget.weeks", "budget.weeks needs costs.weeks_per_round, how long a round takes");
    else if (c->budget.weeks > 0 && c->budget.weeks < c->costs.weeks_per_round)
        sow_i_problem_at_path(r, root, "budget.weeks", "budget.weeks %g does not allow for one round, which takes %g weeks (costs.weeks_per_round); raise it", c->budget.weeks, c->costs.weeks_per_round);
}
