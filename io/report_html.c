/* How values get into the page: escaping, numbers for people, tables, lists of names, places for charts. */
#include "io/report_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NAMES_SHOWN = 60, TEXT_SHOWN = 500 }; /* longer lists go behind a fold */

const char *sow_i_string(const json_t *object, const char *key)
{
    const char *s = json_string_value(json_object_get(object, key));
    return s && *s ? s : NULL;
}

int sow_i_number(const json_t *object, const char *key, double *out)
{
    const json_t *value = json_object_get(object, key);
    *out = json_is_number(value) ? json_number_value(value) : 0.0;
    return json_is_number(value);
}

const json_t *sow_i_array(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_array(value) && json_array_size(value) ? value : NULL;
}

static const char *escaped(unsigned char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return c == 127 || (c < 32 && c != '\n' && c != '\t') ? "\xEF\xBF\xBD" : NULL;
    }
}

void sow_i_html(sow_text *t, const char *s)
{
    const char *plain = s;
    for (; s && *s; s++) {
        const char *instead = escaped((unsigned char)*s);
        if (!instead) continue;
        sow_text_printf(t, "%.*s", (int)(s - plain), plain);
        sow_text_append(t, instead);
        plain = s + 1;
    }
    if (plain) sow_text_append(t, plain);
}

/* |x| with thousands separators and a sign in front. */
static void grouped(sow_text *t, double x, int decimals)
{
    char s[64];
    int n = snprintf(s, sizeof s, "%.*f", decimals, fabs(x));
    if (n < 0 || n >= (int)sizeof s) {
        sow_text_printf(t, "%.3g", x);
        return;
    }
    int whole = (int)strcspn(s, ".");
    if (x < 0 && strspn(s, "0.") != strlen(s)) sow_text_append(t, "-");
    for (int i = 0; i < whole; i++)
        sow_text_printf(t, "%c%s", s[i], i + 1 < whole && (whole - i - 1) % 3 == 0 ? "," : "");
    sow_text_append(t, s + whole);
}

void sow_i_html_number(sow_text *t, double x)
{
    double size = fabs(x);
    if (!isfinite(x)) {
        sow_text_append(t, "–");
    } else if (size >= 1e12 || (size < 9.5e-4 && size > 0)) {
        sow_text_printf(t, "%.2e", x);
    } else if (size == floor(size) || size >= 100) {
        grouped(t, x, 0);
    } else {
        grouped(t, x, size >= 9.995 ? 1 : size >= 0.9995 ? 2 : size >= 0.00995 ? 3 : 4);
    }
}

void sow_i_html_metric(sow_text *t, double x)
{
    if (x == floor(x) && fabs(x) > 0 && fabs(x) < 100)
        grouped(t, x, fabs(x) < 10 ? 2 : 1);
    else
        sow_i_html_number(t, x);
}

void sow_i_html_about(sow_text *t, double x)
{
    grouped(t, x, fabs(x) < 9.95 ? 1 : 0);
}

void sow_i_html_money(sow_text *t, double x)
{
    grouped(t, x, 2);
}

void sow_i_html_correlation(sow_text *t, double x)
{
    grouped(t, x, 2);
}

void sow_i_html_price(sow_text *t, double x)
{
    int decimals = 2;
    for (double cents = x * 100; decimals < 4 && fabs(cents - round(cents)) > 1e-6; cents *= 10)
        decimals++;
    grouped(t, x, decimals);
}

void sow_i_html_percent(sow_text *t, double share)
{
    grouped(t, 100 * share, share > 0 && share < 0.0995 && fabs(100 * share - round(100 * share)) > 1e-9 ? 1 : 0);
    sow_text_append(t, "%");
}

void sow_i_html_count(sow_text *t, double n, const char *one, const char *many)
{
    sow_i_html_number(t, n);
    sow_text_printf(t, " %s", n == 1.0 ? one : many);
}

void sow_i_html_value(sow_text *t, const json_t *value)
{
    if (json_is_string(value))
        sow_i_html(t, json_string_value(value));
    else if (json_is_integer(value))
        sow_text_printf(t, "%lld", (long long)json_integer_value(value)); /* seeds and years are not grouped */
    else if (json_is_real(value))
        sow_i_html_number(t, json_real_value(value));
    else if (json_is_boolean(value))
        sow_text_append(t, json_is_true(value) ? "yes" : "no");
    else
        sow_text_append(t, "–");
}

