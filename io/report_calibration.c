/* The page of a calibration: a real screen beside simulated ones in its likeness. */
#include "io/report_internal.h"

#include <stdint.h>
#include <string.h>

/* What a quantity is called for people, and the section it stands in. */
static const struct {
    const char *key, *label;
    int section;
} words[] = {
    {"split_half_reliability", "Split-half reliability", 0}, {"replicate_correlation", "Correlation between replicates", 1}, {"de_genes", "Genes found per perturbation", 2},
    {"gene_mean_lower_quartile", "Mean count, lower quartile of genes", 3}, {"gene_mean_median", "Mean count, median", 3}, {"gene_mean_upper_quartile", "Mean count, upper quartile", 3},
    {"gene_mean_spearman", "Mean count, Spearman with the real genes", 3}, {"gene_dispersion_lower_quartile", "Dispersion, lower quartile", 3}, {"gene_dispersion_median", "Dispersion, median", 3},
    {"gene_dispersion_upper_quartile", "Dispersion, upper quartile", 3}, {"gene_dispersion_spearman", "Dispersion, Spearman with the real genes", 3},
    {"gene_zeros_lower_quartile", "Share of zeros, lower quartile", 3}, {"gene_zeros_median", "Share of zeros, median", 3}, {"gene_zeros_upper_quartile", "Share of zeros, upper quartile", 3},
    {"gene_zeros_spearman", "Share of zeros, Spearman with the real genes", 3},
};
enum { WORDS = sizeof words / sizeof *words };

static const struct {
    const char *id, *title, *sentence, *caption;
} sections[] = {
    {"reliability", "How reliable an effect is", "Two disjoint draws of so many cells of a perturbation, each against controls of its own: the correlation of their effects over genes, averaged over perturbations.", "Reliability by cells"},
    {"replicates", "Between replicates", "The correlation of a perturbation's effects in two technical batches or replicates, each against its own controls.", "Correlation between replicates"},
    {"genes-found", "Genes found", "Wilcoxon test of so many cells against controls, false discoveries below 5 %.", "Genes found by cells"},
    {"genes", "Genes of the controls", "Mean and dispersion of counts ((variance - mean) / mean squared) and share of cells without any. The Spearman correlation of a screen with itself is 1.", "Genes of the controls"},
};

static int word_of(const json_t *row)
{
    const char *key = sow_i_string(row, "quantity");
    for (int k = 0; key && k < WORDS; k++)
        if (strcmp(words[k].key, key) == 0) return k;
    return -1;
}

/* ---- charts: real and simulated over something, and the range of simulated ---- */

typedef struct {
    const char *curve, *quantity; /* of `curves`, or of `rows` by cells */
    int section;
    const char *title, *caption, *x, *y, *label;
    int log_x, long_tail; /* scales: logarithmic; linear near 0 and logarithmic above */
} chart_words;
static const chart_words charts[] = {
    {NULL, "split_half_reliability", 0, "Split-half reliability", "Band: 5-95 % of the simulated screens, whose perturbations are drawn anew.", "cells of a half", "correlation",
     "Line chart: reliability against cells, real and simulated; the numbers are in the table below.", 0, 0},
    {"replicates", NULL, 1, "Agreement of each perturbation’s replicates", "Perturbations in order of it, from the least (0) to the greatest (1). Band: 5-95 % of the simulated screens.", "rank among perturbations", "correlation",
     "Line chart: correlation between replicates by rank of the perturbation, real and simulated.", 0, 0},
    {NULL, "de_genes", 2, "Genes found", "Mean over perturbations. Band: 5-95 % of the simulated screens.", "cells", "genes found", "Line chart: genes found against cells, real and simulated; the numbers are in the table below.", 0, 0},
    {"dispersion", NULL, 3, "Dispersion by mean count", "Dots: real genes. Lines: medians of genes of like mean. Band: 5-95 % of simulated genes.", "mean count", "dispersion",
     "Scatter plot of dispersion against mean count of real genes, with the median of real and the range of simulated genes; quartiles are in the table below.", 1, 1},
    {"zeros", NULL, 3, "Zeros by mean count", "Dots: real genes. Lines: medians of genes of like mean. Band: 5-95 % of simulated genes.", "mean count", "share of cells without a count",
     "Scatter plot of the share of zeros against mean count of real genes, with the median of real and the range of simulated genes; quartiles are in the table below.", 1, 0},
};
enum { CHARTS = sizeof charts / sizeof *charts };

