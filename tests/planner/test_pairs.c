/* Several target contexts: what is asked of pairs is what is asked of each context's own model, nothing unmeasured is seen, and a failed allocation loses nothing. */
#include "planner/pairs.h"

#include "campaign_fixture.h"
#include "core/memory.h"

TestSuite(pairs, .init = scratch_create, .fini = scratch_remove);

static sow_error err;

#define BOTH(text) replaced(text, "contexts: [here]", "contexts: [here, other]")

/* `yaml` with both contexts as targets, and no reference. Caller frees. */
static char *with_both(const char *yaml, const char *reference)
{
    char *both = BOTH(yaml), *alone = replaced(both, reference, "");
    free(both);
    return alone;
}

static const char scalar_reference[] = "    - {file: screen.csv, role: reference, context: {column: line}, contexts: [other], perturbation: gene, cells: n_cells}\n";
static const char profile_reference[] = "    - {file: screen.h5ad, role: reference, context: {column: line}, contexts: [other], perturbation: perturbation, cells: n_cells}\n";

static sow_campaign *opened(sow_config **config, const char *yaml, const char *reference, const char *folder)
{
    char *text = with_both(yaml, reference);
    *config = read_config(text);
    free(text);
    return open_campaign(*config, SOW_CAMPAIGN_WRITE, folder);
}

static void one_round(sow_campaign *c)
{
    MUST(sow_campaign_plan(c, NULL, &err));
    MUST(sow_campaign_measure(c, NULL, &err));
}

/* Every other pair, contexts mixed. */
static sow_index some_pairs(sow_index *pair, const sow_campaign *c)
{
    sow_index n = 0;
    for (sow_index q = 0; q < c->n; q += 2) {
        pair[n++] = sow_i_pair(c, 1, q);
        if (q % 3) pair[n++] = sow_i_pair(c, 0, q + 1);
    }
    return n;
}

Test(pairs, are_predicted_by_the_model_of_their_context)
{
    sow_config *config;
    sow_campaign *c = opened(&config, profile_yaml, profile_reference, "r");
    one_round(c);
    sow_index pair[2 * N_PERTURBATIONS], n = some_pairs(pair, c);
    double *mean = sow_calloc(n * c->d, sizeof(double)), *var = sow_calloc(n * c->d, sizeof(double)), one[N_GENES], sure[N_GENES];
    MUST(sow_i_predict_pairs(mean, var, NULL, c, pair, n, NULL, &err));
    cr_expect_eq(c->here, c->site);
    for (sow_index i = 0; i < n; i++) {
        const sow_i_site *site = sow_i_site_of_pair(c, pair[i]);
        const sow_index q = pair[i] % c->n;
        const sow_query query = {1, &q, &site->target, NULL};
        MUST(sow_model_predict(site->model, &query, one, sure, NULL, NULL, &err));
        for (sow_index j = 0; j < c->d; j++) {
            cr_assert(fabs(one[j] - mean[i * c->d + j]) <= 1e-9);
            cr_assert(fabs(sure[j] - var[i * c->d + j]) <= 1e-9);
        }
    }
    free(mean);
    free(var);
    close_campaign(c);
    sow_config_destroy(config);
}

Test(pairs, have_a_joint_posterior_of_independent_blocks)
{
    sow_config *config;
    sow_campaign *c = opened(&config, scalar_yaml, scalar_reference, "r");
    sow_posterior *all = NULL, *own = NULL;
    one_round(c);
    sow_index pair[2 * N_PERTURBATIONS], n = some_pairs(pair, c), context[2 * N_PERTURBATIONS];
    enum { DRAWS = 4000 };
    double column[2 * N_PERTURBATIONS], part[2 * N_PERTURBATIONS], *draws = sow_calloc(n * DRAWS, sizeof(double));
    MUST(sow_i_posterior_of_pairs(&all, c, pair, n, NULL, &err));
    cr_assert_eq(all->n, n);
    for (sow_index s = 0; s < 2; s++) {
        sow_i_block b;
        MUST(sow_i_block_of(&b, c, pair, n, s, &err));
        for (sow_index k = 0; k < b.n; k++) context[k] = c->site[s].target;
        const sow_query query = {b.n, b.perturbation, context, NULL};
        MUST(sow_model_posterior(&own, c->site[s].model, &query, NULL, &err));
        for (sow_index k = 0; k < b.n; k++) {
            cr_expect_eq(all->mean[b.at[k]], own->mean[k]);
            cr_expect_eq(all->var[b.at[k]], own->var[k]);
            MUST(all->column(all, b.at[k], column, &err));
            MUST(own->column(own, k, part, &err));
            sow_index at = 0;
            for (sow_index i = 0; i < n; i++) cr_assert_eq(column[i], pair[i] / c->n == s ? part[at++] : 0);
        }
        sow_posterior_destroy(own);
        sow_i_block_clear(&b);
    }
    sow_rng rng = sow_rng_make(1, SOW_RNG_STRATEGY, 0, 0);
    MUST(all->draw(all, &rng, DRAWS, draws, &err));
    for (sow_index i = 0; i < n; i++) {
        double sum = 0;
        for (int k = 0; k < DRAWS; k++) sum += draws[k * n + i];
        cr_expect(fabs(sum / DRAWS - all->mean[i]) < 5 * sqrt(all->var[i] / DRAWS), "%g is not %g", sum / DRAWS, all->mean[i]);
    }
    sow_posterior_destroy(all);
    free(draws);
    close_campaign(c);
    sow_config_destroy(config);
}

