/* The page of contexts left out in turn: what it comes to, every metric of every model for each number of seeds, curves over them, and each context alone. */
#include "io/report_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MODELS_MOST = 32, METRICS_MOST = 32 };

typedef struct {
    sow_i_report *r;
    const char *model[MODELS_MOST], *metric[METRICS_MOST];
    size_t n_models, n_metrics;
    double headline_seeds;
} page;

static const char *text_at(const json_t *list, size_t i)
{
    return json_string_value(json_array_get(list, i));
}

/* Metrics in the order in which they first come. */
static void find_names(page *p)
{
    const json_t *models = sow_i_array(p->r->doc, "models"), *rows = sow_i_array(p->r->doc, "summary");
    for (size_t i = 0; i < json_array_size(models) && p->n_models < MODELS_MOST; i++) {
        const char *name = sow_i_string(json_array_get(models, i), "model");
        if (name) p->model[p->n_models++] = name;
    }
    for (size_t i = 0; i < json_array_size(rows) && p->n_metrics < METRICS_MOST; i++) {
        const char *metric = sow_i_string(json_array_get(rows, i), "metric");
        size_t k = 0;
        while (metric && k < p->n_metrics && strcmp(p->metric[k], metric) != 0)
            k++;
        if (metric && k == p->n_metrics) p->metric[p->n_metrics++] = metric;
    }
    (void)sow_i_number(p->r->doc, "headline_seeds", &p->headline_seeds);
}

static const json_t *find_row(const page *p, double seeds, const char *context, const char *model, const char *metric)
{
    const json_t *rows = sow_i_array(p->r->doc, "summary");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const char *c = sow_i_string(row, "context"), *m = sow_i_string(row, "model"), *k = sow_i_string(row, "metric");
        double n;
        if (c && m && k && sow_i_number(row, "seeds", &n) && n == seeds && strcmp(c, context) == 0 && strcmp(m, model) == 0 && strcmp(k, metric) == 0) return row;
    }
    return NULL;
}

static const char *label_of(const char *metric)
{
    const sow_i_metric_words *words = sow_i_metric(metric);
    return words ? words->label : metric;
}

/* ---- words ---- */

static void header(sow_i_report *r)
{
    const char *readout = sow_i_string(r->doc, "readout");
    sow_text_append(&r->body, "<header>\n<p class=\"kicker\">Prediction of contexts not seen before</p>\n<h1>");
    sow_i_html(&r->body, sow_i_string(r->doc, "name"));
    sow_text_append(&r->body, "</h1>\n<p class=\"meta\">");
    if (readout) {
        sow_i_html(&r->body, readout);
        sow_text_append(&r->body, " readout");
    }
    sow_text_append(&r->body, "</p>\n</header>\n");
}

