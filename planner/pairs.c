#include "planner/pairs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"

sow_status sow_i_block_of(sow_i_block *b, const sow_campaign *c, const sow_index *pair, sow_index n, sow_index site, sow_error *err)
{
    sow_status st = SOW_OK;
    *b = (sow_i_block){0};
    SOW_NEW(b->at, n);
    SOW_NEW(b->perturbation, n);
    for (sow_index i = 0; i < n; i++) {
        if (pair[i] / c->n != site) continue;
        b->at[b->n] = i;
        b->perturbation[b->n++] = pair[i] % c->n;
    }
done:
    if (st != SOW_OK) sow_i_block_clear(b);
    return st;
}

void sow_i_block_clear(sow_i_block *b)
{
    free(b->at);
    free(b->perturbation);
    *b = (sow_i_block){0};
}

/* The query of a block: its context, and cells (NaN = not known). */
typedef struct {
    sow_query view;
    sow_index *context;
    double *cells;
} block_query;

static void query_clear(block_query *q)
{
    free(q->context);
    free(q->cells);
}

static sow_status query_make(block_query *q, const sow_campaign *c, const sow_i_block *b, double cells, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(q->context, b->n);
    SOW_NEW(q->cells, b->n);
    for (sow_index i = 0; i < b->n; i++) {
        q->context[i] = c->here->target;
        q->cells[i] = cells;
    }
    q->view = (sow_query){.n = b->n, .perturbation = b->perturbation, .context = q->context, .cells = q->cells};
done:
    return st;
}

/* ---- predictions ---- */

static void scatter(double *out, const double *x, const sow_i_block *b, sow_index d)
{
    for (sow_index i = 0; out && i < b->n; i++)
        memcpy(&out[b->at[i] * d], &x[i * d], (size_t)d * sizeof *out);
}

static sow_status predict_block(double *mean, double *var, double *noise, sow_campaign *c, const sow_i_block *b, double cells, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    block_query q = {0};
    double *m = NULL, *v = NULL, *s = NULL;
    SOW_TRY(sow_i_fit(c, env, err));
    SOW_TRY(query_make(&q, c, b, cells, err));
    SOW_NEW(m, b->n * c->d);
    if (var) SOW_NEW(v, b->n * c->d);
    if (noise) SOW_NEW(s, b->n * c->d);
    SOW_TRY(sow_model_predict(c->here->model, &q.view, m, v, s, env, err));
    scatter(mean, m, b, c->d);
    scatter(var, v, b, c->d);
    scatter(noise, s, b, c->d);
done:
    query_clear(&q);
    free(m);
    free(v);
    free(s);
    return st;
}

sow_status sow_i_predict_pairs(double *mean, double *var, double *noise, sow_campaign *c, const sow_index *pair, sow_index n, const sow_env *env, sow_error *err)
{
    return sow_i_predict_pairs_with(mean, var, noise, c, pair, n, (double)NAN, env, err);
}

sow_status sow_i_predict_pairs_with(double *mean, double *var, double *noise, sow_campaign *c, const sow_index *pair, sow_index n, double cells, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_block b = {0};
    for (sow_index s = 0; s < c->n_sites; s++) {
        sow_i_go(c, s);
        SOW_TRY(sow_i_block_of(&b, c, pair, n, s, err));
        if (b.n > 0) SOW_TRY(predict_block(mean, var, noise, c, &b, cells, env, err));
        sow_i_block_clear(&b);
    }
done:
    sow_i_go(c, 0);
    sow_i_block_clear(&b);
    return st;
}

/* ---- joint posteriors ---- */

typedef struct {
    sow_posterior base;
    sow_index n_parts;
    sow_posterior **part; /* [n_parts] NULL where a site has no candidate */
    sow_i_block *block;   /* [n_parts] */
    sow_index *part_of, *place; /* [n] */
} joined;

static void joined_destroy(sow_posterior *p)
{
    joined *j = (joined *)p;
    for (sow_index s = 0; s < j->n_parts; s++) {
        if (j->part) sow_posterior_destroy(j->part[s]);
        if (j->block) sow_i_block_clear(&j->block[s]);
    }
    free(j->part);
    free(j->block);
    free(j->part_of);
    free(j->place);
    free(j->base.mean);
    free(j->base.var);
    free(j->base.noise);
    free(j);
}

