/* The outer loop of HyperMap's meta-learning. */
#include "models/hypermap/learn.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/optim.h"
#include "models/hypermap/share.h"
#include "models/hypermap/tasks.h"

enum { JUDGED_BATCHES = 4 }; /* of the validation context's other perturbations */

typedef struct {
    const sow_hypermap_sizes *sizes;
    const sow_hypermap_data *data;
    const sow_hypermap_learning *o;
    const sow_env *env;
    sow_index n_contexts, *context; /* that are learned from */
    sow_i_hypermap_doer doer;       /* of tasks; its tape and room for weights serve validation too */
    sow_params *best;               /* NULL before the first judgement */
    sow_i_hypermap_stage *stage;    /* [inner_batches + 1] of the task at hand, the query's last */
    sow_hypermap_batch *batch;      /* likewise: what the stages hold */
    sow_hypermap_dropout *dropout;  /* [(inner_batches + 1) inner_steps] */
    sow_i_hypermap_piece piece;
    sow_index *list;                /* [n_embeddings] */
    unsigned char *use;             /* [n_embeddings] */
    sow_index step, judged, since, bad; /* judged < step: the last step has moved p, and what that was worth is not known yet */
    double best_loss;
    sow_hypermap_course course;
} work;

void sow_hypermap_course_clear(sow_hypermap_course *c)
{
    free(c->loss);
    free(c->validation);
    *c = (sow_hypermap_course){0};
}

/* Of the descent. */
static sow_index supports_of(const sow_hypermap_learning *o)
{
    return o->method == SOW_HYPERMAP_JOINT ? 0 : o->inner_batches;
}

static sow_index batches_of(const sow_hypermap_learning *o)
{
    return supports_of(o) + 1;
}

static void work_clear(work *w)
{
    for (sow_index i = 0; w->stage && i < batches_of(w->o); i++) sow_i_hypermap_stage_clear(&w->stage[i]);
    sow_i_hypermap_doer_clear(&w->doer);
    sow_params_destroy(w->best);
    sow_hypermap_course_clear(&w->course);
    free(w->context);
    free(w->stage);
    free(w->batch);
    free(w->dropout);
    free(w->list);
    free(w->use);
}

/* ---- what is asked for ---- */

static sow_status check_options(const sow_hypermap_learning *o, const sow_hypermap_data *d, sow_error *err)
{
    const struct {
        const char *name;
        sow_index x, least, most;
    } n[] = {{"steps", o->steps, 1, 1000000}, {"tasks", o->tasks, 1, 1024}, {"batch", o->batch, 1, 65536}, {"inner_batches", o->inner_batches, 1, 1024}, {"inner_steps", o->inner_steps, 1, 1024},
             {"validate_every", o->validate_every, 1, 1000000}, {"patience", o->patience, 0, 1000000}, {"seeds", o->seeds, 1, 1000000}, {"most_bad", o->most_bad, 1, 1000000}, {"adapt_steps", o->adapt_steps, 0, 1000000}, {"adapt_size", o->adapt_size, 0, 1000000},
             {"validation", o->validation, -1, d->n_contexts - 1}};
    const struct {
        const char *name;
        double x, most;
    } r[] = {{"inner_rate", o->inner_rate, 1e6}, {"adapt_rate", o->adapt_rate, 1e6}, {"meta_rate", o->meta_rate, 1e6}, {"dropout", o->dropout, 0.95}, {"clip", o->clip, 1e12}};
    for (size_t i = 0; i < sizeof n / sizeof *n; i++)
        if (n[i].x < n[i].least || n[i].x > n[i].most)
            return SOW_ERROR(err, SOW_E_CONFIG, "hypermap: %s is %lld; %lld to %lld is allowed", n[i].name, (long long)n[i].x, (long long)n[i].least, (long long)n[i].most);
    for (size_t i = 0; i < sizeof r / sizeof *r; i++)
        if (!(r[i].x >= 0 && r[i].x <= r[i].most)) return SOW_ERROR(err, SOW_E_CONFIG, "hypermap: %s is %g; a number from 0 to %g is allowed", r[i].name, r[i].x, r[i].most);
    return SOW_OK;
}

