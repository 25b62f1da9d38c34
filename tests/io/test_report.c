#include "core/memory.h"
#include "io/file.h"
#include "io/report.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static void make_folder(void)
{
    strcpy(folder, "/tmp/sower-report-XXXXXX");
    cr_assert(mkdtemp(folder));
}

static int files_in_folder(void)
{
    int n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d))
        n += e->d_name[0] != '.';
    if (d) closedir(d);
    return n;
}

static void remove_folder(void)
{
    char path[512];
    DIR *d = opendir(folder);
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] != '.') remove(path);
    }
    if (d) closedir(d);
    rmdir(folder);
}

TestSuite(report, .init = make_folder, .fini = remove_folder);

static char *read_all(const char *path)
{
    FILE *f = fopen(path, "rb");
    cr_assert(f, "cannot open %s", path);
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    rewind(f);
    char *text = calloc((size_t)size + 1, 1);
    cr_assert_eq(fread(text, 1, (size_t)size, f), (size_t)size);
    fclose(f);
    return text;
}

static char *sample(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, SOWER_SOURCE_DIR "/tests/io/report/%s.json", name);
    return read_all(path);
}

/* The page a document gives; caller frees. */
static char *page_of(const char *json)
{
    char path[128];
    sow_error err = {0};
    snprintf(path, sizeof path, "%s/report.html", folder);
    cr_assert_eq(sow_report_write(path, json, &err), SOW_OK, "%s", err.message);
    return read_all(path);
}

/* The same without the chart library: what sower itself wrote. */
static char *own_part(const char *json)
{
    char *page = page_of(json), *library = strstr(page, "</script>\n<!--\nThe charts are drawn by Vega");
    cr_assert(library, "the chart library is not where it is expected");
    *library = '\0';
    return page;
}

static int count(const char *text, const char *what)
{
    int n = 0;
    for (const char *p = strstr(text, what); p; p = strstr(p + 1, what))
        n++;
    return n;
}

#define HAS(page, text)   cr_assert(strstr(page, text), "the page lacks: %s", text)
#define LACKS(page, text) cr_assert(!strstr(page, text), "the page should not have: %s", text)

static void refuses(const char *json, const char *because)
{
    char path[128];
    sow_error err = {0};
    snprintf(path, sizeof path, "%s/report.html", folder);
    cr_assert_eq(sow_report_write(path, json, &err), SOW_E_DATA, "accepted: %s", json);
    cr_assert(strstr(err.message, because), "'%s' does not say '%s'", err.message, because);
    cr_assert_eq(files_in_folder(), 0);
}

Test(report, says_first_what_to_do_next)
{
    char *json = sample("hits"), *page = own_part(json);
    const char *next = strstr(page, "<h2 id=\"next-title\">What to do next</h2>");
    cr_assert(next);
    cr_assert_eq(next, strstr(page, "<h2 "), "another heading comes before it");
    HAS(next, "Measure round 3: 10 perturbations in K562.");
    HAS(next, "Chosen by <b>ucb</b>.");
    HAS(next, "above the hit threshold 2.9 with probability 0.44");
    HAS(next, "sower record results.csv --campaign k562-hits.yaml");
    free(json);
    free(page);
}

Test(report, draws_how_the_training_of_networks_went)
{
    char *plain = page_of("{\"name\":\"a\",\"learned\":[\"one\"]}");
    cr_assert_null(strstr(plain, "epoch by epoch"));
    free(plain);
    char *page = page_of("{\"name\":\"a\",\"learned\":[\"one\"],\"training\":{\"round\":3,\"members\":[{\"best\":2,\"trained\":[0.5,0.25],\"held\":[0.75,null]},{\"best\":\"x\"},7]}}");
    HAS(page, "Training of round 3, epoch by epoch");
    HAS(page, "\"kind\":\"training\"");
    HAS(page, "[1,1,0.5,\"trained\",false],[1,2,0.25,\"trained\",true],[1,1,0.75,\"held\",false]]");
    free(page);
}

