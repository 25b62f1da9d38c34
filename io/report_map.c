/* Where the picks lie in prior space. */
#include "io/report_internal.h"

#include <string.h>

enum { FREE_DRAWN = 4000 }; /* more free candidates than this are thinned, so that the page stays quick */

enum { FREE, MEASURED, HIT, PLANNED, HELD_OUT, EXCLUDED, N_KINDS };

/* Fill and outline come from page.css; the marks are those of page.js, drawn for the legend. */
static const struct {
    const char *label, *colour, *mark;
    int hollow;
} KINDS[N_KINDS] = {
    {"free", "free", "<circle cx=\"8\" cy=\"8\" r=\"3\"/>", 0},
    {"measured", "measured", "<circle cx=\"8\" cy=\"8\" r=\"5\"/>", 0},
    {"measured, a hit", "hit", "<path d=\"M8 1.5L14.5 8 8 14.5 1.5 8z\"/>", 0},
    {"planned", "planned", "<path d=\"M8 2l6.5 11.5h-13z\"/>", 0},
    {"held out", "heldout", "<path d=\"M3.5 3.5h9v9h-9z\"/>", 1},
    {"excluded", "excluded", "<path d=\"M3.5 3.5l9 9m0-9l-9 9\"/>", 1},
};

static int kind_of(const json_t *point)
{
    const char *status = sow_i_string(point, "status");
    if (!status || strcmp(status, "free") == 0) return FREE;
    if (strcmp(status, "measured") == 0) return json_is_true(json_object_get(point, "hit")) ? HIT : MEASURED;
    if (strcmp(status, "planned") == 0) return PLANNED;
    if (strcmp(status, "held out") == 0) return HELD_OUT;
    return EXCLUDED;
}

static json_t *plain(const json_t *point, const char *key)
{
    const json_t *value = json_object_get(point, key);
    if (json_is_integer(value)) return json_integer(json_integer_value(value));
    if (json_is_real(value)) return json_real(json_real_value(value));
    return json_is_string(value) ? json_string(json_string_value(value)) : json_null();
}

/* [x, y, name, kind, round, score, value, reason], without the nulls at its end. */
static json_t *point_row(sow_i_report *r, const json_t *point, int kind)
{
    static const char *const keys[] = {"round", "score", "value", "reason"};
    json_t *row = json_array();
    sow_i_push(r, row, plain(point, "x"));
    sow_i_push(r, row, plain(point, "y"));
    sow_i_push(r, row, plain(point, "perturbation"));
    sow_i_push(r, row, json_integer(kind));
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
        sow_i_push(r, row, plain(point, keys[k]));
    while (json_array_size(row) > 4 && json_is_null(json_array_get(row, json_array_size(row) - 1)))
        json_array_remove(row, json_array_size(row) - 1);
    return row;
}

static int is_placed(const json_t *point)
{
    double x, y;
    return sow_i_number(point, "x", &x) && sow_i_number(point, "y", &y);
}

static void count_kinds(const json_t *points, size_t count[N_KINDS])
{
    memset(count, 0, N_KINDS * sizeof *count);
    for (size_t i = 0; i < json_array_size(points); i++)
        if (is_placed(json_array_get(points, i))) count[kind_of(json_array_get(points, i))]++;
}

/* Free candidates are thinned evenly by their place in the list; everything that happened is drawn. */
static void map_data(sow_i_report *r, const json_t *map, const json_t *points, size_t n_free)
{
    json_t *chart = sow_i_chart(r, "map"), *rows = json_array();
    size_t free_seen = 0;
    for (size_t i = 0; i < json_array_size(points); i++) {
        const json_t *point = json_array_get(points, i);
        int kind = kind_of(point);
        if (!is_placed(point)) continue;
        if (kind == FREE && n_free > FREE_DRAWN) {
            size_t k = free_seen++;
            if (k * FREE_DRAWN / n_free == (k + 1) * FREE_DRAWN / n_free) continue;
        }
        sow_i_push(r, rows, point_row(r, point, kind));
    }
    sow_i_put(r, chart, "x", plain(map, "x_label"));
    sow_i_put(r, chart, "y", plain(map, "y_label"));
    sow_i_put(r, chart, "rows", rows);
}

static void legend(sow_text *t, const size_t count[N_KINDS])
{
    sow_text_append(t, "<ul class=\"legend\">");
    for (int k = 0; k < N_KINDS; k++) {
        if (!count[k]) continue;
        sow_text_printf(t,
                        "<li><svg width=\"16\" height=\"16\" aria-hidden=\"true\" "
                        "style=\"fill:%s%s%s;stroke:var(--%s);stroke-width:1.6\">%s</svg><span>%s (",
                        KINDS[k].hollow ? "none" : "var(--", KINDS[k].hollow ? "" : KINDS[k].colour, KINDS[k].hollow ? "" : ")",
                        k == HIT ? "outline" : KINDS[k].colour, KINDS[k].mark, KINDS[k].label);
        sow_i_html_number(t, (double)count[k]);
        sow_text_append(t, ")</span></li>");
    }
    sow_text_append(t, "</ul>\n");
}

static void map_figure(sow_i_report *r, const json_t *map, const json_t *points)
{
    size_t count[N_KINDS];
    sow_text label = {0};
    count_kinds(points, count);
    map_data(r, map, points, count[FREE]);
    sow_text_append(&label, "Scatter chart of the candidates in prior space:");
    for (int k = 0; k < N_KINDS; k++)
        if (count[k]) sow_text_printf(&label, " %zu %s.", count[k], KINDS[k].label);
    if (label.failed) r->failed = 1;
    sow_text_append(
        &r->body,
        "<p>Each mark is a perturbation; those close together look alike to the priors. Point at one to see its name, score and "
        "the reason it was picked.</p>\n<figure>\n");
    legend(&r->body, count);
    sow_text_append(
        &r->body,
        "<p class=\"find\"><label for=\"find\">Find a perturbation</label> <input id=\"find\" type=\"search\" autocomplete=\"off\" "
        "spellcheck=\"false\"> <output for=\"find\" id=\"found\"></output></p>\n");
    sow_i_chart_place(r, "map", label.text ? label.text : "");
    sow_text_append(&r->body, "<figcaption>");
    if (count[FREE] > FREE_DRAWN) {
        sow_text_append(&r->body, "Of ");
        sow_i_html_number(&r->body, (double)count[FREE]);
        sow_text_append(&r->body, " free candidates ");
        sow_i_html_number(&r->body, FREE_DRAWN);
        sow_text_append(&r->body,
                        " are drawn, evenly by their place in the list, to keep the page quick; everything else is drawn. ");
    }
    size_t placed = 0, n = json_array_size(points);
    for (int k = 0; k < N_KINDS; k++)
        placed += count[k];
    if (placed < n) {
        sow_i_html_count(&r->body, (double)(n - placed), "perturbation has", "perturbations have");
        sow_text_append(&r->body, " no place here, for want of a prior. ");
    }
    sow_text_append(&r->body, "Distances in a plane are only a shadow of those the model uses.</figcaption>\n</figure>\n");
    sow_text_clear(&label);
}

void sow_i_report_map(sow_i_report *r)
{
    const json_t *map = json_object_get(r->doc, "map"), *points = sow_i_array(map, "points");
    sow_i_section_open(&r->body, "map", "Where the picks lie");
    if (points)
        map_figure(r, map, points);
    else
        sow_text_append(&r->body, "<p class=\"note\">No map: it needs a prior with at least two dimensions.</p>\n");
    sow_i_section_close(&r->body);
}
