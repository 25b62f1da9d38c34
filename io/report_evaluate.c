/* The page of an evaluation: how it was done, every metric of every model with its interval, and how perturbations spread. */
#include "io/report_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MODELS_MOST = 32, METRICS_MOST = 64 };

static int is_outliers(const json_t *split)
{
    const char *kind = sow_i_string(split, "kind");
    return kind && strcmp(kind, "outliers") == 0;
}

static size_t find_models(const json_t *doc, const char **models)
{
    const json_t *rows = sow_i_array(doc, "models");
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(rows) && n < MODELS_MOST; i++) {
        const char *name = sow_i_string(json_array_get(rows, i), "model");
        if (name) models[n++] = name;
    }
    return n;
}

static const json_t *find_row(const json_t *split, const char *model, const char *metric)
{
    const json_t *rows = sow_i_array(split, "summary");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const char *m = sow_i_string(row, "model"), *k = sow_i_string(row, "metric");
        if (m && k && strcmp(m, model) == 0 && strcmp(k, metric) == 0) return row;
    }
    return NULL;
}

/* In the order in which they first come. */
static size_t find_metrics(const json_t *split, const char **metrics)
{
    const json_t *rows = sow_i_array(split, "summary");
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(rows) && n < METRICS_MOST; i++) {
        const char *metric = sow_i_string(json_array_get(rows, i), "metric");
        size_t k = 0;
        while (metric && k < n && strcmp(metrics[k], metric) != 0)
            k++;
        if (metric && k == n) metrics[n++] = metric;
    }
    return n;
}

/* ---- words ---- */

static void header(sow_i_report *r)
{
    const char *readout = sow_i_string(r->doc, "readout"), *context = sow_i_string(r->doc, "context");
    sow_text_append(&r->body, "<header>\n<p class=\"kicker\">Evaluation of predictions</p>\n<h1>");
    sow_i_html(&r->body, sow_i_string(r->doc, "name"));
    sow_text_append(&r->body, "</h1>\n<p class=\"meta\">");
    if (readout) {
        sow_i_html(&r->body, readout);
        sow_text_append(&r->body, " readout");
    }
    if (context) {
        sow_text_append(&r->body, " · context <b>");
        sow_i_html(&r->body, context);
        sow_text_append(&r->body, "</b>");
    }
    sow_text_append(&r->body, "</p>\n</header>\n");
}

static void not_taking_part(sow_i_report *r)
{
    double without_prior, without_value, not_eligible;
    (void)sow_i_number(r->doc, "without_prior", &without_prior);
    (void)sow_i_number(r->doc, "without_value", &without_value);
    (void)sow_i_number(r->doc, "not_eligible", &not_eligible);
    if (without_prior > 0) {
        sow_i_html_count(&r->body, without_prior, "perturbation does", "perturbations do");
        sow_text_append(&r->body, " not take part for lack of a prior, which one of the models needs. ");
    }
    if (not_eligible > 0) {
        sow_i_html_count(&r->body, not_eligible, "perturbation does", "perturbations do");
        sow_text_append(&r->body, " not take part, excluded or with too few cells; <code>sower check</code> has their names. ");
    }
    if (without_value > 0) {
        sow_i_html_count(&r->body, without_value, "perturbation does", "perturbations do");
        sow_text_append(&r->body, " not take part for lack of a full measurement. ");
    }
}

static void cells_paragraph(sow_i_report *r)
{
    const json_t *controls = sow_i_array(r->doc, "controls");
    const char *mode = sow_i_string(r->doc, "mode");
    double cells;
    if (!sow_i_number(r->doc, "cells", &cells) || json_array_size(controls) != 2) return;
    sow_text_append(&r->body, "<p>");
    sow_i_html_count(&r->body, cells, "cell of a perturbation takes", "cells of perturbations take");
    sow_text_append(&r->body, " part. Controls are cut in two: responses that models learn from are taken against ");
    sow_i_html_number(&r->body, json_number_value(json_array_get(controls, 0)));
    sow_text_append(&r->body, " of them; predictions start from the other ");
    sow_i_html_number(&r->body, json_number_value(json_array_get(controls, 1)));
    sow_text_append(&r->body, " and are judged against these. The genes of the response and their scaling are fitted anew in every fold, without the cells held out.");
    if (mode && strcmp(mode, "reference") == 0)
        sow_text_append(&r->body, " Metrics are those of the published reference (<code>evaluation.mode: reference</code>).");
    sow_text_append(&r->body, "</p>\n");
}