/* "Not evaluated: a (why); b (why)." of a list of the document. */
static void models_with_why(sow_i_report *r, const char *key, const char *before)
{
    const json_t *left = sow_i_array(r->doc, key);
    if (!left) return;
    sow_text_printf(&r->body, "<p>%s: ", before);
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

static void done_section(page *p)
{
    sow_text *t = &p->r->body;
    const char *unseen = sow_i_string(p->r->doc, "unseen");
    double draws, without;
    (void)sow_i_number(p->r->doc, "draws", &draws);
    (void)sow_i_number(p->r->doc, "without_prior", &without);
    sow_i_section_open(t, "done", "What it comes to");
    sow_text_append(t, "<p class=\"lede\">");
    sow_i_html(t, sow_i_string(p->r->doc, "headline"));
    sow_text_append(t, "</p>\n<p>");
    sow_i_html(t, sow_i_string(p->r->doc, "numbers"));
    sow_text_append(t, ". In brackets 95% intervals.</p>\n<p>");
    sow_i_html_count(t, (double)json_array_size(json_object_get(p->r->doc, "contexts")), "context was", "contexts were");
    sow_text_append(t, " left out in turn: all that the others measured is known, a few perturbations of the new context, its seeds, are measured, and ");
    sow_text_append(t, unseen ? "perturbations that no context has measured are predicted and compared with the measurement in the new one. <b>Nothing else is scored.</b> Seeds are drawn at random, "
                              : "everything else that it measured is predicted and compared with the measurement. <b>Seeds are not scored.</b> They are drawn at random, ");
    sow_i_html_count(t, draws, "time", "times");
    sow_text_append(t, ", and are the same for every model; fewer are the first of more. train-mean here is the mean of the seeds, source-shift the perturbation’s mean over the other contexts.</p>\n");
    if (unseen) {
        sow_text_append(t, "<p>Unseen are ");
        sow_i_html(t, unseen);
        sow_text_append(t, " of the new context’s perturbations, drawn anew in every draw, before the seeds and the same for every model (<code>contexts_unseen.csv</code> names them). What other contexts measured of them is taken "
                           "away, and neither it nor their priors enter the scaling of priors or the space of responses: of such a perturbation only its prior is known.</p>\n");
    }
    if (sow_i_is_cells(p->r->doc))
        sow_text_append(t, "<p>Genes of the response and their scaling are fitted without any perturbed cell of the new context. Its controls are cut in two: seeds’ responses are taken against one half, and what is "
                           "predicted is compared with changes against the other.</p>\n");
    if (without > 0) {
        sow_text_append(t, "<p>");
        sow_i_html_count(t, without, "perturbation of the screen has", "perturbations of the screen have");
        sow_text_append(t, " no prior, which one of the models needs, and are not predicted.</p>\n");
    }
    sow_text_append(t, "<p>Intervals (95%) are over the draws of seeds within these contexts: they say how sure a mean is whatever the seeds, and not how a further context would be.</p>\n");
    models_with_why(p->r, "left_out", "Not evaluated");
    models_with_why(p->r, "fall_backs", "Asked for by name, though they know nothing of a perturbation that was measured nowhere");
    sow_i_section_close(t);
}

/* ---- against the best baseline ---- */

static void duels(page *p)
{
    const json_t *rows = sow_i_array(p->r->doc, "paired");
    const double contexts = (double)json_array_size(json_object_get(p->r->doc, "contexts"));
    sow_text *t = &p->r->body;
    if (!rows) return;
    sow_i_section_open(t, "paired", "Against the best baseline");
    sow_text_append(t, "<p>The model less the baseline that is best in that metric and number of seeds, paired by context and draw.</p>\n");
    sow_i_table_open(t, "The model against the best baseline", "Metric|#Seeds|Model|#Mean|Baseline|#Mean|#Difference|#From|#To|#Contexts ahead|The model is", "few");
    sow_text_append(t, "<tbody>\n");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        double ahead;
        (void)sow_i_number(row, "ahead", &ahead);
        sow_text_append(t, "<tr><td>");
        sow_i_html(t, label_of(sow_i_string(row, "metric") ? sow_i_string(row, "metric") : ""));
        sow_text_append(t, "</td>");
        sow_i_cell_number(t, row, "seeds");
        sow_i_cell(t, row, "model");
        sow_i_cell_number(t, row, "mean");
        sow_i_cell(t, row, "other");
        sow_i_cell_number(t, row, "best");
        sow_i_cell_number(t, row, "difference");
        sow_i_cell_number(t, row, "low");
        sow_i_cell_number(t, row, "high");
        sow_text_append(t, "<td class=\"n\">");
        sow_i_html_number(t, ahead);
        sow_text_append(t, " of ");
        sow_i_html_number(t, contexts);
        sow_text_append(t, "</td>");
        sow_i_cell(t, row, "verdict");
        sow_text_append(t, "</tr>\n");
    }
    sow_text_append(t, "</tbody>");
    sow_i_table_close(t);
    sow_i_section_close(t);
}

/* ---- tables ---- */

static void value_cell(sow_text *t, const json_t *row, int is_best)
{
    if (sow_i_html_interval_cell(t, row, is_best)) sow_text_append(t, "</td>");
}

