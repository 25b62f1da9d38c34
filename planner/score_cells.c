/* Predictions judged on distributions: each model's mean shifts are put on the context's controls and compared with the held-out cells. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "models/cells.h"
#include "models/evaluate_cells.h"
#include "planner/cells_internal.h"

enum {
    MOST_CELLS = 4096,     /* of a group, in any comparison: more change nothing that can be seen, and cost memory */
    LEAST_PREDICTED = 64,  /* predicted cells of one perturbation: as many as fit into ... */
    PREDICTED_BYTES = 1 << 28 /* ... this, all perturbations together */
};

struct sow_i_held_cells {
    sow_index n, d, n_control;
    float *control;            /* [n_control, d] */
    sow_index n_base;          /* the first of them that predictions are made from */
    double *offset;            /* [d] mean of all controls - mean of those: predictions keep the mean of all */
    float **cells;             /* [n] each [n_cells, d] */
    sow_cells_item *item;      /* [n] */
    sow_index *own;            /* [n, SOW_I_MAX_OWN] */
    double *centre;            /* [d] */
    double *distance;          /* [n] true distance from the controls; NULL when there are too few for precision */
    sow_truth *truth;
};

void sow_i_held_cells_destroy(sow_i_held_cells *h)
{
    if (!h) return;
    sow_truth_destroy(h->truth);
    for (sow_index i = 0; h->cells && i < h->n; i++)
        free(h->cells[i]);
    free(h->cells);
    free(h->item);
    free(h->own);
    free(h->control);
    free(h->offset);
    free(h->centre);
    free(h->distance);
    free(h);
}

/* At most MOST_CELLS of a list, drawn without looking; in order. Caller frees. */
static sow_status thin(sow_index **out, sow_index *n_out, const sow_index *list, sow_index n, const sow_campaign *c, sow_index stream, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *all = NULL;
    unsigned char *take = NULL;
    *n_out = n < MOST_CELLS ? n : MOST_CELLS;
    SOW_NEW(*out, *n_out);
    SOW_NEW(all, n);
    SOW_NEW(take, n);
    for (sow_index i = 0; i < n; i++)
        all[i] = i;
    sow_rng rng = sow_rng_make(c->config->seed, SOW_RNG_METRIC, 0, (uint32_t)stream);
    if (n > MOST_CELLS) sow_rng_permute(&rng, all, n);
    for (sow_index i = 0; i < *n_out; i++)
        take[all[i]] = 1;
    for (sow_index i = 0, k = 0; i < n; i++)
        if (take[i]) (*out)[k++] = list[i];
done:
    free(all);
    free(take);
    return st;
}

static sow_status prepared_sample(float **x, sow_index *n_out, const sow_campaign *c, const sow_index *list, sow_index n, sow_index stream, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *cell = NULL;
    SOW_TRY(thin(&cell, n_out, list, n, c, stream, err));
    SOW_NEW(*x, *n_out * c->d);
    SOW_TRY(sow_prepared_rows(*x, &c->cells->space, &c->cells->table, cell, *n_out, c->env, err));
done:
    free(cell);
    return st;
}

/* In a finished screen all cells of the group; at a lab those that were recorded. */
static sow_status held_list(sow_index **out, sow_index *n, const sow_campaign *c, sow_index q, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index *list = NULL;
    *n = 0;
    if (c->has_truth) {
        *n = sow_cells_of(&list, &c->cells->table, q, c->target);
        SOW_NEW(*out, *n);
        if (*n) memcpy(*out, list, (size_t)*n * sizeof **out);
        goto done;
    }
    for (sow_index k = 0; k < c->item[q].n_draws; k++)
        *n += c->item[q].draw[k].n;
    SOW_NEW(*out, *n);
    for (sow_index k = 0, at = 0; k < c->item[q].n_draws; at += c->item[q].draw[k++].n)
        memcpy(*out + at, c->item[q].draw[k].cell, (size_t)c->item[q].draw[k].n * sizeof **out);
done:
    return st;
}

