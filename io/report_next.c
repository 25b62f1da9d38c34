/* The first screen: what to do next and why, and where the campaign stands. */
#include "io/report_internal.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

enum { PICKS_SHOWN = 8 };

/* Why a strategy picks what it picks, for somebody who does not know its name. */
static const struct {
    const char *strategy, *why;
} WHY[] = {
    {"random", "Drawn at random: an unbiased start, and the yardstick for every other strategy."},
    {"kmeans", "Spread over prior space: one perturbation from each of as many groups as the batch has places, so that what is "
               "learned carries far."},
    {"core-set",
     "Each pick is the perturbation farthest, in prior space, from everything measured or already picked: no region is left dark."},
    {"max-variance", "The perturbations the model is least sure about: measuring them teaches it most."},
    {"greedy", "The perturbations with the largest predicted effect: all effort goes where the model expects hits."},
    {"ucb", "High prediction plus a bonus for uncertainty: likely hits first, with some room for surprises."},
    {"ei",
     "The largest expected improvement over the best seen so far: prediction and uncertainty weighed by what they could gain."},
    {"probability-of-hit", "The perturbations most likely to be hits, by the model's prediction and its own doubt about it."},
    {"lookahead", "High prediction, with a bonus for uncertainty that shrinks to nothing by the last round: room for surprises while it can pay."},
    {"thompson", "Best in random draws from what the model believes: likely hits often, doubtful ones sometimes."},
    {"reference", "Ranked by what the same perturbations did in a reference context."},
};

static const char *why_strategy(const char *strategy)
{
    for (size_t i = 0; strategy && i < sizeof WHY / sizeof *WHY; i++)
        if (strcmp(WHY[i].strategy, strategy) == 0) return WHY[i].why;
    return NULL;
}

static void contents(sow_i_report *r)
{
    static const struct {
        const char *id, *title, *key;
    } entries[] = {{"next", "Next", NULL},         {"curves", "Learning", NULL},      {"map", "Map", "map"},
                   {"hits", "Hits", "hits"},       {"cells", "Cells", "cells"},       {"contexts", "Contexts", NULL},
                   {"rounds", "Rounds", "rounds"}, {"spend", "Spend", "bill"},
                   {"priors", "Priors", "priors"}, {"dropped", "Dropped", NULL},      {"rules", "Rules", NULL},
                   {"heldout", "Held out", NULL},  {"provenance", "Provenance", NULL}};
    sow_text_append(&r->body, "<nav class=\"contents\" aria-label=\"Contents\">");
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        const json_t *value = entries[i].key ? json_object_get(r->doc, entries[i].key) : NULL;
        if (entries[i].key && (!value || json_is_null(value))) continue;
        if (strcmp(entries[i].id, "contexts") == 0 && !sow_i_has_contexts(r->doc)) continue;
        sow_text_printf(&r->body, "<a href=\"#%s\">%s</a> ", entries[i].id, entries[i].title);
    }
    sow_text_append(&r->body, "</nav>\n");
}

static void meta(sow_i_report *r, const char *before, const char *key, const char *after)
{
    const char *value = sow_i_string(r->doc, key);
    if (!value) return;
    sow_text_append(&r->body, before);
    sow_text_append(&r->body, "<b>");
    sow_i_html(&r->body, value);
    sow_text_append(&r->body, "</b>");
    sow_text_append(&r->body, after);
}

void sow_i_report_header(sow_i_report *r)
{
    sow_text_append(&r->body, "<header>\n<p class=\"kicker\">Perturbation campaign</p>\n<h1>");
    sow_i_html(&r->body, sow_i_string(r->doc, "name"));
    sow_text_append(&r->body, "</h1>\n<p class=\"meta\">");
    meta(r, "", "state", "");
    meta(r, " · objective ", "objective", "");
    meta(r, " · ", "readout", " readout");
    meta(r, " · context ", "context", "");
    meta(r, " · model ", "model", "");
    sow_text_append(&r->body, "</p>\n");
    contents(r);
    sow_text_append(&r->body, "</header>\n");
}

