/* Leaving one context out: from the campaign file to the three files. */
#include "planner/evaluate_contexts.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "io/report.h"

enum { LEAST_SHARED = 3, LEAST_SCORED = 2 };

static void evaluation_clear(sow_i_context_evaluation *e)
{
    free(e->context);
    free(e->known);
    free(e->without);
    free(e->unseen);
    free(e->work);
    free(e->mean);
    free(e->n);
    free(e->models.model);
    free(e->models.left_out);
    sow_campaign_abandon(e->c);
}

/* ---- what was asked ---- */

static sow_status bad_seeds(const char *text, sow_error *err)
{
    return SOW_ERROR(err, SOW_E_CONFIG, "--seeds takes numbers of at least 1 with commas between, such as 20 or 5,10,20 (at most %d), not '%s'", SOW_I_COUNTS_MOST, text);
}

static int ascending(const void *a, const void *b)
{
    sow_index x = *(const sow_index *)a, y = *(const sow_index *)b;
    return (x > y) - (x < y);
}

static sow_status read_counts(sow_i_context_evaluation *e, const char *text, sow_error *err)
{
    sow_index kept = 0;
    for (const char *p = text;; p++) {
        char *end = NULL;
        errno = 0;
        const long n = strtol(p, &end, 10);
        if (errno || end == p || (*end && *end != ',') || n < 1 || n > 1000000 || e->n_counts == SOW_I_COUNTS_MOST) return bad_seeds(text, err);
        e->count[e->n_counts++] = n;
        p = end;
        if (!*p) break;
    }
    qsort(e->count, (size_t)e->n_counts, sizeof *e->count, ascending);
    for (sow_index i = 0; i < e->n_counts; i++) /* each once */
        if (kept == 0 || e->count[i] != e->count[kept - 1]) e->count[kept++] = e->count[i];
    e->n_counts = kept;
    return SOW_OK;
}

/* ---- which contexts ---- */

static sow_status unknown_context(const sow_campaign *c, const char *name, sow_error *err)
{
    sow_status st = SOW_OK;
    const char *near = sow_names_nearest(c->screen->contexts, name);
    char *all = sow_strdup("");
    for (sow_index k = 0; all && k < sow_names_count(c->screen->contexts); k++) {
        char *longer = sow_format("%s%s%s", all, k ? ", " : "", sow_names_get(c->screen->contexts, k));
        free(all);
        all = longer;
    }
    if (!all) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_FAIL(err, SOW_E_CONFIG, "%s: --contexts: no context '%s' in this screen%s%s%s (contexts: %s)", c->config->path, name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "", all);
done:
    free(all);
    return st;
}

/* wanted [contexts]: every one, or those named. */
static sow_status read_contexts(unsigned char *wanted, const sow_campaign *c, const char *names, sow_error *err)
{
    sow_status st = SOW_OK;
    char *name = NULL;
    memset(wanted, names == NULL, (size_t)sow_names_count(c->screen->contexts));
    for (const char *p = names; p && *p;) {
        const size_t n = strcspn(p, ",");
        free(name);
        name = sow_strndup(p, n);
        if (!name) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
        const sow_index k = sow_names_find(c->screen->contexts, name);
        if (k < 0) SOW_TRY(unknown_context(c, name, err));
        wanted[k] = 1;
        p += n + (p[n] == ',');
    }
done:
    free(name);
    return st;
}

static void leave_out(const sow_i_context_evaluation *e, sow_index context, sow_index shared)
{
    sow_log(e->env, SOW_LOG_WARN, "context %s is not evaluated: %lld of its perturbations %s measured elsewhere too, and at least %d must be", sow_names_get(e->c->screen->contexts, context),
            (long long)shared, shared == 1 ? "is" : "are", LEAST_SHARED);
}

