/* The page of the whole map: what is in it, the picture by class and by cluster, magnitude against specificity, and tables. */
#include "io/report_internal.h"

#include <string.h>

enum { DRAWN = 20000, COLOURED = 8 /* clusters with a colour of their own */ };

/* By the class's number in `words`; page.js has the same. */
static const char *const CLASS_COLOURS[] = {"s0", "s1", "free", "hit", "s0", "free"};
enum { N_CLASSES = sizeof CLASS_COLOURS / sizeof CLASS_COLOURS[0] };

static double number_of(const json_t *object, const char *key)
{
    double x;
    (void)sow_i_number(object, key, &x);
    return x;
}

static double sum_of(const json_t *rows, const char *key)
{
    double sum = 0;
    for (size_t i = 0; i < json_array_size(rows); i++) sum += number_of(json_array_get(rows, i), key);
    return sum;
}

static const json_t *points_of(const sow_i_report *r)
{
    return sow_i_array(json_object_get(r->doc, "map"), "points");
}

/* ---- words ---- */

static void header(sow_i_report *r)
{
    sow_text_append(&r->body, "<header>\n<p class=\"kicker\">The whole map</p>\n<h1>");
    sow_i_html(&r->body, sow_i_string(r->doc, "name"));
    sow_text_append(&r->body, "</h1>\n<p class=\"meta\">");
    sow_i_html(&r->body, sow_i_string(r->doc, "readout"));
    sow_text_append(&r->body, " readout, model <b>");
    sow_i_html(&r->body, sow_i_string(r->doc, "model"));
    sow_text_append(&r->body, "</b></p>\n</header>\n");
}

static void who_is_missing(sow_i_report *r)
{
    sow_text *t = &r->body;
    const json_t *left = json_object_get(r->doc, "left_out");
    const double unknown = number_of(r->doc, "unknown"), alike = number_of(r->doc, "alike");
    if (sow_i_string(left, "context")) {
        sow_text_append(t, "<p class=\"warn\">Context <b>");
        sow_i_html(t, sow_i_string(left, "context"));
        sow_text_append(t, "</b> is not in the map: ");
        sow_i_html(t, sow_i_string(left, "why"));
        sow_text_append(t, ".</p>\n");
    }
    if (unknown > 0) {
        sow_text_append(t, "<p>");
        sow_i_html_count(t, unknown, "perturbation is", "perturbations are");
        sow_text_append(t, " not in the map: the model can say nothing without a measurement in some context or a prior.</p>\n");
    }
    if (alike > 0) {
        sow_text_append(t, "<p class=\"warn\">");
        sow_i_html_count(t, alike, "perturbation is", "perturbations are");
        sow_text_append(t, " measured in no context and predicted <b>all the same</b> in each: the model knows nothing that sets them apart. They are in the file, but have no class, cluster or place here, and medians "
                           "are without them.</p>\n");
    }
}

static void summary(sow_i_report *r)
{
    sow_text *t = &r->body;
    const json_t *contexts = sow_i_array(r->doc, "contexts");
    const double observed = sum_of(contexts, "observed"), all = observed + sum_of(contexts, "predicted");
    sow_i_section_open(t, "done", "What is in it");
    sow_text_append(t, "<p class=\"lede\">");
    sow_i_html_count(t, number_of(r->doc, "perturbations"), "perturbation", "perturbations");
    sow_text_append(t, " in ");
    sow_i_html_count(t, (double)json_array_size(contexts), "context", "contexts");
    sow_text_append(t, ": ");
    sow_i_html_number(t, observed);
    sow_text_append(t, " responses were observed (");
    sow_i_html_percent(t, all > 0 ? observed / all : 0);
    sow_text_append(t, "), ");
    sow_i_html_number(t, all - observed);
    sow_text_append(t, " are predicted.</p>\n<p>Every context was the target in turn: the model was adapted to what is measured there, knowing all that is measured in the others, and predicted the rest. What follows is about "
                       "observed and predicted responses together. <b>A prediction is nearer to no change, and nearer to the other contexts, than a measurement would be:</b> among perturbations measured in few contexts, magnitude "
                       "and specificity are lower bounds rather than estimates.</p>\n");
    who_is_missing(r);
    sow_i_section_close(t);
}

/* ---- charts ---- */

