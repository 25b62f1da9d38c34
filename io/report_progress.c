/* What came of it and what it took: hits against chance, the rounds, the bill. */
#include "io/report_internal.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

/* --- hits --- */

static void hits_chart(sow_i_report *r, const json_t *found, double total)
{
    json_t *chart = sow_i_chart(r, "hits"), *rows = json_array();
    sow_text label = {0};
    sow_text_append(&label, "Line chart: hits found against perturbations measured.");
    for (size_t i = 0; i < json_array_size(found); i++) {
        const json_t *row = json_array_get(found, i);
        double measured, hits, chance, round_;
        (void)sow_i_number(row, "round", &round_);
        (void)sow_i_number(row, "measured", &measured);
        (void)sow_i_number(row, "found", &hits);
        int known = sow_i_number(row, "chance", &chance) && total > 0;
        sow_i_push(r, rows, json_pack("[f,f,f,o]", measured, round_, hits, known ? json_real(chance * total) : json_null()));
        sow_text_printf(&label, " At %.0f: %.0f found", measured, hits);
        if (known) sow_text_printf(&label, ", %.1f by chance", chance * total);
        sow_text_append(&label, ".");
    }
    sow_i_put(r, chart, "rows", rows);
    if (label.failed) r->failed = 1;
    sow_text_append(&r->body, "<figure><ul class=\"legend\"><li>");
    sow_i_series_key(&r->body, 0);
    sow_text_append(&r->body, "<span><b>found</b></span></li><li>");
    sow_i_series_key(&r->body, 6);
    sow_text_append(&r->body, "<span>expected by chance</span></li></ul>\n");
    sow_i_chart_place(r, "curve-few", label.text ? label.text : "");
    sow_text_append(&r->body, "<figcaption>Hits found by the end of each round, and what the same number of random picks would "
                              "find.</figcaption></figure>\n");
    sow_text_clear(&label);
}

static void hits_table(sow_i_report *r, const json_t *hits, const json_t *found)
{
    double total, n, hit;
    (void)sow_i_number(hits, "total", &total);
    sow_i_table_open(&r->body, "Hits by round; recall is the share of all hits of the pool",
                     "Round|#Measured so far|#Hits found|#By chance|#Recall", "few");
    sow_text_append(&r->body, "<tbody>\n");
    for (size_t i = 0; i < json_array_size(found); i++) {
        const json_t *row = json_array_get(found, i);
        (void)sow_i_number(row, "found", &hit);
        sow_text_append(&r->body, "<tr>");
        sow_i_cell(&r->body, row, "round");
        sow_i_cell_number(&r->body, row, "measured");
        sow_i_cell_number(&r->body, row, "found");
        sow_text_append(&r->body, "<td class=\"n\">");
        if (sow_i_number(row, "chance", &n) && total > 0)
            sow_i_html_about(&r->body, n * total);
        else
            sow_text_append(&r->body, "–");
        sow_text_append(&r->body, "</td><td class=\"n\">");
        if (total > 0)
            sow_i_html_percent(&r->body, hit / total);
        else
            sow_text_append(&r->body, "–");
        sow_text_append(&r->body, "</td></tr>\n");
    }
    sow_text_append(&r->body, "</tbody>");
    sow_i_table_close(&r->body);
}

static void hits_list(sow_i_report *r, const json_t *list)
{
    if (!list) return;
    sow_text_append(&r->body, "<details><summary>The ");
    sow_i_html_count(&r->body, (double)json_array_size(list), "hit found", "hits found");
    sow_text_append(&r->body, "</summary>\n");
    sow_i_table_open(&r->body, "Hits found", "Perturbation|#Round|#Value", "few");
    sow_text_append(&r->body, "<tbody>\n");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *row = json_array_get(list, i);
        sow_text_append(&r->body, "<tr><th scope=\"row\">");
        sow_i_html_value(&r->body, json_object_get(row, "perturbation"));
        sow_text_append(&r->body, "</th>");
        sow_i_cell_number(&r->body, row, "round");
        sow_i_cell_number(&r->body, row, "value");
        sow_text_append(&r->body, "</tr>\n");
    }
    sow_text_append(&r->body, "</tbody>");
    sow_i_table_close(&r->body);
    sow_text_append(&r->body, "</details>\n");
}

