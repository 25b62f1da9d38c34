/* Learning curves: a figure for each metric (and context), the campaign's model beside its baselines, and the last round as a
 * table. Cells have many metrics: a few are drawn, all stand in the table and are explained below it. */
#include "io/report_internal.h"

#include <math.h>
#include <string.h>

enum { CURVES_MOST = 64, DRAWN_MOST = 16, SERIES_MOST = 32 };

typedef struct {
    const char *metric, *context;
} curve;

static int is_curve_row(const json_t *row)
{
    const sow_i_metric_words *words = sow_i_metric(sow_i_string(row, "metric"));
    double value;
    return sow_i_string(row, "model") && sow_i_string(row, "metric") && !(words && words->campaign) &&
           sow_i_number(row, "value", &value);
}

static int text_equal(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "") == 0;
}

static int in_curve(const json_t *row, const curve *c)
{
    return is_curve_row(row) && text_equal(sow_i_string(row, "metric"), c->metric) &&
           text_equal(sow_i_string(row, "context"), c->context);
}

/* The figures to draw, in the order in which their first rows come. */
static size_t find_curves(const json_t *metrics, curve *curves)
{
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(metrics) && n < CURVES_MOST; i++) {
        const json_t *row = json_array_get(metrics, i);
        size_t k = 0;
        if (!is_curve_row(row)) continue;
        while (k < n && !in_curve(row, &curves[k]))
            k++;
        if (k == n) curves[n++] = (curve){sow_i_string(row, "metric"), sow_i_string(row, "context")};
    }
    return n;
}

static int front_of(const curve *c)
{
    const sow_i_metric_words *words = sow_i_metric(c->metric);
    return words ? words->front : 0;
}

/* Those to be drawn first, in their order; returns how many to draw: all, but for cells. */
static size_t bring_to_front(const json_t *doc, curve *curves, size_t n)
{
    size_t drawn = 0;
    if (!sow_i_is_cells(doc)) return n < DRAWN_MOST ? n : DRAWN_MOST;
    for (int place = 1; place <= 4; place++)
        for (size_t i = drawn; i < n; i++) {
            if (front_of(&curves[i]) != place) continue;
            const curve c = curves[i];
            memmove(&curves[drawn + 1], &curves[drawn], (i - drawn) * sizeof c);
            curves[drawn++] = c;
        }
    size_t wanted = drawn ? drawn : n;
    return wanted < DRAWN_MOST ? wanted : DRAWN_MOST;
}

static int is_beat(const char *model)
{
    return strcmp(model, SOW_I_BEAT) == 0;
}

/* Models in the order of the legend: the campaign's first. */
static size_t find_models(const json_t *doc, const char **models)
{
    const json_t *metrics = sow_i_array(doc, "metrics");
    size_t n = 0;
    models[n++] = sow_i_campaign_model(doc);
    for (size_t i = 0; i < json_array_size(metrics) && n < SERIES_MOST; i++) {
        const json_t *row = json_array_get(metrics, i);
        size_t k = 0;
        if (!is_curve_row(row)) continue;
        while (k < n && !text_equal(models[k], sow_i_string(row, "model")))
            k++;
        if (k == n) models[n++] = sow_i_string(row, "model");
    }
    return n;
}

static json_t *or_null(const json_t *row, const char *key)
{
    double x;
    return sow_i_number(row, key, &x) ? json_real(x) : json_null();
}

/* Rows [measured, round, model, value, low, high]. */
static void curve_data(sow_i_report *r, const curve *c, const char *const *models, size_t n_models)
{
    const json_t *metrics = sow_i_array(r->doc, "metrics");
    const sow_i_metric_words *words = sow_i_metric(c->metric);
    json_t *chart = sow_i_chart(r, "curve"), *rows = json_array(), *series = json_array();
    if (words && !isnan(words->target)) sow_i_put(r, chart, "target", json_real(words->target));
    for (size_t k = 0; k < n_models; k++)
        sow_i_push(r, series, json_string(models[k]));
    for (size_t i = 0; i < json_array_size(metrics); i++) {
        const json_t *row = json_array_get(metrics, i);
        if (!in_curve(row, c)) continue;
        sow_i_push(r, rows,
                   json_pack("[o,o,s,o,o,o]", or_null(row, "measured"), or_null(row, "round"), sow_i_string(row, "model"),
                             or_null(row, "value"), or_null(row, "low"), or_null(row, "high")));
    }
    sow_i_put(r, chart, "series", series);
    sow_i_put(r, chart, "beat", json_string(SOW_I_BEAT));
    sow_i_put(r, chart, "rows", rows);
}