static void done_section(sow_i_report *r)
{
    const json_t *left = sow_i_array(r->doc, "left_out");
    double n;
    (void)sow_i_number(r->doc, "perturbations", &n);
    sow_i_section_open(&r->body, "done", "What was done");
    sow_text_append(&r->body, "<p>");
    sow_i_html_count(&r->body, n, "perturbation of a finished screen takes", "perturbations of a finished screen take");
    sow_text_append(&r->body, " part. In every fold some of them are held out; each model is fitted on the others, and on nothing else, and predicts those held out. Priors are scaled on the "
                              "perturbations learned from. ");
    not_taking_part(r);
    sow_text_append(&r->body, "</p>\n");
    cells_paragraph(r);
    if (left) {
        sow_text_append(&r->body, "<p>Not evaluated: ");
        for (size_t i = 0; i < json_array_size(left); i++) {
            if (i) sow_text_append(&r->body, "; ");
            sow_text_append(&r->body, "<b>");
            sow_i_html(&r->body, sow_i_string(json_array_get(left, i), "model"));
            sow_text_append(&r->body, "</b> (");
            sow_i_html(&r->body, sow_i_string(json_array_get(left, i), "why"));
            sow_text_append(&r->body, ")");
        }
        sow_text_append(&r->body, ".</p>\n");
    }
    sow_i_section_close(&r->body);
}

/* Some columns are not summed up by their mean. */
static int has_means(const json_t *split, const json_t *charts)
{
    const char *metric = sow_i_string(json_array_get(charts, 0), "metric");
    const json_t *rows = sow_i_array(split, "summary");
    for (size_t i = 0; metric && i < json_array_size(rows); i++) {
        const char *k = sow_i_string(json_array_get(rows, i), "metric");
        if (k && strcmp(k, metric) == 0) return 1;
    }
    return 0;
}

/* The metric that leads, the first chart's or the first of the table: the first model and the best of the others. */
static void lede(sow_i_report *r, const json_t *split, const char *const *models, size_t n_models)
{
    const json_t *charts = sow_i_array(split, "charts"), *first = has_means(split, charts) ? charts : sow_i_array(split, "summary");
    const char *metric = sow_i_string(json_array_get(first, 0), "metric");
    const sow_i_metric_words *words = metric ? sow_i_metric(metric) : NULL;
    const json_t *own = words && n_models ? find_row(split, models[0], metric) : NULL;
    const char *best_name = NULL;
    double mean, best = -INFINITY, value;
    if (!own || !sow_i_number(own, "mean", &mean)) return;
    for (size_t k = 1; k < n_models; k++) {
        const json_t *row = find_row(split, models[k], metric);
        if (!row || !sow_i_number(row, "mean", &value) || words->better * value <= best) continue;
        best = words->better * value;
        best_name = models[k];
    }
    sow_text_append(&r->body, "<p class=\"lede\">");
    sow_i_html(&r->body, words->label);
    sow_text_append(&r->body, ": ");
    sow_i_html(&r->body, models[0]);
    sow_text_append(&r->body, " ");
    sow_i_html_metric(&r->body, mean);
    if (best_name) {
        sow_text_append(&r->body, ", the best of the others (");
        sow_i_html(&r->body, best_name);
        sow_text_append(&r->body, ") ");
        sow_i_html_metric(&r->body, words->better * best);
    }
    sow_text_append(&r->body, words->better < 0 ? "; lower is better.</p>\n" : "; higher is better.</p>\n");
}

/* ---- the table ---- */

static void value_cell(sow_text *t, const json_t *row, double held, int is_best)
{
    double sd, n;
    if (!sow_i_html_interval_cell(t, row, is_best)) return;
    if (sow_i_number(row, "sd", &sd)) {
        sow_text_append(t, "<span class=\"ci\">± ");
        sow_i_html_metric(t, sd);
        sow_text_append(t, "</span>");
    }
    if (sow_i_number(row, "n", &n) && n < held) { /* another set of perturbations than its neighbours' */
        sow_text_append(t, "<span class=\"ci\">of ");
        sow_i_html_number(t, n);
        sow_text_append(t, " only</span>");
    }
    sow_text_append(t, "</td>");
}

