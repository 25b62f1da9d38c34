/* Sources into one screen: rows are read and checked source by source into a list (`gathered`), the catalogue is sorted by name, then the rows
 * are added in the order of the files and merged. */
#include "io/source_internal.h"

#include "core/memory.h"
#include "io/text_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    sow_index source, row; /* where it stands */
    sow_index perturbation, context;
    double cells, weight, hit, value; /* value: scalar readout, transformed */
    int is_name; /* a candidate without measurement */
    int skip;    /* the pair has another row that says more */
} gathered;

typedef struct {
    const sow_readout_spec *readout;
    const sow_env *env;
    sow_i_transform transform;
    sow_i_covariate *covariate; /* [n_covariates] */
    sow_index n_covariates, n_sources;
    sow_i_loaded *loaded; /* [n_sources] */
    const char *joint;    /* separator of printed names */
    sow_names *features;

    sow_i_catalogue catalogue;

    gathered *row;
    double *covariates; /* [n_rows, n_covariates] */
    sow_index n_rows, row_capacity, covariate_capacity;
} builder;

/* ---- one row ---- */

/* Value of the readout; *rule says why the row cannot be used, SOW_I_DROP_COUNT when it can. */
static sow_status check_readout(gathered *g, sow_i_drop *rule, const builder *b, const sow_i_loaded *s, sow_error *err)
{
    *rule = SOW_I_DROP_COUNT;
    g->value = NAN;
    if (b->readout->kind == SOW_READOUT_SCALAR) {
        double raw = 0;
        sow_status st = sow_i_frame_number(&raw, &s->frame, g->row, s->readout, err);
        if (st != SOW_OK) return st;
        g->value = sow_i_transform_value(b->transform, raw);
        *rule = !isfinite(raw) ? SOW_I_DROP_READOUT : !isfinite(g->value) ? SOW_I_DROP_TRANSFORM : SOW_I_DROP_COUNT;
        return SOW_OK;
    }
    for (sow_index j = 0; j < sow_names_count(b->features) && *rule == SOW_I_DROP_COUNT; j++) {
        double raw = s->x[g->row * s->width + s->feature_map[j]];
        if (!isfinite(raw))
            *rule = SOW_I_DROP_READOUT;
        else if (!isfinite(sow_i_transform_value(b->transform, raw)))
            *rule = SOW_I_DROP_TRANSFORM;
    }
    return SOW_OK;
}

static sow_status read_weight(gathered *g, sow_i_drop *rule, const sow_i_loaded *s, sow_error *err)
{
    sow_status st = SOW_OK;
    g->cells = NAN;
    if (s->cells != -1) {
        SOW_TRY(sow_i_frame_number(&g->cells, &s->frame, g->row, s->cells, err));
        if (g->cells <= 0 || isinf(g->cells)) *rule = SOW_I_DROP_CELLS;
    }
    g->weight = g->cells > 0 ? g->cells : 1; /* unknown counts as one cell */
    if (s->variance != -1) {
        double variance = 0;
        SOW_TRY(sow_i_frame_number(&variance, &s->frame, g->row, s->variance, err));
        g->weight = 1 / variance;
        if (!(variance > 0) || !isfinite(g->weight)) *rule = SOW_I_DROP_VARIANCE;
    }
    g->hit = NAN;
    if (s->hit != -1) SOW_TRY(sow_i_frame_number(&g->hit, &s->frame, g->row, s->hit, err));
    if (s->or_hit != -1) {
        double other = NAN;
        SOW_TRY(sow_i_frame_number(&other, &s->frame, g->row, s->or_hit, err));
        g->hit = s->hit_is_above ? fmax(g->hit, other) : fmin(g->hit, other); /* a NaN gives way to a number */
    }
done:
    return st;
}

static sow_status read_covariates(double *out, sow_i_drop *rule, const builder *b, const sow_i_loaded *s, const gathered *g, sow_error *err)
{
    sow_status st = SOW_OK;
    for (sow_index i = 0; i < b->n_covariates; i++) {
        out[i] = g->cells;
        if (s->covariate[i] != -1) SOW_TRY(sow_i_frame_number(&out[i], &s->frame, g->row, s->covariate[i], err));
        if (b->covariate[i].is_log) out[i] = out[i] > 0 ? log(out[i]) : (double)NAN;
        if (!isfinite(out[i]) && *rule == SOW_I_DROP_COUNT)
            *rule = s->covariate[i] == -1 ? SOW_I_DROP_CELLS : SOW_I_DROP_COVARIATE;
    }
done:
    return st;
}