static int several_contexts(const json_t *picks)
{
    const json_t *first = json_object_get(json_array_get(picks, 0), "context");
    for (size_t i = 1; i < json_array_size(picks); i++)
        if (!json_equal(first, json_object_get(json_array_get(picks, i), "context"))) return 1;
    return 0;
}

static void pick_row(sow_text *t, const json_t *pick, int contexts)
{
    sow_text_append(t, "<tr>");
    sow_i_cell_number(t, pick, "rank");
    sow_text_append(t, "<th scope=\"row\">");
    sow_i_html_value(t, json_object_get(pick, "perturbation"));
    sow_text_append(t, "</th>");
    if (contexts) sow_i_cell(t, pick, "context");
    sow_text_append(t, "<td class=\"why\">");
    sow_i_html_value(t, json_object_get(pick, "reason"));
    sow_text_append(t, "</td>");
    sow_i_cell_number(t, pick, "score");
    sow_i_cell_number(t, pick, "planned_cells");
    double cost;
    sow_text_append(t, "<td class=\"n\">");
    if (sow_i_number(pick, "cost", &cost))
        sow_i_html_money(t, cost);
    else
        sow_text_append(t, "–");
    sow_text_append(t, "</td></tr>\n");
}

static void picks_table(sow_i_report *r, const json_t *picks, size_t from, size_t to)
{
    int contexts = several_contexts(picks);
    sow_i_table_open(&r->body, from ? "The other picks" : "The picks, most wanted first",
                     contexts ? "#Rank|Perturbation|Context|Why this one|#Score|#Cells|#Cost"
                              : "#Rank|Perturbation|Why this one|#Score|#Cells|#Cost",
                     NULL);
    sow_text_append(&r->body, "<tbody>\n");
    for (size_t i = from; i < to; i++)
        pick_row(&r->body, json_array_get(picks, i), contexts);
    sow_text_append(&r->body, "</tbody>");
    sow_i_table_close(&r->body);
}

static void picks_tables(sow_i_report *r, const json_t *picks)
{
    size_t n = json_array_size(picks), first = n <= PICKS_SHOWN + 3 ? n : PICKS_SHOWN;
    picks_table(r, picks, 0, first);
    if (first == n) return;
    sow_text_append(&r->body, "<details><summary>The other ");
    sow_i_html_number(&r->body, (double)(n - first));
    sow_text_append(&r->body, " picks</summary>\n");
    picks_table(r, picks, first, n);
    sow_text_append(&r->body, "</details>\n");
}

/* Cost of one round by the bill; 0 when it has no row of it. */
static int bill_of_round(const json_t *doc, double wanted, double *cost)
{
    const json_t *rows = sow_i_array(json_object_get(doc, "bill"), "rows");
    double at, cents = 0, x;
    int any = 0;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        if (!sow_i_number(row, "round", &at) || at != wanted || !sow_i_number(row, "cost", &x)) continue;
        cents += round(100 * x);
        any = 1;
    }
    *cost = cents / 100;
    return any;
}

static void why_paragraph(sow_i_report *r, const json_t *next, double at)
{
    const char *strategy = sow_i_string(next, "strategy"), *why = sow_i_string(next, "why");
    double cost;
    if (!why) why = why_strategy(strategy);
    sow_text_append(&r->body, "<p>");
    if (strategy) {
        sow_text_append(&r->body, "Chosen by <b>");
        sow_i_html(&r->body, strategy);
        sow_text_append(&r->body, "</b>. ");
    }
    if (why) sow_i_html(&r->body, why);
    if (bill_of_round(r->doc, at, &cost)) {
        sow_text_append(&r->body, " The round costs ");
        sow_i_html_money(&r->body, cost);
        sow_text_append(&r->body, " ");
        sow_i_html(&r->body, sow_i_currency(r->doc));
        sow_text_append(&r->body, " (<a href=\"#spend\">the bill</a>).");
    }
    sow_text_append(&r->body, "</p>\n");
}

