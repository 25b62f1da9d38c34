/* The report: reads the document, writes the sections in order, and sets them into the page of io/report/page.html. */
#include "io/report_internal.h"

#include <stdlib.h>
#include <string.h>

/* What each key may be, so that a wrong document is refused by name and not shown as an empty page. null counts as absent. */
static const struct {
    const char *key;
    json_type type;
    const char *what;
} KEYS[] = {
    {"name", JSON_STRING, "a string"},      {"generated_by", JSON_STRING, "a string"}, {"readout", JSON_STRING, "a string"},
    {"objective", JSON_STRING, "a string"}, {"context", JSON_STRING, "a string"},      {"state", JSON_STRING, "a string"},
    {"model", JSON_STRING, "a string"},     {"next", JSON_OBJECT, "an object"},        {"rounds", JSON_ARRAY, "a list"},
    {"metrics", JSON_ARRAY, "a list"},      {"map", JSON_OBJECT, "an object"},         {"hits", JSON_OBJECT, "an object"},
    {"bill", JSON_OBJECT, "an object"},     {"priors", JSON_ARRAY, "a list"},          {"dropped", JSON_ARRAY, "a list"},
    {"constraints", JSON_ARRAY, "a list"},  {"learned", JSON_ARRAY, "a list"},         {"held_out", JSON_OBJECT, "an object"},
    {"training", JSON_OBJECT, "an object"}, {"ended", JSON_STRING, "a string"},
    {"provenance", JSON_ARRAY, "a list"},   {"cells", JSON_OBJECT, "an object"},
};

static sow_status check_document(const json_t *doc, sow_error *err)
{
    if (!json_is_object(doc)) return SOW_ERROR(err, SOW_E_DATA, "report: the document is not a JSON object");
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++) {
        const json_t *value = json_object_get(doc, KEYS[i].key);
        if (value && !json_is_null(value) && json_typeof(value) != KEYS[i].type)
            return SOW_ERROR(err, SOW_E_DATA, "report: '%s' must be %s", KEYS[i].key, KEYS[i].what);
    }
    if (!sow_i_string(doc, "name")) return SOW_ERROR(err, SOW_E_DATA, "report: the document lacks 'name'");
    return SOW_OK;
}

static void write_body(sow_i_report *r)
{
    sow_i_report_header(r);
    sow_text_append(&r->body, "<main>\n");
    sow_i_report_next(r);
    sow_i_report_headline(r);
    sow_i_report_curves(r);
    sow_i_report_map(r);
    sow_i_report_hits(r);
    sow_i_report_cells(r);
    sow_i_report_contexts(r);
    sow_i_report_rounds(r);
    sow_i_report_spend(r);
    sow_i_report_learned(r);
    sow_i_report_priors(r);
    sow_i_report_dropped(r);
    sow_i_report_constraints(r);
    sow_i_report_held_out(r);
    sow_i_report_provenance(r);
    sow_i_report_foot(r);
}

void sow_i_report_foot(sow_i_report *r)
{
    sow_text_append(&r->body, "</main>\n<footer>This page is complete in itself: it loads nothing and sends nothing.");
    if (json_array_size(r->charts))
        sow_text_append(&r->body, " Charts can be saved as SVG or PNG from the menu at their upper right corner.");
    sow_text_append(&r->body, "</footer>");
}

/* JSON inside <script>: '<' never appears there as itself, so neither </script> nor <!-- can. */
static void append_json(sow_text *t, const char *json)
{
    for (const char *p = json, *end; *p; p = end) {
        end = p + strcspn(p, "<");
        sow_text_printf(t, "%.*s", (int)(end - p), p);
        if (*end == '<') {
            sow_text_append(t, "\\u003c");
            end++;
        }
    }
}

/* The document for scripts to read: without the map's points, which the charts' data hold, and without what varies from run to run.
 */