static json_t *or_null(const json_t *row, const char *key)
{
    double x;
    return sow_i_number(row, key, &x) ? json_real(x) : json_null();
}

/* Rows of one quantity by cells, as a curve has them. New reference. */
static json_t *rows_by_cells(sow_i_report *r, const char *quantity)
{
    const json_t *all = sow_i_array(r->doc, "rows");
    json_t *rows = json_array();
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *row = json_array_get(all, i);
        const char *key = sow_i_string(row, "quantity");
        double cells, real;
        if (!key || strcmp(key, quantity) != 0 || !sow_i_number(row, "cells", &cells) || !sow_i_number(row, "real", &real)) continue;
        sow_i_push(r, rows, json_pack("[f,f,o,o,o]", cells, real, or_null(row, "simulated"), or_null(row, "low"), or_null(row, "high")));
    }
    return rows;
}

static const json_t *curve_of(const sow_i_report *r, const char *quantity)
{
    const json_t *all = sow_i_array(r->doc, "curves");
    for (size_t i = 0; i < json_array_size(all); i++) {
        const char *key = sow_i_string(json_array_get(all, i), "quantity");
        if (key && strcmp(key, quantity) == 0) return json_array_get(all, i);
    }
    return NULL;
}

/* Not drawn where there is nothing to draw. */
static void draw(sow_i_report *r, const chart_words *w)
{
    const json_t *curve = w->curve ? curve_of(r, w->curve) : NULL;
    json_t *rows = w->curve ? json_incref((json_t *)(uintptr_t)sow_i_array(curve, "rows")) : rows_by_cells(r, w->quantity), *points = (json_t *)(uintptr_t)sow_i_array(curve, "points");
    if (json_array_size(rows) > 0) {
        json_t *chart = sow_i_chart(r, "likeness");
        sow_i_put(r, chart, "rows", json_incref(rows));
        sow_i_put(r, chart, "points", points ? json_incref(points) : json_array());
        sow_i_put(r, chart, "x", json_string(w->x));
        sow_i_put(r, chart, "y", json_string(w->y));
        sow_i_put(r, chart, "log_x", json_boolean(w->log_x));
        sow_i_put(r, chart, "long_tail", json_boolean(w->long_tail));
        sow_text_append(&r->body, "<figure><h3>");
        sow_i_html(&r->body, w->title);
        sow_text_append(&r->body, "</h3>\n");
        sow_i_chart_place(r, "curve", w->label);
        sow_text_append(&r->body, "<figcaption>");
        sow_i_html(&r->body, w->caption);
        sow_text_append(&r->body, "</figcaption></figure>\n");
    }
    json_decref(rows);
}

static void draw_section(sow_i_report *r, int which)
{
    sow_text_append(&r->body, "<ul class=\"legend\"><li>");
    sow_i_series_key(&r->body, 0);
    sow_text_append(&r->body, "<span><b>real</b></span></li><li>");
    sow_i_series_key(&r->body, 1);
    sow_text_append(&r->body, "<span>simulated</span></li></ul>\n<div class=\"grid\">\n");
    for (int k = 0; k < CHARTS; k++)
        if (charts[k].section == which) draw(r, &charts[k]);
    sow_text_append(&r->body, "</div>\n");
}

static int has_rows(const sow_i_report *r, int which)
{
    const json_t *rows = sow_i_array(r->doc, "rows");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const int k = word_of(json_array_get(rows, i));
        double real;
        if (k >= 0 && words[k].section == which && sow_i_number(json_array_get(rows, i), "real", &real)) return 1;
    }
    return 0;
}

