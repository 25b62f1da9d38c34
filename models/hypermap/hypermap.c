/* The row `hypermap` of the model table: learned on the other contexts, adapted to the target. docs/math/hypermap.md. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "models/hypermap/row_internal.h"

static void destroy(sow_model *model)
{
    sow_i_hypermap_model *m = (sow_i_hypermap_model *)model;
    if (!m) return;
    sow_i_hypermap_adapted_clear(&m->adapted, m->n_members);
    sow_i_hypermap_doubts_clear(&m->doubts);
    free(m->apart_of);
    free(m->rest_of);
    for (sow_index b = 0; m->member && b < m->n_members; b++) {
        sow_params_destroy(m->member[b].meta);
        sow_hypermap_course_clear(&m->member[b].course);
    }
    free(m->member);
    sow_model_destroy(m->stack.base);
    sow_programs_clear(&m->programs);
    sow_i_hypermap_world_clear(&m->w);
    sow_i_hypermap_space_clear(&m->space);
    free(m->x);
    free(m->whole);
    free(m);
}

/* ---- fitting ---- */

enum { PROGRAM_STEPS = 40 };

static sow_status begin_networks(sow_i_hypermap_model *m, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_TRY(sow_i_hypermap_world_make(&m->w, &m->s, &m->space, env, err));
    m->n_members = m->s.o.members;
    SOW_NEW(m->member, m->n_members);
    m->print = sow_i_hypermap_world_print(&m->w, &m->s);
done:
    return st;
}

/* A number at a time: byte by byte the print of a large screen takes as long as its components. */
static void print_numbers(uint64_t *print, const double *x, sow_index n)
{
    for (sow_index i = 0; i < n; i++) {
        uint64_t bits;
        memcpy(&bits, x + i, sizeof bits);
        *print = (*print ^ bits ^ (bits >> 32)) * 1099511628211u;
    }
}

/* Of what programs are learned from. */
static uint64_t print_of_programs(const sow_i_hypermap_model *m)
{
    const sow_training *t = m->space.t;
    const sow_prior_set *priors = t->priors;
    uint64_t print = 1469598103934665603u;
    sow_i_hypermap_print_bytes(&print, &m->s.components, sizeof m->s.components);
    for (sow_index i = 0; i < t->n; i++) {
        if (t->context[i] == t->target) continue;
        sow_i_hypermap_print_bytes(&print, &t->context[i], sizeof *t->context);
        sow_i_hypermap_print_bytes(&print, &t->perturbation[i], sizeof *t->perturbation);
        print_numbers(&print, t->y + i * t->n_features, t->n_features);
    }
    if (priors && priors->fused_dim > 0) print_numbers(&print, priors->fused, priors->n_items * priors->fused_dim);
    return print;
}

static sow_status begin(sow_i_hypermap_model **out, const sow_training *t, const sow_model_options *options, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_hypermap_model *m = NULL;
    *out = NULL;
    SOW_NEW(m, 1);
    SOW_TRY(sow_i_hypermap_settle(&m->s, options, t, err));
    SOW_TRY(sow_i_hypermap_space_make(&m->space, &m->s, t, env, err));
    m->target = t->target;
    m->catalogue = t->catalogue;
    m->stack.weight = -1;
    for (sow_index i = 0; i < t->n; i++) m->n_seeds += t->context[i] == t->target;
    m->n_known = t->n - m->n_seeds;
    m->prior_dim = t->priors ? t->priors->fused_dim : 0;
    if (m->s.o.network) SOW_TRY(begin_networks(m, env, err));
    else m->print = print_of_programs(m);
    if (m->space.n_references == 1 && !options->warm) /* said when it was learned */
        sow_log(env, SOW_LOG_WARN, "model hypermap learns from one other context only: how contexts differ cannot be learned from it");
    *out = m;
    m = NULL;
done:
    destroy((sow_model *)m);
    return st;
}

