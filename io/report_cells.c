/* Cells: the response space, the cells of each round, and what each measured perturbation did. */
#include "core/memory.h"
#include "io/report_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_SHOWN = 25, NAMED_IN_TEXT = 12 };

static int is_partial(const json_t *row)
{
    const char *outcome = sow_i_string(row, "outcome");
    return outcome && strcmp(outcome, "partial") == 0;
}

/* Whether any row has a number there. */
static int any_number(const json_t *rows, const char *key)
{
    for (size_t i = 0; i < json_array_size(rows); i++)
        if (json_is_number(json_object_get(json_array_get(rows, i), key))) return 1;
    return 0;
}

static double sum_of(const json_t *rows, const char *key)
{
    double x, sum = 0;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        (void)sow_i_number(json_array_get(rows, i), key, &x);
        sum += x;
    }
    return sum;
}

double sow_i_cells_measured(const json_t *doc)
{
    return sum_of(sow_i_array(json_object_get(doc, "cells"), "perturbations"), "cells");
}

/* --- at the top of the page --- */

/* The partial ones by name; the rest of many as a number. */
static void partial_sentence(sow_text *t, const json_t *rows)
{
    double n = 0, named = 0;
    for (size_t i = 0; i < json_array_size(rows); i++)
        n += is_partial(json_array_get(rows, i));
    if (n == 0) return;
    sow_text_append(t, " Fewer cells than planned came for ");
    for (size_t i = 0; i < json_array_size(rows) && named < NAMED_IN_TEXT; i++) {
        if (!is_partial(json_array_get(rows, i))) continue;
        if (named++ > 0) sow_text_append(t, ", ");
        sow_i_html_value(t, json_object_get(json_array_get(rows, i), "perturbation"));
    }
    if (n > named) {
        sow_text_append(t, " and ");
        sow_i_html_number(t, n - named);
        sow_text_append(t, " more");
    }
    sow_text_append(t, ".");
}

void sow_i_report_cells_notes(sow_i_report *r)
{
    const json_t *cells = json_object_get(r->doc, "cells"), *rows = sow_i_array(cells, "perturbations");
    double controls = sum_of(sow_i_array(cells, "rounds"), "controls");
    if (rows) {
        sow_text_append(&r->body, "<p>");
        sow_i_html_count(&r->body, sum_of(rows, "cells"), "cell", "cells");
        sow_text_append(&r->body, " of ");
        sow_i_html_count(&r->body, (double)json_array_size(rows), "perturbation", "perturbations");
        if (controls > 0) {
            sow_text_append(&r->body, ", against ");
            sow_i_html_count(&r->body, controls, "control cell", "control cells");
        }
        sow_text_append(&r->body, ".");
        partial_sentence(&r->body, rows);
        sow_text_append(&r->body, " <a href=\"#cells\">What each did</a>.</p>\n");
    }
    sow_i_report_contexts_note(r);
}

/* --- the response space --- */

static void genes_sentence(sow_text *t, const json_t *space)
{
    const char *variable = sow_i_string(space, "highly_variable");
    double genes, of;
    if (!sow_i_number(space, "genes", &genes)) return;
    sow_text_append(t, "A response is a change of mean expression in ");
    sow_i_html_count(t, genes, "gene", "genes");
    if (sow_i_number(space, "genes_in_data", &of)) {
        sow_text_append(t, of == genes ? ", all that are in the data" : " of the ");
        if (of != genes) {
            sow_i_html_number(t, of);
            sow_text_append(t, " in the data");
        }
    }
    if (variable && strcmp(variable, "all") != 0) {
        sow_text_append(t, ": the most variable ones (");
        sow_i_html(t, variable);
        sow_text_append(t, ")");
    }
    sow_text_append(t, ". ");
}

static void scale_sentence(sow_text *t, const json_t *space)
{
    int is_log = json_is_true(json_object_get(space, "log1p"));
    double sum;
    if (sow_i_number(space, "target_sum", &sum)) {
        sow_text_append(t, "Each cell’s counts are scaled to a total of ");
        sow_i_html_number(t, sum);
        sow_text_append(t, is_log ? " and then log1p is taken. " : ". ");
    } else {
        sow_text_append(t, is_log ? "Values are on the log scale and not scaled to a total. " : "Values are used as the data have them. ");
    }
}

