/* Training of the loss predictor: passes over shuffled examples, the weights of the best pass on held-back rows, members averaged.
 *
 * PUBLISHED sees features and losses as they are and takes one example a step. A batch there is 32 cells of one perturbation, 32 equal
 * rows, whose mean loss and gradient are those of one. The other forms are free of scale: features are centred and divided by one
 * number for all columns, which keeps their geometry, losses are standardised, and small batches mix perturbations. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "acquisition/loss_network.h"
#include "core/memory.h"
#include "core/optim.h"

enum { PASSES = 50, CHUNK = 256, MOST_BATCH = 32, MOST_PAIRS = MOST_BATCH * (MOST_BATCH - 1) / 2, WAVE = 8 };
enum { VALIDATION, ORDER }; /* streams of a member */

static const double validation_share = 0.15;
static const sow_index least_validated = 5;    /* rows, from which some are held back */
static const sow_index worth_threads = 1 << 15; /* weights, from which a lone network is worth sharing out */

static const struct {
    double rate;
    sow_index batch, least_steps; /* few examples are passed over more often */
} recipe[] = {[SOW_I_LOSS_PUBLISHED] = {2e-3, 1, 0},
              [SOW_I_LOSS_REGRESSION] = {1e-2, 8, 1000},
              [SOW_I_LOSS_BINNED] = {1e-3, 8, 4000},
              [SOW_I_LOSS_RANKING] = {1e-2, MOST_BATCH, 300}};

typedef struct {
    sow_i_loss_form form;
    sow_i_loss_examples data; /* x and y as the network sees them */
    double *x, *y;            /* owned; NULL where the caller's are used */
    double *mean, scale;      /* [dim] of the features */
    double y_mean, y_scale;
    sow_index *bin; /* [n] BINNED */
    const double *candidates;
    sow_index m, outputs;
    uint64_t seed;
    uint32_t first; /* member of this wave */
    double *out[WAVE];
    sow_threads *threads; /* inside a network: only when there is one */
    const sow_env *env;   /* told of passes: only when there is one network */
} fit;

typedef struct {
    const fit *f;
    uint32_t number;
    sow_tape *tape;
    sow_params *now, *best;
    sow_index *train, n_train, *held, n_held; /* examples */
    double *x, *y;                            /* [CHUNK, dim], [CHUNK] of one batch */
    sow_index *bin;                           /* [CHUNK] */
    sow_index *higher, *lower, *first;        /* [MOST_PAIRS] */
} member;

/* ---- one member ---- */

static void clear_member(member *m)
{
    sow_tape_destroy(m->tape);
    sow_params_destroy(m->now);
    sow_params_destroy(m->best);
    free(m->train);
    free(m->held);
    free(m->x);
    free(m->y);
    free(m->bin);
    free(m->higher);
    free(m->lower);
    free(m->first);
}

/* Rows in a random order; the examples of the first share of them are held back. */
static sow_status split_examples(member *m, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_loss_examples *d = &m->f->data;
    sow_rng rng = sow_rng_make(m->f->seed, SOW_RNG_LOSSNET, m->number, VALIDATION);
    sow_index *order = NULL, n_held_rows = (sow_index)(validation_share * (double)d->n_rows);
    unsigned char *held = NULL;
    if (n_held_rows < 1) n_held_rows = 1;
    if (d->n_rows < least_validated) n_held_rows = 0;
    SOW_NEW(order, d->n_rows);
    SOW_NEW(held, d->n_rows);
    SOW_NEW(m->train, d->n);
    SOW_NEW(m->held, d->n);
    for (sow_index r = 0; r < d->n_rows; r++)
        order[r] = r;
    sow_rng_permute(&rng, order, d->n_rows);
    for (sow_index r = 0; r < n_held_rows; r++)
        held[order[r]] = 1;
    for (sow_index i = 0; i < d->n; i++)
        if (held[d->row[i]])
            m->held[m->n_held++] = i;
        else
            m->train[m->n_train++] = i;
done:
    free(order);
    free(held);
    return st;
}

