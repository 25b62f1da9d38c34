#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/stats.h"
#include "simulator/oracle.h"

static void make(sow_screen **screen, sow_prior *prior, const sow_world_options *o)
{
    sow_error err = {0};
    cr_assert_eq(sow_world_create(screen, prior, o, &err), SOW_OK, "%s", err.message);
}

Test(world, is_a_merged_scalar_screen_with_names_in_number_order)
{
    sow_screen *s = NULL;
    sow_prior prior;
    const sow_world_options o = SOW_WORLD_OPTIONS_INIT;
    make(&s, &prior, &o);
    cr_assert(s->kind == SOW_READOUT_SCALAR && s->n_rows == 400 && sow_screen_n_features(s) == 1);
    cr_assert_str_eq(sow_names_get(s->perturbations, 0), "GENE0001");
    cr_assert_str_eq(sow_names_get(s->perturbations, 399), "GENE0400");
    cr_assert_str_eq(sow_names_get(s->contexts, 0), "simulated");
    cr_assert_str_eq(sow_names_get(s->features, 0), "response");
    for (sow_index i = 0; i < 400; i++) {
        cr_assert_eq(sow_screen_find(s, i, 0), i);
        cr_assert(s->values[i] >= 0 && s->cells[i] >= 1 && s->cells[i] == round(s->cells[i]));
        cr_assert_str_eq(s->detail[i].agent[0], sow_names_get(s->perturbations, i));
        if (i > 0) cr_assert_lt(strcmp(sow_names_get(s->perturbations, i - 1), sow_names_get(s->perturbations, i)), 0);
    }
    cr_assert(prior.n_items == 400 && prior.dim == 16 && prior.kind == SOW_PRIOR_DENSE);
    sow_prior_clear(&prior);
    sow_screen_destroy(s);
}

Test(world, pads_names_so_that_large_worlds_sort_too)
{
    sow_screen *s = NULL;
    sow_prior prior;
    sow_world_options o = SOW_WORLD_OPTIONS_INIT;
    o.n_perturbations = 10001;
    o.prior_dims = 2;
    make(&s, &prior, &o);
    cr_assert_str_eq(sow_names_get(s->perturbations, 0), "GENE00001");
    cr_assert_str_eq(sow_names_get(s->perturbations, 10000), "GENE10001");
    sow_prior_clear(&prior);
    sow_screen_destroy(s);
}

Test(world, has_a_heavy_right_tail)
{
    sow_screen *s = NULL;
    sow_prior prior;
    sow_world_options o = SOW_WORLD_OPTIONS_INIT;
    o.n_perturbations = 2000;
    make(&s, &prior, &o);
    double median = 0, top = 0;
    cr_assert_eq(sow_quantile(&median, s->values, s->n_rows, 0.5, NULL), SOW_OK);
    cr_assert_eq(sow_quantile(&top, s->values, s->n_rows, 0.99, NULL), SOW_OK);
    cr_assert(top > 3 * median && top < 100, "median %g, 99 %% %g", median, top);
    sow_prior_clear(&prior);
    sow_screen_destroy(s);
}

/* Share of perturbations whose nearest neighbour in the prior has a value on the same side of the median. */
static double neighbour_agreement(double informativeness)
{
    sow_screen *s = NULL;
    sow_prior prior;
    sow_world_options o = SOW_WORLD_OPTIONS_INIT;
    double median = 0, agree = 0;
    o.prior_informativeness = informativeness;
    make(&s, &prior, &o);
    cr_assert_eq(sow_quantile(&median, s->values, s->n_rows, 0.5, NULL), SOW_OK);
    for (sow_index i = 0; i < s->n_rows; i++) {
        double least = INFINITY;
        sow_index nearest = 0;
        for (sow_index k = 0; k < s->n_rows; k++) {
            double sum = 0;
            for (sow_index j = 0; j < prior.dim; j++)
                sum += pow(prior.x[i * prior.dim + j] - prior.x[k * prior.dim + j], 2);
            if (k != i && sum < least) {
                least = sum;
                nearest = k;
            }
        }
        agree += (s->values[i] > median) == (s->values[nearest] > median);
    }
    agree /= (double)s->n_rows;
    sow_prior_clear(&prior);
    sow_screen_destroy(s);
    return agree;
}

Test(world, prior_tells_as_much_as_it_is_asked_to)
{
    const double none = neighbour_agreement(0), some = neighbour_agreement(0.6), all = neighbour_agreement(1);
    cr_assert(fabs(none - 0.5) < 0.1, "noise agrees %.2f", none);
    cr_assert(some > none + 0.1, "0.6 agrees %.2f", some);
    cr_assert(all > 0.8, "1 agrees %.2f", all);
}

Test(world, is_the_same_under_one_seed_and_another_under_another)
{
    sow_screen *a = NULL, *b = NULL, *c = NULL;
    sow_prior pa, pb, pc;
    sow_world_options o = SOW_WORLD_OPTIONS_INIT;
    make(&a, &pa, &o);
    make(&b, &pb, &o);
    o.seed = 2;
    make(&c, &pc, &o);
    cr_assert_eq(memcmp(a->values, b->values, 400 * sizeof *a->values), 0);
    cr_assert_eq(memcmp(pa.x, pb.x, 400 * 16 * sizeof *pa.x), 0);
    cr_assert_neq(memcmp(a->values, c->values, 400 * sizeof *a->values), 0);
    cr_assert_neq(memcmp(pa.x, pc.x, 400 * 16 * sizeof *pa.x), 0);
    sow_prior_clear(&pa);
    sow_prior_clear(&pb);
    sow_prior_clear(&pc);
    sow_screen_destroy(a);
    sow_screen_destroy(b);
    sow_screen_destroy(c);
}

static void check_refused(sow_world_options o, const char *word)
{
    sow_screen *s = NULL;
    sow_prior prior;
    sow_error err = {0};
    cr_assert_eq(sow_world_create(&s, &prior, &o, &err), SOW_E_ARG);
    cr_assert(strstr(err.message, word), "%s", err.message);
    cr_assert_null(s);
}

Test(world, refuses_options_out_of_range)
{
    const sow_world_options fine = SOW_WORLD_OPTIONS_INIT;
    sow_world_options o = fine;
    o.n_perturbations = 1;
    check_refused(o, "perturbations");
    o = fine;
    o.n_modules = 401;
    check_refused(o, "modules");
    o = fine;
    o.cells_median = 0;
    check_refused(o, "cells_median");
    o = fine;
    o.prior_informativeness = 1.1;
    check_refused(o, "prior_informativeness");
    o = fine;
    o.prior_dims = 1;
    check_refused(o, "prior_dims");
    o = fine;
    o.noise_per_cell = NAN;
    check_refused(o, "noise_per_cell");
}

Test(world, survives_every_failed_allocation)
{
    sow_world_options o = SOW_WORLD_OPTIONS_INIT;
    o.n_perturbations = 5;
    o.n_modules = 2;
    sow_status st = SOW_E_NOMEM;
    for (sow_index fail = 0; st == SOW_E_NOMEM; fail++) {
        sow_screen *s = NULL;
        sow_prior prior = {0};
        cr_assert_lt(fail, 300);
        sow_memory_fail_after(fail);
        st = sow_world_create(&s, &prior, &o, NULL);
        sow_memory_fail_after(-1);
        if (fail == 0) cr_assert_eq(st, SOW_E_NOMEM);
        sow_prior_clear(&prior);
        sow_screen_destroy(s);
    }
    cr_assert_eq(st, SOW_OK);
}
