/* The map as files: obs and provenance of the .h5ad, the table of perturbations, and the document of the page. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/version.h"
#include "io/h5ad_cells.h"
#include "io/report.h"
#include "models/neighbours.h"
#include "planner/map.h"

static sow_index observed_in(const sow_i_map *m, sow_index k)
{
    sow_index n = 0;
    for (sow_index i = 0; i < m->n; i++) n += m->item[k * m->n + i] > 0;
    return n;
}

static sow_index contexts_of(const sow_i_map *m, sow_index i)
{
    sow_index n = 0;
    for (sow_index k = 0; k < m->n_contexts; k++) n += m->item[k * m->n + i] > 0;
    return n;
}

/* ---- the .h5ad ---- */

enum { PERTURBATION, CONTEXT, STATUS, OBSERVED, CELLS, COLUMNS };

typedef struct {
    sow_index n;
    char **name; /* [n] owned; the columns' text is borrowed */
    sow_h5ad_column column[COLUMNS];
} obs_table;

static void obs_clear(obs_table *o)
{
    for (sow_index i = 0; o->name && i < o->n; i++) free(o->name[i]);
    free(o->name);
    for (int k = 0; k < COLUMNS; k++) {
        free(o->column[k].text);
        free(o->column[k].number);
    }
}

static char *borrowed(const char *text)
{
    return (char *)(uintptr_t)text; /* only read */
}

static const char *status_in(const sow_i_map *m, sow_index k, sow_index i)
{
    if (m->item[k * m->n + i]) return "measured";
    const sow_index site = sow_i_site_of_context(m->c, m->context[k]);
    return site >= 0 ? sow_i_status_of(m->c, site, m->perturbation[i]) : "not measured";
}

static sow_status obs_make(obs_table *o, const sow_i_map *m, sow_error *err)
{
    static const char *const names[] = {"perturbation", "context", "status", "observed", "measured_cells"};
    static const sow_column_kind kinds[] = {SOW_COLUMN_STRING, SOW_COLUMN_STRING, SOW_COLUMN_STRING, SOW_COLUMN_BOOL, SOW_COLUMN_NUMBER};
    sow_status st = SOW_OK;
    o->n = m->n_contexts * m->n;
    SOW_NEW(o->name, o->n);
    for (int k = 0; k < COLUMNS; k++) {
        o->column[k].name = borrowed(names[k]);
        o->column[k].kind = kinds[k];
        if (kinds[k] == SOW_COLUMN_STRING) SOW_NEW(o->column[k].text, o->n);
        else SOW_NEW(o->column[k].number, o->n);
    }
    for (sow_index r = 0; r < o->n; r++) {
        const sow_index k = r / m->n, i = r % m->n, item = m->item[r];
        o->name[r] = sow_format("%s_%s", sow_i_map_context_name(m, k), sow_i_name(m->c, m->perturbation[i]));
        if (!o->name[r]) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
        o->column[PERTURBATION].text[r] = borrowed(sow_i_name(m->c, m->perturbation[i]));
        o->column[CONTEXT].text[r] = borrowed(sow_i_map_context_name(m, k));
        o->column[STATUS].text[r] = borrowed(status_in(m, k, i));
        o->column[OBSERVED].number[r] = item > 0;
        o->column[CELLS].number[r] = item ? m->c->here->training.cells[item - 1] : 0;
    }
done:
    return st;
}

/* "a: what the model learned; b: ..." */
static char *learned_text(const sow_i_map *m)
{
    sow_text t = {0};
    for (sow_index k = 0; k < m->n_contexts; k++) sow_text_printf(&t, "%s%s: %s", k ? "\n" : "", sow_i_map_context_name(m, k), m->learned[k]);
    char *text = t.failed || !t.text ? NULL : sow_strdup(t.text);
    sow_text_clear(&t);
    return text;
}

static const char map_of[] =
    "every context x every perturbation that the model can say anything about, rows by context. X: the mean change that was observed, as the model learned from it, where obs.observed is true, else the predicted "
    "one; layer predicted: the prediction of what was observed, by a model that was adapted to it; NaN where X is the prediction itself";

