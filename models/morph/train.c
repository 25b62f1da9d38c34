/* The loop over epochs of every member of the ensemble, one after another. */
#include <math.h>
#include <stdlib.h>

#include "core/cells_advice.h"
#include "core/memory.h"
#include "models/morph/train_internal.h"

enum { CANCEL_STEPS = 8, CHUNKS_AHEAD = 32, MANY_CELLS = 1000000 };

void sow_i_morph_member_clear(sow_i_morph_member *m)
{
    sow_params_destroy(m->now);
    sow_params_destroy(m->mean);
    sow_params_destroy(m->best);
    free(m->history);
    free(m->moved);
    free(m->before);
    free(m->trouble);
    *m = (sow_i_morph_member){0};
}

/* The weights that a warm start goes on from. Member after member, in turn where there are fewer. */
static const sow_params *warm_weights(const sow_model *warm, sow_index index)
{
    const sow_i_morph_model *from = (const sow_i_morph_model *)warm;
    return from->member[index % from->n_members].best;
}

sow_status sow_i_morph_member_make(sow_i_morph_member *out, const sow_i_morph_model *m, sow_index index, const sow_model *warm, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_morph_settings *s = &m->s;
    sow_i_morph_member b = {.index = index, .best_epoch = -1, .best_criterion = NAN};
    *out = (sow_i_morph_member){0};
    SOW_TRY(sow_morph_params_create(&b.now, &s->sizes, SOW_F32, s->seed, (uint32_t)(s->round * 64u) + (uint32_t)index, err));
    if (warm && sow_params_copy(b.now, warm_weights(warm, index), err) != SOW_OK) {
        sow_error_prefix(err, "a warm start needs a model of the same widths, genes and priors");
        st = SOW_E_SHAPE;
        goto done;
    }
    if (s->o.mean_epochs > 0) {
        SOW_TRY(sow_params_like(&b.mean, b.now, err));
        SOW_TRY(sow_params_copy(b.mean, b.now, err));
    }
    SOW_NEW(b.history, s->o.epochs * SOW_I_SCORES);
    SOW_NEW(b.moved, m->genes.n_items);
    SOW_NEW(b.before, m->genes.n_items * s->sizes.zp);
    *out = b;
    b = (sow_i_morph_member){0};
done:
    sow_i_morph_member_clear(&b);
    return st;
}

/* ---- one epoch ---- */

typedef struct {
    int stopped;       /* a number was not finite */
    sow_index at_step;
    const char *what;
} mishap;

/* The mean reaches back so many epochs; at first over the steps there are. */
static double share_of_step(const sow_i_morph_work *w, const sow_i_morph_member *b)
{
    const double reach = w->model->s.o.mean_epochs * ceil((double)w->train.n / (double)w->model->s.o.segments), steps = (double)sow_adam_steps(b->now);
    return 1 / fmax(1, fmin(steps, reach));
}

static sow_status step(sow_i_morph_score *sum, mishap *bad, sow_i_morph_work *w, sow_i_morph_member *b, sow_index chunk, sow_index k, const sow_i_noise *noise, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_morph_settings *s = &w->model->s;
    const sow_morph_weights weights = {(double)w->alpha[b->epochs], (double)w->beta[b->epochs], s->o.gamma1, s->o.gamma2, s->mmd};
    const sow_adam_options adam = {s->o.rate, 0.9, 0.999, 1e-8, s->o.clamp, 0};
    sow_morph_values v;
    sow_morph_losses l;
    sow_tape_reset(w->tape);
    SOW_TRY(sow_i_morph_stage_fill(&w->stage, &w->train, chunk, k, &w->model->groups, &w->model->genes, s, noise, w->env, err));
    sow_morph_forward(&v, w->tape, b->now, &s->sizes, &w->stage.batch);
    sow_morph_loss(&l, w->tape, &v, &w->stage.batch, &weights);
    SOW_TRY(sow_tape_status(w->tape, err));
    const double total = sow_tape_scalar(w->tape, l.total), pred = sow_tape_scalar(w->tape, l.pred);
    if (!isfinite(total) || !isfinite(pred)) {
        *bad = (mishap){1, chunk / s->o.segments, "the loss"};
        goto done;
    }
    SOW_TRY(sow_tape_backward(w->tape, l.total, err));
    SOW_TRY(sow_adam_step(b->now, &adam, NULL, sow_env_threads(w->env), err));
    if (b->mean) SOW_TRY(sow_params_average(b->mean, b->now, share_of_step(w, b), sow_env_threads(w->env), err));
    sum->pred += pred * (double)k;
    sum->recon += sow_tape_scalar(w->tape, l.recon) * (double)k;
    sum->kl += sow_tape_scalar(w->tape, l.kl) * (double)k;
done:
    return st;
}