/* A command names paths, which are not the same in every run of a campaign. */
static void command(sow_i_report *r, const char *before, const char *text)
{
    if (!text) return;
    sow_text_printf(&r->body, "<p>%s</p>\n<!-- varies -->\n<pre class=\"command\"><code>", before);
    sow_i_html(&r->body, text);
    sow_text_append(&r->body, "</code></pre>\n<!-- /varies -->\n");
}

static void planned_round(sow_i_report *r, const json_t *next, const json_t *picks)
{
    double at;
    (void)sow_i_number(next, "round", &at);
    const char *state = sow_i_string(r->doc, "state");
    const char *context = several_contexts(picks) ? NULL : sow_i_string(json_array_get(picks, 0), "context");
    sow_text_append(&r->body, "<p class=\"do\">Measure round ");
    sow_i_html_number(&r->body, at);
    sow_text_append(&r->body, ": ");
    sow_i_html_count(&r->body, (double)json_array_size(picks), "perturbation", "perturbations");
    if (context) {
        sow_text_append(&r->body, " in ");
        sow_i_html(&r->body, context);
    }
    sow_text_append(&r->body, ".</p>\n");
    why_paragraph(r, next, at);
    int people = state && strncmp(state, "waiting", 7) == 0;
    command(r, people ? "When the results are in, tell sower:" : "To go on:", sow_i_string(next, "command"));
    command(r, "The round after it need not wait for them:", sow_i_string(next, "plan"));
    picks_tables(r, picks);
}

static void ended_by_budget(sow_i_report *r, const char *why)
{
    sow_text_append(&r->body, "<p class=\"do\">Nothing: the budget ends the campaign here. ");
    sow_text_printf(&r->body, "%c", toupper((unsigned char)*why));
    sow_i_html(&r->body, why + 1);
    sow_text_append(&r->body, ". To go on, raise <code>budget:</code> in the campaign file and plan again.</p>\n");
}

void sow_i_report_next(sow_i_report *r)
{
    const json_t *next = json_object_get(r->doc, "next"), *picks = sow_i_array(next, "picks");
    const char *state = sow_i_string(r->doc, "state"), *ended = sow_i_string(r->doc, "ended");
    sow_text_append(
        &r->body,
        "<section id=\"next\" class=\"next\" aria-labelledby=\"next-title\">\n<h2 id=\"next-title\">What to do next</h2>\n");
    if (picks) {
        planned_round(r, next, picks);
    } else if (ended && *ended) {
        ended_by_budget(r, ended);
    } else if (state && strncmp(state, "finished", 8) == 0) {
        sow_text_append(
            &r->body,
            "<p class=\"do\">Nothing: every planned round has been measured. To go on, add a batch to <code>rounds:</code> in the "
            "campaign file and plan again.</p>\n");
        command(r, "Then:", sow_i_string(next, "command"));
    } else {
        sow_text_append(&r->body, "<p class=\"do\">Plan the next round: none is planned yet.</p>\n");
        const char *text = sow_i_string(next, "command");
        command(r, "Run:", text ? text : "sower plan");
    }
    sow_i_section_close(&r->body);
}

/* --- where the campaign stands --- */

static void hits_sentence(sow_i_report *r, const json_t *hits, const json_t *last)
{
    sow_text *t = &r->body;
    double found, chance, measured, total, pool;
    (void)sow_i_number(last, "found", &found);
    (void)sow_i_number(last, "measured", &measured);
    (void)sow_i_number(hits, "total", &total);
    (void)sow_i_number(hits, "pool_size", &pool);
    sow_i_html_number(t, found);
    if (total > 0) {
        sow_text_append(t, " of ");
        sow_i_html_number(t, total);
    }
    sow_text_append(t, found == 1 && total <= 0 ? " hit found" : " hits found");
    if (total > 0) {
        sow_text_append(t, " (");
        sow_i_html_percent(t, found / total);
        sow_text_append(t, ")");
    }
    sow_text_append(t, " by measuring ");
    sow_i_html_number(t, measured);
    if (pool > 0) {
        sow_text_append(t, " of ");
        sow_i_html_number(t, pool);
    }
    sow_text_append(t, " candidates");
    if (sow_i_number(last, "chance", &chance) && total > 0) {
        sow_text_append(t, "; picking at random would have found about ");
        sow_i_html_about(t, chance * total);
    }
    sow_text_append(t, ".");
}