static sow_status start_member(member *m, sow_error *err)
{
    sow_status st = SOW_OK;
    const fit *f = m->f;
    SOW_TRY(split_examples(m, err));
    SOW_NEW(m->x, CHUNK * f->data.dim);
    SOW_NEW(m->y, CHUNK);
    SOW_NEW(m->bin, CHUNK);
    SOW_NEW(m->higher, MOST_PAIRS);
    SOW_NEW(m->lower, MOST_PAIRS);
    SOW_NEW(m->first, MOST_PAIRS);
    SOW_TRY(sow_tape_create(&m->tape, NULL, SOW_F64, f->threads, err));
    SOW_TRY(sow_i_loss_params(&m->now, f->data.dim, f->outputs, SOW_F64, f->seed, m->number, err));
    SOW_TRY(sow_i_loss_params(&m->best, f->data.dim, f->outputs, SOW_F64, f->seed, m->number, err));
done:
    return st;
}

static sow_index find_pairs(member *m, sow_index k)
{
    sow_index n = 0;
    for (sow_index i = 0; i < k; i++)
        for (sow_index j = 0; j < i; j++) {
            if (m->y[i] == m->y[j]) continue;
            m->higher[n] = m->y[i] > m->y[j] ? i : j;
            m->lower[n] = m->y[i] > m->y[j] ? j : i;
            n++;
        }
    return n;
}

/* The criterion on k examples, on a tape just reset; *weight is how many comparisons are behind it. 0: there is nothing to compare. */
static sow_var criterion(member *m, const sow_index *example, sow_index k, sow_index *weight)
{
    const sow_i_loss_examples *d = &m->f->data;
    for (sow_index i = 0; i < k; i++) {
        memcpy(m->x + i * d->dim, d->x + d->row[example[i]] * d->dim, (size_t)d->dim * sizeof *m->x);
        m->y[i] = d->y[example[i]];
        if (m->f->bin) m->bin[i] = m->f->bin[example[i]];
    }
    *weight = m->f->form == SOW_I_LOSS_RANKING ? find_pairs(m, k) : k;
    if (*weight == 0) return SOW_NO_VAR;
    const sow_var out = sow_i_loss_forward(m->tape, m->now, sow_tape_constant(m->tape, m->x, k, d->dim));
    if (m->f->form == SOW_I_LOSS_RANKING) return sow_i_loss_pairs(m->tape, out, m->higher, m->lower, m->first, *weight);
    if (m->f->form == SOW_I_LOSS_BINNED) return sow_op_cross_entropy(m->tape, out, m->bin);
    return sow_op_mse(m->tape, out, sow_tape_constant(m->tape, m->y, k, 1));
}

static sow_status train_pass(member *m, sow_rng *rng, sow_index batch, const sow_adam_options *adam, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_rng_permute(rng, m->train, m->n_train);
    for (sow_index first = 0; first < m->n_train; first += batch) {
        const sow_index k = m->n_train - first < batch ? m->n_train - first : batch;
        sow_index weight = 0;
        sow_tape_reset(m->tape);
        const sow_var loss = criterion(m, m->train + first, k, &weight);
        if (weight == 0) continue;
        SOW_TRY(sow_tape_backward(m->tape, loss, err));
        SOW_TRY(sow_adam_step(m->now, adam, NULL, m->f->threads, err));
    }
done:
    return st;
}

/* Mean criterion on the examples held back; NaN where there is nothing to compare. */
static sow_status judge(double *out, member *m, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index chunk = m->f->form == SOW_I_LOSS_RANKING ? MOST_BATCH : CHUNK;
    double sum = 0, total = 0;
    for (sow_index first = 0; first < m->n_held; first += chunk) {
        sow_index weight = 0;
        sow_tape_reset(m->tape);
        const sow_var loss = criterion(m, m->held + first, m->n_held - first < chunk ? m->n_held - first : chunk, &weight);
        if (weight == 0) continue;
        SOW_TRY(sow_tape_status(m->tape, err));
        sum += (double)weight * sow_tape_scalar(m->tape, loss);
        total += (double)weight;
    }
    *out = total > 0 ? sum / total : NAN;
done:
    return st;
}

