/* The page of an allocation: what to take for a budget and why, quality against money and against time, curves carried on, and every allocation of the sweep. */
#include "core/memory.h"
#include "io/report_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SERIES_MOST = 7 };

static const json_t *allocations_of(const json_t *world)
{
    return sow_i_array(world, "allocations");
}

static const json_t *chosen_of(const json_t *world)
{
    const json_t *at = json_object_get(json_object_get(world, "recommended"), "allocation");
    return json_is_integer(at) ? json_array_get(allocations_of(world), (size_t)json_integer_value(at)) : NULL;
}

static int is_twin(const json_t *allocation)
{
    return json_is_integer(json_object_get(allocation, "same_as"));
}

static int on_front(const json_t *allocation, const char *which)
{
    return json_is_true(json_object_get(json_object_get(allocation, "front"), which));
}

static const char *label_of_metric(const json_t *doc)
{
    const sow_i_metric_words *words = sow_i_metric(sow_i_string(doc, "metric"));
    const char *metric = sow_i_string(doc, "metric");
    return words ? words->label : metric ? metric : "quality";
}

static int has_price(const json_t *world, const char *price)
{
    for (size_t i = 0; i < json_array_size(allocations_of(world)); i++) {
        double x;
        if (sow_i_number(json_array_get(allocations_of(world), i), price, &x) && x > 0) return 1;
    }
    return 0;
}

/* ---- what to do ---- */

static void tile(sow_text *t, const json_t *row, const char *key, void (*write)(sow_text *, double), const char *unit, const char *what)
{
    double x;
    if (!sow_i_number(row, key, &x)) return;
    sow_text_append(t, "<div><dt>");
    sow_i_html(t, what);
    sow_text_append(t, "</dt><dd>");
    write(t, x);
    sow_text_append(t, " <small>");
    sow_i_html(t, unit);
    sow_text_append(t, "</small></dd></div>\n");
}

static void whole(sow_text *t, double x)
{
    sow_i_html_number(t, round(x));
}

static void tiles(sow_i_report *r, const json_t *world)
{
    const json_t *chosen = chosen_of(world), *recommended = json_object_get(world, "recommended");
    const json_t *expected = json_object_get(recommended, "expected");
    double x;
    if (!chosen) return;
    if (!sow_i_number(expected, "value", &x)) expected = json_object_get(recommended, "value");
    sow_text_append(&r->body, "<dl class=\"tiles\">\n");
    if (has_price(world, "cost")) tile(&r->body, chosen, "cost", whole, sow_i_string(r->doc, "currency"), "cost");
    if (has_price(world, "weeks")) tile(&r->body, chosen, "weeks", sow_i_html_number, "weeks", "until the last result");
    tile(&r->body, chosen, "perturbations", sow_i_html_number, "", "perturbations measured");
    tile(&r->body, expected, "value", sow_i_html_metric, "", label_of_metric(r->doc));
    sow_text_append(&r->body, "</dl>\n");
}

static void say(sow_i_report *r, const json_t *words, const char *key, const char *title)
{
    const char *text = sow_i_string(words, key);
    if (!text) return;
    sow_text_printf(&r->body, "<dt>%s</dt><dd>", title);
    sow_i_html(&r->body, text);
    sow_text_append(&r->body, "</dd>\n");
}

static void title_of(sow_text *t, const json_t *world, const char *what)
{
    const char *name = sow_i_string(world, "world");
    sow_text_append(t, what);
    if (!name) return;
    sow_text_append(t, " in the world ‘");
    sow_i_html(t, name);
    sow_text_append(t, "’");
}

/* Section with an id of its own for each world: "prices", "prices-2". */
static void open_section(sow_i_report *r, size_t number, const json_t *world, const char *id, const char *what)
{
    sow_text title = {0}, own = {0};
    title_of(&title, world, what);
    sow_text_printf(&own, number ? "%s-%zu" : "%s", id, number + 1);
    sow_i_section_open(&r->body, own.text ? own.text : id, title.text ? title.text : what);
    r->failed |= title.failed || own.failed;
    sow_text_clear(&title);
    sow_text_clear(&own);
}