Test(report, has_every_section_with_a_heading_of_its_own)
{
    static const char *const ids[] = {"next",    "headline", "curves",  "map",   "hits",    "rounds",    "spend",
                                      "learned", "priors",   "dropped", "rules", "heldout", "provenance"};
    char *json = sample("hits"), *page = own_part(json), section[64];
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        snprintf(section, sizeof section, "<section id=\"%s\"", ids[i]);
        cr_assert_eq(count(page, section), 1, "section %s", ids[i]);
        snprintf(section, sizeof section, "<h2 id=\"%s-title\">", ids[i]);
        cr_assert_eq(count(page, section), 1, "heading of %s", ids[i]);
    }
    cr_assert_eq(count(page, "<section "), count(page, "</section>"));
    cr_assert_eq(count(page, "<table "), count(page, "</table>"));
    cr_assert_eq(count(page, "<details>"), count(page, "</details>"));
    cr_assert_eq(count(page, "<figure>"), count(page, "</figure>"));
    cr_assert_eq(count(page, "<h1>"), 1);
    free(json);
    free(page);
}

Test(report, gives_each_chart_a_place_data_and_words)
{
    char *json = sample("hits"), *page = own_part(json);
    const char *data = strstr(page, "<script type=\"application/json\" id=\"data\">");
    cr_assert(data);
    cr_assert_eq(count(page, " data-chart=\""), 7); /* four metrics, map, hits, spend */
    cr_assert_eq(count(page, " role=\"img\" aria-label=\""), 7);
    cr_assert_eq(count(data, "{\"kind\":"), 7);
    cr_assert_eq(count(data, "{\"kind\":\"curve\""), 4);
    HAS(page, "Rank agreement between predicted and measured values");
    free(json);
    free(page);
}

Test(report, puts_the_main_number_into_a_sentence)
{
    char *page = own_part("{\"name\":\"x\",\"hits\":{\"total\":203,\"pool_size\":2034,\"found\":[{\"round\":0,\"measured\":100,"
                          "\"found\":9,\"chance\":0.05},"
                          "{\"round\":1,\"measured\":1500,\"found\":132,\"chance\":0.7375}]}}");
    HAS(page, "132 of 203 hits found (65%) by measuring 1,500 of 2,034 candidates; picking at random would have found about 150.");
    free(page);
}

Test(report, compares_the_model_with_the_best_baseline)
{
    char *page =
        own_part("{\"name\":\"x\",\"metrics\":["
                 "{\"round\":0,\"measured\":10,\"model\":\"gp\",\"context\":\"A\",\"metric\":\"spearman\",\"value\":0.9},"
                 "{\"round\":1,\"measured\":20,\"model\":\"gp\",\"context\":\"A\",\"metric\":\"spearman\",\"value\":0.5,\"low\":0."
                 "4,\"high\":0.6},"
                 "{\"round\":1,\"measured\":20,\"model\":\"knn\",\"context\":\"A\",\"metric\":\"spearman\",\"value\":0.3},"
                 "{\"round\":1,\"measured\":20,\"model\":\"linear\",\"context\":\"A\",\"metric\":\"spearman\",\"value\":0.55}]}");
    HAS(page, "the gp model reaches a Spearman correlation of 0.500 (0.400 to 0.600) after 20 measured perturbations; "
              "that is no better than the best baseline, linear, which reaches 0.550.");
    free(page);
}

Test(report, takes_the_lower_error_for_the_better_baseline)
{
    char *page =
        own_part("{\"name\":\"x\",\"model\":\"gp\",\"metrics\":["
                 "{\"round\":1,\"measured\":20,\"model\":\"two-way\",\"context\":\"A\",\"metric\":\"rmse\",\"value\":0.7},"
                 "{\"round\":1,\"measured\":20,\"model\":\"train-mean\",\"context\":\"A\",\"metric\":\"rmse\",\"value\":0.9},"
                 "{\"round\":1,\"measured\":20,\"model\":\"gp\",\"context\":\"A\",\"metric\":\"rmse\",\"value\":0.5}]}");
    HAS(page, "the gp model reaches a root mean squared error of 0.500 after 20 measured perturbations; the best baseline, "
              "two-way, reaches 0.700.");
    free(page);
}

