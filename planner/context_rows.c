/* Rows of every context in one response space, and what a model is given of them when one context is new. */
#include "planner/context_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"

/* Streams of seeds lie beside those of folds (core/rng.h: splits of an evaluation), whose rounds are small numbers. */
enum { SEED_STREAMS = 1 << 20, UNSEEN_STREAMS = 1 << 24 };

void sow_i_context_rows_clear(sow_i_context_rows *r)
{
    free(r->perturbation);
    free(r->context);
    free(r->cells);
    free(r->y);
    free(r->truth);
    free(r->centre);
    free(r->covariate);
    free(r->error);
    free(r->wilcoxon);
    sow_i_halves_clear(&r->controls);
    *r = (sow_i_context_rows){0};
}

static int finite_values(const double *x, sow_index n)
{
    for (sow_index j = 0; j < n; j++)
        if (!isfinite(x[j])) return 0;
    return 1;
}

/* ---- who has a row ---- */

static int has_row(const sow_campaign *c, sow_index row)
{
    const sow_screen *s = c->screen;
    if (!c->cells) return finite_values(&s->values[row * c->d], c->d);
    return sow_cells_of(NULL, &c->cells->table, s->perturbation[row], s->context[row]) > 0 && sow_cells_of(NULL, &c->cells->table, SOW_CONTROL, s->context[row]) > 0;
}

/* Rows of context k, counted, and listed where there is room: place [rows of the screen]. */
static sow_index list_rows(sow_index *place, const sow_campaign *c, sow_index k, const unsigned char *without)
{
    const sow_screen *s = c->screen;
    sow_index n = 0;
    for (sow_index i = 0; i < s->n_rows; i++)
        if (s->context[i] == k && !(without && without[s->perturbation[i]]) && has_row(c, i)) place[n++] = i;
    return n;
}

sow_index sow_i_new_count(const sow_campaign *c, sow_index context, const unsigned char *without)
{
    const sow_screen *s = c->screen;
    sow_index n = 0;
    for (sow_index i = 0; i < s->n_rows; i++)
        n += s->context[i] == context && !(without && without[s->perturbation[i]]) && has_row(c, i);
    return n;
}

sow_index sow_i_shared_count(const sow_campaign *c, sow_index context, const unsigned char *use)
{
    const sow_screen *s = c->screen;
    sow_index n = 0;
    for (sow_index i = 0; i < s->n_rows; i++) {
        int elsewhere = 0;
        if (s->context[i] != context || !has_row(c, i)) continue;
        for (sow_index k = 0; k < sow_names_count(s->contexts); k++) {
            const sow_index other = k == context || !use[k] ? -1 : sow_screen_find(s, s->perturbation[i], k);
            elsewhere |= other >= 0 && has_row(c, other);
        }
        n += elsewhere;
    }
    return n;
}

/* The rows' places in the screen, the known contexts' first; room for everything that is filled later. What is unseen has no row in a known context: nothing below can reach it there. */
static sow_status find_rows(sow_i_context_rows *r, sow_index *place, const unsigned char *known, const unsigned char *without, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_campaign *c = r->c;
    for (sow_index k = 0; k < sow_names_count(c->screen->contexts); k++)
        if (known[k]) r->n += list_rows(place + r->n, c, k, r->unseen);
    r->n_known = r->n;
    if (r->target >= 0) r->n += list_rows(place + r->n, c, r->target, without);
    if (r->n == 0) SOW_FAIL(err, SOW_E_DATA, "%s: no context has a row to compare", c->config->path);
    if (r->unseen && r->n_known == 0)
        SOW_FAIL(err, SOW_E_DATA, "%s: new context %s: the other contexts measured nothing but perturbations that are unseen; lower --unseen", c->config->path, sow_names_get(c->screen->contexts, r->target));
    SOW_NEW(r->perturbation, r->n);
    SOW_NEW(r->context, r->n);
    SOW_NEW(r->cells, r->n);
    SOW_NEW(r->error, r->n);
    for (sow_index i = 0; i < r->n; i++) {
        r->perturbation[i] = c->screen->perturbation[place[i]];
        r->context[i] = c->screen->context[place[i]];
        r->cells[i] = c->screen->cells[place[i]];
        r->error[i] = NAN;
    }
done:
    return st;
}

