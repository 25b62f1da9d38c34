/* Replay of cells: a finished single-cell screen is handed out piece by piece. Nothing is remembered between rounds: every order is
 * drawn from its own stream of random numbers, and what a request gets follows from the round, from how many cells its pair had
 * before, and from n_rounds. The same class name and row of the table as replay.c.
 *
 * A technical batch is usable in a context when it has a control for every round; cells of other batches are never handed out.
 * (Were it judged round by round, the cells skipped in one round would shift the places of all later ones.) */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/rng.h"
#include "simulator/oracle_internal.h"

enum { LEAST_CONTROLS = 16, LEAST_OF_A_BATCH = 2, LEAST_OF_A_ROUND = 2 };

typedef struct {
    sow_oracle base;
    uint64_t seed;
    const sow_screen *screen;
    const sow_cells *cells;
    sow_index n_rounds, n_batches, n_contexts;
    double control_share, lost_samples;
    sow_index n_samples;
    sow_index *control; /* controls by context and technical batch, each batch's in the order drawn for it */
    sow_index *start;   /* [n_contexts * n_batches + 1] */
} replay_cells;

/* ---- controls ---- */

static sow_index controls_of_batch(const replay_cells *r, sow_index context, sow_index batch)
{
    const sow_index *at = r->start + context * r->n_batches + batch;
    return at[1] - at[0];
}

static int is_usable(const replay_cells *r, sow_index context, sow_index batch)
{
    return controls_of_batch(r, context, batch) >= r->n_rounds;
}

/* Where round `round`'s part of n things begins when they are shared out evenly. */
static sow_index share_begin(const replay_cells *r, sow_index n, sow_index round)
{
    return n / r->n_rounds * round + n % r->n_rounds * round / r->n_rounds;
}

static sow_index share_size(const replay_cells *r, sow_index context, sow_index batch, sow_index round)
{
    if (!is_usable(r, context, batch)) return 0;
    const sow_index n = controls_of_batch(r, context, batch);
    return share_begin(r, n, round + 1) - share_begin(r, n, round);
}

static sow_status order_controls(replay_cells *r, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_cells *cells = r->cells;
    const sow_index *list = NULL;
    sow_index n = 0, *fill = NULL;
    for (sow_index c = 0; c < r->n_contexts; c++)
        n += sow_cells_of(&list, cells, SOW_CONTROL, c);
    SOW_NEW(r->control, n);
    SOW_NEW(r->start, r->n_contexts * r->n_batches + 1);
    SOW_NEW(fill, r->n_batches);
    for (sow_index c = 0, at = 0; c < r->n_contexts; c++) {
        const sow_index n_here = sow_cells_of(&list, cells, SOW_CONTROL, c);
        memset(fill, 0, (size_t)r->n_batches * sizeof *fill);
        for (sow_index i = 0; i < n_here; i++)
            fill[cells->batch[list[i]]]++;
        for (sow_index b = 0; b < r->n_batches; b++) {
            at += fill[b];
            r->start[c * r->n_batches + b + 1] = at;
            fill[b] = at - fill[b];
        }
        for (sow_index i = 0; i < n_here; i++)
            r->control[fill[cells->batch[list[i]]]++] = list[i];
        for (sow_index b = 0; b < r->n_batches; b++) {
            sow_rng rng = sow_rng_make(r->seed, SOW_RNG_CONTROLS, (uint32_t)c, (uint32_t)b);
            sow_rng_permute(&rng, r->control + r->start[c * r->n_batches + b], controls_of_batch(r, c, b));
        }
    }
done:
    free(fill);
    return st;
}

/* Every round of a target context needs controls to compare with. */
static sow_status check_controls(const replay_cells *r, sow_index context, sow_error *err)
{
    sow_index usable = 0, all = 0;
    for (sow_index b = 0; b < r->n_batches; b++) {
        const sow_index n = controls_of_batch(r, context, b);
        all += n;
        if (is_usable(r, context, b)) usable += n;
    }
    if (usable >= LEAST_OF_A_ROUND * r->n_rounds) return SOW_OK;
    const char *name = sow_names_get(r->screen->contexts, context);
    if (usable == all)
        return SOW_ERROR(err, SOW_E_DATA,
                         "context %s has %lld control cells; %lld rounds need at least %lld (%d a round): plan fewer rounds", name,
                         (long long)all, (long long)r->n_rounds, (long long)(LEAST_OF_A_ROUND * r->n_rounds), LEAST_OF_A_ROUND);
    return SOW_ERROR(err, SOW_E_DATA,
                     "context %s has %lld control cells, %lld of them in technical batches with one for each round; %lld rounds "
                     "need at least %lld there (%d a round): plan fewer rounds, or "
                     "remove technical_batch",
                     name, (long long)all, (long long)usable, (long long)r->n_rounds, (long long)(LEAST_OF_A_ROUND * r->n_rounds),
                     LEAST_OF_A_ROUND);
}