static sow_status joined_column(const sow_posterior *p, sow_index i, double *column, sow_error *err)
{
    sow_status st = SOW_OK;
    const joined *j = (const joined *)p;
    const sow_posterior *part = j->part[j->part_of[i]];
    const sow_i_block *b = &j->block[j->part_of[i]];
    double *own = NULL;
    SOW_NEW(own, part->n);
    SOW_TRY(part->column(part, j->place[i], own, err));
    memset(column, 0, (size_t)p->n * sizeof *column);
    for (sow_index k = 0; k < b->n; k++)
        column[b->at[k]] = own[k];
done:
    free(own);
    return st;
}

static sow_status joined_draw(const sow_posterior *p, sow_rng *rng, sow_index s, double *draws, sow_error *err)
{
    sow_status st = SOW_OK;
    const joined *j = (const joined *)p;
    double *own = NULL;
    SOW_NEW(own, s * p->n);
    for (sow_index k = 0; k < j->n_parts; k++) {
        const sow_i_block *b = &j->block[k];
        if (!j->part[k]) continue;
        SOW_TRY(j->part[k]->draw(j->part[k], rng, s, own, err));
        for (sow_index t = 0; t < s; t++)
            for (sow_index i = 0; i < b->n; i++)
                draws[t * p->n + b->at[i]] = own[t * b->n + i];
    }
done:
    free(own);
    return st;
}

static sow_status ask_block(sow_posterior **out, sow_campaign *c, const sow_i_block *b, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    block_query q = {0};
    SOW_TRY(sow_i_fit(c, env, err));
    SOW_TRY(query_make(&q, c, b, (double)NAN, err));
    SOW_TRY(sow_model_posterior(out, c->here->model, &q.view, env, err));
done:
    query_clear(&q);
    return st;
}

static sow_status joined_make(joined *j, sow_campaign *c, const sow_index *pair, sow_index n, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    j->base = (sow_posterior){.n = n, .column = joined_column, .draw = joined_draw, .destroy = joined_destroy};
    j->n_parts = c->n_sites;
    SOW_NEW(j->part, c->n_sites);
    SOW_NEW(j->block, c->n_sites);
    SOW_NEW(j->part_of, n);
    SOW_NEW(j->place, n);
    SOW_NEW(j->base.mean, n);
    SOW_NEW(j->base.var, n);
    SOW_NEW(j->base.noise, n);
    for (sow_index s = 0; s < c->n_sites; s++) {
        sow_i_go(c, s);
        SOW_TRY(sow_i_block_of(&j->block[s], c, pair, n, s, err));
        if (j->block[s].n == 0) continue;
        SOW_TRY(ask_block(&j->part[s], c, &j->block[s], env, err));
        scatter(j->base.mean, j->part[s]->mean, &j->block[s], 1);
        scatter(j->base.var, j->part[s]->var, &j->block[s], 1);
        scatter(j->base.noise, j->part[s]->noise, &j->block[s], 1);
        for (sow_index k = 0; k < j->block[s].n; k++) {
            j->part_of[j->block[s].at[k]] = s;
            j->place[j->block[s].at[k]] = k;
        }
    }
done:
    sow_i_go(c, 0);
    return st;
}

sow_status sow_i_posterior_of_pairs(sow_posterior **out, sow_campaign *c, const sow_index *pair, sow_index n, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    joined *j = NULL;
    sow_i_block all = {0};
    *out = NULL;
    if (c->n_sites == 1) {
        SOW_TRY(sow_i_block_of(&all, c, pair, n, 0, err));
        st = ask_block(out, c, &all, env, err);
        goto done;
    }
    SOW_NEW(j, 1);
    SOW_TRY(joined_make(j, c, pair, n, env, err));
    *out = &j->base;
    j = NULL;
done:
    if (j) joined_destroy(&j->base);
    sow_i_block_clear(&all);
    return st;
}
