/* What the campaign's model says of every perturbation, as a file: mean changes, or cells. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/version.h"
#include "io/h5ad_cells.h"
#include "models/cells.h"
#include "planner/cells_internal.h"
#include "planner/map.h"

enum { BLOCK = 256 }; /* perturbations predicted at a time */

/* ---- what goes beside the predictions ---- */

static int is_measured(const sow_i_site *site, sow_index q)
{
    return site->item[q].values != NULL && (site->item[q].status == SOW_DONE || site->item[q].status == SOW_DONE_PARTIAL);
}

const char *sow_i_status_of(const sow_campaign *c, sow_index site, sow_index q)
{
    const sow_i_site *at = &c->site[site];
    if (is_measured(at, q)) return at->held_out[q] ? "held out, measured" : "measured";
    if (at->held_out[q]) return "held out";
    return at->in_pool[q] ? "candidate" : "left out";
}

/* obs of n rows a pair, site by site. Text is borrowed, but for `name`. */
typedef struct {
    sow_index n;
    char **name;             /* [n] */
    sow_h5ad_column column[4];
} obs_table;

static void obs_clear(obs_table *o)
{
    for (sow_index i = 0; o->name && i < o->n; i++) free(o->name[i]);
    free(o->name);
    for (int k = 0; k < 4; k++) {
        free(o->column[k].text);
        free(o->column[k].number);
    }
}

static char *borrowed(const char *text)
{
    return (char *)(uintptr_t)text; /* only read */
}

static sow_status obs_make(obs_table *o, const sow_campaign *c, sow_index each, sow_error *err)
{
    static const char *const names[] = {"perturbation", "context", "status", "measured_cells"};
    sow_status st = SOW_OK;
    o->n = c->n_sites * c->n * each;
    SOW_NEW(o->name, o->n);
    for (int k = 0; k < 4; k++) {
        o->column[k].name = borrowed(names[k]);
        o->column[k].kind = k < 3 ? SOW_COLUMN_STRING : SOW_COLUMN_NUMBER;
        if (k < 3) SOW_NEW(o->column[k].text, o->n);
        else SOW_NEW(o->column[k].number, o->n);
    }
    for (sow_index i = 0; i < o->n; i++) {
        const sow_index pair = i / each, q = pair % c->n, site = pair / c->n;
        char *label = sow_i_label(c, pair);
        o->name[i] = each > 1 && label ? sow_format("%s_%lld", label, (long long)(i % each)) : sow_strdup(label);
        free(label);
        if (!o->name[i]) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
        o->column[0].text[i] = borrowed(sow_i_name(c, q));
        o->column[1].text[i] = borrowed(sow_i_site_name(c, site));
        o->column[2].text[i] = borrowed(sow_i_status_of(c, site, q));
        o->column[3].number[i] = is_measured(&c->site[site], q) ? c->site[site].item[q].cells : 0;
    }
done:
    return st;
}

/* Where the numbers come from. */
static sow_status finish(sow_h5ad_table **t, const sow_campaign *c, obs_table *o, const char *what, sow_error *err)
{
    sow_status st = SOW_OK;
    char *learned = sow_i_learned(c), *effective = NULL, *measured = sow_format("%lld", (long long)sow_i_count_measured(c));
    SOW_TRY(sow_config_effective(&effective, c->config, err));
    if (!learned || !measured) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    const char *notes[] = {"program", "sower", "version", sow_version(), "campaign", c->config->name, "what", what, "model", c->model_class->name, "learned", learned, "measured_perturbations", measured,
                           "data_digest", c->world_digest, "settings", effective};
    sow_h5ad_table *table = *t;
    *t = NULL; /* destroyed whatever happens */
    SOW_TRY(sow_h5ad_table_finish(table, o->name, o->column, 4, "sower", notes, (sow_index)(sizeof notes / sizeof *notes) / 2, err));
done:
    free(learned);
    free(effective);
    free(measured);
    return st;
}

/* ---- mean changes ---- */

/* Mean, variance and noise of perturbations first .. first + n; [n, d] each. */
static sow_status ask(double *mean, double *var, double *noise, const sow_campaign *c, sow_index first, sow_index n, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *which = NULL, *context = NULL;
    SOW_NEW(which, n);
    SOW_NEW(context, n);
    for (sow_index i = 0; i < n; i++) {
        which[i] = first + i;
        context[i] = c->here->target;
    }
    const sow_query q = {.n = n, .perturbation = which, .context = context};
    SOW_TRY(sow_model_predict(c->here->model, &q, mean, var, noise, env, err));
done:
    free(which);
    free(context);
    return st;
}

/* Measured mean changes of the target, as the model learned from them; row of each perturbation in the training + 1, or 0. */
static sow_status index_measured(sow_index **row, const sow_campaign *c, sow_error *err)
{
    sow_status st = SOW_OK;
    SOW_NEW(*row, c->n);
    for (sow_index i = 0; i < c->here->training.n_target; i++) (*row)[c->here->training.perturbation[i]] = i + 1;
done:
    return st;
}