Test(report, adds_the_bill_up_and_says_when_it_does_not)
{
    const char *rows =
        "\"rows\":[{\"round\":0,\"item\":\"guides\",\"quantity\":4000,\"unit\":\"guides\",\"price\":0.086,\"cost\":1344.1},"
        "{\"round\":1,\"item\":\"cells\",\"quantity\":1,\"unit\":\"cell\",\"price\":15,\"cost\":0.25}]";
    char json[512];
    snprintf(json, sizeof json, "{\"name\":\"x\",\"bill\":{\"currency\":\"USD\",%s,\"total\":1344.35}}", rows);
    char *page = own_part(json);
    HAS(page, "<tfoot><tr><th scope=\"row\" colspan=\"4\">Total USD</th><td class=\"n\">1,344.35</td></tr></tfoot>");
    HAS(page, "<td class=\"n\">4,000</td><td>guides</td><td class=\"n\">0.086</td><td class=\"n\">1,344.10</td>");
    LACKS(page, "do not add up");
    free(page);
    snprintf(json, sizeof json, "{\"name\":\"x\",\"bill\":{\"currency\":\"USD\",%s,\"total\":1344.36}}", rows);
    page = own_part(json);
    HAS(page, "The rows do not add up to the recorded total of 1,344.36.");
    free(page);
}

Test(report, says_in_a_sentence_what_is_missing)
{
    char *page = own_part("{\"name\":\"bare\",\"metrics\":null}");
    HAS(page, "Plan the next round: none is planned yet.");
    HAS(page, "Nothing has been measured yet.");
    HAS(page, "No learning curve yet");
    HAS(page, "No map:");
    HAS(page, "No round has been planned yet.");
    HAS(page, "No bill:");
    HAS(page, "The campaign file names no priors");
    HAS(page, "Nothing was dropped from the data.");
    HAS(page, "The campaign sets no rules");
    HAS(page, "No perturbation is held out");
    HAS(page, "No provenance was recorded");
    LACKS(page, "data-chart");
    LACKS(page, "id=\"hits\""); /* not a campaign for hits */
    HAS(page, "id=\"data\">[]");
    free(page);
}

Test(report, says_why_hits_are_not_counted)
{
    char *page = own_part("{\"name\":\"x\",\"objective\":\"hits\"}");
    HAS(page, "No hits to count yet: no round has been measured.");
    free(page);
    page = own_part("{\"name\":\"x\",\"objective\":\"hits\",\"rounds\":[{\"round\":0,\"measured\":5}]}");
    HAS(page, "Hits cannot be counted: which of the pool are hits is not known.");
    free(page);
}

Test(report, says_that_a_finished_campaign_needs_nothing)
{
    char *json = sample("profile"), *page = own_part(json);
    HAS(page, "Nothing: every planned round has been measured.");
    HAS(page, "reaches a centred Pearson correlation of");
    LACKS(page, "id=\"hits\"");
    free(json);
    free(page);
}

Test(report, lets_no_text_out_of_its_place)
{
    char *json = sample("hostile"), *page = own_part(json);
    LACKS(page, "<img");
    LACKS(page, "<!-- \"");
    LACKS(page, "\x01");
    HAS(page, "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&lt;!-- &quot; &#39; &amp; \\ é 日本 {{data}} \xEF\xBF\xBD");
    HAS(page, "\\u003c/script>\\u003cimg src=x"); /* in the charts' data */
    cr_assert_eq(count(page, "<script"), 2);
    cr_assert_eq(count(page, "</script"), 1); /* own_part() cuts at the second */
    cr_assert_eq(count(page, "<!--"), 4);     /* varies, /varies: command and provenance */
    free(json);
    free(page);
}

Test(report, loads_nothing_from_anywhere)
{
    char *json = sample("hits"), *page = own_part(json);
    LACKS(page, "http:");
    LACKS(page, "https:");
    LACKS(page, "<script src");
    LACKS(page, "url(");
    LACKS(page, "@import");
    HAS(page, "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src 'unsafe-inline'; style-src "
              "'unsafe-inline'; "
              "img-src data: blob:; base-uri 'none'; form-action 'none'\">");
    cr_assert_eq(count(page, "<link"), 1); /* the empty icon */
    free(page);
    page = page_of(json);
    LACKS(page, "sourceMappingURL");
    HAS(page, "Redistribution and use in source and binary forms");
    free(json);
    free(page);
}

Test(report, gives_the_same_bytes_for_the_same_document)
{
    char *json = sample("hits"), *first = page_of(json), *second = page_of(json);
    cr_assert(strcmp(first, second) == 0);
    free(json);
    free(first);
    free(second);
}

/* A page without what stands between the marks. */
static void cut_varying(char *page)
{
    for (char *from = strstr(page, "<!-- varies -->"); from; from = strstr(page, "<!-- varies -->")) {
        char *to = strstr(from, "<!-- /varies -->");
        cr_assert(to);
        to += strlen("<!-- /varies -->");
        memmove(from, to, strlen(to) + 1);
    }
}