static sow_status choose_contexts(sow_i_context_evaluation *e, const char *names, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_campaign *c = e->c;
    const sow_index contexts = sow_names_count(c->screen->contexts);
    unsigned char *wanted = NULL;
    SOW_NEW(wanted, contexts);
    SOW_NEW(e->known, contexts);
    SOW_NEW(e->context, contexts);
    memset(e->known, 1, (size_t)contexts);
    SOW_TRY(read_contexts(wanted, c, names, err));
    if (contexts < 2)
        SOW_FAIL(err, SOW_E_CONFIG, "%s: --leave-one-context-out needs at least two contexts, and this screen has one: add a source with `role: reference`", c->config->path);
    for (sow_index k = 0; k < contexts; k++) {
        const sow_index shared = wanted[k] ? sow_i_shared_count(c, k, e->known) : 0;
        if (wanted[k] && shared < LEAST_SHARED) leave_out(e, k, shared);
        else if (wanted[k]) e->context[e->n_contexts++] = (sow_i_left_context){.context = k, .shared = shared};
    }
    if (e->n_contexts == 0) SOW_FAIL(err, SOW_E_DATA, "%s: no context shares %d perturbations with the others: nothing to evaluate", c->config->path, LEAST_SHARED);
    if (contexts == 2) sow_log(e->env, SOW_LOG_WARN, "there are two contexts: with one known there is nothing to learn how far contexts agree from");
done:
    free(wanted);
    return st;
}

/* Where a model cannot predict what has no prior, nobody is asked. */
static sow_status without_priors(sow_i_context_evaluation *e, sow_error *err)
{
    sow_status st = SOW_OK;
    int needs_prior = 0;
    for (sow_index m = 0; m < e->models.n_models; m++)
        needs_prior |= (e->models.model[m]->caps & SOW_CAP_NEEDS_PRIOR) != 0;
    if (!needs_prior) return SOW_OK;
    SOW_NEW(e->without, e->c->n);
    for (sow_index q = 0; q < e->c->n; q++) {
        e->without[q] = !e->c->model_priors.has_any[q];
        e->no_prior += e->without[q];
    }
done:
    return st;
}

static sow_status load(sow_i_context_evaluation *e, const sow_config *config, const sow_context_options *o, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_campaign_options as = {.mode = SOW_CAMPAIGN_CHECK, .cache = o->cache};
    e->n_draws = o->draws;
    if (o->draws < 1) SOW_FAIL(err, SOW_E_CONFIG, "--draws takes a number of at least 1, not %lld", (long long)o->draws);
    SOW_TRY(read_counts(e, o->seeds, err));
    SOW_TRY(sow_i_unseen_read(e, o->unseen, err));
    SOW_TRY(sow_campaign_open(&e->c, config, &as, e->env, err));
    e->models.c = e->c;
    e->models.env = e->env;
    e->models.unseen = e->asked_unseen != NULL;
    SOW_TRY(sow_i_choose_models(&e->models, o->models, err));
    SOW_TRY(choose_contexts(e, o->contexts, err));
    SOW_TRY(without_priors(e, err));
    SOW_TRY(sow_i_check_context_priors(e, err));
    SOW_TRY(sow_i_unseen_choose(e, err));
    sow_i_unseen_fall_backs(e);
    e->measures = sow_i_context_measures_of(e->c);
done:
    return st;
}

/* ---- going through ---- */

/* The fit from which models that learn from other contexts go on, with what it borrows from. */
typedef struct {
    sow_i_context_training *training;
    sow_model **model; /* [n_models] NULL = none yet */
} warm_fits;

static void warm_clear(warm_fits *w, sow_index n)
{
    for (sow_index m = 0; w->model && m < n; m++)
        sow_model_destroy(w->model[m]);
    free(w->model);
    if (w->training) sow_i_context_training_clear(w->training);
    free(w->training);
}

static int any_sees_cells(const sow_i_context_evaluation *e)
{
    int sees = 0;
    for (sow_index m = 0; m < e->models.n_models; m++)
        sees |= sow_i_sees_cells(e->c, e->models.model[m]);
    return sees;
}

static sow_status score_models(sow_i_context_evaluation *e, const sow_i_context_rows *r, sow_i_context_training *t, warm_fits *w, sow_index place, sow_error *err)
{
    sow_status st = SOW_OK;
    double *value = NULL;
    unsigned char *take = NULL;
    SOW_NEW(value, sow_i_n_new(r) * e->measures.n_columns);
    SOW_NEW(take, sow_i_n_new(r));
    sow_i_unseen_rows(take, r);
    for (sow_index m = 0; m < e->models.n_models; m++) {
        const sow_model_class *class_ = e->models.model[m];
        const int keep = (class_->caps & SOW_CAP_META) && w->training == t;
        SOW_TRY(sow_progress(e->env, "evaluating", e->done++ / e->total, err));
        SOW_TRY(sow_i_context_score(value, keep ? &w->model[m] : NULL, r, t, class_, keep ? NULL : w->model[m], e->env, err));
        SOW_TRY(sow_i_context_totals(&e->mean[place + m * e->measures.n], &e->n[place + m * e->measures.n], &e->measures, value, sow_i_n_new(r), take, err));
    }
done:
    free(value);
    free(take);
    return st;
}

