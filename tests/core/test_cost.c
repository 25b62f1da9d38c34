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

static const sow_costs all_prices = {"USD", 2000, 0, 12.5, 15, 0.086, 0.374, 4, NAN, 0, 0, NAN};
static const sow_design screen_design = {4, 300, 0.08, 0.3, 20000, 0, 0, SOW_CAPTURE_SINGLE, 1, 0, 1};

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
    const sow_bill_part parts[] = {{"K562", 10, NAN, NAN, 0}, {"iPSC", 4, 4000, 0.2, 0}, {"HEK293T", 0, 900, NAN, 0}, {"RPE1", 6, NAN, NAN, 0}};
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

/* ---- cells captured for cells that count */

/* Of cells with `from` integrations or more, the share with exactly one: added up term by term. */
static double poisson_share(double moi, int from)
{
    double p = exp(-moi), one = 0, all = 0;
    for (int k = 0; k < 200; k++) {
        if (k == 1) one = p;
        if (k >= from) all += p;
        p *= moi / (k + 1);
    }
    return one / all;
}

Test(cost, usable_share_is_the_product_of_what_passes_what_is_no_doublet_and_what_carries_one_guide)
{
    sow_design design = SOW_DESIGN_INIT;
    cr_assert_eq(sow_usable_share(&design), 1);
    for (int i = 1; i <= 40; i++) {
        design.moi = 0.1 * i;
        design.quality_share = 1;
        design.doublet_share = 0;
        design.capture = SOW_CAPTURE_INFECTED;
        cr_assert(fabs(sow_usable_share(&design) - poisson_share(design.moi, 1)) <= 1e-12);
        design.capture = SOW_CAPTURE_ALL;
        cr_assert(fabs(sow_usable_share(&design) - poisson_share(design.moi, 0)) <= 1e-12);
        design.quality_share = 0.8;
        design.doublet_share = 0.1;
        cr_assert(fabs(sow_usable_share(&design) - 0.72 * poisson_share(design.moi, 0)) <= 1e-12);
    }
}

Test(cost, pays_for_every_captured_cell_and_for_its_reads)
{
    sow_costs costs = SOW_COSTS_INIT;
    sow_design design = SOW_DESIGN_INIT;
    sow_bill bill;
    costs.per_cell = 0.086;
    costs.per_million_reads = 0.374;
    design.reads_per_cell = 20000;
    design.quality_share = 0.8;
    design.doublet_share = 0.5;
    sow_bill_round(&bill, &costs, &design, 40, 0); /* 4,000 that count of 10,000 captured: the anchor again */
    cr_assert_eq(bill.usable, 4000);
    cr_assert_eq(bill.captured, 10000);
    cr_assert_eq(cost_of(&bill, "cells"), 860);
    cr_assert_eq(cost_of(&bill, "sequencing"), 74.80);
    cr_assert(strstr(bill.row[0].note, "captured for 4000 that count"));
    cr_assert_eq(sow_cost_per_perturbation(&costs, &design), 23.37); /* 934.80 / 40 */
}

Test(cost, as_many_cells_are_transduced_whichever_of_them_are_captured)
{
    sow_design design = SOW_DESIGN_INIT;
    double last = 0;
    for (int capture = SOW_CAPTURE_SINGLE; capture <= SOW_CAPTURE_ALL; capture++) {
        design.capture = capture;
        const double cells = sow_cells_to_transduce(&design, 10, 0);
        if (capture > 0) cr_assert(fabs(cells - last) <= 0.001 * last, "%g, %g", cells, last); /* captured cells are whole */
        last = cells;
    }
    design.capture = SOW_CAPTURE_SINGLE;
    design.survival = 0.5;
    cr_assert_eq(sow_cells_to_transduce(&design, 9, 1), 9000); /* 2 x 4499.53 */
}

Test(cost, lanes_are_whole_and_of_one_context)
{
    sow_costs costs = SOW_COSTS_INIT;
    sow_design design = SOW_DESIGN_INIT;
    sow_bill bill;
    const sow_bill_part parts[] = {{"a", 10, NAN, NAN, 0}, {"b", 21, NAN, NAN, 0}};
    costs.per_lane = 1500;
    design.cells_per_lane = 1000;
    sow_bill_round(&bill, &costs, &design, 10, 0);
    cr_assert_eq(quantity_of(&bill, "lanes"), 1);
    sow_bill_round(&bill, &costs, &design, 11, 0);
    cr_assert_eq(cost_of(&bill, "lanes"), 3000);
    sow_bill_contexts(&bill, &costs, &design, parts, 2, 0); /* 1,000 and 2,100 cells */
    cr_assert_eq(quantity_of(&bill, "lanes"), 4);
    cr_assert_eq(sow_cost_per_perturbation(&costs, &design), 150);
}

