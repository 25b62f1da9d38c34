/* The page of seeds for a new context: the list with its reasons, and what strategies reached where references were played as if they were new. */
#include "io/report_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *label_of(const char *metric)
{
    const sow_i_metric_words *words = sow_i_metric(metric);
    return words ? words->label : metric;
}

static const char *metric_at(const sow_i_report *r, size_t i)
{
    return json_string_value(json_array_get(sow_i_array(r->doc, "leading"), i));
}

static void header(sow_i_report *r)
{
    sow_text_append(&r->body, "<header>\n<p class=\"kicker\">Seeds for a new context</p>\n<h1>");
    sow_i_html(&r->body, sow_i_string(r->doc, "name"));
    sow_text_append(&r->body, "</h1>\n<p class=\"meta\">context <b>");
    sow_i_html(&r->body, sow_i_string(r->doc, "context"));
    sow_text_append(&r->body, "</b> · model ");
    sow_i_html(&r->body, sow_i_string(r->doc, "model"));
    sow_text_append(&r->body, "</p>\n</header>\n");
}

static void list_section(sow_i_report *r)
{
    static const sow_i_column columns[] = {{"Rank", "rank", SOW_I_NUMBER}, {"Perturbation", "perturbation", SOW_I_TEXT}, {"Score", "score", SOW_I_NUMBER}, {"Why", "reason", SOW_I_TEXT}};
    sow_text *t = &r->body;
    sow_i_section_open(t, "done", "What to measure first");
    sow_text_append(t, "<p class=\"lede\">");
    sow_i_html(t, sow_i_string(r->doc, "headline"));
    sow_text_append(t, "</p>\n<p>");
    sow_i_html(t, sow_i_string(r->doc, "expected"));
    sow_text_append(t, "</p>\n");
    sow_i_table_rows(t, "Seeds in the order of choice", NULL, columns, sizeof columns / sizeof *columns, sow_i_array(r->doc, "seeds"), NULL);
    sow_i_section_close(t);
}

/* ---- replays ---- */

static json_t *or_null(const json_t *row, const char *key)
{
    double x;
    return row && sow_i_number(row, key, &x) ? json_real(x) : json_null();
}

/* The strategy that was chosen first, so that its line is the thick one. */
static json_t *series_of(const sow_i_report *r)
{
    const json_t *rows = sow_i_array(r->doc, "strategies");
    const char *chosen = sow_i_string(r->doc, "strategy");
    json_t *series = json_array();
    json_array_append_new(series, json_string(chosen ? chosen : ""));
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const char *name = sow_i_string(json_array_get(rows, i), "strategy");
        if (name && chosen && strcmp(name, chosen) != 0) json_array_append_new(series, json_string(name));
    }
    return series;
}

static void curve(sow_i_report *r, const char *metric)
{
    const json_t *rows = sow_i_array(r->doc, "accuracy");
    json_t *chart = sow_i_chart(r, "curve"), *points = json_array();
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const char *name = sow_i_string(row, "strategy"), *k = sow_i_string(row, "metric");
        double seeds, mean;
        if (!name || !k || strcmp(k, metric) != 0 || !sow_i_number(row, "seeds", &seeds) || !sow_i_number(row, "mean", &mean)) continue;
        sow_i_push(r, points, json_pack("[f,n,s,f,o,o]", seeds, name, mean, or_null(row, "low"), or_null(row, "high")));
    }
    sow_i_put(r, chart, "series", series_of(r));
    sow_i_put(r, chart, "beat", json_string(""));
    sow_i_put(r, chart, "rows", points);
    sow_text_append(&r->body, "<figure><h3>");
    sow_i_html(&r->body, label_of(metric));
    sow_text_append(&r->body, "</h3>\n");
    sow_i_chart_place(r, "curve", "Line chart: accuracy against the number of seeds, by strategy; the numbers are in the table below.");
    const sow_i_metric_words *words = sow_i_metric(metric);
    sow_text_append(&r->body, "<figcaption>");
    sow_i_html(&r->body, words ? words->sentence : "");
    sow_text_append(&r->body, "</figcaption></figure>\n");
}