static sow_status say_progress(const sow_i_morph_work *w, const sow_i_morph_member *b, sow_index chunk, sow_error *err)
{
    const sow_i_morph_model *m = w->model;
    const double epochs = (double)m->s.o.epochs, within = w->train.n > 0 ? (double)chunk / (double)w->train.n : 0;
    return sow_progress(w->env, "training morph", ((double)b->index + ((double)b->epochs + within) / epochs) / (double)m->n_members, err);
}

/* The cells of the chunks from .. to - 1 are wanted soon. */
static void look_ahead(const sow_i_morph_work *w, sow_index from, sow_index to)
{
    const sow_i_morph_plan *p = &w->train;
    for (sow_index c = from; c < to && c < p->n; c++) {
        sow_i_morph_expect(&w->model->groups, SOW_I_PERTURBED, p->order + p->chunk[c].first, p->chunk[c].count);
        sow_i_morph_expect(&w->model->groups, SOW_I_CONTROLS, p->control + p->chunk[c].first, p->chunk[c].count);
    }
}

static sow_status run_epoch(sow_i_morph_score *score, mishap *bad, sow_i_morph_work *w, sow_i_morph_member *b, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_morph_model *m = w->model;
    const sow_i_morph_settings *s = &m->s;
    sow_rng latent = sow_i_morph_rng(s, SOW_RNG_LATENT, b->index, b->epochs, SOW_I_USE_NOISE);
    sow_rng prior = sow_i_morph_rng(s, SOW_RNG_LATENT, b->index, b->epochs, SOW_I_USE_PRIOR_NOISE);
    const sow_i_noise noise = {&latent, s->o.prior_noise > 0 ? &prior : NULL};
    *score = (sow_i_morph_score){0};
    SOW_TRY(sow_i_morph_plan_make(&w->train, &m->groups, s, m->fold, b->index, b->epochs, SOW_I_TRAIN, err));
    for (sow_index c = 0, steps = 0; c < w->train.n && !bad->stopped; c += s->o.segments, steps++) {
        const sow_index k = w->train.n - c < s->o.segments ? w->train.n - c : s->o.segments;
        look_ahead(w, c == 0 ? 0 : c + CHUNKS_AHEAD, c + k + CHUNKS_AHEAD);
        if (steps % CANCEL_STEPS == 0) SOW_TRY(say_progress(w, b, c, err));
        SOW_TRY(step(score, bad, w, b, c, k, &noise, err));
    }
    if (bad->stopped) goto done;
    if (!sow_params_finite(b->now, 0, NULL, sow_env_threads(w->env))) *bad = (mishap){1, (w->train.n - 1) / s->o.segments, "a weight"};
    const double n = w->train.n > 0 ? (double)w->train.n : 1;
    score->pred /= n;
    score->recon /= n;
    score->kl /= n;
    score->criterion = sow_i_morph_criterion(score, s);
done:
    return st;
}

/* ---- all epochs of one member ---- */

/* Stop with what was good. The best epoch's weights are kept in any case, so nothing has to be undone. */
static sow_status stop_at(sow_i_morph_work *w, sow_i_morph_member *b, const mishap *bad, sow_error *err)
{
    const sow_i_morph_settings *s = &w->model->s;
    char *where = sow_format("%s stopped being finite in member %lld, epoch %lld, step %lld", bad->what, (long long)b->index + 1, (long long)b->epochs + 1, (long long)bad->at_step + 1);
    if (!where) return SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
    if (!b->best) {
        const sow_status st = SOW_ERROR(err, SOW_E_NONFINITE, "training of morph: %s, before one epoch was good; lower model.learning_rate (%g) or look at the values and priors", where,
                                        s->o.rate);
        free(where);
        return st;
    }
    sow_log(w->env, SOW_LOG_WARN, "training of morph: %s; it goes on with the weights of epoch %lld, the best before; lower model.learning_rate (%g) if this is too early", where,
            (long long)b->best_epoch + 1, s->o.rate);
    b->trouble = where;
    b->done = 1;
    return SOW_OK;
}

