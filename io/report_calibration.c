/* The page of a calibration: a real screen beside simulated ones in its likeness. */
#include "io/report_internal.h"

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
    {"done", "How reliable an effect is", "Two disjoint draws of so many cells of a perturbation, each against controls of its own: the correlation of their effects over genes, averaged over perturbations.", "Reliability by cells"},
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
    sow_i_section_open(t, sections[which].id, sections[which].title);
    if (which == 0) {
        sow_text_append(t, "<p class=\"lede\">");
        sow_i_html(t, sow_i_string(r->doc, "verdict"));
        sow_text_append(t, "</p>\n");
    }
    sow_text_append(t, "<p>");
    sow_i_html(t, sections[which].sentence);
    sow_text_append(t, "</p>\n");
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
    for (int k = 0; k < (int)(sizeof sections / sizeof *sections); k++)
        section(r, k);
    sow_i_report_foot(r);
}

sow_status sow_report_write_calibration(const char *path, const char *json, sow_error *err)
{
    static const sow_i_page form = {"calibration", "calibration", "#done\">Skip to how reliable effects are", "rows", write_body, NULL};
    return sow_i_page_write(path, json, &form, err);
}
