/* The page of the whole map: what it says, that hostile text stays text, and what it refuses. */
#include "io/report.h"

#include <criterion/criterion.h>
#include <string.h>

#include "core/memory.h"
#include "scratch.h"

TestSuite(report_map, .init = scratch_create, .fini = scratch_remove);

static sow_error err;

static const char document[] =
    "{\"name\": \"<b>map\", \"readout\": \"profile\", \"model\": \"two-way\", \"perturbations\": 4, \"features\": 3, \"unknown\": 2, \"alike\": 2, \"first_share\": 0.25, \"can_cluster\": true, \"magnitude\": 0.5, "
    "\"specificity\": 0.75, \"contexts\": [{\"context\": \"a<i>\", \"role\": \"target\", \"observed\": 1, \"predicted\": 3, \"learned\": \"nothing\"}], \"left_out\": {\"context\": \"c\", \"why\": \"because\"}, "
    "\"words\": [\"strong consistent\", \"strong variable\", \"weak consistent\", \"weak variable\", \"strong\", \"weak\"], \"classes\": [{\"class\": \"weak variable\", \"count\": 2, \"measured\": 1}], "
    "\"clusters\": [{\"cluster\": 1, \"count\": 2, \"counts\": [0, 0, 0, 2, 0, 0], \"strongest\": [\"</script>G1\"]}], "
    "\"map\": {\"points\": [[0.5, 1.5, \"</script>G1\", 3, 1, 0.4, 0.9, 1], [1, 2, \"G2\", 3, 1, 0.3, 0.8, 0]]}}";

Test(report_map, says_what_the_document_holds)
{
    cr_assert_eq(sow_report_write_map(scratch_path("m.html"), document, &err), SOW_OK, "%s", err.message);
    const char *page = scratch_read(scratch_path("m.html"));
    static const char *const lines[] = {"&lt;b&gt;map", "4 perturbations in 1 context", "1 responses were observed", "25% of the variance", "is not in the map: because", "measured in no context and predicted <b>all the same</b>",
                                        "a&lt;i&gt;", "weak variable (2)", "cluster 1 (2)", "Lines: medians, 0.500 and 0.750", "&lt;/script&gt;G1"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) cr_expect(strstr(page, lines[i]), "the page lacks '%s'", lines[i]);
    cr_expect_null(strstr(page, "</script>G1"));
    cr_expect(strstr(page, "\"kind\":\"cloud\"") && strstr(page, "\"of\":\"shape\""));
}

Test(report_map, refuses_what_is_no_document_and_bears_the_rest)
{
    static const char *const bad[] = {"", "[]", "{\"name\": \"x\"}", "{\"contexts\": [{}]}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) cr_expect_eq(sow_report_write_map(scratch_path("bad.html"), bad[i], &err), SOW_E_DATA, "%s", bad[i]);
    cr_expect_eq(sow_report_write_map(scratch_path("m.html"), "{\"name\": \"x\", \"contexts\": [{}, 7], \"words\": 3, \"clusters\": [{\"counts\": [1]}, 5], \"map\": {\"points\": [[], 4, [null, null]]}}", &err), SOW_OK,
                 "%s", err.message);
}

Test(report_map, gives_way_when_memory_runs_out)
{
    sow_status st = SOW_E_NOMEM;
    for (sow_index n = 0; st == SOW_E_NOMEM && n < 1000; n++) {
        sow_memory_fail_after(n);
        st = sow_report_write_map(scratch_path("m.html"), document, &err);
        sow_memory_fail_after(-1);
    }
    cr_expect_eq(st, SOW_OK);
}
