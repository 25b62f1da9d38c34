/* Contexts side by side: whether the same perturbation does the same elsewhere. */
#include "io/report_internal.h"

#include <math.h>
#include <string.h>

enum { MATRIX_MOST = 8, PAIRS_DRAWN = 40, EFFECTS_SHOWN = 25 };

static const json_t *contexts_of(const json_t *doc)
{
    const json_t *contexts = json_object_get(json_object_get(doc, "cells"), "contexts");
    return json_is_object(contexts) ? contexts : NULL;
}

int sow_i_has_contexts(const json_t *doc)
{
    return contexts_of(doc) != NULL;
}

static int is(const json_t *object, const char *key, const char *text)
{
    const char *s = sow_i_string(object, key);
    return s && text && strcmp(s, text) == 0;
}

void sow_i_report_contexts_note(sow_i_report *r)
{
    const json_t *contexts = contexts_of(r->doc);
    const char *finding = sow_i_string(contexts, "finding");
    if (!finding) return;
    sow_text_printf(&r->body, "<p class=\"%s\">", is(contexts, "verdict", "do not help") ? "warn" : "note");
    sow_i_html(&r->body, finding);
    sow_text_append(&r->body, " <a href=\"#contexts\">Contexts side by side</a>.</p>\n");
}

/* --- agreement between contexts --- */

/* [a, b, correlation, low, high, shared, different]: b null for a context with itself. */
static void push_pair(sow_i_report *r, json_t *data, const json_t *row, const char *a, const char *b, const char *count_key)
{
    static const char *const keys[] = {"correlation", "low", "high", NULL, "different"};
    double x;
    if (!a || !sow_i_number(row, "correlation", &x)) return;
    json_t *line = json_array();
    sow_i_push(r, line, json_string(a));
    sow_i_push(r, line, b ? json_string(b) : json_null());
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
        sow_i_push(r, line, sow_i_number(row, keys[k] ? keys[k] : count_key, &x) ? json_real(x) : json_null());
    sow_i_push(r, data, line);
}

/* The target's own line, its pairs, then the others in the same way. */
static size_t pairs_data(sow_i_report *r, json_t *data, const json_t *contexts)
{
    const json_t *pairs = sow_i_array(contexts, "pairs"), *within = sow_i_array(contexts, "within");
    const char *target = sow_i_string(contexts, "target");
    for (int others = 0; others < 2; others++) {
        for (size_t i = 0; i < json_array_size(within); i++) {
            const json_t *row = json_array_get(within, i);
            if (is(row, "context", target) != !others) continue;
            push_pair(r, data, row, sow_i_string(row, "context"), NULL, "perturbations");
        }
        for (size_t i = 0; i < json_array_size(pairs) && json_array_size(data) < PAIRS_DRAWN; i++) {
            const json_t *row = json_array_get(pairs, i);
            const char *a = sow_i_string(row, "a"), *b = sow_i_string(row, "b");
            if ((is(row, "a", target) || is(row, "b", target)) != !others || !b) continue;
            int turned = is(row, "b", target);
            push_pair(r, data, row, turned ? b : a, turned ? a : b, "shared");
        }
    }
    return json_array_size(data);
}

static void pairs_figure(sow_i_report *r, const json_t *contexts)
{
    json_t *data = json_array();
    if (!data) r->failed = 1;
    if (pairs_data(r, data, contexts) == 0) {
        json_decref(data);
        return;
    }
    sow_i_put(r, sow_i_chart(r, "pairs"), "rows", data);
    sow_text_append(&r->body, "<figure><h3>How much the same perturbation’s responses agree</h3><ul class=\"legend\"><li>"
                              "<svg width=\"34\" height=\"14\" aria-hidden=\"true\"><path d=\"M0 7h34\" stroke=\"var(--measured)\" stroke-width=\"2\"/>"
                              "<circle cx=\"17\" cy=\"7\" r=\"4.5\" fill=\"var(--measured)\"/></svg><span>in two contexts, with a 95% interval</span></li><li>"
                              "<svg width=\"14\" height=\"14\" aria-hidden=\"true\"><path d=\"M2.5 2.5h9v9h-9z\" fill=\"none\" stroke=\"var(--s1)\" "
                              "stroke-width=\"2\"/></svg><span>in two halves of one context’s cells: what noise leaves</span></li><li>"
                              "<svg width=\"14\" height=\"14\" aria-hidden=\"true\"><path d=\"M7 1v12\" stroke=\"var(--ink)\" stroke-width=\"2\"/></svg>"
                              "<span>different perturbations in two contexts</span></li></ul>\n");
    sow_i_chart_place(r, "curve-few",
                      "Dot plot: correlation of responses for each pair of contexts and for halves of each context. The table below holds the same numbers.");
    sow_text_append(&r->body, "<figcaption>Correlation of mean responses over genes, averaged over shared perturbations. Where halves of a context’s own cells do "
                              "not agree, its responses are mostly noise, and no other context could agree with it.</figcaption></figure>\n");
}

