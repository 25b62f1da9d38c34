#include "core/screen.h"
#include "core/memory.h"
#include "core/prior.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

/* Perturbations A B C, contexts K562 RPE1, two features, covariates log(cells) and batch. */
static sow_screen *empty_screen(void)
{
    sow_screen *s = NULL;
    cr_assert_eq(sow_screen_create(&s, SOW_READOUT_PROFILE, NULL), SOW_OK);
    const char *const perturbations[] = {"A", "B", "C"}, *const contexts[] = {"K562", "RPE1"}, *const features[] = {"g1", "g2"},
                      *const covariates[] = {"log(cells)", "batch"};
    for (int i = 0; i < 3; i++) cr_assert_eq(sow_names_add(s->perturbations, perturbations[i], NULL, NULL), SOW_OK);
    for (int i = 0; i < 2; i++) cr_assert_eq(sow_names_add(s->contexts, contexts[i], NULL, NULL), SOW_OK);
    for (int i = 0; i < 2; i++) cr_assert_eq(sow_names_add(s->features, features[i], NULL, NULL), SOW_OK);
    for (int i = 0; i < 2; i++) cr_assert_eq(sow_names_add(s->covariates, covariates[i], NULL, NULL), SOW_OK);
    return s;
}

static void add(sow_screen *s, sow_index p, sow_index c, double cells, double weight, double v1, double v2, double batch, double hit)
{
    const double values[] = {v1, v2}, covariate[] = {log(cells), batch};
    cr_assert_eq(sow_screen_add_row(s, p, c, cells, weight, values, covariate, hit, NULL), SOW_OK);
}

Test(screen, merges_replicates_by_weight_and_sorts)
{
    sow_screen *s = empty_screen();
    add(s, 2, 0, 10, 1, 5, 6, 1, 0.5);
    add(s, 0, 1, 30, 30, 1, 2, 0, NAN);
    add(s, 0, 0, 100, 2, 7, 8, 0, 0.1);
    add(s, 0, 1, 10, 10, 5, -2, 1, 0.04);
    add(s, 0, 1, 10, 10, 5, 4, 1, 0.2);
    cr_assert_eq(sow_screen_merge(s, NULL), SOW_OK);
    cr_assert_eq(s->n_rows, 3);
    const sow_index perturbation[] = {0, 0, 2}, context[] = {0, 1, 0}, replicates[] = {1, 3, 1};
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(s->perturbation[i], perturbation[i]);
        cr_assert_eq(s->context[i], context[i]);
        cr_assert_eq(s->replicates[i], replicates[i]);
    }
    cr_assert(fabs(s->values[2] - 130.0 / 50) <= 1e-15); /* (30*1 + 10*5 + 10*5) / 50 */
    cr_assert(fabs(s->values[3] - 80.0 / 50) <= 1e-15);  /* (30*2 - 10*2 + 10*4) / 50 */
    cr_assert_eq(s->cells[1], 50);
    cr_assert_eq(s->weight[1], 50);
    cr_assert_eq(s->hit[1], 0.04);
    cr_assert(fabs(s->covariate[2] - log(50)) <= 1e-15); /* of the summed cells */
    cr_assert(fabs(s->covariate[3] - 0.4) <= 1e-15);     /* weighted mean */
    cr_assert_eq(s->values[0], 7);                       /* a single row is left to the bit */
    sow_screen_destroy(s);
}

Test(screen, merging_twice_changes_nothing_and_rows_can_follow)
{
    sow_screen *s = empty_screen();
    add(s, 1, 0, 10, 10, 1, 2, 0, NAN);
    add(s, 1, 0, 20, 20, 4, 5, 0, NAN);
    cr_assert_eq(sow_screen_merge(s, NULL), SOW_OK);
    cr_assert_eq(sow_screen_merge(s, NULL), SOW_OK);
    cr_assert_eq(s->n_rows, 1);
    cr_assert_eq(s->values[0], 3);
    cr_assert_eq(s->replicates[0], 2);
    add(s, 1, 0, 30, 30, 1, 1, 0, NAN);
    cr_assert_eq(sow_screen_merge(s, NULL), SOW_OK);
    cr_assert_eq(s->values[0], 2);
    cr_assert_eq(s->replicates[0], 3);
    cr_assert_eq(s->cells[0], 60);
    sow_screen_destroy(s);
}

Test(screen, merged_covariates_that_are_cells_are_those_of_the_sum)
{
    sow_screen *s = NULL;
    static const char *const covariates[] = {"cells", "depth"};
    cr_assert_eq(sow_screen_create(&s, SOW_READOUT_SCALAR, NULL), SOW_OK);
    cr_assert_eq(sow_names_add(s->perturbations, "A", NULL, NULL), SOW_OK);
    cr_assert_eq(sow_names_add(s->contexts, "K562", NULL, NULL), SOW_OK);
    cr_assert_eq(sow_names_add(s->features, "y", NULL, NULL), SOW_OK);
    for (int i = 0; i < 2; i++) cr_assert_eq(sow_names_add(s->covariates, covariates[i], NULL, NULL), SOW_OK);
    cr_assert_eq(sow_screen_add_row(s, 0, 0, 30, 30, (double[]){1}, (double[]){30, 4}, NAN, NULL), SOW_OK);
    cr_assert_eq(sow_screen_add_row(s, 0, 0, 10, 10, (double[]){5}, (double[]){10, 8}, NAN, NULL), SOW_OK);
    cr_assert_eq(sow_screen_merge(s, NULL), SOW_OK);
    cr_assert_eq(s->covariate[0], 40);
    cr_assert_eq(s->covariate[1], 5);
    sow_screen_destroy(s);
}