static void swatch(sow_text *t, const char *colour, const char *label, double count)
{
    sow_text_printf(t, "<li><svg width=\"16\" height=\"16\" aria-hidden=\"true\" style=\"fill:var(--%s)\"><circle cx=\"8\" cy=\"8\" r=\"5\"/></svg><span>", colour);
    sow_i_html(t, label);
    sow_text_append(t, " (");
    sow_i_html_number(t, count);
    sow_text_append(t, ")</span></li>");
}

static void class_legend(sow_i_report *r)
{
    const json_t *rows = sow_i_array(r->doc, "classes"), *words = sow_i_array(r->doc, "words");
    sow_text_append(&r->body, "<ul class=\"legend\">");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const char *word = sow_i_string(row, "class");
        for (size_t k = 0; word && k < json_array_size(words) && k < N_CLASSES; k++) {
            const char *other = json_string_value(json_array_get(words, k));
            if (other && strcmp(other, word) == 0) swatch(&r->body, CLASS_COLOURS[k], word, number_of(row, "count"));
        }
    }
    sow_text_append(&r->body, "</ul>\n");
}

static void cluster_legend(sow_i_report *r, const json_t *clusters)
{
    double others = 0;
    sow_text_append(&r->body, "<ul class=\"legend\">");
    for (size_t i = 0; i < json_array_size(clusters); i++) {
        const json_t *row = json_array_get(clusters, i);
        char colour[8], label[32];
        if (i >= COLOURED) {
            others += number_of(row, "count");
            continue;
        }
        snprintf(colour, sizeof colour, "c%zu", i);
        snprintf(label, sizeof label, "cluster %.0f", number_of(row, "cluster"));
        swatch(&r->body, colour, label, number_of(row, "count"));
    }
    if (others > 0) swatch(&r->body, "free", "smaller ones", others);
    sow_text_append(&r->body, "</ul>\n");
}

/* The points are with the first chart, and the others read them there. */
static json_t *drawn_points(sow_i_report *r, const json_t *points)
{
    json_t *rows = json_array();
    const size_t n = json_array_size(points);
    for (size_t i = 0; i < n; i++)
        if (n <= DRAWN || i * DRAWN / n != (i + 1) * DRAWN / n) sow_i_push(r, rows, json_incref(json_array_get(points, i)));
    return rows;
}

static void cloud(sow_i_report *r, const char *of, const char *colour, json_t *rows, const char *label)
{
    json_t *chart = sow_i_chart(r, "cloud");
    sow_i_put(r, chart, "of", json_string(of));
    sow_i_put(r, chart, "colour", json_string(colour));
    if (rows) sow_i_put(r, chart, "rows", rows);
    if (strcmp(of, "shape") == 0) {
        sow_i_put(r, chart, "magnitude", json_real(number_of(r->doc, "magnitude")));
        sow_i_put(r, chart, "specificity", json_real(number_of(r->doc, "specificity")));
    }
    sow_i_chart_place(r, strcmp(of, "shape") == 0 ? "shape" : "map", label);
}

static int has_places(const json_t *points)
{
    for (size_t i = 0; i < json_array_size(points); i++)
        if (json_is_number(json_array_get(json_array_get(points, i), 0))) return 1;
    return 0;
}

static void caption(sow_i_report *r, const json_t *points)
{
    sow_text *t = &r->body;
    sow_text_append(t, "<figcaption>");
    if (json_array_size(points) > DRAWN) {
        sow_text_append(t, "Of ");
        sow_i_html_number(t, (double)json_array_size(points));
        sow_text_append(t, " perturbations ");
        sow_i_html_number(t, DRAWN);
        sow_text_append(t, " are drawn, evenly by their place in the list. ");
    }
    sow_text_append(t, "Perturbations that lie together have similar mean profiles over contexts, z-scored in each context and without what all share most (the first principal component");
    if (number_of(r->doc, "first_share") > 0) {
        sow_text_append(t, ", ");
        sow_i_html_percent(t, number_of(r->doc, "first_share"));
        sow_text_append(t, " of the variance");
    }
    sow_text_append(t, "). Neighbours mean something; distances between groups, their sizes and the axes do not.</figcaption>\n");
}