static sow_status put_numbers(sow_h5ad_table *t, sow_index layer, sow_index first, sow_index n, const double *x, sow_index d, int root, float *room, sow_error *err)
{
    for (sow_index k = 0; k < n * d; k++) room[k] = (float)(root ? sqrt(x[k]) : x[k]);
    return sow_h5ad_table_put(t, layer, first, n, room, NULL, err);
}

const sow_names *sow_i_feature_names(const sow_campaign *c)
{
    return c->cells ? c->cells->space.genes : c->screen->features;
}

/* Rows of the site in hand, from row `at` on. `mean`, `var` and `room` [BLOCK, d] are room to work. */
static sow_status put_means(sow_h5ad_table *t, sow_index at, const sow_campaign *c, int knows_sd, double *mean, double *var, float *room, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index d = c->d;
    sow_index *row = NULL;
    SOW_TRY(index_measured(&row, c, err));
    for (sow_index first = 0; first < c->n; first += BLOCK) {
        const sow_index n = c->n - first < BLOCK ? c->n - first : BLOCK;
        SOW_TRY(ask(mean, knows_sd ? var : NULL, NULL, c, first, n, env, err));
        SOW_TRY(put_numbers(t, -1, at + first, n, mean, d, 0, room, err));
        if (knows_sd) SOW_TRY(put_numbers(t, 1, at + first, n, var, d, 1, room, err));
        for (sow_index k = 0; k < n * d; k++) {
            const sow_index measured = row[first + k / d];
            mean[k] = measured ? c->here->training.y[(measured - 1) * d + k % d] : NAN;
        }
        SOW_TRY(put_numbers(t, 0, at + first, n, mean, d, 0, room, err));
    }
done:
    free(row);
    return st;
}

static sow_status write_means(sow_campaign *c, const char *file, const sow_env *env, sow_error *err)
{
    static const char *const layers[] = {"measured", "sd"};
    sow_status st = SOW_OK;
    const sow_model_options options = sow_i_model_options(c);
    const int knows_sd = (sow_model_caps_with(c->model_class, &options) & SOW_CAP_VARIANCE) != 0;
    sow_h5ad_table *t = NULL;
    obs_table o = {0};
    double *mean = NULL, *var = NULL;
    float *room = NULL;
    SOW_TRY(obs_make(&o, c, 1, err));
    SOW_NEW(mean, BLOCK * c->d);
    SOW_NEW(var, BLOCK * c->d);
    SOW_NEW(room, BLOCK * c->d);
    SOW_TRY(sow_h5ad_table_create(&t, file, o.n, sow_i_feature_names(c), layers, 1 + knows_sd, err));
    for (sow_index s = 0; s < c->n_sites; s++) {
        sow_i_go(c, s);
        SOW_TRY(put_means(t, s * c->n, c, knows_sd, mean, var, room, env, err));
    }
    SOW_TRY(finish(&t, c, &o, "X: predicted mean changes; layer measured: what was measured, NaN elsewhere; layer sd: standard deviation of the noise-free change, where the model knows it", err));
done:
    sow_h5ad_table_abandon(t);
    obs_clear(&o);
    free(mean);
    free(var);
    free(room);
    return st;
}

/* ---- one number ---- */

/* Rows of the site in hand. */
static sow_status add_csv(sow_text *text, const sow_campaign *c, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    double *mean = NULL, *var = NULL, *noise = NULL;
    sow_index *row = NULL;
    SOW_TRY(index_measured(&row, c, err));
    SOW_NEW(mean, c->n);
    SOW_NEW(var, c->n);
    SOW_NEW(noise, c->n);
    SOW_TRY(ask(mean, var, noise, c, 0, c->n, env, err));
    for (sow_index q = 0; q < c->n; q++) {
        const double number[] = {mean[q], sqrt(var[q]), sqrt(var[q] + noise[q]), row[q] ? c->here->training.y[row[q] - 1] : (double)NAN};
        sow_text_csv(text, sow_i_name(c, q));
        sow_text_append(text, ",");
        sow_text_csv(text, sow_i_target_name(c));
        sow_text_append(text, ",");
        sow_text_csv(text, sow_i_status_of(c, c->here - c->site, q));
        for (size_t k = 0; k < sizeof number / sizeof *number; k++) {
            sow_text_append(text, ",");
            if (isfinite(number[k])) sow_text_number(text, number[k]);
        }
        sow_text_append(text, "\n");
    }
done:
    free(mean);
    free(var);
    free(noise);
    free(row);
    return st;
}

static sow_status write_csv(sow_campaign *c, const char *file, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_text text = {0};
    sow_text_append(&text, "perturbation,context,status,predicted,sd,sd_of_a_measurement,measured\n");
    for (sow_index s = 0; s < c->n_sites; s++) {
        sow_i_go(c, s);
        SOW_TRY(add_csv(&text, c, env, err));
    }
    SOW_TRY(sow_text_save(&text, file, err));
done:
    sow_text_clear(&text);
    return st;
}

/* ---- cells ---- */