/* One row of means, a model a column; bold is the best. */
static void value_row(page *p, double seeds, const char *context, const char *metric)
{
    const sow_i_metric_words *words = sow_i_metric(metric);
    const int better = words ? words->better : 0;
    double value, best = -INFINITY;
    for (size_t k = 0; k < p->n_models; k++) {
        const json_t *row = find_row(p, seeds, context, p->model[k], metric);
        if (row && sow_i_number(row, "mean", &value)) best = fmax(best, better * value);
    }
    for (size_t k = 0; k < p->n_models; k++) {
        const json_t *row = find_row(p, seeds, context, p->model[k], metric);
        value_cell(&p->r->body, row, better && row && sow_i_number(row, "mean", &value) && better * value >= best);
    }
}

static void head_of_models(page *p, const char *first)
{
    sow_text *t = &p->r->body;
    const char *own = sow_i_string(p->r->doc, "model");
    sow_text_printf(t, "<thead><tr><th scope=\"col\">%s</th>", first);
    for (size_t k = 0; k < p->n_models; k++) {
        sow_text_append(t, "<th scope=\"col\" class=\"n\">");
        sow_i_html(t, p->model[k]);
        sow_text_append(t, own && strcmp(own, p->model[k]) == 0 ? "<span class=\"ci\">the campaign’s</span></th>" : "</th>");
    }
    sow_text_append(t, "</tr></thead>\n<tbody>\n");
}

static void metrics_table(page *p, double seeds)
{
    sow_text *t = &p->r->body;
    sow_text_append(t, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Metrics by model\"><table class=\"data metrics\"><caption>");
    sow_i_html_count(t, seeds, "seed", "seeds");
    sow_text_append(t, ": means over contexts, with their 95% intervals over draws of seeds; bold is the best of its row, by however little. The same numbers are in "
                       "<code>contexts_summary.csv</code>, those of each draw in <code>contexts.csv</code>.</caption>");
    head_of_models(p, "Metric");
    for (size_t i = 0; i < p->n_metrics; i++) {
        const sow_i_metric_words *words = sow_i_metric(p->metric[i]);
        sow_text_append(t, "<tr><th scope=\"row\">");
        sow_i_html(t, label_of(p->metric[i]));
        if (words && words->better) sow_text_append(t, words->better > 0 ? "<span class=\"ci\">↑ higher is better</span>" : "<span class=\"ci\">↓ lower is better</span>");
        sow_text_append(t, "</th>");
        value_row(p, seeds, "all", p->metric[i]);
        sow_text_append(t, "</tr>\n");
    }
    sow_text_append(t, "</tbody>");
    sow_i_table_close(t);
}

/* The number that the headline speaks of is open, the others lie behind folds. */
static void metrics_section(page *p)
{
    const json_t *seeds = sow_i_array(p->r->doc, "seeds");
    sow_text *t = &p->r->body;
    sow_i_section_open(t, "metrics", "Every metric");
    metrics_table(p, p->headline_seeds);
    for (size_t i = 0; i < json_array_size(seeds); i++) {
        const double n = json_number_value(json_array_get(seeds, i));
        if (n == p->headline_seeds) continue;
        sow_text_append(t, "<details><summary>With ");
        sow_i_html_count(t, n, "seed", "seeds");
        sow_text_append(t, "</summary>\n");
        metrics_table(p, n);
        sow_text_append(t, "</details>\n");
    }
    sow_i_section_close(t);
}

static void each_context(page *p)
{
    const json_t *contexts = sow_i_array(p->r->doc, "contexts"), *leading = sow_i_array(p->r->doc, "leading");
    sow_text *t = &p->r->body;
    sow_i_section_open(t, "each", "Each context");
    for (size_t m = 0; m < json_array_size(leading); m++) {
        sow_text_append(t, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"One metric by context and model\"><table class=\"data metrics\"><caption>");
        sow_i_html(t, label_of(text_at(leading, m)));
        sow_text_append(t, ", ");
        sow_i_html_count(t, p->headline_seeds, "seed", "seeds");
        sow_text_append(t, "</caption>");
        head_of_models(p, "New context");
        for (size_t i = 0; i < json_array_size(contexts); i++) {
            const char *name = sow_i_string(json_array_get(contexts, i), "context");
            sow_text_append(t, "<tr><th scope=\"row\">");
            sow_i_html(t, name);
            sow_text_append(t, "</th>");
            value_row(p, p->headline_seeds, name ? name : "", text_at(leading, m));
            sow_text_append(t, "</tr>\n");
        }
        sow_text_append(t, "</tbody>");
        sow_i_table_close(t);
    }
    sow_i_section_close(t);
}

