/* Batches of cells, drawn from the rows of a context. */
#include "models/hypermap/tasks.h"

#include <stdlib.h>
#include <string.h>

#include "core/memory.h"

/* ---- one batch ---- */

sow_status sow_i_hypermap_stage_make(sow_i_hypermap_stage *s, const sow_hypermap_data *d, sow_index most, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index embeddings = most < d->n_embeddings ? most : d->n_embeddings;
    *s = (sow_i_hypermap_stage){.most = most};
    SOW_NEW(s->x, most * (d->cells > 0 ? d->cells : d->genes));
    SOW_NEW(s->y, most * d->genes);
    SOW_NEW(s->e, embeddings * d->embedding);
    SOW_NEW(s->e_row, most);
    SOW_NEW(s->control, most);
done:
    return st;
}

void sow_i_hypermap_stage_clear(sow_i_hypermap_stage *s)
{
    free(s->x);
    free(s->y);
    free(s->e);
    free(s->e_row);
    free(s->control);
}

/* Embeddings of the rows, each once, in the order they come. */
static sow_status fill_embeddings(sow_i_hypermap_stage *s, const sow_hypermap_data *d, const sow_index *row, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *place = NULL; /* + 1 */
    SOW_NEW(place, d->n_embeddings);
    s->batch.n_e = 0;
    for (sow_index i = 0; i < n; i++) {
        const sow_index p = d->perturbation[row[i]];
        if (!place[p]) {
            memcpy(s->e + s->batch.n_e * d->embedding, d->e + p * d->embedding, (size_t)d->embedding * sizeof *s->e);
            place[p] = ++s->batch.n_e;
        }
        s->e_row[i] = place[p] - 1;
    }
done:
    free(place);
    return st;
}

sow_status sow_i_hypermap_fill(sow_i_hypermap_stage *s, const sow_hypermap_data *d, sow_index context, const sow_index *row, sow_index n, const sow_i_hypermap_pairing *pairing, sow_error *err)
{
    sow_status st = SOW_OK;
    for (sow_index i = 0; i < n; i++) {
        sow_rng rng = sow_rng_make(pairing->seed, SOW_RNG_CONTROLS, pairing->turn, (uint32_t)row[i]);
        s->control[i] = sow_rng_below(&rng, d->n_controls[context]);
    }
    SOW_TRY(fill_embeddings(s, d, row, n, err));
    SOW_TRY(d->controls(d->user, context, s->control, n, s->x, err));
    SOW_TRY(d->responses(d->user, row, n, s->y, err));
    s->batch = (sow_hypermap_batch){.n = n, .n_x = n, .n_e = s->batch.n_e, .x = s->x, .e = s->e, .e_row = s->e_row, .y = s->y};
done:
    return st;
}

/* ---- rows in random order ---- */

sow_status sow_i_hypermap_deck_make(sow_i_hypermap_deck *deck, const sow_hypermap_data *d, sow_index context, const unsigned char *use, int wanted, sow_rng rng, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index first = d->start[context], last = d->start[context + 1];
    *deck = (sow_i_hypermap_deck){.rng = rng};
    SOW_NEW(deck->row, last - first);
    for (sow_index r = first; r < last; r++)
        if (!use || (use[d->perturbation[r]] != 0) == wanted) deck->row[deck->n++] = r;
    deck->at = deck->n;
done:
    return st;
}

void sow_i_hypermap_deck_clear(sow_i_hypermap_deck *deck)
{
    free(deck->row);
    deck->row = NULL;
}

sow_index sow_i_hypermap_deal(const sow_index **rows, sow_i_hypermap_deck *deck, sow_index most)
{
    if (deck->at == deck->n) {
        sow_rng_permute(&deck->rng, deck->row, deck->n);
        deck->at = 0;
    }
    const sow_index left = deck->n - deck->at, n = left < most ? left : most;
    *rows = deck->row + deck->at;
    deck->at += n;
    return n;
}

sow_index sow_i_hypermap_perturbations(sow_index *list, const sow_hypermap_data *d, sow_index context)
{
    sow_index n = 0;
    for (sow_index p = 0; p < d->n_embeddings; p++) list[p] = 0;
    for (sow_index r = d->start[context]; r < d->start[context + 1]; r++) list[d->perturbation[r]] = 1;
    for (sow_index p = 0; p < d->n_embeddings; p++)
        if (list[p]) list[n++] = p; /* n <= p: nothing unread is overwritten */
    return n;
}