/* The number in a shaded cell; the shade repeats what the number says. */
static void shaded_open(sow_text *t, double value, double most)
{
    double depth = most > 0 ? 45 * fmin(fabs(value) / most, 1) : 0;
    sow_text_printf(t, "<td class=\"n heat\" style=\"background:color-mix(in srgb,var(--%s) %.0f%%,transparent)\">", value < 0 ? "planned" : "measured", depth);
}

static const json_t *pair_of(const json_t *contexts, const char *a, const char *b)
{
    const json_t *pairs = sow_i_array(contexts, "pairs"), *within = sow_i_array(contexts, "within");
    for (size_t i = 0; strcmp(a, b) == 0 && i < json_array_size(within); i++)
        if (is(json_array_get(within, i), "context", a)) return json_array_get(within, i);
    for (size_t i = 0; i < json_array_size(pairs); i++) {
        const json_t *row = json_array_get(pairs, i);
        if ((is(row, "a", a) && is(row, "b", b)) || (is(row, "a", b) && is(row, "b", a))) return row;
    }
    return NULL;
}

static void correlation_cell(sow_text *t, const json_t *row, int itself)
{
    double value, low, high, n;
    if (!sow_i_number(row, "correlation", &value)) {
        sow_text_append(t, "<td class=\"n\">–</td>");
        return;
    }
    shaded_open(t, value, 1);
    sow_i_html_correlation(t, value);
    sow_text_append(t, "<span class=\"ci\">");
    if (sow_i_number(row, "low", &low) && sow_i_number(row, "high", &high)) {
        sow_i_html_correlation(t, low);
        sow_text_append(t, " to ");
        sow_i_html_correlation(t, high);
    }
    if (itself) sow_text_append(t, "own halves");
    sow_text_append(t, "</span>");
    if (sow_i_number(row, itself ? "perturbations" : "shared", &n)) {
        sow_text_append(t, "<span class=\"ci\">");
        sow_i_html_count(t, n, "perturbation", "perturbations");
        sow_text_append(t, "</span>");
    }
    sow_text_append(t, "</td>");
}

static void name_head(sow_text *t, const char *name, const char *target, int numeric)
{
    int own = target && strcmp(name, target) == 0;
    sow_text_printf(t, "<th scope=\"col\"%s>", numeric ? " class=\"n\"" : "");
    sow_i_html(t, name);
    sow_text_append(t, own ? "<span class=\"ci\">planned in</span></th>" : "</th>");
}

static void heat_table_open(sow_text *t, const json_t *names, const char *target, const char *caption, const char *first, const char *last)
{
    sow_text_printf(t, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s\"><table class=\"heat\"><caption>%s</caption><thead><tr><th scope=\"col\">%s</th>",
                    caption, caption, first);
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        if (name) name_head(t, name, target, 1);
    }
    if (last) sow_text_printf(t, "<th scope=\"col\" class=\"n\">%s</th>", last);
    sow_text_append(t, "</tr></thead>\n<tbody>\n");
}

static void matrix(sow_i_report *r, const json_t *contexts, const json_t *names)
{
    sow_text *t = &r->body;
    heat_table_open(t, names, sow_i_string(contexts, "target"), "Correlation between contexts, with 95% intervals over shared perturbations", "Context", NULL);
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *a = json_string_value(json_array_get(names, i));
        if (!a) continue;
        sow_text_append(t, "<tr><th scope=\"row\">");
        sow_i_html(t, a);
        sow_text_append(t, "</th>");
        for (size_t j = 0; j < json_array_size(names); j++) {
            const char *b = json_string_value(json_array_get(names, j));
            if (b) correlation_cell(t, pair_of(contexts, a, b), i == j);
        }
        sow_text_append(t, "</tr>\n");
    }
    sow_text_append(t, "</tbody>");
    sow_i_table_close(t);
}

/* With many contexts: a line for each pair. */
static void pairs_list(sow_i_report *r, const json_t *contexts)
{
    const json_t *pairs = sow_i_array(contexts, "pairs");
    sow_text *t = &r->body;
    if (!pairs) return;
    sow_text_append(t, "<details><summary>All pairs of contexts</summary>\n");
    sow_i_table_open(t, "Correlation between contexts, with 95% intervals over shared perturbations", "Context|Context|#Correlation", "few");
    sow_text_append(t, "<tbody>\n");
    for (size_t i = 0; i < json_array_size(pairs); i++) {
        sow_text_append(t, "<tr>");
        sow_i_cell(t, json_array_get(pairs, i), "a");
        sow_i_cell(t, json_array_get(pairs, i), "b");
        correlation_cell(t, json_array_get(pairs, i), 0);
        sow_text_append(t, "</tr>\n");
    }
    sow_text_append(t, "</tbody>");
    sow_i_table_close(t);
    sow_text_append(t, "</details>\n");
}

