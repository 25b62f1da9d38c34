/* Reference contexts played as if they were new: every strategy chooses seeds, the campaign's model is fitted on them and on the other references, and the rest is judged. */
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "planner/seeds_internal.h"

enum { LEAST_SCORED = 2, LEAST_SHARED = 3 };

/* One reference while it is played. */
typedef struct {
    sow_i_seeds *e;
    sow_i_replay *x;
    sow_i_context_rows rows;
    sow_index *candidate, *place; /* [possible] catalogue positions, and which of its rows */
    sow_pick *pick;
    sow_index *seed;
    sow_i_context_training *first; /* a model that learns from other contexts first does so once: its fit, and what it borrows from */
    sow_model *warm;
} player;

static void player_clear(player *p)
{
    sow_model_destroy(p->warm);
    if (p->first) sow_i_context_training_clear(p->first);
    free(p->first);
    free(p->candidate);
    free(p->place);
    free(p->pick);
    free(p->seed);
    sow_i_context_rows_clear(&p->rows);
}

/* The model on these seeds; each of the other rows' values. */
static sow_status fit_and_judge(player *p, sow_index n_seeds, double *value, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_campaign *c = p->e->c;
    sow_i_context_training *t = NULL;
    const int keep = (c->model_class->caps & SOW_CAP_META) && !p->first;
    SOW_NEW(t, 1);
    SOW_TRY(sow_i_context_training_make(t, &p->rows, p->seed, n_seeds, sow_i_sees_cells(c, c->model_class), p->e->env, err));
    if (keep) p->first = t;
    SOW_TRY(sow_i_context_score(value, keep ? &p->warm : NULL, &p->rows, t, c->model_class, p->warm, p->e->env, err));
done:
    if (t && t != p->first) {
        sow_i_context_training_clear(t);
        free(t);
    }
    return st;
}

/* What the draws before chose already is not played again: it would count one replay several times. */
static int chosen_before(const player *p, sow_index strategy, sow_index draw, sow_index count)
{
    const size_t n = (size_t)p->x->n;
    const unsigned char *now = &p->x->seed[sow_i_run(p->e, strategy, draw, count) * p->x->n];
    for (sow_index k = 0; k < draw; k++)
        if (memcmp(now, &p->x->seed[sow_i_run(p->e, strategy, k, count) * p->x->n], n) == 0) return 1;
    return 0;
}

static sow_status play_run(player *p, sow_index strategy, sow_index draw, sow_index count, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_seeds *e = p->e;
    const sow_index run = sow_i_run(e, strategy, draw, count), n = e->count[count];
    if (n > p->x->possible || n + LEAST_SCORED > p->x->n) return SOW_OK;
    SOW_TRY(sow_i_pick_seeds(p->pick, n, e->strategy[strategy], &p->rows, p->candidate, p->x->possible, draw, 0, e->env, err));
    for (sow_index i = 0; i < n; i++) {
        p->seed[i] = p->place[p->pick[i].candidate];
        p->x->seed[run * p->x->n + p->seed[i]] = 1;
    }
    if (chosen_before(p, strategy, draw, count)) return SOW_OK;
    SOW_TRY(fit_and_judge(p, n, &p->x->value[run * p->x->n * e->measures.n_columns], err));
    p->x->played[run] = 1;
done:
    return st;
}

static sow_status play_all(player *p, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_seeds *e = p->e;
    for (sow_index s = 0; s < e->n_strategies; s++)
        for (sow_index draw = 0; draw < e->n_draws; draw++)
            for (sow_index k = 0; k < e->n_counts; k++) {
                SOW_TRY(sow_progress(e->env, "replaying references", e->done++ / e->total, err));
                if (sow_i_strategy_plays(e->strategy[s], e->n_references - 1)) SOW_TRY(play_run(p, s, draw, k, err));
            }
done:
    return st;
}

static sow_status find_candidates(player *p, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_context_rows *r = &p->rows;
    p->x->n = sow_i_n_new(r);
    SOW_NEW(p->candidate, p->x->n);
    SOW_NEW(p->place, p->x->n);
    SOW_NEW(p->pick, p->x->n);
    SOW_NEW(p->seed, p->x->n);
    for (sow_index i = 0; i < p->x->n; i++) { /* in the order of the catalogue, as candidates come */
        const sow_index q = r->perturbation[r->n_known + i];
        if (!p->e->c->here->in_pool[q]) continue;
        p->candidate[p->x->possible] = q;
        p->place[p->x->possible++] = i;
    }
done:
    return st;
}

static sow_status play(sow_i_seeds *e, sow_i_replay *x, sow_error *err)
{
    sow_status st = SOW_OK;
    player p = {.e = e, .x = x};
    const sow_index runs = e->n_strategies * e->n_draws * e->n_counts;
    e->reference[x->context] = 0;
    st = sow_i_context_rows_make(&p.rows, e->c, e->reference, x->context, NULL, NULL, err);
    e->reference[x->context] = 1;
    SOW_TRY(st);
    SOW_TRY(find_candidates(&p, err));
    SOW_TRY(sow_i_rank_genes(&p.rows, e->env, err));
    SOW_NEW(x->played, runs);
    SOW_NEW(x->seed, runs * x->n);
    SOW_NEW(x->value, runs * x->n * e->measures.n_columns);
    SOW_TRY(play_all(&p, err));
done:
    player_clear(&p);
    return st;
}

sow_status sow_i_replay_references(sow_i_seeds *e, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index contexts = sow_names_count(e->c->screen->contexts);
    if (e->n_references < 2) return SOW_OK;
    SOW_NEW(e->replay, e->n_references);
    for (sow_index k = 0; k < contexts; k++) {
        if (!e->reference[k]) continue;
        const sow_index shared = sow_i_shared_count(e->c, k, e->reference);
        if (shared >= LEAST_SHARED) e->replay[e->n_replays++].context = k;
        else
            sow_log(e->env, SOW_LOG_WARN, "context %s is not replayed: %lld of its perturbations %s measured in another reference too, and at least %d must be", sow_names_get(e->c->screen->contexts, k),
                    (long long)shared, shared == 1 ? "is" : "are", LEAST_SHARED);
    }
    e->total = (double)(e->n_replays * e->n_strategies * e->n_draws * e->n_counts);
    for (sow_index i = 0; i < e->n_replays; i++) SOW_TRY(play(e, &e->replay[i], err));
done:
    return st;
}