/* Leaves the weights of the best pass (without anything to judge by: of the last) in m->best. */
static sow_status train_member(member *m, sow_error *err)
{
    sow_status st = SOW_OK;
    const fit *f = m->f;
    sow_adam_options adam = SOW_ADAM_INIT;
    sow_rng rng = sow_rng_make(f->seed, SOW_RNG_LOSSNET, m->number, ORDER);
    const sow_index batch = recipe[f->form].batch, steps = (m->n_train + batch - 1) / batch;
    const sow_index enough = steps > 0 ? (recipe[f->form].least_steps + steps - 1) / steps : 0;
    const sow_index passes = enough > PASSES ? enough : PASSES;
    double least = INFINITY;
    adam.rate = recipe[f->form].rate;
    for (sow_index pass = 0; pass < passes; pass++) {
        double here = NAN;
        SOW_TRY(train_pass(m, &rng, batch, &adam, err));
        SOW_TRY(judge(&here, m, err));
        if (here < least) least = here;
        if (isnan(here) || here == least) SOW_TRY(sow_params_copy(m->best, m->now, err));
        SOW_TRY(sow_progress(f->env, "learning losses", (double)(pass + 1) / (double)passes, err));
    }
done:
    return st;
}

static sow_status predict_candidates(double *out, member *m, sow_error *err)
{
    sow_status st = SOW_OK;
    const fit *f = m->f;
    const sow_index dim = f->data.dim;
    for (sow_index first = 0; first < f->m; first += CHUNK) {
        const sow_index k = f->m - first < CHUNK ? f->m - first : CHUNK;
        for (sow_index i = 0; i < k; i++)
            for (sow_index j = 0; j < dim; j++)
                m->x[i * dim + j] = (f->candidates[(first + i) * dim + j] - f->mean[j]) / f->scale;
        sow_tape_reset(m->tape);
        sow_var value = sow_i_loss_forward(m->tape, m->best, sow_tape_constant(m->tape, m->x, k, dim));
        if (f->form == SOW_I_LOSS_BINNED) value = sow_op_softmax(m->tape, value);
        SOW_TRY(sow_tape_status(m->tape, err));
        memcpy(out + first * f->outputs, sow_tape_value(m->tape, value).data, (size_t)(k * f->outputs) * sizeof *out);
    }
done:
    return st;
}

static sow_status run_member(void *user, sow_index i, sow_error *err)
{
    sow_status st = SOW_OK;
    const fit *f = user;
    member m = {.f = f, .number = f->first + (uint32_t)i};
    SOW_TRY(start_member(&m, err));
    SOW_TRY(train_member(&m, err));
    SOW_TRY(predict_candidates(f->out[i], &m, err));
done:
    clear_member(&m);
    return st;
}

/* ---- scales ---- */

static sow_status scale_features(fit *f, const sow_i_loss_examples *e, sow_error *err)
{
    sow_status st = SOW_OK;
    double sum2 = 0;
    f->scale = 1;
    SOW_NEW(f->mean, e->dim);
    if (f->form == SOW_I_LOSS_PUBLISHED) goto done;
    SOW_NEW(f->x, e->n_rows * e->dim);
    for (sow_index r = 0; r < e->n_rows; r++)
        for (sow_index j = 0; j < e->dim; j++)
            f->mean[j] += e->x[r * e->dim + j] / (double)e->n_rows;
    for (sow_index k = 0; k < e->n_rows * e->dim; k++) {
        f->x[k] = e->x[k] - f->mean[k % e->dim];
        sum2 += f->x[k] * f->x[k];
    }
    const double scale = sqrt(sum2 / (double)(e->n_rows * e->dim));
    if (scale > 0 && isfinite(scale)) f->scale = scale;
    for (sow_index k = 0; k < e->n_rows * e->dim; k++)
        f->x[k] /= f->scale;
    f->data.x = f->x;
done:
    return st;
}

