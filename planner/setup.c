/* Loading a campaign's world: data, target context, pool, priors, rules, oracle. Nothing here depends on what has been measured so far. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "planner/cells_internal.h"

static int is_kind(const sow_campaign *c, const char *kind)
{
    return strcmp(c->config->oracle.kind, kind) == 0;
}

static sow_status read_sources(sow_campaign *c, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_config *k = c->config;
    sow_source *sources = NULL;
    if (k->readout.kind == SOW_READOUT_CELLS) return sow_i_cells_load(c, env, err);
    SOW_NEW(sources, k->n_sources);
    for (sow_index i = 0; i < k->n_sources; i++) {
        sources[i] = k->sources[i];
        /* a lab's target file lists what may be planned; its results come by `sower record` */
        sources[i].names_only = is_kind(c, "lab") && sources[i].role == SOW_ROLE_TARGET;
    }
    SOW_TRY(sow_sources_read(&c->screen, &c->dropped, sources, k->n_sources, &k->readout, env, err));
done:
    free(sources);
    return st;
}

static sow_status build_world(sow_campaign *c, sow_prior *given, const sow_env *env, sow_error *err)
{
    if (!is_kind(c, "generative")) return read_sources(c, env, err);
    if (c->config->readout.kind == SOW_READOUT_CELLS) return sow_i_cells_make(c, given, env, err);
    const sow_config *k = c->config;
    sow_world_options world = SOW_WORLD_OPTIONS_INIT;
    world.seed = k->seed;
    world.n_perturbations = k->oracle.perturbations;
    world.n_modules = k->oracle.modules;
    world.cells_median = k->oracle.cells;
    world.prior_informativeness = k->oracle.informativeness;
    world.prior_dims = k->oracle.prior_dims;
    world.noise_per_cell = k->oracle.noise_per_cell;
    return sow_world_create(&c->screen, given, &world, err);
}

static sow_status make_site(sow_i_site *site, sow_index context, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    site->target = context;
    SOW_NEW(site->eligible, n);
    SOW_NEW(site->held_out, n);
    SOW_NEW(site->in_pool, n);
    SOW_NEW(site->why_not, n);
done:
    return st;
}

static sow_status find_targets(sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_screen *s = c->screen;
    const sow_index contexts = sow_names_count(s->contexts);
    sow_index n = 0;
    SOW_NEW(c->site, contexts);
    for (sow_index i = 0; i < contexts; i++)
        if (s->context_role[i] == SOW_ROLE_TARGET) c->site[n++].target = i;
    if (n == 0) SOW_FAIL(err, SOW_E_CONFIG, "%s: no source has `role: target`", c->config->path);
    if (n > SOW_I_SITES_MOST)
        SOW_FAIL(err, SOW_E_CONFIG, "%s: %lld target contexts; a campaign measures in at most %d: choose some with `contexts: [NAME, ...]` in the target source", c->config->path, (long long)n, SOW_I_SITES_MOST);
    c->n_sites = n; /* all of them, so that clearing is safe */
    for (sow_index i = 0; i < n; i++)
        SOW_TRY(make_site(&c->site[i], c->site[i].target, c->n, err));
    sow_i_go(c, 0);
    for (sow_index i = 0, site; i < c->config->n_prices; i++)
        SOW_TRY(sow_i_find_site(&site, c, "costs.contexts", c->config->prices[i].context, err));
done:
    return st;
}

sow_index sow_i_site_of_context(const sow_campaign *c, sow_index context)
{
    for (sow_index i = 0; i < c->n_sites; i++)
        if (c->site[i].target == context) return i;
    return -1;
}

sow_status sow_i_find_site(sow_index *out, const sow_campaign *c, const char *key, const char *name, sow_error *err)
{
    sow_text all = {0};
    *out = sow_i_site_of_context(c, sow_names_find(c->screen->contexts, name));
    if (*out >= 0) return SOW_OK;
    for (sow_index s = 0; s < c->n_sites; s++)
        sow_text_printf(&all, "%s%s", s ? ", " : "", sow_i_site_name(c, s));
    const sow_status st = SOW_ERROR(err, SOW_E_CONFIG, "%s: %s: '%s' is no target context of the data; there %s: %s", c->config->path, key, name, c->n_sites == 1 ? "is" : "are", all.text ? all.text : "");
    sow_text_clear(&all);
    return st;
}

