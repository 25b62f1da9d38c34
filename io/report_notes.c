/* What stands behind the numbers: what was learned, priors, what was dropped, rules, held-out perturbations, provenance. */
#include "io/report_internal.h"

#include <string.h>

/* Rows [member, epoch, value, "trained" or "held", was it kept] of one member. */
static void training_rows(sow_i_report *r, json_t *rows, const json_t *member, size_t number)
{
    static const char *const kinds[] = {"trained", "held"};
    double best = 0;
    (void)sow_i_number(member, "best", &best);
    for (int k = 0; k < 2; k++) {
        const json_t *values = sow_i_array(member, kinds[k]);
        for (size_t e = 0; e < json_array_size(values); e++) {
            const json_t *value = json_array_get(values, e);
            if (json_is_number(value))
                sow_i_push(r, rows, json_pack("[I,I,f,s,b]", (json_int_t)number + 1, (json_int_t)e + 1, json_number_value(value), kinds[k], (double)(e + 1) == best));
        }
    }
}

static void training_figure(sow_i_report *r)
{
    const json_t *training = json_object_get(r->doc, "training"), *members = sow_i_array(training, "members");
    double round = 0;
    if (!members) return;
    json_t *chart = sow_i_chart(r, "training"), *rows = json_array();
    for (size_t i = 0; i < json_array_size(members); i++) training_rows(r, rows, json_array_get(members, i), i);
    sow_i_put(r, chart, "rows", rows);
    (void)sow_i_number(training, "round", &round);
    sow_text_printf(&r->body, "<figure class=\"below\"><h3>Training of round %.0f, epoch by epoch</h3>\n<ul class=\"legend\"><li>", round);
    sow_i_series_key(&r->body, 0);
    sow_text_append(&r->body, "<span>on perturbations held out to judge epochs</span></li><li>");
    sow_i_series_key(&r->body, 1);
    sow_text_append(&r->body, "<span>on those learned from</span></li></ul>\n");
    sow_i_chart_place(r, "curve", "Line chart: the loss of the predictions against epochs, a line for each network.");
    sow_text_append(&r->body, "<figcaption>The loss of the predictions, a line for each network; lower is better. The mark is the epoch whose weights were kept. Lines that still fall at the end ask for more epochs; one that rises while the other "
                              "falls is learning by heart.</figcaption></figure>\n");
}

void sow_i_report_learned(sow_i_report *r)
{
    const json_t *learned = sow_i_array(r->doc, "learned");
    if (!learned) return;
    sow_i_section_open(&r->body, "learned", "What the model learned");
    sow_text_append(&r->body, "<ul class=\"plain\">\n");
    for (size_t i = 0; i < json_array_size(learned); i++) {
        sow_text_append(&r->body, "<li>");
        sow_i_html_value(&r->body, json_array_get(learned, i));
        sow_text_append(&r->body, "</li>\n");
    }
    sow_text_append(&r->body, "</ul>\n");
    training_figure(r);
    sow_i_section_close(&r->body);
}

static void coverage_cell(sow_text *t, const json_t *prior)
{
    double covered, pool;
    sow_text_append(t, "<td>");
    if (sow_i_number(prior, "covered", &covered) && sow_i_number(prior, "pool_size", &pool) && pool > 0) {
        double share = covered / pool < 0 ? 0 : covered / pool > 1 ? 1 : covered / pool;
        sow_text_printf(t, "<span class=\"bar\" aria-hidden=\"true\"><i style=\"width:%.1f%%\"></i></span>", 100 * share);
        sow_i_html_percent(t, share);
        sow_text_append(t, " (");
        sow_i_html_number(t, covered);
        sow_text_append(t, " of ");
        sow_i_html_number(t, pool);
        sow_text_append(t, ")");
    } else {
        sow_text_append(t, "–");
    }
    sow_text_append(t, "</td>");
}

static void prior_row(sow_text *t, const json_t *prior)
{
    sow_text_append(t, "<tr><th scope=\"row\">");
    sow_i_html_value(t, json_object_get(prior, "name"));
    sow_text_append(t, "</th>");
    sow_i_cell(t, prior, "kind");
    sow_i_cell_number(t, prior, "rows");
    sow_i_cell_number(t, prior, "dim");
    coverage_cell(t, prior);
    sow_i_cell_number(t, prior, "zero_rows");
    sow_text_append(t, "</tr>\n");
}

/* Who is missing from which prior, by name. */
static void missing_names(sow_i_report *r, const json_t *prior)
{
    const json_t *missing = json_object_get(prior, "missing");
    if (!sow_i_array(prior, "missing") && !sow_i_string(prior, "missing")) return;
    sow_text_append(&r->body, "<details><summary>Without a row in ");
    sow_i_html_value(&r->body, json_object_get(prior, "name"));
    sow_text_append(&r->body, "</summary>");
    sow_i_html_names(&r->body, missing, NULL);
    sow_text_append(&r->body, "</details>\n");
}

void sow_i_report_priors(sow_i_report *r)
{
    const json_t *priors = sow_i_array(r->doc, "priors");
    sow_i_section_open(&r->body, "priors", "Prior coverage");
    if (priors) {
        sow_text_append(&r->body, "<p>What is known beforehand about each perturbation. One without a row in any prior stays in "
                                  "the pool where the model can "
                                  "fall back on the average.</p>\n");
        sow_i_table_open(&r->body, "Priors and how much of the pool they cover",
                         "Prior|Kind|#Rows|#Dimensions|Pool covered|#All-zero rows", NULL);
        sow_text_append(&r->body, "<tbody>\n");
        for (size_t i = 0; i < json_array_size(priors); i++)
            prior_row(&r->body, json_array_get(priors, i));
        sow_text_append(&r->body, "</tbody>");
        sow_i_table_close(&r->body);
        for (size_t i = 0; i < json_array_size(priors); i++)
            missing_names(r, json_array_get(priors, i));
    } else {
        sow_text_append(&r->body, "<p class=\"note\">The campaign file names no priors (<code>priors:</code>).</p>\n");
    }
    sow_i_section_close(&r->body);
}