/* One choice of seeds. The first of a context is kept for who goes on from it. */
static sow_status score_seeds(sow_i_context_evaluation *e, const sow_i_context_rows *r, const sow_index *seed, sow_index n, warm_fits *w, sow_index place, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_context_training *t = NULL;
    SOW_NEW(t, 1);
    SOW_TRY(sow_i_context_training_make(t, r, seed, n, any_sees_cells(e), e->env, err));
    if (!w->training) w->training = t;
    SOW_TRY(score_models(e, r, t, w, place, err));
done:
    if (t && t != w->training) {
        sow_i_context_training_clear(t);
        free(t);
    }
    return st;
}

static void copy_count(sow_i_context_evaluation *e, sow_index to, sow_index from)
{
    const size_t n = (size_t)(e->models.n_models * e->measures.n);
    memcpy(&e->mean[to], &e->mean[from], n * sizeof *e->mean);
    memcpy(&e->n[to], &e->n[from], n * sizeof *e->n);
    e->done += (double)e->models.n_models;
}

static sow_status score_draws(sow_i_context_evaluation *e, sow_index at, const sow_i_context_rows *r, sow_index first, sow_index last, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_left_context *x = &e->context[at];
    warm_fits w = {0};
    sow_index *order = NULL;
    SOW_NEW(order, sow_i_n_new(r));
    SOW_NEW(w.model, e->models.n_models);
    for (sow_index draw = first; draw < last; draw++) {
        (void)sow_i_seed_order(order, r, draw);
        for (sow_index k = 0; k < e->n_counts; k++) {
            const sow_index place = sow_i_context_place(e, at, draw, k, 0);
            if (k > 0 && x->used[k] == x->used[k - 1]) copy_count(e, place, sow_i_context_place(e, at, draw, k - 1, 0));
            else SOW_TRY(score_seeds(e, r, order, x->used[k], &w, place, err));
        }
    }
done:
    warm_clear(&w, e->models.n_models);
    free(order);
    return st;
}

static void cut_counts(const sow_i_context_evaluation *e, sow_i_left_context *x)
{
    const sow_index most = x->n - (x->n_unseen ? x->n_unseen : LEAST_SCORED), asked = e->count[e->n_counts - 1];
    for (sow_index k = 0; k < e->n_counts; k++)
        x->used[k] = e->count[k] < most ? e->count[k] : most;
    if (asked > most && x->n_unseen)
        sow_log(e->env, SOW_LOG_WARN, "context %s measured %lld perturbations, %lld of them unseen: %lld seeds in place of %lld", sow_names_get(e->c->screen->contexts, x->context), (long long)x->n,
                (long long)x->n_unseen, (long long)most, (long long)asked);
    else if (asked > most)
        sow_log(e->env, SOW_LOG_WARN, "context %s measured %lld perturbations: %lld seeds in place of %lld, so that %d are left to predict", sow_names_get(e->c->screen->contexts, x->context),
                (long long)x->n, (long long)most, (long long)asked, LEAST_SCORED);
}

/* Draws first .. last - 1 of the context, which share their rows. */
static sow_status score_rows(sow_i_context_evaluation *e, sow_index at, sow_index first, sow_index last, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_left_context *x = &e->context[at];
    sow_i_context_rows r = {0};
    e->known[x->context] = 0;
    st = sow_i_context_rows_make(&r, e->c, e->known, x->context, e->without, sow_i_unseen_of(e, at, first), err);
    e->known[x->context] = 1;
    SOW_TRY(st);
    x->n = sow_i_n_new(&r);
    if (first == 0) x->features = r.d;
    if (x->n <= LEAST_SCORED)
        SOW_FAIL(err, SOW_E_DATA, "%s: context %s has %lld perturbations that every model can predict; at least %d are needed", e->c->config->path, sow_names_get(e->c->screen->contexts, x->context),
                 (long long)x->n, LEAST_SCORED + 1);
    if (first == 0) cut_counts(e, x);
    SOW_TRY(sow_i_rank_genes(&r, e->env, err));
    SOW_TRY(score_draws(e, at, &r, first, last, err));
done:
    sow_i_context_rows_clear(&r);
    return st;
}