/* ---- creation ---- */

static sow_status check_options(const sow_oracle_options *o, sow_error *err)
{
    if (!o->screen) return SOW_ERROR(err, SOW_E_ARG, "the replay oracle needs a finished screen");
    if (!o->cells->group_start || o->cells->n_perturbations != sow_screen_n_perturbations(o->screen) ||
        o->cells->n_contexts != sow_names_count(o->screen->contexts))
        return SOW_ERROR(err, SOW_E_ARG, "the cells are not indexed by the screen's perturbations and contexts");
    if (o->n_rounds < 1 || o->n_rounds > UINT32_MAX)
        return SOW_ERROR(err, SOW_E_ARG, "controls cannot be shared out over %lld rounds; at least 1 is needed",
                         (long long)o->n_rounds);
    if (!(o->lost_samples >= 0 && o->lost_samples < 1) || o->n_samples < 0)
        return SOW_ERROR(err, SOW_E_ARG, "of %lld samples a share of %g cannot be lost; 0 <= share < 1 is allowed", (long long)o->n_samples, o->lost_samples);
    if (!(o->control_share >= 0 && o->control_share < 1))
        return SOW_ERROR(err, SOW_E_ARG, "controls cannot be a share of %g of a round's cells; 0 <= share < 1 is allowed",
                         o->control_share);
    return SOW_OK;
}

static sow_index count_batches(const sow_cells *cells)
{
    sow_index n = 1;
    for (sow_index i = 0; i < cells->n; i++)
        if (cells->batch[i] >= n) n = (sow_index)cells->batch[i] + 1;
    return n;
}

static void destroy_replay_cells(sow_oracle *oracle)
{
    replay_cells *r = (replay_cells *)oracle;
    free(r->control);
    free(r->start);
    free(r);
}

static sow_status create_replay_cells(sow_oracle **out, const sow_oracle_options *options, sow_error *err)
{
    sow_status st = SOW_OK;
    replay_cells *r = NULL;
    *out = NULL;
    SOW_TRY(check_options(options, err));
    SOW_NEW(r, 1);
    *r = (replay_cells){.base = {&sow_i_oracle_replay_cells},
                        .seed = options->seed,
                        .screen = options->screen,
                        .cells = options->cells,
                        .n_rounds = options->n_rounds,
                        .n_batches = count_batches(options->cells),
                        .n_contexts = options->cells->n_contexts,
                        .control_share = options->control_share,
                        .lost_samples = options->lost_samples,
                        .n_samples = options->n_samples > 1 ? options->n_samples : 1};
    SOW_TRY(order_controls(r, err));
    for (sow_index c = 0; c < r->n_contexts; c++)
        if (!r->screen->context_role || r->screen->context_role[c] == SOW_ROLE_TARGET) SOW_TRY(check_controls(r, c, err));
    *out = &r->base;
    r = NULL;
done:
    if (r) destroy_replay_cells(&r->base);
    return st;
}

/* ---- cells of one request ---- */

static int by_position(const void *a, const void *b)
{
    const sow_index x = *(const sow_index *)a, y = *(const sow_index *)b;
    return (x > y) - (x < y);
}

static void say(sow_measurement *m, const char *format, ...) SOW_PRINTF(2, 3);

static void say(sow_measurement *m, const char *format, ...)
{
    const size_t used = strlen(m->reason);
    va_list list;
    va_start(list, format);
    vsnprintf(m->reason + used, sizeof m->reason - used, format, list);
    va_end(list);
}

static void say_failed(sow_measurement *m, const replay_cells *r, sow_index in_screen, sow_index usable)
{
    m->outcome = SOW_FAILED;
    if (in_screen == 0)
        say(m, "the finished screen did not measure it in %.60s", sow_names_get(r->screen->contexts, m->context));
    else if (usable == 0)
        say(m, "none of its %lld cells is in a technical batch with a control for every round", (long long)in_screen);
    else
        say(m, "all of its %lld cells in the screen were handed out in earlier rounds", (long long)usable);
}