static void advice(sow_i_report *r, size_t number, const json_t *world)
{
    const json_t *words = json_object_get(world, "words");
    sow_text *t = &r->body;
    open_section(r, number, world, "done", "What to do");
    sow_text_append(t, "<div class=\"next\"><p class=\"do\">");
    sow_i_html(t, sow_i_string(words, "headline"));
    sow_text_append(t, "</p>\n");
    if (sow_i_string(words, "why")) {
        sow_text_append(t, "<p>");
        sow_i_html(t, sow_i_string(words, "why"));
        sow_text_append(t, "</p>\n");
    }
    tiles(r, world);
    sow_text_append(t, "</div>\n<dl class=\"terms advice\">\n");
    say(r, words, "expected", "What to expect");
    say(r, words, "also", "If less is enough");
    say(r, words, "next_money", "More money");
    say(r, words, "next_weeks", "More time");
    say(r, words, "stop", "When to stop");
    say(r, words, "further", "Going on after the last round");
    sow_text_append(t, "</dl>\n");
    sow_i_section_close(t);
}

/* ---- quality against money and time ---- */

static json_t *or_null(const json_t *row, const char *key)
{
    double x;
    return row && sow_i_number(row, key, &x) ? json_real(x) : json_null();
}

static void tradeoff(sow_i_report *r, const json_t *world, const char *price, const char *front, const char *title, const char *caption)
{
    const json_t *list = allocations_of(world), *chosen = chosen_of(world);
    json_t *chart = sow_i_chart(r, "tradeoff"), *rows = json_array();
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *a = json_array_get(list, i), *v = json_object_get(a, "value");
        const char *label = sow_i_string(a, "label");
        double x, y;
        if (is_twin(a) || !sow_i_number(a, price, &x) || !sow_i_number(v, "value", &y)) continue;
        sow_i_push(r, rows, json_pack("[f,f,o,o,s,i,b]", x, y, or_null(v, "low"), or_null(v, "high"), label ? label : "", a == chosen ? 2 : on_front(a, front), json_is_true(json_object_get(a, "affordable"))));
    }
    sow_i_put(r, chart, "rows", rows);
    sow_i_put(r, chart, "x", json_string(title));
    sow_i_put(r, chart, "y", json_string(label_of_metric(r->doc)));
    sow_i_put(r, chart, "lower", json_boolean(sow_i_string(r->doc, "better") && strcmp(sow_i_string(r->doc, "better"), "lower") == 0));
    sow_i_put(r, chart, "limit", or_null(json_object_get(r->doc, "budget"), front));
    sow_text_append(&r->body, "<figure><h3>Quality against ");
    sow_text_append(&r->body, caption);
    sow_text_append(&r->body, "</h3>\n");
    sow_i_chart_place(r, "tradeoff", "Scatter chart: quality of each allocation against its price, with the front as a line; the numbers are in the table below.");
    sow_text_append(&r->body, "</figure>\n");
}

static void prices(sow_i_report *r, size_t number, const json_t *world)
{
    sow_text *t = &r->body;
    const char *currency = sow_i_string(r->doc, "currency");
    if (!has_price(world, "cost") && !has_price(world, "weeks")) return;
    open_section(r, number, world, "prices", "What quality costs");
    sow_text_append(t, "<p>Each point is an allocation: an arm of the sweep, or the first rounds of one. The line is the front: nothing that was played is as good for less. The ringed one is recommended. Bars are 95% intervals "
                       "over seeds; neighbours share seeds, so their difference is surer than two bars suggest. Hollow points are beyond the budget, which is the dashed line.</p>\n<div class=\"grid\">\n");
    if (has_price(world, "cost")) tradeoff(r, world, "cost", "money", currency ? currency : "money", "money");
    if (has_price(world, "weeks")) tradeoff(r, world, "weeks", "weeks", "weeks", "time");
    sow_text_append(t, "</div>\n");
    sow_i_section_close(t);
}

