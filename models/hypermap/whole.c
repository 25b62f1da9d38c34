/* The published way to predict: the target's controls crossed with every perturbation, controls slow, in chunks of 2048 rows, and the mean over the controls. With weights over the rows of a batch a prediction depends on
 * who is in its chunk; so the whole catalogue is asked once, in its own order, and what is asked later is looked up. A last chunk of one row, for which the published code fails, has that row twice, as in its training. */
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "models/hypermap/row_internal.h"

enum { CHUNK = 2048 };

typedef struct {
    sow_index n, *item;    /* perturbations with an embedding */
    float *e;              /* [n, width] */
    sow_index *x_row, *e_row; /* [CHUNK] */
    sow_tape *tape;
} asker;

static void asker_clear(asker *a)
{
    free(a->item);
    free(a->e);
    free(a->x_row);
    free(a->e_row);
    sow_tape_destroy(a->tape);
}

static sow_status asker_make(asker *a, const sow_i_hypermap_model *m, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_hypermap_world *w = &m->w;
    const sow_index items = m->space.n_items;
    SOW_NEW(a->item, items);
    SOW_NEW(a->e, items * w->width);
    SOW_NEW(a->x_row, CHUNK + 1);
    SOW_NEW(a->e_row, CHUNK + 1);
    for (sow_index p = 0; p < items; p++)
        if (sow_i_hypermap_embed(a->e + a->n * w->width, w, p)) a->item[a->n++] = p;
    SOW_TRY(sow_tape_create(&a->tape, NULL, SOW_F32, sow_env_threads(env), err));
done:
    return st;
}

/* Rows first .. first + n of the crossed table. */
static sow_status ask_chunk(sow_i_hypermap_model *m, asker *a, sow_params *p, sow_index first, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index d = m->space.d, rows = n == 1 ? 2 : n;
    for (sow_index r = 0; r < rows; r++) {
        const sow_index at = first + (r < n ? r : 0);
        a->x_row[r] = at / a->n;
        a->e_row[r] = at % a->n;
    }
    const sow_hypermap_batch batch = {.n = rows, .n_x = m->n_x, .x = m->x, .x_row = a->x_row, .n_e = a->n, .e = a->e, .e_row = a->e_row};
    sow_hypermap_values v;
    sow_tape_reset(a->tape);
    sow_hypermap_forward(&v, a->tape, p, &m->s.sizes, &batch, NULL);
    SOW_TRY(sow_tape_status(a->tape, err));
    const float *out = sow_tape_value(a->tape, v.out).data;
    const double share = 1 / ((double)m->n_x * (double)m->n_members);
    for (sow_index r = 0; r < n; r++) {
        float *to = m->whole + a->item[a->e_row[r]] * d;
        for (sow_index g = 0; g < d; g++) to[g] = (float)((double)to[g] + share * (double)out[r * d + g]);
    }
done:
    return st;
}

sow_status sow_i_hypermap_whole(sow_i_hypermap_model *m, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    asker a = {0};
    SOW_NEW(m->whole, m->space.n_items * m->space.d);
    SOW_TRY(asker_make(&a, m, env, err));
    const sow_index total = m->n_x * a.n;
    for (sow_index b = 0; b < m->n_members; b++)
        for (sow_index first = 0; first < total; first += CHUNK) {
            SOW_TRY(sow_progress(env, "predicting with hypermap", (double)first / (double)total, err));
            SOW_TRY(ask_chunk(m, &a, m->adapted.member[b], first, total - first < CHUNK ? total - first : CHUNK, err));
        }
    SOW_TRY(sow_progress(env, "predicting with hypermap", 1, err));
done:
    asker_clear(&a);
    return st;
}
