/* What the choice of seeds comes to, as JSON: sentences, the list, and expected accuracies. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/version.h"
#include "planner/evaluate_contexts.h"
#include "planner/seeds_internal.h"

enum { NEXT = 5 };

static char *take_text(sow_text *t, sow_error *err)
{
    char *out = t->failed ? NULL : sow_strdup(t->text);
    if (!out) (void)SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
    sow_text_clear(t);
    return out;
}

/* "b, myeloid and t" */
static void put_references(sow_text *t, const sow_i_seeds *e)
{
    for (sow_index k = 0; k < e->n_replays; k++)
        sow_text_printf(t, "%s%s", k == 0 ? "" : k + 1 < e->n_replays ? ", " : " and ", sow_names_get(e->c->screen->contexts, e->replay[k].context));
}

static const char *chosen_name(const sow_i_seeds *e)
{
    return e->strategy[e->chosen]->name;
}

/* ---- sentences ---- */

/* Why this strategy. */
static sow_status say_choice(sow_text *t, const sow_i_seeds *e, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index random = sow_i_seed_strategy(e, "random"), count = sow_i_seed_count(e, e->wanted);
    const char *target = sow_i_target_name(e->c);
    sow_text_printf(t, "%lld seeds for %s, chosen by %s", (long long)e->wanted, target, chosen_name(e));
    if (e->n_strategies == 1) sow_text_append(t, ", as asked.");
    else if (e->n_replays == 0) sow_text_append(t, ": without replays no strategy is known to be better than another.");
    else if (e->chosen == random) sow_text_append(t, ": in replays no strategy was better than random by more than the draws of random seeds differ.");
    else if (random < 0) sow_text_append(t, ", the first of those asked for; random is not among them to compare with.");
    else {
        const sow_i_seed_pair p = {e->chosen, count, random, count};
        sow_i_seed_mean d;
        SOW_TRY(sow_i_seed_difference(&d, e, &p, e->measures.leading[0], 1, err));
        sow_text_printf(t, ": in replays it was better than random seeds, by %.2g [%.2g, %.2g] on the perturbations that neither chose.", d.mean, d.low, d.high);
    }
done:
    return st;
}

static void put_interval(sow_text *t, const sow_i_seed_mean *v)
{
    sow_text_printf(t, "%.3g", v->mean);
    if (isfinite(v->low)) sow_text_printf(t, " [%.2g, %.2g]", v->low, v->high);
}

static sow_status say_accuracy(sow_text *t, const sow_i_seeds *e, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index count = sow_i_seed_count(e, e->wanted), more = sow_i_seed_count(e, e->wanted + NEXT);
    const sow_i_seed_pair p = {e->chosen, more, e->chosen, count};
    sow_i_seed_mean v, d;
    if (e->n_replays == 0) {
        sow_text_append(t, e->n_references < 2 ? "There is one reference context: with none known beside it, it cannot be played as if it were new, so that no accuracy is expected."
                                               : "The references share too few perturbations to be played as if they were new, so that no accuracy is expected.");
        return SOW_OK;
    }
    SOW_TRY(sow_i_seed_accuracy(&v, e, e->chosen, count, e->measures.leading[0], err));
    if (v.replays == 0) {
        sow_text_printf(t, "No reference was played with %s and %lld seeds: too few other references are known, or too few perturbations are shared.", chosen_name(e), (long long)e->wanted);
        return SOW_OK;
    }
    sow_text_append(t, "In replays of ");
    put_references(t, e);
    sow_text_printf(t, " %s reached a %s of ", e->c->model_class->name, sow_i_metric_in_words(e->measures.name[e->measures.leading[0]]));
    put_interval(t, &v);
    SOW_TRY(sow_i_seed_difference(&d, e, &p, e->measures.leading[0], 0, err));
    if (isfinite(d.mean)) {
        const int adds = sow_i_context_better(e->measures.name[e->measures.leading[0]]) > 0;
        sow_text_printf(t, "; the next five after %lld would %s ", (long long)e->wanted, adds ? "add" : "change it by");
        put_interval(t, &d);
    }
    sow_text_append(t, ".");
done:
    return st;
}

/* ---- parts ---- */

static json_t *list_json(const sow_i_seeds *e)
{
    json_t *rows = json_array();
    for (sow_index i = 0; i < e->wanted; i++)
        json_array_append_new(rows, json_pack("{s:I,s:s,s:o,s:s}", "rank", (json_int_t)i + 1, "perturbation", sow_i_name(e->c, e->pool[e->pick[i].candidate]), "score",
                                              sow_i_real_or_null(e->pick[i].score), "reason", e->pick[i].reason));
    return rows;
}