static void legend(sow_i_report *r)
{
    json_t *series = series_of(r);
    sow_text_append(&r->body, "<ul class=\"legend\">");
    for (size_t k = 0; k < json_array_size(series); k++) {
        sow_text_append(&r->body, "<li>");
        sow_i_series_key(&r->body, (sow_index)k);
        sow_text_append(&r->body, k ? "<span>" : "<span><b>");
        sow_i_html(&r->body, json_string_value(json_array_get(series, k)));
        sow_text_append(&r->body, k ? "</span></li>" : "</b>, chosen</span></li>");
    }
    sow_text_append(&r->body, "</ul>\n");
    json_decref(series);
}

static void accuracy_table(sow_i_report *r, const char *metric)
{
    const json_t *rows = sow_i_array(r->doc, "accuracy");
    sow_text *t = &r->body;
    sow_i_table_open(t, label_of(metric), "Strategy|#Seeds|#Mean|#From|#To|#Replays", "few");
    sow_text_append(t, "<tbody>\n");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const char *k = sow_i_string(row, "metric");
        if (!k || strcmp(k, metric) != 0) continue;
        sow_text_append(t, "<tr>");
        sow_i_cell(t, row, "strategy");
        sow_i_cell_number(t, row, "seeds");
        sow_i_cell_number(t, row, "mean");
        sow_i_cell_number(t, row, "low");
        sow_i_cell_number(t, row, "high");
        sow_i_cell_number(t, row, "replays");
        sow_text_append(t, "</tr>\n");
    }
    sow_text_append(t, "</tbody>");
    sow_i_table_close(t);
}

static void against_random(sow_i_report *r)
{
    static const sow_i_column columns[] = {{"Strategy", "strategy", SOW_I_TEXT}, {"Seeds", "seeds", SOW_I_NUMBER}, {"Difference", "difference", SOW_I_NUMBER}, {"From", "low", SOW_I_NUMBER}, {"To", "high", SOW_I_NUMBER}};
    const json_t *rows = sow_i_array(r->doc, "against_random");
    sow_text *t = &r->body;
    if (!rows) return;
    sow_text_append(t, "<p>Means of different seeds are over different perturbations. Against random seeds, on the perturbations that are seeds of neither, paired by reference and draw; intervals are over draws "
                       "within the references played.</p>\n");
    sow_i_table_rows(t, "Against random seeds", "few", columns, sizeof columns / sizeof *columns, rows, NULL);
}

static void replays_section(sow_i_report *r)
{
    sow_text *t = &r->body;
    if (!sow_i_array(r->doc, "accuracy")) return;
    sow_i_section_open(t, "replays", "What seeds bought in the references");
    sow_text_append(t, "<p>Each reference in turn was taken for new, the others being known: a strategy chose seeds among what it and the target’s pool have, the model was fitted on them, and everything else that the "
                       "reference measured was predicted and compared. Intervals (95%) are over references, few as they are: they speak of a further context.</p>\n");
    legend(r);
    sow_text_append(t, "<div class=\"grid\">\n");
    for (size_t i = 0; metric_at(r, i); i++) curve(r, metric_at(r, i));
    sow_text_append(t, "</div>\n");
    against_random(r);
    accuracy_table(r, metric_at(r, 0) ? metric_at(r, 0) : "");
    sow_text_append(t, "<p class=\"note\">Every metric is in <code>seeds_accuracy.csv</code>.</p>\n");
    sow_i_section_close(t);
}

static void terms(sow_i_report *r)
{
    const json_t *rows = sow_i_array(r->doc, "strategies");
    sow_i_section_open(&r->body, "terms", "What the strategies are");
    sow_text_append(&r->body, "<dl class=\"terms\">\n");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        sow_text_append(&r->body, "<dt>");
        sow_i_html(&r->body, sow_i_string(json_array_get(rows, i), "strategy"));
        sow_text_append(&r->body, "</dt><dd>");
        sow_i_html(&r->body, sow_i_string(json_array_get(rows, i), "summary"));
        sow_text_append(&r->body, "</dd>\n");
    }
    sow_text_append(&r->body, "</dl>\n");
    sow_i_section_close(&r->body);
}

static void write_body(sow_i_report *r)
{
    header(r);
    sow_text_append(&r->body, "<main>\n");
    list_section(r);
    replays_section(r);
    terms(r);
    sow_i_report_provenance(r);
    sow_i_report_foot(r);
}

sow_status sow_report_write_seeds(const char *path, const char *json, sow_error *err)
{
    static const sow_i_page form = {"seeds", "seeds", "#done\">Skip to what to measure first", "seeds", write_body, NULL};
    return sow_i_page_write(path, json, &form, err);
}