static void hits_definition(sow_i_report *r, const json_t *hits)
{
    const char *definition = sow_i_string(hits, "definition");
    double total, pool;
    sow_text_append(&r->body, "<p>");
    if (definition) {
        sow_text_append(&r->body, "A hit: ");
        sow_i_html(&r->body, definition);
        sow_text_append(&r->body, ". ");
    }
    int known = sow_i_number(hits, "total", &total);
    if (sow_i_number(hits, "pool_size", &pool)) {
        sow_text_append(&r->body, "The pool has ");
        sow_i_html_count(&r->body, pool, "perturbation", "perturbations");
        if (known) {
            sow_text_append(&r->body, ", ");
            sow_i_html_number(&r->body, total);
            sow_text_append(&r->body, " of them hits");
        }
        sow_text_append(&r->body, ".");
    }
    sow_text_append(&r->body, "</p>\n");
}

void sow_i_report_hits(sow_i_report *r)
{
    const json_t *hits = json_object_get(r->doc, "hits"), *found = sow_i_array(hits, "found");
    const char *objective = sow_i_string(r->doc, "objective");
    if (!json_is_object(hits) && !(objective && strcmp(objective, "hits") == 0)) return;
    sow_i_section_open(&r->body, "hits", "Hits found");
    hits_definition(r, hits);
    if (found) {
        double total;
        (void)sow_i_number(hits, "total", &total);
        hits_chart(r, found, total);
        hits_table(r, hits, found);
        hits_list(r, sow_i_array(hits, "list"));
    } else {
        sow_text_append(&r->body, sow_i_measured(r->doc) > 0
                                      ? "<p class=\"note\">Hits cannot be counted: which of the pool are hits is not known.</p>\n"
                                      : "<p class=\"note\">No hits to count yet: no round has been measured.</p>\n");
    }
    sow_i_section_close(&r->body);
}

/* --- rounds --- */

static void round_row(sow_text *t, const json_t *row, int hits)
{
    static const char *const numbers[] = {"size", "measured", "failed"};
    double cost;
    sow_text_append(t, "<tr>");
    sow_i_cell(t, row, "round");
    sow_i_cell(t, row, "strategy");
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
        sow_i_cell_number(t, row, numbers[k]);
    if (hits) sow_i_cell_number(t, row, "hits_found");
    sow_i_cell_number(t, row, "weeks");
    sow_text_append(t, "<td class=\"n\">");
    if (sow_i_number(row, "cost", &cost))
        sow_i_html_money(t, cost);
    else
        sow_text_append(t, "–");
    sow_text_append(t, "</td></tr>\n");
}

void sow_i_report_rounds(sow_i_report *r)
{
    const json_t *rounds = sow_i_array(r->doc, "rounds");
    int hits = 0;
    for (size_t i = 0; i < json_array_size(rounds); i++)
        hits |= json_is_number(json_object_get(json_array_get(rounds, i), "hits_found"));
    sow_i_section_open(&r->body, "rounds", "Rounds");
    if (rounds) {
        sow_i_table_open(&r->body, "Each round by itself",
                         hits ? "Round|Strategy|#Planned|#Measured|#Failed|#Hits found|#Weeks|#Cost"
                              : "Round|Strategy|#Planned|#Measured|#Failed|#Weeks|#Cost",
                         NULL);
        sow_text_append(&r->body, "<tbody>\n");
        for (size_t i = 0; i < json_array_size(rounds); i++)
            round_row(&r->body, json_array_get(rounds, i), hits);
        sow_text_append(&r->body, "</tbody>");
        sow_i_table_close(&r->body);
    } else {
        sow_text_append(&r->body, "<p class=\"note\">No round has been planned yet.</p>\n");
    }
    sow_i_section_close(&r->body);
}

