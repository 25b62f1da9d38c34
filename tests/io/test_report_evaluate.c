/* The page of an evaluation, from documents written here. */
#include "io/report.h"

#include <criterion/criterion.h>

#include "faults.h"
#include "scratch.h"

TestSuite(report_evaluate, .init = scratch_create, .fini = scratch_remove);

static sow_error err;

static const char document[] =
    "{\"name\": \"a<b>\", \"readout\": \"cells\", \"context\": \"here & there\", \"model\": \"gp\", \"generated_by\": \"sower evaluate\", \"perturbations\": 3, \"without_prior\": 1,"
    " \"not_eligible\": 2, \"without_value\": 0, \"cells\": 120, \"controls\": [10, 9], \"mode\": \"reference\","
    " \"models\": [{\"model\": \"gp\", \"summary\": \"gp\"}, {\"model\": \"control\", \"summary\": \"c\"}], \"left_out\": [{\"model\": \"two-way\", \"why\": \"one context <only>\"}],"
    " \"splits\": [{\"kind\": \"outliers\", \"held_out\": 2, \"folds\": [{\"fold\": 1, \"training\": 1, \"held_out\": 2, \"features\": 7, \"names\": [\"A\", \"</script>\"]}],"
    " \"clusters\": [{\"cluster\": 1, \"controls\": true, \"held_out\": false, \"names\": [\"C\"]}, {\"cluster\": 2, \"controls\": false, \"held_out\": true, \"names\": [\"A\"]}],"
    " \"summary\": [{\"model\": \"gp\", \"metric\": \"mmd_de\", \"mean\": 0.25, \"sd\": null, \"low\": 0.2, \"high\": 0.3, \"n\": 2},"
    " {\"model\": \"control\", \"metric\": \"mmd_de\", \"mean\": 0.5, \"sd\": null, \"low\": 0.4, \"high\": 0.6, \"n\": 1}],"
    " \"charts\": [{\"metric\": \"mmd_de\", \"of\": 2, \"rows\": [[\"gp\", \"A\", 1, 0.25], [\"control\", \"</script>\", 1, 0.5]]}],"
    " \"paired\": {\"metric\": \"mmd_de\", \"model\": \"gp\", \"rows\": [{\"other\": \"control\", \"difference\": -0.25, \"low\": -0.3, \"high\": -0.2, \"n\": 1}]}}],"
    " \"provenance\": [{\"key\": \"seed\", \"value\": \"1\"}]}";

static const char *page(void)
{
    cr_assert_eq(sow_report_write_evaluation(scratch_path("e.html"), document, &err), SOW_OK, "%s", err.message);
    return scratch_read(scratch_path("e.html"));
}

static void holds(const char *text, const char *what)
{
    cr_assert(strstr(text, what), "the page lacks: %s", what);
}

Test(report_evaluate, says_what_was_done_and_every_number_of_the_table)
{
    const char *text = page();
    holds(text, "<title>a&lt;b&gt; · sower evaluation</title>");
    holds(text, "Skip to what was done");
    holds(text, "Outliers held out");
    holds(text, "1 perturbation does not take part for lack of a prior");
    holds(text, "2 perturbations do not take part, excluded or with too few cells");
    holds(text, "evaluation.mode: reference");
    holds(text, "<b>two-way</b> (one context &lt;only&gt;)");
    holds(text, "<td class=\"n best\">0.250<span class=\"ci\">0.200 to 0.300</span></td>");
    holds(text, "of 1 only");
    holds(text, "<td>better</td>");
    holds(text, "with the controls: learned from");
    holds(text, "<b>held out</b>");
}

Test(report_evaluate, escapes_what_data_say)
{
    const char *text = page();
    holds(text, "here &amp; there");
    holds(text, "&lt;/script&gt;");
    cr_assert_null(strstr(text, "\"</script>"));
}

Test(report_evaluate, gives_its_chart_what_it_draws)
{
    const char *text = page();
    holds(text, "\"kind\":\"strip\"");
    holds(text, "[\"gp\",\"A\",1,0.25]");
    holds(text, "[\"gp\",0.25,0.2");
    holds(text, "data-chart=\"0\"");
}

static void refused(const char *json, const char *why)
{
    err = (sow_error){0};
    cr_assert_eq(sow_report_write_evaluation(scratch_path("bad.html"), json, &err), SOW_E_DATA);
    cr_assert(strstr(err.message, why), "%s", err.message);
    cr_assert_eq(scratch_count_entries(scratch), 0);
}

Test(report_evaluate, refuses_documents_that_are_none)
{
    refused("{", "not JSON at line 1");
    refused("[]", "must be a JSON object");
    refused("{\"name\": \"x\"}", "`splits`");
    refused("{\"name\": \"x\", \"splits\": 3}", "`splits`");
    refused("{\"splits\": [{}]}", "`name`");
}

Test(report_evaluate, takes_splits_that_say_little)
{
    cr_assert_eq(sow_report_write_evaluation(scratch_path("e.html"), "{\"name\": \"x\", \"splits\": [{}, 7, {\"kind\": \"folds\", \"charts\": [{\"metric\": \"no such\"}]}]}", &err), SOW_OK,
                 "%s", err.message);
}

static sow_status write_page(sow_error *e)
{
    return sow_report_write_evaluation(scratch_path("e.html"), document, e);
}

Test(report_evaluate, survives_any_allocation_that_fails)
{
    every_allocation_may_fail(write_page, 1);
}