/* Numbers of the references' rows, and where they are from. */
static sow_status learn_programs(sow_i_hypermap_model *m, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_hypermap_space *s = &m->space;
    const sow_training *t = s->t;
    const sow_prior_set *priors = t->priors && t->priors->fused_dim > 0 ? t->priors : NULL;
    double *z = NULL;
    sow_index *context = NULL, *item = NULL, n = 0;
    SOW_NEW(z, t->n * s->k);
    SOW_NEW(context, t->n);
    SOW_NEW(item, t->n);
    SOW_TRY(sow_i_hypermap_to_numbers(z, s, t->y, t->n, env, err));
    for (sow_index i = 0; i < t->n; i++) {
        if (t->context[i] == t->target) continue;
        if (n < i) memcpy(z + n * s->k, z + i * s->k, (size_t)s->k * sizeof *z);
        context[n] = sow_i_hypermap_place(s, t->context[i]);
        item[n++] = t->perturbation[i];
    }
    const sow_programs_data d = {.n = n, .k = s->k, .contexts = s->n_references, .items = s->n_items, .z = z, .context = context, .item = item, .prior_dim = priors ? priors->fused_dim : 0,
                                 .prior = priors ? priors->fused : NULL, .has_prior = priors ? priors->has_any : NULL};
    SOW_TRY(sow_programs_fit(&m->programs, &d, m->s.components, PROGRAM_STEPS, env, err));
done:
    free(z);
    free(context);
    free(item);
    return st;
}

static sow_status finish(sow_i_hypermap_model *m, const sow_training *t, const sow_model_options *options, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    if (m->n_members) SOW_TRY(sow_i_hypermap_target_controls(&m->x, &m->n_x, &m->w, m->s.seed, err));
    SOW_TRY(sow_i_hypermap_measure_shifts(m, env, err));
    if (m->s.o.stack) SOW_TRY(sow_i_hypermap_stack_make(m, t, options, env, err));
    SOW_TRY(sow_i_hypermap_adapt(&m->adapted, m, NULL, env, err));
    if (m->n_members && m->s.sizes.fusion == SOW_HYPERMAP_ROWS) SOW_TRY(sow_i_hypermap_whole(m, env, err));
    if (!m->n_members) SOW_TRY(sow_i_hypermap_doubts_make(m, env, err));
    m->space.t = NULL; /* borrowed no longer */
    m->w.env = NULL;
done:
    return st;
}

static sow_status copy_course(sow_hypermap_course *to, const sow_hypermap_course *from, sow_error *err)
{
    sow_status st = SOW_OK;
    *to = (sow_hypermap_course){.steps = from->steps, .best = from->best, .not_finite = from->not_finite};
    SOW_NEW(to->loss, from->steps);
    SOW_NEW(to->validation, from->steps);
    memcpy(to->loss, from->loss, (size_t)from->steps * sizeof(double));
    memcpy(to->validation, from->validation, (size_t)from->steps * sizeof(double));
done:
    return st;
}

static sow_status copy_programs(sow_programs *to, const sow_programs *from, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_archive a = {0};
    SOW_TRY(sow_programs_save(&a, from, err));
    SOW_TRY(sow_programs_load(to, &a, err));
done:
    sow_archive_clear(&a);
    return st;
}

/* What a model fitted on the same references has learned from them. */
static sow_status take_over(int *taken, sow_i_hypermap_model *m, const sow_model *warm, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_hypermap_model *from = (const sow_i_hypermap_model *)warm;
    *taken = from && from->print == m->print && from->n_members == m->n_members;
    if (*taken && !m->n_members) SOW_TRY(copy_programs(&m->programs, &from->programs, err));
    for (sow_index b = 0; *taken && b < m->n_members; b++) {
        SOW_TRY(sow_params_like(&m->member[b].meta, from->member[b].meta, err));
        SOW_TRY(sow_params_copy(m->member[b].meta, from->member[b].meta, err));
        SOW_TRY(copy_course(&m->member[b].course, &from->member[b].course, err));
    }
done:
    return st;
}