static void space_paragraph(sow_i_report *r, const json_t *space)
{
    const char *fitted = sow_i_string(space, "fitted_on");
    double out;
    if (!json_is_object(space)) return;
    sow_text_append(&r->body, "<p>");
    genes_sentence(&r->body, space);
    scale_sentence(&r->body, space);
    if (sow_i_number(space, "not_counted", &out) && out > 0) {
        sow_i_html_count(&r->body, out, "gene did not pass the filters and counts", "genes did not pass the filters and count");
        sow_text_append(&r->body, " nowhere. ");
    }
    if (fitted) {
        sow_text_append(&r->body, "All this was fitted on ");
        sow_i_html(&r->body, fitted);
        sow_text_append(&r->body, ", and frozen: no cell measured later, and none that is held out, has a say in it.");
    }
    sow_text_append(&r->body, "</p>\n");
}

static void rounds_table(sow_i_report *r, const json_t *rounds)
{
    if (!rounds) return;
    sow_i_table_open(&r->body, "Cells of each round; a response is taken against the controls of its own round and technical batch",
                     "Round|#Perturbed cells|#Controls|#Technical batches", "few");
    sow_text_append(&r->body, "<tbody>\n");
    for (size_t i = 0; i < json_array_size(rounds); i++) {
        const json_t *row = json_array_get(rounds, i);
        sow_text_append(&r->body, "<tr>");
        sow_i_cell(&r->body, row, "round");
        sow_i_cell_number(&r->body, row, "cells");
        sow_i_cell_number(&r->body, row, "controls");
        sow_i_cell_number(&r->body, row, "batches");
        sow_text_append(&r->body, "</tr>\n");
    }
    sow_text_append(&r->body, "</tbody>");
    sow_i_table_close(&r->body);
}

/* --- effect and changed genes against cells --- */

static void scatter(sow_i_report *r, const json_t *rows, const char *key, const char *title, const char *caption)
{
    json_t *chart = sow_i_chart(r, "scatter"), *data = json_array();
    double cells, y, round_;
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const char *name = sow_i_string(row, "perturbation");
        if (!sow_i_number(row, "cells", &cells) || !sow_i_number(row, key, &y)) continue;
        json_t *round = sow_i_number(row, "round", &round_) ? json_real(round_) : json_null();
        sow_i_push(r, data, json_pack("[f,f,s,o,b]", cells, y, name ? name : "", round, is_partial(row)));
        n++;
    }
    sow_i_put(r, chart, "rows", data);
    sow_i_put(r, chart, "title", json_string(title));
    sow_text label = {0};
    sow_text_printf(&label, "Scatter plot: %s against cells, %zu perturbations. The table below holds the same numbers.", title, n);
    if (label.failed) r->failed = 1;
    sow_text_printf(&r->body, "<figure><h3>%c%s against cells</h3>", title[0] - 'a' + 'A', title + 1);
    sow_i_chart_place(r, "scatter", label.text ? label.text : "");
    sow_text_printf(&r->body, "<figcaption>%s</figcaption></figure>\n", caption);
    sow_text_clear(&label);
}

static void scatters(sow_i_report *r, const json_t *rows)
{
    int effects = any_number(rows, "effect"), changed = any_number(rows, "de_genes");
    if (!effects && !changed) return;
    sow_text_append(&r->body,
                    "<ul class=\"legend\"><li><svg width=\"14\" height=\"14\" aria-hidden=\"true\"><circle cx=\"7\" cy=\"7\" r=\"5\" "
                    "fill=\"var(--measured)\"/></svg><span>as many cells as planned</span></li><li><svg width=\"14\" height=\"14\" "
                    "aria-hidden=\"true\"><path d=\"M7 2l5.5 10h-11z\" fill=\"none\" stroke=\"var(--planned)\" stroke-width=\"1.8\"/></svg>"
                    "<span>fewer: a partial result</span></li></ul>\n<div class=\"grid\">\n");
    if (changed)
        scatter(r, rows, "de_genes", "changed genes",
                "More cells let the test find more changed genes: compare counts only between perturbations with like numbers of cells.");
    if (effects)
        scatter(r, rows, "effect", "effect",
                "The length of the mean response. With few cells noise alone makes it long: an effect far to the left with no changed "
                "gene is no finding.");
    sow_text_append(&r->body, "</div>\n");
}

/* --- the table --- */

typedef struct {
    const json_t *row;
    double effect;
    size_t position;
} ranked;

static int by_effect(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->effect != y->effect) return x->effect < y->effect ? 1 : -1;
    return x->position < y->position ? -1 : 1;
}

/* Share gone as a percentage; a gene that more than doubles, as a multiple. */
static void knockdown_text(sow_text *t, double share, int as_multiple)
{
    if (as_multiple) {
        sow_i_html_metric(t, 1 - share);
        sow_text_append(t, "×");
    } else {
        sow_i_html_percent(t, share);
    }
}

