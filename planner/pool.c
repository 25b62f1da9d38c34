/* Who may be chosen: eligibility with reasons, the held-out split, and which of the pool are true hits. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/rng.h"
#include "core/stats.h"
#include "io/table.h"
#include "planner/cells_internal.h"

static sow_status refuse(sow_i_site *site, sow_index q, const char *why, sow_error *err)
{
    if (!site->eligible[q]) return SOW_OK;
    site->eligible[q] = 0;
    site->why_not[q] = sow_strdup(why);
    return site->why_not[q] ? SOW_OK : SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
}

/* A rule names a perturbation, and means it in every target context. */
static sow_status refuse_everywhere(sow_campaign *c, sow_index q, const char *why, sow_error *err)
{
    sow_status st = SOW_OK;
    for (sow_index s = 0; s < c->n_sites; s++)
        SOW_TRY(refuse(&c->site[s], q, why, err));
done:
    return st;
}

/* A name in a rule that the data do not have: the nearest spelling helps. */
static sow_status must_find(sow_index *out, const sow_campaign *c, const char *name, const char *rule, sow_error *err)
{
    *out = sow_names_find(c->screen->perturbations, name);
    if (*out >= 0) return SOW_OK;
    const char *near = sow_names_nearest(c->screen->perturbations, name);
    return SOW_ERROR(err, SOW_E_CONFIG, "%s: %s: no perturbation '%s' in the data%s%s%s", c->config->path, rule, name,
                     near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static sow_status exclude_one(sow_campaign *c, const sow_config_exclude *x, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_names *list = NULL;
    char *why = sow_format("excluded: %s", x->reason ? x->reason : "no reason given");
    if (!why) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    for (sow_index i = 0; i < x->n_names; i++) {
        sow_index q;
        SOW_TRY(must_find(&q, c, x->names[i], "constraints.exclude", err));
        SOW_TRY(refuse_everywhere(c, q, why, err));
    }
    if (x->file) SOW_TRY(sow_file_read_list(&list, x->file, err));
    for (sow_index i = 0; i < sow_names_count(list); i++) {
        sow_index q = sow_names_find(c->screen->perturbations, sow_names_get(list, i)); /* a list may name genes this screen lacks */
        if (q >= 0) SOW_TRY(refuse_everywhere(c, q, why, err));
    }
done:
    free(why);
    sow_names_destroy(list);
    return st;
}

static sow_status measurable(sow_campaign *c, sow_i_site *site, sow_error *err)
{
    sow_status st = SOW_OK;
    for (sow_index i = 0; i < c->n; i++) {
        site->eligible[i] = 1;
        char *why = c->cells ? sow_i_cells_why_not(c, site->target, i) : NULL;
        st = why ? refuse(site, i, why, err) : SOW_OK;
        free(why);
        SOW_TRY(st);
        if (sow_screen_find(c->screen, i, site->target) < 0) SOW_TRY(refuse(site, i, "not in the target context", err));
    }
done:
    return st;
}

static const sow_i_site *site_with(const sow_campaign *c, sow_index q)
{
    for (sow_index s = 0; s < c->n_sites; s++)
        if (c->site[s].eligible[q]) return &c->site[s];
    return NULL;
}

sow_status sow_i_pool_eligible(sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_config *k = c->config;
    for (sow_index s = 0; s < c->n_sites; s++)
        SOW_TRY(measurable(c, &c->site[s], err));
    for (sow_index i = 0; i < k->constraints.n_exclude; i++)
        SOW_TRY(exclude_one(c, &k->constraints.exclude[i], err));
    for (sow_index i = 0; i < k->constraints.n_controls; i++) {
        sow_index q = sow_names_find(c->screen->perturbations, k->constraints.controls[i]);
        if (q >= 0) SOW_TRY(refuse_everywhere(c, q, "positive control: on every order sheet", err));
    }
    for (sow_index i = 0; i < k->constraints.n_include; i++) {
        sow_index q;
        SOW_TRY(must_find(&q, c, k->constraints.include[i], "constraints.include", err));
        if (!site_with(c, q))
            SOW_FAIL(err, SOW_E_CONFIG, "%s: constraints.include names '%s', which cannot be chosen (%s)", k->path, sow_i_name(c, q), c->here->why_not[q]);
    }
done:
    return st;
}

static int is_included(const sow_campaign *c, sow_index q)
{
    for (sow_index i = 0; i < c->config->constraints.n_include; i++)
        if (sow_names_find(c->screen->perturbations, c->config->constraints.include[i]) == q) return 1;
    return 0;
}

static sow_status hold_out_list(sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_names *list = NULL;
    SOW_TRY(sow_file_read_list(&list, c->config->oracle.held_list, err));
    for (sow_index i = 0; i < sow_names_count(list); i++) {
        sow_index q;
        SOW_TRY(must_find(&q, c, sow_names_get(list, i), c->config->oracle.held_list, err));
        if (is_included(c, q))
            SOW_FAIL(err, SOW_E_CONFIG, "%s: '%s' is both in constraints.include and in oracle.held_out.list", c->config->path, sow_i_name(c, q));
        for (sow_index t = 0; t < c->n_sites; t++)
            if (c->site[t].eligible[q]) c->site[t].held_out[q] = 1;
    }
done:
    sow_names_destroy(list);
    return st;
}

/* Those that must be in the initial round are passed over only once all are in a random order: who else is held out does not depend on them. */
static sow_status hold_out_random(sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_config *k = c->config;
    sow_index *drawn = NULL, n = 0, all = 0;
    SOW_NEW(drawn, c->n_sites * c->n);
    for (sow_index i = 0; i < c->n_sites * c->n; i++) {
        if (!sow_i_site_of_pair(c, i)->eligible[i % c->n]) continue;
        drawn[all++] = i;
        n += !is_included(c, i % c->n);
    }
    sow_index want = k->oracle.held_count > 0 ? k->oracle.held_count : 0;
    if (isfinite(k->oracle.held_fraction)) want = (sow_index)floor(k->oracle.held_fraction * (double)all + 0.5);
    if (want > n)
        SOW_FAIL(err, SOW_E_CONFIG, "%s: oracle.held_out asks for %lld of %lld perturbations that may be held out", k->path, (long long)want,
                 (long long)n);
    sow_rng rng = sow_rng_make(k->seed, SOW_RNG_SPLIT, 0, 0);
    sow_rng_permute(&rng, drawn, all);
    for (sow_index i = 0; want > 0; i++) {
        if (is_included(c, drawn[i] % c->n)) continue;
        sow_i_site_of_pair(c, drawn[i])->held_out[drawn[i] % c->n] = 1;
        want--;
    }
done:
    free(drawn);
    return st;
}

/* Rules and a lab's list of candidates may change under a campaign, and another draw would then hold out what is measured and plan what was
 * held out: those held out at the beginning stay so, and newcomers join the pool. */
static sow_status hold_out_again(sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    for (sow_index i = 0; i < c->n_sites * c->n; i++) {
        sow_i_site *site = sow_i_site_of_pair(c, i);
        char *label = sow_i_label(c, i);
        if (!label) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
        const int held = sow_names_find(c->held_before, label) >= 0;
        free(label);
        if (!held) continue;
        if (is_included(c, i % c->n))
            SOW_FAIL(err, SOW_E_CONFIG, "%s: constraints.include names '%s', which is held out since the campaign in %s began", c->config->path, sow_i_name(c, i % c->n), c->dir);
        site->held_out[i % c->n] = site->eligible[i % c->n];
    }
done:
    return st;
}

static sow_status hold_out(sow_campaign *c, sow_error *err)
{
    if (c->held_before) return hold_out_again(c, err);
    return c->config->oracle.held_list ? hold_out_list(c, err) : hold_out_random(c, err);
}

sow_status sow_i_pool_build(sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_TRY(hold_out(c, err));
    for (sow_index i = 0; i < c->n_sites * c->n; i++) {
        sow_i_site *site = sow_i_site_of_pair(c, i);
        const sow_index q = i % c->n;
        site->in_pool[q] = site->eligible[q] && !site->held_out[q];
        c->pool_size += site->in_pool[q];
        c->n_held_out += site->held_out[q];
    }
    if (c->pool_size == 0)
        SOW_FAIL(err, SOW_E_CONFIG, "%s: nothing is left to choose from: %lld perturbations in the data, all excluded, held out or without a prior",
                 c->config->path, (long long)c->n);
done:
    return st;
}

sow_index sow_i_hit_count(const sow_campaign *c)
{
    double top = c->config->objective.top;
    if (strcmp(c->config->objective.kind, "hits") != 0 || c->config->objective.column || !isfinite(top)) return -1;
    sow_index n = (sow_index)floor(top * (double)c->pool_size + 0.5);
    return n > 0 ? n : 1;
}

int sow_i_is_hit_value(const sow_campaign *c, double hit)
{
    if (!isfinite(hit)) return 0;
    int below = isnan(c->config->objective.below) || hit < c->config->objective.below;
    int above = isnan(c->config->objective.above) || hit > c->config->objective.above;
    return below && above;
}

/* Oriented truth, or its size, of the pool's pairs of the site in hand, behind the *n that are there. */
static sow_status add_values(double *value, sow_index *member, char **names, sow_index *n, sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    double *truth = NULL;
    SOW_NEW(truth, c->n * c->d);
    SOW_TRY(sow_i_truth(truth, c, NULL, err));
    for (sow_index i = 0; i < c->n; i++) {
        if (!c->here->in_pool[i]) continue;
        member[*n] = sow_i_pair(c, c->here - c->site, i);
        names[*n] = sow_i_label(c, member[*n]);
        if (!names[*n]) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
        value[(*n)++] = c->d == 1 ? sow_i_orientation(c) * truth[i] : sqrt(sow_dot(c->d, &truth[i * c->d], &truth[i * c->d]));
    }
done:
    free(truth);
    return st;
}

static sow_status top_hits(sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    double *value = NULL;
    sow_index *member = NULL, *order = NULL, n = 0;
    char **names = NULL;
    SOW_NEW(value, c->pool_size);
    SOW_NEW(member, c->pool_size);
    SOW_NEW(order, c->pool_size);
    SOW_NEW(names, c->pool_size);
    for (sow_index s = 0; s < c->n_sites; s++) {
        sow_i_go(c, s);
        SOW_TRY(add_values(value, member, names, &n, c, err));
    }
    SOW_TRY(sow_order_descending(order, value, (const char *const *)names, n, err));
    c->n_hits = sow_i_hit_count(c);
    for (sow_index i = 0; i < c->n_hits; i++)
        sow_i_site_of_pair(c, member[order[i]])->true_hit[member[order[i]] % c->n] = 1;
done:
    sow_i_go(c, 0);
    for (sow_index i = 0; names && i < n; i++)
        free(names[i]);
    free(value);
    free(member);
    free(order);
    free(names);
    return st;
}

sow_status sow_i_pool_true_hits(sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    for (sow_index s = 0; s < c->n_sites; s++)
        SOW_NEW(c->site[s].true_hit, c->n);
    if (!c->config->objective.column) {
        SOW_TRY(top_hits(c, err));
        goto done;
    }
    for (sow_index i = 0; i < c->n_sites * c->n; i++) {
        sow_i_site *site = sow_i_site_of_pair(c, i);
        const sow_index q = i % c->n, row = sow_screen_find(c->screen, q, site->target);
        if (!site->in_pool[q] || row < 0) continue;
        site->true_hit[q] = (unsigned char)sow_i_is_hit_value(c, c->screen->hit[row]);
        c->n_hits += site->true_hit[q];
    }
    if (c->n_hits == 0)
        SOW_FAIL(err, SOW_E_CONFIG, "%s: no perturbation of the pool is a hit by objective.column '%s'; check `below` and `above`",
                 c->config->path, c->config->objective.column);
done:
    return st;
}