/* --- spend --- */

enum { ITEMS_MOST = 8 };

/* Items in the order of their first row; those beyond the last colour share it. */
static size_t find_items(const json_t *rows, const char **items)
{
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(rows) && n < ITEMS_MOST; i++) {
        const char *item = sow_i_string(json_array_get(rows, i), "item");
        size_t k = 0;
        while (item && k < n && strcmp(items[k], item) != 0)
            k++;
        if (item && k == n) items[n++] = item;
    }
    return n;
}

static void spend_chart(sow_i_report *r, const json_t *rows)
{
    const char *items[ITEMS_MOST];
    size_t n = find_items(rows, items);
    json_t *chart = sow_i_chart(r, "spend"), *data = json_array(), *series = json_array();
    double at, cost;
    for (size_t k = 0; k < n; k++)
        sow_i_push(r, series, json_string(items[k]));
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        if (!sow_i_number(row, "cost", &cost) || !sow_i_number(row, "round", &at)) continue;
        const char *item = sow_i_string(row, "item");
        sow_i_push(r, data, json_pack("[f,s,f]", at, item ? item : "", cost));
    }
    sow_i_put(r, chart, "series", series);
    sow_i_put(r, chart, "rows", data);
    sow_i_put(r, chart, "currency", json_string(sow_i_currency(r->doc)));
    const json_t *next = json_object_get(r->doc, "next");
    int planned = sow_i_array(next, "picks") && sow_i_number(next, "round", &at);
    if (planned) sow_i_put(r, chart, "planned", json_real(at));
    sow_text_append(&r->body, "<figure><ul class=\"legend\">");
    for (size_t k = 0; k < n; k++) {
        sow_text_printf(&r->body,
                        "<li><svg width=\"14\" height=\"14\" aria-hidden=\"true\"><rect width=\"14\" height=\"14\" "
                        "fill=\"var(--s%zu)\"/></svg><span>",
                        k);
        sow_i_html(&r->body, items[k]);
        sow_text_append(&r->body, "</span></li>");
    }
    sow_text_append(&r->body, "</ul>\n");
    sow_i_chart_place(r, "curve-few", "Bar chart: cost of each round, stacked by item. The table below holds the same numbers.");
    if (planned) sow_text_append(&r->body, "<figcaption>The paler bar is the planned round: not yet spent.</figcaption>");
    sow_text_append(&r->body, "</figure>\n");
}

static long long cents_of(const json_t *row)
{
    double cost;
    (void)sow_i_number(row, "cost", &cost);
    return fabs(cost) < 1e15 ? llround(100 * cost) : 0;
}

/* A line for the round, with what it comes to, above its rows. */
static void round_line(sow_text *t, const json_t *rows, size_t from)
{
    const json_t *at = json_object_get(json_array_get(rows, from), "round");
    long long cents = 0;
    for (size_t i = from; i < json_array_size(rows) && json_equal(json_object_get(json_array_get(rows, i), "round"), at); i++)
        cents += cents_of(json_array_get(rows, i));
    sow_text_append(t, "<tr class=\"sub\"><th scope=\"colgroup\" colspan=\"3\">Round ");
    sow_i_html_value(t, at);
    sow_text_append(t, "</th><td class=\"n\" colspan=\"2\">together ");
    sow_i_html_money(t, (double)cents / 100);
    sow_text_append(t, "</td></tr>\n");
}

static void bill_row(sow_text *t, const json_t *row)
{
    double price;
    const char *note = sow_i_string(row, "note");
    sow_text_append(t, "<tr>");
    if (note) {
        sow_text_append(t, "<td>");
        sow_i_html(t, sow_i_string(row, "item") ? sow_i_string(row, "item") : "");
        sow_text_append(t, "<br><small>");
        sow_i_html(t, note);
        sow_text_append(t, "</small></td>");
    } else {
        sow_i_cell(t, row, "item");
    }
    sow_i_cell_number(t, row, "quantity");
    sow_i_cell(t, row, "unit");
    sow_text_append(t, "<td class=\"n\">");
    if (sow_i_number(row, "price", &price))
        sow_i_html_price(t, price);
    else
        sow_text_append(t, "–");
    sow_text_append(t, "</td><td class=\"n\">");
    sow_i_html_money(t, (double)cents_of(row) / 100);
    sow_text_append(t, "</td></tr>\n");
}