static sow_status check_context(work *w, sow_index c, const char *what, sow_error *err)
{
    const sow_hypermap_data *d = w->data;
    if (d->start[c + 1] == d->start[c]) return SOW_ERROR(err, SOW_E_DATA, "hypermap: %s %lld has no cells", what, (long long)c);
    if (d->n_controls[c] < 1) return SOW_ERROR(err, SOW_E_DATA, "hypermap: %s %lld has no controls; there is nothing to predict from", what, (long long)c);
    if ((w->o->split == SOW_HYPERMAP_BY_PERTURBATIONS || c == w->o->validation) && sow_i_hypermap_perturbations(w->list, d, c) < 2)
        return SOW_ERROR(err, SOW_E_DATA, "hypermap: %s %lld has one perturbation; two are needed to learn from some and ask for others", what, (long long)c);
    return SOW_OK;
}

static sow_status choose_contexts(work *w, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(w->context, w->data->n_contexts);
    for (sow_index c = 0; c < w->data->n_contexts; c++) {
        SOW_TRY(check_context(w, c, c == w->o->validation ? "the validation context" : "context", err));
        if (c != w->o->validation) w->context[w->n_contexts++] = c;
    }
    if (w->n_contexts == 0) SOW_FAIL(err, SOW_E_DATA, "hypermap: there is no context to learn from");
done:
    return st;
}

static sow_status work_make(work *w, const sow_params *p, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_hypermap_learning *o = w->o;
    const sow_index batches = batches_of(o);
    SOW_NEW(w->list, w->data->n_embeddings);
    SOW_NEW(w->use, w->data->n_embeddings);
    SOW_TRY(choose_contexts(w, err));
    SOW_TRY(sow_i_hypermap_doer_make(&w->doer, p, w->sizes, o->method, supports_of(o) * o->inner_steps, w->env, err));
    SOW_NEW(w->stage, batches);
    SOW_NEW(w->batch, batches);
    SOW_NEW(w->dropout, batches * o->inner_steps);
    for (sow_index i = 0; i < batches; i++) SOW_TRY(sow_i_hypermap_stage_make(&w->stage[i], w->data, o->batch, err));
    SOW_NEW(w->course.loss, o->steps);
    SOW_NEW(w->course.validation, o->steps);
    w->best_loss = INFINITY;
done:
    return st;
}

/* ---- one outer step ---- */

/* The context of task k of this step. */
static sow_status draw_context(sow_index *out, work *w, sow_index k, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index n = w->n_contexts, tasks = w->o->tasks, place = w->step * tasks + k;
    const int again = !w->o->balanced && (n <= 2 * tasks); /* as published: with replacement */
    sow_rng rng = sow_rng_make(w->o->seed, SOW_RNG_STRATEGY, (uint32_t)(w->o->balanced ? place / n : w->step), again ? 1 + (uint32_t)k : 0);
    sow_index *deck = NULL;
    if (again) {
        *out = w->context[sow_rng_below(&rng, n)];
        return SOW_OK;
    }
    SOW_NEW(deck, n);
    memcpy(deck, w->context, (size_t)n * sizeof *deck);
    sow_rng_permute(&rng, deck, n);
    *out = deck[w->o->balanced ? place % n : k];
done:
    free(deck);
    return st;
}

static sow_rng stream(const work *w, sow_index k, uint32_t what)
{
    return sow_rng_make(w->o->seed, SOW_RNG_BATCHES, (uint32_t)w->step, 4 * (uint32_t)k + what);
}

/* use: 1 for the perturbations that task k learns from, 0 for those that it asks about. */
static void split_perturbations(work *w, sow_index context, sow_index k)
{
    sow_rng rng = stream(w, k, 2);
    const sow_index n = sow_i_hypermap_perturbations(w->list, w->data, context), asked = n / batches_of(w->o) < 1 ? 1 : n / batches_of(w->o);
    sow_rng_permute(&rng, w->list, n);
    memset(w->use, 1, (size_t)w->data->n_embeddings);
    for (sow_index i = 0; i < asked; i++) w->use[w->list[i]] = 0;
}