/* ---- curves ---- */

static int listed(const json_t *series, const char *arm)
{
    for (size_t k = 0; k < json_array_size(series); k++)
        if (strcmp(json_string_value(json_array_get(series, k)), arm) == 0) return 1;
    return 0;
}

/* The recommended arm first, then those on a front, then the rest, as far as colours go. */
static json_t *series_of(const json_t *world)
{
    const json_t *list = allocations_of(world), *chosen = chosen_of(world);
    json_t *series = json_array();
    for (int turn = 0; turn < 3; turn++)
        for (size_t i = 0; i < json_array_size(list) && json_array_size(series) < SERIES_MOST; i++) {
            const json_t *a = json_array_get(list, i);
            const char *arm = sow_i_string(a, "arm");
            if ((turn == 0 && a != chosen) || (turn == 1 && !on_front(a, "both")) || !arm || listed(series, arm)) continue;
            json_array_append_new(series, json_string(arm));
        }
    return series;
}

static json_t *measured_rows(sow_i_report *r, const json_t *world, const json_t *series)
{
    const json_t *list = allocations_of(world);
    json_t *rows = json_array();
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *a = json_array_get(list, i), *v = json_object_get(a, "value");
        const char *arm = sow_i_string(a, "arm");
        double x, y;
        if (!arm || !listed(series, arm) || !sow_i_number(a, "perturbations", &x) || !sow_i_number(v, "value", &y)) continue;
        sow_i_push(r, rows, json_pack("[f,s,f,o,o]", x, arm, y, or_null(v, "low"), or_null(v, "high")));
    }
    return rows;
}

static json_t *ahead_rows(sow_i_report *r, const json_t *world, const json_t *series)
{
    const json_t *arms = sow_i_array(world, "arms");
    json_t *rows = json_array();
    for (size_t k = 0; k < json_array_size(arms); k++) {
        const json_t *arm = json_array_get(arms, k), *ahead = sow_i_array(json_object_get(arm, "curve"), "ahead");
        const char *name = sow_i_string(arm, "arm");
        if (!name || !listed(series, name)) continue;
        for (size_t i = 0; i < json_array_size(ahead); i++) {
            const json_t *at = json_array_get(ahead, i);
            double x, y;
            if (sow_i_number(at, "perturbations", &x) && sow_i_number(at, "value", &y)) sow_i_push(r, rows, json_pack("[f,s,f,o,o]", x, name, y, or_null(at, "low"), or_null(at, "high")));
        }
    }
    return rows;
}

static void legend(sow_i_report *r, const json_t *series, size_t arms)
{
    sow_text_append(&r->body, "<ul class=\"legend\">");
    for (size_t k = 0; k < json_array_size(series); k++) {
        sow_text_append(&r->body, "<li>");
        sow_i_series_key(&r->body, (sow_index)k);
        sow_text_append(&r->body, "<span>");
        sow_i_html(&r->body, json_string_value(json_array_get(series, k)));
        sow_text_append(&r->body, "</span></li>");
    }
    sow_text_append(&r->body, "</ul>\n");
    if (arms > json_array_size(series)) sow_text_printf(&r->body, "<p class=\"note\">%zu of %zu arms are drawn: the recommended one, those on a front, and others.</p>\n", json_array_size(series), arms);
}