static sow_status accuracy_json(json_t *rows, const sow_i_seeds *e, sow_error *err)
{
    sow_status st = SOW_OK;
    for (sow_index s = 0; e->n_replays > 0 && s < e->n_strategies; s++)
        for (sow_index k = 0; k < e->n_counts; k++)
            for (sow_index m = 0; m < e->measures.n; m++) {
                sow_i_seed_mean v;
                SOW_TRY(sow_i_seed_accuracy(&v, e, s, k, m, err));
                if (v.replays == 0) continue;
                json_array_append_new(rows, json_pack("{s:s,s:I,s:s,s:o,s:o,s:o,s:I}", "strategy", e->strategy[s]->name, "seeds", (json_int_t)e->count[k], "metric", e->measures.name[m], "mean",
                                                      sow_i_real_or_null(v.mean), "low", sow_i_real_or_null(v.low), "high", sow_i_real_or_null(v.high), "replays", (json_int_t)v.replays));
            }
done:
    return st;
}

static sow_status against_random_json(json_t *rows, const sow_i_seeds *e, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index random = sow_i_seed_strategy(e, "random");
    for (sow_index s = 0; random >= 0 && e->n_replays > 0 && s < e->n_strategies; s++)
        for (sow_index k = 0; s != random && k < e->n_counts; k++) {
            const sow_i_seed_pair p = {s, k, random, k};
            sow_i_seed_mean d;
            SOW_TRY(sow_i_seed_difference(&d, e, &p, e->measures.leading[0], 1, err));
            if (!isfinite(d.mean)) continue;
            json_array_append_new(rows, json_pack("{s:s,s:I,s:o,s:o,s:o}", "strategy", e->strategy[s]->name, "seeds", (json_int_t)e->count[k], "difference", sow_i_real_or_null(d.mean), "low",
                                                  sow_i_real_or_null(d.low), "high", sow_i_real_or_null(d.high)));
        }
done:
    return st;
}

static json_t *fact(const char *key, json_t *value)
{
    return json_pack("{s:s,s:o}", "key", key, "value", value);
}

static json_t *provenance_json(const sow_i_seeds *e)
{
    char seed[32];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)e->c->config->seed);
    return json_pack("[o,o,o,o]", fact("version", json_string(sow_version())), fact("commit", json_string(sow_git_hash())), fact("seed", json_string(seed)),
                     fact("SHA-256 over the data files", json_string(e->c->world_digest)));
}

static json_t *leading_json(const sow_i_seeds *e)
{
    json_t *rows = json_array();
    for (int i = 0; i < 3 && e->measures.leading[i] >= 0; i++) json_array_append_new(rows, json_string(e->measures.name[e->measures.leading[i]]));
    return rows;
}

static json_t *names_json(const sow_i_seeds *e)
{
    json_t *rows = json_array();
    for (sow_index s = 0; s < e->n_strategies; s++) json_array_append_new(rows, json_pack("{s:s,s:s}", "strategy", e->strategy[s]->name, "summary", e->strategy[s]->summary));
    return rows;
}

sow_status sow_i_seeds_json(json_t **out, const sow_i_seeds *e, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_text t = {0};
    char *choice = NULL, *accuracy = NULL;
    json_t *rows = json_array(), *against = json_array();
    *out = NULL;
    SOW_TRY(say_choice(&t, e, err));
    if (!(choice = take_text(&t, err))) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(say_accuracy(&t, e, err));
    if (!(accuracy = take_text(&t, err))) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(accuracy_json(rows, e, err));
    SOW_TRY(against_random_json(against, e, err));
    *out = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:o,s:o,s:o,s:O,s:O,s:o}", "name", e->c->config->name, "generated_by", "sower seeds", "context", sow_i_target_name(e->c), "model",
                     e->c->model_class->name, "strategy", chosen_name(e), "headline", choice, "expected", accuracy, "n", (json_int_t)e->wanted, "pool_size", (json_int_t)e->n_pool, "draws",
                     (json_int_t)e->n_draws, "leading", leading_json(e), "strategies", names_json(e), "seeds", list_json(e), "accuracy", rows, "against_random", against, "provenance", provenance_json(e));
    if (!*out) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
done:
    sow_text_clear(&t);
    free(choice);
    free(accuracy);
    json_decref(rows);
    json_decref(against);
    return st;
}