static sow_status give_checkpoint(sow_i_morph_work *w, sow_index member, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_archive state = {0};
    const sow_checkpoints *keep = &w->options->checkpoints; /* weights move within an epoch, so every epoch's state is given */
    if (!keep->take) return SOW_OK;
    SOW_TRY(sow_i_morph_checkpoint(&state, w->model, member, err));
    SOW_TRY(keep->take(keep->user, &state, err));
done:
    sow_archive_clear(&state);
    return st;
}

static void let_go_of_training(sow_i_morph_member *b)
{
    sow_params_destroy(b->now);
    sow_params_destroy(b->mean);
    free(b->before);
    b->now = b->mean = NULL;
    b->before = NULL;
}

static sow_status train_member(sow_i_morph_work *w, sow_i_morph_member *b, sow_error *err)
{
    sow_status st = SOW_OK;
    while (!b->done) {
        sow_i_morph_score score;
        mishap bad = {0};
        SOW_TRY(run_epoch(&score, &bad, w, b, err));
        if (bad.stopped)
            SOW_TRY(stop_at(w, b, &bad, err));
        else
            SOW_TRY(sow_i_morph_note_epoch(w, b, &score, err));
        if (!bad.stopped && !b->best && b->done) SOW_TRY(stop_at(w, b, &(mishap){1, 0, "the criterion"}, err));
        if (b->done) let_go_of_training(b);
        SOW_TRY(give_checkpoint(w, b->index, err));
    }
done:
    return st;
}

/* ---- all members ---- */

static void work_clear(sow_i_morph_work *w)
{
    sow_tape_destroy(w->tape);
    sow_i_morph_stage_clear(&w->stage);
    sow_i_morph_plan_clear(&w->train);
    sow_i_morph_plan_clear(&w->judge);
    free(w->alpha);
    free(w->beta);
}

static void fill_schedules(sow_i_morph_work *w)
{
    const sow_morph_options *o = &w->model->s.o;
    const int many = w->model->groups.start[w->model->groups.n] > MANY_CELLS;
    sow_morph_schedule schedule = {o->epochs, o->alpha, o->beta, many ? 1 : 5, o->patience <= 10 ? 2 : 10};
    if (!o->reference && schedule.alpha_zero > o->epochs / 10) schedule.alpha_zero = o->epochs / 10; /* a short training has no epochs to give away */
    if (!o->reference && schedule.beta_zero > o->epochs / 5) schedule.beta_zero = o->epochs / 5;
    sow_morph_schedules(w->alpha, w->beta, &schedule);
    /* What is warm reconstructs already. And where nothing is reconstructed there is nothing to learn before the prediction, and only KL keeps the latent's variance from growing without bound. */
    const int from_the_first = w->options->warm || (!o->reference && o->gamma1 == 0 && o->gamma2 == 0);
    for (sow_index e = 0; from_the_first && e < o->epochs; e++) {
        w->alpha[e] = (float)o->alpha;
        w->beta[e] = (float)o->beta;
    }
}

static sow_status work_make(sow_i_morph_work *w, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_morph_model *m = w->model;
    const sow_index k = m->s.o.segments;
    SOW_NEW(w->alpha, m->s.o.epochs);
    SOW_NEW(w->beta, m->s.o.epochs);
    fill_schedules(w);
    SOW_TRY(sow_tape_create(&w->tape, NULL, SOW_F32, sow_env_threads(w->env), err));
    SOW_TRY(sow_i_morph_stage_make(&w->stage, &m->s, &m->genes, k, k * m->s.o.batch, err));
    SOW_TRY(sow_i_morph_groups_prepare(&m->groups, w->env, err));
done:
    return st;
}

sow_status sow_i_morph_train(sow_i_morph_model *m, const sow_model_options *options, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_morph_work w = {.model = m, .options = options, .env = env};
    SOW_TRY(work_make(&w, err));
    if (!m->groups.rows) sow_cells_expect_random(m->groups.table, 1);
    for (sow_index i = 0; i < m->n_members; i++) {
        sow_i_morph_member *b = &m->member[i];
        if (!b->history) SOW_TRY(sow_i_morph_member_make(b, m, i, options->warm, err));
        SOW_TRY(train_member(&w, b, err));
    }
    SOW_TRY(sow_progress(env, "training morph", 1, err));
done:
    sow_cells_expect_random(m->groups.table, 0);
    sow_i_morph_groups_forget(&m->groups);
    work_clear(&w);
    return st;
}
