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
}

Test(report, survives_values_of_the_wrong_type_inside)
{
    char *page = own_part(
        "{\"name\":\"x\",\"next\":{\"round\":\"a\",\"picks\":[3,null,{\"perturbation\":[],\"cost\":\"b\"}]},\"rounds\":[[],1],"
        "\"metrics\":[7,{\"metric\":1}],"
        "\"map\":{\"points\":[1,{\"x\":\"a\"}]},\"hits\":{\"found\":[0],\"list\":[[]]},\"bill\":{\"rows\":[\"a\",{\"cost\":\"b\"}],"
        "\"total\":\"c\"},"
        "\"priors\":[null,{\"covered\":5,\"pool_size\":0}],\"dropped\":[1,{\"names\":[1,{}]}],\"constraints\":[2],\"learned\":[{}],"
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
    char *json = sample("waiting"), path[128];
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