static void value_with_interval(sow_text *t, const json_t *row)
{
    double value, low, high;
    (void)sow_i_number(row, "value", &value);
    sow_i_html_metric(t, value);
    if (sow_i_number(row, "low", &low) && sow_i_number(row, "high", &high)) {
        sow_text_append(t, " (");
        sow_i_html_metric(t, low);
        sow_text_append(t, " to ");
        sow_i_html_metric(t, high);
        sow_text_append(t, ")");
    }
}

static void baseline_clause(sow_text *t, const json_t *own, const json_t *baseline)
{
    double a, b;
    int better = sow_i_metric(sow_i_string(own, "metric"))->better;
    (void)sow_i_number(own, "value", &a);
    (void)sow_i_number(baseline, "value", &b);
    sow_text_append(t, better * a > better * b ? "; the best baseline, " : "; that is no better than the best baseline, ");
    sow_i_html(t, sow_i_string(baseline, "model"));
    sow_text_append(t, better * a > better * b ? ", reaches " : ", which reaches ");
    value_with_interval(t, baseline);
}

static void metric_sentence(sow_i_report *r, const json_t *own, const json_t *baseline)
{
    sow_text *t = &r->body;
    double measured;
    const sow_i_metric_words *words = sow_i_metric(sow_i_string(own, "metric"));
    sow_text_append(t, "On held-out perturbations the ");
    sow_i_html(t, sow_i_string(own, "model"));
    int name = strncmp(words->label, "Spearman", 8) == 0 || strncmp(words->label, "Pearson", 7) == 0;
    sow_text_printf(t, " model reaches a %c%s%s of ", name ? words->label[0] : (char)tolower((unsigned char)words->label[0]), words->label + 1,
                    strncmp(words->key, "mmd", 3) == 0 ? " (lower is better)" : "");
    value_with_interval(t, own);
    if (sow_i_number(own, "measured", &measured)) {
        sow_text_append(t, " after ");
        sow_i_html_count(t, measured, "measured perturbation", "measured perturbations");
    }
    if (baseline) baseline_clause(t, own, baseline);
    sow_text_append(t, ".");
}

/* Where another baseline is better than predicting no change, that is said too. */
static void control_sentence(sow_i_report *r, const json_t *own, const json_t *baseline)
{
    const json_t *row, *control;
    const char *best = sow_i_string(baseline, "model");
    if (!sow_i_against_control(r->doc, sow_i_string(own, "metric"), &row, &control) || !control || (best && strcmp(best, SOW_I_BEAT) == 0)) return;
    sow_text_append(&r->body, "Predicting no change at all (control), the line to beat, reaches ");
    value_with_interval(&r->body, control);
    sow_text_append(&r->body, ". ");
}

/* Cells are judged in two ways: whether predicted cells lie nearer to the measured ones than unchanged controls do, and whether the change has the right
 * shape. The first is the sentence of the leading metric. */
static void shape_sentence(sow_i_report *r)
{
    sow_text *t = &r->body;
    const json_t *own, *control;
    if (!sow_i_against_control(r->doc, "pearson_delta_de", &own, &control)) return;
    sow_text_append(t, "The shape of the changes it predicts agrees with the measured ones at a Pearson correlation of ");
    value_with_interval(t, own);
    sow_text_append(t, " over the genes that change most clearly.");
}

static void cells_sentences(sow_i_report *r, const json_t *own, const json_t *baseline)
{
    if (!sow_i_is_cells(r->doc)) return;
    sow_text_append(&r->body, "<p>");
    control_sentence(r, own, baseline);
    shape_sentence(r);
    sow_text_append(&r->body, "</p>\n");
}

