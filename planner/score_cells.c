/* Predictions judged on distributions: each model's mean shifts are put on the context's controls and compared with the held-out cells. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "models/evaluate_cells.h"
#include "planner/cells_internal.h"

enum {
    MOST_CELLS = 4096,     /* of a group, in any comparison: more change nothing that can be seen, and cost memory */
    LEAST_CELLS = 64,      /* and no fewer than this of each, when all held-out groups together would take more than ... */
    MOST_BYTES = 1 << 30,  /* ... this. Not --memory: metrics do not depend on how much there is */
    FEWEST_FOR_PRECISION = 50 /* precision at 25 says nothing of fewer held-out perturbations */
};

struct sow_i_held_cells {
    sow_index n, d, n_control;
    float *control;            /* [n_control, d] */
    float **cells;             /* [n] each [n_cells, d] */
    sow_cells_item *item;      /* [n] */
    sow_index *own;            /* [n, SOW_I_MAX_OWN] */
    sow_index *perturbation;   /* [n] */
    double *centre;            /* [d] the truth looks at it; filled anew each round */
    sow_index n_source;        /* controls that a model makes cells from */
    sow_index *source;         /* [n_source] which they are */
    float *from;               /* [n_source, d] */
    double *distance;          /* [n] true distance from the controls; NULL when there are too few for precision */
    sow_truth *truth;
    int asked;                 /* for what is true */
    sow_i_true_changes known;
};

void sow_i_held_cells_destroy(sow_i_held_cells *h)
{
    if (!h) return;
    sow_truth_destroy(h->truth);
    sow_i_true_changes_clear(&h->known);
    for (sow_index i = 0; h->cells && i < h->n; i++)
        free(h->cells[i]);
    free(h->cells);
    free(h->item);
    free(h->own);
    free(h->control);
    free(h->centre);
    free(h->perturbation);
    free(h->distance);
    free(h->source);
    free(h->from);
    free(h);
}

static sow_index most_cells(const sow_campaign *c, sow_index groups)
{
    sow_index fit = MOST_BYTES / ((sow_index)sizeof(float) * c->d * (groups > 0 ? groups : 1) * c->n_sites);
    return fit < LEAST_CELLS ? LEAST_CELLS : fit > MOST_CELLS ? MOST_CELLS : fit;
}

/* At most `most` of a list, drawn without looking; in order. Caller frees. */
static sow_status thin(sow_index **out, sow_index *n_out, const sow_index *list, sow_index n, sow_index most, const sow_campaign *c, sow_index stream,
                       sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *all = NULL;
    unsigned char *take = NULL;
    *n_out = n < most ? n : most;
    SOW_NEW(*out, *n_out);
    SOW_NEW(all, n);
    SOW_NEW(take, n);
    for (sow_index i = 0; i < n; i++)
        all[i] = i;
    sow_rng rng = sow_rng_make(c->config->seed, SOW_RNG_METRIC, 0, (uint32_t)stream);
    if (n > most) sow_rng_permute(&rng, all, n);
    for (sow_index i = 0; i < *n_out; i++)
        take[all[i]] = 1;
    for (sow_index i = 0, k = 0; i < n; i++)
        if (take[i]) (*out)[k++] = list[i];
done:
    free(all);
    free(take);
    return st;
}

static sow_status prepared_sample(float **x, sow_index *n_out, const sow_campaign *c, const sow_index *list, sow_index n, sow_index most, sow_index stream,
                                  sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *cell = NULL;
    SOW_TRY(thin(&cell, n_out, list, n, most, c, stream, err));
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
        *n = sow_cells_of(&list, &c->cells->table, q, c->here->target);
        SOW_NEW(*out, *n);
        if (*n) memcpy(*out, list, (size_t)*n * sizeof **out);
        goto done;
    }
    for (sow_index k = 0; k < c->here->item[q].n_draws; k++)
        *n += c->here->item[q].draw[k].n;
    SOW_NEW(*out, *n);
    for (sow_index k = 0, at = 0; k < c->here->item[q].n_draws; at += c->here->item[q].draw[k++].n)
        memcpy(*out + at, c->here->item[q].draw[k].cell, (size_t)c->here->item[q].draw[k].n * sizeof **out);
done:
    return st;
}