/* First and last value of a model, in words. */
static void describe_series(sow_text *t, const json_t *metrics, const curve *c, const char *model)
{
    const json_t *first = NULL, *last = NULL;
    double a, b;
    for (size_t i = 0; i < json_array_size(metrics); i++) {
        const json_t *row = json_array_get(metrics, i);
        if (!in_curve(row, c) || !text_equal(sow_i_string(row, "model"), model)) continue;
        if (!first) first = row;
        last = row;
    }
    if (!first) return;
    (void)sow_i_number(first, "value", &a);
    (void)sow_i_number(last, "value", &b);
    sow_text_printf(t, " %s from %.3g to %.3g.", model, a, b);
}

/* Where the baseline to beat has no line, the reader should know why. */
static const char *missing_control(const json_t *doc, const curve *c, const char *const *models, size_t n_models)
{
    const json_t *metrics = sow_i_array(doc, "metrics");
    int known = 0, here = 0;
    for (size_t k = 0; k < n_models; k++)
        known |= is_beat(models[k]);
    for (size_t i = 0; i < json_array_size(metrics); i++) {
        const json_t *row = json_array_get(metrics, i);
        here |= in_curve(row, c) && is_beat(sow_i_string(row, "model"));
    }
    return known && !here ? "Control has no line here: where no change is predicted, there is nothing to correlate. " : "";
}

static void curve_figure(sow_i_report *r, const curve *c, const char *const *models, size_t n_models, int name_context)
{
    static const char *const better[] = {"Lower is better.", "", "Higher is better."};
    const sow_i_metric_words *words = sow_i_metric(c->metric);
    sow_text label = {0};
    curve_data(r, c, models, n_models);
    sow_text_printf(&label, "Line chart: %s against perturbations measured.", words ? words->label : c->metric);
    for (size_t k = 0; k < n_models; k++)
        describe_series(&label, sow_i_array(r->doc, "metrics"), c, models[k]);
    if (label.failed) r->failed = 1;
    sow_text_append(&r->body, "<figure><h3>");
    sow_i_html(&r->body, words ? words->label : c->metric);
    if (name_context && c->context) {
        sow_text_append(&r->body, ", ");
        sow_i_html(&r->body, c->context);
    }
    sow_text_append(&r->body, "</h3>");
    sow_i_chart_place(r, "curve", label.text ? label.text : "");
    sow_text_append(&r->body, "<figcaption>");
    if (words) sow_text_printf(&r->body, "%s %s ", words->sentence, better[words->better + 1]);
    if (words && !isnan(words->target)) sow_text_printf(&r->body, "The dotted line is %.2g. ", words->target);
    sow_text_append(&r->body, missing_control(r->doc, c, models, n_models));
    sow_text_append(&r->body, "<code>");
    sow_i_html(&r->body, c->metric);
    sow_text_append(&r->body, "</code></figcaption></figure>\n");
    sow_text_clear(&label);
}

static void legend(sow_text *t, const char *const *models, size_t n)
{
    sow_index series = 0;
    sow_text_append(t, "<ul class=\"legend\">");
    for (size_t k = 0; k < n; k++) {
        int beat = is_beat(models[k]);
        sow_text_append(t, "<li>");
        if (beat)
            sow_i_beat_key(t);
        else
            sow_i_series_key(t, series++);
        sow_text_append(t, k ? "<span>" : "<span><b>");
        sow_i_html(t, models[k]);
        sow_text_append(t, k ? "" : "</b>, the campaign’s model");
        sow_text_append(t, beat && k ? ", the line to beat: no change</span></li>" : "</span></li>");
    }
    sow_text_append(t, "</ul>\n");
}

static const json_t *row_of_last_round(const json_t *metrics, const curve *c, const char *model)
{
    const json_t *last = NULL;
    for (size_t i = 0; i < json_array_size(metrics); i++) {
        const json_t *row = json_array_get(metrics, i);
        if (in_curve(row, c) && text_equal(sow_i_string(row, "model"), model)) last = row;
    }
    return last;
}

static void value_cell(sow_text *t, const json_t *row, int is_best)
{
    double value, low, high;
    sow_text_append(t, is_best ? "<td class=\"n best\">" : "<td class=\"n\">");
    if (row && sow_i_number(row, "value", &value)) {
        sow_i_html_metric(t, value);
        if (sow_i_number(row, "low", &low) && sow_i_number(row, "high", &high)) {
            sow_text_append(t, "<span class=\"ci\">");
            sow_i_html_metric(t, low);
            sow_text_append(t, " to ");
            sow_i_html_metric(t, high);
            sow_text_append(t, "</span>");
        }
    } else {
        sow_text_append(t, "–");
    }
    sow_text_append(t, "</td>");
}

static void metric_head(sow_text *t, const curve *c, const sow_i_metric_words *words, int contexts)
{
    sow_text_append(t, "<th scope=\"row\">");
    sow_i_html(t, words ? words->label : c->metric);
    if (contexts && c->context) {
        sow_text_append(t, ", ");
        sow_i_html(t, c->context);
    }
    if (words && words->better)
        sow_text_append(t, words->better > 0 ? "<span class=\"ci\">↑ higher is better</span>" : "<span class=\"ci\">↓ lower is better</span>");
    sow_text_append(t, "</th>");
}