static void metric_row(sow_text *t, const json_t *split, const char *metric, const char *const *models, size_t n_models)
{
    const sow_i_metric_words *words = sow_i_metric(metric);
    int better = words ? words->better : 0;
    double value, held, best = -INFINITY;
    (void)sow_i_number(split, "held_out", &held);
    for (size_t k = 0; k < n_models; k++) {
        const json_t *row = find_row(split, models[k], metric);
        if (row && sow_i_number(row, "mean", &value)) best = fmax(best, better * value);
    }
    sow_text_append(t, "<tr><th scope=\"row\">");
    sow_i_html(t, words ? words->label : metric);
    if (better) sow_text_append(t, better > 0 ? "<span class=\"ci\">↑ higher is better</span>" : "<span class=\"ci\">↓ lower is better</span>");
    sow_text_append(t, "</th>");
    for (size_t k = 0; k < n_models; k++) {
        const json_t *row = find_row(split, models[k], metric);
        value_cell(t, row, held, better && row && sow_i_number(row, "mean", &value) && better * value >= best);
    }
    sow_text_append(t, "</tr>\n");
}

static void metrics_table(sow_i_report *r, const json_t *split, const char *const *models, size_t n_models)
{
    sow_text *t = &r->body;
    const char *metrics[METRICS_MOST], *own = sow_i_string(r->doc, "model");
    size_t n = find_metrics(split, metrics);
    sow_text_append(t, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Metrics by model\"><table class=\"data metrics\"><caption>Means over the perturbations held out, "
                       "their 95% intervals over perturbations");
    if (!is_outliers(split)) sow_text_append(t, ", and ± their standard deviation over folds");
    sow_text_append(t, "; bold is the best of its row, by however little. The same numbers are in <code>evaluate_summary.csv</code>, those of each perturbation in "
                       "<code>evaluate.csv</code>.</caption><thead><tr><th scope=\"col\">Metric</th>");
    for (size_t k = 0; k < n_models; k++) {
        sow_text_append(t, "<th scope=\"col\" class=\"n\">");
        sow_i_html(t, models[k]);
        sow_text_append(t, own && strcmp(own, models[k]) == 0 ? "<span class=\"ci\">the campaign’s</span></th>" : "</th>");
    }
    sow_text_append(t, "</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < n; i++)
        metric_row(t, split, metrics[i], models, n_models);
    sow_text_append(t, "</tbody>");
    sow_i_table_close(t);
}

/* ---- charts ---- */

static json_t *or_null(const json_t *row, const char *key)
{
    double x;
    return row && sow_i_number(row, key, &x) ? json_real(x) : json_null();
}

static void strip_chart(sow_i_report *r, const json_t *split, const json_t *given, const char *metric, const char *const *models, size_t n_models)
{
    json_t *chart = sow_i_chart(r, "strip"), *series = json_array(), *means = json_array();
    for (size_t k = 0; k < n_models; k++) {
        const json_t *row = find_row(split, models[k], metric);
        double mean;
        sow_i_push(r, series, json_string(models[k]));
        if (row && sow_i_number(row, "mean", &mean))
            sow_i_push(r, means, json_pack("[s,f,o,o]", models[k], mean, or_null(row, "low"), or_null(row, "high")));
    }
    sow_i_put(r, chart, "series", series);
    sow_i_put(r, chart, "means", means);
    sow_i_put(r, chart, "rows", json_deep_copy(json_object_get(given, "rows")));
}

static void figure(sow_i_report *r, const json_t *split, const json_t *given, const char *const *models, size_t n_models)
{
    const char *metric = sow_i_string(given, "metric");
    const sow_i_metric_words *words = metric ? sow_i_metric(metric) : NULL;
    if (!metric || !sow_i_array(given, "rows")) return;
    sow_text_append(&r->body, "<figure><h3>");
    sow_i_html(&r->body, words ? words->label : metric);
    sow_text_append(&r->body, "</h3>\n");
    strip_chart(r, split, given, metric, models, n_models);
    sow_i_chart_place(r, "strip", "Values of single perturbations by model, with their mean; the numbers are in the table below and in evaluate.csv.");
    sow_text_append(&r->body, "<figcaption>");
    sow_i_html(&r->body, words ? words->sentence : "");
    sow_text_append(&r->body, "</figcaption></figure>\n");
}

static void figures(sow_i_report *r, const json_t *split, const char *const *models, size_t n_models)
{
    const json_t *charts = sow_i_array(split, "charts");
    double of;
    if (!charts) return;
    (void)sow_i_number(json_array_get(charts, 0), "of", &of);
    sow_text_append(&r->body, "<p>Each tick is a perturbation held out");
    sow_text_append(&r->body, has_means(split, charts) ? "; the dot is the mean over them, the bar its 95% interval." : ".");
    if (of > 400) { /* as many as planner/evaluate_report.c leaves in */
        sow_text_append(&r->body, " Of the ");
        sow_i_html_number(&r->body, of);
        sow_text_append(&r->body, " perturbations 400, evenly through the list of names, are drawn.");
    }
    sow_text_append(&r->body, "</p>\n<div class=\"grid\">\n");
    for (size_t i = 0; i < json_array_size(charts); i++)
        figure(r, split, json_array_get(charts, i), models, n_models);
    sow_text_append(&r->body, "</div>\n");
}

/* ---- pair by pair ---- */

/* `difference` is the first model less the other. */
static const char *verdict(int better, double low, double high)
{
    if (low <= 0 && high >= 0) return "cannot be told apart";
    return better * low > 0 || better * high > 0 ? "better" : "worse";
}

static void paired_table(sow_i_report *r, const json_t *split)
{
    const json_t *paired = json_object_get(split, "paired"), *rows = sow_i_array(paired, "rows");
    const char *metric = sow_i_string(paired, "metric"), *model = sow_i_string(paired, "model");
    const sow_i_metric_words *words = metric ? sow_i_metric(metric) : NULL;
    sow_text *t = &r->body;
    if (!rows || !words || !model) return;
    sow_text_append(t, "<p>The same perturbations predicted by two models say more than two means: differences of <b>");
    sow_i_html(t, model);
    sow_text_append(t, "</b> to the others in ");
    sow_i_html(t, words->label);
    sow_text_append(t, words->better < 0 ? " (below 0: it is better)" : " (above 0: it is better)");
    sow_text_append(t, ", with 95% Student intervals over perturbations. Folds share training data, so that these intervals are somewhat too narrow.</p>\n");
    sow_i_table_open(t, "Differences pair by pair", "Against|#Difference|#From|#To|#Perturbations|It is", "few");
    sow_text_append(t, "<tbody>\n");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        double low, high;
        int known = sow_i_number(row, "low", &low) & sow_i_number(row, "high", &high);
        sow_text_append(t, "<tr>");
        sow_i_cell(t, row, "other");
        sow_i_cell_number(t, row, "difference");
        sow_i_cell_number(t, row, "low");
        sow_i_cell_number(t, row, "high");
        sow_i_cell_number(t, row, "n");
        sow_text_printf(t, "<td>%s</td></tr>\n", known ? verdict(words->better, low, high) : "–");
    }
    sow_text_append(t, "</tbody>");
    sow_i_table_close(t);
}