void sow_i_cell(sow_text *t, const json_t *row, const char *key)
{
    sow_text_append(t, "<td>");
    sow_i_html_value(t, json_object_get(row, key));
    sow_text_append(t, "</td>");
}

void sow_i_cell_number(sow_text *t, const json_t *row, const char *key)
{
    double x;
    sow_text_append(t, "<td class=\"n\">");
    if (sow_i_number(row, key, &x))
        sow_i_html_number(t, x);
    else
        sow_i_html_value(t, json_object_get(row, key));
    sow_text_append(t, "</td>");
}

void sow_i_table_open(sow_text *t, const char *caption, const char *head, const char *class_)
{
    sow_text_append(t, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"");
    sow_i_html(t, caption);
    sow_text_printf(t, "\"><table class=\"%s\"><caption>", class_ ? class_ : "data");
    sow_i_html(t, caption);
    sow_text_append(t, "</caption><thead><tr>");
    for (const char *p = head; *p;) {
        size_t n = strcspn(p, "|");
        int numeric = *p == '#';
        sow_text_printf(t, "<th scope=\"col\"%s>%.*s</th>", numeric ? " class=\"n\"" : "", (int)n - numeric, p + numeric);
        p += n + (p[n] == '|');
    }
    sow_text_append(t, "</tr></thead>\n");
}

void sow_i_table_close(sow_text *t)
{
    sow_text_append(t, "</table></div>\n");
}

static void interval(sow_text *t, const json_t *v)
{
    double value, low, high;
    if (!sow_i_number(v, "value", &value)) {
        sow_text_append(t, "–");
        return;
    }
    sow_i_html_metric(t, value);
    if (!sow_i_number(v, "low", &low) || !sow_i_number(v, "high", &high)) return;
    sow_text_append(t, "<span class=\"ci\">");
    sow_i_html_metric(t, low);
    sow_text_append(t, " to ");
    sow_i_html_metric(t, high);
    sow_text_append(t, "</span>");
}

static void table_cell(sow_text *t, const json_t *row, const sow_i_column *c)
{
    const json_t *value = json_object_get(row, c->key);
    double x;
    sow_text_append(t, c->kind == SOW_I_TEXT ? "<td>" : "<td class=\"n\">");
    if (c->kind == SOW_I_INTERVAL) interval(t, value);
    else if (c->kind == SOW_I_YES) sow_text_append(t, json_is_true(value) ? "●" : "");
    else if (c->kind == SOW_I_TEXT || !sow_i_number(row, c->key, &x)) sow_i_html_value(t, value);
    else if (c->kind == SOW_I_METRIC) sow_i_html_metric(t, x);
    else sow_i_html_number(t, c->kind == SOW_I_COUNT ? round(x) : x);
    sow_text_append(t, "</td>");
}

void sow_i_table_rows(sow_text *t, const char *caption, const char *class_, const sow_i_column *column, size_t n, const json_t *rows, const char *bold)
{
    sow_text head = {0};
    for (size_t k = 0; k < n; k++)
        sow_text_printf(&head, "%s%s%s", k ? "|" : "", column[k].kind == SOW_I_TEXT ? "" : "#", column[k].head);
    t->failed |= head.failed;
    sow_i_table_open(t, caption, head.text ? head.text : "", class_);
    sow_text_clear(&head);
    sow_text_append(t, "<tbody>\n");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        sow_text_append(t, bold && json_is_true(json_object_get(row, bold)) ? "<tr class=\"own\">" : "<tr>");
        for (size_t k = 0; k < n; k++)
            table_cell(t, row, &column[k]);
        sow_text_append(t, "</tr>\n");
    }
    sow_text_append(t, "</tbody>");
    sow_i_table_close(t);
}

void sow_i_section_open(sow_text *t, const char *id, const char *title)
{
    sow_text_printf(t, "<section id=\"%s\" aria-labelledby=\"%s-title\">\n<h2 id=\"%s-title\">%s</h2>\n", id, id, id, title);
}

void sow_i_section_close(sow_text *t)
{
    sow_text_append(t, "</section>\n");
}