static sow_status fill(work *w, sow_index b, sow_index context, sow_i_hypermap_deck *deck, sow_error *err)
{
    const sow_i_hypermap_pairing pairing = {w->o->seed, w->o->fresh_controls ? 1 + (uint32_t)w->step : 0};
    const sow_index *rows = NULL, n = sow_i_hypermap_deal(&rows, deck, w->o->batch);
    const sow_status st = sow_i_hypermap_fill(&w->stage[b], w->data, context, rows, n, &pairing, err);
    w->batch[b] = w->stage[b].batch;
    return st;
}

static sow_status fill_task(work *w, sow_index k, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_hypermap_learning *o = w->o;
    const int apart = o->split == SOW_HYPERMAP_BY_PERTURBATIONS;
    const sow_index masks = batches_of(o) * o->inner_steps;
    sow_i_hypermap_deck support = {0}, query = {0};
    sow_index context = 0;
    SOW_TRY(draw_context(&context, w, k, err));
    if (apart) split_perturbations(w, context, k);
    SOW_TRY(sow_i_hypermap_deck_make(&support, w->data, context, apart ? w->use : NULL, 1, stream(w, k, 0), err));
    if (apart) SOW_TRY(sow_i_hypermap_deck_make(&query, w->data, context, w->use, 0, stream(w, k, 1), err));
    for (sow_index b = 0; b < supports_of(o); b++) SOW_TRY(fill(w, b, context, &support, err));
    SOW_TRY(fill(w, supports_of(o), context, apart ? &query : &support, err));
    for (sow_index s = 0; s < masks; s++)
        w->dropout[s] = (sow_hypermap_dropout){.rate = o->dropout, .seed = o->seed, .stream = (uint32_t)w->step, .call = (uint32_t)(k * masks + s)};
    w->piece = (sow_i_hypermap_piece){k, o->tasks,
                                      {.support = {o->inner_rate, o->inner_steps, supports_of(o), w->batch, w->dropout},
                                       .query = w->batch[supports_of(o)],
                                       .query_dropout = w->dropout[supports_of(o) * o->inner_steps],
                                       .env = w->env,
                                       .begin = ((double)w->step + (double)k / (double)o->tasks) / (double)o->steps,
                                       .share = 1 / (double)(o->tasks * o->steps)}};
done:
    sow_i_hypermap_deck_clear(&support);
    sow_i_hypermap_deck_clear(&query);
    return st;
}

/* An outer step as a sum over tasks. */
typedef struct {
    work *w;
    sow_params *p;
    double loss;
} outer;

static void add_task(outer *x, const sow_params *said, double loss, sow_index k)
{
    const sow_hypermap_learning *o = x->w->o;
    sow_i_hypermap_add(x->p, said, o->method, k, o->tasks);
    x->loss += loss / (double)o->tasks;
}

static sow_status order_task(void *user, sow_index k, sow_archive *order, sow_error *err)
{
    const outer *x = user;
    const sow_status st = fill_task(x->w, k, err);
    return st == SOW_OK ? sow_i_hypermap_order(order, x->p, &x->w->doer, &x->w->piece, err) : st;
}

static sow_status do_task(void *user, sow_index k, sow_error *err)
{
    sow_status st = SOW_OK;
    outer *x = user;
    const sow_params *said = NULL;
    double loss = 0;
    SOW_TRY(fill_task(x->w, k, err));
    SOW_TRY(sow_i_hypermap_do(&said, &loss, x->p, &x->w->doer, &x->w->piece, err));
    add_task(x, said, loss, k);
done:
    return st;
}

static sow_status take_task(void *user, sow_index k, const sow_archive *answer, sow_error *err)
{
    outer *x = user;
    double loss = 0;
    const sow_status st = sow_i_hypermap_answer(x->w->doer.now, &loss, answer, err);
    if (st == SOW_OK) add_task(x, x->w->doer.now, loss, k);
    return st;
}

/* SOW_E_NONFINITE: p has not moved. */
static sow_status outer_step(sow_params *p, work *w, double *loss, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_hypermap_learning *o = w->o;
    const sow_adam_options adam = {o->meta_rate, 0.9, 0.999, 1e-8, 0, o->clip};
    outer x = {w, p, 0};
    const sow_shards tasks = {sow_i_hypermap_work.name, o->tasks, order_task, do_task, take_task, &x, "training hypermap", ((double)w->step + 0.99) / (double)o->steps};
    SOW_TRY(sow_team_share(w->env, &tasks, err));
    *loss = x.loss;
    if (!isfinite(*loss) || !sow_params_finite(p, 1, NULL, sow_env_threads(w->env)))
        SOW_FAIL(err, SOW_E_NONFINITE, "hypermap: the outer gradient is not finite");
    SOW_TRY(sow_adam_step(p, &adam, NULL, sow_env_threads(w->env), err));
done:
    return st;
}