/* The numbers of a named row: appended, or tallied as dropped. */
static sow_status gather_numbers(builder *b, gathered *g, sow_i_loaded *s, const char *name, const char *context, sow_perturbation *detail,
                                 sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_drop rule = SOW_I_DROP_COUNT;
    sow_index p = b->n_covariates;
    SOW_TRY(sow_grow(&b->row, &b->row_capacity, b->n_rows + 1, sizeof *b->row, err));
    SOW_TRY(sow_grow(&b->covariates, &b->covariate_capacity, (b->n_rows + 1) * p + 1, sizeof *b->covariates, err));
    SOW_TRY(check_readout(g, &rule, b, s, err));
    if (rule == SOW_I_DROP_COUNT) SOW_TRY(read_weight(g, &rule, s, err));
    if (rule == SOW_I_DROP_COUNT) SOW_TRY(read_covariates(b->covariates + b->n_rows * p, &rule, b, s, g, err));
    if (rule != SOW_I_DROP_COUNT) {
        st = sow_i_tally_add(&s->tally, rule, name, err);
        goto done;
    }
    SOW_TRY(sow_i_catalogue_context(&g->context, &b->catalogue, context, s->spec->role, s->frame.path, err));
    SOW_TRY(sow_i_catalogue_perturbation(&g->perturbation, &b->catalogue, name, detail, err));
    b->row[b->n_rows++] = *g;
done:
    return st;
}

/* A candidate of which nothing but the name is known. */
static sow_status gather_name(builder *b, gathered *g, const sow_i_loaded *s, const char *name, const char *context, sow_perturbation *detail,
                              sow_error *err)
{
    sow_status st = SOW_OK;
    sow_index p = b->n_covariates;
    SOW_TRY(sow_grow(&b->row, &b->row_capacity, b->n_rows + 1, sizeof *b->row, err));
    SOW_TRY(sow_grow(&b->covariates, &b->covariate_capacity, (b->n_rows + 1) * p + 1, sizeof *b->covariates, err));
    for (sow_index i = 0; i < p; i++) b->covariates[b->n_rows * p + i] = NAN;
    SOW_TRY(sow_i_catalogue_context(&g->context, &b->catalogue, context, s->spec->role, s->frame.path, err));
    SOW_TRY(sow_i_catalogue_perturbation(&g->perturbation, &b->catalogue, name, detail, err));
    g->cells = g->hit = g->value = NAN;
    g->weight = 1;
    g->is_name = 1;
    b->row[b->n_rows++] = *g;
done:
    return st;
}

static sow_status gather_row(builder *b, sow_index source, sow_index row, const char *own_context, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_loaded *s = &b->loaded[source];
    sow_i_spelling spelling = {s->spec->separator, s->spec->control, b->joint};
    sow_perturbation detail = {0};
    char *name = NULL, context_buffer[40], text_buffer[40], dose_buffer[40];
    const char *text = sow_i_frame_text(&s->frame, row, s->perturbation, text_buffer);
    const char *dose = s->dose == -1 ? NULL : sow_i_frame_text(&s->frame, row, s->dose, dose_buffer);
    const char *context = s->context == -1 ? own_context : sow_i_frame_text(&s->frame, row, s->context, context_buffer);
    sow_i_place place = sow_i_frame_place(&s->frame, row);
    gathered g = {.source = source, .row = row};
    if (!sow_i_context_is_kept(s->spec, context)) {
        st = sow_i_tally_add(&s->tally, SOW_I_DROP_CONTEXT, context, err);
        goto done;
    }
    if (!*text) {
        st = sow_i_tally_add(&s->tally, SOW_I_DROP_NO_NAME, place.text, err);
        goto done;
    }
    if (!*context) SOW_FAIL(err, SOW_E_DATA, "%s: '%s' has no context (column '%s')", place.text, text, s->spec->context_column);
    SOW_TRY(sow_i_perturbation_parse(&name, &detail, text, dose, &spelling, place.text, err));
    if (!name)
        st = sow_i_tally_add(&s->tally, SOW_I_DROP_CONTROL, text, err);
    else if (s->spec->names_only)
        st = gather_name(b, &g, s, name, context, &detail, err);
    else
        st = gather_numbers(b, &g, s, name, context, &detail, err);
done:
    sow_i_perturbation_clear(&detail);
    free(name);
    return st;
}

/* ---- one source ---- */

static void warn_of_absent_control(const builder *b, const sow_i_loaded *s)
{
    if (!s->spec->control || s->spec->names_only || s->spec->may_be_empty || s->tally.count[SOW_I_DROP_CONTROL] > 0) return;
    const char *near = sow_names_nearest(b->catalogue.perturbations, s->spec->control);
    sow_log(b->env, SOW_LOG_WARN, "%s: no row is a control '%s'%s%s%s", s->frame.path, s->spec->control, near ? "; did you mean '" : "",
            near ? near : "", near ? "'?" : "");
}