static void picture(sow_i_report *r)
{
    sow_text *t = &r->body;
    const json_t *points = points_of(r), *clusters = sow_i_array(r->doc, "clusters");
    sow_i_section_open(t, "picture", "Who resembles whom");
    if (!has_places(points)) {
        sow_text_append(t, "<p class=\"note\">No picture: too few perturbations are told apart.</p>\n");
        sow_i_section_close(t);
        return;
    }
    sow_text_append(t, "<p>Each mark is a perturbation; point at one to see it.</p>\n<p class=\"find\"><label for=\"find\">Find a perturbation</label> <input id=\"find\" type=\"search\" autocomplete=\"off\" "
                       "spellcheck=\"false\"> <output for=\"find\" id=\"found\"></output></p>\n<figure>\n<h3>By class</h3>\n");
    class_legend(r);
    cloud(r, "places", "class", drawn_points(r, points), "Scatter chart of the perturbations by likeness, coloured by class; the numbers are in the tables below.");
    caption(r, points);
    sow_text_append(t, "</figure>\n");
    if (clusters) {
        sow_text_append(t, "<figure class=\"below\">\n<h3>By cluster</h3>\n");
        cluster_legend(r, clusters);
        cloud(r, "places", "cluster", NULL, "The same chart, coloured by cluster.");
        sow_text_append(t, "</figure>\n");
    }
    sow_i_section_close(t);
}

static int has_specificity(const sow_i_report *r)
{
    double x;
    return sow_i_number(r->doc, "specificity", &x);
}

static void shape(sow_i_report *r)
{
    sow_text *t = &r->body;
    sow_i_section_open(t, "shape", "Strong or weak, consistent or variable");
    sow_text_append(t, "<p><b>Magnitude</b> is the mean of |change| over genes and contexts. <b>Specificity</b> is the share of a perturbation’s variance between contexts that is left without the first principal component: low where "
                       "contexts differ only in how much of the common response they show, high where they do different things. The medians part four classes.</p>\n");
    if (has_specificity(r) && has_places(points_of(r))) {
        sow_text_append(t, "<figure>\n");
        class_legend(r);
        cloud(r, "shape", "class", NULL, "Scatter chart of specificity against magnitude, with both medians.");
        sow_text_append(t, "<figcaption>Lines: medians, ");
        sow_i_html_metric(t, number_of(r->doc, "magnitude"));
        sow_text_append(t, " and ");
        sow_i_html_metric(t, number_of(r->doc, "specificity"));
        sow_text_append(t, ". Magnitude is on a logarithmic axis.</figcaption>\n</figure>\n");
    } else if (!has_specificity(r)) {
        sow_text_append(t, "<p class=\"note\">With one context there is no variance between contexts, and no specificity.</p>\n");
    }
    sow_i_section_close(t);
}

/* ---- tables ---- */

static void classes_table(sow_i_report *r)
{
    const json_t *rows = sow_i_array(r->doc, "classes");
    sow_text *t = &r->body;
    sow_i_table_open(t, "Perturbations by class", "Class|#Perturbations|#Of them measured in some context", "few");
    sow_text_append(t, "<tbody>\n");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        sow_text_append(t, "<tr>");
        sow_i_cell(t, json_array_get(rows, i), "class");
        sow_i_cell_number(t, json_array_get(rows, i), "count");
        sow_i_cell_number(t, json_array_get(rows, i), "measured");
        sow_text_append(t, "</tr>\n");
    }
    sow_text_append(t, "</tbody>");
    sow_i_table_close(t);
}