static sow_status held_control(sow_index **out, sow_index *n, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index *list = NULL;
    if (!c->has_truth) return sow_i_controls_so_far(out, n, c, 0, err);
    *n = c->cells->judge ? c->cells->n_judges : sow_cells_of(&list, &c->cells->table, SOW_CONTROL, c->here->target);
    if (c->cells->judge) list = c->cells->judge;
    SOW_NEW(*out, *n);
    if (*n) memcpy(*out, list, (size_t)*n * sizeof **out);
done:
    return st;
}

static int is_for(const sow_i_held_cells *h, const sow_index *perturbation, sow_index n)
{
    return h && h->n == n && memcmp(h->perturbation, perturbation, (size_t)n * sizeof *perturbation) == 0;
}

/* The controls to make cells from: those that shifts are judged on, as many as fit. */
static sow_status choose_source(const sow_campaign *c, sow_i_held_cells *h, sow_error *err)
{
    sow_status st = SOW_OK;
    enum { MOST_MADE = 512 }; /* no metric looks at more */
    const sow_index *row = NULL;
    sow_index n = sow_truth_controls(&row, h->truth), most = most_cells(c, h->n) < MOST_MADE ? most_cells(c, h->n) : MOST_MADE;
    if (n == 0) n = h->n_control;
    h->n_source = n < most ? n : most;
    SOW_NEW(h->source, h->n_source);
    SOW_NEW(h->from, h->n_source * h->d);
    for (sow_index i = 0; i < h->n_source; i++) {
        h->source[i] = row ? row[i] : i;
        memcpy(h->from + i * h->d, h->control + h->source[i] * h->d, (size_t)h->d * sizeof *h->from);
    }
done:
    return st;
}

static sow_status held_cells_create(sow_i_held_cells **out, const sow_campaign *c, const sow_index *perturbation, sow_index n, sow_error *err)
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
    SOW_NEW(h->perturbation, n);
    memcpy(h->perturbation, perturbation, (size_t)n * sizeof *perturbation);
    SOW_TRY(held_control(&list, &count, c, err));
    SOW_TRY(prepared_sample(&h->control, &h->n_control, c, list, count, MOST_CELLS, 0, err));
    for (sow_index i = 0; i < n; i++) {
        free(list);
        list = NULL;
        SOW_TRY(held_list(&list, &count, c, perturbation[i], err));
        SOW_TRY(prepared_sample(&h->cells[i], &h->item[i].n, c, list, count, most_cells(c, n), 1 + perturbation[i], err));
        h->item[i].truth = h->cells[i];
        h->item[i].own = &h->own[i * SOW_I_MAX_OWN];
        h->item[i].n_own = sow_i_own_genes(&h->own[i * SOW_I_MAX_OWN], c, perturbation[i]);
    }
    sow_evaluate_cells_options options = {.mode = (sow_evaluate_mode)c->config->evaluation.mode, .n_de = c->config->evaluation.de_genes,
                                          .seed = c->config->seed};
    SOW_TRY(sow_truth_create(&h->truth, h->item, n, c->d, h->control, h->n_control, h->centre, &options, c->env, err));
    SOW_TRY(choose_source(c, h, err));
    if (n >= FEWEST_FOR_PRECISION) {
        SOW_NEW(h->distance, n);
        SOW_TRY(sow_cells_distance(h->distance, h->truth, h->item, n, 0, c->env, err));
    }
    *out = h;
    h = NULL;
done:
    free(list);
    sow_i_held_cells_destroy(h);
    return st;
}

sow_status sow_i_held_cells_ready(const sow_campaign *c, const sow_index *perturbation, sow_index n, const double *centre, sow_error *err)
{
    sow_status st = SOW_OK;
    if (!is_for(c->here->held, perturbation, n)) {
        sow_i_held_cells_destroy(c->here->held);
        c->here->held = NULL;
        SOW_TRY(held_cells_create(&c->here->held, c, perturbation, n, err));
    }
    memcpy(c->here->held->centre, centre, (size_t)c->d * sizeof *centre);
done:
    return st;
}