static sow_status held_control(sow_index **out, sow_index *n, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index *list = NULL;
    if (!c->has_truth) return sow_i_controls_so_far(out, n, c, err);
    *n = sow_cells_of(&list, &c->cells->table, SOW_CONTROL, c->target);
    SOW_NEW(*out, *n);
    if (*n) memcpy(*out, list, (size_t)*n * sizeof **out);
done:
    return st;
}

/* Distance of each sample from the controls: unbiased MMD with the controls' own bandwidth. */
static sow_status distances(double *out, const sow_i_held_cells *h, float *const *x, const sow_index *n, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_mmd_pair *pairs = NULL;
    sow_mmd_options options = SOW_MMD_INIT;
    options.unbiased = 1;
    options.sigma = sow_mean_squared_distance(h->control, h->n_control, h->d);
    SOW_NEW(pairs, h->n);
    for (sow_index i = 0; i < h->n; i++)
        pairs[i] = (sow_mmd_pair){x[i], h->control, n[i], h->n_control};
    SOW_TRY(sow_mmd_many(out, pairs, h->n, h->d, &options, c->env, err));
done:
    free(pairs);
    return st;
}

static sow_status true_distances(sow_i_held_cells *h, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *n = NULL;
    if (h->n < 50) return SOW_OK; /* precision at 25 says nothing of fewer */
    SOW_NEW(n, h->n);
    SOW_NEW(h->distance, h->n);
    for (sow_index i = 0; i < h->n; i++)
        n[i] = h->item[i].n;
    SOW_TRY(distances(h->distance, h, h->cells, n, c, err));
done:
    free(n);
    return st;
}

/* Controls are in file order, which may be in order of anything: the base is every k-th of them, moved to the front. */
static sow_status choose_base(sow_i_held_cells *h, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index d = h->d, fit = PREDICTED_BYTES / (sow_index)sizeof(float) / (d * (h->n > 0 ? h->n : 1));
    float *row = NULL;
    h->n_base = fit < LEAST_PREDICTED ? LEAST_PREDICTED : fit;
    if (h->n_base > h->n_control) h->n_base = h->n_control;
    SOW_NEW(row, d);
    SOW_NEW(h->offset, d);
    for (sow_index i = 0; i < h->n_base; i++) {
        sow_index from = i * h->n_control / h->n_base; /* >= i, and not yet moved */
        if (from == i) continue;
        memcpy(row, &h->control[i * d], (size_t)d * sizeof *row);
        memcpy(&h->control[i * d], &h->control[from * d], (size_t)d * sizeof *row);
        memcpy(&h->control[from * d], row, (size_t)d * sizeof *row);
    }
    for (sow_index i = 0; i < h->n_control; i++)
        for (sow_index j = 0; j < d; j++)
            h->offset[j] += (double)h->control[i * d + j] * (1.0 / (double)h->n_control - (i < h->n_base ? 1.0 / (double)h->n_base : 0.0));
done:
    free(row);
    return st;
}

sow_status sow_i_held_cells_create(sow_i_held_cells **out, const sow_campaign *c, const sow_index *perturbation, sow_index n, const double *centre,
                                   sow_index round, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_held_cells *h = NULL;
    sow_index *list = NULL, count = 0;
    *out = NULL;
    SOW_NEW(h, 1);
    h->n = n;
    h->d = c->d;
    SOW_NEW(h->cells, n);
    SOW_NEW(h->item, n);
    SOW_NEW(h->own, n * SOW_I_MAX_OWN);
    SOW_NEW(h->centre, c->d);
    memcpy(h->centre, centre, (size_t)c->d * sizeof *centre);
    SOW_TRY(held_control(&list, &count, c, err));
    SOW_TRY(prepared_sample(&h->control, &h->n_control, c, list, count, 0, err));
    SOW_TRY(choose_base(h, err));
    for (sow_index i = 0; i < n; i++) {
        free(list);
        list = NULL;
        SOW_TRY(held_list(&list, &count, c, perturbation[i], err));
        SOW_TRY(prepared_sample(&h->cells[i], &h->item[i].n, c, list, count, 1 + perturbation[i], err));
        h->item[i].truth = h->cells[i];
        h->item[i].own = &h->own[i * SOW_I_MAX_OWN];
        h->item[i].n_own = sow_i_own_genes(&h->own[i * SOW_I_MAX_OWN], c, perturbation[i]);
    }
    sow_evaluate_cells_options options = {.mode = (sow_evaluate_mode)c->config->evaluation.mode, .n_de = c->config->evaluation.de_genes,
                                          .seed = c->config->seed, .round = round};
    SOW_TRY(sow_truth_create(&h->truth, h->item, n, c->d, h->control, h->n_control, h->centre, &options, c->env, err));
    SOW_TRY(true_distances(h, c, err));
    *out = h;
    h = NULL;
done:
    free(list);
    sow_i_held_cells_destroy(h);
    return st;
}