Test(report, keeps_what_varies_between_its_marks)
{
    const char *form =
        "{\"name\":\"x\",\"next\":{\"command\":\"sower plan %s.yaml\"},"
        "\"provenance\":[{\"key\":\"seed\",\"value\":20250101},{\"key\":\"host\",\"value\":\"%s\",\"varies\":true}]}";
    char a[256], b[256];
    snprintf(a, sizeof a, form, "here", "one");
    snprintf(b, sizeof b, form, "there", "another");
    char *first = page_of(a), *second = page_of(b);
    HAS(first, "<td class=\"names\">20250101</td>");
    HAS(first, "<td class=\"names\">one</td>");
    HAS(first, "\n<!-- varies -->\n<pre class=\"command\"><code>sower plan here.yaml</code></pre>\n<!-- /varies -->\n");
    cr_assert(strcmp(first, second) != 0);
    cut_varying(first);
    cut_varying(second);
    HAS(first, "20250101");
    cr_assert(strcmp(first, second) == 0);
    free(first);
    free(second);
}

Test(report, keeps_the_document_for_scripts_without_the_map)
{
    char *page = own_part("{\"rounds\":[],\"name\":\"x\",\"bill\":{\"total\":3.25},\"map\":{\"points\":[{\"x\":1,\"y\":2}]},\"held_"
                          "out\":{\"count\":1,\"names\":\"a\"}}");
    HAS(page, "id=\"document\">{\"bill\":{\"total\":3.25},\"held_out\":{\"count\":1,\"names\":\"a\"},\"map\":{},\"name\":\"x\","
              "\"rounds\":[]}");
    free(page);
}

Test(report, takes_names_as_a_list_or_as_one_text)
{
    char *page = own_part("{\"name\":\"x\",\"dropped\":[{\"what\":\"few "
                          "cells\",\"names\":[\"A\",\"B\"]},{\"what\":\"NaN\",\"names\":\"C, D ... and 5 more\",\"count\":7}],"
                          "\"priors\":[{\"name\":\"p\",\"missing\":\"E, F\"}]}");
    HAS(page, "<b>2</b> · few cells<p class=\"names\">A, B</p>");
    HAS(page, "<b>7</b> · NaN<p class=\"names\">C, D ... and 5 more</p>");
    HAS(page, "<summary>Without a row in p</summary><p class=\"names\">E, F</p>");
    free(page);
}

Test(report, thins_only_the_free_points_of_a_large_map_and_says_so)
{
    sow_text json = {0};
    sow_text_append(&json, "{\"name\":\"large\",\"map\":{\"points\":[");
    for (int i = 0; i < 20000; i++)
        sow_text_printf(&json,
                        "%s{\"x\":%d.123456789,\"y\":%d.5,\"perturbation\":\"GENE%05d\",\"status\":\"%s\",\"reason\":\"predicted "
                        "2.31, sd 0.40\"}",
                        i ? "," : "", i % 173, i % 97, i, i % 10 ? "free" : "measured");
    sow_text_append(&json, "]}}");
    cr_assert(!json.failed);
    char *page = own_part(json.text);
    HAS(page, "Of 18,000 free candidates 4,000 are drawn");
    HAS(page, "measured (2,000)");
    cr_assert_eq(count(page, "[\"GENE") + count(page, ",\"GENE"), 6000);
    cr_assert(strlen(page) < 1000 * 1000);
    sow_text_clear(&json);
    free(page);
}

Test(report, counts_the_points_that_have_no_place)
{
    char *page = own_part("{\"name\":\"x\",\"map\":{\"points\":[{\"x\":0,\"y\":1,\"perturbation\":\"A\"},{\"x\":null,\"y\":1,"
                          "\"perturbation\":\"B\"}]}}");
    HAS(page, "1 perturbation has no place here");
    HAS(page, "free (1)");
    free(page);
}

Test(report, shows_cells_with_their_space_and_rounds)
{
    char *json = sample("cells"), *page = own_part(json);
    HAS(page, "<h2 id=\"cells-title\">Cells</h2>");
    HAS(page, "<a href=\"#cells\">Cells</a>");
    HAS(page, "A response is a change of mean expression in 298 genes of the 299 in the data. Each cell’s counts are scaled to a total of 201 and then "
              "log1p is taken. 1 gene did not pass the filters and counts nowhere. All this was fitted on 1425 cells: 143 controls");
    HAS(page, "<tr><td>3</td><td class=\"n\">938</td><td class=\"n\">105</td><td class=\"n\">1</td></tr>");
    HAS(page, "4,620 cells of 17 perturbations, against 516 control cells. Fewer cells than planned came for MYC, SPI1.");
    LACKS(page, "id=\"contexts\"");
    cr_assert_eq(count(page, "<details>"), count(page, "</details>"));
    cr_assert_eq(count(page, "<figure>"), count(page, "</figure>"));
    free(json);
    free(page);
}

