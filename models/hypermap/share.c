/* Tasks of an outer step are the fixed shards of its gradient: each is done whole in one process, from the weights and its cells, and they are added in order. */
#include "models/hypermap/share.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"

/* ---- doing a task ---- */

sow_status sow_i_hypermap_doer_make(sow_i_hypermap_doer *d, const sow_params *like, const sow_hypermap_sizes *sizes, sow_hypermap_method method, sow_index most_steps, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    *d = (sow_i_hypermap_doer){.method = method, .sizes = sizes};
    SOW_TRY(sow_params_like(&d->now, like, err));
    SOW_TRY(sow_tape_create(&d->tape, NULL, SOW_F32, sow_env_threads(env), err));
    if (method != SOW_HYPERMAP_REPTILE) SOW_TRY(sow_hypermap_meta_create(&d->meta, sizes, SOW_F32, most_steps, sow_env_threads(env), err));
done:
    return st;
}

void sow_i_hypermap_doer_clear(sow_i_hypermap_doer *d)
{
    sow_hypermap_meta_destroy(d->meta);
    sow_tape_destroy(d->tape);
    sow_params_destroy(d->now);
    *d = (sow_i_hypermap_doer){0};
}

/* The query is one more batch of the descent, and its loss that before the first step on it. */
static sow_status walk(double *loss, const sow_params *p, sow_i_hypermap_doer *d, const sow_hypermap_task *task, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_hypermap_descent all = task->support;
    double *each = NULL;
    all.n_batches++;
    SOW_NEW(each, all.n_batches * all.steps);
    SOW_TRY(sow_params_copy(d->now, p, err));
    SOW_TRY(sow_hypermap_descend(d->now, d->tape, d->sizes, &all, each, err));
    *loss = each[task->support.n_batches * all.steps];
done:
    free(each);
    return st;
}

sow_status sow_i_hypermap_do(const sow_params **said, double *loss, const sow_params *p, sow_i_hypermap_doer *d, const sow_i_hypermap_piece *piece, sow_error *err)
{
    if (d->method != SOW_HYPERMAP_REPTILE) return sow_hypermap_meta_one(said, p, d->meta, &piece->task, piece->k, piece->n_tasks, d->method == SOW_HYPERMAP_FIRST_ORDER, loss, err);
    *said = d->now;
    return walk(loss, p, d, &piece->task, err);
}

/* The gradients of p += share (p - end). */
static void add_way(sow_params *p, const sow_params *end, double share, int first)
{
    for (sow_index i = 0; i < sow_params_count(p); i++) {
        const sow_tensor g = sow_params_grad(p, i), a = sow_params_value(p, i), b = sow_params_value(end, i);
        float *to = g.data;
        const float *from = a.data, *at = b.data;
        for (sow_index j = 0; j < g.rows * g.cols; j++) to[j] = (float)((first ? 0 : (double)to[j]) + share * ((double)from[j] - (double)at[j]));
    }
}

void sow_i_hypermap_add(sow_params *p, const sow_params *said, sow_hypermap_method method, sow_index k, sow_index n_tasks)
{
    if (method == SOW_HYPERMAP_REPTILE) add_way(p, said, 1 / (double)n_tasks, k == 0);
    else sow_hypermap_meta_add(p, said, k, n_tasks);
}

/* ---- what is sent ---- */

enum { WHOLE_NUMBERS = 13, NUMBERS = 3, BATCH_SIZES = 2, NAME = 48 };

static const char *part(char name[NAME], sow_index batch, const char *what)
{
    snprintf(name, NAME, "batch/%lld/%s", (long long)batch, what);
    return name;
}

static sow_status put_batch(sow_archive *a, sow_index index, const sow_hypermap_batch *b, const sow_hypermap_sizes *s, sow_error *err)
{
    sow_status st = SOW_OK;
    char name[NAME];
    const int64_t size[BATCH_SIZES] = {b->n, b->n_e};
    SOW_TRY(sow_archive_put(a, part(name, index, "size"), SOW_ARCHIVE_I64, size, BATCH_SIZES, 1, err));
    SOW_TRY(sow_archive_put(a, part(name, index, "x"), SOW_ARCHIVE_F32, b->x, b->n, sow_hypermap_cell_width(s), err));
    SOW_TRY(sow_archive_put(a, part(name, index, "e"), SOW_ARCHIVE_F32, b->e, b->n_e, s->embedding, err));
    SOW_TRY(sow_archive_put(a, part(name, index, "e_row"), SOW_ARCHIVE_I64, b->e_row, b->n, 1, err));
    SOW_TRY(sow_archive_put(a, part(name, index, "y"), SOW_ARCHIVE_F32, b->y, b->n, s->genes, err));
done:
    return st;
}

