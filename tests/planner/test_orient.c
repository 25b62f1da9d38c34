/* `direction: low` wants the other end of a posterior. */
#include <criterion/criterion.h>

#include "core/memory.h"
#include "planner/campaign_internal.h"

static sow_error err;

/* Two items; a draw is 3 above the mean once in four times and 1 below it otherwise: mean zero, not symmetric. */
static sow_status lopsided_draw(const sow_posterior *p, sow_rng *rng, sow_index s, double *draws, sow_error *e)
{
    (void)e;
    for (sow_index i = 0; i < s * p->n; i++)
        draws[i] = p->mean[i % p->n] + (sow_rng_uniform(rng) < 0.25 ? 3 : -1);
    return SOW_OK;
}

static sow_status some_column(const sow_posterior *p, sow_index i, double *column, sow_error *e)
{
    (void)e;
    for (sow_index j = 0; j < p->n; j++)
        column[j] = i == j ? 3 : 0.5;
    return SOW_OK;
}

static void destroy(sow_posterior *p)
{
    free(p->mean);
    free(p->var);
    free(p->noise);
    free(p);
}

static sow_posterior *lopsided(void)
{
    sow_posterior *p = sow_calloc(1, sizeof *p);
    *p = (sow_posterior){.n = 2, .column = some_column, .draw = lopsided_draw, .destroy = destroy};
    p->mean = sow_calloc(2, sizeof(double));
    p->var = sow_calloc(2, sizeof(double));
    p->noise = sow_calloc(2, sizeof(double));
    p->mean[0] = 10, p->mean[1] = -20;
    p->var[0] = p->var[1] = 3;
    return p;
}

Test(orient, turns_means_and_whole_draws_and_leaves_covariances)
{
    sow_posterior *p = lopsided();
    cr_assert_eq(sow_i_turn_posterior(&p, &err), SOW_OK);
    cr_assert_eq(p->n, 2);
    cr_assert_eq(p->mean[0], -10);
    cr_assert_eq(p->mean[1], 20);
    cr_assert_eq(p->var[1], 3);
    double column[2], draws[2 * 50];
    cr_assert_eq(p->column(p, 1, column, &err), SOW_OK);
    cr_assert(column[0] == 0.5 && column[1] == 3);
    sow_rng rng = sow_rng_make(1, SOW_RNG_STRATEGY, 0, 0);
    cr_assert_eq(p->draw(p, &rng, 50, draws, &err), SOW_OK);
    int far = 0;
    for (int i = 0; i < 100; i++) {
        double part = draws[i] - p->mean[i % 2];
        cr_assert(part == -3 || part == 1, "draw %d is %g from its mean", i, part);
        far += part == -3;
    }
    cr_assert(far > 5 && far < 50);
    sow_posterior_destroy(p);
}

Test(orient, leaves_the_posterior_alone_when_memory_is_out)
{
    for (int after = 0; after < 2; after++) {
        sow_posterior *p = lopsided(), *before = p;
        sow_memory_fail_after(after);
        sow_status st = sow_i_turn_posterior(&p, &err);
        sow_memory_fail_after(-1);
        cr_assert_eq(st, SOW_E_NOMEM);
        cr_assert_eq(p, before);
        cr_assert_eq(p->mean[0], 10);
        sow_posterior_destroy(p);
    }
}