Test(report, shows_what_each_perturbation_did_strongest_first)
{
    char *json = sample("cells"), *page = own_part(json);
    const char *table = strstr(page, "<table class=\"measured\">"), *end = table ? strstr(table, "</table>") : NULL;
    cr_assert(table && end);
    const char *first = strstr(table, "<th scope=\"row\">STAT1"), *second = strstr(table, "<th scope=\"row\">JAK2"),
               *last = strstr(table, "<th scope=\"row\">ETV7");
    cr_assert(first && second && last && first < second && second < last && last < end);
    HAS(first, "<span>76%<span class=\"ci\">71% to 80%</span></span></td><td class=\"n\">3.00</td><td class=\"n\">44</td>"
               "<td class=\"n\">0.82<span class=\"ci\">3 replicates</span></td><td class=\"n\">0.68<span class=\"ci\">4 guides</span></td>");
    HAS(table, "<td class=\"n\">38 of 300<span class=\"ci\"><b>partial</b></span><span class=\"ci reason\">38 of 300 planned cells are in the screen</span></td>"
               "<td class=\"soft\">not measured</td>");
    HAS(page, "<b>Changed genes</b>: Wilcoxon rank sum with tie correction, Benjamini-Hochberg q &lt; 0.05");
    HAS(page, "compare counts only between perturbations with like numbers of cells");
    cr_assert_eq(count(page, "{\"kind\":\"scatter\""), 2);
    free(json);
    free(page);
}

Test(report, says_of_a_gene_that_goes_up_how_many_times_and_of_a_doubtful_one_that_it_is)
{
    char *page = own_part(
        "{\"name\":\"x\",\"readout\":\"cells\",\"cells\":{\"perturbations\":["
        "{\"perturbation\":\"UP\",\"effect\":3,\"own_gene\":true,\"knockdown\":-2.5,\"knockdown_low\":-3.25,\"knockdown_high\":-1.75},"
        "{\"perturbation\":\"DOUBT\",\"effect\":2,\"own_gene\":true,\"knockdown\":0.25,\"knockdown_low\":-0.125,\"knockdown_high\":0.5},"
        "{\"perturbation\":\"BARE\",\"effect\":1,\"own_gene\":true,\"knockdown\":0.5,\"knockdown_low\":null,\"knockdown_high\":null}]}}");
    HAS(page, "<path class=\"dot\" d=\"M1 7l7-4v8z\"/></svg><span>up 3.50×<span class=\"ci\">2.75× to 4.25×</span></span>");
    HAS(page, "<span>25%<span class=\"ci\">-12% to 50%, unclear</span></span>");
    HAS(page, "<span>50%</span></td>");
    LACKS(page, "Replicates agree");
    LACKS(page, "Guides agree");
    free(page);
}

Test(report, leaves_out_what_cells_lack)
{
    char *page = own_part("{\"name\":\"x\",\"readout\":\"cells\"}");
    HAS(page, "No perturbation’s cells have been measured yet.");
    LACKS(page, "data-chart");
    free(page);
    page = own_part("{\"name\":\"x\",\"cells\":{\"space\":{\"genes\":405,\"genes_in_data\":405,\"target_sum\":null,\"log1p\":false,\"highly_variable\":\"100 by "
                    "<seurat>\",\"not_counted\":0},\"rounds\":null,\"perturbations\":[{\"perturbation\":\"A\",\"cells\":null,\"planned\":100,\"effect\":null,"
                    "\"own_gene\":false,\"knockdown\":null,\"de_genes\":null,\"consistency\":null,\"guide_consistency\":null}],\"de_rule\":null}}");
    HAS(page, "in 405 genes, all that are in the data: the most variable ones (100 by &lt;seurat&gt;). Values are used as the data have them. </p>");
    HAS(page, "<th scope=\"row\">A</th><td class=\"n\">–</td><td class=\"n\">–</td><td class=\"n\">–</td></tr>");
    HAS(page, "No targeted gene is in the data, so knockdown was not measured.");
    LACKS(page, "Changed genes");
    LACKS(page, "data-chart");
    free(page);
}

