/* The whole map, context by context: fit, predict, write, and take what its shape needs. */
#include "planner/map.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "io/h5ad_cells.h"

enum { BLOCK = 1024 /* perturbations predicted at a time, about */ };

static void map_clear(sow_i_map *m)
{
    for (sow_index k = 0; m->learned && k < m->n_contexts; k++) free(m->learned[k]);
    free(m->learned);
    free(m->perturbation);
    free(m->measured);
    free(m->context);
    free(m->left_out);
    free(m->item);
    sow_i_map_shape_clear(&m->shape);
}

/* ---- what the map is of ---- */

/* Responses of cells, and what was measured of it all. Before round 0 the space is that of the references, for the time being. */
static sow_status know(sow_campaign *c, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    json_t *space = NULL;
    sow_index rows = 0;
    for (sow_index i = 0; i < c->screen->n_rows; i++) rows += sow_i_site_of_context(c, c->screen->context[i]) < 0;
    if (!rows && sow_i_count_measured(c) == 0) SOW_FAIL(err, SOW_E_STATE, "nothing is measured yet in any context: there is nothing to predict from");
    if (c->cells && !c->cells->frozen) {
        SOW_TRY(sow_i_fit_space(&space, c, err));
        SOW_TRY(sow_i_apply_frozen(c, space, err));
    }
    SOW_TRY(sow_i_training_ready(c, env, err));
done:
    json_decref(space);
    return st;
}

/* As it was: a campaign that goes on freezes its space when its first cells have come. */
static void forget(sow_campaign *c, int was_frozen)
{
    if (c->here->training.n_target == 0) sow_i_forget_fit(c);
    if (!c->cells || was_frozen || !c->cells->frozen) return;
    sow_i_forget_fit(c);
    sow_i_forget_space(c);
    json_decref(c->cells->frozen_event);
    c->cells->frozen_event = NULL;
}

/* The campaign's own model. Where nothing is measured in the target it may have nothing to say. */
static sow_status fit_target(sow_i_map *m, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_error why = {0};
    sow_campaign *c = m->c;
    const sow_model_options options = sow_i_model_options(c);
    if (c->here->training.n_target > 0) return sow_i_fit(c, m->env, err);
    if (!(c->model_class->caps & SOW_CAP_CONTEXTS)) {
        m->left_out = sow_format("model '%s' learns nothing from other contexts, and nothing is measured in this one", c->model_class->name);
    } else {
        st = sow_model_fit(&c->here->model, c->model_class, &c->here->training.view, &options, m->env, &why);
        if (st == SOW_OK) return SOW_OK;
        if (st != SOW_E_DATA && st != SOW_E_UNSUPPORTED && st != SOW_E_ARG) SOW_FAIL(err, st, "%s", why.message);
        st = SOW_OK;
        m->left_out = sow_strdup(why.message);
    }
    if (!m->left_out) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    sow_log(m->env, SOW_LOG_WARN, "context %s is not in the map: %s", sow_i_target_name(c), m->left_out);
done:
    return st;
}

static sow_status choose_contexts(sow_i_map *m, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_campaign *c = m->c;
    const sow_index contexts = sow_names_count(c->screen->contexts);
    SOW_NEW(m->context, contexts);
    SOW_NEW(m->learned, contexts);
    for (sow_index k = 0; k < contexts; k++) {
        sow_index items = 0;
        for (sow_index i = 0; i < c->here->training.view.n; i++) items += c->here->training.context[i] == k;
        if (items == 0 && (k != c->here->target || m->left_out)) continue;
        m->context[m->n_contexts++] = k;
    }
    if (m->n_contexts == 1) sow_log(m->env, SOW_LOG_WARN, "there is one context: how responses differ between contexts cannot be told, and specificity is left empty");
done:
    return st;
}