/* `n` of the controls handed out so far, prepared: x [n, d]; the same for every perturbation. */
static sow_status draw_controls(float *x, const sow_campaign *c, sow_index n, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index *control = NULL, count = 0;
    sow_rng rng = sow_rng_make(c->config->seed, SOW_RNG_PREDICT, 0, 0);
    SOW_TRY(sow_i_controls_so_far(&control, &count, c, 0, err));
    if (count < n) SOW_FAIL(err, SOW_E_CONFIG, "--cells %lld: only %lld control cells are measured so far, and predicted cells are made from as many", (long long)n, (long long)count);
    sow_rng_permute(&rng, control, count);
    SOW_TRY(sow_prepared_rows(x, &c->cells->space, &c->cells->table, control, n, c->env, err));
done:
    free(control);
    return st;
}

static sow_status write_cells(sow_campaign *c, const char *file, sow_index each, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_index d = c->d;
    const int makes = (c->model_class->caps & SOW_CAP_GENERATES) != 0;
    sow_h5ad_table *t = NULL;
    obs_table o = {0};
    float *control = NULL, *cells = NULL;
    double *shift = NULL;
    SOW_NEW(control, each * d);
    SOW_NEW(cells, each * d);
    SOW_NEW(shift, d);
    SOW_TRY(obs_make(&o, c, each, err));
    SOW_TRY(sow_h5ad_table_create(&t, file, o.n, sow_i_feature_names(c), NULL, 0, err));
    for (sow_index i = 0; i < c->n_sites * c->n; i++) {
        const sow_index q = i % c->n;
        sow_i_go(c, i / c->n);
        if (q == 0) SOW_TRY(draw_controls(control, c, each, err));
        SOW_TRY(sow_progress(env, "predicting cells", (double)i / (double)(c->n_sites * c->n), err));
        if (makes) {
            SOW_TRY(sow_model_generate(c->here->model, q, c->here->target, control, each, cells, env, err));
        } else {
            SOW_TRY(ask(shift, NULL, NULL, c, q, 1, env, err));
            sow_shift_controls(cells, control, each, d, shift);
        }
        SOW_TRY(sow_h5ad_table_put(t, -1, i * each, each, cells, sow_env_threads(env), err));
    }
    SOW_TRY(sow_progress(env, "predicting cells", 1, err));
    SOW_TRY(finish(&t, c, &o, "X: predicted cells, in the units that cells were prepared to; the same control cells for every perturbation", err));
done:
    sow_h5ad_table_abandon(t);
    obs_clear(&o);
    free(control);
    free(cells);
    free(shift);
    return st;
}

/* ---- the file ---- */

static int ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static sow_status choose_file(char **file, const sow_campaign *c, const sow_prediction_options *o, sow_error *err)
{
    const int scalar = c->config->readout.kind == SOW_READOUT_SCALAR;
    if (o->all && o->cells > 0) return SOW_ERROR(err, SOW_E_CONFIG, "--all and --cells: the whole map is of mean changes; leave out one of the two");
    if (o->all && scalar)
        return SOW_ERROR(err, SOW_E_CONFIG, "--all: this campaign measures one number, of which there is no map (readout.kind); without --all its predictions are written as .csv");
    if (o->cells > 0 && !c->cells) return SOW_ERROR(err, SOW_E_CONFIG, "--cells: this campaign measures %s, not cells (readout.kind)", scalar ? "one number" : "profiles");
    if (o->file && !ends_with(o->file, scalar ? ".csv" : ".h5ad"))
        return SOW_ERROR(err, SOW_E_CONFIG, "--to %s: predictions of %s are written as %s", o->file, scalar ? "one number" : "many genes", scalar ? ".csv" : ".h5ad");
    *file = o->file ? sow_strdup(o->file) : sow_path_join(c->dir, o->all ? "map.h5ad" : scalar ? "predictions.csv" : o->cells > 0 ? "predictions-cells.h5ad" : "predictions.h5ad");
    return *file ? SOW_OK : SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
}

sow_status sow_campaign_predict(char **file, sow_campaign *c, const sow_prediction_options *options, const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    c->env = env;
    *file = NULL;
    SOW_TRY(choose_file(file, c, options, err));
    if (options->all) {
        SOW_TRY(sow_i_write_map(c, *file, env, err));
        goto done;
    }
    for (sow_index s = 0; s < c->n_sites; s++) {
        sow_i_go(c, s);
        if (!sow_i_any_measured(c)) SOW_FAIL(err, SOW_E_STATE, "nothing is measured yet in %s: there is nothing to predict from", sow_i_target_name(c));
        SOW_TRY(sow_i_fit(c, env, err));
    }
    sow_i_go(c, 0);
    if (c->config->readout.kind == SOW_READOUT_SCALAR) SOW_TRY(write_csv(c, *file, env, err));
    else if (options->cells > 0) SOW_TRY(write_cells(c, *file, options->cells, env, err));
    else SOW_TRY(write_means(c, *file, env, err));
done:
    sow_i_go(c, 0);
    if (st != SOW_OK) {
        free(*file);
        *file = NULL;
    }
    return st;
}