static void contexts_table(page *p)
{
    const json_t *contexts = sow_i_array(p->r->doc, "contexts");
    sow_text *t = &p->r->body;
    sow_i_section_open(t, "contexts", "The contexts");
    const int unseen = sow_i_string(p->r->doc, "unseen") != NULL;
    sow_i_table_open(t, "The contexts", unseen ? "Context|#Perturbations|#Measured elsewhere too|#Unseen in a draw|#Features in the first draw|Seeds" : "Context|#Perturbations|#Measured elsewhere too|#Features|Seeds", "few");
    sow_text_append(t, "<tbody>\n");
    for (size_t i = 0; i < json_array_size(contexts); i++) {
        const json_t *row = json_array_get(contexts, i), *used = sow_i_array(row, "used");
        sow_text_append(t, "<tr>");
        sow_i_cell(t, row, "context");
        sow_i_cell_number(t, row, "perturbations");
        sow_i_cell_number(t, row, "shared");
        if (unseen) sow_i_cell_number(t, row, "unseen");
        sow_i_cell_number(t, row, "features");
        sow_text_append(t, "<td>");
        for (size_t k = 0; k < json_array_size(used); k++) {
            if (k) sow_text_append(t, ", ");
            sow_i_html_number(t, json_number_value(json_array_get(used, k)));
        }
        sow_text_append(t, "</td></tr>\n");
    }
    sow_text_append(t, "</tbody>");
    sow_i_table_close(t);
    sow_i_section_close(t);
}

/* ---- charts ---- */

static json_t *or_null(const json_t *row, const char *key)
{
    double x;
    return row && sow_i_number(row, key, &x) ? json_real(x) : json_null();
}

/* Accuracy against the number of seeds, a line a model with its band. */
static void curve_chart(page *p, const json_t *seeds, const char *metric)
{
    json_t *chart = sow_i_chart(p->r, "curve"), *rows = json_array(), *series = json_array();
    for (size_t k = 0; k < p->n_models; k++) {
        sow_i_push(p->r, series, json_string(p->model[k]));
        for (size_t i = 0; i < json_array_size(seeds); i++) {
            const double n = json_number_value(json_array_get(seeds, i));
            const json_t *row = find_row(p, n, "all", p->model[k], metric);
            double mean;
            if (row && sow_i_number(row, "mean", &mean))
                sow_i_push(p->r, rows, json_pack("[f,n,s,f,o,o]", n, p->model[k], mean, or_null(row, "low"), or_null(row, "high")));
        }
    }
    sow_i_put(p->r, chart, "series", series);
    sow_i_put(p->r, chart, "beat", json_string(SOW_I_BEAT));
    sow_i_put(p->r, chart, "rows", rows);
    sow_i_chart_place(p->r, "curve", "Line chart: accuracy against the number of seeds, by model; the numbers are in the tables below.");
}

/* One number of seeds: contexts as ticks, with the mean over them. */
static void strip_chart(page *p, const char *metric)
{
    const json_t *contexts = sow_i_array(p->r->doc, "contexts");
    json_t *chart = sow_i_chart(p->r, "strip"), *rows = json_array(), *series = json_array(), *means = json_array();
    for (size_t k = 0; k < p->n_models; k++) {
        const json_t *all = find_row(p, p->headline_seeds, "all", p->model[k], metric);
        double mean;
        sow_i_push(p->r, series, json_string(p->model[k]));
        if (all && sow_i_number(all, "mean", &mean)) sow_i_push(p->r, means, json_pack("[s,f,o,o]", p->model[k], mean, or_null(all, "low"), or_null(all, "high")));
        for (size_t i = 0; i < json_array_size(contexts); i++) {
            const char *name = sow_i_string(json_array_get(contexts, i), "context");
            const json_t *row = name ? find_row(p, p->headline_seeds, name, p->model[k], metric) : NULL;
            if (row && sow_i_number(row, "mean", &mean)) sow_i_push(p->r, rows, json_pack("[s,s,n,f]", p->model[k], name, mean));
        }
    }
    sow_i_put(p->r, chart, "unit", json_string("context"));
    sow_i_put(p->r, chart, "series", series);
    sow_i_put(p->r, chart, "means", means);
    sow_i_put(p->r, chart, "rows", rows);
    sow_i_chart_place(p->r, "strip", "Contexts by model, with their mean; the numbers are in the tables below.");
}

