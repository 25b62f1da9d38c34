/* allocation.csv and allocation.html, from the sweep's document alone. */
#include <math.h>
#include <stdlib.h>

#include "io/report.h"
#include "planner/sweep_internal.h"

static void number(sow_text *t, const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    sow_text_append(t, ",");
    sow_text_number(t, json_is_number(v) ? json_number_value(v) : (double)NAN);
}

static void yes_no(sow_text *t, int yes)
{
    sow_text_append(t, yes ? ",1" : ",0");
}

static void row(sow_text *t, const json_t *world, size_t i, const char *metric)
{
    const json_t *list = json_object_get(world, "allocations"), *a = json_array_get(list, i), *front = json_object_get(a, "front"), *same = json_object_get(a, "same_as");
    const json_t *value = json_object_get(a, "value"), *less = json_object_get(a, "less_best"), *recommended = json_object_get(world, "recommended");
    static const char *const used[] = {"rounds", "perturbations", "cells_per_perturbation", "cost", "weeks"};
    sow_text_csv(t, json_string_value(json_object_get(world, "world")));
    sow_text_append(t, ",");
    sow_text_csv(t, json_string_value(json_object_get(a, "arm")));
    for (size_t k = 0; k < sizeof used / sizeof *used; k++)
        number(t, a, used[k]);
    sow_text_printf(t, ",%s", metric);
    number(t, value, "value");
    number(t, value, "low");
    number(t, value, "high");
    number(t, value, "n");
    number(t, less, "value");
    number(t, less, "low");
    number(t, less, "high");
    number(t, less, "detectable");
    yes_no(t, json_is_true(json_object_get(a, "affordable")));
    yes_no(t, json_is_true(json_object_get(front, "money")));
    yes_no(t, json_is_true(json_object_get(front, "weeks")));
    yes_no(t, json_is_true(json_object_get(front, "both")));
    yes_no(t, json_is_object(recommended) && json_integer_value(json_object_get(recommended, "allocation")) == (json_int_t)i);
    sow_text_append(t, ",");
    if (json_is_integer(same)) sow_text_csv(t, json_string_value(json_object_get(json_array_get(list, (size_t)json_integer_value(same)), "label")));
    sow_text_append(t, "\n");
}

static void csv(sow_text *t, const json_t *allocation)
{
    const json_t *worlds = json_object_get(allocation, "worlds");
    sow_text_append(t, "world,arm,rounds,perturbations,cells_per_perturbation,cost,weeks,metric,value,low,high,n,over_best,over_best_low,over_best_high,detectable,affordable,front_money,front_weeks,front_both,recommended,same_as\n");
    for (size_t w = 0; w < json_array_size(worlds); w++) {
        const json_t *world = json_array_get(worlds, w);
        for (size_t i = 0; i < json_array_size(json_object_get(world, "allocations")); i++)
            row(t, world, i, json_string_value(json_object_get(allocation, "metric")));
    }
}

sow_status sow_i_sweep_write_allocation(const sow_i_sweep *s, const json_t *document, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_text t = {0};
    char *table = sow_path_join(s->dir, "allocation.csv"), *page = sow_path_join(s->dir, "allocation.html"), *text = NULL;
    json_t *j = json_copy(json_object_get(document, "allocation"));
    if (!table || !page || !j) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    csv(&t, j);
    SOW_TRY(sow_text_save(&t, table, err));
    json_object_set(j, "name", json_object_get(document, "sweep"));
    json_object_set_new(j, "generated_by", json_string("sower simulate"));
    text = sow_i_json_text(j, 0);
    if (!text) SOW_FAIL(err, SOW_E_NOMEM, "out of memory");
    SOW_TRY(sow_report_write_allocation(page, text, err));
done:
    json_decref(j);
    free(table);
    free(page);
    free(text);
    sow_text_clear(&t);
    return st;
}