static sow_status gather_source(builder *b, sow_index source, sow_dropped *dropped, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_loaded *s = &b->loaded[source];
    sow_index before = b->n_rows;
    char *own_context = sow_i_own_context(s->spec), *summary = NULL;
    if (!own_context) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    for (sow_index i = 0; i < s->frame.n_rows; i++) SOW_TRY(gather_row(b, source, i, own_context, err));
    if (b->n_rows == before && !s->spec->may_be_empty) {
        summary = sow_i_tally_summary(&s->tally);
        SOW_FAIL(err, SOW_E_DATA, "%s: nothing is left of its %lld rows: %s", s->frame.path, (long long)s->frame.n_rows, summary ? summary : "");
    }
    warn_of_absent_control(b, s);
    SOW_TRY(sow_i_tally_report(dropped, &s->tally, s->frame.path, err));
done:
    free(summary);
    free(own_context);
    return st;
}

/* ---- all rows ---- */

typedef struct {
    sow_index perturbation, context, at;
} pair_key;

static int by_pair(const void *pa, const void *pb)
{
    const pair_key *a = pa, *b = pb;
    if (a->perturbation != b->perturbation) return a->perturbation < b->perturbation ? -1 : 1;
    if (a->context != b->context) return a->context < b->context ? -1 : 1;
    return a->at < b->at ? -1 : a->at > b->at;
}

/* Of the rows of one pair, key [n], bare names give way to measurements and to each other; a second measurement is a replicate or an error. */
static sow_status settle_pair(builder *b, const pair_key *key, sow_index n, sow_error *err)
{
    const gathered *one = NULL;
    for (sow_index k = 0; k < n; k++) {
        gathered *two = &b->row[key[k].at];
        if (two->is_name) continue;
        if (one) {
            const sow_i_loaded *s1 = &b->loaded[one->source], *s2 = &b->loaded[two->source];
            if (!s1->spec->duplicates_allowed || !s2->spec->duplicates_allowed)
                return SOW_ERROR(err, SOW_E_DATA,
                                 "%s: '%s' in context '%s' a second time (first: %s); set duplicates: allowed if repeated rows are replicates",
                                 sow_i_frame_place(&s2->frame, two->row).text, sow_names_get(b->catalogue.perturbations, two->perturbation),
                                 sow_names_get(b->catalogue.contexts, two->context), sow_i_frame_place(&s1->frame, one->row).text);
        }
        one = two;
    }
    for (sow_index k = 0; k < n; k++) b->row[key[k].at].skip = b->row[key[k].at].is_name && (one || k > 0);
    return SOW_OK;
}

static sow_status settle_pairs(builder *b, sow_error *err)
{
    sow_status st = SOW_OK;
    pair_key *key = NULL;
    SOW_NEW(key, b->n_rows);
    for (sow_index i = 0; i < b->n_rows; i++) key[i] = (pair_key){b->row[i].perturbation, b->row[i].context, i};
    qsort(key, (size_t)b->n_rows, sizeof *key, by_pair);
    for (sow_index i = 0, end; i < b->n_rows; i = end) {
        for (end = i + 1; end < b->n_rows; end++)
            if (key[end].perturbation != key[i].perturbation || key[end].context != key[i].context) break;
        SOW_TRY(settle_pair(b, key + i, end - i, err));
    }
done:
    free(key);
    return st;
}

static sow_status fill_names(sow_screen *screen, const builder *b, sow_error *err)
{
    sow_status st = SOW_OK;
    if (b->readout->kind == SOW_READOUT_SCALAR) SOW_TRY(sow_names_add(screen->features, b->readout->column, NULL, err));
    for (sow_index i = 0; i < sow_names_count(b->features); i++)
        SOW_TRY(sow_names_add(screen->features, sow_names_get(b->features, i), NULL, err));
    for (sow_index i = 0; i < b->n_covariates; i++) SOW_TRY(sow_names_add(screen->covariates, b->readout->adjust_for[i], NULL, err));
done:
    return st;
}