static sow_status fit(sow_model **out, const sow_training *t, const sow_model_options *options, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_hypermap_model *m = NULL;
    int taken = 0;
    *out = NULL;
    SOW_TRY(begin(&m, t, options, env, err));
    SOW_TRY(take_over(&taken, m, options->warm, err));
    if (!taken) SOW_TRY(m->n_members ? sow_i_hypermap_learn_all(m, options, env, err) : learn_programs(m, env, err));
    SOW_TRY(finish(m, t, options, env, err));
    *out = &m->model;
    m = NULL;
done:
    destroy((sow_model *)m);
    return st;
}

static sow_status load(sow_model **out, const sow_archive *archive, const sow_training *t, const sow_model_options *options, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_hypermap_model *m = NULL;
    *out = NULL;
    SOW_TRY(begin(&m, t, options, NULL, err)); /* what is to be said was said when it was learned */
    SOW_TRY(sow_i_hypermap_restore(m, archive, err));
    SOW_TRY(finish(m, t, options, env, err));
    *out = &m->model;
    m = NULL;
done:
    destroy((sow_model *)m);
    return st;
}

/* ---- what it can be asked ---- */

static sow_status say(double *change, const sow_i_hypermap_model *m, sow_index perturbation, sow_error *err)
{
    const sow_index d = m->space.d;
    if (!m->whole) return sow_i_hypermap_ask(change, &m->adapted, m, perturbation, err);
    for (sow_index g = 0; g < d; g++) change[g] = perturbation < m->space.n_items ? (double)m->whole[perturbation * d + g] : 0;
    return SOW_OK;
}

/* Its name, or its number where the training had no names. */
static const char *name_of(char name[80], const sow_i_hypermap_model *m, sow_index perturbation)
{
    const char *known = sow_names_get(m->catalogue, perturbation);
    if (known) snprintf(name, 80, "'%.70s'", known);
    else snprintf(name, 80, "%lld", (long long)perturbation + 1);
    return name;
}

/* Where the networks know nothing of a perturbation gp alone is asked; alone, they cannot be. */
static sow_status weight_of(double *w, const sow_i_hypermap_model *m, sow_index perturbation, sow_error *err)
{
    sow_status st = SOW_OK;
    char name[80];
    int knows = 0;
    SOW_TRY(sow_i_hypermap_knows(&knows, m, perturbation, err));
    *w = !m->stack.base ? 1 : knows ? m->stack.weight : 0;
    if (!knows && !m->stack.base && m->n_members)
        SOW_FAIL(err, SOW_E_DATA, "hypermap cannot say anything of perturbation %s: %s, leave it out (constraints.exclude), or set model.stack: true, so that gp is asked", name_of(name, m, perturbation),
                 m->w.one_hot ? "no other context has measured it, and model.hypermap.embedding one-hot (what auto is without priors) tells nothing of a perturbation that was never learned: give priors and embedding auto"
                              : "it has no prior, and too few other contexts have measured it: give it a prior");
done:
    return st;
}

/* All that is asked; var and noise may be NULL, and the networks have none. */
typedef struct {
    const sow_i_hypermap_model *m;
    const sow_query *q;
    double *mean, *var, *noise;
} asking;

/* Room for what programs or networks say of one perturbation [d]. */
typedef struct {
    double *change, *var;
} said;

enum { ASKED = 16 }; /* perturbations of a task */

/* Two Gaussians by w and 1 - w: mean and variance of the mixture, into those of gp (models/gp/gp.c joins its arms alike). */
static void mix(double *mean, double *var, double *noise, const said *x, double w, const sow_i_hypermap_model *m)
{
    for (sow_index g = 0; g < m->space.d; g++) {
        const double apart = x->change[g] - mean[g];
        if (var) var[g] = w * x->var[g] + (1 - w) * var[g] + w * (1 - w) * apart * apart;
        if (noise) noise[g] = w * m->doubts.noise[g] + (1 - w) * noise[g];
        mean[g] = w * x->change[g] + (1 - w) * mean[g];
    }
}