/* A dot with its interval between 0 (or -1, where a gene goes up) and 1; what lies beyond ends in an arrow. */
static void knockdown_picture(sow_text *t, double value, double low, double high, int both_ways)
{
    double left = both_ways ? -1 : 0, width = both_ways ? 55 : 110;
    double x[3] = {low, value, high};
    for (int i = 0; i < 3; i++)
        x[i] = 5 + width * (fmin(fmax(x[i], left), 1) - left);
    sow_text_printf(t,
                    "<svg class=\"interval\" width=\"120\" height=\"14\" viewBox=\"0 0 120 14\" aria-hidden=\"true\"><path class=\"axis\" "
                    "d=\"M5 7h110M%.1f 2v10\"/><path d=\"M%.1f 7H%.1f\"/>",
                    5 + width * (0 - left), x[0], x[2]);
    if (value < left)
        sow_text_append(t, "<path class=\"dot\" d=\"M1 7l7-4v8z\"/></svg>");
    else
        sow_text_printf(t, "<circle class=\"dot\" cx=\"%.1f\" cy=\"7\" r=\"4\"/></svg>", x[1]);
}

static void knockdown_cell(sow_text *t, const json_t *row, int both_ways)
{
    double value, low, high;
    const json_t *own = json_object_get(row, "own_gene");
    if (!sow_i_number(row, "knockdown", &value)) {
        sow_text_append(t, json_is_false(own) ? "<td class=\"soft\">not measured</td>" : "<td class=\"soft\">–</td>");
        return;
    }
    int interval = sow_i_number(row, "knockdown_low", &low) && sow_i_number(row, "knockdown_high", &high);
    int multiple = value < -1;
    sow_text_append(t, "<td class=\"knockdown\">");
    knockdown_picture(t, value, interval ? low : value, interval ? high : value, both_ways);
    sow_text_append(t, multiple ? "<span>up " : "<span>");
    knockdown_text(t, value, multiple);
    if (interval) {
        sow_text_append(t, "<span class=\"ci\">");
        knockdown_text(t, multiple ? high : low, multiple);
        sow_text_append(t, " to ");
        knockdown_text(t, multiple ? low : high, multiple);
        if (low <= 0 && high >= 0) sow_text_append(t, ", unclear");
        sow_text_append(t, "</span>");
    }
    sow_text_append(t, "</span></td>");
}

static void cells_cell(sow_text *t, const json_t *row)
{
    double cells, planned;
    const char *reason = sow_i_string(row, "reason");
    int known = sow_i_number(row, "cells", &cells), partial = is_partial(row);
    sow_text_append(t, "<td class=\"n\">");
    if (known)
        sow_i_html_number(t, cells);
    else
        sow_text_append(t, "–");
    if (known && sow_i_number(row, "planned", &planned) && planned > 0 && planned != cells) {
        sow_text_append(t, " of ");
        sow_i_html_number(t, planned);
    }
    if (partial) sow_text_append(t, "<span class=\"ci\"><b>partial</b></span>");
    if (reason) {
        sow_text_append(t, "<span class=\"ci reason\">");
        sow_i_html(t, reason);
        sow_text_append(t, "</span>");
    }
    sow_text_append(t, "</td>");
}

static void agreement_cell(sow_text *t, const json_t *row, const char *key, const char *parts_key, const char *one, const char *many)
{
    double value, parts;
    sow_text_append(t, "<td class=\"n\">");
    int known = sow_i_number(row, key, &value);
    if (known)
        sow_i_html_correlation(t, value);
    else
        sow_text_append(t, "–");
    if (sow_i_number(row, parts_key, &parts) && (known || parts > 0)) {
        sow_text_append(t, "<span class=\"ci\">");
        sow_i_html_count(t, parts, one, many);
        sow_text_append(t, "</span>");
    }
    sow_text_append(t, "</td>");
}

typedef struct {
    int replicates, guides, changed, knockdown, both_ways;
} columns;

static columns columns_of(const json_t *rows)
{
    columns c = {any_number(rows, "consistency"), any_number(rows, "guide_consistency"), any_number(rows, "de_genes"), 0, 0};
    double x;
    c.knockdown = any_number(rows, "knockdown");
    for (size_t i = 0; i < json_array_size(rows); i++)
        c.both_ways |= sow_i_number(json_array_get(rows, i), "knockdown", &x) && x < 0;
    return c;
}