static sow_status get_batch(sow_hypermap_batch *b, const sow_archive *a, sow_index index, const sow_hypermap_sizes *s, sow_error *err)
{
    sow_status st = SOW_OK;
    char name[NAME];
    const void *size = NULL, *e_row = NULL;
    *b = (sow_hypermap_batch){0};
    SOW_TRY(sow_archive_get(&size, a, part(name, index, "size"), SOW_ARCHIVE_I64, BATCH_SIZES, 1, err));
    b->n = b->n_x = ((const int64_t *)size)[0];
    b->n_e = ((const int64_t *)size)[1];
    SOW_TRY(sow_archive_get(&b->x, a, part(name, index, "x"), SOW_ARCHIVE_F32, b->n, sow_hypermap_cell_width(s), err));
    SOW_TRY(sow_archive_get(&b->e, a, part(name, index, "e"), SOW_ARCHIVE_F32, b->n_e, s->embedding, err));
    SOW_TRY(sow_archive_get(&e_row, a, part(name, index, "e_row"), SOW_ARCHIVE_I64, b->n, 1, err));
    SOW_TRY(sow_archive_get(&b->y, a, part(name, index, "y"), SOW_ARCHIVE_F32, b->n, s->genes, err));
    b->e_row = e_row;
done:
    return st;
}

/* Four numbers a pass: rate in one array, seed, stream and call in another. */
static sow_status put_dropout(sow_archive *a, const sow_hypermap_dropout *d, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    double *rate = NULL;
    int64_t *key = NULL;
    SOW_NEW(rate, n);
    SOW_NEW(key, 3 * n);
    for (sow_index i = 0; i < n; i++) {
        rate[i] = d[i].rate;
        memcpy(&key[3 * i], &d[i].seed, sizeof *key);
        key[3 * i + 1] = d[i].stream;
        key[3 * i + 2] = d[i].call;
    }
    SOW_TRY(sow_archive_put(a, "dropout/rate", SOW_ARCHIVE_F64, rate, n, 1, err));
    SOW_TRY(sow_archive_put(a, "dropout/key", SOW_ARCHIVE_I64, key, n, 3, err));
done:
    free(rate);
    free(key);
    return st;
}

static sow_status get_dropout(sow_hypermap_dropout *d, const sow_archive *a, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    const void *rate = NULL, *key = NULL;
    SOW_TRY(sow_archive_get(&rate, a, "dropout/rate", SOW_ARCHIVE_F64, n, 1, err));
    SOW_TRY(sow_archive_get(&key, a, "dropout/key", SOW_ARCHIVE_I64, n, 3, err));
    for (sow_index i = 0; i < n; i++) {
        const int64_t *k = (const int64_t *)key + 3 * i;
        d[i] = (sow_hypermap_dropout){.rate = ((const double *)rate)[i], .stream = (uint32_t)k[1], .call = (uint32_t)k[2]};
        memcpy(&d[i].seed, k, sizeof d[i].seed);
    }
done:
    return st;
}

sow_status sow_i_hypermap_order(sow_archive *order, const sow_params *p, const sow_i_hypermap_doer *d, const sow_i_hypermap_piece *piece, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_hypermap_sizes *s = d->sizes;
    const sow_hypermap_task *t = &piece->task;
    const sow_hypermap_descent *u = &t->support;
    const int64_t whole[WHOLE_NUMBERS] = {s->genes, s->embedding, s->latent, s->hidden, s->fusion, s->cells, s->no_cell_encoder, s->no_hypernetwork, d->method, piece->k, piece->n_tasks, u->steps, u->n_batches};
    const double numbers[NUMBERS] = {u->rate, t->begin, t->share};
    SOW_TRY(sow_archive_put(order, "whole", SOW_ARCHIVE_I64, whole, WHOLE_NUMBERS, 1, err));
    SOW_TRY(sow_archive_put(order, "numbers", SOW_ARCHIVE_F64, numbers, NUMBERS, 1, err));
    SOW_TRY(put_dropout(order, u->dropout, (u->n_batches + 1) * u->steps, err));
    for (sow_index b = 0; b <= u->n_batches; b++) SOW_TRY(put_batch(order, b, &u->batch[b], s, err));
    SOW_TRY(sow_params_save(order, "weights", p, 0, err));
done:
    return st;
}