static sow_status make_room(sow_i_context_rows *r, sow_error *err)
{
    sow_status st = SOW_OK;
    r->d = r->c->d;
    SOW_NEW(r->y, r->n * r->d);
    SOW_NEW(r->truth, sow_i_n_new(r) * r->d);
    SOW_NEW(r->centre, r->d);
    SOW_NEW(r->covariate, sow_i_n_new(r) * r->c->p);
done:
    return st;
}

/* ---- tables ---- */

/* Values of one context, rows from .. to of these, adjusted among themselves; of the new context that is the truth. */
static sow_status fill_table(sow_i_context_rows *r, const sow_index *place, sow_index from, sow_index to, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_campaign *c = r->c;
    const sow_screen *s = c->screen;
    sow_adjust a = {0};
    const int is_new = from >= r->n_known;
    SOW_TRY(sow_i_context_adjust(&a, c, r->context[from], is_new ? NULL : r->unseen, err));
    for (sow_index i = from; i < to; i++) {
        double *adjusted = is_new ? &r->truth[(i - r->n_known) * r->d] : &r->y[i * r->d];
        const double *covariate = c->p ? &s->covariate[place[i] * c->p] : NULL;
        memcpy(&r->y[i * r->d], &s->values[place[i] * r->d], (size_t)r->d * sizeof *r->y);
        if (is_new) memcpy(adjusted, &r->y[i * r->d], (size_t)r->d * sizeof *adjusted);
        if (is_new && c->p) memcpy(&r->covariate[(i - r->n_known) * c->p], covariate, (size_t)c->p * sizeof *covariate);
        sow_i_prepare(c, &a, adjusted, covariate);
    }
done:
    sow_adjust_clear(&a);
    return st;
}

static sow_status rows_of_table(sow_i_context_rows *r, const sow_index *place, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_TRY(make_room(r, err));
    for (sow_index i = 0, end; i < r->n; i = end) {
        for (end = i; end < r->n && r->context[end] == r->context[i]; end++) {
        }
        SOW_TRY(fill_table(r, place, i, end, err));
    }
done:
    return st;
}

/* ---- cells ---- */

static int is_unseen(const sow_i_context_rows *r, sow_index perturbation)
{
    return r->unseen && perturbation != SOW_CONTROL && r->unseen[perturbation];
}

static sow_status fit_space(sow_i_context_rows *r, const unsigned char *known, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_cells *t = &r->c->cells->table;
    sow_index *cell = NULL, n = 0;
    SOW_NEW(cell, t->n);
    for (sow_index i = 0; i < t->n; i++)
        if ((known[t->context[i]] && !is_unseen(r, t->perturbation[i])) || (t->context[i] == r->target && t->perturbation[i] == SOW_CONTROL)) cell[n++] = i;
    SOW_TRY(sow_i_space_of(r->c, cell, n, err));
done:
    free(cell);
    return st;
}

/* A row of a known context, against all controls there. of_controls: of the context `last`, kept from row to row. */
static sow_status fill_known(sow_i_context_rows *r, sow_index i, double *work, double *of_controls, sow_index *last, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_campaign *c = r->c;
    const sow_index *cell = NULL, *control = NULL;
    const sow_index n = sow_cells_of(&cell, &c->cells->table, r->perturbation[i], r->context[i]), m = sow_cells_of(&control, &c->cells->table, SOW_CONTROL, r->context[i]);
    if (*last != r->context[i]) SOW_TRY(sow_i_error_of_mean(of_controls, work, c, control, m, err));
    *last = r->context[i];
    SOW_TRY(sow_i_response(&r->y[i * r->d], c, cell, n, control, m, err));
    SOW_TRY(sow_i_error_of_mean(&r->error[i], work, c, cell, n, err));
    r->error[i] += *of_controls;
done:
    return st;
}

static sow_status rows_of_cells(sow_i_context_rows *r, const unsigned char *known, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_campaign *c = r->c;
    const sow_i_halves *h = &r->controls;
    double *work = NULL, of_controls = 0;
    sow_index last = -1;
    if (r->target >= 0) SOW_TRY(sow_i_halve_controls(&r->controls, c, r->target, err));
    SOW_TRY(fit_space(r, known, err));
    SOW_TRY(make_room(r, err));
    SOW_NEW(work, 2 * r->d);
    for (sow_index i = 0; i < r->n; i++) {
        const sow_index *cell = NULL;
        if (i < r->n_known) {
            SOW_TRY(fill_known(r, i, work, &of_controls, &last, err));
            continue;
        }
        const sow_index n = sow_cells_of(&cell, &c->cells->table, r->perturbation[i], r->target);
        SOW_TRY(sow_i_response(&r->y[i * r->d], c, cell, n, h->learn, h->n_learn, err));
        SOW_TRY(sow_i_response(&r->truth[(i - r->n_known) * r->d], c, cell, n, h->judge, h->n_judge, err));
    }
done:
    free(work);
    return st;
}