static sow_status scale_losses(fit *f, const sow_i_loss_examples *e, sow_error *err)
{
    sow_status st = SOW_OK;
    double sum2 = 0;
    f->y_scale = 1;
    if (f->form != SOW_I_LOSS_REGRESSION) goto done;
    SOW_NEW(f->y, e->n);
    for (sow_index i = 0; i < e->n; i++)
        f->y_mean += e->y[i] / (double)e->n;
    for (sow_index i = 0; i < e->n; i++)
        sum2 += (e->y[i] - f->y_mean) * (e->y[i] - f->y_mean);
    const double scale = sqrt(sum2 / (double)e->n);
    if (scale > 0 && isfinite(scale)) f->y_scale = scale;
    for (sow_index i = 0; i < e->n; i++)
        f->y[i] = (e->y[i] - f->y_mean) / f->y_scale;
    f->data.y = f->y;
done:
    return st;
}

static sow_status bin_losses(fit *f, const sow_i_loss_examples *e, sow_error *err)
{
    sow_status st = SOW_OK;
    double lowest = INFINITY, highest = -INFINITY;
    float edges[SOW_I_LOSS_BINS + 1];
    if (f->form != SOW_I_LOSS_BINNED) goto done;
    SOW_NEW(f->bin, e->n);
    for (sow_index i = 0; i < e->n; i++) {
        if (e->y[i] < lowest) lowest = e->y[i];
        if (e->y[i] > highest) highest = e->y[i];
    }
    sow_i_loss_edges(edges, lowest, highest);
    for (sow_index i = 0; i < e->n; i++)
        f->bin[i] = sow_i_loss_bin(e->y[i], edges);
done:
    return st;
}

/* ---- all members ---- */

static double prediction_of(const fit *f, const double *sum, sow_index members)
{
    sow_index best = 0;
    if (f->form != SOW_I_LOSS_BINNED) return f->y_mean + f->y_scale * (sum[0] / (double)members);
    for (sow_index b = 1; b < SOW_I_LOSS_BINS; b++)
        if (sum[b] > sum[best]) best = b;
    return isfinite(sum[best]) ? (double)best : NAN;
}

/* Adds up the members' outputs in their order, whatever the threads did first. */
static sow_status sum_members(double *sum, fit *f, sow_index members, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    if (members == 1) {
        f->env = env;
        if (sow_i_loss_hidden(f->data.dim, f->outputs) * f->data.dim >= worth_threads) f->threads = sow_env_threads(env);
        f->out[0] = sum;
        SOW_TRY(run_member(f, 0, err));
        goto done;
    }
    for (int i = 0; i < WAVE; i++)
        SOW_NEW(f->out[i], f->m * f->outputs);
    for (sow_index first = 0; first < members; first += WAVE) {
        const sow_index here = members - first < WAVE ? members - first : WAVE;
        f->first = (uint32_t)first;
        SOW_TRY(sow_parallel_for(sow_env_threads(env), here, run_member, f, err));
        for (sow_index i = 0; i < here; i++)
            for (sow_index k = 0; k < f->m * f->outputs; k++)
                sum[k] += f->out[i][k];
        SOW_TRY(sow_progress(env, "learning losses", (double)(first + here) / (double)members, err));
    }
done:
    if (members > 1)
        for (int i = 0; i < WAVE; i++)
            free(f->out[i]);
    return st;
}

sow_status sow_i_loss_fit_predict(double *out, const sow_i_loss_examples *examples, const double *candidates, sow_index m,
                                  const sow_i_loss_settings *settings, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    double *sum = NULL;
    fit f = {.form = settings->form,
             .data = *examples,
             .candidates = candidates,
             .m = m,
             .outputs = sow_i_loss_outputs(settings->form),
             .seed = settings->seed};
    SOW_TRY(sow_progress(env, "learning losses", 0, err));
    SOW_TRY(scale_features(&f, examples, err));
    SOW_TRY(scale_losses(&f, examples, err));
    SOW_TRY(bin_losses(&f, examples, err));
    SOW_NEW(sum, m * f.outputs);
    SOW_TRY(sum_members(sum, &f, settings->members, env, err));
    for (sow_index i = 0; i < m; i++) {
        out[i] = prediction_of(&f, sum + i * f.outputs, settings->members);
        if (!isfinite(out[i]))
            SOW_FAIL(err, SOW_E_NONFINITE,
                     "the predicted loss of candidate %lld is not finite: its features or the model's losses are too large", (long long)i);
    }
done:
    free(sum);
    free(f.x);
    free(f.y);
    free(f.mean);
    free(f.bin);
    return st;
}
