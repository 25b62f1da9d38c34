/* The page of an allocation: what it says, that hostile text stays text, and what it refuses. */
#include "io/report.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "core/memory.h"
#include "scratch.h"

TestSuite(report_allocation, .init = scratch_create, .fini = scratch_remove);

static sow_error err;

/* Two arms of two rounds that begin alike, in one world; the second's end is recommended. */
static const char document[] =
    "{\"name\": \"<b>plan\", \"generated_by\": \"sower simulate\", \"metric\": \"hits_recall\", \"better\": \"higher\", \"currency\": \"EUR\", \"seeds\": 3, \"budget\": {\"money\": 9000, \"weeks\": null, \"worth\": null}, "
    "\"worlds\": [{\"world\": \"\", \"allocations\": ["
    "{\"label\": \"a</script>, first round alone\", \"arm\": \"a</script>\", \"rounds\": 1, \"of\": 2, \"perturbations\": 30, \"cells_per_perturbation\": 100, \"cost\": 3204.84, \"weeks\": 4, \"value\": {\"value\": 0.2, \"low\": 0.1, \"high\": 0.3, "
    "\"n\": 3}, \"less_best\": {\"value\": -0.5, \"low\": -0.6, \"high\": -0.4, \"n\": 3, \"detectable\": 0.1}, \"affordable\": true, \"same_as\": null, \"front\": {\"money\": true, \"weeks\": true, \"both\": true}}, "
    "{\"label\": \"a</script>\", \"arm\": \"a</script>\", \"rounds\": 2, \"of\": 2, \"perturbations\": 70, \"cells_per_perturbation\": 100, \"cost\": 12000, \"weeks\": 8, \"value\": {\"value\": 0.6, \"low\": null, \"high\": null, \"n\": 3}, "
    "\"affordable\": false, \"same_as\": null, \"front\": {\"money\": false, \"weeks\": false, \"both\": false}}, "
    "{\"label\": \"TWIN\", \"arm\": \"b\", \"rounds\": 1, \"of\": 2, \"perturbations\": 30, \"cells_per_perturbation\": 100, \"cost\": 3204.84, \"weeks\": 4, \"value\": {\"value\": 0.2, \"low\": 0.1, \"high\": 0.3, \"n\": 3}, \"affordable\": true, "
    "\"same_as\": 0, \"front\": {\"money\": false, \"weeks\": false, \"both\": false}}, "
    "{\"label\": \"b\", \"arm\": \"b\", \"rounds\": 2, \"of\": 2, \"perturbations\": 110, \"cells_per_perturbation\": 100, \"cost\": 8417.75, \"weeks\": 8, \"value\": {\"value\": 0.7, \"low\": 0.6, \"high\": 0.8, \"n\": 3}, "
    "\"affordable\": true, \"same_as\": null, \"front\": {\"money\": true, \"weeks\": true, \"both\": true}}], "
    "\"recommended\": {\"allocation\": 3, \"best\": 3, \"value\": {\"value\": 0.7, \"low\": 0.6, \"high\": 0.8, \"n\": 3}, \"expected\": {\"value\": 0.65, \"low\": 0.5, \"high\": 0.8, \"n\": 3}, \"agreed\": 2}, "
    "\"arms\": [{\"arm\": \"a</script>\", \"curve\": {\"ahead\": []}}, {\"arm\": \"b\", \"curve\": {\"ahead\": [{\"perturbations\": 110, \"value\": 0.7, \"low\": 0.6, \"high\": 0.8}, {\"perturbations\": 220, \"value\": 0.9, \"low\": 0.7, "
    "\"high\": 1}]}}], \"look_back\": {\"held\": 5, \"of\": 6}, "
    "\"words\": {\"headline\": \"With 9,000 EUR: take b<i>.\", \"why\": \"It is the best.\", \"next_money\": \"The next 1,000 EUR buy nothing.\", \"stop\": \"Stop after 2.\"}}]}";

Test(report_allocation, says_what_the_document_holds)
{
    cr_assert_eq(sow_report_write_allocation(scratch_path("a.html"), document, &err), SOW_OK, "%s", err.message);
    const char *page = scratch_read(scratch_path("a.html"));
    static const char *const lines[] = {"&lt;b&gt;plan", "by <b>Recall of hits</b>, higher is better · 3 seeds", "With 9,000 EUR: take b&lt;i&gt;.", "<dt>More money</dt><dd>The next 1,000 EUR buy nothing.", "<dt>When to stop</dt>",
                                        "8,418 <small>EUR</small>", "0.650 <small>", "Quality against money", "Quality against time", "held 5 of 6 later rounds", "a&lt;/script&gt;, first round alone", "All 3 allocations",
                                        "<tr class=\"own\"><td>b</td><td class=\"n\">110</td>", "\"kind\":\"tradeoff\"", "\"limit\":9000.0", "\"kind\":\"ahead\""};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        cr_expect(strstr(page, lines[i]), "the page lacks '%s'", lines[i]);
    cr_expect_null(strstr(page, "</script>,"));
    cr_expect_null(strstr(page, "<td>TWIN"), "what is the same allocation stands there twice");
    cr_expect_null(strstr(page, "<dt>More time</dt>"), "a heading without a sentence");
}

Test(report_allocation, refuses_what_is_no_document_and_bears_the_rest)
{
    static const char *const bad[] = {"", "[]", "{\"name\": \"x\"}", "{\"name\": \"x\", \"worlds\": []}", "{\"worlds\": [{}]}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_eq(sow_report_write_allocation(scratch_path("bad.html"), bad[i], &err), SOW_E_DATA, "%s", bad[i]);
    static const char *const odd[] = {"{\"name\": \"x\", \"worlds\": [{}, 7]}", "{\"name\": \"x\", \"metric\": 4, \"worlds\": [{\"allocations\": [{}, 3, {\"cost\": \"a\", \"value\": 2, \"arm\": 5}], \"recommended\": {\"allocation\": 99}}]}",
                                      "{\"name\": \"x\", \"worlds\": [{\"allocations\": [{\"arm\": \"a\", \"cost\": 3, \"perturbations\": 2, \"value\": {\"value\": 1}}], \"recommended\": {\"allocation\": 0}, \"arms\": [4, {\"arm\": \"a\", "
                                      "\"curve\": {\"ahead\": [1, {}]}}], \"look_back\": 3, \"words\": []}]}"};
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        cr_expect_eq(sow_report_write_allocation(scratch_path("a.html"), odd[i], &err), SOW_OK, "%s: %s", odd[i], err.message);
}

Test(report_allocation, gives_way_when_memory_runs_out)
{
    sow_status st = SOW_E_NOMEM;
    for (sow_index n = 0; st == SOW_E_NOMEM && n < 3000; n++) {
        sow_memory_fail_after(n);
        st = sow_report_write_allocation(scratch_path("a.html"), document, &err);
        sow_memory_fail_after(-1);
    }
    cr_expect_eq(st, SOW_OK);
}