/* Scalings and projections of priors on the pool's rows, less those of what is unseen; read again only where that is not what they were fitted on. */
static sow_status fit_priors(sow_campaign *c, const unsigned char *unseen, sow_error *err)
{
    sow_status st = SOW_OK;
    unsigned char *rows = NULL;
    SOW_NEW(rows, c->n);
    for (sow_index q = 0; q < c->n; q++)
        rows[q] = c->here->in_pool[q] && !(unseen && unseen[q]);
    if (!c->model_priors.fit_rows || memcmp(rows, c->model_priors.fit_rows, (size_t)c->n) != 0) SOW_TRY(sow_i_refit_priors(c, rows, c->env, err));
done:
    free(rows);
    return st;
}

sow_status sow_i_context_rows_make(sow_i_context_rows *r, sow_campaign *c, const unsigned char *known, sow_index target, const unsigned char *without, const unsigned char *unseen, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *place = NULL;
    *r = (sow_i_context_rows){.c = c, .target = target, .unseen = unseen};
    SOW_NEW(place, c->screen->n_rows);
    SOW_TRY(fit_priors(c, unseen, err));
    SOW_TRY(find_rows(r, place, known, without, err));
    SOW_TRY(c->cells ? rows_of_cells(r, known, err) : rows_of_table(r, place, err));
    for (sow_index i = 0; i < sow_i_n_new(r) * r->d; i++) r->centre[i % r->d] += r->truth[i] / (double)sow_i_n_new(r);
done:
    if (st != SOW_OK) sow_i_context_rows_clear(r);
    free(place);
    return st;
}

sow_index sow_i_seed_order(sow_index *order, const sow_i_context_rows *r, sow_index draw)
{
    sow_index n = 0;
    sow_rng rng = sow_rng_make(r->c->config->seed, SOW_RNG_FOLDS, (uint32_t)(SEED_STREAMS + draw), (uint32_t)r->target);
    for (sow_index i = 0; i < sow_i_n_new(r); i++)
        order[i] = i;
    sow_rng_permute(&rng, order, sow_i_n_new(r));
    for (sow_index i = 0; i < sow_i_n_new(r); i++)
        if (!is_unseen(r, r->perturbation[r->n_known + order[i]])) order[n++] = order[i];
    return n;
}

/* ---- who is unseen ---- */

sow_index sow_i_unseen_pool(sow_index *list, const sow_campaign *c, sow_index context, const unsigned char *without)
{
    const sow_screen *s = c->screen;
    const int priors = c->model_priors.fused_dim > 0;
    sow_index n = 0;
    for (sow_index i = 0; i < s->n_rows; i++) {
        const sow_index q = s->perturbation[i];
        if (s->context[i] == context && !(without && without[q]) && (!priors || c->model_priors.has_any[q]) && has_row(c, i)) list[n++] = q;
    }
    return n;
}

void sow_i_unseen_draw(unsigned char *unseen, sow_index *pool, sow_index n_pool, sow_index n, const sow_campaign *c, sow_index context, sow_index draw)
{
    sow_rng rng = sow_rng_make(c->config->seed, SOW_RNG_FOLDS, (uint32_t)(UNSEEN_STREAMS + draw), (uint32_t)context);
    sow_rng_permute(&rng, pool, n_pool);
    memset(unseen, 0, (size_t)c->n);
    for (sow_index i = 0; i < n; i++)
        unseen[pool[i]] = 1;
}

/* ---- what a model is given ---- */

void sow_i_context_training_clear(sow_i_context_training *t)
{
    free(t->perturbation);
    free(t->context);
    free(t->y);
    free(t->cells);
    free(t->cell_start);
    free(t->cell);
    free(t->centre);
    sow_pca_clear(&t->response);
    *t = (sow_i_context_training){0};
}

int sow_i_sees_cells(const sow_campaign *c, const sow_model_class *m)
{
    return c->cells && (m->caps & (SOW_CAP_NEEDS_CELLS | SOW_CAP_META));
}

static void copy_row(sow_i_context_training *t, const sow_i_context_rows *r, sow_index row)
{
    const sow_index i = t->view.n++;
    t->perturbation[i] = r->perturbation[row];
    t->context[i] = r->context[row];
    t->cells[i] = r->cells[row];
    memcpy(&t->y[i * r->d], &r->y[row * r->d], (size_t)r->d * sizeof *t->y);
}