/* Columns only of classes that occur. */
static void clusters_table(sow_i_report *r, const json_t *clusters)
{
    const json_t *words = sow_i_array(r->doc, "words");
    sow_text *t = &r->body, head = {0};
    int used[N_CLASSES] = {0};
    sow_text_append(&head, "#Cluster|#Perturbations");
    for (size_t k = 0; k < N_CLASSES; k++) {
        for (size_t i = 0; i < json_array_size(clusters); i++) used[k] |= json_integer_value(json_array_get(sow_i_array(json_array_get(clusters, i), "counts"), k)) > 0;
        const char *word = json_string_value(json_array_get(words, k));
        if (used[k]) sow_text_printf(&head, "|#%s", word ? word : "");
    }
    sow_text_append(&head, "|Strongest, measured ones first");
    if (head.failed) r->failed = 1;
    sow_i_table_open(t, "Perturbations by cluster", head.text ? head.text : "", NULL);
    sow_text_append(t, "<tbody>\n");
    for (size_t i = 0; i < json_array_size(clusters); i++) {
        const json_t *row = json_array_get(clusters, i), *names = sow_i_array(row, "strongest");
        sow_text_append(t, "<tr>");
        sow_i_cell_number(t, row, "cluster");
        sow_i_cell_number(t, row, "count");
        for (size_t k = 0; k < N_CLASSES; k++)
            if (used[k]) sow_text_printf(t, "<td class=\"n\">%lld</td>", (long long)json_integer_value(json_array_get(sow_i_array(row, "counts"), k)));
        sow_text_append(t, "<td>");
        for (size_t k = 0; k < json_array_size(names); k++) {
            if (k) sow_text_append(t, ", ");
            sow_i_html(t, json_string_value(json_array_get(names, k)));
        }
        sow_text_append(t, "</td></tr>\n");
    }
    sow_text_append(t, "</tbody>");
    sow_i_table_close(t);
    sow_text_clear(&head);
}

static void tables(sow_i_report *r)
{
    const json_t *clusters = sow_i_array(r->doc, "clusters");
    sow_text *t = &r->body;
    sow_i_section_open(t, "classes", "Classes and clusters");
    classes_table(r);
    if (clusters) clusters_table(r, clusters);
    else if (json_is_false(json_object_get(r->doc, "can_cluster")))
        sow_text_append(t, "<p class=\"note\">No clusters: this build of sower has no igraph (apt-get install libigraph-dev and build again).</p>\n");
    sow_text_append(t, "<p class=\"note\">The same numbers for every perturbation are in the <code>.csv</code> beside this page.</p>\n");
    sow_i_section_close(t);
}

static void contexts_table(sow_i_report *r)
{
    const json_t *rows = sow_i_array(r->doc, "contexts");
    sow_text *t = &r->body;
    sow_i_section_open(t, "contexts", "What is observed and what predicted");
    sow_i_table_open(t, "Observed and predicted, by context", "Context|Role|#Observed|#Predicted|Share observed", "few");
    sow_text_append(t, "<tbody>\n");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        const double observed = number_of(row, "observed"), share = observed / (observed + number_of(row, "predicted"));
        sow_text_append(t, "<tr>");
        sow_i_cell(t, row, "context");
        sow_i_cell(t, row, "role");
        sow_i_cell_number(t, row, "observed");
        sow_i_cell_number(t, row, "predicted");
        sow_text_printf(t, "<td><span class=\"bar\"><i style=\"width:%.1f%%\"></i></span>", 100 * share);
        sow_i_html_percent(t, share);
        sow_text_append(t, "</td></tr>\n");
    }
    sow_text_append(t, "</tbody>");
    sow_i_table_close(t);
    sow_i_section_close(t);
}

static void learned(sow_i_report *r)
{
    const json_t *rows = sow_i_array(r->doc, "contexts");
    sow_text *t = &r->body;
    sow_i_section_open(t, "learned", "What the model learned");
    sow_text_append(t, "<details><summary>Of each context</summary>\n<ul class=\"plain\">");
    for (size_t i = 0; i < json_array_size(rows); i++) {
        sow_text_append(t, "<li><b>");
        sow_i_html(t, sow_i_string(json_array_get(rows, i), "context"));
        sow_text_append(t, "</b>: ");
        sow_i_html(t, sow_i_string(json_array_get(rows, i), "learned"));
        sow_text_append(t, "</li>");
    }
    sow_text_append(t, "</ul></details>\n");
    sow_i_section_close(t);
}

static void write_body(sow_i_report *r)
{
    header(r);
    sow_text_append(&r->body, "<main>\n");
    summary(r);
    picture(r);
    shape(r);
    tables(r);
    contexts_table(r);
    learned(r);
    sow_i_report_provenance(r);
    sow_i_report_foot(r);
}

sow_status sow_report_write_map(const char *path, const char *json, sow_error *err)
{
    static const sow_i_page form = {"map", "map", "#done\">Skip to what is in it", "contexts", write_body, NULL};
    return sow_i_page_write(path, json, &form, err);
}