Test(screen, merge_lives_with_missing_numbers_and_zero_weights)
{
    sow_screen *s = empty_screen();
    add(s, 0, 0, 5, 0, 1, NAN, 2, NAN);
    add(s, 0, 0, NAN, 0, 3, NAN, 4, NAN);
    add(s, 1, 0, 5, 1, NAN, 2, 0, NAN);
    add(s, 1, 0, 5, 3, 8, 6, 0, NAN);
    cr_assert_eq(sow_screen_merge(s, NULL), SOW_OK);
    cr_assert_eq(s->values[0], 2); /* weights all 0: a plain mean */
    cr_assert(isnan(s->values[1]));
    cr_assert(isnan(s->cells[0]));
    cr_assert(fabs(s->covariate[0] - log(5)) <= 1e-15); /* cells unknown: the mean of what is known */
    cr_assert_eq(s->values[2], 8);
    cr_assert_eq(s->values[3], 5);
    cr_assert(isnan(s->hit[0]));
    sow_screen_destroy(s);
}

Test(screen, finds_rows_of_a_merged_screen)
{
    sow_screen *s = empty_screen();
    cr_assert_eq(sow_screen_find(s, 0, 0), -1);
    cr_assert_eq(sow_screen_merge(s, NULL), SOW_OK);
    add(s, 2, 1, 1, 1, 0, 0, 0, NAN);
    add(s, 2, 0, 1, 1, 0, 0, 0, NAN);
    add(s, 0, 1, 1, 1, 0, 0, 0, NAN);
    cr_assert_eq(sow_screen_merge(s, NULL), SOW_OK);
    cr_assert_eq(sow_screen_find(s, 0, 1), 0);
    cr_assert_eq(sow_screen_find(s, 2, 0), 1);
    cr_assert_eq(sow_screen_find(s, 2, 1), 2);
    cr_assert_eq(sow_screen_find(s, 0, 0), -1);
    cr_assert_eq(sow_screen_find(s, 1, 0), -1);
    cr_assert_eq(sow_screen_find(s, 9, 9), -1);
    sow_screen_destroy(s);
}

Test(screen, refuses_rows_that_make_no_sense)
{
    sow_screen *s = empty_screen(), *bare = NULL;
    const double v[] = {1, 2};
    sow_error err = {0};
    cr_assert_eq(sow_screen_add_row(s, 3, 0, 1, 1, v, v, NAN, &err), SOW_E_ARG);
    cr_assert_not_null(strstr(err.message, "catalogue of 3"));
    cr_assert_eq(sow_screen_add_row(s, -1, 0, 1, 1, v, v, NAN, NULL), SOW_E_ARG);
    cr_assert_eq(sow_screen_add_row(s, 0, 2, 1, 1, v, v, NAN, NULL), SOW_E_ARG);
    cr_assert_eq(sow_screen_add_row(s, 0, 0, 1, -1, v, v, NAN, &err), SOW_E_DATA);
    cr_assert_not_null(strstr(err.message, "'A'"));
    cr_assert_eq(sow_screen_add_row(s, 0, 0, 1, NAN, v, v, NAN, NULL), SOW_E_DATA);
    cr_assert_eq(sow_screen_add_row(s, 0, 0, -1, 1, v, v, NAN, NULL), SOW_E_DATA);
    cr_assert_eq(s->n_rows, 0);
    cr_assert_eq(sow_screen_create(&bare, SOW_READOUT_SCALAR, NULL), SOW_OK);
    cr_assert_eq(sow_screen_add_row(bare, 0, 0, 1, 1, v, v, NAN, NULL), SOW_E_STATE);
    sow_screen_destroy(s);
    sow_screen_destroy(bare);
    sow_screen_destroy(NULL);
}

Test(screen, stays_as_it_was_when_memory_ends)
{
    sow_screen *s = empty_screen();
    for (int i = 0; i < 20; i++) add(s, 2 - i % 3, i % 2, 1, 1, i, 0, 0, NAN);
    sow_status st = SOW_E_NOMEM;
    for (int n = 0; st != SOW_OK; n++) {
        sow_memory_fail_after(n);
        st = sow_screen_merge(s, NULL);
        sow_memory_fail_after(-1);
        if (st == SOW_OK) break;
        cr_assert_eq(st, SOW_E_NOMEM);
        cr_assert_eq(s->n_rows, 20);
        cr_assert_eq(s->values[2 * 19], 19);
    }
    cr_assert_eq(s->n_rows, 6);
    sow_screen_destroy(s);
}

Test(screen, owns_the_agents_of_its_perturbations)
{
    sow_screen *s = empty_screen();
    s->detail = sow_calloc(3, sizeof *s->detail);
    s->detail[1].n_agents = 2;
    s->detail[1].agent = sow_calloc(2, sizeof(char *));
    s->detail[1].agent[0] = sow_strdup("B");
    s->detail[1].dose = sow_calloc(2, sizeof(double));
    sow_screen_destroy(s); /* a leak would be reported */
}

Test(prior, clears_what_it_holds_and_clears_twice)
{
    sow_prior_set set = {.n_items = 2, .n_priors = 2};
    set.priors = sow_calloc(2, sizeof *set.priors);
    set.priors[0].name = sow_strdup("reactome");
    set.priors[0].start = sow_calloc(3, sizeof(sow_index));
    set.priors[1].x = sow_calloc(4, sizeof(double));
    set.fused = sow_calloc(4, sizeof(double));
    set.has_any = sow_calloc(2, 1);
    cr_assert_eq(sow_names_create(&set.priors[0].columns, NULL), SOW_OK);
    sow_prior_set_clear(&set);
    cr_assert_null(set.priors);
    cr_assert_eq(set.n_priors, 0);
    sow_prior_set_clear(&set);
    sow_prior_set_clear(NULL);
    sow_prior_clear(NULL);
}