Test(report, folds_the_weaker_of_many_perturbations)
{
    sow_text json = {0};
    sow_text_append(&json, "{\"name\":\"many\",\"cells\":{\"perturbations\":[");
    for (int i = 0; i < 100; i++)
        sow_text_printf(&json, "%s{\"perturbation\":\"GENE%02d\",\"cells\":50,\"planned\":80,\"outcome\":\"partial\",\"effect\":%d}", i ? "," : "", i, i % 50);
    sow_text_append(&json, "]}}");
    cr_assert(!json.failed);
    char *page = own_part(json.text);
    HAS(page, "The other 75, weaker ones</summary>");
    HAS(page, "GENE11 and 88 more.");
    const char *a = strstr(page, "<th scope=\"row\">GENE49"), *b = strstr(page, "<th scope=\"row\">GENE99"), *c = strstr(page, "<th scope=\"row\">GENE48");
    cr_assert(a && b && c && a < b && b < c); /* ties keep their order */
    cr_assert_eq(count(page, "<td class=\"n\">50 of 80<span class=\"ci\"><b>partial</b></span></td>"), 100);
    sow_text_clear(&json);
    free(page);
}

Test(report, puts_contexts_side_by_side_and_the_finding_on_top)
{
    static const char finding[] = "The other contexts do not help: responses to the same perturbation correlate at -0.04 to 0.04 between k562 and the others";
    char *json = sample("contexts"), *page = own_part(json);
    const char *note = strstr(page, "<p class=\"warn\">The other contexts do not help"), *curves = strstr(page, "id=\"curves\"");
    const char *section = strstr(page, "<h2 id=\"contexts-title\">Contexts side by side</h2>\n<p class=\"lede\">The other contexts do not help");
    cr_assert(note && curves && section && note < curves && curves < section);
    cr_assert_geq(count(page, finding), 2);
    HAS(section, "says next to nothing about it here");
    HAS(section, "-0.04<span class=\"ci\">-0.10 to 0.00</span><span class=\"ci\">4 perturbations</span></td>");
    HAS(section, "0.61<span class=\"ci\">own halves</span><span class=\"ci\">18 perturbations</span></td>");
    HAS(section, "<th scope=\"col\" class=\"n\">k562<span class=\"ci\">planned in</span></th>");
    HAS(section, "<th scope=\"row\">MAP2K6</th><td class=\"n soft\">–</td>");
    cr_assert_eq(count(page, "{\"kind\":\"pairs\""), 1);
    HAS(page, "<a href=\"#contexts\">Contexts</a>");
    free(json);
    free(page);
}

Test(report, survives_contexts_without_numbers)
{
    char *page = own_part("{\"name\":\"x\",\"cells\":{\"contexts\":{\"target\":\"<a>\",\"names\":[\"<a>\",\"b\",7],\"pairs\":[{\"a\":\"<a>\",\"b\":\"b\",\"shared\":0,"
                          "\"correlation\":null,\"low\":null,\"high\":null},3],\"effects\":[{\"perturbation\":\"P\",\"values\":{\"<a>\":1.5,\"b\":null},\"correlation\":0.126}],"
                          "\"within\":[{\"context\":\"b\",\"correlation\":null}],\"finding\":\"Whether <they> help cannot be told yet.\",\"verdict\":\"cannot be told\"}}}");
    HAS(page, "<p class=\"note\">Whether &lt;they&gt; help cannot be told yet. <a href=\"#contexts\">");
    HAS(page, "More perturbations measured both here and elsewhere");
    HAS(page, "1.50</td><td class=\"n soft\">–</td><td class=\"n\">0.13</td>");
    LACKS(page, "<a>");
    LACKS(page, "data-chart");
    cr_assert_eq(count(page, "<table "), count(page, "</table>"));
    free(page);
    page = own_part("{\"name\":\"x\",\"cells\":{\"contexts\":{}}}");
    HAS(page, "id=\"contexts\"");
    free(page);
}

Test(report, lists_pairs_of_many_contexts)
{
    char *page = own_part("{\"name\":\"x\",\"cells\":{\"contexts\":{\"names\":[\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\"],\"pairs\":[{\"a\":\"a\",\"b\":\"i\","
                          "\"shared\":1,\"correlation\":0.5}],\"verdict\":\"help\"}}}");
    HAS(page, "All pairs of contexts");
    HAS(page, "<td>a</td><td>i</td>");
    HAS(page, "1 perturbation</span>");
    HAS(page, "have a head start");
    free(page);
}

