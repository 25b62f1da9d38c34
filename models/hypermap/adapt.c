/* A learned network in a new context: adapted on its seeds, and asked. */
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "models/hypermap/tasks.h"

enum { MOST_ADAPTED_AT_ONCE = 100 };

static sow_status one_batch(sow_params *p, sow_tape *tape, const sow_hypermap_sizes *sizes, const sow_i_hypermap_stage *stage, double rate, sow_index steps, double dropout, uint64_t seed, sow_index number,
                            sow_error *err)
{
    sow_status st = SOW_OK;
    sow_hypermap_dropout *masks = NULL;
    SOW_NEW(masks, steps);
    for (sow_index s = 0; s < steps; s++) masks[s] = (sow_hypermap_dropout){.rate = dropout, .seed = seed, .stream = UINT32_MAX, .call = (uint32_t)(number * steps + s)};
    const sow_hypermap_descent d = {.rate = rate, .steps = steps, .n_batches = 1, .batch = &stage->batch, .dropout = masks};
    SOW_TRY(sow_hypermap_descend(p, tape, sizes, &d, NULL, err));
done:
    free(masks);
    return st;
}

sow_status sow_hypermap_adapt(sow_params *p, sow_index *n_cells, const sow_hypermap_sizes *sizes, const sow_hypermap_data *data, sow_index context, const unsigned char *use, sow_index size, double rate, sow_index steps,
                              double dropout, uint64_t seed, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_hypermap_deck deck = {0};
    sow_i_hypermap_stage stage = {0};
    sow_tape *tape = NULL;
    const sow_i_hypermap_pairing pairing = {seed, 0};
    SOW_TRY(sow_i_hypermap_deck_make(&deck, data, context, use, 1, sow_rng_make(seed, SOW_RNG_BATCHES, UINT32_MAX, (uint32_t)context), err));
    *n_cells = deck.n;
    if (deck.n < 2) goto done;
    const sow_index half = deck.n / 2, published = half < 2 ? 2 : half > MOST_ADAPTED_AT_ONCE ? MOST_ADAPTED_AT_ONCE : half;
    size = size == 0 ? published : size > deck.n ? deck.n : size;
    SOW_TRY(sow_i_hypermap_stage_make(&stage, data, size, err));
    SOW_TRY(sow_tape_create(&tape, NULL, SOW_F32, sow_env_threads(env), err));
    for (sow_index b = 0; b < deck.n / size; b++) {
        const sow_index *rows = NULL, dealt = sow_i_hypermap_deal(&rows, &deck, size);
        SOW_TRY(sow_i_hypermap_fill(&stage, data, context, rows, dealt, &pairing, err));
        SOW_TRY(one_batch(p, tape, sizes, &stage, rate, steps, dropout, seed, b, err));
    }
done:
    sow_i_hypermap_deck_clear(&deck);
    sow_i_hypermap_stage_clear(&stage);
    sow_tape_destroy(tape);
    return st;
}

static void mean_rows(float *out, const float *y, sow_index n, sow_index d)
{
    for (sow_index j = 0; j < d; j++) {
        double sum = 0;
        for (sow_index i = 0; i < n; i++) sum += (double)y[i * d + j];
        out[j] = (float)(sum / (double)n);
    }
}

/* One perturbation a pass: every product then has the same shape whatever else is asked, and so the same bits. */
sow_status sow_hypermap_predict(float *out, sow_params *p, const sow_hypermap_sizes *sizes, const float *e, sow_index n, const float *x, sow_index n_x, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_tape *tape = NULL;
    sow_index *same = NULL;
    if (sizes->fusion == SOW_HYPERMAP_ROWS)
        SOW_FAIL(err, SOW_E_UNSUPPORTED, "hypermap: with weights over the rows of a batch a prediction depends on what else is asked; it has none of its own");
    SOW_NEW(same, n_x);
    SOW_TRY(sow_tape_create(&tape, NULL, SOW_F32, sow_env_threads(env), err));
    for (sow_index i = 0; i < n; i++) {
        const sow_hypermap_batch batch = {.n = n_x, .n_x = n_x, .n_e = 1, .x = x, .e = e + i * sizes->embedding, .e_row = same};
        sow_hypermap_values v;
        SOW_TRY(sow_progress(env, "predicting with hypermap", (double)i / (double)n, err));
        sow_tape_reset(tape);
        sow_hypermap_forward(&v, tape, p, sizes, &batch, NULL);
        SOW_TRY(sow_tape_status(tape, err));
        mean_rows(out + i * sizes->genes, sow_tape_value(tape, v.out).data, n_x, sizes->genes);
    }
done:
    free(same);
    sow_tape_destroy(tape);
    return st;
}