static void bill_table(sow_i_report *r, const json_t *bill, const json_t *rows)
{
    sow_text *t = &r->body;
    long long cents = 0;
    double total;
    sow_i_table_open(t, "The bill", "Item|#Quantity|Unit|#Price|#Cost", "bill");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        int new_round = !i || !json_equal(json_object_get(row, "round"), json_object_get(json_array_get(rows, i - 1), "round"));
        if (new_round) sow_text_append(t, i ? "</tbody>\n<tbody>\n" : "<tbody>\n");
        if (new_round) round_line(t, rows, i);
        bill_row(t, row);
        cents += cents_of(row);
    }
    sow_text_append(t, "</tbody>\n<tfoot><tr><th scope=\"row\" colspan=\"4\">Total ");
    sow_i_html(t, sow_i_currency(r->doc));
    sow_text_append(t, "</th><td class=\"n\">");
    sow_i_html_money(t, (double)cents / 100);
    sow_text_append(t, "</td></tr></tfoot>");
    sow_i_table_close(t);
    if (sow_i_number(bill, "total", &total) && fabs(100 * total - (double)cents) > 0.5) {
        sow_text_append(t, "<p class=\"warn\">The rows do not add up to the recorded total of ");
        sow_i_html_money(t, total);
        sow_text_append(t, ".</p>\n");
    }
}

static void budget_sentence(sow_i_report *r, const json_t *bill)
{
    sow_text *t = &r->body;
    const json_t *budget = json_object_get(bill, "budget");
    double money, weeks, total = 0;
    if (!budget) return;
    (void)sow_i_number(bill, "total", &total);
    sow_text_append(t, "<p>The budget is");
    if (sow_i_number(budget, "money", &money)) {
        sow_text_append(t, " ");
        sow_i_html_money(t, money);
        sow_text_append(t, " ");
        sow_i_html(t, sow_i_currency(r->doc));
        sow_text_append(t, ", of which ");
        sow_i_html_money(t, money - total);
        sow_text_append(t, " are left");
    } else {
        money = 0;
    }
    if (sow_i_number(budget, "weeks", &weeks)) {
        sow_text_append(t, money > 0 ? "; " : " ");
        sow_i_html_count(t, weeks, "week", "weeks");
    }
    sow_text_append(t, ".");
    const char *why = sow_i_string(json_object_get(budget, "cut"), "why");
    if (why) {
        sow_text_printf(t, " %c", toupper((unsigned char)*why));
        sow_i_html(t, why + 1);
        sow_text_append(t, ".");
    }
    sow_text_append(t, "</p>\n");
}

void sow_i_report_spend(sow_i_report *r)
{
    const json_t *bill = json_object_get(r->doc, "bill"), *rows = sow_i_array(bill, "rows");
    double weeks;
    sow_i_section_open(&r->body, "spend", "Spend");
    if (rows) {
        sow_text_append(&r->body, "<p>What each round costs by the prices of the campaign file, a planned round included.");
        if (sow_i_number(bill, "weeks", &weeks) && weeks > 0) {
            sow_text_append(&r->body, " All of them take ");
            sow_i_html_count(&r->body, weeks, "week", "weeks");
            sow_text_append(&r->body, ".");
        }
        sow_text_append(&r->body, "</p>\n");
        budget_sentence(r, bill);
        spend_chart(r, rows);
        bill_table(r, bill, rows);
    } else {
        sow_text_append(
            &r->body,
            "<p class=\"note\">No bill: no round is planned, or the campaign file names no prices (<code>costs:</code>).</p>\n");
    }
    sow_i_section_close(&r->body);
}