Test(report, draws_a_few_metrics_of_cells_and_tables_all)
{
    char *json = sample("contexts"), *page = own_part(json);
    static const char *const drawn[] = {"mmd_de", "pearson_delta_de", "pearson_delta_centred", "rmse_de"};
    const char *at = page;
    char code[64];
    for (size_t i = 0; i < sizeof drawn / sizeof *drawn; i++) {
        snprintf(code, sizeof code, "<code>%s</code></figcaption>", drawn[i]);
        at = strstr(at, code);
        cr_assert(at, "%s is not drawn in its place", drawn[i]);
    }
    cr_assert_eq(count(page, "{\"beat\":\"control\",\"kind\":\"curve\"") + count(page, "{\"kind\":\"curve\""), 4);
    HAS(page, "<span>control, the line to beat: no change</span>");
    HAS(page, "Control has no line here");
    HAS(page, "R squared on all genes<span class=\"ci\">↑ higher is better</span>");
    HAS(page, "Mean squared error, top 20 genes<span class=\"ci\">↓ lower is better</span>");
    HAS(page, "<td class=\"n best\">0.433<span class=\"ci\">0.259 to 0.599</span></td>");
    HAS(page, "<dt>Recall of the 20 strongest genes</dt><dd>Share of the 20 most changed genes");
    HAS(page, "<dt>two-way</dt><dd>The perturbation’s mean response over other contexts");
    free(json);
    free(page);
}

Test(report, leads_cells_by_the_distance_of_populations_and_names_the_control)
{
    char *json = sample("contexts"), *page = own_part(json);
    HAS(page, "reaches a maximum mean discrepancy on changed genes (lower is better) of 0.522 (0.247 to 0.815) after 18 measured perturbations; "
              "that is no better than the best baseline, additive, which reaches 0.433 (0.259 to 0.599).");
    HAS(page, "Predicting no change at all (control), the line to beat, reaches 0.586");
    HAS(page, "agrees with the measured ones at a Pearson correlation of 0.215");
    free(json);
    free(page);
    json = sample("cells");
    page = own_part(json);
    HAS(page, "no better than the best baseline, control, which reaches 0.022");
    LACKS(page, "Predicting no change at all");
    free(json);
    free(page);
}

Test(report, writes_no_word_of_a_missing_number)
{
    static const char *const names[] = {"cells", "contexts", "profile", "waiting"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *json = sample(names[i]), *page = own_part(json), *scripts = strstr(page, "<script type=\"application/json\"");
        cr_assert(scripts);
        *scripts = '\0';
        const char *body = strstr(page, "<body>");
        cr_assert(body);
        LACKS(body, ">nan");
        LACKS(body, " nan");
        LACKS(body, "-nan");
        LACKS(body, "NaN");
        LACKS(body, "inf ");
        LACKS(body, "undefined");
        LACKS(body, "null");
        free(json);
        free(page);
    }
}

Test(report, draws_a_curve_for_each_context)
{
    char *page =
        own_part("{\"name\":\"x\",\"metrics\":[{\"round\":0,\"measured\":9,\"model\":\"gp\",\"context\":\"K562\",\"metric\":"
                 "\"spearman\",\"value\":0.25},"
                 "{\"round\":0,\"measured\":9,\"model\":\"gp\",\"context\":\"RPE1\",\"metric\":\"spearman\",\"value\":0.5},"
                 "{\"round\":0,\"measured\":9,\"model\":null,\"context\":\"all\",\"metric\":\"cost\",\"value\":5}]}");
    HAS(page, "<h3>Spearman correlation, K562</h3>");
    HAS(page, "<h3>Spearman correlation, RPE1</h3>");
    cr_assert_eq(count(page, " data-chart=\""), 2);
    free(page);
}