static void say_handed_out(sow_measurement *m, const sow_request *q, sow_index in_screen, sow_index usable)
{
    const sow_index beyond = in_screen - usable;
    const int few = q->planned_cells > 0 ? m->n_cell < q->planned_cells : beyond > 0;
    m->outcome = few ? SOW_PARTIAL : SOW_MEASURED;
    if (!few) return;
    if (q->planned_cells > 0)
        say(m, "%lld of %lld planned cells are %s the screen", (long long)m->n_cell, (long long)q->planned_cells,
            q->already > 0 ? "left in" : "in");
    else
        say(m, "%lld cells", (long long)m->n_cell);
    if (beyond > 0) say(m, "; %lld more are in technical batches without controls", (long long)beyond);
}

/* Says so when the request's sample of this round is lost. The cells stay where they are: another round makes others of them. */
static int is_lost(sow_measurement *m, const replay_cells *r, const sow_request *q, sow_index round)
{
    if (!(r->lost_samples > 0)) return 0;
    sow_rng which = sow_rng_make(r->seed, SOW_RNG_ORACLE, (uint32_t)round, (uint32_t)(q->context * r->cells->n_perturbations + q->perturbation));
    const sow_index sample = sow_rng_below(&which, r->n_samples);
    sow_rng fate = sow_rng_make(r->seed, SOW_RNG_LAB, (uint32_t)round, UINT32_MAX - (uint32_t)sample); /* beside the streams of cells, which number up from 0 */
    if (!(sow_rng_uniform(&fate) < r->lost_samples)) return 0;
    m->outcome = SOW_FAILED;
    say(m, "sample %lld of the round's %lld was lost", (long long)sample + 1, (long long)r->n_samples);
    return 1;
}

/* The next of its cells, in the order drawn for the pair; `scratch` has room for all cells. */
static sow_status hand_out(sow_measurement *m, const replay_cells *r, const sow_request *q, sow_index round, sow_index *scratch, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index *list = NULL, in_screen = sow_cells_of(&list, r->cells, q->perturbation, q->context);
    const sow_index row = sow_screen_find(r->screen, q->perturbation, q->context);
    sow_index usable = 0;
    if (row >= 0) sow_i_measurement_from_row(m, r->screen, row);
    for (sow_index i = 0; i < in_screen; i++)
        if (is_usable(r, q->context, r->cells->batch[list[i]])) scratch[usable++] = list[i];
    for (sow_index j = 0; j < sow_screen_n_features(r->screen); j++)
        m->values[j] = NAN;
    if (is_lost(m, r, q, round)) {
        m->cells = m->weight = 0;
        goto done;
    }
    const sow_index left = usable > q->already ? usable - q->already : 0;
    m->n_cell = q->planned_cells > 0 && q->planned_cells < left ? q->planned_cells : left;
    m->cells = m->weight = (double)m->n_cell;
    if (m->n_cell == 0) {
        say_failed(m, r, in_screen, usable);
        goto done;
    }
    sow_rng rng = sow_rng_make(r->seed, SOW_RNG_CELLS, (uint32_t)q->context, (uint32_t)q->perturbation);
    sow_rng_permute(&rng, scratch, usable);
    SOW_NEW(m->cell, m->n_cell);
    memcpy(m->cell, scratch + q->already, (size_t)m->n_cell * sizeof *m->cell);
    qsort(m->cell, (size_t)m->n_cell, sizeof *m->cell, by_position);
    say_handed_out(m, q, in_screen, usable);
done:
    return st;
}

/* ---- controls of one round ---- */

/* So many of each technical batch's share: in proportion to its cells (Sainte-Laguë), but at least two (or all) where there are
 * cells. */
static void apportion(sow_index *take, const replay_cells *r, const sow_index *weight, sow_index context, sow_index round,
                      sow_index want)
{
    sow_index taken = 0;
    for (sow_index b = 0; b < r->n_batches; b++) {
        const sow_index share = share_size(r, context, b, round);
        take[b] = weight[b] == 0 ? 0 : share < LEAST_OF_A_BATCH ? share : LEAST_OF_A_BATCH;
        taken += take[b];
    }
    for (; taken < want; taken++) {
        sow_index best = -1;
        for (sow_index b = 0; b < r->n_batches; b++) {
            if (weight[b] == 0 || take[b] >= share_size(r, context, b, round)) continue;
            if (best < 0 || (double)weight[b] * (double)(2 * take[best] + 1) > (double)weight[best] * (double)(2 * take[b] + 1))
                best = b;
        }
        if (best < 0) return;
        take[best]++;
    }
}