/* Whom the model can say something about: the measured, and those with a prior; a model that needs the prior, those only. */
static sow_status choose_perturbations(sow_i_map *m, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_campaign *c = m->c;
    const int needs = (c->model_class->caps & SOW_CAP_NEEDS_PRIOR) != 0;
    unsigned char *measured = NULL;
    SOW_NEW(measured, c->n);
    SOW_NEW(m->perturbation, c->n);
    SOW_NEW(m->measured, c->n);
    for (sow_index i = 0; i < c->here->training.view.n; i++) measured[c->here->training.perturbation[i]] = 1;
    for (sow_index q = 0; q < c->n; q++) {
        const int has_prior = c->model_priors.has_any && c->model_priors.has_any[q];
        if (!has_prior && (needs || !measured[q])) {
            m->n_unknown++;
            continue;
        }
        m->measured[m->n] = measured[q];
        m->perturbation[m->n++] = q;
    }
    if (m->n_unknown)
        sow_log(m->env, SOW_LOG_WARN, "%lld of %lld perturbations are not in the map: %s", (long long)m->n_unknown, (long long)c->n,
                needs ? "they have no prior, which the model needs" : "they are measured in no context and have no prior");
    if (m->n == 0) SOW_FAIL(err, SOW_E_DATA, "%s: the model can say nothing about any perturbation: none has a prior", c->config->path);
done:
    free(measured);
    return st;
}

static sow_status index_items(sow_i_map *m, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_training *t = &m->c->here->training;
    sow_index *row = NULL;
    SOW_NEW(row, m->c->n);
    SOW_NEW(m->item, m->n_contexts * m->n);
    for (sow_index k = 0; k < m->n_contexts; k++) {
        memset(row, 0, (size_t)m->c->n * sizeof *row);
        for (sow_index i = 0; i < t->view.n; i++)
            if (t->context[i] == m->context[k]) row[t->perturbation[i]] = i + 1;
        for (sow_index i = 0; i < m->n; i++) m->item[k * m->n + i] = row[m->perturbation[i]];
    }
done:
    free(row);
    return st;
}

/* ---- going through ---- */

typedef struct {
    sow_i_map *m;
    sow_h5ad_table *table;
    sow_index step;
    float *rows;   /* [n, d] of one context */
    float *layer;  /* [block, d] */
    double *mean;  /* [block, d] */
    sow_index *context; /* [block] */
} walk;

/* Predictions first .. first + n of context k; where something was observed, that stays and the prediction goes to the layer. */
static sow_status predict_block(walk *w, const sow_model *model, sow_index k, sow_index first, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_map *m = w->m;
    const sow_index d = m->d;
    int observed = 0;
    for (sow_index i = 0; i < n; i++) w->context[i] = m->context[k];
    const sow_query query = {.n = n, .perturbation = &m->perturbation[first], .context = w->context};
    SOW_TRY(sow_model_predict(model, &query, w->mean, NULL, NULL, m->env, err));
    for (sow_index i = 0; i < n; i++) {
        const sow_index item = m->item[k * m->n + first + i];
        const double *y = item ? &m->c->here->training.y[(item - 1) * d] : &w->mean[i * d];
        for (sow_index j = 0; j < d; j++) {
            w->rows[(first + i) * d + j] = (float)y[j];
            w->layer[i * d + j] = item ? (float)w->mean[i * d + j] : NAN;
        }
        observed |= item > 0;
    }
    if (observed) SOW_TRY(sow_h5ad_table_put(w->table, 0, k * m->n + first, n, w->layer, sow_env_threads(m->env), err));
    SOW_TRY(sow_h5ad_table_put(w->table, -1, k * m->n + first, n, &w->rows[first * d], sow_env_threads(m->env), err));
done:
    return st;
}

/* Blocks end where chunks of the file do. */
static sow_status predict_context(walk *w, const sow_model *model, sow_index k, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_map *m = w->m;
    const sow_index most = BLOCK > w->step ? BLOCK / w->step * w->step : BLOCK;
    for (sow_index first = 0, n; first < m->n; first += n) {
        n = most - (w->step <= most ? (k * m->n + first) % w->step : 0);
        if (n > m->n - first) n = m->n - first;
        SOW_TRY(sow_progress(m->env, "predicting the map", ((double)k + (double)first / (double)m->n) / (double)m->n_contexts, err));
        SOW_TRY(predict_block(w, model, k, first, n, err));
    }
done:
    return st;
}