static void add_row(json_t *rows, const sow_campaign *c, sow_index round, const char *model, const char *metric, double value, double low, double high)
{
    json_array_append_new(rows, json_pack("{s:I,s:I,s:s,s:s,s:s,s:o,s:o,s:o}", "round", (json_int_t)round, "measured", (json_int_t)sow_i_count_measured(c),
                                          "model", model, "context", sow_i_target_name(c), "metric", metric, "value", sow_i_real_or_null(value), "low",
                                          sow_i_real_or_null(low), "high", sow_i_real_or_null(high)));
}

static sow_status add_precision(json_t *rows, const sow_campaign *c, const sow_i_held_cells *h, const char *model, sow_index round, sow_error *err)
{
    sow_status st = SOW_OK;
    static const struct {
        sow_index k;
        const char *name;
    } at[] = {{25, "precision_at_25"}, {35, "precision_at_35"}};
    double *distance = NULL;
    if (!h->distance) return SOW_OK;
    SOW_NEW(distance, h->n);
    SOW_TRY(sow_cells_distance(distance, h->truth, h->item, h->n, 1, c->env, err));
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        double value = NAN;
        SOW_TRY(sow_precision_at(&value, h->distance, distance, h->n, at[i].k, err));
        if (isfinite(value)) add_row(rows, c, round, model, at[i].name, value, NAN, NAN);
    }
done:
    free(distance);
    return st;
}

/* Cells that the model itself makes; *made is the caller's to free. */
static sow_status generate(float **made, const sow_campaign *c, sow_i_held_cells *h, const sow_model *model, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index m = h->n_source;
    SOW_NEW(*made, h->n * m * h->d);
    for (sow_index i = 0; i < h->n; i++) {
        float *cells = *made + i * m * h->d;
        SOW_TRY(sow_model_generate(model, h->perturbation[i], c->here->target, h->from, m, cells, c->env, err));
        h->item[i].predicted = cells;
        h->item[i].m = m;
        h->item[i].source = h->source;
        h->item[i].shift = NULL;
    }
done:
    return st;
}

/* What the model predicts into the items: the controls moved by its shift, without making the cells, or cells that it makes. */
static sow_status present(float **made, const sow_campaign *c, sow_i_held_cells *h, const sow_model *fitted, const double *shift, sow_error *err)
{
    for (sow_index i = 0; i < h->n; i++) {
        h->item[i].predicted = NULL;
        h->item[i].shift = &shift[i * h->d];
    }
    return fitted->class_->caps & SOW_CAP_GENERATES ? generate(made, c, h, fitted, err) : SOW_OK;
}

static void withdraw(sow_i_held_cells *h, float *made)
{
    for (sow_index i = 0; i < h->n; i++) {
        h->item[i].shift = NULL;
        h->item[i].predicted = NULL;
    }
    free(made);
}

sow_status sow_i_score_cells(json_t *rows, const sow_campaign *c, const sow_model *fitted, const double *shift, const char *model, sow_index round, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_held_cells *h = c->here->held;
    sow_metric metrics[SOW_METRICS_MAX];
    sow_index n = 0;
    float *made = NULL;
    SOW_TRY(present(&made, c, h, fitted, shift, err));
    sow_rng rng = sow_rng_make(c->config->seed, SOW_RNG_BOOTSTRAP, (uint32_t)round, 0);
    SOW_TRY(sow_evaluate_cells(metrics, &n, h->truth, h->item, h->n, c->lean ? NULL : &rng, c->env, err));
    for (sow_index i = 0; i < n; i++)
        add_row(rows, c, round, model, metrics[i].metric, metrics[i].value, metrics[i].low, metrics[i].high);
    SOW_TRY(add_precision(rows, c, h, model, round, err));
    if (!h->asked) SOW_TRY(sow_i_true_changes_make(&h->known, c, h->perturbation, h->n, err));
    h->asked = 1;
    sow_i_score_truth(rows, c, &h->known, h->n, shift, model, round);
done:
    withdraw(h, made);
    return st;
}

sow_status sow_i_score_cells_each(double *value, const sow_campaign *c, const sow_model *fitted, const double *shift, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_held_cells *h = c->here->held;
    float *made = NULL;
    SOW_TRY(present(&made, c, h, fitted, shift, err));
    SOW_TRY(sow_evaluate_cells_items(value, h->truth, h->item, h->n, c->env, err));
done:
    withdraw(h, made);
    return st;
}