/* ---- the validation context ---- */

/* Mean loss over some batches of the perturbations that were not adapted on. */
static sow_status judge_others(double *loss, work *w, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index context = w->o->validation;
    const sow_i_hypermap_pairing pairing = {w->o->seed, 0};
    sow_i_hypermap_deck deck = {0};
    double sum = 0, cells = 0;
    SOW_TRY(sow_i_hypermap_deck_make(&deck, w->data, context, w->use, 0, sow_rng_make(w->o->seed, SOW_RNG_BATCHES, UINT32_MAX, UINT32_MAX), err));
    for (sow_index b = 0; b < JUDGED_BATCHES && (b == 0 || deck.at < deck.n); b++) {
        const sow_index *rows = NULL, n = sow_i_hypermap_deal(&rows, &deck, w->o->batch);
        sow_hypermap_values v;
        SOW_TRY(sow_i_hypermap_fill(&w->stage[0], w->data, context, rows, n, &pairing, err));
        sow_tape_reset(w->doer.tape);
        sow_hypermap_forward(&v, w->doer.tape, w->doer.now, w->sizes, &w->stage[0].batch, NULL);
        SOW_TRY(sow_tape_status(w->doer.tape, err));
        sum += (double)n * sow_tape_scalar(w->doer.tape, v.loss);
        cells += (double)n;
    }
    *loss = sum / cells;
done:
    sow_i_hypermap_deck_clear(&deck);
    return st;
}

/* The loss on the validation context's other perturbations after adapting to its seeds, the same ones every time; infinite where adapting failed. */
static sow_status judge(double *loss, const sow_params *p, work *w, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index context = w->o->validation, n = sow_i_hypermap_perturbations(w->list, w->data, context), seeds = w->o->seeds < n - 1 ? w->o->seeds : n - 1;
    sow_rng rng = sow_rng_make(w->o->seed, SOW_RNG_SPLIT, 0, (uint32_t)context);
    sow_index cells = 0;
    *loss = INFINITY;
    sow_rng_permute(&rng, w->list, n);
    memset(w->use, 0, (size_t)w->data->n_embeddings);
    for (sow_index i = 0; i < seeds; i++) w->use[w->list[i]] = 1;
    SOW_TRY(sow_params_copy(w->doer.now, p, err));
    st = sow_hypermap_adapt(w->doer.now, &cells, w->sizes, w->data, context, w->use, w->o->adapt_size, w->o->adapt_rate > 0 ? w->o->adapt_rate : w->o->inner_rate, w->o->adapt_steps, w->o->dropout, w->o->seed, w->env, err);
    if (st == SOW_E_NONFINITE) return SOW_OK;
    SOW_TRY(st);
    SOW_TRY(judge_others(loss, w, err));
    if (!isfinite(*loss)) *loss = INFINITY;
done:
    return st;
}

/* The last step. *enough: there has been no better one for long. */
static sow_status note(int *enough, const sow_params *p, work *w, sow_error *err)
{
    sow_status st = SOW_OK;
    double loss = 0;
    const sow_index last = w->step - 1;
    *enough = 0;
    w->course.validation[last] = NAN;
    if (w->o->validation < 0 || (w->step % w->o->validate_every != 0 && w->step < w->o->steps)) goto done;
    SOW_TRY(judge(&loss, p, w, err));
    w->course.validation[last] = loss;
    w->since++;
    if (loss < w->best_loss || !w->best) {
        if (!w->best) SOW_TRY(sow_params_like(&w->best, p, err));
        SOW_TRY(sow_params_copy(w->best, p, err));
        w->best_loss = loss;
        w->course.best = last;
        w->since = 0;
    }
    *enough = w->o->patience > 0 && w->since >= w->o->patience;
done:
    if (st == SOW_OK) w->judged = w->step;
    return st;
}

/* ---- interrupted trainings ---- */