/* --- effects, perturbation by perturbation --- */

static double largest_effect(const json_t *effects, const json_t *names)
{
    double most = 0, x;
    for (size_t i = 0; i < json_array_size(effects); i++)
        for (size_t j = 0; j < json_array_size(names); j++) {
            const char *name = json_string_value(json_array_get(names, j));
            if (name && sow_i_number(json_object_get(json_array_get(effects, i), "values"), name, &x)) most = fmax(most, fabs(x));
        }
    return most;
}

static void effect_row(sow_text *t, const json_t *row, const json_t *names, double most, int correlation)
{
    const json_t *values = json_object_get(row, "values");
    double x;
    sow_text_append(t, "<tr><th scope=\"row\">");
    sow_i_html_value(t, json_object_get(row, "perturbation"));
    sow_text_append(t, "</th>");
    for (size_t j = 0; j < json_array_size(names); j++) {
        const char *name = json_string_value(json_array_get(names, j));
        if (!name) continue;
        if (sow_i_number(values, name, &x)) {
            shaded_open(t, x, most);
            sow_i_html_metric(t, x);
            sow_text_append(t, "</td>");
        } else {
            sow_text_append(t, "<td class=\"n soft\">–</td>");
        }
    }
    if (correlation) {
        sow_text_append(t, "<td class=\"n\">");
        if (sow_i_number(row, "correlation", &x))
            sow_i_html_correlation(t, x);
        else
            sow_text_append(t, "–");
        sow_text_append(t, "</td>");
    }
    sow_text_append(t, "</tr>\n");
}

static void effects_table(sow_i_report *r, const json_t *contexts, const json_t *names, size_t from, size_t to)
{
    const json_t *effects = sow_i_array(contexts, "effects");
    double most = largest_effect(effects, names), x;
    int correlation = 0;
    for (size_t i = 0; i < json_array_size(effects); i++)
        correlation |= sow_i_number(json_array_get(effects, i), "correlation", &x);
    heat_table_open(&r->body, names, sow_i_string(contexts, "target"),
                    "Size of the effect (length of the mean response) of perturbations measured in several contexts; – is not measured", "Perturbation",
                    correlation ? "Agreement" : NULL);
    for (size_t i = from; i < to; i++)
        effect_row(&r->body, json_array_get(effects, i), names, most, correlation);
    sow_text_append(&r->body, "</tbody>");
    sow_i_table_close(&r->body);
}

static void effects(sow_i_report *r, const json_t *contexts, const json_t *names)
{
    size_t n = json_array_size(sow_i_array(contexts, "effects")), first = n <= EFFECTS_SHOWN + 5 ? n : EFFECTS_SHOWN;
    if (n == 0) return;
    effects_table(r, contexts, names, 0, first);
    if (first == n) return;
    sow_text_append(&r->body, "<details><summary>The other ");
    sow_i_html_number(&r->body, (double)(n - first));
    sow_text_append(&r->body, " shared perturbations</summary>\n");
    effects_table(r, contexts, names, first, n);
    sow_text_append(&r->body, "</details>\n");
}

/* What the finding means for who plans. */
static const char *consequence(const json_t *contexts)
{
    if (is(contexts, "verdict", "do not help"))
        return "What is known of a perturbation elsewhere says next to nothing about it here: prefer models and strategies that do not lean on other "
               "contexts, and measure here what must be known here.";
    if (is(contexts, "verdict", "help"))
        return "What is known of a perturbation elsewhere says something about it here: models that learn from the other contexts have a head start.";
    return "More perturbations measured both here and elsewhere, or more cells of each, would tell.";
}

void sow_i_report_contexts(sow_i_report *r)
{
    const json_t *contexts = contexts_of(r->doc), *names = sow_i_array(contexts, "names");
    const char *finding = sow_i_string(contexts, "finding");
    if (!contexts) return;
    sow_i_section_open(&r->body, "contexts", "Contexts side by side");
    if (finding) {
        sow_text_append(&r->body, "<p class=\"lede\">");
        sow_i_html(&r->body, finding);
        sow_text_append(&r->body, "</p>\n");
    }
    sow_text_printf(&r->body, "<p>%s</p>\n", consequence(contexts));
    pairs_figure(r, contexts);
    if (names && json_array_size(names) <= MATRIX_MOST)
        matrix(r, contexts, names);
    else
        pairs_list(r, contexts);
    if (names) effects(r, contexts, names);
    sow_i_section_close(&r->body);
}