/* ---- folds and clusters ---- */

static void folds_table(sow_i_report *r, const json_t *split)
{
    const json_t *folds = sow_i_array(split, "folds");
    sow_text *t = &r->body;
    sow_i_table_open(t, "What was held out", "Fold|#Learned from|#Held out|#Features|Perturbations held out", NULL);
    sow_text_append(t, "<tbody>\n");
    for (size_t i = 0; i < json_array_size(folds); i++) {
        const json_t *row = json_array_get(folds, i);
        sow_text_append(t, "<tr>");
        sow_i_cell(t, row, "fold");
        sow_i_cell_number(t, row, "training");
        sow_i_cell_number(t, row, "held_out");
        sow_i_cell_number(t, row, "features");
        sow_text_append(t, "<td>");
        sow_i_html_names(t, json_object_get(row, "names"), "their names");
        sow_text_append(t, "</td></tr>\n");
    }
    sow_text_append(t, "</tbody>");
    sow_i_table_close(t);
}

static void clusters_table(sow_i_report *r, const json_t *split)
{
    const json_t *clusters = sow_i_array(split, "clusters");
    sow_text *t = &r->body;
    if (!clusters) return;
    sow_i_table_open(t, "Clusters of mean responses", "Cluster|#Perturbations|Part|Perturbations", NULL);
    sow_text_append(t, "<tbody>\n");
    for (size_t i = 0; i < json_array_size(clusters); i++) {
        const json_t *row = json_array_get(clusters, i);
        sow_text_append(t, "<tr>");
        sow_i_cell(t, row, "cluster");
        sow_text_append(t, "<td class=\"n\">");
        sow_i_html_number(t, (double)json_array_size(json_object_get(row, "names")));
        sow_text_append(t, json_is_true(json_object_get(row, "controls"))   ? "</td><td>with the controls: learned from</td><td>"
                           : json_is_true(json_object_get(row, "held_out")) ? "</td><td><b>held out</b></td><td>"
                                                                            : "</td><td>learned from</td><td>");
        sow_i_html_names(t, json_object_get(row, "names"), "their names");
        sow_text_append(t, "</td></tr>\n");
    }
    sow_text_append(t, "</tbody>");
    sow_i_table_close(t);
}