sow_status sow_i_needs_one_target(const sow_campaign *c, const char *what, sow_error *err)
{
    if (c->n_sites == 1) return SOW_OK;
    return SOW_ERROR(err, SOW_E_CONFIG, "%s: %s is of one target context, and there are %lld, '%s' and '%s' among them: keep one with `contexts: [NAME]` in the target source and give the others to a source "
                     "with `role: reference`", c->config->path, what, (long long)c->n_sites, sow_names_get(c->screen->contexts, c->site[0].target), sow_names_get(c->screen->contexts, c->site[1].target));
}

/* Perturbations for which some site says yes: of one site, what it says. */
static sow_status of_any_site(unsigned char **out, const sow_campaign *c, int in_pool, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(*out, c->n);
    for (sow_index s = 0; s < c->n_sites; s++)
        for (sow_index q = 0; q < c->n; q++)
            (*out)[q] |= in_pool ? c->site[s].in_pool[q] : c->site[s].eligible[q];
done:
    return st;
}

/* The specs of model.prior, or all, each shuffled only if `may_shuffle`. `out` borrows their strings. */
static sow_status chosen_specs(sow_prior_spec **out, sow_index *n, const sow_config *k, int may_shuffle, sow_error *err)
{
    sow_status st = SOW_OK;
    *out = NULL;
    *n = 0;
    SOW_NEW(*out, k->n_priors);
    for (sow_index i = 0; i < k->n_priors; i++) {
        int use = k->model.n_use == 0;
        for (sow_index j = 0; j < k->model.n_use; j++)
            use = use || strcmp(k->model.use[j], k->priors[i].name) == 0;
        if (!use) continue;
        (*out)[*n] = k->priors[i];
        (*out)[(*n)++].shuffle &= may_shuffle;
    }
done:
    return st;
}

/* Who is in the pool does not depend on the shuffled control: asked OF_MODEL_AS_THEY_ARE. */
typedef enum { ALL_PRIORS, OF_MODEL, OF_MODEL_AS_THEY_ARE } prior_choice;

static sow_status read_priors(sow_campaign *c, sow_prior_set *set, sow_prior_coverage *coverage, prior_choice which, sow_index dims,
                              const unsigned char *mask, const sow_prior *given, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_config *k = c->config;
    sow_prior_spec *specs = NULL;
    sow_index n = k->n_priors;
    if (which != ALL_PRIORS) SOW_TRY(chosen_specs(&specs, &n, k, which == OF_MODEL, err));
    SOW_TRY(sow_priors_read(set, coverage, specs ? specs : k->priors, n, c->screen, mask, dims, k->seed, given, env, err));
done:
    free(specs);
    return st;
}

/* An expert of MORPH reads the rows of one prior: numbers, not sets. */
static sow_status check_experts(const sow_campaign *c, sow_error *err)
{
    if (strcmp(c->config->model.kind, "morph") != 0 || strcmp(c->config->model.variant, "moe") != 0) return SOW_OK;
    for (sow_index i = 0; i < c->model_priors.n_priors; i++)
        if (c->model_priors.priors[i].kind != SOW_PRIOR_DENSE)
            return SOW_ERROR(err, SOW_E_CONFIG, "%s: model.variant moe reads three priors of numbers, and '%s' is a collection of sets; choose three others by model.prior, or variant plain",
                             c->config->path, c->model_priors.priors[i].name);
    return SOW_OK;
}

static sow_status drop_without_prior(sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_config *k = c->config;
    for (sow_index s = 0; s < c->n_sites; s++)
        for (sow_index i = 0; i < c->n; i++) {
            sow_i_site *site = &c->site[s];
            if (!site->eligible[i] || c->model_priors.has_any[i]) continue;
            site->eligible[i] = 0;
            site->why_not[i] = sow_strdup("no prior has a row for it");
            if (!site->why_not[i]) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
        }
    for (sow_index i = 0; i < k->constraints.n_include; i++) {
        sow_index q = sow_names_find(c->screen->perturbations, k->constraints.include[i]);
        if (q >= 0 && !c->model_priors.has_any[q])
            SOW_FAIL(err, SOW_E_CONFIG, "%s: constraints.include names '%s', but no prior has a row for it; take it out, or set constraints.require_prior: false",
                     k->path, sow_i_name(c, q));
    }
done:
    return st;
}