/* Perturbation i of the query by itself: gp's products have other last bits in other company. */
static sow_status answer(const asking *a, sow_index i, const said *x, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_hypermap_model *m = a->m;
    const sow_query *q = a->q;
    const sow_query one = {.n = 1, .perturbation = q->perturbation + i, .context = q->context + i, .cells = q->cells ? q->cells + i : NULL};
    const sow_index d = m->space.d, p = q->perturbation[i];
    double *mean = a->mean + i * d, *var = a->var ? a->var + i * d : NULL, *noise = a->noise ? a->noise + i * d : NULL, w = 1;
    SOW_TRY(weight_of(&w, m, p, err));
    if (w < 1) SOW_TRY(sow_model_predict(m->stack.base, &one, mean, var, noise, NULL, err));
    if (w == 0) goto done;
    SOW_TRY(say(x->change, m, p, err));
    if (var) SOW_TRY(sow_i_hypermap_variance(x->var, m, p, err));
    if (w == 1) {
        memset(mean, 0, (size_t)d * sizeof *mean);
        if (var) memset(var, 0, (size_t)d * sizeof *var);
        if (noise) memset(noise, 0, (size_t)d * sizeof *noise);
    }
    mix(mean, var, noise, x, w, m);
done:
    return st;
}

static sow_status answer_some(void *user, sow_index task, sow_error *err)
{
    sow_status st = SOW_OK;
    const asking *a = user;
    said x = {0};
    SOW_NEW(x.change, a->m->space.d);
    if (a->var) SOW_NEW(x.var, a->m->space.d);
    for (sow_index i = task * ASKED; i < a->q->n && i < (task + 1) * ASKED; i++) SOW_TRY(answer(a, i, &x, err));
done:
    free(x.change);
    free(x.var);
    return st;
}

static sow_status predict(const sow_model *model, const sow_query *q, double *mean, double *var, double *noise, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_hypermap_model *m = (const sow_i_hypermap_model *)model;
    const int networks = m->n_members > 0;
    asking a = {m, q, mean, networks ? NULL : var, networks ? NULL : noise};
    for (sow_index i = 0; i < q->n; i++)
        if (q->context[i] != m->target) SOW_FAIL(err, SOW_E_UNSUPPORTED, "model 'hypermap' was adapted to one context and is asked about another");
    SOW_TRY(sow_parallel_for(networks ? NULL : sow_env_threads(env), (q->n + ASKED - 1) / ASKED, answer_some, &a, err));
    for (sow_index i = 0; i < q->n * m->space.d && networks; i++) {
        if (var) var[i] = NAN;
        if (noise) noise[i] = NAN;
    }
done:
    return st;
}

static sow_status history(const sow_model *model, sow_history *out, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_hypermap_model *m = (const sow_i_hypermap_model *)model;
    out->members = m->n_members;
    for (sow_index b = 0; b < m->n_members; b++)
        if (m->member[b].course.steps > out->epochs) out->epochs = m->member[b].course.steps;
    SOW_NEW(out->trained, out->members * out->epochs);
    SOW_NEW(out->held, out->members * out->epochs);
    SOW_NEW(out->best, out->members);
    for (sow_index b = 0; b < m->n_members; b++) {
        const sow_hypermap_course *c = &m->member[b].course;
        out->best[b] = c->best;
        for (sow_index e = 0; e < out->epochs; e++) {
            out->trained[b * out->epochs + e] = e < c->steps ? c->loss[e] : (double)NAN;
            out->held[b * out->epochs + e] = e < c->steps ? c->validation[e] : (double)NAN;
        }
    }
done:
    return st;
}

