#include "io/calibration.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "io/baseline.h"
#include "io/file.h"

enum { VERSION = 1 };

static int is_json(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot && strcmp(dot, ".json") == 0;
}

/* ---- reading ---- */

static sow_status number(double *out, const json_t *doc, const char *key, double least, double most, const char *path, sow_error *err)
{
    const json_t *x = json_object_get(doc, key);
    if (!json_is_number(x)) return SOW_ERROR(err, SOW_E_DATA, "%s: '%s' is missing, or no number; sower calibrate writes it", path, key);
    *out = json_number_value(x);
    if (*out >= least && *out <= most) return SOW_OK;
    return SOW_ERROR(err, SOW_E_DATA, "%s: '%s' is %g; %g to %g is allowed", path, key, *out, least, most);
}

static sow_status count(sow_index *out, const json_t *doc, const char *key, const char *path, sow_error *err)
{
    double x = 0;
    const sow_status st = number(&x, doc, key, 0, 1e9, path, err);
    *out = (sow_index)x;
    return st;
}

/* `n` numbers within bounds, not falling where they are quantiles. */
static sow_status numbers(double *out, sow_index n, int rising, const json_t *doc, const char *key, double least, double most, const char *path, sow_error *err)
{
    const json_t *list = json_object_get(doc, key);
    if (!json_is_array(list) || (sow_index)json_array_size(list) != n)
        return SOW_ERROR(err, SOW_E_DATA, "%s: '%s' must be a list of %lld numbers; it has %lld", path, key, (long long)n, (long long)json_array_size(list));
    for (sow_index i = 0; i < n; i++) {
        const json_t *x = json_array_get(list, (size_t)i);
        out[i] = json_number_value(x);
        if (!json_is_number(x) || !(out[i] >= least && out[i] <= most))
            return SOW_ERROR(err, SOW_E_DATA, "%s: entry %lld of '%s' is not a number from %g to %g", path, (long long)i + 1, key, least, most);
        if (rising && i > 0 && out[i] < out[i - 1]) return SOW_ERROR(err, SOW_E_DATA, "%s: '%s' are quantiles and cannot fall (entry %lld)", path, key, (long long)i + 1);
    }
    return SOW_OK;
}

static sow_status read_genes(sow_baseline *b, const json_t *doc, const char *path, sow_error *err)
{
    sow_status st = SOW_OK;
    const json_t *genes = json_object_get(doc, "genes");
    const sow_index n = (sow_index)json_array_size(genes);
    double sum = 0;
    if (n == 0) SOW_FAIL(err, SOW_E_DATA, "%s: 'genes' is missing, or empty", path);
    SOW_TRY(sow_baseline_init(b, n, err));
    for (sow_index i = 0; i < n; i++) {
        const char *name = json_string_value(json_array_get(genes, (size_t)i));
        sow_index at = -1;
        if (!name || !*name) SOW_FAIL(err, SOW_E_DATA, "%s: entry %lld of 'genes' is no name", path, (long long)i + 1);
        SOW_TRY(sow_names_add(b->genes, name, &at, err));
        if (at != i) SOW_FAIL(err, SOW_E_DATA, "%s: gene %s is there twice", path, name);
    }
    SOW_TRY(numbers(b->share, n, 0, doc, "share", 1e-300, 1, path, err));
    SOW_TRY(numbers(b->size, n, 0, doc, "size", 1e-6, 1e9, path, err));
    for (sow_index i = 0; i < n; i++)
        sum += b->share[i];
    if (sum > 1.01) SOW_FAIL(err, SOW_E_DATA, "%s: 'share' sums to %.4g; shares of a cell's UMIs sum to 1 at most", path, sum);
done:
    return st;
}