enum { TRAITS = 29 };

/* What a training depends on besides its data's values. */
static void traits_of(double out[TRAITS], const work *w)
{
    const sow_hypermap_learning *o = w->o;
    const sow_hypermap_data *d = w->data;
    const double x[TRAITS] = {(double)o->steps, (double)o->tasks, (double)o->batch, (double)o->inner_batches, (double)o->inner_steps, o->inner_rate, o->meta_rate, o->dropout, o->clip,
                              (double)o->method, (double)o->split, o->balanced, o->fresh_controls, (double)o->validation, (double)o->validate_every, (double)o->patience, (double)o->seeds,
                              (double)o->most_bad, (double)(o->seed >> 32), (double)(o->seed & UINT32_MAX), (double)d->n_contexts, (double)d->genes, (double)d->embedding, (double)d->n_embeddings,
                              (double)d->start[d->n_contexts], (double)w->sizes->fusion, o->adapt_rate, (double)o->adapt_steps, (double)o->adapt_size};
    memcpy(out, x, sizeof x);
}

static sow_status put_state(sow_archive *a, const sow_params *p, const work *w, sow_error *err)
{
    sow_status st = SOW_OK;
    double traits[TRAITS];
    traits_of(traits, w);
    SOW_TRY(sow_archive_put(a, "traits", SOW_ARCHIVE_F64, traits, TRAITS, 1, err));
    SOW_TRY(sow_archive_put(a, "loss", SOW_ARCHIVE_F64, w->course.loss, w->step, 1, err));
    SOW_TRY(sow_archive_put(a, "validation", SOW_ARCHIVE_F64, w->course.validation, w->step, 1, err));
    SOW_TRY(sow_archive_put_integer(a, "step", w->step, err));
    SOW_TRY(sow_archive_put_integer(a, "since", w->since, err));
    SOW_TRY(sow_archive_put_integer(a, "bad", w->bad, err));
    SOW_TRY(sow_archive_put_integer(a, "not_finite", w->course.not_finite, err));
    SOW_TRY(sow_archive_put_integer(a, "best", w->best ? w->course.best : -1, err));
    SOW_TRY(sow_archive_put_number(a, "best_loss", w->best_loss, err));
    SOW_TRY(sow_params_save(a, "now", p, 1, err));
    if (w->best) SOW_TRY(sow_params_save(a, "best", w->best, 0, err));
done:
    return st;
}

static sow_status get_index(sow_index *out, const sow_archive *a, const char *name, sow_index least, sow_index most, sow_error *err)
{
    int64_t x = 0;
    const sow_status st = sow_archive_get_integer(&x, a, name, err);
    if (st != SOW_OK) return st;
    if (x < least || x > most) return SOW_ERROR(err, SOW_E_DATA, "hypermap: '%s' of the interrupted training is %lld; %lld to %lld is expected", name, (long long)x, (long long)least, (long long)most);
    *out = x;
    return SOW_OK;
}

static sow_status get_state(sow_params *p, work *w, const sow_archive *a, sow_error *err)
{
    sow_status st = SOW_OK;
    const void *was = NULL, *loss = NULL, *validation = NULL;
    double traits[TRAITS];
    sow_index best = -1;
    traits_of(traits, w);
    SOW_TRY(sow_archive_get(&was, a, "traits", SOW_ARCHIVE_F64, TRAITS, 1, err));
    if (memcmp(was, traits, sizeof traits) != 0) SOW_FAIL(err, SOW_E_DATA, "hypermap: the interrupted training had other settings or data; begin again");
    SOW_TRY(get_index(&w->step, a, "step", 0, w->o->steps, err));
    w->judged = w->step;
    SOW_TRY(get_index(&w->since, a, "since", 0, w->step, err));
    SOW_TRY(get_index(&w->bad, a, "bad", 0, w->step, err));
    SOW_TRY(get_index(&w->course.not_finite, a, "not_finite", 0, w->step, err));
    SOW_TRY(get_index(&best, a, "best", -1, w->step - 1, err));
    SOW_TRY(sow_archive_get_number(&w->best_loss, a, "best_loss", err));
    SOW_TRY(sow_archive_get(&loss, a, "loss", SOW_ARCHIVE_F64, w->step, 1, err));
    SOW_TRY(sow_archive_get(&validation, a, "validation", SOW_ARCHIVE_F64, w->step, 1, err));
    memcpy(w->course.loss, loss, (size_t)w->step * sizeof(double));
    memcpy(w->course.validation, validation, (size_t)w->step * sizeof(double));
    SOW_TRY(sow_params_load(p, a, "now", 1, err));
    if (best < 0) goto done;
    w->course.best = best;
    SOW_TRY(sow_params_like(&w->best, p, err));
    SOW_TRY(sow_params_load(w->best, a, "best", 0, err));
done:
    return st;
}

