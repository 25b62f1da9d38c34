/* How good an epoch was, which weights are kept and when it is enough. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "models/morph/train_internal.h"

double sow_i_morph_criterion(const sow_i_morph_score *x, const sow_i_morph_settings *s)
{
    if (s->o.weighted_criterion) return s->o.alpha * x->pred + x->recon + s->o.beta * x->kl;
    return s->o.beta >= 1 ? x->pred + x->recon + x->kl : x->pred + x->recon; /* as published */
}

sow_status sow_i_morph_judge(sow_i_morph_score *score, int *any, sow_i_morph_work *w, const sow_i_morph_member *b, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_morph_model *m = w->model;
    const sow_i_morph_settings *s = &m->s;
    const sow_morph_weights weights = {s->o.alpha, s->o.beta, s->o.gamma1, s->o.gamma2, s->mmd};
    /* the same noise for every epoch where controls are too, else fresh */
    sow_rng noise = sow_i_morph_rng(s, SOW_RNG_LATENT, b->index, s->o.fresh_controls ? 0 : b->epochs, SOW_I_USE_JUDGE_NOISE);
    *score = (sow_i_morph_score){0};
    SOW_TRY(sow_i_morph_plan_make(&w->judge, &m->groups, s, m->fold, b->index, b->epochs, SOW_I_JUDGE, err));
    *any = w->judge.n > 0;
    for (sow_index c = 0; c < w->judge.n; c += s->o.segments) {
        const sow_index k = w->judge.n - c < s->o.segments ? w->judge.n - c : s->o.segments;
        sow_morph_values v;
        sow_morph_losses l;
        sow_tape_reset(w->tape);
        SOW_TRY(sow_i_morph_stage_fill(&w->stage, &w->judge, c, k, &m->groups, &m->genes, s, &(sow_i_noise){&noise, NULL}, w->env, err));
        sow_morph_forward(&v, w->tape, b->mean ? b->mean : b->now, &s->sizes, &w->stage.batch);
        sow_morph_loss(&l, w->tape, &v, &w->stage.batch, &weights);
        SOW_TRY(sow_tape_status(w->tape, err));
        score->pred += sow_tape_scalar(w->tape, l.pred) * (double)k;
        score->recon += sow_tape_scalar(w->tape, l.recon) * (double)k;
        score->kl += sow_tape_scalar(w->tape, l.kl) * (double)k;
    }
    if (!*any) goto done;
    score->pred /= (double)w->judge.n;
    score->recon /= (double)w->judge.n;
    score->kl /= (double)w->judge.n;
    score->criterion = sow_i_morph_criterion(score, s);
done:
    return st;
}

static void write_history(double *row, const sow_i_morph_score *train, const sow_i_morph_score *judged, int any)
{
    const double x[SOW_I_SCORES] = {train->pred, train->recon, train->kl, train->criterion, judged->pred, judged->recon, judged->kl, judged->criterion};
    memcpy(row, x, sizeof x);
    for (sow_index j = SOW_I_SCORES / 2; j < SOW_I_SCORES && !any; j++) row[j] = NAN;
}

sow_status sow_i_morph_note_epoch(sow_i_morph_work *w, sow_i_morph_member *b, const sow_i_morph_score *train, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_morph_settings *s = &w->model->s;
    sow_i_morph_score judged;
    int any = 0;
    SOW_TRY(sow_i_morph_judge(&judged, &any, w, b, err));
    const double criterion = any ? judged.criterion : train->criterion;
    write_history(b->history + b->epochs * SOW_I_SCORES, train, &judged, any);
    if (isfinite(criterion) && (s->o.last_weights || b->best_epoch < 0 || criterion < b->best_criterion)) {
        if (!b->best) SOW_TRY(sow_params_like(&b->best, b->now, err));
        SOW_TRY(sow_params_copy(b->best, b->mean ? b->mean : b->now, err));
        b->best_criterion = criterion;
        b->best_epoch = b->epochs;
        b->since = 0;
    } else {
        b->since++;
    }
    SOW_TRY(sow_i_morph_follow(w, b, err));
    b->epochs++;
    b->done = b->epochs >= s->o.epochs || (b->since >= s->o.patience && !s->o.last_weights);
done:
    return st;
}

sow_status sow_i_morph_follow(sow_i_morph_work *w, sow_i_morph_member *b, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_morph_genes *genes = &w->model->genes;
    const sow_index zp = w->model->s.sizes.zp;
    double *now = NULL;
    SOW_NEW(now, genes->n_items * zp);
    SOW_TRY(sow_i_morph_latents(now, b->now, genes, &w->model->s, w->tape, err));
    for (sow_index i = 0; b->epochs > 0 && i < genes->n_items; i++) {
        double squared = 0;
        for (sow_index j = 0; j < zp; j++) squared += (now[i * zp + j] - b->before[i * zp + j]) * (now[i * zp + j] - b->before[i * zp + j]);
        b->moved[i] += sqrt(squared);
    }
    memcpy(b->before, now, (size_t)(genes->n_items * zp) * sizeof *now);
done:
    free(now);
    return st;
}