/* What was written, read back: a second look without predicting twice. */
static sow_status look_again(walk *w, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_map *m = w->m;
    for (sow_index k = 0; k < m->n_contexts; k++) {
        SOW_TRY(sow_progress(m->env, "looking at the map again", (double)k / (double)m->n_contexts, err));
        SOW_TRY(sow_h5ad_table_get(w->table, -1, k * m->n, m->n, w->rows, sow_env_threads(m->env), err));
        SOW_TRY(sow_i_map_shape_again(&m->shape, k, w->rows, m->env, err));
    }
    SOW_TRY(sow_progress(m->env, "looking at the map again", 1, err));
done:
    return st;
}

static sow_status walk_contexts(walk *w, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_map *m = w->m;
    sow_i_map_fit fit = {0};
    SOW_NEW(w->rows, m->n * m->d);
    SOW_NEW(w->layer, BLOCK * m->d);
    SOW_NEW(w->mean, BLOCK * m->d);
    SOW_NEW(w->context, BLOCK);
    for (sow_index k = 0; k < m->n_contexts; k++) {
        SOW_TRY(sow_i_map_fit_next(&fit, m, k, err));
        m->learned[k] = sow_model_describe(fit.model);
        if (!m->learned[k]) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
        SOW_TRY(predict_context(w, fit.model, k, err));
        SOW_TRY(sow_i_map_shape_add(&m->shape, w->rows, m->env, err));
    }
    SOW_TRY(sow_progress(m->env, "predicting the map", 1, err));
    sow_i_map_fit_clear(&fit);
    SOW_TRY(look_again(w, err));
done:
    sow_i_map_fit_clear(&fit);
    free(w->rows);
    free(w->layer);
    free(w->mean);
    free(w->context);
    return st;
}

/* ---- the files ---- */

/* `file` with another ending. */
static char *beside(const char *file, const char *ending)
{
    const char *old = ".h5ad";
    return sow_format("%.*s%s", (int)(strlen(file) - strlen(old)), file, ending);
}

static sow_status make_map(sow_i_map *m, const char *file, sow_error *err)
{
    static const char *const layers[] = {"predicted"};
    sow_status st = SOW_OK;
    walk w = {.m = m};
    char *csv = beside(file, ".csv"), *page = beside(file, ".html");
    if (!csv || !page) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_h5ad_table_create(&w.table, file, m->n_contexts * m->n, sow_i_feature_names(m->c), layers, 1, err));
    w.step = sow_h5ad_table_step(w.table);
    SOW_TRY(walk_contexts(&w, err));
    SOW_TRY(sow_i_map_shape_finish(&m->shape, m->c->config->seed, m->env, err));
    SOW_TRY(sow_i_map_finish_table(&w.table, m, err));
    SOW_TRY(sow_i_map_write_csv(m, csv, err));
    SOW_TRY(sow_i_map_write_page(m, page, err));
done:
    sow_h5ad_table_abandon(w.table);
    free(csv);
    free(page);
    return st;
}

sow_status sow_i_write_map(sow_campaign *c, const char *file, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const int was_frozen = c->cells && c->cells->frozen;
    sow_i_map m = {.c = c, .env = env};
    SOW_TRY(know(c, env, err));
    m.d = c->d;
    SOW_TRY(fit_target(&m, err));
    SOW_TRY(choose_contexts(&m, err));
    SOW_TRY(choose_perturbations(&m, err));
    SOW_TRY(index_items(&m, err));
    SOW_TRY(sow_i_map_shape_make(&m.shape, m.n, m.d, m.n_contexts, m.measured, err));
    SOW_TRY(make_map(&m, file, err));
done:
    map_clear(&m);
    forget(c, was_frozen);
    return st;
}