sow_status sow_i_map_finish_table(sow_h5ad_table **table, const sow_i_map *m, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_campaign *c = m->c;
    obs_table o = {0};
    sow_index observed = 0;
    for (sow_index k = 0; k < m->n_contexts; k++) observed += observed_in(m, k);
    char *learned = learned_text(m), *effective = NULL, *count = sow_format("%lld", (long long)observed), *unknown = sow_format("%lld", (long long)m->n_unknown);
    SOW_TRY(sow_config_effective(&effective, c->config, err));
    if (!learned || !count || !unknown) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(obs_make(&o, m, err));
    const char *notes[] = {"program", "sower", "version", sow_version(), "campaign", c->config->name, "what", map_of, "model", c->model_class->name, "learned", learned, "observed", count,
                           "perturbations_left_out", unknown, "context_left_out", m->left_out ? sow_i_target_name(c) : "", "data_digest", c->world_digest, "settings", effective};
    sow_h5ad_table *t = *table;
    *table = NULL; /* destroyed whatever happens */
    SOW_TRY(sow_h5ad_table_finish(t, o.name, o.column, COLUMNS, "sower", notes, (sow_index)(sizeof notes / sizeof *notes) / 2, err));
done:
    obs_clear(&o);
    free(learned);
    free(effective);
    free(count);
    free(unknown);
    return st;
}

/* ---- map.csv ---- */

static void csv_number(sow_text *t, double x)
{
    sow_text_append(t, ",");
    if (isfinite(x)) sow_text_number(t, x);
}

sow_status sow_i_map_write_csv(const sow_i_map *m, const char *path, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_map_shape *s = &m->shape;
    sow_text t = {0};
    sow_text_append(&t, "perturbation,contexts_observed,magnitude,specificity,class,cluster,x,y\n");
    for (sow_index i = 0; i < m->n; i++) {
        sow_text_csv(&t, sow_i_name(m->c, m->perturbation[i]));
        sow_text_printf(&t, ",%lld", (long long)contexts_of(m, i));
        csv_number(&t, s->magnitude[i]);
        csv_number(&t, s->specificity[i]);
        sow_text_printf(&t, ",%s,", sow_i_map_class(s, i));
        if (s->cluster[i]) sow_text_printf(&t, "%lld", (long long)s->cluster[i]);
        csv_number(&t, s->xy[2 * i]);
        csv_number(&t, s->xy[2 * i + 1]);
        sow_text_append(&t, "\n");
    }
    SOW_TRY(sow_text_save(&t, path, err));
done:
    sow_text_clear(&t);
    return st;
}

/* ---- the page ---- */

static const char *const classes[] = {"strong consistent", "strong variable", "weak consistent", "weak variable", "strong", "weak"};
enum { N_CLASSES = sizeof classes / sizeof classes[0], NAMED = 5 };

static int class_of(const sow_i_map_shape *s, sow_index i)
{
    const char *word = sow_i_map_class(s, i);
    for (int k = 0; k < N_CLASSES; k++)
        if (strcmp(word, classes[k]) == 0) return k;
    return -1;
}

static json_t *contexts_json(const sow_i_map *m)
{
    json_t *rows = json_array();
    for (sow_index k = 0; k < m->n_contexts; k++) {
        const sow_index observed = observed_in(m, k);
        json_array_append_new(rows, json_pack("{s:s,s:s,s:I,s:I,s:s}", "context", sow_i_map_context_name(m, k), "role", sow_i_site_of_context(m->c, m->context[k]) >= 0 ? "target" : "reference", "observed", (json_int_t)observed,
                                              "predicted", (json_int_t)(m->n - observed), "learned", m->learned[k]));
    }
    return rows;
}

static json_t *classes_json(const sow_i_map *m)
{
    json_t *rows = json_array();
    for (int k = 0; k < N_CLASSES; k++) {
        json_int_t count = 0, measured = 0;
        for (sow_index i = 0; i < m->n; i++)
            if (class_of(&m->shape, i) == k) {
                count++;
                measured += m->measured[i];
            }
        if (count) json_array_append_new(rows, json_pack("{s:s,s:I,s:I}", "class", classes[k], "count", count, "measured", measured));
    }
    return rows;
}