static sow_status load_priors(sow_campaign *c, const sow_prior *given, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_config *k = c->config;
    int required = k->constraints.require_prior || (c->model_class->caps & SOW_CAP_NEEDS_PRIOR);
    unsigned char *eligible = NULL, *in_pool = NULL;
    if (required && (k->n_priors > 0 || given)) {
        /* coverage decides who is in the pool, and the pool decides the scaling: read once for each */
        SOW_TRY(of_any_site(&eligible, c, 0, err));
        SOW_TRY(read_priors(c, &c->model_priors, NULL, OF_MODEL_AS_THEY_ARE, 0, eligible, given, env, err));
        SOW_TRY(check_experts(c, err));
        SOW_TRY(drop_without_prior(c, err));
        sow_prior_set_clear(&c->model_priors);
    }
    SOW_TRY(sow_i_pool_build(c, err));
    SOW_TRY(of_any_site(&in_pool, c, 1, err));
    SOW_NEW(c->coverage, k->n_priors + 1);
    SOW_TRY(read_priors(c, &c->model_priors, k->model.n_use == 0 ? c->coverage : NULL, OF_MODEL, k->model.prior_dims, in_pool, given, env, err));
    if (k->model.n_use > 0) SOW_TRY(read_priors(c, &c->priors, c->coverage, ALL_PRIORS, 0, in_pool, given, env, err));
    c->model_priors.fit_rows = in_pool;
    in_pool = NULL;
done:
    free(eligible);
    free(in_pool);
    return st;
}

static const sow_prior *given_prior(const sow_campaign *c)
{
    return is_kind(c, "generative") ? &c->given : NULL;
}

sow_status sow_i_refit_priors(sow_campaign *c, const unsigned char *rows, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_prior_set_clear(&c->model_priors);
    SOW_TRY(read_priors(c, &c->model_priors, NULL, OF_MODEL, c->config->model.prior_dims, rows, given_prior(c), env, err));
    SOW_NEW(c->model_priors.fit_rows, c->n);
    memcpy(c->model_priors.fit_rows, rows, (size_t)c->n);
done:
    return st;
}

static sow_status find_rows_of_tables(sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_config *k = c->config;
    SOW_TRY(sow_model_find(&c->model_class, k->model.kind, err));
    SOW_TRY(sow_strategy_find(&c->initial_strategy, k->rounds.initial_strategy, err));
    SOW_TRY(sow_strategy_find(&c->strategy, k->acquisition.strategy, err));
    unsigned readout = c->cells ? SOW_CAP_CELLS : c->d == 1 ? SOW_CAP_SCALAR : SOW_CAP_PROFILE;
    if (!(c->model_class->caps & readout))
        SOW_FAIL(err, SOW_E_CONFIG, "%s: model '%s' does not handle %s readouts", k->path, c->model_class->name, sow_i_readout_word(c));
done:
    return st;
}

static sow_index count_references(const sow_campaign *c)
{
    sow_index n = 0;
    for (sow_index i = 0; i < sow_names_count(c->screen->contexts); i++)
        n += c->screen->context_role[i] == SOW_ROLE_REFERENCE;
    return n;
}

static int has_reference(const sow_campaign *c)
{
    return count_references(c) > 0;
}

sow_status sow_i_check_list(const sow_campaign *c, const char *key, sow_error *err)
{
    sow_status st = SOW_OK;
    char *absent = NULL;
    sow_index n = 0;
    for (sow_index l = 0; l < c->config->acquisition.n_list; l++) {
        const char *name = c->config->acquisition.list[l];
        const sow_index q = sow_names_find(c->screen->perturbations, name);
        int can = 0, held = 0;
        for (sow_index s = 0; q >= 0 && s < c->n_sites; s++) {
            can |= c->site[s].in_pool[q];
            held |= c->site[s].held_out[q];
        }
        if (can) continue;
        char *longer = sow_format("%s%s%s%s", absent ? absent : "", n++ ? ", " : "", name, q < 0 ? " (not in this screen)" : held ? " (held out)" : "");
        free(absent);
        absent = longer;
        if (!absent) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    }
    if (c->config->acquisition.n_list == 0)
        SOW_FAIL(err, SOW_E_CONFIG, "%s: %s 'functional' takes its perturbations from acquisition.list, which is empty", c->config->path, key);
    if (n == c->config->acquisition.n_list)
        SOW_FAIL(err, SOW_E_CONFIG, "%s: none of acquisition.list can be chosen here: %s", c->config->path, absent);
    if (n > 0) sow_log(c->env, SOW_LOG_WARN, "of acquisition.list these cannot be chosen here: %s", absent);
done:
    free(absent);
    return st;
}

