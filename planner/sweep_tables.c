/* The files of a comparison, from its document alone: summary.csv, curves.csv, summary.json. */
#include <math.h>
#include <stdlib.h>

#include "core/memory.h"
#include "planner/sweep_internal.h"

static void number(sow_text *t, const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    sow_text_append(t, ",");
    sow_text_number(t, json_is_number(v) ? json_number_value(v) : (double)NAN);
}

static void row(sow_text *t, const char *arm, const char *metric, const char *statistic, const char *more, const json_t *v, const char *value)
{
    sow_text_csv(t, arm);
    sow_text_printf(t, ",%s,%s%s%s", metric, statistic, *more ? "_" : "", more);
    number(t, v, value);
    number(t, *more ? NULL : v, "low");
    number(t, *more ? NULL : v, "high");
    sow_text_printf(t, ",%lld\n", (long long)json_integer_value(json_object_get(v, "n")));
}

/* Statistics in a fixed order; an arm lacks those that compare it with itself. */
static void metric_rows(sow_text *t, const char *arm, const char *metric, const json_t *of)
{
    static const char *const names[] = {"end", "auc_perturbations", "auc_money", "end_difference", "auc_perturbations_difference", "auc_money_difference", "perturbations_saved", "money_saved"};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        const json_t *v = json_object_get(of, names[k]);
        if (!v) continue;
        row(t, arm, metric, names[k], "", v, "value");
        if (!json_object_get(v, "p")) continue;
        row(t, arm, metric, names[k], "p", v, "p");
        row(t, arm, metric, names[k], "holm", v, "holm");
        row(t, arm, metric, names[k], "detectable", v, "detectable");
    }
}

static void summary_csv(sow_text *t, const json_t *document)
{
    static const char *const used[] = {"perturbations", "cost", "weeks"};
    const json_t *arms = json_object_get(document, "arms"), *metrics = json_object_get(document, "metrics");
    sow_text_append(t, "arm,metric,statistic,value,low,high,n\n");
    for (size_t a = 0; a < json_array_size(arms); a++) {
        const json_t *arm = json_array_get(arms, a), *rounds = json_object_get(arm, "rounds"), *last = json_array_get(rounds, json_array_size(rounds) - 1);
        const char *name = json_string_value(json_object_get(arm, "arm"));
        for (size_t k = 0; k < sizeof used / sizeof *used; k++)
            row(t, name, "", used[k], "", json_object_get(last, used[k]), "value");
        for (size_t m = 0; m < json_array_size(metrics); m++) {
            const char *metric = json_string_value(json_object_get(json_array_get(metrics, m), "metric"));
            metric_rows(t, name, metric, json_object_get(json_object_get(arm, "metrics"), metric));
        }
    }
}

static void curves_csv(sow_text *t, const json_t *document)
{
    const json_t *arms = json_object_get(document, "arms"), *metrics = json_object_get(document, "metrics");
    sow_text_append(t, "arm,metric,round,perturbations,cost,weeks,value,low,high,n\n");
    for (size_t a = 0; a < json_array_size(arms); a++) {
        const json_t *arm = json_array_get(arms, a), *rounds = json_object_get(arm, "rounds");
        for (size_t m = 0; m < json_array_size(metrics); m++) {
            const char *metric = json_string_value(json_object_get(json_array_get(metrics, m), "metric"));
            for (size_t r = 0; r < json_array_size(rounds); r++) {
                const json_t *at = json_array_get(rounds, r), *v = json_object_get(json_object_get(at, "metrics"), metric);
                sow_text_csv(t, json_string_value(json_object_get(arm, "arm")));
                sow_text_printf(t, ",%s,%lld", metric, (long long)r);
                number(t, json_object_get(at, "perturbations"), "value");
                number(t, json_object_get(at, "cost"), "value");
                number(t, json_object_get(at, "weeks"), "value");
                number(t, v, "value");
                number(t, v, "low");
                number(t, v, "high");
                sow_text_printf(t, ",%lld\n", (long long)json_integer_value(json_object_get(v, "n")));
            }
        }
    }
}

static sow_status save(const sow_i_sweep *s, const char *name, sow_text *t, sow_error *err)
{
    char *path = sow_path_join(s->dir, name);
    sow_status st = path ? sow_text_save(t, path, err) : SOW_ERROR(err, SOW_E_NOMEM, "out of memory");
    free(path);
    sow_text_clear(t);
    return st;
}

sow_status sow_i_sweep_write_tables(const sow_i_sweep *s, const json_t *document, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_text t = {0};
    char *json = sow_i_json_text(document, 1);
    if (!json) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    summary_csv(&t, document);
    SOW_TRY(save(s, "summary.csv", &t, err));
    curves_csv(&t, document);
    SOW_TRY(save(s, "curves.csv", &t, err));
    sow_text_printf(&t, "%s\n", json);
    SOW_TRY(save(s, "summary.json", &t, err));
done:
    free(json);
    sow_text_clear(&t);
    return st;
}