static char *document_text(const json_t *doc)
{
    json_t *copy = json_deep_copy(doc), *facts = json_object_get(copy, "provenance");
    json_object_del(json_object_get(copy, "map"), "points");
    json_object_del(json_object_get(copy, "next"), "command");
    json_object_del(json_object_get(copy, "next"), "plan");
    for (size_t i = json_array_size(facts); i-- > 0;)
        if (json_is_true(json_object_get(json_array_get(facts, i), "varies"))) json_array_remove(facts, i);
    char *text = copy ? json_dumps(copy, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    json_decref(copy);
    return text;
}

typedef struct {
    char *charts, *document;
} json_texts;

static void append_asset(sow_text *t, const unsigned char *asset)
{
    sow_text_append(t, (const char *)asset);
}

/* What stands for {{slot}} in page.html. */
static void fill_slot(sow_text *t, const char *slot, const sow_i_report *r, const json_texts *texts)
{
    if (strcmp(slot, "title") == 0) {
        sow_i_html(t, sow_i_string(r->doc, "name"));
        sow_text_printf(t, " · sower %s", r->kind);
    }
    if (strcmp(slot, "skip") == 0) sow_text_append(t, r->skip);
    if (strcmp(slot, "css") == 0) append_asset(t, sow_i_report_css);
    if (strcmp(slot, "body") == 0 && r->body.text) sow_text_append(t, r->body.text);
    if (strcmp(slot, "data") == 0) append_json(t, texts->charts);
    if (strcmp(slot, "document") == 0) append_json(t, texts->document);
    if (strcmp(slot, "vega") == 0) append_asset(t, sow_i_report_vega);
    if (strcmp(slot, "vega_lite") == 0) append_asset(t, sow_i_report_vega_lite);
    if (strcmp(slot, "vega_embed") == 0) append_asset(t, sow_i_report_vega_embed);
    if (strcmp(slot, "page") == 0) append_asset(t, sow_i_report_page);
    if (strcmp(slot, "licences") == 0) {
        append_asset(t, sow_i_report_licence_vega);
        append_asset(t, sow_i_report_licence_lite);
        append_asset(t, sow_i_report_licence_embed);
    }
}

/* One pass over the template: what is filled in is never searched for slots. */
static void fill_page(sow_text *t, const sow_i_report *r, const json_texts *texts)
{
    const char *p = (const char *)sow_i_report_html;
    for (const char *open = strstr(p, "{{"); open; open = strstr(p, "{{")) {
        const char *close = strstr(open, "}}");
        if (!close) break;
        char slot[32] = "";
        size_t n = (size_t)(close - open) - 2;
        if (n < sizeof slot) memcpy(slot, open + 2, n);
        sow_text_printf(t, "%.*s", (int)(open - p), p);
        fill_slot(t, slot, r, texts);
        p = close + 2;
    }
    sow_text_append(t, p);
}

sow_status sow_i_report_save(const sow_i_report *r, const char *path, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_text page = {0};
    json_texts texts = {0};
    texts.charts = r->charts ? json_dumps(r->charts, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
    texts.document = document_text(r->doc);
    if (r->failed || r->body.failed || !texts.charts || !texts.document)
        SOW_FAIL(err, SOW_E_NOMEM, "out of memory composing '%s'", path);
    fill_page(&page, r, &texts);
    SOW_TRY(sow_text_save(&page, path, err));
done:
    free(texts.charts);
    free(texts.document);
    sow_text_clear(&page);
    return st;
}

sow_status sow_i_page_write(const char *path, const char *json, const sow_i_page *page, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_report r = {.charts = json_array(), .kind = page->kind, .skip = page->skip};
    json_error_t where;
    json_t *doc = json_loads(json, JSON_REJECT_DUPLICATES, &where);
    if (!doc && json_error_code(&where) == json_error_out_of_memory) SOW_FAIL(err, SOW_E_NOMEM, "out of memory reading the document of the page (%s)", page->what);
    if (!doc) SOW_FAIL(err, SOW_E_DATA, "%s: not JSON at line %d, column %d: %s", page->what, where.line, where.column, where.text);
    if (!json_is_object(doc) || !sow_i_string(doc, "name") || !sow_i_array(doc, page->array))
        SOW_FAIL(err, SOW_E_DATA, "%s: the document must be a JSON object with `name` and `%s`", page->what, page->array);
    r.doc = doc;
    page->body(&r);
    if (page->after) page->after(doc);
    SOW_TRY(sow_i_report_save(&r, path, err));
done:
    sow_text_clear(&r.body);
    json_decref(r.charts);
    json_decref(doc);
    return st;
}

sow_status sow_report_write(const char *path, const char *json, sow_error *err)
{
    sow_status st = SOW_OK;
    sow_i_report r = {.charts = json_array(), .kind = "report", .skip = "#next\">Skip to what to do next"};
    json_error_t where;
    json_t *doc = json_loads(json, JSON_REJECT_DUPLICATES, &where);
    if (!doc && json_error_code(&where) == json_error_out_of_memory)
        SOW_FAIL(err, SOW_E_NOMEM, "out of memory reading the report's document");
    if (!doc) SOW_FAIL(err, SOW_E_DATA, "report: not JSON at line %d, column %d: %s", where.line, where.column, where.text);
    SOW_TRY(check_document(doc, err));
    r.doc = doc;
    write_body(&r);
    SOW_TRY(sow_i_report_save(&r, path, err));
done:
    sow_text_clear(&r.body);
    json_decref(r.charts);
    json_decref(doc);
    return st;
}