Test(cost, controls_have_a_price_and_control_guides_a_row)
{
    sow_costs costs = all_prices;
    sow_design design = screen_design;
    sow_bill bill;
    design.control_guides = 20;
    costs.per_control = 40;
    sow_bill_round(&bill, &costs, &design, 100, 2);
    cr_assert_eq(quantity_of(&bill, "perturbations"), 100);
    cr_assert_eq(cost_of(&bill, "controls"), 80);
    cr_assert_eq(quantity_of(&bill, "guides"), 408);
    cr_assert_eq(cost_of(&bill, "control guides"), 300);
    costs.per_control = 0; /* for nothing, and no row */
    sow_bill_round(&bill, &costs, &design, 100, 2);
    cr_assert_eq(quantity_of(&bill, "perturbations"), 100);
    cr_assert(isnan(cost_of(&bill, "controls")));
}

Test(cost, cells_that_differ_by_perturbation_are_summed)
{
    sow_bill bill, even;
    const sow_bill_part uneven = {"", 3, NAN, NAN, 100 + 250 + 550}; /* as 3 x 300 */
    sow_bill_contexts(&bill, &all_prices, &screen_design, &uneven, 1, 0);
    sow_bill_round(&even, &all_prices, &screen_design, 3, 0);
    cr_assert_eq(memcmp(&bill, &even, sizeof bill), 0);
}

/* Every combination of prices, of what is captured, of lanes and of contexts with prices of their own. */
Test(cost, the_sum_of_the_rows_is_the_sum_whatever_is_priced)
{
    enum { PRICES = 10 }; /* and the last for control guides */
    static const sow_bill_part parts[3] = {{"K562", 7, NAN, NAN, 0}, {"iPSC", 5, 333.333, 0.1234, 611}, {"RPE1", 3, NAN, 0.0777, 0}};
    long checked = 0;
    for (int bits = 0; bits < 1 << PRICES; bits++)
        for (int capture = 0; capture < 3; capture++)
            for (int n = 1; n <= 3; n++) {
                sow_costs k = SOW_COSTS_INIT;
                sow_design d = screen_design;
                sow_bill bill;
                double *const at[PRICES - 1] = {&k.per_round, &k.per_context, &k.per_perturbation, &k.per_guide, &k.per_cell, &k.per_million_reads, &k.per_control, &k.per_lane, &k.per_million_transduced};
                for (int i = 0; i < PRICES - 1; i++)
                    if (bits >> i & 1) *at[i] = 1.0 / 3 + 7.77 * i;
                d.control_guides = bits >> 9 & 1 ? 13 : 0;
                d.cells_per_lane = 701;
                d.capture = capture;
                d.quality_share = 0.83;
                d.doublet_share = 0.07;
                sow_bill_contexts(&bill, &k, &d, parts, n, 2);
                long long cents = 0;
                for (sow_index i = 0; i < bill.n; i++) {
                    cr_assert(fabs(bill.row[i].cost - bill.row[i].price * bill.row[i].quantity) <= 0.005 + 1e-9);
                    cr_assert(bill.row[i].quantity > 0 && *bill.row[i].item && *bill.row[i].unit);
                    cents += llround(bill.row[i].cost * 100);
                }
                cr_assert_eq(bill.total, (double)cents / 100, "prices %x, capture %d, %d contexts", bits, capture, n);
                checked++;
            }
    cr_assert_eq(checked, 9216);
}

Test(cost, rounds_overlap_by_as_many_as_begin_before_the_first_has_results)
{
    static const struct {
        double round, between;
        sow_index overlap;
    } rows[] = {{4, NAN, 0}, {4, 4, 0}, {4, 6, 0}, {4, 3, 1}, {4, 2, 1}, {4, 1.9, 2}, {6, 2, 2}, {0.3, 0.1, 2}, {0, NAN, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        sow_costs costs = SOW_COSTS_INIT;
        costs.weeks_per_round = rows[i].round;
        costs.weeks_between_rounds = rows[i].between;
        cr_assert_eq(sow_rounds_overlapping(&costs), rows[i].overlap, "%g weeks, %g between", rows[i].round, rows[i].between);
    }
}