static void metric_row(sow_text *t, const json_t *metrics, const curve *c, const char *const *models, size_t n_models, int contexts)
{
    const sow_i_metric_words *words = sow_i_metric(c->metric);
    const json_t *rows[SERIES_MOST] = {0};
    double value, best = -INFINITY;
    int better = words ? words->better : 0;
    for (size_t k = 0; k < n_models; k++) {
        rows[k] = row_of_last_round(metrics, c, models[k]);
        if (rows[k] && sow_i_number(rows[k], "value", &value)) best = fmax(best, better * value);
    }
    sow_text_append(t, "<tr>");
    metric_head(t, c, words, contexts);
    for (size_t k = 0; k < n_models; k++)
        value_cell(t, rows[k], better && rows[k] && sow_i_number(rows[k], "value", &value) && better * value >= best);
    sow_text_append(t, "</tr>\n");
}

/* Metrics down, models across: every number of the last round. */
static void last_round_table(sow_i_report *r, const curve *curves, size_t n_curves, const char *const *models, size_t n_models,
                             int contexts)
{
    sow_text *t = &r->body;
    sow_text_append(t, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Metrics of the last round\"><table "
                       "class=\"data metrics\"><caption>The "
                       "last round in numbers, with 95% intervals over held-out perturbations; bold is the best of its row, by however little. Every "
                       "round is in <code>metrics.csv</code>.</caption>"
                       "<thead><tr><th scope=\"col\">Metric</th>");
    for (size_t k = 0; k < n_models; k++) {
        sow_text_append(t, "<th scope=\"col\" class=\"n\">");
        sow_i_html(t, models[k]);
        if (k && is_beat(models[k])) sow_text_append(t, "<span class=\"ci\">to beat</span>");
        sow_text_append(t, "</th>");
    }
    sow_text_append(t, "</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < n_curves; i++)
        metric_row(t, sow_i_array(r->doc, "metrics"), &curves[i], models, n_models, contexts);
    sow_text_append(t, "</tbody>");
    sow_i_table_close(t);
}

/* A sentence for each metric that has no figure, and for each baseline. */
static void explanations(sow_i_report *r, const curve *curves, size_t from, size_t n, const char *const *models, size_t n_models)
{
    sow_text *t = &r->body;
    sow_text_append(t, "<details><summary>What the metrics and the models are</summary>\n<dl class=\"terms\">\n");
    for (size_t i = from; i < n; i++) {
        const sow_i_metric_words *words = sow_i_metric(curves[i].metric);
        int again = 0;
        for (size_t k = from; k < i; k++)
            again |= strcmp(curves[k].metric, curves[i].metric) == 0;
        if (words && !again) sow_text_printf(t, "<dt>%s</dt><dd>%s</dd>\n", words->label, words->sentence);
    }
    for (size_t k = 0; k < n_models; k++) {
        const char *sentence = sow_i_baseline(models[k]);
        if (sentence) sow_text_printf(t, "<dt>%s</dt><dd>%s</dd>\n", models[k], sentence); /* a name of our own table */
    }
    sow_text_append(t, "</dl></details>\n");
}

void sow_i_report_curves(sow_i_report *r)
{
    curve curves[CURVES_MOST];
    const char *models[SERIES_MOST];
    const json_t *metrics = sow_i_array(r->doc, "metrics");
    size_t n_curves = find_curves(metrics, curves), drawn = bring_to_front(r->doc, curves, n_curves);
    int contexts = 0;
    sow_i_section_open(&r->body, "curves", "How well the model predicts");
    if (n_curves) {
        size_t n_models = find_models(r->doc, models);
        for (size_t i = 1; i < n_curves; i++)
            contexts |= !text_equal(curves[i].context, curves[0].context);
        sow_text_append(
            &r->body,
            "<p>Judged on perturbations that were never in the pool nor in any fit. Bands and bars are 95% intervals over those "
            "perturbations; a model that does not beat the plain baselines beside it has learned nothing of use.</p>\n");
        legend(&r->body, models, n_models);
        sow_text_append(&r->body, "<div class=\"grid\">\n");
        for (size_t i = 0; i < drawn; i++)
            curve_figure(r, &curves[i], models, n_models, contexts);
        sow_text_append(&r->body, "</div>\n");
        if (n_curves == CURVES_MOST)
            sow_text_append(&r->body, "<p class=\"note\">More metrics are in <code>metrics.csv</code>.</p>\n");
        last_round_table(r, curves, n_curves, models, n_models, contexts);
        explanations(r, curves, drawn, n_curves, models, n_models);
    } else {
        sow_text_append(
            &r->body,
            "<p class=\"note\">No learning curve yet: it needs a measured round and perturbations held out to judge by.</p>\n");
    }
    sow_i_section_close(&r->body);
}