static char *describe_networks(const sow_i_hypermap_model *m)
{
    static const char *const fusions[] = {"attention over the rows of a batch", "attention of weight 1", "gated attention", "weights from the context alone", "attention over learned tokens"};
    static const char *const methods[] = {"exact meta-gradients", "first-order meta-gradients", "reptile", "joint training"};
    const sow_hypermap_options *o = &m->s.o;
    const sow_i_hypermap_world *w = &m->w;
    const char *tells = w->one_hot ? "one-hot" : w->by_response && w->priors ? "their responses elsewhere and priors" : w->by_response ? "their responses elsewhere" : "priors";
    return sow_format("hypermap (network, %s): %lld network%s of %lld parameters, %lld steps of %s over %lld context%s; perturbations told by %s; %s\nadapted to %lld perturbation%s of the target, rate %.3g\n",
                      o->reference ? "as published" : "default", (long long)m->n_members, m->n_members == 1 ? "" : "s", (long long)sow_params_numbers(m->member[0].meta), (long long)m->member[0].course.steps,
                      methods[o->method], (long long)m->space.n_references, m->space.n_references == 1 ? "" : "s", tells, fusions[o->fusion], (long long)m->n_seeds, m->n_seeds == 1 ? "" : "s", o->adapt_rate);
}

/* Programs whose activity in the target is far from what it is elsewhere. */
static char *describe_programs(const sow_i_hypermap_model *m)
{
    const sow_programs *p = &m->programs;
    sow_index flipped = 0, lost = 0;
    for (sow_index r = 0; r < p->rank; r++) {
        flipped += m->adapted.activity[r] < -0.25;
        lost += fabs(m->adapted.activity[r]) <= 0.25;
    }
    return sow_format("hypermap (programs): %lld gene programs learned from %lld context%s; a context's activities spread by %.2f%s around 1\nadapted to %lld perturbation%s of the target: of the programs %lld seem lost there and %lld "
                      "flipped; of what sets the target's mean response apart %.2f is believed\n",
                      (long long)p->rank, (long long)m->space.n_references, m->space.n_references == 1 ? "" : "s", p->tau, p->tau >= SOW_PROGRAMS_MOST_TAU ? " or more" : "", (long long)m->n_seeds, m->n_seeds == 1 ? "" : "s", (long long)lost, (long long)flipped,
                      m->adapted.believed);
}

static char *describe(const sow_model *model)
{
    const sow_i_hypermap_model *m = (const sow_i_hypermap_model *)model;
    char *text = m->n_members ? describe_networks(m) : describe_programs(m);
    if (!text || !m->stack.base) return text;
    char *longer = sow_format("%smean changes: %.2f %s + %.2f gp, as seeds left out weigh them (%lld)\n", text, m->stack.weight, m->n_members ? "networks" : "programs", 1 - m->stack.weight, (long long)m->stack.held);
    free(text);
    return longer;
}

/* Networks say what they say, and not how sure they are. */
static unsigned caps_with(const sow_model_options *o)
{
    return sow_i_hypermap.caps & ~(o->hypermap.network || o->hypermap.reference ? (unsigned)SOW_CAP_VARIANCE : 0u);
}

const sow_model_class sow_i_hypermap = {
    .name = "hypermap",
    .summary = "responses of other contexts carried into the target by a few seed perturbations: gene programs whose activity a context sets, or the published hypernetwork (HyperMap)",
    .caps = SOW_CAP_PROFILE | SOW_CAP_CELLS | SOW_CAP_CONTEXTS | SOW_CAP_META | SOW_CAP_VARIANCE,
    .caps_with = caps_with,
    .fit = fit,
    .predict = predict,
    .destroy = destroy,
    .describe = describe,
    .history = history,
    .version = 1,
    .save = sow_i_hypermap_save,
    .load = load,
};