static void split_section(sow_i_report *r, const json_t *split, const char *const *models, size_t n_models)
{
    double folds = (double)json_array_size(json_object_get(split, "folds"));
    int outliers = is_outliers(split);
    sow_i_section_open(&r->body, outliers ? "outliers" : "folds", outliers ? "Outliers held out" : "Random folds");
    lede(r, split, models, n_models);
    if (outliers) {
        sow_text_append(&r->body, "<p>Mean responses of all perturbations, and of the controls, are clustered (Leiden, on the graph of 15 nearest neighbours in 50 principal components). "
                                  "Whole clusters are held out, those first whose centres are farthest from the centre of the controls’ cluster, until a fifth of the perturbations is "
                                  "reached: what is predicted is unlike anything that was learned from.</p>\n");
    } else {
        sow_text_append(&r->body, "<p>The perturbations are cut at random into ");
        sow_i_html_count(&r->body, folds, "fold", "folds");
        sow_text_append(&r->body, " of even size, and each is held out once.</p>\n");
    }
    figures(r, split, models, n_models);
    metrics_table(r, split, models, n_models);
    paired_table(r, split);
    clusters_table(r, split);
    folds_table(r, split);
    sow_i_section_close(&r->body);
}

static void terms(sow_i_report *r, const json_t *splits)
{
    const char *metrics[METRICS_MOST];
    const json_t *models = sow_i_array(r->doc, "models");
    size_t n = find_metrics(json_array_get(splits, 0), metrics);
    sow_i_section_open(&r->body, "terms", "What the metrics and the models are");
    sow_text_append(&r->body, "<dl class=\"terms\">\n");
    for (size_t i = 0; i < n; i++) {
        const sow_i_metric_words *words = sow_i_metric(metrics[i]);
        if (words) sow_text_printf(&r->body, "<dt>%s</dt><dd>%s</dd>\n", words->label, words->sentence);
    }
    for (size_t i = 0; i < json_array_size(models); i++) {
        const json_t *row = json_array_get(models, i);
        const char *known = sow_i_baseline(sow_i_string(row, "model"));
        sow_text_append(&r->body, "<dt>");
        sow_i_html(&r->body, sow_i_string(row, "model"));
        sow_text_append(&r->body, "</dt><dd>");
        sow_i_html(&r->body, known ? known : sow_i_string(row, "summary"));
        sow_text_append(&r->body, "</dd>\n");
    }
    sow_text_append(&r->body, "</dl>\n");
    sow_i_section_close(&r->body);
}

static void write_body(sow_i_report *r)
{
    const char *models[MODELS_MOST];
    const json_t *splits = sow_i_array(r->doc, "splits");
    size_t n_models = find_models(r->doc, models);
    header(r);
    sow_text_append(&r->body, "<main>\n");
    done_section(r);
    for (size_t i = 0; i < json_array_size(splits); i++)
        split_section(r, json_array_get(splits, i), models, n_models);
    terms(r, splits);
    sow_i_report_provenance(r);
    sow_i_report_foot(r);
}

/* The charts' rows stand in the charts' data already. */
static void drop_charts(json_t *doc)
{
    json_t *splits = json_object_get(doc, "splits");
    for (size_t i = 0; i < json_array_size(splits); i++)
        json_object_del(json_array_get(splits, i), "charts");
}

sow_status sow_report_write_evaluation(const char *path, const char *json, sow_error *err)
{
    static const sow_i_page form = {"evaluation", "evaluation", "#done\">Skip to what was done", "splits", write_body, drop_charts};
    return sow_i_page_write(path, json, &form, err);
}