/* Cells of the round in each technical batch of a context. A round that hands out no cell there still has controls: then of every
 * batch alike. Returns how many requests are in the context. */
static sow_index weigh_batches(sow_index *weight, sow_index *n_cells, const replay_cells *r, const sow_measurements *m,
                               sow_index context)
{
    sow_index n_requests = 0;
    *n_cells = 0;
    memset(weight, 0, (size_t)r->n_batches * sizeof *weight);
    for (sow_index i = 0; i < m->n; i++) {
        if (m->item[i].context != context) continue;
        n_requests++;
        *n_cells += m->item[i].n_cell;
        for (sow_index k = 0; k < m->item[i].n_cell; k++)
            weight[r->cells->batch[m->item[i].cell[k]]]++;
    }
    for (sow_index b = 0; *n_cells == 0 && b < r->n_batches; b++)
        weight[b] = 1;
    return n_requests;
}

static sow_index controls_wanted(const replay_cells *r, sow_index n_cells)
{
    const double want = ceil((double)n_cells * r->control_share / (1 - r->control_share));
    return want > LEAST_CONTROLS ? want < 1e15 ? (sow_index)want : (sow_index)1000000000000000 : LEAST_CONTROLS;
}

static sow_status add_controls(sow_measurements *out, const replay_cells *r, sow_index round, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *weight = NULL, *take = NULL, n_cells = 0, capacity = 0;
    SOW_NEW(weight, r->n_batches);
    SOW_NEW(take, r->n_batches);
    for (sow_index c = 0; c < r->n_contexts; c++) {
        if (weigh_batches(weight, &n_cells, r, out, c) == 0) continue;
        apportion(take, r, weight, c, round, controls_wanted(r, n_cells));
        for (sow_index b = 0; b < r->n_batches; b++) {
            const sow_index *share =
                r->control + r->start[c * r->n_batches + b] + share_begin(r, controls_of_batch(r, c, b), round);
            SOW_TRY(sow_grow(&out->control, &capacity, out->n_control + take[b], sizeof *out->control, err));
            for (sow_index k = 0; k < take[b]; k++)
                out->control[out->n_control++] = share[k];
        }
    }
    if (out->n_control > 0) qsort(out->control, (size_t)out->n_control, sizeof *out->control, by_position);
done:
    free(weight);
    free(take);
    return st;
}

/* ---- a round ---- */

static sow_status check_requests(const replay_cells *r, const sow_request *requests, sow_index n, sow_index round, sow_error *err)
{
    sow_status st = SOW_OK;
    unsigned char *asked = NULL;
    const sow_index p = sow_screen_n_perturbations(r->screen);
    if (round >= r->n_rounds)
        SOW_FAIL(err, SOW_E_ARG, "round %lld is beyond the %lld that the controls are shared out over", (long long)round,
                 (long long)r->n_rounds);
    SOW_NEW(asked, p * r->n_contexts);
    for (sow_index i = 0; i < n; i++) {
        unsigned char *seen = &asked[requests[i].context * p + requests[i].perturbation];
        if (requests[i].already < 0)
            SOW_FAIL(err, SOW_E_ARG, "request %lld says that %lld cells were handed out before", (long long)i,
                     (long long)requests[i].already);
        if (*seen)
            SOW_FAIL(err, SOW_E_ARG, "%s is asked for twice in one round",
                     sow_names_get(r->screen->perturbations, requests[i].perturbation));
        *seen = 1;
    }
done:
    free(asked);
    return st;
}

static sow_status measure_replay_cells(sow_measurements *out, sow_oracle *oracle, const sow_request *requests, sow_index n,
                                       sow_index round, sow_error *err)
{
    sow_status st = SOW_OK;
    const replay_cells *r = (const replay_cells *)oracle;
    sow_index *scratch = NULL;
    SOW_TRY(sow_i_measurements_init(out, requests, n, r->screen, err));
    SOW_TRY(check_requests(r, requests, n, round, err));
    SOW_NEW(scratch, r->cells->n);
    for (sow_index i = 0; i < n; i++)
        SOW_TRY(hand_out(&out->item[i], r, &requests[i], round, scratch, err));
    SOW_TRY(add_controls(out, r, round, err));
done:
    free(scratch);
    return st;
}

const sow_oracle_class sow_i_oracle_replay_cells = {
    .name = "replay",
    .summary = "hands out the cells of a finished screen",
    .needs_people = 0,
    .create = create_replay_cells,
    .measure = measure_replay_cells,
    .destroy = destroy_replay_cells,
};