/* What is unseen differs from draw to draw, and with it the known rows, the response space, priors, and what is learned from the other contexts. */
static sow_status score_context(sow_i_context_evaluation *e, sow_index at, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index together = e->unseen ? 1 : e->n_draws;
    for (sow_index draw = 0; draw < e->n_draws; draw += together)
        SOW_TRY(score_rows(e, at, draw, draw + together, err));
done:
    return st;
}

static sow_status score_all(sow_i_context_evaluation *e, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index n = sow_i_context_place(e, e->n_contexts, 0, 0, 0);
    SOW_NEW(e->work, e->n_contexts * e->n_draws);
    SOW_NEW(e->mean, n);
    SOW_NEW(e->n, n);
    e->total = (double)(e->n_contexts * e->n_draws * e->n_counts * e->models.n_models);
    for (sow_index at = 0; at < e->n_contexts; at++)
        SOW_TRY(score_context(e, at, err));
done:
    return st;
}

/* ---- saying ---- */

static sow_status write_files(const sow_i_context_evaluation *e, const char *headline, const char *numbers, const char *dir, sow_error *err)
{
    sow_status st = SOW_OK;
    char *document = NULL, *page = sow_path_join(dir, "contexts.html");
    if (!page) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_i_contexts_document(&document, e, headline, numbers, err));
    SOW_TRY(sow_make_directories(dir, err));
    sow_i_remove_leftovers_in(dir);
    SOW_TRY(sow_i_write_context_tables(e, dir, err));
    SOW_TRY(sow_report_write_contexts(page, document, err));
done:
    free(document);
    free(page);
    return st;
}

static sow_status say(char **json, const sow_i_context_evaluation *e, const char *headline, const char *numbers, const char *dir, sow_error *err)
{
    json_t *j = json_pack("{s:s,s:s,s:s,s:I,s:I,s:o,s:s*}", "dir", dir, "headline", headline, "numbers", numbers, "contexts", (json_int_t)e->n_contexts, "draws", (json_int_t)e->n_draws, "summary", sow_i_context_summary_json(e), "unseen", e->asked_unseen);
    *json = j ? sow_i_json_text(j, 1) : NULL;
    json_decref(j);
    return *json ? SOW_OK : SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
}

/* Models know no file. */
static void name_file(sow_status st, const char *path, sow_error *err)
{
    if (err && st != SOW_E_CANCELLED && st != SOW_E_NOMEM && strncmp(err->message, path, strlen(path)) != 0) sow_error_prefix(err, "%s", path);
}

sow_status sow_evaluate_contexts(char **json, const sow_config *config, const sow_context_options *options, const sow_env *env, sow_error *err)
{
    static const sow_context_options defaults = SOW_CONTEXT_OPTIONS_INIT;
    const sow_context_options *o = options ? options : &defaults;
    sow_status st = SOW_OK;
    sow_i_context_evaluation e = {.env = env};
    char *dir = NULL, *headline = NULL, *numbers = NULL;
    if (json) *json = NULL;
    SOW_TRY(load(&e, config, o, err));
    st = score_all(&e, err);
    if (st != SOW_OK) name_file(st, config->path, err);
    SOW_TRY(st);
    dir = o->dir ? sow_strdup(o->dir) : sow_i_evaluation_dir(config);
    headline = sow_i_context_headline(&e);
    numbers = sow_i_context_numbers(&e);
    if (!dir || !headline || !numbers) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_progress(env, "evaluating", 1, err));
    SOW_TRY(write_files(&e, headline, numbers, dir, err));
    if (json) SOW_TRY(say(json, &e, headline, numbers, dir, err));
done:
    free(dir);
    free(headline);
    free(numbers);
    evaluation_clear(&e);
    return st;
}