/* What a strategy needs and this campaign cannot give is said before anything is computed. */
static sow_status check_needs(const sow_campaign *c, const sow_strategy *s, int initial, sow_error *err)
{
    const char *key = initial ? "rounds.initial.strategy" : "acquisition.strategy", *path = c->config->path;
    const sow_strategy_options options = sow_i_strategy_options(c);
    const unsigned needs = sow_strategy_needs_with(s, &options);
    const sow_model_options of_model = sow_i_model_options(c);
    const int learns = (sow_model_caps_with(c->model_class, &of_model) & SOW_CAP_VARIANCE) != 0, its_form = !learns && (c->model_class->caps & SOW_CAP_VARIANCE);
    if ((needs & SOW_NEED_HITS) && strcmp(c->config->objective.kind, "hits") != 0)
        return SOW_ERROR(err, SOW_E_CONFIG, "%s: %s '%s' looks for hits: it needs `objective: {kind: hits, ...}`", path, key, s->name);
    if ((needs & SOW_NEED_REFERENCE) && !has_reference(c))
        return SOW_ERROR(err, SOW_E_CONFIG, "%s: %s '%s' needs a source with `role: reference`", path, key, s->name);
    if ((needs & SOW_NEED_DELTAS) && count_references(c) < 2)
        return SOW_ERROR(err, SOW_E_CONFIG, "%s: %s '%s' compares reference contexts: it needs two of them, there %s %lld", path, key, s->name, count_references(c) == 1 ? "is" : "are",
                         (long long)count_references(c));
    if (needs & SOW_NEED_LIST) {
        const sow_status st = sow_i_check_list(c, key, err);
        if (st != SOW_OK) return st;
    }
    const int by_reference = strcmp(c->config->acquisition.representation, "reference") == 0;
    if ((needs & SOW_NEED_PRIOR) && by_reference && !has_reference(c))
        return SOW_ERROR(err, SOW_E_CONFIG, "%s: acquisition.representation 'reference' needs a source with `role: reference`", path);
    if ((needs & SOW_NEED_PRIOR) && !by_reference && c->model_priors.fused_dim == 0)
        return SOW_ERROR(err, SOW_E_CONFIG, "%s: %s '%s' needs `priors:` to measure distances in", path, key, s->name);
    if ((needs & (SOW_NEED_MOMENTS | SOW_NEED_JOINT)) && !learns)
        return SOW_ERROR(err, SOW_E_CONFIG, "%s: %s '%s' needs a model with predictive variances; '%s' has none%s", path, key, s->name, c->model_class->name,
                         its_form ? " with `form: network` or `mode: reference` (use its programs, `model.hypermap.form: programs`, or gp)" : " (use gp)");
    if ((needs & (SOW_NEED_LATENT | SOW_NEED_LOSSES | SOW_NEED_DRIFT | SOW_NEED_TRUTH)) && !(c->model_class->caps & SOW_CAP_LATENT))
        return SOW_ERROR(err, SOW_E_CONFIG, "%s: %s '%s' needs a model with a latent space and a loss of its own: `model: {kind: morph}`; '%s' has none", path, key, s->name,
                         c->model_class->name);
    if ((needs & SOW_NEED_TRUTH) && is_kind(c, "lab"))
        return SOW_ERROR(err, SOW_E_CONFIG, "%s: %s '%s' looks at what is not measured yet, to bound what is possible; with a lab nobody knows that", path, key, s->name);
    if (initial && (needs & (SOW_NEED_LATENT | SOW_NEED_LOSSES | SOW_NEED_DRIFT | SOW_NEED_TRUTH)))
        return SOW_ERROR(err, SOW_E_CONFIG, "%s: %s '%s' needs a trained model, and nothing is measured before round 0; use random, kmeans or core-set", path, key, s->name);
    if ((needs & SOW_NEED_JOINT) && !(needs & SOW_NEED_MOMENTS) && (c->d != 1 || !(c->model_class->caps & SOW_CAP_JOINT)))
        return SOW_ERROR(err, SOW_E_CONFIG, "%s: %s '%s' needs joint draws: `model: {kind: gp}` and a scalar readout", path, key, s->name);
    if (initial && c->cells && (needs & (SOW_NEED_MOMENTS | SOW_NEED_JOINT | SOW_NEED_REFERENCE)))
        return SOW_ERROR(err, SOW_E_CONFIG, "%s: %s '%s' needs responses, and those of cells are known once round 0 is measured; use random, kmeans or core-set",
                         path, key, s->name);
    if (initial && (needs & (SOW_NEED_MOMENTS | SOW_NEED_JOINT)) &&
        !(has_reference(c) && (c->model_class->caps & SOW_CAP_CONTEXTS)))
        return SOW_ERROR(err, SOW_E_CONFIG,
                         "%s: %s '%s' needs predictions, and nothing is measured before round 0; use random, kmeans or core-set", path, key, s->name);
    return SOW_OK;
}