Test(pairs, learn_from_what_was_measured_in_any_context_and_from_nothing_else)
{
    sow_config *config;
    sow_campaign *c = opened(&config, scalar_yaml, scalar_reference, "r");
    one_round(c);
    for (sow_index s = 0; s < 2; s++) {
        sow_i_go(c, s);
        MUST(sow_i_training_ready(c, NULL, &err));
        const sow_i_training *t = &c->here->training;
        cr_assert_eq(t->view.n, sow_i_count_measured(c));
        cr_assert(t->n_target > 0 && t->n_target < t->view.n);
        for (sow_index i = 0; i < t->view.n; i++) {
            const sow_i_site *site = &c->site[sow_i_site_of_context(c, t->context[i])];
            cr_expect_eq(site == c->here, i < t->n_target);
            cr_assert(site->item[t->perturbation[i]].values && !site->held_out[t->perturbation[i]]);
            cr_expect(fabs(t->y[i] - site->item[t->perturbation[i]].values[0]) < 1e-12);
        }
    }
    sow_i_go(c, 0);
    cr_expect_eq(c->pool_size + c->n_held_out, 2 * N_PERTURBATIONS);
    close_campaign(c);
    sow_config_destroy(config);
}

static char *events_of(const sow_campaign *c)
{
    sow_index n = 0;
    const sow_event *events = sow_store_events(c->store, &n);
    sow_text text = {0};
    for (sow_index i = 1; i < n; i++) sow_text_printf(&text, "%s %lld %s\n", events[i].kind, (long long)events[i].round, events[i].payload);
    cr_assert(!text.failed);
    return text.text;
}

/* Two rounds; allocation n of planning the second fails (-1: none). */
static char *played(int *failed, const sow_config *config, sow_index n)
{
    char folder[40];
    snprintf(folder, sizeof folder, "r%lld", (long long)n);
    sow_campaign *c = open_campaign(config, SOW_CAMPAIGN_WRITE, folder);
    one_round(c);
    sow_memory_fail_after(n);
    const sow_status st = sow_campaign_plan(c, NULL, &err);
    sow_memory_fail_after(-1);
    *failed = st != SOW_OK;
    if (*failed) {
        cr_assert_eq(st, SOW_E_NOMEM, "allocation %lld: %s: %s", (long long)n, sow_status_name(st), err.message);
        sow_campaign_abandon(c);
        c = open_campaign(config, SOW_CAMPAIGN_WRITE, folder);
        if (sow_campaign_next_step(c) == SOW_NEXT_PLAN) MUST(sow_campaign_plan(c, NULL, &err));
    }
    MUST(sow_campaign_measure(c, NULL, &err));
    char *events = events_of(c);
    close_campaign(c);
    return events;
}

Test(pairs, an_allocation_that_fails_loses_nothing)
{
    int failed = 0;
    sow_index n = 0;
    char *both = with_both(scalar_yaml, scalar_reference), *yaml = replaced(both, "strategy: greedy", "strategy: thompson");
    sow_config *config = read_config(yaml);
    char *undisturbed = played(&failed, config, -1);
    for (failed = 1; failed; n += 1 + n / 2) {
        char *events = played(&failed, config, n);
        cr_expect_str_eq(events, undisturbed, "allocation %lld", (long long)n);
        free(events);
    }
    cr_expect(n > 100);
    free(undisturbed);
    free(both);
    free(yaml);
    sow_config_destroy(config);
}