Test(report, writes_numbers_for_people)
{
    char *page = own_part("{\"name\":\"x\",\"next\":{\"round\":1,\"picks\":[{\"rank\":1,\"perturbation\":\"A\",\"score\":0.123456,"
                          "\"planned_cells\":1234567,\"cost\":-0.001},"
                          "{\"rank\":2,\"perturbation\":\"B\",\"score\":-12.3456,\"planned_cells\":123.4,\"cost\":1e3},"
                          "{\"rank\":3,\"perturbation\":\"C\",\"score\":0.0000123,\"planned_cells\":null,\"cost\":2.5e13}]}}");
    HAS(page, "<td class=\"n\">0.123</td><td class=\"n\">1,234,567</td><td class=\"n\">0.00</td>");
    HAS(page, "<td class=\"n\">-12.3</td><td class=\"n\">123</td><td class=\"n\">1,000.00</td>");
    HAS(page, "<td class=\"n\">1.23e-05</td><td class=\"n\">–</td><td class=\"n\">25,000,000,000,000.00</td>");
    free(page);
}

Test(report, refuses_what_is_no_document)
{
    refuses("", "not JSON at line");
    refuses("{\"name\": \"x\",}", "not JSON at line 1");
    refuses("{\"name\": \"x\"} trailing", "not JSON");
    refuses("{\"name\": \"x\", \"name\": \"y\"}", "not JSON");
    refuses("{\"name\": \"\xFF\"}", "not JSON");
    refuses("[1, 2]", "not a JSON object");
    refuses("{}", "lacks 'name'");
    refuses("{\"name\": \"\"}", "lacks 'name'");
    refuses("{\"name\": 3}", "'name' must be a string");
    refuses("{\"name\": \"x\", \"rounds\": {}}", "'rounds' must be a list");
    refuses("{\"name\": \"x\", \"next\": []}", "'next' must be an object");
    refuses("{\"name\": \"x\", \"cells\": []}", "'cells' must be an object");
}

Test(report, survives_values_of_the_wrong_type_inside)
{
    char *page = own_part(
        "{\"name\":\"x\",\"next\":{\"round\":\"a\",\"picks\":[3,null,{\"perturbation\":[],\"cost\":\"b\"}]},\"rounds\":[[],1],"
        "\"metrics\":[7,{\"metric\":1}],"
        "\"map\":{\"points\":[1,{\"x\":\"a\"}]},\"hits\":{\"found\":[0],\"list\":[[]]},\"bill\":{\"rows\":[\"a\",{\"cost\":\"b\"}],"
        "\"total\":\"c\"},"
        "\"priors\":[null,{\"covered\":5,\"pool_size\":0}],\"dropped\":[1,{\"names\":[1,{}]}],\"constraints\":[2],\"learned\":[{}],"
        "\"cells\":{\"space\":3,\"rounds\":[1,null],\"perturbations\":[4,{\"cells\":\"a\",\"knockdown\":[],\"reason\":7},null],\"contexts\":{\"names\":[1],"
        "\"pairs\":[null,{\"a\":1,\"correlation\":2}],\"effects\":[5,{\"values\":[]}],\"within\":[0]}},"
        "\"held_out\":{\"count\":-3,\"names\":[null]},\"provenance\":[3,{\"key\":{},\"value\":true}]}");
    cr_assert_eq(count(page, "<table "), count(page, "</table>"));
    free(page);
}

Test(report, leaves_the_old_report_when_it_cannot_write)
{
    char path[128];
    sow_error err = {0};
    snprintf(path, sizeof path, "%s/nowhere/report.html", folder);
    cr_assert_eq(sow_report_write(path, "{\"name\":\"x\"}", &err), SOW_E_IO);
    cr_assert(strstr(err.message, "nowhere"), "%s", err.message);
    snprintf(path, sizeof path, "%s/report.html", folder);
    cr_assert_eq(mkdir(path, 0700), 0);
    cr_assert_eq(sow_report_write(path, "{\"name\":\"x\"}", &err), SOW_E_IO);
    cr_assert_eq(files_in_folder(), 1); /* the folder in the way; no temporary file */
    rmdir(path);
}

Test(report, says_so_when_memory_runs_out)
{
    char *json = sample("contexts"), path[128];
    int failures = 0;
    sow_status st = SOW_E_NOMEM;
    snprintf(path, sizeof path, "%s/report.html", folder);
    for (sow_index n = 0; n < 400 && st != SOW_OK; n++) {
        sow_error err = {0};
        sow_memory_fail_after(n);
        st = sow_report_write(path, json, &err);
        sow_memory_fail_after(-1);
        cr_assert(st == SOW_OK || st == SOW_E_NOMEM, "%s", err.message);
        cr_assert_eq(files_in_folder(), st == SOW_OK);
        failures += st != SOW_OK;
    }
    cr_assert_eq(st, SOW_OK);
    cr_assert_gt(failures, 5);
    free(json);
}