static void curves(sow_i_report *r, size_t number, const json_t *world)
{
    json_t *series = series_of(world), *ahead = ahead_rows(r, world, series);
    const sow_i_metric_words *words = sow_i_metric(sow_i_string(r->doc, "metric"));
    sow_text *t = &r->body;
    double held, of;
    open_section(r, number, world, "curves", "Learning curves");
    sow_text_append(t, "<p>");
    sow_i_html(t, words ? words->sentence : "");
    sow_text_append(t, json_array_size(ahead) ? " Behind the last round the curve is carried on to twice as many perturbations at most, as a band (95%) that holds what the seeds do not know and what a power law and an exponential disagree on. "
                                                "It knows of nothing that could bend a curve later."
                                              : " No arm here has the rounds and seeds that it takes to carry a curve on past its last round.");
    if (sow_i_number(json_object_get(world, "look_back"), "of", &of) && of > 0 && sow_i_number(json_object_get(world, "look_back"), "held", &held))
        sow_text_printf(t, " Bands made in the same way from the first rounds of these arms held %.0f of %.0f later rounds.", held, of);
    sow_text_append(t, "</p>\n");
    legend(r, series, json_array_size(sow_i_array(world, "arms")));
    json_t *chart = sow_i_chart(r, "ahead");
    sow_i_put(r, chart, "rows", measured_rows(r, world, series));
    sow_i_put(r, chart, "y", json_string(label_of_metric(r->doc)));
    sow_text_append(t, "<figure>");
    sow_i_chart_place(r, "ahead", "Line chart: quality against perturbations measured, by arm, with bands past the last round; the measured numbers are in the table below.");
    sow_text_append(t, "</figure>\n");
    sow_i_put(r, chart, "ahead", ahead);
    sow_i_put(r, chart, "series", series);
    sow_i_section_close(t);
}

/* ---- tables ---- */

/* Positions of `list`, cheapest first, then shortest. */
static void by_price(size_t *order, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        size_t k = i;
        double cost, weeks, its, its_weeks;
        sow_i_number(json_array_get(list, i), "cost", &cost);
        sow_i_number(json_array_get(list, i), "weeks", &weeks);
        for (; k > 0; k--) {
            sow_i_number(json_array_get(list, order[k - 1]), "cost", &its);
            sow_i_number(json_array_get(list, order[k - 1]), "weeks", &its_weeks);
            if (its < cost || (its == cost && its_weeks <= weeks)) break;
            order[k] = order[k - 1];
        }
        order[k] = i;
    }
}

/* A row for a table: the allocation with what is in it laid open. */
static json_t *table_row(const json_t *a, const json_t *chosen)
{
    json_t *row = json_deep_copy(a);
    json_object_set_new(row, "own", json_boolean(a == chosen));
    json_object_set_new(row, "on_money", json_boolean(on_front(a, "money")));
    json_object_set_new(row, "on_weeks", json_boolean(on_front(a, "weeks")));
    return row;
}

static void allocation_table(sow_i_report *r, const json_t *world, const char *caption, int front_only)
{
    const json_t *list = allocations_of(world), *chosen = chosen_of(world);
    const sow_i_column columns[] = {{"Allocation", "label", SOW_I_TEXT}, {"Perturbations", "perturbations", SOW_I_NUMBER}, {"Cells each", "cells_per_perturbation", SOW_I_NUMBER}, {"Cost", "cost", SOW_I_COUNT},
                                    {"Weeks", "weeks", SOW_I_NUMBER}, {label_of_metric(r->doc), "value", SOW_I_INTERVAL}, {"Over the best", "less_best", SOW_I_INTERVAL}, {"Within budget", "affordable", SOW_I_YES},
                                    {"Front, money", "on_money", SOW_I_YES}, {"Front, time", "on_weeks", SOW_I_YES}};
    json_t *rows = json_array();
    size_t *order = sow_calloc((sow_index)json_array_size(list), sizeof *order);
    r->failed |= !order;
    if (order) by_price(order, list);
    for (size_t i = 0; order && i < json_array_size(list); i++) {
        const json_t *a = json_array_get(list, order[i]);
        if (!is_twin(a) && (!front_only || on_front(a, "both") || a == chosen)) sow_i_push(r, rows, table_row(a, chosen));
    }
    sow_i_table_rows(&r->body, caption, NULL, columns, sizeof columns / sizeof *columns, rows, "own");
    json_decref(rows);
    free(order);
}