/* ---- the loop ---- */

/* A step that is not finite is noted and left out, as long as there are not too many in a row. */
static sow_status try_step(sow_params *p, work *w, sow_error *err)
{
    sow_error why = {0};
    const sow_status st = outer_step(p, w, &w->course.loss[w->step], &why);
    if (st == SOW_OK) {
        w->bad = 0;
        return SOW_OK;
    }
    if (st != SOW_E_NONFINITE) {
        if (err) *err = why;
        return st;
    }
    w->course.loss[w->step] = NAN;
    w->course.not_finite++;
    if (++w->bad < w->o->most_bad) return SOW_OK;
    return SOW_ERROR(err, SOW_E_NONFINITE, "hypermap: outer steps %lld to %lld are not finite (%s): lower model.hypermap.inner_rate (%g) or model.hypermap.meta_rate (%g)", (long long)(w->step - w->bad + 2), (long long)w->step + 1, why.message,
                     w->o->inner_rate, w->o->meta_rate);
}

static sow_status give_state(const sow_params *p, const work *w, const sow_checkpoints *keep, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_archive state = {0};
    SOW_TRY(put_state(&state, p, w, err));
    SOW_TRY(keep->take(keep->user, &state, err));
done:
    sow_archive_clear(&state);
    return st;
}

static sow_status one_more(int *enough, sow_params *p, work *w, const sow_checkpoints *keep, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_TRY(sow_progress(w->env, "training hypermap", (double)w->step / (double)w->o->steps, err));
    SOW_TRY(try_step(p, w, err));
    w->step++;
    SOW_TRY(note(enough, p, w, err));
    if (keep && (!keep->due || keep->due(keep->user))) SOW_TRY(give_state(p, w, keep, err));
done:
    return st;
}

/* Until a step ends nothing has moved: the weights are the state, which need not be held beside them for an interruption. */
static sow_status train(sow_params *p, work *w, const sow_checkpoints *keep, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index begin = w->step;
    int enough = w->o->patience > 0 && w->since >= w->o->patience;
    while (st == SOW_OK && w->step < w->o->steps && !enough) st = one_more(&enough, p, w, keep, err);
    if (st == SOW_OK) st = sow_progress(w->env, "training hypermap", 1, err);
    if (st == SOW_OK && keep && keep->due && w->step > begin) return give_state(p, w, keep, err); /* what comes after may be interrupted too */
    if (st == SOW_E_CANCELLED && keep && keep->due && w->step > begin && w->judged == w->step) {
        const sow_status kept = give_state(p, w, keep, NULL);
        if (kept != SOW_OK) sow_log(w->env, SOW_LOG_WARN, "the training of hypermap cannot be kept as it was when interrupted: %s", sow_status_text(kept));
    }
    return st;
}

sow_status sow_hypermap_learn(sow_params *p, sow_hypermap_course *course, const sow_hypermap_sizes *sizes, const sow_hypermap_data *data, const sow_hypermap_learning *o, const sow_archive *resume,
                              const sow_checkpoints *keep, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    work w = {.sizes = sizes, .data = data, .o = o, .env = env};
    *course = (sow_hypermap_course){0};
    SOW_TRY(check_options(o, data, err));
    SOW_TRY(work_make(&w, p, err));
    if (resume) SOW_TRY(get_state(p, &w, resume, err));
    SOW_TRY(train(p, &w, keep, err));
    if (w.best) SOW_TRY(sow_params_copy(p, w.best, err));
    else w.course.best = w.step - 1;
    w.course.steps = w.step;
    *course = w.course;
    w.course = (sow_hypermap_course){0};
done:
    work_clear(&w);
    return st;
}