static void tile_open(sow_text *t, const char *label)
{
    sow_text_printf(t, "<div><dt>%s</dt><dd>", label);
}

static void tile_of(sow_text *t, double n, double total, const char *label)
{
    tile_open(t, label);
    sow_i_html_number(t, n);
    if (total > 0) {
        sow_text_append(t, " <small>of ");
        sow_i_html_number(t, total);
        sow_text_append(t, "</small>");
    }
    sow_text_append(t, "</dd></div>\n");
}

static void money_tiles(sow_i_report *r)
{
    const json_t *bill = json_object_get(r->doc, "bill"), *next = json_object_get(r->doc, "next");
    double total, weeks, at, planned = 0;
    if (!sow_i_number(bill, "total", &total)) return;
    int waiting = sow_i_array(next, "picks") && sow_i_number(next, "round", &at) && bill_of_round(r->doc, at, &planned);
    sow_text_append(&r->body, "<div><dt>");
    sow_i_html(&r->body, sow_i_currency(r->doc));
    sow_text_append(&r->body, " spent");
    if (waiting) {
        sow_text_append(&r->body, ", and ");
        sow_i_html_number(&r->body, round(planned));
        sow_text_append(&r->body, " for the planned round");
    }
    sow_text_append(&r->body, "</dt><dd>");
    sow_i_html_number(&r->body, round(total - planned));
    sow_text_append(&r->body, "</dd></div>\n");
    if (sow_i_number(bill, "weeks", &weeks))
        tile_of(&r->body, weeks, 0, weeks == 1 ? "week, all rounds of the bill" : "weeks, all rounds of the bill");
}

static void tiles(sow_i_report *r, const json_t *hits, const json_t *last, const json_t *own)
{
    double found, total, held_out, value;
    sow_text_append(&r->body, "<dl class=\"tiles\">\n");
    tile_of(&r->body, sow_i_measured(r->doc), sow_i_pool_size(r->doc), "candidates measured");
    if (sow_i_cells_measured(r->doc) > 0) tile_of(&r->body, sow_i_cells_measured(r->doc), 0, "cells measured, controls aside");
    if (last) {
        (void)sow_i_number(last, "found", &found);
        (void)sow_i_number(hits, "total", &total);
        tile_of(&r->body, found, total, "hits found");
    }
    if (own) {
        (void)sow_i_number(own, "value", &value);
        tile_of(&r->body, value, 0, sow_i_metric(sow_i_string(own, "metric"))->label);
    }
    money_tiles(r);
    if (sow_i_number(json_object_get(r->doc, "held_out"), "count", &held_out))
        tile_of(&r->body, held_out, 0, "held out to judge the model");
    sow_text_append(&r->body, "</dl>\n");
}

void sow_i_report_headline(sow_i_report *r)
{
    const json_t *hits = json_object_get(r->doc, "hits"), *found = sow_i_array(hits, "found"), *own, *baseline;
    const json_t *last = found ? json_array_get(found, json_array_size(found) - 1) : NULL;
    int metric = sow_i_leading_metric(r->doc, &own, &baseline);
    sow_i_section_open(&r->body, "headline", "Where the campaign stands");
    if (last) {
        sow_text_append(&r->body, "<p class=\"lede\">");
        hits_sentence(r, hits, last);
        sow_text_append(&r->body, "</p>\n");
    }
    if (metric) {
        sow_text_printf(&r->body, "<p%s>", last ? "" : " class=\"lede\"");
        metric_sentence(r, own, baseline);
        sow_text_append(&r->body, "</p>\n");
        cells_sentences(r, own, baseline);
    }
    if (!last && !metric)
        sow_text_append(&r->body, sow_i_measured(r->doc) > 0
                                      ? "<p class=\"lede\">Results are in; nothing was held out to judge the model by.</p>\n"
                                      : "<p class=\"lede\">Nothing has been measured yet.</p>\n");
    sow_i_report_cells_notes(r);
    tiles(r, hits, last, own);
    sow_i_section_close(&r->body);
}