static void perturbation_row(sow_text *t, const json_t *row, const columns *c)
{
    double x;
    sow_text_append(t, "<tr><th scope=\"row\">");
    sow_i_html_value(t, json_object_get(row, "perturbation"));
    sow_text_append(t, "</th>");
    sow_i_cell_number(t, row, "round");
    cells_cell(t, row);
    if (c->knockdown) knockdown_cell(t, row, c->both_ways);
    sow_text_append(t, "<td class=\"n\">");
    if (sow_i_number(row, "effect", &x))
        sow_i_html_metric(t, x);
    else
        sow_text_append(t, "–");
    sow_text_append(t, "</td>");
    if (c->changed) sow_i_cell_number(t, row, "de_genes");
    if (c->replicates) agreement_cell(t, row, "consistency", "replicates", "replicate", "replicates");
    if (c->guides) agreement_cell(t, row, "guide_consistency", "guides", "guide", "guides");
    sow_text_append(t, "</tr>\n");
}

static void rows_table(sow_text *t, const ranked *order, size_t from, size_t to, const columns *c)
{
    char head[160];
    snprintf(head, sizeof head, "Perturbation|#Round|#Cells|%s#Effect%s%s%s", c->knockdown ? "Own gene gone|" : "", c->changed ? "|#Changed genes" : "",
             c->replicates ? "|#Replicates agree" : "", c->guides ? "|#Guides agree" : "");
    sow_i_table_open(t, from ? "The weaker ones" : "Measured perturbations, strongest effect first", head, "measured");
    sow_text_append(t, "<tbody>\n");
    for (size_t i = from; i < to; i++)
        perturbation_row(t, order[i].row, c);
    sow_text_append(t, "</tbody>");
    sow_i_table_close(t);
}

static void what_columns_mean(sow_i_report *r, const char *rule, const columns *c)
{
    sow_text *t = &r->body;
    sow_text_append(t, "<p class=\"note\">");
    if (c->knockdown)
        sow_text_append(t, "<b>Own gene gone</b>: the share of the controls’ mean expression of the targeted gene that is gone, with a 95% "
                           "interval (dot and line, from 0 to all of it); below 0 it went up, beyond a doubling written as a multiple of the controls. The "
                           "gene is left out of the metrics of its own response. <b>Not measured</b>: the gene is not in the data. ");
    else
        sow_text_append(t, "No targeted gene is in the data, so knockdown was not measured. ");
    if (c->changed && rule) {
        sow_text_append(t, "<b>Changed genes</b>: ");
        sow_i_html(t, rule);
        sow_text_append(t, ". ");
    }
    if (c->replicates || c->guides)
        sow_text_append(t, "<b>Agree</b>: mean correlation between the responses of the parts; 1 is the same response, 0 nothing in common. ");
    if (c->guides)
        sow_text_append(t, "Guides are held against the same controls, whose noise alone makes them agree somewhat; each replicate has its own.");
    sow_text_append(t, "</p>\n");
}

static void perturbations_table(sow_i_report *r, const json_t *rows, const char *rule)
{
    size_t n = json_array_size(rows), first = n <= ROWS_SHOWN + 5 ? n : ROWS_SHOWN;
    columns c = columns_of(rows);
    ranked *order = sow_calloc((sow_index)n, sizeof *order);
    if (!order) {
        r->failed = 1;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        order[i] = (ranked){json_array_get(rows, i), 0, i};
        if (!sow_i_number(order[i].row, "effect", &order[i].effect)) order[i].effect = -INFINITY;
    }
    qsort(order, n, sizeof *order, by_effect);
    what_columns_mean(r, rule, &c);
    rows_table(&r->body, order, 0, first, &c);
    if (first < n) {
        sow_text_append(&r->body, "<details><summary>The other ");
        sow_i_html_number(&r->body, (double)(n - first));
        sow_text_append(&r->body, ", weaker ones</summary>\n");
        rows_table(&r->body, order, first, n, &c);
        sow_text_append(&r->body, "</details>\n");
    }
    free(order);
}

void sow_i_report_cells(sow_i_report *r)
{
    const json_t *cells = json_object_get(r->doc, "cells"), *rows = sow_i_array(cells, "perturbations");
    const char *readout = sow_i_string(r->doc, "readout");
    if (!json_is_object(cells) && !(readout && strcmp(readout, "cells") == 0)) return;
    sow_i_section_open(&r->body, "cells", "Cells");
    space_paragraph(r, json_object_get(cells, "space"));
    rounds_table(r, sow_i_array(cells, "rounds"));
    if (rows) {
        scatters(r, rows);
        perturbations_table(r, rows, sow_i_string(cells, "de_rule"));
    } else {
        sow_text_append(&r->body, "<p class=\"note\">No perturbation’s cells have been measured yet.</p>\n");
    }
    sow_i_section_close(&r->body);
}