static void dropped_line(sow_i_report *r, const json_t *row)
{
    const json_t *names = json_object_get(row, "names");
    double count;
    if (!sow_i_number(row, "count", &count)) count = (double)json_array_size(names);
    sow_text_append(&r->body, "<li><b>");
    sow_i_html_number(&r->body, count);
    sow_text_append(&r->body, "</b> · ");
    sow_i_html_value(&r->body, json_object_get(row, "what"));
    sow_i_html_names(&r->body, names, "Their names");
    sow_text_append(&r->body, "</li>\n");
}

void sow_i_report_dropped(sow_i_report *r)
{
    const json_t *dropped = sow_i_array(r->doc, "dropped");
    sow_i_section_open(&r->body, "dropped", "What was dropped");
    sow_text_append(&r->body, dropped ? "<ul class=\"plain\">\n" : "<p class=\"note\">Nothing was dropped from the data.</p>\n");
    for (size_t i = 0; i < json_array_size(dropped); i++)
        dropped_line(r, json_array_get(dropped, i));
    if (dropped) sow_text_append(&r->body, "</ul>\n");
    sow_i_section_close(&r->body);
}

void sow_i_report_constraints(sow_i_report *r)
{
    const json_t *rules = sow_i_array(r->doc, "constraints");
    sow_i_section_open(&r->body, "rules", "Constraints");
    if (rules) {
        sow_i_table_open(&r->body, "Rules every batch obeys", "Rule|State", NULL);
        sow_text_append(&r->body, "<tbody>\n");
        for (size_t i = 0; i < json_array_size(rules); i++) {
            sow_text_append(&r->body, "<tr>");
            sow_i_cell(&r->body, json_array_get(rules, i), "rule");
            sow_i_cell(&r->body, json_array_get(rules, i), "state");
            sow_text_append(&r->body, "</tr>\n");
        }
        sow_text_append(&r->body, "</tbody>");
        sow_i_table_close(&r->body);
    } else {
        sow_text_append(&r->body, "<p class=\"note\">The campaign sets no rules: every candidate may be picked.</p>\n");
    }
    sow_i_section_close(&r->body);
}

void sow_i_report_held_out(sow_i_report *r)
{
    const json_t *held_out = json_object_get(r->doc, "held_out"), *names = json_object_get(held_out, "names");
    double count;
    if (!sow_i_number(held_out, "count", &count)) count = (double)json_array_size(names);
    sow_i_section_open(&r->body, "heldout", "Held out");
    if (count > 0) {
        sow_text_append(&r->body, "<p>");
        sow_i_html_count(&r->body, count, "perturbation was", "perturbations were");
        sow_text_append(
            &r->body,
            " kept aside to judge the model: never in the pool, never among the first ones measured, never in a fit.</p>\n");
        sow_i_html_names(&r->body, names, "Their names");
    } else {
        sow_text_append(
            &r->body,
            "<p class=\"note\">No perturbation is held out, so nothing here judges the model on what it has not seen.</p>\n");
    }
    sow_i_section_close(&r->body);
}

static void provenance_table(sow_text *t, const json_t *rows, const char *caption, int varies)
{
    sow_i_table_open(t, caption, "What|Value", "few");
    sow_text_append(t, "<tbody>\n");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        if (json_is_true(json_object_get(row, "varies")) != varies) continue;
        sow_text_append(t, "<tr><th scope=\"row\">");
        sow_i_html_value(t, json_object_get(row, "key"));
        sow_text_append(t, "</th><td class=\"names\">");
        sow_i_html_value(t, json_object_get(row, "value"));
        sow_text_append(t, "</td></tr>\n");
    }
    sow_text_append(t, "</tbody>");
    sow_i_table_close(t);
}

void sow_i_report_provenance(sow_i_report *r)
{
    const json_t *rows = sow_i_array(r->doc, "provenance");
    const char *by = sow_i_string(r->doc, "generated_by");
    size_t varying = 0;
    for (size_t i = 0; i < json_array_size(rows); i++)
        varying += json_is_true(json_object_get(json_array_get(rows, i), "varies"));
    sow_i_section_open(&r->body, "provenance", "Provenance");
    sow_text_append(&r->body, "<p>");
    if (by) {
        sow_text_append(&r->body, "Made by ");
        sow_i_html(&r->body, by);
        sow_text_append(&r->body, ". ");
    }
    sow_text_append(&r->body, rows ? "The same data, campaign file and seed give the same page, but for what is said to vary.</p>\n"
                                   : "No provenance was recorded with this report.</p>\n");
    if (rows && varying < json_array_size(rows)) provenance_table(&r->body, rows, "What this report was made from", 0);
    if (varying) {
        sow_text_append(&r->body, "<!-- varies -->\n<details><summary>What varies from run to run</summary>\n");
        provenance_table(&r->body, rows, "Not part of a comparison between runs", 1);
        sow_text_append(&r->body, "</details>\n<!-- /varies -->\n");
    }
    sow_i_section_close(&r->body);
}