static void legend(page *p)
{
    sow_text *t = &p->r->body;
    const char *own = sow_i_string(p->r->doc, "model");
    sow_index series = 0;
    sow_text_append(t, "<ul class=\"legend\">");
    for (size_t k = 0; k < p->n_models; k++) {
        const int is_own = own && strcmp(own, p->model[k]) == 0;
        sow_text_append(t, "<li>");
        if (strcmp(p->model[k], SOW_I_BEAT) == 0) sow_i_beat_key(t);
        else sow_i_series_key(t, series++);
        sow_text_append(t, is_own ? "<span><b>" : "<span>");
        sow_i_html(t, p->model[k]);
        sow_text_append(t, is_own ? "</b>, the campaign’s model</span></li>" : "</span></li>");
    }
    sow_text_append(t, "</ul>\n");
}

static void figures(page *p)
{
    const json_t *seeds = sow_i_array(p->r->doc, "seeds"), *leading = sow_i_array(p->r->doc, "leading");
    sow_text *t = &p->r->body;
    const int several = json_array_size(seeds) > 1;
    sow_i_section_open(t, "figures", several ? "How many seeds" : "Models side by side");
    if (several) legend(p);
    else sow_text_append(t, "<p>Each tick is a context; the dot is the mean over them, the bar its 95% interval over draws of seeds.</p>\n");
    sow_text_append(t, "<div class=\"grid\">\n");
    for (size_t m = 0; m < json_array_size(leading); m++) {
        const sow_i_metric_words *words = sow_i_metric(text_at(leading, m));
        sow_text_append(t, "<figure><h3>");
        sow_i_html(t, label_of(text_at(leading, m)));
        sow_text_append(t, "</h3>\n");
        if (several) curve_chart(p, seeds, text_at(leading, m));
        else strip_chart(p, text_at(leading, m));
        sow_text_append(t, "<figcaption>");
        sow_i_html(t, words ? words->sentence : "");
        sow_text_append(t, "</figcaption></figure>\n");
    }
    sow_text_append(t, "</div>\n");
    sow_i_section_close(t);
}

/* ---- the page ---- */

static void terms(page *p)
{
    sow_text *t = &p->r->body;
    sow_i_section_open(t, "terms", "What the metrics and the models are");
    sow_text_append(t, "<dl class=\"terms\">\n");
    for (size_t i = 0; i < p->n_metrics; i++) {
        const sow_i_metric_words *words = sow_i_metric(p->metric[i]);
        if (words) sow_text_printf(t, "<dt>%s</dt><dd>%s</dd>\n", words->label, words->sentence);
    }
    for (size_t i = 0; i < p->n_models; i++) {
        const char *known = sow_i_baseline(p->model[i]);
        sow_text_append(t, "<dt>");
        sow_i_html(t, p->model[i]);
        sow_text_append(t, "</dt><dd>");
        sow_i_html(t, known ? known : sow_i_string(json_array_get(sow_i_array(p->r->doc, "models"), i), "summary"));
        sow_text_append(t, "</dd>\n");
    }
    sow_text_append(t, "</dl>\n");
    sow_i_section_close(t);
}

static void write_body(sow_i_report *r)
{
    page p = {.r = r};
    find_names(&p);
    header(r);
    sow_text_append(&r->body, "<main>\n");
    done_section(&p);
    figures(&p);
    duels(&p);
    metrics_section(&p);
    each_context(&p);
    contexts_table(&p);
    terms(&p);
    sow_i_report_provenance(r);
    sow_i_report_foot(r);
}

sow_status sow_report_write_contexts(const char *path, const char *json, sow_error *err)
{
    static const sow_i_page form = {"contexts", "evaluation", "#done\">Skip to what it comes to", "summary", write_body, NULL};
    return sow_i_page_write(path, json, &form, err);
}