/* Values of a table: seeds among themselves, as a campaign's first round is. */
static sow_status adjust_seeds(sow_i_context_training *t, const sow_i_context_rows *r, const sow_index *seed, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_campaign *c = r->c;
    sow_adjust a = {0};
    double *covariate = NULL;
    if (c->cells) return SOW_OK;
    SOW_NEW(covariate, t->n_seeds * c->p);
    for (sow_index i = 0; i < t->n_seeds * c->p; i++)
        covariate[i] = r->covariate[seed[i / c->p] * c->p + i % c->p];
    SOW_TRY(sow_adjust_fit(&a, t->y, t->n_seeds, r->d, covariate, t->n_seeds >= SOW_I_MIN_BLIND_ROWS ? c->p : 0, NULL, err));
    for (sow_index i = 0; i < t->n_seeds; i++)
        sow_i_prepare(c, &a, &t->y[i * r->d], c->p ? &covariate[i * c->p] : NULL);
done:
    sow_adjust_clear(&a);
    free(covariate);
    return st;
}

static sow_status give_cells(sow_i_context_training *t, const sow_i_context_rows *r, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_cells *x = r->c->cells;
    const sow_index *list = NULL;
    SOW_NEW(t->cell_start, t->view.n + 1);
    for (sow_index i = 0; i < t->view.n; i++)
        t->cell_start[i + 1] = t->cell_start[i] + sow_cells_of(NULL, &x->table, t->perturbation[i], t->context[i]);
    SOW_NEW(t->cell, t->cell_start[t->view.n]);
    for (sow_index i = 0; i < t->view.n; i++) {
        const sow_index n = sow_cells_of(&list, &x->table, t->perturbation[i], t->context[i]);
        memcpy(t->cell + t->cell_start[i], list, (size_t)n * sizeof *list);
    }
    t->cells_of = (sow_training_cells){&x->table, &x->space, t->cell_start, t->cell, r->controls.learn, r->controls.n_learn};
    t->view.cells_of = &t->cells_of;
done:
    return st;
}

/* What planner/learn.c says of a campaign's training, of a context that is made new. */
static void fill_view(sow_i_context_training *t, const sow_i_context_rows *r)
{
    const sow_campaign *c = r->c;
    t->view.n_features = r->d;
    t->view.n_contexts = sow_names_count(c->screen->contexts);
    t->view.target = r->target;
    t->view.perturbation = t->perturbation;
    t->view.context = t->context;
    t->view.y = t->y;
    t->view.cells = t->cells;
    t->view.priors = &c->model_priors;
    t->view.relative = c->cells != NULL;
    t->view.detail = c->screen->detail;
    t->view.catalogue = c->screen->perturbations;
}

static void fill_centre(sow_i_context_training *t, sow_index d)
{
    for (sow_index i = 0; i < t->n_seeds; i++)
        for (sow_index j = 0; j < d; j++) t->centre[j] += t->y[i * d + j];
    for (sow_index j = 0; j < d; j++) t->centre[j] /= (double)t->n_seeds;
}

sow_status sow_i_context_training_make(sow_i_context_training *t, const sow_i_context_rows *r, const sow_index *seed, sow_index n_seeds, int with_cells, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index n = n_seeds + r->n_known;
    *t = (sow_i_context_training){.n_seeds = n_seeds};
    SOW_NEW(t->perturbation, n);
    SOW_NEW(t->context, n);
    SOW_NEW(t->cells, n);
    SOW_NEW(t->y, n * r->d);
    SOW_NEW(t->centre, r->d);
    for (sow_index i = 0; i < n_seeds; i++)
        copy_row(t, r, r->n_known + seed[i]);
    for (sow_index i = 0; i < r->n_known; i++)
        copy_row(t, r, i);
    SOW_TRY(adjust_seeds(t, r, seed, err));
    fill_view(t, r);
    fill_centre(t, r->d);
    if (r->d > 1 && n > 1) {
        SOW_TRY(sow_pca_fit(&t->response, t->y, n, r->d, NULL, r->c->config->model.components, env, err));
        t->view.response = &t->response;
    }
    if (with_cells && r->c->cells) SOW_TRY(give_cells(t, r, err));
done:
    if (st != SOW_OK) sow_i_context_training_clear(t);
    return st;
}