void sow_i_html_names(sow_text *t, const json_t *names, const char *what)
{
    const char *text = json_string_value(names);
    size_t n = json_array_size(names);
    if (!n && !(text && *text)) return;
    int fold = what && (n > NAMES_SHOWN || (text && strlen(text) > TEXT_SHOWN));
    if (fold) sow_text_printf(t, "<details><summary>%s</summary>", what);
    sow_text_append(t, "<p class=\"names\">");
    sow_i_html(t, text);
    for (size_t i = 0; i < n; i++) {
        if (i) sow_text_append(t, ", ");
        sow_i_html_value(t, json_array_get(names, i));
    }
    sow_text_append(t, fold ? "</p></details>\n" : "</p>\n");
}

void sow_i_put(sow_i_report *r, json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value)) r->failed = 1;
}

void sow_i_push(sow_i_report *r, json_t *array, json_t *value)
{
    if (json_array_append_new(array, value)) r->failed = 1;
}

json_t *sow_i_chart(sow_i_report *r, const char *kind)
{
    json_t *chart = json_object();
    sow_i_put(r, chart, "kind", json_string(kind));
    sow_i_push(r, r->charts, chart);
    return r->failed ? NULL : chart;
}

void sow_i_chart_place(sow_i_report *r, const char *classes, const char *label)
{
    sow_text_printf(&r->body, "<div class=\"chart %s\" data-chart=\"%zu\" role=\"img\" aria-label=\"", classes,
                    json_array_size(r->charts) - 1);
    sow_i_html(&r->body, label);
    sow_text_append(&r->body, "\"></div>\n");
}

/* Dashes and marks tell series apart without colour. page.js holds the same two lists. */
static const char *const DASHES[] = {"", "6 3", "2 2", "8 3 2 3", "4 2", "1 3", "10 4", "6 2 2 2"};
static const char *const MARKS[] = {
    "<circle cx=\"17\" cy=\"7\" r=\"3.5\"/>",
    "<path d=\"M14 4h6v6h-6z\"/>",
    "<path d=\"M17 2.5l4 4.5-4 4.5-4-4.5z\"/>",
    "<path d=\"M17 3l4 7h-8z\"/>",
    "<path d=\"M17 11l4-7h-8z\"/>",
    "<path d=\"M15.8 3h2.4v2.8H21v2.4h-2.8V11h-2.4V8.2H13V5.8h2.8z\"/>",
    "<circle cx=\"17\" cy=\"7\" r=\"2.5\"/>",
    "<path d=\"M14.5 4.5h5v5h-5z\"/>",
};

void sow_i_beat_key(sow_text *t)
{
    sow_text_append(t, "<svg width=\"34\" height=\"14\" viewBox=\"0 0 34 14\" aria-hidden=\"true\" style=\"stroke:var(--ink);fill:var(--ink)\">"
                       "<path d=\"M0 7h34\" fill=\"none\" stroke-width=\"2\" stroke-dasharray=\"12 4\"/><path d=\"M12 5.5h10v3h-10z\"/></svg>");
}

void sow_i_series_key(sow_text *t, sow_index series)
{
    int i = (int)(series < 8 ? series : 7);
    sow_text_printf(
        t,
        "<svg width=\"34\" height=\"14\" viewBox=\"0 0 34 14\" aria-hidden=\"true\" style=\"stroke:var(--s%d);fill:var(--s%d)\">"
        "<path d=\"M0 7h34\" fill=\"none\" stroke-width=\"%s\" stroke-dasharray=\"%s\"/>%s</svg>",
        i, i, i ? "1.6" : "2.6", DASHES[i], MARKS[i]);
}

int sow_i_html_interval_cell(sow_text *t, const json_t *row, int is_best)
{
    double mean, low, high;
    sow_text_append(t, is_best ? "<td class=\"n best\">" : "<td class=\"n\">");
    if (!row || !sow_i_number(row, "mean", &mean)) {
        sow_text_append(t, "–</td>");
        return 0;
    }
    sow_i_html_metric(t, mean);
    if (sow_i_number(row, "low", &low) && sow_i_number(row, "high", &high)) {
        sow_text_append(t, "<span class=\"ci\">");
        sow_i_html_metric(t, low);
        sow_text_append(t, " to ");
        sow_i_html_metric(t, high);
        sow_text_append(t, "</span>");
    }
    return 1;
}
