#include "core/cost.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static double cost_of(const sow_bill *bill, const char *item)
{
    for (sow_index i = 0; i < bill->n; i++)
        if (strcmp(bill->row[i].item, item) == 0) return bill->row[i].cost;
    return NAN;
}

static double quantity_of(const sow_bill *bill, const char *item)
{
    for (sow_index i = 0; i < bill->n; i++)
        if (strcmp(bill->row[i].item, item) == 0) return bill->row[i].quantity;
    return NAN;
}

/* Anchor: 10,000 cells at 20,000 reads cost 860 + 74.80 dollars. */
Test(cost, ten_thousand_cells_cost_what_they_should)
{
    sow_costs costs = SOW_COSTS_INIT;
    sow_design design = SOW_DESIGN_INIT;
    sow_bill bill;
    costs.per_cell = 0.086;
    costs.per_million_reads = 0.374;
    design.cells_per_perturbation = 100;
    design.reads_per_cell = 20000;
    sow_bill_round(&bill, &costs, &design, 100, 0);
    cr_assert_eq(bill.n, 2);
    cr_assert_eq(cost_of(&bill, "cells"), 860);
    cr_assert_eq(cost_of(&bill, "sequencing"), 74.80);
    cr_assert_eq(quantity_of(&bill, "sequencing"), 200);
    cr_assert_eq(bill.total, 934.80);
}

static const sow_costs all_prices = {"USD", 2000, 0, 12.5, 15, 0.086, 0.374, 4};
static const sow_design screen_design = {4, 300, 0.08, 0.3, 20000};

Test(cost, every_row_stands_in_order_and_the_total_is_their_sum)
{
    static const char *const items[] = {"round", "perturbations", "guides", "cells", "sequencing"};
    sow_bill bill;
    sow_bill_round(&bill, &all_prices, &screen_design, 100, 2);
    cr_assert_eq(bill.n, 5);
    long long cents = 0;
    for (sow_index i = 0; i < bill.n; i++) {
        cr_assert_str_eq(bill.row[i].item, items[i]);
        cr_assert(fabs(bill.row[i].cost * 100 - nearbyint(bill.row[i].cost * 100)) <= 1e-6);
        cr_assert(fabs(bill.row[i].cost - bill.row[i].price * bill.row[i].quantity) <= 0.005 + 1e-9);
        cents += llround(bill.row[i].cost * 100);
    }
    cr_assert_eq(bill.total, (double)cents / 100);
    cr_assert_eq(bill.weeks, 4);
    cr_assert_eq(cost_of(&bill, "round"), 2000);
    cr_assert_eq(quantity_of(&bill, "perturbations"), 102);
    cr_assert_eq(quantity_of(&bill, "guides"), 408);
    cr_assert_eq(quantity_of(&bill, "cells"), 33261); /* 30600 / 0.92 = 33260.87 */
}

Test(cost, controls_share_of_all_cells_is_kept)
{
    sow_costs costs = SOW_COSTS_INIT;
    sow_design design = SOW_DESIGN_INIT;
    sow_bill bill;
    costs.per_cell = 1;
    design.control_share = 0.5;
    sow_bill_round(&bill, &costs, &design, 10, 0);
    cr_assert_eq(quantity_of(&bill, "cells"), 2000);
    design.control_share = 0.1;
    design.cells_per_perturbation = 90;
    sow_bill_round(&bill, &costs, &design, 10, 0);
    cr_assert_eq(quantity_of(&bill, "cells"), 1000); /* not 1001 for a rounding error */
}

Test(cost, counts_the_cells_to_transduce_from_the_poisson_share_with_one_integration)
{
    sow_design design = SOW_DESIGN_INIT;
    design.cells_per_perturbation = 100;
    design.moi = 0.3;
    /* .3 exp(-.3) = .2222455 of the cells carry one: 1000 / .2222455 = 4499.53 */
    cr_assert_eq(sow_cells_to_transduce(&design, 9, 1), 4500);
    design.moi = 1;
    cr_assert_eq(sow_cells_to_transduce(&design, 10, 0), 2719); /* 1000 e */
}

Test(cost, nothing_costs_nothing)
{
    sow_costs costs = SOW_COSTS_INIT;
    sow_design design = SOW_DESIGN_INIT;
    sow_bill bill;
    sow_bill_round(&bill, &costs, &design, 100, 0);
    cr_assert_eq(bill.n, 0);
    cr_assert_eq(bill.total, 0);
    cr_assert_eq(sow_cost_per_perturbation(&costs, &design), 0);
    sow_bill_round(&bill, &all_prices, &screen_design, 0, 0);
    cr_assert_eq(bill.total, 2000);
}

Test(cost, one_more_perturbation_adds_its_price)
{
    sow_bill few, more;
    sow_bill_round(&few, &all_prices, &screen_design, 1000, 0);
    sow_bill_round(&more, &all_prices, &screen_design, 2000, 0);
    double one = sow_cost_per_perturbation(&all_prices, &screen_design);
    cr_assert(fabs((more.total - few.total) / 1000 - one) <= 0.006);
    /* 12.5 + 4*15 + 300/.92*(.086 + .02*.374) = 72.5 + 30.4826 */
    cr_assert_eq(one, 102.98);
}

Test(cost, contexts_have_their_own_controls_and_prices)
{
    sow_bill bill, one;
    const sow_bill_part parts[] = {{"K562", 10, NAN, NAN}, {"iPSC", 4, 4000, 0.2}, {"HEK293T", 0, 900, NAN}, {"RPE1", 6, NAN, NAN}};
    sow_costs prices = all_prices;
    prices.per_context = 500;
    sow_bill_contexts(&bill, &prices, &screen_design, parts, 4, 2);
    cr_assert_eq(cost_of(&bill, "round"), 2000);
    cr_assert_eq(cost_of(&bill, "contexts"), 1000); /* K562, RPE1 */
    cr_assert_eq(cost_of(&bill, "context, iPSC"), 4000);
    cr_assert_eq(quantity_of(&bill, "perturbations"), 26); /* 2 positive controls in each of three */
    cr_assert_eq(quantity_of(&bill, "guides"), 104);
    cr_assert_eq(quantity_of(&bill, "cells"), 3914 + 2609);      /* 12 x 300 / .92 and 8 x 300 / .92, each in whole cells */
    cr_assert_eq(quantity_of(&bill, "cells, iPSC"), 1957);       /* 6 x 300 / .92 */
    cr_assert_eq(cost_of(&bill, "cells, iPSC"), 391.4);
    double sum = 0;
    for (sow_index i = 0; i < bill.n; i++) sum += bill.row[i].cost;
    cr_assert(fabs(sum - bill.total) < 1e-9);
    /* of one context, without prices of its own: the bill of a round */
    sow_bill_round(&one, &all_prices, &screen_design, 10, 2);
    sow_bill_contexts(&bill, &all_prices, &screen_design, parts, 1, 2);
    cr_assert_eq(memcmp(&one, &bill, sizeof one), 0);
}