sow_status sow_i_hypermap_answer(sow_params *said, double *loss, const sow_archive *answer, sow_error *err)
{
    const sow_status st = sow_archive_get_number(loss, answer, "loss", err);
    return st == SOW_OK ? sow_params_load(said, answer, "said", 0, err) : st;
}

/* ---- at the helper ---- */

/* Kept from order to order: weights of the steps take 25 times those of the network. */
typedef struct {
    sow_hypermap_sizes sizes;
    sow_index steps; /* that there is room for */
    sow_params *p;
    sow_i_hypermap_doer doer;
} room;

static void forget(void *user)
{
    room *r = user;
    if (!r) return;
    sow_i_hypermap_doer_clear(&r->doer);
    sow_params_destroy(r->p);
    free(r);
}

typedef struct {
    sow_hypermap_sizes sizes;
    sow_hypermap_method method;
    sow_i_hypermap_piece piece;
    sow_hypermap_batch *batch;     /* its data are the order's */
    sow_hypermap_dropout *dropout;
} opened;

static void opened_clear(opened *o)
{
    free(o->batch);
    free(o->dropout);
}

static sow_status open_order(opened *o, const sow_archive *order, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const void *whole = NULL, *numbers = NULL;
    SOW_TRY(sow_archive_get(&whole, order, "whole", SOW_ARCHIVE_I64, WHOLE_NUMBERS, 1, err));
    SOW_TRY(sow_archive_get(&numbers, order, "numbers", SOW_ARCHIVE_F64, NUMBERS, 1, err));
    const int64_t *w = whole;
    const double *x = numbers;
    const sow_index steps = w[11], n = w[12], passes = (n + 1) * steps;
    o->sizes = (sow_hypermap_sizes){w[0], w[1], w[2], w[3], (sow_hypermap_fusion)w[4], w[5], (int)w[6], (int)w[7]};
    o->method = (sow_hypermap_method)w[8];
    SOW_NEW(o->batch, n + 1);
    SOW_NEW(o->dropout, passes);
    SOW_TRY(get_dropout(o->dropout, order, passes, err));
    for (sow_index b = 0; b <= n; b++) SOW_TRY(get_batch(&o->batch[b], order, b, &o->sizes, err));
    o->piece = (sow_i_hypermap_piece){w[9], w[10], {.support = {x[0], steps, n, o->batch, o->dropout}, .query = o->batch[n], .query_dropout = o->dropout[n * steps], .env = env, .begin = x[1], .share = x[2]}};
done:
    return st;
}

static int fits(const room *r, const opened *o, sow_index steps)
{
    const sow_hypermap_sizes *a = &r->sizes, *b = &o->sizes;
    return a->genes == b->genes && a->embedding == b->embedding && a->latent == b->latent && a->hidden == b->hidden && a->fusion == b->fusion && a->cells == b->cells && a->no_cell_encoder == b->no_cell_encoder &&
           a->no_hypernetwork == b->no_hypernetwork && r->doer.method == o->method && r->steps >= steps;
}

static sow_status make_room(void **kept, const opened *o, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index steps = o->piece.task.support.n_batches * o->piece.task.support.steps;
    room *r = NULL;
    if (*kept && fits(*kept, o, steps)) return SOW_OK;
    forget(*kept);
    *kept = NULL;
    SOW_NEW(r, 1);
    r->sizes = o->sizes;
    r->steps = steps;
    SOW_TRY(sow_hypermap_params_create(&r->p, &r->sizes, SOW_F32, 0, 0, err));
    SOW_TRY(sow_i_hypermap_doer_make(&r->doer, r->p, &r->sizes, o->method, steps, env, err));
    *kept = r;
    r = NULL;
done:
    forget(r);
    return st;
}

static sow_status run(sow_archive *answer, void **kept, const sow_archive *order, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    opened o = {0};
    const sow_params *said = NULL;
    double loss = 0;
    SOW_TRY(open_order(&o, order, env, err));
    SOW_TRY(make_room(kept, &o, env, err));
    room *r = *kept;
    SOW_TRY(sow_params_load(r->p, order, "weights", 0, err));
    SOW_TRY(sow_i_hypermap_do(&said, &loss, r->p, &r->doer, &o.piece, err));
    SOW_TRY(sow_archive_put_number(answer, "loss", loss, err));
    SOW_TRY(sow_params_save(answer, "said", said, 0, err));
done:
    opened_clear(&o);
    return st;
}

const sow_work sow_i_hypermap_work = {.name = "hypermap task", .run = run, .forget = forget};