/* The strongest of a cluster that are measured somewhere, else those that are not. */
static json_t *strongest_json(const sow_i_map *m, sow_index cluster)
{
    json_t *names = json_array();
    unsigned char taken_before = 0;
    sow_index taken[NAMED];
    for (int n = 0; n < NAMED; n++) {
        sow_index best = -1;
        for (sow_index i = 0; i < m->n; i++) {
            int is_taken = m->shape.cluster[i] != cluster;
            for (int k = 0; k < taken_before; k++) is_taken |= taken[k] == i;
            if (is_taken) continue;
            if (best < 0 || m->measured[i] > m->measured[best] || (m->measured[i] == m->measured[best] && m->shape.magnitude[i] > m->shape.magnitude[best])) best = i;
        }
        if (best < 0) break;
        taken[taken_before++] = best;
        json_array_append_new(names, json_string(sow_i_name(m->c, m->perturbation[best])));
    }
    return names;
}

static json_t *clusters_json(const sow_i_map *m)
{
    json_t *rows = json_array();
    for (sow_index q = 1; q <= m->shape.n_clusters; q++) {
        json_int_t count[N_CLASSES] = {0}, all = 0;
        json_t *counts = json_array();
        for (sow_index i = 0; i < m->n; i++) {
            if (m->shape.cluster[i] != q) continue;
            all++;
            if (class_of(&m->shape, i) >= 0) count[class_of(&m->shape, i)]++;
        }
        for (int k = 0; k < N_CLASSES; k++) json_array_append_new(counts, json_integer(count[k]));
        json_array_append_new(rows, json_pack("{s:I,s:I,s:o,s:o}", "cluster", (json_int_t)q, "count", all, "counts", counts, "strongest", strongest_json(m, q)));
    }
    return rows;
}

/* [x, y, name, class, cluster, magnitude, specificity, contexts observed] */
static json_t *points_json(const sow_i_map *m)
{
    const sow_i_map_shape *s = &m->shape;
    json_t *rows = json_array();
    for (sow_index i = 0; i < m->n; i++) {
        if (s->alike[i]) continue;
        json_array_append_new(rows, json_pack("[o,o,s,i,I,o,o,I]", sow_i_real_or_null(s->xy[2 * i]), sow_i_real_or_null(s->xy[2 * i + 1]), sow_i_name(m->c, m->perturbation[i]), class_of(s, i),
                                              (json_int_t)s->cluster[i], sow_i_real_or_null(s->magnitude[i]), sow_i_real_or_null(s->specificity[i]), (json_int_t)contexts_of(m, i)));
    }
    return rows;
}

static json_t *fact(const char *key, json_t *value)
{
    return json_pack("{s:s,s:o}", "key", key, "value", value);
}

static json_t *provenance_json(const sow_i_map *m)
{
    char seed[32];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)m->c->config->seed);
    return json_pack("[o,o,o,o]", fact("version", json_string(sow_version())), fact("commit", json_string(sow_git_hash())), fact("seed", json_string(seed)),
                     fact("SHA-256 over the data files", json_string(m->c->world_digest)));
}

sow_status sow_i_map_write_page(const sow_i_map *m, const char *path, sow_error *err)
{
    sow_status st = SOW_OK;
    const sow_i_map_shape *s = &m->shape;
    char *text = NULL;
    json_t *words = json_array();
    for (int k = 0; k < N_CLASSES; k++) json_array_append_new(words, json_string(classes[k]));
    json_t *j = json_pack("{s:s,s:s,s:s,s:s,s:I,s:I,s:I,s:I,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "name", m->c->config->name, "generated_by", "sower predict --all", "readout", sow_i_readout_word(m->c), "model",
                          m->c->model_class->name, "perturbations", (json_int_t)m->n, "features", (json_int_t)m->d, "unknown", (json_int_t)m->n_unknown, "alike", (json_int_t)s->n_alike, "contexts", contexts_json(m),
                          "words", words, "classes", classes_json(m), "clusters", clusters_json(m), "magnitude", sow_i_real_or_null(s->median_magnitude), "specificity",
                          sow_i_real_or_null(s->median_specificity), "provenance", provenance_json(m));
    if (j) {
        json_object_set_new(j, "first_share", sow_i_real_or_null(s->first_share));
        json_object_set_new(j, "can_cluster", json_boolean(sow_graph_has_clusters()));
        json_object_set_new(j, "map", json_pack("{s:o}", "points", points_json(m)));
        if (m->left_out) json_object_set_new(j, "left_out", json_pack("{s:s,s:s}", "context", sow_i_target_name(m->c), "why", m->left_out));
    }
    text = j ? sow_i_json_text(j, 0) : NULL;
    json_decref(j);
    if (!text) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_report_write_map(path, text, err));
done:
    free(text);
    return st;
}