static void add_row(json_t *rows, const sow_campaign *c, sow_index round, const char *model, const char *metric, double value, double low, double high)
{
    json_array_append_new(rows, json_pack("{s:I,s:I,s:s,s:s,s:s,s:o,s:o,s:o}", "round", (json_int_t)round, "measured", (json_int_t)c->training.n_target,
                                          "model", model, "context", sow_i_target_name(c), "metric", metric, "value", sow_i_real_or_null(value), "low",
                                          sow_i_real_or_null(low), "high", sow_i_real_or_null(high)));
}

static sow_status add_precision(json_t *rows, const sow_campaign *c, const sow_i_held_cells *h, float *const *predicted, const char *model, sow_index round,
                                sow_error *err)
{
    sow_status st = SOW_OK;
    static const struct {
        sow_index k;
        const char *name;
    } at[] = {{25, "precision_at_25"}, {35, "precision_at_35"}};
    double *distance = NULL;
    sow_index *n = NULL;
    if (!h->distance) return SOW_OK;
    SOW_NEW(distance, h->n);
    SOW_NEW(n, h->n);
    for (sow_index i = 0; i < h->n; i++)
        n[i] = h->n_base;
    SOW_TRY(distances(distance, h, predicted, n, c, err));
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        double value = NAN;
        SOW_TRY(sow_precision_at(&value, h->distance, distance, h->n, at[i].k, err));
        if (isfinite(value)) add_row(rows, c, round, model, at[i].name, value, NAN, NAN);
    }
done:
    free(distance);
    free(n);
    return st;
}

sow_status sow_i_score_cells(json_t *rows, const sow_campaign *c, sow_i_held_cells *h, const double *shift, const char *model, sow_index round, sow_error *err)
{
    sow_status st = SOW_OK;
    float **predicted = NULL;
    sow_metric metrics[SOW_METRICS_MAX];
    sow_index n = 0;
    double *move = NULL;
    SOW_NEW(predicted, h->n);
    SOW_NEW(move, h->d);
    for (sow_index i = 0; i < h->n; i++) {
        SOW_NEW(predicted[i], h->n_base * h->d);
        for (sow_index j = 0; j < h->d; j++)
            move[j] = shift[i * h->d + j] + h->offset[j];
        sow_shift_controls(predicted[i], h->control, h->n_base, h->d, move);
        h->item[i].predicted = predicted[i];
        h->item[i].m = h->n_base;
    }
    sow_rng rng = sow_rng_make(c->config->seed, SOW_RNG_BOOTSTRAP, (uint32_t)round, 0);
    SOW_TRY(sow_evaluate_cells(metrics, &n, h->truth, h->item, h->n, &rng, c->env, err));
    for (sow_index i = 0; i < n; i++)
        add_row(rows, c, round, model, metrics[i].metric, metrics[i].value, metrics[i].low, metrics[i].high);
    SOW_TRY(add_precision(rows, c, h, predicted, model, round, err));
done:
    for (sow_index i = 0; predicted && i < h->n; i++) {
        free(predicted[i]);
        h->item[i].predicted = NULL;
    }
    free(predicted);
    free(move);
    return st;
}