static sow_status add_row(sow_screen *screen, const builder *b, sow_index i, const sow_index *renames, double *buffer, sow_error *err)
{
    sow_status st = SOW_OK;
    const gathered *g = &b->row[i];
    const sow_i_loaded *s = &b->loaded[g->source];
    sow_index d = sow_screen_n_features(screen);
    if (g->skip) return SOW_OK;
    if (screen->kind == SOW_READOUT_SCALAR || g->is_name) {
        for (sow_index j = 0; j < d; j++) buffer[j] = g->value;
    } else {
        for (sow_index j = 0; j < d; j++) buffer[j] = sow_i_transform_value(b->transform, s->x[g->row * s->width + s->feature_map[j]]);
        if (b->transform == SOW_I_RANK) SOW_TRY(sow_i_rank_values(buffer, d, err));
    }
    SOW_TRY(sow_screen_add_row(screen, renames[g->perturbation], g->context, g->cells, g->weight, buffer,
                               b->covariates + i * b->n_covariates, g->hit, err));
done:
    return st;
}

static sow_status build_screen(sow_screen **out, builder *b, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_screen *screen = NULL;
    sow_index *renames = NULL;
    double *buffer = NULL;
    SOW_TRY(sow_screen_create(&screen, b->readout->kind, err));
    SOW_TRY(fill_names(screen, b, err));
    SOW_NEW(renames, sow_names_count(b->catalogue.perturbations));
    SOW_NEW(buffer, sow_screen_n_features(screen));
    SOW_TRY(sow_i_catalogue_sort(screen, renames, &b->catalogue, err));
    for (sow_index i = 0; i < b->n_rows; i++) SOW_TRY(add_row(screen, b, i, renames, buffer, err));
    SOW_TRY(sow_screen_merge(screen, err));
    *out = screen;
    screen = NULL;
done:
    sow_screen_destroy(screen);
    free(renames);
    free(buffer);
    return st;
}

/* ---- the whole ---- */

static sow_status start(builder *b, const sow_source *sources, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_readout_spec *r = b->readout;
    if (b->n_sources < 1) SOW_FAIL(err, SOW_E_CONFIG, "data.sources: at least one source is needed");
    if (r->kind == SOW_READOUT_CELLS)
        SOW_FAIL(err, SOW_E_UNSUPPORTED, "readout.kind: single-cell matrices (readout cells) are not supported by this version; use scalar or profile");
    SOW_TRY(sow_i_transform_parse(&b->transform, r->transform, err));
    if (b->transform == SOW_I_RANK && r->kind == SOW_READOUT_SCALAR) /* a rank would tell of rows that nobody has measured yet */
        SOW_FAIL(err, SOW_E_CONFIG,
                 "readout.transform: rank is for profiles, whose rows are ranked one by one; the rank of a scalar would depend on perturbations that "
                 "are not measured yet");
    SOW_NEW(b->covariate, r->n_adjust);
    for (; b->n_covariates < r->n_adjust; b->n_covariates++)
        SOW_TRY(sow_i_covariate_parse(&b->covariate[b->n_covariates], r->adjust_for[b->n_covariates], err));
    b->joint = sow_i_joint(sources, b->n_sources);
    SOW_TRY(sow_i_catalogue_create(&b->catalogue, err));
    SOW_TRY(sow_names_create(&b->features, err));
    SOW_NEW(b->loaded, b->n_sources);
done:
    return st;
}

static void finish(builder *b)
{
    sow_i_catalogue_clear(&b->catalogue);
    for (sow_index k = 0; b->loaded && k < b->n_sources; k++) sow_i_source_unload(&b->loaded[k]);
    for (sow_index i = 0; b->covariate && i < b->n_covariates; i++) free(b->covariate[i].column);
    sow_names_destroy(b->features);
    free(b->row);
    free(b->covariates);
    free(b->covariate);
    free(b->loaded);
}

sow_status sow_sources_read(sow_screen **out, sow_dropped *dropped, const sow_source *sources, sow_index n, const sow_readout_spec *readout,
                            const sow_env *env, sow_error *err)
{
    sow_status st = SOW_OK;
    builder b = {.readout = readout, .env = env, .n_sources = n};
    *out = NULL;
    SOW_TRY(start(&b, sources, err));
    for (sow_index k = 0; k < n; k++) {
        SOW_TRY(sow_progress(env, "reading", (double)k / (double)(n + 1), err));
        SOW_TRY(sow_i_source_load(&b.loaded[k], &sources[k], readout, b.covariate, b.n_covariates, dropped, err));
    }
    if (readout->kind == SOW_READOUT_PROFILE) SOW_TRY(sow_i_sources_intersect(b.features, b.loaded, n, dropped, err));
    for (sow_index k = 0; k < n; k++) SOW_TRY(gather_source(&b, k, dropped, err));
    SOW_TRY(settle_pairs(&b, err));
    SOW_TRY(build_screen(out, &b, err));
    SOW_TRY(sow_progress(env, "reading", 1, err));
done:
    finish(&b);
    if (st != SOW_OK) {
        sow_screen_destroy(*out);
        *out = NULL;
    }
    return st;
}