static sow_status read_json(sow_calibration *c, const json_t *doc, const char *path, sow_error *err)
{
    sow_status st = SOW_OK;
    if (json_integer_value(json_object_get(doc, "sower_calibration")) != VERSION)
        SOW_FAIL(err, SOW_E_DATA, "%s: not a calibration of this version ('sower_calibration': %d is missing); make one with sower calibrate", path, VERSION);
    SOW_TRY(read_genes(&c->genes, doc, path, err));
    SOW_TRY(number(&c->depth_median, doc, "depth_median", 1e-3, 1e9, path, err));
    SOW_TRY(number(&c->depth_log_sd, doc, "depth_log_sd", 0, 5, path, err));
    SOW_TRY(count(&c->n_batches, doc, "batches", path, err));
    SOW_TRY(number(&c->batch_effect, doc, "batch_effect", 0, 3, path, err));
    SOW_TRY(number(&c->batch_depth, doc, "batch_depth", 0, 3, path, err));
    SOW_TRY(count(&c->n_controls, doc, "controls", path, err));
    SOW_TRY(count(&c->n_perturbations, doc, "perturbations", path, err));
    if (c->n_perturbations == 0) goto done;
    SOW_TRY(numbers(c->length, SOW_CALIBRATION_LENGTHS, 1, doc, "effect_length", 1e-9, 1e6, path, err));
    SOW_TRY(numbers(c->cells, SOW_CALIBRATION_CELLS, 1, doc, "cells", 1, 1e9, path, err));
done:
    return st;
}

sow_status sow_calibration_read(sow_calibration *out, const char *path, sow_error *err)
{
    sow_status st = SOW_OK;
    json_t *doc = NULL;
    json_error_t where;
    *out = (sow_calibration){0};
    if (!is_json(path)) return sow_baseline_read(&out->genes, path, err);
    if (!sow_file_exists(path)) SOW_FAIL(err, SOW_E_IO, "%s: no such file", path);
    doc = json_load_file(path, JSON_REJECT_DUPLICATES, &where);
    if (!doc) SOW_FAIL(err, SOW_E_DATA, "%s:%d:%d: not JSON: %s", path, where.line, where.column, where.text);
    SOW_TRY(read_json(out, doc, path, err));
done:
    json_decref(doc);
    if (st != SOW_OK) sow_calibration_clear(out);
    return st;
}

/* ---- writing ---- */

static json_t *list_of(const double *x, sow_index n)
{
    json_t *list = json_array();
    for (sow_index i = 0; i < n; i++)
        json_array_append_new(list, json_real(x[i]));
    return list;
}

sow_status sow_calibration_write(const char *path, const sow_calibration *c, sow_error *err)
{
    sow_status st = SOW_OK;
    char *text = NULL;
    json_t *genes = json_array(), *doc = NULL;
    for (sow_index i = 0; i < c->genes.n; i++)
        json_array_append_new(genes, json_string(sow_names_get(c->genes.genes, i)));
    doc = json_pack("{s:i,s:o,s:o,s:o,s:f,s:f,s:I,s:f,s:f,s:I,s:I}", "sower_calibration", VERSION, "genes", genes, "share", list_of(c->genes.share, c->genes.n), "size", list_of(c->genes.size, c->genes.n),
                    "depth_median", c->depth_median, "depth_log_sd", c->depth_log_sd, "batches", (json_int_t)c->n_batches, "batch_effect", c->batch_effect, "batch_depth", c->batch_depth, "controls",
                    (json_int_t)c->n_controls, "perturbations", (json_int_t)c->n_perturbations);
    if (doc && c->n_perturbations > 0) {
        json_object_set_new(doc, "effect_length", list_of(c->length, SOW_CALIBRATION_LENGTHS));
        json_object_set_new(doc, "cells", list_of(c->cells, SOW_CALIBRATION_CELLS));
    }
    text = doc ? json_dumps(doc, JSON_REAL_PRECISION(9) | JSON_SORT_KEYS | JSON_INDENT(1)) : NULL;
    if (!text) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_file_write_atomic(path, text, strlen(text), err));
done:
    free(text);
    json_decref(doc);
    return st;
}