/* ---- sections ---- */

static void metric_cell(sow_text *t, const json_t *row, const char *key)
{
    double x;
    sow_text_append(t, "<td class=\"n\">");
    if (sow_i_number(row, key, &x)) sow_i_html_metric(t, x);
    else sow_text_append(t, "–");
    sow_text_append(t, "</td>");
}

static void section(sow_i_report *r, int which)
{
    const json_t *rows = sow_i_array(r->doc, "rows");
    sow_text *t = &r->body;
    if (!has_rows(r, which)) return;
    sow_i_section_open(t, sections[which].id, sections[which].title);
    sow_text_append(t, "<p>");
    sow_i_html(t, sections[which].sentence);
    sow_text_append(t, "</p>\n");
    draw_section(r, which);
    sow_i_table_open(t, sections[which].caption, "Quantity|#Cells|#Real|#Simulated|#5 %|#95 %|#Perturbations", NULL);
    sow_text_append(t, "<tbody>\n");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const int k = word_of(row);
        if (k < 0 || words[k].section != which) continue;
        sow_text_append(t, "<tr><td>");
        sow_i_html(t, words[k].label);
        sow_text_append(t, "</td>");
        sow_i_cell_number(t, row, "cells");
        metric_cell(t, row, "real");
        metric_cell(t, row, "simulated");
        metric_cell(t, row, "low");
        metric_cell(t, row, "high");
        sow_i_cell_number(t, row, "perturbations");
        sow_text_append(t, "</tr>\n");
    }
    sow_text_append(t, "</tbody>");
    sow_i_table_close(t);
    sow_i_section_close(t);
}

static void headline(sow_i_report *r)
{
    sow_text *t = &r->body;
    sow_i_section_open(t, "done", "Is it like the real one?");
    sow_text_append(t, "<p class=\"lede\">");
    sow_i_html(t, sow_i_string(r->doc, "verdict"));
    sow_text_append(t, "</p>\n<p>");
    sow_i_html(t, sow_i_string(r->doc, "likeness"));
    sow_text_append(t, "</p>\n<p class=\"note\">Like: the real value lies within 5-95 % of the simulated screens, or differs from their mean by at most .1 (correlations), .02 (shares of zeros) or a tenth (the rest).</p>\n");
    sow_i_section_close(t);
}

static void fact(sow_text *t, const sow_i_report *r, const char *key, const char *one, const char *many)
{
    double x;
    if (!sow_i_number(r->doc, key, &x)) return;
    sow_text_append(t, " · ");
    sow_i_html_count(t, x, one, many);
}

static void write_body(sow_i_report *r)
{
    sow_text *t = &r->body;
    sow_text_append(t, "<header>\n<p class=\"kicker\">A simulated screen beside the real one</p>\n<h1>");
    sow_i_html(t, sow_i_string(r->doc, "name"));
    sow_text_append(t, "</h1>\n<p class=\"meta\">context <b>");
    sow_i_html(t, sow_i_string(r->doc, "context"));
    sow_text_append(t, "</b>");
    fact(t, r, "perturbations", "perturbation", "perturbations");
    fact(t, r, "controls", "control cell", "control cells");
    fact(t, r, "genes", "gene", "genes");
    fact(t, r, "screens", "simulated screen", "simulated screens");
    sow_text_append(t, "</p>\n</header>\n<main>\n");
    headline(r);
    for (int k = 0; k < (int)(sizeof sections / sizeof *sections); k++)
        section(r, k);
    sow_i_report_foot(r);
}

sow_status sow_report_write_calibration(const char *path, const char *json, sow_error *err)
{
    static const sow_i_page form = {"calibration", "calibration", "#done\">Skip to whether it is like the real one", "rows", write_body, NULL};
    return sow_i_page_write(path, json, &form, err);
}