static sow_status check_sizes(const sow_campaign *c, sow_error *err)
{
    sow_index total = 0;
    for (sow_index r = 0; r < c->n_rounds; r++) {
        sow_index size = sow_i_batch_size(c, r);
        if (size > c->pool_size - total)
            return SOW_ERROR(err, SOW_E_CONFIG,
                             "%s: round %lld asks for %lld perturbations, but of a pool of %lld only %lld are left by then; lower %s", c->config->path,
                             (long long)r, (long long)size, (long long)c->pool_size, (long long)(c->pool_size - total),
                             r == 0 ? "rounds.initial.size" : "rounds.batches");
        total += size;
    }
    return SOW_OK;
}

static sow_status create_oracle(sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_oracle_class *row = NULL;
    const sow_config *k = c->config;
    /* simulated cells are made once, as a finished screen, and replayed */
    SOW_TRY(sow_oracle_find(&row, c->cells && is_kind(c, "generative") ? "replay" : k->oracle.kind, err));
    sow_oracle_options options = {.seed = k->seed,
                                  .screen = c->screen,
                                  .noise_per_cell = is_kind(c, "generative") ? k->oracle.noise_per_cell : 0.0,
                                  .failure_rate = is_kind(c, "generative") ? k->oracle.failure_rate : 0.0,
                                  .cells = c->cells ? &c->cells->table : NULL,
                                  .n_rounds = c->n_rounds,
                                  .control_share = k->design.control_share,
                                  .n_samples = is_kind(c, "generative") ? k->oracle.samples : 0,
                                  .lost_samples = is_kind(c, "generative") ? k->oracle.lost_samples : 0};
    SOW_TRY(row->create(&c->oracle, &options, err));
done:
    return st;
}

/* A file that is not there is a mistake in the campaign file, not a failing machine. */
static sow_status must_exist(const sow_campaign *c, const char *file, const char *key, sow_error *err)
{
    if (!file || sow_file_exists(file)) return SOW_OK;
    return SOW_ERROR(err, SOW_E_DATA, "%s: %s: no such file '%s' (relative names start from the folder of the campaign file)", c->config->path, key,
                     file);
}

static sow_status check_files(const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_config *k = c->config;
    for (sow_index i = 0; i < k->n_sources; i++)
        SOW_TRY(must_exist(c, k->sources[i].file, "data.sources", err));
    for (sow_index i = 0; i < k->n_priors; i++) {
        SOW_TRY(must_exist(c, k->priors[i].file, "priors", err));
        SOW_TRY(must_exist(c, k->priors[i].names, "priors", err));
    }
    for (sow_index i = 0; i < k->constraints.n_exclude; i++)
        SOW_TRY(must_exist(c, k->constraints.exclude[i].file, "constraints.exclude", err));
    SOW_TRY(must_exist(c, k->oracle.held_list, "oracle.held_out.list", err));
    SOW_TRY(must_exist(c, k->guides.file, "design.guides", err));
    SOW_TRY(must_exist(c, k->oracle.baseline, "oracle.baseline", err));
done:
    return st;
}