static void tables(sow_i_report *r, size_t number, const json_t *world)
{
    sow_text *t = &r->body;
    size_t all = 0;
    for (size_t i = 0; i < json_array_size(allocations_of(world)); i++)
        all += !is_twin(json_array_get(allocations_of(world), i));
    open_section(r, number, world, "allocations", "The front");
    sow_text_append(t, "<p>Allocations that nothing beats in quality, money and time at once, by their means; the recommended one in bold. ‘Over the best’ is the difference to the best that can be had, seed by seed: below zero is "
                       "worse, whichever way the metric goes.</p>\n");
    allocation_table(r, world, "The front", 1);
    sow_text_printf(t, "<details><summary>All %zu allocations</summary>\n", all);
    allocation_table(r, world, "All allocations", 0);
    sow_text_append(t, "</details>\n<p class=\"note\">Also in <code>allocation.csv</code>. Arms that begin alike are one allocation until they part, and stand here once.</p>\n");
    sow_i_section_close(t);
}

static void how(sow_i_report *r)
{
    sow_i_section_open(&r->body, "how", "How this was decided");
    sow_text_append(&r->body, "<dl class=\"terms\">\n<dt>The rule</dt><dd>The allocation with the best mean of those within the budget, or the cheapest that is not shown to be worse (paired 95% interval over seeds) and at the lower end of "
                              "that interval loses no more than the margin: <code>budget.margin</code>, or a tenth of what the best gains over the least.</dd>\n"
                              "<dt>The best of many</dt><dd>The highest of many means is partly luck. What to expect is therefore estimated on seeds that had no say: the rule chooses anew without each seed in turn, and is judged on that one.</dd>\n"
                              "<dt>First rounds of an arm</dt><dd>No strategy looks at how many rounds are still to come, so an arm that is stopped is what an arm planned to be that short would have been.</dd>\n"
                              "<dt>What it does not know</dt><dd>Everything here was played against the screen or simulator of the sweep’s campaign. It holds for a lab as far as that is like the lab’s own screen.</dd>\n</dl>\n");
    sow_i_section_close(&r->body);
}

static void write_body(sow_i_report *r)
{
    const json_t *worlds = sow_i_array(r->doc, "worlds");
    double seeds;
    sow_text_append(&r->body, "<header>\n<p class=\"kicker\">What a budget is best spent on</p>\n<h1>");
    sow_i_html(&r->body, sow_i_string(r->doc, "name"));
    sow_text_append(&r->body, "</h1>\n<p class=\"meta\">by <b>");
    sow_i_html(&r->body, label_of_metric(r->doc));
    sow_text_append(&r->body, "</b>, ");
    sow_i_html(&r->body, sow_i_string(r->doc, "better"));
    sow_text_append(&r->body, " is better");
    if (sow_i_number(r->doc, "seeds", &seeds)) {
        sow_text_append(&r->body, " · ");
        sow_i_html_count(&r->body, seeds, "seed", "seeds");
    }
    sow_text_append(&r->body, "</p>\n</header>\n<main>\n");
    for (size_t k = 0; k < json_array_size(worlds); k++)
        advice(r, k, json_array_get(worlds, k));
    for (size_t k = 0; k < json_array_size(worlds); k++) {
        const json_t *world = json_array_get(worlds, k);
        prices(r, k, world);
        curves(r, k, world);
        tables(r, k, world);
    }
    how(r);
    sow_i_report_foot(r);
}

sow_status sow_report_write_allocation(const char *path, const char *json, sow_error *err)
{
    static const sow_i_page form = {"allocation", "allocation", "#done\">Skip to what to do", "worlds", write_body, NULL};
    return sow_i_page_write(path, json, &form, err);
}