/* One digest over every file the campaign reads, so that a campaign notices when its past was made from other data. */
static sow_status digest_files(sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_config *k = c->config;
    sow_text all = {0};
    char hex[65];
    for (sow_index i = 0; i < k->n_sources; i++) {
        if (is_kind(c, "lab") && k->sources[i].role == SOW_ROLE_TARGET) continue; /* a lab's list of candidates may grow */
        if (c->cells) snprintf(hex, sizeof hex, "%s", c->cells->digest[i]);
        else SOW_TRY(sow_file_sha256(hex, k->sources[i].file, err));
        sow_text_printf(&all, "source %s\n", hex);
    }
    for (sow_index i = 0; i < k->n_priors; i++) {
        if (!k->priors[i].file) continue;
        SOW_TRY(sow_file_sha256(hex, k->priors[i].file, err));
        sow_text_printf(&all, "prior %s\n", hex);
        if (!k->priors[i].names) continue;
        SOW_TRY(sow_file_sha256(hex, k->priors[i].names, err));
        sow_text_printf(&all, "names %s\n", hex);
    }
    if (k->oracle.held_list) {
        SOW_TRY(sow_file_sha256(hex, k->oracle.held_list, err));
        sow_text_printf(&all, "held out %s\n", hex);
    }
    if (k->oracle.baseline) {
        SOW_TRY(sow_file_sha256(hex, k->oracle.baseline, err));
        sow_text_printf(&all, "baseline %s\n", hex);
    }
    if (all.failed) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    sow_sha256(c->world_digest, all.text ? all.text : "", all.size);
done:
    sow_text_clear(&all);
    return st;
}

sow_status sow_i_setup(sow_campaign *c, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_config *k = c->config;
    SOW_TRY(check_files(c, err));
    SOW_TRY(build_world(c, &c->given, env, err));
    SOW_TRY(digest_files(c, err));
    c->n = sow_screen_n_perturbations(c->screen);
    c->d = sow_screen_n_features(c->screen);
    c->p = sow_screen_n_covariates(c->screen);
    c->n_rounds = 1 + k->rounds.n_batches;
    SOW_TRY(find_targets(c, err));
    SOW_TRY(find_rows_of_tables(c, err));
    SOW_TRY(sow_i_pool_eligible(c, err));
    SOW_TRY(load_priors(c, given_prior(c), env, err));
    SOW_TRY(sow_i_check_contexts(c, err));
    SOW_TRY(check_needs(c, c->initial_strategy, 1, err));
    if (k->rounds.n_batches > 0) SOW_TRY(check_needs(c, c->strategy, 0, err));
    SOW_TRY(sow_i_check_budget(c, err));
    SOW_TRY(check_sizes(c, err));
    SOW_TRY(sow_i_check_allocation(c, err));
    c->has_truth = !is_kind(c, "lab");
    if (c->has_truth && strcmp(k->objective.kind, "hits") == 0) SOW_TRY(sow_i_pool_true_hits(c, err));
    if (k->guides.file)
        SOW_TRY(sow_guides_read(&c->guides, k->guides.file, k->guides.target, k->guides.id, k->guides.n_id, k->guides.sequence,
                                k->guides.n_sequence, err));
    SOW_TRY(sow_i_check_rules(c, err));
    SOW_TRY(create_oracle(c, err));
done:
    return st;
}

static void clear_site(sow_i_site *site, sow_index n)
{
    for (sow_index i = 0; site->why_not && i < n; i++)
        free(site->why_not[i]);
    free(site->why_not);
    free(site->eligible);
    free(site->held_out);
    free(site->in_pool);
    free(site->true_hit);
    if (site->has_response) sow_pca_clear(&site->response);
    sow_i_held_cells_destroy(site->held);
}

void sow_i_setup_clear(sow_campaign *c)
{
    sow_oracle_destroy(c->oracle);
    sow_guides_destroy(c->guides);
    for (sow_index i = 0; c->coverage && i < c->config->n_priors; i++)
        sow_prior_coverage_clear(&c->coverage[i]);
    free(c->coverage);
    sow_prior_clear(&c->given);
    sow_prior_set_clear(&c->model_priors);
    sow_prior_set_clear(&c->priors);
    for (sow_index s = 0; c->site && s < c->n_sites; s++)
        clear_site(&c->site[s], c->n);
    free(c->site);
    sow_names_destroy(c->held_before);
    sow_dropped_clear(&c->dropped);
    sow_i_cells_clear(c);
    sow_screen_destroy(c->screen);
}
